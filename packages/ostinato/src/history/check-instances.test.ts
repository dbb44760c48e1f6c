// Stories of checks before a deployment: what would stall, what nobody serves, and which questions about versions have had their day.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import { openTaskHub } from "../hub/open-task-hub.ts";
import { createTestHub } from "../testing/test-hub.ts";
import { checkInstances } from "./check-instances.ts";
import { definitionsOf } from "./definitions-of.ts";

const reserve = activity("reserve", async (ctx, what: string) => `reserved ${what}`);
const charge = activity("charge", async (ctx, what: string) => `charged ${what}`);
const activities = [reserve, charge];

const root = mkdtempSync(join(tmpdir(), "ostinato-check-"));
after(() => rmSync(root, { recursive: true, force: true }));

const order = orchestrator("order", async (ctx, what: string) => {
  const reserved = await ctx.callActivity(reserve, what);
  await ctx.waitForExternalEvent("approved");
  return await ctx.callActivity(charge, reserved);
});
const reordered = orchestrator("order", async (ctx, what: string) => {
  const charged = await ctx.callActivity(charge, what);
  await ctx.waitForExternalEvent("approved");
  return await ctx.callActivity(reserve, charged);
});
const longerEnd = orchestrator("order", async (ctx, what: string) => {
  const reserved = await ctx.callActivity(reserve, what);
  await ctx.waitForExternalEvent("approved");
  await ctx.createTimer("1h");
  return await ctx.callActivity(charge, reserved);
});

describe("a check of open instances", () => {
  test("catches a reordered activity in a parked instance, on a file that its owner goes on to run", async () => {
    const url = `sqlite:${join(root, "app.db")}`;
    const owner = await openTaskHub(url, { log: { level: "error" } });
    const worker = await owner.startWorker({ orchestrators: [order], activities });
    await (await owner.start(order, "done", { instanceId: "finished" })).raiseEvent("approved");
    await owner.instance("finished").result({ timeout: "30s" });
    const parked = await owner.start(order, "piano", { instanceId: "parked" });
    for (let asked = 0; (await parked.status())?.waitingFor[0]?.includes("approved") !== true; asked++) assert.ok(asked < 100_000);

    const reader = await openTaskHub(url, { readOnly: true });
    assert.equal((await checkInstances(reader, { orchestrators: [order] })).ok, true);
    assert.equal((await checkInstances(reader, { orchestrators: [longerEnd] })).ok, true);
    const report = await checkInstances(reader, { orchestrators: [reordered] });
    assert.equal(report.total, 1);
    const [difference] = report.differences;
    assert.equal(difference?.instance.id, "parked");
    assert.ok(difference.difference.kind === "call");
    assert.equal(difference.difference.recorded, "TaskScheduled 'reserve' with id 1");
    assert.equal(difference.difference.now, "asks for the activity 'charge' with id 1");
    assert.match(difference.difference.place ?? "", /check-instances\.test\.ts:\d+/);
    assert.match(String(report), /^1 history: 0 same, 1 different\n- different: instance 'parked' of 'order' \(RUNNING\)\. /);
    await reader.close();

    await parked.raiseEvent("approved");
    assert.equal(await parked.result({ timeout: "30s" }), "charged reserved piano");
    await worker.stop();
    await owner.close();
  });

  test("looks at open instances alone, whatever their status, and says which nobody would serve", async () => {
    const other = orchestrator("other", async (ctx) => await ctx.waitForExternalEvent("go"));
    const hub = await createTestHub({ orchestrators: [order, other], activities });
    await (await hub.start(order, "a", { instanceId: "running" })).waitForStart();
    await (await hub.start(order, "b", { instanceId: "suspended" })).waitForStart();
    await hub.instance("suspended").suspend();
    await hub.start(order, "c", { instanceId: "pending", startAt: new Date(hub.clock.date.getTime() + 3_600_000) });
    await (await hub.start(other, undefined, { instanceId: "orphan" })).waitForStart();
    await (await hub.start(other, undefined, { instanceId: "over" })).raiseEvent("go");
    await hub.instance("over").result();
    const seen = new Map<string, string>();
    const report = await checkInstances(hub, { orchestrators: [order] }, { onResult: (each) => seen.set(each.instance.id, each.verdict) });
    assert.deepEqual(Object.fromEntries(seen), { running: "same", suspended: "same", pending: "same", orphan: "not-registered" });
    assert.deepEqual(report.openVersions, [
      { orchestrator: "order", openInstances: 3 },
      { orchestrator: "other", openInstances: 1 },
    ]);
    const suspended = await checkInstances(hub, { orchestrators: [reordered] }, { query: { status: "SUSPENDED", name: "order" } });
    assert.deepEqual(
      suspended.differences.map(({ instance }) => instance.id),
      ["suspended"],
    );
    await assert.rejects(checkInstances(hub, { orchestrators: [order] }, { query: { status: "COMPLETED" } }), { code: "INVALID_ARGUMENT" });
    await hub.close();
  });

  test("goes by the hub's own converter", async () => {
    const converter: PayloadConverter = {
      encode: (value) => (value === undefined ? undefined : `~${JSON.stringify(value)}`),
      decode: (text) => (text === undefined ? undefined : (JSON.parse(text.slice(1)) as unknown)),
    };
    const chooses = orchestrator("chooses", async (ctx, which: string) => {
      await (which === "b" ? ctx.callActivity(charge, which) : ctx.callActivity(reserve, which));
      await ctx.waitForExternalEvent("never");
    });
    const hub = await createTestHub({ orchestrators: [chooses], activities, converter });
    await (await hub.start(chooses, "b")).waitForStart();
    assert.equal((await checkInstances(hub, { orchestrators: [chooses] })).ok, true);
    await hub.close();
  });
});

