// open-entity: the inbox of an entity is opened, and becomes a batch for its program, a commit of the engine's own, or nothing.
//
// Owns:    which operations are done next; how the lock of an entity is taken, given back and taken back.
// Is told: the held entity with its messages, the reading of the store's clock, whether its program can run here.
// Tells:   an EntityOpening, with the messages that it leaves for later.
// Always:  OE1 operations are done in the order of their delivery; a request for the lock is a barrier among them (E2).
//          OE2 while the entity is locked nothing but its owner's calls, releases and withdrawals is taken; the rest stays where it is (E5).
//          OE3 a release comes after the calls that were sent before it. A withdrawal waits for nothing: who withdraws has called nobody (E4).
//          OE4 every message handed out is taken, left, or dropped and counted. What wakes a locked entity and cannot be done now is put back as
//             what waits, so that nothing spins.

import type { EntityLockRequested, EntityOperationEvent, EntityUnlockSent, HistoryEvent } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import { entityRecordName } from "../contract/ids.ts";
import type { EntityLock, InstanceRecord } from "../contract/instance.ts";
import { LATEST_INSTANT, type Instant } from "../contract/instant.ts";
import { byDelivery, type InboxMessage, type Message } from "../contract/messages.ts";
import { EMPTY_COMMIT, type Commit, type Lease } from "./commit.ts";
import { answersTo } from "./close-entity-batch.ts";
import { lockMessage, lockMessageId, unlockMessage } from "./entity-messages.ts";
import { setAside } from "./open-turn.ts";

/** An entity that this process holds, with what has come for it and is not done. */
export interface HeldEntity extends Lease {
  readonly record: InstanceRecord;
  readonly messages: readonly InboxMessage[];
}

/** What the engine may count on here. */
export interface EntityRules {
  /** A worker of this process serves the entity's name. */
  readonly canRun: boolean;
  /** Nobody here serves the name: what its operations fail with where they are to fail. */
  readonly failWith?: Failure;
  /** All operations fail then; otherwise only those that were accepted as what fails. */
  readonly failsAll: boolean;
  /** Who can answer what is sent to entities of this name, where that can be told here; otherwise it is as its sender knew it. */
  readonly needsOf?: (name: string) => Message["needs"] | undefined;
  /** More claims than this without a commit set an entity aside. */
  readonly maxClaims: number;
}

/** Operations that a program is to do, one after the other. */
export interface OpenedBatch {
  readonly record: InstanceRecord;
  readonly at: Instant;
  readonly taken: readonly OperationMessage[];
}

/** What an inbox turned out to be. `left`: what stays for the next opening. */
export type EntityOpening =
  | { readonly kind: "run"; readonly batch: OpenedBatch; readonly left: readonly InboxMessage[] }
  | { readonly kind: "commit"; readonly commit: Commit; readonly left: readonly InboxMessage[]; readonly counts: EntityCounts }
  | { readonly kind: "nothing"; readonly left: readonly InboxMessage[] };

/** What a commit of the engine's own did. */
export interface EntityCounts {
  readonly locksGranted?: number;
  readonly locksReleased?: number;
  readonly locksWithdrawn?: number;
  readonly entityOperationsFailed?: number;
}

/** The most operations of one batch. */
const MOST_OPERATIONS = 500;

/** A message that is an operation. */
export type OperationMessage = InboxMessage & { readonly event: EntityOperationEvent };
type LockRequest = InboxMessage & { readonly event: EntityLockRequested };
type Unlock = InboxMessage & { readonly event: EntityUnlockSent };

