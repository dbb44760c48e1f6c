// A worker of ours on a server of another SDK's.

import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator } from "ostinato";
import type { WorkItem } from "ostinato/contract";
import { decodeEvents } from "../../src/codec/events.ts";
import { PROTOCOL_METADATA } from "../../src/codec/peer.ts";
import type { HistoryEvent, OrchestratorResponse } from "../../src/generated/task_hub_sidecar_pb.js";
import { WireError } from "../../src/transport/wire-error.ts";
import { event, foreignWorld, type ForeignWorld } from "./foreign-server.ts";

const T0 = Date.UTC(2025, 0, 1);
const keys: string[] = [];
const pay = activity("pay", async (ctx, amount: number) => {
  keys.push(ctx.idempotencyKey);
  assert.deepEqual(ctx.tags, {});
  return amount * 2;
});
const order = orchestrator("order", async (ctx, amount: number) => {
  const paid = await ctx.callActivity(pay, amount, { timeout: { attempt: "30s" } });
  await ctx.createTimer("1h");
  return paid;
});

const turnStarted = (at?: number): HistoryEvent => event({ case: "orchestratorStarted", value: {} as never }, -1, at);
const started = (input: string, executionId?: string, at?: number): HistoryEvent =>
  event(
    {
      case: "executionStarted",
      value: {
        name: "order",
        input,
        orchestrationInstance: { instanceId: "one", ...(executionId === undefined ? {} : { executionId }) },
      } as never,
    },
    -1,
    at,
  );
const scheduled = (id: number, tags: Record<string, string>, at?: number): HistoryEvent =>
  event({ case: "taskScheduled", value: { name: "pay", input: "21", tags } as never }, id, at);
const completed = (id: number, result: string, at?: number): HistoryEvent =>
  event({ case: "taskCompleted", value: { taskScheduledId: id, result } as never }, -1, at);
const failed = (id: number, at?: number): HistoryEvent =>
  event(
    { case: "taskFailed", value: { taskScheduledId: id, failureDetails: { errorType: "Error", errorMessage: "no" } } as never },
    -1,
    at,
  );

async function sendTurn(
  world: ForeignWorld,
  past: readonly HistoryEvent[],
  newEvents: readonly HistoryEvent[],
  token = "t",
  more: object = {},
): Promise<void> {
  const value = { instanceId: "one", pastEvents: past, newEvents, ...more };
  await world.send({ request: { case: "orchestratorRequest", value: value as never }, completionToken: token });
  await world.settle();
}

function lastTurn(world: ForeignWorld): OrchestratorResponse {
  const turn = world.asked("CompleteOrchestratorTask").at(-1);
  assert.ok(turn, "a turn was to be answered");
  return turn;
}

test("a worker may be there before its server: it says so, goes on trying, and takes work when there is some", async (t) => {
  const world = foreignWorld(t);
  world.channel.setDown(true);
  const worker = await world.hub.startWorker({ orchestrators: [order], activities: [pay] });
  assert.match(world.logged.find(({ level }) => level === "warn")?.message ?? "", /gets no work from foreign:4001.*UNAVAILABLE/);
  await world.pass(600_000);
  assert.equal(world.logged.filter(({ level }) => level === "warn").length, 1, "it is said once");
  assert.ok(world.resets > 0, "a connection that leads nowhere is given up");
  world.channel.setDown(false);
  await world.pass(30_000);
  assert.equal(world.streams, 1);
  const stopped = worker.stop();
  await world.pass(30_000);
  await stopped;
  assert.equal(world.streams, 0);
});

test("a server of the family is told nothing that is ours, and which names are taken", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order], activities: [pay], concurrency: { orchestrations: 3, activities: 2 } });
  const [request] = world.asked("GetWorkItems");
  assert.deepEqual(request?.capabilities, [1]);
  assert.equal(request?.own, undefined);
  assert.deepEqual(
    [request?.workItemFilters?.orchestrations.map(({ name }) => name), request?.workItemFilters?.activities.map(({ name }) => name)],
    [["order"], ["pay"]],
  );
  assert.deepEqual([request?.maxConcurrentOrchestrationWorkItems, request?.maxConcurrentActivityWorkItems], [3, 2]);
});

test("a stream that breaks is opened again after a pause of chance, from Hello on", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order] });
  for (let times = 2; times < 5; times++) {
    world.channel.cutStreams();
    await world.settle();
    assert.equal(world.streams, 0);
    await world.pass(30_000);
    assert.equal(world.asked("GetWorkItems").length, times);
    assert.ok(world.asked("Hello").length >= times);
  }
});

