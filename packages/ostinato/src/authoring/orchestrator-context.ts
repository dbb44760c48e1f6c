// orchestrator-context: what an orchestrator may do.
//
// Owns:    the words of OrchestratorContext. What each of them does is the executor's.
// Always:  O1 everything here is deterministic: the same history gives the same answers on every replay.
//          O2 what changes the world is a task or an action; nothing else of a program lasts.

import type { Failure } from "../contract/failure.ts";
import type { Duration } from "../contract/instant.ts";
import type { Tags } from "../contract/instance.ts";
import type { ActivityContext, DeclaredErrors, NoErrors, ProgramLogger } from "./activity-context.ts";
import type { ActivityRef, BodyResult, CallArguments, EventRef, OrchestratorBody, OrchestratorRef } from "./define.ts";
import type { EntityProxy, NamedOperations } from "./entity-proxy.ts";
import type { EntityRef } from "./entity.ts";
import type { CallTimeout, RetryHandler, RetryPolicy } from "./retry.ts";
import type { OutOf } from "./schema.ts";
import type { CancellableTask, EventTask, First, Task, TaskResults, TimerTask, Winner } from "./task.ts";

/** No events declared on the orchestrator. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- an object type without keys is exactly what is meant
export type NoEvents = {};

/** How an activity is called. */
export interface CallOptions {
  /** In place of the definition's: a policy, or a function that decides after each failure. */
  readonly retry?: RetryPolicy | RetryHandler;
  /** In place of the definition's. */
  readonly timeout?: CallTimeout;
  readonly tags?: Tags;
  /** For workers that serve several versions of an activity. */
  readonly version?: string;
}

/** How a child orchestration is called. */
export interface SubOrchestratorOptions {
  /** The child's id; by default it is made from this execution and the call's number. A retry keeps it. */
  readonly instanceId?: string;
  readonly retry?: RetryPolicy | RetryHandler;
  readonly tags?: Tags;
  /** The child's version; by default its definition's, else the hub's default version. */
  readonly version?: string;
}

/** How the next execution begins. */
export interface ContinueAsNewOptions {
  /** Whether events that no wait has taken go along, in their order; true by default. `false` drops them, with a count. */
  readonly carryEvents?: boolean;
  /** The next execution's version; this one's by default. */
  readonly version?: string;
}

/** How many items of `ctx.map` are under way at once. */
export interface MapOptions {
  /** At least 1; all of them by default. */
  readonly concurrency?: number;
}

/** An entity to lock: as `ctx.entity` gives it. */
export interface LockableEntity {
  readonly id: string;
}

/**
 * Entities that an orchestration has to itself: nobody else's operations are done in them until it lets them go.
 *
 * @example
 * const section = await ctx.lockEntities([from, to]);
 * try {
 *   await from.withdraw(5);
 * } finally {
 *   section.release();
 * }
 */
