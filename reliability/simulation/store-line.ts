// store-line: a process's line to the store: everything that can befall a question or its answer befalls it here.
//
// Owns:    delays, refusals, lost answers, doubled commits, crashes at a write, lost hints. What is asked is done by the product's own store.
// Always:  SL1 a commit is written whole or not at all; a fault decides only whether, how often, and who is told.
//          SL2 questions of one line arrive in their order, and so do answers.
//          SL3 a dead process is told nothing; a frozen one is told when it goes on.
//          Answers to claims are not lost while their process lives: the stores of today are in its process.
import type { Commit, CommitResult, Refusal } from "../../packages/ostinato/src/engine/commit.ts";
import type { ChangeHint, Store } from "../../packages/ostinato/src/engine/store.ts";
import { StoreUnavailableError } from "../../packages/ostinato/src/contract/errors.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { AnyFaultClass, FaultClass } from "./setup.ts";
import { count, type Tally } from "./tally.ts";
import type { Witness } from "./witness.ts";

/** What a line belongs to. */
export interface LineWorld {
  readonly agenda: Agenda;
  readonly chance: Chance;
  readonly witness: Witness;
  readonly tally: Tally;
  readonly leaseMs: number;
  /** Whether a kind of faults is in force now. */
  readonly has: (fault: AnyFaultClass) => boolean;
  /** Who asks. */
  readonly name: string;
  /** Lets something happen in the process: now, when it goes on, or never. */
  readonly deliver: (run: () => void) => void;
  readonly crash: () => void;
  /** Its lease was renewed. */
  readonly renewed?: (until: number) => void;
  /** Takes note of how to stop what goes on after its death. */
  readonly atDeath: (stop: () => void) => void;
}

/** How an operation is done, and who wants to know of it. */
interface Manner<T> {
  readonly writes?: boolean;
  readonly refusable?: boolean;
  /** A second time is what a repeated request does. */
  readonly doubles?: boolean;
  /** Addresses whose rows may stand differently, unseen. */
  readonly touched?: (answer: T) => ReadonlySet<number>;
  readonly done?: (answer: T, again: boolean) => void;
  /** The answer was lost. */
  readonly lost?: (answer: T) => void;
}

/** A line to the store that is faulty as its world says. */
export function storeLine(store: Store, world: LineWorld): Store {
  const { agenda, chance, witness, tally, name } = world;
  let lastQuestion = 0;
  let lastAnswer = 0;
  const strikes = (fault: FaultClass, probability: number): boolean => {
    if (!world.has(fault) || !chance.happens(probability)) return false;
    count(tally.faults, fault);
    return true;
  };
  const delay = (): number => {
    if (!strikes("delay", 0.5)) return chance.below(3);
    return chance.happens(0.1) ? chance.below(8_000) : chance.below(150);
  };

  let leaseUntil = Number.POSITIVE_INFINITY;

  const ask = <T>(manner: Manner<T>, perform: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const answer = (tell: () => void): void => {
        lastAnswer = Math.max(lastAnswer, agenda.now + delay());
        agenda.at(lastAnswer, () => world.deliver(tell));
      };
      const unavailable = (what: string): void => answer(() => reject(new StoreUnavailableError(what)));
      // All of it in one step of the agenda: nobody else can ask in between.
      const arrive = async (): Promise<void> => {
        if (manner.refusable !== false && strikes("refuse", 0.05)) return unavailable("The disk is full, says the simulation.");
        if (manner.writes && strikes("crash-at-write", 0.01)) return world.crash();
        try {
          const value = await perform();
          witness.look(name, manner.touched?.(value));
          manner.done?.(value, false);
          if (manner.doubles && strikes("double-commit", 0.08)) {
            manner.done?.(await perform(), true);
            witness.look(name, manner.touched?.(value));
          }
          if (manner.writes && strikes("crash-at-write", 0.01)) return world.crash();
          if (!manner.writes || !strikes("lose-answer", 0.04)) return answer(() => resolve(value));
          manner.lost?.(value);
          unavailable("The answer was lost, says the simulation.");
        } catch (error) {
          answer(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
      };
      lastQuestion = Math.max(lastQuestion, agenda.now + delay());
      agenda.at(lastQuestion, () => void arrive());
    });

  const note = (batch: readonly Commit[], results: readonly CommitResult[]): void =>
    results.forEach((result, at) => {
      const commit = batch[at]!;
      const fence = commit.fences[0];
      if (result.ok && result.claims.length > 0) count(tally.goals, "a child was born with its lease");
      if (!result.ok && result.why === "fenced" && agenda.now >= leaseUntil) count(tally.goals, "a zombie's commit was refused");
      if (!result.ok && result.why === "fenced" && fence?.kind === "instance" && witness.statusOf(fence.number) === "SUSPENDED")
        count(tally.goals, "a suspend overtook a turn");
      if (result.ok && fence?.kind === "instance" && commit.record !== undefined)
        witness.see(name, { kind: "committed", number: commit.number, epoch: fence.epoch });
    });

  return {
    ...store,
    // Hints are lost here, so whoever waits has to look by itself (L6).
    shared: true,
    claim: (want) => ask({ touched: ({ activities }) => new Set(activities.map(({ row }) => row.number)) }, () => store.claim(want)),
    commit: (batch) =>
      ask(
        {
          writes: true,
          doubles: true,
          done(results, again) {
            if (again && results.some((result) => !result.ok)) count(tally.goals, "a commit was doubled and refused");
          },
          lost(results) {
            if (results.some((result) => result.ok)) count(tally.goals, "an unknown commit was written after all");
          },
        },
        async () => {
          const results = await store.commit(batch);
          note(batch, results);
          return results;
        },
      ),
    renew: (leaseMs) =>
      ask({}, async () => {
        const renewal = await store.renew(leaseMs);
        leaseUntil = agenda.now + leaseMs;
        witness.see(name, { kind: "lease", until: renewal.at + leaseMs });
        world.renewed?.(renewal.at + leaseMs);
        if (!renewal.alive) count(tally.goals, "leases were lost and noticed");
        return renewal;
      }),
    release: (leases, afterMs) => {
      const touched = new Set(leases.flatMap((lease) => ("key" in lease ? [lease.key.number] : [])));
      return ask({ writes: true, doubles: true, touched: () => touched }, () => store.release(leases, afterMs));
    },
    update: (id, decide, expects) => ask<CommitResult | Refusal>({ writes: true }, () => store.update(id, decide, expects)),
    read: (id) => ask({}, () => store.read(id)),
    readAll: (ids) => ask({}, () => store.readAll(ids)),
    async *history(id, from) {
      yield* await ask({}, async () => {
        const pages = [];
        for await (const page of store.history(id, from)) pages.push(page);
        return pages;
      });
    },
    query: (filter, page) => ask({}, () => store.query(filter, page)),
    finished: (request) => ask({}, () => store.finished(request)),
    outstanding: (id) => ask({}, () => store.outstanding(id)),
    // After everything that was asked before it.
    close: () => ask({ refusable: false }, () => store.close()),
    watch(onChange) {
      const stop = store.watch((hint) => tellHint(hint, onChange));
      world.atDeath(stop);
      return stop;
    },
  };

  function tellHint(hint: ChangeHint, onChange: (hint: ChangeHint) => void): void {
    if (strikes("hints", 0.1)) return;
    const tell = (): void => void agenda.at(agenda.now + delay(), () => world.deliver(() => onChange(hint)));
    tell();
    if (strikes("hints", 0.05)) tell();
  }
}
