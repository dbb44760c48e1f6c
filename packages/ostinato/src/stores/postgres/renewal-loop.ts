// renewal-loop: keeps an owner alive for as long as the process it speaks for is.
//
// Owns:    when the lease is renewed; the judgement that the main loop stands still.
// Is told: who the owner is; how often the main loop has turned.
// Tells:   each renewal, each failure, that the owner is gone, that the main loop stands still and that it turns again.
// Always:  LS1 the database alone says whether a lease is good.
//          G4 user code that holds the main loop up does not keep the lease from being renewed, until it has done so for too long: then the work is given up.
//          Its own standing still is not the main loop's: what it did not see counts for little.

import type { Clock, ClockTimer } from "../../platform/clock.ts";

/** What a renewal comes to. */
export interface Renewed {
  readonly at: number;
  readonly alive: boolean;
  /** How much was taken over from owners whose time was over, and the names that it is ready under. */
  readonly takenOver: number;
  readonly names: readonly string[];
  /** When the next of the other owners' leases ends, if it is not renewed. */
  readonly nextExpiry?: number;
}

/** What the loop tells. */
export type RenewalNews =
  | { readonly kind: "renewed"; readonly owner: number; readonly renewed: Renewed }
  | { readonly kind: "failed"; readonly owner: number; readonly message: string }
  | { readonly kind: "blocked"; readonly blockedMs: number }
  | { readonly kind: "turning" };

/** What the loop is given. */
export interface RenewalLoopOptions {
  readonly clock: Clock;
  readonly owner: number;
  readonly leaseMs: number;
  readonly maxBlockedMs: number;
  readonly renew: (owner: number, leaseMs: number) => Promise<Renewed>;
  /** How often the main loop has turned. */
  readonly turns: () => number;
  readonly tell: (news: RenewalNews) => void;
}

/** A loop that renews. */
export interface RenewalLoop {
  /** Renews for this one from now on, at once. */
  setOwner(owner: number): void;
  stop(): void;
}

/** A lease is renewed when a third of it has passed, and tried again after a tenth when that failed. */
const RENEW_PART = 3;
const RETRY_PART = 10;
/** So long after somebody else's lease has ended it is taken over. */
const EXPIRED_MS = 50;
const LOOKS_AT_TURNS = 12;
/** That it turns again is noticed within this. */
const TURNS_AGAIN_MS = 250;

/** Renews from now on. */
export function startRenewalLoop({ clock, leaseMs, maxBlockedMs, renew, turns, tell, ...first }: RenewalLoopOptions): RenewalLoop {
  let { owner } = first;
  let stopped = false;
  let timer: ClockTimer | undefined;
  /** Counts what was begun: an answer to an earlier question plans nothing. */
  let asked = 0;
  let isBlocked = false;

  const renewNow = async (): Promise<void> => {
    timer?.cancel();
    if (stopped || isBlocked) return;
    const mine = ++asked;
    const asking = owner;
    let waitMs = leaseMs / RETRY_PART;
    try {
      const renewed = await renew(asking, leaseMs);
      if (stopped) return;
      tell({ kind: "renewed", owner: asking, renewed });
      if (renewed.alive) waitMs = untilNext(renewed, leaseMs);
    } catch (error) {
      if (stopped) return;
      tell({ kind: "failed", owner: asking, message: (error as Error).message });
    }
    if (mine === asked) timer = clock.setTimer(waitMs, () => void renewNow());
  };

  const stopWatching = watchTurns({ clock, maxBlockedMs, turns }, (blockedMs) => {
    isBlocked = blockedMs !== undefined;
    if (blockedMs === undefined) {
      tell({ kind: "turning" });
      void renewNow();
    } else tell({ kind: "blocked", blockedMs });
  });
  void renewNow();

  return {
    setOwner(next) {
      owner = next;
      void renewNow();
    },
    stop() {
      stopped = true;
      timer?.cancel();
      stopWatching();
    },
  };
}

/** When to renew again: a third of the lease later, or when somebody else's lease has ended, so that what it held is taken over at once. */
export function untilNext({ at, nextExpiry }: Renewed, leaseMs: number): number {
  const third = leaseMs / RENEW_PART;
  if (nextExpiry === undefined) return third;
  return Math.min(third, Math.max(nextExpiry - at, 0) + EXPIRED_MS);
}

/** Tells when the main loop has stood still for too long, and (with nothing) when it turns again. */
function watchTurns(
  { clock, maxBlockedMs, turns }: Pick<RenewalLoopOptions, "clock" | "maxBlockedMs" | "turns">,
  onChange: (blockedMs: number | undefined) => void,
): () => void {
  const lookMs = maxBlockedMs / LOOKS_AT_TURNS;
  let seen = turns();
  let lookedAt = clock.monotonic();
  let stillMs = 0;
  let timer: ClockTimer;
  const look = (): void => {
    const now = clock.monotonic();
    const count = turns();
    const wasBlocked = stillMs >= maxBlockedMs;
    // Where the whole machine or process stood still, this thread did too, and has seen nothing.
    stillMs = count === seen ? stillMs + Math.min(now - lookedAt, lookMs * 2) : 0;
    seen = count;
    lookedAt = now;
    const isBlocked = stillMs >= maxBlockedMs;
    timer = clock.setTimer(isBlocked ? Math.min(lookMs, TURNS_AGAIN_MS) : lookMs, look);
    if (isBlocked !== wasBlocked) onChange(isBlocked ? Math.round(stillMs) : undefined);
  };
  timer = clock.setTimer(lookMs, look);
  return () => timer.cancel();
}
