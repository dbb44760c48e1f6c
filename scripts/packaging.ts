// packaging: is what we publish what a user needs? Packs, reads the tarballs, and lives with them for a moment in an empty folder.
//
//   npm run packaging [-- <package> ...]     all packages, or those named; each needs those of ours that it depends on
//
// Always:  the folder is outside the repository, and nothing is installed there but our tarballs and, packed from this repository's own
//          node_modules, what they need: first what they must have, then optional peers, and to check types @types/node.
//          The programs there run on this Node and on the other runtimes that users have, and are checked with skipLibCheck off, as Node resolves and as bundlers do.
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pack, publicPackages, readManifest } from "./pack.ts";
import type { Manifest } from "./pack.ts";
import { npm, read } from "./run-command.ts";
import { otherRuntimes } from "./runtimes.ts";

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

/** What somebody writes who serves a file, and uses it by its address. */
const wireProgram = `
import { strictEqual } from "node:assert";
import { serve } from "@ostinato/grpc";
import { activity, openTaskHub, orchestrator } from "ostinato";

const hello = activity("hello", async (ctx, name: string) => \`Hello \${name}!\`);
const greet = orchestrator("greet", async (ctx, name: string) => ctx.callActivity(hello, name));

const file = await openTaskHub("sqlite:served.db");
const server = await serve(file, { port: 0 });
const hub = await openTaskHub(\`grpc://127.0.0.1:\${server.port}\`);
const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello] });
const greeting: string = await (await hub.start(greet, "Tokyo")).result({ timeout: "30s" });
strictEqual(greeting, "Hello Tokyo!");
await worker.stop();
await hub.close();
await server.close();
await file.close();
console.log("grpc:", greeting);
`;

/** What somebody with a linter writes on the first evening: a configuration, and an orchestrator that it has to refuse. */
const lintConfig = `
import ostinato from "eslint-plugin-ostinato";

export default [ostinato.configs.recommended];
`;
const mistaken = `
import { orchestrator } from "ostinato";

export const stamp = orchestrator("stamp", async (ctx) => Date.now());
`;

interface PackedFile {
  readonly path: string;
  readonly size: number;
}

async function contentsOf(tarball: string, { files: promised = [] }: Manifest): Promise<void> {
  const [described] = JSON.parse(await npm(["pack", "--dry-run", "--json", tarball], root)) as {
    files: PackedFile[];
    unpackedSize: number;
  }[];
  const { size } = await stat(tarball);
  const files = [...(described?.files ?? [])].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const file of files) console.log(`${String(file.size).padStart(9)}  ${file.path}`);
  console.log(`${String(described?.unpackedSize ?? 0).padStart(9)}  in ${files.length} files, ${size} packed`);
  const isPage = (path: string): boolean => promised.includes("docs") && /^docs\/.+\.md$/.test(path);
  const isSource = (path: string): boolean => promised.includes("proto") && /^proto\/.+\.proto$/.test(path);
  const isOfUse = (path: string): boolean =>
    /^(?:dist\/.+\.(?:js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path) && !path.includes(".test.");
  const strays = files.filter(({ path }) => !isOfUse(path) && !isPage(path) && !isSource(path));
  const missing = ["README.md", "LICENSE", "CHANGELOG.md"].filter((name) => !files.some(({ path }) => path === name));
  if (missing.length > 0) throw new Error(`not packed: ${missing.join(", ")}`);
  if (strays.length > 0) throw new Error(`packed, but of no use to a user: ${strays.map(({ path }) => path).join(", ")}`);
}

async function lint(name: string, tarball: string): Promise<void> {
  const bytes = await readFile(tarball);
  const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer }, strict: true });
  for (const message of messages) console.log(`publint: ${message.type}: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
  if (messages.some(({ type }) => type !== "suggestion")) throw new Error(`publint has complaints about ${name}`);
  console.log("publint: nothing to complain about");
}

/** Packages by name with their folders here, and all that they need in turn. */
async function withDependencies(names: Iterable<string>, found = new Map<string, string>()): Promise<ReadonlyMap<string, string>> {
  for (const name of names) {
    if (found.has(name)) continue;
    const folder = join(root, "node_modules", name);
    if (!existsSync(folder)) throw new Error(`${name} is not installed here: \`npm install\` first`);
    found.set(name, folder);
    await withDependencies(Object.keys((await readManifest(folder)).dependencies ?? {}), found);
  }
  return found;
}

/** Tarballs of other people's packages that ours name, with what those need, from this repository's node_modules. */
async function packForeign(names: Iterable<string>, into: string): Promise<string[]> {
  const tarballs: string[] = [];
  for (const folder of (await withDependencies(names)).values()) {
    const [packed] = JSON.parse(await npm(["pack", "--json", "--ignore-scripts", "--pack-destination", into, folder], root)) as {
      filename: string;
    }[];
    if (packed) tarballs.push(join(into, packed.filename));
  }
  return tarballs;
}

/** Peers come when somebody wants what they are for; ESLint is run from here. */
const install = (folder: string, tarballs: readonly string[]): Promise<string> =>
  npm(["install", "--no-audit", "--no-fund", "--no-package-lock", "--legacy-peer-deps", ...tarballs], folder);

interface Packed {
  readonly manifest: Manifest;
  readonly tarball: string;
}

