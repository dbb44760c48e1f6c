// answering: what every call has in common on the side that answers it, whatever carries it.
//
// Owns:    what a failure looks like from outside: a status and a text, never a stack.

import { WireError } from "./wire-error.ts";

/** Hears of what goes wrong and is nobody's answer. */
export type Warn = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** The failure that a caller is told. What nobody foresaw goes to the log, and the caller learns only that there is something in it. */
export function failureOf(method: string, error: unknown, warn: Warn): WireError {
  if (error instanceof WireError) return error;
  warn("answering a call failed", { method, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  return new WireError("INTERNAL", `the server failed while it answered ${method}; its log says why`);
}

/** The failure of a method that there is none of. */
export function noSuchMethod(method: string): WireError {
  return new WireError("UNIMPLEMENTED", `this server has no method ${method}`);
}