/** Opens the inbox of a held entity. */
export function openEntity(held: HeldEntity, reading: Instant, rules: EntityRules): EntityOpening {
  const messages = held.messages.length > 1 ? held.messages.toSorted(byDelivery) : held.messages;
  const { record } = held;
  if (messages.length === 0) return { kind: "nothing", left: messages };
  const strange = messages.filter((message) => !isForEntity(message, record));
  if (strange.length > 0) return commitOf(held, messages, drop(held, strange, reading));
  const withdrawal = messages.find((message): message is Unlock => isUnlock(message) && message.event.withdraws !== undefined);
  if (withdrawal !== undefined) return withdrawn(held, messages, withdrawal, reading);

  const isAside = record.notBefore === LATEST_INSTANT;
  if (record.attempts > rules.maxClaims && !isAside)
    return { kind: "commit", commit: unmodified(setAside(held, claimedTooOften(record), reading), record), left: messages, counts: {} };

  const next = nextOf(record, messages);
  if (next.kind === "engine") return engineStep(held, messages, next.message, reading, rules);
  if (next.operations.length === 0) return { kind: "nothing", left: messages };
  return operationsOf(held, messages, next.operations, reading, rules);
}

/** What is to be done next: operations, or something that the engine does. */
type Next =
  | { readonly kind: "operations"; readonly operations: readonly OperationMessage[] }
  | { readonly kind: "engine"; readonly message: InboxMessage };

function nextOf(record: InstanceRecord, messages: readonly InboxMessage[]): Next {
  const operations: OperationMessage[] = [];
  for (const message of messages) {
    if (record.lockedBy !== undefined && message.wakes !== "always") continue;
    if (isOperation(message) && (record.lockedBy === undefined || isOwners(message, record.lockedBy))) {
      if (operations.push(message) === MOST_OPERATIONS) break;
      continue;
    }
    if (operations.length === 0) return { kind: "engine", message };
    break;
  }
  return { kind: "operations", operations };
}

function operationsOf(
  held: HeldEntity,
  messages: readonly InboxMessage[],
  operations: readonly OperationMessage[],
  reading: Instant,
  { canRun, failWith, failsAll }: EntityRules,
): EntityOpening {
  const { record } = held;
  const waits = record.notBefore !== undefined && record.notBefore > reading;
  if (canRun && !waits) {
    const batch = { record, at: timeOf(record, operations, reading), taken: operations };
    return { kind: "run", batch, left: without(messages, operations) };
  }
  if (failWith !== undefined) {
    const mayFail = operations.findIndex((message) => !failsAll && message.needs !== "engine");
    const failing = mayFail < 0 ? operations : operations.slice(0, mayFail);
    if (failing.length > 0) return fail(held, messages, failing, failWith, reading);
  }
  // What needs only the engine would be handed out over and over while it waits for these: it waits with them, in its order.
  const impatient = messages.filter((message) => message.needs === "engine");
  if (impatient.length === 0) return { kind: "nothing", left: messages };
  return commitOf(held, messages, {
    ...unchanged(held, reading),
    consumed: impatient.map(({ id }) => id),
    messages: impatient.map((message) => again(message, { needs: "program" })),
  });
}

/** The engine's own: a lock that is taken, or given back; a call from nowhere that is put where it waits. */
function engineStep(
  held: HeldEntity,
  messages: readonly InboxMessage[],
  message: InboxMessage,
  reading: Instant,
  rules: EntityRules,
): EntityOpening {
  const { record } = held;
  if (isLockRequest(message)) {
    if (record.lockedBy === undefined) return locked(held, messages, message, reading, rules);
  } else if (isUnlock(message)) {
    if (!matches(record.lockedBy, message.event)) return commitOf(held, messages, drop(held, [message], reading));
    const commit = { ...unchanged(held, reading), record: { ...unlocked(held, reading) }, consumed: [message.id] };
    return commitOf(held, messages, commit, { locksReleased: 1 });
  }
  return commitOf(held, messages, {
    ...unchanged(held, reading),
    consumed: [message.id],
    messages: [again(message, { wakes: "unless-held" })],
  });
}

