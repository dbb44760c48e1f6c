// program-context: the context of an orchestrator, which turns calls into actions.
//
// Owns:    what each word of OrchestratorContext does: checking its arguments, writing payloads, making tasks.
// Is told: the turn it speaks to.
// Tells:   the turn what is asked for; the program its tasks.
// Always:  Q1 what can never work is refused here, at the author's call, and takes no id.
//          Q2 a call outside of a delivery takes no id, makes no action, and gives a task that never settles.

import { InvalidArgumentError, TaskFailedError } from "../contract/errors.ts";
import { checkInstanceId, checkName } from "../contract/ids.ts";
import type { Tags } from "../contract/instance.ts";
import { type Duration, durationMs, pointInTime } from "../contract/instant.ts";
import { compareVersions } from "../contract/versions.ts";
import { type ProgramLogger, readDeclaredError } from "../authoring/activity-context.ts";
import { checkOrchestratorName, nameOfFunction } from "../authoring/define.ts";
import { entityTarget } from "../authoring/entity-proxy.ts";
import type {
  CallOptions,
  ContinueAsNewOptions,
  MapOptions,
  OrchestratorContext,
  ParentInfo,
  SubOrchestratorOptions,
  TryError,
} from "../authoring/orchestrator-context.ts";
import { type CallTimeout, checkRetry, type RetryHandler, type RetryPolicy } from "../authoring/retry.ts";
import { encodeWith, type Schema } from "../authoring/schema.ts";
import type { EventTask, First, Task, TaskResults, TimerTask, Winner } from "../authoring/task.ts";
import { runBody } from "./bodies.ts";
import { runInSection } from "./critical-sections.ts";
import { newGuid, placeOfCall } from "./determinism.ts";
import { Entities, entityOf } from "./entities.ts";
import { schedule } from "./retries.ts";
import { complete, DurableTask, fail, first, firstWithAll, follow, whenAll, whenAny } from "./tasks.ts";
import { checkSize, type EventWait, type Turn } from "./turn.ts";

/** What is called: all that a definition, a contract, a function or a name may say. */
interface Target {
  readonly name: string;
  readonly version?: string;
  readonly input?: Schema;
  readonly output?: Schema;
  readonly errors?: Readonly<Record<string, Schema>>;
  readonly retry?: RetryPolicy | RetryHandler;
  readonly timeout?: CallTimeout;
}

const NO_TAGS: Tags = Object.freeze({});

/** The context of one execution. */
export function createContext(turn: Turn): OrchestratorContext {
  return new ProgramContext(turn);
}

class ProgramContext implements OrchestratorContext {
  readonly #turn: Turn;
  #log: ProgramLogger | undefined;

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  // ---- what is known

  get instanceId(): string {
    return this.#turn.options.instanceId;
  }

  get executionId(): string {
    return this.#turn.options.executionId;
  }

  get name(): string {
    return this.#turn.started?.name ?? this.#turn.options.orchestrator.name;
  }

