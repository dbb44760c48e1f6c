// connection: what a server allows one connection.
//
// Owns:    its budgets, and when it is ended: nothing came at first, nothing came for long, a ping was not answered.
// Is told: its calls, one by one.
// Always:  the same few timers however many calls there are; what cannot be told to the other side any more is dropped.

import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import { answerStream, type AnsweredStream, type AnsweringEnd } from "./answered-stream.ts";
import type { Warn } from "./answering.ts";
import { certificateNamesOf } from "./certificate-names.ts";
import type { CommonBudget, MessageLimit } from "./frames.ts";
import { pingOnce } from "./pings.ts";
import type { Timers } from "./timers.ts";
import type { Served } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** What all connections of a door have in common. */
export interface ConnectionRules {
  readonly served: Served;
  readonly limit: MessageLimit;
  /** What unfinished messages may take on all connections. */
  readonly unfinished: CommonBudget;
  /** What answers that were not read may take on all connections. */
  readonly unread: CommonBudget;
  readonly maxStreams: number;
  readonly handshakeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly receiveTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly timers: Timers;
  readonly warn: Warn;
}

/** One connection, to the door. */
export interface Connection {
  /** Takes no calls any more, lets those under way end. */
  close(): void;
  /** Ends the calls under way, and then the connection. */
  cut(): void;
}

/** Messages of a connection that lie here half, and what a stream has not read: so many times the longest message. */
const UNFINISHED_MESSAGES = 2;
const UNREAD_MESSAGES = 4;

/** Watches over a connection until it closes. */
export function keepConnection(session: ServerHttp2Session, rules: ConnectionRules): Connection {
  const { timers, warn } = rules;
  const calls = new Map<ServerHttp2Stream, { call: AnsweredStream; overdueMs: number }>();
  let running = 0;
  let idleMs = 0;
  const callWithMost = (bytesOf: (call: AnsweredStream) => number): AnsweredStream | undefined => {
    let found: AnsweredStream | undefined;
    for (const { call } of calls.values()) if (bytesOf(call) > (found === undefined ? 0 : bytesOf(found))) found = call;
    return found;
  };
  const unread = rules.unread.share(Infinity, () => callWithMost((call) => call.unreadBytes)?.takeBack());
  const unfinished = rules.unfinished.share(rules.limit.bytes * UNFINISHED_MESSAGES, () => {
    const most = callWithMost((call) => call.unfinishedBytes);
    most?.giveUp(new WireError("UNAVAILABLE", "too many large messages come here at once, and this one was not finished; try again later"));
  });
  const end: AnsweringEnd = {
    served: rules.served,
    limit: rules.limit,
    budget: unfinished,
    unread,
    maxUnreadBytes: rules.limit.bytes * UNREAD_MESSAGES,
    ...whoCalls(session),
    timers,
    warn,
    began: () => (running += 1),
    cameBack: () => (running -= 1),
  };

  // What goes wrong on a connection closes it; there is nobody to tell.
  session.on("error", () => undefined);
  session.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    idleMs = 0;
    if (running >= rules.maxStreams * 2) {
      // Calls that were given up are still being answered: who gives up faster than we answer has to wait.
      stream.on("error", () => undefined);
      stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    const call = answerStream(stream, headers, end);
    calls.set(stream, { call, overdueMs: 0 });
    stream.on("close", () => calls.delete(stream));
  });

  let greeting: { cancel(): void } | undefined = timers.setTimer(rules.handshakeTimeoutMs, () => session.destroy());
  session.once("remoteSettings", () => {
    greeting?.cancel();
    greeting = undefined;
  });
  let stopPing: () => void = () => undefined;
  const look = (): void => {
    tick = timers.setTimer(rules.pingIntervalMs, look);
    for (const [stream, entry] of calls) {
      entry.overdueMs = entry.call.overdue ? entry.overdueMs + rules.pingIntervalMs : 0;
      if (entry.overdueMs < rules.receiveTimeoutMs) continue;
      entry.call.giveUp(new WireError("DEADLINE_EXCEEDED", "the call did not come to its end in time"));
      // Whoever does not take even that is dropped with the next look. A stream that is being closed closes no sooner for being told again.
      if (entry.overdueMs < rules.receiveTimeoutMs + rules.pingIntervalMs) continue;
      if (stream.closed) stream.destroy();
      else stream.close(constants.NGHTTP2_CANCEL);
    }
    idleMs = calls.size === 0 ? idleMs + rules.pingIntervalMs : 0;
    if (idleMs < rules.idleTimeoutMs) stopPing = pingOnce(session, rules.pingTimeoutMs, timers, () => session.destroy());
    // A close in good form waits for what is still to be sent, and nobody may be taking it.
    else if (session.closed) session.destroy();
    else session.close();
  };
  let tick = timers.setTimer(rules.pingIntervalMs, look);
  session.once("close", () => {
    greeting?.cancel();
    tick.cancel();
    stopPing();
    unfinished.close();
    unread.close();
  });

  return {
    close() {
      if (!session.closed) session.close();
    },
    cut() {
      for (const { call } of calls.values()) call.giveUp(new WireError("UNAVAILABLE", "the server is closing"));
      // The statuses are on their way when the connection goes.
      setImmediate(() => setImmediate(() => session.destroy()));
    },
  };
}

function whoCalls(session: ServerHttp2Session): { peer: string; certificateNames: readonly string[] | undefined } {
  const socket = session.socket as unknown as TLSSocket | undefined;
  // It was gone before anybody looked.
  if (socket === undefined) return { peer: "?", certificateNames: undefined };
  const peer = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? "?"}`;
  const certificate = session.encrypted && socket.authorized ? socket.getPeerX509Certificate() : undefined;
  return { peer, certificateNames: certificate === undefined ? undefined : certificateNamesOf(certificate) };
}
