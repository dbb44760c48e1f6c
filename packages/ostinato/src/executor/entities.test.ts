// Stories of programs that call, signal and lock entities. Each turn is run by a kept program and by one that replays, which have to agree.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { activity, orchestrator, type OrchestratorDefinition } from "../authoring/define.ts";
import { entity } from "../authoring/entity.ts";
import type { CriticalSection } from "../authoring/orchestrator-context.ts";
import type { Action } from "../contract/actions.ts";
import { CriticalSectionError, EntityOperationFailedError } from "../contract/errors.ts";
import type { HistoryEvent } from "../contract/events.ts";
import {
  answered,
  asked,
  completed,
  endOf,
  executionOf,
  failed,
  failureOf,
  fired,
  granted,
  noon,
  ofKind,
  outputOf,
  refused,
  rehearse,
  resumed,
  started,
  suspended,
  terminated,
  turnAt,
  type Turned,
} from "./rehearsal.test.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

class Amount {
  value: number;
  constructor(value: number) {
    this.value = value;
  }
}
const counter = entity("Counter", { state: z.number(), initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  total: { output: Amount, run: (state) => new Amount(state.value) },
  put: { input: Amount, run: (state, amount) => void state.set(amount.value) },
});
class Account {
  balance = 0;
  deposit(amount: number): number {
    return (this.balance += amount);
  }
  withdraw(amount: number): number {
    return (this.balance -= amount);
  }
}
const account = entity("account", Account);
const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);

const callOf = (result: Turned, place = 0): Extract<Action, { kind: "callEntity" }> => ofKind(result, "callEntity")[place]!;
const lockOf = (result: Turned): Extract<Action, { kind: "lockEntities" }> => ofKind(result, "lockEntities")[0]!;

