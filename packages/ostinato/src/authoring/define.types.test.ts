// What TypeScript infers of definitions and of the context: everything here is checked by the compiler; at run time it only has to load.

/* eslint-disable @typescript-eslint/no-unused-vars -- most values stand here for their types alone */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { type } from "arktype";
import * as v from "valibot";
import type { Failure } from "../contract/failure.ts";
import type { ActivityContext } from "./activity-context.ts";
import {
  activity,
  type Activity,
  type ActivityDefinition,
  externalEvent,
  type InputOf,
  type Orchestrator,
  orchestrator,
  type OrchestratorDefinition,
  type OutputOf,
} from "./define.ts";
import type { OrchestratorContext, TryResult } from "./orchestrator-context.ts";
import type { EventTask, Settled, Task } from "./task.ts";

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <_T extends true>(): void => undefined;

declare function startWorker(options: {
  orchestrators?: readonly OrchestratorDefinition[];
  activities?: readonly ActivityDefinition[];
}): Promise<void>;

// ---- chaining, fan-out, a contract of nothing but a name

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
is<Eq<InputOf<typeof hello>, string>>();
is<Eq<OutputOf<typeof hello>, string>>();

const sequence = orchestrator("sequence", async (ctx) => {
  const result1 = await ctx.callActivity(hello, "Tokyo");
  const result2 = await ctx.callActivity(hello, "Seattle");
  const result3 = await ctx.callActivity(hello, "London");
  return [result1, result2, result3];
});
is<Eq<OutputOf<typeof sequence>, string[]>>();
is<Eq<InputOf<typeof sequence>, void>>();

const getWorkItems = activity("getWorkItems", async () => ["a", "b"]);
const processWorkItem = activity("processWorkItem", async (ctx, item: string) => item.length);
const summarise = orchestrator("summarise", async (ctx) => {
  const workItems = await ctx.callActivity(getWorkItems);
  const results = await ctx.whenAll(workItems.map((item) => ctx.callActivity(processWorkItem, item)));
  const again = await Promise.all(workItems.map((item) => ctx.callActivity(processWorkItem, item)));
  is<Eq<typeof again, number[]>>();
  const [s, n] = await ctx.whenAll([ctx.callActivity(hello, "x"), ctx.callActivity(processWorkItem, "y")]);
  is<Eq<typeof s, string>>();
  is<Eq<typeof n, number>>();
  const mapped = await ctx.map(workItems, (item) => ctx.callActivity(processWorkItem, item), { concurrency: 2 });
  is<Eq<typeof mapped, number[]>>();
  const steps = await ctx.map(workItems, async (item, index) => `${await ctx.callActivity(hello, item)} ${index}`);
  is<Eq<typeof steps, string[]>>();
  const raced = await Promise.race([ctx.callActivity(hello, "x"), ctx.createTimer("5s")]);
  is<Eq<typeof raced, string | void>>();
  const settled = await Promise.allSettled([ctx.callActivity(hello, "x")]);
  is<Eq<typeof settled, [PromiseSettledResult<string>]>>();
  return { workItems, results, total: results.reduce((a, b) => a + b, 0) };
});
is<Eq<OutputOf<typeof summarise>, { workItems: string[]; results: number[]; total: number }>>();

// ---- classes, events, whenAny, first

class Order {
  product: string;
  cost: number;
  quantity: number;
  constructor(product: string, cost: number, quantity: number) {
    this.product = product;
    this.cost = cost;
    this.quantity = quantity;
  }
  get needsApproval(): boolean {
    return this.cost >= 1000;
  }
}
const sendApprovalRequest = activity("sendApprovalRequest", { input: Order }, async (ctx, order) => void order.needsApproval);
const placeOrder = activity("placeOrder", { input: Order }, async (ctx, order) => {});
const placeAll = activity("placeAll", { input: [Order] }, async (ctx, orders) => orders.map((order) => order.needsApproval));
is<Eq<InputOf<typeof placeAll>, Order[]>>();
const approvalReceived = externalEvent<{ approver: string }>("approval_received");
const purchaseOrder = orchestrator("purchaseOrder", { input: Order }, async (ctx, order) => {
  if (!order.needsApproval) return "Auto-approved";
  await ctx.callActivity(sendApprovalRequest, order);
  const approval = ctx.waitForExternalEvent(approvalReceived);
  is<Eq<typeof approval, EventTask<{ approver: string }>>>();
  const timeout = ctx.createTimer("24h");
  const winner = await ctx.whenAny([approval, timeout]);
  is<Eq<typeof winner, Settled<{ approver: string }> | Settled<void>>>();
  if (winner === timeout) return "Canceled";
  await ctx.callActivity(placeOrder, order);
  approval.cancel();
  return `Approved by '${approval.result.approver}'`;
});
is<Eq<OutputOf<typeof purchaseOrder>, string>>();
const shown: OutputOf<typeof purchaseOrder> = "any string";
void shown;
is<Eq<InputOf<typeof purchaseOrder>, Order>>();

