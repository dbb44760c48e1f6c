// actions: what a turn asks for, as the protocol writes it.
//
// Owns:    one writer for each of our kinds of actions, one reader for each of the protocol's; what a worker of another SDK may leave out.
// Always:  A1 between ours every action comes out as it went in, in the order asked for.
//          A2 from the family actions are put in the order of their ids, which can be any number, and come twice; the end comes last, once.
//          A3 what we cannot do is refused as a whole, with a failure in words: an action left out would be waited for, for ever.

import {
  given,
  checkInstanceId,
  checkName,
  childInstanceId,
  type Action,
  type ActionKind,
  type EntityCaller,
  type EntityId,
  type Failure,
  type Instant,
  type InstanceId,
} from "ostinato/contract";

import type { OrchestratorAction as Message } from "../generated/task_hub_sidecar_pb.js";
import { encodeCalled, encodeLockRequest, encodeSignaled, encodeUnlock, decodeOperation } from "./entity-events.ts";
import { checkOperation, meansEntity, MOST_LOCKED, readEntityId } from "./entity-ids.ts";
import { decodeEvents, encodeEvents, isRaised } from "./events.ts";
import { decodeOptionalFailure, encodeFailure, unexplained } from "./failures.ts";
import { decodeInt64, encodeCount, encodeInt64 } from "./numbers.ts";
import { readOlderForm } from "./older-entity-form.ts";
import { decodePayload, decodeTags, decodeTrace, encodeTags, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeEnding, encodeStatus } from "./statuses.ts";
import { decodeDue, encodeInstant } from "./timestamps.ts";

/** What a reader of actions has to know. */
export interface ActionsContext {
  /** The instance whose turn it is: ids of children are made from it. */
  readonly instanceId: InstanceId;
  /** Mints the execution id of a child, where its parent did not. */
  readonly newExecutionId: () => string;
  /** The time of events that came without one. */
  readonly now: Instant;
}

/** The actions of a response, or why the instance has to fail instead. */
export type DecodedActions =
  { readonly kind: "actions"; readonly actions: readonly Action[] } | { readonly kind: "refused"; readonly failure: Failure };

/**
 * Actions as messages, in their order. To the family our own kinds are left out.
 *
 * @param owner whose turn asks for them: servers of the family are told it with what goes to entities.
 */
export function encodeActions(actions: readonly Action[], peer: Peer, owner?: EntityCaller): Message[] {
  const messages: Message[] = [];
  for (const action of actions) {
    const write = WRITERS[action.kind] as (action: Action, peer: Peer, owner?: EntityCaller) => Written | undefined;
    const orchestratorActionType = write(action, peer, owner);
    if (orchestratorActionType !== undefined) messages.push({ $typeName: "OrchestratorAction", id: action.id, orchestratorActionType });
  }
  return messages;
}

/** The actions of messages: as they came from one of ours, else by id, with the end last. */
export function decodeActions(messages: readonly Message[], peer: Peer, context: ActionsContext): DecodedActions {
  const actions: Action[] = [];
  const scheduled = new Set<number>();
  for (const { id, orchestratorActionType: type } of messages) {
    const read = type.case === undefined ? undefined : (READERS[type.case] as Reader<Written["value"]>);
    const answer =
      read === undefined ? "which names nothing that this task hub knows" : read(type.value as Written["value"], id, peer, context);
    if (typeof answer === "string") return refused(id, answer);
    if (answer.kind === "scheduleTask") {
      if (scheduled.has(id)) return refused(id, "which schedules an activity under the id of another activity of the same turn");
      scheduled.add(id);
    }
    actions.push(answer);
  }
  return { kind: "actions", actions: peer === "ours" ? actions : inOrder(actions) };
}

type Written = Extract<Message["orchestratorActionType"], { readonly value: unknown }>;
type ActionOf<K extends ActionKind> = Extract<Action, { readonly kind: K }>;
type ValueOf<C extends Written["case"]> = Extract<Written, { readonly case: C }>["value"];
/** The action, or in words why there is none. */
type Reader<V> = (value: V, id: number, peer: Peer, context: ActionsContext) => Action | string;

