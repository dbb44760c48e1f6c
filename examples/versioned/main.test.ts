import assert from "node:assert/strict";
import { test } from "node:test";
import { OrchestrationFailedError } from "ostinato";
import { createTestHub, stub } from "ostinato/testing";
import { activityOne, activityThree, activityTwo, migrating, workerOptions } from "./main.ts";

async function workshop() {
  const done: string[] = [];
  const stubs = [activityOne, activityTwo, activityThree].map((each) => stub(each, async () => void done.push(each.name)));
  const hub = await createTestHub({ ...workerOptions, stubs, defaultVersion: "2.0.0" });
  return { hub, done };
}

test("one orchestrator serves instances that were started as 1.0.0 and as 2.0.0", async () => {
  const { hub, done } = await workshop();
  const old = await hub.start(migrating, undefined, { version: "1.0.0" });
  assert.equal(await old.result(), "Success");
  assert.deepEqual(done.splice(0), ["activityOne", "activityTwo"]);

  const current = await hub.start(migrating);
  assert.equal((await current.status())?.version, "2.0.0");
  assert.equal(await current.result(), "Success");
  assert.deepEqual(done, ["activityOne", "activityThree", "activityTwo"]);
  await hub.close();
});

test("of several registrations an instance runs on its own version, else on the oldest newer one", async () => {
  const { hub } = await workshop();
  const price = async (version: string): Promise<unknown> => await (await hub.start("price", 100, { version })).result();
  assert.deepEqual([await price("1.0.0"), await price("1.5.0"), await price("2.0.0")], [100, 120, 120]);
  await hub.close();
});

test("a version newer than the worker fails, by the worker's own choice", async () => {
  const { hub } = await workshop();
  const early = await hub.start(migrating, undefined, { version: "3.0.0" });
  await assert.rejects(
    early.result(),
    (error) => error instanceof OrchestrationFailedError && error.failure?.errorType === "VersionMismatch",
  );
  await hub.close();
});