const choice = orchestrator("choice", async (ctx) => {
  const approval = ctx.waitForExternalEvent(approvalReceived);
  const timeout = ctx.createTimer("24h");
  const got = await ctx.first({ approval, timeout });
  if (got.key === "timeout") return "late";
  return got.value.approver;
});
const migrating = orchestrator("migrating", async (ctx) => {
  if (ctx.isVersionAtLeast("2.0.0")) await ctx.callActivity(hello, "x");
  return "Success";
});
is<Eq<InputOf<typeof migrating>, void>>();

// ---- generators and plain functions

const gen = orchestrator("gen", function* (ctx, n: number) {
  const a = yield* ctx.callActivity(hello, "Tokyo");
  is<Eq<typeof a, string>>();
  const w = yield* ctx.first({ a: ctx.callActivity(processWorkItem, "x"), late: ctx.createTimer("5s") });
  const inner = yield* steps(ctx, 3);
  is<Eq<typeof inner, string[]>>();
  const results = yield* ctx.map([1, 2], (each) => ctx.callActivity(hello, `${each}`), { concurrency: 1 });
  is<Eq<typeof results, string[]>>();
  return w.key === "a" ? w.value + n : 0;
});
is<Eq<OutputOf<typeof gen>, number>>();
is<Eq<InputOf<typeof gen>, number>>();
function* steps(ctx: OrchestratorContext, count: number) {
  const greetings: string[] = [];
  for (let i = 0; i < count; i++) greetings.push(yield* ctx.callActivity(hello, `${i}`));
  return greetings;
}
const untyped = orchestrator("untyped", function* (ctx) {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-assignment -- a plain yield is untyped by the language
  const a: string = yield ctx.callActivity(hello, "Tokyo");
  return a;
});
is<Eq<OutputOf<typeof untyped>, string>>();
const agen = orchestrator("agen", async function* (ctx) {
  // eslint-disable-next-line @typescript-eslint/no-unsafe-assignment -- a plain yield is untyped by the language
  const a: string = yield ctx.callActivity(hello, "Tokyo");
  return a;
});
is<Eq<OutputOf<typeof agen>, string>>();
const plain = orchestrator("plain", (ctx) => ctx.callActivity(hello, "x"));
is<Eq<OutputOf<typeof plain>, string>>();
const immediate = orchestrator("immediate", (ctx, n: number) => n + 1);
is<Eq<OutputOf<typeof immediate>, number>>();

// ---- contracts

const Contract = orchestrator("order", {
  version: "1.0.0",
  input: z.object({ id: z.string() }),
  output: z.object({ status: z.enum(["paid", "refused"]) }),
  events: { priced: z.object({ price: z.number() }), cancelled: Order },
});
is<Eq<InputOf<typeof Contract>, { id: string }>>();
is<Eq<OutputOf<typeof Contract>, { status: "paid" | "refused" }>>();
const impl = Contract.run(async (ctx, input) => {
  const priced = await ctx.waitForExternalEvent("priced");
  is<Eq<typeof priced, { price: number }>>();
  const cancelled = await ctx.waitForExternalEvent("cancelled");
  is<Eq<typeof cancelled, Order>>();
  const other = await ctx.waitForExternalEvent<string>("other");
  is<Eq<typeof other, string>>();
  await steps2(ctx);
  if (input.id) return { status: "paid" };
  return { status: "refused" };
});
async function steps2(ctx: OrchestratorContext): Promise<void> {
  await ctx.createTimer("1s");
}
const implGen = Contract.run(function* (ctx, input) {
  const h = yield* ctx.callActivity(hello, input.id);
  return { status: h ? "paid" : "refused" };
});
is<Eq<typeof impl, Orchestrator<{ id: string }, { status: "paid" | "refused" }>>>();
// @ts-expect-error wrong literal
Contract.run(async (ctx, input) => {
  return { status: "zzz" };
});
const zodIn = orchestrator("zodIn", { input: z.object({ n: z.number() }) }, async (ctx, i) => i.n);
is<Eq<InputOf<typeof zodIn>, { n: number }>>();
is<Eq<OutputOf<typeof zodIn>, number>>();
const nameless = orchestrator("nameless", { version: "2.0.0" }, async (ctx, n: number) => n);
is<Eq<InputOf<typeof nameless>, number>>();
const bare = orchestrator("bare", {});
is<Eq<InputOf<typeof bare>, void>>();
is<Eq<OutputOf<typeof bare>, void>>();

// a schema that transforms: the caller gives its input, the body receives its output
const trimmed = orchestrator("trimmed", { input: z.string().transform((text) => text.length) }, async (ctx, length) => {
  is<Eq<typeof length, number>>();
  return length;
});
is<Eq<InputOf<typeof trimmed>, string>>();
const viaValibot = activity("viaValibot", { input: v.object({ n: v.number() }), output: v.string() }, async (ctx, { n }) => `${n}`);
is<Eq<typeof viaValibot, Activity<{ n: number }, string>>>();
const viaArktype = activity("viaArktype", { input: type({ n: "number" }) }, async (ctx, { n }) => n);
is<Eq<InputOf<typeof viaArktype>, { n: number }>>();
const priced = externalEvent("priced", z.string().transform(Number));

