// rewind: a failed instance goes on where it failed, with what failed and nothing else.

import assert from "node:assert/strict";
import { activity, orchestrator } from "../../index.ts";
import { historyOf, ofKind, refused, signal, type Chapter } from "./world.ts";

/** An activity that fails until it is mended, and counts how often it ran for each input. */
function brittle() {
  const runs: string[] = [];
  const keys: string[] = [];
  const state = { broken: true };
  const work = activity("work", async (ctx, name: string) => {
    runs.push(name);
    keys.push(`${name} ${ctx.idempotencyKey}`);
    if (state.broken && name.startsWith("bad")) throw new Error(`${name} is broken`);
    return `${name} done`;
  });
  return { work, runs, keys, state, count: (name: string) => runs.filter((each) => each === name).length };
}

export const rewind: Chapter = (story) => {
  story("C6 what failed is tried again and what succeeded is not; the key of a call that is tried again stays", async (world) => {
    const { work, runs, keys, state } = brittle();
    const chain = orchestrator("chain", async (ctx) => {
      const before = await ctx.callActivity(work, "before");
      const all = await ctx.whenAll(["good", "bad", "good too"].map((name) => ctx.callActivity(work, name)));
      return [before, ...all, await ctx.callActivity(work, "after")];
    });
    await world.work({ orchestrators: [chain], activities: [work] });
    const instance = await world.hub.start(chain, undefined, { tags: { team: "it" } });
    assert.match((await world.failure(instance)).message, /bad is broken/);
    const failed = await instance.status();
    state.broken = false;
    await instance.rewind("mended");
    assert.deepEqual(await world.output(instance), ["before done", "good done", "bad done", "good too done", "after done"]);
    assert.deepEqual(runs.toSorted(), ["after", "bad", "bad", "before", "good", "good too"]);
    const badKeys = keys.filter((key) => key.startsWith("bad "));
    assert.equal(new Set(badKeys).size, 1, "A2 the idempotency key is that of the call");
    const status = await instance.status();
    assert.notEqual(status?.executionId, failed?.executionId);
    assert.deepEqual([status?.failure, status?.tags, status?.createdAt], [undefined, { team: "it" }, failed?.createdAt]);
    const history = await historyOf(instance);
    assert.deepEqual(
      ofKind(history, "ExecutionRewound").map((event) => event.reason),
      ["mended"],
    );
  });

  story("C6 it can be rewound again and again; each time it fails there is one end more in its history", async (world) => {
    const { work, state, count } = brittle();
    const calls = orchestrator("calls", async (ctx) => {
      const good = await ctx.callActivity(work, "good");
      return [good, await ctx.callActivity(work, "bad")];
    });
    await world.work({ orchestrators: [calls], activities: [work] });
    const instance = await world.hub.start(calls);
    await world.failure(instance);
    for (let round = 2; round <= 4; round++) {
      await instance.rewind(`round ${round}`);
      await world.failure(instance);
      assert.equal(count("bad"), round);
    }
    state.broken = false;
    await instance.rewind();
    assert.deepEqual(await world.output(instance), ["good done", "bad done"]);
    assert.equal(count("good"), 1);
    assert.equal(ofKind(await historyOf(instance), "ExecutionCompleted").length, 5);
  });

  story("a call with a retry policy is tried afresh: with all its attempts, beside branches that went on meanwhile", async (world) => {
    const { work, state, count } = brittle();
    const retry = { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } };
    const calls = orchestrator("calls", async (ctx) => {
      const steady = async (): Promise<string[]> => {
        const got: string[] = [];
        for (let n = 0; n < 5; n++) {
          await ctx.createTimer({ milliseconds: world.unitMs });
          got.push(await ctx.callActivity(work, `step ${n}`));
        }
        return got;
      };
      const bad = ctx.callActivity(work, "bad", { retry });
      const steps = steady();
      return [await bad, ...(await steps)];
    });
    await world.work({ orchestrators: [calls], activities: [work] });
    const instance = await world.hub.start(calls);
    await world.failure(instance);
    assert.equal(count("bad"), 3);
    await instance.rewind();
    await world.failure(instance);
    assert.equal(count("bad"), 6, "all attempts once more");
    state.broken = false;
    await instance.rewind();
    assert.deepEqual(await world.output(instance), ["bad done", ...[0, 1, 2, 3, 4].map((n) => `step ${n} done`)]);
    assert.equal(count("bad"), 7);
    for (let n = 0; n < 5; n++) assert.ok(count(`step ${n}`) >= 1);
  });

  story("a failure that the code had caught, and gone on from, stays caught", async (world) => {
    const { work, state, count } = brittle();
    const saga = orchestrator("saga", async (ctx) => {
      let first: string;
      try {
        first = await ctx.callActivity(work, "bad but caught");
      } catch {
        first = await ctx.callActivity(work, "instead");
      }
      return [first, await ctx.callActivity(work, "bad")];
    });
    await world.work({ orchestrators: [saga], activities: [work] });
    const instance = await world.hub.start(saga);
    await world.failure(instance);
    state.broken = false;
    await instance.rewind();
    assert.deepEqual(await world.output(instance), ["instead done", "bad done"]);
    assert.deepEqual([count("bad but caught"), count("instead"), count("bad")], [1, 1, 2]);
  });

  story("what was open when it failed is open again: timers keep their time, activities are called again", async (world) => {
    const { work, state } = brittle();
    const hangs = signal();
    const go = signal();
    let entered = 0;
    const slow = activity("slow", async () => {
      entered++;
      hangs.give();
      await go.given;
      return "slow";
    });
    const calls = orchestrator("calls", async (ctx) => {
      const begun = ctx.currentUtcDateTime.getTime();
      const late = ctx.createTimer({ milliseconds: 5 * world.unitMs });
      const open = ctx.callActivity(slow);
      await ctx.callActivity(work, "bad");
      const result = await open;
      await late;
      return [result, ctx.currentUtcDateTime.getTime() - begun >= 5 * world.unitMs];
    });
    await world.work({ orchestrators: [calls], activities: [work, slow] });
    const instance = await world.hub.start(calls);
    await world.until(hangs.given);
    await world.failure(instance);
    state.broken = false;
    go.give();
    await instance.rewind();
    assert.deepEqual(await world.output(instance), ["slow", true]);
    assert.equal(entered, 2);
  });

  story("C6 failed children are rewound with their parent, to the leaf; those that succeeded are left alone", async (world) => {
    const { work, state, count } = brittle();
    const leaf = orchestrator("leaf", async (ctx, name: string) => [
      await ctx.callActivity(work, `begin ${name}`),
      await ctx.callActivity(work, name),
    ]);
    const middle = orchestrator("middle", async (ctx, names: string[]) =>
      (await ctx.whenAll(names.map((name) => ctx.callSubOrchestrator(leaf, name, { instanceId: `leaf ${name}` })))).flat(),
    );
    const top = orchestrator("top", async (ctx) => {
      const [a, b] = await ctx.whenAll([ctx.callSubOrchestrator(middle, ["bad 1", "good 1"]), ctx.callSubOrchestrator(middle, ["good 2"])]);
      return [...a, ...b].length;
    });
    await world.work({ orchestrators: [top, middle, leaf], activities: [work] });
    const instance = await world.hub.start(top);
    await world.failure(instance);
    const good = await world.hub.instance("leaf good 1").status();
    state.broken = false;
    await instance.rewind("mended");
    assert.equal(await world.output(instance), 6);
    assert.deepEqual([count("bad 1"), count("begin bad 1"), count("good 1"), count("good 2")], [2, 1, 1, 1]);
    assert.deepEqual((await world.hub.instance("leaf good 1").status())?.executionId, good?.executionId);
    assert.equal(
      await world.hub
        .instance("leaf bad 1")
        .result()
        .then((all) => (all as string[]).length),
      2,
    );
    assert.deepEqual(
      ofKind(await historyOf(world.hub.instance("leaf bad 1")), "ExecutionRewound").map((event) => event.reason),
      ["mended"],
    );
    assert.equal((await world.hub.query({ name: "leaf" })).length, 3);
  });

  story(
    "children that were purged are started again; a terminated one too; one that runs, or has completed since, tells its end",
    async (world) => {
      const { work, state } = brittle();
      const child = orchestrator("child", async (ctx, name: string) => {
        if (name.startsWith("waits")) await ctx.waitForExternalEvent("go");
        return await ctx.callActivity(work, name);
      });
      const parent = orchestrator("parent", async (ctx) => {
        const all = ["bad purged", "waits, ends early", "waits, ends late", "waits, terminated"].map((name) =>
          ctx.callSubOrchestrator(child, name, { instanceId: name }),
        );
        await all[0];
        return await ctx.whenAll(all);
      });
      await world.work({ orchestrators: [parent, child], activities: [work] });
      const instance = await world.hub.start(parent);
      await world.failure(instance);
      await world.hub.instance("bad purged").purge();
      await world.hub.instance("waits, ends early").raiseEvent("go");
      await world.output(world.hub.instance("waits, ends early"));
      await world.hub.instance("waits, terminated").terminate();
      await world.failure(world.hub.instance("waits, terminated"));
      state.broken = false;
      await instance.rewind();
      await world.seen(world.hub.instance("waits, terminated"), (status) => status.status === "RUNNING");
      await world.hub.instance("waits, terminated").raiseEvent("go");
      await world.hub.instance("waits, ends late").raiseEvent("go");
      assert.deepEqual(await world.output(instance), [
        "bad purged done",
        "waits, ends early done",
        "waits, ends late done",
        "waits, terminated done",
      ]);
    },
  );

  story("a retried child of an earlier attempt is the one that is rewound", async (world) => {
    const { work, state, count } = brittle();
    const child = orchestrator("child", async (ctx) => await ctx.callActivity(work, "bad"));
    const parent = orchestrator("parent", async (ctx) => {
      const retry = { maxNumberOfAttempts: 2, firstRetryInterval: { milliseconds: world.unitMs } };
      return await ctx.callSubOrchestrator(child, undefined, { instanceId: "the child", retry });
    });
    await world.work({ orchestrators: [parent, child], activities: [work] });
    const instance = await world.hub.start(parent);
    const first = await world.seen(world.hub.instance("the child"), (status) => status.status === "FAILED");
    await world.failure(instance);
    assert.equal(count("bad"), 2);
    assert.deepEqual((await world.hub.instance("the child").status())?.createdAt, first.createdAt, "an attempt is no new instance");
    state.broken = false;
    await instance.rewind();
    assert.equal(await world.output(instance), "bad done");
    assert.equal(count("bad"), 3);
  });

  story(
    "H2 a child that is rewound on its own goes on for itself: its parent, which went on without it, hears no second answer",
    async (world) => {
      const { work, state } = brittle();
      const child = orchestrator("child", async (ctx) => await ctx.callActivity(work, "bad"));
      const parent = orchestrator("parent", async (ctx) => {
        const got = await ctx.callSubOrchestrator(child, undefined, { instanceId: "kid" }).then(
          () => "the child's result",
          () => "no result",
        );
        await ctx.waitForExternalEvent("go");
        return [got, await ctx.callActivity(work, "bad")];
      });
      await world.work({ orchestrators: [parent, child], activities: [work] });
      const instance = await world.hub.start(parent);
      const kid = world.hub.instance("kid");
      await world.seen(kid, (status) => status.status === "FAILED");
      state.broken = false;
      await kid.rewind();
      assert.equal(await world.output(kid), "bad done");
      assert.equal((await kid.status())?.parentInstanceId, instance.id);
      state.broken = true;
      await instance.raiseEvent("go");
      await world.failure(instance);
      state.broken = false;
      await instance.rewind();
      assert.deepEqual(await world.output(instance), ["no result", "bad done"]);
      const ends = (await historyOf(instance)).filter((event) => event.kind.startsWith("SubOrchestrationInstance")).map(({ kind }) => kind);
      assert.deepEqual(ends, ["SubOrchestrationInstanceCreated", "SubOrchestrationInstanceFailed"]);
    },
  );

  story("an orchestrator that failed by its own code runs on with the code of now, or fails once more", async (world) => {
    const { work, count } = brittle();
    const state = { broken: true };
    const calls = orchestrator("calls", async (ctx) => {
      const got = await ctx.callActivity(work, "first");
      if (state.broken) throw new Error("a bug");
      return [got, await ctx.callActivity(work, "second")];
    });
    await world.work({ orchestrators: [calls], activities: [work] });
    const instance = await world.hub.start(calls);
    await world.failure(instance);
    await instance.rewind();
    assert.match((await world.failure(instance)).message, /a bug/);
    state.broken = false;
    await instance.rewind();
    assert.deepEqual(await world.output(instance), ["first done", "second done"]);
    assert.deepEqual([count("first"), count("second")], [1, 1]);
  });

  story("only a failed instance is rewound", async (world) => {
    const waits = orchestrator("waits", async (ctx) => void (await ctx.waitForExternalEvent("go")));
    await refused(world.hub.instance("nobody").rewind(), "INSTANCE_NOT_FOUND");
    const instance = await world.hub.start(waits);
    await refused(instance.rewind(), "INVALID_STATE");
    await world.work({ orchestrators: [waits] });
    await world.until(instance.waitForStart());
    assert.match((await refused(instance.rewind(), "INVALID_STATE")).message, /RUNNING.*failed/);
    await instance.raiseEvent("go");
    await world.output(instance);
    await refused(instance.rewind(), "INVALID_STATE");
  });

  story(
    "C6 whoever waits for a failed instance that was rewound waits for its new end; a crash in between changes nothing",
    async (world) => {
      if (world.restart === undefined) return world.skip("this hub cannot be crashed");
      const { work, state, count } = brittle();
      const child = orchestrator("child", async (ctx, name: string) => await ctx.callActivity(work, name));
      const parent = orchestrator(
        "parent",
        async (ctx) => await ctx.whenAll(["bad", "good"].map((name) => ctx.callSubOrchestrator(child, name, { instanceId: name }))),
      );
      await world.work({ orchestrators: [parent, child], activities: [work] });
      await world.hub.start(parent, undefined, { instanceId: "parent" });
      await world.failure(world.hub.instance("parent"));
      state.broken = false;
      await world.restart();
      await world.hub.instance("parent").rewind();
      await world.restart();
      await world.work({ orchestrators: [parent, child], activities: [work] });
      assert.deepEqual(await world.output(world.hub.instance("parent")), ["bad done", "good done"]);
      assert.deepEqual([count("bad"), count("good")], [2, 1]);
      assert.equal((await world.hub.instance("parent").status())?.status, "COMPLETED");
    },
  );
};
