// planted: bugs that are put into a copy of the product on purpose. A checker that does not find them is blind.
//
// Owns:    how a patch is applied, and what counts as found: a violation of an invariant that the patch names.
// Always:  PB1 the tree itself is never touched: a patch is applied to a copy, in a folder that goes.
//          PB2 the engine's own assertions (engine/invariants.ts) are switched off in the copy: the checker must find the bug alone.
//          PB3 a patch that no longer fits is an error, and says where.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const patches = join(root, "reliability", "planted-bugs");
/** In so many seeds each bug must be found. */
const SEEDS = 400;

/** A bug to plant. */
export interface Patch {
  readonly name: string;
  readonly about: string;
  /** It is looked for in worlds that have a wire. */
  readonly throughGrpc: boolean;
  /** Any of these invariants is a fitting name for it. */
  readonly finds: readonly string[];
  readonly hunks: readonly { readonly path: string; readonly line: number; readonly before: string; readonly after: string }[];
}

/** Reads a patch: lines with `#` tell of it, the rest is a unified diff. */
export function readPatch(name: string, text: string): Patch {
  const hunks: { path: string; line: number; before: string; after: string }[] = [];
  const notes: string[] = [];
  let path = "";
  for (const line of text.split("\n")) {
    const hunk = hunks.at(-1);
    if (line.startsWith("# ")) notes.push(line.slice(2));
    else if (line.startsWith("+++ b/")) path = line.slice("+++ b/".length).trim();
    else if (line.startsWith("--- ")) path = "";
    else if (line.startsWith("@@")) hunks.push({ path, line: Number(/-(\d+)/.exec(line)?.[1] ?? 0), before: "", after: "" });
    else if (hunk !== undefined && line !== "") {
      if (line[0] !== "+") hunk.before += `${line.slice(1)}\n`;
      if (line[0] !== "-") hunk.after += `${line.slice(1)}\n`;
    }
  }
  const finds = notes.find((note) => note.startsWith("finds: "));
  const throughGrpc = notes.includes("through: grpc");
  return { name, about: notes[0] ?? "", throughGrpc, finds: finds?.slice("finds: ".length).split(" ") ?? [], hunks };
}

/** A text with a hunk applied. @throws when what it changes is not there, or is there more than once. */
export function applyHunk(text: string, patch: string, { path, line, before, after }: Patch["hunks"][number]): string {
  const parts = text.split(before);
  if (parts.length !== 2)
    throw new Error(
      `The planted bug '${patch}' no longer fits: what it changes at line ${line} of ${path} is there ${parts.length - 1} times. Write the patch anew.`,
    );
  return parts.join(after);
}

/** All patches. */
export function allPatches(): Patch[] {
  return readdirSync(patches)
    .filter((file) => file.endsWith(".patch"))
    .sort()
    .map((file) => readPatch(file.slice(0, -".patch".length), readFileSync(join(patches, file), "utf8")));
}

/** A copy of the product and of this proof with a bug in it. */
function plant(patch: Patch): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-planted-"));
  const skipped = (path: string): boolean => !/\.test\.ts$/.test(path);
  for (const part of ["packages/ostinato/src", "packages/grpc/src", "reliability/checker", "reliability/simulation"])
    cpSync(join(root, part), join(folder, part), { recursive: true, filter: skipped });
  for (const file of ["package.json", "packages/ostinato/package.json", "packages/grpc/package.json", "reliability/package.json"])
    cpSync(join(root, file), join(folder, file));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(join("..", "packages", "ostinato"), join(folder, "node_modules", "ostinato"), "junction");
  symlinkSync(join(root, "node_modules", "@bufbuild"), join(folder, "node_modules", "@bufbuild"), "junction");
  for (const hunk of patch.hunks) {
    const path = join(folder, hunk.path);
    writeFileSync(path, applyHunk(readFileSync(path, "utf8"), patch.name, hunk));
  }
  const assertions = join(folder, "packages/ostinato/src/engine/invariants.ts");
  const off = readFileSync(assertions, "utf8").replaceAll(
    /^(export function check(?:Commit|Claim)\([^)]*\): string \| undefined \{)$/gm,
    "$1\n  if (Date.now() > 0) return undefined;",
  );
  writeFileSync(assertions, off);
  return folder;
}

/** Plants each bug (or one), and looks for it. Whether all were found. */
export function findPlanted(only?: string): boolean {
  const results: number[] = [];
  let blind = 0;
  for (const patch of allPatches()) {
    if (only !== undefined && patch.name !== only) continue;
    const folder = plant(patch);
    try {
      const began = Date.now();
      const main = join(folder, "reliability/simulation/main.ts");
      const draw = patch.throughGrpc ? ["--through", "grpc"] : [];
      const run = spawnSync(process.execPath, [main, "--until-found", "--seeds", `${SEEDS}`, ...draw], {
        encoding: "utf8",
        cwd: folder,
        timeout: 600_000,
      });
      const line = run.stdout.trim().split("\n").at(-1) ?? "";
      if (!line.startsWith("{"))
        throw new Error(`The run with the planted bug '${patch.name}' ended without a verdict: ${run.stderr.slice(0, 2_000)}`);
      const { seeds, invariants, first } = JSON.parse(line) as { seeds: number; invariants: string[]; first?: string };
      const fitting = invariants.filter((invariant) => patch.finds.includes(invariant));
      const took = `${((Date.now() - began) / 1_000).toFixed(1)} s`;
      if (fitting.length > 0) results.push(seeds);
      else blind++;
      const verdict =
        fitting.length > 0
          ? `found after ${seeds} seeds by ${fitting.join(", ")}`
          : invariants.length > 0
            ? `seen as ${invariants.join(", ")} alone: the wrong name`
            : `NOT FOUND in ${seeds} seeds`;
      console.log(`${patch.name}: ${verdict} (${took})\n    ${patch.about}\n    ${first ?? ""}`.trimEnd());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  results.sort((a, b) => a - b);
  const median = results[Math.floor(results.length / 2)];
  console.log(
    `\n${results.length} planted bugs found, ${blind} not; seeds until one is found: median ${median ?? "none"}, most ${results.at(-1) ?? "none"}`,
  );
  return blind === 0 && results.length > 0;
}
