// kill-storm: kills the tour's worker process at random moments under a mixed load, then counts in the file what became of it all.
//
//   npm run tour:kills -- --rounds 100 [--seed 42] [--keep]
//
// What is asked of a worker that dies before it answers is asked again of the next one: a start that was accepted all the same is refused
// the second time, because its id is taken. The load and the moments come from the seed; how far a process got by then does not.
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { openTaskHub } from "ostinato";
import type { HistoryEvent, OrchestrationStatus } from "ostinato";
import { kindNames, load } from "./mixed-load.ts";
import type { KindName } from "./mixed-load.ts";
import { count, failure, line, outcome, word } from "./screen.ts";
import { startWorkerProcess, WorkerGone, WorkerRefused } from "./worker-process.ts";
import type { WorkerProcess } from "./worker-process.ts";

const STARTS_PER_ROUND = 12;

interface Planned {
  readonly id: string;
  readonly kind: KindName;
  readonly n: number;
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What is still to be asked of whoever lives. */
class Desk {
  readonly planned: Planned[] = [];
  #toStart: Planned[] = [];
  #toRaise: Planned[] = [];
  /** Refused because the start had been accepted before its worker died. */
  startedBefore = 0;

  plan(each: Planned): void {
    this.planned.push(each);
    this.#toStart.push(each);
  }

  /** Asks for everything that nobody has confirmed yet, beside one another. */
  async ask(worker: WorkerProcess): Promise<void> {
    await Promise.all([
      ...this.#toStart.map(async (each) => {
        await worker.ask("load", each.kind, each.id, each.n).catch((error: unknown) => {
          if (!(error instanceof WorkerRefused && error.code === "INSTANCE_EXISTS")) throw error;
          this.startedBefore++;
        });
        this.#toStart = this.#toStart.filter((other) => other !== each);
        if ("raise" in load[each.kind]) this.#toRaise.push(each);
      }),
      ...this.#toRaise.map(async (each) => {
        await worker.ask("raise", each.kind, each.id, each.n);
        this.#toRaise = this.#toRaise.filter((other) => other !== each);
      }),
    ]);
  }

  get done(): boolean {
    return this.#toStart.length + this.#toRaise.length === 0;
  }
}

async function storm(place: string, rounds: number, seed: number): Promise<boolean> {
  const file = join(place, "storm.db");
  const runsFile = join(place, "runs.txt");
  const random = randomFrom(seed);
  const desk = new Desk();
  let killedWhileStarting = 0;
  let startMs = 500; // how long a worker takes to start here, as the last one showed

  for (let round = 1; round <= rounds; round++) {
    for (let i = 0; i < STARTS_PER_ROUND; i++) {
      const kind = kindNames[Math.floor(random() * kindNames.length)] ?? "chain";
      desk.plan({ id: `${kind}-${round}-${i}`, kind, n: 1 + Math.floor(random() * 8) });
    }
    // Every fourth process may die while it still opens the file and takes up what its predecessor left; half of the others while the
    // starts come in.
    const early = random() < 0.25;
    const moment = random() * (early ? startMs * 1.2 : random() < 0.5 ? 40 : 250);
    const begun = performance.now();
    const worker = newWorker(file, runsFile);
    let ready = false;
    const life = worker.ready.then(() => {
      ready = true;
      startMs = performance.now() - begun;
      return desk.ask(worker);
    });
    life.catch(() => undefined); // told below, unless it is the kill
    if (!early) await worker.ready;
    await Promise.race([sleep(moment), worker.ended.then(() => Promise.reject(new Error("The worker ended before it was killed.")))]);
    if (!ready) killedWhileStarting++;
    await worker.kill();
    await life.catch((error: unknown) => {
      if (!(error instanceof WorkerGone)) throw error;
    });
    if (round % 10 === 0 || round === rounds) word(String(round));
  }

  // The last worker is left alone until everything has ended.
  const worker = newWorker(file, runsFile);
  await worker.ready;
  while (!desk.done) await desk.ask(worker);
  const begun = performance.now();
  const late = sleep(60_000, "late" as const, { ref: false });
  const results = new Map<string, unknown>();
  const rest = Promise.all(desk.planned.map(async ({ id }) => results.set(id, await worker.ask("result", id))));
  if ((await Promise.race([rest, late])) === "late")
    failure(`${desk.planned.length - results.size} have not ended 60 s after the last kill`);
  const settled = performance.now() - begun;
  await worker.stop();

  line();
  outcome(`seed ${seed}: ${count(rounds)} worker processes killed, ${count(killedWhileStarting)} of them while starting`);
  outcome(`everything had ended ${count(Math.round(settled))} ms after the last kill`);
  return await countInFile(file, runsFile, desk, results);
}

