// Entities on a server of another SDK's: what a worker and a client of ours ask of it; and on one of ours, where nothing is lost on the way.

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, silentLogger, type EntityOutcome, type EntityWorkItem, type WorkerInterest, type WorkItem } from "ostinato/contract";
import { orchestrator } from "ostinato";
import { PROTOCOL_METADATA } from "../../src/codec/peer.ts";
import type { HistoryEvent } from "../../src/generated/task_hub_sidecar_pb.js";
import { remoteBackend } from "../../src/remote/remote-backend.ts";
import { WireError } from "../../src/transport/wire-error.ts";
import { serveInMemory, settled } from "../server/family.ts";
import { event, foreignWorld, type ForeignWorld } from "./foreign-server.ts";

const interest: WorkerInterest = {
  orchestrators: [],
  activities: [],
  entities: ["counter"],
  maxConcurrentOrchestrations: 1,
  maxConcurrentActivities: 1,
  maxConcurrentEntities: 1,
  warmBytes: 0,
  warmIdleMs: 0,
};
const called = event({
  case: "entityOperationCalled",
  value: { requestId: "r", operation: "get", parentInstanceId: "o", parentExecutionId: "e" } as never,
});
const batchOf = (instanceId: string, token: string, entityState?: string) => ({
  completionToken: token,
  request: {
    case: "entityRequestV2" as const,
    value: { instanceId, operationRequests: [called], ...(entityState === undefined ? {} : { entityState }) },
  },
});
const done = (token: unknown, state?: string): EntityOutcome => ({
  kind: "batch",
  token: token as string,
  results: [{ kind: "succeeded", result: "1" }],
  actions: [],
  ...(state === undefined ? {} : { state }),
});

async function connected(world: ForeignWorld, wanted = interest) {
  const delivered: EntityWorkItem[] = [];
  const line = await world.backend.connectWorker(wanted, (items: readonly WorkItem[]) => {
    for (const item of items) if (item.kind === "entity") delivered.push(item);
  });
  return { line, delivered };
}

async function closed(world: ForeignWorld, line: { close(): Promise<void> }): Promise<void> {
  const closing = line.close();
  await world.pass(20_000);
  await closing;
}

test("a worker of ours says which entities it has, does their batches, and says with each result for whom it is", async (t) => {
  const world = foreignWorld(t);
  world.answers.CompleteEntityTask = () => ({});
  const { line, delivered } = await connected(world);
  const [asked] = world.asked("GetWorkItems");
  assert.deepEqual([asked?.workItemFilters?.entities.map(({ name }) => name), asked?.maxConcurrentEntityWorkItems], [["counter"], 1]);
  assert.equal(asked?.own, undefined);
  await world.send(batchOf("@Counter@one", "t", "0"));
  const [item] = delivered;
  assert.deepEqual([item?.entityId, item?.state, item?.operations.length], ["@counter@one", "0", 1]);
  await line.completeEntity({
    ...done(item!.token, "1"),
    actions: [{ kind: "startOrchestration", instanceId: "i", executionId: "x", name: "n", tags: { a: "b" }, validated: true }],
  } as EntityOutcome);
  const [told] = world.asked("CompleteEntityTask");
  assert.deepEqual([told?.completionToken, told?.entityState, told?.results.length], ["t", "1", 1]);
  const [info] = told!.operationInfos;
  assert.deepEqual([info?.requestId, info?.responseDestination?.instanceId, info?.responseDestination?.executionId], ["r", "o", "e"]);
  const [started] = told!.actions;
  assert.equal(started?.operationActionType.case === "startNewOrchestration" && started.operationActionType.value.own, undefined);
  await closed(world, line);
});

