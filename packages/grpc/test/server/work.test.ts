// Work over the wire, as workers of other SDKs take it: what they are sent, what their answers do, and what becomes of those that are late,
// doubled, forged or in parts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { partsOf } from "ostinato/contract";
import {
  OrchestrationStatus,
  OrchestratorActionSchema,
  WorkerCapability,
  type OrchestratorAction,
} from "../../src/generated/task_hub_sidecar_pb.js";
import { requestWith, writeRequest } from "../../src/codec/messages.ts";
import { inMemoryChannel } from "../../src/transport/in-memory.ts";
import { complete, kinds, raised, schedule, serveInMemory, settled, statusOf, timer, type ForeignWorker, type World } from "./family.ts";

const { COMPLETED, CONTINUED_AS_NEW, FAILED, RUNNING, TERMINATED } = OrchestrationStatus;

async function started(world: World, instanceId: string, more: object = {}): Promise<void> {
  await world.call("StartInstance", { instanceId, name: "greet", ...more });
}

/** Answers the worker's next turn. */
async function answer(world: World, worker: ForeignWorker, actions: readonly OrchestratorAction[], more: object = {}): Promise<void> {
  const { token, request } = await worker.turn();
  await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token, actions: [...actions], ...more });
}

async function stateOf(world: World, instanceId: string) {
  const { orchestrationState } = await world.call("GetInstance", { instanceId, getInputsAndOutputs: true });
  return orchestrationState;
}

test("a first turn has no past, begins with OrchestratorStarted and the start, and carries all that SDKs look for", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one", { input: '"Ada"', version: "1.0", tags: { team: "it" } });
  const { token, request } = await world.worker().turn();
  assert.match(token, /^[0-9a-f]{32}$/);
  assert.deepEqual(request.pastEvents, []);
  assert.deepEqual(kinds(request.newEvents), ["orchestratorStarted", "executionStarted"]);
  assert.equal(request.instanceId, "one");
  assert.match(request.executionId ?? "", /^[0-9a-f]{32}$/);
  assert.notEqual(request.entityParameters, undefined);
  assert.equal(request.requiresHistoryStreaming, false);
  assert.equal(request.own, undefined, "nothing of ours is sent to others");
  const start = request.newEvents[1]!.eventType.value as {
    input: string;
    version: string;
    tags: object;
    orchestrationInstance: object;
    own: unknown;
  };
  assert.deepEqual([start.input, start.version, start.tags, start.own], ['"Ada"', "1.0", { team: "it" }, undefined]);
  assert.deepEqual(
    { ...start.orchestrationInstance },
    { $typeName: "OrchestrationInstance", instanceId: "one", executionId: request.executionId },
  );
});

test("an orchestration with an activity and a timer runs to its end; each turn is sent its whole past, and the store is read for none", async (t) => {
  const world = await serveInMemory(t);
  const { call, hub } = world;
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(1, "hello", '"Ada"')]);
  const activity = await worker.activity();
  assert.deepEqual([activity.request.name, activity.request.input, activity.request.taskId], ["hello", '"Ada"', 1]);
  assert.equal(activity.request.orchestrationInstance?.instanceId, "one");
  assert.equal(activity.request.own, undefined);
  await call("CompleteActivityTask", { instanceId: "one", taskId: 1, completionToken: activity.token, result: '"Hello Ada"' });
  const second = await worker.turn();
  assert.deepEqual(kinds(second.request.pastEvents), ["orchestratorStarted", "executionStarted", "taskScheduled"]);
  assert.deepEqual(kinds(second.request.newEvents), ["orchestratorStarted", "taskCompleted"]);
  await call("CompleteOrchestratorTask", {
    instanceId: "one",
    completionToken: second.token,
    customStatus: '"waiting"',
    actions: [timer(2, new Date(hub.clock.now() + 60_000))],
  });
  assert.equal((await stateOf(world, "one"))?.customStatus, '"waiting"');
  await hub.clock.advance(59_000);
  assert.equal(worker.waiting.length, 0);
  await hub.clock.advance(2_000);
  await answer(world, worker, [complete(3, '"done"')]);
  const state = await stateOf(world, "one");
  assert.deepEqual([state?.orchestrationStatus, state?.output, state?.customStatus], [COMPLETED, '"done"', '"waiting"']);
  assert.equal(hub.counters()["coldLoads"] ?? 0, 0, "no turn read the store");
  const history = (await world.read("StreamInstanceHistory", { instanceId: "one" })).flatMap(({ events }) => events);
  assert.equal(history.length, 9);
  assert.equal(world.service.counters()["historyCacheBytes"], 0, "what has ended is forgotten");
});