/** Reads the file after the last worker has ended. Nobody is asked but the file. */
async function countInFile(file: string, runsFile: string, desk: Desk, results: ReadonlyMap<string, unknown>): Promise<boolean> {
  const wrong: string[] = [];
  const tally = { instances: 0, children: 0, calls: 0, completions: 0, timers: 0 };
  const hub = await openTaskHub(`sqlite:${file}`, { readOnly: true });
  const expected = new Map(desk.planned.map((each) => [each.id, load[each.kind].expected(each.n)]));
  for await (const status of hub.query()) {
    tally.instances++;
    const history = await hub.instance(status.id).history();
    wrong.push(...wrongsOf(status, history).map((what) => `${status.id}: ${what}`));
    tally.calls += history.filter((event) => event.kind === "TaskScheduled").length;
    tally.completions += history.filter((event) => event.kind === "TaskCompleted" || event.kind === "TaskFailed").length;
    tally.timers += history.filter((event) => event.kind === "TimerFired").length;
    if (status.parentInstanceId !== undefined) tally.children++;
    else if (!expected.has(status.id)) wrong.push(`${status.id}: nobody started it`);
    else if (status.output !== expected.get(status.id) || results.get(status.id) !== expected.get(status.id)) {
      wrong.push(`${status.id}: the result is ${JSON.stringify(status.output)} and should be ${JSON.stringify(expected.get(status.id))}`);
    }
    expected.delete(status.id);
  }
  await hub.close();
  for (const id of expected.keys()) wrong.push(`${id}: it was started and is not there`);

  const runs = (await readFile(runsFile, "utf8")).trim().split("\n");
  const again = runs.length - new Set(runs).size;
  const megabytes = ((await stat(file)).size / 1_048_576).toFixed(1);
  outcome(
    `${count(tally.instances)} instances (${count(tally.children)} of them children); ${count(desk.startedBefore)} starts were accepted by a process that died before it said so`,
  );
  outcome(
    `${count(tally.calls)} activity calls in the histories, ${count(tally.completions)} completions, ${count(tally.timers)} timers fired`,
  );
  outcome(
    `activity bodies ran ${count(runs.length)} times in all, ${count(again)} of these a second time or more: at least once, as promised`,
  );
  outcome(`the file has ${megabytes} MiB, and was read after the last worker had ended`);
  if (wrong.length === 0) outcome("every instance completed exactly once, with the right result");
  for (const what of wrong.slice(0, 20)) failure(what);
  if (wrong.length > 20) failure(`and ${wrong.length - 20} more`);
  return wrong.length === 0;
}

/** What is wrong with the history of an instance that should have completed exactly once. */
function wrongsOf(status: OrchestrationStatus, history: readonly HistoryEvent[]): string[] {
  const wrong: string[] = [];
  if (status.status !== "COMPLETED")
    wrong.push(`it is ${status.status}${status.failure === undefined ? "" : `: ${status.failure.message}`}`);
  const ends = history.filter((event) => event.kind === "ExecutionCompleted").length;
  if (ends !== 1 || history.at(-1)?.kind !== "ExecutionCompleted") wrong.push(`${ends} ends in its history`);
  const starts = history.filter((event) => event.kind === "ExecutionStarted").length;
  if (starts !== 1) wrong.push(`${starts} starts in its history`);

  const asked = new Map<string, number>();
  const answered = new Map<string, number>();
  const add = (to: Map<string, number>, key: string): void => void to.set(key, (to.get(key) ?? 0) + 1);
  for (const event of history) {
    if (event.kind === "TaskScheduled" || event.kind === "SubOrchestrationInstanceCreated") add(asked, `task ${event.eventId}`);
    if (event.kind === "TimerCreated") add(asked, `timer ${event.eventId}`);
    if (event.kind === "TaskCompleted" || event.kind === "TaskFailed") add(answered, `task ${event.taskScheduledId}`);
    if (event.kind === "SubOrchestrationInstanceCompleted" || event.kind === "SubOrchestrationInstanceFailed")
      add(answered, `task ${event.taskScheduledId}`);
    if (event.kind === "TimerFired") add(answered, `timer ${event.timerId}`);
  }
  for (const [key, times] of asked) {
    if (times !== 1) wrong.push(`${key} was asked for ${times} times`);
    if (key.startsWith("task") && answered.get(key) !== 1) wrong.push(`${key} was answered ${answered.get(key) ?? 0} times`);
  }
  for (const [key, times] of answered) {
    if (!asked.has(key)) wrong.push(`${key} was answered and never asked for`);
    if (times !== 1) wrong.push(`${key} was answered ${times} times`);
  }
  return wrong;
}

const workers: WorkerProcess[] = [];
function newWorker(file: string, runsFile: string): WorkerProcess {
  const worker = startWorkerProcess(file, { runsFile });
  workers.push(worker);
  return worker;
}

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "100" }, seed: { type: "string" }, keep: { type: "boolean" } },
});
const rounds = Number(values.rounds);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
if (!Number.isSafeInteger(rounds) || rounds < 1 || !Number.isSafeInteger(seed)) {
  failure("--rounds is a whole number from 1, --seed a whole number");
  process.exitCode = 2;
} else {
  const place = await mkdtemp(join(tmpdir(), "ostinato-storm-"));
  let well = false;
  try {
    line(`Killing ${rounds} worker processes, seed ${seed}, in ${place}`);
    well = await storm(place, rounds, seed);
  } catch (error) {
    failure(`The storm stopped (seed ${seed}): ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!well) process.exitCode = 1;
  for (const worker of workers) await worker.kill(); // those that have ended already are
  if (well && !values.keep) await rm(place, { recursive: true, force: true });
  else line(`Kept: ${place}`);
}
