// quiet: knows when nothing more will happen by itself.
//
// Owns:    what counts as happening: store operations, turns and activities that are under way.
// Always:  Q1 it is quiet when nothing is under way and the event loop has gone round without anything new.

import { nextLoopTurn } from "../platform/standstill.ts";

/** Something that is under way. */
export interface Doing {
  done(): void;
}

/** What is under way in a test hub. */
export interface Quiet {
  /** Notes something that is under way until it is done. */
  begin(what: "store" | "turn" | "activity" | "entity"): Doing;
  /** Rises with everything that happens. */
  readonly progress: number;
  /** Rises with every turn and every activity that came to something; a turn that stalls or is given back has not. */
  readonly achieved: number;
  achieve(): void;
  /** Resolves when it is quiet. What is in `except` does not count; nor, by that word, any activity. */
  quiet(except?: ReadonlySet<Doing> | "activities"): Promise<void>;
  /** Resolves at the next thing that happens, or that `nudge` tells. */
  changed(): Promise<void>;
  nudge(): void;
  /** The activities under way. */
  activities(): ReadonlySet<Doing>;
}

/** How often the event loop goes round before it counts as quiet. */
const ROUNDS = 3;

/** Makes a Quiet. */
export function createQuiet(): Quiet {
  const underWay = new Map<Doing, string>();
  let progress = 0;
  let achieved = 0;
  let waiters: (() => void)[] = [];

  const nudge = (): void => {
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
  };
  const happened = (): void => {
    progress += 1;
    nudge();
  };
  const changed = (): Promise<void> => new Promise((resolve) => waiters.push(resolve));
  const busy = (except: ReadonlySet<Doing> | "activities" | undefined): boolean => {
    if (except === undefined) return underWay.size > 0;
    for (const [doing, what] of underWay) if (except === "activities" ? what !== "activity" : !except.has(doing)) return true;
    return false;
  };

  return {
    begin(what) {
      const doing: Doing = {
        done() {
          if (underWay.delete(doing)) happened();
        },
      };
      underWay.set(doing, what);
      happened();
      return doing;
    },
    get progress() {
      return progress;
    },
    get achieved() {
      return achieved;
    },
    achieve() {
      achieved += 1;
    },
    async quiet(except) {
      for (;;) {
        while (busy(except)) await changed();
        const before = progress;
        let rounds = 0;
        while (rounds < ROUNDS && progress === before) {
          await nextLoopTurn();
          rounds += 1;
        }
        if (progress === before && !busy(except)) return;
      }
    },
    changed,
    nudge,
    activities: () => new Set([...underWay].filter(([, what]) => what === "activity").map(([doing]) => doing)),
  };
}
