// faults: a store that fails where told, and that a process which dies never hears of again.
//
// Owns:    what happens at which commit.
// Always:  F1 a commit is written whole or not at all; a fault decides only whether it is written, and who is told.
//          F2 after its end a store answers nothing and writes nothing, whoever asks.

import type { Store } from "../engine/store.ts";
import { StoreUnavailableError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import { given } from "../contract/recorded-as.ts";
import type { Doing, Quiet } from "./quiet.ts";

/** What happens at a commit. */
export type Fault =
  /** The process dies, and nothing was written. */
  | "crash-before"
  /** The process dies when it was written, before anybody is told. */
  | "crash-after"
  /** The store says that it cannot write, and has not. */
  | "fail-before"
  /** The store says that it cannot write, and has. */
  | "fail-after";

/** The faults to come. */
export interface FaultPlan {
  /** Commits so far. */
  readonly commits: number;
  /** What happens at the n-th commit from now, counted from 1. */
  at(commit: number, fault: Fault): void;
  /** What happens at the commit that is about to be made. */
  next(): Fault | undefined;
}

/** Makes an empty plan. */
export function createFaultPlan(): FaultPlan {
  const planned = new Map<number, Fault>();
  let commits = 0;
  return {
    get commits() {
      return commits;
    },
    at: (commit, fault) => void planned.set(commits + commit, fault),
    next() {
      commits += 1;
      const fault = planned.get(commits);
      planned.delete(commits);
      return fault;
    },
  };
}

/** A store over another one, which counts what is under way and follows a plan. */
export function faultyStore(
  store: Store,
  plan: FaultPlan,
  quiet: Quiet,
  die: () => void,
): { readonly store: Store; readonly end: () => void } {
  let dead = false;
  const never = new Promise<never>(() => undefined);

  const open = new Set<Doing>();
  const counted = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (dead) return never;
    const doing = quiet.begin("store");
    open.add(doing);
    try {
      const answer = await ask();
      return dead ? await never : answer;
    } catch (error) {
      if (dead) return await never;
      throw error;
    } finally {
      open.delete(doing);
      doing.done();
    }
  };

  const writing = async <T>(write: () => Promise<T>): Promise<T> =>
    counted(async () => {
      const fault = plan.next();
      if (fault === "crash-before") {
        die();
        return never;
      }
      if (fault === "fail-before") throw new StoreUnavailableError("The disk is full, says the test.");
      const answer = await write();
      if (fault === "crash-after") {
        die();
        return never;
      }
      if (fault === "fail-after") throw new StoreUnavailableError("The answer was lost, says the test.");
      return answer;
    });

  return {
    store: {
      claim: (want) => counted(() => store.claim(want)),
      commit: (batch) => writing(() => store.commit(batch)),
      renew: (leaseMs) => counted(() => store.renew(leaseMs)),
      release: (leases, afterMs) => counted(() => store.release(leases, afterMs)),
      update: (id, decide, expects) => writing(() => store.update(id, decide, expects)),
      read: (id) => counted(() => store.read(id)),
      readAll: (ids) => counted(() => store.readAll(ids)),
      async *history(id, from) {
        // What is counted is the reading: a store may have to go far for a page.
        const pages = store.history(id, from)[Symbol.asyncIterator]();
        for (;;) {
          const page = await counted(() => pages.next());
          if (page.done === true) return;
          yield page.value;
        }
      },
      query: (filter, page) => counted(() => store.query(filter, page)),
      finished: (request) => counted(() => store.finished(request)),
      outstanding: (id) => counted(() => store.outstanding(id)),
      watch: (onChange) =>
        store.watch((hint) => {
          if (!dead) onChange(hint);
        }),
      open: () => store.open(),
      close: () => store.close(),
      ...given({ shared: store.shared, entered: store.entered === undefined ? undefined : (id: InstanceId) => store.entered?.(id) }),
    },
    end() {
      dead = true;
      for (const doing of open) doing.done();
    },
  };
}
