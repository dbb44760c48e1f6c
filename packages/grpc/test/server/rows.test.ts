// Rows of the protocol's tables that have no story of their own elsewhere, one by one, as clients and workers of other SDKs see them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  OrchestrationStatus,
  OrchestratorActionSchema,
  type OrchestratorAction,
  type ExecutionStartedEvent,
} from "../../src/generated/task_hub_sidecar_pb.js";
import { complete, kinds, raised, schedule, serveInMemory, settled, statusOf, type ForeignWorker, type World } from "./family.ts";

const { COMPLETED, CONTINUED_AS_NEW, FAILED, PENDING, RUNNING, SUSPENDED, TERMINATED } = OrchestrationStatus;

async function stateOf(world: World, instanceId: string) {
  return (await world.call("GetInstance", { instanceId, getInputsAndOutputs: true })).orchestrationState;
}

async function answer(world: World, worker: ForeignWorker, actions: readonly OrchestratorAction[], more: object = {}): Promise<string> {
  const { token, request } = await worker.turn();
  await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token, actions: [...actions], ...more });
  return request.instanceId;
}

const child = (id: number, instanceId: string): OrchestratorAction =>
  create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "createSubOrchestration", value: { instanceId, name: "child" } },
  });

const secondsOf = (ms: number) => ({ seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 });

test("PC 1 suspend shows at once, also before the first turn; twice is once, and a resume of what is not suspended changes nothing", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet" });
  await call("ResumeInstance", { instanceId: "one" });
  assert.equal((await stateOf(world, "one"))?.orchestrationStatus, PENDING);
  await call("SuspendInstance", { instanceId: "one", reason: "wait" });
  await call("SuspendInstance", { instanceId: "one", reason: "wait" });
  assert.equal((await stateOf(world, "one"))?.orchestrationStatus, SUSPENDED);
  await call("ResumeInstance", { instanceId: "one" });
  await call("ResumeInstance", { instanceId: "one" });
  const { request } = await world.worker().turn();
  // Nothing had begun, so there was nothing to interrupt.
  assert.deepEqual(kinds([...request.pastEvents, ...request.newEvents]), ["orchestratorStarted", "executionStarted"]);
});

test("PC 1 the history of an instance that has not begun is empty, and is no error", async (t) => {
  const { call, read } = await serveInMemory(t);
  await call("StartInstance", { instanceId: "one", name: "greet" });
  const chunks = await read("StreamInstanceHistory", { instanceId: "one" });
  assert.deepEqual(
    chunks.flatMap(({ events }) => events),
    [],
  );
});

test("PC 1 a query: any of the statuses, from a time on and before another, in the order of creation; names of hubs mean nothing", async (t) => {
  const world = await serveInMemory(t);
  const { call, hub } = world;
  const times: number[] = [];
  for (const batch of [["a", "b"], ["c", "d"], ["e"]]) {
    times.push(hub.clock.now());
    for (const instanceId of batch) await call("StartInstance", { instanceId, name: "greet" });
    await hub.clock.advance(1_000);
  }
  await call("TerminateInstance", { instanceId: "a" });
  await settled();
  const ids = async (query: object): Promise<string> =>
    (await call("QueryInstances", { query })).orchestrationState.map(({ instanceId }) => instanceId).join("");
  assert.equal(await ids({}), "abcde");
  assert.equal(await ids({ maxInstanceCount: 0, taskHubNames: [{ value: "another" }] }), "abcde");
  assert.equal(await ids({ createdTimeFrom: secondsOf(times[1]!), createdTimeTo: secondsOf(times[2]!) }), "cd");
  assert.equal(await ids({ runtimeStatus: [TERMINATED, RUNNING] }), "a");
  assert.equal(await ids({ runtimeStatus: [TERMINATED, PENDING], instanceIdPrefix: "a" }), "a");
});

test("PC 1 the ids of what has ended: from a time on and before another, by time and then id", async (t) => {
  const world = await serveInMemory(t);
  const { call, hub } = world;
  const times: number[] = [];
  for (const batch of [["b", "a"], ["c"], ["d"]]) {
    for (const instanceId of batch) await call("StartInstance", { instanceId, name: "greet" });
    times.push(hub.clock.now());
    for (const instanceId of batch) await call("TerminateInstance", { instanceId });
    await settled();
    await hub.clock.advance(1_000);
  }
  const ids = async (request: object): Promise<string> => (await call("ListInstanceIds", request)).instanceIds.join("");
  assert.equal(await ids({}), "abcd");
  assert.equal(await ids({ completedTimeFrom: secondsOf(times[1]!), completedTimeTo: secondsOf(times[2]!) }), "c");
  assert.equal(await ids({ runtimeStatus: [COMPLETED] }), "");
  assert.equal(await ids({ runtimeStatus: [TERMINATED], pageSize: 2 }), "ab");
});

