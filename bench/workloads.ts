// workloads: what is measured. Each opens a hub of its own, runs, and tells one figure (or several).
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { activity, openTaskHub, orchestrator, type Hub } from "ostinato";

/** Where a workload runs. */
export interface Place {
  readonly store: "sqlite" | "memory";
  /** An empty folder for its files. */
  readonly folder: string;
  readonly seconds: number;
}

const hello = activity("hello", async (_ctx, input: { city: string; i: number }) => `Hello ${input.city} ${input.i}!`);
const chain10 = orchestrator("chain10", async (ctx) => {
  const results: string[] = [];
  for (let i = 0; i < 10; i++) results.push(await ctx.callActivity(hello, { city: "Tokyo", i }));
  return results;
});
const chain = orchestrator("chain", async (ctx, steps: number) => {
  let last = "";
  for (let i = 0; i < steps; i++) last = await ctx.callActivity(hello, { city: "Tokyo", i });
  return last;
});
const fanOut = orchestrator("fanOut", async (ctx, width: number) => {
  const results = await ctx.whenAll(Array.from({ length: width }, (_, i) => ctx.callActivity(hello, { city: "Tokyo", i })));
  return results.length;
});
const one = orchestrator("one", async (ctx) => ctx.callActivity(hello, { city: "Tokyo", i: 1 }));

/** The address of a fresh hub in the place. */
function address(place: Place): string {
  return place.store === "memory" ? "memory:" : `sqlite:${join(place.folder, "bench.db")}`;
}

async function withHub<T>(place: Place, work: (hub: Hub) => Promise<T>, worker = true): Promise<T> {
  const hub = await openTaskHub(address(place));
  const started = worker ? await hub.startWorker({ orchestrators: [chain10, chain, fanOut, one], activities: [hello] }) : undefined;
  try {
    return await work(hub);
  } finally {
    await started?.stop();
    await hub.close();
  }
}

/** W1: orchestrations of ten sequential activities, K in flight; steps per second, and how long the event loop was held. */
export async function chainsInFlight(
  place: Place,
  inFlight: number,
): Promise<{ stepsPerSecond: number; loopDelayP99: number; loopDelayMax: number }> {
  return withHub(place, async (hub) => {
    const run = async (until: number): Promise<number> => {
      let steps = 0;
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          while (performance.now() < until) {
            await (await hub.start(chain10)).result();
            steps += 10;
          }
        }),
      );
      return steps;
    };
    await run(performance.now() + 500);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const begun = performance.now();
    const steps = await run(begun + place.seconds * 1_000);
    const elapsed = (performance.now() - begun) / 1_000;
    delay.disable();
    return { stepsPerSecond: steps / elapsed, loopDelayP99: delay.percentile(99) / 1e6, loopDelayMax: delay.max / 1e6 };
  });
}

/** W2: one orchestration, N activities in parallel; milliseconds. */
export async function fanOutOf(place: Place, width: number): Promise<number> {
  return withHub(place, async (hub) => {
    await (await hub.start(fanOut, 100)).result();
    const begun = performance.now();
    const done = await (await hub.start(fanOut, width)).result();
    if (done !== width) throw new Error(`the fan-out of ${width} gave ${done}`);
    return performance.now() - begun;
  });
}

/** W3: one orchestration, N activities one after another; microseconds a step. */
export async function longChain(place: Place, steps: number): Promise<number> {
  return withHub(place, async (hub) => {
    await (await hub.start(chain, 200)).result();
    const begun = performance.now();
    await (await hub.start(chain, steps)).result();
    return ((performance.now() - begun) * 1_000) / steps;
  });
}

/** W4: start to result of one activity, one at a time; milliseconds. */
export async function latency(place: Place, times: number): Promise<{ p50: number; p99: number }> {
  return withHub(place, async (hub) => {
    for (let i = 0; i < 50; i++) await (await hub.start(one)).result();
    const taken: number[] = [];
    for (let i = 0; i < times; i++) {
      const begun = performance.now();
      await (await hub.start(one)).result();
      taken.push(performance.now() - begun);
    }
    taken.sort((a, b) => a - b);
    return { p50: taken[Math.floor(times * 0.5)]!, p99: taken[Math.floor(times * 0.99)]! };
  });
}

/** W6: durable starts per second, K at a time, no worker. */
export async function starts(place: Place, inFlight: number): Promise<number> {
  return withHub(
    place,
    async (hub) => {
      let count = 0;
      const begun = performance.now();
      const until = begun + place.seconds * 1_000;
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          while (performance.now() < until) {
            await hub.start(one);
            count++;
          }
        }),
      );
      return count / ((performance.now() - begun) / 1_000);
    },
    false,
  );
}
