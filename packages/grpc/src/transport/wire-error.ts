// wire-error: how a call fails.
//
// Owns:    the status codes of gRPC, by name and number.

import type { Metadata } from "./transport.ts";

/** The status codes of gRPC. */
export const STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The name of a status code. */
export type StatusName = keyof typeof STATUS;

/** A call that failed, with a status of gRPC. */
export class WireError extends Error {
  readonly status: StatusName;
  /** What came, or is to go, with the status. */
  readonly metadata: Metadata;

  constructor(status: StatusName, message: string, metadata: Metadata = {}) {
    super(message);
    this.name = "WireError";
    this.status = status;
    this.metadata = metadata;
  }
}
