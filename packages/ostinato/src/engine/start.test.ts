import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, finished, pending, running, stored } from "../../test/engine-story.ts";
import type { StartRequest } from "../contract/backend.ts";
import { checkCommit } from "./invariants.ts";
import { decideRestart, decideStart, restartOf } from "./start.ts";

const request: StartRequest = { instanceId: "i", executionId: "x", name: "o" };
const HERE = { claimed: true, needs: "program" } as const;
const ANYWHERE = { claimed: false, needs: "program" } as const;

test("I1 an accepted start is a record and the message that starts it, in one commit that holds only where the id is free", () => {
  const full: StartRequest = { ...request, version: "1", input: "7", tags: { t: "1" }, validated: true, traceContext: "tc" };
  const commit = accepted(decideStart(full, ANYWHERE, undefined, 300));
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(commit.fences, [{ kind: "absent", id: "i" }]);
  assert.deepEqual([commit.payloads, commit.keep], [{ input: "7" }, false]);
  const { status, executionId, lineage, createdAt, epoch, attempts, historyLength, version, tags, traceContext, notBefore } =
    commit.record!;
  assert.deepEqual(
    [status, executionId, lineage, createdAt, epoch, attempts, historyLength, version, tags, traceContext, notBefore],
    ["PENDING", "x", "x", 300, 0, 0, 0, "1", { t: "1" }, "tc", undefined],
  );
  const [message] = commit.messages;
  assert.deepEqual(
    [commit.messages.length, message?.id, message?.to, message?.visibleAt, message?.creates],
    [1, "x:start", "i", undefined, undefined],
  );
  assert.deepEqual(message?.event, {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: 300,
    instanceId: "i",
    executionId: "x",
    name: "o",
    version: "1",
    input: "7",
    tags: { t: "1" },
    traceContext: "tc",
    validated: true,
  });
});

test("an input that was not given is not written", () => {
  const commit = accepted(decideStart(request, ANYWHERE, undefined, 300));
  assert.deepEqual([commit.payloads, "input" in commit.messages[0]!.event], [undefined, false]);
});

test("a start that this process has room for is written already leased and counted", () => {
  const commit = accepted(decideStart(request, HERE, undefined, 300));
  assert.deepEqual([commit.keep, commit.record?.epoch, commit.record?.attempts], [true, 1, 1]);
});

test("a start for later waits for its time and is leased to nobody; one for a time that has passed is like any other", () => {
  const later = accepted(decideStart({ ...request, startAt: 301 }, HERE, undefined, 300));
  assert.equal(checkCommit(later), undefined);
  assert.deepEqual(
    [later.keep, later.record?.epoch, later.record?.notBefore, later.record?.scheduledAt, later.messages[0]?.visibleAt],
    [false, 0, 301, 301, 301],
  );
  const now = accepted(decideStart({ ...request, startAt: 300 }, HERE, undefined, 300));
  assert.deepEqual(
    [now.keep, now.record?.notBefore, now.record?.scheduledAt, now.messages[0]?.visibleAt],
    [true, undefined, undefined, undefined],
  );
});

test("I2 T1 the same execution again is the same request; any other is refused, whatever the status", () => {
  for (const record of [
    pending(),
    running(),
    running({ status: "SUSPENDED", held: true }),
    finished("COMPLETED"),
    finished("FAILED"),
    finished("TERMINATED"),
  ]) {
    const same = decideStart(request, HERE, stored(record), 300);
    assert.ok("refused" in same && same.refused === "same-request", record.status);
    const other = decideStart({ ...request, executionId: "y" }, HERE, stored(record), 300);
    assert.ok("refused" in other && other.refused === "exists" && other.message.includes(record.status), record.status);
  }
});

test("what nobody serves is answered by the engine where the hub says so", () => {
  assert.equal(accepted(decideStart(request, { claimed: false, needs: "engine" }, undefined, 300)).messages[0]?.needs, "engine");
});