async function liveWith(packages: readonly Packed[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ostinato-user-"));
  const foreign = await mkdtemp(join(tmpdir(), "ostinato-foreign-"));
  const names = packages.map(({ manifest }) => manifest.name);
  try {
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
    const needed = packages.flatMap(({ manifest }) => Object.keys(manifest.dependencies ?? {})).filter((name) => !names.includes(name));
    await install(folder, [...packages.map(({ tarball }) => tarball), ...(await packForeign(needed, foreign))]);
    await writeFile(join(folder, "main.ts"), program);
    await runProgram(folder, "main.ts", names);
    await runElsewhere(folder, "main.ts");
    if (names.includes("@ostinato/grpc")) {
      await writeFile(join(folder, "wire.ts"), wireProgram);
      await runProgram(folder, "wire.ts", names);
      await runElsewhere(folder, "wire.ts", (name) => name.startsWith("Node"));
    }
    for (const { manifest } of packages) await runCommands(folder, manifest);
    if (names.includes("eslint-plugin-ostinato")) await runLinter(folder);

    const peers = packages.flatMap(({ manifest }) => Object.keys(manifest.peerDependencies ?? {})).filter((name) => !names.includes(name));
    // A credential of a cloud that is not here is nothing to try.
    const optional = peers.filter((name) => name !== "eslint" && name !== "@azure/identity");
    if (optional.length > 0) await install(folder, await packForeign(optional, foreign));
    const doors = packages.flatMap(({ manifest }) =>
      Object.entries(manifest.exports ?? {}).flatMap(([door, target]) =>
        target.endsWith(".ts") ? `${manifest.name}${door.slice(1)}` : [],
      ),
    );
    await writeFile(
      join(folder, "doors.ts"),
      doors
        .map(
          (door, index) =>
            `import * as door${index} from "${door}";\nif (Object.keys(door${index}).length === 0) console.log("${door} shows types only");\n`,
        )
        .join(""),
    );
    await runProgram(folder, "doors.ts", [...names, ...optional]);
    await checkTypes(folder, names);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(foreign, { recursive: true, force: true });
  }
}

async function runProgram(folder: string, file: string, names: readonly string[]): Promise<void> {
  process.stdout.write(await read(process.execPath, [file], { cwd: folder }));
  console.log(`runs: ${file} with ${names.join(", ")} on Node ${process.versions.node}`);
}

/** The same program on the other runtimes that users have. */
async function runElsewhere(folder: string, file: string, isWanted: (name: string) => boolean = () => true): Promise<void> {
  const { runtimes, missing } = await otherRuntimes();
  for (const {
    name,
    command: [binary, ...args],
  } of runtimes) {
    if (!isWanted(name)) continue;
    for (const leftover of ["orders", "served"].flatMap((name) => [`${name}.db`, `${name}.db-wal`, `${name}.db-shm`, `${name}.db-lock`]))
      await rm(join(folder, leftover), { force: true });
    await read(binary, [...args, file], { cwd: folder, timeoutMs: 60_000 }).catch((error: unknown) => {
      throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    });
    console.log(`runs: ${file} on ${name}`);
  }
  for (const reason of missing) console.log(`not tried: ${reason}`);
}

async function runCommands(folder: string, { name, bin = {} }: Manifest): Promise<void> {
  const installed = join(folder, "node_modules", name);
  const { bin: packed = {} } = await readManifest(installed);
  for (const command of Object.keys(bin)) {
    const help = await read(process.execPath, [join(installed, packed[command] ?? ""), "--help"], { cwd: folder });
    if (!help.includes(command)) throw new Error(`${command} --help says nothing of itself:\n${help}`);
    if (!existsSync(join(folder, "node_modules/.bin", process.platform === "win32" ? `${command}.cmd` : command)))
      throw new Error(`npm did not install the command ${command}`);
    console.log(`runs: ${command} --help of ${name}`);
  }
}

/** ESLint is this repository's; the plugin is the one that was packed. */
async function runLinter(folder: string): Promise<void> {
  await writeFile(join(folder, "eslint.config.js"), lintConfig);
  await writeFile(join(folder, "mistaken.js"), mistaken);
  const said = await read(process.execPath, [join(root, "node_modules/eslint/bin/eslint.js"), "mistaken.js"], { cwd: folder }).then(
    () => "nothing",
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  if (!said.includes("ostinato/no-clock"))
    throw new Error(`the packed plugin did not find the clock in an orchestrator, but said:\n${said}`);
  console.log("runs: eslint with eslint-plugin-ostinato");
}

async function checkTypes(folder: string, names: readonly string[]): Promise<void> {
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
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["main.ts", "doors.ts", ...(names.includes("@ostinato/grpc") ? ["wire.ts"] : [])] }),
    );
    await read(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", folder, "--pretty", "false"], {
      cwd: folder,
    }).catch((error: unknown) => {
      throw new Error(`types, as ${resolution.moduleResolution} resolves them: ${error instanceof Error ? error.message : String(error)}`);
    });
    console.log(`types: right, as ${resolution.moduleResolution} resolves them`);
  }
}

const into = await mkdtemp(join(tmpdir(), "ostinato-tarballs-"));
try {
  const packages: Packed[] = [];
  const named = process.argv.slice(2);
  for (const folder of await publicPackages()) {
    const manifest = await readManifest(folder);
    if (named.length > 0 && !named.includes(manifest.name)) continue;
    console.log(`\n${manifest.name} ${manifest.version}`);
    const tarball = await pack(folder, into);
    await contentsOf(tarball, manifest);
    await lint(manifest.name, tarball);
    packages.push({ manifest, tarball });
  }
  await liveWith(packages);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await rm(into, { recursive: true, force: true });
}
