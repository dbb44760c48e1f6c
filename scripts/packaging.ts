// packaging: is what we publish what a user needs? Packs, reads the tarball, and lives with it for a moment in an empty folder.
//
// Always:  the folder is outside the repository, and nothing is installed there but the tarball (and, to check types, @types/node).
//          The program there runs on this Node, and is checked with skipLibCheck off, as Node resolves and as bundlers do.
import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pack, publicPackages, readManifest } from "./pack.ts";
import { npm, read } from "./run-command.ts";

const root = join(import.meta.dirname, "..");

/** What a user of `ostinato` writes on the first evening, on memory and on a file. */
const program = `
import { strictEqual } from "node:assert";
import { activity, openTaskHub, orchestrator } from "ostinato";

const hello = activity("hello", async (ctx, name: string) => \`Hello \${name}!\`);
const greet = orchestrator("greet", async (ctx, name: string) => {
  const greeting = await ctx.callActivity(hello, name);
  return [greeting];
});

for (const url of ["memory:", "sqlite:orders.db"]) {
  const hub = await openTaskHub(url);
  const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello] });
  const instance = await hub.start(greet, "Tokyo");
  const result: string[] = await instance.result({ timeout: "30s" });
  strictEqual(result[0], "Hello Tokyo!");
  await worker.stop();
  await hub.close();
  console.log(url, result[0]);
}
`;

interface PackedFile {
  readonly path: string;
  readonly size: number;
}

async function contentsOf(tarball: string): Promise<void> {
  const [described] = JSON.parse(await npm(["pack", "--dry-run", "--json", tarball], root)) as {
    files: PackedFile[];
    unpackedSize: number;
  }[];
  const { size } = await stat(tarball);
  const files = [...(described?.files ?? [])].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const file of files) console.log(`${String(file.size).padStart(9)}  ${file.path}`);
  console.log(`${String(described?.unpackedSize ?? 0).padStart(9)}  in ${files.length} files, ${size} packed`);
  const strays = files.filter(
    ({ path }) => !/^(?:dist\/.+\.(?:js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path) || path.includes(".test."),
  );
  if (strays.length > 0) throw new Error(`packed, but of no use to a user: ${strays.map(({ path }) => path).join(", ")}`);
}

async function lint(name: string, tarball: string): Promise<void> {
  const bytes = await readFile(tarball);
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
  for (const message of messages) console.log(`publint: ${message.type}: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
  if (messages.some(({ type }) => type !== "suggestion")) throw new Error(`publint has complaints about ${name}`);
  console.log("publint: nothing to complain about");
}

async function liveWith(names: readonly string[], tarballs: readonly string[], doors: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ostinato-user-"));
  try {
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
    await npm(["install", "--no-audit", "--no-fund", "--no-package-lock", ...tarballs], folder);
    await writeFile(join(folder, "main.ts"), program);
    await writeFile(
      join(folder, "doors.ts"),
      doors
        .map(
          (door, index) =>
            `import * as door${index} from "${door}";\nif (Object.keys(door${index}).length === 0) console.log("${door} shows types only");\n`,
        )
        .join(""),
    );
    for (const file of ["main.ts", "doors.ts"]) {
      process.stdout.write(await read(process.execPath, [file], { cwd: folder }));
      console.log(`runs: ${file} with ${names.join(", ")} on Node ${process.versions.node}`);
    }
    for (const types of ["@types/node", "undici-types"])
      await cp(join(root, "node_modules", types), join(folder, "node_modules", types), { recursive: true });
    for (const resolution of [
      { module: "nodenext", moduleResolution: "nodenext" },
      { module: "esnext", moduleResolution: "bundler" },
    ]) {
      const compilerOptions = {
        ...resolution,
        target: "es2024",
        lib: ["es2024"],
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
      };
      await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["main.ts", "doors.ts"] }));
      await read(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", folder, "--pretty", "false"], {
        cwd: folder,
      }).catch((error: unknown) => {
        throw new Error(
          `types, as ${resolution.moduleResolution} resolves them: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
      console.log(`types: right, as ${resolution.moduleResolution} resolves them`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const into = await mkdtemp(join(tmpdir(), "ostinato-tarballs-"));
try {
  const names: string[] = [];
  const tarballs: string[] = [];
  const doors: string[] = [];
  for (const folder of await publicPackages()) {
    const manifest = await readManifest(folder);
    console.log(`\n${manifest.name} ${manifest.version}`);
    const tarball = await pack(folder, into);
    await contentsOf(tarball);
    await lint(manifest.name, tarball);
    names.push(manifest.name);
    tarballs.push(tarball);
    for (const [door, target] of Object.entries(manifest.exports ?? {}))
      if (target.endsWith(".ts")) doors.push(`${manifest.name}${door.slice(1)}`);
  }
  await liveWith(names, tarballs, doors);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(into, { recursive: true, force: true });
}
