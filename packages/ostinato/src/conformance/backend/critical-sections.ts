// critical sections: an orchestration has several entities to itself, and whatever becomes of it, they are free afterwards.

import assert from "node:assert/strict";
import { CriticalSectionError, entity, orchestrator, type OrchestrationHandle } from "../../index.ts";
import { ofKind, type Chapter, type World } from "./world.ts";

const counter = entity("counter", { initial: () => 0 }).operations({
  get: (state) => state.value,
  set: (state, n: number) => state.set(n),
  add: (state, n: number) => state.set(state.value + n),
  fail: (state, n: number) => {
    state.set(n);
    throw new Error(`no ${n}`);
  },
});
const list = entity("list", { initial: (): string[] => [] }).operations({
  add: (state, text: string) => {
    state.value.push(text);
    return state.value;
  },
});
const entities = [counter, list];

/** Reads, waits, writes what it has read and one more: wrong for whoever is not alone. */
const increments = orchestrator("increments", async (ctx, { keys, rounds }: { keys: readonly string[]; rounds: number }) => {
  for (let round = 0; round < rounds; round++) {
    const all = keys.map((key) => ctx.entity(counter, key));
    await ctx.lockEntities(all, async () => {
      const read = await ctx.whenAll(all.map((each) => each.get()));
      await ctx.createTimer("0s");
      await ctx.whenAll(all.map((each, at) => each.set((read[at] ?? 0) + 1)));
    });
  }
});

/** Has a section until it is told to go on. */
const holds = orchestrator("holds", async (ctx, keys: readonly string[]) => {
  return await ctx.lockEntities(
    keys.map((key) => ctx.entity(counter, key)),
    async () => {
      ctx.setCustomStatus("inside");
      await ctx.waitForExternalEvent("go");
      return ctx.entity(counter, keys[0] ?? "").add(1);
    },
  );
});

/** The ways out of a section, and out of the orchestration that has it. */
const WAYS = [
  "returns from the body",
  "throws from the body",
  "fails by a call",
  "releases by hand",
  "disposes",
  "completes inside",
  "fails inside",
  "continues as new from the body",
  "continues as new inside",
] as const;
type Way = (typeof WAYS)[number];

const leaves = orchestrator("leaves", async (ctx, { way, again }: { way: Way; again: boolean }): Promise<string> => {
  if (again) return way;
  const [a, b] = [ctx.entity(counter, "a"), ctx.entity(counter, "b")];
  switch (way) {
    case "returns from the body":
      return await ctx.lockEntities([a, b], async () => `${way}${await a.get()}`);
    case "throws from the body":
      return await Promise.resolve(
        ctx.lockEntities([a, b], () => {
          throw new Error("thrown inside");
        }),
      ).catch((error: Error) => error.message);
    case "fails by a call":
      return await Promise.resolve(ctx.lockEntities([a, b], () => a.fail(3))).then(
        () => "done",
        () => way,
      );
    case "releases by hand": {
      const section = await ctx.lockEntities([a, b]);
      await a.add(1);
      section.release();
      section.release();
      return `${section.isReleased} ${ctx.isInCriticalSection}`;
    }
    case "disposes": {
      using section = await ctx.lockEntities([a, b]);
      return section.entityIds.join();
    }
    case "completes inside":
      await ctx.lockEntities([a, b]);
      return way;
    case "fails inside":
      await ctx.lockEntities([a, b]);
      throw new Error("failed inside");
    case "continues as new from the body":
      await ctx.lockEntities([a, b], () => ctx.continueAsNew({ way, again: true }));
      return way;
    case "continues as new inside":
      await ctx.lockEntities([a, b]);
      ctx.continueAsNew({ way, again: true });
      return way;
  }
});

/** Nobody has an entity to himself, and none waits for anything. */
async function allFree(world: World): Promise<void> {
  const locked = async (): Promise<string[]> => {
    const all: string[] = [];
    for await (const { id, lockedBy, backlogQueueSize } of world.hub.entities({ includeTransient: true }))
      if (lockedBy !== undefined || backlogQueueSize > 0) all.push(`${id} (by ${lockedBy}, ${backlogQueueSize} waiting)`);
    return all;
  };
  await world.asked(locked, (all) => all.length === 0, "passes");
  assert.deepEqual((await world.hub.cleanEntityStorage({ removeEmptyEntities: false })).orphanedLocksReleased, 0);
}

