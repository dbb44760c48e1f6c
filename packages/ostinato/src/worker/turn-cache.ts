// turn-cache: programs kept between their turns, so that a warm turn needs no replay.
//
// Owns:    which programs are kept, and the bytes they count for.
// Always:  C1 forgetting is always safe: the next item is answered with needs-history, and its program is made anew.
//          C2 the kept programs never count for more than the budget; the one longest without a turn goes first.
//          C3 a program that is taken for a turn is out of the cache until it is kept again.

import type { ExecutionId, InstanceId } from "../contract/ids.ts";
import type { Execution } from "../executor/execution.ts";

interface Kept {
  readonly executionId: ExecutionId;
  readonly execution: Execution;
  readonly bytes: number;
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
  // A Map keeps the order of insertion, and a program is inserted after each of its turns: the first is the longest without one.
  const kept = new Map<InstanceId, Kept>();
  let bytes = 0;

  const remove = (instanceId: InstanceId, entry: Kept): void => {
    kept.delete(instanceId);
    bytes -= entry.bytes;
  };
  const forget = (instanceId: InstanceId): void => {
    const entry = kept.get(instanceId);
    if (entry === undefined) return;
    remove(instanceId, entry);
    entry.execution.close();
  };

  const makeRoom = (): void => {
    for (const oldest of kept.keys()) {
      if (bytes <= budgetBytes) break;
      forget(oldest);
    }
  };

  return {
    take(instanceId, executionId) {
      const entry = kept.get(instanceId);
      if (entry === undefined) return undefined;
      remove(instanceId, entry);
      if (entry.executionId === executionId) return entry.execution;
      entry.execution.close();
      return undefined;
    },
    keep(instanceId, executionId, execution) {
      forget(instanceId);
      const size = execution.keptBytes;
      if (size > budgetBytes) {
        execution.close();
        return undefined;
      }
      kept.set(instanceId, { executionId, execution, bytes: size });
      bytes += size;
      if (bytes > budgetBytes) makeRoom();
      return size;
    },
    forget,
    clear() {
      for (const instanceId of [...kept.keys()]) forget(instanceId);
    },
    get size() {
      return kept.size;
    },
    get bytes() {
      return bytes;
    },
  };
}
