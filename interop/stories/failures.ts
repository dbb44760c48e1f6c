// failures: what is thrown, how it is told, and how often it is tried again.
import assert from "node:assert/strict";
import { ended, played } from "../story.ts";
import type { Stage, Story } from "../story.ts";

/** How often an activity was called in the worker's process. */
async function triesOf(stage: Stage, key: string): Promise<unknown> {
  return (await played(stage, stage.on("call"), { activity: stage.on("tries"), input: key }, stage.id("tries"))).output;
}

export const failureStories: readonly Story[] = [
  {
    name: "failure details",
    needs: { client: ["failure"] },
    async run(stage) {
      const instance = await played(stage, stage.on("call"), { activity: stage.on("fail"), input: { message: "no stock" } });
      assert.equal(instance.status, "FAILED");
      assert.match(instance.failure?.message ?? "", /no stock/);
      assert.ok((instance.failure?.type ?? "") !== "", "the failure has no type");
    },
  },
  {
    name: "the stack of a failure",
    needs: { client: ["stack"], worker: ["stack"] },
    async run(stage) {
      const instance = await played(stage, stage.on("call"), { activity: stage.on("fail"), input: { message: "no stock" } });
      assert.ok((instance.failure?.stack ?? "").length > 20, "there is no stack");
    },
  },
  {
    name: "inner failures",
    needs: { client: ["innerFailure"], worker: ["innerFailure"] },
    async run(stage) {
      const instance = await played(stage, stage.on("call"), { activity: stage.on("fail"), input: { message: "no stock" } });
      const chain: string[] = [];
      for (let each = instance.failure; each !== undefined; each = each.inner ?? undefined) chain.push(each.message);
      assert.ok(
        chain.some((message) => message.includes("the cause of no stock")),
        `the chain is ${JSON.stringify(chain)}`,
      );
    },
  },
  {
    name: "a failure caught by the orchestrator",
    async run(stage) {
      const instance = await played(stage, stage.on("catching"), { activity: stage.on("fail"), input: { message: "no stock" } });
      assert.equal(instance.status, "COMPLETED");
      const caught = instance.output as { type: string; message: string };
      assert.match(caught.message, /no stock/);
    },
  },
  {
    name: "a failed sub-orchestration",
    needs: { client: ["failure"] },
    async run(stage) {
      const child = { activity: stage.on("fail"), input: { message: "deep trouble" } };
      const instance = await played(stage, stage.on("callChild"), { child: stage.on("call"), input: child });
      assert.equal(instance.status, "FAILED");
      assert.match(JSON.stringify(instance.failure), /deep trouble/);
    },
  },
  {
    name: "retries of an activity",
    async run(stage) {
      const asked = { activity: stage.on("flaky"), input: { key: stage.id(), failures: 2 }, attempts: 5 };
      assert.equal((await played(stage, stage.on("retried"), asked)).output, 3);
    },
  },
  {
    name: "retries come to an end",
    async run(stage) {
      const key = stage.id();
      const asked = { activity: stage.on("flaky"), input: { key, failures: 99 }, attempts: 3 };
      const instance = await played(stage, stage.on("retried"), asked);
      assert.equal(instance.status, "FAILED");
      assert.equal(await triesOf(stage, key), 3);
    },
  },
  {
    name: "retries of a sub-orchestration",
    async run(stage) {
      const input = { activity: stage.on("flaky"), input: { key: stage.id(), failures: 2 } };
      assert.equal((await played(stage, stage.on("retriedChild"), { child: stage.on("call"), input, attempts: 5 })).output, 3);
    },
  },
  {
    name: "non-retriable failures",
    needs: { worker: ["nonRetriable"] },
    async run(stage) {
      const key = stage.id();
      const asked = { activity: stage.on("fail"), input: { message: "never again", key, nonRetriable: true }, attempts: 4 };
      assert.equal((await played(stage, stage.on("retried"), asked)).status, "FAILED");
      assert.equal(await triesOf(stage, key), 1);
    },
  },
  {
    name: "restart under the same id",
    needs: { client: ["restart"], server: ["restart"] },
    async run(stage) {
      const id = stage.id();
      await played(stage, stage.on("chain"), "Eve", id);
      assert.equal(await stage.client.restart({ instanceId: id, newId: false }), id);
      const again = await ended(stage, id);
      assert.deepEqual([again.status, again.output], ["COMPLETED", ["Hello Eve!", "Hello Hello Eve!!"]]);
    },
  },
  {
    name: "restart under a new id",
    needs: { client: ["restart"], server: ["restart"] },
    async run(stage) {
      const id = stage.id();
      await played(stage, stage.on("chain"), "Eve", id);
      const newId = await stage.client.restart({ instanceId: id, newId: true });
      assert.notEqual(newId, id);
      assert.deepEqual((await ended(stage, newId)).output, ["Hello Eve!", "Hello Hello Eve!!"]);
    },
  },
  {
    name: "rewind",
    needs: { client: ["rewind"], worker: ["rewind"], server: ["rewind"] },
    async run(stage) {
      const id = stage.id();
      const asked = { activity: stage.on("flaky"), input: { key: id, failures: 1 } };
      assert.equal((await played(stage, stage.on("call"), asked, id)).status, "FAILED");
      await stage.client.rewind({ instanceId: id, reason: "once more" });
      const again = await ended(stage, id);
      assert.deepEqual([again.status, again.output], ["COMPLETED", 2]);
    },
  },
  {
    name: "rewind through a sub-orchestration",
    needs: { client: ["rewind"], worker: ["rewind"], server: ["rewind"] },
    async run(stage) {
      const id = stage.id();
      const input = { activity: stage.on("flaky"), input: { key: id, failures: 1 } };
      const asked = { child: stage.on("call"), input, instanceId: `${id}/child` };
      assert.equal((await played(stage, stage.on("callChild"), asked, id)).status, "FAILED");
      await stage.client.rewind({ instanceId: id, reason: "once more" });
      const again = await ended(stage, id);
      assert.deepEqual([again.status, again.output], ["COMPLETED", 2]);
    },
  },
];
