import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import fc from "fast-check";
import { PayloadError } from "../contract/errors.ts";
import {
  defaultConverter,
  dismantle,
  MAX_PAYLOAD_DEPTH,
  payloadBytes,
  payloadPath,
  refuseUnstorableText,
  revive,
  type Shape,
} from "./payload.ts";

const at = "input of activity 'hello'";
const encode = (value: unknown) => defaultConverter.encode(value, at);
const decode = (text: string | undefined) => defaultConverter.decode(text, at);
const thereAndBack = (value: unknown) => decode(encode(value));

/** The refusal of a value that cannot be written, or of a text that cannot be read. */
function refusalOf(act: () => unknown): PayloadError {
  try {
    act();
  } catch (error) {
    assert(error instanceof PayloadError, `expected a PayloadError, got ${String(error)}`);
    return error;
  }
  assert.fail("nothing was refused");
}

class Line {
  readonly product: string;
  readonly price: number;
  constructor(product: string, price: number) {
    this.product = product;
    this.price = price;
  }
}

class Order {
  product: string;
  cost: number;
  constructor(product: string, cost: number) {
    assert(product !== undefined, "the constructor must not be called to rebuild");
    this.product = product;
    this.cost = cost;
  }
  get needsApproval(): boolean {
    return this.cost >= 1000;
  }
}

class Money {
  readonly #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  get cents(): number {
    return this.#cents;
  }
  toJSON(): string {
    return `${this.#cents} cents`;
  }
  static fromJSON(data: unknown): Money {
    if (typeof data !== "string") throw new TypeError("money is text");
    return new Money(Number.parseInt(data, 10));
  }
}

describe("the edge table: one documented outcome each", () => {
  const same: [string, unknown, string][] = [
    ["0", 0, "0"],
    ["the empty string", "", '""'],
    ["false", false, "false"],
    ["null", null, "null"],
    ["NaN", Number.NaN, '{"$o":["number","NaN"]}'],
    ["Infinity", Number.POSITIVE_INFINITY, '{"$o":["number","Infinity"]}'],
    ["-Infinity", Number.NEGATIVE_INFINITY, '{"$o":["number","-Infinity"]}'],
    ["-0", -0, '{"$o":["number","-0"]}'],
    ["a bigint", 12345678901234567890n, '{"$o":["bigint","12345678901234567890"]}'],
    ["a Date", new Date(Date.UTC(2026, 1, 3)), '{"$o":["Date","2026-02-03T00:00:00.000Z"]}'],
    ["the last Date there is", new Date(8.64e15), '{"$o":["Date","+275760-09-13T00:00:00.000Z"]}'],
    ["bytes", new Uint8Array([0, 1, 254, 255]), '{"$o":["Uint8Array","AAH+/w=="]}'],
    ["2^53 - 1", 2 ** 53 - 1, "9007199254740991"],
    ["2^53 + 1 as a bigint", 2n ** 53n + 1n, '{"$o":["bigint","9007199254740993"]}'],
    ["an astral character", "𝄞 Ostinato", '"𝄞 Ostinato"'],
    ["lone surrogates", "\ud834 and \udd1e", '"\\ud834 and \\udd1e"'],
    ["the NUL character", "a\0b", '"a\\u0000b"'],
    ["an empty object", {}, "{}"],
    ["an empty list", [], "[]"],
    ["nested undefined", { a: undefined }, '{"a":{"$o":["undefined",null]}}'],
    ["undefined in a list", [undefined], '[{"$o":["undefined",null]}]'],
  ];
  for (const [name, value, text] of same) {
    test(`A4: ${name} is written as ${text} and comes back the same`, () => {
      assert.equal(encode(value), text);
      assert.deepStrictEqual(decode(text), value);
    });
  }

  test("A4: undefined as the whole payload is no payload", () => {
    assert.equal(encode(undefined), undefined);
    assert.equal(decode(undefined), undefined);
  });

  test("A4: an invalid Date comes back as an invalid Date", () => {
    assert.equal(encode(new Date(Number.NaN)), '{"$o":["Date",null]}');
    const back = thereAndBack(new Date(Number.NaN));
    assert(back instanceof Date && Number.isNaN(back.getTime()));
  });

  test("A4: 2^53 + 1 is no number of JavaScript's: the literal is 2^53 before we see it", () => {
    assert.equal(encode(Number("9007199254740993")), "9007199254740992");
    assert.equal(decode("9007199254740993"), 2 ** 53);
  });

  test("A4: a string of 10 MiB comes back the same", () => {
    const text = "0123456789abcdef".repeat((10 * 2 ** 20) / 16);
    assert(thereAndBack(text) === text);
  });

  test("A4: 10 MiB of bytes come back the same", () => {
    const bytes = new Uint8Array(10 * 2 ** 20).map((_, index) => index * 7);
    assert(Buffer.from(bytes).equals(thereAndBack(bytes) as Uint8Array));
  });
});

