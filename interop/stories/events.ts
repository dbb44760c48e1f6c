// events: what comes from outside while an instance runs, and what an instance tells of itself.
import assert from "node:assert/strict";
import { ended, pause, played, until } from "../story.ts";
import type { Story } from "../story.ts";

export const eventStories: readonly Story[] = [
  {
    name: "external event",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("waitFor"), input: "approved", instanceId: id });
      await until(stage, id, (instance) => instance.status === "RUNNING", "running");
      await stage.client.raise({ instanceId: id, event: "approved", data: { by: "Ada", at: [1, 2] } });
      assert.deepEqual((await ended(stage, id)).output, { by: "Ada", at: [1, 2] });
    },
  },
  {
    name: "event raised before the wait",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("late"), input: { waitMs: 1_000, event: "news" }, instanceId: id });
      await stage.client.raise({ instanceId: id, event: "news", data: "early" });
      assert.equal((await ended(stage, id)).output, "early");
    },
  },
  {
    name: "event names without regard to case",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("waitFor"), input: "Approved", instanceId: id });
      await stage.client.raise({ instanceId: id, event: "aPPROVED", data: 1 });
      assert.equal((await ended(stage, id)).output, 1);
    },
  },
  {
    name: "event without data",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("waitFor"), input: "go", instanceId: id });
      await stage.client.raise({ instanceId: id, event: "go" });
      const instance = await ended(stage, id);
      assert.deepEqual([instance.status, instance.output ?? null], ["COMPLETED", null]);
    },
  },
  {
    name: "event or timer, whichever is first",
    async run(stage) {
      const id = stage.id("event");
      await stage.client.start({ name: stage.on("approval"), input: { timeoutMs: 60_000 }, instanceId: id });
      await stage.client.raise({ instanceId: id, event: "approved", data: "yes" });
      assert.equal((await ended(stage, id)).output, "yes");
      assert.equal((await played(stage, stage.on("approval"), { timeoutMs: 300 }, stage.id("timer"))).output, "timed out");
    },
  },
  {
    name: "carried events of continue-as-new",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("collect"), input: { want: 3, got: [] }, instanceId: id });
      for (const data of ["a", "b", "c"]) await stage.client.raise({ instanceId: id, event: "item", data });
      assert.deepEqual((await ended(stage, id)).output, ["a", "b", "c"]);
    },
  },
  {
    name: "an orchestrator raises an event",
    needs: { worker: ["sendEvent"], server: ["sendEvent"] },
    async run(stage) {
      const id = stage.id("to");
      await stage.client.start({ name: stage.on("waitFor"), input: "hello", instanceId: id });
      await until(stage, id, (instance) => instance.status === "RUNNING", "running");
      await played(stage, stage.on("sender"), { to: id, event: "hello", data: { from: "sender" } }, stage.id("from"));
      assert.deepEqual((await ended(stage, id)).output, { from: "sender" });
    },
  },
  {
    name: "custom status",
    needs: { client: ["customStatus"] },
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("steps"), instanceId: id });
      await until(stage, id, ({ customStatus }) => (customStatus as { step?: number } | undefined)?.step === 1, "at step 1");
      await stage.client.raise({ instanceId: id, event: "next" });
      const instance = await ended(stage, id);
      assert.deepEqual([instance.output, instance.customStatus], ["done", { step: 2 }]);
    },
  },
  {
    name: "suspend, resume",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("waitFor"), input: "go", instanceId: id });
      await until(stage, id, (instance) => instance.status === "RUNNING", "running");
      await stage.client.suspend({ instanceId: id, reason: "a pause" });
      await until(stage, id, (instance) => instance.status === "SUSPENDED", "suspended");
      await stage.client.raise({ instanceId: id, event: "go", data: "went" });
      await pause(700);
      assert.equal((await stage.client.get({ instanceId: id }))?.status, "SUSPENDED", "the event went through");
      await stage.client.resume({ instanceId: id, reason: "enough" });
      assert.equal((await ended(stage, id)).output, "went");
    },
  },
  {
    name: "terminate",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("waitFor"), input: "never", instanceId: id });
      await until(stage, id, (instance) => instance.status === "RUNNING", "running");
      await stage.client.terminate({ instanceId: id, output: { why: "enough" }, recursive: false });
      const instance = await ended(stage, id);
      assert.deepEqual([instance.status, instance.output], ["TERMINATED", { why: "enough" }]);
    },
  },
  {
    name: "terminate a suspended instance",
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("waitFor"), input: "never", instanceId: id });
      await until(stage, id, (instance) => instance.status === "RUNNING", "running");
      await stage.client.suspend({ instanceId: id });
      await until(stage, id, (instance) => instance.status === "SUSPENDED", "suspended");
      await stage.client.terminate({ instanceId: id, output: "stop", recursive: false });
      assert.equal((await ended(stage, id)).status, "TERMINATED");
    },
  },
  {
    name: "terminate with all descendants",
    needs: { client: ["recursiveTerminate"] },
    async run(stage) {
      const id = stage.id();
      const middle = { child: stage.on("nest"), children: 1, input: { child: stage.on("waitFor"), children: 2, input: "never" } };
      await stage.client.start({ name: stage.on("nest"), input: middle, instanceId: id });
      const leaves = [`${id}.c0.c0`, `${id}.c0.c1`];
      for (const leaf of leaves) await until(stage, leaf, (instance) => instance.status === "RUNNING", "running");
      await stage.client.terminate({ instanceId: id, output: "all", recursive: true });
      for (const each of [id, `${id}.c0`, ...leaves]) assert.equal((await ended(stage, each)).status, "TERMINATED", each);
    },
  },
  {
    name: "terminate without descendants",
    needs: { client: ["recursiveTerminate"] },
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("nest"), input: { child: stage.on("waitFor"), children: 1, input: "go" }, instanceId: id });
      await until(stage, `${id}.c0`, (instance) => instance.status === "RUNNING", "running");
      await stage.client.terminate({ instanceId: id, recursive: false });
      assert.equal((await ended(stage, id)).status, "TERMINATED");
      await stage.client.raise({ instanceId: `${id}.c0`, event: "go", data: "alone" });
      assert.equal((await ended(stage, `${id}.c0`)).output, "alone");
    },
  },
];
