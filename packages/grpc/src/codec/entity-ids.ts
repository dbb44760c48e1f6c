// entity-ids: ids of entities, as others write them.
//
// Always:  EI1 an id comes out in its normal form, whatever the case of its name; one that is none is refused (InvalidArgumentError).
//          EI2 what begins with `@` is meant as an entity's: no orchestration is started, and no event sent, under such an id.

import { checkName, entityId, partsOfEntityId, type EntityId } from "ostinato/contract";
import { InvalidArgumentError } from "ostinato";

/** So many entities may be locked at once: the request that travels from one to the next carries all of their ids. */
export const MOST_LOCKED = 1_000;

/** Whether a text is meant as the id of an entity, well formed or not. */
export function meansEntity(id: string): boolean {
  return id.startsWith("@");
}

/** @throws InvalidArgumentError for what is no id of an entity, or a longer one than there can be. */
export function readEntityId(text: string): EntityId {
  const parts = partsOfEntityId(text);
  if (parts === undefined) throw new InvalidArgumentError(`${JSON.stringify(text)} is no id of an entity: one has the form "@name@key".`);
  return entityId(parts.name, parts.key);
}

/** The beginning of an id in its normal form: some clients leave out the first `@`, and write names in any case. */
export function readEntityPrefix(text: string | undefined): string | undefined {
  if (text === undefined || text === "" || text === "@") return undefined;
  const prefix = text.startsWith("@") ? text : `@${text}`;
  const at = prefix.indexOf("@", 1);
  return at < 0 ? prefix.toLowerCase() : prefix.slice(0, at).toLowerCase() + prefix.slice(at);
}

/** @throws InvalidArgumentError for an operation that has no name, or is asked for under no id. */
export function checkOperation({ operation, requestId }: { readonly operation: string; readonly requestId: string }): void {
  checkName(operation, "operation name");
  checkName(requestId, "request id");
}
