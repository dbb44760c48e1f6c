// What other ends of the protocol send and expect: messages as the SDKs of the family write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { InvalidArgumentError, UnsupportedError } from "ostinato";
import type { Action, HistoryEvent, InstanceStatus } from "ostinato/contract";

import { decodeActions } from "./actions.ts";
import { actions, EVENTS, orchestrationItem, snapshot, startRequest } from "./arbitrary-values.test.ts";
import { decodeEvents, encodeEvents } from "./events.ts";
import { decodeFailure, encodeFailure } from "./failures.ts";
import { decodeGetReply, encodeGetReply } from "./instances.ts";
import { METHODS, readReply, readRequest, requestWith, replyWith, writeReply, writeRequest, type RequestFields } from "./messages.ts";
import { decodeActivityOutcome, decodeTurnOutcome, encodeTurnOutcome, isAbandon, joinChunks } from "./outcomes.ts";
import {
  decodePurge,
  decodePurgeReply,
  decodeQuery,
  decodeRestart,
  decodeStart,
  encodePurgeMany,
  encodeQuery,
  encodeStart,
  notForFamily,
} from "./requests.ts";
import { decodeInstant, decodeDue } from "./timestamps.ts";
import { decodeWorkItem, encodeOrchestrationItem, type ReceivedItem } from "./work-items.ts";
import { decodeInterest, encodeInterest } from "./workers.ts";

type ActionFields = NonNullable<RequestFields<"CompleteOrchestratorTask">["actions"]>;
type EventFields = NonNullable<NonNullable<Parameters<typeof replyWith<"StreamInstanceHistory">>[1]>["events"]>;

const minted = { newInstanceId: () => "minted", newExecutionId: () => "e1" };
const context = { token: "t", instanceId: "parent", now: 99, newExecutionId: () => "e1" };
const timestamp = (ms: number, nanos = 0) => ({ seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 + nanos });
const eventsOf = (events: EventFields) => replyWith("StreamInstanceHistory", { events }).events;
const turnOf = (list: ActionFields, more: Omit<RequestFields<"CompleteOrchestratorTask">, "$typeName"> = {}) =>
  decodeTurnOutcome(requestWith("CompleteOrchestratorTask", { ...more, actions: list }), "family", context);

function actionsOf(list: ActionFields): readonly Action[] {
  const outcome = turnOf(list);
  return outcome.kind === "turn" ? outcome.actions : assert.fail(outcome.kind);
}

function failureOf(list: ActionFields): string {
  const [first, ...others] = actionsOf(list);
  assert.deepEqual(others, []);
  if (first?.kind !== "completeOrchestration" || first.status !== "FAILED") return assert.fail(JSON.stringify(first));
  assert.equal(first.failure?.nonRetriable, true);
  return first.failure.message;
}

// ---- nothing of our own

/** The numbers of the fields from 1500 on: whoever sends one has said something private. */
function privateFields(bytes: Uint8Array, schema: Parameters<typeof toBinary>[0], message: Parameters<typeof toBinary>[1]): string[] {
  assert.deepEqual(toBinary(schema, message), bytes);
  const found: string[] = [];
  JSON.stringify(message, (key, value: unknown) => {
    const isSet = value !== undefined && value !== "" && value !== false && value !== 0 && value !== "0";
    if (/^own($|[A-Z])/.test(key) && isSet) found.push(key);
    return typeof value === "bigint" ? value.toString() : value;
  });
  return found;
}

test("E2 to the family nothing of our own is written, whatever the value", () => {
  const { request: item } = { request: METHODS.GetWorkItems.reply };
  fc.assert(
    fc.property(orchestrationItem, (each) => {
      const message = readReply("GetWorkItems", writeReply("GetWorkItems", encodeOrchestrationItem(each, each.past, "t", "family")));
      assert.deepEqual(privateFields(writeReply("GetWorkItems", message), item, message), []);
    }),
  );
  fc.assert(
    fc.property(actions, (each) => {
      const turn = encodeTurnOutcome(
        { kind: "turn", token: "t", actions: each, keptBytes: 7 },
        { instanceId: "i", executionId: "e", token: "t" },
        "family",
      );
      const message = readRequest("CompleteOrchestratorTask", writeRequest("CompleteOrchestratorTask", turn));
      const bytes = writeRequest("CompleteOrchestratorTask", message);
      assert.deepEqual(privateFields(bytes, METHODS.CompleteOrchestratorTask.request, message), []);
    }),
  );
  fc.assert(
    fc.property(startRequest, snapshot, (request, instance) => {
      const start = readRequest("StartInstance", writeRequest("StartInstance", encodeStart(request, "family", 1)));
      assert.deepEqual(privateFields(writeRequest("StartInstance", start), METHODS.StartInstance.request, start), []);
      const got = readReply("GetInstance", writeReply("GetInstance", encodeGetReply(instance, { payloads: true }, "family")));
      assert.deepEqual(privateFields(writeReply("GetInstance", got), METHODS.GetInstance.reply, got), []);
    }),
  );
});

