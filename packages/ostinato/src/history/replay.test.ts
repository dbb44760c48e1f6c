// Stories of replays: what is the same, what differs and how that is told, and what cannot be replayed at all.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { activity, externalEvent, orchestrator, type OrchestratorDefinition } from "../authoring/define.ts";
import type { StandardSchemaV1 } from "../authoring/schema.ts";
import { createTestHub, type TestHub } from "../testing/test-hub.ts";
import { type HistoryDocument, withoutPayloads } from "./document.ts";
import { assertReplays, replay } from "./replay.ts";
import type { DifferentReplay, ReplayResult } from "./report.ts";

const charge = activity("charge", async (ctx, amount: number) => amount + 1);
const ship = activity("ship", async (ctx, what: string) => `shipped ${what}`);
const fails = activity("fails", async () => {
  throw new RangeError("no stock");
});
const activities = [charge, ship, fails];
const go = externalEvent<number>("go");

/** The histories that a story leaves behind. */
async function recorded(
  orchestrators: readonly OrchestratorDefinition[],
  tell: (hub: TestHub) => Promise<void>,
  status: readonly ("PENDING" | "RUNNING" | "SUSPENDED" | "COMPLETED" | "FAILED" | "TERMINATED")[] = ["COMPLETED", "FAILED", "TERMINATED"],
): Promise<HistoryDocument[]> {
  const hub = await createTestHub({ orchestrators, activities });
  await tell(hub);
  const documents: HistoryDocument[] = [];
  for await (const document of hub.histories({ status })) documents.push(document);
  await hub.close();
  return documents;
}

/** Runs an orchestrator to its end, whatever that is. */
const toTheEnd =
  (definition: OrchestratorDefinition, input?: unknown) =>
  async (hub: TestHub): Promise<void> => {
    const instance = await hub.start(definition.name, input, { instanceId: "one" });
    await instance.result().catch(() => undefined);
  };

async function onlyDifference(histories: readonly HistoryDocument[], ...now: readonly OrchestratorDefinition[]): Promise<DifferentReplay> {
  const report = await replay(histories, { orchestrators: now });
  assert.equal(report.ok, false);
  const [first, ...more] = report.differences;
  assert.ok(first, String(report));
  assert.equal(more.length, 0);
  assert.deepEqual([report.failedToRun, report.notRegistered], [[], []]);
  return first;
}

const sell = orchestrator("sell", async (ctx, amount: number) => {
  const paid = await ctx.callActivity(charge, amount);
  await ctx.createTimer("1h");
  return await ctx.callActivity(ship, `order of ${paid}`);
});

