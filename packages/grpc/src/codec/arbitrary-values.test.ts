// Arbitrary values of each kind that crosses the seam, for the properties of the codec. What is generated is what our own parts make: an empty
// list or table stands as none, as they leave it out.

import fc from "fast-check";
import type {
  Action,
  ActionKind,
  ActivityOutcome,
  ActivityWorkItem,
  CleanEntityStorageRequest,
  EntityAction,
  EntityCaller,
  EntityFilter,
  EntityOperationEvent,
  EntityOutcome,
  EntitySnapshot,
  EntityWorkItem,
  EventKind,
  Failure,
  HistoryEvent,
  InstanceFilter,
  InstancePayloads,
  InstanceRecord,
  InstanceSnapshot,
  OrchestrationOutcome,
  OrchestrationWorkItem,
  Outstanding,
  ParentLink,
  SignalEntityRequest,
  StartRequest,
  WorkerInterest,
} from "ostinato/contract";

type Model<T> = { [K in keyof T]-?: fc.Arbitrary<Exclude<T[K], undefined>> };
/** The names of the fields that are always there. */
type Needed<T> = { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T];

/** A record of these fields; those that are not needed may be left out. */
function of<T extends object>(needed: readonly Needed<T>[], model: Model<T>): fc.Arbitrary<T> {
  return fc.record(model, { requiredKeys: [...needed] as never[], noNullPrototype: true }) as unknown as fc.Arbitrary<T>;
}

