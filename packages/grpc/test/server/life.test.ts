// The life of streams and of the server: signs of life, workers that go and come back, slow readers, closing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  partsOf,
  type Backend,
  type HistoryEvent,
  type OrchestrationWorkItem,
  type WorkerConnection,
  type WorkItem,
} from "ostinato/contract";
import { OrchestrationTraceContextSchema } from "../../src/generated/task_hub_sidecar_pb.js";
import { createCounts } from "../../src/server/counts.ts";
import { createKeptPasts } from "../../src/server/kept-pasts.ts";
import { WorkOut, type ActivityOut } from "../../src/server/work-out.ts";
import type { ServedHub } from "../../src/server/task-hubs.ts";
import { createTraceContexts } from "../../src/server/trace-contexts.ts";
import { openWorkStream, type WorkStream } from "../../src/server/work-stream.ts";
import { createTaskHubService } from "../../src/server/task-hub-service.ts";
import { complete, familyHub, kinds, schedule, serveInMemory, settled, statusOf, worldOf } from "./family.ts";

test("quirk 14: a silent stream says every 30 seconds that it is alive; one on which work goes out needs no ping", async (t) => {
  const world = await serveInMemory(t);
  const { clock } = world.hub;
  const worker = world.worker();
  await clock.advance(29_000);
  assert.equal(worker.pings, 0);
  await clock.advance(1_000);
  assert.equal(worker.pings, 1);
  await clock.advance(20_000);
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  await worker.turn();
  await clock.advance(29_000);
  assert.equal(worker.pings, 1, "the turn was a sign of life");
  await clock.advance(1_000);
  assert.equal(worker.pings, 2);
  await clock.advance(300_000);
  assert.equal(worker.pings, 12);
  worker.cancel();
  await clock.advance(60_000);
  assert.equal(world.service.counters()["pings"], 12, "nobody is told who has gone");
});

test("PC 2.4 what was out on a stream that ended may still be answered for a while", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  const gone = world.worker();
  const { token } = await gone.turn();
  gone.cancel();
  const back = world.worker();
  await world.hub.clock.advance(9_000);
  assert.equal(back.waiting.length, 0, "not given to another while it may still be answered");
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [schedule(1, "hello")] });
  assert.equal((await back.activity()).request.name, "hello");
});

test("after the grace it is given to another worker under another token, and the late answer is refused", async (t) => {
  const world = await serveInMemory(t, { reconnectGrace: "3s" });
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  const gone = world.worker();
  const late = await gone.turn();
  gone.cancel();
  const back = world.worker();
  await world.hub.clock.advance(3_100);
  const { token, request } = await back.turn();
  assert.equal(request.instanceId, "one");
  assert.notEqual(token, late.token);
  const answer = (completionToken: string, output: string) =>
    world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken, actions: [complete(1, output)] });
  assert.equal(await statusOf(answer(late.token, '"late"')), "NOT_FOUND");
  await answer(token, '"in time"');
  const { orchestrationState } = await world.call("GetInstance", { instanceId: "one", getInputsAndOutputs: true });
  assert.equal(orchestrationState?.output, '"in time"');
  assert.equal(world.service.counters()["streams"], 1);
});

test("a worker that has nothing in hand leaves nothing behind: another one has the next turn at once", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  const gone = world.worker();
  const { token } = await gone.turn();
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token });
  gone.cancel();
  await settled();
  assert.equal(world.service.counters()["streams"], 0);
  const back = world.worker();
  await world.call("RaiseEvent", { instanceId: "one", name: "go" });
  const { request } = await back.turn();
  assert.deepEqual(kinds(request.pastEvents), ["orchestratorStarted", "executionStarted"]);
});

test("what was never sent does not wait for the grace: it is offered to others a second later", async (t) => {
  const world = await serveInMemory(t);
  for (const instanceId of ["one", "two"]) await world.call("StartInstance", { instanceId, name: "greet" });
  const gone = world.worker({ maxConcurrentOrchestrationWorkItems: 1 });
  for (let turn = 0; turn < 2; turn++) {
    const { token, request } = await gone.turn();
    await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token });
  }
  for (const instanceId of ["one", "two"]) await world.call("RaiseEvent", { instanceId, name: "go" });
  const sent = (await gone.turn()).request.instanceId;
  gone.cancel();
  const back = world.worker();
  await world.hub.clock.advance(1_100);
  const { request } = await back.turn();
  assert.notEqual(request.instanceId, sent);
  assert.equal(back.waiting.length, 0, "the one that was sent may still be answered");
  await world.hub.clock.advance(9_000);
  assert.equal((await back.turn()).request.instanceId, sent);
});

