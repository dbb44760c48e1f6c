// V4 V5 V6: a move that is cut off after anything that lasts, and asked for again; copies that are not what was sent.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { before, describe, test, type TestContext } from "node:test";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../scripts/postgres-for-tests.ts";
import type { HubRows, PageLimits } from "../src/stores/move/hub-rows.ts";
import { HUB_TABLES } from "../src/stores/move/hub-tables.ts";
import { moveHub, type MoveHubOptions } from "../src/stores/move/move-hub.ts";
import { undoMove, unfenceHub } from "../src/stores/move/undo-move.ts";
import { openSchemaHubRows } from "../src/stores/postgres/schema-hub-rows.ts";
import { openFileHubRows } from "../src/stores/sqlite/file-hub-rows.ts";
import { writeHubWithEveryShape } from "./move-shapes.ts";

/** Pages so small that every table has several. */
const SMALL: PageLimits = { rows: 5, size: 100_000 };

class CutOff extends Error {}

let made: string;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "ostinato-move-"));
  made = join(folder, "made.db");
  await writeHubWithEveryShape(join(folder, "busy.db"), made);
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
/** A copy of the hub that was made, as if its process had just died. */
function freshSource(): string {
  const path = join(folder, `source-${++count}.db`);
  copyFileSync(made, path);
  return path;
}

function optionsFor(more: Partial<MoveHubOptions> = {}): MoveHubOptions {
  return {
    id: `move-${++count}`,
    on: "2026-11-23",
    stopWorkers: false,
    restart: false,
    onProgress: () => undefined,
    wait: async () => undefined,
    testing: { limits: SMALL },
    ...more,
  };
}

/** The same, dying after the so-manieth thing that lasts; `whatLasted` hears of each. */
function dyingAfter(steps: number, whatLasted: (what: string) => void = () => undefined): Partial<MoveHubOptions> {
  let left = steps;
  const after = (what: string): void => {
    whatLasted(what);
    if (left-- === 0) throw new CutOff(what);
  };
  return { testing: { limits: SMALL, after } };
}

type Opened = () => Promise<HubRows> | HubRows;

