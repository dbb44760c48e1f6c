// test-hub: the product with the world swapped: a store in memory, time that a test moves, and processes that die when told.
//
// Owns:    the lives of a test: one after the other, over one store.
// Always:  T1 nothing here is a second engine: store, backend, executor, worker and client are the product's own.
//          T2 the same seed and the same programs give the same ids and the same time.

import type { ActivityDefinition } from "../authoring/define.ts";
import { defaultConverter, type PayloadConverter } from "../authoring/payload.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import { retentionPolicy, type Retention } from "../contract/retention.ts";
import { createHub, type Hub } from "../hub/hub.ts";
import { madeOf } from "../hub/parts-of.ts";
import { limitsOf, type HubLimits } from "../hub/open-task-hub.ts";
import { createLogger, type LoggerOptions } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import type { StopOptions, Worker, WorkerOptions } from "../worker/worker.ts";
import { createFaultPlan, type Fault } from "./faults.ts";
import { beginLife, type LifeParts, type ProcessLife } from "./process-life.ts";
import { createQuiet } from "./quiet.ts";
import { survivingBackend } from "./surviving-backend.ts";
import { createVirtualClock, type TestClock } from "./virtual-clock.ts";

/** What a test hub is made of. */
export interface TestHubOptions extends WorkerOptions {
  /** In place of the activities with the same names; made by `stub`. */
  readonly stubs?: readonly ActivityDefinition[];
  /** What time it is at first; 2025-01-01T00:00:00Z by default. */
  readonly start?: Date;
  /** Of all ids and all chance; 1 by default. */
  readonly seed?: number;
  readonly defaultVersion?: string;
  readonly converter?: PayloadConverter;
  readonly limits?: HubLimits;
  /** How long finished instances stay; for ever by default, so that a test that moves the time still finds what has ended. */
  readonly retention?: Retention;
  /** Errors alone go to standard error by default. */
  readonly log?: LoggerOptions;
  /** What becomes of work for a name that is not registered; it fails by default, so that a test does not wait for nothing. */
  readonly unregistered?: "wait" | "fail";
}

/**
 * A task hub for a test, with its worker started.
 *
 * @example
 * const hub = await createTestHub({ orchestrators: [purchaseOrder], stubs: [stub(placeOrder, async () => undefined)] });
 * const instance = await hub.start(purchaseOrder, order);
 * assert.equal(await instance.result(), "Canceled"); // the 24 hours pass at once
 * await hub.close();
 */
export interface TestHub extends Hub {
  readonly clock: TestClock;
  /**
   * The process dies and a new one begins: all that is in memory is lost, what was committed is there.
   *
   * @example
   * await hub.crash();
   */
  crash(): Promise<void>;
  /**
   * Plans a fault at the n-th commit from now, counted from 1.
   *
   * @example
   * hub.failAt(3, "crash-after");
   */
  failAt(commit: number, fault: Fault): void;
  /** Commits so far: the moments at which something can fail. */
  readonly commits: number;
}

const OPTIONS: OptionNames<TestHubOptions> = {
  orchestrators: true,
  activities: true,
  entities: true,
  stubs: true,
  versioning: true,
  workItemFilters: true,
  concurrency: true,
  warm: true,
  start: true,
  seed: true,
  defaultVersion: true,
  converter: true,
  limits: true,
  retention: true,
  log: true,
  unregistered: true,
};
const FIRST_DAY = Date.UTC(2025, 0, 1);

/**
 * Makes a task hub for a test: the product over a store in memory, with a clock that moves when nothing else can.
 *
 * By itself time moves only while the test awaits a `result()` or `waitForStart()` and nothing is under way; else by `clock.advance`.
 * Activities that wait for the real world hold it.
 *
 * @example
 * const hub = await createTestHub({ orchestrators: [sequence], activities: [hello] });
 * const instance = await hub.start(sequence);
 * assert.deepEqual(await instance.result(), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
 * await hub.close();
 */