test("PC 1 purges: a filter that names what runs removes nothing that runs; recursively, descendants are counted", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "parent", name: "greet" });
  const worker = world.worker();
  await answer(world, worker, [child(1, "kid")]);
  await answer(world, worker, [complete(1)]);
  await answer(world, worker, [complete(2)]);
  await call("StartInstance", { instanceId: "open", name: "greet" });
  const runs = await call("PurgeInstances", { request: { case: "purgeInstanceFilter", value: { runtimeStatus: [RUNNING, PENDING] } } });
  assert.deepEqual([runs.deletedInstanceCount, runs.isComplete], [0, true]);
  const all = await call("PurgeInstances", { request: { case: "instanceId", value: "parent" }, recursive: true });
  assert.deepEqual([all.deletedInstanceCount, all.isComplete], [2, true]);
  assert.equal((await call("GetInstance", { instanceId: "kid" })).exists, false);
  assert.equal((await call("GetInstance", { instanceId: "open" })).exists, true);
});

test("PC 7 what runs is terminated and then replaced where a policy says so; whoever waited goes on waiting for the new one", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: "1" });
  const worker = world.worker();
  const first = await worker.turn();
  const waits = call("WaitForInstanceCompletion", { instanceId: "one", getInputsAndOutputs: true });
  await settled();
  const replaceableStatus = [PENDING, RUNNING, SUSPENDED, TERMINATED];
  const again = { instanceId: "one", name: "greet", input: "2", orchestrationIdReusePolicy: { replaceableStatus } };
  await call("StartInstance", again);
  // The turn of the one before is nobody's any more.
  await statusOf(
    call("CompleteOrchestratorTask", { instanceId: "one", completionToken: first.token, actions: [complete(1, '"of the first"')] }),
  );
  await world.hub.clock.advance(1_000);
  for (;;) {
    const { token, request } = await worker.turn();
    const start = request.newEvents.find(({ eventType }) => eventType.case === "executionStarted")?.eventType
      .value as ExecutionStartedEvent;
    await call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [complete(1, '"of the second"')] });
    if (start.input === "2") break;
  }
  await settled();
  const state = await stateOf(world, "one");
  assert.deepEqual([state?.input, state?.output, state?.orchestrationStatus], ["2", '"of the second"', COMPLETED]);
  assert.equal((await waits).exists, true);
});

test("PC 8 a restart keeps name, input, version and tags; what runs is restarted under a new id alone", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: "1", version: "2.0", tags: { of: "mine" } });
  await call("TerminateInstance", { instanceId: "one" });
  await settled();
  const before = await stateOf(world, "one");
  const { instanceId } = await call("RestartInstance", { instanceId: "one", restartWithNewInstanceId: true });
  await call("RestartInstance", { instanceId: "one" });
  for (const id of ["one", instanceId]) {
    const state = await stateOf(world, id);
    assert.deepEqual(
      [state?.name, state?.input, state?.version, state?.tags, state?.output, state?.orchestrationStatus],
      ["greet", "1", "2.0", { of: "mine" }, undefined, PENDING],
    );
    assert.notEqual(state?.executionId, before?.executionId);
  }
});

test("quirks 6 and 7: a payload that is there and empty is none; the text null is kept as it is", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: "" });
  await call("RaiseEvent", { instanceId: "one", name: "a", input: "null" });
  await call("RaiseEvent", { instanceId: "one", name: "b", input: "" });
  const { request } = await world.worker().turn();
  const inputs = request.newEvents.flatMap(({ eventType }) =>
    eventType.case === "executionStarted" || eventType.case === "eventRaised" ? [eventType.value.input] : [],
  );
  assert.deepEqual(inputs, [undefined, "null", undefined]);
  await call("TerminateInstance", { instanceId: "one", output: "null" });
  await world.hub.clock.advance(60_000);
  await settled();
  const state = await stateOf(world, "one");
  assert.deepEqual([state?.input, state?.orchestrationStatus === TERMINATED ? state.output : "null"], [undefined, "null"]);
});

