// ticks: when the ticks of a schedule come, and when each of them is run.
//
// Owns:    the grid of an interval, the bounds of start and end, jitter.
// Is told: a configuration, the time of its creation, what its cron expression means.
// Tells:   the tick after an instant, the newest one before another, the time when one is run.
// Always:  TK1 which instants are ticks follows from the configuration alone, never from when it was looked at.
//          TK2 a tick is run at it or later, before the next one, and not after the end; how much later follows from its id and its time.

import type { Instant } from "../contract/instant.ts";
import { fractionOf } from "./mixed.ts";
import type { ScheduleConfiguration } from "./schedule-state.ts";

/** When something comes again and again, without beginning or end. */
export interface Recurrence {
  /** The first time after this one. */
  after(instant: Instant): Instant | undefined;
  /** The last time at or before this one. */
  upTo(instant: Instant): Instant | undefined;
}

/** The ticks of one schedule. */
export interface Ticks {
  /** The first tick after this. */
  after(instant: Instant): Instant | undefined;
  /** The last tick at or before `upTo`, and not before `from`. */
  newest(from: Instant, upTo: Instant): Instant | undefined;
  /** When a tick is run. */
  runAt(tick: Instant): Instant;
}

/** The grid of an interval: its origin, and each interval from there. */
export function intervalRecurrence(origin: Instant, everyMs: number): Recurrence {
  const nth = (n: number): Instant => Math.round(origin + n * everyMs);
  return {
    after: (instant) => (instant < origin ? origin : nth(Math.floor((instant - origin) / everyMs) + 1)),
    upTo: (instant) => (instant < origin ? undefined : nth(Math.floor((instant - origin) / everyMs))),
  };
}

/** The ticks of a schedule whose recurrence is this. */
export function ticksOf(configuration: ScheduleConfiguration, recurrence: Recurrence): Ticks {
  const { scheduleId, startAt = 0, endAt = Number.POSITIVE_INFINITY, jitterMs } = configuration;
  const after = (instant: Instant): Instant | undefined => {
    const tick = recurrence.after(Math.max(instant, startAt - 1));
    return tick === undefined || tick > endAt ? undefined : tick;
  };
  return {
    after,
    newest(from, upTo) {
      const tick = recurrence.upTo(Math.min(upTo, endAt));
      return tick === undefined || tick < Math.max(from, startAt) ? undefined : tick;
    },
    runAt(tick) {
      if (jitterMs === 0) return tick;
      const room = Math.min(jitterMs, (after(tick) ?? Number.POSITIVE_INFINITY) - tick, endAt - tick);
      return tick + Math.floor(fractionOf(`${scheduleId}/${tick}`) * Math.max(0, room));
    },
  };
}
