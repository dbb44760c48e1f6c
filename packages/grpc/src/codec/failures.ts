// failures: what user code threw, as the protocol writes it.
//
// Owns:    the way between Failure and TaskFailureDetails, and between plain JSON and google.protobuf.Value.
// Always:  F1 the whole chain travels, with everything in it; where it is deeper than any reader takes (100 messages within each other),
//          its end is cut, and what lies deep in properties travels as its JSON text.
//          F2 to the family type and message are never empty: some SDKs take a failure without either for none.
//          F3 between ours a failure comes out as it went in: where the fields cannot say it (an empty message, empty properties), JSON does.

import { given } from "ostinato/contract";
import type { Value } from "@bufbuild/protobuf/wkt";
import type { Failure } from "ostinato/contract";

import type { TaskFailureDetails } from "../generated/task_hub_sidecar_pb.js";
import { anything, byName, fields, flag, readOwnJson, text, type Shape } from "./own-json.ts";
import type { Peer } from "./peer.ts";

const MAX_CHAIN = 16;
const MAX_NESTING = 20;

/** A failure as a message. */
export function encodeFailure(failure: Failure, peer: Peer): TaskFailureDetails {
  const details = encodeChain(failure, MAX_CHAIN);
  if (peer === "ours" && isIrregular(failure, MAX_CHAIN)) details.ownFailure = JSON.stringify(failure);
  return details;
}

/** The failure of a message. */
export function decodeFailure(details: TaskFailureDetails, peer: Peer): Failure {
  const own = peer === "ours" && details.ownFailure !== "" ? readOwnJson<Failure>(details.ownFailure, isFailure) : undefined;
  return own ?? decodeChain(details);
}

/** The failure of a message; `undefined` where there is none. One that says nothing is none, too: some SDKs write it so. */
export function decodeOptionalFailure(details: TaskFailureDetails | undefined, peer: Peer): Failure | undefined {
  if (details === undefined) return undefined;
  return peer === "family" && details.errorType === "" && details.errorMessage === "" ? undefined : decodeFailure(details, peer);
}

/** The failure of something that failed and did not say how. */
export function unexplained(message = "The orchestration failed and gave no reason."): Failure {
  return { errorType: "Error", message };
}

function encodeChain(failure: Failure, rest: number): TaskFailureDetails {
  const details: TaskFailureDetails = {
    $typeName: "TaskFailureDetails",
    errorType: failure.errorType || "Error",
    errorMessage: failure.message || `${failure.errorType || "Error"} (without a message)`,
    isNonRetriable: failure.nonRetriable === true,
    properties: {},
    ownFailure: "",
  };
  if (failure.stack !== undefined) details.stackTrace = failure.stack;
  if (failure.inner !== undefined && rest > 1) details.innerFailure = encodeChain(failure.inner, rest - 1);
  if (failure.properties !== undefined) {
    for (const [name, value] of Object.entries(failure.properties))
      if (value !== undefined) setOwn(details.properties, name, encodeValue(value, MAX_NESTING));
  }
  return details;
}

/** Its depth is bounded by what the reader of the bytes took. */
function decodeChain(details: TaskFailureDetails): Failure {
  return {
    errorType: details.errorType || "Error",
    message: details.errorMessage,
    ...given({
      stack: details.stackTrace,
      inner: details.innerFailure === undefined ? undefined : decodeChain(details.innerFailure),
      nonRetriable: details.isNonRetriable || undefined,
      properties: decodeProperties(details.properties),
    }),
  };
}

/** Whether the fields of the message would say something else. */
function isIrregular(failure: Failure, rest: number): boolean {
  const { errorType, message, nonRetriable, properties, inner } = failure;
  if (errorType === "" || message === "" || nonRetriable === false || rest === 0) return true;
  if (properties !== undefined && (Object.keys(properties).length === 0 || isDeeperThan(properties, MAX_NESTING))) return true;
  return inner !== undefined && isIrregular(inner, rest - 1);
}

function isDeeperThan(value: unknown, rest: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return rest === 0 || Object.values(value).some((each) => isDeeperThan(each, rest - 1));
}

const isFailure: Shape = fields(
  { errorType: text, message: text },
  { stack: text, inner: (value) => isFailure(value), nonRetriable: flag, properties: byName(anything) },
);

/** A plain value as a Value. */
function encodeValue(value: unknown, rest: number): Value {
  switch (typeof value) {
    case "string":
      return valueOf({ case: "stringValue", value });
    case "number":
      return valueOf({ case: "numberValue", value });
    case "boolean":
      return valueOf({ case: "boolValue", value });
    case "object":
      if (value === null) return valueOf({ case: "nullValue", value: 0 });
      if (rest <= 1) return valueOf({ case: "stringValue", value: JSON.stringify(value) });
      if (Array.isArray(value)) {
        const values = value.map((each) => encodeValue(each, rest - 1));
        return valueOf({ case: "listValue", value: { $typeName: "google.protobuf.ListValue", values } });
      }
      return valueOf({ case: "structValue", value: { $typeName: "google.protobuf.Struct", fields: encodeFields(value, rest - 1) } });
    default:
      return valueOf({ case: "nullValue", value: 0 });
  }
}

function valueOf(kind: Value["kind"]): Value {
  return { $typeName: "google.protobuf.Value", kind };
}

function encodeFields(value: object, rest: number): { [name: string]: Value } {
  const encoded: { [name: string]: Value } = {};
  for (const [name, each] of Object.entries(value)) if (each !== undefined) setOwn(encoded, name, encodeValue(each, rest));
  return encoded;
}

/** The plain values of a map; `undefined` for none. */
function decodeProperties(properties: { readonly [name: string]: Value }): Record<string, unknown> | undefined {
  let decoded: Record<string, unknown> | undefined;
  for (const name of Object.keys(properties)) setOwn((decoded ??= {}), name, decodeValue(properties[name]));
  return decoded;
}

/** The plain value of a Value. What JSON cannot write (infinity) is null, as JSON has it. */
function decodeValue(value: Value | undefined): unknown {
  const kind = value?.kind;
  switch (kind?.case) {
    case "stringValue":
    case "boolValue":
      return kind.value;
    case "numberValue":
      return Number.isFinite(kind.value) ? kind.value : null;
    case "structValue":
      return decodeProperties(kind.value.fields) ?? {};
    case "listValue":
      return kind.value.values.map(decodeValue);
    case "nullValue":
    case undefined:
      return null;
  }
}

/** Sets a property, whatever it is called: assigning to `__proto__` would change what the object is. */
function setOwn<T>(target: { [name: string]: T }, name: string, value: T): void {
  if (name === "__proto__") Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  else target[name] = value;
}
