// open-turn: an inbox is opened, and becomes a turn for a program, a commit of the engine's own, or nothing.
//
// Owns:    which messages a turn takes, in which order, and at which time; what the engine answers without a program.
// Is told: the claim, the completions that can be folded, the reading of the store's clock, whether a program can run here.
// Tells:   an Opening.
// Always:  O1 a turn's time is never before the instance's last turn, nor before a timer that it takes (T1, T3).
//          O2 every message handed out is taken, left in place, or dropped and counted; never forgotten (I5, G13).
//          O3 a message for another execution reaches no program (H9).
//          O4 terminate wins over everything else in the inbox (C4).

import type { ExecutionStarted, ExecutionTerminated, HistoryEvent, TaskCompleted, TaskFailed } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import type { InstanceId, MessageId } from "../contract/ids.ts";
import { isTerminal, type InstancePayloads, type InstanceRecord, type Stall } from "../contract/instance.ts";
import { LATEST_INSTANT, type Instant } from "../contract/instant.ts";
import { byDelivery, type InboxMessage, type Message } from "../contract/messages.ts";
import { given } from "../contract/recorded-as.ts";
import { expiryMessageId } from "./close-activity.ts";
import { EMPTY_COMMIT, type ActivityClaim, type ActivityKey, type Commit, type Lease } from "./commit.ts";
import { releasesOf } from "./entity-locks.ts";
import { asStart, isChildRewind, rewindChild } from "./rewind.ts";
import { heldStartMessageId, newInstanceRecord, startMessageIds } from "./start.ts";
import { tellParent } from "./tell-parent.ts";

/** A completion that goes straight into the next turn, instead of through the inbox. */
export interface Fold {
  readonly claim: ActivityClaim;
  readonly event: TaskCompleted | TaskFailed;
}

/** An instance that this process holds, with what has come for it. */
export interface HeldInstance extends Lease {
  readonly record: InstanceRecord;
  readonly messages: readonly InboxMessage[];
  readonly folds: readonly Fold[];
}

/** What the engine may count on here. */
export interface OpeningRules {
  /** A worker of this process serves the instance's name. */
  readonly canRun: boolean;
  /** Set when nobody serves the name and such work is to fail: the failure. */
  readonly failWith?: Failure;
  /** More claims than this without a committed turn set an instance aside. */
  readonly maxClaims: number;
}

/** A turn that a program is to run. */
export interface OpenedTurn {
  /** As it stands at the beginning of the turn (with a replaced child: as the new one begins). */
  readonly record: InstanceRecord;
  readonly at: Instant;
  readonly newEvents: readonly HistoryEvent[];
  /** The messages whose events it takes, in their order. */
  readonly taken: readonly InboxMessage[];
  /** All that goes with the turn: those, the start, and what is answered or dropped. */
  readonly consumed: readonly MessageId[];
  readonly folds: readonly Fold[];
  readonly finished: readonly ActivityKey[];
  readonly cancelled: readonly MessageId[];
  /** Answers of the engine's own that go out with the turn. */
  readonly messages: readonly Message[];
  /** The record before, when this turn replaces an earlier attempt of a child. */
  readonly replaces?: InstanceRecord;
}

/** What an inbox turned out to be. */
export type Opening =
  | { readonly kind: "run"; readonly turn: OpenedTurn }
  | { readonly kind: "commit"; readonly commit: Commit }
  /** A terminate has to be passed on: ask again with the next page of children. */
  | { readonly kind: "needs-children"; readonly after: string | undefined }
  /** Something that stands beside the record has to be told: ask again with the instance's payloads. */
  | { readonly kind: "needs-payloads" }
  /** The start is still to come, behind more messages than one claim hands out: keep these, and ask for those that follow. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "nothing" };

/** A claim hands out at most this many messages of one instance. */
const MOST_MESSAGES = 1_000;

