// process-life: a process of a test: a backend over the hub's store and the workers on it, which can die at any moment.
//
// Always:  after its death nothing of it is heard, written or counted; what the store has is all that is left.

import type { Backend } from "../contract/backend.ts";
import { createLocalBackend, type LocalBackendOptions } from "../local/local-backend.ts";
import type { Clock } from "../platform/clock.ts";
import type { Store } from "../engine/store.ts";
import { startWorker, type Worker, type WorkerOptions, type WorkerWorld } from "../worker/worker.ts";
import { faultyStore, type FaultPlan } from "./faults.ts";
import { observedBackend } from "./observed-backend.ts";
import type { Quiet } from "./quiet.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What a life is made of. */
export interface LifeParts {
  readonly connect: () => Store;
  readonly clock: VirtualClock;
  readonly quiet: Quiet;
  readonly faults: FaultPlan;
  readonly local: Omit<LocalBackendOptions, "store" | "clock">;
  readonly worker: Omit<WorkerWorld, "backend" | "clock">;
}

/** One life. */
export interface ProcessLife {
  readonly backend: Backend;
  /** Resolves when it has died. */
  readonly death: Promise<void>;
  die(): void;
  startWorker(options: WorkerOptions): Promise<Worker>;
}

/** Begins a life over the hub's store. */
export async function beginLife(parts: LifeParts): Promise<ProcessLife> {
  const connected = parts.connect();
  const lifetime = parts.clock.lifetime();
  const clock: Clock = lifetime.clock;
  let announce: () => void = () => undefined;
  const death = new Promise<void>((resolve) => (announce = resolve));
  let dead = false;
  let endWork: () => void = () => undefined;
  const workers = new Set<Worker>();

  const die = (): void => {
    if (dead) return;
    dead = true;
    lifetime.end();
    store.end();
    endWork();
    // The next life finds the leases of this one void, as after the end of a real process.
    void connected.close();
    // They hold this real process; that nobody answers them any more is what dying is.
    for (const worker of workers) void worker.stop({ graceMs: 0 });
    announce();
  };

  const store = faultyStore(connected, parts.faults, parts.quiet, die);
  const { backend, end } = observedBackend(await createLocalBackend({ ...parts.local, store: store.store, clock }), parts.quiet);
  endWork = end;

  return {
    backend,
    death,
    die,
    async startWorker(options) {
      const worker = await startWorker({ ...parts.worker, backend, clock }, options);
      workers.add(worker);
      return worker;
    },
  };
}
