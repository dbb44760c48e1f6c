// answered: what has come for a finished instance, and would go with it.
//
// Owns:    how long it is waited for: a terminate that it is to pass on to children that run (C3), the start of another attempt by its parent (S1; the store
//          itself refuses to drop an instance while such a start lies there).
// Always:  AN1 an end to the waiting: a terminate that nobody answers keeps nobody from removing it.
//          AN2 it is counted in looks and not in time: the looks of a store that is busy take as long as its other work.

import { isTerminal, type InstanceRecord } from "../contract/instance.ts";
import type { Store } from "../engine/store.ts";
import { createStandstill } from "../platform/standstill.ts";

const LOOKS = 50;

/** The finished instances as they stand when what had come for them is answered; those that have gone or go on are left out. */
export async function answered(store: Store, records: readonly InstanceRecord[]): Promise<readonly InstanceRecord[]> {
  let waiting = await unanswered(store, records);
  if (waiting.length === 0) return records;
  const late = new Set(waiting);
  const { settle } = createStandstill();
  for (let look = 1; waiting.length > 0 && look < LOOKS; look++) {
    await settle();
    waiting = await unanswered(store, waiting);
  }
  // Whoever answered has raised their epochs.
  const now = await Promise.all(records.map(async (record) => (late.has(record) ? (await store.read(record.id))?.record : record)));
  return now.filter((record) => record !== undefined).filter((record) => isTerminal(record.status));
}

async function unanswered(store: Store, records: readonly InstanceRecord[]): Promise<readonly InstanceRecord[]> {
  const due = await Promise.all(records.map(async ({ id }) => ((await store.outstanding(id))?.dueMessages ?? 0) > 0));
  return records.filter((_, at) => due[at]);
}
