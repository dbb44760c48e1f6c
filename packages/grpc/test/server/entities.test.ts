// Entities over the wire, as clients and workers of other SDKs have them: signals and calls, batches and what comes of them, locks, and who may
// do what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  OperationResultSchema,
  OrchestrationStatus,
  OrchestratorActionSchema,
  type EntityRequest,
  type HistoryEvent,
  type OperationResult,
  type OrchestratorAction,
  type SendEntityMessageActionSchema,
} from "../../src/generated/task_hub_sidecar_pb.js";
import type { RequestFields } from "../../src/codec/messages.ts";
import { complete, kinds, serveInMemory, settled, statusOf, type ForeignWorker, type World } from "./family.ts";

const COUNTER = "@counter@one";

const done = (result?: string): OperationResult =>
  create(OperationResultSchema, { resultType: { case: "success", value: result === undefined ? {} : { result } } });
const failed = (errorMessage: string): OperationResult =>
  create(OperationResultSchema, { resultType: { case: "failure", value: { failureDetails: { errorType: "Error", errorMessage } } } });

/** An action about an entity. */
function ask(id: number, message: MessageInitShape<typeof SendEntityMessageActionSchema>["EntityMessageType"]): OrchestratorAction {
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "sendEntityMessage", value: message === undefined ? {} : { EntityMessageType: message } },
  });
}
const callTo = (id: number, targetInstanceId: string, requestId = `request-${id}`) =>
  ask(id, { case: "entityOperationCalled", value: { requestId, operation: "get", targetInstanceId } });
const lockOf = (id: number, criticalSectionId: string, ...lockSet: string[]) =>
  ask(id, { case: "entityLockRequested", value: { criticalSectionId, lockSet } });
const unlockOf = (id: number, criticalSectionId: string, targetInstanceId: string) =>
  ask(id, { case: "entityUnlockSent", value: { criticalSectionId, targetInstanceId } });

const signal = (world: World, name: string, more: Omit<RequestFields<"SignalEntity">, "$typeName"> = {}) =>
  world.call("SignalEntity", { instanceId: COUNTER, name, requestId: `${name}-${Math.floor(world.hub.clock.now())}`, ...more });

/** What is asked for in a batch: its operations, in order. */
const asked = ({ operationRequests }: EntityRequest) =>
  operationRequests.map(({ eventType }) => (eventType.value as { operation: string }).operation);
const valueOf = (event: HistoryEvent | undefined) => event?.eventType.value as Record<string, unknown>;

/** Answers the worker's next batch. */
async function answer(
  world: World,
  worker: ForeignWorker,
  results: readonly OperationResult[],
  more: Omit<RequestFields<"CompleteEntityTask">, "$typeName"> = {},
): Promise<EntityRequest> {
  const { token, request } = await worker.batch();
  await world.call("CompleteEntityTask", { completionToken: token, results: [...results], ...more });
  return request;
}

/** Answers the worker's next turn. */
async function turn(world: World, worker: ForeignWorker, ...actions: OrchestratorAction[]) {
  const { token, request } = await worker.turn();
  await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token, actions });
  return request;
}

const stateOf = async (world: World, instanceId = COUNTER) => (await world.call("GetEntity", { instanceId, includeState: true })).entity;

test("a signal makes the entity, its state is kept as it came, false JSON too; the next batch brings it along", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await signal(world, "add", { input: "5" });
  const first = await answer(world, worker, [done("0")], { entityState: "0" });
  assert.deepEqual([first.instanceId, first.entityState, asked(first)], [COUNTER, undefined, ["add"]]);
  const [operation] = first.operationRequests;
  assert.deepEqual([operation?.eventId, operation?.eventType.case, valueOf(operation)["input"]], [-1, "entityOperationSignaled", "5"]);
  assert.equal(valueOf(operation)["targetInstanceId"], undefined, "a message names no target");
  const entity = await stateOf(world);
  assert.deepEqual([entity?.serializedState, entity?.backlogQueueSize, entity?.lockedBy, entity?.ownEntity], ["0", 0, undefined, ""]);
  await signal(world, "get");
  assert.equal((await answer(world, worker, [done()], { entityState: '""' })).entityState, "0");
  assert.equal((await stateOf(world))?.serializedState, '""');
});

