// Entities as the SDKs of the family write and read them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, toBinary, type Message } from "@bufbuild/protobuf";
import fc from "fast-check";
import { InvalidArgumentError } from "ostinato";
import { entityId, type Action, type EntityOutcome, type EntitySnapshot, type HistoryEvent } from "ostinato/contract";

import { decodeActions, encodeActions } from "./actions.ts";
import { entityFilter, entityItem, entityOutcome, entitySnapshot, EVENTS, signalRequest } from "./arbitrary-values.test.ts";
import { decodeEntityOutcome, encodeEntityAbandon, encodeEntityItem, encodeEntityOutcome } from "./entity-batches.ts";
import {
  decodeCleanEntityStorage,
  decodeCleanEntityStorageReply,
  decodeEntityQuery,
  decodeEntityQueryReply,
  decodeGetEntity,
  decodeGetEntityReply,
  decodeSignalEntity,
  encodeEntityQuery,
  encodeEntityQueryReply,
  encodeGetEntityReply,
  encodeSignalEntity,
} from "./entity-requests.ts";
import { decodeEvents, encodeEvents } from "./events.ts";
import { createOlderReader } from "./older-entity-form.ts";
import { METHODS, replyWith, requestWith, type RequestFields } from "./messages.ts";
import { decodeWorkItem } from "./work-items.ts";
import { decodeInterest, encodeInterest } from "./workers.ts";

type EntityMessage = Extract<
  NonNullable<NonNullable<RequestFields<"CompleteOrchestratorTask">["actions"]>[number]["orchestratorActionType"]>,
  { case: "sendEntityMessage" }
>["value"]["EntityMessageType"];

const owner = { instanceId: "i", executionId: "e" };
const context = { instanceId: "i", now: 99, newExecutionId: () => "x" };
const batch = { token: "t", operations: 2, newInstanceId: () => "minted", newExecutionId: () => "x" };
const at = { eventId: -1, timestamp: 5 };

/** What the actions of a worker of the family come to: actions, or in words why not. */
function asked(...messages: EntityMessage[]): readonly Action[] | string {
  const actions = messages.map((EntityMessageType, index) => ({
    id: index + 1,
    orchestratorActionType: { case: "sendEntityMessage" as const, value: { EntityMessageType } },
  }));
  const decoded = decodeActions(requestWith("CompleteOrchestratorTask", { actions } as never).actions, "family", context);
  return decoded.kind === "actions" ? decoded.actions : decoded.failure.message;
}

function words(answer: object | string): string {
  return typeof answer === "string" ? answer : JSON.stringify(answer);
}

function answered(fields: RequestFields<"CompleteEntityTask">): EntityOutcome {
  return decodeEntityOutcome(requestWith("CompleteEntityTask", fields), "family", batch);
}

// ---- nothing of our own

/** The fields of our own that are set anywhere in a message. */
function own(message: Message): readonly string[] {
  const found: string[] = [];
  JSON.stringify(message, (key, value: unknown) => {
    if (/^own($|[A-Z])/.test(key) && value !== undefined && value !== "") found.push(key);
    return typeof value === "bigint" ? value.toString() : value;
  });
  return found;
}

test("E2 of entities, too, nothing of our own is written to the family, whatever the value", () => {
  const kinds = Object.entries(EVENTS).filter(([kind]) => kind.startsWith("Entity"));
  assert.equal(kinds.length, 7);
  for (const [, arbitrary] of kinds)
    fc.assert(fc.property(arbitrary, (event) => assert.deepEqual(encodeEvents([event], "family", owner).flatMap(own), [])));
  const answer = { token: "t", infos: [], now: 1 };
  fc.assert(
    fc.property(entityItem, entityOutcome, entitySnapshot, signalRequest, entityFilter, (item, outcome, snapshot, signal, filter) => {
      assert.deepEqual(own(encodeEntityItem(item, "t", "family")), []);
      const message =
        outcome.kind === "abandoned" ? encodeEntityAbandon(outcome, "t", "family") : encodeEntityOutcome(outcome, answer, "family");
      assert.deepEqual(own(message), []);
      assert.deepEqual(own(encodeGetEntityReply(snapshot, "family")), []);
      assert.deepEqual(own(encodeEntityQueryReply({ items: [snapshot] }, "family")), []);
      assert.deepEqual([own(encodeSignalEntity(signal, 1)), own(encodeEntityQuery(filter, {}))], [[], []]);
    }),
  );
});

