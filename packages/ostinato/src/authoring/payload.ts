// payload: a value of the author's becomes text that a store keeps and other languages read, and comes back.
//
// Owns:    the text form of every value: what is plain, the closed list of what else is carried, and how a declared class is
//          taken apart and rebuilt.
// Is told: the value or the text, and in words whose it is ("input of activity 'hello'"). It looks at nothing else.
// Tells:   text that any database can hold, or the value; else a PayloadError that names the path and the remedy.
// Always:  P1 a plain value is written exactly as JSON.stringify writes it.
//          P2 whatever is written comes back as it was, or its change is documented here; nothing is dropped in silence.
//          P3 no class of the author's is chosen by the data: a definition names it, or it is not rebuilt.
//          P4 text is never run and never reaches a prototype: keys of the data become own properties only.
//
// *Plain* is null, a boolean, a string, a finite number except -0, an array without holes, and an object with the ordinary
// prototype or none (it comes back with the ordinary one), if none of it is undefined. Everything else that can be carried
// stands in the text as {"$o":[kind, data]}:
//
//   undefined (nested)             ["undefined", null]            NaN, infinities, -0    ["number", "NaN"]
//   bigint                         ["bigint", "12"]               Date                   ["Date", ISO text, or null: invalid]
//   Map                            ["Map", [[key, value], ...]]   Set                    ["Set", [value, ...]]
//   typed array (Buffer: its bytes) ["Uint8Array", base64]        ArrayBuffer            ["ArrayBuffer", base64]
//   URL                            ["URL", href]                  RegExp                 ["RegExp", [source, flags, lastIndex?]]
//   any Error                      [built-in class, { name, message, stack?, cause?, errors?, fields? }]
//   array with holes               ["array", [length, [[index, value], ...]]]
//   plain object with a key "$o"   ["object", the object]
//
// What changes on the way, by design: a subclass of Error comes back as the built-in class it extends, with its name; a
// Buffer as a Uint8Array; the result of toJSON() stands for what had it; keys that are not enumerable, and keys put on an
// array, a Map or another built-in, are no part of the value. Bytes of typed arrays are little-endian on every machine.

import { PayloadError } from "../contract/errors.ts";

/** A class whose instances are `T`, whatever its constructor takes. It may be abstract: it is never called. */
export type ClassOf<T = unknown> = abstract new (...args: never[]) => T;

/** What a payload is rebuilt as: an instance of a class, or a list of such instances. */
export type Shape = ClassOf | readonly [ClassOf];

/**
 * Turns the values of orchestrators, activities and clients into text and back.
 *
 * Both functions are synchronous and depend on their arguments alone: a replay decodes the same text again and must see
 * the same value. Encryption and compression belong in a codec, which sees whole messages, and not here. Instances of
 * classes that a definition names have been taken apart before `encode` sees them and are rebuilt after `decode`.
 *
 * @example
 * // Nothing but JSON, as bare JSON.stringify has it: dates become text, undefined and functions are dropped.
 * const bareJson: PayloadConverter = {
 *   encode: (value) => JSON.stringify(value),
 *   decode: (text) => (text === undefined ? undefined : JSON.parse(text)),
 * };
 */
export interface PayloadConverter {
  /**
   * The text for a value; `undefined` means that there is no payload. `at` names the value for messages, beginning with
   * the word that paths begin with: "input of activity 'hello'" gives paths such as `input.lines[2].price`.
   * Throws PayloadError for what cannot be written.
   */
  encode(value: unknown, at: string): string | undefined;
  /** The value of a text that `encode` gave. Throws PayloadError for any other text. */
  decode(text: string | undefined, at: string): unknown;
}

/**
 * How many objects a value may have inside one another. The deepest takes less than a third of the stack that Node gives,
 * and the JSON readers of other languages stop at a thousand levels or later, or can be told to.
 */
export const MAX_PAYLOAD_DEPTH = 256;

