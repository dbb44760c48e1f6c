// invariants: what is true of every commit and of every claim, whoever made it.
//
// Owns:    the rules that no makers of commits may break; one sentence for each.
// Is told: a commit before it is written, a claim before it is opened.
// Tells:   the sentence of the first rule that is broken, or nothing. A broken rule is a bug of ours: what breaks it is not written, and its
//          instance is set aside with the sentence as the reason.
// Always:  V1 the cost is that of walking the commit once or twice; nothing is allocated for a commit of ordinary size.
//          V2 only the commit itself is looked at: what stands in the store is the fences' affair.

import type { HistoryEvent } from "../contract/events.ts";
import { entityRecordName, isEntityId, type MessageId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord } from "../contract/instance.ts";
import type { Message, NewInstance } from "../contract/messages.ts";
import { EPOCHS_PER_TURN, type ActivityKey, type ActivityRow, type Claim, type Commit, type Fence } from "./commit.ts";

/** The sentence of the first rule that a commit breaks; `undefined` when all hold. */
export function checkCommit(commit: Commit): string | undefined {
  return (
    (commit.aside === undefined ? brokenFences(commit) : brokenAside(commit, commit.aside)) ??
    repeatedId(commit.consumed, "consumes the message") ??
    brokenMessages(commit) ??
    brokenActivities(commit) ??
    (commit.record === undefined ? brokenWithoutRecord(commit) : brokenRecord(commit, commit.record))
  );
}

/** The sentence of the first rule that a claim breaks; `undefined` when all hold. */
export function checkClaim(claim: Claim): string | undefined {
  const { record, messages } = claim;
  if (record.number !== claim.number || record.id !== claim.id)
    return `A claim of ${claim.id} (${claim.number}) carries the record of ${record.id} (${record.number}).`;
  if (record.epoch !== claim.epoch) return `A claim at epoch ${claim.epoch} carries a record at epoch ${record.epoch}.`;
  if (record.attempts !== claim.attempts)
    return `A claim that is attempt ${claim.attempts} carries a record that counts ${record.attempts}.`;
  if (!claim.held && claim.attempts < 1) return "A claim was not counted.";
  if (messages.length > MOST_MESSAGES) return `A claim hands out ${messages.length} messages at once; ${MOST_MESSAGES} are allowed.`;
  for (const message of messages) {
    if (message.number !== claim.number)
      return `A claim of ${claim.id} hands out the message ${message.id}, which lies at address ${message.number}.`;
  }
  const repeated =
    messages.length < 2
      ? undefined
      : repeatedId(
          messages.map((message) => message.id),
          "hands out the message",
        );
  if (repeated !== undefined) return repeated;
  return brokenStatus(record);
}

const MOST_MESSAGES = 1_000;
/** Up to so many, all pairs are compared; above, a set is made. */
const FEW = 16;

// ---- fences, and what is taken under them

/** Nobody would ever look for what is aside and not marked, or hear of what is marked and not aside. */
function brokenAside({ fences, finished, number, record }: Commit, { key, delivery }: NonNullable<Commit["aside"]>): string | undefined {
  const [first, second] = fences;
  if (fences.length !== 2 || first?.kind !== "instance" || first.number !== number || second?.kind !== "activity")
    return `R4 a commit puts the activity ${key.taskId} aside, and is not fenced by its instance and by it alone.`;
  if (key.number !== number || !sameActivity(second, key))
    return `R4 a commit of the address ${number} puts the activity ${key.taskId} aside and is fenced by another one.`;
  if (record?.stall?.kind !== "set-aside" || finished.length > 0 || delivery < 0)
    return `R4 the activity ${key.taskId} is put aside, and the record does not say so.`;
  return undefined;
}