test("where the past is not kept, the turn still gets it: it is read", async (t) => {
  const world = await serveInMemory(t, { historyCacheBytes: 0 });
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(1, "hello")]);
  const { token } = await worker.activity();
  await world.call("CompleteActivityTask", { instanceId: "one", taskId: 1, completionToken: token });
  const { request } = await worker.turn();
  assert.deepEqual(kinds(request.pastEvents), ["orchestratorStarted", "executionStarted", "taskScheduled"]);
  assert.equal(world.hub.counters()["coldLoads"], 1);
});

test("an operator's change between two turns makes what is kept worthless: the next turn has the past with it", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, []);
  await world.call("SuspendInstance", { instanceId: "one" });
  await world.call("ResumeInstance", { instanceId: "one" });
  await world.call("RaiseEvent", { instanceId: "one", name: "go", input: "1" });
  let past: readonly (string | undefined)[] = [];
  let latest: readonly (string | undefined)[] = [];
  do {
    const { token, request } = await worker.turn();
    past = kinds(request.pastEvents);
    latest = kinds(request.newEvents);
    await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [] });
  } while (!latest.includes("eventRaised"));
  const all = [...past, ...latest];
  assert.ok(all.includes("executionSuspended") && all.includes("executionResumed"), all.join(" "));
  assert.deepEqual(all.slice(0, 2), ["orchestratorStarted", "executionStarted"]);
});

test("quirk 1: who echoes no token is matched by the names of its item", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  await started(world, "two");
  const worker = world.worker();
  await worker.turn();
  await worker.turn();
  await world.call("CompleteOrchestratorTask", { instanceId: "two", actions: [schedule(0, "hello"), schedule(1, "hello")] });
  const [first, second] = [await worker.activity(), await worker.activity()];
  await world.call("CompleteActivityTask", { instanceId: "two", taskId: second.request.taskId, result: "2" });
  await world.call("CompleteActivityTask", { instanceId: "two", taskId: first.request.taskId, result: "1" });
  assert.equal(await statusOf(world.call("CompleteActivityTask", { instanceId: "two", taskId: 7 })), "NOT_FOUND");
  assert.equal(await statusOf(world.call("CompleteOrchestratorTask", { instanceId: "three" })), "NOT_FOUND");
  await world.call("CompleteOrchestratorTask", { instanceId: "one", actions: [complete(0)] });
  assert.equal((await stateOf(world, "one"))?.orchestrationStatus, COMPLETED);
});

test("quirks 3 and 4: ids begin at 0, and a next attempt comes under the id of the one before", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(0, "hello")]);
  const first = await worker.activity();
  assert.equal(first.request.taskId, 0);
  const failureDetails = { errorType: "Oops", errorMessage: "not today" };
  await world.call("CompleteActivityTask", { instanceId: "one", taskId: 0, completionToken: first.token, failureDetails });
  await answer(world, worker, [schedule(0, "hello")]);
  const second = await worker.activity();
  await world.call("CompleteActivityTask", { instanceId: "one", taskId: 0, completionToken: second.token, result: "1" });
  const { request } = await worker.turn();
  const past = ["orchestratorStarted", "executionStarted", "taskScheduled", "orchestratorStarted", "taskFailed", "taskScheduled"];
  assert.deepEqual([kinds(request.pastEvents), kinds(request.newEvents)], [past, ["orchestratorStarted", "taskCompleted"]]);
});

test("PC 2.5 an answer that was applied may come again and does nothing; one that nobody knows is refused", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  const { token } = await worker.turn();
  const done = { instanceId: "one", completionToken: token, actions: [complete(1, '"first"')] };
  await world.call("CompleteOrchestratorTask", done);
  await world.call("CompleteOrchestratorTask", { ...done, actions: [complete(1, '"second"')] });
  assert.equal((await stateOf(world, "one"))?.output, '"first"');
  for (const forged of ["0", token.slice(1), `${token}0`, token.toUpperCase(), "f".repeat(32)])
    assert.equal(await statusOf(world.call("CompleteOrchestratorTask", { ...done, completionToken: forged })), "NOT_FOUND", forged);
  const { completions, completionsDuplicate, completionsUnknown } = world.service.counters();
  assert.deepEqual([completions, completionsDuplicate, completionsUnknown], [1, 1, 5]);
});