test("what claims to be our own is not believed when it comes from the family", () => {
  const [called] = decodeEvents(
    encodeEvents([{ kind: "EntityOperationCalled", ...at, entityId: "@c@1", requestId: "r", operation: "get", traceContext: "t" }], "ours"),
    "family",
  );
  assert.equal("traceContext" in called!, false);
  const stolen = { instanceId: "victim", executionId: "v" };
  const lock: HistoryEvent = { kind: "EntityLockRequested", ...at, criticalSectionId: "s", lockSet: ["@c@1"], position: 1, caller: stolen };
  assert.equal("caller" in decodeEvents(encodeEvents([lock], "ours"), "family")[0]!, false);
  const entity = { instanceId: "@c@1", serializedState: "1", ownEntity: '{"hasState":false}' };
  assert.equal(decodeGetEntityReply(replyWith("GetEntity", { exists: true, entity }), "family", true)?.hasState, true);
});

// ---- histories and actions

test("EE1 a history of the family says with each of its calls whose it is, and names the entity; one of ours says nothing twice", () => {
  const call: HistoryEvent = {
    kind: "EntityOperationCalled",
    eventId: 3,
    timestamp: 5,
    entityId: "@c@1",
    requestId: "r",
    operation: "get",
  };
  const lock: HistoryEvent = {
    kind: "EntityLockRequested",
    eventId: 4,
    timestamp: 5,
    criticalSectionId: "s",
    lockSet: ["@c@1", "@c@2"],
    position: 0,
  };
  const unlock: HistoryEvent = { kind: "EntityUnlockSent", eventId: 5, timestamp: 5, criticalSectionId: "s", entityId: "@c@1" };
  const [called, locked, unlocked] = encodeEvents([call, lock, unlock], "family", owner).map(
    ({ eventType }) => eventType.value,
  ) as never as {
    parentInstanceId?: string;
    parentExecutionId?: string;
    targetInstanceId?: string;
  }[];
  assert.deepEqual([called!.parentInstanceId, called!.parentExecutionId, called!.targetInstanceId], ["i", "e", "@c@1"]);
  assert.deepEqual([locked!.parentInstanceId, unlocked!.parentInstanceId, unlocked!.targetInstanceId], ["i", "i", "@c@1"]);
  assert.deepEqual(decodeEvents(encodeEvents([call, lock, unlock], "family", owner), "family"), [call, lock, unlock]);
  const [told] = encodeEvents([call], "ours", owner);
  assert.equal((told!.eventType.value as { parentInstanceId?: string }).parentInstanceId, undefined);
});

test("quirk 18 a call whose worker does not say of which execution it is becomes one of the turn's own; nobody calls in another's name", () => {
  assert.deepEqual(
    asked(
      { case: "entityOperationCalled", value: { requestId: "r1", operation: "get", targetInstanceId: "@c@1", parentInstanceId: "other" } },
      { case: "entityOperationSignaled", value: { requestId: "r2", operation: "add", input: "5", targetInstanceId: "@Counter@A@b" } },
      { case: "entityUnlockSent", value: { criticalSectionId: "s", targetInstanceId: "@c@1", parentInstanceId: "other" } },
    ),
    [
      { kind: "callEntity", id: 1, entityId: "@c@1", requestId: "r1", operation: "get" },
      { kind: "signalEntity", id: 2, entityId: "@counter@A@b", requestId: "r2", operation: "add", input: "5" },
      { kind: "unlockEntity", id: 3, criticalSectionId: "s", entityId: "@c@1" },
    ],
  );
});

