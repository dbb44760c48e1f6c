import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { orchestrator } from "../authoring/define.ts";
import type { OrchestrationStatus } from "../client/orchestration-status.ts";
import type { Duration } from "../contract/instant.ts";
import { schedules, withSchedules, type ScheduleClient } from "../schedules.ts";
import { atEveryCrash, createTestHub, type TestHub, type TestHubOptions } from "../testing.ts";

const report = orchestrator("report", async (ctx, input?: { readonly region: string }) => `${input?.region ?? "all"}`);
/** Takes two hours and a half. */
const long = orchestrator("long", async (ctx) => {
  await ctx.createTimer("150m");
});

const PROGRAMS = withSchedules({ orchestrators: [report, long] });

async function hubAt(start: string, options: TestHubOptions = PROGRAMS): Promise<{ hub: TestHub; all: ScheduleClient }> {
  const hub = await createTestHub({ ...options, start: new Date(start) });
  return { hub, all: schedules(hub) };
}

/** The runs of a schedule: when each was started, and under which id. */
async function runsOf(hub: TestHub, scheduleId: string, name?: string): Promise<string[]> {
  const runs = await hub.query({ idPrefix: `${scheduleId}-`, ...(name === undefined ? {} : { name }) });
  return runs.map(({ id, createdAt }) => `${id.slice(scheduleId.length + 1)} at ${short(createdAt)}`);
}

/** That each run had ended when the next one began. */
function assertApart(runs: readonly OrchestrationStatus[]): void {
  runs.forEach(({ id, createdAt }, n) => {
    const before = runs[n - 1];
    assert.ok(before === undefined || (before.completedAt !== undefined && before.completedAt <= createdAt), `${before?.id} and ${id} met`);
  });
}

const short = (date: Date): string => date.toISOString().replace(/:00\.000Z$|\.000Z$/, "");
const tick = (text: string): string => `${text}:00+00:00 at ${text}`;

