// older-entity-form: what workers say to entities that do not use the entity messages of the protocol: plain events under reserved names, with
// JSON in them (PC 5.6). Workers of .NET without a scheduler's configuration speak so.
//
// Owns:    how such an event is read as what we have words for, and how it is told again to whoever speaks so.
// Always:  OF1 ids of requests and of sections that came in this form have a mark before them in all that we keep: so an answer is told in the
//             form in which it was asked for, by its id alone. Nobody but us sees the mark.
//          OF2 what is in none of the known forms is refused in words: an event that nobody reads would be waited for, for ever.
//          OF3 labels by which such workers put messages in order are not read: here everything is in order.

import { given } from "ostinato/contract";
import type {
  Action,
  EntityCaller,
  EntityId,
  EntityLockGranted,
  EntityLockRequested,
  EntityOperationCompleted,
  EntityOperationEvent,
  EntityOperationFailed,
  EntityUnlockSent,
  EventRaised,
  EventSent,
  Failure,
  HistoryEvent,
  Instant,
} from "ostinato/contract";
import { partsOfEntityId, recordedAs } from "ostinato/contract";

import type { HistoryEvent as Message } from "../generated/task_hub_sidecar_pb.js";
import { checkOperation, meansEntity, MOST_LOCKED, readEntityId } from "./entity-ids.ts";
import { anything, byName, readOwnJson } from "./own-json.ts";

const MARK = "op:";
const GRANTED = "Lock Acquisition Completed";

type Sent = Extract<Message["eventType"], { readonly case: "eventSent" }>;
type Raised = Extract<Message["eventType"], { readonly case: "eventRaised" }>;
/** What such an event may come to. */
type Asked = Extract<Action, { readonly kind: "signalEntity" | "callEntity" | "lockEntities" | "unlockEntity" }>;

/** Whether an id came in the older form. */
export function isOlder(id: string): boolean {
  return id.startsWith(MARK);
}

/** An id as its own worker knows it, in whatever form it came. */
export function bareId(id: string): string {
  return isOlder(id) ? id.slice(MARK.length) : id;
}

/** An event for an entity as the action that it stands for. @throws Error in words, for what is none. */
export function readOlderForm(target: string, name: string, data: string | undefined, id: number): Asked {
  const entityId = readEntityId(target);
  const said = readOwnJson<Readonly<Record<string, unknown>>>(data ?? "", byName(anything));
  if (said === undefined) throw new Error(`the event '${shown(name)}' for '${entityId}' has no JSON object in it`);
  const requestId = said["id"];
  if (typeof requestId !== "string" || requestId === "") throw new Error(`the event '${shown(name)}' for '${entityId}' has no id`);
  const marked = `${MARK}${requestId}`;
  if (name === "release") return { kind: "unlockEntity", id, criticalSectionId: marked, entityId };
  if (name !== "op" && !name.startsWith("op@")) throw new Error(`an entity is asked for nothing by an event called '${shown(name)}'`);
  const lockSet = said["lockset"];
  if (Array.isArray(lockSet) && lockSet.length > MOST_LOCKED)
    throw new Error(`it locks ${lockSet.length} entities at once; ${MOST_LOCKED} are allowed`);
  if (Array.isArray(lockSet) && lockSet.length > 0)
    return { kind: "lockEntities", id, criticalSectionId: marked, lockSet: [...new Set(lockSet.map(lockable))].sort(byUnits) };
  const { op, input, signal } = said;
  const request = { operation: typeof op === "string" ? op : "", requestId: marked };
  checkOperation(request);
  return {
    kind: signal === true ? "signalEntity" : "callEntity",
    id,
    entityId,
    ...request,
    ...given({
      input: typeof input === "string" && input !== "" ? input : undefined,
      scheduledAt: timeOf(name === "op" ? said["due"] : name.slice("op@".length)),
    }),
  };
}

/** What a history has of it, as whoever sent it expects to find it there. */
export function olderSent(event: EntityOperationEvent | EntityLockRequested | EntityUnlockSent, owner: EntityCaller | undefined): Sent {
  const parent = { parent: owner?.instanceId, parentExecution: owner?.executionId };
  switch (event.kind) {
    case "EntityOperationCalled":
    case "EntityOperationSignaled": {
      const { entityId, requestId, operation: op, input, scheduledAt } = event;
      const due = scheduledAt === undefined ? undefined : new Date(scheduledAt).toISOString();
      const signal = event.kind === "EntityOperationSignaled" ? true : undefined;
      return sent(entityId, due === undefined ? "op" : `op@${due}`, { op, signal, input, id: bareId(requestId), ...parent, due });
    }
    case "EntityLockRequested": {
      const { criticalSectionId, lockSet, position: pos } = event;
      return sent(lockSet[pos] ?? "", "op", {
        op: null,
        id: bareId(criticalSectionId),
        ...parent,
        lockset: lockSet.map(partsOfEntityId),
        pos,
      });
    }
    case "EntityUnlockSent":
      return sent(event.entityId, "release", { parent: parent.parent, id: bareId(event.criticalSectionId) });
  }
}

