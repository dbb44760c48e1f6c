// entity-stories: what the chapters about entities tell their stories with.

import type { HistoryEvent } from "../../contract/events.ts";
import { entityRecordName } from "../../contract/ids.ts";
import type { EntityLock, InstanceRecord } from "../../contract/instance.ts";
import type { InboxMessage, Message } from "../../contract/messages.ts";
import type { Claim, Commit } from "../../engine/commit.ts";
import type { ClaimRequest, Store } from "../../engine/store.ts";
import { claimOne, commitOf, done, idsOf, messageTo, recordOf, START } from "./stories.ts";

/** An entity. */
export const VISITS = "@counter@visits";
/** Who has it to itself. */
export const LOCK: EntityLock = { instanceId: "transfer", executionId: "transfer-1", criticalSectionId: "s" };

/** An entity as the first message to it makes it. */
export function entityOf(id: string, more: Partial<InstanceRecord> = {}): InstanceRecord {
  return recordOf(id, { kind: "entity", name: entityRecordName(id), executionId: id, lineage: id, status: "RUNNING", ...more });
}

/** A signal: it makes its entity where there is none. */
export function signalTo(to: string, id: string, more: Partial<Message> = {}): Message {
  const event: HistoryEvent = {
    kind: "EntityOperationSignaled",
    eventId: -1,
    timestamp: START,
    entityId: to,
    requestId: id,
    operation: "add",
    input: "1",
  };
  return messageTo(to, id, { event, creates: { record: entityOf(to), payloads: {}, claimed: false }, ...more });
}

/** Sends signals, in one commit. */
export async function signal(store: Store, to: string, ...ids: readonly string[]): Promise<void> {
  await done(store, commitOf({ messages: ids.map((id) => signalTo(to, id)) }));
}

/** What only the engine answers, held back or not: a release. */
export function releaseOf(to: string, id: string): Message {
  const event: HistoryEvent = { kind: "EntityUnlockSent", eventId: -1, timestamp: START, criticalSectionId: "s", entityId: to };
  return messageTo(to, id, { event, wakes: "always", needs: "engine" });
}

/** The commit of a batch: an entity has no history. */
export function batchOf(
  record: InstanceRecord,
  messages: readonly Pick<InboxMessage, "id">[],
  more: Partial<Commit> & { readonly change?: Partial<InstanceRecord> } = {},
): Commit {
  const { change, ...parts } = more;
  return commitOf({
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    record: { ...record, turn: record.turn + 1, attempts: 0, ...change },
    consumed: idsOf(messages),
    keep: true,
    ...parts,
  });
}

/** A claim of counters and of nothing else. */
export const COUNTERS = { instances: 0, entityCount: 100, entities: ["@counter"] } as const satisfies Partial<ClaimRequest>;

/** Claims, and expects one counter. */
export async function claimEntity(store: Store): Promise<Claim> {
  return claimOne(store, COUNTERS);
}