test("E2 a cancelled timer leaves no trace in a history of the family; what was carried along stands behind the start as it did", () => {
  const at = { eventId: -1, timestamp: 5 };
  const raised = { kind: "EventRaised", ...at, name: "go" } as const;
  const history: HistoryEvent[] = [
    {
      kind: "ExecutionStarted",
      ...at,
      instanceId: "i",
      executionId: "e",
      name: "n",
      lineage: "l~2",
      validated: true,
      carriedEvents: [raised],
    },
    raised,
    { kind: "TimerCancelled", ...at, timerId: 3 },
  ];
  assert.deepEqual(
    decodeEvents(encodeEvents(history, "family"), "family").map((event) => event.kind),
    ["ExecutionStarted", "EventRaised"],
  );
});

test("a value that claims to be of our own is not believed when it comes from the family", () => {
  const event = fc.sample(EVENTS.TimerCancelled, 1)[0]!;
  assert.deepEqual(decodeWorkItem(readReply("GetWorkItems", new Uint8Array([0xe2, 0x5d, 0x00])), "family").kind, "foreign");
  const list = [{ id: 3, orchestratorActionType: { case: "ownCancelTimer", value: {} } }] as const;
  assert.match(failureOf([...list]), /names nothing/);
  const start = requestWith("StartInstance", { instanceId: "i", name: "n", ownValidated: true });
  assert.equal("validated" in decodeStart(start, "family", minted).request, false);
  assert.equal(event.kind, "TimerCancelled");
});

// ---- histories

test("E3 kinds of events that we do not have are left out, unknown ones too", () => {
  const kinds: EventFields = [
    { eventType: { case: "orchestratorStarted", value: {} } },
    { eventType: { case: "orchestratorCompleted", value: {} } },
    { eventType: { case: "genericEvent", value: { data: "x" } } },
    { eventType: { case: "historyState", value: {} } },
    { eventType: { case: "continueAsNew", value: { input: "1" } } },
    {},
    { eventType: { case: "executionCompleted", value: { orchestrationStatus: 2 } } },
    { eventType: { case: "executionResumed", value: {} } },
  ];
  assert.deepEqual(decodeEvents(eventsOf(kinds), "family", 7), [
    { kind: "OrchestratorStarted", eventId: 0, timestamp: 7 },
    { kind: "ExecutionResumed", eventId: 0, timestamp: 7 },
  ]);
});

test("P2 a payload that is there and empty is none; any other text is kept as it is", () => {
  const [empty, kept] = decodeEvents(
    eventsOf([
      { eventType: { case: "taskCompleted", value: { taskScheduledId: 0, result: "" } } },
      { eventType: { case: "eventRaised", value: { name: "Go", input: " null" } } },
    ]),
    "family",
  );
  assert.deepEqual(empty, { kind: "TaskCompleted", eventId: 0, timestamp: 0, taskScheduledId: 0 });
  assert.deepEqual(kept, { kind: "EventRaised", eventId: 0, timestamp: 0, name: "Go", input: " null" });
});

test("T1 what fires is rounded up, everything else down; no date stops a reader", () => {
  assert.deepEqual([decodeInstant(timestamp(5, 999_999)), decodeDue(timestamp(5, 1))], [5, 6]);
  assert.equal(decodeInstant({ seconds: -62_135_596_800n, nanos: 0 }), 0);
  assert.equal(decodeDue({ seconds: 9_223_372_036_854_775_807n, nanos: 2_147_483_647 }), 253_402_300_799_999);
  const [timer] = decodeEvents(
    eventsOf([{ timestamp: timestamp(8, 7), eventType: { case: "timerFired", value: { timerId: 1, fireAt: timestamp(9, 1) } } }]),
    "family",
  );
  assert.deepEqual(timer, { kind: "TimerFired", eventId: 0, timestamp: 8, timerId: 1, fireAt: 10 });
});

