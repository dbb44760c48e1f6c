import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseVersion, compareVersions, versionMismatch } from "./versions.ts";

test("numeric versions compare part by part, and a missing part is 0", () => {
  const rising = ["0", "0.0.1", "0.9", "1", "1.0.1", "1.2", "1.10", "1.10.0.1", "2", "10"];
  for (const [i, a] of rising.entries())
    for (const [j, b] of rising.entries()) assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} and ${b}`);
  for (const same of ["1", "1.0", "1.0.0", "1.0.0.0", " 1.0 ", "01"]) assert.equal(compareVersions(same, "1"), 0, same);
});

test("anything else compares as text, without regard to case and without a locale", () => {
  assert.equal(compareVersions("Beta", "beta"), 0);
  assert.ok(compareVersions("1.0.0-rc", "1.0.0-beta") > 0);
  assert.ok(compareVersions("v10", "v9") < 0, "no number, so by its letters");
  assert.ok(compareVersions("1.2.3.4.5", "1.2.3.4") > 0, "five parts are no number");
  assert.ok(compareVersions("z", "ä") < 0, "by the code of the letter, on every host");
});

test("an empty version is smaller than any other", () => {
  assert.equal(compareVersions("", " "), 0);
  for (const other of ["0", "a"]) assert.deepEqual([compareVersions("", other) < 0, compareVersions(other, "") > 0], [true, true]);
});

test("V1 how a worker's version must relate to an instance's", () => {
  const fits = (strategy: Parameters<typeof versionMismatch>[0], worker: string, instance: string): boolean =>
    versionMismatch(strategy, worker, instance) === undefined;
  assert.deepEqual(
    [fits("none", "1", "9"), fits("strict", "", "9"), fits("currentOrOlder", "", "9")],
    [true, true, true],
    "nothing is asked",
  );
  assert.deepEqual(
    [fits("strict", "1.0", "1"), fits("strict", "1", "2"), fits("strict", "2", "1"), fits("strict", "1", "")],
    [true, false, false, false],
  );
  assert.deepEqual(
    [
      fits("currentOrOlder", "2", "2"),
      fits("currentOrOlder", "2", "1"),
      fits("currentOrOlder", "2", ""),
      fits("currentOrOlder", "2", "2.0.1"),
    ],
    [true, true, true, false],
  );
  assert.match(versionMismatch("strict", "1", "2") ?? "", /'2' does not match the worker version '1'/);
});

test("V1 the registration with exactly the version serves; else the oldest newer one; else the one without", () => {
  const registered = ["", "3.0.0", "1.0.0", "2.0.0"];
  assert.equal(chooseVersion(registered, "2", "currentOrOlder"), "2.0.0");
  assert.equal(chooseVersion(registered, "1.5", "currentOrOlder"), "2.0.0");
  assert.equal(chooseVersion(registered, "", "currentOrOlder"), "1.0.0", "an instance without a version is older than any");
  assert.equal(chooseVersion(registered, "4", "currentOrOlder"), "");
  assert.equal(chooseVersion(registered, "1.5", "strict"), "");
  assert.equal(chooseVersion(["1.0.0"], "4", "currentOrOlder"), undefined);
  assert.equal(chooseVersion([], "", "none"), undefined);
  assert.deepEqual(registered, ["", "3.0.0", "1.0.0", "2.0.0"], "the list is left as it was");
});
