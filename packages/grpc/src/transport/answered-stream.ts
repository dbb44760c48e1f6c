// answered-stream: one call that came over HTTP/2, and its answer.
//
// Owns:    what is read of the call, what is written to it, and its end.
// Is told: by the stream, what comes and when it closes; by the connection, when to give up.
// Tells:   Served, once there is a whole call; the caller, with headers, messages and a status.
// Always:  X1 the answer ends once. X2 `signal` is aborted when the stream closes before its answer has ended, whatever closed it.
//          Nothing that comes can throw out of here: each way of being wrong has its status.

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { failureOf, noSuchMethod, type Warn } from "./answering.ts";
import { untransportable } from "./calling.ts";
import { createFrameReader, frame, type Budget, type MessageLimit } from "./frames.ts";
import { isGrpc, metadataOf, SERVICE_PATH, timeoutOf, trailersOf } from "./headers.ts";
import { createMailbox, type Mailbox } from "./mailbox.ts";
import type { Timers } from "./timers.ts";
import type { IncomingCall, Metadata, Served, StreamWriter } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** What the calls of one connection share. */
export interface AnsweringEnd {
  readonly served: Served;
  readonly limit: MessageLimit;
  readonly budget: Budget;
  /** What answers of one message may take until the caller has read them. */
  readonly unread: Budget;
  /** So much may be written to a stream and not be read by the caller; beyond it the caller is dropped. */
  readonly maxUnreadBytes: number;
  readonly peer: string;
  readonly certificateNames: readonly string[] | undefined;
  readonly timers: Timers;
  readonly warn: Warn;
  /** Called when a method begins to answer, and when it has come back: later than the stream's end, perhaps. */
  readonly began: () => void;
  readonly cameBack: () => void;
}

/** A call, to its connection. */
export interface AnsweredStream {
  /** Whether the other side keeps us waiting: for the rest of its message, or by not taking the end of its answer. */
  readonly overdue: boolean;
  /** What its unfinished message takes. */
  readonly unfinishedBytes: number;
  /** What its answer takes that the caller has not read. */
  readonly unreadBytes: number;
  giveUp(error: WireError): void;
  /** Takes the answer back that is not read. */
  takeBack(): void;
}

/** A duplex call's messages wait here in such an amount before the caller is made to wait. */
const WAITING_BYTES = 1 << 20;
const WAITING_MESSAGES = 1_024;

/** For calls of one message. */
const NO_MAILBOX: Mailbox<Uint8Array> = createMailbox<Uint8Array>();
NO_MAILBOX.end();

const HEADERS = { ":status": 200, "content-type": "application/grpc+proto", "grpc-accept-encoding": "identity" };

// Calls have no date: it would be metadata that nobody sent.
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const WITHOUT_BODY = { endStream: true, sendDate: false };

/** What is no call has had its answer at once, and only its end is waited for. */
const NO_CALL: AnsweredStream = { overdue: true, unfinishedBytes: 0, unreadBytes: 0, giveUp: () => undefined, takeBack: () => undefined };