/** A page of an instance's children, for a recursive terminate. */
export interface ChildrenPage {
  readonly ids: readonly InstanceId[];
  /** The cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/** What was asked for by an opening before. */
export interface Fetched {
  readonly children?: ChildrenPage;
  readonly payloads?: InstancePayloads;
}

/** Opens the inbox of a held instance. */
export function openTurn(held: HeldInstance, reading: Instant, rules: OpeningRules, fetched: Fetched = {}): Opening {
  if (held.messages.length === 0 && held.folds.length > 0 && rules.canRun && goesStraightOn(held.record, rules)) {
    return { kind: "run", turn: foldedTurn(held, reading) };
  }
  let messages = held.messages.length > 1 ? held.messages.toSorted(byDelivery) : held.messages;
  const { record } = held;
  const rewind = messages.find(isChildRewind);
  if (rewind !== undefined) {
    // What has ended passes a terminate on that came before, and is not hit by it when it goes on.
    const ended = isTerminal(record.status) && messages.some(({ event }, at) => recursive(event) && at < messages.indexOf(rewind));
    const child = ended ? undefined : rewindChild(held, rewind, reading, fetched.payloads);
    if (child !== undefined) return child.kind === "commit" ? child : { kind: "needs-payloads" };
    messages = messages.map(asStart);
  }
  const terminate = messages.find(
    (message) => message.event.kind === "ExecutionTerminated" && (!isTerminal(record.status) || message.event.recursive),
  );
  const sorted = sortInbox(held, messages);
  if (terminate !== undefined) return terminated(held, sorted, messages, terminate, reading, fetched);

  const { started } = sorted;
  if (started === undefined && isTerminal(record.status))
    return messages.length === 0 ? { kind: "nothing" } : { kind: "commit", commit: answerOnly(held, sorted, reading) };
  const aside = record.notBefore === LATEST_INSTANT;
  if (record.attempts > rules.maxClaims && !aside) return { kind: "commit", commit: setAside(held, claimedTooOften(record), reading) };
  if (record.status === "SUSPENDED" && started !== undefined) return { kind: "commit", commit: holdStart(held, started) };

  const hasWork = started !== undefined || (record.historyLength > 0 && (sorted.events.length > 0 || sorted.folds.length > 0));
  if (hasWork && !record.held && !aside) {
    if (rules.canRun) return { kind: "run", turn: turnOf(held, sorted, reading) };
    if (rules.failWith !== undefined) return { kind: "commit", commit: failed(held, sorted, rules.failWith, reading) };
    if (started !== undefined && isTerminal(record.status)) return { kind: "commit", commit: makeWay(held, started.event, reading) };
  }
  if (sorted.dropped.length + sorted.refusals.length > 0) return { kind: "commit", commit: answerOnly(held, sorted, reading) };
  if (rules.canRun && !record.held && !aside && record.historyLength === 0 && messages.length >= MOST_MESSAGES)
    return { kind: "incomplete" };
  return { kind: "nothing" };
}

/** Nothing but completions has come, for an instance that nothing is special about: the step that is taken most. */
function goesStraightOn(record: InstanceRecord, rules: OpeningRules): boolean {
  return (
    record.status === "RUNNING" &&
    !record.held &&
    record.notBefore === undefined &&
    record.historyLength > 0 &&
    record.attempts <= rules.maxClaims
  );
}

/** What `turnOf` makes of such an inbox, without looking for anything else. */
function foldedTurn(held: HeldInstance, reading: Instant): OpenedTurn {
  const { record, folds } = held;
  const at = Math.max(reading, record.lastTurnAt);
  const started: HistoryEvent = { kind: "OrchestratorStarted", eventId: -1, timestamp: at };
  const newEvents = folds.length === 1 ? [started, folds[0]!.event] : [started, ...folds.map((fold) => fold.event)];
  return {
    record,
    at,
    newEvents,
    taken: NOTHING,
    consumed: NOTHING,
    folds,
    finished: NOTHING,
    cancelled: expiriesOf(folds),
    messages: NOTHING,
  };
}

/** The expiry messages of calls whose completions are folded in. */
export function expiriesOf(folds: readonly Fold[]): readonly MessageId[] {
  let cancelled: MessageId[] | undefined;
  for (const { claim } of folds) if (claim.row.expiresAt !== undefined) (cancelled ??= []).push(expiryMessageId(claim.row));
  return cancelled ?? NOTHING;
}

/** An inbox, sorted into what each message means. */
interface SortedInbox {
  readonly started: (InboxMessage & { readonly event: ExecutionStarted }) | undefined;
  readonly events: readonly InboxMessage[];
  readonly folds: readonly Fold[];
  /** Calls whose time is up: their rows go with the turn. */
  readonly expired: readonly ActivityKey[];
  readonly dropped: readonly InboxMessage[];
  /** Starts that found the id taken, with the answer to each parent. */
  readonly refusals: readonly { readonly message: InboxMessage; readonly answer: Message | undefined }[];
}

const NOTHING: readonly never[] = [];

function sortInbox(held: HeldInstance, messages: readonly InboxMessage[]): SortedInbox {
  const { record } = held;
  let started: SortedInbox["started"];
  const events: InboxMessage[] = [];
  const dropped: InboxMessage[] = [];
  const refusals: SortedInbox["refusals"][number][] = [];
  const expired: ActivityKey[] = [];
  const finished = isTerminal(record.status);
  const folded = held.folds.length === 0 ? undefined : new Set(held.folds.map((fold) => fold.event.taskScheduledId));
  for (const message of messages) {
    const { event } = message;
    if (event.kind === "ExecutionStarted") {
      if (started === undefined && (isOwnStart(record, event) || replaces(record, event)))
        started = message as InboxMessage & { event: ExecutionStarted };
      else if (event.parent === undefined && event.executionId !== record.executionId)
        // An entity's start of an id that is taken: nobody waits for an answer.
        dropped.push(message);
      else
        refusals.push({ message, answer: event.executionId === record.executionId ? undefined : startRefused(record, event, message.id) });
    } else if (finished || (message.execution !== undefined && message.execution !== record.executionId)) {
      dropped.push(message);
    } else if (
      event.kind === "TaskFailed" &&
      message.id === expiryMessageId({ executionId: record.executionId, taskId: event.taskScheduledId })
    ) {
      // A completion that is there at the same time is the better answer.
      if (folded?.has(event.taskScheduledId)) continue;
      events.push(message);
      expired.push({ number: record.number, generation: record.generation, taskId: event.taskScheduledId });
    } else {
      events.push(message);
    }
  }
  return { started, events, folds: held.folds, expired, dropped, refusals };
}

function isOwnStart(record: InstanceRecord, event: ExecutionStarted): boolean {
  return event.executionId === record.executionId && record.historyLength === 0 && !isTerminal(record.status);
}

/** A finished child is replaced by a later attempt of the same call: same parent, same name. Every other instance is left alone. */
function replaces(record: InstanceRecord, event: ExecutionStarted): boolean {
  return (
    isTerminal(record.status) &&
    event.executionId !== record.executionId &&
    event.parent !== undefined &&
    record.parent?.instanceId === event.parent.instanceId &&
    record.name === event.name
  );
}

function startRefused(record: InstanceRecord, event: ExecutionStarted, id: MessageId): Message | undefined {
  if (event.parent === undefined) return undefined;
  return {
    id: `${id}:refused`,
    to: event.parent.instanceId,
    execution: event.parent.executionId,
    wakes: "unless-held",
    needs: "program",
    event: {
      kind: "SubOrchestrationInstanceFailed",
      eventId: -1,
      timestamp: event.timestamp,
      taskScheduledId: event.parent.taskScheduledId,
      failure: {
        errorType: "OrchestrationAlreadyExists",
        message: `There is already an instance '${record.id}' (${record.status}, orchestrator '${record.name}'), so no child could be started under this id.`,
        nonRetriable: true,
      },
    },
  };
}

function turnOf(held: HeldInstance, sorted: SortedInbox, reading: Instant): OpenedTurn {
  const start = sorted.started?.event;
  const replaced = start !== undefined && start.executionId !== held.record.executionId;
  const record = replaced ? replacement(held.record, start, reading) : held.record;
  const at = turnTime(held.record, sorted.events, reading);
  const newEvents: HistoryEvent[] = [{ kind: "OrchestratorStarted", eventId: -1, timestamp: at }];
  if (start !== undefined) {
    newEvents.push(start);
    if (start.carriedEvents !== undefined) newEvents.push(...start.carriedEvents);
  }
  // That it is rewound stands in its history already: the message only wakes it.
  for (const { event } of sorted.events) if (event.kind !== "ExecutionRewound") newEvents.push(event);
  for (const fold of sorted.folds) newEvents.push(fold.event);
  const consumed: MessageId[] = sorted.started === undefined ? [] : [sorted.started.id];
  for (const message of sorted.events) consumed.push(message.id);
  for (const message of sorted.dropped) consumed.push(message.id);
  for (const refusal of sorted.refusals) consumed.push(refusal.message.id);
  const drops = sorted.dropped.length;
  return {
    record: drops === 0 ? record : { ...record, dropped: record.dropped + drops },
    at,
    newEvents,
    taken: sorted.events,
    consumed,
    folds: sorted.folds,
    finished: sorted.expired,
    cancelled: expiriesOf(sorted.folds),
    messages: sorted.refusals.length === 0 ? NOTHING : sorted.refusals.flatMap((refusal) => refusal.answer ?? []),
    ...(replaced ? { replaces: held.record } : undefined),
  };
}

function replacement(before: InstanceRecord, event: ExecutionStarted, at: Instant): InstanceRecord {
  const fresh = newInstanceRecord(event, at, true);
  return {
    ...fresh,
    number: before.number,
    createdAt: before.createdAt,
    epoch: before.epoch,
    turn: before.turn,
    generation: before.generation + 1,
    lastTurnAt: before.lastTurnAt,
    dropped: before.dropped,
  };
}

function turnTime(record: InstanceRecord, taken: readonly InboxMessage[], reading: Instant): Instant {
  let at = Math.max(reading, record.lastTurnAt);
  for (const message of taken) if (message.visibleAt !== undefined && message.visibleAt > at) at = message.visibleAt;
  return at;
}

/** Takes what nobody wants and answers refused starts; the program is not needed. */
function answerOnly(held: HeldInstance, sorted: SortedInbox, at: Instant): Commit {
  const { record } = held;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: held.number, epoch: held.epoch }],
    number: held.number,
    record: { ...record, attempts: 0, dropped: record.dropped + sorted.dropped.length, updatedAt: Math.max(at, record.updatedAt) },
    consumed: [...sorted.dropped, ...sorted.refusals.map((refusal) => refusal.message)].map((message) => message.id),
    messages: sorted.refusals.flatMap((refusal) => refusal.answer ?? []),
    keep: false,
  };
}

