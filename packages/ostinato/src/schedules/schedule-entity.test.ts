// The schedule without engine: whatever clocks say and in whatever order it is told things, no tick is run twice.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { testEntity, type SentSignal, type StartedOrchestration } from "../testing.ts";
import { schedule } from "./schedule-entity.ts";
import type { ScheduleRequest } from "./schedule-requests.ts";
import type { StoredSchedule } from "./schedule-state.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);
const HOURLY: ScheduleRequest = { orchestration_name: "report", interval_seconds: 3_600 };

/** One schedule over operations at times of the test's choice, in whatever order: nothing here moves a clock but the test. */
class Schedule {
  state: StoredSchedule | undefined;
  readonly started: StartedOrchestration[] = [];
  /** What it has signalled to itself and was not told yet. */
  pending: SentSignal[] = [];

  async ask(now: number, operation: string, input?: unknown): Promise<unknown> {
    const it = testEntity(schedule, { key: "s", now: new Date(now), ...(this.state === undefined ? {} : { state: this.state }) });
    try {
      return await (it.call as Record<string, (input?: unknown) => Promise<unknown>>)[operation]!(input);
    } finally {
      this.state = it.state;
      this.started.push(...it.started);
      this.pending.push(...it.signals.filter(({ entityId }) => entityId === "@schedule@s"));
    }
  }

  /** Tells it the signal that is due next. The hub's clock, or a worker's, says `now`. */
  async tellNext(now?: number): Promise<void> {
    const [next] = this.pending.toSorted((one, other) => (one.at?.getTime() ?? 0) - (other.at?.getTime() ?? 0));
    assert.ok(next);
    this.pending.splice(this.pending.indexOf(next), 1);
    await this.ask(now ?? next.at?.getTime() ?? 0, next.operation, next.input);
  }

  get ids(): string[] {
    return this.started.map(({ instanceId }) => instanceId.slice("s-2026-01-".length, -"00+00:00".length - 1));
  }
}

describe("clocks", () => {
  test("T6 a clock that is put forward is time in which nobody was there", async () => {
    const it = new Schedule();
    await it.ask(START, "put_schedule", HOURLY);
    await it.tellNext();
    await it.tellNext(START + 30 * HOUR + MINUTE);
    await it.tellNext();
    assert.deepEqual(it.ids, ["01T01:00", "01T02:00", "02T07:00"]);
  });

  test("T6 a clock that is put back runs no tick again", async () => {
    const it = new Schedule();
    await it.ask(START, "put_schedule", HOURLY);
    for (let n = 0; n < 3; n++) await it.tellNext();
    await it.ask(START + 30 * MINUTE, "change_schedule", { orchestration_input: "other" });
    await it.ask(START + 31 * MINUTE, "change_schedule", { jitter_seconds: 60 });
    await it.ask(START + 32 * MINUTE, "change_schedule", { jitter_seconds: 0 });
    await it.ask(START + 33 * MINUTE, "pause_schedule");
    await it.ask(START + 34 * MINUTE, "resume_schedule");
    it.pending = it.pending.slice(-1);
    await it.tellNext();
    assert.deepEqual(it.ids, ["01T01:00", "01T02:00", "01T03:00", "01T04:00"]);
  });

  test("T6 a signal that comes before its time, by the clock there is, starts nothing and is sent again for that time", async () => {
    const it = new Schedule();
    await it.ask(START, "put_schedule", HOURLY);
    await it.tellNext(START + HOUR - 5);
    assert.deepEqual(it.ids, []);
    assert.deepEqual(
      it.pending.map(({ at }) => at?.getTime()),
      [START + HOUR],
    );
    await it.tellNext();
    assert.deepEqual(it.ids, ["01T01:00"]);
  });

  test("T6 whatever clocks say and whoever asks what: no tick is run twice, and each one that is run is one", async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("tick" as const), skewMs: fc.integer({ min: -3 * HOUR, max: 9 * HOUR }) }) },
      { weight: 6, arbitrary: fc.constant({ kind: "tick" as const, skewMs: 0 }) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant("ask" as const),
          operation: fc.constantFrom("pause_schedule", "resume_schedule", "put_schedule", "change_schedule", "run_completed"),
          input: fc.constantFrom<ScheduleRequest>(
            HOURLY,
            { ...HOURLY, jitter_seconds: 1_800 },
            { ...HOURLY, catch_up_policy: "all" },
            { ...HOURLY, catch_up_policy: "skip", overlap_policy: "bufferOne" },
            { ...HOURLY, overlap_policy: "skip" },
            { ...HOURLY, interval_seconds: 1_800 },
            { orchestration_name: "report", cron_expression: "0 * * * *", time_zone: "Europe/Berlin" },
          ),
          skewMs: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const it = new Schedule();
        await it.ask(START, "put_schedule", HOURLY);
        let now = START;
        for (const each of steps) {
          const due = Math.min(...it.pending.map(({ at }) => at?.getTime() ?? 0));
          if (each.kind === "tick") {
            if (!Number.isFinite(due)) continue;
            // A hub hands out no signal before its time; how much later it is, anybody's clock says.
            now = Math.max(START, due + Math.max(0, each.skewMs));
            await it.tellNext(now);
          } else {
            now = Math.max(START, now + each.skewMs);
            const input = each.operation === "run_completed" ? it.state?.["RunningTick"] : each.input;
            if (input !== undefined)
              await it.ask(now, each.operation, input).catch((error: unknown) => assert.match(String(error), /paused/));
          }
          const token = it.state?.["ExecutionToken"];
          const armed = it.pending.filter(({ operation, input }) => operation === "run_schedule" && input === token).length;
          assert.equal(armed, it.state?.["Status"] === 1 ? 1 : 0, "one chain of ticks while it is active, none while it is paused");
        }
        assert.equal(new Set(it.ids).size, it.ids.length, it.ids.join(", "));
        for (const id of it.ids) assert.match(id, /^\d\dT\d\d:[03]0/);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a tick that cannot be run", () => {
  test("is tried again: the chain does not break", async () => {
    const it = new Schedule();
    await it.ask(START, "put_schedule", HOURLY);
    it.state = { ...it.state, ScheduleConfiguration: { ...(it.state?.["ScheduleConfiguration"] as object), OrchestrationName: "" } };
    await it.tellNext();
    assert.deepEqual(it.ids, []);
    assert.deepEqual(
      it.pending.map(({ operation, at }) => [operation, at?.getTime()]),
      [["run_schedule", START + HOUR + MINUTE]],
    );
    it.state = { ...it.state, ScheduleConfiguration: { ...(it.state?.["ScheduleConfiguration"] as object), OrchestrationName: "report" } };
    await it.tellNext();
    await it.tellNext();
    assert.deepEqual(it.ids, ["01T01:00", "01T02:00"]);
  });
});
