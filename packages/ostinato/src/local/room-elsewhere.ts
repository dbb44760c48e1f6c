// room-elsewhere: what other processes have room for, as they told it not long ago.
//
// Always:  RE1 no more is let go than somebody has room for, and nothing that nobody takes: what is let go is run elsewhere, from its history.
//          RE2 what was told is believed for a short while: whoever still has room says so again.

import type { RoomLeft, WantedNames } from "../engine/store.ts";
import type { Clock } from "../platform/clock.ts";

const BELIEVED_MS = 2_000;
const NONE: RoomLeft = { instances: 0, orchestrators: [], entityCount: 0, entities: [] };

/** What others have room for. */
export class RoomElsewhere {
  readonly #clock: Clock;
  #told = NONE;
  #instances = 0;
  #entities = 0;
  #until = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Somebody has found less than it has room for. */
  heard(room: RoomLeft): void {
    this.#told = room;
    this.#instances = room.instances;
    this.#entities = room.entityCount;
    this.#until = this.#clock.monotonic() + BELIEVED_MS;
  }

  /** Whether anybody has said so lately. */
  get isThere(): boolean {
    return this.#clock.monotonic() < this.#until;
  }

  /** Takes a place for an instance there, by the name of its record; false when there is none. */
  takePlace(kind: "orchestration" | "entity", name: string): boolean {
    if (!this.isThere || !has(kind === "entity" ? this.#told.entities : this.#told.orchestrators, name)) return false;
    if (kind === "entity") return this.#entities-- > 0;
    return this.#instances-- > 0;
  }
}

function has(names: WantedNames, name: string): boolean {
  return "anyBut" in names ? !names.anyBut.includes(name) : names.includes(name);
}
