// ostinato: our own worker and client, the other half of every pair.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { EnvoyCommand } from "../envoy.ts";
import { home } from "../peer.ts";

export const ourPrefix = "own";

/** Our envoy at an address. */
export function ourEnvoy(url: string): EnvoyCommand {
  return { file: process.execPath, args: [join(home, "envoys", "ostinato.ts"), url] };
}

/** What stands on the page for us. */
export function ourVersion(): string {
  const path = join(home, "..", "packages", "ostinato", "package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
