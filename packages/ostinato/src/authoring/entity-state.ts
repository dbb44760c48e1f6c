// entity-state: the state of an entity, from text to what operations see, and back.
//
// Owns:    in which order a stored state is read, brought up to date, checked and made an instance of its class; the way back.
// Is told: the definition, the converter, the text or the value, the entity's id for messages.
// Tells:   the value, or the text; a PayloadError or a ValidationError. A promise only where a schema answers with one.
// Always:  ES1 what was written is what is read, for a schema that accepts what it gives.
//          ES2 an instance of a class is made by its constructor and given the stored fields: what its program has got since it was stored is
//              there as it begins, and private fields (#x) are. Where the class has fromJSON, that is asked instead.

import { type PayloadConverter, dismantle, revive } from "./payload.ts";
import { decodeWith, encodeWith, shapeOf, validate } from "./schema.ts";
import { isThenable } from "./thenable.ts";
import type { EntityClass, EntityDefinition } from "./entity.ts";

type Kind = Pick<EntityDefinition, "state" | "class" | "initial" | "upcast">;

/**
 * What operations see as the state: what is stored, or what the entity begins with. Each time anew: nobody else has it.
 *
 * @example
 * await readEntityState(counter, defaultConverter, undefined, "@counter@visits"); // 0
 */
export function readEntityState(kind: Kind, converter: PayloadConverter, text: string | undefined, id: string): unknown {
  const what = `state of entity '${id}'`;
  const type = kind.class;
  let value: unknown;
  if (text === undefined) value = kind.initial();
  else {
    value = decodeWith(converter, undefined, text, what);
    if (kind.upcast !== undefined) value = kind.upcast(value);
  }
  if (type === undefined) return validate(kind.state, revive(value, shapeOf(kind.state), what), what);
  if (kind.state === undefined) return validate(type, instanceOf(type, value, what), what);
  return after(validate(kind.state, dismantle(value, type, what), what), (fields) => validate(type, instanceOf(type, fields, what), what));
}

/**
 * The text of a state; `undefined` for none, which is also what the value `undefined` stands for.
 *
 * @example
 * await writeEntityState(counter, defaultConverter, 1, "@counter@visits"); // "1"
 */
export function writeEntityState(
  kind: Kind,
  converter: PayloadConverter,
  value: unknown,
  id: string,
): string | undefined | Promise<string | undefined> {
  if (value === undefined) return undefined;
  const what = `state of entity '${id}'`;
  const type = kind.class;
  if (type === undefined) return after(validate(kind.state, value, what), (checked) => encodeWith(converter, kind.state, checked, what));
  const fields = dismantle(validate(type, value, what), type, what);
  return after(validate(kind.state, fields, what), (checked) => encodeWith(converter, undefined, checked, what));
}

function instanceOf(type: EntityClass, data: unknown, what: string): unknown {
  if (data instanceof type) return data;
  if (typeof (type as { fromJSON?: unknown }).fromJSON === "function") return revive(data, type, what);
  if (typeof data !== "object" || data === null || Array.isArray(data)) return data; // for the check to refuse
  const made = new type();
  // Defined, not assigned: no setter of the class is called, and no key of the data is more than a field.
  for (const [key, value] of Object.entries(data))
    Object.defineProperty(made, key, { value, writable: true, enumerable: true, configurable: true });
  return made;
}

function after<T>(value: unknown, then: (value: unknown) => T): T | Promise<T> {
  return isThenable(value) ? Promise.resolve(value).then(then) : then(value);
}
