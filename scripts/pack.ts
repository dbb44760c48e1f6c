// pack: from the repository, where doors lead to src/*.ts, to a tarball, where the same doors lead to dist/*.js and .d.ts.
//
//   npm run pack [-- <folder>]     every public package as a tarball in <folder> (default: here), from a copy; the work tree is not touched
//   pack.ts open | close           what `npm pack` and `npm publish` run before and after, in the package's own folder
//
// Owns:    the packed package.json; which files beside dist are packed.
// Always:  P1 dist mirrors src: tsc alone, no bundler; tests stay out. A package that needs another one of ours is compiled against that one's
//             declarations, as its user will see them.
//          P2 `close` leaves everything as `open` found it; an `open` that finds an interrupted one puts it right first.
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { npm, read } from "./run-command.ts";

const root = join(import.meta.dirname, "..");

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest;
}

/** The folders of packages that are published. */
export async function publicPackages(): Promise<string[]> {
  const folders: string[] = [];
  for (const name of (await readdir(join(root, "packages"))).sort()) {
    const folder = join(root, "packages", name);
    if (existsSync(join(folder, "package.json")) && !(await readManifest(folder)).private) folders.push(folder);
  }
  return folders;
}

/** What tsc makes of a file of src, without its ending. */
function builtFrom(target: string): string | undefined {
  const [, path] = /^\.\/src\/(.+)\.ts$/.exec(target) ?? [];
  return path === undefined ? undefined : `./dist/${path}`;
}

/** The same doors and commands, at what tsc made of them; nothing in it is about developing. */
export function packedManifest(manifest: Manifest): object {
  const {
    scripts: _scripts,
    devDependencies: _devDependencies,
    ...kept
  } = manifest as Manifest & { scripts?: unknown; devDependencies?: unknown };
  const doors = Object.entries(manifest.exports ?? {}).map(([door, target]) => {
    const built = builtFrom(target);
    return [door, built === undefined ? target : { types: `${built}.d.ts`, default: `${built}.js` }] as const;
  });
  const commands = Object.entries(manifest.bin ?? {}).map(([name, target]) => {
    const built = builtFrom(target);
    return [name, built === undefined ? target : `${built.slice(2)}.js`] as const;
  });
  return {
    ...kept,
    exports: Object.fromEntries(doors),
    ...(commands.length > 0 ? { bin: Object.fromEntries(commands) } : {}),
  };
}

async function buildInto(folder: string, dist: string): Promise<void> {
  await rm(dist, { recursive: true, force: true });
  const place = await mkdtemp(join(tmpdir(), "ostinato-build-"));
  try {
    const paths: Record<string, readonly string[]> = {};
    for (const needed of await ownDependencies(folder)) {
      const { name, exports = {} } = await readManifest(needed);
      const declarations = join(place, name);
      await compile(needed, ["--project", "tsconfig.build.json", "--outDir", declarations, "--emitDeclarationOnly"]);
      for (const [door, target] of Object.entries(exports)) {
        const built = builtFrom(target);
        if (built !== undefined) paths[`${name}${door.slice(1)}`] = [join(declarations, `${built.slice("./dist/".length)}.d.ts`)];
      }
    }
    const project = join(place, "tsconfig.json");
    const compilerOptions = { rootDir: join(folder, "src"), outDir: dist, paths, typeRoots: [join(root, "node_modules/@types")] };
    const files = { include: [join(folder, "src/**/*.ts")], exclude: [join(folder, "src/**/*.test.ts")] };
    await writeFile(project, JSON.stringify({ extends: join(folder, "tsconfig.build.json"), compilerOptions, ...files }));
    await compile(folder, ["--project", project]);
    await copyGenerated(join(folder, "src"), dist);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Generated files are JavaScript and its declarations already: the compiler reads them, and leaves them where they are. */
async function copyGenerated(src: string, dist: string): Promise<void> {
  for (const path of await readdir(src, { recursive: true })) {
    if (path.endsWith(".js") || path.endsWith(".d.ts")) await cp(join(src, path), join(dist, path));
  }
}

async function compile(folder: string, args: readonly string[]): Promise<void> {
  await read(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...args, "--pretty", "false"], { cwd: folder });
}

/** The folders of the packages of ours that a package needs. */
async function ownDependencies(folder: string): Promise<string[]> {
  const needed = Object.keys((await readManifest(folder)).dependencies ?? {});
  const folders: string[] = [];
  for (const each of await publicPackages()) if (needed.includes((await readManifest(each)).name)) folders.push(each);
  return folders;
}

/** Pages that a package without its own takes from the repository: all packages share one version, and so one changelog. */
function borrowedPages(folder: string): string[] {
  return ["README.md", "LICENSE", "CHANGELOG.md"].filter((name) => !existsSync(join(folder, name)) && existsSync(join(root, name)));
}

/** Packs a copy and gives the tarball's path. */
export async function pack(folder: string, into: string): Promise<string> {
  const stage = await mkdtemp(join(tmpdir(), "ostinato-pack-"));
  try {
    await buildInto(folder, join(stage, "dist"));
    const manifest = await readManifest(folder);
    const borrowed = borrowedPages(folder);
    for (const name of manifest.files ?? []) {
      const source = join(borrowed.includes(name) ? root : folder, name);
      if (name !== "dist" && existsSync(source)) await cp(source, join(stage, name), { recursive: true });
    }
    await writeFile(join(stage, "package.json"), `${JSON.stringify(packedManifest(manifest), null, 2)}\n`);
    await mkdir(into, { recursive: true });
    const [packed] = JSON.parse(await npm(["pack", "--json", "--ignore-scripts", "--pack-destination", into], stage)) as {
      filename: string;
    }[];
    if (!packed) throw new Error(`npm pack said nothing about ${folder}`);
    return join(into, packed.filename);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

const remembered = ".packing.json";

async function open(folder: string): Promise<void> {
  await close(folder);
  const manifest = await readFile(join(folder, "package.json"), "utf8");
  const pages = borrowedPages(folder);
  await writeFile(join(folder, remembered), JSON.stringify({ manifest, pages }));
  await buildInto(folder, join(folder, "dist"));
  for (const name of pages) await cp(join(root, name), join(folder, name));
  await writeFile(join(folder, "package.json"), `${JSON.stringify(packedManifest(JSON.parse(manifest) as Manifest), null, 2)}\n`);
}

async function close(folder: string): Promise<void> {
  const note = join(folder, remembered);
  if (!existsSync(note)) return;
  const { manifest, pages } = JSON.parse(await readFile(note, "utf8")) as { manifest: string; pages: string[] };
  await writeFile(join(folder, "package.json"), manifest);
  for (const name of [...pages, "dist"]) await rm(join(folder, name), { recursive: true, force: true });
  await rm(note);
}

if (process.argv[1] === import.meta.filename) {
  const [asked = "."] = process.argv.slice(2);
  if (asked === "open" || asked === "close") {
    await (asked === "open" ? open : close)(process.cwd()).catch(async (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      if (asked === "open") await close(process.cwd());
      process.exitCode = 1;
    });
  } else {
    for (const folder of await publicPackages()) console.log(await pack(folder, resolve(asked)));
  }
}