test("I2 a start that is asked for again is the same request also after continue-as-new and rewind; another one is not", () => {
  for (const current of [
    running(),
    running({ executionId: "x3", lineage: "x~3" }),
    finished("FAILED", { executionId: "r", lineage: "x" }),
  ]) {
    const answer = decideStart(request, ANYWHERE, stored(current), 300);
    assert.equal("refused" in answer ? answer.refused : undefined, "same-request");
  }
  for (const lineage of ["y", "x~", "x~2b", "xx~2"]) {
    const answer = decideStart(request, ANYWHERE, stored(running({ executionId: "z", lineage })), 300);
    assert.equal("refused" in answer ? answer.refused : undefined, "exists", lineage);
  }
});

test("C7 what gives way to a start goes whole, and the new one has an address of its own; a parent hears that its child was terminated", () => {
  const next: StartRequest = { ...request, executionId: "new", dedupeStatuses: ["COMPLETED"] };
  const parent = { instanceId: "p", executionId: "px", name: "parent", taskScheduledId: 5 };
  for (const [current, told] of [
    [finished("FAILED", { parent }), 0],
    [finished("TERMINATED"), 0],
    [pending({ scheduledAt: 900, notBefore: 900 }), 0],
    [running({ parent }), 1],
    [running({ status: "SUSPENDED", held: true }), 0],
  ] as const) {
    for (const placement of [HERE, ANYWHERE]) {
      const commit = accepted(decideStart(next, placement, stored(current), 300));
      assert.equal(checkCommit(commit), undefined);
      assert.deepEqual(commit.fences, [{ kind: "instance", number: current.number, epoch: current.epoch }]);
      assert.deepEqual(
        [commit.drop, commit.number, commit.record?.number, commit.keep],
        ["everything", current.number, 0, placement.claimed],
      );
      assert.deepEqual([commit.record?.executionId, commit.record?.notBefore, commit.record?.parent], ["new", undefined, undefined]);
      const answers = commit.messages.filter((message) => message.to === "p");
      assert.equal(answers.length, told, current.status);
      assert.ok(answers.every(({ event }) => event.kind === "SubOrchestrationInstanceFailed"));
    }
  }
  const refused = decideStart(next, ANYWHERE, stored(finished("COMPLETED")), 300);
  assert.equal("refused" in refused ? refused.refused : undefined, "exists");
});

test("C7 a restart takes name, input, version and tags along, and neither parent nor time to start; only a finished one is restarted", () => {
  const full = finished("FAILED", {
    version: "2",
    tags: { t: "1" },
    scheduledAt: 50,
    parent: { instanceId: "p", executionId: "px", name: "parent", taskScheduledId: 5 },
  });
  const again = { instanceId: "i", executionId: "again" };
  const commit = accepted(
    decideRestart(again, ANYWHERE, { lineage: "x", validated: true }, stored(full, { input: "7", output: "8" }), 300),
  );
  assert.equal(checkCommit(commit), undefined);
  const { name, version, tags, parent, scheduledAt, status, createdAt } = commit.record!;
  assert.deepEqual(
    [name, version, tags, parent, scheduledAt, status, createdAt],
    ["o", "2", { t: "1" }, undefined, undefined, "PENDING", 300],
  );
  assert.deepEqual(commit.payloads, { input: "7" });
  const [message] = commit.messages;
  assert.equal(message?.event.kind === "ExecutionStarted" ? message.event.validated : undefined, true);
  assert.equal(restartOf(stored(full), again, { lineage: "another", validated: true }).validated, undefined);
  const rewound = finished("COMPLETED", { executionId: "x2" });
  assert.equal(
    restartOf(stored(rewound), again, { lineage: "x", validated: true }).validated,
    true,
    "a rewind keeps the input that it had",
  );
  const refusals = [undefined, stored(running()), stored(running({ executionId: "again", lineage: "again" }))].map((current) => {
    const answer = decideRestart(again, ANYWHERE, undefined, current, 300);
    return "refused" in answer ? answer.refused : undefined;
  });
  assert.deepEqual(refusals, ["not-found", "not-finished", "same-request"]);
});
