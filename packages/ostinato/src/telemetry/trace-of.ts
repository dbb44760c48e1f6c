// trace-of: the log of an execution as spans. Pure: the same log gives the same spans, in whichever process it is read.
//
// Owns:    which events make which spans; the ids that executions and calls have in a trace.
// Always:  P1 ids are made from the execution and the call, so that who calls and who is called need not meet to agree on them.
//          P2 spans name what happened and never carry payloads.

import type { EntityOperationEvent, HistoryEvent } from "../contract/events.ts";
import { partsOfEntityId } from "../contract/ids.ts";
import { ATTRIBUTES, spanName, type SpanType } from "./names.ts";
import type { EndedExecution, ExecutionFacts } from "./observer.ts";

/** A place in a trace, as a W3C `traceparent` says it. */
export interface TracePlace {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/** One span. Times are instants of the store's clock. */
export interface SpanFacts {
  readonly spanId: string;
  /** Absent: the span under which the execution was started, if it was started under one. */
  readonly parentId?: string;
  readonly name: string;
  readonly kind: "server" | "client" | "producer" | "internal";
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly error?: string;
  /** Another span of the same trace: the execution that follows after continue-as-new. */
  readonly link?: string;
  /** External events that reached the execution. */
  readonly received?: readonly { readonly name: string; readonly at: number }[];
}

const NO_SPAN = "0000000000000000";

/** The trace an execution belongs to, and the span under which it was started (all zeros: none). */
export function placeOf(execution: ExecutionFacts): TracePlace {
  const parsed = parseTraceparent(execution.traceContext);
  return (
    parsed ?? { traceId: `${idOf(`${execution.executionId}/1`)}${idOf(`${execution.executionId}/2`)}`, spanId: NO_SPAN, sampled: true }
  );
}

/** Whether a place is below a span. */
export function hasParent(place: TracePlace): boolean {
  return place.spanId !== NO_SPAN;
}

/** Reads `00-<trace>-<span>-<flags>`; `undefined` for anything else. */
export function parseTraceparent(text: string | undefined): TracePlace | undefined {
  const [, traceId, spanId, flags] = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(text ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags ?? "0", 16) & 1) === 1 };
}

/** A place as a `traceparent`. */
export function traceparent(place: TracePlace): string {
  return `00-${place.traceId}-${place.spanId}-${place.sampled ? "01" : "00"}`;
}

/** The span of an execution. */
export function executionSpanId(executionId: string): string {
  return idOf(executionId);
}

/** The span of one of its calls. */
export function callSpanId(executionId: string, taskId: number): string {
  return idOf(`${executionId}:${taskId}`);
}

/** What happened in an execution that has ended: its own span first, then those of its calls, timers and sent events. */
export function traceOf(execution: EndedExecution): readonly SpanFacts[] {
  const { events, executionId } = execution;
  const own = executionSpanId(executionId);
  const begun = events[0]?.timestamp ?? 0;
  const end = events.at(-1)?.timestamp ?? begun;
  const endings = endingsOf(events);
  const spans: SpanFacts[] = [ownSpan(execution, own, begun, end)];
  for (const event of events) {
    const ending = endings.get(event.eventId);
    const about = aboutCall(execution, event, ending);
    if (about === undefined) continue;
    spans.push({
      spanId: callSpanId(executionId, event.eventId),
      parentId: own,
      start: event.timestamp,
      end: about.kind === "producer" ? event.timestamp : Math.max(event.timestamp, ending?.timestamp ?? end),
      name: about.name,
      kind: about.kind,
      attributes: { ...about.attributes, ...(about.kind === "client" ? { [ATTRIBUTES.status]: statusOf(ending) } : {}) },
      ...(ending !== undefined && "failure" in ending && ending.failure !== undefined ? { error: ending.failure.message } : {}),
    });
  }
  return spans;
}

function ownSpan(execution: EndedExecution, spanId: string, start: number, end: number): SpanFacts {
  const last = execution.events.at(-1);
  const completed = last?.kind === "ExecutionCompleted" ? last : undefined;
  const status = execution.next !== undefined ? "ContinuedAsNew" : capitalized(completed?.status ?? "COMPLETED");
  const received = execution.events.flatMap((event) => (event.kind === "EventRaised" ? [{ name: event.name, at: event.timestamp }] : []));
  return {
    spanId,
    name: spanName("orchestration", execution.name, execution.version),
    kind: "server",
    start,
    end,
    attributes: { ...attributesOf("orchestration", execution, execution.name, execution.version), [ATTRIBUTES.status]: status },
    ...(completed?.failure === undefined ? {} : { error: completed.failure.message }),
    ...(execution.next === undefined ? {} : { link: executionSpanId(execution.next) }),
    ...(received.length === 0 ? {} : { received }),
  };
}

