// rule: what all rules have in common.
//
// Owns:    the words at the end of each message, the address of each page, the settings.
// Is told: what a rule is about and how it looks.
// Tells:   ESLint a rule.
// Always:  a rule asks for nothing in files without orchestrator code.

import type { TSESLint } from "@typescript-eslint/utils";
import { orchestratorCode } from "./orchestrator-code.ts";
import type { Code, OrchestratorCode } from "./orchestrator-code.ts";
import type { PluginRule } from "./plugin-shape.ts";
import type { Reference } from "./references.ts";
import { isFunction, walk } from "./syntax.ts";
import type { Node, SourceCode } from "./syntax.ts";
import { usesIn } from "./uses.ts";
import type { Use } from "./uses.ts";

export type Fix = (fixer: TSESLint.RuleFixer) => TSESLint.RuleFix;

/** A remedy that a person may choose. */
export interface Suggestion {
  readonly messageId: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly fix: Fix;
}

/** Something found. */
export interface Finding {
  readonly node: Node;
  readonly messageId: string;
  readonly data?: Readonly<Record<string, string>>;
  /** Applied by `--fix`: only where it cannot break a program. */
  readonly fix?: Fix | undefined;
  readonly suggest?: readonly Suggestion[];
}

/** What a rule looks with. */
export interface Look<Options> {
  readonly sourceCode: SourceCode;
  readonly code: OrchestratorCode;
  readonly uses: readonly Use[];
  readonly options: Options;
  /** Every node of orchestrator code, once, parents first. */
  eachNode(visit: (node: Node) => void): void;
  /** The text of an expression as it stands in the file. */
  textOf(node: Node): string;
  report(finding: Finding): void;
}

export interface RuleParts<Options extends object> {
  readonly name: string;
  readonly about: string;
  /** `{{ctx}}` is how the context is written there; `{{where}}` says which function it is in, when that is not the body itself. */
  readonly messages: Readonly<Record<string, string>>;
  readonly fixable?: boolean;
  readonly suggests?: boolean;
  /** Options by name; all of them are lists of texts or truth values. */
  readonly options: Options;
  /** Looks at a whole file, once, after it was read. */
  find(look: Look<Options>): void;
}

/** Makes a rule of its parts. */
export function defineRule<Options extends object>(parts: RuleParts<Options>): PluginRule {
  return {
    meta: {
      type: "problem",
      docs: { description: parts.about, url: new URL(`../docs/rules/${parts.name}.md`, import.meta.url).href, recommended: true },
      messages: { ...parts.messages },
      schema: schemaOf(parts.options),
      ...(parts.fixable ? { fixable: "code" as const } : {}),
      ...(parts.suggests ? { hasSuggestions: true } : {}),
    },
    create(context: TSESLint.RuleContext<string, readonly Partial<Options>[]>) {
      return { "Program:exit": () => lookAt(context, parts) };
    },
  };
}

function lookAt<Options extends object>(
  context: TSESLint.RuleContext<string, readonly Partial<Options>[]>,
  parts: RuleParts<Options>,
): void {
  const { sourceCode } = context;
  const modules = modulesOf(context.settings);
  const code = orchestratorCode(sourceCode, modules);
  if (code.functions.length === 0) return;
  parts.find({
    sourceCode,
    code,
    get uses() {
      return usesIn(sourceCode, modules);
    },
    options: { ...parts.options, ...context.options[0] },
    eachNode: (visit) => eachNode(sourceCode, code, visit),
    textOf: (node) => sourceCode.getText(node),
    report({ node, messageId, data, fix, suggest }) {
      const place = code.at(node);
      const more = { ctx: code.contextAt(node) ?? "ctx", where: place === undefined ? "" : whereabouts(place), ...data };
      context.report({
        node,
        messageId,
        data: more,
        fix: fix ?? null,
        suggest: (suggest ?? []).map((one) => ({ ...one, data: { ...more, ...one.data } })),
      });
    },
  });
}

function eachNode(sourceCode: SourceCode, code: OrchestratorCode, visit: (node: Node) => void): void {
  const seen = new Set<Node>();
  for (const { fn } of code.functions) {
    walk(sourceCode, fn, (node) => {
      if (seen.has(node) || (isFunction(node) && code.at(node) === undefined)) return false;
      seen.add(node);
      visit(node);
      return true;
    });
  }
}

/** Says of which function a finding speaks, when a reader might wonder what it has to do with an orchestrator. */
function whereabouts({ fn, isBody }: Code): string {
  if (isBody) return "";
  const { parent } = fn;
  const named =
    fn.id?.name ??
    (parent.type === "VariableDeclarator" && parent.id.type === "Identifier" ? parent.id.name : undefined) ??
    ("key" in parent && parent.key.type === "Identifier" ? parent.key.name : undefined);
  return named === undefined ? "" : ` '${named}' runs as part of an orchestrator.`;
}

function schemaOf(options: object): object[] {
  const properties = Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      Array.isArray(value) ? { type: "array", items: { type: "string" }, uniqueItems: true } : { type: "boolean" },
    ]),
  );
  return Object.keys(properties).length === 0 ? [] : [{ type: "object", properties, additionalProperties: false }];
}

/** Modules that show `orchestrator` and `activity`: ours, and those that `settings.ostinato.modules` names. */
function modulesOf(settings: Readonly<Record<string, unknown>>): readonly string[] {
  const { ostinato } = settings as { readonly ostinato?: { readonly modules?: readonly string[] } };
  return ["ostinato", ...(ostinato?.modules ?? [])];
}

// ---- names of the outside

/** What Node shows as a module and as a global alike, under one name. */
const SAME_AS_GLOBAL: Readonly<Record<string, string>> = { process: "process", console: "console" };

/** A reference as text: `Date.now` of a global, `fs/promises#readFile` of a module. */
export function nameOfReference({ module, path }: Reference): string {
  if (module === undefined) return path.join(".");
  const same = SAME_AS_GLOBAL[module];
  if (same !== undefined) return [same, ...path].join(".");
  if (module === "perf_hooks" && path[0] === "performance") return path.join(".");
  if (module === "timers") return path.join(".");
  if (module === "crypto" && path[0] === "webcrypto") return ["crypto", ...path.slice(1)].join(".");
  return `${module}#${path.join(".")}`;
}

/** Whether a name is one of those listed, or something of it: `process.env.HOME` is of `process.env`. */
export function isOneOf(name: string, listed: Iterable<string>): boolean {
  for (const one of listed) if (name === one || name.startsWith(`${one}.`)) return true;
  return false;
}

/** Whether a module is one of those listed; `*` stands for any ending: `@aws-sdk/*`. */
export function isModuleOf(module: string | undefined, listed: readonly string[]): boolean {
  if (module === undefined) return false;
  return listed.some((one) => {
    const wanted = one.replace(/^node:/, "");
    return wanted.endsWith("*") ? module.startsWith(wanted.slice(0, -1)) : module === wanted || module.startsWith(`${wanted}/`);
  });
}

/** A replacement, when the context has a name there. */
export function byContext(look: Pick<Look<object>, "code">, node: Node, text: (ctx: string) => string): Fix | undefined {
  const ctx = look.code.contextAt(node);
  return ctx === undefined ? undefined : (fixer) => fixer.replaceText(node, text(ctx));
}
