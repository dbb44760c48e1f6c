// call-context: what a call is answered with, beside its message.

import type { Peer } from "../codec/peer.ts";
import type { ReplyOf, RequestOf, MethodName } from "../codec/messages.ts";
import type { IncomingCall, StreamWriter } from "../transport/transport.ts";
import type { Caller } from "./access.ts";
import type { Counts } from "./counts.ts";
import type { PastBudget } from "./kept-pasts.ts";
import type { ServedHub } from "./task-hubs.ts";

/** What is the same for all calls to a server. */
export interface ServerWorld {
  readonly counts: Counts;
  readonly pasts: PastBudget;
  /** How long what is out on a stream that has gone may still be answered. */
  readonly reconnectGraceMs: number;
  /** The longest message that is sent to a worker that takes no more than usual. */
  readonly itemBytes: number;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}

/** A call that was let in. */
export interface CallContext {
  readonly world: ServerWorld;
  readonly hub: ServedHub;
  readonly caller: Caller;
  readonly peer: Peer;
  readonly call: IncomingCall;
}

/** Answers a call. */
export type Answer<M extends MethodName> = (request: RequestOf<M>, context: CallContext) => Promise<ReplyOf<M>>;
/** Answers a call with many messages. */
export type StreamAnswer<M extends MethodName> = (request: RequestOf<M>, context: CallContext, writer: StreamWriter) => Promise<void>;
