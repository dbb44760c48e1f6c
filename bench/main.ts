// main: `npm run bench [-- sqlite | memory] [--quick]`: every figure as one JSON line, and a table for people on a terminal.
//
// Machines are shared and noisy: floor and engine alternate within one run, each in a process of its own, and the median of the rounds
// counts. A ratio (`.of_floor`, `.growth`) is made from the medians.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const quick = process.argv.includes("--quick");
const stores = wanted.length === 0 ? ["sqlite", "memory"] : wanted;
const unknown = stores.filter((store) => store !== "sqlite" && store !== "memory");
if (unknown.length > 0) {
  console.error(`There is no bench of ${unknown.join(", ")}; there are sqlite and memory.`);
  process.exit(2);
}
const rounds = quick ? 1 : 3;
const seconds = quick ? 1.5 : 4;

const WORKLOADS = [
  "floor.k1",
  "keyed.k1",
  "chain10.k1",
  "floor.k16",
  "keyed.k16",
  "chain10.k16",
  "floor.k200",
  "keyed.k200",
  "chain10.k200",
  "fanout.n1000",
  "fanout.n10000",
  "longchain.n1000",
  "longchain.n5000",
  "latency",
  "starts.k1",
  "starts.k64",
];

function unitOf(name: string): string {
  if (/of_floor|of_keyed|growth/.test(name)) return "ratio";
  if (name.includes("longchain")) return "us/step";
  if (/fanout|latency|loop_delay/.test(name)) return "ms";
  return name.includes("starts") ? "starts/s" : "steps/s";
}

const figures = new Map<string, number[]>();

async function measure(store: string, workload: string): Promise<void> {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, "one.ts"), store, workload, String(seconds)], {
    timeout: 300_000,
  });
  for (const [name, value] of Object.entries(JSON.parse(stdout) as Record<string, number>)) {
    const values = figures.get(name) ?? [];
    values.push(value);
    figures.set(name, values);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

const table: [string, string, string][] = [];

function print(name: string, value: number, runs: readonly number[], store: string): void {
  const unit = unitOf(name);
  const digits = unit === "ratio" ? 3 : value < 100 ? 2 : 0;
  const durability = store === "memory" ? "memory only" : "WAL, synchronous=FULL";
  const rounded = (each: number): number => Number(each.toFixed(digits));
  console.log(JSON.stringify({ bench: name, value: rounded(value), unit, durability, node: process.version, runs: runs.map(rounded) }));
  table.push([name, rounded(value).toLocaleString("en"), unit]);
}

for (const store of stores) {
  for (let round = 0; round < rounds; round++) {
    for (const workload of WORKLOADS) {
      if (store === "memory" && /^(floor|keyed)/.test(workload)) continue;
      await measure(store, workload);
    }
  }
  const of = (name: string): number | undefined => (figures.has(name) ? median(figures.get(name)!) : undefined);
  for (const [name, values] of figures) if (name.includes(store)) print(name, median(values), values, store);
  const ratio = (name: string, over: string, under: string): void => {
    const [a, b] = [of(over), of(under)];
    if (a !== undefined && b !== undefined) print(name, a / b, [], store);
  };
  for (const k of ["k1", "k16", "k200"]) {
    ratio(`${store}.chain10.${k}.of_floor`, `${store}.chain10.${k}`, `floor.${store}.chain10.${k}`);
    ratio(`${store}.chain10.${k}.of_keyed`, `${store}.chain10.${k}`, `floor.${store}.chain10.${k}.keyed`);
  }
  ratio(`${store}.fanout.growth`, `${store}.fanout.n10000`, `${store}.fanout.n1000`);
  ratio(`${store}.longchain.growth`, `${store}.longchain.n5000`, `${store}.longchain.n1000`);
}

if (process.stdout.isTTY) {
  const width = Math.max(...table.map(([name]) => name.length));
  for (const [name, value, unit] of table) console.log(`${name.padEnd(width)}  ${value.padStart(12)}  ${unit}`);
}
