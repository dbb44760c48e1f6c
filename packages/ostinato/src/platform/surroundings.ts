// surroundings: what the process is told from outside.
//
// Owns:    the only look at the environment and the machine.

import { availableParallelism } from "node:os";

/**
 * A variable of the environment; `undefined` when it is absent or empty.
 *
 * @example
 * const url = environmentVariable("OSTINATO_URL");
 */
export function environmentVariable(name: string): string | undefined {
  const value = process.env[name];
  return value === undefined || value === "" ? undefined : value;
}

/**
 * How many processors this process may use.
 *
 * @example
 * const slots = 100 * processorCount();
 */
export function processorCount(): number {
  return availableParallelism();
}
