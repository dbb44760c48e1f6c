// signs-of-life: a stream on which nothing was said for long says that it is there.
//
// Always:  SL1 the family's workers take two minutes of silence for a dead stream: they never have to wait so long.

import type { Clock } from "ostinato/contract";

const PING_MS = 30_000;
const LEAST_MS = 1_000;

/** Keeps a stream from being silent. */
export interface SignsOfLife {
  /** Something was sent. */
  said(): void;
  /** Whether anything ever was. */
  readonly hasSaid: boolean;
  stop(): void;
}

/** Calls `ping` whenever nothing was said for 30 seconds; false: it could not say anything now. */
export function createSignsOfLife(clock: Clock, ping: () => boolean): SignsOfLife {
  let saidAt = clock.monotonic();
  let hasSaid = false;
  const look = (): void => {
    const leftMs = PING_MS - (clock.monotonic() - saidAt);
    timer = clock.setTimer(leftMs <= 0 && ping() ? PING_MS : Math.max(LEAST_MS, leftMs), look);
  };
  let timer = clock.setTimer(PING_MS, look);
  return {
    said() {
      saidAt = clock.monotonic();
      hasSaid = true;
    },
    get hasSaid() {
      return hasSaid;
    },
    stop: () => timer.cancel(),
  };
}
