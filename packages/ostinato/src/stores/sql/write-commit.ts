// write-commit: a Commit as one flat row of columns that a connection can carry out without knowing what it means.
//
// Owns:    the layout of a written commit, and which of the record's columns have to be written.
// Is told: the commit, and the record that the row is known to hold.
// Always:  W1 pure: the same arguments give the same columns.
//          W2 a record that differs from the known one in hot columns alone is written as those.
//          W3 what contradicts itself is refused here, before anything of it is sent.

import type { InstanceRecord } from "../../contract/instance.ts";
import type { ActivityKey, Commit, Fence } from "../../engine/commit.ts";
import { encodeEvents, EVENT_FORMAT } from "./history-codec.ts";
import { coldEquals, pushActivity, pushCold, pushFixed, pushHot, pushMessage, slotsOf } from "./rows.ts";
import type { Column } from "./rows.ts";

/** What a written commit contains, as bits of its flags. */
export const KEEP = 1;
/** It has an instance or absent fence, so the lease is its to keep or to end. */
export const LEASES = 2;
export const RECORD_HOT = 4;
export const RECORD_FULL = 8;
export const RECORD_NEW = 16;
export const HISTORY = 32;
export const REPLACE = 64;
export const DROP_EXECUTION = 128;
export const DROP_EVERYTHING = 256;
export const PAYLOADS = 512;
/** With DROP_EVERYTHING: refused while any message lies there. */
export const IF_IDLE = 1_024;
export const ASIDE = 2_048;
export const OFFERS_ASIDE = 4_096;

/** Kinds of fences. */
export const ABSENT = 0;
export const INSTANCE = 1;
export const ACTIVITY = 2;

/** What a message does when its addressee does not exist. */
export const CREATES_NOTHING = 0;
export const CREATES = 1;
export const CREATES_CLAIMED = 2;

/**
 * Appends a commit:
 * number, flags, fences, finished, consumed, cancelled, [dropped execution], [record], [payloads], [history], activities, [aside], messages.
 * Lists begin with their length. The fence of an activity that is finished stands with it: (number, generation, task, epoch or -1).
 *
 * @param known the record that the instance's row is known to hold at the fenced epoch.
 * @param readTurn the turn of the record that the commit was decided on, when somebody else may have committed one since.
 */
export function pushCommit(commit: Commit, known: InstanceRecord | undefined, to: Column[], readTurn?: number): void {
  const { record, drop, history, payloads, fences, aside, offersAside } = commit;
  const first = fences[0];
  const dropsAll = drop === "everything" || drop === "if-idle";
  const isNew = record !== undefined && (commit.number === 0 || dropsAll);
  const hot =
    record !== undefined &&
    !isNew &&
    known !== undefined &&
    first?.kind === "instance" &&
    known.epoch === first.epoch &&
    coldEquals(known, record);
  check(commit, isNew ? undefined : first);
  to.push(
    commit.number,
    (commit.keep ? KEEP : 0) |
      (isNew || (first !== undefined && first.kind !== "activity") ? LEASES : 0) |
      (record === undefined ? 0 : isNew ? RECORD_NEW : hot ? RECORD_HOT : RECORD_FULL) |
      (history === undefined ? 0 : history.mode === "replace" ? HISTORY | REPLACE : HISTORY) |
      (drop === undefined ? 0 : !dropsAll ? DROP_EXECUTION : drop === "if-idle" ? DROP_EVERYTHING | IF_IDLE : DROP_EVERYTHING) |
      (payloads === undefined ? 0 : PAYLOADS) |
      (aside === undefined ? 0 : ASIDE) |
      (offersAside === true ? OFFERS_ASIDE : 0),
  );
  pushFences(commit, to, readTurn);
  to.push(commit.consumed.length, ...commit.consumed);
  to.push(commit.cancelled.length, ...commit.cancelled);
  if (typeof drop === "object") to.push(drop.execution, drop.generation);
  if (record !== undefined) {
    if (isNew) pushFixed(record, to);
    pushHot(record, to);
    if (!hot) pushCold(record, to);
  }
  if (payloads !== undefined) {
    const slots = slotsOf(payloads);
    to.push(slots.reduce<number>((count, value) => (value === undefined ? count : count + 1), 0));
    for (let slot = 0; slot < slots.length; slot++) if (slots[slot] !== undefined) to.push(slot, slots[slot] ?? null);
  }
  if (history !== undefined && record !== undefined) {
    const { events } = history;
    to.push(record.turn, record.historyLength - events.length, events.length, EVENT_FORMAT, encodeEvents(events));
  }
  to.push(commit.activities.length);
  for (const row of commit.activities) pushActivity(row, to);
  if (aside !== undefined) to.push(aside.key.number, aside.key.generation, aside.key.taskId, aside.delivery);
  to.push(commit.messages.length);
  for (const message of commit.messages) {
    const { creates } = message;
    to.push(record !== undefined && record.id === message.to ? null : message.to);
    pushMessage(message, to);
    if (creates === undefined || (record !== undefined && record.id === message.to)) to.push(CREATES_NOTHING);
    else {
      to.push(creates.claimed ? CREATES_CLAIMED : CREATES);
      pushFixed(creates.record, to);
      pushHot(creates.record, to);
      pushCold(creates.record, to);
      for (const value of slotsOf(creates.payloads)) to.push(value ?? null);
    }
  }
}