test("what the family starts is checked at every replay; a parent without an id is none", () => {
  const [started] = decodeEvents(
    eventsOf([
      {
        eventId: -1,
        eventType: { case: "executionStarted", value: { name: "n", version: "", input: "", parentInstance: { taskScheduledId: 1 } } },
      },
    ]),
    "family",
    7,
  );
  const wanted = {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: 7,
    instanceId: "",
    executionId: "",
    name: "n",
    version: "",
    validated: false,
  };
  assert.deepEqual(started, wanted);
});

// ---- turns of workers in other languages

test("A2 actions come by id, whatever their order, with the end last and once; ids may be 0, -1 and repeated", () => {
  const fired = { case: "createTimer", value: { fireAt: timestamp(5) } } as const;
  const end = { case: "completeOrchestration", value: { orchestrationStatus: 1, result: "1" } } as const;
  const found = actionsOf([
    { id: -1, orchestratorActionType: end },
    { id: 2, orchestratorActionType: fired },
    { id: 0, orchestratorActionType: fired },
    { id: 2, orchestratorActionType: { case: "scheduleTask", value: { name: "again" } } },
    { id: 3, orchestratorActionType: { case: "completeOrchestration", value: { orchestrationStatus: 3 } } },
    { id: -1, orchestratorActionType: { case: "sendEvent", value: { instance: { instanceId: "o" }, name: "go", data: "1" } } },
  ]);
  assert.deepEqual(found, [
    { kind: "sendEvent", id: -1, instanceId: "o", name: "go", input: "1" },
    { kind: "createTimer", id: 0, fireAt: 5 },
    { kind: "createTimer", id: 2, fireAt: 5 },
    { kind: "scheduleTask", id: 2, name: "again", attempt: 1, firstId: 2 },
    { kind: "completeOrchestration", id: -1, status: "COMPLETED", result: "1" },
  ]);
});

test("a child without an id gets one of its parent's; one that cannot be fails the instance in words", () => {
  const child = (instanceId: string) =>
    [{ id: 10, orchestratorActionType: { case: "createSubOrchestration", value: { name: "kid", instanceId } } }] as const;
  assert.deepEqual(actionsOf([...child("")]), [
    { kind: "createSubOrchestration", id: 10, instanceId: "parent:000a", executionId: "e1", name: "kid" },
  ]);
  assert.match(failureOf([...child("@entity@x")]), /id 10.*"@entity@x" starts with "@"/);
});

test("A3 an action that cannot be done fails the instance in words, and nothing else of the turn is done", () => {
  const task = { id: 1, orchestratorActionType: { case: "scheduleTask", value: { name: "a" } } } as const;
  assert.match(failureOf([task, { id: 2 }]), /\(id 2\) which names nothing that this task hub knows/);
  assert.match(failureOf([task, { id: 4, orchestratorActionType: { case: "sendEntityMessage", value: {} } }]), /entity/);
  assert.match(
    failureOf([task, { id: 4, orchestratorActionType: { case: "sendEvent", value: { instance: { instanceId: "@c@1" } } } }]),
    /entity/,
  );
  assert.match(
    failureOf([{ id: 4, orchestratorActionType: { case: "completeOrchestration", value: { orchestrationStatus: 77 as number } } }]),
    /status 77/,
  );
});

test("continue-as-new brings its version and events, which get the time of the turn", () => {
  const carryoverEvents: EventFields = [
    { eventId: -1, timestamp: { seconds: 0n, nanos: 0 }, eventType: { case: "eventRaised", value: { name: "go", input: "1" } } },
    { eventType: { case: "orchestratorStarted", value: {} } },
  ];
  const value = { orchestrationStatus: 2, result: "7", newVersion: "2.0", carryoverEvents };
  assert.deepEqual(actionsOf([{ id: 3, orchestratorActionType: { case: "completeOrchestration", value } }]), [
    {
      kind: "completeOrchestration",
      id: 3,
      status: "CONTINUED_AS_NEW",
      result: "7",
      newVersion: "2.0",
      carriedEvents: [{ kind: "EventRaised", eventId: -1, timestamp: 99, name: "go", input: "1" }],
    },
  ]);
});