test("a connection that breaks is no end of the work: each of many comes to its end, once", async (t) => {
  const world = await serveInMemory(t, { reconnectGrace: "0s" });
  const ids = Array.from({ length: 20 }, (_, index) => `one-${index}`);
  for (const instanceId of ids) await world.call("StartInstance", { instanceId, name: "greet" });
  for (let round = 0; round < 3; round++) {
    const worker = world.worker();
    for (let turn = 0; turn < 10; turn++) {
      const { token, request } = await worker.turn();
      if (turn % 2 === 0)
        await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token, actions: [complete(1)] });
    }
    world.channel.cutStreams();
    assert.equal((await worker.ended)?.status, "UNAVAILABLE");
    await settled();
    // What was never sent is offered again a second later.
    await world.hub.clock.advance(1_100);
  }
  const last = world.worker();
  for (let turn = 0; turn < 5; turn++) {
    const { token, request } = await last.turn();
    await world.call("CompleteOrchestratorTask", { instanceId: request.instanceId, completionToken: token, actions: [complete(1)] });
  }
  for (const instanceId of ids) assert.equal((await world.hub.instance(instanceId).status())?.status, "COMPLETED", instanceId);
  assert.equal(partsOf(world.hub).backend.counters()["turnsCommitted"], 20);
});

test("to a slow reader little is written, and the rest is sent when it reads again", async (t) => {
  const world = await serveInMemory(t);
  const worker = world.worker();
  await settled();
  world.channel.setSlow(true);
  for (let count = 0; count < 100; count++) await world.call("StartInstance", { instanceId: `one-${count}`, name: "greet" });
  await settled();
  const sent = world.service.counters()["itemsSent"] ?? 0;
  assert.ok(sent <= 17, `${sent} were written to somebody who does not read`);
  world.channel.setSlow(false);
  for (let count = 0; count < 100; count++) await worker.turn();
});

test("WS5 a worker that never reads again is seen off after a while: what it was to have is done by another one", async (t) => {
  const world = await serveInMemory(t);
  const stuck = world.worker();
  await settled();
  world.channel.setSlow(true);
  for (let count = 0; count < 100; count++) await world.call("StartInstance", { instanceId: `one-${count}`, name: "greet" });
  await world.hub.clock.advance(100_000);
  assert.equal(world.service.counters()["streams"], 1, "it may be busy for a while");
  await world.hub.clock.advance(40_000);
  await settled();
  assert.equal(world.service.counters()["streams"], 0);
  assert.equal(world.service.counters()["streamsStuck"], 1);
  assert.match(world.hub.logged.map(({ message }) => message).join(), /has not read/);
  const other = worldOf(world.hub, world.service).worker();
  await world.hub.clock.advance(2_000);
  const ids = new Set<string>();
  for (let count = 0; count < 100; count++) ids.add((await other.turn()).request.instanceId);
  assert.equal(ids.size, 100);
  world.channel.setSlow(false);
  assert.equal(await stuck.ended, undefined, "whoever reads after all sees a stream that ended well, and opens another one");
});

test("WS2 the end of a stream does not overtake the commit of an answer that has come", async () => {
  const { clock, random, log } = partsOf(await familyHub());
  const commit = Promise.withResolvers<void>();
  let deliver!: (items: readonly WorkItem[]) => void;
  let isClosed = false;
  const line: WorkerConnection = {
    completeOrchestration: () => commit.promise,
    completeActivity: () => Promise.resolve(),
    completeEntity: () => Promise.resolve(),
    stopTaking: () => undefined,
    close: async () => void (isClosed = true),
  };
  const connectWorker: Backend["connectWorker"] = async (_, to) => ((deliver = to), line);
  const backend = { connectWorker } as Backend;
  const out = new WorkOut();
  const hub: ServedHub = { backend, clock, random, log, name: "default", out, streams: new Set(), traces: createTraceContexts() };
  const stream = await openWorkStream({
    hub,
    caller: "somebody",
    peer: "family",
    interest: {
      orchestrators: "any",
      activities: "any",
      entities: "any",
      maxConcurrentOrchestrations: 1,
      maxConcurrentActivities: 1,
      maxConcurrentEntities: 1,
      warmBytes: 0,
      warmIdleMs: 0,
    },
    keepsPrograms: false,
    streamsHistory: false,
    itemBytes: 1_000_000,
    activityVersions: new Map(),
    reconnectGraceMs: 0,
    pasts: createKeptPasts({ bytes: 0, used: 0 }),
    writer: { write: () => true, drained: () => Promise.resolve() },
    counts: createCounts(),
  });
  deliver([turnOf("one", { events: [] })]);
  const found = out.find({ kind: "orchestration", token: "", instanceId: "one", caller: "somebody" });
  assert.ok(found.kind === "out");
  const answered = out.take(found.out, () => stream.answerTurn(found.out, { kind: "turn", token: 1, actions: [] }));
  const retired = stream.retire(0);
  await settled();
  assert.equal(isClosed, false, "its outcome is not in the store yet");
  commit.resolve();
  await retired;
  await answered;
  assert.equal(isClosed, true);
});

