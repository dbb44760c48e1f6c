// opentelemetry: an observer that makes OpenTelemetry spans and metrics, with the API alone: whatever SDK the program has set up gets them.
//
// Owns:    which spans are made when; how they are joined into one trace for each instance.
// Always:  T1 a span of an execution, a call or a timer is made from the committed log, after the fact: a turn that was refused leaves none.
//          T2 spans carry names, ids, times and statuses, never payloads. Messages of failures are shown: they are what an operator looks for.
//          T3 with `durableSpanIds()` in the tracer provider, spans are nested under ids that every process can compute, so a trace stays whole
//             across crashes. Without it all spans of an instance are still in its one trace, beside one another.

import {
  context,
  metrics as globalMetrics,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type MeterProvider,
  type Span,
  type SpanOptions,
  type TracerProvider,
} from "@opentelemetry/api";

import type { Action, ActionKind } from "../contract/actions.ts";
import type { ActivityOutcome, ActivityWorkItem } from "../contract/work-items.ts";
import { systemRandom } from "../platform/random.ts";
import { METRICS, spanName, ATTRIBUTES } from "./names.ts";
import type { Observer, Operation } from "./observer.ts";
import {
  attributesOf,
  callSpanId,
  hasParent,
  operationAttributes,
  operationSpanName,
  parseTraceparent,
  placeOf,
  traceOf,
  traceparent,
  type SpanFacts,
  type TracePlace,
} from "./trace-of.ts";

/** Where spans and metrics go. */
export interface OpenTelemetryOptions {
  /** The one that the program has registered globally, by default. */
  readonly tracerProvider?: TracerProvider;
  /** The one that the program has registered globally, by default. */
  readonly meterProvider?: MeterProvider;
}

/** Makes the ids of traces and spans. */
export interface SpanIds {
  generateTraceId(): string;
  generateSpanId(): string;
}

/** The ids that the span which is being made right now shall have. */
let wanted: { readonly traceId: string; readonly spanId: string } | undefined;

const KINDS: { readonly [K in SpanFacts["kind"]]: SpanKind } = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  internal: SpanKind.INTERNAL,
};

const SCOPE = "ostinato";

/**
 * An id generator for a tracer provider: random ids, and for the spans of orchestrations those that follow from their execution. With it
 * activities, timers and children are nested in their orchestration's span, whichever process made them.
 *
 * @param random where all other ids come from: 32 and 16 hexadecimal digits.
 * @example
 * const provider = new TracerProvider({ idGenerator: durableSpanIds(), spanProcessors: [new BatchSpanProcessor({ exporter })] });
 */
export function durableSpanIds(random: SpanIds = randomIds): SpanIds {
  return {
    generateTraceId: () => wanted?.traceId ?? random.generateTraceId(),
    generateSpanId: () => wanted?.spanId ?? random.generateSpanId(),
  };
}