test("a lock is asked for in one order, whatever the worker's, and for each entity once", () => {
  assert.deepEqual(
    asked({ case: "entityLockRequested", value: { criticalSectionId: "s", lockSet: ["@c@b", "@C@a", "@c@B", "@c@b"], position: 2 } }),
    [{ kind: "lockEntities", id: 1, criticalSectionId: "s", lockSet: ["@c@B", "@c@a", "@c@b"] }],
  );
});

test("quirk 35 a time to come is kept; the beginning of 1970 means at once", () => {
  const signal = (seconds: bigint): EntityMessage => ({
    case: "entityOperationSignaled",
    value: { requestId: "r", operation: "add", targetInstanceId: "@c@1", scheduledTime: { seconds, nanos: 1 } },
  });
  const scheduled = (actions: readonly Action[] | string) =>
    typeof actions === "string" ? actions : actions.map((each) => (each.kind === "signalEntity" ? each.scheduledAt : each.kind));
  assert.deepEqual(scheduled(asked(signal(7n), signal(0n))), [7_001, undefined]);
});

test("A3 what no entity could be asked fails the turn as a whole, in words", () => {
  const call = (value: object): EntityMessage => ({
    case: "entityOperationCalled",
    value: { requestId: "r", operation: "get", targetInstanceId: "@c@1", ...value },
  });
  assert.match(words(asked(call({}), call({ targetInstanceId: "counter" }))), /\(id 2\).*no id of an entity/);
  assert.match(words(asked(call({ targetInstanceId: undefined }))), /no id of an entity/);
  assert.match(words(asked(call({ targetInstanceId: `@c@${"k".repeat(300)}` }))), /300 characters/);
  assert.match(words(asked(call({ operation: "" }))), /operation name/);
  assert.match(words(asked(call({ requestId: "" }))), /request id/);
  assert.match(words(asked({ case: "entityLockRequested", value: { criticalSectionId: "s" } })), /locks no entity/);
  const crowd = Array.from({ length: 1_001 }, (_, n) => `@c@${n}`);
  assert.match(words(asked({ case: "entityLockRequested", value: { criticalSectionId: "s", lockSet: crowd } })), /1001 entities at once/);
  assert.match(words(asked({ case: "entityLockRequested", value: { criticalSectionId: "", lockSet: ["@c@1"] } })), /critical section/);
  assert.match(
    words(asked({ case: "entityLockRequested", value: { criticalSectionId: "s", lockSet: ["@c@1", "c"] } })),
    /no id of an entity/,
  );
});

test("to a server of the family a turn says with what it asks of entities whose turn it is", () => {
  const actions: Action[] = [
    { kind: "callEntity", id: 1, entityId: "@c@1", requestId: "r", operation: "get", traceContext: "t" },
    { kind: "lockEntities", id: 2, criticalSectionId: "s", lockSet: ["@c@1"] },
    { kind: "unlockEntity", id: 3, criticalSectionId: "s", entityId: "@c@1" },
    { kind: "signalEntity", id: 4, entityId: "@c@1", requestId: "q", operation: "add", scheduledAt: 9 },
  ];
  const values = encodeActions(actions, "family", owner).map(({ orchestratorActionType: type }) =>
    type.case === "sendEntityMessage"
      ? (type.value.EntityMessageType.value as { parentInstanceId?: string; parentExecutionId?: string })
      : undefined,
  );
  assert.deepEqual(
    values.map((each) => each?.parentInstanceId),
    ["i", "i", "i", undefined],
  );
  assert.equal(values[0]?.parentExecutionId, "e");
});

// ---- batches

const operations = [
  { kind: "EntityOperationSignaled", ...at, entityId: "@c@1", requestId: "r1", operation: "add", input: "0" },
  {
    kind: "EntityOperationCalled",
    ...at,
    entityId: "@c@1",
    requestId: "r2",
    operation: "get",
    caller: { instanceId: "o", executionId: "oe" },
  },
] as const;

