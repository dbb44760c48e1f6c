// entity-operations: what a client may ask of a local backend about entities.
//
// Owns:    signals, reads and lists of entities, and the cleaning up behind them.
// Is told: the store, and the doors that client operations have.
// Always:  EO1 a signal is one commit of one message: nothing is read for it.
//          EO2 what is cleaned up is empty, and stays there when anything comes for it meanwhile: the store itself refuses (E6).
//          EO3 a lock is orphaned when its owner's record does not have the section; it is released by what the owner would have sent (E4).

import type {
  CleanEntityStorageRequest,
  CleanEntityStorageResult,
  ClientOperations,
  EntityFilter,
  EntitySnapshot,
} from "../contract/backend.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { checkName, entityId, partsOfEntityId, type EntityId } from "../contract/ids.ts";
import { isTerminal, type EntityLock, type InstanceRecord, type StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { InstanceFilter } from "../contract/queries.ts";
import { given } from "../contract/recorded-as.ts";
import { EMPTY_COMMIT, type Commit } from "../engine/commit.ts";
import { operationMessage, unlockMessage } from "../engine/entity-messages.ts";
import type { Store } from "../engine/store.ts";
import type { ClientWorld } from "./client-operations.ts";

/** The operations of a client that are about entities. */
export type EntityOperations = Pick<ClientOperations, "signalEntity" | "getEntity" | "queryEntities" | "cleanEntityStorage">;

const PAGE = 500;

/** The client's operations on entities of a local backend. */
export function entityOperations(world: ClientWorld): EntityOperations {
  const { store } = world;
  return {
    async signalEntity(request) {
      const to = checked(request.entityId);
      const { requestId, operation, input, scheduledAt, traceContext } = request;
      checkName(operation, "name of the operation");
      const needs = world.entityNeeds(to);
      const answer = await world.update(
        to,
        (_current, at) => {
          const event = {
            kind: "EntityOperationSignaled",
            eventId: -1,
            timestamp: at,
            entityId: to,
            requestId,
            operation,
            ...given({ input, scheduledAt, traceContext }),
          } as const;
          return { ...EMPTY_COMMIT, messages: [operationMessage(`signal:${requestId}`, event, at, { fromOwner: false, needs })] };
        },
        "absent",
      );
      if (!("refused" in answer) && scheduledAt !== undefined) world.wakeAt(scheduledAt, answer.at);
    },

    async getEntity(id, includeState) {
      world.refuseWhenClosed();
      const stored = await store.read(checked(id));
      return stored && (await snapshotOf(store, stored, includeState));
    },

    async queryEntities(filter, page) {
      world.refuseWhenClosed();
      const { items, next } = await store.query(instancesOf(filter), page);
      const snapshots = await Promise.all(items.map((each) => snapshotOf(store, each, filter.includeState)));
      return { items: snapshots, ...given({ next }) };
    },

    async cleanEntityStorage(request) {
      world.refuseWhenClosed();
      return cleaned(world, request);
    },
  };
}

/** The id in its normal form. */
function checked(id: EntityId): EntityId {
  const parts = partsOfEntityId(id);
  if (parts === undefined)
    throw new InvalidArgumentError(`${JSON.stringify(id)} is no entity's id, which is written @name@key; see entityId(name, key).`);
  return entityId(parts.name, parts.key);
}

function instancesOf({ idPrefix, lastModifiedFrom, lastModifiedTo, includeTransient }: EntityFilter): InstanceFilter {
  return {
    kind: "entity",
    ...given({ idPrefix, updatedFrom: lastModifiedFrom, updatedTo: lastModifiedTo, hasState: includeTransient ? undefined : true }),
  };
}

async function snapshotOf(store: Store, { record, payloads }: StoredInstance, includeState: boolean): Promise<EntitySnapshot> {
  const { state } = payloads;
  return {
    entityId: record.id,
    lastModifiedAt: record.updatedAt,
    backlogQueueSize: (await store.outstanding(record.id))?.dueMessages ?? 0,
    hasState: state !== undefined,
    ...given({ lockedBy: record.lockedBy?.instanceId, state: includeState ? state : undefined, stall: record.stall }),
  };
}

// ---- cleaning up

async function cleaned(world: ClientWorld, request: CleanEntityStorageRequest): Promise<CleanEntityStorageResult> {
  const orphanedLocksReleased = request.releaseOrphanedLocks ? await releaseOrphans(world) : 0;
  const emptyEntitiesRemoved = request.removeEmptyEntities ? await removeEmpty(world) : 0;
  return { emptyEntitiesRemoved, orphanedLocksReleased };
}

async function removeEmpty(world: ClientWorld): Promise<number> {
  let removed = 0;
  for await (const page of entities(world.store, { hasState: false, locked: false })) {
    const gone = await Promise.all(page.map(({ record }) => remove(world, record)));
    removed += gone.filter(Boolean).length;
  }
  return removed;
}

/** Decided on what stands there then: a batch of the same lease may have given it a state since it was listed. */
async function remove(world: ClientWorld, { id, number }: InstanceRecord): Promise<boolean> {
  const { store } = world;
  const waiting = await store.outstanding(id);
  if (waiting === undefined || waiting.dueMessages + waiting.laterMessages > 0) return false;
  const answer = await store.update(id, (current) => {
    if (current?.record.number !== number || current.payloads.state !== undefined || current.record.lockedBy !== undefined)
      return { refused: "no-change", message: "It is not empty any more." };
    return { ...EMPTY_COMMIT, fences: [{ kind: "instance", number, epoch: current.record.epoch }], number, drop: "if-idle" };
  });
  if ("refused" in answer || !answer.ok) return false;
  world.cleaned(number);
  return true;
}

async function releaseOrphans(world: ClientWorld): Promise<number> {
  const { store } = world;
  let released = 0;
  for await (const page of entities(store, { locked: true })) {
    const releases: Commit[] = [];
    for (const { record } of page) {
      const { lockedBy, id, updatedAt } = record;
      if (lockedBy !== undefined && isOrphaned(lockedBy, (await store.read(lockedBy.instanceId))?.record))
        releases.push(release(id, lockedBy, updatedAt));
    }
    if (releases.length === 0) continue;
    for (const result of await world.writeAll(releases)) if (result.ok) released++;
  }
  return released;
}

function isOrphaned(lock: EntityLock, owner: InstanceRecord | undefined): boolean {
  if (owner === undefined || isTerminal(owner.status) || owner.executionId !== lock.executionId) return true;
  return owner.sections?.some(({ id }) => id === lock.criticalSectionId) !== true;
}

function release(id: EntityId, lock: EntityLock, at: Instant): Commit {
  return { ...EMPTY_COMMIT, messages: [unlockMessage(`${lock.executionId}:clean:${lock.criticalSectionId}`, id, lock, at)] };
}

async function* entities(store: Store, filter: InstanceFilter): AsyncGenerator<readonly StoredInstance[]> {
  let cursor: string | undefined;
  do {
    const page = await store.query({ ...filter, kind: "entity" }, { size: PAGE, ...given({ cursor }) });
    yield page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}
