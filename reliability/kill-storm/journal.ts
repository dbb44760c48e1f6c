// journal: what a process of the storm saw, in a file of its own; and the journals of all of them, and of the database, as one.
//
// Always:  J1 a line is written whole before what comes after it is done, so that a kill loses none that was written.
//          J2 times are the machine's true ones. In one millisecond what was asked comes first, then what was written, then what was answered:
//             nothing is told to have been earlier than it can have been.
import { openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Entry, Sight } from "../checker/journal.ts";
import type { TrailEntry } from "../checker/trail.ts";
import { trueTime } from "./true-time.ts";

/** Takes what somebody saw. */
export type Note = (sight: Sight) => void;

/** Writes lines to a file of one writer. */
export function journalTo(folder: string, by: string): Note {
  const file = openSync(join(folder, `${by}.jsonl`), "a");
  return (sight) => writeSync(file, `${JSON.stringify({ at: trueTime(), by, ...sight })}\n`);
}

interface Placed {
  readonly us: number;
  readonly entry: Entry;
}

/** Everything that was seen, in order. */
export function allThatWasSeen(folder: string, trail: readonly TrailEntry[]): Entry[] {
  const placed: Placed[] = trail.map(({ us, ...sight }) => ({ us, entry: { at: Math.floor(us / 1_000), ...sight } }));
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(".jsonl")) continue;
    let last = 0;
    for (const line of readFileSync(join(folder, name), "utf8").split("\n")) {
      const entry = entryOf(line);
      if (entry === undefined) continue;
      last = Math.max(last, entry.at * 1_000 + (entry.kind === "invoke" ? 0 : 999));
      placed.push({ us: last, entry });
    }
  }
  return placed.sort((a, b) => a.us - b.us).map(({ entry }) => entry);
}

/** The entry of a line; nothing of one that a kill has torn. */
export function entryOf(line: string): Entry | undefined {
  if (!line.endsWith("}")) return undefined;
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}
