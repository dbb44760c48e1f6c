// rewinding: a program that had failed goes on.
//
// Owns:    the failures that are held back while what is rewound is replayed; what is asked for again when the replay comes to the rewind.
// Is told: the events that will be delivered; final failures of calls; recorded actions that the program has not asked for; the rewind.
// Tells:   the turn: the calls and timers that are open, once more, under new ids.
// Always:  RW1 what succeeded is not asked for again (C6), and keeps its id.
//          RW2 a failure is held back until the rewind asks for its call again, unless the history says that the program went on because of it:
//              then the program has it, at the recorded action that it led to. So a failure that was caught stays caught. Where the replay
//              differs by that, the failure is let through in its own place, by a replay that begins anew.
//          RW3 the same history gives the same: nothing depends on whether the rewind is new or replayed.
//          RW4 the release of an entity is no sign that the program went on: a failure that leaves a critical section on its way to the end of the
//              program releases it as well. So it is passed over; if the program did go on, the replay differs, and begins anew (RW2).
//          RW5 where the program is in a critical section, that is asked for first, and the calls once it is granted.
//          RW6 a call that is asked for again begins anew: first attempt, whole time-outs, and the idempotency key that it had.

import type { ExecutionRewound, HistoryEvent } from "../contract/events.ts";
import type { Action, SignalEntity } from "../contract/actions.ts";
import type { Failure } from "../contract/failure.ts";
import { given } from "../contract/recorded-as.ts";
import { requestId } from "./determinism.ts";
import { type EntityCall, entityCallFailed } from "./entities.ts";
import { finallyFailed, schedule, type Call } from "./retries.ts";
import type { Turn } from "./turn.ts";

/** From so many failures on that were held back wrongly, all those in question are let through at once: a replay is not begun anew for ever. */
const ONE_BY_ONE = 32;

/** What a replay needs to know of the rewinds of its history; `undefined` when there are none. */
export function rewindingOf(past: readonly HistoryEvent[], letThrough: ReadonlySet<number> = new Set()): Rewinding | undefined {
  let ahead = 0;
  for (const event of past) if (event.kind === "ExecutionRewound") ahead++;
  return ahead === 0 ? undefined : new Rewinding(ahead, letThrough);
}

type Events = readonly HistoryEvent[];

/** What is recorded, and what is new: a rewind at the end of what is recorded is new, since no turn has answered it. */
export function splitAtRewind(past: Events, newEvents: Events): readonly [recorded: Events, fresh: Events] {
  const lastTurn = past.findLastIndex((event) => event.kind === "OrchestratorStarted");
  if (lastTurn < 1 || past[lastTurn + 1]?.kind !== "ExecutionRewound") return [past, newEvents];
  return [past.slice(0, lastTurn), [...past.slice(lastTurn), ...newEvents]];
}

/** The rewinds of one program. */
export class Rewinding {
  /** Rewinds that are still to be delivered. */
  ahead: number;
  /** It was rewound in the turn that ends now: what that asked for is recorded by the next one. */
  justRewound = false;
  /** Set while calls are asked for again. */
  asking: { readonly reason?: string } | undefined;
  /** A recorded action that the program has not asked for, while failures are held back. */
  unmet: HistoryEvent | undefined;
  #withheld: { readonly call: Call | EntityCall; readonly failure: Failure }[] = [];
  /** The number of the last release that was passed over. */
  #lastPassed = 0;
  /** What is asked for again, once it can be. */
  #failed: (Call | EntityCall)[] = [];
  #unsent: Action[] = [];
  #reason: { readonly reason?: string } = {};
  /** So many of them came in turns before this one. */
  #cameBefore = 0;
  readonly #letThrough: ReadonlySet<number>;
  /** The attempts whose failures were held back since the last rewind, also those that the program has got since; and where this turn's begin. */
  #heldBack: number[] = [];
  #heldBackBefore = 0;
  #timers: Map<number, number> | undefined;

  constructor(ahead: number, letThrough: ReadonlySet<number>) {
    this.ahead = ahead;
    this.#letThrough = letThrough;
  }

  /** Whether the failure of this attempt, the last one of its call, is held back. */
  holdsBack(attempt: number): boolean {
    return this.ahead > 0 && !this.#letThrough.has(attempt);
  }

