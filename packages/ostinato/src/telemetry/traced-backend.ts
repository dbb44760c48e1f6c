// traced-backend: a backend that an observer watches: what clients ask, which bodies run, what executions have become.
//
// Owns:    when the observer is told.
// Is told: everything that crosses the first seam, and by the backend behind it which instances have ended.
// Always:  D1 what an observer throws is logged once for each of its methods, and changes nothing.
//          D2 nothing here waits for the observer, and no answer depends on it.

import type { Action } from "../contract/actions.ts";
import type { Backend, WorkerConnection } from "../contract/backend.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { ExecutionId } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { recordedAs, given } from "../contract/recorded-as.ts";
import type {
  ActivityWorkItem,
  EntityAction,
  OrchestrationOutcome,
  OrchestrationWorkItem,
  WorkItem,
  WorkToken,
} from "../contract/work-items.ts";
import type { ActivityRun, ExecutionFacts, Observer, Operation } from "./observer.ts";

/** What watching needs of the world. */
export interface TracingWorld {
  /** Milliseconds that only go forward. */
  readonly monotonic: () => number;
  readonly log: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void };
}

/** A backend that is watched. */
export interface TracedBackend extends Backend {
  /** To be told of instances that have ended. */
  readonly ended: (record: InstanceRecord) => void;
  /** Runs the body of an activity where its own spans belong to it. */
  readonly within: <T>(token: WorkToken, body: () => T) => T;
}

/** A turn that is out with the worker, and the trace of its execution. */
interface TurnSeen {
  readonly item: OrchestrationWorkItem;
  readonly execution: ExecutionFacts;
}

/** Puts an observer beside a backend. */
export function withTelemetry(backend: Backend, observer: Observer, world: TracingWorld): TracedBackend {
  const warned = new Set<string>();
  /** Asks the observer; what it throws is not the hub's affair. */
  const ask = <T>(what: string, question: () => T, otherwise: T): T => {
    try {
      return question();
    } catch (error) {
      if (!warned.has(what)) world.log.warn(`telemetry failed while ${what}; it is left out`, { error });
      warned.add(what);
      return otherwise;
    }
  };
  const turns = new Map<WorkToken, TurnSeen>();
  const running = new Map<WorkToken, { readonly run: ActivityRun; readonly since: number }>();
  /** Traces of executions whose program a worker keeps: a warm turn does not bring the start along. */
  const traces = new Map<ExecutionId, string | undefined>();
  const stopCounting = ask(
    "the counters are handed over",
    () => observer.counting(() => backend.counters()),
    () => undefined,
  );

  const operate = async (what: string, operation: Operation | undefined, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      ask(what, () => operation?.ended(error), undefined);
      throw error;
    }
    ask(what, () => operation?.ended(), undefined);
  };

  const tellEnded = async (record: InstanceRecord, next?: ExecutionId, events?: readonly HistoryEvent[]): Promise<void> => {
    const { id: instanceId, executionId, name, version, traceContext } = record;
    const facts = { instanceId, executionId, ...given({ traceContext }) };
    if (!ask("an execution has ended", () => observer.wants(facts), false)) return;
    try {
      const log = events ?? logOf(record, await wholeHistory(backend, instanceId));
      if (log === undefined) return;
      ask("an execution has ended", () => observer.executionEnded({ ...facts, name, ...given({ version, next }), events: log }), undefined);
    } catch {
      // The hub was closed, or the instance purged meanwhile: there is no log to tell of.
    }
  };

  const seeTurn = (item: OrchestrationWorkItem): void => {
    const started = startOf(item);
    if (started !== undefined) traces.set(item.executionId, started.traceContext);
    const { instanceId, executionId } = item;
    turns.set(item.token, { item, execution: { instanceId, executionId, ...given({ traceContext: traces.get(executionId) }) } });
  };

  const seeActivity = (item: ActivityWorkItem): void => {
    const run = ask("an activity begins", () => observer.running(item), undefined);
    if (run !== undefined) running.set(item.token, { run, since: world.monotonic() });
  };

  const SEEN: { readonly [K in WorkItem["kind"]]: (item: Extract<WorkItem, { kind: K }>) => void } = {
    orchestration: seeTurn,
    activity: seeActivity,
    // Operations belong to the traces of those who asked for them, many to a batch: the spans are made by who asks.
    entity: () => undefined,
    forget: (notice) => void traces.delete(notice.executionId),
    cancel: () => undefined,
  };

  const completeTurn = async (connection: WorkerConnection, outcome: OrchestrationOutcome): Promise<void> => {
    const seen = turns.get(outcome.token);
    turns.delete(outcome.token);
    // A program that did not come through its turn is not kept: whoever runs it next gets the start along.
    if (seen !== undefined && outcome.kind !== "turn") traces.delete(seen.item.executionId);
    if (seen === undefined || outcome.kind !== "turn") return connection.completeOrchestration(outcome);
    const actions = ask("a turn asks for calls", () => observer.calling(seen.execution, outcome.actions), outcome.actions);
    const last = outcome.actions.at(-1);
    if (outcome.keptBytes === undefined || last?.kind === "completeOrchestration") traces.delete(seen.item.executionId);
    const continues = last?.kind === "completeOrchestration" && last.status === "CONTINUED_AS_NEW";
    if (!continues || !ask("an execution has ended", () => observer.wants(seen.execution), false))
      return connection.completeOrchestration({ ...outcome, actions });
    // The next execution replaces the log of this one, so it is read before.
    const before = await wholeHistory(backend, seen.item.instanceId).catch(() => []);
    await connection.completeOrchestration({ ...outcome, actions });
    const record = (await backend.get(seen.item.instanceId).catch(() => undefined))?.record;
    if (record === undefined || record.executionId === seen.item.executionId) return; // It was refused: somebody else was faster.
    const events = [...before, ...seen.item.newEvents, ...recordsOf(actions, seen.item)];
    void tellEnded({ ...record, executionId: seen.item.executionId, ...given({ version: seen.item.version }) }, record.executionId, events);
  };

  const watched: Partial<TracedBackend> = {
    async start(request) {
      const operation = ask("an instance is started", () => observer.starting(request), undefined);
      const traceContext = request.traceContext ?? operation?.traceContext;
      await operate("an instance is started", operation, () => backend.start({ ...request, ...given({ traceContext }) }));
    },
    async raiseEvent(request) {
      const operation = ask("an event is raised", () => observer.raising(request), undefined);
      await operate("an event is raised", operation, () => backend.raiseEvent(request));
    },
    async signalEntity(request) {
      const operation = ask("an entity is signalled", () => observer.signalling(request), undefined);
      const traceContext = request.traceContext ?? operation?.traceContext;
      await operate("an entity is signalled", operation, () => backend.signalEntity({ ...request, ...given({ traceContext }) }));
    },
    async connectWorker(interest, deliver) {
      const connection = await backend.connectWorker(interest, (items) => {
        for (const item of items) (SEEN[item.kind] as (item: WorkItem) => void)(item);
        deliver(items);
      });
      return {
        ...connection,
        completeOrchestration: (outcome) => completeTurn(connection, outcome),
        completeActivity(outcome) {
          const seen = running.get(outcome.token);
          if (seen !== undefined) {
            running.delete(outcome.token);
            ask("an activity ends", () => seen.run.ended(outcome, world.monotonic() - seen.since), undefined);
          }
          return connection.completeActivity(outcome);
        },
        completeEntity: (outcome) =>
          connection.completeEntity(outcome.kind === "batch" ? { ...outcome, actions: outcome.actions.map(endingTrace) } : outcome),
      };
    },
    async close() {
      ask("the hub is closed", stopCounting, undefined);
      await backend.close();
    },
    ended: (record) => void tellEnded(record),
    within(token, body) {
      const run = running.get(token)?.run;
      return run === undefined ? body() : run.within(body);
    },
  };
  return over(backend, watched) as TracedBackend;
}

