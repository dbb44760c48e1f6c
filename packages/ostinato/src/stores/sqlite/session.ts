// session: what operations work with while a connection is open: its statements, its leases, and what it will tell.
//
// Owns:    numbers and places in the order of arrival, reserved durably in blocks; who is ready; what is handed out.
// Always:  S2 a number is reserved before it is minted, so that none is used twice, not even after a purge and a restart.
//          M2 a row of `ready` stands for each instance that nobody holds and that may be given something, now or later.

import type { DatabaseSync } from "node:sqlite";
import { FIRST_TERMINAL } from "../sql/rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import type { Column } from "../sql/rows.ts";
import type { Leases } from "./leases.ts";
import type { LeaseOfInstance } from "./leases.ts";
import { prepare } from "./statements.ts";
import type { Statements } from "./statements.ts";
import type { Wire } from "./wire.ts";

/** The most messages of one instance that are handed out at once. */
const HAND_OUT_LIMIT = 1_000;
const NUMBER_BLOCK = 1_024;
const SEQUENCE_BLOCK = 65_536;

/** A message as statements read it. */
export type MessageRow = readonly [dueAt: number, lane: number, sequence: number, id: string, ...rest: Column[]];

/** Mints numbers from blocks that are reserved in the database. */
class Mint {
  readonly #key: string;
  readonly #block: number;
  #next: number;
  #reserved: number;

  constructor(key: string, block: number, next: number) {
    this.#key = key;
    this.#block = block;
    this.#next = next;
    this.#reserved = next;
  }

