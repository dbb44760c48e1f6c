import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accepted,
  finished,
  held,
  inbox,
  kinds,
  PARENT,
  pending,
  RULES,
  running,
  start,
  stored,
  terminate,
} from "../../test/engine-story.ts";
import type { ExecutionRewound } from "../contract/events.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { checkCommit } from "./invariants.ts";
import { openTurn } from "./open-turn.ts";
import { decideRewind, rewindMessage } from "./rewind.ts";
import { tellParent } from "./tell-parent.ts";

const request = { executionId: "x2", reason: "mended" };
/** The call that a rewound parent makes again. */
const CALL = { ...PARENT, executionId: "px2", taskScheduledId: 9 };
const order: ExecutionRewound = rewindMessage(start({ executionId: "x2", parent: CALL, input: "1" }), "mended").event as ExecutionRewound;

function answer(record: InstanceRecord, payloads?: { readonly output?: string }) {
  return openTurn(held(record, inbox(order)), 300, RULES, payloads === undefined ? {} : { payloads });
}

test("a failed instance goes on as another execution, and is told so by its next turn; its line and its life stay", () => {
  const commit = accepted(decideRewind(request, stored(finished("FAILED", { startedAt: 110, parent: PARENT })), 300));
  assert.equal(checkCommit(commit), undefined);
  const { status, executionId, lineage, generation, completedAt, startedAt, createdAt, parent, historyLength, epoch } = commit.record!;
  assert.deepEqual(
    [status, executionId, lineage, generation, completedAt, startedAt, createdAt, parent, historyLength, epoch],
    ["RUNNING", "x2", "x", 2, undefined, 110, 100, { ...PARENT, taskScheduledId: -1 }, 7, 4],
  );
  assert.deepEqual(
    [commit.payloads, kinds(commit.history?.events), commit.drop],
    [{ output: null, failure: null }, ["OrchestratorStarted", "ExecutionRewound"], { execution: "x", generation: 1 }],
  );
  assert.deepEqual(
    commit.messages.map(({ to, execution, event }) => [to, execution, event.kind, (event as ExecutionRewound).reason]),
    [["i", "x2", "ExecutionRewound", "mended"]],
  );
});

test("H2 a child that is rewound on its own has told its end already: its call gets no second answer, until the parent asks again", () => {
  const { record } = accepted(decideRewind(request, stored(finished("FAILED", { parent: PARENT })), 300));
  for (const status of ["COMPLETED", "FAILED", "TERMINATED"] as const) assert.deepEqual(tellParent(record!, status, {}, 300), []);
  const again = { ...order, start: { ...order.start!, executionId: "x3" } };
  const opening = openTurn(held(record!, inbox(again)), 300, RULES);
  assert.deepEqual(opening.kind === "commit" ? opening.commit.record?.parent : opening.kind, CALL);
});

test("C3 a terminate that a failed child was to pass on, before its parent was rewound, does not hit it when it goes on", () => {
  const failed = finished("FAILED", { parent: PARENT });
  const last = terminate({ recursive: true });
  const passes = openTurn(held(failed, inbox(last, order)), 300, RULES, { children: { ids: ["c"] } });
  assert.equal(passes.kind, "commit");
  assert.deepEqual([passes.commit.consumed, passes.commit.messages.map(({ to }) => to)], [["m1"], ["c"]]);
  assert.equal(passes.commit.record?.status, "FAILED");
  const goesOn = openTurn(held(failed, inbox(order, last)), 300, RULES, { children: { ids: ["c"] } });
  assert.deepEqual(goesOn.kind === "commit" && [goesOn.commit.consumed, goesOn.commit.record?.status], [["m1"], "RUNNING"]);
});

test("only a failed instance is rewound, and once by one request", () => {
  const refusals = [
    undefined,
    running(),
    pending(),
    finished("COMPLETED"),
    finished("TERMINATED"),
    finished("FAILED", { executionId: "x2" }),
  ].map((record) => {
    const decided = decideRewind(request, record && stored(record), 300);
    return "refused" in decided ? decided.refused : "accepted";
  });
  assert.deepEqual(refusals, ["not-found", "not-failed", "not-failed", "not-failed", "not-failed", "same-request"]);
});

test("C6 a child that failed is rewound for the call that asks now", () => {
  const opening = answer(finished("FAILED", { parent: PARENT }));
  assert.equal(opening.kind, "commit");
  const { commit } = opening;
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(
    [commit.record?.status, commit.record?.executionId, commit.record?.parent, commit.consumed.length],
    ["RUNNING", "x2", CALL, 1],
  );
});

test("C6 a child that completed does not run again: it tells its result to the call that asks now", () => {
  assert.deepEqual(answer(finished("COMPLETED", { parent: PARENT })), { kind: "needs-payloads" });
  const opening = answer(finished("COMPLETED", { parent: PARENT }), { output: "42" });
  assert.equal(opening.kind, "commit");
  const { commit } = opening;
  assert.equal(checkCommit(commit), undefined);
  const [message] = commit.messages;
  assert.deepEqual(
    [message?.to, message?.execution, message?.event],
    ["p", "px2", { kind: "SubOrchestrationInstanceCompleted", eventId: -1, timestamp: 300, taskScheduledId: 9, result: "42" }],
  );
  assert.deepEqual([commit.record?.status, commit.record?.parent], ["COMPLETED", CALL]);
});

test("a child that runs goes on, for the call that asks now; one that was terminated begins anew", () => {
  for (const record of [running({ parent: PARENT }), running({ parent: PARENT, status: "SUSPENDED", held: true })]) {
    const opening = answer(record);
    assert.equal(opening.kind, "commit");
    const { commit } = opening;
    assert.equal(checkCommit(commit), undefined);
    assert.deepEqual(
      [commit.record, commit.messages],
      [{ ...record, parent: CALL, attempts: 0, updatedAt: 300, epoch: record.epoch + 1 }, []],
      "S1 what was decided on the record with the old call is refused",
    );
  }
  const opening = answer(finished("TERMINATED", { parent: PARENT }));
  assert.equal(opening.kind, "run");
  assert.equal(opening.kind === "run" ? opening.turn.newEvents[1]?.kind : undefined, "ExecutionStarted");
});

test("a child that is gone is started by the message that made it; an instance that is no child of this parent is left alone", () => {
  const fresh = answer(pending({ executionId: "x2", lineage: "x2", parent: CALL }));
  assert.equal(fresh.kind, "run");
  assert.equal(fresh.kind === "run" ? fresh.turn.newEvents[1]?.kind : undefined, "ExecutionStarted");
  for (const record of [
    finished("FAILED"),
    finished("FAILED", { parent: { ...PARENT, instanceId: "q" } }),
    finished("FAILED", { parent: PARENT, name: "other" }),
  ]) {
    const opening = answer(record);
    assert.equal(opening.kind, "commit");
    const { commit } = opening;
    assert.equal(commit.record?.status, "FAILED");
    assert.equal(commit.messages[0]?.event.kind, "SubOrchestrationInstanceFailed");
  }
});
