// held-activities: which activities this process has claimed, as far as it was told.
//
// Owns:    the epoch of each activity that was handed out and is neither done nor given back.
// Always:  it decides nothing: the epoch in the row does. What is noted here and long gone costs some bytes until somebody compares.

import type { InstanceNumber } from "../../contract/ids.ts";
import type { ActivityKey } from "../../engine/commit.ts";

/** An activity that somebody has claimed. */
export interface ClaimedActivity {
  readonly key: ActivityKey;
  readonly epoch: number;
}

/** The activities of one owner. */
export class HeldActivities {
  readonly #byNumber = new Map<InstanceNumber, Map<string, ClaimedActivity>>();

  add(key: ActivityKey, epoch: number): void {
    const { number, generation, taskId } = key;
    let own = this.#byNumber.get(number);
    if (own === undefined) this.#byNumber.set(number, (own = new Map<string, ClaimedActivity>()));
    own.set(nameOf(key), { key: { number, generation, taskId }, epoch });
  }

  remove(key: ActivityKey): void {
    const own = this.#byNumber.get(key.number);
    if (own?.delete(nameOf(key)) === true && own.size === 0) this.#byNumber.delete(key.number);
  }

  /** Those of an instance, or of one of its executions. */
  removeAll(number: InstanceNumber, generation?: number): void {
    const own = this.#byNumber.get(number);
    if (own === undefined) return;
    for (const [name, { key }] of own) if (generation === undefined || key.generation === generation) own.delete(name);
    if (own.size === 0) this.#byNumber.delete(number);
  }

  has({ key, epoch }: ClaimedActivity): boolean {
    return this.#byNumber.get(key.number)?.get(nameOf(key))?.epoch === epoch;
  }

  /** Forgets all but these and those that were noted meanwhile: `before` is what was noted when the list was asked for. */
  keepOnly(listed: readonly ClaimedActivity[], before: readonly ClaimedActivity[]): void {
    const names = new Set(listed.map(({ key, epoch }) => `${key.number} ${nameOf(key)} ${epoch}`));
    for (const each of before)
      if (!names.has(`${each.key.number} ${nameOf(each.key)} ${each.epoch}`) && this.has(each)) this.remove(each.key);
  }

  get all(): readonly ClaimedActivity[] {
    return [...this.#byNumber.values()].flatMap((own) => [...own.values()]);
  }

  clear(): void {
    this.#byNumber.clear();
  }
}

function nameOf({ generation, taskId }: ActivityKey): string {
  return `${generation}/${taskId}`;
}
