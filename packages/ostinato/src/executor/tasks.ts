// tasks: the bodies of durable tasks.
//
// Owns:    what a task is at run time, who is told when it settles, and the composites made of several.
// Is told: that a task has a result or a failure.
// Tells:   those who wait for it, at once and in the order in which they began to wait.
// Always:  K1 a task is a lazy thenable: it rejects nothing that nobody awaits.
//          K2 a task given as the result of another one (whenAny) arrives as itself: while it is handed over it has no `then`.
//          K3 settling costs as much as there are waiters, however many tasks are open; a composite that settles leaves its losers, so a
//             task that stays open keeps nothing of it.
//          K4 after the ledger is closed no task is ever settled.

import { InvalidArgumentError, TaskCancelledError, TaskPendingError } from "../contract/errors.ts";
import type { CancellableTask, Task } from "../authoring/task.ts";

/** What the tasks of one execution have in common. */
export interface Ledger {
  /** Open tasks that the program itself waits for (not through a composite). None at a standstill: it waits for something else. */
  awaited: number;
  /** How many tasks have settled: their order of completion. */
  settled: number;
  /** Somebody was told of a settled task since this was last set to false: user code may have run or be about to. */
  woke: boolean;
  /** The program uses promises, so its user code may be in the queue of microtasks. */
  asynchronous: boolean;
  /** Retry decisions that a promise is still to make. */
  deciding: number;
  closed: boolean;
}

/** A ledger of no tasks. */
export function newLedger(): Ledger {
  return { awaited: 0, settled: 0, woke: false, asynchronous: false, deciding: 0, closed: false };
}

/** Somebody who waits for a task. */
export interface Waiter {
  settled(task: DurableTask): void;
}

/** Somebody who waits for several tasks and settles one of its own by them. */
interface Composite extends Waiter {
  readonly parts: readonly DurableTask[];
}

type TaskState = "open" | "completed" | "failed";

/** The task that is being handed over right now: it has no `then`, so that a promise takes it as the value it is. */
let concealed: unknown;

/** A durable task at run time. Programs see it as Task, TimerTask or EventTask. */
export class DurableTask<T = unknown> implements CancellableTask<T> {
  readonly ledger: Ledger;
  state: TaskState = "open";
  /** The result or the failure. */
  value: unknown = undefined;
  /** Its place among the settled tasks. */
  order = 0;
  /** Takes back what the task stands for; only timers, waits for events and requests for sections have it, and only while they are open. */
  takeBack: (() => boolean) | undefined;
  /** What settles it, when that is a composite. */
  composite: Composite | undefined = undefined;
  isCancelled = false;
  /** Whether to wait for it is to wait for something durable in itself (not so if its parts are counted on their own). */
  counts = true;
  /** The program itself waits for it, which the ledger counts. */
  awaited = false;
  waiters: Waiter | Set<Waiter> | undefined = undefined;

  constructor(ledger: Ledger, takeBack?: () => boolean) {
    this.ledger = ledger;
    this.takeBack = takeBack;
  }

  get isCompleted(): boolean {
    return this.state !== "open";
  }

  get isFailed(): boolean {
    return this.state === "failed";
  }

  get result(): T {
    if (this.state === "open") throw new TaskPendingError("The task has not completed yet; await it before its result is read.");
    if (this.state === "failed") throw this.value;
    return this.value as T;
  }

  // A getter, so that it can be absent for the moment in which a promise looks for it (K2). Whoever reads it is about to await.
  get then(): Task<T>["then"] {
    if (concealed === this) return undefined as unknown as Task<T>["then"];
    this.ledger.asynchronous = true;
    return attach as Task<T>["then"];
  }

  [Symbol.iterator](): Iterator<Task<unknown>, T, unknown> {
    return new TaskSteps(this);
  }

  cancel(): void {
    cancelTask(this);
  }
}

function attach(
  this: DurableTask,
  onCompleted: ((value: unknown) => unknown) | null | undefined,
  onFailed: ((error: unknown) => unknown) | null | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const reaction = new Reaction(onCompleted, onFailed, resolve, reject);
    if (this.state === "open") wait(this, reaction, true);
    else queueMicrotask(() => reaction.settled(this));
  });
}

/** Callbacks of `then`, and the promise it gave. */
class Reaction implements Waiter {
  readonly #onCompleted: ((value: unknown) => unknown) | null | undefined;
  readonly #onFailed: ((error: unknown) => unknown) | null | undefined;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: unknown) => void;

  constructor(
    onCompleted: ((value: unknown) => unknown) | null | undefined,
    onFailed: ((error: unknown) => unknown) | null | undefined,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ) {
    this.#onCompleted = onCompleted;
    this.#onFailed = onFailed;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  settled(task: DurableTask): void {
    if (task.ledger.closed) return;
    const { value } = task;
    if (!(value instanceof DurableTask)) {
      this.#tell(task.state, value);
      return;
    }
    const before = concealed;
    concealed = value;
    try {
      this.#tell(task.state, value);
    } finally {
      concealed = before;
    }
  }

