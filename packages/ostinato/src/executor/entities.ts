// entities: what a program has to do with entities.
//
// Owns:    calls that are not answered yet, by the ids of their requests; signals; the section, if there is one.
// Is told: what the program asks for; the events that record it, and the answers.
// Tells:   actions; the tasks of the calls.
// Always:  EN1 ids of requests are made from the execution that the history began with and the action, and disturb no other ids.
//          EN2 an answer is known by the id of its request, as the history has it: whoever kept it may have given it another one.
//          EN3 an operation that failed fails its task; it is tried again by a rewind alone.

import { EntityOperationFailedError } from "../contract/errors.ts";
import type { EntityLockGranted, EntityOperationCompleted, EntityOperationFailed, HistoryEvent } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import type { EntityId } from "../contract/ids.ts";
import { given } from "../contract/recorded-as.ts";
import {
  type EntityTarget,
  operationFunctions,
  operationTarget,
  type OperationTarget,
  type SignalOptions,
  signalTime,
} from "../authoring/entity-proxy.ts";
import type { Schema } from "../authoring/schema.ts";
import { checkCall, checkNoSection, checkSignal, lockSetOf, Section } from "./critical-sections.ts";
import { requestId } from "./determinism.ts";
import { withRecordedStacks } from "./retries.ts";
import { DurableTask, fail } from "./tasks.ts";
import type { Turn } from "./turn.ts";

/** A call of an entity that is not answered. */
export interface EntityCall {
  readonly kind: "entity";
  readonly entityId: EntityId;
  readonly operation: string;
  readonly input: string | undefined;
  readonly output: Schema | undefined;
  readonly task: DurableTask;
  /** The section in which it was made. */
  readonly section: Section | undefined;
  /** The number of its action: another one after a rewind. */
  lastId: number;
  requestId: string;
}

/** What a program has to do with entities. Made when it first has: most have nothing. */
export class Entities {
  readonly #turn: Turn;
  readonly #calls = new Map<string, EntityCall>();
  section: Section | undefined;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  call(entityId: EntityId, operation: OperationTarget, value: unknown): DurableTask {
    const turn = this.#turn;
    const { name } = operation;
    checkCall(this.section, entityId, name);
    const input = turn.encode(operation.input, value, `input of operation '${name}' of entity '${entityId}'`);
    const task = new DurableTask(turn.ledger);
    if (!turn.mayAsk(`the call of operation '${name}' of entity '${entityId}'`)) return task;
    const { section } = this;
    section?.calling.add(entityId);
    this.ask({ kind: "entity", entityId, operation: name, input, output: operation.output, task, section, lastId: 0, requestId: "" });
    return task;
  }

  /** Asks for a call, or once more for it. */
  ask(call: EntityCall): void {
    const turn = this.#turn;
    const id = turn.takeId();
    this.#calls.delete(call.requestId);
    call.lastId = id;
    call.requestId = requestId(turn.historyId, id);
    const { entityId, operation, input } = call;
    turn.ask({ kind: "callEntity", id, entityId, requestId: call.requestId, operation, ...given({ input }) });
    turn.open.set(id, { kind: "entity", call });
    this.#calls.set(call.requestId, call);
  }

  signal(entityId: EntityId, operation: OperationTarget, value: unknown, options: SignalOptions | undefined): void {
    const turn = this.#turn;
    const { name } = operation;
    const what = `operation '${name}' of entity '${entityId}'`;
    checkSignal(this.section, entityId, name);
    const input = turn.encode(operation.input, value, `input of ${what}`);
    const scheduledAt = signalTime(options, turn.clock, `the signal of ${what}`);
    if (!turn.mayAsk(`the signal of ${what}`)) return;
    const id = turn.takeId();
    turn.ask({
      kind: "signalEntity",
      id,
      entityId,
      requestId: requestId(turn.historyId, id),
      operation: name,
      ...given({ input, scheduledAt }),
    });
  }

  /** Asks for a critical section; `undefined` when it is too late to ask for anything. */
  lock(entities: unknown): Section | undefined {
    const lockSet = lockSetOf(entities);
    checkNoSection(this.section, lockSet);
    if (!this.#turn.mayAsk("ctx.lockEntities()")) return undefined;
    return (this.section = new Section(this.#turn, lockSet));
  }

  // ---- what has happened

  /** An action was met in the history, which may know its request by another id. */
  met(event: HistoryEvent): void {
    const { section } = this;
    if (event.kind === "EntityLockRequested" && section?.lastId === event.eventId) section.id = event.criticalSectionId;
    if (event.kind !== "EntityOperationCalled") return;
    const open = this.#turn.open.get(event.eventId);
    if (open?.kind !== "entity" || open.call.requestId === event.requestId) return;
    this.#calls.delete(open.call.requestId);
    open.call.requestId = event.requestId;
    this.#calls.set(event.requestId, open.call);
  }

  completed(event: EntityOperationCompleted): void {
    const call = this.#answered(event.requestId);
    if (call === undefined) return;
    call.section?.calling.delete(call.entityId);
    this.#turn.settle(call.task, call.output, event.result, `result of operation '${call.operation}' of entity '${call.entityId}'`);
  }

  failed(event: EntityOperationFailed): void {
    const call = this.#answered(event.requestId);
    if (call === undefined) return;
    const { rewinding } = this.#turn;
    if (rewinding?.holdsBack(call.lastId) === true) rewinding.withhold(call, event.failure);
    else entityCallFailed(call, event.failure);
  }

  #answered(request: string): EntityCall | undefined {
    const call = this.#calls.get(request);
    if (call === undefined) return undefined;
    this.#calls.delete(request);
    this.#turn.open.delete(call.lastId);
    return call;
  }

  granted(event: EntityLockGranted): void {
    const { section } = this;
    if (this.#turn.over) return;
    if (section?.id === event.criticalSectionId && section.state !== "granted") section.granted();
  }
}

/** The call's task fails. */
export function entityCallFailed(call: EntityCall, failure: Failure): void {
  const { entityId, operation, lastId } = call;
  call.section?.calling.delete(entityId);
  fail(call.task, withRecordedStacks(new EntityOperationFailedError({ entityId, operation, taskId: lastId, failure }), failure));
}

/** An entity as its program sees it. */
export function entityOf(turn: Turn, target: EntityTarget): object {
  const { id } = target;
  const entities = (): Entities => (turn.entities ??= new Entities(turn));
  let signals: object | undefined;
  return operationFunctions(target, (operation, input) => entities().call(id, operation, input), {
    id,
    get signal(): object {
      return (signals ??= operationFunctions(target, (operation, input, options) => entities().signal(id, operation, input, options)));
    },
    call: (name: string, input?: unknown) => entities().call(id, operationTarget(target, name), input),
  });
}