  /** A call has failed for good, as far as its history knows. */
  withhold(call: Call | EntityCall, failure: Failure): void {
    this.#withheld.push({ call, failure });
    this.#heldBack.push(call.lastId);
  }

  /** The replay differs: what is to be let through by the next one; `undefined` when the reason is another. */
  heldWrongly(): ReadonlySet<number> | undefined {
    const likeliest = this.#heldBack[this.#heldBackBefore] ?? this.#heldBack[0];
    if (likeliest === undefined) return undefined;
    return new Set([...this.#letThrough, ...(this.#letThrough.size < ONE_BY_ONE ? [likeliest] : this.#heldBack)]);
  }

  /** Whether a failure that is held back may be why an action was recorded. */
  waitsFor(event: HistoryEvent): boolean {
    if (this.#withheld.length === 0) return false;
    if (event.kind === "EntityUnlockSent") this.#lastPassed = event.eventId;
    else this.unmet = event;
    return true;
  }

  takeUnmet(): HistoryEvent | undefined {
    const { unmet } = this;
    this.unmet = undefined;
    return unmet;
  }

  /** A recorded turn begins. */
  turnBegins(): void {
    this.#cameBefore = this.#withheld.length;
    this.#heldBackBefore = this.#heldBack.length;
  }

  /** The program gets a failure that is held back: what a turn asks for, it asks for because of what came with it, if of any; else the oldest. */
  release(): void {
    const place = this.#cameBefore < this.#withheld.length ? this.#cameBefore : 0;
    const [likeliest] = this.#withheld.splice(place, 1);
    if (place < this.#cameBefore) this.#cameBefore--;
    if (likeliest === undefined) return;
    const { call, failure } = likeliest;
    if (call.kind === "entity") entityCallFailed(call, failure);
    else finallyFailed(call, failure);
  }

  /** The id under which a timer stands now. */
  timerNow(made: number): number {
    const now = this.#timers?.get(made);
    return now === undefined ? made : this.timerNow(now);
  }

  /** Everything that had failed or was open is asked for again. */
  rewind(turn: Turn, event: ExecutionRewound): void {
    this.ahead--;
    this.justRewound = true;
    turn.endRecorded = false;
    if (turn.over) {
      // It ends as it did: by its own code, or by its input.
      turn.overInReplay = turn.replaying;
      return;
    }
    this.#unsent = this.#unsent.concat(turn.takeUnrecorded());
    this.#failed = this.#failed.concat(this.#withheld.map(({ call }) => call));
    this.#reason = given({ reason: event.reason });
    this.#withheld = [];
    turn.skipId(this.#lastPassed);
    this.#cameBefore = 0;
    this.#heldBack = [];
    if (turn.entities?.section?.askAgain() !== true) this.goOn(turn);
  }

  /** Nothing is missing: what had failed or was open is asked for. */
  goOn(turn: Turn): void {
    const failed = this.#failed;
    const unsent = this.#unsent;
    this.#failed = [];
    this.#unsent = [];
    this.asking = this.#reason;
    try {
      for (const call of failed) askAgain(turn, call);
      for (const [id, open] of [...turn.open]) {
        if (open.kind !== "timer" && failed.includes(open.call)) continue;
        turn.open.delete(id);
        // What waits for its next attempt is a call like the others.
        if (open.call !== undefined) askAgain(turn, open.call);
        else if (open.kind === "timer") (this.#timers ??= new Map()).set(id, turn.askTimer(open.fireAt, open.fired));
      }
      for (const action of unsent) {
        if (action.kind === "sendEvent") turn.ask({ ...action, id: turn.takeId() });
        if (action.kind === "signalEntity") signalAgain(turn, action);
      }
    } finally {
      this.asking = undefined;
    }
  }
}

function signalAgain(turn: Turn, action: SignalEntity): void {
  const id = turn.takeId();
  turn.ask({ ...action, id, requestId: requestId(turn.historyId, id) });
}

/** A call from its first attempt on. Its idempotency key counts by the id it had at first. */
function askAgain(turn: Turn, call: Call | EntityCall): void {
  if (call.kind === "entity") {
    turn.entities?.ask(call);
    return;
  }
  if (call.expiresAt !== undefined) call.expiresAt += turn.clock - call.begunAt;
  call.begunAt = turn.clock;
  call.attempt = 0;
  schedule(turn, call);
}