describe("plain values are JSON", () => {
  const plain = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
    leaf: fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.string({ unit: "binary" }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
      fc.integer(),
    ),
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      tie("leaf"),
      fc.array(tie("value")),
      fc.dictionary(
        fc.string().filter((key) => key !== "$o"),
        tie("value"),
      ),
    ),
  })).value;

  test("any plain value is written exactly as JSON.stringify writes it, and comes back as JSON.parse reads it", () => {
    fc.assert(
      fc.property(plain, (value) => {
        assert.equal(encode(value), JSON.stringify(value));
        assert.deepStrictEqual(thereAndBack(value), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("an object without a prototype is written like any other and comes back with the ordinary one", () => {
    const value = Object.assign(Object.create(null) as object, { a: 1 });
    assert.equal(encode(value), '{"a":1}');
    assert.deepStrictEqual(thereAndBack(value), { a: 1 });
  });

  test("objects, lists and errors of another realm are as good as ours", () => {
    const foreign: unknown = runInContext(
      '({ list: [1, { a: undefined }], error: new TypeError("no"), bytes: new Uint8Array([7]) })',
      createContext(),
    );
    const back = thereAndBack(foreign) as { list: unknown; error: Error; bytes: unknown };
    assert.deepStrictEqual(back.list, [1, { a: undefined }]);
    assert.equal(`${back.error}`, "TypeError: no");
    assert.deepStrictEqual(back.bytes, new Uint8Array([7]));
    assert.equal(encode(runInContext("({ a: [1] })", createContext())), '{"a":[1]}');
  });

  test("getters are read like fields; inherited and hidden keys are no part of a value", () => {
    const value = Object.defineProperty(
      {
        get sum() {
          return 3;
        },
      },
      "hidden",
      { value: 1, enumerable: false },
    );
    assert.equal(encode(value), '{"sum":3}');
  });

  test("one value in two places is written twice", () => {
    const shared = { n: 1 };
    assert.equal(encode({ a: shared, b: [shared] }), '{"a":{"n":1},"b":[{"n":1}]}');
    assert.deepStrictEqual(thereAndBack({ a: shared, b: undefined, c: shared }), { a: shared, b: undefined, c: shared });
  });
});

describe("the closed list comes back as it was", () => {
  const bytes = fc.uint8Array().map((array) => array.slice());
  const key = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("$o", "__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "0", "length", "then"),
  );
  const dictionary = (values: fc.Arbitrary<unknown>) =>
    fc.array(fc.tuple(key, values), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as Record<string, unknown>);
  const aValue = fc.letrec<{ value: unknown; leaf: unknown; error: unknown; holes: unknown }>((tie) => ({
    leaf: fc.oneof(
      fc.constantFrom(null, undefined, true, false, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      fc.string({ unit: "binary" }),
      fc.double(),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      bytes,
      bytes.map((array) => array.buffer),
      fc.float32Array().map((array) => array.slice()),
      fc.float64Array().map((array) => array.slice()),
      fc.int16Array().map((array) => array.slice()),
      fc.uint32Array().map((array) => array.slice()),
      fc.bigInt64Array().map((array) => array.slice()),
      fc.webUrl({ withQueryParameters: true }).map((url) => new URL(url)),
      fc
        .tuple(fc.constantFrom(/a+b/, /[/\]\n]/su, /(?:)/g, /\u{1f600}/v), fc.nat(9))
        .map(([pattern, lastIndex]) => Object.assign(new RegExp(pattern), { lastIndex })),
    ),
    error: fc
      .record({
        type: fc.constantFrom(Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError),
        message: fc.string(),
        cause: fc.option(tie("value"), { nil: undefined }),
        fields: dictionary(tie("value")),
        errors: fc.option(fc.array(tie("value"), { maxLength: 3 }), { nil: undefined }),
      })
      .map(({ type, message, cause, fields, errors }) => {
        const options = cause === undefined ? undefined : { cause };
        const error = errors === undefined ? new type(message, options) : new AggregateError(errors, message, options);
        for (const name of Object.keys(fields)) {
          Object.defineProperty(error, name, { value: fields[name], enumerable: true, writable: true, configurable: true });
        }
        return error;
      }),
    holes: fc.array(fc.option(tie("value"), { nil: undefined }), { maxLength: 5 }).map((items) => {
      const list: unknown[] = [];
      list.length = items.length + 2;
      items.forEach((item, index) => {
        if (item !== undefined) list[index] = item;
      });
      return list;
    }),
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 4, arbitrary: tie("leaf") },
      fc.array(tie("value")),
      dictionary(tie("value")),
      fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
      fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
      tie("error"),
      tie("holes"),
    ),
  })).value;

  test("any value of the closed list comes back deeply equal, by text that any database can hold", () => {
    fc.assert(
      fc.property(aValue, (value) => {
        const text = encode(value);
        assert.deepStrictEqual(decode(text), value);
        if (text !== undefined) refuseUnstorableText(text, "payload");
      }),
      { numRuns: 1000 },
    );
  });

  test("every kind of typed array comes back, a part of a buffer as that part", () => {
    for (const type of [Int8Array, Uint8ClampedArray, Uint16Array, Int32Array, BigUint64Array]) {
      const whole = new type(8);
      whole[3] = typeof whole[0] === "bigint" ? 5n : 5;
      assert.deepStrictEqual(thereAndBack(whole.subarray(2, 6)), whole.slice(2, 6));
    }
    assert.equal(encode(new Uint16Array([1, 256])), '{"$o":["Uint16Array","AQAAAQ=="]}', "little-endian");
  });

  test("a Buffer comes back as a Uint8Array with its bytes", () => {
    assert.deepStrictEqual(thereAndBack({ bytes: Buffer.from("hi") }), { bytes: new Uint8Array([104, 105]) });
  });

  test("bytes are the same text where there is no Buffer", (t) => {
    const bytes = new Uint8Array(1000).map((_, index) => index * 3);
    const text = encode(bytes);
    const kept = globalThis.Buffer;
    t.after(() => {
      globalThis.Buffer = kept;
    });
    Reflect.deleteProperty(globalThis, "Buffer");
    const without = encode(bytes);
    const back = decode(text) as Uint8Array;
    const size = payloadBytes("aé€𝄞\ud834");
    globalThis.Buffer = kept;
    assert.equal(without, text);
    assert.deepStrictEqual(back, bytes);
    assert.equal(size, 1 + 2 + 3 + 4 + 3);
  });

  test("an error keeps its name, message, stack, causes, inner errors and fields", () => {
    const error = new AggregateError([new TypeError("one")], "all", { cause: new RangeError("deep", { cause: { code: 7 } }) });
    Object.assign(error, { code: "E_ALL", at: new Date(0) });
    const back = thereAndBack(error) as AggregateError & { code: string };
    assert.deepStrictEqual(back, error);
    assert.equal(back.stack, error.stack);
    assert.equal(Object.prototype.toString.call(back), "[object Error]");
    assert(back.errors[0] instanceof TypeError);
  });

  test("a subclass of Error comes back as the built-in class that it extends, with its name and fields", () => {
    class CardDeclined extends RangeError {
      override name = "CardDeclined";
      reason = "funds";
    }
    const back = thereAndBack(new CardDeclined("no")) as CardDeclined;
    assert.equal(Object.getPrototypeOf(back), RangeError.prototype);
    assert.equal(`${back}`, "CardDeclined: no");
    assert.equal(back.reason, "funds");
    const aborted = thereAndBack(new DOMException("stopped", "AbortError")) as Error;
    assert.equal(`${aborted}`, "AbortError: stopped");
  });

  test('a plain object with a key "$o" comes back unchanged, however deep', () => {
    for (const value of [{ $o: ["bigint", "1"] }, { $o: { $o: 1 } }, { a: [{ $o: undefined, b: 1 }] }, { $o: ["object", { $o: [] }] }]) {
      assert.deepStrictEqual(thereAndBack(value), value);
    }
    assert.equal(encode({ $o: 1 }), '{"$o":["object",{"$o":1}]}');
  });

  test("a list with holes keeps its holes, and a huge one costs what it holds", () => {
    const list: unknown[] = [];
    list[2] = "x";
    list.length = 4_000_000_000;
    assert.equal(encode(list), '{"$o":["array",[4000000000,[[2,"x"]]]]}');
    const back = thereAndBack(list) as unknown[];
    assert.equal(back.length, 4_000_000_000);
    assert.deepStrictEqual(Object.keys(back), ["2"]);
  });

  test("what has toJSON is written as that says and comes back plain", () => {
    assert.equal(encode(new Money(5)), '"5 cents"');
    assert.equal(
      encode({ price: new Money(5), when: { toJSON: () => [new Date(0)] } }),
      '{"price":"5 cents","when":[{"$o":["Date","1970-01-01T00:00:00.000Z"]}]}',
    );
    assert.equal(encode(Object.defineProperty({ a: 1 }, "toJSON", { value: () => "hidden" })), '"hidden"');
    class Itself {
      a = 1;
      toJSON(): this {
        return this;
      }
    }
    assert.equal(encode([new Itself()]), '[{"a":1}]');
  });
});

describe("what cannot be carried is refused at the call, with its path and the remedy", () => {
  const refused: [string, unknown, string, RegExp][] = [
    ["a function", { order: { lines: [0, 1, { price: () => 1 }] } }, "input.order.lines[2].price", /is a function.*leave it out/i],
    ["a class", { type: Order }, "input.type", /is a function/],
    ["a symbol", [Symbol("s")], "input[0]", /is a symbol/],
    ["a key that is a symbol", { a: { [Symbol("s")]: 1 } }, "input.a", /symbol as a key \(Symbol\(s\)\)/],
    ["an instance as the whole", new Line("a", 1), "input", /instance of Line.*\{ input: Line \}, or \[Line\] for a list/],
    ["an instance in a list", [1, new Line("a", 1)], "input[1]", /\[Line\] for a list/],
    ["an instance inside", { order: new Line("a", 1) }, "input.order", /give the class toJSON\(\) or pass plain data/],
    ["a promise", { a: Promise.resolve(1) }, "input.a", /is a promise or a task.*Await it/],
    ["an iterator", [1].values(), "input", /would not come back as one/],
    ["a WeakMap", new WeakMap(), "input", /instance of WeakMap/],
    ["a boxed string", new String("x"), "input", /instance of String/],
    ["a subclass of Map", new (class Prices extends Map {})(), "input", /instance of Prices/],
    ["a subclass of Array", new (class Lines extends Array {})(), "input", /instance of Lines/],
    ["a key of a Map", new Map([[Symbol("s"), 1]]), "input.keys()[0]", /symbol/],
    ["a value of a Map", { prices: new Map([["a", { f: () => 1 }]]) }, "input.prices.values()[0].f", /function/],
    ["an item of a Set", new Set([0, Symbol("s")]), "input.values()[1]", /symbol/],
    ["the cause of an error", new Error("x", { cause: { f: () => 1 } }), "input.cause.f", /function/],
    ["a key that is no word", { "two words": { "a.b\0": () => 1 } }, 'input["two words"]["a.b\\u0000"]', /function/],
    ["a long key", { ["k".repeat(500)]: () => 1 }, `input["${"k".repeat(80)}"...]`, /function/],
    [
      "the key __proto__",
      JSON.parse('{"__proto__":{"a":0}}', (key, value: unknown) => (key === "a" ? Symbol("s") : value)),
      "input.__proto__.a",
      /symbol/,
    ],
  ];
  for (const [name, value, path, message] of refused) {
    test(`${name}: ${path}`, () => {
      const refusal = refusalOf(() => encode(value));
      assert.equal(refusal.path, path);
      assert.equal(refusal.code, "PAYLOAD_INVALID");
      assert.match(refusal.message, message);
      assert(refusal.message.startsWith(`The input of activity 'hello' cannot be written: ${path} `), refusal.message);
    });
  }

  test("a cycle: where it closes", () => {
    const order: Record<string, unknown> = { lines: [] };
    (order["lines"] as unknown[]).push({ order });
    const refusal = refusalOf(() => encode(order));
    assert.equal(refusal.path, "input.lines[0].order");
    assert.match(refusal.message, /refers back to a value that contains it/);
    const map = new Map<unknown, unknown>();
    map.set("self", [map]);
    assert.equal(refusalOf(() => encode(map)).path, "input.values()[0][0]");
    const error = new Error("x");
    error.cause = error;
    assert.equal(refusalOf(() => encode(error)).path, "input.cause");
  });

  test("a getter or a toJSON that throws: with its error as the cause", () => {
    const cause = new Error("broken");
    const broken = () => {
      throw cause;
    };
    const getter = refusalOf(() => encode({ a: Object.defineProperty({}, "b", { get: broken, enumerable: true }) }));
    assert.deepEqual([getter.path, getter.cause], ["input.a.b", cause]);
    const toJson = refusalOf(() => encode([{ toJSON: broken }]));
    assert.deepEqual([toJson.path, toJson.cause], ["input[0]", cause]);
  });

  test("too deep: a clear error in place of a stack overflow, for every kind of nesting", () => {
    const wraps: ((inner: unknown) => unknown)[] = [
      (inner) => ({ inner }),
      (inner) => [inner],
      (inner) => new Map([[1, inner]]),
      (inner) => new Set([inner]),
      (inner) => new Error("x", { cause: inner }),
      (inner) => ({ $o: inner }),
      (inner) => Object.assign([inner], { length: 2 }),
      (inner) => ({ toJSON: () => [inner] }),
    ];
    for (const wrap of wraps) {
      let value: unknown = undefined;
      for (let depth = 0; depth < MAX_PAYLOAD_DEPTH / 2; depth++) value = wrap(value);
      thereAndBack(value);
      for (let depth = 0; depth < 10_000; depth++) value = wrap(value);
      const refusal = refusalOf(() => encode(value));
      assert.match(refusal.message, /nested more than 256 levels deep/);
      assert(refusal.message.length < 400);
    }
  });

  test("the deepest value allowed comes back", () => {
    for (const wrap of [
      (inner: unknown) => [inner],
      (inner: unknown) => new Map([[1, inner]]),
      (cause: unknown) => new Error("x", { cause }),
    ]) {
      let value: unknown = undefined;
      for (let depth = 0; depth < MAX_PAYLOAD_DEPTH; depth++) value = wrap(value);
      assert.equal(encode(thereAndBack(value)), encode(value));
      assert.throws(() => encode(wrap(value)), PayloadError);
    }
  });
});

describe("text that was damaged or is not ours", () => {
  test("what is not JSON is refused without quoting it", () => {
    for (const text of ["", "hello secret", "{", "undefined", "{'a':1}"]) {
      const refusal = refusalOf(() => decode(text));
      assert.equal(refusal.path, "input");
      assert.match(refusal.message, /are not JSON/);
      assert(!refusal.message.includes("secret") && refusal.cause === undefined);
    }
  });

  const damaged = [
    '{"$o":1}',
    '{"$o":[]}',
    '{"$o":["bigint"]}',
    '{"$o":["bigint","1",2]}',
    '{"$o":[1,2]}',
    '{"$o":["bigint","1"],"more":1}',
    '{"$o":["constructor",null]}',
    '{"$o":["__proto__",null]}',
    '{"$o":["Function","return 1"]}',
    '{"$o":["Order",{}]}',
    '{"$o":["undefined",1]}',
    '{"$o":["number","1"]}',
    '{"$o":["bigint","0x1"]}',
    '{"$o":["bigint",""]}',
    '{"$o":["Date","yesterday"]}',
    '{"$o":["Date",0]}',
    '{"$o":["Map",[[1]]]}',
    '{"$o":["Map",{}]}',
    '{"$o":["Set",1]}',
    '{"$o":["Uint8Array","*"]}',
    '{"$o":["Uint8Array",[1]]}',
    '{"$o":["Uint16Array","AA=="]}',
    '{"$o":["ArrayBuffer",null]}',
    '{"$o":["URL","no url"]}',
    '{"$o":["RegExp",["(",""]]}',
    '{"$o":["RegExp",["a","zz"]]}',
    '{"$o":["RegExp","a"]}',
    '{"$o":["Error",null]}',
    '{"$o":["Error",{"name":"x"}]}',
    '{"$o":["Error",{"name":"x","message":"y","fields":[]}]}',
    '{"$o":["AggregateError",{"name":"x","message":"y","errors":{}}]}',
    '{"$o":["object",[]]}',
    '{"$o":["array",[-1,[]]]}',
    '{"$o":["array",[2,[[2,1]]]]}',
    '{"$o":["array",[1e10,[]]]}',
    '{"$o":["array",{}]}',
  ];
  test("a tag that is unknown or malformed is refused, naming the path", () => {
    for (const text of damaged) {
      const refusal = refusalOf(() => decode(`{"a":[1,${text}]}`));
      assert.equal(refusal.path, "input.a[1]", text);
      assert.match(refusal.message, /^The input of activity 'hello' cannot be read: input\.a\[1\] holds /);
    }
  });

  test("any JSON at all is read or refused, and leaves every prototype alone", () => {
    const prototypes = [Object.prototype, Array.prototype, Function.prototype, Map.prototype, Error.prototype];
    const before = prototypes.map((prototype) => Reflect.ownKeys(prototype));
    const key = fc.constantFrom("__proto__", "constructor", "prototype", "$o", "a", "name", "stack", "cause", "fields", "toString");
    const kind = fc.constantFrom("object", "Map", "Set", "Error", "AggregateError", "array", "RegExp", "Uint8Array", "Date");
    const json = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "medium" },
        fc.constantFrom(null, 1, "", "x", "AAAA", true),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((entries) => Object.fromEntries(entries) as unknown),
        fc.tuple(kind, tie("value")).map((pair) => ({ $o: pair })),
      ),
    })).value;
    fc.assert(
      fc.property(json, (value) => {
        try {
          decode(JSON.stringify(value));
        } catch (error) {
          assert(error instanceof PayloadError);
        }
        assert.deepEqual(
          prototypes.map((prototype) => Reflect.ownKeys(prototype)),
          before,
        );
      }),
      { numRuns: 500 },
    );
  });

  test("__proto__ in data is a key like any other", () => {
    for (const inner of ['"x"', '{"$o":["Date",null]}', '{"polluted":{"$o":["undefined",null]}}']) {
      const value = decode(`{"__proto__":${inner}}`) as object;
      assert.deepEqual(Object.keys(value), ["__proto__"]);
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
      assert.equal(encode(value), `{"__proto__":${inner}}`);
    }
    const error = decode('{"$o":["Error",{"name":"Error","message":"","fields":{"__proto__":{"a":1},"stack":"forged"}}]}') as Error;
    assert.equal(Object.getPrototypeOf(error), Error.prototype);
    assert.equal(error.stack, "Error: ");
    assert.deepEqual(Object.keys(error), ["__proto__"]);
  });

  test("deep JSON of another language is read; with tags in it, it is read or refused, and never overflows the stack", () => {
    const deep = (inner: string) => "[".repeat(100_000) + inner + "]".repeat(100_000);
    assert(Array.isArray(decode(deep("1"))));
    assert.match(refusalOf(() => decode(deep('{"$o":["Date",null]}'))).message, /nested more than 256/);
  });
});

