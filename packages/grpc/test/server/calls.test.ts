// The calls of clients, one by one: what each does to a hub, and the status with which it is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOf } from "ostinato/contract";
import { METHODS, requestWith } from "../../src/codec/messages.ts";
import type { CallContext } from "../../src/server/call-context.ts";
import { CALLS, STREAMS } from "../../src/server/calls.ts";
import { skipGracefulTerminations } from "../../src/server/operations-on-hubs.ts";
import { OrchestrationStatus } from "../../src/generated/task_hub_sidecar_pb.js";
import { complete, familyHub, kinds, schedule, serveInMemory, settled, statusOf, timer, type World } from "./family.ts";

/** Runs instances of any orchestrator: each ends as its name says. */
async function runs(world: World, count: number): Promise<void> {
  const worker = world.worker();
  for (let done = 0; done < count; done++) {
    const { token, request } = await worker.turn();
    const started = request.newEvents.find(({ eventType }) => eventType.case === "executionStarted")?.eventType.value as { name: string };
    const status = started.name === "fails" ? OrchestrationStatus.FAILED : OrchestrationStatus.COMPLETED;
    await world.call("CompleteOrchestratorTask", {
      instanceId: request.instanceId,
      completionToken: token,
      actions: [complete(1, '"done"', status)],
    });
  }
  worker.cancel();
}

test("every call of the service is answered by exactly one table", () => {
  for (const [method, { kind }] of Object.entries(METHODS)) {
    assert.equal(Object.hasOwn(kind === "stream" ? STREAMS : CALLS, method), true, method);
    assert.equal(Object.hasOwn(kind === "stream" ? CALLS : STREAMS, method), false, method);
  }
  assert.equal(Object.keys(METHODS).length, 29);
});

test("Hello is answered without a worker, and to one of ours with the protocol", async (t) => {
  const { call, channel } = await serveInMemory(t);
  await call("Hello");
  const { metadata } = await channel.unary("Hello", new Uint8Array(), { metadata: { "ostinato-protocol": "1" } });
  assert.equal(metadata["ostinato-protocol"], "1");
  assert.deepEqual((await channel.unary("Hello", new Uint8Array())).metadata, {});
});

test("bytes that are no message, and calls that nobody knows, are refused", async (t) => {
  const { channel } = await serveInMemory(t);
  assert.equal(await statusOf(channel.unary("StartInstance", Uint8Array.of(255, 255, 255))), "INVALID_ARGUMENT");
  assert.equal(await statusOf(channel.unary("DropEverything", new Uint8Array())), "UNIMPLEMENTED");
  assert.equal(await statusOf(channel.unary("constructor", new Uint8Array())), "UNIMPLEMENTED");
});

test("an instance is started once: a second start with its id is refused, whatever its status", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  assert.equal((await call("StartInstance", { instanceId: "one", name: "greet" })).instanceId, "one");
  assert.equal(await statusOf(call("StartInstance", { instanceId: "one", name: "greet" })), "ALREADY_EXISTS");
  await runs(world, 1);
  assert.equal(await statusOf(call("StartInstance", { instanceId: "one", name: "greet" })), "ALREADY_EXISTS");
  assert.equal(
    await statusOf(call("StartInstance", { instanceId: "one", name: "greet", orchestrationIdReusePolicy: { replaceableStatus: [] } })),
    "ALREADY_EXISTS",
    "PC 7: an empty list replaces nothing",
  );
});

test("a client of another SDK that has waited is told the input as well, whether it came before the end or after it", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: '"Ada"' });
  const asked = { instanceId: "one", getInputsAndOutputs: true };
  const waited = call("WaitForInstanceCompletion", asked);
  await runs(world, 1);
  for (const { orchestrationState: state } of [await waited, await call("WaitForInstanceCompletion", asked)])
    assert.deepEqual([state?.input, state?.output], ['"Ada"', '"done"']);
  const bare = await call("WaitForInstanceCompletion", { instanceId: "one" });
  assert.deepEqual([bare.orchestrationState?.input, bare.orchestrationState?.output], [undefined, undefined]);
});

