// What the compiler infers from schemas. The assertions are checked by `tsc`; running the file says that it loads.

import { test } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import * as z from "zod";
import type { InOf, OutOf, Schema } from "./schema.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_equal: Equal<A, B>): void => {};

class Order {
  product: string;
  cost: number;
  constructor(product: string, cost: number) {
    this.product = product;
    this.cost = cost;
  }
  get needsApproval(): boolean {
    return this.cost >= 1000;
  }
}
abstract class Shape {
  abstract area(): number;
}

test("input and output types follow from the schema", () => {
  const _zod = z.object({ a: z.string().transform(Number), b: z.number().default(1) });
  same<InOf<typeof _zod>, { a: string; b?: number | undefined }>(true);
  same<OutOf<typeof _zod>, { a: number; b: number }>(true);

  const _valibot = v.object({ a: v.pipe(v.string(), v.transform(Number)), b: v.optional(v.number(), 1) });
  same<InOf<typeof _valibot>, { a: string; b?: number | undefined }>(true);
  same<OutOf<typeof _valibot>, { a: number; b: number }>(true);

  const _arktype = type({ a: "string.numeric.parse", b: "number = 1" });
  same<InOf<typeof _arktype>, { a: string; b?: number }>(true);
  same<OutOf<typeof _arktype>, { a: number; b: number }>(true);

  same<InOf<typeof Order>, Order>(true);
  same<OutOf<typeof Order>, Order>(true);
  same<InOf<readonly [typeof Order]>, Order[]>(true);
  same<OutOf<[typeof Order]>, Order[]>(true);
  same<OutOf<typeof Shape>, Shape>(true);
  same<OutOf<z.ZodVoid>, void>(true);
});

test("schemas are accepted where a definition takes one, and nothing else is", () => {
  const define = <S extends Schema>(spec: { input: S }, run: (input: OutOf<S>) => unknown): ((input: InOf<S>) => unknown) => {
    return () => [spec, run];
  };
  define({ input: z.object({ a: z.string() }) }, (input) => input.a.toUpperCase())({ a: "x" });
  define({ input: v.object({ a: v.string() }) }, (input) => input.a.toUpperCase())({ a: "x" });
  define({ input: type({ a: "string" }) }, (input) => input.a.toUpperCase())({ a: "x" });
  define({ input: Order }, (order) => order.needsApproval)(new Order("a", 1));
  define({ input: [Order] }, (orders) => orders.map((order) => order.needsApproval))([new Order("a", 1)]);
  define({ input: Shape }, (shape) => shape.area());
  define({ input: Date }, (date) => date.getTime())(new Date(0));
  // @ts-expect-error a plain function is no schema
  define({ input: (value: unknown) => value }, () => 1);
  // @ts-expect-error a list names one class
  define({ input: [Order, Order] }, () => 1);
  // @ts-expect-error an object is no schema
  define({ input: { a: "string" } }, () => 1);
});
