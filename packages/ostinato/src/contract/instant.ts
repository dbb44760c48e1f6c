// instant: points and lengths of time, as plain numbers of milliseconds.
//
// Owns:    how a duration is written ("24h", { hours: 24 }) and what it means.
// Always:  an Instant is a reading of the *store's* clock (or derived from one); a duration is never negative.

import { InvalidArgumentError } from "./errors.ts";

/** A point in time: milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number;

/** A length of time in one unit, as text: `"250ms"`, `"30s"`, `"5m"`, `"24h"`, `"7d"`. */
export type DurationText = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

/** A length of time as the sum of its parts. */
export interface DurationParts {
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly milliseconds?: number;
}

/** A length of time: `"24h"` or `{ hours: 1, minutes: 30 }`. */
export type Duration = DurationText | DurationParts;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PARTS_MS: readonly (readonly [keyof DurationParts, number])[] = [
  ["days", 86_400_000],
  ["hours", 3_600_000],
  ["minutes", 60_000],
  ["seconds", 1_000],
  ["milliseconds", 1],
];
const TEXT = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** The latest instant that is accepted: the end of the year 9999. */
export const LATEST_INSTANT: Instant = 253_402_300_799_999;

/**
 * The milliseconds of a duration, rounded up to whole ones so that nothing ever happens early.
 *
 * @param what the option that has it, for the error.
 * @throws InvalidArgumentError when the text has no unit, or a part is negative or not a number.
 * @example durationMs("1.5h", "timeout") === 5_400_000
 */
export function durationMs(duration: Duration, what?: string): number {
  const ms = typeof duration === "string" ? textMs(duration) : partsMs(duration);
  if (!Number.isFinite(ms) || ms < 0) {
    throw new InvalidArgumentError(
      `${what === undefined ? "A duration must be" : `${what} must be a duration:`} a text like "30s" or parts like { hours: 1 }, none of it negative; got ${JSON.stringify(duration)}.`,
    );
  }
  return Math.ceil(ms);
}

function textMs(text: string): number {
  const match = TEXT.exec(text.trim());
  return match ? Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? Number.NaN) : Number.NaN;
}

function partsMs(parts: DurationParts): number {
  if (typeof parts !== "object" || parts === null) return Number.NaN;
  const unknown = Object.keys(parts).find((key) => !PARTS_MS.some(([part]) => part === key));
  // A misspelt part would be no time at all.
  if (unknown !== undefined)
    throw new InvalidArgumentError(`A duration has no part '${unknown}'; it has ${PARTS_MS.map(([part]) => part).join(", ")}.`);
  let total = 0;
  for (const [part, unit] of PARTS_MS) {
    const amount = parts[part] ?? 0;
    if (typeof amount !== "number" || amount < 0) return Number.NaN;
    total += amount * unit;
  }
  return total;
}

/**
 * The instant that is meant by a time, or by so long from now.
 *
 * @param what how messages call it, for example `"the timer"`.
 * @throws InvalidArgumentError for what is no time, and for one after the year 9999.
 * @example pointInTime("1h", 0, "the timer") === 3_600_000
 */
export function pointInTime(when: Date | Duration, now: Instant, what: string): Instant {
  const instant = when instanceof Date ? when.getTime() : now + durationMs(when);
  if (!Number.isFinite(instant)) throw new InvalidArgumentError(`The time of ${what} is no valid Date.`);
  if (instant > LATEST_INSTANT) throw new InvalidArgumentError(`The time of ${what} is after the year 9999.`);
  return instant;
}
