// shape: what a file may look like: its name, the card on its door, and the forms of the language that we leave out.
import ts from "typescript";
import { codeOf, isTest, lineOf, parse } from "./tree.ts";
import type { Finding, Tree } from "./tree.ts";
import { placeOf } from "./rooms.ts";
import type { House } from "./rooms.ts";

const emptyWords = new Set(["util", "utils", "helper", "helpers", "common", "types", "base", "manager"]);
/** From this many lines on, a reader wants to be told what a file is about. */
const cardFrom = 60;

export function shapeFindings(tree: Tree, house: House): Finding[] {
  const findings: Finding[] = [];
  for (const path of codeOf(tree)) {
    const file = parse(tree, path);
    const text = tree.get(path) ?? "";
    const word = path
      .replace(/(?:\.types)?\.test\.ts$/, "")
      .split(/[/.\-_]/)
      .find((part) => emptyWords.has(part.toLowerCase()));
    if (word !== undefined) findings.push({ path, rule: "names", message: `"${word}" in a name says nothing: name the idea` });
    const length = text.split("\n").length - 1;
    if (placeOf(house, path).kind === "room" && !isTest(path) && length > cardFrom && !/^(?:\/\/|\/\*)/.test(text))
      findings.push({
        path,
        line: 1,
        rule: "card",
        message: `${length} lines without a card on the door: begin with a comment that says what it owns, is told, tells, and what is always true`,
      });
    findings.push(...formFindings(path, file));
  }
  return findings;
}

function formFindings(path: string, file: ts.SourceFile): Finding[] {
  const findings: Finding[] = [];
  for (const statement of file.statements) {
    const say = (message: string): void => void findings.push({ path, line: lineOf(file, statement), rule: "forms", message });
    const isDefault =
      ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword);
    if (isDefault || ts.isExportAssignment(statement)) say("no default exports: a thing has one name, the same everywhere");
    if (ts.isEnumDeclaration(statement)) say("no enums: a union of strings is plain data");
    if (ts.isModuleDeclaration(statement) && !(statement.flags & ts.NodeFlags.GlobalAugmentation) && !ts.isStringLiteral(statement.name))
      say("no namespaces: a file is the namespace");
    if (ts.isExportDeclaration(statement) && (!statement.exportClause || ts.isNamespaceExport(statement.exportClause)))
      say("no `export *`: a door lists what it shows");
  }
  return findings;
}
