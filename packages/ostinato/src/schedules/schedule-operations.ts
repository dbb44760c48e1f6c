// schedule-operations: the orchestrator by which clients ask schedules for something, so that they can wait for the answer.
//
// Always:  SO1 it is served under the name that the Python SDK's client asks for and under .NET's, and takes the requests of both.

import { orchestrator } from "../authoring/define.ts";
import type { OrchestratorContext } from "../authoring/orchestrator-context.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { entityId, partsOfEntityId } from "../contract/ids.ts";
import { SCHEDULE } from "./schedule-runs.ts";
import { fieldsOf } from "./schedule-state.ts";

/** What is asked of a schedule: the Python SDK's form. */
export interface ScheduleOperationRequest {
  readonly entity_id: string;
  readonly operation_name: string;
  readonly input?: unknown;
}

async function execute(ctx: OrchestratorContext, request: unknown): Promise<unknown> {
  const { entityid, operationname, input } = fieldsOf(request, "A request to a schedule");
  if (typeof operationname !== "string") throw new InvalidArgumentError("A request to a schedule names no operation.");
  // Each operation is told apart by the instance that asks for it. The SDKs' own pass the word over.
  const own = typeof input === "object" && !Array.isArray(input) ? { ...input, operation_id: ctx.instanceId } : input;
  return await ctx.entity(SCHEDULE, keyOf(entityid)).call(operationname, own);
}

/** The id as text, or in parts. */
function keyOf(id: unknown): string {
  const parts: { readonly name?: unknown; readonly key?: unknown } =
    typeof id === "string" ? (partsOfEntityId(id) ?? {}) : fieldsOf(id, "The entity of a request to a schedule");
  if (typeof parts.name !== "string" || parts.name.toLowerCase() !== SCHEDULE)
    throw new InvalidArgumentError(`A request to a schedule must name an entity '@${SCHEDULE}@...'; got ${JSON.stringify(id)}.`);
  return String(parts.key);
}

/** Under the Python SDK's name. */
export const executeScheduleOperation = orchestrator(
  "execute_schedule_operation_orchestrator",
  async (ctx, request: ScheduleOperationRequest): Promise<unknown> => await execute(ctx, request),
);

/** Under .NET's. */
export const executeScheduleOperationOfDotnet = orchestrator(
  "ExecuteScheduleOperationOrchestrator",
  async (ctx, request: ScheduleOperationRequest): Promise<unknown> => await execute(ctx, request),
);

/** The id of the entity that a schedule is. */
export function scheduleEntityId(scheduleId: string): string {
  return entityId(SCHEDULE, scheduleId);
}
