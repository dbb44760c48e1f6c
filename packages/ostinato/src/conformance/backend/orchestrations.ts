// orchestrations: a program runs once through, whatever form it is written in, and its history says so.

import assert from "node:assert/strict";
import { activity, orchestrator, type OrchestratorContext } from "../../index.ts";
import { historyOf, ofKind, refused, signal, type Chapter } from "./world.ts";

const hello = activity("hello", async (_ctx, name: string) => `Hello ${name}!`);
const add = activity("add", async (_ctx, [a, b]: readonly [number, number]) => a + b);

const sequence = orchestrator("sequence", async (ctx) => {
  const first = await ctx.callActivity(hello, "Tokyo");
  const second = await ctx.callActivity(hello, "Seattle");
  const third = await ctx.callActivity(hello, "London");
  return [first, second, third];
});

/** One program, in every form in which a program can be written. */
const forms = [
  orchestrator("async", async (ctx, n: number) => {
    const doubled = await ctx.callActivity(add, [n, n]);
    return `${await ctx.callActivity(hello, "you")} ${doubled}`;
  }),
  orchestrator("generator, yield*", function* (ctx, n: number) {
    const doubled = yield* ctx.callActivity(add, [n, n]);
    return `${yield* ctx.callActivity(hello, "you")} ${doubled}`;
  }),
  orchestrator("generator, yield", function* (ctx, n: number) {
    const doubled = (yield ctx.callActivity(add, [n, n])) as number;
    return `${(yield ctx.callActivity(hello, "you")) as string} ${doubled}`;
  }),
  orchestrator("async generator, yield", async function* (ctx, n: number) {
    const doubled = (yield ctx.callActivity(add, [n, n])) as number;
    return `${(yield ctx.callActivity(hello, "you")) as string} ${doubled}`;
  }),
];

/** Values that come out as they went in, whichever way they go (A4). */
const VALUES: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  zero: 0,
  "minus zero": -0,
  "not a number": Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  "a large integer": 2 ** 53 - 1,
  "an empty text": "",
  "a long text": "ö𝄞".repeat(1_500),
  "half a surrogate pair": "a\ud800b",
  "control characters": "a\u0000b\n\u2028\u007f",
  "an emoji": "👩‍👩‍👧",
  false: false,
  "an empty list": [],
  "a list with gaps in meaning": [null, undefined, 0, ""],
  "an empty object": {},
  "an object with a key $o": { $o: ["Date", 1] },
  "a key __proto__": JSON.parse('{"__proto__": {"a": 1}}') as unknown,
  "a date": new Date(1_700_000_000_123),
  "a map": new Map<unknown, unknown>([
    ["a", 1],
    [{ b: 2 }, new Set([3n])],
  ]),
  "a bigint": 2n ** 80n,
  bytes: new Uint8Array([0, 1, 254, 255]),
  "a url": new URL("https://example.com/a?b=c#d"),
  "a pattern": /a+b/giu,
};

/** What a program can know about itself. */
async function whoAmI(ctx: OrchestratorContext): Promise<Record<string, unknown>> {
  const { instanceId, executionId, name, version, tags, parent, input, isReplaying } = ctx;
  return { instanceId, executionId, name, version, tags, parent, input, isReplaying };
}

