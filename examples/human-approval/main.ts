// Human interaction: an external event against a durable timer. A custom business object keeps its class on the way.
import { activity, externalEvent, openTaskHub, orchestrator } from "ostinato";
import type { Duration } from "ostinato";

export class Order {
  product: string;
  cost: number;
  quantity: number;
  constructor(product: string, cost: number, quantity: number) {
    this.product = product;
    this.cost = cost;
    this.quantity = quantity;
  }
  get needsApproval() {
    return this.cost >= 1000;
  }
}

export const sendApprovalRequest = activity("sendApprovalRequest", { input: Order }, async (ctx, order) => {
  console.log(`Please approve: ${order.quantity} x ${order.product} for ${order.cost}`);
});
export const placeOrder = activity("placeOrder", { input: Order }, async (ctx, order) => {
  console.log(`Ordered: ${order.quantity} x ${order.product}`);
});

export const approvalReceived = externalEvent<{ approver: string }>("approval_received");

export const purchaseOrder = orchestrator("purchaseOrder", { input: Order }, async (ctx, order) => {
  if (!order.needsApproval) return "Auto-approved";
  await ctx.callActivity(sendApprovalRequest, order);
  const approval = ctx.waitForExternalEvent(approvalReceived);
  const timeout = ctx.createTimer("24h");
  const winner = await ctx.whenAny([approval, timeout]); // the very task: identity holds
  if (winner === timeout) return "Canceled";
  await ctx.callActivity(placeOrder, order);
  return `Approved by '${approval.result.approver}'`;
});

// The same choice as a typed union. The loser is taken back: its timer is cancelled, a late event waits for somebody else.
export const impatientOrder = orchestrator("impatientOrder", async (ctx, input: { product: string; patience: Duration }) => {
  const got = await ctx.first({ approval: ctx.waitForExternalEvent(approvalReceived), timeout: ctx.createTimer(input.patience) });
  if (got.key === "timeout") return `Nobody wanted the ${input.product} within ${JSON.stringify(input.patience)}`;
  return `The ${input.product} was approved by '${got.value.approver}'`;
});

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: [purchaseOrder, impatientOrder], activities: [sendApprovalRequest, placeOrder] });

  const small = await hub.start(purchaseOrder, new Order("pencil", 1, 100));
  console.log(await small.result({ timeout: "30s" }));

  const large = await hub.start(purchaseOrder, new Order("laptop", 2000, 1), { instanceId: "po-17", tags: { team: "it" } });
  await large.raiseEvent(approvalReceived, { approver: "Ada" });
  console.log(await large.result({ timeout: "30s" }));

  const impatient = await hub.start(impatientOrder, { product: "lamp", patience: "200ms" });
  console.log(await impatient.result({ timeout: "30s" }));

  await worker.stop();
  await hub.close();
}
