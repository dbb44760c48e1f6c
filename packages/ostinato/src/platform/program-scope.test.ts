import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { AsyncLocalStorage } from "node:async_hooks";
import { captureContext, watchRejections } from "./program-scope.ts";

const scope = new URL("./program-scope.ts", import.meta.url).href;

/** Runs a program in a process of its own, since the process's end is what is looked at. */
function run(body: string, flags: readonly string[] = []): { code: number | null; out: string; err: string } {
  const source = `import { programScope, watchRejections } from ${JSON.stringify(scope)};\n${body}`;
  const child = spawnSync(process.execPath, [...flags, "--input-type=module-typescript", "--eval", source], { encoding: "utf8" });
  return { code: child.status, out: child.stdout, err: child.stderr };
}

test("a rejection of a program is told to it, and the process lives on", () => {
  const { code, out } = run(`
    watchRejections();
    const program = (name: string) => ({ reportUnhandled: (reason: unknown) => console.log(name, String(reason)) });
    programScope(program("a"))(() => void Promise.reject(new Error("at once")));
    programScope(program("b"))(() => void (async () => { await null; throw new Error("later"); })());
    programScope(program("c"))(() => void Promise.resolve().then(() => Promise.reject("no error")));
    let reject: (reason: unknown) => void = () => undefined;
    const outer = new Promise((_, no) => (reject = no));
    outer.catch(() => undefined);
    programScope(program("d"))(() => void outer.then(() => 1));
    setTimeout(() => reject(new Error("from outside, into a promise of the program")), 5);
    setTimeout(() => console.log("alive"), 20);
  `);
  assert.equal(code, 0);
  assert.deepEqual(out.trim().split("\n").sort(), [
    "a Error: at once",
    "alive",
    "b Error: later",
    "c no error",
    "d Error: from outside, into a promise of the program",
  ]);
});

test("any other rejection ends the process as without us", () => {
  const { code, err } = run(`watchRejections(); setTimeout(() => console.log("alive"), 50); void Promise.reject(new RangeError("mine"));`);
  assert.equal(code, 1);
  assert.match(err, /RangeError: mine/);
});

test("a rejection with something that is no error is named as the platform does", () => {
  const { code, err } = run(`watchRejections(); void Promise.reject("just text");`);
  assert.equal(code, 1);
  assert.match(err, /ERR_UNHANDLED_REJECTION/);
  assert.match(err, /just text/);
});

test("a listener of the user's own decides on what is not ours", () => {
  const { code, out } = run(
    `process.on("unhandledRejection", (reason) => console.log("theirs", String(reason))); watchRejections(); void Promise.reject("x"); setTimeout(() => console.log("alive"), 5);`,
  );
  assert.equal(code, 0);
  assert.equal(out, "theirs x\nalive\n");
});

test("where the platform only warns, so do we", () => {
  const { code, err } = run(`watchRejections(); void Promise.reject(new Error("mild"));`, ["--unhandled-rejections=warn"]);
  assert.equal(code, 0);
  assert.match(err, /mild/);
});

test("after the last watcher has gone the listener has gone", () => {
  const before = process.listenerCount("unhandledRejection");
  const [one, two] = [watchRejections(), watchRejections()];
  assert.equal(process.listenerCount("unhandledRejection"), before + 1);
  one();
  one();
  assert.equal(process.listenerCount("unhandledRejection"), before + 1);
  two();
  assert.equal(process.listenerCount("unhandledRejection"), before);
});

test("a captured context is the one of its moment, whoever enters it", async () => {
  const store = new AsyncLocalStorage<string>();
  const here = store.run("here", captureContext);
  const seen = await store.run("elsewhere", async () => [
    here(() => store.getStore()),
    await here(async () => (await Promise.resolve(), store.getStore())),
    store.getStore(),
  ]);
  assert.deepEqual(seen, ["here", "here", "elsewhere"]);
});
