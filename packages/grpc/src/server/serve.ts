// serve: task hubs on the network, for workers and clients of the Durable Task family.
//
// Owns:    the server's life: it listens, it closes; its certificate.
// Always:  SE1 it is loopback unless told otherwise, and open to nobody by mistake (exposure).
//          SE2 the hubs stay their owner's: closing the server leaves them open.
//          SE3 closing twice is closing once. What was out is answered or given back before the door is shut.

import { InvalidArgumentError } from "ostinato";
import { given, durationMs, partsOf, type Duration } from "ostinato/contract";
import { listen, type ListenOptions } from "../transport/listen.ts";
import { refuseExposure } from "./exposure.ts";
import { createTaskHubService, type ServiceOptions } from "./task-hub-service.ts";
import { isOneHub, type Hubs } from "./task-hubs.ts";
import { readTls, type TlsFiles } from "./tls-files.ts";

/** How task hubs are served. */
export interface ServeOptions extends ServiceOptions {
  /** The address to listen on; 127.0.0.1 by default, which only this machine can reach. */
  readonly host?: string;
  /** 4001 by default, where the family's clients look for it; 0 takes any that is free. */
  readonly port?: number;
  readonly tls?: TlsFiles;
  /** The longest message that is taken; 16 MiB by default. */
  readonly maxMessageBytes?: number;
  readonly maxConnections?: number;
  readonly maxStreamsPerConnection?: number;
  /** Listens where other machines can reach it without TLS or without tokens. Whoever gets there can read and change everything. */
  readonly dangerouslyAllowUnauthenticatedNetworkAccess?: boolean;
}

/**
 * A server that listens.
 *
 * @example
 * const server = await serve(hub, { port: 4001 });
 * console.log(server.host, server.port, server.counters());
 * await server.close({ grace: "30s" });
 */
export interface TaskHubServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /**
   * What was counted since the start: calls, items, completions, refusals.
   *
   * @example
   * const { calls, streams, itemsOut } = server.counters();
   */
  counters(): Readonly<Record<string, number>>;
  /**
   * Reads the certificate's files again; connections from now on see what is in them. When they cannot be read, all stays as it was.
   *
   * @throws InvalidArgumentError when they cannot be read, or the server has no TLS.
   * @example
   * process.on("SIGHUP", () => void server.reloadTls());
   */
  reloadTls(): Promise<void>;
  /**
   * Takes no new calls, lets workers answer what they have for as long as `grace` (10 s by default), gives the rest back, and stops listening.
   * The hubs stay open.
   *
   * @example
   * await server.close({ grace: "30s" });
   */
  close(options?: { readonly grace?: Duration }): Promise<void>;
}

const HOST = "127.0.0.1";
const PORT = 4001;
const GRACE: Duration = "10s";
/** Calls that were answered when the streams had ended, and are still on their way. */
const LAST_WORDS_MS = 1_000;
const OPTION_NAMES = [
  "host",
  "port",
  "tls",
  "tokens",
  "reconnectGrace",
  "itemBytes",
  "historyCacheBytes",
  "maxMessageBytes",
  "maxConnections",
  "maxStreamsPerConnection",
  "dangerouslyAllowUnauthenticatedNetworkAccess",
];

/**
 * Serves a task hub, or several by their names, to workers and clients in any language that speak the Durable Task protocol.
 *
 * @throws InvalidArgumentError for options that make no sense, and for an address that other machines can reach without TLS and tokens.
 * @example
 * const hub = await openTaskHub("sqlite:orders.db");
 * const server = await serve(hub, { port: 4001 });
 */
export async function serve(hubs: Hubs, options: ServeOptions = {}): Promise<TaskHubServer> {
  refuseUnknown(options);
  const { host = HOST, port = PORT, tls, tokens, dangerouslyAllowUnauthenticatedNetworkAccess: isAllowed = false } = options;
  refuseExposure({ host, hasTls: tls !== undefined, hasTokens: tokens !== undefined, isAllowed });
  const service = createTaskHubService(hubs, serviceOptionsOf(options));
  const { log } = partsOf(firstOf(hubs));
  if (isAllowed)
    log.warn("dangerouslyAllowUnauthenticatedNetworkAccess is set: who reaches this server is asked for nothing", { host, port });
  const listening = await listen(service, {
    host,
    port,
    warn: (message, fields) => log.warn(message, fields),
    ...listenOptionsOf(options),
    ...(tls === undefined ? {} : { tls: await readTls(tls) }),
  });

  let closed: Promise<void> | undefined;
  const shut = async (graceMs: number): Promise<void> => {
    await service.close({ graceMs });
    await listening.close({ graceMs: LAST_WORDS_MS });
  };
  const close = ({ grace = GRACE }: { readonly grace?: Duration } = {}): Promise<void> => (closed ??= shut(durationMs(grace, "grace")));

  return {
    host: listening.host,
    port: listening.port,
    counters: () => service.counters(),
    async reloadTls() {
      if (tls === undefined) throw new InvalidArgumentError("This server has no TLS, so there is no certificate to read again.");
      listening.replaceTls(await readTls(tls));
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

function serviceOptionsOf({ tokens, reconnectGrace, itemBytes, historyCacheBytes }: ServeOptions): ServiceOptions {
  return given({ tokens, reconnectGrace, itemBytes, historyCacheBytes });
}

function listenOptionsOf({ maxMessageBytes, maxConnections, maxStreamsPerConnection }: ServeOptions): Partial<ListenOptions> {
  return given({ maxMessageBytes, maxConnections, maxStreamsPerConnection });
}

function firstOf(hubs: Hubs): Parameters<typeof partsOf>[0] {
  return isOneHub(hubs) ? hubs : Object.values(hubs)[0]!;
}

function refuseUnknown(options: ServeOptions): void {
  for (const name of Object.keys(options))
    if (!OPTION_NAMES.includes(name)) throw new InvalidArgumentError(`serve has no option '${name}'; it has ${OPTION_NAMES.join(", ")}.`);
}
