// events: histories, as the protocol writes them.
//
// Owns:    one writer for each of our kinds of events, one reader for each of the protocol's.
// Always:  E1 between ours every event comes out as it went in.
//          E2 to the family nothing goes that its workers do not know; what is left out changes nothing for them.
//          E3 from the family kinds that we do not have are left out: they tell an orchestration of ours nothing.

import { given } from "ostinato/contract";
import type { EntityCaller, EventKind, EventRaised, ExecutionStarted, HistoryEvent, Instant, ParentLink } from "ostinato/contract";

import type { HistoryEvent as Message, ParentInstanceInfo } from "../generated/task_hub_sidecar_pb.js";
import { ENTITY_READERS, ENTITY_WRITERS } from "./entity-events.ts";
import { decodeOptionalFailure, encodeFailure, unexplained } from "./failures.ts";
import { decodePayload, decodeTags, decodeTrace, encodeTags, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeEnding, encodeStatus } from "./statuses.ts";
import { decodeDue, decodeInstant, decodeKnownInstant, encodeInstant, encodeOptionalInstant } from "./timestamps.ts";

/**
 * Events as messages. To the family our own kinds are left out.
 *
 * @param owner whose history it is, for the events of the family that say it.
 */
export function encodeEvents(events: readonly HistoryEvent[], peer: Peer, owner?: EntityCaller): Message[] {
  const messages: Message[] = [];
  for (const event of events) {
    const message = encodeEvent(event, peer, owner);
    if (message !== undefined) messages.push(message);
  }
  return messages;
}

/**
 * The events of messages. Kinds that we do not have are left out.
 *
 * @param at the time of events that came without one.
 */
export function decodeEvents(messages: readonly Message[], peer: Peer, at: Instant = 0): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  for (const message of messages) {
    const event = decodeEvent(message, peer, at);
    if (event !== undefined) events.push(event);
  }
  return events;
}

/** One event as a message; `undefined` when the family has no such kind. */
export function encodeEvent(event: HistoryEvent, peer: Peer, owner?: EntityCaller): Message | undefined {
  const write = WRITERS[event.kind] as (event: HistoryEvent, peer: Peer, owner?: EntityCaller) => Written | undefined;
  const eventType = write(event, peer, owner);
  if (eventType === undefined) return undefined;
  return { $typeName: "HistoryEvent", eventId: event.eventId, timestamp: encodeInstant(event.timestamp), eventType };
}

/** One event of a message; `undefined` when we have no such kind. */
export function decodeEvent(message: Message, peer: Peer, at: Instant = 0): HistoryEvent | undefined {
  const { eventType } = message;
  if (eventType.case === undefined) return undefined;
  const read = READERS[eventType.case] as (value: Written["value"], head: Head, peer: Peer) => HistoryEvent | undefined;
  const timestamp = peer === "ours" ? decodeInstant(message.timestamp) : decodeKnownInstant(message.timestamp);
  return read(eventType.value, { eventId: message.eventId, timestamp: timestamp ?? at }, peer);
}

type Written = Extract<Message["eventType"], { readonly value: unknown }>;
type EventOf<K extends EventKind> = Extract<HistoryEvent, { readonly kind: K }>;
type ValueOf<C extends Written["case"]> = Extract<Written, { readonly case: C }>["value"];

/** What every event has. */
interface Head {
  readonly eventId: number;
  readonly timestamp: Instant;
}

