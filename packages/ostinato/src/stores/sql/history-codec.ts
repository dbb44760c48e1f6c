// history-codec: the events of one turn as one text, and back.
//
// Owns:    the written form of events: a head of numbers, a semicolon, then the texts one after the other, as they are.
// Is told: events; it looks at their kind only to choose the encoding.
// Always:  F1 decode(encode(events)) equals events, absent fields stay absent.
//          F2 a kind keeps its code for ever; a change of a kind's fields is a new format number.
//          F3 lengths count UTF-16 units; texts are not escaped.

import { StoreFormatError } from "../../contract/errors.ts";
import type { EntityCaller, EntityOperationEvent, EventKind, EventRaised, ExecutionStarted, HistoryEvent } from "../../contract/events.ts";
import type { Failure } from "../../contract/failure.ts";
import type { ParentLink, Tags, TerminalStatus } from "../../contract/instance.ts";

/** The number of the written form. Rows carry it. */
export const EVENT_FORMAT = 1;

class PartWriter {
  head = "";
  texts = "";

  number(value: number): void {
    this.head += `,${value}`;
  }

  numberOrNone(value: number | undefined): void {
    this.head += value === undefined ? ",null" : `,${value}`;
  }

  text(value: string): void {
    this.head += `,${value.length}`;
    this.texts += value;
  }

  textOrNone(value: string | undefined): void {
    if (value === undefined) this.head += ",-1";
    else this.text(value);
  }

  dataOrNone(value: object | undefined): void {
    if (value === undefined) this.head += ",-1";
    else this.text(JSON.stringify(value));
  }
}

class PartReader {
  readonly #numbers: readonly (number | null)[];
  readonly #body: string;
  #next = 0;
  #position: number;

  constructor(body: string) {
    const split = body.indexOf(";");
    if (split < 0) throw new StoreFormatError("A stored event has no head.");
    this.#numbers = JSON.parse(`[${body.slice(1, split)}]`) as (number | null)[];
    this.#body = body;
    this.#position = split + 1;
  }

  get more(): boolean {
    return this.#next < this.#numbers.length;
  }

  /** Everything that was written has been read. */
  get exhausted(): boolean {
    return this.#next === this.#numbers.length && this.#position === this.#body.length;
  }

  number(): number {
    const value = this.#numbers[this.#next++];
    if (typeof value !== "number") throw new StoreFormatError("A number is missing in a stored event.");
    return value;
  }

  numberOrNone(): number | undefined {
    return this.#numbers[this.#next++] ?? undefined;
  }

  text(): string {
    const value = this.textOrNone();
    if (value === undefined) throw new StoreFormatError("A text is missing in a stored event.");
    return value;
  }

  textOrNone(): string | undefined {
    const length = this.number();
    if (length < 0) return undefined;
    const start = this.#position;
    this.#position += length;
    return this.#body.slice(start, this.#position);
  }

  dataOrNone(): unknown {
    const text = this.textOrNone();
    return text === undefined ? undefined : JSON.parse(text);
  }
}

interface Frame {
  eventId: number;
  timestamp: number;
}

interface Form<E extends HistoryEvent> {
  readonly code: number;
  write(event: E, out: PartWriter): void;
  read(frame: Frame, from: PartReader): E;
}

const STATUSES: readonly TerminalStatus[] = ["COMPLETED", "FAILED", "TERMINATED"];

/** Sets a field that has a value: an absent one stays absent. */
function set<T extends object, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value;
}

type Loose<E> = { -readonly [K in keyof E]: E[K] };

