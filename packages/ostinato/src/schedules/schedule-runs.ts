// schedule-runs: what a tick starts.
//
// Owns:    the ids of runs; the orchestrator that runs a target which must not overlap with the run before it.
// Always:  RN1 the id of a run follows from its schedule and its tick, as the Python SDK makes it: a tick that is told twice is started once.
//          RN2 at most one of these orchestrators of a schedule has its lock, and it alone starts a target: whatever the schedule believes, two runs
//              never overlap. The engine gives the lock back however its owner ends. (Who terminates one without its children lets its target go.)
//          RN3 that a run has ended is told by itself. For one that was ended from outside, the next tick asks: the question lies behind the lock in
//              that entity's inbox, and is answered when the lock is free.

import { orchestrator } from "../authoring/define.ts";
import { entity } from "../authoring/entity.ts";
import type { Instant } from "../contract/instant.ts";
import { inputOf, type ScheduleConfiguration } from "./schedule-state.ts";
import { instantText } from "./time-text.ts";

/** The entity that schedules are. The name is the Durable Task SDKs'. */
export const SCHEDULE = "schedule";

/** What the schedule is told of its runs, and by whom it is woken. */
export interface ScheduleSignals {
  run_schedule(token: string): void;
  run_completed(tick: string): void;
}

/** A run that must not overlap with another of its schedule. */
export interface ExclusiveRun {
  readonly scheduleId: string;
  readonly tick: string;
  readonly orchestrationName: string;
  readonly instanceId: string;
  readonly input?: unknown;
}

/** The id of the run of a tick. */
export function runId({ scheduleId, instanceId }: ScheduleConfiguration, tick: Instant): string {
  return instanceId ?? `${scheduleId}-${instantText(tick)}`;
}

/** The id of the instance that runs it where runs must not overlap. */
export function exclusiveRunId(configuration: ScheduleConfiguration, tick: Instant): string {
  return `${runId(configuration, tick)}:run`;
}

/** What that instance is given. */
export function exclusiveRunOf(configuration: ScheduleConfiguration, tick: Instant): ExclusiveRun {
  const input = inputOf(configuration);
  return {
    scheduleId: configuration.scheduleId,
    tick: instantText(tick),
    orchestrationName: configuration.orchestrationName,
    instanceId: runId(configuration, tick),
    ...(input === undefined ? {} : { input }),
  };
}

/** What a run has while it goes on, and what it is asked after by: whoever has it in a critical section is the run of its schedule. */
export const scheduleRun = entity("schedule_run", { initial: (): unknown => undefined }).operations({
  ask_after: (state, tick: string) => {
    state.entity<ScheduleSignals>(SCHEDULE, state.key).signal.run_completed(tick);
  },
});

/** Runs a target when no other run of its schedule is under way, and tells the schedule when it has ended. */
export const exclusiveRun = orchestrator("run_schedule_exclusively", async (ctx, run: ExclusiveRun): Promise<void> => {
  try {
    await ctx.lockEntities([ctx.entity(scheduleRun, run.scheduleId)], async () => {
      await ctx.callSubOrchestrator(run.orchestrationName, run.input, { instanceId: run.instanceId });
    });
  } finally {
    ctx.entity<ScheduleSignals>(SCHEDULE, run.scheduleId).signal.run_completed(run.tick);
  }
});
