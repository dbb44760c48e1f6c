// bulk: many finished instances at once: listed by when they ended, and purged.

import assert from "node:assert/strict";
import { orchestrator } from "../../index.ts";
import { refused, type Chapter, type World } from "./world.ts";

const ends = orchestrator("ends", async (_ctx, fails: boolean) => {
  if (fails) throw new Error("as asked");
});
const waits = orchestrator("waits", async (ctx) => void (await ctx.waitForExternalEvent("go")));
const leaf = orchestrator("leaf", async (ctx, waiting: boolean) => void (waiting && (await ctx.waitForExternalEvent("go"))));
const branch = orchestrator("branch", async (ctx) => {
  await ctx.whenAll([0, 1].map((n) => ctx.callSubOrchestrator(leaf, false, { instanceId: `${ctx.instanceId}.${n}` })));
});
const tree = orchestrator("tree", async (ctx, waiting: boolean) => {
  if (waiting) void ctx.callSubOrchestrator(leaf, true, { instanceId: `${ctx.instanceId}.waits` });
  await ctx.whenAll([0, 1].map((n) => ctx.callSubOrchestrator(branch, undefined, { instanceId: `${ctx.instanceId}.${n}` })));
});
const all = { orchestrators: [ends, waits, leaf, branch, tree] };

async function ended(world: World, ids: readonly string[], fails = false): Promise<void> {
  for (const instanceId of ids) {
    const instance = await world.hub.start(ends, fails, { instanceId, tags: { kind: fails ? "bad" : "good" } });
    await (fails ? world.failure(instance) : world.output(instance));
  }
}

async function idsOf(world: World, idPrefix = ""): Promise<readonly string[]> {
  return (await world.hub.query({ idPrefix })).map((status) => status.id);
}

