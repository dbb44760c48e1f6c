// task-hub-service: the Durable Task service over the backends of task hubs, whatever carries its bytes.
//
// Owns:    the way of each call: known, its caller known, let in, its hub found, read, answered; and how it fails.
// Is told: calls, by a transport.
// Tells:   the tables of calls.ts and access.ts.
// Always:  SV1 every call passes the same gate, and nothing is read of its message before.
//          SV2 a mistake of ours is logged, and its caller told a number to ask for and nothing else.
//          SV3 from the beginning of its close the service takes answers and nothing else; afterwards everything that was out has gone back.

import { durationMs, type Duration } from "ostinato/contract";
import { InvalidArgumentError, OstinatoError } from "ostinato";
import { isMethod, readRequest, writeReply, type MethodName } from "../codec/messages.ts";
import { OWN_CALLS } from "../codec/own-calls.ts";
import { peerOf, PROTOCOL_METADATA } from "../codec/peer.ts";
import { toWireError } from "../codec/status.ts";
import type { IncomingCall, Reply, Served, StreamWriter } from "../transport/transport.ts";
import { WireError } from "../transport/wire-error.ts";
import { mayCall } from "./access.ts";
import type { Answer, CallContext, ServerWorld, StreamAnswer } from "./call-context.ts";
import { createDoorkeeper, type TokenGrant } from "./callers.ts";
import { answerTogether } from "./calls-together.ts";
import { CALLS, STREAMS, type StreamName, type UnaryName } from "./calls.ts";
import { createCounts } from "./counts.ts";
import { createTaskHubs, type Hubs } from "./task-hubs.ts";

/** How a service treats its callers. */
export interface ServiceOptions {
  /** Who is let in, and to what. Without tokens everybody is, to everything. */
  readonly tokens?: readonly TokenGrant[];
  /** How long the work of a worker whose stream has ended may still be answered before it is given to another one; 10 s by default. */
  readonly reconnectGrace?: Duration;
  /** The longest message sent to workers that take no more; 4 MiB by default, which is what most clients of gRPC take. */
  readonly itemBytes?: number;
  /** What is kept of histories for workers that keep nothing themselves, so that their turns need no reads; 64 MiB by default. */
  readonly historyCacheBytes?: number;
}

