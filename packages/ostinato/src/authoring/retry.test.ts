// What a retry policy may say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkRetry, checkRetryPolicy, type RetryPolicy } from "./retry.ts";

test("a policy gets its defaults: no back-off, one hour at most, no time-out", () => {
  const { handleFailure, ...numbers } = checkRetryPolicy({ maxNumberOfAttempts: 3, firstRetryInterval: "1s" });
  assert.equal(handleFailure, undefined);
  assert.deepEqual(numbers, {
    maxNumberOfAttempts: 3,
    firstRetryIntervalMs: 1_000,
    backoffCoefficient: 1,
    maxRetryIntervalMs: 3_600_000,
    retryTimeoutMs: Number.POSITIVE_INFINITY,
  });
  assert.equal(checkRetryPolicy({ maxNumberOfAttempts: 3, firstRetryInterval: "2d" }).maxRetryIntervalMs, 2 * 86_400_000);
  const handler = (): boolean => true;
  assert.equal(checkRetry(handler), handler);
});

test("a policy that can never work is refused, naming the field (R1)", () => {
  const good: RetryPolicy = { maxNumberOfAttempts: 3, firstRetryInterval: "10s" };
  const bad: readonly (readonly [Partial<Record<keyof RetryPolicy, unknown>>, RegExp])[] = [
    [{ maxNumberOfAttempts: 0 }, /maxNumberOfAttempts/],
    [{ maxNumberOfAttempts: 1.5 }, /maxNumberOfAttempts/],
    [{ maxNumberOfAttempts: Number.NaN }, /maxNumberOfAttempts/],
    [{ firstRetryInterval: "0s" }, /firstRetryInterval/],
    [{ firstRetryInterval: 5 }, /duration/],
    [{ backoffCoefficient: 0.5 }, /backoffCoefficient/],
    [{ backoffCoefficient: Number.POSITIVE_INFINITY }, /backoffCoefficient/],
    [{ maxRetryInterval: "9s" }, /maxRetryInterval/],
    [{ retryTimeout: "9s" }, /retryTimeout/],
    [{ handleFailure: "yes" }, /handleFailure/],
  ];
  for (const [change, message] of bad) {
    assert.throws(() => checkRetryPolicy({ ...good, ...change } as RetryPolicy), { code: "INVALID_ARGUMENT", message });
  }
});