test("AUTHZ-4 an answer that names another instance, task or kind than its token stands for is refused, and the item stays out", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  await started(world, "two");
  const worker = world.worker();
  const [one, two] = [await worker.turn(), await worker.turn()];
  assert.equal(
    await statusOf(world.call("CompleteOrchestratorTask", { instanceId: "two", completionToken: one.token, actions: [complete(1)] })),
    "INVALID_ARGUMENT",
  );
  assert.equal(await statusOf(world.call("CompleteActivityTask", { instanceId: "one", completionToken: one.token })), "INVALID_ARGUMENT");
  await world.call("CompleteOrchestratorTask", {
    instanceId: "two",
    completionToken: two.token,
    actions: [schedule(1, "hello"), schedule(2, "hello")],
  });
  const activity = await worker.activity();
  const wrongTask = { instanceId: "two", taskId: 2, completionToken: activity.token };
  assert.equal(activity.request.taskId, 1);
  assert.equal(await statusOf(world.call("CompleteActivityTask", wrongTask)), "INVALID_ARGUMENT");
  assert.equal(await statusOf(world.call("CompleteActivityTask", { ...wrongTask, taskId: 1 })), "OK");
  assert.equal(
    await statusOf(world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: one.token, actions: [complete(1)] })),
    "OK",
  );
  assert.equal(world.hub.logged.filter(({ message }) => /an answer was refused/.test(message)).length, 3);
});

test("SEC3 ten thousand forged tokens: none is accepted", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const { token } = await world.worker().turn();
  let accepted = 0;
  for (let round = 0; round < 10_000; round++) {
    const digits = [...token];
    digits[round % 32] = ((Number.parseInt(digits[round % 32]!, 16) + 1 + (round >> 5)) % 16).toString(16);
    const forged = digits.join("");
    if (forged === token) continue;
    if ((await statusOf(world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: forged }))) === "OK") accepted++;
  }
  assert.equal(accepted, 0);
});

test("quirk 2: actions come in any order; they are applied by their ids, and the completion last", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(2, "second"), schedule(0, "zeroth"), schedule(1, "first")]);
  const names = [(await worker.activity()).request.name, (await worker.activity()).request.name, (await worker.activity()).request.name];
  assert.deepEqual(names, ["zeroth", "first", "second"]);
  await world.call("RaiseEvent", { instanceId: "one", name: "go" });
  await answer(world, worker, [complete(3, '"done"'), schedule(4, "late")]);
  assert.equal((await stateOf(world, "one"))?.output, '"done"');
});

test("an activity's failure travels whole, and one with an empty message is a failure all the same", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(1, "hello")]);
  const { token } = await worker.activity();
  await world.call("CompleteActivityTask", {
    instanceId: "one",
    taskId: 1,
    completionToken: token,
    failureDetails: {
      errorType: "Oops",
      errorMessage: "",
      isNonRetriable: true,
      innerFailure: { errorType: "Inner", errorMessage: "deep" },
    },
  });
  const { request } = await worker.turn();
  const failed = request.newEvents.find(({ eventType }) => eventType.case === "taskFailed")!.eventType.value as {
    failureDetails: { errorType: string; isNonRetriable: boolean; innerFailure: { errorMessage: string } };
  };
  assert.deepEqual(
    [failed.failureDetails.errorType, failed.failureDetails.isNonRetriable, failed.failureDetails.innerFailure.errorMessage],
    ["Oops", true, "deep"],
  );
});

