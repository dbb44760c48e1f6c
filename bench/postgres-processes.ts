// postgres-processes: W1 and W2 with one, two and four worker processes on one task hub. This process starts and waits; it runs nothing itself.
import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { runChainsUntil } from "./chains.ts";
import { databaseOf, fanOut, withHub, type Figures, type Place } from "./place.ts";
import type { Hub } from "ostinato";

const IN_FLIGHT = 200;

/** W1, 200 in flight: steps/s, and of one step how much processor time the worker processes took together, in microseconds. */
export async function chainsOfProcesses(place: Place, count: number): Promise<Figures> {
  return withWorkers(place, count, async (hub, shares) => {
    await runChainsUntil(hub, IN_FLIGHT, performance.now() + place.seconds * 500);
    await shares();
    const begun = performance.now();
    const steps = await runChainsUntil(hub, IN_FLIGHT, begun + place.seconds * 1_000);
    const rate = (steps * 1_000) / (performance.now() - begun);
    const name = `${place.store}.chain10.k${IN_FLIGHT}.p${count}`;
    return { [name]: rate, [`${name}.least_share`]: leastShare(await shares()) };
  });
}

/** W2, 10,000 activities: milliseconds, and how much of its even share the process did that did least, in percent. */
export async function fanOutOfProcesses(place: Place, count: number): Promise<Figures> {
  return withWorkers(place, count, async (hub, shares) => {
    for (let i = 0; i < 5; i++) await (await hub.start(fanOut, 1_000)).result();
    await shares();
    const begun = performance.now();
    await (await hub.start(fanOut, 10_000)).result();
    const name = `${place.store}.fanout.n10000.p${count}`;
    return { [name]: performance.now() - begun, [`${name}.least_share`]: leastShare(await shares()) };
  });
}

function leastShare(done: readonly number[]): number {
  const sum = done.reduce((a, b) => a + b, 0);
  return (100 * done.length * Math.min(...done)) / sum;
}

/** `shares` says how many activities each process has done since it was asked last. */
async function withWorkers(
  place: Place,
  count: number,
  work: (hub: Hub, shares: () => Promise<readonly number[]>) => Promise<Figures>,
): Promise<Figures> {
  // The tables are there before several come at once.
  return withHub(
    place,
    async (hub) => {
      const workers = await Promise.all(Array.from({ length: count }, () => startWorkerProcess(databaseOf(place))));
      try {
        return await work(hub, () => Promise.all(workers.map((each) => answerOf(each, "done?"))));
      } finally {
        await Promise.all(workers.map(stopped));
      }
    },
    { worker: false },
  );
}

async function startWorkerProcess(database: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "postgres-worker.ts"), [database]);
  await answerOf(child);
  return child;
}

async function answerOf(child: ChildProcess, question?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`A worker process ended with ${code ?? "a signal"}.`));
    child.once("exit", onExit);
    child.once("message", (answer) => {
      child.off("exit", onExit);
      resolve(Number(answer));
    });
    if (question !== undefined) child.send(question);
  });
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.disconnect();
  const kill = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await gone;
  clearTimeout(kill);
}
