// mutate: what befalls a message that was well made.
//
// Owns:    the kinds of damage, each with its name. Some know the schema, some the wire format, some nothing but bytes.
import type { Chance } from "../simulation/chance.ts";
import { grown, type Lore } from "./grow.ts";
import { levels, messageOf, write, type Field } from "./tree.ts";
import * as words from "./words.ts";

type OnTree = (fields: Field[], chance: Chance, lore: Lore) => void;
type OnBytes = (bytes: Uint8Array, chance: Chance) => Uint8Array;

/** A field, and the list that it stands in. */
function anyField(fields: Field[], chance: Chance): { readonly list: Field[]; readonly at: number; readonly field: Field } | undefined {
  const lists = levels(fields).filter((list) => list.length > 0);
  if (lists.length === 0) return undefined;
  const list = chance.pick(lists);
  const at = chance.below(list.length);
  return { list, at, field: list[at]! };
}

const onField =
  (change: (found: { readonly list: Field[]; readonly at: number; readonly field: Field }, chance: Chance, lore: Lore) => void): OnTree =>
  (fields, chance, lore) => {
    const found = anyField(fields, chance);
    if (found !== undefined) change(found, chance, lore);
  };

/** Damage to what a message says. */
export const TREE_MUTATIONS = {
  "field left out": onField(({ list, at }) => void list.splice(at, 1)),
  "field twice": onField(({ list, at, field }) => void list.splice(at, 0, { ...field })),
  "field somewhere else": onField(({ list, at, field }, chance) => {
    list.splice(at, 1);
    list.splice(chance.below(list.length + 1), 0, field);
  }),
  "field of another number": onField(
    ({ field }, chance) => void (field.number = chance.pick([1, 2, 3, 10, 11, 15, 16, 1500, 134_217_727])),
  ),
  "unknown field": onField(({ list }, chance) => {
    const number = chance.pick([99, 1_499, 1_501, 19_500, 134_217_727]);
    const bytes = words.text(chance, []);
    list.push({ number, content: chance.happens(0.5) ? { kind: "bytes", bytes } : { kind: "varint", value: words.number(chance) } });
  }),
  "other members of a oneof": (fields, chance, lore) => {
    for (const list of levels(fields)) {
      const oneof = list.map(({ of }) => of?.oneof).find((each) => each !== undefined);
      if (oneof !== undefined && chance.happens(0.7)) list.push(...grown(chance.pick(oneof.fields), chance, lore, 4));
    }
  },
  "wrong wire type": onField(({ field }, chance) => void (field.claims = chance.below(8))),
  "another kind of content": onField(({ field }, chance) => {
    field.content = chance.pick([
      { kind: "varint", value: words.number(chance) },
      { kind: "bytes", bytes: words.text(chance, []) },
      { kind: "fixed32", bytes: new Uint8Array(4) },
      { kind: "fixed64", bytes: new Uint8Array(8).fill(255) },
      { kind: "group", fields: [] },
    ]);
  }),
  "odd number": (fields, chance) => {
    const numbers = levels(fields).flatMap((list) => list.flatMap(({ content }) => (content.kind === "varint" ? [content] : [])));
    if (numbers.length > 0) chance.pick(numbers).value = words.number(chance);
  },
  "odd text": (fields, chance) => {
    const texts = levels(fields).flatMap((list) => list.flatMap(({ content }) => (content.kind === "bytes" ? [content] : [])));
    if (texts.length > 0) chance.pick(texts).bytes = words.text(chance, words.TRAPS);
  },
  "length that is not true": onField(({ field }, chance) => {
    field.says = chance.pick([0n, 1n, 127n, 100_000n, 2_147_483_647n, 4_294_967_296n, 18_446_744_073_709_551_615n]);
  }),
  "a field very often": onField(({ list, at, field }, chance) => {
    // What it holds is written once: it may be large.
    if (field.content.kind === "message") field.content = { kind: "bytes", bytes: write(field.content.fields) };
    const most = Math.ceil(1_000_000 / (write([field]).length + 1));
    const times = Math.min(most, chance.pick([20, 200, chance.happens(0.1) ? 5_000 : 600]));
    list.splice(at, 0, ...Array.from({ length: times }, () => field));
  }),
  "nested in itself": (fields, chance) => {
    const nests = levels(fields).flatMap((list) => list.filter(({ content }) => content.kind === "message"));
    if (nests.length === 0) return;
    const field = chance.pick(nests);
    // A message that holds a field of its own kind can be nested as deep as its writer likes; any other reads the number as something else.
    const schema = field.of && messageOf(field.of);
    const own = schema?.fields.find((each) => messageOf(each) === schema);
    let inner = field.content;
    for (let depth = chance.pick([5, 99, 101, chance.happens(0.2) ? 1_000 : 20]); depth > 0; depth--)
      inner = { kind: "message", fields: [{ number: own?.number ?? field.number, content: inner }] };
    field.content = inner;
  },
  "groups in groups": (fields, chance) => {
    let inner: Field[] = [];
    for (let depth = chance.pick([3, 101, chance.happens(0.2) ? 2_000 : 20]); depth > 0; depth--)
      inner = [{ number: 77, content: { kind: "group", fields: inner } }];
    fields.push(...inner);
  },
} satisfies Record<string, OnTree>;