test("PC 3.5 continue-as-new begins again with a fresh execution, and what was carried over comes first", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one", { input: "1" });
  const worker = world.worker();
  const first = await worker.turn();
  const again = complete(1, "2", CONTINUED_AS_NEW);
  (again.orchestratorActionType.value as { carryoverEvents: unknown[] }).carryoverEvents = [raised("go", '"early"')];
  await world.call("RaiseEvent", { instanceId: "one", name: "go", input: '"late"' });
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: first.token, actions: [again] });
  const second = await worker.turn();
  assert.deepEqual(second.request.pastEvents, []);
  assert.notEqual(second.request.executionId, first.request.executionId);
  assert.deepEqual(kinds(second.request.newEvents), ["orchestratorStarted", "executionStarted", "eventRaised", "eventRaised"]);
  const inputs = second.request.newEvents.slice(1).map(({ eventType }) => (eventType.value as { input: string }).input);
  assert.deepEqual(inputs, ["2", '"early"', '"late"']);
  assert.equal((await stateOf(world, "one"))?.orchestrationStatus, RUNNING);
});

test("quirk 10: an answer in parts is applied when its last part has come, and whole", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  const { token } = await worker.turn();
  const part = (chunkIndex: number, isPartial: boolean, actions: OrchestratorAction[]) =>
    world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, chunkIndex, isPartial, actions });
  await part(0, true, [schedule(1, "first")]);
  await part(1, true, [schedule(2, "second")]);
  await part(1, true, [schedule(2, "second")]);
  await settled();
  assert.equal(worker.waiting.length, 0, "nothing of it was done yet");
  await part(2, false, [schedule(3, "third")]);
  const names = [(await worker.activity()).request.name, (await worker.activity()).request.name, (await worker.activity()).request.name];
  assert.deepEqual(names, ["first", "second", "third"]);
  await settled();
  assert.equal(worker.waiting.length, 0, "a part that came twice counts once");
});

test("an answer whose parts are not all there is refused, and may be sent again", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const { token } = await world.worker().turn();
  const part = (chunkIndex: number, isPartial: boolean, actions: OrchestratorAction[]) =>
    world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, chunkIndex, isPartial, actions });
  await part(0, true, [schedule(1, "first")]);
  assert.equal(await statusOf(part(2, false, [complete(3)])), "INVALID_ARGUMENT");
  await part(1, true, []);
  await part(2, false, [complete(3)]);
  assert.equal((await stateOf(world, "one"))?.orchestrationStatus, COMPLETED);
});

test("a worker that has lost its history asks for it, and is sent the same turn with all of it", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, []);
  await world.call("RaiseEvent", { instanceId: "one", name: "go" });
  const { token, request } = await worker.turn();
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, requiresHistory: true });
  const again = await worker.turn();
  assert.notEqual(again.token, token);
  assert.deepEqual(kinds(again.request.pastEvents), kinds(request.pastEvents));
  assert.deepEqual(kinds(again.request.newEvents), kinds(request.newEvents));
});

test("PC 3.1 what a worker said of its span is said to it again with the next turn of the execution", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [], { orchestrationTraceContext: { spanID: "00f067aa0ba902b7", spanStartTime: { seconds: 5n, nanos: 7 } } });
  await world.call("RaiseEvent", { instanceId: "one", name: "go" });
  const { request } = await worker.turn();
  assert.equal(request.orchestrationTraceContext?.spanID, "00f067aa0ba902b7");
  assert.equal(request.orchestrationTraceContext?.spanStartTime?.nanos, 7);
});

test("quirk 9: a long past is streamed to workers that can read it, as it was when the turn was sent; the others get it inline", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  const long = "x".repeat(700_000);
  for (const [instanceId, capabilities] of [
    ["streams", [WorkerCapability.HISTORY_STREAMING, 99 as WorkerCapability]],
    ["inline", []],
  ] as const) {
    await started(world, instanceId, { input: long });
    const worker = world.worker({ capabilities: [...capabilities] });
    await answer(world, worker, []);
    await call("RaiseEvent", { instanceId, name: "go", input: long });
    await answer(world, worker, []);
    await call("RaiseEvent", { instanceId, name: "go", input: "1" });
    const { request } = await worker.turn();
    const all = ["orchestratorStarted", "executionStarted", "orchestratorStarted", "eventRaised"];
    if (instanceId === "inline") assert.deepEqual([request.requiresHistoryStreaming, kinds(request.pastEvents)], [false, all]);
    else {
      assert.deepEqual([request.requiresHistoryStreaming, request.pastEvents], [true, []]);
      assert.deepEqual(kinds(request.newEvents), ["orchestratorStarted", "eventRaised"]);
      await call("TerminateInstance", { instanceId });
      const asked = { instanceId, executionId: request.executionId!, forWorkItemProcessing: true };
      const chunks = await world.read("StreamInstanceHistory", asked);
      assert.deepEqual(kinds(chunks.flatMap(({ events }) => events)), all);
      assert.ok(chunks.length >= 2);
      assert.equal(await statusOf(world.read("StreamInstanceHistory", { ...asked, executionId: "another" })), "NOT_FOUND");
    }
    worker.cancel();
    await settled();
  }
});