function brokenFences(commit: Commit): string | undefined {
  const { fences, finished, number } = commit;
  const first = fences[0];
  const ofInstance = first !== undefined && first.kind !== "activity";
  if (commit.offersAside === true && (first?.kind !== "instance" || commit.record === undefined || commit.record.stall !== undefined))
    return "R4 a commit offers what was put aside, and leaves the mark of it in the record.";
  const folds = fences.length - (ofInstance ? 1 : 0);
  if (first?.kind === "absent" && number !== 0)
    return `A commit that makes ${first.id} names the address ${number}, which cannot be known yet.`;
  if (first?.kind === "instance" && first.number !== number)
    return `A commit about the address ${number} is fenced by the address ${first.number}.`;
  if (!ofInstance && commit.keep) return "A commit without a fence on an instance keeps a lease.";
  if (finished.length < folds) return `A commit has fences on ${folds} activities and finishes ${finished.length}.`;
  if (!ofInstance && finished.length > folds)
    return "A commit without a fence on an instance finishes an activity that it has no fence on.";
  for (let i = 0; i < finished.length; i++) {
    const key = finished[i]!;
    if (key.number !== number)
      return `A commit about the address ${number} finishes the activity ${key.taskId} of the address ${key.number}.`;
    const at = i - (finished.length - folds);
    if (at < 0) continue;
    const fence = fences[at + (ofInstance ? 1 : 0)];
    if (fence?.kind !== "activity") return "Only the first fence may be on an instance.";
    if (!sameActivity(fence, key))
      return `The fence on the activity ${fence.key.taskId} stands where the activity ${key.taskId} is finished.`;
  }
  return undefined;
}

function sameActivity(fence: Extract<Fence, { kind: "activity" }>, key: ActivityKey): boolean {
  return fence.key.number === key.number && fence.key.generation === key.generation && fence.key.taskId === key.taskId;
}

function repeatedId(ids: readonly MessageId[], does: string): string | undefined {
  if (ids.length > FEW) {
    if (new Set(ids).size === ids.length) return undefined;
    return `It ${does} ${ids.find((id, i) => ids.indexOf(id) !== i)} twice.`;
  }
  for (let i = 1; i < ids.length; i++) for (let j = 0; j < i; j++) if (ids[i] === ids[j]) return `It ${does} ${ids[i]} twice.`;
  return undefined;
}

// ---- what goes out

function brokenMessages(commit: Commit): string | undefined {
  const { messages, record } = commit;
  for (const message of messages) {
    const { event, creates } = message;
    if (event.kind === "TimerFired" && message.visibleAt !== event.fireAt)
      return `T1 the timer ${message.id} is visible at ${message.visibleAt}, and due at ${event.fireAt}.`;
    if (creates !== undefined) {
      const made = creates.record;
      const start = event.kind === "ExecutionRewound" ? event.start : event;
      if (made.kind === "entity") {
        const broken = brokenNewEntity(message, creates);
        if (broken !== undefined) return broken;
      } else if (start?.kind !== "ExecutionStarted" || made.id !== message.to || made.executionId !== start.executionId)
        return `The message ${message.id} makes an instance that it does not start.`;
      if (made.number !== 0 || made.epoch !== Number(creates.claimed) || made.attempts !== Number(creates.claimed)) {
        return `The message ${message.id} makes an instance with an address, an epoch or claims of its own.`;
      }
    }
    if (record !== undefined && isOwnErrand(message, record) && message.execution !== record.executionId)
      return `H9 the message ${message.id} is for ${message.execution}, and the instance goes on as ${record.executionId}.`;
  }
  if (messages.length <= FEW) {
    for (let i = 1; i < messages.length; i++)
      for (let j = 0; j < i; j++) if (sameMessage(messages[i], messages[j])) return `A commit sends the message ${messages[i]?.id} twice.`;
    return undefined;
  }
  return repeatedId(
    messages.map((message) => `${message.id} to ${message.to}`),
    "sends the message",
  );
}