describe("a replay", () => {
  test("says that the same code does the same, to the end and its result", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const seen: string[] = [];
    const onResult = ({ verdict, instance }: ReplayResult): void => void seen.push(`${instance.id}: ${verdict}`);
    await assertReplays(histories, { orchestrators: [sell] }, { onResult });
    assert.deepEqual(seen, ["one: same"]);
    const report = await replay(histories, { orchestrators: [sell] });
    assert.equal(String(report), "1 history: 1 same");
    assert.deepEqual(report.counts, { same: 1, different: 0, "not-registered": 0, "failed-to-run": 0 });
  });

  test("calls no activity and writes nothing of its own accord", async () => {
    let calls = 0;
    const counted = activity("charge", async (ctx, amount: number) => (calls++, amount));
    const sells = orchestrator("sell", async (ctx, amount: number) => await ctx.callActivity(counted, amount));
    const hub = await createTestHub({ orchestrators: [sells], activities: [counted] });
    await (await hub.start(sells, 1)).result();
    const commits = hub.commits;
    await assertReplays(hub.histories(), { orchestrators: [sells] });
    assert.equal(calls, 1);
    assert.equal(hub.commits, commits);
    await hub.close();
  });

  test("names the instance, the event, the recorded call, the call made now, and both places", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const turned = orchestrator("sell", async (ctx, amount: number) => {
      const paid = await ctx.callActivity(charge, amount);
      const shipped = await ctx.callActivity(ship, `order of ${paid}`);
      await ctx.createTimer("1h");
      return shipped;
    });
    const { instance, difference, reason } = await onlyDifference(histories, turned);
    assert.equal(instance.id, "one");
    assert.ok(difference.kind === "call");
    assert.equal(difference.eventNumber, 6);
    assert.equal(difference.recorded, "TimerCreated with id 2");
    assert.equal(difference.now, "asks for the activity 'ship' with id 2");
    assert.match(difference.place ?? "", /^file:.*replay\.test\.ts:\d+:\d+$/, "where it stands, without a name that is ours");
    assert.equal(difference.lastAgreed, "the activity 'charge' with id 1");
    assert.match(difference.lastAgreedPlace ?? "", /replay\.test\.ts:\d+:\d+/);
    assert.match(reason, /its history has TimerCreated with id 2 as event number 6, but now the program asks for the activity 'ship'/);
  });

  test("finds calls that are no longer made, and calls too many", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const shorter = orchestrator("sell", async (ctx, amount: number) => await ctx.callActivity(charge, amount));
    const less = await onlyDifference(histories, shorter);
    assert.ok(less.difference.kind === "call");
    assert.equal(less.difference.now, "ends");
    const longer = orchestrator("sell", async (ctx, amount: number) => {
      const shipped = await (sell.body(ctx, amount) as Promise<string>);
      await ctx.callActivity(charge, 1);
      return shipped;
    });
    const more = await onlyDifference(histories, longer);
    assert.ok(more.difference.kind === "call");
    assert.equal(more.difference.now, "asks for the activity 'charge' with id 4");
  });

  test("compares the end: another result, another status, another error", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const other = orchestrator("sell", async (ctx, amount: number) => `${await (sell.body(ctx, amount) as Promise<string>)}!`);
    const result = await onlyDifference(histories, other);
    assert.deepEqual(result.difference, {
      kind: "outcome",
      eventNumber: histories[0]?.events.length,
      recorded: 'COMPLETED with "shipped order of 6"',
      now: 'ends as COMPLETED with "shipped order of 6!"',
    });
    const throws = orchestrator("sell", async (ctx, amount: number) => {
      await (sell.body(ctx, amount) as Promise<string>);
      throw new TypeError("not today");
    });
    const failed = await onlyDifference(histories, throws);
    assert.equal(failed.difference.now, "ends as FAILED with TypeError: not today");
    const again = orchestrator("sell", async (ctx, amount: number) => {
      await (sell.body(ctx, amount) as Promise<string>);
      ctx.continueAsNew(1);
    });
    assert.match((await onlyDifference(histories, again)).difference.now, /a new execution/);
    const recordedFailure = await recorded([throws], toTheEnd(throws, 5));
    await assertReplays(recordedFailure, { orchestrators: [throws] });
    assert.match(
      (await onlyDifference(recordedFailure, sell)).reason,
      /recorded is FAILED with TypeError: not today, but now .* COMPLETED/,
    );
    const waits = orchestrator("sell", async (ctx, amount: number) => {
      await (sell.body(ctx, amount) as Promise<string>);
      await ctx.waitForExternalEvent("more");
    });
    assert.equal((await onlyDifference(recordedFailure, waits)).difference.now, "does not end");
  });

  test("agrees with every way in which an instance can end", async () => {
    const named: StandardSchemaV1<{ name: string }> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          (value as { name?: string } | undefined)?.name ? { value: { name: "x" } } : { issues: [{ message: "is empty", path: ["name"] }] },
      },
    };
    const strict = orchestrator("strict", { input: named }, async (ctx, input) => await ctx.callActivity(ship, input.name));
    const outs = orchestrator("outs", { output: named }, async () => ({ name: "" }));
    const waits = orchestrator("waits", async (ctx) => await ctx.waitForExternalEvent(go));
    const sleeps = orchestrator("sleeps", async (ctx) => {
      await ctx.callActivity(ship, "x");
      await new Promise(() => undefined);
    });
    const greedy = orchestrator("greedy", async (ctx) => {
      for (let n = 0; n < 11; n++) void ctx.callActivity(charge, n);
      await ctx.createTimer("1h");
    });
    const stock = orchestrator("stock", async (ctx) => await ctx.callActivity(fails));
    const loops = orchestrator("loops", async (ctx, n: number) => (n > 0 ? ctx.continueAsNew(n - 1) : await ctx.callActivity(charge, n)));
    const orchestrators = [strict, outs, waits, sleeps, greedy, stock, loops, sell];
    const hub = await createTestHub({ orchestrators, activities, limits: { actionsPerTurn: 10 }, log: { level: "error" } });
    const end = async (name: string, input: unknown, status: string): Promise<void> => {
      const instance = await hub.start(name, input, { instanceId: name });
      await instance.result().catch(() => undefined);
      assert.equal((await instance.status())?.status, status, name);
    };
    await end("strict", { name: "" }, "FAILED");
    await end("outs", undefined, "FAILED");
    await end("sleeps", undefined, "FAILED");
    await end("greedy", undefined, "FAILED");
    await end("stock", undefined, "FAILED");
    await end("loops", 3, "COMPLETED");
    await end("nobody", undefined, "FAILED");
    const strictly = await hub.start("strict", { name: "Ada" });
    await strictly.result();
    const gone = await hub.start(waits);
    await gone.waitForStart();
    await gone.suspend("a break");
    await gone.terminate({ output: "enough" });
    await assert.rejects(gone.result(), { code: "ORCHESTRATION_TERMINATED" });
    const never = await hub.start(sell, 1, { startAt: new Date(hub.clock.date.getTime() + 60_000) });
    await never.terminate();
    await assert.rejects(never.result(), { code: "ORCHESTRATION_TERMINATED" });

    const report = await replay(hub.histories(), { orchestrators });
    assert.equal(report.total, 10);
    assert.deepEqual(
      report.notRegistered.map(({ instance }) => instance.name),
      ["nobody"],
    );
    assert.deepEqual(report.counts, { same: 9, different: 0, "not-registered": 1, "failed-to-run": 0 }, String(report));
    await hub.close();
  });

  test("chooses among versions as a worker does, and says when none fits", async () => {
    const one = orchestrator("sell", { version: "1.0.0" }, async (ctx, amount: number) => await ctx.callActivity(charge, amount));
    const two = orchestrator("sell", { version: "2.0.0" }, async (ctx, amount: number) => await ctx.callActivity(ship, String(amount)));
    const histories = await recorded([one, two], async (hub) => {
      await (await hub.start(one, 1, { instanceId: "old" })).result();
      await (await hub.start(two, 1, { instanceId: "new" })).result();
    });
    await assertReplays(histories, { orchestrators: [one, two] });
    const report = await replay(histories, { orchestrators: [two] });
    assert.deepEqual(
      report.notRegistered.map(({ instance }) => instance.id),
      ["old"],
    );
    assert.match(report.notRegistered[0]?.reason ?? "", /registered here as '2\.0\.0', none of which serves version '1\.0\.0'/);
    const older = await replay(histories, { orchestrators: [two], versioning: { version: "2.0.0", matchStrategy: "currentOrOlder" } });
    assert.deepEqual([older.counts.different, older.counts.same], [1, 1]);
    assert.throws(() => report.throwIfDifferent(), {
      code: "REPLAY_DIFFERENT",
      message: /1 same, 1 not-registered[^]*instance 'old' of 'sell' 1\.0\.0/,
    });
  });

  test("tells of a program that awaits what is not durable, and of one that never answers; neither holds it up", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const fetches = orchestrator("sell", async (ctx, amount: number) => {
      await ctx.callActivity(charge, amount);
      await new Promise(() => undefined);
    });
    const report = await replay(histories, { orchestrators: [fetches] });
    assert.match(report.failedToRun[0]?.reason ?? "", /waits for something that is not durable/);
    const silent: StandardSchemaV1<string> = {
      "~standard": { version: 1, vendor: "test", validate: () => new Promise(() => undefined) },
    };
    const hangs = orchestrator(
      "sell",
      { output: silent },
      async (ctx, amount: number) => await (sell.body(ctx, amount) as Promise<string>),
    );
    const stuck = await replay([...histories, ...histories], { orchestrators: [hangs] }, { timeout: "20ms" });
    assert.equal(stuck.failedToRun.length, 2);
    assert.match(stuck.failedToRun[0]?.reason ?? "", /had not come to a standstill after 20 ms/);
  });

  test("a rejection that a program leaves unhandled ends neither the replay nor the process", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const href = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    // In a process of its own, since the test runner listens for such rejections, too.
    const source = `
      import { orchestrator } from ${href("../authoring/define.ts")};
      import { replay } from ${href("./replay.ts")};
      const careless = orchestrator("sell", async (ctx, amount) => {
        void Promise.reject(new Error("nobody handles this"));
        const paid = await ctx.callActivity("charge", amount);
        await ctx.createTimer("1h");
        return await ctx.callActivity("ship", "order of " + paid);
      });
      console.log(String(await replay(${JSON.stringify(histories)}, { orchestrators: [careless] })));`;
    const child = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", source], { encoding: "utf8" });
    assert.deepEqual([child.status, child.stdout], [0, "1 history: 1 same\n"], child.stderr);
  });

  test("an open history agrees as far as it has come", async () => {
    const histories = await recorded(
      [sell],
      async (hub) => {
        const instance = await hub.start(sell, 5, { instanceId: "one" });
        await instance.waitForStart();
        await hub.clock.advance("1m");
      },
      ["RUNNING"],
    );
    await assertReplays(histories, { orchestrators: [sell] });
    const later = orchestrator("sell", async (ctx, amount: number) => {
      await ctx.callActivity(charge, amount);
      await ctx.createTimer("1h");
      return "another end is no matter yet";
    });
    await assertReplays(histories, { orchestrators: [later] });
    const ends = orchestrator("sell", async (ctx, amount: number) => {
      void ctx.callActivity(charge, amount);
      return 1;
    });
    assert.match((await onlyDifference(histories, ends)).reason, /OrchestratorStarted as event number 4, but now the program ends/);
  });

  test("without payloads it says plainly that it cannot", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const report = await replay(histories.map(withoutPayloads), { orchestrators: [sell] });
    assert.match(report.failedToRun[0]?.reason ?? "", /exported without its payloads/);
  });

  test("nothing to replay proves nothing", async () => {
    assert.equal((await replay([], { orchestrators: [sell] })).ok, true);
    await assert.rejects(assertReplays([], { orchestrators: [sell] }), { code: "REPLAY_DIFFERENT" });
    await assert.rejects(replay([], { orchestrators: [sell] }, { parallel: 0 }), { code: "INVALID_ARGUMENT" });
  });

  test("replays so many at once as it is told, and no more are held", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const [history] = histories;
    assert.ok(history);
    for (const parallel of [1, 3, 8]) {
      let taken = 0;
      let told = 0;
      let most = 0;
      const many = async function* (): AsyncGenerator<HistoryDocument> {
        for (let n = 0; n < 20; n++) {
          most = Math.max(most, ++taken - told);
          yield history;
        }
      };
      const report = await replay(many(), { orchestrators: [sell] }, { parallel, onResult: () => told++ });
      assert.equal(report.counts.same, 20);
      assert.equal(most, parallel);
    }
  });

  test("is broken off by its signal", async () => {
    const histories = await recorded([sell], toTheEnd(sell, 5));
    const stop = new AbortController();
    let told = 0;
    let closed = false;
    const endless = async function* (): AsyncGenerator<HistoryDocument> {
      try {
        for (;;) yield* histories;
      } finally {
        closed = true;
      }
    };
    const broken = replay(
      endless(),
      { orchestrators: [sell] },
      { signal: stop.signal, onResult: () => ++told === 5 && stop.abort(new Error("enough")) },
    );
    await assert.rejects(broken, /enough/);
    assert.equal(closed, true);
  });
});
