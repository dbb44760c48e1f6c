// mortal-store: a store whose process dies before or after the n-th call to it.
//
// Owns:    the count of calls of one life, and the moment of its death.
// Always:  M1 after the death nothing is answered, and nothing more reaches the file that the next life is given.
//          M2 the file that the next life is given is the one that a kill at that moment leaves: database and log as they stand, no `close`.
import type { Store } from "../../packages/ostinato/src/engine/store.ts";

/** A call to a store. */
export type CallName =
  "open" | "close" | "claim" | "commit" | "renew" | "release" | "update" | "read" | "history" | "query" | "finished" | "outstanding";

/** Where a life ends. */
export interface CrashPoint {
  /** The call of this life, counted from 1. */
  readonly call: number;
  readonly side: "before" | "after";
}

/** A store that dies. */
export interface MortalStore {
  readonly store: Store;
  /** The calls of this life, in order. */
  readonly calls: readonly CallName[];
  /** How many calls were made when the first write of this life was answered. */
  readonly firstWrite: number | undefined;
  readonly death: Promise<void>;
  readonly isDead: boolean;
}

/** Wraps a store. `onDeath` is called at the very moment, before anything else can happen. */
export function mortalStore(inner: Store, point: CrashPoint | undefined, onDeath: () => void): MortalStore {
  const calls: CallName[] = [];
  const died = Promise.withResolvers<void>();
  const never = new Promise<never>(() => undefined);
  let dead = false;
  let firstWrite: number | undefined;

  const die = (): Promise<never> => {
    if (!dead) {
      dead = true;
      onDeath();
      died.resolve();
    }
    return never;
  };

  const at = async <T>(name: CallName, ask: () => Promise<T>): Promise<T> => {
    if (dead) return never;
    calls.push(name);
    const dies = point?.call === calls.length ? point.side : undefined;
    if (dies === "before") return die();
    const answer = await ask();
    if (dead) return never;
    if (dies === "after") return die();
    if (name === "commit" || name === "update") firstWrite ??= calls.length;
    return answer;
  };

  return {
    store: {
      claim: (want) => at("claim", () => inner.claim(want)),
      commit: (batch) => at("commit", () => inner.commit(batch)),
      renew: (leaseMs) => at("renew", () => inner.renew(leaseMs)),
      release: (leases, afterMs) => at("release", () => inner.release(leases, afterMs)),
      update: (id, decide, expects) => at("update", () => inner.update(id, decide, expects)),
      read: (id) => at("read", () => inner.read(id)),
      readAll: (ids) => at("read", () => inner.readAll(ids)),
      async *history(id, from) {
        for await (const page of inner.history(id, from)) yield await at("history", async () => page);
      },
      query: (filter, page) => at("query", () => inner.query(filter, page)),
      finished: (request) => at("finished", () => inner.finished(request)),
      outstanding: (id) => at("outstanding", () => inner.outstanding(id)),
      watch: (onChange) =>
        inner.watch((hint) => {
          if (!dead) onChange(hint);
        }),
      open: () => at("open", () => inner.open()),
      close: () => at("close", () => inner.close()),
      ...(inner.file === undefined ? {} : { file: inner.file }),
      ...(inner.sizes === undefined ? {} : { sizes: () => inner.sizes!() }),
    },
    calls,
    get firstWrite() {
      return firstWrite;
    },
    death: died.promise,
    get isDead() {
      return dead;
    },
  };
}
