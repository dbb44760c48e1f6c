// coldstart: how long a program waits until it can work: the packed package imported, a file opened, a worker ready.
import { execFile } from "node:child_process";
import { mkdir, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { pack } from "../scripts/pack.ts";
import { median, type Figures, type Place } from "./place.ts";

const run = promisify(execFile);
const TIMES = 9;

/** What a user's program does before its first work. Node's own start is not in the figure. */
const program = `
const begun = performance.now();
const { activity, openTaskHub, orchestrator } = await import("ostinato");
const hello = activity("hello", async (ctx, name) => "Hello " + name);
const greet = orchestrator("greet", async (ctx, name) => ctx.callActivity(hello, name));
const hub = await openTaskHub("sqlite:" + process.argv[2]);
const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello] });
console.log(performance.now() - begun);
await worker.stop();
await hub.close();
`;

/** Milliseconds from the first import to a worker that takes work: the median of a few processes, each with a new file. */
export async function coldStart(place: Place): Promise<Figures> {
  const tarball = await pack(join(import.meta.dirname, "../packages/ostinato"), place.folder);
  const modules = join(place.folder, "node_modules");
  await mkdir(modules, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", modules]);
  if (!(await readdir(modules)).includes("package")) throw new Error(`${tarball} has no folder "package"`);
  await rename(join(modules, "package"), join(modules, "ostinato"));
  const path = join(place.folder, "program.mjs");
  await writeFile(path, program);
  const taken: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const { stdout } = await run(process.execPath, [path, join(place.folder, `cold-${i}.db`)]);
    taken.push(Number(stdout));
  }
  return { coldstart: median(taken) };
}
