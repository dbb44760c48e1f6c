// run-turn: replay, then the new.
//
// Owns:    the loop that delivers one event after the other; when a program has ended, and how; all control flow of the executor.
// Is told: the events that the worker was handed.
// Tells:   a TurnResult: the turn's actions, or why the program cannot go on.
// Always:  X1 one event is delivered, the program comes to a standstill, the next event follows: the same path live and on replay.
//          X2 events delivered in one call or in many, kept or replayed from the start, give the same actions (H6).
//          X3 after `close` no task of the program is ever settled and no action comes out.
//          X4 an event that tells nobody anything costs no standstill; a program without promises costs none at all.
//          X5 the end is the last action and takes an id. Nothing is validated on replay, but an input where the keeper of the history records no
//             checks (`validated: false`): it is checked every time, and what the check makes of it is the program's input.

import type { CompleteOrchestration } from "../contract/actions.ts";
import { InvalidStateError, TurnLimitError } from "../contract/errors.ts";
import type { ExecutionStarted, HistoryEvent } from "../contract/events.ts";
import { toFailure } from "../contract/failure.ts";
import { given, type Writable } from "../contract/recorded-as.ts";
import { decodeWith, validate } from "../authoring/schema.ts";
import { runBody } from "./bodies.ts";
import { newTrace, reasonOf, toldDifference } from "./determinism.ts";
import { handle, payloadOf, takeHeld } from "./event-handlers.ts";
import type { Execution, ExecutionOptions, TurnResult } from "./execution.ts";
import { createContext } from "./program-context.ts";
import { rewindingOf, splitAtRewind, type Rewinding } from "./rewinding.ts";
import { nonDurableWait, Turn } from "./turn.ts";

const NO_EVENTS: readonly HistoryEvent[] = [];

/** After so many events that needed no standstill the loop of the platform may want its turn. */
const EVENTS_BEFORE_BREATH = 64;

/**
 * One running program of one execution.
 *
 * @example
 * const execution = createExecution({ instanceId, executionId, orchestrator, converter, limits, settle, enter, log });
 * const result = await execution.advance([], [orchestratorStarted, executionStarted]);
 */
export function createExecution(options: ExecutionOptions): Execution {
  let turn = new Turn(options);
  /** Failures that a rewind holds back may be the wrong ones: the replay differs then, and begins anew with more of them let through. */
  const replay = async (past: readonly HistoryEvent[], newEvents: readonly HistoryEvent[]): Promise<TurnResult> => {
    for (;;) {
      const result = await advance(turn, past, newEvents);
      const letThrough = turn.difference === undefined ? undefined : turn.rewinding?.heldWrongly();
      if (letThrough === undefined) return result;
      turn = new Turn(options);
      turn.letThrough = letThrough;
    }
  };
  return {
    advance(past, newEvents) {
      if (turn.advancing || turn.closed) {
        return Promise.reject(new InvalidStateError("An execution advances one call at a time, and not after it was closed."));
      }
      return options.enter(() => (past.length === 0 ? advance(turn, past, newEvents) : replay(past, newEvents)));
    },
    get historyLength() {
      return turn.eventsSeen + turn.actionsRecorded;
    },
    get keptBytes() {
      return turn.keptBytes;
    },
    reportUnhandled(reason) {
      turn.reportUnhandled(reason);
    },
    close() {
      close(turn);
    },
  };
}

function close(turn: Turn): void {
  turn.closed = true;
  turn.ledger.closed = true;
}

