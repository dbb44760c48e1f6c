// serve: task hubs for workers and clients in any language, until a signal ends it.
import type { ServeOptions, TaskHubServer } from "@ostinato/grpc";
import { FileLockedError, openTaskHub } from "ostinato";
import type { Hub } from "ostinato";
import { durationMs, type Duration } from "ostinato/contract";
import { optionsOf } from "../connect.ts";
import { CommandError, EXIT, usageError } from "../exit-codes.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { readTokens } from "../token-file.ts";

export interface ServeCommandOptions {
  readonly host: string;
  readonly port: string;
  readonly hub?: readonly string[];
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
  readonly tokenFile?: string;
  readonly grace: string;
  readonly dangerouslyAllowUnauthenticatedNetworkAccess?: boolean;
}

/** Serves one hub, or several by their names. A hub's file is made when it is not there. */
export async function serveHubs(session: Session, given: string | undefined, options: ServeCommandOptions): Promise<void> {
  const { onSignal } = session.io;
  if (onSignal === undefined) throw usageError("Nothing here could tell the server to stop: it needs the signals of a process.");
  const urls = urlsOf(session, given, options);
  const serveOptions = await serveOptionsOf(options);
  const grace = graceOf(options);
  const { serve } = await import("@ostinato/grpc");
  const hubs = new Map<string, Hub>();
  try {
    for (const [name, url] of urls) hubs.set(name, await open(session, url));
    const server = await serve(Object.fromEntries(hubs), serveOptions);
    try {
      const stopped = nextOf(onSignal, ["SIGINT", "SIGTERM"]);
      const forget = onSignal("SIGHUP", () => void reload(session, server, serveOptions));
      await tellReady(session, server, serveOptions, [...urls.keys()]);
      await stopped;
      forget();
      await session.note("Stopping: what workers have in hand may still be answered.");
    } finally {
      // Also when nobody could be told: a server that listens would hold the process.
      await server.close({ grace });
    }
  } finally {
    await Promise.all([...hubs.values()].map((hub) => hub.close()));
  }
}

function urlsOf(session: Session, given: string | undefined, { hub: named = [] }: ServeCommandOptions): ReadonlyMap<string, string> {
  const urls = new Map<string, string>();
  // The environment's hub is meant only where nothing else is said.
  const usual = given ?? (named.length === 0 ? session.url : undefined);
  if (usual !== undefined) urls.set("default", usual);
  for (const each of named) {
    const at = each.indexOf("=");
    const name = each.slice(0, at).trim();
    if (at < 0 || name === "" || urls.has(name)) throw usageError(`--hub ${plain(each)} is no name=url, or its name was given already.`);
    urls.set(name, each.slice(at + 1));
  }
  if (urls.size === 0) throw usageError("There is no task hub to serve: ostinato serve sqlite:app.db, or --hub orders=sqlite:orders.db.");
  return urls;
}

async function serveOptionsOf(options: ServeCommandOptions): Promise<ServeOptions> {
  const { host, tlsCert, tlsKey, clientCa, tokenFile, dangerouslyAllowUnauthenticatedNetworkAccess: isAllowed } = options;
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw usageError(`--port ${plain(options.port)} is no port.`);
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw usageError("--tls-cert and --tls-key belong together.");
  if (clientCa !== undefined && tlsCert === undefined) throw usageError("--client-ca needs --tls-cert and --tls-key.");
  return {
    host,
    port,
    ...(tlsCert === undefined
      ? {}
      : { tls: { certFile: tlsCert, keyFile: tlsKey!, ...(clientCa === undefined ? {} : { clientCaFile: clientCa }) } }),
    ...(tokenFile === undefined ? {} : { tokens: await readTokens(tokenFile) }),
    ...(isAllowed === true ? { dangerouslyAllowUnauthenticatedNetworkAccess: true } : {}),
  };
}

/** Read at the start: at the end it would be too late to ask again. */
function graceOf({ grace: given }: ServeCommandOptions): Duration {
  const grace = given as Duration;
  try {
    durationMs(grace, "--grace");
    return grace;
  } catch {
    throw usageError(`--grace ${plain(given)} is no time; write for example 30s.`);
  }
}

async function open(session: Session, url: string): Promise<Hub> {
  try {
    return await openTaskHub(url, await optionsOf(session));
  } catch (error) {
    if (!(error instanceof FileLockedError)) throw error;
    throw new CommandError(
      EXIT.unreachable,
      error.code,
      `${error.message} Stop that process, or let it serve its hub itself: serve(hub) of @ostinato/grpc.`,
      { cause: error },
    );
  }
}

async function tellReady(
  { json, tell, say }: Session,
  { host, port }: TaskHubServer,
  { tls, tokens, dangerouslyAllowUnauthenticatedNetworkAccess: isOpen = false }: ServeOptions,
  names: readonly string[],
): Promise<void> {
  if (json) return tell({ host, port, hubs: names, tls: tls !== undefined, tokens: tokens?.length ?? 0 });
  const safety = [tls === undefined ? "no TLS" : "TLS", tokens === undefined ? "no tokens" : `${tokens.length} tokens`];
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  await say(`Serving ${names.map(plain).join(", ")} on ${where} (${safety.join(", ")}${isOpen ? "; open to whoever gets there" : ""}).`);
}

async function reload(session: Session, server: TaskHubServer, { tls }: ServeOptions): Promise<void> {
  try {
    if (tls === undefined) return;
    await server.reloadTls();
    await session.note("The certificate was read again.");
  } catch (error) {
    await session.note(`The certificate stays as it was: ${plain((error as Error).message)}`);
  }
}

/** Resolves at the first of these signals. The next one finds nobody, and ends the process as it always does. */
function nextOf(onSignal: NonNullable<Session["io"]["onSignal"]>, names: readonly ("SIGINT" | "SIGTERM")[]): Promise<void> {
  return new Promise((resolve) => {
    const forget = names.map((name) =>
      onSignal(name, () => {
        for (const each of forget) each();
        resolve();
      }),
    );
  });
}