describe("a schedule with an interval", () => {
  test("T6 starts an orchestration at each tick, under an id made of both", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const hourly = await all.create("hourly", { orchestrator: report, input: { region: "EU" }, interval: "1h" });
    await hub.clock.advance("205m");
    assert.deepEqual(await runsOf(hub, "hourly"), [tick("2026-01-01T01:00"), tick("2026-01-01T02:00"), tick("2026-01-01T03:00")]);
    assert.equal(await hub.instance(report, "hourly-2026-01-01T01:00:00+00:00").result(), "EU");
    const description = await hourly.describe();
    assert.deepEqual(
      { ...description },
      {
        id: "hourly",
        status: "Active",
        orchestrator: "report",
        input: { region: "EU" },
        intervalMs: 3_600_000,
        startImmediatelyIfLate: false,
        jitterMs: 0,
        overlap: "allow",
        catchUp: "one",
        lastRunAt: new Date("2026-01-01T03:00:00Z"),
        nextRunAt: new Date("2026-01-01T04:00:00Z"),
        createdAt: new Date("2026-01-01T00:00:00Z"),
        lastModifiedAt: new Date("2026-01-01T00:00:00Z"),
      },
    );
    await hub.close();
  });

  test("counts from its start, which may be past or to come", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:20:00Z");
    await all.create("past", { orchestrator: report, interval: "1h", startAt: new Date("2025-12-31T23:15:00Z") });
    await all.create("future", { orchestrator: report, interval: "1h", startAt: new Date("2026-01-01T02:00:00Z") });
    await all.create("late", {
      orchestrator: report,
      interval: "1h",
      startAt: new Date("2025-12-31T23:15:00Z"),
      startImmediatelyIfLate: true,
    });
    await hub.clock.advance("160m");
    assert.deepEqual(await runsOf(hub, "past"), [tick("2026-01-01T01:15"), tick("2026-01-01T02:15")]);
    assert.deepEqual(await runsOf(hub, "future"), [tick("2026-01-01T02:00"), tick("2026-01-01T03:00")]);
    assert.deepEqual(await runsOf(hub, "late"), [tick("2026-01-01T00:20"), tick("2026-01-01T01:15"), tick("2026-01-01T02:15")]);
    await hub.close();
  });

  test("is stored as the Python SDK stores it", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    await all.create("hourly", { orchestrator: report, input: { region: "EU" }, interval: "1h" });
    const { ExecutionToken, ...state } = (await hub.entity("schedule", "hourly").state()) as Record<string, unknown>;
    assert.match(String(ExecutionToken), /^[0-9a-f]{32}$/);
    assert.deepEqual(state, {
      Status: 1,
      LastRunAt: null,
      NextRunAt: "2026-01-01T01:00:00+00:00",
      ScheduleCreatedAt: "2026-01-01T00:00:00+00:00",
      ScheduleLastModifiedAt: "2026-01-01T00:00:00+00:00",
      ScheduleConfiguration: {
        ScheduleId: "hourly",
        OrchestrationName: "report",
        Interval: "01:00:00",
        OrchestrationInput: '{"region":"EU"}',
        OrchestrationInstanceId: null,
        StartAt: null,
        EndAt: null,
        StartImmediatelyIfLate: false,
      },
    });
    await hub.close();
  });

  test("ends with its end: nothing is started after it, and it is gone", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const ending = await all.create("ending", { orchestrator: report, interval: "1h", endAt: new Date("2026-01-01T02:00:00Z") });
    await hub.clock.advance("2h");
    assert.equal((await runsOf(hub, "ending")).length, 2);
    assert.equal((await ending.describe())?.nextRunAt, undefined);
    await hub.clock.advance("1m");
    assert.equal(await ending.describe(), undefined);
    assert.equal((await runsOf(hub, "ending")).length, 2);
    assert.deepEqual(await all.list(), []);
    await hub.close();
  });

  test("hands over an input as it was given: dates, maps and what classes were made of", async () => {
    class Order {
      readonly at: Date;
      readonly lines: ReadonlyMap<string, number>;
      constructor(at: Date, lines: ReadonlyMap<string, number>) {
        this.at = at;
        this.lines = lines;
      }
      get total(): number {
        return [...this.lines.values()].reduce((sum, each) => sum + each, 0);
      }
    }
    const ship = orchestrator("ship", { input: Order }, async (ctx, order) => `${order.total} on ${order.at.toISOString()}`);
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z", withSchedules({ orchestrators: [ship] }));
    const input = new Order(new Date("2026-05-01T00:00:00Z"), new Map([["kettle", 2]]));
    const shipping = await all.create("shipping", { orchestrator: ship, input, interval: "1h" });
    await hub.clock.advance("1h");
    assert.equal(await hub.instance("shipping-2026-01-01T01:00:00+00:00").result(), "2 on 2026-05-01T00:00:00.000Z");
    assert.equal(await (await shipping.trigger()).result(), "2 on 2026-05-01T00:00:00.000Z");
    await hub.close();
  });
});

