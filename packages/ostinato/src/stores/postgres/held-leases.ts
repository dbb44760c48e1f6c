// held-leases: what this process holds, as far as it was told.
//
// Owns:    of each instance it holds: which messages it was handed and has not consumed, and when the next one is due.
// Is told: what claims and commits answered.
// Always:  it decides nothing: the epoch in the row does. Forgetting a lease costs a look at the database, no more.
//          Answers come in any order. One that was asked for before another one came may say that something is due sooner, never that nothing is:
//          a look too many finds nothing, a look too few lets a message lie.

import type { InstanceNumber } from "../../contract/ids.ts";
import type { InboxMessage } from "../../contract/messages.ts";
import { DueHeap } from "../due-heap.ts";

/** An instance that this process holds. */
export interface HeldLease {
  readonly number: InstanceNumber;
  epoch: number;
  /** The messages that were handed out and not consumed: their sequences by their ids. */
  readonly handed: Map<string, number>;
  /** Those that were consumed while a claim was on its way, whose answer may have them still. */
  readonly late: Set<string>;
  dueAt: number;
  /** The place of the answer that spoke of it last among all answers. */
  heardAt: number;
  readonly tie: number;
  place: number;
}

/** The instances that one owner holds. */
export class HeldLeases {
  readonly #byNumber = new Map<InstanceNumber, HeldLease>();
  readonly #due = new DueHeap<HeldLease>();
  readonly #late = new Set<HeldLease>();
  /** Those of which a claim had news before the commit that took the lease was answered. */
  readonly #early = new Set<InstanceNumber>();
  /** An answer that may have had news of any of them was lost. */
  #anyEarly = false;
  #claims = 0;
  #answers = 0;

  of(number: InstanceNumber): HeldLease | undefined {
    return this.#byNumber.get(number);
  }

  /** A lease that is new, or has another epoch. */
  grant(number: InstanceNumber, epoch: number): HeldLease {
    this.end(number);
    const lease: HeldLease = {
      number,
      epoch,
      handed: new Map(),
      late: new Set(),
      dueAt: Number.POSITIVE_INFINITY,
      heardAt: 0,
      tie: number,
      place: -1,
    };
    this.#byNumber.set(number, lease);
    if (this.#early.delete(number) || this.#anyEarly) this.lookAgain(lease);
    return lease;
  }

  end(number: InstanceNumber): void {
    const lease = this.#byNumber.get(number);
    if (lease === undefined) return;
    this.#byNumber.delete(number);
    if (lease.place >= 0) this.#due.remove(lease);
  }

  /** Notes what was handed out; answers what of it was not known to be. */
  handOut(lease: HeldLease, messages: readonly InboxMessage[]): InboxMessage[] {
    const fresh = messages.filter(({ id }) => !lease.handed.has(id) && !lease.late.has(id));
    for (const { id, sequence } of fresh) lease.handed.set(id, sequence);
    return fresh;
  }

  /** Messages that are gone: consumed by a turn, or taken back. */
  gone(lease: HeldLease, ids: readonly string[]): void {
    for (const id of ids) {
      if (lease.handed.delete(id) && this.#claims > 0) {
        lease.late.add(id);
        this.#late.add(lease);
      }
    }
  }

  /** A claim sets out. Its answer says how things stood somewhere between now and its arrival; call what is returned when it has been read. */
  claimBegins(): () => void {
    this.#claims++;
    return () => {
      if (--this.#claims > 0) return;
      for (const lease of this.#late) lease.late.clear();
      this.#late.clear();
    };
  }

  /** How many answers have been heard: what is asked for now knows of all that was done before them. */
  mark(): number {
    return this.#answers;
  }

  /** When the next message is due, as an answer tells that was asked for at a mark. */
  setDue(lease: HeldLease, dueAt: number, askedAt: number): void {
    this.#noteDue(lease, lease.heardAt > askedAt ? Math.min(dueAt, lease.dueAt) : dueAt);
  }

  /** There may be something for it: whoever claims next looks at all of its inbox. */
  lookAgain(lease: HeldLease): void {
    this.#noteDue(lease, 0);
  }

  /** An answer was lost that may have had messages of any of them. */
  lookAgainAtAll(): void {
    this.#anyEarly = true;
    for (const lease of this.#byNumber.values()) this.lookAgain(lease);
  }

  /** News of an instance that is not held as far as is known: the commit that takes it may be on its way. */
  heardEarly(number: InstanceNumber): void {
    this.#early.add(number);
  }

  /** No commit is on its way: whatever was taken is known. */
  nothingIsEarly(): void {
    this.#early.clear();
    this.#anyEarly = false;
  }

  #noteDue(lease: HeldLease, dueAt: number): void {
    lease.heardAt = ++this.#answers;
    if (lease.dueAt === dueAt || this.#byNumber.get(lease.number) !== lease) return;
    if (lease.place >= 0) this.#due.remove(lease);
    lease.dueAt = dueAt;
    if (dueAt !== Number.POSITIVE_INFINITY) this.#due.push(lease);
  }

  /** When one of them has something due. */
  dueAt(number: InstanceNumber): number {
    return this.#byNumber.get(number)?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** When the first of them has something due. */
  nextDueAt(): number {
    return this.#due.first()?.dueAt ?? Number.POSITIVE_INFINITY;
  }

  /** Those that have something due by then. */
  dueBy(at: number): HeldLease[] {
    const found: HeldLease[] = [];
    for (let lease = this.#due.first(); lease !== undefined && lease.dueAt <= at; lease = this.#due.first()) {
      this.#due.remove(lease);
      found.push(lease);
    }
    for (const lease of found) this.#due.push(lease);
    return found;
  }

  /** Everything that was held may be somebody else's. */
  clear(): void {
    for (const number of [...this.#byNumber.keys()]) this.end(number);
  }
}