export interface CriticalSection {
  /** The ids of its entities, sorted. */
  readonly entityIds: readonly string[];
  /** True once it was let go. */
  readonly isReleased: boolean;
  /** Lets all of them go; a second time nothing happens. The end of the orchestration, whatever it is, does so as well. */
  release(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

/** A critical section that was asked for. Cancelling it takes the request back, also when it loses in `ctx.first`. */
export type LockTask = CancellableTask<CriticalSection>;

/** Who started this orchestration as a child. */
export interface ParentInfo {
  readonly name: string;
  readonly instanceId: string;
  readonly version?: string;
  /** The number of the call in the parent. */
  readonly taskScheduledId: number;
}

/** A failure as `ctx.try` tells it: one of the declared errors by its tag, or `"failed"` for every other one. */
export type TryError<E extends DeclaredErrors> =
  | { [K in keyof E & string]: { readonly tag: K; readonly data: E[K]; readonly message: string } }[keyof E & string]
  | { readonly tag: "failed"; readonly data: Failure; readonly message: string };

/** What `ctx.try` gives. */
export type TryResult<O, E extends DeclaredErrors> =
  { readonly ok: true; readonly value: O } | { readonly ok: false; readonly error: TryError<E> };

/**
 * What an orchestrator may do. `Ev` holds the events that its definition declares.
 *
 * @example
 * const greetAll = orchestrator("greetAll", async (ctx, names: string[]) => {
 *   return await ctx.whenAll(names.map((name) => ctx.callActivity(hello, name)));
 * });
 */
export interface OrchestratorContext<Ev = NoEvents> {
  /** The id of this instance. */
  readonly instanceId: string;
  /** The id of this execution: a new one after continue-as-new, restart and rewind. */
  readonly executionId: string;
  /** The name it was started under. */
  readonly name: string;
  /** The version it was started with; `""` for none. */
  readonly version: string;
  /** The input, as the body's second parameter has it. */
  readonly input: unknown;
  /** The orchestration that started this one as its child. */
  readonly parent: ParentInfo | undefined;
  /** The tags it was started with. */
  readonly tags: Tags;
  /** The time at which the present turn began. Use it in place of `new Date()`. */
  readonly currentUtcDateTime: Date;
  /** True while the program goes through what has happened already. Nothing that decides may depend on it. */
  readonly isReplaying: boolean;
  /** Log lines that are written once: nothing is written while replaying. */
  readonly log: ProgramLogger;

  /**
   * Whether this instance was started with this version or a later one. A running instance keeps its version, so old ones take the old way.
   *
   * @example
   * if (ctx.isVersionAtLeast("2.0.0")) await ctx.callActivity(addedInTwo);
   */
  isVersionAtLeast(version: string): boolean;

  /** A random-looking id that is the same on every replay. Use it in place of `crypto.randomUUID()`. */
  newGuid(): string;

  /**
   * Calls an activity: by its definition or contract, by the function that is its body, or by name for programs in other languages.
   * A failure throws TaskFailedError, after the retries that the call or the definition asks for.
   *
   * @example
   * const greeting = await ctx.callActivity(hello, "Tokyo");
   * const price = await ctx.callActivity(quote, { sku }, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: "1s" }, timeout: { total: "1m" } });
   * const size = await ctx.callActivity<string, number>("python_size", "/tmp/a");
   */
  callActivity<I, O, E>(activity: ActivityRef<I, O, E>, ...args: CallArguments<I, CallOptions>): Task<O>;
  callActivity<I = unknown, O = unknown>(name: string, ...args: CallArguments<I, CallOptions>): Task<O>;
  callActivity<I, O>(run: (ctx: ActivityContext, input: I) => O | Promise<O>, ...args: CallArguments<I, CallOptions>): Task<O>;

  /**
   * Calls an activity and gives its failure as a value, typed by the errors that it declares. Every other failure has the tag `"failed"`.
   *
   * @example
   * const got = await ctx.try(reserve, item);
   * if (!got.ok && got.error.tag === "OutOfStock") return `only ${got.error.data.left} left`;
   */
  try<I, O, E extends DeclaredErrors>(activity: ActivityRef<I, O, E>, ...args: CallArguments<I, CallOptions>): Task<TryResult<O, E>>;
  try<I = unknown, O = unknown>(name: string, ...args: CallArguments<I, CallOptions>): Task<TryResult<O, NoErrors>>;

  /**
   * Starts another orchestration as a child and waits for its result.
   *
   * @example
   * const receipt = await ctx.callSubOrchestrator(payment, order, { instanceId: `${ctx.instanceId}/payment` });
   */
  callSubOrchestrator<I, O>(orchestrator: OrchestratorRef<I, O>, ...args: CallArguments<I, SubOrchestratorOptions>): Task<O>;
  callSubOrchestrator<I = unknown, O = unknown>(name: string, ...args: CallArguments<I, SubOrchestratorOptions>): Task<O>;
  callSubOrchestrator<I, O>(body: OrchestratorBody<I, O>, ...args: CallArguments<I, SubOrchestratorOptions>): Task<O>;

  /**
   * A durable timer: it fires once, not before its time, however often the process restarts in between. A time that has passed is fine.
   *
   * @example
   * await ctx.createTimer("24h");
   * await ctx.createTimer({ days: 3, hours: 12 });
   * await ctx.createTimer(new Date(order.dueAt));
   */
  createTimer(due: Duration | Date): TimerTask;

  /**
   * Waits for an external event. Names are compared without regard to case; events that came before are kept for the next wait, in their
   * order; of several waits for one name the oldest gets the next event.
   *
   * @example
   * const { approver } = await ctx.waitForExternalEvent(approvalReceived);
   * const reply = await ctx.waitForExternalEvent<string>("reply");
   */
  waitForExternalEvent<I, O>(event: EventRef<I, O>): EventTask<O>;
  waitForExternalEvent<K extends keyof Ev & string>(name: K): EventTask<OutOf<Ev[K]>>;
  waitForExternalEvent<T = unknown>(name: string): EventTask<T>;

  /**
   * Raises an external event at another instance. It does not wait; an instance that does not exist drops it.
   *
   * @example
   * ctx.sendEvent("order-17", approvalReceived, { approver: "Ada" });
   */
  sendEvent<I, O>(instanceId: string, event: EventRef<I, O>, ...args: undefined extends I ? [data?: I] : [data: I]): void;
  sendEvent(instanceId: string, name: string, data?: unknown): void;

  /**
   * An entity to call or to signal: by its definition, or by name for one whose program is in another language. A call gives a task; when the
   * operation fails, awaiting it throws EntityOperationFailedError, and the entity is as it was before.
   *
   * @example
   * const from = ctx.entity(account, "ada");
   * const left = await from.withdraw(5);
   * from.signal.note("withdrawn", { at: "1h" });
   * const sum = await ctx.entity<{ add(n: number): number }>("python_counter", "visits").add(1);
   */
  entity<Ops, S>(definition: EntityRef<Ops, S>, key: string): EntityProxy<Ops>;
  entity<Ops extends object = NamedOperations>(name: string, key: string): EntityProxy<Ops>;

  /**
   * Waits until it has all of these entities to itself, in a critical section: nothing but its own calls is done in them until it lets them go.
   * They are asked in one order by everybody, so no two orchestrations ever wait for each other.
   *
   * With a body, the section ends with it, however that ends. Without one it is given back as a CriticalSection, to be let go by `release()`.
   * Within a section an orchestration calls its entities alone, each by one call at a time, signals others alone, and begins no second section:
   * whatever else is asked for throws CriticalSectionError.
   *
   * @example
   * const to = ctx.entity(account, "bob");
   * const total = await ctx.lockEntities([from, to], async () => {
   *   await from.withdraw(5);
   *   return await to.deposit(5);
   * });
   */
  lockEntities<R>(entities: readonly LockableEntity[], body: () => BodyResult<R>): Task<R>;
  lockEntities(entities: readonly LockableEntity[]): LockTask;

  /** Whether it has a critical section right now, granted and not let go. */
  readonly isInCriticalSection: boolean;

  /**
   * Waits for all of the tasks, and gives their results in the order of the list. It waits for every task even when some fail, then throws
   * the failure that came first, whose `errors` lists all of them. An empty list completes at once. `Promise.all` works on tasks, too.
   *
   * @example
   * const [user, orders] = await ctx.whenAll([ctx.callActivity(loadUser, id), ctx.callActivity(loadOrders, id)]);
   */
  whenAll<const A extends readonly Task<unknown>[]>(tasks: A): Task<TaskResults<A>>;

  /**
   * Waits for the first of the tasks to settle and gives that very task, completed or failed; the others go on. An empty list throws.
   *
   * @example
   * const winner = await ctx.whenAny([approval, timeout]);
   * if (winner === timeout) return "late";
   */
  whenAny<const A extends readonly Task<unknown>[]>(tasks: A): Task<Winner<A[number]>>;

  /**
   * Waits for the first of several named tasks, and takes the others back: their timers are cancelled, and events that arrive later stay for
   * other waits. A request for a critical section is withdrawn. Activities, calls of entities and children go on. When the first one failed, its failure is thrown. A loser that something else waits for as
   * well is left alone.
   *
   * @example
   * const got = await ctx.first({ approval: ctx.waitForExternalEvent(approved), timeout: ctx.createTimer("24h") });
   * if (got.key === "timeout") return "late";
   * return got.value.approver;
   */
  first<M extends Readonly<Record<string, Task<unknown>>>>(tasks: M): Task<First<M>>;

  /**
   * Applies a function to every item, with a bound on how many are under way at once; results come in the order of the items. As with
   * `whenAll` every item is tried, then the first failure is thrown.
   *
   * @example
   * const sizes = await ctx.map(files, (file) => ctx.callActivity(measure, file), { concurrency: 10 });
   */
  map<T, R>(items: readonly T[], apply: (item: T, index: number) => PromiseLike<R> | R, options?: MapOptions): Task<R[]>;

  /** Sets what `handle.status()` shows beside the status; `null` or `undefined` clears it. At most 16 KiB. */
  setCustomStatus(status: unknown): void;

  /**
   * Ends this execution and begins the next one of the same instance with a fresh history. Return right after it: of several calls the
   * first one counts, and no task of this execution completes any more.
   *
   * @example
   * ctx.continueAsNew({ ...state, round: state.round + 1 });
   * return;
   */
  continueAsNew(input?: unknown, options?: ContinueAsNewOptions): void;
}
