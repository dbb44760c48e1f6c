// messages: an event, its addressee, and from when it may be seen.
//
// Owns:    the shape of what stands in an inbox. A timer is a message visible later, a child's start a message to an address that need
//          not exist yet, a completion a message to the parent.
// Always:  a store never looks at `event`; all it needs to know stands beside it.

import type { HistoryEvent } from "./events.ts";
import type { ExecutionId, InstanceId, InstanceNumber, MessageId } from "./ids.ts";
import type { InstancePayloads, InstanceRecord } from "./instance.ts";
import type { Instant } from "./instant.ts";

/** The instance that a message makes when its addressee does not exist yet: a child that is to start, an entity that is to be called. */
export interface NewInstance {
  /** As it will stand before its first turn; its `number` is 0, the store mints one. */
  readonly record: InstanceRecord;
  readonly payloads: InstancePayloads;
  /** Lease it at once to the process that commits (`record.epoch` is then its lease's, `record.attempts` is 1). */
  readonly claimed: boolean;
}

/** A message as its sender makes it. */
export interface Message {
  /** Minted by the sender and unique; the same id to the same address again is a no-op. */
  readonly id: MessageId;
  readonly to: InstanceId;
  /** The only execution that may receive it; none means any. */
  readonly execution?: ExecutionId;
  /** Given for starts (and entity messages): written where there is none with this id. Otherwise a message to nobody is undelivered. */
  readonly creates?: NewInstance;
  /** Whether it makes a held instance ready. */
  readonly wakes: "always" | "unless-held";
  /** Who can answer it: the instance's program, or the engine of any process, registered names or not. */
  readonly needs: "program" | "engine";
  /** Not seen before this instant of the store's clock; absent: at once. */
  readonly visibleAt?: Instant;
  readonly event: HistoryEvent;
}

/** A message as it lies in an inbox: with the address's number, its place in the order of arrival, and the store's reading then. */
export interface InboxMessage extends Message {
  readonly number: InstanceNumber;
  readonly sequence: number;
  readonly arrivedAt: Instant;
}

/**
 * Orders an inbox: arrivals by the time they came, timers by the time they were due; arrivals never overtake each other. Timers that were
 * due before they were written count as there from then on, and among themselves keep the order of their times (T2).
 */
export function byDelivery(a: InboxMessage, b: InboxMessage): number {
  return dueTime(a) - dueTime(b) || (a.visibleAt ?? a.arrivedAt) - (b.visibleAt ?? b.arrivedAt) || a.sequence - b.sequence;
}

/** The instant from which a message counts as there. */
export function dueTime(message: InboxMessage): Instant {
  return message.visibleAt === undefined ? message.arrivedAt : Math.max(message.visibleAt, message.arrivedAt);
}