/** What makes an entity is something for it, and makes it as it is before it has done anything. */
function brokenNewEntity({ id, to, event }: Message, { record, payloads, claimed }: NewInstance): string | undefined {
  const { kind } = event;
  if (kind !== "EntityOperationSignaled" && kind !== "EntityOperationCalled" && kind !== "EntityLockRequested")
    return `The message ${id} makes an entity and is none for it (${kind}).`;
  if (record.id !== to || !isEntityId(to)) return `The message ${id} to ${to} makes the entity ${record.id}.`;
  if (claimed || payloads.state !== undefined || record.turn !== 0)
    return `The message ${id} makes an entity that has done something already.`;
  return brokenEntity(record);
}

/** A timer or a completion of its own. (The answer to a child's start may come back to the sender too: that is for its next turn to drop.) */
function isOwnErrand({ to, event }: Message, record: InstanceRecord): boolean {
  return to === record.id && (event.kind === "TimerFired" || event.kind === "TaskCompleted" || event.kind === "TaskFailed");
}

function sameMessage(a: Message | undefined, b: Message | undefined): boolean {
  return a?.id === b?.id && a?.to === b?.to;
}

/** Each row is of this generation and turn, and has its TaskScheduled in the same commit, in the same order (H8). */
function brokenActivities(commit: Commit): string | undefined {
  const { activities, record, history } = commit;
  if (activities.length === 0) return undefined;
  if (record === undefined || history === undefined)
    return `H8 a commit schedules the activity ${activities[0]?.taskId} and writes no history.`;
  if (isTerminal(record.status)) return `C2 an instance that ends (${record.status}) schedules the activity ${activities[0]?.taskId}.`;
  const { events } = history;
  let next = 0;
  let last: ActivityRow | undefined;
  for (const row of activities) {
    if (row.taskId === last?.taskId) return `A commit schedules the activity ${row.taskId} twice.`;
    last = row;
    if (row.number !== record.number || row.generation !== record.generation || row.executionId !== record.executionId) {
      return `H9 the activity ${row.taskId} is not of the execution that goes on.`;
    }
    if (row.epoch !== record.turn * EPOCHS_PER_TURN)
      return `The activity ${row.taskId} begins at epoch ${row.epoch}, which is not that of turn ${record.turn}.`;
    while (next < events.length && !schedules(events[next], row.taskId)) next++;
    if (next === events.length) return `H8 the activity ${row.taskId} is not in the history of the commit that schedules it.`;
    next++;
  }
  return undefined;
}

function schedules(event: HistoryEvent | undefined, taskId: number): boolean {
  return event?.kind === "TaskScheduled" && event.eventId === taskId;
}

// ---- the record and the history

function brokenWithoutRecord(commit: Commit): string | undefined {
  const { history, payloads, drop } = commit;
  if (history !== undefined) return "H4 a commit writes history and leaves the record as it was.";
  if (payloads !== undefined) return "H4 a commit writes payloads and leaves the record as it was.";
  if (typeof drop === "string" && (commit.messages.length > 0 || commit.keep)) return "C5 a purge leaves something behind.";
  if (typeof drop === "object") return "H4 a commit drops an execution and leaves the record as it was.";
  return undefined;
}

function brokenRecord(commit: Commit, record: InstanceRecord): string | undefined {
  const { fences, history, drop } = commit;
  const first = fences[0];
  if (first === undefined || first.kind === "activity") return `L1 the record of ${record.id} is written without a fence on its instance.`;
  if (drop === "if-idle") return `E6 ${record.id} is cleaned up and written at once.`;
  if (drop === "everything") return brokenReplacement(commit, record);
  if (record.number !== commit.number)
    return `A commit about the address ${commit.number} writes the record of the address ${record.number}.`;
  if (first.kind === "absent" && first.id !== record.id) return `A commit that makes ${first.id} writes the record of ${record.id}.`;
  if (first.kind === "instance" && record.epoch < first.epoch)
    return `G2 the epoch of ${record.id} would go back from ${first.epoch} to ${record.epoch}.`;
  if (record.kind === "entity") return brokenStatus(record) ?? brokenEntityCommit(commit, record);
  if (commit.payloads?.state !== undefined) return `${record.id} is no entity and is given a state.`;
  const broken = brokenStatus(record) ?? (history === undefined ? undefined : brokenEvents(commit, record, history));
  if (broken !== undefined) return broken;

  if (isTerminal(record.status)) {
    if (commit.keep) return `A6 the lease of ${record.id}, which has ended, is kept.`;
    if (history !== undefined && (drop?.execution !== record.executionId || drop.generation !== record.generation)) {
      return `C2 ${record.id} ends and does not drop what is addressed to its execution.`;
    }
    for (const message of commit.messages) {
      if (isOwnErrand(message, record)) return `C2 ${record.id} ends and leaves the message ${message.id} to itself.`;
    }
  } else if (drop !== undefined) {
    if (drop.execution === record.executionId || drop.generation !== record.generation - 1)
      return `H9 ${record.id} goes on and drops what is not of the generation before.`;
    if (!startsItself(commit, record)) return `C4 ${record.id} drops its execution and starts no other.`;
  }
  return undefined;
}

