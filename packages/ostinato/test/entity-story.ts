// entity-story: an entity in the middle of its life, for tests that ask the engine what comes next.

import type {
  EntityCaller,
  EntityLockRequested,
  EntityOperationCalled,
  EntityOperationSignaled,
  EntityUnlockSent,
  HistoryEvent,
} from "../src/contract/events.ts";
import type { EntityLock, InstanceRecord } from "../src/contract/instance.ts";
import type { InboxMessage } from "../src/contract/messages.ts";
import type { EntityOperationResult } from "../src/contract/work-items.ts";
import type { BatchEnd, BatchOutcome } from "../src/engine/close-entity-batch.ts";
import type { Commit } from "../src/engine/commit.ts";
import { newEntityRecord } from "../src/engine/entity-messages.ts";
import { checkCommit } from "../src/engine/invariants.ts";
import type { EntityOpening, EntityRules, HeldEntity, OpenedBatch } from "../src/engine/open-entity.ts";

export const ID = "@counter@a";
export const OTHER = "@counter@b";
export const NUMBER = 9;
export const EPOCH = 2;
export const ADA: EntityCaller = { instanceId: "ada", executionId: "ada-x" };
export const BOB: EntityCaller = { instanceId: "bob", executionId: "bob-x" };
export const RULES: EntityRules = { canRun: true, failsAll: false, maxClaims: 10 };

/** An entity that has done four batches. */
export function entityRecord(more: Partial<InstanceRecord> = {}): InstanceRecord {
  return { ...newEntityRecord(ID, 100), number: NUMBER, epoch: EPOCH, attempts: 1, turn: 4, updatedAt: 200, lastTurnAt: 200, ...more };
}

export const lockOf = (owner: EntityCaller, criticalSectionId = "s"): EntityLock => ({ ...owner, criticalSectionId });

/** One that somebody has to itself. */
export const lockedBy = (owner: EntityCaller, criticalSectionId = "s"): InstanceRecord =>
  entityRecord({ held: true, lockedBy: lockOf(owner, criticalSectionId) });

// ---- what arrives

type Arrival = Partial<InboxMessage> & { readonly event: HistoryEvent };

export function signal(operation: string, more: Partial<InboxMessage> = {}): Arrival {
  const event: EntityOperationSignaled = {
    kind: "EntityOperationSignaled",
    eventId: -1,
    timestamp: 150,
    entityId: ID,
    requestId: `r-${operation}`,
    operation,
  };
  return { event, ...more };
}

export function called(operation: string, caller: EntityCaller, more: Partial<InboxMessage> = {}): Arrival {
  const event: EntityOperationCalled = {
    kind: "EntityOperationCalled",
    eventId: -1,
    timestamp: 150,
    entityId: ID,
    requestId: `r-${operation}`,
    operation,
    caller,
  };
  return { event, ...more };
}

/** A call from within its caller's section. */
export const calledWithin = (operation: string, caller: EntityCaller): Arrival => called(operation, caller, { wakes: "always" });

export function asksForLock(caller: EntityCaller, more: Partial<EntityLockRequested> = {}): Arrival {
  const event: EntityLockRequested = {
    kind: "EntityLockRequested",
    eventId: -1,
    timestamp: 150,
    criticalSectionId: "s",
    lockSet: [ID, OTHER],
    position: 0,
    caller,
    ...more,
  };
  return { id: `${caller.executionId}:lock:${event.criticalSectionId}`, event };
}

export function letsGo(caller: EntityCaller, more: Partial<EntityUnlockSent> = {}): Arrival {
  const event: EntityUnlockSent = {
    kind: "EntityUnlockSent",
    eventId: -1,
    timestamp: 150,
    criticalSectionId: "s",
    entityId: ID,
    caller,
    ...more,
  };
  return { event, wakes: "always", needs: "engine" };
}

export const withdraws = (caller: EntityCaller, position = 0): Arrival =>
  letsGo(caller, { withdraws: { lockSet: position === 0 ? [ID, OTHER] : [OTHER, ID].sort(), position } });

export function holding(record: InstanceRecord, ...arrivals: readonly Arrival[]): HeldEntity {
  const messages = arrivals.map((arrival, i): InboxMessage => ({
    id: `m${i + 1}`,
    to: record.id,
    wakes: "unless-held",
    needs: "program",
    number: record.number,
    sequence: i + 1,
    arrivedAt: 150 + i,
    ...arrival,
  }));
  return { number: record.number, epoch: record.epoch, record, messages };
}

// ---- what comes of it

export function runs(opening: EntityOpening): OpenedBatch {
  if (opening.kind !== "run") throw new Error(`the inbox was to become a batch, and became: ${opening.kind}`);
  return opening.batch;
}

/** A commit that breaks no rule. */
export function commits(opening: EntityOpening): Commit {
  if (opening.kind !== "commit") throw new Error(`the inbox was to become a commit, and became: ${opening.kind}`);
  return sound(opening.commit);
}

export function sound(commit: Commit): Commit {
  const broken = checkCommit(commit);
  if (broken !== undefined) throw new Error(broken);
  return commit;
}

export const operations = (batch: OpenedBatch): string[] => batch.taken.map(({ event }) => event.operation);
export const ids = (messages: readonly { readonly id: string }[]): string[] => messages.map(({ id }) => id);

export const succeeded = (result?: string): EntityOperationResult =>
  result === undefined ? { kind: "succeeded" } : { kind: "succeeded", result };
export const failed = (message: string): EntityOperationResult => ({ kind: "failed", failure: { errorType: "Error", message } });

export const outcome = (results: readonly EntityOperationResult[], more: Partial<BatchOutcome> = {}): BatchOutcome => ({
  kind: "batch",
  token: 1,
  results,
  actions: [],
  ...more,
});

export const batchEnd = (more: Partial<BatchEnd> = {}): BatchEnd => ({
  reading: 300,
  before: undefined,
  keep: true,
  orchestrators: new Set(["o"]),
  entities: new Set(["@counter"]),
  failUnregistered: false,
  nextId: () => "minted",
  ...more,
});
