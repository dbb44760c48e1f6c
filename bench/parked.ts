// parked: W5: many instances that wait for an event. What they cost while they wait, and how soon all are awake.
import { StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hub, OrchestrationHandle } from "ostinato";
import { collectGarbage, databaseOf, waits, withHub, type Figures, type Place } from "./place.ts";
import { countingDoor } from "./statement-count.ts";

/** A program that waits is forgotten after this. */
const WARM_IDLE_MS = 500;
const warm = { idle: { milliseconds: WARM_IDLE_MS } };
/** How long idling is watched: over a server, several renewals. */
const idleMs = ({ store }: Place): number => (store === "postgres" ? 30_000 : 3_000);
/** At most so many instances are started or told at once. */
const AT_ONCE = 500;

/** W5: bytes in the process for each parked instance, what idling costs, and milliseconds to wake and finish all. */
export async function parked(place: Place, count: number): Promise<Figures> {
  const name = `${place.store}.parked10k`;
  if (place.store === "memory") {
    return withHub(
      place,
      async (hub) => {
        const { bytes, cpu } = await park(hub, count, idleMs(place), () => 0);
        return { [`${name}.bytes`]: bytes, [`${name}.idle_cpu`]: cpu, [`${name}.wake`]: await wakeAll(hub, count) };
      },
      { warm },
    );
  }
  // Woken by another process's life, as after a deployment.
  const { bytes, cpu, statements } = place.store === "postgres" ? await parkOnServer(place, count) : await parkInFile(place, count);
  const wake = await withHub(place, (hub) => wakeAll(hub, count), { warm });
  return { [`${name}.bytes`]: bytes, [`${name}.idle`]: statements, [`${name}.idle_cpu`]: cpu, [`${name}.wake`]: wake };
}

interface Parked {
  readonly bytes: number;
  readonly cpu: number;
  readonly statements: number;
}

/** Parked with the connection in this thread, where statements can be counted. */
async function parkInFile(place: Place, count: number): Promise<Parked> {
  let statements = 0;
  const uncount = countStatements(() => statements++);
  try {
    return await withHub(place, (hub) => park(hub, count, idleMs(place), () => statements), { warm, sqliteBody: "inline" });
  } finally {
    uncount();
  }
}

/** Parked behind a door that counts what passes: of all connections, the listener's and the renewer's too. */
async function parkOnServer(place: Place, count: number): Promise<Parked> {
  const door = await countingDoor(databaseOf(place));
  try {
    return await withHub({ ...place, database: door.url }, (hub) => park(hub, count, idleMs(place), () => door.statements()), { warm });
  } finally {
    await door.close();
  }
}

async function park(hub: Hub, count: number, idle: number, statements: () => number): Promise<Parked> {
  await (await hub.start(waits)).terminate();
  await quiet(hub);
  const before = memory();
  await eachOf(count, async (i) => void (await (await hub.start(waits, undefined, { instanceId: `parked-${i}` })).waitForStart()));
  await quiet(hub);
  const bytes = (memory() - before) / count;

  const ran = statements();
  const used = process.cpuUsage();
  const begun = performance.now();
  await sleep(idle);
  const { user, system } = process.cpuUsage(used);
  const elapsed = performance.now() - begun;
  return { bytes, cpu: (user + system) / 10 / elapsed, statements: (statements() - ran) / (elapsed / 1_000) };
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