const WRITERS: { readonly [K in EventKind]: (event: EventOf<K>, peer: Peer, owner?: EntityCaller) => Written | undefined } = {
  OrchestratorStarted: () => ({ case: "orchestratorStarted", value: { $typeName: "OrchestratorStartedEvent" } }),
  ExecutionStarted: (event, peer) => ({ case: "executionStarted", value: encodeStart(event, peer) }),
  ExecutionCompleted: ({ status, result, failure }, peer) => ({
    case: "executionCompleted",
    value: {
      $typeName: "ExecutionCompletedEvent",
      orchestrationStatus: encodeStatus(status),
      result,
      failureDetails: encodeEnd(status, failure, peer),
    },
  }),
  ExecutionSuspended: ({ reason }) => ({ case: "executionSuspended", value: { $typeName: "ExecutionSuspendedEvent", input: reason } }),
  ExecutionResumed: ({ reason }) => ({ case: "executionResumed", value: { $typeName: "ExecutionResumedEvent", input: reason } }),
  ExecutionTerminated: ({ output, recursive, after }, peer) => ({
    case: "executionTerminated",
    value: {
      $typeName: "ExecutionTerminatedEvent",
      input: output,
      recurse: recursive,
      ownAfter: peer === "ours" ? (after ?? "") : "",
    },
  }),
  ExecutionRewound: ({ reason, start }, peer) => ({
    case: "executionRewound",
    value: {
      $typeName: "ExecutionRewoundEvent",
      reason,
      tags: {},
      ownStart: peer === "ours" && start !== undefined ? encodeEvent(start, peer) : undefined,
    },
  }),
  TaskScheduled: ({ name, version, input, traceContext, tags }) => ({
    case: "taskScheduled",
    value: {
      $typeName: "TaskScheduledEvent",
      name,
      version,
      input,
      parentTraceContext: encodeTrace(traceContext),
      tags: encodeTags(tags),
    },
  }),
  TaskCompleted: ({ taskScheduledId, result }) => ({
    case: "taskCompleted",
    value: { $typeName: "TaskCompletedEvent", taskScheduledId, result },
  }),
  TaskFailed: ({ taskScheduledId, failure }, peer) => ({
    case: "taskFailed",
    value: { $typeName: "TaskFailedEvent", taskScheduledId, failureDetails: encodeFailure(failure, peer) },
  }),
  TimerCreated: ({ fireAt }) => ({ case: "timerCreated", value: { $typeName: "TimerCreatedEvent", fireAt: encodeInstant(fireAt) } }),
  TimerFired: ({ fireAt, timerId }) => ({
    case: "timerFired",
    value: { $typeName: "TimerFiredEvent", fireAt: encodeInstant(fireAt), timerId },
  }),
  // The family's workers forget a timer without a word: its event would be one too many.
  TimerCancelled: ({ timerId }, peer) =>
    peer === "family" ? undefined : { case: "ownTimerCancelled", value: { $typeName: "OwnTimerCancelledEvent", timerId } },
  SubOrchestrationInstanceCreated: ({ instanceId, name, version, input, traceContext, tags }) => ({
    case: "subOrchestrationInstanceCreated",
    value: {
      $typeName: "SubOrchestrationInstanceCreatedEvent",
      instanceId,
      name,
      version,
      input,
      parentTraceContext: encodeTrace(traceContext),
      tags: encodeTags(tags),
    },
  }),
  SubOrchestrationInstanceCompleted: ({ taskScheduledId, result }) => ({
    case: "subOrchestrationInstanceCompleted",
    value: { $typeName: "SubOrchestrationInstanceCompletedEvent", taskScheduledId, result },
  }),
  SubOrchestrationInstanceFailed: ({ taskScheduledId, failure }, peer) => ({
    case: "subOrchestrationInstanceFailed",
    value: { $typeName: "SubOrchestrationInstanceFailedEvent", taskScheduledId, failureDetails: encodeFailure(failure, peer) },
  }),
  EventSent: ({ instanceId, name, input }) => ({ case: "eventSent", value: { $typeName: "EventSentEvent", instanceId, name, input } }),
  EventRaised: ({ name, input }) => ({ case: "eventRaised", value: { $typeName: "EventRaisedEvent", name, input } }),
  ...ENTITY_WRITERS,
};