/** Both lists have what they have in common in one order, so each search begins where the last one ended: a wide fan-in costs what it is wide. */
function pushFences({ fences, finished }: Commit, to: Column[], readTurn: number | undefined): void {
  const at = to.length;
  to.push(0);
  let count = 0;
  let place = 0;
  for (const fence of fences) {
    if (fence.kind === "absent") to.push(ABSENT, fence.id);
    else if (fence.kind === "instance") to.push(INSTANCE, fence.number, fence.epoch, readTurn ?? null);
    else {
      const found = placeOf(fence.key, finished, place);
      if (found >= 0) {
        place = found + 1;
        continue;
      }
      to.push(ACTIVITY, fence.key.number, fence.key.generation, fence.key.taskId, fence.epoch);
    }
    count++;
  }
  to[at] = count;
  to.push(finished.length);
  place = 0;
  for (const key of finished) {
    const found = placeOfFence(key, fences, place);
    if (found >= 0) place = found + 1;
    const fence = fences[found];
    to.push(key.number, key.generation, key.taskId, fence?.kind === "activity" ? fence.epoch : -1);
  }
}

function placeOf(wanted: ActivityKey, keys: readonly ActivityKey[], from: number): number {
  for (let i = from; i < keys.length; i++) if (isOf(keys[i]!, wanted)) return i;
  for (let i = 0; i < from && i < keys.length; i++) if (isOf(keys[i]!, wanted)) return i;
  return -1;
}

function placeOfFence(wanted: ActivityKey, fences: readonly Fence[], from: number): number {
  for (let i = from; i < fences.length; i++) if (isFenceOf(fences[i]!, wanted)) return i;
  for (let i = 0; i < from && i < fences.length; i++) if (isFenceOf(fences[i]!, wanted)) return i;
  return -1;
}

function isFenceOf(fence: Fence, key: ActivityKey): boolean {
  return fence.kind === "activity" && isOf(fence.key, key);
}

function isOf(a: ActivityKey, b: ActivityKey): boolean {
  return a.taskId === b.taskId && a.generation === b.generation && a.number === b.number;
}

function check(commit: Commit, first: Fence | undefined): void {
  const { record } = commit;
  if (commit.history !== undefined && record === undefined) throw new Error("A commit writes history without the record that counts it.");
  if (record !== undefined && first?.kind === "instance" && record.epoch < first.epoch) {
    throw new Error(`The epoch of instance ${record.id} would go back from ${first.epoch} to ${record.epoch}.`);
  }
}