/** Answers one call. */
export function answerStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, end: AnsweringEnd): AnsweredStream {
  // A stream without this listener takes the process with it when a peer misbehaves. What went wrong, "close" tells.
  stream.on("error", () => undefined);
  if (refusedAsHttp(stream, headers)) return NO_CALL;
  const path = headers[":path"] ?? "";
  const method = path.startsWith(SERVICE_PATH) ? path.slice(SERVICE_PATH.length) : path;
  const kind = method === path ? undefined : end.served.kindOf(method);
  const gone = new AbortController();
  let over = false;
  let received = false;
  let message: Uint8Array | undefined;
  let deadline: { cancel(): void } | undefined;
  let unread = 0;

  const finish = (error?: WireError, last?: Buffer): boolean => {
    if (over) return false;
    over = true;
    deadline?.cancel();
    reader.release();
    writeEnd(stream, error, last, end.warn);
    return true;
  };
  const giveUp = (error: WireError): void => {
    if (!finish(error)) return;
    gone.abort(error);
    incoming.drop();
  };
  const drop = (error: WireError): void => {
    if (over) return;
    over = true;
    deadline?.cancel();
    reader.release();
    gone.abort(error);
    incoming.drop();
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  const read = (): void => {
    end.unread.give(unread);
    unread = 0;
  };
  const takeBack = (): void => {
    read();
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  const incoming = kind === "duplex" ? mailboxOf(stream) : NO_MAILBOX;
  const reader = createFrameReader(end.limit, end.budget, (next) => {
    if (kind === "duplex") return incoming.push(next);
    if (message !== undefined) throw new WireError("INTERNAL", `${method} takes one message, and a second one came`);
    message = next;
  });
  const fail = (error: unknown): void => giveUp(failureOf(method, error, end.warn));

  stream.on("data", (chunk: Buffer) => {
    if (over) return;
    try {
      reader.push(chunk);
    } catch (error) {
      fail(error);
    }
  });
  stream.on("end", () => {
    received = true;
    // A stream that was given up ends, too; "close" comes right behind and says that its caller has gone.
    if (over || stream.aborted || stream.destroyed) return;
    if (reader.unfinished) return giveUp(new WireError("INTERNAL", `${method}: the call ended in the middle of a message`));
    // Who gives a call up ends its side first, if it is Node, and says so in the same breath: "close" comes before the next turn of the loop.
    if (kind === "duplex") return void setImmediate(() => incoming.end());
    if (message === undefined) return giveUp(new WireError("INTERNAL", `${method} takes one message, and none came`));
    if (kind !== undefined) void run(kind, message);
  });
  stream.on("close", () => {
    read();
    if (over) return;
    over = true;
    deadline?.cancel();
    reader.release();
    gone.abort(new WireError("CANCELLED", `who called ${method} has gone`));
    incoming.drop();
  });

  const metadata = metadataOf(headers);
  const call: IncomingCall = {
    method,
    metadata,
    peer: end.peer,
    ...(end.certificateNames === undefined ? {} : { certificateNames: end.certificateNames }),
    signal: gone.signal,
    hasDeadline: headers["grpc-timeout"] !== undefined,
  };
  const run = async (how: "unary" | "stream" | "duplex", first: Uint8Array): Promise<void> => {
    end.began();
    try {
      if (how === "unary") {
        const reply = await end.served.unary(call, first);
        if (over) return;
        if (!end.unread.take(reply.message.length)) {
          throw new WireError("UNAVAILABLE", "too many answers lie here that were not read; read them, or ask for fewer at a time");
        }
        unread = reply.message.length;
        respond(stream, reply.metadata);
        finish(undefined, frame(reply.message));
      } else {
        const writer = writerOf(stream, end.maxUnreadBytes, gone.signal, () => over, drop);
        // A refusal that comes at once comes in place of headers; who says nothing has taken the call.
        setImmediate(() => {
          if (!over) respond(stream);
        });
        await (how === "stream" ? end.served.stream(call, first, writer) : end.served.duplex(call, incoming, writer));
        if (finish()) incoming.drop();
      }
    } catch (error) {
      if (!over) fail(error);
    } finally {
      end.cameBack();
    }
  };

  const begin = (): void => {
    if (kind === undefined) throw noSuchMethod(method);
    const encoding = headers["grpc-encoding"];
    if (encoding !== undefined && encoding !== "identity") {
      throw new WireError("UNIMPLEMENTED", `messages compressed with ${String(encoding)} are not taken: send them uncompressed`);
    }
    const timeoutMs = timeoutOf(headers["grpc-timeout"]);
    if (timeoutMs !== undefined) {
      const expire = (): void => giveUp(new WireError("DEADLINE_EXCEEDED", `${method} had no answer after ${timeoutMs} ms`));
      if (timeoutMs === 0) return expire();
      deadline = end.timers.setTimer(timeoutMs, expire);
    }
    if (kind === "duplex") void run(kind, new Uint8Array());
  };
  try {
    begin();
  } catch (error) {
    fail(error);
  }
  return {
    get overdue() {
      return over || (kind !== "duplex" && !received);
    },
    get unfinishedBytes() {
      return reader.taken;
    },
    get unreadBytes() {
      return unread;
    },
    giveUp,
    takeBack,
  };
}

/** Answers what is no gRPC in the words of HTTP. */
function refusedAsHttp(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
  const status = headers[":method"] !== "POST" ? 405 : isGrpc(headers["content-type"]) ? undefined : 415;
  if (status === undefined) return false;
  const text = status === 405 ? "calls are made by POST\n" : "calls have content of type application/grpc\n";
  stream.respond({ ":status": status, "content-type": "text/plain", ...(status === 405 ? { allow: "POST" } : {}) });
  stream.end(text);
  discardRest(stream);
  return true;
}

/** What still comes is not read, and the caller is told to stop. */
function discardRest(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  stream.resume();
  setImmediate(() => {
    if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}

/** Says that the call has been taken. */
function respond(stream: ServerHttp2Stream, metadata?: Metadata): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const bad = metadata === undefined ? undefined : untransportable(metadata);
  if (bad !== undefined) throw new Error(bad);
  stream.respond({ ...metadata, ...HEADERS }, WITH_TRAILERS);
}

/** Ends the answer: with trailers, or with headers alone when nothing has been said. */
function writeEnd(stream: ServerHttp2Stream, error: WireError | undefined, last: Buffer | undefined, warn: Warn): void {
  if (stream.destroyed || stream.closed) return;
  let said = error;
  const bad = said === undefined ? undefined : untransportable(said.metadata);
  if (said !== undefined && bad !== undefined) {
    warn("the metadata of a failure cannot travel", { reason: bad });
    said = new WireError(said.status, said.message);
  }
  if (!stream.headersSent) {
    stream.respond({ ...HEADERS, ...trailersOf(said) }, WITHOUT_BODY);
    discardRest(stream);
    return;
  }
  stream.on("wantTrailers", () => {
    if (stream.destroyed || stream.closed) return;
    stream.sendTrailers(trailersOf(said));
    discardRest(stream);
  });
  stream.end(last);
  // What comes in the meantime is not kept.
  stream.resume();
}

/** Where a duplex call's messages wait for their reader; when there are many, the caller has to wait. */
function mailboxOf(stream: ServerHttp2Stream): Mailbox<Uint8Array> {
  let bytes = 0;
  const mailbox = createMailbox<Uint8Array>((message) => {
    bytes -= message.length;
    if (stream.isPaused() && bytes < WAITING_BYTES / 2 && mailbox.size < WAITING_MESSAGES / 2) stream.resume();
  });
  return {
    ...mailbox,
    get size() {
      return mailbox.size;
    },
    [Symbol.asyncIterator]: () => mailbox[Symbol.asyncIterator](),
    push(message) {
      bytes += message.length;
      mailbox.push(message);
      if (bytes > WAITING_BYTES || mailbox.size > WAITING_MESSAGES) stream.pause();
    },
  };
}

function writerOf(
  stream: ServerHttp2Stream,
  maxUnreadBytes: number,
  signal: AbortSignal,
  isOver: () => boolean,
  drop: (error: WireError) => void,
): StreamWriter {
  return {
    write(message) {
      if (isOver() || stream.destroyed) return true;
      respond(stream);
      if (stream.writableLength > 0 && stream.writableLength + message.length > maxUnreadBytes) {
        drop(new WireError("RESOURCE_EXHAUSTED", `the caller has left ${stream.writableLength} bytes unread`));
        return true;
      }
      return stream.write(frame(message));
    },
    drained() {
      if (isOver() || stream.destroyed || !stream.writableNeedDrain) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          stream.off("drain", done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        stream.on("drain", done);
        signal.addEventListener("abort", done, { once: true });
      });
    },
  };
}