const READERS: { readonly [C in Written["case"]]: (value: ValueOf<C>, head: Head, peer: Peer) => HistoryEvent | undefined } = {
  orchestratorStarted: (_, head) => ({ kind: "OrchestratorStarted", ...head }),
  executionStarted: decodeStart,
  executionCompleted(value, head, peer) {
    const status = decodeEnding(value.orchestrationStatus);
    if (status === undefined || status === "CONTINUED_AS_NEW") return undefined;
    const failure =
      decodeOptionalFailure(value.failureDetails, peer) ?? (status === "FAILED" && peer === "family" ? unexplained() : undefined);
    return { kind: "ExecutionCompleted", ...head, status, ...given({ result: decodePayload(value.result, peer), failure }) };
  },
  executionSuspended: ({ input }, head, peer) => ({
    kind: "ExecutionSuspended",
    ...head,
    ...given({ reason: decodePayload(input, peer) }),
  }),
  executionResumed: ({ input }, head, peer) => ({ kind: "ExecutionResumed", ...head, ...given({ reason: decodePayload(input, peer) }) }),
  executionTerminated: ({ input, recurse, ownAfter }, head, peer) => ({
    kind: "ExecutionTerminated",
    ...head,
    recursive: recurse,
    ...given({ output: decodePayload(input, peer), after: peer === "ours" && ownAfter !== "" ? ownAfter : undefined }),
  }),
  executionRewound({ reason, ownStart }, head, peer) {
    const start = peer === "ours" && ownStart !== undefined ? decodeEvent(ownStart, peer) : undefined;
    return {
      kind: "ExecutionRewound",
      ...head,
      ...given({ reason: decodePayload(reason, peer), start: start?.kind === "ExecutionStarted" ? start : undefined }),
    };
  },
  taskScheduled: ({ name, version, input, parentTraceContext, tags }, head, peer) => ({
    kind: "TaskScheduled",
    ...head,
    name,
    ...given({
      version,
      input: decodePayload(input, peer),
      tags: decodeTags(tags),
      traceContext: decodeTrace(parentTraceContext, peer),
    }),
  }),
  taskCompleted: ({ taskScheduledId, result }, head, peer) => ({
    kind: "TaskCompleted",
    ...head,
    taskScheduledId,
    ...given({ result: decodePayload(result, peer) }),
  }),
  taskFailed: ({ taskScheduledId, failureDetails }, head, peer) => ({
    kind: "TaskFailed",
    ...head,
    taskScheduledId,
    failure: decodeOptionalFailure(failureDetails, peer) ?? unexplained("The activity failed and gave no reason."),
  }),
  timerCreated: ({ fireAt }, head) => ({ kind: "TimerCreated", ...head, fireAt: decodeDue(fireAt) ?? head.timestamp }),
  timerFired: ({ fireAt, timerId }, head) => ({ kind: "TimerFired", ...head, timerId, fireAt: decodeDue(fireAt) ?? head.timestamp }),
  ownTimerCancelled: ({ timerId }, head) => ({ kind: "TimerCancelled", ...head, timerId }),
  subOrchestrationInstanceCreated: ({ instanceId, name, version, input, parentTraceContext, tags }, head, peer) => ({
    kind: "SubOrchestrationInstanceCreated",
    ...head,
    instanceId,
    name,
    ...given({
      version,
      input: decodePayload(input, peer),
      tags: decodeTags(tags),
      traceContext: decodeTrace(parentTraceContext, peer),
    }),
  }),
  subOrchestrationInstanceCompleted: ({ taskScheduledId, result }, head, peer) => ({
    kind: "SubOrchestrationInstanceCompleted",
    ...head,
    taskScheduledId,
    ...given({ result: decodePayload(result, peer) }),
  }),
  subOrchestrationInstanceFailed: ({ taskScheduledId, failureDetails }, head, peer) => ({
    kind: "SubOrchestrationInstanceFailed",
    ...head,
    taskScheduledId,
    failure: decodeOptionalFailure(failureDetails, peer) ?? unexplained("The sub-orchestration failed and gave no reason."),
  }),
  eventSent: ({ instanceId, name, input }, head, peer) => ({
    kind: "EventSent",
    ...head,
    instanceId,
    name,
    ...given({ input: decodePayload(input, peer) }),
  }),
  eventRaised: ({ name, input }, head, peer) => ({ kind: "EventRaised", ...head, name, ...given({ input: decodePayload(input, peer) }) }),
  // Turns have a beginning here and no end of their own; what continued as new has another history.
  orchestratorCompleted: nothing,
  continueAsNew: nothing,
  historyState: nothing,
  genericEvent: nothing,
  ...ENTITY_READERS,
};

