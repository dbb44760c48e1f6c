import assert from "node:assert/strict";
import { test } from "node:test";
import type { EntityContext } from "../authoring/entity-context.ts";
import { entity, type EntityDefinition } from "../authoring/entity.ts";
import { orchestrator } from "../authoring/define.ts";
import { defaultConverter } from "../authoring/payload.ts";
import type { EntityOperationEvent } from "../contract/events.ts";
import { given } from "../contract/recorded-as.ts";
import type { EntityOutcome } from "../contract/work-items.ts";
import { createLogger, type LogRecord } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import * as z from "zod";
import { createEntityRunner } from "./run-entity.ts";

type Batch = Extract<EntityOutcome, { kind: "batch" }>;
type Asked = readonly [operation: string, input?: unknown, signal?: "signal"];

/** A worker with one entity, which does batches of one address. */
function workerWith(definition: EntityDefinition, limit = 1_000_000) {
  const lines: LogRecord[] = [];
  let tell: (outcome: EntityOutcome) => void = () => undefined;
  const runner = createEntityRunner({
    find: (name) => (name === definition.name ? definition : undefined),
    converter: defaultConverter,
    payloadBytes: limit,
    clock: { now: () => 1_000 },
    random: seededRandom(1),
    log: createLogger({ level: "debug", sink: (line) => void lines.push(line) }),
    defaultVersion: "9.0.0",
    tell: (outcome) => tell(outcome),
  });
  const operations = (asked: readonly Asked[]): EntityOperationEvent[] =>
    asked.map(([operation, input, signal], at) => ({
      kind: signal === undefined ? "EntityOperationCalled" : "EntityOperationSignaled",
      eventId: -1,
      timestamp: 0,
      entityId: `@${definition.name}@k`,
      requestId: String(at),
      operation,
      ...given({ input: input === undefined ? undefined : JSON.stringify(input) }),
    }));
  const run = (state: string | undefined, asked: readonly Asked[]): Promise<EntityOutcome> =>
    new Promise((resolve) => {
      tell = resolve;
      runner.run({ kind: "entity", token: 1, entityId: `@${definition.name}@k`, operations: operations(asked), ...given({ state }) });
    });
  const batch = async (state: string | undefined, ...asked: Asked[]): Promise<Batch> => {
    const outcome = await run(state, asked);
    assert.ok(outcome.kind === "batch");
    return outcome;
  };
  return { runner, run, batch, lines };
}

/** What operations came to: the result, or the failure's message. */
function told({ results }: Batch): unknown[] {
  return results.map((each): unknown =>
    each.kind === "failed" ? each.failure.message : each.result === undefined ? undefined : JSON.parse(each.result),
  );
}

const counter = entity("counter", { state: z.number(), initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  get: (state) => state.value,
  addThenThrow: (state, amount: number) => {
    state.set(state.value + amount);
    throw new Error("no");
  },
  later: async (state, amount: number) => {
    await Promise.resolve();
    return state.set(state.value + amount);
  },
  peekNew: (state) => state.isNew,
});

class Basket {
  articles: { name: string; count: number }[] = [];
  put(name: string): number {
    this.articles.push({ name, count: 1 });
    return this.articles.length;
  }
  spoil(): void {
    for (const each of this.articles) each.count = -1;
    this.articles.push({ name: "spoilt", count: 0 });
    throw new Error("spoilt");
  }
  get size(): number {
    return this.articles.length;
  }
  count(): number {
    return this.size;
  }
  who(_: undefined, context: EntityContext): string {
    return context.key;
  }
}
const basket = entity("basket", Basket);

test("operations run one after the other over one state, plain ones and async ones alike", async () => {
  const { batch } = workerWith(counter);
  const done = await batch("1", ["add", 2], ["later", 3], ["get"], ["ADD", 1]);
  assert.deepEqual([told(done), done.state], [[3, 6, 6, 7], "7"]);
});

test("E3 an operation that throws leaves the state as it was, and its neighbours do not notice", async () => {
  const { batch } = workerWith(counter);
  const done = await batch(undefined, ["add", 2], ["addThenThrow", 100], ["add", 3]);
  assert.deepEqual([told(done), done.state], [[2, "no", 5], "5"]);
});

