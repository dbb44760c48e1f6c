import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cronRecurrence } from "./cron.ts";
import { dueTicks } from "./due-ticks.ts";
import { digitsOf, fractionOf } from "./mixed.ts";
import { configurationFrom } from "./schedule-requests.ts";
import { intervalRecurrence, ticksOf, type Ticks } from "./ticks.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const at = (text: string): number => Date.parse(text);
const texts = (ticks: readonly number[]): string[] => ticks.map((tick) => new Date(tick).toISOString().replace(":00.000Z", "Z"));

async function inZone(expression: string, timeZone: string, from: string, count: number): Promise<string[]> {
  const recurrence = await cronRecurrence(expression, timeZone);
  const found: number[] = [];
  for (let tick = recurrence.after(at(from)); tick !== undefined && found.length < count; tick = recurrence.after(tick)) found.push(tick);
  return texts(found);
}

describe("cron over a clock change", () => {
  const stories: readonly (readonly [what: string, expression: string, zone: string, from: string, ticks: readonly string[]])[] = [
    [
      "a time that the spring leaves out is made up for when it is over",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T00:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
    ],
    [
      "so is each of several",
      "30 2,14 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00Z",
      ["2026-03-28T13:30Z", "2026-03-29T01:00Z", "2026-03-29T12:30Z", "2026-03-30T00:30Z"],
    ],
    [
      "a time that the autumn has twice counts once, the first time",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T00:00Z",
      ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"],
    ],
    [
      "what goes by the hour goes on through the autumn's second hour",
      "0 * * * *",
      "Europe/Berlin",
      "2026-10-24T23:30Z",
      ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"],
    ],
    [
      "and has no hole in spring",
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:10Z",
      ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"],
    ],
    [
      "the other side of the sea",
      "0 2 * * *",
      "America/New_York",
      "2026-03-07T00:00Z",
      ["2026-03-07T07:00Z", "2026-03-08T07:00Z", "2026-03-09T06:00Z"],
    ],
    [
      "half an hour of change in spring",
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-02T00:00Z",
      ["2026-10-02T15:45Z", "2026-10-03T15:30Z", "2026-10-04T15:15Z"],
    ],
    [
      "half an hour of change in autumn",
      "45 1 * * *",
      "Australia/Lord_Howe",
      "2026-04-03T00:00Z",
      ["2026-04-03T14:45Z", "2026-04-04T14:45Z", "2026-04-05T15:15Z"],
    ],
    ["a day that was never there", "0 3 * * *", "Pacific/Apia", "2011-12-28T20:00Z", ["2011-12-29T13:00Z", "2011-12-30T13:00Z"]],
    ["a zone without changes", "0 3 * * *", "Asia/Kolkata", "2026-03-28T00:00Z", ["2026-03-28T21:30Z", "2026-03-29T21:30Z"]],
  ];
  for (const [what, expression, zone, from, ticks] of stories)
    test(`T6 ${what} (${expression} in ${zone})`, async () => assert.deepEqual(await inZone(expression, zone, from, ticks.length), ticks));

  test("T6 in every zone ticks come one after the other, and each is the newest at its own time", async () => {
    const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "UTC"];
    const expressions = ["30 2 * * *", "0,30 1-3 * * *", "*/20 * * * *", "15 */2 * * *", "0 0 * * 0"];
    for (const zone of zones) {
      for (const expression of expressions) {
        const recurrence = await cronRecurrence(expression, zone);
        for (let tick = at("2026-01-01T00:00Z"), n = 0; n < 300; n++) {
          const next = recurrence.after(tick);
          assert.ok(next !== undefined && next > tick, `${expression} in ${zone} after ${new Date(tick).toISOString()}`);
          assert.equal(recurrence.after(next - 1), next);
          assert.equal(recurrence.upTo(next), next, `${expression} in ${zone} up to ${new Date(next).toISOString()}`);
          tick = next;
        }
      }
    }
  });

  test("what cannot be read is refused, and says what it was", async () => {
    for (const expression of ["", "soon", "60 * * * *", "* * *", "2026-01-01T00:00:00", "0 0 30 2 *"])
      await assert.rejects(cronRecurrence(expression, "UTC"), {
        code: "INVALID_ARGUMENT",
        message: /The cron expression .* cannot be read/,
      });
    await assert.rejects(cronRecurrence("0 3 * * *", "Mars/Olympus"), { code: "INVALID_ARGUMENT", message: /Mars\/Olympus/ });
  });
});

describe("the grid of an interval", () => {
  test("begins at its origin, and is what Python reckons from there", () => {
    const grid = intervalRecurrence(at("2026-01-01T00:00Z"), 90 * MINUTE);
    assert.equal(grid.after(at("2025-06-01T00:00Z")), at("2026-01-01T00:00Z"));
    assert.equal(grid.after(at("2026-01-01T00:00Z")), at("2026-01-01T01:30Z"));
    assert.equal(grid.after(at("2026-01-01T04:29Z")), at("2026-01-01T04:30Z"));
    assert.equal(grid.upTo(at("2026-01-01T04:29Z")), at("2026-01-01T03:00Z"));
    assert.equal(grid.upTo(at("2025-12-31T23:59Z")), undefined);
  });
});

/** Every hour from the first one on. */
function hourly(request: object = {}): { ticks: Ticks; configuration: ReturnType<typeof configurationFrom> } {
  const configuration = configurationFrom("s", { orchestration_name: "o", interval_seconds: 3_600, ...request });
  return { ticks: ticksOf(configuration, intervalRecurrence(configuration.startAt ?? 0, HOUR)), configuration };
}