test("a state that is absent or empty is gone, and with it the entity", async (t) => {
  for (const gone of [{}, { entityState: "" }]) {
    const world = await serveInMemory(t);
    const worker = world.worker();
    await signal(world, "add");
    await answer(world, worker, [done()], { entityState: "5" });
    assert.equal((await world.call("GetEntity", { instanceId: COUNTER })).exists, true);
    await signal(world, "delete");
    await answer(world, worker, [done()], gone);
    assert.deepEqual(await world.call("GetEntity", { instanceId: COUNTER }).then(({ exists, entity }) => [exists, entity]), [
      false,
      undefined,
    ]);
    assert.equal((await world.call("CleanEntityStorage", { removeEmptyEntities: true })).emptyEntitiesRemoved, 1);
  }
});

test("an entity nobody asked for is not there; an id that none can have is refused", async (t) => {
  const world = await serveInMemory(t);
  assert.equal((await world.call("GetEntity", { instanceId: "@Counter@two" })).exists, false);
  for (const instanceId of ["counter", "@counter", "@@x", `@counter@${"k".repeat(300)}`]) {
    assert.equal(await statusOf(world.call("GetEntity", { instanceId })), "INVALID_ARGUMENT");
    const signalled = world.call("SignalEntity", { instanceId, name: "add", requestId: "r" });
    await assert.rejects(signalled, { status: "INVALID_ARGUMENT", message: /no id of an entity|length|characters/ });
  }
  assert.equal(await statusOf(world.call("SignalEntity", { instanceId: COUNTER })), "INVALID_ARGUMENT");
});

test("I5 a signal that is told twice is done once, also when the first was done before", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await signal(world, "add", { requestId: "r" });
  await answer(world, worker, [done()], { entityState: "1" });
  await signal(world, "add", { requestId: "r" });
  await settled();
  assert.equal(worker.waiting.length, 0);
});

test("quirk 35 a signal for later waits for its time", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  const seconds = BigInt(world.hub.clock.now() / 1_000 + 60);
  await signal(world, "add", { scheduledTime: { seconds, nanos: 0 } });
  await world.hub.clock.advance(59_000);
  await settled();
  assert.equal(worker.waiting.length, 0);
  await world.hub.clock.advance(2_000);
  assert.deepEqual(asked((await worker.batch()).request), ["add"]);
});

test("operations of one caller come in their order; of a batch that is done in part the rest comes again, first", async (t) => {
  const world = await serveInMemory(t);
  const names = ["a", "b", "c"];
  for (const name of names) await signal(world, name);
  const worker = world.worker();
  const first = await worker.batch();
  assert.deepEqual(asked(first.request), names);
  await signal(world, "d");
  await world.call("CompleteEntityTask", { completionToken: first.token, results: [done()], entityState: "1" });
  const second = await worker.batch();
  assert.deepEqual([second.request.entityState, asked(second.request)], ["1", ["b", "c", "d"]]);
});

test("a failure of the worker, or more results than there were operations, count for nothing: the batch comes again, later", async (t) => {
  for (const wrong of [
    { failureDetails: { errorMessage: "no" } },
    { results: [done(), done()], entityState: "9" },
    { requiresState: true },
  ]) {
    const world = await serveInMemory(t);
    const worker = world.worker();
    await signal(world, "add");
    const first = await worker.batch();
    await world.call("CompleteEntityTask", { completionToken: first.token, ...wrong });
    await settled();
    assert.equal(worker.waiting.length, 0, "not at once");
    assert.equal((await world.call("GetEntity", { instanceId: COUNTER })).exists, false);
    await world.hub.clock.advance(60_000);
    assert.deepEqual(asked((await worker.batch()).request), ["add"]);
  }
});

test("an orchestration calls: its history has the call, the entity hears who waits, and the answer comes back", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await world.call("StartInstance", { instanceId: "one", name: "caller" });
  const began = await turn(world, worker, callTo(1, COUNTER));
  const batch = await answer(world, worker, [done('"a"')], { entityState: "1" });
  const called = valueOf(batch.operationRequests[0]);
  assert.deepEqual(
    [called["requestId"], called["parentInstanceId"], called["parentExecutionId"], called["targetInstanceId"]],
    ["request-1", "one", began.executionId, undefined],
  );
  const { token, request } = await worker.turn();
  assert.deepEqual(kinds(request.pastEvents).slice(-1), ["entityOperationCalled"]);
  const echo = request.pastEvents.at(-1);
  assert.deepEqual(
    [echo?.eventId, valueOf(echo)["targetInstanceId"], valueOf(echo)["parentInstanceId"], valueOf(echo)["parentExecutionId"]],
    [1, COUNTER, "one", began.executionId],
    "quirk 18: the history says whose call it was, though the worker left it out",
  );
  assert.deepEqual(kinds(request.newEvents), ["orchestratorStarted", "entityOperationCompleted"]);
  assert.deepEqual([valueOf(request.newEvents[1])["requestId"], valueOf(request.newEvents[1])["output"]], ["request-1", '"a"']);
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [complete(2)] });
  const history = (await world.read("StreamInstanceHistory", { instanceId: "one" })).flatMap(({ events }) => events);
  const kept = history.find(({ eventType }) => eventType.case === "entityOperationCalled");
  assert.deepEqual([valueOf(kept)["parentInstanceId"], valueOf(kept)["parentExecutionId"]], ["one", began.executionId]);
});