test("whoever fails says how: in details, in words, or in none", () => {
  const failed = (value: object) =>
    actionsOf([{ id: -1, orchestratorActionType: { case: "completeOrchestration", value: { orchestrationStatus: 3, ...value } } }])[0];
  const failure = (value: object) => (failed(value) as { failure?: unknown }).failure;
  assert.deepEqual(failure({ failureDetails: { errorType: "E", errorMessage: "" }, result: "" }), { errorType: "E", message: "" });
  assert.deepEqual(failure({ details: "old words" }), { errorType: "Error", message: "old words" });
  assert.match((failure({ failureDetails: {} }) as { message: string }).message, /gave no reason/);
  // A cancelled one is a terminated one.
  const cancelled = actionsOf([
    { id: -1, orchestratorActionType: { case: "completeOrchestration", value: { orchestrationStatus: 4, result: "null" } } },
  ])[0];
  assert.deepEqual(cancelled, { kind: "completeOrchestration", id: -1, status: "TERMINATED", result: "null" });
});

test("a rewound history keeps its events; whether its input was checked is left to who knew the old one", () => {
  const value = {
    newHistory: [
      { eventType: { case: "executionStarted", value: { name: "n", orchestrationInstance: { instanceId: "i", executionId: "new" } } } },
    ],
  } as const;
  const [rewind] = actionsOf([
    { id: -1, orchestratorActionType: { case: "rewindOrchestration", value: { newHistory: [...value.newHistory] } } },
  ]);
  assert.deepEqual(rewind, {
    kind: "rewindOrchestration",
    id: -1,
    newHistory: [{ kind: "ExecutionStarted", eventId: 0, timestamp: 99, instanceId: "i", executionId: "new", name: "n" }],
  });
});

test("a custom status that is there and empty takes the one before away; none leaves it", () => {
  const customStatus = (text?: string) =>
    (turnOf([], text === undefined ? {} : { customStatus: text }) as { customStatus?: string | null }).customStatus;
  assert.deepEqual([customStatus(), customStatus(""), customStatus('""')], [undefined, null, '""']);
});

test("an answer in parts is one answer; a count of 0 in it is noise", () => {
  const part = (id: number, more: RequestFields<"CompleteOrchestratorTask">) =>
    requestWith("CompleteOrchestratorTask", {
      actions: [{ id, orchestratorActionType: { case: "createTimer", value: {} } }],
      isPartial: true,
      ...more,
    });
  const whole = joinChunks([
    part(1, { customStatus: "s", chunkIndex: 0 }),
    part(2, { numEventsProcessed: 0, chunkIndex: 1 }),
    part(3, { isPartial: false }),
  ]);
  assert.deepEqual([whole.isPartial, whole.chunkIndex], [false, undefined]);
  const outcome = decodeTurnOutcome(whole, "family", context);
  assert.deepEqual(outcome.kind === "turn" && [outcome.actions.map((each) => each.id), outcome.customStatus, outcome.eventsProcessed], [
    [1, 2, 3],
    "s",
    undefined,
  ]);
});

test("an activity failed when it says so, even with an empty message", () => {
  const response = requestWith("CompleteActivityTask", { failureDetails: { errorType: "E" }, result: "1" });
  assert.deepEqual(decodeActivityOutcome(response, "family", "t"), {
    kind: "failed",
    token: "t",
    failure: { errorType: "E", message: "" },
  });
  assert.deepEqual(decodeActivityOutcome(requestWith("CompleteActivityTask", { result: "" }), "family", "t"), {
    kind: "completed",
    token: "t",
  });
});

test("to the family a stall gives the turn back", () => {
  const stalled = { kind: "stalled", token: "t", stall: { kind: "version", reason: "r" } } as const;
  assert.deepEqual(
    [isAbandon(stalled, "family"), isAbandon(stalled, "ours"), isAbandon({ kind: "abandoned", token: "t" }, "ours")],
    [true, false, true],
  );
});

// ---- items of other servers

