// close-turn: what a turn asked for becomes what will be written.
//
// Owns:    the order in which actions become rows; the status an instance ends the turn with.
// Is told: the opened turn (which carries the time), the outcome, and what this process has room for. It never asks for either.
// Tells:   one Commit.
// Always:  C1 the commit consumes exactly the messages that its turn has taken and the activities folded into it.
//          C2 a terminal status leaves no activity and no timer behind.
//          C3 the same arguments give the same commit.
//          C4 a turn that its worker took a part of is closed as if the rest had come later.

import type { CompleteOrchestration } from "../contract/actions.ts";
import type { ExecutionStarted, HistoryEvent } from "../contract/events.ts";
import type { ExecutionId } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { nextLineage } from "../contract/lineage.ts";
import { given, recordedAs, type Writable } from "../contract/recorded-as.ts";
import type { OrchestrationOutcome } from "../contract/work-items.ts";
import { applyAction, newDraft, type Draft, type Room } from "./action-appliers.ts";
import { closeRewind } from "./close-rewind.ts";
import { releasesOf, sectionsGranted, withSections } from "./entity-locks.ts";
import type { ActivityKey, Commit, Fence, Lease, PayloadChanges } from "./commit.ts";
import { finishedRecord, startedIn, type Fold, type OpenedTurn } from "./open-turn.ts";
import { upTo } from "./partial-turn.ts";
import { startMessage } from "./start.ts";
import { tellParent } from "./tell-parent.ts";

/** The outcome that says what the program asked for. */
export type TurnOutcome = Extract<OrchestrationOutcome, { kind: "turn" }>;

/** Closes a turn. `nextExecutionId` is used if the program continues as new, or goes on after a rewind under no id of its worker's. */
export function closeTurn(lease: Lease, opened: OpenedTurn, outcome: TurnOutcome, room: Room, nextExecutionId: ExecutionId): Commit {
  const last = outcome.actions.at(-1);
  if (last?.kind === "rewindOrchestration") return closeRewind(lease, opened, last, room, nextExecutionId);
  const turn = outcome.eventsProcessed === undefined ? opened : upTo(opened, outcome.eventsProcessed);
  const commit = closeWhole(lease, turn, outcome, room, nextExecutionId);
  // What was handed out and is left in the inbox is handed out again.
  return turn === opened ? commit : { ...commit, keep: false };
}

function closeWhole(lease: Lease, turn: OpenedTurn, outcome: TurnOutcome, room: Room, nextExecutionId: ExecutionId): Commit {
  const { at } = turn;
  const newEvents = outcome.acceptedInput === undefined ? turn.newEvents : withInput(turn.newEvents, outcome.acceptedInput);
  const events: HistoryEvent[] = newEvents.slice();
  const completion = completionOf(outcome);
  const draft = newDraft(turn.record, at, room, completion?.status);
  if (draft.sections !== undefined) draft.sections = sectionsGranted(draft.sections, newEvents);
  for (const action of outcome.actions) {
    const event = recordedAs(action, at);
    if (event !== undefined) events.push(event);
    applyAction(draft, action);
  }
  const payloads = payloadChanges(turn, outcome);
  if (completion === undefined) {
    const record = withSections(goesOn(turn.record, outcome, at, events.length), draft.sections);
    return assemble(lease, turn, draft, record, payloads, events, outcome.keptBytes !== undefined);
  }
  if (completion.status === "CONTINUED_AS_NEW") return continueAsNew(lease, turn, draft, completion, payloads, nextExecutionId);

  const { status, result, failure } = completion;
  events.push({ kind: "ExecutionCompleted", eventId: -1, timestamp: at, status, ...given({ result, failure }) });
  if (draft.sections !== undefined) draft.messages.push(...releasesOf(turn.record, draft.sections, at));
  draft.messages.push(...tellParent(turn.record, status, given({ output: result, failure }), at));
  const ended = assemble(
    lease,
    turn,
    draft,
    finishedRecord(turn.record, status, at, events.length),
    { ...payloads, ...given({ output: result, failure }) },
    events,
    false,
  );
  return { ...ended, drop: { execution: turn.record.executionId, generation: turn.record.generation } };
}

function completionOf(outcome: TurnOutcome): CompleteOrchestration | undefined {
  const last = outcome.actions.at(-1);
  return last?.kind === "completeOrchestration" ? last : undefined;
}

function payloadChanges(turn: OpenedTurn, outcome: TurnOutcome): PayloadChanges | undefined {
  const input = outcome.acceptedInput ?? (turn.replaces === undefined ? undefined : (startedIn(turn.newEvents)?.input ?? null));
  if (input === undefined && outcome.customStatus === undefined && turn.replaces === undefined) return undefined;
  return {
    ...(turn.replaces === undefined ? {} : { output: null, failure: null, customStatus: null }),
    ...(input === undefined ? {} : { input }),
    ...(outcome.customStatus === undefined ? {} : { customStatus: outcome.customStatus }),
  };
}

