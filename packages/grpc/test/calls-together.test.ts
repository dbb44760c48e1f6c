// Short calls between our two ends travel together on one stream: what that must not change, and what ends it.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createLogger, seededRandom, type Backend } from "ostinato/contract";
import { handClock } from "../../ostinato/test/hand-clock.ts";
import { requestWith, writeRequest } from "../src/codec/messages.ts";
import { OWN_CALLS, readAnswers, readCalls, writeAnswers, writeCalls, type CallAnswer, type CallOut } from "../src/codec/own-calls.ts";
import { PROTOCOL_METADATA } from "../src/codec/peer.ts";
import { callsTogether } from "../src/remote/calls-together.ts";
import { tokenSource, type TokenGiver } from "../src/remote/credentials.ts";
import { remoteBackend } from "../src/remote/remote-backend.ts";
import { answerTogether } from "../src/server/calls-together.ts";
import { createTaskHubService, type ServiceOptions } from "../src/server/task-hub-service.ts";
import { inMemoryChannel, type InMemoryChannel, type InMemoryOptions, type OutgoingCall } from "../src/transport/in-memory.ts";
import type { Channel, Metadata, OpenStream, Reply, Served, StreamListener } from "../src/transport/transport.ts";
import { WireError } from "../src/transport/wire-error.ts";
import { foreignWorld } from "./remote/foreign-server.ts";
import { familyHub, settled, statusOf, type FamilyHub } from "./server/family.ts";

interface Together {
  readonly hub: FamilyHub;
  readonly service: ReturnType<typeof createTaskHubService>;
  readonly channel: InMemoryChannel;
  readonly backend: Backend;
  /** What was sent on streams of calls, message by message. */
  readonly messages: readonly CallOut[][];
  /** Streams of calls that were opened, and those that have ended. */
  readonly opened: number;
  readonly ended: number;
  /** Calls that went alone. */
  readonly alone: readonly string[];
}

interface Request {
  readonly options?: ServiceOptions;
  readonly token?: TokenGiver;
  readonly fault?: InMemoryOptions["fault"];
  readonly around?: (service: Served) => Served;
}

/** A hub of ours, and a client of ours on it whose calls can be seen. */
async function together(t: TestContext, { options = {}, token, fault, around = (served) => served }: Request = {}): Promise<Together> {
  const hub = await familyHub();
  const service = createTaskHubService(hub, options);
  const channel = inMemoryChannel(around(service), { timers: hub.clock, ...(fault === undefined ? {} : { fault }) });
  const messages: CallOut[][] = [];
  const alone: string[] = [];
  let opened = 0;
  let ended = 0;
  const seen: Channel = {
    ...channel,
    unary(method, message, given) {
      alone.push(method);
      return channel.unary(method, message, given);
    },
    duplex(method, listener, given) {
      opened += 1;
      const hears: StreamListener = {
        ...listener,
        ended(error) {
          ended += 1;
          listener.ended(error);
        },
      };
      const stream = channel.duplex(method, hears, given);
      return {
        cancel: () => stream.cancel(),
        send(bytes) {
          messages.push([...readCalls(bytes)]);
          stream.send(bytes);
        },
      };
    },
  };
  const log = createLogger({ level: "silent" });
  const source = token === undefined ? {} : { token: tokenSource(token, hub.clock) };
  const backend = remoteBackend(seen, { where: "ours:4001", clock: hub.clock, random: seededRandom(3), log, ...source });
  t.after(async () => {
    await backend.close();
    await service.close({ graceMs: 0 });
    await hub.close();
  });
  return {
    hub,
    service,
    channel,
    backend,
    messages,
    alone,
    get opened() {
      return opened;
    },
    get ended() {
      return ended;
    },
  };
}

const start = (backend: Backend, id: string): Promise<void> => backend.start({ instanceId: id, executionId: `of ${id}`, name: "greet" });
const methods = (calls: readonly CallOut[] | undefined): readonly string[] => calls?.map(({ method }) => method) ?? [];
const TOKEN = "a-token-of-our-own-made";
const OTHER = "another-token-of-our-own";