const item = (pastEvents: EventFields, newEvents: EventFields, executionId?: string): ReceivedItem => {
  const request = {
    case: "orchestratorRequest",
    value: { instanceId: "i", pastEvents, newEvents, ...(executionId === undefined ? {} : { executionId }) },
  } as const;
  return decodeWorkItem(replyWith("GetWorkItems", { request, completionToken: "t" }), "family");
};
const turnBegins = (ms: number) => ({ timestamp: timestamp(ms), eventType: { case: "orchestratorStarted", value: {} } }) as const;
const start = { timestamp: timestamp(20), eventType: { case: "executionStarted", value: { name: "n", input: "1" } } } as const;
const taskDone = { timestamp: timestamp(90), eventType: { case: "taskCompleted", value: { taskScheduledId: 1 } } } as const;

test("W2 a turn without an execution's id gets one from when its execution began, in every turn the same", () => {
  const ids = [
    item([], [turnBegins(20), start]),
    item([turnBegins(20), start], [turnBegins(50), taskDone]),
    item([turnBegins(21), start], [turnBegins(50)]),
  ].map((each) => each.kind === "orchestration" && [each.item.executionId, each.item.name, each.item.instanceId]);
  assert.deepEqual(ids, [
    ["i-k", "n", "i"],
    ["i-k", "n", "i"],
    ["i-l", "n", "i"],
  ]);
  const named = item([], [turnBegins(20), start], "e");
  assert.ok(named.kind === "orchestration");
  const begun = named.item.newEvents.find((event) => event.kind === "ExecutionStarted");
  assert.deepEqual([named.item.executionId, begun?.instanceId, begun?.executionId], ["e", "i", "e"]);
});

test("W2 a turn that does not say its time goes on in the time of the one before; a second start says nothing", () => {
  const received = item([turnBegins(20), start], [start, taskDone]);
  assert.ok(received.kind === "orchestration");
  assert.deepEqual(
    received.item.newEvents.map((event) => [event.kind, event.timestamp]),
    [
      ["OrchestratorStarted", 20],
      ["TaskCompleted", 90],
    ],
  );
});

test("W3 what is not for us can be told apart, and given back", () => {
  const kinds = [
    item([], [turnBegins(1)]),
    decodeWorkItem(replyWith("GetWorkItems", { request: { case: "entityRequestV2", value: {} }, completionToken: "t" }), "family"),
    decodeWorkItem(replyWith("GetWorkItems", { completionToken: "t" }), "family"),
    decodeWorkItem(replyWith("GetWorkItems", { request: { case: "healthPing", value: {} } }), "family"),
  ];
  assert.deepEqual(
    kinds.map((each) => each.kind),
    ["foreign", "foreign", "foreign", "ping"],
  );
});

test("an activity of the family is the first delivery of a call of its own", () => {
  const value = { name: "a", taskId: 26, orchestrationInstance: { instanceId: "i" }, input: "" };
  const received = decodeWorkItem(
    replyWith("GetWorkItems", { request: { case: "activityRequest", value }, completionToken: "t" }),
    "family",
  );
  const wanted = {
    kind: "activity",
    token: "t",
    instanceId: "i",
    executionId: "",
    taskId: 26,
    name: "a",
    attempt: 1,
    delivery: 1,
    idempotencyKey: "i:001a",
  };
  assert.deepEqual(received.kind === "activity" && received.item, wanted);
});

// ---- clients in other languages

test("a start without ids gets some; the beginning of 1970 is no time to start at; what cannot be is refused", () => {
  const asked = (fields: RequestFields<"StartInstance">) => decodeStart(requestWith("StartInstance", fields), "family", minted).request;
  assert.deepEqual(asked({ name: "n", input: "", version: "", scheduledStartTimestamp: timestamp(0) }), {
    instanceId: "minted",
    executionId: "e1",
    name: "n",
    version: "",
  });
  assert.equal(asked({ name: "n", scheduledStartTimestamp: timestamp(5, 1) }).startAt, 6);
  assert.throws(() => asked({ name: "" }), InvalidArgumentError);
  assert.throws(() => asked({ name: "n", instanceId: "@e@1" }), InvalidArgumentError);
});

