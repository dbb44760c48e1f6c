// Stories of programs that had failed and go on: what is asked for again, under which numbers, and that every later replay does the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { entity } from "../authoring/entity.ts";
import {
  answered,
  asked,
  childCompleted,
  childFailed,
  completed,
  executionOf,
  failed,
  failureOf,
  fired,
  granted,
  ofKind,
  outputOf,
  raised,
  refused,
  rehearse,
  resumed,
  rewind,
  suspended,
  terminated,
  turnAt,
} from "./rehearsal.test.ts";

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const child = orchestrator("child", async () => undefined);
const retry = { maxNumberOfAttempts: 2, firstRetryInterval: "1s" } as const;

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

// ---- entities

const account = entity("account", { initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
});

test("a call of an entity that failed is asked for again under a new request; one that was answered is not", async () => {
  const program = orchestrator("calls", async (ctx) => ctx.whenAll(["a", "b"].map((key) => ctx.entity(account, key).add(1))));
  const story = rehearse(program);
  const before = ofKind(await story.start(), "callEntity");
  await story.turn(answered(before[0]!, 1));
  failureOf(await story.turn(refused(before[1]!, "no")));
  const again = rewind(program, story);
  const asking = await again.turn();
  assert.deepEqual(asked(asking), ["callEntity 3 @account@b add"]);
  const [call] = ofKind(asking, "callEntity");
  assert.notEqual(call?.requestId, before[1]?.requestId);
  assert.deepEqual(asked(await again.turn(answered(before[1]!, 9))), [], "the answer to the request before is nobody's");
  assert.deepEqual(outputOf(await again.turn(answered(call!, 2))), [1, 2]);
});

test("a failure of an entity that was caught stays caught", async () => {
  const program = orchestrator("caught", async (ctx) => {
    const a = ctx.entity(account, "a");
    try {
      await a.add(1);
    } catch {
      a.signal.add(2);
    }
    return ctx.callActivity(hello, "x");
  });
  const story = rehearse(program);
  const caught = await story.turn(refused(ofKind(await story.start(), "callEntity")[0]!, "no"));
  assert.deepEqual(asked(caught), ["signalEntity 2 @account@a add", "scheduleTask 3 hello"]);
  failureOf(await story.turn(failed(3, "no")));
  const again = rewind(program, story);
  assert.deepEqual(asked(await again.turn()), ["scheduleTask 4 hello"]);
  assert.equal(outputOf(await again.turn(completed(4, "X"))), "X");
});

test("who failed in a critical section gets it back before anything else moves (RW5, CS5)", async () => {
  const program = orchestrator("section", async (ctx) => {
    const [a, b] = [ctx.entity(account, "a"), ctx.entity(account, "b")];
    const told = ctx.waitForExternalEvent<string>("told");
    const sum = await ctx.lockEntities([a, b], async () => {
      const all = await ctx.whenAll([a.add(1), b.add(1), ctx.callActivity(hello, "x")]);
      return [...all, await told, ctx.isInCriticalSection];
    });
    return [...sum, await a.add(5)];
  });
  const story = rehearse(program);
  const before = ofKind(await story.start(), "lockEntities")[0]!;
  const [, callOfB] = ofKind(await story.turn(granted(before)), "callEntity");
  await story.turn(refused(callOfB!, "no"), completed(4, "X"));
  const [callOfA] = story.history.filter((event) => event.kind === "EntityOperationCalled");
  const end = await story.turn(answered(callOfA as { readonly requestId: string } & HistoryEvent, 1));
  assert.deepEqual(asked(end), ["unlockEntity 5 @account@a", "unlockEntity 6 @account@b", "completeOrchestration 7"]);
  for (let round = 0; round < 3; round++) {
    const again = rewind(program, story);
    const asking = await again.turn();
    const place = 7 + round * 4;
    assert.deepEqual(
      asked(asking),
      [`lockEntities ${place} @account@a @account@b`],
      "the releases of its failure have numbers of their own",
    );
    const section = ofKind(asking, "lockEntities")[0]!;
    assert.notEqual(section.criticalSectionId, before.criticalSectionId);
    assert.deepEqual(asked(await again.turn(granted(before), raised("told", `early ${round}`))), [], "held back");
    const calls = await again.turn(granted(section));
    assert.deepEqual(asked(calls), [`callEntity ${place + 1} @account@b add`]);
    const [call] = ofKind(calls, "callEntity");
    if (round < 2) {
      failureOf(await again.turn(refused(call!, "no")));
      continue;
    }
    const after = await again.turn(answered(call!, 2));
    assert.deepEqual(asked(after), [
      `unlockEntity ${place + 2} @account@a`,
      `unlockEntity ${place + 3} @account@b`,
      `callEntity ${place + 4} @account@a add`,
    ]);
    assert.equal(ofKind(after, "unlockEntity")[0]?.criticalSectionId, section.criticalSectionId);
    assert.deepEqual(outputOf(await again.turn(answered(ofKind(after, "callEntity")[0]!, 6))), [1, 2, "X", "early 0", true, 6]);
  }
});

