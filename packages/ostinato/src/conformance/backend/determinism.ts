// determinism: a program that does not do again what it did before changes nothing, says so, and can go on with code that fits.

import assert from "node:assert/strict";
import { activity, orchestrator, type Orchestrator, type OrchestratorContext } from "../../index.ts";
import { historyOf, ofKind, signal, type Chapter, type World } from "./world.ts";

const note = activity("note", async (_ctx, text: string) => text);
const other = activity("other", async (_ctx, text: string) => text);
const child = orchestrator("child", async (_ctx, text: string) => text);
const stranger = orchestrator("stranger", async (_ctx, text: string) => text);

type Body = (ctx: OrchestratorContext) => Promise<string>;

function program(body: Body): Orchestrator<void, string> {
  return orchestrator("program", body);
}

/** What the program did when it first ran, and ways in which it no longer does it. */
interface Change {
  readonly what: string;
  readonly before: Body;
  readonly after: Body;
  /** What the reason has to name. */
  readonly names: readonly RegExp[];
}

async function end(ctx: OrchestratorContext): Promise<string> {
  await ctx.waitForExternalEvent("go");
  return "went on";
}

const noteAndWait: Body = async (ctx) => {
  await ctx.callActivity(note, "a");
  return await end(ctx);
};

const CHANGES: readonly Change[] = [
  {
    what: "another activity",
    before: noteAndWait,
    after: async (ctx) => {
      await ctx.callActivity(other, "a");
      return await end(ctx);
    },
    names: [/TaskScheduled/, /'note'/, /'other'/, /number 3/],
  },
  {
    what: "a timer in place of an activity",
    before: noteAndWait,
    after: async (ctx) => {
      await ctx.createTimer("0s");
      return await end(ctx);
    },
    names: [/TaskScheduled/, /'note'/, /timer/],
  },
  {
    what: "an activity in place of a timer",
    before: async (ctx) => {
      await ctx.createTimer("0s");
      return await end(ctx);
    },
    after: noteAndWait,
    names: [/TimerCreated/, /'note'/],
  },
  {
    what: "one call more before",
    before: noteAndWait,
    after: async (ctx) => {
      await ctx.callActivity(other, "new");
      return await noteAndWait(ctx);
    },
    names: [/'note'/, /'other'/],
  },
  {
    what: "one call fewer",
    before: noteAndWait,
    after: end,
    names: [/TaskScheduled/, /'note'/],
  },
  {
    what: "an end where there was a call",
    before: noteAndWait,
    after: async () => "at once",
    names: [/'note'/, /ends/],
  },
  {
    what: "two calls in the other order",
    before: async (ctx) => {
      await ctx.whenAll([ctx.callActivity(note, "a"), ctx.callActivity(other, "b")]);
      return await end(ctx);
    },
    after: async (ctx) => {
      await ctx.whenAll([ctx.callActivity(other, "b"), ctx.callActivity(note, "a")]);
      return await end(ctx);
    },
    names: [/'note'/, /'other'/],
  },
  {
    what: "another child",
    before: async (ctx) => {
      await ctx.callSubOrchestrator(child, "c");
      return await end(ctx);
    },
    after: async (ctx) => {
      await ctx.callSubOrchestrator(stranger, "c");
      return await end(ctx);
    },
    names: [/SubOrchestrationInstanceCreated/, /'child'/, /'stranger'/],
  },
  {
    what: "an event to somebody else",
    before: async (ctx) => {
      ctx.sendEvent("one", "hello");
      return await end(ctx);
    },
    after: async (ctx) => {
      ctx.sendEvent("two", "hello");
      return await end(ctx);
    },
    names: [/EventSent/, /'one'/, /'two'/],
  },
  {
    what: "an activity where there was nothing yet",
    before: end,
    after: noteAndWait,
    names: [/'note'/],
  },
];

/** Runs a program to where it waits for the event 'go', and stops its worker. */
async function runToWait(world: World, body: Body) {
  const first = program(body);
  const worker = await world.work({ orchestrators: [first, child, stranger], activities: [note, other] });
  const instance = await world.hub.start(first);
  await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("'go'")));
  await worker.stop();
  return instance;
}

