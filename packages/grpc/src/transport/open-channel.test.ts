// What a channel does with servers that are away, dead, few-handed or strange.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttp2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { createServer, type AddressInfo, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";
import { lineTo } from "../../test/frozen-line.ts";
import { handTimers } from "../../test/hand-timers.ts";
import { aborted, bytes, servedBy, text, type Methods } from "../../test/served-by.ts";
import { frame } from "./frames.ts";
import { listen, type ListenOptions } from "./listen.ts";
import { openChannel, type ChannelOptions } from "./open-channel.ts";
import type { Channel } from "./transport.ts";
import type { WireError } from "./wire-error.ts";

const limits = { timeout: 30_000 };
const echo: Methods = { unary: { Echo: (_, message) => ({ message, metadata: {} }) } };

async function door(t: TestContext, methods: Methods, options: Partial<ListenOptions> = {}): Promise<number> {
  const opened = await listen(servedBy(methods), { host: "127.0.0.1", port: 0, ...options });
  t.after(() => opened.close({ graceMs: 0 }));
  return opened.port;
}

function channelTo(t: TestContext, port: number, options: ChannelOptions = {}): Channel {
  const channel = openChannel(`127.0.0.1:${port}`, options);
  t.after(() => channel.close());
  return channel;
}

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server of HTTP/2 that answers as the test says. */
async function strange(t: TestContext, answer: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void): Promise<number> {
  const server = createHttp2Server();
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
    session.on("stream", (stream: ServerHttp2Stream) => {
      stream.on("error", () => undefined);
      stream.resume();
      answer(stream, session);
    });
  });
  t.after(() => sessions.forEach((session) => void session.destroy()));
  return listening(t, server);
}

const fails = (status: string, message: RegExp) => (error: WireError) => {
  assert.equal(error.status, status, error.message);
  assert.match(error.message, message);
  return true;
};

test("an address is host and port, and anything else is refused at once", () => {
  for (const address of ["localhost", "http://localhost:4001", "localhost:0", "localhost:99999", ":4001", "::1:4001", ""]) {
    assert.throws(() => openChannel(address), fails("INVALID_ARGUMENT", /host:port/), address);
  }
});

test("where nobody listens calls are UNAVAILABLE, say where and why, and the next call tries again", limits, async (t) => {
  const probe = createServer();
  const port = await listening(t, probe);
  probe.close();
  await once(probe, "close");
  const channel = channelTo(t, port);
  await assert.rejects(channel.unary("Echo", bytes("")), fails("UNAVAILABLE", new RegExp(`127\\.0\\.0\\.1:${port}.*ECONNREFUSED`)));
  const opened = await listen(servedBy(echo), { host: "127.0.0.1", port });
  t.after(() => opened.close({ graceMs: 0 }));
  assert.equal(text((await channel.unary("Echo", bytes("again"))).message), "again");
});

test("a server that takes the connection and says nothing is given up", limits, async (t) => {
  const timers = handTimers();
  const port = await listening(
    t,
    createServer((socket) => {
      socket.resume();
      socket.on("error", () => undefined);
    }),
  );
  const channel = channelTo(t, port, { timers, connectTimeoutMs: 10_000 });
  const failing = assert.rejects(channel.unary("Echo", bytes("")), fails("UNAVAILABLE", /after 10000 ms/));
  timers.advance(10_000);
  await failing;
});

test("a server of something else is named as such", limits, async (t) => {
  const http1 = await listening(
    t,
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    }),
  );
  await assert.rejects(channelTo(t, http1).unary("Echo", bytes("")), fails("UNAVAILABLE", /127\.0\.0\.1/));
  const pages = await strange(t, (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end("<html>");
  });
  await assert.rejects(channelTo(t, pages).unary("Echo", bytes("")), fails("UNKNOWN", /text\/html.*right port/));
  const away = await strange(t, (stream) => stream.respond({ ":status": 503 }, { endStream: true }));
  await assert.rejects(channelTo(t, away).unary("Echo", bytes("")), fails("UNAVAILABLE", /503/));
});

test("answers that break the rules are failures, not results", limits, async (t) => {
  const respond = (stream: ServerHttp2Stream, body: Buffer, trailers?: Record<string, string>): void => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: trailers !== undefined });
    stream.on("wantTrailers", () => stream.sendTrailers(trailers!));
    stream.end(body);
  };
  const good = { "grpc-status": "0" };
  const message = frame(bytes("x"));
  const answers: [RegExp, string, (stream: ServerHttp2Stream) => void][] = [
    [/without a status/, "INTERNAL", (stream) => respond(stream, message)],
    [/middle of a message/, "INTERNAL", (stream) => respond(stream, message.subarray(0, 5), good)],
    [/none came/, "INTERNAL", (stream) => respond(stream, Buffer.alloc(0), good)],
    [/several came/, "INTERNAL", (stream) => respond(stream, Buffer.concat([message, message]), good)],
    [/compressed/, "INTERNAL", (stream) => respond(stream, Buffer.from([1, 0, 0, 0, 1, 1]), good)],
    [/^$/, "UNKNOWN", (stream) => respond(stream, message, { "grpc-status": "99" })],
    [/%zz ok/, "ABORTED", (stream) => respond(stream, Buffer.alloc(0), { "grpc-status": "10", "grpc-message": "%zz%20ok" })],
    [/given up/, "UNAVAILABLE", (stream) => stream.close(7)],
    [/given up/, "CANCELLED", (stream) => stream.close(8)],
    [/given up/, "RESOURCE_EXHAUSTED", (stream) => stream.close(11)],
  ];
  let answer = answers[0]![2];
  const port = await strange(t, (stream) => answer(stream));
  const channel = channelTo(t, port);
  for (const [pattern, status, next] of answers) {
    answer = next;
    await assert.rejects(channel.unary("Echo", bytes("")), fails(status, pattern));
  }
});

