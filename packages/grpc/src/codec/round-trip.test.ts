// What goes from one end of ours to another comes out as it went in: every kind of value, through the bytes of its message.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Action, HistoryEvent } from "ostinato/contract";

import { decodeActions, encodeActions } from "./actions.ts";
import {
  ACTIONS,
  activityItem,
  activityOutcome,
  cleaning,
  entityFilter,
  entityItem,
  entityOutcome,
  entitySnapshot,
  EVENTS,
  failure,
  filter,
  id,
  instant,
  interest,
  orchestrationItem,
  orchestrationOutcome,
  payload,
  signalRequest,
  snapshot,
  startRequest,
  word,
} from "./arbitrary-values.test.ts";
import { decodeEntityAbandon, decodeEntityOutcome, encodeEntityAbandon, encodeEntityItem, encodeEntityOutcome } from "./entity-batches.ts";
import {
  decodeCleanEntityStorage,
  decodeCleanEntityStorageReply,
  decodeEntityQuery,
  decodeEntityQueryReply,
  decodeGetEntity,
  decodeGetEntityReply,
  decodeSignalEntity,
  encodeCleanEntityStorage,
  encodeCleanEntityStorageReply,
  encodeEntityQuery,
  encodeEntityQueryReply,
  encodeGetEntity,
  encodeGetEntityReply,
  encodeSignalEntity,
} from "./entity-requests.ts";
import { decodeFailure, encodeFailure } from "./failures.ts";
import { decodeGetReply, encodeGetReply } from "./instances.ts";
import {
  readReply,
  readRequest,
  replyWith,
  requestWith,
  writeReply,
  writeRequest,
  type MethodName,
  type ReplyOf,
  type RequestOf,
} from "./messages.ts";
import {
  decodeActivityAbandon,
  decodeActivityOutcome,
  decodeOrchestrationAbandon,
  decodeTurnOutcome,
  encodeActivityAbandon,
  encodeActivityOutcome,
  encodeOrchestrationAbandon,
  encodeTurnOutcome,
} from "./outcomes.ts";
import {
  decodeGet,
  decodeHistoryChunk,
  decodeHistoryRequest,
  decodeListIds,
  decodeListIdsReply,
  decodePurge,
  decodePurgeReply,
  decodeQuery,
  decodeQueryReply,
  decodeRaiseEvent,
  decodeRestart,
  decodeResume,
  decodeRewind,
  decodeStart,
  decodeSuspend,
  decodeTerminate,
  encodeGet,
  encodeHistoryChunk,
  encodeHistoryRequest,
  encodeListIds,
  encodeListIdsReply,
  encodePurge,
  encodePurgeMany,
  encodePurgeReply,
  encodeQuery,
  encodeQueryReply,
  encodeRaiseEvent,
  encodeRestart,
  encodeResume,
  encodeRewind,
  encodeStart,
  encodeSuspend,
  encodeTerminate,
} from "./requests.ts";
import { decodeWorkItem, encodeActivityItem, encodeNotice, encodeOrchestrationItem } from "./work-items.ts";
import { decodeInterest, encodeInterest } from "./workers.ts";

const asked = <M extends MethodName>(method: M, message: RequestOf<M>): RequestOf<M> => readRequest(method, writeRequest(method, message));
const told = <M extends MethodName>(method: M, message: ReplyOf<M>): ReplyOf<M> => readReply(method, writeReply(method, message));
const mintsNothing = {
  newInstanceId: (): never => assert.fail("an instance id was minted"),
  newExecutionId: (): never => assert.fail("an execution id was minted"),
};
const context = { instanceId: "i", now: 1, newExecutionId: mintsNothing.newExecutionId };

/** For whatever value: the value that comes back is the same. */
function same<T>(arbitrary: fc.Arbitrary<T>, thereAndBack: (value: T) => unknown): void {
  fc.assert(fc.property(arbitrary, (value) => assert.deepStrictEqual(thereAndBack(value), value)));
}
/** A record without the fields that are `undefined`. */
const optional = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, requiredKeys: (keyof T)[]) =>
  fc.record(model, { requiredKeys, noNullPrototype: true });

for (const [kind, arbitrary] of Object.entries(EVENTS) as [string, fc.Arbitrary<HistoryEvent>][])
  test(`E1 between ours ${kind} comes out as it went in`, () => {
    same(arbitrary, (event) => decodeHistoryChunk(told("StreamInstanceHistory", encodeHistoryChunk([event], "ours")), "ours")[0]);
  });

