// orchestration-status: what a caller is told of an instance.
//
// Owns:    the shape of a status; how payloads of an instance are read.
// Always:  a payload that cannot be read spoils nobody else: reading that field throws, the others are there.

import type { InstanceSnapshot } from "../contract/backend.ts";
import type { Failure } from "../contract/failure.ts";
import type { InstanceStatus, StoredInstance, Tags } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Outstanding } from "../contract/outstanding.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import { decodeWith, type Schema } from "../authoring/schema.ts";

/** Why an instance that has work to do is not being run. */
export interface StallStatus {
  readonly kind: string;
  /** In words: what happened, where, and what to do. */
  readonly reason: string;
  readonly since: Date;
  readonly attempts: number;
}

/**
 * What is known of an instance at one moment.
 *
 * @example
 * const status = await handle.status();
 * if (status?.status === "RUNNING") console.log(status.waitingFor);
 */
export interface OrchestrationStatus<O = unknown> {
  readonly id: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly executionId: string;
  readonly status: InstanceStatus;
  readonly createdAt: Date;
  /** When it may start, if it was started for later. */
  readonly scheduledAt: Date | undefined;
  readonly startedAt: Date | undefined;
  readonly lastUpdatedAt: Date;
  readonly completedAt: Date | undefined;
  readonly input: unknown;
  /** The output of a completed instance; what a terminated one was given. */
  readonly output: O | undefined;
  readonly customStatus: unknown;
  readonly failure: Failure | undefined;
  readonly tags: Tags;
  readonly parentInstanceId: string | undefined;
  /** Set while the instance has work to do that nobody can run. */
  readonly stall: StallStatus | undefined;
}

/** A status asked for by a handle: with what the instance waits for. */
export interface DetailedStatus<O = unknown> extends OrchestrationStatus<O> {
  /** In words; empty when the instance is finished. */
  readonly waitingFor: readonly string[];
  /** The external events that its program waits for right now. */
  readonly awaitedEvents: readonly string[];
  /** It is not tried before this: after a stall, or when a worker gave its turn back. */
  readonly notBefore: Date | undefined;
  /** Its activities that are not done and its inbox; `undefined` when it is finished. */
  readonly outstanding: OutstandingStatus | undefined;
}

/** An activity of an instance that is not done. */
export interface OutstandingActivityStatus {
  readonly taskId: number;
  readonly name: string;
  /** By the retry policy, from 1. */
  readonly attempt: number;
  /** How often this attempt was handed to a worker. */
  readonly deliveries: number;
  /** Whether it is with a worker; after a process has died this stays until the next one opens the task hub. */
  readonly isOut: boolean;
  /** With a worker since then; else to be had from then on. */
  readonly since: Date;
  readonly expiresAt: Date | undefined;
}

/** What stands in an instance's name beside its history. */
export interface OutstandingStatus {
  /** The first hundred. */
  readonly activities: readonly OutstandingActivityStatus[];
  readonly activityCount: number;
  /** Messages that could be taken now, and when the first of them came or was due. */
  readonly dueMessages: number;
  readonly oldestDueAt: Date | undefined;
  /** Timers that are not due. */
  readonly laterMessages: number;
  /** Whether a process holds the instance, as far as the store can tell. */
  readonly isClaimed: boolean;
}

/** What a definition says about the payloads of its instances. */
export interface PayloadShapes {
  readonly input?: Schema | undefined;
  readonly output?: Schema | undefined;
}

/** The status that a stored instance has for a caller. */
export function statusOf<O>(stored: StoredInstance, converter: PayloadConverter, shapes: PayloadShapes): OrchestrationStatus<O> {
  const { record, payloads } = stored;
  const what = (part: string): string => `${part} of instance '${record.id}'`;
  const status = {
    id: record.id,
    name: record.name,
    version: record.version,
    executionId: record.executionId,
    status: record.status,
    createdAt: new Date(record.createdAt),
    scheduledAt: dateOf(record.scheduledAt),
    startedAt: dateOf(record.startedAt),
    lastUpdatedAt: new Date(record.updatedAt),
    completedAt: dateOf(record.completedAt),
    input: undefined,
    output: undefined,
    customStatus: undefined,
    failure: payloads.failure,
    tags: record.tags ?? {},
    parentInstanceId: record.parent?.instanceId,
    stall: record.stall && {
      kind: record.stall.kind,
      reason: record.stall.reason,
      since: new Date(record.stall.since),
      attempts: record.stall.attempts,
    },
  };
  readInto(status, "input", () => decodeWith(converter, shapes.input, payloads.input, what("input")));
  // What a terminated instance was given as its output is nothing that its definition describes.
  const output = record.status === "COMPLETED" ? shapes.output : undefined;
  readInto(status, "output", () => decodeWith(converter, output, payloads.output, what("output")));
  readInto(status, "customStatus", () => decodeWith(converter, undefined, payloads.customStatus, what("custom status")));
  return status;
}

/** The status of a snapshot, with what it waits for. */
export function detailedStatusOf<O>(snapshot: InstanceSnapshot, converter: PayloadConverter, shapes: PayloadShapes): DetailedStatus<O> {
  const status = statusOf<O>(snapshot, converter, shapes);
  const details: Omit<DetailedStatus, keyof OrchestrationStatus> = {
    waitingFor: snapshot.waitingFor,
    awaitedEvents: snapshot.record.awaitedEvents ?? [],
    notBefore: dateOf(snapshot.record.notBefore),
    outstanding: snapshot.outstanding && outstandingStatusOf(snapshot.outstanding),
  };
  // Not copied into one: reading a field of a status may throw.
  for (const [name, value] of Object.entries(details)) Object.defineProperty(status, name, { value, enumerable: true });
  return status as DetailedStatus<O>;
}

function outstandingStatusOf({ at: _at, oldestDueAt, activities, ...counts }: Outstanding): OutstandingStatus {
  return {
    ...counts,
    oldestDueAt: dateOf(oldestDueAt),
    activities: activities.map(({ since, expiresAt, ...activity }) => ({
      ...activity,
      since: new Date(since),
      expiresAt: dateOf(expiresAt),
    })),
  };
}

function dateOf(instant: Instant | undefined): Date | undefined {
  return instant === undefined ? undefined : new Date(instant);
}

function readInto(target: object, field: string, read: () => unknown): void {
  try {
    Object.defineProperty(target, field, { value: read(), enumerable: true });
  } catch (error) {
    Object.defineProperty(target, field, {
      enumerable: true,
      get() {
        throw error;
      },
    });
  }
}
