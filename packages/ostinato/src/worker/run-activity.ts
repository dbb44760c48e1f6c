// run-activity: an activity's work item becomes an outcome, by way of the user's code.
//
// Owns:    the activity's context, its signal and its time-out; how its input comes in and how its result goes out.
// Is told: work items and cancel notices, by the worker; the definition, by the registry.
// Tells:   exactly one Outcome for each item.
// Always:  A1 whatever user code throws, and in whatever way, is a failed outcome and nothing else.
//          A2 after the outcome nothing of the activity counts: a late result is dropped and counted.
//          A3 what costs something (an AbortController, a timer, a logger) is made when it is first needed.

import { declaredError, type ActivityContext, type ProgramLogger } from "../authoring/activity-context.ts";
import type { ActivityDefinition } from "../authoring/define.ts";
import { refuseTooLarge } from "../authoring/payload-size.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import { decodeWith, encodeWith, validate } from "../authoring/schema.ts";
import { ActivityTimeoutError } from "../contract/errors.ts";
import { toFailure } from "../contract/failure.ts";
import type { Tags } from "../contract/instance.ts";
import type { ActivityOutcome, ActivityWorkItem, CancelNotice, WorkToken } from "../contract/work-items.ts";
import type { Clock, ClockTimer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { failureOf } from "./failure-of.ts";
import { programLogger } from "./program-logger.ts";

/** What activities need of the worker. */
export interface ActivityWorld {
  readonly find: (name: string) => ActivityDefinition | undefined;
  readonly converter: PayloadConverter;
  readonly payloadBytes: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes the outcome. */
  readonly tell: (outcome: ActivityOutcome) => void;
  /** Runs a body in surroundings of somebody else's: a tracer's. */
  readonly within?: <T>(token: WorkToken, body: () => T) => T;
}

/** Runs activities. */
export interface ActivityRunner {
  run(item: ActivityWorkItem): void;
  /** Aborts the signal of an activity whose result nobody waits for. It still ends by itself. */
  cancel(notice: CancelNotice): void;
  /** Aborts the signals of all that run, and gives them back. */
  abandonAll(): void;
  readonly running: number;
  /** Results that came after the outcome was told. */
  readonly late: number;
}

/** How long an activity that this worker does not have is left to others. */
const UNKNOWN_DELAY_MS = 1_000;

/** What an abort says. */
const REASONS: { readonly [K in CancelNotice["reason"]]: string } = {
  terminated: "its orchestration has ended",
  "timed-out": "it took longer than its call may take",
  "lease-lost": "it was given to another worker",
  draining: "its worker is stopping",
};

/** Makes a runner of activities. */
export function createActivityRunner(world: ActivityWorld): ActivityRunner {
  // A list in which each run knows its seat: joining and leaving leave no garbage, as a map of tokens would.
  const runs: ActivityRun[] = [];
  let late = 0;
  const desk: Desk = {
    ...world,
    close(run, outcome) {
      const last = runs.pop()!;
      if (last !== run) {
        runs[run.seat] = last;
        last.seat = run.seat;
      }
      world.tell(outcome);
    },
    countLate() {
      late += 1;
    },
  };

  return {
    run(item) {
      const definition = world.find(item.name);
      if (definition === undefined) {
        world.log.warn(`an activity '${item.name}' was handed to a worker that does not have it`, { instanceId: item.instanceId });
        world.tell({ kind: "abandoned", token: item.token, delayMs: UNKNOWN_DELAY_MS });
        return;
      }
      const run = new ActivityRun(desk, definition, item);
      run.seat = runs.push(run) - 1;
      run.begin();
    },
    cancel(notice) {
      runs
        .find((run) => run.token === notice.token)
        ?.abort(new DOMException(`The activity was aborted: ${REASONS[notice.reason]}.`, "AbortError"));
    },
    abandonAll() {
      for (const run of [...runs]) run.abandon();
    },
    get running() {
      return runs.length;
    },
    get late() {
      return late;
    },
  };
}

/** Where a run leaves its outcome. */
interface Desk extends ActivityWorld {
  close(run: ActivityRun, outcome: ActivityOutcome): void;
  countLate(): void;
}

/** One delivery of an activity; also the context that its body is given, so that a call costs one object. */
class ActivityRun implements ActivityContext {
  readonly #desk: Desk;
  readonly #definition: ActivityDefinition;
  readonly #item: ActivityWorkItem;
  #told = false;
  #timer: ClockTimer | undefined;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;

  constructor(desk: Desk, definition: ActivityDefinition, item: ActivityWorkItem) {
    this.#desk = desk;
    this.#definition = definition;
    this.#item = item;
  }

  /** Its place in the list of what runs. */
  seat = 0;

  get token(): WorkToken {
    return this.#item.token;
  }

  // ---- the context

  get instanceId(): string {
    return this.#item.instanceId;
  }
  get taskId(): number {
    return this.#item.taskId;
  }
  get name(): string {
    return this.#item.name;
  }
  get attempt(): number {
    return this.#item.attempt;
  }
  get delivery(): number {
    return this.#item.delivery;
  }
  get idempotencyKey(): string {
    return this.#item.idempotencyKey;
  }
  get tags(): Tags {
    return this.#item.tags ?? {};
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }
  get log(): ProgramLogger {
    return programLogger(this.#desk.log, { instanceId: this.instanceId, activity: this.name, attempt: this.attempt });
  }
  heartbeat(): void {
    if (this.#aborted !== undefined) throw this.#aborted;
  }
  fail(tag: string, data: unknown): never {
    throw declaredError(this.#desk.converter, this.#definition.errors, tag, data);
  }

  // ---- the run

  begin(): void {
    const { timeoutMs } = this.#item;
    if (timeoutMs !== undefined) this.#timer = this.#desk.clock.setTimer(timeoutMs, () => this.#timeOut(timeoutMs));
    const { input: schema } = this.#definition;
    const what = `input of activity '${this.#item.name}'`;
    let input: unknown;
    try {
      input = decodeWith(this.#desk.converter, schema, this.#item.input, what);
      if (schema !== undefined) input = validate(schema, input, what);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (schema !== undefined && input instanceof Promise) {
      input.then(
        (accepted) => this.#enter(accepted),
        (error: unknown) => this.#refuse(error),
      );
    } else {
      this.#enter(input);
    }
  }

  abort(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }

  abandon(): void {
    this.#tell({ kind: "abandoned", token: this.#item.token, delayMs: 0 });
    this.abort(new DOMException(`The activity was aborted: ${REASONS.draining}.`, "AbortError"));
  }

  #enter(input: unknown): void {
    if (this.#told) return;
    let returned: unknown;
    try {
      const { within } = this.#desk;
      returned =
        within === undefined ? this.#definition.run(this, input) : within(this.#item.token, () => this.#definition.run(this, input));
      // Whatever has a `then` is somebody's promise; resolving it makes it one of the platform's, with all its promises kept.
      if (
        typeof returned === "object" &&
        returned !== null &&
        !(returned instanceof Promise) &&
        typeof (returned as { then?: unknown }).then === "function"
      )
        returned = Promise.resolve(returned);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (returned instanceof Promise) {
      returned.then(
        (value) => this.#leave(value),
        (error: unknown) => this.#fail(error),
      );
    } else {
      this.#leave(returned);
    }
  }

  #leave(value: unknown): void {
    if (this.#told) return this.#desk.countLate();
    const { output: schema } = this.#definition;
    if (schema === undefined) return this.#complete(value);
    let accepted: unknown;
    try {
      accepted = validate(schema, value, `output of activity '${this.#item.name}'`);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (accepted instanceof Promise) {
      accepted.then(
        (checked) => this.#complete(checked),
        (error: unknown) => this.#refuse(error),
      );
    } else {
      this.#complete(accepted);
    }
  }

  #complete(value: unknown): void {
    const what = `output of activity '${this.#item.name}'`;
    let result: string | undefined;
    try {
      result = encodeWith(this.#desk.converter, this.#definition.output, value, what);
      refuseTooLarge(result, this.#desk.payloadBytes, what);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    const { token } = this.#item;
    this.#tell(result === undefined ? { kind: "completed", token } : { kind: "completed", token, result });
  }

  #fail(error: unknown): void {
    if (this.#told) return this.#desk.countLate();
    this.#tell({ kind: "failed", token: this.#item.token, failure: failureOf(error, "the activity") });
  }

  /** Fails for a value that may not enter or leave: trying again would only repeat what the body has done. */
  #refuse(error: unknown): void {
    this.#tell({ kind: "failed", token: this.#item.token, failure: { ...failureOf(error, "the activity"), nonRetriable: true } });
  }

  #timeOut(timeoutMs: number): void {
    this.#timer = undefined;
    const error = new ActivityTimeoutError(
      `The activity '${this.#item.name}' took longer than its timeout of ${timeoutMs} ms (attempt ${this.#item.attempt}).`,
    );
    this.#tell({ kind: "failed", token: this.#item.token, failure: toFailure(error) });
    this.abort(error);
  }

  #tell(outcome: ActivityOutcome): void {
    if (this.#told) return;
    this.#told = true;
    this.#timer?.cancel();
    this.#desk.close(this, outcome);
  }
}
