// explain: why an instance does not go on, and what will happen next.
//
// Is told: everything that is known of the instance, as plain values, and the same of the children it waits for.
// Tells:   reasons, each with what it waits for, since when, until when, and what to do.
// Always:  pure. It says no more than is stored (O1); what it concludes it says with the fact it concludes it from. No payload.
import type { Failure, HistoryEvent, InstanceStatus, OutstandingActivityStatus, OutstandingStatus } from "ostinato";
import { LATEST_INSTANT } from "ostinato/contract";
import { absolute, lengthOf, relative } from "../print/times.ts";
import { openCalls } from "./calls.ts";
import type { Call } from "./calls.ts";
import { attemptOf, callName, failureLine, quoted } from "./phrases.ts";
import { plain } from "../print/escape.ts";

/** What is known of an instance. Instants are milliseconds. */
export interface Facts {
  readonly now: number;
  readonly id: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly status: InstanceStatus;
  readonly createdAt: number;
  readonly scheduledAt: number | undefined;
  readonly startedAt: number | undefined;
  readonly updatedAt: number;
  readonly completedAt: number | undefined;
  readonly failure: Failure | undefined;
  readonly stall: { readonly kind: string; readonly reason: string; readonly since: number; readonly attempts: number } | undefined;
  /** Not tried before this. */
  readonly notBefore: number | undefined;
  readonly awaitedEvents: readonly string[];
  readonly history: readonly HistoryEvent[];
  readonly outstanding: OutstandingStatus | undefined;
  /** Who has the task hub's file: a process, nobody, or not known. */
  readonly holder: { readonly pid: number | undefined } | "nobody" | "unknown";
  /** Children that it waits for, as far as somebody looked. `null`: there is no such instance yet. */
  readonly children: ReadonlyMap<string, Facts | null>;
}

/** One thing that an instance waits for. */
export interface Reason {
  readonly kind:
    | "ended"
    | "suspended"
    | "stalled"
    | "scheduled"
    | "not-started"
    | "inbox"
    | "event"
    | "timer"
    | "activity"
    | "child"
    | "entity"
    | "program";
  /** In words. */
  readonly what: string;
  readonly since?: number;
  readonly until?: number;
  /** What a person can do about it, where that is something. */
  readonly remedy?: string;
  /** The same of the child. */
  readonly child?: Explanation;
}

/** Why an instance stands where it stands. */
export interface Explanation {
  readonly id: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly status: InstanceStatus;
  /** One sentence. */
  readonly summary: string;
  readonly reasons: readonly Reason[];
  /** What will happen next, and when. */
  readonly next: readonly string[];
}

/** Explains an instance. */
export function explain(facts: Facts): Explanation {
  const reasons = reasonsOf(facts);
  const { id, name, version, status } = facts;
  return { id, name, version, status, summary: summaryOf(facts, reasons), reasons, next: nextOf(facts, reasons) };
}

function reasonsOf(facts: Facts): readonly Reason[] {
  if (facts.completedAt !== undefined || isEnded(facts.status)) return [endedReason(facts)];
  const reasons: Reason[] = [];
  if (facts.status === "SUSPENDED") reasons.push(suspendedReason(facts));
  if (facts.stall !== undefined) reasons.push(stalledReason(facts, facts.stall));
  if (facts.history.length === 0) {
    if (facts.stall === undefined) reasons.push(startReason(facts));
    return reasons;
  }
  const inbox = inboxReason(facts);
  if (inbox !== undefined) reasons.push(inbox);
  for (const name of facts.awaitedEvents) reasons.push(eventReason(facts, name));
  for (const call of openCalls(facts.history)) reasons.push(callReason(facts, call));
  if (reasons.length === 0) reasons.push(programReason(facts));
  return reasons;
}

function isEnded(status: InstanceStatus): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "TERMINATED";
}

function endedReason({ id, status, completedAt, failure, name }: Facts): Reason {
  const since = completedAt === undefined ? {} : { since: completedAt };
  if (status !== "FAILED") return { kind: "ended", what: `it has ended: ${status}`, ...since };
  return {
    kind: "ended",
    what: `it has failed: ${failure === undefined ? "it says no more" : failureLine(failure)}`,
    ...since,
    remedy: `when the cause is gone: ostinato rewind ${argument(id)} repeats only what failed, ostinato restart ${argument(id)} runs ${quoted(name)} again from the beginning`,
  };
}

