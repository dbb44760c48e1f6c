// instances: what is known of an instance, as the protocol writes it.
//
// Owns:    which fields of ours the protocol has; what stands for the others where a server of the family keeps none.
// Always:  I1 between ours a snapshot comes out as it went in. I2 an input and an output go only to those who asked; status, custom status and
//             failure always do.
//          I3 whatever a server sends, a snapshot is made of it: an unknown status is no reason to stop (S1).

import {
  given,
  INSTANCE_STATUSES,
  isTerminal,
  type InstancePayloads,
  type InstanceRecord,
  type InstanceSnapshot,
  type StoredInstance,
} from "ostinato/contract";

import type { GetInstanceResponse, OrchestrationState } from "../generated/task_hub_sidecar_pb.js";
import { decodeOptionalFailure, encodeFailure, unexplained } from "./failures.ts";
import { anything, byName, fields, flag, listOf, readOwnJson, text, whole, word, type Shape } from "./own-json.ts";
import { decodePayload, decodeTags, encodeTags } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeStatus, encodeStatus } from "./statuses.ts";
import { decodeKnownInstant, encodeInstant, encodeOptionalInstant } from "./timestamps.ts";

/** Which payloads go along. */
export interface Told {
  /** Input and output, too. */
  readonly payloads: boolean;
}

/** An instance as a message. */
export function encodeInstance(instance: StoredInstance | InstanceSnapshot, { payloads: all }: Told, peer: Peer): OrchestrationState {
  const { record, payloads } = instance;
  const failure = payloads.failure ?? (record.status === "FAILED" && peer === "family" ? unexplained() : undefined);
  return {
    $typeName: "OrchestrationState",
    instanceId: record.id,
    name: record.name,
    version: record.version,
    orchestrationStatus: encodeStatus(record.status),
    scheduledStartTimestamp: encodeOptionalInstant(record.scheduledAt),
    createdTimestamp: encodeInstant(record.createdAt),
    lastUpdatedTimestamp: encodeInstant(record.updatedAt),
    input: all ? payloads.input : undefined,
    output: all ? payloads.output : undefined,
    customStatus: payloads.customStatus,
    failureDetails: failure === undefined ? undefined : encodeFailure(failure, peer),
    executionId: record.executionId,
    completedTimestamp: encodeOptionalInstant(record.completedAt),
    parentInstanceId: record.parent?.instanceId,
    tags: encodeTags(record.tags),
    ownInstance: peer === "ours" ? ownInstance(instance, all ? payloads.state : undefined) : "",
  };
}

/** The instance of a message, as somebody who asks for one gets it. */
export function decodeInstance(state: OrchestrationState, peer: Peer): InstanceSnapshot {
  const { waitingFor = [], ...stored } = decodeWhole(state, peer);
  return { ...stored, waitingFor };
}

/** The instance of a message, as a list has it: without what it waits for. */
export function decodeStored(state: OrchestrationState, peer: Peer): StoredInstance {
  const { record, payloads } = decodeWhole(state, peer);
  return { record, payloads };
}

/** The answer to a question for one instance. */
export function encodeGetReply(instance: StoredInstance | InstanceSnapshot | undefined, told: Told, peer: Peer): GetInstanceResponse {
  return {
    $typeName: "GetInstanceResponse",
    exists: instance !== undefined,
    orchestrationState: instance === undefined ? undefined : encodeInstance(instance, told, peer),
  };
}

/** The instance of an answer; `undefined` when there is none. */
export function decodeGetReply({ exists, orchestrationState: state }: GetInstanceResponse, peer: Peer): InstanceSnapshot | undefined {
  return exists && state !== undefined ? decodeInstance(state, peer) : undefined;
}

/** What the protocol's fields do not hold. */
type OwnInstance = Pick<InstanceSnapshot, "record"> &
  Partial<Pick<InstanceSnapshot, "waitingFor" | "outstanding">> &
  Pick<InstancePayloads, "state">;

function ownInstance(instance: StoredInstance | InstanceSnapshot, state: string | undefined): string {
  const { record, waitingFor, outstanding }: Omit<OwnInstance, "state"> = instance;
  return JSON.stringify({ record, waitingFor, outstanding, state });
}

