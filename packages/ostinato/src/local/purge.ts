// purge: removes many finished instances, in bounded batches.
//
// Owns:    which instances go with which, and in which order: descendants before those they are found by.
// Is told: a filter or ids; when the time is over.
// Tells:   the store, batches of purges; each instance goes whole, under its own fence (C5).
// Always:  PU1 what runs is left alone, with all below it; so is what was started again between the looking and the removing (C8).
//          PU2 it can be cut off anywhere: what has gone has gone whole, what is left is found again by the same request.
//          PU3 what has come for an instance is answered before it goes.

import type { PurgeManyRequest, PurgeResult } from "../contract/backend.ts";
import { StoreUnavailableError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord, type TerminalStatus } from "../contract/instance.ts";
import type { InstanceFilter } from "../contract/queries.ts";
import { given } from "../contract/recorded-as.ts";
import type { Commit, CommitResult } from "../engine/commit.ts";
import { decidePurge } from "../engine/control.ts";
import { answered } from "./answered.ts";
import type { Store } from "../engine/store.ts";

/** What purging works with. */
export interface PurgeWorld {
  readonly store: Store;
  /** Writes commits in one transaction, each whole or not at all. */
  writeAll(batch: readonly Commit[]): Promise<readonly CommitResult[]>;
  /** These are gone. */
  gone(id: InstanceId): void;
  /** Milliseconds on a clock that only rises. */
  monotonic(): number;
}

/** The most instances that go in one transaction, and that are looked at in one go. */
const BATCH = 500;
const TERMINAL: readonly TerminalStatus[] = ["COMPLETED", "FAILED", "TERMINATED"];

/** Removes what a request names. */
export async function purgeMany(world: PurgeWorld, { target, recursive, timeoutMs }: PurgeManyRequest): Promise<PurgeResult> {
  const endsAt = timeoutMs === undefined ? Number.POSITIVE_INFINITY : world.monotonic() + timeoutMs;
  const found = "ids" in target ? finishedOf(world.store, target.ids) : matching(world.store, target.filter);
  let deletedCount = 0;
  let batch: InstanceRecord[] = [];
  const remove = async (): Promise<void> => {
    deletedCount += await removeAll(world, batch);
    batch = [];
  };
  for await (const record of recursive ? withDescendants(world.store, found) : found) {
    if (world.monotonic() >= endsAt) {
      await remove();
      return { deletedCount, isComplete: false };
    }
    batch.push(record);
    if (batch.length === BATCH) await remove();
  }
  await remove();
  return { deletedCount, isComplete: true };
}

/** Removes the finished descendants of an instance: how many they were. */
export async function purgeDescendants(world: PurgeWorld, parent: InstanceId): Promise<number> {
  return (await purgeMany(world, { target: { filter: { parent } }, recursive: true })).deletedCount;
}

async function* matching(store: Store, filter: InstanceFilter): AsyncGenerator<InstanceRecord> {
  const status = filter.status?.filter(isTerminal) ?? TERMINAL;
  if (status.length === 0) return;
  let cursor: string | undefined;
  do {
    const page = await store.query({ ...filter, status }, { size: BATCH, ...given({ cursor }) });
    for (const { record } of page.items) yield record;
    cursor = page.next;
  } while (cursor !== undefined);
}

async function* finishedOf(store: Store, ids: readonly InstanceId[]): AsyncGenerator<InstanceRecord> {
  for (let from = 0; from < ids.length; from += BATCH) {
    for (const stored of await store.readAll(ids.slice(from, from + BATCH)))
      if (stored !== undefined && isTerminal(stored.record.status)) yield stored.record;
  }
}

/** Each of them after everything below it. */
async function* withDescendants(store: Store, found: AsyncGenerator<InstanceRecord>): AsyncGenerator<InstanceRecord> {
  for await (const record of found) {
    yield* withDescendants(store, matching(store, { parent: record.id }));
    yield record;
  }
}

async function removeAll(world: PurgeWorld, found: readonly InstanceRecord[]): Promise<number> {
  const records = await answered(world.store, found);
  // One that is below two that go, or named twice, goes once.
  const once = new Map<number, Commit>();
  for (const record of records) {
    const decided = decidePurge({ record, payloads: {} });
    if (!("refused" in decided)) once.set(record.number, decided);
  }
  if (once.size === 0) return 0;
  const results = await world.writeAll([...once.values()]);
  const ids = new Map(records.map((record) => [record.number, record.id]));
  let removed = 0;
  [...once.keys()].forEach((number, index) => {
    const result = results[index];
    if (result?.ok === true) {
      removed++;
      world.gone(ids.get(number) ?? "");
    } else if (result?.why === "failed") {
      throw new StoreUnavailableError(
        `The store could not remove an instance: ${result.failure?.message ?? "it gave no reason"}. What was removed before has gone; ask again for the rest.`,
      );
    }
  });
  return removed;
}
