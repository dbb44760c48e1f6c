// mortal-hub: the product over the real SQLite store, in lives that end where told, on the same virtual clock.
//
// Owns:    the lives of one run: each has a file of its own, which is a copy of what the last one left at its death.
// Is told: where each life ends. The last life ends by closing, and may die of that.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { defaultConverter } from "ostinato";
import type { Hub, Logger, Worker, WorkerOptions } from "ostinato";
import { openSqliteStore } from "ostinato/sqlite";
import { retentionPolicy } from "../../packages/ostinato/src/contract/retention.ts";
import type { Retention } from "../../packages/ostinato/src/contract/retention.ts";
import { createHub } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import type { Store } from "../../packages/ostinato/src/engine/store.ts";
import { createFaultPlan } from "../../packages/ostinato/src/testing/faults.ts";
import { beginLife } from "../../packages/ostinato/src/testing/process-life.ts";
import type { LifeParts, ProcessLife } from "../../packages/ostinato/src/testing/process-life.ts";
import { createQuiet } from "../../packages/ostinato/src/testing/quiet.ts";
import { survivingBackend } from "../../packages/ostinato/src/testing/surviving-backend.ts";
import { createVirtualClock } from "../../packages/ostinato/src/testing/virtual-clock.ts";
import type { TestClock } from "../../packages/ostinato/src/testing/virtual-clock.ts";
import { copyDatabase } from "./leftovers.ts";
import { mortalStore } from "./mortal-store.ts";
import type { CrashPoint, MortalStore } from "./mortal-store.ts";

/** What a COMMIT of the database comes to, while the process lives on. */
export type CommitFault =
  /** It was written, and whoever asked is told of an error: nobody can tell what became of it. */
  | "written, then EIO"
  /** It was not written, and the error is the same. */
  | "EIO"
  /** There was no room. */
  | "FULL";

/** A fault at the n-th COMMIT of a run, counted from 1. */
export interface FaultPoint {
  readonly commit: number;
  readonly fault: CommitFault;
}

const ERRORS: { readonly [K in CommitFault]: { readonly message: string; readonly errcode: number } } = {
  "written, then EIO": { message: "disk I/O error", errcode: 1_034 },
  EIO: { message: "disk I/O error", errcode: 1_034 },
  FULL: { message: "database or disk is full", errcode: 13 },
};

/** A hub whose processes die. */
export interface MortalHub extends Hub {
  readonly clock: TestClock;
}

/** A run in lives. */
export interface MortalRun {
  readonly hub: MortalHub;
  /** The stores of all lives, in order. */
  readonly lives: readonly MortalStore[];
  /** COMMITs of the database so far. */
  readonly commits: number;
  /** Closes what lives; where that dies as well, the file is what the death left. Tells the file that is left. */
  end(): Promise<string>;
}

const FIRST_DAY = Date.UTC(2025, 0, 1);

/** How a run goes. */
export interface RunOptions {
  /** The n-th life ends at the n-th point, if there is one. */
  readonly points: readonly CrashPoint[];
  readonly fault?: FaultPoint | undefined;
  readonly worker: WorkerOptions;
  /** How long finished instances stay; for ever when absent. */
  readonly retention?: Retention | undefined;
  readonly log: Logger;
  readonly onDeath: (life: number) => void;
}

/** Begins a run in a folder of its own. */
export async function beginRun(
  folder: string,
  { points, fault, worker: options, retention, log, onDeath }: RunOptions,
): Promise<MortalRun> {
  const quiet = createQuiet();
  const clock = createVirtualClock(FIRST_DAY, quiet);
  const random = seededRandom(1);
  const common = {
    converter: defaultConverter,
    limits: limitsOf(),
    log,
    random,
    processors: 1,
    hold: () => () => undefined,
  };
  const lives: MortalStore[] = [];
  const stores: Store[] = [];
  const files: string[] = [];

  let commits = 0;
  const beforeCommit = (db: DatabaseSync): void => {
    commits += 1;
    if (fault?.commit !== commits) return;
    if (fault.fault === "written, then EIO") db.exec("commit");
    throw Object.assign(new Error(ERRORS[fault.fault].message), ERRORS[fault.fault]);
  };

  const connect = (): MortalStore => {
    const number = lives.length + 1;
    const file = files[number - 1]!;
    const store = openSqliteStore({ path: file, body: "inline", testing: { clock, beforeCommit } });
    stores.push(store);
    const mortal = mortalStore(store, points[number - 1], () => {
      onDeath(number);
      files.push(fileOf(number + 1));
      copyDatabase(file, fileOf(number + 1));
    });
    lives.push(mortal);
    return mortal;
  };
  const fileOf = (number: number): string => {
    const own = join(folder, `life-${number}`);
    mkdirSync(own, { recursive: true });
    return join(own, "hub.db");
  };
  files.push(fileOf(1));

  let closed = false;
  let worker: Worker | undefined;
  let life: Promise<ProcessLife>;
  /** A life that dies while it begins is followed by the next one. */
  const begin = async (): Promise<ProcessLife> => {
    const beginning = quiet.begin("turn");
    try {
      for (;;) {
        const mortal = connect();
        const parts: LifeParts = {
          connect: () => mortal.store,
          clock,
          quiet,
          faults: createFaultPlan(),
          local: { random, log, unregistered: "fail", retention: retentionPolicy(retention ?? 0) },
          worker: common,
        };
        const beginsLife = beginLife(parts);
        const begun = await Promise.race([beginsLife, mortal.death.then(() => undefined)]);
        if (begun === undefined) {
          // It may still come to be, and must then be told that it is dead.
          void beginsLife.then((late) => late.die());
          continue;
        }
        void mortal.death.then(() => begun.die());
        const started = begun.startWorker(options);
        started.catch(() => undefined);
        worker = await Promise.race([started, mortal.death.then(() => undefined)]);
        if (worker === undefined) continue;
        void begun.death.then(() => {
          if (!closed) life = begin();
        });
        return begun;
      }
    } finally {
      beginning.done();
    }
  };
  life = begin();

  const backend = survivingBackend({
    current: () => life,
    waiting: (stuck) => clock.moveWhileWaiting(stuck),
    close: async () => undefined,
  });
  const hub = createHub({ ...common, backend, clock, random });

  return {
    hub: { ...hub, clock },
    lives,
    get commits() {
      return commits;
    },
    async end() {
      closed = true;
      const last = await life;
      const mortal = lives.at(-1)!;
      const shut = async (): Promise<void> => {
        await worker?.stop({ graceMs: 0 });
        await last.backend.close();
      };
      await Promise.race([shut(), mortal.death]);
      last.die();
      const left = files[lives.length - 1 + (mortal.isDead ? 1 : 0)]!;
      for (const store of stores) await store.close();
      return left;
    },
  };
}