test("an operation that fails tells its caller how; its neighbours are done", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "one", name: "caller" });
  const orchestrations = world.worker({ workItemFilters: { orchestrations: [{ name: "caller" }] } });
  await turn(world, orchestrations, callTo(1, COUNTER), callTo(2, COUNTER));
  const entities = world.worker({ workItemFilters: { entities: [{ name: "Counter" }] } });
  await answer(world, entities, [failed("no"), done("7")], { entityState: "7" });
  const { request } = await orchestrations.turn();
  assert.deepEqual(kinds(request.newEvents), ["orchestratorStarted", "entityOperationFailed", "entityOperationCompleted"]);
  const { failureDetails } = valueOf(request.newEvents[1]) as { failureDetails: { errorMessage: string } };
  assert.equal(failureDetails.errorMessage, "no");
});

test("operations signal entities and start orchestrations; an id that is taken changes nothing", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await world.call("StartInstance", { instanceId: "there", name: "first" });
  await worker.turn();
  await signal(world, "go");
  const start = (instanceId: string) =>
    ({ operationActionType: { case: "startNewOrchestration", value: { instanceId, name: "second", input: "1" } } }) as const;
  await answer(world, worker, [done()], {
    entityState: "1",
    actions: [
      { operationActionType: { case: "sendSignal", value: { instanceId: "@Counter@Two", name: "add", input: "2" } } },
      start("there"),
      start("new"),
      start(""),
    ],
  });
  const items = [await worker.next(), await worker.next(), await worker.next()];
  assert.deepEqual(items.map(({ request }) => request.case).sort(), ["entityRequestV2", "orchestratorRequest", "orchestratorRequest"]);
  const batch = items.find(({ request }) => request.case === "entityRequestV2")!.request.value as EntityRequest;
  assert.equal(batch.instanceId, "@counter@Two");
  const { orchestrationState: there } = await world.call("GetInstance", { instanceId: "there" });
  assert.equal(there?.name, "first");
  const { orchestrationState: fresh } = await world.call("GetInstance", { instanceId: "new", getInputsAndOutputs: true });
  assert.deepEqual([fresh?.name, fresh?.input], ["second", "1"]);
});

test("E5 a lock of several is granted when all are locked, names its orchestration, and keeps everybody else waiting until it is let go", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  const [a, b] = ["@account@a", "@account@b"];
  await world.call("StartInstance", { instanceId: "one", name: "transfer" });
  await turn(world, worker, lockOf(1, "section", b, a));
  const granted = await worker.turn();
  assert.deepEqual(kinds(granted.request.newEvents), ["orchestratorStarted", "entityLockGranted"]);
  assert.equal(valueOf(granted.request.newEvents[1])["criticalSectionId"], "section");
  const { entities } = await world.call("QueryEntities", { query: { instanceIdStartsWith: "Account", includeTransient: true } });
  assert.deepEqual(entities.map(({ instanceId, lockedBy }) => [instanceId, lockedBy]).sort(), [
    [a, "one"],
    [b, "one"],
  ]);
  await world.call("SignalEntity", { instanceId: a, name: "meddle", requestId: "m" });
  await settled();
  assert.equal(worker.waiting.length, 0);
  const { completionToken } = { completionToken: granted.token };
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken, actions: [callTo(2, a)] });
  assert.deepEqual(asked(await answer(world, worker, [done("1")], { entityState: "1" })), ["get"]);
  await turn(world, worker, unlockOf(3, "section", a), unlockOf(4, "section", b), complete(5));
  assert.deepEqual(asked((await worker.batch()).request), ["meddle"]);
  assert.equal((await stateOf(world, a))?.lockedBy, undefined);
});

