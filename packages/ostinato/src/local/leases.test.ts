import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_COMMIT } from "../engine/commit.ts";
import type { Renewal, Store } from "../engine/store.ts";
import type { Clock } from "../platform/clock.ts";
import { handClock, rest } from "../../test/hand-clock.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import type { OrchestrationWorkItem, WorkItem } from "../contract/work-items.ts";
import { keepLeases } from "./leases.ts";
import { createLocalBackend } from "./local-backend.ts";

test("LS1 LS2 a lease is renewed when a third of it has passed, sooner after a failure; what was lost is told before what is good again", async () => {
  const clock = handClock(1_000);
  const seen: string[] = [];
  const answers: (Renewal | Error)[] = [];
  const stop = await keepLeases({
    clock,
    leaseMs: 3_000,
    async renew(leaseMs) {
      seen.push(`renew ${leaseMs} at ${clock.now()}`);
      const answer = answers.shift() ?? { at: clock.now(), alive: true };
      if (answer instanceof Error) throw answer;
      return answer;
    },
    lost: () => void seen.push("lost"),
    renewed: () => void seen.push("renewed"),
    failed: (error) => void seen.push((error as Error).message),
  });
  assert.deepEqual(seen.splice(0), ["renew 3000 at 1000"]);
  answers.push({ at: 0, alive: true }, new Error("no answer"), { at: 0, alive: false });
  await clock.advance(2_300);
  assert.deepEqual(seen.splice(0), [
    "renew 3000 at 2000",
    "renewed",
    "renew 3000 at 3000",
    "no answer",
    "renew 3000 at 3300",
    "lost",
    "renewed",
  ]);
  stop();
  await clock.advance(10_000);
  assert.deepEqual(seen, []);
});

test("LS4 where somebody else's lease ends before a third of one's own has passed, it is renewed then", async () => {
  const clock = handClock(0);
  const at: number[] = [];
  const soon = [400, 5_000, 10];
  const stop = await keepLeases({
    clock,
    leaseMs: 3_000,
    async renew() {
      at.push(clock.now());
      const againInMs = soon.shift();
      return { at: clock.now(), alive: true, ...(againInMs === undefined ? {} : { againInMs }) };
    },
    lost: () => assert.fail("nothing was lost"),
    renewed: () => undefined,
    failed: () => assert.fail("nothing failed"),
  });
  await clock.advance(3_000);
  assert.deepEqual(at, [0, 400, 1_400, 1_410, 2_410]);
  stop();
});

test("L2 L3 a process that stood still loses what it held to another one, is refused, and takes nothing with it", async () => {
  const clock = handClock(1_000);
  const hub = createMemoryHub({ clock });
  const open = async (name: string, frozen: { now: boolean }) => {
    // One that stands still hears nothing until it goes on.
    const waiting: (() => void)[] = [];
    const own: Clock = {
      ...clock,
      setTimer: (ms, run) => clock.setTimer(ms, () => (frozen.now ? void waiting.push(run) : run())),
    };
    const backend = await createLocalBackend({
      store: hub.connect(name),
      clock: own,
      random: seededRandom(name.length),
      log: silentLogger,
      leaseMs: 3_000,
    });
    const turns: OrchestrationWorkItem[] = [];
    const interest = {
      orchestrators: ["flow"],
      activities: [],
      maxConcurrentOrchestrations: 9,
      maxConcurrentActivities: 9,
      entities: [],
      maxConcurrentEntities: 9,
      warmBytes: 1_000,
      warmIdleMs: 60_000,
    };
    const worker = await backend.connectWorker(interest, (items: readonly WorkItem[]) => {
      for (const item of items) if (item.kind === "orchestration") turns.push(item);
    });
    return { backend, turns, worker, goOn: () => void waiting.splice(0).forEach((run) => run()) };
  };
  const still = { now: false };
  const first = await open("first", still);
  await first.backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await clock.advance(100);
  assert.equal(first.turns.length, 1);
  const second = await open("second", { now: false });
  await clock.advance(5_000);
  assert.equal(second.turns.length, 0, "it is renewed, so it stays with the first one");

  still.now = true;
  await clock.advance(5_000);
  assert.equal(second.turns.length, 1, "the other one has it now");
  const end = [{ kind: "completeOrchestration", id: 1, status: "COMPLETED", result: '"second"' } as const];
  await second.worker.completeOrchestration({ kind: "turn", token: second.turns[0]!.token, actions: end });

  still.now = false;
  first.goOn();
  await first.worker.completeOrchestration({
    kind: "turn",
    token: first.turns[0]!.token,
    actions: [{ ...end[0]!, result: '"first"' }],
  });
  await clock.advance(2_000);
  assert.equal((await first.backend.get("a"))?.payloads.output, '"second"');
  assert.equal(first.backend.counters()["leasesLost"], 1);
  await first.backend.close();
  await second.backend.close();
});

test("L2 a start whose answer was long on its way does not take the place of what was claimed anew since", async () => {
  const clock = handClock(1_000);
  const hub = createMemoryHub({ clock });
  const store = hub.connect("first");
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => (arrive = resolve));
  const late: Store = {
    ...store,
    async update(...asked) {
      const answer = await store.update(...asked);
      await arrival;
      return answer;
    },
  };
  const backend = await createLocalBackend({ store: late, clock, random: seededRandom(1), log: silentLogger, leaseMs: 60_000 });
  const turns: OrchestrationWorkItem[] = [];
  const interest = {
    orchestrators: ["flow"],
    activities: [],
    maxConcurrentOrchestrations: 9,
    maxConcurrentActivities: 9,
    entities: [],
    maxConcurrentEntities: 9,
    warmBytes: 1_000,
    warmIdleMs: 60_000,
  };
  const worker = await backend.connectWorker(interest, (items: readonly WorkItem[]) => {
    for (const item of items) if (item.kind === "orchestration") turns.push(item);
  });
  const starting = backend.start({ instanceId: "a", executionId: "e", name: "flow" });
  await rest();
  await hub.connect("other").update("a", (current) => {
    assert.ok(current !== undefined);
    const { record } = current;
    return { ...EMPTY_COMMIT, number: record.number, record: { ...record, epoch: record.epoch + 1 } };
  });
  await clock.advance(60_000);
  assert.equal(turns.length, 1, "it was given back, and claimed anew");
  arrive();
  await starting;
  await clock.advance(100);
  assert.equal(turns.length, 1, "whoever has it now has it still");
  const end = [{ kind: "completeOrchestration", id: 1, status: "COMPLETED", result: '"done"' } as const];
  await worker.completeOrchestration({ kind: "turn", token: turns[0]!.token, actions: end });
  assert.equal((await backend.get("a"))?.payloads.output, '"done"');
  await backend.close();
});