const FORMS: { readonly [K in EventKind]: Form<Extract<HistoryEvent, { readonly kind: K }>> } = {
  OrchestratorStarted: {
    code: 1,
    write() {},
    read: ({ eventId, timestamp }) => ({ kind: "OrchestratorStarted", eventId, timestamp }),
  },
  ExecutionStarted: {
    code: 2,
    write(event, out) {
      out.text(event.instanceId);
      out.text(event.executionId);
      out.text(event.name);
      out.textOrNone(event.version);
      out.textOrNone(event.input);
      writeParent(event.parent, out);
      out.dataOrNone(event.tags);
      out.numberOrNone(event.scheduledAt);
      out.textOrNone(event.lineage);
      out.numberOrNone(event.validated === undefined ? undefined : Number(event.validated));
      out.textOrNone(event.traceContext);
      out.dataOrNone(event.carriedEvents);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "ExecutionStarted" }>> = {
        kind: "ExecutionStarted",
        eventId,
        timestamp,
        instanceId: from.text(),
        executionId: from.text(),
        name: from.text(),
      };
      set(event, "version", from.textOrNone());
      set(event, "input", from.textOrNone());
      set(event, "parent", readParent(from));
      set(event, "tags", from.dataOrNone() as Tags | undefined);
      set(event, "scheduledAt", from.numberOrNone());
      set(event, "lineage", from.textOrNone());
      const validated = from.numberOrNone();
      set(event, "validated", validated === undefined ? undefined : validated === 1);
      set(event, "traceContext", from.textOrNone());
      set(event, "carriedEvents", from.dataOrNone() as readonly EventRaised[] | undefined);
      return event;
    },
  },
  ExecutionCompleted: {
    code: 3,
    write(event, out) {
      out.number(STATUSES.indexOf(event.status));
      out.textOrNone(event.result);
      out.dataOrNone(event.failure);
    },
    read({ eventId, timestamp }, from) {
      const status = STATUSES[from.number()];
      if (status === undefined) throw new StoreFormatError("A stored event has an unknown status.");
      const event: Loose<Extract<HistoryEvent, { kind: "ExecutionCompleted" }>> = {
        kind: "ExecutionCompleted",
        eventId,
        timestamp,
        status,
      };
      set(event, "result", from.textOrNone());
      set(event, "failure", from.dataOrNone() as Failure | undefined);
      return event;
    },
  },
  ExecutionSuspended: {
    code: 4,
    write: (event, out) => out.textOrNone(event.reason),
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "ExecutionSuspended" }>> = { kind: "ExecutionSuspended", eventId, timestamp };
      set(event, "reason", from.textOrNone());
      return event;
    },
  },
  ExecutionResumed: {
    code: 5,
    write: (event, out) => out.textOrNone(event.reason),
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "ExecutionResumed" }>> = { kind: "ExecutionResumed", eventId, timestamp };
      set(event, "reason", from.textOrNone());
      return event;
    },
  },
  ExecutionTerminated: {
    code: 6,
    write(event, out) {
      out.textOrNone(event.output);
      out.number(event.recursive ? 1 : 0);
      out.textOrNone(event.after);
    },
    read({ eventId, timestamp }, from) {
      const output = from.textOrNone();
      const recursive = from.number() === 1;
      const event: Loose<Extract<HistoryEvent, { kind: "ExecutionTerminated" }>> = {
        kind: "ExecutionTerminated",
        eventId,
        timestamp,
        recursive,
      };
      set(event, "output", output);
      set(event, "after", from.textOrNone());
      return event;
    },
  },
  ExecutionRewound: {
    code: 18,
    write(event, out) {
      out.textOrNone(event.reason);
      out.dataOrNone(event.start);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "ExecutionRewound" }>> = { kind: "ExecutionRewound", eventId, timestamp };
      set(event, "reason", from.textOrNone());
      set(event, "start", from.dataOrNone() as ExecutionStarted | undefined);
      return event;
    },
  },
  TaskScheduled: {
    code: 7,
    write(event, out) {
      out.text(event.name);
      out.textOrNone(event.version);
      out.textOrNone(event.input);
      out.dataOrNone(event.tags);
      out.textOrNone(event.traceContext);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "TaskScheduled" }>> = {
        kind: "TaskScheduled",
        eventId,
        timestamp,
        name: from.text(),
      };
      set(event, "version", from.textOrNone());
      set(event, "input", from.textOrNone());
      set(event, "tags", from.dataOrNone() as Tags | undefined);
      set(event, "traceContext", from.textOrNone());
      return event;
    },
  },
  TaskCompleted: {
    code: 8,
    write(event, out) {
      out.number(event.taskScheduledId);
      out.textOrNone(event.result);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "TaskCompleted" }>> = {
        kind: "TaskCompleted",
        eventId,
        timestamp,
        taskScheduledId: from.number(),
      };
      set(event, "result", from.textOrNone());
      return event;
    },
  },
  TaskFailed: {
    code: 9,
    write(event, out) {
      out.number(event.taskScheduledId);
      out.dataOrNone(event.failure);
    },
    read: ({ eventId, timestamp }, from) => ({
      kind: "TaskFailed",
      eventId,
      timestamp,
      taskScheduledId: from.number(),
      failure: readFailure(from),
    }),
  },
  TimerCreated: {
    code: 10,
    write: (event, out) => out.number(event.fireAt),
    read: ({ eventId, timestamp }, from) => ({ kind: "TimerCreated", eventId, timestamp, fireAt: from.number() }),
  },
  TimerFired: {
    code: 11,
    write(event, out) {
      out.number(event.timerId);
      out.number(event.fireAt);
    },
    read: ({ eventId, timestamp }, from) => ({ kind: "TimerFired", eventId, timestamp, timerId: from.number(), fireAt: from.number() }),
  },
  TimerCancelled: {
    code: 17,
    write: (event, out) => out.number(event.timerId),
    read: ({ eventId, timestamp }, from) => ({ kind: "TimerCancelled", eventId, timestamp, timerId: from.number() }),
  },
  SubOrchestrationInstanceCreated: {
    code: 12,
    write(event, out) {
      out.text(event.instanceId);
      out.text(event.name);
      out.textOrNone(event.version);
      out.textOrNone(event.input);
      out.dataOrNone(event.tags);
      out.textOrNone(event.traceContext);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "SubOrchestrationInstanceCreated" }>> = {
        kind: "SubOrchestrationInstanceCreated",
        eventId,
        timestamp,
        instanceId: from.text(),
        name: from.text(),
      };
      set(event, "version", from.textOrNone());
      set(event, "input", from.textOrNone());
      set(event, "tags", from.dataOrNone() as Tags | undefined);
      set(event, "traceContext", from.textOrNone());
      return event;
    },
  },
  SubOrchestrationInstanceCompleted: {
    code: 13,
    write(event, out) {
      out.number(event.taskScheduledId);
      out.textOrNone(event.result);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "SubOrchestrationInstanceCompleted" }>> = {
        kind: "SubOrchestrationInstanceCompleted",
        eventId,
        timestamp,
        taskScheduledId: from.number(),
      };
      set(event, "result", from.textOrNone());
      return event;
    },
  },
  SubOrchestrationInstanceFailed: {
    code: 14,
    write(event, out) {
      out.number(event.taskScheduledId);
      out.dataOrNone(event.failure);
    },
    read: ({ eventId, timestamp }, from) => ({
      kind: "SubOrchestrationInstanceFailed",
      eventId,
      timestamp,
      taskScheduledId: from.number(),
      failure: readFailure(from),
    }),
  },
  EventSent: {
    code: 15,
    write(event, out) {
      out.text(event.instanceId);
      out.text(event.name);
      out.textOrNone(event.input);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "EventSent" }>> = {
        kind: "EventSent",
        eventId,
        timestamp,
        instanceId: from.text(),
        name: from.text(),
      };
      set(event, "input", from.textOrNone());
      return event;
    },
  },
  EventRaised: {
    code: 16,
    write(event, out) {
      out.text(event.name);
      out.textOrNone(event.input);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<Extract<HistoryEvent, { kind: "EventRaised" }>> = { kind: "EventRaised", eventId, timestamp, name: from.text() };
      set(event, "input", from.textOrNone());
      return event;
    },
  },
  EntityOperationSignaled: {
    code: 19,
    write: writeOperation,
    read: ({ eventId, timestamp }, from) => ({ kind: "EntityOperationSignaled", eventId, timestamp, ...readOperation(from) }),
  },
  EntityOperationCalled: {
    code: 20,
    write(event, out) {
      writeOperation(event, out);
      writeCaller(event.caller, out);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<EventOf<"EntityOperationCalled">> = { kind: "EntityOperationCalled", eventId, timestamp, ...readOperation(from) };
      set(event, "caller", readCaller(from));
      return event;
    },
  },
  EntityOperationCompleted: {
    code: 21,
    write(event, out) {
      out.text(event.requestId);
      out.textOrNone(event.result);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<EventOf<"EntityOperationCompleted">> = {
        kind: "EntityOperationCompleted",
        eventId,
        timestamp,
        requestId: from.text(),
      };
      set(event, "result", from.textOrNone());
      return event;
    },
  },
  EntityOperationFailed: {
    code: 22,
    write(event, out) {
      out.text(event.requestId);
      out.dataOrNone(event.failure);
    },
    read: ({ eventId, timestamp }, from) => ({
      kind: "EntityOperationFailed",
      eventId,
      timestamp,
      requestId: from.text(),
      failure: readFailure(from),
    }),
  },
  EntityLockRequested: {
    code: 23,
    write(event, out) {
      out.text(event.criticalSectionId);
      writeTexts(event.lockSet, out);
      out.number(event.position);
      writeCaller(event.caller, out);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<EventOf<"EntityLockRequested">> = {
        kind: "EntityLockRequested",
        eventId,
        timestamp,
        criticalSectionId: from.text(),
        lockSet: readTexts(from),
        position: from.number(),
      };
      set(event, "caller", readCaller(from));
      return event;
    },
  },
  EntityLockGranted: {
    code: 24,
    write: (event, out) => out.text(event.criticalSectionId),
    read: ({ eventId, timestamp }, from) => ({ kind: "EntityLockGranted", eventId, timestamp, criticalSectionId: from.text() }),
  },
  EntityUnlockSent: {
    code: 25,
    write(event, out) {
      out.text(event.criticalSectionId);
      out.text(event.entityId);
      writeCaller(event.caller, out);
      out.numberOrNone(event.withdraws?.position);
      if (event.withdraws !== undefined) writeTexts(event.withdraws.lockSet, out);
    },
    read({ eventId, timestamp }, from) {
      const event: Loose<EventOf<"EntityUnlockSent">> = {
        kind: "EntityUnlockSent",
        eventId,
        timestamp,
        criticalSectionId: from.text(),
        entityId: from.text(),
      };
      set(event, "caller", readCaller(from));
      const position = from.numberOrNone();
      if (position !== undefined) event.withdraws = { lockSet: readTexts(from), position };
      return event;
    },
  },
};

