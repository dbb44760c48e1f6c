// Fan-out and fan-in: the number of work items is unknown in advance; all of them run beside one another.
import { activity, openTaskHub, orchestrator } from "ostinato";

export const getWorkItems = activity("getWorkItems", async () => ["apples", "pears", "figs", "dates", "elderberries"]);
export const processWorkItem = activity("processWorkItem", async (ctx, item: string) => item.length);

export const summarise = orchestrator("summarise", async (ctx) => {
  const workItems = await ctx.callActivity(getWorkItems);
  const results = await ctx.whenAll(workItems.map((item) => ctx.callActivity(processWorkItem, item))); // Promise.all works too
  return { workItems, results, total: results.reduce((a, b) => a + b, 0) };
});

// The same with at most two items under way at once.
export const summariseGently = orchestrator("summariseGently", async (ctx) => {
  const workItems = await ctx.callActivity(getWorkItems);
  const results = await ctx.map(workItems, (item) => ctx.callActivity(processWorkItem, item), { concurrency: 2 });
  return { workItems, results, total: results.reduce((a, b) => a + b, 0) };
});

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: [summarise, summariseGently], activities: [getWorkItems, processWorkItem] });

  for (const orchestrator of [summarise, summariseGently]) {
    const instance = await hub.start(orchestrator);
    console.log(orchestrator.name, await instance.result({ timeout: "30s" }));
  }

  await worker.stop();
  await hub.close();
}
