// apply-commit: carries out one written commit, in the transaction at hand.
//
// Is told: columns as write-commit lays them out.
// Always:  S1 a refused commit writes nothing. Where the first write is itself the check, a later check that fails raises RefusedLate:
//          the group is rolled back and done again carefully, with every check before the first write.

import { EVENT_FORMAT } from "../sql/history-codec.ts";
import { COLD_COLUMNS, FIXED_COLUMNS, HOT_COLUMNS, FIRST_TERMINAL, PAYLOAD_SLOTS } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import {
  ABSENT,
  ASIDE,
  CREATES_CLAIMED,
  CREATES_NOTHING,
  DROP_EVERYTHING,
  DROP_EXECUTION,
  HISTORY,
  IF_IDLE,
  INSTANCE,
  KEEP,
  LEASES,
  OFFERS_ASIDE,
  PAYLOADS,
  RECORD_FULL,
  RECORD_HOT,
  RECORD_NEW,
  REPLACE,
} from "../sql/write-commit.ts";
import type { LeaseOfInstance, OwnerOfLeases } from "./leases.ts";
import type { MessageRow, Session } from "./session.ts";
import { DONE, DONE_WITH, EXISTS, FENCED } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** A check failed after something of its commit had been written. */
export class RefusedLate extends Error {}

const HELD = HOT_COLUMNS.length + COLD_COLUMNS.indexOf("held");

const NOT_BEFORE = HOT_COLUMNS.length + COLD_COLUMNS.indexOf("not_before");
const NAME = FIXED_COLUMNS.indexOf("name");
const NO_ROWS: readonly MessageRow[] = [];
const NONE_BORN: readonly Born[] = [];

/** An instance that was just inserted. */
interface Created {
  readonly number: number;
  readonly epoch: number;
  readonly held: boolean;
  readonly row: readonly Column[];
}

/** A child that was made and leased to the process that commits. */
interface Born {
  readonly lease: LeaseOfInstance;
  readonly inbox: MessageRow[];
}