const WRITERS: { readonly [K in ActionKind]: (action: ActionOf<K>, peer: Peer, owner?: EntityCaller) => Written | undefined } = {
  scheduleTask: (action, peer) => ({
    case: "scheduleTask",
    value: {
      $typeName: "ScheduleTaskAction",
      name: action.name,
      version: action.version,
      input: action.input,
      tags: encodeTags(action.tags),
      parentTraceContext: encodeTrace(action.traceContext),
      own: peer === "ours" ? encodeCall(action) : undefined,
    },
  }),
  createSubOrchestration: (action, peer) => ({
    case: "createSubOrchestration",
    value: {
      $typeName: "CreateSubOrchestrationAction",
      instanceId: action.instanceId,
      name: action.name,
      version: action.version,
      input: action.input,
      parentTraceContext: encodeTrace(action.traceContext),
      tags: encodeTags(action.tags),
      own: peer === "ours" ? encodeChild(action) : undefined,
    },
  }),
  createTimer: ({ fireAt }) => ({ case: "createTimer", value: { $typeName: "CreateTimerAction", fireAt: encodeInstant(fireAt) } }),
  // The family's servers let a timer fire that nobody waits for.
  cancelTimer: (_, peer) => (peer === "family" ? undefined : { case: "ownCancelTimer", value: { $typeName: "OwnCancelTimerAction" } }),
  sendEvent: ({ instanceId, name, input }) => ({
    case: "sendEvent",
    value: { $typeName: "SendEventAction", instance: { $typeName: "OrchestrationInstance", instanceId }, name, data: input },
  }),
  signalEntity: (action, peer) => entityMessage({ case: "entityOperationSignaled", value: encodeSignaled(action, peer) }),
  callEntity: (action, peer, owner) =>
    entityMessage({ case: "entityOperationCalled", value: encodeCalled(action, peer, toldTo(peer, owner)) }),
  lockEntities: (action, peer, owner) =>
    entityMessage({ case: "entityLockRequested", value: encodeLockRequest({ ...action, position: 0 }, toldTo(peer, owner)) }),
  unlockEntity: (action, peer, owner) => entityMessage({ case: "entityUnlockSent", value: encodeUnlock(action, toldTo(peer, owner)) }),
  terminateOrchestration: ({ instanceId, reason, recursive }) => ({
    case: "terminateOrchestration",
    value: { $typeName: "TerminateOrchestrationAction", instanceId, reason, recurse: recursive },
  }),
  rewindOrchestration: ({ newHistory }, peer, owner) => ({
    case: "rewindOrchestration",
    value: { $typeName: "RewindOrchestrationAction", newHistory: encodeEvents(newHistory, peer, owner) },
  }),
  completeOrchestration: (action, peer) => ({ case: "completeOrchestration", value: encodeCompletion(action, peer) }),
};

