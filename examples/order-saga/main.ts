// A saga: steps that are taken back when a later one fails. Retries, declared errors, a child orchestration, compensation.
import { activity, NonRetriableError, openTaskHub, orchestrator } from "ostinato";
import type { Task } from "ostinato";
import * as z from "zod"; // any Standard Schema will do, and so will a class

const Line = z.object({ sku: z.string(), quantity: z.int().min(1) });
export const OrderInput = z.object({ id: z.string(), line: Line, amount: z.number(), address: z.string() });

/** What the outside world is for this example. */
export const world = { stock: 5, log: [] as string[] };
const did = (what: string) => void world.log.push(what);

// An error that the activity declares is typed where it is called.
export const reserveStock = activity(
  "reserveStock",
  { input: Line, errors: { OutOfStock: z.object({ left: z.number() }) } },
  async (ctx, line) => {
    if (line.quantity > world.stock) ctx.fail("OutOfStock", { left: world.stock });
    did(`reserved ${line.quantity} x ${line.sku}`);
  },
);
export const releaseStock = activity("releaseStock", { input: Line }, async (ctx, line) => did(`released ${line.quantity} x ${line.sku}`));

// The payment service is busy twice. Every attempt carries the same idempotency key, so it can never charge twice.
export const chargeCard = activity(
  "chargeCard",
  { retry: { maxNumberOfAttempts: 4, firstRetryInterval: "100ms", backoffCoefficient: 2 }, timeout: { attempt: "10s", total: "1m" } },
  async (ctx, amount: number) => {
    if (ctx.attempt < 3) throw new Error("the payment service is busy");
    did(`charged ${amount} on attempt ${ctx.attempt}`);
    return ctx.idempotencyKey;
  },
);
export const refundCard = activity("refundCard", async (ctx, payment: string) => did("refunded the payment"));

export const printLabel = activity("printLabel", async (ctx, address: string) => {
  // Trying again cannot help, whatever the policy says.
  if (address === "") throw new NonRetriableError("the address is empty");
  did(`printed a label for ${address}`);
  return `label for ${address}`;
});
export const bookCourier = activity("bookCourier", async (ctx, label: string) => {
  did("booked a courier");
  return "1Z 999";
});

export const shipping = orchestrator("shipping", async (ctx, address: string) => {
  const retry = { maxNumberOfAttempts: 3, firstRetryInterval: "100ms" } as const;
  const label = await ctx.callActivity(printLabel, address, { retry });
  return await ctx.callActivity(bookCourier, label, { retry });
});

export const order = orchestrator("order", { input: OrderInput }, async (ctx, input) => {
  const reserved = await ctx.try(reserveStock, input.line);
  if (!reserved.ok) {
    if (reserved.error.tag === "OutOfStock") return `refused: only ${reserved.error.data.left} left`;
    return `refused: ${reserved.error.message}`;
  }
  const undo: (() => Task<unknown>)[] = [() => ctx.callActivity(releaseStock, input.line)];
  try {
    const payment = await ctx.callActivity(chargeCard, input.amount);
    undo.push(() => ctx.callActivity(refundCard, payment));
    const tracking = await ctx.callSubOrchestrator(shipping, input.address, { instanceId: `${ctx.instanceId}/shipping` });
    return `on its way as ${tracking}`;
  } catch (error) {
    for (const step of undo.reverse()) await step();
    return `taken back: ${(error as Error).message}`;
  }
});

export const orchestrators = [order, shipping];
export const activities = [reserveStock, releaseStock, chargeCard, refundCard, printLabel, bookCourier];

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators, activities });

  const orders = [
    { id: "A1", line: { sku: "kettle", quantity: 2 }, amount: 60, address: "1 Main Street" },
    { id: "A2", line: { sku: "kettle", quantity: 9 }, amount: 270, address: "2 Main Street" },
    { id: "A3", line: { sku: "kettle", quantity: 1 }, amount: 30, address: "" },
  ];
  for (const each of orders) {
    const instance = await hub.start(order, each, { instanceId: each.id });
    console.log(each.id, await instance.result({ timeout: "30s" }));
    for (const line of world.log.splice(0)) console.log("  ", line);
  }

  await worker.stop();
  await hub.close();
}
