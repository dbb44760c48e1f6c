// foreign-turns: a turn as a server of the family hands it out becomes one that our programs can run.
//
// Owns:    what is filled in, and what is left out, of a history that somebody else keeps.
// Is told: a turn as it was decoded, with its whole past.
// Tells:   the turn; or, where the server asks for that, the history under which a failed instance goes on.
// Always:  FT1 the same history gives the same turn, however often it is read: what is filled in depends on nothing else.
//          FT2 a turn begins with OrchestratorStarted, and its time never goes back.
//          FT3 an input is checked at every replay: no such server records that it was.

import { given } from "ostinato/contract";
import type { ExecutionStarted, HistoryEvent, OrchestrationWorkItem } from "ostinato/contract";
import { createOlderReader } from "../codec/older-entity-form.ts";
import { callOf, lineageOf, lineageTags, unreserved } from "./foreign-calls.ts";

/** What is to be done with a turn of another server's. */
export type ForeignTurn =
  | {
      readonly kind: "run";
      readonly item: OrchestrationWorkItem;
      /** What idempotency keys count from. */
      readonly lineage: string;
    }
  /** The failed instance goes on under this history; its program is not asked. */
  | { readonly kind: "rewind"; readonly newHistory: readonly HistoryEvent[] };

/** Events of a history that another server keeps, for those who read it: without what is ours to know. */
export function foreignEvents(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const inOurForm = createOlderReader();
  return events.map((each) => {
    const event = inOurForm(each);
    if ((event.kind !== "TaskScheduled" && event.kind !== "ExecutionStarted") || event.tags === undefined) return event;
    const { tags, ...rest } = event;
    return { ...rest, ...given({ tags: unreserved(tags) }) };
  });
}

/** A turn of another server's, made whole. `turn` has its past, and a name and an execution, which the codec finds. */
export function foreignTurn(turn: OrchestrationWorkItem, newExecutionId: () => string, parentExecutionId?: string): ForeignTurn {
  const past = "events" in turn.past ? turn.past.events : [];
  const all = [...past, ...turn.newEvents];
  const started = all.find((event) => event.kind === "ExecutionStarted");
  const lineage = lineageOf(started?.tags, turn.executionId);
  if (isRewind(all)) {
    const next = { executionId: newExecutionId(), lineage, parentExecutionId };
    return { kind: "rewind", newHistory: rewoundHistory(all, next) };
  }
  const isCut = lineage !== turn.executionId || all.some((event) => event.kind === "ExecutionRewound");
  const clock = { now: 0 };
  const inOurForm = createOlderReader();
  const read = (events: readonly HistoryEvent[]): HistoryEvent[] =>
    events.flatMap((event): HistoryEvent[] => {
      // An end or a rewind of an execution that goes on was answered by changing its history.
      if (event.kind === "ExecutionCompleted" || event.kind === "ExecutionRewound") return [];
      return [inOurForm(whole(inTime(event, clock), lineage, isCut))];
    });
  return { kind: "run", lineage, item: { ...turn, past: { events: read(past) }, newEvents: read(turn.newEvents) } };
}

/** Events without a time are as late as what stands before them. */
function inTime(event: HistoryEvent, clock: { now: number }): HistoryEvent {
  if (event.timestamp <= 0) return { ...event, timestamp: clock.now };
  clock.now = Math.max(clock.now, event.timestamp);
  return event.kind === "OrchestratorStarted" && event.timestamp < clock.now ? { ...event, timestamp: clock.now } : event;
}

/** An event as our programs and their replays are to see it. */
function whole(event: HistoryEvent, lineage: string, isCut: boolean): HistoryEvent {
  if (event.kind === "ExecutionStarted") {
    const { tags, ...rest } = event;
    // Ids of children are made from the execution that the history began with, also after a rewind.
    return { ...rest, executionId: lineage, validated: false, ...given({ isCut: isCut ? true : undefined, tags: unreserved(tags) }) };
  }
  if (event.kind !== "TaskScheduled" || event.tags === undefined) return event;
  const { tags, ...rest } = event;
  return { ...rest, ...given({ tags: unreserved(tags) }) };
}

// ---- rewinding

/** The server asks for the history under which a failed instance goes on: nothing came after the rewind, and the end before it still stands. */
function isRewind(events: readonly HistoryEvent[]): boolean {
  const at = events.findLastIndex((event) => event.kind === "ExecutionRewound");
  return (
    at >= 0 &&
    events.slice(at + 1).every((event) => event.kind === "OrchestratorStarted") &&
    events.slice(0, at).some((event) => event.kind === "ExecutionCompleted")
  );
}

/**
 * The history without what failed for good: its calls are asked for again by the next replay, under the same numbers. Of a call that was retried
 * only the last attempt goes: the timers between the attempts would stand there without a reason. A failure that the program had caught goes as
 * well; the replay differs then and says so, as on every server that rewinds like this.
 */
function rewoundHistory(events: readonly HistoryEvent[], next: NextExecution): readonly HistoryEvent[] {
  const last = lastAttempts(events);
  const gone = new Set<number>();
  for (const event of events) {
    if (event.kind === "TaskFailed" || event.kind === "SubOrchestrationInstanceFailed")
      if (last.has(event.taskScheduledId)) gone.add(event.taskScheduledId);
  }
  return events.flatMap((event): HistoryEvent[] => {
    switch (event.kind) {
      case "ExecutionCompleted":
        return [];
      case "TaskScheduled":
        return gone.has(event.eventId) ? [] : [event];
      case "TaskFailed":
      case "SubOrchestrationInstanceFailed":
        return gone.has(event.taskScheduledId) ? [] : [event];
      case "ExecutionStarted":
        return [startedAs(event, next)];
      default:
        return [event];
    }
  });
}

/** The execution that goes on after a rewind. */
interface NextExecution {
  readonly executionId: string;
  readonly lineage: string;
  /** Its parent's, where that was rewound as well. */
  readonly parentExecutionId: string | undefined;
}

function startedAs(event: ExecutionStarted, { executionId, lineage, parentExecutionId }: NextExecution): ExecutionStarted {
  const { parent } = event;
  return {
    ...event,
    executionId,
    tags: lineageTags(event.tags, executionId, lineage),
    ...given({ parent: parent === undefined || parentExecutionId === undefined ? parent : { ...parent, executionId: parentExecutionId } }),
  };
}

/** The numbers of attempts that no further one followed. */
function lastAttempts(past: readonly HistoryEvent[]): ReadonlySet<number> {
  const last = new Map<string, number>();
  for (const event of past) {
    if (event.kind === "TaskScheduled") last.set(`task ${callOf(event) ?? String(event.eventId)}`, event.eventId);
    // A child keeps its id from attempt to attempt.
    if (event.kind === "SubOrchestrationInstanceCreated") last.set(`child ${event.instanceId}`, event.eventId);
  }
  return new Set(last.values());
}
