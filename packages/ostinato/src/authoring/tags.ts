// tags: what a caller may attach.

import { InvalidArgumentError } from "../contract/errors.ts";
import { checkName } from "../contract/ids.ts";
import type { Tags } from "../contract/instance.ts";
import { refuseUnstorableText } from "./payload.ts";

/**
 * The tags as they are stored; none at all are left out.
 *
 * @throws InvalidArgumentError, PayloadError for names and values that no database can hold.
 */
export function checkedTags(tags: Tags | undefined): Tags | undefined {
  if (tags === undefined) return undefined;
  for (const [name, value] of Object.entries(tags)) {
    checkName(name, "tag name");
    if (typeof value !== "string") throw new InvalidArgumentError(`The tag '${name}' must be a text; got ${typeof value}.`);
    refuseUnstorableText(value, `value of tag '${name}'`);
  }
  return Object.keys(tags).length === 0 ? undefined : { ...tags };
}