describe("a schedule by cron", () => {
  const nights: readonly (readonly [what: string, zone: string, start: string, ticks: readonly string[]])[] = [
    ["the spring's gap in Berlin", "Europe/Berlin", "2026-03-28T00:00:00Z", ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]],
    [
      "the autumn's second hour in Berlin",
      "Europe/Berlin",
      "2026-10-24T00:00:00Z",
      ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"],
    ],
    [
      "the spring's gap in New York",
      "America/New_York",
      "2026-03-07T00:00:00Z",
      ["2026-03-07T07:30", "2026-03-08T07:00", "2026-03-09T06:30"],
    ],
    [
      "the autumn on Lord Howe Island",
      "Australia/Lord_Howe",
      "2026-04-03T00:00:00Z",
      ["2026-04-03T15:30", "2026-04-04T16:00", "2026-04-05T16:00"],
    ],
  ];
  for (const [what, timeZone, start, ticks] of nights)
    test(`T6 runs once a night over ${what}`, async () => {
      const { hub, all } = await hubAt(start);
      await all.create("nightly", { orchestrator: report, cron: "30 2 * * *", timeZone });
      await hub.clock.advance("3d");
      assert.deepEqual(await runsOf(hub, "nightly"), ticks.map(tick));
      await hub.close();
    });

  test("has UTC for a time zone unless one is named, and comes to its end when no time is left", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const once = await all.create("once", { orchestrator: report, cron: "0 0 3 2 1 * 2026" });
    await hub.clock.advance("3d");
    assert.deepEqual(await runsOf(hub, "once"), [tick("2026-01-02T03:00")]);
    assert.equal(await once.describe(), undefined);
    await hub.close();
  });

  test("that cannot be is refused to whoever asks for it, readably", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const refused = (options: { cron: string; timeZone?: string; endAt?: Date }, message: RegExp): Promise<void> =>
      assert.rejects(all.create("bad", { orchestrator: report, ...options }), { code: "INVALID_ARGUMENT", message });
    await refused({ cron: "soon" }, /The cron expression "soon" in the time zone "UTC" cannot be read: it must have five fields/);
    await refused({ cron: "0 25 * * *" }, /The cron expression "0 25 \* \* \*" .* cannot be read/);
    await refused({ cron: "0 3 * * *", timeZone: "Mars/Olympus" }, /Mars\/Olympus/);
    await refused({ cron: "0 3 * * *", endAt: new Date("1970-01-01T01:00:00Z") }, /would never run/);
    assert.equal(await all.get("bad").describe(), undefined);
    await hub.close();
  });
});

describe("ticks that nobody was there for", () => {
  const missed = async (catchUp: "one" | "skip" | "all" | undefined, down: Duration, catchUpWindow?: Duration): Promise<string[]> => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z", { orchestrators: [report], unregistered: "wait" });
    const worker = await hub.startWorker(withSchedules({}));
    await all.create("hourly", {
      orchestrator: report,
      interval: "1h",
      ...(catchUp === undefined ? {} : { catchUp }),
      ...(catchUpWindow === undefined ? {} : { catchUpWindow }),
    });
    await hub.clock.advance("65m");
    await worker.stop();
    await hub.clock.advance(down);
    await hub.startWorker(withSchedules({}));
    await hub.clock.advance("1h");
    const runs = await runsOf(hub, "hourly");
    await hub.close();
    return runs.map((run) => run.replaceAll("2026-01-01T", "").replaceAll(":00+00:00", ""));
  };

  test("T6 one, as in the family: the oldest is run, and then it goes on", async () => {
    assert.deepEqual(await missed(undefined, "4h"), ["01:00 at 01:00", "02:00 at 05:05", "06:00 at 06:00"]);
    assert.deepEqual(await missed("one", "4h", "70m"), ["01:00 at 01:00", "04:00 at 05:05", "06:00 at 06:00"]);
  });

  test("T6 all: each of them is run", async () => {
    assert.deepEqual(await missed("all", "4h"), [
      "01:00 at 01:00",
      "02:00 at 05:05",
      "03:00 at 05:05",
      "04:00 at 05:05",
      "05:00 at 05:05",
      "06:00 at 06:00",
    ]);
    assert.equal((await missed("all", "300h")).length, 302, "also when they are more than one batch makes up for");
  });

  test("T6 skip: none of them is run, but one that has only just come", async () => {
    assert.deepEqual(await missed("skip", "4h"), ["01:00 at 01:00", "06:00 at 06:00"]);
    assert.deepEqual(await missed("skip", "235.5m"), ["01:00 at 01:00", "05:00 at 05:00:30", "06:00 at 06:00"]);
  });
});