test("E4 whoever ends without a word lets go of what it had", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await world.call("StartInstance", { instanceId: "one", name: "transfer" });
  await turn(world, worker, lockOf(1, "section", COUNTER));
  await turn(world, worker, complete(2, undefined, OrchestrationStatus.FAILED));
  await signal(world, "add");
  assert.deepEqual(asked((await worker.batch()).request), ["add"]);
});

test("entities are listed by name and time, page by page, those without a state only for who asks", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  for (const key of ["a", "b", "c"]) {
    await world.call("SignalEntity", { instanceId: `@counter@${key}`, name: "add", requestId: key });
    await answer(world, worker, [done()], key === "c" ? {} : { entityState: `"${key}"` });
    await world.hub.clock.advance(1_000);
  }
  await world.call("SignalEntity", { instanceId: "@other@a", name: "add", requestId: "o" });
  await answer(world, worker, [done()], { entityState: "1" });
  const listed = async (query: RequestFields<"QueryEntities">["query"]) => {
    const { entities, continuationToken } = await world.call("QueryEntities", query === undefined ? {} : { query });
    return { ids: entities.map(({ instanceId }) => instanceId), states: entities.map((each) => each.serializedState), continuationToken };
  };
  assert.deepEqual((await listed({ instanceIdStartsWith: "COUNTER", includeState: true })).states, ['"a"', '"b"']);
  assert.deepEqual((await listed({ instanceIdStartsWith: "@counter@a" })).states, [undefined]);
  assert.equal((await listed({ includeTransient: true })).ids.length, 4);
  const first = await listed({ pageSize: 2 });
  assert.equal(first.ids.length, 2);
  const rest = await listed({ pageSize: 2, continuationToken: first.continuationToken! });
  assert.deepEqual([...first.ids, ...rest.ids].sort(), ["@counter@a", "@counter@b", "@other@a"]);
  assert.equal(rest.continuationToken ?? "", "");
  const from = BigInt(Math.floor(world.hub.clock.now() / 1_000));
  assert.deepEqual((await listed({ lastModifiedFrom: { seconds: from, nanos: 0 } })).ids, ["@other@a"]);
  const { orchestrationState } = await world.call("QueryInstances", { query: {} });
  assert.deepEqual(orchestrationState, [], "no list of instances has entities");
  for (const method of ["GetInstance", "WaitForInstanceStart", "WaitForInstanceCompletion"] as const)
    assert.equal((await world.call(method, { instanceId: "@counter@a" })).exists, false, method);
  const batch = { instanceBatch: { instanceIds: ["@counter@a"] } };
  const { unterminatedInstanceIds } = await world.call("SkipGracefulOrchestrationTerminations", batch);
  assert.deepEqual(unterminatedInstanceIds, ["@counter@a"]);
  assert.equal((await world.call("PurgeInstances", { request: { case: "instanceId", value: "@counter@a" } })).deletedInstanceCount, 0);
  assert.equal((await stateOf(world, "@counter@a"))?.serializedState, '"a"');
});

test("a limit of batches is kept; a worker that names none gets what there is", async (t) => {
  const world = await serveInMemory(t);
  for (const key of ["a", "b", "c"]) await world.call("SignalEntity", { instanceId: `@counter@${key}`, name: "add", requestId: key });
  const one = world.worker({ maxConcurrentEntityWorkItems: 1, workItemFilters: { entities: [{ name: "counter" }] } });
  await settled();
  assert.equal(one.waiting.length, 1);
  await answer(world, one, [done()], { entityState: "1" });
  await settled();
  assert.equal(one.waiting.length, 1);
  one.cancel();
  await world.hub.clock.advance(15_000);
  const all = world.worker();
  await settled();
  assert.equal(all.waiting.length, 2);
});

test("work of entities goes to who names them; whoever names none gets none", async (t) => {
  const world = await serveInMemory(t);
  const none = world.worker({ workItemFilters: { orchestrations: [{ name: "caller" }] } });
  const other = world.worker({ workItemFilters: { entities: [{ name: "other" }] } });
  await signal(world, "add");
  await settled();
  assert.deepEqual([none.waiting.length, other.waiting.length], [0, 0]);
  const named = world.worker({ workItemFilters: { entities: [{ name: "COUNTER" }] } });
  assert.deepEqual(asked((await named.batch()).request), ["add"]);
});

