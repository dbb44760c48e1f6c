// determinism: what a replay gives again, and how it is found out that it does not.
//
// Owns:    ids made from what is recorded; the comparison of what the program asks for with what its history says; the words for a difference.
// Is told: recorded events and actions; for the words, the calls of a run that noted their places.
// Tells:   ids; a Difference, and its words: the event, the call made now, and the places of that call and the last that agreed.
// Always:  N1 kind, name and target are compared, payloads and ids of requests never.
//          N2 an id depends on what is recorded and on nothing else; ids of children do not disturb the program's own.

import type { Action } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { EntityId, ExecutionId, InstanceId } from "../contract/ids.ts";
import type { Instant } from "../contract/instant.ts";
import { given, recordedAs } from "../contract/recorded-as.ts";

// ---- ids

/** The namespace that the JavaScript and .NET Durable Task SDKs use: 9e952958-5e33-4daf-827f-2fa12937b875. */
const NAMESPACE = [0x9e, 0x95, 0x29, 0x58, 0x5e, 0x33, 0x4d, 0xaf, 0x82, 0x7f, 0x2f, 0xa1, 0x29, 0x37, 0xb8, 0x75];

/**
 * The id that `ctx.newGuid()` gives: a UUID of version 5 over instance, time and counter, as the JavaScript SDK makes it.
 *
 * @example newGuid("abc", 1_704_164_645_678, 0) === "6aa3b6b8-bc2e-5cf3-a202-95a6723e06a4"
 */
export function newGuid(instanceId: InstanceId, clock: Instant, counter: number): string {
  return uuidOf(`${instanceId}_${new Date(clock).toISOString()}_${counter}`);
}

/** The first execution id of a child: the same whenever the same call of the same execution is made again. */
export function childExecutionId(executionId: ExecutionId, actionId: number): ExecutionId {
  return uuidOf(`${executionId}:child:${actionId}`);
}

/** The id of what is asked of an entity under an action. */
export function requestId(executionId: ExecutionId, actionId: number): string {
  return uuidOf(`${executionId}:entity:${actionId}`);
}

/** The id of the critical section that is asked for under an action. */
export function sectionId(executionId: ExecutionId, actionId: number): string {
  return uuidOf(`${executionId}:section:${actionId}`);
}

function uuidOf(name: string): string {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(NAMESPACE.length + text.length);
  bytes.set(NAMESPACE);
  bytes.set(text, NAMESPACE.length);
  const [a = 0, b = 0, c = 0, d = 0] = sha1(bytes);
  const hex = [a, (b & 0xffff0fff) | 0x5000, (c & 0x3fffffff) | 0x80000000, d]
    .map((word) => (word >>> 0).toString(16).padStart(8, "0"))
    .join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** SHA-1 (FIPS 180-4), as five words. Here because this room imports nothing of the platform; ids need no secrecy. */
function sha1(bytes: Uint8Array): readonly number[] {
  const length = bytes.length;
  const words = new Int32Array(((length + 8) >> 6) * 16 + 16);
  for (let i = 0; i < length; i++) words[i >> 2] = (words[i >> 2] ?? 0) | ((bytes[i] ?? 0) << (24 - (i & 3) * 8));
  words[length >> 2] = (words[length >> 2] ?? 0) | (0x80 << (24 - (length & 3) * 8));
  words[words.length - 1] = length * 8;
  const hash = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0];
  const schedule = new Int32Array(80);
  for (let block = 0; block < words.length; block += 16) {
    let [a = 0, b = 0, c = 0, d = 0, e = 0] = hash;
    for (let t = 0; t < 80; t++) {
      const word =
        t < 16
          ? (words[block + t] ?? 0)
          : rotate(at(schedule, t - 3) ^ at(schedule, t - 8) ^ at(schedule, t - 14) ^ at(schedule, t - 16), 1);
      schedule[t] = word;
      const mixed =
        t < 20
          ? ((b & c) | (~b & d)) + 0x5a827999
          : t < 40
            ? (b ^ c ^ d) + 0x6ed9eba1
            : t < 60
              ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
              : (b ^ c ^ d) + 0xca62c1d6;
      [a, b, c, d, e] = [(rotate(a, 5) + mixed + e + word) | 0, a, rotate(b, 30), c, d];
    }
    [a, b, c, d, e].forEach((word, i) => (hash[i] = ((hash[i] ?? 0) + word) | 0));
  }
  return hash;
}

