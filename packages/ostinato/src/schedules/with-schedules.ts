// with-schedules: what a worker has to have, to serve schedules.

import type { OrchestratorDefinition } from "../authoring/define.ts";
import type { EntityDefinition } from "../authoring/entity.ts";
import { schedule } from "./schedule-entity.ts";
import { executeScheduleOperation, executeScheduleOperationOfDotnet } from "./schedule-operations.ts";
import { exclusiveRun, scheduleRun } from "./schedule-runs.ts";

/** What a worker is given that these programs are added to. */
export interface ProgramsOfWorker {
  readonly orchestrators?: readonly OrchestratorDefinition[];
  readonly entities?: readonly EntityDefinition[];
}

const ORCHESTRATORS: readonly OrchestratorDefinition[] = [executeScheduleOperation, executeScheduleOperationOfDotnet, exclusiveRun];
const ENTITIES: readonly EntityDefinition[] = [schedule, scheduleRun];

/**
 * The options of a worker, with what serves schedules among its programs. The orchestrators that schedules start can be here or elsewhere.
 *
 * @example
 * const worker = await hub.startWorker(withSchedules({ orchestrators: [report], activities: [send] }));
 */
export function withSchedules<T extends ProgramsOfWorker>(
  options: T,
): T & { readonly orchestrators: readonly OrchestratorDefinition[]; readonly entities: readonly EntityDefinition[] } {
  const { orchestrators = [], entities = [] } = options;
  return { ...options, orchestrators: [...orchestrators, ...ORCHESTRATORS], entities: [...entities, ...ENTITIES] };
}
