import assert from "node:assert/strict";
import { test } from "node:test";
import type { InboxMessage } from "../../contract/messages.ts";
import { HeldLeases } from "./held-leases.ts";

function message(id: string, sequence: number): InboxMessage {
  const event = { kind: "EventRaised", eventId: -1, timestamp: 0, name: "go" } as const;
  return { id, to: "a", wakes: "always", needs: "program", event, number: 7, sequence, arrivedAt: 0 };
}

test("I5 a message that a turn consumed while a claim was on its way is not handed out by the answer of that claim", () => {
  const leases = new HeldLeases();
  const lease = leases.grant(7, 1);
  const claimEnds = leases.claimBegins();
  // A commit that set out later was answered sooner, and had it, too.
  assert.equal(leases.handOut(lease, [message("m", 1)]).length, 1);
  leases.gone(lease, ["m"]);
  assert.equal(leases.handOut(lease, [message("m", 1)]).length, 0);
  claimEnds();
  assert.equal(lease.late.size, 0);
});

test("what is consumed while nothing is on its way leaves nothing behind", () => {
  const leases = new HeldLeases();
  const lease = leases.grant(7, 1);
  leases.handOut(lease, [message("m", 1), message("n", 2)]);
  leases.gone(lease, ["m"]);
  assert.deepEqual([[...lease.handed.keys()], lease.late.size], [["n"], 0]);
});
