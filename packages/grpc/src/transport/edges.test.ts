// What lies at the edges of the protocol: ends that cross, headers that mean something to HTTP/2, frames that no library sends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { handTimers } from "../../test/hand-timers.ts";
import { callHeaders, END_HEADERS, END_STREAM, FRAME, rawConnection, rawFrame, seen, word } from "../../test/raw-http2.ts";
import { aborted, bytes, servedBy, text, type Methods } from "../../test/served-by.ts";
import { frame } from "./frames.ts";
import { listen, type Listening, type ListenOptions } from "./listen.ts";
import { openChannel, type ChannelOptions } from "./open-channel.ts";
import type { Channel, IncomingCall, Metadata } from "./transport.ts";
import { WireError } from "./wire-error.ts";

const limits = { timeout: 30_000 };
const echo: Methods = { unary: { Echo: (_, message) => ({ message, metadata: {} }) } };
const LARGE = 100_000;

async function opened(t: TestContext, methods: Methods, options: Partial<ListenOptions> = {}): Promise<Listening> {
  const door = await listen(servedBy(methods), { host: "127.0.0.1", port: 0, ...options });
  t.after(() => door.close({ graceMs: 0 }));
  return door;
}

function channelTo(t: TestContext, door: { readonly port: number }, options: ChannelOptions = {}): Channel {
  const channel = openChannel(`127.0.0.1:${door.port}`, options);
  t.after(() => channel.close());
  return channel;
}

/** A server of HTTP/2 that answers as the test says. */
async function strange(t: TestContext, answer: (stream: ServerHttp2Stream) => void): Promise<{ port: number }> {
  const server = createHttp2Server();
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    stream.resume();
    answer(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    sessions.forEach((session) => void session.destroy());
  });
  return { port: (server.address() as AddressInfo).port };
}

const fails =
  (status: string, message = /(?:)/) =>
  (error: WireError) => {
    assert.equal(error.status, status, error.message);
    assert.match(error.message, message);
    return true;
  };

/** How a duplex call ends whose caller sends so many messages and keeps its side open. */
function endOf(channel: Channel, method: string, messages = 1): Promise<WireError | undefined> {
  return new Promise((resolve) => {
    const stream = channel.duplex(method, { message: () => undefined, ended: resolve });
    for (let at = 0; at < messages; at += 1) stream.send(bytes(String(at)));
  });
}

test("a text keeps the spaces at its ends, and does not cost its status", limits, async (t) => {
  const door = await opened(t, {
    unary: {
      Refuse: (_, message) => {
        throw new WireError("NOT_FOUND", text(message));
      },
    },
  });
  const channel = channelTo(t, door);
  for (const said of [" before", "after ", " ", "\tboth\t", "a  b"]) {
    await assert.rejects(channel.unary("Refuse", bytes(said)), (error: WireError) => {
      assert.equal(error.status, "NOT_FOUND", error.message);
      assert.equal(error.message, said);
      return true;
    });
  }
});

test("metadata that means something to HTTP/2 is refused before the call, and the connection lives on", limits, async (t) => {
  const channel = channelTo(t, await opened(t, echo));
  const names = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection", "http2-settings", "te", "content-type"];
  for (const metadata of [...names.map((name) => ({ [name]: "x" })), { taskhub: " orders" }, { taskhub: "orders " }] as Metadata[]) {
    await assert.rejects(channel.unary("Echo", bytes(""), { metadata }), fails("INVALID_ARGUMENT"), JSON.stringify(metadata));
  }
  assert.equal(text((await channel.unary("Echo", bytes("on"), { metadata: { taskhub: "" } })).message), "on");
});

test("an answer's metadata that cannot travel is the server's failure, not the end of the process", limits, async (t) => {
  const warnings: string[] = [];
  const bad = { connection: "close", "content-type": "text/html" };
  const methods: Methods = {
    unary: {
      ...echo.unary,
      Replies: (_, message) => ({ message, metadata: bad }),
      Fails: () => {
        throw new WireError("ABORTED", "no", bad);
      },
    },
  };
  const channel = channelTo(t, await opened(t, methods, { warn: (message) => void warnings.push(message) }));
  await assert.rejects(channel.unary("Replies", bytes("")), fails("INTERNAL"));
  await assert.rejects(channel.unary("Fails", bytes("")), fails("ABORTED"));
  assert.equal(warnings.length, 2);
});

