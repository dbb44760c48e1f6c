// family: a client and a worker of another SDK of the family, as a server sees them: messages made with the generated schemas, and no word of ours.
import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { TestContext } from "node:test";
import { defaultConverter, type Hub } from "ostinato";
import { createLogger, seededRandom, type LogRecord } from "ostinato/contract";
import { createMemoryHub } from "ostinato/memory";
import { createHub } from "../../../ostinato/src/hub/hub.ts";
import { limitsOf } from "../../../ostinato/src/hub/open-task-hub.ts";
import { createLocalBackend } from "../../../ostinato/src/local/local-backend.ts";
import { handClock, type HandClock } from "../../../ostinato/test/hand-clock.ts";
import { METHODS, type MethodName } from "../../src/codec/messages.ts";
import {
  HistoryEventSchema,
  OrchestrationStatus,
  OrchestratorActionSchema,
  type ActivityRequest,
  type EntityRequest,
  type HistoryEvent,
  type OrchestratorAction,
  type OrchestratorRequest,
  type WorkItem,
} from "../../src/generated/task_hub_sidecar_pb.js";
import { createTaskHubService, type ServiceOptions, type TaskHubService } from "../../src/server/task-hub-service.ts";
import { inMemoryChannel, type InMemoryChannel } from "../../src/transport/in-memory.ts";
import type { CallOptions, Metadata } from "../../src/transport/transport.ts";
import { WireError } from "../../src/transport/wire-error.ts";

type Fields<M extends MethodName> = MessageInitShape<(typeof METHODS)[M]["request"]>;
type Answer<M extends MethodName> = MessageShape<(typeof METHODS)[M]["reply"]>;

/** A served hub in memory, with virtual time. */
export interface World {
  readonly hub: FamilyHub;
  readonly service: TaskHubService;
  readonly channel: InMemoryChannel;
  readonly call: <M extends MethodName>(method: M, fields?: Fields<M>, options?: CallOptions) => Promise<Answer<M>>;
  /** All messages of a stream that ends. */
  readonly read: <M extends MethodName>(method: M, fields?: Fields<M>, options?: CallOptions) => Promise<readonly Answer<M>[]>;
  /** Opens a stream of work items. */
  readonly worker: (fields?: Fields<"GetWorkItems">, metadata?: Metadata) => ForeignWorker;
}

/** A hub on which nobody works but who comes over the wire, on time that a test moves. */
export interface FamilyHub extends Hub {
  readonly clock: HandClock;
  /** What was logged, from warnings on. */
  readonly logged: readonly LogRecord[];
}

/** Makes such a hub. */
export async function familyHub(): Promise<FamilyHub> {
  const logged: LogRecord[] = [];
  const log = createLogger({ level: "warn", sink: (record) => void logged.push(record) });
  const clock = handClock(Date.UTC(2025, 0, 1));
  const random = seededRandom(1);
  const backend = await createLocalBackend({ store: createMemoryHub({ clock }).connect(), clock, random, log });
  const hold = (): (() => void) => () => undefined;
  const hub = createHub({ backend, clock, random, log, hold, converter: defaultConverter, limits: limitsOf(), processors: 1 });
  return Object.assign(hub, { clock, logged });
}

/** Serves such a hub. */
export async function serveInMemory(t: TestContext, options: ServiceOptions = {}): Promise<World> {
  const hub = await familyHub();
  const service = createTaskHubService(hub, options);
  t.after(async () => {
    await service.close({ graceMs: 0 });
    await hub.close();
  });
  return worldOf(hub, service);
}

/** Calls to a service. */
export function worldOf(
  hub: FamilyHub,
  service: TaskHubService,
  metadata: Metadata = {},
  channel = inMemoryChannel(service, { timers: hub.clock }),
): World {
  const withMetadata = (options: CallOptions = {}): CallOptions => ({ ...options, metadata: { ...metadata, ...options.metadata } });
  const read = async <M extends MethodName>(method: M, fields?: Fields<M>, options?: CallOptions): Promise<readonly Answer<M>[]> => {
    const messages: Answer<M>[] = [];
    await new Promise<void>((resolve, reject) => {
      channel.stream(
        method,
        bytesOf(method, fields),
        {
          message: (bytes) => void messages.push(fromBinary(METHODS[method].reply as DescMessage, bytes) as Answer<M>),
          ended: (error) => (error === undefined ? resolve() : reject(error)),
        },
        withMetadata(options),
      );
    });
    return messages;
  };
  return {
    hub,
    service,
    channel,
    async call(method, fields, options) {
      const reply = await channel.unary(method, bytesOf(method, fields), withMetadata(options));
      return fromBinary(METHODS[method].reply as DescMessage, reply.message) as Answer<typeof method>;
    },
    read,
    worker: (fields, more) => foreignWorker(channel, bytesOf("GetWorkItems", fields), { ...metadata, ...more }),
  };
}

