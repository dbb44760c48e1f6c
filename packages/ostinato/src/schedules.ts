// ostinato/schedules: orchestrations that are started again and again, by an interval or a cron expression.

export {
  schedules,
  type ScheduleClient,
  type ScheduleClientOptions,
  type ScheduleHandle,
  type ScheduleHub,
  type ScheduleQuery,
} from "./schedules/schedule-client.ts";
export type { ScheduleDescription, ScheduleStatus } from "./schedules/schedule-description.ts";
export type { ScheduleChanges, ScheduleOptions, ScheduleRhythm, ScheduleRules } from "./schedules/schedule-options.ts";
export type { CatchUpPolicy, OverlapPolicy } from "./schedules/schedule-state.ts";
export { withSchedules, type ProgramsOfWorker } from "./schedules/with-schedules.ts";
export { ScheduleNotFoundError } from "./contract/errors.ts";
