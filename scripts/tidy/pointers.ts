// pointers: a path that a comment or a page mentions must lead somewhere.
//
// A mention counts when it has a folder and an ending, like `engine/store.ts`. It is found when some file's path ends so; people name a
// file from where they stand. What is written for a user's own project (fenced code in a page, an address, a pattern with *) does not count.
import ts from "typescript";
import { codeOf, parse } from "./tree.ts";
import type { Finding, Tree } from "./tree.ts";

const mention = /(?<![\w@:/.*{}$<>-])(?:\.{0,2}\/)*(?:[\w@.-]+\/)+[\w@.-]+\.(?:ts|mjs|js|json|md|txt|sql|proto|ya?ml)\b(?![\w*/{])/g;

export function pointerFindings(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  const paths = [...tree.keys()];
  const look = (path: string, line: number, text: string): void => {
    for (const [found] of text.matchAll(mention)) {
      const wanted = found.replace(/^(?:\.{0,2}\/)+/, "");
      if (!wanted.includes("/") || /^(?:node_modules|dist)\//.test(wanted) || wanted.includes("/dist/")) continue;
      if (paths.some((known) => known === wanted || known.endsWith(`/${wanted}`))) continue;
      findings.push({ path, line, rule: "pointer", message: `${found} leads nowhere: correct it, or say what it said in words` });
    }
  };
  for (const path of codeOf(tree)) {
    const file = parse(tree, path);
    for (const comment of commentsOf(file)) {
      const first = file.getLineAndCharacterOfPosition(comment.pos).line + 1;
      comment.text.split("\n").forEach((text, index) => look(path, first + index, text));
    }
  }
  for (const path of paths.filter((name) => name.endsWith(".md") && !/(?:^|\/)(?:CHANGELOG\.md$|\.changeset\/)/.test(name))) {
    let fenced = false;
    (tree.get(path) ?? "").split("\n").forEach((text, index) => {
      if (/^\s*(?:```|~~~)/.test(text)) fenced = !fenced;
      else if (!fenced) look(path, index + 1, text);
    });
  }
  return findings;
}

export function commentsOf(file: ts.SourceFile): { pos: number; text: string }[] {
  const seen = new Map<number, string>();
  const text = file.text;
  const visit = (node: ts.Node): void => {
    if (node.kind >= ts.SyntaxKind.FirstToken && node.kind <= ts.SyntaxKind.LastToken) {
      const ranges = [
        ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
        ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
      ];
      for (const { pos, end } of ranges) seen.set(pos, text.slice(pos, end));
    }
    for (const child of node.getChildren(file)) visit(child);
  };
  visit(file);
  return [...seen].map(([pos, found]) => ({ pos, text: found })).sort((a, b) => a.pos - b.pos);
}
