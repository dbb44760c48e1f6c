// worker: runs a user's orchestrators and activities on what a backend hands out.
//
// Owns:    the worker's life; which item goes where, and that each one is answered.
// Is told: definitions and options, by the user; work items, by the Backend.
// Tells:   outcomes, to the Backend.
// Always:  W1 *started*: it holds the process and takes work. *stopping*: it takes none, finishes what it has, and after the grace gives the
//          rest back. *stopped*: it holds nothing. Stopping twice is stopping once.
//          W2 each item that was taken is answered once.
//          W3 no error of user code ends the process, and none goes unanswered.
//          W4 user code never runs in the async context of the caller whose start or event it happens to serve.

import type { ActivityDefinition, OrchestratorDefinition } from "../authoring/define.ts";
import type { EntityDefinition } from "../authoring/entity.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import type { WorkerConnection, WorkerOperations } from "../contract/backend.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { toFailure } from "../contract/failure.ts";
import { durationMs, type Duration } from "../contract/instant.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { VersionFailureStrategy, VersionMatchStrategy } from "../contract/versions.ts";
import type { OrchestrationWorkItem, WorkItem } from "../contract/work-items.ts";
import type { TurnLimits } from "../executor/execution.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { captureContext, watchRejections } from "../platform/program-scope.ts";
import { createStandstill } from "../platform/standstill.ts";
import { beginProgram, type ProgramWorld } from "./begin-program.ts";
import { drain } from "./drain.ts";
import { createRegistry } from "./registry.ts";
import { createActivityRunner, type ActivityWorld } from "./run-activity.ts";
import { createEntityRunner } from "./run-entity.ts";
import { createTurnRunner } from "./run-orchestration.ts";
import { slotsOf, type Concurrency } from "./slots.ts";
import { createTurnCache } from "./turn-cache.ts";
import { takenWork, type WorkItemFilters } from "./work-item-filters.ts";

/** How a worker relates to the versions of instances. */
export interface WorkerVersioning {
  /** The worker's own version. Without one every instance fits. */
  readonly version?: string;
  /** What children get that are started without a version. */
  readonly defaultVersion?: string;
  /** Which instances fit: all (`"none"`, the default), those of exactly this version, or those of this or an older one. */
  readonly matchStrategy?: VersionMatchStrategy;
  /** What happens to one that does not fit: it is left for another worker (`"reject"`, the default), or fails. */
  readonly failureStrategy?: VersionFailureStrategy;
}

/** Programs kept in memory between their turns. */
export interface WarmOptions {
  /** The most bytes they may count for; 64 MiB by default. 0 keeps none. */
  readonly bytes?: number;
  /** How long one is kept without a turn; 10 s by default. */
  readonly idle?: Duration;
}

/** What a worker runs, and how. */
export interface WorkerOptions {
  /** Definitions with bodies, whatever they take and give. Several versions of one name may be among them. */
  readonly orchestrators?: readonly OrchestratorDefinition[];
  readonly activities?: readonly ActivityDefinition[];
  readonly entities?: readonly EntityDefinition[];
  readonly versioning?: WorkerVersioning;
  /** Which of it is taken here; all of it by default. */
  readonly workItemFilters?: WorkItemFilters;
  readonly concurrency?: Concurrency;
  readonly warm?: WarmOptions;
}

/** How a worker is stopped. */
export interface StopOptions {
  /** How long what runs may go on; 10,000 by default. 0 gives everything back at once. */
  readonly graceMs?: number;
}

/** What a worker has counted. */
export interface WorkerCounters {
  readonly [name: string]: number;
}

/**
 * A started worker.
 *
 * @example
 * const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello] });
 * await worker.stop({ graceMs: 5_000 });
 */
export interface Worker extends AsyncDisposable {
  /**
   * Stops taking work, lets finish what runs, and after the grace aborts and gives back the rest.
   *
   * @example
   * process.once("SIGTERM", () => void worker.stop().then(() => hub.close()));
   */
  stop(options?: StopOptions): Promise<void>;
  counters(): WorkerCounters;
}

