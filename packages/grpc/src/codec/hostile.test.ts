// What a peer sends that is broken, or that means harm, ends in a refusal or in a value: never in an accident.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError } from "ostinato";
import type { Failure } from "ostinato/contract";

import { WireError } from "../transport/wire-error.ts";
import { decodeEntityAbandon, decodeEntityOutcome } from "./entity-batches.ts";
import {
  decodeCleanEntityStorage,
  decodeCleanEntityStorageReply,
  decodeEntityQuery,
  decodeEntityQueryReply,
  decodeGetEntity,
  decodeGetEntityReply,
  decodeSignalEntity,
} from "./entity-requests.ts";
import { decodeFailure, encodeFailure } from "./failures.ts";
import { decodeGetReply, decodeInstance, encodeInstance } from "./instances.ts";
import { METHODS, readReply, readRequest, replyWith, requestWith, writeReply, writeRequest, type MethodName } from "./messages.ts";
import { decodeActivityOutcome, decodeTurnOutcome } from "./outcomes.ts";
import { snapshot } from "./arbitrary-values.test.ts";
import {
  decodeHistoryChunk,
  decodeListIds,
  decodePurge,
  decodeQuery,
  decodeQueryReply,
  decodeRaiseEvent,
  decodeRestart,
  decodeRewind,
  decodeStart,
} from "./requests.ts";
import type { Peer } from "./peer.ts";
import { decodeWorkItem } from "./work-items.ts";
import { decodeInterest } from "./workers.ts";

const minted = { newInstanceId: () => "i", newExecutionId: () => "e" };
const context = { token: "t", instanceId: "p", now: 1, newExecutionId: () => "e" };

/** What is done with a message once its bytes could be read. */
const REQUESTS: { readonly [M in MethodName]?: (bytes: Uint8Array, peer: Peer) => unknown } = {
  StartInstance: (bytes, peer) => decodeStart(readRequest("StartInstance", bytes), peer, minted),
  RaiseEvent: (bytes, peer) => decodeRaiseEvent(readRequest("RaiseEvent", bytes), peer, () => "m"),
  RestartInstance: (bytes, peer) => decodeRestart(readRequest("RestartInstance", bytes), peer, minted),
  RewindInstance: (bytes, peer) => decodeRewind(readRequest("RewindInstance", bytes), peer, () => "e"),
  QueryInstances: (bytes, peer) => decodeQuery(readRequest("QueryInstances", bytes), peer),
  ListInstanceIds: (bytes) => decodeListIds(readRequest("ListInstanceIds", bytes)),
  PurgeInstances: (bytes, peer) => decodePurge(readRequest("PurgeInstances", bytes), peer),
  GetWorkItems: (bytes, peer) => decodeInterest(readRequest("GetWorkItems", bytes), peer, { maxConcurrent: 1 }),
  CompleteOrchestratorTask: (bytes, peer) => decodeTurnOutcome(readRequest("CompleteOrchestratorTask", bytes), peer, context),
  CompleteActivityTask: (bytes, peer) => decodeActivityOutcome(readRequest("CompleteActivityTask", bytes), peer, "t"),
  CompleteEntityTask: (bytes, peer) =>
    decodeEntityOutcome(readRequest("CompleteEntityTask", bytes), peer, { ...minted, token: "t", operations: 1 }),
  AbandonTaskEntityWorkItem: (bytes, peer) => decodeEntityAbandon(readRequest("AbandonTaskEntityWorkItem", bytes), peer, "t"),
  SignalEntity: (bytes, peer) => decodeSignalEntity(readRequest("SignalEntity", bytes), peer, () => "r"),
  GetEntity: (bytes) => decodeGetEntity(readRequest("GetEntity", bytes)),
  QueryEntities: (bytes, peer) => decodeEntityQuery(readRequest("QueryEntities", bytes), peer),
  CleanEntityStorage: (bytes) => decodeCleanEntityStorage(readRequest("CleanEntityStorage", bytes)),
};
const REPLIES: { readonly [M in MethodName]?: (bytes: Uint8Array, peer: Peer) => unknown } = {
  GetInstance: (bytes, peer) => decodeGetReply(readReply("GetInstance", bytes), peer),
  QueryInstances: (bytes, peer) => decodeQueryReply(readReply("QueryInstances", bytes), peer),
  GetWorkItems: (bytes, peer) => decodeWorkItem(readReply("GetWorkItems", bytes), peer),
  GetEntity: (bytes, peer) => decodeGetEntityReply(readReply("GetEntity", bytes), peer, true),
  QueryEntities: (bytes, peer) => decodeEntityQueryReply(readReply("QueryEntities", bytes), peer, true),
  CleanEntityStorage: (bytes) => decodeCleanEntityStorageReply(readReply("CleanEntityStorage", bytes)),
  StreamInstanceHistory: (bytes, peer) => decodeHistoryChunk(readReply("StreamInstanceHistory", bytes), peer),
};

