// Declared errors, from `ctx.fail` to the caller.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { toFailure } from "../contract/failure.ts";
import { declaredError, readDeclaredError } from "./activity-context.ts";
import { defaultConverter as converter } from "./payload.ts";

class Stock {
  left: number;
  constructor(left: number) {
    this.left = left;
  }
}
const errors = { OutOfStock: Stock, Closed: z.object({ until: z.date() }), Bare: z.undefined() };

test("a declared error travels as a failure with its tag and data, and comes back as it was (A1)", () => {
  const failure = toFailure(declaredError(converter, errors, "OutOfStock", new Stock(3)));
  assert.equal(failure.errorType, "OutOfStock");
  assert.deepEqual(failure.properties, { tag: "OutOfStock", data: '{"left":3}' });
  const read = readDeclaredError(converter, errors, JSON.parse(JSON.stringify(failure)) as typeof failure);
  assert.ok(read?.data instanceof Stock);
  const until = new Date(5);
  assert.deepEqual(readDeclaredError(converter, errors, toFailure(declaredError(converter, errors, "Closed", { until })))?.data, { until });
  assert.deepEqual(readDeclaredError(converter, errors, toFailure(declaredError(converter, errors, "Bare", undefined))), {
    tag: "Bare",
    data: undefined,
  });
});

test("what is not declared, or only looks like it, is no declared error", () => {
  const failure = toFailure(declaredError(converter, errors, "OutOfStock", new Stock(3)));
  assert.equal(readDeclaredError(converter, undefined, failure), undefined);
  assert.equal(readDeclaredError(converter, { Other: Stock }, failure), undefined);
  assert.equal(readDeclaredError(converter, errors, { errorType: "toString", message: "", properties: { tag: "toString" } }), undefined);
  assert.equal(readDeclaredError(converter, errors, { errorType: "Error", message: "", properties: { tag: "OutOfStock" } }), undefined);
  assert.equal(readDeclaredError(converter, errors, toFailure(new Error("x"))), undefined);
});