test("quirks 16 and 17: after continue-as-new a worker sees a fresh start and what was carried over, with its data untouched", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  const worker = world.worker();
  const data = '{"Some":"Data","id":[1]}';
  const again = create(OrchestratorActionSchema, {
    id: 1,
    orchestratorActionType: {
      case: "completeOrchestration",
      value: { orchestrationStatus: CONTINUED_AS_NEW, result: '"next"', carryoverEvents: [raised("Carried", data)] },
    },
  });
  await answer(world, worker, [again]);
  const { request } = await worker.turn();
  assert.deepEqual(kinds([...request.pastEvents, ...request.newEvents]), ["orchestratorStarted", "executionStarted", "eventRaised"]);
  const carried = request.newEvents[2]?.eventType.value as { name: string; input: string };
  assert.deepEqual([carried.name, carried.input], ["Carried", data]);
});

test("quirk 20: a terminate reaches the children when it says so, and only then", async (t) => {
  for (const recursive of [true, false]) {
    const world = await serveInMemory(t);
    await world.call("StartInstance", { instanceId: "parent", name: "greet" });
    const worker = world.worker();
    await answer(world, worker, [child(1, "kid")]);
    await answer(world, worker, []);
    await world.call("TerminateInstance", { instanceId: "parent", recursive });
    await settled();
    assert.equal((await stateOf(world, "parent"))?.orchestrationStatus, TERMINATED);
    assert.equal((await stateOf(world, "kid"))?.orchestrationStatus, recursive ? TERMINATED : RUNNING);
  }
});

test("quirk 23: a turn that says nothing of the custom status leaves it", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  const worker = world.worker();
  await answer(world, worker, [], { customStatus: '"busy"' });
  await world.call("RaiseEvent", { instanceId: "one", name: "go" });
  await answer(world, worker, []);
  assert.equal((await stateOf(world, "one"))?.customStatus, '"busy"');
});

test("quirks 30 and 31: who fails has a type and a message, and no output, whatever the worker left out", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  for (const [instanceId, failureDetails] of [
    ["none", undefined],
    ["empty", { errorType: "", errorMessage: "" }],
    ["some", { errorType: "ValueError", errorMessage: "no" }],
  ] as const) {
    await world.call("StartInstance", { instanceId, name: "greet" });
    const value = { orchestrationStatus: FAILED, result: "", ...(failureDetails === undefined ? {} : { failureDetails }) };
    await answer(world, worker, [
      create(OrchestratorActionSchema, { id: -1, orchestratorActionType: { case: "completeOrchestration", value } }),
    ]);
    const state = await stateOf(world, instanceId);
    assert.deepEqual([state?.orchestrationStatus, state?.output], [FAILED, undefined]);
    assert.ok(state?.failureDetails?.errorType && state.failureDetails.errorMessage, instanceId);
  }
});

test("quirks 32 and 33: an activity says whose it is, and a child who its parent is", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "parent", name: "greet" });
  const worker = world.worker();
  await answer(world, worker, [schedule(1, "work"), child(2, "kid")]);
  const items = [await worker.next(), await worker.next()];
  const activity = items.find(({ request }) => request.case === "activityRequest");
  const turn = items.find(({ request }) => request.case === "orchestratorRequest");
  assert.ok(activity?.request.case === "activityRequest" && turn?.request.case === "orchestratorRequest");
  assert.equal(activity.request.value.orchestrationInstance?.instanceId, "parent");
  assert.equal(activity.request.value.taskId, 1);
  const start = turn.request.value.newEvents[1]?.eventType.value as ExecutionStartedEvent;
  const { parentInstance } = start;
  assert.deepEqual([parentInstance?.orchestrationInstance?.instanceId, parentInstance?.taskScheduledId], ["parent", 2]);
  assert.notEqual(parentInstance?.orchestrationInstance?.executionId ?? "", "");
  assert.equal(parentInstance?.name, "greet");
});

test("quirk 25: as many streams as there are workers", async (t) => {
  const world = await serveInMemory(t);
  const workers = Array.from({ length: 20 }, () => world.worker());
  await settled();
  assert.equal(world.service.counters()["streams"], workers.length);
});
