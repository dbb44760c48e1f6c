// shapes: what `--json` shows of instances and events.
//
// Always:  fields keep their names and meaning; new ones may come. Times are ISO 8601 in UTC; what is not there is left out.
//          No payload, no stack and no data of an error unless payloads were asked for.
import { defaultConverter } from "ostinato";
import type { EntityMetadata, Failure, HistoryEvent, OrchestrationStatus } from "ostinato";
import { EVENT_PAYLOADS } from "ostinato/contract";
import { absolute } from "./times.ts";

/** Plain data, as JSON has it. */
export type Shape = Readonly<Record<string, unknown>>;

/** An instance. */
export function instanceShape(status: OrchestrationStatus, payloads: boolean): Shape {
  const { failure, stall, tags } = status;
  return known({
    id: status.id,
    name: status.name,
    version: status.version,
    status: status.status,
    executionId: status.executionId,
    createdAt: status.createdAt,
    scheduledAt: status.scheduledAt,
    startedAt: status.startedAt,
    lastUpdatedAt: status.lastUpdatedAt,
    completedAt: status.completedAt,
    parentInstanceId: status.parentInstanceId,
    tags: Object.keys(tags).length === 0 ? undefined : tags,
    failure: failure && failureShape(failure, payloads),
    stall: stall && known({ kind: stall.kind, reason: stall.reason, since: stall.since, attempts: stall.attempts }),
    ...(payloads ? payloadsOf(status) : {}),
  });
}

/** An entity. */
export function entityShape(entity: EntityMetadata, payloads: boolean): Shape {
  const { id, name, key, lastModifiedAt, backlogQueueSize, lockedBy, hasState, stall } = entity;
  return known({
    id,
    name,
    key,
    lastModifiedAt,
    backlogQueueSize,
    lockedBy,
    hasState,
    stall: stall && known({ kind: stall.kind, reason: stall.reason, since: stall.since, attempts: stall.attempts }),
    ...(payloads && hasState ? { state: payloadOf(() => entity.state) } : {}),
  });
}

/** The payloads of an instance that can be read, as plain JSON; of one that cannot, why. */
export function payloadsOf(status: OrchestrationStatus): Shape {
  return known({
    input: payloadOf(() => status.input),
    output: payloadOf(() => status.output),
    customStatus: payloadOf(() => status.customStatus),
  });
}

function payloadOf(read: () => unknown): unknown {
  try {
    // Through the converter's own text: JSON.stringify knows nothing of what it can write besides.
    const text = defaultConverter.encode(read(), "payload");
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
}

/** A failure with its causes. */
export function failureShape(failure: Failure, payloads: boolean): Shape {
  const { errorType, message, inner, nonRetriable, stack, properties } = failure;
  return known({
    errorType,
    message,
    nonRetriable,
    ...(payloads ? { stack, properties } : {}),
    inner: inner && failureShape(inner, payloads),
  });
}

/** Fields of events that are instants. */
const INSTANTS: ReadonlySet<string> = new Set(["timestamp", "fireAt", "scheduledAt"]);

/** An event of a history. */
export function eventShape(event: HistoryEvent, payloads: boolean): Shape {
  const shape: Record<string, unknown> = { kind: event.kind };
  for (const [name, value] of Object.entries(event) as [string, unknown][]) {
    if (isPayload(event, name)) {
      if (payloads) shape[name] = payloadText(value);
    } else if (INSTANTS.has(name)) shape[name] = absolute(value as number);
    else if (name === "failure") shape[name] = failureShape(value as Failure, payloads);
    else if (name === "carriedEvents") shape[name] = (value as readonly HistoryEvent[]).map((each) => eventShape(each, payloads));
    else if (name !== "traceContext") shape[name] = value;
  }
  return shape;
}

function isPayload({ kind }: HistoryEvent, name: string): boolean {
  return EVENT_PAYLOADS[kind].some((field) => field === name);
}

/** A payload's text as JSON where it is JSON: one that passed a codec need not be. */
function payloadText(text: unknown): unknown {
  try {
    return typeof text === "string" ? (JSON.parse(text) as unknown) : text;
  } catch {
    return text;
  }
}

/** The fields that are there, dates as text. */
export function known(fields: Shape): Shape {
  const shape: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) shape[name] = value instanceof Date ? absolute(value.getTime()) : value;
  return shape;
}
