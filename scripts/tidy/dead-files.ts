// dead files: a source file to which no way leads from a door, a test, an example, a script or a page.
import { codeOf, isTest } from "./tree.ts";
import type { Finding, Tree } from "./tree.ts";
import { importsOf } from "./imports.ts";

export function deadFileFindings(tree: Tree): Finding[] {
  const inSource = (path: string): boolean => /^packages\/[^/]+\/src\//.test(path);
  const isDoor = (path: string): boolean => /^packages\/[^/]+\/src\/[^/]+\.ts$/.test(path);
  const pages = [...tree].filter(([path]) => path.endsWith(".md")).map(([, text]) => text);
  const code = codeOf(tree);
  const reached = new Set<string>();
  const reach = (path: string): void => {
    if (reached.has(path) || !tree.has(path)) return;
    reached.add(path);
    for (const { target } of importsOf(tree, path)) if (target !== undefined) reach(target);
  };
  for (const path of code) {
    const shortName = path.replace(/^packages\/[^/]+\/src\//, "");
    if (!inSource(path) || isDoor(path) || isTest(path) || pages.some((text) => text.includes(shortName))) reach(path);
  }
  return code
    .filter((path) => inSource(path) && !reached.has(path))
    .map((path) => ({ path, rule: "dead", message: "nobody imports it, and it is no door and no test: remove it, or use it" }));
}