/** What a worker works with. */
export interface WorkerWorld {
  readonly backend: WorkerOperations;
  readonly converter: PayloadConverter;
  readonly limits: TurnLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The version of orchestrations that its entities start without one. */
  readonly defaultVersion?: string | undefined;
  readonly processors: number;
  /** Keeps the process alive until the returned function is called. */
  readonly hold: () => () => void;
  /** Runs the body of an activity or of an operation in surroundings of somebody else's: a tracer's. */
  readonly within?: ActivityWorld["within"] | undefined;
}

const WARM_BYTES = 64 * 1024 * 1024;
const WARM_IDLE: Duration = "10s";
const GRACE_MS = 10_000;
const STOP: OptionNames<StopOptions> = { graceMs: true };
const CONCURRENCY: OptionNames<Concurrency> = { orchestrations: true, activities: true, entities: true };
const FILTERS: OptionNames<WorkItemFilters> = { orchestrators: true, activities: true, entities: true };
const WARM: OptionNames<WarmOptions> = { bytes: true, idle: true };
const VERSIONING: OptionNames<WorkerVersioning> = { version: true, defaultVersion: true, matchStrategy: true, failureStrategy: true };
const WORKER: OptionNames<WorkerOptions> = {
  orchestrators: true,
  activities: true,
  entities: true,
  versioning: true,
  workItemFilters: true,
  concurrency: true,
  warm: true,
};