describe("calls", () => {
  test("a call is an action, and its task has the answer that names its request", async () => {
    const story = rehearse(
      orchestrator("calls", async (ctx) => {
        const visits = ctx.entity(counter, "visits");
        const [a, b] = [visits.add(1), visits.add(2)];
        return [visits.id, await b, await a];
      }),
    );
    const asking = await story.start();
    const { requestId } = callOf(asking);
    assert.match(requestId, UUID);
    assert.deepEqual(asking.actions, [
      { kind: "callEntity", id: 1, entityId: "@counter@visits", requestId, operation: "add", input: "1" },
      { kind: "callEntity", id: 2, entityId: "@counter@visits", requestId: callOf(asking, 1).requestId, operation: "add", input: "2" },
    ]);
    assert.notEqual(callOf(asking, 1).requestId, requestId);
    assert.deepEqual(asked(await story.turn(answered(callOf(asking, 1), 3))), []);
    assert.deepEqual(outputOf(await story.turn(answered(callOf(asking), 1))), ["@counter@visits", 3, 1]);
  });

  test("in a generator a call is yielded like any task", async () => {
    const story = rehearse(
      orchestrator("calls", function* (ctx) {
        return yield* ctx.entity(counter, "visits").add(1);
      }),
    );
    assert.equal(outputOf(await story.turn(answered(callOf(await story.start()), 5))), 5);
  });

  test("by name every word is an operation, and awaiting the proxy itself asks for nothing", async () => {
    const story = rehearse(
      orchestrator("named", async (ctx) => {
        const visits = await Promise.resolve(ctx.entity<{ add(n: number): number }>("Counter", "visits"));
        const shown = await Promise.resolve(ctx.entity(counter, "visits"));
        assert.equal("then" in shown, false);
        return [await visits.add(1), await visits.call<number, number>("Subtract", 1), await ctx.entity("counter", "x")["ping"]!()];
      }),
    );
    const first = await story.start();
    assert.deepEqual(asked(first), ["callEntity 1 @counter@visits add"]);
    const second = await story.turn(answered(callOf(first), 1));
    assert.deepEqual(asked(second), ["callEntity 2 @counter@visits Subtract"]);
    const third = await story.turn(answered(callOf(second), 0));
    assert.deepEqual(asked(third), ["callEntity 3 @counter@x ping"]);
    assert.deepEqual(outputOf(await story.turn(answered(callOf(third)))), [1, 0, undefined]);
  });

  test("a definition's schemas write the input and rebuild the result, also when the operation is named", async () => {
    const story = rehearse(
      orchestrator("typed", async (ctx) => {
        const visits = ctx.entity(counter, "visits");
        await visits.put(new Amount(4));
        const total = await visits.total();
        const named = await visits.call<void, Amount>("TOTAL");
        return [total instanceof Amount, named instanceof Amount, named.value];
      }),
    );
    const put = await story.start();
    assert.equal(callOf(put).input, '{"value":4}');
    const total = await story.turn(answered(callOf(put)));
    const named = await story.turn(answered(callOf(total), { value: 4 }));
    assert.deepEqual(outputOf(await story.turn(answered(callOf(named), { value: 4 }))), [true, true, 4]);
  });

  test("an operation that failed fails its task, with what its code threw as the cause", async () => {
    const story = rehearse(
      orchestrator("fails", async (ctx) => {
        try {
          await ctx.entity(account, "ada").withdraw(5);
          return "fine";
        } catch (error) {
          assert.ok(error instanceof EntityOperationFailedError);
          const { code, entityId, operation, taskId, taskName, cause } = error;
          return [code, entityId, operation, taskId, taskName, (cause as Error).message, error.message];
        }
      }),
    );
    const asking = await story.start();
    assert.deepEqual(outputOf(await story.turn(refused(callOf(asking), "insufficient funds"))), [
      "ENTITY_OPERATION_FAILED",
      "@account@ada",
      "withdraw",
      1,
      "withdraw",
      "insufficient funds",
      "Operation 'withdraw' of entity '@account@ada' failed: insufficient funds",
    ]);
  });

  test("a result that cannot be read fails the call; an answer that nobody waits for changes nothing", async () => {
    const story = rehearse(
      orchestrator("unreadable", async (ctx) => {
        try {
          return await ctx.entity(counter, "visits").add(1);
        } catch (error) {
          return (error as Error).message;
        }
      }),
    );
    const asking = await story.start();
    assert.deepEqual(asked(await story.turn(answered({ requestId: "nobody's" }, 1))), []);
    const damaged: HistoryEvent = {
      kind: "EntityOperationCompleted",
      eventId: -1,
      timestamp: noon,
      requestId: callOf(asking).requestId,
      result: "{",
    };
    assert.match(
      String(outputOf(await story.turn(damaged, answered(callOf(asking), 7)))),
      /result of operation 'add' of entity '@counter@visits' cannot be read/,
    );
  });

  test("whenAll, map and first take calls like other tasks", async () => {
    const story = rehearse(
      orchestrator("many", async (ctx) => {
        const all = await ctx.whenAll([ctx.entity(counter, "a").add(1), ctx.entity(counter, "b").add(1)]);
        const mapped = await ctx.map(["c", "d"], (key) => ctx.entity(counter, key).add(2), { concurrency: 1 });
        const got = await ctx.first({ answer: ctx.entity(counter, "e").add(1), late: ctx.createTimer("1h") });
        return [all, mapped, got.key];
      }),
    );
    const all = await story.start();
    const c = await story.turn(answered(callOf(all, 1), 2), answered(callOf(all, 0), 1));
    assert.deepEqual(asked(c), ["callEntity 3 @counter@c add"]);
    const d = await story.turn(answered(callOf(c), 3));
    const last = await story.turn(answered(callOf(d), 4));
    assert.deepEqual(asked(last), ["callEntity 5 @counter@e add", "createTimer 6"]);
    assert.deepEqual(outputOf(await story.turn(fired(6))), [[1, 2], [3, 4], "late"]);
  });

  test("ids of requests depend on the execution and the action, and leave ctx.newGuid alone", async () => {
    const run = async (withCall: boolean): Promise<readonly [unknown, Turned]> => {
      const story = rehearse(
        orchestrator("ids", async (ctx) => {
          if (withCall) ctx.entity(counter, "visits").signal.add(1);
          return ctx.newGuid();
        }),
      );
      const result = await story.start();
      return [outputOf(result), result];
    };
    const [guid, result] = await run(true);
    assert.equal(guid, (await run(false))[0]);
    assert.equal(ofKind(result, "signalEntity")[0]?.requestId, ofKind((await run(true))[1], "signalEntity")[0]?.requestId);
  });

  test("a suspended program takes its answers when it is resumed, in their order", async () => {
    const story = rehearse(
      orchestrator("paused", async (ctx) => {
        const a = ctx.entity(counter, "a").add(1);
        const b = ctx.entity(counter, "b").add(1);
        return (await ctx.whenAny([a, b])) === b;
      }),
    );
    const asking = await story.start();
    await story.turn(suspended);
    await story.turn(answered(callOf(asking, 1), 1));
    await story.turn(answered(callOf(asking, 0), 1));
    assert.equal(outputOf(await story.turn(resumed)), true);
  });

  test("what is no entity is refused where it is asked for, and takes no number", async () => {
    const story = rehearse(
      orchestrator("wrong", async (ctx) => {
        const tries: readonly (() => unknown)[] = [
          () => ctx.entity(hello as never, "key"),
          () => ctx.entity(counter, ""),
          () => ctx.entity("@counter", "key"),
          () => ctx.entity(counter, "visits").signal.add(1, { at: new Date(Number.NaN) }),
          () => ctx.entity(counter, "visits").signal.add(1, { after: "1h" } as never),
          () => ctx.entity(counter, "visits").add(Symbol("no payload") as never),
          () => ctx.lockEntities([{ id: "no entity" }]),
          () => ctx.lockEntities([ctx.entity(counter, "a")], "no body" as never),
        ];
        const messages = tries.map((attempt) => {
          try {
            attempt();
            return "accepted";
          } catch (error) {
            return (error as Error).message;
          }
        });
        ctx.entity(counter, "visits").signal.add(1);
        return messages;
      }),
    );
    const result = await story.start();
    assert.deepEqual(asked(result), ["signalEntity 1 @counter@visits add", "completeOrchestration 2"]);
    const messages = outputOf(result) as string[];
    [
      /'hello' is no entity/,
      /key/,
      /"@"/,
      /no valid Date/,
      /no option 'after'/,
      /cannot be written/,
      /takes entities/,
      /must be a function/,
    ].forEach((expected, place) => assert.match(messages[place]!, expected));
  });
});