describe("runs that meet", () => {
  const during = async (overlap: "allow" | "skip" | "bufferOne" | undefined, hours: number): Promise<string[]> => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const schedule = await all.create("hourly", { orchestrator: long, interval: "1h", ...(overlap === undefined ? {} : { overlap }) });
    await hub.clock.advance({ hours, minutes: 1 });
    const runs = await runsOf(hub, "hourly", "long");
    await schedule.delete();
    await hub.close();
    return runs.map((run) => run.replaceAll("2026-01-01T", "").replaceAll(":00+00:00", ""));
  };

  test("allow, as in the family: both run", async () => {
    assert.deepEqual(await during(undefined, 3), ["01:00 at 01:00", "02:00 at 02:00", "03:00 at 03:00"]);
  });

  test("skip: ticks are left out until the run has ended", async () => {
    assert.deepEqual(await during("skip", 7), ["01:00 at 01:00", "04:00 at 04:00", "07:00 at 07:00"]);
  });

  test("bufferOne: one tick waits, and is run when the run has ended", async () => {
    assert.deepEqual(await during("bufferOne", 7), ["01:00 at 01:00", "02:00 at 03:30", "04:00 at 06:00"]);
  });

  test("what is running and what waits can be seen", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const hourly = await all.create("hourly", { orchestrator: long, interval: "1h", overlap: "bufferOne" });
    await hub.clock.advance("130m");
    const { running, buffered } = (await hourly.describe()) ?? {};
    assert.deepEqual([running, buffered], ["hourly-2026-01-01T01:00:00+00:00", "hourly-2026-01-01T02:00:00+00:00"]);
    await hub.close();
  });

  test("a run that fails has ended", async () => {
    const failing = orchestrator("failing", async (ctx) => {
      await ctx.createTimer("150m");
      throw new Error("no paper");
    });
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z", withSchedules({ orchestrators: [failing] }));
    await all.create("hourly", { orchestrator: failing, interval: "1h", overlap: "skip" });
    await hub.clock.advance("5h");
    assert.deepEqual(await runsOf(hub, "hourly", "failing"), [tick("2026-01-01T01:00"), tick("2026-01-01T04:00")]);
    await hub.close();
  });

  test("E4 whoever ends the run from outside, and however, does not end the schedule, and no two runs meet", async () => {
    for (const end of ["target", "runner", "both", "purge"] as const) {
      const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
      await all.create("hourly", { orchestrator: long, interval: "1h", overlap: "bufferOne" });
      await hub.clock.advance("90m");
      const target = hub.instance("hourly-2026-01-01T01:00:00+00:00");
      const runner = hub.instance(`${target.id}:run`);
      assert.equal((await runner.status())?.status, "RUNNING");
      if (end === "target") await target.terminate();
      else await runner.terminate({ recursive: end !== "runner" });
      if (end === "purge") {
        await hub.clock.advance("1s");
        await runner.purge({ recursive: true });
      }
      await hub.clock.advance("6h");
      const runs = await hub.query({ name: "long", idPrefix: "hourly-" });
      assert.ok(runs.length >= 3, `${end}: ${runs.length} runs`);
      // Whoever ends the runner alone lets its target go on, which then meets the next run.
      if (end !== "runner") assertApart(runs);
      await hub.close();
    }
  });

  test("a schedule that is deleted and made again waits for the run of the old one", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const options = { orchestrator: long, interval: "1h", overlap: "skip" } as const;
    const first = await all.create("hourly", options);
    await hub.clock.advance("90m");
    await first.delete();
    await all.create("hourly", options);
    await hub.clock.advance("65m");
    assert.deepEqual(await runsOf(hub, "hourly", "long"), [tick("2026-01-01T01:00")], "the run of 02:30 waits for that of 01:00");
    await hub.clock.advance("1h");
    assert.deepEqual(await runsOf(hub, "hourly", "long"), [tick("2026-01-01T01:00"), "2026-01-01T02:30:00+00:00 at 2026-01-01T03:30"]);
    await hub.close();
  });
});