describe("version gates", () => {
  const gated = orchestrator("gated", async (ctx) => {
    if (ctx.isVersionAtLeast("2.0.0")) await ctx.callActivity(charge, "new way");
    else await ctx.callActivity(reserve, "old way");
    await ctx.waitForExternalEvent("first");
    if (ctx.isVersionAtLeast("3.0.0")) await ctx.callActivity(charge, "newest way");
    await ctx.waitForExternalEvent("second");
  });
  const hubWith = async (versions: readonly string[], defaultVersion?: string) => {
    const hub = await createTestHub({ orchestrators: [gated], activities, ...(defaultVersion === undefined ? {} : { defaultVersion }) });
    for (const version of versions) await (await hub.start(gated, undefined, { version, instanceId: `v${version}` })).waitForStart();
    return hub;
  };

  test("are told with every answer, and where they stand", async () => {
    const hub = await hubWith(["1.0.0", "2.0.0", "2.1.0"], "2.1.0");
    const report = await checkInstances(hub, { orchestrators: [gated] });
    const [gate, ...more] = report.gates;
    assert.equal(more.length, 0, "nobody has come to the second gate");
    assert.match(gate?.place ?? "", /check-instances\.test\.ts:\d+/);
    const { place: _place, ...rest } = gate ?? {};
    assert.deepEqual(rest, {
      orchestrator: "gated",
      gate: "2.0.0",
      openInstances: { atLeast: 2, older: 1 },
      asked: 3,
      newInstances: true,
      settled: false,
    });
    assert.deepEqual(report.unneededGates, []);
    assert.deepEqual(
      report.openVersions.map(({ version, openInstances }) => [version, openInstances]),
      [
        ["1.0.0", 1],
        ["2.0.0", 1],
        ["2.1.0", 1],
      ],
    );
    await hub.close();
  });

  test("that every open instance passes, and a new one too, are no longer needed", async () => {
    const hub = await hubWith(["2.0.0", "2.1.0"], "2.1.0");
    await hub.instance("v2.1.0").raiseEvent("first");
    await hub.clock.advance("1s");
    const report = await checkInstances(hub, { orchestrators: [gated] });
    assert.deepEqual(
      report.unneededGates.map(({ orchestrator: name, gate, asked }) => [name, gate, asked]),
      [["gated", "2.0.0", 2]],
    );
    assert.match(
      String(report),
      /no longer needed: isVersionAtLeast\("2\.0\.0"\) of 'gated' at .*The branch for older versions can be deleted\./,
    );
    // One instance has asked the second question; the other's answer is known before it gets there.
    assert.deepEqual(
      report.gates.map(({ gate, asked, openInstances, newInstances, settled }) => ({
        gate,
        asked,
        ...openInstances,
        newInstances,
        settled,
      })),
      [
        { gate: "2.0.0", asked: 2, atLeast: 2, older: 0, newInstances: true, settled: true },
        { gate: "3.0.0", asked: 1, atLeast: 0, older: 2, newInstances: false, settled: true },
      ],
    );
    await hub.close();
  });

  test("are needed while new instances come without a version that passes", async () => {
    const hub = await hubWith(["2.0.0"]);
    assert.deepEqual((await checkInstances(hub, { orchestrators: [gated] })).unneededGates, []);
    const told = await checkInstances(hub, { orchestrators: [gated], defaultVersion: "2.0.0" });
    assert.equal(told.unneededGates.length, 1);
    await hub.close();
  });

  test("count the instances of the program they stand in, and name who reads the version itself", async () => {
    const reads = orchestrator("reads", { version: "5.0.0" }, async (ctx) => {
      if (ctx.version.startsWith("5")) await ctx.waitForExternalEvent("never");
    });
    const old = orchestrator("gated", { version: "1.0.0" }, async (ctx) => await ctx.waitForExternalEvent("never"));
    const hub = await createTestHub({ orchestrators: [gated, old, reads], activities, defaultVersion: "2.0.0" });
    for (const version of ["1.0.0", "2.0.0"]) await (await hub.start("gated", undefined, { version })).waitForStart();
    await (await hub.start(reads)).waitForStart();
    const report = await checkInstances(hub, { orchestrators: [gated, old, reads] });
    assert.equal(report.ok, true, String(report));
    assert.deepEqual(
      report.unneededGates.map(({ gate, openInstances }) => [gate, openInstances.atLeast]),
      [["2.0.0", 1]],
    );
    const [reader, ...others] = report.versionReaders;
    assert.deepEqual([reader?.orchestrator, reader?.definitionVersion, others.length], ["reads", "5.0.0", 0]);
    assert.match(reader?.place ?? "", /check-instances\.test\.ts:\d+/);
    await hub.close();
  });
});

test("the definitions of a module are found by their kind, once each", () => {
  const contract = activity("elsewhere", {});
  const found = definitionsOf({
    order,
    again: order,
    reserve,
    contract,
    lists: [charge, gatedAlone],
    n: 5,
    none: null,
    text: "order",
    f: () => 1,
  });
  assert.deepEqual(found, { orchestrators: [order, gatedAlone], activities: [reserve, charge] });
});

const gatedAlone = orchestrator("alone", async () => 1);