/** Starts a worker. */
export async function startWorker(world: WorkerWorld, options: WorkerOptions): Promise<Worker> {
  const { clock, log } = world;
  checkWorkerOptions(options);
  const { versioning = {}, warm = {} } = options;
  const slots = slotsOf(options.concurrency, world.processors);
  const registry = createRegistry(options.orchestrators ?? [], options.activities ?? [], options.entities ?? [], {
    version: versioning.version ?? "",
    match: versioning.matchStrategy ?? "none",
  });
  const taken = takenWork(registry, options.workItemFilters);
  const standstill = createStandstill();
  const cache = createTurnCache(warmBytesOf(warm));

  const programs: ProgramWorld = {
    converter: world.converter,
    limits: world.limits,
    standstill,
    log: ({ level, message, fields, instanceId }) => log[level](message, { ...fields, instanceId }),
    defaultVersion: versioning.defaultVersion,
  };

  // ---- what runs, and what is waited for when the worker stops
  let connection: WorkerConnection | undefined;
  let inFlight = 0;
  let wakeDrain: (() => void) | undefined;
  const ended = (): void => {
    inFlight -= 1;
    if (inFlight === 0) wakeDrain?.();
  };
  const notTaken = (what: string) => (error: unknown) => {
    log.error(`the outcome of ${what} was not taken: ${toFailure(error).message}`, { error });
    ended();
  };
  const activityNotTaken = notTaken("an activity");
  const turnNotTaken = notTaken("a turn");
  const batchNotTaken = notTaken("the operations of an entity");
  const line = (): WorkerConnection => {
    if (connection === undefined) throw new Error("A worker was handed work before it was connected.");
    return connection;
  };

  const activities = createActivityRunner({
    find: (name) => registry.activity(name),
    converter: world.converter,
    payloadBytes: world.limits.payloadBytes,
    clock,
    log,
    tell: (outcome) => void line().completeActivity(outcome).then(ended, activityNotTaken),
    ...given({ within: world.within }),
  });
  const entities = createEntityRunner({
    find: (name) => registry.entity(name),
    converter: world.converter,
    payloadBytes: world.limits.payloadBytes,
    clock,
    random: world.random,
    log,
    defaultVersion: versioning.defaultVersion ?? world.defaultVersion,
    tell: (outcome) => void line().completeEntity(outcome).then(ended, batchNotTaken),
    ...given({ within: world.within }),
  });
  const turns = createTurnRunner({
    choose: (name, version) => registry.orchestrator(name, version),
    versionFailure: versioning.failureStrategy ?? "reject",
    begin: (item, orchestrator) => beginProgram(programs, item, orchestrator),
    cache,
    breathe: standstill.breathe,
    log,
  });
  const runTurn = async (item: OrchestrationWorkItem): Promise<void> => {
    const outcome = await turns.run(item);
    try {
      await line().completeOrchestration(outcome);
    } catch (error) {
      turns.forget(item.instanceId);
      turnNotTaken(error);
      return;
    }
    ended();
  };

  const take = (item: WorkItem): void => {
    switch (item.kind) {
      case "orchestration":
        inFlight += 1;
        void runTurn(item);
        break;
      case "activity":
        inFlight += 1;
        activities.run(item);
        break;
      case "entity":
        inFlight += 1;
        entities.run(item);
        break;
      case "forget":
        turns.forget(item.instanceId);
        break;
      case "cancel":
        activities.cancel(item);
        break;
    }
  };

  const here = captureContext();
  const early: WorkItem[] = [];
  const stopWatching = watchRejections();
  const release = world.hold();
  try {
    connection = await world.backend.connectWorker(
      {
        ...taken,
        maxConcurrentOrchestrations: slots.orchestrations,
        maxConcurrentActivities: slots.activities,
        maxConcurrentEntities: slots.entities,
        warmBytes: warmBytesOf(warm),
        warmIdleMs: durationMs(warm.idle ?? WARM_IDLE, "warm.idle"),
      },
      (items) => {
        // Work may come before the answer to connecting does.
        if (connection === undefined) early.push(...items);
        else here(() => items.forEach(take));
      },
    );
  } catch (error) {
    release();
    stopWatching();
    throw error;
  }
  const connected = connection;
  here(() => early.forEach(take));

  let stopped: Promise<void> | undefined;
  const stop = (stopOptions: StopOptions = {}): Promise<void> => {
    checkOptions(stopOptions, STOP, "worker.stop");
    const graceMs = stopOptions.graceMs ?? GRACE_MS;
    if (!(graceMs >= 0)) throw new InvalidArgumentError(`graceMs must be a number of milliseconds, at least 0; got ${graceMs}.`);
    stopped ??= drain(
      {
        stopTaking: () => connected.stopTaking(),
        idle: () => (inFlight === 0 ? Promise.resolve() : new Promise((resolve) => (wakeDrain = resolve))),
        abandon: () => {
          activities.abandonAll();
          entities.abandonAll();
        },
        close: () => connected.close(),
      },
      graceMs,
      clock,
    ).finally(() => {
      cache.clear();
      stopWatching();
      release();
    });
    return stopped;
  };

  return {
    stop,
    counters: () => ({
      activitiesRunning: activities.running,
      entitiesRunning: entities.running,
      turnsRunning: turns.running,
      resultsLate: activities.late,
      programsKept: cache.size,
      programBytes: cache.bytes,
    }),
    [Symbol.asyncDispose]: () => stop(),
  };
}

function warmBytesOf(warm: WarmOptions): number {
  const bytes = warm.bytes ?? WARM_BYTES;
  if (!Number.isSafeInteger(bytes) || bytes < 0)
    throw new InvalidArgumentError(`warm.bytes must be a whole number of bytes, at least 0; got ${bytes}.`);
  return bytes;
}

function checkWorkerOptions(options: WorkerOptions): void {
  checkOptions(options, WORKER, "hub.startWorker");
  checkOptions(options.concurrency, CONCURRENCY, "concurrency");
  checkOptions(options.workItemFilters, FILTERS, "workItemFilters");
  checkOptions(options.warm, WARM, "warm");
  checkOptions(options.versioning, VERSIONING, "versioning");
  checkWord(options.versioning?.matchStrategy, ["none", "strict", "currentOrOlder"], "versioning.matchStrategy");
  checkWord(options.versioning?.failureStrategy, ["reject", "fail"], "versioning.failureStrategy");
}
