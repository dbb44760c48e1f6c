// The simulation in a few seconds: two hundred seeds and every one that has ever found something; that a seed is one world; that it
// shrinks; that the planted bugs still fit.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { violationText } from "../checker/violation.ts";
import { corpusDraws, type Draw } from "./corpus.ts";
import { allPatches, applyHunk } from "./planted.ts";
import { FAULT_CLASSES, setupOf, WIRE_FAULT_CLASSES, type Setup } from "./setup.ts";
import { shrink } from "./shrink.ts";
import { addTally, GOALS, newTally, WIRE_GOALS } from "./tally.ts";
import { simulate, type Outcome } from "./world.ts";

const SEEDS = 200;
const WIRE_SEEDS = 40;
const first = (count: number, options: Draw["options"]): Draw[] => Array.from({ length: count }, (_, n) => ({ seed: n + 1, options }));

test("nothing is broken in two hundred worlds, and in none that ever broke something", async () => {
  const total = newTally();
  const broken: string[] = [];
  for (const { seed, options } of [...first(SEEDS, {}), ...corpusDraws()]) {
    const outcome = await simulate(setupOf(seed, options));
    addTally(total, outcome.tally);
    for (const violation of outcome.violations) broken.push(`seed ${seed}: ${violationText(violation)}`);
    for (const message of outcome.broken) broken.push(`seed ${seed}: ${message}`);
  }
  assert.deepEqual(broken, []);
  const never = [...FAULT_CLASSES.filter((fault) => !total.faults.has(fault)), ...GOALS.filter((goal) => !total.goals.has(goal))];
  assert.deepEqual(never, [], "a world in which this never happens proves less than it seems to");
});

test("L2 A3 nothing is broken where processes reach the store through a server alone, and every bad token is refused", async () => {
  const total = newTally();
  const broken: string[] = [];
  for (const { seed, options } of [...first(WIRE_SEEDS, { through: "grpc" }), ...corpusDraws("grpc")]) {
    const outcome = await simulate(setupOf(seed, options));
    addTally(total, outcome.tally);
    for (const violation of outcome.violations) broken.push(`seed ${seed} through grpc: ${violationText(violation)}`);
    for (const message of outcome.broken) broken.push(`seed ${seed} through grpc: ${message}`);
  }
  assert.deepEqual(broken, []);
  const never = [...WIRE_FAULT_CLASSES.filter((fault) => !total.faults.has(fault)), ...WIRE_GOALS.filter((goal) => !total.goals.has(goal))];
  assert.deepEqual(never, [], "a world in which this never happens proves less than it seems to");
});

test("one seed is one world, event for event, with a wire and without", async () => {
  for (const options of [{}, { through: "grpc" }] as const) {
    const [one, other] = [await simulate(setupOf(7, options)), await simulate(setupOf(7, options))];
    assert.equal(one.steps, other.steps);
    assert.deepEqual(one.journal, other.journal);
  }
});

test("a world that breaks something shrinks to the least that breaks the same", async () => {
  // A product that is broken whenever a program has a timer and a process crashes.
  const outcome = await simulate(setupOf(3));
  const pretend = async (setup: Setup): Promise<Outcome> => {
    const breaks = setup.faults.includes("crash") && setup.instances.some(({ program }) => program.some((step) => step.do === "timer"));
    return { ...outcome, setup, violations: breaks ? [{ invariant: "T2", message: "pretended" }] : [] };
  };
  const timer = { ...outcome.setup.instances[0]!, program: [{ do: "status" }, { do: "timer", ms: 1 }, { do: "gate" }] as const };
  const setup: Setup = { ...outcome.setup, faults: ["crash", "delay"], instances: [...outcome.setup.instances, timer] };
  const { setup: least } = await shrink(await pretend(setup), 1_000, pretend);
  assert.deepEqual(least.faults, ["crash"]);
  assert.deepEqual([least.instances.length, least.hosts.length, least.orders.length, least.blows.length], [1, 1, 0, 0]);
  assert.deepEqual(
    least.instances[0]?.program.map((step) => step.do),
    ["timer"],
  );
});

test("every planted bug still fits the tree, and names the invariants that it breaks", () => {
  const root = join(import.meta.dirname, "..", "..");
  const patches = allPatches();
  assert.equal(patches.length, 22);
  for (const patch of patches) {
    assert.ok(patch.finds.length > 0 && patch.about !== "" && patch.hunks.length > 0, patch.name);
    const texts = new Map<string, string>();
    for (const hunk of patch.hunks)
      texts.set(hunk.path, applyHunk(texts.get(hunk.path) ?? readFileSync(join(root, hunk.path), "utf8"), patch.name, hunk));
  }
});
