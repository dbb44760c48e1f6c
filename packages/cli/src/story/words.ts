// words: an explanation as lines for a person.
//
// Always:  pure; what it is given has been escaped.
import type { InstanceStatus } from "ostinato";
import { both } from "../print/times.ts";
import { plain } from "../print/escape.ts";
import { programOf } from "./phrases.ts";
import type { Explanation, Reason } from "./explain.ts";

/** How parts of the text are set off. */
export interface Tones {
  readonly heading: (text: string, status: InstanceStatus) => string;
  readonly remedy: (text: string) => string;
}

/** A fan-out waits for thousands; twenty of them tell what it is about. */
const MOST_REASONS = 20;

/** The lines of an explanation. A child's stand below the reason that leads to it. */
export function wordsOf(explanation: Explanation, now: number, tones: Tones, indent = ""): readonly string[] {
  const { id, name, version, status, summary, reasons, next } = explanation;
  const lines = [
    `${indent}${tones.heading(plain(id), status)}  ${programOf(name, version)}  ${tones.heading(status, status)}`,
    `${indent}${summary}`,
  ];
  for (const reason of reasons.slice(0, MOST_REASONS)) lines.push(...reasonLines(reason, now, tones, indent));
  if (reasons.length > MOST_REASONS) lines.push(`${indent}- and ${reasons.length - MOST_REASONS} more, which --json has`);
  if (next.length > 0) lines.push(`${indent}Next:`, ...next.map((line) => `${indent}  ${line}`));
  return lines;
}

function reasonLines(reason: Reason, now: number, tones: Tones, indent: string): readonly string[] {
  const lines = [`${indent}- ${reason.what}`];
  if (reason.since !== undefined)
    lines.push(`${indent}    since ${both(reason.since, now)}${reason.until === undefined ? "" : `, until ${both(reason.until, now)}`}`);
  else if (reason.until !== undefined) lines.push(`${indent}    until ${both(reason.until, now)}`);
  if (reason.remedy !== undefined) lines.push(`${indent}    ${tones.remedy(`what helps: ${reason.remedy}`)}`);
  if (reason.child !== undefined) lines.push(...wordsOf(reason.child, now, tones, `${indent}      `));
  return lines;
}
