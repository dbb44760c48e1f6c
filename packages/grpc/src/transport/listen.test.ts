// What a door does with callers that are strange, slow or hostile.

import assert from "node:assert/strict";
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { lineTo } from "../../test/frozen-line.ts";
import { handTimers } from "../../test/hand-timers.ts";
import { aborted, bytes, servedBy, text, type Methods } from "../../test/served-by.ts";
import { frame } from "./frames.ts";
import { listen, type Listening, type ListenOptions } from "./listen.ts";
import { openChannel } from "./open-channel.ts";
import type { IncomingCall } from "./transport.ts";
import type { WireError } from "./wire-error.ts";

const echo: Methods = { unary: { Echo: (_, message) => ({ message, metadata: {} }) } };
const limits = { timeout: 60_000 };

async function opened(t: TestContext, methods: Methods, options: Partial<ListenOptions> = {}): Promise<Listening> {
  const door = await listen(servedBy(methods), { host: "127.0.0.1", port: 0, ...options });
  t.after(() => door.close({ graceMs: 0 }));
  return door;
}

async function session(t: TestContext, door: Listening): Promise<ClientHttp2Session> {
  const made = connect(`http://127.0.0.1:${door.port}`, { maxSessionMemory: 100 });
  made.on("error", () => undefined);
  t.after(() => made.destroy());
  await once(made, "remoteSettings");
  return made;
}

interface Answer {
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
  readonly code: number;
}

