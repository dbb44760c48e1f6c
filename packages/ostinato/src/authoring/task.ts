// task: the durable task that a program awaits.
//
// Owns:    the types of tasks and of what becomes of several of them. Their bodies are the executor's.
// Always:  T1 a task is a lazy thenable and never a native promise: nothing is rejected that nobody awaits.
//          T2 what `whenAny` gives has a type without `then`, so that the compiler lets the winner through untouched.

/** What is known of a task without awaiting it. `whenAny` gives its winner as this. */
export interface Settled<T> {
  /** The result. Throws TaskPendingError before the task has completed, and the task's own failure when it failed. */
  readonly result: T;
  /** True once the task has a result or a failure. */
  readonly isCompleted: boolean;
  /** True once the task has failed or was cancelled. */
  readonly isFailed: boolean;
}

/**
 * Something durable to wait for: an activity, a child, a timer, an event, or several of them.
 *
 * Await it in an `async` orchestrator, `yield*` it in a `function*`. It begins when it is made, not when it is awaited.
 *
 * @example
 * const order = ctx.callActivity(load, id);      // begins here
 * const stock = ctx.callActivity(checkStock, id); // beside it
 * return [await order, await stock];
 */
export interface Task<T> extends Settled<T>, PromiseLike<T> {
  /** For `yield*`, which is typed where a plain `yield` is not. */
  [Symbol.iterator](): Iterator<Task<unknown>, T, unknown>;
}

/** A task that the program may take back. Awaiting it afterwards throws TaskCancelledError. */
export interface CancellableTask<T> extends Task<T> {
  /** Takes the task back, if it has not completed yet; otherwise nothing happens. */
  cancel(): void;
  /** True once it was taken back. */
  readonly isCancelled: boolean;
}

/** A durable timer. Cancelling it takes its wake-up back. */
export type TimerTask = CancellableTask<void>;

/** A wait for an external event. Cancelling it leaves the event in the buffer for the next wait. */
export type EventTask<T> = CancellableTask<T>;

/** The results of a list of tasks, place by place. */
export type TaskResults<A extends readonly unknown[]> = { -readonly [K in keyof A]: A[K] extends Task<infer T> ? T : never };

/** One of several tasks, settled: the very task, seen as something that is not thenable. */
export type Winner<K> = K extends Task<infer T> ? Settled<T> : never;

/** Which of several named tasks settled first, and its result: a union to branch on by `key`. */
export type First<M> = { [K in keyof M & string]: { readonly key: K; readonly value: M[K] extends Task<infer T> ? T : never } }[keyof M &
  string];
