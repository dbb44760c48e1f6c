// release-line: leases on their way back, in groups.
//
// Always:  one group is on its way at a time, and what comes meanwhile for the same delay is the next one: ten thousand that are let go cost a few calls.

import type { ActivityLease, Lease } from "../../engine/commit.ts";

type Leases = readonly (Lease | ActivityLease)[];

interface Parcel {
  readonly leases: Leases;
  readonly afterMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How many leases one call gives back at most. */
const GROUP = 2_000;

/** The line of one store. */
export class ReleaseLine {
  readonly #giveBack: (leases: Leases, afterMs: number) => Promise<void>;
  #queue: Parcel[] = [];
  #isRunning = false;

  constructor(giveBack: (leases: Leases, afterMs: number) => Promise<void>) {
    this.#giveBack = giveBack;
  }

  release(leases: Leases, afterMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ leases, afterMs, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    // Whoever gives back in this very moment is of the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#gather();
      try {
        await this.#giveBack(
          group.flatMap(({ leases }) => leases),
          group[0]?.afterMs ?? 0,
        );
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#isRunning = false;
  }

  /** Those at the front that wait equally long. */
  #gather(): readonly Parcel[] {
    const [first] = this.#queue;
    let size = 0;
    let count = 0;
    for (const { leases, afterMs } of this.#queue) {
      if (afterMs !== first?.afterMs || (count > 0 && size + leases.length > GROUP)) break;
      size += leases.length;
      count++;
    }
    return this.#queue.splice(0, count);
  }
}