test("a batch for a worker of the family names no targets, and its calls say who waits", () => {
  const { request } = encodeEntityItem({ kind: "entity", token: 1, entityId: "@c@1", state: "0", operations }, "t", "family");
  if (request.case !== "entityRequestV2") return assert.fail(request.case);
  assert.deepEqual([request.value.instanceId, request.value.entityState], ["@c@1", "0"]);
  const values = request.value.operationRequests.map(({ eventType }) => eventType.value as { targetInstanceId?: string });
  assert.deepEqual(
    values.map((each) => each.targetInstanceId),
    [undefined, undefined],
  );
  assert.deepEqual(
    { ...(values[1] as object) },
    {
      $typeName: "EntityOperationCalledEvent",
      requestId: "r2",
      operation: "get",
      input: undefined,
      scheduledTime: undefined,
      parentInstanceId: "o",
      parentExecutionId: "oe",
      targetInstanceId: undefined,
      ownTraceContext: undefined,
    },
  );
});

test("batches of the family are read in both forms; answers to the newer one say for whom each result is", () => {
  const message = encodeEntityItem({ kind: "entity", token: 1, entityId: "@C@1", operations }, "t", "family");
  const item = decodeWorkItem(message, "family");
  if (item.kind !== "entity") return assert.fail(item.kind);
  assert.deepEqual(item.item, { kind: "entity", token: "t", entityId: "@c@1", operations });
  const outcome: EntityOutcome = {
    kind: "batch",
    token: 1,
    results: [{ kind: "succeeded" }, { kind: "succeeded", result: "0" }],
    actions: [],
  };
  const { operationInfos } = encodeEntityOutcome(outcome, { token: "t", infos: item.infos, now: 1 }, "family");
  assert.deepEqual(
    operationInfos.map(({ requestId, responseDestination }) => [
      requestId,
      responseDestination?.instanceId,
      responseDestination?.executionId,
    ]),
    [
      ["r1", undefined, undefined],
      ["r2", "o", "oe"],
    ],
  );
  const first = encodeEntityOutcome({ ...outcome, results: [{ kind: "succeeded" }] }, { token: "t", infos: item.infos, now: 1 }, "family");
  assert.equal(first.operationInfos.length, 1, "as many as there are results");

  const older = decodeWorkItem(
    replyWith("GetWorkItems", {
      completionToken: "t",
      request: { case: "entityRequest", value: { instanceId: "@c@1", operations: [{ operation: "get", requestId: "r", input: "" }] } },
    }),
    "family",
  );
  if (older.kind !== "entity") return assert.fail(older.kind);
  assert.deepEqual(
    older.item.operations.map(({ requestId, operation }) => [requestId, operation]),
    [["r", "get"]],
  );
  assert.deepEqual([older.infos, "input" in older.item.operations[0]!], [[], false]);
});

test("W3 a batch that nobody could do is told apart", () => {
  const foreign = (value: object) =>
    decodeWorkItem(replyWith("GetWorkItems", { request: { case: "entityRequestV2", value }, completionToken: "t" }), "family").kind;
  assert.equal(foreign({ instanceId: "@c@1" }), "foreign");
  const called = { eventType: { case: "entityOperationCalled", value: { requestId: "r", operation: "get" } } };
  assert.equal(foreign({ instanceId: "counter", operationRequests: [called] }), "foreign");
  assert.equal(
    foreign({ instanceId: "@c@1", operationRequests: [called, { eventType: { case: "taskCompleted", value: {} } }] }),
    "foreign",
  );
  assert.equal(foreign({ instanceId: "@c@1", operationRequests: [called] }), "entity");
});

test("EB2 results belong to operations by their places; fewer leave the others undone, too many count for nothing", () => {
  const success = { resultType: { case: "success", value: { result: "0" } } } as const;
  const failure = { resultType: { case: "failure", value: { failureDetails: { errorType: "E", errorMessage: "no" } } } } as const;
  assert.deepEqual(answered({ results: [success, failure], entityState: '""' }), {
    kind: "batch",
    token: "t",
    results: [
      { kind: "succeeded", result: "0" },
      { kind: "failed", failure: { errorType: "E", message: "no" } },
    ],
    actions: [],
    state: '""',
  });
  const part = answered({ results: [{ resultType: { case: "success", value: { result: "" } } }], entityState: "0" });
  assert.deepEqual(part, { kind: "batch", token: "t", results: [{ kind: "succeeded" }], actions: [], state: "0" });
  const outcome = answered({ results: [success, success, success], entityState: "9" });
  assert.equal(outcome.kind === "failed" && outcome.failure.errorType, "InvalidEntityBatchResult");
});