/** A service, for a transport to carry. */
export interface TaskHubService extends Served {
  counters(): Readonly<Record<string, number>>;
  /** Ends its streams: what is out may be answered until the grace is over, and is given back then. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const MIB = 1_048_576;
const OPTION_NAMES = ["tokens", "reconnectGrace", "itemBytes", "historyCacheBytes"];
/** What is still taken while the service closes: whatever settles work that is out. */
const SETTLES: ReadonlySet<MethodName> = new Set([
  "CompleteOrchestratorTask",
  "CompleteActivityTask",
  "CompleteEntityTask",
  "AbandonTaskOrchestratorWorkItem",
  "AbandonTaskActivityWorkItem",
  "AbandonTaskEntityWorkItem",
  "StreamInstanceHistory",
]);

/**
 * Makes the service of task hubs.
 *
 * @throws InvalidArgumentError for options that make no sense.
 * @example
 * const service = createTaskHubService({ orders, billing }, { tokens: [{ token, hubs: ["orders"] }] });
 * const channel = inMemoryChannel(service);
 */
export function createTaskHubService(hubs: Hubs, options: ServiceOptions = {}): TaskHubService {
  refuseUnknown(options);
  const taskHubs = createTaskHubs(hubs);
  const admit = createDoorkeeper(options.tokens);
  const counts = createCounts();
  const closing = new AbortController();
  const world: ServerWorld = {
    counts,
    pasts: { bytes: bytesOf(options.historyCacheBytes ?? 64 * MIB, "historyCacheBytes"), used: 0 },
    reconnectGraceMs: durationMs(options.reconnectGrace ?? "10s", "reconnectGrace"),
    itemBytes: bytesOf(options.itemBytes ?? 4 * MIB, "itemBytes"),
    closing: closing.signal,
  };
  const { log, random } = taskHubs.first;

  // ---- the gate
  const enter = (call: IncomingCall): { readonly method: MethodName; readonly context: CallContext } => {
    counts.add("calls");
    const { method } = call;
    if (!isMethod(method)) throw new WireError("UNIMPLEMENTED", `There is no call '${method}' here.`);
    const caller = admit(call.metadata);
    if (!mayCall(caller, method)) throw new WireError("PERMISSION_DENIED", `The token does not allow ${method}.`);
    const hub = taskHubs.find(caller, call.metadata["taskhub"]);
    if (closing.signal.aborted && !SETTLES.has(method))
      throw new WireError("UNAVAILABLE", "The server is closing; try again elsewhere, or later.");
    return { method, context: { world, hub, caller, peer: peerOf(call.metadata), call } };
  };

  const failed = (call: IncomingCall, error: unknown): WireError => {
    const foreseen = error instanceof WireError || error instanceof OstinatoError;
    if (foreseen) {
      const wire = toWireError(error);
      const isRefusal = wire.status === "UNAUTHENTICATED" || wire.status === "PERMISSION_DENIED";
      counts.add(isRefusal ? "callsRefused" : "callsFailed");
      if (isRefusal) log.warn("a call was refused", { method: shown(call.method), peer: call.peer, status: wire.status });
      return wire;
    }
    counts.add("callsFailed");
    const number = random.id();
    log.error("a call failed in a way that nobody foresaw", { method: shown(call.method), peer: call.peer, number, error });
    return new WireError("INTERNAL", `The server failed in a way that nobody foresaw. Its log says more, under ${number}.`);
  };

  const unary = async <M extends UnaryName>(method: M, context: CallContext, message: Uint8Array): Promise<Reply> => {
    const answer: Answer<M> = CALLS[method];
    const reply = await answer(readRequest(method, message), context);
    const metadata = method === "Hello" && context.peer === "ours" ? PROTOCOL_METADATA : {};
    return { message: writeReply(method, reply), metadata };
  };
  const stream = async <M extends StreamName>(
    method: M,
    context: CallContext,
    message: Uint8Array,
    writer: StreamWriter,
  ): Promise<void> => {
    const answer: StreamAnswer<M> = STREAMS[method];
    await answer(readRequest(method, message), context, writer);
  };

  const answerUnary = async (call: IncomingCall, message: Uint8Array): Promise<Reply> => {
    try {
      const { method, context } = enter(call);
      if (isStream(method)) throw new WireError("INVALID_ARGUMENT", `${method} answers with a stream.`);
      return await unary(method, context, message);
    } catch (error) {
      throw failed(call, error);
    }
  };

  let closed: Promise<void> | undefined;
  const shut = async (graceMs: number): Promise<void> => {
    closing.abort();
    const streams = [...taskHubs].flatMap((hub) => [...hub.streams]);
    await Promise.all(streams.map((each) => each.retire(graceMs)));
  };

  return {
    kindOf: (method) => (method === OWN_CALLS ? "duplex" : !isMethod(method) ? undefined : isStream(method) ? "stream" : "unary"),
    unary: answerUnary,
    async stream(call, message, writer) {
      try {
        const { method, context } = enter(call);
        if (!isStream(method)) throw new WireError("INTERNAL", `${method} answers with one message.`);
        await stream(method, context, message, writer);
      } catch (error) {
        throw failed(call, error);
      }
    },
    async duplex(call, incoming, writer) {
      try {
        if (call.method !== OWN_CALLS || peerOf(call.metadata) !== "ours")
          throw new WireError("UNIMPLEMENTED", `There is no call '${shown(call.method)}' here that goes both ways.`);
        admit(call.metadata);
        await answerTogether(call, incoming, writer, answerUnary);
      } catch (error) {
        throw failed(call, error);
      }
    },
    counters() {
      const hubsServed = [...taskHubs];
      return {
        ...counts.read(),
        streams: hubsServed.reduce((sum, hub) => sum + hub.streams.size, 0),
        itemsOut: hubsServed.reduce((sum, hub) => sum + hub.out.size, 0),
        historyCacheBytes: world.pasts.used,
      };
    },
    close: ({ graceMs = 10_000 } = {}) => (closed ??= shut(graceMs)),
  };
}

function isStream(method: MethodName): method is StreamName {
  return Object.hasOwn(STREAMS, method);
}

/** What a caller sent as a method, fit for a log line. */
function shown(method: string): string {
  return isMethod(method) ? method : "(unknown)";
}

function refuseUnknown(options: ServiceOptions): void {
  for (const name of Object.keys(options))
    if (!OPTION_NAMES.includes(name))
      throw new InvalidArgumentError(`createTaskHubService has no option '${name}'; it has ${OPTION_NAMES.join(", ")}.`);
}

function bytesOf(bytes: number, name: string): number {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw new InvalidArgumentError(`${name} must be a whole number of bytes, at least 0; got ${String(bytes)}.`);
}
