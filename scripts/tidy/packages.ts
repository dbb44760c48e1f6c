// packages: what package.json and the lock file promise.
import type { Finding, Tree } from "./tree.ts";
import type { House } from "./rooms.ts";

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly private?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, unknown>>;
}

interface Package {
  readonly folder: string;
  readonly path: string;
  readonly manifest: Manifest;
}

/** Packages of ours that may need others at run time: what a program is built on needs none, and neither does what reads its source. */
const mayDepend = new Set(["@ostinato/cli", "@ostinato/grpc"]);

export function packageFindings(tree: Tree, _house: House): Finding[] {
  const packages = publishedIn(tree);
  return [
    ...packages.flatMap((each) => [...dependencyFindings(each, packages), ...doorFindings(tree, each)]),
    ...releaseFindings(tree, packages),
    ...lockFindings(tree),
  ];
}

function publishedIn(tree: Tree): Package[] {
  return [...tree].flatMap(([path, text]) => {
    const [, folder] = /^(packages\/[^/]+)\/package\.json$/.exec(path) ?? [];
    if (folder === undefined) return [];
    const manifest = JSON.parse(text) as Manifest;
    return manifest.private ? [] : [{ folder, path, manifest }];
  });
}

function dependencyFindings({ folder, path, manifest }: Package, packages: readonly Package[]): Finding[] {
  const own = manifest.name ?? folder;
  return Object.entries(manifest.dependencies ?? {}).flatMap(([name, version]) => {
    const say = (message: string): Finding[] => [{ path, rule: "dependencies", message }];
    if (!mayDepend.has(own))
      return say(`${own} has no runtime dependencies, but names ${name}: write what you need of it, or match its shape`);
    const ours = packages.find((each) => each.manifest.name === name)?.manifest;
    if (ours !== undefined)
      return ours.version === version
        ? []
        : say(`${own} needs ${name} ${version}: all packages share one version, so write ${ours.version ?? "that one"}`);
    return /^\d+\.\d+\.\d+$/.test(version) ? [] : say(`${own} needs ${name} ${version}: name one exact version`);
  });
}

function doorFindings(tree: Tree, { folder, path, manifest }: Package): Finding[] {
  const entries = [...Object.entries(manifest.exports ?? {}), ...Object.entries(manifest.bin ?? {})];
  return entries.flatMap(([door, target]) => {
    if (door === "./package.json") return [];
    const say = (message: string): Finding[] => [{ path, rule: "doors", message }];
    if (typeof target !== "string" || !/^\.\/src\/[^/]+\.ts$/.test(target))
      return say(`${door} must lead to a file of src/ in the repository: packing rewrites it`);
    return tree.has(`${folder}/${target.slice(2)}`) ? [] : say(`${door} leads to ${target}, which does not exist`);
  });
}

/** All packages are released together, under one version. */
function releaseFindings(tree: Tree, packages: readonly Package[]): Finding[] {
  const path = ".changeset/config.json";
  const text = tree.get(path);
  if (text === undefined) return [];
  const { fixed = [] } = JSON.parse(text) as { readonly fixed?: readonly (readonly string[])[] };
  return packages
    .flatMap(({ manifest }) => manifest.name ?? [])
    .filter((name) => !fixed[0]?.includes(name))
    .map((name) => ({ path, rule: "release", message: `${name} is missing in the fixed group: all packages share one version` }));
}

function lockFindings(tree: Tree): Finding[] {
  const path = "package-lock.json";
  return (tree.get(path) ?? "").split("\n").flatMap((text, index) =>
    /"resolved":\s*"[a-z+]+:\/\//.test(text)
      ? [
          {
            path,
            line: index + 1,
            rule: "lock",
            message: "the lock file names a download host: run `npm install` here, where .npmrc leaves it out",
          },
        ]
      : [],
  );
}
