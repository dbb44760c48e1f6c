// Stories of tasks and of several of them at once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import type { Task } from "../authoring/task.ts";
import { TaskFailedError } from "../contract/errors.ts";
import { asked, completed, failed, failureOf, fired, outputOf, raised, rehearse, settle } from "./rehearsal.test.ts";
import { complete, DurableTask, newLedger, whenAny } from "./tasks.ts";

const step = activity("step", async (ctx, n: number) => n);
const approved = externalEvent<{ by: string }>("approved");

describe("a task", () => {
  test("is a lazy thenable and no promise (K1)", async () => {
    const task = new DurableTask<number>(newLedger());
    assert.ok(!((task as unknown) instanceof Promise));
    assert.equal(task.isCompleted, false);
    assert.throws(() => task.result, { code: "TASK_PENDING" });
    const awaited = (async () => await task)();
    await settle();
    complete(task, 5);
    assert.equal(await awaited, 5);
    assert.equal(await task, 5);
    assert.equal(task.result, 5);
    assert.equal(await task.then((n) => n + 1).then((n) => n * 2), 12);
  });

  test("has no then while it is handed over, and at no other time (K2)", async () => {
    const ledger = newLedger();
    const [a, b] = [new DurableTask<string>(ledger), new DurableTask<string>(ledger)];
    const any = whenAny(ledger, [a, b]);
    const seen: unknown[] = [];
    const winner = (async () => {
      const first = await any;
      seen.push(first === b, typeof (first as Task<string>).then);
      return await b; // the winner is as thenable as before
    })();
    const [same] = await Promise.all([Promise.all([any]).then(([each]) => each === b), settle().then(() => complete(b, "B"))]);
    assert.equal(await winner, "B");
    assert.deepEqual(seen, [true, "function"]);
    assert.equal(same, true);
    assert.equal(await any.then((each) => each === b), true);
  });
});

describe("whenAny", () => {
  const bodies = {
    async: orchestrator("any", async (ctx) => {
      const [approval, timeout] = [ctx.waitForExternalEvent(approved), ctx.createTimer("24h")];
      const winner = await ctx.whenAny([approval, timeout]);
      if (winner === timeout) return "late";
      timeout.cancel();
      return [winner === approval, approval.result.by];
    }),
    generator: orchestrator("any", function* (ctx) {
      const [approval, timeout] = [ctx.waitForExternalEvent(approved), ctx.createTimer("24h")];
      const winner = yield* ctx.whenAny([approval, timeout]);
      if (winner === timeout) return "late";
      timeout.cancel();
      return [winner === approval, approval.result.by];
    }),
    "async generator": orchestrator("any", async function* (ctx) {
      const [approval, timeout] = [ctx.waitForExternalEvent(approved), ctx.createTimer("24h")];
      const winner: unknown = yield ctx.whenAny([approval, timeout]);
      if (winner === timeout) return "late";
      timeout.cancel();
      return [winner === approval, approval.result.by];
    }),
  };
  for (const [form, body] of Object.entries(bodies)) {
    test(`gives the very task to an ${form} body`, async () => {
      const story = rehearse(body);
      await story.start();
      const result = await story.turn(raised("approved", { by: "Ada" }));
      assert.deepEqual(outputOf(result), [true, "Ada"]);
      assert.deepEqual(asked(result), ["cancelTimer 1", "completeOrchestration 2"]);
      const late = rehearse(body);
      await late.start();
      assert.equal(outputOf(await late.turn(fired(1))), "late");
    });
  }

  test("never fails: a failed task wins like any other; of tasks that have settled the earliest wins", async () => {
    const story = rehearse(
      orchestrator("any", async (ctx) => {
        const tasks = [ctx.callActivity(step, 1), ctx.callActivity(step, 2)];
        await ctx.createTimer("1s");
        const winner = await ctx.whenAny(tasks);
        return [winner === tasks[1], winner.isFailed];
      }),
    );
    await story.start();
    assert.deepEqual(outputOf(await story.turn(failed(2, "no"), completed(1, 1), fired(3))), [true, true]);
  });

  test("of nothing is refused; so are values that are no tasks, and tasks of others", async () => {
    const story = rehearse(
      orchestrator("refused", async (ctx) => {
        const attempts: (() => unknown)[] = [
          () => ctx.whenAny([]),
          () => ctx.first({}),
          () => ctx.whenAll([Promise.resolve(1) as unknown as Task<number>]),
          () => ctx.whenAny([new DurableTask(newLedger())]),
          () => (ctx.callActivity(step, 1) as unknown as { cancel(): void }).cancel(),
          () => ctx.map([1], () => 1, { concurrency: 0 }),
        ];
        return attempts.map((attempt) => {
          try {
            return attempt();
          } catch (error) {
            return (error as { code: string }).code;
          }
        });
      }),
    );
    assert.deepEqual(outputOf(await story.start()), new Array(6).fill("INVALID_ARGUMENT"));
  });
});

