// Stories of programs from their start to their end: all forms of a body, calls, timers, events, the ends there are.

/* eslint-disable @typescript-eslint/no-unsafe-assignment -- what a plain yield gives is untyped by the language */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import type { OrchestratorContext } from "../authoring/orchestrator-context.ts";
import {
  asked,
  childCompleted,
  childFailed,
  completed,
  endOf,
  executionOf,
  failed,
  failureOf,
  fired,
  noon,
  outputOf,
  raised,
  rehearse,
  resumed,
  settle,
  started,
  suspended,
  terminated,
  turnAt,
} from "./rehearsal.test.ts";

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const approved = externalEvent<{ by: string }>("approved");

class Order {
  cost: number;
  constructor(cost: number) {
    this.cost = cost;
  }
  get large(): boolean {
    return this.cost > 100;
  }
}

describe("every form of a body", () => {
  const forms = {
    "an async function": orchestrator("chain", async (ctx, n: number) => {
      const a = await ctx.callActivity(hello, "a");
      const b = await ctx.callActivity(hello, "b");
      return [n, a, b];
    }),
    "a generator with yield*": orchestrator("chain", function* (ctx, n: number) {
      const a = yield* ctx.callActivity(hello, "a");
      const b = yield* ctx.callActivity(hello, "b");
      return [n, a, b];
    }),
    "a generator with yield": orchestrator("chain", function* (ctx, n: number) {
      const a: string = yield ctx.callActivity(hello, "a");
      const b: string = yield ctx.callActivity(hello, "b");
      return [n, a, b];
    }),
    "an async generator": orchestrator("chain", async function* (ctx, n: number) {
      const a: string = yield ctx.callActivity(hello, "a");
      const b: string = yield* ctx.callActivity(hello, "b");
      return [n, a, b];
    }),
    "a plain function of promises": orchestrator("chain", (ctx, n: number) =>
      ctx.callActivity(hello, "a").then((a) => ctx.callActivity(hello, "b").then((b) => [n, a, b])),
    ),
  };
  for (const [form, definition] of Object.entries(forms)) {
    test(`${form} runs one step after the other`, async () => {
      const story = rehearse(definition);
      assert.deepEqual((await story.start(7)).actions, [
        { kind: "scheduleTask", id: 1, name: "hello", input: '"a"', attempt: 1, firstId: 1 },
      ]);
      assert.deepEqual(asked(await story.turn(completed(1, "A"))), ["scheduleTask 2 hello"]);
      assert.deepEqual(outputOf(await story.turn(completed(2, "B"))), [7, "A", "B"]);
    });
  }

  const catching = {
    "an async function": orchestrator("catching", async (ctx) => {
      try {
        await ctx.callActivity(hello, "a");
        return "fine";
      } catch (error) {
        return (error as Error).message;
      }
    }),
    "a generator with yield*": orchestrator("catching", function* (ctx) {
      try {
        yield* ctx.callActivity(hello, "a");
        return "fine";
      } catch (error) {
        return (error as Error).message;
      }
    }),
    "a generator with yield": orchestrator("catching", function* (ctx) {
      try {
        yield ctx.callActivity(hello, "a");
        return "fine";
      } catch (error) {
        return (error as Error).message;
      }
    }),
    "an async generator": orchestrator("catching", async function* (ctx) {
      try {
        yield ctx.callActivity(hello, "a");
        return "fine";
      } catch (error) {
        return (error as Error).message;
      }
    }),
  };
  for (const [form, definition] of Object.entries(catching)) {
    test(`${form} can catch a failure`, async () => {
      const story = rehearse(definition);
      await story.start();
      assert.equal(outputOf(await story.turn(failed(1, "no luck"))), "The activity 'hello' (task 1) failed: no luck");
    });
  }

  test("a plain function ends at once, or with the task it returns", async () => {
    assert.equal(outputOf(await rehearse(orchestrator("sum", (ctx, n: number) => n + 1)).start(1)), 2);
    const story = rehearse(orchestrator("plain", (ctx) => ctx.callActivity(hello, "x")));
    await story.start();
    assert.equal(outputOf(await story.turn(completed(1, "X"))), "X");
  });

  test("a generator that yields something else is told so where it yields", async () => {
    const story = rehearse(
      orchestrator("wrong", function* () {
        yield 42;
      }),
    );
    assert.match(failureOf(await story.start()).message, /no task/);
  });

  test("a generator may call generators, and yield promises of tasks", async () => {
    function* twice(ctx: OrchestratorContext, name: string) {
      return [yield* ctx.callActivity(hello, name), yield* ctx.callActivity(hello, name)];
    }
    const story = rehearse(
      orchestrator("nested", function* (ctx) {
        const pair = yield* twice(ctx, "x");
        const both: string[] = yield Promise.all([ctx.callActivity(hello, "p"), ctx.callActivity(hello, "q")]);
        return [...pair, ...both];
      }),
    );
    await story.start();
    await story.turn(completed(1, "1"));
    assert.deepEqual(asked(await story.turn(completed(2, "2"))), ["scheduleTask 3 hello", "scheduleTask 4 hello"]);
    assert.deepEqual(outputOf(await story.turn(completed(4, "4"), completed(3, "3"))), ["1", "2", "3", "4"]);
  });
});

