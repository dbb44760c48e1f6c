// rule-tester: ESLint's own tester under node:test, with the words that most cases have in common.
import { describe, it } from "node:test";
import { RuleTester } from "eslint";
import tseslint from "typescript-eslint";
import type { PluginRule } from "../src/plugin-shape.ts";

RuleTester.describe = describe as typeof RuleTester.describe;
RuleTester.it = it as typeof RuleTester.it;
RuleTester.itOnly = it.only as typeof RuleTester.itOnly;

const head = `import { activity, orchestrator } from "ostinato";\n`;

/** A file with one orchestrator and this body, whose context is `ctx` and whose input is `input`. */
export const body = (statements: string, before = ""): string =>
  `${head}${before === "" ? "" : `${before}\n`}const program = orchestrator("program", async (ctx, input) => {\n${statements}\n});\n`;

/** The same as a generator. */
export const generatorBody = (statements: string, before = ""): string =>
  body(statements, before).replace("async (ctx, input) =>", "function* (ctx, input)");

export interface Invalid {
  readonly name?: string;
  readonly code: string;
  readonly errors:
    readonly (string | { readonly messageId: string; readonly suggestions?: readonly object[]; readonly message?: never })[] | number;
  readonly output?: string | null;
  readonly options?: readonly object[];
  readonly settings?: object;
}
export interface Valid {
  readonly name?: string;
  readonly code: string;
  readonly options?: readonly object[];
  readonly settings?: object;
}

/** Runs the cases of a rule with ESLint's own parser, and those in TypeScript with its parser. */
export function testRule(
  name: string,
  rule: PluginRule,
  cases: { readonly valid: readonly (Valid | string)[]; readonly invalid: readonly Invalid[] },
  typescript: { readonly valid: readonly (Valid | string)[]; readonly invalid: readonly Invalid[] } = { valid: [], invalid: [] },
): void {
  const run = (label: string, parser: object, given: typeof cases): void => {
    if (given.valid.length + given.invalid.length === 0) return;
    const tester = new RuleTester({ languageOptions: { sourceType: "module", ecmaVersion: "latest", ...parser } });
    tester.run(`${name} (${label})`, rule, given as unknown as Parameters<typeof tester.run>[2]);
  };
  run("JavaScript", {}, cases);
  run("the same by the parser for TypeScript", { parser: tseslint.parser }, cases);
  run("TypeScript", { parser: tseslint.parser }, typescript);
}
