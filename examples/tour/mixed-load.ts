// mixed-load: small orchestrations of every kind, each with the result that it must have, however often its process is killed.
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { activity, externalEvent, orchestrator } from "ostinato";
import type { Hub } from "ostinato";

/** Every run of an activity's body leaves a line here: a body may run more often than it completes. */
let runsFile: string | undefined;
export function recordRunsIn(path: string | undefined): void {
  runsFile = path;
}

const square = activity("square", async (ctx, n: number) => {
  if (runsFile !== undefined) appendFileSync(runsFile, `${ctx.idempotencyKey} ${ctx.attempt}\n`);
  if (n % 3 === 0) await sleep(n);
  return n * n;
});

const busy = activity("busy", { retry: { maxNumberOfAttempts: 5, firstRetryInterval: "5ms" } }, async (ctx, n: number) => {
  if (runsFile !== undefined) appendFileSync(runsFile, `${ctx.idempotencyKey} ${ctx.attempt}\n`);
  if (ctx.attempt < 3) throw new Error("busy");
  return n + ctx.attempt;
});

const chain = orchestrator("load.chain", async (ctx, n: number) => {
  let sum = 0;
  for (let i = 1; i <= n; i++) sum += await ctx.callActivity(square, i);
  return sum;
});

const fan = orchestrator("load.fan", async (ctx, n: number) => {
  const squares = await ctx.whenAll(Array.from({ length: n }, (_, i) => ctx.callActivity(square, i + 1)));
  return squares.reduce((a, b) => a + b, 0);
});

const retried = orchestrator("load.retried", async (ctx, n: number) => await ctx.callActivity(busy, n));

const timed = orchestrator("load.timed", async (ctx, n: number) => {
  const lost = ctx.createTimer("1h");
  await ctx.whenAny([lost, ctx.createTimer({ milliseconds: 10 * n })]);
  lost.cancel();
  return await ctx.callActivity(square, n);
});

const family = orchestrator("load.family", async (ctx, n: number) => {
  const sums = await ctx.whenAll([1, 2, 3].map((each) => ctx.callSubOrchestrator(chain, n + each)));
  return sums.reduce((a, b) => a + b, 0);
});

interface Counting {
  readonly n: number;
  readonly sum: number;
}
const counting = orchestrator("load.counting", async (ctx, input: Counting) => {
  if (input.n === 0) return input.sum;
  await ctx.createTimer("5ms");
  ctx.continueAsNew({ n: input.n - 1, sum: input.sum + (await ctx.callActivity(square, input.n)) });
  return 0;
});

const go = externalEvent<number>("go");
const awaiting = orchestrator("load.awaiting", async (ctx, n: number) => {
  const got = await ctx.first({ go: ctx.waitForExternalEvent(go), late: ctx.createTimer("1h") });
  return got.key === "go" ? (await ctx.callActivity(square, got.value)) + n : "late";
});

export const orchestrators = [chain, fan, retried, timed, family, counting, awaiting];
export const activities = [square, busy];

const sumOfSquares = (n: number): number => (n * (n + 1) * (2 * n + 1)) / 6;

/** How each kind is started, and what must come of it. */
export const load = {
  chain: { start: (hub, id, n) => hub.start(chain, n, { instanceId: id }), expected: sumOfSquares },
  fan: { start: (hub, id, n) => hub.start(fan, n, { instanceId: id }), expected: sumOfSquares },
  retried: { start: (hub, id, n) => hub.start(retried, n, { instanceId: id }), expected: (n) => n + 3 },
  timed: { start: (hub, id, n) => hub.start(timed, n, { instanceId: id }), expected: (n) => n * n },
  family: {
    start: (hub, id, n) => hub.start(family, n, { instanceId: id }),
    expected: (n) => sumOfSquares(n + 1) + sumOfSquares(n + 2) + sumOfSquares(n + 3),
  },
  counting: { start: (hub, id, n) => hub.start(counting, { n, sum: 0 }, { instanceId: id }), expected: sumOfSquares },
  awaiting: { start: (hub, id, n) => hub.start(awaiting, n, { instanceId: id }), raise: go, expected: (n) => n * n + n },
} satisfies Record<string, Kind>;

interface Kind {
  start(hub: Hub, id: string, n: number): Promise<unknown>;
  /** The event it waits for, with n as its data. */
  readonly raise?: typeof go;
  expected(n: number): number;
}

export type KindName = keyof typeof load;
export const kindNames = Object.keys(load) as KindName[];
