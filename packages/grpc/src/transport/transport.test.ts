// What the seam promises, told of each of its bodies: in memory, over a socket, over TLS.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { certificateOf, createAuthority } from "../../test/certificates.ts";
import { handTimers, type HandTimers } from "../../test/hand-timers.ts";
import { aborted, bytes, servedBy, text, type Methods } from "../../test/served-by.ts";
import { inMemoryChannel } from "./in-memory.ts";
import { listen } from "./listen.ts";
import { openChannel } from "./open-channel.ts";
import type { CallOptions, Channel, IncomingCall, Metadata, OpenStream } from "./transport.ts";
import { WireError, type StatusName } from "./wire-error.ts";

interface Body {
  readonly channel: Channel;
  /** The calling side's time. */
  readonly timers: HandTimers;
  readonly warnings: string[];
  close(): Promise<void>;
}

const authority = createAuthority("test authority");
const identity = certificateOf(authority, { names: ["DNS:localhost", "IP:127.0.0.1"] });

async function overSocket(methods: Methods, tls: boolean): Promise<Body> {
  const timers = handTimers();
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const door = await listen(servedBy(methods), { host: "127.0.0.1", port: 0, warn, ...(tls ? { tls: identity } : {}) });
  const channel = openChannel(`127.0.0.1:${door.port}`, { timers, ...(tls ? { tls: { ca: authority.cert } } : {}) });
  return {
    channel,
    timers,
    warnings,
    async close() {
      await channel.close();
      await door.close({ graceMs: 0 });
    },
  };
}

const bodies: Readonly<Record<string, (methods: Methods) => Promise<Body>>> = {
  "in memory": async (methods) => {
    const timers = handTimers();
    const warnings: string[] = [];
    const channel = inMemoryChannel(servedBy(methods), { timers, warn: (message) => void warnings.push(message) });
    return { channel, timers, warnings, close: () => channel.close() };
  },
  "over a socket": (methods) => overSocket(methods, false),
  "over TLS": (methods) => overSocket(methods, true),
};

/** A stream as a list of what was heard of it. */
function hear(open: (listener: Parameters<Channel["stream"]>[2]) => OpenStream) {
  const heard: string[] = [];
  const errors: (WireError | undefined)[] = [];
  let wake: () => void = () => undefined;
  const stream = open({
    headers: () => {
      heard.push("headers");
      wake();
    },
    message: (message) => {
      heard.push(text(message));
      wake();
    },
    ended: (error) => {
      heard.push(`ended ${error?.status ?? "well"}`);
      errors.push(error);
      wake();
    },
  });
  /** Resolves when so much has been heard. */
  const until = async (enough: (heard: readonly string[]) => boolean): Promise<void> => {
    while (!enough(heard)) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { stream, heard, errors, until, end: () => until((all) => all.some((each) => each.startsWith("ended"))) };
}

const refusal = (status: StatusName, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof WireError, String(error));
  assert.equal(error.status, status);
  assert.match(error.message, message);
  return true;
};

