// clock: what time it is, and how to be called later.
//
// Owns:    the only way by which the house waits.
// Always:  a timer never runs early by the monotonic clock, and never after it was cancelled.

/** A timer that has not run yet. Cancelling one that has is fine. */
export interface ClockTimer {
  cancel(): void;
}

/** How a timer is to be waited for. */
export interface TimerOptions {
  /** Whether the process stays alive for it. It does not unless told so. */
  readonly hold?: boolean;
}

/**
 * Time as a value: rooms that wait are handed one, and a test hands them another.
 *
 * @example
 * const timer = clock.setTimer(5_000, () => look());
 * timer.cancel();
 */
export interface Clock {
  /** Milliseconds since 1970, by the wall clock, which may jump. */
  now(): number;
  /** Milliseconds since some moment, with fractions; never goes back. */
  monotonic(): number;
  /** Calls `run` once, when `ms` have passed. Any length of time works. */
  setTimer(ms: number, run: () => void, options?: TimerOptions): ClockTimer;
}

/** The longest wait that the platform's own timers keep; longer ones are waited for in parts. */
const LONGEST_WAIT_MS = 2_147_483_647;

/**
 * The clock of the machine.
 *
 * @example
 * const startedAt = systemClock.now();
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(ms, run, options) {
    let due = performance.now() + ms;
    if (Number.isNaN(due)) due = performance.now();
    let handle: NodeJS.Timeout | undefined;
    const wait = (): void => {
      const left = due - performance.now();
      if (left <= 0) {
        handle = undefined;
        run();
        return;
      }
      handle = setTimeout(wait, Math.min(Math.ceil(left), LONGEST_WAIT_MS));
      if (options?.hold !== true) handle.unref();
    };
    // The first part is always a real wait: `run` is never called inside setTimer.
    handle = setTimeout(wait, Math.min(Math.max(Math.ceil(ms) || 0, 0), LONGEST_WAIT_MS));
    if (options?.hold !== true) handle.unref();
    return {
      cancel() {
        if (handle !== undefined) clearTimeout(handle);
        handle = undefined;
      },
    };
  },
};

/**
 * Resolves when `ms` have passed by the clock given, or rejects with the signal's reason when it aborts before.
 *
 * @example
 * await sleep(clock, 250);
 */
export function sleep(clock: Clock, ms: number, options: TimerOptions & { readonly signal?: AbortSignal } = {}): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const timer = clock.setTimer(
      ms,
      () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      },
      options,
    );
    function stop(): void {
      timer.cancel();
      reject(signal?.reason as Error);
    }
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Resolves when an instant has come by the clock's wall time; at once when it has passed. A clock that is set while waiting is noticed.
 *
 * @example
 * await sleepUntil(clock, startAt);
 */
export async function sleepUntil(
  clock: Clock,
  instant: number,
  options: TimerOptions & { readonly signal?: AbortSignal } = {},
): Promise<void> {
  for (let left = instant - clock.now(); left > 0; left = instant - clock.now()) await sleep(clock, Math.min(left, 60_000), options);
}

/**
 * Keeps the process alive until it is released. Whoever must not be cut short by the end of the event loop (a started worker, a wait
 * for a result) takes one.
 *
 * @example
 * const release = holdProcess();
 * release();
 */
export function holdProcess(): () => void {
  const handle = setInterval(() => undefined, LONGEST_WAIT_MS);
  return () => clearInterval(handle);
}
