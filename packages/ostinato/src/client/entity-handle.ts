// entity-handle: entities, as a caller outside of orchestrations sees them: signalled, read, listed, cleaned up.
//
// Owns:    the shapes of a handle and of what is told of an entity; how a state is read.
// Is told: a Backend, never which; the clock and the source of ids.
// Tells:   the Backend, one operation for each method.
// Always:  EH1 a signal that resolved is durable, and is done once.
//          EH2 a state is read by the definition, as the entity's own operations read it: brought up to date, checked, an instance of its class.
//          EH3 a state that cannot be read spoils nothing else: reading that field throws, the others are there.

import {
  entityTarget,
  type EntitySignals,
  type EntityTarget,
  type NamedOperations,
  operationFunctions,
  signalTime,
} from "../authoring/entity-proxy.ts";
import { readEntityState } from "../authoring/entity-state.ts";
import type { EntityDefinition, EntityRef } from "../authoring/entity.ts";
import { decodeWith } from "../authoring/schema.ts";
import type { CleanEntityStorageResult, EntitySnapshot } from "../contract/backend.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { partsOfEntityId, type EntityId } from "../contract/ids.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import type { PageRequest } from "../contract/queries.ts";
import { given } from "../contract/recorded-as.ts";
import { pagedListingOf, type PagedListing } from "./listing.ts";
import type { HandleWorld } from "./orchestration-handle.ts";
import type { StallStatus } from "./orchestration-status.ts";
import { checkedInstant, enter } from "./values.ts";

/**
 * What is known of an entity at one moment.
 *
 * @example
 * for await (const each of hub.entities({ entity: account })) console.log(each.key, each.state?.balance, each.lockedBy);
 */
export interface EntityMetadata<S = unknown> {
  /** `@name@key`. */
  readonly id: string;
  /** In lower case. */
  readonly name: string;
  readonly key: string;
  /** When an operation, a lock or a release last wrote it. */
  readonly lastModifiedAt: Date;
  /** Operations that wait; those for later are not counted. */
  readonly backlogQueueSize: number;
  /** The orchestration that has it to itself. */
  readonly lockedBy?: string;
  /** Whether it has a state, asked for or not. */
  readonly hasState: boolean;
  /** Absent where there is none, or it was not asked for. Reading one that cannot be read throws. */
  readonly state?: S;
  /** Why it has operations that nobody does. */
  readonly stall?: StallStatus;
}

/** Which entities are listed. All that is given must hold. */
export interface EntityQuery<Ops = unknown, S = unknown> {
  /** The entities of this definition; their states are read by it. */
  readonly entity?: EntityRef<Ops, S>;
  /** The entities of this name, in whatever case. */
  readonly name?: string;
  /** The beginning of their keys. Needs `entity` or `name`. */
  readonly keyPrefix?: string;
  /** The beginning of their ids, as in `@counter@a`. */
  readonly idPrefix?: string;
  /** Last modified at or after. */
  readonly lastModifiedFrom?: Date;
  /** Last modified before. */
  readonly lastModifiedTo?: Date;
  /** With their states; true by default. */
  readonly includeState?: boolean;
  /** Those without a state, too, as they are when they were only locked or are deleted; false by default. */
  readonly includeTransient?: boolean;
}

/** What is to be cleaned up. */
export interface CleanEntityStorageOptions {
  /** Entities without state, lock and anything to do go; true by default. */
  readonly removeEmptyEntities?: boolean;
  /** Locks whose owners do not run any more are released; true by default. (The end of an owner releases its locks by itself.) */
  readonly releaseOrphanedLocks?: boolean;
}

/**
 * One entity. Asks nobody until it is asked: the entity need not exist.
 *
 * @example
 * const visits = hub.entity(counter, "/home");
 * await visits.signal.add(1);
 * await visits.signal.reset(undefined, { at: "24h" });
 * console.log(await visits.state());
 */
