// holder-of-task-hub: which process has a task hub's file.

import { InvalidArgumentError } from "../contract/errors.ts";
import { withoutPassword } from "../contract/without-password.ts";
import { canonicalPath, holderOf } from "../stores/sqlite/database-file.ts";
import { parseHubUrl } from "./hub-url.ts";

/**
 * The process that holds a task hub's file, and so may write to it; `undefined` when nobody does. An answer of this moment, for people and tools:
 * who wants to write opens the hub, and is told then.
 *
 * @param url `"sqlite:orders.db"`.
 * @throws InvalidArgumentError where the hub is no file.
 * @example
 * const holder = holderOfTaskHub("sqlite:orders.db");
 * console.log(holder === undefined ? "nobody has it" : `process ${holder.pid} has it`);
 */
export function holderOfTaskHub(url: string): { readonly pid: number | undefined } | undefined {
  const address = parseHubUrl(url);
  if (address.scheme !== "sqlite")
    throw new InvalidArgumentError(`Only a file has a holder: write "sqlite:orders.db", not ${JSON.stringify(withoutPassword(url))}.`);
  return holderOf(canonicalPath(address.path));
}