describe("calls", () => {
  test("carry version, tags and time-outs; the definition's retry and time-out are the default", async () => {
    const careful = activity("careful", { timeout: { attempt: "10s", total: "1m" } }, async (ctx, n: number) => n);
    const story = rehearse(
      orchestrator("calls", async (ctx) => {
        await ctx.whenAll([
          ctx.callActivity(careful, 1),
          ctx.callActivity(careful, 2, { timeout: { attempt: "5s" }, version: "2", tags: { a: "b" } }),
          ctx.callActivity<string, number>("elsewhere", "x"),
        ]);
      }),
    );
    assert.deepEqual((await story.start()).actions, [
      {
        kind: "scheduleTask",
        id: 1,
        name: "careful",
        input: "1",
        attempt: 1,
        firstId: 1,
        attemptTimeoutMs: 10_000,
        expiresAt: noon + 60_000,
      },
      {
        kind: "scheduleTask",
        id: 2,
        name: "careful",
        input: "2",
        attempt: 1,
        firstId: 2,
        attemptTimeoutMs: 5_000,
        version: "2",
        tags: { a: "b" },
      },
      { kind: "scheduleTask", id: 3, name: "elsewhere", input: '"x"', attempt: 1, firstId: 3 },
    ]);
  });

  test("by function take the name under which it was defined", async () => {
    async function greet(ctx: unknown, name: string): Promise<string> {
      return name;
    }
    async function loose(ctx: unknown, name: string): Promise<string> {
      return name;
    }
    activity("greeting", greet);
    const story = rehearse(
      orchestrator("byFunction", async (ctx) => void (await ctx.whenAll([ctx.callActivity(greet, "x"), ctx.callActivity(loose, "y")]))),
    );
    assert.deepEqual(asked(await story.start()), ["scheduleTask 1 greeting", "scheduleTask 2 loose"]);
  });

  test("give a child an id of its own, a first execution id, and the default version", async () => {
    const child = orchestrator("child", async (ctx, n: number) => n);
    const versioned = orchestrator("child", { version: "3" }, async (ctx, n: number) => n);
    const story = rehearse(
      orchestrator("parent", async (ctx) => {
        const first = ctx.newGuid();
        const results = await ctx.whenAll([
          ctx.callSubOrchestrator(child, 1),
          ctx.callSubOrchestrator(versioned, 2, { instanceId: "own", tags: { a: "b" } }),
          ctx.callSubOrchestrator(versioned, 3, { version: "4" }),
        ]);
        return [first === ctx.newGuid(), ...results];
      }),
      { defaultVersion: "2.0.0" },
    );
    const { actions } = await story.start();
    const facts = actions.map((action) => (action.kind === "createSubOrchestration" ? [action.instanceId, action.version] : action));
    assert.deepEqual(facts, [
      ["execution:0001", "2.0.0"],
      ["own", "3"],
      ["execution:0003", "4"],
    ]);
    const ids = actions.map((action) => (action.kind === "createSubOrchestration" ? action.executionId : ""));
    assert.equal(new Set(ids).size, 3);
    for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(outputOf(await story.turn(childCompleted(3, 30), childCompleted(1, 10), childCompleted(2, 20))), [false, 10, 20, 30]);
  });

  test("rebuild the class that the definition names", async () => {
    const load = activity("load", { output: Order }, async () => new Order(5));
    const story = rehearse(
      orchestrator("classes", { input: Order, output: Order }, async (ctx, order) => {
        const loaded = await ctx.callActivity(load);
        return new Order(loaded.large || order.large ? 1 : 0);
      }),
    );
    await story.start({ cost: 500 });
    assert.deepEqual(outputOf(await story.turn(completed(1, { cost: 5 }))), { cost: 1 });
  });

  test("that cannot be written are refused where they are made, and take no id", async () => {
    const story = rehearse(
      orchestrator("refusals", async (ctx) => {
        const messages: string[] = [];
        const attempt = (call: () => unknown): void => {
          try {
            call();
          } catch (error) {
            messages.push((error as { code: string }).code);
          }
        };
        attempt(() => ctx.callActivity("x", () => 1));
        attempt(() => ctx.callActivity("x", "y".repeat(200)));
        attempt(() => ctx.callActivity(""));
        attempt(() => ctx.createTimer("5x" as "5s"));
        attempt(() => ctx.createTimer(new Date(Number.NaN)));
        attempt(() => ctx.callSubOrchestrator("x", 1, { instanceId: "@entity" }));
        attempt(() => ctx.setCustomStatus("z".repeat(50)));
        attempt(() => ctx.callActivity("x", 1, { retry: { maxNumberOfAttempts: 0, firstRetryInterval: "1s" } }));
        await ctx.callActivity(hello, "fine");
        ctx.log.info(messages.join(" "));
        return "long".repeat(50);
      }),
      { limits: { payloadBytes: 100, customStatusBytes: 40, actionsPerTurn: 100 } },
    );
    assert.deepEqual(asked(await story.start()), ["scheduleTask 1 hello"]);
    const failure = failureOf(await story.turn(completed(1, "x")));
    assert.equal(
      story.logs[0]?.message,
      "PAYLOAD_INVALID PAYLOAD_TOO_LARGE INVALID_ARGUMENT INVALID_ARGUMENT INVALID_ARGUMENT INVALID_ARGUMENT PAYLOAD_TOO_LARGE INVALID_ARGUMENT",
    );
    assert.equal(failure.errorType, "PayloadTooLargeError");
    assert.match(failure.message, /The output of orchestrator 'refusals' has .* bytes; the limit payloadBytes is 100/);
  });

  test("fail with the recorded failure as cause", async () => {
    const story = rehearse(orchestrator("failing", async (ctx) => await ctx.callActivity(hello, "x")));
    await story.start();
    const failure = failureOf(
      await story.turn(failed(1, "boom", { errorType: "RangeError", inner: { errorType: "Error", message: "deep" } })),
    );
    assert.equal(failure.errorType, "TaskFailedError");
    assert.equal(failure.inner?.errorType, "RangeError");
    assert.equal(failure.inner?.inner?.message, "deep");
  });
});