/** An earlier attempt makes way for a start that another process will run: the record becomes the new one's, the start stays in the inbox. */
export function makeWay(held: HeldInstance, start: ExecutionStarted, at: Instant): Commit {
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: held.number, epoch: held.epoch }],
    number: held.number,
    record: { ...replacement(held.record, start, at), turn: held.record.turn + 1, attempts: 0 },
    payloads: { input: start.input ?? null, output: null, failure: null, customStatus: null },
    history: { mode: "replace", events: [] },
    keep: false,
  };
}

/** A start that came while its instance is suspended waits until it is resumed. */
function holdStart(held: HeldInstance, started: InboxMessage): Commit {
  const { to, needs, event } = started;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: held.number, epoch: held.epoch }],
    number: held.number,
    consumed: [started.id],
    messages: [{ id: heldStartMessageId(held.record.executionId), to, needs, wakes: "unless-held", event }],
    keep: false,
  };
}

function claimedTooOften(record: InstanceRecord): string {
  return `The instance was claimed ${record.attempts - 1} times without a committed turn (its process ended each time, or its turn never came to an end), so it is set aside. Look for a crash or an endless loop in '${record.name}', then resume it by suspending and resuming, or terminate it.`;
}

/** The commit that puts an instance aside until an operator resumes or terminates it. */
export function setAside(held: Pick<HeldInstance, "number" | "epoch" | "record">, reason: string, at: Instant): Commit {
  const { record } = held;
  const stall: Stall = { kind: "set-aside", reason, since: at, attempts: Math.max(0, record.attempts - 1) };
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: held.number, epoch: held.epoch }],
    number: held.number,
    record: { ...record, stall, notBefore: LATEST_INSTANT, updatedAt: Math.max(at, record.updatedAt) },
    keep: false,
  };
}