/** An instance that gives way to another one of its id: the new one has an address of its own, and nothing of the old one. */
function brokenReplacement(commit: Commit, record: InstanceRecord): string | undefined {
  if (record.number !== 0 || record.epoch !== Number(commit.keep) || record.attempts !== Number(commit.keep))
    return `C7 ${record.id} is replaced by an instance with an address, an epoch or claims of its own.`;
  if (record.status !== "PENDING" || record.historyLength !== 0 || commit.history !== undefined)
    return `C7 ${record.id} is replaced by an instance that has begun.`;
  if (!startsItself(commit, record)) return `C7 ${record.id} is replaced by an instance that nothing starts.`;
  return brokenStatus(record);
}

/** An entity has no history and no activities, and goes on for ever. */
function brokenEntityCommit({ history, activities, finished, drop }: Commit, { id }: InstanceRecord): string | undefined {
  if (history !== undefined) return `H4 the entity ${id} is given a history.`;
  if (activities.length > 0 || finished.length > 0) return `The entity ${id} has activities.`;
  if (drop !== undefined) return `E6 the entity ${id} drops what an execution would.`;
  return undefined;
}

function brokenEntity(record: InstanceRecord): string | undefined {
  const { id, lockedBy } = record;
  if (!isEntityId(id) || record.name !== entityRecordName(id) || record.executionId !== id || record.lineage !== id)
    return `The entity ${id} has the record of something else.`;
  if (record.status !== "RUNNING" || record.historyLength !== 0 || record.generation !== 1)
    return `H4 the entity ${id} is ${record.status}, with ${record.historyLength} events of execution ${record.generation}.`;
  if (record.held !== (lockedBy !== undefined))
    return `E5 the entity ${id} is ${lockedBy === undefined ? "held and not locked" : "locked and not held"}.`;
  if (record.sections !== undefined) return `The entity ${id} has critical sections.`;
  return undefined;
}

function brokenStatus(record: InstanceRecord): string | undefined {
  if (record.kind === "entity") return brokenEntity(record);
  if (record.lockedBy !== undefined) return `The orchestration ${record.id} is locked, as entities are.`;
  if (record.held !== (record.status === "SUSPENDED"))
    return `The record of ${record.id} is ${record.status} and ${record.held ? "held" : "not held"}.`;
  if (!isTerminal(record.status)) return undefined;
  if (record.completedAt === undefined) return `H4 ${record.id} is ${record.status} and has no time of completion.`;
  if (record.sections !== undefined) return `E4 ${record.id} is ${record.status} and still has critical sections.`;
  if (record.stall !== undefined || record.notBefore !== undefined || record.awaitedEvents !== undefined)
    return `H4 ${record.id} is ${record.status} and still waits for something.`;
  return undefined;
}

function startsItself(commit: Commit, record: InstanceRecord): boolean {
  for (const { to, event, execution } of commit.messages) {
    if (to === record.id && event.kind === "ExecutionStarted" && event.executionId === record.executionId) return true;
    if (to === record.id && event.kind === "ExecutionRewound" && execution === record.executionId) return true;
  }
  return false;
}