const text = fc.string({ unit: "binary", maxLength: 12 });
const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).filter((each) => each.trim() !== "" && !/[\p{Cc}]/u.test(each));
const id = word.filter((each) => !each.startsWith("@"));
const whole = fc.nat(2 ** 31 - 1);
const number = fc.integer({ min: -1, max: 2 ** 31 - 1 });
const instant = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 253_402_300_799_999 }));
const ms = fc.integer({ min: 0, max: 2 ** 45 });
const tags = fc.dictionary(fc.oneof(word, fc.constant("__proto__")), text, { minKeys: 1, maxKeys: 3, noNullPrototype: true });
/** A payload may be there and be empty. */
const payload = fc.oneof(fc.constant(""), text);
const json = fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const trace = fc.oneof(fc.constant("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), text);

/** A failure, sometimes one that only JSON can say. */
export const failure: fc.Arbitrary<Failure> = fc.letrec<{ failure: Failure }>((tie) => ({
  failure: of<Failure>(["errorType", "message"], {
    errorType: fc.oneof(word, fc.constant("")),
    message: payload,
    stack: payload,
    inner: fc.oneof({ depthSize: "small", maxDepth: 9 }, fc.constant({ errorType: "Error", message: "deepest" }), tie("failure")),
    nonRetriable: fc.boolean(),
    properties: fc.dictionary(fc.oneof(word, fc.constant("__proto__")), json, { maxKeys: 3, noNullPrototype: true }),
  }),
})).failure;

const parent = of<ParentLink>(["instanceId", "executionId", "name", "taskScheduledId"], {
  instanceId: id,
  executionId: word,
  name: word,
  version: text,
  taskScheduledId: number,
});
const head = { eventId: number, timestamp: instant };
/** `isCut` is said by whoever reads a history, and written by nobody. */
type Headed = "eventId" | "timestamp" | "kind" | "isCut";
type EventOf<K extends EventKind> = Extract<HistoryEvent, { readonly kind: K }>;

function event<K extends EventKind>(
  kind: K,
  needed: readonly Needed<Omit<EventOf<K>, Headed>>[],
  model: Model<Omit<EventOf<K>, Headed>>,
): fc.Arbitrary<EventOf<K>> {
  return of<EventOf<K>>(["kind", "eventId", "timestamp", ...needed] as never, { kind: fc.constant(kind), ...head, ...model } as never);
}

const entityName = word.filter((each) => !each.includes("@") && each.toLowerCase() === each && each.toLowerCase().toLowerCase() === each);
const entityIdOf = fc.tuple(entityName, word).map(([name, key]) => `@${name}@${key}`);
const lockSet = fc.uniqueArray(entityIdOf, { minLength: 1, maxLength: 3 }).map((ids) => ids.sort());
const caller = of<EntityCaller>(["instanceId", "executionId"], { instanceId: id, executionId: word });
const operation = { requestId: word, operation: word, input: payload, scheduledAt: instant, traceContext: trace };

const raised = event("EventRaised", ["name"], { name: word, input: payload });
const called = { name: word, version: text, input: payload, tags, traceContext: trace };
const started = event("ExecutionStarted", ["instanceId", "executionId", "name"], {
  instanceId: id,
  executionId: word,
  ...called,
  parent,
  scheduledAt: instant,
  lineage: word,
  validated: fc.boolean(),
  carriedEvents: fc.array(raised, { minLength: 1, maxLength: 2 }),
});

/** One arbitrary for each kind of event. */
export const EVENTS: { readonly [K in EventKind]: fc.Arbitrary<EventOf<K>> } = {
  OrchestratorStarted: event("OrchestratorStarted", [], {}),
  ExecutionStarted: started,
  ExecutionCompleted: event("ExecutionCompleted", ["status"], {
    status: fc.constantFrom("COMPLETED", "FAILED", "TERMINATED"),
    result: payload,
    failure,
  }),
  ExecutionSuspended: event("ExecutionSuspended", [], { reason: payload }),
  ExecutionResumed: event("ExecutionResumed", [], { reason: payload }),
  ExecutionTerminated: event("ExecutionTerminated", ["recursive"], { output: payload, recursive: fc.boolean(), after: word }),
  ExecutionRewound: event("ExecutionRewound", [], { reason: payload, start: started }),
  TaskScheduled: event("TaskScheduled", ["name"], called),
  TaskCompleted: event("TaskCompleted", ["taskScheduledId"], { taskScheduledId: number, result: payload }),
  TaskFailed: event("TaskFailed", ["taskScheduledId", "failure"], { taskScheduledId: number, failure }),
  TimerCreated: event("TimerCreated", ["fireAt"], { fireAt: instant }),
  TimerFired: event("TimerFired", ["fireAt", "timerId"], { fireAt: instant, timerId: number }),
  TimerCancelled: event("TimerCancelled", ["timerId"], { timerId: number }),
  SubOrchestrationInstanceCreated: event("SubOrchestrationInstanceCreated", ["instanceId", "name"], { instanceId: id, ...called }),
  SubOrchestrationInstanceCompleted: event("SubOrchestrationInstanceCompleted", ["taskScheduledId"], {
    taskScheduledId: number,
    result: payload,
  }),
  SubOrchestrationInstanceFailed: event("SubOrchestrationInstanceFailed", ["taskScheduledId", "failure"], {
    taskScheduledId: number,
    failure,
  }),
  EventSent: event("EventSent", ["instanceId", "name"], { instanceId: id, name: word, input: payload }),
  EventRaised: raised,
  EntityOperationSignaled: event("EntityOperationSignaled", ["entityId", "requestId", "operation"], { entityId: entityIdOf, ...operation }),
  EntityOperationCalled: event("EntityOperationCalled", ["entityId", "requestId", "operation"], {
    entityId: entityIdOf,
    ...operation,
    caller,
  }),
  EntityOperationCompleted: event("EntityOperationCompleted", ["requestId"], { requestId: word, result: payload }),
  EntityOperationFailed: event("EntityOperationFailed", ["requestId", "failure"], { requestId: word, failure }),
  EntityLockRequested: event("EntityLockRequested", ["criticalSectionId", "lockSet", "position"], {
    criticalSectionId: word,
    lockSet,
    position: fc.nat(3),
    caller,
  }),
  EntityLockGranted: event("EntityLockGranted", ["criticalSectionId"], { criticalSectionId: word }),
  EntityUnlockSent: event("EntityUnlockSent", ["criticalSectionId", "entityId"], {
    criticalSectionId: word,
    entityId: entityIdOf,
    caller,
    withdraws: fc.record({ lockSet, position: fc.nat(3) }, { noNullPrototype: true }),
  }),
};

const events = fc.array(fc.oneof(...(Object.values(EVENTS) as fc.Arbitrary<HistoryEvent>[])), { maxLength: 4 });

type ActionOf<K extends ActionKind> = Extract<Action, { readonly kind: K }>;

function action<K extends ActionKind>(
  kind: K,
  needed: readonly Needed<Omit<ActionOf<K>, "kind" | "id">>[],
  model: Model<Omit<ActionOf<K>, "kind" | "id">>,
): fc.Arbitrary<ActionOf<K>> {
  return of<ActionOf<K>>(["kind", "id", ...needed] as never, { kind: fc.constant(kind), id: number, ...model } as never);
}

/** One arbitrary for each kind of action. */
export const ACTIONS: { readonly [K in ActionKind]: fc.Arbitrary<ActionOf<K>> } = {
  scheduleTask: action("scheduleTask", ["name", "attempt", "firstId"], {
    ...called,
    attempt: fc.integer({ min: 1, max: 1_000 }),
    firstId: number,
    attemptTimeoutMs: ms,
    expiresAt: instant,
  }),
  createSubOrchestration: action("createSubOrchestration", ["instanceId", "executionId", "name"], {
    instanceId: id,
    executionId: word,
    ...called,
    rewinds: of<{ readonly reason?: string }>([], { reason: payload }),
  }),
  createTimer: action("createTimer", ["fireAt"], { fireAt: instant }),
  cancelTimer: action("cancelTimer", [], {}),
  sendEvent: action("sendEvent", ["instanceId", "name"], { instanceId: id, name: word, input: payload }),
  signalEntity: action("signalEntity", ["entityId", "requestId", "operation"], { entityId: entityIdOf, ...operation }),
  callEntity: action("callEntity", ["entityId", "requestId", "operation"], { entityId: entityIdOf, ...operation }),
  lockEntities: action("lockEntities", ["criticalSectionId", "lockSet"], { criticalSectionId: word, lockSet }),
  unlockEntity: action("unlockEntity", ["criticalSectionId", "entityId"], { criticalSectionId: word, entityId: entityIdOf }),
  terminateOrchestration: action("terminateOrchestration", ["instanceId", "recursive"], {
    instanceId: id,
    reason: payload,
    recursive: fc.boolean(),
  }),
  rewindOrchestration: action("rewindOrchestration", ["newHistory"], { newHistory: events }),
  completeOrchestration: action("completeOrchestration", ["status"], {
    status: fc.constantFrom("COMPLETED", "FAILED", "TERMINATED", "CONTINUED_AS_NEW"),
    result: payload,
    failure,
    newVersion: payload,
    tags,
    carriedEvents: fc.array(raised, { minLength: 1, maxLength: 2 }),
    droppedEvents: fc.integer({ min: 1, max: 100 }),
  }),
};

// No turn schedules two activities under one id.
const actions = fc.array(fc.oneof(...(Object.values(ACTIONS) as fc.Arbitrary<Action>[])), { maxLength: 4 }).filter((all) => {
  const scheduled = all.filter((each) => each.kind === "scheduleTask").map((each) => each.id);
  return new Set(scheduled).size === scheduled.length;
});

/** A turn, with its past or with how much of it is kept. */
export const orchestrationItem: fc.Arbitrary<OrchestrationWorkItem> = of<OrchestrationWorkItem>(
  ["kind", "token", "instanceId", "executionId", "name", "past", "newEvents"],
  {
    kind: fc.constant("orchestration"),
    token: word,
    instanceId: id,
    executionId: word,
    name: word,
    version: payload,
    past: fc.oneof(
      events.map((each) => ({ events: each })),
      whole.map((kept) => ({ kept })),
    ),
    newEvents: events,
  },
);

/** A delivery of an activity. */
export const activityItem: fc.Arbitrary<ActivityWorkItem> = of<ActivityWorkItem>(
  ["kind", "token", "instanceId", "executionId", "taskId", "name", "attempt", "delivery", "idempotencyKey"],
  {
    kind: fc.constant("activity"),
    token: word,
    instanceId: id,
    executionId: word,
    taskId: number,
    ...called,
    attempt: whole,
    delivery: whole,
    idempotencyKey: word,
    timeoutMs: ms,
  },
);

/** A batch of an entity. */
export const entityItem: fc.Arbitrary<EntityWorkItem> = entityIdOf.chain((entityId) =>
  of<EntityWorkItem>(["kind", "token", "entityId", "operations"], {
    kind: fc.constant("entity"),
    token: word,
    entityId: fc.constant(entityId),
    at: instant,
    state: payload,
    operations: fc.array(
      fc
        .oneof(EVENTS.EntityOperationSignaled as fc.Arbitrary<EntityOperationEvent>, EVENTS.EntityOperationCalled)
        .map((each): EntityOperationEvent => ({ ...each, entityId })),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);

const entityAction: fc.Arbitrary<EntityAction> = fc.oneof(
  of<Extract<EntityAction, { readonly kind: "signalEntity" }>>(["kind", "entityId", "operation"], {
    kind: fc.constant("signalEntity"),
    entityId: entityIdOf,
    operation: word,
    input: payload,
    scheduledAt: instant,
    traceContext: trace,
  }),
  of<Extract<EntityAction, { readonly kind: "startOrchestration" }>>(["kind", "instanceId", "executionId", "name"], {
    kind: fc.constant("startOrchestration"),
    instanceId: id,
    executionId: word,
    ...called,
    scheduledAt: instant,
    validated: fc.boolean(),
  }),
);

/** What became of a batch, whatever it is. */
export const entityOutcome: fc.Arbitrary<EntityOutcome> = fc.oneof(
  {
    weight: 3,
    arbitrary: of<Extract<EntityOutcome, { readonly kind: "batch" }>>(["kind", "token", "results", "actions"], {
      kind: fc.constant("batch"),
      token: word,
      results: fc.array(
        fc.oneof(
          of<{ readonly kind: "succeeded"; readonly result?: string }>(["kind"], { kind: fc.constant("succeeded"), result: payload }),
          failure.map((each) => ({ kind: "failed" as const, failure: each })),
        ),
        { maxLength: 3 },
      ),
      actions: fc.array(entityAction, { maxLength: 3 }),
      state: payload,
    }),
  },
  { weight: 1, arbitrary: fc.tuple(word, failure).map(([token, each]) => ({ kind: "failed" as const, token, failure: each })) },
  {
    weight: 1,
    arbitrary: of<Extract<EntityOutcome, { readonly kind: "abandoned" }>>(["kind", "token"], {
      kind: fc.constant("abandoned"),
      token: word,
      delayMs: ms,
      reason: payload,
    }),
  },
);

const turn = of<Extract<OrchestrationOutcome, { readonly kind: "turn" }>>(["kind", "token", "actions"], {
  kind: fc.constant("turn"),
  token: word,
  actions,
  customStatus: fc.oneof(payload, fc.constant(null)),
  acceptedInput: payload,
  awaitedEvents: fc.array(word, { minLength: 1, maxLength: 3 }),
  keptBytes: fc.nat(2 ** 40),
  eventsProcessed: fc.integer({ min: 1, max: 1_000 }),
});

/** What became of a turn, whatever it is. */
export const orchestrationOutcome: fc.Arbitrary<OrchestrationOutcome> = fc.oneof(
  { weight: 4, arbitrary: turn },
  { weight: 1, arbitrary: word.map((token) => ({ kind: "needs-history" as const, token })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(word, fc.constantFrom("non-determinism", "non-durable-wait", "set-aside", "not-registered", "version"), payload)
      .map(([token, kind, reason]) => ({ kind: "stalled" as const, token, stall: { kind, reason } })),
  },
  {
    weight: 1,
    arbitrary: of<Extract<OrchestrationOutcome, { readonly kind: "abandoned" }>>(["kind", "token"], {
      kind: fc.constant("abandoned"),
      token: word,
      reason: payload,
    }),
  },
);

/** What became of an activity, whatever it is. */
export const activityOutcome: fc.Arbitrary<ActivityOutcome> = fc.oneof(
  of<Extract<ActivityOutcome, { readonly kind: "completed" }>>(["kind", "token"], {
    kind: fc.constant("completed"),
    token: word,
    result: payload,
  }),
  fc.tuple(word, failure).map(([token, each]) => ({ kind: "failed" as const, token, failure: each })),
  of<Extract<ActivityOutcome, { readonly kind: "abandoned" }>>(["kind", "token"], {
    kind: fc.constant("abandoned"),
    token: word,
    delayMs: ms,
    undone: fc.boolean(),
  }),
);

const status = fc.constantFrom("PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED");

const record = of<InstanceRecord>(
  [
    "number",
    "id",
    "kind",
    "name",
    "executionId",
    "lineage",
    "status",
    "createdAt",
    "updatedAt",
    "epoch",
    "turn",
    "generation",
    "historyLength",
    "lastTurnAt",
    "attempts",
    "held",
    "dropped",
  ],
  {
    number: whole,
    id,
    kind: fc.constantFrom("orchestration", "entity"),
    name: word,
    version: payload,
    executionId: word,
    lineage: word,
    status,
    createdAt: instant,
    scheduledAt: instant,
    startedAt: instant,
    updatedAt: instant,
    completedAt: instant,
    parent,
    tags,
    traceContext: trace,
    epoch: whole,
    turn: whole,
    generation: whole,
    historyLength: whole,
    lastTurnAt: instant,
    attempts: whole,
    held: fc.boolean(),
    notBefore: instant,
    stall: fc.record(
      { kind: fc.constantFrom("set-aside", "version"), reason: text, since: instant, attempts: whole },
      { noNullPrototype: true },
    ),
    awaitedEvents: fc.array(word, { maxLength: 2 }),
    sections: fc.array(fc.record({ id: word, lockSet, granted: fc.boolean() }, { noNullPrototype: true }), { minLength: 1, maxLength: 2 }),
    lockedBy: fc.record({ instanceId: id, executionId: word, criticalSectionId: word }, { noNullPrototype: true }),
    dropped: whole,
  },
);
const payloads = of<InstancePayloads>([], { input: payload, output: payload, customStatus: payload, failure, state: payload });
const outstanding = of<Outstanding>(["at", "activities", "activityCount", "dueMessages", "laterMessages", "isClaimed"], {
  at: instant,
  activities: fc.array(
    fc.record(
      { taskId: whole, name: word, attempt: whole, deliveries: whole, isOut: fc.boolean(), since: instant },
      { noNullPrototype: true },
    ),
    { maxLength: 2 },
  ),
  activityCount: whole,
  dueMessages: whole,
  oldestDueAt: instant,
  laterMessages: whole,
  isClaimed: fc.boolean(),
});

/** What a reader is told of an instance. */
export const snapshot: fc.Arbitrary<InstanceSnapshot> = of<InstanceSnapshot>(["record", "payloads", "waitingFor"], {
  record,
  payloads,
  waitingFor: fc.array(text, { maxLength: 2 }),
  outstanding,
});

/** A list of statuses in the order of a life, each once, that does not contradict itself. */
const dedupeStatuses = fc
  .subarray(["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"] as const)
  .filter(
    (each) => !each.includes("TERMINATED") || (["PENDING", "RUNNING", "SUSPENDED"] as const).every((running) => each.includes(running)),
  );

/** A start. */
export const startRequest: fc.Arbitrary<StartRequest> = of<StartRequest>(["instanceId", "executionId", "name"], {
  instanceId: id,
  executionId: word,
  ...called,
  startAt: instant,
  validated: fc.constant(true),
  dedupeStatuses,
});

/** A filter. */
export const filter: fc.Arbitrary<InstanceFilter> = of<InstanceFilter>([], {
  kind: fc.constantFrom("orchestration", "entity"),
  name: word,
  status: fc.array(status, { maxLength: 3 }),
  idPrefix: text,
  createdFrom: instant,
  createdTo: instant,
  completedFrom: instant,
  completedTo: instant,
  parent: id,
  stalled: fc.boolean(),
  tags,
  updatedFrom: instant,
  updatedTo: instant,
  hasState: fc.boolean(),
  locked: fc.boolean(),
});

/** A signal. */
export const signalRequest: fc.Arbitrary<SignalEntityRequest> = of<SignalEntityRequest>(["entityId", "operation", "requestId"], {
  entityId: entityIdOf,
  ...operation,
});

/** What a reader is told of an entity. */
export const entitySnapshot: fc.Arbitrary<EntitySnapshot> = of<EntitySnapshot>(
  ["entityId", "lastModifiedAt", "backlogQueueSize", "hasState"],
  {
    entityId: entityIdOf,
    lastModifiedAt: instant,
    backlogQueueSize: whole,
    lockedBy: id,
    hasState: fc.boolean(),
    state: payload,
    stall: fc.record(
      { kind: fc.constantFrom("set-aside", "version"), reason: text, since: instant, attempts: whole },
      { noNullPrototype: true },
    ),
  },
);

/** Which entities are listed. */
export const entityFilter: fc.Arbitrary<EntityFilter> = of<EntityFilter>(["includeState", "includeTransient"], {
  idPrefix: fc.oneof(entityIdOf, text),
  lastModifiedFrom: instant,
  lastModifiedTo: instant,
  includeState: fc.boolean(),
  includeTransient: fc.boolean(),
});

/** What is to be cleaned up. */
export const cleaning: fc.Arbitrary<CleanEntityStorageRequest> = fc.record(
  { removeEmptyEntities: fc.boolean(), releaseOrphanedLocks: fc.boolean() },
  { noNullPrototype: true },
);

const names = fc.oneof(fc.constant("any" as const), fc.uniqueArray(word, { maxLength: 3 }));

/** What a worker takes. */
export const interest: fc.Arbitrary<WorkerInterest> = fc
  .record(
    {
      orchestrators: names,
      activities: names,
      entities: fc.oneof(fc.constant("any" as const), fc.uniqueArray(entityName, { maxLength: 3 })),
      maxConcurrentOrchestrations: whole,
      maxConcurrentActivities: whole,
      maxConcurrentEntities: whole,
      warmBytes: ms,
      warmIdleMs: ms,
    },
    { noNullPrototype: true },
  )
  .chain((each): fc.Arbitrary<WorkerInterest> => {
    const [first] = each.orchestrators === "any" ? [] : each.orchestrators;
    if (first === undefined) return fc.constant(each);
    return fc
      .uniqueArray(payload, { minLength: 1, maxLength: 2 })
      .map((versions) => ({ ...each, orchestratorVersions: Object.fromEntries([[first, versions]]) }));
  });

export { actions, id, instant, payload, word };
