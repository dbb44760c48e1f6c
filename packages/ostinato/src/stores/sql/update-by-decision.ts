// update-by-decision: read, decide, write what was decided fenced by what was read; decide again when somebody was faster.
//
// Always:  a decision holds for what it was decided on, and for nothing else.

import type { InstanceId } from "../../contract/ids.ts";
import type { StoredInstance } from "../../contract/instance.ts";
import type { Instant } from "../../contract/instant.ts";
import type { Commit, CommitResult, Refusal } from "../../engine/commit.ts";
import type { Decision } from "../../engine/store.ts";

/** What a store does of an update. */
export interface UpdateParts {
  readonly read: (id: InstanceId) => Promise<readonly [current: StoredInstance | undefined, at: Instant]>;
  /** `readTurn`: the turn of the record on which it was decided. */
  readonly commit: (commit: Commit, readTurn?: number) => Promise<CommitResult>;
  /** What the store's clock shows at least, where that is known without asking. */
  readonly readingAtLeast: () => Instant | undefined;
}

/** How often a decision is asked again when others are faster. */
const TRIES = 100;

/** One update. A start that expects nobody saves the reading, and leaves it to the fence to tell. */
export async function updateByDecision(
  { read, commit, readingAtLeast }: UpdateParts,
  id: InstanceId,
  decide: Decision,
  expects?: "absent",
): Promise<CommitResult | Refusal> {
  const expectedAt = expects === "absent" ? readingAtLeast() : undefined;
  if (expectedAt !== undefined) {
    const decision = decide(undefined, expectedAt);
    if ("refused" in decision) return decision;
    const result = await commit(fencedByWhatWasRead(decision, undefined));
    if (result.ok || result.why === "failed") return result;
  }
  for (let tries = 1; ; tries++) {
    const [current, at] = await read(id);
    const decision = decide(current, at);
    if ("refused" in decision) return decision;
    const result = await commit(fencedByWhatWasRead(decision, current), current?.record.turn);
    const isLost = result.ok
      ? current !== undefined && decision.messages.some((message) => message.to === id && result.undelivered.includes(message.id))
      : result.why !== "failed";
    if (!isLost || tries === TRIES) return result;
  }
}

/** A decision that changes the record, and names no fence of its own, holds for what it was decided on and nothing else. */
function fencedByWhatWasRead(commit: Commit, current: StoredInstance | undefined): Commit {
  const changes = commit.record !== undefined || commit.drop !== undefined || commit.history !== undefined || commit.payloads !== undefined;
  if (!changes || current === undefined || commit.fences.some((fence) => fence.kind !== "activity")) return commit;
  const { number, epoch } = current.record;
  return { ...commit, fences: [{ kind: "instance", number, epoch }, ...commit.fences] };
}
