// checked-writes: writing to the store, where nothing that breaks a rule of the engine gets by.
//
// Owns:    what it means that a rule would be broken, and that a store gives no answer.
// Is told: commits and decisions, by whoever has made them.
// Tells:   the store; whoever asked, whether it is written.
// Always:  B6 nothing that breaks a rule of engine/invariants.ts is written: its instance is set aside with the rule as the reason.

import { InvalidStateError, StoreUnavailableError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import type { Commit, CommitResult, Refusal } from "../engine/commit.ts";
import { checkCommit } from "../engine/invariants.ts";
import type { Decision, Store } from "../engine/store.ts";
import type { Logger } from "../platform/logger.ts";
import type { Written } from "./client-operations.ts";
import type { Counters } from "./counters.ts";
import type { UnderWay } from "./under-way.ts";

/** What became of a commit that is not written. */
export type NotWritten = Extract<CommitResult, { ok: false }>;

/** The failure of a commit that broke an invariant. No other has this name. */
export const BROKEN = "BrokenInvariant";
export const NO_ANSWER = notWritten("StoreError", "The store gave no answer to a commit.");

/** What one backend writes. */
export class CheckedWrites {
  readonly #store: Store;
  readonly #underWay: UnderWay;
  readonly #counters: Counters;
  readonly #log: Logger;

  constructor(store: Store, underWay: UnderWay, counters: Counters, log: Logger) {
    this.#store = store;
    this.#underWay = underWay;
    this.#counters = counters;
    this.#log = log;
  }

  /** Writes what is decided, for a caller who waits. Throws when it cannot be written. */
  async update(id: InstanceId, decide: Decision, expects?: "absent"): Promise<Written | Refusal> {
    this.#underWay.refuseWhenClosed();
    let broken: string | undefined;
    const checked: Decision = (current, at) => {
      const decided = decide(current, at);
      broken = "refused" in decided ? undefined : checkCommit(decided);
      return broken === undefined ? decided : { refused: "no-change", message: broken };
    };
    const answer = await this.#store.update(id, checked, expects);
    if (broken !== undefined) {
      this.countBroken(id, broken);
      throw new Error(`A rule of the engine would have been broken, so nothing was written: ${broken} Please report this.`);
    }
    if ("refused" in answer || answer.ok) return answer;
    this.#counters.add("callsRefused");
    if (answer.why === "fenced") {
      throw new InvalidStateError(
        `The instance '${id}' cannot be changed now: the start of its next attempt, which its parent waits for, lies in its inbox and comes first, or it changes all the time. Nothing of this call was accepted; try again when it has run.`,
      );
    }
    throw new StoreUnavailableError(
      `The store could not write: ${answer.failure?.message ?? answer.why}. Nothing of this call was accepted; try again.`,
    );
  }

  /** Commits that are about no held instance, in one transaction. */
  async writeAll(batch: readonly Commit[]): Promise<readonly CommitResult[]> {
    this.#underWay.refuseWhenClosed();
    const broken = batch.map(checkCommit).find((rule) => rule !== undefined);
    if (broken !== undefined)
      throw new Error(`A rule of the engine would have been broken, so nothing was written: ${broken} Please report this.`);
    return this.#store.commit(batch);
  }

  /** A store that throws instead of answering has answered nothing: the commit counts as not written, and is tried again. */
  async write(commit: Commit): Promise<CommitResult> {
    const broken = checkCommit(commit);
    if (broken !== undefined) return notWritten(BROKEN, broken);
    try {
      return (await this.#store.commit([commit]))[0] ?? NO_ANSWER;
    } catch (error) {
      return notWritten((error as Error).name, (error as Error).message);
    }
  }

  /** For who has to know whether the store threw: then it throws too. */
  async writeOrThrow(commit: Commit): Promise<CommitResult> {
    const broken = checkCommit(commit);
    return broken === undefined ? ((await this.#store.commit([commit]))[0] ?? NO_ANSWER) : notWritten(BROKEN, broken);
  }

  countBroken(instanceId: InstanceId, rule: string): void {
    this.#counters.add("invariantsBroken");
    this.#log.error(`a rule of the engine is broken: ${rule}`, { instanceId });
  }
}

export function notWritten(errorType: string, message: string): NotWritten {
  return { ok: false, why: "failed", failure: { errorType, message } };
}
