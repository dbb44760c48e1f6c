// Versions: a running instance keeps the version it was started with, and today's worker serves old and new ones.
import { activity, openTaskHub, orchestrator } from "ostinato";
import type { WorkerOptions } from "ostinato";

export const activityOne = activity("activityOne", async (ctx) => console.log(`  ${ctx.instanceId}: activity one`));
export const activityTwo = activity("activityTwo", async (ctx) => console.log(`  ${ctx.instanceId}: activity two`));
export const activityThree = activity("activityThree", async (ctx) => console.log(`  ${ctx.instanceId}: activity three, new in 2.0.0`));

// One orchestrator serves instances that were started as 1.0.0 and as 2.0.0.
export const migrating = orchestrator("migrating", async (ctx) => {
  await ctx.callActivity(activityOne);
  if (ctx.isVersionAtLeast("2.0.0")) await ctx.callActivity(activityThree); // also ctx.version === "1.0.0"
  await ctx.callActivity(activityTwo);
  return "Success";
});

// When the versions have little in common: several registrations of one name. An instance runs on the one with its exact version; else
// ("currentOrOlder") on the oldest newer one; else on the one without version.
export const priceBefore = orchestrator("price", { version: "1.0.0" }, async (ctx, net: number) => net);
export const priceNow = orchestrator("price", { version: "2.0.0" }, async (ctx, net: number) => net * 1.2);

export const workerOptions: WorkerOptions = {
  orchestrators: [migrating, priceBefore, priceNow],
  activities: [activityOne, activityTwo, activityThree],
  versioning: { version: "2.0.0", defaultVersion: "2.0.0", matchStrategy: "currentOrOlder", failureStrategy: "fail" },
};

if (import.meta.main) {
  const hub = await openTaskHub("memory:", { defaultVersion: "2.0.0" });
  const worker = await hub.startWorker(workerOptions);

  const old = await hub.start(migrating, undefined, { instanceId: "started as 1.0.0", version: "1.0.0" });
  console.log(await old.result({ timeout: "30s" }));
  const current = await hub.start(migrating, undefined, { instanceId: "started as 2.0.0" });
  console.log(await current.result({ timeout: "30s" }));

  for (const version of ["1.0.0", "1.5.0", "2.0.0"]) {
    const price = await hub.start("price", 100, { version });
    console.log(`price of 100 in ${version}:`, await price.result({ timeout: "30s" }));
  }

  // A version that this worker does not know yet: "fail" says so at once, "reject" would leave it to a newer worker.
  const early = await hub.start(migrating, undefined, { instanceId: "started as 3.0.0", version: "3.0.0" });
  await early.result({ timeout: "30s" }).catch((error: Error) => console.log(error.message));

  await worker.stop();
  await hub.close();
}