function suspendedReason({ history, id, updatedAt }: Facts): Reason {
  const last = history.findLast((event) => event.kind === "ExecutionSuspended");
  const why = last?.reason === undefined || last.reason === "" ? "" : `: ${plain(last.reason)}`;
  return {
    kind: "suspended",
    what: `it is suspended${why}; events and results wait meanwhile`,
    since: last?.timestamp ?? updatedAt,
    remedy: `ostinato resume ${argument(id)}`,
  };
}

/** What helps against each kind of stall. */
const REMEDIES: Readonly<Record<string, (facts: Facts) => string>> = {
  "non-determinism": () =>
    "start a worker whose code makes the calls that the history has (give changed code a new version, or ask ctx.isVersionAtLeast); `ostinato check` finds all instances that today's code does not fit",
  "non-durable-wait": () =>
    "let the orchestrator await nothing but its context's tasks (move the fetch, the file, the platform's timer into an activity), and start a worker with that code",
  "not-registered": ({ name }) => `start a worker that registers the orchestrator ${quoted(name)}`,
  version: ({ version, name }) =>
    `start a worker that takes ${quoted(name)}${version === undefined ? "" : ` in version ${plain(version)}`}`,
  // An activity that is set aside leaves the instance itself free to run.
  "set-aside": ({ id, notBefore }) =>
    `find out what ends or hangs the process that runs ${notBefore === undefined ? "the activity" : "it"}; then ostinato suspend ${argument(id)} and ostinato resume ${argument(id)}, or ostinato terminate ${argument(id)}`,
};

