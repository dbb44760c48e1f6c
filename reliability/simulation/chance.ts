// chance: everything that a seed decides, as streams that do not disturb one another.
//
// Always:  a stream is made of the seed and of what it is for, so that leaving out one thing changes little of the others.

/** A stream of chance. */
export interface Chance {
  /** At least 0, less than 1. */
  fraction(): number;
  /** A whole number from 0, less than `count`. */
  below(count: number): number;
  /** A whole number of both ends and between. */
  between(least: number, most: number): number;
  /** True with this probability. */
  happens(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** The stream of a seed for a purpose. */
export function chanceOf(seed: number, purpose: string): Chance {
  let state = seed >>> 0;
  for (let at = 0; at < purpose.length; at++) state = Math.imul(state ^ purpose.charCodeAt(at), 0x9e3779b1) >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4_294_967_296;
  };
  next();
  const chance: Chance = {
    fraction: next,
    below: (count) => Math.floor(next() * count),
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    happens: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };
  return chance;
}
