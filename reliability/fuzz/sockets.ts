// sockets: the same server behind a real door: calls by a real HTTP/2 client with everything about them wrong, and frames by hand.
//
// Owns:    the door, the connections of the attackers, and what must be true of them in the end.
// Always:  SO1 whatever comes, the process lives, each call has an end that fits, and the honest one behind the same door is not disturbed.
//          SO2 when everybody has gone no stream is open and no work is out.
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { openTaskHub, type Hub } from "ostinato";
import { systemClock, systemRandom, silentLogger } from "ostinato/contract";
import { defaultConverter } from "../../packages/ostinato/src/authoring/payload.ts";
import { createHub } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { remoteBackend } from "../../packages/grpc/src/remote/remote-backend.ts";
import { createTaskHubService, type TaskHubService } from "../../packages/grpc/src/server/task-hub-service.ts";
import { listen, type Listening } from "../../packages/grpc/src/transport/listen.ts";
import { openChannel } from "../../packages/grpc/src/transport/open-channel.ts";
import { STATUS, type StatusName } from "../../packages/grpc/src/transport/wire-error.ts";
import { chanceOf, type Chance } from "../simulation/chance.ts";
import { count } from "../simulation/tally.ts";
import { Attacker } from "./attacker.ts";
import { beginHonest, HONEST_WORK } from "./honest.ts";
import { RAW, RAW_NAMES } from "./raw-frames.ts";
import { TOKENS } from "./target.ts";
import { OURS } from "./verdict.ts";
import { WireTap } from "./wire-tap.ts";

/** How many messages, and who hears what came of them. */
export interface SocketOptions {
  readonly seed: number;
  readonly messages: number;
  readonly say: (line: string) => void;
}

const AT_ONCE = 24;
const HONEST_EVERY_MS = 500;
/** A call is given up by the attacker after so long. */
const GIVE_UP_MS = 300;
const STATUS_NAMES = Object.keys(STATUS) as StatusName[];
/** What gRPC itself says of bodies that are no message is INTERNAL; of anything else it is a finding. */
const BROKEN_FRAMING = /takes one message|in the middle of a message|cannot begin with the byte/;
/** Metadata that no honest client sends. */
const ODD_HEADERS: readonly (readonly [string, string])[] = [
  ["grpc-timeout", "1x"],
  ["grpc-timeout", "999999999999S"],
  ["grpc-timeout", "0n"],
  ["grpc-encoding", "gzip"],
  ["grpc-encoding", "identity"],
  ["taskhub", "__proto__"],
  ["taskhub", "constructor"],
  ["authorization", "Bearer"],
  ["authorization", "Basic YTpi"],
  ["constructor", "1"],
  ["x-bin-bin", "%%%not base64%%%"],
  ["x-user-agent", "a".repeat(4_000)],
  ["grpc-accept-encoding", "br"],
  ["ostinato-protocol", "2"],
];
const CONTENT_TYPES = [
  "application/grpc",
  "application/grpc+proto",
  "application/grpc+json",
  "application/grpc-web",
  "application/json",
  "text/html",
  "",
];

/** Attacks a server behind a door of its own. Whether it stood. */
export async function assaultSockets({ seed, messages, say }: SocketOptions): Promise<boolean> {
  const findings = new Map<string, number>();
  const found = (what: string): void => {
    if (!findings.has(what)) say(`found: ${what}`);
    count(findings, what);
  };
  const stray = (reason: unknown): void =>
    found(`a rejection or an error that nobody handled: ${reason instanceof Error ? reason.stack : String(reason)}`);
  process.on("unhandledRejection", stray);
  process.on("uncaughtException", stray);
  const tally = new Map<string, number>();
  const place = await open(found);
  const began = Date.now();
  const field = new Field(seed, place.door, tally, found);
  let honestOnes = 0;
  let isOver = false;
  const honest = (async () => {
    for (let n = 0; !isOver; n++) {
      const round = beginHonest(place.honest, `honest-${seed}-${n}`, 5);
      for (const wrong of await round.done) found(`the honest one was disturbed: ${wrong}`);
      honestOnes += 5;
      await new Promise((resolve) => setTimeout(resolve, HONEST_EVERY_MS));
    }
  })();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < messages) await field.send(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  isOver = true;
  await honest;
  field.close();
  await settled(place.service);
  const { streams, itemsOut } = place.service.counters();
  if (streams !== 1) found(`${streams} streams of work are open, and the honest one has one`);
  if (itemsOut !== 0) found(`${itemsOut} work items are still out`);
  await place.close();
  process.off("unhandledRejection", stray);
  process.off("uncaughtException", stray);
  for (const [what, amount] of [...tally].sort(([a], [b]) => a.localeCompare(b))) say(`${String(amount).padStart(9)}  ${what}`);
  say(
    `${messages} messages over sockets in ${((Date.now() - began) / 1_000).toFixed(1)} s, ${honestOnes} honest orchestrations beside them, ${findings.size} findings (seed ${seed})`,
  );
  for (const [what, amount] of findings) say(`  ${amount} times: ${what}`);
  return findings.size === 0;
}

