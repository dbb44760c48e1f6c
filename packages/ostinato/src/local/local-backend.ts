// local-backend: the engine at work in this process: a Backend over a Store.
//
// Owns:    the life of a held instance: claimed, opened, run, closed, committed, kept or given back.
// Is told: client calls, workers' outcomes, the store's hints.
// Tells:   workers their items, the store its commits, waiters their ends.
// Always:  B1 user code begins only after the commit that created its row is acknowledged.
//          B2 a completion is folded into a turn, or written as a message by a commit of its own; it is never dropped, and never the reason
//             to run an activity again.
//          B3 after a refused or unknown commit the warm program is forgotten.
//          B4 what is decided is decided by the engine; here is only when and with what.

import type { Backend, BackendCounters, InstanceSnapshot, PurgeRequest, RaiseEventRequest, StartRequest, TerminateRequest, WorkerConnection, WorkerInterest } from "../contract/backend.ts";
import { HubClosedError, InstanceExistsError, InstanceNotFoundError, InvalidStateError, StoreUnavailableError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { toFailure } from "../contract/failure.ts";
import type { InstanceId } from "../contract/ids.ts";
import { isTerminal, type InstancePayloads, type InstanceRecord, type Stall, type StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { InboxMessage } from "../contract/messages.ts";
import type { InstanceFilter, Page, PageRequest } from "../contract/queries.ts";
import { given, type Writable } from "../contract/recorded-as.ts";
import type { ActivityOutcome, ActivityWorkItem, OrchestrationOutcome, OrchestrationWorkItem, WorkItem, WorkToken } from "../contract/work-items.ts";
import { notRegistered } from "../engine/action-appliers.ts";
import { closeActivity, completionEvent } from "../engine/close-activity.ts";
import { closeStall } from "../engine/close-stall.ts";
import { closeTurn } from "../engine/close-turn.ts";
import type { ActivityClaim, ActivityLease, ActivityRow, Claim, Commit, CommitResult, Lease, Refusal } from "../engine/commit.ts";
import { decidePurge, decideRaise, decideResume, decideStall, decideSuspend, decideTerminate } from "../engine/control.ts";
import { openTurn, type ChildrenPage, type Fold, type OpenedTurn } from "../engine/open-turn.ts";
import { decideStart } from "../engine/start.ts";
import type { Claims, Decision, Store } from "../engine/store.ts";
import { waitingFor } from "../engine/waiting.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { ConnectedWorker } from "./connected-worker.ts";
import { Counters } from "./counters.ts";
import { Dispatcher } from "./dispatcher.ts";
import { HeldInstances, type Held } from "./held-instances.ts";
import { Waiters } from "./waiters.ts";

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
  readonly held: Held | undefined;
}

const DONE = Promise.resolve();
const NO_PAST = { events: [] };
const CHILDREN_PAGE = 500;
const WRITE_RETRY_MS = 1_000;
const SET_ASIDE_MS = 10 * 365 * 86_400_000;
const ENGINE_TURNS = 100;

/** Opens the store and makes a Backend of it. */
export async function createLocalBackend(options: LocalBackendOptions): Promise<Backend> {
  await options.store.open();
  return new LocalBackend(options);
}

class LocalBackend implements Backend {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #failUnregistered: boolean;
  readonly #maxClaims: number;
  readonly #counters = new Counters();
  readonly #workers = new Set<ConnectedWorker>();
  readonly #held = new HeldInstances();
  readonly #turns = new Map<WorkToken, TurnOut>();
  readonly #activities = new Map<WorkToken, ActivityOut>();
  readonly #waiters: Waiters;
  readonly #dispatcher: Dispatcher;
  readonly #warned = new Set<string>();
  readonly #unwatch: () => void;
  readonly #whenQuiet: (() => void)[] = [];
  /** Operations on their way to the store that nobody awaits. */
  #underWay = 0;
  #nextToken = 1;
  #closed = false;
  #sweeping = false;

  constructor(options: LocalBackendOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#log = options.log;
    this.#failUnregistered = options.unregistered === "fail";
    this.#maxClaims = options.maxClaims ?? 10;
    this.#waiters = new Waiters((id) => this.#store.read(id));
    this.#dispatcher = new Dispatcher({
      clock: this.#clock,
      want: () => this.#want(),
      claim: (want) => this.#store.claim(want),
      take: (claims) => this.#take(claims),
      failed: (error, retryMs) => this.#log.error("looking for work failed; it is tried again", { error, retryMs }),
    });
    this.#unwatch = this.#store.watch((hint) => {
      if (hint.ended.length > 0) this.#waiters.hinted(hint.ended);
      if (hint.ready) this.#dispatcher.look();
      else if (hint.dueAt !== undefined) this.#dispatcher.dueAt(hint.dueAt);
    });
    this.#dispatcher.look();
  }

  // ---- client operations

  async start(request: StartRequest): Promise<void> {
    this.#refuseWhenClosed();
    const worker = this.#workerFor(request.name);
    const unserved = worker === undefined && this.#workers.size > 0;
    if (unserved) this.#warnUnregistered("orchestrator", request.name);
    const placement = {
      claimed: worker !== undefined && worker.turnRoom > 0,
      needs: unserved && this.#failUnregistered ? ("engine" as const) : ("program" as const),
    };
    let written: Commit | undefined;
    const answer = await this.#update(request.instanceId, (current, at) => {
      const decided = decideStart(request, placement, current, at);
      written = "refused" in decided ? undefined : decided;
      return decided;
    });
    if ("refused" in answer) {
      if (answer.refused === "same-request") return;
      throw new InstanceExistsError(answer.message);
    }
    if (request.startAt !== undefined) this.#dispatcher.wakeAt(request.startAt, answer.at);
    if (written?.keep) this.#takeUp({ ...written.record!, number: answer.number }, written.record!.epoch, answer.arrived, answer.at);
  }

  async get(id: InstanceId): Promise<InstanceSnapshot | undefined> {
    const stored = await this.#store.read(id);
    if (stored === undefined) return undefined;
    const history: HistoryEvent[] = [];
    if (!isTerminal(stored.record.status) && stored.record.historyLength > 0) for await (const page of this.#store.history(id)) history.push(...page);
    return { ...stored, waitingFor: waitingFor(stored.record, history, this.#servedNames()) };
  }

  waitForStart(id: InstanceId, signal?: AbortSignal): Promise<StoredInstance | undefined> {
    return this.#waiters.wait(id, "start", this.#held.withId(id)?.record.status === "PENDING", signal);
  }

  waitForCompletion(id: InstanceId, signal?: AbortSignal): Promise<StoredInstance | undefined> {
    return this.#waiters.wait(id, "completion", this.#held.withId(id) !== undefined, signal);
  }

  async raiseEvent(request: RaiseEventRequest): Promise<void> {
    const event = { id: request.messageId, name: request.name, ...given({ input: request.input }) };
    const answer = await this.#update(request.instanceId, (current, at) => decideRaise(event, current, at));
    if ("refused" in answer) {
      if (answer.refused === "not-found") throw notFound(request.instanceId);
      this.#counters.add("eventsDropped");
      this.#log.info(answer.message);
    }
  }

  async terminate(request: TerminateRequest): Promise<void> {
    const decision = { id: `terminate:${this.#random.id()}`, recursive: request.recursive, ...given({ output: request.output }) };
    const answer = await this.#update(request.instanceId, (current, at) => decideTerminate(decision, current, at));
    if ("refused" in answer && answer.refused === "not-found") throw notFound(request.instanceId);
  }

  async suspend(id: InstanceId, reason?: string): Promise<void> {
    await this.#change(id, (current, at) => decideSuspend(reason, current, at));
  }

  async resume(id: InstanceId, reason?: string): Promise<void> {
    await this.#change(id, (current, at) => decideResume(reason, current, at));
  }

  async purge(request: PurgeRequest): Promise<number> {
    const answer = await this.#update(request.instanceId, (current) => decidePurge(current));
    if ("refused" in answer) {
      if (answer.refused === "not-found") return 0;
      throw new InvalidStateError(answer.message);
    }
    this.#waiters.gone(request.instanceId);
    return 1 + (request.recursive ? await this.#purgeChildren(request.instanceId) : 0);
  }

  query(filter: InstanceFilter, page: PageRequest): Promise<Page<StoredInstance>> {
    return this.#store.query(filter, page);
  }

  history(id: InstanceId): AsyncIterable<readonly HistoryEvent[]> {
    return this.#store.history(id);
  }

  counters(): BackendCounters {
    return this.#counters.read();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#dispatcher.close();
    for (const worker of [...this.#workers]) await this.#disconnect(worker);
    await this.#quiet();
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
    await this.#retryStalled(worker);
    this.#dispatcher.look();
    return {
      completeOrchestration: (outcome) => this.#completeOrchestration(outcome),
      completeActivity: (outcome) => this.#completeActivity(outcome),
      stopTaking: () => void (worker.taking = false),
      close: () => this.#disconnect(worker),
    };
  }

  // ---- claiming

  #want() {
    let instances = 0;
    let activityCount = 0;
    const orchestrators = new Set<string>();
    const activities = new Set<string>();
    for (const worker of this.#workers) {
      if (!worker.taking) continue;
      instances += Math.max(0, worker.turnRoom);
      activityCount += Math.max(0, worker.activityRoom);
      for (const name of worker.orchestrators) orchestrators.add(name);
      for (const name of worker.activities) activities.add(name);
    }
    // What needs only the engine is taken even without a worker.
    return { instances: this.#workers.size === 0 ? ENGINE_TURNS : instances, orchestrators: [...orchestrators], activityCount, activities: [...activities] };
  }

  #take(claims: Claims): void {
    for (const claim of claims.instances) this.#takeClaim(claim, claims.at);
    this.#startActivities(claims.activities);
  }

  #takeClaim(claim: Claim, at: Instant): void {
    const known = this.#held.get(claim.number);
    if (claim.held && known !== undefined && known.epoch === claim.epoch) {
      this.#held.addMessages(known, claim.messages);
      if (known.state === "idle") this.#open(known);
      return;
    }
    if (known !== undefined) this.#lose(known);
    this.#takeUp(claim.record, claim.epoch, claim.messages, at);
  }

  #takeUp(record: InstanceRecord, epoch: number, messages: readonly InboxMessage[], at: Instant): void {
    const held = this.#held.add(record, epoch, messages, at, this.#clock.monotonic());
    this.#sweepLater();
    this.#open(held);
  }

  #startActivities(claims: readonly ActivityClaim[]): void {
    let batch: { worker: ConnectedWorker; items: ActivityWorkItem[] } | undefined;
    for (const claim of claims) {
      const { row } = claim;
      if (claim.delivery > this.#maxClaims) {
        this.#setActivityAside(claim);
        continue;
      }
      const worker = this.#activityWorker(row.name);
      if (worker === undefined) {
        this.#run(this.#store.release([{ key: row, epoch: claim.epoch }], 0));
        continue;
      }
      const token = this.#token();
      const held = this.#held.get(row.number);
      if (held !== undefined) held.activitiesOut++;
      worker.activitiesOut++;
      this.#activities.set(token, { claim, worker, held });
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
      if (batch?.worker === worker) batch.items.push(item);
      else {
        if (batch !== undefined) batch.worker.deliver(batch.items);
        batch = { worker, items: [item] };
      }
    }
    if (batch !== undefined) batch.worker.deliver(batch.items);
  }

  // ---- turns

  /** Opens the inbox of an idle held instance, and does what it turned out to be. */
  #open(held: Held, retaken?: Taken, children?: ChildrenPage): void {
    held.state = "working";
    const taken = retaken ?? this.#held.take(held);
    const reading = this.#reading(held);
    const worker = held.worker ?? this.#workerFor(held.record.name);
    const opening = openTurn(
      { number: held.number, epoch: held.epoch, record: held.record, messages: taken.messages, folds: taken.folds },
      reading,
      {
        canRun: worker !== undefined && worker.taking,
        maxClaims: this.#maxClaims,
        ...(this.#failUnregistered && worker === undefined && this.#workers.size > 0
          ? { failWith: notRegistered("orchestrator", held.record.name, this.#servedNames().orchestrators) }
          : {}),
      },
      children,
    );
    switch (opening.kind) {
      case "run":
        this.#hand(held, worker!, opening.turn, taken);
        return;
      case "commit":
        this.#foldsAsMessages(taken.folds);
        this.#run(this.#commitClosing(held, opening.commit, taken));
        return;
      case "needs-children":
        this.#run(this.#openWithChildren(held, taken, opening.after));
        return;
      case "nothing":
        this.#foldsAsMessages(taken.folds);
        if (taken.messages.length === 0 && held.keptBytes > 0) held.state = "idle";
        else this.#giveBack(held, taken.messages.length === 0 ? 0 : WRITE_RETRY_MS);
        return;
    }
  }

  async #openWithChildren(held: Held, taken: Taken, after: string | undefined): Promise<void> {
    const page = await this.#store.query({ parent: held.record.id }, { size: CHILDREN_PAGE, ...given({ cursor: after }) });
    if (held.state === "gone") return this.#foldsAsMessages(taken.folds);
    this.#open(held, taken, { ids: page.items.map((each) => each.record.id), ...given({ next: page.next }) });
  }

  #hand(held: Held, worker: ConnectedWorker, turn: OpenedTurn, taken: Taken): void {
    held.worker = worker;
    const { record } = turn;
    const item: Writable<OrchestrationWorkItem> = {
      kind: "orchestration",
      token: this.#token(),
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
      if (record.historyLength > 0) return void this.#run(this.#load(held, worker, turn, taken, item));
    }
    this.#deliver(worker, held, turn, taken, item);
  }

  #deliver(worker: ConnectedWorker, held: Held, turn: OpenedTurn, taken: Taken, item: OrchestrationWorkItem): void {
    this.#turns.set(item.token, { held, turn, taken, item });
    worker.deliver([item]);
  }

  async #load(held: Held, worker: ConnectedWorker, turn: OpenedTurn, taken: Taken, item: OrchestrationWorkItem): Promise<void> {
    this.#counters.add("coldLoads");
    const events: HistoryEvent[] = [];
    try {
      for await (const page of this.#store.history(turn.record.id)) for (const event of page) events.push(event);
    } catch (error) {
      this.#log.error("a history could not be read; it is tried again", { instanceId: turn.record.id, error });
      this.#endTurn(held);
      return this.#tryAgainLater(held, taken);
    }
    if (held.state === "gone") {
      this.#endTurn(held);
      return this.#foldsAsMessages(taken.folds);
    }
    this.#deliver(worker, held, turn, taken, { ...item, token: this.#token(), past: { events } });
  }

  #completeOrchestration(outcome: OrchestrationOutcome): Promise<void> {
    const out = this.#turns.get(outcome.token);
    if (out === undefined) {
      this.#counters.add("completionsUnknown");
      return DONE;
    }
    this.#turns.delete(outcome.token);
    const { held, turn, taken } = out;
    if (held.state === "gone") {
      this.#endTurn(held);
      this.#foldsAsMessages(taken.folds);
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
        return this.#run(this.#load(held, held.worker!, turn, taken, out.item));
      }
      case "stalled":
        return this.#run(this.#stall(out, outcome.stall));
      case "abandoned":
        this.#counters.add("turnsAbandoned");
        return this.#run(this.#stall(out, { kind: "version", reason: outcome.reason ?? "The worker turned the turn down." }));
    }
  }

  /** The hot path: it looks after itself, so that a turn costs one promise of ours. */
  async #commitTurn(out: TurnOut, outcome: Extract<OrchestrationOutcome, { kind: "turn" }>): Promise<void> {
    const { held, turn, taken } = out;
    const worker = held.worker!;
    this.#underWay++;
    let claimed = 0;
    try {
      const commit = closeTurn(held, turn, outcome, worker.room(this.#failUnregistered), this.#nextExecutionId(outcome));
      claimed = reserve(worker, commit);
      const result = (await this.#store.commit([commit]))[0];
      worker.reserved -= claimed;
      claimed = 0;
      this.#endTurn(held);
      if (result === undefined || !result.ok) this.#notCommitted(held, taken, result);
      else this.#turnCommitted(out, outcome, commit, result);
    } catch (error) {
      // A store that throws instead of answering has answered nothing: the turn counts as not written.
      worker.reserved -= claimed;
      this.#endTurn(held);
      this.#notCommitted(held, taken, { ok: false, why: "failed", failure: toFailure(error) });
    } finally {
      this.#settled();
    }
  }

  #turnCommitted(out: TurnOut, outcome: Extract<OrchestrationOutcome, { kind: "turn" }>, commit: Commit, result: Extract<CommitResult, { ok: true }>): void {
    const { held, turn } = out;
    const worker = held.worker!;
    this.#counters.add("turnsCommitted");
    if (turn.folds.length > 0) this.#counters.add("completionsFolded", turn.folds.length);
    this.#committed(held, commit, result, turn.finished.length > 0);
    if (commit.activities.length > 0) this.#startBornClaimed(commit.activities, result.at);
    if (commit.keep && held.state !== "gone") {
      this.#held.keep(held, commit.history?.mode === "replace" ? 0 : (outcome.keptBytes ?? 0));
      this.#next(held);
    } else this.#held.remove(held);
    for (const claim of result.claims) this.#takeClaim(claim, result.at);
    if (this.#held.keptBytes > worker.interest.warmBytes) this.#evict(worker.interest.warmBytes);
  }

  #startBornClaimed(rows: readonly ActivityRow[], at: Instant): void {
    const claims: ActivityClaim[] = [];
    for (const row of rows) if (row.claimed) claims.push({ row, epoch: row.epoch, delivery: 1, at });
    if (claims.length > 0) this.#startActivities(claims);
  }

  /** After a commit: what came meanwhile is the next turn. */
  #next(held: Held): void {
    held.state = "idle";
    if (held.messages.length > 0 || held.folds.length > 0) this.#open(held);
    else if (held.keptBytes === 0) this.#giveBack(held, 0);
    else if (held.worker !== undefined && !held.worker.taking) this.#giveBack(held, 0);
  }

  /** What every commit of a held instance's own brings with it. */
  #committed(held: Held, commit: Commit, result: Extract<CommitResult, { ok: true }>, someExpired: boolean): void {
    held.at = result.at;
    held.readAt = this.#clock.monotonic();
    const before = held.record;
    if (commit.record !== undefined) held.record = commit.record.number === result.number ? commit.record : { ...commit.record, number: result.number };
    if (result.undelivered.length > 0) this.#counters.add("messagesUndelivered", result.undelivered.length);
    if (held.record.dropped > before.dropped) this.#counters.add("eventsDropped", held.record.dropped - before.dropped);
    for (const message of commit.messages) if (message.visibleAt !== undefined) this.#dispatcher.wakeAt(message.visibleAt, result.at);
    if (result.arrived.length > 0) this.#held.addMessages(held, result.arrived);
    if (this.#workers.size > 0) this.#warnAboutUnserved(commit);
    const ended = isTerminal(held.record.status);
    if (held.activitiesOut > 0 && (ended || someExpired || commit.drop !== undefined)) this.#cancelFinished(held, commit, ended);
    if ((ended || before.status === "PENDING") && this.#waiters.has(held.record.id)) {
      this.#waiters.committed({ record: held.record, payloads: payloadsOf(commit) });
    }
  }

  /** A commit of the engine's own: the instance is given back with it. */
  async #commitClosing(held: Held, commit: Commit, taken: Taken): Promise<void> {
    const [result] = await this.#write([commit]);
    if (result === undefined || !result.ok) return this.#notCommitted(held, { messages: taken.messages, folds: [] }, result);
    if (commit.record?.stall?.kind === "set-aside") {
      this.#counters.add("instancesSetAside");
      this.#log.error(commit.record.stall.reason, { instanceId: held.record.id });
    }
    this.#committed(held, commit, result, false);
    this.#forget(held);
    this.#held.remove(held);
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
    this.#foldsAsMessages(taken.folds);
    const commit = closeStall({ ...held, messages: [], folds: [] }, stall, this.#reading(held));
    const [result] = await this.#write([commit]);
    if (result?.ok) this.#dispatcher.wakeAt(commit.record!.notBefore!, result.at);
    this.#lose(held);
  }

  /** A turn whose commit was refused or could not be written. */
  #notCommitted(held: Held, taken: Taken, result: CommitResult | undefined): void {
    if (result !== undefined && !result.ok && result.why === "failed") {
      this.#counters.add("turnsFailedToWrite");
      this.#log.error("a turn could not be written; it is tried again", { instanceId: held.record.id, failure: result.failure });
      return this.#tryAgainLater(held, taken);
    }
    this.#counters.add("turnsFenced");
    this.#foldsAsMessages(taken.folds);
    this.#lose(held);
  }

  /** Nothing was written, and the lease is still ours: what was taken is put back, and opened again after a while. */
  #tryAgainLater(held: Held, taken: Taken): void {
    this.#forget(held);
    if (held.state === "gone" || this.#closed) return this.#foldsAsMessages(taken.folds);
    held.messages = [...taken.messages, ...held.messages];
    held.folds = [...taken.folds, ...held.folds];
    this.#clock.setTimer(WRITE_RETRY_MS, () => {
      if (held.state === "working") this.#open(held);
    });
  }

  #endTurn(held: Held): void {
    if (!held.cold) return;
    held.cold = false;
    held.worker!.coldTurns--;
    this.#dispatcher.roomFreed();
  }

  // ---- completions

  #completeActivity(outcome: ActivityOutcome): Promise<void> {
    const out = this.#activities.get(outcome.token);
    if (out === undefined) {
      this.#counters.add("completionsUnknown");
      return DONE;
    }
    this.#activities.delete(outcome.token);
    const { claim, worker } = out;
    if (out.held !== undefined) out.held.activitiesOut--;
    worker.activitiesOut--;
    this.#dispatcher.roomFreed();
    if (outcome.kind === "abandoned") {
      return this.#run(this.#releaseActivity({ key: claim.row, epoch: claim.epoch }, outcome.delayMs ?? Math.min(1_000 * 2 ** (claim.delivery - 1), 30_000)));
    }
    const held = this.#held.get(claim.row.number);
    const event = completionEvent(claim.row.taskId, outcome, held === undefined ? claim.at : this.#reading(held));
    if (held === undefined || !this.#canFold(held, claim)) return this.#run(this.#persistCompletion(closeActivity(claim, event)));
    this.#held.addFold(held, { claim, event });
    if (held.state === "idle") this.#open(held);
    return DONE;
  }

  #canFold(held: Held, claim: ActivityClaim): boolean {
    return held.state !== "gone" && !held.record.held && held.record.executionId === claim.row.executionId && (held.worker?.taking ?? false);
  }

  #foldsAsMessages(folds: readonly Fold[]): void {
    for (const fold of folds) this.#run(this.#persistCompletion(closeActivity(fold.claim, fold.event)));
  }

  /** Writes a completion as a message. Where the store cannot write, it is tried until it can: the work is done and must not be done again. */
  async #persistCompletion(commit: Commit): Promise<void> {
    for (let delay = 250; ; delay = Math.min(delay * 2, 10_000)) {
      const [result] = await this.#write([commit]);
      if (result?.ok) {
        this.#counters.add("completionsAsMessages");
        if (result.undelivered.length > 0) this.#counters.add("messagesUndelivered", result.undelivered.length);
        return;
      }
      if (result?.ok === false && result.why !== "failed") return this.#counters.add("completionsLate");
      if (this.#closed) return;
      await new Promise<void>((resolve) => void this.#clock.setTimer(delay, resolve));
    }
  }

  async #releaseActivity(lease: ActivityLease, afterMs: number): Promise<void> {
    await this.#store.release([lease], afterMs);
    if (afterMs > 0) this.#clock.setTimer(afterMs + 1, () => this.#dispatcher.look());
  }

  #setActivityAside(claim: ActivityClaim): void {
    const { row } = claim;
    const reason = `The activity '${row.name}' (#${row.taskId}) was claimed ${claim.delivery - 1} times without a result (its process ended each time), so it is set aside. Look for a crash in it; terminate the instance, or resume it by suspending and resuming.`;
    this.#counters.add("activitiesSetAside");
    this.#log.error(reason, { instanceId: row.instanceId });
    this.#run(this.#store.release([{ key: row, epoch: claim.epoch }], SET_ASIDE_MS));
    const stall = (at: Instant): Stall => ({ kind: "set-aside", reason, since: at, attempts: claim.delivery - 1 });
    this.#run(this.#change(row.instanceId, (current, at) => decideStall(stall(at), current)).catch(() => undefined));
  }

  /** Tells workers that nobody waits any longer for what they run. */
  #cancelFinished(held: Held, commit: Commit, ended: boolean): void {
    const finished = new Set(commit.finished.map((key) => key.taskId));
    for (const [token, out] of this.#activities) {
      const { row } = out.claim;
      if (row.number !== held.number) continue;
      const gone = ended || row.executionId !== held.record.executionId;
      if (gone) out.worker.deliver([{ kind: "cancel", token, reason: "terminated" }]);
      else if (finished.has(row.taskId)) out.worker.deliver([{ kind: "cancel", token, reason: "timed-out" }]);
    }
  }

  // ---- giving up

  /** The lease is somebody else's, or void: the program is forgotten, what was to be folded is written as messages. */
  #lose(held: Held): void {
    if (held.state === "gone") return;
    const { folds } = this.#held.take(held);
    this.#forget(held);
    this.#held.remove(held);
    this.#foldsAsMessages(folds);
    // Whatever is still due for it can be claimed by its new holder, which may be this process again.
    this.#dispatcher.look();
  }

  /** Gives a lease back. */
  #giveBack(held: Held, afterMs: number): void {
    if (held.state === "gone") return;
    const { folds } = this.#held.take(held);
    this.#forget(held);
    this.#held.remove(held);
    this.#foldsAsMessages(folds);
    this.#run(this.#store.release([{ number: held.number, epoch: held.epoch }], afterMs));
    if (afterMs > 0) this.#dispatcher.wakeAt(this.#reading(held) + afterMs, this.#reading(held));
  }

  #forget(held: Held): void {
    if (held.keptBytes > 0) {
      held.worker?.deliver([{ kind: "forget", instanceId: held.record.id, executionId: held.record.executionId }]);
      this.#counters.add("programsForgotten");
    }
    this.#held.keep(held, 0);
  }

  #evict(budget: number): void {
    for (const held of this.#held) {
      if (this.#held.keptBytes <= budget) return;
      if (held.state === "idle" && held.keptBytes > 0) this.#giveBack(held, 0);
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
        if (held.state === "idle" && now - held.readAt >= (held.worker?.interest.warmIdleMs ?? 0)) this.#giveBack(held, 0);
      }
      if (this.#held.size > 0) this.#sweepLater();
    });
  }

  async #disconnect(worker: ConnectedWorker): Promise<void> {
    worker.taking = false;
    if (!this.#workers.delete(worker)) return;
    for (const [token, out] of this.#turns) {
      if (out.held.worker !== worker) continue;
      this.#turns.delete(token);
      this.#endTurn(out.held);
      this.#foldsAsMessages(out.taken.folds);
      this.#giveBack(out.held, 0);
    }
    const leases: ActivityLease[] = [];
    for (const [token, out] of this.#activities) {
      if (out.worker !== worker) continue;
      this.#activities.delete(token);
      if (out.held !== undefined) out.held.activitiesOut--;
      leases.push({ key: out.claim.row, epoch: out.claim.epoch });
    }
    if (leases.length > 0) this.#run(this.#store.release(leases, 0));
    for (const held of [...this.#held]) if (held.worker === worker && held.state === "idle") this.#giveBack(held, 0);
    await this.#quiet();
  }

  // ---- small parts

  async #change(id: InstanceId, decide: Decision): Promise<void> {
    const answer = await this.#update(id, decide);
    if ("refused" in answer) {
      if (answer.refused === "not-found") throw notFound(id);
      return;
    }
    // The epoch has risen: a turn in flight will be refused, and its program forgotten.
    const held = this.#held.withId(id);
    if (held !== undefined) this.#lose(held);
    else this.#dispatcher.look();
  }

  async #update(id: InstanceId, decide: Decision): Promise<Extract<CommitResult, { ok: true }> | Refusal> {
    this.#refuseWhenClosed();
    const answer = await this.#store.update(id, decide);
    if ("refused" in answer || answer.ok) return answer;
    throw new StoreUnavailableError(`The store could not write: ${answer.failure?.message ?? answer.why}. Nothing of this call was accepted; try again.`);
  }

  /** A store that throws instead of answering has answered nothing: the commit counts as not written, and is tried again. */
  async #write(batch: readonly Commit[]): Promise<readonly CommitResult[]> {
    try {
      return await this.#store.commit(batch);
    } catch (error) {
      return batch.map(() => ({ ok: false, why: "failed", failure: toFailure(error) }));
    }
  }

  async #purgeChildren(parent: InstanceId): Promise<number> {
    let purged = 0;
    let cursor: string | undefined;
    do {
      const page = await this.#store.query({ parent }, { size: CHILDREN_PAGE, ...given({ cursor }) });
      for (const { record } of page.items) {
        if (!isTerminal(record.status)) continue;
        const answer = await this.#update(record.id, (current) => decidePurge(current));
        if (!("refused" in answer)) purged += 1;
        purged += await this.#purgeChildren(record.id);
      }
      cursor = page.next;
    } while (cursor !== undefined);
    return purged;
  }

  /** Fitting code may have come with this worker: what had stalled is tried again. */
  async #retryStalled(worker: ConnectedWorker): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.#store.query({ stalled: true }, { size: CHILDREN_PAGE, ...given({ cursor }) });
      for (const { record } of page.items) {
        if (record.stall?.kind !== "set-aside" && worker.orchestrators.has(record.name)) await this.#update(record.id, (current) => decideStall(undefined, current));
      }
      cursor = page.next;
    } while (cursor !== undefined);
  }

  #nextExecutionId(outcome: Extract<OrchestrationOutcome, { kind: "turn" }>): string {
    const last = outcome.actions.at(-1);
    return last?.kind === "completeOrchestration" && last.status === "CONTINUED_AS_NEW" ? this.#random.id() : "";
  }

  #workerFor(orchestrator: string): ConnectedWorker | undefined {
    for (const worker of this.#workers) if (worker.taking && worker.orchestrators.has(orchestrator)) return worker;
    return undefined;
  }

  #activityWorker(activity: string): ConnectedWorker | undefined {
    for (const worker of this.#workers) if (worker.taking && worker.activities.has(activity)) return worker;
    return undefined;
  }

  #servedNames(): { readonly orchestrators: ReadonlySet<string>; readonly activities: ReadonlySet<string> } {
    const orchestrators = new Set<string>();
    const activities = new Set<string>();
    for (const worker of this.#workers) {
      for (const name of worker.orchestrators) orchestrators.add(name);
      for (const name of worker.activities) activities.add(name);
    }
    return { orchestrators, activities };
  }

  #warnAboutUnserved(commit: Commit): void {
    for (const row of commit.activities) if (!row.claimed && this.#activityWorker(row.name) === undefined) this.#warnUnregistered("activity", row.name);
    for (const message of commit.messages) {
      if (message.creates !== undefined && this.#workerFor(message.creates.record.name) === undefined) this.#warnUnregistered("orchestrator", message.creates.record.name);
    }
  }

  #warnUnregistered(what: "orchestrator" | "activity", name: string): void {
    const key = `${what} ${name}`;
    if (this.#warned.has(key) || ![...this.#workers].some((worker) => worker.taking)) return;
    this.#warned.add(key);
    const served = this.#servedNames();
    const names = what === "orchestrator" ? served.orchestrators : served.activities;
    this.#log.warn(`${notRegistered(what, name, names).message} Work for it waits until a worker that has it comes.`);
  }

  /** The store's time for a held instance: its last reading, and the monotonic time since. */
  #reading(held: Held): Instant {
    return Math.floor(held.at + (this.#clock.monotonic() - held.readAt));
  }

  #token(): WorkToken {
    return String(this.#nextToken++);
  }

  /** Keeps an eye on work that nobody awaits: closing waits for it, and it never becomes an unhandled rejection. */
  async #run(work: Promise<unknown>): Promise<void> {
    this.#underWay++;
    try {
      await work;
    } catch (error) {
      if (!this.#closed) this.#log.error("the store refused an operation", { error });
    } finally {
      this.#settled();
    }
  }

  #settled(): void {
    if (--this.#underWay === 0) for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }

  /** Resolves when nothing is on its way to the store. */
  async #quiet(): Promise<void> {
    while (this.#underWay > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new HubClosedError("The task hub has been closed; open it again to use it.");
  }
}

/** Counts what a commit is about to hand to a worker as handed out. */
function reserve(worker: ConnectedWorker, commit: Commit): number {
  let claimed = 0;
  for (const row of commit.activities) if (row.claimed) claimed++;
  worker.reserved += claimed;
  return claimed;
}

/** The time one delivery may take: what the attempt has, and what is left of the whole call. */
function timeoutOf(claim: ActivityClaim): number | undefined {
  const { attemptTimeoutMs, expiresAt } = claim.row;
  if (expiresAt === undefined) return attemptTimeoutMs;
  const left = Math.max(1, expiresAt - claim.at);
  return attemptTimeoutMs === undefined ? left : Math.min(attemptTimeoutMs, left);
}

/** The payloads that a closing commit writes, as a waiter is told them. */
function payloadsOf(commit: Commit): InstancePayloads {
  const { input, output, customStatus, failure } = commit.payloads ?? {};
  return given({ input: input ?? undefined, output: output ?? undefined, customStatus: customStatus ?? undefined, failure: failure ?? undefined });
}

function notFound(id: InstanceId): InstanceNotFoundError {
  return new InstanceNotFoundError(`There is no instance '${id}' in this task hub.`);
}

export type { Lease };