// ---- activity contracts, declared errors

const Reserve = activity("reserve", {
  input: z.object({ sku: z.string() }),
  output: z.object({ left: z.number() }),
  errors: { OutOfStock: z.object({ left: z.number() }), Unknown: Order },
  retry: { maxNumberOfAttempts: 3, firstRetryInterval: "1s" },
  timeout: { attempt: "30s", total: { minutes: 5 } },
});
const reserve = Reserve.run(async (ctx, { sku }) => {
  if (sku === "") ctx.fail("OutOfStock", { left: 0 });
  // @ts-expect-error not declared
  if (sku === "-") ctx.fail("Other", { left: 0 });
  // @ts-expect-error not its data
  if (sku === "?") ctx.fail("OutOfStock", { right: 0 });
  return { left: 1 };
});
is<Eq<OutputOf<typeof reserve>, { left: number }>>();
const tries = orchestrator("tries", async (ctx) => {
  const got = await ctx.try(Reserve, { sku: "x" });
  if (got.ok) {
    is<Eq<typeof got.value, { left: number }>>();
    return "";
  }
  if (got.error.tag === "OutOfStock") is<Eq<typeof got.error.data, { left: number }>>();
  else if (got.error.tag === "Unknown") is<Eq<typeof got.error.data, Order>>();
  else is<Eq<typeof got.error.data, Failure>>();
  const byName = await ctx.try<string, number>("other", "x");
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- as the type says it
  is<Eq<typeof byName, TryResult<number, {}>>>();
  const bodyFailure = await ctx.try(hello, "x", { retry: () => "5s" });
  return bodyFailure.ok ? bodyFailure.value : bodyFailure.error.message;
});
is<Eq<OutputOf<typeof tries>, string>>();

// ---- by name, by function, wrong calls

async function byName(ctx: OrchestratorContext): Promise<void> {
  const x = await ctx.callActivity<string, number>("name", "in");
  is<Eq<typeof x, number>>();
  const y = await ctx.callActivity(async (c, q: number) => q + 1, 5);
  is<Eq<typeof y, number>>();
  const z1 = await ctx.callSubOrchestrator(purchaseOrder, new Order("x", 1, 1), { instanceId: "child", version: "1.0.0" });
  is<Eq<typeof z1, string>>();
  const z2 = await ctx.callSubOrchestrator(Contract, { id: "1" });
  is<Eq<typeof z2, { status: "paid" | "refused" }>>();
  const z3 = await ctx.callSubOrchestrator<{ a: 1 }, string>("elsewhere", { a: 1 });
  is<Eq<typeof z3, string>>();
  const z4 = await ctx.callSubOrchestrator(async (c, q: number) => q > 1, 5);
  is<Eq<typeof z4, boolean>>();
  const p: Task<number> = ctx.waitForExternalEvent(priced);
  ctx.sendEvent("other", approvalReceived, { approver: "Ada" });
  ctx.sendEvent("other", priced, "12");
  ctx.sendEvent("other", "by name", 12);
  // @ts-expect-error the event has data
  ctx.sendEvent("other", approvalReceived);
  // @ts-expect-error missing input
  await ctx.callActivity(hello);
  // @ts-expect-error wrong input
  await ctx.callActivity(hello, 5);
  // @ts-expect-error an orchestrator is no activity
  await ctx.callActivity(sequence);
  // @ts-expect-error an activity is no orchestrator
  await ctx.callSubOrchestrator(getWorkItems);
  // @ts-expect-error no unit
  ctx.createTimer("24");
  void p;
}

async function workers(): Promise<void> {
  await startWorker({
    orchestrators: [
      sequence,
      summarise,
      purchaseOrder,
      choice,
      migrating,
      gen,
      untyped,
      agen,
      plain,
      immediate,
      impl,
      implGen,
      zodIn,
      nameless,
    ],
    activities: [hello, getWorkItems, processWorkItem, placeOrder, placeAll, reserve, viaValibot, viaArktype],
  });
  // @ts-expect-error a contract without a body is no orchestrator for a worker
  await startWorker({ orchestrators: [Contract] });
  // @ts-expect-error a contract without a body is no activity for a worker
  await startWorker({ activities: [Reserve] });
  // @ts-expect-error an activity is no orchestrator
  await startWorker({ orchestrators: [hello] });
}

function contexts(ctx: ActivityContext): void {
  // @ts-expect-error nothing is declared
  ctx.fail("Any", {});
}

test("the types of the authoring face hold", () => {
  assert.ok([byName, workers, contexts, bare, trimmed].length > 0);
});
