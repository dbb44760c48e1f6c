// turn: what a program's turns remember.
//
// Owns:    the state between two events: the sequence of ids, open tasks, waits and early events, the clock, the actions so far, how it ended.
// Is told: by event handlers what has happened, by the context what the program asks for.
// Tells:   actions, in the order asked for; a difference between the program and its history; a mistake of the program.
// Always:  U1 ids count from 1 in each execution; each call that can be recorded takes one.
//          U2 every event costs the same, however many tasks are open; what has finished is forgotten.
//          U3 a timer made and cancelled in one turn leaves no action; its id stays used.
//          U4 an external event is given to one wait, the oldest of its name; without one it is kept in order of arrival.

import type { Action } from "../contract/actions.ts";
import { InvalidStateError, NonDurableWaitError, type OstinatoError, PayloadTooLargeError, TurnLimitError } from "../contract/errors.ts";
import type { EventRaised, ExecutionStarted, HistoryEvent } from "../contract/events.ts";
import type { ExecutionId } from "../contract/ids.ts";
import type { Instant } from "../contract/instant.ts";
import { decodeWith, encodeWith, type Schema } from "../authoring/schema.ts";
import { agrees, type Difference, notePlace, type Trace } from "./determinism.ts";
import type { Entities, EntityCall } from "./entities.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { Call } from "./retries.ts";
import type { Rewinding } from "./rewinding.ts";
import { complete, type DurableTask, fail, type Ledger, newLedger } from "./tasks.ts";

/** What a kept program counts for beside its payloads. */
const KEPT_BYTES = 4_096;

/** How many unhandled rejections of one program are kept. */
const MAX_UNHANDLED = 10;
const NO_NAMES: readonly string[] = [];

/** What is open under an action's id. */
export type Open =
  | { readonly kind: "activity" | "child"; readonly call: Call }
  | { readonly kind: "entity"; readonly call: EntityCall }
  /** `call`: whose next attempt it puts off. */
  | { readonly kind: "timer"; readonly fireAt: Instant; readonly fired: () => void; readonly call: Call | undefined };

/** A wait for an external event. */
export interface EventWait {
  readonly name: string;
  readonly schema: Schema | undefined;
  readonly task: DurableTask;
}

/** The external events of one name that no wait has taken, with their places in the order of arrival; those before `head` are gone. */
interface EarlyEvents {
  readonly items: { readonly arrival: number; readonly event: EventRaised }[];
  head: number;
}

/** How a program has ended. */
export type Ending =
  | { readonly kind: "returned"; readonly value: unknown }
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "terminated"; readonly output: string | undefined };

/** How the next execution is to begin. */
export interface NextExecution {
  readonly input: string | undefined;
  readonly version: string | undefined;
  readonly carryEvents: boolean;
}

/** The state of one running program. */
export class Turn {
  readonly options: ExecutionOptions;
  readonly ledger: Ledger = newLedger();
  /** Set in a run whose only purpose is to tell where calls were made. */
  readonly trace: Trace | undefined;

  started: ExecutionStarted | undefined;
  /** The start that was delivered, until its program begins. */
  toBegin: ExecutionStarted | undefined;
  input: unknown;
  clock: Instant = 0;
  replaying = false;
  /** User code may call: an event is being delivered and its standstill has not been reached. */
  delivering = false;
  /** The program has come to its end at a standstill (or was closed): no task settles any more, nothing it asks for counts. */
  over = false;
  /** It came to its end while replaying, so its end is recorded already. */
  overInReplay = false;
  closed = false;
  /** An `advance` is under way. */
  advancing = false;
  ending: Ending | undefined;
  next: NextExecution | undefined;
  /** The program ran a turn to a point at which it must fail, whatever it says. */
  mistake: OstinatoError | undefined;
  /** The input as its schema returned it, when this turn checked it. */
  acceptedInput: string | undefined;
  difference: Difference | undefined;

  suspended = false;
  /** What arrived while suspended, in order. */
  held: HistoryEvent[] = [];

