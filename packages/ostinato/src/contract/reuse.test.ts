import assert from "node:assert/strict";
import { test } from "node:test";
import { comesFrom, nextLineage } from "./lineage.ts";
import { INSTANCE_STATUSES, refusesItself, refusesStart } from "./reuse.ts";

test("without a list every status refuses a start; with one, those that it names", () => {
  for (const status of INSTANCE_STATUSES) {
    assert.equal(refusesStart(status, undefined), true);
    assert.equal(refusesStart(status, []), false);
    assert.equal(refusesStart(status, [status]), true);
  }
});

test("a list that refuses terminated instances and replaces some that run contradicts itself", () => {
  assert.equal(refusesItself([]), false);
  assert.equal(refusesItself(INSTANCE_STATUSES), false);
  assert.equal(refusesItself(["PENDING", "RUNNING", "SUSPENDED", "TERMINATED"]), false);
  assert.equal(refusesItself(["COMPLETED", "FAILED"]), false);
  for (const replaced of ["PENDING", "RUNNING", "SUSPENDED"] as const)
    assert.equal(refusesItself(INSTANCE_STATUSES.filter((status) => status !== replaced)), true, replaced);
});

test("a line of executions counts how often it continued as new, and never forgets its start", () => {
  let lineage = "5b0c";
  for (let n = 2; n < 12; n++) {
    lineage = nextLineage(lineage);
    assert.equal(lineage, `5b0c~${n}`);
    assert.ok(comesFrom(lineage, "5b0c"));
    assert.ok(!comesFrom(lineage, "5b"));
  }
  assert.ok(comesFrom("x", "x") && !comesFrom("x", "x~2"));
});