export interface EntityHandle<Ops = NamedOperations, S = unknown> {
  /** `@name@key`. */
  readonly id: string;
  /** In lower case. */
  readonly name: string;
  readonly key: string;
  /** Its operations, asked for and not waited for. When one resolves it is durable, whether anybody serves the entity or not. */
  readonly signal: EntitySignals<Ops, Promise<void>>;
  /**
   * Its state, as the last operation left it; `undefined` when it has none. Waits for nothing, not for a lock either.
   *
   * @throws ValidationError, PayloadError for a state that cannot be read.
   */
  state(): Promise<S | undefined>;
  /** What is known of it; `undefined` for one that nobody ever addressed, or that was cleaned up. */
  metadata(): Promise<EntityMetadata<S> | undefined>;
  /** Signals its operation `delete`, which takes the state away unless the entity defines its own. */
  delete(): Promise<void>;
  /** Lets an entity that was set aside, since it ended its process again and again, be tried once more. */
  resume(): Promise<void>;
}

/** The caller's side of the entities of a task hub. */
export interface EntityClient {
  /**
   * The handle of an entity: by its definition, or by its name for one in another language. Asks nobody.
   *
   * @throws InvalidArgumentError for a name or a key that no entity can have.
   * @example
   * await hub.entity(counter, "visits").signal.add(1);
   * await hub.entity<{ add(n: number): number }>("python_counter", "visits").signal.add(1);
   */
  entity<Ops, S>(definition: EntityRef<Ops, S>, key: string): EntityHandle<Ops, S>;
  entity<Ops extends object = NamedOperations, S = unknown>(name: string, key: string): EntityHandle<Ops, S>;
  /**
   * Lists entities in the order in which they came to be.
   *
   * @example
   * for await (const { key, state } of hub.entities({ entity: account, lastModifiedFrom: yesterday })) console.log(key, state?.balance);
   */
  entities<Ops = unknown, S = unknown>(query?: EntityQuery<Ops, S>): PagedListing<EntityMetadata<S>>;
  /**
   * Takes away what entities leave behind that is not needed. It can be asked for at any time, and again when it was cut off.
   *
   * @example
   * const { emptyEntitiesRemoved, orphanedLocksReleased } = await hub.cleanEntityStorage();
   */
  cleanEntityStorage(options?: CleanEntityStorageOptions): Promise<CleanEntityStorageResult>;
}

const QUERY: OptionNames<EntityQuery> = {
  entity: true,
  name: true,
  keyPrefix: true,
  idPrefix: true,
  lastModifiedFrom: true,
  lastModifiedTo: true,
  includeState: true,
  includeTransient: true,
};
const CLEAN: OptionNames<CleanEntityStorageOptions> = { removeEmptyEntities: true, releaseOrphanedLocks: true };

/** The client of a task hub's entities. */
export function createEntityClient(world: HandleWorld): EntityClient {
  return {
    entity: (definition: EntityRef<unknown, unknown> | string, key: string): EntityHandle<never, never> =>
      handleOf<never, never>(world, entityTarget(definition, key), definitionOf(definition)),
    entities: <Ops, S>(query: EntityQuery<Ops, S> = {}) => listEntities(world, query),
    async cleanEntityStorage(options = {}) {
      checkOptions(options, CLEAN, "hub.cleanEntityStorage");
      const { removeEmptyEntities = true, releaseOrphanedLocks = true } = options;
      return world.backend().cleanEntityStorage({ removeEmptyEntities, releaseOrphanedLocks });
    },
  };
}

function handleOf<Ops, S>(world: HandleWorld, target: EntityTarget, definition: EntityDefinition | undefined): EntityHandle<Ops, S> {
  const { id, name } = target;
  const signal = operationFunctions<EntitySignals<Ops, Promise<void>>>(target, async (operation, value, options) => {
    const what = `signal '${operation.name}' to ${id}`;
    const scheduledAt = signalTime(options, world.clock.now(), `the ${what}`);
    const input = await enter(world, operation.input, value, `input of the ${what}`);
    const requestId = world.random.id();
    await world.backend().signalEntity({ entityId: id, operation: operation.name, requestId, ...given({ input, scheduledAt }) });
  });
  return {
    id,
    name,
    key: partsOfEntityId(id)?.key ?? "",
    signal,
    async state() {
      const entity = await world.backend().getEntity(id, true);
      if (entity?.state === undefined) return undefined;
      return (await stateOf(world, definition, entity.state, id)) as S;
    },
    async metadata() {
      const entity = await world.backend().getEntity(id, true);
      return entity && metadataOf<S>(world, definition, entity);
    },
    async delete() {
      await world.backend().signalEntity({ entityId: id, operation: "delete", requestId: world.random.id() });
    },
    async resume() {
      await world.backend().resume(id);
    },
  };
}

