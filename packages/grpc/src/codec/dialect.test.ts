// One way of speaking, from the first call to the last.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { OrchestrationWorkItem } from "ostinato/contract";

import { microsoftDialect as dialect } from "./dialect.ts";
import { readReply, readRequest, writeReply, writeRequest } from "./messages.ts";

test("D1 a turn is handed out and answered by the tables of one dialect", () => {
  const at = { eventId: -1, timestamp: 5 };
  const item: OrchestrationWorkItem = {
    kind: "orchestration",
    token: "line",
    instanceId: "i",
    executionId: "e",
    name: "greet",
    past: { events: [] },
    newEvents: [
      { kind: "OrchestratorStarted", ...at },
      { kind: "ExecutionStarted", ...at, instanceId: "i", executionId: "e", name: "greet", input: '"Ada"' },
    ],
  };
  for (const peer of ["ours", "family"] as const) {
    const handed = readReply(
      "GetWorkItems",
      writeReply("GetWorkItems", dialect.workItems.encodeOrchestration(item, item.past, "line", peer)),
    );
    const received = dialect.workItems.decode(handed, peer);
    assert.deepEqual([received.kind, received.kind === "orchestration" && received.item.name], ["orchestration", "greet"]);

    const outcome = { kind: "turn", token: "held", actions: [{ kind: "createTimer", id: 1, fireAt: 9 }] } as const;
    const answered = dialect.outcomes.encodeTurn(outcome, { instanceId: "i", token: "line" }, peer);
    const message = readRequest("CompleteOrchestratorTask", writeRequest("CompleteOrchestratorTask", answered));
    const context = { token: "held", instanceId: "i", now: 6, newExecutionId: () => assert.fail("nothing is to be minted") };
    assert.deepEqual(dialect.outcomes.decodeTurn(message, peer, context), outcome);
  }
});
