// values: golden stories of what travels: values of every kind, classes, schemas, errors with names of their own.

import { activity, orchestrator, type StandardSchemaV1, TaskFailedError } from "ostinato";
import { ends, type GoldenStory } from "./story.ts";

/** A schema that trims a name, and refuses an empty one. */
const person: StandardSchemaV1<{ name: string }> = {
  "~standard": {
    version: 1,
    vendor: "golden",
    validate(value) {
      const { name } = (value ?? {}) as { name?: unknown };
      if (typeof name !== "string" || name.trim() === "") return { issues: [{ message: "has no name", path: ["name"] }] };
      return { value: { name: name.trim() } };
    },
  },
};
const shortage: StandardSchemaV1<{ left: number }> = {
  "~standard": { version: 1, vendor: "golden", validate: (value) => ({ value: value as { left: number } }) },
};

class Money {
  readonly amount: number;
  readonly currency: string;

  constructor(amount: number, currency: string) {
    this.amount = amount;
    this.currency = currency;
  }

  plus(more: number): Money {
    return new Money(this.amount + more, this.currency);
  }

  static fromJSON({ amount, currency }: { amount: number; currency: string }): Money {
    return new Money(amount, currency);
  }
}

class OutOfPaper extends Error {
  readonly properties = { sheets: 0, tray: "A4" };

  constructor(message: string) {
    super(message);
    this.name = "OutOfPaper";
  }
}

const echo = activity("echo", async (ctx, value: unknown) => value);
const welcome = activity("welcome", { input: person }, async (ctx, { name }) => `Welcome, ${name}`);
const raise = activity("raise", { input: Money, output: Money }, async (ctx, money) => money.plus(5));
const print = activity("print", async (ctx, page: string) => {
  throw new OutOfPaper(`no paper for ${page}`);
});
const reserve = activity("reserve", { errors: { OutOfStock: shortage } }, async (ctx, n: number) => {
  if (n > 10) ctx.fail("OutOfStock", { left: 10 });
  if (n < 0) throw new RangeError("negative");
  return n;
});

const everything = orchestrator("everything", async (ctx) => {
  const value = {
    text: 'ünïcödé 🎹 \u2028 "quoted"',
    numbers: [0, -0, 1.5, 1e21, NaN, Infinity],
    big: 2n ** 70n,
    at: new Date(Date.UTC(2024, 1, 29, 23, 59, 59, 999)),
    map: new Map<unknown, unknown>([
      ["a", 1],
      [2, new Set(["b"])],
    ]),
    bytes: new Uint8Array([1, 2, 255]),
    nothing: [null, undefined],
  };
  const back = (await ctx.callActivity(echo, value)) as typeof value;
  return { back, day: back.at.toISOString(), size: back.map.size, big: back.big === value.big };
});
const introduces = orchestrator("introduces", { input: person, output: person }, async (ctx, input) => {
  const said = await ctx.callActivity(welcome, { name: ` ${input.name} ` });
  return { name: ` ${said} ` };
});
const refuses = orchestrator("refuses", { input: person }, async (ctx, input) => await ctx.callActivity(welcome, input));
const promisesTooMuch = orchestrator("promises-too-much", { output: person }, async (ctx) => {
  await ctx.callActivity(echo, 1);
  return { name: "  " };
});
const pays = orchestrator("pays", { input: Money, output: Money }, async (ctx, money) => {
  const more = await ctx.callActivity(raise, money);
  return (await ctx.callActivity(raise, more)).plus(0.5);
});
const prints = orchestrator("prints", async (ctx, page: string) => {
  try {
    return await ctx.callActivity(print, page);
  } catch (error) {
    if (!(error instanceof TaskFailedError)) throw error;
    const { errorType, message, properties } = error.failure;
    await ctx.callActivity(echo, { errorType, message, properties });
    throw new OutOfPaper("the printer gave up");
  }
});
const tries = orchestrator("tries", async (ctx) => {
  const told: unknown[] = [];
  for (const n of [5, 50, -1]) {
    const got = await ctx.try(reserve, n);
    told.push(got.ok ? got.value : got.error.tag === "OutOfStock" ? got.error.data.left : got.error.data.errorType);
  }
  return told;
});

const all = { activities: [echo, welcome, raise, print, reserve] };

export const valueStories: readonly GoldenStory[] = [
  { ...all, name: "values", orchestrators: [everything], tell: (hub) => ends(hub, "everything") },
  {
    ...all,
    name: "schemas",
    orchestrators: [introduces, refuses, promisesTooMuch],
    async tell(hub) {
      await (await hub.start(introduces, { name: "  Ada " })).result();
      await ends(hub, "introduces", { name: "  Grace " });
      await ends(hub, "refuses", { name: "" });
      await ends(hub, "promises-too-much");
    },
  },
  {
    ...all,
    name: "classes",
    orchestrators: [pays],
    async tell(hub) {
      await (await hub.start(pays, new Money(10, "EUR"), { instanceId: "pays" })).result();
    },
  },
  { ...all, name: "custom-errors", orchestrators: [prints], tell: (hub) => ends(hub, "prints", "page 1") },
  { ...all, name: "declared-errors", orchestrators: [tries], tell: (hub) => ends(hub, "tries") },
];
