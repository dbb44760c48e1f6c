// mortal-hub: a task hub whose process can end without a goodbye, put together as openTaskHub does it.
//
// Always:  after its death nothing of it is written, heard or counted; the next one finds what the store has, and nothing else.

import { defaultConverter } from "../src/authoring/payload.ts";
import type { HubRequest, HubUnderTest } from "../src/conformance/backend/world.ts";
import { given } from "../src/contract/recorded-as.ts";
import type { Store } from "../src/engine/store.ts";
import { createHub, type Hub } from "../src/hub/hub.ts";
import { limitsOf } from "../src/hub/open-task-hub.ts";
import { holdProcess, systemClock, type ClockTimer } from "../src/platform/clock.ts";
import { createLogger } from "../src/platform/logger.ts";
import { systemRandom } from "../src/platform/random.ts";
import { createFaultPlan } from "../src/testing/faults.ts";
import { beginLife, type ProcessLife } from "../src/testing/process-life.ts";
import { createQuiet, type Quiet } from "../src/testing/quiet.ts";
import type { VirtualClock } from "../src/testing/virtual-clock.ts";
import type { Worker } from "../src/worker/worker.ts";

/** What a mortal hub works with. */
export interface MortalParts {
  /** A line of a new process to the same store. */
  readonly connect: () => Store;
  /** Time that a story moves; without it the machine's. */
  readonly virtual?: { readonly clock: VirtualClock; readonly quiet: Quiet };
  /** How long leases last, where several processes share the store. */
  readonly leaseMs?: number;
  /** What is left to clean up. */
  readonly dispose?: () => void;
}

/** A hub that can be crashed. */
export async function mortalHub(parts: MortalParts, { defaultVersion }: HubRequest): Promise<HubUnderTest> {
  const { virtual } = parts;
  const log = createLogger({ level: "silent" });
  const clock = virtual?.clock ?? machineTime();
  const common = { converter: defaultConverter, limits: limitsOf(), log, processors: 1, random: systemRandom, hold: holdProcess };
  let closing: Promise<void> = Promise.resolve();
  let life: ProcessLife;
  let workers: Worker[] = [];

  const begin = async (): Promise<Hub> => {
    const born = await beginLife({
      connect() {
        const store = parts.connect();
        return { ...store, close: () => (closing = store.close()) };
      },
      clock,
      quiet: virtual?.quiet ?? createQuiet(),
      faults: createFaultPlan(),
      local: { random: systemRandom, log, unregistered: "wait", ...given({ leaseMs: parts.leaseMs }) },
      worker: common,
    });
    life = born;
    workers = [];
    const made = createHub({ ...common, backend: born.backend, clock, ...given({ defaultVersion }) });
    return {
      ...made,
      async startWorker(options) {
        const worker = await made.startWorker(options);
        workers.push(worker);
        return worker;
      },
    };
  };

  let hub = await begin();
  return {
    hub,
    ...(virtual === undefined ? {} : { advance: (ms: number) => virtual.clock.advance({ milliseconds: ms }) }),
    async restart() {
      life.die();
      // They would hold this real process; nobody answers them any more.
      for (const worker of workers) void worker.stop({ graceMs: 0 });
      await closing;
      hub = await begin();
      return hub;
    },
    async dispose() {
      await hub.close();
      parts.dispose?.();
    },
  };
}

/** The machine's clock, of which a life has a part that ends with it. */
function machineTime(): VirtualClock {
  return {
    ...systemClock,
    get date(): never {
      throw new Error("nobody asks");
    },
    advance: () => Promise.reject(new Error("real time cannot be moved")),
    moveWhileWaiting: () => () => undefined,
    lifetime() {
      const own = new Set<ClockTimer>();
      let over = false;
      return {
        clock: {
          ...systemClock,
          setTimer(ms, run, options) {
            if (over) return { cancel: () => undefined };
            const timer = systemClock.setTimer(
              ms,
              () => {
                own.delete(timer);
                run();
              },
              options,
            );
            own.add(timer);
            return {
              cancel() {
                own.delete(timer);
                timer.cancel();
              },
            };
          },
        },
        end() {
          over = true;
          for (const timer of own) timer.cancel();
        },
      };
    },
  };
}