test("EB3 a state that is absent or empty is none any more; one that is false in JSON is kept", () => {
  const results = [{ resultType: { case: "success", value: {} } } as const];
  const stateOf = (entityState?: string) => {
    const outcome = answered({ results, ...(entityState === undefined ? {} : { entityState }) });
    return outcome.kind === "batch" ? outcome.state : outcome.kind;
  };
  assert.deepEqual([undefined, "", "0", "false", "null", '""', "[]"].map(stateOf), [
    undefined,
    undefined,
    "0",
    "false",
    "null",
    '""',
    "[]",
  ]);
});

test("a failure of the worker counts for the whole batch, also one without words; a wish for the state gives it back", () => {
  const results = [{ resultType: { case: "success", value: {} } } as const];
  assert.equal(answered({ results, failureDetails: {} }).kind, "failed");
  assert.equal(answered({ requiresState: true }).kind, "abandoned");
});

test("what operations ask for is read as it was meant; EB4 what cannot be done makes the batch one that failed", () => {
  const results = [{ resultType: { case: "success", value: {} } } as const];
  const signal = { operationActionType: { case: "sendSignal", value: { instanceId: "@C@2", name: "add", input: "1" } } } as const;
  const start = {
    operationActionType: { case: "startNewOrchestration", value: { name: "o", scheduledTime: { seconds: 0n }, parentTraceContext: {} } },
  } as const;
  const outcome = answered({ results, actions: [signal, start] });
  assert.deepEqual(outcome.kind === "batch" && outcome.actions, [
    { kind: "signalEntity", entityId: "@c@2", operation: "add", input: "1" },
    { kind: "startOrchestration", instanceId: "minted", executionId: "x", name: "o" },
  ]);
  const wrong = (operationActionType: object) => {
    const failed = answered({ results, actions: [signal, { operationActionType } as never] });
    return failed.kind === "failed" ? failed.failure.message : failed.kind;
  };
  assert.match(wrong({ case: "sendSignal", value: { instanceId: "nobody", name: "add" } }), /no id of an entity/);
  assert.match(wrong({ case: "startNewOrchestration", value: { instanceId: "@c@1", name: "o" } }), /starts with "@"/);
  assert.match(wrong({ case: "startNewOrchestration", value: { instanceId: "i", name: "" } }), /orchestrator name/);
  assert.match(wrong({ case: undefined }), /nobody knows/);
});

// ---- clients and workers

const snapshot: EntitySnapshot = { entityId: "@c@1", lastModifiedAt: 7, backlogQueueSize: 2, lockedBy: "o", hasState: true, state: "0" };

test("ER2 for the family an entity is there when it has a state", () => {
  assert.equal(encodeGetEntityReply(snapshot, "family").exists, true);
  const { state: _state, ...bare } = snapshot;
  assert.deepEqual(
    [
      encodeGetEntityReply({ ...bare, hasState: false }, "family").exists,
      encodeGetEntityReply({ ...bare, hasState: false }, "ours").exists,
    ],
    [false, true],
  );
  assert.equal(encodeGetEntityReply(bare, "family").exists, true, "one whose state was not asked for is there, too");
});

test("a server of the family that says nothing of states is taken at its word", () => {
  const reply = (entity: object, includeState: boolean) =>
    decodeGetEntityReply(replyWith("GetEntity", { exists: true, entity: { instanceId: "@c@1", ...entity } }), "family", includeState);
  assert.deepEqual(reply({ serializedState: "" }, true)?.hasState, false);
  assert.deepEqual(reply({ lockedBy: "" }, false), { entityId: "@c@1", lastModifiedAt: 0, backlogQueueSize: 0, hasState: true });
  assert.deepEqual(decodeEntityQueryReply(replyWith("QueryEntities", { continuationToken: "0" }), "family", true), { items: [] });
});

