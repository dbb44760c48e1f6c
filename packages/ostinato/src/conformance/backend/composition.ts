// composition: several tasks at once: all of them, any of them, the first of them by name; ours and the language's own.

import assert from "node:assert/strict";
import { activity, orchestrator, type OrchestrationHandle, type TaskFailedError } from "../../index.ts";
import { historyOf, ofKind, signal, type Chapter, type Signal, type World } from "./world.ts";

const upper = activity("upper", async (_ctx, text: string) => text.toUpperCase());
const fails = activity("fails", async (_ctx, text: string): Promise<string> => {
  throw new Error(text);
});

/** An activity that ends when the story says so, with what the story says. */
function onCue(): { readonly cues: Map<string, Signal<string>>; readonly cued: ReturnType<typeof makeCued> } {
  const cues = new Map<string, Signal<string>>();
  return { cues, cued: makeCued(cues) };
}

function makeCued(cues: Map<string, Signal<string>>) {
  return activity("cued", async (_ctx, key: string): Promise<string> => {
    const text = await cueOf(cues, key).given;
    if (text.startsWith("!")) throw new Error(text.slice(1));
    return text;
  });
}

function cueOf(cues: Map<string, Signal<string>>, key: string): Signal<string> {
  const known = cues.get(key);
  if (known !== undefined) return known;
  const made = signal<string>();
  cues.set(key, made);
  return made;
}

/** Waits until the history knows the end of a task. */
async function completed(world: World, instance: OrchestrationHandle, taskId: number): Promise<void> {
  await world.recorded(instance, (history) => history.some((event) => "taskScheduledId" in event && event.taskScheduledId === taskId));
}

