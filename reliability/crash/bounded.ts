// bounded: no wait of a campaign is without an end.
import { setTimeout as sleep } from "node:timers/promises";

/** A wait that lasted too long. Its message says what was waited for and how things stand. */
export class StoodStill extends Error {}

/** What a promise resolves to, or StoodStill after so long. */
export async function within<T>(
  ms: number,
  what: string,
  promise: Promise<T>,
  state: () => string | Promise<string> = () => "",
): Promise<T> {
  const stop = new AbortController();
  const late = sleep(ms, LATE, { signal: stop.signal }).catch(() => LATE);
  try {
    const first = await Promise.race([promise, late]);
    if (first !== LATE) return first as T;
  } finally {
    stop.abort();
  }
  throw new StoodStill(`${what}: nothing after ${ms} ms.\n${await state()}`);
}

const LATE = Symbol("late");
