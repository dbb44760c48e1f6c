// What becomes of what a store has not answered or not done: a turn that was written and whose process does not know, a lease that was not
// taken back.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../contract/actions.ts";
import type { WorkerInterest } from "../contract/backend.ts";
import { StoreUnavailableError } from "../contract/errors.ts";
import type { ActivityWorkItem, OrchestrationWorkItem, WorkItem } from "../contract/work-items.ts";
import type { Store } from "../engine/store.ts";
import type { Clock } from "../platform/clock.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import { createLocalBackend } from "./local-backend.ts";

const INTEREST: WorkerInterest = {
  orchestrators: ["flow"],
  activities: ["work"],
  entities: [],
  maxConcurrentOrchestrations: 10,
  maxConcurrentActivities: 10,
  maxConcurrentEntities: 10,
  warmBytes: 1_000_000,
  warmIdleMs: 1_000_000,
};

async function rest(): Promise<void> {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

/** A backend whose next commit is written and not answered, when told; its clock stands until it is moved. */
async function open({ shared, ...more }: { readonly leaseMs?: number; readonly shared?: true } = {}) {
  let now = 1_000;
  let timers: { readonly due: number; readonly run: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimer(ms, run) {
      const timer = { due: now + ms, run };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((each) => each !== timer)) };
    },
  };
  const hub = createMemoryHub({ clock });
  const line = hub.connect();
  const answers = { refused: 0, lost: 0, releasesRefused: 0 };
  const store: Store = {
    ...line,
    ...(shared === undefined ? {} : { shared }),
    async commit(batch) {
      if (answers.refused-- > 0) throw new StoreUnavailableError("The disk is full, says the test.");
      const results = await line.commit(batch);
      if (answers.lost === 0) return results;
      answers.lost--;
      throw new StoreUnavailableError("The answer was lost, says the test.");
    },
    async release(leases, afterMs) {
      if (answers.releasesRefused-- > 0) throw new StoreUnavailableError("The disk is full, says the test.");
      await line.release(leases, afterMs);
    },
  };
  const backend = await createLocalBackend({ store, clock, random: seededRandom(1), log: silentLogger, ...more });
  const turns: OrchestrationWorkItem[] = [];
  const bodies: ActivityWorkItem[] = [];
  const take = (items: readonly WorkItem[]): void => {
    for (const item of items) {
      if (item.kind === "orchestration") turns.push(item);
      if (item.kind === "activity") bodies.push(item);
    }
  };
  const worker = await backend.connectWorker(INTEREST, take);
  const move = async (ms: number): Promise<void> => {
    now += ms;
    const due = timers.filter((timer) => timer.due <= now);
    timers = timers.filter((timer) => timer.due > now);
    for (const timer of due) timer.run();
    await rest();
  };
  const instances = () => [...hub.contents().instances];
  const instance = () => instances()[0]!;
  return { backend, worker, turns, bodies, answers, move, instance, instances };
}

test("H4 L1 what was written and not answered is never written over by what was known before", async () => {
  const { backend, worker, turns, answers, move, instance } = await open();
  await backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  await worker.completeOrchestration({ kind: "turn", token: turns[0]!.token, actions: [], keptBytes: 10 });
  await backend.raiseEvent({ instanceId: "a", name: "go", messageId: "m" });
  await rest();
  answers.lost = 1;
  await worker.completeOrchestration({ kind: "turn", token: turns[1]!.token, actions: [], keptBytes: 10 });
  const written = instance().record;
  assert.equal(written.turn, 2);

  // The client does not know either, and asks again.
  await backend.raiseEvent({ instanceId: "a", name: "go", messageId: "m" });
  await rest();
  for (let handled = 2; handled < 6; handled++) {
    await move(1_000);
    const turn = turns[handled];
    if (turn !== undefined) await worker.completeOrchestration({ kind: "turn", token: turn.token, actions: [], keptBytes: 10 });
    await rest();
  }
  const { record, events, inbox } = instance();
  assert.equal(record.stall, undefined);
  assert.ok(record.turn > written.turn && record.epoch > written.epoch, JSON.stringify(record));
  assert.equal(record.historyLength, events.length);
  assert.equal(inbox.size, 0);
  assert.equal(backend.counters()["invariantsBroken"], undefined);
  await backend.close();
});

