import { deepEqual } from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Linter } from "eslint";
import ts from "typescript";
import tseslint from "typescript-eslint";
import plugin from "./index.ts";

const root = join(import.meta.dirname, "../../..");

/** Findings of one file as "line rule", with the types of the repository behind it, or without any. */
function findingsOf(files: Readonly<Record<string, string>>, withTypes: boolean): string[] {
  const texts = new Map(Object.entries(files).map(([name, text]) => [join(root, name), text]));
  const main = join(root, "main.ts");
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    types: ["node"],
  };
  const host = ts.createCompilerHost(options);
  const hasFile = host.fileExists.bind(host);
  const readSource = host.readFile.bind(host);
  host.fileExists = (path) => texts.has(path) || hasFile(path);
  host.readFile = (path) => texts.get(path) ?? readSource(path);
  const parserOptions = withTypes ? { programs: [ts.createProgram([...texts.keys()], options, host)] } : {};
  const config = [
    { files: ["**/*.ts"], languageOptions: { parser: tseslint.parser as Linter.Parser, parserOptions } },
    plugin.configs.recommended as Linter.Config,
  ];
  return new Linter({ cwd: root })
    .verify(texts.get(main) ?? "", config, { filename: main })
    .map(({ line, ruleId, message }) => `${line} ${ruleId === null ? message : ruleId.replace("ostinato/", "")}`);
}

const elsewhere = {
  "contracts.ts": `import { activity, orchestrator } from "ostinato";
export const flow = orchestrator("flow", { version: "1" });
export const step = activity("step", {});`,
  "steps.ts": `import type { OrchestratorContext, Task } from "ostinato";
export function begin(ctx: OrchestratorContext): Task<void> { return ctx.createTimer("1s"); }
export async function wait(ctx: OrchestratorContext): Promise<void> { await ctx.createTimer("1s"); }
export async function load(id: string): Promise<string> { return id; }
export function plain(id: string): string { return id; }`,
};

describe("what types tell", () => {
  test("a contract of another file is an orchestrator's, or an activity's", () => {
    const main = `import { flow, step } from "./contracts.ts";
export const a = flow.run(async () => void Date.now());
export const b = step.run(async () => void Date.now());`;
    deepEqual(findingsOf({ ...elsewhere, "main.ts": main }, true), ["2 no-clock"]);
    deepEqual(findingsOf({ ...elsewhere, "main.ts": main }, false), []);
  });

  test("a task that a function of another file gives, a promise in which nothing durable can be", () => {
    const main = `import { orchestrator } from "ostinato";
import { begin, load, plain, wait } from "./steps.ts";
export const a = orchestrator("a", async (ctx, id: string) => {
  begin(ctx);
  await begin(ctx);
  await wait(ctx);
  plain(id);
  return await load(id);
});`;
    deepEqual(findingsOf({ ...elsewhere, "main.ts": main }, true), ["4 no-floating-task", "8 no-native-await"]);
    deepEqual(findingsOf({ ...elsewhere, "main.ts": main }, false), []);
  });

  test("a hub and a handle by their types", () => {
    const main = `import { orchestrator } from "ostinato";
import type { Hub, OrchestrationHandle } from "ostinato";
export const make = (hub: Hub, other: OrchestrationHandle) =>
  orchestrator("a", async (ctx) => {
    void hub.instance("x");
    void other.raiseEvent("y");
    ctx.sendEvent("x", "y");
  });`;
    deepEqual(findingsOf({ ...elsewhere, "main.ts": main }, true), ["5 no-side-effect", "6 no-side-effect"]);
    deepEqual(findingsOf({ ...elsewhere, "main.ts": main }, false), []);
  });
});