describe("timers", () => {
  test("take durations and dates, past ones included", async () => {
    const story = rehearse(
      orchestrator("timers", async (ctx) => {
        await ctx.createTimer("24h");
        await ctx.createTimer({ minutes: 1, seconds: 30 });
        await ctx.createTimer(new Date(5));
      }),
    );
    assert.deepEqual((await story.start()).actions, [{ kind: "createTimer", id: 1, fireAt: noon + 86_400_000 }]);
    assert.deepEqual((await story.turn(fired(1))).actions, [{ kind: "createTimer", id: 2, fireAt: noon + 1_000 + 90_000 }]);
    assert.deepEqual((await story.turn(fired(2))).actions, [{ kind: "createTimer", id: 3, fireAt: 5 }]);
    assert.equal(outputOf(await story.turn(fired(3))), undefined);
  });

  test("made and cancelled in one turn leave nothing but a used id (U3); later a cancel is an action", async () => {
    const story = rehearse(
      orchestrator("cancels", async (ctx) => {
        const early = ctx.createTimer("1h");
        early.cancel();
        const late = ctx.createTimer("1h");
        await ctx.callActivity(hello, "x");
        late.cancel();
        late.cancel();
        assert.ok(late.isCancelled && late.isCompleted && late.isFailed);
        const codes = await Promise.allSettled([early, late]);
        await ctx.callActivity(hello, "y");
        return codes.map((each) => (each.status === "rejected" ? (each.reason as { code: string }).code : ""));
      }),
    );
    assert.deepEqual(asked(await story.start()), ["createTimer 2", "scheduleTask 3 hello"]);
    assert.deepEqual(asked(await story.turn(completed(3, "x"))), ["cancelTimer 2", "scheduleTask 4 hello"]);
    assert.deepEqual(outputOf(await story.turn(fired(2), completed(4, "y"))), ["TASK_CANCELLED", "TASK_CANCELLED"]);
  });
});