type EventOf<K extends EventKind> = Extract<HistoryEvent, { readonly kind: K }>;

const BY_CODE: (Form<HistoryEvent> | undefined)[] = [];
for (const form of Object.values(FORMS)) BY_CODE[form.code] = form;

function writeParent(parent: ParentLink | undefined, out: PartWriter): void {
  out.textOrNone(parent?.instanceId);
  if (parent === undefined) return;
  out.text(parent.executionId);
  out.text(parent.name);
  out.textOrNone(parent.version);
  out.number(parent.taskScheduledId);
}

function readParent(from: PartReader): ParentLink | undefined {
  const instanceId = from.textOrNone();
  if (instanceId === undefined) return undefined;
  const executionId = from.text();
  const name = from.text();
  const version = from.textOrNone();
  return { instanceId, executionId, name, ...(version === undefined ? {} : { version }), taskScheduledId: from.number() };
}

function writeOperation(event: EntityOperationEvent, out: PartWriter): void {
  out.text(event.entityId);
  out.text(event.requestId);
  out.text(event.operation);
  out.textOrNone(event.input);
  out.numberOrNone(event.scheduledAt);
  out.textOrNone(event.traceContext);
}

function readOperation(from: PartReader): Omit<EventOf<"EntityOperationSignaled">, "kind" | keyof Frame> {
  const operation: Loose<ReturnType<typeof readOperation>> = { entityId: from.text(), requestId: from.text(), operation: from.text() };
  set(operation, "input", from.textOrNone());
  set(operation, "scheduledAt", from.numberOrNone());
  set(operation, "traceContext", from.textOrNone());
  return operation;
}

