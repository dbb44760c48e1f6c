import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cut, jsonText, plain } from "./escape.ts";

test("SEC12 what a terminal would obey is written out, on one line", () => {
  const cases: [string, string][] = [
    ["order-17", "order-17"],
    ["two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"],
    ["\u001b[31mred\u001b[0m", "\\u{1b}[31mred\\u{1b}[0m"],
    ["\u009b31m", "\\u{9b}31m"],
    ["\u0007\u0000\u007f", "\\u{7}\\u{0}\\u{7f}"],
    ["abc\u202edef", "abc\\u{202e}def"],
    ["a\u200bb\ufeff", "a\\u{200b}b\\u{feff}"],
    ["half \ud800 pair", "half \\u{d800} pair"],
    ["Ünïcödé 日本 🎉", "Ünïcödé 日本 🎉"],
  ];
  for (const [text, shown] of cases) assert.equal(plain(text), shown);
});

test("escaping twice is escaping once", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(plain(plain(text)), plain(text));
    }),
  );
});

test("JSON is one line that no terminal obeys, and reads back as the same value", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const line = jsonText({ [text]: [text] });
      assert.equal(plain(line), line);
      assert.deepEqual(JSON.parse(line), { [text]: [text] });
    }),
  );
});

test("a text is cut by characters, never within one", () => {
  assert.equal(cut("order", 5), "order");
  assert.equal(cut("orders", 5), "orde…");
  assert.equal(cut("🎉🎉🎉", 2), "🎉…");
});