function at(list: Int32Array, index: number): number {
  return list[index] ?? 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

// ---- comparing

/** The history and the program disagree. */
export interface Difference {
  /** The recorded event, and its number in the history from 1. Without one the history has ended. */
  readonly recorded?: { readonly number: number; readonly event: HistoryEvent };
  /** What the program asked for in its place; `"end"` when it ended, nothing when it asked for nothing. */
  readonly asked?: Action | "end";
}

/** Whether an action is what a recorded event was made from. */
export function agrees(recorded: HistoryEvent, action: Action): boolean {
  const now = recordedAs(action, recorded.timestamp);
  if (now?.kind !== recorded.kind) return false;
  switch (now.kind) {
    case "TaskScheduled":
      return now.name === (recorded as typeof now).name;
    case "SubOrchestrationInstanceCreated":
    case "EventSent": {
      const then = recorded as typeof now;
      return now.name === then.name && now.instanceId === then.instanceId;
    }
    case "EntityOperationCalled":
    case "EntityOperationSignaled": {
      const then = recorded as typeof now;
      return now.operation === then.operation && now.entityId === then.entityId;
    }
    case "EntityLockRequested": {
      const { lockSet } = recorded as typeof now;
      return now.lockSet.length === lockSet.length && now.lockSet.every((id, place) => id === lockSet[place]);
    }
    case "EntityUnlockSent":
      return now.entityId === (recorded as typeof now).entityId;
    default:
      return true;
  }
}

// ---- telling

/** Where the program made its calls: kept by a run whose only purpose is to tell. */
export interface Trace {
  readonly places: Map<number, string>;
  lastAgreed: Action | undefined;
}

/** A trace of nothing yet. */
export function newTrace(): Trace {
  return { places: new Map(), lastAgreed: undefined };
}

const OUR_FILES = import.meta.url.slice(0, import.meta.url.lastIndexOf("/") + 1).replace("file://", "");
/** The functions of an entity as its program sees it are made there. */
const PROXIES = OUR_FILES.replace(/[^/]+\/$/, "authoring/entity-proxy.");

/** Notes from where the program asks for an action. */
export function notePlace(trace: Trace, action: Action): void {
  const firstId = action.kind === "scheduleTask" ? action.firstId : action.id;
  const place = placeOfCall() ?? trace.places.get(firstId);
  if (place !== undefined) trace.places.set(action.id, place);
}

/** Where in the program the call stands that is being answered right now: the innermost line of the stack that is not this room's. */
export function placeOfCall(): string | undefined {
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  const line = lines.find((each) => (!each.includes(OUR_FILES) && !each.includes(PROXIES)) || each.includes(".test."));
  if (line === undefined || line.includes("node:internal")) return undefined;
  const frame = line.trim().replace(/^at (?:async )?/, "");
  // A body without a name of its own goes by that of the field we call it by, which says nothing to its author.
  return /^(?:Object\.)?body \((.*)\)$/.exec(frame)?.[1] ?? frame;
}

/** A difference in words, part by part. */
export interface ToldDifference {
  /** The number of the recorded event, from 1; absent where the history ends. */
  readonly eventNumber?: number;
  /** What the history has: "TaskScheduled 'charge' with id 2"; absent where it ends. */
  readonly recorded?: string;
  /** What the program does in its place: "asks for the activity 'ship' with id 2", "ends", "asks for nothing of the kind". */
  readonly now: string;
  /** Where in the program that is, when it is known. */
  readonly place?: string;
  /** The last call that agreed with the history. */
  readonly lastAgreed?: string;
  readonly lastAgreedPlace?: string;
}

/** The parts of a difference, in words. */
export function toldDifference(difference: Difference, trace: Trace): ToldDifference {
  const { recorded, asked } = difference;
  const { lastAgreed } = trace;
  return {
    now: asked === undefined ? "asks for nothing of the kind" : asked === "end" ? "ends" : `asks for ${actionText(asked)}`,
    ...given({
      eventNumber: recorded?.number,
      recorded: recorded && eventText(recorded.event),
      place: asked === undefined || asked === "end" ? undefined : trace.places.get(asked.id),
      lastAgreed: lastAgreed && actionText(lastAgreed),
      lastAgreedPlace: lastAgreed && trace.places.get(lastAgreed.id),
    }),
  };
}

/** A difference in one sentence. */
export function reasonOf(name: string, told: ToldDifference): string {
  const history =
    told.recorded === undefined ? "its history ends here" : `its history has ${told.recorded} as event number ${told.eventNumber ?? 0}`;
  const agreed =
    told.lastAgreed === undefined
      ? "No call before it agreed with the history."
      : `The last call that agreed was ${told.lastAgreed}${placeText(told.lastAgreedPlace)}.`;
  return (
    `The orchestrator '${name}' does not do what it did before: ${history}, but now the program ${told.now}${placeText(told.place)}. ${agreed} ` +
    "Its code has changed, or depends on something that is not recorded (the time, chance, the world). Run it with code that fits its history " +
    "(versions keep old instances on old code), or terminate it."
  );
}

function placeText(place: string | undefined): string {
  return place === undefined ? "" : ` at ${place}`;
}

function eventText(event: HistoryEvent): string {
  const what = "name" in event ? ` '${event.name}'` : "operation" in event ? ` '${event.operation}'` : "";
  const target =
    event.kind === "EventSent" || event.kind === "SubOrchestrationInstanceCreated"
      ? ` (instance '${event.instanceId}')`
      : "entityId" in event
        ? ` (entity '${event.entityId}')`
        : event.kind === "EntityLockRequested"
          ? ` (entities ${entitiesText(event.lockSet)})`
          : "";
  return `${event.kind}${what}${target}${event.eventId >= 0 ? ` with id ${event.eventId}` : ""}`;
}

function actionText(action: Action): string {
  switch (action.kind) {
    case "scheduleTask":
      return `the activity '${action.name}' with id ${action.id}`;
    case "createSubOrchestration":
      return `the sub-orchestration '${action.name}' (instance '${action.instanceId}') with id ${action.id}`;
    case "createTimer":
      return `a timer with id ${action.id}`;
    case "cancelTimer":
      return `the end of the timer with id ${action.id}`;
    case "sendEvent":
      return `the event '${action.name}' to instance '${action.instanceId}' with id ${action.id}`;
    case "signalEntity":
      return `the signal '${action.operation}' to entity '${action.entityId}' with id ${action.id}`;
    case "callEntity":
      return `the call of operation '${action.operation}' of entity '${action.entityId}' with id ${action.id}`;
    case "lockEntities":
      return `the critical section of ${entitiesText(action.lockSet)} with id ${action.id}`;
    case "unlockEntity":
      return `the release of entity '${action.entityId}' with id ${action.id}`;
    case "terminateOrchestration":
      return `the end of instance '${action.instanceId}' with id ${action.id}`;
    case "rewindOrchestration":
      return "its rewind";
    case "completeOrchestration":
      return "its end";
  }
}

function entitiesText(ids: readonly EntityId[]): string {
  return ids.map((id) => `'${id}'`).join(", ");
}