test("a turn that its worker cannot take is set aside with the reason; clients of Node take any length", async (t) => {
  const world = await serveInMemory(t, { itemBytes: 10_000 });
  await started(world, "one", { input: "x".repeat(20_000) });
  await started(world, "small");
  const worker = world.worker();
  assert.equal((await worker.turn()).request.instanceId, "small");
  const found = await partsOf(world.hub).backend.get("one");
  assert.match(found?.record.stall?.reason ?? "", /makes a message of \d+ bytes, and its worker is believed to take 10000/);
  worker.cancel();
  await world.hub.clock.advance(11_000);
  await world.call("SuspendInstance", { instanceId: "one" });
  await world.call("ResumeInstance", { instanceId: "one" });
  const node = world.worker({}, { "user-agent": "grpc-node-js/1.13.0" });
  const ids = [(await node.turn()).request.instanceId, (await node.turn()).request.instanceId];
  assert.deepEqual(ids.sort(), ["one", "small"]);
});

test("an activity that its worker cannot take fails, and is not tried again", async (t) => {
  const world = await serveInMemory(t, { itemBytes: 10_000 });
  await started(world, "one");
  const worker = world.worker({ capabilities: [1] });
  await answer(world, worker, [schedule(1, "hello", "x".repeat(20_000))]);
  const failure = await nextFailure(worker);
  assert.deepEqual([failure.errorType, failure.isNonRetriable], ["WorkItemTooLarge", true]);
});

async function nextFailure(worker: ForeignWorker) {
  const { request } = await worker.turn();
  const failed = request.newEvents.find(({ eventType }) => eventType.case === "taskFailed")!.eventType.value as {
    failureDetails: { errorType: string; isNonRetriable: boolean };
  };
  return failed.failureDetails;
}

test("quirk 8: a limit is kept, also for turns whose past is at hand; 0 is none", async (t) => {
  const world = await serveInMemory(t);
  for (const id of ["a", "b", "c"]) await started(world, id);
  const worker = world.worker({ maxConcurrentOrchestrationWorkItems: 1, maxConcurrentActivityWorkItems: 1 });
  for (let turn = 0; turn < 3; turn++) {
    const { token, request } = await worker.turn();
    await settled();
    assert.equal(worker.waiting.length, 0);
    await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token });
  }
  for (const instanceId of ["a", "b", "c"]) await world.call("RaiseEvent", { instanceId, name: "go" });
  for (let turn = 0; turn < 3; turn++) {
    const { token, request } = await worker.turn();
    await settled();
    assert.equal(worker.waiting.length, 0, "their pasts are here, and still one comes after the other");
    const actions = turn === 0 ? [schedule(1, "hello"), schedule(2, "hello"), schedule(3, "hello")] : [];
    await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token, actions });
    if (turn > 0) continue;
    for (let done = 0; done < 3; done++) {
      const item = await nextActivityAmong(worker);
      await settled();
      assert.equal(worker.waiting.filter((each) => each.request.case === "activityRequest").length, 0);
      await world.call("CompleteActivityTask", { instanceId: item.instanceId, taskId: item.taskId, completionToken: item.token });
    }
  }
  worker.cancel();
  await settled();
  for (let count = 0; count < 20; count++) await started(world, `many-${count}`);
  const open = world.worker();
  for (let count = 0; count < 20; count++) await open.turn();
});

/** The next activity, past turns that have come before it. */
async function nextActivityAmong(worker: ForeignWorker): Promise<{ instanceId: string; taskId: number; token: string }> {
  const turns = [];
  for (;;) {
    const item = await worker.next();
    if (item.request.case === "activityRequest") {
      (worker.waiting as unknown[]).unshift(...turns);
      const { orchestrationInstance, taskId } = item.request.value;
      return { instanceId: orchestrationInstance!.instanceId, taskId, token: item.completionToken };
    }
    turns.push(item);
  }
}