/** What a call's span is; `undefined` for events that are no calls. A timer that was taken back leaves no span. */
function aboutCall(
  execution: EndedExecution,
  event: HistoryEvent,
  ending: HistoryEvent | undefined,
): (Pick<SpanFacts, "name" | "attributes"> & { readonly kind: "client" | "producer" | "internal" }) | undefined {
  const taskId = { [ATTRIBUTES.taskId]: event.eventId };
  switch (event.kind) {
    case "TaskScheduled":
      return {
        name: spanName("activity", event.name, event.version),
        kind: "client",
        attributes: { ...attributesOf("activity", execution, event.name, event.version), ...taskId },
      };
    case "SubOrchestrationInstanceCreated":
      return {
        name: spanName("orchestration", event.name, event.version),
        kind: "client",
        attributes: {
          ...attributesOf("orchestration", { instanceId: event.instanceId }, event.name, event.version),
          ...taskId,
        },
      };
    case "TimerCreated":
      if (ending === undefined) return undefined;
      return {
        name: `orchestration:${execution.name}:timer`,
        kind: "internal",
        attributes: {
          [ATTRIBUTES.type]: "timer",
          [ATTRIBUTES.name]: execution.name,
          [ATTRIBUTES.instanceId]: execution.instanceId,
          [ATTRIBUTES.fireAt]: new Date(event.fireAt).toISOString(),
          ...taskId,
        },
      };
    case "EventSent":
      return {
        name: spanName("orchestration_event", event.name),
        kind: "producer",
        attributes: {
          ...attributesOf("orchestration_event", execution, event.name),
          [ATTRIBUTES.target]: event.instanceId,
        },
      };
    case "EntityOperationCalled":
    case "EntityOperationSignaled": {
      const kind = event.kind === "EntityOperationCalled" ? "client" : "producer";
      const { instanceId, executionId } = execution;
      const whose = { [ATTRIBUTES.instanceId]: instanceId, [ATTRIBUTES.executionId]: executionId };
      return { name: operationSpanName(event), kind, attributes: { ...operationAttributes(event, kind), ...whose, ...taskId } };
    }
    default:
      return undefined;
  }
}

/** The facts that every span of a kind has. */
export function attributesOf(
  type: SpanType,
  of: { readonly instanceId: string; readonly executionId?: string },
  name: string,
  version?: string,
): Record<string, string | number> {
  return {
    [ATTRIBUTES.type]: type,
    [ATTRIBUTES.name]: name,
    [ATTRIBUTES.instanceId]: of.instanceId,
    ...(of.executionId === undefined ? {} : { [ATTRIBUTES.executionId]: of.executionId }),
    ...(version === undefined || version === "" ? {} : { [ATTRIBUTES.version]: version }),
  };
}

/** What is asked of an entity. */
type Asked = Pick<EntityOperationEvent, "entityId" | "operation" | "scheduledAt">;

/** The name of the span of an operation, for whoever asks for it. */
export function operationSpanName({ entityId, operation }: Asked): string {
  return spanName("entity", `${partsOfEntityId(entityId)?.name ?? entityId}:${operation}`);
}

/** The facts of an operation that somebody waits for, or nobody does. */
export function operationAttributes({ entityId, scheduledAt }: Asked, kind: "client" | "producer"): Record<string, string | number> {
  return {
    [ATTRIBUTES.type]: "entity",
    [ATTRIBUTES.operation]: kind === "client" ? "call_entity" : "signal_entity",
    [ATTRIBUTES.target]: entityId,
    ...(scheduledAt === undefined ? {} : { [ATTRIBUTES.scheduledTime]: new Date(scheduledAt).toISOString() }),
  };
}

/** How each call ended, by its number. */
function endingsOf(events: readonly HistoryEvent[]): ReadonlyMap<number, HistoryEvent> {
  const endings = new Map<number, HistoryEvent>();
  /** Entities answer to the request. */
  const requests = new Map<string, number>();
  for (const event of events) {
    if ("taskScheduledId" in event) endings.set(event.taskScheduledId, event);
    else if (event.kind === "TimerFired") endings.set(event.timerId, event);
    else if (event.kind === "EntityOperationCalled") requests.set(event.requestId, event.eventId);
    else if (event.kind === "EntityOperationCompleted" || event.kind === "EntityOperationFailed") {
      const id = requests.get(event.requestId);
      if (id !== undefined) endings.set(id, event);
    }
  }
  return endings;
}

function statusOf(ending: HistoryEvent | undefined): string {
  if (ending === undefined) return "Abandoned";
  return "failure" in ending && ending.failure !== undefined ? "Failed" : "Completed";
}

function capitalized(status: string): string {
  return `${status[0] ?? ""}${status.slice(1).toLowerCase()}`;
}

/** Sixteen hexadecimal digits of a text: two lanes of the public-domain MurmurHash3 finalizer over a running product. Never all zeros. */
function idOf(text: string): string {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x85ebca77);
    low = Math.imul(low ^ unit, 0xc2b2ae3d) + high;
  }
  return `${hex(finish(high ^ (low >>> 7)))}${hex(finish(low) | 1)}`;
}

function finish(bits: number): number {
  let mixed = bits;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, "0");
}
