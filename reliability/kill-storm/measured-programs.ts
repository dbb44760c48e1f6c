// measured-programs: what is run while something is measured. Bodies say in the journal when they began.
import { setTimeout as sleep } from "node:timers/promises";
import { activity, orchestrator, type EntityDefinition } from "ostinato";
import { activities as shapesOfCrashes, orchestrators as programsOfCrashes } from "../crash/shapes.ts";
import { witnessed } from "../crash/shapes.ts";

/** Takes so many ms. */
const linger = activity("linger", async (ctx, ms: number) =>
  witnessed(ctx, async () => {
    await sleep(ms);
    return ms;
  }),
);

/** Works for a long time: whoever runs it is to be killed. */
const lingering = orchestrator("lingering", async (ctx, ms: number) => await ctx.callActivity(linger, ms));

/** Sleeps, then shows that it is awake. */
const sleeper = orchestrator("sleeper", async (ctx, ms: number) => {
  await ctx.createTimer({ milliseconds: ms });
  return await ctx.callActivity(linger, 0);
});

/** Goes on for ever, a step each so many ms, until it is told to stop. */
const ticking = orchestrator("ticking", async (ctx, everyMs: number) => {
  for (let n = 0; n < 20; n++) {
    await ctx.callActivity(linger, 0);
    if (everyMs > 0) await ctx.createTimer({ milliseconds: everyMs });
  }
  ctx.continueAsNew(everyMs);
});

export const orchestrators = [...programsOfCrashes, lingering, sleeper, ticking];
export const activities = [...shapesOfCrashes, linger];
export const entitiesOf = (): readonly EntityDefinition[] => [];
