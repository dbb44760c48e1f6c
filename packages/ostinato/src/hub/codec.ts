// codec: a hook on every payload on its way in and out of a task hub, for encryption, compression or a payload store.
//
// Owns:    which fields of what crosses the Backend seam are payloads.
// Always:  K1 what the backend stores is what `encode` gave; what programs and callers see is what `decode` gave.
//          K2 the executor and the engine know nothing of it; it may be asynchronous.
//          K3 items reach the worker in the order in which the backend handed them out.
//          K4 failures (messages, stacks, properties) are no payloads: they stay readable for operators.

import type { Action, ActionKind } from "../contract/actions.ts";
import type { Backend, WorkerConnection } from "../contract/backend.ts";
import { EVENT_PAYLOADS, type EventRaised, type HistoryEvent } from "../contract/events.ts";
import type { StoredInstance } from "../contract/instance.ts";
import { toFailure } from "../contract/failure.ts";
import { given } from "../contract/recorded-as.ts";
import type {
  ActivityOutcome,
  ActivityWorkItem,
  EntityOutcome,
  EntityWorkItem,
  OrchestrationOutcome,
  OrchestrationWorkItem,
  WorkItem,
} from "../contract/work-items.ts";

/**
 * Changes payload text on its way into the task hub and back. `decode(encode(text))` is `text`.
 *
 * @example
 * const codec: PayloadCodec = { encode: (text) => encrypt(text), decode: (text) => decrypt(text) };
 * const hub = await openTaskHub("sqlite:orders.db", { codec });
 */
export interface PayloadCodec {
  encode(text: string): string | Promise<string>;
  decode(text: string): string | Promise<string>;
}

type Transform = (text: string) => string | Promise<string>;

const ACTION_PAYLOADS: { readonly [K in ActionKind]: readonly (keyof Extract<Action, { kind: K }>)[] } = {
  scheduleTask: ["input"],
  createSubOrchestration: ["input"],
  createTimer: [],
  cancelTimer: [],
  sendEvent: ["input"],
  signalEntity: ["input"],
  callEntity: ["input"],
  lockEntities: [],
  unlockEntity: [],
  terminateOrchestration: ["reason"],
  rewindOrchestration: [],
  completeOrchestration: ["result"],
};

/** The value with the named fields transformed, where they hold text. */
async function transformFields<T extends object>(value: T, fields: readonly PropertyKey[], transform: Transform): Promise<T> {
  const changed: Record<PropertyKey, unknown> = {};
  for (const field of fields) {
    const text = (value as Record<PropertyKey, unknown>)[field];
    if (typeof text === "string") changed[field] = await transform(text);
  }
  return { ...value, ...changed };
}

function transformEvents(events: readonly HistoryEvent[], transform: Transform): Promise<HistoryEvent[]> {
  return Promise.all(events.map((event) => transformEvent(event, transform)));
}

async function transformEvent(event: HistoryEvent, transform: Transform): Promise<HistoryEvent> {
  const changed = await transformFields(event, EVENT_PAYLOADS[event.kind], transform);
  if (changed.kind !== "ExecutionStarted" || changed.carriedEvents === undefined) return changed;
  return { ...changed, carriedEvents: await transformCarried(changed.carriedEvents, transform) };
}

function transformCarried(events: readonly EventRaised[], transform: Transform): Promise<EventRaised[]> {
  return Promise.all(events.map((event) => transformFields(event, EVENT_PAYLOADS.EventRaised, transform)));
}

async function transformAction(action: Action, transform: Transform): Promise<Action> {
  const changed = await transformFields(action, ACTION_PAYLOADS[action.kind], transform);
  if (changed.kind === "rewindOrchestration") return { ...changed, newHistory: await transformEvents(changed.newHistory, transform) };
  if (changed.kind !== "completeOrchestration" || changed.carriedEvents === undefined) return changed;
  return { ...changed, carriedEvents: await transformCarried(changed.carriedEvents, transform) };
}

async function transformInstance<T extends StoredInstance>(instance: T, transform: Transform): Promise<T> {
  return { ...instance, payloads: await transformFields(instance.payloads, ["input", "output", "customStatus"], transform) };
}

async function decodeOrchestration(item: OrchestrationWorkItem, decode: Transform): Promise<OrchestrationWorkItem> {
  const past = "events" in item.past ? { events: await transformEvents(item.past.events, decode) } : item.past;
  return { ...item, past, newEvents: await transformEvents(item.newEvents, decode) };
}

async function encodeTurn(outcome: OrchestrationOutcome, encode: Transform): Promise<OrchestrationOutcome> {
  if (outcome.kind !== "turn") return outcome;
  try {
    const changed = await transformFields(outcome, ["customStatus", "acceptedInput"], encode);
    return { ...changed, actions: await Promise.all(outcome.actions.map((action) => transformAction(action, encode))) };
  } catch (error) {
    return {
      kind: "abandoned",
      token: outcome.token,
      reason: `The codec could not encode a payload: ${toFailure(error).message}`,
    };
  }
}

/** The work is done: a result that cannot be encoded is a failure that the call's retry policy sees. */
async function encodeResult(outcome: ActivityOutcome, encode: Transform): Promise<ActivityOutcome> {
  if (outcome.kind !== "completed") return outcome;
  try {
    return await transformFields(outcome, ["result"], encode);
  } catch (error) {
    return { kind: "failed", token: outcome.token, failure: toFailure(error) };
  }
}

