// versions: which code an instance runs on, and what becomes of work that no code here fits.

import assert from "node:assert/strict";
import { activity, orchestrator, type Orchestrator, type WorkerVersioning } from "../../index.ts";
import { historyOf, ofKind, type Chapter } from "./world.ts";

const plain = orchestrator("app", async (ctx) => `plain, for '${ctx.version}'`);

function versioned(version: string): Orchestrator<void, string> {
  return orchestrator("app", { version }, async (ctx) => `${version}, for '${ctx.version}'`);
}

interface Fit {
  readonly versioning: WorkerVersioning;
  readonly runs: readonly string[];
  readonly refuses: readonly string[];
}

const FITS: readonly Fit[] = [
  { versioning: {}, runs: ["", "0.9", "1.0.0", "2.0"], refuses: [] },
  { versioning: { version: "1.0.0", matchStrategy: "none" }, runs: ["", "0.9", "2.0"], refuses: [] },
  { versioning: { version: "1.0.0", matchStrategy: "strict" }, runs: ["1.0.0", "1.0"], refuses: ["", "0.9", "1.0.1"] },
  { versioning: { version: "1.10.0", matchStrategy: "currentOrOlder" }, runs: ["", "1.9", "1.10.0"], refuses: ["1.10.1", "2"] },
];