/**
 * An observer for `openTaskHub(url, { telemetry })`.
 *
 * One trace for each instance: its start, its orchestration, activities, children, timers, sent events and operations of entities, under the
 * names of the Durable Task SDKs. After continue-as-new each execution has a span of its own, linked to the next. Metrics: durations of
 * orchestrations and activities in seconds, and the hub's counters.
 *
 * @example
 * const hub = await openTaskHub("sqlite:orders.db", { telemetry: openTelemetry() });
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Observer {
  const tracer = (options.tracerProvider ?? trace.getTracerProvider()).getTracer(SCOPE);
  const meter = (options.meterProvider ?? globalMetrics.getMeterProvider()).getMeter(SCOPE);
  const orchestrations = meter.createHistogram(METRICS.orchestrationDuration, { unit: "s", description: "How long executions took." });
  const activities = meter.createHistogram(METRICS.activityDuration, { unit: "s", description: "How long deliveries of activities ran." });
  const counters = meter.createObservableCounter(METRICS.counters, { description: "What the task hub has counted, by name." });

  const begin = (name: string, spanOptions: SpanOptions, parent: Context, ids?: { traceId: string; spanId: string }): Span => {
    wanted = ids;
    try {
      return tracer.startSpan(name, spanOptions, parent);
    } finally {
      wanted = undefined;
    }
  };
  // A probe that is never ended, so never exported: does the provider take the ids that are wanted?
  const probe = { traceId: "1".padStart(32, "0"), spanId: "1".padStart(16, "0") };
  const nests = begin("probe", {}, ROOT_CONTEXT, probe).spanContext().spanId === probe.spanId;

  /** A context below a span that may have been made elsewhere, or will be. */
  const below = (place: TracePlace, spanId: string | undefined): Context => {
    const parentId = nests ? (spanId ?? (hasParent(place) ? place.spanId : undefined)) : hasParent(place) ? place.spanId : spanId;
    if (parentId === undefined) return ROOT_CONTEXT;
    const traceFlags = place.sampled ? 1 : 0;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId: place.traceId, spanId: parentId, traceFlags, isRemote: true });
  };

  const operation = (name: string, attributes: SpanOptions["attributes"]): Operation => {
    const span = begin(name, { kind: SpanKind.PRODUCER, ...(attributes === undefined ? {} : { attributes }) }, context.active());
    const { traceId, spanId, traceFlags } = span.spanContext();
    const place = { traceId, spanId, sampled: (traceFlags & 1) === 1 };
    return {
      ...(parseTraceparent(traceparent(place)) === undefined ? {} : { traceContext: traceparent(place) }),
      ended(error) {
        if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
        span.end();
      },
    };
  };

  const write = (place: TracePlace, facts: SpanFacts): void => {
    const links =
      facts.link !== undefined && nests ? [{ context: { traceId: place.traceId, spanId: facts.link, traceFlags: 1, isRemote: true } }] : [];
    const span = begin(
      facts.name,
      { kind: KINDS[facts.kind], startTime: facts.start, attributes: { ...facts.attributes }, links },
      below(place, facts.parentId),
      { traceId: place.traceId, spanId: facts.spanId },
    );
    for (const { name, at } of facts.received ?? []) span.addEvent("event raised", { "durabletask.event.name": name }, at);
    if (facts.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: facts.error });
    span.end(facts.end);
  };

  return {
    starting: (request) =>
      operation(
        spanName("create_orchestration", request.name, request.version),
        attributesOf("create_orchestration", request, request.name, request.version),
      ),
    raising: (request) =>
      operation(spanName("orchestration_event", request.name), {
        [ATTRIBUTES.type]: "orchestration_event",
        [ATTRIBUTES.name]: request.name,
        [ATTRIBUTES.target]: request.instanceId,
      }),
    signalling: (request) => operation(operationSpanName(request), operationAttributes(request, "producer")),
    calling(execution, actions) {
      const place = placeOf(execution);
      return actions.map((action) => {
        if (!carriesTrace(action)) return action;
        const spanId = nests ? callSpanId(execution.executionId, action.id) : place.spanId;
        return { ...action, traceContext: traceparent({ ...place, spanId }) };
      });
    },
    running: (item) => runOf(item),
    wants: (execution) => placeOf(execution).sampled,
    executionEnded(execution) {
      const place = placeOf(execution);
      for (const facts of traceOf(execution)) {
        write(place, facts);
        if (facts.kind === "server")
          orchestrations.record(
            Math.max(0, facts.end - facts.start) / 1000,
            measured(facts.attributes, ATTRIBUTES.name, ATTRIBUTES.status),
          );
      }
    },
    counting(read) {
      const observe = (result: { observe(value: number, attributes: Record<string, string>): void }): void => {
        for (const [counter, value] of Object.entries(read())) result.observe(value, { counter });
      };
      counters.addCallback(observe);
      return () => counters.removeCallback(observe);
    },
  };

  function runOf(item: ActivityWorkItem): ReturnType<Observer["running"]> {
    const place = placeOf(item);
    const attributes = { ...attributesOf("activity", item, item.name, item.version), [ATTRIBUTES.taskId]: item.taskId };
    const span = begin(
      spanName("activity", item.name, item.version),
      { kind: SpanKind.SERVER, attributes },
      below(place, hasParent(place) ? place.spanId : undefined),
    );
    const surroundings = trace.setSpan(ROOT_CONTEXT, span);
    return {
      within: (body) => context.with(surroundings, body),
      ended(outcome, durationMs) {
        const status = STATUSES[outcome.kind];
        span.setAttribute(ATTRIBUTES.status, status);
        if (outcome.kind === "failed") span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.failure.message });
        span.end();
        activities.record(durationMs / 1000, { [ATTRIBUTES.name]: item.name, [ATTRIBUTES.status]: status });
      },
    };
  }
}

type Call = Extract<Action, { kind: "scheduleTask" | "createSubOrchestration" | "callEntity" | "signalEntity" }>;

/** Which of what a turn asks for goes on in its trace. */
const CARRIES_TRACE: { readonly [K in ActionKind]: K extends Call["kind"] ? true : false } = {
  scheduleTask: true,
  createSubOrchestration: true,
  callEntity: true,
  signalEntity: true,
  createTimer: false,
  cancelTimer: false,
  sendEvent: false,
  lockEntities: false,
  unlockEntity: false,
  terminateOrchestration: false,
  rewindOrchestration: false,
  completeOrchestration: false,
};

function carriesTrace(action: Action): action is Call {
  return CARRIES_TRACE[action.kind];
}

const STATUSES: { readonly [K in ActivityOutcome["kind"]]: string } = {
  completed: "Completed",
  failed: "Failed",
  abandoned: "Abandoned",
};

function measured(attributes: SpanFacts["attributes"], ...names: readonly string[]): Record<string, string | number> {
  return Object.fromEntries(names.flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]]])));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Random ids from chance alone: they name spans, nothing depends on them. */
const randomIds: SpanIds = {
  generateTraceId: () => systemRandom.id(),
  generateSpanId: () => systemRandom.id().slice(0, 16),
};