describe("classes that a definition names", () => {
  const through = (value: unknown, shape: Shape) => revive(decode(encode(dismantle(value, shape, at))), shape, at);

  test("an instance is written by its own fields and comes back as one, without a call of its constructor", () => {
    const order = new Order("laptop", 2000);
    assert.equal(encode(dismantle(order, Order, at)), '{"product":"laptop","cost":2000}');
    const back = through(order, Order) as Order;
    assert.deepStrictEqual(back, order);
    assert(back.needsApproval);
  });

  test("a list of instances comes back as one", () => {
    const orders = [new Order("laptop", 2000), new Order("mouse", 20)];
    assert.deepStrictEqual(through(orders, [Order]), orders);
    assert.deepStrictEqual(through([], [Order]), []);
  });

  test("toJSON and a static fromJSON are the class's own way", () => {
    const back = through(new Money(5), Money) as Money;
    assert(back instanceof Money);
    assert.equal(back.cents, 5);
    assert.deepEqual(
      (through([new Money(1), new Money(2)], [Money]) as Money[]).map((money) => money.cents),
      [1, 2],
    );
  });

  test("a fromJSON that throws is a PayloadError with its cause and the path", () => {
    const refusal = refusalOf(() => revive(["1 cents", 7], [Money], "output of activity 'price'"));
    assert.equal(refusal.path, "output[1]");
    assert(refusal.cause instanceof TypeError);
    assert.match(refusal.message, /Money\.fromJSON threw/);
  });

  test("an instance of a subclass is accepted and comes back as the class that was named", () => {
    // eslint-disable-next-line no-restricted-syntax -- users inherit: this is what becomes of it
    class Rush extends Order {
      days = 1;
    }
    const back = through(new Rush("laptop", 1), Order);
    assert.equal(Object.getPrototypeOf(back), Order.prototype);
    assert.deepStrictEqual({ ...(back as object) }, { product: "laptop", cost: 1, days: 1 });
  });

  test("instances inside an instance are refused, unless they are on the closed list", () => {
    class Basket {
      lines: unknown[];
      at = new Date(0);
      constructor(lines: unknown[]) {
        this.lines = lines;
      }
    }
    assert.deepStrictEqual(through(new Basket([1n]), Basket), new Basket([1n]));
    assert.equal(refusalOf(() => through(new Basket([new Line("a", 1)]), Basket)).path, "input.lines[0]");
    assert.equal(refusalOf(() => through([new Order("a", 1), new Line("a", 1)], [Order])).path, "input[1]");
  });

  test("a subclass of Error comes back as itself, with message, stack and cause", () => {
    class CardDeclined extends Error {
      readonly reason: string;
      constructor(reason: string, options?: ErrorOptions) {
        super(`declined: ${reason}`, options);
        this.reason = reason;
      }
    }
    const error = new CardDeclined("funds", { cause: new Error("bank") });
    const back = through(error, CardDeclined);
    assert(back instanceof CardDeclined);
    assert.deepStrictEqual(back, error);
    assert.equal(back.stack, error.stack);
  });

  test("built-in classes can be named; classes that extend a container need toJSON", () => {
    assert.deepStrictEqual(through(new Date(0), Date), new Date(0));
    assert.deepStrictEqual(through(new Map([[1, 2]]), Map), new Map([[1, 2]]));
    // eslint-disable-next-line no-restricted-syntax -- users inherit: this is what becomes of it
    class Prices extends Map<string, number> {}
    assert.match(
      refusalOf(() => through(new Prices([["a", 1]]), Prices)).message,
      /Prices, which extends a built-in class.*toJSON\(\) and a static fromJSON/,
    );
  });

  test("data of another language becomes an instance; what has no fields passes through, for validation to refuse", () => {
    assert.deepStrictEqual(revive({ product: "a", cost: 1 }, Order), new Order("a", 1));
    for (const value of [null, undefined, 1, "x", [1]]) assert.deepStrictEqual(revive(value, Order), value);
    assert.equal(revive("no list", [Order]), "no list");
    assert.deepStrictEqual(dismantle({ plain: 1 }, Order, at), { plain: 1 });
  });

  test("rebuilding calls no setter and no __proto__ of the data", () => {
    class Guarded {
      set secret(_value: unknown) {
        assert.fail("a setter was called");
      }
    }
    const back = revive(JSON.parse('{"secret":1,"__proto__":{"admin":true},"constructor":2}'), Guarded) as Record<string, unknown>;
    assert(back instanceof Guarded);
    assert.deepEqual(Object.keys(back), ["secret", "__proto__", "constructor"]);
    assert.equal(back["admin"], undefined);
  });
});

