// read-rows: flat rows of columns as records, messages and activities again.
//
// Is told: columns in the order that rows.ts gives them.
// Always:  R1 what rows.ts wrote reads back equal; a row of a later form is refused with a reason.

import { StoreFormatError } from "../../contract/errors.ts";
import type { Failure } from "../../contract/failure.ts";
import type {
  CriticalSection,
  EntityLock,
  InstancePayloads,
  InstanceRecord,
  ParentLink,
  Stall,
  StoredInstance,
  Tags,
} from "../../contract/instance.ts";
import type { InboxMessage } from "../../contract/messages.ts";
import type { ActivityClaim, ActivityRow } from "../../engine/commit.ts";
import { decodeEvents } from "./history-codec.ts";
import { RECORD_FORMAT, statusOf } from "./rows.ts";
import type { Column } from "./rows.ts";

/** Reads columns one after the other. */
export class ColumnReader {
  readonly columns: readonly Column[];
  position: number;

  constructor(columns: readonly Column[], position = 0) {
    this.columns = columns;
    this.position = position;
  }

  number(): number {
    return this.columns[this.position++] as number;
  }

  text(): string {
    return this.columns[this.position++] as string;
  }

  numberOrNone(): number | undefined {
    return (this.columns[this.position++] as number | null) ?? undefined;
  }

  textOrNone(): string | undefined {
    return (this.columns[this.position++] as string | null) ?? undefined;
  }

  dataOrNone(): unknown {
    const text = this.columns[this.position++] as string | null;
    return text === null ? undefined : JSON.parse(text);
  }
}

type Loose<T> = { -readonly [K in keyof T]: T[K] };

function set<T extends object, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value;
}

/** A record, from RECORD_COLUMNS. */
export function readRecord(from: ColumnReader): InstanceRecord {
  const number = from.number();
  const id = from.text();
  const kind = from.number() === 1 ? "entity" : "orchestration";
  const name = from.text();
  const createdAt = from.number();
  const parentId = from.textOrNone();
  const epoch = from.number();
  const turn = from.number();
  const historyLength = from.number();
  const updatedAt = from.number();
  const lastTurnAt = from.number();
  const attempts = from.number();
  const status = statusOf(from.number());
  const startedAt = from.numberOrNone();
  const completedAt = from.numberOrNone();
  const awaitedEvents = from.dataOrNone() as readonly string[] | undefined;
  const version = from.textOrNone();
  const executionId = from.text();
  const lineage = from.text();
  const scheduledAt = from.numberOrNone();
  const tags = from.dataOrNone() as Tags | undefined;
  const traceContext = from.textOrNone();
  const generation = from.number();
  const held = from.number() === 1;
  const notBefore = from.numberOrNone();
  const stall = from.dataOrNone() as Stall | undefined;
  const sections = from.dataOrNone() as readonly CriticalSection[] | undefined;
  const lockedBy = from.dataOrNone() as EntityLock | undefined;
  const dropped = from.number();
  const parent = readParent(parentId, from);
  const format = from.number();
  if (format !== RECORD_FORMAT)
    throw new StoreFormatError(
      `The record of instance ${id} has format ${format}; this version reads format ${RECORD_FORMAT}. Update ostinato.`,
    );
  const record: Loose<InstanceRecord> = {
    number,
    id,
    kind,
    name,
    executionId,
    lineage,
    status,
    createdAt,
    updatedAt,
    epoch,
    turn,
    generation,
    historyLength,
    lastTurnAt,
    attempts,
    held,
    dropped,
  };
  set(record, "version", version);
  set(record, "scheduledAt", scheduledAt);
  set(record, "startedAt", startedAt);
  set(record, "completedAt", completedAt);
  set(record, "parent", parent);
  set(record, "tags", tags);
  set(record, "traceContext", traceContext);
  set(record, "notBefore", notBefore);
  set(record, "stall", stall);
  set(record, "awaitedEvents", awaitedEvents);
  set(record, "sections", sections);
  set(record, "lockedBy", lockedBy);
  return record;
}

function readParent(instanceId: string | undefined, from: ColumnReader): ParentLink | undefined {
  const executionId = from.textOrNone();
  const name = from.textOrNone();
  const version = from.textOrNone();
  const taskScheduledId = from.numberOrNone();
  if (instanceId === undefined || executionId === undefined || name === undefined || taskScheduledId === undefined) return undefined;
  return { instanceId, executionId, name, ...(version === undefined ? {} : { version }), taskScheduledId };
}

/** Payloads: input, output, custom status, failure, state. */
export function readPayloads(from: ColumnReader): InstancePayloads {
  const payloads: Loose<InstancePayloads> = {};
  set(payloads, "input", from.textOrNone());
  set(payloads, "output", from.textOrNone());
  set(payloads, "customStatus", from.textOrNone());
  set(payloads, "failure", from.dataOrNone() as Failure | undefined);
  set(payloads, "state", from.textOrNone());
  return payloads;
}

/** A record and its payloads. */
export function readStored(from: ColumnReader): StoredInstance {
  return { record: readRecord(from), payloads: readPayloads(from) };
}

/** A message: lane, sequence, id, execution, visible_at, arrived_at, format, body. */
export function readMessage(from: ColumnReader, number: number, to: string): InboxMessage {
  const lane = from.number();
  const sequence = from.number();
  const id = from.text();
  const execution = from.textOrNone();
  const visibleAt = from.numberOrNone();
  const arrivedAt = from.number();
  const format = from.number();
  const event = decodeEvents(from.text(), format)[0];
  if (event === undefined) throw new StoreFormatError(`The message ${id} to ${to} has no event.`);
  return {
    id,
    to,
    ...(execution === undefined ? undefined : { execution }),
    wakes: lane < 2 ? "always" : "unless-held",
    needs: lane % 2 === 0 ? "engine" : "program",
    ...(visibleAt === undefined ? undefined : { visibleAt }),
    event,
    number,
    sequence,
    arrivedAt,
  };
}

/** A claimed activity: its instance's id, its columns as they were scheduled (`epoch` is the claim's), deliveries, whether it was born claimed. */
export function readActivityClaim(from: ColumnReader, at: number): ActivityClaim {
  const instanceId = from.text();
  const number = from.number();
  const generation = from.number();
  const taskId = from.number();
  const name = from.text();
  const executionId = from.text();
  const version = from.textOrNone();
  const input = from.textOrNone();
  const tags = from.dataOrNone() as Tags | undefined;
  const attempt = from.number();
  const idempotencyKey = from.text();
  const attemptTimeoutMs = from.numberOrNone();
  const expiresAt = from.numberOrNone();
  const traceContext = from.textOrNone();
  const epoch = from.number();
  const delivery = from.number();
  const claimed = from.number() === 1;
  const row: Loose<ActivityRow> = {
    number,
    generation,
    taskId,
    instanceId,
    executionId,
    name,
    attempt,
    idempotencyKey,
    epoch: epoch - delivery + (claimed ? 1 : 0),
    claimed,
  };
  set(row, "version", version);
  set(row, "input", input);
  set(row, "tags", tags);
  set(row, "attemptTimeoutMs", attemptTimeoutMs);
  set(row, "expiresAt", expiresAt);
  set(row, "traceContext", traceContext);
  return { row, epoch, delivery, at };
}