/** The converter that is used where no other is given: JSON, and a closed list of JavaScript's own types beside it. */
export const defaultConverter: PayloadConverter = {
  encode(value, at) {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value);
      case "number":
        if (isPlainNumber(value)) return `${value}`;
        break;
      case "boolean":
        return value ? "true" : "false";
      case "undefined":
        return undefined;
      case "object":
        if (value === null) return "null";
        if (isProvablyPlain(value)) return write(value, at);
        break;
      default:
        break;
    }
    return write(tag(value, new Trail(at, "written")), at);
  },

  decode(text, at) {
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // The parser's own message quotes the text, and payloads are nobody's business but the author's.
      throw new PayloadError(`The ${at} cannot be read: its ${text.length} characters are not JSON. Was it written by another converter?`, {
        path: rootOf(at),
      });
    }
    if (typeof value !== "object" || value === null || !text.includes('"$o"')) return value;
    return untag(value, new Trail(at, "read"));
  },
};

// ---- the fast path: prove that a value is plain, then leave it to JSON.stringify

function isPlainNumber(value: number): boolean {
  return value === 0 ? 1 / value > 0 : value - value === 0; // the subtraction gives NaN for NaN and the infinities
}

function isProvablyPlain(value: object): boolean {
  try {
    return isPlainObject(value, 1);
  } catch {
    return false; // a getter or a proxy threw: the careful way meets it again and knows the path
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (depth > MAX_PAYLOAD_DEPTH || (value as MayHaveToJson).toJSON !== undefined) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) {
    const list = value as readonly unknown[];
    for (let index = 0; index < list.length; index++) {
      if (!isPlainValue(list[index], depth)) return false; // a hole reads as undefined
    }
    return true;
  }
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    if (key === "$o" || !isPlainValue((value as Fields)[key], depth)) return false;
  }
  return Object.getOwnPropertySymbols(value).length === 0;
}

function isPlainValue(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return isPlainNumber(value);
    case "object":
      return value === null || isPlainObject(value, depth + 1);
    default:
      return false;
  }
}

function write(plain: unknown, at: string): string {
  try {
    return JSON.stringify(plain);
  } catch (cause) {
    throw new PayloadError(`The ${at} cannot be written: it is too large for one text.`, { path: rootOf(at), cause });
  }
}

// ---- the way down: where we are, for messages, cycles and depth

interface MayHaveToJson {
  readonly toJSON?: unknown;
}
type Fields = Record<string, unknown>;

/** A step towards a part: a key, an index, or the name of one of a built-in's lists. */
type Step = string | number | { readonly list: "keys()" | "values()" };
const keysOf = { list: "keys()" } as const;
const valuesOf = { list: "values()" } as const;

class Trail {
  readonly #at: string;
  readonly #direction: "written" | "read";
  readonly #steps: Step[] = [];
  readonly #open: object[] = []; // seldom more than a few: looking through them beats a Set

  constructor(at: string, direction: "written" | "read") {
    this.#at = at;
    this.#direction = direction;
  }

  /** Goes into an object, which must not contain itself. */
  enter(value: object): void {
    if (this.#open.includes(value)) {
      throw this.refusal("refers back to a value that contains it", "Payloads are trees: leave the reference out, or refer by an id.");
    }
    const limit = this.#direction === "written" ? MAX_PAYLOAD_DEPTH : MAX_PAYLOAD_DEPTH + 1; // innermost, a number may be an object: its tag
    if (this.#open.length >= limit) {
      const problem = `is nested more than ${MAX_PAYLOAD_DEPTH} levels deep`;
      throw this.refusal(problem, "Make the value flatter, for instance a list in place of a chain.", { shortened: true });
    }
    this.#open.push(value);
  }

  leave(): void {
    this.#open.pop();
  }

  /** Goes one step further. A refusal names the steps taken so far, so nobody needs to take them back after one. */
  step(step: Step): void {
    this.#steps.push(step);
  }

  back(): void {
    this.#steps.pop();
  }

  /** Whether a definition can name the class of what stands here: the whole value, or an element of it. */
  get declarable(): boolean {
    return this.#steps.length === 0 || (this.#steps.length === 1 && typeof this.#steps[0] === "number");
  }

