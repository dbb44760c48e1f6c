// lives: golden stories of executions: begun anew, in another version, shown, and written in every form.

import { activity, orchestrator } from "ostinato";
import { ends, type GoldenStory } from "./story.ts";

const note = activity("note", async (ctx, text: string) => text);

const rounds = orchestrator("rounds", async (ctx, { round, seen }: { round: number; seen: string[] }) => {
  seen.push(await ctx.waitForExternalEvent<string>("word"));
  await ctx.callActivity(note, `round ${round}`);
  if (round < 3) return ctx.continueAsNew({ round: round + 1, seen });
  return seen.join(" ");
});
const grows = orchestrator("grows", async (ctx, n: number) => {
  if (ctx.isVersionAtLeast("2.0.0")) return `${ctx.version}: ${await ctx.callActivity(note, "new way")}`;
  if (n === 0) return await ctx.callActivity(note, "old way");
  return ctx.continueAsNew(n - 1, { version: "2.0.0" });
});
const gates = orchestrator("gates", async (ctx) => {
  await ctx.createTimer("1m");
  return ctx.isVersionAtLeast("1.5") ? "late gate" : "early gate";
});
const sideBySide = orchestrator("side-by-side", { version: "1.0.0" }, async (ctx) => await ctx.callActivity(note, "one"));
const sideBySideTwo = orchestrator("side-by-side", { version: "2.0.0" }, async (ctx) => {
  await ctx.createTimer("1s");
  return await ctx.callActivity(note, "two");
});
const shows = orchestrator("shows", async (ctx) => {
  ctx.setCustomStatus({ step: 1 });
  await ctx.callActivity(note, "one");
  ctx.setCustomStatus("two");
  await ctx.createTimer("1m");
  ctx.setCustomStatus(null);
  ctx.log.info("shown");
  return "shown";
});
const unique = orchestrator("unique", async (ctx) => {
  const ids = [ctx.newGuid(), ctx.newGuid()];
  const at = [ctx.currentUtcDateTime.toISOString()];
  await ctx.callActivity(note, ids[0]!);
  await ctx.createTimer("36h");
  ids.push(ctx.newGuid());
  at.push(ctx.currentUtcDateTime.toISOString());
  const child = await ctx.callSubOrchestrator(counted, ctx.newGuid());
  return { ids, at, child, me: [ctx.instanceId, ctx.executionId, ctx.name, ctx.tags["team"]] };
});
const counted = orchestrator("counted", async (ctx, given: string) => [given, ctx.newGuid(), ctx.executionId, ctx.parent?.name]);
const generator = orchestrator("generator", function* (ctx, names: string[]) {
  const said: string[] = [];
  for (const name of names) said.push(yield* ctx.callActivity(note, name));
  const winner = yield* ctx.whenAny([ctx.waitForExternalEvent("never"), ctx.createTimer("1m")]);
  return [...said, winner.isCompleted && !winner.isFailed];
});
const plainYield = orchestrator("plain-yield", function* (ctx, name: string) {
  const one = (yield ctx.callActivity(note, name)) as string;
  const two = (yield ctx.whenAll([ctx.callActivity(note, "a"), ctx.callActivity(note, "b")])) as string[];
  return [one, ...two];
});
const asyncGenerator = orchestrator("async-generator", async function* (ctx, names: string[]) {
  const said: string[] = [];
  for (const name of names) said.push((yield ctx.callActivity(note, name)) as string);
  said.push(await ctx.callActivity(note, "awaited"));
  return said;
});
const plain = orchestrator("plain", (ctx, name: string) => ctx.callActivity(note, name));

let shop: "closed" | "open" = "closed";
const buy = activity("buy", async (ctx, what: string) => {
  if (shop === "closed") throw new Error("the shop is closed");
  return `bought ${what}`;
});
const shopping = orchestrator("shopping", async (ctx) => {
  await ctx.callActivity(note, "a list");
  const timer = ctx.createTimer("1h");
  const bag = await ctx.whenAll([ctx.callActivity(note, "money"), ctx.callActivity(buy, "bread"), ctx.callSubOrchestrator(errand, "milk")]);
  await timer;
  return bag;
});
const errand = orchestrator("errand", async (ctx, what: string) => {
  try {
    await ctx.callActivity(buy, "sweets");
  } catch (error) {
    await ctx.callActivity(note, (error as Error).message); // a failure that was caught stays caught
  }
  return await ctx.callActivity(buy, what);
});

const all = { activities: [note] };

export const lifeStories: readonly GoldenStory[] = [
  {
    ...all,
    name: "continue-as-new",
    orchestrators: [rounds],
    async tell(hub) {
      const instance = await hub.start(rounds, { round: 1, seen: [] }, { instanceId: "rounds" });
      for (const word of ["carried", "from", "round", "to", "round"]) await instance.raiseEvent("word", word);
      await instance.result();
    },
  },
  {
    ...all,
    name: "versions",
    orchestrators: [grows, gates, sideBySide, sideBySideTwo],
    async tell(hub) {
      for (const [name, version, n] of [
        ["grows", "1.0.0", 0],
        ["grows", "1.9.9", 1],
        ["grows", "2.0.1", 0],
        ["gates", "1.10", 0],
        ["gates", "1.4", 0],
        ["gates", "", 0],
        ["side-by-side", "1.0.0", 0],
        ["side-by-side", "2.0.0", 0],
      ] as const)
        await (await hub.start(name, n, { version, instanceId: `${name}-${version || "none"}` })).result();
    },
  },
  {
    name: "rewound",
    orchestrators: [shopping, errand],
    activities: [note, buy],
    async tell(hub) {
      shop = "closed";
      await ends(hub, "shopping");
      shop = "open";
      await hub.instance("shopping").rewind("it is open now");
      await hub.instance("shopping").result();
    },
  },
  { ...all, name: "custom-status", orchestrators: [shows], tell: (hub) => ends(hub, "shows") },
  {
    ...all,
    name: "ids-and-time",
    orchestrators: [unique, counted],
    async tell(hub) {
      await (await hub.start(unique, undefined, { instanceId: "unique", tags: { team: "north" } })).result();
    },
  },
  { ...all, name: "generator", orchestrators: [generator], tell: (hub) => ends(hub, "generator", ["a", "b", "c"]) },
  { ...all, name: "plain-yield", orchestrators: [plainYield], tell: (hub) => ends(hub, "plain-yield", "x") },
  { ...all, name: "async-generator", orchestrators: [asyncGenerator], tell: (hub) => ends(hub, "async-generator", ["a", "b"]) },
  { ...all, name: "plain-function", orchestrators: [plain], tell: (hub) => ends(hub, "plain", "x") },
];
