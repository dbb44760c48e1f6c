// crossing: two workers on one task hub, each calling what only the other has.
import assert from "node:assert/strict";
import { ended, played, until } from "../story.ts";
import type { Story } from "../story.ts";
import { described, order } from "./orchestrations.ts";

export const crossingStories: readonly Story[] = [
  {
    name: "an activity of the other worker",
    async run(stage) {
      const asked = { activity: stage.across("describe"), input: order };
      assert.deepEqual((await played(stage, stage.on("call"), asked)).output, described);
    },
  },
  {
    name: "nothing from an activity of the other worker",
    async run(stage) {
      const instance = await played(stage, stage.on("call"), { activity: stage.across("nothing") });
      assert.deepEqual([instance.status, instance.output ?? null], ["COMPLETED", null]);
    },
  },
  {
    name: "a sub-orchestration of the other worker",
    async run(stage) {
      const asked = { child: stage.across("chain"), input: "Mia" };
      assert.deepEqual((await played(stage, stage.on("callChild"), asked)).output, ["Hello Mia!", "Hello Hello Mia!!"]);
    },
  },
  {
    name: "there and back again",
    async run(stage) {
      const asked = {
        child: stage.across("callChild"),
        input: { child: stage.on("call"), input: { activity: stage.across("echo"), input: order } },
      };
      assert.deepEqual((await played(stage, stage.on("callChild"), asked)).output, order);
    },
  },
  {
    name: "a failure of the other worker's activity, caught",
    async run(stage) {
      const asked = { activity: stage.across("fail"), input: { message: "wörld" } };
      assert.match(((await played(stage, stage.on("catching"), asked)).output as { message: string }).message, /wörld/);
    },
  },
  {
    name: "a failure of the other worker's activity, not caught",
    needs: { client: ["failure"] },
    async run(stage) {
      const asked = { activity: stage.across("fail"), input: { message: "wörld" } };
      assert.match(JSON.stringify((await played(stage, stage.on("call"), asked)).failure), /wörld/);
    },
  },
  {
    name: "retries of the other worker's activity",
    async run(stage) {
      const asked = { activity: stage.across("flaky"), input: { key: stage.id(), failures: 2 }, attempts: 5 };
      assert.equal((await played(stage, stage.on("retried"), asked)).output, 3);
    },
  },
  {
    name: "retries of the other worker's orchestration",
    async run(stage) {
      const input = { activity: stage.on("flaky"), input: { key: stage.id(), failures: 1 } };
      assert.equal((await played(stage, stage.on("retriedChild"), { child: stage.across("call"), input, attempts: 3 })).output, 2);
    },
  },
  {
    name: "continue-as-new of a child of the other worker",
    async run(stage) {
      const asked = { child: stage.across("countdown"), input: { left: 3, sum: 0 } };
      assert.equal((await played(stage, stage.on("callChild"), asked)).output, 6);
    },
  },
  {
    name: "a child of the other worker knows its parent",
    needs: { other: ["parent"] },
    async run(stage) {
      const id = stage.id();
      assert.equal((await played(stage, stage.on("callChild"), { child: stage.across("parent") }, id)).output, id);
    },
  },
  {
    name: "an event for the other worker's orchestration",
    needs: { worker: ["sendEvent"] },
    async run(stage) {
      const id = stage.id("to");
      await stage.client.start({ name: stage.across("waitFor"), input: "hello", instanceId: id });
      await until(stage, id, (instance) => instance.status === "RUNNING", "running");
      await played(stage, stage.on("sender"), { to: id, event: "hello", data: order }, stage.id("from"));
      assert.deepEqual((await ended(stage, id)).output, order);
    },
  },
  {
    name: "terminate with descendants of the other worker",
    needs: { client: ["recursiveTerminate"] },
    async run(stage) {
      const id = stage.id();
      const asked = { child: stage.across("waitFor"), children: 2, input: "never" };
      await stage.client.start({ name: stage.on("nest"), input: asked, instanceId: id });
      for (const leaf of [`${id}.c0`, `${id}.c1`]) await until(stage, leaf, (instance) => instance.status === "RUNNING", "running");
      await stage.client.terminate({ instanceId: id, recursive: true });
      for (const each of [id, `${id}.c0`, `${id}.c1`]) assert.equal((await ended(stage, each)).status, "TERMINATED", each);
    },
  },
];
