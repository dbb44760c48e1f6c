// witness: sees everything that is written into the store, and keeps the journal.
//
// Owns:    the journal; how each instance stood after each write. It stands at the store, where no fault reaches it.
import { standingOf } from "../checker/from-memory.ts";
import type { Entry, Sight, Witness as Who } from "../checker/journal.ts";
import type { MemoryHub } from "../../packages/ostinato/src/stores/memory/memory-store.ts";

interface Known {
  readonly id: string;
  record: unknown;
  events: unknown;
  historyLength: number;
  inboxSize: number;
  activities: number;
  pass: number;
}

/** Keeps the journal of a world. */
export class Witness {
  readonly journal: Entry[] = [];
  readonly #hub: MemoryHub;
  readonly #known = new Map<number, Known>();
  #pass = 0;

  constructor(hub: MemoryHub) {
    this.#hub = hub;
  }

  /** Writes an entry. */
  see(by: Who, sight: Sight): void {
    this.journal.push({ at: this.#hub.contents().at, by, ...sight });
  }

  /** How the instance at an address stands. */
  statusOf(number: number): string | undefined {
    for (const { record } of this.#hub.contents().instances) if (record.number === number) return record.status;
    return undefined;
  }

  /** Looks at the store after a write: whatever stands differently now is noted. `touched`: addresses whose rows may differ unseen. */
  look(by: Who, touched: ReadonlySet<number> = NONE): void {
    const { at, instances } = this.#hub.contents();
    const pass = ++this.#pass;
    for (const instance of instances) {
      const { record, events, inbox, activities } = instance;
      const known = this.#known.get(record.number);
      if (known !== undefined) known.pass = pass;
      if (
        known?.record === record &&
        known.events === events &&
        known.historyLength === events.length &&
        known.inboxSize === inbox.size &&
        known.activities === activities.size &&
        !touched.has(record.number)
      )
        continue;
      this.#known.set(record.number, {
        id: record.id,
        record,
        events,
        historyLength: events.length,
        inboxSize: inbox.size,
        activities: activities.size,
        pass,
      });
      this.journal.push({ at, by, kind: "stands", number: record.number, id: record.id, storeAt: at, standing: standingOf(instance) });
    }
    for (const [number, known] of this.#known) {
      if (known.pass === pass) continue;
      this.#known.delete(number);
      this.journal.push({ at, by, kind: "stands", number, id: known.id, storeAt: at });
    }
  }
}

const NONE: ReadonlySet<number> = new Set();
