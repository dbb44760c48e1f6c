// stored: what a store holds, as plain values: the checker's view of the rows.
//
// Owns:    the form of a dump. Who makes one copies rows and decides nothing.
// Always:  words of the contract alone; nothing of the engine, the executor or a store is imported here.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { InstancePayloads, InstanceRecord } from "../../packages/ostinato/src/contract/instance.ts";

/** An instance with its payloads and the history of its current execution. */
export interface DumpedInstance {
  readonly record: InstanceRecord;
  readonly payloads: InstancePayloads;
  readonly history: readonly HistoryEvent[];
  /** Where a history lies in rows of several events: which turn each is of, and which events it has. */
  readonly rows?: readonly { readonly turn: number; readonly first: number; readonly count: number }[];
}

/** A message in an inbox. */
export interface DumpedMessage {
  readonly number: number;
  readonly id: string;
  readonly execution?: string;
  readonly wakes: "always" | "unless-held";
  readonly visibleAt?: number;
  readonly arrivedAt: number;
  readonly sequence: number;
  readonly event: HistoryEvent;
}

/** An activity that has not come to its end. */
export interface DumpedActivity {
  readonly number: number;
  readonly generation: number;
  readonly taskId: number;
  readonly executionId: string;
  readonly name: string;
  readonly epoch: number;
  readonly delivery: number;
  /** Somebody has claimed it. */
  readonly owned: boolean;
  readonly visibleAt: number;
}

/** All that a store holds. */
export interface Dump {
  /** The store's clock. */
  readonly at: number;
  readonly instances: readonly DumpedInstance[];
  readonly messages: readonly DumpedMessage[];
  readonly activities: readonly DumpedActivity[];
  /** Rows of every other kind that belongs to instances, by what they are called: none may be left when nothing is. */
  readonly others: Readonly<Record<string, number>>;
}

/** One instance with all that hangs on it. */
export interface Standing {
  readonly instance: DumpedInstance;
  readonly messages: readonly DumpedMessage[];
  readonly activities: readonly DumpedActivity[];
}

/** The instances of a dump, each with its own. */
export function standings(dump: Dump): Standing[] {
  const byNumber = new Map(
    dump.instances.map((instance) => [
      instance.record.number,
      { instance, messages: [] as DumpedMessage[], activities: [] as DumpedActivity[] },
    ]),
  );
  for (const message of dump.messages) byNumber.get(message.number)?.messages.push(message);
  for (const activity of dump.activities) byNumber.get(activity.number)?.activities.push(activity);
  return [...byNumber.values()];
}
