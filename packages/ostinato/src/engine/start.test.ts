import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, finished, pending, running, stored } from "../../test/engine-story.ts";
import type { StartRequest } from "../contract/backend.ts";
import { checkCommit } from "./invariants.ts";
import { decideStart } from "./start.ts";

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
