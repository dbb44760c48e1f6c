// link: one HTTP/2 connection of a channel.
//
// Owns:    the session, its pings, and the calls on it.
// Is told: calls; that it shall end.
// Always:  a connection that is dead without saying so is found while somebody waits on it: by a ping that is not answered. Nobody is pinged
//          while nothing is under way, and a server that finds pings too many gets fewer. It holds the process while a call is under way.

import { connect, type ClientHttp2Session, type Settings } from "node:http2";
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import type { MessageLimit } from "./frames.ts";
import { callOut, type CallingEnd, type Hearer, type OutgoingStream } from "./outgoing-stream.ts";
import { pingOnce } from "./pings.ts";
import type { Timers } from "./timers.ts";
import type { CallOptions } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** Whom a TLS connection trusts, and what it shows. Contents of PEM files, not their names. */
export interface ChannelTls {
  /** The authority that signed the server's certificate; without it those that Node knows. */
  readonly ca?: string | Buffer;
  /** What this side shows to a server that asks (mutual TLS). */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the server's certificate must carry, when it is not the host of the address. */
  readonly serverName?: string;
}

/** What the links of a channel have in common. */
export interface LinkRules {
  readonly host: string;
  readonly port: number;
  readonly tls: ChannelTls | undefined;
  readonly limit: MessageLimit;
  /** Shared by all links: a server that complains about pings complains about the next link's, too. */
  readonly pings: { intervalMs: number };
  /** Calls at once that the server takes on one connection; shared as well. */
  readonly room: { calls: number };
  readonly pingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly timers: Timers;
}

/** One connection, to its channel. */
export interface Link {
  /** Whether another call may be made on it. */
  readonly usable: boolean;
  /** Whether the server takes another call now; otherwise it would wait for one to end. */
  readonly hasRoom: boolean;
  readonly calls: number;
  call(method: string, message: Uint8Array | undefined, options: CallOptions, hearer: Hearer): OutgoingStream;
  end(error: WireError): void;
}

/** Until the server has said how many calls it takes at once; those that HTTP/2 is defined for take as many. */
export const CALLS_UNTIL_TOLD = 100;
/** Of a server that takes any number, so many go on one connection. */
const CALLS_ON_A_LINK = 1_000;
/** How seldom a server is pinged that has complained: what servers of gRPC allow unless told otherwise. */
const SELDOM_MS = 310_000;
const ENHANCE_YOUR_CALM = 0xb;