test("closing: streams end well, what is out may be answered until the grace is over, new calls are UNAVAILABLE", async (t) => {
  const world = await serveInMemory(t);
  for (const instanceId of ["one", "two"]) await world.call("StartInstance", { instanceId, name: "greet" });
  const worker = world.worker();
  const [one, two] = [await worker.turn(), await worker.turn()];
  const waiting = statusOf(world.call("WaitForInstanceCompletion", { instanceId: "two" }));
  const closing = world.service.close({ graceMs: 5_000 });
  assert.equal(await waiting, "UNAVAILABLE");
  assert.equal(await statusOf(world.call("StartInstance", { instanceId: "three", name: "greet" })), "UNAVAILABLE");
  assert.equal(await statusOf(world.call("Hello")), "UNAVAILABLE");
  assert.equal((await world.worker().ended)?.status, "UNAVAILABLE");
  await world.call("CompleteOrchestratorTask", { instanceId: one.request.instanceId, completionToken: one.token, actions: [complete(1)] });
  await world.hub.clock.advance(5_100);
  await closing;
  assert.equal(await worker.ended, undefined);
  const late = { instanceId: two.request.instanceId, completionToken: two.token, actions: [complete(1)] };
  assert.equal(await statusOf(world.call("CompleteOrchestratorTask", late)), "NOT_FOUND");
  assert.equal((await world.hub.instance(one.request.instanceId).status())?.status, "COMPLETED");

  const next = createTaskHubService(world.hub);
  const again = worldOf(world.hub, next);
  assert.equal(
    (await again.worker().turn()).request.instanceId,
    two.request.instanceId,
    "what was not answered is there for the next server",
  );
  await next.close({ graceMs: 0 });
});

test("closing does not wait for the grace when everything was answered, and closing twice is closing once", async (t) => {
  const world = await serveInMemory(t);
  await world.call("StartInstance", { instanceId: "one", name: "greet" });
  const worker = world.worker();
  const { token } = await worker.turn();
  const closing = world.service.close({ graceMs: 3_600_000 });
  await world.call("CompleteOrchestratorTask", { instanceId: "one", completionToken: token, actions: [complete(1)] });
  await closing;
  await world.service.close();
  assert.equal(await worker.ended, undefined);
});

test("a hub whose store is closed beneath the server answers UNAVAILABLE, and its words name nothing inside", async () => {
  const hub = await familyHub();
  const service = createTaskHubService(hub);
  await hub.close();
  const { call } = worldOf(hub, service);
  await assert.rejects(call("StartInstance", { instanceId: "one", name: "greet" }), { status: "UNAVAILABLE" });
  await service.close();
});

test("SEC12 what nobody foresaw is logged under a number; the caller is told the number and nothing else", async (t) => {
  const hub = await familyHub();
  const service = createTaskHubService(hub);
  t.after(() => hub.close());
  const { backend } = partsOf(hub);
  Object.assign(backend, {
    get: async () => {
      throw new Error("select * from secrets where password = 'hunter2'");
    },
  });
  await assert.rejects(worldOf(hub, service).call("GetInstance", { instanceId: "one" }), (error: { status: string; message: string }) => {
    assert.equal(error.status, "INTERNAL");
    assert.doesNotMatch(error.message, /hunter2|select/);
    const number = /[0-9a-f]{32}/.exec(error.message)?.[0];
    return hub.logged.some(({ fields }) => fields["number"] === number && number !== undefined);
  });
});

// ---- the parts

function turnOf(instanceId: string, past: OrchestrationWorkItem["past"], executionId = "e1"): OrchestrationWorkItem {
  const newEvents: HistoryEvent[] = [{ kind: "OrchestratorStarted", eventId: -1, timestamp: 7 }];
  return { kind: "orchestration", token: 1, instanceId, executionId, name: "greet", past, newEvents };
}