test("R1 who may be replaced says who may not; R2 a policy that contradicts itself is refused in the words that clients look for", () => {
  const asked = (replaceableStatus: number[]) =>
    decodeStart(requestWith("StartInstance", { name: "n", orchestrationIdReusePolicy: { replaceableStatus } }), "family", minted).request
      .dedupeStatuses;
  assert.deepEqual(asked([]), ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"]);
  assert.deepEqual(asked([1, 3, 5, 4, 99]), ["PENDING", "RUNNING", "SUSPENDED"]);
  assert.throws(
    () => asked([0]),
    /^InvalidArgumentError: Invalid reusable statuses: cannot exclude 'Terminated' while also allowing reuse of running instances/,
  );
});

test("R3 clients of old say what shall be done with a listed status", () => {
  const old = (action: number) => {
    const policy = requestWith("StartInstance", { name: "n", orchestrationIdReusePolicy: { replaceableStatus: [0, 1] } });
    policy.orchestrationIdReusePolicy!.$unknown = [{ no: 2, wireType: 0, data: new Uint8Array([action]) }];
    const { request, ignoredWhen } = decodeStart(readRequest("StartInstance", writeRequest("StartInstance", policy)), "family", minted);
    return [request.dedupeStatuses, ignoredWhen];
  };
  const others: InstanceStatus[] = ["PENDING", "SUSPENDED", "FAILED"];
  assert.deepEqual(old(0), [undefined, undefined]);
  assert.deepEqual(old(1), [undefined, ["RUNNING", "COMPLETED"]]);
  assert.deepEqual(old(2), [others, undefined]);
});

test("a query of the family is about orchestrations; a list that names only what nobody has matches nothing", () => {
  const asked = (fields: RequestFields<"QueryInstances">["query"]) =>
    decodeQuery(requestWith("QueryInstances", { query: fields! }), "family");
  assert.deepEqual(asked({ maxInstanceCount: 2_147_483_647, runtimeStatus: [3], createdTimeFrom: timestamp(0), continuationToken: "0" }), {
    filter: { kind: "orchestration", status: ["FAILED"] },
    page: { size: 2_147_483_647 },
    payloads: false,
  });
  assert.deepEqual(asked({ runtimeStatus: [2], continuationToken: "pz" }), {
    filter: { kind: "orchestration", status: [] },
    page: { cursor: "z" },
    payloads: false,
  });
  assert.throws(() => asked({ continuationToken: "z" }), InvalidArgumentError);
});

test("L2 what a server of the family cannot be told is named, and never purged by", () => {
  assert.deepEqual(notForFamily({ kind: "orchestration", status: ["FAILED"], idPrefix: "a", name: "n", tags: { a: "b" } }), [
    "name",
    "tags",
  ]);
  assert.deepEqual(notForFamily({ idPrefix: "a", createdTo: 1 }, "purge"), ["idPrefix"]);
  const purge = (filter: Parameters<typeof notForFamily>[0]) => encodePurgeMany({ target: { filter }, recursive: false }, "family");
  assert.throws(() => purge({ idPrefix: "a" }), UnsupportedError);
  // No status at all is asked for: an empty list would be all of them.
  assert.deepEqual(decodePurge(purge({ status: [] }), "family"), {
    kind: "many",
    request: { target: { filter: { kind: "orchestration", status: [] } }, recursive: false },
  });
  assert.deepEqual(decodeQuery(encodeQuery({ status: [] }, {}, { payloads: true }, "family"), "family").filter.status, []);
});

test("a purge of one instance of the family leaves one that runs alone; a purge of nothing is refused", () => {
  const asked = (request: RequestFields<"PurgeInstances">) => decodePurge(requestWith("PurgeInstances", request), "family");
  assert.deepEqual(asked({ request: { case: "instanceId", value: "i" }, recursive: true }), {
    kind: "many",
    request: { target: { ids: ["i"] }, recursive: true },
  });
  assert.throws(() => asked({}), InvalidArgumentError);
  assert.deepEqual(decodePurgeReply(replyWith("PurgeInstances", { deletedInstanceCount: 2 })), { deletedCount: 2, isComplete: true });
});

test("a restart under a new id gets one from the server", () => {
  const asked = (restartWithNewInstanceId: boolean) =>
    decodeRestart(requestWith("RestartInstance", { instanceId: "i", restartWithNewInstanceId }), "family", minted);
  assert.deepEqual(
    [asked(true), asked(false)],
    [
      { instanceId: "i", executionId: "e1", newInstanceId: "minted" },
      { instanceId: "i", executionId: "e1" },
    ],
  );
});

test("K2 no filters take everything, a kind without one takes nothing; K3 a limit of 0 is none", () => {
  const asked = (fields: RequestFields<"GetWorkItems">) =>
    decodeInterest(requestWith("GetWorkItems", fields), "family", { maxConcurrent: 9 });
  const open = asked({ capabilities: [1, 42] as number[], maxConcurrentActivityWorkItems: 3 });
  assert.deepEqual([open.interest.orchestrators, open.interest.activities, open.streamsHistory], ["any", "any", true]);
  assert.deepEqual([open.interest.maxConcurrentOrchestrations, open.interest.maxConcurrentActivities], [9, 3]);
  const orchestrations = [
    { name: "a", versions: ["1"] },
    { name: "a", versions: ["", "1"] },
    { name: "b", versions: ["1"] },
    { name: "b" },
  ];
  const some = asked({ workItemFilters: { orchestrations, activities: [{ name: "c", versions: ["2"] }] } });
  assert.deepEqual([some.interest.orchestrators, some.interest.orchestratorVersions], [["a", "b"], { a: ["1", ""] }]);
  assert.deepEqual([some.interest.activities, some.activityVersions], [["c"], { c: ["2"] }]);
  const none = encodeInterest(
    {
      orchestrators: "any",
      activities: ["a"],
      entities: ["e"],
      maxConcurrentOrchestrations: 1,
      maxConcurrentActivities: 1,
      maxConcurrentEntities: 1,
      warmBytes: 1,
      warmIdleMs: 1,
    },
    "family",
  );
  assert.deepEqual([none.workItemFilters, none.capabilities], [undefined, [1]]);
});

test("I3 an instance of the family has a status whatever its number is, and what is not told is made up for", () => {
  const got = (orchestrationStatus: number, more: object = {}) =>
    decodeGetReply(
      replyWith("GetInstance", { exists: true, orchestrationState: { instanceId: "i", name: "n", orchestrationStatus, ...more } }),
      "family",
    );
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 99].map((each) => got(each)?.record.status),
    ["RUNNING", "COMPLETED", "RUNNING", "FAILED", "TERMINATED", "TERMINATED", "PENDING", "SUSPENDED", "RUNNING", "RUNNING"],
  );
  const failed = got(3, {
    lastUpdatedTimestamp: timestamp(7),
    completedTimestamp: timestamp(0),
    failureDetails: {},
    parentInstanceId: "p",
  });
  assert.deepEqual([failed?.record.completedAt, failed?.record.parent?.instanceId, failed?.waitingFor], [7, "p", []]);
  assert.match(failed?.payloads.failure?.message ?? "", /gave no reason/);
  assert.equal(decodeGetReply(replyWith("GetInstance", { exists: true }), "family"), undefined);
});