  // Most programs need few of these collections, and thousands of programs are kept: each is made when it is first needed.
  readonly open = new Map<number, Open>();
  /** Asked for in a replay, and not yet met in the history. */
  #unrecorded: Map<number, Action> | undefined;
  /** The history has the end of this execution. */
  endRecorded = false;
  /** Set where the history has been rewound, or is now. */
  rewinding: Rewinding | undefined;
  /** Attempts whose failure is not held back in this replay, since one that held it back differed. */
  letThrough: ReadonlySet<number> | undefined;
  /** Set once the program has had to do with an entity. */
  entities: Entities | undefined;
  actions: Action[] = [];
  withdrawn: Set<Action> | undefined;
  customStatus: string | null | undefined;

  eventsSeen = 0;
  actionsRecorded = 0;
  payloadBytes = 0;
  guids = 0;

  #unhandled: unknown[] | undefined;
  #waits: Map<string, Set<EventWait>> | undefined;
  #early: Map<string, EarlyEvents> | undefined;
  /** The timers made in this turn. */
  #timers: Map<number, Action> | undefined;
  #arrivals = 0;
  #lastId = 0;
  #awaitedEvents: readonly string[] | undefined;

  constructor(options: ExecutionOptions, trace?: Trace) {
    this.options = options;
    this.trace = trace;
  }

  /** The execution that the history began with: a rewind goes on as another one, and what is made of ids stays the same. */
  get historyId(): ExecutionId {
    return this.started?.executionId ?? this.options.executionId;
  }

  // ---- what the program asks for

  /** The program may call: in a delivery, and before its end. Otherwise the call is remembered as the mistake it is. */
  mayAsk(what: string): boolean {
    if (this.closed || this.over) {
      throw new InvalidStateError(
        `The orchestration '${this.options.orchestrator.name}' is over or no longer kept here; ${what} came too late.`,
      );
    }
    if (this.delivering) return true;
    this.late(what);
    return false;
  }

  /** User code went on outside of a delivery, so it had waited for something that is not durable. */
  late(what: string): void {
    if (this.closed || this.over || this.mistake !== undefined) return;
    this.mistake = nonDurableWait(this.options.orchestrator.name, `${what} came when no event was being delivered`);
    this.log("warn", this.mistake.message);
  }

  takeId(): number {
    return ++this.#lastId;
  }

