// names: what spans, attributes and metrics are called: the names of the Durable Task SDKs, so that one dashboard shows all of them.

/** Attributes of spans. */
export const ATTRIBUTES = {
  type: "durabletask.type",
  name: "durabletask.task.name",
  version: "durabletask.task.version",
  instanceId: "durabletask.task.instance_id",
  executionId: "durabletask.task.execution_id",
  status: "durabletask.task.status",
  taskId: "durabletask.task.task_id",
  target: "durabletask.event.target_instance_id",
  fireAt: "durabletask.fire_at",
  operation: "durabletask.task.operation",
  scheduledTime: "durabletask.task.scheduled_time",
} as const;

/** Metrics; durations are in seconds. */
export const METRICS = {
  orchestrationDuration: "ostinato.orchestration.duration",
  activityDuration: "ostinato.activity.duration",
  counters: "ostinato.counters",
} as const;

/** What kinds of things spans are about. */
export type SpanType = "create_orchestration" | "orchestration" | "activity" | "orchestration_event" | "entity";

/** The name of a span: `activity:charge`, `orchestration:order@(2.0.0)`, `entity:counter:add`. */
export function spanName(type: SpanType, name: string, version?: string): string {
  return version === undefined || version === "" ? `${type}:${name}` : `${type}:${name}@(${version})`;
}
