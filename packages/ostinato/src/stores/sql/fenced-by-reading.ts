// fenced-by-reading: a decision holds for what it was decided on.

import type { StoredInstance } from "../../contract/instance.ts";
import type { Commit } from "../../engine/commit.ts";

/** A decision that changes the record, and names no fence of its own, holds for what it was decided on and nothing else. */
export function fencedByWhatWasRead(commit: Commit, current: StoredInstance | undefined): Commit {
  const changes = commit.record !== undefined || commit.drop !== undefined || commit.history !== undefined || commit.payloads !== undefined;
  if (!changes || current === undefined || commit.fences.some((fence) => fence.kind !== "activity")) return commit;
  const { number, epoch } = current.record;
  return { ...commit, fences: [{ kind: "instance", number, epoch }, ...commit.fences] };
}