  get root(): string {
    return rootOf(this.#at);
  }

  refusal(problem: string, remedy: string, { shortened = false, cause }: { shortened?: boolean; cause?: unknown } = {}): PayloadError {
    const path = pathOf(this.root, shortened ? this.#steps.slice(0, 8) : this.#steps);
    const place = shortened ? `${path}...` : path;
    return new PayloadError(`The ${this.#at} cannot be ${this.#direction}: ${place} ${problem}. ${remedy}`, { path, cause });
  }

  malformed(kind: string): PayloadError {
    return this.refusal(
      `holds {"$o":[...]} of the kind ${JSON.stringify(kind)} with data that this kind never has`,
      "The text was damaged, or not written by this library.",
    );
  }
}

/** The word that paths into a value begin with: "input of activity 'hello'" gives "input". */
function rootOf(at: string): string {
  const head = at.split(" of ", 1)[0] ?? "";
  return head.slice(head.lastIndexOf(" ") + 1);
}

function pathOf(root: string, steps: readonly Step[]): string {
  return root + steps.map(stepText).join("");
}

function stepText(step: Step): string {
  if (typeof step === "object") return `.${step.list}`;
  if (typeof step === "number") return `[${step}]`;
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step) && step.length <= 80) return `.${step}`;
  return step.length > 80 ? `[${JSON.stringify(step.slice(0, 80))}...]` : `[${JSON.stringify(step)}]`;
}

/**
 * The path of a part of a value, as messages name it: `input.lines[2].price`. `at` is the words that name the whole value
 * ("input of activity 'hello'"), and `keys` leads from it to the part.
 */
export function payloadPath(at: string, keys: readonly PropertyKey[]): string {
  return pathOf(
    rootOf(at),
    keys.map((key) => (typeof key === "symbol" ? String(key) : key)),
  );
}

// ---- the careful way out: every value becomes a plain one, tagged where it was not

function tagged(kind: string, data: unknown): { readonly $o: readonly [string, unknown] } {
  return { $o: [kind, data] };
}

function tag(value: unknown, trail: Trail): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return isPlainNumber(value) ? value : tagged("number", Object.is(value, -0) ? "-0" : `${value}`);
    case "bigint":
      return tagged("bigint", `${value}`);
    case "undefined":
      return tagged("undefined", null);
    case "function":
      throw trail.refusal("is a function", "Code does not travel: leave it out, or pass the data that it works on.");
    case "symbol":
      throw trail.refusal("is a symbol", "Symbols have no text form: use a string.");
    default:
      return value === null ? null : tagObject(value as object, trail);
  }
}

/** The part of a value that is one step further. */
function tagAt(step: Step, value: unknown, trail: Trail): unknown {
  trail.step(step);
  const result = tag(value, trail);
  trail.back();
  return result;
}

function tagObject(value: object, trail: Trail): unknown {
  trail.enter(value);
  const result = tagContent(value, trail);
  trail.leave();
  return result;
}

function tagContent(value: object, trail: Trail): unknown {
  if (isOrdinaryArray(value) || isOrdinary(value)) {
    return typeof toJsonOf(value, trail) === "function" ? tagByToJson(value, trail) : tagPlain(value, trail);
  }
  const kind = kindOf(value);
  if (kind !== undefined) return tagged(kind.name, kind.write(value, trail));
  if (typeof toJsonOf(value, trail) === "function") return tagByToJson(value, trail);
  throw refuseInstance(value, trail);
}

function tagPlain(value: object, trail: Trail): unknown {
  if (Array.isArray(value)) return tagArray(value, trail);
  const fields = tagFields(value, Object.keys(value), trail);
  const symbol = Object.getOwnPropertySymbols(value).find((key) => Object.prototype.propertyIsEnumerable.call(value, key));
  if (symbol !== undefined) throw trail.refusal(`has a symbol as a key (${String(symbol)})`, "Symbols have no text form: use a string.");
  return Object.hasOwn(fields, "$o") ? tagged("object", fields) : fields;
}

