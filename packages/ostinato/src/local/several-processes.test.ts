import assert from "node:assert/strict";
import { test } from "node:test";
import { handClock, rest, type HandClock } from "../../test/hand-clock.ts";
import type { Action } from "../contract/actions.ts";
import type { WorkerInterest } from "../contract/backend.ts";
import type { InstanceId } from "../contract/ids.ts";
import type { EntityOutcome, EntityWorkItem, OrchestrationWorkItem, WorkItem } from "../contract/work-items.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub, type MemoryHub } from "../stores/memory/memory-store.ts";
import { createLocalBackend } from "./local-backend.ts";

// ---- several processes over one hub, whose workers take the time that the story gives them

const END: Action = { kind: "completeOrchestration", id: 1_000_000, status: "COMPLETED" };

interface Process {
  readonly backend: Awaited<ReturnType<typeof createLocalBackend>>;
  /** What its worker has been given so far. */
  readonly ran: { activities: number; readonly turns: Map<InstanceId, number> };
  join(): Promise<void>;
}

interface Program {
  /** What a turn asks for; how long it takes. */
  readonly turn: (item: OrchestrationWorkItem) => readonly Action[];
  readonly turnMs?: number;
  readonly activityMs?: number;
  readonly entityMs?: number;
}

async function startProcess(hub: MemoryHub, clock: HandClock, slots: number, program: Program): Promise<Process> {
  const backend = await createLocalBackend({
    store: hub.connect(),
    clock,
    random: seededRandom(slots),
    log: silentLogger,
    leaseMs: 30_000,
  });
  const ran: Process["ran"] = { activities: 0, turns: new Map() };
  const interest: WorkerInterest = {
    orchestrators: ["o"],
    activities: ["a"],
    entities: ["e"],
    maxConcurrentOrchestrations: slots,
    maxConcurrentActivities: slots,
    maxConcurrentEntities: slots,
    warmBytes: 1_000_000,
    warmIdleMs: 10_000,
  };
  /** What ends in the same moment shares a timer. */
  const ending = new Map<number, (() => void)[]>();
  const after = (ms: number, run: () => void): void => {
    const at = clock.now() + ms;
    const together = ending.get(at);
    if (together !== undefined) return void together.push(run);
    ending.set(at, [run]);
    clock.setTimer(ms, () => {
      const due = ending.get(at) ?? [];
      ending.delete(at);
      for (const each of due) each();
    });
  };
  return {
    backend,
    ran,
    async join() {
      const line = await backend.connectWorker(interest, (items: readonly WorkItem[]) => {
        for (const item of items) {
          if (item.kind === "orchestration") {
            ran.turns.set(item.instanceId, (ran.turns.get(item.instanceId) ?? 0) + 1);
            const actions = program.turn(item);
            const keptBytes = actions.at(-1)?.kind === "completeOrchestration" ? {} : { keptBytes: 100 };
            after(program.turnMs ?? 0, () => void line.completeOrchestration({ kind: "turn", token: item.token, actions, ...keptBytes }));
          } else if (item.kind === "activity") {
            ran.activities++;
            after(program.activityMs ?? 0, () => void line.completeActivity({ kind: "completed", token: item.token }));
          } else if (item.kind === "entity") {
            ran.turns.set(item.entityId, (ran.turns.get(item.entityId) ?? 0) + 1);
            after(program.entityMs ?? 0, () => void line.completeEntity(doneBatch(item)));
          }
        }
      });
      await rest();
    },
  };
}

function doneBatch({ token, operations }: EntityWorkItem): EntityOutcome {
  return { kind: "batch", token, results: operations.map(() => ({ kind: "succeeded" })), actions: [], state: "1" };
}

const call = (id: number): Action => ({ kind: "scheduleTask", id, name: "a", attempt: 1, firstId: id });

