import assert from "node:assert/strict";
import { test } from "node:test";
import { orchestrator, type OrchestratorDefinition } from "../authoring/define.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { OrchestrationWorkItem } from "../contract/work-items.ts";
import type { Execution, TurnResult } from "../executor/execution.ts";
import { silentLogger } from "../platform/logger.ts";
import type { OrchestratorChoice } from "./registry.ts";
import { createTurnRunner, type TurnWorld } from "./run-orchestration.ts";
import { createTurnCache } from "./turn-cache.ts";

const definition = orchestrator("p", async () => 1) as OrchestratorDefinition;
const started: HistoryEvent = { kind: "OrchestratorStarted", eventId: -1, timestamp: 0 };

interface Program extends Execution {
  closed: boolean;
  readonly seen: [number, number][];
}

/** A program that answers as told and counts what it sees. */
function program(answer: (call: number) => TurnResult | Promise<TurnResult>): Program {
  let length = 0;
  return {
    closed: false,
    seen: [],
    get historyLength() {
      return length;
    },
    keptBytes: 10,
    async advance(past, newEvents) {
      length += past.length + newEvents.length;
      this.seen.push([past.length, newEvents.length]);
      return answer(this.seen.length);
    },
    reportUnhandled: () => undefined,
    close() {
      this.closed = true;
    },
  };
}

function bench(
  programs: readonly Execution[],
  choice: OrchestratorChoice = { kind: "found", orchestrator: definition },
  world: Partial<TurnWorld> = {},
) {
  const waiting = [...programs];
  const cache = world.cache ?? createTurnCache(1_000);
  const runner = createTurnRunner({
    choose: () => choice,
    versionFailure: "reject",
    begin: () => waiting.shift() ?? assert.fail("no program was expected to begin"),
    cache,
    breathe: () => undefined,
    log: silentLogger,
    ...world,
  });
  return { runner, cache };
}

function item(past: OrchestrationWorkItem["past"], change: Partial<OrchestrationWorkItem> = {}): OrchestrationWorkItem {
  return { kind: "orchestration", token: "t", instanceId: "i", executionId: "e", name: "p", past, newEvents: [started], ...change };
}

const goesOn = (): TurnResult => ({ kind: "turn", actions: [], ended: false });
const ends = (): TurnResult => ({ kind: "turn", actions: [{ kind: "completeOrchestration", id: 1, status: "COMPLETED" }], ended: true });

test("a program that goes on is kept, and goes on from where it was", async () => {
  const one = program((call) => (call === 1 ? goesOn() : ends()));
  const { runner, cache } = bench([one]);
  assert.deepEqual(await runner.run(item({ events: [] })), { kind: "turn", token: "t", actions: [], keptBytes: 10 });
  assert.equal(cache.size, 1);
  assert.deepEqual(await runner.run(item({ kept: 1 })), {
    kind: "turn",
    token: "t",
    actions: [{ kind: "completeOrchestration", id: 1, status: "COMPLETED" }],
  });
  assert.deepEqual(one.seen, [
    [0, 1],
    [0, 1],
  ]);
  assert.deepEqual([cache.size, one.closed], [0, true]);
});

test("a program that has seen something else than the item says asks for the history", async () => {
  const one = program(goesOn);
  const { runner } = bench([one, program(goesOn)]);
  assert.deepEqual(await runner.run(item({ kept: 3 })), { kind: "needs-history", token: "t" });
  await runner.run(item({ events: [] }));
  assert.deepEqual(await runner.run(item({ kept: 3 })), { kind: "needs-history", token: "t" });
  assert.equal(one.closed, true);
  await runner.run(item({ events: [started, started] }));
  assert.deepEqual(await runner.run(item({ kept: 3 }, { executionId: "e2" })), { kind: "needs-history", token: "t" });
});

test("a history given anew puts the kept program away", async () => {
  const [one, two] = [program(goesOn), program(goesOn)];
  const { runner } = bench([one, two]);
  await runner.run(item({ events: [] }));
  await runner.run(item({ events: [started] }));
  assert.deepEqual([one.closed, two.seen], [true, [[1, 1]]]);
});

test("a program that is forgotten during its turn is not kept", async () => {
  let answer: (result: TurnResult) => void = () => undefined;
  const one = program(() => new Promise((resolve) => (answer = resolve)));
  const { runner, cache } = bench([one]);
  const running = runner.run(item({ events: [] }));
  await Promise.resolve();
  assert.equal(runner.running, 1);
  runner.forget("i");
  answer(goesOn());
  assert.deepEqual(await running, { kind: "turn", token: "t", actions: [] });
  assert.deepEqual([cache.size, one.closed, runner.running], [0, true, 0]);
});

test("of two turns of one instance at once only the later one's program is kept", async () => {
  let answer: (result: TurnResult) => void = () => undefined;
  const [lost, current] = [program(() => new Promise((resolve) => (answer = resolve))), program(goesOn)];
  const { runner, cache } = bench([lost, current]);
  const first = runner.run(item({ events: [] }));
  await runner.run(item({ events: [] }));
  answer(goesOn());
  await first;
  assert.deepEqual([lost.closed, current.closed], [true, false]);
  assert.equal(cache.take("i", "e"), current);
});

test("a stalled program is put away", async () => {
  const one = program(() => ({ kind: "stalled", stall: { kind: "non-determinism", reason: "it differs" } }));
  const { runner, cache } = bench([one]);
  assert.deepEqual(await runner.run(item({ events: [] })), {
    kind: "stalled",
    token: "t",
    stall: { kind: "non-determinism", reason: "it differs" },
  });
  assert.deepEqual([cache.size, one.closed], [0, true]);
});

test("what a worker's versions do not fit is given back, or fails", async () => {
  const choice: OrchestratorChoice = { kind: "version", reason: "too new" };
  const past = { events: [started, { kind: "TimerCreated", eventId: 4, timestamp: 0, fireAt: 1 }] as HistoryEvent[] };
  assert.deepEqual(await bench([], choice).runner.run(item(past)), { kind: "abandoned", token: "t", reason: "too new" });
  assert.deepEqual(await bench([], choice, { versionFailure: "fail" }).runner.run(item(past)), {
    kind: "turn",
    token: "t",
    actions: [
      {
        kind: "completeOrchestration",
        id: 5,
        status: "FAILED",
        failure: { errorType: "VersionMismatch", message: "too new", nonRetriable: true },
      },
    ],
  });
  const unknown: OrchestratorChoice = { kind: "unregistered", reason: "who?" };
  assert.equal((await bench([], unknown, { versionFailure: "fail" }).runner.run(item(past))).kind, "abandoned");
});

test("whatever throws, the item is answered", async () => {
  const one = program(() => {
    throw new Error("a mistake of ours");
  });
  const { runner } = bench([one]);
  const outcome = await runner.run(item({ events: [] }));
  assert.equal(outcome.kind, "abandoned");
  assert.match(outcome.kind === "abandoned" ? (outcome.reason ?? "") : "", /a mistake of ours/);
  assert.equal(one.closed, true);
  assert.equal(runner.running, 0);
});