function locked(
  held: HeldEntity,
  messages: readonly InboxMessage[],
  message: LockRequest,
  reading: Instant,
  { needsOf }: EntityRules,
): EntityOpening {
  const { record } = held;
  const { criticalSectionId, lockSet, position } = message.event;
  const caller = message.event.caller!;
  const at = Math.max(reading, record.lastTurnAt);
  const next = lockSet[position + 1];
  const sent: Message =
    next === undefined
      ? {
          id: messageId(record, 0),
          to: caller.instanceId,
          execution: caller.executionId,
          wakes: "unless-held",
          needs: "program",
          event: { kind: "EntityLockGranted", eventId: -1, timestamp: at, criticalSectionId },
        }
      : lockMessage(
          { ...message.event, timestamp: at, position: position + 1, caller },
          at,
          needsOf?.(entityRecordName(next)) ?? message.needs,
        );
  const commit: Commit = {
    ...unchanged(held, reading),
    record: { ...modified(held, reading), held: true, lockedBy: { ...caller, criticalSectionId } },
    consumed: [message.id],
    messages: [sent],
  };
  return commitOf(held, messages, commit, next === undefined ? { locksGranted: 1 } : {});
}

/**
 * Its section will never be granted: the lock is given back, or the request taken out of the inbox, where it may lie unseen while the entity is
 * locked. It goes on behind the request, unless that was seen to wait here: an orphan's lock may have been cleaned up on the way.
 */
function withdrawn(held: HeldEntity, messages: readonly InboxMessage[], message: Unlock, reading: Instant): EntityOpening {
  const { criticalSectionId } = message.event;
  const { lockSet, position } = message.event.withdraws!;
  const caller = message.event.caller!;
  const at = Math.max(reading, held.record.lastTurnAt);
  const isLocked = matches(held.record.lockedBy, message.event);
  const request = lockMessageId(caller.executionId, criticalSectionId);
  const left = isLocked ? messages : messages.filter(({ id }) => id !== request);
  const next = left.length < messages.length ? undefined : lockSet[position + 1];
  const commit: Commit = {
    ...unchanged(held, reading),
    ...(isLocked ? { record: unlocked(held, reading) } : { cancelled: [request] }),
    consumed: [message.id],
    messages:
      next === undefined
        ? []
        : [unlockMessage(message.id, next, { ...caller, criticalSectionId }, at, { lockSet, position: position + 1 })],
  };
  return commitOf(held, left, commit, next === undefined ? { locksWithdrawn: 1 } : {});
}

/** Nobody serves the entity, and such work is to fail: callers are told, signals are dropped. The state stays as it is. */
function fail(
  held: HeldEntity,
  messages: readonly InboxMessage[],
  operations: readonly OperationMessage[],
  failure: Failure,
  reading: Instant,
): EntityOpening {
  const before = unchanged(held, reading);
  const signals = operations.filter(({ event }) => event.kind === "EntityOperationSignaled").length;
  const results = operations.map(() => ({ kind: "failed", failure }) as const);
  const commit: Commit = {
    ...before,
    record: { ...before.record!, dropped: held.record.dropped + signals },
    consumed: operations.map(({ id }) => id),
    messages: answersTo(held.record, operations, results, before.record!.lastTurnAt),
  };
  return commitOf(held, messages, commit, { entityOperationsFailed: operations.length });
}

function drop(held: HeldEntity, messages: readonly InboxMessage[], reading: Instant): Commit {
  const before = unchanged(held, reading);
  return {
    ...before,
    record: { ...before.record!, dropped: held.record.dropped + messages.length },
    consumed: messages.map(({ id }) => id),
  };
}

// ---- small parts

function commitOf(held: HeldEntity, messages: readonly InboxMessage[], commit: Commit, counts: EntityCounts = {}): EntityOpening {
  const consumed = new Set(commit.consumed);
  return { kind: "commit", commit, left: messages.filter(({ id }) => !consumed.has(id)), counts };
}

