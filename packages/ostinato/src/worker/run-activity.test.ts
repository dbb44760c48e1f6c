import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, type ActivityDefinition } from "../authoring/define.ts";
import { defaultConverter } from "../authoring/payload.ts";
import type { ActivityContext } from "../authoring/activity-context.ts";
import type { StandardSchemaV1 } from "../authoring/schema.ts";
import type { ActivityOutcome, ActivityWorkItem } from "../contract/work-items.ts";
import { createStandstill } from "../platform/standstill.ts";
import { silentLogger } from "../platform/logger.ts";
import type { Clock } from "../platform/clock.ts";
import { createActivityRunner, type ActivityRunner } from "./run-activity.ts";

const { settle } = createStandstill();

interface Bench {
  readonly runner: ActivityRunner;
  readonly outcomes: ActivityOutcome[];
  /** Lets every timer fire. */
  readonly timers: { readonly ms: number; readonly run: () => void; cancelled: boolean }[];
  run(item?: Partial<ActivityWorkItem>): Promise<ActivityOutcome>;
}

function bench(definition: unknown, limit = 1_000): Bench {
  const outcomes: ActivityOutcome[] = [];
  const timers: Bench["timers"] = [];
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    setTimer(ms, run) {
      const timer = { ms, run, cancelled: false };
      timers.push(timer);
      return { cancel: () => void (timer.cancelled = true) };
    },
  };
  const runner = createActivityRunner({
    find: (name) => (name === (definition as ActivityDefinition).name ? (definition as ActivityDefinition) : undefined),
    converter: defaultConverter,
    payloadBytes: limit,
    clock,
    log: silentLogger,
    tell: (outcome) => outcomes.push(outcome),
  });
  return {
    runner,
    outcomes,
    timers,
    async run(item) {
      runner.run(itemOf((definition as ActivityDefinition).name, item));
      await settle();
      const outcome = outcomes.at(-1);
      assert.ok(outcome, "there is no outcome");
      return outcome;
    },
  };
}

function itemOf(name: string, item: Partial<ActivityWorkItem> = {}): ActivityWorkItem {
  return {
    kind: "activity",
    token: "t1",
    instanceId: "i",
    executionId: "e",
    taskId: 1,
    name,
    attempt: 1,
    delivery: 1,
    idempotencyKey: "e:1",
    ...item,
  };
}

function failureOf(outcome: ActivityOutcome) {
  assert.equal(outcome.kind, "failed");
  return outcome.kind === "failed" ? outcome.failure : assert.fail();
}

/** A schema that trims text and refuses what is none. */
const text: StandardSchemaV1<string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => (typeof value === "string" ? { value: value.trim() } : { issues: [{ message: "expected text", path: [] }] }),
  },
};
const slowText: StandardSchemaV1<string> = {
  "~standard": { version: 1, vendor: "test", validate: async (value) => text["~standard"].validate(value) },
};

test("the result of a body becomes the outcome, whatever the body gives it in", async () => {
  const results: [unknown, string | undefined][] = [
    [async (_: unknown, name: string) => `Hello ${name}!`, '"Hello Ada!"'],
    [(_: unknown, name: string) => name.length, "3"],
    [() => undefined, undefined],
    [async () => null, "null"],
    [() => ({ then: (resolve: (value: number) => void) => resolve(7) }), "7"],
  ];
  for (const [body, result] of results) {
    const outcome = await bench(activity("a", body as () => unknown)).run({ input: '"Ada"' });
    assert.deepEqual(outcome, result === undefined ? { kind: "completed", token: "t1" } : { kind: "completed", token: "t1", result });
  }
});

test("whatever is thrown, and however, is a failure", async () => {
  /** Throws what may be no error at all. */
  const raise = (thrown: unknown): never => {
    throw thrown as Error;
  };
  const opaque = new Proxy({}, { get: () => raise(new Error("nested")), getPrototypeOf: () => raise(new Error("nested")) });
  const bodies: [() => unknown, string, RegExp][] = [
    [() => raise(new TypeError("at once")), "TypeError", /at once/],
    [async () => Promise.resolve().then(() => raise(new RangeError("later"))), "RangeError", /later/],
    [() => raise("just text"), "UnknownError", /just text/],
    [async () => raise(undefined), "UnknownError", /undefined/],
    [() => raise(opaque), "UnknownError", /cannot be described/],
    [() => ({ get then() { return raise(new Error("in then")); } }), "Error", /in then/], // prettier-ignore
    [() => ({ then: (_: unknown, reject: (reason: unknown) => void) => reject(new Error("by a thenable")) }), "Error", /by a thenable/],
  ];
  for (const [body, type, message] of bodies) {
    const failure = failureOf(await bench(activity("a", body)).run());
    assert.equal(failure.errorType, type);
    assert.match(failure.message, message);
    assert.equal(failure.nonRetriable, undefined);
  }
});

