// doc-check: what pages promise. Every ```ts block is type-checked against the workspace's packages and held to eslint-plugin-ostinato;
// every relative link leads somewhere.
//
// A block is a module of its own. ```ts no-check leaves one out; these are counted and printed, so that they stay few. ```ts wrong shows
// a mistake: the plugin must report it, in a rule's own page that rule and no other.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { Linter } from "eslint";
import ostinato from "eslint-plugin-ostinato";
import ts from "typescript";
import tseslint from "typescript-eslint";

const root = join(import.meta.dirname, "..");
const pages = [
  ...pagesIn(root, false),
  ...pagesIn(join(root, "docs"), true),
  ...pagesIn(join(root, "packages"), true),
  ...pagesIn(join(root, "examples"), true),
];

function pagesIn(folder: string, deep: boolean): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => a.name.localeCompare(b.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return deep && !["node_modules", "dist"].includes(entry.name) ? pagesIn(path, true) : [];
      return entry.name.endsWith(".md") && entry.name !== "CHANGELOG.md" ? [path] : [];
    });
}

interface Block {
  readonly page: string;
  /** Lines of the page before the block's first. */
  readonly offset: number;
  readonly code: string;
  /** It shows a mistake. */
  readonly isWrong: boolean;
}

function readPage(page: string): { blocks: Block[]; unchecked: number; prose: { line: number; text: string }[] } {
  const blocks: Block[] = [];
  const prose: { line: number; text: string }[] = [];
  let unchecked = 0;
  let fence: { indent: string; mark: string; info: string; offset: number; lines: string[] } | undefined;
  readFileSync(page, "utf8")
    .split("\n")
    .forEach((text, index) => {
      if (fence) {
        if (!text.trim().startsWith(fence.mark) || text.trim() !== fence.mark)
          return void fence.lines.push(text.startsWith(fence.indent) ? text.slice(fence.indent.length) : text);
        const [language, ...marks] = fence.info.split(/\s+/);
        if (language === "ts" || language === "typescript") {
          if (marks.includes("no-check")) unchecked++;
          else blocks.push({ page, offset: fence.offset, code: fence.lines.join("\n"), isWrong: marks.includes("wrong") });
        }
        fence = undefined;
        return;
      }
      const [, indent, mark, info] = /^(\s*)(```+|~~~+)\s*(.*)$/.exec(text) ?? [];
      if (mark !== undefined) fence = { indent: indent ?? "", mark, info: (info ?? "").trim(), offset: index + 1, lines: [] };
      else prose.push({ line: index + 1, text });
    });
  return { blocks, unchecked, prose };
}

function typeErrors(blocks: readonly Block[]): string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, "tsconfig.json"),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined },
  );
  // Laid out at the root, where `ostinato` is found as a user would find it.
  const files = new Map(blocks.map((block, index) => [join(root, `page-block-${index}.ts`), block]));
  const options: ts.CompilerOptions = { ...config?.options, noEmit: true };
  const host = ts.createCompilerHost(options);
  const hasFile = host.fileExists.bind(host);
  const readSource = host.readFile.bind(host);
  const getSource = host.getSourceFile.bind(host);
  host.fileExists = (path) => files.has(path) || hasFile(path);
  host.readFile = (path) => files.get(path)?.code ?? readSource(path);
  host.getSourceFile = (path, version, ...rest) => {
    const block = files.get(path);
    return block ? ts.createSourceFile(path, block.code, version) : getSource(path, version, ...rest);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, block]) => {
    const source = program.getSourceFile(path);
    if (!source) return [];
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((problem) => {
      const line = block.offset + source.getLineAndCharacterOfPosition(problem.start ?? 0).line + 1;
      return `${relative(root, block.page)}:${line}  ${ts.flattenDiagnosticMessageText(problem.messageText, "\n    ")}`;
    });
  });
}

/** What the plugin says of a block that should be right, or does not say of one that shows a mistake. */
function lintErrors(blocks: readonly Block[]): string[] {
  const linter = new Linter();
  const config: Linter.Config[] = [{ files: ["**/*.ts"], languageOptions: { parser: tseslint.parser } }, ostinato.configs.recommended];
  return blocks.flatMap(({ page, offset, code, isWrong }) => {
    const where = relative(root, page);
    const said = linter.verify(code, config, "block.ts");
    if (!isWrong) return said.map(({ line, message, ruleId }) => `${where}:${offset + line}  ${message} [${ruleId ?? "eslint"}]`);
    const own = `ostinato/${basename(page, ".md")}`;
    const isOfRule = own.slice("ostinato/".length) in ostinato.rules;
    if (said.length === 0) return [`${where}:${offset + 1}  the block shows a mistake, and eslint-plugin-ostinato does not see it`];
    return said
      .filter(({ ruleId }) => isOfRule && ruleId !== own)
      .map(
        ({ line, message, ruleId }) =>
          `${where}:${offset + line}  a mistake of another kind than the page is about: ${message} [${ruleId ?? "eslint"}]`,
      );
  });
}

/** Headings as GitHub makes anchors of them. */
function anchorsOf(prose: readonly { text: string }[]): Set<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const { text } of prose) {
    const [, heading] = /^#{1,6}\s+(.+?)\s*#*$/.exec(text) ?? [];
    if (heading === undefined) {
      for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) if (id !== undefined) anchors.add(id);
      continue;
    }
    const plain = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-");
    const times = seen.get(plain) ?? 0;
    seen.set(plain, times + 1);
    anchors.add(times === 0 ? plain : `${plain}-${times}`);
  }
  return anchors;
}

function brokenLinks(page: string, prose: readonly { line: number; text: string }[]): string[] {
  const broken: string[] = [];
  for (const { line, text } of prose) {
    for (const [, inline, reference] of text.replace(/`[^`]*`/g, "").matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)/g)) {
      const link = inline ?? reference ?? "";
      if (/^[a-z][a-z+.-]*:/i.test(link)) continue;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : path.startsWith("/") ? join(root, path) : join(dirname(page), decodeURIComponent(path));
      const where = `${relative(root, page)}:${line}  `;
      if (!existsSync(target)) broken.push(`${where}${link} leads nowhere`);
      else if (anchor !== undefined && target.endsWith(".md") && !anchorsOf(readPage(target).prose).has(anchor))
        broken.push(`${where}${link}: there is no such heading`);
    }
  }
  return broken;
}

const read = pages.map((page) => ({ page, ...readPage(page) }));
const blocks = read.flatMap((page) => page.blocks);
const problems = [...typeErrors(blocks), ...lintErrors(blocks), ...read.flatMap(({ page, prose }) => brokenLinks(page, prose))];
for (const problem of problems) console.log(problem);
for (const { page, unchecked } of read) if (unchecked > 0) console.log(`${relative(root, page)}: ${unchecked} blocks are not checked`);
console.log(`doc-check: ${pages.length} pages, ${blocks.length} blocks, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