test("ER3 the beginning of an id is read with and without its first '@', and names in any case; keys are kept as they are", () => {
  const prefixOf = (instanceIdStartsWith: string) =>
    decodeEntityQuery(requestWith("QueryEntities", { query: { instanceIdStartsWith } }), "family").filter.idPrefix;
  assert.deepEqual(["Counter", "@Counter", "Counter@Key", "@Counter@Key@", "@", ""].map(prefixOf), [
    "@counter",
    "@counter",
    "@counter@Key",
    "@counter@Key@",
    undefined,
    undefined,
  ]);
  assert.equal(decodeGetEntity(requestWith("GetEntity", { instanceId: "@Counter@Key" })).entityId, entityId("counter", "Key"));
  const paged = decodeEntityQuery(requestWith("QueryEntities", { query: { pageSize: 0, continuationToken: "0" } }), "family");
  assert.deepEqual(paged, { filter: { includeState: false, includeTransient: false }, page: {} });
});

test("ids that are no entity's, or longer than any, are refused where they are read", () => {
  const signal = (fields: RequestFields<"SignalEntity">) =>
    decodeSignalEntity(
      requestWith("SignalEntity", { instanceId: "@c@1", name: "add", requestId: "r", ...fields }),
      "family",
      () => "minted",
    );
  assert.deepEqual(signal({ requestId: "" }), { entityId: "@c@1", operation: "add", requestId: "minted" });
  for (const instanceId of ["", "c", "@c", "@@k", "@c@", `@c@${"k".repeat(300)}`, "@c@k\n"])
    assert.throws(() => signal({ instanceId }), InvalidArgumentError, instanceId.slice(0, 10));
  assert.throws(() => signal({ name: "" }), InvalidArgumentError);
  assert.throws(() => decodeGetEntity(requestWith("GetEntity", { instanceId: "one" })), InvalidArgumentError);
});

test("cleaning is one call here; others go on from a token", () => {
  assert.throws(() => decodeCleanEntityStorage(requestWith("CleanEntityStorage", { continuationToken: "pabc" })), InvalidArgumentError);
  assert.deepEqual(decodeCleanEntityStorage(requestWith("CleanEntityStorage", { continuationToken: "", removeEmptyEntities: true })), {
    removeEmptyEntities: true,
    releaseOrphanedLocks: false,
  });
  assert.deepEqual(decodeCleanEntityStorageReply(replyWith("CleanEntityStorage", { emptyEntitiesRemoved: 2, continuationToken: "more" })), {
    emptyEntitiesRemoved: 2,
    orphanedLocksReleased: 0,
    next: "more",
  });
});

test("K2 names of entities are taken in lower case; quirk 8 a limit of 0 is none", () => {
  const taken = (fields: RequestFields<"GetWorkItems">) =>
    decodeInterest(requestWith("GetWorkItems", fields), "family", { maxConcurrent: 9 }).interest;
  const open = taken({ maxConcurrentEntityWorkItems: 0 });
  assert.deepEqual([open.entities, open.maxConcurrentEntities], ["any", 9]);
  const some = taken({ maxConcurrentEntityWorkItems: 3, workItemFilters: { entities: [{ name: "Counter" }, { name: "counter" }] } });
  assert.deepEqual([some.entities, some.maxConcurrentEntities], [["counter"], 3]);
  assert.deepEqual(taken({ workItemFilters: {} }).entities, []);
  const ours = encodeInterest({ ...some, orchestrators: [], activities: [] }, "family");
  assert.deepEqual(
    ours.workItemFilters?.entities.map(({ name }) => name),
    ["counter"],
  );
});