function listEntities<Ops, S>(world: HandleWorld, query: EntityQuery<Ops, S>): PagedListing<EntityMetadata<S>> {
  checkOptions(query, QUERY, "hub.entities");
  const definition = query.entity === undefined ? undefined : definitionOf(query.entity);
  const filter = {
    includeState: query.includeState ?? true,
    includeTransient: query.includeTransient ?? false,
    ...given({
      idPrefix: prefixOf(query),
      lastModifiedFrom: query.lastModifiedFrom && checkedInstant(query.lastModifiedFrom, "lastModifiedFrom"),
      lastModifiedTo: query.lastModifiedTo && checkedInstant(query.lastModifiedTo, "lastModifiedTo"),
    }),
  };
  return pagedListingOf(async function* ({ size, cursor: first }: PageRequest = {}) {
    let cursor = first;
    do {
      const page = await world.backend().queryEntities(filter, given({ size, cursor }));
      cursor = page.next;
      yield { items: await Promise.all(page.items.map((each) => metadataOf<S>(world, definition, each))), next: cursor };
    } while (cursor !== undefined);
  });
}

/** The beginning of the ids that are meant; names are the same in whatever case. */
function prefixOf({ entity, name, keyPrefix, idPrefix }: EntityQuery): string | undefined {
  // What is no entity is refused: it would be all entities that are listed.
  const named = entity === undefined ? name?.toLowerCase() : entityTarget(definitionGiven(entity), "key").name;
  if (entity !== undefined && name !== undefined && entity.name !== name.toLowerCase())
    throw new InvalidArgumentError(`hub.entities was asked for '${entity.name}' and for '${name}'; one of them is enough.`);
  if (named === undefined) {
    if (keyPrefix !== undefined) throw new InvalidArgumentError("hub.entities needs an entity or a name beside keyPrefix.");
    return idPrefix?.replace(/^@[^@]*/, (begin) => begin.toLowerCase());
  }
  if (idPrefix !== undefined) throw new InvalidArgumentError("hub.entities takes an entity, a name or an idPrefix: one of them.");
  return `${entityTarget(named, "key").id.slice(0, -"key".length)}${keyPrefix ?? ""}`;
}

/** A name is said by `name`. */
function definitionGiven(entity: unknown): unknown {
  if (typeof entity !== "string") return entity;
  throw new InvalidArgumentError(`hub.entities takes a definition as entity; the name ${JSON.stringify(entity)} is given as name.`);
}

async function metadataOf<S>(
  world: HandleWorld,
  definition: EntityDefinition | undefined,
  snapshot: EntitySnapshot,
): Promise<EntityMetadata<S>> {
  const { entityId: id, lastModifiedAt, backlogQueueSize, hasState, lockedBy, state, stall } = snapshot;
  const parts = partsOfEntityId(id);
  const metadata = {
    id,
    name: parts?.name ?? "",
    key: parts?.key ?? "",
    lastModifiedAt: new Date(lastModifiedAt),
    backlogQueueSize,
    hasState,
    ...given({
      lockedBy,
      stall: stall && { kind: stall.kind, reason: stall.reason, since: new Date(stall.since), attempts: stall.attempts },
    }),
  };
  if (state === undefined) return metadata;
  try {
    return { ...metadata, state: (await stateOf(world, definition, state, id)) as S };
  } catch (error) {
    return Object.defineProperty(metadata, "state", {
      enumerable: true,
      get() {
        throw error;
      },
    });
  }
}

/** The state as its operations would see it; by a name alone as the converter gives it. */
function stateOf(world: HandleWorld, definition: EntityDefinition | undefined, text: string, id: EntityId): unknown {
  if (definition === undefined) return decodeWith(world.converter, undefined, text, `state of entity '${id}'`);
  return readEntityState(definition, world.converter, text, id);
}

function definitionOf(definition: EntityRef<unknown, unknown> | string): EntityDefinition | undefined {
  return typeof definition === "string" ? undefined : (definition as EntityRef & EntityDefinition);
}
