// times: instants and lengths of time, as people read and write them.
//
// Always:  absolute times are UTC, so that two people who compare what they see mean the same; the reading of now is an argument.

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** `2026-11-22T17:28:09.120Z`; an instant that no calendar has is shown as a number. */
export function absolute(instant: number): string {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? `${instant}` : date.toISOString();
}

/**
 * A length of time in its two largest units.
 *
 * @example
 * lengthOf(5_400_000) === "1 h 30 min"
 */
export function lengthOf(ms: number): string {
  const rounded = Math.max(0, Math.round(ms));
  if (rounded < 1_000) return `${rounded} ms`;
  if (rounded < 10_000) return `${Math.floor(rounded / 100) / 10} s`;
  let rest = rounded;
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
    // The second part is the next smaller unit, or none.
    if (parts.length === 2 || (parts.length === 1 && count === 0)) break;
  }
  return parts.join(" ");
}

/** How an instant lies to now: `3 min ago`, `in 2 h`, `just now`. */
export function relative(instant: number, now: number): string {
  const ms = instant - now;
  if (Math.abs(ms) < 1_000) return "just now";
  return ms > 0 ? `in ${lengthOf(ms)}` : `${lengthOf(-ms)} ago`;
}

/** `2026-11-22T17:28:09.120Z (3 min ago)` */
export function both(instant: number, now: number): string {
  return `${absolute(instant)} (${relative(instant, now)})`;
}

const AGO = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What a person wrote for a time: an ISO date or time, or a length of time that is over (`2h`). `undefined`: neither. */
export function timeGiven(text: string, now: number): Date | undefined {
  const ago = AGO.exec(text.trim());
  const date = ago === null ? new Date(text) : new Date(now - Number(ago[1]) * (UNIT_MS[ago[2] ?? ""] ?? Number.NaN));
  // `new Date` reads much that nobody means: "17" is a month of 2001.
  return Number.isNaN(date.getTime()) || (ago === null && !/^\d{4}-\d{2}/.test(text.trim())) ? undefined : date;
}
