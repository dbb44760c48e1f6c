// work-items: what a worker is handed, as the protocol writes it.
//
// Owns:    what is made of an item that leaves out what ours have: a name, an execution's id, the first event of a turn.
// Always:  W1 between ours every item and notice comes out as it went in, but for its token, which is the one of this line.
//          W2 what is made up for an item of the family is made from its history alone, so that every replay makes the same.
//          W3 an item that is not for us is told apart from one that is, and can be given back.

import { given } from "ostinato/contract";
import type {
  ActivityWorkItem,
  CancelNotice,
  ExecutionId,
  ExecutionStarted,
  ForgetNotice,
  HistoryEvent,
  InstanceId,
  OrchestrationWorkItem,
  Past,
} from "ostinato/contract";

import type {
  ActivityRequest,
  OrchestrationTraceContext,
  OrchestratorRequest,
  WorkItem as Message,
} from "../generated/task_hub_sidecar_pb.js";
import { decodeEntityBatch, decodeEntityItem, type DecodedEntityItem } from "./entity-batches.ts";
import { decodeEvents, encodeEvents } from "./events.ts";
import { decodeInt64, encodeInt64 } from "./numbers.ts";
import { decodePayload, decodeTags, decodeTrace, encodeTags, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { encodeDuration } from "./timestamps.ts";

/** What stands for the past in a message: its events, how many of them the worker's kept program has seen, or a call by which it is read. */
export type WirePast = Past | "streamed";

/** The token of the line on which an item came. */
type LineToken = { readonly token: string };

/** What came on a stream of work items. */
export type ReceivedItem =
  | (LineToken & { readonly kind: "orchestration"; readonly item: OrchestrationWorkItem })
  | (LineToken & StreamedItem)
  | (LineToken & { readonly kind: "activity"; readonly item: ActivityWorkItem })
  | (LineToken & DecodedEntityItem & { readonly kind: "entity" })
  | { readonly kind: "notice"; readonly notice: ForgetNotice | CancelNotice }
  | { readonly kind: "ping" }
  /** Nothing that a worker of ours can do: to be given back. */
  | (LineToken & { readonly kind: "foreign"; readonly what: string });

/** A turn whose past has to be read by StreamInstanceHistory first. */
export interface StreamedItem {
  readonly kind: "streamed";
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  /** The item with its past; `undefined` when there is no start in it. */
  complete(past: readonly HistoryEvent[]): OrchestrationWorkItem | undefined;
}

/** A turn as a message. */
export function encodeOrchestrationItem(
  item: OrchestrationWorkItem,
  past: WirePast,
  token: string,
  peer: Peer,
  traceContext?: OrchestrationTraceContext,
): Message {
  const isStreamed = past === "streamed";
  const value: OrchestratorRequest = {
    $typeName: "OrchestratorRequest",
    instanceId: item.instanceId,
    executionId: item.executionId,
    pastEvents: !isStreamed && "events" in past ? encodeEvents(past.events, peer, item) : [],
    newEvents: encodeEvents(item.newEvents, peer, item),
    // Some workers refuse to run without; messages are in order here, so there is nothing to reorder.
    entityParameters: { $typeName: "OrchestratorEntityParameters", entityMessageReorderWindow: encodeDuration(0) },
    requiresHistoryStreaming: isStreamed,
    properties: {},
    orchestrationTraceContext: traceContext,
  };
  if (peer === "ours")
    value.own = {
      $typeName: "OwnTurn",
      name: item.name,
      version: item.version,
      kept: !isStreamed && "kept" in past ? past.kept : undefined,
    };
  return workItem({ case: "orchestratorRequest", value }, token);
}

/** An activity as a message. */
export function encodeActivityItem(item: ActivityWorkItem, token: string, peer: Peer): Message {
  const value: ActivityRequest = {
    $typeName: "ActivityRequest",
    name: item.name,
    version: item.version,
    input: item.input,
    orchestrationInstance: { $typeName: "OrchestrationInstance", instanceId: item.instanceId, executionId: item.executionId },
    taskId: item.taskId,
    parentTraceContext: encodeTrace(item.traceContext),
    tags: encodeTags(item.tags),
  };
  if (peer === "ours")
    value.own = {
      $typeName: "OwnDelivery",
      attempt: item.attempt,
      delivery: item.delivery,
      idempotencyKey: item.idempotencyKey,
      timeoutMs: encodeInt64(item.timeoutMs),
    };
  return workItem({ case: "activityRequest", value }, token);
}

/**
 * A notice as a message: to ours only, the family has none.
 *
 * @param token of a cancelled activity: the one that its item was sent with.
 */
export function encodeNotice(notice: ForgetNotice | CancelNotice, token = ""): Message {
  const written: OwnNotice["notice"] =
    notice.kind === "forget"
      ? { case: "forget", value: { $typeName: "OrchestrationInstance", instanceId: notice.instanceId, executionId: notice.executionId } }
      : { case: "cancel", value: { $typeName: "OwnCancel", completionToken: token, reason: notice.reason } };
  return workItem({ case: "ownNotice", value: { $typeName: "OwnNotice", notice: written } }, "");
}

/** A sign of life. */
export function encodePing(): Message {
  return workItem({ case: "healthPing", value: { $typeName: "HealthPing" } }, "");
}

/** What a message of a stream of work items says. */
export function decodeWorkItem({ request, completionToken: token }: Message, peer: Peer): ReceivedItem {
  const foreign = (what: string): ReceivedItem => ({ kind: "foreign", token, what });
  const batch = (decoded: DecodedEntityItem | undefined): ReceivedItem =>
    decoded === undefined ? foreign("a batch of an entity that cannot be read") : { kind: "entity", token, ...decoded };
  switch (request.case) {
    case "orchestratorRequest":
      return decodeTurn(request.value, token, peer) ?? foreign("a turn of an orchestration whose start is not in its history");
    case "activityRequest":
      return { kind: "activity", token, item: decodeActivity(request.value, token, peer) };
    case "healthPing":
      return { kind: "ping" };
    case "ownNotice":
      return (peer === "ours" ? decodeNotice(request.value) : undefined) ?? foreign("a notice of an unknown kind");
    case "entityRequest":
      return batch(decodeEntityBatch(request.value, token, peer));
    case "entityRequestV2":
      return batch(decodeEntityItem(request.value, token, peer));
    case undefined:
      return foreign("a work item of an unknown kind");
  }
}

type Request = Message["request"];
type OwnNotice = Extract<Request, { readonly case: "ownNotice" }>["value"];

function workItem(request: Request, completionToken: string): Message {
  return { $typeName: "WorkItem", request, completionToken };
}

function decodeTurn(request: OrchestratorRequest, token: string, peer: Peer): ReceivedItem | undefined {
  const { instanceId, executionId = "" } = request;
  const newEvents = decodeEvents(request.newEvents, peer);
  const complete = (past: Past): OrchestrationWorkItem | undefined =>
    peer === "ours" && request.own !== undefined
      ? {
          kind: "orchestration",
          token,
          instanceId,
          executionId,
          name: request.own.name,
          ...given({ version: request.own.version }),
          past,
          newEvents,
        }
      : completed({ token, instanceId, executionId, newEvents }, "events" in past ? past.events : []);
  if (request.requiresHistoryStreaming)
    return { kind: "streamed", token, instanceId, executionId, complete: (events) => complete({ events }) };
  const kept = peer === "ours" ? request.own?.kept : undefined;
  const item = complete(kept === undefined ? { events: decodeEvents(request.pastEvents, peer) } : { kept });
  return item === undefined ? undefined : { kind: "orchestration", token, item };
}

/** What is known of a turn of the family before its past is. */
type BareTurn = Pick<OrchestrationWorkItem, "instanceId" | "executionId" | "newEvents"> & LineToken;

/** A turn of the family, with what its server may leave out. */
function completed(turn: BareTurn, past: readonly HistoryEvent[]): OrchestrationWorkItem | undefined {
  const start = past.find(isStart) ?? turn.newEvents.find(isStart);
  if (start === undefined) return undefined;
  const executionId = turn.executionId || start.executionId || generationOf(turn, past);
  const known: ExecutionStarted = { ...start, instanceId: start.instanceId || turn.instanceId, executionId };
  /** A second start of the same execution says nothing new. */
  const withStart = (events: readonly HistoryEvent[]): HistoryEvent[] =>
    events.flatMap((event) => (event === start ? known : isStart(event) ? [] : event));
  return {
    kind: "orchestration",
    token: turn.token,
    instanceId: turn.instanceId,
    executionId,
    name: start.name,
    ...given({ version: start.version }),
    past: { events: withStart(past) },
    newEvents: begun(withStart(turn.newEvents), past),
  };
}

/** Without an id of its own an execution is told from the one before by when it began: ids of its children are made from it. */
function generationOf(turn: BareTurn, past: readonly HistoryEvent[]): ExecutionId {
  const first = past[0] ?? turn.newEvents[0];
  return first === undefined || first.timestamp === 0 ? turn.instanceId : `${turn.instanceId}-${first.timestamp.toString(36)}`;
}

/** A turn whose first event does not say what time it is goes on in the time of the turn before: nothing of it stands in the history. */
function begun(newEvents: readonly HistoryEvent[], past: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const [first] = newEvents;
  if (first?.kind === "OrchestratorStarted") return newEvents;
  const before = past.findLast((event) => event.kind === "OrchestratorStarted");
  const timestamp = before?.timestamp ?? first?.timestamp ?? past.at(-1)?.timestamp ?? 0;
  return [{ kind: "OrchestratorStarted", eventId: -1, timestamp }, ...newEvents];
}

function isStart(event: HistoryEvent): event is ExecutionStarted {
  return event.kind === "ExecutionStarted";
}

/** Of the family every delivery is the first of a call of its own: it counts none. */
function decodeActivity(request: ActivityRequest, token: string, peer: Peer): ActivityWorkItem {
  const { name, version, input, taskId, parentTraceContext, tags, orchestrationInstance: instance } = request;
  const own = peer === "ours" ? request.own : undefined;
  const instanceId = instance?.instanceId ?? "";
  const executionId = instance?.executionId ?? "";
  return {
    kind: "activity",
    token,
    instanceId,
    executionId,
    taskId,
    name,
    attempt: own?.attempt ?? 1,
    delivery: own?.delivery ?? 1,
    idempotencyKey: own?.idempotencyKey ?? `${executionId || instanceId}:${(taskId >>> 0).toString(16).padStart(4, "0")}`,
    ...given({
      version,
      input: decodePayload(input, peer),
      tags: decodeTags(tags),
      timeoutMs: decodeInt64(own?.timeoutMs),
      traceContext: decodeTrace(parentTraceContext, peer),
    }),
  };
}

const REASONS: readonly CancelNotice["reason"][] = ["terminated", "timed-out", "lease-lost", "draining"];

function decodeNotice({ notice }: OwnNotice): ReceivedItem | undefined {
  switch (notice.case) {
    case "forget": {
      const { instanceId, executionId = "" } = notice.value;
      return { kind: "notice", notice: { kind: "forget", instanceId, executionId } };
    }
    case "cancel": {
      const { completionToken: token, reason } = notice.value;
      // A reason that a later version gives is still a reason to stop.
      return { kind: "notice", notice: { kind: "cancel", token, reason: REASONS.find((each) => each === reason) ?? "lease-lost" } };
    }
    case undefined:
      return undefined;
  }
}
