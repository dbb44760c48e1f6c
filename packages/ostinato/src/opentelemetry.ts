// ostinato/opentelemetry: traces and metrics of a task hub, by the OpenTelemetry API that the program has installed.

export { durableSpanIds, openTelemetry, type OpenTelemetryOptions, type SpanIds } from "./telemetry/opentelemetry.ts";
export type { ActivityRun, EndedExecution, ExecutionFacts, Observer, Operation } from "./telemetry/observer.ts";
