import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator, type ActivityDefinition, type OrchestratorDefinition } from "../authoring/define.ts";
import type { VersionMatchStrategy } from "../contract/versions.ts";
import { createRegistry } from "./registry.ts";

const plain = (name: string, version?: string): OrchestratorDefinition =>
  version === undefined ? orchestrator(name, async () => version) : orchestrator(name, { version }, async () => version);

function chosen(versions: readonly (string | undefined)[], wanted: string, match: VersionMatchStrategy = "none", version = ""): string {
  const choice = createRegistry(
    versions.map((each) => plain("p", each)),
    [],
    [],
    { version, match },
  ).orchestrator("p", wanted);
  return choice.kind === "found" ? (choice.orchestrator.version ?? "without") : choice.kind;
}

test("an instance runs on the registration with its exact version, else on the one without", () => {
  assert.equal(chosen(["1.0.0", "2.0.0", undefined], "1.0"), "1.0.0");
  assert.equal(chosen(["1.0.0", "2.0.0", undefined], "3.0.0"), "without");
  assert.equal(chosen(["1.0.0", "2.0.0"], "3.0.0"), "version");
});

test("by currentOrOlder an instance without its exact version runs on the oldest newer one", () => {
  assert.equal(chosen(["3.0.0", "2.0.0", undefined], "1.5.0", "currentOrOlder", "3.0.0"), "2.0.0");
  assert.equal(chosen(["3.0.0", "2.0.0", undefined], "4.0.0", "currentOrOlder", "3.0.0"), "version");
});

test("a worker with a version refuses what does not fit it", () => {
  assert.equal(chosen([undefined], "1.0.0", "strict", "1.0"), "without");
  assert.equal(chosen([undefined], "1.1.0", "strict", "1.0"), "version");
});

test("a name that is not registered is named, with those that are", () => {
  const choice = createRegistry([plain("a"), plain("b")], [], [], { version: "", match: "none" }).orchestrator("c", "");
  assert.equal(choice.kind, "unregistered");
  assert.match(choice.kind === "unregistered" ? choice.reason : "", /'c'.*a, b/);
});

test("a name and version given twice is refused; the very same definition twice is one", () => {
  const rule = { version: "", match: "none" } as const;
  const same = plain("p", "1.0.0");
  assert.throws(
    () => createRegistry([same, plain("p", "1.0.0")], [], [], rule),
    /Two different orchestrators are named 'p' with version '1.0.0'/,
  );
  assert.deepEqual(createRegistry([same, same, plain("p", "2.0.0")], [], [], rule).orchestratorNames, ["p"]);
  const hello = activity("hello", () => 1);
  assert.throws(() => createRegistry([], [hello, activity("hello", () => 2)], [], rule), /Two different activities are named 'hello'/);
});

test("a contract, or something else, is refused with the remedy", () => {
  const rule = { version: "", match: "none" } as const;
  assert.throws(
    () => createRegistry([orchestrator("o", { version: "1" }) as unknown as OrchestratorDefinition], [], [], rule),
    /orchestrator 'o' is none with a body.*\.run\(body\)/,
  );
  assert.throws(() => createRegistry([], [(() => 1) as unknown as ActivityDefinition], [], rule), /none with a body/);
});
