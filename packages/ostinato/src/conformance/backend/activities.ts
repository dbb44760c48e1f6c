// activities: steps that do something in the world: how many at once, with what in hand, and for how long.

import assert from "node:assert/strict";
import { activity, orchestrator, type ActivityContext, type StandardSchemaV1 } from "../../index.ts";
import { historyOf, ofKind, signal, type Chapter, type Signal } from "./world.ts";

export const activities: Chapter = (story) => {
  story("A2 a thousand activities at once run once each, and their results come in the order of the calls", async (world) => {
    const ran = new Map<number, number>();
    const square = activity("square", async (_ctx, n: number) => {
      ran.set(n, (ran.get(n) ?? 0) + 1);
      return n * n;
    });
    const fanOut = orchestrator("fanOut", async (ctx, n: number) => {
      const squares = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.callActivity(square, i)));
      return squares;
    });
    await world.work({ orchestrators: [fanOut], activities: [square] });
    const instance = await world.hub.start(fanOut, 1_000);
    const squares = await world.output(instance);
    assert.deepEqual(
      squares,
      Array.from({ length: 1_000 }, (_, i) => i * i),
    );
    assert.equal(ran.size, 1_000);
    assert.deepEqual(new Set(ran.values()), new Set([1]));
  });

  story("A2 a fan-out that is wider than the worker waits its turn, and loses nothing", async (world) => {
    let running = 0;
    let most = 0;
    const work = activity("work", async (_ctx, n: number) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return n;
    });
    const fanOut = orchestrator(
      "fanOut",
      async (ctx) => await ctx.whenAll(Array.from({ length: 200 }, (_, i) => ctx.callActivity(work, i))),
    );
    await world.work({ orchestrators: [fanOut], activities: [work], concurrency: { activities: 3 }, warm: { bytes: 0 } });
    assert.deepEqual(
      await world.output(await world.hub.start(fanOut)),
      Array.from({ length: 200 }, (_, i) => i),
    );
    assert.ok(most <= 3, `three at once were allowed, ${most} ran`);
  });

  for (const warm of [{}, { bytes: 0 }]) {
    story(`ctx.map keeps so many under way, and no more${"bytes" in warm ? ", replayed" : ""}`, async (world) => {
      let running = 0;
      let most = 0;
      const full = signal();
      const measure = activity("measure", async (_ctx, n: number) => {
        most = Math.max(most, ++running);
        if (running === 4) full.give();
        await full.given;
        await Promise.resolve();
        running--;
        return n * 10;
      });
      const maps = orchestrator(
        "maps",
        async (ctx) =>
          await ctx.map(
            Array.from({ length: 25 }, (_, i) => i),
            async (n, index) => (await ctx.callActivity(measure, n)) + index,
            { concurrency: 4 },
          ),
      );
      await world.work({ orchestrators: [maps], activities: [measure], warm });
      assert.deepEqual(
        await world.output(await world.hub.start(maps)),
        Array.from({ length: 25 }, (_, i) => i * 11),
      );
      assert.equal(most, 4);
    });
  }

  story("ctx.map of nothing gives nothing; one failure is thrown when every item was tried", async (world) => {
    const tried: number[] = [];
    const picky = activity("picky", async (_ctx, n: number) => {
      tried.push(n);
      if (n % 2 === 1) throw new Error(`odd ${n}`);
      return n;
    });
    const maps = orchestrator("maps", async (ctx) => {
      const none = await ctx.map([], () => 1);
      try {
        await ctx.map([0, 1, 2, 3], (n) => ctx.callActivity(picky, n), { concurrency: 1 });
        return undefined;
      } catch (error) {
        return { none, message: ((error as Error).cause as Error).message };
      }
    });
    await world.work({ orchestrators: [maps], activities: [picky] });
    assert.deepEqual(await world.output(await world.hub.start(maps)), { none: [], message: "odd 1" });
    assert.deepEqual(tried, [0, 1, 2, 3]);
  });

  story("an activity knows who called it, by which name and number, and with which tags", async (world) => {
    const facts = activity("facts", async (ctx: ActivityContext) => {
      const { instanceId, taskId, name, attempt, delivery, tags } = ctx;
      ctx.heartbeat();
      ctx.log.debug("alive");
      return { instanceId, taskId, name, attempt, delivery, tags, aborted: ctx.signal.aborted };
    });
    const asks = orchestrator("asks", async (ctx) => {
      await ctx.callActivity(facts);
      return await ctx.callActivity(facts, undefined, { tags: { of: "mine" } });
    });
    await world.work({ orchestrators: [asks], activities: [facts] });
    const instance = await world.hub.start(asks, undefined, { instanceId: "caller" });
    assert.deepEqual(await world.output(instance), {
      instanceId: "caller",
      taskId: 2,
      name: "facts",
      attempt: 1,
      delivery: 1,
      tags: { of: "mine" },
      aborted: false,
    });
    assert.deepEqual(ofKind(await historyOf(instance), "TaskScheduled")[1]?.tags, { of: "mine" });
  });

  story("an activity can be called by its definition, its contract, its body and its name", async (world) => {
    const body = async (_ctx: ActivityContext, n: number): Promise<number> => n + 1;
    const definition = activity("plusOne", body);
    const contract = activity("plusTwo", {
      input: { "~standard": { version: 1, vendor: "kit", validate: (value) => ({ value: value as number }) } },
      output: { "~standard": { version: 1, vendor: "kit", validate: (value) => ({ value: value as number }) } },
    });
    const plusTwo = contract.run(async (_ctx, n) => (n as number) + 2);
    const calls = orchestrator("calls", async (ctx) => [
      await ctx.callActivity(definition, 1),
      await ctx.callActivity(body, 2),
      await ctx.callActivity<number, number>("plusOne", 3),
      await ctx.callActivity(contract, 4),
    ]);
    await world.work({ orchestrators: [calls], activities: [definition, plusTwo] });
    assert.deepEqual(await world.output(await world.hub.start(calls)), [2, 3, 4, 6]);
  });

  story("declared errors are told apart by ctx.try, every other failure is 'failed'", async (world) => {
    const shortage: StandardSchemaV1<{ readonly left: number }> = {
      "~standard": { version: 1, vendor: "kit", validate: (value) => ({ value: value as { readonly left: number } }) },
    };
    const reserve = activity("reserve", { errors: { OutOfStock: shortage } }, async (ctx, n: number) => {
      if (n > 10) ctx.fail("OutOfStock", { left: 10 });
      if (n < 0) throw new RangeError("negative");
      return n;
    });
    const tries = orchestrator("tries", async (ctx) => {
      const told: unknown[] = [];
      for (const n of [5, 50, -1]) {
        const got = await ctx.try(reserve, n);
        if (got.ok) told.push(got.value);
        else if (got.error.tag === "OutOfStock") told.push(got.error.data.left);
        else told.push(got.error.tag, got.error.data.errorType);
      }
      return told;
    });
    await world.work({ orchestrators: [tries], activities: [reserve] });
    assert.deepEqual(await world.output(await world.hub.start(tries)), [5, 10, "failed", "RangeError"]);
  });

  story("R8 whatever an activity throws, in whatever way, is its failure", async (world) => {
    const throwing: Readonly<Record<string, () => unknown>> = {
      atOnce: () => {
        throw new TypeError("at once");
      },
      text: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- activities do throw texts
        throw "text";
      },
      nothing: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- activities do throw nothing
        throw undefined;
      },
      later: async () => {
        await Promise.resolve();
        throw new SyntaxError("later");
      },
    };
    const runs = Object.entries(throwing).map(([name, run]) => activity(name, run));
    const calls = orchestrator("calls", async (ctx) => {
      const types: (string | undefined)[] = [];
      for (const run of runs) {
        const got = await ctx.try(run);
        types.push(got.ok ? "no failure" : (got.error.data as { errorType: string }).errorType);
      }
      return types;
    });
    await world.work({ orchestrators: [calls], activities: runs });
    assert.deepEqual(await world.output(await world.hub.start(calls)), ["TypeError", "UnknownError", "UnknownError", "SyntaxError"]);
  });

  story(
    "A6 the signal of a running activity is aborted when its orchestration is terminated, and its result counts no more",
    async (world) => {
      const entered = signal<AbortSignal>();
      const aborted = signal();
      const works = activity("works", async (ctx) => {
        entered.give(ctx.signal);
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        aborted.give();
        return "too late";
      });
      const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(works));
      await world.work({ orchestrators: [calls], activities: [works] });
      const instance = await world.hub.start(calls);
      const running = await entered.given;
      assert.equal(running.aborted, false);
      await instance.terminate({ output: "enough" });
      const error = await world.failure(instance);
      assert.deepEqual([error.code, error.output], ["ORCHESTRATION_TERMINATED", "enough"]);
      await world.until(aborted.given);
      assert.equal(running.aborted, true);
      assert.deepEqual(ofKind(await historyOf(instance), "TaskCompleted"), []);
    },
  );

  story("A6 after the end of an orchestration none of its waiting activities begins", async (world) => {
    const begun: number[] = [];
    const entered = signal();
    const go = signal();
    const works = activity("works", async (_ctx, n: number) => {
      begun.push(n);
      entered.give();
      await go.given;
    });
    const other = activity("other", async () => "other");
    const fanOut = orchestrator("fanOut", async (ctx) => void (await ctx.whenAll([1, 2, 3, 4, 5].map((n) => ctx.callActivity(works, n)))));
    const after = orchestrator("after", async (ctx) => await ctx.callActivity(other));
    await world.work({ orchestrators: [fanOut, after], activities: [works, other], concurrency: { activities: 1 } });
    const instance = await world.hub.start(fanOut);
    await world.until(entered.given);
    await instance.terminate();
    await world.failure(instance);
    go.give();
    assert.equal(await world.output(await world.hub.start(after)), "other");
    assert.deepEqual(begun, [1]);
  });

  story("an activity that takes longer than its attempt may is a failure, and its signal is aborted", async (world) => {
    const reason = signal<unknown>();
    const hangs = activity("hangs", { timeout: { attempt: { milliseconds: world.unitMs } } }, async (ctx) => {
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      reason.give(ctx.signal.reason);
    });
    const calls = orchestrator("calls", async (ctx) => {
      try {
        await ctx.callActivity(hangs);
        return "?";
      } catch (error) {
        return ((error as Error).cause as Error).name;
      }
    });
    await world.work({ orchestrators: [calls], activities: [hangs] });
    assert.equal(await world.output(await world.hub.start(calls)), "ActivityTimeoutError");
    assert.equal(((await world.until(reason.given)) as Error).name, "ActivityTimeoutError");
  });

  story("a time-out is a failure like any other: the policy tries again, and each attempt has its own time", async (world) => {
    const attempts: number[] = [];
    const hangsTwice = activity("hangsTwice", async (ctx) => {
      attempts.push(ctx.attempt);
      if (ctx.attempt < 3) await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      return `attempt ${ctx.attempt}`;
    });
    const calls = orchestrator(
      "calls",
      async (ctx) =>
        await ctx.callActivity(hangsTwice, undefined, {
          timeout: { attempt: { milliseconds: world.unitMs } },
          retry: { maxNumberOfAttempts: 4, firstRetryInterval: { milliseconds: world.unitMs } },
        }),
    );
    await world.work({ orchestrators: [calls], activities: [hangsTwice] });
    const instance = await world.hub.start(calls);
    assert.equal(await world.output(instance), "attempt 3");
    assert.deepEqual(attempts, [1, 2, 3]);
    assert.deepEqual(
      ofKind(await historyOf(instance), "TaskFailed").map((event) => event.failure.errorType),
      ["ActivityTimeoutError", "ActivityTimeoutError"],
    );
  });

  story("the whole call has a time as well: all attempts, and the delays between them", async (world) => {
    const attempts: number[] = [];
    const never = activity("never", async (ctx) => {
      attempts.push(ctx.attempt);
      if (ctx.attempt === 1) throw new Error("the first one fails");
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    });
    const calls = orchestrator("calls", async (ctx) => {
      const begun = ctx.currentUtcDateTime.getTime();
      let type = "";
      try {
        await ctx.callActivity(never, undefined, {
          timeout: { total: { milliseconds: 10 * world.unitMs } },
          retry: { maxNumberOfAttempts: 10, firstRetryInterval: { milliseconds: world.unitMs } },
        });
      } catch (error) {
        type = ((error as Error).cause as Error).name;
      }
      return { type, waited: ctx.currentUtcDateTime.getTime() - begun };
    });
    await world.work({ orchestrators: [calls], activities: [never] });
    const { type, waited } = await world.output(await world.hub.start(calls));
    assert.equal(type, "ActivityTimeoutError");
    assert.ok(waited >= 10 * world.unitMs, `it was given up after ${waited} ms of ${10 * world.unitMs}`);
    assert.deepEqual(attempts, [1, 2]);
  });

  story("L9 an activity that nobody serves times out as a whole, though nobody ever ran it", async (world) => {
    const nobody = activity("nobody", async () => undefined);
    const calls = orchestrator("calls", async (ctx) => {
      const got = await ctx.try(nobody, undefined, { timeout: { total: { milliseconds: 2 * world.unitMs } } });
      return got.ok ? "?" : (got.error.data as { errorType: string }).errorType;
    });
    await world.work({ orchestrators: [calls], activities: [activity("somebody", async () => undefined)] });
    assert.equal(await world.output(await world.hub.start(calls)), "ActivityTimeoutError");
  });

  story("L8 a worker that stops finishes what it has; what it gives back is run again by the next one", async (world) => {
    const entered: Signal = signal();
    const release: Signal = signal();
    const deliveries: number[] = [];
    const works = activity("works", async (ctx, quick: boolean) => {
      deliveries.push(ctx.delivery);
      entered.give();
      if (!quick && ctx.delivery === 1) await release.given;
      return `delivery ${ctx.delivery}`;
    });
    const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(works, false));
    const first = await world.work({ orchestrators: [calls], activities: [works] });
    const finished = await world.hub.start(calls);
    await world.until(entered.given);
    const stopped = first.stop();
    release.give();
    await world.until(stopped);
    await world.work({ orchestrators: [calls], activities: [works] });
    assert.equal(await world.output(finished), "delivery 1");
    assert.deepEqual(deliveries, [1]);
  });

  story("L8 what does not end within the grace is aborted and given back: same attempt, same key, next delivery", async (world) => {
    const entered = signal();
    const never = signal();
    const seen: { attempt: number; delivery: number; key: string }[] = [];
    const works = activity("works", async (ctx) => {
      seen.push({ attempt: ctx.attempt, delivery: ctx.delivery, key: ctx.idempotencyKey });
      entered.give();
      if (ctx.delivery === 1) await never.given;
      return ctx.delivery;
    });
    const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(works));
    const first = await world.work({ orchestrators: [calls], activities: [works] });
    const instance = await world.hub.start(calls);
    await world.until(entered.given);
    await world.until(first.stop({ graceMs: 0 }));
    await world.work({ orchestrators: [calls], activities: [works] });
    assert.equal(await world.output(instance), 2);
    never.give();
    assert.deepEqual(
      seen.map(({ attempt, delivery }) => [attempt, delivery]),
      [
        [1, 1],
        [1, 2],
      ],
    );
    assert.equal(seen[0]?.key, seen[1]?.key);
  });
};