const READERS: { readonly [C in Written["case"]]: Reader<ValueOf<C>> } = {
  scheduleTask: ({ name, version, input, tags, parentTraceContext, own }, id, peer) => ({
    kind: "scheduleTask",
    id,
    name,
    ...given({
      version,
      input: decodePayload(input, peer),
      tags: decodeTags(tags),
      traceContext: decodeTrace(parentTraceContext, peer),
    }),
    ...decodeCall(peer === "ours" ? own : undefined, id),
  }),
  createSubOrchestration(value, id, peer, context) {
    const { name, version, input, tags, parentTraceContext } = value;
    const own = peer === "ours" ? value.own : undefined;
    const instanceId = value.instanceId || childInstanceId(context.instanceId, id >>> 0);
    const wrong = complaint(() => checkInstanceId(instanceId));
    if (wrong !== undefined) return `which starts a child under an id that cannot be: ${wrong}`;
    return {
      kind: "createSubOrchestration",
      id,
      instanceId,
      executionId: own?.executionId || context.newExecutionId(),
      name,
      ...given({
        version,
        input: decodePayload(input, peer),
        tags: decodeTags(tags),
        traceContext: decodeTrace(parentTraceContext, peer),
        rewinds: own?.rewinds === undefined ? undefined : given({ reason: own.rewinds.reason }),
      }),
    };
  },
  createTimer: ({ fireAt }, id, _, { now }) => ({ kind: "createTimer", id, fireAt: decodeDue(fireAt) ?? now }),
  ownCancelTimer: (_, id, peer) => (peer === "ours" ? { kind: "cancelTimer", id } : "which names nothing that this task hub knows"),
  sendEvent({ instance, name, data }, id, peer) {
    const instanceId = instance?.instanceId ?? "";
    if (meansEntity(instanceId)) return readOlder(instanceId, name, data, id);
    return { kind: "sendEvent", id, instanceId, name, ...given({ input: decodePayload(data, peer) }) };
  },
  sendEntityMessage({ EntityMessageType: message }, id, peer) {
    switch (message.case) {
      case "entityOperationSignaled":
      case "entityOperationCalled": {
        const entityId = readTarget(message.value.targetInstanceId);
        if (typeof entityId !== "string") return entityId.complaint;
        const operation = decodeOperation(message.value, peer);
        const wrong = complaint(() => checkOperation(operation));
        if (wrong !== undefined) return `which asks an entity for what cannot be asked: ${wrong}`;
        return { kind: message.case === "entityOperationCalled" ? "callEntity" : "signalEntity", id, entityId, ...operation };
      }
      case "entityLockRequested": {
        const { criticalSectionId, lockSet } = message.value;
        const ids = lockSet.slice(0, MOST_LOCKED + 1).map(readTarget);
        const wrong = ids.find((each) => typeof each !== "string");
        if (wrong !== undefined) return wrong.complaint;
        if (ids.length === 0) return "which locks no entity";
        if (ids.length > MOST_LOCKED) return `which locks ${lockSet.length} entities at once; ${MOST_LOCKED} are allowed`;
        const improper = complaint(() => checkName(criticalSectionId, "critical section's id"));
        if (improper !== undefined) return `which locks entities under an id that cannot be: ${improper}`;
        // Everybody locks in one order, whatever the order of their SDK: so nobody waits in a circle.
        return { kind: "lockEntities", id, criticalSectionId, lockSet: [...new Set(ids as EntityId[])].sort(byUnits) };
      }
      case "entityUnlockSent": {
        const entityId = readTarget(message.value.targetInstanceId);
        if (typeof entityId !== "string") return entityId.complaint;
        return { kind: "unlockEntity", id, criticalSectionId: message.value.criticalSectionId, entityId };
      }
      case undefined:
        return "which is for an entity, and says nothing that this task hub knows";
    }
  },
  terminateOrchestration: ({ instanceId, reason, recurse }, id, peer) => ({
    kind: "terminateOrchestration",
    id,
    instanceId,
    recursive: recurse,
    ...given({ reason: decodePayload(reason, peer) }),
  }),
  rewindOrchestration({ newHistory }, id, peer, { now }) {
    const events = decodeEvents(newHistory, peer, now);
    // Whether its input was checked stands in the history that is replaced; this worker knows nothing of it.
    if (peer === "family")
      for (const [at, event] of events.entries())
        if (event.kind === "ExecutionStarted") {
          const { validated: _unknown, ...start } = event;
          events[at] = start;
        }
    return { kind: "rewindOrchestration", id, newHistory: events };
  },
  completeOrchestration(value, id, peer, { now }) {
    const status = decodeEnding(value.orchestrationStatus);
    if (status === undefined) return `which ends the orchestration with status ${value.orchestrationStatus}, and that is no end`;
    const carried = decodeEvents(value.carryoverEvents, peer, now).filter(isRaised);
    return {
      kind: "completeOrchestration",
      id,
      status,
      ...given({
        result: decodePayload(value.result, peer),
        failure:
          decodeOptionalFailure(value.failureDetails, peer) ?? (status === "FAILED" && peer === "family" ? unsaid(value) : undefined),
        newVersion: value.newVersion,
        tags: decodeTags(value.tags),
        carriedEvents: carried.length === 0 ? undefined : carried,
        droppedEvents: peer === "ours" && value.ownDroppedEvents > 0 ? value.ownDroppedEvents : undefined,
      }),
    };
  },
};

