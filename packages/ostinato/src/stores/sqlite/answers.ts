// answers: what the connection answered, as the values of the seam.
//
// Always:  a reader stands behind its answer afterwards, whatever was wrong with it: the next answer is somebody else's.
//          D5 a row that cannot be read spoils nothing but its own instance.

import { StoreFormatError } from "../../contract/errors.ts";
import type { StoredInstance } from "../../contract/instance.ts";
import type { InboxMessage } from "../../contract/messages.ts";
import type { Outstanding, OutstandingActivity } from "../../contract/outstanding.ts";
import { given } from "../../contract/recorded-as.ts";
import type { ActivityClaim, Claim, Commit, CommitResult } from "../../engine/commit.ts";
import type { Claims, DamagedClaim, FinishedInstance, FinishedPage } from "../../engine/store.ts";
import type { TerminalStatus } from "../../contract/instance.ts";
import { readActivityClaim, readMessage, readRecord, readStored } from "../sql/read-rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import { PAYLOAD_SLOTS, RECORD_COLUMNS, RECORD_WIDTH, statusOf } from "../sql/rows.ts";
import { DONE_WITH, EXISTS, FENCED } from "./wire.ts";

const MESSAGE_WIDTH = 8;
const ACTIVITY_WIDTH = 17;
const ACTIVITY_EPOCH = 14;
const NOTHING: readonly never[] = [];

/** Runs a reading of so many columns; the reader stands behind them even when it throws. */
function within<T>(from: ColumnReader, width: number, read: () => T): T {
  const end = from.position + width;
  try {
    return read();
  } finally {
    from.position = end;
  }
}

function readInbox(
  from: ColumnReader,
  number: number,
  to: string,
): { readonly messages: readonly InboxMessage[]; readonly damage: string | undefined } {
  const messages: InboxMessage[] = [];
  let damage: string | undefined;
  for (let count = from.number(); count > 0; count--) {
    try {
      messages.push(within(from, MESSAGE_WIDTH, () => readMessage(from, number, to)));
    } catch (error) {
      damage = `A message to ${to} cannot be read: ${(error as Error).message}`;
    }
  }
  return { messages, damage };
}

const NUMBER = RECORD_COLUMNS.indexOf("number");
const ID = RECORD_COLUMNS.indexOf("id");
const EPOCH = RECORD_COLUMNS.indexOf("epoch");

/** One claim; what is wrong with it when not even its record can be read. */
function readClaim(from: ColumnReader): Claim | DamagedClaim {
  const start = from.position;
  let record;
  let reason = "";
  try {
    record = within(from, RECORD_WIDTH, () => readRecord(from));
  } catch (error) {
    reason = `The record of instance '${String(from.columns[start + ID])}' cannot be read: ${(error as Error).message}`;
  }
  const held = from.number() === 1;
  const { messages, damage } = readInbox(from, record?.number ?? 0, record?.id ?? "");
  if (record === undefined) {
    const at = (column: number): number => Number(from.columns[start + column]);
    return { instanceId: String(from.columns[start + ID]), reason, lease: { number: at(NUMBER), epoch: at(EPOCH) } };
  }
  return {
    number: record.number,
    id: record.id,
    epoch: record.epoch,
    attempts: record.attempts,
    record,
    messages,
    held,
    ...(damage === undefined ? {} : { damage }),
  };
}

function readClaimList(from: ColumnReader, damaged: DamagedClaim[]): Claim[] {
  const claims: Claim[] = [];
  for (let count = from.number(); count > 0; count--) {
    const claim = readClaim(from);
    if ("reason" in claim) damaged.push(claim);
    else claims.push(claim);
  }
  return claims;
}

function readActivities(from: ColumnReader, at: number, damaged: DamagedClaim[]): ActivityClaim[] {
  const activities: ActivityClaim[] = [];
  for (let count = from.number(); count > 0; count--) {
    const [instanceId, number, generation, taskId, name] = from.columns.slice(from.position);
    const epoch = from.columns[from.position + ACTIVITY_EPOCH];
    try {
      activities.push(within(from, ACTIVITY_WIDTH, () => readActivityClaim(from, at)));
    } catch (error) {
      const reason = `The activity '${name}' (#${taskId}) of instance '${instanceId}' cannot be read: ${(error as Error).message}`;
      const key = { number: Number(number), generation: Number(generation), taskId: Number(taskId) };
      damaged.push({ instanceId: String(instanceId), reason, lease: { key, epoch: Number(epoch) } });
    }
  }
  return activities;
}

/** The answer to a claim. */
export function readClaims(from: ColumnReader, at: number): Claims {
  const damaged: DamagedClaim[] = [];
  const instances = readClaimList(from, damaged);
  const activities = readActivities(from, at, damaged);
  const nextDueAt = from.numberOrNone();
  for (let count = from.number(); count > 0; count--) {
    const instanceId = from.text();
    damaged.push({ instanceId, reason: `The rows of instance '${instanceId}' cannot be read: ${from.text()}` });
  }
  return { at, instances, activities, ...given({ nextDueAt, damaged: damaged.length === 0 ? undefined : damaged }) };
}