/** Damage to bytes. */
export const BYTE_MUTATIONS = {
  "bits turned over": (bytes, chance) => {
    const copy = bytes.slice();
    for (let left = chance.between(1, 4); left > 0 && copy.length > 0; left--) copy[chance.below(copy.length)]! ^= 1 << chance.below(8);
    return copy;
  },
  "cut off": (bytes, chance) => bytes.slice(0, chance.below(bytes.length + 1)),
  "bytes put in": (bytes, chance) => {
    const at = chance.below(bytes.length + 1);
    const noise = Uint8Array.from({ length: chance.between(1, 12) }, () => chance.below(256));
    return Uint8Array.of(...bytes.subarray(0, Math.min(at, 2_000)), ...noise, ...bytes.subarray(at, at + 2_000));
  },
  "bytes left out": (bytes, chance) => {
    const at = chance.below(bytes.length + 1);
    const copy = bytes.slice(chance.between(1, 4));
    copy.set(bytes.subarray(0, Math.min(at, copy.length)));
    return copy;
  },
  "noise alone": (_bytes, chance) => Uint8Array.from({ length: chance.below(60) }, () => chance.below(256)),
  "a varint without end": (bytes) => Uint8Array.of(...bytes.subarray(0, 500), 0x08, ...Array.from({ length: 12 }, () => 0xff)),
} satisfies Record<string, OnBytes>;

/** A kind of damage. */
export type MutationName = keyof typeof TREE_MUTATIONS | keyof typeof BYTE_MUTATIONS;

/** All kinds. */
export const MUTATION_NAMES = [...Object.keys(TREE_MUTATIONS), ...Object.keys(BYTE_MUTATIONS)] as readonly MutationName[];

const TREE_NAMES = Object.keys(TREE_MUTATIONS) as (keyof typeof TREE_MUTATIONS)[];
const BYTE_NAMES = Object.keys(BYTE_MUTATIONS) as (keyof typeof BYTE_MUTATIONS)[];

/** Damages a message; says with what. The tree is used up. */
export function mutate(
  fields: Field[],
  chance: Chance,
  lore: Lore,
): { readonly bytes: Uint8Array; readonly with: readonly MutationName[] } {
  const names: MutationName[] = [];
  if (chance.happens(0.8))
    for (let left = chance.pick([1, 1, 1, 2, 3]); left > 0; left--) {
      const name = chance.pick(TREE_NAMES);
      names.push(name);
      TREE_MUTATIONS[name](fields, chance, lore);
    }
  let bytes = write(fields);
  if (names.length === 0 || chance.happens(0.1)) {
    const name = chance.pick(BYTE_NAMES);
    names.push(name);
    bytes = (BYTE_MUTATIONS[name] as OnBytes)(bytes, chance);
  }
  return { bytes, with: names };
}
