// tree: a message of the protocol as a tree that can say anything, also what no schema allows, and its bytes.
//
// Owns:    the wire format of protocol buffers, written down a second time: tags, varints, lengths, groups.
// Always:  TR1 what was read from bytes and not changed is written as the same bytes, but for varints that were longer than they need be.
import type { DescField, DescMessage } from "@bufbuild/protobuf";

/** What a field holds. */
export type Content =
  | { kind: "varint"; value: bigint }
  | { kind: "fixed64"; bytes: Uint8Array }
  | { kind: "fixed32"; bytes: Uint8Array }
  | { kind: "bytes"; bytes: Uint8Array }
  | { kind: "message"; fields: Field[] }
  | { kind: "group"; fields: Field[] };

/** A field, as it stands on the wire. */
export interface Field {
  number: number;
  content: Content;
  /** The wire type that its tag claims, when that is a lie. */
  claims?: number;
  /** The length that it claims, when that is a lie. */
  says?: bigint;
  /** What the schema knows of it. */
  of?: DescField;
}

const WIRE_TYPES: { readonly [K in Content["kind"]]: number } = { varint: 0, fixed64: 1, bytes: 2, message: 2, group: 3, fixed32: 5 };
const END_OF_GROUP = 4;

/** Bytes that are written from the end to the beginning: so a length is known when its turn comes. */
class Backwards {
  #bytes = new Uint8Array(256);
  #at = 256;

  /** How much is written so far. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  block(content: Uint8Array): void {
    if (content.length > this.#at) this.#grow(content.length);
    this.#at -= content.length;
    this.#bytes.set(content, this.#at);
  }

  #grow(needed: number): void {
    const { length } = this;
    const more = new Uint8Array(Math.max(2 * this.#bytes.length, length + needed + 256));
    more.set(this.#bytes.subarray(this.#at), more.length - length);
    this.#at = more.length - length;
    this.#bytes = more;
  }

  varint(value: bigint): void {
    if (value >= 0n && value < 0x4000_0000n) return this.small(Number(value));
    const bytes: number[] = [];
    let left = BigInt.asUintN(64, value);
    while (left > 0x7fn) {
      bytes.push(Number(left & 0x7fn) | 0x80);
      left >>= 7n;
    }
    bytes.push(Number(left));
    this.block(Uint8Array.from(bytes));
  }

  /** A whole number below 2^30. */
  small(value: number): void {
    const length = value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
    if (this.#at < length) this.#grow(length);
    this.#at -= length;
    let left = value;
    for (let place = 0; place < length; place++) {
      this.#bytes[this.#at + place] = (left & 0x7f) | (place < length - 1 ? 0x80 : 0);
      left >>>= 7;
    }
  }

  done(): Uint8Array {
    return this.#bytes.slice(this.#at);
  }
}

/** The bytes of a tree. */
export function write(fields: readonly Field[]): Uint8Array {
  const out = new Backwards();
  writeInto(out, fields);
  return out.done();
}

function writeInto(out: Backwards, fields: readonly Field[]): void {
  for (let place = fields.length - 1; place >= 0; place--) {
    const { number, content, claims, says } = fields[place]!;
    const end = out.length;
    if (content.kind === "varint") out.varint(content.value);
    else if (content.kind === "message") writeInto(out, content.fields);
    else if (content.kind === "group") {
      out.small(tagOf(number, END_OF_GROUP));
      writeInto(out, content.fields);
    } else out.block(content.bytes);
    if (content.kind === "message" || content.kind === "bytes") {
      if (says === undefined) out.small(out.length - end);
      else out.varint(says);
    }
    out.small(tagOf(number, claims ?? WIRE_TYPES[content.kind]));
  }
}

/** Numbers of fields are below 2^27 here. */
function tagOf(number: number, wireType: number): number {
  return (number << 3) | wireType;
}

/** The tree of bytes that a schema describes; `undefined` when they are no message. */
export function read(bytes: Uint8Array, schema: DescMessage | undefined): Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  const block = (length: number): Uint8Array | undefined => {
    if (at + length > bytes.length) return undefined;
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag === undefined) return undefined;
    const number = Number(tag >> 3n);
    const of = schema?.fields.find((each) => each.number === number);
    const content = contentOf(Number(tag & 7n), of, varint, block);
    if (content === undefined) return undefined;
    fields.push({ number, content, ...(of === undefined ? {} : { of }) });
  }
  return fields;
}

function contentOf(
  wireType: number,
  of: DescField | undefined,
  varint: () => bigint | undefined,
  block: (length: number) => Uint8Array | undefined,
): Content | undefined {
  if (wireType === 0) {
    const value = varint();
    return value === undefined ? undefined : { kind: "varint", value };
  }
  if (wireType === 2) {
    const length = varint();
    const bytes = length === undefined || length > 1_000_000_000n ? undefined : block(Number(length));
    if (bytes === undefined) return undefined;
    const inner = of === undefined ? undefined : messageOf(of);
    const fields = inner === undefined ? undefined : read(bytes, inner);
    return fields === undefined ? { kind: "bytes", bytes } : { kind: "message", fields };
  }
  if (wireType !== 1 && wireType !== 5) return undefined;
  const bytes = block(wireType === 1 ? 8 : 4);
  return bytes === undefined ? undefined : { kind: wireType === 1 ? "fixed64" : "fixed32", bytes };
}

/** The schema of what a field holds, where that is a message (an entry of a map is none that has a schema). */
export function messageOf(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "message") return field.message;
  return field.fieldKind === "list" && field.listKind === "message" ? field.message : undefined;
}

/** Deeper than that nobody looks: what lies there was put there to be deep. */
const DEEPEST = 16;

/** The lists of fields in a tree, the outermost first. */
export function levels(fields: Field[], depth = 0): Field[][] {
  const found: Field[][] = [fields];
  if (depth < DEEPEST)
    for (const { content } of fields)
      if (content.kind === "message" || content.kind === "group") for (const list of levels(content.fields, depth + 1)) found.push(list);
  return found;
}
