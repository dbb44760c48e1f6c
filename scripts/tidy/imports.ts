// imports: what a file asks of others, read from its syntax: static, dynamic, re-exported, in types, and by `new URL("./x.ts", import.meta.url)`.
import ts from "typescript";
import { codeOf, lineOf, nodesOf, parse } from "./tree.ts";
import type { Tree } from "./tree.ts";

export interface Import {
  readonly from: string;
  readonly specifier: string;
  /** The path in the tree that a relative specifier means, whether or not it exists. */
  readonly target?: string;
  readonly line: number;
  readonly typesOnly: boolean;
}

export function importsOf(tree: Tree, path: string): Import[] {
  const file = parse(tree, path);
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typesOnly: boolean): void => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return;
    const target = specifier.text.startsWith(".") ? { target: resolve(path, specifier.text) } : {};
    found.push({ from: path, specifier: specifier.text, line: lineOf(file, node), typesOnly, ...target });
  };
  for (const node of nodesOf(file)) {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, importsTypesOnly(node.importClause));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node)) add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node, node.arguments[0], false);
    else if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "URL") {
      const first = node.arguments?.[0];
      if (first && ts.isStringLiteralLike(first) && /^\.{1,2}\/.*\.ts$/.test(first.text)) add(node, first, false);
    }
  }
  return found;
}

export const importsOfAll = (tree: Tree): Import[] => codeOf(tree).flatMap((path) => importsOf(tree, path));

function importsTypesOnly(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  if (clause.name || !clause.namedBindings || !ts.isNamedImports(clause.namedBindings)) return false;
  return clause.namedBindings.elements.every((element) => element.isTypeOnly);
}

export function resolve(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
