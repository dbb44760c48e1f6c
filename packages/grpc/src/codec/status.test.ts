// Errors on the wire: which status they go under, and what becomes of it at the other end.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AccessDeniedError,
  HubClosedError,
  HubUnreachableError,
  InstanceExistsError,
  InstanceNotFoundError,
  InvalidArgumentError,
  InvalidStateError,
  PayloadTooLargeError,
  StoreUnavailableError,
  UnsupportedError,
} from "ostinato";

import { STATUS, WireError, type StatusName } from "../transport/wire-error.ts";
import { fromWireError, toWireError } from "./status.ts";

const EXPECTED = [
  [new InvalidArgumentError("The id is empty."), "INVALID_ARGUMENT"],
  [new PayloadTooLargeError("The input is too large."), "RESOURCE_EXHAUSTED"],
  [new InstanceNotFoundError("There is no instance 'a'."), "NOT_FOUND"],
  [new InstanceExistsError("There is already an instance 'a'."), "ALREADY_EXISTS"],
  [new InvalidStateError("The instance 'a' is RUNNING."), "FAILED_PRECONDITION"],
  [new UnsupportedError("There are no entities."), "UNIMPLEMENTED"],
] as const;

test("ST1 between ours an error comes out with its class, its code and its words", () => {
  for (const [error, status] of EXPECTED) {
    const wire = toWireError(error);
    assert.equal(wire.status, status);
    const restored = fromWireError(wire);
    assert.deepEqual(
      [restored.constructor, restored.message, (restored as { code?: string }).code],
      [error.constructor, error.message, error.code],
    );
  }
  assert.ok(fromWireError(toWireError(new HubClosedError("x"))) instanceof HubClosedError);
  assert.ok(fromWireError(toWireError(new StoreUnavailableError("x"))) instanceof StoreUnavailableError);
});

test("ST1 a code under another status than its own is not believed", () => {
  const error = fromWireError(new WireError("UNAVAILABLE", "proxy", { "ostinato-code": "INSTANCE_EXISTS" }));
  assert.ok(error instanceof HubUnreachableError);
});

test("ST2 what is inside stays inside: no stack, no path, no cause", () => {
  const inside = [
    new StoreUnavailableError("disk full: /var/lib/orders.db", { cause: new Error("ENOSPC") }),
    new TypeError("Cannot read properties of undefined (reading '/srv/secret')"),
    "a text that was thrown: /srv/secret",
    undefined,
  ];
  for (const error of inside) {
    const { message, metadata } = toWireError(error);
    assert.doesNotMatch(`${message}${JSON.stringify(metadata)}`, /\/var|\/srv|ENOSPC|undefined|\n\s+at /);
  }
  assert.equal(toWireError(new TypeError("x")).status, "INTERNAL");
});

test("a refusal of the transport goes as it is", () => {
  const refusal = new WireError("NOT_FOUND", "No such work item is out.");
  assert.equal(toWireError(refusal), refusal);
});

test("from servers of the family every status becomes an error with a code, its cause is what came", () => {
  const kinds: { readonly [S in StatusName]?: new (message: string) => Error } = {
    UNIMPLEMENTED: UnsupportedError,
    UNAVAILABLE: HubUnreachableError,
    UNAUTHENTICATED: AccessDeniedError,
    PERMISSION_DENIED: AccessDeniedError,
    NOT_FOUND: InstanceNotFoundError,
    ALREADY_EXISTS: InstanceExistsError,
    FAILED_PRECONDITION: InvalidStateError,
    UNKNOWN: StoreUnavailableError,
  };
  for (const status of Object.keys(STATUS) as StatusName[]) {
    const wire = new WireError(status, "words");
    const error = fromWireError(wire, "Rewinding an instance");
    assert.equal(typeof (error as { code?: unknown }).code, "string", status);
    assert.equal(error.cause, wire);
    const kind = kinds[status];
    if (kind !== undefined) assert.ok(error instanceof kind, status);
  }
});

test("what a server cannot do is named; that it cannot be reached says what to do", () => {
  const unsupported = fromWireError(new WireError("UNIMPLEMENTED", ""), "Rewinding an instance");
  assert.match(unsupported.message, /^Rewinding an instance is not supported by the server/);
  const unreached = fromWireError(new WireError("UNAVAILABLE", "connect ECONNREFUSED 127.0.0.1:4001"), "Starting an instance");
  assert.match(unreached.message, /^Starting an instance was not answered.*ECONNREFUSED.*Check its address/);
  const other = new RangeError("mine");
  assert.equal(fromWireError(other), other);
});
