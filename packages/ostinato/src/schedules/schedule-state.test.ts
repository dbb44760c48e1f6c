import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { changedConfiguration, configurationFrom } from "./schedule-requests.ts";
import { inputOf, scheduleOf, storedSchedule, type ScheduleState } from "./schedule-state.ts";
import { instantOf, instantText, spanMs, spanText } from "./time-text.ts";

/** As the Python SDK 1.12.0 has written it. */
const PYTHON = {
  Status: 1,
  ExecutionToken: "00000000000000000000000000000000",
  LastRunAt: null,
  NextRunAt: "2026-01-01T06:00:00+00:00",
  ScheduleCreatedAt: "2026-01-01T05:00:00.500000+00:00",
  ScheduleLastModifiedAt: "2026-01-01T05:00:00.500000+00:00",
  ScheduleConfiguration: {
    ScheduleId: "nightly",
    OrchestrationName: "report",
    Interval: "01:30:00",
    OrchestrationInput: '{"region": "EU"}',
    OrchestrationInstanceId: null,
    StartAt: "2026-01-01T00:00:00+00:00",
    EndAt: "2026-02-01T00:00:00.123000+00:00",
    StartImmediatelyIfLate: true,
  },
};
/** As its client asks for that. */
const PYTHON_CREATE = {
  schedule_id: "nightly",
  orchestration_name: "report",
  interval_seconds: 5400.0,
  orchestration_input: { region: "EU" },
  orchestration_instance_id: null,
  start_at: "2026-01-01T00:00:00+00:00",
  end_at: "2026-02-01T00:00:00.123000+00:00",
  start_immediately_if_late: true,
};

function stateOf(request: object): ScheduleState {
  return { status: "Active", token: "t", createdAt: 0, configuration: configurationFrom("nightly", request) };
}

describe("a stored schedule", () => {
  test("is read as the Python SDK has written it, and written as it would be, key for key", () => {
    const state = scheduleOf(PYTHON);
    assert.ok(state);
    assert.deepEqual(JSON.stringify(storedSchedule(state)), JSON.stringify(PYTHON));
  });

  test("is what .NET would have written: times with Z, a status by name, an input that is a text", () => {
    const state = scheduleOf({
      status: "Paused",
      executionToken: "a",
      nextRunAt: "2026-01-01T00:00:00.1234567Z",
      scheduleConfiguration: { scheduleId: "s", orchestrationName: "o", interval: "1.00:00:00", orchestrationInput: "EU" },
    });
    assert.ok(state);
    assert.equal(state.status, "Paused");
    assert.equal(state.nextRunAt, Date.UTC(2026, 0, 1, 0, 0, 0, 123));
    assert.deepEqual(state.configuration.rhythm, { kind: "interval", everyMs: 86_400_000 });
    assert.equal(inputOf(state.configuration), "EU");
  });

  test("is read as earlier Python workers wrote it", () => {
    const state = scheduleOf({
      status: "Active",
      execution_token: "a",
      schedule_configuration: { schedule_id: "s", orchestration_name: "o", interval_seconds: 5, orchestration_input: { a: 1 } },
    });
    assert.deepEqual(state?.configuration.rhythm, { kind: "interval", everyMs: 5_000 });
    assert.deepEqual(state && inputOf(state.configuration), { a: 1 });
  });

  test("by cron has no configuration that a worker of another SDK could run by", () => {
    const stored = storedSchedule(stateOf({ orchestration_name: "report", cron_expression: "0 3 * * *", time_zone: "Europe/Berlin" }));
    assert.equal(stored["ScheduleConfiguration"], null);
    assert.deepEqual(scheduleOf(stored)?.configuration.rhythm, { kind: "cron", expression: "0 3 * * *", timeZone: "Europe/Berlin" });
  });

  test("has fields beyond the family's only where they say something", () => {
    const plain = storedSchedule(stateOf({ orchestration_name: "report", interval_seconds: 60 }));
    assert.deepEqual(Object.keys(plain), Object.keys(PYTHON));
    assert.deepEqual(Object.keys(plain["ScheduleConfiguration"] as object), Object.keys(PYTHON.ScheduleConfiguration));
    const more = storedSchedule(
      stateOf({ orchestration_name: "report", interval_seconds: 60, jitter_seconds: 5, overlap_policy: "skip", catch_up_policy: "all" }),
    );
    const { Jitter, OverlapPolicy, CatchUpPolicy } = more["ScheduleConfiguration"] as Record<string, unknown>;
    assert.deepEqual({ Jitter, OverlapPolicy, CatchUpPolicy }, { Jitter: "00:00:05", OverlapPolicy: "skip", CatchUpPolicy: "all" });
  });

  test("that was never created is none", () => {
    for (const stored of [undefined, null, { Status: 0 }, { Status: 1 }, { Status: "Unknown", ScheduleConfiguration: {} }])
      assert.equal(scheduleOf(stored), undefined);
  });
});

