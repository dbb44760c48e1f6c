// listen: a door on the network behind which calls are answered.
//
// Owns:    the socket that listens, its certificate, the limits, and how it closes.
// Is told: Served, which answers; options.
// Always:  nothing a caller sends ends the process, or takes more memory than the limits say. TLS is 1.2 or later, with keys that are
//          agreed upon anew for each connection; a certificate that cannot work never replaces one that does.

import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session, type ServerOptions } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Warn } from "./answering.ts";
import { keepConnection, type Connection, type ConnectionRules } from "./connection.ts";
import { createCommonBudget } from "./frames.ts";
import { systemTimers, type Timers } from "./timers.ts";
import type { Served } from "./transport.ts";

/** What a TLS door shows, and whom it lets in. Contents of PEM files, not their names. */
export interface TlsIdentity {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** With it every caller has to show a certificate that this authority has signed (mutual TLS). */
  readonly clientCa?: string | Buffer;
  /** Certificates of callers that the authority has revoked. */
  readonly clientCrl?: string | Buffer;
}

/** How a door is opened. */
export interface ListenOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly tls?: TlsIdentity;
  /** The longest message that is taken; 16 MiB. A longer one is refused by its announced length. */
  readonly maxMessageBytes?: number;
  /** Calls at once on one connection; 256. */
  readonly maxStreamsPerConnection?: number;
  /** Connections at once; 1,000. */
  readonly maxConnections?: number;
  /** Connections at once from one address; 500. */
  readonly maxConnectionsPerAddress?: number;
  /** All headers of one call; 16 KiB. */
  readonly maxHeaderBytes?: number;
  /** A connection that has not said hello after so long is dropped; 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** A connection without calls is closed after so long; 10 minutes. */
  readonly idleTimeoutMs?: number;
  /** A call whose message has not come after so long is given up; 60 s. */
  readonly receiveTimeoutMs?: number;
  /** Each connection is asked for a sign of life so often; 30 s. */
  readonly pingIntervalMs?: number;
  /** A connection that gives none after so long is dropped; 15 s. */
  readonly pingTimeoutMs?: number;
  /** By whose time all this runs: a `Clock` is one. */
  readonly timers?: Timers;
  readonly warn?: Warn;
}

/** A door that is open. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** Shows another certificate from the next connection on. Throws, and keeps the present one, when the next cannot work. */
  replaceTls(next: TlsIdentity): void;
  /** Stops taking calls, lets those under way end, and cuts what is left after `graceMs` (10 s). */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

const MIB = 1 << 20;
/** Unfinished messages, and answers that were not read, on all connections: so many times the longest message. */
const UNFINISHED_MESSAGES = 4;
const UNREAD_MESSAGES = 6;
const STREAM_WINDOW_BYTES = MIB;
const CONNECTION_WINDOW_BYTES = 8 * MIB;
/** With TLS 1.2 only what agrees on new keys each time; 1.3 has nothing else. */
const CIPHERS = [
  "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
].join(":");

/**
 * Opens a door. Rejects when the port is taken or the certificate is none.
 *
 * @example
 * const door = await listen(served, { host: "127.0.0.1", port: 4001 });
 * await door.close({ graceMs: 5_000 });
 */
export async function listen(served: Served, options: ListenOptions): Promise<Listening> {
  const { timers = systemTimers, warn = () => undefined } = options;
  const rules = rulesOf(served, options);
  const connections = new Map<ServerHttp2Session, Connection>();
  let closing: Promise<void> | undefined;
  const server = createHttp2Server(options);
  server.maxConnections = options.maxConnections ?? 1_000;
  const sockets = watchSockets(server, options.maxConnectionsPerAddress ?? 500);
  server.on("session", (session) => {
    if (session.destroyed) return;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    const connection = keepConnection(session, rules);
    connections.set(session, connection);
    session.once("close", () => connections.delete(session));
    // It shook hands while the door was being shut.
    if (closing !== undefined) connection.close();
  });
  const address = await bound(server, options);
  server.on("error", (error: Error) => warn("the server could not take a connection", { error: error.message }));

  return {
    host: address.address,
    port: address.port,
    replaceTls(next) {
      replaceIdentity(server, options, next);
    },
    close({ graceMs = 10_000 } = {}) {
      closing ??= new Promise((resolve) => {
        const cutAll = (): void => {
          for (const connection of connections.values()) connection.cut();
          // Those that never became connections: in the middle of a handshake.
          setImmediate(() => setImmediate(() => sockets.forEach((socket) => void socket.destroy())));
        };
        const cut = graceMs > 0 ? timers.setTimer(graceMs, cutAll) : undefined;
        server.close(() => {
          cut?.cancel();
          resolve();
        });
        for (const connection of connections.values()) connection.close();
        if (cut === undefined) cutAll();
      });
      return closing;
    },
  };
}

