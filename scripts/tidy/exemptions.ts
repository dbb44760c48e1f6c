// exemptions: `// tidy: allow <rule> because <sentence>` stands on the line that it excuses, or alone on the line before it.
//
// Always:  an exemption that excuses nothing is itself a finding, so none outlives its reason.
//          In a page the same words stand in an HTML comment.
import { isCode, parse } from "./tree.ts";
import type { Finding, Tree } from "./tree.ts";
import { commentsOf } from "./pointers.ts";

interface Exemption {
  readonly line: number;
  readonly rule: string;
  readonly words: string;
  readonly because: string | undefined;
  /** Nothing else stands on its line, so it may speak of the next. */
  readonly alone: boolean;
}

export function applyExemptions(tree: Tree, findings: readonly Finding[]): Finding[] {
  const kept = new Set(findings);
  const about: Finding[] = [];
  for (const [path, text] of tree) {
    if (!text.includes("tidy: allow")) continue;
    const exemptions = isCode(path) ? inCode(tree, path) : path.endsWith(".md") ? inPage(text) : [];
    for (const { line, rule, words, because, alone } of exemptions) {
      if (because === undefined)
        about.push({ path, line, rule: "exemptions", message: `"${words}" needs a reason: ... because <sentence>` });
      const excused = findings.filter(
        (one) =>
          one.path === path && one.rule === rule && (one.line === undefined || one.line === line || (alone && one.line === line + 1)),
      );
      if (excused.length === 0)
        about.push({ path, line, rule: "exemptions", message: `there is no "${rule}" to allow here: remove the exemption` });
      for (const one of excused) kept.delete(one);
    }
  }
  return [...kept, ...about];
}

function inCode(tree: Tree, path: string): Exemption[] {
  const file = parse(tree, path);
  return commentsOf(file).flatMap(({ pos, text }) => {
    const [words, rule, because] = /^\/\/ tidy: allow ([a-z]+)(?: because (\S.*))?/.exec(text) ?? [];
    if (words === undefined || rule === undefined) return [];
    const { line, character } = file.getLineAndCharacterOfPosition(pos);
    return [{ line: line + 1, rule, words, because, alone: file.text.slice(pos - character, pos).trim() === "" }];
  });
}

function inPage(text: string): Exemption[] {
  return text.split("\n").flatMap((content, index) => {
    const [words, rule, because] = /<!-- tidy: allow ([a-z]+)(?: because (\S.*?))? *-->/.exec(content) ?? [];
    return words === undefined || rule === undefined ? [] : [{ line: index + 1, rule, words, because, alone: content.trim() === words }];
  });
}
