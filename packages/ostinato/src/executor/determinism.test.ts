// Stories of ids that come again, and of programs that do not do what they did before.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { activity, orchestrator, type OrchestratorDefinition } from "../authoring/define.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { childExecutionId, newGuid } from "./determinism.ts";
import type { ExecutionObserver } from "./execution.ts";
import { completed, executionOf, failed, fired, noon, raised, rehearse, turnAt } from "./rehearsal.test.ts";

const a = activity("a", async (ctx, n: number) => n);
const b = activity("b", async (ctx, n: number) => n);

describe("ids", () => {
  test("are the JavaScript SDK's", () => {
    assert.equal(newGuid("abc", Date.parse("2024-01-02T03:04:05.678Z"), 0), "6aa3b6b8-bc2e-5cf3-a202-95a6723e06a4");
  });

  test("differ by instance, time and counter; names of any length and script are fine", () => {
    const ids = new Set<string>();
    for (const instance of ["x", "ö".repeat(200), "😀", "y".repeat(36), "y".repeat(37), "y".repeat(100)]) {
      for (const counter of [0, 1]) ids.add(newGuid(instance, noon, counter)).add(newGuid(instance, noon + 1, counter));
    }
    assert.equal(ids.size, 24);
    assert.notEqual(childExecutionId("e", 1), childExecutionId("e", 2));
  });
});

/** Records a history with one program and replays it with another. */
async function replay(
  before: OrchestratorDefinition,
  turns: readonly (readonly HistoryEvent[])[],
  after: OrchestratorDefinition,
): Promise<string> {
  const story = rehearse(before);
  await story.start(1);
  for (const events of turns) await story.turn(...events);
  const result = await executionOf(after).advance(story.history, [turnAt(noon + 60_000), raised("any")]);
  if (result.kind === "turn") return "goes on";
  assert.equal(result.stall.kind, "non-determinism");
  return result.stall.reason;
}

const original = orchestrator("steps", async (ctx, n: number) => {
  await ctx.callActivity(a, n);
  await ctx.callActivity(b, n);
  await ctx.createTimer("1h");
});