const raised = (name: string): HistoryEvent => ({ kind: "EventRaised", eventId: -1, timestamp: 5, name, input: "x".repeat(1_000) });

test("KP1 a past is used only where it has exactly the events that the item says, of the same execution", () => {
  const pasts = createKeptPasts({ bytes: 1_000_000, used: 0 });
  const first = pasts.take(turnOf("one", { events: [raised("a")] }))!;
  const kept = pasts.advance(first, turnOf("one", { kept: 1 }).newEvents, {
    kind: "turn",
    token: 1,
    actions: [{ kind: "createTimer", id: 4, fireAt: 9 }],
  });
  assert.ok(kept !== undefined && kept > 2_000);
  const again = pasts.take(turnOf("one", { kept: 3 }))!;
  assert.deepEqual(again.events.slice(1), [
    { kind: "OrchestratorStarted", eventId: -1, timestamp: 7 },
    { kind: "TimerCreated", eventId: 4, timestamp: 7, fireAt: 9 },
  ]);
  pasts.advance(again, [raised("b")], { kind: "turn", token: 1, actions: [] });
  assert.equal(pasts.take(turnOf("one", { kept: 3 })), undefined, "one event more than the item says");
  assert.equal(pasts.size, 0);
  pasts.advance(pasts.take(turnOf("one", { events: [] }))!, [raised("a")], { kind: "turn", token: 1, actions: [] });
  assert.equal(pasts.take(turnOf("one", { kept: 1 }, "e2")), undefined, "another execution");
});

test("KP3 together they stay within the budget, the one without a turn for longest goes first, and what is forgotten meanwhile is not kept", () => {
  const budget = { bytes: 7_000, used: 0 };
  const pasts = createKeptPasts(budget);
  for (const id of ["a", "b", "c", "d"]) {
    const past = pasts.take(turnOf(id, { events: [] }))!;
    assert.notEqual(pasts.advance(past, [raised("x")], { kind: "turn", token: 1, actions: [] }), undefined);
    assert.ok(budget.used <= budget.bytes);
  }
  assert.equal(pasts.take(turnOf("a", { kept: 1 })), undefined);
  const last = pasts.take(turnOf("d", { kept: 1 }))!;
  pasts.forget("d");
  assert.equal(pasts.advance(last, [raised("x")], { kind: "turn", token: 1, actions: [] }), undefined);
  const ends = pasts.take(turnOf("e", { events: [] }))!;
  const completion = { kind: "completeOrchestration", id: 1, status: "COMPLETED" } as const;
  assert.equal(pasts.advance(ends, [raised("x")], { kind: "turn", token: 1, actions: [completion] }), undefined);
  pasts.clear();
  assert.deepEqual([pasts.size, budget.used], [0, 0]);
});

test("WO2 without a token two items of one name are nobody's; with the other one gone it is clear", async () => {
  const out = new WorkOut();
  const stream = { caller: "anybody" } as WorkStream;
  const activity = (token: string): ActivityOut => ({
    kind: "activity",
    token,
    stream,
    item: {
      kind: "activity",
      token: 1,
      instanceId: "one",
      executionId: "e1",
      taskId: 0,
      name: "hello",
      attempt: 1,
      delivery: 1,
      idempotencyKey: "k",
    },
  });
  const [first, second] = [activity("t1"), activity("t2")];
  out.put(first);
  out.put(second);
  const echo = { kind: "activity", token: "", instanceId: "one", taskId: 0, caller: "anybody" } as const;
  assert.equal(out.find(echo).kind, "unknown");
  await out.take(first, async () => undefined);
  assert.deepEqual(out.find(echo), { kind: "out", out: second });
  assert.equal(out.find({ ...echo, token: "t1" }).kind, "answered");
  assert.equal(
    out.take(first, async () => undefined),
    undefined,
  );
  out.drop(stream);
  assert.deepEqual([out.size, out.find({ ...echo, token: "t2" }).kind], [0, "unknown"]);
});

test("TC1 a span that is longer than any span is not remembered", () => {
  const contexts = createTraceContexts();
  const execution = { instanceId: "one", executionId: "e1" };
  const context = create(OrchestrationTraceContextSchema, { spanID: "00f067aa0ba902b7" });
  contexts.remember(execution, context);
  assert.equal(contexts.of(execution), context);
  contexts.remember(execution, create(OrchestrationTraceContextSchema, { spanID: "0".repeat(10_000) }));
  assert.equal(contexts.of(execution), undefined, "the one before is over");
});