async function decodeBatch(item: EntityWorkItem, decode: Transform): Promise<EntityWorkItem> {
  const operations = await Promise.all(item.operations.map((event) => transformFields(event, EVENT_PAYLOADS[event.kind], decode)));
  return { ...(await transformFields(item, ["state"], decode)), operations };
}

/** A batch of which something cannot be encoded counts as not done: the key service may be back when it is offered again. */
async function encodeBatch(outcome: EntityOutcome, encode: Transform): Promise<EntityOutcome> {
  if (outcome.kind !== "batch") return outcome;
  try {
    const [changed, results, actions] = await Promise.all([
      transformFields(outcome, ["state"], encode),
      Promise.all(outcome.results.map((result) => transformFields(result, ["result"], encode))),
      Promise.all(outcome.actions.map((action) => transformFields(action, ["input"], encode))),
    ]);
    return { ...changed, results, actions };
  } catch (error) {
    return {
      kind: "abandoned",
      token: outcome.token,
      delayMs: RETRY_DELAY_MS,
      reason: `The codec could not encode a payload: ${toFailure(error).message}`,
    };
  }
}

/** A backend whose payloads pass through a codec on both sides: the caller's and the worker's. */
export function withCodec(backend: Backend, codec: PayloadCodec): Backend {
  const encode: Transform = (text) => codec.encode(text);
  const decode: Transform = (text) => codec.decode(text);
  const decoded = async <T extends StoredInstance>(asked: Promise<T | undefined>): Promise<T | undefined> => {
    const instance = await asked;
    return instance && transformInstance(instance, decode);
  };

  return {
    start: async (request) => backend.start(await transformFields(request, ["input"], encode)),
    get: (id) => decoded(backend.get(id)),
    waitForStart: (id, signal) => decoded(backend.waitForStart(id, signal)),
    waitForCompletion: (id, signal) => decoded(backend.waitForCompletion(id, signal)),
    raiseEvent: async (request) => backend.raiseEvent(await transformFields(request, ["input"], encode)),
    terminate: async (request) => backend.terminate(await transformFields(request, ["output"], encode)),
    suspend: (id, reason) => backend.suspend(id, reason),
    resume: (id, reason) => backend.resume(id, reason),
    restart: (request) => backend.restart(request),
    rewind: (request) => backend.rewind(request),
    purge: (request) => backend.purge(request),
    purgeMany: (request) => backend.purgeMany(request),
    listIds: (request, page) => backend.listIds(request, page),
    query: async (filter, request) => {
      const page = await backend.query(filter, request);
      return { ...page, items: await Promise.all(page.items.map((instance) => transformInstance(instance, decode))) };
    },
    signalEntity: async (request) => backend.signalEntity(await transformFields(request, ["input"], encode)),
    getEntity: async (id, includeState) => {
      const entity = await backend.getEntity(id, includeState);
      return entity && transformFields(entity, ["state"], decode);
    },
    queryEntities: async (filter, request) => {
      const page = await backend.queryEntities(filter, request);
      return { ...page, items: await Promise.all(page.items.map((entity) => transformFields(entity, ["state"], decode))) };
    },
    cleanEntityStorage: (request) => backend.cleanEntityStorage(request),
    async *history(id) {
      for await (const events of backend.history(id)) yield await transformEvents(events, decode);
    },
    counters: () => backend.counters(),
    close: () => backend.close(),
    ...given({ file: backend.file, sizes: backend.sizes && (() => backend.sizes!()) }),

    async connectWorker(interest, deliver) {
      let tail: Promise<void> = Promise.resolve();
      const connection: WorkerConnection = await backend.connectWorker(interest, (items) => {
        const ready = Promise.all(items.map((item) => decodeItem(item, decode, () => connection)));
        const before = tail;
        tail = ready.then(async (all) => {
          await before;
          deliver(all.filter((item) => item !== undefined));
        });
      });
      return {
        completeOrchestration: async (outcome) => connection.completeOrchestration(await encodeTurn(outcome, encode)),
        completeActivity: async (outcome) => connection.completeActivity(await encodeResult(outcome, encode)),
        completeEntity: async (outcome) => connection.completeEntity(await encodeBatch(outcome, encode)),
        stopTaking: () => connection.stopTaking(),
        close: async () => {
          await tail;
          await connection.close();
        },
      };
    },
  };
}

/** The item with its payloads decoded. One that cannot be decoded is answered here, and nobody else sees it. */
async function decodeItem(item: WorkItem, decode: Transform, connection: () => WorkerConnection): Promise<WorkItem | undefined> {
  try {
    if (item.kind === "orchestration") return await decodeOrchestration(item, decode);
    if (item.kind === "activity") return await transformFields<ActivityWorkItem>(item, ["input"], decode);
    if (item.kind === "entity") return await decodeBatch(item, decode);
    return item;
  } catch (error) {
    const reason = `The codec could not decode a payload: ${toFailure(error).message}`;
    if (item.kind === "orchestration") await connection().completeOrchestration({ kind: "abandoned", token: item.token, reason });
    if (item.kind === "activity") {
      const outcome: ActivityOutcome = { kind: "abandoned", token: item.token, delayMs: RETRY_DELAY_MS };
      await connection().completeActivity(outcome);
    }
    if (item.kind === "entity")
      await connection().completeEntity({ kind: "abandoned", token: item.token, delayMs: RETRY_DELAY_MS, reason });
    return undefined;
  }
}

/** A key service that is away comes back. */
const RETRY_DELAY_MS = 5_000;
