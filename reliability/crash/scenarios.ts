// scenarios: small stories, one for each thing that an instance can go through, each with the result that it must have.
//
// Always:  a scenario names its instances itself and asserts its end; it does not know where processes die.
import assert from "node:assert/strict";
import { activity, externalEvent, orchestrator } from "ostinato";
import type { ActivityContext, WorkerOptions } from "ostinato";
import type { Sight } from "../checker/journal.ts";
import type { Retention } from "../../packages/ostinato/src/contract/retention.ts";
import { entityScenarios } from "./entity-scenarios.ts";
import type { MortalHub } from "./mortal-hub.ts";

/** A story. */
export interface Scenario {
  readonly options: WorkerOptions;
  readonly tell: (hub: MortalHub) => Promise<void>;
  /** How long finished instances stay; for ever when absent. */
  readonly retention?: Retention;
  /** It waits for real time: its recoveries are tried at fewer points. */
  readonly slow?: boolean;
}

let witness: (sight: Sight) => void = () => undefined;
/** Says where bodies leave what they saw. One run at a time. */
export function scenariosTell(to: (sight: Sight) => void): void {
  witness = to;
}

async function seen<O>(ctx: ActivityContext, body: () => O | Promise<O>): Promise<O> {
  const { instanceId, taskId, name, attempt, delivery, idempotencyKey: key } = ctx;
  const what = { instanceId, taskId, name, attempt, delivery, key };
  witness({ kind: "body-began", ...what });
  try {
    const output = await body();
    witness({ kind: "body-ended", ...what, outcome: "completed", ...(output === undefined ? {} : { result: JSON.stringify(output) }) });
    return output;
  } catch (error) {
    witness({ kind: "body-ended", ...what, outcome: "failed" });
    throw error;
  }
}

const double = activity("double", async (ctx, n: number) => seen(ctx, () => n * 2));
const third = activity(
  "third",
  { retry: { maxNumberOfAttempts: 4, firstRetryInterval: "1s", backoffCoefficient: 2 } },
  async (ctx, n: number) =>
    seen(ctx, () => {
      if (ctx.attempt < 3) throw new Error("not yet");
      return n;
    }),
);
const never = activity("never", async (ctx) => seen(ctx, () => Promise.reject(new Error("never"))));
/** Ends when it is told that nobody waits any more, and not before. */
const endless = activity("endless", { timeout: { attempt: "5s" } }, async (ctx) =>
  seen(ctx, () => new Promise<void>((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error)))),
);

/** Fails on the first attempt of each line, and works when it is asked for again after a rewind. */
const repaired = new Set<string>();
const fragile = activity("fragile", async (ctx, n: number) =>
  seen(ctx, () => {
    if (!repaired.has(ctx.instanceId)) throw new Error("broken");
    return n;
  }),
);

const go = externalEvent<number>("go");

const chain = orchestrator("chain", async (ctx, n: number) => {
  for (let i = 0; i < 3; i++) n = await ctx.callActivity(double, n);
  return n;
});
const fanOut = orchestrator("fanOut", async (ctx, n: number) => {
  const doubled = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.callActivity(double, i)));
  return doubled.reduce((a, b) => a + b, 0);
});
const timer = orchestrator("timer", async (ctx) => {
  const began = ctx.currentUtcDateTime.getTime();
  await ctx.createTimer("1h");
  await ctx.callActivity(double, 1);
  await ctx.createTimer("1h");
  return ctx.currentUtcDateTime.getTime() - began >= 7_200_000;
});
const race = orchestrator("race", async (ctx) => {
  const got = await ctx.first({ go: ctx.waitForExternalEvent(go), late: ctx.createTimer("24h") });
  return got.key === "late" ? "late" : await ctx.callActivity(double, got.value);
});
const retrying = orchestrator("retrying", async (ctx) => await ctx.callActivity(third, 7));
const failing = orchestrator("failing", async (ctx) => await ctx.callActivity(never));
const parent = orchestrator("parent", async (ctx, n: number) => (await ctx.callSubOrchestrator(chain, n)) + 1);
const bereft = orchestrator("bereft", async (ctx) => {
  try {
    await ctx.callSubOrchestrator(failing);
    return "no";
  } catch (error) {
    return `${(error as Error).name} ${await ctx.callActivity(double, 2)}`;
  }
});
const clan = orchestrator("clan", async (ctx, n: number) => {
  const sums = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.callSubOrchestrator(chain, i)));
  return sums.reduce((a, b) => a + b, 0);
});
const rounds = orchestrator("rounds", async (ctx, state: { readonly left: number; readonly got: readonly number[] }) => {
  const got = [...state.got, await ctx.waitForExternalEvent(go)];
  await ctx.callActivity(double, got.length);
  if (state.left === 1) return got;
  ctx.continueAsNew({ left: state.left - 1, got });
  return [];
});
const nested = orchestrator("nested", async (ctx, depth: number) => {
  if (depth > 0) await ctx.whenAll([ctx.callSubOrchestrator("nested", depth - 1), ctx.callSubOrchestrator("nested", depth - 1)]);
  await ctx.waitForExternalEvent("nobody sends this");
});
const gated = orchestrator("gated", async (ctx) => {
  const done = [await ctx.callActivity(double, 1)];
  if (ctx.isVersionAtLeast("2.0.0")) done.push(await ctx.callActivity(double, 2));
  done.push(await ctx.callActivity(double, 3));
  return done;
});
const telling = orchestrator("telling", async (ctx) => {
  for (const each of ["calling", "waiting", "done"]) {
    ctx.setCustomStatus({ at: each });
    await ctx.callActivity(double, each.length);
  }
});
const sender = orchestrator("sender", async (ctx) => {
  const listener = `${ctx.instanceId}/listener`;
  const heard = ctx.callSubOrchestrator(race, undefined, { instanceId: listener });
  ctx.sendEvent(listener, go, 21);
  return await heard;
});
const impatient = orchestrator("impatient", async (ctx) => {
  try {
    await ctx.callActivity(endless);
    return "no";
  } catch (error) {
    return `${(error as Error).name} ${await ctx.callActivity(double, 4)}`;
  }
});
const fragiles = orchestrator("fragiles", async (ctx) => {
  const first = await ctx.callActivity(double, 1);
  return first + (await ctx.callActivity(fragile, 5));
});

