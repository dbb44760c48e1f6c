// orchestrations: activities, children, timers, continue-as-new, and what enters and leaves.
import assert from "node:assert/strict";
import { ended, played } from "../story.ts";
import type { Story } from "../story.ts";

/** A business object with everything that JSON has. */
export const order = { product: "Überraschung 🎁", quantity: 3, price: 2.5, labels: ["new", "fragile"], nested: { deep: [1, null, true] } };
export const described = { product: "Überraschung 🎁", total: 7.5, labels: 2, paid: false, note: null };

export const orchestrationStories: readonly Story[] = [
  {
    name: "chaining",
    async run(stage) {
      const instance = await played(stage, stage.on("chain"), "Ada");
      assert.equal(instance.status, "COMPLETED");
      assert.equal(instance.name, stage.on("chain"));
      assert.deepEqual(instance.input, "Ada");
      assert.deepEqual(instance.output, ["Hello Ada!", "Hello Hello Ada!!"]);
    },
  },
  {
    name: "fan-out, fan-in",
    async run(stage) {
      assert.equal((await played(stage, stage.on("fanOut"), 30)).output, 8_555);
    },
  },
  {
    name: "custom objects in and out",
    async run(stage) {
      const instance = await played(stage, stage.on("call"), { activity: stage.on("describe"), input: order });
      assert.deepEqual(instance.output, described);
      assert.deepEqual((await played(stage, stage.on("call"), { activity: stage.on("echo"), input: order })).output, order);
    },
  },
  {
    name: "nothing in, nothing out",
    async run(stage) {
      const instance = await played(stage, stage.on("call"), { activity: stage.on("nothing") });
      assert.equal(instance.status, "COMPLETED");
      assert.equal(instance.output ?? null, null);
    },
  },
  {
    name: "falsy values",
    async run(stage) {
      for (const input of [0, "", false, []]) {
        assert.deepEqual((await played(stage, stage.on("call"), { activity: stage.on("echo"), input })).output, input);
      }
    },
  },
  {
    name: "sub-orchestration",
    async run(stage) {
      const instance = await played(stage, stage.on("callChild"), { child: stage.on("chain"), input: "Bob" });
      assert.deepEqual(instance.output, ["Hello Bob!", "Hello Hello Bob!!"]);
    },
  },
  {
    name: "sub-orchestration with an id",
    async run(stage) {
      const id = stage.id();
      await played(stage, stage.on("callChild"), { child: stage.on("chain"), input: "Cy", instanceId: `${id}/child` }, id);
      const child = await ended(stage, `${id}/child`);
      assert.deepEqual([child.status, child.name], ["COMPLETED", stage.on("chain")]);
    },
  },
  {
    name: "a child knows its parent",
    needs: { worker: ["parent"] },
    async run(stage) {
      const id = stage.id();
      assert.equal((await played(stage, stage.on("callChild"), { child: stage.on("parent") }, id)).output, id);
    },
  },
  {
    name: "durable timer",
    async run(stage) {
      const begun = performance.now();
      assert.equal((await played(stage, stage.on("timer"), 1_200)).output, true);
      assert.ok(performance.now() - begun >= 1_200, "the timer fired early");
    },
  },
  {
    name: "start at a later time",
    async run(stage) {
      const id = stage.id();
      const begun = performance.now();
      await stage.client.start({ name: stage.on("chain"), input: "Di", instanceId: id, delayMs: 1_500 });
      assert.equal((await stage.client.get({ instanceId: id }))?.status, "PENDING");
      assert.equal((await ended(stage, id)).status, "COMPLETED");
      assert.ok(performance.now() - begun >= 1_400, "it began too early");
    },
  },
  {
    name: "continue-as-new",
    async run(stage) {
      assert.equal((await played(stage, stage.on("countdown"), { left: 5, sum: 0 })).output, 15);
    },
  },
  {
    name: "continue-as-new in a child",
    async run(stage) {
      const asked = { child: stage.on("countdown"), input: { left: 3, sum: 0 } };
      assert.equal((await played(stage, stage.on("callChild"), asked)).output, 6);
    },
  },
  {
    name: "many at once",
    async run(stage) {
      const ids = Array.from({ length: 25 }, (_, i) => stage.id(`n${i}`));
      await Promise.all(ids.map((instanceId) => stage.client.start({ name: stage.on("work"), input: 3, instanceId })));
      const outputs: unknown[] = [];
      for (const id of ids) outputs.push((await ended(stage, id)).output);
      assert.deepEqual(
        outputs,
        ids.map(() => 5),
      );
    },
  },
];
