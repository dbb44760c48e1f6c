// main: `npm run bench [-- sqlite | memory | postgres | wire | entity | replay | coldstart | soak] [--quick] [--markdown] [--write] [--minutes N] [--peers]`
//
// Every figure is one JSON line; on a terminal, or with --markdown, a table follows; --write puts it into docs/performance.md. Machines are shared and noisy: floor and engine alternate
// within one run, each workload in a process of its own, and the median of the rounds counts. A ratio (`.of_floor`, `.growth`) is made from the medians.
// With --peers engines of other people are measured over the same PostgreSQL server, each beside ours.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { isPeer, PEER_WORKLOADS } from "./peers/peers.ts";
import { median } from "./place.ts";
import { serverForBench } from "./postgres-server.ts";
import { markdownTable, terminalTable, withResults, type Figure } from "./tables.ts";

const run = promisify(execFile);
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean" },
    markdown: { type: "boolean" },
    write: { type: "boolean" },
    minutes: { type: "string" },
    peers: { type: "boolean" },
  },
});
const quick = options.quick ?? false;
const minutes = Number(options.minutes ?? (quick ? 0.5 : 10));
const rounds = quick ? 1 : 3;
const seconds = quick ? 1.5 : 4;

const LATENCIES = quick ? "latency.n200" : "latency.n500";
const PARKED = quick ? "parked.n2000" : "parked.n10000";
const ENGINE = ["fanout.n1000", "fanout.n10000", "longchain.n1000", "longchain.n5000", LATENCIES, "starts.k1", "starts.k64", PARKED];
const CHAINS = ["k1", "k16", "k200"];
const WIRE = ["fanout.n1000", "fanout.n10000", "longchain.n1000", "longchain.n5000", LATENCIES, "starts.k1", "starts.k64"];
/** Servers of others, met by our worker and client; once, since they take minutes. The Python server has ten threads, and a wait takes one. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  go_sidecar: ["chain10.k1", "chain10.k16", "chain10.k200", "starts.k1", "starts.k64"],
  python_memory: ["chain10.k1", "longchain.n1000", "latency.n200", "starts.k1"],
};

type Measured = readonly [store: string, workload: string];

/** Each workload of ours, followed by the same of every peer that can run it. */
function besidePeers(workloads: readonly string[]): readonly Measured[] {
  const peers = options.peers ? Object.entries(PEER_WORKLOADS) : [];
  return workloads.flatMap((each) => {
    const isSame = (theirs: string): boolean => theirs === each || (theirs.startsWith("latency") && each.startsWith("latency"));
    const same = peers.flatMap(([peer, all]) => all.filter(isSame).map((one): Measured => [peer, one]));
    return [["postgres", each], ...same];
  });
}

/** What is measured under which name: each workload with its store. */
const SUITES: Readonly<Record<string, readonly Measured[]>> = {
  sqlite: [...CHAINS.flatMap((k) => [`floor.${k}`, `keyed.${k}`, `chain10.${k}`]), "slow_disk", ...ENGINE].map((each) => ["sqlite", each]),
  postgres: besidePeers([
    ...CHAINS.flatMap((k) => [`floor.${k}`, `keyed.${k}`, `chain10.${k}`]),
    ...ENGINE,
    ...CHAINS.map((k) => `counted.${k}`),
    ...["chain10_processes", "fanout_processes"].flatMap((kind) => ["p1", "p2", "p4"].map((p) => `${kind}.${p}`)),
  ]),
  memory: [...CHAINS.map((k) => `chain10.${k}`), ...ENGINE].map((each) => ["memory", each]),
  wire: [
    ...[...CHAINS.map((k) => `chain10.${k}`), ...WIRE].map((each) => ["wire", each] as const),
    ...Object.entries(OTHERS).flatMap(([peer, workloads]) => workloads.map((each) => [peer, each] as const)),
  ],
  entity: ["sqlite", "memory"].flatMap((store) =>
    ["signals.n1", "signals.n1000", "calls", "transfer"].map((each) => [store, each] as const),
  ),
  replay: [
    ["sqlite", "replay.async"],
    ["sqlite", "replay.generator"],
  ],
  coldstart: [["sqlite", "coldstart"]],
  soak: [["sqlite", `soak.s${minutes * 60}`]],
};
/** The soak takes ten minutes, so it is measured when it is asked for. */
const wanted = positionals.length > 0 ? positionals : Object.keys(SUITES).filter((name) => name !== "soak");
const unknown = wanted.filter((name) => SUITES[name] === undefined);
if (unknown.length > 0 || !(minutes > 0)) {
  console.error(`There is no bench of ${unknown.join(", ") || `${options.minutes} minutes`}; there are ${Object.keys(SUITES).join(", ")}.`);
  process.exit(2);
}