function decodeWhole(state: OrchestrationState, peer: Peer): OwnInstance & Pick<InstanceSnapshot, "payloads"> {
  const own = peer === "ours" && state.ownInstance !== "" ? readOwnJson<OwnInstance>(state.ownInstance, isOwnInstance) : undefined;
  const payloads: InstancePayloads = given({
    input: decodePayload(state.input, peer),
    output: decodePayload(state.output, peer),
    customStatus: decodePayload(state.customStatus, peer),
    failure: decodeOptionalFailure(state.failureDetails, peer),
  });
  if (own !== undefined) {
    const { state, ...instance } = own;
    return { ...instance, payloads: { ...payloads, ...given({ state }) } };
  }
  const record = recordOf(state, peer);
  return {
    record,
    payloads: record.status === "FAILED" && payloads.failure === undefined ? { ...payloads, failure: unexplained() } : payloads,
  };
}

/** The record of an instance whose keeper has other records: what it does not count is 0, what it does not tell apart is the same. */
function recordOf(state: OrchestrationState, peer: Peer): InstanceRecord {
  const status = decodeStatus(state.orchestrationStatus);
  const createdAt = decodeKnownInstant(state.createdTimestamp) ?? 0;
  const updatedAt = decodeKnownInstant(state.lastUpdatedTimestamp) ?? createdAt;
  const completedAt = decodeKnownInstant(state.completedTimestamp) ?? updatedAt;
  const executionId = state.executionId ?? "";
  const parentId = decodePayload(state.parentInstanceId, peer);
  return {
    number: 0,
    id: state.instanceId,
    kind: state.instanceId.startsWith("@") ? "entity" : "orchestration",
    name: state.name,
    executionId,
    lineage: executionId,
    status,
    createdAt,
    updatedAt,
    epoch: 0,
    turn: 0,
    generation: 1,
    historyLength: 0,
    lastTurnAt: updatedAt,
    attempts: 0,
    held: status === "SUSPENDED",
    dropped: 0,
    ...given({
      version: state.version,
      scheduledAt: decodeKnownInstant(state.scheduledStartTimestamp),
      completedAt: isTerminal(status) ? completedAt : undefined,
      parent: parentId === undefined ? undefined : { instanceId: parentId, executionId: "", name: "", taskScheduledId: -1 },
      tags: decodeTags(state.tags),
    }),
  };
}

const isParent = fields({ instanceId: text, executionId: text, name: text, taskScheduledId: whole }, { version: text });
export const isStall = fields({ kind: text, reason: text, since: whole, attempts: whole });

const NEEDED: { readonly [F in RequiredName<InstanceRecord>]: Shape } = {
  number: whole,
  id: text,
  kind: word(["orchestration", "entity"]),
  name: text,
  executionId: text,
  lineage: text,
  status: word(INSTANCE_STATUSES),
  createdAt: whole,
  updatedAt: whole,
  epoch: whole,
  turn: whole,
  generation: whole,
  historyLength: whole,
  lastTurnAt: whole,
  attempts: whole,
  held: flag,
  dropped: whole,
};
const OPTIONAL: { readonly [F in Exclude<keyof InstanceRecord, RequiredName<InstanceRecord>>]: Shape } = {
  version: text,
  scheduledAt: whole,
  startedAt: whole,
  completedAt: whole,
  parent: isParent,
  tags: byName(text),
  traceContext: text,
  notBefore: whole,
  stall: isStall,
  awaitedEvents: listOf(text),
  sections: listOf(fields({ id: text, lockSet: listOf(text), granted: flag })),
  lockedBy: fields({ instanceId: text, executionId: text, criticalSectionId: text }),
};
const isOutstanding = fields(
  { at: whole, activities: listOf(byName(anything)), activityCount: whole, dueMessages: whole, laterMessages: whole, isClaimed: flag },
  { oldestDueAt: whole },
);
const isOwnInstance = fields({ record: fields(NEEDED, OPTIONAL) }, { waitingFor: listOf(text), outstanding: isOutstanding, state: text });

/** The names of the fields that are always there. */
type RequiredName<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];