/** The start as its worker accepted it: what the schema returned is what is recorded, and what every replay sees. */
function withInput(events: readonly HistoryEvent[], input: string): readonly HistoryEvent[] {
  return events.map((event) => (event.kind === "ExecutionStarted" ? { ...event, input, validated: true } : event));
}

function goesOn(before: InstanceRecord, outcome: TurnOutcome, at: number, newEvents: number): InstanceRecord {
  const record: Writable<InstanceRecord> = {
    ...unmarked(before),
    status: "RUNNING",
    updatedAt: at,
    lastTurnAt: at,
    attempts: 0,
    turn: before.turn + 1,
    historyLength: before.historyLength + newEvents,
  };
  record.startedAt ??= at;
  if (outcome.awaitedEvents !== undefined && outcome.awaitedEvents.length > 0) record.awaitedEvents = outcome.awaitedEvents;
  return record;
}

/** The record without what a committed turn makes untrue. */
function unmarked(record: InstanceRecord): InstanceRecord {
  if (record.stall === undefined && record.notBefore === undefined && record.awaitedEvents === undefined) return record;
  const { stall: _stall, notBefore: _notBefore, awaitedEvents: _awaited, ...rest } = record;
  return rest;
}

function assemble(
  lease: Lease,
  turn: OpenedTurn,
  draft: Draft,
  record: InstanceRecord,
  payloads: PayloadChanges | undefined,
  events: readonly HistoryEvent[],
  keep: boolean,
): Commit {
  const commit: Writable<Commit> = {
    fences: fencesOf(lease, turn),
    number: lease.number,
    record,
    history: { mode: turn.replaces === undefined ? "append" : "replace", events },
    consumed: turn.consumed,
    finished: finishedBy(turn),
    cancelled: turn.cancelled.length === 0 ? draft.cancelled : [...turn.cancelled, ...draft.cancelled],
    messages: turn.messages.length === 0 ? draft.messages : [...turn.messages, ...draft.messages],
    activities: draft.activities,
    keep,
  };
  if (payloads !== undefined) commit.payloads = payloads;
  return commit;
}

function finishedBy(turn: OpenedTurn): readonly ActivityKey[] {
  if (turn.folds.length === 0) return turn.finished;
  if (turn.folds.length === 1 && turn.finished.length === 0) return [turn.folds[0]!.claim.row];
  return [...turn.finished, ...turn.folds.map((fold) => fold.claim.row)];
}

/** The instance's epoch, and the epoch of every activity that is folded in: all hold or nothing is written. */
function fencesOf(lease: Lease, turn: OpenedTurn): Fence[] {
  const own: Fence = { kind: "instance", number: lease.number, epoch: lease.epoch };
  if (turn.folds.length === 1) return [own, fenceOf(turn.folds[0]!)];
  return [own, ...turn.folds.map(fenceOf)];
}

function fenceOf({ claim }: Fold): Fence {
  return { kind: "activity", key: claim.row, epoch: claim.epoch };
}

/**
 * A fresh execution under the same id. What the old one left unread stays in the inbox; what was addressed to it alone is dropped; buffered
 * events that no wait took travel inside the start, so that they come before everything that arrived meanwhile (I5, G7).
 */
function continueAsNew(
  lease: Lease,
  turn: OpenedTurn,
  draft: Draft,
  completion: CompleteOrchestration,
  payloads: PayloadChanges | undefined,
  executionId: ExecutionId,
): Commit {
  const { record, at } = turn;
  const { awaitedEvents: _awaited, stall: _stall, notBefore: _notBefore, sections: _sections, version, ...rest } = record;
  const nextVersion = completion.newVersion ?? version;
  const tags = Object.keys(completion.tags ?? {}).length > 0 ? completion.tags : record.tags;
  const lineage = nextLineage(record.lineage);
  const start: ExecutionStarted = {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: at,
    instanceId: record.id,
    executionId,
    name: record.name,
    lineage,
    ...given({
      version: nextVersion,
      input: completion.result,
      parent: record.parent,
      tags,
      traceContext: record.traceContext,
      carriedEvents: completion.carriedEvents?.length ? completion.carriedEvents : undefined,
    }),
  };
  if (draft.sections !== undefined) draft.messages.push(...releasesOf(record, draft.sections, at));
  draft.messages.push(startMessage(start, "program"));
  const next: InstanceRecord = {
    ...rest,
    ...given({ version: nextVersion, tags }),
    executionId,
    lineage,
    status: "RUNNING",
    startedAt: record.startedAt ?? at,
    updatedAt: at,
    lastTurnAt: at,
    attempts: 0,
    turn: record.turn + 1,
    generation: record.generation + 1,
    historyLength: 0,
    dropped: record.dropped + (completion.droppedEvents ?? 0),
  };
  const commit = assemble(lease, turn, draft, next, { ...payloads, input: completion.result ?? null }, [], true);
  return { ...commit, history: { mode: "replace", events: [] }, drop: { execution: record.executionId, generation: record.generation } };
}
