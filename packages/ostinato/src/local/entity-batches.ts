// entity-batches: the life of held entities: opened, given to a worker in batches, closed, kept warm or given back.
//
// Owns:    which entity waits for room, the states that are kept, the batches that are out.
// Is told: held entities as claims and commits bring them, the outcomes of their batches, when a worker goes.
// Tells:   workers their batches, the store the commits, the backend when an entity is to be given back.
// Always:  EB1 an entity has one batch out at a time; what comes meanwhile is the next one, and costs one commit.
//          EB2 never more batches out than their worker asked for: an entity without room waits, held, until another one's batch is done.
//          EB3 a kept state is what was written last, or is forgotten: after a refused or unknown commit it is read again.
//          EB4 an entity that never rests is given back from time to time: what others have waiting for longer comes first then, and of a long
//             inbox no more is in memory than a few batches.

import type { StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { InboxMessage } from "../contract/messages.ts";
import { given } from "../contract/recorded-as.ts";
import type { EntityOutcome } from "../contract/work-items.ts";
import { notRegistered } from "../engine/action-appliers.ts";
import { brokenBatch, closeEntityBatch, closeEntityFailed, type BatchOutcome } from "../engine/close-entity-batch.ts";
import type { Commit, CommitResult } from "../engine/commit.ts";
import { openEntity, type EntityCounts, type EntityOpening, type EntityRules, type OpenedBatch } from "../engine/open-entity.ts";
import type { Logger } from "../platform/logger.ts";
import type { ConnectedWorker } from "./connected-worker.ts";
import type { ConnectedWorkers } from "./connected-workers.ts";
import type { CounterName, Counters } from "./counters.ts";
import type { Held, HeldInstances } from "./held-instances.ts";
import type { UnderWay } from "./under-way.ts";
import { WorkOut } from "./work-out.ts";

/** What the life of entities needs of the backend. */
export interface EntityWorld {
  readonly workers: ConnectedWorkers;
  readonly held: HeldInstances;
  readonly counters: Counters;
  readonly underWay: UnderWay;
  readonly log: Logger;
  readonly failUnregistered: boolean;
  readonly maxClaims: number;
  read(id: string): Promise<StoredInstance | undefined>;
  /** Writes a commit that breaks no rule. Throws when the store does not answer. */
  write(commit: Commit): Promise<CommitResult>;
  /** What every commit of something held brings with it. */
  committed(held: Held, commit: Commit, result: Extract<CommitResult, { ok: true }>): void;
  /** Nothing was written, or nobody knows: what was taken is put back, set aside, or lost. */
  notCommitted(held: Held, messages: InboxMessage[], result: Extract<CommitResult, { ok: false }>): void;
  /** A bug of ours. */
  broken(held: Held, rule: string): void;
  /** The same is tried again after a while. */
  tryAgainLater(held: Held, messages: InboxMessage[]): void;
  /** The lease has gone with what was written. */
  drop(held: Held): void;
  /** The lease goes back. */
  giveBack(held: Held, afterMs: number): Promise<unknown>;
  /** The lease is somebody else's. */
  lose(held: Held): void;
  /** It was given up while the commit was on its way that kept it. */
  releaseLate(held: Held): void;
  evict(budget: number): void;
  wakeAt(instant: Instant, reading: Instant): void;
  roomFreed(): void;
  reading(held: Held): Instant;
  /** It is handed out now. */
  entered(id: string): void;
  nextId(): string;
}

/** A batch that is out with a worker. */
interface BatchOut {
  readonly held: Held;
  readonly worker: ConnectedWorker;
  readonly batch: OpenedBatch;
  readonly before: string | undefined;
}

const DONE = Promise.resolve();
/** What a kept entity counts for beside its state. */
const ENTITY_BYTES = 256;
/** With more than this in memory that waits, an entity is given back: each commit that keeps it would be handed still more. */
const MOST_WAITING = 4_000;
/** So many batches in a crowd, and an entity makes room for those that nobody has claimed. */
const MOST_CROWDED = 32;

/** The held entities of one backend. */
export class EntityBatches {
  readonly #world: EntityWorld;
  readonly #out = new WorkOut<BatchOut>(2);
  readonly #waiting = new Set<Held>();
  #filling = false;

  constructor(world: EntityWorld) {
    this.#world = world;
  }

  /** Opens the inbox of a held entity, and does what it turned out to be. */
  open(held: Held): void {
    const { held: all, workers, maxClaims } = this.#world;
    held.state = "working";
    this.#waiting.delete(held);
    const { messages } = all.take(held);
    const worker = workers.forEntity(held.record.name, held.number);
    const reading = this.#world.reading(held);
    let opening: EntityOpening;
    try {
      const { number, epoch, record } = held;
      opening = openEntity({ number, epoch, record, messages }, reading, { ...this.#rules(held, worker), maxClaims });
    } catch (error) {
      return this.#world.broken(held, `The inbox could not be opened: ${(error as Error).message}`);
    }
    switch (opening.kind) {
      case "run":
        return this.#hand(held, worker!, opening.batch, messages, opening.left);
      case "commit": {
        const waits = held.record.notBefore !== undefined && held.record.notBefore > reading;
        const keep =
          worker !== undefined &&
          !waits &&
          opening.commit.record?.stall === undefined &&
          (held.keptBytes > 0 || opening.left.length > 0) &&
          opening.left.length <= MOST_WAITING;
        held.worker = worker;
        return void this.#world.underWay.run(this.#commitOwn(held, { ...opening.commit, keep }, messages, opening.left, opening.counts));
      }
      case "nothing":
        if (held.keptBytes > 0 && worker !== undefined) {
          held.messages = [...opening.left, ...held.messages];
          held.state = "idle";
        } else void this.#world.giveBack(held, 0);
        return;
    }
  }

  /** A worker's answer to a batch; `undefined` when none is out under this token. */
  complete(outcome: EntityOutcome): Promise<void> | undefined {
    const out = this.#out.take(outcome.token);
    if (out === undefined) return undefined;
    const { held } = out;
    if (held.state === "gone") {
      this.#ended(out.worker);
      return DONE;
    }
    switch (outcome.kind) {
      case "batch": {
        const broken = brokenBatch(out.batch, outcome);
        return broken === undefined ? this.#commitBatch(out, outcome) : this.#world.underWay.run(this.#putOff(out, broken));
      }
      case "failed":
        return this.#world.underWay.run(this.#putOff(out, outcome.failure.message));
      case "abandoned":
        // Its worker is stopping: nothing speaks against the entity.
        if (outcome.delayMs === 0) return this.#world.underWay.run(this.#giveBackNow(out));
        out.worker.turnDown(held.number);
        return this.#world.underWay.run(this.#putOff(out, outcome.reason ?? "The worker turned the operations down.", outcome.delayMs));
    }
  }

  /** Somebody else has room: what waits for room here is let go, as far as `isTaken` says. */
  letGo(isTaken: (held: Held) => boolean): void {
    for (const held of [...this.#waiting]) {
      if (held.state === "gone" || !isTaken(held)) continue;
      this.#waiting.delete(held);
      void this.#world.giveBack(held, 0);
    }
  }

  /** A worker takes no more: what waited for room with it is another's. */
  stopsTaking(): void {
    this.#fill();
  }

  /** A worker goes: what is out with it is given back. */
  disconnected(worker: ConnectedWorker): readonly Promise<unknown>[] {
    const given: Promise<unknown>[] = [];
    this.#out.each((out, token) => {
      if (out.worker !== worker) return;
      this.#out.take(token);
      worker.batchesOut--;
      given.push(this.#world.giveBack(out.held, 0));
    });
    this.#fill();
    return given;
  }

  // ---- batches

  #rules(held: Held, worker: ConnectedWorker | undefined): Omit<EntityRules, "maxClaims"> {
    const { workers, failUnregistered } = this.#world;
    const needsOf = (name: string): "program" | "engine" | undefined => {
      if (!failUnregistered || workers.size === 0) return undefined;
      return workers.servesEntity(name) ? "program" : "engine";
    };
    if (worker !== undefined || workers.servesEntity(held.record.name)) return { canRun: worker !== undefined, failsAll: false, needsOf };
    const failWith = { ...notRegistered("entity", held.record.name.slice(1), workers.entityNames()), errorType: "EntityTaskNotFound" };
    return { canRun: false, failWith, failsAll: failUnregistered && workers.size > 0, needsOf };
  }

  #hand(held: Held, worker: ConnectedWorker, batch: OpenedBatch, messages: InboxMessage[], left: readonly InboxMessage[]): void {
    if (worker.entityRoom <= 0) {
      held.messages = [...messages, ...held.messages];
      held.worker = undefined;
      this.#waiting.add(held);
      return;
    }
    held.worker = worker;
    held.messages = [...left, ...held.messages];
    worker.batchesOut++;
    if (held.keptBytes > 0) this.#deliver(held, worker, batch, held.keptState);
    // It has never had one.
    else if (held.record.turn === 0) this.#deliver(held, worker, batch, undefined);
    else void this.#world.underWay.run(this.#load(held, worker, batch));
  }

  #deliver(held: Held, worker: ConnectedWorker, batch: OpenedBatch, before: string | undefined): void {
    const token = this.#out.put({ held, worker, batch, before });
    const operations = batch.taken.map(({ event }) => event);
    this.#world.entered(held.record.id);
    worker.deliver([{ kind: "entity", token, entityId: held.record.id, at: batch.at, operations, ...given({ state: before }) }]);
  }

  async #load(held: Held, worker: ConnectedWorker, batch: OpenedBatch): Promise<void> {
    this.#world.counters.add("coldLoads");
    let stored: StoredInstance | undefined;
    try {
      stored = await this.#world.read(held.record.id);
    } catch (error) {
      this.#world.log.error("the state of an entity could not be read; it is tried again", { instanceId: held.record.id, error });
      // What was left of the same opening stands among the held ones already.
      this.#world.tryAgainLater(held, [...batch.taken]);
      this.#ended(worker);
      return;
    }
    if (held.state === "gone") return this.#ended(worker);
    const isHeld = stored?.record.number === held.number && stored.record.epoch === held.epoch && stored.record.turn === held.record.turn;
    if (!isHeld || !this.#world.workers.has(worker)) {
      if (isHeld) void this.#world.giveBack(held, 0);
      else this.#world.lose(held);
      return this.#ended(worker);
    }
    this.#deliver(held, worker, batch, stored?.payloads.state);
  }

  /** The hot path: it looks after itself. */
  async #commitBatch(out: BatchOut, outcome: BatchOutcome): Promise<void> {
    const { held, worker, batch, before } = out;
    const { failUnregistered, underWay, counters } = this.#world;
    underWay.begin();
    let commit: Commit | undefined;
    let result: CommitResult;
    try {
      const keep =
        worker.taking &&
        (worker.interest.warmBytes > 0 || held.messages.length > 0 || outcome.results.length < batch.taken.length) &&
        held.messages.length <= MOST_WAITING &&
        !hasHadItsShare(held, worker);
      commit = closeEntityBatch(held, batch, outcome, {
        reading: this.#world.reading(held),
        before,
        keep,
        orchestrators: worker.orchestrators,
        entities: worker.entities,
        failUnregistered,
        nextId: () => this.#world.nextId(),
      });
      result = await this.#write(held, commit);
    } catch (error) {
      result = { ok: false, why: "failed", failure: { errorType: "BrokenInvariant", message: (error as Error).message } };
    }
    try {
      if (!result.ok) return this.#world.notCommitted(held, [...batch.taken], result);
      const undone = batch.taken.slice(outcome.results.length);
      if (undone.length > 0) held.messages = [...undone, ...held.messages];
      const failed = outcome.results.filter(({ kind }) => kind === "failed").length;
      counters.add("entityBatchesCommitted");
      if (failed < outcome.results.length) counters.add("entityOperationsDone", outcome.results.length - failed);
      if (failed > 0) counters.add("entityOperationsFailed", failed);
      this.#written(held, commit!, result, outcome.state, worker);
    } finally {
      this.#ended(worker);
      underWay.end();
    }
  }

  /** After a commit: what came meanwhile is the next batch. */
  #written(
    held: Held,
    commit: Commit,
    result: Extract<CommitResult, { ok: true }>,
    state: string | undefined,
    worker: ConnectedWorker,
  ): void {
    const { warmBytes } = worker.interest;
    held.unknown = undefined;
    this.#world.committed(held, commit, result);
    if (!commit.keep) return this.#world.drop(held);
    if (held.state === "gone") return this.#world.releaseLate(held);
    this.#keep(held, state);
    this.#next(held, warmBytes > 0);
    if (warmBytes > 0 && this.#world.held.keptBytes > warmBytes) this.#world.evict(warmBytes);
  }

  #next(held: Held, isKept: boolean): void {
    held.state = "idle";
    if (held.messages.length > 0) this.open(held);
    else if (!isKept || held.keptBytes === 0 || held.worker?.taking !== true) void this.#world.giveBack(held, 0);
  }

  #keep(held: Held, state: string | undefined): void {
    this.#world.held.keep(held, ENTITY_BYTES + 2 * (state?.length ?? 0));
    held.keptState = state;
  }

  /** Nothing of a batch counts: it is offered again, each time later. */
  async #putOff(out: BatchOut, reason: string, delayMs?: number): Promise<void> {
    const { held, worker, batch } = out;
    this.#world.counters.add("entityBatchesPutOff");
    if (held.record.stall?.reason !== reason) this.#world.log.error(reason, { instanceId: held.record.id });
    this.#world.held.keep(held, 0);
    const commit = closeEntityFailed(held, held.record, reason, this.#world.reading(held), delayMs);
    const result = await this.#write(held, commit);
    if (result.ok) {
      this.#world.wakeAt(commit.record!.notBefore!, result.at);
      this.#world.drop(held);
    } else this.#world.notCommitted(held, [...batch.taken], result);
    this.#ended(worker);
  }

  async #giveBackNow({ held, worker }: BatchOut): Promise<void> {
    await this.#world.giveBack(held, 0);
    this.#ended(worker);
  }

  /** A commit of the engine's own. */
  async #commitOwn(
    held: Held,
    commit: Commit,
    messages: InboxMessage[],
    left: readonly InboxMessage[],
    counts: EntityCounts,
  ): Promise<void> {
    const result = await this.#write(held, commit);
    if (!result.ok) return this.#world.notCommitted(held, messages, result);
    held.unknown = undefined;
    if (commit.record?.stall?.kind === "set-aside" && held.record.stall?.kind !== "set-aside") {
      this.#world.counters.add("instancesSetAside");
      this.#world.log.error(commit.record.stall.reason, { instanceId: held.record.id });
    }
    for (const [name, count] of Object.entries(counts)) this.#world.counters.add(name as CounterName, count as number);
    held.messages = [...left, ...held.messages];
    this.#world.committed(held, commit, result);
    if (!commit.keep) return this.#world.drop(held);
    if (held.state === "gone") return this.#world.releaseLate(held);
    this.#next(held, true);
  }

  /** A store that throws instead of answering has answered nothing: whether it was written is asked before anything else is done. */
  async #write(held: Held, commit: Commit): Promise<CommitResult> {
    try {
      return await this.#world.write(commit);
    } catch (error) {
      held.unknown = [...(held.unknown ?? []), commit];
      return { ok: false, why: "failed", failure: { errorType: (error as Error).name, message: (error as Error).message } };
    }
  }

  // ---- room

  /** A batch is done: who waited longest is next. */
  #ended(worker: ConnectedWorker): void {
    worker.batchesOut--;
    this.#fill();
    this.#world.roomFreed();
  }

  #fill(): void {
    if (this.#filling || this.#waiting.size === 0) return;
    this.#filling = true;
    const { workers } = this.#world;
    for (const held of [...this.#waiting]) {
      const worker = workers.forEntity(held.record.name, held.number);
      if (held.state === "gone") this.#waiting.delete(held);
      else if (worker === undefined || worker.entityRoom > 0) this.open(held);
      else if (workers.size === 1) break;
    }
    this.#filling = false;
  }
}

/** Others wait, perhaps unclaimed: who is kept is handed what comes, before anybody else is looked for. */
function hasHadItsShare(held: Held, worker: ConnectedWorker): boolean {
  return worker.entityRoom <= 0 && ++held.crowded >= MOST_CROWDED;
}
