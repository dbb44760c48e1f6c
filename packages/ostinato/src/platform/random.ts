// random: ids and chance.
//
// Owns:    the only source of randomness, as a value that a test can seed.

import { randomUUID } from "node:crypto";

/**
 * A source of chance.
 *
 * @example
 * const random = seededRandom(42);
 * random.id(); // the same on every run
 */
export interface Random {
  /** 32 lower-case hexadecimal digits, never the same twice. */
  id(): string;
  /** At least 0, less than 1. */
  fraction(): number;
}

/**
 * The machine's own randomness.
 *
 * @example
 * systemRandom.id(); // "9f0c…", 32 digits
 */
export const systemRandom: Random = {
  id: () => randomUUID().replaceAll("-", ""),
  fraction: () => Math.random(),
};

/**
 * A source that gives the same row of ids and numbers for the same seed.
 *
 * @example
 * seededRandom(1).fraction() === seededRandom(1).fraction()
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32: small, fast, and good enough to spread tests.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const digits = (): string => next().toString(16).padStart(8, "0");
  return {
    id: () => digits() + digits() + digits() + digits(),
    fraction: () => next() / 4_294_967_296,
  };
}

/**
 * A delay spread by chance, between half of it and all of it, so that many who wait do not come at once.
 *
 * @example
 * jittered(systemRandom, 1_000); // 500 to 1,000
 */
export function jittered(random: Random, ms: number): number {
  return Math.ceil(ms / 2 + (ms / 2) * random.fraction());
}
