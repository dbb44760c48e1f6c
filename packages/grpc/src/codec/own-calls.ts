// own-calls: calls between our two ends that travel together, many in one message of one stream.
//
// Owns:    how calls and their answers stand in such a message.
// Always:  OC1 what a call means is not read here: method and message go on as they came, to the same gate as a call of its own.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { OwnAnswersSchema, OwnCallsSchema } from "../generated/task_hub_sidecar_pb.js";
import { STATUS, WireError, type StatusName } from "../transport/wire-error.ts";

/** The method that carries them. It is no call of the protocol, and others are told that there is none. */
export const OWN_CALLS = "OwnCalls";

/** A longer call goes alone. */
export const LONGEST_CALL = 1_048_576;
/** A longer message has more than one call, and is none of ours. */
const LONGEST_MESSAGE = 2 * LONGEST_CALL;

/** A call on its way. */
export interface CallOut {
  /** Chosen by who calls; the answer has it, too. */
  readonly number: number;
  readonly method: string;
  readonly message: Uint8Array;
}

/** What came of it. */
export type CallAnswer = { readonly number: number; readonly message: Uint8Array } | { readonly number: number; readonly error: WireError };

/** Calls as one message. */
export function writeCalls(calls: readonly CallOut[]): Uint8Array {
  return toBinary(OwnCallsSchema, create(OwnCallsSchema, { calls: [...calls] }));
}

/** @throws WireError INVALID_ARGUMENT when these bytes are no calls; RESOURCE_EXHAUSTED, unread, when there are too many of them. */
export function readCalls(bytes: Uint8Array): readonly CallOut[] {
  // A call of two bytes becomes an object of many.
  if (bytes.length > LONGEST_MESSAGE)
    throw new WireError(
      "RESOURCE_EXHAUSTED",
      `Calls that travel together have at most ${LONGEST_MESSAGE} bytes; these have ${bytes.length}.`,
    );
  try {
    return fromBinary(OwnCallsSchema, bytes).calls;
  } catch (error) {
    throw new WireError("INVALID_ARGUMENT", `These bytes are no calls: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

/** Answers as one message. */
export function writeAnswers(answers: readonly CallAnswer[]): Uint8Array {
  const fields = answers.map((answer) => {
    if (!("error" in answer)) return answer;
    const { status, message: error, metadata } = answer.error;
    return { number: answer.number, status: STATUS[status], error, metadata: { ...metadata } };
  });
  return toBinary(OwnAnswersSchema, create(OwnAnswersSchema, { answers: fields }));
}

/** @throws WireError INTERNAL when these bytes are no answers. */
export function readAnswers(bytes: Uint8Array): readonly CallAnswer[] {
  try {
    return fromBinary(OwnAnswersSchema, bytes).answers.map(({ number, status, message, error, metadata }) =>
      status === STATUS.OK ? { number, message } : { number, error: new WireError(statusOf(status), error, metadata) },
    );
  } catch (error) {
    throw new WireError("INTERNAL", `The server's answers cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

const NAMES = new Map(Object.entries(STATUS).map(([name, number]) => [number as number, name as StatusName]));

function statusOf(number: number): StatusName {
  return NAMES.get(number) ?? "UNKNOWN";
}