/** The loop: one function, so that a warm turn costs one promise beside the standstill. */
async function advance(turn: Turn, past: readonly HistoryEvent[], newEvents: readonly HistoryEvent[]): Promise<TurnResult> {
  const { options, ledger } = turn;
  turn.advancing = true;
  turn.beginTurn();
  turn.delivering = true;
  turn.replaying = past.length > 0;
  let recorded = past;
  let fresh = newEvents;
  if (turn.replaying) {
    turn.rewinding = rewindingOf(past, turn.letThrough);
    // A rewind that no turn has followed yet is news: what it asks for is not recorded.
    if (turn.rewinding !== undefined) [recorded, fresh] = splitAtRewind(past, newEvents);
  }
  let sinceBreath = 0;
  try {
    // A mistake made since the turn before is found here, and is one of new work.
    for (let at = 0, events = turn.replaying ? recorded : fresh; turn.mistake === undefined || turn.replaying; at++) {
      if (at === events.length) {
        if (!turn.replaying) break;
        if (!cannotGoOn(turn)) turn.endOfRecordedTurn();
        if (cannotGoOn(turn)) break;
        turn.replaying = false;
        turn.beginTurn();
        events = fresh;
        at = -1;
        continue;
      }
      const event = events[at]!;
      turn.eventsSeen++;
      turn.payloadBytes += payloadOf(event);
      handle(turn, event);
      if (turn.toBegin !== undefined) await begin(turn, turn.toBegin);
      if (ledger.woke) {
        if (ledger.asynchronous) await options.settle();
        atStandstill(turn);
      }
      if (turn.rewinding?.unmet !== undefined) await releaseFailures(turn, turn.rewinding);
      if (turn.held.length > 0 && !turn.suspended) await deliverHeld(turn);
      if (cannotGoOn(turn)) break;
      if (++sinceBreath >= EVENTS_BEFORE_BREATH) {
        sinceBreath = 0;
        await breathe(turn);
      }
      if (turn.closed) throw new InvalidStateError("The execution was closed while it advanced.");
    }
    if (turn.difference === undefined && !(turn.replaying && turn.mistake !== undefined)) {
      const observer = options.observer;
      if (observer?.endedInReplay !== undefined && turn.overInReplay) observer.endedInReplay(await completionOf(turn));
      return closeTurn(turn) ?? (await closeEnded(turn));
    }
    const result = stalled(turn);
    const isTold = turn.difference !== undefined && turn.trace === undefined && turn.rewinding?.heldWrongly() === undefined;
    return isTold ? await tellDifference(turn, past, result) : result;
  } finally {
    turn.delivering = false;
    turn.advancing = false;
  }
}

function cannotGoOn(turn: Turn): boolean {
  return turn.difference !== undefined || turn.mistake !== undefined;
}

function stalled(turn: Turn): TurnResult {
  close(turn);
  const { orchestrator } = turn.options;
  if (turn.difference === undefined) return { kind: "stalled", stall: { kind: "non-durable-wait", reason: turn.mistake?.message ?? "" } };
  const difference = toldDifference(turn.difference, turn.trace ?? newTrace());
  return { kind: "stalled", stall: { kind: "non-determinism", reason: reasonOf(orchestrator.name, difference) }, difference };
}

/** Runs the past once more with places noted, and tells the difference with them. */
async function tellDifference({ options, letThrough }: Turn, past: readonly HistoryEvent[], otherwise: TurnResult): Promise<TurnResult> {
  const again = new Turn(options, newTrace());
  again.letThrough = letThrough;
  const result = await options.enter(() => advance(again, past, NO_EVENTS));
  close(again);
  return again.difference === undefined ? otherwise : result;
}

// ---- delivering

/** What arrived while the execution could not go on, in its order. */
async function deliverHeld(turn: Turn): Promise<void> {
  const { options, ledger } = turn;
  for (let events = takeHeld(turn); events.length > 0; events = takeHeld(turn)) {
    for (const event of events) {
      if (cannotGoOn(turn) || turn.closed) return;
      handle(turn, event);
      if (turn.toBegin !== undefined) await begin(turn, turn.toBegin);
      if (ledger.woke) {
        if (ledger.asynchronous) await options.settle();
        atStandstill(turn);
      }
    }
  }
}

/** A recorded action that the program has not asked for: it gets the failures that were held back, one after the other, until it has. */
async function releaseFailures(turn: Turn, rewinding: Rewinding): Promise<void> {
  for (let unmet = rewinding.takeUnmet(); unmet !== undefined; unmet = rewinding.takeUnmet()) {
    rewinding.release();
    if (turn.ledger.woke) {
      if (turn.ledger.asynchronous) await turn.options.settle();
      atStandstill(turn);
    }
    turn.recorded(unmet);
  }
}

/** Every microtask has run. Has the program ended; and if not, does it wait for something that will come? */
function atStandstill(turn: Turn): void {
  const { ledger } = turn;
  ledger.woke = false;
  if (turn.over || turn.mistake !== undefined) return;
  if (turn.ending !== undefined || turn.next !== undefined) turn.end();
  else if (turn.started !== undefined && (ledger.awaited === 0 || ledger.deciding > 0)) {
    const evidence =
      ledger.deciding > 0
        ? "a retry handler has not answered"
        : "it has not ended, and awaits no activity, child, timer, event or entity of its context";
    turn.mistake = nonDurableWait(turn.options.orchestrator.name, evidence);
  }
}

