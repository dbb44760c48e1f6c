// parts-of: what a hub is made of, for those who put something else on top of it: a server that speaks for it, a tool beside it.
//
// Always:  the parts of a hub are the hub's: whoever uses them leaves closing to it.

import type { Backend } from "../contract/backend.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import type { Hub } from "./hub.ts";

/** The backend of a hub, and the world that it lives in. */
export interface BackendParts {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const parts = new WeakMap<object, BackendParts>();

/** Notes what a hub is made of; gives back the hub. */
export function madeOf<H extends object>(hub: H, { backend, clock, random, log }: BackendParts): H {
  parts.set(hub, { backend, clock, random, log });
  return hub;
}

/**
 * What a hub is made of. Payloads pass through the hub's codec, and operations go through what watches it, as for its own client and workers.
 *
 * @throws TypeError for something that no `openTaskHub` or `createTestHub` has given.
 * @example
 * const { backend, log } = partsOf(hub);
 * log.info("serving", backend.counters());
 */
export function partsOf(hub: Hub): BackendParts {
  const known = parts.get(hub);
  if (known === undefined)
    throw new TypeError("This is no task hub of openTaskHub(...) or createTestHub(...), so nobody knows what it is made of.");
  return known;
}
