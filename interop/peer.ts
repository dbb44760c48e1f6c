// peer: software that nobody here wrote, as the stories meet it.
//
// Owns:    how a toolchain is asked for its version and a command is run to install something; where installed things are kept.
// Always:  P1 what is installed lies in a folder that git ignores, and its versions are those of peers.json.
//          P2 what cannot be had is told as Unavailable with a reason, and is no failure.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { EnvoyCommand } from "./envoy.ts";
import type { Needs } from "./story.ts";

export const home = import.meta.dirname;
const cache = join(home, "..", "node_modules", ".cache", "interop");

/** What of a peer is missing, by side and word, each with the reason. */
export type Lacks = { readonly [Side in keyof Needs]?: { readonly [Word in NonNullable<Needs[Side]>[number]]?: string } };

/** A peer that is installed. */
export interface Installed {
  /** For the page: what ran, and in which version. */
  readonly versions: Readonly<Record<string, string>>;
  envoy(address: string): EnvoyCommand;
  /** Its own server, if it has one. It says a line when it is ready. */
  server?(port: number, folder: string): EnvoyCommand & { readonly readyLine: RegExp };
}

/** Who is met, and what is known of it beforehand. */
export interface Peer {
  readonly key: string;
  readonly title: string;
  /** What its programs' names begin with. */
  readonly prefix: string;
  /** What its SDK and its server do not have: such stories are not told, and the page says why. */
  readonly lacks: Lacks;
  /** What it does in its own way: the story is told, does not hold, and the page says why. By side, then by story. */
  readonly differs?: { readonly [Side in "client" | "worker" | "server"]?: Readonly<Record<string, string>> };
  /** Stories at once; a server with few threads takes few. */
  readonly atOnce?: number;
  install(): Promise<Installed>;
}

/** A peer that cannot be had here. */
export class Unavailable extends Error {}

/** The pinned versions of a peer's packages. */
export function pinned(key: string): Readonly<Record<string, string>> {
  const all = JSON.parse(readFileSync(join(home, "peers.json"), "utf8")) as Record<string, Record<string, string>>;
  return all[key] ?? {};
}

/** A folder of its own for what is installed. */
export function cacheFolder(...parts: string[]): string {
  const folder = join(cache, ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs a command to its end and gives what it said. @throws Unavailable */
export async function run(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(file, [...args], {
      cwd: options.cwd ?? home,
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? 180_000,
      maxBuffer: 16 * 1024 * 1024,
    });
    return (stdout || stderr).trim();
  } catch (error) {
    const { stderr, stdout, code, message } = error as { stderr?: string; stdout?: string; code?: string | number; message: string };
    if (code === "ENOENT") throw new Unavailable(`${file} is not installed`);
    const said = (stderr || stdout || message).trim().split("\n").slice(-1).join(" ").slice(0, 300);
    throw new Unavailable(`${file} ${args[0] ?? ""} failed: ${withoutHosts(said)}`);
  }
}

/** Addresses of registries are nobody's business on a page. */
function withoutHosts(text: string): string {
  return text.replace(/https?:\/\/[^\s/]+/g, "a registry");
}