describe("whenAll", () => {
  test("waits for all, then throws the failure that came first, which lists all", async () => {
    const story = rehearse(
      orchestrator("all", async (ctx) => {
        try {
          await ctx.whenAll([ctx.callActivity(step, 1), ctx.callActivity(step, 2), ctx.callActivity(step, 3)]);
          return "never";
        } catch (error) {
          return [(error as Error).message, (error as TaskFailedError).errors?.map((each) => (each as TaskFailedError).taskId)];
        }
      }),
    );
    await story.start();
    assert.deepEqual(asked(await story.turn(failed(3, "c"))), []);
    assert.deepEqual(asked(await story.turn(completed(2, 2))), []);
    assert.deepEqual(outputOf(await story.turn(failed(1, "a"))), ["The activity 'step' (task 3) failed: c", [3, 1]]);
  });

  test("that fails throws what can be told from others by its class, written, and thrown again", async () => {
    const story = rehearse(
      orchestrator("all", async (ctx) => {
        const a = ctx.callActivity(step, 1);
        try {
          await ctx.whenAll([a, ctx.createTimer("1h")]);
        } catch (error) {
          await ctx.callActivity("report", error);
          return [
            error instanceof TaskFailedError,
            (error as TaskFailedError).failure.message,
            (error as Error).stack?.split("\n")[0],
            a.isFailed,
          ];
        }
        return [];
      }),
    );
    await story.start();
    await story.turn(failed(1, "a"));
    assert.deepEqual(asked(await story.turn(fired(2))), ["scheduleTask 3 report"]);
    const message = "The activity 'step' (task 1) failed: a";
    assert.deepEqual(outputOf(await story.turn(completed(3))), [true, "a", `TaskFailedError: ${message}`, true]);
  });

  test("uncaught, its first failure fails the instance", async () => {
    const story = rehearse(orchestrator("all", async (ctx) => await ctx.whenAll([ctx.callActivity(step, 1), ctx.callActivity(step, 2)])));
    await story.start();
    const failure = failureOf(await story.turn(failed(2, "b"), failed(1, "a")));
    assert.match(failure.message, /failed: b/);
  });

  test("of nothing completes; the same task may stand twice, and in several composites; composites nest", async () => {
    const story = rehearse(
      orchestrator("nest", async (ctx) => {
        const none = await ctx.whenAll([]);
        const [a, b] = [ctx.callActivity(step, 1), ctx.callActivity(step, 2)];
        const both = ctx.whenAll([a, b, a]);
        const any = ctx.whenAny([b, both]);
        const nested = await ctx.whenAll([both, any, ctx.whenAll([any, a])]);
        return [none, nested[0], nested[1] === b, nested[2][0] === b, nested[2][1]];
      }),
    );
    await story.start();
    assert.deepEqual(asked(await story.turn(completed(2, "B"))), []);
    assert.deepEqual(outputOf(await story.turn(completed(1, "A"))), [[], ["A", "B", "A"], true, true, "A"]);
  });

  test("native Promise.all, race, allSettled and any work on tasks", async () => {
    const story = rehearse(
      orchestrator("native", async (ctx) => {
        const call = (): Task<number> => ctx.callActivity(step, 1);
        return [
          await Promise.all([call(), call()]),
          await Promise.race([call(), call()]),
          (await Promise.allSettled([call(), call()])).map((each) => each.status),
          await Promise.any([call(), call()]),
        ];
      }),
    );
    await story.start();
    await story.turn(completed(2, 2), completed(1, 1));
    await story.turn(completed(4, 4));
    await story.turn(failed(5, "x"), completed(6));
    assert.deepEqual(outputOf(await story.turn(failed(7, "x"), completed(8, 8))), [[1, 2], 4, ["rejected", "fulfilled"], 8]);
  });

  test("over ten thousand tasks costs as much per task as over ten", async () => {
    const count = 10_000;
    const story = rehearse(
      orchestrator("wide", async (ctx) => {
        const results = await ctx.whenAll(Array.from({ length: count }, (_, n) => ctx.callActivity(step, n)));
        return results.reduce((a, b) => a + b, 0);
      }),
    );
    assert.equal((await story.start()).actions.length, count);
    const result = await story.turn(...Array.from({ length: count }, (_, n) => completed(count - n, 1)));
    assert.equal(outputOf(result), count);
  });
});

