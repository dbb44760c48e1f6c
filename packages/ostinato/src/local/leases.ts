// leases: who holds what until when, where several processes share a store.
//
// Owns:    the loop that renews this process's leases, and notices when they were lost.
// Is told: how long a lease lasts. What is held hangs on the one lease of its process.
// Tells:   that the leases ran out before they were renewed: everything held may be somebody else's; and that they are good again.
// Always:  LS1 the store alone says whether a lease is good: no clock of this process decides it (G3).
//          LS2 a renewal that fails is tried again, sooner; what is written meanwhile is fenced like everything else.
//          LS3 renewals are a reason to look for work, so that a hint which never came costs that much time and no more (L6).
//          LS4 a lease of somebody else that ends is looked at soon after its end, so that what it held is taken over.

import type { Renewal } from "../engine/store.ts";
import type { Clock, ClockTimer } from "../platform/clock.ts";

/** What the loop is given. */
export interface LeaseLoop {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly renew: (leaseMs: number) => Promise<Renewal>;
  /** The leases had run out. */
  readonly lost: () => void;
  /** The leases are good; called after `lost` too. */
  readonly renewed: () => void;
  readonly failed: (error: unknown) => void;
}

/** A lease is renewed when a third of it has passed, and tried again after a tenth when that failed. */
const RENEW_PART = 3;
const RETRY_PART = 10;

/**
 * Begins to renew, from now on until the returned function is called. Resolves when the first lease is good.
 *
 * @throws what the store throws when it cannot give the first one.
 */
export async function keepLeases(loop: LeaseLoop): Promise<() => void> {
  const { clock, leaseMs } = loop;
  let timer: ClockTimer | undefined;
  let stopped = false;
  const again = (ms: number): void => {
    if (!stopped) timer = clock.setTimer(ms, () => void renew());
  };
  /** Somebody else's lease that ends sooner is looked at then: whoever renews takes over (LS4). */
  const next = ({ againInMs = Number.POSITIVE_INFINITY }: Renewal): void => again(Math.min(leaseMs / RENEW_PART, againInMs));
  const renew = async (): Promise<void> => {
    try {
      const renewal = await loop.renew(leaseMs);
      if (stopped) return;
      if (!renewal.alive) loop.lost();
      loop.renewed();
      next(renewal);
    } catch (error) {
      if (stopped) return;
      loop.failed(error);
      again(leaseMs / RETRY_PART);
    }
  };
  next(await loop.renew(leaseMs));
  return () => {
    stopped = true;
    timer?.cancel();
  };
}