/** Closes an instance that nobody can run, where the hub says that such work fails. */
function failed(held: HeldInstance, sorted: SortedInbox, failure: Failure, reading: Instant): Commit {
  // What could be folded is written as messages beside this, and goes with the execution.
  const turn = turnOf(held, { ...sorted, folds: [] }, reading);
  return closing(held, turn, "FAILED", { failure }, []);
}

function terminated(
  held: HeldInstance,
  sorted: SortedInbox,
  messages: readonly InboxMessage[],
  message: InboxMessage,
  reading: Instant,
  { children, payloads }: Fetched,
): Opening {
  const event = message.event as ExecutionTerminated;
  const letIn = letStartIn(held, sorted);
  if (letIn !== undefined) return { kind: "commit", commit: letIn };
  if (event.recursive && children === undefined) return { kind: "needs-children", after: event.after };
  const { after: _told, ...order } = event;
  const forwards = (children?.ids ?? []).map((id): Message => passOn(order, id, `${message.id}:${id}`));
  // More children than one step tells: the next step is a message to this very instance, which survives a crash like any other.
  if (children?.next !== undefined)
    forwards.push(passOn({ ...event, after: children.next }, held.record.id, `${message.id}:after:${children.next}`));

  // An attempt that had not begun when the terminate came is ended like any other; one that comes after it is not meant.
  const { started } = sorted;
  const replaced = started !== undefined && isTerminal(held.record.status) && byDelivery(started, message) < 0;
  const record = replaced ? replacement(held.record, started.event, reading) : held.record;
  const at = turnTime(held.record, [], reading);
  if (isTerminal(record.status)) {
    const commit: Commit = {
      ...EMPTY_COMMIT,
      fences: [{ kind: "instance", number: held.number, epoch: held.epoch }],
      number: held.number,
      record: { ...record, attempts: 0 },
      consumed: [message.id],
      messages: forwards,
      keep: false,
    };
    return { kind: "commit", commit };
  }
  const newEvents: HistoryEvent[] = [{ kind: "OrchestratorStarted", eventId: -1, timestamp: at }];
  if (started !== undefined) newEvents.push(started.event);
  // A start for later is not to be seen yet; the history begins with it all the same (H3).
  else if (record.historyLength === 0) {
    if (payloads === undefined) return { kind: "needs-payloads" };
    newEvents.push(startOf(record, payloads.input));
  }
  newEvents.push(event);
  // Starts find the id taken in their own turn, and another recursion has children to reach; what was for this execution goes with it.
  const others = messages.filter(
    (each) =>
      each !== message &&
      each.event.kind !== "ExecutionStarted" &&
      !recursive(each.event) &&
      (each.execution === undefined || each.execution !== record.executionId),
  );
  const turn: OpenedTurn = {
    record: { ...record, dropped: record.dropped + others.length },
    at,
    newEvents,
    taken: NOTHING,
    consumed: [message.id, ...(started ? [started.id] : []), ...others.map((each) => each.id)],
    folds: [],
    finished: [],
    cancelled: started === undefined && record.historyLength === 0 ? startMessageIds(record.executionId) : [],
    messages: [],
    ...(replaced ? { replaces: held.record } : {}),
  };
  return { kind: "commit", commit: closing(held, turn, "TERMINATED", given({ output: event.output }), forwards) };
}

