// cron: when a cron expression comes round, in its time zone.
//
// Owns:    the one place that knows the package which reads expressions; it is asked for when a schedule by cron is, and not before.
// Always:  CR1 a time of day that a clock change leaves out is made up for at the first moment after it; one that comes twice counts once, the first
//              time. Expressions with `*` or a step in seconds, minutes or hours go by the time that passes: each moment that they name, once.

import { InvalidArgumentError, UnsupportedError } from "../contract/errors.ts";
import type { Instant } from "../contract/instant.ts";
import type { Recurrence } from "./ticks.ts";

/** What is needed of the package. */
interface CronPackage {
  readonly Cron: new (
    expression: string,
    options: { readonly timezone: string; readonly paused: true; readonly fixedTimeRule: "no-wildcard" },
  ) => {
    nextRun(after: Date): Date | null;
    previousRuns(count: number, before: Date): Date[];
  };
}

const PACKAGE = "croner";

// By a name that is no literal: compilers and bundlers take nothing along that a program may not have.
const importPackage = (): Promise<unknown> => import(PACKAGE);

async function loadPackage(): Promise<CronPackage> {
  try {
    return (await importPackage()) as CronPackage;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new UnsupportedError(
      `A schedule by cron needs the package '${PACKAGE}' where its worker runs, which is not installed: npm install ${PACKAGE}. Schedules with an interval do without.`,
      { cause: error },
    );
  }
}

/**
 * What an expression means.
 *
 * @throws InvalidArgumentError for an expression or a time zone that cannot be read, and for one that never comes; UnsupportedError where the
 * package is not installed.
 */
export async function cronRecurrence(expression: string, timeZone: string): Promise<Recurrence> {
  const { Cron } = await loadPackage();
  const refused = (error: unknown): InvalidArgumentError =>
    new InvalidArgumentError(
      `The cron expression ${JSON.stringify(expression)} in the time zone ${JSON.stringify(timeZone)} cannot be read: ${(error as Error).message}`,
      { cause: error },
    );
  // The package also takes dates and words like @daily: a date comes once, and is a start time by another name.
  if (!/^(?:@[a-z]+|\S+(?:\s+\S+){4,6})$/i.test(expression.trim()))
    throw refused(new Error('it must have five fields, like "0 3 * * *", six with seconds first, or be a word like "@daily".'));
  try {
    const cron = new Cron(expression.trim(), { timezone: timeZone, paused: true, fixedTimeRule: "no-wildcard" });
    const first = cron.nextRun(new Date(0));
    if (first === null) throw new Error("it names no day that there is.");
    return {
      after: (instant) => cron.nextRun(new Date(instant))?.getTime(),
      // What has just come is still to be found: the moment itself is asked for as the one before the next millisecond.
      upTo: (instant: Instant) => cron.previousRuns(1, new Date(instant + 1))[0]?.getTime(),
    };
  } catch (error) {
    throw refused(error);
  }
}
