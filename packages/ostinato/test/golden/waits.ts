// waits: golden stories of time and external events: what came first, what came early, what lost.

import { activity, externalEvent, orchestrator } from "ostinato";
import { ends, type GoldenStory } from "./story.ts";

const note = activity("note", async (ctx, text: string) => text);
const approval = externalEvent<{ by: string }>("Approval_Given");

const timers = orchestrator("timers", async (ctx) => {
  const begun = ctx.currentUtcDateTime.getTime();
  await ctx.createTimer("90s");
  await ctx.createTimer({ days: 400, hours: 1 });
  await ctx.createTimer(new Date(begun)); // it has passed
  return ctx.currentUtcDateTime.getTime() - begun;
});
const approve = orchestrator("approve", async (ctx, wait: number) => {
  const got = await ctx.first({ approval: ctx.waitForExternalEvent(approval), timeout: ctx.createTimer({ hours: wait }) });
  return got.key === "approval" ? `approved by ${got.value.by}` : "too late";
});
const early = orchestrator("early", async (ctx) => {
  await ctx.createTimer("1h");
  const first = await ctx.waitForExternalEvent<number>("item");
  const other = await ctx.waitForExternalEvent<string>("other");
  const [second, third] = await ctx.whenAll([ctx.waitForExternalEvent<number>("ITEM"), ctx.waitForExternalEvent<number>("item")]);
  return [first, other, second, third];
});
const race = orchestrator("race", async (ctx) => {
  const slow = ctx.createTimer("2h");
  const quick = ctx.callActivity(note, "quick");
  const also = ctx.callActivity(note, "also");
  const winner = await ctx.whenAny([slow, quick, also]);
  const said = winner === quick ? "quick won" : "another won";
  return [said, await also, (await slow, "slow came in the end")];
});
const promiseRace = orchestrator("promise-race", async (ctx) => {
  const told: string[] = [];
  const both = async (name: string): Promise<string> => {
    await ctx.waitForExternalEvent(`${name}-1`);
    await ctx.waitForExternalEvent(`${name}-2`);
    return name;
  };
  const late = ctx.createTimer("1h").then(() => "late");
  told.push(await Promise.race([Promise.all([both("a"), both("b")]).then((names) => names.join()), late]));
  return told;
});
const withdrawn = orchestrator("withdrawn", async (ctx) => {
  const unused = ctx.createTimer("1h");
  unused.cancel();
  const timer = ctx.createTimer("3h");
  await ctx.callActivity(note, "before it fires");
  timer.cancel();
  await ctx.createTimer("5h");
  return "done";
});
const listener = orchestrator("listener", async (ctx) => (await ctx.waitForExternalEvent<{ text: string }>("message")).text);
const speaker = orchestrator("speaker", async (ctx, to: string) => {
  ctx.sendEvent(to, "message", { text: "from afar" });
  ctx.sendEvent("nobody", "message", 1);
  await ctx.callActivity(note, "sent");
});
const pausing = orchestrator("pausing", async (ctx) => {
  const seen: unknown[] = [];
  while (seen.length < 3) seen.push(await ctx.waitForExternalEvent("step"));
  return seen;
});
const parked = orchestrator("parked", async (ctx) => {
  await ctx.callActivity(note, "before");
  await ctx.whenAny([ctx.waitForExternalEvent("never"), ctx.createTimer("365d")]);
});
const endless = orchestrator("endless", async (ctx) => {
  await ctx.callActivity(note, "before");
  await ctx.waitForExternalEvent("never");
});

const all = { activities: [note] };

export const waitStories: readonly GoldenStory[] = [
  { ...all, name: "timers", orchestrators: [timers], tell: (hub) => ends(hub, "timers") },
  {
    ...all,
    name: "event-won",
    orchestrators: [approve],
    async tell(hub) {
      const instance = await hub.start(approve, 24, { instanceId: "approve" });
      await instance.waitForStart();
      await hub.clock.advance("3h");
      await instance.raiseEvent("APPROVAL_GIVEN", { by: "Iñès" });
      await instance.result();
      await hub.clock.advance("48h");
    },
  },
  { ...all, name: "event-lost", orchestrators: [approve], tell: (hub) => ends(hub, "approve", 2) },
  {
    ...all,
    name: "event-early",
    orchestrators: [early],
    async tell(hub) {
      const instance = await hub.start(early, undefined, { instanceId: "early" });
      await instance.raiseEvent("item", 1);
      await instance.raiseEvent("Item", 2);
      await instance.raiseEvent("other", "x");
      await instance.raiseEvent("iTEM", 3);
      await instance.result();
    },
  },
  { ...all, name: "race", orchestrators: [race], tell: (hub) => ends(hub, "race") },
  {
    ...all,
    name: "promise-race",
    orchestrators: [promiseRace],
    async tell(hub) {
      const instance = await hub.start(promiseRace, undefined, { instanceId: "promise-race" });
      for (const event of ["b-1", "a-2", "a-1", "b-2"]) await instance.raiseEvent(event);
      await instance.result();
    },
  },
  { ...all, name: "withdrawn", orchestrators: [withdrawn], tell: (hub) => ends(hub, "withdrawn") },
  {
    ...all,
    name: "send-event",
    orchestrators: [listener, speaker],
    async tell(hub) {
      const instance = await hub.start(listener, undefined, { instanceId: "listener" });
      await ends(hub, "speaker", "listener");
      await instance.result();
    },
  },
  {
    ...all,
    name: "suspend-resume",
    orchestrators: [pausing],
    async tell(hub) {
      const instance = await hub.start(pausing, undefined, { instanceId: "pausing" });
      await instance.raiseEvent("step", 1);
      await hub.clock.advance("1s");
      await instance.suspend("lunch");
      await instance.raiseEvent("step", 2);
      await hub.clock.advance("1h");
      await instance.resume("back");
      await hub.clock.advance("1s");
      await instance.suspend();
      await instance.resume();
      await instance.raiseEvent("step", 3);
      await instance.result();
    },
  },
  {
    ...all,
    name: "still-open",
    orchestrators: [parked],
    async tell(hub) {
      await (await hub.start(parked, undefined, { instanceId: "parked" })).waitForStart();
      await hub.clock.advance("1h");
    },
  },
  {
    ...all,
    name: "terminated",
    orchestrators: [endless],
    async tell(hub) {
      const instance = await hub.start(endless, undefined, { instanceId: "endless" });
      await instance.waitForStart();
      await hub.clock.advance("1h");
      await instance.terminate({ output: { why: "enough" } });
      await instance.result().catch(() => undefined);
    },
  },
];
