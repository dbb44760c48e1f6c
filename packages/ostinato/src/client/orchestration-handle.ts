// orchestration-handle: one instance, as a caller holds it.
//
// Owns:    what may be asked of an instance, and how its end is told: a value, or an error with the chain of causes.
// Is told: the id, and (for typed handles) the definition whose payloads it has.
// Tells:   the Backend, one operation for each method.
// Always:  H1 a handle is no promise and no thenable, and making one asks nobody anything.
//          H2 a wait that times out changes nothing: the instance goes on.

import type { Backend } from "../contract/backend.ts";
import { HubClosedError, InstanceNotFoundError, OrchestrationFailedError, ResultTimeoutError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { checkInstanceId, checkName, type InstanceId } from "../contract/ids.ts";
import { durationMs, type Duration } from "../contract/instant.ts";
import type { StoredInstance } from "../contract/instance.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { EventRef } from "../authoring/define.ts";
import { refuseUnstorableText } from "../authoring/payload.ts";
import { decodeWith } from "../authoring/schema.ts";
import { holdProcess, type Clock } from "../platform/clock.ts";
import type { Random } from "../platform/random.ts";
import { listingOf, type Listing } from "./listing.ts";
import { detailedStatusOf, statusOf, type DetailedStatus, type OrchestrationStatus, type PayloadShapes } from "./orchestration-status.ts";
import { enter, type PayloadRules } from "./values.ts";

/** How long to wait. */
export interface WaitOptions {
  /** After this long the wait gives up with ResultTimeoutError. Without it, it waits as long as the instance takes. */
  readonly timeout?: Duration;
}

/** How an instance is ended from outside. */
export interface TerminateOptions {
  /** What the instance has as its output then. */
  readonly output?: unknown;
  /** Whether its children end with it; they go on unless told so. */
  readonly recursive?: boolean;
}

/** What is removed with an instance. */
export interface PurgeOptions {
  /** Whether its children are removed too; they stay unless told so. */
  readonly recursive?: boolean;
}

/** How an instance is run once more. */
export interface RestartOptions {
  /** Another id for the new instance: this one, or (`true`) one that is made up. Without it the new instance has the id of the old one. */
  readonly newInstanceId?: true | string;
}

/** What is left to give after the event: nothing, its data, or perhaps its data. */
export type EventArgs<T> = undefined extends T ? [data?: T] : [data: T];

/**
 * One instance of an orchestration. It need not exist: whoever asks for what is not there is told so.
 *
 * @example
 * const instance = await hub.start(purchaseOrder, order);
 * await instance.raiseEvent(approvalReceived, { approver: "Ada" });
 * console.log(await instance.result({ timeout: "30s" }));
 */
export interface OrchestrationHandle<O = unknown> {
  readonly id: InstanceId;
  /**
   * The output, once the instance has completed.
   *
   * @throws OrchestrationFailedError when it failed (`cause` is what its code threw) or was terminated; ResultTimeoutError; InstanceNotFoundError.
   * @example
   * const output = await instance.result({ timeout: "5m" });
   */
  result(options?: WaitOptions): Promise<O>;
  /**
   * What is known of it now; `undefined` when there is no such instance.
   *
   * @example
   * const status = await instance.status();
   */
  status(): Promise<DetailedStatus<O> | undefined>;
  /**
   * Waits until it has begun to run (or has ended).
   *
   * @example
   * await instance.waitForStart({ timeout: "10s" });
   */
  waitForStart(options?: WaitOptions): Promise<OrchestrationStatus<O>>;
  /**
   * Raises an external event at it. Events wait until the orchestrator asks for them.
   *
   * @throws InstanceNotFoundError for an unknown id. To an instance that has ended an event is accepted, dropped and counted.
   * @example
   * await instance.raiseEvent("approval_received", { approver: "Ada" });
   */
  raiseEvent<T>(event: EventRef<T>, ...args: EventArgs<T>): Promise<void>;
  raiseEvent(name: string, data?: unknown): Promise<void>;
  /**
   * Pauses it after the turn it is in. Events and results wait meanwhile. One that is suspended already is left as it is.
   *
   * @throws InstanceNotFoundError; InvalidStateError when it has ended.
   * @example
   * await instance.suspend("the bank is closed");
   */
  suspend(reason?: string): Promise<void>;
  /**
   * Lets it go on; what had been set aside is tried once more. One that is not suspended is left as it is.
   *
   * @throws InstanceNotFoundError; InvalidStateError when it has ended.
   * @example
   * await instance.resume();
   */
  resume(reason?: string): Promise<void>;
  /**
   * Ends it, whatever its code is doing, also before it has begun. One that has ended stays as it is: only the children that still run are
   * reached, by a recursive one.
   *
   * @throws InstanceNotFoundError for an unknown id.
   * @example
   * await instance.terminate({ output: { reason: "withdrawn" }, recursive: true });
   */
  terminate(options?: TerminateOptions): Promise<void>;
  /**
   * Runs it once more from its beginning: the same orchestrator, input, version and tags, at once, and as nobody's child. Under its own id it
   * replaces the finished instance with its history; under a new id the old one stays, and may still be running.
   *
   * @throws InstanceNotFoundError; InvalidStateError when it has not ended and gets no new id; InstanceExistsError when the new id is taken.
   * @example
   * const again = await instance.restart({ newInstanceId: true });
   * console.log(await again.result());
   */
  restart(options?: RestartOptions): Promise<OrchestrationHandle<O>>;
  /**
   * Lets an instance that failed go on: activities and children that failed, or were still open, are tried again, with all their attempts.
   * What succeeded is not run again. Failed children are rewound as well. It can be done again and again. A failure that the code had caught,
   * and gone on from, stays caught.
   *
   * @throws InstanceNotFoundError; InvalidStateError unless it is FAILED.
   * @example
   * await instance.rewind("the bank is back");
   * console.log(await instance.result());
   */
  rewind(reason?: string): Promise<void>;
  /**
   * Removes an instance that has ended, with its history. How many were removed.
   *
   * @throws InvalidStateError while it runs.
   * @example
   * const removed = await instance.purge({ recursive: true });
   */
  purge(options?: PurgeOptions): Promise<number>;
  /**
   * The events of its current execution.
   *
   * @example
   * for await (const event of instance.history()) console.log(event.kind);
   */
  history(): Listing<HistoryEvent>;
}

/** What a handle works with. */
export interface HandleWorld extends PayloadRules {
  /** The line to the task hub. Throws HubClosedError once it is closed. */
  readonly backend: () => Backend;
  readonly clock: Clock;
  readonly random: Random;
}

const WAIT: OptionNames<WaitOptions> = { timeout: true };
const TERMINATE: OptionNames<TerminateOptions> = { output: true, recursive: true };
const RESTART: OptionNames<RestartOptions> = { newInstanceId: true };
const PURGE: OptionNames<PurgeOptions> = { recursive: true };

/** What a wait ended with when it was given up. */
const TIMED_OUT = Symbol("timed out");

/** The handle of an instance. */
export function handleOf<O>(world: HandleWorld, id: InstanceId, shapes: PayloadShapes): OrchestrationHandle<O> {
  const { converter } = world;

  /** Awaits a wait of the backend, for at most `timeout`. The process stays alive meanwhile. */
  const within = async (
    timeout: Duration | undefined,
    wait: (signal?: AbortSignal) => Promise<StoredInstance | undefined>,
  ): Promise<StoredInstance | undefined | typeof TIMED_OUT> => {
    const giveUp = timeout === undefined ? undefined : new AbortController();
    const timer = timeout === undefined ? undefined : world.clock.setTimer(durationMs(timeout, "timeout"), () => giveUp?.abort());
    const release = holdProcess();
    try {
      const stored = await wait(giveUp?.signal);
      return stored === undefined && giveUp?.signal.aborted ? TIMED_OUT : stored;
    } finally {
      release();
      timer?.cancel();
    }
  };

  const reached = async (
    goal: string,
    timeout: Duration | undefined,
    wait: (signal?: AbortSignal) => Promise<StoredInstance | undefined>,
  ): Promise<StoredInstance> => {
    const stored = await within(timeout, wait);
    if (stored !== TIMED_OUT && stored !== undefined) return stored;
    const now = await world.backend().get(id);
    if (now === undefined || stored === undefined) throw notFound(id);
    const waitingFor = now.waitingFor.length > 0 ? ` It waits for: ${now.waitingFor.join("; ")}.` : "";
    throw new ResultTimeoutError(
      `The instance '${id}' has not ${goal} in ${JSON.stringify(timeout)}: it is ${now.record.status}.${waitingFor} It goes on; ask again, or wait longer.`,
    );
  };

  const handle: OrchestrationHandle<O> = {
    id,
    async result(options = {}) {
      checkOptions(options, WAIT, "instance.result");
      return resultOf<O>(await reached("ended", options.timeout, (signal) => world.backend().waitForCompletion(id, signal)), world, shapes);
    },
    async status() {
      const snapshot = await world.backend().get(id);
      return snapshot && detailedStatusOf<O>(snapshot, converter, shapes);
    },
    async waitForStart(options = {}) {
      checkOptions(options, WAIT, "instance.waitForStart");
      return statusOf<O>(
        await reached("started", options.timeout, (signal) => world.backend().waitForStart(id, signal)),
        converter,
        shapes,
      );
    },
    async raiseEvent(event: EventRef<unknown> | string, data?: unknown) {
      const name = typeof event === "string" ? event : event.name;
      checkName(name, "event name");
      const input = await enter(world, typeof event === "string" ? undefined : event.schema, data, `data of event '${name}'`);
      await world.backend().raiseEvent({ instanceId: id, name, messageId: world.random.id(), ...given({ input }) });
    },
    async suspend(reason) {
      await world.backend().suspend(id, checkedReason(reason));
    },
    async resume(reason) {
      await world.backend().resume(id, checkedReason(reason));
    },
    async terminate(options = {}) {
      checkOptions(options, TERMINATE, "instance.terminate");
      const output = await enter(world, undefined, options.output, `output of instance '${id}'`);
      await world.backend().terminate({ instanceId: id, recursive: options.recursive ?? false, ...given({ output }) });
    },
    async restart(options = {}) {
      checkOptions(options, RESTART, "instance.restart");
      const newInstanceId = options.newInstanceId === true ? world.random.id() : options.newInstanceId;
      if (newInstanceId !== undefined) checkInstanceId(newInstanceId);
      await world.backend().restart({ instanceId: id, executionId: world.random.id(), ...given({ newInstanceId }) });
      return handleOf<O>(world, newInstanceId ?? id, shapes);
    },
    async rewind(reason) {
      await world.backend().rewind({ instanceId: id, executionId: world.random.id(), ...given({ reason: checkedReason(reason) }) });
    },
    async purge(options = {}) {
      checkOptions(options, PURGE, "instance.purge");
      return world.backend().purge({ instanceId: id, recursive: options.recursive ?? false });
    },
    history: () => listingOf(() => world.backend().history(id)),
  };
  return handle;
}

function resultOf<O>(stored: StoredInstance, world: HandleWorld, shapes: PayloadShapes): O {
  const { record, payloads } = stored;
  const what = `output of instance '${record.id}'`;
  if (record.status === "COMPLETED") return decodeWith(world.converter, shapes.output, payloads.output, what) as O;
  if (record.status === "TERMINATED") {
    throw new OrchestrationFailedError(`The instance '${record.id}' of '${record.name}' was terminated.`, {
      instanceId: record.id,
      terminated: true,
      output: decodeWith(world.converter, undefined, payloads.output, what),
    });
  }
  const { failure } = payloads;
  const why = failure === undefined ? "it says no more" : `${failure.errorType}: ${failure.message}`;
  throw new OrchestrationFailedError(`The instance '${record.id}' of '${record.name}' failed: ${why}`, {
    instanceId: record.id,
    ...given({ failure }),
  });
}

function notFound(id: InstanceId): InstanceNotFoundError {
  return new InstanceNotFoundError(`There is no instance '${id}' in this task hub. It was never started here, or has been purged.`);
}

/** The backend, until the hub is closed. */
export function untilClosed(backend: Backend, isClosed: () => boolean): () => Backend {
  return () => {
    if (isClosed()) throw new HubClosedError("The task hub has been closed. Open it again, or close it after the last use.");
    return backend;
  };
}

function checkedReason(reason: string | undefined): string | undefined {
  if (reason !== undefined) refuseUnstorableText(reason, "reason");
  return reason;
}
