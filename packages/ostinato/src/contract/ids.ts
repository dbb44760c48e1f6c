// ids: the names by which things are known, and their rules.
//
// Owns:    what may be an instance id, a program name or an event name.
// Always:  an id or a name that passed here can be stored by every database and put in every log line.

import { InvalidArgumentError } from "./errors.ts";

/** The id of an orchestration instance, chosen by the caller or minted by the client. Unique in its task hub. */
export type InstanceId = string;
/** The id of one execution (generation) of an instance: a new one after continue-as-new, restart and rewind. */
export type ExecutionId = string;
/** The number of an address: minted by the store, never used again, not even for the same id after a purge. */
export type InstanceNumber = number;
/** A message's own id, minted by its sender; writing the same one twice is a no-op. */
export type MessageId = string;
/** What kind of program an instance runs. */
export type InstanceKind = "orchestration" | "entity";

/** The id of an entity, `@name@key`: what its address is found by, as an orchestration's by its own. The name is in lower case. */
export type EntityId = InstanceId;

/** The longest id or name that is accepted, in UTF-16 units. */
export const MAX_ID_LENGTH = 256;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Refuses an id that no orchestration may have.
 *
 * @throws InvalidArgumentError when it is empty, too long, starts with `@` (those are entities), or has control characters or lone surrogates.
 */
export function checkInstanceId(id: string): void {
  checkName(id, "instance id");
  if (id.startsWith("@"))
    throw new InvalidArgumentError(
      `The instance id ${JSON.stringify(id)} starts with "@", which is kept for entities (hub.entity, ctx.entity); choose another id.`,
    );
}

/**
 * Refuses a name (of an orchestrator, an activity, an event, ...) that cannot be stored or printed.
 *
 * @param what how messages call it, for example `"event name"`.
 * @throws InvalidArgumentError naming what is wrong with it.
 */
export function checkName(name: string, what: string): void {
  if (typeof name !== "string" || name.trim() === "") throw new InvalidArgumentError(`The ${what} must be a text that is not empty.`);
  if (name.length > MAX_ID_LENGTH)
    throw new InvalidArgumentError(`The ${what} has ${name.length} characters; ${MAX_ID_LENGTH} are allowed.`);
  if (CONTROL.test(name)) throw new InvalidArgumentError(`The ${what} ${JSON.stringify(name)} has control characters; remove them.`);
  if (!name.isWellFormed())
    throw new InvalidArgumentError(`The ${what} ${JSON.stringify(name)} has half a surrogate pair, which databases cannot hold.`);
}

/**
 * The id of an entity. Names are the same in whatever case they are written; a key may have any characters, `@` among them.
 *
 * @throws InvalidArgumentError for a name or a key that is empty, too long, or cannot be stored, and for a name with `@`.
 * @example entityId("Counter", "visits") === "@counter@visits"
 */
export function entityId(name: string, key: string): EntityId {
  checkName(name, "entity name");
  if (name.includes("@"))
    throw new InvalidArgumentError(`The entity name ${JSON.stringify(name)} has an "@", which parts it from its key.`);
  checkName(key, "entity key");
  const id = `@${name.toLowerCase()}@${key}`;
  if (id.length > MAX_ID_LENGTH)
    throw new InvalidArgumentError(`The entity id ${JSON.stringify(id)} has ${id.length} characters; ${MAX_ID_LENGTH} are allowed.`);
  return id;
}

/** Whether an id is an entity's. */
export function isEntityId(id: InstanceId): boolean {
  return id.startsWith("@") && id.indexOf("@", 1) > 1;
}

/**
 * Name and key of an entity's id; `undefined` for an id of another form. The name ends at the second `@`.
 *
 * @example partsOfEntityId("@counter@a@b") // { name: "counter", key: "a@b" }
 */
export function partsOfEntityId(id: InstanceId): { readonly name: string; readonly key: string } | undefined {
  const at = id.indexOf("@", 1);
  return id.startsWith("@") && at > 1 ? { name: id.slice(1, at).toLowerCase(), key: id.slice(at + 1) } : undefined;
}

/**
 * The name that an entity's record has, and by which workers claim it. An orchestrator's never begins with `@`.
 *
 * @example entityRecordName("@counter@visits") === "@counter"
 */
export function entityRecordName(id: EntityId): string {
  return id.slice(0, id.indexOf("@", 1));
}

/**
 * The id of a child that was given none: the parent's execution and the number of the action that started it, in at least four hexadecimal digits.
 *
 * @example childInstanceId("5b0c", 10) === "5b0c:000a"
 */
export function childInstanceId(execution: ExecutionId, actionId: number): InstanceId {
  return `${execution}:${actionId.toString(16).padStart(4, "0")}`;
}