  #tell(state: TaskState, value: unknown): void {
    const callback = state === "failed" ? this.#onFailed : this.#onCompleted;
    if (typeof callback !== "function") {
      if (state === "failed") this.#reject(value);
      else this.#resolve(value);
      return;
    }
    try {
      this.#resolve(callback(value));
    } catch (error) {
      this.#reject(error);
    }
  }
}

/** What `yield*` walks: the task goes out, what comes back is its result. */
class TaskSteps<T> implements Iterator<Task<unknown>, T, unknown> {
  readonly #task: DurableTask<T>;
  #out = false;

  constructor(task: DurableTask<T>) {
    this.#task = task;
  }

  next(value: unknown): IteratorResult<Task<unknown>, T> {
    if (this.#out) return { done: true, value: value as T };
    this.#out = true;
    return { done: false, value: this.#task };
  }

  // Without it a failure would end the delegation and never reach the program's own `try`.
  throw(error: unknown): never {
    throw error;
  }
}

// ---- waiting and settling

/** Tells a waiter when an open task settles. `direct` when it is the program that waits. False if it was waiting already. */
export function wait(task: DurableTask, waiter: Waiter, direct: boolean): boolean {
  if (direct && task.counts && !task.awaited) {
    task.awaited = true;
    task.ledger.awaited++;
  }
  const { waiters } = task;
  if (waiters === undefined) {
    task.waiters = waiter;
    return true;
  }
  if (waiters instanceof Set) {
    const before = waiters.size;
    return waiters.add(waiter).size > before;
  }
  if (waiters === waiter) return false;
  task.waiters = new Set([waiters, waiter]);
  return true;
}

function leave(task: DurableTask, waiter: Waiter): void {
  if (task.waiters === waiter) task.waiters = undefined;
  else if (task.waiters instanceof Set) task.waiters.delete(waiter);
}

/** Gives a task its result. Nothing happens if it has settled already, or the execution is over. */
export function complete(task: DurableTask, result: unknown): void {
  settle(task, "completed", result);
}

/** Gives a task its failure. */
export function fail(task: DurableTask, error: unknown): void {
  settle(task, "failed", error);
}

function settle(task: DurableTask, state: TaskState, value: unknown): void {
  const { ledger, waiters } = task;
  if (task.state !== "open" || ledger.closed) return;
  task.state = state;
  task.value = value;
  task.order = ++ledger.settled;
  task.takeBack = undefined;
  task.composite = undefined;
  task.waiters = undefined;
  if (task.awaited) ledger.awaited--;
  if (waiters === undefined) return;
  ledger.woke = true;
  if (!(waiters instanceof Set)) waiters.settled(task);
  else for (const waiter of waiters) waiter.settled(task);
}

/** Takes back a timer or a wait, if it is still open. */
export function cancelTask(task: DurableTask): void {
  if (task.state !== "open") return;
  if (task.takeBack === undefined)
    throw new InvalidArgumentError("Only timers, waits for external events and requests for critical sections can be cancelled.");
  if (!task.takeBack()) return;
  task.isCancelled = true;
  fail(task, new TaskCancelledError("The task was cancelled before it completed."));
}

/** Takes back the timers, waits and requests that a losing task stands for, where nobody else waits for them. */
function withdraw(task: DurableTask, loserOf: Waiter | undefined): void {
  if (task.state !== "open" || awaitedByOthers(task, loserOf)) return;
  if (task.takeBack !== undefined) cancelTask(task);
  else if (task.composite !== undefined) for (const part of [...task.composite.parts]) withdraw(part, task.composite);
}

function awaitedByOthers({ waiters }: DurableTask, besides: Waiter | undefined): boolean {
  if (waiters === undefined || waiters === besides) return false;
  return !(waiters instanceof Set) || waiters.size > (besides !== undefined && waiters.has(besides) ? 1 : 0);
}

// ---- composites

/** The tasks of a composite, checked to be tasks of this execution. */
function ownTasks(tasks: unknown, ledger: Ledger, what: string): readonly DurableTask[] {
  if (!Array.isArray(tasks)) throw new InvalidArgumentError(`${what} takes a list of tasks.`);
  for (const task of tasks as readonly unknown[]) {
    if (!(task instanceof DurableTask)) {
      throw new InvalidArgumentError(`${what} takes durable tasks; await promises and other values by Promise.all or on their own.`);
    }
    if (task.ledger !== ledger) throw new InvalidArgumentError(`${what} was given a task of another orchestration.`);
  }
  return [...(tasks as readonly DurableTask[])];
}

function joinParts(composite: Composite): number {
  let open = 0;
  for (const part of composite.parts) if (part.state === "open" && wait(part, composite, false)) open++;
  return open;
}

function leaveParts(composite: Composite): void {
  for (const part of composite.parts) leave(part, composite);
}

/** The one of some tasks that settled first, if any has. */
function firstSettled(tasks: readonly DurableTask[]): DurableTask | undefined {
  let first: DurableTask | undefined;
  for (const task of tasks) if (task.state !== "open" && (first === undefined || task.order < first.order)) first = task;
  return first;
}

/** A task that completes with all results when all have settled, or fails with the failure that came first. */
export function whenAll(ledger: Ledger, tasks: unknown): DurableTask<unknown[]> {
  const all = new AllOf(ledger, ownTasks(tasks, ledger, "whenAll"));
  all.begin();
  return all.task;
}

class AllOf implements Composite {
  parts: readonly DurableTask[];
  readonly task: DurableTask<unknown[]>;
  #open = 0;

  constructor(ledger: Ledger, parts: readonly DurableTask[]) {
    this.parts = parts;
    this.task = new DurableTask(ledger);
  }

  begin(): void {
    this.task.composite = this;
    this.#open = joinParts(this);
    if (this.#open === 0) this.#finish();
  }

  settled(): void {
    if (--this.#open === 0) this.#finish();
  }

  #finish(): void {
    const { parts } = this;
    this.parts = [];
    const failed = parts.filter((part) => part.state === "failed");
    if (failed.length > 0) fail(this.task, firstWithAll(failed.sort((a, b) => a.order - b.order).map((part) => part.value)));
    else
      complete(
        this.task,
        parts.map((part) => part.value),
      );
  }
}

/**
 * The first of several failures, with all of them as its `errors`. It is a copy: the failure itself may stand in other lists, and one that
 * listed itself could not be written as a payload.
 */
export function firstWithAll(errors: readonly unknown[]): unknown {
  const [first] = errors;
  if (!(first instanceof Error) || first instanceof AggregateError) return first;
  const copy = new Error(first.message);
  Object.setPrototypeOf(copy, Object.getPrototypeOf(first) as object);
  Object.defineProperties(copy, Object.getOwnPropertyDescriptors(first));
  const hidden = { configurable: true, writable: true, enumerable: false };
  Object.defineProperty(copy, "stack", { ...hidden, value: first.stack });
  Object.defineProperty(copy, "errors", { ...hidden, value: [...new Set(errors)] });
  return copy;
}

/** A task that completes with the first task to settle: that very one, completed or failed. */
export function whenAny(ledger: Ledger, tasks: unknown): DurableTask {
  const parts = ownTasks(tasks, ledger, "whenAny");
  if (parts.length === 0) throw new InvalidArgumentError("whenAny of no tasks would wait for ever; give it at least one.");
  const task = new DurableTask(ledger);
  const settledAlready = firstSettled(parts);
  if (settledAlready !== undefined) {
    complete(task, settledAlready);
    return task;
  }
  const any: Composite = {
    parts,
    settled(winner) {
      leaveParts(any);
      complete(task, winner);
    },
  };
  task.composite = any;
  joinParts(any);
  return task;
}

/** A task that completes with the key and the result of the first named task to settle; the losers are taken back. */
export function first(ledger: Ledger, named: Readonly<Record<string, unknown>>): DurableTask {
  const keys = Object.keys(named);
  const parts = ownTasks(Object.values(named), ledger, "first");
  if (parts.length === 0) throw new InvalidArgumentError("first of no tasks would wait for ever; give it at least one.");
  const task = new DurableTask(ledger);
  const finish = (winner: DurableTask): void => {
    for (const part of parts) if (part !== winner) withdraw(part, undefined);
    if (winner.state === "failed") fail(task, winner.value);
    else complete(task, { key: keys[parts.indexOf(winner)], value: winner.value });
  };
  const settledAlready = firstSettled(parts);
  if (settledAlready !== undefined) {
    finish(settledAlready);
    return task;
  }
  const one: Composite = {
    parts,
    settled(winner) {
      leaveParts(one);
      finish(winner);
    },
  };
  task.composite = one;
  joinParts(one);
  return task;
}

/** A task that settles as soon as another one has, by what `finish` makes of it. */
export function follow<T>(source: DurableTask, finish: (source: DurableTask, task: DurableTask<T>) => void): DurableTask<T> {
  const task = new DurableTask<T>(source.ledger);
  const waiter: Composite = { parts: [source], settled: () => finish(source, task) };
  if (source.state !== "open") {
    finish(source, task);
    return task;
  }
  task.composite = waiter;
  wait(source, waiter, false);
  return task;
}