test("a signal is an action and no task; a delayed one has its time by the program's clock", async () => {
  const story = rehearse(
    orchestrator("signals", async (ctx) => {
      const visits = ctx.entity(counter, "visits");
      visits.signal.add(1);
      visits.signal.add(2, { at: "5m" });
      visits.signal.delete(undefined, { at: new Date(noon) });
      ctx.entity("other", "x").signal["Ping"]?.();
    }),
  );
  const { actions } = await story.start();
  assert.deepEqual(
    actions.map((action) => (action.kind === "signalEntity" ? { ...action, requestId: UUID.test(action.requestId) } : action.kind)),
    [
      { kind: "signalEntity", id: 1, entityId: "@counter@visits", requestId: true, operation: "add", input: "1" },
      {
        kind: "signalEntity",
        id: 2,
        entityId: "@counter@visits",
        requestId: true,
        operation: "add",
        input: "2",
        scheduledAt: noon + 300_000,
      },
      { kind: "signalEntity", id: 3, entityId: "@counter@visits", requestId: true, operation: "delete", scheduledAt: noon },
      { kind: "signalEntity", id: 4, entityId: "@other@x", requestId: true, operation: "Ping" },
      "completeOrchestration",
    ],
  );
});

describe("critical sections", () => {
  test("a body runs once the entities are locked, in one order and each once, and what it locked is let go when it returns", async () => {
    const story = rehearse(
      orchestrator("transfer", async (ctx) => {
        const [from, to] = [ctx.entity(account, "b"), ctx.entity(account, "a")];
        const before = ctx.isInCriticalSection;
        const total = await ctx.lockEntities([from, to, from], async () => {
          await from.withdraw(5);
          return [ctx.isInCriticalSection, await to.deposit(5)];
        });
        return [before, ...total, ctx.isInCriticalSection];
      }),
    );
    const asking = await story.start();
    assert.deepEqual(asked(asking), ["lockEntities 1 @account@a @account@b"]);
    assert.match(lockOf(asking).criticalSectionId, UUID);
    const withdraw = await story.turn(granted(lockOf(asking)));
    assert.deepEqual(asked(withdraw), ["callEntity 2 @account@b withdraw"]);
    const deposit = await story.turn(answered(callOf(withdraw), 0));
    const end = await story.turn(answered(callOf(deposit), 5));
    assert.deepEqual(asked(end), ["unlockEntity 4 @account@a", "unlockEntity 5 @account@b", "completeOrchestration 6"]);
    assert.equal(ofKind(end, "unlockEntity")[0]?.criticalSectionId, lockOf(asking).criticalSectionId);
    assert.deepEqual(outputOf(end), [false, true, 5, false]);
  });

  const bodies = {
    "an async function": async (ctx: { fail: () => never }) => ctx.fail(),
    "a plain function": (ctx: { fail: () => never }) => ctx.fail(),
    "a generator": function* (ctx: { fail: () => never }) {
      ctx.fail();
    },
    "an async generator": async function* (ctx: { fail: () => never }) {
      ctx.fail();
    },
  };
  for (const [form, body] of Object.entries(bodies)) {
    test(`${form} that throws lets go as well`, async () => {
      const story = rehearse(
        orchestrator("throws", async (ctx) => {
          const fail = (): never => {
            throw new Error("no");
          };
          try {
            await ctx.lockEntities([ctx.entity(account, "a")], () => body({ fail }) as unknown);
          } catch (error) {
            return (error as Error).message;
          }
          return "fine";
        }),
      );
      const end = await story.turn(granted(lockOf(await story.start())));
      assert.deepEqual(asked(end), ["unlockEntity 2 @account@a", "completeOrchestration 3"]);
      assert.equal(outputOf(end), "no");
    });
  }

  test("a section without a body is let go by release, once, or by using", async () => {
    const story = rehearse(
      orchestrator("handles", function* (ctx) {
        const a = ctx.entity(account, "a");
        const section: CriticalSection = yield* ctx.lockEntities([a]);
        const before = [section.entityIds, section.isReleased];
        section.release();
        section.release();
        const next = yield* ctx.lockEntities([a]);
        next[Symbol.dispose]();
        section.release();
        return [...before, section.isReleased, ctx.isInCriticalSection];
      }),
    );
    const first = await story.start();
    const second = await story.turn(granted(lockOf(first)));
    assert.deepEqual(asked(second), ["unlockEntity 2 @account@a", "lockEntities 3 @account@a"]);
    assert.notEqual(lockOf(second).criticalSectionId, lockOf(first).criticalSectionId);
    const end = await story.turn(granted(lockOf(second)));
    assert.deepEqual(asked(end), ["unlockEntity 4 @account@a", "completeOrchestration 5"]);
    assert.deepEqual(outputOf(end), [["@account@a"], false, true, false]);
  });

  test("a generator that is left by return in a section has let go by its finally", async () => {
    const story = rehearse(
      orchestrator("finally", function* (ctx) {
        const section = yield* ctx.lockEntities([ctx.entity(account, "a")]);
        try {
          return yield* ctx.callActivity(hello, "x");
        } finally {
          section.release();
        }
      }),
    );
    await story.turn(granted(lockOf(await story.start())));
    assert.deepEqual(asked(await story.turn(completed(2, "X"))), ["unlockEntity 3 @account@a", "completeOrchestration 4"]);
  });

  test("an end in a section asks for nothing more: its engine lets go of what its record says (E4)", async () => {
    const ends = {
      return: async (): Promise<string> => "done",
      failure: async (): Promise<string> => {
        throw new Error("no");
      },
    };
    for (const [what, end] of Object.entries(ends)) {
      const story = rehearse(
        orchestrator("ends", async (ctx) => {
          await ctx.lockEntities([ctx.entity(account, "a")]);
          return await end();
        }),
      );
      assert.deepEqual(asked(await story.turn(granted(lockOf(await story.start())))), ["completeOrchestration 2"], what);
    }
    const anew = rehearse(
      orchestrator("anew", async (ctx) => {
        const section = await ctx.lockEntities([ctx.entity(account, "a")]);
        ctx.continueAsNew();
        section.release();
      }),
    );
    assert.equal(endOf(await anew.turn(granted(lockOf(await anew.start())))).status, "CONTINUED_AS_NEW");
    const killed = rehearse(
      orchestrator("killed", async (ctx) => ctx.lockEntities([ctx.entity(account, "a")], async () => ctx.createTimer("1h"))),
    );
    await killed.turn(granted(lockOf(await killed.start())));
    assert.deepEqual(asked(await killed.turn(terminated("stop"))), ["completeOrchestration 3"]);
  });

  test("a request that loses is taken back, and its grant comes too late", async () => {
    for (const withBody of [true, false]) {
      const story = rehearse(
        orchestrator("loses", async (ctx) => {
          const [a, b] = [ctx.entity(account, "a"), ctx.entity(account, "b")];
          const lock = withBody ? ctx.lockEntities([a, b], () => "never") : ctx.lockEntities([a, b]);
          const got = await ctx.first({ lock, late: ctx.createTimer("1h") });
          const left = await a.deposit(1);
          return [got.key, left, ctx.isInCriticalSection];
        }),
      );
      const asking = await story.start();
      const late = await story.turn(fired(2));
      assert.deepEqual(asked(late), ["unlockEntity 3 @account@a", "unlockEntity 4 @account@b", "callEntity 5 @account@a deposit"]);
      assert.deepEqual(asked(await story.turn(granted(lockOf(asking)))), []);
      assert.deepEqual(outputOf(await story.turn(answered(callOf(late), 1))), ["late", 1, false]);
    }
  });

  test("a request can be cancelled; awaited then, it says so", async () => {
    const story = rehearse(
      orchestrator("cancels", async (ctx) => {
        const lock = ctx.lockEntities([ctx.entity(account, "a")]);
        lock.cancel();
        lock.cancel();
        try {
          await lock;
        } catch (error) {
          return [lock.isCancelled, (error as { code?: string }).code];
        }
        return "fine";
      }),
    );
    const end = await story.start();
    assert.deepEqual(asked(end), ["lockEntities 1 @account@a", "unlockEntity 2 @account@a", "completeOrchestration 3"]);
    assert.deepEqual(outputOf(end), [true, "TASK_CANCELLED"]);
  });

  test("the rules of sections are told at the call that breaks them, which takes no number", async () => {
    const rule = async (attempt: () => unknown): Promise<string> => {
      try {
        await attempt();
        return "accepted";
      } catch (error) {
        assert.ok(error instanceof CriticalSectionError, String(error));
        assert.equal(error.code, "CRITICAL_SECTION");
        return error.message;
      }
    };
    const story = rehearse(
      orchestrator("rules", async (ctx) => {
        const [a, b] = [ctx.entity(account, "a"), ctx.entity(account, "b")];
        const told = [await rule(() => ctx.lockEntities([]))];
        const lock = ctx.lockEntities([a]);
        told.push(await rule(() => b.deposit(1)), await rule(() => ctx.lockEntities([b])));
        await lock;
        told.push(await rule(() => b.deposit(1)), await rule(() => a.signal.deposit(1)), await rule(() => ctx.lockEntities([b])));
        const outstanding = a.deposit(1);
        told.push(await rule(() => a.withdraw(1)));
        await outstanding;
        await a.withdraw(1);
        b.signal.deposit(1);
        return told;
      }),
    );
    const asking = await story.start();
    assert.deepEqual(asked(asking), ["lockEntities 1 @account@a"]);
    const deposit = await story.turn(granted(lockOf(asking)));
    assert.deepEqual(asked(deposit), ["callEntity 2 @account@a deposit"]);
    const withdraw = await story.turn(answered(callOf(deposit), 1));
    assert.deepEqual(asked(withdraw), ["callEntity 3 @account@a withdraw"]);
    const end = await story.turn(answered(callOf(withdraw), 0));
    assert.deepEqual(asked(end), ["signalEntity 4 @account@b deposit", "completeOrchestration 5"]);
    const told = outputOf(end) as string[];
    [
      /given no entities/,
      /Operation 'deposit' of entity '@account@b' was called while a critical section of '@account@a' is asked for. Await/,
      /A critical section of '@account@b' was asked for while the orchestration has asked for a critical section of '@account@a'/,
      /'@account@b' was called in a critical section of '@account@a', to which it does not belong/,
      /'@account@a' was signalled in a critical section/,
      /while the orchestration is in a critical section of '@account@a'/,
      /another call of it has not been answered/,
    ].forEach((expected, place) => assert.match(told[place]!, expected));
    assert.equal(told.length, 7);
  });

  test("a call that failed does not count as outstanding", async () => {
    const story = rehearse(
      orchestrator("again", async (ctx) => {
        const a = ctx.entity(account, "a");
        return await ctx.lockEntities([a], async () => {
          try {
            await a.withdraw(5);
          } catch {
            return await a.withdraw(1);
          }
          return 0;
        });
      }),
    );
    const first = await story.turn(granted(lockOf(await story.start())));
    const second = await story.turn(refused(callOf(first), "insufficient funds"));
    assert.equal(outputOf(await story.turn(answered(callOf(second), 7))), 7);
  });
});

