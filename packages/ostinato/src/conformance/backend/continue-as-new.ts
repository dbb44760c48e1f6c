// continue as new: the same instance begins again with a fresh history, and loses nothing that it was sent.

import assert from "node:assert/strict";
import { activity, orchestrator } from "../../index.ts";
import { historyOf, ofKind, signal, type Chapter } from "./world.ts";

export const continueAsNew: Chapter = (story) => {
  story("the next execution has the new input, a fresh history and another execution id; the instance stays RUNNING", async (world) => {
    const executions: string[] = [];
    const nothing = activity("nothing", async () => undefined);
    const rounds = orchestrator("rounds", async (ctx, n: number): Promise<string> => {
      if (!ctx.isReplaying && n !== executions.length - 1) executions.push(ctx.executionId);
      await ctx.callActivity(nothing);
      if (n < 4) {
        ctx.setCustomStatus({ round: n });
        ctx.continueAsNew(n + 1);
        return "not this";
      }
      return `ended in round ${n}`;
    });
    await world.work({ orchestrators: [rounds], activities: [nothing] });
    const instance = await world.hub.start(rounds, 0, { instanceId: "again", tags: { a: "b" }, version: "3" });
    assert.equal(await world.output(instance), "ended in round 4");
    const status = await instance.status();
    assert.deepEqual([status?.input, status?.customStatus, status?.tags, status?.version], [4, { round: 3 }, { a: "b" }, "3"]);
    assert.equal(new Set(executions).size, 5);
    assert.equal(status?.executionId, executions.at(-1));
    assert.deepEqual(
      (await historyOf(instance)).map((event) => event.kind),
      ["OrchestratorStarted", "ExecutionStarted", "TaskScheduled", "OrchestratorStarted", "TaskCompleted", "ExecutionCompleted"],
    );
  });

  story("five hundred executions of one instance pass like one", async (world) => {
    const counts = orchestrator("counts", async (ctx, n: number) => {
      if (n < 500) ctx.continueAsNew(n + 1);
      return n;
    });
    await world.work({ orchestrators: [counts] });
    const instance = await world.hub.start(counts, 0);
    assert.equal(await world.output(instance), 500);
    assert.equal((await historyOf(instance)).length, 3);
  });

  story("of several calls the first one counts", async (world) => {
    const twice = orchestrator("twice", async (ctx, n: number) => {
      if (n > 0) return n;
      ctx.continueAsNew(1);
      ctx.continueAsNew(2);
      return 0;
    });
    await world.work({ orchestrators: [twice] });
    assert.equal(await world.output(await world.hub.start(twice, 0)), 1);
  });

  story("an error after it is not lost behind it", async (world) => {
    const trips = orchestrator("trips", async (ctx, n: number) => {
      if (n > 0) return n;
      ctx.continueAsNew(1);
      throw new Error("tripped");
    });
    await world.work({ orchestrators: [trips] });
    assert.equal((await world.failure(await world.hub.start(trips, 0))).failure?.message, "tripped");
  });

  for (const warm of [{}, { bytes: 0 }]) {
    story(`I5 events that no wait has taken go along, in their order${"bytes" in warm ? ", replayed" : ""}`, async (world) => {
      const collects = orchestrator("collects", async (ctx, got: readonly number[]): Promise<readonly number[]> => {
        const all = [...got, await ctx.waitForExternalEvent<number>("n")];
        if (all.length < 30) ctx.continueAsNew(all);
        return all;
      });
      await world.work({ orchestrators: [collects], warm });
      const instance = await world.hub.start(collects, []);
      const sent = Array.from({ length: 30 }, (_, n) => n);
      for (const n of sent) await instance.raiseEvent("n", n);
      assert.deepEqual(await world.output(instance), sent);
    });
  }

  story("I5 the order between events of different names is kept as well", async (world) => {
    const go = signal();
    const waits = activity("waits", () => go.given);
    const later = orchestrator("later", async (ctx, begun: boolean): Promise<readonly unknown[]> => {
      if (!begun) {
        await ctx.callActivity(waits);
        ctx.continueAsNew(true);
        return [];
      }
      return [
        await ctx.waitForExternalEvent("b"),
        await ctx.waitForExternalEvent("a"),
        await ctx.waitForExternalEvent("A"),
        await ctx.waitForExternalEvent("B"),
      ];
    });
    await world.work({ orchestrators: [later], activities: [waits] });
    const instance = await world.hub.start(later, false);
    await world.until(instance.waitForStart());
    for (const [name, data] of Object.entries({ a: 1, b: 2, A: 3, B: 4 })) await instance.raiseEvent(name, data);
    go.give();
    assert.deepEqual(await world.output(instance), [2, 1, 3, 4]);
    const raised = ofKind(await historyOf(instance), "EventRaised").map((event) => event.input);
    assert.deepEqual(raised, ["1", "2", "3", "4"]);
  });

  story("carryEvents: false drops what no wait has taken; what comes afterwards is not dropped", async (world) => {
    const go = signal();
    const waits = activity("waits", () => go.given);
    const fresh = orchestrator("fresh", async (ctx, begun: boolean): Promise<unknown> => {
      if (!begun) {
        await ctx.callActivity(waits);
        ctx.continueAsNew(true, { carryEvents: false });
        return "not this";
      }
      ctx.setCustomStatus("again");
      return await ctx.waitForExternalEvent("n");
    });
    await world.work({ orchestrators: [fresh], activities: [waits] });
    const instance = await world.hub.start(fresh, false);
    await world.until(instance.waitForStart());
    await instance.raiseEvent("n", "old");
    await instance.raiseEvent("n", "old too");
    await world.recorded(instance, (history) => ofKind(history, "EventRaised").length === 2);
    const before = world.counted("eventsDropped");
    go.give();
    await world.seen(instance, (status) => status.customStatus === "again");
    await instance.raiseEvent("n", "new");
    assert.equal(await world.output(instance), "new");
    assert.equal(world.counted("eventsDropped") - before, 2, "O2 every drop is counted");
  });

  story("it can change the version, and keeps it otherwise", async (world) => {
    const migrates = orchestrator("migrates", async (ctx, seen: readonly string[]): Promise<readonly string[]> => {
      const all = [...seen, ctx.version];
      if (all.length === 1) ctx.continueAsNew(all, { version: "2.0.0" });
      else if (all.length === 2) ctx.continueAsNew(all);
      return all;
    });
    await world.work({ orchestrators: [migrates] });
    const instance = await world.hub.start(migrates, [], { version: "1.0.0" });
    assert.deepEqual(await world.output(instance), ["1.0.0", "2.0.0", "2.0.0"]);
    assert.equal((await instance.status())?.version, "2.0.0");
  });

  story("H9 what the old execution asked for never reaches the new one: activities, timers, children", async (world) => {
    const go = signal();
    const slow = activity("slow", async (_ctx, text: string) => {
      await go.given;
      return text;
    });
    const child = orchestrator("child", async (ctx, name: string) => {
      await ctx.waitForExternalEvent("go");
      return name;
    });
    // Every round asks for the same three things under the same ids; only the second one waits for them.
    const rounds = orchestrator("rounds", async (ctx, round: number): Promise<unknown> => {
      const work = ctx.callActivity(slow, `round ${round}`);
      const timer = ctx.createTimer({ milliseconds: round === 1 ? 2 * world.unitMs : 4 * world.unitMs });
      const sub = ctx.callSubOrchestrator(child, `round ${round}`, { instanceId: `child ${round}` });
      const begun = ctx.currentUtcDateTime.getTime();
      if (round === 1) {
        ctx.continueAsNew(2);
        return undefined;
      }
      const [text, , name] = await ctx.whenAll([work, timer, sub]);
      return { text, name, waited: ctx.currentUtcDateTime.getTime() - begun >= 4 * world.unitMs };
    });
    await world.work({ orchestrators: [rounds, child], activities: [slow] });
    const instance = await world.hub.start(rounds, 1);
    await world.seen(instance, (status) => status.input === 2);
    for (const id of ["child 1", "child 2"]) {
      await world.until(world.hub.instance(id).waitForStart());
      await world.hub.instance(id).raiseEvent("go");
    }
    await world.output(world.hub.instance("child 1"));
    go.give();
    assert.deepEqual(await world.output(instance), { text: "round 2", name: "round 2", waited: true });
  });

  story("its idempotency keys are new ones", async (world) => {
    const keys: string[] = [];
    const notes = activity("notes", async (ctx) => void keys.push(ctx.idempotencyKey));
    const twice = orchestrator("twice", async (ctx, again: boolean) => {
      await ctx.callActivity(notes);
      if (again) ctx.continueAsNew(false);
    });
    await world.work({ orchestrators: [twice], activities: [notes] });
    await world.output(await world.hub.start(twice, true));
    assert.equal(new Set(keys).size, 2);
  });
};
