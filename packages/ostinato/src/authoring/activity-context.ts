// activity-context: what the body of an activity is given beside its input.
//
// Owns:    the words of ActivityContext; how a declared error becomes a failure and is recognised again.
// Always:  A1 a declared error is a failure whose errorType is its tag and whose properties hold the tag and the text of its data, so that
//          any Durable Task program can read it.

import { OstinatoError } from "../contract/errors.ts";
import type { Failure } from "../contract/failure.ts";
import type { Tags } from "../contract/instance.ts";
import type { Schema } from "./schema.ts";
import { decodeWith, encodeWith } from "./schema.ts";
import type { PayloadConverter } from "./payload.ts";

/** Somewhere to write log lines. */
export interface ProgramLogger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The errors an activity declares: their tags, and the data of each. */
export type DeclaredErrors = object;

/** No declared errors. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- an object type without keys is exactly what is meant
export type NoErrors = {};

/**
 * What the body of an activity is given beside its input.
 *
 * @example
 * const charge = activity("charge", async (ctx, order: Order) => {
 *   return await payments.charge(order, { idempotencyKey: ctx.idempotencyKey, signal: ctx.signal });
 * });
 */
export interface ActivityContext<E extends DeclaredErrors = NoErrors> {
  /** The orchestration that called it. */
  readonly instanceId: string;
  /** The call's number in the orchestration; each retry has its own. */
  readonly taskId: number;
  /** The activity's name. */
  readonly name: string;
  /** Which attempt this is by the retry policy, from 1. */
  readonly attempt: number;
  /** How often this attempt was handed out, from 1: more than 1 means that an earlier worker disappeared while running it. */
  readonly delivery: number;
  /**
   * The same for every retry and redelivery of one call, and after a rewind; different after continue-as-new and restart.
   * Hand it to services that remember requests, and a repeated attempt has its effect once.
   */
  readonly idempotencyKey: string;
  /** Aborted on time-out, when the orchestration is terminated, when the lease is lost, and when a drain gives up. */
  readonly signal: AbortSignal;
  /** Tells that the activity is alive. Throws the signal's reason when nobody wants its result any more. */
  heartbeat(details?: unknown): void;
  /** Log lines that carry the instance, the activity and the attempt. */
  readonly log: ProgramLogger;
  /** The tags of the call. */
  readonly tags: Tags;
  /**
   * Fails with an error that the activity declares. The caller sees it typed through `ctx.try`; retries treat it like any other failure.
   *
   * @example
   * const reserve = activity("reserve", { input: Item, errors: { OutOfStock: z.object({ left: z.number() }) } }, async (ctx, item) => {
   *   if (item.quantity > stock) ctx.fail("OutOfStock", { left: stock });
   * });
   */
  fail<K extends keyof E & string>(tag: K, data: E[K]): never;
}

/** What `ctx.fail` throws: a failure of the kind that the activity declares. */
export class DeclaredError extends OstinatoError {
  readonly code = "DECLARED_ERROR";
  readonly tag: string;
  /** What a Failure keeps of it. */
  readonly properties: { readonly tag: string; readonly data?: string };

  constructor(tag: string, text: string | undefined) {
    super(`The activity failed with its declared error '${tag}'.`);
    this.name = tag;
    this.tag = tag;
    this.properties = text === undefined ? { tag } : { tag, data: text };
  }
}

/** The error that `ctx.fail(tag, data)` throws. Its data is written as the schema that declares the tag says. */
export function declaredError(
  converter: PayloadConverter,
  errors: Readonly<Record<string, Schema>> | undefined,
  tag: string,
  data: unknown,
): DeclaredError {
  return new DeclaredError(tag, encodeWith(converter, errors?.[tag], data, `data of error '${tag}'`));
}

/** The tag and data of a declared error, when a failure is one of those declared; else `undefined`. */
export function readDeclaredError(
  converter: PayloadConverter,
  errors: Readonly<Record<string, Schema>> | undefined,
  failure: Failure,
): { readonly tag: string; readonly data: unknown } | undefined {
  const tag = failure.properties?.["tag"];
  const text = failure.properties?.["data"];
  if (errors === undefined || typeof tag !== "string" || tag !== failure.errorType || !Object.hasOwn(errors, tag)) return undefined;
  if (text !== undefined && typeof text !== "string") return undefined;
  return { tag, data: decodeWith(converter, errors[tag], text, `data of error '${tag}'`) };
}
