// said-once: what the log was told, and is not told again.
//
// Owns:    what was said.
// Is told: names that work is for, what a query had to leave out, when a worker comes.
// Tells:   the log.
// Always:  SO1 nothing is said twice until a worker comes: what was true of those who were here may no longer be.

import type { Commit } from "../engine/commit.ts";
import { notRegistered } from "../engine/action-appliers.ts";
import type { Logger } from "../platform/logger.ts";
import type { ConnectedWorkers } from "./connected-workers.ts";
import type { Counters } from "./counters.ts";

/** What one backend says once. */
export class SaidOnce {
  readonly #log: Logger;
  readonly #counters: Counters;
  readonly #workers: ConnectedWorkers;
  readonly #said = new Set<string>();

  constructor(log: Logger, counters: Counters, workers: ConnectedWorkers) {
    this.#log = log;
    this.#counters = counters;
    this.#workers = workers;
  }

  /** A worker comes. */
  forget(): void {
    this.#said.clear();
  }

  /** A query left them out: nobody should believe that they are not there. */
  leftOut(damaged: readonly string[]): void {
    for (const reason of damaged) {
      this.#counters.add("rowsLeftOut");
      if (this.#said.has(reason)) continue;
      this.#said.add(reason);
      this.#log.error(`${reason} A query left it out. Restore the file from a backup.`);
    }
  }

  /** What a commit asks for that no worker here has. */
  unservedOf(commit: Commit): void {
    for (const row of commit.activities)
      if (!row.claimed && this.#workers.forActivity(row.name) === undefined) this.unserved("activity", row.name);
    for (const message of commit.messages) {
      if (message.creates === undefined) continue;
      const { kind, name } = message.creates.record;
      if (kind === "entity" ? !this.#workers.servesEntity(name) : !this.#workers.serves(name))
        this.unserved(kind === "entity" ? "entity" : "orchestrator", kind === "entity" ? name.slice(1) : name);
    }
  }

  /** There is work for a name that no worker here has. */
  unserved(what: "orchestrator" | "activity" | "entity", name: string): void {
    const key = `${what} ${name}`;
    if (this.#said.has(key) || !this.#workers.areTaking) return;
    this.#said.add(key);
    const served = this.#workers.servedNames();
    const names = { orchestrator: served.orchestrators, activity: served.activities, entity: this.#workers.entityNames() }[what];
    this.#log.warn(`${notRegistered(what, name, names).message} Work for it waits until a worker that has it comes.`);
  }
}
