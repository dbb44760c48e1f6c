// schedule-description: a schedule, as its reader sees it.

import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import { runId } from "./schedule-runs.ts";
import { inputOf, type CatchUpPolicy, type OverlapPolicy, type ScheduleState } from "./schedule-state.ts";

/** Whether ticks are run. */
export type ScheduleStatus = "Active" | "Paused";

/**
 * What is known of a schedule.
 *
 * @example
 * const description = await schedules(hub).get("nightly").describe();
 * console.log(description?.status, description?.nextRunAt);
 */
export interface ScheduleDescription {
  readonly id: string;
  readonly status: ScheduleStatus;
  /** The name of what is started. */
  readonly orchestrator: string;
  readonly input?: unknown;
  /** Of a schedule with an interval. */
  readonly intervalMs?: number;
  /** Of a schedule by cron. */
  readonly cron?: string;
  readonly timeZone?: string;
  readonly startAt?: Date;
  readonly endAt?: Date;
  readonly startImmediatelyIfLate: boolean;
  /** The one id of all runs, where they have one. */
  readonly instanceId?: string;
  readonly jitterMs: number;
  readonly overlap: OverlapPolicy;
  readonly catchUp: CatchUpPolicy;
  readonly catchUpWindowMs?: number;
  /** The tick that was run last. */
  readonly lastRunAt?: Date;
  /** When the next one is run; absent while it is paused, and when no tick is left. */
  readonly nextRunAt?: Date;
  /** The id of the run that goes on, as far as the schedule knows. Only where runs must not overlap. */
  readonly running?: string;
  /** The id of the run that waits for it. */
  readonly buffered?: string;
  readonly createdAt?: Date;
  readonly lastModifiedAt?: Date;
}

/** A schedule, described. */
export function descriptionOf(state: ScheduleState): ScheduleDescription {
  const { configuration, runningTick, bufferedTick } = state;
  const { rhythm, startAt, endAt, instanceId, jitterMs, overlap, catchUp, catchUpWindowMs } = configuration;
  return {
    id: configuration.scheduleId,
    status: state.status,
    orchestrator: configuration.orchestrationName,
    startImmediatelyIfLate: configuration.startImmediatelyIfLate,
    jitterMs,
    overlap,
    catchUp,
    ...(rhythm.kind === "interval" ? { intervalMs: rhythm.everyMs } : { cron: rhythm.expression, timeZone: rhythm.timeZone }),
    ...given({
      input: inputOf(configuration),
      startAt: dateOf(startAt),
      endAt: dateOf(endAt),
      instanceId,
      catchUpWindowMs,
      lastRunAt: dateOf(state.lastRunAt),
      nextRunAt: dateOf(state.nextRunAt),
      running: runningTick === undefined ? undefined : runId(configuration, runningTick),
      buffered: bufferedTick === undefined ? undefined : runId(configuration, bufferedTick),
      createdAt: dateOf(state.createdAt),
      lastModifiedAt: dateOf(state.lastModifiedAt),
    }),
  };
}

function dateOf(instant: Instant | undefined): Date | undefined {
  return instant === undefined ? undefined : new Date(instant);
}