test("E3 what a failed operation changed in place, deep inside, is as it was", async () => {
  const { batch } = workerWith(basket);
  const done = await batch(undefined, ["put", "tea"], ["spoil"], ["put", "milk"], ["count"]);
  assert.deepEqual(told(done), [1, "spoilt", 2, 2]);
  assert.deepEqual(JSON.parse(done.state ?? ""), {
    articles: [
      { name: "tea", count: 1 },
      { name: "milk", count: 1 },
    ],
  });
});

test("E3 what a failed operation sent does not go out", async () => {
  const started = orchestrator("started", { version: "1.0.0" }, async () => undefined);
  const sender = entity("sender", { initial: () => 0 }).operations({
    send: (state, fails: boolean) => {
      state.entity(counter, "other").signal.add(1, { at: "5s" });
      state.startOrchestrator(started, undefined, { instanceId: fails ? "bad" : "good", tags: { a: "b" } });
      state.startOrchestrator("byName", { x: 1 });
      if (fails) throw new Error("no");
    },
  });
  const { batch } = workerWith(sender);
  const { actions, state } = await batch(undefined, ["send", true], ["send", false]);
  assert.equal(state, undefined, "nobody has touched the state");
  assert.deepEqual(
    actions.map((each) =>
      each.kind === "signalEntity"
        ? each
        : { ...each, executionId: "x", instanceId: each.instanceId.length === 32 ? "minted" : each.instanceId },
    ),
    [
      { kind: "signalEntity", entityId: "@counter@other", operation: "add", input: "1", scheduledAt: 6_000 },
      { kind: "startOrchestration", instanceId: "good", executionId: "x", name: "started", version: "1.0.0", tags: { a: "b" } },
      { kind: "startOrchestration", instanceId: "minted", executionId: "x", name: "byName", version: "9.0.0", input: '{"x":1}' },
    ],
  );
});

test("reading alone makes no state; changing it in place does", async () => {
  assert.equal((await workerWith(counter).batch(undefined, ["get"], ["peekNew"])).state, undefined);
  const { batch } = workerWith(basket);
  assert.equal((await batch(undefined, ["count"], ["who"])).state, undefined);
  assert.equal((await batch(undefined, ["put", "tea"])).state, '{"articles":[{"name":"tea","count":1}]}');
});

test("delete clears the state, for the operations behind it in the same batch too", async () => {
  const { batch } = workerWith(counter);
  assert.equal((await batch("5", ["delete"])).state, undefined);
  const done = await batch("5", ["delete"], ["peekNew"], ["add", 1]);
  assert.deepEqual([told(done), done.state], [[undefined, true, 1], "1"]);
});

test("falsy states are states", async () => {
  const { batch } = workerWith(counter);
  const done = await batch("3", ["add", -3], ["peekNew"]);
  assert.deepEqual([told(done), done.state], [[0, false], "0"]);
});

test("an operation that there is none of fails with those that there are", async () => {
  const { batch } = workerWith(counter);
  const done = await batch("5", ["fly"], ["constructor"], ["add", 1]);
  assert.match(String(told(done)[0]), /^The entity 'counter' has no operation 'fly'. It has 'add', 'get'/);
  assert.match(String(told(done)[1]), /no operation 'constructor'/);
  assert.equal(done.state, "6");
});

test("of a signal that fails the log tells, with the entity and the operation", async () => {
  const { batch, lines } = workerWith(counter);
  await batch("5", ["addThenThrow", 1, "signal"], ["addThenThrow", 1]);
  assert.deepEqual(
    lines.map(({ message, fields }) => [message, fields?.["entityId"], fields?.["operation"]]),
    [["a signalled operation failed: no", "@counter@k", "addThenThrow"]],
  );
});

test("a state that the schema refuses fails what needs it, is left as it is, and can be deleted", async () => {
  const { batch } = workerWith(counter);
  const bad = await batch('"text"', ["add", 1], ["get"]);
  for (const each of told(bad)) assert.match(String(each), /state of entity '@counter@k' is not valid/);
  assert.equal(bad.state, '"text"');
  assert.equal((await batch('"text"', ["delete"])).state, undefined);
});

test("a state that the schema would refuse is not written: its operation fails", async () => {
  const small = entity("small", { state: z.number().max(10), initial: () => 0 }).operations({ set: (state, to: number) => state.set(to) });
  const { batch } = workerWith(small);
  const done = await batch("1", ["set", 11], ["set", 3]);
  assert.match(String(told(done)[0]), /not valid/);
  assert.equal(done.state, "3");
});

