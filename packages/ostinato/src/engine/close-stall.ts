// close-stall: a turn that wrote nothing, because its program cannot go on with this code, is put aside for a while.
//
// Is told: the held instance, why, and the time.
// Always:  ST1 nothing of the inbox is consumed, no history is written: fitting code finds everything as it was.

import type { ExecutionStarted } from "../contract/events.ts";
import type { Stall } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import { EMPTY_COMMIT, type Commit } from "./commit.ts";
import { makeWay, type HeldInstance } from "./open-turn.ts";

const FIRST_DELAY_MS = 1_000;
/** A stalled replay is tried again at most this late; a new worker tries at once. */
const LONGEST_STALL_MS = 300_000;
/** Work that a worker turned down is offered again sooner. */
const LONGEST_ABANDON_MS = 30_000;

/** The commit that marks an instance as stalled and says when it is tried again. `replacing`: the start of a child's later attempt, which stalled. */
export function closeStall(held: HeldInstance, stall: Pick<Stall, "kind" | "reason">, at: Instant, replacing?: ExecutionStarted): Commit {
  const before = held.record.stall?.kind === stall.kind ? held.record.stall : undefined;
  const attempts = (before?.attempts ?? 0) + 1;
  const longest = stall.kind === "version" ? LONGEST_ABANDON_MS : LONGEST_STALL_MS;
  const delay = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 20), longest);
  // What has ended cannot stall: an attempt that replaces it makes way for itself first, and stalls as the new one.
  const base: Commit =
    replacing === undefined
      ? { ...EMPTY_COMMIT, fences: [{ kind: "instance", number: held.number, epoch: held.epoch }], number: held.number }
      : makeWay(held, replacing, at);
  return {
    ...base,
    record: {
      ...(base.record ?? held.record),
      stall: { ...stall, since: before?.since ?? at, attempts },
      notBefore: at + delay,
      attempts: 0,
      updatedAt: Math.max(at, held.record.updatedAt),
    },
    keep: false,
  };
}
