import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedError, toFailure, type Failure } from "./failure.ts";

test("an error gives its name, message, stack and causes", () => {
  const failure = toFailure(new TypeError("outer", { cause: new RangeError("inner", { cause: "plain" }) }));
  assert.deepEqual(
    [failure.errorType, failure.message, failure.inner?.errorType, failure.inner?.message],
    ["TypeError", "outer", "RangeError", "inner"],
  );
  assert.deepEqual(failure.inner?.inner, { errorType: "UnknownError", message: "plain" });
  assert.match(failure.stack ?? "", /failure\.test\.ts/);
});

test("an error of another realm or library counts as one", () => {
  assert.deepEqual(toFailure({ name: "FetchError", message: "no" }), { errorType: "FetchError", message: "no" });
});

test("whatever else was thrown is shown", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const shown: readonly (readonly [unknown, string])[] = [
    ["text", "text"],
    [{ a: 1 }, '{"a":1}'],
    [undefined, "undefined"],
    [null, "null"],
    [7n, "[object BigInt]"],
    [cycle, "[object Object]"],
    [Symbol("s"), "Symbol(s)"],
  ];
  for (const [thrown, message] of shown) assert.deepEqual(toFailure(thrown), { errorType: "UnknownError", message });
});

test("A5 what says that trying again cannot help is kept, and nothing that merely looks so", () => {
  assert.equal(toFailure(Object.assign(new Error(), { isNonRetriable: true })).nonRetriable, true);
  assert.equal("nonRetriable" in toFailure(Object.assign(new Error(), { isNonRetriable: "yes" })), false);
});

test("properties are kept as plain data; what is none is left out", () => {
  assert.deepEqual(toFailure(Object.assign(new Error(), { properties: { at: new Date(0), n: 1, f: () => 1 } })).properties, {
    at: "1970-01-01T00:00:00.000Z",
    n: 1,
  });
  assert.equal("properties" in toFailure(Object.assign(new Error(), { properties: { big: 1n } })), false);
  assert.equal("properties" in toFailure(Object.assign(new Error(), { properties: "text" })), false);
});

test("R6 a failure has bounds: ten causes, eight kibibytes of stack, and causes in a circle end", () => {
  const error: Error & { cause?: unknown } = new Error("self");
  error.cause = error;
  error.stack = "s".repeat(100_000);
  let depth = 0;
  for (let failure: Failure | undefined = toFailure(error); failure !== undefined; failure = failure.inner) {
    assert.equal(failure.stack?.length, 8_192);
    depth++;
  }
  assert.equal(depth, 11);
});

test("a failure is shown as the error that it was recorded from", () => {
  const failure: Failure = {
    errorType: "OrderError",
    message: "m",
    stack: "at work",
    inner: { errorType: "E", message: "i", stack: "within" },
    properties: { n: 1 },
  };
  const error = new RecordedError(failure);
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.message, error.stack, error.properties], ["OrderError", "m", "at work", { n: 1 }]);
  assert.ok(error.cause instanceof RecordedError && error.cause.name === "E" && error.cause.message === "i");
  assert.deepEqual(toFailure(error), failure, "there and back");
  assert.equal("cause" in new RecordedError({ errorType: "E", message: "" }), false);
});