test("PC 7 a status that may be replaced is; a policy that contradicts itself is refused in the words that clients look for", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: "1" });
  await runs(world, 1);
  const replaceable = [OrchestrationStatus.COMPLETED];
  await call("StartInstance", {
    instanceId: "one",
    name: "greet",
    input: "2",
    orchestrationIdReusePolicy: { replaceableStatus: replaceable },
  });
  const { orchestrationState } = await call("GetInstance", { instanceId: "one", getInputsAndOutputs: true });
  assert.deepEqual([orchestrationState?.input, orchestrationState?.orchestrationStatus], ["2", OrchestrationStatus.PENDING]);
  await assert.rejects(
    call("StartInstance", {
      instanceId: "one",
      name: "greet",
      orchestrationIdReusePolicy: { replaceableStatus: [OrchestrationStatus.PENDING, OrchestrationStatus.RUNNING] },
    }),
    {
      status: "INVALID_ARGUMENT",
      message: /Invalid reusable statuses: cannot exclude 'Terminated' while also allowing reuse of running instances/,
    },
  );
});

test("a start without an id is given one; ids of entities and empty names are refused", async (t) => {
  const { call } = await serveInMemory(t);
  assert.match((await call("StartInstance", { name: "greet" })).instanceId, /^[0-9a-f]{32}$/);
  assert.equal(await statusOf(call("StartInstance", { instanceId: "@counter@one", name: "greet" })), "INVALID_ARGUMENT");
  assert.equal(await statusOf(call("StartInstance", { instanceId: "one", name: "" })), "INVALID_ARGUMENT");
});

test("quirk 5: a scheduled start in 1970 means now; one in the future stays PENDING until then", async (t) => {
  const { call, worker, hub } = await serveInMemory(t);
  await call("StartInstance", { instanceId: "now", name: "greet", scheduledStartTimestamp: { seconds: 0n, nanos: 0 } });
  const later = BigInt(Math.floor(hub.clock.now() / 1_000) + 3_600);
  await call("StartInstance", { instanceId: "later", name: "greet", scheduledStartTimestamp: { seconds: later, nanos: 0 } });
  const stream = worker();
  const first = await stream.turn();
  assert.equal(first.request.instanceId, "now");
  const seconds = Number(first.request.newEvents[0]?.timestamp?.seconds);
  assert.ok(seconds * 1_000 >= hub.clock.now() - 1_000, "the orchestrator's clock is the time of the turn");
  await hub.clock.advance(1_800_000);
  assert.equal(stream.waiting.length, 0);
  await hub.clock.advance(1_860_000);
  assert.equal((await stream.turn()).request.instanceId, "later");
});

test("what is not there: GetInstance and the waits say so at once, and everything that changes an instance is NOT_FOUND", async (t) => {
  const { call, read } = await serveInMemory(t);
  for (const method of ["GetInstance", "WaitForInstanceStart", "WaitForInstanceCompletion"] as const) {
    const { exists, orchestrationState } = await call(method, { instanceId: "nobody" });
    assert.deepEqual([exists, orchestrationState], [false, undefined], method);
  }
  assert.equal((await call("GetInstance", { instanceId: "@counter@one" })).exists, false);
  const instanceId = "nobody";
  assert.equal(await statusOf(call("RaiseEvent", { instanceId, name: "go" })), "NOT_FOUND");
  assert.equal(await statusOf(call("TerminateInstance", { instanceId })), "NOT_FOUND");
  assert.equal(await statusOf(call("SuspendInstance", { instanceId })), "NOT_FOUND");
  assert.equal(await statusOf(call("ResumeInstance", { instanceId })), "NOT_FOUND");
  assert.equal(await statusOf(call("RestartInstance", { instanceId })), "NOT_FOUND");
  assert.equal(await statusOf(call("RewindInstance", { instanceId })), "NOT_FOUND");
  assert.equal(await statusOf(read("StreamInstanceHistory", { instanceId })), "NOT_FOUND");
  assert.equal((await call("PurgeInstances", { request: { case: "instanceId", value: "nobody" } })).deletedInstanceCount, 0);
});

