// Something that is started again and again by the clock: every night at three, by the clock on the wall in Berlin.
import { activity, openTaskHub, orchestrator } from "ostinato";
import { schedules, withSchedules } from "ostinato/schedules";

export const countSales = activity("countSales", async (ctx, region: string) => (region === "EU" ? 42 : 7));

export const report = orchestrator("report", async (ctx, { region }: { region: string }) => {
  const sales = await ctx.callActivity(countSales, region);
  return `${sales} sales in ${region}`;
});

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker(withSchedules({ orchestrators: [report], activities: [countSales] }));

  // A program may do this each time it starts: the schedule becomes what is said here, and keeps its next tick.
  const nightly = await schedules(hub).create("nightly", {
    orchestrator: report,
    input: { region: "EU" },
    cron: "0 3 * * *",
    timeZone: "Europe/Berlin",
    overlap: "skip",
  });
  const next = (await nightly.describe())?.nextRunAt;
  console.log(`next at ${next?.toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin" })} in Berlin`);

  // Once more, now, and its result.
  const run = await nightly.trigger();
  console.log(await run.result({ timeout: "30s" }));

  await nightly.pause();
  for await (const each of schedules(hub).list({ status: "Paused" })) console.log(`${each.id} is paused`);
  await nightly.delete();

  await worker.stop();
  await hub.close();
}