function bytesOf<M extends MethodName>(method: M, fields: Fields<M> | undefined): Uint8Array {
  const schema = METHODS[method].request as DescMessage;
  return toBinary(schema, create(schema, fields as Record<string, unknown> | undefined));
}

/** A worker's end of a stream. */
export interface ForeignWorker {
  /** The next item that is no ping. */
  next(): Promise<WorkItem>;
  turn(): Promise<{ readonly token: string; readonly request: OrchestratorRequest }>;
  activity(): Promise<{ readonly token: string; readonly request: ActivityRequest }>;
  batch(): Promise<{ readonly token: string; readonly request: EntityRequest }>;
  /** Items that have come and were not taken by `next`. */
  readonly waiting: readonly WorkItem[];
  readonly pings: number;
  /** How the stream ended: with nothing, or an error. */
  readonly ended: Promise<WireError | undefined>;
  cancel(): void;
}

function foreignWorker(channel: InMemoryChannel, request: Uint8Array, metadata: Metadata): ForeignWorker {
  const waiting: WorkItem[] = [];
  const takers: ((item: WorkItem) => void)[] = [];
  let pings = 0;
  let end!: (error?: WireError) => void;
  const ended = new Promise<WireError | undefined>((resolve) => (end = resolve));
  const stream = channel.stream(
    "GetWorkItems",
    request,
    {
      message(bytes) {
        const item = fromBinary(METHODS.GetWorkItems.reply, bytes);
        if (item.request.case === "healthPing") pings += 1;
        else if (takers.length > 0) takers.shift()!(item);
        else waiting.push(item);
      },
      ended: end,
    },
    { metadata },
  );
  const next = (): Promise<WorkItem> => {
    const item = waiting.shift();
    return item === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(item);
  };
  return {
    next,
    async turn() {
      const item = await next();
      if (item.request.case !== "orchestratorRequest") throw new Error(`This is no turn: ${item.request.case}`);
      return { token: item.completionToken, request: item.request.value };
    },
    async activity() {
      const item = await next();
      if (item.request.case !== "activityRequest") throw new Error(`This is no activity: ${item.request.case}`);
      return { token: item.completionToken, request: item.request.value };
    },
    async batch() {
      const item = await next();
      if (item.request.case !== "entityRequestV2") throw new Error(`This is no batch of an entity: ${item.request.case}`);
      return { token: item.completionToken, request: item.request.value };
    },
    waiting,
    get pings() {
      return pings;
    },
    ended,
    cancel: () => stream.cancel(),
  };
}

/** The kinds of events, in order. */
export function kinds(events: readonly HistoryEvent[]): readonly (string | undefined)[] {
  return events.map((event) => event.eventType.case);
}

/** An action that schedules an activity. */
export function schedule(id: number, name: string, input?: string): OrchestratorAction {
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "scheduleTask", value: { name, ...(input === undefined ? {} : { input }) } },
  });
}

/** An action that completes the orchestration. */
export function complete(id: number, result?: string, status = OrchestrationStatus.COMPLETED): OrchestratorAction {
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: {
      case: "completeOrchestration",
      value: { orchestrationStatus: status, ...(result === undefined ? {} : { result }) },
    },
  });
}

/** An action that waits until a time. */
export function timer(id: number, at: Date): OrchestratorAction {
  const seconds = BigInt(Math.floor(at.getTime() / 1_000));
  return create(OrchestratorActionSchema, {
    id,
    orchestratorActionType: { case: "createTimer", value: { fireAt: { seconds, nanos: 0 } } },
  });
}

/** An event as a worker carries it over. */
export function raised(name: string, input: string): HistoryEvent {
  return create(HistoryEventSchema, { eventId: -1, eventType: { case: "eventRaised", value: { name, input } } });
}

/** The status with which a call is refused. */
export async function statusOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "OK";
  } catch (error) {
    return error instanceof WireError ? error.status : String(error);
  }
}

/** Lets everything happen that needs no time. */
export async function settled(): Promise<void> {
  for (let hop = 0; hop < 5; hop++) await new Promise((resolve) => setImmediate(resolve));
}
