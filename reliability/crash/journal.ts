// journal: what witnesses saw: bodies of activities and clients write a line before and after everything they do.
//
// Owns:    how lines are written so that a kill tears at most the last one. What a line says is the checker's word.
// Always:  J1 a line is written by one `write` to a file opened to append, before what comes after it: a kill -9 loses none that was written.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Entry, Sight } from "../checker/journal.ts";

/** Writes lines to a file, in this process's name or in that of another which can no longer speak. */
export function journalTo(path: string, by: number = process.pid): (sight: Sight) => void {
  return (sight) => appendFileSync(path, `${JSON.stringify({ at: Date.now(), by, ...sight })}\n`);
}

/** Reads a journal. A line that a kill has torn is not there. */
export function readJournal(path: string): Entry[] {
  if (!existsSync(path)) return [];
  const lines: Entry[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    try {
      lines.push(JSON.parse(line) as Entry);
    } catch {
      // Torn by the kill: what it was about to say was not seen.
    }
  }
  return lines;
}