describe("external events", () => {
  test("are matched without regard to case, kept in order, and given to the oldest wait", async () => {
    const story = rehearse(
      orchestrator("events", async (ctx) => {
        const [a, b] = [ctx.waitForExternalEvent<number>("Step"), ctx.waitForExternalEvent<number>("STEP")];
        const first = [await b, await a];
        await ctx.callActivity(hello, "x");
        return [...first, await ctx.waitForExternalEvent("step"), await ctx.waitForExternalEvent("step")];
      }),
    );
    const first = await story.start(undefined, {}, raised("other", 0));
    assert.deepEqual(first.awaitedEvents, ["Step"]);
    assert.deepEqual((await story.turn(raised("step", 1))).awaitedEvents, ["STEP"]);
    await story.turn(raised("sTEP", 2), raised("step", 3), raised("step", 4));
    assert.deepEqual(outputOf(await story.turn(completed(1))), [2, 1, 3, 4]);
  });

  test("stay in the buffer when their wait was cancelled", async () => {
    const story = rehearse(
      orchestrator("cancelled", async (ctx) => {
        const unwanted = ctx.waitForExternalEvent(approved);
        unwanted.cancel();
        await ctx.callActivity(hello, "x");
        return (await ctx.waitForExternalEvent(approved)).by;
      }),
    );
    assert.deepEqual((await story.start()).awaitedEvents, undefined);
    await story.turn(raised("approved", { by: "Ada" }));
    assert.equal(outputOf(await story.turn(completed(1))), "Ada");
  });

  test("are rebuilt by their own schema or by the orchestrator's", async () => {
    const typed = externalEvent("typed", Order);
    const story = rehearse(
      orchestrator("rebuilt", { events: { Declared: Order } }, async (ctx) => {
        const a = await ctx.waitForExternalEvent(typed);
        const b = await ctx.waitForExternalEvent("Declared");
        return [a.large, b.large];
      }),
    );
    const result = await story.start(undefined, {}, raised("typed", { cost: 500 }), raised("declared", { cost: 1 }));
    assert.deepEqual(outputOf(result), [true, false]);
  });

  test("are sent to other instances by an action", async () => {
    const story = rehearse(
      orchestrator("sends", async (ctx) => {
        ctx.sendEvent("other", approved, { by: "Ada" });
        ctx.sendEvent("other", "bare");
        await ctx.createTimer("1s");
      }),
    );
    assert.deepEqual((await story.start()).actions, [
      { kind: "sendEvent", id: 1, instanceId: "other", name: "approved", input: '{"by":"Ada"}' },
      { kind: "sendEvent", id: 2, instanceId: "other", name: "bare" },
      { kind: "createTimer", id: 3, fireAt: noon + 1_000 },
    ]);
  });
});

