// V1 V4: a task hub with everything in it moves between files and databases, there and back, and goes on.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { openTaskHub } from "ostinato";
import pg from "pg";
import { migratePostgres, moveTaskHub, openPostgresStore, undoMoveOfTaskHub, type MoveProgress } from "ostinato/postgres";
import { databaseForTests, withoutPostgres } from "../../../scripts/postgres-for-tests.ts";
import { done, startOf } from "../src/conformance/store/stories.ts";
import { HUB_TABLES } from "../src/stores/move/hub-tables.ts";
import { goesOn, writeHubWithEveryShape } from "./move-shapes.ts";

let made: string;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "ostinato-move-"));
  made = join(folder, "made.db");
  await writeHubWithEveryShape(join(folder, "busy.db"), made);
});
after(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function freshFile(): string {
  return join(folder, `hub-${++count}.db`);
}
/** A hub whose process has just died in the middle of everything. */
function freshSource(): string {
  const path = freshFile();
  copyFileSync(made, path);
  return path;
}

/** Everything that a file says, but who held what. */
function contentOf(path: string): Record<string, unknown[]> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return Object.fromEntries(
      HUB_TABLES.map(({ name, columns, keyWidth }) => [
        name,
        db.prepare(`select ${columns.join(", ")} from ${name} order by ${columns.slice(0, keyWidth).join(", ")}`).all(),
      ]),
    );
  } finally {
    db.close();
  }
}

const skip = withoutPostgres();
const timeout = 120_000;

describe("a hub with everything in it", () => {
  test("moves from a file to another one and goes on there", { timeout }, async () => {
    const [from, to] = [`sqlite:${freshSource()}`, `sqlite:${freshFile()}?hub=orders`];
    const moved = await moveTaskHub(from, to);
    assert.deepEqual([moved.from, moved.to, moved.moved], [from, to, true]);
    assert.equal((await moveTaskHub(from, to)).moved, false, "asked for again, there is nothing to do");
    await goesOn(to);
  });

  test("moves from a file to PostgreSQL and back, and not one value of it is another one", { skip, timeout }, async () => {
    const [start, end] = [freshSource(), freshFile()];
    const between = await databaseForTests();
    await moveTaskHub(`sqlite:${start}`, between);
    await moveTaskHub(between, `sqlite:${end}`);
    assert.deepEqual(contentOf(end), contentOf(start));
    await goesOn(`sqlite:${end}`);
  });

  test("moves from a file to PostgreSQL and goes on there", { skip, timeout }, async () => {
    const to = await databaseForTests();
    await moveTaskHub(`sqlite:${freshSource()}`, to);
    await goesOn(to);
  });

  test("moves from one database to another, beside a hub that is there, and goes on there", { skip, timeout }, async () => {
    const [first, second] = [await databaseForTests(), `${await databaseForTests()}?hub=orders&schema=elsewhere`];
    await moveTaskHub(`sqlite:${freshSource()}`, first);
    await moveTaskHub(`sqlite:${freshSource()}`, second.replace("orders", "another"));
    const progress: MoveProgress[] = [];
    await moveTaskHub(first, second, { onProgress: (one) => progress.push(one) });
    assert.deepEqual([...new Set(progress.map(({ step }) => step))], ["closing", "copying", "checking", "opening"]);
    const last = progress.findLast(({ step }) => step === "checking");
    assert.ok(last !== undefined && last.rows > 0 && last.rows === last.ofRows);
    await goesOn(second);
  });
});

