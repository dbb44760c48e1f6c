// foreign-server: a server of another SDK's, as far as a story needs one: it answers as it is told to, and keeps what it was asked.

import { create } from "@bufbuild/protobuf";
import type { TestContext } from "node:test";
import { defaultConverter, type Hub } from "ostinato";
import { createLogger, seededRandom, type Backend, type LogRecord } from "ostinato/contract";
import { createHub } from "../../../ostinato/src/hub/hub.ts";
import { limitsOf } from "../../../ostinato/src/hub/open-task-hub.ts";
import { handClock, type HandClock } from "../../../ostinato/test/hand-clock.ts";
import {
  isMethod,
  METHODS,
  readRequest,
  replyWith,
  writeReply,
  type MethodName,
  type ReplyFields,
  type RequestOf,
} from "../../src/codec/messages.ts";
import { HistoryEventSchema, type HistoryEvent } from "../../src/generated/task_hub_sidecar_pb.js";
import { remoteBackend } from "../../src/remote/remote-backend.ts";
import { inMemoryChannel, type CallFault, type InMemoryChannel, type OutgoingCall } from "../../src/transport/in-memory.ts";
import type { Channel, Metadata, Served } from "../../src/transport/transport.ts";
import { WireError } from "../../src/transport/wire-error.ts";

type Answers = { [M in MethodName]?: (request: RequestOf<M>) => ReplyFields<M> | WireError };

/** A story's world: a server of the family, and a hub of ours on it. */
export interface ForeignWorld {
  readonly hub: Hub;
  readonly backend: Backend;
  readonly channel: InMemoryChannel;
  readonly clock: HandClock;
  readonly logged: readonly LogRecord[];
  /** How it answers; Hello and completions are answered anyway. */
  readonly answers: Answers;
  /** What happens to a call on its way. */
  fault: ((call: OutgoingCall) => CallFault | undefined) | undefined;
  /** What was asked by this name. */
  asked<M extends MethodName>(method: M): readonly RequestOf<M>[];
  /** The metadata that went with a call of this name. */
  metadataOf(method: MethodName): Metadata;
  /** Sends a message to the worker whose stream is open. */
  send(item: ReplyFields<"GetWorkItems">): Promise<void>;
  /** Streams of work that are open. */
  readonly streams: number;
  /** Connections that were given up. */
  readonly resets: number;
  /** Lets everything happen that needs no time. */
  settle(): Promise<void>;
  pass(ms: number): Promise<void>;
}

/** Makes such a world. `hello` is what the server says of itself. */
export function foreignWorld(t: TestContext, hello: Metadata = {}): ForeignWorld {
  const clock = handClock(Date.UTC(2025, 0, 1));
  const logged: LogRecord[] = [];
  const log = createLogger({ level: "info", sink: (record) => void logged.push(record) });
  const asked: { readonly method: MethodName; readonly request: unknown; readonly metadata: Metadata }[] = [];
  const answers: Answers = {};
  const open = new Set<(bytes: Uint8Array) => void>();
  let resets = 0;

  const answer = (method: string, message: Uint8Array, metadata: Metadata): Uint8Array => {
    if (!isMethod(method)) throw new WireError("UNIMPLEMENTED", method);
    const request: unknown = readRequest(method, message);
    asked.push({ method, request, metadata });
    const given = (answers[method] as ((request: unknown) => object | WireError) | undefined)?.(request);
    if (given instanceof WireError) throw given;
    if (given === undefined && !ANSWERED_ANYWAY.has(method)) throw new WireError("UNIMPLEMENTED", `no ${method} here`);
    return writeReply(method, replyWith(method, given as never));
  };
  const served: Served = {
    kindOf: (method) => (isMethod(method) ? METHODS[method].kind : undefined),
    unary: async (call, message) => ({
      message: answer(call.method, message, call.metadata),
      metadata: call.method === "Hello" ? hello : {},
    }),
    async stream(call, message, writer) {
      if (call.method !== "GetWorkItems") {
        writer.write(answer(call.method, message, call.metadata));
        return;
      }
      asked.push({ method: "GetWorkItems", request: readRequest("GetWorkItems", message), metadata: call.metadata });
      const write = (bytes: Uint8Array): void => void writer.write(bytes);
      open.add(write);
      await new Promise<void>((resolve) => call.signal.addEventListener("abort", () => resolve(), { once: true }));
      open.delete(write);
      throw new WireError("CANCELLED", "gone");
    },
    duplex: () => Promise.reject(new WireError("UNIMPLEMENTED", "no")),
  };
  const channel = inMemoryChannel(served, { timers: clock, fault: (call) => world.fault?.(call) });
  const counted: Channel = { ...channel, reset: () => ((resets += 1), channel.reset()) };
  const random = seededRandom(7);
  const backend = remoteBackend(counted, { where: "foreign:4001", clock, random, log });
  const hold = (): (() => void) => () => undefined;
  const hub = createHub({ backend, clock, random, log, hold, converter: defaultConverter, limits: limitsOf(), processors: 1 });

  const settle = async (): Promise<void> => {
    for (let hop = 0; hop < 6; hop++) await new Promise((resolve) => setImmediate(resolve));
  };
  const world: ForeignWorld = {
    hub,
    backend,
    channel,
    clock,
    logged,
    answers,
    fault: undefined,
    asked: (method) => asked.filter((each) => each.method === method).map((each) => each.request as RequestOf<typeof method>),
    metadataOf: (method) => asked.findLast((each) => each.method === method)?.metadata ?? {},
    async send(item) {
      const bytes = writeReply("GetWorkItems", replyWith("GetWorkItems", item));
      for (const write of open) write(bytes);
      await settle();
    },
    get streams() {
      return open.size;
    },
    get resets() {
      return resets;
    },
    settle,
    async pass(ms) {
      await clock.advance(ms);
      await settle();
    },
  };
  t.after(async () => {
    world.fault = undefined;
    channel.setDown(true);
    const closed = hub.close();
    await world.pass(60_000);
    await closed;
  });
  return world;
}

const ANSWERED_ANYWAY: ReadonlySet<string> = new Set(["Hello", "CompleteActivityTask", "CompleteOrchestratorTask"]);

type EventFields = Parameters<typeof create<typeof HistoryEventSchema>>[1];

/** An event as a server of the family writes it; without a time it has none. */
export function event(eventType: NonNullable<EventFields>["eventType"], eventId = -1, at?: number): HistoryEvent {
  const timestamp = at === undefined ? {} : { timestamp: { seconds: BigInt(Math.floor(at / 1_000)), nanos: (at % 1_000) * 1_000_000 } };
  return create(HistoryEventSchema, { eventId, ...timestamp, eventType } as EventFields);
}