test("L1 a turn that was written and not answered is not run again", async () => {
  const { backend, worker, turns, answers, move, instance } = await open();
  await backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  answers.lost = 1;
  await worker.completeOrchestration({ kind: "turn", token: turns[0]!.token, actions: [], keptBytes: 10 });
  assert.equal(instance().record.turn, 1);
  await move(1_000);
  await move(1_000);
  assert.equal(turns.length, 1, "it was written: there is nothing to run");
  assert.equal(instance().record.turn, 1);
  await backend.close();
});

test("L3 what the store did not take back is given back when it can: an activity runs again, an instance goes on", async () => {
  const { backend, worker, turns, bodies, answers, move } = await open();
  await backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  const call = { kind: "scheduleTask", id: 1, name: "work", attempt: 1, firstId: 1 } as const;
  // Its program is not kept, so the instance is given back after the turn.
  answers.releasesRefused = 2;
  await worker.completeOrchestration({ kind: "turn", token: turns[0]!.token, actions: [call] });
  void worker.completeActivity({ kind: "abandoned", token: bodies[0]!.token, delayMs: 0 });
  for (let moved = 0; moved < 5; moved++) await move(1_000);
  assert.equal(bodies.length, 2, "the activity is handed out again");
  await worker.completeActivity({ kind: "completed", token: bodies[1]!.token });
  await move(1_000);
  assert.deepEqual(
    turns.at(-1)?.newEvents.map((event) => event.kind),
    ["OrchestratorStarted", "TaskCompleted"],
  );
  await backend.close();
});

test("L8 a worker stops while the store that others share is away: what it held is theirs when its lease ends", async () => {
  const { backend, worker, turns, answers, move } = await open({ shared: true });
  await backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  await worker.completeOrchestration({ kind: "turn", token: turns[0]!.token, actions: [], keptBytes: 10 });
  answers.releasesRefused = Number.POSITIVE_INFINITY;
  let hasStopped = false;
  void worker.close().then(() => (hasStopped = true));
  await rest();
  assert.equal(hasStopped, false, "it tries again a few times");
  for (let i = 0; i < 5; i++) await move(1_000);
  assert.equal(hasStopped, true);
  await backend.close();
});

test("A2 what an unanswered turn may have claimed is not taken from the body that the next try of it began", async () => {
  const { backend, worker, turns, bodies, answers, move } = await open({ leaseMs: 3_000 });
  await backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  const call = { kind: "scheduleTask", id: 1, name: "work", attempt: 1, firstId: 1 } as const;
  // Nobody knows whether it was written; then the instance is taken away, and what it may have claimed cannot be given back yet.
  answers.refused = 1;
  await worker.completeOrchestration({ kind: "turn", token: turns[0]!.token, actions: [call], keptBytes: 10 });
  answers.releasesRefused = 2;
  await move(4_000);
  await worker.completeOrchestration({ kind: "turn", token: turns.at(-1)!.token, actions: [call], keptBytes: 10 });
  assert.equal(bodies.length, 1);
  for (let moved = 0; moved < 20; moved++) await move(250);
  assert.equal(bodies.length, 1, "it runs, and nobody else is given it");
  await backend.close();
});

test("H4 L3 what has ended is given back without a delay: it waits for nothing, and its next attempt goes on", async () => {
  const { backend, worker, turns, answers, move, instances } = await open();
  const child = (id: number) => ({ kind: "createSubOrchestration", id, instanceId: "kid", executionId: `k${id}`, name: "flow" }) as const;
  const failed = { kind: "completeOrchestration", id: 1, status: "FAILED", failure: { errorType: "Error", message: "no" } } as const;
  await backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  const answer = async (actions: readonly Action[]): Promise<void> => {
    await worker.completeOrchestration({ kind: "turn", token: turns.at(-1)!.token, actions, keptBytes: 10 });
    await rest();
  };
  await answer([child(1)]);
  await answer([failed]);
  await answer([child(2)]);
  assert.equal(turns.at(-1)?.executionId, "k2", "the next attempt of the child");
  answers.refused = 1;
  await worker.completeOrchestration({ kind: "abandoned", token: turns.at(-1)!.token });
  await move(1_000);
  await move(1_000);
  await worker.completeOrchestration({ kind: "abandoned", token: turns.at(-1)!.token });
  await rest();
  assert.equal(backend.counters()["invariantsBroken"], undefined);
  const kid = instances().find(({ record }) => record.id === "kid")?.record;
  assert.deepEqual([kid?.status, kid?.executionId, kid?.stall?.kind], ["PENDING", "k2", "version"]);
  await backend.close();
});
