import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import * as z from "zod";
import { PayloadError, ValidationError } from "../contract/errors.ts";
import { defaultConverter } from "./payload.ts";
import type { PayloadConverter } from "./payload.ts";
import { decodeWith, encodeWith, shapeOf, validate } from "./schema.ts";
import type { Schema, StandardSchemaV1 } from "./schema.ts";

const what = "input of activity 'charge'";

class Order {
  product: string;
  constructor(product: string) {
    this.product = product;
  }
}
// eslint-disable-next-line no-restricted-syntax -- users inherit: this is what becomes of it
class Rush extends Order {}

/** The refusal of a value, given at once or by a promise. */
async function refusalOf(act: () => unknown): Promise<ValidationError> {
  try {
    await act();
  } catch (error) {
    assert(error instanceof ValidationError, `expected a ValidationError, got ${String(error)}`);
    return error;
  }
  assert.fail("nothing was refused");
}

const orders: Record<string, Schema> = {
  zod: z.object({ amount: z.number().default(1), lines: z.array(z.object({ price: z.number() })) }),
  valibot: v.object({ amount: v.optional(v.number(), 1), lines: v.array(v.object({ price: v.number() })) }),
  arktype: type({ amount: "number = 1", lines: type({ price: "number" }).array() }),
};

describe("schemas of every library", () => {
  for (const [library, schema] of Object.entries(orders)) {
    test(`${library}: what the schema made of the value is the answer, at once`, () => {
      assert.deepStrictEqual(validate(schema, { lines: [{ price: 2 }] }, what), { amount: 1, lines: [{ price: 2 }] });
    });

    test(`${library}: a refusal names every issue with its path`, async () => {
      const refusal = await refusalOf(() => validate(schema, { amount: "x", lines: [{ price: 2 }, { price: "3" }] }, what));
      assert.equal(refusal.code, "VALIDATION_FAILED");
      assert.deepEqual(refusal.issues.map((issue) => issue.path).sort(), ["input.amount", "input.lines[1].price"]);
      assert.equal(refusal.path, refusal.issues[0]?.path);
      assert(refusal.message.startsWith("The input of activity 'charge' is not valid: input."), refusal.message);
      for (const issue of refusal.issues) assert(refusal.message.includes(`${issue.path}: ${issue.message}`));
    });

    test(`${library}: has no class to rebuild`, () => {
      assert.equal(shapeOf(schema), undefined);
    });
  }

  test("a schema that transforms gives what is stored", () => {
    assert.deepStrictEqual(validate(z.string().transform(Number), "12", what), 12);
    assert.deepStrictEqual(validate(type("string.numeric.parse"), "12", what), 12);
    assert.equal(validate(z.undefined(), undefined, what), undefined);
  });

  test("an asynchronous schema answers by a promise, and refuses by it", async () => {
    const known = z.string().refine(async (name) => name === "Ada", "is not known");
    const answer = validate(known, "Ada", what);
    assert(answer instanceof Promise);
    assert.equal(await answer, "Ada");
    const refusal = await refusalOf(() => validate(known, "Bob", what));
    assert.deepEqual(refusal.issues, [{ path: "input", message: "is not known" }]);
  });

  test("a schema that throws, or rejects, has refused: its error is the cause", async () => {
    const cause = new Error("no database");
    const throwing = v.pipe(
      v.string(),
      v.transform((): string => {
        throw cause;
      }),
    );
    const rejecting = v.pipeAsync(
      v.string(),
      v.transformAsync(async (): Promise<string> => {
        throw cause;
      }),
    );
    for (const schema of [throwing, rejecting]) {
      const refusal = await refusalOf(() => validate(schema, "x", what));
      assert.equal(refusal.cause, cause);
      assert.match(refusal.message, /could not be checked: the schema threw Error: no database/);
    }
  });

  test("path segments may be keys or objects with a key", async () => {
    const schema: StandardSchemaV1<string> = {
      "~standard": {
        version: 1,
        vendor: "ours",
        validate: () => ({ issues: [{ message: "no", path: [{ key: "a" }, 0, Symbol("s")] }, { message: "never" }] }),
      },
    };
    const refusal = await refusalOf(() => validate(schema, "x", what));
    assert.deepEqual(refusal.issues, [
      { path: 'input.a[0]["Symbol(s)"]', message: "no" },
      { path: "input", message: "never" },
    ]);
  });

  test("a class with ~standard is asked by it", () => {
    class Checked {
      static readonly "~standard" = z.literal(1)["~standard"];
    }
    assert.equal(validate(Checked, 1, what), 1);
    assert.equal(shapeOf(Checked), undefined);
  });

  test("without a schema everything is accepted", () => {
    assert.equal(validate(undefined, 7, what), 7);
    assert.equal(shapeOf(undefined), undefined);
  });
});