function tagFields(value: object, keys: readonly string[], trail: Trail): Fields {
  const fields: Fields = {};
  for (const key of keys) {
    trail.step(key);
    setOwn(fields, key, tag(read(value, key, trail), trail));
    trail.back();
  }
  return fields;
}

function tagArray(list: readonly unknown[], trail: Trail): unknown {
  return hasHoles(list) ? tagArrayWithHoles(list, trail) : list.map((item, index) => tagAt(index, item, trail));
}

function hasHoles(list: readonly unknown[]): boolean {
  for (let index = 0; index < list.length; index++) {
    if (list[index] === undefined && !Object.hasOwn(list, index)) return true;
  }
  return false;
}

function tagArrayWithHoles(list: readonly unknown[], trail: Trail): unknown {
  const indices = Object.keys(list)
    .map(Number)
    .filter((index) => isIndex(index, list.length));
  return tagged("array", [list.length, indices.map((index) => [index, tagAt(index, list[index], trail)])]);
}

/** What toJSON() returned is written in the place of what has it; like JSON.stringify, it is asked once. */
function tagByToJson(value: object, trail: Trail): unknown {
  const result = callToJson(value, trail);
  if (result === value) return tagFields(value, Object.keys(value), trail);
  if (typeof result !== "object" || result === null) return tag(result, trail);
  if (!isOrdinaryArray(result) && !isOrdinary(result)) return tagObject(result, trail);
  trail.enter(result);
  const written = tagPlain(result, trail);
  trail.leave();
  return written;
}

function callToJson(value: object, trail: Trail): unknown {
  try {
    return (value as { toJSON(key: string): unknown }).toJSON("");
  } catch (cause) {
    throw trail.refusal("has a toJSON() that threw", "See the cause.", { cause });
  }
}

function toJsonOf(value: object, trail: Trail): unknown {
  return read(value, "toJSON", trail);
}

function read(value: object, key: string, trail: Trail): unknown {
  try {
    return (value as Fields)[key];
  } catch (cause) {
    throw trail.refusal("has a getter that threw", "See the cause.", { cause });
  }
}

function refuseInstance(value: object, trail: Trail): PayloadError {
  if (typeof (value as { then?: unknown }).then === "function") {
    return trail.refusal("is a promise or a task", "Await it, and pass its result.");
  }
  const name = classNameOf(value);
  const slot = trail.root === "input" || trail.root === "output" ? trail.root : "schema";
  const remedy = trail.declarable
    ? `Name the class in the definition ({ ${slot}: ${name} }, or [${name}] for a list), give it toJSON(), or pass plain data.`
    : "A definition names the class of a whole value or of a list's elements; for a part, give the class toJSON() or pass plain data.";
  return trail.refusal(`is an instance of ${name}, which would not come back as one`, remedy);
}

function classNameOf(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : "a class without a name";
}

/** Objects of another realm (a vm context, as some test runners make) are as ordinary as ours. */
function isOrdinary(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return typeof prototype === "object" && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}

function isOrdinaryArray(value: object): value is unknown[] {
  return Array.isArray(value) && Array.isArray(Object.getPrototypeOf(value)); // Array.prototype is an array; no subclass's is
}

function isIndex(value: unknown, length: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < length;
}

/** Assignment, except that `__proto__` becomes a key like any other. */
function setOwn(target: object, key: string, value: unknown): void {
  if (key === "__proto__") Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else (target as Fields)[key] = value;
}

// ---- the way back

/** Rebuilds what is tagged, in place: the value has just been parsed and is ours. */
function untag(value: unknown, trail: Trail): unknown {
  if (typeof value !== "object" || value === null) return value;
  trail.enter(value);
  const result = Array.isArray(value)
    ? untagItems(value, trail)
    : Object.hasOwn(value, "$o")
      ? untagged(value as Fields, trail)
      : untagFields(value, trail);
  trail.leave();
  return result;
}