export const versions: Chapter = (story) => {
  for (const { versioning, runs, refuses } of FITS) {
    const words =
      versioning.version === undefined ? "without versioning" : `by '${versioning.matchStrategy ?? "none"}' with ${versioning.version}`;
    story(`a worker ${words} runs ${runs.map((each) => `'${each}'`).join(", ")}; what does not fit fails, if it says so`, async (world) => {
      await world.work({ orchestrators: [plain], versioning: { ...versioning, failureStrategy: "fail" } });
      for (const version of runs)
        assert.equal(await world.output(await world.hub.start(plain, undefined, { version })), `plain, for '${version}'`);
      for (const version of refuses) {
        const { failure } = await world.failure(await world.hub.start(plain, undefined, { version }));
        assert.equal(failure?.errorType, "VersionMismatch");
        assert.match(failure.message, new RegExp(`'${version}'`));
        assert.equal(failure.nonRetriable, true);
      }
    });

    if (refuses.length > 0) {
      story(`V1 a worker ${words} leaves what does not fit to another one, which runs it when it comes`, async (world) => {
        const picky = await world.work({ orchestrators: [plain], versioning: { ...versioning, failureStrategy: "reject" } });
        const left = await Promise.all(refuses.map((version) => world.hub.start(plain, undefined, { version })));
        for (const instance of left) {
          const status = await world.seen(instance, (each) => each.stall !== undefined);
          assert.equal(status.status, "PENDING");
          assert.match(status.waitingFor.join(), /version/);
        }
        await picky.stop();
        await world.work({ orchestrators: [plain] });
        for (const [n, instance] of left.entries()) assert.equal(await world.output(instance), `plain, for '${refuses[n]}'`);
      });
    }
  }

  story("several versions of one name: the exact one, else by currentOrOlder the oldest newer one, else the one without", async (world) => {
    await world.work({
      orchestrators: [versioned("1.0.0"), versioned("2.0.0"), versioned("3.0.0"), plain],
      versioning: { version: "3.0.0", matchStrategy: "currentOrOlder" },
    });
    const served: Readonly<Record<string, string>> = {
      "1.0.0": "1.0.0",
      "2.0": "2.0.0",
      "1.5.0": "2.0.0",
      "0.1": "1.0.0",
      "3.0.0": "3.0.0",
    };
    for (const [version, by] of Object.entries(served)) {
      assert.equal(await world.output(await world.hub.start("app", undefined, { version })), `${by}, for '${version}'`);
    }
  });

  story("several versions of one name without a match strategy: the exact one, else the one without a version", async (world) => {
    await world.work({ orchestrators: [versioned("1.0.0"), versioned("2.0.0"), plain] });
    for (const [version, by] of [
      ["1.0.0", "1.0.0"],
      ["2.0.0", "2.0.0"],
      ["1.5.0", "plain"],
      ["9", "plain"],
      ["", "plain"],
    ] as const) {
      assert.equal(await world.output(await world.hub.start("app", undefined, { version })), `${by}, for '${version}'`);
    }
  });

  story("a definition brings its version to the start; the start's own counts more, and '' is none", async (world) => {
    const one = versioned("1.0.0");
    await world.work({ orchestrators: [one, versioned("2.0.0"), plain] });
    assert.equal(await world.output(await world.hub.start(one)), "1.0.0, for '1.0.0'");
    assert.equal(await world.output(await world.hub.start(one, undefined, { version: "2.0.0" })), "2.0.0, for '2.0.0'");
    const none = await world.hub.start(one, undefined, { version: "" });
    assert.equal(await world.output(none), "plain, for ''");
    assert.equal((await none.status())?.version, undefined);
  });

  story(
    "the hub's default version is that of every start that names none",
    async (world) => {
      await world.work({ orchestrators: [plain] });
      const instance = await world.hub.start(plain);
      assert.equal(await world.output(instance), "plain, for '2.5.0'");
      assert.equal((await instance.status())?.version, "2.5.0");
      assert.equal(ofKind(await historyOf(instance), "ExecutionStarted")[0]?.version, "2.5.0");
      assert.equal(await world.output(await world.hub.start(plain, undefined, { version: "1" })), "plain, for '1'");
    },
    { defaultVersion: "2.5.0" },
  );

  story("a child's version: the call's, else its definition's, else the worker's default; never its parent's", async (world) => {
    const named = orchestrator("named", { version: "1.1" }, async (ctx) => ctx.version);
    const bare = orchestrator("bare", async (ctx) => ctx.version);
    const parent = orchestrator("parent", async (ctx) => [
      await ctx.callSubOrchestrator(named, undefined, { version: "1.2" }),
      await ctx.callSubOrchestrator(named),
      await ctx.callSubOrchestrator(bare),
    ]);
    const orchestrators = [parent, bare, named, orchestrator("named", { version: "1.2" }, async (ctx) => ctx.version)];
    const first = await world.work({ orchestrators, versioning: { defaultVersion: "7" } });
    assert.deepEqual(await world.output(await world.hub.start(parent, undefined, { version: "3" })), ["1.2", "1.1", "7"]);
    await first.stop();
    await world.work({ orchestrators });
    assert.deepEqual(await world.output(await world.hub.start(parent, undefined, { version: "3" })), ["1.2", "1.1", ""]);
  });

  story("one program serves old and new instances by asking for its version", async (world) => {
    const step = activity("step", async (_ctx, name: string) => name);
    const migrating = orchestrator("migrating", async (ctx) => {
      const steps = [await ctx.callActivity(step, "one")];
      if (ctx.isVersionAtLeast("2.0.0")) steps.push(await ctx.callActivity(step, "three"));
      steps.push(await ctx.callActivity(step, "two"));
      return steps.join();
    });
    await world.work({ orchestrators: [migrating], activities: [step] });
    for (const [version, steps] of [
      ["", "one,two"],
      ["1.9.9", "one,two"],
      ["2", "one,three,two"],
      ["2.0.0", "one,three,two"],
      ["10.0", "one,three,two"],
    ] as const) {
      assert.equal(await world.output(await world.hub.start(migrating, undefined, { version })), steps, version);
    }
  });

  story("two programs under one name and version are refused when the worker is started", async (world) => {
    for (const orchestrators of [
      [plain, orchestrator("app", async () => "another")],
      [versioned("1"), versioned("1")],
    ]) {
      await assert.rejects(
        world.hub.startWorker({ orchestrators }),
        (error: Error & { code?: unknown }) => error.code === "INVALID_ARGUMENT",
      );
    }
  });

  // ---- work that nobody serves

  story("L9 an orchestration of a name that nobody serves waits, visibly, and runs when a worker comes that has it", async (world) => {
    const other = orchestrator("other", async () => "other");
    await world.work({ orchestrators: [other] });
    const instance = await world.hub.start(plain);
    assert.equal(await world.output(await world.hub.start(other)), "other");
    const status = await instance.status();
    assert.equal(status?.status, "PENDING");
    assert.match(status.waitingFor.join(), /'app'/);
    assert.match(status.waitingFor.join(), /'other'/);
    await world.work({ orchestrators: [plain] });
    assert.equal(await world.output(instance), "plain, for ''");
  });

  story("L9 an activity of a name that nobody serves waits, visibly, and runs when a worker comes that has it", async (world) => {
    const late = activity("late", async () => "late");
    const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(late));
    await world.work({ orchestrators: [calls], activities: [activity("early", async () => "early")] });
    const instance = await world.hub.start(calls);
    const status = await world.seen(instance, (each) => each.status === "RUNNING");
    assert.match(status.waitingFor.join(), /'late'/);
    assert.match(status.waitingFor.join(), /'early'/);
    await world.work({ activities: [late] });
    assert.equal(await world.output(instance), "late");
  });

  story("L9 a child of a name that nobody serves waits, and runs when a worker comes that has it", async (world) => {
    const parent = orchestrator("parent", async (ctx) => await ctx.callSubOrchestrator(plain));
    await world.work({ orchestrators: [parent] });
    const instance = await world.hub.start(parent);
    await world.seen(instance, (each) => each.status === "RUNNING");
    await world.work({ orchestrators: [plain] });
    assert.equal(await world.output(instance), "plain, for ''");
  });

  story("two workers of one hub, each with its own names, serve one orchestration together", async (world) => {
    const here = activity("here", async () => "here");
    const there = activity("there", async () => "there");
    const both = orchestrator(
      "both",
      async (ctx) => await ctx.whenAll([ctx.callActivity(here), ctx.callActivity(there), ctx.callSubOrchestrator(plain)]),
    );
    await world.work({ orchestrators: [both], activities: [here] });
    await world.work({ orchestrators: [plain], activities: [there] });
    assert.deepEqual(await world.output(await world.hub.start(both)), ["here", "there", "plain, for ''"]);
  });

  story("L8 an orchestration goes on with the next worker where the one before stopped", async (world) => {
    const step = activity("step", async (_ctx, n: number) => n);
    const runs = orchestrator("runs", async (ctx) => {
      let sum = 0;
      for (let n = 1; n <= 3; n++) {
        sum += await ctx.callActivity(step, n);
        await ctx.waitForExternalEvent("next");
      }
      return sum;
    });
    const instance = await world.hub.start(runs);
    for (let n = 1; n <= 3; n++) {
      const worker = await world.work({ orchestrators: [runs], activities: [step] });
      await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("'next'")));
      await worker.stop();
      await instance.raiseEvent("next");
    }
    await world.work({ orchestrators: [runs], activities: [step] });
    assert.equal(await world.output(instance), 6);
  });

  // ---- filters

  story("a worker takes what its filters name, and leaves the rest to others", async (world) => {
    const ran: string[] = [];
    const one = activity("one", async () => void ran.push("one"));
    const two = activity("two", async () => void ran.push("two"));
    const both = orchestrator("both", async (ctx) => void (await ctx.whenAll([ctx.callActivity(one), ctx.callActivity(two)])));
    const other = orchestrator("other", async () => "other");
    await world.work({
      orchestrators: [both, other],
      activities: [one, two],
      workItemFilters: { orchestrators: ["both"], activities: ["one"] },
    });
    const instance = await world.hub.start(both);
    const left = await world.hub.start(other);
    await world.seen(instance, (status) => ran.includes("one") && status.waitingFor.length === 1);
    assert.deepEqual([ran, (await left.status())?.status], [["one"], "PENDING"]);
    await world.work({ orchestrators: [other], activities: [one, two], workItemFilters: { activities: ["two"] } });
    await world.output(instance);
    assert.equal(await world.output(left), "other");
    assert.deepEqual(ran, ["one", "two"]);
  });

  story("V1 a filter with versions: each worker has its own, and what nobody takes waits and says so", async (world) => {
    const app = (where: string) => orchestrator("app", async (ctx) => `${where}, for '${ctx.version}'`);
    const filtered = (where: string, versions: readonly string[]) =>
      world.work({ orchestrators: [app(where)], workItemFilters: { orchestrators: [{ name: "app", versions }] } });
    await filtered("old", ["1.0.0", ""]);
    await filtered("new", ["2.0.0"]);
    for (const [version, output] of [
      ["1.0", "old, for '1.0'"],
      ["2.0.0", "new, for '2.0.0'"],
      ["", "old, for ''"],
    ] as const)
      assert.equal(await world.output(await world.hub.start(plain, undefined, { version })), output);
    const left = await world.hub.start(plain, undefined, { version: "3.0.0" });
    const status = await world.seen(left, (each) => each.stall !== undefined);
    assert.deepEqual([status.status, status.stall?.kind], ["PENDING", "version"]);
    assert.match(status.waitingFor.join(), /'3.0.0'/);
    await filtered("newest", ["3"]);
    assert.equal(await world.output(left), "newest, for '3.0.0'");
  });

  story("a filter that names what is not registered, or the same twice, is refused", async (world) => {
    for (const workItemFilters of [{ orchestrators: ["nobody"] }, { activities: ["nobody"] }, { orchestrators: ["app", { name: "app" }] }])
      await assert.rejects(world.hub.startWorker({ orchestrators: [plain], workItemFilters }), { code: "INVALID_ARGUMENT" });
  });
};
