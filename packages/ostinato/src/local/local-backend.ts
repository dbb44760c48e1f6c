// local-backend: the engine at work in this process: a Backend over a Store.
//
// Owns:    the life of a held instance: claimed, opened, run, closed, committed, kept or given back.
// Is told: starts and changes by client operations, workers' outcomes, the store's hints.
// Tells:   workers their items, the store its commits, waiters their ends.
// Always:  B1 user code begins only after the commit that created its row is acknowledged.
//          B2 a completion is folded into a turn, or written as a message by a commit of its own; it is never dropped, and never the reason
//             to run an activity again.
//          B3 after a refused or unknown commit the warm program is forgotten.
//          B4 what is decided is decided by the engine; here is only when and with what.
//          B5 a lease is held by a Held, or on its way back: whoever drops the one sends the other.
//          B6 nothing that breaks a rule of engine/invariants.ts is written: its instance is set aside with the rule as the reason.

import type { Backend, BackendCounters, ClientOperations, WorkerConnection, WorkerInterest } from "../contract/backend.ts";
import { HubClosedError, InvalidStateError, StoreFormatError, StoreUnavailableError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { entityRecordName, type InstanceId, type InstanceNumber } from "../contract/ids.ts";
import { isTerminal, type InstancePayloads, type InstanceRecord, type Stall, type StoredInstance } from "../contract/instance.ts";
import { LATEST_INSTANT, type Instant } from "../contract/instant.ts";
import type { InboxMessage } from "../contract/messages.ts";
import type { Page } from "../contract/queries.ts";
import { given, type Writable } from "../contract/recorded-as.ts";
import type { RetentionPolicy } from "../contract/retention.ts";
import { takes } from "../contract/served.ts";
import type {
  ActivityOutcome,
  ActivityWorkItem,
  EntityOutcome,
  OrchestrationOutcome,
  OrchestrationWorkItem,
  WorkItem,
} from "../contract/work-items.ts";
import { notRegistered, type Room } from "../engine/action-appliers.ts";
import { closeActivity, completionEvent } from "../engine/close-activity.ts";
import { closeStall } from "../engine/close-stall.ts";
import { closeTurn } from "../engine/close-turn.ts";
import type {
  ActivityClaim,
  ActivityKey,
  ActivityLease,
  ActivityRow,
  Claim,
  Commit,
  CommitResult,
  Lease,
  Refusal,
} from "../engine/commit.ts";
import { decideAside, decideStall } from "../engine/control.ts";
import { checkClaim, checkCommit } from "../engine/invariants.ts";
import { openTurn, setAside, startedIn, type Fetched, type Fold, type OpenedTurn, type Opening } from "../engine/open-turn.ts";
import type { Claims, DamagedClaim, Decision, RoomLeft, Store } from "../engine/store.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { clientOperations, type StartDecision, type StartTarget, type Written } from "./client-operations.ts";
import { activityTurnedDown, ConnectedWorker } from "./connected-worker.ts";
import { ConnectedWorkers, type Wanted } from "./connected-workers.ts";
import { Counters } from "./counters.ts";
import { Dispatcher } from "./dispatcher.ts";
import { EntityBatches } from "./entity-batches.ts";
import { HeldInstances, type Held } from "./held-instances.ts";
import { Housekeeping } from "./housekeeping.ts";
import { keepLeases } from "./leases.ts";
import { RoomElsewhere } from "./room-elsewhere.ts";
import { UnderWay } from "./under-way.ts";
import { Waiters } from "./waiters.ts";
import { WorkOut } from "./work-out.ts";

/** What a local backend is made of. */
export interface LocalBackendOptions {
  /** Not opened yet: the backend opens and closes it. */
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** What becomes of work for a name that no worker here serves: it waits (the default), or fails at once (tests). */
  readonly unregistered?: "wait" | "fail";
  /** An instance or activity claimed this often without a result is set aside. 10. */
  readonly maxClaims?: number;
  /** Where several processes share the store: what this one holds is free for others when it has not been heard of for so long. */
  readonly leaseMs?: number;
  /** How long finished instances stay; they stay for ever without it. Applied while a worker is connected. */
  readonly retention?: RetentionPolicy;
  /** Told of every instance whose end is written. */
  readonly onEnded?: (record: InstanceRecord) => void;
}

/** A turn that is out with a worker. */
interface TurnOut {
  readonly held: Held;
  readonly turn: OpenedTurn;
  readonly taken: Taken;
  readonly item: OrchestrationWorkItem;
}

/** What a turn took from its instance: put back when nothing could be written. */
interface Taken {
  readonly messages: InboxMessage[];
  readonly folds: Fold[];
}

/** An activity that is out with a worker. */
interface ActivityOut {
  readonly claim: ActivityClaim;
  readonly worker: ConnectedWorker;
}

const DONE = Promise.resolve();
const NO_ANSWER = notWritten("StoreError", "The store gave no answer to a commit.");
const NO_PAST = { events: [] };
const NOTHING_TAKEN: Taken = { messages: [], folds: [] };
const CHILDREN_PAGE = 500;
/** An activity that was turned down is offered again after so long, each time twice as long. */
const FIRST_OFFER_MS = 1_000;
const LONGEST_OFFER_MS = 30_000;
const WRITE_RETRY_MS = 1_000;
const LONGEST_WRITE_RETRY_MS = 15_000;
/** By so much a held instance's clock can be behind the store's: both are rounded down. */
const READING_SLACK_MS = 2;
/** The failure of a commit that broke an invariant. No other has this name. */
const BROKEN = "BrokenInvariant";
/** A claim that broke one is looked at again so much later. */
const BROKEN_RETRY_MS = 60_000;
/** On a store that others share: after pauses of 250, 500 and 1,000 ms a release is given up. */
const LONGEST_RELEASE_PAUSE_MS = 1_000;
/** What cannot be read is not offered again, as long as nothing new comes for it. */
const UNREADABLE_MS = 10 * 365 * 86_400_000;

/** Opens the store and makes a Backend of it. */
export async function createLocalBackend(options: LocalBackendOptions): Promise<Backend> {
  await options.store.open();
  const local = new LocalBackend(options);
  try {
    if (options.leaseMs !== undefined) await local.keepLeases(options.leaseMs);
  } catch (error) {
    await local.close();
    throw error;
  }
  local.lookForWork();
  return {
    ...local.client,
    connectWorker: (interest, deliver) => local.connectWorker(interest, deliver),
    counters: () => local.counters(),
    close: () => local.close(),
    ...given({ file: options.store.file, sizes: options.store.sizes }),
  };
}

class LocalBackend {
  readonly client: ClientOperations;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #failUnregistered: boolean;
  readonly #maxClaims: number;
  readonly #onEnded: LocalBackendOptions["onEnded"];
  readonly #counters = new Counters();
  readonly #workers = new ConnectedWorkers();
  readonly #held = new HeldInstances();
  readonly #turns = new WorkOut<TurnOut>(0);
  readonly #activities = new WorkOut<ActivityOut>(1);
  readonly #entities: EntityBatches;
  readonly #waiters: Waiters;
  readonly #dispatcher: Dispatcher;
  readonly #housekeeping: Housekeeping | undefined;
  /** Turns on their way to the store. */
  readonly #committing = new Set<Commit>();
  readonly #warned = new Set<string>();
  readonly #unwatch: () => void;
  readonly #underWay: UnderWay;
  readonly #roomElsewhere: RoomElsewhere;
  /** Renewals since the last one that looked for work. */
  #renewals = 0;
  #closed = false;
  #begun = false;
  #stopRenewing = (): void => undefined;
  #sweeping = false;

  constructor(options: LocalBackendOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
    this.#failUnregistered = options.unregistered === "fail";
    this.#maxClaims = options.maxClaims ?? 10;
    this.#onEnded = options.onEnded;
    this.#underWay = new UnderWay(this.#clock, (error) => {
      if (this.#closed) return;
      this.#counters.add("operationsFailed");
      this.#log.error("the store refused an operation", { error });
    });
    this.#entities = this.#entityBatches();
    this.#roomElsewhere = new RoomElsewhere(this.#clock);
    this.#waiters = new Waiters({
      read: (id) => this.#store.read(id),
      readAll: (ids) => this.#store.readAll(ids),
      ...(options.store.shared === true ? { net: { clock: options.clock, random: options.random } } : {}),
    });
    this.#dispatcher = new Dispatcher({
      clock: this.#clock,
      want: () => this.#want(),
      claim: (want) => this.#store.claim(want),
      take: (claims) => this.#take(claims),
      failed: (error, retryMs) => {
        this.#counters.add("looksFailed");
        this.#log.error("looking for work failed; it is tried again", { error, retryMs });
      },
    });
    this.#housekeeping = options.retention && this.#housekeepingBy(options.retention);
    this.client = this.#clientOperations();
    this.#unwatch = this.#store.watch((hint) => {
      if (hint.endedMore === true) this.#waiters.hinted();
      if (hint.ended.length > 0) {
        this.#waiters.hinted(hint.ended);
        this.#housekeeping?.ended(hint.ended);
      }
      if (!this.#begun) return;
      if (hint.roomElsewhere !== undefined) this.#hearOfRoom(hint.roomElsewhere);
      if (hint.damaged !== undefined) this.#tellLeftOut(hint.damaged);
      if (hint.ready) this.#dispatcher.look();
      else if (hint.dueAt !== undefined) this.#dispatcher.dueAt(hint.dueAt);
    });
  }

  /** From now on. */
  lookForWork(): void {
    this.#begun = true;
    this.#dispatcher.look();
  }

  /** Renews the leases of this process from now on. */
  async keepLeases(leaseMs: number): Promise<void> {
    this.#stopRenewing = await keepLeases({
      clock: this.#clock,
      leaseMs,
      renew: (ms) => this.#store.renew(ms),
      lost: () => this.#leasesLost(),
      renewed: () => {
        // Where others write, those who wait have a net of their own, and every second renewal looks: idle costs less than a statement in five seconds.
        if (this.#store.shared === true) return void (++this.#renewals % 2 === 0 && this.#dispatcher.look());
        this.#dispatcher.look();
        this.#waiters.hinted();
      },
      failed: (error) => this.#log.error("the leases of this process could not be renewed; it is tried again", { error }),
    });
  }

  /** Everything that was held may be somebody else's. What runs is told; what it comes to is fenced like everything that is late (A3). */
  #leasesLost(): void {
    this.#counters.add("leasesLost");
    this.#log.error("the leases of this process had run out: what it held is given up", { held: this.#held.size });
    this.#activities.each(({ worker }, token) => worker.deliver([{ kind: "cancel", token, reason: "lease-lost" }]));
    for (const held of [...this.#held]) this.#lose(held);
  }

  // ---- what client operations need of the life of held instances

  #clientOperations(): ClientOperations {
    return clientOperations({
      store: this.#store,
      random: this.#random,
      log: this.#log,
      counters: this.#counters,
      waiters: this.#waiters,
      refuseWhenClosed: () => this.#refuseWhenClosed(),
      servedNames: () => this.#workers.servedNames(),
      heldStatus: (id) => this.#held.withId(id)?.record.status,
      update: (id, decide, expects) => this.#update(id, decide, expects),
      change: (id, decide) => this.#change(id, decide),
      begin: (start, decide) => this.#begin(start, decide),
      writeAll: (batch) => this.#writeAll(batch),
      monotonic: () => this.#clock.monotonic(),
      entityNeeds: (id) => {
        const name = entityRecordName(id);
        if (this.#workers.size === 0 || this.#workers.servesEntity(name)) return "program";
        this.#warnUnregistered("entity", name.slice(1));
        return this.#failUnregistered ? "engine" : "program";
      },
      wakeAt: (instant, reading) => this.#dispatcher.wakeAt(instant, reading),
      cleaned: (number) => {
        const held = this.#held.get(number);
        if (held !== undefined) this.#lose(held);
      },
    });
  }

  /** What the life of entities has of this one. */
  #entityBatches(): EntityBatches {
    return new EntityBatches({
      workers: this.#workers,
      held: this.#held,
      counters: this.#counters,
      underWay: this.#underWay,
      log: this.#log,
      failUnregistered: this.#failUnregistered,
      maxClaims: this.#maxClaims,
      read: (id) => this.#store.read(id),
      write: async (commit) => {
        const broken = checkCommit(commit);
        return broken === undefined ? ((await this.#store.commit([commit]))[0] ?? NO_ANSWER) : notWritten(BROKEN, broken);
      },
      committed: (held, commit, result) => this.#committed(held, commit, result, 0),
      notCommitted: (held, messages, result) => this.#notCommitted(held, { messages, folds: [] }, result),
      broken: (held, rule) => void this.#underWay.run(this.#setBrokenAside(held, NOTHING_TAKEN, rule)),
      tryAgainLater: (held, messages) => this.#tryAgainLater(held, { messages, folds: [] }),
      drop: (held) => void this.#drop(held),
      giveBack: (held, afterMs) => this.#giveBack(held, afterMs),
      lose: (held) => this.#lose(held),
      releaseLate: ({ number, epoch }) => void this.#underWay.run(this.#release([{ number, epoch }], 0)),
      evict: (budget) => this.#evict(budget),
      wakeAt: (instant, reading) => this.#dispatcher.wakeAt(instant, reading),
      roomFreed: () => this.#dispatcher.roomFreed(),
      reading: (held) => this.#reading(held),
      entered: (id) => this.#store.entered?.(id),
      nextId: () => this.#random.id(),
    });
  }

  /** Writes a start. A worker here that has room takes it at once, with the commit that makes it. */
  async #begin(start: StartTarget, decideStart: StartDecision): Promise<Refusal | undefined> {
    this.#refuseWhenClosed();
    const worker = this.#workers.forInstance(start);
    const unserved = worker === undefined && this.#workers.size > 0 && !this.#workers.serves(start.name);
    if (unserved) this.#warnUnregistered("orchestrator", start.name);
    const claims = worker !== undefined && worker.turnRoom > 0 && !this.#isCrowded() ? worker : undefined;
    const placement = {
      claimed: claims !== undefined,
      needs: unserved && this.#failUnregistered ? ("engine" as const) : ("program" as const),
    };
    let written: Commit | undefined;
    let answer: Written | Refusal;
    if (claims !== undefined) claims.reservedTurns++;
    try {
      const decide: Decision = (current, at) => {
        const decided = decideStart(placement, current, at);
        written = "refused" in decided ? undefined : decided;
        return decided;
      };
      answer = await this.#update(start.id, decide, start.expects);
    } catch (error) {
      if (written?.keep) void this.#underWay.run(this.#releaseUnknown([], [written.record!]));
      throw error;
    } finally {
      if (claims !== undefined) claims.reservedTurns--;
    }
    if ("refused" in answer) return answer;
    if (written?.drop === "everything") this.#replaced(written.number);
    if (start.startAt !== undefined) this.#dispatcher.wakeAt(start.startAt, answer.at);
    if (written?.keep) this.#takeUp({ ...written.record!, number: answer.number }, written.record!.epoch, answer.arrived, answer.at);
    return undefined;
  }

  /** An address is gone, and another one has its id: what this process still does for the old one is nobody's. */
  #replaced(number: InstanceNumber): void {
    this.#counters.add("instancesReplaced");
    const held = this.#held.get(number);
    if (held !== undefined) this.#lose(held);
    this.#activities.each(({ claim: { row }, worker }, token) => {
      if (row.number === number) worker.deliver([{ kind: "cancel", token, reason: "terminated" }]);
    });
  }

  counters(): BackendCounters {
    return this.#counters.read();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#dispatcher.close();
    this.#underWay.endPauses();
    for (const worker of [...this.#workers]) await this.#disconnect(worker);
    await this.#housekeeping?.stop();
    await this.#underWay.settled();
    this.#stopRenewing();
    this.#unwatch();
    this.#waiters.gone();
    await this.#store.close();
  }

  // ---- worker operations

  async connectWorker(interest: WorkerInterest, deliver: (items: readonly WorkItem[]) => void): Promise<WorkerConnection> {
    this.#refuseWhenClosed();
    const worker = new ConnectedWorker(interest, deliver);
    this.#workers.add(worker);
    this.#warned.clear();
    try {
      await this.#retryStalled(worker);
    } catch (error) {
      // What it was handed meanwhile is its own: a store that cannot tell of stalls now is no reason to take that back (A2).
      this.#log.error("stalled instances could not be looked at; it is tried again", { error });
      void this.#underWay.run(this.#retryStalledUntilDone(worker));
    }
    this.#dispatcher.look();
    this.#housekeeping?.start();
    return {
      completeOrchestration: (outcome) => this.#completeOrchestration(outcome),
      completeActivity: (outcome) => this.#completeActivity(outcome),
      completeEntity: (outcome) => this.#completeEntity(outcome),
      stopTaking: () => {
        worker.taking = false;
        this.#entities.stopsTaking();
      },
      close: () => this.#disconnect(worker),
    };
  }

  // ---- room, here and elsewhere

  /** More has to be run here than there are slots, and somebody else has room. Warm programs run without a slot as long as nobody has. */
  #isCrowded(): boolean {
    return this.#roomElsewhere.isThere && this.#turns.size + this.#committing.size >= this.#workers.turnSlots;
  }

  /** What a commit may hand to the worker that made it. */
  #roomOf(worker: ConnectedWorker): Room {
    const room = this.#workers.roomOf(worker, this.#failUnregistered);
    return this.#isCrowded() ? { ...room, orchestrationSlots: 0 } : room;
  }

  #want(): Wanted {
    const want = this.#workers.want();
    // What was let go is not taken back.
    return this.#isCrowded() ? { ...want, orchestrators: [], isPartial: true } : want;
  }

  #hearOfRoom(room: RoomLeft): void {
    this.#roomElsewhere.heard(room);
    this.#entities.letGo(({ record }) => this.#letsGo(record));
  }

  /** Whether an instance that finds no slot here is let go, for somebody who has one. */
  #letsGo({ kind, name }: InstanceRecord): boolean {
    if (!this.#roomElsewhere.takePlace(kind, name)) return false;
    this.#counters.add("instancesLetGo");
    return true;
  }

  // ---- claiming

  #take(claims: Claims): void {
    for (const claim of claims.instances) this.#takeClaim(claim, claims.at);
    this.#startActivities(claims.activities);
    for (const damaged of claims.damaged ?? []) this.#setUnreadableAside(damaged);
  }

  /** A query left them out: nobody should believe that they are not there. Each is logged once. */
  #tellLeftOut(damaged: readonly string[]): void {
    for (const reason of damaged) {
      this.#counters.add("rowsLeftOut");
      if (this.#warned.has(reason)) continue;
      this.#warned.add(reason);
      this.#log.error(`${reason} A query left it out. Restore the file from a backup.`);
    }
  }

  /** Not even its record can be read, or an activity of it: it waits for an operator, and everybody else goes on (D5). */
  #setUnreadableAside({ instanceId, reason, lease }: DamagedClaim): void {
    const isActivity = lease !== undefined && "key" in lease;
    this.#counters.add(isActivity ? "activitiesUnreadable" : "instancesUnreadable");
    const told = `${reason} The instance is set aside. Restore the file from a backup.`;
    this.#log.error(told, { instanceId });
    if (lease !== undefined) void this.#underWay.run(this.#release([lease], UNREADABLE_MS));
    if (!isActivity) return;
    const stall = (at: Instant): Stall => ({ kind: "set-aside", reason: told, since: at, attempts: 1 });
    void this.#underWay.run(this.#change(instanceId, (current, at) => decideStall(stall(at), current)).catch(() => undefined));
  }

  #takeClaim(claim: Claim, at: Instant): void {
    const broken = checkClaim(claim);
    if (broken !== undefined) {
      this.#countBroken(claim.id, broken);
      void this.#underWay.run(this.#release([{ number: claim.number, epoch: claim.epoch }], BROKEN_RETRY_MS));
      return;
    }
    const known = this.#held.get(claim.number);
    if (claim.damage !== undefined && !claim.messages.some(({ event }) => event.kind === "ExecutionTerminated"))
      return void this.#underWay.run(this.#setDamagedAside(claim, known, claim.damage, at));
    if (claim.held) {
      if (known?.epoch === claim.epoch) {
        this.#held.addMessages(known, claim.messages);
        if (known.state === "idle") this.#open(known);
        // Handed out while the lease was on its way back, or before who asked for it was told: only the whole inbox is in order.
      } else void this.#underWay.run(this.#release([{ number: claim.number, epoch: claim.epoch }], 0));
      return;
    }
    this.#takeUp(claim.record, claim.epoch, claim.messages, at);
  }

  /** Something of its inbox cannot be read: the instance waits for an operator, and everybody else goes on (D5, R4). */
  async #setDamagedAside(claim: Claim, known: Held | undefined, damage: string, at: Instant): Promise<void> {
    const reason =
      claim.record.kind === "entity"
        ? `${damage} The entity is set aside. Restore the file from a backup.`
        : `${damage} The instance is set aside. Restore the file from a backup, or terminate the instance.`;
    this.#counters.add("instancesSetAside");
    this.#log.error(reason, { instanceId: claim.id });
    const record = known?.epoch === claim.epoch ? known.record : claim.record;
    // It is known already, and still has something due: the lease stays where it is, so that it is not claimed over and over.
    if (known === undefined && (record.stall?.reason === reason || isTerminal(record.status))) return;
    if (known !== undefined) {
      void this.#foldsAsMessages(this.#held.take(known).folds);
      this.#forget(known);
      this.#held.remove(known);
    }
    await this.#write(setAside({ number: claim.number, epoch: claim.epoch, record }, reason, at));
  }

  #takeUp(record: InstanceRecord, epoch: number, messages: readonly InboxMessage[], at: Instant): void {
    const known = this.#held.get(record.number);
    // An answer that was long on its way: it was taken away and claimed anew since (H1).
    if (known !== undefined && known.epoch > epoch) return;
    if (known !== undefined) this.#lose(known);
    const held = this.#held.add(record, epoch, messages, at, this.#clock.monotonic());
    this.#sweepLater();
    this.#open(held);
  }

  /** `chosen`: who made room for them already. */
  #startActivities(claims: readonly ActivityClaim[], chosen?: ConnectedWorker): void {
    let batch: { worker: ConnectedWorker; items: ActivityWorkItem[] } | undefined;
    for (const claim of claims) {
      const { row } = claim;
      if (claim.delivery > this.#maxClaims) {
        void this.#underWay.run(this.#setActivityAside(claim));
        continue;
      }
      const worker = chosen?.taking ? chosen : this.#workers.forActivity(row.name, row);
      if (worker === undefined) {
        void this.#underWay.run(this.#release([{ key: row, epoch: claim.epoch }], 0));
        continue;
      }
      // While the claim was on its way, turns may have filled the slots with activities of their own.
      if (chosen === undefined && worker.activityRoom <= 0) {
        void this.#underWay.run(this.#release([{ key: row, epoch: claim.epoch, undone: true }], 0));
        continue;
      }
      const token = this.#activities.put({ claim, worker });
      worker.activitiesOut++;
      const item: Writable<ActivityWorkItem> = {
        kind: "activity",
        token,
        instanceId: row.instanceId,
        executionId: row.executionId,
        taskId: row.taskId,
        name: row.name,
        attempt: row.attempt,
        delivery: claim.delivery,
        idempotencyKey: row.idempotencyKey,
      };
      if (row.input !== undefined) item.input = row.input;
      if (row.version !== undefined) item.version = row.version;
      if (row.tags !== undefined) item.tags = row.tags;
      if (row.traceContext !== undefined) item.traceContext = row.traceContext;
      const timeoutMs = timeoutOf(claim);
      if (timeoutMs !== undefined) item.timeoutMs = timeoutMs;
      if (this.#store.entered !== undefined) {
        // One by one, so that the one that holds the process up is the one that was named last.
        this.#store.entered(row.instanceId);
        worker.deliver([item]);
      } else if (batch?.worker === worker) batch.items.push(item);
      else {
        if (batch !== undefined) batch.worker.deliver(batch.items);
        batch = { worker, items: [item] };
      }
    }
    if (batch !== undefined) batch.worker.deliver(batch.items);
  }

  // ---- turns

  /** Opens the inbox of an idle held instance, and does what it turned out to be. */
  #open(held: Held, retaken?: Taken, fetched?: Fetched): void {
    if (held.record.kind === "entity") return this.#entities.open(held);
    if (held.keptBytes > 0 && held.state === "idle" && this.#isCrowded() && this.#letsGo(held.record)) return void this.#giveBack(held, 0);
    held.state = "working";
    if (held.worker?.taking === false) {
      this.#forget(held);
      held.worker = undefined;
    }
    const taken = retaken ?? this.#held.take(held);
    const worker = held.worker ?? this.#workers.forInstance(held.record, held.number);
    // A start that only the engine can answer was accepted as one that fails, whoever has left since.
    const fails =
      this.#failUnregistered &&
      worker === undefined &&
      !this.#workers.serves(held.record.name) &&
      (this.#workers.size > 0 || taken.messages.some((message) => message.needs === "engine"));
    let opening: Opening;
    try {
      opening = openTurn(
        { number: held.number, epoch: held.epoch, record: held.record, messages: taken.messages, folds: taken.folds },
        this.#reading(held),
        {
          canRun: worker !== undefined,
          maxClaims: this.#maxClaims,
          ...(fails ? { failWith: notRegistered("orchestrator", held.record.name, this.#workers.servedNames().orchestrators) } : {}),
        },
        fetched,
      );
    } catch (error) {
      void this.#underWay.run(this.#setBrokenAside(held, taken, `The inbox could not be opened: ${(error as Error).message}`));
      return;
    }
    switch (opening.kind) {
      case "run":
        this.#hand(held, worker!, opening.turn, taken);
        return;
      case "commit":
        void this.#foldsAsMessages(taken.folds);
        void this.#underWay.run(this.#commitClosing(held, opening.commit, taken));
        return;
      case "needs-children":
        void this.#underWay.run(this.#openWithChildren(held, taken, opening.after));
        return;
      case "needs-payloads":
        void this.#underWay.run(this.#openWithPayloads(held, taken, fetched));
        return;
      case "incomplete":
        held.messages = [...taken.messages, ...held.messages];
        held.state = "idle";
        this.#dispatcher.look();
        return;
      case "nothing":
        void this.#foldsAsMessages(taken.folds);
        if (worker === undefined && taken.messages.length > 0 && this.#isLeftToOthers(held.record)) {
          void this.#underWay.run(this.#leaveToOthers(held));
          return;
        }
        if (taken.messages.length === 0 && held.keptBytes > 0) held.state = "idle";
        else void this.#giveBack(held, taken.messages.length === 0 ? 0 : WRITE_RETRY_MS);
        return;
    }
  }

  async #openWithChildren(held: Held, taken: Taken, after: string | undefined): Promise<void> {
    let page: Page<StoredInstance>;
    try {
      page = await this.#store.query({ parent: held.record.id }, { size: CHILDREN_PAGE, ...given({ cursor: after }) });
    } catch (error) {
      this.#log.error("the children of an instance could not be read; it is tried again", { instanceId: held.record.id, error });
      return this.#tryAgainLater(held, taken);
    }
    if (held.state === "gone") return void this.#foldsAsMessages(taken.folds);
    this.#open(held, taken, { children: { ids: page.items.map((each) => each.record.id), ...given({ next: page.next }) } });
  }

  async #openWithPayloads(held: Held, taken: Taken, fetched: Fetched | undefined): Promise<void> {
    let stored: StoredInstance | undefined;
    try {
      stored = await this.#store.read(held.record.id);
    } catch (error) {
      this.#log.error("the payloads of an instance could not be read; it is tried again", { instanceId: held.record.id, error });
      return this.#tryAgainLater(held, taken);
    }
    if (held.state === "gone") return void this.#foldsAsMessages(taken.folds);
    this.#open(held, taken, { ...fetched, payloads: stored?.record.number === held.number ? stored.payloads : {} });
  }

  #hand(held: Held, worker: ConnectedWorker, turn: OpenedTurn, taken: Taken): void {
    held.worker = worker;
    const { record } = turn;
    const item: Writable<OrchestrationWorkItem> = {
      kind: "orchestration",
      token: 0,
      instanceId: record.id,
      executionId: record.executionId,
      name: record.name,
      past: held.keptBytes > 0 ? { kept: record.historyLength } : NO_PAST,
      newEvents: turn.newEvents,
    };
    if (record.version !== undefined) item.version = record.version;
    if (held.keptBytes === 0) {
      held.cold = true;
      worker.coldTurns++;
      if (record.historyLength > 0) return void this.#underWay.run(this.#load(held, worker, turn, taken, item));
    }
    this.#deliver(worker, held, turn, taken, item);
  }

  #deliver(worker: ConnectedWorker, held: Held, turn: OpenedTurn, taken: Taken, item: Writable<OrchestrationWorkItem>): void {
    item.token = this.#turns.put({ held, turn, taken, item });
    this.#store.entered?.(item.instanceId);
    worker.deliver([item]);
  }

  async #load(held: Held, worker: ConnectedWorker, turn: OpenedTurn, taken: Taken, item: OrchestrationWorkItem): Promise<void> {
    this.#counters.add("coldLoads");
    const events: HistoryEvent[] = [];
    try {
      // An attempt that replaces another has none of its own; what is stored is still the other's.
      if (turn.record.historyLength > 0)
        for await (const page of this.#store.history(turn.record.id)) for (const event of page) events.push(event);
    } catch (error) {
      this.#endTurn(held);
      if (error instanceof StoreFormatError) {
        void this.#underWay.run(this.#setHistoryAside(held, taken, error.message));
        return this.#dispatcher.roomFreed();
      }
      this.#log.error("a history could not be read; it is tried again", { instanceId: turn.record.id, error });
      this.#tryAgainLater(held, taken);
      return this.#dispatcher.roomFreed();
    }
    if (held.state === "gone" || !this.#workers.has(worker)) {
      this.#endTurn(held);
      void this.#foldsAsMessages(taken.folds);
      void this.#giveBack(held, 0);
      return this.#dispatcher.roomFreed();
    }
    this.#deliver(worker, held, turn, taken, { ...item, past: { events } });
  }

  /** Its history cannot be read: the instance waits for an operator, and everybody else goes on (D5, R4). */
  async #setHistoryAside(held: Held, taken: Taken, damage: string): Promise<void> {
    const reason = `${damage} The instance is set aside. Restore the file from a backup, or terminate the instance.`;
    this.#counters.add("instancesSetAside");
    this.#log.error(reason, { instanceId: held.record.id });
    void this.#foldsAsMessages(taken.folds);
    const result = await this.#write(setAside(held, reason, this.#reading(held)));
    if (result.ok) void this.#drop(held);
    else void this.#giveBack(held, WRITE_RETRY_MS);
  }

  #completeOrchestration(outcome: OrchestrationOutcome): Promise<void> {
    const out = this.#turns.take(outcome.token);
    if (out === undefined) {
      this.#counters.add("completionsUnknown");
      return DONE;
    }
    const { held, turn, taken } = out;
    if (held.state === "gone") {
      this.#endTurn(held);
      void this.#foldsAsMessages(taken.folds);
      if (outcome.kind === "turn" && outcome.keptBytes !== undefined) this.#tellForget(held);
      this.#dispatcher.roomFreed();
      return DONE;
    }
    switch (outcome.kind) {
      case "turn":
        return this.#commitTurn(out, outcome);
      case "needs-history": {
        this.#held.keep(held, 0);
        if (!held.cold) {
          held.cold = true;
          held.worker!.coldTurns++;
        }
        return this.#underWay.run(this.#load(held, held.worker!, turn, taken, out.item));
      }
      case "stalled":
        return this.#underWay.run(this.#stall(out, outcome.stall));
      case "abandoned":
        this.#counters.add("turnsAbandoned");
        held.worker?.turnDown(held.number);
        return this.#underWay.run(this.#stall(out, { kind: "version", reason: outcome.reason ?? "The worker turned the turn down." }));
    }
  }

  /** The hot path: it looks after itself, so that a turn costs one promise of ours. */
  async #commitTurn(out: TurnOut, outcome: Extract<OrchestrationOutcome, { kind: "turn" }>): Promise<void> {
    const { held, turn, taken } = out;
    const worker = held.worker!;
    // What the worker keeps is ahead of what is written, until that is written.
    if (outcome.keptBytes !== held.keptBytes) this.#held.keep(held, outcome.keptBytes ?? 0);
    this.#underWay.begin();
    let commit: Commit | undefined;
    let result: CommitResult;
    let activities = 0;
    let children = 0;
    try {
      commit = closeTurn(held, turn, outcome, this.#roomOf(worker), this.#nextExecutionId(outcome));
      const broken = checkCommit(commit);
      if (broken === undefined) {
        worker.reserved += activities = claimedActivities(commit);
        worker.reservedTurns += children = claimedChildren(commit);
        this.#committing.add(commit);
        result = (await this.#store.commit([commit]))[0] ?? NO_ANSWER;
      } else result = notWritten(BROKEN, broken);
    } catch (error) {
      // A store that throws instead of answering has answered nothing: the turn counts as not written. Without a commit the bug is ours.
      result = notWritten(commit === undefined ? BROKEN : (error as Error).name, (error as Error).message);
      if (commit !== undefined) held.unknown = [...(held.unknown ?? []), commit];
    }
    if (commit !== undefined) this.#committing.delete(commit);
    try {
      if (result.ok && activities > 0) this.#startBornClaimed(worker, commit!.activities, result.at);
      worker.reserved -= activities;
      worker.reservedTurns -= children;
      this.#endTurn(held);
      if (result.ok) this.#turnCommitted(out, outcome, commit!, result);
      else this.#notCommitted(held, taken, result);
      // It was given up while the answer was on its way.
      if (held.state === "gone") this.#releaseAllUnknown(held);
      // Only now: until here the room was spoken for.
      this.#dispatcher.roomFreed();
    } finally {
      this.#underWay.end();
    }
  }

  #turnCommitted(
    out: TurnOut,
    outcome: Extract<OrchestrationOutcome, { kind: "turn" }>,
    commit: Commit,
    result: Extract<CommitResult, { ok: true }>,
  ): void {
    const { held, turn } = out;
    const budget = held.worker?.interest.warmBytes ?? 0;
    this.#counters.add("turnsCommitted");
    if (turn.folds.length > 0) this.#countFolds(turn, commit);
    held.unknown = undefined;
    this.#committed(held, commit, result, turn.finished.length);
    if (!commit.keep) void this.#drop(held);
    else if (held.state === "gone") void this.#underWay.run(this.#release([{ number: held.number, epoch: held.epoch }], 0));
    else {
      this.#held.keep(held, commit.history?.mode === "replace" ? 0 : (outcome.keptBytes ?? 0));
      this.#next(held);
    }
    for (const claim of result.claims) this.#takeClaim(claim, result.at);
    if (this.#held.keptBytes > budget) this.#evict(budget);
  }

  /** What the turn has not taken after all is a message then. */
  #countFolds({ folds }: OpenedTurn, { finished }: Commit): void {
    const left = folds.filter((fold) => !finished.includes(fold.claim.row));
    if (folds.length > left.length) this.#counters.add("completionsFolded", folds.length - left.length);
    void this.#foldsAsMessages(left);
  }

  /** The worker that committed has made room for them. */
  #startBornClaimed(worker: ConnectedWorker, rows: readonly ActivityRow[], at: Instant): void {
    const claims: ActivityClaim[] = [];
    for (const row of rows) if (row.claimed) claims.push({ row, epoch: row.epoch, delivery: 1, at });
    this.#startActivities(claims, worker);
  }

  /** After a commit: what came meanwhile is the next turn. */
  #next(held: Held): void {
    held.state = "idle";
    if (held.messages.length > 0 || held.folds.length > 0) this.#open(held);
    else if (held.keptBytes === 0 || held.worker?.taking === false) void this.#giveBack(held, 0);
  }

  /** What every commit of a held instance's own brings with it. */
  #committed(held: Held, commit: Commit, result: Extract<CommitResult, { ok: true }>, expired: number): void {
    held.at = result.at;
    held.readAt = this.#clock.monotonic();
    held.failures = 0;
    const before = held.record;
    if (commit.record !== undefined)
      held.record = commit.record.number === result.number ? commit.record : { ...commit.record, number: result.number };
    if (result.undelivered.length > 0) {
      this.#counters.add("messagesUndelivered", result.undelivered.length);
      this.#log.info("messages to instances that do not exist were dropped", { instanceId: held.record.id, messages: result.undelivered });
    }
    if (held.record.dropped > before.dropped) {
      this.#counters.add("eventsDropped", held.record.dropped - before.dropped);
      this.#log.info("messages that nobody wants (any longer) were dropped", { instanceId: held.record.id });
    }
    for (const message of commit.messages) if (message.visibleAt !== undefined) this.#dispatcher.wakeAt(message.visibleAt, result.at);
    if (result.arrived.length > 0) this.#held.addMessages(held, result.arrived);
    if (this.#workers.size > 0) this.#warnAboutUnserved(commit);
    const ended = isTerminal(held.record.status);
    if (ended || expired > 0 || commit.drop !== undefined) this.#cancelFinished(held, commit.finished.slice(0, expired), ended);
    if (ended) this.#workers.forgetTurnedDown(held.number);
    if (ended && !isTerminal(before.status)) this.#onEnded?.(held.record);
    if (!this.#waiters.has(held.record.id)) return;
    // The commit that ends an instance has its output. Every other one has not all that a reader is told: the store has.
    if (ended && !isTerminal(before.status)) this.#waiters.committed({ record: held.record, payloads: payloadsOf(commit) });
    else if (ended || (before.status !== held.record.status && this.#waiters.has(held.record.id, "start")))
      this.#waiters.hinted([held.record.id]);
  }

  /** A commit of the engine's own: the instance is given back with it. */
  async #commitClosing(held: Held, commit: Commit, taken: Taken): Promise<void> {
    const result = await this.#write(commit);
    if (!result.ok) return this.#notCommitted(held, { messages: taken.messages, folds: [] }, result);
    if (commit.record?.stall?.kind === "set-aside") {
      this.#counters.add("instancesSetAside");
      this.#log.error(commit.record.stall.reason, { instanceId: held.record.id });
    }
    this.#committed(held, commit, result, 0);
    void this.#drop(held);
    for (const claim of result.claims) this.#takeClaim(claim, result.at);
  }

  async #stall(out: TurnOut, stall: Pick<Stall, "kind" | "reason">): Promise<void> {
    const { held, taken } = out;
    this.#endTurn(held);
    this.#held.keep(held, 0);
    if (stall.kind !== "version") {
      this.#counters.add("turnsStalled");
      if (held.record.stall?.reason !== stall.reason) this.#log.error(stall.reason, { instanceId: held.record.id });
    }
    void this.#foldsAsMessages(taken.folds);
    const replacing = out.turn.replaces === undefined ? undefined : startedIn(out.turn.newEvents);
    const commit = closeStall({ ...held, messages: [], folds: [] }, stall, this.#reading(held), replacing);
    const result = await this.#write(commit);
    if (result.ok) {
      this.#dispatcher.wakeAt(commit.record!.notBefore!, result.at);
      void this.#drop(held);
    } else void this.#giveBack(held, WRITE_RETRY_MS);
    this.#dispatcher.roomFreed();
  }

  /** A turn whose commit was refused or could not be written. */
  #notCommitted(held: Held, taken: Taken, result: Extract<CommitResult, { ok: false }>): void {
    if (result.failure?.errorType === BROKEN) {
      void this.#underWay.run(this.#setBrokenAside(held, taken, result.failure.message));
      return;
    }
    if (result.why === "failed") {
      this.#counters.add("turnsFailedToWrite");
      this.#log.error("a turn could not be written; it is tried again", { instanceId: held.record.id, failure: result.failure });
      return this.#tryAgainLater(held, taken);
    }
    this.#counters.add("turnsFenced");
    this.#log.debug("a turn was refused: its instance was changed or claimed by somebody else meanwhile", { instanceId: held.record.id });
    void this.#foldsAsMessages(taken.folds);
    // It may be refused because it was written before, by this process, and the answer was lost: then nobody else tells those who wait.
    this.#waiters.hinted([held.record.id]);
    this.#lose(held);
  }

  /** Nothing was written, and the lease is still ours: what was taken is put back, and opened again after a while. */
  #tryAgainLater(held: Held, taken: Taken): void {
    this.#forget(held);
    if (held.state === "gone" || this.#closed) {
      void this.#foldsAsMessages(taken.folds);
      void this.#giveBack(held, 0);
      return;
    }
    held.messages = [...taken.messages, ...held.messages];
    held.folds = [...taken.folds, ...held.folds];
    // A store that cannot write for long is asked less and less often.
    this.#clock.setTimer(Math.min(WRITE_RETRY_MS * 2 ** held.failures++, LONGEST_WRITE_RETRY_MS), () => {
      if (held.state !== "working") return;
      if (held.unknown === undefined) this.#open(held);
      else void this.#underWay.run(this.#openUnlessWritten(held));
    });
  }

  /** A turn was not answered: the store knows whether it was written (D6). If so, what is known here is no longer true, under the same epoch. */
  async #openUnlessWritten(held: Held): Promise<void> {
    let now: InstanceRecord | undefined;
    try {
      now = (await this.#store.read(held.record.id))?.record;
    } catch (error) {
      this.#log.error("whether a turn was written could not be read; it is tried again", { instanceId: held.record.id, error });
      return this.#tryAgainLater(held, NOTHING_TAKEN);
    }
    if (held.state === "gone") return;
    if (now?.number === held.number && now.epoch === held.epoch && now.turn === held.record.turn) this.#open(held);
    else this.#lose(held);
  }

  /** A bug of ours: what was to be written is not; the instance waits for an operator, and everything else goes on. */
  async #setBrokenAside(held: Held, taken: Taken, rule: string): Promise<void> {
    this.#countBroken(held.record.id, rule);
    void this.#foldsAsMessages(taken.folds);
    const again = held.record.kind === "entity" ? "resume the entity" : "suspend and resume the instance, or terminate it";
    const reason = `A rule of the engine would have been broken, so nothing was written: ${rule} Please report this; to try again, ${again}.`;
    const result = isTerminal(held.record.status) ? undefined : await this.#write(setAside(held, reason, this.#reading(held)));
    if (result?.ok) void this.#drop(held);
    else void this.#giveBack(held, BROKEN_RETRY_MS);
  }

  #countBroken(instanceId: InstanceId, rule: string): void {
    this.#counters.add("invariantsBroken");
    this.#log.error(`a rule of the engine is broken: ${rule}`, { instanceId });
  }

  /** The slot is free; whoever calls looks for work when it is known what becomes of it. */
  #endTurn(held: Held): void {
    if (!held.cold) return;
    held.cold = false;
    held.worker!.coldTurns--;
  }

  // ---- completions

  #completeEntity(outcome: EntityOutcome): Promise<void> {
    const done = this.#entities.complete(outcome);
    if (done !== undefined) return done;
    this.#counters.add("completionsUnknown");
    return DONE;
  }

  #completeActivity(outcome: ActivityOutcome): Promise<void> {
    const out = this.#activities.take(outcome.token);
    if (out === undefined) {
      this.#counters.add("completionsUnknown");
      return DONE;
    }
    const { claim, worker } = out;
    worker.activitiesOut--;
    this.#dispatcher.roomFreed();
    if (outcome.kind === "abandoned") {
      const times = worker.turnDown(activityTurnedDown(claim.row));
      this.#counters.add("activitiesAbandoned");
      const delayMs = outcome.delayMs ?? Math.min(FIRST_OFFER_MS * 2 ** (times - 1), LONGEST_OFFER_MS);
      return this.#underWay.run(this.#releaseActivity({ key: claim.row, epoch: claim.epoch, undone: outcome.undone === true }, delayMs));
    }
    this.#workers.forgetTurnedDown(claim.row);
    const held = this.#held.get(claim.row.number);
    const event = completionEvent(claim.row.taskId, outcome, held === undefined ? claim.at : this.#reading(held));
    if (held === undefined || !this.#canFold(held, claim)) return this.#underWay.run(this.#persistCompletion(closeActivity(claim, event)));
    this.#held.addFold(held, { claim, event });
    if (held.state === "idle") this.#open(held);
    return DONE;
  }

  #canFold(held: Held, claim: ActivityClaim): boolean {
    return (
      held.state !== "gone" && !held.record.held && held.record.executionId === claim.row.executionId && (held.worker?.taking ?? false)
    );
  }

  #foldsAsMessages(folds: readonly Fold[]): Promise<unknown> {
    if (folds.length === 0) return DONE;
    return Promise.all(folds.map((fold) => this.#underWay.run(this.#persistCompletion(closeActivity(fold.claim, fold.event)))));
  }

  /** Writes a completion as a message. Where the store cannot write, it is tried until it can: the work is done and must not be done again. */
  async #persistCompletion(commit: Commit): Promise<void> {
    for (let delay = 250; ; delay = Math.min(delay * 2, 10_000)) {
      const result = await this.#write(commit);
      if (result.ok) {
        this.#counters.add("completionsAsMessages");
        if (result.undelivered.length > 0) this.#counters.add("messagesUndelivered", result.undelivered.length);
        return;
      }
      if (result.why !== "failed") {
        this.#log.debug("the result of an activity came too late and was dropped", { instanceId: commit.messages[0]?.to });
        return this.#counters.add("completionsLate");
      }
      if (result.failure?.errorType === BROKEN) return this.#countBroken(commit.messages[0]?.to ?? "", result.failure.message);
      if (this.#closed) return;
      await this.#underWay.pause(delay);
    }
  }

  /** Gives leases back. A store that cannot take them is asked until it can: nobody else is ever given what it believes to be held (B5). */
  async #release(leases: readonly (Lease | ActivityLease)[], afterMs: number): Promise<void> {
    for (let delay = 250; ; delay = Math.min(delay * 2, 10_000)) {
      try {
        return await this.#store.release(leases, afterMs);
      } catch (error) {
        if (this.#closed) return;
        // Where leases end by themselves nobody has to wait for a store that is away, a worker that stops least of all.
        if (this.#store.shared === true && delay > LONGEST_RELEASE_PAUSE_MS) {
          this.#log.error(
            "what this process holds could not be given back: it is others' when its lease ends, or this process finds it again",
            { error },
          );
          return;
        }
        this.#log.error("what this process holds could not be given back; it is tried again", { error });
      }
      await this.#underWay.pause(delay);
    }
  }

  async #releaseActivity(lease: ActivityLease, afterMs: number): Promise<void> {
    await this.#release([lease], afterMs);
    if (afterMs > 0) this.#clock.setTimer(afterMs + 1, () => this.#dispatcher.look());
  }

  /** It has one more try when an operator takes the mark away; a process that dies of it counts once more. */
  async #setActivityAside(claim: ActivityClaim): Promise<void> {
    const { row, epoch } = claim;
    const reason = `The activity '${row.name}' (#${row.taskId}) was claimed ${claim.delivery - 1} times without a result (its process ended each time), so it is set aside. Look for a crash in it, then try it once more by suspending and resuming the instance, or terminate it.`;
    this.#counters.add("activitiesSetAside");
    this.#log.error(reason, { instanceId: row.instanceId });
    try {
      await this.#change(row.instanceId, (current, at) => decideAside(claim, { maxClaims: this.#maxClaims, reason }, current, at));
    } catch {
      // Nobody was told: whoever claims it next does this again.
      await this.#releaseActivity({ key: row, epoch, undone: true }, LONGEST_OFFER_MS);
    }
  }

  /** Tells workers that nobody waits any longer for what they run. */
  #cancelFinished(held: Held, expired: readonly ActivityKey[], ended: boolean): void {
    this.#activities.each(({ claim: { row }, worker }, token) => {
      if (row.number !== held.number) return;
      const gone = ended || row.executionId !== held.record.executionId;
      if (gone) worker.deliver([{ kind: "cancel", token, reason: "terminated" }]);
      else if (expired.some((key) => key.taskId === row.taskId)) worker.deliver([{ kind: "cancel", token, reason: "timed-out" }]);
    });
  }

  // ---- giving up

  /** The lease is somebody else's, or void. (Where it is not, since something else refused the commit, it goes back; a stale one is ignored.) */
  #lose(held: Held): void {
    void this.#giveBack(held, 0);
    // Whatever is still due for it can be claimed by its new holder, which may be this process again.
    this.#dispatcher.look();
  }

  /** Gives a lease back. */
  #giveBack(held: Held, afterMs: number): Promise<unknown> {
    if (held.state === "gone") return DONE;
    const written = this.#drop(held);
    // What has ended waits for nothing, so a delay would be one that no record may have (H4).
    const delayMs = isTerminal(held.record.status) ? 0 : afterMs;
    if (delayMs > 0) this.#dispatcher.wakeAt(this.#reading(held) + delayMs, this.#reading(held));
    const released = this.#underWay.run(this.#release([{ number: held.number, epoch: held.epoch }], delayMs));
    return written === DONE ? released : Promise.all([written, released]);
  }

  /** The lease has gone with what was just written: the program is forgotten, what was to be folded is written as messages. */
  #drop(held: Held): Promise<unknown> {
    if (held.state === "gone") return DONE;
    const { folds } = this.#held.take(held);
    this.#forget(held);
    this.#held.remove(held);
    this.#releaseAllUnknown(held);
    return this.#foldsAsMessages(folds);
  }

  #releaseAllUnknown(held: Held): void {
    const commits = held.unknown ?? [];
    held.unknown = undefined;
    for (const { activities, messages } of commits) {
      const made = messages.flatMap((message) => (message.creates?.claimed ? [message.creates.record] : []));
      void this.#underWay.run(this.#releaseUnknown(activities, made));
    }
  }

  /** What a commit whose answer was lost has handed to this process, if it was written after all: nobody here runs it, so somebody else may. */
  async #releaseUnknown(rows: readonly ActivityRow[], made: readonly InstanceRecord[]): Promise<void> {
    for (let delay = 250; ; delay = Math.min(delay * 2, 10_000)) {
      // Whether a later try of the same turn has them its answer will say.
      while (!this.#closed && this.#isCommitting(rows, made)) await this.#underWay.pause(250);
      try {
        const leases: (Lease | ActivityLease)[] = [];
        for (const row of rows) if (row.claimed && !this.#runs(row)) leases.push({ key: row, epoch: row.epoch });
        for (const { id, executionId, epoch } of made) {
          const there = (await this.#store.read(id))?.record;
          if (there?.executionId === executionId && there.epoch === epoch) leases.push({ number: there.number, epoch });
        }
        if (leases.length > 0) await this.#store.release(leases, 0);
        return;
      } catch (error) {
        if (this.#closed) return;
        this.#log.error("what an unanswered commit may have claimed could not be given back; it is tried again", { error });
      }
      await this.#underWay.pause(delay);
    }
  }

  /** A turn is on its way to the store that claims one of these under the same epoch: its bodies may be about to begin (A2). */
  #isCommitting(rows: readonly ActivityRow[], made: readonly InstanceRecord[]): boolean {
    for (const { activities, messages } of this.#committing) {
      for (const mine of activities)
        if (rows.some((row) => mine.claimed && mine.epoch === row.epoch && isSameActivity(mine, row))) return true;
      for (const { creates } of messages)
        if (creates?.claimed && made.some(({ executionId }) => executionId === creates.record.executionId)) return true;
    }
    return false;
  }

  /** A later try of the same turn has begun it here, under the same epoch: that one is known, and answered for (A2). */
  #runs(row: ActivityRow): boolean {
    let runs = false;
    this.#activities.each(({ claim }) => {
      runs ||= claim.epoch === row.epoch && isSameActivity(claim.row, row);
    });
    return runs;
  }

  #forget(held: Held): void {
    if (held.keptBytes > 0 && held.record.kind === "orchestration") this.#tellForget(held);
    this.#held.keep(held, 0);
  }

  #tellForget(held: Held): void {
    held.worker?.deliver([{ kind: "forget", instanceId: held.record.id, executionId: held.record.executionId }]);
    this.#counters.add("programsForgotten");
  }

  /** Over the budget: the programs that worked longest ago go, some more than needed, so that it is not sorted anew at every turn. */
  #evict(budget: number): void {
    for (const held of this.#held.idleLongest()) {
      if (this.#held.keptBytes <= budget * 0.9) return;
      void this.#giveBack(held, 0);
    }
  }

  /** Programs that have been idle too long are given back, by one timer for all. */
  #sweepLater(): void {
    if (this.#sweeping || this.#closed) return;
    this.#sweeping = true;
    const idleMs = Math.max(100, ...[...this.#workers].map((worker) => worker.interest.warmIdleMs));
    this.#clock.setTimer(idleMs / 2, () => {
      this.#sweeping = false;
      if (this.#closed) return;
      const now = this.#clock.monotonic();
      for (const held of this.#held) {
        if (held.state === "idle" && now - held.readAt >= (held.worker?.interest.warmIdleMs ?? idleMs)) void this.#giveBack(held, 0);
      }
      if (this.#held.size > 0) this.#sweepLater();
    });
  }

  async #disconnect(worker: ConnectedWorker): Promise<void> {
    worker.taking = false;
    if (!this.#workers.delete(worker)) return;
    if (this.#workers.size === 0) void this.#housekeeping?.stop();
    const written: Promise<unknown>[] = [];
    this.#turns.each((out, token) => {
      if (out.held.worker !== worker) return;
      this.#turns.take(token);
      this.#endTurn(out.held);
      written.push(this.#foldsAsMessages(out.taken.folds), this.#giveBack(out.held, 0));
    });
    const leases: ActivityLease[] = [];
    this.#activities.each((out, token) => {
      if (out.worker !== worker) return;
      this.#activities.take(token);
      leases.push({ key: out.claim.row, epoch: out.claim.epoch });
    });
    if (leases.length > 0) written.push(this.#underWay.run(this.#release(leases, 0)));
    written.push(...this.#entities.disconnected(worker));
    for (const held of [...this.#held]) if (held.worker === worker && held.state === "idle") written.push(this.#giveBack(held, 0));
    // Turns that are being written give their instances back when they are. What other workers have under way is not waited for.
    await this.#underWay.settled(() => !this.#holdsFor(worker));
    await Promise.all(written);
    this.#dispatcher.look();
  }

  #holdsFor(worker: ConnectedWorker): boolean {
    for (const held of this.#held) if (held.worker === worker) return true;
    return false;
  }

  // ---- small parts

  async #change(id: InstanceId, decide: Decision): Promise<Written | Refusal> {
    let epoch = Number.POSITIVE_INFINITY;
    const answer = await this.#update(id, (current, at) => {
      const decided = decide(current, at);
      if (!("refused" in decided)) epoch = decided.record?.epoch ?? epoch;
      return decided;
    });
    if ("refused" in answer) return answer;
    this.#waiters.hinted([id]);
    // The epoch has risen: a turn in flight will be refused, and its program forgotten. A lease that was taken since then is a good one.
    const held = this.#held.withId(id);
    if (held !== undefined && held.epoch < epoch) this.#lose(held);
    else this.#dispatcher.look();
    return answer;
  }

  async #update(id: InstanceId, decide: Decision, expects?: "absent"): Promise<Written | Refusal> {
    this.#refuseWhenClosed();
    let broken: string | undefined;
    const checked: Decision = (current, at) => {
      const decided = decide(current, at);
      broken = "refused" in decided ? undefined : checkCommit(decided);
      return broken === undefined ? decided : { refused: "no-change", message: broken };
    };
    const answer = await this.#store.update(id, checked, expects);
    if (broken !== undefined) {
      this.#countBroken(id, broken);
      throw new Error(`A rule of the engine would have been broken, so nothing was written: ${broken} Please report this.`);
    }
    if ("refused" in answer || answer.ok) return answer;
    this.#counters.add("callsRefused");
    if (answer.why === "fenced") {
      throw new InvalidStateError(
        `The instance '${id}' cannot be changed now: the start of its next attempt, which its parent waits for, lies in its inbox and comes first, or it changes all the time. Nothing of this call was accepted; try again when it has run.`,
      );
    }
    throw new StoreUnavailableError(
      `The store could not write: ${answer.failure?.message ?? answer.why}. Nothing of this call was accepted; try again.`,
    );
  }

  /** Commits that are about no held instance, in one transaction. */
  async #writeAll(batch: readonly Commit[]): Promise<readonly CommitResult[]> {
    this.#refuseWhenClosed();
    const broken = batch.map(checkCommit).find((rule) => rule !== undefined);
    if (broken !== undefined)
      throw new Error(`A rule of the engine would have been broken, so nothing was written: ${broken} Please report this.`);
    return this.#store.commit(batch);
  }

  /** A store that throws instead of answering has answered nothing: the commit counts as not written, and is tried again. */
  async #write(commit: Commit): Promise<CommitResult> {
    const broken = checkCommit(commit);
    if (broken !== undefined) return notWritten(BROKEN, broken);
    try {
      return (await this.#store.commit([commit]))[0] ?? NO_ANSWER;
    } catch (error) {
      return notWritten((error as Error).name, (error as Error).message);
    }
  }

  #housekeepingBy(policy: RetentionPolicy): Housekeeping {
    const store = this.#store;
    return new Housekeeping({
      policy,
      clock: this.#clock,
      log: this.#log,
      finished: (request) => store.finished(request),
      record: async (id) => (await store.read(id))?.record,
      unfinishedChild: async (id) =>
        (await store.query({ parent: id, status: ["PENDING", "RUNNING", "SUSPENDED"] }, { size: 1 })).items[0]?.record.id,
      commit: (batch) => store.commit(batch),
      retired: (ids) => {
        this.#counters.add("instancesRetired", ids.length);
        for (const id of ids) this.#waiters.gone(id);
      },
      failed: () => this.#counters.add("sweepsFailed"),
      shared: store.shared,
      giveBack: store.file && (() => store.file!.giveBack()),
    });
  }

  /** Fitting code may have come with this worker: what had stalled is tried again. */
  async #retryStalled(worker: ConnectedWorker): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.#store.query({ stalled: true }, { size: CHILDREN_PAGE, ...given({ cursor }) });
      for (const { record } of page.items) {
        const served = record.kind === "entity" ? worker.entities : worker.orchestrators;
        if (record.stall !== undefined && record.stall.kind !== "set-aside" && takes(served, record.name))
          await this.#update(record.id, (current) => decideStall(undefined, current));
      }
      cursor = page.next;
    } while (cursor !== undefined);
  }

  async #retryStalledUntilDone(worker: ConnectedWorker): Promise<void> {
    for (let delay = 250; ; delay = Math.min(delay * 2, 10_000)) {
      await this.#underWay.pause(delay);
      if (this.#closed || !this.#workers.has(worker)) return;
      try {
        return await this.#retryStalled(worker);
      } catch (error) {
        this.#log.error("stalled instances could not be looked at; it is tried again", { error });
      }
    }
  }

  #nextExecutionId(outcome: Extract<OrchestrationOutcome, { kind: "turn" }>): string {
    const last = outcome.actions.at(-1);
    return last?.kind === "rewindOrchestration" || (last?.kind === "completeOrchestration" && last.status === "CONTINUED_AS_NEW")
      ? this.#random.id()
      : "";
  }

  /** It could be run here, but for the versions that workers take. */
  #isLeftToOthers(record: InstanceRecord): boolean {
    return !record.held && !isTerminal(record.status) && record.notBefore !== LATEST_INSTANT && this.#workers.serves(record.name);
  }

  /** What waits for a worker that takes its version: looked at again when one comes, and now and then. */
  async #leaveToOthers(held: Held): Promise<void> {
    const { name, version = "" } = held.record;
    const reason = `No worker here takes instances of '${name}' with version '${version}' (workItemFilters).`;
    const commit = closeStall({ ...held, messages: [], folds: [] }, { kind: "version", reason }, this.#reading(held));
    const result = await this.#write(commit);
    if (!result.ok) return void this.#giveBack(held, WRITE_RETRY_MS);
    this.#dispatcher.wakeAt(commit.record!.notBefore!, result.at);
    void this.#drop(held);
  }

  #warnAboutUnserved(commit: Commit): void {
    for (const row of commit.activities)
      if (!row.claimed && this.#workers.forActivity(row.name) === undefined) this.#warnUnregistered("activity", row.name);
    for (const message of commit.messages) {
      if (message.creates === undefined) continue;
      const { kind, name } = message.creates.record;
      if (kind === "entity" ? !this.#workers.servesEntity(name) : !this.#workers.serves(name))
        this.#warnUnregistered(kind === "entity" ? "entity" : "orchestrator", kind === "entity" ? name.slice(1) : name);
    }
  }

  #warnUnregistered(what: "orchestrator" | "activity" | "entity", name: string): void {
    const key = `${what} ${name}`;
    if (this.#warned.has(key) || !this.#workers.areTaking) return;
    this.#warned.add(key);
    const served = this.#workers.servedNames();
    const names = { orchestrator: served.orchestrators, activity: served.activities, entity: this.#workers.entityNames() }[what];
    this.#log.warn(`${notRegistered(what, name, names).message} Work for it waits until a worker that has it comes.`);
  }

  /** The store's time for a held instance: its last reading, and the monotonic time since. */
  #reading(held: Held): Instant {
    return Math.floor(held.at + (this.#clock.monotonic() - held.readAt));
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new HubClosedError("The task hub has been closed; open it again to use it.");
  }
}

/** The time one delivery may take: what the attempt has, and what is left of the whole call. */
function timeoutOf(claim: ActivityClaim): number | undefined {
  const { attemptTimeoutMs, expiresAt } = claim.row;
  if (expiresAt === undefined) return attemptTimeoutMs;
  // The store's clock decides (the expiry is a message of its own). This is for when nobody hears of it, and readings are whole milliseconds.
  const left = Math.max(1, expiresAt - claim.at) + READING_SLACK_MS;
  return attemptTimeoutMs === undefined ? left : Math.min(attemptTimeoutMs, left);
}

/** The payloads that a closing commit writes, as a waiter is told them. */
function payloadsOf(commit: Commit): InstancePayloads {
  const { input, output, customStatus, failure } = commit.payloads ?? {};
  return given({
    input: input ?? undefined,
    output: output ?? undefined,
    customStatus: customStatus ?? undefined,
    failure: failure ?? undefined,
  });
}

function claimedActivities(commit: Commit): number {
  let count = 0;
  for (const row of commit.activities) if (row.claimed) count++;
  return count;
}

function claimedChildren(commit: Commit): number {
  let count = 0;
  for (const message of commit.messages) if (message.creates?.claimed) count++;
  return count;
}

function isSameActivity(a: ActivityKey, b: ActivityKey): boolean {
  return a.number === b.number && a.generation === b.generation && a.taskId === b.taskId;
}

function notWritten(errorType: string, message: string): Extract<CommitResult, { ok: false }> {
  return { ok: false, why: "failed", failure: { errorType, message } };
}