describe("what the context knows", () => {
  test("facts, the clock, ids and versions", async () => {
    const story = rehearse(
      orchestrator("facts", async (ctx, input: string) => {
        const before = [ctx.currentUtcDateTime.toISOString(), ctx.newGuid(), ctx.newGuid()];
        await ctx.createTimer("1h");
        const { instanceId, executionId, name, version, parent, tags } = ctx;
        return {
          before,
          after: [ctx.currentUtcDateTime.getTime(), ctx.newGuid()],
          facts: [instanceId, executionId, name, version, parent, tags, ctx.input === input],
          versions: [ctx.isVersionAtLeast("1.10"), ctx.isVersionAtLeast("1.9"), ctx.isVersionAtLeast("2")],
        };
      }),
    );
    const parent = { instanceId: "p", executionId: "pe", name: "parent", taskScheduledId: 4 };
    await story.start("in", { version: "1.10", tags: { team: "it" }, parent });
    const output = outputOf(await story.turn(fired(1))) as Record<string, unknown[]>;
    assert.deepEqual(output["facts"], [
      "instance",
      "execution",
      "facts",
      "1.10",
      { name: "parent", instanceId: "p", taskScheduledId: 4 },
      { team: "it" },
      true,
    ]);
    assert.deepEqual(output["versions"], [true, true, false]);
    assert.equal(output["before"]?.[0], "2024-01-02T12:00:00.000Z");
    assert.equal(output["after"]?.[0], noon + 1_000);
    assert.equal(new Set([...(output["before"] ?? []), ...(output["after"] ?? [])]).size, 5);
  });

  test("isReplaying and the logger are silent while replaying", async () => {
    const seen: boolean[] = [];
    const definition = orchestrator("logging", async (ctx) => {
      seen.push(ctx.isReplaying);
      ctx.log.info("before", { n: 1 });
      await ctx.callActivity(hello, "x");
      seen.push(ctx.isReplaying);
      ctx.log.warn("after");
    });
    const story = rehearse(definition);
    await story.start();
    const logs: string[] = [];
    const replay = executionOf(definition, { log: ({ level, message }) => void logs.push(`${level} ${message}`) });
    seen.length = 0;
    await replay.advance(story.history, [turnAt(noon + 5), completed(1)]);
    assert.deepEqual(seen, [true, false]);
    assert.deepEqual(logs, ["warn after"]);
  });

  test("the custom status is told once set, null clears it", async () => {
    const story = rehearse(
      orchestrator("status", async (ctx) => {
        ctx.setCustomStatus({ at: 1 });
        await ctx.callActivity(hello, "x");
        await ctx.callActivity(hello, "y");
        ctx.setCustomStatus("soon");
        ctx.setCustomStatus(null);
      }),
    );
    assert.equal((await story.start()).customStatus, '{"at":1}');
    assert.equal("customStatus" in (await story.turn(completed(1))), false);
    assert.equal((await story.turn(completed(2))).customStatus, null);
  });
});

