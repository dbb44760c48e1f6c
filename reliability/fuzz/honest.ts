// honest: somebody who minds their own business in the task hub that is being attacked: a client and a worker behind the wire.
//
// Owns:    what they run, and what must come of it.
// Always:  HO1 each of their orchestrations ends with what arithmetic says, within bounded time, whatever others send.
//          HO2 what they send and are sent is seen by whoever taps the wire, so that attackers can replay it.
import { activity, entity, orchestrator, type Hub, type OrchestrationHandle } from "ostinato";
import { jittered, seededRandom } from "ostinato/contract";

/** What honest orchestrations are called. Nobody else takes work by these names. */
export const HONEST_NAMES = [
  "honest-sum",
  "honest-steps",
  "honest-child",
  "honest-wait",
  "honest-again",
  "honest-flaky",
  "honest-moves",
] as const;
/** What their activities are called. */
export const HONEST_ACTIVITIES = ["honest-square", "honest-stumble"] as const;
/** What their entities are called. */
export const HONEST_ENTITIES = ["honest-account"] as const;

const square = activity("honest-square", async (_ctx, n: number) => n * n);
const stumble = activity("honest-stumble", { retry: { maxNumberOfAttempts: 3, firstRetryInterval: "1s" } }, (ctx, n: number) => {
  if (ctx.attempt < 2) throw new Error("not yet");
  return n + ctx.attempt;
});
const sum = orchestrator("honest-sum", async (ctx, n: number) => {
  const squares = await ctx.whenAll([1, 2, 3].map((each) => ctx.callActivity(square, each + n)));
  return squares.reduce((all, each) => all + each, 0);
});
const child = orchestrator("honest-child", async (ctx, n: number) => (await ctx.callActivity(square, n)) + 1);
const steps = orchestrator("honest-steps", async (ctx, n: number) => {
  const first = await ctx.callActivity(square, n);
  await ctx.createTimer("3s");
  return first + (await ctx.callSubOrchestrator(child, n));
});
const wait = orchestrator("honest-wait", async (ctx, n: number) => {
  const told = await ctx.waitForExternalEvent<number>("go");
  return (await ctx.callActivity(square, told)) + n;
});
const again = orchestrator(
  "honest-again",
  async (ctx, state: { readonly left: number; readonly all: number }): Promise<number | undefined> => {
    const all = state.all + (await ctx.callActivity(square, state.left));
    if (state.left === 0) return all;
    ctx.continueAsNew({ left: state.left - 1, all });
    return undefined;
  },
);
const flaky = orchestrator("honest-flaky", (ctx, n: number) => ctx.callActivity(stumble, n));
const account = entity("honest-account", { initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  get: (state) => state.value,
});
const moves = orchestrator("honest-moves", async (ctx, n: number) => {
  const [from, to] = [ctx.entity(account, `${ctx.instanceId}-a`), ctx.entity(account, `${ctx.instanceId}-b`)];
  from.signal.add(n);
  return ctx.lockEntities([to, from], async () => {
    const left = await from.add(-1);
    await ctx.createTimer("1s");
    return left + (await to.add(1)) + (await from.get());
  });
});

/** What an honest worker runs. */
export const HONEST_WORK = {
  orchestrators: [sum, steps, child, wait, again, flaky, moves],
  activities: [square, stumble],
  entities: [account],
};

/** One honest orchestration, from its start to its end. @throws when something else comes of it. */
async function oneOf(kind: number, hub: Hub, instanceId: string, n: number): Promise<void> {
  const expect = async (handle: OrchestrationHandle<number | undefined>, expected: number): Promise<void> => {
    const result = await handle.result();
    if (result !== expected) throw new Error(`The honest orchestration '${instanceId}' came to ${result} in place of ${expected}.`);
    const status = await handle.status();
    if (status?.status !== "COMPLETED") throw new Error(`The honest orchestration '${instanceId}' is ${status?.status ?? "gone"}.`);
  };
  switch (kind) {
    case 0:
      return expect(await hub.start(sum, n, { instanceId }), (n + 1) ** 2 + (n + 2) ** 2 + (n + 3) ** 2);
    case 1:
      return expect(await hub.start(steps, n, { instanceId }), 2 * n * n + 1);
    case 2: {
      const handle = await hub.start(wait, n, { instanceId });
      await handle.raiseEvent("go", n + 1);
      return expect(handle, (n + 1) ** 2 + n);
    }
    case 3:
      return expect(await hub.start(again, { left: 2, all: n }, { instanceId }), n + 5);
    case 4:
      return expect(await hub.start(moves, n, { instanceId }), 2 * n - 1);
    default:
      return expect(await hub.start(flaky, n, { instanceId }), n + 2);
  }
}

/** Honest orchestrations that have been begun. */
export interface HonestRound {
  readonly done: Promise<readonly string[]>;
  readonly isOver: () => boolean;
  /** Ids of those that have not ended. */
  readonly open: ReadonlySet<string>;
}

/** Begins so many of them; in the end says what was wrong. */
export function beginHonest(hub: Hub, prefix: string, count: number): HonestRound {
  const open = new Set<string>();
  const wrong: string[] = [];
  const one = async (n: number): Promise<void> => {
    const id = `${prefix}-${n}`;
    open.add(id);
    try {
      await oneOf(n % 6, hub, id, n);
    } catch (error) {
      wrong.push(`${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
    open.delete(id);
  };
  let over = false;
  const done = Promise.all(Array.from({ length: count }, (_, n) => one(n))).then(() => {
    over = true;
    return wrong;
  });
  return { done, isOver: () => over, open };
}

/** Ids of honest orchestrations cannot be guessed from the words that attackers have. */
export function honestPrefix(seed: number): string {
  return `honest-${seededRandom(jittered(seededRandom(seed), 1_000_000)).id()}`;
}