/** The action, or in words why there is none. */
function readOlder(...event: Parameters<typeof readOlderForm>): Action | string {
  try {
    return readOlderForm(...event);
  } catch (error) {
    return `which is for an entity, and cannot be understood: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function entityMessage(message: Exclude<ValueOf<"sendEntityMessage">["EntityMessageType"], { readonly case: undefined }>): Written {
  return { case: "sendEntityMessage", value: { $typeName: "SendEntityMessageAction", EntityMessageType: message } };
}

/** To ours it is not said: what is asked is asked by the turn's own instance. */
function toldTo(peer: Peer, owner: EntityCaller | undefined): EntityCaller | undefined {
  return peer === "family" ? owner : undefined;
}

/** The entity that is meant, or what is wrong with its id. */
function readTarget(text: string | undefined): EntityId | { readonly complaint: string } {
  try {
    return readEntityId(text ?? "");
  } catch (error) {
    return { complaint: `which is for an entity that cannot be: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function encodeCall(action: ActionOf<"scheduleTask">): ValueOf<"scheduleTask">["own"] {
  const { attempt, firstId, attemptTimeoutMs, expiresAt } = action;
  return {
    $typeName: "OwnCall",
    attempt,
    firstId,
    attemptTimeoutMs: encodeInt64(attemptTimeoutMs),
    expiresAt: encodeInt64(expiresAt),
  };
}

/** A worker of another SDK schedules every attempt as a call of its own. */
function decodeCall(own: ValueOf<"scheduleTask">["own"], id: number) {
  if (own === undefined) return { attempt: 1, firstId: id };
  const { attempt, firstId, attemptTimeoutMs, expiresAt } = own;
  return {
    attempt: Math.max(attempt, 1),
    firstId,
    ...given({
      attemptTimeoutMs: decodeInt64(attemptTimeoutMs),
      expiresAt: decodeInt64(expiresAt),
    }),
  };
}

function encodeChild({ executionId, rewinds }: ActionOf<"createSubOrchestration">): ValueOf<"createSubOrchestration">["own"] {
  return {
    $typeName: "OwnChild",
    executionId,
    rewinds: rewinds === undefined ? undefined : { $typeName: "OwnRewinds", reason: rewinds.reason },
  };
}

function encodeCompletion(action: ActionOf<"completeOrchestration">, peer: Peer): ValueOf<"completeOrchestration"> {
  const failure = action.failure ?? (action.status === "FAILED" && peer === "family" ? unexplained() : undefined);
  return {
    $typeName: "CompleteOrchestrationAction",
    orchestrationStatus: encodeStatus(action.status),
    result: action.result,
    newVersion: action.newVersion,
    carryoverEvents: encodeEvents(action.carriedEvents ?? [], peer),
    failureDetails: failure === undefined ? undefined : encodeFailure(failure, peer),
    tags: encodeTags(action.tags),
    ownDroppedEvents: peer === "ours" ? encodeCount(action.droppedEvents) : 0,
  };
}

/** The failure of a completion without one: older workers say it in words elsewhere. */
function unsaid({ details, result }: ValueOf<"completeOrchestration">): Failure {
  const words = details || result;
  return unexplained(words === "" ? undefined : words);
}

/** By id, stably; the first of those that end the turn comes last, and is the only one. */
function inOrder(actions: readonly Action[]): readonly Action[] {
  const end = actions.find(isEnd);
  const others = actions.filter((action) => !isEnd(action)).sort((a, b) => a.id - b.id);
  return end === undefined ? others : [...others, end];
}

function isEnd({ kind }: Action): boolean {
  return kind === "completeOrchestration" || kind === "rewindOrchestration";
}

function refused(id: number, why: string): DecodedActions {
  const message = `The worker's turn has an action (id ${id}) ${why}. Nothing of the turn was done.`;
  return { kind: "refused", failure: { errorType: "UnsupportedAction", message, nonRetriable: true } };
}

function complaint(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