describe("first", () => {
  test("names the winner, cancels timers and withdraws waits that lost", async () => {
    const story = rehearse(
      orchestrator("first", async (ctx) => {
        const got = await ctx.first({
          done: ctx.callActivity(step, 1),
          approval: ctx.waitForExternalEvent(approved),
          late: ctx.createTimer("1h"),
        });
        const later = await ctx.waitForExternalEvent(approved);
        return [got.key, got.value, later.by];
      }),
    );
    await story.start();
    const result = await story.turn(completed(1, 7));
    assert.deepEqual(asked(result), ["cancelTimer 2"]);
    assert.deepEqual(result.awaitedEvents, ["approved"]);
    assert.deepEqual(outputOf(await story.turn(raised("approved", { by: "Ada" }))), ["done", 7, "Ada"]);
  });

  test("throws the winner's failure", async () => {
    const story = rehearse(
      orchestrator("first", async (ctx) => await ctx.first({ a: ctx.callActivity(step, 1), b: ctx.createTimer("1h") })),
    );
    await story.start();
    const result = await story.turn(failed(1, "no"));
    assert.deepEqual(asked(result), ["cancelTimer 2", "completeOrchestration 3"]);
    assert.match(failureOf(result).message, /no$/);
  });

  test("leaves losers that others wait for, and reaches into composites", async () => {
    const story = rehearse(
      orchestrator("first", async (ctx) => {
        const shared = ctx.createTimer("1h");
        const other = ctx.whenAny([shared]);
        const both = ctx.whenAll([ctx.waitForExternalEvent("x"), ctx.createTimer("2h")]);
        await ctx.first({ a: ctx.callActivity(step, 1), shared, both });
        return [shared.isCancelled, both.isFailed, (await other) === shared];
      }),
    );
    await story.start();
    const result = await story.turn(completed(3, 1));
    assert.deepEqual(asked(result), ["cancelTimer 2"]);
    assert.equal(result.awaitedEvents, undefined);
    assert.deepEqual(outputOf(await story.turn(fired(1))), [false, true, true]);
  });

  test("of what has settled already answers at once", async () => {
    const story = rehearse(
      orchestrator("first", async (ctx) => {
        const a = ctx.waitForExternalEvent<number>("a");
        const got = await ctx.first({ late: ctx.createTimer("1h"), a });
        return got;
      }),
    );
    const result = await story.start(undefined, {}, raised("unrelated"));
    assert.deepEqual(asked(result), ["createTimer 1"]);
    const early = rehearse(
      orchestrator("first", async (ctx) => {
        await ctx.callActivity(step, 1);
        return await ctx.first({ late: ctx.createTimer("1h"), a: ctx.waitForExternalEvent<number>("a") });
      }),
    );
    await early.start(undefined, {}, raised("a", 4));
    const ended = await early.turn(completed(1));
    assert.deepEqual(asked(ended), ["completeOrchestration 3"]);
    assert.deepEqual(outputOf(ended), { key: "a", value: 4 });
  });
});

