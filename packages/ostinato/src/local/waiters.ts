// waiters: who waits for which instance; woken by commits of this process, and by hints for those of others.
//
// Owns:    the waits of one backend, and the net beneath them where hints can be lost.
// Is told: what was committed here; hints of what others did.
// Always:  W1 a waiter is registered before the store is asked, so that no end falls between the two.
//          W2 a waiter that aborts leaves nothing behind.
//          W3 one look for all that hints mean, at most one at a time and in bounded steps: a thousand waits cost what one costs, many times over nothing.
//          W4 where others write, whoever waits looks now and then all the same (L6): one net for all waits together, and none while nobody waits.

import { StoreFormatError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import { isTerminal, type StoredInstance } from "../contract/instance.ts";
import type { Clock, ClockTimer } from "../platform/clock.ts";
import { jittered, type Random } from "../platform/random.ts";

/** What a wait is for. */
export type WaitGoal = "start" | "completion";

interface Waiter {
  readonly goal: WaitGoal;
  readonly resolve: (stored: StoredInstance | undefined) => void;
}

/** How waiters look. */
export interface WaitersOptions {
  readonly read: (id: InstanceId) => Promise<StoredInstance | undefined>;
  /** In the order asked for. What has not ended may come without its payloads. */
  readonly readAll: (ids: readonly InstanceId[]) => Promise<readonly (StoredInstance | undefined)[]>;
  /** With these they look now and then by themselves: others write, and their hints may be lost. */
  readonly net?: { readonly clock: Clock; readonly random: Random };
}

/** So many are read at once. */
const STEP = 500;
const FIRST_NET_MS = 100;
const LONGEST_NET_MS = 5_000;
/** The net rests for so many times as long as it took to cast: however many wait, it takes a fifth of a connection at most. */
const NET_REST = 4;

/** The waits of one backend. */
export class Waiters {
  readonly #waiting = new Map<InstanceId, Set<Waiter>>();
  readonly #options: WaitersOptions;
  /** What is to be looked at. */
  readonly #meant = new Set<InstanceId>();
  #looking: Promise<void> | undefined;
  #netMs = FIRST_NET_MS;
  #netTimer: ClockTimer | undefined;
  #casting = false;
  /** How many have been told what they waited for. */
  #told = 0;

  constructor(options: WaitersOptions) {
    this.#options = options;
  }

  /** Resolves when the goal is reached; `undefined` when the instance is unknown, goes away, or the signal aborts. */
  async wait(id: InstanceId, goal: WaitGoal, knownToRun: boolean, signal?: AbortSignal): Promise<StoredInstance | undefined> {
    if (signal?.aborted) return undefined;
    let stop = (): void => undefined;
    let abort = (): void => undefined;
    const reached = new Promise<StoredInstance | undefined>((resolve) => {
      const waiter: Waiter = { goal, resolve };
      const waiters = this.#waiting.get(id) ?? new Set();
      waiters.add(waiter);
      this.#waiting.set(id, waiters);
      abort = () => resolve(undefined);
      stop = () => {
        waiters.delete(waiter);
        if (waiters.size > 0 || this.#waiting.get(id) !== waiters) return;
        this.#waiting.delete(id);
        if (this.#waiting.size === 0) this.#takeNetIn();
      };
    });
    signal?.addEventListener("abort", abort, { once: true });
    this.#castSoon();
    try {
      if (!knownToRun) {
        const stored = await this.#options.read(id);
        if (stored === undefined || hasReached(goal, stored)) return stored;
      }
      return await reached;
    } finally {
      stop();
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Whether anybody waits for this instance, for this goal if one is named. */
  has(id: InstanceId, goal?: WaitGoal): boolean {
    const waiters = this.#waiting.get(id);
    if (waiters === undefined || goal === undefined) return waiters !== undefined;
    for (const waiter of waiters) if (waiter.goal === goal) return true;
    return false;
  }

  /** Tells those who wait what was just committed. */
  committed(stored: StoredInstance): void {
    this.#resolveAll(stored.record.id, (waiter) => hasReached(waiter.goal, stored), stored);
  }

  /** A hint: some of these (or, without a list, of all) may have ended or gone. Looks at those that are waited for, all in one. */
  hinted(ids?: readonly InstanceId[]): void {
    if (!this.#mean(ids)) return;
    this.#castSoon();
    void this.#look();
  }

  /** The instance is gone, or the backend is closing: nobody waits any longer. */
  gone(id?: InstanceId): void {
    for (const each of id === undefined ? [...this.#waiting.keys()] : [id]) this.#resolveAll(each, () => true, undefined);
  }

  #mean(ids: Iterable<InstanceId> = this.#waiting.keys()): boolean {
    let some = false;
    for (const id of ids) {
      if (!this.#waiting.has(id)) continue;
      // A look that is under way may have read it before this.
      this.#meant.add(id);
      some = true;
    }
    return some;
  }

  /** Looks at what is meant, until nothing is. */
  #look(): Promise<void> {
    return (this.#looking ??= this.#lookWhileMeant());
  }

  async #lookWhileMeant(): Promise<void> {
    // Hints of the same moment share a look.
    await Promise.resolve();
    while (this.#meant.size > 0) {
      const step: InstanceId[] = [];
      for (const id of this.#meant) {
        this.#meant.delete(id);
        if (this.#waiting.has(id)) step.push(id);
        if (step.length === STEP) break;
      }
      if (step.length > 0) await this.#lookAt(step);
    }
    // In the same moment in which nothing was left: what is meant after it begins anew.
    this.#looking = undefined;
  }

  async #lookAt(ids: readonly InstanceId[]): Promise<void> {
    let found: readonly (StoredInstance | undefined)[];
    try {
      found = await this.#options.readAll(ids);
    } catch (error) {
      // What cannot be read keeps nobody else waiting (D5). Whatever else it was: the next hint looks again.
      if (error instanceof StoreFormatError) for (const id of ids) await this.#lookAtOne(id);
      return;
    }
    for (const [at, id] of ids.entries()) {
      const stored = found[at];
      if (stored === undefined) this.gone(id);
      else if (isTerminal(stored.record.status)) this.committed(stored);
      // It goes on, so this is without its payloads: whoever waits for its start is told them too.
      else if (this.#isReachedBy(stored)) await this.#lookAtOne(id);
    }
  }

  async #lookAtOne(id: InstanceId): Promise<void> {
    const stored = await this.#options.read(id).catch(() => null);
    if (stored === undefined) this.gone(id);
    else if (stored !== null) this.committed(stored);
  }

  #isReachedBy(stored: StoredInstance): boolean {
    for (const { goal } of this.#waiting.get(stored.record.id) ?? []) if (hasReached(goal, stored)) return true;
    return false;
  }

  // ---- the net

  /** Something happens that those who wait may wait for: the net is cast soon, then less and less often. */
  #castSoon(): void {
    const { net } = this.#options;
    if (net === undefined) return;
    if (this.#casting || (this.#netTimer !== undefined && this.#netMs === FIRST_NET_MS)) {
      this.#netMs = FIRST_NET_MS;
      return;
    }
    this.#netMs = FIRST_NET_MS;
    this.#castIn(net, 0);
  }

  #castIn({ clock, random }: NonNullable<WaitersOptions["net"]>, restMs: number): void {
    this.#netTimer?.cancel();
    this.#netTimer = clock.setTimer(Math.max(jittered(random, this.#netMs), restMs), () => {
      this.#netTimer = undefined;
      void this.#cast({ clock, random });
    });
  }

  async #cast(net: NonNullable<WaitersOptions["net"]>): Promise<void> {
    this.#casting = true;
    this.#netMs = Math.min(this.#netMs * 2, LONGEST_NET_MS);
    const told = this.#told;
    const began = net.clock.monotonic();
    this.#mean();
    await this.#look();
    this.#casting = false;
    if (this.#waiting.size === 0) return this.#takeNetIn();
    // It caught something: there may be more where that came from.
    if (this.#told > told) this.#netMs = FIRST_NET_MS;
    this.#castIn(net, (net.clock.monotonic() - began) * NET_REST);
  }

  #takeNetIn(): void {
    this.#netTimer?.cancel();
    this.#netTimer = undefined;
    this.#netMs = FIRST_NET_MS;
  }

  #resolveAll(id: InstanceId, which: (waiter: Waiter) => boolean, stored: StoredInstance | undefined): void {
    const waiters = this.#waiting.get(id);
    if (waiters === undefined) return;
    for (const waiter of waiters) {
      if (!which(waiter)) continue;
      this.#told++;
      waiter.resolve(stored);
    }
  }
}

function hasReached(goal: WaitGoal, stored: StoredInstance): boolean {
  return isTerminal(stored.record.status) || (goal === "start" && stored.record.status !== "PENDING");
}