async function breathe(turn: Turn): Promise<void> {
  const breath = turn.options.breathe?.();
  if (breath === undefined) return;
  turn.delivering = false; // whatever user code runs now was not woken by an event
  await breath;
  turn.delivering = true;
}

// ---- the beginning and the end

async function begin(turn: Turn, started: ExecutionStarted): Promise<void> {
  turn.toBegin = undefined;
  turn.ledger.woke = true;
  const { orchestrator, converter } = turn.options;
  const what = `input of orchestrator '${orchestrator.name}'`;
  try {
    let text = started.input;
    if (orchestrator.input !== undefined && isToBeChecked(turn, started)) {
      const accepted = await validate(orchestrator.input, decodeWith(converter, orchestrator.input, text, what), what);
      text = turn.encode(orchestrator.input, accepted, what);
      turn.acceptedInput = text;
    }
    turn.input = decodeWith(converter, orchestrator.input, text, what);
  } catch (error) {
    turn.ending = { kind: "threw", error };
    return;
  }
  const context = createContext(turn);
  runBody(turn, () => orchestrator.body(context, turn.input), {
    returned(value) {
      if (!turn.over) turn.ending ??= { kind: "returned", value };
    },
    threw(error) {
      if (turn.over) return;
      turn.ending = { kind: "threw", error };
      turn.next = undefined; // an error is never lost behind a continueAsNew
    },
  });
}

/** Once, in the first turn; a start that is rewound may have failed at this very check. Every time where nobody records that it was. */
function isToBeChecked(turn: Turn, { validated }: ExecutionStarted): boolean {
  return validated === false || (validated !== true && (!turn.replaying || turn.rewinding !== undefined));
}

/** The result of a turn after which the program goes on; `undefined` when it has ended, and its end is still to be told. */
function closeTurn(turn: Turn): TurnResult | undefined {
  if (turn.mistake !== undefined && !turn.over) {
    if (turn.mistake instanceof TurnLimitError) turn.actions = [];
    turn.next = undefined;
    turn.ending = { kind: "threw", error: turn.mistake };
    turn.end();
  }
  const { withdrawn } = turn;
  if (withdrawn !== undefined) turn.actions = turn.actions.filter((action) => !withdrawn.has(action));
  turn.actionsRecorded += turn.actions.length;
  return turn.over && !turn.overInReplay ? undefined : resultOf(turn);
}

async function closeEnded(turn: Turn): Promise<TurnResult> {
  const completion = await completionOf(turn);
  turn.actions.push(completion);
  if (completion.status !== "CONTINUED_AS_NEW") turn.actionsRecorded++;
  return resultOf(turn);
}

function resultOf(turn: Turn): TurnResult {
  const result: Writable<Extract<TurnResult, { kind: "turn" }>> = { kind: "turn", actions: turn.actions, ended: turn.over };
  if (turn.customStatus !== undefined) result.customStatus = turn.customStatus;
  if (turn.acceptedInput !== undefined) result.acceptedInput = turn.acceptedInput;
  if (!turn.over) {
    const awaitedEvents = turn.awaitedEvents();
    if (awaitedEvents.length > 0) result.awaitedEvents = awaitedEvents;
  }
  return result;
}

async function completionOf(turn: Turn): Promise<CompleteOrchestration> {
  const base = { kind: "completeOrchestration", id: turn.takeId() } as const;
  const { next, ending } = turn;
  if (next !== undefined) {
    const early = turn.earlyEvents();
    return {
      ...base,
      status: "CONTINUED_AS_NEW",
      ...given({ result: next.input, newVersion: next.version }),
      ...(early.length === 0 ? {} : next.carryEvents ? { carriedEvents: early } : { droppedEvents: early.length }),
    };
  }
  if (ending?.kind === "terminated") return { ...base, status: "TERMINATED", ...given({ result: ending.output }) };
  if (ending?.kind === "threw") return { ...base, status: "FAILED", failure: toFailure(ending.error) };
  const { orchestrator } = turn.options;
  const what = `output of orchestrator '${orchestrator.name}'`;
  try {
    const accepted = await validate(orchestrator.output, ending?.value, what);
    return { ...base, status: "COMPLETED", ...given({ result: turn.encode(orchestrator.output, accepted, what) }) };
  } catch (error) {
    return { ...base, status: "FAILED", failure: toFailure(error) };
  }
}
