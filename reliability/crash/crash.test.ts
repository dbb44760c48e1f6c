// The short form of the campaigns: enough to know that they run, and that what they look for is not there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diskCampaign } from "./disk.ts";
import { killCampaign } from "./kills.ts";
import { pointCampaign } from "./points.ts";
import { missedBy, written } from "./tally.ts";
import type { Report } from "./tally.ts";

function assertWell(report: Report): void {
  assert.deepEqual(report.violations, [], written(report));
  assert.deepEqual(missedBy(report), [], written(report));
}

test("D1 H5 I1 A1 R3 a process that is killed six times under load leaves nothing behind, and everything ends once and right", async () => {
  const report = await killCampaign({ rounds: 6, seed: 11 });
  assertWell(report);
  assert.equal(report.counts.get("kills in all"), 6);
});

test("D1 D3 D4 H5 a crash around every call to the store and a failure of every COMMIT change nothing that anybody can see", async () => {
  assertWell(await pointCampaign({ scenarios: ["chain", "event won", "child", "entity called and signalled"], nested: false }));
});

test("D4 a full disk refuses in words, reads go on, and when there is room everything goes on by itself", async (t) => {
  const report = await diskCampaign({ seed: 3, faults: ["full tmpfs"] });
  if (report.skipped.length > 0) return t.skip(report.skipped.join("; "));
  assertWell(report);
});
