import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestHub, stub } from "ostinato/testing";
import { approvalReceived, impatientOrder, Order, placeOrder, purchaseOrder, sendApprovalRequest } from "./main.ts";

const laptop = (): Order => new Order("laptop", 2000, 1);

async function office() {
  const asked: Order[] = [];
  const placed: Order[] = [];
  const hub = await createTestHub({
    orchestrators: [purchaseOrder, impatientOrder],
    stubs: [
      stub(sendApprovalRequest, async (ctx, order) => void asked.push(order)),
      stub(placeOrder, async (ctx, order) => void placed.push(order)),
    ],
  });
  return { hub, asked, placed };
}

test("a small order needs nobody", async () => {
  const { hub, asked } = await office();
  const instance = await hub.start(purchaseOrder, new Order("pencil", 1, 100));
  assert.equal(await instance.result(), "Auto-approved");
  assert.equal(asked.length, 0);
  await hub.close();
});

test("approved in time: the order is placed, and it is still an Order", async () => {
  const { hub, asked, placed } = await office();
  const instance = await hub.start(purchaseOrder, laptop(), { instanceId: "po-17" });
  await hub.clock.advance("3h");
  assert.deepEqual((await instance.status())?.waitingFor[0], "external event 'approval_received'");
  await instance.raiseEvent(approvalReceived, { approver: "Ada" });
  assert.equal(await instance.result(), "Approved by 'Ada'");
  assert.ok(asked[0] instanceof Order && asked[0].needsApproval);
  assert.deepEqual(placed, [laptop()]);
  await hub.close();
});

test("nobody approves: after 24 hours it is cancelled, and the test does not wait for them", async () => {
  const { hub, placed } = await office();
  const begun = hub.clock.date;
  const instance = await hub.start(purchaseOrder, laptop());
  assert.equal(await instance.result(), "Canceled");
  assert.ok(hub.clock.date.getTime() - begun.getTime() >= 24 * 3_600_000);
  assert.equal(placed.length, 0);
  await hub.close();
});

test("the process dies while it waits for the approval", async () => {
  const { hub } = await office();
  const instance = await hub.start(purchaseOrder, laptop());
  await hub.clock.advance("1h");
  await hub.crash();
  await instance.raiseEvent("Approval_Received", { approver: "Ada" }); // names are compared without regard to case
  assert.equal(await instance.result(), "Approved by 'Ada'");
  await hub.close();
});

test("the same choice by `first`, both ways", async () => {
  const { hub } = await office();
  const late = await hub.start(impatientOrder, { product: "lamp", patience: "2h" });
  assert.equal(await late.result(), 'Nobody wanted the lamp within "2h"');
  const soon = await hub.start(impatientOrder, { product: "lamp", patience: { days: 30 } });
  await soon.raiseEvent(approvalReceived, { approver: "Grace" });
  assert.equal(await soon.result(), "The lamp was approved by 'Grace'");
  await hub.close();
});
