// What a network in memory does to calls, on demand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { handTimers } from "../../test/hand-timers.ts";
import { aborted, bytes, servedBy, text, type Methods } from "../../test/served-by.ts";
import { inMemoryChannel, type CallFault, type InMemoryOptions } from "./in-memory.ts";
import type { IncomingCall } from "./transport.ts";
import type { WireError } from "./wire-error.ts";

function joined(methods: Methods, options: InMemoryOptions = {}) {
  const timers = handTimers();
  return { timers, channel: inMemoryChannel(servedBy(methods), { timers, ...options }) };
}

/** A counter with one method, and a fault for its first call. */
function counting(fault: CallFault) {
  const arrivals: string[] = [];
  const made = joined(
    {
      unary: {
        Add(_, message) {
          arrivals.push(text(message));
          return { message: bytes(String(arrivals.length)), metadata: {} };
        },
      },
    },
    { fault: (call) => (call.number === 1 ? fault : undefined) },
  );
  return { ...made, arrivals };
}

const unavailable = (error: WireError) => error.status === "UNAVAILABLE";
/** All microtasks have run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A stream that stays open, and what was heard of it. */
function heardOf(channel: ReturnType<typeof inMemoryChannel>, method: string) {
  const heard: string[] = [];
  const stream = channel.stream(method, bytes(""), {
    headers: () => void heard.push("headers"),
    message: (message) => void heard.push(text(message)),
    ended: (error) => void heard.push(`ended ${error?.status ?? "well"}`),
  });
  return { heard, stream };
}

test("a lost call never arrives, and the next one does", async () => {
  const { channel, arrivals } = counting({ kind: "loseCall" });
  await assert.rejects(channel.unary("Add", bytes("one")), unavailable);
  await channel.unary("Add", bytes("two"));
  assert.deepEqual(arrivals, ["two"]);
});

test("a lost reply leaves what was done done", async () => {
  const { channel, arrivals } = counting({ kind: "loseReply" });
  await assert.rejects(channel.unary("Add", bytes("one")), unavailable);
  assert.deepEqual(arrivals, ["one"]);
});

test("silence lasts until the deadline, and a reset ends it, too", async () => {
  const { channel, arrivals, timers } = counting({ kind: "silence" });
  const waiting = assert.rejects(channel.unary("Add", bytes("one"), { timeoutMs: 1_000 }), (error: WireError) => {
    assert.equal(error.status, "DEADLINE_EXCEEDED");
    return true;
  });
  await settled();
  assert.deepEqual(arrivals, ["one"]);
  timers.advance(1_000);
  await waiting;

  const again = counting({ kind: "silence" });
  const forEver = assert.rejects(again.channel.unary("Add", bytes("one")), unavailable);
  await settled();
  again.channel.reset();
  await forEver;
});

test("delays run by the clock that was given", async () => {
  const late = counting({ kind: "delayCall", ms: 500 });
  const reply = late.channel.unary("Add", bytes("one"));
  await settled();
  assert.deepEqual(late.arrivals, []);
  late.timers.advance(500);
  assert.equal(text((await reply).message), "1");

  const slow = counting({ kind: "delayReply", ms: 500 });
  let answered = false;
  const slowReply = slow.channel.unary("Add", bytes("one")).then(() => (answered = true));
  await settled();
  assert.deepEqual(slow.arrivals, ["one"]);
  assert.equal(answered, false);
  slow.timers.advance(500);
  await slowReply;
});

test("a call that is delayed beyond its deadline never arrives", async () => {
  const { channel, arrivals, timers } = counting({ kind: "delayCall", ms: 500 });
  const waiting = assert.rejects(channel.unary("Add", bytes("one"), { timeoutMs: 100 }), { status: "DEADLINE_EXCEEDED" });
  timers.advance(1_000);
  await waiting;
  await settled();
  assert.deepEqual(arrivals, []);
});

test("a call that is delivered twice arrives twice and is answered once", async () => {
  const { channel, arrivals } = counting({ kind: "deliverTwice" });
  assert.equal(text((await channel.unary("Add", bytes("one"))).message), "1");
  assert.deepEqual(arrivals, ["one", "one"]);
});

