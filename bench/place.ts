// place: where a workload runs, and what it runs there.
import { join } from "node:path";
import { isServerStore, startServer, type ServerStore } from "./servers.ts";
import { activity, openTaskHub, orchestrator, type Hub, type HubOptions, type WarmOptions } from "ostinato";

/** Where a workload runs. */
export interface Place {
  readonly store: "sqlite" | "memory" | "postgres" | ServerStore;
  /** An empty folder for its files. */
  readonly folder: string;
  /** An empty database, where the store is PostgreSQL or is measured beside it. */
  readonly database?: string;
  readonly seconds: number;
}

/** Figures by name. */
export type Figures = Readonly<Record<string, number>>;

export const hello = activity("hello", async (_ctx, input: { city: string; i: number }) => `Hello ${input.city} ${input.i}!`);
export const chain10 = orchestrator("chain10", async (ctx) => {
  const results: string[] = [];
  for (let i = 0; i < 10; i++) results.push(await ctx.callActivity(hello, { city: "Tokyo", i }));
  return results;
});
export const chain = orchestrator("chain", async (ctx, steps: number) => {
  let last = "";
  for (let i = 0; i < steps; i++) last = await ctx.callActivity(hello, { city: "Tokyo", i });
  return last;
});
export const fanOut = orchestrator("fanOut", async (ctx, width: number) => {
  const results = await ctx.whenAll(Array.from({ length: width }, (_, i) => ctx.callActivity(hello, { city: "Tokyo", i })));
  return results.length;
});
export const one = orchestrator("one", async (ctx) => ctx.callActivity(hello, { city: "Tokyo", i: 1 }));
export const waits = orchestrator("waits", async (ctx) => ctx.waitForExternalEvent<string>("go"));
export const longAsync = orchestrator("longAsync", async (ctx, steps: number) => {
  for (let i = 0; i < steps; i++) await ctx.callActivity(hello, { city: "Tokyo", i });
  return ctx.waitForExternalEvent<string>("go");
});
export const longGenerator = orchestrator("longGenerator", function* (ctx, steps: number) {
  for (let i = 0; i < steps; i++) yield* ctx.callActivity(hello, { city: "Tokyo", i });
  return yield* ctx.waitForExternalEvent<string>("go");
});

/** The address of the hub in the place, where the hub is in this process. */
export function address(place: Place): string {
  if (place.store === "postgres") return databaseOf(place);
  return place.store === "memory" ? "memory:" : `sqlite:${join(place.folder, "bench.db")}`;
}

/** The database of a place that has one. */
export function databaseOf({ store, database }: Place): string {
  if (database === undefined) throw new Error(`There is no database for ${store}.`);
  return database;
}

/** Opens the hub of the place, does the work, and closes it. Warm programs are kept for ten seconds, unless `warm` says otherwise. */
export async function withHub<T>(
  place: Place,
  work: (hub: Hub) => Promise<T>,
  { worker = true, warm = {}, ...options }: HubOptions & { readonly worker?: boolean; readonly warm?: WarmOptions } = {},
): Promise<T> {
  if (!isServerStore(place.store)) {
    return withOpened(await openTaskHub(address(place), { ...bodyOf(place), ...options }), work, { worker, warm });
  }
  const server = await startServer(place.store, place.folder);
  try {
    return await withOpened(await openTaskHub(server.url, options), work, { worker, warm });
  } finally {
    await server.stop();
  }
}

/** `BENCH_BODY` chooses where an SQLite hub waits for the disk, to compare. */
function bodyOf({ store }: Place): HubOptions {
  const body = process.env["BENCH_BODY"];
  return store === "sqlite" && (body === "inline" || body === "thread") ? { sqliteBody: body } : {};
}

/** The same with a hub that is open. */
export async function withOpened<T>(
  hub: Hub,
  work: (hub: Hub) => Promise<T>,
  { worker, warm }: { readonly worker: boolean; readonly warm: WarmOptions },
): Promise<T> {
  const orchestrators = [chain10, chain, fanOut, one, waits, longAsync, longGenerator];
  const started = worker ? await hub.startWorker({ orchestrators, activities: [hello], warm }) : undefined;
  try {
    return await work(hub);
  } finally {
    await started?.stop();
    await hub.close();
  }
}

/** The middle one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Collects garbage: for workloads that are run with --expose-gc. */
export function collectGarbage(): void {
  const { gc } = globalThis as { readonly gc?: () => void };
  if (gc === undefined) throw new Error("This workload has to be run with --expose-gc.");
  gc();
  gc();
}
