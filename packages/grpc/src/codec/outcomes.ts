// outcomes: what became of an item, as the protocol writes it.
//
// Owns:    which outcome is an answer and which gives the item back; answers in parts.
// Always:  O1 between ours every outcome comes out as it went in, but for its token.
//          O2 a turn with an action that cannot be done becomes a turn that fails the instance, in words (A3).

import { given } from "ostinato/contract";
import type { ActivityOutcome, ExecutionId, InstanceId, OrchestrationOutcome, Stall, WorkToken } from "ostinato/contract";

import type {
  AbandonActivityTaskRequest,
  AbandonOrchestrationTaskRequest,
  ActivityResponse,
  OrchestrationTraceContext,
  OrchestratorResponse,
  OwnOutcome,
  OwnStall,
} from "../generated/task_hub_sidecar_pb.js";
import { decodeActions, encodeActions, type ActionsContext } from "./actions.ts";
import { decodeFailure, encodeFailure } from "./failures.ts";
import { decodeInt64, encodeInt64 } from "./numbers.ts";
import { decodePayload } from "./payloads.ts";
import type { Peer } from "./peer.ts";

/** Which turn an outcome belongs to. */
export interface TurnAnswered {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  /** The token of its item on this line. */
  readonly token: string;
  /** What the server is to hand the next turn of this execution. */
  readonly traceContext?: OrchestrationTraceContext;
}

/** Which activity an outcome belongs to. */
export interface ActivityAnswered {
  readonly instanceId: InstanceId;
  readonly taskId: number;
  /** The token of its item on this line. */
  readonly token: string;
}

/** An outcome that is told by a call of its own, which gives the item back: an abandon, and to the family a stall, too. */
export function isAbandon(outcome: OrchestrationOutcome, peer: Peer): boolean {
  return outcome.kind === "abandoned" || (outcome.kind === "stalled" && peer === "family");
}

/** A turn's outcome, but one that gives it back, as a message. */
export function encodeTurnOutcome(
  outcome: Exclude<OrchestrationOutcome, { readonly kind: "abandoned" }>,
  { instanceId, executionId, token, traceContext }: TurnAnswered,
  peer: Peer,
): OrchestratorResponse {
  const response: OrchestratorResponse = {
    $typeName: "OrchestratorResponse",
    instanceId,
    actions: [],
    completionToken: token,
    orchestrationTraceContext: traceContext,
    requiresHistory: outcome.kind === "needs-history",
    isPartial: false,
  };
  switch (outcome.kind) {
    case "needs-history":
      return response;
    case "stalled":
      if (peer === "ours") response.own = own({ stall: { $typeName: "OwnStall", ...outcome.stall } });
      return response;
    case "turn": {
      const { customStatus, acceptedInput, awaitedEvents, keptBytes, eventsProcessed } = outcome;
      response.actions = encodeActions(outcome.actions, peer, { instanceId, executionId });
      response.numEventsProcessed = eventsProcessed;
      // To the family a status that is there and empty is none.
      response.customStatus = customStatus ?? (customStatus === null && peer === "family" ? "" : undefined);
      if (peer === "ours")
        response.own = own({
          clearsCustomStatus: customStatus === null,
          acceptedInput,
          awaitedEvents: [...(awaitedEvents ?? [])],
          keptBytes: encodeInt64(keptBytes),
        });
      return response;
    }
  }
}

/** A turn's outcome that gives it back, as a message. */
export function encodeOrchestrationAbandon(outcome: OrchestrationOutcome, token: string, peer: Peer): AbandonOrchestrationTaskRequest {
  const reason = outcome.kind === "abandoned" ? outcome.reason : undefined;
  return {
    $typeName: "AbandonOrchestrationTaskRequest",
    completionToken: token,
    ownReason: peer === "ours" ? reason : undefined,
  };
}

/** An activity's outcome, but one that gives it back, as a message. */
export function encodeActivityOutcome(
  outcome: Exclude<ActivityOutcome, { readonly kind: "abandoned" }>,
  { instanceId, taskId, token }: ActivityAnswered,
  peer: Peer,
): ActivityResponse {
  return {
    $typeName: "ActivityResponse",
    instanceId,
    taskId,
    completionToken: token,
    result: outcome.kind === "completed" ? outcome.result : undefined,
    failureDetails: outcome.kind === "failed" ? encodeFailure(outcome.failure, peer) : undefined,
  };
}

/** An activity's outcome that gives it back, as a message. */
export function encodeActivityAbandon(outcome: ActivityOutcome, token: string, peer: Peer): AbandonActivityTaskRequest {
  const { delayMs, undone } = outcome.kind === "abandoned" && peer === "ours" ? outcome : {};
  return {
    $typeName: "AbandonActivityTaskRequest",
    completionToken: token,
    ownDelayMs: encodeInt64(delayMs),
    ownUndone: undone,
  };
}

