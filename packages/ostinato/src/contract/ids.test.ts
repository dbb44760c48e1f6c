import assert from "node:assert/strict";
import { test } from "node:test";
import { checkInstanceId, checkName, childInstanceId, MAX_ID_LENGTH } from "./ids.ts";

const GOOD = ["a", "po-17", "constructor", "__proto__", "a@b", "Ünïcödé", "🎼", "with space", "a".repeat(MAX_ID_LENGTH)];
const BAD = ["", " ", "\t", "a\u0000b", "a\nb", "a\u007fb", "a\u0085b", "\ud83c", "\udfbc\ud83c", "a".repeat(MAX_ID_LENGTH + 1)];

test("an id is what every database can store and every log line can show", () => {
  for (const id of GOOD) assert.doesNotThrow(() => checkInstanceId(id), JSON.stringify(id));
  for (const id of BAD) assert.throws(() => checkInstanceId(id), { code: "INVALID_ARGUMENT" }, JSON.stringify(id));
  for (const id of [undefined, null, 7, {}]) assert.throws(() => checkInstanceId(id as string), { code: "INVALID_ARGUMENT" });
});

test("@ begins the ids of entities, and may begin a name", () => {
  assert.throws(() => checkInstanceId("@counter@a"), /kept for entities/);
  assert.doesNotThrow(() => checkName("@counter", "event name"));
});

test("a refusal names what was wrong, without breaking the line it is logged in", () => {
  assert.throws(
    () => checkName("a\nb", "event name"),
    (error: Error) => error.message.includes("event name") && !error.message.includes("\n"),
  );
});

test("S1 a child's id is made of its parent's execution and its action, in at least four hexadecimal digits", () => {
  assert.equal(childInstanceId("5b0c", 10), "5b0c:000a");
  assert.equal(childInstanceId("5b0c", 0x12345), "5b0c:12345");
  assert.equal(childInstanceId("5b0c", 0), "5b0c:0000");
});