/** Carries out the commit at the reader's position and appends its answer. */
export function applyCommit(session: Session, me: OwnerOfLeases, from: ColumnReader, careful: boolean, reply: Wire): void {
  const { sql, at, leases } = session;
  let number = from.number();
  const flags = from.number();
  let lease = number === 0 ? undefined : leases.of(number);

  // ---- checks
  for (let fences = from.number(); fences > 0; fences--) {
    const kind = from.number();
    if (kind === ABSENT) {
      const id = from.text();
      // The insert of a new instance is the check itself, unless something would have been written before it.
      if ((careful || !(flags & RECORD_NEW)) && sql.numberOf.get(me.hub, id) !== undefined) return void reply.push(EXISTS);
    } else if (kind === INSTANCE) {
      const fenced = from.number();
      if (epochOf(session, fenced) !== from.number()) return void reply.push(FENCED);
      const turn = from.numberOrNone();
      if (turn !== undefined && (sql.turnOf.get(fenced) as unknown as [number] | undefined)?.[0] !== turn) return void reply.push(FENCED);
    } else {
      const row = sql.activityEpoch.get(from.number(), from.number(), from.number()) as unknown as [number] | undefined;
      if (row?.[0] !== from.number()) return void reply.push(FENCED);
    }
  }
  if (flags & DROP_EVERYTHING && (flags & IF_IDLE ? sql.anyMessage : sql.startWaiting).get(number) !== undefined)
    return void reply.push(FENCED);
  if (careful && !checksHold(session, number, from)) return void reply.push(FENCED);

  // ---- what goes
  let wrote = false;
  for (let finished = from.number(); finished > 0; finished--) {
    const key: [number, number, number] = [from.number(), from.number(), from.number()];
    const epoch = from.number();
    if (epoch < 0) sql.finish.run(...key);
    else if (sql.finishFenced.run(...key, epoch).changes === 0) return refuse(wrote, reply);
    wrote = true;
  }
  for (let consumed = from.number(); consumed > 0; consumed--) {
    const id = from.text();
    if (sql.consume.run(number, id, at).changes === 0) return refuse(wrote, reply);
    if (lease !== undefined) leases.gone(lease, id);
    wrote = true;
  }
  for (let cancelled = from.number(); cancelled > 0; cancelled--) {
    const id = from.text();
    sql.cancel.run(number, id);
    if (lease !== undefined) leases.gone(lease, id);
  }
  if (flags & DROP_EXECUTION) {
    sql.dropMessagesOf.run(number, from.text());
    sql.dropActivitiesOf.run(number, from.number());
  } else if (flags & DROP_EVERYTHING) {
    const id = (sql.idOf.get(number) as unknown as [string] | undefined)?.[0];
    for (const drop of sql.dropRows) drop.run(number);
    if (lease !== undefined) leases.end(lease);
    lease = undefined;
    if (id !== undefined) session.tellEnded(me.hub, id);
  }

  // ---- what stands
  let epoch = lease?.epoch ?? 0;
  let held = lease?.held ?? false;
  let created: Created | undefined;
  if (flags & RECORD_HOT) {
    const hot = take(from, HOT_COLUMNS.length);
    sql.updateHot.run(...hot, number);
    epoch = hot[0] as number;
  } else if (flags & RECORD_FULL) {
    const row = take(from, HOT_COLUMNS.length + COLD_COLUMNS.length);
    sql.updateFull.run(...row, number);
    epoch = row[0] as number;
    held = row[HELD] === 1;
    if ((row[HOT_COLUMNS.length] as number) >= FIRST_TERMINAL) session.tellEnded(me.hub, idOf(session, number));
  } else if (flags & RECORD_NEW) {
    created = insert(session, me, from);
    if (created === undefined) {
      if (wrote || flags & DROP_EVERYTHING) throw new RefusedLate();
      return void reply.push(EXISTS);
    }
    ({ number, epoch, held } = created);
  }
  const isNew = created !== undefined;
  if (flags & PAYLOADS) writePayloads(session, number, from);
  if (flags & HISTORY) {
    if (flags & REPLACE) sql.dropHistory.run(number);
    const [turn, first, count, format, body] = take(from, 5) as [number, number, number, number, string];
    sql.appendHistory.run(number, turn, first, count, format, body);
  }
  for (let activities = from.number(); activities > 0; activities--) schedule(session, me, number, from);
  if (flags & ASIDE) {
    const [key, delivery] = [take(from, 3), from.number()];
    sql.putAside.run(delivery, ...key);
  }
  if (flags & OFFERS_ASIDE && sql.offerAside.run(at, number).changes !== 0) session.tellDue(at);

  // ---- what is told to others
  // Most commits tell nobody anything: each of these is made when it is first needed.
  let own: MessageRow[] | undefined;
  let undelivered: string[] | undefined;
  let touched: Set<number> | undefined;
  let born: Born[] | undefined;
  for (let messages = from.number(); messages > 0; messages--) {
    const to = from.textOrNone();
    const [lane, id, execution, visibleAt, body] = take(from, 5) as [number, string, string | null, number | null, string];
    const creates = from.number();
    let addressee = to === undefined ? number : (sql.numberOf.get(me.hub, to) as unknown as [number] | undefined)?.[0];
    if (creates !== CREATES_NOTHING) {
      if (addressee === undefined) {
        const child = insert(session, me, from);
        if (child === undefined) throw new Error(`The instance '${to}' is there, and was not found a moment ago.`);
        addressee = child.number;
        for (let slot = 0; slot < PAYLOAD_SLOTS; slot++) setPayload(session, addressee, slot, from.textOrNone() ?? null);
        if (creates === CREATES_CLAIMED)
          (born ??= []).push({ lease: leases.grant(addressee, me.owner, child.epoch, child.held), inbox: [] });
      } else from.position += FIXED_COLUMNS.length + HOT_COLUMNS.length + COLD_COLUMNS.length + PAYLOAD_SLOTS;
    }
    if (addressee === undefined) {
      (undelivered ??= []).push(id);
      continue;
    }
    const dueAt = visibleAt === null ? at : Math.max(visibleAt, at);
    const row: MessageRow = [dueAt, lane, session.mintSequence(), id, execution, visibleAt, at, EVENT_FORMAT, body];
    if (sql.insertMessage.run(addressee, ...row).changes === 0) continue;
    if (addressee === number) {
      (own ??= []).push(row);
      continue;
    }
    (touched ??= new Set()).add(addressee);
    const child = born?.find((one) => one.lease.number === addressee);
    if (child !== undefined) child.inbox.push(row);
    else {
      const theirs = leases.of(addressee);
      if (theirs !== undefined) session.arrive(theirs, lane, dueAt);
    }
  }

  // ---- who holds it
  if (flags & LEASES && !(flags & DROP_EVERYTHING && !isNew)) {
    if (flags & KEEP) {
      if (lease !== undefined && (lease.owner !== me.owner || lease.epoch !== epoch)) {
        leases.end(lease);
        lease = leases.grant(number, me.owner, epoch, held);
      } else if (lease === undefined) {
        if (!isNew) {
          sql.dropReady.run(number);
          ({ epoch, held } = standing(session, number));
        }
        lease = leases.grant(number, me.owner, epoch, held);
      } else if (lease.held !== held) {
        leases.setHeld(lease, held);
        leases.setDue(lease, 0);
      }
    } else if (lease !== undefined) {
      session.free(lease, own !== undefined);
      lease = undefined;
    } else if (created === undefined) session.placeReady(number);
    else placeNew(session, me.hub, created, own ?? NO_ROWS);
  } else if (lease === undefined && own !== undefined) session.placeReady(number);
  if (lease !== undefined && own !== undefined) for (const [dueAt, lane] of own) session.arrive(lease, lane, dueAt);

  // ---- the answer
  const kept = (flags & LEASES) !== 0 && (flags & KEEP) !== 0 ? lease : undefined;
  const arrives = kept !== undefined && kept.dueAt <= at;
  if (arrives || undelivered !== undefined || born !== undefined) {
    reply.push(DONE_WITH, number);
    if (arrives) {
      if (isNew) {
        reply.push(null);
        session.handOutNew(kept, own ?? NO_ROWS, reply);
      } else {
        reply.push(idOf(session, number));
        session.handOut(kept, reply);
      }
    } else reply.push(null, 0);
    if (undelivered === undefined) reply.push(0);
    else reply.push(undelivered.length, ...undelivered);
    reply.push(born?.length ?? 0);
    for (const { lease: theirs, inbox } of born ?? NONE_BORN) {
      reply.push(...(sql.recordOf.get(theirs.number) as unknown as Column[]), 0);
      session.handOutNew(theirs, inbox, reply);
    }
  } else reply.push(DONE, number);
  if (lease !== undefined && lease.dueAt !== Number.POSITIVE_INFINITY) session.tellDue(lease.dueAt);
  if (touched === undefined) return;
  for (const one of touched) {
    const theirs = leases.of(one);
    if (theirs === undefined) session.placeReady(one);
    else if (theirs.dueAt !== Number.POSITIVE_INFINITY) session.tellDue(theirs.dueAt);
  }
}