test("the bytes of an answer can be read by anybody who has the protocol alone", () => {
  const outcome: EntityOutcome = { kind: "batch", token: 1, results: [{ kind: "succeeded", result: "1" }], actions: [], state: "1" };
  const schema = METHODS.CompleteEntityTask.request;
  const message = fromBinary(schema, toBinary(schema, encodeEntityOutcome(outcome, { token: "t", infos: [], now: 1 }, "family")));
  assert.deepEqual([message.entityState, message.completionToken, message.requiresState], ["1", "t", false]);
});

// ---- the older form (PC 5.6)

const sendEvent = (name: string, data: unknown, instanceId = "@Counter@one") =>
  requestWith("CompleteOrchestratorTask", {
    actions: [{ id: 3, orchestratorActionType: { case: "sendEvent", value: { instance: { instanceId }, name, data: text(data) } } }],
  }).actions;
const text = (data: unknown): string => (typeof data === "string" ? data : JSON.stringify(data));

function older(name: string, data: unknown, instanceId?: string): Action | string {
  const decoded = decodeActions(sendEvent(name, data, instanceId), "family", context);
  return decoded.kind === "actions" ? decoded.actions[0]! : decoded.failure.message;
}

test("events under reserved names are calls, signals, locks and releases of workers that speak the older form", () => {
  const id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  assert.deepEqual(older("op", { op: "add", signal: true, input: "5", id, Timestamp: "2025-01-01T00:00:00Z", Predecessor: null }), {
    kind: "signalEntity",
    id: 3,
    entityId: "@counter@one",
    operation: "add",
    requestId: `op:${id}`,
    input: "5",
  });
  assert.deepEqual(older("op@2025-01-01T00:00:00.1230001Z", { op: "get", id, parent: "other", parentExecution: "x" }), {
    kind: "callEntity",
    id: 3,
    entityId: "@counter@one",
    operation: "get",
    requestId: `op:${id}`,
    scheduledAt: Date.UTC(2025, 0, 1) + 124,
  });
  const lockset = [{ name: "Counter", key: "two" }, "@counter@one", { name: "counter", key: "two" }];
  assert.deepEqual(older("op", { op: null, id, lockset, pos: 0 }), {
    kind: "lockEntities",
    id: 3,
    criticalSectionId: `op:${id}`,
    lockSet: ["@counter@one", "@counter@two"],
  });
  assert.deepEqual(older("release", { parent: "i", id }), {
    kind: "unlockEntity",
    id: 3,
    criticalSectionId: `op:${id}`,
    entityId: "@counter@one",
  });
});

test("OF2 an event for an entity in no known form fails the turn, in words", () => {
  assert.match(words(older("op", "no JSON")), /\(id 3\).*no JSON object/);
  assert.match(words(older("op", { op: "add" })), /has no id/);
  assert.match(words(older("op", { id: "r" })), /operation name/);
  assert.match(words(older("go", { op: "add", id: "r" })), /called 'go'/);
  assert.match(words(older("op@soon", { op: "add", id: "r" })), /no time/);
  assert.match(words(older("op", { op: null, id: "r", lockset: [7] })), /no id of an entity/);
  assert.match(words(older("op", { op: "add", id: "r" }, "@counter")), /no id of an entity/);
});

