// foreign-world: a worker of another SDK, as the engine sees it: it takes any work, keeps no program, counts its actions as it likes, and answers
// with raw actions.
//
// Always:  each story is told over both stores, with a clock that is moved by hand, and ends without an error in the log.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Action } from "../src/contract/actions.ts";
import type { Backend, WorkerConnection, WorkerInterest } from "../src/contract/backend.ts";
import type { HistoryEvent } from "../src/contract/events.ts";
import type { Failure } from "../src/contract/failure.ts";
import type { StoredInstance } from "../src/contract/instance.ts";
import { asRewindRequest } from "../src/contract/rewound-item.ts";
import type { ActivityWorkItem, OrchestrationOutcome, OrchestrationWorkItem } from "../src/contract/work-items.ts";
import type { Store } from "../src/engine/store.ts";
import { createLocalBackend } from "../src/local/local-backend.ts";
import { createLogger, type LogRecord } from "../src/platform/logger.ts";
import { seededRandom } from "../src/platform/random.ts";
import { createMemoryHub } from "../src/stores/memory/memory-store.ts";
import { openSqliteStore } from "../src/stores/sqlite/sqlite-store.ts";
import { handClock, rest, type HandClock } from "./hand-clock.ts";

// ---- the worker

/** What a foreign worker says beside its actions. */
type Extras = Partial<Pick<Extract<OrchestrationOutcome, { kind: "turn" }>, "eventsProcessed" | "customStatus">>;

export interface Foreign {
  readonly turns: OrchestrationWorkItem[];
  readonly activities: ActivityWorkItem[];
  /** The one turn that is out. A rewind is shown as the family's workers expect it. */
  turn(): Promise<OrchestrationWorkItem>;
  activity(): Promise<ActivityWorkItem>;
  answer(item: OrchestrationWorkItem, actions: readonly Action[], more?: Extras): Promise<void>;
  complete(item: ActivityWorkItem, result?: string): Promise<void>;
  fail(item: ActivityWorkItem, failure: Failure): Promise<void>;
  abandon(item: OrchestrationWorkItem | ActivityWorkItem): Promise<void>;
  close(): Promise<void>;
}

export interface World {
  readonly clock: HandClock;
  readonly backend: Backend;
  readonly log: readonly LogRecord[];
  /** Lets everything come to rest. */
  rest(): Promise<void>;
  worker(interest?: Partial<WorkerInterest>): Promise<Foreign>;
  start(instanceId: string, name?: string): Promise<void>;
  raise(instanceId: string, name: string): Promise<void>;
  stored(id: string): Promise<StoredInstance | undefined>;
  history(id: string): Promise<readonly HistoryEvent[]>;
}

const ANY: WorkerInterest = {
  orchestrators: "any",
  activities: "any",
  entities: [],
  maxConcurrentOrchestrations: 10,
  maxConcurrentActivities: 10,
  maxConcurrentEntities: 10,
  warmBytes: 0,
  warmIdleMs: 0,
};

const STORES: { readonly [name: string]: (clock: HandClock, folder: string) => Store } = {
  memory: (clock) => createMemoryHub({ clock }).connect(),
  sqlite: (clock, folder) => openSqliteStore({ path: join(folder, "hub.db"), body: "inline", testing: { clock } }),
};

/** Tells a story over each store. */
export function story(name: string, tell: (world: World) => Promise<void>): void {
  for (const [kind, open] of Object.entries(STORES)) {
    test(`${name} (${kind})`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "ostinato-foreign-"));
      const clock = handClock();
      const log: LogRecord[] = [];
      const backend = await createLocalBackend({
        store: open(clock, folder),
        clock,
        random: seededRandom(7),
        log: createLogger({ sink: (record) => log.push(record) }),
      });
      t.after(async () => {
        await backend.close();
        rmSync(folder, { recursive: true, force: true });
      });
      await tell(worldOf(backend, clock, log));
      assert.deepEqual(
        log.filter(({ level }) => level === "error").map(({ message }) => message),
        [],
      );
    });
  }
}

