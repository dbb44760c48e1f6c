// action-appliers: each kind of action, and the rows it becomes.
//
// Owns:    the exhaustive table action kind → rows of the commit.
// Is told: the action, and the draft (which knows the record, the turn's time, and the room there is).
// Always:  A1 a turn that ends its execution leaves no activity and no timer behind; events it sends and children it starts go out all the same.
//          A2 message ids are made from execution, turn and action, so that writing a turn twice is writing it once. A timer's has no turn, so
//             that it can be taken back; but under a number that does not count on (a worker of another SDK) nobody takes one back.
//          A3 no two messages of an instance have one id, however its worker counts: no event is taken for the repetition of another one.
//          A4 what cannot be sent is answered in its place: an address that nobody can have leaves no call waiting.

import type { Action, ActionKind, CallEntity, CreateSubOrchestration, LockEntities, ScheduleTask } from "../contract/actions.ts";
import type { ExecutionStarted } from "../contract/events.ts";
import { isEntityId, entityRecordName, type EntityId, type MessageId } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";
import { given, type Writable } from "../contract/recorded-as.ts";
import { servedText, takes, type Served } from "../contract/served.ts";
import { expiryMessageId, timerMessageId } from "./close-activity.ts";
import { EPOCHS_PER_TURN, type ActivityRow } from "./commit.ts";
import { isInSection, letGo, lockOrder, type Sections } from "./entity-locks.ts";
import { knownEntityId, lockMessage, operationMessage } from "./entity-messages.ts";
import { rewindMessage } from "./rewind.ts";
import { newInstanceRecord, startMessage } from "./start.ts";

/** What the process that commits has room for, and what it does with names that nobody serves. */
export interface Room {
  readonly activities: Served;
  activitySlots: number;
  readonly orchestrators: Served;
  orchestrationSlots: number;
  /** By the names of their records (`@name`). */
  readonly entities: Served;
  /** Names that somebody else here has, where this worker takes any: what is scheduled under them is theirs, and not born claimed. */
  readonly leftToOthers?: { readonly activities: ReadonlySet<string>; readonly orchestrators: ReadonlySet<string> };
  /** Work for a name that is served here by nobody fails at once, instead of waiting. */
  readonly failUnregistered: boolean;
}

/** The commit in the making. */
export interface Draft {
  readonly record: InstanceRecord;
  readonly at: Instant;
  readonly room: Room;
  readonly ending: "COMPLETED" | "FAILED" | "TERMINATED" | "CONTINUED_AS_NEW" | undefined;
  readonly messages: Message[];
  readonly activities: ActivityRow[];
  readonly cancelled: MessageId[];
  /** The critical sections as the actions so far leave them. */
  sections: Sections;
  /** The highest number so far of what makes messages, from 1: our own programs go on counting. */
  counted: number;
}

/** A draft to which nothing has been added yet. */
export function newDraft(record: InstanceRecord, at: Instant, room: Room, ending: Draft["ending"]): Draft {
  return { record, at, room, ending, messages: [], activities: [], cancelled: [], sections: record.sections, counted: 0 };
}

type Appliers = { readonly [K in ActionKind]: (draft: Draft, action: Extract<Action, { kind: K }>) => void };

const appliers: Appliers = {
  scheduleTask(draft, action) {
    if (draft.ending === undefined) scheduleTask(draft, action);
  },
  createSubOrchestration(draft, action) {
    if (draft.ending !== "TERMINATED") startChild(draft, action);
  },
  createTimer(draft, action) {
    if (draft.ending !== undefined) return;
    draft.messages.push(
      toSelf(draft, timerMessageId(draft.record.executionId, action.id) + unlessCounted(draft, action.id), action.fireAt, {
        kind: "TimerFired",
        eventId: -1,
        timestamp: action.fireAt,
        timerId: action.id,
        fireAt: action.fireAt,
      }),
    );
  },
  cancelTimer(draft, action) {
    draft.cancelled.push(timerMessageId(draft.record.executionId, action.id));
  },
  sendEvent(draft, action) {
    draft.messages.push({
      id: sentMessageId(draft, action.id),
      to: action.instanceId,
      wakes: "unless-held",
      needs: "program",
      event: { kind: "EventRaised", eventId: -1, timestamp: draft.at, name: action.name, ...given({ input: action.input }) },
    });
  },
  signalEntity(draft, action) {
    const entity = knownEntityId(action.entityId);
    // A signal that nobody can receive is an event to nobody: it is in the history, and that is all.
    if (entity === undefined) return;
    const { operation, requestId, input, scheduledAt, traceContext } = action;
    const event = {
      kind: "EntityOperationSignaled",
      eventId: -1,
      timestamp: draft.at,
      entityId: entity,
      requestId,
      operation,
      ...given({ input, scheduledAt, traceContext }),
    } as const;
    const lane = { fromOwner: false, needs: needsOf(draft.room, entity) };
    draft.messages.push(operationMessage(sentMessageId(draft, action.id), event, draft.at, lane));
  },
  callEntity(draft, action) {
    callEntity(draft, action);
  },
  lockEntities(draft, action) {
    // Who ends now will not be there when it is granted.
    if (draft.ending === undefined) lockEntities(draft, action);
  },
  unlockEntity(draft, action) {
    const entity = knownEntityId(action.entityId);
    if (entity === undefined) return;
    const { record, sections, at } = draft;
    const { message, ...left } = letGo(record, sections, action.criticalSectionId, entity, sentMessageId(draft, action.id), at);
    draft.sections = left.sections;
    if (message !== undefined) draft.messages.push(message);
  },
  terminateOrchestration(draft, action) {
    draft.messages.push({
      id: sentMessageId(draft, action.id),
      to: action.instanceId,
      wakes: "always",
      needs: "engine",
      event: {
        kind: "ExecutionTerminated",
        eventId: -1,
        timestamp: draft.at,
        recursive: action.recursive,
        ...given({ output: action.reason }),
      },
    });
  },
  rewindOrchestration() {
    // A history is replaced by close-turn.
  },
  completeOrchestration() {
    // The end itself is close-turn's.
  },
};