test("a batch that is turned down is offered again; WO1 its token is used up", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await signal(world, "add");
  const first = await worker.batch();
  await world.call("AbandonTaskEntityWorkItem", { completionToken: first.token });
  await world.call("AbandonTaskEntityWorkItem", { completionToken: first.token });
  await world.call("AbandonTaskEntityWorkItem", { completionToken: "unknown" });
  await world.hub.clock.advance(60_000);
  const second = await worker.batch();
  assert.notEqual(second.token, first.token);
  await world.call("CompleteEntityTask", { completionToken: first.token, results: [done()], entityState: "stale" });
  assert.equal((await world.call("GetEntity", { instanceId: COUNTER })).exists, false, "what the first token brings is not used");
  const late = { completionToken: second.token, results: [done()], entityState: "2" };
  await world.call("CompleteEntityTask", late);
  await world.call("CompleteEntityTask", { ...late, entityState: "3" });
  assert.equal((await stateOf(world))?.serializedState, "2");
  for (const completionToken of ["", "unknown"])
    assert.equal(await statusOf(world.call("CompleteEntityTask", { completionToken, results: [done()] })), "NOT_FOUND");
});

test("WO1 a token of something else is no token of a batch", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await world.call("StartInstance", { instanceId: "one", name: "caller" });
  const { token } = await worker.turn();
  assert.equal(await statusOf(world.call("CompleteEntityTask", { completionToken: token, results: [done()] })), "INVALID_ARGUMENT");
  await signal(world, "add");
  const batch = await worker.batch();
  const stolen = { instanceId: "one", completionToken: batch.token, actions: [complete(1)] };
  assert.equal(await statusOf(world.call("CompleteOrchestratorTask", stolen)), "INVALID_ARGUMENT");
  assert.equal(await statusOf(world.call("CompleteOrchestratorTask", { instanceId: COUNTER, actions: [complete(1)] })), "NOT_FOUND");
});

test("WS4 a batch that does not fit goes in smaller ones; an operation that never fits is said, and goes back", async (t) => {
  const world = await serveInMemory(t, { itemBytes: 40_000 });
  for (let n = 0; n < 12; n++) await signal(world, `add${n}`, { input: `"${"x".repeat(10_000)}"` });
  const worker = world.worker();
  const seen: string[] = [];
  while (seen.length < 12) {
    const { token, request } = await worker.batch();
    seen.push(...asked(request));
    const results = request.operationRequests.map(() => done());
    await world.call("CompleteEntityTask", { completionToken: token, results, entityState: "1" });
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 12 }, (_, n) => `add${n}`),
  );
  await signal(world, "huge", { input: `"${"x".repeat(50_000)}"` });
  await settled();
  assert.equal(worker.waiting.length, 0);
  assert.equal(world.service.counters()["itemsTooLarge"], 1);
});

test("a worker that has gone may still answer its batch for a while; then it is somebody else's", async (t) => {
  const world = await serveInMemory(t, { reconnectGrace: "10s" });
  await signal(world, "add");
  const first = world.worker();
  const { token } = await first.batch();
  first.cancel();
  await settled();
  await world.call("CompleteEntityTask", { completionToken: token, results: [done()], entityState: "1" });
  assert.equal((await stateOf(world))?.serializedState, "1");
  await signal(world, "sub");
  const second = world.worker();
  const late = await second.batch();
  second.cancel();
  await world.hub.clock.advance(11_000);
  const third = world.worker();
  const again = await third.batch();
  assert.notEqual(again.token, late.token);
  assert.equal(await statusOf(world.call("CompleteEntityTask", { completionToken: late.token, results: [done()] })), "NOT_FOUND");
});

test("who may only view sees no state; a worker's right signals nobody from outside", async (t) => {
  const rightsOf = (right: "view" | "client" | "worker" | "operator") => ({ token: `the-token-for-${right}-alone`, rights: [right] });
  const as = (right: string) => ({ metadata: { authorization: `Bearer the-token-for-${right}-alone` } });
  const world = await serveInMemory(t, { tokens: [rightsOf("view"), rightsOf("client"), rightsOf("worker"), rightsOf("operator")] });
  const worker = world.worker({}, as("worker").metadata);
  const request = { instanceId: COUNTER, name: "add", requestId: "r" };
  for (const right of ["view", "worker"]) assert.equal(await statusOf(world.call("SignalEntity", request, as(right))), "PERMISSION_DENIED");
  await world.call("SignalEntity", request, as("client"));
  const { token } = await worker.batch();
  assert.equal(
    await statusOf(world.call("CompleteEntityTask", { completionToken: token, results: [done()] }, as("client"))),
    "PERMISSION_DENIED",
  );
  await world.call("CompleteEntityTask", { completionToken: token, results: [done()], entityState: '"secret"' }, as("worker"));
  const stateFor = async (right: string) => (await world.call("GetEntity", { instanceId: COUNTER, includeState: true }, as(right))).entity;
  assert.deepEqual([(await stateFor("view"))?.serializedState, (await stateFor("client"))?.serializedState], [undefined, '"secret"']);
  const query = { query: { includeState: true } };
  const [viewed] = (await world.call("QueryEntities", query, as("view"))).entities;
  assert.deepEqual([viewed?.instanceId, viewed?.serializedState], [COUNTER, undefined]);
  assert.equal(await statusOf(world.call("CleanEntityStorage", {}, as("client"))), "PERMISSION_DENIED");
  assert.equal(await statusOf(world.call("CleanEntityStorage", {}, as("operator"))), "OK");
});

