// close-entity-batch: what became of a batch of an entity's operations becomes what will be written.
//
// Owns:    the commit of a batch: state, answers, what the operations sent; and of a batch of which nothing counts.
// Is told: the lease, the opened batch, its outcome, whether the entity stays warm, and what this process does with names that nobody serves.
// Tells:   one Commit, or what is wrong with the outcome.
// Always:  CE1 the commit consumes exactly the messages of the operations that have a result; the others stay, first in line (E2).
//          CE2 state, answers, signals and starts are one commit: all of it, or nothing (E3).
//          CE3 what a worker cannot have meant is written by nobody: the batch counts as failed, and is offered again later.

import type { ExecutionStarted } from "../contract/events.ts";
import { checkInstanceId, type MessageId } from "../contract/ids.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";
import { given, type Writable } from "../contract/recorded-as.ts";
import { takes, type Served } from "../contract/served.ts";
import type { EntityAction, EntityOperationResult, EntityOutcome } from "../contract/work-items.ts";
import { EMPTY_COMMIT, type Commit, type Lease } from "./commit.ts";
import { knownEntityId, operationMessage } from "./entity-messages.ts";
import type { OpenedBatch, OperationMessage } from "./open-entity.ts";
import { newInstanceRecord, startMessage } from "./start.ts";

/** The outcome that says what the operations came to. */
export type BatchOutcome = Extract<EntityOutcome, { kind: "batch" }>;

/** Around the batch: what this process does with what it sends, and with the entity. */
export interface BatchEnd {
  /** The store's reading as this process knows it. */
  readonly reading: Instant;
  /** The state before, as the worker was given it. */
  readonly before: string | undefined;
  /** The entity stays with this process. */
  readonly keep: boolean;
  readonly orchestrators: Served;
  /** By the names of their records (`@name`). */
  readonly entities: Served;
  readonly failUnregistered: boolean;
  /** A new id, for each signal that is sent. */
  readonly nextId: () => string;
}

/** What is wrong with an outcome, in words; `undefined` when it can be closed. */
export function brokenBatch({ taken }: OpenedBatch, { results }: BatchOutcome): string | undefined {
  if (results.length > taken.length)
    return `The worker answered ${results.length} operations where ${taken.length} were asked for. Nothing of them counts.`;
  if (results.length === 0) return "The worker did none of the operations, and did not say why.";
  return undefined;
}

/** Closes a batch. */
export function closeEntityBatch(lease: Lease, batch: OpenedBatch, outcome: BatchOutcome, end: BatchEnd): Commit {
  const done = batch.taken.slice(0, outcome.results.length);
  const at = Math.max(batch.at, end.reading);
  const messages: Message[] = answersTo(batch.record, done, outcome.results, at);
  // What only failed has sent nothing, whatever its worker says (E3).
  const mayHaveSent = outcome.results.some(({ kind }) => kind === "succeeded");
  let dropped = 0;
  for (const action of outcome.actions) {
    const message = !mayHaveSent
      ? undefined
      : sentBy(action, `e${lease.number}:${batch.record.turn + 1}:${done.length + messages.length}`, at, end);
    if (message === undefined) dropped++;
    else messages.push(message);
  }
  const { stall: _stall, notBefore: _notBefore, ...rest } = batch.record;
  const commit: Writable<Commit> = {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: lease.number, epoch: lease.epoch }],
    number: lease.number,
    record: {
      ...rest,
      startedAt: rest.startedAt ?? at,
      updatedAt: Math.max(at, rest.updatedAt),
      lastTurnAt: at,
      attempts: 0,
      turn: rest.turn + 1,
      dropped: rest.dropped + dropped,
    },
    consumed: done.map(({ id }) => id),
    messages,
    keep: end.keep,
  };
  if (outcome.state !== end.before) commit.payloads = { state: outcome.state ?? null };
  return commit;
}

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

/** Puts an entity off whose batch came to nothing: everything stays as it was, and is offered again, each time later. */
export function closeEntityFailed(lease: Lease, record: InstanceRecord, reason: string, reading: Instant, delayMs?: number): Commit {
  const attempts = (record.stall?.attempts ?? 0) + 1;
  const at = Math.max(reading, record.lastTurnAt);
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: lease.number, epoch: lease.epoch }],
    number: lease.number,
    record: {
      ...record,
      stall: { kind: "version", reason, since: record.stall?.since ?? at, attempts },
      notBefore: at + (delayMs ?? Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempts - 1, 20), LONGEST_DELAY_MS)),
      attempts: 0,
      turn: record.turn + 1,
      lastTurnAt: at,
    },
  };
}

/** What those who called are told, in the order of the operations. */
export function answersTo(
  record: InstanceRecord,
  operations: readonly OperationMessage[],
  results: readonly EntityOperationResult[],
  at: Instant,
): Message[] {
  const answers: Message[] = [];
  operations.forEach(({ event }, index) => {
    const result = results[index];
    if (event.kind !== "EntityOperationCalled" || event.caller === undefined || result === undefined) return;
    const { requestId } = event;
    answers.push({
      id: `e${record.number}:${record.turn + 1}:${index}`,
      to: event.caller.instanceId,
      execution: event.caller.executionId,
      wakes: "unless-held",
      needs: "program",
      event:
        result.kind === "failed"
          ? { kind: "EntityOperationFailed", eventId: -1, timestamp: at, requestId, failure: result.failure }
          : { kind: "EntityOperationCompleted", eventId: -1, timestamp: at, requestId, ...given({ result: result.result }) },
    });
  });
  return answers;
}

/** The message that an action is; `undefined` where nobody can receive it. */
function sentBy(action: EntityAction, id: MessageId, at: Instant, end: BatchEnd): Message | undefined {
  const { orchestrators, entities, failUnregistered, nextId } = end;
  const needs = (served: boolean): "program" | "engine" => (!served && failUnregistered ? "engine" : "program");
  if (action.kind === "signalEntity") {
    const entity = knownEntityId(action.entityId);
    if (entity === undefined) return undefined;
    const { operation, input, scheduledAt, traceContext } = action;
    const event = {
      kind: "EntityOperationSignaled",
      eventId: -1,
      timestamp: at,
      entityId: entity,
      requestId: nextId(),
      operation,
      ...given({ input, scheduledAt, traceContext }),
    } as const;
    const message = operationMessage(id, event, at, { fromOwner: false, needs: "program" });
    return { ...message, needs: needs(takes(entities, message.creates!.record.name)) };
  }
  if (!canBeStarted(action.instanceId)) return undefined;
  const { instanceId, executionId, name, version, input, tags, validated, traceContext, scheduledAt } = action;
  const later = scheduledAt !== undefined && scheduledAt > at;
  const event: ExecutionStarted = {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: at,
    instanceId,
    executionId,
    name,
    ...given({ version, input, tags, validated, traceContext, scheduledAt: later ? scheduledAt : undefined }),
  };
  const record = newInstanceRecord(event, at, false);
  return {
    ...startMessage(event, needs(takes(orchestrators, name))),
    creates: { record: later ? { ...record, notBefore: scheduledAt } : record, payloads: given({ input }), claimed: false },
  };
}

function canBeStarted(instanceId: string): boolean {
  try {
    checkInstanceId(instanceId);
    return true;
  } catch (error) {
    if (error instanceof InvalidArgumentError) return false;
    throw error;
  }
}