test("calls of one turn go in one message, and their answers come in one; each caller gets its own", async (t) => {
  const world = await together(t);
  assert.equal(await world.backend.get("nobody"), undefined);
  const before = world.messages.length;
  const ids = Array.from({ length: 50 }, (_, index) => `i${index}`);
  await Promise.all(ids.map((id) => start(world.backend, id)));
  assert.deepEqual(world.messages.slice(before).map(methods), [ids.map(() => "StartInstance")]);
  const found = await Promise.all(ids.map((id) => world.backend.get(id)));
  assert.deepEqual(
    found.map((each) => each?.record.id),
    ids,
  );
  assert.equal(world.opened, 1);
  assert.deepEqual(world.alone, ["Hello"]);
});

test("a call that is refused has its own error class, and neither ends the stream nor harms its neighbours", async (t) => {
  const world = await together(t, { options: { tokens: [{ token: TOKEN, rights: ["client"] }] }, token: TOKEN });
  await world.backend.get("nobody");
  const [one, two, three, again] = await Promise.allSettled([
    start(world.backend, "one"),
    world.backend.terminate({ instanceId: "one", recursive: false }),
    world.backend.raiseEvent({ instanceId: "missing", name: "go", messageId: "m" }),
    start(world.backend, "two"),
  ]);
  assert.deepEqual([one?.status, again?.status], ["fulfilled", "fulfilled"]);
  assert.match(String(two?.status === "rejected" && (two.reason as Error).message), /does not allow TerminateInstance/);
  assert.equal(three?.status === "rejected" && (three.reason as { code?: string }).code, "INSTANCE_NOT_FOUND");
  await assert.rejects(
    start(world.backend, "two2").then(() => world.backend.start({ instanceId: "two2", executionId: "x", name: "greet" })),
    {
      code: "INSTANCE_EXISTS",
    },
  );
  assert.deepEqual([world.opened, world.ended], [1, 0]);
});

test("I2 the stream breaks with calls under way: they are asked again, and each is done once", async (t) => {
  const streams = { cut: 0 };
  const fault = ({ kind }: OutgoingCall) => (kind === "duplex" && streams.cut++ < 2 ? { kind: "loseReply" as const } : undefined);
  const world = await together(t, { fault });
  await world.backend.get("nobody");
  const starts = Promise.all(["a", "b", "c"].map((id) => start(world.backend, id)));
  const told = start(world.backend, "d").then(() => world.backend.raiseEvent({ instanceId: "d", name: "go", messageId: "m" }));
  // In the middle of the calls' way.
  await Promise.resolve();
  world.channel.cutStreams();
  await settled();
  world.channel.cutStreams();
  await settled();
  await world.hub.clock.advance(5_000);
  await settled();
  await world.hub.clock.advance(5_000);
  await starts;
  await told;
  const ids = (await world.backend.query({}, { size: 10 })).items.map(({ record }) => record.id);
  assert.deepEqual(ids.sort(), ["a", "b", "c", "d"]);
});

/** A stream whose other end is the test. */
function handStream(clock = handClock(0)) {
  let listener!: StreamListener;
  const sent: CallOut[][] = [];
  const did = { cancelled: 0 };
  const stream: OpenStream = {
    cancel() {
      did.cancelled += 1;
      listener.ended(new WireError("CANCELLED", "cancelled"));
    },
    send: (bytes) => void sent.push([...readCalls(bytes)]),
  };
  const calls = callsTogether((hears) => {
    listener = hears;
    return stream;
  }, clock);
  const answer = (...answers: CallAnswer[]): void => listener.message(writeAnswers(answers));
  return { calls, clock, sent, did, answer, end: (error?: WireError) => listener.ended(error) };
}

const bytes = Uint8Array.of(1, 2, 3);

