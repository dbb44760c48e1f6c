// A worker of another SDK behind a network that loses, doubles and cuts: every instance ends as its program says, and no turn counts twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "ostinato/contract";
import type { HistoryEvent, OrchestratorAction, WorkItem } from "../../src/generated/task_hub_sidecar_pb.js";
import { OrchestrationStatus } from "../../src/generated/task_hub_sidecar_pb.js";
import { inMemoryChannel, type CallFault, type OutgoingCall } from "../../src/transport/in-memory.ts";
import { complete, familyHub, kinds, schedule, statusOf, worldOf, type ForeignWorker, type World } from "./family.ts";
import { createTaskHubService } from "../../src/server/task-hub-service.ts";

const INSTANCES = 15;
const STEPS = 4;

function faultsOf(random: Random): (call: OutgoingCall) => CallFault | undefined {
  return ({ kind, method }) => {
    const chance = random.fraction();
    if (kind === "stream") return chance < 0.5 ? { kind: "cutAfter", messages: 1 + Math.floor(random.fraction() * 12) } : undefined;
    if (method === "StartInstance" || method === "GetInstance" || chance > 0.3) return undefined;
    if (chance < 0.1) return { kind: "loseCall" };
    if (chance < 0.2) return { kind: "loseReply" };
    return { kind: "deliverTwice" };
  };
}

/** The program: one step after the other, then their number. */
function nextActions(past: readonly HistoryEvent[], latest: readonly HistoryEvent[]): readonly OrchestratorAction[] {
  const all = kinds([...past, ...latest]);
  const done = all.filter((kind) => kind === "taskCompleted").length;
  const asked = all.filter((kind) => kind === "taskScheduled").length;
  if (done < asked) return [];
  return asked < STEPS ? [schedule(asked, "step")] : [complete(asked, String(done))];
}

/** Says it again for as long as nobody has answered. */
async function insisting(call: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 20; tries++) if ((await statusOf(call())) !== "UNAVAILABLE") return;
  throw new Error("Nobody ever answered.");
}

/** Works until its stream ends. */
async function work(world: World, worker: ForeignWorker): Promise<void> {
  const ended = worker.ended.then(() => undefined);
  for (;;) {
    const item: WorkItem | undefined = await Promise.race([worker.next(), ended]);
    if (item === undefined) return;
    const { request, completionToken } = item;
    if (request.case === "orchestratorRequest") {
      const { instanceId, pastEvents, newEvents } = request.value;
      const actions = [...nextActions(pastEvents, newEvents)];
      await insisting(() => world.call("CompleteOrchestratorTask", { instanceId, completionToken, actions }));
    } else if (request.case === "activityRequest") {
      const { orchestrationInstance, taskId } = request.value;
      const instanceId = orchestrationInstance!.instanceId;
      await insisting(() => world.call("CompleteActivityTask", { instanceId, taskId, completionToken, result: "1" }));
    }
  }
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`every instance ends right, whatever the network does (seed ${seed})`, async (t) => {
    const hub = await familyHub();
    const service = createTaskHubService(hub, { reconnectGrace: "2s" });
    const bad = inMemoryChannel(service, { timers: hub.clock, fault: faultsOf(seededRandom(seed)) });
    const world = worldOf(hub, service, {}, bad);
    t.after(async () => {
      await service.close({ graceMs: 0 });
      await hub.close();
    });
    const ids = Array.from({ length: INSTANCES }, (_, index) => `one-${index}`);
    for (const instanceId of ids) await world.call("StartInstance", { instanceId, name: "steps" });
    let isOver = false;
    const working = (async () => {
      while (!isOver) await work(world, world.worker({ maxConcurrentOrchestrationWorkItems: 4, maxConcurrentActivityWorkItems: 4 }));
    })();
    const isEnded = async (instanceId: string): Promise<boolean> =>
      (await world.call("GetInstance", { instanceId })).orchestrationState?.orchestrationStatus === OrchestrationStatus.COMPLETED;
    for (let rounds = 0; !(await Promise.all(ids.map(isEnded))).every(Boolean); rounds++) {
      assert.ok(rounds < 2_000, `it never ends: ${JSON.stringify({ ...service.counters(), ...hub.counters() })}`);
      await hub.clock.advance(500);
    }
    isOver = true;
    bad.cutStreams();
    await working;
    await hub.clock.advance(3_000);
    for (const instanceId of ids) {
      const { orchestrationState } = await world.call("GetInstance", { instanceId, getInputsAndOutputs: true });
      assert.equal(orchestrationState?.output, String(STEPS));
      const history: HistoryEvent[] = [];
      for (const chunk of await worldOf(hub, service).read("StreamInstanceHistory", { instanceId })) history.push(...chunk.events);
      const seen = kinds(history);
      assert.equal(seen.filter((kind) => kind === "taskScheduled").length, STEPS, seen.join(" "));
      assert.equal(seen.filter((kind) => kind === "taskCompleted").length, STEPS, seen.join(" "));
      assert.equal(seen.filter((kind) => kind === "executionStarted").length, 1);
    }
    const { streams, itemsOut, historyCacheBytes } = service.counters();
    assert.deepEqual([streams, itemsOut, historyCacheBytes], [0, 0, 0]);
  });
}
