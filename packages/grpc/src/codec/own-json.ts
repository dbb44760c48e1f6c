// own-json: what two ends of ours say as JSON, since the protocol's fields cannot.
//
// Owns:    how such a text is read: bounded, and checked against a shape before anybody believes it.
// Always:  J1 whoever wrote the text, reading it ends in a value of the shape or in a refusal. J2 it cannot reach a prototype.

/** Whether a value is of a shape. */
export type Shape = (value: unknown) => boolean;

/** Deeper than this nothing is read: what is to be written again needs stack for each level. */
const MAX_DEPTH = 100;

/** The value of a text of this shape; `undefined` when it is no JSON, is nested too deep, or has another shape. */
export function readOwnJson<T>(text: string, shape: Shape): T | undefined {
  if (!isShallow(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return shape(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}

/** A text. */
export const text: Shape = (value) => typeof value === "string";
/** A yes or no. */
export const flag: Shape = (value) => typeof value === "boolean";
/** A whole number. */
export const whole: Shape = (value) => Number.isSafeInteger(value);
/** Whatever JSON can say. */
export const anything: Shape = () => true;

/** One of these words. */
export function word(words: readonly string[]): Shape {
  return (value) => typeof value === "string" && words.includes(value);
}

/** A list of such values. */
export function listOf(shape: Shape): Shape {
  return (value) => Array.isArray(value) && value.every(shape);
}

/** Such values by name, whatever the names are. */
export function byName(shape: Shape): Shape {
  return (value) => isPlain(value) && Object.values(value).every(shape);
}

/** An object that has all of the first fields, may have the second ones, and has no others. */
export function fields(needed: Readonly<Record<string, Shape>>, optional: Readonly<Record<string, Shape>> = {}): Shape {
  return (value) =>
    isPlain(value) &&
    Object.keys(needed).every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, each]) => {
      const shape = Object.hasOwn(needed, name) ? needed[name] : Object.hasOwn(optional, name) ? optional[name] : undefined;
      return shape !== undefined && shape(each);
    });
}

/** One shape or the other. */
export function either(one: Shape, other: Shape): Shape {
  return (value) => one(value) || other(value);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Counts brackets outside of texts: cheaper than to parse first, and needs no stack. */
function isShallow(json: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < json.length; at++) {
    const unit = json.charCodeAt(at);
    if (quoted) {
      if (unit === BACKSLASH) at++;
      else if (unit === QUOTE) quoted = false;
    } else if (unit === QUOTE) quoted = true;
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (++depth > MAX_DEPTH) return false;
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) depth--;
  }
  return true;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