test("CT1 a deadline or a cancel ends one call, and its late answer is nobody's", async () => {
  const { calls, clock, sent, answer } = handStream();
  const given = new AbortController();
  const slow = statusOf(calls.unary("GetInstance", bytes, { timeoutMs: 1_000 }));
  const cancelled = statusOf(calls.unary("GetInstance", bytes, { signal: given.signal }));
  const fine = calls.unary("GetInstance", bytes, {});
  await settled();
  assert.equal(sent.length, 1);
  await clock.advance(1_000);
  given.abort();
  assert.deepEqual([await slow, await cancelled], ["DEADLINE_EXCEEDED", "CANCELLED"]);
  const numbers = sent[0]!.map(({ number }) => number);
  answer(...numbers.map((number) => ({ number, message: Uint8Array.of(number) })), { number: 4_000, message: bytes });
  assert.deepEqual(await fine, Uint8Array.of(numbers[2]!));
  assert.equal(calls.isOpen, true);
  assert.equal(await statusOf(calls.unary("GetInstance", bytes, { signal: AbortSignal.abort() })), "CANCELLED");
});

test("CT1 the stream's end is UNAVAILABLE to what it carried, however it ended; a caller who is not let in hears that", async () => {
  for (const [error, status] of [
    [undefined, "UNAVAILABLE"],
    [new WireError("INTERNAL", "an accident"), "UNAVAILABLE"],
    [new WireError("CANCELLED", "cancelled"), "UNAVAILABLE"],
    [new WireError("UNAUTHENTICATED", "no token"), "UNAUTHENTICATED"],
  ] as const) {
    const { calls, end } = handStream();
    const asked = statusOf(calls.unary("StartInstance", bytes, {}));
    await settled();
    end(error);
    assert.equal(await asked, status);
    assert.equal(calls.isOpen, false);
  }
});

test("CT2 a stream without calls ends soon; one with a call stays for its answer, also when it takes no more", async (t) => {
  const { calls, clock, sent, did, answer } = handStream();
  const asked = calls.unary("GetInstance", bytes, {});
  await settled();
  await clock.advance(60_000);
  assert.equal(calls.isOpen, true);
  calls.leave();
  assert.deepEqual([calls.isOpen, did.cancelled], [false, 0]);
  answer({ number: sent[0]![0]!.number, message: bytes });
  await asked;
  assert.equal(did.cancelled, 1);

  const world = await together(t);
  await world.backend.get("nobody");
  await world.backend.get("nobody");
  assert.deepEqual([world.opened, world.ended], [1, 0]);
  await world.hub.clock.advance(1_000);
  await settled();
  assert.deepEqual([world.opened, world.ended], [1, 1]);
  await world.backend.get("nobody");
  assert.equal(world.opened, 2);
});

test("a server of ours that knows no such stream is asked call by call, and is not tried again", async (t) => {
  const world = foreignWorld(t, PROTOCOL_METADATA);
  let tried = 0;
  world.fault = ({ kind }) => ((tried += kind === "duplex" ? 1 : 0), undefined);
  world.answers.GetInstance = () => ({ exists: false });
  await Promise.all([world.backend.get("a"), world.backend.get("b")]);
  await Promise.all([world.backend.get("c"), world.backend.get("d"), world.backend.get("e")]);
  assert.equal(world.asked("GetInstance").length, 5);
  assert.equal(tried, 1);
});

test("a message that the other end does not take ends the stream once: afterwards calls go alone, and are told what is wrong", async (t) => {
  const around = (service: Served): Served => ({
    ...service,
    async duplex(call, incoming, writer) {
      const watched = async function* () {
        for await (const each of incoming) {
          if (each.length > 1_000) throw new WireError("RESOURCE_EXHAUSTED", "too large");
          yield each;
        }
      };
      await service.duplex(call, watched(), writer);
    },
    unary(call, message) {
      if (message.length > 1_000) throw new WireError("RESOURCE_EXHAUSTED", "too large");
      return service.unary(call, message);
    },
  });
  const world = await together(t, { around });
  await world.backend.get("nobody");
  const large = world.backend.start({ instanceId: "large", executionId: "x", name: "greet", input: "x".repeat(2_000) });
  const refused = assert.rejects(large, /too large/);
  await settled();
  await world.hub.clock.advance(5_000);
  await refused;
  assert.equal(world.opened, 1);
});

