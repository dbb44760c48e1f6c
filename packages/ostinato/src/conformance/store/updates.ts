// Chapter: updates. One path for start, suspend, resume, terminate, raise, purge: read, decide, write what was decided.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { InstanceRecord } from "../../contract/instance.ts";
import type { Decision } from "../../engine/store.ts";
import type { Opener } from "./conformance.ts";
import { claimOne, commitOf, done, idsOf, messageTo, recordOf, some, startAndClaim, startOf, turnOf } from "./stories.ts";

export function updates(open: Opener): void {
  it("I2 an update that expects nobody is decided for what is there after all", async (t) => {
    const { store } = await open(t);
    const seen: (string | undefined)[] = [];
    const decide: Decision = (current) => {
      seen.push(current?.record.id);
      if (current !== undefined) return { refused: "exists", message: "taken" };
      return commitOf({ fences: [{ kind: "absent", id: "a" }], record: recordOf("a") });
    };
    const first = await store.update("a", decide, "absent");
    assert.ok("ok" in first && first.ok);
    assert.deepEqual(await store.update("a", decide, "absent"), { refused: "exists", message: "taken" });
    assert.equal(seen.at(-1), "a");
  });

  it("I2 of many starts of one id one is done, the others are told that it is taken", async (t) => {
    const { store } = await open(t);
    const start: Decision = (current) => (current === undefined ? startOf("a") : { refused: "exists", message: "taken" });
    const results = await Promise.all(Array.from({ length: 20 }, () => store.update("a", start)));
    assert.equal(results.filter((result) => "ok" in result && result.ok).length, 1);
    assert.equal(results.filter((result) => "refused" in result && result.refused === "exists").length, 19);
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["start:a-1"]);
  });

  it("a decision sees record and payloads as they stand, and the store's reading", async (t) => {
    const { store } = await open(t);
    const { number } = await done(store, startOf("a", { input: "1" }));
    const { at } = await store.renew(10_000);
    const result = await store.update("a", (current, now) => {
      assert.equal(current?.record.number, number);
      assert.deepEqual(current?.payloads, { input: "1" });
      assert.ok(now >= at);
      return { refused: "no-change", message: "as it is" };
    });
    assert.deepEqual(result, { refused: "no-change", message: "as it is" });
  });

  it("no update is lost: of many that change one record each builds on the one before", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("a"));
    const count: Decision = (current) => {
      const record = some(current).record;
      const next: InstanceRecord = { ...record, epoch: record.epoch + 1, dropped: record.dropped + 1 };
      return commitOf({ fences: [{ kind: "instance", number: record.number, epoch: record.epoch }], number: record.number, record: next });
    };
    const results = await Promise.all(Array.from({ length: 20 }, () => store.update("a", count)));
    assert.ok(results.every((result) => "ok" in result && result.ok));
    assert.equal((await store.read("a"))?.record.dropped, 20);
  });

  it("L1 a turn that commits between an update's reading and its writing is not lost", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    let asked = 0;
    let racing: Promise<unknown> = Promise.resolve();
    const turn = turnOf(claim.record, claim.messages);
    const result = await store.update("a", (current) => {
      if (asked++ === 0) racing = store.commit([turn]);
      const record = some(current).record;
      return commitOf({
        fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
        number: record.number,
        record: { ...record, epoch: record.epoch + 1 },
      });
    });
    assert.ok("ok" in result && result.ok);
    const [raced] = (await racing) as { ok: boolean }[];
    const { record } = some(await store.read("a"));
    assert.equal(record.turn, raced?.ok === true ? 1 : 0);
    assert.equal(record.epoch, claim.epoch + 1);
  });

  it("a decision to send is made again when its addressee has gone meanwhile", async (t) => {
    const { store } = await open(t);
    const { number } = await done(store, startOf("a", { message: { wakes: "unless-held" } }));
    let asked = 0;
    let purge: Promise<unknown> = Promise.resolve();
    const result = await store.update("a", (current) => {
      if (current === undefined) return { refused: "not-found", message: "gone" };
      if (asked++ === 0) purge = store.commit([commitOf({ fences: [{ kind: "instance", number, epoch: 1 }], number, drop: "everything" })]);
      return commitOf({ messages: [messageTo("a", "m")] });
    });
    await purge;
    assert.ok("refused" in result ? result.refused === "not-found" : result.ok);
    assert.equal(await store.read("a"), undefined);
  });
}
