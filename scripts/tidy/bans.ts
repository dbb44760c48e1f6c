// bans: words that have a home, found as free names in the syntax, never by searching text.
//
// Always:  a name that the file declares itself (a parameter `process`, say) is not the world's.
//          A type, a property `x.setTimeout` and a key `{ process: 1 }` are not the world's either.
import ts from "typescript";
import { codeOf, isTest, lineOf, nodesOf, parse } from "./tree.ts";
import type { Finding, Tree } from "./tree.ts";
import { importsOf } from "./imports.ts";
import { placeOf } from "./rooms.ts";
import type { House } from "./rooms.ts";

const names: Readonly<Record<string, string>> = {
  setTimeout: "timers",
  setInterval: "timers",
  setImmediate: "timers",
  performance: "timers",
  crypto: "random",
  process: "process",
  console: "console",
  fetch: "network",
  WebSocket: "network",
  EventSource: "network",
};
/** `Math` and `AbortSignal` are fine; these properties of them are not. */
const members: Readonly<Record<string, string>> = { "Math.random": "random", "AbortSignal.timeout": "timers" };
const modules: Readonly<Record<string, string>> = { "node:timers": "timers", "node:timers/promises": "timers" };

export function banFindings(tree: Tree, house: House): Finding[] {
  const findings: Finding[] = [];
  for (const path of codeOf(tree)) {
    const place = placeOf(house, path);
    if (place.kind === "outside") continue;
    const room = place.kind === "room" ? place.room : "the entry files";
    const say = (rule: string, line: number, name: string): void => {
      const ban = house.bans[rule];
      if (!ban) return;
      if (isTest(path)) {
        if (ban.inTests !== undefined) findings.push({ path, line, rule, message: `${name} in a test: ${ban.inTests}` });
      } else if (!ban.allowedIn.includes(room)) {
        findings.push({ path, line, rule, message: `${room} may not name ${name}: ${ban.instead}` });
      }
    };
    for (const used of worldNamesOf(parse(tree, path))) say(used.rule, used.line, used.name);
    for (const wanted of importsOf(tree, path)) {
      if (!wanted.specifier.startsWith("node:")) continue;
      if (house.bans["node"]?.exceptions?.[room]?.includes(wanted.specifier)) continue;
      say(modules[wanted.specifier] ?? "node", wanted.line, wanted.specifier);
    }
  }
  return findings;
}

function* worldNamesOf(file: ts.SourceFile): Generator<{ rule: string; name: string; line: number }> {
  const own = namesDeclaredIn(file);
  for (const node of nodesOf(file)) {
    if (!ts.isIdentifier(node)) continue;
    const line = lineOf(file, node);
    if (isMemberOfGlobalThis(node) ? true : isFree(node) && !own.has(node.text)) {
      const rule = names[node.text];
      if (rule !== undefined) yield { rule, name: node.text, line };
      else if (node.text === "Date" && readsTheClock(node)) yield { rule: "date", name: "the clock by Date", line };
      else if (ts.isPropertyAccessExpression(node.parent) && node.parent.expression === node) {
        const member = `${node.text}.${node.parent.name.text}`;
        const ban = members[member];
        if (ban !== undefined) yield { rule: ban, name: member, line };
      }
    }
  }
}

function isMemberOfGlobalThis(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    ts.isPropertyAccessExpression(parent) &&
    parent.name === node &&
    ts.isIdentifier(parent.expression) &&
    parent.expression.text === "globalThis"
  );
}

/** A name that stands for a value of its surroundings: no property, key, label, declaration or type. */
function isFree(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  if (ts.isBindingElement(parent)) return parent.initializer === node;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if (ts.isTypeNode(parent) && !ts.isExpressionWithTypeArguments(parent)) return false;
  if (ts.isQualifiedName(parent)) return false;
  return !("name" in parent && parent.name === node);
}

/** `Date` as such is a value type of payloads; only asking it for the present is asking the world. */
function readsTheClock(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isNewExpression(parent) && parent.expression === node) return (parent.arguments?.length ?? 0) === 0;
  if (ts.isPropertyAccessExpression(parent) && parent.expression === node) return parent.name.text === "now";
  if (ts.isCallExpression(parent)) return parent.expression === node;
  return false;
}

function namesDeclaredIn(file: ts.SourceFile): Set<string> {
  const own = new Set<string>();
  for (const node of nodesOf(file)) {
    const declares =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isImportClause(node) ||
      ts.isNamespaceImport(node);
    if (declares && node.name && ts.isIdentifier(node.name)) own.add(node.name.text);
  }
  return own;
}
