import { deepEqual, equal, match } from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { ESLint, Linter } from "eslint";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";
import plugin from "./index.ts";

const folder = join(import.meta.dirname, "..");

test("every rule has a page to which its address leads, and a line in the README", () => {
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  for (const [name, { meta }] of Object.entries(plugin.rules)) {
    const page = fileURLToPath(meta.docs.url);
    equal(page, join(folder, "docs/rules", `${name}.md`));
    match(readFileSync(page, "utf8"), new RegExp(`^# ${name}\n`));
    match(readme, new RegExp(`\\[${name}\\]\\(docs/rules/${name}\\.md\\)`));
    equal(meta.docs.description.includes("orchestrator") || meta.docs.description.includes("task"), true);
  }
  const pages = readdirSync(join(folder, "docs/rules")).map((file) => file.replace(/\.md$/, ""));
  deepEqual(pages.sort(), Object.keys(plugin.rules).sort());
});

test("every message says where, and its pages name each option", () => {
  for (const [name, { meta }] of Object.entries(plugin.rules)) {
    const texts = Object.entries(meta.messages).filter(([id]) => !/^use|^add$/.test(id));
    for (const [, text] of texts) match(text, /\{\{where\}\}$/, name);
    const [schema] = meta.schema as { properties: object }[];
    const page = readFileSync(join(folder, "docs/rules", `${name}.md`), "utf8");
    for (const option of Object.keys(schema?.properties ?? {})) match(page, new RegExp(`\\b${option}\\b`), `${name}: ${option}`);
  }
});

test("the recommended configuration has all rules, and fits the types of ESLint's and typescript-eslint's configurations", () => {
  const { recommended } = plugin.configs;
  deepEqual(
    Object.keys(recommended.rules),
    Object.keys(plugin.rules).map((name) => `ostinato/${name}`),
  );
  equal(recommended.plugins["ostinato"], plugin);
  equal(defineConfig(recommended, { files: ["**/*.ts"], extends: [recommended] }).length, 3);
  equal(defineConfig({ plugins: { ostinato: plugin }, rules: { "ostinato/no-clock": "warn" } }).length, 1);

  equal(tseslint.config(recommended, { extends: [recommended] }).length, 2);
});

test("ESLint runs it by its configuration alone", async () => {
  const eslint = new ESLint({ overrideConfigFile: true, overrideConfig: [plugin.configs.recommended], cwd: folder });
  const text = `import { orchestrator } from "ostinato";\norchestrator("x", async (ctx) => [Date.now(), Math.random()]);\n`;
  const [result] = await eslint.lintText(text, { filePath: "x.js" });
  deepEqual(
    result?.messages.map(({ ruleId }) => ruleId),
    ["ostinato/no-clock", "ostinato/no-random"],
  );
  match(result.messages[0]?.message ?? "", /`Date\.now\(\)` reads the clock .* Use `ctx\.currentUtcDateTime`/);
});

test("an option that does not exist is refused", () => {
  const config = { ...plugin.configs.recommended, rules: { "ostinato/no-io": ["error", { module: ["x"] }] } } as const;
  let refusal = "";
  try {
    new Linter().verify("1", config as unknown as Linter.Config);
  } catch (error) {
    refusal = String(error);
  }
  match(refusal, /Unexpected property "module"/);
});

test("what package.json promises to pack is there", () => {
  const { files } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { files: string[] };
  for (const name of files.filter((one) => one === "docs" || one === "README.md")) equal(existsSync(join(folder, name)), true, name);
});