export async function createTestHub(options: TestHubOptions = {}): Promise<TestHub> {
  checkOptions(options, OPTIONS, "createTestHub");
  const quiet = createQuiet();
  const clock = createVirtualClock(options.start?.getTime() ?? FIRST_DAY, quiet);
  const faults = createFaultPlan();
  const random = seededRandom(options.seed ?? 1);
  const log = createLogger({ level: "error", ...options.log });
  const memory = createMemoryHub({ clock });
  // A test that fails before it closes its hub must still come to its end: nothing here holds the process but waits.
  const hold = (): (() => void) => () => undefined;
  const common = {
    converter: options.converter ?? defaultConverter,
    limits: limitsOf(options.limits),
    log,
    random,
    processors: 1,
    hold,
    ...given({ defaultVersion: options.defaultVersion }),
  };
  let owners = 0;
  const parts: LifeParts = {
    connect: () => memory.connect(`life-${++owners}`),
    clock,
    quiet,
    faults,
    local: {
      random,
      log,
      retention: retentionPolicy(options.retention ?? 0),
      unregistered: options.unregistered ?? "fail",
      ...given({ maxClaims: options.limits?.maxClaims }),
    },
    worker: common,
  };

  // ---- the lives: one at a time, each with the workers that the test has started and not stopped
  const wanted = new Map<TestWorker, WorkerOptions>();
  let closed = false;
  let life: Promise<ProcessLife>;
  let latest: ProcessLife | undefined;
  const begin = async (): Promise<ProcessLife> => {
    const beginning = quiet.begin("turn");
    const begun = await beginLife(parts);
    for (const [worker, workerOptions] of wanted) {
      // One that dies meanwhile answers nobody: the next one starts them.
      const body = await Promise.race([begun.startWorker(workerOptions), begun.death]);
      if (body === undefined) break;
      worker.body = body;
    }
    void begun.death.then(() => {
      if (!closed) life = begin();
    });
    latest = begun;
    beginning.done();
    return begun;
  };
  life = begin();

  const backend = survivingBackend({
    current: () => life,
    waiting: (stuck) => clock.moveWhileWaiting(stuck),
    async close() {
      closed = true;
      const last = await life;
      for (const worker of wanted.keys()) await worker.body?.stop({ graceMs: 0 });
      await last.backend.close();
      last.die();
    },
  });
  const hub = createHub({ ...common, backend, clock });

  const startWorker = async (workerOptions: WorkerOptions): Promise<Worker> => {
    const worker: TestWorker = { body: undefined };
    worker.body = await (await life).startWorker(workerOptions);
    wanted.set(worker, workerOptions);
    const stop = async (stopOptions?: StopOptions): Promise<void> => {
      wanted.delete(worker);
      await worker.body?.stop(stopOptions);
    };
    return { stop, counters: () => worker.body?.counters() ?? {}, [Symbol.asyncDispose]: () => stop() };
  };
  const { orchestrators, entities, versioning, workItemFilters, concurrency, warm } = options;
  await startWorker({
    activities: stubbed(options.activities, options.stubs),
    ...given({ orchestrators, entities, versioning, workItemFilters, concurrency, warm }),
  });

  const testHub: TestHub = {
    ...hub,
    clock,
    startWorker,
    counters: () => latest?.backend.counters() ?? {},
    async crash() {
      const dying = await life;
      dying.die();
      await dying.death;
      await life;
    },
    failAt: (commit, fault) => faults.at(commit, fault),
    get commits() {
      return faults.commits;
    },
  };
  return madeOf(testHub, { backend, clock, random, log });
}

interface TestWorker {
  body: Worker | undefined;
}

/** The activities, with the stubs in the places of those they stand for. */
function stubbed(activities: readonly ActivityDefinition[] = [], stubs: readonly ActivityDefinition[] = []): readonly ActivityDefinition[] {
  const replaced = new Set(stubs.map((each) => each.name));
  return [...activities.filter((each) => !replaced.has(each.name)), ...stubs];
}

/**
 * Runs a test again and again, with the process dying at another commit each time: before it and after it, until every commit had its turn.
 *
 * @example
 * await atEveryCrash({ orchestrators: [sequence], activities: [hello] }, async (hub) => {
 *   const instance = await hub.start(sequence, undefined, { instanceId: "one" });
 *   assert.deepEqual(await instance.result(), expected);
 * });
 */
export async function atEveryCrash(options: TestHubOptions, test: (hub: TestHub) => Promise<void>): Promise<number> {
  const once = async (prepare: (hub: TestHub) => void): Promise<number> => {
    const hub = await createTestHub(options);
    try {
      const before = hub.commits;
      prepare(hub);
      await test(hub);
      return hub.commits - before;
    } finally {
      await hub.close();
    }
  };
  const commits = await once(() => undefined);
  let runs = 1;
  for (let commit = 1; commit <= commits; commit++) {
    for (const fault of ["crash-before", "crash-after"] as const) {
      try {
        await once((hub) => hub.failAt(commit, fault));
      } catch (error) {
        throw new Error(`The test fails when the process dies at commit ${commit} of ${commits} (${fault}).`, { cause: error });
      }
      runs += 1;
    }
  }
  return runs;
}
