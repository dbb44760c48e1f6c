// replay: many histories, replayed with today's code: the check that a deployment breaks nothing.
//
// Owns:    what a replay is given, the defaults, how many run at once.
// Always:  P1 no activity is called, nothing is written, and a replay of one history knows nothing of the others.
//          P2 histories are taken as places get free, so any number of them needs the memory of a few.

import type { OrchestratorDefinition } from "../authoring/define.ts";
import { defaultConverter, type PayloadConverter } from "../authoring/payload.ts";
import { InvalidArgumentError, ReplayError } from "../contract/errors.ts";
import { type Duration, durationMs } from "../contract/instant.ts";
import type { TurnLimits } from "../executor/execution.ts";
import { systemClock } from "../platform/clock.ts";
import { watchRejections } from "../platform/program-scope.ts";
import { createStandstill, nextLoopTurn } from "../platform/standstill.ts";
import { DEFAULT_LIMITS } from "../worker/begin-program.ts";
import { createRegistry } from "../worker/registry.ts";
import type { WorkerVersioning } from "../worker/worker.ts";
import type { HistoryDocument } from "./document.ts";
import type { Histories, ReplayRules } from "./hub-histories.ts";
import { inParallel } from "./in-parallel.ts";
import { replayHistory, type ReplayWorld } from "./replay-history.ts";
import { beginReport, type ReplayReport, type ReplayResult } from "./report.ts";

/** The code of today: what a worker would be given. */
export interface ReplayPrograms {
  readonly orchestrators: readonly OrchestratorDefinition[];
  /** As the workers have it. */
  readonly versioning?: WorkerVersioning;
  /** As the task hub has it: needed for files alone, a hub's own histories bring it along. */
  readonly converter?: PayloadConverter;
  /** As the task hub has them: needed for files alone. */
  readonly limits?: Partial<TurnLimits>;
}

/** How histories are replayed. */
export interface ReplayOptions {
  /** How many at a time; 8 by default. */
  readonly parallel?: number;
  /** How long one may take; 30 s by default. Code that never gives the thread back (an endless loop) can only be stopped from outside. */
  readonly timeout?: Duration;
  /** Told of each result as it comes; those that are "same" are kept nowhere else. */
  readonly onResult?: (result: ReplayResult) => void;
  /** Breaks it off: the replay rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Histories from wherever they come: a folder, a task hub, a list. */
export type HistoriesToReplay = Histories | AsyncIterable<HistoryDocument> | Iterable<HistoryDocument>;

const PARALLEL = 8;
const TIMEOUT: Duration = "30s";

/**
 * Replays histories with today's orchestrators, and tells which of them would go another way.
 *
 * @throws InvalidArgumentError for options that can never work; what reading the histories throws.
 * @example
 * const report = await replay(readHistories("./histories"), { orchestrators: [purchaseOrder] });
 * for (const { instance, reason } of report.differences) console.log(instance.id, reason);
 */
export async function replay(histories: HistoriesToReplay, programs: ReplayPrograms, options: ReplayOptions = {}): Promise<ReplayReport> {
  return replayAll(histories, replayWorld(programs, rulesOf(histories), options), options);
}

/**
 * For a test: replays histories, and throws unless every one of them goes the way that was recorded, or when there are none at all.
 *
 * @throws ReplayError, which lists what differs.
 * @example
 * test("today's code fits what runs", () => assertReplays(readHistories("./histories"), { orchestrators: [purchaseOrder] }));
 */
export async function assertReplays(histories: HistoriesToReplay, programs: ReplayPrograms, options: ReplayOptions = {}): Promise<void> {
  const report = await replay(histories, programs, options);
  if (report.total === 0)
    throw new ReplayError("There was no history to replay, so nothing is proven. Look whether they were exported to this place.");
  report.throwIfDifferent();
}

/** The rules of the task hub that histories are of, when they bring them along. */
function rulesOf(histories: HistoriesToReplay): Partial<ReplayRules> {
  return "rules" in histories ? histories.rules : {};
}

/** What the replays of these programs work with. */
export function replayWorld(programs: ReplayPrograms, rules: Partial<ReplayRules>, options: ReplayOptions): ReplayWorld {
  const { versioning = {} } = programs;
  return {
    registry: createRegistry(programs.orchestrators, [], [], {
      version: versioning.version ?? "",
      match: versioning.matchStrategy ?? "none",
    }),
    programs: {
      converter: programs.converter ?? rules.converter ?? defaultConverter,
      limits: { ...DEFAULT_LIMITS, ...rules.limits, ...programs.limits },
      standstill: createStandstill(),
      log: () => undefined,
      defaultVersion: versioning.defaultVersion,
    },
    clock: systemClock,
    timeoutMs: durationMs(options.timeout ?? TIMEOUT),
  };
}

/** Replays every history. */
export async function replayAll(histories: HistoriesToReplay, world: ReplayWorld, options: ReplayOptions): Promise<ReplayReport> {
  const parallel = options.parallel ?? PARALLEL;
  if (!Number.isSafeInteger(parallel) || parallel < 1)
    throw new InvalidArgumentError(`parallel must be a whole number of at least 1; got ${parallel}.`);
  const report = beginReport();
  const stopWatching = watchRejections();
  try {
    await inParallel(
      histories,
      parallel,
      async (document) => {
        const result = await replayHistory(world, document);
        report.add(result);
        options.onResult?.(result);
      },
      options.signal,
    );
  } finally {
    await nextLoopTurn(); // rejections that nobody handled are told of at the end of a turn of the loop
    stopWatching();
  }
  return report.done();
}
