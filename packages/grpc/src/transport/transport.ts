// transport: calls and streams of bytes between two ends, as gRPC has them.
//
// Owns:    the two halves of a connection: Channel (who calls) and Served (who answers). Messages are bytes here; what they mean is the codec's.
// Is told: a method's name, metadata, a deadline, a signal.
// Tells:   replies, and WireError with a status of gRPC.
// Always:  X1 a call ends exactly once: with a reply, with an end, or with a WireError.
//          X2 whoever answers learns that its caller has gone (`signal`), whatever took it away: a cancel, a deadline, a lost connection.

import type { WireError } from "./wire-error.ts";

/** Names and values that travel beside a message. Names are lower-case. */
export type Metadata = Readonly<Record<string, string>>;

/** What goes with a call. */
export interface CallOptions {
  readonly metadata?: Metadata;
  /** The call ends with DEADLINE_EXCEEDED after so long. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The answer to a call. */
export interface Reply {
  readonly message: Uint8Array;
  readonly metadata: Metadata;
}

/** Who hears a stream. */
export interface StreamListener {
  /** The answering side has sent its headers: it has taken the call. Called at most once, before anything else. */
  headers?(metadata: Metadata): void;
  message(message: Uint8Array): void;
  /** Exactly once, as the last thing; without an error when the answering side ended it well. */
  ended(error?: WireError): void;
}

/** A stream that is open. */
export interface OpenStream {
  /** Ends it from this side; `ended` follows with CANCELLED. */
  cancel(): void;
  /** Sends another message to the answering side. Only on a stream that was opened by `duplex`. */
  send(message: Uint8Array): void;
}

/** The calling half of a connection. */
export interface Channel {
  /** @throws WireError */
  unary(method: string, message: Uint8Array, options?: CallOptions): Promise<Reply>;
  /** One message out, many back. */
  stream(method: string, message: Uint8Array, listener: StreamListener, options?: CallOptions): OpenStream;
  /** Many out, many back, in any order. */
  duplex(method: string, listener: StreamListener, options?: CallOptions): OpenStream;
  /** Forgets the connection; the next call makes another one. For connections that may be dead without saying so. */
  reset(): void;
  close(): Promise<void>;
}

/** What the answering side knows of a call. */
export interface IncomingCall {
  readonly method: string;
  readonly metadata: Metadata;
  /** Where it comes from, for log lines. */
  readonly peer: string;
  /** The names in the caller's certificate, when it showed one that was accepted. */
  readonly certificateNames?: readonly string[];
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** The caller set a deadline. */
  readonly hasDeadline: boolean;
}

/** Where an answering side writes a stream's messages. */
export interface StreamWriter {
  /** Sends one message. False: the caller reads more slowly than this writes; wait for `drained`. */
  write(message: Uint8Array): boolean;
  drained(): Promise<void>;
}

/** The answering half of a connection. Methods are named without the service: `"StartInstance"`. */
export interface Served {
  /** Whether there is such a method, and of which kind. */
  kindOf(method: string): "unary" | "stream" | "duplex" | undefined;
  /** @throws WireError */
  unary(call: IncomingCall, message: Uint8Array): Promise<Reply>;
  /** The stream ends well when this resolves. @throws WireError */
  stream(call: IncomingCall, message: Uint8Array, writer: StreamWriter): Promise<void>;
  /** Hears the caller's messages until it has ended its side. @throws WireError */
  duplex(call: IncomingCall, incoming: AsyncIterable<Uint8Array>, writer: StreamWriter): Promise<void>;
}
