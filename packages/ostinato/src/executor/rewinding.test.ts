// Stories of programs that had failed and go on: what is asked for again, under which numbers, and that every later replay does the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import type { OrchestratorDefinition } from "../authoring/define.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { recordedAs } from "../contract/recorded-as.ts";
import {
  asked,
  childCompleted,
  childFailed,
  completed,
  executionOf,
  failed,
  failureOf,
  fired,
  outputOf,
  rehearse,
  turnAt,
  type Rehearsal,
  type Turned,
} from "./rehearsal.test.ts";

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const child = orchestrator("child", async () => undefined);
const retry = { maxNumberOfAttempts: 2, firstRetryInterval: "1s" } as const;

/** Goes on with a story that has failed: each turn is done by a kept program and by one that replays everything, which have to agree. */
function rewind(program: OrchestratorDefinition, story: Rehearsal): { turn(...events: readonly HistoryEvent[]): Promise<Turned> } {
  const failure = { errorType: "Error", message: "as it was" };
  const end: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: story.now, status: "FAILED", failure };
  const { history } = story;
  const told: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: story.now, reason: "mended" };
  history.push(end, turnAt(story.now), told);
  const kept = executionOf(program, { executionId: "another" });
  let first = true;
  return {
    async turn(...events) {
      story.now += 1_000;
      const fresh = [turnAt(story.now), ...events];
      const result = await kept.advance(first ? [...history] : [], fresh);
      first = false;
      const replayer = executionOf(program, { executionId: "another" });
      const replayed = await replayer.advance([...history], fresh);
      const plain = (value: unknown): unknown =>
        JSON.parse(JSON.stringify(value, (key, each: unknown) => (key === "stack" ? undefined : each)));
      assert.deepEqual(plain(replayed), plain(result), "RW3 a replay asks for the same (H6)");
      assert.equal(replayer.historyLength, kept.historyLength);
      assert.ok(result.kind === "turn", JSON.stringify(result));
      history.push(...fresh);
      for (const action of result.actions) {
        const recorded = recordedAs(action, story.now);
        if (recorded !== undefined) history.push(recorded);
      }
      return result;
    },
  };
}

test("C6 what failed is asked for again under a new number, with the key of its first one; what succeeded is not", async () => {
  const program = orchestrator("all", async (ctx) => ctx.whenAll(["a", "b", "c"].map((name) => ctx.callActivity(hello, name))));
  const story = rehearse(program);
  await story.start();
  await story.turn(completed(1, "A"), failed(2, "no"));
  failureOf(await story.turn(completed(3, "C")));
  const again = rewind(program, story);
  assert.deepEqual((await again.turn()).actions, [{ kind: "scheduleTask", id: 4, name: "hello", input: '"b"', attempt: 1, firstId: 2 }]);
  assert.deepEqual(outputOf(await again.turn(completed(4, "B"))), ["A", "B", "C"]);
});

test("a retried call has all its attempts once more, and its failures are counted anew in every later replay", async () => {
  const program = orchestrator("retries", async (ctx) => ctx.callActivity(hello, "a", { retry }));
  const story = rehearse(program);
  await story.start();
  assert.deepEqual(asked(await story.turn(failed(1, "one"))), ["createTimer 2"]);
  assert.deepEqual(asked(await story.turn(fired(2))), ["scheduleTask 3 hello"]);
  failureOf(await story.turn(failed(3, "two")));
  for (let round = 0; round < 3; round++) {
    const again = rewind(program, story);
    const id = 4 + round * 3;
    assert.deepEqual(asked(await again.turn()), [`scheduleTask ${id} hello`]);
    assert.deepEqual(asked(await again.turn(failed(id, "three"))), [`createTimer ${id + 1}`]);
    assert.deepEqual(asked(await again.turn(fired(id + 1))), [`scheduleTask ${id + 2} hello`]);
    if (round === 2) assert.equal(outputOf(await again.turn(completed(id + 2, "A"))), "A");
    else failureOf(await again.turn(failed(id + 2, "four")));
  }
});

test("RW2 a failure that the history says the program went on from is let through where it did, and stays", async () => {
  const program = orchestrator("saga", async (ctx) => {
    const first = await ctx.callActivity(hello, "a").then(
      () => "a",
      () => ctx.callActivity(hello, "instead of a"),
    );
    const second = ctx.callActivity(hello, "b");
    ctx.sendEvent("other", "note");
    return [first, await second];
  });
  const story = rehearse(program);
  await story.start();
  assert.deepEqual(asked(await story.turn(failed(1, "no"))), ["scheduleTask 2 hello"]);
  assert.deepEqual(asked(await story.turn(completed(2, "instead"))), ["scheduleTask 3 hello", "sendEvent 4 note"]);
  failureOf(await story.turn(failed(3, "no")));
  const again = rewind(program, story);
  assert.deepEqual(asked(await again.turn()), ["scheduleTask 5 hello"]);
  assert.deepEqual(outputOf(await again.turn(completed(5, "B"))), ["instead", "B"]);
});

