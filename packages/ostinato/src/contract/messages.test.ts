import assert from "node:assert/strict";
import { test } from "node:test";
import { byDelivery, dueTime, type InboxMessage } from "./messages.ts";

const message = (sequence: number, arrivedAt: number, visibleAt?: number): InboxMessage => ({
  id: `m${sequence}`,
  to: "i",
  wakes: "unless-held",
  needs: "program",
  number: 1,
  sequence,
  arrivedAt,
  ...(visibleAt === undefined ? {} : { visibleAt }),
  event: { kind: "EventRaised", eventId: -1, timestamp: arrivedAt, name: `e${sequence}` },
});
const ordered = (...messages: InboxMessage[]): number[] => messages.sort(byDelivery).map((each) => each.sequence);

test("I5 arrivals come in the order in which they came, also those of one moment", () => {
  assert.deepEqual(ordered(message(3, 20), message(1, 10), message(2, 10)), [1, 2, 3]);
});

test("T2 a timer stands where it was due, not where it was set; one that was due already, where it was set", () => {
  assert.deepEqual(ordered(message(1, 0, 15), message(2, 10), message(3, 20)), [2, 1, 3]);
  assert.equal(dueTime(message(1, 10, 5)), 10);
});

test("T2 timers that were due before they were set keep the order of their times", () => {
  assert.deepEqual(ordered(message(1, 10, 7), message(2, 10, 5), message(3, 10, 6)), [2, 3, 1]);
});
