// The past that a worker of another SDK is sent is the history that its store has, whatever happened before: a wrong one would be replayed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import { partsOf, seededRandom, type HistoryEvent as StoredEvent } from "ostinato/contract";
import { encodeEvents } from "../../src/codec/events.ts";
import {
  HistoryEventSchema,
  OrchestrationStatus,
  OrchestratorActionSchema,
  type HistoryEvent,
  type OrchestratorAction,
  type OrchestratorRequest,
} from "../../src/generated/task_hub_sidecar_pb.js";
import { complete, raised, schedule, serveInMemory, settled, timer, type ForeignWorker } from "./family.ts";

const SEEDS = 12;
const STEPS = 300;
const IDS = ["one", "two", "three"];
/** What an operator writes while a turn is out: it is in the store, and not in the past of that turn. */
const MEANWHILE = new Set(["ExecutionSuspended", "ExecutionResumed"]);

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`KP1 KP2 whatever workers answer and operators do, the past of each turn is the history of its instance (seed ${seed})`, async (t) => {
    const random = seededRandom(seed);
    const below = (count: number): number => Math.floor(random.fraction() * count);
    const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
    // Nothing, a little or everything is kept.
    const historyCacheBytes = [0, 4_000, 1_000_000][seed % 3]!;
    const world = await serveInMemory(t, { historyCacheBytes, reconnectGrace: "2s" });
    const { backend } = partsOf(world.hub);
    const inHand: { token: string; request: OrchestratorRequest }[] = [];
    const activities: { token: string; instanceId: string; taskId: number }[] = [];
    let compared = 0;
    let withPast = 0;

    const historyOf = async (id: string): Promise<readonly StoredEvent[]> => {
      const all: StoredEvent[] = [];
      for await (const page of backend.history(id)) all.push(...page);
      return all;
    };
    const compare = async (request: OrchestratorRequest): Promise<void> => {
      const { instanceId, executionId, pastEvents, newEvents } = request;
      const stored = await historyOf(instanceId);
      const found = await backend.get(instanceId);
      const isRewind = newEvents.some(({ eventType }) => eventType.case === "executionRewound");
      if (found?.record.executionId !== executionId || isRewind) return;
      const [past, rest] = [stored.slice(0, pastEvents.length), stored.slice(pastEvents.length)];
      assert.deepEqual(shown(pastEvents), shown(encodeEvents(past, "family")), `the past of '${instanceId}'`);
      assert.deepEqual(
        rest.map(({ kind }) => kind).filter((kind) => !MEANWHILE.has(kind)),
        [],
        `'${instanceId}': the past ends early`,
      );
      compared += 1;
      if (pastEvents.length > 0) withPast += 1;
    };
    const take = async (worker: ForeignWorker): Promise<void> => {
      await settled();
      while (worker.waiting.length > 0) {
        const item = await worker.next();
        if (item.request.case === "orchestratorRequest") {
          inHand.push({ token: item.completionToken, request: item.request.value });
          await compare(item.request.value);
        } else if (item.request.case === "activityRequest") {
          const { taskId, orchestrationInstance } = item.request.value;
          activities.push({ token: item.completionToken, taskId, instanceId: orchestrationInstance?.instanceId ?? "" });
        }
      }
    };
    const actionsOf = (request: OrchestratorRequest): readonly OrchestratorAction[] => {
      const id = 1 + [...request.pastEvents, ...request.newEvents].reduce((most, { eventId }) => Math.max(most, eventId), 0);
      const actions = Array.from({ length: below(4) }, (_, at): OrchestratorAction =>
        oneOf<() => OrchestratorAction>([
          () => schedule(id + at, "work", `"${id}"`),
          () => timer(id + at, new Date(world.hub.clock.now() + 1_000 * below(20))),
          () => sendEvent(id + at, oneOf(IDS)),
          () => child(id + at, `${request.instanceId}-child-${below(3)}`),
        ])(),
      );
      if (below(6) !== 0) return actions;
      const carried = below(2) === 0 ? [raised("carried", "1")] : [];
      return oneOf([
        [...actions, complete(id + 10, '"ok"')],
        [...actions, complete(id + 10, undefined, OrchestrationStatus.FAILED)],
        [...actions, again(id + 10, carried)],
      ]);
    };
    const answer = async (): Promise<void> => {
      const [turn] = inHand.splice(below(inHand.length), 1);
      if (turn === undefined) return;
      const { token: completionToken, request } = turn;
      const { instanceId } = request;
      if (below(12) === 0) return void (await quietly(world.call("AbandonTaskOrchestratorWorkItem", { completionToken })));
      const extra = oneOf<object>([
        {},
        {},
        {},
        { customStatus: '"busy"' },
        { numEventsProcessed: 1 + below(request.newEvents.length) },
        { requiresHistory: true },
      ]);
      await quietly(world.call("CompleteOrchestratorTask", { instanceId, completionToken, actions: [...actionsOf(request)], ...extra }));
    };
    const work = async (): Promise<void> => {
      const [done] = activities.splice(below(activities.length), 1);
      if (done === undefined) return;
      const { token: completionToken, instanceId, taskId } = done;
      const failed = { failureDetails: { errorType: "Error", errorMessage: "no" } };
      await quietly(
        world.call("CompleteActivityTask", { instanceId, taskId, completionToken, ...(below(3) === 0 ? failed : { result: "1" }) }),
      );
    };

    const workers = [world.worker({ capabilities: [] }), world.worker({ capabilities: [] })];
    for (let step = 0; step < STEPS; step++) {
      const instanceId = oneOf(IDS);
      const at = below(workers.length);
      const ops: readonly (() => Promise<unknown>)[] = [
        answer,
        answer,
        answer,
        work,
        work,
        () => world.call("StartInstance", { instanceId, name: "greet", orchestrationIdReusePolicy: { replaceableStatus: [...ENDED] } }),
        () => world.call("RaiseEvent", { instanceId, name: "go", input: `${step}` }),
        () => world.call("RaiseEvent", { instanceId, name: "go", input: `${step}` }),
        () => world.hub.clock.advance(1_000 * below(5)),
        () => world.hub.clock.advance(100),
        () => world.call("SuspendInstance", { instanceId }),
        () => world.call("ResumeInstance", { instanceId }),
        () => world.call("ResumeInstance", { instanceId }),
        () => world.call("RewindInstance", { instanceId }),
        () => (below(6) === 0 ? world.call("TerminateInstance", { instanceId }) : Promise.resolve()),
        () => (below(6) === 0 ? world.hub.clock.advance(70_000) : Promise.resolve()),
        async () => {
          if (below(4) !== 0) return;
          workers[at]!.cancel();
          workers[at] = world.worker({ capabilities: [] });
        },
      ];
      await quietly(oneOf(ops)());
      for (const worker of workers) await take(worker);
    }
    assert.ok(compared > 20, `only ${compared} turns`);
    assert.ok(withPast > 8, `only ${withPast} turns had a past`);
  });
}

const { COMPLETED, FAILED, TERMINATED } = OrchestrationStatus;
const ENDED = [COMPLETED, FAILED, TERMINATED];

function shown(events: readonly HistoryEvent[]): readonly unknown[] {
  return events.map((event) => toJson(HistoryEventSchema, event));
}

/** What is refused is no matter here. */
async function quietly(call: Promise<unknown>): Promise<void> {
  await call.catch(() => undefined);
}

function sendEvent(id: number, instanceId: string): OrchestratorAction {
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "sendEvent", value: { instance: { instanceId }, name: "sent", data: "1" } },
  });
}

function child(id: number, instanceId: string): OrchestratorAction {
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "createSubOrchestration", value: { instanceId, name: "greet" } },
  });
}

function again(id: number, carryoverEvents: readonly HistoryEvent[]): OrchestratorAction {
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: {
      case: "completeOrchestration",
      value: { orchestrationStatus: OrchestrationStatus.CONTINUED_AS_NEW, result: '"next"', carryoverEvents: [...carryoverEvents] },
    },
  });
}