test("PC 5.6 a worker that speaks the older form calls, locks and lets go by events, and is answered by events", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  const event = (id: number, name: string, said: object) =>
    create(OrchestratorActionSchema, {
      id,
      orchestratorActionType: {
        case: "sendEvent",
        value: { instance: { instanceId: "@Counter@one" }, name, data: JSON.stringify(said) },
      },
    });
  const raisedIn = (events: readonly HistoryEvent[]) =>
    events.flatMap((each) =>
      each.eventType.case === "eventRaised" ? [[each.eventType.value.name, JSON.parse(each.eventType.value.input!)]] : [],
    );
  await world.call("StartInstance", { instanceId: "one", name: "caller" });
  await turn(world, worker, event(0, "op", { op: null, id: "section", lockset: [{ name: "counter", key: "one" }], pos: 0 }));
  const granted = await worker.turn();
  assert.deepEqual(raisedIn(granted.request.newEvents), [["section", { result: "Lock Acquisition Completed" }]]);
  assert.equal((await world.call("QueryEntities", { query: { includeTransient: true } })).entities[0]?.lockedBy, "one");
  const completion = { instanceId: "one", completionToken: granted.token };
  await world.call("CompleteOrchestratorTask", { ...completion, actions: [event(1, "op", { op: "get", id: "request", input: "5" })] });
  const batch = await answer(world, worker, [done('"a"')], { entityState: "1" });
  assert.deepEqual([valueOf(batch.operationRequests[0])["requestId"], valueOf(batch.operationRequests[0])["input"]], ["request", "5"]);
  const last = await turn(world, worker, event(2, "release", { parent: "one", id: "section" }), complete(3));
  assert.deepEqual(
    kinds(last.pastEvents).filter((kind) => /event/i.test(String(kind))),
    ["eventSent", "eventRaised", "eventSent"],
  );
  assert.deepEqual(raisedIn(last.newEvents), [["request", { result: '"a"' }]]);
  assert.equal((await stateOf(world))?.lockedBy, undefined);
});

test("KP2 the past that is kept for a worker is the history that is written, with all that it asked of entities", async (t) => {
  const world = await serveInMemory(t);
  const caller = { workItemFilters: { orchestrations: [{ name: "caller" }] } };
  const turns = world.worker(caller);
  const batches = world.worker({ workItemFilters: { entities: [{ name: "counter" }] } });
  await world.call("StartInstance", { instanceId: "one", name: "caller" });
  const signalled = ask(1, { case: "entityOperationSignaled", value: { requestId: "s", operation: "add", targetInstanceId: COUNTER } });
  await turn(world, turns, signalled, callTo(2, COUNTER), lockOf(3, "section", COUNTER, "@counter@two"));
  await answer(world, batches, [done(), failed("no")], { entityState: "1" });
  let heard: readonly (string | undefined)[] = [];
  while (!heard.includes("entityLockGranted")) heard = kinds((await turn(world, turns)).newEvents);
  const go = { instanceId: "one", name: "go" };
  await world.call("RaiseEvent", go);
  const earlier = await turn(world, turns, unlockOf(4, "section", COUNTER), unlockOf(5, "section", "@counter@two"));
  await world.call("RaiseEvent", go);
  const { request: next } = await turns.turn();
  const written = (await world.read("StreamInstanceHistory", { instanceId: "one" })).flatMap(({ events }) => events);
  assert.deepEqual(next.pastEvents, written);
  assert.deepEqual(earlier.pastEvents, written.slice(0, earlier.pastEvents.length));
  assert.equal(kinds(written).filter((kind) => kind === "entityUnlockSent").length, 2);
});