describe("what a replay compares", () => {
  const base = { timestamp: noon, eventId: 1 } as const;
  const requestId = "3d5b0a7e-0000-5000-8000-000000000001";
  const replayed = async (program: OrchestratorDefinition, event: HistoryEvent): Promise<string> => {
    const result = await executionOf(program).advance([turnAt(noon), started(program), event], [turnAt(noon + 1)]);
    return result.kind === "stalled" ? result.stall.reason : result.kind;
  };

  test("kind, entity, operation and lock set are compared; the id of a request is the history's to say", async () => {
    const calls = orchestrator("calls", async (ctx) => ctx.entity(counter, "a").add(1));
    const recorded = (kind: "EntityOperationCalled" | "EntityOperationSignaled", entityId: string, operation: string): HistoryEvent => ({
      kind,
      ...base,
      entityId,
      operation,
      requestId,
    });
    assert.equal(await replayed(calls, recorded("EntityOperationCalled", "@counter@a", "add")), "turn");
    assert.match(
      await replayed(calls, recorded("EntityOperationCalled", "@counter@b", "add")),
      /has EntityOperationCalled 'add' \(entity '@counter@b'\) with id 1 as event number 3, but now the program asks for the call of operation 'add' of entity '@counter@a' with id 1 at .*entities\.test\.ts/,
    );
    assert.match(await replayed(calls, recorded("EntityOperationCalled", "@counter@a", "get")), /EntityOperationCalled 'get'/);
    assert.match(await replayed(calls, recorded("EntityOperationSignaled", "@counter@a", "add")), /EntityOperationSignaled 'add'/);
    const locks = orchestrator("locks", async (ctx) => void (await ctx.lockEntities([ctx.entity("a", "1"), ctx.entity("a", "2")])));
    const locked = (...lockSet: string[]): HistoryEvent => ({
      kind: "EntityLockRequested",
      ...base,
      criticalSectionId: "x",
      lockSet,
      position: 0,
    });
    assert.equal(await replayed(locks, locked("@a@1", "@a@2")), "turn");
    assert.match(
      await replayed(locks, locked("@a@1")),
      /EntityLockRequested \(entities '@a@1'\) with id 1 .* the critical section of '@a@1', '@a@2' with id 1/,
    );
  });

  test("an answer to a request that the history knows by another id reaches its call, and so does a grant", async () => {
    const definition = orchestrator("renamed", async (ctx) => {
      const first = await ctx.entity(counter, "a").add(1);
      return await ctx.lockEntities([ctx.entity(counter, "a")], () => first + 1);
    });
    const execution = executionOf(definition);
    const past: HistoryEvent[] = [
      turnAt(noon),
      started(definition),
      { kind: "EntityOperationCalled", ...base, entityId: "@counter@a", operation: "add", requestId },
      turnAt(noon),
      answered({ requestId }, 1),
      { kind: "EntityLockRequested", timestamp: noon, eventId: 2, criticalSectionId: "theirs", lockSet: ["@counter@a"], position: 0 },
    ];
    const result = await execution.advance(past, [turnAt(noon), granted({ criticalSectionId: "theirs" })]);
    assert.ok(result.kind === "turn");
    assert.deepEqual(asked(result), ["unlockEntity 3 @counter@a", "completeOrchestration 4"]);
    assert.equal(ofKind(result, "unlockEntity")[0]?.criticalSectionId, "theirs");
    assert.equal(outputOf(result), 2);
  });
});

test("an activity that fails in a section is an error like any other: the section is let go, and the orchestration fails", async () => {
  const story = rehearse(
    orchestrator("fails", async (ctx) => ctx.lockEntities([ctx.entity(account, "a")], async () => ctx.callActivity(hello, "x"))),
  );
  await story.turn(granted(lockOf(await story.start())));
  const end = await story.turn(failed(2, "no luck"));
  assert.deepEqual(asked(end), ["unlockEntity 3 @account@a", "completeOrchestration 4"]);
  assert.match(failureOf(end).message, /no luck/);
});