function writeCaller(caller: EntityCaller | undefined, out: PartWriter): void {
  out.textOrNone(caller?.instanceId);
  if (caller !== undefined) out.text(caller.executionId);
}

function readCaller(from: PartReader): EntityCaller | undefined {
  const instanceId = from.textOrNone();
  return instanceId === undefined ? undefined : { instanceId, executionId: from.text() };
}

function writeTexts(texts: readonly string[], out: PartWriter): void {
  out.number(texts.length);
  for (const text of texts) out.text(text);
}

function readTexts(from: PartReader): string[] {
  const texts: string[] = [];
  for (let count = from.number(); count > 0; count--) texts.push(from.text());
  return texts;
}

function readFailure(from: PartReader): Failure {
  const failure = from.dataOrNone();
  if (failure === undefined) throw new StoreFormatError("A stored event lacks its failure.");
  return failure as Failure;
}

/** The events of one turn (or the one of a message) as one text. */
export function encodeEvents(events: readonly HistoryEvent[]): string {
  const out = new PartWriter();
  let earlier = 0;
  for (const event of events) {
    const form = FORMS[event.kind] as Form<HistoryEvent>;
    // Times as distances: within a turn nearly all of them are 0.
    out.head += `,${form.code},${event.eventId},${event.timestamp - earlier}`;
    earlier = event.timestamp;
    form.write(event, out);
  }
  return `${out.head};${out.texts}`;
}

/**
 * What `encodeEvents` wrote.
 *
 * @throws StoreFormatError when the text is damaged or of a format of a later version.
 */
export function decodeEvents(body: string, format: number): HistoryEvent[] {
  if (format !== EVENT_FORMAT)
    throw new StoreFormatError(`Stored events have format ${format}; this version reads format ${EVENT_FORMAT}. Update ostinato.`);
  const events: HistoryEvent[] = [];
  try {
    const from = new PartReader(body);
    let earlier = 0;
    while (from.more) {
      const form = BY_CODE[from.number()];
      if (form === undefined) throw new StoreFormatError("A stored event has an unknown kind.");
      const eventId = from.number();
      earlier += from.number();
      events.push(form.read({ eventId, timestamp: earlier }, from));
    }
    if (!from.exhausted) throw new StoreFormatError("Stored events are longer or shorter than they say.");
  } catch (error) {
    if (error instanceof StoreFormatError) throw error;
    throw new StoreFormatError("Stored events cannot be read.", { cause: error });
  }
  return events;
}
