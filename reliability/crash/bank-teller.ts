// bank-teller: the process that makes transfers, and is killed. Its parent tells it where to begin, and hears of each transfer that has ended.
import { enableCompileCache } from "node:module";

/** How a teller is started. */
export interface TellerOptions {
  readonly file: string;
  readonly seed: number;
  readonly accounts: number;
  readonly transfers: number;
  /** All transfers before this one have ended. */
  readonly from: number;
  /** The name of this life's audit. */
  readonly audit: string;
  /** So many transfers are under way at once. */
  readonly inFlight: number;
}

/** What the parent hears. */
export type TellerNotice =
  | { readonly kind: "ready" }
  | { readonly kind: "ended"; readonly transfer: number; readonly output: string }
  | { readonly kind: "audited"; readonly sum: number }
  | { readonly kind: "wrong"; readonly message: string }
  | { readonly kind: "counters"; readonly counters: Readonly<Record<string, number>> }
  /** All have ended and the hub is closed. */
  | { readonly kind: "finished"; readonly result: BankResult };

/** How the bank stands in the end. */
export interface BankResult {
  readonly sum: number;
  readonly moves: number;
  readonly locked: readonly string[];
  readonly waiting: number;
  readonly orphans: number;
}

enableCompileCache();
const options = JSON.parse(process.argv[2] ?? "{}") as TellerOptions;
const tell = (notice: TellerNotice): void => {
  if (process.connected) process.send?.(notice);
};
process.on("disconnect", () => process.exit(0)); // without its parent it has nobody to work for

const { openTaskHub } = await import("ostinato");
const bank = await import("./bank-programs.ts");
const { account, accountKeys, transferOf } = bank;
const keys = accountKeys(options.accounts);

const say = (message: string): void => tell({ kind: "wrong", message });
const log = { debug: () => undefined, info: () => undefined, warn: say, error: say };
// Here processes die for a living: nothing of it is anybody's poison.
const hub = await openTaskHub(`sqlite:${options.file}`, { log, limits: { maxClaims: 1_000_000 } });
const worker = await hub.startWorker({ orchestrators: bank.orchestrators, entities: bank.entities });
tell({ kind: "ready" });
setInterval(() => tell({ kind: "counters", counters: hub.counters() }), 25).unref();

/** Starts an instance, or finds the one that an earlier life has started. */
async function begin(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    if ((error as { code?: string }).code !== "INSTANCE_EXISTS") throw error;
  }
}

let next = options.from;
async function makeTransfers(): Promise<void> {
  while (next < options.transfers) {
    const transfer = next++;
    const id = `transfer-${transfer}`;
    await begin(() => hub.start(bank.transfer, transferOf(options.seed, transfer, keys), { instanceId: id }));
    tell({ kind: "ended", transfer, output: String(await hub.instance(id).result()) });
  }
}

/** Nobody sees money come or go, in the middle of everything. */
async function auditAll(): Promise<void> {
  await begin(() => hub.start(bank.audit, keys, { instanceId: options.audit }));
  tell({ kind: "audited", sum: Number(await hub.instance(options.audit).result()) });
}

async function resultOf(): Promise<BankResult> {
  let sum = 0;
  let moves = 0;
  let waiting = 0;
  const locked: string[] = [];
  const seen = new Set<string>();
  for await (const { key, state, lockedBy, backlogQueueSize } of hub.entities({ entity: account, includeTransient: true })) {
    seen.add(key);
    sum += state?.balance ?? bank.OPENING_BALANCE;
    moves += state?.moves ?? 0;
    waiting += backlogQueueSize;
    if (lockedBy !== undefined) locked.push(`${key} by ${lockedBy}`);
  }
  sum += keys.filter((key) => !seen.has(key)).length * bank.OPENING_BALANCE;
  const { orphanedLocksReleased: orphans } = await hub.cleanEntityStorage({ removeEmptyEntities: false });
  return { sum, moves, locked, waiting, orphans };
}

try {
  await Promise.all([auditAll(), ...Array.from({ length: options.inFlight }, makeTransfers)]);
  // The last releases are on their way when their owners have ended.
  let left: number;
  do {
    const { instances, messages } = await hub.sizes();
    left = instances.PENDING + messages;
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  } while (left > 0);
  const result = await resultOf();
  await worker.stop();
  await hub.close();
  tell({ kind: "finished", result });
  process.disconnect();
} catch (error) {
  say(String((error as Error).stack));
}
