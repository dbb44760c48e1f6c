// timestamps: instants and lengths of time, as the protocol writes them.
//
// Owns:    the way between whole milliseconds and seconds with nanoseconds.
// Always:  T1 what shall not happen early is rounded up, everything else down.
//          T2 a time out of range becomes the nearest that is in it: no peer can stop a reader with a date.

import { LATEST_INSTANT, type Instant } from "ostinato/contract";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** A duration or a time as far as anything here reads it: the parts can be anything that fits a field. */
type Parts = Pick<Timestamp, "seconds" | "nanos">;

/** An instant as a timestamp. */
export function encodeInstant(instant: Instant): Timestamp {
  const seconds = Math.floor(instant / 1_000);
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos: Math.round(instant - seconds * 1_000) * 1_000_000 };
}

/** An instant as a timestamp, where there is one. */
export function encodeOptionalInstant(instant: Instant | undefined): Timestamp | undefined {
  return instant === undefined ? undefined : encodeInstant(instant);
}

/** The instant of a timestamp, rounded down; `undefined` where there is none. */
export function decodeInstant(timestamp: Parts | undefined): Instant | undefined {
  return timestamp === undefined ? undefined : millis(timestamp, Math.floor);
}

/** The instant of a timestamp before which something must not happen: rounded up. */
export function decodeDue(timestamp: Parts | undefined): Instant | undefined {
  return timestamp === undefined ? undefined : millis(timestamp, Math.ceil);
}

/** The instant of a timestamp of which the beginning of 1970, and everything before it, stands for none: so SDKs write a time they do not have. */
export function decodeKnownInstant(timestamp: Parts | undefined): Instant | undefined {
  const instant = decodeInstant(timestamp);
  return instant === undefined || instant <= 0 ? undefined : instant;
}

/** A length of time. */
export function encodeDuration(ms: number): Duration {
  const { seconds, nanos } = encodeInstant(ms);
  return { $typeName: "google.protobuf.Duration", seconds, nanos };
}

/** The milliseconds of a length of time, never negative; `undefined` where there is none. */
export function decodeDuration(duration: Parts | undefined): number | undefined {
  return decodeDue(duration);
}

function millis({ seconds, nanos }: Parts, round: (ms: number) => number): number {
  const ms = Number(seconds) * 1_000 + round(nanos / 1_000_000);
  return Math.min(Math.max(ms, 0), LATEST_INSTANT);
}
