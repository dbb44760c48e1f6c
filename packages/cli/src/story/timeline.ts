// timeline: a history as a person reads it.
//
// Is told: the events of one execution, and the time now.
// Always:  pure. What was called says on its own line what became of it, so that nobody has to look for it. No payload unless asked for.
import { EVENT_PAYLOADS } from "ostinato/contract";
import type { EventKind } from "ostinato/contract";
import type { HistoryEvent } from "ostinato";
import { cut, plain } from "../print/escape.ts";
import { absolute, lengthOf, relative } from "../print/times.ts";
import { callsOf } from "./calls.ts";
import type { Call } from "./calls.ts";
import { attemptOf, callName, failureLine, programOf, quoted } from "./phrases.ts";

/** One line of a timeline. */
export interface TimelineLine {
  readonly at: number;
  /** Since the execution began. */
  readonly offsetMs: number;
  /** 0 for a turn and for what happened to the instance; 1 within a turn; 2 for payloads. */
  readonly indent: 0 | 1 | 2;
  readonly text: string;
  readonly tone: "turn" | "good" | "bad" | "waiting" | "plain" | "payload";
}

interface Telling {
  readonly calls: ReadonlyMap<number, Call>;
  readonly requests: ReadonlyMap<string, number>;
  readonly now: number;
  readonly isEnded: boolean;
  readonly begunAt: number;
  turn: number;
  suspendedAt: number | undefined;
}

type Phrase = Pick<TimelineLine, "text" | "tone"> & { readonly indent?: 0 };
type Tellers = { readonly [K in EventKind]: (event: Extract<HistoryEvent, { kind: K }>, telling: Telling) => Phrase };

const TELLERS: Tellers = {
  OrchestratorStarted: (_, telling) => ({ text: `turn ${++telling.turn}`, tone: "turn", indent: 0 }),
  ExecutionStarted: (event, telling) => {
    const parent =
      event.parent === undefined ? "" : `, by its parent ${quoted(event.parent.instanceId)} (#${event.parent.taskScheduledId})`;
    const planned = event.scheduledAt === undefined ? "" : `, planned for ${absolute(event.scheduledAt)}`;
    const carried = event.carriedEvents ?? [];
    const kept = carried.length === 0 ? "" : `, with events kept from before: ${carried.map((each) => quoted(each.name)).join(", ")}`;
    const earlier = telling.begunAt - event.timestamp;
    const waited = earlier > 0 && event.scheduledAt === undefined ? `, ${lengthOf(earlier)} after it was asked for` : "";
    return { text: `starts as ${programOf(event.name, event.version)}${waited}${parent}${planned}${kept}`, tone: "plain" };
  },
  ExecutionCompleted: (event, { begunAt }) => {
    const took = `${event.status} after ${lengthOf(event.timestamp - begunAt)}`;
    return event.failure === undefined
      ? { text: took, tone: event.status === "COMPLETED" ? "good" : "bad", indent: 0 }
      : { text: `${took}: ${failureLine(event.failure)}`, tone: "bad", indent: 0 };
  },
  ExecutionRewound: (event) => ({ text: `is rewound${reasonOf(event.reason)}: what failed is tried again`, tone: "waiting" }),
  ExecutionSuspended: (event, telling) => {
    telling.suspendedAt = event.timestamp;
    return { text: `suspended${reasonOf(event.reason)}`, tone: "waiting", indent: 0 };
  },
  ExecutionResumed: (event, telling) => {
    const after = telling.suspendedAt === undefined ? "" : ` after ${lengthOf(event.timestamp - telling.suspendedAt)}`;
    return { text: `resumed${after}${reasonOf(event.reason)}`, tone: "plain", indent: 0 };
  },
  ExecutionTerminated: (event) => ({ text: `is to be terminated${event.recursive ? ", its children too" : ""}`, tone: "bad" }),
  TaskScheduled: (event, telling) => asked(event, telling, (call) => `calls ${callName(call)}${attemptOf(call)}`),
  SubOrchestrationInstanceCreated: (event, telling) =>
    asked(event, telling, (call) => `starts ${callName(call)} as instance ${quoted(event.instanceId)}${attemptOf(call)}`),
  TimerCreated: (event, telling) =>
    asked(
      event,
      telling,
      (call) => `sets ${callName(call)} for ${lengthOf(event.fireAt - event.timestamp)}, until ${absolute(event.fireAt)}`,
    ),
  TaskCompleted: (event, telling) => ended(event.taskScheduledId, telling),
  TaskFailed: (event, telling) => ended(event.taskScheduledId, telling),
  SubOrchestrationInstanceCompleted: (event, telling) => ended(event.taskScheduledId, telling),
  SubOrchestrationInstanceFailed: (event, telling) => ended(event.taskScheduledId, telling),
  TimerFired: (event, telling) => ended(event.timerId, telling),
  TimerCancelled: (event) => ({ text: `takes timer #${event.timerId} back`, tone: "plain" }),
  EventSent: (event) => ({ text: `sends event ${quoted(event.name)} to instance ${quoted(event.instanceId)}`, tone: "plain" }),
  EventRaised: (event) => ({ text: `event ${quoted(event.name)} arrives`, tone: "good" }),
  EntityOperationSignaled: (event) => {
    const later = event.scheduledAt === undefined ? "" : `, for ${absolute(event.scheduledAt)}`;
    return { text: `signals ${quoted(event.operation)} to entity ${quoted(event.entityId)}${later}`, tone: "plain" };
  },
  EntityOperationCalled: (event, telling) => asked(event, telling, (call) => `calls ${callName(call)}${attemptOf(call)}`),
  EntityOperationCompleted: (event, telling) => answered(event, telling),
  EntityOperationFailed: (event, telling) => answered(event, telling),
  EntityLockRequested: (event, telling) => asked(event, telling, (call) => `asks for the ${callName(call)}`),
  EntityLockGranted: (event, telling) => answered(event, telling),
  EntityUnlockSent: (event, telling) => {
    const lock = telling.calls.get(telling.requests.get(event.criticalSectionId) ?? -1);
    const text = lock?.end?.how === "cancelled" ? "takes back the request for" : "lets go of";
    return { text: `${text} entity ${quoted(event.entityId)}`, tone: "plain" };
  },
};