describe("jitter", () => {
  test("T6 each run begins within it, under the id of its tick, and the same schedule would do it again", async () => {
    const begun: string[][] = [];
    for (let round = 0; round < 2; round++) {
      const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
      const jittered = await all.create("jittered", { orchestrator: report, interval: "1h", jitter: "10m" });
      await hub.clock.advance("24h");
      const runs = await hub.query({ idPrefix: "jittered-" });
      begun.push(runs.map(({ id, createdAt }) => `${id} ${createdAt.toISOString()}`));
      const delays = runs.map(({ id, createdAt }) => createdAt.getTime() - Date.parse(id.slice("jittered-".length)));
      assert.ok(delays.length >= 23 && delays.every((delay) => delay >= 0 && delay < 600_000), delays.join());
      assert.ok(new Set(delays).size > 15, delays.join());
      const { nextRunAt, lastRunAt } = (await jittered.describe()) ?? {};
      assert.ok(lastRunAt && nextRunAt && lastRunAt.getTime() % 3_600_000 === 0 && nextRunAt > lastRunAt);
      await hub.close();
    }
    assert.deepEqual(begun[0], begun[1]);
  });
});

describe("what can be done with a schedule", () => {
  test("paused it runs nothing; resumed it goes on from then", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const hourly = await all.create("hourly", { orchestrator: report, interval: "1h", catchUp: "all" });
    await hub.clock.advance("90m");
    await hourly.pause();
    const { status, nextRunAt } = (await hourly.describe()) ?? {};
    assert.deepEqual([status, nextRunAt], ["Paused", undefined]);
    await assert.rejects(hourly.pause(), { code: "INVALID_STATE", message: /is paused already/ });
    await hub.clock.advance("3h");
    await all.create("hourly", { orchestrator: report, interval: "1h", catchUp: "all" });
    await hub.clock.advance("1h");
    assert.equal((await runsOf(hub, "hourly")).length, 1, "a program that starts again does not resume it");
    await hourly.resume();
    await assert.rejects(hourly.resume(), { code: "INVALID_STATE", message: /is not paused/ });
    await hub.clock.advance("1h");
    assert.deepEqual(await runsOf(hub, "hourly"), [tick("2026-01-01T01:00"), tick("2026-01-01T06:00")]);
    await hub.close();
  });

  test("updated while a tick is pending, that tick is run by what it has become", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const hourly = await all.create("hourly", { orchestrator: report, input: { region: "EU" }, interval: "1h" });
    await hub.clock.advance("30m");
    await hourly.update({ input: { region: "US" } });
    await hub.clock.advance("30m");
    assert.equal(await hub.instance("hourly-2026-01-01T01:00:00+00:00").result(), "US");
    await hourly.update({ interval: "90m" });
    await hub.clock.advance("31m");
    assert.equal((await runsOf(hub, "hourly")).at(-1), tick("2026-01-01T01:30"));
    await hourly.update({ cron: "0 12 * * *", overlap: "skip", jitter: null });
    assert.equal((await hourly.describe())?.cron, "0 12 * * *");
    assert.equal((await hourly.describe())?.nextRunAt?.toISOString(), "2026-01-01T12:00:00.000Z");
    await hourly.update({ timeZone: "Europe/Berlin", endAt: new Date("2026-02-01T00:00:00Z") });
    assert.equal((await hourly.describe())?.nextRunAt?.toISOString(), "2026-01-01T11:00:00.000Z");
    await hourly.update({ interval: "1h", overlap: "allow", endAt: null });
    const { cron, intervalMs, endAt } = (await hourly.describe()) ?? {};
    assert.deepEqual([cron, intervalMs, endAt], [undefined, 3_600_000, undefined]);
    await hub.clock.advance("1h");
    assert.equal((await runsOf(hub, "hourly", "report")).length, 3);
    await hub.close();
  });

  test("created again as it is, it keeps the tick that a deployment was in the way of", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z", { orchestrators: [report], unregistered: "wait" });
    const worker = await hub.startWorker(withSchedules({}));
    await all.create("hourly", { orchestrator: report, interval: "1h" });
    await worker.stop();
    await hub.clock.advance("65m");
    const again = all.create("hourly", { orchestrator: report, input: { region: "EU" }, interval: "1h" });
    await hub.startWorker(withSchedules({}));
    await again;
    await hub.clock.advance("1s");
    assert.deepEqual(await runsOf(hub, "hourly"), ["2026-01-01T01:00:00+00:00 at 2026-01-01T01:05"]);
    await hub.close();
  });

  test("deleted it is gone, and the tick that was pending does nothing, also when one like it is made at once", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const hourly = await all.create("hourly", { orchestrator: report, interval: "1h" });
    await hourly.delete();
    assert.equal(await hourly.describe(), undefined);
    await hub.clock.advance("2h");
    assert.deepEqual(await runsOf(hub, "hourly"), []);
    assert.equal(await hub.entity("schedule", "hourly").state(), undefined);
    await all.create("hourly", { orchestrator: report, interval: "1h" });
    await hourly.delete();
    await all.create("hourly", { orchestrator: report, interval: "1h" });
    const before = hub.counters()["entityBatchesCommitted"] ?? 0;
    await hub.clock.advance("10h");
    assert.equal((await runsOf(hub, "hourly")).length, 10);
    assert.ok((hub.counters()["entityBatchesCommitted"] ?? 0) - before <= 12, "one chain of ticks, not two");
    await hourly.delete();
    await hourly.delete();
    await hub.close();
  });

  test("triggered it runs now, as often as is asked, also while it is paused", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    await all.create("hourly", { orchestrator: report, input: { region: "EU" }, interval: "1h", overlap: "skip" });
    const hourly = all.get(report, "hourly");
    await hourly.pause();
    const runs = [await hourly.trigger(), await hourly.trigger()];
    assert.deepEqual(await Promise.all(runs.map((run) => run.result())), ["EU", "EU"]);
    assert.notEqual(runs[0]?.id, runs[1]?.id);
    for (const { id } of runs) assert.match(id, /^hourly-/);
    await hub.close();
  });

  test("what is not there says so, and what is no schedule is refused before anybody is asked", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const nobody = all.get("nobody");
    for (const ask of [() => nobody.pause(), () => nobody.resume(), () => nobody.update({ interval: "2h" }), () => nobody.trigger()])
      await assert.rejects(ask(), { code: "SCHEDULE_NOT_FOUND", message: /There is no schedule 'nobody'/ });
    const { commits } = hub;
    await assert.rejects(all.create("s", { orchestrator: report, interval: "500ms" }), /at least 1 second/);
    await assert.rejects(
      all.create("s", { orchestrator: report, interval: "1h", cron: "0 3 * * *" } as never),
      /both an interval and a cron/,
    );
    await assert.rejects(all.create("s", { orchestrator: report } as never), /neither an interval nor a cron expression/);
    await assert.rejects(all.create("s", { orchestrator: report, interval: "1h", overlaps: "skip" } as never), /no option 'overlaps'/);
    await assert.rejects(all.create("@s", { orchestrator: report, interval: "1h" }), /starts with "@"/);
    assert.equal(hub.commits, commits);
    await hub.close();
  });

  test("an input that the orchestrator's schema refuses is refused", async () => {
    class Region {
      name = "";
    }
    const checked = orchestrator("checked", { input: Region }, async (ctx, region) => region.name);
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z", withSchedules({ orchestrators: [checked] }));
    await assert.rejects(all.create("s", { orchestrator: checked, input: 5 as never, interval: "1h" }), { code: "VALIDATION_FAILED" });
    await hub.close();
  });

  test("nobody who serves schedules: the caller is told what is missing", async () => {
    const { hub } = await hubAt("2026-01-01T00:00:00Z", { orchestrators: [report], unregistered: "wait" });
    await assert.rejects(schedules(hub, { timeout: "5s" }).create("s", { orchestrator: report, interval: "1h" }), {
      code: "RESULT_TIMEOUT",
      message: /withSchedules/,
    });
    await hub.close();
  });

  test("they are listed by prefix, status and time of creation, in pages", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    for (const id of ["a-1", "a-2", "b-1"]) await all.create(id, { orchestrator: report, interval: "1h" });
    await hub.clock.advance("1m");
    await all.create("b-2", { orchestrator: report, cron: "@daily" });
    await all.get("a-2").pause();
    const ids = async (query: Parameters<typeof all.list>[0]): Promise<string[]> => (await all.list(query)).map(({ id }) => id);
    assert.deepEqual(await ids({}), ["a-1", "a-2", "b-1", "b-2"]);
    assert.deepEqual(await ids({ idPrefix: "a-" }), ["a-1", "a-2"]);
    assert.deepEqual(await ids({ status: "Paused" }), ["a-2"]);
    assert.deepEqual(await ids({ createdFrom: new Date("2026-01-01T00:00:00Z") }), ["b-2"]);
    assert.deepEqual(await ids({ createdTo: new Date("2026-01-01T00:01:00Z"), status: "Active" }), ["a-1", "b-1"]);
    const sizes: number[] = [];
    for await (const { items } of all.list().pages({ size: 3 })) sizes.push(items.length);
    assert.deepEqual(sizes, [3, 1]);
    await hub.close();
  });
});

