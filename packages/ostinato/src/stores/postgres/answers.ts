// answers: what the functions of the database answered, as the values of the seam.
//
// Always:  D5 a row that cannot be read spoils nothing but its own instance.

import { StoreFormatError } from "../../contract/errors.ts";
import type { InstanceRecord, StoredInstance } from "../../contract/instance.ts";
import type { InboxMessage } from "../../contract/messages.ts";
import type { ActivityClaim, Claim } from "../../engine/commit.ts";
import type { DamagedClaim } from "../../engine/store.ts";
import { ColumnReader, readActivityClaim, readMessage, readRecord, readStored } from "../sql/read-rows.ts";
import { RECORD_COLUMNS } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";

/** A row as JSON: its columns in order. */
export type Row = readonly Column[];
/** What was handed out of one inbox: whose, when the next message is due, messages. */
export type HandedOutRow = readonly [number: number, nextAt: number | null, messages: readonly Row[]];
/** Records, and what their inboxes had. */
export type ClaimRows = readonly [records: readonly Row[], handedOut: readonly HandedOutRow[] | null];

/** What `commit_1` answers. */
export interface CommitAnswer {
  readonly gone?: true;
  readonly at: number;
  /** Places of commits, from 1 on. */
  readonly fenced: readonly number[] | null;
  readonly exists: readonly number[] | null;
  readonly made: readonly (number | null)[] | null;
  readonly undelivered: readonly (readonly [place: number, id: string])[] | null;
  readonly arrived: readonly HandedOutRow[] | null;
  readonly born: ClaimRows | null;
  readonly ready: readonly string[] | null;
  readonly next: number | null;
  readonly news: readonly number[] | null;
  readonly ended: readonly string[] | null;
}

/** What `step_1` answers; `null`: it is not for it, and nothing was written. */
export interface StepAnswer {
  readonly gone?: true;
  readonly at: number;
  readonly made: readonly number[] | null;
  /** The place of each message that begins a new instance among all messages of the hub. */
  readonly sequences: readonly number[] | null;
  readonly arrived: readonly HandedOutRow[] | null;
  readonly ready: readonly string[] | null;
  readonly next: number | null;
}

/** What `claim_1` answers. */
export interface ClaimAnswer {
  readonly gone?: true;
  readonly at: number;
  readonly held: ClaimRows | null;
  readonly free: ClaimRows | null;
  readonly activities: readonly Row[] | null;
  readonly next: number | null;
}

/** What `release_1` answers. */
export interface ReleaseAnswer {
  readonly gone?: true;
  readonly at: number;
  readonly ready: readonly string[] | null;
  readonly next: number | null;
  readonly activities: readonly string[] | null;
}

const NUMBER = RECORD_COLUMNS.indexOf("number");
const ID = RECORD_COLUMNS.indexOf("id");
const EPOCH = RECORD_COLUMNS.indexOf("epoch");
const ACTIVITY_EPOCH = 14;

/** The messages of an inbox, and what is wrong with it where one cannot be read. */
export function readInbox(
  rows: readonly Row[],
  number: number,
  to: string,
): { readonly messages: readonly InboxMessage[]; readonly damage: string | undefined } {
  const messages: InboxMessage[] = [];
  let damage: string | undefined;
  for (const row of rows) {
    try {
      messages.push(readMessage(new ColumnReader(row), number, to));
    } catch (error) {
      damage = `A message to ${to} cannot be read: ${(error as Error).message}`;
    }
  }
  return { messages, damage };
}

/** A claim before its lease is known of. */
export type ReadClaim = Omit<Claim, "held"> & { readonly nextAt: number | undefined };

/** Records and their inboxes as claims; those that cannot be read are put aside. */
export function readClaimRows(rows: ClaimRows | null, damaged: DamagedClaim[]): ReadClaim[] {
  if (rows === null) return [];
  const inboxes = new Map((rows[1] ?? []).map((row) => [row[0], row] as const));
  const claims: ReadClaim[] = [];
  for (const row of rows[0]) {
    const number = Number(row[NUMBER]);
    const [, nextAt = null, messageRows = []] = inboxes.get(number) ?? [];
    let record: InstanceRecord;
    try {
      record = readRecord(new ColumnReader(row));
    } catch (error) {
      const reason = `The record of instance '${String(row[ID])}' cannot be read: ${(error as Error).message}`;
      damaged.push({ instanceId: String(row[ID]), reason, lease: { number, epoch: Number(row[EPOCH]) } });
      continue;
    }
    const { messages, damage } = readInbox(messageRows, number, record.id);
    claims.push({
      number,
      id: record.id,
      epoch: record.epoch,
      attempts: record.attempts,
      record,
      messages,
      nextAt: nextAt ?? undefined,
      ...(damage === undefined ? {} : { damage }),
    });
  }
  return claims;
}

/** Claimed activities; those that cannot be read are put aside. */
export function readActivities(rows: readonly Row[] | null, at: number, damaged: DamagedClaim[]): ActivityClaim[] {
  const activities: ActivityClaim[] = [];
  for (const row of rows ?? []) {
    try {
      activities.push(readActivityClaim(new ColumnReader(row), at));
    } catch (error) {
      const [instanceId, number, generation, taskId, name] = row;
      const reason = `The activity '${name}' (#${taskId}) of instance '${instanceId}' cannot be read: ${(error as Error).message}`;
      const key = { number: Number(number), generation: Number(generation), taskId: Number(taskId) };
      damaged.push({ instanceId: String(instanceId), reason, lease: { key, epoch: Number(row[ACTIVITY_EPOCH]) } });
    }
  }
  return activities;
}

/**
 * A record and its payloads.
 *
 * @throws StoreFormatError naming the instance when its row cannot be read.
 */
export function readStoredRow(row: Row): StoredInstance {
  try {
    return readStored(new ColumnReader(row));
  } catch (cause) {
    throw new StoreFormatError(
      `The record of instance '${String(row[ID])}' cannot be read: ${(cause as Error).message} Restore the database from a backup.`,
      { cause },
    );
  }
}

/** The answer to a group, by what its commits look for. */
export interface GroupAnswer {
  readonly whole: CommitAnswer;
  /** What was handed out of the inbox of an instance. */
  readonly arrivedOf: (number: number) => HandedOutRow | undefined;
  /** Messages of a commit that nobody got. */
  readonly undeliveredOf: (place: number) => readonly string[];
  /** The instance of this number, if it was made and leased to this process. */
  readonly bornOf: (number: number) => ReadClaim | undefined;
}

const NOBODY: readonly string[] = [];

/** Reads an answer once, however many commits it is for. */
export function groupAnswerOf(whole: CommitAnswer): GroupAnswer {
  const arrived = whole.arrived && new Map(whole.arrived.map((row) => [row[0], row]));
  const born = whole.born && new Map(readClaimRows(whole.born, []).map((claim) => [claim.number, claim]));
  const undelivered = whole.undelivered && Map.groupBy(whole.undelivered, ([place]) => place);
  return {
    whole,
    arrivedOf: (number) => arrived?.get(number),
    undeliveredOf: (place) => undelivered?.get(place)?.map(([, id]) => id) ?? NOBODY,
    bornOf: (number) => born?.get(number),
  };
}
