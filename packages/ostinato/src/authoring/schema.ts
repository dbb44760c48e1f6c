// schema: what a definition says about the values that enter and leave it.
//
// Owns:    what counts as a schema, which types it stands for, and how its refusal reads.
// Is told: the schema, the value, and in words whose it is ("input of activity 'hello'").
// Tells:   what the schema made of the value, which is what is stored; else a ValidationError that names every issue.
// Always:  S1 a schema that answers at once is answered at once: no promise is made for it.
//          S2 decoding never validates, so a replay never does; it only rebuilds the class that a definition names.
//          S3 what has "~standard" is asked by it, even if it is a function or a class.

import { PayloadError, ValidationError } from "../contract/errors.ts";
import {
  type ClassOf,
  defaultConverter,
  dismantle,
  type PayloadConverter,
  payloadPath,
  refuseUnstorableText,
  revive,
  type Shape,
} from "./payload.ts";

/**
 * The Standard Schema interface, version 1, which zod, valibot, arktype and others implement (https://standardschema.dev).
 * It is copied here, as its authors intend, so that nobody depends on a package for it.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly "~standard": StandardProps<Input, Output>;
}

/** What a Standard Schema says about itself. */
export interface StandardProps<Input = unknown, Output = Input> {
  readonly version: 1;
  readonly vendor: string;
  readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** Never there at run time: it carries the types. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

/** A Standard Schema's answer: the value it made, or the issues it found. */
export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

/** One thing that a Standard Schema found wrong. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * What a definition takes as `input`, `output` or event data: a Standard Schema, a class, or a class in brackets for a list
 * of its instances.
 *
 * @example
 * activity("charge", { input: z.object({ amount: z.number() }) }, run);
 * activity("ship", { input: Order }, run);
 * activity("shipAll", { input: [Order] }, run);
 */
export type Schema = StandardSchemaV1 | ClassOf | readonly [ClassOf];

/** What the user of a definition passes: the input type of its schema. */
export type InOf<S> = S extends { readonly "~standard": StandardProps } ? StandardTypes<S>["input"] : InstanceOf<S>;

/** What the body of a definition receives, and what is stored: the output type of its schema. */
export type OutOf<S> = S extends { readonly "~standard": StandardProps } ? StandardTypes<S>["output"] : InstanceOf<S>;

type StandardTypes<S extends { readonly "~standard": StandardProps }> = NonNullable<S["~standard"]["types"]>;
type InstanceOf<S> = S extends readonly [ClassOf<infer T>] ? T[] : S extends ClassOf<infer T> ? T : never;

/**
 * Asks a schema about a value that enters, and answers with what the schema made of it: parsed, defaulted, transformed.
 * That is what is stored. A class accepts its instances, those of subclasses included; without a schema every value is
 * accepted. The answer is a promise only if the schema's own is.
 *
 * Throws, or rejects with, ValidationError naming every issue with its path. A schema that throws has refused as well: its
 * error is the cause. `what` names the value as for PayloadConverter.encode.
 */
export function validate(schema: Schema | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return value;
  if (isStandard(schema)) return validateStandard(schema, value, what);
  const issues = typeof schema === "function" ? instanceIssues(schema, value, what) : listIssues(schema[0], value, what);
  if (issues.length > 0) throw refusal(issues, what);
  return value;
}

/**
 * The class, or list of a class, that a payload of this schema is rebuilt as; undefined for a Standard Schema, whose values
 * come back as the converter gives them.
 */
export function shapeOf(schema: Schema | undefined): Shape | undefined {
  return schema === undefined || isStandard(schema) ? undefined : schema;
}

/**
 * The text of a value at the boundary of a definition: instances of the class that the schema names are taken apart, then
 * the converter writes. It does not validate. Throws PayloadError, also when a converter gives text that databases cannot
 * hold.
 */
export function encodeWith(converter: PayloadConverter, schema: Schema | undefined, value: unknown, what: string): string | undefined {
  const text = converter.encode(schema === undefined ? value : dismantle(value, shapeOf(schema), what), what);
  if (converter !== defaultConverter && text !== undefined) {
    if (typeof text !== "string")
      throw new PayloadError(`The ${what} cannot be written: the converter answered with ${kindOfValue(text)} where text was expected.`, {
        path: payloadPath(what, []),
      });
    refuseUnstorableText(text, what);
  }
  return text;
}

/**
 * The value of a text at the boundary of a definition: the converter reads, then the class that the schema names is
 * rebuilt. It never validates: that happened when the value was written, and a replay must not depend on today's schema.
 * Throws PayloadError.
 */
export function decodeWith(converter: PayloadConverter, schema: Schema | undefined, text: string | undefined, what = "payload"): unknown {
  const value = converter.decode(text, what);
  return schema === undefined ? value : revive(value, shapeOf(schema), what);
}

interface Issue {
  readonly path: string;
  readonly message: string;
}

function isStandard(schema: Schema): schema is StandardSchemaV1 {
  return "~standard" in schema;
}

function validateStandard(schema: StandardSchemaV1, value: unknown, what: string): unknown {
  let result: ReturnType<StandardProps["validate"]>;
  try {
    result = schema["~standard"].validate(value);
  } catch (cause) {
    throw schemaThrew(cause, what);
  }
  if (!isThenable(result)) return accepted(result, what);
  return result.then(
    (settled) => accepted(settled, what),
    (cause: unknown) => {
      throw schemaThrew(cause, what);
    },
  );
}

function isThenable<T extends object>(result: T | Promise<T>): result is Promise<T> {
  return "then" in result && typeof result.then === "function";
}

function accepted(result: StandardResult<unknown>, what: string): unknown {
  if (!result.issues) return result.value;
  const issues = result.issues.map(({ path = [], message }) => ({
    path: payloadPath(
      what,
      path.map((segment) => (typeof segment === "object" ? segment.key : segment)),
    ),
    message,
  }));
  throw refusal(issues, what);
}

function schemaThrew(cause: unknown, what: string): ValidationError {
  const path = payloadPath(what, []);
  const message = `the schema threw ${cause instanceof Error ? `${cause.name}: ${cause.message}` : "something that is no Error"}`;
  return new ValidationError(`The ${what} could not be checked: ${message}`, { path, issues: [{ path, message }], cause });
}

function refusal(issues: readonly Issue[], what: string): ValidationError {
  const lines = issues.map(({ path, message }) => `${path}: ${message}`);
  return new ValidationError(`The ${what} is not valid: ${lines.join("; ")}`, { path: issues[0]?.path ?? payloadPath(what, []), issues });
}

function instanceIssues(type: ClassOf, value: unknown, what: string, keys: readonly number[] = []): readonly Issue[] {
  if (value instanceof type) return [];
  return [{ path: payloadPath(what, keys), message: `expected an instance of ${type.name}, got ${kindOfValue(value)}` }];
}

function listIssues(type: ClassOf, value: unknown, what: string): readonly Issue[] {
  if (!Array.isArray(value))
    return [{ path: payloadPath(what, []), message: `expected a list of ${type.name}, got ${kindOfValue(value)}` }];
  return value.flatMap((item, index) => instanceIssues(type, item, what, [index]));
}

function kindOfValue(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "object") return `a ${typeof value}`;
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor !== "function" || constructor === Object || constructor.name === ""
    ? "a plain object"
    : `an instance of ${constructor.name}`;
}