test("what enters and leaves is checked beside the body, and what the schema returned is what counts", async () => {
  for (const schema of [text, slowText]) {
    const greet = activity("greet", { input: schema, output: schema }, async (_, name) => `<${name}> `);
    const outcome = await bench(greet).run({ input: '"  Ada "' });
    assert.deepEqual(outcome, { kind: "completed", token: "t1", result: '"<Ada>"' });
    const refused = failureOf(await bench(greet).run({ input: "5" }));
    assert.equal(refused.errorType, "ValidationError");
    assert.equal(refused.nonRetriable, true);
    assert.match(refused.message, /input/);
    const wrong = activity("wrong", { output: schema }, async () => 5 as unknown as string);
    assert.match(failureOf(await bench(wrong).run()).message, /output/);
  }
});

test("a class that the definition names is rebuilt before the body sees it", async () => {
  class Order {
    cost = 0;
    get dear(): boolean {
      return this.cost > 100;
    }
  }
  const look = activity("look", { input: Order }, async (_, order) => order.dear);
  assert.deepEqual(await bench(look).run({ input: '{"cost":200}' }), { kind: "completed", token: "t1", result: "true" });
});

test("a result that cannot be stored fails, and is not tried again", async () => {
  const large = failureOf(await bench(activity("a", () => "x".repeat(2_000))).run());
  assert.equal(large.errorType, "PayloadTooLargeError");
  assert.equal(large.nonRetriable, true);
  const odd = failureOf(await bench(activity("a", () => () => 1)).run());
  assert.equal(odd.errorType, "PayloadError");
  assert.match(odd.message, /output/);
  const unreadable = failureOf(await bench(activity("a", () => 1)).run({ input: "{not json" }));
  assert.match(unreadable.message, /input/);
});

test("a declared error is told by its tag, with its data", async () => {
  const reserve = activity("reserve", { errors: { OutOfStock: text } }, async (ctx) => ctx.fail("OutOfStock", "3 left"));
  const failure = failureOf(await bench(reserve).run());
  assert.equal(failure.errorType, "OutOfStock");
  assert.deepEqual(failure.properties, { tag: "OutOfStock", data: '"3 left"' });
});

test("the context says what the item says", async () => {
  let seen: unknown;
  const look = activity("look", (ctx) => {
    seen = [ctx.instanceId, ctx.taskId, ctx.name, ctx.attempt, ctx.delivery, ctx.idempotencyKey, ctx.tags, ctx.signal.aborted];
  });
  await bench(look).run({ attempt: 2, delivery: 3, tags: { team: "it" } });
  assert.deepEqual(seen, ["i", 1, "look", 2, 3, "e:1", { team: "it" }, false]);
});

test("without a time-out no timer is set; with one it is taken back", async () => {
  const quick = bench(activity("quick", async () => 1));
  await quick.run();
  assert.equal(quick.timers.length, 0);
  await quick.run({ timeoutMs: 50 });
  assert.deepEqual(
    quick.timers.map((timer) => [timer.ms, timer.cancelled]),
    [[50, true]],
  );
});

test("a time-out fails the activity at once; what comes later is dropped and counted", async () => {
  let finish: (value: number) => void = () => undefined;
  let context: ActivityContext | undefined;
  const slow = activity("slow", (ctx) => {
    context = ctx;
    return new Promise<number>((resolve) => (finish = resolve));
  });
  const { runner, timers, outcomes } = bench(slow);
  runner.run(itemOf("slow", { timeoutMs: 50 }));
  assert.equal(runner.running, 1);
  timers[0]?.run();
  assert.equal(runner.running, 0);
  const [outcome] = outcomes;
  assert.ok(outcome);
  assert.equal(failureOf(outcome).errorType, "ActivityTimeoutError");
  assert.equal(failureOf(outcome).nonRetriable, undefined);
  assert.equal(context?.signal.aborted, true, "a signal that is first looked at later is aborted too");
  assert.throws(() => context?.heartbeat(), /timeout of 50 ms/);
  finish(1);
  await settle();
  assert.equal(outcomes.length, 1);
  assert.equal(runner.late, 1);
});

test("a cancel notice aborts the signal and lets the body end by itself", async () => {
  const polite = activity(
    "polite",
    (ctx) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error))),
  );
  const { runner, outcomes } = bench(polite);
  runner.run(itemOf("polite"));
  runner.cancel({ kind: "cancel", token: "nobody", reason: "terminated" });
  assert.equal(outcomes.length, 0);
  runner.cancel({ kind: "cancel", token: "t1", reason: "lease-lost" });
  await settle();
  const [outcome] = outcomes;
  assert.ok(outcome);
  assert.match(failureOf(outcome).message, /another worker/);
});

test("abandoning gives everything back, once", async () => {
  let finish: () => void = () => undefined;
  const slow = activity("slow", () => new Promise<void>((resolve) => (finish = resolve)));
  const { runner, outcomes } = bench(slow);
  runner.run(itemOf("slow"));
  runner.abandonAll();
  runner.abandonAll();
  finish();
  await settle();
  assert.deepEqual(outcomes, [{ kind: "abandoned", token: "t1", delayMs: 0 }]);
  assert.equal(runner.late, 1);
});

test("an activity that is not here is left to others", async () => {
  const { runner, outcomes } = bench(activity("here", () => 1));
  runner.run(itemOf("elsewhere"));
  assert.deepEqual(outcomes, [{ kind: "abandoned", token: "t1", delayMs: 1_000 }]);
});