function stalledReason(facts: Facts, stall: NonNullable<Facts["stall"]>): Reason {
  const tried = stall.attempts > 1 ? `, tried ${stall.attempts} times` : "";
  const remedy = REMEDIES[stall.kind]?.(facts);
  return {
    kind: "stalled",
    what: `it stalls (${plain(stall.kind)}${tried}): ${plain(stall.reason)}`,
    since: stall.since,
    ...(facts.notBefore !== undefined && stall.kind !== "set-aside" && facts.notBefore > facts.now ? { until: facts.notBefore } : {}),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function startReason(facts: Facts): Reason {
  const { scheduledAt, startedAt, updatedAt, now, name, createdAt } = facts;
  if (startedAt !== undefined)
    return { kind: "program", what: `its next execution is about to begin${nobodyHere(facts)}`, since: updatedAt };
  if (scheduledAt !== undefined && scheduledAt > now)
    return { kind: "scheduled", what: `it was started for ${absolute(scheduledAt)}`, since: createdAt, until: scheduledAt };
  return {
    kind: "not-started",
    what: `nobody has begun to run it${nobodyHere(facts)}`,
    since: Math.max(createdAt, scheduledAt ?? 0),
    remedy: `start a worker that registers the orchestrator ${quoted(name)}`,
  };
}

/** Messages that nobody has taken: a suspended or stalled instance has said already why. */
function inboxReason(facts: Facts): Reason | undefined {
  const { outstanding, status, stall, name, notBefore, now } = facts;
  if (outstanding === undefined || outstanding.dueMessages === 0 || status === "SUSPENDED" || stall !== undefined) return undefined;
  const { dueMessages: count, oldestDueAt } = outstanding;
  const messages = count === 1 ? "a message (an answer, an event or a timer) waits" : `${count} messages (answers, events, timers) wait`;
  const since = oldestDueAt === undefined ? {} : { since: oldestDueAt.getTime() };
  if (notBefore !== undefined && notBefore > now)
    return { kind: "inbox", what: `${messages} in its inbox; a worker gave the last turn back`, ...since, until: notBefore };
  if (outstanding.isClaimed && facts.holder !== "nobody")
    return { kind: "inbox", what: `${messages} in its inbox; its turn is with ${holderName(facts)}`, ...since };
  return {
    kind: "inbox",
    what: `${messages} in its inbox, and nobody takes ${count === 1 ? "it" : "them"}${nobodyHere(facts)}`,
    ...since,
    remedy: `start a worker that registers the orchestrator ${quoted(name)}`,
  };
}

function eventReason(facts: Facts, name: string): Reason {
  const turns = facts.history.filter((event) => event.kind === "OrchestratorStarted");
  const last = turns.at(-1)?.timestamp;
  // A wait leaves no trace in a history: only after the first turn is it known since when.
  const since = turns.length === 1 && last !== undefined ? { since: last } : {};
  const ran = turns.length > 1 && last !== undefined ? `; its program last ran at ${absolute(last)} (${relative(last, facts.now)})` : "";
  return {
    kind: "event",
    what: `it waits for the external event ${quoted(name)}${ran}`,
    ...since,
    remedy: `ostinato raise ${argument(facts.id)} ${argument(name)} --data '...'`,
  };
}

function callReason(facts: Facts, call: Call): Reason {
  switch (call.kind) {
    case "timer":
      return timerReason(facts, call);
    case "activity":
      return activityReason(facts, call);
    case "child":
      return childReason(facts, call);
    case "entity":
    case "lock":
      return entityReason(call);
  }
}

function timerReason({ now }: Facts, call: Call): Reason {
  const failed = call.after;
  const why = failed === undefined ? "" : `, set when ${callName(failed)}${attemptOf(failed)} had failed (${failureOf(failed)})`;
  const fireAt = call.fireAt ?? now;
  const what = fireAt > now ? `${callName(call)}${why}` : `${callName(call)}${why} is due and has not been taken yet`;
  return { kind: "timer", what, since: call.askedAt, until: fireAt };
}

function failureOf(call: Call): string {
  return call.end?.failure === undefined ? "no reason recorded" : failureLine(call.end.failure);
}

function activityReason(facts: Facts, call: Call): Reason {
  const row = facts.outstanding?.activities.find((each) => each.taskId === call.id);
  const which = `${callName(call)}${attemptOf(call)}`;
  if (row === undefined) {
    const done = facts.outstanding !== undefined && facts.outstanding.activities.length === facts.outstanding.activityCount;
    return {
      kind: "activity",
      what: done ? `${which} is done; its answer waits to be taken` : `${which} is not done`,
      since: call.askedAt,
    };
  }
  const until = row.expiresAt === undefined ? {} : { until: row.expiresAt.getTime() };
  const since = row.since.getTime();
  if (row.isOut) return { kind: "activity", ...outReason(facts, row, which), since, ...until };
  if (since >= LATEST_INSTANT)
    return { kind: "activity", what: `${which} is set aside until its instance is suspended and resumed`, since: call.askedAt };
  if (since > facts.now)
    return { kind: "activity", what: `${which} was given back by a worker and is offered again then`, since: call.askedAt, until: since };
  const again = row.deliveries > 0 ? `; ${times(row.deliveries)} a worker took it and gave no answer` : "";
  return {
    kind: "activity",
    what: `${which} waits for a worker${again}${nobodyHere(facts)}`,
    since,
    ...until,
    remedy: `start a worker that registers the activity ${quoted(call.name)} and has room for it`,
  };
}

function outReason(facts: Facts, row: OutstandingActivityStatus, which: string): Pick<Reason, "what" | "remedy"> {
  const again = row.deliveries > 1 ? `, for the ${ordinal(row.deliveries)} time` : "";
  if (facts.holder === "nobody")
    return {
      what: `${which} was with a worker whose process is gone${again}; it runs again when the next worker starts`,
      remedy: `start a worker that registers the activity ${quoted(row.name)}`,
    };
  return { what: `${which} is being run by ${holderName(facts)}${again}` };
}

/** Who has the entity, and what lies in its inbox, stands with the entity. */
function entityReason(call: Call): Reason {
  const [first = ""] = call.entities ?? [];
  return {
    kind: "entity",
    what: call.kind === "lock" ? `the ${callName(call)}` : `${callName(call)}${attemptOf(call)}`,
    since: call.askedAt,
    remedy: `ostinato entity ${argument(first)}`,
  };
}

function childReason(facts: Facts, call: Call): Reason {
  const id = call.instanceId ?? "";
  const which = `${callName(call)}${attemptOf(call)}, instance ${quoted(id)}`;
  const child = facts.children.get(id);
  if (child === undefined) return { kind: "child", what: which, since: call.askedAt, remedy: `ostinato explain ${argument(id)}` };
  if (child === null)
    return { kind: "child", what: `${which}, which does not exist (it was purged, or is about to be made)`, since: call.askedAt };
  return { kind: "child", what: which, since: call.askedAt, child: explain(child) };
}

/** It waits for nothing that is recorded: its turn is under way, or its code awaits something that leaves no trace. */
function programReason(facts: Facts): Reason {
  const who =
    facts.holder === "nobody"
      ? "no process has the task hub's file open, so its last turn is repeated when a worker starts"
      : `its turn is with ${holderName(facts)}`;
  return { kind: "program", what: `nothing that it asked for is open: ${who}`, since: facts.updatedAt };
}

function summaryOf(facts: Facts, reasons: readonly Reason[]): string {
  const { status, now } = facts;
  const [first] = reasons;
  if (first === undefined) return `It is ${status}.`;
  const since = first.since === undefined ? "" : `, since ${absolute(first.since)} (${lengthOf(now - first.since)})`;
  if (first.kind === "ended") return `It is ${status}${since}; it waits for nothing.`;
  const count = reasons.length === 1 ? "one thing" : `${reasons.length} things`;
  if (first.kind === "suspended") return `It is suspended${since}.`;
  if (first.kind === "stalled") return `It is ${status} and stalls${since}: it has work to do that nobody can run.`;
  if (first.kind === "scheduled") return `It is to start ${relative(first.until ?? now, now)}.`;
  if (first.kind === "not-started") return `It is ${status}: nobody has begun to run it${since}.`;
  return `It is ${status} and waits for ${count}.`;
}

function nextOf(facts: Facts, reasons: readonly Reason[]): readonly string[] {
  const next: string[] = [];
  const { now, holder } = facts;
  const ended = reasons[0]?.kind === "ended";
  if (ended) return next;
  if (holder === "nobody") next.push("Nothing, until a process opens the task hub and starts a worker: no process has its file open now.");
  const at = (instant: number): string => `${absolute(instant)} (${relative(instant, now)})`;
  for (const reason of reasons) {
    if (reason.until === undefined) continue;
    if (reason.kind === "scheduled") next.push(`It starts at ${at(reason.until)}.`);
    else if (reason.kind === "stalled") next.push(`It is tried again at ${at(reason.until)}, and when a worker starts.`);
    else if (reason.kind === "inbox") next.push(`It is tried again at ${at(reason.until)}.`);
  }
  const timers = reasons.filter((reason) => reason.kind === "timer" && reason.until !== undefined && reason.until > now);
  const first = timers.reduce<number | undefined>((least, { until }) => (least === undefined || until! < least ? until : least), undefined);
  if (first !== undefined && facts.status !== "SUSPENDED") next.push(`The first timer is due at ${at(first)}.`);
  const expiring = reasons.filter((reason) => reason.kind === "activity" && reason.until !== undefined);
  for (const { until } of expiring.slice(0, 1)) next.push(`A call of an activity runs out of time at ${at(until!)}.`);
  if (facts.status === "SUSPENDED") next.push("Its program does not go on until it is resumed.");
  const isOut = facts.outstanding?.activities.some((activity) => activity.isOut) === true;
  if (next.length === 0 && isOut)
    next.push("The activity's answer begins the next turn. Should its process die first, the activity runs again.");
  if (next.length === 0 && reasons.every((reason) => reason.kind === "event")) next.push("Nothing, until the event is raised.");
  return next;
}

function holderName({ holder }: Facts): string {
  return typeof holder === "object" && holder.pid !== undefined ? `process ${holder.pid}` : "a worker";
}

function nobodyHere({ holder }: Facts): string {
  if (holder === "nobody") return "; no process has the task hub's file open";
  if (holder === "unknown" || holder.pid === undefined) return "";
  return `; process ${holder.pid} has the task hub's file open, so its workers do not serve it, or have no room`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

function ordinal(count: number): string {
  const ending = count % 100 > 10 && count % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][count % 10] ?? "th");
  return `${count}${ending}`;
}

/** An id or a name as an argument of a command line. */
export function argument(text: string): string {
  const shown = plain(text);
  return /^[\w@%+=:,./-]+$/.test(shown) && !shown.startsWith("-") ? shown : `'${shown.replaceAll("'", `'\\''`)}'`;
}
