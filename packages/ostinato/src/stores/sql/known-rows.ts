// known-rows: what of a record its row is known to hold, so that a turn writes only what it changed.
//
// Is told: commits that are sent and answered, claims, and what is given back.
// Always:  a record is known while its instance is kept and no commit of it is under way.

import type { InstanceNumber } from "../../contract/ids.ts";
import type { InstanceRecord } from "../../contract/instance.ts";
import type { Commit, CommitResult } from "../../engine/commit.ts";

/**
 * Records that their rows are known to hold: of instances that a store keeps, no others. While a commit is on its way nobody knows.
 * One entry an instance, changed in place: a map that is changed at every turn leaves garbage that is dear to collect.
 */
export class KnownRows {
  readonly #rows = new Map<InstanceNumber, { record: InstanceRecord | undefined; underWay: number }>();

  recordOf(number: InstanceNumber): InstanceRecord | undefined {
    const row = this.#rows.get(number);
    return row?.underWay === 0 ? row.record : undefined;
  }

  sent(number: InstanceNumber): void {
    const row = this.#rows.get(number);
    if (row === undefined) this.#rows.set(number, { record: undefined, underWay: 1 });
    else row.underWay++;
  }

  arrived(number: InstanceNumber): void {
    const row = this.#rows.get(number);
    if (row === undefined) return;
    row.underWay--;
    if (row.underWay === 0 && row.record === undefined) this.#rows.delete(number);
  }

  learn(number: InstanceNumber, record: InstanceRecord): void {
    const row = this.#rows.get(number);
    if (row === undefined) this.#rows.set(number, { record, underWay: 0 });
    else row.record = record;
  }

  forget(number: InstanceNumber): void {
    const row = this.#rows.get(number);
    if (row === undefined) return;
    if (row.underWay === 0) this.#rows.delete(number);
    else row.record = undefined;
  }

  /** What an answer tells of its commit's row. */
  answered(commit: Commit, result: CommitResult): void {
    if (!result.ok) {
      this.forget(commit.number);
      return;
    }
    if (commit.record !== undefined && commit.keep) this.learn(result.number, commit.record);
    else if (commit.fences[0]?.kind === "instance" && !commit.keep) this.forget(commit.number);
    for (const claim of result.claims) this.learn(claim.number, claim.record);
  }

  clear(): void {
    this.#rows.clear();
  }
}