test("a token that changes has its own stream; the old one ends when its answers are there", async (t) => {
  const tokens = [TOKEN, OTHER];
  let at = 0;
  const giver = async () => ({ token: tokens[at]!, expiresAt: new Date(Date.UTC(2025, 0, 1, at + 1)) });
  const world = await together(t, { options: { tokens: [{ token: TOKEN, rights: ["view"] }, { token: OTHER }] }, token: giver });
  await world.backend.get("nobody");
  await assert.rejects(start(world.backend, "one"), /does not allow StartInstance/);
  at = 1;
  await world.hub.clock.advance(60 * 60_000);
  await world.backend.get("nobody");
  await start(world.backend, "one");
  await settled();
  assert.deepEqual([world.opened - world.ended, (await world.backend.get("one"))?.record.id], [1, "one"]);
});

test("a token that the server does not accept is UNAUTHENTICATED on the stream, too: another one is fetched, and the call goes once more", async (t) => {
  let given = 0;
  let accepted = TOKEN;
  const giver = async () => (given++ === 0 ? TOKEN : OTHER);
  const around = (service: Served): Served => ({
    ...service,
    duplex(call, incoming, writer) {
      if (call.metadata["authorization"] !== `Bearer ${accepted}`) throw new WireError("UNAUTHENTICATED", "no such token");
      return service.duplex(call, incoming, writer);
    },
  });
  const world = await together(t, { token: giver, around });
  await world.backend.get("nobody");
  accepted = OTHER;
  await world.hub.clock.advance(1_000);
  await settled();
  await start(world.backend, "one");
  assert.deepEqual([given, world.opened], [2, 3]);
});

/** Raw messages on a stream of calls. */
function raw(channel: Channel, metadata: Metadata) {
  const answers: CallAnswer[] = [];
  let end!: (error?: WireError) => void;
  const ended = new Promise<WireError | undefined>((resolve) => (end = resolve));
  const stream = channel.duplex(OWN_CALLS, { message: (message) => void answers.push(...readAnswers(message)), ended: end }, { metadata });
  let number = 0;
  return {
    answers,
    ended,
    cancel: () => stream.cancel(),
    bytes: (message: Uint8Array) => stream.send(message),
    call: (method: string, message: Uint8Array) => stream.send(writeCalls([{ number: ++number, method, message }])),
    status: () => answers.map((each) => ("error" in each ? each.error.status : "OK")),
  };
}

test("SEC a forged message opens nothing: each call in it passes the gate under its own name, with the stream's token", async (t) => {
  const tokens = [{ token: TOKEN, rights: ["view" as const] }, { token: OTHER }];
  const { channel, hub } = await together(t, { options: { tokens } });
  const ours = (token?: string): Metadata => ({
    ...PROTOCOL_METADATA,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  });
  assert.equal((await raw(channel, ours()).ended)?.status, "UNAUTHENTICATED");
  assert.equal((await raw(channel, { authorization: `Bearer ${OTHER}` }).ended)?.status, "UNIMPLEMENTED", "others have no such call");

  const forged = raw(channel, ours(TOKEN));
  const begun = writeRequest("StartInstance", requestWith("StartInstance", { instanceId: "one", name: "greet" }));
  forged.call("StartInstance", begun);
  forged.call("TerminateInstance", writeRequest("TerminateInstance", requestWith("TerminateInstance", { instanceId: "one" })));
  forged.call("CompleteOrchestratorTask", new Uint8Array());
  forged.call("GetWorkItems", new Uint8Array());
  forged.call(OWN_CALLS, writeCalls([{ number: 1, method: "StartInstance", message: begun }]));
  forged.call("__proto__", new Uint8Array());
  forged.call("GetInstance", writeRequest("GetInstance", requestWith("GetInstance", { instanceId: "one" })));
  await settled();
  assert.deepEqual(forged.status().sort(), [
    "OK",
    ...Array.from({ length: 4 }, () => "PERMISSION_DENIED"),
    ...Array.from({ length: 2 }, () => "UNIMPLEMENTED"),
  ]);
  assert.equal(await hub.instance("one").status(), undefined);
  const worker = raw(channel, ours(OTHER));
  worker.call("GetWorkItems", new Uint8Array());
  await settled();
  assert.deepEqual(worker.status(), ["INVALID_ARGUMENT"]);
  forged.bytes(Uint8Array.of(255, 255));
  assert.equal((await forged.ended)?.status, "INVALID_ARGUMENT");
  const endless = raw(channel, ours(TOKEN));
  endless.bytes(new Uint8Array(3 * 1_048_576));
  assert.equal((await endless.ended)?.status, "RESOURCE_EXHAUSTED", "an empty call has two bytes, and a place in memory has many more");
});

