// commit-line: commits on their way, in groups.
//
// Owns:    the queue of commits. While a group is on its way what comes is the next one; when much waits, a second one sets out beside it.
// Is told: commits, with what is known beside them.
// Tells:   what became of each.
// Always:  commits whose order matters are written in the order in which they came.
//          D6 a group that the database refuses is sent commit by commit, so that only the bad one fails.
//          I4 what was sent and not answered is unknown, and said so.

import type { Failure } from "../../contract/failure.ts";
import type { Commit } from "../../engine/commit.ts";
import { groupAnswerOf } from "./answers.ts";
import type { CommitAnswer, GroupAnswer } from "./answers.ts";
import { CommitGroup, contradiction } from "./gather-commits.ts";
import type { Beside } from "./gather-commits.ts";

/** What became of one commit. */
export type Settled =
  | { readonly kind: "written"; readonly answer: GroupAnswer; readonly place: number; readonly group: CommitGroup }
  | { readonly kind: "fenced" | "exists" }
  /** `unsent`: it can stand in no group. */
  | { readonly kind: "failed" | "unsent"; readonly failure: Failure };

/** A commit on its way: one object, since there is one for every step of every instance. */
export interface Sending {
  readonly commit: Commit;
  readonly readTurn: number | undefined;
  settle(settled: Settled): void;
  lose(error: Error): void;
}

/** What the line is given. */
export interface CommitLineParts {
  /** What is known of a commit's instance at the moment it is written down. */
  readonly beside: (sending: Sending) => Beside;
  /** It stands in a group now, which goes next. */
  readonly sent: (sending: Sending) => void;
  /** Writes a group; commits of an owner that was gone are written for its successor. Throws what the database says. */
  readonly write: (group: CommitGroup) => Promise<CommitAnswer>;
  /** Every answer, before its commits are told. */
  readonly heard: (answer: CommitAnswer) => void;
  readonly isUnknown: (error: unknown) => boolean;
}

/** How many commits one group has at most. */
const GROUP = 1_000;
const MOST_GROUPS = 2;
/** So many commits have to wait before a second group sets out beside the first. */
const WORTH_A_GROUP = 32;

/** The line of one owner. */
export class CommitLine {
  readonly #parts: CommitLineParts;
  readonly #queue: Sending[] = [];
  readonly #onTheirWay = new Set<CommitGroup>();
  #isAboutToStart = false;
  #whenSettled: (() => void)[] = [];

  constructor(parts: CommitLineParts) {
    this.#parts = parts;
  }

  send(sending: Sending): void {
    const wrong = contradiction(sending.commit);
    if (wrong !== undefined) return sending.settle(failed(new Error(wrong), "unsent"));
    this.#queue.push(sending);
    if (this.#isAboutToStart || this.#onTheirWay.size === MOST_GROUPS) return;
    // Whoever sends in this very moment is of the same group.
    this.#isAboutToStart = true;
    queueMicrotask(() => {
      this.#isAboutToStart = false;
      this.#start();
    });
  }

  /** Everything that was sent has been answered. */
  get isIdle(): boolean {
    return this.#onTheirWay.size === 0 && this.#queue.length === 0;
  }

  /** When nothing is on its way any longer. */
  async settled(): Promise<void> {
    while (this.#onTheirWay.size > 0 || this.#isAboutToStart) await new Promise<void>((resolve) => this.#whenSettled.push(resolve));
  }

  #start(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) {
      const { group, sendings } = this.#gather();
      if (sendings.length === 0) break;
      this.#onTheirWay.add(group);
      void this.#write(group, sendings).finally(() => {
        this.#onTheirWay.delete(group);
        this.#start();
      });
    }
    if (this.#onTheirWay.size === 0) for (const resolve of this.#whenSettled.splice(0)) resolve();
  }

  /** A second group goes beside the first only when it is large: small ones wait, and share a transaction. */
  #hasRoom(): boolean {
    const { size } = this.#onTheirWay;
    return size === 0 || (size < MOST_GROUPS && this.#queue.length >= WORTH_A_GROUP);
  }

  #gather(): { readonly group: CommitGroup; readonly sendings: readonly Sending[] } {
    for (;;) {
      const group = new CommitGroup();
      let count = 0;
      try {
        // What comes behind one that has to wait might be about the same: it waits, too.
        while (count < this.#queue.length && count < GROUP) {
          const sending = this.#queue[count]!;
          if ([...this.#onTheirWay].some((other) => !other.allowsBeside(sending.commit))) break;
          if (!group.add(sending.commit, this.#parts.beside(sending))) break;
          count++;
        }
      } catch (error) {
        const [unwritable] = this.#queue.splice(count, 1);
        unwritable?.settle(failed(error, "unsent"));
        continue;
      }
      const sendings = this.#queue.splice(0, count);
      for (const sending of sendings) this.#parts.sent(sending);
      return { group, sendings };
    }
  }

  async #write(group: CommitGroup, sendings: readonly Sending[]): Promise<void> {
    let answer: CommitAnswer;
    try {
      answer = await this.#parts.write(group);
    } catch (error) {
      if (this.#parts.isUnknown(error)) for (const sending of sendings) sending.lose(error as Error);
      else if (sendings.length === 1) sendings[0]?.settle(failed(error));
      else await this.#oneByOne(sendings);
      return;
    }
    this.#parts.heard(answer);
    this.#tell(answer, group, sendings);
  }

  async #oneByOne(sendings: readonly Sending[]): Promise<void> {
    for (const sending of sendings) {
      const group = new CommitGroup();
      group.add(sending.commit, this.#parts.beside(sending));
      await this.#write(group, [sending]);
    }
  }

  #tell(whole: CommitAnswer, group: CommitGroup, sendings: readonly Sending[]): void {
    const answer = groupAnswerOf(whole);
    const refused = new Map<number, "fenced" | "exists">();
    for (const place of whole.exists ?? []) refused.set(place, "exists");
    for (const place of whole.fenced ?? []) refused.set(place, "fenced");
    for (const [i, sending] of sendings.entries()) {
      const why = refused.get(i + 1);
      sending.settle(why === undefined ? { kind: "written", answer, place: i + 1, group } : { kind: why });
    }
  }
}

function failed(error: unknown, kind: "failed" | "unsent" = "failed"): Settled {
  const { name, message } = error as Error;
  return { kind, failure: { errorType: name === "error" ? "StoreUnavailableError" : name, message: `PostgreSQL: ${message}` } };
}
