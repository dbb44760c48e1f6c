// address: what the URL of a task hub in PostgreSQL says.
//
// Always:  pure. `hub` and `schema` are ours and are taken out; what else stands in the query is for the driver, to the letter.

import { InvalidArgumentError } from "../../contract/errors.ts";
import { given } from "../../contract/recorded-as.ts";
import { withoutPassword } from "../../contract/without-password.ts";

/** Where a task hub is: without a connection string, where somebody's pool leads. */
export interface PostgresAddress {
  /** It may hold what must not be shown. */
  readonly connectionString: string | undefined;
  readonly hub: string | undefined;
  readonly schema: string | undefined;
}

/**
 * Reads a URL whose scheme is `postgres:` or `postgresql:`.
 *
 * @throws InvalidArgumentError for one that leads nowhere, or says something twice.
 */
export function readPostgresUrl(url: string): PostgresAddress {
  const rest = url.slice(url.indexOf(":") + 1);
  const mark = rest.indexOf("?");
  const place = mark < 0 ? rest : rest.slice(0, mark);
  const ours = new Map<string, string>();
  const others: string[] = [];
  for (const part of mark < 0 ? [] : rest.slice(mark + 1).split("&")) {
    const [, name = "", value = ""] = /^(hub|schema)=(.*)$/s.exec(part) ?? [];
    if (name === "") others.push(part);
    else if (ours.has(name)) throw new InvalidArgumentError(`The task hub URL ${shown(url)} says "${name}" twice.`);
    else ours.set(name, decoded(value, url));
  }
  for (const [name, value] of ours)
    if (value === "") throw new InvalidArgumentError(`The task hub URL ${shown(url)} has an empty ${name} name.`);
  if (place !== "" && !/^\/\/\/?[^/]/.test(place))
    throw new InvalidArgumentError(
      `The task hub URL ${shown(url)} leads to no database: write "postgres://user@host:5432/database?hub=name&schema=ostinato".`,
    );
  const query = others.filter((part) => part !== "").join("&");
  return {
    connectionString: place === "" ? undefined : `postgres:${place}${query === "" ? "" : `?${query}`}`,
    hub: ours.get("hub"),
    schema: ours.get("schema"),
  };
}

/** What a connection string, and who gives it, may say. */
interface GivenAddress {
  readonly connectionString?: string | undefined;
  readonly hub?: string | undefined;
  readonly schema?: string | undefined;
}

/**
 * The same with what the URL says: a task hub's URL will do for a connection string.
 *
 * @throws InvalidArgumentError when both say a hub or a schema, and not the same.
 */
export function withPartsOfUrl<T extends GivenAddress>(asked: T): T {
  const { connectionString: url, ...rest } = asked;
  if (url === undefined || !/^postgres(?:ql)?:/i.test(url)) return asked;
  const { connectionString, ...parts } = readPostgresUrl(url);
  for (const name of ["hub", "schema"] as const)
    if (asked[name] !== undefined && parts[name] !== undefined && asked[name] !== parts[name])
      throw new InvalidArgumentError(`The URL ${shown(url)} says another ${name} than ${JSON.stringify(asked[name])}. Say one of them.`);
  return { ...rest, ...given({ ...parts, connectionString }), ...given({ hub: asked.hub, schema: asked.schema }) } as T & GivenAddress;
}

function decoded(text: string, url: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new InvalidArgumentError(`The task hub URL ${shown(url)} has a part that is not encoded as URLs are: write %25 for a %.`, {
      cause,
    });
  }
}

function shown(url: string): string {
  return JSON.stringify(withoutPassword(url));
}
