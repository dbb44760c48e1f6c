// values: a caller's value becomes a payload, and a payload the caller's value.
//
// Owns:    what is checked of a value that enters by the client: its schema, then its size.
// Always:  what the schema returned is what is stored; a refusal is an error for the caller and nothing is written.

import { InvalidArgumentError } from "../contract/errors.ts";
import { LATEST_INSTANT, type Instant } from "../contract/instant.ts";
import { refuseTooLarge } from "../authoring/payload-size.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import { encodeWith, validate, type Schema } from "../authoring/schema.ts";

/** How payloads are written, and how large they may be. */
export interface PayloadRules {
  readonly converter: PayloadConverter;
  readonly payloadBytes: number;
}

/** Validates, encodes and measures a value that enters. `what` names it in messages: "input of orchestrator 'greet'". */
export async function enter(rules: PayloadRules, schema: Schema | undefined, value: unknown, what: string): Promise<string | undefined> {
  const accepted = schema === undefined ? value : await validate(schema, value, what);
  const text = encodeWith(rules.converter, schema, accepted, what);
  refuseTooLarge(text, rules.payloadBytes, what);
  return text;
}

/** The instant of a date that a caller gives. */
export function checkedInstant(date: Date, what: string): Instant {
  const instant = date instanceof Date ? date.getTime() : Number.NaN;
  if (Number.isNaN(instant) || instant < 0 || instant > LATEST_INSTANT)
    throw new InvalidArgumentError(`${what} must be a valid Date from 1970 to 9999; got ${String(date)}.`);
  return instant;
}