function brokenEvents(commit: Commit, record: InstanceRecord, { mode, events }: NonNullable<Commit["history"]>): string | undefined {
  const isRewritten = mode === "replace" && commit.messages.some(({ to, event }) => to === record.id && event.kind === "ExecutionRewound");
  return isRewritten ? brokenRewrite(record, events) : brokenHistory(record, mode, events);
}

/** A history that a worker has rewritten: whole, of the execution that goes on, and without an end. */
function brokenRewrite(record: InstanceRecord, events: readonly HistoryEvent[]): string | undefined {
  const [first, second] = events;
  if (record.historyLength !== events.length)
    return `H4 ${record.id} counts ${record.historyLength} events when ${events.length} are written.`;
  if (record.status !== "RUNNING" || record.attempts !== 0)
    return `H4 ${record.id} is rewound, and its record says that it does not go on.`;
  if (first?.kind !== "OrchestratorStarted" || second?.kind !== "ExecutionStarted")
    return `H3 the history that ${record.id} is rewound to begins with ${first?.kind} and ${second?.kind}.`;
  for (const event of events) {
    if (event.kind === "ExecutionStarted" && (event !== second || event.executionId !== record.executionId))
      return `H3 the history that ${record.id} is rewound to starts ${event.executionId}, and it goes on as ${record.executionId}.`;
    if (event.kind === "ExecutionCompleted") return `H3 the history that ${record.id} is rewound to has an end.`;
    if (event.kind === "OrchestratorStarted" && event.timestamp > record.lastTurnAt)
      return `T3 the history that ${record.id} is rewound to has a turn at ${event.timestamp}, and its record says ${record.lastTurnAt}.`;
  }
  return undefined;
}

function brokenHistory(record: InstanceRecord, mode: "append" | "replace", events: readonly HistoryEvent[]): string | undefined {
  const begins = record.historyLength === events.length;
  if (mode === "replace" ? !begins : record.historyLength < events.length)
    return `H4 ${record.id} counts ${record.historyLength} events when ${events.length} are written (${mode}).`;
  const first = events[0];
  if (first === undefined) return mode === "append" ? `H1 a turn of ${record.id} writes no event.` : undefined;
  if (record.turn < 1) return `H1 a row of the history of ${record.id} is written under turn ${record.turn}.`;
  if (first.kind === "ExecutionSuspended" || first.kind === "ExecutionResumed") {
    if (events.length > 1 || begins || isTerminal(record.status))
      return `H3 a suspend or resume of ${record.id} writes more than its event.`;
    return undefined;
  }
  if (first.kind !== "OrchestratorStarted") return `H3 a turn of ${record.id} begins with ${first.kind}.`;
  if (first.timestamp !== record.lastTurnAt)
    return `T3 a turn of ${record.id} is written at ${first.timestamp}, and its record says ${record.lastTurnAt}.`;
  if (record.attempts !== 0) return `H4 ${record.id} counts ${record.attempts} claims since the turn that is written.`;
  if (begins !== (events[1]?.kind === "ExecutionStarted")) {
    return `H3 the first turn of ${record.id}, and no other, has ExecutionStarted as its second event.`;
  }
  const last = events.length - 1;
  for (let i = 1; i < events.length; i++) {
    const event = events[i];
    if (event?.kind === "OrchestratorStarted") return `H3 a turn of ${record.id} begins twice.`;
    if (event?.kind === "ExecutionStarted" && i > 1) return `H3 a turn of ${record.id} starts its execution twice.`;
    if (event?.kind === "ExecutionCompleted" && (i < last || event.status !== record.status))
      return `H3 ExecutionCompleted (${event.status}) of ${record.id} is not its last event, or not its status (${record.status}).`;
  }
  if (isTerminal(record.status) !== (events[last]?.kind === "ExecutionCompleted"))
    return `H3 ${record.id} is ${record.status}, and its turn ends with ${events[last]?.kind}.`;
  return undefined;
}