test("RW2 the failure that came with a turn is let through for what the turn asked, and not one that came before and ended the execution", async () => {
  const program = orchestrator("branches", async (ctx) => {
    const saga = async (): Promise<string> => {
      try {
        return await ctx.callActivity(hello, "b");
      } catch {
        return await ctx.callActivity(hello, "instead of b");
      }
    };
    const [a, b] = await Promise.allSettled([ctx.callActivity(hello, "a"), saga()]);
    if (a.status === "rejected" || b.status === "rejected") throw new Error("a branch failed");
    return [a.value, b.value];
  });
  const story = rehearse(program);
  await story.start();
  await story.turn(failed(1, "no"));
  assert.deepEqual(asked(await story.turn(failed(2, "no"))), ["scheduleTask 3 hello"]);
  failureOf(await story.turn(completed(3, "instead")));
  const again = rewind(program, story);
  assert.deepEqual(
    (await again.turn()).actions.map((action) => action.kind === "scheduleTask" && action.input),
    ['"a"'],
  );
  assert.deepEqual(outputOf(await again.turn(completed(4, "A"))), ["A", "instead"]);
});

test("RW2 a failure that was caught is let through in its own place, where what came behind it in the same turn asked for something, too", async () => {
  const program = orchestrator("one turn", async (ctx) => {
    const saga = ctx.callActivity(hello, "caught").then(undefined, () => ctx.callActivity(hello, "instead"));
    const again = ctx.callActivity(hello, "retried", { retry });
    return await Promise.all([saga, again, ctx.callActivity(hello, "bad")]);
  });
  const story = rehearse(program);
  await story.start();
  assert.deepEqual(asked(await story.turn(failed(1, "no"), failed(2, "no"))), ["scheduleTask 4 hello", "createTimer 5"]);
  await story.turn(completed(4, "instead"), fired(5));
  failureOf(await story.turn(completed(6, "at last"), failed(3, "no")));
  const rewound = rewind(program, story);
  assert.deepEqual(
    (await rewound.turn()).actions.map((action) => action.kind === "scheduleTask" && action.input),
    ['"bad"'],
  );
  assert.deepEqual(outputOf(await rewound.turn(completed(7, "mended"))), ["instead", "at last", "mended"]);
});

test("RW2 where the order of failures and other things decided, the failure keeps its place", async () => {
  const program = orchestrator("race", async (ctx) => {
    const call = ctx.callActivity(hello, "fails first");
    const timer = ctx.createTimer("1m");
    const winner = await ctx.whenAny([call, timer]);
    const next = await ctx.callActivity(winner === timer ? "the timer won" : "the call won");
    return [next, await ctx.callActivity(hello, "bad")];
  });
  const story = rehearse(program);
  await story.start();
  assert.deepEqual(asked(await story.turn(failed(1, "no"), fired(2))), ["scheduleTask 3 the call won"]);
  await story.turn(completed(3, "went on"));
  failureOf(await story.turn(failed(4, "no")));
  const again = rewind(program, story);
  assert.deepEqual(asked(await again.turn()), ["scheduleTask 5 hello"]);
  assert.deepEqual(outputOf(await again.turn(completed(5, "mended"))), ["went on", "mended"]);
});

test("RW4 what was open is asked for again: timers with their time, calls with whole time-outs; a timer is taken back by its new number", async () => {
  const program = orchestrator("open", async (ctx) => {
    const late = ctx.createTimer("1h");
    const slow = ctx.callActivity(hello, "slow", { timeout: { total: "1m" } });
    await ctx.callActivity(hello, "bad");
    late.cancel();
    return await slow;
  });
  const story = rehearse(program);
  const [timer, call] = (await story.start()).actions;
  failureOf(await story.turn(failed(3, "no")));
  const again = rewind(program, story);
  const { actions } = await again.turn();
  const rewoundAt = story.now - 1_000;
  assert.deepEqual(
    actions.map((action) => [action.kind, action.id]),
    [
      ["scheduleTask", 4],
      ["createTimer", 5],
      ["scheduleTask", 6],
    ],
  );
  assert.equal(actions[1]?.kind === "createTimer" && actions[1].fireAt, timer?.kind === "createTimer" && timer.fireAt);
  assert.equal(actions[2]?.kind === "scheduleTask" && actions[2].expiresAt, rewoundAt + 60_000);
  assert.ok(call?.kind === "scheduleTask" && call.expiresAt !== undefined && call.expiresAt < rewoundAt + 60_000);
  assert.deepEqual(asked(await again.turn(completed(4, "mended"))), ["cancelTimer 5"]);
  assert.equal(outputOf(await again.turn(completed(6, "slow"))), "slow");
});

