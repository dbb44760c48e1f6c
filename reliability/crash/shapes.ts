// shapes: the orchestrations of a campaign, each with what clients do to it and with what must come of it in the end.
//
// Always:  expectations are computed here, by arithmetic, and never asked of the product.
//          A step is asked for again until somebody has confirmed it; asking for it twice must not change what comes of it.
import { setTimeout as sleep } from "node:timers/promises";
import { activity, externalEvent, orchestrator } from "ostinato";
import type { Sight } from "../checker/journal.ts";

/** One thing that a client asks for. The next one of an instance is asked for when this one was confirmed. */
export type Step =
  | { readonly op: "start"; readonly orchestrator: string; readonly input: unknown; readonly startInMs?: number }
  | { readonly op: "raise"; readonly event: string; readonly data: unknown }
  | { readonly op: "suspend" | "resume" | "terminate" | "ended" | "purge" };

/** How an instance must stand when everything has ended. */
export type Expected = { readonly status: "COMPLETED" | "FAILED" | "TERMINATED"; readonly output?: unknown } | "gone";

/** An instance that is to be. */
export interface Plan {
  readonly id: string;
  readonly shape: string;
  readonly steps: readonly Step[];
  readonly expected: Expected;
}

let witness: (sight: Sight) => void = () => undefined;
/** Says where activity bodies leave what they saw. */
export function bodiesTell(to: (sight: Sight) => void): void {
  witness = to;
}

interface Seen {
  readonly instanceId: string;
  readonly taskId: number;
  readonly name: string;
  readonly attempt: number;
  readonly delivery: number;
  readonly idempotencyKey: string;
}

/** Runs a body, and leaves what it saw. */
export async function witnessed<O>(ctx: Seen, body: () => Promise<O> | O): Promise<O> {
  const { instanceId, taskId, name, attempt, delivery, idempotencyKey: key } = ctx;
  const seen = { instanceId, taskId, name, attempt, delivery, key };
  witness({ kind: "body-began", ...seen });
  try {
    const output = await body();
    witness({ kind: "body-ended", ...seen, outcome: "completed", ...(output === undefined ? {} : { result: JSON.stringify(output) }) });
    return output;
  } catch (error) {
    witness({ kind: "body-ended", ...seen, outcome: "failed" });
    throw error;
  }
}

const square = activity("square", async (ctx, n: number) =>
  witnessed(ctx, async () => {
    if (n % 3 === 0) await sleep(n % 10);
    return n * n;
  }),
);

const busy = activity(
  "busy",
  { retry: { maxNumberOfAttempts: 5, firstRetryInterval: "5ms", backoffCoefficient: 2 } },
  async (ctx, n: number) =>
    witnessed(ctx, () => {
      if (ctx.attempt < 3) throw new Error("busy");
      return n + ctx.attempt;
    }),
);

const broken = activity("broken", async (ctx) =>
  witnessed(ctx, (): number => {
    throw new Error("broken for good");
  }),
);

const chain = orchestrator("chain", async (ctx, n: number) => {
  let sum = 0;
  for (let i = 1; i <= n; i++) sum += await ctx.callActivity(square, i);
  return sum;
});

const fan = orchestrator("fan", async (ctx, n: number) => {
  const squares = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.callActivity(square, i + 1)));
  return squares.reduce((a, b) => a + b, 0);
});

const retried = orchestrator("retried", async (ctx, n: number) => await ctx.callActivity(busy, n));

const failing = orchestrator("failing", async (ctx) => await ctx.callActivity(broken));

const timed = orchestrator("timed", async (ctx, n: number) => {
  const lost = ctx.createTimer("1h");
  await ctx.whenAny([lost, ctx.createTimer({ milliseconds: 10 * n })]);
  lost.cancel();
  return await ctx.callActivity(square, n);
});

const family = orchestrator("family", async (ctx, n: number) => {
  const sums = await ctx.whenAll([1, 2, 3].map((each) => ctx.callSubOrchestrator(chain, n + each)));
  return sums.reduce((a, b) => a + b, 0);
});

const mourning = orchestrator("mourning", async (ctx, n: number) => {
  try {
    await ctx.callSubOrchestrator(failing);
  } catch {
    return await ctx.callActivity(square, n);
  }
  return -1;
});

interface Counting {
  readonly n: number;
  readonly sum: number;
}
const counting = orchestrator("counting", async (ctx, input: Counting) => {
  if (input.n === 0) return input.sum;
  await ctx.createTimer("5ms");
  ctx.continueAsNew({ n: input.n - 1, sum: input.sum + (await ctx.callActivity(square, input.n)) });
  return 0;
});

const go = externalEvent<number>("go");
const awaiting = orchestrator("awaiting", async (ctx, n: number) => {
  ctx.setCustomStatus({ waits: n });
  const got = await ctx.first({ go: ctx.waitForExternalEvent(go), late: ctx.createTimer("1h") });
  return got.key === "go" ? (await ctx.callActivity(square, got.value)) + n : "late";
});