test("silence is a sign only where there were pings", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order] });
  await world.pass(3_600_000);
  assert.equal(world.asked("GetWorkItems").length, 1, "this server may never have said a word");
  await world.send({ request: { case: "healthPing", value: {} } });
  await world.pass(100_000);
  assert.equal(world.asked("GetWorkItems").length, 1);
  await world.pass(60_000);
  assert.equal(world.backend.counters()["workStreamsSilent"], 1);
  await world.pass(30_000);
  assert.equal(world.asked("GetWorkItems").length, 2);
});

test("a turn is run whatever its server leaves out: the execution's id, times, the beginning of the turn", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order], activities: [pay] });
  await sendTurn(world, [], [turnStarted(T0), started("21")], "first");
  const first = lastTurn(world);
  assert.equal(first.completionToken, "first");
  assert.equal(first.instanceId, "one");
  assert.equal(first.own, undefined);
  const [call] = first.actions;
  assert.equal(call?.id, 1);
  assert.ok(call?.orchestratorActionType.case === "scheduleTask");
  const { tags } = call.orchestratorActionType.value;
  assert.equal(tags["ostinato.timeout-ms"], "30000");
  const key = tags["ostinato.key"];
  assert.ok(key?.startsWith("one") && key.length > "one:0001".length, `the key tells executions apart: ${key}`);

  // The second turn begins with no OrchestratorStarted, its result has no time, and there is a kind of event that nobody here knows.
  const unknown = event({ case: "genericEvent", value: { data: "?" } as never }, -1);
  await sendTurn(world, [turnStarted(T0), started("21"), scheduled(1, tags), unknown, started("99")], [completed(1, "42")], "second");
  const second = lastTurn(world);
  const [timer] = second.actions;
  assert.ok(
    timer?.orchestratorActionType.case === "createTimer",
    JSON.stringify(second.actions.map((each) => each.orchestratorActionType.case)),
  );
  assert.equal(Number(timer.orchestratorActionType.value.fireAt?.seconds) * 1_000, T0 + 3_600_000);
  assert.deepEqual(
    world.logged.filter(({ level }) => level === "error").map(({ message }) => message),
    [],
  );
});

test("an activity has its attempt, key and time-out from its tags, and sees none of them; without tags it has a key all the same", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ activities: [pay] });
  keys.length = 0;
  const request = { name: "pay", input: "21", taskId: 1, orchestrationInstance: { instanceId: "one" } };
  const send = (more: object, token: string): Promise<void> =>
    world.send({ request: { case: "activityRequest", value: { ...request, ...more } as never }, completionToken: token });
  await send({ tags: { "ostinato.key": "e:0001", "ostinato.attempt": "2" } }, "a");
  await send({}, "b");
  await send({ orchestrationInstance: { instanceId: "one", executionId: "e1" } }, "c");
  assert.deepEqual(keys, ["e:0001", "one:0001", "e1:0001"]);
  assert.deepEqual(
    world
      .asked("CompleteActivityTask")
      .map(({ instanceId, taskId, completionToken, result }) => [instanceId, taskId, completionToken, result]),
    ["a", "b", "c"].map((token) => ["one", 1, token, "42"]),
  );
});

test("L2 an outcome whose answer is lost is sent until the server has it; one that nobody wants is settled", async (t) => {
  const world = foreignWorld(t);
  const worker = await world.hub.startWorker({ activities: [pay] });
  let lost = 0;
  world.fault = ({ method }) =>
    method === "CompleteActivityTask" && lost++ < 4 ? { kind: lost % 2 === 0 ? "loseReply" : "loseCall" } : undefined;
  const item = { name: "pay", input: "1", taskId: 3, orchestrationInstance: { instanceId: "one" } };
  await world.send({ request: { case: "activityRequest", value: item as never }, completionToken: "a" });
  await world.pass(60_000);
  assert.deepEqual(
    world.asked("CompleteActivityTask").map((each) => each.completionToken),
    ["a", "a", "a"],
    "two that were lost on the way back, and the one that was heard",
  );
  assert.equal(world.backend.counters()["outcomesRepeated"], 4);
  world.answers.CompleteActivityTask = () => new WireError("NOT_FOUND", "nobody knows this token");
  await world.send({ request: { case: "activityRequest", value: item as never }, completionToken: "b" });
  await world.pass(60_000);
  assert.equal(world.asked("CompleteActivityTask").length, 4);
  assert.equal(world.backend.counters()["outcomesUnwanted"], 1);
  const stopped = worker.stop();
  await world.pass(20_000);
  await stopped;
});