/** An answer, as the worker that asked expects it. */
export function olderRaised(event: EntityOperationCompleted | EntityOperationFailed | EntityLockGranted): Raised {
  switch (event.kind) {
    case "EntityOperationCompleted":
      return raised(event.requestId, { result: event.result ?? null });
    case "EntityOperationFailed":
      // The word stands for the message: so the worker's own library writes it.
      return raised(event.requestId, { result: null, exceptionType: event.failure.message, failureDetails: details(event.failure) });
    case "EntityLockGranted":
      return raised(event.criticalSectionId, { result: GRANTED });
  }
}

function sent(instanceId: string, name: string, said: object): Sent {
  return { case: "eventSent", value: { $typeName: "EventSentEvent", instanceId, name, input: JSON.stringify(said) } };
}

function raised(id: string, said: object): Raised {
  return { case: "eventRaised", value: { $typeName: "EventRaisedEvent", name: bareId(id), input: JSON.stringify(said) } };
}

function details({ errorType, message, stack, inner, nonRetriable }: Failure): object {
  return {
    ErrorType: errorType || "Error",
    ErrorMessage: message,
    StackTrace: stack ?? null,
    InnerFailure: inner === undefined ? null : details(inner),
    IsNonRetriable: nonRetriable === true,
  };
}

/** An entity of a lock: written as its id, or as its parts. */
function lockable(value: unknown): EntityId {
  if (typeof value === "string") return readEntityId(value);
  const { name, key } = (typeof value === "object" && value !== null ? value : {}) as { readonly name?: unknown; readonly key?: unknown };
  if (typeof name !== "string" || typeof key !== "string") throw new Error("a lock has something that is no id of an entity");
  return readEntityId(`@${name}@${key}`);
}

/** When something is due: never early, though such times have parts of milliseconds. */
function timeOf(text: unknown): Instant | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  const whole = Date.parse(text);
  if (Number.isNaN(whole)) throw new Error(`${JSON.stringify(text.slice(0, 40))} is no time`);
  if (whole <= 0) return undefined;
  return /\.\d{3}0*[1-9]/.test(text) ? whole + 1 : whole;
}

function shown(name: string): string {
  return name.slice(0, 40);
}

function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// ---- histories of servers that keep entity messages in this form, whatever form they came in

/** Reads events of such a history in their order: what was asked stands before its answer. Other events are as they are. */
export function createOlderReader(): (event: HistoryEvent) => HistoryEvent {
  const asked = new Map<string, Waiting>();
  return (event) => {
    if (event.kind === "EventSent" && meansEntity(event.instanceId)) return sentAs(event, asked);
    if (event.kind !== "EventRaised") return event;
    const waiting = asked.get(event.name.toLowerCase());
    return waiting === undefined ? event : answerIn(event, waiting);
  };
}

/** Something that was asked, under the id as it was asked: names of events are compared without regard to case. */
interface Waiting {
  readonly id: string;
  readonly isLock: boolean;
}

function sentAs(event: EventSent, asked: Map<string, Waiting>): HistoryEvent {
  try {
    const action = withBareId(readOlderForm(event.instanceId, event.name, event.input, event.eventId));
    const waits = (id: string, isLock: boolean): void => void asked.set(id.toLowerCase(), { id, isLock });
    if (action.kind === "callEntity") waits(action.requestId, false);
    if (action.kind === "lockEntities") waits(action.criticalSectionId, true);
    return recordedAs(action, event.timestamp) ?? event;
  } catch {
    return event;
  }
}

function withBareId(action: Asked): Asked {
  return "requestId" in action
    ? { ...action, requestId: bareId(action.requestId) }
    : { ...action, criticalSectionId: bareId(action.criticalSectionId) };
}

function answerIn(event: EventRaised, { id: requestId, isLock }: Waiting): HistoryEvent {
  const head = { eventId: event.eventId, timestamp: event.timestamp };
  if (isLock) return { kind: "EntityLockGranted", ...head, criticalSectionId: requestId };
  const said = readOwnJson<Readonly<Record<string, unknown>>>(event.input ?? "", byName(anything)) ?? {};
  const result = typeof said["result"] === "string" && said["result"] !== "" ? said["result"] : undefined;
  const { exceptionType, failureDetails } = said;
  if (typeof exceptionType !== "string" && (failureDetails === undefined || failureDetails === null))
    return { kind: "EntityOperationCompleted", ...head, requestId, ...given({ result }) };
  return { kind: "EntityOperationFailed", ...head, requestId, failure: failureIn(failureDetails, exceptionType, result) };
}

/** Without details the word is a type, and the result a message, or the word is the message. */
function failureIn(failureDetails: unknown, exceptionType: unknown, result: string | undefined): Failure {
  const told = (typeof failureDetails === "object" ? failureDetails : null) as Readonly<Record<string, unknown>> | null;
  const textIn = (name: string): string | undefined => {
    const value = told?.[name] ?? told?.[name[0]!.toLowerCase() + name.slice(1)];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const word = typeof exceptionType === "string" && exceptionType !== "" ? exceptionType : "Error";
  const message = textIn("ErrorMessage") ?? plainText(result) ?? word;
  return { errorType: textIn("ErrorType") ?? (result === undefined ? "Error" : word), message, ...given({ stack: textIn("StackTrace") }) };
}

function plainText(json: string | undefined): string | undefined {
  const value = json === undefined ? undefined : readOwnJson<unknown>(json, anything);
  return typeof value === "string" ? value : json;
}
