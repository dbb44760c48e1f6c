// under-way: what is on its way to the store and awaited by nobody.
//
// Owns:    the count of it, and the pauses that it makes; so that closing can wait for the one and end the other.
// Always:  UW1 nothing that is under way becomes an unhandled rejection.

import type { Clock } from "../platform/clock.ts";

/** The work under way of one backend. */
export class UnderWay {
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  readonly #whenSettled: (() => void)[] = [];
  readonly #pauses = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock;
    this.#failed = failed;
  }

  /** Keeps an eye on work until it is done. Resolves then, however it ended. */
  async run(work: Promise<unknown>): Promise<void> {
    this.begin();
    try {
      await work;
    } catch (error) {
      this.#failed(error);
    } finally {
      this.end();
    }
  }

  /** For work that looks after itself: it begins, */
  begin(): void {
    this.#count++;
  }

  /** and it ends. */
  end(): void {
    this.#count--;
    if (this.#whenSettled.length > 0) for (const resolve of this.#whenSettled.splice(0)) resolve();
  }

  /** Resolves when nothing is under way, or as soon as `enough` says after something has ended that it need not be. */
  async settled(enough: () => boolean = () => false): Promise<void> {
    while (this.#count > 0 && !enough()) await new Promise<void>((resolve) => this.#whenSettled.push(resolve));
  }

  /** Waits for a while, but not longer than until `endPauses`. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#pauses.delete(wake);
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.setTimer(ms, wake);
      this.#pauses.add(wake);
    });
  }

  endPauses(): void {
    for (const wake of [...this.#pauses]) wake();
  }
}
