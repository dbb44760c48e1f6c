import assert from "node:assert/strict";
import { test } from "node:test";
import { ReleaseLine } from "./release-line.ts";

const lease = (number: number) => ({ number, epoch: 1 });

test("what is given back while a call is on its way goes with the next one, and what waits longer by itself", async () => {
  const calls: (readonly [count: number, afterMs: number])[] = [];
  const line = new ReleaseLine(async (leases, afterMs) => void calls.push([leases.length, afterMs]));
  const all = Array.from({ length: 1_000 }, (_, i) => line.release([lease(i)], 0));
  await Promise.all([...all, line.release([lease(1_001)], 500), line.release([lease(1_002)], 0)]);
  assert.deepEqual(calls, [
    [1_000, 0],
    [1, 500],
    [1, 0],
  ]);
});

test("everybody in a group that failed is told, and the next group goes", async () => {
  let fails = true;
  const line = new ReleaseLine(async () => {
    if (fails) throw new Error("away");
  });
  const [one, two] = await Promise.allSettled([line.release([lease(1)], 0), line.release([lease(2)], 0)]);
  assert.deepEqual([one?.status, two?.status], ["rejected", "rejected"]);
  fails = false;
  await line.release([lease(3)], 0);
});
