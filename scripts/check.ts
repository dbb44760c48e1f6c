// check: everything CI runs, in the order in which a mistake is cheapest to learn of. One failure does not hide the next.
//
//   npm run check [-- --without-tests] [-- types lint ...]      all steps, or those named
import { join } from "node:path";
import { run } from "./run-command.ts";

const root = join(import.meta.dirname, "..");

const steps: Readonly<Record<string, readonly string[]>> = {
  types: ["node_modules/typescript/bin/tsc", "--noEmit", "--project", "tsconfig.json"],
  lint: ["node_modules/eslint/bin/eslint.js", ".", "--max-warnings=0"],
  format: ["node_modules/prettier/bin/prettier.cjs", "--check", "--log-level=warn", "."],
  tidy: ["scripts/tidy.ts"],
  surface: ["scripts/surface.ts", "--check"],
  tests: ["scripts/test.ts"],
  docs: ["scripts/doc-check.ts"],
  site: ["scripts/site.ts"],
  packaging: ["scripts/packaging.ts"],
};

const given = process.argv.slice(2);
const named = given.filter((argument) => !argument.startsWith("--"));
const unknown = [
  ...named.filter((name) => !(name in steps)),
  ...given.filter((argument) => argument.startsWith("--") && argument !== "--without-tests"),
];
if (unknown.length > 0) {
  console.error(`There is no step ${unknown.join(", ")}; there are ${Object.keys(steps).join(", ")}, and --without-tests.`);
  process.exit(2);
}

const report: string[] = [];
let failed = 0;
for (const [name, command] of Object.entries(steps)) {
  if (named.length > 0 ? !named.includes(name) : name === "tests" && given.includes("--without-tests")) continue;
  console.log(`\n── ${name}`);
  const begun = performance.now();
  const code = await run(process.execPath, command, { cwd: root });
  if (code !== 0) failed++;
  report.push(
    `${code === 0 ? "  ok    " : "  FAILED"} ${name.padEnd(10)} ${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s`,
  );
}
console.log(`\n── summary\n${report.join("\n")}\n${failed === 0 ? "All is well." : `${failed} of ${report.length} failed.`}`);
process.exitCode = failed === 0 ? 0 : 1;