test("quirk 26: what has ended accepts events, terminates, suspends and resumes, and stays as it is", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet" });
  await runs(world, 1);
  await call("RaiseEvent", { instanceId: "one", name: "go" });
  await call("TerminateInstance", { instanceId: "one" });
  await call("SuspendInstance", { instanceId: "one" });
  await call("ResumeInstance", { instanceId: "one" });
  const { orchestrationState } = await call("GetInstance", { instanceId: "one", getInputsAndOutputs: true });
  assert.deepEqual([orchestrationState?.orchestrationStatus, orchestrationState?.output], [OrchestrationStatus.COMPLETED, '"done"']);
});

test("PC 1 GetInstance leaves inputs and outputs out unless they are asked for; failures and custom status come always", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: '"Ada"', tags: { team: "it" } });
  const stream = world.worker();
  const { token, request } = await stream.turn();
  await call("CompleteOrchestratorTask", {
    instanceId: request.instanceId,
    completionToken: token,
    customStatus: '"busy"',
    actions: [complete(1, '"done"')],
  });
  const shy = (await call("GetInstance", { instanceId: "one" })).orchestrationState;
  assert.deepEqual([shy?.input, shy?.output, shy?.customStatus, shy?.tags["team"]], [undefined, undefined, '"busy"', "it"]);
  const open = (await call("GetInstance", { instanceId: "one", getInputsAndOutputs: true })).orchestrationState;
  assert.deepEqual([open?.input, open?.output], ['"Ada"', '"done"']);
});

test("waits resolve with what they wait for, inputs and outputs only when asked for", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet" });
  const start = call("WaitForInstanceStart", { instanceId: "one" });
  const end = call("WaitForInstanceCompletion", { instanceId: "one", getInputsAndOutputs: true });
  await runs(world, 1);
  assert.equal((await start).exists, true);
  assert.equal((await end).orchestrationState?.output, '"done"');
});

test("quirk 13: a wait ends with its caller, and leaves nobody waiting", async (t) => {
  const world = await serveInMemory(t);
  const { call, hub } = world;
  await call("StartInstance", { instanceId: "one", name: "greet" });
  const leaving = new AbortController();
  const left = statusOf(call("WaitForInstanceCompletion", { instanceId: "one" }, { signal: leaving.signal }));
  leaving.abort();
  assert.equal(await left, "CANCELLED");
  const late = statusOf(call("WaitForInstanceCompletion", { instanceId: "one" }, { timeoutMs: 20 }));
  await hub.clock.advance(21);
  assert.equal(await late, "DEADLINE_EXCEEDED");
  await hub.instance("one").terminate();
  assert.equal((await call("WaitForInstanceCompletion", { instanceId: "one" })).exists, true);
});

test("restart and rewind are refused where the status does not allow them, and run where it does", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "one", name: "greet", input: '"Ada"' });
  assert.equal(await statusOf(call("RestartInstance", { instanceId: "one" })), "FAILED_PRECONDITION");
  assert.equal(await statusOf(call("RewindInstance", { instanceId: "one" })), "FAILED_PRECONDITION");
  assert.equal(await statusOf(call("RestartInstance", { instanceId: "@counter@one" })), "INVALID_ARGUMENT");
  await runs(world, 1);
  assert.equal((await call("RestartInstance", { instanceId: "one" })).instanceId, "one");
  const { instanceId } = await call("RestartInstance", { instanceId: "one", restartWithNewInstanceId: true });
  assert.match(instanceId, /^[0-9a-f]{32}$/);
  const { orchestrationState } = await call("GetInstance", { instanceId, getInputsAndOutputs: true });
  assert.deepEqual([orchestrationState?.name, orchestrationState?.input], ["greet", '"Ada"']);
  await call("StartInstance", { instanceId: "bad", name: "fails" });
  await runs(world, 3);
  await call("RewindInstance", { instanceId: "bad", reason: "again" });
  assert.equal((await call("GetInstance", { instanceId: "bad" })).orchestrationState?.orchestrationStatus, OrchestrationStatus.RUNNING);
});

