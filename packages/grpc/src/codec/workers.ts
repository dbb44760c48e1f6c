// workers: what a worker says of itself when it asks for work.
//
// Owns:    filters, limits and capabilities.
// Always:  K1 between ours what a worker takes comes out as it went in.
//          K2 a list of filters is a list of what is taken: a kind without an entry takes nothing, no list at all takes everything.
//          K3 a limit of 0 is none; capabilities that nobody knows are left alone.

import { given } from "ostinato/contract";
import type { WorkerInterest } from "ostinato/contract";

import {
  WorkerCapability,
  type ActivityFilter,
  type GetWorkItemsRequest,
  type OrchestrationFilter,
} from "../generated/task_hub_sidecar_pb.js";
import { encodeCount, encodeInt64 } from "./numbers.ts";
import type { Peer } from "./peer.ts";

/** A worker as its request describes it. */
export interface DecodedInterest {
  readonly interest: WorkerInterest;
  /** It reads a long past by a call of its own. */
  readonly streamsHistory: boolean;
  /** Of these activities it takes only these versions (`""`: without one). */
  readonly activityVersions?: Readonly<Record<string, readonly string[]>>;
}

/** A worker's request for work. */
export function encodeInterest(interest: WorkerInterest, peer: Peer): GetWorkItemsRequest {
  const { orchestrators, activities, entities, maxConcurrentOrchestrations, maxConcurrentActivities, warmBytes, warmIdleMs } = interest;
  const capabilities = [WorkerCapability.HISTORY_STREAMING];
  if (peer === "ours" && warmBytes > 0) capabilities.push(WorkerCapability.OWN_KEEPS_PROGRAMS);
  const request: GetWorkItemsRequest = {
    $typeName: "GetWorkItemsRequest",
    maxConcurrentOrchestrationWorkItems: encodeCount(maxConcurrentOrchestrations),
    maxConcurrentActivityWorkItems: encodeCount(maxConcurrentActivities),
    maxConcurrentEntityWorkItems: encodeCount(interest.maxConcurrentEntities),
    capabilities,
  };
  if (peer === "ours")
    request.own = {
      $typeName: "OwnWorker",
      warmBytes: encodeInt64(warmBytes),
      warmIdleMs: encodeInt64(warmIdleMs),
      anyOrchestrator: orchestrators === "any",
      anyActivity: activities === "any",
      anyEntity: entities === "any",
    };
  // "Any" of one kind and some of another cannot be said to the family: what the worker does not take, it gives back.
  if (peer === "ours" || (orchestrators !== "any" && activities !== "any" && entities !== "any"))
    request.workItemFilters = {
      $typeName: "WorkItemFilters",
      orchestrations: named(orchestrators).map((name) => ({
        $typeName: "OrchestrationFilter",
        name,
        versions: [...(ownValue(interest.orchestratorVersions, name) ?? [])],
      })),
      activities: named(activities).map((name) => ({ $typeName: "ActivityFilter", name, versions: [] })),
      entities: named(entities).map((name) => ({ $typeName: "EntityFilter", name })),
    };
  return request;
}

/**
 * What a worker takes.
 *
 * @param maxConcurrent what a worker is handed at once that names no limit.
 */
export function decodeInterest(
  request: GetWorkItemsRequest,
  peer: Peer,
  { maxConcurrent }: { readonly maxConcurrent: number },
): DecodedInterest {
  const { workItemFilters: filters, maxConcurrentOrchestrationWorkItems: turns, maxConcurrentActivityWorkItems: activities } = request;
  const { maxConcurrentEntityWorkItems: batches } = request;
  const own = peer === "ours" ? request.own : undefined;
  const limit = (given: number): number => (given > 0 || (own !== undefined && given === 0) ? given : maxConcurrent);
  const activityVersions = filters === undefined ? undefined : versionsOf(filters.activities);
  return {
    interest: {
      orchestrators: filters === undefined || own?.anyOrchestrator ? "any" : namesOf(filters.orchestrations),
      activities: filters === undefined || own?.anyActivity ? "any" : namesOf(filters.activities),
      entities: filters === undefined || own?.anyEntity ? "any" : [...new Set(filters.entities.map(({ name }) => name.toLowerCase()))],
      maxConcurrentOrchestrations: limit(turns),
      maxConcurrentActivities: limit(activities),
      maxConcurrentEntities: limit(batches),
      warmBytes: Math.max(Number(own?.warmBytes ?? 0n), 0),
      warmIdleMs: Math.max(Number(own?.warmIdleMs ?? 0n), 0),
      ...given({ orchestratorVersions: filters === undefined ? undefined : versionsOf(filters.orchestrations) }),
    },
    streamsHistory: request.capabilities.includes(WorkerCapability.HISTORY_STREAMING),
    ...given({ activityVersions }),
  };
}

type Filter = OrchestrationFilter | ActivityFilter;

function named(names: readonly string[] | "any"): readonly string[] {
  return names === "any" ? [] : names;
}

function ownValue<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined;
}

function namesOf(filters: readonly Filter[]): readonly string[] {
  return [...new Set(filters.map((filter) => filter.name))];
}

/** Entries of one name take what any of them takes; one without versions takes them all. */
function versionsOf(filters: readonly Filter[]): Readonly<Record<string, readonly string[]>> | undefined {
  const versions = new Map<string, Set<string> | "any">();
  for (const filter of filters) {
    const before = versions.get(filter.name);
    if (before === "any" || filter.versions.length === 0) versions.set(filter.name, "any");
    else versions.set(filter.name, new Set([...(before ?? []), ...filter.versions]));
  }
  const limited = [...versions].flatMap(([name, each]) => (each === "any" ? [] : [[name, [...each]] as const]));
  return limited.length === 0 ? undefined : Object.fromEntries(limited);
}
