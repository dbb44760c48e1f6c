// victim-hub: the hub of a victim: by its public door, or put together by hand where the public door has no word for what is asked.
import { openTaskHub } from "ostinato";
import type { Hub } from "ostinato";
import { openSqliteStore } from "ostinato/sqlite";
import { hubOver } from "./hub-over.ts";
import type { VictimOptions } from "./victim.ts";

/** Claims that came to nothing until an instance or activity is set aside: here processes die for a living, and nothing of it is anybody's poison. */
export const MAX_CLAIMS = 1_000;

/** Opens the hub. */
export async function openVictimHub(options: VictimOptions, said: (level: string, message: string) => void): Promise<Hub> {
  const say =
    (level: string) =>
    (message: string, fields?: unknown): void =>
      said(level, fields === undefined ? message : `${message} ${JSON.stringify(fields, asText)}`);
  const log = { debug: () => undefined, info: () => undefined, warn: say("warn"), error: say("error") };
  if (options.walPages === undefined) {
    const body = options.body === undefined ? {} : { sqliteBody: options.body };
    return openTaskHub(`sqlite:${options.file}`, { log, limits: { maxClaims: MAX_CLAIMS }, ...body });
  }
  const store = openSqliteStore({ path: options.file, walPages: options.walPages, body: options.body ?? "thread" });
  return hubOver(store, { log, maxClaims: MAX_CLAIMS });
}

function asText(_key: string, value: unknown): unknown {
  return value instanceof Error ? `${value.name}: ${value.message}` : value;
}