test("a call whose metadata is more than the server takes fails alone", limits, async (t) => {
  const later = Promise.withResolvers<undefined>();
  const methods: Methods = {
    unary: {
      ...echo.unary,
      async Later(_, message) {
        await later.promise;
        return { message, metadata: {} };
      },
    },
  };
  const channel = channelTo(t, await opened(t, methods));
  // The server's limit holds when the caller has heard of it.
  await channel.unary("Echo", bytes(""));
  const slow = channel.unary("Later", bytes("slow"));
  const wide = (size: number) => channel.unary("Echo", bytes(""), { metadata: { wide: "x".repeat(size) } });
  await assert.rejects(wide(20_000), fails("RESOURCE_EXHAUSTED"));
  await assert.rejects(wide(32_760), fails("RESOURCE_EXHAUSTED"));
  await assert.rejects(wide(200_000), fails("INVALID_ARGUMENT", /32768 characters/));
  later.resolve(undefined);
  assert.equal(text((await slow).message), "slow");
  assert.equal(text((await channel.unary("Echo", bytes("on"))).message), "on");
});

test("a message over the server's limit is refused with its status while it is being sent", limits, async (t) => {
  const channel = channelTo(t, await opened(t, echo, { maxMessageBytes: 1 << 20 }));
  for (let at = 0; at < 10; at += 1) {
    await assert.rejects(channel.unary("Echo", new Uint8Array(8 << 20)), fails("RESOURCE_EXHAUSTED", /8388608 bytes/));
  }
  assert.equal(text((await channel.unary("Echo", bytes("on"))).message), "on");
});

test("a status that is no number is no good end", limits, async (t) => {
  let said = "";
  const channel = channelTo(
    t,
    await strange(t, (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": said }));
      stream.end(frame(bytes("x")));
    }),
  );
  for (said of ["", "0x0", "-0", "0.0", "1e0", "zero"]) {
    await assert.rejects(channel.unary("Echo", bytes("")), fails("UNKNOWN"), JSON.stringify(said));
  }
});

test("a text with spaces at its ends, as others write it, does not cost its status", limits, async (t) => {
  const channel = channelTo(
    t,
    await strange(t, (stream) => {
      stream.respond(
        { ":status": 200, "content-type": "application/grpc", "grpc-status": "5", "grpc-message": "gone " },
        { endStream: true },
      );
    }),
  );
  await assert.rejects(channel.unary("Echo", bytes("")), fails("NOT_FOUND", /^gone $/));
});

test("a status of gRPC counts more than the status of HTTP beside it", limits, async (t) => {
  const headers = { ":status": 503, "content-type": "application/grpc", "grpc-status": "16", "grpc-message": "who are you" };
  const channel = channelTo(t, await strange(t, (stream) => stream.respond(headers, { endStream: true })));
  await assert.rejects(channel.unary("Echo", bytes("")), fails("UNAUTHENTICATED", /^who are you$/));
});

test("X1 a duplex call that a server ends without a status ends", limits, async (t) => {
  const door = await strange(t, (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.end(frame(bytes("x")));
  });
  assert.equal((await endOf(channelTo(t, door), "Chat"))?.status, "INTERNAL");
});

test("duplex calls that end before their caller has ended its side leave nothing behind", limits, async (t) => {
  const door = await opened(
    t,
    {
      duplex: {
        async One(_, incoming, writer) {
          for await (const message of incoming) return void writer.write(message);
        },
        async Fails(_, incoming) {
          for await (const message of incoming) throw new WireError("ABORTED", text(message));
        },
      },
    },
    { maxStreamsPerConnection: 4 },
  );
  const channel = channelTo(t, door);
  for (let at = 0; at < 40; at += 1) {
    assert.equal(await endOf(channel, "One", 3), undefined);
    assert.equal((await endOf(channel, "Fails", 3))?.status, "ABORTED");
  }
});