function request(on: ClientHttp2Session, method: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const stream = on.request({
    ":method": "POST",
    ":path": `/TaskHubSidecarService/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => undefined);
  return stream;
}

function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    const headers: Record<string, unknown> = {};
    const parts: Buffer[] = [];
    stream.on("response", (more) => void Object.assign(headers, more));
    stream.on("trailers", (more) => void Object.assign(headers, more));
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("close", () => resolve({ headers, body: Buffer.concat(parts), code: stream.rstCode }));
  });
}

/** The door still answers somebody who behaves. */
async function stillAnswers(door: Listening): Promise<void> {
  const channel = openChannel(`127.0.0.1:${door.port}`);
  assert.equal(text((await channel.unary("Echo", bytes("still here"), { timeoutMs: 20_000 })).message), "still here");
  await channel.close();
}

test("what is no call of gRPC is answered in the words of HTTP", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  const wrongType = request(on, "Echo", { "content-type": "application/json" });
  wrongType.end("{}");
  assert.equal((await answerTo(wrongType)).headers[":status"], 415);
  const wrongMethod = request(on, "Echo", { ":method": "GET" });
  wrongMethod.end();
  const answer = await answerTo(wrongMethod);
  assert.equal(answer.headers[":status"], 405);
  assert.equal(answer.headers["allow"], "POST");
  const noType = on.request({ ":method": "POST", ":path": "/" });
  noType.end();
  assert.equal((await answerTo(noType)).headers[":status"], 415);
});

test("methods of other services are UNIMPLEMENTED", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  for (const path of ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/", "/Echo", "/TaskHubSidecarService/Echo/Echo"]) {
    const stream = request(on, "Echo", { ":path": path });
    stream.end(frame(bytes("x")));
    assert.equal((await answerTo(stream)).headers["grpc-status"], "12", path);
  }
});

test("a message that is announced too long is refused by its announcement, and the text names limit and option", limits, async (t) => {
  const door = await opened(t, echo, { maxMessageBytes: 1_000 });
  const on = await session(t, door);
  const stream = request(on, "Echo");
  const prefix = Buffer.from([0, 0, 0, 3, 233]);
  stream.write(prefix);
  const { headers } = await answerTo(stream);
  assert.equal(headers["grpc-status"], "8");
  assert.match(String(headers["grpc-message"]), /1001 bytes.*1000.*maxMessageBytes/);
  const exact = request(on, "Echo");
  exact.end(frame(new Uint8Array(1_000)));
  assert.equal((await answerTo(exact)).headers["grpc-status"], "0");
});

test("an answer that is announced too long is refused by the caller's own limit", limits, async (t) => {
  const door = await opened(t, echo);
  const channel = openChannel(`127.0.0.1:${door.port}`, { maxMessageBytes: 1_000 });
  t.after(() => channel.close());
  await assert.rejects(channel.unary("Echo", new Uint8Array(1_001)), (error: WireError) => {
    assert.equal(error.status, "RESOURCE_EXHAUSTED");
    assert.match(error.message, /Echo.*maxMessageBytes/);
    return true;
  });
});

test("a compressed message is refused, and the caller is told what is taken", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  const byHeader = request(on, "Echo", { "grpc-encoding": "gzip" });
  byHeader.end(Buffer.from([1, 0, 0, 0, 1, 7]));
  const flagged = request(on, "Echo");
  flagged.end(Buffer.from([1, 0, 0, 0, 1, 7]));
  for (const stream of [byHeader, flagged]) {
    const { headers } = await answerTo(stream);
    assert.equal(headers["grpc-status"], "12");
    assert.equal(headers["grpc-accept-encoding"], "identity");
  }
});

test("half messages, none, two, and bytes that are no message end their own call and nothing else", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  const one = frame(bytes("x"));
  for (const [what, sent] of Object.entries({
    half: one.subarray(0, 5),
    lessThanAPrefix: one.subarray(0, 3),
    none: Buffer.alloc(0),
    two: Buffer.concat([one, one]),
    noMessage: Buffer.from([9, 9, 9, 9, 9, 9, 9]),
  })) {
    const stream = request(on, "Echo");
    stream.end(sent);
    assert.equal((await answerTo(stream)).headers["grpc-status"], "13", what);
  }
  await stillAnswers(door);
});

test("a message that comes byte by byte arrives whole", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  const stream = request(on, "Echo");
  for (const byte of frame(bytes("one byte at a time"))) stream.write(Buffer.from([byte]));
  stream.end();
  const { headers, body } = await answerTo(stream);
  assert.equal(headers["grpc-status"], "0");
  assert.equal(body.subarray(5).toString(), "one byte at a time");
});

test("a deadline that cannot be read is refused, and one of nothing has passed", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  for (const [timeout, status] of Object.entries({ "1x": "3", "-1S": "3", "123456789S": "3", "": "3", "0m": "4", "99999999H": "0" })) {
    const stream = request(on, "Echo", { "grpc-timeout": timeout });
    stream.end(frame(bytes("x")));
    assert.equal((await answerTo(stream)).headers["grpc-status"], status, JSON.stringify(timeout));
  }
});

test("X2 a deadline that expires on the server ends the call there, too", limits, async (t) => {
  const timers = handTimers();
  let arrived: (call: IncomingCall) => void = () => undefined;
  const arrival = new Promise<IncomingCall>((resolve) => (arrived = resolve));
  const methods: Methods = {
    unary: {
      Wait: async (call) => {
        arrived(call);
        await aborted(call.signal);
        throw call.signal.reason;
      },
    },
  };
  const door = await opened(t, methods, { timers });
  const on = await session(t, door);
  const stream = request(on, "Wait", { "grpc-timeout": "5S" });
  const answer = answerTo(stream);
  stream.end(frame(bytes("x")));
  const call = await arrival;
  timers.advance(4_999);
  assert.equal(call.signal.aborted, false);
  timers.advance(1);
  assert.equal((call.signal.reason as WireError).status, "DEADLINE_EXCEEDED");
  assert.equal((await answer).headers["grpc-status"], "4");
});

test("X2 a socket that dies aborts every call on it", limits, async (t) => {
  const calls: IncomingCall[] = [];
  let all: () => void = () => undefined;
  const allArrived = new Promise<void>((resolve) => (all = resolve));
  const door = await opened(t, {
    unary: {
      Wait: async (call) => {
        calls.push(call);
        if (calls.length === 20) all();
        await aborted(call.signal);
        return { message: bytes(""), metadata: {} };
      },
    },
  });
  const on = await session(t, door);
  for (let at = 0; at < 20; at += 1) request(on, "Wait").end(frame(bytes("x")));
  await allArrived;
  on.destroy();
  await Promise.all(calls.map((call) => aborted(call.signal)));
});

test("ten thousand calls that are given up at once leave the door open for others", limits, async (t) => {
  let running = 0;
  let most = 0;
  const door = await opened(t, {
    unary: {
      ...echo.unary,
      Slow: async (call) => {
        running += 1;
        most = Math.max(most, running);
        await aborted(call.signal);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        throw new Error("too late");
      },
    },
  });
  const before = process.memoryUsage().rss;
  let made = 0;
  while (made < 10_000) {
    const on = connect(`http://127.0.0.1:${door.port}`, { peerMaxConcurrentStreams: 1_000_000 });
    on.on("error", () => undefined);
    await once(on, "connect");
    for (; made < 10_000 && !on.destroyed && !on.closed; made += 100) {
      for (let at = 0; at < 100; at += 1) {
        const stream = request(on, "Slow");
        stream.end(frame(bytes("x")));
        stream.close(constants.NGHTTP2_CANCEL);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    on.destroy();
  }
  await stillAnswers(door);
  assert.ok(most <= 2_000, `${most} calls were being answered at once`);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 400, `both sides of the attack together grew by ${grown} MiB`);
});

test("a caller that does not read makes the writer wait, and is dropped when the writer does not", limits, async (t) => {
  let waited = false;
  let dropped: IncomingCall | undefined;
  const door = await opened(
    t,
    {
      ...echo,
      stream: {
        async Polite(call, _, writer) {
          while (writer.write(new Uint8Array(10_000)));
          waited = true;
          await writer.drained();
        },
        async Rude(call, _, writer) {
          dropped = call;
          for (let at = 0; at < 100_000 && !call.signal.aborted; at += 1) writer.write(new Uint8Array(10_000));
        },
      },
    },
    { maxMessageBytes: 1 << 20 },
  );
  const on = await session(t, door);
  const polite = request(on, "Polite");
  polite.pause();
  polite.end(frame(bytes("x")));
  await once(polite, "response");
  const rude = request(on, "Rude");
  const closed = new Promise((resolve) => rude.on("close", resolve));
  rude.pause();
  rude.end(frame(bytes("x")));
  await closed;
  assert.equal(rude.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.equal((dropped!.signal.reason as WireError).status, "RESOURCE_EXHAUSTED");
  assert.equal(waited, true);
  // Who reads on gets the rest.
  polite.resume();
  await once(polite, "close");
  assert.equal(polite.rstCode, 0);
  await stillAnswers(door);
});

test("a duplex caller that sends faster than it is heard has to wait", limits, async (t) => {
  let hear: () => void = () => undefined;
  const mayHear = new Promise<void>((resolve) => (hear = resolve));
  let heard = 0;
  const door = await opened(t, {
    duplex: {
      async Sum(_, incoming, writer) {
        await mayHear;
        for await (const message of incoming) heard += message.length;
        writer.write(bytes(String(heard)));
      },
    },
  });
  const on = await session(t, door);
  const stream = request(on, "Sum");
  const answer = answerTo(stream);
  const part = frame(new Uint8Array(50_000));
  let accepted = 0;
  while (stream.writableLength < 8 << 20) {
    stream.write(part);
    accepted += 1;
    if (accepted % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(accepted < 10_000, "the server takes without end what nobody hears");
  }
  hear();
  stream.end();
  assert.equal((await answer).body.subarray(5).toString(), String(accepted * 50_000));
});

test("unfinished messages share a budget", limits, async (t) => {
  const door = await opened(t, echo, { maxMessageBytes: 1 << 20 });
  const on = await session(t, door);
  const streams = Array.from({ length: 6 }, () => request(on, "Echo"));
  const answers = streams.map(answerTo);
  const almost = frame(new Uint8Array(1 << 20)).subarray(0, -1);
  for (const stream of streams) stream.write(almost);
  const first = await Promise.race(answers);
  assert.equal(first.headers["grpc-status"], "14");
  assert.match(String(first.headers["grpc-message"]), /unfinished/);
  on.destroy();
  await stillAnswers(door);
});

test("a caller that says nothing, or never ends its message, is given up", limits, async (t) => {
  const timers = handTimers();
  const door = await opened(t, echo, { timers, handshakeTimeoutMs: 10_000, receiveTimeoutMs: 60_000, pingIntervalMs: 30_000 });
  const mute = connectSocket(door.port, "127.0.0.1");
  mute.on("error", () => undefined);
  mute.resume();
  const on = await session(t, door);
  const half = request(on, "Echo");
  const answer = answerTo(half);
  half.write(frame(bytes("half")).subarray(0, 6));
  // The ping is answered when the server has seen everything before it.
  await new Promise<void>((resolve) => on.ping(() => resolve()));
  const muteClosed = once(mute, "close");
  timers.advance(10_000);
  await muteClosed;
  timers.advance(20_000);
  await new Promise<void>((resolve) => on.ping(() => resolve()));
  timers.advance(30_000);
  assert.equal((await answer).headers["grpc-status"], "4");
});

test("a connection that does not answer a ping is dropped, and its calls are aborted", limits, async (t) => {
  const timers = handTimers();
  let arrived: (call: IncomingCall) => void = () => undefined;
  const arrival = new Promise<IncomingCall>((resolve) => (arrived = resolve));
  const door = await opened(
    t,
    {
      stream: {
        Wait: (call) => {
          arrived(call);
          return aborted(call.signal);
        },
      },
    },
    { timers, pingIntervalMs: 30_000, pingTimeoutMs: 15_000 },
  );
  const line = await lineTo(door.port);
  t.after(() => line.close());
  const on = connect(`http://127.0.0.1:${line.port}`);
  on.on("error", () => undefined);
  t.after(() => on.destroy());
  request(on, "Wait").end(frame(bytes("x")));
  const call = await arrival;
  line.freeze();
  timers.advance(30_000);
  assert.equal(call.signal.aborted, false);
  timers.advance(15_000);
  await aborted(call.signal);
});

test("an idle connection is closed in good form, and the next call makes another", limits, async (t) => {
  const timers = handTimers();
  const door = await opened(t, echo, { timers, idleTimeoutMs: 60_000, pingIntervalMs: 30_000, pingTimeoutMs: 40_000 });
  const on = await session(t, door);
  const goaway = once(on, "goaway");
  timers.advance(60_000);
  assert.equal((await goaway)[0], 0);
  await stillAnswers(door);
});

test("no more connections are taken than allowed", limits, async (t) => {
  const door = await opened(t, echo, { maxConnections: 2 });
  await session(t, door);
  const second = await session(t, door);
  const third = connect(`http://127.0.0.1:${door.port}`);
  third.on("error", () => undefined);
  await once(third, "close");
  second.destroy();
  await once(second, "close");
});

test("headers without end are refused", limits, async (t) => {
  const door = await opened(t, echo);
  const on = await session(t, door);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-${at}`, "y"]));
  const wide = { "x-wide": "y".repeat(20_000) };
  for (const headers of [many, wide]) {
    const stream = request(on, "Echo", headers);
    stream.end(frame(bytes("x")));
    assert.notEqual((await answerTo(stream)).headers["grpc-status"], "0");
  }
  await stillAnswers(door);
});

test("bytes that are no HTTP/2 at all close their connection and nothing else", limits, async (t) => {
  const door = await opened(t, echo);
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const setting = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  for (const garbage of [
    Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    Buffer.alloc(100_000, 0xff),
    Buffer.concat([Buffer.from(preface), Buffer.alloc(50_000, 0xff)]),
    Buffer.concat([Buffer.from(preface), setting, Buffer.from([0, 0, 4, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])]),
    // A CONTINUATION without HEADERS, and a window that is too large.
    Buffer.concat([Buffer.from(preface), setting, Buffer.from([0, 0, 1, 9, 4, 0, 0, 0, 1, 0])]),
    Buffer.concat([Buffer.from(preface), setting, Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff])]),
  ]) {
    const socket = connectSocket(door.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(garbage);
    await once(socket, "close");
  }
  await stillAnswers(door);
});

test("a close lets calls end, takes no others, and cuts what does not end", limits, async () => {
  const timers = handTimers();
  let finish: () => void = () => undefined;
  const mayFinish = new Promise<void>((resolve) => (finish = resolve));
  const arrivals: IncomingCall[] = [];
  let bothHere: () => void = () => undefined;
  const both = new Promise<void>((resolve) => (bothHere = resolve));
  const arrive = (call: IncomingCall): void => {
    if (arrivals.push(call) === 2) bothHere();
  };
  const served = servedBy({
    unary: {
      Ends: async (call) => {
        arrive(call);
        await mayFinish;
        return { message: bytes("done"), metadata: {} };
      },
      Stays: async (call) => {
        arrive(call);
        await aborted(call.signal);
        throw call.signal.reason;
      },
    },
  });
  const door = await listen(served, { host: "127.0.0.1", port: 0, timers });
  const channel = openChannel(`127.0.0.1:${door.port}`);
  const ends = channel.unary("Ends", bytes(""));
  const stays = assert.rejects(channel.unary("Stays", bytes("")), (error: WireError) => {
    assert.equal(error.status, "UNAVAILABLE");
    assert.match(error.message, /closing/);
    return true;
  });
  await both;
  const closed = door.close({ graceMs: 5_000 });
  finish();
  assert.equal(text((await ends).message), "done");
  await assert.rejects(channel.unary("Ends", bytes("")), (error: WireError) => error.status === "UNAVAILABLE");
  timers.advance(5_000);
  await stays;
  await closed;
  await door.close();
  await channel.close();
});

test("a port that is taken is named", limits, async (t) => {
  const door = await opened(t, echo);
  await assert.rejects(
    listen(servedBy(echo), { host: "127.0.0.1", port: door.port }),
    /cannot listen on 127\.0\.0\.1:\d+: another process/,
  );
});
