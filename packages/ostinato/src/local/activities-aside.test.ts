import assert from "node:assert/strict";
import { test } from "node:test";
import { handClock, rest, type HandClock } from "../../test/hand-clock.ts";
import type { Backend, WorkerConnection, WorkerInterest } from "../contract/backend.ts";
import type { ActivityWorkItem, WorkItem } from "../contract/work-items.ts";
import type { Store } from "../engine/store.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub, type MemoryHub } from "../stores/memory/memory-store.ts";
import { createLocalBackend } from "./local-backend.ts";

// ---- an activity that ends its process, and several processes over one hub

const MAX_CLAIMS = 2;
const INTEREST: WorkerInterest = {
  orchestrators: ["o"],
  activities: ["a"],
  entities: [],
  maxConcurrentOrchestrations: 10,
  maxConcurrentActivities: 10,
  maxConcurrentEntities: 10,
  warmBytes: 1_000_000,
  warmIdleMs: 10_000,
};

interface Process {
  readonly backend: Backend;
  /** The tries that have begun here. */
  readonly tries: ActivityWorkItem[];
  join(interest?: Partial<WorkerInterest>): Promise<WorkerConnection>;
  succeed(item: ActivityWorkItem | undefined): Promise<void>;
  /** Nothing of it is heard any more, and its leases are void. */
  die(): Promise<void>;
}

async function startProcess(hub: MemoryHub, clock: HandClock, store: Store = hub.connect()): Promise<Process> {
  const backend = await createLocalBackend({ store, clock, random: seededRandom(1), log: silentLogger, maxClaims: MAX_CLAIMS });
  const tries: ActivityWorkItem[] = [];
  const lines: WorkerConnection[] = [];
  return {
    backend,
    tries,
    async join(interest = {}) {
      const line = await backend.connectWorker({ ...INTEREST, ...interest }, (items: readonly WorkItem[]) => {
        for (const item of items) {
          if (item.kind === "activity") tries.push(item);
          if (item.kind !== "orchestration") continue;
          const done = item.newEvents.some((event) => event.kind === "TaskCompleted");
          const action = done
            ? ({ kind: "completeOrchestration", id: 2, status: "COMPLETED" } as const)
            : ({ kind: "scheduleTask", id: 1, name: "a", attempt: 1, firstId: 1 } as const);
          const begins = item.newEvents.some((event) => event.kind === "ExecutionStarted");
          const actions = done || begins ? [action] : [];
          void line.completeOrchestration({ kind: "turn", token: item.token, actions });
        }
      });
      lines.push(line);
      await rest();
      return line;
    },
    async succeed(item) {
      assert.ok(item !== undefined, "no try has begun");
      await lines.at(-1)?.completeActivity({ kind: "completed", token: item.token });
      await rest();
    },
    async die() {
      await store.close();
      await rest();
    },
  };
}

/** An instance whose activity has ended one process after the other; the one that has set it aside is what is returned. */
async function withOneSetAside(hub: MemoryHub, clock: HandClock): Promise<Process> {
  for (let tries = 0; tries <= MAX_CLAIMS; tries++) {
    const process = await startProcess(hub, clock);
    await process.join();
    if (tries === 0) await process.backend.start({ instanceId: "i", executionId: "x", name: "o" });
    await rest();
    assert.equal(process.tries.length, tries < MAX_CLAIMS ? 1 : 0);
    if (tries === MAX_CLAIMS) {
      assert.equal(await stallOf(process), "set-aside");
      return process;
    }
    await process.die();
  }
  throw new Error("unreachable");
}

async function stallOf({ backend }: Process): Promise<string | undefined> {
  return (await backend.get("i"))?.record.stall?.kind;
}

async function resume({ backend }: Process): Promise<void> {
  await backend.suspend("i");
  await backend.resume("i");
  await rest();
}

test("R4 whoever has set an activity aside tries it once more when its instance is resumed by another process", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const keeper = await withOneSetAside(hub, clock);
  const operator = await startProcess(hub, clock);
  await resume(operator);
  await keeper.succeed(keeper.tries[0]);
  assert.equal((await operator.backend.get("i"))?.record.status, "COMPLETED");
});