/** Adds what an action becomes to the draft. */
export function applyAction<K extends ActionKind>(draft: Draft, action: Extract<Action, { kind: K }>): void {
  (appliers[action.kind] as (draft: Draft, action: Extract<Action, { kind: K }>) => void)(draft, action);
}

/** The id of a message that an action sends to whoever it may be. */
function sentMessageId(draft: Draft, actionId: number): MessageId {
  return `${draft.record.executionId}:${draft.record.turn + 1}:${actionId}${unlessCounted(draft, actionId)}`;
}

/** Nothing for the next number; for one that was there before, or is none, what tells the message from all others. */
function unlessCounted(draft: Draft, actionId: number): string {
  if (actionId <= draft.counted) return `:${draft.record.turn + 1}:${draft.messages.length}`;
  draft.counted = actionId;
  return "";
}

function scheduleTask(draft: Draft, action: ScheduleTask): void {
  const { record, room } = draft;
  const served = takes(room.activities, action.name);
  if (!served && room.failUnregistered) {
    draft.messages.push(
      toSelf(draft, `${record.executionId}:u${action.id}`, undefined, {
        kind: "TaskFailed",
        eventId: -1,
        timestamp: draft.at,
        taskScheduledId: action.id,
        failure: notRegistered("activity", action.name, room.activities),
      }),
    );
    return;
  }
  const claimed = served && room.activitySlots > 0 && room.leftToOthers?.activities.has(action.name) !== true;
  if (claimed) room.activitySlots--;
  const row: Writable<ActivityRow> = {
    number: record.number,
    generation: record.generation,
    taskId: action.id,
    instanceId: record.id,
    executionId: record.executionId,
    name: action.name,
    attempt: action.attempt,
    idempotencyKey: `${record.lineage}:${action.firstId.toString(16).padStart(4, "0")}`,
    epoch: (record.turn + 1) * EPOCHS_PER_TURN,
    claimed,
  };
  if (action.input !== undefined) row.input = action.input;
  if (action.version !== undefined) row.version = action.version;
  if (action.tags !== undefined) row.tags = action.tags;
  if (action.attemptTimeoutMs !== undefined) row.attemptTimeoutMs = action.attemptTimeoutMs;
  if (action.expiresAt !== undefined) row.expiresAt = action.expiresAt;
  if (action.traceContext !== undefined) row.traceContext = action.traceContext;
  draft.activities.push(row);
  if (action.expiresAt !== undefined) {
    draft.messages.push(
      toSelf(draft, expiryMessageId(row), action.expiresAt, {
        kind: "TaskFailed",
        eventId: -1,
        timestamp: action.expiresAt,
        taskScheduledId: action.id,
        failure: {
          errorType: "ActivityTimeoutError",
          message: `The call of activity '${action.name}' (#${action.id}, attempt ${action.attempt}) had not completed when its total time-out was over.`,
          nonRetriable: true,
        },
      }),
    );
  }
}

/** Who can answer what is sent to an entity. */
function needsOf({ entities, failUnregistered }: Room, entity: EntityId): "program" | "engine" {
  return failUnregistered && !takes(entities, entityRecordName(entity)) ? "engine" : "program";
}

