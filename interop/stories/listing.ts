// listing: starts with what they carry, versions, tags, queries, purges, histories.
import assert from "node:assert/strict";
import { ended, eventually, pause, played, until } from "../story.ts";
import type { Story } from "../story.ts";

/** An activity, a timer and a sub-orchestration, one after the other. */
const twelve = [
  "OrchestratorStarted",
  "ExecutionStarted",
  "TaskScheduled",
  "OrchestratorStarted",
  "TaskCompleted",
  "TimerCreated",
  "OrchestratorStarted",
  "TimerFired",
  "SubOrchestrationInstanceCreated",
  "OrchestratorStarted",
  "SubOrchestrationInstanceCompleted",
  "ExecutionCompleted",
];

export const listingStories: readonly Story[] = [
  {
    name: "a second start under an id is refused",
    async run(stage) {
      const id = stage.id();
      await played(stage, stage.on("chain"), "Flo", id);
      await assert.rejects(stage.client.start({ name: stage.on("chain"), input: "Flo", instanceId: id }));
    },
  },
  {
    name: "an unknown instance is not there",
    async run(stage) {
      assert.equal(await stage.client.get({ instanceId: stage.id("nobody") }), undefined);
    },
  },
  {
    name: "an event for an unknown instance is refused",
    async run(stage) {
      await assert.rejects(stage.client.raise({ instanceId: stage.id("nobody"), event: "hello" }));
    },
  },
  {
    name: "the version reaches the orchestrator",
    needs: { client: ["version"], worker: ["version"], server: ["version"] },
    async run(stage) {
      const id = stage.id();
      await stage.client.start({ name: stage.on("version"), version: "1.7.3", instanceId: id });
      assert.equal((await ended(stage, id)).output, "1.7.3");
    },
  },
  {
    name: "a version waits for its worker",
    needs: { client: ["version"], worker: ["versionFilter"], server: ["version"] },
    alone: true,
    async run(stage) {
      await stage.withoutWorker(async () => {
        const id = stage.id();
        const old = await stage.another();
        await old.startWorker({ version: "1.0.0" });
        await stage.client.start({ name: stage.on("version"), version: "2.0.0", instanceId: id });
        await pause(1_500);
        const waiting = await stage.client.get({ instanceId: id });
        assert.ok(["PENDING", "RUNNING"].includes(waiting?.status ?? ""), `a worker of version 1.0.0 took it: ${JSON.stringify(waiting)}`);
        const fresh = await stage.another();
        await fresh.startWorker({ version: "2.0.0" });
        assert.equal((await ended(stage, id)).output, "2.0.0");
        await old.end();
        await fresh.end();
      });
    },
  },
  {
    name: "tags",
    needs: { client: ["tags"], server: ["tags"] },
    async run(stage) {
      const id = stage.id();
      const tags = { team: "it", "cost centre": "Küche" };
      await stage.client.start({ name: stage.on("chain"), input: "Gus", instanceId: id, tags });
      await ended(stage, id);
      const looker = stage.observer ?? stage.client;
      assert.deepEqual({ ...(await looker.get({ instanceId: id }))?.tags }, tags);
    },
  },
  {
    name: "query by id prefix and status, in pages",
    needs: { client: ["query"], server: ["query"] },
    async run(stage) {
      const prefix = stage.id("list");
      const ids = Array.from({ length: 7 }, (_, i) => `${prefix}-${i}`);
      for (const instanceId of ids) await stage.client.start({ name: stage.on("chain"), input: "Hal", instanceId });
      await stage.client.start({ name: stage.on("waitFor"), input: "never", instanceId: `${prefix}-open` });
      for (const id of ids) await ended(stage, id);
      await until(stage, `${prefix}-open`, (instance) => instance.status === "RUNNING", "running");
      const all = await stage.client.query({ prefix, pageSize: 3 });
      assert.deepEqual(all.found.map(({ id }) => id).sort(), [...ids, `${prefix}-open`].sort());
      assert.ok(all.pages >= 3, `there were ${all.pages} pages`);
      const completed = await stage.client.query({ prefix, statuses: ["COMPLETED"], pageSize: 100 });
      assert.deepEqual(completed.found.map(({ id }) => id).sort(), ids);
      assert.deepEqual(completed.found[0]?.output, ["Hello Hal!", "Hello Hello Hal!!"]);
      await stage.client.terminate({ instanceId: `${prefix}-open`, recursive: false });
    },
  },
  {
    name: "ids of finished instances",
    needs: { client: ["listIds"], server: ["listIds"] },
    async run(stage) {
      const ids = [stage.id("a"), stage.id("b"), stage.id("c")];
      for (const id of ids) await played(stage, stage.on("chain"), "Ida", id);
      const found = await stage.client.listIds({ pageSize: 2 });
      assert.deepEqual(
        found.filter((id) => ids.includes(id)),
        ids,
      );
    },
  },
  {
    name: "purge one",
    async run(stage) {
      const id = stage.id();
      await played(stage, stage.on("chain"), "Jo", id);
      assert.equal(await stage.client.purge({ instanceId: id, recursive: false }), 1);
      assert.equal(await stage.client.get({ instanceId: id }), undefined);
    },
  },
  {
    name: "purge with all descendants",
    needs: { client: ["recursivePurge"] },
    async run(stage) {
      const id = stage.id();
      await played(stage, stage.on("nest"), { child: stage.on("chain"), children: 2, input: "Kim" }, id);
      assert.equal(await stage.client.purge({ instanceId: id, recursive: true }), 3);
      assert.equal(await stage.client.get({ instanceId: `${id}.c1` }), undefined);
    },
  },
  {
    name: "purge by status and time",
    needs: { client: ["purgeWhere"], server: ["purgeWhere"] },
    alone: true,
    async run(stage) {
      // A server counts by a clock of its own: a margin on this side of what was there before.
      await pause(400);
      const createdFrom = Date.now() - 200;
      const ids = [stage.id("a"), stage.id("b")];
      for (const id of ids) await played(stage, stage.on("chain"), "Lee", id);
      const kept = await played(stage, stage.on("call"), { activity: stage.on("fail"), input: { message: "kept" } }, stage.id("kept"));
      const asked = { statuses: ["COMPLETED"], createdFrom, createdTo: Date.now() + 60_000 };
      assert.equal(await stage.client.purgeWhere(asked), 2);
      assert.equal(await stage.client.get({ instanceId: ids[0]! }), undefined);
      assert.equal((await stage.client.get({ instanceId: kept.id }))?.status, "FAILED");
    },
  },
  {
    name: "the history of an instance",
    needs: { client: ["history"], server: ["history"] },
    async run(stage) {
      const id = stage.id();
      assert.equal((await played(stage, stage.on("twelve"), undefined, id)).output, "twelve");
      let kinds: string[] = [];
      await eventually(2_000, async () => (kinds = await stage.client.history({ instanceId: id })).length >= twelve.length);
      assert.deepEqual(kinds, twelve);
    },
  },
];
