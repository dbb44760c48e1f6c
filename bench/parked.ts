// parked: W5: many instances that wait for an event. What they cost while they wait, and how soon all are awake.
import { StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hub, OrchestrationHandle } from "ostinato";
import { collectGarbage, waits, withHub, type Figures, type Place } from "./place.ts";

/** A program that waits is forgotten after this. */
const WARM_IDLE_MS = 500;
const IDLE_MS = 3_000;
/** At most so many instances are started or told at once. */
const AT_ONCE = 500;

/** W5: bytes in the process for each parked instance, what idling costs, and milliseconds to wake and finish all. */
export async function parked(place: Place, count: number): Promise<Figures> {
  const name = `${place.store}.parked10k`;
  const warm = { idle: { milliseconds: WARM_IDLE_MS } };
  if (place.store === "memory") {
    return withHub(
      place,
      async (hub) => {
        const { bytes, cpu } = await park(hub, count);
        return { [`${name}.bytes`]: bytes, [`${name}.idle_cpu`]: cpu, [`${name}.wake`]: await wakeAll(hub, count) };
      },
      { warm },
    );
  }
  // Parked with the connection in this thread, where statements can be counted; woken by another process's life, as after a deployment.
  const { bytes, cpu, statements } = await withHub(place, (hub) => park(hub, count), { warm, sqliteBody: "inline" });
  const wake = await withHub(place, (hub) => wakeAll(hub, count), { warm });
  return { [`${name}.bytes`]: bytes, [`${name}.idle`]: statements, [`${name}.idle_cpu`]: cpu, [`${name}.wake`]: wake };
}

async function park(hub: Hub, count: number): Promise<{ bytes: number; cpu: number; statements: number }> {
  await (await hub.start(waits)).terminate();
  await quiet(hub);
  const before = memory();
  await eachOf(count, async (i) => void (await (await hub.start(waits, undefined, { instanceId: `parked-${i}` })).waitForStart()));
  await quiet(hub);
  const bytes = (memory() - before) / count;

  let statements = 0;
  const uncount = countStatements(() => statements++);
  const used = process.cpuUsage();
  const begun = performance.now();
  await sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(used);
  const elapsed = performance.now() - begun;
  uncount();
  return { bytes, cpu: (user + system) / 10 / elapsed, statements: statements / (elapsed / 1_000) };
}

/** Waits until every warm program has been forgotten. */
async function quiet(hub: Hub): Promise<void> {
  for (let before = -1, now = 0; before !== now; now = hub.counters()["programsForgotten"] ?? 0) {
    before = now;
    await sleep(WARM_IDLE_MS * 3);
  }
}

async function wakeAll(hub: Hub, count: number): Promise<number> {
  const begun = performance.now();
  const results: Promise<unknown>[] = [];
  await eachOf(count, async (i) => {
    const instance: OrchestrationHandle = hub.instance(`parked-${i}`);
    await instance.raiseEvent("go", "now");
    results.push(instance.result());
  });
  await Promise.all(results);
  return performance.now() - begun;
}

async function eachOf(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

function memory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Calls back for each statement that this thread runs, until the returned function is called. */
function countStatements(onRun: () => void): () => void {
  const prototype = StatementSync.prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
  const kept = (["run", "get", "all", "iterate"] as const).map((name) => [name, prototype[name]!] as const);
  for (const [name, original] of kept) {
    prototype[name] = function (this: unknown, ...given: unknown[]): unknown {
      onRun();
      return original.apply(this, given);
    };
  }
  return () => {
    for (const [name, original] of kept) prototype[name] = original;
  };
}
