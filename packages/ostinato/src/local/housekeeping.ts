// housekeeping: removes finished instances whose time is over, and gives their room back.
//
// Owns:    when to look, how far it has looked, and who is kept back by whom.
// Is told: the policy; who has ended. Looks only while it is started: where a worker runs.
// Tells:   the store, small commits; the log and the counters what went.
// Always:  HK1 exactly what the policy says goes, and nothing before its time (C8).
//          HK2 it sleeps until the next thing is due: an idle hub is not polled.
//          HK3 a step is bounded, and as much time as it took is left to others before the next one.
//          HK4 it can be cut off anywhere: what has gone has gone whole, and the next look goes on from what is there.
//          HK5 where several processes keep house, one that is overtaken leaves the rest to the other and looks again later: a lost race costs one batch.

import type { InstanceId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import { StoreFormatError } from "../contract/errors.ts";
import { given } from "../contract/recorded-as.ts";
import { retentionMs, retentionPeriods, type RetentionPolicy } from "../contract/retention.ts";
import type { Commit, CommitResult } from "../engine/commit.ts";
import { decideRetire } from "../engine/retention.ts";
import type { FinishedInstance, FinishedPage, FinishedRequest } from "../engine/store.ts";
import type { Clock, ClockTimer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";

/** What housekeeping works with. */
export interface HousekeepingWorld {
  readonly policy: RetentionPolicy;
  readonly clock: Clock;
  readonly log: Logger;
  readonly finished: (request: FinishedRequest) => Promise<FinishedPage>;
  readonly record: (id: InstanceId) => Promise<InstanceRecord | undefined>;
  readonly unfinishedChild: (id: InstanceId) => Promise<InstanceId | undefined>;
  readonly commit: (batch: readonly Commit[]) => Promise<readonly CommitResult[]>;
  /** They have gone. */
  readonly retired: (ids: readonly InstanceId[]) => void;
  readonly failed: () => void;
  /** Other processes keep house in the same hub, and may not tell of every end. */
  readonly shared?: boolean | undefined;
  /** One bounded step of giving room back, where the store can. */
  readonly giveBack?: (() => Promise<{ readonly bytes: number; readonly more: boolean }>) | undefined;
}

/** How many are looked at in one go, and how many go in one transaction. */
const PAGE = 500;
const BATCH = 100;
/** So many that are kept back are remembered one by one; beyond that the list is gone through again. */
const REMEMBERED = 10_000;
/** Whoever keeps others back tells when it ends. This is for those whose end nobody tells: an execution that continued as new. */
const RECHECK_MS = 3_600_000;
/** What becomes due within so much of a look waits for the next one, so that a busy hub is not swept at every completion. */
const GAP_MS = 60_000;
/** Completions are dated by readings a little before the store's: so far back is looked again. */
const LOOK_BACK_MS = 60_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 600_000;

type Place = NonNullable<FinishedRequest["after"]>;
const BEGINNING: Place = { completedAt: -1, id: "" };

/** Keeps house in one task hub. */
export class Housekeeping {
  readonly #world: HousekeepingWorld;
  /** The times of the policy, each with how far its list has been gone through: one that keeps for longer is not met again and again. */
  readonly #lists: { readonly period: number; place: Place }[];
  readonly #gapMs: number;
  /** Instances whose time is over, by id, with who keeps them back. */
  readonly #keptBack = new Map<InstanceId, { readonly instance: FinishedInstance; readonly by: InstanceId }>();
  readonly #keepers = new Map<InstanceId, number>();
  readonly #shortest: number;
  #running = false;
  #sweeping: Promise<void> | undefined;
  #again = false;
  /** Somebody else was faster in this sweep. */
  #overtaken = false;
  #timer: ClockTimer | undefined;
  #wakesAt = 0;
  /** Cuts the pause between two steps short. */
  #endPause = (): void => undefined;
  #failures = 0;

  constructor(world: HousekeepingWorld) {
    this.#world = world;
    this.#lists = retentionPeriods(world.policy).map((period) => ({ period, place: BEGINNING }));
    this.#shortest = this.#lists[0]?.period ?? 0;
    this.#gapMs = Math.min(GAP_MS, Math.ceil(this.#shortest / 10));
  }

  start(): void {
    if (this.#running || this.#lists.length === 0) return;
    this.#running = true;
    // What is being stopped comes to its end first.
    if (this.#sweeping === undefined) this.#look();
    else void this.#sweeping.then(() => this.#look());
  }

  /** Resolves when the step under way is over; no other is begun. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#endPause();
    await this.#sweeping;
  }

  /** These have ended or gone. */
  ended(ids: readonly InstanceId[]): void {
    if (!this.#running) return;
    if (this.#sweeping !== undefined) this.#again = true;
    else if (this.#keepers.size > 0 && ids.some((id) => this.#keepers.has(id))) this.#wakeIn(this.#gapMs);
    else this.#wakeIn(this.#shortest);
  }

  #wakeIn(ms: number): void {
    const { clock } = this.#world;
    if (!this.#running || this.#sweeping !== undefined) return;
    if (this.#timer !== undefined && this.#wakesAt <= clock.monotonic() + ms) return;
    this.#timer?.cancel();
    this.#wakesAt = clock.monotonic() + ms;
    this.#timer = clock.setTimer(ms, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    if (!this.#running || this.#sweeping !== undefined) return;
    this.#sweeping = this.#sweep();
  }

  async #sweep(): Promise<void> {
    const { log, failed } = this.#world;
    let wakeIn: number | undefined;
    try {
      this.#again = false;
      this.#overtaken = false;
      const { at, dueAt, count } = await this.#retire();
      if (count > 0) log.info("finished instances were removed, their time being over", { count });
      const bytes = await this.#giveRoomBack();
      if (bytes > 0) log.info("room was given back to the disk", { bytes });
      this.#failures = 0;
      if (dueAt !== undefined) wakeIn = Math.max(dueAt - at, this.#gapMs);
      // Who ended meanwhile may have been listed or not, and may have kept others back.
      if (this.#again) wakeIn = Math.min(wakeIn ?? Number.POSITIVE_INFINITY, this.#keepers.size > 0 ? this.#gapMs : this.#shortest);
      if (this.#overtaken) wakeIn = this.#gapMs;
      if (this.#keptBack.size > 0 || this.#world.shared === true) wakeIn = Math.min(wakeIn ?? RECHECK_MS, RECHECK_MS);
    } catch (error) {
      failed();
      wakeIn = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LONGEST_RETRY_MS);
      if (this.#running) log.warn("finished instances could not be removed; it is tried again", { error, retryMs: wakeIn });
    }
    this.#sweeping = undefined;
    if (wakeIn !== undefined) this.#wakeIn(wakeIn);
  }

  /** Goes through all that is due. Tells when the next one will be. */
  async #retire(): Promise<{ readonly at: Instant; readonly dueAt: Instant | undefined; readonly count: number }> {
    let count = await this.#retireBatches(
      [...this.#keptBack.values()].map(({ instance }) => instance),
      true,
    );
    let dueAt: Instant | undefined;
    let at = 0;
    for (const list of this.#lists) {
      for (let place = list.place; this.#running && !this.#overtaken;) {
        const after = place === BEGINNING ? undefined : place;
        const page = await this.#leavingTime(() => this.#world.finished({ size: PAGE, ...given({ after }) }));
        at = page.at;
        const due = page.instances.filter((one) => one.completedAt + list.period <= at);
        count += await this.#retireBatches(
          due.filter((one) => retentionMs(this.#world.policy, one.name, one.status) === list.period && !this.#keptBack.has(one.id)),
        );
        // What is left of this page is met again, if it is still there then.
        if (this.#overtaken) break;
        const last = due.at(-1);
        if (last !== undefined) place = { completedAt: last.completedAt, id: last.id };
        if (this.#keptBack.size < REMEMBERED) list.place = earlier(place, { completedAt: at - LOOK_BACK_MS, id: "" });
        const next = page.instances[due.length];
        if (next !== undefined) dueAt = Math.min(dueAt ?? Number.POSITIVE_INFINITY, next.completedAt + list.period);
        if (page.instances.length < PAGE || next !== undefined) break;
      }
    }
    return { at, dueAt, count };
  }

  /** `again`: they were listed a while ago, so they are looked up. */
  async #retireBatches(instances: readonly FinishedInstance[], again = false): Promise<number> {
    let count = 0;
    for (let start = 0; start < instances.length && this.#running && !this.#overtaken; start += BATCH)
      count += await this.#leavingTime(async () => {
        const batch = instances.slice(start, start + BATCH);
        return this.#retireBatch(again ? await this.#asTheyStand(batch) : batch, again);
      });
    return count;
  }

  async #retireBatch(instances: readonly FinishedInstance[], again: boolean): Promise<number> {
    const { commit, retired } = this.#world;
    const decided = await Promise.all(instances.map(async (instance) => ({ instance, decision: await this.#decide(instance) })));
    const commits: { readonly id: InstanceId; readonly commit: Commit }[] = [];
    for (const { instance, decision } of decided) {
      this.#forget(instance.id);
      if ("keptBackBy" in decision) this.#remember(instance, decision.keptBackBy);
      else commits.push({ id: instance.id, commit: decision });
    }
    const results = commits.length === 0 ? [] : await commit(commits.map((one) => one.commit));
    const failure = results.find((result) => !result.ok && result.why === "failed");
    const gone = commits.filter((_, index) => results[index]?.ok === true).map((one) => one.id);
    // One that is fenced off has changed since it was listed: it is looked up when the others that are kept back are.
    const left = commits.filter((_, index) => results[index]?.ok !== true).map((one) => one.id);
    if (left.length > 0 && this.#world.shared === true) this.#overtaken = true;
    if (again || !this.#overtaken) for (const instance of instances) if (left.includes(instance.id)) this.#remember(instance, instance.id);
    if (gone.length > 0) retired(gone);
    if (failure !== undefined && !failure.ok) throw new Error(failure.failure?.message ?? "The store could not write.");
    return gone.length;
  }

  async #decide(instance: FinishedInstance): Promise<ReturnType<typeof decideRetire>> {
    const { record, unfinishedChild } = this.#world;
    try {
      const [parent, child] = await Promise.all([instance.parent && record(instance.parent.instanceId), unfinishedChild(instance.id)]);
      return decideRetire(instance, parent, child);
    } catch (error) {
      if (!(error instanceof StoreFormatError)) throw error;
      // What stands beside it cannot be read: it stays, and the others go (D5).
      return { keptBackBy: instance.id };
    }
  }

  /** Those of them that still are finished, and have not ended anew since. */
  async #asTheyStand(instances: readonly FinishedInstance[]): Promise<FinishedInstance[]> {
    const found: FinishedInstance[] = [];
    for (const instance of instances) {
      const now = await this.#world.record(instance.id).catch(() => undefined);
      if (now === undefined || !isTerminal(now.status) || now.completedAt !== instance.completedAt) this.#forget(instance.id);
      else found.push({ ...instance, number: now.number, epoch: now.epoch });
    }
    return found;
  }

  #remember(instance: FinishedInstance, by: InstanceId): void {
    if (this.#keptBack.size >= REMEMBERED) return;
    this.#keptBack.set(instance.id, { instance, by });
    this.#keepers.set(by, (this.#keepers.get(by) ?? 0) + 1);
  }

  #forget(id: InstanceId): void {
    const keeper = this.#keptBack.get(id)?.by;
    if (keeper === undefined) return;
    this.#keptBack.delete(id);
    const left = (this.#keepers.get(keeper) ?? 1) - 1;
    if (left === 0) this.#keepers.delete(keeper);
    else this.#keepers.set(keeper, left);
  }

  async #giveRoomBack(): Promise<number> {
    const { giveBack } = this.#world;
    if (giveBack === undefined) return 0;
    let bytes = 0;
    for (let more = true; more && this.#running;) {
      const step = await this.#leavingTime(giveBack);
      bytes += step.bytes;
      more = step.more;
    }
    return bytes;
  }

  /** Does a step, and then leaves as much time to others as it took. */
  async #leavingTime<T>(step: () => Promise<T>): Promise<T> {
    const { clock } = this.#world;
    const begun = clock.monotonic();
    const answer = await step();
    const tookMs = clock.monotonic() - begun;
    if (tookMs === 0 || !this.#running) return answer;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(tookMs, resolve);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
    return answer;
  }
}

function earlier(a: Place, b: Place): Place {
  return b.completedAt < a.completedAt ? b : a;
}