test("an outcome that is too large for its server fails the activity with the size and the remedy", async (t) => {
  const world = foreignWorld(t);
  const large = activity("pay", async () => "x".repeat(1_000_000));
  await world.hub.startWorker({ activities: [large] });
  world.answers.CompleteActivityTask = ({ result }) =>
    result === undefined ? {} : new WireError("RESOURCE_EXHAUSTED", "larger than 900000");
  await world.send({
    request: { case: "activityRequest", value: { name: "pay", taskId: 1, orchestrationInstance: { instanceId: "one" } } as never },
    completionToken: "a",
  });
  await world.settle();
  const last = world.asked("CompleteActivityTask").at(-1);
  assert.match(last?.failureDetails?.errorMessage ?? "", /message of 100\d{4} bytes, which the task hub at foreign:4001 does not take/);
  assert.equal(last?.failureDetails?.isNonRetriable, true);
});

test("D1 a replay that differs goes back after a pause that grows; a server without a call for that is no accident", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order], activities: [pay] });
  const past = [turnStarted(T0), started("21", "e1"), event({ case: "timerCreated", value: {} as never }, 1)];
  for (const token of ["a", "b"]) {
    await sendTurn(world, past, [turnStarted(T0 + 1_000)], token);
    assert.equal(world.asked("AbandonTaskOrchestratorWorkItem").length, token === "a" ? 0 : 1);
    await world.pass(token === "a" ? 1_000 : 2_000);
  }
  assert.deepEqual(
    world.asked("AbandonTaskOrchestratorWorkItem").map((each) => each.completionToken),
    ["a", "b"],
  );
  assert.ok(world.logged.some(({ level, message }) => level === "error" && /cannot go on, and is given back/.test(message)));
  assert.equal(world.logged.filter(({ message }) => /does not take work back/.test(message)).length, 1);
  assert.equal(world.asked("CompleteOrchestratorTask").length, 0, "nothing is written");
});

test("C6 a rewind is answered with the history that is left: without what failed for good, under a new execution", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order], activities: [pay] });
  const retried = { "ostinato.key": "e1:0002" };
  const past = [
    turnStarted(T0),
    started("21", "e1"),
    scheduled(1, { "ostinato.key": "e1:0001" }),
    turnStarted(T0 + 1),
    completed(1, "42"),
    scheduled(2, retried),
    turnStarted(T0 + 2),
    failed(2),
    event({ case: "timerCreated", value: {} as never }, 3),
    turnStarted(T0 + 3),
    event({ case: "timerFired", value: { timerId: 3 } as never }),
    scheduled(4, { ...retried, "ostinato.attempt": "2" }),
    turnStarted(T0 + 4),
    failed(4),
    event({ case: "executionCompleted", value: { orchestrationStatus: 3 } as never }),
  ];
  const rewound = event({ case: "executionRewound", value: { reason: "again" } as never }, -1, T0 + 5);
  await sendTurn(world, past, [turnStarted(T0 + 5), rewound], "r");
  const { actions, completionToken } = lastTurn(world);
  assert.equal(completionToken, "r");
  assert.equal(actions.length, 1);
  const [action] = actions;
  assert.equal(action?.id, -1);
  assert.ok(action?.orchestratorActionType.case === "rewindOrchestration");
  const history = action.orchestratorActionType.value.newHistory;
  const kept = decodeEvents(history, "family");
  assert.deepEqual(
    kept.map(({ kind, eventId }) => (eventId < 0 ? kind : `${kind}#${eventId}`)),
    [
      "OrchestratorStarted",
      "ExecutionStarted",
      "TaskScheduled#1",
      "OrchestratorStarted",
      "TaskCompleted",
      "TaskScheduled#2",
      "OrchestratorStarted",
      "TaskFailed",
      "TimerCreated#3",
      "OrchestratorStarted",
      "TimerFired",
      "OrchestratorStarted",
      "OrchestratorStarted",
      "ExecutionRewound",
    ],
    "of the call that was retried the last attempt alone is gone: what it waited for before stays",
  );
  const start = kept.find((each) => each.kind === "ExecutionStarted");
  assert.ok(start !== undefined && start.executionId !== "e1" && start.executionId !== "");

  // The next turn of this history runs the program, which is told nothing of the rewind; keys go on from the execution before.
  const [, startMessage] = history;
  await sendTurn(world, [turnStarted(T0), startMessage!], [turnStarted(T0 + 6), rewound], "after", { executionId: start.executionId });
  const [again] = lastTurn(world).actions;
  assert.ok(again?.orchestratorActionType.case === "scheduleTask");
  assert.equal(again.orchestratorActionType.value.tags["ostinato.key"], "e1:0001");
});

