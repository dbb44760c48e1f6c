// Stories of definitions and contracts as values.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { activity, externalEvent, nameOfFunction, orchestrator } from "./define.ts";

describe("a definition", () => {
  test("holds what was said of it and nothing else, and cannot be changed", () => {
    const run = async (): Promise<string> => "x";
    const input = z.string();
    const short = activity("short", run);
    assert.deepEqual({ ...short }, { kind: "activity", name: "short", run });
    const long = activity("long", { input, retry: { maxNumberOfAttempts: 2, firstRetryInterval: "1s" }, timeout: { total: "1m" } }, run);
    assert.deepEqual(Object.keys(long), ["kind", "name", "input", "retry", "timeout", "run"]);
    assert.throws(() => Object.assign(long, { name: "other" }), TypeError);
    const body = async (): Promise<number> => 1;
    assert.deepEqual({ ...orchestrator("o", { version: "1" }, body) }, { kind: "orchestrator", name: "o", version: "1", body });
    assert.deepEqual({ ...externalEvent("e") }, { kind: "event", name: "e" });
  });

  test("comes of a contract by run, which leaves the contract as it is (D1)", () => {
    const Contract = orchestrator("o", { version: "1", input: z.string(), output: z.string() });
    assert.equal(Contract.kind, "orchestrator-contract");
    const one = Contract.run(async (ctx, text) => text);
    const two = Contract.run(async (ctx, text) => `${text}!`);
    assert.equal(one.kind, "orchestrator");
    assert.equal(one.version, "1");
    assert.notDeepEqual(one, two);
    const Step = activity("step", { input: z.string() });
    assert.equal(Step.kind, "activity-contract");
    assert.equal(Step.run(async () => undefined).kind, "activity");
  });

  test("that can never work is refused (D3)", () => {
    const run = async (): Promise<void> => undefined;
    assert.throws(() => activity("", run), { code: "INVALID_ARGUMENT" });
    assert.throws(() => activity("x".repeat(300), run), { code: "INVALID_ARGUMENT" });
    assert.throws(() => orchestrator("a\nb", run), { code: "INVALID_ARGUMENT" });
    assert.throws(() => orchestrator("@counter", run), { code: "INVALID_ARGUMENT", message: /kept for entities/ });
    assert.throws(() => externalEvent(" "), { code: "INVALID_ARGUMENT" });
    assert.throws(() => activity("a", { retry: { maxNumberOfAttempts: 0, firstRetryInterval: "1s" } }, run), { code: "INVALID_ARGUMENT" });
    assert.throws(() => activity("a", { timeout: { attempt: "5" as "5s" } }, run), { code: "INVALID_ARGUMENT" });
    assert.throws(() => activity("a", {}, 5 as never), { code: "INVALID_ARGUMENT" });
    assert.throws(() => activity("a", undefined as never), { code: "INVALID_ARGUMENT", message: /has no body/ });
  });

  test("with a word that nobody reads is refused (D3)", () => {
    const run = async (): Promise<void> => undefined;
    // The compiler lets this pass: beside a known word, a generic specification may have others.
    assert.throws(() => activity("a", { input: z.string(), retries: 3 }, run), {
      code: "INVALID_ARGUMENT",
      message: "The activity 'a' has no option 'retries'; it has input, output, errors, retry, timeout.",
    });
    assert.throws(() => orchestrator("o", { version: "1", inputs: z.string() }, run), { message: /no option 'inputs'/ });
    const timeout = { attempt: "5s" as const, totally: "1m" };
    assert.throws(() => activity("a", { timeout }, run), { message: /no option 'totally'/ });
    const retry = { maxNumberOfAttempts: 2, firstRetryInterval: "1s" as const, maxInterval: "5s" };
    assert.throws(() => activity("a", { retry }, run), { message: /retry policy has no option 'maxInterval'/ });
  });
});

test("a function goes by the name under which it was first defined, else by its own", () => {
  async function greet(): Promise<void> {}
  async function own(): Promise<void> {}
  activity("greeting", greet);
  activity("greeting again", greet);
  assert.equal(nameOfFunction(greet, "activity"), "greeting");
  assert.equal(nameOfFunction(own, "activity"), "own");
  assert.throws(
    () =>
      nameOfFunction(
        Object.defineProperty(async () => undefined, "name", { value: "" }),
        "activity",
      ),
    { code: "INVALID_ARGUMENT" },
  );
});
