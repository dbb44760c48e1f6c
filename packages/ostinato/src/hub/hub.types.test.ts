// What TypeScript infers at a hub. Compiling is the test; nothing of it runs.

import { test } from "node:test";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import type { StandardSchemaV1 } from "../authoring/schema.ts";
import type { Hub } from "./hub.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** `same<Expected>()(value)` compiles when the value's type is exactly that. */
const same =
  <E>() =>
  <A>(_value: A, ..._proof: Same<A, E> extends true ? [] : [never]): void =>
    undefined;

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
const purchaseOrder = orchestrator("purchaseOrder", { input: Order }, async (ctx, order) =>
  order.needsApproval ? "Canceled" : `Approved: ${order.product}`,
);
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

  const instance = await hub.start(purchaseOrder, new Order("laptop", 2000), {
    instanceId: "po-17",
    version: "1.0.0",
    tags: { team: "it" },
  });
  await instance.raiseEvent(approvalReceived, { approver: "Ada" });
  await instance.raiseEvent(closed);
  await instance.raiseEvent("by name", { anything: 1 });
  // @ts-expect-error the event has data
  await instance.raiseEvent(approvalReceived);
  // @ts-expect-error of another shape
  await instance.raiseEvent(approvalReceived, { approvedBy: "Ada" });
  same<string>()(await instance.result({ timeout: "30s" }));
  // @ts-expect-error a duration has a unit
  await instance.result({ timeout: "30" });

  same<string[]>()(await (await hub.start(sequence)).result());
  await hub.start(sequence, undefined, { version: "1.0.0" });
  same<{ status: "paid" | "refused" }>()(await (await hub.start(contracts(), { id: "1" })).result());
  // @ts-expect-error missing input
  await hub.start(purchaseOrder);
  // @ts-expect-error wrong input: no Order
  await hub.start(purchaseOrder, { product: "x", cost: 1 });

  same<unknown>()(await hub.instance("po-17").result());
  same<string | undefined>()((await hub.instance(purchaseOrder, "po-17").status())?.output);
  same<number>()(await (await hub.start<string, number>("name", "in")).result());
  same<unknown>()(await (await hub.start("name")).result());

  for await (const status of hub.query({ status: ["FAILED", "TERMINATED"], name: "x" })) same<unknown>()(status.output);
  for await (const page of hub.query().pages({ size: 10 })) same<string | undefined>()(page.next);
  // @ts-expect-error no such status
  hub.query({ status: "DONE" });

  await worker.stop({ graceMs: 1_000 });
  await hub.close();
}

test("what is inferred at a hub compiles", () => undefined);
