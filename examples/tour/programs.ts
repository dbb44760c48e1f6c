// programs: what the tour adds to the programs of the other examples.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { activity, orchestrator } from "ostinato";

// ---- fan-out on real input: hash and count every file of a folder

export interface FileFacts {
  readonly path: string;
  readonly bytes: number;
  readonly lines: number;
  /** Absent when the file could not be read. */
  readonly sha256?: string;
}

const MOST_FILES = 10_000;
const skipped = new Set(["node_modules", ".git"]);

export const listFiles = activity("listFiles", async (ctx, folder: string) => {
  const files: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue;
      if (entry.isDirectory()) await walk(join(path, entry.name)).catch(() => undefined);
      else if (entry.isFile()) files.push(relative(folder, join(path, entry.name)));
    }
  };
  await walk(folder);
  return { total: files.length, files: files.sort().slice(0, MOST_FILES) };
});

export const hashFile = activity("hashFile", async (ctx, file: { folder: string; path: string }): Promise<FileFacts> => {
  const hash = createHash("sha256");
  let bytes = 0;
  let lines = 0;
  try {
    for await (const chunk of createReadStream(join(file.folder, file.path), { signal: ctx.signal }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    }
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    return { path: file.path, bytes, lines };
  }
  return { path: file.path, bytes, lines, sha256: hash.digest("hex") };
});

export const hashFolder = orchestrator("hashFolder", async (ctx, folder: string) => {
  const { total, files } = await ctx.callActivity(listFiles, folder);
  const facts = await ctx.whenAll(files.map((path) => ctx.callActivity(hashFile, { folder, path })));
  const read = facts.filter((file) => file.sha256 !== undefined);
  return {
    total,
    files: read.length,
    unreadable: facts.length - read.length,
    bytes: read.reduce((sum, file) => sum + file.bytes, 0),
    lines: read.reduce((sum, file) => sum + file.lines, 0),
    largest: read.reduce<FileFacts | undefined>((most, file) => (most === undefined || file.bytes > most.bytes ? file : most), undefined),
    fingerprint: createHash("sha256")
      .update(read.map((file) => `${file.sha256} ${file.path}\n`).join(""))
      .digest("hex"),
  };
});

// ---- custom business objects: their classes are rebuilt where a definition names them

export class Money {
  readonly cents: bigint;
  constructor(cents: bigint) {
    this.cents = cents;
  }
  times(factor: number) {
    return new Money((this.cents * BigInt(Math.round(factor * 100))) / 100n);
  }
  plus(other: Money) {
    return new Money(this.cents + other.cents);
  }
  toString() {
    return `${this.cents / 100n}.${String(this.cents % 100n).padStart(2, "0")} EUR`;
  }
  toJSON() {
    return { cents: String(this.cents) };
  }
  static fromJSON(data: { cents: string }) {
    return new Money(BigInt(data.cents));
  }
}

export const price = activity("price", { output: Money }, async (ctx, product: string) => new Money(BigInt(product.length) * 1_250n));
export const addTax = activity("addTax", { input: Money, output: Money }, async (ctx, net) => net.times(1.2));
export const invoice = orchestrator("invoice", { output: Money }, async (ctx, basket: Map<string, number>) => {
  let net = new Money(0n);
  for (const [product, quantity] of basket) net = net.plus((await ctx.callActivity(price, product)).times(quantity));
  return await ctx.callActivity(addTax, net);
});

// ---- steps one after another, for the kill in the middle

export interface StepRun {
  readonly pid: number;
  /** More than 1: an earlier process disappeared while it ran this step. */
  readonly delivery: number;
}

export const relayStep = activity("relayStep", async (ctx, step: { number: number; ms: number }): Promise<StepRun> => {
  console.log(`step ${step.number}`);
  await sleep(step.ms);
  return { pid: process.pid, delivery: ctx.delivery };
});

export const relay = orchestrator("relay", async (ctx, input: { steps: number; ms: number }) => {
  const runs: StepRun[] = [];
  for (let number = 1; number <= input.steps; number++) runs.push(await ctx.callActivity(relayStep, { number, ms: input.ms }));
  return runs;
});