test("what an older program stored is brought up to date", async () => {
  const named = entity("named", {
    state: z.object({ names: z.array(z.string()) }),
    initial: () => ({ names: [] as string[] }),
    upcast: (stored) => (typeof stored === "object" && stored !== null && "name" in stored ? { names: [String(stored.name)] } : stored),
  }).operations({ add: (state, name: string) => void state.value.names.push(name), all: (state) => state.value.names });
  const { batch } = workerWith(named);
  const done = await batch('{"name":"Ada"}', ["all"], ["add", "Ben"], ["all"]);
  assert.deepEqual([told(done), done.state], [[["Ada"], undefined, ["Ada", "Ben"]], '{"names":["Ada","Ben"]}']);
});

test("inputs and results have schemas", async () => {
  const typed = entity("typed", { initial: () => "" }).operations({
    name: { input: z.object({ name: z.string().trim() }), output: z.string(), run: (state, { name }) => state.set(name) },
  });
  const { batch } = workerWith(typed);
  const done = await batch(undefined, ["name", { name: " Ada " }], ["name", { name: 5 }]);
  assert.equal(told(done)[0], "Ada");
  assert.match(String(told(done)[1]), /input of operation 'name' of @typed@k is not valid/);
  assert.equal(done.state, '"Ada"');
});

test("a result and a state over the limit fail their operation alone", async () => {
  const text = entity("text", { initial: () => "" }).operations({
    keep: (state, length: number) => void state.set("x".repeat(length)),
    give: (_, length: number) => "x".repeat(length),
  });
  const { batch } = workerWith(text, 100);
  const done = await batch(undefined, ["keep", 10], ["keep", 1_000], ["give", 1_000]);
  assert.match(String(told(done)[1]), /state of entity '@text@k' takes 1002 bytes; 100 are allowed/);
  assert.match(String(told(done)[2]), /result of operation 'give' of @text@k takes/);
  assert.equal(done.state, JSON.stringify("x".repeat(10)));
});

test("RE3 a worker that stops tells what is done; what still runs counts no more", async () => {
  let release: () => void = () => undefined;
  let begun = Promise.withResolvers<void>();
  const slow = entity("slow", { initial: () => 0 }).operations({
    add: (state) => state.set(state.value + 1),
    hang: async (state) => {
      begun.resolve();
      await new Promise<void>((resolve) => (release = resolve));
      state.set(100);
    },
  });
  const { runner, run } = workerWith(slow);
  const outcome = run(undefined, [["add"], ["add"], ["hang"], ["add"]]);
  await begun.promise;
  assert.equal(runner.running, 1);
  runner.abandonAll();
  const done = (await outcome) as Batch;
  assert.deepEqual([done.kind, done.results.length, done.state], ["batch", 2, "2"]);
  release();
  assert.equal(runner.running, 0);

  begun = Promise.withResolvers<void>();
  const nothing = run("7", [["hang"]]);
  await begun.promise;
  runner.abandonAll();
  assert.equal((await nothing).kind, "abandoned");
});

test("RE3 whenever a worker stops, an operation is done with its state, its result and its signals, or not done", async () => {
  for (let steps = 0; steps < 40; steps++) {
    const gate = Promise.withResolvers<void>();
    const slow = entity("slow", { state: z.object({ count: z.number() }), initial: () => ({ count: 0 }) }).operations({
      add: {
        output: z.number(),
        run: async (state) => {
          await gate.promise;
          state.entity(counter, "other").signal.add(1);
          return ++state.value.count;
        },
      },
    });
    const { runner, run } = workerWith(slow);
    const outcome = run(undefined, [["add"], ["add"], ["add"]]);
    gate.resolve();
    for (let step = 0; step < steps; step++) await Promise.resolve();
    runner.abandonAll();
    const done = await outcome;
    if (done.kind !== "batch") continue;
    const { count } = JSON.parse(done.state ?? '{"count":0}') as { count: number };
    assert.deepEqual([done.results.length, done.actions.length], [count, count], `stopped after ${steps} steps`);
  }
});

test("a call that comes after its operation has ended is a mistake that is told", async () => {
  let kept: EntityContext<number> | undefined;
  const leaky = entity("leaky", { initial: () => 0 }).operations({
    keep: (state) => {
      kept = state;
    },
  });
  await workerWith(leaky).batch(undefined, ["keep"]);
  assert.throws(() => kept?.set(5), /has ended; state.set\(\) came too late/);
});