/** Makes a connection. Calls can be made on it at once; they fail when it fails. */
export function openLink(rules: LinkRules, closed: () => void): Link {
  const { timers } = rules;
  const where = `${rules.host.includes(":") ? `[${rules.host}]` : rules.host}:${rules.port}`;
  const calls = new Set<OutgoingStream>();
  let lost: string | undefined;
  let leaving = false;
  let heard = true;
  let quiet = false;
  let stopPing: () => void = () => undefined;

  const lose = (reason: string): void => {
    lost ??= reason;
  };
  const session = openSession(rules, where, lose);
  const end: CallingEnd = {
    session,
    limit: rules.limit,
    timers,
    lost: () => lost ?? (session.destroyed ? `the connection to ${where} was lost` : undefined),
    heard: () => (heard = true),
    count(change, call) {
      if (change === 1) calls.add(call);
      else calls.delete(call);
      if (calls.size === 1 && change === 1) session.ref();
      if (calls.size === 0) session.unref();
    },
  };
  const failAll = (status: "UNAVAILABLE" | "CANCELLED", reason: string): void => {
    for (const call of [...calls]) call.fail(new WireError(status, reason));
  };
  const silent = (): void => {
    lose(`no connection to ${where}: a ping was not answered for ${rules.pingTimeoutMs} ms`);
    session.destroy();
  };
  const ping = (): void => {
    stopPing();
    stopPing = pingOnce(session, rules.pingTimeoutMs, timers, silent);
  };
  const look = (): void => {
    tick = timers.setTimer(rules.pings.intervalMs, look);
    quiet = calls.size === 0;
    if (!heard && !quiet) ping();
    heard = false;
  };
  let tick = timers.setTimer(rules.pings.intervalMs, look);
  const connecting = timers.setTimer(rules.connectTimeoutMs, () => {
    lose(`no connection to ${where} after ${rules.connectTimeoutMs} ms`);
    session.destroy();
  });

  session.on("error", (error: Error) => lose(`no connection to ${where}: ${reasonOf(error)}`));
  session.once("remoteSettings", (settings: Settings) => {
    connecting.cancel();
    rules.room.calls = Math.min(settings.maxConcurrentStreams ?? CALLS_ON_A_LINK, CALLS_ON_A_LINK);
  });
  session.on("goaway", (code, lastStreamId, data) => {
    leaving = true;
    if (code === ENHANCE_YOUR_CALM && String(data ?? "") === "too_many_pings") {
      rules.pings.intervalMs = Math.max(rules.pings.intervalMs, SELDOM_MS);
    }
    if (code !== 0) lose(`the server at ${where} closed the connection (HTTP/2 code ${code})`);
    // What the server has not looked at it never will.
    for (const call of [...calls]) {
      if (call.id === undefined || call.id > lastStreamId)
        call.fail(new WireError("UNAVAILABLE", `the server at ${where} takes no calls any more`));
    }
  });
  session.once("close", () => {
    leaving = true;
    tick.cancel();
    connecting.cancel();
    stopPing();
    lose(`the connection to ${where} was lost`);
    queueMicrotask(() => failAll("UNAVAILABLE", lost!));
    closed();
  });

  return {
    get usable() {
      return !leaving && lost === undefined && !session.closed && !session.destroyed;
    },
    get hasRoom() {
      return calls.size < rules.room.calls;
    },
    get calls() {
      return calls.size;
    },
    call(method, message, options, hearer) {
      const call = callOut(end, method, message, options, hearer);
      // Nobody has looked after it for a while: the first call on it finds out whether it is still there.
      if (quiet) ping();
      quiet = false;
      return call;
    },
    end(error) {
      leaving = true;
      lose(error.message);
      for (const call of [...calls]) call.fail(error);
      session.destroy();
    },
  };
}

function openSession(rules: LinkRules, where: string, lose: (reason: string) => void): ClientHttp2Session {
  const { host, port, tls } = rules;
  const createConnection = () => {
    const socket =
      tls === undefined
        ? connectPlain({ host, port, noDelay: true })
        : connectTls({ host, port, ALPNProtocols: ["h2"], minVersion: "TLSv1.2", ...identityOf(host, tls) });
    if (tls !== undefined) socket.setNoDelay(true);
    // Before the session's own listeners: when streams close, it is known why.
    socket.once("error", (error: Error) => lose(`no connection to ${where}: ${reasonOf(error)}`));
    socket.once("close", () => lose(`the connection to ${where} was lost`));
    return socket;
  };
  // The zone of an IPv6 address is this machine's business.
  const session = connect(`${tls === undefined ? "http" : "https"}://${where.replace(/%[^\]]*/, "")}`, {
    createConnection,
    peerMaxConcurrentStreams: CALLS_UNTIL_TOLD,
    maxSessionMemory: 1_000,
    maxHeaderListPairs: 128,
    // Others leave spaces at the end of a status's text; that is no reason to lose the status.
    strictFieldWhitespaceValidation: false,
    settings: { enablePush: false, initialWindowSize: 1 << 20, maxHeaderListSize: 65_536 },
  });
  session.once("connect", () => {
    if (!session.destroyed) session.setLocalWindowSize(8 << 20);
  });
  session.unref();
  return session;
}

function identityOf(host: string, tls: ChannelTls) {
  const { ca, cert, key, serverName } = tls;
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    // An address is no name that could be asked for.
    ...(serverName === undefined ? (/[:]|^[\d.]+$/.test(host) ? {} : { servername: host }) : { servername: serverName }),
  };
}

function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0] as Error);
  return error.message;
}