describe("map", () => {
  test("keeps so many under way, and the results in the order of the items", async () => {
    const story = rehearse(
      orchestrator("map", async (ctx) => await ctx.map([1, 2, 3, 4], (n) => ctx.callActivity(step, n), { concurrency: 2 })),
    );
    assert.deepEqual(asked(await story.start()), ["scheduleTask 1 step", "scheduleTask 2 step"]);
    assert.deepEqual(asked(await story.turn(completed(2, "b"))), ["scheduleTask 3 step"]);
    assert.deepEqual(asked(await story.turn(completed(3, "c"))), ["scheduleTask 4 step"]);
    assert.deepEqual(outputOf(await story.turn(completed(4, "d"), completed(1, "a"))), ["a", "b", "c", "d"]);
  });

  test("takes async functions of several steps, and works in generators", async () => {
    const story = rehearse(
      orchestrator("map", async (ctx) =>
        ctx.map(["a", "b"], async (name, index) => `${name}${await ctx.callActivity(step, index)}${await ctx.callActivity(step, index)}`, {
          concurrency: 1,
        }),
      ),
    );
    await story.start();
    await story.turn(completed(1, 1));
    assert.deepEqual(asked(await story.turn(completed(2, 2))), ["scheduleTask 3 step"]);
    assert.deepEqual(outputOf(await story.turn(completed(3, 3), completed(4, 4))), ["a12", "b34"]);
    const lazy = rehearse(
      orchestrator("map", function* (ctx) {
        return yield* ctx.map([1, 2], (n) => ctx.callActivity(step, n), { concurrency: 1 });
      }),
    );
    await lazy.start();
    assert.deepEqual(outputOf(await lazy.turn(completed(1, 1), completed(2, 2))), [1, 2]);
  });

  test("tries every item, then throws the first failure with all of them", async () => {
    const story = rehearse(
      orchestrator("map", async (ctx) => {
        try {
          return await ctx.map([1, 2, 3], (n) => (n === 2 ? Promise.reject(new Error("two")) : ctx.callActivity(step, n)), {
            concurrency: 1,
          });
        } catch (error) {
          return (error as { errors: Error[] }).errors.map((each) => each.message);
        }
      }),
    );
    await story.start();
    await story.turn(failed(1, "one"));
    assert.deepEqual(outputOf(await story.turn(completed(2, 3))), ["The activity 'step' (task 1) failed: one", "two"]);
  });

  test("of nothing, and of plain values, ends at once", async () => {
    const many = Array.from({ length: 20_000 }, (_, n) => n);
    const story = rehearse(
      orchestrator("map", async (ctx) => [await ctx.map([], () => 1), (await ctx.map(many, (n) => n + 1, { concurrency: 1 })).length]),
    );
    assert.deepEqual(outputOf(await story.start()), [[], 20_000]);
  });
});

describe("what stays open", () => {
  test("keeps nothing of the composites that left it (K3)", () => {
    const ledger = newLedger();
    const shutdown = new DurableTask(ledger);
    for (let i = 0; i < 10_000; i++) {
      const item = new DurableTask(ledger);
      whenAny(ledger, [item, shutdown]);
      complete(item, i);
    }
    assert.equal(shutdown.waiters, undefined);
  });
});
