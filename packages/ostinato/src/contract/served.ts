// served: the names that somebody takes work for.
//
// Always:  SE1 "any" takes every name; who names a thing says that it has it, and who takes any will say so when it sees the work.

/** The names that somebody takes; `"any"`: whatever there is. */
export type Served = ReadonlySet<string> | "any";

/**
 * The names of a list, to be asked for often.
 *
 * @example
 * takes(servedNames(["charge"]), "charge") === true
 */
export function servedNames(names: readonly string[] | "any"): Served {
  return names === "any" ? "any" : new Set(names);
}

/**
 * Whether work of this name is taken.
 *
 * @example
 * takes("any", "charge") === true
 */
export function takes(served: Served, name: string): boolean {
  return served === "any" || served.has(name);
}

/**
 * The names, for people.
 *
 * @example
 * servedText(servedNames(["charge", "ship"])) === "'charge', 'ship'"
 */
export function servedText(served: Served): string {
  if (served === "any") return "any";
  return [...served].map((each) => `'${each}'`).join(", ") || "none";
}