/** The sockets that are open; what is too many from one address is not. */
function watchSockets(server: Http2Server, maxPerAddress: number): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  const perAddress = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "?";
    const count = (change: number): void => {
      const next = (perAddress.get(address) ?? 0) + change;
      if (next === 0) perAddress.delete(address);
      else perAddress.set(address, next);
    };
    sockets.add(socket);
    count(1);
    socket.once("close", () => {
      sockets.delete(socket);
      count(-1);
    });
    if (perAddress.get(address)! > maxPerAddress) socket.destroy();
  });
  return sockets;
}

function rulesOf(served: Served, options: ListenOptions): ConnectionRules {
  const maxMessageBytes = options.maxMessageBytes ?? 16 * MIB;
  return {
    served,
    limit: { bytes: maxMessageBytes, option: "the server" },
    unfinished: createCommonBudget(maxMessageBytes * UNFINISHED_MESSAGES),
    unread: createCommonBudget(maxMessageBytes * UNREAD_MESSAGES),
    maxStreams: options.maxStreamsPerConnection ?? 256,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 10_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 600_000,
    receiveTimeoutMs: options.receiveTimeoutMs ?? 60_000,
    pingIntervalMs: options.pingIntervalMs ?? 30_000,
    pingTimeoutMs: options.pingTimeoutMs ?? 15_000,
    timers: options.timers ?? systemTimers,
    warn: options.warn ?? (() => undefined),
  };
}

function createHttp2Server(options: ListenOptions): Http2Server {
  const maxMessageBytes = options.maxMessageBytes ?? 16 * MIB;
  const limits: ServerOptions & { noDelay: boolean } = {
    noDelay: true,
    maxHeaderListPairs: 64,
    // Megabytes of one connection, with what waits to be read by the other side.
    maxSessionMemory: Math.ceil((maxMessageBytes * 6) / MIB) + 10,
    maxSettings: 32,
    settings: {
      enablePush: false,
      maxConcurrentStreams: options.maxStreamsPerConnection ?? 256,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: options.maxHeaderBytes ?? 16_384,
    },
  };
  if (options.tls === undefined) return createServer(limits);
  return createSecureServer({
    ...limits,
    ...contextOf(options.tls),
    requestCert: options.tls.clientCa !== undefined,
    rejectUnauthorized: true,
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
  });
}

function contextOf(tls: TlsIdentity): SecureContextOptions {
  return {
    cert: tls.cert,
    key: tls.key,
    ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa }),
    ...(tls.clientCrl === undefined ? {} : { crl: tls.clientCrl }),
    minVersion: "TLSv1.2",
    ciphers: CIPHERS,
    honorCipherOrder: true,
  };
}

function replaceIdentity(server: Http2Server, options: ListenOptions, next: TlsIdentity): void {
  if (options.tls === undefined) throw new Error("there is no certificate to replace: the server was opened without TLS");
  if ((options.tls.clientCa === undefined) !== (next.clientCa === undefined)) {
    throw new Error("whether callers have to show certificates (clientCa) cannot change while the server runs: open it anew");
  }
  // Throws when a certificate is none or the key is not its own; the one in use stays.
  createSecureContext(contextOf(next));
  (server as unknown as { setSecureContext(context: SecureContextOptions): void }).setSecureContext(contextOf(next));
}

function bound(server: Http2Server, options: ListenOptions): Promise<AddressInfo> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why = error.code === "EADDRINUSE" ? "another process listens there" : error.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${why}`, { cause: error }));
    };
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve(server.address() as AddressInfo);
    });
  });
}