test("PC 2.1 filters: a kind without an entry takes nothing, versions are exact, and what nobody takes waits", async (t) => {
  const world = await serveInMemory(t);
  const idle = world.worker({ workItemFilters: {} });
  const greets = world.worker({ workItemFilters: { orchestrations: [{ name: "greet", versions: ["1.0", ""] }] } });
  const runs = world.worker({ workItemFilters: { activities: [{ name: "hello" }] } });
  await started(world, "versioned", { version: "1.0" });
  await started(world, "plain");
  await started(world, "newer", { version: "2.0" });
  await world.call("StartInstance", { instanceId: "other", name: "Greet" });
  const first = await greets.turn();
  const second = await greets.turn();
  assert.deepEqual([first.request.instanceId, second.request.instanceId].sort(), ["plain", "versioned"]);
  await world.call("CompleteOrchestratorTask", {
    instanceId: first.request.instanceId,
    completionToken: first.token,
    actions: [schedule(1, "hello"), schedule(2, "Hello")],
  });
  assert.equal((await runs.activity()).request.name, "hello");
  await settled();
  assert.deepEqual([idle.waiting.length, greets.waiting.length, runs.waiting.length], [0, 0, 0]);
  const any = world.worker();
  await world.hub.clock.advance(31_000);
  const seen = await Promise.all([any.next(), any.next(), any.next()]);
  assert.deepEqual(
    seen
      .map(({ request }) => (request.case === "orchestratorRequest" ? request.value.instanceId : (request.value as { name: string }).name))
      .sort(),
    ["Hello", "newer", "other"],
  );
});

test("quirk 28: a turn that was given up comes again as it was, later; it is not lost, and nothing happened to it", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one", { input: '"Ada"' });
  const worker = world.worker();
  const first = await worker.turn();
  await world.call("AbandonTaskOrchestratorWorkItem", { completionToken: first.token });
  await settled();
  assert.equal(worker.waiting.length, 0, "not at once");
  await world.hub.clock.advance(1_100);
  const second = await worker.turn();
  assert.deepEqual([kinds(second.request.pastEvents), kinds(second.request.newEvents)], [[], ["orchestratorStarted", "executionStarted"]]);
  assert.equal(
    await statusOf(world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: first.token, actions: [complete(1)] })),
    "OK",
    "it was answered",
  );
  assert.equal((await stateOf(world, "one"))?.completedTimestamp, undefined);
  assert.equal(await statusOf(world.call("AbandonTaskOrchestratorWorkItem", { completionToken: "nobody's" })), "OK");
  assert.equal(await statusOf(world.call("AbandonTaskActivityWorkItem", {})), "OK");
});

test("an activity that was given up runs again later", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(1, "hello")]);
  await world.call("AbandonTaskActivityWorkItem", { completionToken: (await worker.activity()).token });
  await world.hub.clock.advance(1_100);
  const { token } = await worker.activity();
  await world.call("CompleteActivityTask", { instanceId: "one", taskId: 1, completionToken: token, result: "1" });
  assert.deepEqual(kinds((await worker.turn()).request.newEvents), ["orchestratorStarted", "taskCompleted"]);
});

test("an action that nobody can do fails the instance, in words, and the worker is told that its answer was taken", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  await answer(world, world.worker(), [create(OrchestratorActionSchema, { id: 1 })]);
  const state = await stateOf(world, "one");
  assert.equal(state?.orchestrationStatus, FAILED);
  assert.notEqual(state?.failureDetails?.errorMessage ?? "", "");
});

test("terminate reaches a turn that is out: its answer still counts, and the instance ends", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  const { token } = await worker.turn();
  await world.call("TerminateInstance", { instanceId: "one", output: '"enough"' });
  await statusOf(world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [schedule(1, "hello")] }));
  const { orchestrationState } = await world.call("WaitForInstanceCompletion", { instanceId: "one", getInputsAndOutputs: true });
  assert.deepEqual([orchestrationState?.orchestrationStatus, orchestrationState?.output], [TERMINATED, '"enough"']);
});

