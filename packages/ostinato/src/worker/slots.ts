// slots: how much a worker takes at once.
//
// Owns:    the defaults. The backend hands out no more than it is told here, so the worker itself needs no queue.

import { InvalidArgumentError } from "../contract/errors.ts";

/** How much a worker runs at once. */
export interface Concurrency {
  /** Turns at once; 100 for each processor when absent. */
  readonly orchestrations?: number;
  /** Activities at once; 100 for each processor when absent. */
  readonly activities?: number;
  /** Entities that do operations at once; 100 for each processor when absent. */
  readonly entities?: number;
}

const PER_PROCESSOR = 100;

/**
 * The slots of a worker on a machine with so many processors.
 *
 * @throws InvalidArgumentError for a number that is not whole or is negative.
 */
export function slotsOf(concurrency: Concurrency | undefined, processors: number): Required<Concurrency> {
  return {
    orchestrations: slotCount(concurrency?.orchestrations, "orchestrations", processors),
    activities: slotCount(concurrency?.activities, "activities", processors),
    entities: slotCount(concurrency?.entities, "entities", processors),
  };
}

function slotCount(given: number | undefined, what: string, processors: number): number {
  if (given === undefined) return PER_PROCESSOR * processors;
  if (!Number.isSafeInteger(given) || given < 1)
    throw new InvalidArgumentError(`concurrency.${what} must be a whole number of at least 1; got ${given}.`);
  return given;
}