function untagAt(step: Step, value: unknown, trail: Trail): unknown {
  trail.step(step);
  const result = untag(value, trail);
  trail.back();
  return result;
}

function untagItems(list: unknown[], trail: Trail): unknown[] {
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    if (typeof item === "object" && item !== null) list[index] = untagAt(index, item, trail);
  }
  return list;
}

function untagFields(fields: object, trail: Trail): object {
  for (const key of Object.keys(fields)) {
    const part = (fields as Fields)[key];
    if (typeof part === "object" && part !== null) setOwn(fields, key, untagAt(key, part, trail));
  }
  return fields;
}

function untagged(value: Fields, trail: Trail): unknown {
  const { $o: pair } = value;
  if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string" || Object.keys(value).length !== 1) {
    throw trail.refusal(
      'holds a key "$o" without the form {"$o":[kind, data]}',
      "The key is reserved in payloads; data that has it is wrapped when it is written.",
    );
  }
  const [kind, data] = pair as [string, unknown];
  const reader = readers.get(kind);
  if (reader === undefined) {
    throw trail.refusal(
      `holds {"$o":[...]} of the unknown kind ${JSON.stringify(kind.slice(0, 80))}`,
      "It was written by a newer version of this library, or not by it at all.",
    );
  }
  const result = reader(data, trail);
  if (result === malformed) throw trail.malformed(kind);
  return result;
}

// ---- the closed list: both directions of each kind side by side

/** A reader's answer to data that its kind never has. */
const malformed = Symbol("malformed");
type Reader = (data: unknown, trail: Trail) => unknown;

interface Kind {
  readonly name: string;
  readonly write: (value: object, trail: Trail) => unknown;
}

const readers = new Map<string, Reader>([
  ["undefined", (data) => (data === null ? undefined : malformed)],
  ["number", (data) => (typeof data === "string" && unusualNumbers.has(data) ? unusualNumbers.get(data) : malformed)],
  ["bigint", (data) => (typeof data === "string" && /^-?\d+$/.test(data) ? BigInt(data) : malformed)],
  ["object", (data, trail) => (isRecord(data) ? untagFields(data, trail) : malformed)],
  ["array", readArrayWithHoles],
]);
const unusualNumbers = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
]);

const kindsByPrototype = new Map<unknown, Kind>();

function carry<T extends object>(type: ClassOf<T>, write: (value: T, trail: Trail) => unknown, reader: Reader): void {
  kindsByPrototype.set(type.prototype, { name: type.name, write: write as Kind["write"] });
  readers.set(type.name, reader);
}

carry(
  Date,
  (date) => (Number.isNaN(date.getTime()) ? null : date.toISOString()),
  (data) => {
    if (data === null) return new Date(Number.NaN);
    const date = new Date(typeof data === "string" ? data : Number.NaN);
    return Number.isNaN(date.getTime()) ? malformed : date;
  },
);

carry<Map<unknown, unknown>>(
  Map,
  (map, trail) => {
    const keys = tagItemsAt(keysOf, map.keys(), trail);
    const values = tagItemsAt(valuesOf, map.values(), trail);
    return keys.map((key, index) => [key, values[index]]);
  },
  (data, trail) => {
    if (!isListOfPairs(data)) return malformed;
    const keys = untagItemsAt(
      keysOf,
      data.map(([key]) => key),
      trail,
    );
    const values = untagItemsAt(
      valuesOf,
      data.map(([, value]) => value),
      trail,
    );
    return new Map(keys.map((key, index) => [key, values[index]]));
  },
);

carry<Set<unknown>>(
  Set,
  (set, trail) => tagItemsAt(valuesOf, set, trail),
  (data, trail) => (Array.isArray(data) ? new Set(untagItemsAt(valuesOf, data, trail)) : malformed),
);

carry(
  URL,
  (url) => url.href,
  (data) => (typeof data === "string" ? attempt(() => new URL(data)) : malformed),
);