function refuse(wrote: boolean, reply: Wire): void {
  if (wrote) throw new RefusedLate();
  reply.push(FENCED);
}

/** Looks ahead at the fences that writes would check, and comes back. */
function checksHold(session: Session, number: number, from: ColumnReader): boolean {
  const { sql, at } = session;
  const start = from.position;
  let hold = true;
  for (let finished = from.number(); finished > 0; finished--) {
    const row = sql.activityEpoch.get(from.number(), from.number(), from.number()) as unknown as [number] | undefined;
    const epoch = from.number();
    if (epoch >= 0 && row?.[0] !== epoch) hold = false;
  }
  for (let consumed = from.number(); consumed > 0; consumed--) {
    const row = sql.dueOf.get(number, from.text()) as unknown as [number] | undefined;
    if (row === undefined || row[0] > at) hold = false;
  }
  from.position = start;
  return hold;
}

function epochOf(session: Session, number: number): number | undefined {
  return session.leases.of(number)?.epoch ?? (session.sql.epochOf.get(number) as unknown as [number] | undefined)?.[0];
}

function standing(session: Session, number: number): { readonly epoch: number; readonly held: boolean } {
  const [epoch, held] = session.sql.standing.get(number) as unknown as [number, number];
  return { epoch, held: held === 1 };
}

function idOf(session: Session, number: number): string {
  return (session.sql.idOf.get(number) as unknown as [string])[0];
}

function take(from: ColumnReader, count: number): Column[] {
  const { position } = from;
  from.position += count;
  return from.columns.slice(position, position + count);
}

/** Inserts an instance; `undefined` when its id is taken. */
function insert(session: Session, me: OwnerOfLeases, from: ColumnReader): Created | undefined {
  const row = take(from, FIXED_COLUMNS.length + HOT_COLUMNS.length + COLD_COLUMNS.length);
  const number = session.mintNumber();
  if (session.sql.insertInstance.run(number, me.hub, ...row).changes === 0) return undefined;
  if ((row[FIXED_COLUMNS.length + HOT_COLUMNS.length] as number) >= FIRST_TERMINAL) session.tellEnded(me.hub, row[0] as string);
  return { number, epoch: row[FIXED_COLUMNS.length] as number, held: row[FIXED_COLUMNS.length + HELD] === 1, row };
}

/** A new instance that nobody holds: its inbox is what the commit wrote, so nobody has to look. */
function placeNew(session: Session, hub: number, { number, held, row }: Created, inbox: readonly MessageRow[]): void {
  const status = row[FIXED_COLUMNS.length + HOT_COLUMNS.length] as number;
  const notBefore = row[FIXED_COLUMNS.length + NOT_BEFORE] as number | null;
  session.place(number, { hub, name: row[NAME] as string, status, held, notBefore }, dueByLane(inbox));
}

function dueByLane(inbox: readonly MessageRow[]): (number | null)[] {
  const due: (number | null)[] = [null, null, null, null];
  for (const [dueAt, lane] of inbox) due[lane] = Math.min(due[lane] ?? dueAt, dueAt);
  return due;
}

function writePayloads(session: Session, number: number, from: ColumnReader): void {
  for (let count = from.number(); count > 0; count--) {
    const slot = from.number();
    const value = from.textOrNone() ?? null;
    if (value === null) session.sql.dropPayload.run(number, slot);
    else setPayload(session, number, slot, value);
  }
}

function setPayload(session: Session, number: number, slot: number, value: string | null): void {
  if (value !== null) session.sql.setPayload.run(number, slot, value);
}

function schedule(session: Session, me: OwnerOfLeases, own: number, from: ColumnReader): void {
  const row = take(from, 15);
  if (row[0] === 0) row[0] = own;
  const claimed = row[14] === 1;
  session.sql.insertActivity.run(...row, claimed ? 1 : 0, claimed ? me.owner : null, me.hub, session.at);
  if (!claimed) session.tellDue(session.at);
}
