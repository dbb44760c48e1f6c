// The backend conformance kit once more, and every history that a story leaves behind is replayed afterwards by the code that made it.
//
// Always:  what ran here replays to the same. An instance may differ only where the story shows it stalled, or serves it by nobody.

import assert from "node:assert/strict";
import { backendConformance } from "../src/conformance/backend/index.ts";
import type { HubUnderTest } from "../src/conformance/backend/world.ts";
import { checkInstances } from "../src/history/check-instances.ts";
import { replay } from "../src/history/replay.ts";
import type { ReplayResult } from "../src/history/report.ts";
import type { Hub } from "../src/hub/hub.ts";
import { createMemoryHub } from "../src/stores/memory/memory-store.ts";
import { createQuiet } from "../src/testing/quiet.ts";
import { createVirtualClock } from "../src/testing/virtual-clock.ts";
import type { WorkerOptions } from "../src/worker/worker.ts";
import { mortalHub } from "./mortal-hub.ts";

backendConformance("memory, every history replayed", async (request) => {
  const quiet = createQuiet();
  const clock = createVirtualClock(Date.UTC(2025, 0, 1), quiet);
  const memory = createMemoryHub({ clock });
  let lives = 0;
  return replayed(await mortalHub({ connect: () => memory.connect(`life ${++lives}`), virtual: { clock, quiet } }, request));
});

/** Programs of the kit that depend on what a replay cannot know: that it is one, how often a body has run, what is called from outside of it. */
const IMPURE = /"isReplaying":|Error: run \d|backend\/determinism\.ts/;

/** The hub, with a replay of everything before it is disposed of. */
function replayed(under: HubUnderTest): HubUnderTest {
  const workers: WorkerOptions[] = [];
  let latest = under.hub;
  const watched = (hub: Hub): Hub => {
    latest = hub;
    return {
      ...hub,
      async startWorker(options) {
        const worker = await hub.startWorker(options);
        workers.push(options);
        return worker;
      },
    };
  };
  const restart = under.restart && (() => under.restart!().then(watched));
  return {
    ...under,
    hub: watched(under.hub),
    ...(restart === undefined ? {} : { restart }),
    async dispose() {
      try {
        await replayEverything(latest, workers);
      } finally {
        await under.dispose();
      }
    },
  };
}

async function replayEverything(hub: Hub, workers: readonly WorkerOptions[]): Promise<void> {
  const verdicts = new Map<string, ReplayResult[]>();
  const onResult = (result: ReplayResult): void => {
    const { id, executionId } = result.instance;
    const key = `${id} ${executionId}`;
    verdicts.set(key, [...(verdicts.get(key) ?? []), result]);
  };
  try {
    for (const { orchestrators = [], versioning } of workers) {
      const programs = { orchestrators, ...(versioning === undefined ? {} : { versioning }) };
      await replay(hub.histories(), programs, { onResult });
      await checkInstances(hub, programs, { onResult });
    }
  } catch (error) {
    if ((error as { code?: unknown }).code === "HUB_CLOSED") return; // the story was about that
    throw error;
  }
  for (const [key, results] of verdicts) {
    const [{ instance }] = results as [ReplayResult];
    const asExpected = results.some(({ verdict }) => verdict === "same") || results.every(({ verdict }) => verdict === "not-registered");
    if (asExpected || (await hub.instance(instance.id).status())?.stall !== undefined) continue;
    if (results.some((result) => "reason" in result && IMPURE.test(result.reason))) continue;
    assert.fail(`${key} (${instance.status}): ${results.map((result) => ("reason" in result ? result.reason : "")).join("\n")}`);
  }
}
