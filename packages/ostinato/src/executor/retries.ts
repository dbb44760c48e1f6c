// retries: a retry is a timer and the same action again.
//
// Owns:    calls of activities and children from the first attempt to the last; whether and when to try again.
// Is told: the failure of an attempt.
// Tells:   the call's task, its result or its last failure; actions for further attempts.
// Always:  Y1 the order of questions: non-retriable, the predicate or handler, attempts, time-out, delay.
//          Y2 a predicate or handler that throws means "do not try again"; the task fails with its own failure.
//          Y3 each attempt takes a new id; a child keeps its instance id.
//          Y4 nothing is tried again at or after the call's `expiresAt`.

import type { CreateSubOrchestration, ScheduleTask } from "../contract/actions.ts";
import { TaskFailedError } from "../contract/errors.ts";
import type { Failure } from "../contract/failure.ts";
import { childInstanceId, type InstanceId } from "../contract/ids.ts";
import type { Tags } from "../contract/instance.ts";
import { durationMs, type Instant } from "../contract/instant.ts";
import type { CheckedRetryPolicy, RetryDecision, RetryHandler } from "../authoring/retry.ts";
import type { Schema } from "../authoring/schema.ts";
import { childExecutionId } from "./determinism.ts";
import { type DurableTask, fail } from "./tasks.ts";
import type { Turn } from "./turn.ts";

/** A call of an activity or a child: what every attempt of it has in common, and which attempt is under way. */
export interface Call {
  readonly kind: "activity" | "child";
  readonly name: string;
  readonly version: string | undefined;
  readonly input: string | undefined;
  readonly output: Schema | undefined;
  readonly tags: Tags | undefined;
  readonly retry: CheckedRetryPolicy | RetryHandler | undefined;
  readonly attemptTimeoutMs: number | undefined;
  expiresAt: Instant | undefined;
  begunAt: Instant;
  readonly task: DurableTask;
  /** A child's id: given by the author, else made of its first attempt's id. */
  instanceId: InstanceId | undefined;
  attempt: number;
  firstId: number;
  lastId: number;
}

/** Asks for the next attempt of a call. */
export function schedule(turn: Turn, call: Call): void {
  const id = turn.takeId();
  call.attempt++;
  call.lastId = id;
  if (call.firstId === 0) call.firstId = id;
  turn.ask(call.kind === "activity" ? activityAction(call, id) : childAction(turn, call, id));
  turn.open.set(id, { kind: call.kind, call });
}

function activityAction(call: Call, id: number): ScheduleTask {
  const { name, version, input, tags, attempt, firstId, attemptTimeoutMs, expiresAt } = call;
  const action: Writable<ScheduleTask> = { kind: "scheduleTask", id, name, attempt, firstId };
  if (version !== undefined) action.version = version;
  if (input !== undefined) action.input = input;
  if (tags !== undefined) action.tags = tags;
  if (attemptTimeoutMs !== undefined) action.attemptTimeoutMs = attemptTimeoutMs;
  if (expiresAt !== undefined) action.expiresAt = expiresAt;
  return action;
}

