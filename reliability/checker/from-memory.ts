// from-memory: a dump of a memory store.
import type { MemoryHub } from "../../packages/ostinato/src/stores/memory/memory-store.ts";
import type { Dump, DumpedActivity, DumpedMessage, Standing } from "./stored.ts";

/** An instance as it lies in a memory store. */
export type MemoryInstance = ReturnType<MemoryHub["contents"]>["instances"] extends Iterable<infer T> ? T : never;

/** An instance of a memory store with all that hangs on it. Lists are copied, so that it stays as it stands now. */
export function standingOf({ record, payloads, events, inbox, activities }: MemoryInstance): Standing {
  const { number } = record;
  const messages: DumpedMessage[] = [];
  for (const { message } of inbox.values()) messages.push(message);
  const rows: DumpedActivity[] = [];
  for (const { row, epoch, delivery, owner, dueAt } of activities.values()) {
    const { generation, taskId, executionId, name } = row;
    rows.push({ number, generation, taskId, executionId, name, epoch, delivery, owned: owner !== undefined, visibleAt: dueAt });
  }
  return { instance: { record, payloads, history: events.slice() }, messages, activities: rows };
}

/** Everything that a hub in memory holds. */
export function dumpOfMemory(hub: MemoryHub): Dump {
  const { at, instances, places } = hub.contents();
  const all = [...instances].map(standingOf);
  return {
    at,
    instances: all.map((each) => each.instance),
    messages: all.flatMap((each) => each.messages),
    activities: all.flatMap((each) => each.activities),
    others: { ...places },
  };
}