function worldOf(backend: Backend, clock: HandClock, log: readonly LogRecord[]): World {
  let raises = 0;
  return {
    clock,
    backend,
    log,
    rest: settled,
    async worker(interest = {}) {
      const turns: OrchestrationWorkItem[] = [];
      const activities: ActivityWorkItem[] = [];
      const connection = await backend.connectWorker({ ...ANY, ...interest }, (items) => {
        for (const item of items) {
          if (item.kind === "orchestration") turns.push(asRewindRequest(item));
          else if (item.kind === "activity") activities.push(item);
        }
      });
      await settled();
      return foreign(connection, turns, activities);
    },
    async start(instanceId, name = "o") {
      await backend.start({ instanceId, executionId: `x-${instanceId}`, name, input: '"in"' });
      await settled();
    },
    async raise(instanceId, name) {
      await backend.raiseEvent({ instanceId, name, messageId: `raise-${++raises}` });
      await settled();
    },
    stored: (id) => backend.get(id),
    async history(id) {
      const events: HistoryEvent[] = [];
      for await (const page of backend.history(id)) events.push(...page);
      return events;
    },
  };
}

function foreign(connection: WorkerConnection, turns: OrchestrationWorkItem[], activities: ActivityWorkItem[]): Foreign {
  const only = async <T>(items: T[]): Promise<T> => {
    for (let i = 0; i < 100 && items.length === 0; i++) await settled();
    await settled();
    assert.equal(items.length, 1, `one is out, not ${items.length}`);
    return items.pop() as T;
  };
  return {
    turns,
    activities,
    turn: () => only(turns),
    activity: () => only(activities),
    async answer({ token }, actions, more = {}) {
      await connection.completeOrchestration({ kind: "turn", token, actions, ...more });
      await settled();
    },
    async complete({ token }, result = '"done"') {
      await connection.completeActivity({ kind: "completed", token, result });
      await settled();
    },
    async fail({ token }, failure) {
      await connection.completeActivity({ kind: "failed", token, failure });
      await settled();
    },
    async abandon(item) {
      const { token } = item;
      if (item.kind === "orchestration") await connection.completeOrchestration({ kind: "abandoned", token, reason: "not this version" });
      else await connection.completeActivity({ kind: "abandoned", token, undone: true });
      await settled();
    },
    close: () => connection.close(),
  };
}

/** A store in this thread waits for a turn of the event loop here and there, one in memory for none. Neither waits for time. */
async function settled(): Promise<void> {
  for (let i = 0; i < 6; i++) {
    await rest();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// ---- what it says

export const call = (id: number, name = "a"): Action => ({ kind: "scheduleTask", id, name, attempt: 1, firstId: id });
export const timer = (id: number, fireAt: number): Action => ({ kind: "createTimer", id, fireAt });
export const child = (id: number, instanceId: string, executionId = `x-${instanceId}`): Action => ({
  kind: "createSubOrchestration",
  id,
  name: "child",
  instanceId,
  executionId,
});
export const send = (id: number, instanceId: string, name: string): Action => ({ kind: "sendEvent", id, instanceId, name });
export const end = (id: number, result = '"out"'): Action => ({ kind: "completeOrchestration", id, status: "COMPLETED", result });
export const failed = (id: number, failure: Failure): Action => ({ kind: "completeOrchestration", id, status: "FAILED", failure });
export const BROKE: Failure = { errorType: "Broke", message: "it broke" };

export const kinds = (events: readonly HistoryEvent[]): string[] => events.map((event) => event.kind);
export const news = (item: OrchestrationWorkItem): string[] => kinds(item.newEvents);
export const past = (item: OrchestrationWorkItem): readonly HistoryEvent[] => ("events" in item.past ? item.past.events : []);
export const raised = ({ newEvents }: OrchestrationWorkItem): string[] =>
  newEvents.flatMap((event) => (event.kind === "EventRaised" ? [event.name] : []));
/** Events that ask or answer, with the number that they are about. */
export const told = (events: readonly HistoryEvent[]): string[] =>
  events.flatMap((event) => {
    if ("taskScheduledId" in event) return [`${event.kind}#${event.taskScheduledId}`];
    if ("timerId" in event) return [`${event.kind}#${event.timerId}`];
    return event.kind === "TaskScheduled" || event.kind === "TimerCreated" || event.kind === "SubOrchestrationInstanceCreated"
      ? [`${event.kind}#${event.eventId}`]
      : [];
  });
