// retention: whether a finished instance may be removed by itself, and how.
//
// Owns:    what a finished instance is kept for beyond its time.
// Is told: the instance as a list of finished ones has it, what stands of its parent, whether children of it run.
// Tells:   the Commit that removes it, or whom it waits for.
// Always:  T1 a child stays while the execution that called it runs: its parent may still be asked about it, or be rewound.
//          T2 a parent stays while children of it run: a recursive terminate reaches them through it (C3).

import type { InstanceId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord } from "../contract/instance.ts";
import { EMPTY_COMMIT, type Commit } from "./commit.ts";
import type { FinishedInstance } from "./store.ts";

/** Whom a finished instance waits for before it may go. */
export interface KeptBack {
  readonly keptBackBy: InstanceId;
}

/** Decides whether a finished instance whose time is over goes. */
export function decideRetire(
  instance: FinishedInstance,
  parent: InstanceRecord | undefined,
  unfinishedChild: InstanceId | undefined,
): Commit | KeptBack {
  if (unfinishedChild !== undefined) return { keptBackBy: unfinishedChild };
  if (parent !== undefined && parent.executionId === instance.parent?.executionId && !isTerminal(parent.status))
    return { keptBackBy: parent.id };
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: instance.number, epoch: instance.epoch }],
    number: instance.number,
    drop: "everything",
  };
}