carry(
  RegExp,
  (pattern) => (pattern.lastIndex === 0 ? [pattern.source, pattern.flags] : [pattern.source, pattern.flags, pattern.lastIndex]),
  (data) => {
    if (!Array.isArray(data)) return malformed;
    const [source, flags, lastIndex = 0] = data as readonly unknown[];
    if (typeof source !== "string" || typeof flags !== "string" || typeof lastIndex !== "number") return malformed;
    return attempt(() => Object.assign(new RegExp(source, flags), { lastIndex }));
  },
);

carry(
  ArrayBuffer,
  (buffer) => toBase64(new Uint8Array(buffer)),
  (data) => bytesOf(data)?.buffer ?? malformed,
);

// Float16Array is younger than the oldest Node that this runs on.
const typedArrays = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ...("Float16Array" in globalThis ? [(globalThis as unknown as { Float16Array: typeof Float32Array }).Float16Array] : []),
];
const typedArrayKinds = new Map<unknown, Kind>();
for (const type of typedArrays) {
  const width = type.BYTES_PER_ELEMENT;
  typedArrayKinds.set(type.name, {
    name: type.name,
    write: (value) => {
      const view = value as ArrayBufferView;
      return toBase64(littleEndian(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), width));
    },
  });
  readers.set(type.name, (data) => {
    const bytes = bytesOf(data);
    return bytes === undefined || bytes.length % width !== 0 ? malformed : new type(littleEndian(bytes, width).buffer);
  });
}
/** Its getter knows a typed array of any realm and of any subclass (Buffer is one of Uint8Array's). */
const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);

const errorKinds = new Map<unknown, Kind>();
for (const type of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError]) {
  errorKinds.set(type.prototype, { name: type.name, write: (value, trail) => writeError(value as Error, type.name, trail) });
  readers.set(type.name, (data, trail) => readError(data, type.name, trail));
}
const errorKind = errorKinds.get(Error.prototype);

/** The kind of the closed list that a value belongs to, if it belongs to one. */
function kindOf(value: object): Kind | undefined {
  const exact = kindsByPrototype.get(Object.getPrototypeOf(value));
  if (exact !== undefined) return exact;
  if (ArrayBuffer.isView(value)) return typedArrayKinds.get(typedArrayName?.get?.call(value));
  if (!isError(value)) return undefined;
  let prototype: unknown = Object.getPrototypeOf(value);
  while (typeof prototype === "object" && prototype !== null && !errorKinds.has(prototype)) prototype = Object.getPrototypeOf(prototype);
  return errorKinds.get(prototype) ?? errorKind; // an error of another realm has none of our prototypes
}

function isError(value: object): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

const errorParts: readonly string[] = ["name", "message", "stack", "cause"];
const aggregateParts: readonly string[] = [...errorParts, "errors"];

function writeError(error: Error, builtIn: string, trail: Trail): unknown {
  const parts = builtIn === "AggregateError" ? aggregateParts : errorParts;
  const extra = Object.keys(error).filter((key) => !parts.includes(key));
  const { errors } = error as { errors?: unknown };
  return {
    name: `${error.name}`,
    message: `${error.message}`,
    ...(typeof error.stack === "string" ? { stack: error.stack } : {}),
    ...(Object.hasOwn(error, "cause") ? { cause: tagAt("cause", error.cause, trail) } : {}),
    ...(parts === aggregateParts && Array.isArray(errors) ? { errors: tagItemsAt("errors", errors, trail) } : {}),
    ...(extra.length > 0 ? { fields: tagFields(error, extra, trail) } : {}),
  };
}

function readError(data: unknown, builtIn: string, trail: Trail): unknown {
  if (!isRecord(data)) return malformed;
  const { name, message, stack, errors = [], fields = {} } = data;
  if (typeof name !== "string" || typeof message !== "string" || !Array.isArray(errors) || !isRecord(fields)) return malformed;
  const error = newError(builtIn, message, untagItemsAt("errors", errors, trail));
  if (name !== error.name) setHidden(error, "name", name);
  setHidden(error, "stack", typeof stack === "string" ? stack : `${name}: ${message}`);
  if (Object.hasOwn(data, "cause")) setHidden(error, "cause", untagAt("cause", data["cause"], trail));
  untagFields(fields, trail);
  for (const key of Object.keys(fields)) {
    if (!errorParts.includes(key)) setOwn(error, key, fields[key]);
  }
  return error;
}

