// claim: hands out what is ready, and takes back what is released.
//
// Is told: how much an owner has room for, and of which names.
// Always:  S4 a claim reads rows of `ready`, never messages that nobody is handed.
//          G5 epochs and attempts rise durably before anything is handed out.
//          D5 a row that cannot be read is told of and left out; what else is ready is handed out.

import type { StatementSync } from "node:sqlite";
import type { WantedNames } from "../../engine/store.ts";
import { RECORD_COLUMNS } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import { codeOf, messageOf } from "./database-file.ts";
import type { OwnerOfLeases } from "./leases.ts";
import type { Session } from "./session.ts";
import { DONE, readNames } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** A candidate: when it is due, its instance number, and an activity's generation and task. */
type Candidate = readonly [at: number, number: number, generation?: number, task?: number];

const EPOCH = RECORD_COLUMNS.indexOf("epoch");
const HELD = RECORD_COLUMNS.indexOf("held");

/** Claims for an owner: instances it holds with something new, free instances, activities; and when to look again. */
export function applyClaim(session: Session, me: OwnerOfLeases, from: ColumnReader, reply: Wire): void {
  const { sql, at, leases } = session;
  const room = from.number();
  const orchestrators = readNames(from);
  const entityRoom = from.number();
  const entities = readNames(from);
  const errands = from.number();
  const activities = readNames(from);
  let nextDueAt = Number.POSITIVE_INFINITY;
  const damaged: Column[] = [];

  reply.push(DONE, 0);
  const countAt = reply.length - 1;
  let count = 0;
  const due = [];
  for (let lease = me.due.first(); lease !== undefined && lease.dueAt <= at; lease = me.due.first()) {
    leases.setDue(lease, Number.POSITIVE_INFINITY);
    due.push(lease);
  }
  for (const lease of due) {
    const start = reply.length;
    let handedOut = 0;
    unlessDamaged(session, lease.number, damaged, () => {
      reply.push(...(sql.recordOf.get(lease.number) as unknown as Column[]), 1);
      handedOut = session.handOut(lease, reply);
    });
    if (handedOut > 0) count++;
    else reply.length = start;
  }

  const claimFree = (names: readonly string[], room: number): void => {
    const claimed = new Set<number>();
    for (const [, number] of soonest(names, (name) => sql.readyOf.all(me.hub, name, at, room))) {
      if (claimed.size === room || claimed.has(number)) continue;
      const start = reply.length;
      const done = unlessDamaged(session, number, damaged, () => {
        const record = sql.claimInstance.get(number) as unknown as Column[] | undefined;
        if (record === undefined) return;
        claimed.add(number);
        reply.push(...record, 0);
        session.handOut(leases.grant(number, me.owner, record[EPOCH] as number, record[HELD] === 1), reply);
        count++;
      });
      if (!done) reply.length = start;
      sql.dropReady.run(number);
    }
    for (const name of names) nextDueAt = Math.min(nextDueAt, first(sql.nextReadyOf.get(me.hub, name, at)));
  };
  // What needs only the engine stands under "", whichever it is.
  if (room > 0) claimFree(["", ...wanted(orchestrators, (name) => nextOrchestrator(session, me.hub, name))], room);
  if (entityRoom > 0)
    claimFree(
      wanted(entities, (name) => nameAfter(sql.nextReadyEntity, me.hub, name < "@" ? "@" : name)),
      entityRoom,
    );
  reply[countAt] = count;
  nextDueAt = Math.min(nextDueAt, me.due.first()?.dueAt ?? Number.POSITIVE_INFINITY);

  reply.push(0);
  const errandsAt = reply.length - 1;
  if (errands > 0) {
    let taken = 0;
    const names = wanted(activities, (name) => nameAfter(sql.nextUnclaimedName, me.hub, name));
    for (const [, number, generation = 0, task = 0] of soonest(names, (name) => sql.unclaimedOf.all(me.hub, name, at, errands))) {
      if (taken === errands) break;
      const claimed = unlessDamaged(session, number, damaged, () =>
        reply.push(...(sql.claimActivity.get(me.owner, at, number, generation, task) as unknown as Column[])),
      );
      if (claimed) taken++;
    }
    reply[errandsAt] = taken;
    for (const name of names) nextDueAt = Math.min(nextDueAt, first(sql.nextUnclaimedOf.get(me.hub, name, at)));
  }
  reply.push(nextDueAt === Number.POSITIVE_INFINITY ? null : nextDueAt, damaged.length / 2, ...damaged);
}

