// program-logger: the log of a body that acts in the world; every line carries what it belongs to.

import type { ProgramLogger } from "../authoring/activity-context.ts";
import type { Logger } from "../platform/logger.ts";

/** A log whose lines carry these facts, whatever fields of the same names they give. */
export function programLogger(log: Logger, facts: Readonly<Record<string, unknown>>): ProgramLogger {
  const at =
    (level: keyof ProgramLogger) =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      log[level](message, { ...fields, ...facts });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