for (const [kind, arbitrary] of Object.entries(ACTIONS) as [string, fc.Arbitrary<Action>][])
  test(`A1 between ours ${kind} comes out as it went in`, () => {
    same(arbitrary, (action) => {
      const response = asked(
        "CompleteOrchestratorTask",
        requestWith("CompleteOrchestratorTask", { actions: encodeActions([action], "ours") }),
      );
      const decoded = decodeActions(response.actions, "ours", context);
      return decoded.kind === "actions" ? decoded.actions[0] : decoded;
    });
  });

test("A1 between ours actions keep the order in which they were asked for", () => {
  const actions: Action[] = [
    { kind: "createTimer", id: 7, fireAt: 1 },
    { kind: "cancelTimer", id: 3 },
    { kind: "createTimer", id: 5, fireAt: 1 },
  ];
  assert.deepEqual(decodeActions(encodeActions(actions, "ours"), "ours", context), { kind: "actions", actions });
});

test("F3 between ours a failure comes out as it went in, one without a message or with empty properties, too", () => {
  same(failure, (each) => {
    const reply = replyWith("GetInstance", { exists: true, orchestrationState: { failureDetails: encodeFailure(each, "ours") } });
    return decodeFailure(told("GetInstance", reply).orchestrationState!.failureDetails!, "ours");
  });
});

test("W1 between ours work items come out as they went in, under the token of their line", () => {
  same(orchestrationItem, (item) => {
    const received = decodeWorkItem(told("GetWorkItems", encodeOrchestrationItem(item, item.past, item.token as string, "ours")), "ours");
    assert.equal(received.kind, "orchestration");
    return received.kind === "orchestration" && received.token === item.token && received.item;
  });
  same(activityItem, (item) => {
    const received = decodeWorkItem(told("GetWorkItems", encodeActivityItem(item, item.token as string, "ours")), "ours");
    return received.kind === "activity" && received.token === item.token && received.item;
  });
  same(entityItem, (item) => {
    const received = decodeWorkItem(told("GetWorkItems", encodeEntityItem(item, item.token as string, "ours")), "ours");
    return received.kind === "entity" && received.token === item.token && received.item;
  });
});

test("W1 a past that is streamed is put in its place when it is there", () => {
  fc.assert(
    fc.property(orchestrationItem, (item) => {
      const received = decodeWorkItem(told("GetWorkItems", encodeOrchestrationItem(item, "streamed", "t", "ours")), "ours");
      if (received.kind !== "streamed") return assert.fail(`received ${received.kind}`);
      assert.deepStrictEqual([received.instanceId, received.executionId], [item.instanceId, item.executionId]);
      const past = "events" in item.past ? item.past.events : [];
      assert.deepStrictEqual(received.complete(past), { ...item, token: "t", past: { events: past } });
    }),
  );
});

test("W1 notices come out as they went in", () => {
  for (const reason of ["terminated", "timed-out", "lease-lost", "draining"] as const) {
    const notice = { kind: "cancel", token: "t", reason } as const;
    assert.deepStrictEqual(decodeWorkItem(told("GetWorkItems", encodeNotice(notice, "t")), "ours"), { kind: "notice", notice });
  }
  const forget = { kind: "forget", instanceId: "i", executionId: "e" } as const;
  assert.deepStrictEqual(decodeWorkItem(told("GetWorkItems", encodeNotice(forget)), "ours"), { kind: "notice", notice: forget });
});

test("O1 between ours outcomes come out as they went in", () => {
  same(orchestrationOutcome, (outcome) => {
    const token = outcome.token as string;
    if (outcome.kind === "abandoned") {
      const request = encodeOrchestrationAbandon(outcome, token, "ours");
      return decodeOrchestrationAbandon(asked("AbandonTaskOrchestratorWorkItem", request), "ours", token);
    }
    const response = asked("CompleteOrchestratorTask", encodeTurnOutcome(outcome, { instanceId: "i", executionId: "e", token }, "ours"));
    assert.deepEqual([response.instanceId, response.completionToken], ["i", token]);
    return decodeTurnOutcome(response, "ours", { ...context, token });
  });
  same(activityOutcome, (outcome) => {
    const token = outcome.token as string;
    if (outcome.kind === "abandoned")
      return decodeActivityAbandon(asked("AbandonTaskActivityWorkItem", encodeActivityAbandon(outcome, token, "ours")), "ours", token);
    const response = asked("CompleteActivityTask", encodeActivityOutcome(outcome, { instanceId: "i", taskId: 3, token }, "ours"));
    assert.deepEqual([response.instanceId, response.taskId, response.completionToken], ["i", 3, token]);
    return decodeActivityOutcome(response, "ours", token);
  });
});

