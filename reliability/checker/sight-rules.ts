// sight-rules: what must be true between one moment and the next, when every commit was seen.
//
// Owns:    H1 (nothing changes), I6, C2, C4, C5 (no revival), T1 by the store's clock, T3, H9 (generations), L1, L2 (what was written, under
//          which epoch), H6 (replays).
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { Entry } from "./journal.ts";
import { isEnd } from "./row-rules.ts";
import type { Standing } from "./stored.ts";
import { same, type Report } from "./violation.ts";

/** The life of one address in the store: how it stood, one time after the other. */
export interface Life {
  readonly number: number;
  readonly id: string;
  /** Places in the journal, and what stood there; the last one without a standing when it has gone. */
  readonly moments: readonly { readonly place: number; readonly storeAt: number; readonly standing: Standing | undefined }[];
}

/** The lives that a journal tells of, in the order of their beginnings. */
export function livesOf(journal: readonly Entry[]): Life[] {
  const lives = new Map<number, { number: number; id: string; moments: Life["moments"][number][] }>();
  journal.forEach((entry, place) => {
    if (entry.kind !== "stands") return;
    const { number, id, storeAt, standing } = entry;
    let life = lives.get(number);
    if (life === undefined) lives.set(number, (life = { number, id, moments: [] }));
    life.moments.push({ place, storeAt, standing });
  });
  return [...lives.values()];
}

const RANK: { readonly [status: string]: number } = { PENDING: 0, RUNNING: 1, SUSPENDED: 1, COMPLETED: 2, FAILED: 2, TERMINATED: 2 };

/** Reports what is wrong in a life. */
export function checkLife(life: Life, report: Report): void {
  let before: Standing | undefined;
  let gone = false;
  let epoch = 0;
  for (const { storeAt, standing } of life.moments) {
    if (standing === undefined) {
      gone = true;
      before = undefined;
      continue;
    }
    const { record } = standing.instance;
    if (gone) report("C5", record.id, `The address ${life.number} was gone, and is there again.`);
    if (record.id !== life.id) report("C5", record.id, `The address ${life.number} was that of ${life.id}.`);
    if (record.epoch < epoch) report("L1", record.id, `The epoch went back from ${epoch} to ${record.epoch}.`);
    epoch = Math.max(epoch, record.epoch);
    if (before === undefined && !gone && (record.turn > 1 || record.generation > 1))
      report("C5", record.id, `It begins with turn ${record.turn} of generation ${record.generation}.`);
    if (before !== undefined) checkStep(before, standing, report);
    checkTimers(before, standing, storeAt, report);
    before = standing;
  }
}

function checkStep(from: Standing, to: Standing, report: Report): void {
  const before = from.instance.record;
  const { record } = to.instance;
  if (before === record && from.instance.history.length === to.instance.history.length) return;
  const wrong = (invariant: Parameters<Report>[0], message: string): void =>
    report(invariant, record.id, message, { turn: record.turn, epoch: record.epoch, generation: record.generation });
  if (record.turn < before.turn) wrong("L1", `Its turns went back from ${before.turn} to ${record.turn}.`);
  if (record.turn > before.turn + 1) wrong("L1", `Turn ${record.turn} came after turn ${before.turn}.`);
  if (record.lastTurnAt < before.lastTurnAt) wrong("T3", `Its time went back by ${before.lastTurnAt - record.lastTurnAt} ms.`);
  if (record.dropped < before.dropped) wrong("I5", "What it had dropped is no longer counted.");
  if (record.generation < before.generation) wrong("H9", `Its generation went back from ${before.generation} to ${record.generation}.`);
  if (record.generation > before.generation) {
    if (record.executionId === before.executionId) wrong("H9", "Two generations have one execution id.");
    return;
  }
  if (record.executionId !== before.executionId) wrong("H9", "One generation has two execution ids.");
  if ((RANK[record.status] ?? 0) < (RANK[before.status] ?? 0))
    wrong(isEnd(before.status) ? "C4" : "I6", `It was ${before.status}, and is ${record.status}.`);
  if (
    isEnd(before.status) &&
    (record.status !== before.status || record.completedAt !== before.completedAt || record.historyLength !== before.historyLength)
  )
    wrong("C4", `It had ended (${before.status}) and goes on.`);
  if (isEnd(before.status) && !same(from.instance.payloads, to.instance.payloads)) wrong("C4", "It had ended, and its payloads change.");
  checkGrowth(from.instance.history, to.instance.history, wrong);
}