/** Those of them that have had turns here. */
const count = (process: Process, prefix: string): number => [...process.ran.turns.keys()].filter((id) => id.startsWith(prefix)).length;

test("a fan-out of 10,000 activities spreads over two backends", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const results = new Map<InstanceId, number>();
  const program: Program = {
    activityMs: 10,
    turn(item) {
      const done = (results.get(item.instanceId) ?? 0) + item.newEvents.filter((event) => event.kind === "TaskCompleted").length;
      results.set(item.instanceId, done);
      if (item.newEvents.some((event) => event.kind === "ExecutionStarted")) return Array.from({ length: 10_000 }, (_, at) => call(at + 1));
      return done === 10_000 ? [END] : [];
    },
  };
  const processes = [await startProcess(hub, clock, 100, program), await startProcess(hub, clock, 100, program)];
  const [first, second] = processes as [Process, Process];
  for (const process of processes) await process.join();
  await first.backend.start({ instanceId: "i", executionId: "x", name: "o" });
  await clock.advance(2_000);
  assert.equal((await second.backend.get("i"))?.record.status, "COMPLETED");
  assert.equal(first.ran.activities + second.ran.activities, 10_000, "each ran once");
  const share = Math.min(first.ran.activities, second.ran.activities);
  assert.ok(share >= 4_000, `the one that had less to do ran ${share}`);
  for (const { backend } of processes) await backend.close();
});

test("a claim on whose way turns have filled the slots gives back what it has no room for", async () => {
  const clock = handClock();
  const memory = createMemoryHub({ clock });
  const onTheWay = (): Promise<void> => new Promise((resolve) => void clock.setTimer(10, resolve));
  const slow: MemoryHub = {
    ...memory,
    connect() {
      const store = memory.connect();
      return { ...store, claim: async (want) => onTheWay().then(() => store.claim(want)) };
    },
  };
  const program: Program = {
    turnMs: 5,
    activityMs: 1_000,
    turn: (item) =>
      item.newEvents.some((event) => event.kind === "ExecutionStarted") ? Array.from({ length: 20 }, (_, at) => call(at + 1)) : [],
  };
  const only = await startProcess(slow, clock, 5, program);
  await only.join();
  // The worker joined while a claim was on its way; the next one sets out when that is back, and the turn begins and ends on its way.
  await clock.advance(11);
  await only.backend.start({ instanceId: "i", executionId: "x", name: "o" });
  await clock.advance(900);
  assert.equal(only.ran.activities, 5, "no more are under way than there are slots");
  await clock.advance(10_000);
  assert.equal(only.ran.activities, 20);
  await only.backend.close();
});

test("a backend that joins gets work at once: activities that nobody has claimed yet", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const program: Program = {
    activityMs: 1_000,
    turn: (item) =>
      item.newEvents.some((event) => event.kind === "ExecutionStarted") ? Array.from({ length: 50 }, (_, at) => call(at + 1)) : [],
  };
  const first = await startProcess(hub, clock, 5, program);
  await first.join();
  await first.backend.start({ instanceId: "i", executionId: "x", name: "o" });
  await clock.advance(1);
  assert.equal(first.ran.activities, 5, "no more are claimed than there are slots");
  const second = await startProcess(hub, clock, 5, program);
  await second.join();
  assert.equal(second.ran.activities, 5);
  for (const { backend } of [first, second]) await backend.close();
});

