import assert from "node:assert/strict";
import { test } from "node:test";
import { finished, raised, start } from "../../test/engine-story.ts";
import type { Backend, WorkerConnection, WorkerInterest } from "../contract/backend.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import type { EntityOutcome } from "../contract/work-items.ts";
import type { EndedExecution, Observer } from "./observer.ts";
import { withTelemetry } from "./traced-backend.ts";

const turn: HistoryEvent = { kind: "OrchestratorStarted", eventId: -1, timestamp: 200 };
const failed: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: 200, status: "FAILED" };
const rewound: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: 300 };
const completed: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: 400, status: "COMPLETED" };
const first = [turn, start(), raised("first"), failed];
const second = [turn, rewound, turn, raised("second"), completed];

/** What an observer is told of an end, when the history is such by the time it is read. */
async function toldOf(record: InstanceRecord, history: readonly HistoryEvent[]): Promise<readonly HistoryEvent[] | undefined> {
  let told: EndedExecution | undefined;
  const observer: Partial<Observer> = {
    counting: () => () => undefined,
    wants: () => true,
    executionEnded: (ended) => void (told = ended),
  };
  const backend: Partial<Backend> = {
    async *history() {
      yield history;
    },
  };
  const { ended } = withTelemetry(backend as Backend, observer as Observer, { monotonic: () => 0, log: { warn: assert.fail } });
  ended(record);
  // Nothing here waits for anything but promises.
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
  return told?.events;
}

test("an execution that failed is told as it was, although its instance was rewound before its log was read", async () => {
  const record = finished("FAILED", { historyLength: first.length });
  assert.deepEqual(await toldOf(record, [...first, ...second.slice(0, 2)]), first);
});

test("an execution that was rewound is told from its rewind on: what was before belongs to the one that failed", async () => {
  const record = finished("COMPLETED", { executionId: "x2", historyLength: first.length + second.length });
  assert.deepEqual(await toldOf(record, [...first, ...second]), second);
});

test("when another instance has the id by the time the log is read, nothing is told of the one that had it", async () => {
  const record = finished("FAILED", { historyLength: first.length });
  assert.equal(await toldOf(record, [turn, start({ executionId: "y" }), raised("other"), completed]), undefined);
  assert.equal(await toldOf(record, []), undefined);
});

test("what an entity sends at once is in the trace of who asked; what it signals for later begins anew", async () => {
  const taken: EntityOutcome[] = [];
  const backend: Partial<Backend> = {
    connectWorker: () =>
      Promise.resolve({
        completeEntity(outcome: EntityOutcome) {
          taken.push(outcome);
          return Promise.resolve();
        },
      } as unknown as WorkerConnection),
  };
  const observer: Partial<Observer> = { counting: () => () => undefined };
  const traced = withTelemetry(backend as Backend, observer as Observer, { monotonic: () => 0, log: { warn: assert.fail } });
  const connection = await traced.connectWorker({} as WorkerInterest, () => undefined);
  const now = { kind: "signalEntity", entityId: "@c@1", operation: "tick", traceContext: "t" } as const;
  const child = { kind: "startOrchestration", instanceId: "i", executionId: "e", name: "o", scheduledAt: 5, traceContext: "t" } as const;
  const batch = { kind: "batch", token: 1, results: [{ kind: "succeeded" }], state: "1" } as const;
  await connection.completeEntity({ ...batch, actions: [now, { ...now, scheduledAt: 60_000 }, child] });
  const later = { kind: "signalEntity", entityId: "@c@1", operation: "tick", scheduledAt: 60_000 } as const;
  assert.deepEqual(taken, [{ ...batch, actions: [now, later, child] }]);
});
