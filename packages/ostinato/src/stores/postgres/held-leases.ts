// held-leases: what this process holds, as far as it was told.
//
// Owns:    of each instance it holds: which messages it was handed and has not consumed, and when the next one is due.
// Is told: what claims and commits answered.
// Always:  it decides nothing: the epoch in the row does. Forgetting a lease costs a look at the database, no more.

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
  readonly tie: number;
  place: number;
}

/** The instances that one owner holds. */
export class HeldLeases {
  readonly #byNumber = new Map<InstanceNumber, HeldLease>();
  readonly #due = new DueHeap<HeldLease>();
  readonly #late = new Set<HeldLease>();
  #claims = 0;

  of(number: InstanceNumber): HeldLease | undefined {
    return this.#byNumber.get(number);
  }

  /** A lease that is new, or has another epoch. */
  grant(number: InstanceNumber, epoch: number): HeldLease {
    this.end(number);
    const lease: HeldLease = { number, epoch, handed: new Map(), late: new Set(), dueAt: Number.POSITIVE_INFINITY, tie: number, place: -1 };
    this.#byNumber.set(number, lease);
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

  setDue(lease: HeldLease, dueAt: number): void {
    if (lease.dueAt === dueAt || this.#byNumber.get(lease.number) !== lease) return;
    if (lease.place >= 0) this.#due.remove(lease);
    lease.dueAt = dueAt;
    if (dueAt !== Number.POSITIVE_INFINITY) this.#due.push(lease);
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