test("FS1 an orchestration of ours that ends without letting go lets go in its last answer, of what it was granted", async (t) => {
  const world = foreignWorld(t);
  const careless = orchestrator("careless", async (ctx) => {
    const [a, b] = [ctx.entity("counter", "a"), ctx.entity("counter", "b")];
    await ctx.lockEntities([b, a]);
    return "done";
  });
  const worker = await world.hub.startWorker({ orchestrators: [careless] });
  const turn = (pastEvents: readonly HistoryEvent[], newEvents: readonly HistoryEvent[]) => {
    const value = { instanceId: "one", executionId: "e", pastEvents, newEvents } as never;
    return world.send({ request: { case: "orchestratorRequest", value }, completionToken: "t" });
  };
  const began = event({ case: "orchestratorStarted", value: {} as never }, -1, 1);
  const started = event({ case: "executionStarted", value: { name: "careless" } as never });
  await turn([], [began, started]);
  const [asked] = world.asked("CompleteOrchestratorTask").at(-1)!.actions;
  const message =
    asked?.orchestratorActionType.case === "sendEntityMessage" ? asked.orchestratorActionType.value.EntityMessageType : undefined;
  if (message?.case !== "entityLockRequested") return assert.fail(message?.case);
  const { criticalSectionId, lockSet, parentInstanceId } = message.value;
  assert.deepEqual([lockSet, parentInstanceId], [["@counter@a", "@counter@b"], "one"]);
  const requested = event({ case: "entityLockRequested", value: message.value }, asked!.id);
  const terminated = event({ case: "executionTerminated", value: {} as never });
  const kindsOf = () =>
    world
      .asked("CompleteOrchestratorTask")
      .at(-1)!
      .actions.map(({ orchestratorActionType: type }) => {
        if (type.case !== "sendEntityMessage") return type.case;
        const { case: kind, value } = type.value.EntityMessageType;
        return kind === "entityUnlockSent" ? [value.criticalSectionId === criticalSectionId, value.targetInstanceId] : kind;
      });
  await turn([began, started, requested], [began, terminated]);
  assert.deepEqual(kindsOf(), ["completeOrchestration"], "what was not granted is not let go");
  const granted = event({ case: "entityLockGranted", value: { criticalSectionId } as never });
  await turn([began, started, requested], [began, granted]);
  assert.deepEqual(kindsOf(), [[true, "@counter@a"], [true, "@counter@b"], "completeOrchestration"]);
  const stopped = worker.stop();
  await world.pass(20_000);
  await stopped;
});

test("no more batches are with a worker than it asked for; those of entities that are not here go back", async (t) => {
  const world = foreignWorld(t);
  world.answers.CompleteEntityTask = () => ({});
  world.answers.AbandonTaskEntityWorkItem = () => ({});
  const { line, delivered } = await connected(world);
  await world.send(batchOf("@counter@one", "t1"));
  await world.send(batchOf("@counter@two", "t2"));
  await world.send(batchOf("@stranger@one", "t3"));
  assert.deepEqual(
    delivered.map(({ entityId }) => entityId),
    ["@counter@one"],
  );
  assert.deepEqual(
    world.asked("AbandonTaskEntityWorkItem").map(({ completionToken }) => completionToken),
    ["t3"],
  );
  await line.completeEntity(done(delivered[0]!.token, "1"));
  assert.deepEqual(
    delivered.map(({ entityId }) => entityId),
    ["@counter@one", "@counter@two"],
  );
  await closed(world, line);
  assert.deepEqual(
    world.asked("AbandonTaskEntityWorkItem").map(({ completionToken }) => completionToken),
    ["t3", "t2"],
  );
});

test("WL4 a batch that failed goes back after a pause that grows", async (t) => {
  const world = foreignWorld(t);
  world.answers.CompleteEntityTask = () => ({});
  const { line, delivered } = await connected(world);
  const fail = async (token: string): Promise<void> => {
    await world.send(batchOf("@counter@one", token));
    await line.completeEntity({ kind: "failed", token: delivered.at(-1)!.token, failure: { errorType: "Error", message: "no" } });
  };
  await fail("t1");
  assert.equal(world.asked("CompleteEntityTask").length, 0);
  await world.pass(1_000);
  assert.equal(world.asked("CompleteEntityTask").at(-1)?.failureDetails?.errorMessage, "no");
  await fail("t2");
  await world.pass(1_500);
  assert.equal(world.asked("CompleteEntityTask").length, 1);
  await world.pass(500);
  assert.equal(world.asked("CompleteEntityTask").length, 2);
  await closed(world, line);
});

test("SE2 an answer that is too large for its server does not leave the batch hanging: it fails, with the reason", async (t) => {
  const world = foreignWorld(t);
  world.answers.CompleteEntityTask = ({ failureDetails }) =>
    failureDetails === undefined ? new WireError("RESOURCE_EXHAUSTED", "too large") : {};
  const { line, delivered } = await connected(world);
  await world.send(batchOf("@counter@one", "t"));
  await line.completeEntity(done(delivered[0]!.token, "large"));
  assert.match(world.asked("CompleteEntityTask").at(-1)?.failureDetails?.errorMessage ?? "", /makes a message of \d+ bytes/);
  await closed(world, line);
});

