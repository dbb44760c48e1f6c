import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createCommonBudget, createFrameReader, frame } from "./frames.ts";
import type { WireError } from "./wire-error.ts";

const limit = { bytes: 100_000, option: "the server" };
const plenty = createCommonBudget(Number.MAX_SAFE_INTEGER).share(Number.MAX_SAFE_INTEGER, () => undefined);

test("messages come out as they went in, however the bytes between were cut", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(messages, cuts, (sent, sizes) => {
      const whole = Buffer.concat(sent.map(frame));
      const heard: Uint8Array[] = [];
      const reader = createFrameReader(limit, plenty, (message) => heard.push(new Uint8Array(message)));
      for (let at = 0, turn = 0; at < whole.length; turn += 1) {
        const size = sizes[turn % sizes.length]!;
        reader.push(whole.subarray(at, at + size));
        at += size;
      }
      assert.deepEqual(heard, sent);
      assert.equal(reader.unfinished, false);
    }),
  );
});

test("whatever comes, it is messages or a WireError", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
      const reader = createFrameReader({ bytes: 1_000, option: "the server" }, plenty, () => undefined);
      try {
        for (const chunk of chunks) reader.push(Buffer.from(chunk));
      } catch (error) {
        assert.equal((error as WireError).name, "WireError");
      }
    }),
  );
});

test("memory is taken for what has come, not for what was announced, and is given back", () => {
  let taken = 0;
  const budget = {
    take: (bytes: number) => {
      taken += bytes;
      return true;
    },
    give: (bytes: number) => void (taken -= bytes),
  };
  const heard: number[] = [];
  const reader = createFrameReader({ bytes: 50 << 20, option: "the server" }, budget, (message) => heard.push(message.length));
  const message = frame(new Uint8Array(10 << 20));
  reader.push(message.subarray(0, 6));
  assert.ok(taken <= 16_384, `${taken} bytes were taken for one`);
  reader.push(message.subarray(6, 100_000));
  assert.ok(taken <= 200_000, `${taken} bytes were taken for a hundred thousand`);
  reader.push(message.subarray(100_000));
  assert.deepEqual(heard, [10 << 20]);
  assert.equal(taken, 0);
  reader.push(message.subarray(0, 1_000));
  reader.release();
  assert.equal(taken, 0);
});

test("when the room that several have is full, who has most gives way, and nobody has more than its own share", () => {
  const whole = createCommonBudget(10);
  const gaveWay: string[] = [];
  const one = whole.share(8, () => {
    gaveWay.push("one");
    one.give(8);
  });
  const other = whole.share(8, () => void gaveWay.push("other"));
  assert.equal(one.take(9), false);
  assert.equal(one.take(8), true);
  // The other would have as much itself.
  assert.equal(other.take(8), false);
  assert.equal(other.take(2), true);
  assert.deepEqual(gaveWay, []);
  assert.equal(other.take(3), true);
  assert.deepEqual(gaveWay, ["one"]);
  // Who is asked and gives nothing is asked once.
  assert.equal(one.take(4), true);
  assert.equal(one.take(2), false);
  other.give(5);
  other.close();
  assert.equal(one.take(4), true);
});