/** What a process does: it opens both, and lets go of both however it ends. */
async function withBoth<T>(from: Opened, to: Opened, use: (source: HubRows, target: HubRows) => Promise<T>): Promise<T> {
  const source = await from();
  try {
    const target = await to();
    try {
      return await use(source, target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

const isOpen = async (hub: HubRows): Promise<boolean> => {
  const mark = await hub.mark();
  return mark !== undefined && mark.closed === undefined;
};

const file =
  (path: string, hub?: string): Opened =>
  () =>
    openFileHubRows({ path, create: true, ...(hub === undefined ? {} : { hub }) });
const database =
  (connectionString: string, more: { readonly hub?: string; readonly schema?: string } = {}): Opened =>
  () =>
    openSchemaHubRows({ connectionString, create: true, ...more });

/** All rows of a hub in a file, by table, without what says who held them. */
function rowsOf(path: string): Record<string, unknown[]> {
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

/** Where hubs can go: one of its own for each time it is asked, and whatever somebody else does to its tables. */
interface Place {
  readonly next: () => Promise<Opened>;
  readonly spoil: (fault: string) => Promise<void>;
}

function files(): Place {
  let path = "";
  return {
    next: async () => file((path = join(folder, `target-${++count}.db`))),
    async spoil(fault) {
      const db = new DatabaseSync(path);
      db.exec(fault);
      db.close();
    },
  };
}

async function hubsInDatabases(which: "one" | "many"): Promise<Place> {
  let url = await databaseForTests();
  return {
    async next() {
      if (which === "many") url = await databaseForTests();
      return database(url, which === "many" ? {} : { hub: `hub-${++count}` });
    },
    async spoil(fault) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`set search_path = ostinato; ${fault}`);
      await client.end();
    },
  };
}

/** A story about moving from a file, for each kind of target. */
function inBothKinds(name: string, which: "one" | "many", story: (t: TestContext, place: Place) => Promise<void>): void {
  test(`${name}: from file to file`, { timeout: 120_000 }, (t) => story(t, files()));
  test(`${name}: from file to PostgreSQL`, { timeout: 240_000, skip: withoutPostgres() }, async (t) =>
    story(t, await hubsInDatabases(which)),
  );
}

describe("a move that is cut off", () => {
  inBothKinds("V4 V5 anywhere goes on when it is asked for again, and there are never two live copies", "one", async (t, place) => {
    const steps: string[] = [];
    const lasting = (what: string): void => void steps.push(what);
    const reference = freshSource();
    const there = await place.next();
    const undisturbed = await withBoth(file(reference), there, (from, to) =>
      moveHub(from, to, optionsFor(dyingAfter(Number.POSITIVE_INFINITY, lasting))),
    );
    t.diagnostic(`${steps.length} places to die at: ${[...new Set(steps)].join(", ")}`);
    const { activities: atFirst, ...others } = undisturbed.tables ?? {};
    const expected = [atFirst?.rows, others];
    for (const { name } of HUB_TABLES) assert.ok(steps.filter((step) => step === `a page of ${name}`).length > 1, name);

    for (let step = 0; step < steps.length; step++) {
      const [from, to] = [file(freshSource()), await place.next()];
      const died = withBoth(from, to, (source, other) => moveHub(source, other, optionsFor(dyingAfter(step))));
      await assert.rejects(died, CutOff);
      await withBoth(from, to, async (source, other) => {
        const open = [await isOpen(source), await isOpen(other)];
        assert.ok(!(open[0] && open[1]), `two live copies after '${steps[step]}'`);
        assert.equal(open[0], false, "the source is closed before anything else");
        const { tables } = await moveHub(source, other, optionsFor());
        // Activities were let go at another moment, which their rows say.
        const { activities, ...rest } = tables ?? {};
        if (tables !== undefined) assert.deepEqual([activities?.rows, rest], expected, `after '${steps[step]}'`);
        assert.deepEqual([await isOpen(source), await isOpen(other)], [false, true]);
      });
    }
  });

  inBothKinds("V6 can be undone wherever it was, and so can an undoing that was cut off", "one", async (t, place) => {
    const source = freshSource();
    const to = await place.next();
    const places: string[] = [];
    for (let step = 0; ; step += 5) {
      let last = "";
      const dying = dyingAfter(step, (what) => (last = what));
      const ended = await withBoth(file(source), to, async (from, other) =>
        moveHub(from, other, optionsFor(dying)).then(
          () => true,
          () => false,
        ),
      );
      places.push(last);
      for (let undone = 0; ; undone += 3) {
        try {
          await withBoth(file(source), to, (from, other) => undoMove(from, other, optionsFor(dyingAfter(undone))));
          break;
        } catch (error) {
          if (!(error instanceof CutOff)) throw error;
          await withBoth(file(source), to, async (from, other) =>
            assert.ok(!(await isOpen(from)) || !(await isOpen(other)), "two live copies"),
          );
        }
      }
      await withBoth(file(source), to, async (from, other) =>
        assert.deepEqual([await isOpen(from), await other.mark()], [true, undefined], `after '${last}'`),
      );
      if (ended) break;
    }
    t.diagnostic(`undone after: ${[...new Set(places)].join(", ")}`);
    await withBoth(file(source), to, (from, other) => moveHub(from, other, optionsFor()));
  });
});

describe("a copy", () => {
  inBothKinds("V3 that is not what was sent is found, and nobody can open it", "many", async (_, place) => {
    const [row] = rowsOf(made)["history"] as { number: number; turn: number }[];
    assert.ok(row !== undefined);
    const faults: readonly [RegExp, string][] = [
      [
        /table history: body of the row of number \d+, turn \d+ is not the same/,
        `update history set body = body || 'x' where number = ${row.number} and turn = ${row.turn}`,
      ],
      [/table messages: the row of .* is not in the copy/, "delete from messages where sequence = (select min(sequence) from messages)"],
      [
        /table payloads: the row of number \d+, slot 9 is in the copy alone/,
        "insert into payloads select max(number), 9, 'x' from instances",
      ],
      [/table activities: /, "update activities set epoch = epoch + 1 where task_id = (select max(task_id) from activities)"],
      [/table instances: locked_by of /, "update instances set locked_by = null where locked_by is not null"],
    ];
    for (const [message, fault] of faults) {
      const [from, to] = [file(freshSource()), await place.next()];
      let pages = 0;
      const after = (what: string): void => {
        if (what.startsWith("a page of")) pages++;
      };
      await withBoth(from, to, async (source, other) => {
        const spoiled: HubRows = { ...other, settle: () => place.spoil(fault) };
        await assert.rejects(moveHub(source, spoiled, optionsFor({ testing: { limits: SMALL, after } })), {
          code: "STORE_UNAVAILABLE",
          message,
        });
        assert.deepEqual([await isOpen(source), await isOpen(other)], [false, false]);
        await assert.rejects(moveHub(source, other, optionsFor()), { message }, "it is not copied anew by itself");
        const { tables } = await moveHub(source, other, optionsFor({ restart: true }));
        assert.ok(tables !== undefined && pages > 0);
      });
    }
  });

  test("is read in pages that are small whatever is in them", { timeout: 60_000 }, async () => {
    await withBoth(file(freshSource()), file(join(folder, "unused.db")), async (source) => {
      for (const table of HUB_TABLES) {
        const large = table.columns.indexOf(table.large);
        const page = await source.page(table, table.start, { rows: 5, size: 50 });
        const size = page.slice(1).reduce((sum, row) => sum + String(row[large] ?? "").length, 0);
        assert.ok(page.length > 0 && page.length <= 5 && size <= 50, table.name);
      }
    });
  });
});

describe("a target", () => {
  test("V6 that holds something is not written over: another hub, half of another copy, what was left behind there", async () => {
    const [a, b, c] = [freshSource(), freshSource(), join(folder, `target-${++count}.db`)];
    await withBoth(file(a), file(b), (from, to) =>
      assert.rejects(moveHub(from, to, optionsFor()), { code: "INVALID_STATE", message: /is not empty: it has \d+ instances.*\?hub=name/ }),
    );
    await withBoth(file(a), file(b), async (from) => assert.equal(await isOpen(from), true, "a refusal changes nothing"));

    await assert.rejects(
      withBoth(file(a), file(c), (from, to) => moveHub(from, to, optionsFor(dyingAfter(6)))),
      CutOff,
    );
    await withBoth(file(b), file(c), (from, to) =>
      assert.rejects(moveHub(from, to, optionsFor()), { message: /half of what another move brings from sqlite:.*--restart/ }),
    );
    await withBoth(file(c), file(b), (from, to) =>
      assert.rejects(moveHub(from, to, optionsFor()), { message: /cannot be moved: The task hub .* is being filled/ }),
    );
    await withBoth(file(a), file(b, "elsewhere"), (from, to) =>
      assert.rejects(moveHub(from, to, optionsFor()), { message: /cannot be moved to .*: The task hub .* is being moved to/ }),
    );
    await withBoth(file(b), file(c), (from, to) => moveHub(from, to, optionsFor({ restart: true })));

    await withBoth(file(c), file(b), (from, to) =>
      assert.rejects(moveHub(from, to, optionsFor()), { message: /the copy that was left behind when it was moved to sqlite:/ }),
    );
    await withBoth(file(c), file(b), (from, to) => moveHub(from, to, optionsFor({ restart: true })));
    await withBoth(file(b), file(c), async (from, to) => assert.deepEqual([await isOpen(from), await isOpen(to)], [true, false]));
  });

  test("in which something was done since is not given back; a source whose copy is lost is opened without it", async () => {
    const [a, b] = [freshSource(), join(folder, `target-${++count}.db`)];
    await withBoth(file(a), file(b), async (from, to) => {
      await assert.rejects(undoMove(from, to, optionsFor()), { message: /nothing to undo/ });
      await moveHub(from, to, optionsFor());
      await assert.rejects(undoMove(to, from, optionsFor()), { message: /nothing to undo/ });
    });
    const db = new DatabaseSync(b);
    db.exec("update instances set dropped = dropped + 1 where id = 'waiting'");
    db.close();
    await withBoth(file(a), file(b), async (from, to) => {
      await assert.rejects(undoMove(from, to, optionsFor()), {
        message: /something was done since the move \(table instances: dropped of/,
      });
      assert.deepEqual([await isOpen(from), await isOpen(to)], [false, true]);
    });
    await withBoth(file(a), file(join(folder, `target-${++count}.db`)), (from, to) =>
      assert.rejects(undoMove(from, to, optionsFor()), { message: /is not where .* was moved to.*unfence/ }),
    );
    await withBoth(file(a), file(join(folder, "unused.db")), async (from) => {
      await unfenceHub(from);
      assert.equal(await isOpen(from), true);
      await assert.rejects(unfenceHub(from), { message: /nothing to undo/ });
    });
  });

  test("keeps its own numbers: what moves there is renumbered in its order, and what comes later has higher ones", async () => {
    const [a, b] = [freshSource(), freshSource()];
    await withBoth(file(a), file(b, "beside"), (from, to) => moveHub(from, to, optionsFor()));
    const db = new DatabaseSync(b, { readOnly: true });
    const ids = (hub: number): unknown[] =>
      db
        .prepare("select id from instances where hub = ? order by number")
        .all(hub)
        .map(({ id }) => id);
    assert.deepEqual(ids(2), ids(1));
    const most = (text: string): number => Number(Object.values(db.prepare(text).get() ?? {})[0]);
    assert.ok(most("select max(number) from instances") < most("select value from meta where key = 'next_number'"));
    assert.ok(most("select max(sequence) from messages") < most("select value from meta where key = 'next_sequence'"));
    db.close();
  });
});