export const determinism: Chapter = (story) => {
  for (const { what, before, after, names } of CHANGES) {
    story(`code that has changed to ${what} stalls the instance and writes nothing; fitting code goes on`, async (world) => {
      const instance = await runToWait(world, before);
      const history = await historyOf(instance);
      await instance.raiseEvent("go");
      const wrong = await world.work({ orchestrators: [program(after), child, stranger], activities: [note, other] });
      const status = await world.seen(instance, (each) => each.stall !== undefined);
      assert.equal(status.status, "RUNNING");
      assert.equal(status.stall?.kind, "non-determinism");
      for (const name of names) assert.match(status.stall.reason, name);
      assert.match(status.stall.reason, /'program'/);
      assert.match(status.waitingFor.join("\n"), /fitting code/);
      assert.deepEqual(await historyOf(instance), history);
      assert.equal(ofKind(history, "EventRaised").length, 0);
      await wrong.stop();
      await world.work({ orchestrators: [program(before), child, stranger], activities: [note, other] });
      assert.equal(await world.output(instance), "went on");
      assert.equal((await instance.status())?.stall, undefined);
    });
  }

  story("the reason names the place of the call in the author's own code", async (world) => {
    const instance = await runToWait(world, noteAndWait);
    await instance.raiseEvent("go");
    await world.work({
      orchestrators: [
        program(async function changedProgram(ctx) {
          await ctx.callActivity(other, "a");
          return await end(ctx);
        }),
      ],
      activities: [note, other],
    });
    const { stall } = await world.seen(instance, (each) => each.stall !== undefined);
    assert.match(stall?.reason ?? "", /changedProgram.*determinism\.[jt]s:\d+/);
  });

  story("payloads, retry policies and delays are never compared: they may change under a running instance", async (world) => {
    const instance = await runToWait(world, async (ctx) => {
      await ctx.callActivity(note, "before");
      await ctx.createTimer("0s");
      await ctx.callSubOrchestrator(child, "before");
      return await end(ctx);
    });
    await instance.raiseEvent("go");
    await world.work({
      orchestrators: [
        program(async (ctx) => {
          const said = await ctx.callActivity(note, "after", { retry: { maxNumberOfAttempts: 9, firstRetryInterval: "1h" } });
          await ctx.createTimer("9d");
          return `${said}, ${await ctx.callSubOrchestrator(child, "after")}, ${await end(ctx)}`;
        }),
        child,
      ],
      activities: [note],
    });
    assert.equal(await world.output(instance), "before, before, went on");
  });

  story("code may be changed after the point that an instance has reached", async (world) => {
    const instance = await runToWait(world, noteAndWait);
    await instance.raiseEvent("go");
    await world.work({
      orchestrators: [
        program(async (ctx) => {
          await ctx.callActivity(note, "a");
          await end(ctx);
          return await ctx.callActivity(other, "the new end");
        }),
      ],
      activities: [note, other],
    });
    assert.equal(await world.output(instance), "the new end");
  });

  story("an instance that is stalled can be terminated", async (world) => {
    const instance = await runToWait(world, noteAndWait);
    await instance.raiseEvent("go");
    await world.work({ orchestrators: [program(async (ctx) => await ctx.callActivity(other, "a"))], activities: [other] });
    await world.seen(instance, (each) => each.stall !== undefined);
    await instance.terminate({ output: "enough" });
    assert.equal((await world.failure(instance)).output, "enough");
    assert.equal((await instance.status())?.stall, undefined);
  });

  story("an instance that is stalled keeps what it is sent meanwhile", async (world) => {
    const body: Body = async (ctx) => {
      await ctx.callActivity(note, "a");
      const got: string[] = [];
      while (got.length < 3) got.push(await ctx.waitForExternalEvent<string>("go"));
      return got.join();
    };
    const instance = await runToWait(world, body);
    await instance.raiseEvent("go", "1");
    const wrong = await world.work({ orchestrators: [program(async (ctx) => await ctx.callActivity(other, "a"))], activities: [other] });
    await world.seen(instance, (each) => each.stall !== undefined);
    await instance.raiseEvent("go", "2");
    await instance.raiseEvent("go", "3");
    await wrong.stop();
    await world.work({ orchestrators: [program(body)], activities: [note] });
    assert.equal(await world.output(instance), "1,2,3");
  });

  story("a stalled instance is tried again by itself, later and later", async (world) => {
    if (!world.virtual) return world.skip("it takes seconds of real time");
    const instance = await runToWait(world, noteAndWait);
    await instance.raiseEvent("go");
    let fits = false;
    await world.work({
      orchestrators: [program(async (ctx) => (fits ? await noteAndWait(ctx) : await ctx.callActivity(other, "a")))],
      activities: [note, other],
    });
    const first = await world.seen(instance, (each) => each.stall !== undefined);
    await world.pass(600_000);
    const later = await instance.status();
    assert.ok((later?.stall?.attempts ?? 0) > (first.stall?.attempts ?? 0));
    assert.ok((later?.stall?.attempts ?? 0) < 20, "the delays grow");
    assert.deepEqual(later?.stall?.since, first.stall?.since);
    fits = true;
    assert.equal(await world.output(instance), "went on");
  });

  story("a program that waits for something that is not durable fails with the reason, when that is new work", async (world) => {
    const never = new Promise<string>(() => undefined);
    const waits = program(async (ctx) => {
      await ctx.callActivity(note, "a");
      return await never;
    });
    await world.work({ orchestrators: [waits], activities: [note] });
    const { failure } = await world.failure(await world.hub.start(waits));
    assert.equal(failure?.errorType, "NonDurableWaitError");
    assert.match(failure.message, /'program'/);
  });

  story("a call on the context from outside of a turn is the same mistake", async (world) => {
    const late = signal();
    const waits = program(async (ctx) => {
      void late.given.then(() => ctx.callActivity(note, "from outside"));
      return await end(ctx);
    });
    await world.work({ orchestrators: [waits], activities: [note] });
    const instance = await world.hub.start(waits);
    await world.seen(instance, (status) => status.waitingFor.some((line) => line.includes("'go'")));
    late.give();
    await late.given;
    await instance.raiseEvent("go");
    const { failure } = await world.failure(instance);
    assert.equal(failure?.errorType, "NonDurableWaitError");
    assert.equal(ofKind(await historyOf(instance), "TaskScheduled").length, 0);
  });

  story("on replay a wait that is not durable stalls the instance, and fitting code goes on", async (world) => {
    const instance = await runToWait(world, noteAndWait);
    await instance.raiseEvent("go");
    const wrong = await world.work({
      orchestrators: [
        program(async (ctx) => {
          await ctx.callActivity(note, "a");
          return await new Promise<string>(() => undefined);
        }),
      ],
      activities: [note],
    });
    const status = await world.seen(instance, (each) => each.stall !== undefined);
    assert.deepEqual([status.status, status.stall?.kind], ["RUNNING", "non-durable-wait"]);
    await wrong.stop();
    await world.work({ orchestrators: [program(noteAndWait)], activities: [note] });
    assert.equal(await world.output(instance), "went on");
  });
};