test("I2 input and output go only to those who asked", () => {
  const [instance] = fc.sample(snapshot, 1);
  const whole = { ...instance!, payloads: { input: "1", output: "2", customStatus: "3" } };
  const state = encodeGetReply(whole, { payloads: false }, "family").orchestrationState;
  assert.deepEqual([state?.input, state?.output, state?.customStatus], [undefined, undefined, "3"]);
});

test("F2 to the family no failure is without a type and a message", () => {
  const { errorType, errorMessage } = encodeFailure({ errorType: "", message: "" }, "family");
  assert.deepEqual([errorType !== "", errorMessage !== ""], [true, true]);
  assert.deepEqual(decodeFailure(encodeFailure({ errorType: "E", message: "m" }, "family"), "family"), { errorType: "E", message: "m" });
});

test("N1 what is as large as can be is written as large as a field takes", () => {
  const request = encodeInterest(
    {
      orchestrators: "any",
      activities: "any",
      entities: "any",
      maxConcurrentOrchestrations: Number.POSITIVE_INFINITY,
      maxConcurrentActivities: 2 ** 40,
      maxConcurrentEntities: 2 ** 40,
      warmBytes: Number.POSITIVE_INFINITY,
      warmIdleMs: 0.4,
    },
    "ours",
  );
  const { interest } = decodeInterest(readRequest("GetWorkItems", writeRequest("GetWorkItems", request)), "ours", { maxConcurrent: 1 });
  assert.deepEqual(
    [interest.maxConcurrentOrchestrations, interest.maxConcurrentActivities, interest.warmBytes, interest.warmIdleMs],
    [2_147_483_647, 2_147_483_647, Number.MAX_SAFE_INTEGER, 0],
  );
});

test("decodeActions gives the refusal as a value", () => {
  assert.equal(decodeActions(requestWith("CompleteOrchestratorTask", { actions: [{ id: 1 }] }).actions, "family", context).kind, "refused");
});
