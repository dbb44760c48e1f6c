// entities: things with a state that do one thing at a time, whoever asks.

import assert from "node:assert/strict";
import { entity, EntityOperationFailedError, orchestrator, type EntityContext } from "../../index.ts";
import { entities, holding, list, notes, numeric, type ListOperations } from "./entity-list.ts";
import { ofKind, signal, type Chapter } from "./world.ts";

const adds = orchestrator("adds", async (ctx, { key, texts }: { key: string; texts: readonly string[] }) => {
  const to = ctx.entity(list, key);
  let last: string[] = [];
  for (const text of texts) last = await to.add(text);
  return last;
});

/** Those entries that begin so, in their order. */
function of(sender: string, state: readonly string[]): readonly string[] {
  return state.filter((text) => text.startsWith(`${sender} `));
}

function entriesOf(sender: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${sender} ${n}`);
}

export const entityStories: Chapter = (story) => {
  // ---- calls and signals

  story("a call gives what its operation returns, and the state is what the operation left", async (world) => {
    await world.work({ orchestrators: [adds], entities });
    const instance = await world.hub.start(adds, { key: "a", texts: ["x", "y"] });
    assert.deepEqual(await world.output(instance), ["x", "y"]);
    assert.deepEqual(await world.hub.entity(list, "a").state(), ["x", "y"]);
    const history = await instance.history();
    assert.deepEqual(
      ofKind(history, "EntityOperationCalled").map(({ entityId, operation }) => [entityId, operation]),
      [
        ["@list@a", "add"],
        ["@list@a", "add"],
      ],
    );
    assert.equal(ofKind(history, "EntityOperationCompleted").length, 2);
  });

  story("a signal is accepted when nobody serves the entity, and is done when somebody does", async (world) => {
    await world.hub.entity(list, "a").signal.add("early");
    assert.equal(await world.hub.entity(list, "a").state(), undefined);
    assert.equal((await world.hub.entity(list, "a").metadata())?.backlogQueueSize ?? 1, 1);
    await world.work({ entities });
    assert.deepEqual(await holding(world, "a", 1), ["early"]);
  });

  story("a call of an entity that nobody serves waits for a worker that does", async (world) => {
    await world.work({ orchestrators: [adds] });
    const instance = await world.hub.start(adds, { key: "a", texts: ["x"] });
    await world.recorded(instance, (history) => ofKind(history, "EntityOperationCalled").length === 1);
    await world.work({ entities });
    assert.deepEqual(await world.output(instance), ["x"]);
  });

  story("names of entities are the same in any case; keys are not, and may have any characters", async (world) => {
    await world.work({ entities });
    await world.hub.entity("LIST", "A@b/ü").signal["add"]?.("x");
    await world.hub.entity(list, "a@b/ü").signal.add("y");
    assert.deepEqual(await holding(world, "A@b/ü", 1), ["x"]);
    assert.deepEqual(await holding(world, "a@b/ü", 1), ["y"]);
    assert.equal(world.hub.entity("List", "A@b/ü").id, "@list@A@b/ü");
  });

  story("operations are done one at a time, also those that wait for something", async (world) => {
    let inside = 0;
    const slow = entity("slow", { initial: () => 0 }).operations({
      step: async (state) => {
        assert.equal(++inside, 1, "two operations of one entity at the same time");
        const before = state.value;
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
        inside--;
        return state.set(before + 1);
      },
    });
    const fan = orchestrator("fan", async (ctx) => {
      const counts = await ctx.whenAll(Array.from({ length: 20 }, () => ctx.entity(slow, "one").step()));
      return counts.toSorted((a, b) => a - b);
    });
    await world.work({ orchestrators: [fan], entities: [slow] });
    await world.work({ orchestrators: [fan], entities: [slow] });
    const instances = await Promise.all([world.hub.start(fan), world.hub.start(fan)]);
    const all = [...(await world.output(instances[0])), ...(await world.output(instances[1]))];
    assert.deepEqual(
      all.toSorted((a, b) => a - b),
      Array.from({ length: 40 }, (_, n) => n + 1),
    );
  });

  story("an entity of a class: its fields are the state, its methods the operations", async (world) => {
    class Account {
      balance = 0;
      readonly notes: string[] = [];
      deposit(amount: number, context?: EntityContext<Account>): number {
        this.notes.push(`${context?.key}: ${amount}`);
        return (this.balance += amount);
      }
      withdraw(amount: number): number {
        if (amount > this.balance) throw new RangeError("insufficient funds");
        return (this.balance -= amount);
      }
    }
    const account = entity("account", Account);
    const uses = orchestrator("uses", async (ctx) => {
      const ada = ctx.entity(account, "ada");
      await ada.deposit(7);
      const refused = await ada.withdraw(8).then(
        () => "done",
        (error: Error) => error.message,
      );
      return [refused, await ada.withdraw(3)];
    });
    await world.work({ orchestrators: [uses], entities: [account] });
    const [refused, left] = await world.output(await world.hub.start(uses));
    assert.match(String(refused), /insufficient funds/);
    assert.equal(left, 4);
    const state = await world.hub.entity(account, "ada").state();
    assert.deepEqual([state?.balance, state?.notes], [4, ["ada: 7"]]);
  });

  // ---- order

  story("E2 what one sender asks for is done once, in the order in which it asked, whoever else asks meanwhile", async (world) => {
    await world.work({ orchestrators: [adds], entities });
    const sends = async (sender: string): Promise<void> => {
      for (const text of entriesOf(sender, 25)) await world.hub.entity(list, "a").signal.add(text);
    };
    const instance = await world.hub.start(adds, { key: "a", texts: entriesOf("caller", 15) });
    await world.until(Promise.all([sends("one"), sends("two")]));
    await world.output(instance);
    const state = await holding(world, "a", 65);
    for (const [sender, count] of [
      ["one", 25],
      ["two", 25],
      ["caller", 15],
    ] as const)
      assert.deepEqual(of(sender, state), entriesOf(sender, count));
    assert.equal(state.length, 65);
  });

  story("E2 signals and calls of one orchestration are done in the order in which it asked for them", async (world) => {
    const mixes = orchestrator("mixes", async (ctx) => {
      const to = ctx.entity(list, "a");
      to.signal.add("1");
      const second = to.add("2");
      to.signal.add("3");
      const fourth = to.add("4");
      return [await second, await fourth];
    });
    await world.work({ orchestrators: [mixes], entities });
    assert.deepEqual(await world.output(await world.hub.start(mixes)), [
      ["1", "2"],
      ["1", "2", "3", "4"],
    ]);
  });

  story("E2 more operations than fit into one batch are done all, in order", async (world) => {
    const floods = orchestrator("floods", async (ctx) => {
      const to = ctx.entity(list, "a");
      for (const text of entriesOf("flood", 1_200)) to.signal.add(text);
      return (await to.get()).length;
    });
    await world.work({ orchestrators: [floods], entities });
    assert.equal(await world.output(await world.hub.start(floods)), 1_200);
    assert.deepEqual(await world.hub.entity(list, "a").state(), entriesOf("flood", 1_200));
  });

  // ---- time

  story("E7 a signal for later is done when its time has come and not before, and holds up nothing", async (world) => {
    const later = orchestrator("later", async (ctx) => {
      ctx.entity(list, "a").signal.add("orchestration's", { at: { milliseconds: 3 * world.unitMs } });
      return ctx.currentUtcDateTime.getTime();
    });
    await world.work({ orchestrators: [later], entities });
    const asked = await world.now();
    await world.hub.entity(list, "b").signal.add("client's", { at: { milliseconds: 4 * world.unitMs } });
    await world.hub.entity(list, "b").signal.add("at once");
    const turnAt = await world.output(await world.hub.start(later));
    if (world.virtual) {
      assert.deepEqual(await holding(world, "b", 1), ["at once"]);
      assert.equal((await world.hub.entity(list, "b").metadata())?.backlogQueueSize, 0, "what is for later is not counted");
    }
    const both = await holding(world, "b", 2, "passes");
    // In real time a machine may be so busy that the second signal is sent when the first is due.
    assert.deepEqual(world.virtual ? both : both.toSorted(), ["at once", "client's"]);
    const b = await world.hub.entity(list, "b").metadata();
    assert.ok(b !== undefined && b.lastModifiedAt.getTime() >= asked + 4 * world.unitMs, "the client's signal was early");
    await holding(world, "a", 1, "passes");
    const a = await world.hub.entity(list, "a").metadata();
    assert.ok(a !== undefined && a.lastModifiedAt.getTime() >= turnAt + 3 * world.unitMs, "the orchestration's signal was early");
  });

  story(
    "E7 a signal for a time that is over is done at once; signals for one time in the order in which they were asked for",
    async (world) => {
      await world.hub.entity(list, "a").signal.add("past", { at: new Date(0) });
      const at = new Date((await world.now()) + 2 * world.unitMs);
      for (const text of ["x", "y", "z"]) await world.hub.entity(list, "a").signal.add(text, { at });
      await world.work({ entities });
      assert.deepEqual(await holding(world, "a", 4, "passes"), ["past", "x", "y", "z"]);
    },
  );

  // ---- failure

  story("E3 an operation that throws leaves its state as before it and sends nothing; those beside it are done", async (world) => {
    await world.hub.entity(list, "a").signal.add("before");
    await world.hub.entity(list, "a").signal.fail("middle");
    await world.hub.entity(list, "a").signal.add("after");
    const worker = await world.work({ orchestrators: [notes], entities });
    assert.deepEqual(await holding(world, "a", 2), ["before", "after"]);
    await worker.stop();
    assert.equal(await world.hub.entity(list, "elsewhere").state(), undefined);
    assert.equal(await world.hub.instance("started for middle").status(), undefined);
  });

  story("E3 the caller of an operation that throws is told which, of whom and why, and may go on", async (world) => {
    const calls = orchestrator("calls", async (ctx) => {
      const told: unknown[] = [];
      for (const operation of ["fail", "no such operation"])
        try {
          await ctx.entity(list, "a").call(operation, "x");
        } catch (error) {
          assert.ok(error instanceof EntityOperationFailedError);
          told.push([error.entityId, error.operation, error.failure.errorType, error.failure.message]);
        }
      return [told, await ctx.entity(list, "a").get()];
    });
    await world.work({ orchestrators: [calls], entities });
    const instance = await world.hub.start(calls);
    const [told, state] = (await world.output(instance)) as [readonly (readonly string[])[], unknown];
    assert.deepEqual(told[0], ["@list@a", "fail", "TypeError", "no x"]);
    assert.deepEqual(told[1]?.slice(0, 2), ["@list@a", "no such operation"]);
    assert.match(told[1]?.[3] ?? "", /no such operation/);
    assert.deepEqual(state, []);
    assert.equal(ofKind(await instance.history(), "EntityOperationFailed").length, 2);
  });

  story("a failed call that nobody catches fails its orchestration, with the operation's failure within", async (world) => {
    const calls = orchestrator("calls", async (ctx) => ctx.entity(list, "a").fail("x"));
    await world.work({ orchestrators: [calls], entities });
    const { failure } = await world.failure(await world.hub.start(calls));
    const messages: string[] = [];
    for (let each: typeof failure | undefined = failure; each !== undefined; each = each.inner) messages.push(each.message);
    assert.ok(
      messages.some((message) => message.includes("no x")),
      messages.join(" <- "),
    );
  });

  story("inputs are checked by the operation's schema before its body, and its output after it", async (world) => {
    const strict = entity("strict", { initial: () => 0 }).operations({
      add: { input: numeric(), run: (state, n) => state.set(state.value + n) },
      lie: { output: numeric(), run: () => "text" as unknown as number },
      get: (state) => state.value,
    });
    const calls = orchestrator("calls", async (ctx) => {
      const to = ctx.entity(strict, "a");
      const outcome = (call: PromiseLike<unknown>): Promise<unknown> =>
        Promise.resolve(call).catch((error: EntityOperationFailedError) => error.failure.errorType);
      return [await outcome(to.call("add", "text")), await outcome(to.call("lie")), await outcome(to.add(2)), await to.get()];
    });
    await world.work({ orchestrators: [calls], entities: [strict] });
    const [badInput, badOutput, ...rest] = await world.output(await world.hub.start(calls));
    assert.match(String(badInput), /Validation/);
    assert.match(String(badOutput), /Validation/);
    assert.deepEqual(rest, [2, 2]);
  });

  // ---- what entities do to others

  story("entities signal others and themselves when their operation is written, and not before", async (world) => {
    const relay = entity("relay", { initial: () => 0 }).operations({
      go: (state, n: number) => {
        state.set(n);
        if (n < 5) state.entity<{ go(n: number): void }>("relay", state.key).signal.go(n + 1);
        state.entity(list, "log").signal.add(`relay ${n}`);
      },
      later: (state) => state.entity(list, "log").signal.add("later", { at: { milliseconds: 2 * world.unitMs } }),
    });
    await world.work({ entities: [list, relay] });
    const asked = await world.now();
    await world.hub.entity(relay, "r").signal.go(0);
    assert.deepEqual(await holding(world, "log", 6), entriesOf("relay", 6));
    assert.equal(await world.hub.entity(relay, "r").state(), 5);
    await world.hub.entity(relay, "r").signal.later();
    await holding(world, "log", 7, "passes");
    const modified = (await world.hub.entity(list, "log").metadata())?.lastModifiedAt.getTime() ?? 0;
    assert.ok(modified >= asked + 2 * world.unitMs, "E7 an entity's signal was early");
  });

  story("E2 what an entity signals comes in the order of its operations", async (world) => {
    await world.work({ entities });
    for (const text of entriesOf("passed", 20)) await world.hub.entity(list, "a").signal.pass({ to: "b", text });
    const state = await holding(world, "b", 20);
    assert.deepEqual(
      state,
      entriesOf("passed", 20).map((text) => `${text} from a`),
    );
  });

  story("entities start orchestrations; that an id is taken harms nobody", async (world) => {
    await world.work({ orchestrators: [notes], entities });
    await world.hub.start(notes, "a client", { instanceId: "taken" });
    await world.output(world.hub.instance("taken"));
    for (const id of ["taken", "fresh", "fresh"]) await world.hub.entity(list, "a").signal.begin(id);
    await world.hub.entity(list, "a").signal.add("after");
    assert.deepEqual(await holding(world, "a", 1), ["after"]);
    assert.equal(await world.output(world.hub.instance("taken")), "noted a client");
    await world.seen(world.hub.instance("fresh"), (status) => status.status === "COMPLETED");
    assert.equal(await world.output(world.hub.instance("fresh")), "noted a");
    assert.equal((await world.hub.query({ name: "notes" })).length, 2);
  });

  // ---- callers that come, go and wait

  story("the answer to one that has ended, or has begun anew, harms nobody", async (world) => {
    const forgets = orchestrator("forgets", async (ctx, round: number) => {
      void ctx.entity(list, "a").add(`round ${round}`);
      if (round < 2) return ctx.continueAsNew(round + 1);
      return (await ctx.entity(list, "a").get()).length;
    });
    await world.work({ orchestrators: [forgets] });
    const instance = await world.hub.start(forgets, 0);
    await world.recorded(instance, (history) => ofKind(history, "EntityOperationCalled").length === 2);
    const ended = await world.hub.start(forgets, 2, { instanceId: "ended" });
    await world.recorded(ended, (history) => ofKind(history, "EntityOperationCalled").length === 2);
    await ended.terminate();
    await world.failure(ended);
    await world.work({ entities });
    assert.equal(await world.output(instance), 3);
    assert.deepEqual((await holding(world, "a", 4)).toSorted(), ["round 0", "round 1", "round 2", "round 2"]);
    assert.equal((await ended.status())?.status, "TERMINATED");
  });

  story("C1, C2 the answer to one that is suspended waits until it is resumed", async (world) => {
    // It does not end before it is told to: a resume whose answer was lost is asked for again.
    const addsAndStays = orchestrator("addsAndStays", async (ctx) => {
      const all = await ctx.entity(list, "a").add("x");
      await ctx.waitForExternalEvent("go");
      return all;
    });
    await world.work({ orchestrators: [addsAndStays] });
    const instance = await world.hub.start(addsAndStays);
    await world.recorded(instance, (history) => ofKind(history, "EntityOperationCalled").length === 1);
    await instance.suspend();
    await world.work({ entities });
    await holding(world, "a", 1);
    assert.equal(ofKind(await instance.history(), "EntityOperationCompleted").length, 0);
    await instance.resume();
    await instance.raiseEvent("go");
    assert.deepEqual(await world.output(instance), ["x"]);
  });

  story("a call may be raced against a timer; what it does is done all the same", async (world) => {
    const races = orchestrator("races", async (ctx) => {
      const won = await ctx.first({
        call: ctx.entity(list, "a").add("x"),
        timer: ctx.createTimer({ milliseconds: world.unitMs }),
      });
      return won.key;
    });
    await world.work({ orchestrators: [races] });
    assert.equal(await world.output(await world.hub.start(races)), "timer");
    await world.work({ entities });
    assert.deepEqual(await holding(world, "a", 1), ["x"]);
  });

  // ---- crashes

  story("E2, I3 what was signalled and accepted is done once, whenever the process dies", async (world) => {
    if (world.restart === undefined) return world.skip("this hub cannot be crashed");
    let hangs = 2;
    let entered = signal();
    const frail = entity("frail", { initial: (): string[] => [] }).operations({
      add: async (state, text: string) => {
        if (text === "hangs" && hangs-- > 0) {
          entered.give();
          await new Promise(() => undefined);
        }
        state.value.push(text);
        state.entity<ListOperations>("list", "log").signal.add(text);
      },
    });
    for (const text of ["x", "hangs", "y"]) await world.hub.entity(frail, "a").signal.add(text);
    for (let crash = 0; crash < 2; crash++) {
      entered = signal();
      await world.work({ entities: [frail] });
      await world.until(entered.given);
      await world.restart();
    }
    await world.work({ entities: [frail, list] });
    await world.asked(
      () => world.hub.entity(frail, "a").state(),
      (state) => state?.length === 3,
      "passes",
    );
    assert.deepEqual(await holding(world, "log", 3, "passes"), ["x", "hangs", "y"]);
    assert.deepEqual(await world.hub.entity(frail, "a").state(), ["x", "hangs", "y"]);
  });

  story("E7 a signal for later outlives the process", async (world) => {
    if (world.restart === undefined) return world.skip("this hub cannot be crashed");
    await world.work({ entities });
    const at = (await world.now()) + 4 * world.unitMs;
    await world.hub.entity(list, "a").signal.add("later", { at: new Date(at) });
    await world.restart();
    await world.work({ entities });
    assert.deepEqual(await holding(world, "a", 1, "passes"), ["later"]);
    const modified = (await world.hub.entity(list, "a").metadata())?.lastModifiedAt.getTime() ?? 0;
    assert.ok(modified >= at, `it was ${at - modified} ms early`);
  });
};
