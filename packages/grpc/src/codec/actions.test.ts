// Actions that a worker asks for, as far as one turn is concerned.
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Action } from "ostinato/contract";
import { decodeActions, encodeActions } from "./actions.ts";

const context = { instanceId: "i", newExecutionId: () => "x", now: 1_735_689_600_000 };
const call = (id: number): Action => ({ kind: "scheduleTask", id, name: "charge", attempt: 1, firstId: id });
const send = (id: number): Action => ({ kind: "sendEvent", id, instanceId: "other", name: "go" });

test("a turn that schedules two activities under one id fails its instance: their results could not be told apart", () => {
  for (const peer of ["ours", "family"] as const) {
    const decoded = decodeActions(encodeActions([call(1), call(2), call(1)], peer), peer, context);
    assert.equal(decoded.kind, "refused", peer);
    assert.match(decoded.kind === "refused" ? decoded.failure.message : "", /id 1.*another activity of the same turn/, peer);
  }
});

test("events that are sent may all have the id -1, and a later turn may schedule under an id again", () => {
  assert.equal(decodeActions(encodeActions([send(-1), send(-1)], "family"), "family", context).kind, "actions");
  for (let turn = 0; turn < 2; turn++) assert.equal(decodeActions(encodeActions([call(1)], "family"), "family", context).kind, "actions");
});