function childAction(turn: Turn, call: Call, id: number): CreateSubOrchestration {
  const { executionId } = turn.options;
  const { name, version, input, tags } = call;
  // By the execution that the history began with: a rewind goes on as another one, and its children keep their ids.
  const instanceId = (call.instanceId ??= childInstanceId(turn.started?.executionId ?? executionId, id));
  const action: Writable<CreateSubOrchestration> = {
    kind: "createSubOrchestration",
    id,
    instanceId,
    executionId: childExecutionId(executionId, id),
    name,
  };
  if (version !== undefined) action.version = version;
  if (input !== undefined) action.input = input;
  if (tags !== undefined) action.tags = tags;
  if (turn.rewinding?.asking !== undefined) action.rewinds = turn.rewinding.asking;
  return action;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** An attempt has failed: tries again, or fails the call's task. */
export function attemptFailed(turn: Turn, call: Call, failure: Failure): void {
  const decision = delayBeforeRetry(turn, call, failure);
  if (!(decision instanceof Promise)) {
    retryOrFail(turn, call, failure, decision);
    return;
  }
  // The deciding code is the author's and may be async, as long as it waits for nothing but promises that are there.
  const { ledger } = turn;
  ledger.deciding++;
  ledger.asynchronous = true;
  ledger.woke = true;
  void decision.then((delayMs) => {
    ledger.deciding--;
    if (ledger.closed) return;
    if (turn.delivering) retryOrFail(turn, call, failure, delayMs);
    else turn.late("the answer of a retry handler");
  });
}

function retryOrFail(turn: Turn, call: Call, failure: Failure, delayMs: number | undefined): void {
  const waitMs = Math.ceil(Math.max(0, delayMs ?? 0));
  if (delayMs === undefined || (call.expiresAt !== undefined && turn.clock + waitMs >= call.expiresAt)) {
    if (turn.rewinding?.holdsBack(call.lastId) === true) turn.rewinding.withhold(call, failure);
    else finallyFailed(call, failure);
    return;
  }
  try {
    if (waitMs === 0) schedule(turn, call);
    else turn.askTimer(turn.clock + waitMs, () => schedule(turn, call), call);
  } catch (error) {
    fail(call.task, error); // too many actions
  }
}

/** No further attempt: the call's task fails. */
export function finallyFailed(call: Call, failure: Failure): void {
  fail(call.task, callFailed(call, failure));
}

function callFailed(call: Call, failure: Failure): TaskFailedError {
  const what = call.kind === "activity" ? "activity" : "sub-orchestration";
  const attempts = call.attempt > 1 ? ` after ${call.attempt} attempts` : "";
  const error = new TaskFailedError(`The ${what} '${call.name}' (task ${call.lastId}) failed${attempts}: ${failure.message}`, {
    taskName: call.name,
    taskId: call.lastId,
    failure,
  });
  return withRecordedStacks(error, failure);
}

/** An error's stack would show this room, and differ between a turn and its replay. What failed has its own, recorded, in the chain of causes. */
export function withRecordedStacks<E extends Error>(error: E, failure: Failure): E {
  nameAsStack(error);
  let { cause } = error;
  for (let inner: Failure | undefined = failure; inner !== undefined && cause instanceof Error; inner = inner.inner, cause = cause.cause) {
    if (inner.stack === undefined) nameAsStack(cause);
  }
  return error;
}

function nameAsStack(error: Error): void {
  Object.defineProperty(error, "stack", { value: `${error.name}: ${error.message}`, configurable: true, writable: true });
}

/** How long to wait before the next attempt; `undefined` for no further attempt; a promise when the author's code answers with one. */
function delayBeforeRetry(turn: Turn, call: Call, failure: Failure): number | undefined | Promise<number | undefined> {
  const { retry } = call;
  if (retry === undefined || failure.nonRetriable === true) return undefined;
  const elapsedMs = turn.clock - call.begunAt;
  try {
    if (typeof retry === "function") {
      const answer = retry({
        lastAttemptNumber: call.attempt,
        lastFailure: failure,
        totalRetryTimeMs: elapsedMs,
        // tidy: allow Date because it stands for a time that is recorded
        currentUtcDateTime: new Date(turn.clock),
      });
      return isThenable(answer) ? Promise.resolve(answer).then(delayOf).catch(giveUp) : delayOf(answer);
    }
    const again = retry.handleFailure === undefined || retry.handleFailure(failure);
    if (isThenable(again)) return Promise.resolve(again).then((yes) => (yes ? policyDelay(retry, call, elapsedMs) : undefined), giveUp);
    return again ? policyDelay(retry, call, elapsedMs) : undefined;
  } catch {
    return undefined; // Y2
  }
}

function giveUp(): undefined {
  return undefined;
}

function isThenable<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof answer === "object" && answer !== null && "then" in answer && typeof answer.then === "function";
}

function policyDelay(policy: CheckedRetryPolicy, call: Call, elapsedMs: number): number | undefined {
  if (call.attempt >= policy.maxNumberOfAttempts || elapsedMs >= policy.retryTimeoutMs) return undefined;
  const delayMs = Math.min(policy.firstRetryIntervalMs * policy.backoffCoefficient ** (call.attempt - 1), policy.maxRetryIntervalMs);
  return elapsedMs + delayMs > policy.retryTimeoutMs ? undefined : delayMs;
}

function delayOf(decision: RetryDecision): number | undefined {
  if (decision === true) return 0;
  if (decision === false || decision === undefined || decision === null) return undefined;
  if (typeof decision === "number") return Number.isNaN(decision) ? undefined : decision;
  return durationMs(decision);
}