describe("a request", () => {
  test("of Python's client and one of .NET's make the same schedule", () => {
    const { input, ...python } = configurationFrom("nightly", PYTHON_CREATE);
    const { input: text, ...dotnet } = configurationFrom("nightly", {
      ScheduleId: "nightly",
      OrchestrationName: "report",
      Interval: "01:30:00",
      OrchestrationInput: '{"region": "EU"}',
      StartAt: "2026-01-01T01:00:00+01:00",
      EndAt: "2026-02-01T00:00:00.1230000Z",
      StartImmediatelyIfLate: true,
    });
    assert.deepEqual(python, dotnet);
    assert.deepEqual(JSON.parse(input ?? ""), JSON.parse(text ?? ""));
  });

  test("that no schedule can be is refused, and says why", () => {
    const base = { orchestration_name: "report", interval_seconds: 60 };
    const refused: readonly (readonly [request: object, why: RegExp])[] = [
      [{ interval_seconds: 60 }, /names no orchestrator/],
      [{ orchestration_name: "report" }, /neither an interval nor a cron expression/],
      [{ ...base, interval_seconds: 0.5 }, /at least 1 second/],
      [{ ...base, interval_seconds: -1 }, /must be seconds/],
      [{ ...base, cron_expression: "* * * * *" }, /not both/],
      [{ ...base, schedule_id: "other" }, /an id cannot change/],
      [{ ...base, start_at: "2026-01-02T00:00:00Z", end_at: "2026-01-01T00:00:00Z" }, /ends before it starts/],
      [{ ...base, start_at: "tomorrow" }, /must be a time/],
      [{ ...base, overlap_policy: "sometimes" }, /overlap must be one of allow, skip, bufferOne/],
      [{ ...base, overlap_policy: "skip", orchestration_instance_id: "one" }, /Leave one of them out/],
      [{ ...base, orchestration_name: "@counter" }, /names an entity/],
    ];
    for (const [request, why] of refused) assert.throws(() => configurationFrom("nightly", request), why);
    assert.throws(() => configurationFrom("x".repeat(201), base), /200 are allowed/);
    assert.throws(() => configurationFrom("@nightly", base), /starts with "@"/);
  });

  test("to change leaves alone what it does not name, also as Python writes that", () => {
    const before = configurationFrom("nightly", PYTHON_CREATE);
    const nothing = Object.fromEntries(Object.keys(PYTHON_CREATE).map((name) => [name, null]));
    assert.deepEqual(changedConfiguration(before, nothing), before);
    assert.deepEqual(changedConfiguration(before, { ...nothing, interval_seconds: 60 }), {
      ...before,
      rhythm: { kind: "interval", everyMs: 60_000 },
    });
    const { endAt: _endAt, ...endless } = before;
    assert.deepEqual(changedConfiguration(before, { without: ["end_at"] }), endless);
    assert.throws(() => changedConfiguration(before, { time_zone: "UTC" }), /no time zone/);
  });
});

describe("times as text", () => {
  test("what is written is read again, whatever it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (instant) => {
        assert.equal(instantOf(instantText(instant), "it"), instant);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 14 }), (ms) => {
        assert.equal(spanMs(spanText(ms), "it"), ms);
      }),
    );
  });

  test("lengths are those of .NET", () => {
    const known: readonly (readonly [number, string])[] = [
      [1_000, "00:00:01"],
      [183_600_000, "2.03:00:00"],
      [1_500, "00:00:01.5000000"],
      [864_000_000, "10.00:00:00"],
    ];
    for (const [ms, text] of known) assert.deepEqual([spanText(ms), spanMs(text, "it")], [text, ms]);
    for (const text of ["", "1h", "-00:00:01", "00:00", 5])
      assert.throws(() => spanMs(text, "Interval"), /Interval must be a length of time/);
  });
});
