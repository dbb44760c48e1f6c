import assert from "node:assert/strict";
import { test } from "node:test";
import type { Execution } from "../executor/execution.ts";
import { createTurnCache } from "./turn-cache.ts";

function program(keptBytes: number): Execution & { closed: boolean } {
  return {
    closed: false,
    keptBytes,
    historyLength: 0,
    advance: () => assert.fail("nobody runs it"),
    reportUnhandled: () => undefined,
    close() {
      this.closed = true;
    },
  };
}

test("a program is kept for its execution, and is out while it runs", () => {
  const cache = createTurnCache(100);
  const a = program(10);
  assert.equal(cache.keep("i", "e1", a), 10);
  assert.equal(cache.take("i", "e1"), a);
  assert.equal(cache.take("i", "e1"), undefined);
  assert.deepEqual([cache.size, cache.bytes], [0, 0]);
  cache.keep("i", "e1", a);
  assert.equal(cache.take("i", "e2"), undefined, "another execution's program is of no use");
  assert.equal(a.closed, true);
});

test("over the budget the one longest without a turn goes first", () => {
  const cache = createTurnCache(100);
  const [a, b, c] = [program(40), program(40), program(40)];
  cache.keep("a", "e", a);
  cache.keep("b", "e", b);
  cache.keep("a", "e", cache.take("a", "e") ?? a);
  cache.keep("c", "e", c);
  assert.deepEqual([a.closed, b.closed, c.closed], [false, true, false]);
  assert.deepEqual([cache.size, cache.bytes], [2, 80]);
});

test("what alone is over the budget is not kept", () => {
  const cache = createTurnCache(0);
  const a = program(1);
  assert.equal(cache.keep("a", "e", a), undefined);
  assert.equal(a.closed, true);
});

test("forgetting closes", () => {
  const cache = createTurnCache(100);
  const [a, b] = [program(1), program(1)];
  cache.keep("a", "e", a);
  cache.keep("b", "e", b);
  cache.forget("a");
  cache.forget("nobody");
  assert.deepEqual([a.closed, b.closed], [true, false]);
  cache.clear();
  assert.deepEqual([b.closed, cache.size, cache.bytes], [true, 0, 0]);
});