describe("a hub that was moved", () => {
  test("refuses to be opened, to read too, and says where it went; undone, it is open again", { timeout }, async () => {
    const [path, to] = [freshSource(), `sqlite:${freshFile()}`];
    await moveTaskHub(`sqlite:${path}`, to);
    for (const readOnly of [true, false])
      await assert.rejects(openTaskHub(`sqlite:${path}`, { readOnly }), {
        code: "STORE_UNAVAILABLE",
        message: new RegExp(`was moved to ${to} on 2\\d{3}-`),
      });
    await undoMoveOfTaskHub(`sqlite:${path}`, to);
    await assert.rejects(undoMoveOfTaskHub(`sqlite:${path}`, to), { code: "INVALID_STATE", message: /nothing to undo/ });
    await goesOn(`sqlite:${path}`);
  });

  test("says so in PostgreSQL as well; when its copy is lost, it can be opened without it", { skip, timeout }, async () => {
    const [from, to] = [await databaseForTests(), freshFile()];
    await moveTaskHub(`sqlite:${freshSource()}`, from);
    await moveTaskHub(from, `sqlite:${to}`);
    await assert.rejects(openTaskHub(from), { code: "STORE_UNAVAILABLE", message: new RegExp(`was moved to sqlite:${to} on `) });
    await undoMoveOfTaskHub(from, undefined);
    await goesOn(from);
  });

  test("is refused by its address, before anything is made at the other one", { timeout }, async () => {
    const to = freshFile();
    const refused = async (from: string, code: string, message: RegExp): Promise<void> =>
      assert.rejects(moveTaskHub(from, `sqlite:${to}`), { code, message });
    await refused(`sqlite:${join(folder, "none.db")}`, "STORE_UNAVAILABLE", /does not exist/);
    await refused(`sqlite:${freshSource()}?hub=none`, "INVALID_STATE", /There is no task hub .*\?hub=none/);
    await refused("memory:", "UNSUPPORTED", /Only a file .* or a database/);
    await refused(`sqlite:${to}?hub=x`, "INVALID_ARGUMENT", /one file/);
    assert.throws(() => contentOf(to));
    await assert.rejects(moveTaskHub("sqlite:a.db", "sqlite:b.db", { restrat: true } as never), { code: "INVALID_ARGUMENT" });
    const path = freshSource();
    await using _ = await openTaskHub(`sqlite:${path}`);
    await refused(`sqlite:${path}`, "FILE_LOCKED", /is held by process/);
  });
});

describe("a hub in PostgreSQL that others work on", { skip }, () => {
  test("is not moved, and they are named; sent away, they write nothing more, neither here nor there", { timeout }, async (t) => {
    const from = await databaseForTests();
    const to = `sqlite:${freshFile()}`;
    const store = openPostgresStore({ connectionString: from, label: "worker 7 of orders" });
    await store.open();
    t.after(() => store.close());
    await store.renew(1_000);
    const started = await done(store, startOf("held", { keep: true }));
    await assert.rejects(moveTaskHub(from, to), { code: "INVALID_STATE", message: /is open in 'worker 7 of orders'.*--stop-workers/ });
    const record = (await store.read("held"))?.record;
    assert.ok(record !== undefined, "a refusal changes nothing");

    await moveTaskHub(from, to, { stopWorkers: true });
    const epoch = (contentOf(to.slice("sqlite:".length))["instances"] as { epoch: number }[])[0]?.epoch;
    assert.ok(Number(epoch) > record.epoch, "what was held goes under a higher epoch");
    const late = {
      ...startOf("late"),
      fences: [{ kind: "instance" as const, number: started.number, epoch: record.epoch }],
      number: started.number,
    };
    await assert.rejects(
      async () => {
        const [result] = await store.commit([{ ...late, record: { ...record, turn: 1 } }]);
        if (result?.ok !== true) throw new Error(result !== undefined && "failure" in result ? result.failure?.message : "refused");
      },
      { message: /moved to sqlite:/ },
    );
    await assert.rejects(store.renew(1_000), { message: /moved to sqlite:/ });
    await using hub = await openTaskHub(to);
    assert.equal((await hub.instance("held").status())?.status, "PENDING");
  });

  test(
    "is moved away by a role that only works with hubs; where it goes, the schema's own role has to let it in",
    { timeout },
    async () => {
      const [admin, to] = [await databaseForTests(), freshFile()];
      const client = new pg.Client({ connectionString: admin });
      await client.connect();
      const role = `mover_${Date.now()}`;
      await client.query(`create role ${role} login password 'secret'`);
      await client.end();
      await moveTaskHub(`sqlite:${freshSource()}`, admin);
      await migratePostgres({ connectionString: admin, grantTo: role });
      const own = new URL(admin);
      [own.username, own.password] = [role, "secret"];
      await moveTaskHub(own.href, `sqlite:${to}`);
      await assert.rejects(moveTaskHub(`sqlite:${to}`, `${own.href}?hub=back`), { code: "ACCESS_DENIED", message: /made the schema/ });
      await (await openTaskHub(`sqlite:${to}`)).close(); // nothing was begun
      await moveTaskHub(`sqlite:${to}`, `${admin}?hub=back`);
    },
  );

  test("is moved by one process at a time", { timeout }, async () => {
    const from = await databaseForTests();
    await moveTaskHub(`sqlite:${freshSource()}`, from);
    let other: unknown;
    const onProgress = ({ step }: MoveProgress): void => {
      if (step === "checking") other ??= moveTaskHub(from, `sqlite:${freshFile()}`).catch((error: unknown) => error);
    };
    await moveTaskHub(from, `sqlite:${freshFile()}`, { onProgress });
    assert.match(String(await other), /Another move is at work on postgres:/);
  });
});
