// hub-url: what a task hub's URL says.
//
// Owns:    the schemes, and what is said of those that cannot be opened.
// Always:  pure; nothing is opened here. No message repeats a password.

import { InvalidArgumentError, UnsupportedError } from "../contract/errors.ts";
import { withoutPassword } from "../contract/without-password.ts";
import { readPostgresUrl, type PostgresAddress } from "../stores/postgres/address.ts";

/** Where a task hub is. */
export type HubAddress =
  | { readonly scheme: "memory" }
  | { readonly scheme: "sqlite"; readonly path: string; readonly hub: string | undefined }
  /** In a PostgreSQL database; without a connection string the caller's own pool leads there. */
  | ({ readonly scheme: "postgres" } & PostgresAddress)
  /** At a server of the Durable Task protocol. The address may hold what must not be shown. */
  | { readonly scheme: "remote"; readonly address: string };

const ELSEWHERE: Readonly<Record<string, string>> = {
  dapr: "Dapr is not part of this version",
};

/**
 * Reads a task hub's URL.
 *
 * @throws InvalidArgumentError for what is no such URL, UnsupportedError for a scheme that this version cannot open.
 */
export function parseHubUrl(url: string | undefined): HubAddress {
  if (url === undefined || url === "") {
    throw new InvalidArgumentError(
      'There is no task hub URL: pass one, for example openTaskHub("sqlite:orders.db"), or set the environment variable OSTINATO_URL.',
    );
  }
  const [, scheme = "", rest = ""] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(url) ?? [];
  switch (scheme.toLowerCase()) {
    case "memory":
      if (rest !== "")
        throw new InvalidArgumentError(
          `The task hub URL ${JSON.stringify(url)} says more than "memory:". A hub in memory has no name: share the hub itself.`,
        );
      return { scheme: "memory" };
    case "sqlite":
      return sqliteAddress(url, rest);
    case "postgres":
    case "postgresql":
      return { scheme: "postgres", ...readPostgresUrl(url) };
    case "grpc":
    case "grpcs":
      return { scheme: "remote", address: url };
    default:
      if (isConnectionString(url)) return { scheme: "remote", address: url };
      throw unknown(url, scheme.toLowerCase());
  }
}

function sqliteAddress(url: string, rest: string): HubAddress {
  const mark = rest.lastIndexOf("?");
  const path = mark < 0 ? rest : rest.slice(0, mark);
  const given = new URLSearchParams(mark < 0 ? "" : rest.slice(mark + 1));
  for (const name of given.keys()) {
    if (name !== "hub")
      throw new InvalidArgumentError(
        `The task hub URL ${JSON.stringify(url)} has a part "${name}"; after the path only "?hub=name" is known.`,
      );
  }
  if (path === "")
    throw new InvalidArgumentError(`The task hub URL ${JSON.stringify(url)} names no file; write for example "sqlite:orders.db".`);
  if (path === ":memory:") throw new InvalidArgumentError('A task hub in memory is written "memory:".');
  if (path.startsWith("//")) {
    throw new InvalidArgumentError(
      `The task hub URL ${JSON.stringify(url)} has slashes that mean nothing: write "sqlite:orders.db", or "sqlite:/srv/orders.db" for an absolute path.`,
    );
  }
  const hub = given.get("hub") ?? undefined;
  if (hub === "") throw new InvalidArgumentError(`The task hub URL ${JSON.stringify(url)} has an empty hub name.`);
  return { scheme: "sqlite", path, hub };
}

/** `Endpoint=...;TaskHub=...;Authentication=...`, in any order. */
function isConnectionString(url: string): boolean {
  return /(^|;)\s*endpoint\s*=/i.test(url);
}

function unknown(url: string, scheme: string): Error {
  const elsewhere = ELSEWHERE[scheme];
  if (elsewhere !== undefined)
    return new UnsupportedError(
      `A task hub with the scheme "${scheme}:" cannot be opened: ${elsewhere}. Use "sqlite:<file>", "postgres://<host>/<database>", "memory:" or "grpc://<host>:<port>".`,
    );
  return new InvalidArgumentError(
    `The task hub URL ${JSON.stringify(withoutPassword(url))} has no scheme that is known. Write "sqlite:<file>" for a file, "postgres://<host>/<database>", "memory:", or "grpc://<host>:<port>" for a server.`,
  );
}