test("a section that was left by a failure, and not the end of it, stays left", async () => {
  const program = orchestrator("left", async (ctx) => {
    const a = ctx.entity(account, "a");
    try {
      await ctx.lockEntities([a], async () => a.add(1));
    } catch {
      await ctx.callActivity(hello, "mend");
    }
    return await a.add(2);
  });
  const story = rehearse(program);
  const [call] = ofKind(await story.turn(granted(ofKind(await story.start(), "lockEntities")[0]!)), "callEntity");
  assert.deepEqual(asked(await story.turn(refused(call!, "no"))), ["unlockEntity 3 @account@a", "scheduleTask 4 hello"]);
  const second = ofKind(await story.turn(completed(4)), "callEntity")[0]!;
  failureOf(await story.turn(refused(second, "no")));
  const again = rewind(program, story);
  const asking = await again.turn();
  assert.deepEqual(asked(asking), ["callEntity 6 @account@a add"]);
  assert.equal(outputOf(await again.turn(answered(ofKind(asking, "callEntity")[0]!, 3))), 3);
});

test("a request for a section that was under way at the end is made again", async () => {
  const program = orchestrator("asking", async (ctx) => {
    const a = ctx.entity(account, "a");
    const lock = ctx.lockEntities([a]);
    await ctx.callActivity(hello, "x");
    const section = await lock;
    section.release();
    return "done";
  });
  const story = rehearse(program);
  const first = ofKind(await story.start(), "lockEntities")[0]!;
  failureOf(await story.turn(failed(2, "no")));
  const again = rewind(program, story);
  const asking = await again.turn();
  assert.deepEqual(asked(asking), ["lockEntities 3 @account@a", "scheduleTask 4 hello"]);
  const section = ofKind(asking, "lockEntities")[0]!;
  await again.turn(granted(first), completed(4));
  assert.equal(outputOf(await again.turn(granted(section))), "done");
});

test("however many sections were left by failures that were caught, what failed in the end is still the only thing asked for again", async () => {
  const times = 40;
  const program = orchestrator("many", async (ctx) => {
    const a = ctx.entity(account, "a");
    for (let i = 0; i < times; i++) {
      try {
        await ctx.lockEntities([a], async () => a.add(i));
      } catch {
        await ctx.callActivity(hello, "mend");
      }
    }
    return await a.add(times);
  });
  const story = rehearse(program);
  let turned = await story.start();
  for (let i = 0; i < times; i++) {
    turned = await story.turn(granted(ofKind(turned, "lockEntities")[0]!));
    turned = await story.turn(refused(ofKind(turned, "callEntity")[0]!, "no"));
    turned = await story.turn(completed(ofKind(turned, "scheduleTask")[0]!.id));
  }
  failureOf(await story.turn(refused(ofKind(turned, "callEntity")[0]!, "no")));
  const again = rewind(program, story);
  const asking = await again.turn();
  assert.deepEqual(
    asking.actions.map(({ kind }) => kind),
    ["callEntity"],
  );
  assert.equal(outputOf(await again.turn(answered(ofKind(asking, "callEntity")[0]!, 7))), 7);
});

test("a section that is waited for after a rewind is got back when the execution is resumed, whatever came before its grant", async () => {
  const program = orchestrator("suspended", async (ctx) => {
    const a = ctx.entity(account, "a");
    const told = ctx.waitForExternalEvent<string>("told");
    return await ctx.lockEntities([a], async () => [await a.add(1), await told]);
  });
  const story = rehearse(program);
  const turned = await story.turn(granted(ofKind(await story.start(), "lockEntities")[0]!));
  failureOf(await story.turn(refused(ofKind(turned, "callEntity")[0]!, "no")));
  const again = rewind(program, story);
  const section = ofKind(await again.turn(), "lockEntities")[0]!;
  assert.deepEqual(asked(await again.turn(suspended, raised("told", "first"), granted(section), raised("told", "second"))), []);
  const calls = await again.turn(resumed);
  assert.deepEqual(
    calls.actions.map(({ kind }) => kind),
    ["callEntity"],
  );
  assert.deepEqual(outputOf(await again.turn(answered(ofKind(calls, "callEntity")[0]!, 1))), [1, "first"]);
});

test("who is terminated while it waits for its section asks for nothing when that is granted", async () => {
  const program = orchestrator("ended", async (ctx) =>
    ctx.lockEntities([ctx.entity(account, "a")], async () => ctx.callActivity(hello, "x")),
  );
  const story = rehearse(program);
  await story.turn(granted(ofKind(await story.start(), "lockEntities")[0]!));
  failureOf(await story.turn(failed(2, "no")));
  const again = rewind(program, story);
  const section = ofKind(await again.turn(), "lockEntities")[0]!;
  const end = await again.turn(terminated("stop"), granted(section));
  assert.deepEqual(
    end.actions.map(({ kind }) => kind),
    ["completeOrchestration"],
  );
});
