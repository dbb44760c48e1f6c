// timers: how the transport waits.
//
// Owns:    the part of a clock that deadlines and pings need. Every Clock of `ostinato` is one.

/** Something that calls back later. */
export interface Timers {
  setTimer(ms: number, run: () => void): { cancel(): void };
}

/** The longest wait that the platform's own timers keep; a deadline further away is as good as none. */
const LONGEST_WAIT_MS = 2_147_483_647;

const NEVER = { cancel: () => undefined };

/** The timers of the machine. They do not hold the process: open connections do. */
export const systemTimers: Timers = {
  setTimer(ms, run) {
    if (ms > LONGEST_WAIT_MS) return NEVER;
    const handle = setTimeout(run, Math.max(Math.ceil(ms), 0));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
