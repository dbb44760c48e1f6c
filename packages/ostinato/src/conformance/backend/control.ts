// control: suspend, resume, terminate and purge, at any moment of an instance's life; and what a caller is told meanwhile.

import assert from "node:assert/strict";
import { activity, orchestrator, type StandardSchemaV1 } from "../../index.ts";
import { historyOf, ofKind, refused, signal, type Chapter, type World } from "./world.ts";

const collects = orchestrator("collects", async (ctx, n: number) => {
  const got: unknown[] = [];
  while (got.length < n) {
    got.push(await ctx.waitForExternalEvent("n"));
    ctx.setCustomStatus(got.length);
  }
  return got;
});

const waits = orchestrator("waits", async (ctx, name: string) => `${name} ${await ctx.waitForExternalEvent<string>("go")}`);

/** A tree: a parent of two, each of which has one child of its own. All wait, but for `left`, whose program ends at once. */
const parent = orchestrator("parent", async (ctx) => {
  const left = ctx.callSubOrchestrator(middle, true, { instanceId: "left" });
  const right = ctx.callSubOrchestrator(middle, false, { instanceId: "right" });
  await ctx.whenAll([left, right]);
});
const middle = orchestrator("middle", async (ctx, ends: boolean) => {
  const leaf = ctx.callSubOrchestrator(waits, "leaf", { instanceId: `${ctx.instanceId} leaf` });
  await ctx.createTimer("0s");
  if (!ends) await leaf;
});
const TREE = ["top", "left", "right", "left leaf", "right leaf"];

async function plantTree(world: World): Promise<void> {
  await world.work({ orchestrators: [parent, middle, waits] });
  await world.hub.start(parent, undefined, { instanceId: "top" });
  for (const id of ["left leaf", "right leaf"]) await world.recorded(world.hub.instance(id), (history) => history.length > 0);
  await world.output(world.hub.instance("left"));
  await world.seen(world.hub.instance("right"), (status) => status.waitingFor.length === 1);
  await world.seen(world.hub.instance("top"), (status) => status.waitingFor.length === 1);
}

async function statusesOf(world: World, ids: readonly string[]): Promise<readonly (string | undefined)[]> {
  return await Promise.all(ids.map(async (id) => (await world.hub.instance(id).status())?.status));
}

