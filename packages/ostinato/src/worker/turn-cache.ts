// turn-cache: programs kept between their turns, so that a warm turn needs no replay.
//
// Owns:    which programs are kept, and the bytes they count for.
// Always:  C1 forgetting is always safe: the next item is answered with needs-history, and its program is made anew.
//          C2 the kept programs never count for more than the budget; the one longest without a turn goes first.
//          C3 a program that is taken for a turn is out of the cache until it is kept again.

import type { ExecutionId, InstanceId } from "../contract/ids.ts";
import type { Execution } from "../executor/execution.ts";

interface Kept {
  executionId: ExecutionId;
  /** Absent while it is out for a turn. */
  execution: Execution | undefined;
  bytes: number;
  /** When it was kept last, in the order of keeping. */
  order: number;
}

/** The programs that one worker keeps. */
export interface TurnCache {
  /** The kept program of this execution, for a turn; a program of another execution of the instance is forgotten. */
  take(instanceId: InstanceId, executionId: ExecutionId): Execution | undefined;
  /** Keeps a program; the bytes that it counts for, or `undefined` (and it is closed) when there is no room. */
  keep(instanceId: InstanceId, executionId: ExecutionId, execution: Execution): number | undefined;
  forget(instanceId: InstanceId): void;
  clear(): void;
  readonly size: number;
  readonly bytes: number;
}

/** Makes a cache with a budget in bytes; 0 keeps nothing. */
export function createTurnCache(budgetBytes: number): TurnCache {
  // An entry stays in its place while its program is out for a turn: a map that is changed at every turn leaves garbage that is dear to collect.
  const kept = new Map<InstanceId, Kept>();
  let bytes = 0;
  let held = 0;
  let order = 0;

  /** The program of an entry, which is no longer counted. */
  const takeOut = (entry: Kept): Execution | undefined => {
    const { execution } = entry;
    if (execution === undefined) return undefined;
    entry.execution = undefined;
    bytes -= entry.bytes;
    held -= 1;
    return execution;
  };
  const forget = (instanceId: InstanceId): void => {
    const entry = kept.get(instanceId);
    if (entry === undefined) return;
    kept.delete(instanceId);
    takeOut(entry)?.close();
  };
  const makeRoom = (): void => {
    const oldest = [...kept].filter(([, entry]) => entry.execution !== undefined).sort(([, a], [, b]) => a.order - b.order);
    for (const [instanceId] of oldest) {
      if (bytes <= budgetBytes) return;
      forget(instanceId);
    }
  };

  return {
    take(instanceId, executionId) {
      const entry = kept.get(instanceId);
      if (entry === undefined) return undefined;
      const execution = takeOut(entry);
      if (entry.executionId === executionId) return execution;
      execution?.close();
      return undefined;
    },
    keep(instanceId, executionId, execution) {
      const size = execution.keptBytes;
      if (size > budgetBytes) {
        forget(instanceId);
        execution.close();
        return undefined;
      }
      const entry = kept.get(instanceId);
      if (entry === undefined) kept.set(instanceId, { executionId, execution, bytes: size, order: order++ });
      else {
        takeOut(entry)?.close();
        entry.executionId = executionId;
        entry.execution = execution;
        entry.bytes = size;
        entry.order = order++;
      }
      bytes += size;
      held += 1;
      if (bytes > budgetBytes) makeRoom();
      return size;
    },
    forget,
    clear() {
      for (const instanceId of [...kept.keys()]) forget(instanceId);
    },
    get size() {
      return held;
    },
    get bytes() {
      return bytes;
    },
  };
}
