// calls: golden stories of activities and children: in a row, at once, again, and in vain.

import { activity, NonRetriableError, orchestrator } from "ostinato";
import { ends, type GoldenStory } from "./story.ts";

const add = activity("add", async (ctx, [a, b]: [number, number]) => a + b);
const greet = activity("greet", async (ctx, name: string) => `Hello ${name}!`);
const flaky = activity("flaky", async (ctx, goodFrom: number) => {
  if (ctx.attempt < goodFrom) throw new Error(`attempt ${ctx.attempt} failed`);
  return `attempt ${ctx.attempt}`;
});
const refuse = activity("refuse", async (ctx, why: string) => {
  throw new RangeError(why, { cause: new TypeError("the reason behind it") });
});
const never = activity("never", async () => {
  throw new NonRetriableError("never again");
});
const did = activity("did", async (ctx, what: string) => what);

const chain = orchestrator("chain", async (ctx, n: number) => {
  let sum = n;
  for (const term of [1, 2, 3]) sum = await ctx.callActivity(add, [sum, term]);
  return sum;
});
const fanOut = orchestrator(
  "fan-out",
  async (ctx, names: string[]) => await ctx.whenAll(names.map((name) => ctx.callActivity(greet, name))),
);
const promiseAll = orchestrator("promise-all", async (ctx, names: string[]) => {
  const all = await Promise.all(names.map(async (name) => `${await ctx.callActivity(greet, name)} ${await ctx.callActivity(did, name)}`));
  return all.join(" ");
});
const mapBounded = orchestrator("map-bounded", async (ctx, n: number) => {
  const items = Array.from({ length: n }, (_, index) => index);
  return await ctx.map(items, async (item) => await ctx.callActivity(add, [item, await ctx.callActivity(add, [item, 1])]), {
    concurrency: 2,
  });
});
const fanFailure = orchestrator("fan-failure", async (ctx) => {
  try {
    await ctx.whenAll([ctx.callActivity(greet, "a"), ctx.callActivity(refuse, "first"), ctx.callActivity(refuse, "second")]);
  } catch (error) {
    return `${(error as { errors: unknown[] }).errors.length} failed, the first with ${(error as Error).message}`;
  }
  return "not so";
});
const retries = orchestrator("retries", async (ctx) =>
  ctx.callActivity(flaky, 4, {
    retry: { maxNumberOfAttempts: 5, firstRetryInterval: "1s", backoffCoefficient: 3, maxRetryInterval: "5s" },
  }),
);
const retriesInVain = orchestrator("retries-in-vain", async (ctx) =>
  ctx.callActivity(flaky, 9, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: "2s" } }),
);
const retryHandler = orchestrator("retry-handler", async (ctx) => {
  const first = await ctx.callActivity(flaky, 3, { retry: ({ lastAttemptNumber }) => ({ seconds: lastAttemptNumber }) });
  try {
    return await ctx.callActivity(never, undefined, { retry: () => true });
  } catch (error) {
    return [first, (error as Error).message];
  }
});
const unhandled = orchestrator("unhandled", async (ctx) => await ctx.callActivity(refuse, "out of range"));

const leaf = orchestrator("leaf", async (ctx, n: number) => {
  if (n < 0) throw new RangeError(`no leaf below zero: ${n}`);
  return await ctx.callActivity(add, [n, ctx.parent?.taskScheduledId ?? -1]);
});
const children = orchestrator("children", async (ctx) => [
  await ctx.callSubOrchestrator(leaf, 1),
  await ctx.callSubOrchestrator(leaf, 2, { instanceId: `${ctx.instanceId}-named` }),
  await ctx.whenAll([ctx.callSubOrchestrator(leaf, 3), ctx.callSubOrchestrator("leaf", 4)]),
]);
const childFails = orchestrator("child-fails", async (ctx) => {
  try {
    return await ctx.callSubOrchestrator(leaf, -1);
  } catch (error) {
    return [(error as Error).message, await ctx.callSubOrchestrator(leaf, 1)];
  }
});
const childRetries = orchestrator("child-retries", async (ctx) => {
  const retry = { maxNumberOfAttempts: 2, firstRetryInterval: "1m" } as const;
  return await ctx.callSubOrchestrator(leaf, -7, { retry, instanceId: `${ctx.instanceId}-child` });
});
const saga = orchestrator("saga", async (ctx, goods: string[]) => {
  const undo: string[] = [];
  try {
    for (const good of goods) {
      await ctx.callActivity(did, `reserve ${good}`);
      undo.push(good);
      if (good === "glass") await ctx.callActivity(refuse, "it broke");
    }
    return "sold";
  } catch {
    for (const good of undo.reverse()) await ctx.callActivity(did, `release ${good}`);
    return `released ${undo.join(", ")}`;
  }
});

const all = { activities: [add, greet, flaky, refuse, never, did] };

export const callStories: readonly GoldenStory[] = [
  { ...all, name: "chain", orchestrators: [chain], tell: (hub) => ends(hub, "chain", 4) },
  { ...all, name: "fan-out", orchestrators: [fanOut], tell: (hub) => ends(hub, "fan-out", ["Ada", "Grace", "Jean", "Kay"]) },
  { ...all, name: "promise-all", orchestrators: [promiseAll], tell: (hub) => ends(hub, "promise-all", ["Ada", "Grace"]) },
  { ...all, name: "map-bounded", orchestrators: [mapBounded], tell: (hub) => ends(hub, "map-bounded", 5) },
  { ...all, name: "fan-failure", orchestrators: [fanFailure], tell: (hub) => ends(hub, "fan-failure") },
  { ...all, name: "retries", orchestrators: [retries], tell: (hub) => ends(hub, "retries") },
  { ...all, name: "retries-in-vain", orchestrators: [retriesInVain], tell: (hub) => ends(hub, "retries-in-vain") },
  { ...all, name: "retry-handler", orchestrators: [retryHandler], tell: (hub) => ends(hub, "retry-handler") },
  { ...all, name: "unhandled", orchestrators: [unhandled], tell: (hub) => ends(hub, "unhandled") },
  { ...all, name: "children", orchestrators: [children, leaf], tell: (hub) => ends(hub, "children") },
  { ...all, name: "child-fails", orchestrators: [childFails, leaf], tell: (hub) => ends(hub, "child-fails") },
  { ...all, name: "child-retries", orchestrators: [childRetries, leaf], tell: (hub) => ends(hub, "child-retries") },
  { ...all, name: "saga", orchestrators: [saga], tell: (hub) => ends(hub, "saga", ["wine", "glass", "plate"]) },
];
