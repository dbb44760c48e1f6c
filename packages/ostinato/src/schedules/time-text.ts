// time-text: points and lengths of time, as the schedules of the Durable Task SDKs write them.
//
// Always:  TT1 what is written here is what the Python SDK would have written, to the character, for whole milliseconds.
//          TT2 read is whatever Python and .NET write: with `Z` or an offset, with as many digits behind the second as there are.

import { InvalidArgumentError } from "../contract/errors.ts";
import { LATEST_INSTANT, type Instant } from "../contract/instant.ts";

/**
 * A point in time as text: always UTC, with digits behind the second only where there are some.
 *
 * @example instantText(0) === "1970-01-01T00:00:00+00:00"
 */
export function instantText(instant: Instant): string {
  const text = new Date(instant).toISOString();
  return text.endsWith(".000Z") ? `${text.slice(0, -5)}+00:00` : `${text.slice(0, -1)}000+00:00`;
}

/**
 * The point in time that a text means; one without an offset is UTC.
 *
 * @throws InvalidArgumentError for what is no time.
 * @example instantOf("2026-03-29T03:00:00+02:00", "StartAt") === Date.UTC(2026, 2, 29, 1)
 */
export function instantOf(text: unknown, what: string): Instant {
  const instant = typeof text === "string" ? Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`) : Number.NaN;
  if (Number.isNaN(instant) || instant < 0 || instant > LATEST_INSTANT)
    throw new InvalidArgumentError(`${what} must be a time like "2026-01-01T00:00:00+00:00"; got ${JSON.stringify(text)}.`);
  return instant;
}

const TICKS_PER_MS = 10_000;
const SPAN = /^(-)?(?:(\d+)\.)?(\d+):(\d\d):(\d\d)(?:\.(\d{1,7}))?$/;

/**
 * A length of time as a .NET TimeSpan writes it: `[d.]hh:mm:ss[.fffffff]`.
 *
 * @example spanText(90_000) === "00:01:30"
 */
export function spanText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const fraction = Math.min(9_999_999, Math.round((ms - seconds * 1_000) * TICKS_PER_MS));
  const days = Math.floor(seconds / 86_400);
  const clock = [Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${days === 0 ? "" : `${days}.`}${clock.join(":")}${fraction === 0 ? "" : `.${String(fraction).padStart(7, "0")}`}`;
}

/**
 * The milliseconds of such a length of time.
 *
 * @throws InvalidArgumentError for what is none, and for a negative one.
 * @example spanMs("1.02:00:00", "Interval") === 93_600_000
 */
export function spanMs(text: unknown, what: string): number {
  const parts = typeof text === "string" ? SPAN.exec(text.trim()) : null;
  if (parts === null || parts[1] !== undefined)
    throw new InvalidArgumentError(`${what} must be a length of time like "01:30:00" or "7.00:00:00"; got ${JSON.stringify(text)}.`);
  const [days, hours, minutes, seconds] = parts.slice(2, 6).map((part) => Number(part ?? 0)) as [number, number, number, number];
  const ticks = Number((parts[6] ?? "0").padEnd(7, "0"));
  return ((days * 24 + hours) * 3_600 + minutes * 60 + seconds) * 1_000 + ticks / TICKS_PER_MS;
}