export const orchestrations: Chapter = (story) => {
  story("a chain of activities gives each result to the next, and its output to the caller", async (world) => {
    await world.work({ orchestrators: [sequence], activities: [hello] });
    const instance = await world.hub.start(sequence);
    assert.deepEqual(await world.output(instance), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
    const status = await instance.status();
    assert.equal(status?.status, "COMPLETED");
    assert.deepEqual(status.output, ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
    assert.deepEqual(status.waitingFor, []);
    assert.ok(status.completedAt && status.startedAt && status.createdAt <= status.startedAt && status.startedAt <= status.completedAt);
  });

  for (const form of forms) {
    for (const warm of [{}, { bytes: 0 }]) {
      story(
        `an orchestrator written as ${form.name} runs the same${"bytes" in warm ? ", replayed at every turn (H6)" : ""}`,
        async (world) => {
          await world.work({ orchestrators: forms, activities: [add, hello], warm });
          const instance = await world.hub.start(form, 21);
          assert.equal(await world.output(instance), "Hello you! 42");
          assert.deepEqual(
            (await historyOf(instance)).map((event) => [event.kind, event.eventId]),
            [
              ["OrchestratorStarted", -1],
              ["ExecutionStarted", -1],
              ["TaskScheduled", 1],
              ["OrchestratorStarted", -1],
              ["TaskCompleted", -1],
              ["TaskScheduled", 2],
              ["OrchestratorStarted", -1],
              ["TaskCompleted", -1],
              ["ExecutionCompleted", -1],
            ],
          );
        },
      );
    }
  }

  story("a plain function that waits for nothing is an orchestrator as well", async (world) => {
    const plain = orchestrator("plain", (ctx, n: number) => `${ctx.name} ${n}`);
    await world.work({ orchestrators: [plain] });
    assert.equal(await world.output(await world.hub.start(plain, 7)), "plain 7");
  });

  story("a plain function that returns a task ends with the task's result", async (world) => {
    const passOn = orchestrator("passOn", (ctx) => ctx.callActivity(hello, "there"));
    await world.work({ orchestrators: [passOn], activities: [hello] });
    assert.equal(await world.output(await world.hub.start(passOn)), "Hello there!");
  });

  story("the history of activity, timer and child has exactly the events that other Durable Task clients read", async (world) => {
    const child = orchestrator("child", async () => "done");
    const parent = orchestrator("parent", async (ctx) => {
      await ctx.callActivity(hello, "you");
      await ctx.createTimer({ milliseconds: world.unitMs });
      return await ctx.callSubOrchestrator(child);
    });
    await world.work({ orchestrators: [parent, child], activities: [hello] });
    const instance = await world.hub.start(parent, undefined, { instanceId: "twelve" });
    assert.equal(await world.output(instance), "done");
    const history = await historyOf(instance);
    assert.deepEqual(
      history.map((event) => event.kind),
      [
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
      ],
    );
    const status = await instance.status();
    const [started] = ofKind(history, "ExecutionStarted");
    assert.equal(started?.name, "parent");
    assert.equal(started.instanceId, "twelve");
    assert.equal(started.executionId, status?.executionId);
    const [scheduled] = ofKind(history, "TaskScheduled");
    assert.deepEqual([scheduled?.eventId, scheduled?.name, scheduled?.input], [1, "hello", '"you"']);
    const [completed] = ofKind(history, "TaskCompleted");
    assert.deepEqual([completed?.taskScheduledId, completed?.result], [1, '"Hello you!"']);
    const [created] = ofKind(history, "SubOrchestrationInstanceCreated");
    assert.deepEqual([created?.eventId, created?.name, created?.instanceId], [3, "child", `${status?.executionId}:0003`]);
    const [ended] = ofKind(history, "SubOrchestrationInstanceCompleted");
    assert.deepEqual([ended?.taskScheduledId, ended?.result], [3, '"done"']);
    const [end] = ofKind(history, "ExecutionCompleted");
    assert.deepEqual([end?.status, end?.result], ["COMPLETED", '"done"']);
  });

  story(
    "A4 values come out as they went in: through inputs, outputs, activities, children, events and the custom status",
    async (world) => {
      const echoActivity = activity("echoActivity", async (_ctx, value: unknown) => value);
      const echoChild = orchestrator("echoChild", async (_ctx, value: unknown) => value);
      const echo = orchestrator("echo", async (ctx, value: unknown) => {
        ctx.setCustomStatus({ value });
        const throughActivity = await ctx.callActivity(echoActivity, value);
        const throughChild = await ctx.callSubOrchestrator(echoChild, value);
        const throughEvent = await ctx.waitForExternalEvent("value");
        return { value, throughActivity, throughChild, throughEvent };
      });
      const bare = orchestrator("bare", async (_ctx, value: unknown) => value);
      await world.work({ orchestrators: [echo, echoChild, bare], activities: [echoActivity], warm: { bytes: 0 } });
      for (const [what, value] of Object.entries(VALUES)) {
        const instance = await world.hub.start(echo, value);
        await instance.raiseEvent("value", value);
        assert.deepEqual(await world.output(instance), { value, throughActivity: value, throughChild: value, throughEvent: value }, what);
        const status = await instance.status();
        assert.deepEqual(status?.input, value, what);
        assert.deepEqual(status?.customStatus, { value }, what);
        assert.deepEqual(await world.output(await world.hub.start(bare, value)), value, what);
      }
    },
  );

  story("an input that is left out is undefined, and null is null", async (world) => {
    const kindOf = orchestrator("kindOf", async (_ctx, value?: null) => (value === null ? "null" : typeof value));
    await world.work({ orchestrators: [kindOf] });
    assert.equal(await world.output(await world.hub.start(kindOf)), "undefined");
    assert.equal(await world.output(await world.hub.start(kindOf, undefined)), "undefined");
    assert.equal(await world.output(await world.hub.start(kindOf, null)), "null");
  });

  story("plain values are written exactly as JSON.stringify writes them, so that other languages read them", async (world) => {
    const echo = orchestrator("echo", async (_ctx, value: unknown) => value);
    await world.work({ orchestrators: [echo] });
    const value = { z: [1, "two", { three: null }], a: true, "": "\u2028" };
    const instance = await world.hub.start(echo, value);
    await world.output(instance);
    const history = await historyOf(instance);
    assert.equal(ofKind(history, "ExecutionStarted")[0]?.input, JSON.stringify(value));
    assert.equal(ofKind(history, "ExecutionCompleted")[0]?.result, JSON.stringify(value));
  });

  story("the custom status shows while it runs, the last one counts, it survives the end, and null clears it", async (world) => {
    const go = signal();
    const waits = activity("waits", () => go.given);
    const shows = orchestrator("shows", async (ctx, clear: boolean) => {
      ctx.setCustomStatus("first");
      ctx.setCustomStatus({ step: 1 });
      await ctx.callActivity(waits);
      ctx.setCustomStatus(clear ? null : { step: 2 });
    });
    await world.work({ orchestrators: [shows], activities: [waits] });
    const kept = await world.hub.start(shows, false);
    const cleared = await world.hub.start(shows, true);
    for (const instance of [kept, cleared]) {
      const status = await world.seen(instance, (each) => each.customStatus !== undefined);
      assert.deepEqual([status.status, status.customStatus], ["RUNNING", { step: 1 }]);
    }
    go.give();
    await world.output(kept);
    await world.output(cleared);
    assert.deepEqual((await kept.status())?.customStatus, { step: 2 });
    assert.equal((await cleared.status())?.customStatus, undefined);
  });

  story("a failure keeps its type, message, causes and properties on the way from an activity to the caller", async (world) => {
    class PaymentRefused extends Error {
      override readonly name = "PaymentRefused";
      readonly properties = { code: 51, retryAfter: null };
    }
    const pay = activity("pay", async (_ctx, amount: number) => {
      throw new PaymentRefused(`not ${amount}`, { cause: new RangeError("too much", { cause: new TypeError("the root") }) });
    });
    const buys = orchestrator("buys", async (ctx) => {
      await ctx.callActivity(pay, 12);
    });
    await world.work({ orchestrators: [buys], activities: [pay] });
    const instance = await world.hub.start(buys);
    const error = await world.failure(instance);
    assert.equal(error.code, "ORCHESTRATION_FAILED");
    assert.equal(error.instanceId, instance.id);
    const { failure } = error;
    assert.equal(failure?.errorType, "TaskFailedError");
    assert.match(failure.message, /pay/);
    assert.match(failure.message, /not 12/);
    assert.equal(failure.inner?.errorType, "PaymentRefused");
    assert.equal(failure.inner.message, "not 12");
    assert.deepEqual(failure.inner.properties, { code: 51, retryAfter: null });
    assert.match(failure.inner.stack ?? "", /PaymentRefused/);
    assert.deepEqual([failure.inner.inner?.errorType, failure.inner.inner?.message], ["RangeError", "too much"]);
    assert.deepEqual([failure.inner.inner?.inner?.errorType, failure.inner.inner?.inner?.message], ["TypeError", "the root"]);
    const chain: string[] = [];
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause) chain.push(cause.name);
    assert.deepEqual(chain, ["TaskFailedError", "PaymentRefused", "RangeError", "TypeError"]);
    const status = await instance.status();
    assert.equal(status?.status, "FAILED");
    assert.equal(status.output, undefined);
    assert.equal(status.failure?.inner?.errorType, "PaymentRefused");
    const [taskFailed] = ofKind(await historyOf(instance), "TaskFailed");
    assert.deepEqual(taskFailed?.failure.properties, { code: 51, retryAfter: null });
  });

  story("what a program throws itself is the failure, and something that is no Error is one too", async (world) => {
    const throwsError = orchestrator("throwsError", async () => {
      throw new RangeError("out of range");
    });
    const throwsText = orchestrator("throwsText", async () => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- programs do throw texts
      throw "just text";
    });
    const throwsAtOnce = orchestrator("throwsAtOnce", (): string => {
      throw new SyntaxError("at once");
    });
    await world.work({ orchestrators: [throwsError, throwsText, throwsAtOnce] });
    const first = await world.failure(await world.hub.start(throwsError));
    assert.deepEqual([first.failure?.errorType, first.failure?.message], ["RangeError", "out of range"]);
    const second = await world.failure(await world.hub.start(throwsText));
    assert.deepEqual([second.failure?.errorType, second.failure?.message], ["UnknownError", "just text"]);
    const third = await world.failure(await world.hub.start(throwsAtOnce));
    assert.deepEqual([third.failure?.errorType, third.failure?.message], ["SyntaxError", "at once"]);
  });

  story("a failure that the program catches is its own affair", async (world) => {
    const fails = activity("fails", async () => {
      throw new Error("no");
    });
    const catches = orchestrator("catches", async (ctx) => {
      try {
        await ctx.callActivity(fails);
        return "?";
      } catch (error) {
        return `${(error as Error).name}: ${((error as Error).cause as Error).message}`;
      }
    });
    await world.work({ orchestrators: [catches], activities: [fails] });
    assert.equal(await world.output(await world.hub.start(catches)), "TaskFailedError: no");
  });

  story("a program knows itself: ids, name, version, tags, and that nobody is its parent", async (world) => {
    const who = orchestrator("who", whoAmI);
    await world.work({ orchestrators: [who] });
    const instance = await world.hub.start("who", { some: "input" }, { instanceId: "me", version: "1.2", tags: { team: "it" } });
    const told = (await world.output(instance)) as Record<string, unknown>;
    const status = await instance.status();
    assert.deepEqual(told, {
      instanceId: "me",
      executionId: status?.executionId,
      name: "who",
      version: "1.2",
      tags: { team: "it" },
      parent: undefined,
      input: { some: "input" },
      isReplaying: false,
    });
    assert.deepEqual([status?.version, status?.tags, status?.parentInstanceId, status?.name], ["1.2", { team: "it" }, undefined, "who"]);
  });

  story("ids and times that a program asks for are the same on every replay (H6)", async (world) => {
    const seen: { guids: string[]; times: number[] }[] = [];
    const nothing = activity("nothing", async () => undefined);
    const asks = orchestrator("asks", async (ctx) => {
      const guids: string[] = [];
      const times: number[] = [];
      seen.push({ guids, times });
      for (let i = 0; i < 3; i++) {
        guids.push(ctx.newGuid(), ctx.newGuid());
        times.push(ctx.currentUtcDateTime.getTime());
        await ctx.createTimer({ milliseconds: world.unitMs });
        await ctx.callActivity(nothing);
      }
      return { guids, times };
    });
    await world.work({ orchestrators: [asks], activities: [nothing], warm: { bytes: 0 } });
    const { guids, times } = await world.output(await world.hub.start(asks));
    assert.ok(seen.length > 1, "a worker that keeps nothing has to replay");
    for (const run of seen) {
      assert.deepEqual(run.guids, guids.slice(0, run.guids.length));
      assert.deepEqual(run.times, times.slice(0, run.times.length));
    }
    assert.equal(new Set(guids).size, 6);
    for (const guid of guids) assert.match(guid, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.ok(times[1]! - times[0]! >= world.unitMs && times[2]! - times[1]! >= world.unitMs);
  });

  story("isReplaying is true for what has happened already, and false for what is new", async (world) => {
    const runs: boolean[][] = [];
    const nothing = activity("nothing", async () => undefined);
    const looks = orchestrator("looks", async (ctx) => {
      const run: boolean[] = [];
      runs.push(run);
      run.push(ctx.isReplaying);
      await ctx.callActivity(nothing);
      run.push(ctx.isReplaying);
      await ctx.callActivity(nothing);
      run.push(ctx.isReplaying);
    });
    await world.work({ orchestrators: [looks], activities: [nothing], warm: { bytes: 0 } });
    await world.output(await world.hub.start(looks));
    assert.deepEqual(runs, [[false], [true, false], [true, true, false]]);
  });

  story("I2 an id that is taken is refused, whatever has become of the instance", async (world) => {
    const waits = orchestrator("waits", async (ctx, fails: boolean) => {
      await ctx.waitForExternalEvent("go");
      if (fails) throw new Error("as asked");
    });
    const taken = async (id: string): Promise<void> => {
      const error = await refused(world.hub.start(waits, false, { instanceId: id }), "INSTANCE_EXISTS");
      assert.match(error.message, new RegExp(`'${id}'`));
    };
    const ids = ["running", "suspended", "completed", "failed", "terminated"];
    for (const id of ids) await world.hub.start(waits, id === "failed", { instanceId: id });
    for (const id of ids) await taken(id); // PENDING, all of them
    await world.work({ orchestrators: [waits] });
    for (const id of ids) await world.until(world.hub.instance(id).waitForStart());
    await world.hub.instance("suspended").suspend();
    await world.hub.instance("completed").raiseEvent("go");
    await world.hub.instance("failed").raiseEvent("go");
    await world.hub.instance("terminated").terminate();
    await world.output(world.hub.instance("completed"));
    await world.failure(world.hub.instance("failed"));
    await world.failure(world.hub.instance("terminated"));
    for (const id of ids) {
      assert.equal((await world.hub.instance(id).status())?.status, id.toUpperCase());
      await taken(id);
    }
  });

  story("I2 of many starts of one id exactly one is accepted", async (world) => {
    const runs: string[] = [];
    const once = activity("once", async (ctx) => void runs.push(ctx.instanceId));
    const counts = orchestrator("counts", async (ctx, n: number) => {
      await ctx.callActivity(once);
      return n;
    });
    await world.work({ orchestrators: [counts], activities: [once] });
    const answers = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => world.hub.start(counts, n, { instanceId: "one" })));
    const accepted = answers.flatMap((answer, n) => (answer.status === "fulfilled" ? [n] : []));
    assert.equal(accepted.length, 1);
    assert.equal(await world.output(world.hub.instance("one")), accepted[0]);
    assert.deepEqual(runs, ["one"]);
  });

  story("an instance that is started without an id gets 32 hexadecimal digits, and a name is enough to start it", async (world) => {
    await world.work({ orchestrators: [sequence], activities: [hello] });
    const instance = await world.hub.start("sequence");
    assert.match(instance.id, /^[0-9a-f]{32}$/);
    assert.deepEqual(await world.output(instance), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
    assert.deepEqual(await world.output(world.hub.instance(sequence, instance.id)), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
  });

  story("I1 an accepted start shows at once, for every reader, before anybody runs it", async (world) => {
    const instance = await world.hub.start(sequence, undefined, { instanceId: "early", tags: { a: "b" } });
    const status = await instance.status();
    assert.equal(status?.status, "PENDING");
    assert.equal(status.startedAt, undefined);
    assert.deepEqual(await historyOf(instance), []);
    const listed = await world.hub.query({ idPrefix: "early" });
    assert.deepEqual(
      listed.map((each) => [each.id, each.status]),
      [["early", "PENDING"]],
    );
    await world.work({ orchestrators: [sequence], activities: [hello] });
    assert.equal((await world.output(instance)).length, 3);
  });

  story("a start for later runs not before its time (T1)", async (world) => {
    const times = orchestrator("times", async (ctx) => ctx.currentUtcDateTime.getTime());
    await world.work({ orchestrators: [times] });
    const startAt = new Date((await world.now()) + 30 * world.unitMs);
    const instance = await world.hub.start(times, undefined, { startAt });
    const status = await instance.status();
    assert.equal(status?.status, "PENDING");
    assert.deepEqual(status.scheduledAt, startAt);
    assert.match(status.waitingFor.join(), new RegExp(startAt.toISOString()));
    assert.ok((await world.output(instance)) >= startAt.getTime());
  });

  story("a start for a time that has passed runs at once", async (world) => {
    const times = orchestrator("times", async () => "now");
    await world.work({ orchestrators: [times] });
    assert.equal(await world.output(await world.hub.start(times, undefined, { startAt: new Date(0) })), "now");
  });

  story("a thousand instances run to their ends, each with its own input", async (world) => {
    const square = activity("square", async (_ctx, n: number) => n * n);
    const squares = orchestrator("squares", async (ctx, n: number) => await ctx.callActivity(square, n));
    await world.work({ orchestrators: [squares], activities: [square] });
    const instances = await Promise.all(Array.from({ length: 1_000 }, (_, n) => world.hub.start(squares, n)));
    const outputs = await world.until(Promise.all(instances.map((instance) => instance.result())));
    assert.deepEqual(
      outputs,
      outputs.map((_, n) => n * n),
    );
  });
};