test("C6 a program that failed by its own code and is rewound fails once more, or goes on with the code of now", async (t) => {
  const world = foreignWorld(t);
  let broken = true;
  const order = orchestrator("order", async () => {
    if (broken) throw new Error("broken");
    return "mended";
  });
  await world.hub.startWorker({ orchestrators: [order] });
  const rewound = event({ case: "executionRewound", value: {} as never }, -1, T0 + 5);
  for (const status of [3, 1]) {
    await sendTurn(world, [turnStarted(T0), started("1", "e2"), turnStarted(T0 + 5), rewound], [turnStarted(T0 + 6)], "again");
    const [end] = lastTurn(world).actions;
    assert.ok(end?.orchestratorActionType.case === "completeOrchestration");
    assert.equal(end.orchestratorActionType.value.orchestrationStatus, status);
    broken = false;
  }
});

test("a long past is read by a call of its own", async (t) => {
  const world = foreignWorld(t);
  await world.hub.startWorker({ orchestrators: [order], activities: [pay] });
  world.answers.StreamInstanceHistory = () => ({ events: [turnStarted(T0), started("21", "e1"), scheduled(1, {})] });
  await sendTurn(world, [], [turnStarted(T0 + 1_000), completed(1, "42")], "long", { executionId: "e1", requiresHistoryStreaming: true });
  const [asked] = world.asked("StreamInstanceHistory");
  assert.deepEqual([asked?.instanceId, asked?.executionId, asked?.forWorkItemProcessing], ["one", "e1", true]);
  assert.equal(lastTurn(world).actions[0]?.orchestratorActionType.case, "createTimer");
});

test("no more is with the worker than it asked for, whatever the server sends; what waits goes back when the worker stops", async (t) => {
  const world = foreignWorld(t);
  const go = Promise.withResolvers<void>();
  let running = 0;
  const slow = activity("pay", async () => {
    running += 1;
    await go.promise;
  });
  const worker = await world.hub.startWorker({ activities: [slow], concurrency: { activities: 1 } });
  for (const token of ["a", "b", "c"])
    await world.send({
      request: { case: "activityRequest", value: { name: "pay", taskId: 1, orchestrationInstance: { instanceId: token } } as never },
      completionToken: token,
    });
  assert.equal(running, 1);
  const stopped = worker.stop();
  await world.settle();
  assert.deepEqual(
    world.asked("AbandonTaskActivityWorkItem").map((each) => each.completionToken),
    ["b", "c"],
  );
  go.resolve();
  await world.pass(20_000);
  await stopped;
  assert.deepEqual(
    world.asked("CompleteActivityTask").map((each) => each.completionToken),
    ["a"],
    "what was running is finished after the stream has gone",
  );
});

test("one of ours is told more: what the worker keeps, how the line is called; when the stream breaks, programs are forgotten", async (t) => {
  const world = foreignWorld(t, PROTOCOL_METADATA);
  const worker = await world.hub.startWorker({ orchestrators: [order], activities: [pay] });
  const [request] = world.asked("GetWorkItems");
  assert.ok(request?.capabilities.some((each) => Number(each) === 1500));
  assert.ok((request?.own?.warmBytes ?? 0n) > 0n);
  assert.ok(world.metadataOf("GetWorkItems")["ostinato-line"] !== undefined);
  await sendTurn(world, [], [turnStarted(T0), started("21", "e1")], "t", { executionId: "e1", own: { name: "order" } });
  assert.ok((lastTurn(world).own?.keptBytes ?? 0n) > 0n);
  assert.equal(worker.counters()["programsKept"], 1);
  world.channel.cutStreams();
  await world.settle();
  assert.equal(worker.counters()["programsKept"], 0);
  const stopped = worker.stop();
  await world.pass(20_000);
  await stopped;
});

test("WL1 an outcome that is ready when its stream has gone keeps no program: no server would know of it", async (t) => {
  const world = foreignWorld(t, PROTOCOL_METADATA);
  const delivered: WorkItem[] = [];
  const limits = { maxConcurrentOrchestrations: 1, maxConcurrentActivities: 1, maxConcurrentEntities: 1 };
  const interest = { orchestrators: ["order"], activities: [], entities: [], ...limits };
  const line = await world.backend.connectWorker({ ...interest, warmBytes: 1_000, warmIdleMs: 1_000 }, (items) => delivered.push(...items));
  await sendTurn(world, [], [turnStarted(T0), started("21", "e1")], "t", { executionId: "e1", own: { name: "order" } });
  const [turn] = delivered;
  assert.ok(turn?.kind === "orchestration");
  world.channel.cutStreams();
  await world.settle();
  await line.completeOrchestration({ kind: "turn", token: turn.token, actions: [], keptBytes: 10 });
  assert.equal(lastTurn(world).own?.keptBytes, undefined);
  assert.deepEqual(delivered.slice(1), [{ kind: "forget", instanceId: "one", executionId: "e1" }]);
  const closed = line.close();
  await world.pass(20_000);
  await closed;
});