/** What an entity signals for later is no part of the trace: one that wakes itself again and again would go on in its first trace for ever. */
function endingTrace(action: EntityAction): EntityAction {
  if (action.kind !== "signalEntity" || action.scheduledAt === undefined) return action;
  const { traceContext: _, ...rest } = action;
  return rest;
}

/** A backend with some of its operations in another form. All others, also those to come, are the backend's own. */
function over(backend: Backend, changed: Partial<TracedBackend>): Backend {
  return new Proxy(backend, {
    get(target, key) {
      if (Object.hasOwn(changed, key)) return changed[key as keyof TracedBackend];
      const own: unknown = Reflect.get(target, key, target);
      return typeof own === "function" ? (own.bind(target) as unknown) : own;
    },
    has: (target, key) => Object.hasOwn(changed, key) || Reflect.has(target, key),
  });
}

function startOf(item: OrchestrationWorkItem): Extract<HistoryEvent, { kind: "ExecutionStarted" }> | undefined {
  const past = "events" in item.past ? item.past.events : [];
  for (const events of [past, item.newEvents]) for (const event of events.slice(0, 2)) if (event.kind === "ExecutionStarted") return event;
  return undefined;
}

/** What an execution that has ended has left in a history that may have been read late; `undefined` when another instance has its id by now. */
function logOf(record: InstanceRecord, history: readonly HistoryEvent[]): readonly HistoryEvent[] | undefined {
  const log = history.slice(0, record.historyLength);
  const started = log.find((event) => event.kind === "ExecutionStarted");
  if (started === undefined || (started.lineage ?? started.executionId) !== record.lineage) return undefined;
  // What stands before a rewind was told when the execution before it failed.
  const rewound = log.findLastIndex((event) => event.kind === "ExecutionRewound");
  return rewound < 1 ? log : log.slice(rewound - 1);
}

async function wholeHistory(backend: Backend, instanceId: string): Promise<readonly HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for await (const page of backend.history(instanceId)) for (const event of page) events.push(event);
  return events;
}

function recordsOf(actions: readonly Action[], item: OrchestrationWorkItem): readonly HistoryEvent[] {
  const at = item.newEvents[0]?.timestamp ?? 0;
  return actions.map((action) => recordedAs(action, at)).filter((event) => event !== undefined);
}