/** Waits until an entity is locked by this orchestration. */
async function lockedBy(world: World, key: string, owner: string | undefined): Promise<void> {
  await world.asked(
    async () => (await world.hub.entity(counter, key).metadata())?.lockedBy,
    (by) => by === owner,
  );
}

async function isInside(world: World, instance: OrchestrationHandle<unknown>): Promise<void> {
  await world.seen(instance, (status) => status.customStatus === "inside");
}

export const criticalSections: Chapter = (story) => {
  // ---- exclusion

  story("E1 sections over overlapping sets of entities lose no update, and see none by halves", async (world) => {
    await world.work({ orchestrators: [increments], entities });
    await world.work({ orchestrators: [increments], entities });
    const sets = [["a"], ["a", "b"], ["b", "a"], ["b", "c", "a"], ["c", "b"], ["c"], ["c", "a"], ["a", "b", "c"]];
    const rounds = 3;
    const instances = await Promise.all(sets.map((keys) => world.hub.start(increments, { keys, rounds })));
    for (const instance of instances) await world.output(instance);
    for (const key of ["a", "b", "c"])
      assert.equal(await world.hub.entity(counter, key).state(), sets.filter((keys) => keys.includes(key)).length * rounds, key);
    await allFree(world);
  });

  story("two that lock the same entities in opposite order do not wait for each other", async (world) => {
    await world.work({ orchestrators: [increments], entities });
    const instances = await Promise.all(
      Array.from({ length: 10 }, (_, n) => world.hub.start(increments, { keys: n % 2 === 0 ? ["x", "y"] : ["y", "x"], rounds: 2 })),
    );
    for (const instance of instances) await world.output(instance);
    assert.equal(await world.hub.entity(counter, "x").state(), 20);
    await allFree(world);
  });

  story("an entity that is named twice is locked once; a lock makes the address of an entity, and no state", async (world) => {
    const twice = orchestrator("twice", async (ctx) => {
      const section = await ctx.lockEntities([ctx.entity(counter, "new"), ctx.entity("COUNTER", "new")]);
      const inside = ctx.isInCriticalSection;
      section.release();
      return [section.entityIds, inside, ctx.isInCriticalSection];
    });
    await world.work({ orchestrators: [twice], entities });
    const instance = await world.hub.start(twice);
    assert.deepEqual(await world.output(instance), [["@counter@new"], true, false]);
    assert.deepEqual(ofKind(await instance.history(), "EntityLockRequested")[0]?.lockSet, ["@counter@new"]);
    assert.equal(await world.hub.entity(counter, "new").state(), undefined);
    await allFree(world);
  });

  story("E5 while an entity is locked the signals and calls of others wait, and are done afterwards in their order", async (world) => {
    const owner = orchestrator("owner", async (ctx) => {
      const to = ctx.entity(list, "a");
      return await ctx.lockEntities([to], async () => {
        ctx.setCustomStatus("inside");
        await to.add("owner 1");
        await ctx.waitForExternalEvent("go");
        return await to.add("owner 2");
      });
    });
    const caller = orchestrator("caller", async (ctx) => ctx.entity(list, "a").add("caller"));
    await world.work({ orchestrators: [owner, caller], entities });
    const first = await world.hub.start(owner, undefined, { instanceId: "owner" });
    await isInside(world, first);
    for (const text of ["client 1", "client 2"]) await world.hub.entity(list, "a").signal.add(text);
    const second = await world.hub.start(caller);
    await world.recorded(second, (history) => ofKind(history, "EntityOperationCalled").length === 1);
    const metadata = await world.asked(
      () => world.hub.entity(list, "a").metadata(),
      (each) => each?.state?.length === 1,
    );
    assert.equal(metadata?.lockedBy, "owner", "who has the lock is told by its instance id");
    await world.asked(
      async () => (await world.hub.entity(list, "a").metadata())?.backlogQueueSize,
      (size) => size === 3,
    );
    await first.raiseEvent("go");
    assert.deepEqual(await world.output(first), ["owner 1", "owner 2"]);
    assert.deepEqual(await world.output(second), ["owner 1", "owner 2", "client 1", "client 2", "caller"]);
    await allFree(world);
  });

  story("E2 a request for a lock keeps its place among operations: what came before it is done before it", async (world) => {
    const mixes = orchestrator("mixes", async (ctx) => {
      const to = ctx.entity(list, "a");
      to.signal.add("before");
      const section = await ctx.lockEntities([to]);
      const seen = await to.add("inside");
      section.release();
      to.signal.add("after");
      return [seen, await to.add("last")];
    });
    await world.work({ orchestrators: [mixes], entities });
    assert.deepEqual(await world.output(await world.hub.start(mixes)), [
      ["before", "inside"],
      ["before", "inside", "after", "last"],
    ]);
    await allFree(world);
  });

  story("E3 an operation that fails in a section leaves its entity as it was; the section goes on", async (world) => {
    const goesOn = orchestrator("goesOn", async (ctx) => {
      const [a, b] = [ctx.entity(counter, "a"), ctx.entity(counter, "b")];
      return await ctx.lockEntities([a, b], async () => {
        await a.add(1);
        const refused = await a.fail(9).then(
          () => "done",
          (error: Error) => error.name,
        );
        return [refused, await a.get(), await b.add(2)];
      });
    });
    await world.work({ orchestrators: [goesOn], entities });
    assert.deepEqual(await world.output(await world.hub.start(goesOn)), ["EntityOperationFailedError", 1, 2]);
    await allFree(world);
  });

  story("within a section there is time for activities, timers, events and children that have sections of their own", async (world) => {
    const outer = orchestrator("outer", async (ctx, depth: number): Promise<number> => {
      const own = ctx.entity(counter, `depth ${depth}`);
      return await ctx.lockEntities([own], async () => {
        await own.add(depth);
        await ctx.createTimer("0s");
        const below = depth === 0 ? 0 : await ctx.callSubOrchestrator(outer, depth - 1);
        return below + (await own.get());
      });
    });
    await world.work({ orchestrators: [outer], entities });
    assert.equal(await world.output(await world.hub.start(outer, 3)), 6);
    await allFree(world);
  });

  // ---- the way out

  for (const way of WAYS)
    story(`E4 no lock outlives its owner: one that ${way}`, async (world) => {
      await world.work({ orchestrators: [leaves, increments], entities });
      const instance = await world.hub.start(leaves, { way, again: false });
      if (way === "fails inside") await world.failure(instance);
      else {
        const expected: Partial<Record<Way, string>> = {
          "returns from the body": `${way}0`,
          "throws from the body": "thrown inside",
          "releases by hand": "true false",
          disposes: "@counter@a,@counter@b",
        };
        assert.equal(await world.output(instance), expected[way] ?? way);
      }
      await world.output(await world.hub.start(increments, { keys: ["a", "b"], rounds: 1 }));
      await allFree(world);
    });

  story("E4 an owner that is terminated, or replaced by a start under its id, lets its entities go", async (world) => {
    await world.work({ orchestrators: [holds, increments], entities });
    for (const end of ["terminate", "replace"] as const) {
      const owner = await world.hub.start(holds, ["a", "b"], { instanceId: end });
      await isInside(world, owner);
      await lockedBy(world, "b", end);
      const next = await world.hub.start(increments, { keys: ["b"], rounds: 1 });
      if (end === "terminate") {
        await owner.terminate();
        await world.failure(owner);
        await owner.purge();
      } else await world.hub.start(increments, { keys: ["a"], rounds: 1 }, { instanceId: end, dedupeStatuses: [] });
      await world.output(next);
      await world.output(await world.hub.start(increments, { keys: ["a", "b"], rounds: 1 }));
      await allFree(world);
    }
  });

  for (const { who, end } of [
    { who: "at the first entity", end: "terminated" },
    { who: "between two entities", end: "terminated" },
    { who: "at the first entity", end: "replaced" },
    { who: "between two entities", end: "replaced" },
  ] as const)
    story(`E4 who is ${end} while it waits for its lock ${who} leaves none, and holds up nobody`, async (world) => {
      await world.work({ orchestrators: [holds, increments], entities });
      const held = who === "at the first entity" ? "a" : "b";
      const holder = await world.hub.start(holds, [held], { instanceId: "holder" });
      await isInside(world, holder);
      const waiter = await world.hub.start(holds, ["a", "b", "c"], { instanceId: "waiter" });
      await world.recorded(waiter, (history) => ofKind(history, "EntityLockRequested").length === 1);
      if (held === "b") await lockedBy(world, "a", "waiter");
      const behind = await world.hub.start(increments, { keys: ["a", "b", "c"], rounds: 1 });
      await world.recorded(behind, (history) => ofKind(history, "EntityLockRequested").length === 1);
      if (end === "terminated") {
        await waiter.terminate();
        await world.failure(waiter);
        await waiter.purge();
      } else {
        await world.hub.start(increments, { keys: ["c"], rounds: 1 }, { instanceId: "waiter", dedupeStatuses: [] });
        await world.output(world.hub.instance("waiter"));
      }
      await lockedBy(world, held, "holder");
      await holder.raiseEvent("go");
      await world.output(holder);
      await world.output(behind);
      assert.equal(await world.hub.entity(counter, held).state(), 2);
      await allFree(world);
    });

  story("E4 one that gives up waiting for its lock takes the request back", async (world) => {
    const impatient = orchestrator("impatient", async (ctx) => {
      const set = ["a", "b", "c"].map((key) => ctx.entity(counter, key));
      const won = await ctx.first({ lock: ctx.lockEntities(set), timer: ctx.createTimer({ milliseconds: world.unitMs }) });
      if (won.key === "lock") won.value.release();
      const cancelled = ctx.lockEntities(set);
      cancelled.cancel();
      return [won.key, await ctx.entity(counter, "c").add(1)];
    });
    await world.work({ orchestrators: [holds, impatient, increments], entities });
    for (const held of ["a", "b"]) {
      const holder = await world.hub.start(holds, [held]);
      await isInside(world, holder);
      const [won] = await world.output(await world.hub.start(impatient));
      assert.equal(won, "timer");
      await holder.raiseEvent("go");
      await world.output(holder);
      await world.output(await world.hub.start(increments, { keys: ["a", "b", "c"], rounds: 1 }));
      await allFree(world);
    }
  });

  story("C1 an owner that is suspended keeps its lock until it is resumed; terminated while suspended it lets go", async (world) => {
    await world.work({ orchestrators: [holds, increments], entities });
    for (const end of ["resumed", "terminated"] as const) {
      const owner = await world.hub.start(holds, ["a"], { instanceId: end });
      await isInside(world, owner);
      await owner.suspend();
      const next = await world.hub.start(increments, { keys: ["a"], rounds: 1 });
      await owner.raiseEvent("go");
      await world.recorded(next, (history) => ofKind(history, "EntityLockRequested").length === 1);
      await lockedBy(world, "a", end);
      assert.equal(ofKind(await next.history(), "EntityLockGranted").length, 0);
      if (end === "resumed") {
        await owner.resume();
        await world.output(owner);
      } else {
        await owner.terminate();
        await world.failure(owner);
      }
      await world.output(next);
      await allFree(world);
    }
  });

  story("E6 cleaning takes away no entity that is locked, and no lock whose owner runs", async (world) => {
    await world.work({ orchestrators: [holds], entities });
    const owner = await world.hub.start(holds, ["a"], { instanceId: "owner" });
    await isInside(world, owner);
    assert.deepEqual(await world.hub.cleanEntityStorage(), { emptyEntitiesRemoved: 0, orphanedLocksReleased: 0 });
    await lockedBy(world, "a", "owner");
    await owner.raiseEvent("go");
    assert.equal(await world.output(owner), 1);
    await allFree(world);
  });

  story("C6 a section that failed is asked for anew when its orchestration is rewound", async (world) => {
    let fails = true;
    const frail = entity("frail", { initial: () => 0 }).operations({
      add: (state, n: number) => {
        if (fails) throw new Error("not yet");
        return state.set(state.value + n);
      },
    });
    const tries = orchestrator("tries", async (ctx) => {
      const [a, b] = [ctx.entity(counter, "a"), ctx.entity(frail, "b")];
      return await ctx.lockEntities([a, b], async () => [await a.add(1), await b.add(2)]);
    });
    await world.work({ orchestrators: [tries, increments], entities: [...entities, frail] });
    const instance = await world.hub.start(tries);
    await world.failure(instance);
    await world.output(await world.hub.start(increments, { keys: ["a"], rounds: 1 }));
    await allFree(world);
    fails = false;
    await instance.rewind("now");
    assert.deepEqual(await world.until(instance.result()), [1, 2]);
    assert.equal(await world.hub.entity(counter, "a").state(), 2);
    await allFree(world);
  });

  // ---- the rules

  story("the rules of a section are told where they are broken, and the section goes on", async (world) => {
    const breaks = orchestrator("breaks", async (ctx) => {
      const [a, b] = [ctx.entity(counter, "a"), ctx.entity(counter, "b")];
      const told: string[] = [];
      const rule = async (what: string, run: () => unknown): Promise<void> => {
        try {
          await run();
          told.push(`${what}: allowed`);
        } catch (error) {
          told.push(`${what}: ${error instanceof CriticalSectionError ? "refused" : String(error)}`);
        }
      };
      await rule("no entities", () => ctx.lockEntities([]));
      const asked = ctx.lockEntities([a]);
      await rule("a call before the lock is granted", () => a.get());
      await rule("a second request", () => ctx.lockEntities([b]));
      const section = await asked;
      await rule("a call of another entity", () => b.get());
      await rule("a section within the section", () => ctx.lockEntities([b]));
      await rule("a signal to a locked entity", () => a.signal.add(1));
      await rule("a signal to another entity", () => b.signal.add(1));
      const first = a.add(1);
      await rule("a second call of an entity that has not answered", () => a.add(1));
      await first;
      await rule("a call", () => a.add(1));
      section.release();
      await rule("a call of another entity afterwards", () => b.get());
      return told;
    });
    await world.work({ orchestrators: [breaks], entities });
    assert.deepEqual(await world.output(await world.hub.start(breaks)), [
      "no entities: refused",
      "a call before the lock is granted: refused",
      "a second request: refused",
      "a call of another entity: refused",
      "a section within the section: refused",
      "a signal to a locked entity: refused",
      "a signal to another entity: allowed",
      "a second call of an entity that has not answered: refused",
      "a call: allowed",
      "a call of another entity afterwards: allowed",
    ]);
    assert.equal(await world.hub.entity(counter, "a").state(), 2);
    await allFree(world);
  });

  // ---- crashes

  story("E1, E4 sections go on after a crash where they were, and no lock is lost or left", async (world) => {
    if (world.restart === undefined) return world.skip("this hub cannot be crashed");
    const sets = [["a", "b"], ["b", "c"], ["c", "a"], ["a"]];
    for (const [n, keys] of sets.entries()) await world.hub.start(increments, { keys, rounds: 3 }, { instanceId: `i${n}` });
    await world.hub.start(holds, ["b"], { instanceId: "holder" });
    for (let crash = 0; crash < 5; crash++) {
      await world.work({ orchestrators: [increments, holds], entities });
      // However far it comes: some turns, and then nothing of it is left but what is stored.
      let left = crash;
      await world.asked(
        () => world.hub.query(),
        () => left-- <= 0,
      );
      await world.restart();
    }
    await world.work({ orchestrators: [increments, holds], entities });
    await world.seen(world.hub.instance("holder"), (status) => status.customStatus === "inside", "passes");
    await world.restart();
    await lockedBy(world, "b", "holder");
    await world.work({ orchestrators: [increments, holds], entities });
    await world.hub.instance("holder").raiseEvent("go");
    await world.output(world.hub.instance("holder"));
    for (const n of sets.keys()) await world.output(world.hub.instance(`i${n}`));
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((key) => world.hub.entity(counter, key).state())), [9, 7, 6]);
    await allFree(world);
  });

  story("E4 who is terminated while nobody runs has let go when somebody does", async (world) => {
    if (world.restart === undefined) return world.skip("this hub cannot be crashed");
    await world.work({ orchestrators: [holds, increments], entities });
    const owner = await world.hub.start(holds, ["a", "b"], { instanceId: "owner" });
    await isInside(world, owner);
    const waiter = await world.hub.start(holds, ["b", "c"], { instanceId: "waiter" });
    await world.recorded(waiter, (history) => ofKind(history, "EntityLockRequested").length === 1);
    await world.restart();
    for (const id of ["owner", "waiter"]) await world.hub.instance(id).terminate();
    await world.restart();
    await world.work({ orchestrators: [holds, increments], entities });
    for (const id of ["owner", "waiter"]) await world.failure(world.hub.instance(id));
    await world.output(await world.hub.start(increments, { keys: ["a", "b", "c"], rounds: 1 }));
    await allFree(world);
  });
};