test("quirk 12: a query goes on by tokens until there is none, and one that asks for everything gets everything", async (t) => {
  const { call } = await serveInMemory(t);
  for (let count = 0; count < 25; count++) await call("StartInstance", { instanceId: `greet-${count}`, name: "greet", input: "x" });
  const seen: string[] = [];
  let token: string | undefined;
  do {
    const page = await call("QueryInstances", {
      query: { maxInstanceCount: 10, ...(token === undefined ? {} : { continuationToken: token }) },
    });
    seen.push(...page.orchestrationState.map((each) => each.instanceId));
    token = page.continuationToken;
    assert.notEqual(token, "0");
  } while (token !== undefined && token !== "");
  assert.equal(new Set(seen).size, 25);
  const all = await call("QueryInstances", {
    query: { maxInstanceCount: 2_147_483_647, fetchInputsAndOutputs: true, instanceIdPrefix: "greet-1" },
  });
  assert.equal(all.orchestrationState.length, 11);
  assert.equal(all.orchestrationState[0]?.input, "x");
});

test("a page never grows beyond what a client takes: the rest comes with the next token", async (t) => {
  const { call } = await serveInMemory(t);
  for (let count = 0; count < 12; count++)
    await call("StartInstance", { instanceId: `big-${count}`, name: "greet", input: "x".repeat(500_000) });
  const first = await call("QueryInstances", { query: { maxInstanceCount: 2_147_483_647, fetchInputsAndOutputs: true } });
  assert.ok(first.orchestrationState.length > 0 && first.orchestrationState.length < 9, String(first.orchestrationState.length));
  const seen = first.orchestrationState.length;
  let rest = 0;
  for (let token = first.continuationToken; token !== undefined;) {
    const page = await call("QueryInstances", { query: { continuationToken: token, maxInstanceCount: 100, fetchInputsAndOutputs: true } });
    rest += page.orchestrationState.length;
    token = page.continuationToken;
  }
  assert.equal(seen + rest, 12);
});

test("ListInstanceIds lists what has ended, page by page", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  for (const id of ["a", "b", "c"]) await call("StartInstance", { instanceId: id, name: "greet" });
  assert.deepEqual((await call("ListInstanceIds", {})).instanceIds, []);
  await runs(world, 3);
  const first = await call("ListInstanceIds", { pageSize: 2 });
  const second = await call("ListInstanceIds", { pageSize: 2, lastInstanceKey: first.lastInstanceKey! });
  assert.deepEqual([...first.instanceIds, ...second.instanceIds].sort(), ["a", "b", "c"]);
  assert.equal(second.lastInstanceKey, undefined);
});

test("quirk 11: purges say whether they are complete; one that still runs stays", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  await call("StartInstance", { instanceId: "running", name: "greet" });
  const none = await call("PurgeInstances", { request: { case: "instanceId", value: "running" } });
  assert.deepEqual([none.deletedInstanceCount, none.isComplete], [0, true]);
  await runs(world, 1);
  const one = await call("PurgeInstances", { request: { case: "instanceId", value: "running" } });
  assert.deepEqual([one.deletedInstanceCount, one.isComplete], [1, true]);
  for (const id of ["a", "b", "c"]) await call("StartInstance", { instanceId: id, name: "greet" });
  await runs(world, 3);
  const batch = await call("PurgeInstances", { request: { case: "instanceBatch", value: { instanceIds: ["a", "nobody"] } } });
  assert.deepEqual([batch.deletedInstanceCount, batch.isComplete], [1, true]);
  const filter = await call("PurgeInstances", { request: { case: "purgeInstanceFilter", value: {} } });
  assert.deepEqual([filter.deletedInstanceCount, filter.isComplete], [2, true]);
  const tooMany = Array.from({ length: 501 }, (_, index) => `id-${index}`);
  assert.equal(
    await statusOf(call("PurgeInstances", { request: { case: "instanceBatch", value: { instanceIds: tooMany } } })),
    "INVALID_ARGUMENT",
  );
});