test("an answer that arrives twice at once is applied once, and both callers are told that it was taken", async (t) => {
  const world = await serveInMemory(t);
  const twice = inMemoryChannel(world.service, {
    timers: world.hub.clock,
    fault: ({ method }) => (method.startsWith("Complete") ? { kind: "deliverTwice" } : undefined),
  });
  await started(world, "one");
  const worker = world.worker();
  const { token } = await worker.turn();
  const actions = [schedule(1, "hello")];
  await twice.unary(
    "CompleteOrchestratorTask",
    writeRequest(
      "CompleteOrchestratorTask",
      requestWith("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions }),
    ),
  );
  const activity = await worker.activity();
  const done = requestWith("CompleteActivityTask", { instanceId: "one", taskId: 1, completionToken: activity.token, result: "1" });
  await twice.unary("CompleteActivityTask", writeRequest("CompleteActivityTask", done));
  const { request } = await worker.turn();
  assert.deepEqual(kinds(request.newEvents), ["orchestratorStarted", "taskCompleted"]);
  const { completions, completionsDuplicate, callsFailed } = world.service.counters();
  assert.deepEqual([completions, completionsDuplicate, callsFailed, world.hub.counters()["completionsUnknown"] ?? 0], [2, 2, 0, 0]);
});

test("quirk 24: workers that come and go leave nothing behind", async (t) => {
  const world = await serveInMemory(t);
  for (let count = 0; count < 200; count++) {
    const worker = world.worker({ capabilities: [WorkerCapability.HISTORY_STREAMING] });
    if (count % 2 === 0) await settled();
    worker.cancel();
    await worker.ended;
  }
  await settled();
  const { streams, itemsOut, pings } = world.service.counters();
  assert.deepEqual([streams, itemsOut, pings], [0, 0, 0]);
});

test("PC 3.4 events that an answer has not taken are new once more in the next turn", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  await world.call("RaiseEvent", { instanceId: "one", name: "go", input: "1" });
  const worker = world.worker();
  const first = await worker.turn();
  assert.deepEqual(kinds(first.request.newEvents), ["orchestratorStarted", "executionStarted", "eventRaised"]);
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: first.token, numEventsProcessed: 2 });
  const second = await worker.turn();
  assert.deepEqual(kinds(second.request.pastEvents), ["orchestratorStarted", "executionStarted"]);
  assert.deepEqual(kinds(second.request.newEvents), ["orchestratorStarted", "eventRaised"]);
});

test("PC 9 a rewind is shown as the family has it: the whole history with its end, and the rewind alone; the new history counts", async (t) => {
  const world = await serveInMemory(t);
  await started(world, "one");
  const worker = world.worker();
  await answer(world, worker, [schedule(1, "hello")]);
  const first = await worker.activity();
  const failureDetails = { errorType: "Outage", errorMessage: "the bank is closed" };
  await world.call("CompleteActivityTask", { instanceId: "one", taskId: 1, completionToken: first.token, failureDetails });
  const failed = create(OrchestratorActionSchema, {
    id: 2,
    orchestratorActionType: { case: "completeOrchestration", value: { orchestrationStatus: FAILED, failureDetails } },
  });
  await answer(world, worker, [failed]);

  await world.call("RewindInstance", { instanceId: "one", reason: "it is open" });
  await world.call("RaiseEvent", { instanceId: "one", name: "meanwhile" });
  const { token, request } = await worker.turn();
  assert.equal(request.pastEvents.at(-1)?.eventType.case, "executionCompleted");
  assert.deepEqual(kinds(request.newEvents), ["orchestratorStarted", "executionRewound"]);

  const dropped = new Set(["taskScheduled", "taskFailed", "executionCompleted"]);
  const newHistory = [...request.pastEvents, ...request.newEvents].filter(({ eventType }) => !dropped.has(eventType.case ?? ""));
  for (const { eventType } of newHistory)
    if (eventType.case === "executionStarted") eventType.value.orchestrationInstance!.executionId = "the-second-life";
  const rewind = create(OrchestratorActionSchema, {
    id: -1,
    orchestratorActionType: { case: "rewindOrchestration", value: { newHistory } },
  });
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [rewind] });

  const again = await worker.turn();
  assert.equal(again.request.executionId, "the-second-life");
  assert.deepEqual(kinds(again.request.newEvents), ["orchestratorStarted", "eventRaised"], "I5 what came meanwhile is there");
  assert.ok(!kinds(again.request.pastEvents).includes("taskFailed"));
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: again.token, actions: [complete(3, '"done"')] });
  assert.equal((await stateOf(world, "one"))?.orchestrationStatus, COMPLETED);
});