export const control: Chapter = (story) => {
  // ---- suspend and resume

  story("C1, C2 what comes while it is suspended waits, and is applied once, in order, when it is resumed", async (world) => {
    await world.work({ orchestrators: [collects] });
    const instance = await world.hub.start(collects, 5);
    await instance.raiseEvent("n", 1);
    await world.seen(instance, (status) => status.customStatus === 1);
    await instance.suspend("stock taking");
    const suspended = await instance.status();
    assert.equal(suspended?.status, "SUSPENDED");
    assert.match(suspended.waitingFor.join(), /suspended/);
    const length = (await historyOf(instance)).length;
    for (const n of [2, 3, 4]) await instance.raiseEvent("n", n);
    // Another instance passes through the same worker meanwhile: this one is left alone.
    const other = await world.hub.start(collects, 1);
    await other.raiseEvent("n", "x");
    await world.output(other);
    assert.deepEqual([(await instance.status())?.status, (await instance.status())?.customStatus], ["SUSPENDED", 1]);
    assert.equal((await historyOf(instance)).length, length);
    await instance.resume("done");
    await instance.raiseEvent("n", 5);
    assert.deepEqual(await world.output(instance), [1, 2, 3, 4, 5]);
    const history = await historyOf(instance);
    assert.equal(ofKind(history, "ExecutionSuspended")[0]?.reason, "stock taking");
    assert.equal(ofKind(history, "ExecutionResumed")[0]?.reason, "done");
    assert.equal(ofKind(history, "EventRaised").length, 5);
  });

  story("C1 the result of an activity that ends while its instance is suspended waits as well", async (world) => {
    const entered = signal();
    const go = signal();
    const slow = activity("slow", async () => {
      entered.give();
      await go.given;
      return "slow";
    });
    const after = activity("after", async () => "after");
    const calls = orchestrator("calls", async (ctx) => [await ctx.callActivity(slow), await ctx.callActivity(after)]);
    await world.work({ orchestrators: [calls, waits], activities: [slow, after] });
    const instance = await world.hub.start(calls);
    await world.until(entered.given);
    await instance.suspend();
    go.give();
    const other = await world.hub.start(waits, "x");
    await other.raiseEvent("go", "y");
    await world.output(other);
    assert.equal((await instance.status())?.status, "SUSPENDED");
    assert.equal(ofKind(await historyOf(instance), "TaskCompleted").length, 0);
    await instance.resume();
    assert.deepEqual(await world.output(instance), ["slow", "after"]);
  });

  story("C1 a timer that is due while its instance is suspended fires when it is resumed, and not before", async (world) => {
    const naps = orchestrator("naps", async (ctx, units: number) => {
      const begun = ctx.currentUtcDateTime.getTime();
      await ctx.createTimer({ milliseconds: units * world.unitMs });
      return ctx.currentUtcDateTime.getTime() - begun;
    });
    await world.work({ orchestrators: [naps] });
    const instance = await world.hub.start(naps, 10);
    await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("timer")));
    await instance.suspend();
    await world.output(await world.hub.start(naps, 12)); // time passes
    assert.equal((await instance.status())?.status, "SUSPENDED");
    assert.equal(ofKind(await historyOf(instance), "TimerFired").length, 0);
    await instance.resume();
    assert.ok((await world.output(instance)) >= 12 * world.unitMs);
  });

  story("C1 a turn in flight is refused: nothing that it asked for happens before the instance is resumed", async (world) => {
    const inTurn = signal();
    const letGo = signal();
    let validations = 0;
    // A worker checks the input of a start by name in the first turn: that is where this turn is held.
    const held: StandardSchemaV1<string, string> = {
      "~standard": {
        version: 1,
        vendor: "kit",
        validate: async (value) => {
          validations++;
          inTurn.give();
          await letGo.given;
          return { value: value as string };
        },
      },
    };
    const ran: string[] = [];
    const notes = activity("notes", async (_ctx, text: string) => void ran.push(text));
    const calls = orchestrator("calls", { input: held }, async (ctx, text) => {
      await ctx.callActivity(notes, text);
      return "done";
    });
    await world.work({ orchestrators: [calls, waits], activities: [notes] });
    const instance = await world.hub.start("calls", "once");
    await world.until(inTurn.given);
    await instance.suspend();
    letGo.give();
    const other = await world.hub.start(waits, "x");
    await other.raiseEvent("go", "y");
    await world.output(other);
    assert.equal((await instance.status())?.status, "SUSPENDED");
    assert.deepEqual(ran, []);
    assert.equal(ofKind(await historyOf(instance), "TaskScheduled").length, 0);
    await instance.resume();
    assert.equal(await world.output(instance), "done");
    assert.deepEqual(ran, ["once"]);
    assert.equal(validations, 2);
  });

  story("an instance that nobody has begun can be suspended; it begins when it is resumed", async (world) => {
    const instance = await world.hub.start(collects, 1);
    await instance.suspend();
    await instance.raiseEvent("n", "kept");
    await world.work({ orchestrators: [collects, waits] });
    const other = await world.hub.start(waits, "x");
    await other.raiseEvent("go", "y");
    await world.output(other);
    assert.equal((await instance.status())?.status, "SUSPENDED");
    assert.deepEqual(await historyOf(instance), []);
    await instance.resume();
    assert.deepEqual(await world.output(instance), ["kept"]);
  });

  story("suspending twice and resuming twice changes nothing; both are refused for a finished instance", async (world) => {
    await world.work({ orchestrators: [collects] });
    const instance = await world.hub.start(collects, 1);
    await world.until(instance.waitForStart());
    await instance.resume();
    for (let i = 0; i < 2; i++) await instance.suspend();
    assert.equal((await instance.status())?.status, "SUSPENDED");
    for (let i = 0; i < 2; i++) await instance.resume();
    assert.equal((await instance.status())?.status, "RUNNING");
    await instance.raiseEvent("n", 1);
    assert.deepEqual(await world.output(instance), [1]);
    await refused(instance.suspend(), "INVALID_STATE");
    await refused(instance.resume(), "INVALID_STATE");
    assert.equal((await instance.status())?.status, "COMPLETED");
    const history = await historyOf(instance);
    assert.deepEqual([ofKind(history, "ExecutionSuspended").length, ofKind(history, "ExecutionResumed").length], [1, 1]);
  });

  story("C2 suspended and resumed again and again, with events in between, everything arrives in order", async (world) => {
    await world.work({ orchestrators: [collects], warm: { bytes: 0 } });
    const instance = await world.hub.start(collects, 20);
    for (let n = 0; n < 20; n++) {
      if (n % 4 === 1) await instance.suspend();
      await instance.raiseEvent("n", n);
      if (n % 4 === 3) await instance.resume();
    }
    assert.deepEqual(
      await world.output(instance),
      Array.from({ length: 20 }, (_, n) => n),
    );
  });

  // ---- terminate

  for (const state of ["running", "suspended", "pending"] as const) {
    story(
      `an instance that is ${state}${state === "pending" ? ", and that no worker serves," : ""} is ended with the output given`,
      async (world) => {
        if (state !== "pending") await world.work({ orchestrators: [waits] });
        const instance = await world.hub.start(waits, "x");
        if (state !== "pending") await world.seen(instance, (status) => status.status === "RUNNING");
        if (state === "suspended") await instance.suspend();
        await instance.terminate({ output: { reason: "enough" } });
        const error = await world.failure(instance);
        assert.deepEqual([error.code, error.output], ["ORCHESTRATION_TERMINATED", { reason: "enough" }]);
        const status = await instance.status();
        assert.deepEqual([status?.status, status?.output, status?.waitingFor], ["TERMINATED", { reason: "enough" }, []]);
        assert.ok(status?.completedAt);
        const kinds = (await historyOf(instance)).map((event) => event.kind);
        if (state === "pending")
          assert.deepEqual(kinds, ["OrchestratorStarted", "ExecutionStarted", "ExecutionTerminated", "ExecutionCompleted"]);
        else assert.deepEqual(kinds.slice(-3), ["OrchestratorStarted", "ExecutionTerminated", "ExecutionCompleted"]);
      },
    );
  }

  story("an instance that was started for later is ended as well, and does not begin when its time comes", async (world) => {
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits, "x", { startAt: new Date((await world.now()) + 100 * world.unitMs) });
    await instance.terminate();
    assert.equal((await world.failure(instance)).code, "ORCHESTRATION_TERMINATED");
    assert.equal((await instance.status())?.status, "TERMINATED");
  });

  story("terminating what has ended changes nothing; what does not exist is an error", async (world) => {
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits, "x");
    await instance.raiseEvent("go", "on");
    await world.output(instance);
    await instance.terminate({ output: "late" });
    await instance.terminate({ recursive: true });
    assert.equal(await world.output(instance), "x on");
    const nobody = world.hub.instance("nobody");
    for (const operation of [
      () => nobody.terminate(),
      () => nobody.suspend(),
      () => nobody.resume(),
      () => nobody.result(),
      () => nobody.waitForStart(),
    ]) {
      await refused(operation(), "INSTANCE_NOT_FOUND");
    }
    assert.equal(await nobody.status(), undefined);
    assert.deepEqual(await nobody.history(), []);
    assert.equal(await nobody.purge(), 0);
  });

  story("C4 terminate wins over everything that has come before it and is not read yet", async (world) => {
    await world.work({ orchestrators: [collects] });
    const instance = await world.hub.start(collects, 1);
    await world.seen(instance, (status) => status.status === "RUNNING");
    await instance.suspend();
    await instance.raiseEvent("n", 1);
    await instance.terminate({ output: "first" });
    await instance.terminate({ output: "second" });
    // It may have ended already.
    await instance.resume().catch((error: { readonly code?: string }) => assert.equal(error.code, "INVALID_STATE"));
    const error = await world.failure(instance);
    assert.equal(error.output, "first");
    const history = await historyOf(instance);
    assert.equal(ofKind(history, "ExecutionCompleted").length, 1);
    assert.equal(ofKind(history, "EventRaised").length, 0);
  });

  story("without recursion the children of a terminated instance go on", async (world) => {
    await plantTree(world);
    await world.hub.instance("top").terminate();
    await world.failure(world.hub.instance("top"));
    assert.deepEqual(await statusesOf(world, TREE), ["TERMINATED", "COMPLETED", "RUNNING", "RUNNING", "RUNNING"]);
    await world.hub.instance("right leaf").raiseEvent("go", "on");
    await world.output(world.hub.instance("right"));
  });

  story("C3 with recursion every descendant ends, also below parents that have ended", async (world) => {
    await plantTree(world);
    const bystander = await world.hub.start(waits, "bystander");
    await world.hub.instance("top").terminate({ output: "all", recursive: true });
    for (const id of ["top", "right", "left leaf", "right leaf"]) {
      const error = await world.failure(world.hub.instance(id));
      assert.deepEqual([error.code, error.output], ["ORCHESTRATION_TERMINATED", "all"], id);
    }
    assert.deepEqual(await statusesOf(world, TREE), ["TERMINATED", "COMPLETED", "TERMINATED", "TERMINATED", "TERMINATED"]);
    await bystander.raiseEvent("go", "on");
    assert.equal(await world.output(bystander), "bystander on");
  });

  story("C3 a finished instance passes a recursive terminate on to what still runs below it", async (world) => {
    await plantTree(world);
    await world.hub.instance("left").terminate({ recursive: true });
    await world.failure(world.hub.instance("left leaf"));
    assert.deepEqual(await statusesOf(world, TREE), ["RUNNING", "COMPLETED", "RUNNING", "TERMINATED", "RUNNING"]);
  });

  story("C3 what a finished instance is to pass on is passed on, although it is removed, or gives way, right behind it", async (world) => {
    const leaves = orchestrator("leaves", async (ctx) => {
      void ctx.callSubOrchestrator(waits, "leaf");
    });
    await world.work({ orchestrators: [leaves, waits] });
    const ways: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
      purged: (id) => world.hub.instance(id).purge(),
      "purged by its id": (id) => world.hub.purge([id]),
      restarted: (id) => world.hub.instance(id).restart(),
      replaced: (id) => world.hub.start(waits, "another", { instanceId: id, dedupeStatuses: [] }),
    };
    for (const [id, remove] of Object.entries(ways)) {
      const instance = await world.hub.start(leaves, undefined, { instanceId: id });
      await world.output(instance);
      const [created] = ofKind(await historyOf(instance), "SubOrchestrationInstanceCreated");
      const leaf = world.hub.instance(created!.instanceId);
      await world.recorded(leaf, (history) => history.length > 0);
      await instance.terminate({ recursive: true });
      await world.until(remove(id));
      assert.equal((await world.failure(leaf)).code, "ORCHESTRATION_TERMINATED", id);
    }
  });

  story("C3 recursion reaches children that are suspended, scheduled, or that nobody serves", async (world) => {
    const family = orchestrator("family", async (ctx) => {
      void ctx.callSubOrchestrator(waits, "a", { instanceId: "suspended one" });
      void ctx.callSubOrchestrator("nobody serves this", undefined, { instanceId: "unserved one" });
      for (let i = 0; i < 30; i++) void ctx.callSubOrchestrator(waits, `${i}`, { instanceId: `one of many ${i}` });
      await ctx.waitForExternalEvent("never");
    });
    await world.work({ orchestrators: [family, waits] });
    const instance = await world.hub.start(family);
    await world.recorded(world.hub.instance("suspended one"), (history) => history.length > 0);
    await world.hub.instance("suspended one").suspend();
    await instance.terminate({ recursive: true });
    await world.failure(instance);
    for (const id of ["suspended one", "unserved one", ...Array.from({ length: 30 }, (_, i) => `one of many ${i}`)]) {
      assert.equal((await world.failure(world.hub.instance(id))).code, "ORCHESTRATION_TERMINATED", id);
    }
  });

  // ---- purge

  story("C5 a purged instance is gone for every reader, and its id starts clean", async (world) => {
    await world.work({ orchestrators: [collects] });
    const instance = await world.hub.start(collects, 1, { instanceId: "again", tags: { old: "yes" } });
    await instance.raiseEvent("n", "old");
    await world.output(instance);
    const before = await instance.status();
    assert.equal(await instance.purge(), 1);
    assert.equal(await instance.status(), undefined);
    assert.deepEqual(await historyOf(instance), []);
    assert.deepEqual(await world.hub.query({ idPrefix: "again" }), []);
    await refused(instance.result(), "INSTANCE_NOT_FOUND");
    await refused(instance.raiseEvent("n", 1), "INSTANCE_NOT_FOUND");
    assert.equal(await instance.purge(), 0);
    const next = await world.hub.start(collects, 2, { instanceId: "again" });
    const status = await next.status();
    assert.notEqual(status?.executionId, before?.executionId);
    assert.deepEqual([status?.tags, status?.output, status?.customStatus], [{}, undefined, undefined]);
    await next.raiseEvent("n", "new");
    await next.raiseEvent("n", "newer");
    assert.deepEqual(await world.output(next), ["new", "newer"]);
    assert.equal(ofKind(await historyOf(next), "EventRaised").length, 2);
  });

  story("C5 what was under way for a purged instance never reaches the next one of its id", async (world) => {
    const oldRun = { entered: signal(), go: signal<string>() };
    const newRun = { entered: signal(), go: signal<string>() };
    const runs = [oldRun, newRun];
    const slow = activity("slow", async () => {
      const run = runs.shift();
      run?.entered.give();
      return await run?.go.given;
    });
    const calls = orchestrator("calls", async (ctx) => {
      const late = ctx.createTimer({ milliseconds: 2 * world.unitMs });
      const result = await ctx.callActivity(slow);
      late.cancel();
      return result;
    });
    await world.work({ orchestrators: [calls], activities: [slow] });
    const first = await world.hub.start(calls, undefined, { instanceId: "again" });
    await world.until(oldRun.entered.given);
    await first.terminate();
    await world.failure(first);
    assert.equal(await first.purge(), 1);
    const second = await world.hub.start(calls, undefined, { instanceId: "again" });
    await world.until(newRun.entered.given);
    oldRun.go.give("the old result");
    newRun.go.give("the new result");
    assert.equal(await world.output(second), "the new result");
  });

  story("C5 an instance that has not ended is not purged", async (world) => {
    const pending = await world.hub.start(waits, "x");
    await refused(pending.purge(), "INVALID_STATE");
    await world.work({ orchestrators: [waits] });
    await world.until(pending.waitForStart());
    const error = await refused(pending.purge({ recursive: true }), "INVALID_STATE");
    assert.match(error.message, /RUNNING/);
    await pending.suspend();
    await refused(pending.purge(), "INVALID_STATE");
    await pending.resume();
    await pending.raiseEvent("go", "on");
    assert.equal(await world.output(pending), "x on");
    assert.equal(await pending.purge(), 1);
  });

  story("C5 a recursive purge removes the whole tree and counts it; without recursion the children stay", async (world) => {
    const leaf = orchestrator("leaf", async () => "leaf");
    const branch = orchestrator("branch", async (ctx) => {
      await ctx.whenAll([0, 1, 2].map((n) => ctx.callSubOrchestrator(leaf, undefined, { instanceId: `${ctx.instanceId} ${n}` })));
    });
    const tree = orchestrator("tree", async (ctx) => {
      await ctx.whenAll([0, 1].map((n) => ctx.callSubOrchestrator(branch, undefined, { instanceId: `${ctx.instanceId} ${n}` })));
    });
    await world.work({ orchestrators: [tree, branch, leaf] });
    for (const id of ["oak", "elm"]) await world.output(await world.hub.start(tree, undefined, { instanceId: id }));
    assert.equal(await world.hub.instance("oak").purge({ recursive: true }), 9);
    assert.equal((await world.hub.query({ idPrefix: "oak" })).length, 0);
    assert.equal(await world.hub.instance("elm").purge(), 1);
    assert.equal((await world.hub.query({ idPrefix: "elm" })).length, 8);
  });

  // ---- what a caller is told

  story("the status says in words what an instance waits for", async (world) => {
    const go = signal();
    const slow = activity("slow", () => go.given);
    const busy = orchestrator("busy", async (ctx) => {
      await ctx.whenAll([
        ctx.callActivity(slow),
        ctx.createTimer(new Date(Date.UTC(2999, 0, 1))),
        ctx.waitForExternalEvent("approval"),
        ctx.callSubOrchestrator(waits, "child", { instanceId: "the child" }),
      ]);
    });
    await world.work({ orchestrators: [busy, waits], activities: [slow] });
    const instance = await world.hub.start(busy);
    const status = await world.seen(instance, (each) => each.status === "RUNNING");
    const lines = status.waitingFor.join("\n");
    for (const word of [/activity 'slow'/, /timer.*2999-01-01/, /event 'approval'/, /sub-orchestration 'waits'.*'the child'/])
      assert.match(lines, word);
    assert.equal(status.waitingFor.length, 4);
    go.give();
    await instance.raiseEvent("approval");
    const fewer = await world.seen(instance, (each) => each.waitingFor.length === 2);
    assert.doesNotMatch(fewer.waitingFor.join("\n"), /slow|approval/);
    await instance.terminate({ recursive: true });
    await world.failure(instance);
    assert.deepEqual((await instance.status())?.waitingFor, []);
  });

  story("a wait that times out says what the instance waits for; the instance goes on", async (world) => {
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits, "x");
    await world.seen(instance, (status) => status.status === "RUNNING");
    const error = await refused(world.until(instance.result({ timeout: { milliseconds: world.unitMs } })), "RESULT_TIMEOUT");
    assert.match(error.message, /event 'go'/);
    assert.match(error.message, /RUNNING/);
    await instance.raiseEvent("go", "on");
    assert.equal(await world.output(instance), "x on");
    assert.equal(await instance.result({ timeout: "1s" }), "x on");
  });

  story("waitForStart waits until it has begun, or has ended without", async (world) => {
    const instance = await world.hub.start(waits, "x");
    const early = await refused(world.until(instance.waitForStart({ timeout: { milliseconds: world.unitMs } })), "RESULT_TIMEOUT");
    assert.match(early.message, /PENDING/);
    const started = instance.waitForStart();
    await world.work({ orchestrators: [waits] });
    const status = await world.until(started);
    assert.deepEqual([status.status, status.input], ["RUNNING", "x"]);
    assert.ok(status.startedAt);
    const ended = await world.hub.start("nobody serves this");
    await ended.terminate();
    assert.equal((await world.until(ended.waitForStart())).status, "TERMINATED");
  });

  story("many may wait for one instance, before and after its end, and all are told the same", async (world) => {
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits, "x");
    const before = Array.from({ length: 50 }, () => world.hub.instance(waits, instance.id).result());
    await instance.raiseEvent("go", "on");
    const outputs = await world.until(Promise.all(before));
    assert.deepEqual(new Set([...outputs, await instance.result()]), new Set(["x on"]));
  });

  story("I6 a status never goes back", async (world) => {
    const order = ["PENDING", "RUNNING", "COMPLETED"];
    const now = activity("now", async () => undefined);
    const steps = orchestrator("steps", async (ctx, round: number) => {
      for (let i = 0; i < 5; i++) await ctx.callActivity(now);
      if (round < 3) ctx.continueAsNew(round + 1);
    });
    const instance = await world.hub.start(steps, 0);
    const seen: string[] = [];
    const watch = world.seen(instance, (status) => {
      if (seen.at(-1) !== status.status) seen.push(status.status);
      return status.status === "COMPLETED";
    });
    await world.work({ orchestrators: [steps], activities: [now] });
    await watch;
    assert.deepEqual(
      seen,
      order.filter((status) => seen.includes(status)),
    );
  });

  story("a handle asks nobody, and is nothing that can be awaited by mistake", async (world) => {
    const handle = world.hub.instance(waits, "not started yet");
    assert.equal("then" in handle, false);
    assert.equal(handle.id, "not started yet");
    assert.equal(await handle, handle); // eslint-disable-line @typescript-eslint/await-thenable -- awaiting it has to do nothing
    await world.work({ orchestrators: [waits] });
    await world.hub.start(waits, "x", { instanceId: "not started yet" });
    await handle.raiseEvent("go", "on");
    assert.equal(await world.output(handle), "x on");
  });

  story("a hub that is closed refuses everything, and closing it again is fine", async (world) => {
    const pending = await world.hub.start(waits, "x");
    await world.hub.close();
    await world.hub.close();
    await refused(world.hub.start(waits, "y"), "HUB_CLOSED");
    await refused(pending.result(), "HUB_CLOSED");
    await refused(pending.status(), "HUB_CLOSED");
    await refused(pending.raiseEvent("go"), "HUB_CLOSED");
    await refused(world.hub.startWorker({ orchestrators: [waits] }), "HUB_CLOSED");
  });

  story("a wait that is open when the hub is closed ends, and says so", async (world) => {
    const pending = await world.hub.start(waits, "x");
    const waiting = pending.result();
    waiting.catch(() => undefined);
    await world.hub.close();
    await refused(world.until(waiting), "HUB_CLOSED");
  });
};