interface Place {
  readonly door: Listening;
  readonly service: TaskHubService;
  readonly honest: Hub;
  close(): Promise<void>;
}

async function open(found: (what: string) => void): Promise<Place> {
  const log = {
    level: "error",
    sink: ({ message, fields }: { message: string; fields: Readonly<Record<string, unknown>> }) => {
      if ("instanceId" in fields) return;
      const { error } = fields;
      found(`an error was logged: ${message} ${error instanceof Error ? error.stack : ""}`);
    },
  } as const;
  const hubs = { shared: await openTaskHub("memory:", { log }), wild: await openTaskHub("memory:", { log }) };
  const service = createTaskHubService(hubs, {
    tokens: [
      { token: TOKENS.honest, hubs: ["shared"] },
      { token: TOKENS.attacker, rights: ["client", "control", "worker", "operator", "admin"] },
      { token: TOKENS.viewer, rights: ["view"] },
    ],
    reconnectGrace: "1s",
  });
  const door = await listen(service, {
    host: "127.0.0.1",
    port: 0,
    maxMessageBytes: 4 * 1_048_576,
    warn: (message, fields) => {
      if (message === "answering a call failed") found(`the door warned: ${message} ${said(fields?.["error"])}`);
    },
  });
  const address = `127.0.0.1:${door.port}`;
  const backend = remoteBackend(openChannel(address), {
    where: address,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    metadata: { taskhub: "shared" },
    token: { current: () => Promise.resolve(TOKENS.honest), refused: () => undefined },
  });
  const hold = (): (() => void) => () => undefined;
  const honest = createHub({
    backend,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    converter: defaultConverter,
    limits: limitsOf(),
    processors: 1,
    hold,
  });
  await honest.startWorker(HONEST_WORK);
  return {
    door,
    service,
    honest,
    async close() {
      await honest.close();
      await service.close({ graceMs: 0 });
      await door.close({ graceMs: 0 });
      await hubs.shared.close();
      await hubs.wild.close();
    },
  };
}