test("R4 an activity that was set aside is tried once more by whoever comes after its instance was resumed", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const keeper = await withOneSetAside(hub, clock);
  await keeper.die();
  const operator = await startProcess(hub, clock);
  await resume(operator);
  assert.equal(await stallOf(operator), undefined);
  await operator.backend.close();
  const next = await startProcess(hub, clock);
  await next.join();
  await next.succeed(next.tries[0]);
  assert.equal((await next.backend.get("i"))?.record.status, "COMPLETED");
});

test("R4 one more try is one: when its process ends of it, too, the activity is set aside again, until it is resumed again", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  let keeper = await withOneSetAside(hub, clock);
  for (let told = 1; told <= 3; told++) {
    await resume(keeper);
    assert.equal(await stallOf(keeper), undefined);
    assert.equal(keeper.tries.length, 1);
    await keeper.die();
    keeper = await startProcess(hub, clock);
    await keeper.join();
    assert.equal(keeper.tries.length, 0);
    assert.equal(await stallOf(keeper), "set-aside");
  }
});

test("R4 what is set aside is nobody's, whoever comes and goes: its mark stays as it is, and it can be terminated", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const keeper = await withOneSetAside(hub, clock);
  const before = (await keeper.backend.get("i"))?.record.stall;
  await keeper.die();
  for (let other = 0; other < 3; other++) {
    const process = await startProcess(hub, clock);
    const line = await process.join();
    await clock.advance(3_600_000);
    assert.equal(process.tries.length, 0);
    const now = await process.backend.get("i");
    assert.deepEqual(now?.record.stall, before);
    assert.equal(now?.outstanding?.activities[0]?.isOut, false);
    await line.close();
    await process.backend.close();
  }
  const last = await startProcess(hub, clock);
  await last.backend.terminate({ instanceId: "i", recursive: false });
  await rest();
  assert.equal((await last.backend.get("i"))?.record.status, "TERMINATED");
  assert.equal([...hub.contents().instances][0]?.activities.size, 0);
});

test("R4 a resume that comes before the mark is written says nothing about it: the mark stands, and the next resume takes it away", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  for (let tries = 0; tries < MAX_CLAIMS; tries++) {
    const process = await startProcess(hub, clock);
    await process.join();
    if (tries === 0) await process.backend.start({ instanceId: "i", executionId: "x", name: "o" });
    await rest();
    await process.die();
  }
  const store = hub.connect();
  let arrive = (): void => undefined;
  const late = await startProcess(hub, clock, {
    ...store,
    async claim(want) {
      const claims = await store.claim(want);
      if (claims.activities.length > 0) await new Promise<void>((resolve) => (arrive = resolve));
      return claims;
    },
  });
  await late.join();
  const operator = await startProcess(hub, clock);
  await resume(operator);
  arrive();
  await rest();
  assert.equal(await stallOf(operator), "set-aside");
  await resume(operator);
  assert.equal(await stallOf(operator), undefined);
  arrive();
  await rest();
  await late.succeed(late.tries[0]);
  assert.equal((await operator.backend.get("i"))?.record.status, "COMPLETED");
});

test("a store that cannot write the mark is asked again, and the process that could not write it loses no try", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const store = hub.connect();
  const first = await withOneSetAside(hub, clock);
  await resume(first);
  await first.die();
  let fails = 2;
  const process = await startProcess(hub, clock, {
    ...store,
    async update(id, decide, expects) {
      if (fails-- > 0) throw new Error("I/O error");
      return store.update(id, decide, expects);
    },
  });
  await process.join();
  assert.equal(await stallOf(process), undefined);
  await clock.advance(120_000);
  assert.equal(fails < 0, true);
  assert.equal(await stallOf(process), "set-aside");
  assert.equal((await process.backend.get("i"))?.record.stall?.attempts, MAX_CLAIMS);
  await resume(process);
  await process.succeed(process.tries[0]);
  assert.equal((await process.backend.get("i"))?.record.status, "COMPLETED");
});
