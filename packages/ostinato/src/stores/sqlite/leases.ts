// leases: what the owners of this process hold, and what of it has been handed out.
//
// Owns:    leases on instances. They live in memory alone: one process holds the file, and leases of earlier ones are void.
// Always:  N1 each change has its inverse in the journal, so that a transaction that is rolled back takes it back.
//          N2 a lease stands in its owner's heap exactly when something for it is due, now or later, that was not handed out.

import { DueHeap } from "../due-heap.ts";
import type { Due } from "../due-heap.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import type { Wire } from "./wire.ts";

/** A lease on an instance. */
export interface LeaseOfInstance extends Due {
  readonly number: number;
  readonly owner: number;
  /** The epoch that the instance's row has. */
  epoch: number;
  /** Whether the record says that the instance is held back (suspended, started for later). */
  held: boolean;
  /** Messages that were given to the holder under this lease and are not consumed. */
  readonly handed: Set<string>;
}

/** One owner: a Store object of this process. */
export interface OwnerOfLeases {
  readonly owner: number;
  readonly hub: number;
  readonly due: DueHeap<LeaseOfInstance>;
}

/** The leases of all owners. */
export class Leases {
  readonly #byNumber = new Map<number, LeaseOfInstance>();
  readonly #owners = new Map<number, OwnerOfLeases>();
  #undo: (() => void)[] = [];
  #lastOwner = 0;

  /** A new owner. */
  join(hub: number): OwnerOfLeases {
    const owner = { owner: ++this.#lastOwner, hub, due: new DueHeap<LeaseOfInstance>() };
    this.#owners.set(owner.owner, owner);
    return owner;
  }

  leave(owner: number): void {
    this.#owners.delete(owner);
  }

  ownerOf(owner: number): OwnerOfLeases {
    const found = this.#owners.get(owner);
    if (found === undefined) throw new Error(`Owner ${owner} has left.`);
    return found;
  }

  of(number: number): LeaseOfInstance | undefined {
    return this.#byNumber.get(number);
  }

  all(): LeaseOfInstance[] {
    return [...this.#byNumber.values()];
  }

  /** What happened since is final. */
  settle(): void {
    if (this.#undo.length > 0) this.#undo = [];
  }

  /** What happened since the last `settle` did not happen. */
  rollBack(): void {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) undo();
  }

  /** A new lease. Until `setDue` says otherwise it may have something due. */
  grant(number: number, owner: number, epoch: number, held: boolean): LeaseOfInstance {
    const lease: LeaseOfInstance = { number, owner, epoch, held, handed: new Set(), dueAt: 0, tie: number, place: -1 };
    this.#add(lease);
    this.#undo.push(() => this.#remove(lease));
    return lease;
  }

  end(lease: LeaseOfInstance): void {
    this.#remove(lease);
    this.#undo.push(() => this.#add(lease));
  }

  setHeld(lease: LeaseOfInstance, held: boolean): void {
    if (lease.held === held) return;
    lease.held = held;
    this.#undo.push(() => void (lease.held = !held));
  }

  /** When the first thing that was not handed out is due; Infinity: there is none. */
  setDue(lease: LeaseOfInstance, dueAt: number): void {
    const before = lease.dueAt;
    if (before === dueAt) return;
    this.#move(lease, dueAt);
    this.#undo.push(() => this.#move(lease, before));
  }

  handOut(lease: LeaseOfInstance, id: string): void {
    lease.handed.add(id);
    this.#undo.push(() => lease.handed.delete(id));
  }

  gone(lease: LeaseOfInstance, id: string): void {
    if (lease.handed.delete(id)) this.#undo.push(() => lease.handed.add(id));
  }

  /** Gives up all owners and leases, for the other connection to this file: last owner, owners (owner, hub), leases (number, owner, epoch, held, due, handed). */
  handOver(to: Wire): void {
    to.push(this.#lastOwner, this.#owners.size);
    for (const { owner, hub } of this.#owners.values()) to.push(owner, hub);
    to.push(this.#byNumber.size);
    for (const { number, owner, epoch, held, dueAt, handed } of this.#byNumber.values()) {
      to.push(number, owner, epoch, held ? 1 : 0, dueAt === Number.POSITIVE_INFINITY ? null : dueAt, handed.size);
      for (const id of handed) to.push(id);
    }
    this.#owners.clear();
    this.#byNumber.clear();
  }

  /** Takes what another connection gave up. */
  takeOver(from: ColumnReader): void {
    this.#lastOwner = from.number();
    for (let count = from.number(); count > 0; count--) {
      const owner = from.number();
      this.#owners.set(owner, { owner, hub: from.number(), due: new DueHeap<LeaseOfInstance>() });
    }
    for (let count = from.number(); count > 0; count--) {
      const number = from.number();
      const owner = from.number();
      const epoch = from.number();
      const held = from.number() === 1;
      const dueAt = from.numberOrNone() ?? Number.POSITIVE_INFINITY;
      const handed = new Set<string>();
      for (let ids = from.number(); ids > 0; ids--) handed.add(from.text());
      this.#add({ number, owner, epoch, held, handed, dueAt, tie: number, place: -1 });
    }
  }

  #add(lease: LeaseOfInstance): void {
    this.#byNumber.set(lease.number, lease);
    if (lease.dueAt !== Number.POSITIVE_INFINITY) this.#owners.get(lease.owner)?.due.push(lease);
  }

  #remove(lease: LeaseOfInstance): void {
    this.#byNumber.delete(lease.number);
    if (lease.place >= 0) this.#owners.get(lease.owner)?.due.remove(lease);
  }

  #move(lease: LeaseOfInstance, dueAt: number): void {
    const due = this.#owners.get(lease.owner)?.due;
    if (lease.place >= 0) due?.remove(lease);
    lease.dueAt = dueAt;
    if (dueAt !== Number.POSITIVE_INFINITY) due?.push(lease);
  }
}
