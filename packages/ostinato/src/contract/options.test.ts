import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions, checkWord } from "./options.ts";

interface Wait {
  readonly timeout?: string;
  readonly poll?: number;
}

const check = (options: unknown): void => checkOptions(options as Wait, { timeout: true, poll: true }, "instance.result");

test("O1 an option that nobody reads is refused, with those that there are", () => {
  assert.throws(() => check({ timeoutMs: 50 }), {
    code: "INVALID_ARGUMENT",
    message: "instance.result has no option 'timeoutMs'; it has timeout, poll.",
  });
});

test("what is there, and nothing at all, is taken", () => {
  check({ timeout: "3s" });
  check({});
  check(undefined);
  check({ timeout: undefined });
});

test("O1 what is no set of options is refused", () => {
  for (const given of ["30s", 30, null, ["30s"]]) assert.throws(() => check(given), { code: "INVALID_ARGUMENT" });
});

test("a word is one of those that there are", () => {
  checkWord("wait", ["wait", "fail"], "unregistered");
  checkWord(undefined, ["wait", "fail"], "unregistered");
  assert.throws(() => checkWord("ignore", ["wait", "fail"], "unregistered"), {
    message: 'unregistered must be one of wait, fail; got "ignore".',
  });
});
