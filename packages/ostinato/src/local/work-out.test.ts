import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkOut } from "./work-out.ts";

test("what was put is taken once, by its own token", () => {
  const out = new WorkOut<string>(0);
  const a = out.put("a");
  const b = out.put("b");
  assert.equal(out.take(a), "a");
  assert.equal(out.take(a), undefined, "it was taken already");
  const left: [string, number][] = [];
  out.each((value, token) => left.push([value, token]));
  assert.deepEqual(left, [["b", b]]);
});

test("a place that is used again answers to its new token only (L2)", () => {
  const out = new WorkOut<string>(0);
  const stale = out.put("first");
  out.take(stale);
  const token = out.put("second");
  assert.notEqual(token, stale);
  assert.equal(out.take(stale), undefined);
  assert.equal(out.take(token), "second");
});

test("a token of another make finds nothing", () => {
  const out = new WorkOut<string>(0);
  out.put("a");
  assert.equal(out.take("1"), undefined);
  assert.equal(out.take(Number.NaN), undefined);
  assert.equal(out.take(-1), undefined);
});

test("tokens of two families never meet", () => {
  const [turns, activities] = [new WorkOut<string>(0), new WorkOut<string>(1)];
  const tokens = new Set<number>();
  for (let i = 0; i < 100; i++) for (const out of [turns, activities]) tokens.add(out.put("x"));
  assert.equal(tokens.size, 200);
});
