// children: an orchestration starts others, and hears of their end exactly once.

import assert from "node:assert/strict";
import { activity, orchestrator, type TaskFailedError } from "../../index.ts";
import { historyOf, ofKind, type Chapter } from "./world.ts";

const doubled = orchestrator("doubled", async (_ctx, n: number) => n * 2);
const waits = orchestrator("waits", async (ctx, name: string) => `${name} ${await ctx.waitForExternalEvent<string>("go")}`);

/** What a call of a child threw: the type and message of what the child threw. */
function told(error: unknown): readonly [string, string] {
  const { failure } = error as TaskFailedError;
  return [failure.errorType, failure.message];
}

export const children: Chapter = (story) => {
  story("S1 a child's output is the call's result; the child knows its parent, the listing too", async (world) => {
    const child = orchestrator("child", async (ctx, n: number) => ({
      n: n + 1,
      parent: ctx.parent,
      id: ctx.instanceId,
      tags: ctx.tags,
      version: ctx.version,
    }));
    const parent = orchestrator(
      "parent",
      async (ctx) => await ctx.callSubOrchestrator(child, 1, { tags: { of: "parent" }, version: "1.5" }),
    );
    await world.work({ orchestrators: [parent, child] });
    const instance = await world.hub.start(parent, undefined, { instanceId: "the parent", version: "9" });
    const executionId = (await instance.status())?.executionId;
    const output = await world.output(instance);
    assert.deepEqual(output, {
      n: 2,
      parent: { name: "parent", instanceId: "the parent", version: "9", taskScheduledId: 1 },
      id: `${executionId}:0001`,
      tags: { of: "parent" },
      version: "1.5",
    });
    const listed = await world.hub.query({ parentInstanceId: "the parent" });
    assert.deepEqual(
      listed.map((status) => [status.id, status.status, status.parentInstanceId, status.version, status.tags]),
      [[`${executionId}:0001`, "COMPLETED", "the parent", "1.5", { of: "parent" }]],
    );
    const [created] = ofKind(await historyOf(instance), "SubOrchestrationInstanceCreated");
    assert.deepEqual([created?.name, created?.version, created?.input, created?.tags], ["child", "1.5", "1", { of: "parent" }]);
    await world.output(world.hub.instance(`${executionId}:0001`));
  });

  story("a child's default id is the parent's execution and the number of the call, in hexadecimal", async (world) => {
    const parent = orchestrator("parent", async (ctx) => {
      for (let i = 0; i < 9; i++) ctx.createTimer("1d").cancel();
      await ctx.createTimer("0s");
      await ctx.whenAll([ctx.callSubOrchestrator(doubled, 1), ctx.callSubOrchestrator(doubled, 2)]);
      return ctx.executionId;
    });
    await world.work({ orchestrators: [parent, doubled] });
    const instance = await world.hub.start(parent);
    const executionId = await world.output(instance);
    const created = ofKind(await historyOf(instance), "SubOrchestrationInstanceCreated");
    for (const event of created) assert.equal(event.instanceId, `${executionId}:${event.eventId.toString(16).padStart(4, "0")}`);
    assert.ok(created.every((event) => event.eventId >= 10));
  });

  story("S1 a hundred children at once, called by definition, name and body", async (world) => {
    const body = async (_ctx: unknown, n: number): Promise<number> => n + 1_000;
    const bodied = orchestrator("bodied", body);
    const parent = orchestrator("parent", async (ctx) => {
      const calls = Array.from({ length: 100 }, (_, n) => {
        if (n % 3 === 0) return ctx.callSubOrchestrator(doubled, n);
        return n % 3 === 1 ? ctx.callSubOrchestrator<number, number>("doubled", n) : ctx.callSubOrchestrator(body, n);
      });
      return await ctx.whenAll(calls);
    });
    await world.work({ orchestrators: [parent, doubled, bodied] });
    const instance = await world.hub.start(parent);
    assert.deepEqual(
      await world.output(instance),
      Array.from({ length: 100 }, (_, n) => (n % 3 === 2 ? n + 1_000 : n * 2)),
    );
    assert.equal((await world.hub.query({ parentInstanceId: instance.id })).length, 100);
  });

  story("children have children: ten deep", async (world) => {
    const deep = orchestrator("deep", async (ctx, n: number): Promise<string> => {
      return n === 0 ? "bottom" : `${n} ${await ctx.callSubOrchestrator<number, string>("deep", n - 1)}`;
    });
    await world.work({ orchestrators: [deep] });
    assert.equal(await world.output(await world.hub.start(deep, 10)), "10 9 8 7 6 5 4 3 2 1 bottom");
  });

  story("a child's failure reaches the parent whole, and through it the caller", async (world) => {
    const fails = activity("fails", async () => {
      throw Object.assign(new RangeError("deep down", { cause: new TypeError("the root") }), { properties: { at: "bottom" } });
    });
    const child = orchestrator("child", async (ctx) => void (await ctx.callActivity(fails)));
    const parent = orchestrator("parent", async (ctx) => void (await ctx.callSubOrchestrator(child)));
    await world.work({ orchestrators: [parent, child], activities: [fails] });
    const error = await world.failure(await world.hub.start(parent));
    const chain: string[] = [];
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause) chain.push(cause.name);
    assert.deepEqual(chain, ["TaskFailedError", "TaskFailedError", "RangeError", "TypeError"]);
    assert.match(error.failure?.message ?? "", /child/);
    assert.deepEqual(error.failure?.inner?.inner?.properties, { at: "bottom" });
  });

  story("S1 a retried child keeps its id, and each attempt is a new execution of it", async (world) => {
    const executions: string[] = [];
    const flaky = orchestrator("flaky", async (ctx, n: number) => {
      executions.push(ctx.executionId);
      ctx.setCustomStatus(`attempt ${executions.length}`);
      if (executions.length < 3) throw new Error(`attempt ${executions.length}`);
      return n;
    });
    const parent = orchestrator("parent", async (ctx, instanceId: string | undefined) => {
      const retry = { maxNumberOfAttempts: 5, firstRetryInterval: { milliseconds: world.unitMs } } as const;
      return await ctx.callSubOrchestrator(flaky, 7, instanceId === undefined ? { retry } : { retry, instanceId });
    });
    await world.work({ orchestrators: [parent, flaky] });
    for (const id of [undefined, "given"]) {
      executions.length = 0;
      const instance = await world.hub.start(parent, id);
      assert.equal(await world.output(instance), 7);
      assert.equal(new Set(executions).size, 3);
      const created = ofKind(await historyOf(instance), "SubOrchestrationInstanceCreated");
      assert.equal(created.length, 3);
      assert.equal(new Set(created.map((event) => event.instanceId)).size, 1);
      const childId = created[0]?.instanceId ?? "";
      if (id !== undefined) assert.equal(childId, id);
      const status = await world.hub.instance(childId).status();
      assert.deepEqual([status?.status, status?.output, status?.executionId, status?.failure], ["COMPLETED", 7, executions[2], undefined]);
      assert.equal((await world.hub.query({ parentInstanceId: instance.id })).length, 1);
      await world.output(world.hub.instance(childId)); // whose history is the last attempt's alone
    }
  });

  story("S1 C4 a failed child that its parent tries again is not purged or restarted before that attempt has run", async (world) => {
    let attempts = 0;
    const flaky = orchestrator("flaky", async () => {
      if (++attempts === 1) throw new Error("attempt 1");
      return attempts;
    });
    const parent = orchestrator("parent", async (ctx) => {
      const retry = { maxNumberOfAttempts: 2, firstRetryInterval: { milliseconds: 20 * world.unitMs } } as const;
      return await ctx.callSubOrchestrator(flaky, undefined, { retry, instanceId: "child" });
    });
    const child = world.hub.instance("child");
    await world.work({ orchestrators: [parent] });
    const worker = await world.work({ orchestrators: [flaky] });
    const instance = await world.hub.start(parent);
    await world.seen(child, ({ status }) => status === "FAILED");
    await worker.stop();
    await world.recorded(instance, (history) => ofKind(history, "SubOrchestrationInstanceCreated").length === 2, "passes");
    await assert.rejects(child.purge(), { code: "INVALID_STATE" });
    await assert.rejects(child.restart(), { code: "INVALID_STATE" });
    assert.equal((await world.hub.purge(["child"])).deletedCount, 0);
    await world.work({ orchestrators: [flaky] });
    assert.equal(await world.output(instance), 2);
    assert.equal(await child.purge(), 1);
  });

  story("an exhausted retry of a child gives its last failure; what is non-retriable is not tried again", async (world) => {
    let runs = 0;
    const fails = orchestrator("fails", async (_ctx, forGood: boolean) => {
      runs++;
      throw Object.assign(new Error(`run ${runs}`), { isNonRetriable: forGood });
    });
    const parent = orchestrator("parent", async (ctx, forGood: boolean) => {
      await ctx.callSubOrchestrator(fails, forGood, {
        retry: { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } },
      });
    });
    await world.work({ orchestrators: [parent, fails] });
    assert.match((await world.failure(await world.hub.start(parent, false))).failure?.inner?.message ?? "", /run 3/);
    assert.match((await world.failure(await world.hub.start(parent, true))).failure?.inner?.message ?? "", /run 4/);
    assert.equal(runs, 4);
  });

  for (const ended of [false, true]) {
    story(
      `S1 an id that belongs to somebody else (${ended ? "finished" : "running"}) is a failure in the parent; the other one is left alone`,
      async (world) => {
        const parent = orchestrator("parent", async (ctx) => {
          try {
            return await ctx.callSubOrchestrator(waits, "mine", {
              instanceId: "taken",
              retry: { maxNumberOfAttempts: 3, firstRetryInterval: { milliseconds: world.unitMs } },
            });
          } catch (error) {
            return told(error);
          }
        });
        await world.work({ orchestrators: [parent, waits] });
        const other = await world.hub.start(waits, "theirs", { instanceId: "taken" });
        if (ended) {
          await other.raiseEvent("go", "on");
          await world.output(other);
        }
        const before = await other.status();
        const [type, message] = await world.output(await world.hub.start(parent));
        assert.match(String(type), /OrchestrationAlreadyExists/);
        assert.match(String(message), /taken/);
        assert.equal((await other.status())?.executionId, before?.executionId);
        if (!ended) await other.raiseEvent("go", "on");
        assert.equal(await world.output(other), "theirs on");
      },
    );
  }

  story("S1 of two calls with one id the second one fails, and the first one gets its child's result", async (world) => {
    const parent = orchestrator("parent", async (ctx) => {
      const first = ctx.callSubOrchestrator(waits, "first", { instanceId: "same" });
      let refusal: readonly [string, string] = ["", ""];
      try {
        await ctx.callSubOrchestrator(waits, "second", { instanceId: "same" });
      } catch (error) {
        refusal = told(error);
      }
      ctx.sendEvent("same", "go", "on");
      return [refusal[0], await first];
    });
    await world.work({ orchestrators: [parent, waits] });
    const [type, first] = await world.output(await world.hub.start(parent));
    assert.match(String(type), /OrchestrationAlreadyExists/);
    assert.equal(first, "first on");
  });

  story("a child that is terminated is a failure in the parent", async (world) => {
    const parent = orchestrator("parent", async (ctx) => {
      try {
        return await ctx.callSubOrchestrator(waits, "child", { instanceId: "child" });
      } catch (error) {
        return told(error);
      }
    });
    await world.work({ orchestrators: [parent, waits] });
    const instance = await world.hub.start(parent);
    await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("'child'")));
    await world.until(world.hub.instance("child").waitForStart());
    await world.hub.instance("child").terminate({ output: "enough" });
    const [type, message] = await world.output(instance);
    assert.match(String(type), /Terminated/);
    assert.match(String(message), /enough/);
  });

  story("a child that continues as new still answers its parent", async (world) => {
    const rounds = orchestrator("rounds", async (ctx, n: number) => {
      if (n < 5) ctx.continueAsNew(n + 1);
      return `round ${n} of ${ctx.parent?.instanceId}`;
    });
    const parent = orchestrator("parent", async (ctx) => await ctx.callSubOrchestrator(rounds, 0));
    await world.work({ orchestrators: [parent, rounds] });
    assert.equal(await world.output(await world.hub.start(parent, undefined, { instanceId: "p" })), "round 5 of p");
  });

  story("a parent that has ended leaves its children running; their ends disturb nobody", async (world) => {
    const parent = orchestrator("parent", async (ctx) => {
      void ctx.callSubOrchestrator(waits, "left", { instanceId: "left" });
      await ctx.createTimer("0s");
      return "gone";
    });
    await world.work({ orchestrators: [parent, waits] });
    const instance = await world.hub.start(parent);
    assert.equal(await world.output(instance), "gone");
    const length = (await historyOf(instance)).length;
    await world.hub.instance("left").raiseEvent("go", "on");
    assert.equal(await world.output(world.hub.instance("left")), "left on");
    assert.equal((await historyOf(instance)).length, length);
    assert.equal((await instance.status())?.status, "COMPLETED");
  });

  story("a child that is started with the parent's very last turn runs", async (world) => {
    const parent = orchestrator("parent", async (ctx) => {
      void ctx.callSubOrchestrator(doubled, 4, { instanceId: "last" });
      return "gone";
    });
    await world.work({ orchestrators: [parent, doubled] });
    await world.output(await world.hub.start(parent));
    assert.equal(await world.output(world.hub.instance("last")), 8);
  });

  story("events reach a child by its id, even one that no worker has begun", async (world) => {
    const parent = orchestrator("parent", async (ctx) => await ctx.callSubOrchestrator(waits, "child", { instanceId: "child" }));
    const first = await world.work({ orchestrators: [parent] });
    const instance = await world.hub.start(parent);
    const child = world.hub.instance("child");
    await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("'child'")));
    assert.equal((await child.status())?.status, "PENDING");
    await child.raiseEvent("go", "early");
    await first.stop();
    await world.work({ orchestrators: [parent, waits] });
    assert.equal(await world.output(instance), "child early");
  });

  story("a bad id for a child is refused at the call", async (world) => {
    const parent = orchestrator("parent", async (ctx) => {
      const codes: unknown[] = [];
      for (const instanceId of ["", "@entity", "a\u0000b", "x".repeat(257)]) {
        try {
          await ctx.callSubOrchestrator(doubled, 1, { instanceId });
        } catch (error) {
          codes.push((error as { code?: unknown }).code);
        }
      }
      return codes;
    });
    await world.work({ orchestrators: [parent, doubled] });
    assert.deepEqual(
      await world.output(await world.hub.start(parent)),
      Array.from({ length: 4 }, () => "INVALID_ARGUMENT"),
    );
  });
};
