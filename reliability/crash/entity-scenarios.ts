// entity-scenarios: small stories of entities and of their locks, each with the result that it must have.
//
// Always:  what must be true is asked of entities when all has ended: what each has done, once, and that nobody has them to himself (E1 to E4).
import assert from "node:assert/strict";
import { entity, orchestrator } from "ostinato";
import type { WorkerOptions } from "ostinato";
import { account, audit, entities as accounts, OPENING_BALANCE, transfer } from "./bank-programs.ts";
import type { MortalHub } from "./mortal-hub.ts";
import type { Scenario } from "./scenarios.ts";

const list = entity("list", { initial: (): string[] => [] }).operations({
  add: (state, text: string) => {
    state.value.push(text);
    return state.value;
  },
  pass: (state, to: string) => {
    state.value.push(`to ${to}`);
    state.entity<{ add(text: string): void }>("list", to).signal.add(`from ${state.key}`);
    state.startOrchestrator<string>("adds", `start of ${to}`, { instanceId: `start-${to}` });
  },
  fail: (state, text: string) => {
    state.value.push(text);
    state.entity<{ add(text: string): void }>("list", "never").signal.add(text);
    throw new Error("as asked");
  },
});

const adds = orchestrator("adds", async (ctx, key: string) => {
  const to = ctx.entity(list, key);
  to.signal.add("1");
  await to.add("2");
  await to.fail("never").then(
    () => undefined,
    () => undefined,
  );
  to.signal.add("4", { at: "1h" });
  return await to.add("3");
});
const passes = orchestrator("passes", async (ctx) => {
  await ctx.entity(list, "first").pass("second");
  await ctx.createTimer("1m");
});
const holds = orchestrator("holds", async (ctx, keys: readonly string[]) => {
  await ctx.lockEntities(
    keys.map((key) => ctx.entity(list, key)),
    async () => {
      await ctx.entity(list, keys[0]!).add(ctx.instanceId);
      await ctx.waitForExternalEvent("go");
    },
  );
});
const again = orchestrator("again", async (ctx, round: number) => {
  const [a, b] = [ctx.entity(list, "a"), ctx.entity(list, "b")];
  await ctx.lockEntities([b, a]);
  await a.add(`${round}`);
  await b.add(`${round}`);
  if (round < 2) ctx.continueAsNew(round + 1);
});

const options: WorkerOptions = { orchestrators: [adds, passes, holds, again, transfer, audit], entities: [list, ...accounts] };

async function stateOf(hub: MortalHub, key: string): Promise<unknown> {
  return await hub.entity(list, key).state();
}

async function assertFree(hub: MortalHub): Promise<void> {
  await hub.clock.advance("1m");
  for await (const { id, lockedBy, backlogQueueSize } of hub.entities({ includeTransient: true }))
    assert.deepEqual([lockedBy, backlogQueueSize], [undefined, 0], id);
}

export const entityScenarios = {
  "entity called and signalled": {
    options,
    async tell(hub) {
      const instance = await hub.start(adds, "a", { instanceId: "a" });
      assert.deepEqual(await instance.result(), ["1", "2", "3"]);
      await hub.clock.advance("2h");
      assert.deepEqual(await stateOf(hub, "a"), ["1", "2", "3", "4"]);
      assert.equal(await stateOf(hub, "never"), undefined);
    },
  },
  "entity tells others": {
    options,
    async tell(hub) {
      await (await hub.start(passes, undefined, { instanceId: "a" })).result();
      assert.deepEqual(await hub.instance(adds, "start-second").result(), ["1", "2", "3"]);
      assert.deepEqual(await stateOf(hub, "first"), ["to second"]);
      assert.deepEqual(await stateOf(hub, "second"), ["from first"]);
      await hub.clock.advance("2h");
    },
  },
  transfers: {
    options,
    async tell(hub) {
      const there = await hub.start(transfer, { from: "a", to: "b", amount: 700 }, { instanceId: "there" });
      const back = await hub.start(transfer, { from: "b", to: "a", amount: 100 }, { instanceId: "back" });
      const refused = await hub.start(transfer, { from: "a", to: "b", amount: 5_000 }, { instanceId: "refused" });
      const seen = await hub.start(audit, ["a", "b"], { instanceId: "audit" });
      assert.deepEqual(await Promise.all([there.result(), back.result(), refused.result()]), ["done", "done", "refused"]);
      assert.equal(await seen.result(), 2 * OPENING_BALANCE);
      const balances = await Promise.all(["a", "b"].map(async (key) => (await hub.entity(account, key).state())?.balance));
      assert.deepEqual(balances, [OPENING_BALANCE - 600, OPENING_BALANCE + 600]);
      await assertFree(hub);
    },
  },
  "owner terminated": {
    options,
    async tell(hub) {
      const owner = await hub.start(holds, ["a", "b"], { instanceId: "owner" });
      const waiter = await hub.start(holds, ["b", "c"], { instanceId: "waiter" });
      await hub.clock.advance("1m");
      await waiter.terminate();
      await owner.terminate();
      const next = await hub.start(holds, ["c", "b", "a"], { instanceId: "next" });
      await next.raiseEvent("go");
      await next.result();
      assert.equal((await owner.status())?.status, "TERMINATED");
      await assertFree(hub);
    },
  },
  "section ends with its execution": {
    options,
    async tell(hub) {
      await (await hub.start(again, 0, { instanceId: "a" })).result();
      assert.deepEqual(await stateOf(hub, "a"), ["0", "1", "2"]);
      assert.deepEqual(await stateOf(hub, "b"), ["0", "1", "2"]);
      await assertFree(hub);
    },
  },
} satisfies Record<string, Scenario>;
