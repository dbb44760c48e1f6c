// raw-frames: HTTP/2 as bytes, well-made and not: what somebody sends who writes frames by hand.
import type { Chance } from "../simulation/chance.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const TYPES = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 } as const;

/** A frame. */
export function frameOf(type: number, flags: number, stream: number, payload: Uint8Array, says = payload.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(says & 0xff_ff_ff, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

/** A name and a value as a header block says them without compression. */
function header(name: string, value: string): Buffer {
  const text = (of: string): Buffer => {
    const bytes = Buffer.from(of, "latin1");
    return bytes.length < 127
      ? Buffer.concat([Buffer.of(bytes.length), bytes])
      : Buffer.concat([Buffer.of(127, (bytes.length - 127) | 0x80, (bytes.length - 127) >> 7), bytes]);
  };
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

function callHeaders(path: string, more: readonly Buffer[] = []): Buffer {
  return Buffer.concat([
    header(":method", "POST"),
    header(":scheme", "http"),
    header(":path", path),
    header(":authority", "localhost"),
    header("content-type", "application/grpc"),
    header("te", "trailers"),
    ...more,
  ]);
}

const noise = (chance: Chance, most: number): Buffer => Buffer.from(Array.from({ length: chance.below(most) }, () => chance.below(256)));
const many = (count: number, one: (n: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: count }, (_, n) => one(n)));
const settings = (...pairs: readonly (readonly [number, number])[]): Buffer =>
  frameOf(
    TYPES.settings,
    0,
    0,
    Buffer.concat(
      pairs.map(([id, value]) => {
        const pair = Buffer.alloc(6);
        pair.writeUInt16BE(id, 0);
        pair.writeUInt32BE(value >>> 0, 2);
        return pair;
      }),
    ),
  );
const opened = (...frames: readonly Buffer[]): Buffer => Buffer.concat([PREFACE, settings(), ...frames]);
const HELLO = callHeaders("/TaskHubSidecarService/Hello");
const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

/** What is sent by hand, by name. */
export const RAW: Readonly<Record<string, (chance: Chance) => Buffer>> = {
  noise: (chance) => noise(chance, 400),
  "nothing at all": () => Buffer.alloc(0),
  "a half preface": (chance) => PREFACE.subarray(0, chance.below(PREFACE.length)),
  "HTTP/1.1": () => Buffer.from("POST /TaskHubSidecarService/Hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0"),
  "a TLS hello": () => Buffer.from("16030100a5010000a10303", "hex"),
  "preface and noise": (chance) => opened(noise(chance, 300)),
  "headers that cannot be unpacked": (chance) => opened(frameOf(TYPES.headers, 4, 1, noise(chance, 200))),
  "a header block without end": () =>
    opened(
      frameOf(TYPES.headers, 0, 1, HELLO),
      many(200, () => frameOf(TYPES.continuation, 0, 1, header("x-a", "b".repeat(100)))),
    ),
  "very many headers": () =>
    opened(
      frameOf(
        TYPES.headers,
        4,
        1,
        callHeaders(
          "/TaskHubSidecarService/Hello",
          Array.from({ length: 120 }, (_, n) => header(`x-${n}`, "1")),
        ),
      ),
    ),
  "a long header": () =>
    opened(frameOf(TYPES.headers, 4, 1, callHeaders("/TaskHubSidecarService/Hello", [header("x-a", "b".repeat(15_000))]))),
  "headers of the wrong case": () =>
    opened(frameOf(TYPES.headers, 5, 1, callHeaders("/TaskHubSidecarService/Hello", [header("X-Upper", "1")]))),
  "a header with control characters": () =>
    opened(frameOf(TYPES.headers, 5, 1, callHeaders("/TaskHubSidecarService/Hello", [header("x-a", "a\r\nb\0c")]))),
  "no path": () => opened(frameOf(TYPES.headers, 5, 1, Buffer.concat([header(":method", "POST"), header(":scheme", "http")]))),
  "a stream of an even number": () => opened(frameOf(TYPES.headers, 5, 2, HELLO)),
  "streams that go back": () => opened(frameOf(TYPES.headers, 5, 9, HELLO), frameOf(TYPES.headers, 5, 3, HELLO)),
  "data before headers": () => opened(frameOf(TYPES.data, 1, 1, Buffer.alloc(5))),
  "data on stream 0": () => opened(frameOf(TYPES.data, 1, 0, Buffer.alloc(5))),
  "data after the end": () => opened(frameOf(TYPES.headers, 5, 1, HELLO), frameOf(TYPES.data, 0, 1, Buffer.alloc(5))),
  "padding longer than its frame": () => opened(frameOf(TYPES.headers, 4, 1, HELLO), frameOf(TYPES.data, 8, 1, Buffer.of(250, 1, 2))),
  "a frame that is too long": () => opened(frameOf(TYPES.data, 0, 1, Buffer.alloc(100), 0xff_ff_ff)),
  "a message in bytes of one": () =>
    opened(
      frameOf(TYPES.headers, 4, 1, HELLO),
      many(5, (n) => frameOf(TYPES.data, n === 4 ? 1 : 0, 1, Buffer.of(0))),
    ),
  "empty data for ever": () =>
    opened(
      frameOf(TYPES.headers, 4, 1, HELLO),
      many(2_000, () => frameOf(TYPES.data, 0, 1, Buffer.alloc(0))),
    ),
  "opened and given up, often": () =>
    opened(many(300, (n) => Buffer.concat([frameOf(TYPES.headers, 5, 2 * n + 1, HELLO), frameOf(TYPES.reset, 0, 2 * n + 1, word(8))]))),
  "more streams than allowed": () => opened(many(400, (n) => frameOf(TYPES.headers, 4, 2 * n + 1, HELLO))),
  pings: () => opened(many(500, () => frameOf(TYPES.ping, 0, 0, Buffer.alloc(8)))),
  "a ping of the wrong length": () => opened(frameOf(TYPES.ping, 0, 0, Buffer.alloc(7))),
  "settings, often": () => opened(many(300, () => settings([3, 100]))),
  "odd settings": (chance) =>
    opened(settings([4, 0xff_ff_ff_ff], [5, chance.pick([0, 1, 0xff_ff_ff])], [1, 0xff_ff_ff_ff], [99, 1], [2, 7])),
  "a window of nothing": () => opened(settings([4, 0]), frameOf(TYPES.headers, 5, 1, HELLO)),
  "a window that overflows": () =>
    opened(
      frameOf(TYPES.headers, 4, 1, HELLO),
      frameOf(TYPES.window, 0, 1, word(0x7f_ff_ff_ff)),
      frameOf(TYPES.window, 0, 1, word(0x7f_ff_ff_ff)),
    ),
  "a window of 0 more": () => opened(frameOf(TYPES.window, 0, 0, word(0))),
  "a push by the client": () => opened(frameOf(TYPES.push, 4, 1, Buffer.concat([word(2), HELLO]))),
  "a stream that depends on itself": () => opened(frameOf(TYPES.priority, 0, 1, Buffer.concat([word(1), Buffer.of(16)]))),
  "a continuation of nothing": () => opened(frameOf(TYPES.continuation, 4, 1, HELLO)),
  "goaway, and on": () => opened(frameOf(TYPES.goaway, 0, 0, Buffer.concat([word(0), word(0)])), frameOf(TYPES.headers, 5, 1, HELLO)),
  "an unknown kind of frame": (chance) => opened(frameOf(chance.between(10, 255), chance.below(256), chance.below(4), noise(chance, 60))),
  "a good call with a bit turned over": (chance) => {
    const bytes = opened(frameOf(TYPES.headers, 4, 1, HELLO), frameOf(TYPES.data, 1, 1, Buffer.alloc(5)));
    for (let left = chance.between(1, 5); left > 0; left--)
      bytes[chance.between(PREFACE.length, bytes.length - 1)]! ^= 1 << chance.below(8);
    return bytes;
  },
  "a good call that is cut off": (chance) => {
    const bytes = opened(frameOf(TYPES.headers, 4, 1, HELLO), frameOf(TYPES.data, 1, 1, Buffer.alloc(5)));
    return bytes.subarray(0, chance.between(PREFACE.length, bytes.length));
  },
  "a stream of work, and gone": () =>
    opened(frameOf(TYPES.headers, 4, 1, callHeaders("/TaskHubSidecarService/GetWorkItems")), frameOf(TYPES.data, 1, 1, Buffer.alloc(5))),
};

export const RAW_NAMES = Object.keys(RAW);
