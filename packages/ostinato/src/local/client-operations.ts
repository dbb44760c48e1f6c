// client-operations: what a client may ask of a local backend.
//
// Owns:    which decision each operation is, and what a refusal is called at the face.
// Is told: the store, and the few doors to the life of held instances that an operation needs.
// Tells:   the store, by decisions of the engine; those who wait.
// Always:  CO1 what is decided is decided by the engine; here is only the order of steps.
//          CO2 an operation of several steps can be cut off after any of them, and asked for again.

import type { ClientOperations, InstanceSnapshot } from "../contract/backend.ts";
import { InstanceExistsError, InstanceNotFoundError, InvalidStateError, StoreFormatError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { isEntityId, type EntityId, type InstanceId, type InstanceNumber } from "../contract/ids.ts";
import { isTerminal, type StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import type { Commit, CommitResult, Refusal } from "../engine/commit.ts";
import { decidePurge, decideRaise, decideResume, decideSuspend, decideTerminate, refusedForEntity } from "../engine/control.ts";
import { startedIn } from "../engine/open-turn.ts";
import { decideRewind } from "../engine/rewind.ts";
import { decideRestart, decideStart, restartOf, type StartPlacement, type Validated } from "../engine/start.ts";
import type { Decision, Store } from "../engine/store.ts";
import { waitingFor, type ServedNames } from "../engine/waiting.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { answered } from "./answered.ts";
import type { Counters } from "./counters.ts";
import { entityOperations } from "./entity-operations.ts";
import { listIds } from "./list-ids.ts";
import { purgeDescendants, purgeMany, type PurgeWorld } from "./purge.ts";
import type { Waiters } from "./waiters.ts";

/** What became of a decision that was written. */
export type Written = Extract<CommitResult, { ok: true }>;

/** Decides a start, knowing where it would run. */
export type StartDecision = (placement: StartPlacement, current: StoredInstance | undefined, at: Instant) => Commit | Refusal;

/** Where a start is written. */
export interface StartTarget {
  readonly id: InstanceId;
  readonly name: string;
  readonly version?: string;
  readonly startAt?: Instant;
  /** The id is thought to be free, so that a store may save the reading. */
  readonly expects?: "absent";
}

/** What client operations work with: the store, and doors to the life of held instances. */
export interface ClientWorld {
  readonly store: Store;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
  readonly waiters: Waiters;
  refuseWhenClosed(): void;
  servedNames(): ServedNames;
  /** How an instance stands that this process holds, if it does. */
  heldStatus(id: InstanceId): string | undefined;
  /** Writes what is decided. Throws when the store cannot. `expects`: the store may save the reading. */
  update(id: InstanceId, decide: Decision, expects?: "absent"): Promise<Written | Refusal>;
  /** Writes a decision that changes a record: whoever holds the instance under the epoch before lets it go. */
  change(id: InstanceId, decide: Decision): Promise<Written | Refusal>;
  /** Writes a start, and runs it at once where there is room. */
  begin(start: StartTarget, decide: StartDecision): Promise<Refusal | undefined>;
  /** Writes commits that are about no held instance, in one transaction. */
  writeAll(batch: readonly Commit[]): Promise<readonly CommitResult[]>;
  monotonic(): number;
  /** Who can answer what is sent to an entity. */
  entityNeeds(id: EntityId): "program" | "engine";
  /** Something was written that is due then. */
  wakeAt(instant: Instant, reading: Instant): void;
  /** An entity was cleaned up, which this process may hold. */
  cleaned(number: InstanceNumber): void;
}

/** The client's half of a local backend. */
export function clientOperations(world: ClientWorld): ClientOperations {
  const { store, random, log, counters, waiters } = world;

  const purging: PurgeWorld = {
    store,
    writeAll: (batch) => world.writeAll(batch),
    gone: (id) => waiters.gone(id),
    monotonic: () => world.monotonic(),
  };

  /** What has come for a finished instance is answered before it goes, or gives way. */
  const answeredFirst = async (current: StoredInstance | undefined): Promise<void> => {
    if (current !== undefined && isTerminal(current.record.status)) await answered(store, [current.record]);
  };

  /** What the history of an instance says of its input. */
  const validatedInput = async (id: InstanceId): Promise<Validated | undefined> => {
    for await (const page of store.history(id)) {
      const event = startedIn(page);
      return event && { lineage: event.lineage ?? event.executionId, validated: event.validated === true };
    }
    return undefined;
  };

  return {
    ...entityOperations(world),

    async start(request) {
      if (request.dedupeStatuses !== undefined) {
        world.refuseWhenClosed();
        await answeredFirst(await store.read(request.instanceId));
      }
      const refusal = await world.begin(
        { id: request.instanceId, name: request.name, expects: "absent", ...given({ version: request.version, startAt: request.startAt }) },
        (placement, current, at) => decideStart(request, placement, current, at),
      );
      if (refusal !== undefined) refuse(request.instanceId, refusal);
    },

    async restart(request) {
      world.refuseWhenClosed();
      const id = request.newInstanceId ?? request.instanceId;
      const [source, validated] = await Promise.all([store.read(request.instanceId), validatedInput(request.instanceId)]);
      if (source === undefined) throw notFound(request.instanceId);
      if (source.record.kind === "entity") return refuse(request.instanceId, refusedForEntity(request.instanceId, "restarted"));
      const { name, version } = source.record;
      const target = { id, name, ...given({ version }) };
      if (id === request.instanceId) await answeredFirst(source);
      const refusal =
        id === request.instanceId
          ? await world.begin(target, (placement, current, at) => decideRestart(request, placement, validated, current, at))
          : await world.begin({ ...target, expects: "absent" }, (placement, current, at) =>
              decideStart(restartOf(source, request, validated), placement, current, at),
            );
      if (refusal !== undefined) refuse(request.instanceId, refusal);
    },

    async rewind(request) {
      const answer = await world.change(request.instanceId, (current, at) => decideRewind(request, current, at));
      if ("refused" in answer) refuse(request.instanceId, answer);
      else counters.add("instancesRewound");
    },

    async get(id): Promise<InstanceSnapshot | undefined> {
      world.refuseWhenClosed();
      const stored = await store.read(id);
      if (stored === undefined) return undefined;
      const history: HistoryEvent[] = [];
      try {
        if (!isTerminal(stored.record.status) && stored.record.historyLength > 0)
          for await (const page of store.history(id)) history.push(...page);
      } catch (error) {
        if (!(error instanceof StoreFormatError)) throw error;
        // What is known of it beside its history is told all the same (D5).
        return { ...stored, waitingFor: [error.message] };
      }
      const outstanding = isTerminal(stored.record.status) ? undefined : await store.outstanding(id);
      return { ...stored, waitingFor: waitingFor(stored.record, history, world.servedNames()), ...given({ outstanding }) };
    },

    async waitForStart(id, signal) {
      world.refuseWhenClosed();
      return waiters.wait(id, "start", world.heldStatus(id) === "PENDING", signal);
    },

    async waitForCompletion(id, signal) {
      world.refuseWhenClosed();
      const held = world.heldStatus(id);
      return waiters.wait(id, "completion", held === "PENDING" || held === "RUNNING" || held === "SUSPENDED", signal);
    },

    async raiseEvent(request) {
      const event = { id: request.messageId, name: request.name, ...given({ input: request.input }) };
      const answer = await world.update(request.instanceId, (current, at) => decideRaise(event, current, at));
      if ("refused" in answer) {
        if (answer.refused === "not-found") throw notFound(request.instanceId);
        if (isEntityId(request.instanceId)) return refuse(request.instanceId, answer);
        counters.add("eventsDropped");
        log.info(answer.message, { instanceId: request.instanceId });
      } else if (answer.undelivered.length > 0) throw notFound(request.instanceId); // It went between the reading and the writing.
    },

    async terminate(request) {
      const decision = { id: `terminate:${random.id()}`, recursive: request.recursive, ...given({ output: request.output }) };
      const answer = await world.update(request.instanceId, (current, at) => decideTerminate(decision, current, at));
      if ("refused" in answer && answer.refused === "not-finished") return refuse(request.instanceId, answer);
      if ("refused" in answer ? answer.refused === "not-found" : answer.undelivered.length > 0) throw notFound(request.instanceId);
    },

    async suspend(id, reason) {
      const answer = await world.change(id, (current, at) => decideSuspend(reason, current, at));
      if ("refused" in answer) refuse(id, answer);
    },

    async resume(id, reason) {
      const answer = await world.change(id, (current, at) => decideResume(reason, current, at));
      if ("refused" in answer) refuse(id, answer);
    },

    async purge(request) {
      world.refuseWhenClosed();
      let purged = 0;
      const current = await store.read(request.instanceId);
      const decided = decidePurge(current);
      if ("refused" in decided) return refusedPurge(decided);
      await answeredFirst(current);
      if (request.recursive) {
        // Children first: they are found by their parent, so one that is cut off can be asked for again.
        purged = await purgeDescendants(purging, request.instanceId);
      }
      const answer = await world.update(request.instanceId, (current) => decidePurge(current));
      if ("refused" in answer) return purged + refusedPurge(answer);
      waiters.gone(request.instanceId);
      return purged + 1;
    },

    async purgeMany(request) {
      world.refuseWhenClosed();
      const result = await purgeMany(purging, request);
      counters.add("instancesPurged", result.deletedCount);
      return result;
    },

    async listIds(request, page) {
      world.refuseWhenClosed();
      return listIds(store, request, page);
    },

    async query(filter, page) {
      world.refuseWhenClosed();
      return store.query({ kind: "orchestration", ...filter }, page);
    },

    history(id) {
      world.refuseWhenClosed();
      return store.history(id);
    },
  };
}

/** What a refusal is at the face. What was asked for before, and what changes nothing, is no error. */
function refuse(id: InstanceId, refusal: Refusal): void {
  switch (refusal.refused) {
    case "not-found":
      throw notFound(id);
    case "exists":
      throw new InstanceExistsError(refusal.message);
    case "finished":
    case "not-finished":
    case "not-failed":
      throw new InvalidStateError(refusal.message);
    case "same-request":
    case "no-change":
      return;
  }
}

/** Nobody there is nothing to purge. */
function refusedPurge(refusal: Refusal): number {
  if (refusal.refused === "not-found") return 0;
  throw new InvalidStateError(refusal.message);
}

function notFound(id: InstanceId): InstanceNotFoundError {
  return new InstanceNotFoundError(`There is no instance '${id}' in this task hub. It was never started here, or has been purged.`);
}