test("a stream breaks after as many messages as were said, and who writes it learns of that", async () => {
  let signal: AbortSignal | undefined;
  const { channel } = joined(
    {
      stream: {
        async Count(call, _, writer) {
          signal = call.signal;
          for (let at = 1; at <= 10; at += 1) writer.write(bytes(String(at)));
          await aborted(call.signal);
        },
      },
    },
    { fault: () => ({ kind: "cutAfter", messages: 3 }) },
  );
  const { heard } = heardOf(channel, "Count");
  await settled();
  assert.deepEqual(heard, ["headers", "1", "2", "3", "ended UNAVAILABLE"]);
  assert.equal(signal!.aborted, true);
});

test("all streams can be cut, and calls go on", async () => {
  const calls: IncomingCall[] = [];
  const { channel } = joined({
    unary: { Echo: (_, message) => ({ message, metadata: {} }) },
    stream: {
      Wait: (call) => {
        calls.push(call);
        return aborted(call.signal);
      },
    },
  });
  const streams = [heardOf(channel, "Wait"), heardOf(channel, "Wait")];
  await settled();
  const reply = channel.unary("Echo", bytes("on"));
  channel.cutStreams();
  assert.equal(text((await reply).message), "on");
  await settled();
  assert.deepEqual(
    streams.map(({ heard }) => heard),
    [
      ["headers", "ended UNAVAILABLE"],
      ["headers", "ended UNAVAILABLE"],
    ],
  );
  assert.ok(calls.every((call) => call.signal.aborted));
});

test("nothing goes through while the network is down", async () => {
  const { channel, arrivals } = counting({ kind: "delayReply", ms: 10 });
  const caught = assert.rejects(channel.unary("Add", bytes("one")), unavailable);
  await settled();
  channel.setDown(true);
  await caught;
  await assert.rejects(channel.unary("Add", bytes("two")), unavailable);
  channel.setDown(false);
  await channel.unary("Add", bytes("three"));
  assert.deepEqual(arrivals, ["one", "three"]);
});

test("a slow reader makes the writer wait, and gets everything in the end", async () => {
  let written = 0;
  const { channel } = joined({
    stream: {
      async Count(_, __, writer) {
        for (let at = 0; at < 100; at += 1) {
          written += 1;
          if (!writer.write(bytes(String(at)))) await writer.drained();
        }
      },
    },
  });
  channel.setSlow(true);
  const { heard } = heardOf(channel, "Count");
  await settled();
  assert.ok(written < 50, `${written} messages were written to a reader that does not read`);
  assert.deepEqual(heard, []);
  channel.setSlow(false);
  await settled();
  assert.deepEqual(heard, ["headers", ...Array.from({ length: 100 }, (_, at) => String(at)), "ended well"]);
});

test("a call made in the wrong way is refused", async () => {
  const { channel } = joined({ unary: { Echo: (_, message) => ({ message, metadata: {} }) } });
  const { heard } = heardOf(channel, "Echo");
  await settled();
  assert.deepEqual(heard, ["ended INTERNAL"]);
});

test("the same calls meet the same fates in the same order", async () => {
  const run = async (): Promise<readonly string[]> => {
    const told: string[] = [];
    const { channel } = joined(
      {
        unary: {
          async Echo(_, message) {
            await Promise.resolve();
            told.push(`answers ${text(message)}`);
            return { message, metadata: {} };
          },
        },
      },
      { fault: ({ number }) => (number % 3 === 0 ? { kind: "loseReply" } : number % 5 === 0 ? { kind: "deliverTwice" } : undefined) },
    );
    await Promise.all(
      Array.from({ length: 30 }, async (_, at) => {
        const outcome = await channel.unary("Echo", bytes(String(at))).then(
          () => "heard",
          (error: WireError) => error.status,
        );
        told.push(`${at} ${outcome}`);
      }),
    );
    return told;
  };
  assert.deepEqual(await run(), await run());
});