/** H1: a history grows at its end and nowhere else. */
function checkGrowth(
  before: readonly HistoryEvent[],
  history: readonly HistoryEvent[],
  wrong: (invariant: "H1", message: string) => void,
): void {
  if (history.length < before.length) return wrong("H1", `Its history had ${before.length} events, and has ${history.length}.`);
  const changed = before.findIndex((event, at) => event !== history[at] && !same(event, history[at]));
  if (changed >= 0) wrong("H1", `The event ${changed} of its history was ${before[changed]?.kind}, and is ${history[changed]?.kind}.`);
}

/** T1 by the one clock that decides. */
function checkTimers(from: Standing | undefined, to: Standing, storeAt: number, report: Report): void {
  const { record } = to.instance;
  const old = from?.instance.record.executionId === record.executionId ? from.instance.history.length : 0;
  for (const event of to.instance.history.slice(old)) {
    if (event.kind === "TimerFired" && event.fireAt > storeAt)
      report("T1", record.id, `The timer ${event.timerId} was taken ${event.fireAt - storeAt} ms early by the store's clock.`);
    if (
      event.kind === "ExecutionStarted" &&
      (event.scheduledAt ?? 0) > storeAt &&
      !to.instance.history.some(({ kind }) => kind === "ExecutionTerminated")
    )
      report("T1", record.id, `It was started ${(event.scheduledAt ?? 0) - storeAt} ms early by the store's clock.`);
  }
}

/** L1, L2: nothing is written but under the epoch that is current. H6: a turn that is run again asks for the same. */
export function checkWrites(journal: readonly Entry[], report: Report): void {
  const current = new Map<number, { readonly id: string; readonly epoch: number }>();
  /** Under which epoch who has written last. */
  const writers = new Map<number, { readonly epoch: number; readonly by: Entry["by"] }>();
  for (const entry of journal) {
    if (entry.kind === "stands") {
      if (entry.standing === undefined) current.delete(entry.number);
      else current.set(entry.number, { id: entry.id, epoch: entry.standing.instance.record.epoch });
    } else if (entry.kind === "committed") {
      const now = current.get(entry.number);
      if (now === undefined) report("L2", undefined, `${entry.by} wrote to the address ${entry.number}, where nobody is.`);
      else if (now.epoch !== entry.epoch)
        report("L1", now.id, `${entry.by} wrote under epoch ${entry.epoch} when ${now.epoch} was current.`);
      const last = writers.get(entry.number);
      if (last?.epoch === entry.epoch && last.by !== entry.by)
        report("L1", now?.id, `${last.by} and ${entry.by} both wrote under epoch ${entry.epoch}.`);
      writers.set(entry.number, entry);
    } else if (entry.kind === "replayed" && entry.difference !== undefined) {
      report("H6", entry.instanceId, `A turn that was run again from the start asked for something else: ${entry.difference}`);
    }
  }
}

/** C2, I5: events are delivered in the order in which they arrived, also when they had to wait. Told where payloads are unique. */
export function checkArrivals(life: Life, repeated: ReadonlySet<string>, report: Report): void {
  const places = new Map<string, number>();
  const read = new Set<string>();
  for (const { standing } of life.moments) {
    if (standing === undefined) continue;
    for (const { event, sequence } of standing.messages)
      if (event.kind === "EventRaised" && event.input !== undefined && !places.has(event.input)) places.set(event.input, sequence);
  }
  for (let at = life.moments.length - 1; at >= 0; at--) {
    const instance = life.moments[at]?.standing?.instance;
    if (instance === undefined || read.has(instance.record.executionId)) continue;
    read.add(instance.record.executionId);
    let last = Number.NEGATIVE_INFINITY;
    for (const event of instance.history) {
      const place = event.kind === "EventRaised" && event.input !== undefined ? places.get(event.input) : undefined;
      if (place === undefined || event.kind !== "EventRaised" || repeated.has(event.input ?? "")) continue;
      const waited = instance.history.some(({ kind }) => kind === "ExecutionResumed");
      if (place < last) report(waited ? "C2" : "I5", life.id, "An event overtook one that had come before it.", { event });
      last = Math.max(last, place);
    }
  }
}
