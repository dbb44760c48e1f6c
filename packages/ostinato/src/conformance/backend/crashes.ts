// crashes: a process ends without a goodbye, at any moment, and nothing is lost, and nothing is twice in the history.

import assert from "node:assert/strict";
import { activity, orchestrator, type HistoryEvent, type StandardSchemaV1 } from "../../index.ts";
import { assertSound } from "./history-rules.ts";
import { historyOf, ofKind, refused, signal, type Chapter, type Signal, type Story, type World } from "./world.ts";

type CrashingWorld = World & { readonly restart: () => Promise<void> };

const collects = orchestrator("collects", async (ctx, n: number) => {
  const got: number[] = [];
  while (got.length < n) got.push(await ctx.waitForExternalEvent<number>("n"));
  return got;
});

export const crashes: Chapter = (story) => {
  const crashing = (promise: string, tell: (world: CrashingWorld) => Promise<void>): ReturnType<Story> => {
    story(promise, async (world) => {
      if (world.restart === undefined) return world.skip("this hub cannot be crashed");
      await tell(world as CrashingWorld);
    });
  };

  crashing("I1, I3 what was acknowledged before a crash is there after it: starts, events, controls, outputs", async (world) => {
    await world.work({ orchestrators: [collects] });
    const done = await world.hub.start(collects, 1, { instanceId: "done", tags: { a: "b" } });
    await done.raiseEvent("n", 1);
    await world.output(done);
    const running = await world.hub.start(collects, 2, { instanceId: "running" });
    await running.raiseEvent("n", 1);
    await world.recorded(running, (history) => ofKind(history, "EventRaised").length === 1);
    await world.hub.start(collects, 1, { instanceId: "held" });
    await world.hub.instance("held").suspend("for now");
    await world.hub.instance("held").raiseEvent("n", 7);
    await world.hub.start("unserved", { x: 1 }, { instanceId: "unserved" });
    await world.hub.start(collects, 1, { instanceId: "purged" });
    await world.hub.instance("purged").terminate();
    await world.failure(world.hub.instance("purged"));
    await world.hub.instance("purged").purge();
    const before = await done.status();
    await world.restart();
    const { hub } = world;
    assert.deepEqual(await hub.instance("done").status(), before);
    assert.deepEqual(await hub.instance("done").result(), [1]);
    assert.deepEqual(
      (await hub.query()).map((status) => [status.id, status.status]),
      [
        ["done", "COMPLETED"],
        ["running", "RUNNING"],
        ["held", "SUSPENDED"],
        ["unserved", "PENDING"],
      ],
    );
    await refused(hub.start(collects, 1, { instanceId: "done" }), "INSTANCE_EXISTS");
    await world.work({ orchestrators: [collects] });
    await hub.instance("running").raiseEvent("n", 2);
    assert.deepEqual(await world.output(hub.instance("running")), [1, 2]);
    assert.equal((await hub.instance("held").status())?.status, "SUSPENDED");
    await hub.instance("held").resume();
    assert.deepEqual(await world.output(hub.instance("held")), [7]);
  });

  crashing("I1 a start that nobody had begun runs after the crash", async (world) => {
    await world.hub.start(collects, 1, { instanceId: "early" });
    await world.hub.instance("early").raiseEvent("n", 3);
    await world.restart();
    await world.work({ orchestrators: [collects] });
    assert.deepEqual(await world.output(world.hub.instance("early")), [3]);
  });

  crashing(
    "A1, H2 a chain of activities goes on where it was; the step under way is delivered again: same attempt, same key",
    async (world) => {
      const deliveries: { n: number; attempt: number; delivery: number; key: string }[] = [];
      let entered: Signal<number> = signal();
      let hangs = true;
      const step = activity("step", async (ctx, n: number) => {
        deliveries.push({ n, attempt: ctx.attempt, delivery: ctx.delivery, key: ctx.idempotencyKey });
        if (hangs && ctx.delivery === 1) {
          entered.give(n);
          await new Promise(() => undefined);
        }
        return n * 10;
      });
      const chain = orchestrator("chain", async (ctx) => {
        const got: number[] = [];
        for (let n = 0; n < 5; n++) got.push(await ctx.callActivity(step, n));
        return got;
      });
      await world.hub.start(chain, undefined, { instanceId: "chain" });
      for (let n = 0; n < 5; n++) {
        await world.work({ orchestrators: [chain], activities: [step] });
        assert.equal(await world.until(entered.given), n);
        entered = signal();
        await world.restart();
        if (n === 3) hangs = false;
        if (n === 3) break;
      }
      await world.work({ orchestrators: [chain], activities: [step] });
      const instance = world.hub.instance(chain, "chain");
      assert.deepEqual(await world.output(instance), [0, 10, 20, 30, 40]);
      assert.deepEqual(
        deliveries.map(({ n, attempt, delivery }) => [n, attempt, delivery]),
        [
          [0, 1, 1],
          [0, 1, 2],
          [1, 1, 1],
          [1, 1, 2],
          [2, 1, 1],
          [2, 1, 2],
          [3, 1, 1],
          [3, 1, 2],
          [4, 1, 1],
        ],
      );
      assert.equal(new Set(deliveries.map((each) => each.key)).size, 5);
      const history = await historyOf(instance);
      assert.equal(ofKind(history, "TaskScheduled").length, 5);
      assert.equal(ofKind(history, "TaskCompleted").length, 5);
    },
  );

  crashing("S1 the second attempt of a child tells its end to its own call, also when its process has died in between", async (world) => {
    let attempts = 0;
    const child = orchestrator("child", async (ctx) => {
      if (ctx.parent?.taskScheduledId === 1) throw new Error(`attempt ${++attempts}`);
      return await ctx.waitForExternalEvent("go");
    });
    const parent = orchestrator("parent", async (ctx) => {
      const retry = { maxNumberOfAttempts: 2, firstRetryInterval: { milliseconds: world.unitMs } };
      return await ctx.callSubOrchestrator(child, undefined, { instanceId: "kid", retry, tags: { of: "parent" } });
    });
    await world.work({ orchestrators: [parent, child] });
    await world.hub.start(parent, undefined, { instanceId: "parent" });
    await world.seen(
      world.hub.instance("kid"),
      (status) => status.status === "RUNNING" && attempts > 0 && status.awaitedEvents.length === 1,
      "passes",
    );
    await world.restart();
    await world.work({ orchestrators: [parent, child] });
    await world.hub.instance("kid").raiseEvent("go", "done");
    assert.equal(await world.output(world.hub.instance("parent")), "done");
    assert.deepEqual(
      (await world.hub.query({ tags: { of: "parent" } })).map((status) => status.id),
      ["kid"],
    );
  });

  crashing("A3, L2 the result of an activity that a dead process finishes later is nobody's", async (world) => {
    const entered = signal();
    const zombie = signal<string>();
    const slow = activity("slow", async (ctx) => {
      if (ctx.delivery > 1) return "the second delivery";
      entered.give();
      return await zombie.given;
    });
    const calls = orchestrator("calls", async (ctx) => [await ctx.callActivity(slow), await ctx.waitForExternalEvent("go")]);
    await world.work({ orchestrators: [calls], activities: [slow] });
    await world.hub.start(calls, undefined, { instanceId: "calls" });
    await world.until(entered.given);
    await world.restart();
    zombie.give("the dead one's");
    await world.work({ orchestrators: [calls], activities: [slow] });
    const instance = world.hub.instance(calls, "calls");
    await instance.raiseEvent("go", 1);
    assert.deepEqual(await world.output(instance), ["the second delivery", 1]);
  });

  crashing(
    "A1, H2 a fan-out of two hundred loses nothing and counts nothing twice, crashed again and again in the middle",
    async (world) => {
      const ends = new Map<number, number>();
      let allowed = 0;
      let halfWay: Signal = signal();
      const work = activity("work", async (_ctx, n: number) => {
        if (allowed === 0) {
          halfWay.give();
          await new Promise(() => undefined);
        }
        allowed--;
        ends.set(n, (ends.get(n) ?? 0) + 1);
        return n;
      });
      const fanOut = orchestrator("fanOut", async (ctx) => {
        const all = await ctx.whenAll(Array.from({ length: 200 }, (_, n) => ctx.callActivity(work, n)));
        return all.reduce((a, b) => a + b, 0);
      });
      await world.hub.start(fanOut, undefined, { instanceId: "fan-out" });
      for (let crash = 0; crash < 4; crash++) {
        allowed = 40;
        halfWay = signal();
        await world.work({ orchestrators: [fanOut], activities: [work], concurrency: { activities: 16 } });
        await world.until(halfWay.given);
        await world.restart();
      }
      allowed = Number.POSITIVE_INFINITY;
      await world.work({ orchestrators: [fanOut], activities: [work] });
      const instance = world.hub.instance(fanOut, "fan-out");
      assert.equal(await world.output(instance), (200 * 199) / 2);
      assert.equal(ofKind(await historyOf(instance), "TaskCompleted").length, 200);
      assert.equal(ends.size, 200);
    },
  );

  crashing("T2 a timer that was due while nobody was there fires once, when somebody is; one that is not due waits on", async (world) => {
    const naps = orchestrator("naps", async (ctx, units: number) => {
      const begun = ctx.currentUtcDateTime.getTime();
      await ctx.createTimer({ milliseconds: units * world.unitMs });
      return ctx.currentUtcDateTime.getTime() - begun >= units * world.unitMs;
    });
    await world.work({ orchestrators: [naps] });
    for (const [id, units] of Object.entries({ short: 1, middle: 8, long: 16 })) await world.hub.start(naps, units, { instanceId: id });
    for (const id of ["short", "middle", "long"])
      await world.recorded(world.hub.instance(id), (history) => ofKind(history, "TimerCreated").length === 1);
    await world.restart();
    await world.work({ orchestrators: [naps] });
    await world.restart();
    await world.work({ orchestrators: [naps] });
    for (const id of ["short", "middle", "long"]) {
      const instance = world.hub.instance(naps, id);
      assert.equal(await world.output(instance), true, id);
      assert.equal(ofKind(await historyOf(instance), "TimerFired").length, 1, id);
    }
  });

  crashing("a start for later is kept over a crash, and runs not before its time (T1)", async (world) => {
    const times = orchestrator("times", async (ctx) => ctx.currentUtcDateTime.getTime());
    const startAt = new Date((await world.now()) + 50 * world.unitMs);
    await world.hub.start(times, undefined, { instanceId: "later", startAt });
    await world.restart();
    await world.work({ orchestrators: [times] });
    assert.deepEqual((await world.hub.instance("later").status())?.scheduledAt, startAt);
    const begun = await world.output(world.hub.instance(times, "later"));
    assert.ok(begun >= startAt.getTime());
  });

  crashing("I5 events are received once each and in order, with a crash after every few", async (world) => {
    await world.hub.start(collects, 20, { instanceId: "collects" });
    for (let n = 0; n < 20; n++) {
      if (n % 5 === 0) {
        if (n > 0) await world.restart();
        if (n !== 10) await world.work({ orchestrators: [collects] });
      }
      await world.hub.instance("collects").raiseEvent("n", n);
    }
    await world.restart();
    await world.work({ orchestrators: [collects] });
    assert.deepEqual(
      await world.output(world.hub.instance("collects")),
      Array.from({ length: 20 }, (_, n) => n),
    );
  });

  crashing("I5 events carried over a continue-as-new are not lost by a crash right after it", async (world) => {
    const rounds = orchestrator("rounds", async (ctx, got: readonly number[]): Promise<readonly number[]> => {
      const all = [...got, await ctx.waitForExternalEvent<number>("n")];
      ctx.setCustomStatus(all.length);
      if (all.length % 3 === 0) await ctx.waitForExternalEvent("on");
      if (all.length < 9) ctx.continueAsNew(all);
      return all;
    });
    await world.hub.start(rounds, [], { instanceId: "rounds" });
    for (let n = 0; n < 9; n++) await world.hub.instance("rounds").raiseEvent("n", n);
    for (const count of [3, 6, 9]) {
      await world.work({ orchestrators: [rounds] });
      await world.seen(world.hub.instance("rounds"), (status) => status.customStatus === count);
      await world.restart();
      await world.hub.instance("rounds").raiseEvent("on");
    }
    await world.work({ orchestrators: [rounds] });
    assert.deepEqual(await world.output(world.hub.instance("rounds")), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  crashing("S1 a child runs once and its end reaches its parent once, with crashes before, in and after it", async (world) => {
    const runs: string[] = [];
    let entered: Signal = signal();
    let hangs = true;
    const step = activity("step", async (ctx) => {
      runs.push(ctx.instanceId);
      if (hangs) {
        entered.give();
        await new Promise(() => undefined);
      }
    });
    const child = orchestrator("child", async (ctx, n: number) => {
      await ctx.callActivity(step);
      return n * 2;
    });
    const parent = orchestrator("parent", async (ctx) => {
      const first = await ctx.callSubOrchestrator(child, 1, { instanceId: "first" });
      const [second, third] = await ctx.whenAll([
        ctx.callSubOrchestrator(child, first + 1, { instanceId: "second" }),
        ctx.callSubOrchestrator(child, first + 2, { instanceId: "third" }),
      ]);
      return [first, second, third];
    });
    await world.hub.start(parent, undefined, { instanceId: "parent" });
    await world.work({ orchestrators: [parent] });
    await world.recorded(world.hub.instance("parent"), (history) => ofKind(history, "SubOrchestrationInstanceCreated").length === 1);
    await world.restart();
    await world.work({ orchestrators: [parent, child], activities: [step] });
    await world.until(entered.given);
    await world.restart();
    hangs = false;
    await world.work({ orchestrators: [child], activities: [step] });
    await world.output(world.hub.instance("first"));
    hangs = true;
    entered = signal();
    await world.restart();
    await world.work({ orchestrators: [parent, child], activities: [step] });
    await world.until(entered.given);
    await world.restart();
    hangs = false;
    await world.work({ orchestrators: [parent, child], activities: [step] });
    const instance = world.hub.instance(parent, "parent");
    assert.deepEqual(await world.output(instance), [2, 6, 8]);
    assert.equal(ofKind(await historyOf(instance), "SubOrchestrationInstanceCompleted").length, 3);
    assert.equal((await world.hub.query({ parentInstanceId: "parent" })).length, 3);
  });

  crashing("C3 a recursive terminate that a crash cuts short reaches everybody all the same", async (world) => {
    const leaf = orchestrator("leaf", async (ctx) => void (await ctx.waitForExternalEvent("never")));
    const tree = orchestrator("tree", async (ctx, depth: number): Promise<void> => {
      const calls = Array.from({ length: 4 }, (_, n) =>
        depth === 0
          ? ctx.callSubOrchestrator(leaf, undefined, { instanceId: `${ctx.instanceId}.${n}` })
          : ctx.callSubOrchestrator<number, void>("tree", depth - 1, { instanceId: `${ctx.instanceId}.${n}` }),
      );
      await ctx.whenAll(calls);
    });
    await world.work({ orchestrators: [tree, leaf] });
    await world.hub.start(tree, 1, { instanceId: "t" });
    for (let n = 0; n < 16; n++) await world.recorded(world.hub.instance(`t.${n >> 2}.${n & 3}`), (history) => history.length > 0);
    await world.hub.instance("t").terminate({ recursive: true });
    await world.restart();
    await world.work({ orchestrators: [tree, leaf] });
    const all = ["t", ...[0, 1, 2, 3].flatMap((n) => [`t.${n}`, ...[0, 1, 2, 3].map((m) => `t.${n}.${m}`)])];
    for (const id of all) assert.equal((await world.failure(world.hub.instance(id))).code, "ORCHESTRATION_TERMINATED", id);
  });

  crashing(
    "R4 an activity at which its process ends every time is set aside, visibly; others go on, and it can be terminated",
    async (world) => {
      let entered: Signal = signal();
      const poison = activity("poison", async () => {
        entered.give();
        await new Promise(() => undefined);
      });
      const healthy = activity("healthy", async () => "healthy");
      const swallows = orchestrator("swallows", async (ctx) => void (await ctx.callActivity(poison)));
      const lives = orchestrator("lives", async (ctx) => await ctx.callActivity(healthy));
      const all = { orchestrators: [swallows, lives], activities: [poison, healthy] };
      await world.hub.start(swallows, undefined, { instanceId: "poisoned" });
      for (let delivery = 1; delivery <= 10; delivery++) {
        await world.work(all);
        await world.until(entered.given);
        entered = signal();
        await world.restart();
      }
      await world.work(all);
      const status = await world.seen(world.hub.instance("poisoned"), (each) => each.stall !== undefined);
      assert.equal(status.stall?.kind, "set-aside");
      assert.match(status.stall.reason, /'poison'/);
      assert.match(status.waitingFor.join("\n"), /operator/);
      assert.equal(await world.output(await world.hub.start(lives)), "healthy");
      await world.hub.instance("poisoned").terminate();
      assert.equal((await world.failure(world.hub.instance("poisoned"))).code, "ORCHESTRATION_TERMINATED");
    },
  );

  crashing("R4 an instance in whose turn its process ends every time is set aside; resumed, it is tried again", async (world) => {
    let entered: Signal = signal();
    let hangs = true;
    const poison: StandardSchemaV1<string, string> = {
      "~standard": {
        version: 1,
        vendor: "kit",
        // A start by name is checked in its first turn: that is where this process ends.
        validate: async (value) => {
          entered.give();
          if (hangs) await new Promise(() => undefined);
          return { value: value as string };
        },
      },
    };
    const swallows = orchestrator("swallows", { input: poison }, async (_ctx, text) => text);
    const healthy = orchestrator("healthy", async () => "healthy");
    await world.hub.start("swallows", "poison", { instanceId: "poisoned" });
    for (let claim = 1; claim <= 10; claim++) {
      await world.work({ orchestrators: [swallows, healthy] });
      await world.until(entered.given);
      entered = signal();
      await world.restart();
    }
    await world.work({ orchestrators: [swallows, healthy] });
    const status = await world.seen(world.hub.instance("poisoned"), (each) => each.stall !== undefined);
    assert.equal(status.stall?.kind, "set-aside");
    assert.match(status.stall.reason, /'swallows'/);
    assert.equal(await world.output(await world.hub.start(healthy)), "healthy");
    hangs = false;
    await world.hub.instance("poisoned").suspend();
    await world.hub.instance("poisoned").resume();
    assert.equal(await world.output(world.hub.instance("poisoned")), "poison");
  });

  crashing(
    "H5, D1 crashed after any of the first steps, a program with everything in it ends as if nothing had happened",
    async (world) => {
      const step = activity("step", async (_ctx, n: number) => n);
      const child = orchestrator("child", async (ctx, n: number) => (await ctx.callActivity(step, n)) * 2);
      let length = 0;
      const everything = orchestrator("everything", async (ctx, again: number): Promise<unknown> => {
        const [a, b] = await ctx.whenAll([ctx.callActivity(step, 1), ctx.callSubOrchestrator(child, 2)]);
        ctx.setCustomStatus(`round ${again}`);
        await ctx.createTimer({ milliseconds: world.unitMs });
        ctx.sendEvent(ctx.instanceId, "self", a + b);
        const sum = await ctx.waitForExternalEvent<number>("SELF");
        const got = await ctx.first({ late: ctx.createTimer("900d"), work: ctx.callActivity(step, sum) });
        if (again > 0) ctx.continueAsNew(again - 1);
        return { got, guid: ctx.newGuid().length };
      });
      const all = { orchestrators: [everything, child], activities: [step] };
      const expected = { got: { key: "work", value: 5 }, guid: 36 };
      for (let crash = 1; crash <= 12; crash++) {
        const id = `crashed after ${crash}`;
        await world.work(all);
        await world.hub.start(everything, 1, { instanceId: id });
        // The crash comes at the first sight of so many events, wherever the program is then.
        let seen: readonly HistoryEvent[] = [];
        await world.recorded(
          world.hub.instance(id),
          (history) => {
            seen = history;
            return history.length >= crash || ofKind(history, "ExecutionCompleted").length > 0;
          },
          "passes",
        );
        length = Math.max(length, seen.length);
        await world.restart();
        await world.work(all);
        const instance = world.hub.instance(everything, id);
        assert.deepEqual(await world.output(instance), expected, id);
        assert.equal((await instance.status())?.customStatus, "round 0");
        for (const { id: childId } of await world.hub.query({ parentInstanceId: id })) {
          const history = await world.hub.instance(childId).history();
          assertSound(history);
          assert.equal(ofKind(history, "ExecutionCompleted").length, 1, childId);
        }
      }
      assert.ok(length > 5, "the crashes came at different moments");
    },
  );
};
