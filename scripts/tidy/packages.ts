// packages: what package.json and the lock file promise.
import type { Finding, Tree } from "./tree.ts";
import type { House } from "./rooms.ts";

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
}

export function packageFindings(tree: Tree, house: House): Finding[] {
  const findings: Finding[] = [];
  const folder = house.source.replace(/\/src$/, "");
  const path = `${folder}/package.json`;
  const manifest = JSON.parse(tree.get(path) ?? "{}") as Manifest;
  for (const name of Object.keys(manifest.dependencies ?? {}))
    findings.push({
      path,
      rule: "dependencies",
      message: `${manifest.name ?? folder} has no runtime dependencies, but names ${name}: write what you need of it, or match its shape`,
    });
  for (const [door, target] of Object.entries(manifest.exports ?? {})) {
    if (door === "./package.json") continue;
    if (typeof target !== "string" || !/^\.\/src\/[^/]+\.ts$/.test(target))
      findings.push({ path, rule: "doors", message: `${door} must lead to a file of src/ in the repository: packing rewrites it` });
    else if (!tree.has(`${folder}/${target.slice(2)}`))
      findings.push({ path, rule: "doors", message: `${door} leads to ${target}, which does not exist` });
  }
  const lock = "package-lock.json";
  (tree.get(lock) ?? "").split("\n").forEach((text, index) => {
    if (/"resolved":\s*"[a-z+]+:\/\//.test(text))
      findings.push({
        path: lock,
        line: index + 1,
        rule: "lock",
        message: "the lock file names a download host: run `npm install` here, where .npmrc leaves it out",
      });
  });
  return findings;
}