function callEntity(draft: Draft, action: CallEntity): void {
  const { record, at } = draft;
  const { requestId, operation, input, scheduledAt, traceContext } = action;
  const entity = knownEntityId(action.entityId);
  if (entity === undefined) {
    const message = `The operation '${operation}' could not be called: '${action.entityId}' is no entity's id, which is written @name@key.`;
    draft.messages.push(
      toSelf(draft, `${sentMessageId(draft, action.id)}:refused`, undefined, {
        kind: "EntityOperationFailed",
        eventId: -1,
        timestamp: at,
        requestId,
        failure: { errorType: "InvalidArgumentError", message, nonRetriable: true },
      }),
    );
    return;
  }
  const event = {
    kind: "EntityOperationCalled",
    eventId: -1,
    timestamp: at,
    entityId: entity,
    requestId,
    operation,
    ...given({ input, scheduledAt, traceContext }),
    caller: { instanceId: record.id, executionId: record.executionId },
  } as const;
  const lane = { fromOwner: isInSection(draft.sections, entity), needs: needsOf(draft.room, entity) };
  draft.messages.push(operationMessage(sentMessageId(draft, action.id), event, at, lane));
}

function lockEntities(draft: Draft, action: LockEntities): void {
  const { record, at, sections } = draft;
  const { criticalSectionId } = action;
  if (sections?.some(({ id }) => id === criticalSectionId)) return;
  const lockSet = lockOrder(action.lockSet);
  const first = lockSet[0];
  if (first === undefined) {
    // There is nothing to wait for.
    const id = `${sentMessageId(draft, action.id)}:granted`;
    draft.messages.push(toSelf(draft, id, undefined, { kind: "EntityLockGranted", eventId: -1, timestamp: at, criticalSectionId }));
    return;
  }
  draft.sections = [...(sections ?? []), { id: criticalSectionId, lockSet, granted: false }];
  draft.messages.push(
    lockMessage(
      {
        kind: "EntityLockRequested",
        eventId: -1,
        timestamp: at,
        criticalSectionId,
        lockSet,
        position: 0,
        caller: { instanceId: record.id, executionId: record.executionId },
      },
      at,
      needsOf(draft.room, first),
    ),
  );
}

function startChild(draft: Draft, action: CreateSubOrchestration): void {
  const { record, room } = draft;
  if (isEntityId(action.instanceId)) return refuseChild(draft, action);
  const served = takes(room.orchestrators, action.name);
  const isTheirs = room.leftToOthers?.orchestrators.has(action.name) === true;
  const claimed = served && room.orchestrationSlots > 0 && !isTheirs && action.rewinds === undefined;
  if (claimed) room.orchestrationSlots--;
  const event: ExecutionStarted = {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: draft.at,
    instanceId: action.instanceId,
    executionId: action.executionId,
    name: action.name,
    parent: {
      instanceId: record.id,
      executionId: record.executionId,
      name: record.name,
      taskScheduledId: action.id,
      ...given({ version: record.version }),
    },
    ...given({ version: action.version, input: action.input, tags: action.tags, traceContext: action.traceContext }),
  };
  const message =
    action.rewinds === undefined
      ? startMessage(event, !served && room.failUnregistered ? "engine" : "program")
      : rewindMessage(event, action.rewinds.reason);
  draft.messages.push({
    ...message,
    wakes: "always",
    creates: {
      record: newInstanceRecord(event, draft.at, claimed),
      payloads: given({ input: action.input }),
      claimed,
    },
  });
}

/** An entity's address starts nothing. */
function refuseChild(draft: Draft, { id, instanceId, name }: CreateSubOrchestration): void {
  const message = `The sub-orchestration '${name}' (#${id}) could not be started under the id '${instanceId}', which is an entity's; choose one that does not start with "@".`;
  draft.messages.push(
    toSelf(draft, `${sentMessageId(draft, id)}:refused`, undefined, {
      kind: "SubOrchestrationInstanceFailed",
      eventId: -1,
      timestamp: draft.at,
      taskScheduledId: id,
      failure: { errorType: "InvalidArgumentError", message, nonRetriable: true },
    }),
  );
}

function toSelf(draft: Draft, id: MessageId, visibleAt: Instant | undefined, event: Message["event"]): Message {
  const { id: to, executionId: execution } = draft.record;
  return { id, to, execution, wakes: "unless-held", needs: "program", ...(visibleAt === undefined ? {} : { visibleAt }), event };
}

/** What work fails with whose name nobody serves, where the hub says that it fails. */
export function notRegistered(
  what: "activity" | "orchestrator" | "entity",
  name: string,
  registered: Served,
): {
  readonly errorType: string;
  readonly message: string;
  readonly nonRetriable: true;
} {
  return {
    errorType: "NotRegisteredError",
    message: `No ${what} is registered under the name '${name}'. Registered: ${servedText(registered)}.`,
    nonRetriable: true,
  };
}