/** What a reader of a turn's outcome has to know. */
export interface TurnContext extends ActionsContext {
  /** The token by which the backend knows the item. */
  readonly token: WorkToken;
}

/** The outcome of a turn. */
export function decodeTurnOutcome(response: OrchestratorResponse, peer: Peer, context: TurnContext): OrchestrationOutcome {
  const { token } = context;
  const ours = peer === "ours" ? response.own : undefined;
  if (response.requiresHistory) return { kind: "needs-history", token };
  if (ours?.stall !== undefined) return { kind: "stalled", token, stall: decodeStall(ours.stall) };
  const decoded = decodeActions(response.actions, peer, context);
  if (decoded.kind === "refused")
    return { kind: "turn", token, actions: [{ kind: "completeOrchestration", id: -1, status: "FAILED", failure: decoded.failure }] };
  const processed = response.numEventsProcessed;
  return {
    kind: "turn",
    token,
    actions: decoded.actions,
    ...given({
      customStatus: ours?.clearsCustomStatus ? null : decodeCustomStatus(response.customStatus, peer),
      acceptedInput: ours?.acceptedInput,
      awaitedEvents: ours === undefined || ours.awaitedEvents.length === 0 ? undefined : ours.awaitedEvents,
      keptBytes: decodeInt64(ours?.keptBytes),
      // None at all is what some workers write into the later parts of an answer.
      eventsProcessed: processed !== undefined && processed > 0 ? processed : undefined,
    }),
  };
}

/** The outcome of a turn that was given back. */
export function decodeOrchestrationAbandon(
  { ownReason }: AbandonOrchestrationTaskRequest,
  peer: Peer,
  token: WorkToken,
): Extract<OrchestrationOutcome, { readonly kind: "abandoned" }> {
  return { kind: "abandoned", token, ...given({ reason: peer === "ours" ? ownReason : undefined }) };
}

/** The outcome of an activity. That there is a failure makes it one, whatever the failure says. */
export function decodeActivityOutcome(response: ActivityResponse, peer: Peer, token: WorkToken): ActivityOutcome {
  const { failureDetails, result } = response;
  if (failureDetails !== undefined) return { kind: "failed", token, failure: decodeFailure(failureDetails, peer) };
  return { kind: "completed", token, ...given({ result: decodePayload(result, peer) }) };
}

/** The outcome of an activity that was given back. */
export function decodeActivityAbandon(
  { ownDelayMs, ownUndone }: AbandonActivityTaskRequest,
  peer: Peer,
  token: WorkToken,
): Extract<ActivityOutcome, { readonly kind: "abandoned" }> {
  const delayMs = peer === "ours" && ownDelayMs !== undefined ? Math.max(Number(ownDelayMs), 0) : undefined;
  // Workers of the family give back what they have no code or no room for.
  return { kind: "abandoned", token, ...given({ delayMs, undone: peer === "ours" ? ownUndone : true }) };
}

/** One answer of several parts, in their order: the actions of all of them, the rest as the first says it, or the last where the first does not. */
export function joinChunks(parts: readonly OrchestratorResponse[]): OrchestratorResponse {
  const [first] = parts;
  const last = parts.at(-1);
  if (first === undefined || last === undefined) throw new Error("An answer without a part cannot be joined.");
  const { chunkIndex: _index, ...rest } = first;
  return {
    ...rest,
    isPartial: false,
    actions: parts.flatMap((part) => part.actions),
    customStatus: first.customStatus ?? last.customStatus,
    orchestrationTraceContext: first.orchestrationTraceContext ?? last.orchestrationTraceContext,
    requiresHistory: parts.some((part) => part.requiresHistory),
  };
}

function own(fields: Partial<Omit<OwnOutcome, "$typeName">>): OwnOutcome {
  return { $typeName: "OwnOutcome", clearsCustomStatus: false, awaitedEvents: [], ...fields };
}

/** A status that is there and empty takes away the one before; one that is not there leaves it. */
function decodeCustomStatus(text: string | undefined, peer: Peer): string | null | undefined {
  return text === "" && peer === "family" ? null : text;
}

const STALLS: { readonly [K in Stall["kind"]]: true } = {
  "non-determinism": true,
  "non-durable-wait": true,
  "set-aside": true,
  "not-registered": true,
  version: true,
};

function decodeStall({ kind, reason }: OwnStall): Pick<Stall, "kind" | "reason"> {
  return { kind: Object.hasOwn(STALLS, kind) ? (kind as Stall["kind"]) : "set-aside", reason };
}
