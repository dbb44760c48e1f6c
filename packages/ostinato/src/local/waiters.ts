// waiters: who waits for which instance; woken by commits of this process, and by hints for those of others.
//
// Always:  W1 a waiter is registered before the store is asked, so that no end falls between the two.
//          W2 a waiter that aborts leaves nothing behind.

import type { InstanceId } from "../contract/ids.ts";
import { isTerminal, type StoredInstance } from "../contract/instance.ts";

/** What a wait is for. */
export type WaitGoal = "start" | "completion";

interface Waiter {
  readonly goal: WaitGoal;
  readonly resolve: (stored: StoredInstance | undefined) => void;
}

/** The waits of one backend. */
export class Waiters {
  readonly #waiting = new Map<InstanceId, Set<Waiter>>();
  readonly #read: (id: InstanceId) => Promise<StoredInstance | undefined>;

  constructor(read: (id: InstanceId) => Promise<StoredInstance | undefined>) {
    this.#read = read;
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
        if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
      };
    });
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (!knownToRun) {
        const stored = await this.#read(id);
        if (stored === undefined || hasReached(goal, stored)) return stored;
      }
      return await reached;
    } finally {
      stop();
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Whether anybody waits for this instance. */
  has(id: InstanceId): boolean {
    return this.#waiting.has(id);
  }

  /** Tells those who wait what was just committed. */
  committed(stored: StoredInstance): void {
    this.#resolveAll(stored.record.id, (waiter) => hasReached(waiter.goal, stored), stored);
  }

  /** A hint: some of these (or, without a list, of all) may have ended or gone. Looks once for each that is waited for. */
  hinted(ids: readonly InstanceId[] = [...this.#waiting.keys()]): void {
    for (const id of ids) if (this.#waiting.has(id)) void this.#look(id);
  }

  /** The instance is gone, or the backend is closing: nobody waits any longer. */
  gone(id?: InstanceId): void {
    for (const each of id === undefined ? [...this.#waiting.keys()] : [id]) this.#resolveAll(each, () => true, undefined);
  }

  async #look(id: InstanceId): Promise<void> {
    const stored = await this.#read(id).catch(() => null);
    if (stored === undefined) this.gone(id);
    else if (stored !== null) this.committed(stored);
  }

  #resolveAll(id: InstanceId, which: (waiter: Waiter) => boolean, stored: StoredInstance | undefined): void {
    const waiters = this.#waiting.get(id);
    if (waiters === undefined) return;
    for (const waiter of waiters) if (which(waiter)) waiter.resolve(stored);
  }
}

function hasReached(goal: WaitGoal, stored: StoredInstance): boolean {
  return isTerminal(stored.record.status) || (goal === "start" && stored.record.status !== "PENDING");
}
