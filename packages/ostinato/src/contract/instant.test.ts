import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs, LATEST_INSTANT, type Duration } from "./instant.ts";

test("a duration is a text with a unit, or the sum of its parts", () => {
  const means: readonly (readonly [Duration, number])[] = [
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["1.5h", 5_400_000],
    ["0s", 0],
    [{ hours: 1, minutes: 30 }, 5_400_000],
    [{ days: 1, hours: 1, minutes: 1, seconds: 1, milliseconds: 1 }, 90_061_001],
    [{}, 0],
  ];
  for (const [duration, ms] of means) assert.equal(durationMs(duration), ms, JSON.stringify(duration));
});

test("T1 parts of a millisecond are rounded up, so that nothing happens early", () => {
  assert.equal(durationMs({ milliseconds: 0.1 }), 1);
  assert.equal(durationMs("0.0001s"), 1);
});

test("what is no duration is refused, and the message shows it", () => {
  const wrong = [
    "30",
    "30 s",
    "s",
    "-1s",
    "1e3s",
    "",
    "30S",
    "1h30m",
    { hours: -1 },
    { hour: 1 },
    { hours: Number.NaN },
    { hours: "1" },
    { hours: Infinity },
    null,
    30,
    undefined,
  ];
  for (const duration of wrong) {
    assert.throws(() => durationMs(duration as Duration), { code: "INVALID_ARGUMENT" }, JSON.stringify(duration));
  }
  assert.throws(() => durationMs("1h30m" as Duration), /1h30m/);
});

test("T4 the latest instant is the end of the year 9999", () => {
  assert.equal(new Date(LATEST_INSTANT).toISOString(), "9999-12-31T23:59:59.999Z");
});
