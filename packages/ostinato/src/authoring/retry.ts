// retry: the words in which a retry is asked for.
//
// Owns:    the policy's fields and their defaults; what a handler is told and may answer. What they mean in time is the executor's.
// Always:  R1 a policy that can never work is refused where it is given, not when it is first needed.
//          R2 attempts count the first call.

import { InvalidArgumentError } from "../contract/errors.ts";
import type { Failure } from "../contract/failure.ts";
import { type Duration, durationMs } from "../contract/instant.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";

/**
 * How often, and after which delays, a failed call is tried again.
 *
 * The delay before attempt n + 1 is `firstRetryInterval * backoffCoefficient ** (n - 1)`, at most `maxRetryInterval`.
 *
 * @example
 * const retry: RetryPolicy = { maxNumberOfAttempts: 5, firstRetryInterval: "1s", backoffCoefficient: 2, maxRetryInterval: "30s" };
 * await ctx.callActivity(charge, order, { retry });
 */
export interface RetryPolicy {
  /** All attempts, the first included; at least 1. */
  readonly maxNumberOfAttempts: number;
  /** The delay before the second attempt; more than nothing. */
  readonly firstRetryInterval: Duration;
  /** By how much each delay is longer than the one before; 1 by default, at least 1. */
  readonly backoffCoefficient?: number;
  /** The longest delay; one hour by default. */
  readonly maxRetryInterval?: Duration;
  /** No retry once this much time of the orchestrator's clock has passed since the first attempt, nor a delay beyond it. */
  readonly retryTimeout?: Duration;
  /** Says of a failure whether to try again; always, by default. When it throws, the call is not tried again. */
  readonly handleFailure?: (failure: Failure) => boolean | Promise<boolean>;
}

/** What a retry handler is told. */
export interface RetryContext {
  /** The attempt that failed, from 1. */
  readonly lastAttemptNumber: number;
  readonly lastFailure: Failure;
  /** Time of the orchestrator's clock since the first attempt. */
  readonly totalRetryTimeMs: number;
  /** The orchestrator's clock. */
  readonly currentUtcDateTime: Date;
}

/** What a retry handler may answer: `true` or 0 tries again at once, a number of milliseconds or a duration after it; anything else gives up. */
export type RetryDecision = boolean | number | Duration | undefined | null;

/**
 * Decides after each failure. It runs inside the orchestrator, so it has to be deterministic, and must wait for nothing but what it has.
 * A failure that is marked non-retriable never reaches it.
 *
 * @example
 * const handler: RetryHandler = ({ lastAttemptNumber, lastFailure }) =>
 *   lastFailure.errorType === "RateLimited" && lastAttemptNumber < 10 ? { seconds: lastAttemptNumber } : false;
 */
export type RetryHandler = (context: RetryContext) => RetryDecision | Promise<RetryDecision>;

/** How long a call may take. A time-out is a failure like any other and is retried as the policy says, within `total`. */
export interface CallTimeout {
  /** How long one delivery of one attempt may run. */
  readonly attempt?: Duration;
  /** How long the whole call may take, all attempts and the delays between them. */
  readonly total?: Duration;
}

/** A policy whose durations are milliseconds and whose defaults are filled in. */
export interface CheckedRetryPolicy {
  readonly maxNumberOfAttempts: number;
  readonly firstRetryIntervalMs: number;
  readonly backoffCoefficient: number;
  readonly maxRetryIntervalMs: number;
  readonly retryTimeoutMs: number;
  readonly handleFailure: ((failure: Failure) => boolean | Promise<boolean>) | undefined;
}

const ONE_HOUR_MS = 3_600_000;
const POLICY: OptionNames<RetryPolicy> = {
  maxNumberOfAttempts: true,
  firstRetryInterval: true,
  backoffCoefficient: true,
  maxRetryInterval: true,
  retryTimeout: true,
  handleFailure: true,
};

/**
 * The policy as the executor counts with it.
 *
 * @throws InvalidArgumentError naming the field that can never work.
 * @example checkRetryPolicy({ maxNumberOfAttempts: 3, firstRetryInterval: "1s" }).maxRetryIntervalMs === 3_600_000
 */
export function checkRetryPolicy(policy: RetryPolicy): CheckedRetryPolicy {
  checkOptions(policy, POLICY, "A retry policy");
  const { maxNumberOfAttempts, backoffCoefficient = 1, handleFailure } = policy;
  if (!Number.isInteger(maxNumberOfAttempts) || maxNumberOfAttempts < 1) {
    throw refuse("maxNumberOfAttempts", `a whole number from 1, the first attempt included; got ${maxNumberOfAttempts}`);
  }
  if (!Number.isFinite(backoffCoefficient) || backoffCoefficient < 1) {
    throw refuse("backoffCoefficient", `a number from 1; got ${backoffCoefficient}`);
  }
  const firstRetryIntervalMs = durationMs(policy.firstRetryInterval, "The retry policy's firstRetryInterval");
  if (firstRetryIntervalMs <= 0) throw refuse("firstRetryInterval", "longer than nothing");
  const maxRetryIntervalMs =
    policy.maxRetryInterval === undefined
      ? Math.max(ONE_HOUR_MS, firstRetryIntervalMs)
      : durationMs(policy.maxRetryInterval, "The retry policy's maxRetryInterval");
  if (maxRetryIntervalMs < firstRetryIntervalMs) throw refuse("maxRetryInterval", "no shorter than firstRetryInterval");
  const retryTimeoutMs =
    policy.retryTimeout === undefined ? Number.POSITIVE_INFINITY : durationMs(policy.retryTimeout, "The retry policy's retryTimeout");
  if (retryTimeoutMs < firstRetryIntervalMs) throw refuse("retryTimeout", "no shorter than firstRetryInterval");
  if (handleFailure !== undefined && typeof handleFailure !== "function") throw refuse("handleFailure", "a function");
  return { maxNumberOfAttempts, firstRetryIntervalMs, backoffCoefficient, maxRetryIntervalMs, retryTimeoutMs, handleFailure };
}

/** @throws InvalidArgumentError when it is neither a policy that can work nor a handler. */
export function checkRetry(retry: RetryPolicy | RetryHandler): CheckedRetryPolicy | RetryHandler {
  return typeof retry === "function" ? retry : checkRetryPolicy(retry);
}

function refuse(field: string, wanted: string): InvalidArgumentError {
  return new InvalidArgumentError(`The retry policy's ${field} must be ${wanted}.`);
}