test("RE1 a signal whose answer is lost is sent again to a server of ours, and to no other", async (t) => {
  for (const [hello, times] of [
    [{}, 1],
    [PROTOCOL_METADATA, 2],
  ] as const) {
    const world = foreignWorld(t, hello);
    world.answers.SignalEntity = () => ({});
    world.fault = ({ method }) =>
      method === "SignalEntity" && world.asked("SignalEntity").length === 0 ? { kind: "loseReply" } : undefined;
    const signalled = world.backend.signalEntity({
      entityId: "@counter@one",
      operation: "add",
      input: "1",
      requestId: "r",
      scheduledAt: 9,
    });
    signalled.catch(() => undefined);
    await world.pass(60_000);
    if (times === 1) await assert.rejects(signalled, { code: "HUB_UNREACHABLE" });
    else await signalled;
    const signals = world.asked("SignalEntity");
    assert.equal(signals.length, times);
    assert.deepEqual([signals[0]?.instanceId, signals[0]?.name, signals[0]?.requestId], ["@counter@one", "add", "r"]);
  }
});

test("an entity of another server's is looked at, listed as it was asked for, and cleaned up to the end", async (t) => {
  const world = foreignWorld(t);
  const entity = (instanceId: string, serializedState?: string) => ({
    instanceId,
    lastModifiedTime: { seconds: 5n, nanos: 0 },
    ...(serializedState === undefined ? {} : { serializedState }),
  });
  world.answers.GetEntity = ({ instanceId }) => (instanceId === "@counter@one" ? { exists: true, entity: entity(instanceId, "0") } : {});
  assert.deepEqual(await world.backend.getEntity("@counter@one", true), {
    entityId: "@counter@one",
    lastModifiedAt: 5_000,
    backlogQueueSize: 0,
    hasState: true,
    state: "0",
  });
  assert.equal(await world.backend.getEntity("@counter@two", true), undefined);
  world.answers.QueryEntities = ({ query }) =>
    query?.continuationToken === undefined
      ? { entities: [entity("@other@one", "1")], continuationToken: "1" }
      : { entities: [entity("@counter@one", "1"), entity("@counter@two")], continuationToken: "0" };
  const filter = { idPrefix: "@counter@", includeState: true, includeTransient: false };
  const page = await world.backend.queryEntities(filter, {});
  assert.deepEqual([page.items.map(({ entityId }) => entityId), page.next], [["@counter@one"], undefined]);
  world.answers.CleanEntityStorage = ({ continuationToken }) => ({
    emptyEntitiesRemoved: 2,
    orphanedLocksReleased: 1,
    ...(continuationToken === undefined ? { continuationToken: "more" } : {}),
  });
  assert.deepEqual(await world.backend.cleanEntityStorage({ removeEmptyEntities: true, releaseOrphanedLocks: true }), {
    emptyEntitiesRemoved: 4,
    orphanedLocksReleased: 2,
  });
});

test("a server that has no entities says so by what was asked of it", async (t) => {
  const world = foreignWorld(t);
  await assert.rejects(world.backend.getEntity("@counter@one", true), { code: "UNSUPPORTED", message: /Looking at an entity/ });
  const signal = world.backend.signalEntity({ entityId: "@counter@one", operation: "add", requestId: "r" });
  await assert.rejects(signal, { code: "UNSUPPORTED", message: /Signalling an entity/ });
});

test("between ours an entity without a state is seen, with what it waits for; a batch given back comes again as soon as was asked", async (t) => {
  const world = await serveInMemory(t);
  const backend = remoteBackend(world.channel, { where: "ours", clock: world.hub.clock, random: seededRandom(3), log: silentLogger });
  t.after(async () => {
    const closing = backend.close();
    await world.hub.clock.advance(60_000);
    await closing;
  });
  const delivered: EntityWorkItem[] = [];
  await backend.signalEntity({ entityId: "@counter@one", operation: "add", requestId: "r", traceContext: "trace" });
  assert.deepEqual(await backend.getEntity("@counter@one", true).then((found) => [found?.hasState, found?.backlogQueueSize]), [false, 1]);
  const line = await backend.connectWorker(interest, (items) => {
    for (const item of items) if (item.kind === "entity") delivered.push(item);
  });
  await settled();
  assert.equal(delivered[0]?.operations[0]?.traceContext, "trace");
  await line.completeEntity({ kind: "abandoned", token: delivered[0].token, delayMs: 0 });
  await settled();
  await line.completeEntity(done(delivered[1]!.token, ""));
  assert.deepEqual(await backend.getEntity("@counter@one", true).then((found) => [found?.hasState, found?.state]), [true, ""]);
  const listed = await backend.queryEntities({ includeState: false, includeTransient: true }, { size: 5 });
  assert.deepEqual(
    listed.items.map(({ entityId, hasState, state }) => [entityId, hasState, state]),
    [["@counter@one", true, undefined]],
  );
  const closing = line.close();
  await world.hub.clock.advance(20_000);
  await closing;
});