describe("the end", () => {
  test("an error that escapes fails the instance; what was asked for before goes out", async () => {
    const story = rehearse(
      orchestrator("throws", async (ctx) => {
        ctx.sendEvent("other", "bye");
        throw Object.assign(new RangeError("too far", { cause: new Error("why") }), { isNonRetriable: true });
      }),
    );
    const result = await story.start();
    assert.deepEqual(asked(result), ["sendEvent 1 bye", "completeOrchestration 2"]);
    const { errorType, message, inner, nonRetriable } = failureOf(result);
    assert.deepEqual([errorType, message, inner?.message, nonRetriable], ["RangeError", "too far", "why", true]);
  });

  test("an output that cannot be written, or that its schema refuses, fails it", async () => {
    assert.equal(failureOf(await rehearse(orchestrator("fn", async () => () => 1)).start()).errorType, "PayloadError");
    const strict = orchestrator(
      "strict",
      { output: z.object({ n: z.number().transform((n) => n + 1) }) },
      async () => ({ n: "x" }) as never,
    );
    const failure = failureOf(await rehearse(strict).start());
    assert.equal(failure.errorType, "ValidationError");
    assert.equal(failure.nonRetriable, true);
    const good = orchestrator("strict", { output: z.object({ n: z.number().transform((n) => n + 1) }) }, async () => ({ n: 1 }));
    assert.deepEqual(outputOf(await rehearse(good).start()), { n: 2 });
  });

  test("an input that nobody checked is checked before the program begins, and recorded as accepted", async () => {
    let ran = 0;
    const schema = z.object({ n: z.number(), unit: z.string().default("m") });
    const checked = orchestrator("checked", { input: schema }, async (ctx, input) => {
      ran++;
      await ctx.callActivity(hello, "x");
      return input;
    });
    const story = rehearse(checked);
    assert.equal((await story.start({ n: 1 })).acceptedInput, '{"n":1,"unit":"m"}');
    assert.deepEqual(outputOf(await story.turn(completed(1))), { n: 1, unit: "m" });
    ran = 0;
    const refused = await rehearse(checked).start({ n: "x" });
    assert.equal(failureOf(refused).errorType, "ValidationError");
    assert.match(failureOf(refused).message, /input\.n/);
    assert.equal(ran, 0);
    assert.equal("acceptedInput" in (await rehearse(checked).start({ n: 1, unit: "km" }, { validated: true })), false);
  });

  test("nothing is validated on replay (X5)", async () => {
    let asked = 0;
    const counting = z.string().refine(() => ++asked > 0);
    const definition = orchestrator(
      "counting",
      { input: counting, output: counting },
      async (ctx, text) => (await ctx.createTimer("1h"), text),
    );
    const story = rehearse(definition);
    await story.start("x");
    asked = 0;
    await executionOf(definition).advance(story.history, [turnAt(noon + 1_000)]);
    assert.equal(asked, 0);
    await executionOf(definition).advance(story.history, [turnAt(noon + 1_000), fired(1)]);
    assert.equal(asked, 1); // the output, which is new
  });

  test("where nobody records checks an input is checked in every replay, and the program is given what the check makes of it (X5)", async () => {
    let asked = 0;
    const measure = z.object({ n: z.number(), unit: z.string().default("m") }).refine(() => ++asked > 0);
    const definition = orchestrator("measuring", { input: measure }, async (ctx, input) => (await ctx.createTimer("1h"), input.unit));
    const story = rehearse(definition);
    await story.start({ n: 1 }, { validated: false });
    const recorded = story.history.map((event) =>
      event.kind === "ExecutionStarted" ? { ...event, input: '{"n":1}', validated: false } : event,
    );
    asked = 0;
    const result = await executionOf(definition).advance(recorded, [turnAt(noon + 3_600_000), fired(1)]);
    assert.ok(result.kind === "turn");
    assert.deepEqual([asked, outputOf(result)], [1, "m"]);
  });

  test("a schema may answer with a promise", async () => {
    const slow = z.string().refine(async () => await settle().then(() => true));
    const definition = orchestrator("slow", { input: slow, output: slow }, async (ctx, text) => text);
    assert.equal(outputOf(await rehearse(definition).start("x")), "x");
  });

  test("what comes after the end is nobody's", async () => {
    const definition = orchestrator("ends", async (ctx) => {
      const open = ctx.callActivity(hello, "late");
      void open.then(() => assert.fail("settled after the end"));
      return await ctx.waitForExternalEvent("go");
    });
    const story = rehearse(definition);
    await story.start();
    const result = await story.turn(raised("go", 1), completed(1, "x"), raised("go", 2));
    assert.equal(outputOf(result), 1);
    await settle();
  });

  test("a generator is not carried on after the end", async () => {
    let carriedOn = false;
    const story = rehearse(
      orchestrator("ends", function* (ctx) {
        const call = ctx.callActivity(hello, "x");
        yield* ctx.waitForExternalEvent("go");
        ctx.continueAsNew();
        yield* call;
        carriedOn = true;
      }),
    );
    await story.start();
    assert.equal(endOf(await story.turn(raised("go"), completed(1))).status, "CONTINUED_AS_NEW");
    assert.equal(carriedOn, false);
  });

  test("terminate ends it, also when it continues as new in the same turn", async () => {
    const story = rehearse(orchestrator("waits", async (ctx) => await ctx.waitForExternalEvent("go")));
    await story.start();
    assert.deepEqual((await story.turn(terminated('"bye"'))).actions, [
      { kind: "completeOrchestration", id: 1, status: "TERMINATED", result: '"bye"' },
    ]);
    const again = rehearse(
      orchestrator("again", async (ctx) => {
        await ctx.waitForExternalEvent("go");
        ctx.continueAsNew();
      }),
    );
    await again.start();
    assert.equal(endOf(await again.turn(raised("go"), terminated())).status, "TERMINATED");
    const done = rehearse(orchestrator("done", async (ctx) => await ctx.waitForExternalEvent("go")));
    await done.start();
    assert.equal(endOf(await done.turn(raised("go", 1), terminated())).status, "COMPLETED");
  });
});