/** A commit under the entity's fence that counts as a turn of it, and changes nothing that its readers see. */
function unchanged(held: HeldEntity, reading: Instant): Commit {
  const { record, number, epoch } = held;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number, epoch }],
    number,
    record: { ...record, attempts: 0, turn: record.turn + 1, lastTurnAt: Math.max(reading, record.lastTurnAt) },
  };
}

/** The record after something that its readers see. */
function modified(held: HeldEntity, reading: Instant): InstanceRecord {
  const record = unchanged(held, reading).record!;
  return { ...record, updatedAt: Math.max(record.lastTurnAt, record.updatedAt) };
}

function unlocked(held: HeldEntity, reading: Instant): InstanceRecord {
  const { lockedBy: _lockedBy, ...record } = modified(held, reading);
  return { ...record, held: false };
}

/** A commit that its readers see nothing of but the stall. */
function unmodified(commit: Commit, { updatedAt }: InstanceRecord): Commit {
  return commit.record === undefined ? commit : { ...commit, record: { ...commit.record, updatedAt } };
}

/** The same message as a new arrival in another lane. */
function again(message: InboxMessage, lane: Partial<Pick<Message, "wakes" | "needs">>): Message {
  const { id, to, wakes, needs, event } = message;
  return { id, to, wakes, needs, ...lane, event };
}

function messageId({ number, turn }: InstanceRecord, count: number): string {
  return `e${number}:${turn + 1}:${count}`;
}

function timeOf(record: InstanceRecord, taken: readonly InboxMessage[], reading: Instant): Instant {
  let at = Math.max(reading, record.lastTurnAt);
  for (const { visibleAt } of taken) if (visibleAt !== undefined && visibleAt > at) at = visibleAt;
  return at;
}

function without(messages: readonly InboxMessage[], taken: readonly InboxMessage[]): readonly InboxMessage[] {
  if (taken.length === messages.length) return [];
  const ids = new Set(taken.map(({ id }) => id));
  return messages.filter(({ id }) => !ids.has(id));
}

function claimedTooOften(record: InstanceRecord): string {
  return `The entity was claimed ${record.attempts - 1} times without a committed batch (its process ended each time, or its batch never came to an end), so it is set aside. Look for a crash or an endless loop in the operations of '${record.name.slice(1)}', then resume it by its id.`;
}

function isOperation(message: InboxMessage): message is OperationMessage {
  const { kind } = message.event;
  return kind === "EntityOperationSignaled" || kind === "EntityOperationCalled";
}

function isLockRequest(message: InboxMessage): message is LockRequest {
  return message.event.kind === "EntityLockRequested";
}

function isUnlock(message: InboxMessage): message is Unlock {
  return message.event.kind === "EntityUnlockSent";
}

function isOwners({ event }: OperationMessage, owner: EntityLock): boolean {
  if (event.kind !== "EntityOperationCalled") return false;
  return event.caller?.instanceId === owner.instanceId && event.caller.executionId === owner.executionId;
}

function matches(lock: EntityLock | undefined, { caller, criticalSectionId }: EntityUnlockSent): boolean {
  return (
    lock !== undefined &&
    lock.criticalSectionId === criticalSectionId &&
    lock.instanceId === caller?.instanceId &&
    lock.executionId === caller.executionId
  );
}

/** An address is everybody's: what is no entity's affair may lie there too. */
function isForEntity({ event }: InboxMessage, { id }: InstanceRecord): boolean {
  return IS_FOR_ENTITY[event.kind]?.(event as never, id) ?? false;
}

const IS_FOR_ENTITY: { readonly [K in HistoryEvent["kind"]]?: (event: Extract<HistoryEvent, { kind: K }>, id: string) => boolean } = {
  EntityOperationSignaled: () => true,
  EntityOperationCalled: () => true,
  EntityLockRequested: ({ caller, lockSet, position }, id) => caller !== undefined && lockSet[position] === id,
  EntityUnlockSent: ({ caller, withdraws }, id) =>
    caller !== undefined && (withdraws === undefined || withdraws.lockSet[withdraws.position] === id),
};