/** The answer to a commit. */
export function readResult(code: number, from: ColumnReader, at: number, commit: Commit): CommitResult {
  if (code === FENCED) return { ok: false, why: "fenced" };
  if (code === EXISTS) return { ok: false, why: "exists" };
  const number = from.number();
  if (code !== DONE_WITH) return { ok: true, at, number, arrived: NOTHING, undelivered: NOTHING, claims: NOTHING };
  const to = from.textOrNone() ?? commit.record?.id ?? "";
  const { messages: arrived } = readInbox(from, number, to);
  const undelivered: string[] = [];
  for (let count = from.number(); count > 0; count--) undelivered.push(from.text());
  return { ok: true, at, number, arrived, undelivered, claims: readClaimList(from, []) };
}

/** The answer to a read. */
export function readOne(from: ColumnReader): StoredInstance | undefined {
  if (from.number() === 0) return undefined;
  const id = String(from.columns[from.position + ID]);
  try {
    return within(from, RECORD_WIDTH + PAYLOAD_SLOTS, () => readStored(from));
  } catch (cause) {
    throw new StoreFormatError(
      `The record of instance '${id}' cannot be read: ${(cause as Error).message} Restore the file from a backup.`,
      { cause },
    );
  }
}

/** What a part of a query found. */
export interface Found {
  /** Up to which number it looked; `undefined`: to the end. */
  readonly until: number | undefined;
  readonly items: readonly StoredInstance[];
  readonly damaged: readonly string[];
}

/** The answer to a part of a query. */
export function readFound(from: ColumnReader): Found {
  const until = from.numberOrNone();
  const items: StoredInstance[] = [];
  const damaged: string[] = [];
  for (let count = from.number(); count > 0; count--) {
    const id = String(from.columns[from.position + ID]);
    try {
      items.push(within(from, RECORD_WIDTH + PAYLOAD_SLOTS, () => readStored(from)));
    } catch (error) {
      damaged.push(`The record of instance '${id}' cannot be read: ${(error as Error).message}`);
    }
  }
  for (let count = from.number(); count > 0; count--) damaged.push(`The instance ${from.text()} cannot be read: ${from.text()}`);
  return { until, items, damaged };
}

/** The answer to a list of finished instances. */
export function readFinished(from: ColumnReader, at: number): FinishedPage {
  const instances: FinishedInstance[] = [];
  for (let count = from.number(); count > 0; count--) {
    const one = {
      number: from.number(),
      id: from.text(),
      name: from.text(),
      status: statusOf(from.number()) as TerminalStatus,
      epoch: from.number(),
      completedAt: from.number(),
    };
    const [instanceId, executionId] = [from.textOrNone(), from.textOrNone()];
    instances.push(instanceId === undefined || executionId === undefined ? one : { ...one, parent: { instanceId, executionId } });
  }
  return { at, instances };
}

/** The answer to what stands in an instance's name. */
export function readOutstanding(from: ColumnReader, at: number): Outstanding | undefined {
  if (from.number() === 0) return undefined;
  const dueMessages = from.number();
  const oldestDueAt = from.numberOrNone();
  const laterMessages = from.number();
  const isClaimed = from.number() === 1;
  const activityCount = from.number();
  const activities: OutstandingActivity[] = [];
  for (let count = from.number(); count > 0; count--) {
    const activity = {
      taskId: from.number(),
      name: from.text(),
      attempt: from.number(),
      deliveries: from.number(),
      isOut: from.number() === 1,
      since: from.number(),
    };
    activities.push({ ...activity, ...given({ expiresAt: from.numberOrNone() }) });
  }
  return { at, activities, activityCount, dueMessages, laterMessages, isClaimed, ...given({ oldestDueAt }) };
}

/** A page of history as it is stored, to be decoded outside of the answer. */
export interface StoredPage {
  readonly kind: number;
  readonly number: number;
  readonly generation: number;
  readonly more: boolean;
  readonly rows: readonly { readonly turn: number; readonly first: number; readonly format: number; readonly body: string }[];
}

/** The answer to a page of history. */
export function readPage(from: ColumnReader, pageKind: number): StoredPage {
  const kind = from.number();
  if (kind !== pageKind) return { kind, number: 0, generation: 0, more: false, rows: [] };
  const number = from.number();
  const generation = from.number();
  const more = from.number() === 1;
  const rows = [];
  for (let count = from.number(); count > 0; count--)
    rows.push({ turn: from.number(), first: from.number(), format: from.number(), body: from.text() });
  return { kind, number, generation, more, rows };
}