test("EB1 between ours what came of a batch comes out as it went in", () => {
  same(entityOutcome, (outcome) => {
    const token = outcome.token as string;
    if (outcome.kind === "abandoned")
      return decodeEntityAbandon(asked("AbandonTaskEntityWorkItem", encodeEntityAbandon(outcome, token, "ours")), "ours", token);
    const message = asked("CompleteEntityTask", encodeEntityOutcome(outcome, { token, infos: [], now: 1 }, "ours"));
    assert.equal(message.completionToken, token);
    return decodeEntityOutcome(message, "ours", { ...mintsNothing, token, operations: 3 });
  });
});

test("ER1 between ours what is asked of entities, and answered, comes out as it went in", () => {
  same(signalRequest, (each) => decodeSignalEntity(asked("SignalEntity", encodeSignalEntity(each, 7)), "ours", mintsNothing.newInstanceId));
  const question = fc.record(
    { entityId: signalRequest.map((each) => each.entityId), includeState: fc.boolean() },
    { noNullPrototype: true },
  );
  same(question, (each) => decodeGetEntity(asked("GetEntity", encodeGetEntity(each.entityId, each.includeState))));
  same(entitySnapshot, (each) => decodeGetEntityReply(told("GetEntity", encodeGetEntityReply(each, "ours")), "ours", true));
  assert.equal(decodeGetEntityReply(told("GetEntity", encodeGetEntityReply(undefined, "ours")), "ours", true), undefined);
  const size = fc.integer({ min: 1, max: 5_000 });
  same(fc.record({ filter: entityFilter, page: optional({ size }, []) }, { noNullPrototype: true }), ({ filter: each, page }) =>
    decodeEntityQuery(asked("QueryEntities", encodeEntityQuery(each, page)), "ours"),
  );
  same(fc.record({ items: fc.array(entitySnapshot, { maxLength: 2 }) }, { noNullPrototype: true }), (page) =>
    decodeEntityQueryReply(told("QueryEntities", encodeEntityQueryReply(page, "ours")), "ours", true),
  );
  same(cleaning, (each) => decodeCleanEntityStorage(asked("CleanEntityStorage", encodeCleanEntityStorage(each))));
  same(fc.record({ emptyEntitiesRemoved: fc.nat(), orphanedLocksReleased: fc.nat() }, { noNullPrototype: true }), (each) =>
    decodeCleanEntityStorageReply(told("CleanEntityStorage", encodeCleanEntityStorageReply(each))),
  );
});

test("K1 between ours what a worker takes comes out as it went in", () => {
  same(interest, (each) => decodeInterest(asked("GetWorkItems", encodeInterest(each, "ours")), "ours", { maxConcurrent: 9 }).interest);
});

test("I1 between ours a snapshot comes out as it went in, and in a list without what it waits for", () => {
  same(snapshot, (each) => decodeGetReply(told("GetInstance", encodeGetReply(each, { payloads: true }, "ours")), "ours"));
  same(
    fc.record({ items: fc.array(snapshot, { maxLength: 2 }) }, { noNullPrototype: true }).map(({ items }) => ({
      items: items.map(({ record, payloads }) => ({ record, payloads })),
    })),
    (page) => decodeQueryReply(told("QueryInstances", encodeQueryReply(page, { payloads: true }, "ours")), "ours"),
  );
  assert.equal(decodeGetReply(told("GetInstance", encodeGetReply(undefined, { payloads: true }, "ours")), "ours"), undefined);
});