interface Collecting {
  readonly wanted: number;
  readonly seen: readonly number[];
}
/** Takes events until it has seen so many different ones; every second one it takes in an execution of its own. */
const collecting = orchestrator("collecting", async (ctx, input: Collecting) => {
  const seen = new Set(input.seen);
  for (let taken = 0; taken < 2 && seen.size < input.wanted; taken++) seen.add(await ctx.waitForExternalEvent(go));
  if (seen.size === input.wanted) return [...seen].sort((a, b) => a - b);
  ctx.continueAsNew({ wanted: input.wanted, seen: [...seen] });
  return [];
});

/** Starts a child that listens, tells it something, and hears what it made of it. */
const telling = orchestrator("telling", async (ctx, n: number) => {
  const listener = `${ctx.instanceId}/listener`;
  const answer = ctx.callSubOrchestrator(awaiting, n, { instanceId: listener });
  ctx.sendEvent(listener, go, n);
  return await answer;
});

/** Waits for what never comes, with children that do the same. */
const doomed = orchestrator("doomed", async (ctx, depth: number) => {
  const never: PromiseLike<unknown>[] = [ctx.waitForExternalEvent("never"), ctx.createTimer("2h")];
  if (depth > 0) await ctx.whenAll([ctx.callSubOrchestrator("doomed", depth - 1), ctx.callSubOrchestrator("doomed", depth - 1)]);
  await Promise.all(never);
});

export const orchestrators = [chain, fan, retried, failing, timed, family, mourning, counting, awaiting, collecting, telling, doomed];
export const activities = [square, busy, broken];

const sumOfSquares = (n: number): number => (n * (n + 1) * (2 * n + 1)) / 6;
const start = (of: { readonly name: string }, input: unknown): Step => ({ op: "start", orchestrator: of.name, input });
const done = (output: unknown): Expected => ({ status: "COMPLETED", output });

type Shape = (n: number, chance: () => number) => Pick<Plan, "steps" | "expected">;

/** Every shape: what is asked for, and what must come of it. `n` is small: 1 to 8. */
export const shapes = {
  chain: (n) => ({ steps: [start(chain, n)], expected: done(sumOfSquares(n)) }),
  fan: (n) => ({ steps: [start(fan, n * 2)], expected: done(sumOfSquares(n * 2)) }),
  fanOfFifty: () => ({ steps: [start(fan, 50)], expected: done(sumOfSquares(50)) }),
  retried: (n) => ({ steps: [start(retried, n)], expected: done(n + 3) }),
  failing: () => ({ steps: [start(failing, undefined)], expected: { status: "FAILED" } }),
  timed: (n) => ({ steps: [start(timed, n)], expected: done(n * n) }),
  startedLater: (n) => ({ steps: [{ ...start(chain, n), startInMs: 20 * n } as Step], expected: done(sumOfSquares(n)) }),
  family: (n) => ({ steps: [start(family, n)], expected: done(sumOfSquares(n + 1) + sumOfSquares(n + 2) + sumOfSquares(n + 3)) }),
  mourning: (n) => ({ steps: [start(mourning, n)], expected: done(n * n) }),
  counting: (n) => ({ steps: [start(counting, { n, sum: 0 })], expected: done(sumOfSquares(n)) }),
  awaiting: (n) => ({ steps: [start(awaiting, n), { op: "raise", event: "go", data: n }], expected: done(n * n + n) }),
  collecting: (n) => ({
    steps: [
      start(collecting, { wanted: n, seen: [] }),
      ...Array.from({ length: n }, (_, i): Step => ({ op: "raise", event: "go", data: i })),
    ],
    expected: done(Array.from({ length: n }, (_, i) => i)),
  }),
  telling: (n) => ({ steps: [start(telling, n)], expected: done(n * n + n) }),
  heldBack: (n) => ({ steps: [start(chain, n), { op: "suspend" }, { op: "resume" }], expected: done(sumOfSquares(n)) }),
  heldEvents: (n) => ({
    steps: [start(awaiting, n), { op: "suspend" }, { op: "raise", event: "go", data: n }, { op: "resume" }],
    expected: done(n * n + n),
  }),
  doomed: (n) => ({ steps: [start(doomed, n % 3), { op: "terminate" }], expected: { status: "TERMINATED" } }),
  purged: (n) => ({ steps: [start(chain, n), { op: "ended" }, { op: "purge" }], expected: "gone" }),
  createdAgain: (n) => ({
    steps: [start(chain, n), { op: "ended" }, { op: "purge" }, start(chain, n + 1)],
    expected: done(sumOfSquares(n + 1)),
  }),
} satisfies Record<string, Shape>;

const names = Object.keys(shapes) as (keyof typeof shapes)[];

/** An instance of a shape that chance chooses. Fan-outs of fifty are one in twenty. */
export function planFor(id: string, chance: () => number): Plan {
  const few = names.filter((name) => name !== "fanOfFifty");
  const shape = chance() < 0.05 ? "fanOfFifty" : few[Math.floor(chance() * few.length)]!;
  const make: Shape = shapes[shape];
  return { id: `${shape}-${id}`, shape, ...make(1 + Math.floor(chance() * 8), chance) };
}