function newError(builtIn: string, message: string, errors: unknown[]): Error {
  switch (builtIn) {
    case "AggregateError":
      return new AggregateError(errors, message);
    case "EvalError":
      return new EvalError(message);
    case "RangeError":
      return new RangeError(message);
    case "ReferenceError":
      return new ReferenceError(message);
    case "SyntaxError":
      return new SyntaxError(message);
    case "TypeError":
      return new TypeError(message);
    case "URIError":
      return new URIError(message);
    default:
      return new Error(message);
  }
}

function setHidden(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: false, configurable: true });
}

function readArrayWithHoles(data: unknown, trail: Trail): unknown {
  if (!Array.isArray(data)) return malformed;
  const [length, entries] = data as readonly unknown[];
  if (!isIndex(length, 2 ** 32) || !isListOfPairs(entries)) return malformed;
  const list: unknown[] = [];
  list.length = length;
  for (const [index, item] of entries) {
    if (!isIndex(index, length)) return malformed;
    list[index] = untagAt(index, item, trail);
  }
  return list;
}

function isRecord(data: unknown): data is Fields {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

/** The items of a built-in's list, which is one step away. */
function tagItemsAt(step: Step, items: Iterable<unknown>, trail: Trail): unknown[] {
  trail.step(step);
  const result = Array.from(items, (item, index) => tagAt(index, item, trail));
  trail.back();
  return result;
}

function untagItemsAt(step: Step, items: unknown[], trail: Trail): unknown[] {
  trail.step(step);
  const result = untagItems(items, trail);
  trail.back();
  return result;
}

function isListOfPairs(data: unknown): data is [unknown, unknown][] {
  return Array.isArray(data) && data.every((pair) => Array.isArray(pair) && pair.length === 2);
}

function attempt(build: () => unknown): unknown {
  try {
    return build();
  } catch {
    return malformed;
  }
}

// ---- bytes

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function littleEndian(bytes: Uint8Array<ArrayBuffer> | Uint8Array, width: number): Uint8Array<ArrayBuffer> {
  if (isLittleEndian || width === 1) return bytes as Uint8Array<ArrayBuffer>;
  const turned = new Uint8Array(bytes);
  for (let start = 0; start < turned.length; start += width) turned.subarray(start, start + width).reverse();
  return turned;
}

// Buffer is two hundred times as fast, but a definition is also imported where there is none: in browsers, at the edge.

function toBase64(bytes: Uint8Array): string {
  if (typeof Buffer === "function") return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function bytesOf(data: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof data !== "string" || data.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(data)) return undefined;
  if (typeof Buffer === "function") return new Uint8Array(Buffer.from(data, "base64")); // copied: buffers share their memory
  return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
}

// ---- classes that a definition names

/**
 * Takes an instance of the class that a definition names apart: its `toJSON()` if it has one, else its own enumerable
 * fields, without getters of the prototype. An instance of a subclass is taken apart as well and comes back as the class
 * that is named. Whatever is no instance passes through unchanged.
 *
 * Throws PayloadError for a class that extends a built-in (Map, Array, ...) and lacks `toJSON()`: its content is not in its
 * fields. A subclass of Error needs nothing. Fields that are private (`#x`) are not fields to anybody but the class: give
 * such a class `toJSON()` and a static `fromJSON()`.
 */
export function dismantle(value: unknown, shape: Shape | undefined, at: string): unknown {
  if (shape === undefined) return value;
  if (typeof shape === "function") return dismantleOne(value, shape, new Trail(at, "written"));
  if (!Array.isArray(value) || value.length === 0) return value;
  const trail = new Trail(at, "written");
  return value.map((item, index) => {
    trail.step(index);
    const result = dismantleOne(item, shape[0], trail);
    trail.back();
    return result;
  });
}

function dismantleOne(value: unknown, type: ClassOf, trail: Trail): unknown {
  if (typeof value !== "object" || value === null || !(value instanceof type)) return value;
  if (kindsByPrototype.has(Object.getPrototypeOf(value)) || isOrdinary(value) || isOrdinaryArray(value)) return value;
  if (typeof toJsonOf(value, trail) === "function") {
    const result = callToJson(value, trail);
    return result === value ? { ...value } : result;
  }
  if (kindOf(value) !== undefined) return value;
  if (Array.isArray(value) || value instanceof Map || value instanceof Set || value instanceof RegExp) {
    throw trail.refusal(
      `is an instance of ${classNameOf(value)}, which extends a built-in class`,
      "Give it toJSON() and a static fromJSON(data).",
    );
  }
  return { ...value };
}

/**
 * Rebuilds a decoded value as the class that a definition names: by the class's static `fromJSON(data)`, else as an object
 * with the class's prototype and the data as own fields. The constructor is not called. With `[Order]` every element is
 * rebuilt. What cannot be rebuilt (a number where fields were expected) passes through unchanged, for validation to refuse.
 *
 * Throws PayloadError, with the cause, when `fromJSON` throws.
 *
 * @example
 * revive({ product: "laptop", cost: 2000 }, Order); // Order { product: "laptop", cost: 2000 }
 */
export function revive(value: unknown, shape: Shape | undefined, at = "payload"): unknown {
  if (shape === undefined) return value;
  if (typeof shape === "function") return reviveOne(value, shape, at, []);
  return Array.isArray(value) ? value.map((item, index) => reviveOne(item, shape[0], at, [index])) : value;
}

function reviveOne(data: unknown, type: ClassOf, at: string, keys: readonly number[]): unknown {
  if (data === undefined || data instanceof type) return data;
  const { fromJSON } = type as { fromJSON?: unknown };
  if (typeof fromJSON === "function") {
    try {
      return Reflect.apply(fromJSON, type, [data]);
    } catch (cause) {
      const path = payloadPath(at, keys);
      throw new PayloadError(`The ${at} cannot be read: ${type.name}.fromJSON threw for ${path}. See the cause.`, { path, cause });
    }
  }
  if (typeof data !== "object" || data === null) return data;
  if (data instanceof Error) return type.prototype instanceof Error ? Object.setPrototypeOf(data, type.prototype) : data;
  // In a literal `__proto__:` is the prototype, while a spread defines keys and calls no setter, `__proto__` included.
  return isOrdinary(data) ? { __proto__: type.prototype as object, ...data } : data;
}

// ---- text

/**
 * Refuses text that databases cannot hold: the NUL character and halves of surrogate pairs.
 *
 * It is for text that is stored as it is: ids, names, versions, tags, reasons. Payloads of the default converter need no
 * such check, whatever their strings contain, because JSON writes both as escapes.
 *
 * Throws PayloadError. `what` names the text: "instance id", "name of activity 'hello'".
 */
export function refuseUnstorableText(text: string, what: string): void {
  if (text.includes("\0")) throw unstorable(text, text.indexOf("\0"), "the character NUL", what);
  if (!text.isWellFormed()) throw unstorable(text, text.search(/\p{Surrogate}/u), "half of a surrogate pair", what);
}

function unstorable(text: string, index: number, character: string, what: string): PayloadError {
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
  return new PayloadError(
    `The ${what} cannot be stored: ${shown} contains ${character} at index ${index}. Databases hold no such text: leave it out.`,
    {
      path: rootOf(what),
    },
  );
}

/** How many bytes a text takes as UTF-8, in which payload limits are given. No payload takes none. */
export function payloadBytes(text: string | undefined): number {
  if (text === undefined) return 0;
  if (typeof Buffer === "function") return Buffer.byteLength(text);
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    bytes += unit < 0x800 ? 1 : 2;
    if (unit >> 10 === 0x36 && text.charCodeAt(index + 1) >> 10 === 0x37) index++; // the two halves of a pair are four bytes
  }
  return bytes;
}
