// hand-outs: a store whose messages are counted as they are handed out: one that is in somebody's hands is not handed out again.
import type { InboxMessage } from "../../packages/ostinato/src/contract/messages.ts";
import type { Commit } from "../../packages/ostinato/src/engine/commit.ts";
import type { Store } from "../../packages/ostinato/src/engine/store.ts";

/** What has befallen an instance that this process holds. */
interface Hand {
  epoch: number;
  readonly messages: Set<string>;
  readonly done: Set<string>;
  readonly past: string[];
}

const REMEMBERED = 30;

/** A store that tells of each message that was handed out while it was out, or when it had been consumed. */
export function watchHandOuts(store: Store, tell: (what: "twice" | "stale", story: string) => void): Store {
  const hands = new Map<number, Hand>();

  const handOf = (number: number): Hand => {
    let hand = hands.get(number);
    if (hand === undefined) hands.set(number, (hand = { epoch: 0, messages: new Set(), done: new Set(), past: [] }));
    return hand;
  };
  const note = (number: number, what: string): void => {
    const { past } = handOf(number);
    past.push(`${Math.round(performance.now())} ${what}`);
    if (past.length > REMEMBERED) past.shift();
  };
  const give = (number: number, how: string, messages: readonly InboxMessage[], isNew: boolean): void => {
    const hand = handOf(number);
    if (isNew) {
      hand.messages.clear();
      hand.done.clear();
    }
    note(number, `${how}: ${messages.map(({ id }) => id).join(" ")}`);
    for (const { id } of messages) {
      if (hand.messages.has(id)) tell("twice", `${number} ${id}: ${hand.past.join("; ")}`);
      else if (hand.done.has(id)) tell("stale", `${number} ${id}`);
      hand.messages.add(id);
    }
  };
  const consumed = ({ number, consumed: ids, cancelled }: Commit): void => {
    const hand = handOf(number);
    for (const id of [...ids, ...cancelled]) {
      hand.messages.delete(id);
      hand.done.add(id);
    }
  };

  return {
    ...store,
    async claim(want) {
      const claims = await store.claim(want);
      for (const { number, epoch, held, messages } of claims.instances)
        give(number, `claimed at ${epoch}${held ? ", held" : ""}`, messages, !held);
      return claims;
    },
    async release(leases, afterMs) {
      for (const lease of leases) {
        if ("key" in lease) continue;
        note(lease.number, `released at ${lease.epoch}`);
        handOf(lease.number).messages.clear();
      }
      await store.release(leases, afterMs);
    },
    async commit(batch) {
      for (const commit of batch)
        if (commit.number !== 0) note(commit.number, `commit${commit.keep ? ", kept" : ""}: ${commit.consumed.join(" ")}`);
      const results = await store.commit(batch).catch((error: unknown) => {
        for (const { number } of batch) if (number !== 0) note(number, `unknown: ${(error as Error).message}`);
        throw error;
      });
      results.forEach((result, at) => {
        const commit = batch[at]!;
        if (!result.ok) return commit.number === 0 ? undefined : note(commit.number, result.why);
        if (commit.number !== 0) {
          consumed(commit);
          if (!commit.keep && commit.record !== undefined) hands.delete(commit.number);
          else give(commit.number, "written, arrived", result.arrived, false);
        }
        for (const { number, epoch, messages } of result.claims) give(number, `born at ${epoch}`, messages, true);
      });
      return results;
    },
  };
}
