import assert from "node:assert/strict";
import { test } from "node:test";
import { jittered, seededRandom, systemRandom } from "./random.ts";

test("ids are 32 hexadecimal digits and differ", () => {
  for (const random of [systemRandom, seededRandom(7)]) {
    const ids = new Set(Array.from({ length: 1_000 }, () => random.id()));
    assert.equal(ids.size, 1_000);
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  }
});

test("the same seed gives the same row", () => {
  const [a, b, c] = [seededRandom(3), seededRandom(3), seededRandom(4)];
  const row = (random: typeof a): unknown[] => [random.id(), random.fraction(), random.id()];
  const first = row(a);
  assert.deepEqual(row(b), first);
  assert.notDeepEqual(row(c), first);
});

test("fractions and jitter stay in their bounds", () => {
  const random = seededRandom(1);
  for (let i = 0; i < 1_000; i++) {
    const fraction = random.fraction();
    assert.ok(fraction >= 0 && fraction < 1);
    const delay = jittered(random, 1_000);
    assert.ok(delay >= 500 && delay <= 1_000);
  }
});
