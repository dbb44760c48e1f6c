// Chapter: queries. Filters and pages.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { InstanceFilter } from "../../contract/queries.ts";
import type { Store } from "../../engine/store.ts";
import type { Opener } from "./conformance.ts";
import { commitOf, done, recordOf, some, START } from "./stories.ts";

async function found(store: Store, filter: InstanceFilter): Promise<string[]> {
  return (await store.query(filter, {})).items.map((item) => item.record.id);
}

export function queries(open: Opener): void {
  it("C8 a filter finds exactly what all of its parts say, in order of creation", async (t) => {
    const { store } = await open(t);
    const parent = { instanceId: "p", executionId: "e", name: "n", taskScheduledId: 1 };
    const records = [
      recordOf("b1", { createdAt: START, tags: { team: "x", "a.b": "1" } }),
      recordOf("a1", {
        createdAt: START + 10,
        status: "RUNNING",
        parent,
        stall: { kind: "version", reason: "too new", since: START, attempts: 1 },
      }),
      recordOf("a2", { createdAt: START + 20, status: "COMPLETED", completedAt: START + 30, tags: { team: "y" } }),
      recordOf("a%", {
        createdAt: START + 30,
        status: "FAILED",
        completedAt: START + 40,
        name: "other",
        parent: { ...parent, instanceId: "q" },
      }),
      recordOf("@e@k", { createdAt: START + 40, kind: "entity", status: "SUSPENDED" }),
    ];
    for (const record of records)
      await done(store, commitOf({ fences: [{ kind: "absent", id: record.id }], record, payloads: { input: record.id } }));
    const cases: [InstanceFilter, string[]][] = [
      [{}, ["b1", "a1", "a2", "a%", "@e@k"]],
      [{ kind: "entity" }, ["@e@k"]],
      [{ name: "other" }, ["a%"]],
      [{ status: ["RUNNING", "PENDING"] }, ["b1", "a1"]],
      [{ status: ["COMPLETED"] }, ["a2"]],
      [{ status: [] }, []],
      [{ idPrefix: "a" }, ["a1", "a2", "a%"]],
      [{ idPrefix: "a%" }, ["a%"]],
      [{ idPrefix: "" }, ["b1", "a1", "a2", "a%", "@e@k"]],
      [{ createdFrom: START + 10, createdTo: START + 30 }, ["a1", "a2"]],
      [{ completedFrom: START + 30 }, ["a2", "a%"]],
      [{ completedTo: START + 40 }, ["a2"]],
      [{ parent: "p" }, ["a1"]],
      [{ parent: "nobody" }, []],
      [{ stalled: true }, ["a1"]],
      [{ stalled: true, name: "other" }, []],
      [{ stalled: false, idPrefix: "a" }, ["a2", "a%"]],
      [{ tags: { team: "x" } }, ["b1"]],
      [{ tags: { team: "x", "a.b": "1" } }, ["b1"]],
      [{ tags: { team: "x", "a.b": "2" } }, []],
      [{ idPrefix: "a", status: ["FAILED", "COMPLETED"], completedFrom: START + 31 }, ["a%"]],
    ];
    for (const [filter, ids] of cases) assert.deepEqual(await found(store, filter), ids, JSON.stringify(filter));
    assert.deepEqual((await store.query({ idPrefix: "b" }, {})).items[0]?.payloads, { input: "b1" });
  });

  it("C9 pages return each stable instance once while others come and go", async (t) => {
    const { store } = await open(t);
    const make = (id: string) => done(store, commitOf({ fences: [{ kind: "absent", id }], record: recordOf(id) }));
    const numbers = new Map<string, number>();
    for (let i = 0; i < 250; i++) numbers.set(`i${i}`, (await make(`i${i}`)).number);
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await store.query({ idPrefix: "i" }, { size: 40, ...(cursor === undefined ? {} : { cursor }) });
      assert.ok(page.items.length <= 40);
      seen.push(...page.items.map((item) => item.record.id));
      cursor = page.next;
      pages++;
      await make(`new${pages}`);
      const victim = some(numbers.get(`i${pages * 7}`));
      await done(store, commitOf({ fences: [{ kind: "instance", number: victim, epoch: 1 }], number: victim, drop: "everything" }));
    } while (cursor !== undefined);
    assert.equal(new Set(seen).size, seen.length);
    const gone = new Set(Array.from({ length: pages }, (_, i) => `i${(i + 1) * 7}`));
    for (const id of numbers.keys()) if (!gone.has(id)) assert.ok(seen.includes(id), id);
  });

  it("the last page has no cursor, also when it is exactly full; what is no cursor is refused", async (t) => {
    const { store } = await open(t);
    for (const id of ["a", "b", "c", "d"]) await done(store, commitOf({ fences: [{ kind: "absent", id }], record: recordOf(id) }));
    const first = await store.query({}, { size: 2 });
    assert.ok(first.next !== undefined);
    const second = await store.query({}, { size: 2, cursor: first.next });
    assert.deepEqual(
      second.items.map((item) => item.record.id),
      ["c", "d"],
    );
    assert.equal(second.next, undefined);
    await assert.rejects(async () => store.query({}, { cursor: "-; drop" }), { code: "INVALID_ARGUMENT" });
  });

  it("W3 many are read at once, in the order asked for: those that have ended whole, those that are not there as nothing", async (t) => {
    const { store } = await open(t);
    const failure = { errorType: "E", message: "m" };
    const records = [
      recordOf("ended", { status: "COMPLETED", completedAt: START + 1 }),
      recordOf("runs", { status: "RUNNING" }),
      recordOf("failed", { status: "FAILED", completedAt: START + 2 }),
    ];
    for (const record of records) {
      const payloads = { input: `"${record.id}"`, output: "", ...(record.id === "failed" ? { failure } : {}) };
      await done(store, commitOf({ fences: [{ kind: "absent", id: record.id }], record, payloads }));
    }
    const ids = ["failed", "nobody", "runs", "ended", "runs"];
    const [failed, nobody, runs, ended, again] = await store.readAll(ids);
    assert.deepEqual([failed, ended], [await store.read("failed"), await store.read("ended")]);
    assert.equal(nobody, undefined);
    // Whoever waits for an end asks often: what it would be told of one that goes on may be left out.
    const { record } = some(await store.read("runs"));
    assert.deepEqual([runs?.record, again?.record], [record, record]);
    assert.deepEqual(await store.readAll([]), []);
    const many = Array.from({ length: 3_000 }, (_, at) => (at === 1_234 ? "ended" : `x${at}`));
    assert.deepEqual(
      (await store.readAll(many)).flatMap((each, at) => (each === undefined ? [] : [at])),
      [1_234],
    );
  });
}
