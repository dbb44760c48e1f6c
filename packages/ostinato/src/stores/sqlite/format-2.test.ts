// A file of format 2, from before there were entities: what it has reads as before, and it takes what is new.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import { claimAll, commitOf, done, historyOf, idsOf, messageTo, recordOf, some, START, turnOf } from "../../conformance/store/stories.ts";
import { MIGRATIONS } from "../sql/schema.ts";
import { restoreFile } from "./backup.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const RECORD_OF_FORMAT_2 =
  "number, hub, id, kind, name, created_at, epoch, turn, history_length, updated_at, last_turn_at, attempts, status, version, execution_id, lineage, tags, generation, held, awaited_events, dropped, format";

/** A hub with an instance that waits for an event, which has come, and for an activity. */
function fileOfFormat2(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-format-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "hub.db");
  const db = new DatabaseSync(path);
  db.exec("pragma auto_vacuum = incremental; pragma journal_mode = wal");
  for (const { format, statements } of MIGRATIONS) if (format <= 2) db.exec(statements);
  db.exec(`
    pragma application_id = ${0x6f737469};
    pragma user_version = 2;
    insert into hubs(name) values('default');
    insert into instances(${RECORD_OF_FORMAT_2}) values(1, 1, 'before', 0, 'chain', ${START}, 7, 1, 1, ${START}, ${START}, 0, 1, '2.0', 'before-1', 'before-1',
      '{"team":"x"}', 1, 0, '["e"]', 0, 1);
    insert into payloads values(1, 0, '"in"'), (1, 2, '"half"'), (1, 3, '{"errorType":"E","message":"m"}');
    insert into history(number, turn, first, count, format, body) values(1, 1, 0, 1, 1, ',1,-1,${START + 1};');
    insert into messages(number, lane, due_at, sequence, id, arrived_at, format, body) values(1, 3, ${START}, 1, 'm1', ${START}, 1, ',16,-1,${START},1,-1;e');
    insert into ready values(1, 'chain', 1, ${START});
    insert into activities values(1, 1, 1, 1, 'hello', 'before-1', null, '1', null, 1, 'before-1/1', null, null, null, 1, 0, 0, null, ${START});
    update meta set value = 2 where key in ('next_number', 'next_sequence');`);
  db.close();
  return path;
}

function opened(t: TestContext, path: string): ReturnType<typeof openSqliteStore> {
  const store = openSqliteStore({ path, body: "inline", testing: { clock: movableClock(START) } });
  t.after(() => store.close());
  return store;
}

const BEFORE = {
  record: recordOf("before", {
    number: 1,
    status: "RUNNING",
    version: "2.0",
    epoch: 7,
    turn: 1,
    historyLength: 1,
    tags: { team: "x" },
    awaitedEvents: ["e"],
  }),
  payloads: { input: '"in"', customStatus: '"half"', failure: { errorType: "E", message: "m" } },
};

describe("a file of format 2", () => {
  it("G11 is brought up to date by its holder, after a copy was put aside; every row of it reads as before", async (t) => {
    const path = fileOfFormat2(t);
    const reader = openSqliteStore({ path, readOnly: true });
    await assert.rejects(reader.open(), { code: "STORE_FORMAT", message: /older format 2.*without \{ readOnly: true \}/ });
    const store = opened(t, path);
    await store.open();
    assert.ok(existsSync(`${path}.format-2.backup`));
    assert.deepEqual(await store.read("before"), BEFORE);
    assert.deepEqual((await store.query({ kind: "orchestration", locked: false, hasState: false }, {})).items, [BEFORE]);
    assert.deepEqual(await historyOf(store, "before"), [{ kind: "OrchestratorStarted", eventId: -1, timestamp: START + 1 }]);
    const sizes = await some(store.sizes)();
    assert.deepEqual([sizes.instances.RUNNING, sizes.entities, sizes.messages, sizes.activities], [1, 0, 1, 1]);
    const { instances, activities } = await claimAll(store);
    assert.deepEqual(
      instances.map((one) => [one.record, idsOf(one.messages)]),
      [[{ ...BEFORE.record, epoch: 8, attempts: 1 }, ["m1"]]],
    );
    assert.equal(activities[0]?.row.idempotencyKey, "before-1/1");
    assert.deepEqual(await some(store.file).checkIntegrity(), []);
  });

  it("takes entities, states, sections and locks, which are there after it was closed, and in a backup that is restored", async (t) => {
    const path = fileOfFormat2(t);
    const store = opened(t, path);
    await store.open();
    const id = "@counter@k";
    const lockedBy = { instanceId: "before", executionId: "before-1", criticalSectionId: "s" };
    const record = recordOf(id, {
      kind: "entity",
      name: "@counter",
      executionId: id,
      lineage: id,
      status: "RUNNING",
      held: true,
      lockedBy,
    });
    await done(store, commitOf({ fences: [{ kind: "absent", id }], record, payloads: { state: "5" }, messages: [messageTo(id, "m")] }));
    const claim = some((await claimAll(store)).instances[0]);
    const sections = [{ id: "s", lockSet: [id], granted: true }];
    await done(store, turnOf(claim.record, claim.messages, { change: { sections }, keep: false }));
    const copy = `${path}.copy`;
    await some(store.file).backup(copy);
    const sizes = await some(store.sizes)();
    assert.deepEqual([sizes.instances.RUNNING, sizes.entities], [1, 1], "instances by status are orchestrations");
    assert.deepEqual(await some(store.file).checkIntegrity(), []);
    await store.close();
    const restored = `${path}.restored`;
    assert.deepEqual(await restoreFile(copy, restored), []);
    for (const file of [path, restored]) {
      const again = opened(t, file);
      await again.open();
      assert.deepEqual((await again.read("before"))?.record.sections, sections);
      const entity = some(await again.read(id));
      assert.deepEqual([entity.record, entity.payloads], [{ ...record, number: entity.record.number }, { state: "5" }]);
    }
  });

  it("is checked and restored as it is, and brought up to date when it is opened", async (t) => {
    const path = fileOfFormat2(t);
    const restored = `${path}.restored`;
    assert.deepEqual(await restoreFile(path, restored), []);
    const store = opened(t, restored);
    await store.open();
    assert.deepEqual(await store.read("before"), BEFORE);
  });

  it("a lock that holds nothing back is found by the check", async (t) => {
    const path = fileOfFormat2(t);
    const store = opened(t, path);
    await store.open();
    const lockedBy = { instanceId: "before", executionId: "before-1", criticalSectionId: "s" };
    const record = recordOf("@counter@k", { kind: "entity", name: "@counter", status: "RUNNING", lockedBy });
    await done(store, commitOf({ fences: [{ kind: "absent", id: record.id }], record }));
    const [finding, ...more] = await some(store.file).checkIntegrity();
    assert.deepEqual([finding?.kind, finding?.instanceId, more], ["reference", "@counter@k", []]);
    assert.match(some(finding).message, /is locked, and what comes for it is not held back/);
  });
});
