// grow: messages made from their schema by chance. They are what a peer could send, field for field; what nobody would send is made by mutation.
//
// Owns:    which fields a message has, and with what in them.
// Always:  GR1 every field, oneof and enumeration of a schema is reached; a name in the schema decides nothing but which words are likely.
import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import type { Chance } from "../simulation/chance.ts";
import type { Content, Field } from "./tree.ts";
import * as words from "./words.ts";

/** What is likely to be said. */
export interface Lore {
  readonly now: number;
  /** By the end of a field's name: `instanceId`, `name`, `completionToken`. */
  readonly likely: Readonly<Record<string, readonly string[]>>;
}

const DEEPEST = 7;

/** A message of a schema. */
export function grow(schema: DescMessage, chance: Chance, lore: Lore, depth = 0): Field[] {
  if (schema.typeName === "google.protobuf.Timestamp" || schema.typeName === "google.protobuf.Duration") return time(schema, chance, lore);
  const fields: Field[] = [];
  const fullness = chance.pick([0.15, 0.4, 0.7, 0.9]) / (depth > 3 ? 2 : 1);
  const wrapper = schema.typeName.startsWith("google.protobuf.");
  const chosen = new Map(schema.oneofs.map((oneof) => [oneof, chance.happens(0.95) ? chance.pick(oneof.fields) : undefined]));
  for (const field of schema.fields) {
    if (field.oneof !== undefined && chosen.get(field.oneof) !== field) continue;
    if (field.oneof === undefined && !chance.happens(wrapper ? 0.85 : fullness)) continue;
    if (depth >= DEEPEST && (field.fieldKind === "message" || field.fieldKind === "list")) continue;
    fields.push(...grown(field, chance, lore, depth));
  }
  return fields;
}

/** A field, as often as it likes to stand there. */
export function grown(field: DescField, chance: Chance, lore: Lore, depth: number): Field[] {
  const one = (content: Content): Field => ({ number: field.number, content, of: field });
  switch (field.fieldKind) {
    case "scalar":
      return [one(scalar(field.scalar, field, chance, lore))];
    case "enum":
      return [one({ kind: "varint", value: enumerated(chance) })];
    case "message":
      return [one({ kind: "message", fields: grow(field.message, chance, lore, depth + 1) })];
    case "list": {
      const count = chance.pick([0, 1, 1, 2, 3, chance.below(8)]);
      return Array.from({ length: count }, () =>
        field.listKind === "message"
          ? one({ kind: "message", fields: grow(field.message, chance, lore, depth + 1) })
          : field.listKind === "enum"
            ? one({ kind: "varint", value: enumerated(chance) })
            : one(scalar(field.scalar, field, chance, lore)),
      );
    }
    case "map": {
      const value = (): Content =>
        field.mapKind === "message"
          ? { kind: "message", fields: grow(field.message, chance, lore, depth + 1) }
          : field.mapKind === "enum"
            ? { kind: "varint", value: enumerated(chance) }
            : scalar(field.scalar, field, chance, lore);
      return Array.from({ length: chance.below(4) }, () => {
        const key: Content = { kind: "bytes", bytes: words.text(chance, [...words.TRAPS, "tag", "a"]) };
        return one({
          kind: "message",
          fields: [
            { number: 1, content: key },
            { number: 2, content: value() },
          ],
        });
      });
    }
  }
}

function scalar(type: ScalarType, field: DescField, chance: Chance, lore: Lore): Content {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return { kind: "bytes", bytes: words.text(chance, likely(field, lore)) };
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { kind: "fixed64", bytes: Uint8Array.from({ length: 8 }, () => chance.below(256)) };
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { kind: "fixed32", bytes: Uint8Array.from({ length: 4 }, () => chance.below(256)) };
    case ScalarType.BOOL:
      return { kind: "varint", value: BigInt(chance.below(2)) };
    default:
      return { kind: "varint", value: words.number(chance) };
  }
}

function likely(field: DescField, { likely: known }: Lore): readonly string[] {
  const name = field.localName.toLowerCase();
  for (const [end, texts] of Object.entries(known)) if (name.endsWith(end)) return texts;
  return ["1", '"a"', "text", "{}"];
}

/** A number of an enumeration, or one that it does not have. */
function enumerated(chance: Chance): bigint {
  return chance.happens(0.9) ? BigInt(chance.below(9)) : words.number(chance);
}

function time(schema: DescMessage, chance: Chance, { now }: Lore): Field[] {
  const from = schema.typeName.endsWith("Duration") ? 0 : now;
  return schema.fields.map((of) => {
    const value = of.number === 1 ? words.seconds(chance, from) : words.nanos(chance);
    return { number: of.number, content: { kind: "varint", value }, of };
  });
}
