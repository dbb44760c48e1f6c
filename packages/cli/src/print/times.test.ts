import assert from "node:assert/strict";
import { test } from "node:test";
import { absolute, lengthOf, relative, timeGiven } from "./times.ts";

const NOW = Date.UTC(2026, 10, 22, 12);

test("a length of time has its two largest units", () => {
  const cases: [number, string][] = [
    [0, "0 ms"],
    [999.4, "999 ms"],
    [1_250, "1.2 s"],
    [59_000, "59 s"],
    [60_000, "1 min"],
    [3_599_000, "59 min 59 s"],
    [5_400_000, "1 h 30 min"],
    [3_600_500, "1 h"],
    [90_061_000, "1 d 1 h"],
    [-5, "0 ms"],
  ];
  for (const [ms, text] of cases) assert.equal(lengthOf(ms), text);
});

test("an instant is told from now, in both directions", () => {
  assert.equal(relative(NOW, NOW), "just now");
  assert.equal(relative(NOW - 180_000, NOW), "3 min ago");
  assert.equal(relative(NOW + 7_200_000, NOW), "in 2 h");
});

test("an instant that no calendar has is shown, and breaks nothing", () => {
  assert.equal(absolute(NOW), "2026-11-22T12:00:00.000Z");
  assert.equal(absolute(1e300), "1e+300");
});

test("a person may write a date, a time, or how long ago; anything else is none", () => {
  assert.equal(timeGiven("2026-11-22", NOW)?.toISOString(), "2026-11-22T00:00:00.000Z");
  assert.equal(timeGiven("2026-11-22T10:00:00+01:00", NOW)?.toISOString(), "2026-11-22T09:00:00.000Z");
  assert.equal(timeGiven("2h", NOW)?.getTime(), NOW - 7_200_000);
  assert.equal(timeGiven("1.5d", NOW)?.getTime(), NOW - 129_600_000);
  for (const text of ["", "17", "yesterday", "2h ago", "-2h", "2026-13-40"]) assert.equal(timeGiven(text, NOW), undefined, text);
});
