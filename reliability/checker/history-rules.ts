// history-rules: what must be true of one history, and of the record beside it.
//
// Owns:    H1 (its shape), H2, H3, H4, H8, H9, T1 to T4 (as far as a history tells), C1, C4.
// Is told: an instance as it stands. It reads events as data and knows no rule of the engine.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { DumpedInstance } from "./stored.ts";
import { same, type Report } from "./violation.ts";

/** What a history has asked for under an id. */
interface Asked {
  readonly kind: "activity" | "timer" | "child" | "event";
  readonly event: HistoryEvent;
  /** How many turns had begun. */
  readonly turn: number;
  answer: HistoryEvent | undefined;
  /** The turn that took the answer: what it takes stands before what it asks for, so it may take back what has just fired. */
  answeredIn: number;
  cancelled: boolean;
}

/** What is left of a history when it has been read. */
export interface Reading {
  /** What was asked for, by id. */
  readonly asked: ReadonlyMap<number, Asked>;
  readonly ended: Extract<HistoryEvent, { kind: "ExecutionCompleted" }> | undefined;
}

const ASKS: { readonly [kind: string]: Asked["kind"] } = {
  TaskScheduled: "activity",
  TimerCreated: "timer",
  SubOrchestrationInstanceCreated: "child",
  EventSent: "event",
};
const ANSWERS: { readonly [kind: string]: Asked["kind"] } = {
  TaskCompleted: "activity",
  TaskFailed: "activity",
  TimerFired: "timer",
  SubOrchestrationInstanceCompleted: "child",
  SubOrchestrationInstanceFailed: "child",
};

/** Reads a history and reports what is wrong with it. */
export function readHistory(instance: DumpedInstance, report: Report): Reading {
  const { record, history } = instance;
  const wrong = (invariant: Parameters<Report>[0], message: string, at: number): void =>
    report(invariant, record.id, message, { at, event: history[at], generation: record.generation });
  const asked = new Map<number, Asked>();
  let ended: Reading["ended"];
  let turns = 0;
  let turnAt = Number.NEGATIVE_INFINITY;
  let lastId = 0;
  let suspended = false;
  let terminated = false;

  history.forEach((event, at) => {
    // A rewind opens an end again, in a turn of its own.
    if (event.kind === "OrchestratorStarted" && history[at + 1]?.kind === "ExecutionRewound" && ended?.status === "FAILED")
      ended = undefined;
    if (ended !== undefined) wrong("H3", `${event.kind} stands after the end of the history.`, at);
    const asks = ASKS[event.kind];
    const answers = ANSWERS[event.kind];
    if (at === 0 && event.kind !== "OrchestratorStarted") wrong("H3", `A history begins with ${event.kind}.`, at);
    if ((event.kind === "ExecutionStarted") !== (at === 1))
      wrong("H3", at === 1 ? "The second event is not ExecutionStarted." : "ExecutionStarted stands where no history begins.", at);
    if (suspended && (asks !== undefined || answers !== undefined || event.kind === "EventRaised"))
      wrong("C1", `${event.kind} in the history of an instance that is suspended.`, at);
    if (asks !== undefined) {
      if (event.eventId <= lastId) wrong("H1", `The id ${event.eventId} comes after the id ${lastId}.`, at);
      lastId = Math.max(lastId, event.eventId);
      asked.set(event.eventId, { kind: asks, event, turn: turns, answer: undefined, answeredIn: 0, cancelled: false });
    }
    if (answers !== undefined) answer(asked, event, answers, { turnAt, turns }, (invariant, message) => wrong(invariant, message, at));
    switch (event.kind) {
      case "OrchestratorStarted":
        turns++;
        if (event.timestamp < turnAt) wrong("T3", `A turn is ${turnAt - event.timestamp} ms before the one before it.`, at);
        turnAt = Math.max(turnAt, event.timestamp);
        if (suspended && !endsByTerminate(history, at)) wrong("C1", "A turn ran while the instance was suspended.", at);
        break;
      case "ExecutionStarted":
        if (event.executionId !== record.executionId && !history.some(({ kind }) => kind === "ExecutionRewound"))
          wrong("H9", `The history is of ${event.executionId}, the record of ${record.executionId}.`, at);
        if (event.instanceId !== record.id) wrong("H9", `The history was begun by the start of ${event.instanceId}.`, at);
        startMatches(instance, event, at, wrong);
        break;
      case "TimerCancelled": {
        const timer = asked.get(event.timerId);
        if (timer?.kind !== "timer") wrong("H8", `The timer ${event.timerId} was taken back and never made.`, at);
        else if (timer.answer !== undefined && timer.answeredIn !== turns)
          wrong("T4", `The timer ${event.timerId} was taken back after it had fired.`, at);
        else timer.cancelled = true;
        break;
      }
      case "ExecutionSuspended":
        suspended = true;
        break;
      case "ExecutionResumed":
        suspended = false;
        break;
      case "ExecutionTerminated":
        terminated = true;
        break;
      case "ExecutionCompleted":
        ended = event;
        if (terminated && event.status !== "TERMINATED") wrong("C4", `A terminated execution ends ${event.status}.`, at);
        break;
      default:
        break;
    }
  });
  overdueInOrder(history, asked, (message, at) => wrong("T2", message, at));
  fold(instance, { ended, suspended, turnAt }, report);
  return { asked, ended };
}

