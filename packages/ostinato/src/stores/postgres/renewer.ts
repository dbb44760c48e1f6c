// renewer: keeps this process's owner alive, on a thread of its own where it can.
//
// Owns:    the thread that renews, and what it has told that the engine has not asked for yet.
// Is told: to renew, by the engine's loop; that the owner is another one.
// Tells:   what a renewal comes to, as a store answers it; what was taken over; that the owner is gone.
// Always:  G4 on the thread, user code that holds the main loop up costs no lease before `maxBlockedMs`.
//          LS1 that a lease was lost is told once for each loss, and before anything good.
//          Without a thread the engine's own loop renews, and the log says so.

import { Worker } from "node:worker_threads";
import { StoreUnavailableError } from "../../contract/errors.ts";
import type { Renewal } from "../../engine/store.ts";
import type { Clock, ClockTimer } from "../../platform/clock.ts";
import type { PostgresRow } from "./database.ts";
import { mainLoopSigns } from "./main-loop-signs.ts";
import { untilNext } from "./renewal-loop.ts";
import type { RenewalNews, Renewed } from "./renewal-loop.ts";

/** What the thread is started with. */
export interface RenewerThreadOptions {
  readonly connectionString: string;
  readonly label: string;
  /** Its values: owner, lease in milliseconds, hub. */
  readonly statement: string;
  readonly hub: number;
  readonly owner: number;
  readonly leaseMs: number;
  readonly maxBlockedMs: number;
  readonly signs: SharedArrayBuffer;
}

/** What the thread says. */
export type FromRenewer =
  | Exclude<RenewalNews, { kind: "blocked" }>
  | { readonly kind: "blocked"; readonly blockedMs: number; readonly entered: string }
  | { readonly kind: "closed" };

/** What the thread is told. */
export type ToRenewer = { readonly kind: "owner"; readonly owner: number } | { readonly kind: "close" };

/** A thread that renews, as its starter sees it. */
export interface RenewerThread {
  post(order: ToRenewer): void;
  /** Ends it, if it has not ended by itself. */
  end(): void;
}

/** Where lines for people go. */
export interface RenewerLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What a renewer is given. */
export interface RenewerOptions {
  /** On a thread, with a connection by this string; without one the engine's loop renews. */
  readonly thread?: Pick<RenewerThreadOptions, "connectionString" | "label" | "statement" | "hub" | "maxBlockedMs"> | undefined;
  /** Why there is no thread, for the log. */
  readonly whyHere?: string | undefined;
  readonly owner: number;
  readonly clock: Clock;
  readonly log: RenewerLog;
  /** Renews over the pool. */
  readonly renewHere: (owner: number, leaseMs: number) => Promise<Renewed>;
  /** After every renewal. */
  readonly onRenewed: (renewed: Renewed) => void;
  /** The owner is gone: registers another one and says so by `replaceOwner`. */
  readonly onLost: () => Promise<void>;
  /** Tests only: another way to start the thread. */
  readonly startThread?: StartThread;
}

type StartThread = (options: RenewerThreadOptions, onNews: (news: FromRenewer) => void, onEnd: (why: string) => void) => RenewerThread;

/** Renews. */
export interface Renewer {
  /** What a store answers. The first call begins; on the thread, the others answer at once from what it told last. */
  renew(leaseMs: number): Promise<Renewal>;
  /** This process is another owner from now on: what the one before held is lost. */
  replaceOwner(owner: number): void;
  /** What was handed out last: if the main loop stands still, it is named. */
  entered(what: string): void;
  close(): Promise<void>;
}

/** How often the main loop shows that it turns. */
const TURN_MS = 1_000;
const CLOSE_MS = 1_000;