test("Q1 between ours the requests about one instance come out as they went in", () => {
  same(startRequest, (each) => decodeStart(asked("StartInstance", encodeStart(each, "ours", 7)), "ours", mintsNothing).request);
  same(optional({ instanceId: id, payloads: fc.boolean() }, ["instanceId", "payloads"]), (each) =>
    decodeGet(asked("GetInstance", encodeGet(each.instanceId, each))),
  );
  same(optional({ instanceId: id, name: word, input: payload, messageId: word }, ["instanceId", "name", "messageId"]), (each) =>
    decodeRaiseEvent(asked("RaiseEvent", encodeRaiseEvent(each, "ours")), "ours", mintsNothing.newInstanceId),
  );
  same(optional({ instanceId: id, output: payload, recursive: fc.boolean() }, ["instanceId", "recursive"]), (each) =>
    decodeTerminate(asked("TerminateInstance", encodeTerminate(each, "ours")), "ours"),
  );
  same(optional({ instanceId: id, reason: payload }, ["instanceId"]), (each) =>
    decodeSuspend(asked("SuspendInstance", encodeSuspend(each.instanceId, each.reason)), "ours"),
  );
  same(optional({ instanceId: id, reason: payload }, ["instanceId"]), (each) =>
    decodeResume(asked("ResumeInstance", encodeResume(each.instanceId, each.reason)), "ours"),
  );
  same(optional({ instanceId: id, newInstanceId: id, executionId: word }, ["instanceId", "executionId"]), (each) =>
    decodeRestart(asked("RestartInstance", encodeRestart(each, "ours")), "ours", mintsNothing),
  );
  same(optional({ instanceId: id, reason: payload, executionId: word }, ["instanceId", "executionId"]), (each) =>
    decodeRewind(asked("RewindInstance", encodeRewind(each, "ours")), "ours", mintsNothing.newExecutionId),
  );
  same(optional({ instanceId: id, executionId: word, forWorkItem: fc.boolean() }, ["instanceId", "forWorkItem"]), (each) =>
    decodeHistoryRequest(asked("StreamInstanceHistory", encodeHistoryRequest(each.instanceId, each))),
  );
});

test("Q1 between ours the requests about many come out as they went in", () => {
  const size = fc.integer({ min: 1, max: 5_000 });
  same(fc.record({ filter, payloads: fc.boolean(), page: optional({ size }, []) }, { noNullPrototype: true }), (each) =>
    decodeQuery(asked("QueryInstances", encodeQuery(each.filter, each.page, each, "ours")), "ours"),
  );
  const request = optional(
    { statuses: fc.subarray(["COMPLETED", "FAILED", "TERMINATED"] as const), completedFrom: instant, completedTo: instant },
    [],
  );
  same(fc.record({ request, page: optional({ size }, []) }, { noNullPrototype: true }), (each) =>
    decodeListIds(asked("ListInstanceIds", encodeListIds(each.request, each.page, "ours"))),
  );
  same(fc.record({ instanceId: id, recursive: fc.boolean() }, { noNullPrototype: true }), (each) => {
    const decoded = decodePurge(asked("PurgeInstances", encodePurge(each, "ours")), "ours");
    return decoded.kind === "one" && decoded.request;
  });
  const target = fc.oneof(
    filter.map((each) => ({ filter: each })),
    fc.array(id, { maxLength: 3 }).map((ids) => ({ ids })),
  );
  same(optional({ target, recursive: fc.boolean(), timeoutMs: fc.nat() }, ["target", "recursive"]), (each) => {
    const decoded = decodePurge(asked("PurgeInstances", encodePurgeMany(each, "ours")), "ours");
    return decoded.kind === "many" && decoded.request;
  });
  same(fc.record({ deletedCount: fc.nat(), isComplete: fc.boolean() }, { noNullPrototype: true }), (each) =>
    decodePurgeReply(told("PurgeInstances", encodePurgeReply(each))),
  );
});

test("L3 a cursor comes back as it was given, and its token is never '0'", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constant("0"), word), (next) => {
      const { next: token } = decodeListIdsReply(told("ListInstanceIds", encodeListIdsReply({ items: ["a"], next })));
      assert.ok(token !== undefined && token !== "0");
      assert.equal(decodeListIds(asked("ListInstanceIds", encodeListIds({}, { cursor: token }, "ours"))).page.cursor, next);
      const page = decodeQueryReply(told("QueryInstances", encodeQueryReply({ items: [], next }, { payloads: false }, "ours")), "ours");
      assert.equal(
        decodeQuery(asked("QueryInstances", encodeQuery({}, { cursor: page.next! }, { payloads: false }, "ours")), "ours").page.cursor,
        next,
      );
    }),
  );
  assert.deepEqual(decodeListIdsReply(replyWith("ListInstanceIds", { instanceIds: ["a"], lastInstanceKey: "0" })), { items: ["a"] });
});