describe("text", () => {
  test("raw text with NUL or half a surrogate pair is refused, naming it", () => {
    assert.doesNotThrow(() => refuseUnstorableText("po-17 ünï 𝄞 \u0001 \ufffe", "instance id"));
    const nul = refusalOf(() => refuseUnstorableText("po\0", "instance id"));
    assert.equal(
      nul.message,
      'The instance id cannot be stored: "po\\u0000" contains the character NUL at index 2. Databases hold no such text: leave it out.',
    );
    for (const text of ["a\ud834", "\udd1ea", "\ud834\ud834\udd1e"]) {
      assert.match(
        refusalOf(() => refuseUnstorableText(text, "tag 'team' of orchestration 'x'")).message,
        /half of a surrogate pair at index/,
      );
    }
    assert.match(refusalOf(() => refuseUnstorableText("𝄞\udd1e", "x")).message, /at index 2/);
    assert(refusalOf(() => refuseUnstorableText("\0".repeat(1e6), "x")).message.length < 1000);
  });

  test("text of the converter is storable whatever strings and keys it carries, without a check", () => {
    const hard = "\0 \ud834 \udd1e \u2028";
    for (const value of [hard, { [hard]: hard }, new Map([[hard, new Error(hard)]]), new RegExp(hard)]) {
      refuseUnstorableText(encode(value) ?? "", "payload");
      assert.deepStrictEqual(thereAndBack(value), value);
    }
  });

  test("payloads are counted in bytes of UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        assert.equal(payloadBytes(text), new TextEncoder().encode(text).length);
      }),
    );
    assert.equal(payloadBytes(undefined), 0);
    assert.equal(payloadBytes(""), 0);
  });

  test("paths read like code", () => {
    assert.equal(payloadPath(at, ["order", 2, "a b", Symbol("s")]), 'input.order[2]["a b"]["Symbol(s)"]');
    assert.equal(payloadPath("custom status", ["x"]), "status.x");
  });
});
