import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http2";
import { test } from "node:test";
import fc from "fast-check";
import { encodeTimeout, endingOf, isGrpc, metadataOf, timeoutOf, trailersOf } from "./headers.ts";
import { STATUS, WireError, type StatusName } from "./wire-error.ts";

test("a status and its text travel unchanged, whatever is in the text", () => {
  const names = fc.constantFrom(...(Object.keys(STATUS) as StatusName[]).filter((name) => name !== "OK"));
  fc.assert(
    fc.property(names, fc.string({ unit: "grapheme", maxLength: 200 }), (status, message) => {
      const trailers = trailersOf(new WireError(status, message)) as IncomingHttpHeaders;
      const text = trailers["grpc-message"];
      assert.ok(text === undefined || /^[\x20-\x7e]*$/.test(String(text)));
      const error = endingOf(trailers, {});
      assert.equal(error?.status, status);
      assert.equal(error.message, message);
    }),
  );
  assert.equal(endingOf(trailersOf(undefined) as IncomingHttpHeaders, {}), undefined);
});

test("a text that is too long for other implementations is cut", () => {
  for (const text of ["x".repeat(100_000), "行".repeat(100_000)]) {
    const encoded = String(trailersOf(new WireError("INTERNAL", text))["grpc-message"]);
    assert.ok(encoded.length < 4_100, String(encoded.length));
    assert.match(encoded, / \.\.\.$/);
  }
});

test("a wait on the wire is never shorter than it was asked for, and in eight digits", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e13, noNaN: true }), (ms) => {
      const encoded = encodeTimeout(ms);
      assert.match(encoded, /^\d{1,8}[mSH]$/);
      assert.ok(timeoutOf(encoded)! >= Math.min(ms, 99_999_999 * 3_600_000));
    }),
  );
  assert.equal(timeoutOf(undefined), undefined);
  assert.throws(() => timeoutOf(["1S", "2S"]), { status: "INVALID_ARGUMENT" });
});

test("what is the transport's own is no metadata, and no name changes what an object is", () => {
  const headers = JSON.parse(
    '{":path":"/x","grpc-timeout":"1S","content-type":"application/grpc","__proto__":"x","constructor":"y","a":"b"}',
  ) as IncomingHttpHeaders;
  const metadata = metadataOf(headers);
  assert.deepEqual(Object.entries(metadata), [
    ["constructor", "y"],
    ["a", "b"],
  ]);
  assert.equal(Object.getPrototypeOf(metadata), Object.prototype);
});

test("content types of gRPC are known from others", () => {
  for (const type of ["application/grpc", "application/grpc+proto", "application/grpc;charset=x", "Application/gRPC"])
    assert.ok(isGrpc(type), type);
  for (const type of ["application/grpc-web", "application/json", "", undefined, "text/plain; application/grpc"])
    assert.ok(!isGrpc(type), String(type));
});