  mint(sql: Statements): number {
    if (this.#next >= this.#reserved) {
      const reserved = this.#next + this.#block;
      sql.setMeta.run(reserved, this.#key);
      this.#reserved = reserved;
    }
    return this.#next++;
  }

  /** What was reserved in a transaction that did not happen is reserved again. */
  forgetReservation(): void {
    this.#reserved = this.#next;
  }

  handOver(to: Wire): void {
    to.push(this.#next, this.#reserved);
  }

  takeOver(from: ColumnReader): void {
    this.#next = from.number();
    this.#reserved = from.number();
  }
}

/** What says when an instance that nobody holds is ready. */
export interface Waiting {
  readonly hub: number;
  readonly name: string;
  readonly status: number;
  readonly held: boolean;
  readonly notBefore: number | null;
}

/** What a group has to tell beside its answers. */
export interface Telling {
  ready: boolean;
  dueAt: number;
  /** Hub and id, in turns. */
  ended: Column[];
}

/** An open connection at work. */
export class Session {
  readonly db: DatabaseSync;
  readonly sql: Statements;
  readonly leases: Leases;
  /** The reading of the group at work. */
  at = 0;
  telling: Telling = { ready: false, dueAt: Number.POSITIVE_INFINITY, ended: [] };
  readonly #numbers: Mint;
  readonly #sequences: Mint;

  constructor(db: DatabaseSync, leases: Leases) {
    this.db = db;
    this.sql = prepare(db);
    this.leases = leases;
    const meta = new Map(
      db
        .prepare("select key, value from meta")
        .all()
        .map((row) => [row["key"], Number(row["value"])]),
    );
    this.#numbers = new Mint("next_number", NUMBER_BLOCK, meta.get("next_number") ?? 1);
    this.#sequences = new Mint("next_sequence", SEQUENCE_BLOCK, meta.get("next_sequence") ?? 1);
  }

  mintNumber(): number {
    return this.#numbers.mint(this.sql);
  }

  mintSequence(): number {
    return this.#sequences.mint(this.sql);
  }

  /** Gives up what it knows beside the file, for the other connection to this file. */
  handOver(to: Wire): void {
    this.#numbers.handOver(to);
    this.#sequences.handOver(to);
    this.leases.handOver(to);
  }

  /** Takes what another session gave up. */
  takeOver(from: ColumnReader): void {
    this.#numbers.takeOver(from);
    this.#sequences.takeOver(from);
    this.leases.takeOver(from);
  }

  /** A new group, or the same once more. */
  start(at: number): void {
    this.at = at;
    this.telling = { ready: false, dueAt: Number.POSITIVE_INFINITY, ended: [] };
  }

  rollBack(): void {
    this.leases.rollBack();
    this.#numbers.forgetReservation();
    this.#sequences.forgetReservation();
    this.start(this.at);
  }

  tellDue(dueAt: number): void {
    if (dueAt <= this.at) this.telling.ready = true;
    else if (dueAt < this.telling.dueAt) this.telling.dueAt = dueAt;
  }

  tellEnded(hub: number, id: string): void {
    this.telling.ended.push(hub, id);
  }

  /** Rows of `ready` for an instance that nobody holds. */
  placeReady(number: number, hadNone = false): void {
    const { sql } = this;
    if (!hadNone) sql.dropReady.run(number);
    const found = sql.readiness.get(number) as unknown as readonly Column[] | undefined;
    if (found === undefined) return;
    const [hub, name, status, held, notBefore, ...lanes] = found as [number, string, number, number, number | null, ...(number | null)[]];
    this.place(number, { hub, name, status, held: held === 1, notBefore }, lanes);
  }

  /** The same for one that had no row and whose inbox is known: when the first message of each lane is due. */
  place(number: number, { hub, name, status, held, notBefore }: Waiting, lanes: readonly (number | null)[]): void {
    const open = held ? lanes.slice(0, 2) : lanes;
    const dueAt = earliest(open);
    if (dueAt === Number.POSITIVE_INFINITY) return;
    const terminal = status >= FIRST_TERMINAL;
    const engineAt = terminal ? dueAt : earliest([open[0], open[2]]);
    if (engineAt !== Number.POSITIVE_INFINITY) this.#insertReady(number, "", hub, engineAt);
    if (!terminal) this.#insertReady(number, name, hub, Math.max(dueAt, notBefore ?? 0));
  }

  #insertReady(number: number, name: string, hub: number, at: number): void {
    this.sql.insertReady.run(number, name, hub, at);
    this.tellDue(at);
  }

  /** Ends a lease; what it had not consumed may be given to the next holder. */
  free(lease: LeaseOfInstance, somethingNew = false): void {
    this.leases.end(lease);
    // Unless it is held back, a lease knows of everything in the inbox: when that is nothing, there is nothing to look for.
    if (somethingNew || lease.held || lease.dueAt !== Number.POSITIVE_INFINITY || lease.handed.size > 0)
      this.placeReady(lease.number, true);
  }

  /** Something has come for an instance that is leased. */
  arrive(lease: LeaseOfInstance, lane: number, dueAt: number): void {
    if (lane >= 2 && lease.held) return;
    if (dueAt < lease.dueAt) this.leases.setDue(lease, dueAt);
  }

  /**
   * Hands out what is due and was not handed out: appends count and messages. When there are too many, those that the engine answers come first.
   */
  handOut(lease: LeaseOfInstance, to: Wire): number {
    let next = Number.POSITIVE_INFINITY;
    const rows: MessageRow[] = [];
    for (const lanes of lease.held ? HELD_LANES : LANES) {
      const found: MessageRow[] = [];
      for (const lane of lanes) next = Math.min(next, this.#dueInLane(lease, lane, HAND_OUT_LIMIT - rows.length, found));
      if (lanes.length > 1) found.sort(byDelivery);
      if (found.length > HAND_OUT_LIMIT - rows.length) next = this.at;
      rows.push(...found.slice(0, HAND_OUT_LIMIT - rows.length));
    }
    rows.sort(byDelivery);
    this.#give(lease, rows, next, to);
    return rows.length;
  }

  /** The same for an instance that this very commit has made: its inbox is what the commit wrote, so nobody has to look. */
  handOutNew(lease: LeaseOfInstance, inbox: readonly MessageRow[], to: Wire): void {
    if (inbox.length > HAND_OUT_LIMIT) return void this.handOut(lease, to);
    let next = Number.POSITIVE_INFINITY;
    const rows: MessageRow[] = [];
    for (const row of inbox) {
      if (row[1] >= 2 && lease.held) continue;
      if (row[0] <= this.at) rows.push(row);
      else if (row[0] < next) next = row[0];
    }
    if (rows.length > 1) rows.sort(byDelivery);
    this.#give(lease, rows, next, to);
  }

  #give(lease: LeaseOfInstance, rows: readonly MessageRow[], next: number, to: Wire): void {
    to.push(rows.length);
    for (const row of rows) {
      for (let column = 1; column < row.length; column++) to.push(row[column] as Column);
      this.leases.handOut(lease, row[3]);
    }
    this.leases.setDue(lease, next);
  }

  /** Adds up to `room` due messages of a lane; answers when the next one is due. */
  #dueInLane(lease: LeaseOfInstance, lane: number, room: number, found: MessageRow[]): number {
    let taken = 0;
    for (const row of this.sql.inLane.iterate(lease.number, lane) as unknown as Iterable<MessageRow>) {
      if (lease.handed.size > 0 && lease.handed.has(row[3])) continue;
      if (row[0] > this.at || taken === room) return row[0];
      found.push(row);
      taken++;
    }
    return Number.POSITIVE_INFINITY;
  }
}

const LANES: readonly (readonly number[])[] = [
  [0, 2],
  [1, 3],
];
const HELD_LANES: readonly (readonly number[])[] = [[0], [1]];

function earliest(times: readonly (number | null | undefined)[]): number {
  let least = Number.POSITIVE_INFINITY;
  for (const time of times) if (time !== null && time !== undefined && time < least) least = time;
  return least;
}

function byDelivery(a: MessageRow, b: MessageRow): number {
  return a[0] - b[0] || a[2] - b[2];
}