describe("as the Durable Task SDKs ask", () => {
  /** What Python's client does, or .NET's. */
  const ask = async (hub: TestHub, name: string, request: object): Promise<unknown> => await (await hub.start(name, request)).result();
  const python = (operation_name: string, input: unknown = null): [string, object] => [
    "execute_schedule_operation_orchestrator",
    { entity_id: "@schedule@s", operation_name, input },
  ];
  const dotnet = (OperationName: string, Input: unknown = null): [string, object] => [
    "ExecuteScheduleOperationOrchestrator",
    { EntityId: "@schedule@s", OperationName, Input },
  ];

  test("Python's words do what they say", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const options = { schedule_id: "s", orchestration_name: "report", interval_seconds: 60.0, orchestration_input: { region: "EU" } };
    await ask(hub, ...python("create_schedule", { ...options, start_at: null, end_at: null, start_immediately_if_late: true }));
    await hub.clock.advance("130s");
    assert.equal((await runsOf(hub, "s")).length, 3);
    await ask(hub, ...python("update_schedule", { interval_seconds: 3600.0, orchestration_name: null }));
    assert.equal((await all.get("s").describe())?.intervalMs, 3_600_000);
    await ask(hub, ...python("pause_schedule"));
    assert.equal((await all.get("s").describe())?.status, "Paused");
    await ask(hub, ...python("resume_schedule"));
    await assert.rejects(ask(hub, ...python("resume_schedule")), /The schedule 's' is not paused/);
    await ask(hub, ...python("delete"));
    assert.equal(await all.get("s").describe(), undefined);
    await hub.close();
  });

  test(".NET's words do the same", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const options = { ScheduleId: "s", OrchestrationName: "report", Interval: "00:01:00", OrchestrationInput: '{"region":"EU"}' };
    await ask(hub, ...dotnet("CreateSchedule", options));
    await hub.clock.advance("1m");
    assert.equal(await hub.instance("s-2026-01-01T00:01:00+00:00").result(), "EU");
    await ask(hub, ...dotnet("UpdateSchedule", { Interval: "02:00:00" }));
    await ask(hub, ...dotnet("PauseSchedule"));
    await ask(hub, ...dotnet("ResumeSchedule"));
    assert.equal((await all.get("s").describe())?.nextRunAt?.toISOString(), "2026-01-01T02:00:00.000Z");
    await ask(hub, ...dotnet("delete"));
    await hub.close();
  });

  test("a schedule by cron is refused to their operations that would write over it, and not to the others", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    await all.create("s", { orchestrator: report, cron: "0 3 * * *", timeZone: "Europe/Berlin" });
    const options = { schedule_id: "s", orchestration_name: "report", interval_seconds: 60.0 };
    const refusal = /one by cron \(0 3 \* \* \*, Europe\/Berlin\), which 'create_schedule' .* does not know/;
    await assert.rejects(ask(hub, ...python("create_schedule", options)), refusal);
    await assert.rejects(ask(hub, ...python("update_schedule", { orchestration_name: "other" })), /'update_schedule'/);
    await assert.rejects(ask(hub, ...dotnet("UpdateSchedule", { OrchestrationName: "other" })), /'UpdateSchedule'/);
    assert.equal((await all.get("s").describe())?.cron, "0 3 * * *");
    await ask(hub, ...python("pause_schedule"));
    await ask(hub, ...python("resume_schedule"));
    await hub.clock.advance("1d");
    assert.deepEqual(await runsOf(hub, "s"), [tick("2026-01-01T02:00")]);
    await hub.close();
  });

  test("a schedule that a Python worker has left behind goes on here", async () => {
    const { hub, all } = await hubAt("2026-01-01T00:00:00Z");
    const foreign = hub.entity<{ create_schedule(o: object): void; run_schedule(token: string): void }>("schedule", "s");
    await foreign.signal.create_schedule({ schedule_id: "s", orchestration_name: "report", interval_seconds: 60.0 });
    await hub.clock.advance("1s");
    // As Python arms one: a signal at once, and again a signal that nobody waits for any more.
    const token = ((await foreign.state()) as { ExecutionToken: string }).ExecutionToken;
    await foreign.signal.run_schedule(token);
    await foreign.signal.run_schedule("of another time");
    await hub.clock.advance("2m");
    assert.equal((await runsOf(hub, "s")).length, 2);
    assert.equal((await all.get("s").describe())?.status, "Active");
    await hub.close();
  });

  test("nothing but a schedule can be asked by it", async () => {
    const { hub } = await hubAt("2026-01-01T00:00:00Z");
    const request = { entity_id: "@counter@a", operation_name: "delete" };
    await assert.rejects(ask(hub, "execute_schedule_operation_orchestrator", request), /must name an entity '@schedule@/);
    await hub.close();
  });
});

