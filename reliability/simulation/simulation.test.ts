// The simulation in a few seconds: two hundred seeds and every one that has ever found something; that a seed is one world; that it shrinks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violationText } from "../checker/violation.ts";
import { corpusSeeds } from "./corpus.ts";
import { FAULT_CLASSES, setupOf } from "./setup.ts";
import { shrink } from "./shrink.ts";
import { addTally, GOALS, newTally } from "./tally.ts";
import { simulate } from "./world.ts";

const SEEDS = 200;

test("nothing is broken in two hundred worlds, and in none that ever broke something", async () => {
  const total = newTally();
  const broken: string[] = [];
  for (const seed of new Set([...Array.from({ length: SEEDS }, (_, i) => i + 1), ...corpusSeeds()])) {
    const outcome = await simulate(setupOf(seed));
    addTally(total, outcome.tally);
    for (const violation of outcome.violations) broken.push(`seed ${seed}: ${violationText(violation)}`);
    for (const message of outcome.broken) broken.push(`seed ${seed}: ${message}`);
  }
  assert.deepEqual(broken, []);
  const never = [...FAULT_CLASSES.filter((fault) => !total.faults.has(fault)), ...GOALS.filter((goal) => !total.goals.has(goal))];
  assert.deepEqual(never, [], "a world in which this never happens proves less than it seems to");
});

test("one seed is one world, event for event", async () => {
  const [one, other] = [await simulate(setupOf(7)), await simulate(setupOf(7))];
  assert.equal(one.steps, other.steps);
  assert.deepEqual(one.journal, other.journal);
});

test("a world that breaks something shrinks to a smaller one that breaks the same", async () => {
  // Nothing may be broken here, so the checker is told of a world that nobody has ended: one that has no peace.
  const setup = { ...setupOf(3), faults: [], blows: [] };
  const outcome = await simulate(setup);
  const pretended = { ...outcome, violations: [{ invariant: "L3" as const, message: "pretended" }] };
  const same = await shrink(pretended, 5);
  assert.deepEqual(same.setup, setup, "nothing smaller breaks anything, so nothing smaller is kept");
});
