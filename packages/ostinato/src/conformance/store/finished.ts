// Chapter: finished. What has ended, in order of completion: what retention and lists of ids go by.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { FinishedRequest, Store } from "../../engine/store.ts";
import type { Opener } from "./conformance.ts";
import { claimAll, commitOf, done, recordOf, START, startAndClaim, startOf, turnOf } from "./stories.ts";

async function end(store: Store, id: string, completedAt: number, more: Parameters<typeof recordOf>[1] = {}): Promise<void> {
  const record = recordOf(id, { status: "COMPLETED", completedAt, ...more });
  await done(store, commitOf({ fences: [{ kind: "absent", id }], record, payloads: { input: id } }));
}

async function ids(store: Store, request: Partial<FinishedRequest> = {}): Promise<string[]> {
  return (await store.finished({ size: 1_000, ...request })).instances.map((one) => one.id);
}

export function finished(open: Opener): void {
  it("C8 only what has ended is listed, by completion and then by id, with what says whose it is", async (t) => {
    const { store } = await open(t);
    const parent = { instanceId: "p", executionId: "e", name: "n", taskScheduledId: 1 };
    await end(store, "late", START + 30);
    await end(store, "b", START + 10, { status: "FAILED", name: "other", parent });
    await end(store, "a", START + 10, { status: "TERMINATED" });
    await done(store, startOf("running"));
    assert.deepEqual(await ids(store), ["a", "b", "late"]);
    assert.deepEqual(await ids(store, { from: START + 11 }), ["late"]);
    assert.deepEqual(await ids(store, { to: START + 30 }), ["a", "b"]);
    assert.deepEqual(await ids(store, { statuses: ["FAILED", "COMPLETED"] }), ["b", "late"]);
    assert.deepEqual(await ids(store, { after: { completedAt: START + 10, id: "a" } }), ["b", "late"]);
    assert.deepEqual(await ids(store, { after: { completedAt: START + 20, id: "nobody" }, size: 1 }), ["late"]);
    const [, b] = (await store.finished({ size: 10 })).instances;
    const { number } = (await store.read("b"))!.record;
    assert.deepEqual(b, {
      number,
      id: "b",
      name: "other",
      status: "FAILED",
      epoch: 1,
      completedAt: START + 10,
      parent: { instanceId: "p", executionId: "e" },
    });
  });

  it("whoever asks what has ended is told the time by the store's clock, also when nothing has", async (t) => {
    const { store, clock } = await open(t);
    const { at } = await claimAll(store);
    assert.ok((await store.finished({ size: 1 })).at >= at);
    await end(store, "a", START);
    if (clock === undefined) return;
    clock.advance(5);
    assert.equal((await store.finished({ size: 1 })).at, clock.now());
  });

  it("C9 page after page meets each one once, while others end and go", async (t) => {
    const { store } = await open(t);
    for (let i = 0; i < 50; i++) await end(store, `i${String(i).padStart(2, "0")}`, START + Math.floor(i / 7));
    const met: string[] = [];
    let after: FinishedRequest["after"];
    for (let page = 0; ; page++) {
      const { instances } = await store.finished({ size: 8, ...(after === undefined ? {} : { after }) });
      met.push(...instances.map((one) => one.id));
      const last = instances.at(-1);
      if (last === undefined) break;
      after = { completedAt: last.completedAt, id: last.id };
      // What was met goes; somebody else ends behind it.
      await done(
        store,
        commitOf({ fences: [{ kind: "instance", number: last.number, epoch: last.epoch }], number: last.number, drop: "everything" }),
      );
      if (page === 2) await end(store, "new", START + 100);
    }
    assert.deepEqual(met, [...Array.from({ length: 50 }, (_, i) => `i${String(i).padStart(2, "0")}`), "new"]);
  });

  it("an instance is listed from the commit that ends it until the one that begins it anew", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    assert.deepEqual(await ids(store), []);
    const ending = turnOf(claim.record, claim.messages);
    const record = { ...ending.record!, status: "COMPLETED" as const, completedAt: START + 5 };
    await done(store, { ...ending, record, keep: true });
    assert.deepEqual(await ids(store), ["a"]);
    const { completedAt: _completedAt, ...again } = record;
    const fences = [{ kind: "instance" as const, number: record.number, epoch: record.epoch }];
    await done(store, commitOf({ fences, number: record.number, record: { ...again, status: "RUNNING" }, keep: true }));
    assert.deepEqual(await ids(store), []);
    await done(store, commitOf({ fences, number: record.number, record: { ...record, completedAt: START + 9 } }));
    assert.deepEqual((await store.finished({ size: 1 })).instances[0]?.completedAt, START + 9);
  });
}
