// What TypeScript infers of schedules: checked by the compiler, run as little as possible.
import { test } from "node:test";
import { orchestrator } from "../authoring/define.ts";
import type { OrchestrationHandle } from "../client/orchestration-handle.ts";
import type { ScheduleClient, ScheduleHandle } from "../schedules.ts";

const report = orchestrator("report", async (ctx, input: { readonly region: string }) => input.region.length);
const sweep = orchestrator("sweep", async (ctx) => undefined);

async function typed(all: ScheduleClient): Promise<void> {
  const created: ScheduleHandle<{ readonly region: string }, number> = await all.create("a", {
    orchestrator: report,
    input: { region: "EU" },
    interval: "1h",
  });
  const run: OrchestrationHandle<number> = await created.trigger();
  await run.result();
  await created.update({ input: { region: "US" } });
  await all.create("b", { orchestrator: sweep, cron: "@daily", timeZone: "Europe/Berlin" });
  await all.create("c", { orchestrator: "in_python", input: { anything: true }, interval: { minutes: 5 } });
  await all.get(report, "a").update({ input: { region: "US" }, endAt: null });
  await all.get("c").update({ input: 5 });

  // @ts-expect-error the orchestrator has an input, which is not there
  await all.create("a", { orchestrator: report, interval: "1h" });
  // @ts-expect-error the input is another one
  await all.create("a", { orchestrator: report, input: { region: 5 }, interval: "1h" });
  // @ts-expect-error neither an interval nor a cron expression
  await all.create("b", { orchestrator: sweep });
  // @ts-expect-error both
  await all.create("b", { orchestrator: sweep, interval: "1h", cron: "@daily" });
  // @ts-expect-error an interval has no time zone
  await all.create("b", { orchestrator: sweep, interval: "1h", timeZone: "UTC" });
  // @ts-expect-error there is no such policy
  await all.create("b", { orchestrator: sweep, interval: "1h", overlap: "buffer" });
  // @ts-expect-error the input is another one
  await created.update({ input: { region: 5 } });
}

test("what schedules are made of is checked where they are made", () => void typed);
