// remote-hub: a task hub behind an address of the Durable Task protocol.
//
// Owns:    what may be said of a remote hub, and what means nothing there; the import of the package that speaks the protocol.
// Always:  RH1 the package is asked for when an address needs it, and not before.
//          RH2 what the server decides cannot be asked for here: it is refused by name, with where it belongs.

import type { Backend } from "../contract/backend.ts";
import { InvalidArgumentError, UnsupportedError } from "../contract/errors.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";

/** Whom an encrypted connection trusts, and what it shows: the contents of PEM files. */
export interface RemoteTls {
  /** The authority that signed the server's certificate; without it those that Node knows. */
  readonly ca?: string | Uint8Array;
  /** What is shown to a server that asks who calls (mutual TLS), with its key. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** The name that the server's certificate must carry, when it is not the host of the address. */
  readonly serverName?: string;
}

/**
 * How a remote task hub is reached.
 *
 * @example
 * const hub = await openTaskHub("grpcs://hub.example.net:4001", {
 *   remote: { taskHub: "orders", token: async () => ({ token: await fetchToken(), expiresAt: Date.now() + 3_600_000 }) },
 * });
 */
export interface RemoteOptions {
  /** The task hub's name, when the address does not say it. */
  readonly taskHub?: string;
  /** A bearer token, or what gives one that holds: it is asked again before its token ends. Sent over encrypted connections and to this machine only. */
  readonly token?: string | (() => Promise<string | { readonly token: string; readonly expiresAt: number | Date }>);
  readonly tls?: RemoteTls;
}

/** What stands behind an address, as the package that speaks the protocol gives it. */
interface RemotePackage {
  connect(
    address: string,
    options: RemoteOptions & { readonly clock: Clock; readonly random: Random; readonly log: Logger },
  ): Promise<Backend>;
}

const REMOTE: OptionNames<RemoteOptions> = { taskHub: true, token: true, tls: true };
const TLS: OptionNames<RemoteTls> = { ca: true, cert: true, key: true, serverName: true };

/** Where the options belong that mean nothing for a remote hub. */
const ELSEWHERE = {
  readOnly: "what a caller may do is for its server to decide",
  postgres: "its database is its server's",
  sqliteBody: "there is no file here",
  retention: "how long finished instances stay is for its server to decide",
  unregistered: "work waits at its server for a worker that has the name",
  maxClaims: "how often work is tried is for its server to decide",
} as const;

/** What is left of a hub's options for `checkRemoteOptions`: whether each is given. */
export type Elsewhere = { readonly [Name in keyof typeof ELSEWHERE]: unknown };

/** @throws InvalidArgumentError for options that are misspelt, or mean nothing for a remote hub. */
export function checkRemoteOptions(remote: RemoteOptions | undefined, others: Elsewhere): void {
  for (const [name, why] of Object.entries(ELSEWHERE)) {
    if (others[name as keyof Elsewhere] !== undefined)
      throw new InvalidArgumentError(
        `${name === "maxClaims" ? "limits.maxClaims" : name} means nothing for a remote task hub: ${why}. Leave it out.`,
      );
  }
  checkOptions(remote, REMOTE, "remote");
  checkOptions(remote?.tls, TLS, "remote.tls");
  const { token, taskHub } = remote ?? {};
  if (token !== undefined && typeof token !== "string" && typeof token !== "function")
    throw new InvalidArgumentError("remote.token must be a text, or a function that gives one.");
  if (taskHub !== undefined && (typeof taskHub !== "string" || taskHub === ""))
    throw new InvalidArgumentError("remote.taskHub must be a text that is not empty.");
}

// By a variable: the package is one's own choice to install, and no tool that reads this file has to find it.
const PACKAGE = "@ostinato/grpc";
const importPackage = (): Promise<unknown> => import(PACKAGE);

/**
 * Opens a remote task hub.
 *
 * @throws UnsupportedError when `@ostinato/grpc` is not installed; InvalidArgumentError for the address.
 */
export async function openRemoteBackend(
  address: string,
  remote: RemoteOptions | undefined,
  world: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
  load: () => Promise<unknown> = importPackage,
): Promise<Backend> {
  let speaks: RemotePackage;
  try {
    speaks = (await load()) as RemotePackage;
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (code !== "ERR_MODULE_NOT_FOUND" || !String(message).includes(PACKAGE)) throw error;
    throw new UnsupportedError(`A remote task hub needs the package ${PACKAGE}, which is not installed: npm install ${PACKAGE}`, {
      cause: error,
    });
  }
  const { taskHub, token, tls } = remote ?? {};
  return speaks.connect(address, { ...world, ...given({ taskHub, token, tls }) });
}