/** Bytes that are often nearly a message: lengths, tags and texts out of place. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .array(fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 9, 10, 15, 1500), fc.constantFrom(0, 1, 2, 5), fc.uint8Array({ maxLength: 12 })), {
      maxLength: 5,
    })
    .map((parts) =>
      Uint8Array.from(
        parts.flatMap(([no, wireType, data]) => [...varint(no * 8 + wireType), ...(wireType === 2 ? varint(data.length) : []), ...data]),
      ),
    ),
);

test("M1 whatever the bytes, reading them ends in a value or in a refusal with a status", () => {
  for (const [method, read] of [...Object.entries(REQUESTS), ...Object.entries(REPLIES)])
    fc.assert(
      fc.property(bytes, fc.constantFrom<Peer>("ours", "family"), (each, peer) => {
        try {
          read(each, peer);
        } catch (error) {
          assert.ok(error instanceof WireError || error instanceof InvalidArgumentError, `${method}: ${String(error)}`);
        }
      }),
      { numRuns: 300 },
    );
});

test("M1 a message that is nested without end is refused, and the stack is not used up", () => {
  let nested: Uint8Array = new Uint8Array();
  for (let depth = 0; depth < 5_000; depth++) nested = field(4, nested);
  assert.throws(() => readRequest("CompleteActivityTask", field(4, nested)), { name: "WireError", status: "INVALID_ARGUMENT" });
  assert.throws(() => readReply("StreamInstanceHistory", field(1, field(8, field(2, nested)))), { name: "WireError", status: "INTERNAL" });
});

test("F1 a failure of any depth can be read by everybody: its end is cut, what lies deep in its properties is text", () => {
  let deep: unknown = "deepest";
  for (let depth = 0; depth < 300; depth++) deep = depth % 2 === 0 ? [deep] : { deep };
  let failure: Failure = { errorType: "Error", message: "last", properties: { deep } };
  for (let depth = 0; depth < 300; depth++) failure = { errorType: "Error", message: `${depth}`, inner: failure, properties: { deep } };
  for (const peer of ["ours", "family"] as const) {
    const sent = writeRequest(
      "CompleteActivityTask",
      requestWith("CompleteActivityTask", { failureDetails: encodeFailure(failure, peer) }),
    );
    const read = decodeFailure(readRequest("CompleteActivityTask", sent).failureDetails!, peer);
    let length = 0;
    for (let each: Failure | undefined = read; each !== undefined; each = each.inner) length++;
    assert.equal(length, 16);
    assert.ok(JSON.stringify(read).includes("deepest"));
  }
});

test("P3 a name like __proto__ is a name like any other, and reaches no prototype", () => {
  const properties = JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":{"polluted":true},"constructor":1}}') as Record<
    string,
    unknown
  >;
  const failure = { errorType: "E", message: "m", properties };
  const sent = encodeFailure(failure, "family");
  const read = decodeFailure(
    readRequest("CompleteActivityTask", writeRequest("CompleteActivityTask", requestWith("CompleteActivityTask", { failureDetails: sent })))
      .failureDetails!,
    "family",
  );
  assert.deepStrictEqual(read, failure);
  const tags = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
  const start = readRequest("StartInstance", writeRequest("StartInstance", requestWith("StartInstance", { name: "n", tags })));
  assert.deepStrictEqual(decodeStart(start, "family", minted).request.tags, tags);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test("J1 JSON of our own is checked: what has another shape is refused, or the protocol's fields are read instead", () => {
  const deep = `{"tags":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const brackets = `{"idPrefix":"${"[".repeat(1_000)}\\"${"{".repeat(1_000)}"}`;
  for (const ownFilter of [
    "null",
    "[]",
    "{",
    '{"status":["DONE"]}',
    '{"status":"FAILED"}',
    '{"createdFrom":"1"}',
    '{"createdFrom":1e999}',
    '{"drop":1}',
    deep,
  ])
    assert.throws(
      () => decodeQuery(requestWith("QueryInstances", { query: { ownFilter } }), "ours"),
      InvalidArgumentError,
      ownFilter.slice(0, 40),
    );
  assert.equal(decodeQuery(requestWith("QueryInstances", { query: { ownFilter: brackets } }), "ours").filter.idPrefix?.length, 2_001);
  for (const request of [
    "",
    "{}",
    '{"kind":"all"}',
    '{"kind":"one","request":{"instanceId":1,"recursive":true}}',
    '{"kind":"many","request":{"target":{},"recursive":true}}',
  ])
    assert.throws(() => decodePurge(requestWith("PurgeInstances", { own: { request } }), "ours"), InvalidArgumentError, request);
  const [instance] = fc.sample(snapshot, 1);
  for (const ownInstance of ["null", '{"record":{}}', deep, JSON.stringify({ record: { ...instance!.record, status: "DONE" } })]) {
    const state = {
      ...encodeInstance({ ...instance!, record: { ...instance!.record, id: "i", status: "RUNNING" } }, { payloads: true }, "ours"),
      ownInstance,
    };
    assert.deepEqual([decodeInstance(state, "ours").record.id, decodeInstance(state, "ours").record.status], ["i", "RUNNING"]);
  }
  for (const ownFailure of ["1", '{"errorType":1}', '{"errorType":"E","message":"m","inner":{}}', deep])
    assert.deepEqual(decodeFailure({ ...encodeFailure({ errorType: "E", message: "m" }, "ours"), ownFailure }, "ours"), {
      errorType: "E",
      message: "m",
    });
});

test("every call has its messages, and an empty one of each can be written and read", () => {
  for (const method of Object.keys(METHODS) as MethodName[]) {
    assert.equal(readRequest(method, writeRequest(method, requestWith(method))).$typeName, METHODS[method].request.typeName);
    assert.equal(readReply(method, writeReply(method, replyWith(method))).$typeName, METHODS[method].reply.typeName);
  }
});

function field(no: number, data: Uint8Array): Uint8Array {
  return Uint8Array.from([...varint(no * 8 + 2), ...varint(data.length), ...data]);
}

function varint(value: number): number[] {
  const found: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...found, rest];
    found.push((rest % 128) + 128);
  }
}