describe("a replay that differs", () => {
  test("names the event, the call made now and its place, and the last call that agreed", async () => {
    const changed = orchestrator("steps", async (ctx, n: number) => {
      await ctx.callActivity(a, n);
      await ctx.callActivity(a, n + 1);
      await ctx.createTimer("1h");
    });
    const reason = await replay(original, [[completed(1)]], changed);
    assert.match(
      reason,
      /^The orchestrator 'steps' does not do what it did before: its history has TaskScheduled 'b' with id 2 as event number 6, /,
    );
    assert.match(reason, /but now the program asks for the activity 'a' with id 2 at .*determinism\.test\.ts:\d+:\d+/);
    assert.match(reason, /The last call that agreed was the activity 'a' with id 1 at .*determinism\.test\.ts:\d+:\d+/);
    const [now, then] = [...reason.matchAll(/determinism\.test\.ts:(\d+):/g)].map((match) => Number(match[1]));
    assert.equal((now ?? 0) - (then ?? 0), 1); // the calls stand in neighbouring lines
  });

  test("is found when the program asks for less, or ends", async () => {
    const ends = orchestrator("steps", async (ctx, n: number) => void (await ctx.callActivity(a, n)));
    assert.match(await replay(original, [[completed(1)]], ends), /TaskScheduled 'b' with id 2 as event number 6, but now the program ends/);
    const waits = orchestrator("steps", async (ctx, n: number) => {
      await ctx.callActivity(a, n);
      await ctx.waitForExternalEvent("never");
    });
    assert.match(await replay(original, [[completed(1)]], waits), /TaskScheduled 'b' .* the program asks for nothing of the kind/);
    const early = orchestrator("steps", async () => 5);
    const silent = orchestrator("steps", async (ctx) => await ctx.waitForExternalEvent("go"));
    assert.match(await replay(silent, [], early), /its history ends here, but now the program ends\. No call before it agreed/);
  });

  test("is found when the program asks for more", async () => {
    const more = orchestrator("steps", async (ctx, n: number) => {
      await ctx.whenAll([ctx.callActivity(a, n), ctx.callActivity(b, n), ctx.callActivity(b, n)]);
    });
    assert.match(await replay(original, [], more), /its history ends here, but now the program asks for the activity 'b' with id 2/);
    assert.match(await replay(original, [[completed(1)]], more), /OrchestratorStarted as event number 4, but now .* 'b' with id 2/);
  });

  test("is found by kind and by target, never by payload or time (N1)", async () => {
    const timer = orchestrator("steps", async (ctx) => void (await ctx.createTimer("1h")));
    assert.match(await replay(original, [], timer), /TaskScheduled 'a' .* a timer with id 1/);
    const sends = (target: string, name: string, data: number) =>
      orchestrator("sends", async (ctx) => {
        ctx.sendEvent(target, name, data);
        await ctx.createTimer({ seconds: data });
      });
    assert.equal(await replay(sends("x", "e", 1), [], sends("x", "e", 2)), "goes on");
    assert.match(await replay(sends("x", "e", 1), [], sends("y", "e", 1)), /the event 'e' to instance 'y'/);
    assert.match(await replay(sends("x", "e", 1), [], sends("x", "f", 1)), /EventSent 'e' \(instance 'x'\)/);
    const child = (id: string) => orchestrator("parent", async (ctx) => await ctx.callSubOrchestrator("child", 1, { instanceId: id }));
    assert.match(await replay(child("x"), [], child("y")), /SubOrchestrationInstanceCreated 'child' \(instance 'x'\)/);
  });

  test("tells the place of a call whose retry differs, too", async () => {
    const retry = { maxNumberOfAttempts: 3, firstRetryInterval: "1s" } as const;
    const flaky = orchestrator("flaky", async (ctx) => await ctx.callActivity(a, 1, { retry }));
    const renamed = orchestrator("flaky", async (ctx) => await ctx.callActivity(a, 1, { retry: () => true }));
    const reason = await replay(flaky, [[failed(1, "x")], [fired(2)]], renamed);
    assert.match(reason, /TimerCreated with id 2 .* asks for the activity 'a' with id 2 at .*determinism\.test\.ts/);
  });

  test("does not run the program's log lines again, and works for generators", async () => {
    const changed = orchestrator("steps", function* (ctx, n: number) {
      ctx.log.info("not written");
      yield* ctx.callActivity(b, n);
    });
    assert.match(await replay(original, [], changed), /asks for the activity 'b' with id 1 at .*determinism\.test\.ts/);
  });

  test("a history that is complete replays to its end, or tells that it does not", async () => {
    const story = rehearse(orchestrator("short", async (ctx, n: number) => await ctx.callActivity(a, n)));
    await story.start(1);
    await story.turn(completed(1, 5));
    const end: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: noon, status: "COMPLETED", result: "5" };
    const same = orchestrator("short", async (ctx, n: number) => await ctx.callActivity(a, n));
    assert.deepEqual(await executionOf(same).advance([...story.history, end], []), { kind: "turn", actions: [], ended: true });
    const longer = orchestrator("short", async (ctx, n: number) => (await ctx.callActivity(a, n), await ctx.waitForExternalEvent("x")));
    const result = await executionOf(longer).advance([...story.history, end], []);
    assert.ok(result.kind === "stalled");
    assert.match(result.stall.reason, /ExecutionCompleted as event number 6/);
  });
});

describe("an observer of a replay", () => {
  const gated = orchestrator("gated", async (ctx, n: number) => {
    const way = ctx.isVersionAtLeast("2.0.0") ? b : a;
    return `${ctx.version}: ${await ctx.callActivity(way, n)}`;
  });

  test("is told of each question about the version, with its place, and of the end; the program does the same without one", async () => {
    const story = rehearse(gated);
    await story.start(1, { version: "2.1.0" });
    await story.turn(completed(1, 5));
    const end: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: noon, status: "COMPLETED", result: '"2.1.0: 5"' };
    const asked: (string | undefined)[] = [];
    const ends: unknown[] = [];
    const observer: ExecutionObserver = {
      askedVersion(gate, place) {
        asked.push(gate);
        assert.match(place ?? "", /determinism\.test\.ts:\d+:\d+/);
      },
      endedInReplay: ({ status, result }) => ends.push([status, result]),
    };
    const watched = await executionOf(gated, { observer }).advance([...story.history, end], []);
    assert.deepEqual(watched, await executionOf(gated).advance([...story.history, end], []));
    assert.deepEqual(asked, ["2.0.0", undefined]);
    assert.deepEqual(ends, [["COMPLETED", '"2.1.0: 5"']]);
  });

  test("hears of no end that the program has not come to", async () => {
    const story = rehearse(gated);
    await story.start(1);
    const observer: ExecutionObserver = { endedInReplay: () => assert.fail("it goes on") };
    const result = await executionOf(gated, { observer }).advance(story.history, []);
    assert.equal(result.kind === "turn" && result.ended, false);
  });
});