test("a backend that joins gets work at once: of instances that are warm elsewhere, as many as find no slot there and have one here", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const program: Program = { turnMs: 100, turn: (item) => (item.newEvents.some((event) => event.kind === "EventRaised") ? [END] : []) };
  const first = await startProcess(hub, clock, 3, program);
  await first.join();
  const ids = Array.from({ length: 30 }, (_, at) => `i${at}`);
  for (const instanceId of ids) await first.backend.start({ instanceId, executionId: `x-${instanceId}`, name: "o" });
  await clock.advance(1_500);
  assert.equal(count(first, "i"), 30, "all are warm there");
  const second = await startProcess(hub, clock, 4, program);
  await second.join();
  for (const instanceId of ids) await first.backend.raiseEvent({ instanceId, name: "go", messageId: `m-${instanceId}` });
  await clock.advance(50);
  assert.equal(count(second, "i"), 4, "it has as many as it has slots");
  assert.equal(first.backend.counters()["instancesLetGo"], 4, "and no more were let go");
  await clock.advance(1_000);
  for (const id of ids) assert.equal((await second.backend.get(id))?.record.status, "COMPLETED", id);
  for (const { backend } of [first, second]) await backend.close();
});

test("what runs beside its slots is let go for nobody: with nobody else there, with slots left, for who takes other names", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const program: Program = { turnMs: 100, turn: (item) => (item.newEvents.some((event) => event.kind === "EventRaised") ? [END] : []) };
  const first = await startProcess(hub, clock, 3, program);
  await first.join();
  const ids = Array.from({ length: 10 }, (_, at) => `i${at}`);
  for (const instanceId of ids) await first.backend.start({ instanceId, executionId: `x-${instanceId}`, name: "o" });
  await clock.advance(1_000);
  const raise = async (some: readonly string[]): Promise<void> => {
    for (const instanceId of some) await first.backend.raiseEvent({ instanceId, name: "go", messageId: `m-${instanceId}` });
    await clock.advance(150);
  };
  await raise(ids.slice(0, 4));
  const other = await createLocalBackend({ store: hub.connect(), clock, random: seededRandom(9), log: silentLogger });
  const delivered: WorkItem[] = [];
  await other.connectWorker(
    {
      orchestrators: ["other"],
      activities: [],
      entities: [],
      maxConcurrentOrchestrations: 9,
      maxConcurrentActivities: 9,
      maxConcurrentEntities: 9,
      warmBytes: 1_000,
      warmIdleMs: 10_000,
    },
    (items) => void delivered.push(...items),
  );
  await raise(ids.slice(4, 8));
  const second = await startProcess(hub, clock, 4, program);
  await second.join();
  await raise(ids.slice(8));
  for (const id of ids) assert.equal((await other.get(id))?.record.status, "COMPLETED", id);
  assert.deepEqual([first.backend.counters()["instancesLetGo"], delivered, count(second, "i")], [undefined, [], 0]);
  for (const backend of [first.backend, other, second.backend]) await backend.close();
});

test("a backend that joins gets work at once: entities that wait for a slot elsewhere", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const program: Program = { entityMs: 100, turn: () => [] };
  const first = await startProcess(hub, clock, 3, program);
  await first.join();
  const ids = Array.from({ length: 12 }, (_, at) => `@e@${at}`);
  const signal = async (round: number): Promise<void> => {
    for (const id of ids) await first.backend.signalEntity({ entityId: id, operation: "add", requestId: `r-${round}-${id}` });
  };
  await signal(1);
  await clock.advance(1_000);
  assert.equal(count(first, "@e"), 12);
  await signal(2);
  const second = await startProcess(hub, clock, 4, program);
  await second.join();
  assert.equal(count(second, "@e"), 4);
  await clock.advance(2_000);
  for (const { backend } of [first, second]) await backend.close();
});

test("what is warm and idle is released when its time is over, so that whoever is next has it", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const program: Program = { turn: (item) => (item.newEvents.some((event) => event.kind === "EventRaised") ? [END] : []) };
  const first = await startProcess(hub, clock, 3, program);
  await first.join();
  await first.backend.start({ instanceId: "i", executionId: "x", name: "o" });
  await clock.advance(9_000);
  assert.equal([...hub.contents().instances].length, 1);
  assert.equal(hub.contents().places["held"], 1);
  await clock.advance(7_000);
  assert.equal(hub.contents().places["held"], 0);
  await first.backend.close();
});
