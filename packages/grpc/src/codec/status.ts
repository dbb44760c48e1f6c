// status: errors on their way over the wire.
//
// Owns:    which status an error goes under, and which error a status becomes.
// Always:  ST1 between ours an error comes out with the code that it went in with, when it is one that a caller can expect.
//          ST2 what nobody expected says nothing of the inside: no stack, no path, no cause. Who runs the server reads that in its log.
//          ST3 clients of the family look at the status, and some try again under UNKNOWN and INTERNAL: what is final never goes under these.

import {
  AccessDeniedError,
  FileLockedError,
  HubClosedError,
  HubUnreachableError,
  InstanceExistsError,
  InstanceNotFoundError,
  InvalidArgumentError,
  InvalidStateError,
  OstinatoError,
  PayloadTooLargeError,
  StoreFormatError,
  StoreUnavailableError,
  UnsupportedError,
} from "ostinato";

import { WireError, type StatusName } from "../transport/wire-error.ts";

/** An error of ours on the wire. */
interface Way {
  readonly status: StatusName;
  /** What is said of it, where its own words name what is inside. */
  readonly message?: string;
  /** What it becomes at the other end. */
  readonly restored: (message: string) => OstinatoError;
}

const WAYS: ReadonlyMap<string, Way> = new Map<string, Way>([
  ["INVALID_ARGUMENT", { status: "INVALID_ARGUMENT", restored: (message) => new InvalidArgumentError(message) }],
  ["PAYLOAD_INVALID", { status: "INVALID_ARGUMENT", restored: (message) => new InvalidArgumentError(message) }],
  ["VALIDATION_FAILED", { status: "INVALID_ARGUMENT", restored: (message) => new InvalidArgumentError(message) }],
  ["PAYLOAD_TOO_LARGE", { status: "RESOURCE_EXHAUSTED", restored: (message) => new PayloadTooLargeError(message) }],
  ["INSTANCE_NOT_FOUND", { status: "NOT_FOUND", restored: (message) => new InstanceNotFoundError(message) }],
  ["INSTANCE_EXISTS", { status: "ALREADY_EXISTS", restored: (message) => new InstanceExistsError(message) }],
  ["INVALID_STATE", { status: "FAILED_PRECONDITION", restored: (message) => new InvalidStateError(message) }],
  ["UNSUPPORTED", { status: "UNIMPLEMENTED", restored: (message) => new UnsupportedError(message) }],
  [
    "HUB_CLOSED",
    { status: "UNAVAILABLE", message: "The task hub of this server is closed.", restored: (message) => new HubClosedError(message) },
  ],
  [
    "STORE_UNAVAILABLE",
    {
      status: "UNAVAILABLE",
      message: "The server cannot write to its task hub now; its log says why. What was asked was not done.",
      restored: (message) => new StoreUnavailableError(message),
    },
  ],
  [
    "FILE_LOCKED",
    {
      status: "UNAVAILABLE",
      message: "The server cannot open its task hub: another process holds it.",
      restored: (message) => new FileLockedError(message),
    },
  ],
  [
    "STORE_FORMAT",
    {
      status: "DATA_LOSS",
      message: "The server cannot read its task hub; its log says why.",
      restored: (message) => new StoreFormatError(message),
    },
  ],
  ["ACCESS_DENIED", { status: "PERMISSION_DENIED", restored: (message) => new AccessDeniedError(message) }],
  [
    "HUB_UNREACHABLE",
    { status: "UNAVAILABLE", message: "The server does not reach its task hub.", restored: (message) => new HubUnreachableError(message) },
  ],
]);

const CODE = "ostinato-code";

/** What a caller is told of an error: an error of the wire as it is, one of ours under its status, anything else as an accident. */
export function toWireError(error: unknown): WireError {
  if (error instanceof WireError) return error;
  const way = error instanceof OstinatoError ? WAYS.get(error.code) : undefined;
  if (way === undefined || !(error instanceof OstinatoError))
    return new WireError("INTERNAL", "The server met an error that it did not expect; its log says more.");
  return new WireError(way.status, way.message ?? error.message, { [CODE]: error.code });
}

/**
 * What an error of the wire is for whoever called; any other error as it is.
 *
 * @param feature what was asked for, as the beginning of a sentence: `"Rewinding an instance"`.
 */
export function fromWireError(error: unknown, feature = "This call"): Error {
  if (!(error instanceof WireError)) return error instanceof Error ? error : new Error(String(error));
  const way = WAYS.get(error.metadata[CODE] ?? "");
  // A code goes with its own status and no other: something on the way may have put another in its place.
  if (way?.status === error.status) return caused(way.restored(error.message), error);
  return caused(BY_STATUS[error.status](error.message, feature), error);
}

const BY_STATUS: { readonly [S in StatusName]: (message: string, feature: string) => OstinatoError } = {
  INVALID_ARGUMENT: (message) => new InvalidArgumentError(message),
  NOT_FOUND: (message) => new InstanceNotFoundError(message),
  ALREADY_EXISTS: (message) => new InstanceExistsError(message),
  FAILED_PRECONDITION: (message) => new InvalidStateError(message),
  OUT_OF_RANGE: (message) => new InvalidArgumentError(message),
  RESOURCE_EXHAUSTED: (message) => new PayloadTooLargeError(message),
  UNIMPLEMENTED: (message, feature) =>
    new UnsupportedError(`${feature} is not supported by the server of this task hub${said(message)}. Do it on a server that has it.`),
  UNAUTHENTICATED: (message, feature) =>
    new AccessDeniedError(`${feature} was refused: the server does not know who asks${said(message)}. Check the credentials.`),
  PERMISSION_DENIED: (message, feature) =>
    new AccessDeniedError(`${feature} was refused: whoever asks may not do it${said(message)}. Ask with other credentials.`),
  UNAVAILABLE: (message, feature) =>
    new HubUnreachableError(
      `${feature} was not answered: the task hub's server cannot be reached${said(message)}. Check its address and that it runs, then try again.`,
    ),
  DEADLINE_EXCEEDED: (message, feature) =>
    new HubUnreachableError(
      `${feature} was not answered in time${said(message)}. It may have been done all the same; look, then try again.`,
    ),
  CANCELLED: (message, feature) =>
    new HubUnreachableError(`${feature} was broken off${said(message)}. It may have been done all the same.`),
  ABORTED: failed,
  UNKNOWN: failed,
  INTERNAL: failed,
  DATA_LOSS: failed,
  OK: failed,
};

function failed(message: string, feature: string): OstinatoError {
  return new StoreUnavailableError(`${feature} failed in the task hub's server${said(message)}. The server's log says more.`);
}

function said(message: string): string {
  const words = message.trim().replace(/[.\s]+$/, "");
  return words === "" ? "" : ` (${words})`;
}

function caused<E extends Error>(error: E, cause: unknown): E {
  Object.defineProperty(error, "cause", { value: cause, configurable: true, writable: true });
  return error;
}