test("OF1 who asked in the older form finds its events in its history, and is answered by an event with the name of its request", () => {
  const asked: readonly HistoryEvent[] = [
    {
      kind: "EntityOperationSignaled",
      eventId: 1,
      timestamp: 5,
      entityId: "@c@1",
      requestId: "op:r",
      operation: "add",
      scheduledAt: 7_000,
    },
    { kind: "EntityLockRequested", eventId: 2, timestamp: 5, criticalSectionId: "op:s", lockSet: ["@c@1", "@c@2"], position: 0 },
    { kind: "EntityUnlockSent", eventId: 3, timestamp: 5, criticalSectionId: "op:s", entityId: "@c@1" },
  ];
  const events = encodeEvents(asked, "family", owner).map(({ eventId, eventType }) => {
    if (eventType.case !== "eventSent") return assert.fail(eventType.case);
    const { instanceId, name, input } = eventType.value;
    return [eventId, instanceId, name, JSON.parse(input!) as object];
  });
  const parent = { parent: "i", parentExecution: "e" };
  const due = "1970-01-01T00:00:07.000Z";
  const lockset = [
    { name: "c", key: "1" },
    { name: "c", key: "2" },
  ];
  assert.deepEqual(events, [
    [1, "@c@1", `op@${due}`, { op: "add", signal: true, id: "r", ...parent, due }],
    [2, "@c@1", "op", { op: null, id: "s", ...parent, lockset, pos: 0 }],
    [3, "@c@1", "release", { parent: "i", id: "s" }],
  ]);
  const failure = { errorType: "E", message: "no" };
  const answers: readonly HistoryEvent[] = [
    { kind: "EntityOperationCompleted", ...at, requestId: "op:r", result: "0" },
    { kind: "EntityOperationFailed", ...at, requestId: "op:q", failure },
    { kind: "EntityLockGranted", ...at, criticalSectionId: "op:s" },
  ];
  const told = encodeEvents(answers, "family").map(({ eventType }) =>
    eventType.case === "eventRaised" ? [eventType.value.name, JSON.parse(eventType.value.input!) as object] : assert.fail(eventType.case),
  );
  const failureDetails = { ErrorType: "E", ErrorMessage: "no", StackTrace: null, InnerFailure: null, IsNonRetriable: false };
  assert.deepEqual(told, [
    ["r", { result: "0" }],
    ["q", { result: null, exceptionType: "no", failureDetails }],
    ["s", { result: "Lock Acquisition Completed" }],
  ]);
  assert.deepEqual(decodeEvents(encodeEvents(answers, "ours"), "ours"), answers, "with ours it stays as it is");
});

test("OF1 an entity's worker never sees the mark", () => {
  const [called] = operations.slice(1);
  const item = { kind: "entity", token: 1, entityId: "@c@1", operations: [{ ...called!, requestId: "op:r2" }] } as const;
  const { request } = encodeEntityItem(item, "t", "family");
  const [message] = request.case === "entityRequestV2" ? request.value.operationRequests : [];
  assert.equal((message?.eventType.value as { requestId: string }).requestId, "r2");
});

test("a history that a server keeps in the older form is read as ours, answers by the ids of what was asked", () => {
  const sent = (eventId: number, name: string, input: object): HistoryEvent => ({
    kind: "EventSent",
    eventId,
    timestamp: 5,
    instanceId: "@c@1",
    name,
    input: JSON.stringify(input),
  });
  const raised = (name: string, input?: object): HistoryEvent => ({
    kind: "EventRaised",
    ...at,
    name,
    ...(input === undefined ? {} : { input: JSON.stringify(input) }),
  });
  const history = [
    sent(1, "op", { op: "get", id: "R1" }),
    sent(2, "op", { op: "get", id: "R2" }),
    sent(3, "op", { op: null, id: "S", lockset: ["@c@1"] }),
    raised("r1", { result: "0" }),
    raised("r2", { result: '"no"', exceptionType: "Broken" }),
    raised("s", { result: "Lock Acquisition Completed" }),
    raised("r3"),
    sent(4, "release", { id: "S" }),
  ].map(createOlderReader());
  const called = { timestamp: 5, entityId: "@c@1", operation: "get" };
  assert.deepEqual(history, [
    { kind: "EntityOperationCalled", eventId: 1, requestId: "R1", ...called },
    { kind: "EntityOperationCalled", eventId: 2, requestId: "R2", ...called },
    { kind: "EntityLockRequested", eventId: 3, timestamp: 5, criticalSectionId: "S", lockSet: ["@c@1"], position: 0 },
    { kind: "EntityOperationCompleted", ...at, requestId: "R1", result: "0" },
    { kind: "EntityOperationFailed", ...at, requestId: "R2", failure: { errorType: "Broken", message: "no" } },
    { kind: "EntityLockGranted", ...at, criticalSectionId: "S" },
    raised("r3"),
    { kind: "EntityUnlockSent", eventId: 4, timestamp: 5, criticalSectionId: "S", entityId: "@c@1" },
  ]);
});
