// The commit that ended an instance was written, and the answer to it was lost: who waits for the end must be told all the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import { defaultConverter } from "../authoring/payload.ts";
import { isTerminal } from "../contract/instance.ts";
import type { Store } from "../engine/store.ts";
import { createHub } from "../hub/hub.ts";
import { limitsOf } from "../hub/open-task-hub.ts";
import { systemClock } from "../platform/clock.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import { machineClock } from "../stores/store-clock.ts";
import { createLocalBackend } from "./local-backend.ts";

const double = activity("double", async (ctx, n: number) => n * 2);
const simple = orchestrator("simple", async (ctx, n: number) => await ctx.callActivity(double, n));

test("L6 whoever waits for an instance hears of its end when the commit that ended it was refused as written before", async () => {
  const memory = createMemoryHub({ clock: machineClock() }).connect();
  let lost = 0;
  const store: Store = {
    ...memory,
    async commit(batch) {
      const results = await memory.commit(batch);
      if (!batch.some((each) => each.record !== undefined && isTerminal(each.record.status))) return results;
      lost += 1;
      return results.map(() => ({ ok: false, why: "fenced" as const }));
    },
    // Hints are hints: here nobody gets one.
    watch: () => () => undefined,
  };
  const common = { clock: systemClock, random: seededRandom(1), log: silentLogger };
  const backend = await createLocalBackend({ ...common, store });
  const hub = createHub({
    ...common,
    backend,
    converter: defaultConverter,
    limits: limitsOf(),
    processors: 1,
    hold: () => () => undefined,
  });
  await hub.startWorker({ orchestrators: [simple], activities: [double] });
  const instance = await hub.start(simple, 21);
  assert.equal(await instance.result({ timeout: "5s" }), 42);
  assert.equal(lost, 1);
  await hub.close();
});
