// lineage: from which start an execution comes.
//
// Owns:    how a line of executions is written: the execution that was started, and how often it continued as new.
// Always:  LI1 a rewind keeps the lineage: idempotency keys stay those of the calls that are tried again.
//          LI2 a continue-as-new changes it: its calls are others, though their numbers begin anew.
//          LI3 whoever started the first execution can be told from every later one.

import type { ExecutionId } from "./ids.ts";

const MARK = "~";

/**
 * The lineage of the execution that continues another one as new.
 *
 * @example nextLineage("5b0c") === "5b0c~2" && nextLineage("5b0c~2") === "5b0c~3"
 */
export function nextLineage(lineage: ExecutionId): ExecutionId {
  const mark = lineage.lastIndexOf(MARK);
  if (mark < 0) return `${lineage}${MARK}2`;
  return `${lineage.slice(0, mark)}${MARK}${Number(lineage.slice(mark + 1)) + 1}`;
}

/**
 * Whether an execution is the one that was started under this id, or comes from it.
 *
 * @example comesFrom("5b0c~3", "5b0c") === true
 */
export function comesFrom(lineage: ExecutionId, started: ExecutionId): boolean {
  return lineage === started || (lineage.startsWith(started) && /^~\d+$/.test(lineage.slice(started.length)));
}