export const composition: Chapter = (story) => {
  story("whenAll gives the results in the order of the list, whatever order they came in", async (world) => {
    const { cues, cued } = onCue();
    const all = orchestrator("all", async (ctx) => await ctx.whenAll(["a", "b", "c"].map((key) => ctx.callActivity(cued, key))));
    await world.work({ orchestrators: [all], activities: [cued] });
    const instance = await world.hub.start(all);
    for (const key of ["c", "a", "b"]) {
      cueOf(cues, key).give(key.toUpperCase());
      await completed(world, instance, "abc".indexOf(key) + 1);
    }
    assert.deepEqual(await world.output(instance), ["A", "B", "C"]);
    assert.deepEqual(
      ofKind(await historyOf(instance), "TaskCompleted").map((event) => event.taskScheduledId),
      [3, 1, 2],
    );
  });

  story("whenAll waits for every task, then throws the failure that came first, with the others in `errors`", async (world) => {
    const { cues, cued } = onCue();
    const all = orchestrator("all", async (ctx) => {
      try {
        await ctx.whenAll(["a", "b", "c"].map((key) => ctx.callActivity(cued, key)));
        return undefined;
      } catch (error) {
        const { cause, errors = [] } = error as TaskFailedError;
        return { first: (cause as Error).message, all: errors.map((each) => ((each as Error).cause as Error).message) };
      }
    });
    await world.work({ orchestrators: [all], activities: [cued] });
    const instance = await world.hub.start(all);
    cueOf(cues, "c").give("!third");
    await completed(world, instance, 3);
    cueOf(cues, "a").give("!first");
    await completed(world, instance, 1);
    assert.equal((await instance.status())?.status, "RUNNING");
    cueOf(cues, "b").give("fine");
    assert.deepEqual(await world.output(instance), { first: "third", all: ["third", "first"] });
  });

  story("whenAll of nothing is an empty list, at once; whenAny of nothing throws", async (world) => {
    const none = orchestrator("none", async (ctx) => {
      const all = await ctx.whenAll([]);
      let refusal = "";
      try {
        await ctx.whenAny([]);
      } catch (error) {
        refusal = (error as { code: string }).code;
      }
      return { all, refusal };
    });
    await world.work({ orchestrators: [none] });
    assert.deepEqual(await world.output(await world.hub.start(none)), { all: [], refusal: "INVALID_ARGUMENT" });
  });

  for (const warm of [{}, { bytes: 0 }]) {
    const how = "bytes" in warm ? ", replayed" : "";
    story(`whenAny gives the very task, whose result is there; the others go on${how}`, async (world) => {
      const { cues, cued } = onCue();
      const any = orchestrator("any", async (ctx) => {
        const slow = ctx.callActivity(cued, "slow");
        const fast = ctx.callActivity(cued, "fast");
        const winner = await ctx.whenAny([slow, fast]);
        const first = {
          isFast: winner === fast,
          isSlow: winner === slow,
          result: winner.result,
          completed: winner.isCompleted,
          slowCompleted: slow.isCompleted,
        };
        return { ...first, slow: await slow };
      });
      await world.work({ orchestrators: [any], activities: [cued], warm });
      const instance = await world.hub.start(any);
      cueOf(cues, "fast").give("F");
      await completed(world, instance, 2);
      cueOf(cues, "slow").give("S");
      assert.deepEqual(await world.output(instance), {
        isFast: true,
        isSlow: false,
        result: "F",
        completed: true,
        slowCompleted: false,
        slow: "S",
      });
    });
  }

  story("whenAny is the same in a generator, and a task that failed wins as well", async (world) => {
    const { cues, cued } = onCue();
    const any = orchestrator("any", function* (ctx) {
      const bad = ctx.callActivity(fails, "as asked");
      const other = ctx.callActivity(cued, "other");
      const winner = yield* ctx.whenAny([other, bad]);
      let message = "";
      try {
        void winner.result;
      } catch (error) {
        message = ((error as Error).cause as Error).message;
      }
      return { isBad: winner === bad, failed: winner.isFailed, message };
    });
    await world.work({ orchestrators: [any], activities: [cued, fails] });
    assert.deepEqual(await world.output(await world.hub.start(any)), { isBad: true, failed: true, message: "as asked" });
    cueOf(cues, "other").give("too late");
  });

  story("first names the winner and gives its value; the failure of the first one is thrown", async (world) => {
    const { cues, cued } = onCue();
    const one = orchestrator("one", async (ctx) => {
      const good = await ctx.first({ work: ctx.callActivity(upper, "x"), never: ctx.waitForExternalEvent("never") });
      let failure = "";
      try {
        await ctx.first({ bad: ctx.callActivity(fails, "as asked"), never: ctx.callActivity(cued, "never") });
      } catch (error) {
        failure = ((error as Error).cause as Error).message;
      }
      return { good, failure };
    });
    await world.work({ orchestrators: [one], activities: [cued, fails, upper] });
    assert.deepEqual(await world.output(await world.hub.start(one)), { good: { key: "work", value: "X" }, failure: "as asked" });
    cueOf(cues, "never").give("too late");
  });

  story("tasks can be put together in any way: all of any of all", async (world) => {
    const nested = orchestrator("nested", async (ctx) => {
      const pair = (text: string) => ctx.whenAll([ctx.callActivity(upper, text), ctx.callActivity(upper, `${text}${text}`)]);
      const either = ctx.whenAny([pair("a"), ctx.waitForExternalEvent("never")]);
      const [winner, rest] = await ctx.whenAll([either, pair("b")]);
      return [(winner as { result: unknown }).result, rest];
    });
    await world.work({ orchestrators: [nested], activities: [upper] });
    assert.deepEqual(await world.output(await world.hub.start(nested)), [
      ["A", "AA"],
      ["B", "BB"],
    ]);
  });

  story("one task may stand in several groups, and be awaited as often as one likes", async (world) => {
    const shared = orchestrator("shared", async (ctx) => {
      const task = ctx.callActivity(upper, "t");
      const [one] = await ctx.whenAll([task]);
      const winner = await ctx.whenAny([task, ctx.waitForExternalEvent("never")]);
      return [one, winner === task, await task, await task];
    });
    await world.work({ orchestrators: [shared], activities: [upper] });
    assert.deepEqual(await world.output(await world.hub.start(shared)), ["T", true, "T", "T"]);
  });

  for (const warm of [{}, { bytes: 0 }]) {
    const how = "bytes" in warm ? ", replayed" : "";
    story(`Promise.all, Promise.race, Promise.any and Promise.allSettled work on tasks${how}`, async (world) => {
      const native = orchestrator("native", async (ctx) => {
        const all = await Promise.all([ctx.callActivity(upper, "a"), ctx.callActivity(upper, "b"), Promise.resolve("plain")]);
        const raced = await Promise.race([ctx.waitForExternalEvent<string>("never"), ctx.callActivity(upper, "c")]);
        const any = await Promise.any([ctx.callActivity(fails, "no"), ctx.callActivity(upper, "d")]);
        const settled = await Promise.allSettled([ctx.callActivity(fails, "no"), ctx.callActivity(upper, "e")]);
        return { all, raced, any, settled: settled.map((each) => each.status) };
      });
      await world.work({ orchestrators: [native], activities: [upper, fails], warm });
      assert.deepEqual(await world.output(await world.hub.start(native)), {
        all: ["A", "B", "plain"],
        raced: "C",
        any: "D",
        settled: ["rejected", "fulfilled"],
      });
    });
  }

  story("async functions of a program run beside each other", async (world) => {
    const steps = orchestrator("steps", async (ctx) => {
      const line = async (text: string): Promise<string> => {
        const once = await ctx.callActivity(upper, text);
        return `${once}${await ctx.callActivity(upper, once + text)}`;
      };
      return await Promise.all([line("a"), line("b"), line("c")]);
    });
    await world.work({ orchestrators: [steps], activities: [upper], warm: { bytes: 0 } });
    assert.deepEqual(await world.output(await world.hub.start(steps)), ["AAA", "BBB", "CCC"]);
  });

  story("the result of a task that has not completed cannot be read yet", async (world) => {
    const hasty = orchestrator("hasty", async (ctx) => {
      const task = ctx.callActivity(upper, "x");
      let code = "";
      try {
        void task.result;
      } catch (error) {
        code = (error as { code: string }).code;
      }
      return [code, task.isCompleted, await task, task.result, task.isCompleted];
    });
    await world.work({ orchestrators: [hasty], activities: [upper] });
    assert.deepEqual(await world.output(await world.hub.start(hasty)), ["TASK_PENDING", false, "X", "X", true]);
  });

  story("R8 a task that fails and that nobody awaits harms nobody", async (world) => {
    const careless = orchestrator("careless", async (ctx) => {
      void ctx.callActivity(fails, "nobody listens");
      const all = ctx.whenAll([ctx.callActivity(fails, "nor here")]);
      await ctx.callActivity(upper, "x");
      void all;
      await ctx.callActivity(upper, "y");
      return "fine";
    });
    await world.work({ orchestrators: [careless], activities: [upper, fails] });
    assert.equal(await world.output(await world.hub.start(careless)), "fine");
  });
};
