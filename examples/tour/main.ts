// The tour: durable patterns one after another, then a kill -9 in the middle of one.
//
//   npm start                        on this repository
//   npm start -- <folder> [--keep]   hashes that folder instead; --keep keeps the task hub's file
//
// This process is the parent. It starts a worker process (worker.ts), which alone holds the file, and speaks with it by IPC.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { once } from "node:events";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { openTaskHub } from "ostinato";
import type { HistoryEvent, OutputOf } from "ostinato";
import type { hashFolder, StepRun } from "./programs.ts";
import { count, entered, failure, line, loud, note, outcome, section, strong, word } from "./screen.ts";
import { startWorkerProcess } from "./worker-process.ts";
import type { WorkerProcess } from "./worker-process.ts";

const help = `npm start -- [folder] [--keep]
  folder   whose files are hashed and counted in parallel (this repository, without node_modules and .git)
  --keep   keeps the task hub's file, to look at`;

async function tour(folder: string, file: string, started: (worker: WorkerProcess) => void): Promise<void> {
  let said: (text: string) => void = note;
  const newWorker = async (): Promise<WorkerProcess> => {
    const worker = startWorkerProcess(file, { said: (text) => said(text) });
    started(worker);
    await worker.ready;
    return worker;
  };
  let worker = await newWorker();
  line(`Task hub ${strong(file)}`);
  line(`Parent ${process.pid}, worker ${worker.pid}`);

  section("Function chaining", "one activity after another, each result durable before the next begins");
  await worker.ask("sequence", "chain");
  outcome(JSON.stringify(await worker.ask("result", "chain")));

  section("Fan-out, fan-in", "every file of a folder in parallel, then one summary");
  note(folder);
  const begun = performance.now();
  await worker.ask("hashFolder", "files", folder);
  const files = (await worker.ask("result", "files")) as OutputOf<typeof hashFolder>;
  const took = performance.now() - begun;
  if (files.total > files.files + files.unreadable)
    note(`the first ${count(files.files + files.unreadable)} of ${count(files.total)} files`);
  if (files.unreadable > 0) note(`${count(files.unreadable)} could not be read`);
  outcome(
    `${count(files.files)} files, ${count(files.lines)} lines, ${count(files.bytes)} bytes in ${Math.round(took)} ms; ` +
      `sha-256 of all ${files.fingerprint.slice(0, 12)}`,
  );
  if (files.largest !== undefined) note(`the largest is ${files.largest.path} with ${count(files.largest.bytes)} bytes`);

  section("Human approval", "an external event against a timer of 24 hours");
  await worker.ask("purchaseOrder", "po-17", "laptop", 2000, 1);
  if (process.stdin.isTTY) {
    await until(worker, "po-17", (events) => events.some((event) => event.kind === "TimerCreated"), file);
    word(loud("Press Enter to approve ..."));
    process.stdin.resume();
    await once(process.stdin, "data");
    process.stdin.pause();
    entered();
  } else {
    note("nobody is at a terminal: the parent approves over IPC");
  }
  await worker.ask("approve", "po-17", process.env["USER"] ?? "Ada");
  outcome(String(await worker.ask("result", "po-17")));

  section("Custom business objects", "a Map goes in, a Money comes out: classes are rebuilt where a definition names them");
  outcome(
    await worker.ask("invoice", "invoice", [
      ["kettle", 2],
      ["teapot", 1],
    ]),
  );

  section("Versions side by side", "one worker serves instances that were started as 1.0.0 and as 2.0.0");
  for (const version of ["1.0.0", "2.0.0"]) {
    await worker.ask("migrating", `v${version}`, version);
    outcome(`${version}: ${String(await worker.ask("result", `v${version}`))}`);
  }

  section("kill -9", "the worker process dies in the middle of an orchestration, and a new one goes on");
  const steps = 8;
  const running = Promise.withResolvers<void>();
  said = (text) => {
    word(text.replace("step ", ""));
    if (text === "step 5") running.resolve();
  };
  await worker.ask("relay", "relay", steps, 150);
  await running.promise;
  await sleep(50);
  const killed = worker.pid;
  await worker.kill();
  word(loud("killed"));

  const before = completedSteps(await historyOf(file, "relay"));
  note(`the file says: steps ${before.join(", ")} are done; step ${before.length + 1} was running`);
  said = (text) => word(text.replace("step ", ""));
  worker = await newWorker();
  note(`worker ${worker.pid} has opened the file`);
  const runs = (await worker.ask("result", "relay")) as readonly StepRun[];
  await worker.stop();

  const history = await historyOf(file, "relay");
  const done = completedSteps(history);
  const inProcess = (pid: number): number[] => runs.flatMap((run, index) => (run.pid === pid ? [index + 1] : []));
  const again = runs.flatMap((run, index) => (run.delivery > 1 ? [index + 1] : []));
  outcome(`process ${killed} did steps ${inProcess(killed).join(" ")}, process ${worker.pid} steps ${inProcess(worker.pid).join(" ")}`);
  if (again.length > 0) note(`started a second time, because the first one never answered: step ${again.join(" ")}`);
  const ends = history.filter((event) => event.kind === "ExecutionCompleted").length;
  const eachOnce = new Set(done).size === steps && done.length === steps && ends === 1;
  if (!eachOnce) throw new Error(`The history has the steps ${done.join(" ")} and ${ends} ends: each should be there once.`);
  outcome(`in the history: ${steps} steps, each completed once, and one end`);
  line();
}

/** Reads the file beside the worker that holds it: readers change nothing and disturb nobody. */
async function historyOf(file: string, id: string): Promise<readonly HistoryEvent[]> {
  const hub = await openTaskHub(`sqlite:${file}`, { readOnly: true });
  try {
    return await hub.instance(id).history();
  } finally {
    await hub.close();
  }
}

async function until(
  worker: WorkerProcess,
  id: string,
  reached: (events: readonly HistoryEvent[]) => boolean,
  file: string,
): Promise<void> {
  while (!reached(await historyOf(file, id)))
    await Promise.race([sleep(50), worker.ended.then(() => Promise.reject(new Error("The worker ended.")))]);
}

/** The numbers of the steps that have completed: an activity's number is its place in the program. */
function completedSteps(events: readonly HistoryEvent[]): number[] {
  return events.flatMap((event) => (event.kind === "TaskCompleted" ? [event.taskScheduledId] : []));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});
if (values.help) {
  line(help);
} else {
  const folder = resolve(positionals[0] ?? join(import.meta.dirname, "../.."));
  const place = await mkdtemp(join(tmpdir(), "ostinato-tour-"));
  const workers: WorkerProcess[] = [];
  try {
    if (!(await stat(folder).catch(() => undefined))?.isDirectory()) throw new Error(`There is no folder ${folder}.`);
    await tour(folder, join(place, "tour.db"), (worker) => workers.push(worker));
    if (values.keep) line(`Kept: ${join(place, "tour.db")}`);
  } catch (error) {
    failure(`The tour stopped: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  } finally {
    for (const worker of workers) await worker.kill(); // those that have ended already are
    if (!values.keep) await rm(place, { recursive: true, force: true });
  }
}
