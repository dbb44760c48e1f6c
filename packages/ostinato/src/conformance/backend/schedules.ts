// schedules: orchestrations that are started again and again, on whatever hub; made of entities and orchestrators as any program has them.

import assert from "node:assert/strict";
import { externalEvent, orchestrator, type OrchestrationStatus } from "../../index.ts";
import { schedules, withSchedules, type ScheduleClient } from "../../schedules.ts";
import { refused, type Chapter, type World } from "./world.ts";

const report = orchestrator("report", async (_ctx, input?: { readonly region: string }) => input?.region ?? "all");
const told = externalEvent("told");
const waits = orchestrator("waits", async (ctx) => {
  await ctx.waitForExternalEvent(told);
});
const programs = withSchedules({ orchestrators: [report, waits] });

/** The schedules of a world. Its time may move by hours while an answer is waited for. */
function all(world: World): ScheduleClient {
  return schedules(world.hub, { timeout: world.virtual ? "20d" : "20s" });
}

/** How long it is from tick to tick: more than passes in virtual time while something is asked for. */
const everyMs = (world: World): number => (world.virtual ? 100 * world.unitMs : 1_000);
const rhythm = (world: World): { readonly interval: { readonly milliseconds: number } } => ({ interval: { milliseconds: everyMs(world) } });

/** The first answer that is as wanted. Virtual time goes from tick to tick meanwhile. */
async function inTime<T>(world: World, ask: () => PromiseLike<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (let step = 0; world.virtual && step < 20; step++) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await world.pass(everyMs(world) / 2);
  }
  return await world.asked(ask, wanted, "passes");
}

/** The runs of a schedule, once there are so many. Those of an orchestrator, where runs must not meet. */
function runsOf(world: World, id: string, count: number, name: string): Promise<readonly OrchestrationStatus[]> {
  return inTime(
    world,
    () => world.hub.query({ name, idPrefix: `${id}-` }),
    (runs) => runs.length >= count,
  );
}

function tickOf(id: string, run: OrchestrationStatus): number {
  const tick = Date.parse(run.id.slice(id.length + 1));
  assert.ok(Number.isFinite(tick), `'${run.id}' has no tick`);
  return tick;
}

/** That runs are those of different ticks of one grid, each begun at its tick or later. */
function assertTicks(world: World, id: string, runs: readonly OrchestrationStatus[]): void {
  const ticks = runs.map((run) => tickOf(id, run));
  assert.equal(new Set(ticks).size, runs.length);
  for (const [n, tick] of ticks.entries()) {
    assert.equal((tick - (ticks[0] ?? 0)) % everyMs(world), 0, runs.map((run) => run.id).join(", "));
    assert.ok((runs[n]?.createdAt.getTime() ?? 0) >= tick, `${runs[n]?.id} began before its tick`);
  }
}

