// run: every example's main.ts runs as it stands, and prints what its README says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const here = import.meta.dirname;
const examples = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== "tour");

for (const { name } of examples) {
  test(`${name} prints what its README says`, async () => {
    const main = join(here, name, "main.ts");
    assert.ok(existsSync(main));
    const [, said] = /```text\n(.*?)```/s.exec(readFileSync(join(here, name, "README.md"), "utf8")) ?? [];
    const { stdout } = await promisify(execFile)(process.execPath, [main], { env: { ...process.env, NO_COLOR: "1" } });
    assert.equal(stdout, said);
  });
}

test("the README's quickstart runs", async () => {
  const root = join(here, "..");
  const [, code = ""] = /## Quickstart.*?```ts\n(.*?)```/s.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  assert.ok(code.includes('"sqlite:orders.db"'), "the quickstart opens a file");
  const inMemory = code.replace('"sqlite:orders.db"', '"memory:"');
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module-typescript", "--eval", inMemory], { cwd: root });
  assert.equal(stdout, "Approved by 'Ada'\n");
});
