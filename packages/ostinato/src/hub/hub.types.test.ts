// What TypeScript infers at a hub. Compiling is the test; nothing of it runs.

import { test } from "node:test";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import type { StandardSchemaV1 } from "../authoring/schema.ts";
import type { Hub } from "./hub.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <_T extends true>(): void => undefined;

class Order {
  product: string;
  cost: number;
  constructor(product: string, cost: number) {
    this.product = product;
    this.cost = cost;
  }
  get needsApproval() {
    return this.cost >= 1000;
  }
}

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const sequence = orchestrator("sequence", async (ctx) => [await ctx.callActivity(hello, "Tokyo")]);
const purchaseOrder = orchestrator("purchaseOrder", { input: Order }, async (ctx, order) => (order.needsApproval ? "Canceled" : `Approved: ${order.product}`));
const approvalReceived = externalEvent<{ approver: string }>("approval_received");
const closed = externalEvent("closed");
declare const idSchema: StandardSchemaV1<{ id: string }>;
declare const statusSchema: StandardSchemaV1<{ status: "paid" | "refused" }>;
const contracts = () => orchestrator("order", { version: "1.0.0", input: idSchema, output: statusSchema });

export async function typesOfAHub(hub: Hub): Promise<void> {
  const worker = await hub.startWorker({
    orchestrators: [sequence, purchaseOrder, contracts().run(async (ctx, input) => ({ status: input.id ? "paid" : "refused" }))],
    activities: [hello],
    versioning: { version: "2.0.0", defaultVersion: "2.0.0", matchStrategy: "currentOrOlder", failureStrategy: "fail" },
  });
  // @ts-expect-error a contract without a body is no orchestrator for a worker
  await hub.startWorker({ orchestrators: [contracts()] });
  // @ts-expect-error nor is a function
  await hub.startWorker({ activities: [async () => 1] });

  const instance = await hub.start(purchaseOrder, new Order("laptop", 2000), { instanceId: "po-17", version: "1.0.0", tags: { team: "it" } });
  await instance.raiseEvent(approvalReceived, { approver: "Ada" });
  await instance.raiseEvent(closed);
  await instance.raiseEvent("by name", { anything: 1 });
  // @ts-expect-error the event has data
  await instance.raiseEvent(approvalReceived);
  // @ts-expect-error of another shape
  await instance.raiseEvent(approvalReceived, { approvedBy: "Ada" });
  const out = await instance.result({ timeout: "30s" });
  is<Same<typeof out, string>>();
  // @ts-expect-error a duration has a unit
  await instance.result({ timeout: "30" });

  const chain = await (await hub.start(sequence)).result();
  is<Same<typeof chain, string[]>>();
  await hub.start(sequence, undefined, { version: "1.0.0" });
  const viaContract = await (await hub.start(contracts(), { id: "1" })).result();
  is<Same<typeof viaContract, { status: "paid" | "refused" }>>();
  // @ts-expect-error missing input
  await hub.start(purchaseOrder);
  // @ts-expect-error wrong input: no Order
  await hub.start(purchaseOrder, { product: "x", cost: 1 });

  const byId = await hub.instance("po-17").result();
  is<Same<typeof byId, unknown>>();
  const typed = await hub.instance(purchaseOrder, "po-17").status();
  is<Same<NonNullable<typeof typed>["output"], string | undefined>>();
  const byName = await (await hub.start<string, number>("name", "in")).result();
  is<Same<typeof byName, number>>();
  const plain = await (await hub.start("name")).result();
  is<Same<typeof plain, unknown>>();

  for await (const status of hub.query({ status: ["FAILED", "TERMINATED"], name: "x" })) is<Same<typeof status.output, unknown>>();
  for await (const page of hub.query().pages({ size: 10 })) is<Same<typeof page.next, string | undefined>>();
  // @ts-expect-error no such status
  hub.query({ status: "DONE" });

  await worker.stop({ graceMs: 1_000 });
  await hub.close();
}

test("what is inferred at a hub compiles", () => undefined);