function answer(
  asked: Map<number, Asked>,
  event: HistoryEvent,
  kind: Asked["kind"],
  { turnAt, turns }: { readonly turnAt: number; readonly turns: number },
  wrong: (invariant: Parameters<Report>[0], message: string) => void,
): void {
  const id = event.kind === "TimerFired" ? event.timerId : "taskScheduledId" in event ? event.taskScheduledId : -1;
  const asking = asked.get(id);
  if (asking === undefined) return wrong("H8", `${event.kind} answers ${id}, which was never asked for.`);
  if (asking.kind !== kind) return wrong("H2", `${event.kind} answers ${id}, which is ${asking.event.kind}.`);
  if (asking.answer !== undefined) return wrong("H2", `${event.kind} answers ${id}, which has its answer already.`);
  asking.answer = event;
  asking.answeredIn = turns;
  if (event.kind !== "TimerFired" || asking.event.kind !== "TimerCreated") return;
  if (asking.cancelled) wrong("T4", `The timer ${id} fired after it had been taken back.`);
  if (event.fireAt !== asking.event.fireAt)
    wrong("T2", `The timer ${id} was due at ${asking.event.fireAt} and fired as one due at ${event.fireAt}.`);
  if (turnAt < event.fireAt) wrong("T1", `The timer ${id} fired ${event.fireAt - turnAt} ms early by the orchestrator's clock.`);
}

/** Timers that were made in one turn and fire in one turn fire in the order of their times. */
function overdueInOrder(
  history: readonly HistoryEvent[],
  asked: ReadonlyMap<number, Asked>,
  wrong: (message: string, at: number) => void,
): void {
  const latest = new Map<number, number>();
  history.forEach((event, at) => {
    if (event.kind === "OrchestratorStarted") latest.clear();
    if (event.kind !== "TimerFired") return;
    const made = asked.get(event.timerId)?.turn;
    if (made === undefined) return;
    const before = latest.get(made);
    if (before !== undefined && before > event.fireAt)
      wrong(`The timer ${event.timerId} fired after one that was due ${before - event.fireAt} ms later.`, at);
    latest.set(made, Math.max(before ?? event.fireAt, event.fireAt));
  });
}

/** A turn that only ends the instance may begin while it is suspended. */
function endsByTerminate(history: readonly HistoryEvent[], at: number): boolean {
  for (let next = at + 1; next < history.length && history[next]?.kind !== "OrchestratorStarted"; next++)
    if (history[next]?.kind === "ExecutionTerminated") return true;
  return false;
}

function startMatches(
  { record, payloads, history }: DumpedInstance,
  event: Extract<HistoryEvent, { kind: "ExecutionStarted" }>,
  at: number,
  wrong: (invariant: Parameters<Report>[0], message: string, at: number) => void,
): void {
  const { name, version, parent } = event;
  if (name !== record.name || version !== record.version)
    wrong("H4", `The start names ${name} ${version ?? ""}, the record ${record.name} ${record.version ?? ""}.`, at);
  if (event.input !== payloads.input && !isPlainEnd(history))
    wrong("H4", "The input that is stored is not the one that was started with.", at);
  if (parent?.taskScheduledId !== record.parent?.taskScheduledId || parent?.executionId !== record.parent?.executionId)
    wrong("H9", "The start and the record name different parents.", at);
  // An execution that is ended before it began has been given nothing: what was carried along stands in its start.
  if (history[at + 1]?.kind === "ExecutionTerminated") return;
  event.carriedEvents?.forEach((carried, i) => {
    const there = history[at + 1 + i];
    if (!same(there, carried)) wrong("I5", `The event '${carried.name}' that was carried along is not delivered in its place.`, at);
  });
}

/** The engine ends an instance that nobody began from its record alone, which has no input. */
function isPlainEnd(history: readonly HistoryEvent[]): boolean {
  return history.length <= 4 && history[2]?.kind === "ExecutionTerminated";
}

/** H4: the record is the fold of the history. */
function fold(
  { record, payloads, history, rows }: DumpedInstance,
  read: { readonly ended: Reading["ended"]; readonly suspended: boolean; readonly turnAt: number },
  report: Report,
): void {
  const wrong = (message: string, facts?: Readonly<Record<string, unknown>>): void => report("H4", record.id, message, facts);
  const { ended } = read;
  const terminal = record.status === "COMPLETED" || record.status === "FAILED" || record.status === "TERMINATED";
  if (record.historyLength !== history.length) wrong(`The record counts ${record.historyLength} events, and there are ${history.length}.`);
  let next = 0;
  for (const row of rows ?? []) {
    if (row.first !== next) report("H1", record.id, `A row of the history begins at ${row.first} where ${next} comes next.`, { ...row });
    next = row.first + row.count;
  }
  // An entity is held for as long as somebody has it to himself; it has no history, and is never over.
  const isHeld = record.kind === "entity" ? record.lockedBy !== undefined : record.status === "SUSPENDED";
  if (record.held !== isHeld) wrong(`The record is ${record.status} and ${record.held ? "held" : "not held"}.`);
  if (history.length === 0) {
    if (terminal) wrong(`The record is ${record.status}, and there is no history.`);
    return;
  }
  const status = ended?.status ?? (read.suspended ? "SUSPENDED" : "RUNNING");
  if (status !== record.status) wrong(`The history says ${status}, the record ${record.status}.`);
  if (read.turnAt !== record.lastTurnAt && read.turnAt !== Number.NEGATIVE_INFINITY)
    wrong(`The last turn was at ${read.turnAt}, and the record says ${record.lastTurnAt}.`);
  if (ended === undefined) {
    if (record.completedAt !== undefined || payloads.output !== undefined || payloads.failure !== undefined)
      wrong("An instance that goes on has an end, an output or a failure.");
    return;
  }
  if (record.completedAt !== ended.timestamp) wrong(`It ended at ${ended.timestamp}, and the record says ${record.completedAt}.`);
  if (payloads.output !== ended.result) wrong("The stored output is not the one that it ended with.");
  if (!same(payloads.failure, ended.failure)) wrong("The stored failure is not the one that it ended with.");
}
