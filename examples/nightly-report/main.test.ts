import assert from "node:assert/strict";
import { test } from "node:test";
import { schedules, withSchedules } from "ostinato/schedules";
import { createTestHub } from "ostinato/testing";
import { countSales, report } from "./main.ts";

test("one report each night, also in the night when the clock is put forward", async () => {
  const hub = await createTestHub({
    ...withSchedules({ orchestrators: [report], activities: [countSales] }),
    start: new Date("2026-03-27T12:00:00Z"),
  });
  await schedules(hub).create("nightly", { orchestrator: report, input: { region: "EU" }, cron: "0 3 * * *", timeZone: "Europe/Berlin" });
  await hub.clock.advance("3d");
  const runs = await hub.query({ name: "report" });
  assert.deepEqual(
    runs.map(({ id, output }) => [id, output]),
    [
      ["nightly-2026-03-28T02:00:00+00:00", "42 sales in EU"],
      ["nightly-2026-03-29T01:00:00+00:00", "42 sales in EU"],
      ["nightly-2026-03-30T01:00:00+00:00", "42 sales in EU"],
    ],
  );
  await hub.close();
});
