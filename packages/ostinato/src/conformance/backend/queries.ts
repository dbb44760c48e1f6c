// queries: which instances there are, page by page, while others come and go.

import assert from "node:assert/strict";
import { orchestrator, type OrchestrationStatus } from "../../index.ts";
import { type Chapter } from "./world.ts";

const ends = orchestrator("ends", async (_ctx, fails: boolean) => {
  if (fails) throw new Error("as asked");
  return "done";
});
const waits = orchestrator("waits", async (ctx) => void (await ctx.waitForExternalEvent("go")));

function ids(listed: readonly OrchestrationStatus[]): readonly string[] {
  return listed.map((status) => status.id);
}

export const queries: Chapter = (story) => {
  story("instances are listed in order of creation, by status, name, id prefix and tags", async (world) => {
    await world.work({ orchestrators: [ends, waits] });
    await world.output(await world.hub.start(ends, false, { instanceId: "a/1", tags: { team: "it", to: "x" } }));
    await world.failure(await world.hub.start(ends, true, { instanceId: "a/2", tags: { team: "it" } }));
    await world.hub.start(waits, undefined, { instanceId: "b/1", tags: { team: "hr" }, version: "2" });
    const gone = await world.hub.start(waits, undefined, { instanceId: "b/2" });
    await gone.terminate();
    await world.failure(gone);
    await world.hub.start("unserved", undefined, { instanceId: "a%_" });
    await world.seen(world.hub.instance("b/1"), (status) => status.status === "RUNNING");
    const list = async (query?: Parameters<typeof world.hub.query>[0]): Promise<readonly string[]> => ids(await world.hub.query(query));
    assert.deepEqual(await list(), ["a/1", "a/2", "b/1", "b/2", "a%_"]);
    assert.deepEqual(await list({ status: "FAILED" }), ["a/2"]);
    assert.deepEqual(await list({ status: ["COMPLETED", "TERMINATED"] }), ["a/1", "b/2"]);
    assert.deepEqual(await list({ status: "RUNNING" }), ["b/1"]);
    assert.deepEqual(await list({ status: "PENDING" }), ["a%_"]);
    assert.deepEqual(await list({ name: "ends" }), ["a/1", "a/2"]);
    assert.deepEqual(await list({ idPrefix: "a/" }), ["a/1", "a/2"]);
    assert.deepEqual(await list({ idPrefix: "a%" }), ["a%_"]);
    assert.deepEqual(await list({ idPrefix: "A" }), []);
    assert.deepEqual(await list({ tags: { team: "it" } }), ["a/1", "a/2"]);
    assert.deepEqual(await list({ tags: { team: "it", to: "x" } }), ["a/1"]);
    assert.deepEqual(await list({ name: "ends", status: "COMPLETED", idPrefix: "a" }), ["a/1"]);
    assert.deepEqual(await list({ name: "ends", status: "RUNNING" }), []);
    const [running] = await world.hub.query({ idPrefix: "b/1" });
    assert.deepEqual([running?.name, running?.version, running?.tags, running?.status], ["waits", "2", { team: "hr" }, "RUNNING"]);
  });

  story("instances are found by when they were created and when they ended: from the one on, before the other", async (world) => {
    const naps = orchestrator("naps", async (ctx) => void (await ctx.createTimer({ milliseconds: world.unitMs })));
    await world.work({ orchestrators: [naps] });
    const times: Date[] = [];
    for (let n = 0; n < 4; n++) {
      const instance = await world.hub.start(naps, undefined, { instanceId: `n${n}` });
      await world.output(instance);
      const status = await instance.status();
      assert.ok(status?.completedAt);
      times.push(status.createdAt, status.completedAt);
    }
    const [, , created1, completed1, created2, completed2] = times;
    assert.ok(created1 && completed1 && created2 && completed2);
    assert.deepEqual(ids(await world.hub.query({ createdFrom: created1 })), ["n1", "n2", "n3"]);
    assert.deepEqual(ids(await world.hub.query({ createdTo: created1 })), ["n0"]);
    assert.deepEqual(ids(await world.hub.query({ createdFrom: created1, createdTo: created2 })), ["n1"]);
    assert.deepEqual(ids(await world.hub.query({ completedFrom: completed2 })), ["n2", "n3"]);
    assert.deepEqual(ids(await world.hub.query({ completedTo: completed2 })), ["n0", "n1"]);
    await world.hub.start(naps, undefined, { instanceId: "open" });
    assert.deepEqual(ids(await world.hub.query({ completedFrom: completed2 })), ["n2", "n3"]);
  });

  story("children are found by their parent and by their tags, which they keep through retries and continue-as-new", async (world) => {
    const seen: unknown[] = [];
    const child = orchestrator("child", async (ctx, round: number) => {
      seen.push(ctx.tags);
      if (round === 0 && ctx.parent?.taskScheduledId === 1) throw new Error("once more");
      if (round < 2) ctx.continueAsNew(round + 1);
    });
    const parent = orchestrator("parent", async (ctx) => {
      const retry = { maxNumberOfAttempts: 2, firstRetryInterval: { milliseconds: world.unitMs } };
      await ctx.callSubOrchestrator(child, 0, { instanceId: "tagged", tags: { team: "it", of: "parent" }, retry });
      await ctx.callSubOrchestrator(child, 2, { instanceId: "untagged" });
    });
    await world.work({ orchestrators: [parent, child] });
    await world.output(await world.hub.start(parent, undefined, { instanceId: "parent", tags: { team: "hr" } }));
    const tags = { team: "it", of: "parent" };
    assert.deepEqual(seen.slice(0, 4), [tags, tags, tags, tags]);
    assert.deepEqual(seen.at(-1), {}, "a child has its own tags and no others");
    assert.deepEqual(ids(await world.hub.query({ tags })), ["tagged"]);
    assert.deepEqual(ids(await world.hub.query({ tags: { team: "hr" } })), ["parent"]);
    assert.deepEqual(ids(await world.hub.query({ parentInstanceId: "parent" })), ["tagged", "untagged"]);
    assert.deepEqual(
      ids(await world.hub.query({ parentInstanceId: "parent", tags: { of: "parent" }, status: "COMPLETED", name: "child" })),
      ["tagged"],
    );
    assert.deepEqual(ids(await world.hub.query({ parentInstanceId: "tagged" })), []);
    const again = await world.hub.instance("tagged").restart({ newInstanceId: "copy" });
    await world.output(again);
    assert.deepEqual(ids(await world.hub.query({ tags })), ["tagged", "copy"]);
  });

  story("pages have the size that was asked for; their cursors go on where they ended", async (world) => {
    for (let n = 0; n < 25; n++) await world.hub.start(waits, undefined, { instanceId: `p${String(n).padStart(2, "0")}` });
    const sizes: number[] = [];
    const all: string[] = [];
    let middle: string | undefined;
    for await (const page of world.hub.query({ idPrefix: "p" }).pages({ size: 10 })) {
      sizes.push(page.items.length);
      all.push(...ids(page.items));
      middle ??= page.next;
    }
    assert.deepEqual(sizes, [10, 10, 5]);
    assert.equal(new Set(all).size, 25);
    assert.ok(middle);
    const rest: string[] = [];
    for await (const page of world.hub.query({ idPrefix: "p" }).pages({ cursor: middle })) rest.push(...ids(page.items));
    assert.deepEqual(rest, all.slice(10));
    let count = 0;
    for await (const status of world.hub.query({ idPrefix: "p" })) count += status.name === "waits" ? 1 : 0;
    assert.equal(count, 25);
  });

  story("C9 every stable instance is listed exactly once while others are started, ended and purged", async (world) => {
    await world.work({ orchestrators: [ends, waits] });
    const stable = Array.from({ length: 60 }, (_, n) => `stable ${n}`);
    for (const [n, instanceId] of stable.entries()) {
      await world.hub.start(waits, undefined, { instanceId });
      if (n % 3 === 0) await world.output(await world.hub.start(ends, false, { instanceId: `short ${n}` }));
    }
    const listed: string[] = [];
    let round = 0;
    for await (const page of world.hub.query().pages({ size: 7 })) {
      listed.push(...ids(page.items));
      // The list changes in every way between two pages.
      await world.hub.start(ends, false, { instanceId: `new ${round}` });
      await world.hub.instance(`short ${3 * round}`).purge();
      await world.hub.instance(`stable ${59 - round}`).raiseEvent("other");
      await world.hub.instance(`stable ${round}`).suspend();
      round++;
    }
    assert.deepEqual(
      listed.filter((id) => id.startsWith("stable")),
      stable,
    );
    assert.equal(new Set(listed).size, listed.length);
  });

  story("a time or a cursor that is none is refused", async (world) => {
    for (const query of [{ createdFrom: new Date(Number.NaN) }, { completedTo: new Date(8.64e15) }]) {
      await assert.rejects(async () => await world.hub.query(query), { code: "INVALID_ARGUMENT" });
    }
    const pages = world.hub.query().pages({ cursor: "no cursor!" });
    await assert.rejects(async () => await pages[Symbol.asyncIterator]().next(), { code: "INVALID_ARGUMENT" });
  });
};
