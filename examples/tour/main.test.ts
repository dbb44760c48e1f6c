import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const run = (script: string, ...args: readonly string[]): Promise<{ stdout: string }> =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, script), ...args], { timeout: 120_000 });

test("the tour goes through all patterns, and the killed orchestration goes on where it stopped", async () => {
  const { stdout } = await run("main.ts", import.meta.dirname);
  assert.match(stdout, /\["Hello Tokyo!","Hello Seattle!","Hello London!"\]/);
  assert.match(stdout, /\d+ files, [\d,]+ lines/);
  assert.match(stdout, /Approved by '/);
  assert.match(stdout, /Money 270\.00 EUR/);
  assert.match(stdout, /2\.0\.0: Success/);
  assert.match(stdout, /process \d+ did steps 1 2 3 4( \d)*, process \d+ steps( \d)* 8/);
  assert.match(stdout, /8 steps, each completed once, and one end/);
});

test("a folder that is not there is said clearly", async () => {
  await assert.rejects(run("main.ts", "/no/such/folder"), (error: Error & { code?: number; stdout?: string }) => {
    assert.equal(error.code, 1);
    assert.match(error.stdout ?? "", /There is no folder \/no\/such\/folder/);
    return true;
  });
});

test("after three kills under load every instance has completed once", async () => {
  const { stdout } = await run("kill-storm.ts", "--rounds", "3");
  assert.match(stdout, /3 worker processes killed/);
  assert.match(stdout, /every instance completed exactly once, with the right result/);
});