/** The lines of a history. */
export function timelineOf(
  history: readonly HistoryEvent[],
  options: { readonly now: number; readonly payloads?: boolean },
): readonly TimelineLine[] {
  const begunAt = history[0]?.timestamp ?? options.now;
  let turnAt = begunAt;
  const calls = callsOf(history);
  const telling: Telling = {
    calls,
    requests: new Map([...calls.values()].flatMap(({ requestId, id }) => (requestId === undefined ? [] : [[requestId, id]]))),
    now: options.now,
    isEnded: history.at(-1)?.kind === "ExecutionCompleted",
    begunAt,
    turn: 0,
    suspendedAt: undefined,
  };
  const lines: TimelineLine[] = [];
  for (const event of history) {
    const { text, tone, indent = 1 } = (TELLERS[event.kind] as (event: HistoryEvent, telling: Telling) => Phrase)(event, telling);
    // A start was asked for before the turn that takes it up.
    if (event.kind === "OrchestratorStarted") turnAt = event.timestamp;
    const at = event.kind === "ExecutionStarted" ? turnAt : event.timestamp;
    lines.push({ at, offsetMs: at - begunAt, indent, text, tone });
    if (options.payloads !== true) continue;
    const fields: Readonly<Record<string, unknown>> = { ...event };
    for (const field of EVENT_PAYLOADS[event.kind]) {
      const payload = fields[field];
      if (typeof payload === "string")
        lines.push({ at, offsetMs: at - begunAt, indent: 2, text: `${field} ${cut(plain(payload), LONGEST_PAYLOAD)}`, tone: "payload" });
    }
  }
  return lines;
}

/** More of a payload makes no line; `--json` has all of it. */
const LONGEST_PAYLOAD = 2_000;

function reasonOf(reason: string | undefined): string {
  return reason === undefined || reason === "" ? "" : `: ${plain(reason)}`;
}

/** What was asked for, and what became of it. */
function asked(event: { readonly eventId: number }, telling: Telling, what: (call: Call) => string): Phrase {
  const call = telling.calls.get(event.eventId);
  // An id that was used twice is damage; the line is told nevertheless.
  if (call === undefined) return { text: `asks for #${event.eventId}`, tone: "plain" };
  return { text: `${what(call)} -> ${fateOf(call, telling)}`, tone: call.end === undefined && !telling.isEnded ? "waiting" : "plain" };
}

function fateOf(call: Call, { now, isEnded }: Telling): string {
  const { end } = call;
  if (end === undefined && isEnded) return "open when the execution ended";
  if (end === undefined)
    return call.fireAt === undefined ? `open for ${lengthOf(now - call.askedAt)}` : `open, due ${relative(call.fireAt, now)}`;
  return `${end.how} after ${lengthOf(end.at - call.askedAt)}, turn ${end.turn}`;
}

/** An entity's answer, found by what it carries. */
function answered(event: { readonly requestId: string } | { readonly criticalSectionId: string }, telling: Telling): Phrase {
  const id = telling.requests.get("requestId" in event ? event.requestId : event.criticalSectionId);
  return id === undefined ? { text: "an answer of an entity that nobody asked", tone: "bad" } : ended(id, telling);
}

/** A completion, with what it completes. */
function ended(id: number, telling: Telling): Phrase {
  const call = telling.calls.get(id);
  if (call?.end === undefined) return { text: `an answer to #${id}, which nobody asked for`, tone: "bad" };
  const { how, at, failure } = call.end;
  if (call.fireAt !== undefined) {
    const late = at - call.fireAt;
    return { text: `${callName(call)} fires${late > 0 ? `, ${lengthOf(late)} after it was due` : ""}`, tone: "good" };
  }
  const took = `${callName(call)}${attemptOf(call)} ${how} after ${lengthOf(at - call.askedAt)}`;
  return failure === undefined ? { text: took, tone: "good" } : { text: `${took}: ${failureLine(failure)}`, tone: "bad" };
}