/** Renews from the first `renew` on. */
export function startRenewer(options: RenewerOptions): Renewer {
  const { clock, log, renewHere, onRenewed, onLost, startThread = startRenewerThread } = options;
  const signs = mainLoopSigns();
  let { owner } = options;
  let thread: RenewerThread | undefined;
  let hasEnded = false;
  let isOnThread = options.thread !== undefined;
  let began = false;
  let closed: (() => void) | undefined;
  let turning: ClockTimer | undefined;
  /** A loss that the engine has not been told of. */
  let lost = false;
  let replacing: Promise<void> | undefined;
  /** What the thread told last: a renewal, and when it came; a failure since. */
  let last: { readonly renewed: Renewed; readonly hereAt: number } | undefined;
  let failure: Error | undefined;
  let onFirst: (() => void) | undefined;

  const replace = (): Promise<void> => (replacing ??= onLost().finally(() => (replacing = undefined)));

  const answer = (at: number, more: Partial<Renewal> = {}): Renewal => {
    const alive = !lost;
    lost = false;
    return { at, alive, ...more };
  };

  // ---- on the engine's own loop

  const renewOnMain = async (leaseMs: number): Promise<Renewal> => {
    const asking = owner;
    const renewed = await renewHere(asking, leaseMs);
    // Another call may have been told first, and there is another owner already.
    if (!renewed.alive && owner === asking) await replace();
    onRenewed(renewed);
    return answer(renewed.at, renewed.alive ? { againInMs: untilNext(renewed, leaseMs) } : {});
  };

  // ---- on the thread

  const onNews = (news: FromRenewer): void => {
    switch (news.kind) {
      case "renewed":
        if (news.owner !== owner) return;
        failure = undefined;
        last = { renewed: news.renewed, hereAt: clock.monotonic() };
        if (!news.renewed.alive) replace().catch((error: unknown) => (failure = error as Error));
        onRenewed(news.renewed);
        return onFirst?.();
      case "failed":
        if (news.owner !== owner) return;
        failure = new StoreUnavailableError(`The leases of this process could not be renewed: ${news.message}`);
        return onFirst?.();
      case "blocked":
        return log.error(
          "the main loop of this process stood still for so long that its leases were not renewed: what it held is given up",
          {
            blockedMs: news.blockedMs,
            ...(news.entered === "" ? {} : { lastHandedOut: news.entered }),
          },
        );
      case "turning":
        return log.info("the main loop turns again: the leases of this process are renewed again");
      case "closed":
        return closed?.();
    }
  };

  const onEnd = (why: string): void => {
    if (hasEnded) return;
    hasEnded = true;
    thread = undefined;
    turning?.cancel();
    if (closed !== undefined) return closed();
    // The engine's loop goes on where the thread ended.
    isOnThread = false;
    log.error(`the thread that renews the leases of this process has ended (${why}): they are renewed on the main loop from now on`);
    onFirst?.();
  };

  const begin = async (leaseMs: number): Promise<void> => {
    began = true;
    if (options.thread === undefined)
      return log.info(`the leases of this process are renewed on its main loop: ${options.whyHere ?? "no thread was asked for"}`);
    const turn = (): void => {
      signs.turned();
      turning = clock.setTimer(Math.min(TURN_MS, options.thread!.maxBlockedMs / 4), turn);
    };
    turn();
    const first = new Promise<void>((resolve) => (onFirst = resolve));
    try {
      thread = startThread({ ...options.thread, owner, leaseMs, signs: signs.memory }, onNews, onEnd);
    } catch (error) {
      return onEnd((error as Error).message);
    }
    await first;
    onFirst = undefined;
  };

  const renew = async (leaseMs: number): Promise<Renewal> => {
    if (!began) await begin(leaseMs);
    if (!isOnThread) return renewOnMain(leaseMs);
    await replacing;
    if (failure !== undefined) throw failure;
    if (last === undefined) throw new StoreUnavailableError("The leases of this process have not been renewed yet.");
    const agoMs = clock.monotonic() - last.hereAt;
    if (agoMs > leaseMs) throw new StoreUnavailableError(`The leases of this process have not been renewed for ${Math.round(agoMs)} ms.`);
    return answer(last.renewed.at + Math.floor(agoMs));
  };

  return {
    renew,
    replaceOwner(next) {
      owner = next;
      lost = true;
      thread?.post({ kind: "owner", owner });
    },
    entered: signs.entered,
    async close() {
      turning?.cancel();
      const ending = thread;
      if (ending === undefined) return;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(CLOSE_MS, resolve, { hold: true });
        closed = () => (timer.cancel(), resolve());
        ending.post({ kind: "close" });
      });
      ending.end();
    },
  };
}

function startRenewerThread(
  options: RenewerThreadOptions,
  onNews: (news: FromRenewer) => void,
  onEnd: (why: string) => void,
): RenewerThread {
  const source = import.meta.url.endsWith(".ts");
  const worker = new Worker(source ? new URL("./renewer-thread.ts", import.meta.url) : new URL("./renewer-thread.js", import.meta.url), {
    workerData: options,
    // Flags that say how the user's own program is to be read are not meant for this file.
    execArgv: [],
    name: "ostinato-renewer",
  });
  // Whoever opens a hub waits for the first renewal; after it the thread keeps no process alive.
  worker.once("message", () => worker.unref());
  worker.on("message", onNews);
  worker.on("error", (error) => onEnd(error instanceof Error ? error.message : String(error)));
  worker.on("exit", (code) => onEnd(`exit code ${code}`));
  return { post: (order) => worker.postMessage(order), end: () => void worker.terminate() };
}

/** A row of the function that renews. Whole numbers come as text. */
export function readRenewed(row: PostgresRow | undefined): Renewed {
  const { at, alive, taken_over: takenOver, names, next_expiry: nextExpiry } = row ?? {};
  return {
    at: Number(at),
    alive: alive === true,
    takenOver: Number(takenOver ?? 0),
    names: Array.isArray(names) ? names.filter((name) => typeof name === "string") : [],
    ...(nextExpiry === null || nextExpiry === undefined ? {} : { nextExpiry: Number(nextExpiry) }),
  };
}