describe("classes as schemas", () => {
  test("an instance is accepted as it is, one of a subclass too", () => {
    for (const order of [new Order("a"), new Rush("b")]) assert.equal(validate(Order, order, what), order);
    const list = [new Order("a"), new Rush("b")];
    assert.equal(validate([Order], list, what), list);
  });

  test("everything else is refused, with what it was", async () => {
    const cases: [unknown, string][] = [
      [{ product: "a" }, "a plain object"],
      [new Date(0), "an instance of Date"],
      [null, "null"],
      [undefined, "undefined"],
      [[], "a list"],
      [3, "a number"],
      [Order, "a function"],
    ];
    for (const [value, got] of cases) {
      const refusal = await refusalOf(() => validate(Order, value, what));
      assert.deepEqual(refusal.issues, [{ path: "input", message: `expected an instance of Order, got ${got}` }]);
    }
  });

  test("a list is refused for each element that does not fit", async () => {
    const refusal = await refusalOf(() => validate([Order], [new Order("a"), 1, new Date(0)], what));
    assert.deepEqual(refusal.issues, [
      { path: "input[1]", message: "expected an instance of Order, got a number" },
      { path: "input[2]", message: "expected an instance of Order, got an instance of Date" },
    ]);
    const noList = await refusalOf(() => validate([Order], new Order("a"), what));
    assert.match(noList.message, /input: expected a list of Order, got an instance of Order/);
  });
});

describe("at the boundary", () => {
  test("classes are taken apart, and rebuilt without being validated", () => {
    const text = encodeWith(defaultConverter, Order, new Order("laptop"), what);
    assert.equal(text, '{"product":"laptop"}');
    assert.deepStrictEqual(decodeWith(defaultConverter, Order, text), new Order("laptop"));
    const list = encodeWith(defaultConverter, [Order], [new Order("a")], what);
    assert.deepStrictEqual(decodeWith(defaultConverter, [Order], list), [new Order("a")]);
    assert.equal(decodeWith(defaultConverter, Order, "7"), 7);
  });

  test("a schema is not asked: neither on the way out nor on the way in", () => {
    const never: StandardSchemaV1<never> = {
      "~standard": { version: 1, vendor: "ours", validate: () => assert.fail("was asked") },
    };
    const text = encodeWith(defaultConverter, never, { at: new Date(0) }, what);
    assert.deepStrictEqual(decodeWith(defaultConverter, never, text, what), { at: new Date(0) });
    assert.equal(encodeWith(defaultConverter, undefined, undefined, what), undefined);
  });

  test("a converter of the user's takes the default's place, and its text is checked", () => {
    const shouting: PayloadConverter = {
      encode: (value) => (value === undefined ? undefined : `!${JSON.stringify(value)}`),
      decode: (text) => (text === undefined ? undefined : (JSON.parse(text.slice(1)) as unknown)),
    };
    assert.equal(encodeWith(shouting, Order, new Order("a"), what), '!{"product":"a"}');
    assert.deepStrictEqual(decodeWith(shouting, Order, '!{"product":"a"}', what), new Order("a"));
    assert.equal(encodeWith(shouting, undefined, undefined, what), undefined);
    const raw: PayloadConverter = { encode: String, decode: (text) => text };
    assert.throws(() => encodeWith(raw, undefined, "a\0", what), { code: "PAYLOAD_INVALID", path: "input" });
    const wrong: PayloadConverter = { ...raw, encode: () => Promise.resolve("x") as unknown as string };
    assert.throws(() => encodeWith(wrong, undefined, 1, what), PayloadError);
  });
});
