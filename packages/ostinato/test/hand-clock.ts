// hand-clock: a clock that a test moves by hand, for what waits by promises alone.
import type { Clock } from "../src/platform/clock.ts";

export interface HandClock extends Clock {
  /** Moves the time, from timer to timer, and lets what they started come to rest. */
  advance(ms: number): Promise<void>;
  /** The time passes at once, as for a process that was frozen: what was due meanwhile comes late, when the time moves on. */
  jump(ms: number): void;
}

/** Everything waits by promises alone, so a bounded number of turns of the microtask queue is rest. */
export async function rest(): Promise<void> {
  for (let i = 0; i < 400; i++) await Promise.resolve();
}

export function handClock(start = 1_000_000): HandClock {
  let now = start;
  let timers: { readonly due: number; readonly run: () => void }[] = [];
  return {
    now: () => now,
    monotonic: () => now,
    setTimer(ms, run) {
      const timer = { due: now + ms, run };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((each) => each !== timer)) };
    },
    async advance(ms) {
      const until = now + ms;
      await rest();
      for (;;) {
        const next = timers.filter((timer) => timer.due <= until).sort((a, b) => a.due - b.due)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = Math.max(now, next.due);
        next.run();
        await rest();
      }
      now = until;
    },
    jump: (ms) => void (now += ms),
  };
}