describe("jitter", () => {
  test("T6 delays a tick by less than was said, always by the same, never to the next one and never past the end", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 5 * HOUR }), fc.boolean(), (n, jitterMs, ends) => {
        const end = n * HOUR + 10 * MINUTE;
        const { ticks } = hourly({
          jitter_seconds: jitterMs / 1_000,
          ...(ends ? { end_at: new Date(end).toISOString() } : {}),
        });
        const delay = ticks.runAt(n * HOUR) - n * HOUR;
        assert.ok(delay >= 0 && delay < jitterMs && delay < HOUR, `${delay}`);
        if (ends) assert.ok(n * HOUR + delay <= end);
        assert.equal(ticks.runAt(n * HOUR) - n * HOUR, delay);
      }),
    );
  });

  test("spreads: ticks of one schedule, and schedules of one tick", () => {
    for (const textOf of [(n: number) => `s/${n * HOUR}`, (n: number) => `schedule-${n}/0`]) {
      const found = Array.from({ length: 10_000 }, (_, n) => Math.floor(fractionOf(textOf(n)) * 10));
      for (let tenth = 0; tenth < 10; tenth++) {
        const count = found.filter((each) => each === tenth).length;
        assert.ok(count > 850 && count < 1_150, `${count} of 10,000 in tenth ${tenth}`);
      }
    }
    assert.equal(new Set(Array.from({ length: 10_000 }, (_, n) => digitsOf(`token/${n}`))).size, 10_000);
  });
});

describe("ticks that were missed", () => {
  const due = 10 * HOUR;
  const late = (hours: number, minutes = 0): number => due + hours * HOUR + minutes * MINUTE;
  const hoursOf = (ticks: readonly number[]): number[] => ticks.map((tick) => tick / HOUR);
  const decide = (policy: object, now: number): { runs: number[]; next: number } => {
    const { ticks, configuration } = hourly(policy);
    const { runs, next } = dueTicks(ticks, configuration, due, now);
    return { runs: hoursOf(runs), next: (next ?? Number.NaN) / HOUR };
  };

  test("one: the oldest of them, then on from now", () => {
    assert.deepEqual(decide({}, late(0)), { runs: [10], next: 11 });
    assert.deepEqual(decide({}, late(0, 5)), { runs: [10], next: 11 });
    assert.deepEqual(decide({}, late(5, 5)), { runs: [10], next: 16 });
    assert.deepEqual(decide({ catch_up_window_seconds: 2 * 3_600 }, late(5, 5)), { runs: [14], next: 16 });
    assert.deepEqual(decide({ catch_up_window_seconds: 60 }, late(5, 5)), { runs: [], next: 16 });
  });

  test("all: each of them, in their order, a hundred at once", () => {
    assert.deepEqual(decide({ catch_up_policy: "all" }, late(3, 5)), { runs: [10, 11, 12, 13], next: 14 });
    assert.deepEqual(decide({ catch_up_policy: "all", catch_up_window_seconds: 2 * 3_600 }, late(3, 5)), { runs: [12, 13], next: 14 });
    const { runs, next } = decide({ catch_up_policy: "all" }, late(250));
    assert.deepEqual([runs.length, runs[0], next], [100, 10, 110]);
  });

  test("skip: the newest, if it has only just come", () => {
    assert.deepEqual(decide({ catch_up_policy: "skip" }, late(0)), { runs: [10], next: 11 });
    assert.deepEqual(decide({ catch_up_policy: "skip" }, late(0, 5)), { runs: [], next: 11 });
    assert.deepEqual(decide({ catch_up_policy: "skip" }, late(5, 0.5)), { runs: [15], next: 16 });
    assert.deepEqual(decide({ catch_up_policy: "skip", catch_up_window_seconds: 600 }, late(5, 5)), { runs: [15], next: 16 });
  });

  test("T6 whatever the policy and the clock: runs rise, next is later than each of them, all that is left out was missed", () => {
    const policies = fc.record({
      catch_up_policy: fc.constantFrom("one", "skip", "all"),
      catch_up_window_seconds: fc.option(fc.integer({ min: 0, max: 40 * 3_600 }), { nil: undefined }),
      jitter_seconds: fc.constantFrom(0, 600, 7_200),
    });
    fc.assert(
      fc.property(policies, fc.integer({ min: 0, max: 300 * HOUR }), (policy, lateMs) => {
        const { ticks, configuration } = hourly(policy);
        const now = ticks.runAt(due) + lateMs;
        const { runs, next } = dueTicks(ticks, configuration, due, now);
        assert.ok(next !== undefined);
        const inOrder = [...runs, next];
        for (let n = 1; n < inOrder.length; n++) assert.ok(inOrder[n]! > inOrder[n - 1]!);
        for (const tick of runs) assert.ok(tick >= due && ticks.runAt(tick) <= now && tick % HOUR === 0);
        assert.ok(ticks.runAt(next) > now || runs.length === 100, "whoever is armed again in the past would spin");
        // What a process that runs meets: the tick itself, at its time.
        if (lateMs < MINUTE && policy.catch_up_window_seconds === undefined) assert.deepEqual(runs, [due]);
      }),
    );
  });

  test("the end: no tick comes after it", () => {
    const { ticks, configuration } = hourly({ end_at: new Date(12 * HOUR).toISOString() });
    assert.deepEqual(dueTicks(ticks, configuration, 12 * HOUR, 12 * HOUR), { runs: [12 * HOUR], next: undefined });
    assert.equal(ticks.after(11 * HOUR), 12 * HOUR);
    assert.equal(ticks.newest(0, 100 * HOUR), 12 * HOUR);
  });
});