describe("continue as new", () => {
  test("carries the events that no wait has taken, in order across names, those of the same turn included", async () => {
    const story = rehearse(
      orchestrator("loops", async (ctx, n: number) => {
        const seen = await ctx.waitForExternalEvent<number>("a");
        ctx.continueAsNew(n + seen, { version: "2" });
        ctx.continueAsNew(0);
        ctx.sendEvent("other", "still running");
      }),
    );
    await story.start(1, {}, raised("B", 1));
    const result = await story.turn(raised("A", 5), raised("a", 6), raised("b", 2));
    assert.deepEqual(asked(result), ["sendEvent 1 still running", "completeOrchestration 2"]);
    const { status, result: input, newVersion, carriedEvents, droppedEvents } = endOf(result);
    assert.deepEqual([status, input, newVersion, droppedEvents], ["CONTINUED_AS_NEW", "6", "2", undefined]);
    assert.deepEqual(
      carriedEvents?.map(({ name, input: data }) => [name, data]),
      [
        ["B", "1"],
        ["a", "6"],
        ["b", "2"],
      ],
    );
  });

  test("drops them with a count when told so", async () => {
    const story = rehearse(
      orchestrator("drops", async (ctx) => {
        await ctx.waitForExternalEvent("go");
        ctx.continueAsNew(undefined, { carryEvents: false });
      }),
    );
    await story.start(undefined, {}, raised("x"));
    const end = endOf(await story.turn(raised("go"), raised("y")));
    assert.equal(end.droppedEvents, 2);
    assert.equal("carriedEvents" in end, false);
    assert.equal("result" in end, false);
  });

  test("an error thrown after it is not lost", async () => {
    const story = rehearse(
      orchestrator("loses", async (ctx) => {
        ctx.continueAsNew(1);
        throw new Error("after");
      }),
    );
    assert.equal(failureOf(await story.start()).message, "after");
  });

  test("ends the execution even if the program waits on", async () => {
    const story = rehearse(
      orchestrator("waits", async (ctx) => {
        ctx.continueAsNew(1);
        await ctx.createTimer("1h");
        assert.fail("never");
      }),
    );
    assert.deepEqual(asked(await story.start()), ["createTimer 1", "completeOrchestration 2"]);
  });
});

describe("suspended", () => {
  test("nothing moves the program until it is resumed; then everything comes, in order", async () => {
    const story = rehearse(
      orchestrator("patient", async (ctx) => {
        const seen: unknown[] = [];
        const timer = ctx.createTimer("1h");
        for (let i = 0; i < 2; i++) seen.push(await ctx.waitForExternalEvent("e"));
        await timer;
        seen.push(await ctx.callActivity(hello, "x"));
        return seen;
      }),
    );
    await story.start();
    await story.turn(raised("e", 1), suspended);
    assert.deepEqual(asked(await story.turn(raised("e", 2), fired(1))), []);
    assert.deepEqual(asked(await story.turn(resumed)), ["scheduleTask 2 hello"]);
    assert.deepEqual(asked(await story.turn(suspended, completed(2, "x"))), []);
    assert.deepEqual(outputOf(await story.turn(resumed)), [1, 2, "x"]);
  });

  test("a start that finds itself suspended waits, too", async () => {
    const definition = orchestrator("later", async (ctx, n: number) => n);
    const story = rehearse(definition);
    assert.deepEqual((await story.turn(suspended, started(definition, { input: "3" }))).actions, []);
    assert.equal(outputOf(await story.turn(resumed)), 3);
  });
});