const everything: WorkerOptions = {
  orchestrators: [
    chain,
    fanOut,
    timer,
    race,
    retrying,
    failing,
    parent,
    bereft,
    clan,
    rounds,
    nested,
    gated,
    telling,
    sender,
    impatient,
    fragiles,
  ],
  activities: [double, third, never, endless, fragile],
};
const code = (error: unknown): unknown => (error as { code?: unknown }).code;

/** The scenarios by name. */
export const scenarios = {
  chain: {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(chain, 1, { instanceId: "a" })).result(), 8),
  },
  "fan-out": {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(fanOut, 5, { instanceId: "a" })).result(), 20),
  },
  timer: {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(timer, undefined, { instanceId: "a" })).result(), true),
  },
  "event won": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(race, undefined, { instanceId: "a" });
      await instance.raiseEvent(go, 5);
      assert.equal(await instance.result(), 10);
    },
  },
  "event lost": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(race, undefined, { instanceId: "a" });
      assert.equal(await instance.result(), "late");
      await instance.raiseEvent(go, 5);
    },
  },
  retry: {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(retrying, undefined, { instanceId: "a" })).result(), 7),
  },
  "failure for good": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(failing, undefined, { instanceId: "a" });
      await assert.rejects(instance.result(), (error) => code(error) === "ORCHESTRATION_FAILED");
    },
  },
  child: {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(parent, 2, { instanceId: "a" })).result(), 17),
  },
  "child failing": {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(bereft, undefined, { instanceId: "a" })).result(), "TaskFailedError 4"),
  },
  "fan-out of children": {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(clan, 3, { instanceId: "a" })).result(), 24),
  },
  "continue-as-new with events carried": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(rounds, { left: 3, got: [] }, { instanceId: "a" });
      for (const n of [1, 2, 3]) await instance.raiseEvent(go, n);
      assert.deepEqual(await instance.result(), [1, 2, 3]);
    },
  },
  "suspend and resume": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(race, undefined, { instanceId: "a" });
      await instance.suspend("a pause");
      await instance.raiseEvent(go, 6);
      await hub.clock.advance("1m");
      assert.equal((await instance.status())?.status, "SUSPENDED");
      await instance.resume("on we go");
      assert.equal(await instance.result(), 12);
    },
  },
  "terminate recursive": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(nested, 2, { instanceId: "a" });
      await instance.terminate({ recursive: true, output: "enough" });
      await assert.rejects(instance.result(), (error) => code(error) === "ORCHESTRATION_TERMINATED");
      await hub.clock.advance("1m");
      for await (const status of hub.query()) assert.equal(status.status, "TERMINATED", status.id);
    },
  },
  purge: {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(clan, 2, { instanceId: "a" });
      assert.equal(await instance.result(), 8);
      await instance.purge({ recursive: true });
      for await (const status of hub.query()) assert.fail(`${status.id} is still there`);
    },
  },
  "re-created id": {
    options: everything,
    async tell(hub) {
      const first = await hub.start(chain, 1, { instanceId: "a" });
      assert.equal(await first.result(), 8);
      await assert.rejects(hub.start(chain, 2, { instanceId: "a" }), (error) => code(error) === "INSTANCE_EXISTS");
      await first.purge();
      assert.equal(await (await hub.start(chain, 2, { instanceId: "a" })).result(), 16);
    },
  },
  "version gate": {
    options: { ...everything, versioning: { version: "2.0.0", matchStrategy: "currentOrOlder", failureStrategy: "fail" } },
    async tell(hub) {
      const old = await hub.start(gated, undefined, { instanceId: "old", version: "1.0.0" });
      const now = await hub.start(gated, undefined, { instanceId: "now", version: "2.0.0" });
      const future = await hub.start(gated, undefined, { instanceId: "future", version: "3.0.0" });
      assert.deepEqual(await old.result(), [2, 6]);
      assert.deepEqual(await now.result(), [2, 4, 6]);
      await assert.rejects(future.result(), (error) => code(error) === "ORCHESTRATION_FAILED");
    },
  },
  "custom status": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(telling, undefined, { instanceId: "a" });
      await instance.result();
      assert.deepEqual((await instance.status())?.customStatus, { at: "done" });
    },
  },
  "send event": {
    options: everything,
    tell: async (hub) => assert.equal(await (await hub.start(sender, undefined, { instanceId: "a" })).result(), 42),
  },
  "activity timeout": {
    options: everything,
    slow: true,
    async tell(hub) {
      const instance = await hub.start(impatient, undefined, { instanceId: "a" });
      await hub.clock.advance("1m");
      assert.equal(await instance.result(), "TaskFailedError 8");
    },
  },
  "parked, then a late event": {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(race, undefined, { instanceId: "a" });
      await hub.clock.advance("23h"); // its program is long forgotten
      await instance.raiseEvent(go, 8);
      assert.equal(await instance.result(), 16);
    },
  },
  "scheduled start": {
    options: everything,
    async tell(hub) {
      const startAt = new Date(hub.clock.date.getTime() + 3_600_000);
      const instance = await hub.start(chain, 1, { instanceId: "a", startAt });
      assert.equal((await instance.status())?.status, "PENDING");
      assert.equal(await instance.result(), 8);
      assert.ok(hub.clock.date >= startAt);
    },
  },
  rewind: {
    options: everything,
    async tell(hub) {
      repaired.delete("a");
      const instance = await hub.start(fragiles, undefined, { instanceId: "a" });
      await assert.rejects(instance.result(), (error) => code(error) === "ORCHESTRATION_FAILED");
      repaired.add("a");
      await instance.rewind("it is mended");
      assert.equal(await instance.result(), 7);
    },
  },
  restart: {
    options: everything,
    async tell(hub) {
      const instance = await hub.start(chain, 1, { instanceId: "a" });
      assert.equal(await instance.result(), 8);
      const again = await instance.restart();
      assert.equal(await again.result(), 8);
      const other = await instance.restart({ newInstanceId: "b" });
      assert.equal(await other.result(), 8);
    },
  },
  "replaced while it runs": {
    options: everything,
    async tell(hub) {
      await hub.start(race, undefined, { instanceId: "a" });
      const instance = await hub.start(chain, 1, { instanceId: "a", dedupeStatuses: [] });
      assert.equal(await instance.result(), 8);
    },
  },
  "purge of many": {
    options: everything,
    async tell(hub) {
      const handles = await Promise.all([0, 1, 2].map((n) => hub.start(chain, n, { instanceId: `a${n}` })));
      await Promise.all(handles.map((each) => each.result()));
      const kept = await hub.start(race, undefined, { instanceId: "kept" });
      await hub.purge({ status: "COMPLETED" });
      for await (const status of hub.query()) assert.equal(status.id, "kept");
      await kept.raiseEvent(go, 1);
      assert.equal(await kept.result(), 2);
    },
  },
  retention: {
    options: everything,
    retention: { completed: "1h", failed: 0 },
    async tell(hub) {
      const [family, failed] = [await hub.start(parent, 1, { instanceId: "a" }), await hub.start(failing, undefined, { instanceId: "b" })];
      assert.equal(await family.result(), 9);
      await assert.rejects(failed.result());
      await hub.clock.advance("59m");
      assert.equal((await family.status())?.status, "COMPLETED");
      await hub.clock.advance("1h");
      const left: string[] = [];
      for await (const status of hub.query()) left.push(status.id);
      assert.deepEqual(left, ["b"]);
    },
  },
  "all at once": {
    options: everything,
    async tell(hub) {
      const [one, two, three] = await Promise.all([
        hub.start(chain, 1, { instanceId: "a" }),
        hub.start(clan, 2, { instanceId: "b" }),
        hub.start(race, undefined, { instanceId: "c" }),
      ]);
      // Whichever comes first: what has ended is not suspended any more.
      const unlessEnded = async (asked: Promise<void>): Promise<void> => {
        await asked.catch((error: unknown) => assert.equal(code(error), "INVALID_STATE"));
      };
      await Promise.all([three.raiseEvent(go, 1), unlessEnded(three.suspend()), unlessEnded(one.suspend())]);
      await Promise.all([unlessEnded(three.resume()), unlessEnded(one.resume())]);
      assert.deepEqual(await Promise.all([one.result(), two.result(), three.result()]), [8, 8, 2]);
    },
  },
  ...entityScenarios,
} satisfies Record<string, Scenario>;

/** The names of the scenarios. */
export type ScenarioName = keyof typeof scenarios;
export const scenarioNames = Object.keys(scenarios) as ScenarioName[];