/** Streams whose callers have gone end a grace later. */
async function settled(service: TaskHubService): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const { streams, itemsOut } = service.counters();
    if (streams === 1 && itemsOut === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The attackers' side of the door. */
class Field {
  readonly #seed: number;
  readonly #door: Listening;
  readonly #tally: Map<string, number>;
  readonly #found: (what: string) => void;
  readonly #attacker: Attacker;
  readonly #sockets = new Set<Socket>();
  #session: ClientHttp2Session | undefined;

  constructor(seed: number, door: Listening, tally: Map<string, number>, found: (what: string) => void) {
    this.#seed = seed;
    this.#door = door;
    this.#tally = tally;
    this.#found = found;
    this.#attacker = new Attacker(chanceOf(seed, "sockets"), new WireTap(() => Promise.resolve()), () => Date.now());
  }

  async send(message: number): Promise<void> {
    const chance = chanceOf(this.#seed, `socket ${message}`);
    const again = `(message ${message} of seed ${this.#seed})`;
    if (chance.happens(0.2)) return this.#byHand(chance);
    await this.#call(chance, again);
  }

  close(): void {
    this.#session?.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  // ---- frames by hand

  #byHand(chance: Chance): Promise<void> {
    const name = chance.pick(RAW_NAMES);
    count(this.#tally, `by hand: ${name}`);
    const bytes = RAW[name]!(chance);
    const patience = chance.pick([2, 20, 150]);
    return new Promise((resolve) => {
      const socket = connectSocket(this.#door.port, "127.0.0.1");
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("connect", () => {
        socket.write(bytes);
        setTimeout(() => socket.destroy(), patience);
      });
      // Read, or not: then what the server writes piles up.
      if (chance.happens(0.8)) socket.resume();
      socket.on("close", () => {
        this.#sockets.delete(socket);
        resolve();
      });
    });
  }

  // ---- calls

  #connection(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      this.#session = connectHttp2(`http://127.0.0.1:${this.#door.port}`);
      this.#session.on("error", () => undefined);
      this.#session.setMaxListeners(0);
    }
    return this.#session;
  }

  #call(chance: Chance, again: string): Promise<void> {
    const shot = this.#attacker.next();
    const isBodyGood = chance.happens(0.6);
    const path = chance.happens(0.95)
      ? `/TaskHubSidecarService/${encodeURI(shot.method)}`
      : chance.pick(["/", "*", "//", "/x", "/TaskHubSidecarService", "/%00"]);
    const headers: Record<string, string> = {
      ":method": chance.happens(0.97) ? "POST" : chance.pick(["GET", "PUT", "HEAD", "OPTIONS"]),
      ":path": path,
      "content-type": chance.happens(0.85) ? "application/grpc" : chance.pick(CONTENT_TYPES),
      te: "trailers",
      ...(shot.hub === undefined ? {} : { taskhub: shot.hub }),
      ...(shot.caller === "nobody" ? {} : { authorization: `Bearer ${TOKENS[shot.caller]}` }),
      ...(shot.ours ? { "ostinato-protocol": "1" } : {}),
    };
    if (chance.happens(0.2)) for (const [name, value] of [chance.pick(ODD_HEADERS)]) headers[name] = value;
    count(this.#tally, isBodyGood ? "calls with a body as it should be" : "calls with a body that is framed badly");
    return new Promise((resolve) => {
      const result: { status?: string; text?: string; http?: number } = {};
      const over = (): void => {
        clearTimeout(timer);
        this.#judge(shot.method, result, again);
        resolve();
      };
      let timer: ReturnType<typeof setTimeout> | undefined;
      try {
        const stream = this.#connection().request(headers, { endStream: false });
        timer = setTimeout(() => stream.close(8), GIVE_UP_MS);
        const hear = (heard: Record<string, unknown>): void => {
          if (heard[":status"] !== undefined) result.http = Number(heard[":status"]);
          if (heard["grpc-status"] !== undefined) result.status = said(heard["grpc-status"]);
          if (heard["grpc-message"] !== undefined) result.text = said(heard["grpc-message"]);
        };
        stream.on("response", hear);
        stream.on("trailers", hear);
        stream.on("error", () => undefined);
        stream.on("close", over);
        stream.resume();
        writeBody(stream, isBodyGood ? framed(shot.bytes) : badlyFramed(shot.bytes, chance), chance);
      } catch {
        over();
      }
    });
  }

  #judge(method: string, { status, text = "", http }: { status?: string; text?: string; http?: number }, again: string): void {
    const name = status === undefined ? undefined : STATUS_NAMES[Number(status)];
    count(this.#tally, `answered: ${name ?? (http === undefined ? "nothing" : `HTTP ${http}`)}`);
    if (status !== undefined && name === undefined)
      this.#found(`${method} was answered with a status that there is none of: ${status} ${again}`);
    if (name === "UNKNOWN" || name === "DATA_LOSS" || (name === "INTERNAL" && !BROKEN_FRAMING.test(decodeURIComponent(text))))
      this.#found(`${method} was answered with ${name}: ${text.slice(0, 300)} ${again}`);
    if (text.length > 8_192) this.#found(`${method} was answered with a text of ${text.length} bytes, which clients do not take ${again}`);
    if (OURS.test(safely(text))) this.#found(`${method} was answered with a text that tells of our files: ${text.slice(0, 300)} ${again}`);
    if (http !== undefined && http >= 500) this.#found(`${method} was answered with HTTP ${http} ${again}`);
  }
}

function said(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : JSON.stringify(value);
}

function safely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function badlyFramed(message: Uint8Array, chance: Chance): Buffer {
  const good = framed(message);
  switch (chance.below(8)) {
    case 0:
      return good.subarray(0, chance.below(good.length + 1));
    case 1:
      return Buffer.concat([good, good]);
    case 2:
      good[0] = chance.below(256);
      return good;
    case 3:
      good.writeUInt32BE(chance.pick([0, 1, 0xff_ff_ff_ff, 0x7f_ff_ff_ff, 5_000_000, 4_194_305]), 1);
      return good;
    case 4:
      return Buffer.from(message);
    case 5:
      return Buffer.alloc(0);
    case 6:
      return Buffer.concat([good, Buffer.of(0, 0)]);
    default:
      return Buffer.concat([Buffer.alloc(5), good]);
  }
}

function writeBody(stream: { write(bytes: Buffer): boolean; end(bytes?: Buffer): unknown }, body: Buffer, chance: Chance): void {
  const roll = chance.below(100);
  if (roll < 80) return void stream.end(body);
  // In small parts; and sometimes never to its end.
  const part = chance.pick([1, 3, 1_000]);
  for (let at = 0; at < Math.min(body.length, part * 400); at += part) stream.write(body.subarray(at, at + part));
  if (roll < 97) stream.end(body.subarray(Math.min(body.length, part * 400)));
}