  get version(): string {
    this.#turn.options.observer?.askedVersion?.(undefined, placeOfCall());
    return versionOf(this.#turn);
  }

  get input(): unknown {
    return this.#turn.input;
  }

  get parent(): ParentInfo | undefined {
    const parent = this.#turn.started?.parent;
    if (parent === undefined) return undefined;
    const { name, instanceId, version, taskScheduledId } = parent;
    return version === undefined ? { name, instanceId, taskScheduledId } : { name, instanceId, version, taskScheduledId };
  }

  get tags(): Tags {
    return this.#turn.started?.tags ?? NO_TAGS;
  }

  get currentUtcDateTime(): Date {
    // tidy: allow Date because it stands for a time that is recorded
    return new Date(this.#turn.clock);
  }

  get isReplaying(): boolean {
    return this.#turn.replaying;
  }

  get log(): ProgramLogger {
    this.#log ??= replaySafeLogger(this.#turn);
    return this.#log;
  }

  isVersionAtLeast(version: string): boolean {
    this.#turn.options.observer?.askedVersion?.(version, placeOfCall());
    return compareVersions(versionOf(this.#turn), version) >= 0;
  }

  newGuid(): string {
    const turn = this.#turn;
    return newGuid(turn.options.instanceId, turn.clock, turn.mayAsk("ctx.newGuid()") ? turn.guids++ : -1);
  }

  // ---- calls

  callActivity<O>(activity: unknown, input?: unknown, options?: CallOptions): Task<O> {
    return this.#call(targetOf(activity, "activity"), input, options) as DurableTask<O>;
  }

  try(activity: unknown, input?: unknown, options?: CallOptions): Task<never> {
    const target = targetOf(activity, "activity");
    const { converter } = this.#turn.options;
    const call = this.#call(target, input, options);
    return follow<never>(call, (settled, task) => {
      if (settled.state === "completed") {
        complete(task, { ok: true, value: settled.value });
        return;
      }
      if (!(settled.value instanceof TaskFailedError)) {
        fail(task, settled.value);
        return;
      }
      try {
        const { failure } = settled.value;
        const declared = readDeclaredError(converter, target.errors, failure);
        const error: TryError<object> | object = { ...(declared ?? { tag: "failed", data: failure }), message: failure.message };
        complete(task, { ok: false, error });
      } catch (error) {
        fail(task, error);
      }
    });
  }

  #call(target: Target, input: unknown, options: CallOptions = {}): DurableTask {
    const turn = this.#turn;
    const text = turn.encode(target.input, input, `input of activity '${target.name}'`);
    const retry = options.retry ?? target.retry;
    const checked = retry === undefined ? undefined : checkRetry(retry);
    const timeout = options.timeout ?? target.timeout;
    const attemptTimeoutMs = timeout?.attempt === undefined ? undefined : durationMs(timeout.attempt);
    const expiresAt = timeout?.total === undefined ? undefined : turn.clock + durationMs(timeout.total);
    const tags = checkTags(options.tags);
    const task = new DurableTask(turn.ledger);
    if (!turn.mayAsk(`the call of activity '${target.name}'`)) return task;
    schedule(turn, {
      kind: "activity",
      name: target.name,
      version: options.version,
      input: text,
      output: target.output,
      tags,
      retry: checked,
      attemptTimeoutMs,
      expiresAt,
      begunAt: turn.clock,
      task,
      instanceId: undefined,
      attempt: 0,
      firstId: 0,
      lastId: 0,
    });
    return task;
  }

  callSubOrchestrator<O>(orchestrator: unknown, input?: unknown, options: SubOrchestratorOptions = {}): Task<O> {
    const turn = this.#turn;
    const target = targetOf(orchestrator, "orchestrator");
    const text = turn.encode(target.input, input, `input of sub-orchestration '${target.name}'`);
    const retry = options.retry === undefined ? undefined : checkRetry(options.retry);
    if (options.instanceId !== undefined) checkInstanceId(options.instanceId);
    const tags = checkTags(options.tags);
    const task = new DurableTask<O>(turn.ledger);
    if (!turn.mayAsk(`the call of sub-orchestration '${target.name}'`)) return task;
    schedule(turn, {
      kind: "child",
      name: target.name,
      version: options.version ?? target.version ?? turn.options.defaultVersion,
      input: text,
      output: target.output,
      tags,
      retry,
      attemptTimeoutMs: undefined,
      expiresAt: undefined,
      begunAt: turn.clock,
      task,
      instanceId: options.instanceId,
      attempt: 0,
      firstId: 0,
      lastId: 0,
    });
    return task;
  }

  // ---- time and events

  createTimer(due: Duration | Date): TimerTask {
    const turn = this.#turn;
    const fireAt = pointInTime(due, turn.clock, "the timer");
    const task = new DurableTask<void>(turn.ledger);
    if (!turn.mayAsk("ctx.createTimer()")) return task;
    const id = turn.askTimer(fireAt, () => complete(task, undefined));
    task.takeBack = () => turn.withdrawTimer(id);
    return task;
  }

  waitForExternalEvent<T>(event: unknown): EventTask<T> {
    const turn = this.#turn;
    const { name, schema } = eventOf(event, turn.options.orchestrator.events);
    const task = new DurableTask<T>(turn.ledger);
    if (!turn.mayAsk(`the wait for event '${name}'`)) return task;
    const wait: EventWait = { name, schema, task };
    task.takeBack = () => turn.withdrawWait(wait);
    turn.awaitEvent(wait);
    return task;
  }

  sendEvent(instanceId: string, event: unknown, data?: unknown): void {
    const turn = this.#turn;
    checkName(instanceId, "instance id");
    const { name, schema } = eventOf(event, undefined);
    const input = turn.encode(schema, data, `data of event '${name}'`);
    if (!turn.mayAsk(`the sending of event '${name}'`)) return;
    turn.ask({ kind: "sendEvent", id: turn.takeId(), instanceId, name, ...(input === undefined ? {} : { input }) });
  }

  // ---- entities

  entity<E>(definition: unknown, key: string): E {
    return entityOf(this.#turn, entityTarget(definition, key)) as E;
  }

  lockEntities<T>(entities: unknown, body?: () => unknown): T {
    const turn = this.#turn;
    if (body !== undefined && typeof body !== "function")
      throw new InvalidArgumentError("The body of ctx.lockEntities must be a function; without one it gives the section itself.");
    const section = (turn.entities ??= new Entities(turn)).lock(entities);
    if (section === undefined) return new DurableTask(turn.ledger) as T;
    return (body === undefined ? section.task : runInSection(turn, section, body)) as T;
  }

  get isInCriticalSection(): boolean {
    return this.#turn.entities?.section?.state === "granted";
  }

  // ---- several tasks

  whenAll<const A extends readonly Task<unknown>[]>(tasks: A): Task<TaskResults<A>> {
    return whenAll(this.#turn.ledger, tasks) as unknown as Task<TaskResults<A>>;
  }

  whenAny<const A extends readonly Task<unknown>[]>(tasks: A): Task<Winner<A[number]>> {
    return whenAny(this.#turn.ledger, tasks) as DurableTask<Winner<A[number]>>;
  }

  first<M extends Readonly<Record<string, Task<unknown>>>>(tasks: M): Task<First<M>> {
    return first(this.#turn.ledger, tasks) as DurableTask<First<M>>;
  }

  map<T, R>(items: readonly T[], apply: (item: T, index: number) => PromiseLike<R> | R, options: MapOptions = {}): Task<R[]> {
    const concurrency = options.concurrency ?? Number.POSITIVE_INFINITY;
    if (!Array.isArray(items)) throw new InvalidArgumentError("ctx.map takes a list of items.");
    if (!(concurrency >= 1)) throw new InvalidArgumentError(`The concurrency of ctx.map must be a number from 1; got ${concurrency}.`);
    return mapItems(
      this.#turn,
      (items as readonly unknown[]).slice(),
      apply as (item: unknown, index: number) => unknown,
      concurrency,
    ) as DurableTask<R[]>;
  }

  // ---- what the instance shows, and its next execution

  setCustomStatus(status: unknown): void {
    const turn = this.#turn;
    const { converter, limits } = turn.options;
    const text = status === undefined || status === null ? undefined : encodeWith(converter, undefined, status, "custom status");
    checkSize(text, limits.customStatusBytes, "custom status", "customStatusBytes");
    if (turn.mayAsk("ctx.setCustomStatus()")) turn.customStatus = text ?? null;
  }

  continueAsNew(input?: unknown, options: ContinueAsNewOptions = {}): void {
    const turn = this.#turn;
    const text = turn.encode(turn.options.orchestrator.input, input, "input of the next execution");
    if (!turn.mayAsk("ctx.continueAsNew()")) return;
    turn.next ??= { input: text, version: options.version, carryEvents: options.carryEvents ?? true };
  }
}

function versionOf(turn: Turn): string {
  return turn.started?.version ?? "";
}

/** Writes each line once: nothing while replaying. */
function replaySafeLogger(turn: Turn): ProgramLogger {
  const at =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (!turn.replaying) turn.log(level, message, fields);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Applies a function to every item, at most `concurrency` at once. */
function mapItems(
  turn: Turn,
  items: readonly unknown[],
  apply: (item: unknown, index: number) => unknown,
  concurrency: number,
): DurableTask<unknown[]> {
  const task = new DurableTask<unknown[]>(turn.ledger);
  // Its items are what is waited for: each is counted on its own, and one that waits for nothing durable must not hide behind this task.
  task.counts = false;
  const results = new Array<unknown>(items.length).fill(undefined);
  const errors: unknown[] = [];
  let next = 0;
  let running = 0;
  let launching = false;

  const launch = (): void => {
    if (launching) return; // items that end at once are counted by the loop below, not by recursion
    launching = true;
    while (running < concurrency && next < items.length) {
      const index = next++;
      running++;
      runBody(turn, () => apply(items[index], index), {
        returned(value) {
          results[index] = value;
          ended();
        },
        threw(error) {
          errors.push(error);
          ended();
        },
      });
    }
    launching = false;
    if (running > 0 || next < items.length || task.state !== "open") return;
    if (errors.length > 0) fail(task, firstWithAll(errors));
    else complete(task, results);
  };
  const ended = (): void => {
    running--;
    launch();
  };
  launch();
  return task;
}

function targetOf(target: unknown, what: "activity" | "orchestrator"): Target {
  if (typeof target === "string") {
    if (what === "orchestrator") checkOrchestratorName(target);
    else checkName(target, "activity name");
    return { name: target };
  }
  if (typeof target === "function") return { name: nameOfFunction(target, what) };
  if (typeof target === "object" && target !== null && "kind" in target && "name" in target) {
    if (target.kind === what || target.kind === `${what}-contract`) return target as Target;
    throw new InvalidArgumentError(`'${String(target.name)}' is no ${what}; its kind is ${JSON.stringify(target.kind)}.`);
  }
  throw new InvalidArgumentError(`The ${what} to call must be given as its definition, its contract, its body or its name.`);
}

function eventOf(
  event: unknown,
  declared: Readonly<Record<string, Schema>> | undefined,
): { readonly name: string; readonly schema: Schema | undefined } {
  if (typeof event === "string") {
    checkName(event, "event name");
    return { name: event, schema: declared === undefined ? undefined : declaredSchema(event, declared) };
  }
  if (typeof event === "object" && event !== null && "kind" in event && event.kind === "event") {
    const { name, schema } = event as unknown as { readonly name: string; readonly schema?: Schema };
    return { name, schema };
  }
  throw new InvalidArgumentError("The event must be given as externalEvent(...) made it, or by its name.");
}

function declaredSchema(event: string, declared: Readonly<Record<string, Schema>>): Schema | undefined {
  const key = event.toLowerCase();
  for (const name in declared) if (name.toLowerCase() === key) return declared[name];
  return undefined;
}

function checkTags(tags: Tags | undefined): Tags | undefined {
  if (tags === undefined) return undefined;
  for (const name in tags) {
    if (typeof tags[name] !== "string") throw new InvalidArgumentError(`The tag '${name}' must be a text.`);
  }
  return { ...tags };
}