/** Does something with the rows of an instance. What cannot be read of them is noted, with whose it is; any other error is one. */
function unlessDamaged(session: Session, number: number, damaged: Column[], read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (codeOf(error) !== CORRUPT && (error as { code?: unknown }).code !== "ERR_OUT_OF_RANGE") throw error;
    let id = `number ${number}`;
    try {
      id = String((session.sql.idOf.get(number) as unknown as [Column] | undefined)?.[0] ?? id);
    } catch {
      // Then its number has to do.
    }
    damaged.push(id, messageOf(error));
    return false;
  }
}

const CORRUPT = 11;

/** Gives leases back; stale ones are ignored. */
export function applyRelease(session: Session, me: OwnerOfLeases, from: ColumnReader, reply: Wire): void {
  const { sql, at, leases } = session;
  const afterMs = from.number();
  for (let count = from.number(); count > 0; count--) {
    const isActivity = from.number() === 1;
    const number = from.number();
    if (isActivity) {
      const [generation, task, epoch, undone] = [from.number(), from.number(), from.number(), from.number()];
      const { changes } = sql.releaseActivity.run(at + afterMs, undone, number, generation, task, epoch, me.owner);
      if (changes !== 0) session.tellDue(at + afterMs);
      continue;
    }
    const epoch = from.number();
    const lease = leases.of(number);
    if (lease === undefined || lease.epoch !== epoch || lease.owner !== me.owner) continue;
    if (afterMs > 0) sql.delay.run(at + afterMs, number);
    session.free(lease);
  }
  reply.push(DONE);
}

/** Everything an owner holds is anybody's. The epochs rise, so that nobody goes on with what was handed out. */
export function giveBack(session: Session, owner: number): void {
  for (const lease of session.leases.all()) {
    if (lease.owner !== owner) continue;
    session.sql.raiseEpoch.run(lease.number);
    session.free(lease);
  }
  if (session.sql.releaseActivitiesOf.run(session.at, owner).changes !== 0) session.tellDue(session.at);
}

/** The names to look under. Of any, those that there are: one step in the index leads to the next name, however many rows one has. */
function wanted(names: WantedNames, next: (name: string) => string | null): readonly string[] {
  if (!("anyBut" in names)) return names;
  const found: string[] = [];
  for (let name = next(""); name !== null; name = next(name)) if (!names.anyBut.includes(name)) found.push(name);
  return found;
}

/** Entities' names, which begin with "@", are stepped over all at once. */
function nextOrchestrator({ sql }: Session, hub: number, name: string): string | null {
  const next = nameAfter(sql.nextReadyName, hub, name);
  return next !== null && next.startsWith("@") ? nameAfter(sql.nextReadyNameFrom, hub, "A") : next;
}

function nameAfter(next: StatementSync, hub: number, name: string): string | null {
  return (next.get(hub, name) as unknown as [string | null])[0];
}

function soonest(names: readonly string[], find: (name: string) => unknown): Candidate[] {
  const found: Candidate[] = [];
  for (const name of names) found.push(...(find(name) as Candidate[]));
  return names.length > 1 ? found.sort((a, b) => a[0] - b[0]) : found;
}

function first(row: unknown): number {
  return (row as [number] | undefined)?.[0] ?? Number.POSITIVE_INFINITY;
}