/** The values of each figure, one for each round. */
const measured = new Map<string, number[]>();
const figures: Figure[] = [];

/** Servers and engines of others take their time: their throughput over PostgreSQL is measured in each round, as ours, the rest once. */
function isMetOnce(store: string, workload: string): boolean {
  return OTHERS[store] !== undefined || (isPeer(store) && !workload.startsWith("chain10"));
}

async function measure(store: string, workload: string): Promise<void> {
  const { stdout } = await run(process.execPath, ["--expose-gc", join(import.meta.dirname, "one.ts"), store, workload, String(seconds)], {
    timeout: 300_000 + minutes * 60_000,
  });
  for (const [name, value] of Object.entries(JSON.parse(stdout) as Record<string, number>)) {
    const values = measured.get(name);
    if (values === undefined) measured.set(name, [value]);
    else values.push(value);
  }
}

function unitOf(name: string): string {
  if (name.endsWith("_share")) return "%";
  if (/of_floor|of_keyed|(fanout|longchain)\.growth/.test(name)) return "ratio";
  if (name.includes("memory.growth")) return "MiB/min";
  if (name.includes("memory.heap")) return "MiB";
  if (name.endsWith("memory.steps")) return "steps";
  if (name.endsWith("statements_per_step")) return "statements/step";
  if (name.endsWith("rows_per_step")) return "rows/step";
  if (name.endsWith("bytes_per_step")) return "bytes/step";
  if (/\.(server_)?cpu$/.test(name)) return "us/step";
  if (name.includes("entity.")) return "1/s";
  if (name.includes("longchain")) return "us/step";
  if (/fanout|latency|loop_delay|wake|coldstart/.test(name)) return "ms";
  if (name.endsWith(".bytes")) return "bytes";
  if (name.endsWith(".idle")) return "1/s";
  if (name.endsWith(".idle_cpu")) return "%";
  if (name.startsWith("replay")) return "events/s";
  return name.includes("starts") ? "starts/s" : "steps/s";
}

function print(name: string, value: number, runs: readonly number[]): void {
  const unit = unitOf(name);
  const digits = unit === "ratio" || unit === "MiB/min" || value < 1 ? 3 : value < 100 ? 2 : 0;
  const durability = durabilityOf(name);
  const rounded = (each: number): number => Number(each.toFixed(digits));
  const figure = { bench: name, value: rounded(value), unit, durability, node: process.version, runs: runs.map(rounded) };
  console.log(JSON.stringify(figure));
  figures.push(figure);
}

function durabilityOf(name: string): string {
  if (name.startsWith("memory.") || name.startsWith("python_memory.")) return "memory only";
  if (/^(floor\.)?postgres\./.test(name) || isPeer(name.split(".")[0]!)) return "synchronous_commit=on";
  return name.startsWith("go_sidecar.") ? "as the sidecar opens its file" : "WAL, synchronous=FULL";
}

function printRatio(name: string, over: string, under: string): void {
  const [a, b] = [measured.get(over), measured.get(under)];
  if (a !== undefined && b !== undefined) print(name, median(a) / median(b), []);
}

const server = wanted.includes("postgres") ? await serverForBench() : undefined;
if (typeof server === "string") console.error(`PostgreSQL is not measured: ${server}.`);

async function suite(name: string): Promise<void> {
  const isLong = name === "soak";
  for (let round = 0; round < (isLong ? 1 : rounds); round++) {
    for (const [store, workload] of SUITES[name]!) if (round === 0 || !isMetOnce(store, workload)) await measure(store, workload);
  }
  for (const [figure, values] of measured) if (!figures.some(({ bench }) => bench === figure)) print(figure, median(values), values);
  for (const k of CHAINS) {
    printRatio(`${name}.chain10.${k}.of_floor`, `${name}.chain10.${k}`, `floor.${name}.chain10.${k}`);
    printRatio(`${name}.chain10.${k}.of_keyed`, `${name}.chain10.${k}`, `floor.${name}.chain10.${k}.keyed`);
  }
  printRatio(`${name}.fanout.growth`, `${name}.fanout.n10000`, `${name}.fanout.n1000`);
  printRatio(`${name}.longchain.growth`, `${name}.longchain.n5000`, `${name}.longchain.n1000`);
}

try {
  for (const name of wanted) if (name !== "postgres" || typeof server === "object") await suite(name);
} finally {
  if (typeof server === "object") await server.stop();
}

if (options.write) {
  const page = join(import.meta.dirname, "../docs/performance.md");
  writeFileSync(page, withResults(readFileSync(page, "utf8"), figures));
}
if (options.markdown) console.log(markdownTable(figures));
else if (process.stdout.isTTY) console.log(terminalTable(figures));