/**
 * What continue-as-new carried along stands in a start that a suspension keeps back. It is let in first, so that the history has it (I5): the terminate
 * stays where it is, and both are handed out together.
 */
function letStartIn({ record, number, epoch }: HeldInstance, { started }: SortedInbox): Commit | undefined {
  if (started !== undefined || !record.held || record.historyLength > 0 || record.generation === 1) return undefined;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number, epoch }],
    number,
    record: { ...record, status: "RUNNING", held: false, attempts: 0 },
    keep: false,
  };
}

/** The start of an instance as its record and its input tell it. */
function startOf(record: InstanceRecord, input: string | undefined): ExecutionStarted {
  const { id: instanceId, executionId, name, version, parent, tags, scheduledAt, traceContext } = record;
  return {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: record.createdAt,
    instanceId,
    executionId,
    name,
    ...given({ version, input, parent, tags, scheduledAt, traceContext }),
  };
}

function passOn(event: ExecutionTerminated, to: InstanceId, id: MessageId): Message {
  return { id, to, wakes: "always", needs: "engine", event };
}

/** The commit that ends an instance without its program. */
function closing(
  held: HeldInstance,
  turn: OpenedTurn,
  status: "FAILED" | "TERMINATED",
  end: { readonly output?: string; readonly failure?: Failure },
  messages: readonly Message[],
): Commit {
  const { record, at } = turn;
  const events: readonly HistoryEvent[] = [
    ...turn.newEvents,
    { kind: "ExecutionCompleted", eventId: -1, timestamp: at, status, ...given({ result: end.output, failure: end.failure }) },
  ];
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: held.number, epoch: held.epoch }],
    number: held.number,
    record: finishedRecord(record, status, at, events.length),
    payloads: {
      ...(turn.replaces === undefined
        ? {}
        : { input: startedIn(turn.newEvents)?.input ?? null, output: null, failure: null, customStatus: null }),
      ...given({ output: end.output, failure: end.failure }),
    },
    history: { mode: turn.replaces === undefined ? "append" : "replace", events },
    consumed: turn.consumed,
    cancelled: turn.cancelled,
    drop: { execution: record.executionId, generation: record.generation },
    messages: [...messages, ...turn.messages, ...releasesOf(record, record.sections, at), ...tellParent(record, status, end, at)],
    keep: false,
  };
}

/** The start among a turn's events, when it is an execution's first. */
export function startedIn(events: readonly HistoryEvent[]): ExecutionStarted | undefined {
  return events.find((event) => event.kind === "ExecutionStarted");
}

/** The record of an instance that ends with this turn. */
export function finishedRecord(
  record: InstanceRecord,
  status: "COMPLETED" | "FAILED" | "TERMINATED",
  at: Instant,
  newEvents: number,
): InstanceRecord {
  const { stall: _stall, notBefore: _notBefore, awaitedEvents: _awaited, sections: _sections, ...rest } = record;
  return {
    ...rest,
    status,
    held: false,
    startedAt: record.startedAt ?? at,
    updatedAt: at,
    completedAt: at,
    lastTurnAt: at,
    attempts: 0,
    turn: record.turn + 1,
    historyLength: record.historyLength + newEvents,
  };
}

function recursive(event: HistoryEvent): boolean {
  return event.kind === "ExecutionTerminated" && event.recursive;
}
