// outgoing-stream: one call over HTTP/2, from the side that makes it.
//
// Owns:    what is read of the answer, and what its end means.
// Is told: by the stream, what comes; by the connection, that it has been lost.
// Tells:   its hearer: headers, messages, the end.
// Always:  X1 the hearer hears of the end once; a lost connection is UNAVAILABLE, whatever HTTP/2 says of it.

import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { watchCall, type CallWatch } from "./calling.ts";
import { createFrameReader, frame, type Budget, type MessageLimit } from "./frames.ts";
import { encodeTimeout, endingOf, failureOfHttp, failureOfReset, isGrpc, metadataOf, SERVICE_PATH } from "./headers.ts";
import type { Timers } from "./timers.ts";
import type { CallOptions, Metadata } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** What a call needs of its connection. */
export interface CallingEnd {
  readonly session: ClientHttp2Session;
  readonly limit: MessageLimit;
  readonly timers: Timers;
  /** Why the connection is no more, when it is no more. */
  lost(): string | undefined;
  /** Something has come: the other side lives. */
  heard(): void;
  /** A call begins, or has ended. */
  count(change: 1 | -1, call: OutgoingStream): void;
}

/** Who hears the answer. */
export interface Hearer {
  headers(metadata: Metadata): void;
  message(message: Uint8Array): void;
  /** Metadata: what came with the headers and with the end, together. */
  ended(error: WireError | undefined, metadata: Metadata): void;
}

/** A call under way. */
export interface OutgoingStream {
  /** HTTP/2's number for it, once it has one. */
  readonly id: number | undefined;
  send(message: Uint8Array): void;
  cancel(): void;
  /** Ends it here, and tells the other side when that is possible. */
  fail(error: WireError): void;
}

const NO_BUDGET: Budget = { take: () => true, give: () => undefined };
/** So many of the longest messages may wait to be sent on a duplex call. */
const UNSENT_MESSAGES = 4;

/** Makes a call. With a message it is sent and nothing more; without, `send` sends. */
export function callOut(
  end: CallingEnd,
  method: string,
  message: Uint8Array | undefined,
  options: CallOptions,
  hearer: Hearer,
): OutgoingStream {
  const stream = end.session.request(requestHeaders(method, options), { endStream: false });
  let metadata: Metadata = {};
  let ending: { readonly error: WireError | undefined } | undefined;

  /** A duplex call that the other side has ended would stay half open. */
  const endOurSide = (): void => {
    if (!stream.writableEnded && !stream.destroyed) stream.end();
  };
  const finish = (error: WireError | undefined): void => {
    if (!watch.finish()) return;
    settle(error);
  };
  const settle = (error: WireError | undefined): void => {
    end.count(-1, self);
    reader.release();
    if (error !== undefined && ending === undefined) stream.close(constants.NGHTTP2_CANCEL);
    else endOurSide();
    hearer.ended(error, metadata);
  };
  const watch: CallWatch = watchCall(method, options, end.timers, settle);
  const reader = createFrameReader(end.limit, NO_BUDGET, (next) => {
    if (!watch.over) hearer.message(next);
  });
  const arrived = (headers: IncomingHttpHeaders): void => {
    metadata = { ...metadata, ...metadataOf(headers) };
    if (headers["grpc-status"] !== undefined) ending = { error: endingOf(headers, metadata) };
  };

  stream.on("error", () => undefined);
  stream.on("response", (headers) => {
    end.heard();
    const status = Number(headers[":status"]);
    if (!isGrpc(headers["content-type"]) || (status !== 200 && headers["grpc-status"] === undefined)) {
      return finish(failureOfHttp(method, status, status === 200 ? headers["content-type"] : undefined));
    }
    arrived(headers);
    if (ending === undefined && !watch.over) hearer.headers(metadata);
  });
  stream.on("trailers", arrived);
  stream.on("data", (chunk: Buffer) => {
    end.heard();
    if (watch.over) return;
    try {
      reader.push(chunk);
    } catch (error) {
      finish(answerFailure(method, error));
    }
  });
  stream.on("end", () => {
    if (watch.over) return;
    // No status has come, and none will: "close" says so.
    if (ending === undefined) return endOurSide();
    const half = ending.error === undefined && reader.unfinished;
    finish(half ? new WireError("INTERNAL", `the answer to ${method} ended in the middle of a message`) : ending.error);
  });
  stream.on("close", () => {
    if (watch.over) return;
    if (ending !== undefined) return finish(ending.error);
    // A connection that is lost closes its streams first; why, it says right behind.
    queueMicrotask(() => finish(closedBefore(method, end, stream)));
  });

  const self: OutgoingStream = {
    get id() {
      return stream.id;
    },
    send(next) {
      if (watch.over || stream.destroyed) return;
      if (stream.writableLength > end.limit.bytes * UNSENT_MESSAGES) {
        return finish(new WireError("RESOURCE_EXHAUSTED", `${method}: the other side has left ${stream.writableLength} bytes unread`));
      }
      stream.write(frame(next));
    },
    cancel() {
      finish(new WireError("CANCELLED", `${method} was cancelled by its caller`));
    },
    fail: finish,
  };
  end.count(1, self);
  if (message !== undefined) stream.end(frame(message));
  return self;
}

function requestHeaders(method: string, { metadata, timeoutMs }: CallOptions): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ...metadata,
    ":method": "POST",
    ":path": SERVICE_PATH + method,
    "content-type": "application/grpc+proto",
    te: "trailers",
    "grpc-accept-encoding": "identity",
  };
  if (timeoutMs !== undefined) headers["grpc-timeout"] = encodeTimeout(timeoutMs);
  return headers;
}

function answerFailure(method: string, error: unknown): WireError {
  // A peer that compresses unasked breaks the protocol; for the caller that is no missing method.
  if (error instanceof WireError && error.status !== "UNIMPLEMENTED") return new WireError(error.status, `${method}: ${error.message}`);
  return new WireError("INTERNAL", `the answer to ${method} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
}

function closedBefore(method: string, end: CallingEnd, stream: ClientHttp2Stream): WireError {
  const lost = end.lost();
  if (lost !== undefined) return new WireError("UNAVAILABLE", `${method}: ${lost}`);
  if (stream.rstCode === constants.NGHTTP2_NO_ERROR) return new WireError("INTERNAL", `the answer to ${method} ended without a status`);
  return failureOfReset(method, stream.rstCode);
}