export const bulk: Chapter = (story) => {
  story("C8 a purge by query removes exactly the finished instances that match, and says how many", async (world) => {
    await world.work(all);
    await ended(world, ["a1", "a2", "b1"]);
    await ended(world, ["a3", "b2"], true);
    await world.hub.start(waits, undefined, { instanceId: "a4" });
    const purge = async (query: Parameters<World["hub"]["purge"]>[0]) => await world.hub.purge(query);
    assert.deepEqual(await purge({ status: "RUNNING" }), { deletedCount: 0, isComplete: true });
    assert.deepEqual(await purge({ idPrefix: "c" }), { deletedCount: 0, isComplete: true });
    assert.deepEqual(await purge({ idPrefix: "a", status: ["FAILED", "RUNNING"] }), { deletedCount: 1, isComplete: true });
    assert.deepEqual(await idsOf(world), ["a1", "a2", "b1", "b2", "a4"]);
    assert.deepEqual(await purge({ tags: { kind: "bad" } }), { deletedCount: 1, isComplete: true });
    const second = (await world.hub.instance("a2").status())?.completedAt;
    const between = (await world.hub.query({ completedFrom: second! })).map((status) => status.id);
    assert.equal((await purge({ completedFrom: second! })).deletedCount, between.length);
    assert.deepEqual(await purge({}), { deletedCount: 3 - between.length, isComplete: true });
    assert.deepEqual(await idsOf(world), ["a4"]);
    await refused(world.hub.purge({}, { timeout: "soon" as "1s" }), "INVALID_ARGUMENT");
  });

  story("C8 a purge by ids leaves those alone that run, are unknown, or were named twice", async (world) => {
    await world.work(all);
    await ended(world, ["a", "b", "c"]);
    await world.hub.start(waits, undefined, { instanceId: "runs" });
    assert.deepEqual(await world.hub.purge(["a", "runs", "nobody", "b", "a"]), { deletedCount: 2, isComplete: true });
    assert.deepEqual(await world.hub.purge([]), { deletedCount: 0, isComplete: true });
    assert.deepEqual(await idsOf(world), ["c", "runs"]);
  });

  story("C5 a recursive purge of many counts every descendant once, and leaves what runs with all below it", async (world) => {
    await world.work(all);
    for (const instanceId of ["oak", "elm"]) await world.output(await world.hub.start(tree, instanceId === "elm", { instanceId }));
    await world.hub.start(tree, false, { instanceId: "ash" }).then((instance) => world.output(instance));
    // The children match as well as their parents.
    assert.deepEqual(await world.hub.purge({ idPrefix: "oak" }, { recursive: true }), { deletedCount: 7, isComplete: true });
    assert.deepEqual(await world.hub.purge({ name: "tree" }, { recursive: true }), { deletedCount: 14, isComplete: true });
    assert.deepEqual(await idsOf(world), ["elm.waits"]);
  });

  story("more instances than one batch has go in several; a purge whose time is over says that it is not complete", async (world) => {
    const instances = Array.from({ length: 620 }, (_, n) => `n${n}`);
    await Promise.all(instances.map((instanceId) => world.hub.start("unserved", undefined, { instanceId })));
    await Promise.all(instances.map((id) => world.hub.instance(id).terminate()));
    await world.until(Promise.all(instances.map((id) => world.hub.instance(id).waitForStart())));
    assert.deepEqual(await world.hub.purge({}, { timeout: "0ms" }), { deletedCount: 0, isComplete: false });
    assert.equal((await world.hub.query()).length, 620);
    assert.deepEqual(await world.hub.purge(instances.slice(0, 10)), { deletedCount: 10, isComplete: true });
    assert.deepEqual(await world.hub.purge({ idPrefix: "n" }, { timeout: "1d" }), { deletedCount: 610, isComplete: true });
    assert.deepEqual(await idsOf(world), []);
  });

  story("the ids of finished instances come by the time they ended, then by id; pages go on where they ended", async (world) => {
    await world.work(all);
    await world.hub.start(waits, undefined, { instanceId: "runs" });
    await ended(world, ["z", "y"]);
    await ended(world, ["x"], true);
    await ended(world, ["w", "v.1", "v.2"]);
    const statuses = await world.hub.query({ status: ["COMPLETED", "FAILED", "TERMINATED"] });
    const expected = statuses
      .map(({ id, completedAt }) => ({ id, at: completedAt?.getTime() ?? 0 }))
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
    assert.deepEqual(
      await world.hub.listInstanceIds(),
      expected.map(({ id }) => id),
    );
    assert.deepEqual(await world.hub.listInstanceIds({ status: "FAILED" }), ["x"]);
    assert.deepEqual(await world.hub.listInstanceIds({ status: ["TERMINATED"] }), []);
    const from = expected[2]!.at;
    assert.deepEqual(
      await world.hub.listInstanceIds({ completedFrom: new Date(from) }),
      expected.filter(({ at }) => at >= from).map(({ id }) => id),
    );
    assert.deepEqual(
      await world.hub.listInstanceIds({ completedTo: new Date(from) }),
      expected.filter(({ at }) => at < from).map(({ id }) => id),
    );
    const paged: string[] = [];
    let first = true;
    for await (const page of world.hub.listInstanceIds().pages({ size: 4 })) {
      paged.push(...page.items);
      // What has been listed goes: the next page begins where this one ended all the same.
      if (first) await world.hub.instance(page.items[0] ?? "").purge();
      first = false;
    }
    const [page] = [await world.hub.listInstanceIds().pages({ size: 2 })[Symbol.asyncIterator]().next()];
    assert.ok(page.done !== true && page.value.next !== undefined);
    const rest: string[] = [];
    for await (const { items } of world.hub.listInstanceIds().pages({ cursor: page.value.next })) rest.push(...items);
    assert.deepEqual(rest, paged.slice(3));
    assert.deepEqual(
      paged,
      expected.map(({ id }) => id),
    );
    await assert.rejects(async () => await world.hub.listInstanceIds().pages({ cursor: "?" })[Symbol.asyncIterator]().next(), {
      code: "INVALID_ARGUMENT",
    });
  });
};