test("PC 12 the history that clients read has its events in order, in chunks that fit", async (t) => {
  const world = await serveInMemory(t);
  const { call, read, hub } = world;
  await call("StartInstance", { instanceId: "one", name: "greet" });
  const stream = world.worker();
  const first = await stream.turn();
  await call("CompleteOrchestratorTask", { instanceId: "one", completionToken: first.token, actions: [schedule(1, "hello")] });
  const activity = await stream.activity();
  await call("CompleteActivityTask", {
    instanceId: "one",
    taskId: activity.request.taskId,
    completionToken: activity.token,
    result: "x".repeat(300_000),
  });
  const second = await stream.turn();
  const fireAt = new Date(hub.clock.now() + 60_000);
  await call("CompleteOrchestratorTask", { instanceId: "one", completionToken: second.token, actions: [timer(2, fireAt)] });
  await hub.clock.advance(61_000);
  const third = await stream.turn();
  await call("CompleteOrchestratorTask", { instanceId: "one", completionToken: third.token, actions: [complete(3, '"done"')] });
  const chunks = await read("StreamInstanceHistory", { instanceId: "one" });
  assert.deepEqual(kinds(chunks.flatMap(({ events }) => events)), [
    "orchestratorStarted",
    "executionStarted",
    "taskScheduled",
    "orchestratorStarted",
    "taskCompleted",
    "timerCreated",
    "orchestratorStarted",
    "timerFired",
    "executionCompleted",
  ]);
  assert.ok(chunks.length > 1, "the large event has a chunk of its own");
  assert.equal(await statusOf(read("StreamInstanceHistory", { instanceId: "one", executionId: "another" })), "NOT_FOUND");
});

test("SkipGracefulOrchestrationTerminations ends what runs, and names what it could not end", async (t) => {
  const world = await serveInMemory(t);
  const { call } = world;
  for (const id of ["done", "open"]) await call("StartInstance", { instanceId: id, name: "greet" });
  await world.hub.instance("done").terminate();
  await call("WaitForInstanceCompletion", { instanceId: "done" });
  const { unterminatedInstanceIds } = await call("SkipGracefulOrchestrationTerminations", {
    instanceBatch: { instanceIds: ["done", "open", "nobody", "@counter@one"] },
    reason: "enough",
  });
  assert.deepEqual(unterminatedInstanceIds, ["done", "nobody", "@counter@one"]);
  const { orchestrationState } = await call("GetInstance", { instanceId: "open", getInputsAndOutputs: true });
  assert.deepEqual([orchestrationState?.orchestrationStatus, orchestrationState?.output], [OrchestrationStatus.TERMINATED, '"enough"']);
});

test("SkipGracefulOrchestrationTerminations does not wait for ever: what has not ended by then is named", async () => {
  const hub = await familyHub();
  const { backend, clock } = partsOf(hub);
  await backend.start({ instanceId: "held", executionId: "e", name: "greet" });
  const never: typeof backend.waitForCompletion = (_, signal) =>
    new Promise((resolve) => signal!.addEventListener("abort", () => resolve(undefined), { once: true }));
  const served = {
    backend: { ...backend, get: backend.get.bind(backend), waitForCompletion: never, terminate: async () => undefined },
    clock,
  };
  const context = { hub: served, call: { signal: new AbortController().signal } } as unknown as CallContext;
  const batch = requestWith("SkipGracefulOrchestrationTerminations", { instanceBatch: { instanceIds: ["held"] } });
  const asked = skipGracefulTerminations(batch, context);
  await settled();
  await hub.clock.advance(30_000);
  assert.deepEqual((await asked).unterminatedInstanceIds, ["held"]);
  await hub.close();
});

test("CreateTaskHub leaves a hub as it is unless it is to be recreated; DeleteTaskHub empties it", async (t) => {
  const { call } = await serveInMemory(t);
  const count = async (): Promise<number> => (await call("QueryInstances", { query: {} })).orchestrationState.length;
  for (const id of ["a", "b"]) await call("StartInstance", { instanceId: id, name: "greet" });
  await call("CreateTaskHub", {});
  assert.equal(await count(), 2);
  await call("CreateTaskHub", { recreateIfExists: true });
  assert.equal(await count(), 0);
  await call("StartInstance", { instanceId: "c", name: "greet" });
  await call("DeleteTaskHub", {});
  assert.equal(await count(), 0);
});
