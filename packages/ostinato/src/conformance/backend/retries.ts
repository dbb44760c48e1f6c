// retries: how often, after which delays, and who decides.

import assert from "node:assert/strict";
import { activity, NonRetriableError, orchestrator, type HistoryEvent, type RetryHandler, type RetryPolicy } from "../../index.ts";
import { historyOf, ofKind, type Chapter } from "./world.ts";

/** An activity that fails so many times, and notes what it was handed each time. */
function flaky(failures: number, error: (attempt: number) => Error = (attempt) => new Error(`attempt ${attempt}`)) {
  const notes: { readonly attempt: number; readonly delivery: number; readonly key: string; readonly taskId: number }[] = [];
  const run = activity("flaky", async (ctx) => {
    notes.push({ attempt: ctx.attempt, delivery: ctx.delivery, key: ctx.idempotencyKey, taskId: ctx.taskId });
    if (notes.length <= failures) throw error(ctx.attempt);
    return `done by attempt ${ctx.attempt}`;
  });
  return { run, notes };
}

/** How long after the turn that saw the failure each retry was to begin. */
function delaysOf(history: readonly HistoryEvent[]): readonly number[] {
  return ofKind(history, "TimerCreated").map((event) => event.fireAt - event.timestamp);
}

export const retries: Chapter = (story) => {
  story("A5 attempts count the first call; each delay is longer by the coefficient, up to the longest", async (world) => {
    const { run, notes } = flaky(5);
    const unit = world.unitMs;
    const retry: RetryPolicy = {
      maxNumberOfAttempts: 6,
      firstRetryInterval: { milliseconds: unit },
      backoffCoefficient: 1.5,
      maxRetryInterval: { milliseconds: 2 * unit },
    };
    const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(run, undefined, { retry }));
    await world.work({ orchestrators: [calls], activities: [run] });
    const instance = await world.hub.start(calls);
    assert.equal(await world.output(instance), "done by attempt 6");
    assert.deepEqual(
      notes.map((note) => note.attempt),
      [1, 2, 3, 4, 5, 6],
    );
    assert.deepEqual(delaysOf(await historyOf(instance)), [unit, 1.5 * unit, 2 * unit, 2 * unit, 2 * unit]);
  });

  story("A5 no more than the attempts allowed; then the last failure is the call's", async (world) => {
    const { run, notes } = flaky(99);
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.callActivity(run, undefined, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } } });
    });
    await world.work({ orchestrators: [calls], activities: [run] });
    const error = await world.failure(await world.hub.start(calls));
    assert.equal(error.failure?.inner?.message, "attempt 3");
    assert.equal(notes.length, 3);
  });

  story("one attempt, or no policy, is no retry", async (world) => {
    const { run, notes } = flaky(99);
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.try(run);
      await ctx.try(run, undefined, { retry: { maxNumberOfAttempts: 1, firstRetryInterval: { milliseconds: world.unitMs } } });
    });
    await world.work({ orchestrators: [calls], activities: [run] });
    const instance = await world.hub.start(calls);
    await world.output(instance);
    assert.equal(notes.length, 2);
    assert.deepEqual(delaysOf(await historyOf(instance)), []);
  });

  story("no retry begins after the retry time-out", async (world) => {
    const { run, notes } = flaky(99);
    const unit = world.virtual ? world.unitMs : 20 * world.unitMs; // a real machine is late now and then
    const retry: RetryPolicy = {
      maxNumberOfAttempts: 50,
      firstRetryInterval: { milliseconds: unit },
      retryTimeout: { milliseconds: 2.5 * unit },
    };
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.callActivity(run, undefined, { retry });
    });
    await world.work({ orchestrators: [calls], activities: [run] });
    const instance = await world.hub.start(calls);
    await world.failure(instance);
    assert.equal(notes.length, 3);
    const [started] = ofKind(await historyOf(instance), "OrchestratorStarted");
    for (const timer of ofKind(await historyOf(instance), "TimerCreated"))
      assert.ok(timer.fireAt <= (started?.timestamp ?? 0) + 2.5 * unit);
  });

  story("handleFailure says of each failure whether to try again", async (world) => {
    const types: string[] = [];
    const { run, notes } = flaky(99, (attempt) =>
      attempt < 3 ? new RangeError("again") : new TypeError("enough", { cause: new Error("root") }),
    );
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.callActivity(run, undefined, {
        retry: {
          maxNumberOfAttempts: 9,
          firstRetryInterval: { milliseconds: world.unitMs },
          handleFailure: (failure) => {
            if (!ctx.isReplaying) types.push(failure.errorType);
            return failure.errorType === "RangeError";
          },
        },
      });
    });
    await world.work({ orchestrators: [calls], activities: [run] });
    const error = await world.failure(await world.hub.start(calls));
    assert.deepEqual([error.failure?.inner?.errorType, error.failure?.inner?.inner?.message], ["TypeError", "root"]);
    assert.deepEqual(types, ["RangeError", "RangeError", "TypeError"]);
    assert.equal(notes.length, 3);
  });

  story("a handleFailure that throws is no reason to try again, nor to lose the failure", async (world) => {
    const { run, notes } = flaky(99);
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.callActivity(run, undefined, {
        retry: {
          maxNumberOfAttempts: 9,
          firstRetryInterval: { milliseconds: world.unitMs },
          handleFailure: () => {
            throw new Error("in the predicate");
          },
        },
      });
    });
    await world.work({ orchestrators: [calls], activities: [run] });
    assert.equal((await world.failure(await world.hub.start(calls))).failure?.inner?.message, "attempt 1");
    assert.equal(notes.length, 1);
  });

  for (const warm of [{}, { bytes: 0 }]) {
    story(
      `a handler decides after each failure: at once, after a number, after a duration, or no more${"bytes" in warm ? ", replayed" : ""}`,
      async (world) => {
        const { run, notes } = flaky(99);
        const unit = world.unitMs;
        const told: Record<number, { type: string; total: number }> = {};
        const handler: RetryHandler = async ({ lastAttemptNumber, lastFailure, totalRetryTimeMs, currentUtcDateTime }) => {
          assert.ok(currentUtcDateTime instanceof Date);
          told[lastAttemptNumber] = { type: lastFailure.message, total: totalRetryTimeMs };
          return [true, 2 * unit, { milliseconds: 3 * unit } as const, 0, false][lastAttemptNumber - 1];
        };
        const calls = orchestrator("calls", async (ctx) => {
          await ctx.callActivity(run, undefined, { retry: handler });
        });
        await world.work({ orchestrators: [calls], activities: [run], warm });
        const instance = await world.hub.start(calls);
        assert.equal((await world.failure(instance)).failure?.inner?.message, "attempt 5");
        assert.deepEqual(
          notes.map((note) => note.attempt),
          [1, 2, 3, 4, 5],
        );
        assert.deepEqual(
          delaysOf(await historyOf(instance)).filter((delay) => delay > 0),
          [2 * unit, 3 * unit],
        );
        assert.deepEqual(
          Object.values(told).map((each) => each.type),
          ["attempt 1", "attempt 2", "attempt 3", "attempt 4", "attempt 5"],
        );
        assert.ok((told[5]?.total ?? 0) >= 5 * unit);
      },
    );
  }

  story("A5 what is marked as non-retriable is never retried, and no handler is asked", async (world) => {
    let asked = 0;
    const marked = Object.assign(new Error("marked"), { isNonRetriable: true });
    const runs = [
      activity("thrown", async () => {
        throw new NonRetriableError("thrown");
      }),
      activity("marked", async () => {
        throw marked;
      }),
    ];
    const calls = orchestrator("calls", async (ctx) => {
      const policy: RetryPolicy = {
        maxNumberOfAttempts: 5,
        firstRetryInterval: { milliseconds: world.unitMs },
        handleFailure: () => {
          asked++;
          return true;
        },
      };
      const handler: RetryHandler = () => {
        asked++;
        return true;
      };
      for (const run of runs) for (const retry of [policy, handler]) await ctx.try(run, undefined, { retry });
    });
    await world.work({ orchestrators: [calls], activities: runs });
    const instance = await world.hub.start(calls);
    await world.output(instance);
    assert.equal(asked, 0);
    const failed = ofKind(await historyOf(instance), "TaskFailed");
    assert.equal(failed.length, 4);
    assert.ok(failed.every((event) => event.failure.nonRetriable));
  });

  story("the policy of the definition counts where the call has none, and the call's in its place", async (world) => {
    let ran = 0;
    const retry: RetryPolicy = { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } };
    const stubborn = activity("stubborn", { retry }, async () => {
      ran++;
      throw new Error("no");
    });
    const calls = orchestrator("calls", async (ctx, own: boolean) => {
      await ctx.try(stubborn, undefined, own ? { retry: { ...retry, maxNumberOfAttempts: 2 } } : {});
    });
    await world.work({ orchestrators: [calls], activities: [stubborn] });
    await world.output(await world.hub.start(calls, false));
    assert.equal(ran, 3);
    await world.output(await world.hub.start(calls, true));
    assert.equal(ran, 5);
  });

  story("a retry takes a new id and keeps its idempotency key; no other call has that key", async (world) => {
    const { run, notes } = flaky(2);
    const keys: string[] = [];
    const other = activity("other", async (ctx) => void keys.push(ctx.idempotencyKey));
    const calls = orchestrator("calls", async (ctx) => {
      await ctx.callActivity(run, undefined, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } } });
      await ctx.callActivity(other);
      await ctx.callActivity(other);
    });
    await world.work({ orchestrators: [calls], activities: [run, other] });
    const instance = await world.hub.start(calls);
    await world.output(instance);
    await world.output(await world.hub.start(calls));
    assert.deepEqual(
      notes.slice(0, 3).map(({ attempt, delivery, taskId }) => [attempt, delivery, taskId]),
      [
        [1, 1, 1],
        [2, 1, 3],
        [3, 1, 5],
      ],
    );
    assert.equal(new Set(notes.slice(0, 3).map((note) => note.key)).size, 1);
    assert.equal(new Set([...notes.map((note) => note.key), ...keys]).size, 2 + 4);
    assert.deepEqual(
      ofKind(await historyOf(instance), "TaskFailed").map((event) => event.taskScheduledId),
      [1, 3],
    );
  });

  story("a policy that can never work is refused at the call", async (world) => {
    const { run } = flaky(0);
    const bad: readonly RetryPolicy[] = [
      { maxNumberOfAttempts: 0, firstRetryInterval: "1s" },
      { maxNumberOfAttempts: 2, firstRetryInterval: "0s" },
      { maxNumberOfAttempts: 2, firstRetryInterval: "1s", backoffCoefficient: 0.5 },
      { maxNumberOfAttempts: 2, firstRetryInterval: "1s", backoffCoefficient: Number.NaN },
      { maxNumberOfAttempts: 2, firstRetryInterval: "10s", maxRetryInterval: "1s" },
      { maxNumberOfAttempts: 2, firstRetryInterval: "10s", retryTimeout: "1s" },
    ];
    const calls = orchestrator("calls", async (ctx) => {
      const codes: unknown[] = [];
      for (const retry of bad) {
        try {
          await ctx.callActivity(run, undefined, { retry });
          codes.push("accepted");
        } catch (error) {
          codes.push((error as { code?: unknown }).code);
        }
      }
      return codes;
    });
    await world.work({ orchestrators: [calls], activities: [run] });
    assert.deepEqual(
      await world.output(await world.hub.start(calls)),
      bad.map(() => "INVALID_ARGUMENT"),
    );
  });

  story("several calls retry beside each other, each by its own count", async (world) => {
    const tries = new Map<string, number>();
    const each = activity("each", async (_ctx, [name, failures]: readonly [string, number]) => {
      const n = (tries.get(name) ?? 0) + 1;
      tries.set(name, n);
      if (n <= failures) throw new Error(`${name} ${n}`);
      return `${name} ${n}`;
    });
    const calls = orchestrator("calls", async (ctx) => {
      const retry: RetryPolicy = { maxNumberOfAttempts: 4, firstRetryInterval: { milliseconds: world.unitMs } };
      return await ctx.whenAll([0, 1, 2, 3].map((n) => ctx.callActivity(each, ["abcd"[n] ?? "", n], { retry })));
    });
    await world.work({ orchestrators: [calls], activities: [each], warm: { bytes: 0 } });
    assert.deepEqual(await world.output(await world.hub.start(calls)), ["a 1", "b 2", "c 3", "d 4"]);
  });
};