describe("crashes", () => {
  test("T6 wherever a process dies, no tick is lost and none is run twice", async () => {
    const runs = await atEveryCrash({ ...PROGRAMS, start: new Date("2026-01-01T00:00:00Z") }, async (hub) => {
      await schedules(hub).create("hourly", { orchestrator: report, interval: "1h" });
      await hub.clock.advance("3h");
      const done = await hub.query({ idPrefix: "hourly-" });
      assert.deepEqual(
        done.map(({ id }) => id),
        ["01", "02", "03"].map((hour) => `hourly-2026-01-01T${hour}:00:00+00:00`),
      );
      for (const { status } of done) assert.equal(status, "COMPLETED");
    });
    assert.ok(runs > 20, `${runs} crashes`);
  });

  test("T6 nor where runs must not meet", async () => {
    await atEveryCrash({ ...PROGRAMS, start: new Date("2026-01-01T00:00:00Z") }, async (hub) => {
      await schedules(hub).create("hourly", { orchestrator: long, interval: "1h", overlap: "bufferOne" });
      await hub.clock.advance("390m");
      const done = await hub.query({ idPrefix: "hourly-", name: "long" });
      assert.deepEqual(
        done.map(({ id }) => id.slice("hourly-2026-01-01T".length, -"00+00:00".length - 1)),
        ["01:00", "02:00", "04:00"],
      );
    });
  });
});