test("a connection that is dead without saying so is found by a ping, and the next call makes another", limits, async (t) => {
  const timers = handTimers();
  const port = await door(t, { ...echo, stream: { Wait: (call) => aborted(call.signal) } });
  const line = await lineTo(port);
  t.after(() => line.close());
  const channel = channelTo(t, line.port, { timers, pingIntervalMs: 20_000, pingTimeoutMs: 10_000 });
  const taken = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<WireError | undefined>();
  channel.stream("Wait", bytes(""), { headers: () => taken.resolve(undefined), message: () => undefined, ended: ended.resolve });
  await taken.promise;
  line.freeze();
  timers.advance(20_000); // Something was heard since the last look.
  timers.advance(20_000); // Nothing was: a ping goes out,
  timers.advance(10_000); // and is not answered.
  assert.equal((await ended.promise)?.status, "UNAVAILABLE");
  assert.match(String((await ended.promise)?.message), /ping/);
  // The line froze for those who were on it; who comes now gets through.
  assert.equal(text((await channel.unary("Echo", bytes("new"))).message), "new");
});

test("a connection that died while nothing was under way is found by the first call on it", limits, async (t) => {
  const timers = handTimers();
  const port = await door(t, echo);
  const line = await lineTo(port);
  t.after(() => line.close());
  const channel = channelTo(t, line.port, { timers, pingIntervalMs: 20_000, pingTimeoutMs: 10_000 });
  await channel.unary("Echo", bytes("one"));
  timers.advance(60_000);
  line.freeze();
  const failing = assert.rejects(channel.unary("Echo", bytes("two")), fails("UNAVAILABLE", /ping/));
  timers.advance(10_000);
  await failing;
});

test("a server that complains about pings gets fewer", limits, async (t) => {
  const timers = handTimers();
  let pings = 0;
  let complain = (): void => undefined;
  const port = await strange(t, (stream, session) => {
    session.on("ping", () => (pings += 1));
    complain = () => session.goaway(0xb, 0, Buffer.from("too_many_pings"));
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.write(frame(bytes("here")));
  });
  const channel = channelTo(t, port, { timers, pingIntervalMs: 20_000 });
  const open = async () => {
    const here = Promise.withResolvers<undefined>();
    const ended = Promise.withResolvers<WireError | undefined>();
    channel.stream("Wait", bytes(""), { message: () => here.resolve(undefined), ended: ended.resolve });
    await here.promise;
    return ended;
  };
  const first = await open();
  complain();
  assert.equal((await first.promise)?.status, "UNAVAILABLE");
  await open();
  timers.advance(120_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(pings, 0);
});

test("calls that wait long do not keep others waiting, however few a server takes on a connection", limits, async (t) => {
  let waiting = 0;
  const all = Promise.withResolvers<undefined>();
  const port = await door(
    t,
    {
      unary: {
        ...echo.unary,
        Wait: async (call) => {
          if ((waiting += 1) === 50) all.resolve(undefined);
          await aborted(call.signal);
          throw call.signal.reason;
        },
      },
    },
    { maxStreamsPerConnection: 8 },
  );
  const channel = channelTo(t, port);
  await channel.unary("Echo", bytes(""));
  const controller = new AbortController();
  const waits = Array.from({ length: 50 }, () => assert.rejects(channel.unary("Wait", bytes(""), { signal: controller.signal })));
  await all.promise;
  assert.equal(text((await channel.unary("Echo", bytes("through"))).message), "through");
  controller.abort();
  await Promise.all(waits);
});

test("a server that goes away says so: what it has taken ends, and the next call goes elsewhere", limits, async (t) => {
  const arrived = Promise.withResolvers<undefined>();
  const finish = Promise.withResolvers<undefined>();
  const served = servedBy({
    unary: {
      Ends: async (_, message) => {
        arrived.resolve(undefined);
        await finish.promise;
        return { message, metadata: {} };
      },
    },
  });
  const first = await listen(served, { host: "127.0.0.1", port: 0 });
  const channel = channelTo(t, first.port);
  const taken = channel.unary("Ends", bytes("taken"));
  await arrived.promise;
  const closing = first.close({ graceMs: 10_000 });
  const second = await listen(servedBy(echo), { host: "127.0.0.1", port: first.port });
  t.after(() => second.close({ graceMs: 0 }));
  // The news that the first one leaves and this call may cross; then the call says UNAVAILABLE and is made again.
  const again = async (): Promise<string> => {
    for (;;) {
      try {
        return text((await channel.unary("Echo", bytes("elsewhere"))).message);
      } catch (error) {
        assert.equal((error as WireError).status, "UNAVAILABLE");
      }
    }
  };
  assert.equal(await again(), "elsewhere");
  finish.resolve(undefined);
  assert.equal(text((await taken).message), "taken");
  await closing;
});

test("an open channel does not hold the process, and a call under way does", limits, async (t) => {
  const port = await door(t, {
    unary: { Slow: (_, message) => new Promise((resolve) => setImmediate(() => resolve({ message, metadata: {} }))) },
  });
  const program = `
    import { openChannel } from ${JSON.stringify(fileURLToPath(new URL("open-channel.ts", import.meta.url)))};
    const channel = openChannel("127.0.0.1:${port}");
    channel.unary("Slow", new Uint8Array([104, 105])).then((reply) => console.log(new TextDecoder().decode(reply.message)));
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], { stdio: ["ignore", "pipe", "inherit"] });
  const parts: Buffer[] = [];
  child.stdout.on("data", (part: Buffer) => parts.push(part));
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
  assert.equal(Buffer.concat(parts).toString(), "hi\n");
});