test("CT2 what is under way is bounded, also for a caller who does not read", async () => {
  const gone = new AbortController();
  const call = { method: OWN_CALLS, metadata: {}, peer: "somebody", signal: gone.signal, hasDeadline: false };
  const answers: ((reply: Reply) => void)[] = [];
  const incoming = async function* () {
    for (let batch = 0; batch < 10; batch++)
      yield writeCalls(Array.from({ length: 500 }, (_, index) => ({ number: batch * 500 + index, method: "GetInstance", message: bytes })));
  };
  let drain: (() => void) | undefined;
  let written = 0;
  const writer = {
    write(message: Uint8Array) {
      written += readAnswers(message).length;
      return drain !== undefined;
    },
    drained: () => new Promise<void>((resolve) => (drain = resolve)),
  };
  const over = answerTogether(call, incoming(), writer, () => new Promise((resolve) => answers.push(resolve)));
  await settled();
  assert.equal(answers.length, 1_024);
  const answer = async (from: number, to: number): Promise<void> => {
    for (const each of answers.slice(from, to)) each({ message: bytes, metadata: {} });
    await settled();
  };
  await answer(0, 100);
  assert.deepEqual([written, answers.length], [100, 1_124]);
  await answer(100, 200);
  assert.deepEqual([written, answers.length], [200, 1_124], "whoever does not read is not listened to");
  drain!();
  await settled();
  assert.equal(answers.length, 1_224);
  for (let at = 200; at < 5_000; at += 100) await answer(at, at + 100);
  await over;
  assert.equal(answers.length, 5_000);
});

test("SV3 the server closes with calls under way: each is answered or UNAVAILABLE, and the stream does not hold the close", async (t) => {
  const { channel, service, hub } = await together(t);
  await hub.start("greet", undefined, { instanceId: "one" });
  const client = raw(channel, PROTOCOL_METADATA);
  client.call(
    "WaitForInstanceCompletion",
    writeRequest("WaitForInstanceCompletion", requestWith("GetInstance", { instanceId: "one" }) as never),
  );
  await settled();
  await service.close({ graceMs: 0 });
  client.call("StartInstance", writeRequest("StartInstance", requestWith("StartInstance", { instanceId: "two", name: "greet" })));
  client.call("CompleteActivityTask", writeRequest("CompleteActivityTask", requestWith("CompleteActivityTask", { completionToken: "t" })));
  await settled();
  assert.deepEqual(client.status(), ["UNAVAILABLE", "UNAVAILABLE", "NOT_FOUND"]);
  client.cancel();
  assert.equal((await client.ended)?.status, "CANCELLED");
});

test("the close of a hub ends the calls that wait with HubClosedError", async (t) => {
  const around = (service: Served): Served => ({
    ...service,
    unary: (call, message) => service.unary(call, message),
    async duplex() {
      await new Promise(() => undefined);
    },
  });
  const world = await together(t, { around });
  const peerKnown = world.backend.query({}, { size: 1 });
  await peerKnown;
  const asked = start(world.backend, "one");
  const refused = assert.rejects(asked, { code: "HUB_CLOSED" });
  await settled();
  await world.backend.close();
  await refused;
});
