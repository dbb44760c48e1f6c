// options: what is asked for by name has to be there.
//
// Owns:    the refusal of a word that nobody reads.
// Always:  O1 a misspelt option is refused where it is given: it would be as good as not given, and a misspelt filter would take everything.

import { InvalidArgumentError } from "./errors.ts";

/** All that options may have, by name: a table, so that the compiler asks for each of them. */
export type OptionNames<T> = { readonly [Name in keyof T]-?: true };

/**
 * @throws InvalidArgumentError when options are no object, or have a name that is not among these.
 * @example checkOptions(options, { timeout: true }, "instance.result");
 */
export function checkOptions<T extends object>(options: T | undefined, names: OptionNames<T>, where: string): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new InvalidArgumentError(
      `${where} takes an object like { ${Object.keys(names)[0]}: ... } there; got ${JSON.stringify(options)}.`,
    );
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(names, name))
      throw new InvalidArgumentError(`${where} has no option '${name}'; it has ${Object.keys(names).join(", ")}.`);
  }
}

/**
 * @throws InvalidArgumentError when a word is given that is not one of these.
 * @example checkWord("later", ["wait", "fail"], "unregistered"); // throws
 */
export function checkWord<W extends string>(given: W | undefined, words: readonly W[], what: string): void {
  if (given !== undefined && !words.includes(given))
    throw new InvalidArgumentError(`${what} must be one of ${words.join(", ")}; got ${JSON.stringify(given)}.`);
}
