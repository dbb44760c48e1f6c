// restart and reuse: an instance once more from its beginning, and ids that are taken again.

import assert from "node:assert/strict";
import { activity, orchestrator } from "../../index.ts";
import { historyOf, ofKind, refused, signal, type Chapter } from "./world.ts";

const waits = orchestrator("waits", async (ctx, name: string) => `${name} ${await ctx.waitForExternalEvent<string>("go")}`);
const collects = orchestrator("collects", async (ctx, n: number) => {
  const got: unknown[] = [];
  while (got.length < n) got.push(await ctx.waitForExternalEvent("n"));
  return got;
});

export const restart: Chapter = (story) => {
  // ---- restart

  story(
    "C7 a finished instance runs once more under its own id: same name, input, version and tags; nothing of the old one",
    async (world) => {
      await world.work({ orchestrators: [collects] });
      const instance = await world.hub.start(collects, 1, { instanceId: "again", version: "2", tags: { team: "it" } });
      await instance.raiseEvent("n", "old");
      assert.deepEqual(await world.output(instance), ["old"]);
      await instance.raiseEvent("n", "too late");
      const before = await instance.status();
      const again = await instance.restart();
      assert.equal(again.id, "again");
      const status = await again.status();
      assert.deepEqual(
        [status?.name, status?.input, status?.version, status?.tags, status?.output],
        ["collects", 1, "2", { team: "it" }, undefined],
      );
      assert.notEqual(status?.executionId, before?.executionId);
      await again.raiseEvent("n", "new");
      assert.deepEqual(await world.output(again), ["new"]);
      const history = await historyOf(again);
      assert.equal(ofKind(history, "ExecutionStarted").length, 1);
      assert.equal(ofKind(history, "EventRaised").length, 1);
      assert.equal((await world.hub.query()).length, 1);
    },
  );

  story("C7 what the old one had under way never reaches the new one", async (world) => {
    const runs = [
      { entered: signal(), go: signal<string>() },
      { entered: signal(), go: signal<string>() },
    ];
    const [oldRun, newRun] = runs;
    const left = [...runs];
    const slow = activity("slow", async () => {
      const run = left.shift();
      run?.entered.give();
      return await run?.go.given;
    });
    const calls = orchestrator("calls", async (ctx) => {
      void ctx.createTimer({ milliseconds: 2 * world.unitMs });
      return await ctx.callActivity(slow);
    });
    await world.work({ orchestrators: [calls], activities: [slow] });
    const instance = await world.hub.start(calls);
    await world.until(oldRun!.entered.given);
    await instance.terminate();
    await world.failure(instance);
    await instance.restart();
    await world.until(newRun!.entered.given);
    oldRun!.go.give("the old result");
    newRun!.go.give("the new result");
    assert.equal(await world.output(instance), "the new result");
  });

  story("an instance that has not ended is not restarted under its own id, and may be under a new one", async (world) => {
    await refused(world.hub.instance("nobody").restart(), "INSTANCE_NOT_FOUND");
    await refused(world.hub.instance("nobody").restart({ newInstanceId: true }), "INSTANCE_NOT_FOUND");
    const instance = await world.hub.start(waits, "x", { instanceId: "first", startAt: new Date(Date.UTC(2990, 0, 1)), tags: { a: "b" } });
    await refused(instance.restart(), "INVALID_STATE");
    await world.work({ orchestrators: [waits] });
    const second = await instance.restart({ newInstanceId: "second" });
    assert.equal(second.id, "second");
    const status = await world.seen(second, (each) => each.status === "RUNNING");
    assert.deepEqual([status.scheduledAt, status.tags], [undefined, { a: "b" }], "the new one keeps no time to start at");
    assert.match((await refused(second.restart(), "INVALID_STATE")).message, /RUNNING/);
    const third = await second.restart({ newInstanceId: true });
    assert.match(third.id, /^[0-9a-f]{32}$/);
    for (const each of [second, third]) {
      await each.raiseEvent("go", "on");
      assert.equal(await world.output(each), "x on");
    }
    await refused(second.restart({ newInstanceId: "first" }), "INSTANCE_EXISTS");
    await refused(second.restart({ newInstanceId: "@no" }), "INVALID_ARGUMENT");
    assert.equal((await instance.status())?.status, "PENDING");
  });

  story("a child that is restarted is nobody's child, and its parent hears nothing of it", async (world) => {
    const child = orchestrator("child", async () => "child");
    const parent = orchestrator("parent", async (ctx) => [
      await ctx.callSubOrchestrator(child, undefined, { instanceId: "kid" }),
      await ctx.waitForExternalEvent("go"),
    ]);
    await world.work({ orchestrators: [parent, child] });
    const instance = await world.hub.start(parent);
    const kid = world.hub.instance("kid");
    await world.seen(kid, (status) => status.status === "COMPLETED");
    await world.output(await kid.restart());
    assert.equal((await kid.status())?.parentInstanceId, undefined);
    await instance.raiseEvent("go", 1);
    assert.deepEqual(await world.output(instance), ["child", 1]);
    assert.equal(ofKind(await historyOf(instance), "SubOrchestrationInstanceCompleted").length, 1);
  });

  // ---- ids that are taken

  story("without dedupeStatuses every status refuses a start; those that are named refuse it, and no others", async (world) => {
    await world.work({ orchestrators: [waits] });
    const first = await world.hub.start(waits, "1", { instanceId: "id" });
    await refused(world.hub.start(waits, "2", { instanceId: "id" }), "INSTANCE_EXISTS");
    await refused(
      world.hub.start(waits, "2", { instanceId: "id", dedupeStatuses: ["PENDING", "RUNNING", "SUSPENDED"] }),
      "INSTANCE_EXISTS",
    );
    await first.raiseEvent("go", "on");
    await world.output(first);
    await refused(world.hub.start(waits, "2", { instanceId: "id" }), "INSTANCE_EXISTS");
    await refused(world.hub.start(waits, "2", { instanceId: "id", dedupeStatuses: ["COMPLETED"] }), "INSTANCE_EXISTS");
    const second = await world.hub.start(waits, "2", { instanceId: "id", dedupeStatuses: ["PENDING", "RUNNING", "SUSPENDED"] });
    assert.deepEqual([(await second.status())?.input, (await second.status())?.output], ["2", undefined]);
    await second.raiseEvent("go", "on");
    assert.equal(await world.output(second), "2 on");
    assert.equal((await world.hub.query({ idPrefix: "id" })).length, 1);
    for (const statuses of [["TERMINATED"], ["TERMINATED", "PENDING"], ["no status" as "PENDING"]] as const)
      await refused(world.hub.start(waits, "3", { instanceId: "id", dedupeStatuses: statuses }), "INVALID_ARGUMENT");
  });

  story("C7 an instance that runs is ended and replaced; who waits for it waits for the new one", async (world) => {
    const entered = signal();
    const never = signal<string>();
    const slow = activity("slow", async (ctx, name: string) => {
      if (name !== "old") return name;
      entered.give();
      return await never.given;
    });
    const calls = orchestrator("calls", async (ctx, name: string) => {
      void ctx.createTimer({ milliseconds: world.unitMs });
      return await ctx.callActivity(slow, name);
    });
    await world.work({ orchestrators: [calls], activities: [slow] });
    const old = await world.hub.start(calls, "old", { instanceId: "id" });
    await world.until(entered.given);
    const waiting = old.result();
    await world.hub.start(calls, "new", { instanceId: "id", dedupeStatuses: [] });
    never.give("the old result");
    assert.equal(await world.until(waiting), "new");
    const history = await historyOf(old);
    assert.equal(ofKind(history, "TaskCompleted").length, 1);
    assert.equal((await world.hub.query()).length, 1);
  });

  story("a child that is replaced while it runs counts as terminated for its parent", async (world) => {
    const parent = orchestrator("parent", async (ctx) => await ctx.callSubOrchestrator(waits, "old", { instanceId: "kid" }));
    await world.work({ orchestrators: [parent, waits] });
    const instance = await world.hub.start(parent);
    await world.seen(world.hub.instance("kid"), (status) => status.status === "RUNNING");
    const kid = await world.hub.start(waits, "new", { instanceId: "kid", dedupeStatuses: [] });
    assert.match((await world.failure(instance)).message, /terminated/);
    await kid.raiseEvent("go", "on");
    assert.equal(await world.output(kid), "new on");
  });

  story("one that is suspended, or scheduled for later, is replaced like one that runs", async (world) => {
    await world.hub.start(waits, "later", { instanceId: "later", startAt: new Date(Date.UTC(2990, 0, 1)) });
    await world.work({ orchestrators: [waits] });
    const suspended = await world.hub.start(waits, "suspended", { instanceId: "suspended" });
    await world.seen(suspended, (status) => status.status === "RUNNING");
    await suspended.suspend();
    for (const instanceId of ["later", "suspended"]) {
      const next = await world.hub.start(waits, "new", { instanceId, dedupeStatuses: ["COMPLETED", "FAILED"] });
      await next.raiseEvent("go", "on");
      assert.equal(await world.output(next), "new on");
      assert.equal((await next.status())?.scheduledAt, undefined);
    }
  });

  // ---- scheduled starts

  story("an instance that starts later can be told everything before it starts", async (world) => {
    const startAt = new Date(Date.UTC(2990, 0, 1));
    const later = async (instanceId: string) => await world.hub.start(waits, instanceId, { instanceId, startAt });
    await world.work({ orchestrators: [waits] });
    const terminated = await later("terminated");
    const [listed] = await world.hub.query({ idPrefix: "terminated" });
    assert.deepEqual([listed?.status, listed?.scheduledAt, listed?.startedAt], ["PENDING", startAt, undefined]);
    await refused(terminated.purge(), "INVALID_STATE");
    await terminated.terminate({ output: "not needed" });
    await world.failure(terminated);
    const [, started] = await historyOf(terminated);
    assert.equal(started?.kind === "ExecutionStarted" ? started.input : undefined, '"terminated"', "H3 its start is recorded whole");
    assert.equal((await terminated.status())?.input, "terminated");
    assert.equal(await terminated.purge(), 1);
    const suspended = await later("suspended");
    await suspended.suspend();
    assert.equal((await suspended.status())?.status, "SUSPENDED");
    await suspended.raiseEvent("go", "early");
    await suspended.resume();
    assert.deepEqual((await suspended.status())?.scheduledAt, startAt);
    assert.deepEqual(await historyOf(suspended), []);
    await suspended.terminate();
    assert.equal((await world.failure(suspended)).code, "ORCHESTRATION_TERMINATED");
  });

  story("the events that came before a scheduled start are there when it starts", async (world) => {
    const startAt = new Date((await world.now()) + (world.virtual ? 3 : 60) * world.unitMs);
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits, "later", { startAt });
    await instance.raiseEvent("go", "early");
    await instance.suspend();
    await instance.resume();
    assert.equal(await world.output(instance), "later early");
    const status = await instance.status();
    assert.ok(status?.startedAt && status.startedAt >= startAt, "T1 it did not start early");
  });

  // ---- what a finished instance says to operators

  story("suspend and resume of a finished instance are refused in words; terminate changes nothing", async (world) => {
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits, "x");
    await instance.raiseEvent("go", "on");
    await world.output(instance);
    assert.match((await refused(instance.suspend(), "INVALID_STATE")).message, /COMPLETED.*cannot be suspended/);
    assert.match((await refused(instance.resume(), "INVALID_STATE")).message, /COMPLETED.*cannot be resumed/);
    await instance.terminate();
    assert.equal((await instance.status())?.status, "COMPLETED");
    await refused(world.hub.instance("nobody").terminate(), "INSTANCE_NOT_FOUND");
    await refused(world.hub.instance("nobody").suspend(), "INSTANCE_NOT_FOUND");
  });
};