describe("mistakes", () => {
  test("waiting for something that is not durable fails new work and stalls a replay", async () => {
    const definition = orchestrator("fetches", async (ctx) => {
      await ctx.callActivity(hello, "x");
      await new Promise(() => undefined);
    });
    const story = rehearse(orchestrator("fetches", async (ctx) => (await ctx.callActivity(hello, "x"), await ctx.createTimer("1h"))));
    await story.start();
    const failing = executionOf(definition);
    const result = await failing.advance(story.history, [turnAt(noon + 1_000), completed(1)]);
    assert.ok(result.kind === "turn");
    assert.equal(failureOf(result).errorType, "NonDurableWaitError");
    assert.equal(failureOf(result).nonRetriable, true);
    await story.turn(completed(1));
    const replay = await executionOf(definition).advance(story.history, [turnAt(noon + 9_000), fired(2)]);
    assert.ok(replay.kind === "stalled");
    assert.equal(replay.stall.kind, "non-durable-wait");
    assert.match(replay.stall.reason, /'fetches' waits for something that is not durable/);
  });

  test("an item of ctx.map that waits for something that is not durable is found, too", async () => {
    const story = rehearse(orchestrator("maps", async (ctx) => await ctx.map([1, 2], () => new Promise<number>(() => undefined))));
    assert.equal(failureOf(await story.start()).errorType, "NonDurableWaitError");
  });

  test("an end outside of a delivery is found by the next turn, and warned about at once", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const logs: string[] = [];
    const definition = orchestrator("races", async (ctx) => void (await Promise.race([promise, ctx.createTimer("24h")])));
    const execution = executionOf(definition, { log: ({ level, message }) => void logs.push(`${level} ${message}`) });
    const first = await execution.advance([], [turnAt(noon), started(definition)]);
    assert.equal(first.kind, "turn");
    resolve();
    await settle();
    assert.equal(logs.length, 1);
    const result = await execution.advance([], [turnAt(noon + 1_000), fired(1)]);
    assert.ok(result.kind === "turn");
    assert.equal(failureOf(result).errorType, "NonDurableWaitError");
  });

  test("a call outside of a delivery makes no action and never settles", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const definition = orchestrator("calls late", async (ctx) => {
      void promise.then(async () => {
        await ctx.callActivity(hello, "late");
        assert.fail("never");
      });
      await ctx.createTimer("24h");
    });
    const execution = executionOf(definition);
    await execution.advance([], [turnAt(noon), started(definition)]);
    resolve();
    await settle();
    const result = await execution.advance([], [turnAt(noon + 1_000), fired(1)]);
    assert.ok(result.kind === "turn");
    assert.deepEqual(asked(result), ["completeOrchestration 2"]);
    assert.equal(failureOf(result).errorType, "NonDurableWaitError");
  });

  test("more actions than a turn may ask for fail, naming the limit (R7)", async () => {
    const story = rehearse(
      orchestrator("endless", async (ctx) => {
        for (;;) void ctx.callActivity(hello, "x");
      }),
      { limits: { payloadBytes: 1_000, customStatusBytes: 1_000, actionsPerTurn: 50 } },
    );
    const result = await story.start();
    assert.equal(result.actions.length, 1);
    assert.match(failureOf(result).message, /more than 50 actions .* actionsPerTurn/);
  });

  test("rejections that nobody handled are told at the end", async () => {
    const story = rehearse(orchestrator("careless", async (ctx) => await ctx.waitForExternalEvent("go")));
    await story.start();
    story.kept.reportUnhandled(new Error("lost"));
    assert.equal(story.logs.length, 0);
    await story.turn(raised("go"));
    assert.deepEqual(
      story.logs.map(({ level, message }) => [level, message]),
      [["warn", "A rejection in orchestrator 'careless' was handled by nobody."]],
    );
  });

  test("a rejection that comes to light after the end is told too; of a forgotten program none is", async () => {
    const story = rehearse(orchestrator("hasty", async () => "ok"));
    await story.start();
    story.kept.close();
    story.kept.reportUnhandled(new Error("lost"));
    assert.deepEqual(
      story.logs.map(({ message }) => message),
      ["A rejection in orchestrator 'hasty' was handled by nobody."],
    );

    const forgotten = rehearse(orchestrator("forgotten", async (ctx) => await ctx.waitForExternalEvent("go")));
    await forgotten.start();
    forgotten.kept.close();
    forgotten.kept.reportUnhandled(new Error("lost"));
    assert.equal(forgotten.logs.length, 0);
  });

  test("after close nothing settles and calls throw into the program alone (X3)", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let code: unknown;
    const definition = orchestrator("closed", async (ctx) => {
      void promise.then(() => ctx.callActivity(hello, "x")).then(undefined, (error: unknown) => (code = (error as { code: string }).code));
      await ctx.createTimer("1h");
      assert.fail("never");
    });
    const execution = executionOf(definition);
    await execution.advance([], [turnAt(noon), started(definition)]);
    execution.close();
    resolve();
    await settle();
    assert.equal(code, "INVALID_STATE");
    await assert.rejects(execution.advance([], [turnAt(noon + 1), fired(1)]), { code: "INVALID_STATE" });
  });
});

describe("what nobody waits for", () => {
  test("unknown ids, wrong kinds, second starts and second completions change nothing (E1)", async () => {
    const definition = orchestrator("calm", async (ctx, n: number) => [
      n,
      await ctx.callActivity(hello, "x"),
      await ctx.callActivity(hello, "y"),
    ]);
    const story = rehearse(definition);
    await story.start(1);
    await story.turn(
      completed(9, "?"),
      fired(1),
      childCompleted(1, "?"),
      childFailed(1, new Error("?")),
      started(definition, { input: "2" }),
    );
    await story.turn(completed(1, "X"), completed(1, "XX"), failed(1, "?"));
    assert.deepEqual(outputOf(await story.turn(completed(2, "Y"))), [1, "X", "Y"]);
  });

  test("it counts as seen: lengths and bytes", async () => {
    const story = rehearse(orchestrator("counted", async (ctx) => await ctx.waitForExternalEvent("go")));
    await story.start("x".repeat(98));
    assert.equal(story.kept.historyLength, 2);
    assert.equal(story.kept.keptBytes, 4_096 + 100);
  });
});
