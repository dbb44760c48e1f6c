// goals: what a world went through, read out of its journal and its counters.
import type { Entry } from "../checker/journal.ts";
import { livesOf } from "../checker/sight-rules.ts";
import { count, type Goal, type Tally } from "./tally.ts";

/** Counts the goals that a journal shows. */
export function goalsOf(journal: readonly Entry[], tally: Tally): void {
  const reached = (goal: Goal): void => count(tally.goals, goal);
  const lives = livesOf(journal);
  const ids = new Set<string>();
  for (const { id, moments } of lives) {
    if (ids.has(id)) reached("a purged id was used again");
    ids.add(id);
    let before: (typeof moments)[number]["standing"];
    if (moments[0]?.standing?.instance.record.kind === "entity") {
      goalsOfEntity(moments, reached);
      continue;
    }
    if (id.startsWith("of-")) reached("an entity started an orchestration");
    for (const { storeAt, standing } of moments) {
      if (standing === undefined) continue;
      const { record, history } = standing.instance;
      const was = before?.instance.record;
      if (was !== undefined && record.generation > was.generation) {
        if (was.parent !== undefined && ENDED.has(was.status)) reached("a child was tried again under its id");
        if (standing.messages.some(({ event }) => event.kind === "EventRaised")) reached("an unread message crossed a continue-as-new");
        if (standing.messages.some(({ event }) => event.kind === "ExecutionStarted" && (event.carriedEvents?.length ?? 0) > 0))
          reached("an event crossed a continue-as-new");
      }
      if (was?.sections !== undefined && (record.generation > was.generation || ENDED.has(record.status)))
        reached("a section ended with its execution");
      if (was?.sections !== undefined && record.status === "TERMINATED") reached("a section went with a terminated owner");
      if (was?.status === "SUSPENDED" && record.status === "TERMINATED") reached("an instance was terminated while suspended");
      if (standing.messages.some(({ execution }) => execution !== undefined && execution !== record.executionId))
        reached("a message was for an execution that was over");
      for (const event of history.slice(was?.executionId === record.executionId ? before!.instance.history.length : 0))
        if (event.kind === "TimerFired" && storeAt - event.fireAt > 10_000) reached("a timer was overdue at a restart");
      before = standing;
    }
  }
  if (journal.some((entry) => entry.kind === "body-began" && entry.delivery > 1)) reached("an activity was delivered again");
  for (const [counter, goal] of COUNTED) if ((tally.counters.get(counter) ?? 0) > 0) reached(goal);
}

function goalsOfEntity(moments: ReturnType<typeof livesOf>[number]["moments"], reached: (goal: Goal) => void): void {
  const later = new Set<string>();
  for (const { storeAt, standing } of moments) {
    if (standing === undefined) {
      reached("an empty entity was cleaned up");
      continue;
    }
    const { record } = standing.instance;
    const lying = new Set(standing.messages.map(({ id }) => id));
    for (const id of later) if (!lying.has(id) && later.delete(id)) reached("a signal for later was done");
    for (const { id, visibleAt } of standing.messages) if ((visibleAt ?? 0) > storeAt) later.add(id);
    if (record.lockedBy !== undefined && standing.messages.some(({ wakes }) => wakes === "unless-held"))
      reached("something waited while an entity was locked");
  }
}

const ENDED = new Set(["COMPLETED", "FAILED", "TERMINATED"]);

const COUNTED: readonly (readonly [string, Goal])[] = [
  ["completionsLate", "a late completion was refused"],
  ["completionsFolded", "a completion was folded"],
  ["completionsAsMessages", "a completion was written as a message"],
  ["turnsAbandoned", "a turn was turned down for its version"],
  ["eventsDropped", "an event was dropped and counted"],
  ["coldLoads", "a cold history was read"],
  ["locksGranted", "a lock was granted"],
  ["locksWithdrawn", "a request for a lock was taken back"],
  ["entityOperationsFailed", "an operation of an entity failed"],
  ["server: completionsDuplicate", "a server saw a completion twice"],
  ["server: completionsUnknown", "a server saw a completion of work that it did not know"],
  ["server: pings", "a server said that it is alive"],
  ["outcomesRepeated", "an outcome was sent again"],
  ["callsRepeated", "a call was made again"],
  ["workStreamsLost", "a stream of work was lost"],
  ["workStreamsSilent", "a silent stream was given up"],
];