for (const [name, body] of Object.entries(bodies)) {
  const story = (title: string, methods: Methods, tell: (body: Body) => Promise<void>): void => {
    test(title, { timeout: 20_000 }, async () => {
      const made = await body(methods);
      try {
        await tell(made);
      } finally {
        await made.close();
      }
    });
  };

  suite(name, () => {
    const echo: Methods = {
      unary: { Echo: (call, message) => ({ message, metadata: { answered: call.metadata["asked"] ?? "nothing" } }) },
    };

    story("a call brings a message and metadata there and back", echo, async ({ channel }) => {
      const reply = await channel.unary("Echo", bytes("hello"), { metadata: { asked: "this" } });
      assert.equal(text(reply.message), "hello");
      assert.equal(reply.metadata["answered"], "this");
    });

    story("an empty message and one of a mebibyte arrive as they were sent", echo, async ({ channel }) => {
      assert.equal((await channel.unary("Echo", new Uint8Array())).message.length, 0);
      const large = new Uint8Array(1 << 20).map((_, at) => (at * 31) % 251);
      assert.deepEqual(new Uint8Array((await channel.unary("Echo", large)).message), large);
    });

    story("a thousand calls at once are all answered, each with its own answer", echo, async ({ channel }) => {
      const replies = await Promise.all(Array.from({ length: 1_000 }, (_, at) => channel.unary("Echo", bytes(`call ${at}`))));
      assert.deepEqual(
        replies.map((reply) => text(reply.message)),
        replies.map((_, at) => `call ${at}`),
      );
    });

    story(
      "a failure arrives with its status, its text in any script, and its metadata",
      {
        unary: {
          Refuse: () => {
            throw new WireError("FAILED_PRECONDITION", "100% nö\n行", { "ostinato-code": "INVALID_STATE" });
          },
        },
      },
      async ({ channel }) => {
        await assert.rejects(channel.unary("Refuse", bytes("")), (error: WireError) => {
          assert.equal(error.status, "FAILED_PRECONDITION");
          assert.equal(error.message, "100% nö\n行");
          assert.equal(error.metadata["ostinato-code"], "INVALID_STATE");
          return true;
        });
      },
    );

    story(
      "what nobody foresaw is told to the log and not to the caller",
      {
        unary: {
          Stumble: () => {
            throw new TypeError("secret of the house");
          },
        },
      },
      async ({ channel, warnings }) => {
        await assert.rejects(channel.unary("Stumble", bytes("")), (error: WireError) => {
          assert.equal(error.status, "INTERNAL");
          assert.doesNotMatch(error.message, /secret/);
          return true;
        });
        assert.deepEqual(warnings, ["answering a call failed"]);
      },
    );

    story("a method that there is none of is UNIMPLEMENTED, whatever its name", echo, async ({ channel }) => {
      for (const method of ["Nothing", "constructor", "__proto__", "toString"]) {
        await assert.rejects(channel.unary(method, bytes("")), refusal("UNIMPLEMENTED", /no method/));
      }
    });

    story("metadata that cannot travel is refused before the call", echo, async ({ channel }) => {
      await assert.rejects(channel.unary("Echo", bytes(""), { metadata: { taskhub: "größe" } }), refusal("INVALID_ARGUMENT", /taskhub/));
      await assert.rejects(channel.unary("Echo", bytes(""), { metadata: { "grpc-status": "0" } }), refusal("INVALID_ARGUMENT", /name/));
    });

    test("X2 a cancelled call aborts the signal of who answers it", { timeout: 20_000 }, async () => {
      await abandon(body, (controller) => controller.abort(), { status: "CANCELLED" });
    });

    test("X2 an expired deadline aborts the signal of who answers it", { timeout: 20_000 }, async () => {
      await abandon(body, (_, made) => made.timers.advance(3_600_000), { status: "DEADLINE_EXCEEDED", timeoutMs: 3_600_000 });
    });

    test("X2 a connection that is reset aborts the signal of who answers on it", { timeout: 20_000 }, async () => {
      await abandon(body, (_, made) => made.channel.reset(), { status: "UNAVAILABLE" });
    });

    test("X2 a channel that is closed aborts the signal of who answers on it", { timeout: 20_000 }, async () => {
      await abandon(body, (_, made) => void made.channel.close(), { status: "CANCELLED" });
    });

    story("a call with a signal that was aborted before is never made", echo, async ({ channel }) => {
      await assert.rejects(channel.unary("Echo", bytes(""), { signal: AbortSignal.abort() }), refusal("CANCELLED", /cancelled/));
    });

    story("after a reset the next call goes by another connection", echo, async ({ channel }) => {
      await channel.unary("Echo", bytes("one"));
      channel.reset();
      assert.equal(text((await channel.unary("Echo", bytes("two"))).message), "two");
    });

    story("a closed channel makes no calls", echo, async ({ channel }) => {
      await channel.close();
      await assert.rejects(channel.unary("Echo", bytes("")), refusal("CANCELLED", /closed/));
    });

    story(
      "a stream brings headers, its messages in order, and its end",
      {
        stream: {
          async Count(_, message, writer) {
            for (let at = 1; at <= Number(text(message)); at += 1) if (!writer.write(bytes(String(at)))) await writer.drained();
          },
        },
      },
      async ({ channel }) => {
        const { heard, end } = hear((listener) => channel.stream("Count", bytes("500"), listener));
        await end();
        assert.deepEqual(heard, ["headers", ...Array.from({ length: 500 }, (_, at) => String(at + 1)), "ended well"]);
      },
    );

    story(
      "a stream that is taken and silent sends its headers all the same",
      { stream: { Wait: (call) => aborted(call.signal) } },
      async ({ channel }) => {
        const { stream, heard, until, end } = hear((listener) => channel.stream("Wait", bytes(""), listener));
        await until((all) => all.includes("headers"));
        stream.cancel();
        await end();
        assert.deepEqual(heard, ["headers", "ended CANCELLED"]);
      },
    );

    story(
      "a stream that is refused at once ends without headers, once",
      {
        stream: {
          Closed: async () => {
            throw new WireError("UNAUTHENTICATED", "no token");
          },
        },
      },
      async ({ channel }) => {
        const { heard, end, stream } = hear((listener) => channel.stream("Closed", bytes(""), listener));
        await end();
        stream.cancel();
        assert.deepEqual(heard, ["ended UNAUTHENTICATED"]);
      },
    );

    story(
      "X2 a cancelled stream aborts the signal of who writes it, and what is written to it then is lost without harm",
      {
        stream: {
          async Flow(call, _, writer) {
            while (!call.signal.aborted) {
              if (!writer.write(bytes("drop"))) await writer.drained();
              await new Promise((resolve) => setImmediate(resolve));
            }
            writer.write(bytes("too late"));
            await writer.drained();
          },
        },
      },
      async ({ channel }) => {
        const { stream, heard, until, end } = hear((listener) => channel.stream("Flow", bytes(""), listener));
        await until((all) => all.length > 3);
        stream.cancel();
        await end();
        assert.equal(heard.at(-1), "ended CANCELLED");
        assert.ok(!heard.includes("too late"));
      },
    );

    story(
      "a listener that throws ends its stream, not the process",
      { stream: { One: async (_, message, writer) => void writer.write(message) } },
      async ({ channel }) => {
        const error = await new Promise<WireError | undefined>((resolve) => {
          channel.stream("One", bytes("x"), {
            message() {
              throw new Error("cannot read this");
            },
            ended: resolve,
          });
        });
        assert.equal(error?.status, "INTERNAL");
        assert.match(error.message, /cannot read this/);
      },
    );

    story(
      "a duplex call carries messages both ways, in order",
      {
        duplex: {
          async Chat(_, incoming, writer) {
            for await (const message of incoming) {
              if (text(message) === "stop") return;
              writer.write(bytes(`you said ${text(message)}`));
            }
          },
        },
      },
      async ({ channel }) => {
        const { stream, heard, end } = hear((listener) => channel.duplex("Chat", listener));
        for (let at = 0; at < 200; at += 1) stream.send(bytes(String(at)));
        stream.send(bytes("stop"));
        await end();
        assert.deepEqual(heard, ["headers", ...Array.from({ length: 200 }, (_, at) => `you said ${at}`), "ended well"]);
      },
    );

    story(
      "X2 a cancelled duplex call ends the loop of who hears it",
      {
        duplex: {
          async Listen(call, incoming, writer) {
            for await (const message of incoming) writer.write(message);
            heardOut.push(call.method);
          },
        },
      },
      async ({ channel }) => {
        heardOut.length = 0;
        const { stream, until, end } = hear((listener) => channel.duplex("Listen", listener));
        stream.send(bytes("here"));
        await until((all) => all.includes("here"));
        stream.cancel();
        await end();
        while (heardOut.length === 0) await new Promise((resolve) => setImmediate(resolve));
        assert.deepEqual(heardOut, ["Listen"]);
      },
    );

    story(
      "who answers knows the caller's metadata, and whether it has a deadline",
      {
        unary: {
          Who: (call) => {
            seen.push({ metadata: call.metadata, hasDeadline: call.hasDeadline, peer: call.peer });
            return { message: bytes(""), metadata: {} };
          },
        },
      },
      async ({ channel }) => {
        seen.length = 0;
        await channel.unary("Who", bytes(""), { metadata: { taskhub: "orders", authorization: "Bearer x" } });
        await channel.unary("Who", bytes(""), { timeoutMs: 1_000 });
        assert.equal(seen[0]!.metadata["taskhub"], "orders");
        assert.equal(seen[0]!.metadata["authorization"], "Bearer x");
        assert.deepEqual(
          seen.map((each) => each.hasDeadline),
          [false, true],
        );
        assert.notEqual(seen[0]!.peer, "");
      },
    );

    story("no timer is left behind by calls that have ended", echo, async ({ channel, timers }) => {
      await channel.unary("Echo", bytes(""));
      const before = timers.waiting;
      await Promise.all(Array.from({ length: 50 }, () => channel.unary("Echo", bytes(""), { timeoutMs: 60_000 })));
      assert.equal(timers.waiting, before);
    });
  });
}

const heardOut: string[] = [];
const seen: { metadata: Metadata; hasDeadline: boolean; peer: string }[] = [];

/** Makes a call that nobody answers, lets go of it, and sees that both sides learn of it. */
async function abandon(
  body: (methods: Methods) => Promise<Body>,
  letGo: (controller: AbortController, made: Body) => void,
  expected: { status: StatusName } & Pick<CallOptions, "timeoutMs">,
): Promise<void> {
  let arrived: (call: IncomingCall) => void = () => undefined;
  const arrival = new Promise<IncomingCall>((resolve) => (arrived = resolve));
  const made = await body({
    unary: {
      async Wait(call) {
        arrived(call);
        await aborted(call.signal);
        return { message: bytes("late"), metadata: {} };
      },
    },
  });
  const controller = new AbortController();
  const { status, ...options } = expected;
  const waiting = assert.rejects(made.channel.unary("Wait", bytes(""), { ...options, signal: controller.signal }), (error: WireError) => {
    assert.equal(error.status, status);
    return true;
  });
  const call = await arrival;
  letGo(controller, made);
  await waiting;
  await aborted(call.signal);
  await made.close();
}