test("RW4 a call that waited for its next attempt begins anew as well: at once, with all its attempts and its whole time-out", async () => {
  const program = orchestrator("backs off", async (ctx) =>
    Promise.all([
      ctx.callActivity(hello, "slow", { retry: { maxNumberOfAttempts: 2, firstRetryInterval: "5m" }, timeout: { total: "10m" } }),
      ctx.callSubOrchestrator(child, undefined, { retry: { maxNumberOfAttempts: 2, firstRetryInterval: "5m" } }),
      ctx.callActivity(hello, "bad"),
    ]),
  );
  const story = rehearse(program);
  await story.start();
  assert.deepEqual(asked(await story.turn(failed(1, "no"), childFailed(2, new Error("no")))), ["createTimer 4", "createTimer 5"]);
  story.now += 60_000;
  failureOf(await story.turn(failed(3, "no")));
  story.now += 3_600_000;
  const again = rewind(program, story);
  const { actions } = await again.turn();
  const rewoundAt = story.now - 1_000;
  assert.deepEqual(
    actions.map((action) => [
      action.kind,
      action.id,
      action.kind === "scheduleTask" ? [action.attempt, action.expiresAt] : action.kind === "createSubOrchestration" && action.rewinds,
    ]),
    [
      ["scheduleTask", 6, [1, undefined]],
      ["scheduleTask", 7, [1, rewoundAt + 600_000]],
      ["createSubOrchestration", 8, { reason: "mended" }],
    ],
  );
  assert.deepEqual(asked(await again.turn(completed(6, "mended"), failed(7, "no"))), ["createTimer 9"], "it has both attempts");
  assert.deepEqual(asked(await again.turn(fired(9))), ["scheduleTask 10 hello"]);
  assert.deepEqual(outputOf(await again.turn(completed(10, "slow"), childCompleted(8))), ["slow", undefined, "mended"]);
});

test("children keep their ids, and are asked for with the note that their caller was rewound", async () => {
  const program = orchestrator("parent", async (ctx) =>
    ctx.whenAll([1, 2].map(() => ctx.callSubOrchestrator(child, undefined, { retry }))),
  );
  const story = rehearse(program);
  const created = (await story.start()).actions;
  await story.turn(childCompleted(1), childFailed(2, new Error("one")));
  await story.turn(fired(3));
  failureOf(await story.turn(childFailed(4, new Error("two"))));
  const again = rewind(program, story);
  const [action, ...rest] = (await again.turn()).actions;
  assert.ok(action?.kind === "createSubOrchestration" && created[1]?.kind === "createSubOrchestration");
  assert.deepEqual([rest.length, action.id, action.instanceId, action.rewinds], [0, 5, created[1].instanceId, { reason: "mended" }]);
  assert.notEqual(action.executionId, created[1].executionId);
  outputOf(await again.turn(childCompleted(5)));
});

test("a program that failed by its own code fails again, and goes on with the code that does not", async () => {
  const code = { broken: true };
  const program = orchestrator("own", async (ctx) => {
    const a = await ctx.callActivity(hello, "a");
    if (code.broken) throw new Error("a bug");
    ctx.sendEvent("other", "note");
    return [a, await ctx.callActivity(hello, "b")];
  });
  const story = rehearse(program);
  await story.start();
  failureOf(await story.turn(completed(1, "A")));
  assert.equal(failureOf(await rewind(program, story).turn()).message, "a bug");
  code.broken = false;
  const again = rewind(program, story);
  const actions = asked(await again.turn());
  assert.deepEqual(
    actions.map((each) => each.replace(/\d+ /, "")),
    ["scheduleTask hello", "sendEvent note"],
  );
  const id = Number(actions[0]?.split(" ")[1]);
  assert.deepEqual(outputOf(await again.turn(completed(id, "B"))), ["A", "B"]);
});

test("a program that asks for something else than it did is found out, before a rewind as well", async () => {
  const names = ["a", "b"];
  const program = orchestrator("other", async (ctx) => {
    for (const name of names) await ctx.callActivity(name === "a" ? "first" : "second", name);
  });
  const story = rehearse(program);
  await story.start();
  await story.turn(completed(1));
  failureOf(await story.turn(failed(2, "no")));
  names.reverse();
  const told: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: story.now };
  const result = await executionOf(program).advance([...story.history, turnAt(story.now), told], [turnAt(story.now)]);
  assert.equal(result.kind === "stalled" ? result.stall.kind : result.kind, "non-determinism");
});