test("a duplex caller is not held up when who hears it has stopped listening", limits, async (t) => {
  const stopped = Promise.withResolvers<undefined>();
  const door = await opened(t, {
    duplex: {
      async Deaf(_, incoming) {
        for await (const message of incoming) if (message.length > 0) break;
        await stopped.promise;
      },
    },
  });
  const channel = channelTo(t, door);
  const ended = Promise.withResolvers<WireError | undefined>();
  const stream = channel.duplex("Deaf", { message: () => undefined, ended: ended.resolve });
  for (let at = 0; at < 200; at += 1) {
    stream.send(new Uint8Array(LARGE));
    if (at % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  stopped.resolve(undefined);
  assert.equal(await ended.promise, undefined);
});

test("X2 a duplex call that is cancelled aborts the signal of who hears it, though its side ends first", limits, async (t) => {
  const calls: IncomingCall[] = [];
  const over = Promise.withResolvers<undefined>();
  const door = await opened(t, {
    duplex: {
      async Listen(call, incoming, writer) {
        calls.push(call);
        for await (const message of incoming) writer.write(message);
        assert.equal(call.signal.aborted, true, "the loop ended, and nobody said that the caller had gone");
        over.resolve(undefined);
      },
    },
  });
  const channel = channelTo(t, door);
  const here = Promise.withResolvers<undefined>();
  const stream = channel.duplex("Listen", { message: () => here.resolve(undefined), ended: () => undefined });
  stream.send(bytes("x"));
  await here.promise;
  stream.cancel();
  await aborted(calls[0]!.signal);
  await over.promise;
});

test("X2 a caller that resets a call with the code of a good end has gone as well", limits, async (t) => {
  const arrival = Promise.withResolvers<IncomingCall>();
  const door = await opened(t, {
    ...echo,
    duplex: {
      async Busy(call) {
        arrival.resolve(call);
        await aborted(call.signal);
      },
    },
  });
  const socket = await rawConnection(door.port);
  t.after(() => socket.destroy());
  const many = Buffer.concat(Array.from({ length: 2_000 }, () => frame(new Uint8Array())));
  socket.write(
    Buffer.concat([
      rawFrame(FRAME.headers, END_HEADERS, 1, callHeaders("Busy")),
      rawFrame(FRAME.data, 0, 1, many),
      rawFrame(FRAME.reset, 0, 1, word(0)),
    ]),
  );
  await aborted((await arrival.promise).signal);
  assert.equal(text((await channelTo(t, door).unary("Echo", bytes("on"))).message), "on");
});

test("a method has its path and no other", limits, async (t) => {
  let answered = 0;
  const door = await opened(t, { unary: { Count: (_, message) => ({ message, metadata: { n: String((answered += 1)) } }) } });
  const socket = await rawConnection(door.port);
  t.after(() => socket.destroy());
  const headers = callHeaders("Count", { ":scheme": "none", ":path": "Count" });
  socket.write(Buffer.concat([rawFrame(FRAME.headers, END_HEADERS, 1, headers), rawFrame(FRAME.data, END_STREAM, 1, frame(bytes("x")))]));
  await seen(socket);
  await channelTo(t, door).unary("Count", bytes(""));
  assert.equal(answered, 1);
});

test("who leaves large messages unfinished takes no room from others", limits, async (t) => {
  const door = await opened(t, echo, { maxMessageBytes: 1 << 20 });
  const hoarders = await Promise.all(Array.from({ length: 12 }, () => rawConnection(door.port)));
  t.after(() => hoarders.forEach((socket) => void socket.destroy()));
  const almost = frame(new Uint8Array(1 << 20)).subarray(0, 900_000);
  for (const socket of hoarders) {
    for (const stream of [1, 3]) {
      socket.write(rawFrame(FRAME.headers, END_HEADERS, stream, callHeaders("Echo")));
      for (let at = 0; at < almost.length; at += 16_000) socket.write(rawFrame(FRAME.data, 0, stream, almost.subarray(at, at + 16_000)));
    }
  }
  await Promise.all(hoarders.map(seen));
  const channel = channelTo(t, door);
  const replies = await Promise.all(Array.from({ length: 4 }, () => channel.unary("Echo", new Uint8Array(50_000))));
  assert.deepEqual(
    replies.map((reply) => reply.message.length),
    [50_000, 50_000, 50_000, 50_000],
  );
});

test("answers that nobody reads are taken back, from who has most of them, and others get theirs", limits, async (t) => {
  const large = new Uint8Array(1 << 20);
  const methods: Methods = { unary: { ...echo.unary, Large: () => ({ message: large, metadata: {} }) } };
  const door = await opened(t, methods, { maxMessageBytes: 1 << 20 });
  const before = process.memoryUsage().arrayBuffers;
  const hoarder = await rawConnection(door.port, [[4, 1]]);
  t.after(() => hoarder.destroy());
  const heard: Buffer[] = [];
  hoarder.on("data", (chunk: Buffer) => void heard.push(chunk));
  for (let stream = 1; stream < 300; stream += 2) {
    const call = [
      rawFrame(FRAME.headers, END_HEADERS, stream, callHeaders("Large")),
      rawFrame(FRAME.data, END_STREAM, stream, frame(bytes("x"))),
    ];
    hoarder.write(Buffer.concat(call));
  }
  const channel = channelTo(t, door);
  for (let at = 0; at < 20; at += 1) assert.equal((await channel.unary("Large", bytes(""))).message.length, large.length);
  const grown = (process.memoryUsage().arrayBuffers - before) / 2 ** 20;
  assert.ok(grown < 60, `150 answers of a mebibyte, six of which may lie here, take ${grown} MiB`);
  assert.ok(Buffer.concat(heard).includes(rawFrame(FRAME.reset, 0, 1, word(0xb)).subarray(0, 5)));
});

test("who asks for a page or a call and takes no answer does not keep its connection for ever", limits, async (t) => {
  for (const [method, timeout] of [
    ["GET", ""],
    ["POST", "1m"],
  ] as const) {
    const timers = handTimers();
    const rules = { receiveTimeoutMs: 60_000, pingIntervalMs: 30_000, pingTimeoutMs: 3_600_000, idleTimeoutMs: 60_000 };
    const door = await opened(
      t,
      { stream: { Flow: async (call, _, writer) => (writer.write(bytes("x")), aborted(call.signal)) } },
      { timers, ...rules },
    );
    // A window of nothing: no body can be sent.
    const socket = await rawConnection(door.port, [[4, 0]]);
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    const headers = callHeaders("Flow", { ":method": method, ...(timeout === "" ? {} : { "grpc-timeout": timeout }) });
    socket.write(Buffer.concat([rawFrame(FRAME.headers, END_HEADERS, 1, headers), rawFrame(FRAME.data, END_STREAM, 1, frame(bytes("x")))]));
    for (let looks = 0; looks < 12; looks += 1) {
      await Promise.race([seen(socket), closed]);
      timers.advance(30_000);
    }
    await closed;
  }
});

test("one address does not take every connection", limits, async (t) => {
  const door = await opened(t, echo, { maxConnections: 100, maxConnectionsPerAddress: 3 });
  const sockets = await Promise.all(Array.from({ length: 3 }, () => rawConnection(door.port)));
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  const fourth = await rawConnection(door.port);
  // A socket that is refused may tell of a reset first.
  await new Promise<void>((resolve) => (fourth.destroyed ? resolve() : fourth.on("close", () => resolve())));
  sockets[0]!.destroy();
  await once(sockets[0]!, "close");
  const channel = channelTo(t, door);
  const again = async (): Promise<string> => {
    for (;;) {
      try {
        return text((await channel.unary("Echo", bytes("in"))).message);
      } catch (error) {
        assert.equal((error as WireError).status, "UNAVAILABLE");
      }
    }
  };
  assert.equal(await again(), "in");
});

test("IPv6 and names with several addresses are reached", limits, async (t) => {
  for (const host of ["::1", "127.0.0.1"]) {
    const door = await opened(t, echo, { host });
    // What "localhost" is besides 127.0.0.1 is up to the machine.
    for (const address of host === "::1" ? ["[::1]"] : [host, "localhost"]) {
      const channel = openChannel(`${address}:${door.port}`);
      t.after(() => channel.close());
      assert.equal(text((await channel.unary("Echo", bytes(address))).message), address);
    }
  }
});