export const scheduleStories: Chapter = (story) => {
  story("T6 each tick starts one orchestration, under an id made of the schedule and the tick, and not before its time", async (world) => {
    await world.work(programs);
    await world.work(programs); // and one for all workers together
    const often = await world.until(all(world).create("often", { orchestrator: report, input: { region: "EU" }, ...rhythm(world) }));
    const runs = await runsOf(world, "often", 3, "report");
    assertTicks(world, "often", runs);
    for (const run of runs.slice(0, 2)) assert.equal(await world.output(world.hub.instance(report, run.id)), "EU");
    const { lastRunAt, nextRunAt, status } = (await often.describe()) ?? {};
    assert.ok(status === "Active" && lastRunAt && nextRunAt && nextRunAt > lastRunAt);
    await world.until(often.delete());
    assert.equal(await often.describe(), undefined);
  });

  story("T6 a schedule by cron does", async (world) => {
    await world.work(programs);
    // By the hour where hours pass, by the second where they do not.
    const cron = world.virtual ? "0 * * * *" : "* * * * * *";
    const hourly = await world.until(all(world).create("hourly", { orchestrator: report, cron, timeZone: "Europe/Berlin" }));
    const runs = await runsOf(world, "hourly", 3, "report");
    await world.until(hourly.delete());
    for (const run of runs) assert.equal(tickOf("hourly", run) % (world.virtual ? 3_600_000 : 1_000), 0);
    assert.equal(new Set(runs.map(({ id }) => id)).size, runs.length);
  });

  story("T6 a schedule outlives its process, and no tick is run twice", async (world) => {
    if (world.restart === undefined) return world.skip("this hub cannot be crashed");
    await world.work(programs);
    await world.until(all(world).create("often", { orchestrator: report, ...rhythm(world) }));
    await runsOf(world, "often", 1, "report");
    await world.restart();
    await world.work(programs);
    await runsOf(world, "often", 3, "report");
    await world.restart();
    await world.work(programs);
    assertTicks(world, "often", await runsOf(world, "often", 4, "report"));
    await world.until(all(world).get("often").delete());
  });

  story("skip: while a run goes on ticks are left out, and afterwards they are run again", async (world) => {
    await world.work(programs);
    const often = await world.until(all(world).create("often", { orchestrator: waits, overlap: "skip", ...rhythm(world) }));
    const [first] = await runsOf(world, "often", 1, "waits");
    assert.ok(first);
    await inTime(
      world,
      () => often.describe(),
      (description) => (description?.nextRunAt?.getTime() ?? 0) > tickOf("often", first) + 2 * everyMs(world),
    );
    assert.equal((await runsOf(world, "often", 1, "waits")).length, 1);
    await world.hub.instance(first.id).raiseEvent(told);
    await world.until(world.hub.instance(first.id).result());
    const runs = await runsOf(world, "often", 2, "waits");
    assertTicks(world, "often", runs);
    assert.ok(tickOf("often", runs[1]!) >= tickOf("often", first) + 2 * everyMs(world), "the ticks meanwhile were left out");
    await world.until(often.delete());
  });

  story("E4 bufferOne: one tick waits for the run to end, however it ends", async (world) => {
    await world.work(programs);
    const often = await world.until(all(world).create("often", { orchestrator: waits, overlap: "bufferOne", ...rhythm(world) }));
    const [first] = await runsOf(world, "often", 1, "waits");
    assert.ok(first);
    await inTime(
      world,
      () => often.describe(),
      (description) => description?.buffered !== undefined,
    );
    assert.equal((await runsOf(world, "often", 1, "waits")).length, 1);
    await world.hub.instance(first.id).terminate();
    const runs = await runsOf(world, "often", 2, "waits");
    assert.equal(tickOf("often", runs[1]!) - tickOf("often", first), everyMs(world), "the next tick had waited");
    assert.equal((await world.hub.instance(first.id).status())?.status, "TERMINATED");
    await world.until(often.delete());
  });

  story("it is paused, resumed, changed, triggered, listed and deleted, and says what it is", async (world) => {
    await world.work(programs);
    const it = all(world);
    const options = { orchestrator: report, input: { region: "EU" }, startAt: new Date("9000-01-01T00:00:00Z") } as const;
    const seldom = await world.until(it.create("seldom", { ...options, interval: "1d", jitter: "1h", overlap: "skip", catchUp: "all" }));
    await world.until(seldom.pause());
    await world.until(seldom.update({ input: { region: "US" }, catchUpWindow: "2h" }));
    const { status, input, jitterMs, overlap, catchUp, catchUpWindowMs, intervalMs, startAt } = (await seldom.describe()) ?? {};
    assert.deepEqual(
      { status, input, jitterMs, overlap, catchUp, catchUpWindowMs, intervalMs, startAt },
      {
        status: "Paused",
        input: { region: "US" },
        jitterMs: 3_600_000,
        overlap: "skip",
        catchUp: "all",
        catchUpWindowMs: 7_200_000,
        intervalMs: 86_400_000,
        startAt: options.startAt,
      },
    );
    assert.equal(await world.until((await world.until(seldom.trigger())).result()), "US");
    const idsOf = async (wanted: "Active" | "Paused"): Promise<string[]> => (await it.list({ status: wanted })).map(({ id }) => id);
    assert.deepEqual([await idsOf("Active"), await idsOf("Paused")], [[], ["seldom"]]);
    await world.until(seldom.resume());
    assert.deepEqual([await idsOf("Active"), await idsOf("Paused")], [["seldom"], []]);
    await world.until(seldom.delete());
    assert.deepEqual([await idsOf("Active"), await idsOf("Paused")], [[], []]);
  });

  story("what cannot be done is refused, readably", async (world) => {
    await world.work(programs);
    const it = all(world);
    assert.match((await refused(world.until(it.get("nobody").pause()), "SCHEDULE_NOT_FOUND")).message, /no schedule 'nobody'/);
    await refused(world.until(it.create("bad", { orchestrator: report, cron: "61 * * * *" })), "INVALID_ARGUMENT");
    const seldom = await world.until(it.create("seldom", { orchestrator: report, cron: "0 3 * * *", timeZone: "Europe/Berlin" }));
    await refused(world.until(seldom.resume()), "INVALID_STATE");
    const operation = { entity_id: "@schedule@seldom", operation_name: "update_schedule", input: { interval_seconds: 60 } };
    const asked = await world.hub.start("execute_schedule_operation_orchestrator", operation);
    assert.match((await world.failure(asked)).message, /one by cron .*which 'update_schedule' .* does not know/);
    await world.until(seldom.delete());
  });
};
