// tree: the repository as tidy sees it, a map from path to text, so that every rule is a function of a value and its tests need no disk.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** Paths relative to the root, with forward slashes. */
export type Tree = ReadonlyMap<string, string>;

export interface Finding {
  readonly path: string;
  /** From 1; absent when the finding is about the whole file. */
  readonly line?: number;
  /** The name by which an exemption calls the rule. */
  readonly rule: string;
  readonly message: string;
}

const skippedFolders = new Set(["node_modules", "dist", ".git", "coverage", "generated"]);
const readAsText = /\.(?:[cm]?[jt]s|json|md|txt|sql|proto|ya?ml|html|css)$/;

export function readTree(root: string): Tree {
  const files = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) walk(path);
      } else if (entry.isFile()) {
        files.set(path, readAsText.test(entry.name) ? readFileSync(join(root, path), "utf8") : "");
      }
    }
  };
  walk("");
  return files;
}

const parsed = new WeakMap<Tree, Map<string, ts.SourceFile>>();

/** Each file is parsed once per tree. */
export function parse(tree: Tree, path: string): ts.SourceFile {
  const cache = parsed.get(tree) ?? new Map<string, ts.SourceFile>();
  parsed.set(tree, cache);
  let file = cache.get(path);
  if (!file) cache.set(path, (file = ts.createSourceFile(path, tree.get(path) ?? "", ts.ScriptTarget.ES2024, true, ts.ScriptKind.TS)));
  return file;
}

export const isCode = (path: string): boolean => /\.ts$/.test(path) && !path.endsWith(".d.ts");
export const isTest = (path: string): boolean => path.endsWith(".test.ts");
export const codeOf = (tree: Tree): string[] => [...tree.keys()].filter(isCode).sort();

export function lineOf(file: ts.SourceFile, node: ts.Node): number {
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

/** Every node of a file, parents first. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of childrenOf(node)) yield* nodesOf(child);
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}
