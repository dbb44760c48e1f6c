// due-ticks: which ticks are run now, and which one comes next.
//
// Is told: the ticks of a schedule, its policy for those that were missed, the tick that has come, what time it is.
// Tells:   the ticks to run, in order; the next one.
// Always:  DT1 what is told as next is later than all that is run, so that no tick is run twice whatever clocks say.
//          DT2 a tick is missed when a later one has come as well, or its time is over by more than the window. A schedule without either runs
//              each of its ticks under every policy.

import type { Instant } from "../contract/instant.ts";
import type { CatchUpPolicy, ScheduleConfiguration } from "./schedule-state.ts";
import type { Ticks } from "./ticks.ts";

/** What is to be run, and what comes then. */
export interface DueTicks {
  readonly runs: readonly Instant[];
  /** `undefined`: none will come any more. It may be in the past: there is more to make up for than is run at once. */
  readonly next: Instant | undefined;
}

/** How late a tick may be under "skip": longer than any pause of a process that runs, shorter than what anybody would call missing. */
const SKIP_WINDOW_MS = 60_000;
/** The most ticks that are made up for at once. */
const MOST_RUNS = 100;

type Decide = (ticks: Ticks, due: Instant, now: Instant, windowMs: number) => DueTicks;

const DECIDE: { readonly [Policy in CatchUpPolicy]: Decide } = {
  one(ticks, due, now, windowMs) {
    const oldest = notBefore(ticks, due, now - windowMs);
    const { next } = latest(ticks, due, now);
    return { runs: oldest === undefined || ticks.runAt(oldest) > now ? [] : [oldest], next };
  },
  skip(ticks, due, now, windowMs) {
    const { newest, next } = latest(ticks, due, now);
    return { runs: ticks.runAt(newest) < now - windowMs ? [] : [newest], next };
  },
  all(ticks, due, now, windowMs) {
    const runs: Instant[] = [];
    let next = notBefore(ticks, due, now - windowMs);
    while (next !== undefined && ticks.runAt(next) <= now && runs.length < MOST_RUNS) {
      runs.push(next);
      next = ticks.after(next);
    }
    return { runs, next };
  },
};

/**
 * Which ticks are run now that one has come.
 *
 * @param due the tick that has come: `ticks.runAt(due) <= now`.
 */
export function dueTicks(ticks: Ticks, { catchUp, catchUpWindowMs }: ScheduleConfiguration, due: Instant, now: Instant): DueTicks {
  const windowMs = catchUpWindowMs ?? (catchUp === "skip" ? SKIP_WINDOW_MS : Number.POSITIVE_INFINITY);
  return DECIDE[catchUp](ticks, due, now, windowMs);
}

/** The first tick from `due` on that is not run before this. */
function notBefore(ticks: Ticks, due: Instant, instant: Instant): Instant | undefined {
  if (ticks.runAt(due) >= instant) return due;
  // A tick that was before it may be run after it, by its jitter; the next one surely is.
  const last = ticks.newest(due, instant);
  if (last !== undefined && ticks.runAt(last) >= instant) return last;
  return ticks.after(Math.max(due, instant));
}

/** The newest tick that has come, and the one after it. */
function latest(ticks: Ticks, due: Instant, now: Instant): { newest: Instant; next: Instant | undefined } {
  const last = ticks.newest(due + 1, now);
  if (last === undefined) return { newest: due, next: ticks.after(Math.max(due, now)) };
  if (ticks.runAt(last) <= now) return { newest: last, next: ticks.after(now) };
  return { newest: ticks.newest(due + 1, last - 1) ?? due, next: last };
}