function nothing(): undefined {
  return undefined;
}

function encodeStart(event: ExecutionStarted, peer: Peer): ValueOf<"executionStarted"> {
  const { lineage, validated, carriedEvents } = event;
  const own = lineage !== undefined || validated !== undefined || carriedEvents !== undefined;
  return {
    $typeName: "ExecutionStartedEvent",
    name: event.name,
    version: event.version,
    input: event.input,
    orchestrationInstance: { $typeName: "OrchestrationInstance", instanceId: event.instanceId, executionId: event.executionId },
    parentInstance: event.parent === undefined ? undefined : encodeParent(event.parent),
    scheduledStartTimestamp: encodeOptionalInstant(event.scheduledAt),
    parentTraceContext: encodeTrace(event.traceContext),
    tags: encodeTags(event.tags),
    // Carried events stand behind the start as events of their own, in the work item as in the history: only we keep in mind where they came from.
    own:
      peer === "ours" && own
        ? { $typeName: "OwnStart", lineage, validated, carriedEvents: encodeEvents(carriedEvents ?? [], peer) }
        : undefined,
  };
}

/** What the family starts was checked by nobody whose check is recorded: our programs check it at every replay. */
function decodeStart(value: ValueOf<"executionStarted">, head: Head, peer: Peer): ExecutionStarted {
  const own = peer === "ours" ? value.own : undefined;
  const carried = own === undefined ? [] : decodeEvents(own.carriedEvents, peer).filter(isRaised);
  const scheduled = value.scheduledStartTimestamp;
  return {
    kind: "ExecutionStarted",
    ...head,
    instanceId: value.orchestrationInstance?.instanceId ?? "",
    executionId: value.orchestrationInstance?.executionId ?? "",
    name: value.name,
    ...given({
      version: value.version,
      input: decodePayload(value.input, peer),
      parent: decodeParent(value.parentInstance),
      tags: decodeTags(value.tags),
      scheduledAt: peer === "ours" ? decodeDue(scheduled) : decodeKnownInstant(scheduled),
      lineage: own?.lineage,
      validated: peer === "ours" ? own?.validated : false,
      carriedEvents: carried.length === 0 ? undefined : carried,
      traceContext: decodeTrace(value.parentTraceContext, peer),
    }),
  };
}

/** Whether an event is an external one: only those are carried from one execution to the next. */
export function isRaised(event: HistoryEvent): event is EventRaised {
  return event.kind === "EventRaised";
}

function encodeParent({ instanceId, executionId, name, version, taskScheduledId }: ParentLink): ParentInstanceInfo {
  return {
    $typeName: "ParentInstanceInfo",
    taskScheduledId,
    name,
    version,
    orchestrationInstance: { $typeName: "OrchestrationInstance", instanceId, executionId },
  };
}

/** A parent without an id is none. */
function decodeParent(parent: ParentInstanceInfo | undefined): ParentLink | undefined {
  const instance = parent?.orchestrationInstance;
  if (parent === undefined || instance === undefined || instance.instanceId === "") return undefined;
  const { taskScheduledId, name, version } = parent;
  return {
    instanceId: instance.instanceId,
    executionId: instance.executionId ?? "",
    name: name ?? "",
    taskScheduledId,
    ...given({ version }),
  };
}

/** To the family an orchestration that failed always says how: some SDKs take one without for one that did not fail. */
function encodeEnd(
  status: EventOf<"ExecutionCompleted">["status"],
  failure: EventOf<"ExecutionCompleted">["failure"],
  peer: Peer,
): ValueOf<"executionCompleted">["failureDetails"] {
  if (failure !== undefined) return encodeFailure(failure, peer);
  return status === "FAILED" && peer === "family" ? encodeFailure(unexplained(), peer) : undefined;
}