  /** An id that the history knows, and that the program has not come to. */
  skipId(id: number): void {
    if (id > this.#lastId) this.#lastId = id;
  }

  /** Takes up an action. */
  ask(action: Action): void {
    if (this.trace !== undefined) notePlace(this.trace, action);
    if (this.replaying) {
      if (action.kind !== "cancelTimer") (this.#unrecorded ??= new Map()).set(action.id, action);
      return;
    }
    const { actionsPerTurn } = this.options.limits;
    if (this.actions.length >= actionsPerTurn) {
      this.mistake ??= new TurnLimitError(
        `The orchestration asked for more than ${actionsPerTurn} actions in one turn (the limit actionsPerTurn). Bound the fan-out, for instance by ctx.map with a concurrency, or divide it among children.`,
      );
      throw this.mistake;
    }
    this.actions.push(action);
  }

  askTimer(fireAt: Instant, fired: () => void, call?: Call): number {
    const action: Action = { kind: "createTimer", id: this.takeId(), fireAt };
    this.ask(action);
    if (!this.replaying) (this.#timers ??= new Map()).set(action.id, action);
    this.open.set(action.id, { kind: "timer", fireAt, fired, call });
    return action.id;
  }

  /** Takes back a timer. False when it is too late for that. */
  withdrawTimer(made: number): boolean {
    const id = this.rewinding?.timerNow(made) ?? made;
    if (this.over || this.closed || !this.mayAsk("the cancelling of a timer") || !this.open.delete(id)) return false;
    if (this.replaying) {
      this.#unrecorded?.delete(id);
      return true;
    }
    const action = this.#timers?.get(id);
    if (action === undefined) this.ask({ kind: "cancelTimer", id });
    else (this.withdrawn ??= new Set()).add(action);
    return true;
  }

  // ---- external events

  /** Gives a wait the oldest event that came early, or lets it wait. */
  awaitEvent(wait: EventWait): void {
    const key = wait.name.toLowerCase();
    const early = this.#early?.get(key);
    const oldest = early?.items[early.head++];
    if (early !== undefined && early.head >= early.items.length) this.#early?.delete(key);
    if (oldest !== undefined) {
      this.giveEvent(wait, oldest.event);
      return;
    }
    this.#waits ??= new Map();
    const waits = this.#waits.get(key);
    if (waits === undefined) this.#waits.set(key, new Set([wait]));
    else waits.add(wait);
    this.#awaitedEvents = undefined;
  }

  /** Lets a wait be. False when it is too late for that. */
  withdrawWait(wait: EventWait): boolean {
    if (this.over || this.closed || !this.mayAsk("the cancelling of a wait")) return false;
    return this.#forget(wait);
  }

  #forget(wait: EventWait): boolean {
    const key = wait.name.toLowerCase();
    const waits = this.#waits?.get(key);
    if (waits?.delete(wait) !== true) return false;
    if (waits.size === 0) this.#waits?.delete(key);
    this.#awaitedEvents = undefined;
    return true;
  }

  /** An external event has arrived. */
  raise(event: EventRaised): void {
    const key = event.name.toLowerCase();
    const waits = this.over ? undefined : this.#waits?.get(key);
    if (waits !== undefined) {
      for (const wait of waits) {
        this.#forget(wait);
        this.giveEvent(wait, event);
        return;
      }
    }
    this.#early ??= new Map();
    const early = this.#early.get(key);
    const item = { arrival: this.#arrivals++, event };
    if (early === undefined) this.#early.set(key, { items: [item], head: 0 });
    else early.items.push(item);
  }

  giveEvent({ name, schema, task }: EventWait, event: EventRaised): void {
    this.settle(task, schema, event.input, `data of event '${name}'`);
  }

  /** The events that no wait has taken, in order of arrival. */
  earlyEvents(): readonly EventRaised[] {
    const all = [...(this.#early?.values() ?? [])].flatMap(({ items, head }) => items.slice(head));
    return all.sort((a, b) => a.arrival - b.arrival).map(({ event }) => event);
  }

  /** The names of the events that the program waits for. */
  awaitedEvents(): readonly string[] {
    if (this.#waits === undefined || this.#waits.size === 0) return NO_NAMES;
    this.#awaitedEvents ??= [...this.#waits.values()].flatMap((waits) => {
      for (const wait of waits) return [wait.name];
      return [];
    });
    return this.#awaitedEvents;
  }

  // ---- what has happened

  /** Completes a task with what a payload says, or fails it with why it cannot be read. */
  settle(task: DurableTask, schema: Schema | undefined, payload: string | undefined, what: string): void {
    let value: unknown;
    try {
      value = decodeWith(this.options.converter, schema, payload, what);
    } catch (error) {
      fail(task, error);
      return;
    }
    complete(task, value);
  }

  /** A recorded action: it must be what the program asked for under this id. */
  recorded(event: HistoryEvent): void {
    if (!this.replaying && event.eventId <= this.#lastId) {
      this.entities?.met(event);
      return;
    }
    const action = this.#unrecorded?.get(event.eventId);
    if (action !== undefined && agrees(event, action)) {
      this.#unrecorded?.delete(event.eventId);
      this.entities?.met(event);
      if (this.trace !== undefined) this.trace.lastAgreed = action;
      return;
    }
    // Perhaps it was asked for because of a failure that is held back: run-turn lets the program have that, and comes back.
    if (action === undefined && this.rewinding?.waitsFor(event) === true) return;
    this.differ({ recorded: { number: this.eventsSeen, event }, ...(action === undefined ? this.#nothingOrEnd() : { asked: action }) });
  }

  /** A recorded turn is over: whatever the program asked for in it must have been met. */
  endOfRecordedTurn(event?: HistoryEvent): void {
    if (this.rewinding?.justRewound === true) {
      this.rewinding.justRewound = false;
      return;
    }
    if (!this.over && (this.#unrecorded === undefined || this.#unrecorded.size === 0)) return;
    // It failed here, and now it goes on: what it asks for beyond its end is asked for when it is rewound.
    if (this.endRecorded && (this.rewinding?.ahead ?? 0) > 0) return;
    const recorded = event === undefined ? {} : { recorded: { number: this.eventsSeen, event } };
    // What is missing in a history that was cut comes later, or is asked for once more.
    const missing = this.started?.isCut === true ? undefined : this.#unrecorded;
    for (const asked of missing?.values() ?? []) {
      this.differ({ ...recorded, asked });
      return;
    }
    if (!this.over || this.endRecorded) return;
    // The end was taken out as well: it is told again.
    if (this.started?.isCut === true) this.overInReplay = false;
    else this.differ({ ...recorded, asked: "end" });
  }

  /** What was asked for in the replay and is not recorded: it is taken back, to be asked for anew. */
  takeUnrecorded(): readonly Action[] {
    const actions = [...(this.#unrecorded?.values() ?? [])];
    this.#unrecorded = undefined;
    return actions;
  }

  /** Asks once more for what was taken out of the history: under the same numbers, with all the time that it had. */
  askForMissing(): void {
    if (this.started?.isCut !== true || this.over) return;
    for (const action of this.takeUnrecorded()) {
      const call = this.open.get(action.id)?.call;
      if (action.kind !== "scheduleTask" || call === undefined || call.kind === "entity" || call.expiresAt === undefined) {
        this.ask(action);
        continue;
      }
      call.expiresAt += this.clock - call.begunAt;
      call.begunAt = this.clock;
      this.ask({ ...action, expiresAt: call.expiresAt });
    }
  }

  differ(difference: Difference): void {
    this.difference ??= difference;
  }

  #nothingOrEnd(): { readonly asked?: "end" } {
    return this.over ? { asked: "end" } : {};
  }

  /** What a turn asks for is collected anew. */
  beginTurn(): void {
    this.actions = [];
    this.#timers = undefined;
    this.withdrawn = undefined;
    this.customStatus = undefined;
    this.acceptedInput = undefined;
  }

  /** No task settles any more, and nothing that the program asks for counts. */
  end(): void {
    this.over = true;
    this.overInReplay = this.replaying;
    this.ledger.closed = true;
    for (const reason of this.#unhandled ?? []) this.reportUnhandled(reason);
  }

  /** A rejection of the program's own that nobody has handled: its own affair while it goes on, told at its end. */
  reportUnhandled(reason: unknown): void {
    // A program that was forgotten goes on elsewhere; one that has ended is closed at once, and what comes to light then is told all the same.
    if (this.overInReplay || (this.closed && !this.over)) return;
    if (!this.over) {
      this.#unhandled ??= [];
      if (this.#unhandled.length < MAX_UNHANDLED) this.#unhandled.push(reason);
    } else if (this.ending?.kind !== "threw" || this.ending.error !== reason) {
      this.log("warn", `A rejection in orchestrator '${this.options.orchestrator.name}' was handled by nobody.`, { error: reason });
    }
  }

  // ---- payloads

  /** The text of a value that the program gives, refused when it is too large. */
  encode(schema: Schema | undefined, value: unknown, what: string): string | undefined {
    const text = encodeWith(this.options.converter, schema, value, what);
    checkSize(text, this.options.limits.payloadBytes, what, "payloadBytes");
    return text;
  }

  get keptBytes(): number {
    return KEPT_BYTES + this.payloadBytes;
  }

  log(level: "debug" | "info" | "warn" | "error", message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.trace === undefined) this.options.log({ level, message, fields, instanceId: this.options.instanceId });
  }
}

/** The error of a program that waits for what is not durable. */
export function nonDurableWait(name: string, evidence: string): NonDurableWaitError {
  return new NonDurableWaitError(
    `The orchestrator '${name}' waits for something that is not durable: ${evidence}. ` +
      "An orchestrator awaits tasks of its context and nothing else; do I/O in activities, and wait with ctx.createTimer.",
  );
}

/**
 * Refuses a text of more than so many bytes.
 *
 * @throws PayloadTooLargeError naming the value and the limit.
 */
export function checkSize(text: string | undefined, limit: number, what: string, limitName: string): void {
  if (text === undefined || text.length * 3 <= limit) return;
  const bytes = text.length > limit ? text.length : utf8Bytes(text);
  if (bytes <= limit) return;
  throw new PayloadTooLargeError(
    `The ${what} has ${text.length > limit ? "more than " : ""}${bytes} bytes; the limit ${limitName} is ${limit}. Store it elsewhere and pass a reference.`,
  );
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
