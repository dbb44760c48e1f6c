// held-instances: which instances this process has a lease on, and what has come for each.
//
// Owns:    the state of a held instance (idle, working, gone), the budget of kept programs.
// Always:  H1 an instance is in one turn at a time.
//          H2 forgetting a kept program is always safe: the next turn loads its history.
//          H3 kept programs are bounded in bytes and in idle time; the oldest go first.

import type { InstanceId, InstanceNumber } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { InboxMessage } from "../contract/messages.ts";
import type { Commit } from "../engine/commit.ts";
import type { Fold } from "../engine/open-turn.ts";
import type { ConnectedWorker } from "./connected-worker.ts";

/** An instance that this process holds. */
export interface Held {
  record: InstanceRecord;
  readonly number: InstanceNumber;
  readonly epoch: number;
  messages: InboxMessage[];
  folds: Fold[];
  /** `idle`: nothing to do, kept warm. `working`: from the opening of a turn until its commit is answered. `gone`: the lease is lost or given back. */
  state: "idle" | "working" | "gone";
  /** Who runs its program, and keeps it between turns. */
  worker: ConnectedWorker | undefined;
  /** The bytes of its kept program, or of what is known of an entity's state; 0 when none is kept. */
  keptBytes: number;
  /** An entity's state, where it is kept; `undefined` there: it has none. */
  keptState: string | undefined;
  /** An entity's batches under this lease that were done while its worker had no more room. */
  crowded: number;
  /** Its turn counts as a cold one of its worker. */
  cold: boolean;
  /** Turns of which nobody knows whether they were written: the answer was lost. */
  unknown: readonly Commit[] | undefined;
  /** How often in a row a turn of it could not be read or written. */
  failures: number;
  /** The store's last reading for it, and the monotonic time of that. */
  at: Instant;
  readAt: number;
}

const NO_MESSAGES: InboxMessage[] = [];
const NO_FOLDS: Fold[] = [];

/** The held instances of one backend. */
export class HeldInstances {
  readonly #byNumber = new Map<InstanceNumber, Held>();
  readonly #byId = new Map<InstanceId, Held>();
  #keptBytes = 0;

  get keptBytes(): number {
    return this.#keptBytes;
  }

  get(number: InstanceNumber): Held | undefined {
    return this.#byNumber.get(number);
  }

  withId(id: InstanceId): Held | undefined {
    return this.#byId.get(id);
  }

  /** Takes up an instance that has just been leased. */
  add(record: InstanceRecord, epoch: number, messages: readonly InboxMessage[], at: Instant, readAt: number): Held {
    const held: Held = {
      record,
      number: record.number,
      epoch,
      messages: messages.slice(),
      folds: NO_FOLDS,
      state: "idle",
      worker: undefined,
      keptBytes: 0,
      keptState: undefined,
      crowded: 0,
      cold: false,
      failures: 0,
      unknown: undefined,
      at,
      readAt,
    };
    this.#byNumber.set(held.number, held);
    this.#byId.set(record.id, held);
    return held;
  }

  /** Takes what has come for an instance, for the turn that begins. */
  take(held: Held): { readonly messages: InboxMessage[]; readonly folds: Fold[] } {
    const taken = { messages: held.messages, folds: held.folds };
    held.messages = NO_MESSAGES;
    held.folds = NO_FOLDS;
    return taken;
  }

  addMessages(held: Held, messages: readonly InboxMessage[]): void {
    if (messages.length > 0) held.messages = held.messages.length === 0 ? messages.slice() : [...held.messages, ...messages];
  }

  addFold(held: Held, fold: Fold): void {
    if (held.folds.length === 0) held.folds = [fold];
    else held.folds.push(fold);
  }

  /** Notes that a program is kept (or no longer). */
  keep(held: Held, bytes: number): void {
    if (held.state === "gone") return;
    this.#keptBytes += bytes - held.keptBytes;
    held.keptBytes = bytes;
    if (bytes === 0) held.keptState = undefined;
  }

  /** The lease is lost or given back. */
  remove(held: Held): void {
    if (held.state === "gone") return;
    this.#keptBytes -= held.keptBytes;
    held.keptBytes = 0;
    held.keptState = undefined;
    held.state = "gone";
    if (this.#byNumber.get(held.number) === held) this.#byNumber.delete(held.number);
    if (this.#byId.get(held.record.id) === held) this.#byId.delete(held.record.id);
  }

  /** Those that are idle with a kept program, first the one that has been so for longest. */
  idleLongest(): readonly Held[] {
    const idle: Held[] = [];
    for (const held of this.#byNumber.values()) if (held.state === "idle" && held.keptBytes > 0) idle.push(held);
    return idle.sort((a, b) => a.readAt - b.readAt);
  }

  [Symbol.iterator](): IterableIterator<Held> {
    return this.#byNumber.values();
  }

  get size(): number {
    return this.#byNumber.size;
  }
}
