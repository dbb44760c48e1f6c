// chains: W1, and what it does to the process that runs it: how long the event loop is held, how memory grows.
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Hub } from "ostinato";
import { openSqliteStore } from "ostinato/sqlite";
import { defaultConverter } from "../packages/ostinato/src/authoring/payload.ts";
import { createHub } from "../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../packages/ostinato/src/hub/open-task-hub.ts";
import { createLocalBackend } from "../packages/ostinato/src/local/local-backend.ts";
import { holdProcess, systemClock } from "../packages/ostinato/src/platform/clock.ts";
import { createLogger } from "../packages/ostinato/src/platform/logger.ts";
import { systemRandom } from "../packages/ostinato/src/platform/random.ts";
import { processorCount } from "../packages/ostinato/src/platform/surroundings.ts";
import { chain10, collectGarbage, withHub, withOpened, type Figures, type Place } from "./place.ts";

/** Keeps K orchestrations of ten steps in flight until a moment; how many steps were made. */
export async function runChainsUntil(hub: Hub, inFlight: number, until: number): Promise<number> {
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
}

async function measured(hub: Hub, inFlight: number, seconds: number): Promise<{ rate: number; p99: number; max: number; cpu: number }> {
  // A program that has run for a while: compiling all this takes more than a second of processor time.
  await runChainsUntil(hub, inFlight, performance.now() + (seconds * 1_000) / 2);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begun = performance.now();
  const used = process.cpuUsage();
  const steps = await runChainsUntil(hub, inFlight, begun + seconds * 1_000);
  const { user, system } = process.cpuUsage(used);
  const elapsed = (performance.now() - begun) / 1_000;
  delay.disable();
  return { rate: steps / elapsed, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6, cpu: (user + system) / steps };
}

/** W1: orchestrations of ten sequential activities, K in flight: steps/s, processor time a step, and at 200 how long the event loop was held. */
export async function chainsInFlight(place: Place, inFlight: number): Promise<Figures> {
  const { rate, p99, max, cpu } = await withHub(place, (hub) => measured(hub, inFlight, place.seconds));
  const name = `${place.store}.chain10.k${inFlight}`;
  const figures = { [name]: rate, [`${name}.cpu`]: cpu };
  return inFlight === 200 ? { ...figures, [`${place.store}.loop_delay.p99`]: p99, [`${place.store}.loop_delay.max`]: max } : figures;
}

/** W1 with 200 in flight over a disk whose every fsync takes 10 ms. */
export async function chainsOnSlowDisk(place: Place): Promise<Figures> {
  const store = openSqliteStore({ path: join(place.folder, "bench.db"), commitDelayMs: 10 });
  const common = { clock: systemClock, random: systemRandom, log: createLogger() };
  const backend = await createLocalBackend({ store, ...common });
  const parts = { backend, converter: defaultConverter, limits: limitsOf(), processors: processorCount(), hold: holdProcess };
  const hub = createHub({ ...common, ...parts });
  const { rate, p99, max } = await withOpened(hub, () => measured(hub, 200, place.seconds), { worker: true, warm: {} });
  return {
    [`${place.store}.slow_disk.chain10.k200`]: rate,
    [`${place.store}.slow_disk.loop_delay.p99`]: p99,
    [`${place.store}.slow_disk.loop_delay.max`]: max,
  };
}

/** Minutes of W1 with 200 in flight: by how much heap and resident memory grow, on a line through all readings. The first tenth is warming up. */
export async function memoryGrowth(place: Place, minutes: number): Promise<Figures> {
  return withHub(place, async (hub) => {
    const begun = performance.now();
    const until = begun + minutes * 60_000;
    const readings: { minute: number; heap: number; resident: number }[] = [];
    const everyMs = Math.max(1_000, (minutes * 60_000) / 200);
    const timer = setInterval(() => {
      const minute = (performance.now() - begun) / 60_000;
      if (minute < minutes / 10) return;
      collectGarbage();
      const { heapUsed, rss } = process.memoryUsage();
      readings.push({ minute, heap: heapUsed / 1_048_576, resident: rss / 1_048_576 });
    }, everyMs);
    const steps = await runChainsUntil(hub, 200, until);
    clearInterval(timer);
    return {
      [`${place.store}.memory.growth.heap`]: slope(readings.map(({ minute, heap }) => [minute, heap])),
      [`${place.store}.memory.growth.rss`]: slope(readings.map(({ minute, resident }) => [minute, resident])),
      [`${place.store}.memory.heap`]: readings.at(-1)?.heap ?? 0,
      [`${place.store}.memory.steps`]: steps,
    };
  });
}

/** The slope of the line through these points, by least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return covariance / variance;
}
