// answers: what the connection answered, as the values of the seam.
//
// Always:  a reader stands behind its answer afterwards, whatever was wrong with it: the next answer is somebody else's.
//          D5 a row that cannot be read spoils nothing but its own instance.

import type { StoredInstance } from "../../contract/instance.ts";
import type { InboxMessage } from "../../contract/messages.ts";
import type { ActivityClaim, Claim, Commit, CommitResult } from "../../engine/commit.ts";
import type { Claims } from "../../engine/store.ts";
import { readActivityClaim, readMessage, readRecord, readStored } from "../sql/read-rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import { RECORD_WIDTH } from "../sql/rows.ts";
import { DONE_WITH, EXISTS, FENCED } from "./wire.ts";

const MESSAGE_WIDTH = 8;
const ACTIVITY_WIDTH = 17;
const PAYLOADS_WIDTH = 4;
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

/** One claim; `undefined` when not even its record can be read. */
function readClaim(from: ColumnReader): Claim | undefined {
  let record;
  try {
    record = within(from, RECORD_WIDTH, () => readRecord(from));
  } catch {
    record = undefined;
  }
  const held = from.number() === 1;
  const { messages, damage } = readInbox(from, record?.number ?? 0, record?.id ?? "");
  if (record === undefined) return undefined;
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

function readClaimList(from: ColumnReader): Claim[] {
  const claims: Claim[] = [];
  for (let count = from.number(); count > 0; count--) {
    const claim = readClaim(from);
    if (claim !== undefined) claims.push(claim);
  }
  return claims;
}

/** The answer to a claim. */
export function readClaims(from: ColumnReader, at: number): Claims {
  const instances = readClaimList(from);
  const activities: ActivityClaim[] = [];
  for (let count = from.number(); count > 0; count--) activities.push(within(from, ACTIVITY_WIDTH, () => readActivityClaim(from, at)));
  const nextDueAt = from.numberOrNone();
  return { at, instances, activities, ...(nextDueAt === undefined ? {} : { nextDueAt }) };
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
  return { ok: true, at, number, arrived, undelivered, claims: readClaimList(from) };
}

/** The answer to a read. */
export function readOne(from: ColumnReader): StoredInstance | undefined {
  if (from.number() === 0) return undefined;
  return within(from, RECORD_WIDTH + PAYLOADS_WIDTH, () => readStored(from));
}

/** The answer to a part of a query: up to which number it looked (`undefined`: to the end), and what it found. */
export function readFound(from: ColumnReader): { readonly until: number | undefined; readonly items: readonly StoredInstance[] } {
  const until = from.numberOrNone();
  const items: StoredInstance[] = [];
  let damage: Error | undefined;
  for (let count = from.number(); count > 0; count--) {
    try {
      items.push(within(from, RECORD_WIDTH + PAYLOADS_WIDTH, () => readStored(from)));
    } catch (error) {
      damage = error as Error;
    }
  }
  if (damage !== undefined) throw damage;
  return { until, items };
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
