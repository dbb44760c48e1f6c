import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryEvent } from "./events.ts";
import { asRewindRequest } from "./rewound-item.ts";
import type { OrchestrationWorkItem, Past } from "./work-items.ts";

const began: HistoryEvent = { kind: "OrchestratorStarted", eventId: -1, timestamp: 1 };
const ended: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: 1, status: "FAILED" };
const rewound: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: 2, reason: "why" };
const raised: HistoryEvent = { kind: "EventRaised", eventId: -1, timestamp: 3, name: "e" };
const item = (past: Past, ...news: readonly HistoryEvent[]): OrchestrationWorkItem => ({
  kind: "orchestration",
  token: 1,
  instanceId: "i",
  executionId: "x",
  name: "o",
  past,
  newEvents: [{ ...began, timestamp: 9 }, ...news],
});
const of = (...events: readonly HistoryEvent[]): Past => ({ events });

test("RI1 a rewind that no turn has followed is shown as news behind the end, alone", () => {
  const shown = asRewindRequest(item(of(began, ended, began, rewound), raised));
  assert.deepEqual(shown.past, of(began, ended));
  assert.deepEqual(shown.newEvents, [{ ...began, timestamp: 9 }, rewound]);
});

test("RI1 also when it was suspended and resumed before its turn, and when there was a rewind before", () => {
  const suspended: HistoryEvent = { kind: "ExecutionSuspended", eventId: -1, timestamp: 2 };
  const resumed: HistoryEvent = { kind: "ExecutionResumed", eventId: -1, timestamp: 2 };
  const shown = asRewindRequest(item(of(began, rewound, began, ended, began, rewound, suspended, resumed)));
  assert.deepEqual(shown.past, of(began, rewound, began, ended));
});

test("every other turn is shown as it is: without a rewind, behind a rewritten history, after a turn, to a kept program", () => {
  for (const past of [of(), of(began), of(began, raised, began, rewound), of(began, ended, began, rewound, began, raised), { kept: 4 }]) {
    const one = item(past, raised);
    assert.equal(asRewindRequest(one), one);
  }
});
