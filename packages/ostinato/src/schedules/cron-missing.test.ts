// In a process of its own: the package for cron is not there.
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { orchestrator } from "../authoring/define.ts";
import { schedules, withSchedules } from "../schedules.ts";
import { createTestHub, testEntity } from "../testing.ts";
import { schedule } from "./schedule-entity.ts";
import { configurationFrom } from "./schedule-requests.ts";
import { storedSchedule } from "./schedule-state.ts";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "croner") throw Object.assign(new Error("Cannot find package 'croner'"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(specifier, context);
  },
});

const report = orchestrator("report", async (ctx) => undefined);

test("without the package intervals do, and cron says what to install", async () => {
  const hub = await createTestHub(withSchedules({ orchestrators: [report] }));
  await schedules(hub).create("hourly", { orchestrator: report, interval: "1h" });
  await assert.rejects(schedules(hub).create("nightly", { orchestrator: report, cron: "0 3 * * *" }), {
    code: "UNSUPPORTED",
    message: /needs the package 'croner' where its worker runs, which is not installed: npm install croner/,
  });
  assert.deepEqual(
    (await schedules(hub).list()).map(({ id }) => id),
    ["hourly"],
  );
  await hub.close();
});

test("a worker that has it not loses no tick: it is handed on, again and again, until one that has it comes", async () => {
  const configuration = configurationFrom("s", { orchestration_name: "report", cron_expression: "0 3 * * *" });
  const due = Date.UTC(2025, 0, 1);
  const state = storedSchedule({ status: "Active", token: "t", createdAt: 0, nextRunAt: due, nextTickAt: due, configuration });
  const it = testEntity(schedule, { key: "s", state, now: new Date(due) });
  await it.call.run_schedule("t");
  assert.deepEqual(it.signals, [{ entityId: "@schedule@s", operation: "run_schedule", input: "t", at: new Date(due + 60_000) }]);
  assert.deepEqual(it.state, state);
});
