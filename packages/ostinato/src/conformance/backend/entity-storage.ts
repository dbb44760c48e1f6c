// entity storage: how entities come to be and go, what is read of them, and what is cleaned up.

import assert from "node:assert/strict";
import { entity, orchestrator } from "../../index.ts";
import { entities, holding, list, notes, shape } from "./entity-list.ts";
import type { Chapter, World } from "./world.ts";

export const entityStorage: Chapter = (story) => {
  // ---- coming to be and going

  story("cleared or deleted it is gone for its users, and the next operation begins anew", async (world) => {
    const asks = orchestrator("asks", async (ctx, key: string) => ctx.entity(list, key).isNew());
    await world.work({ orchestrators: [asks], entities });
    for (const [key, take] of [
      ["cleared", "forget"],
      ["deleted", "delete"],
    ] as const) {
      const handle = world.hub.entity(list, key);
      await handle.signal.add("first");
      await holding(world, key, 1);
      if (take === "delete") await handle.delete();
      else await handle.signal.forget();
      await world.asked(
        () => handle.state(),
        (state) => state === undefined,
      );
      assert.deepEqual(await listed(world, { name: "list" }), []);
      assert.deepEqual(await listed(world, { name: "list", includeTransient: true }), [`@list@${key}`]);
      assert.equal(await world.output(await world.hub.start(asks, key)), true);
      await handle.signal.add("second");
      assert.deepEqual(await holding(world, key, 1), ["second"]);
      assert.equal(await world.output(await world.hub.start(asks, key)), false);
      await handle.delete();
      await world.asked(
        () => handle.state(),
        (state) => state === undefined,
      );
      await world.hub.cleanEntityStorage();
    }
  });

  story("an operation of the program's own called delete stands in the place of the default one", async (world) => {
    const stubborn = entity("stubborn", { initial: () => 0 }).operations({ delete: (state) => state.set(state.value + 1) });
    await world.work({ entities: [stubborn] });
    await world.hub.entity(stubborn, "a").delete();
    await world.hub.entity(stubborn, "a").delete();
    await world.asked(
      () => world.hub.entity(stubborn, "a").state(),
      (state) => state === 2,
    );
  });

  story("falsy states are states; nothing is none", async (world) => {
    const any = entity("any", { initial: (): unknown => "beginning" }).operations({
      put: (state, value: unknown) => void state.set(value),
    });
    await world.work({ entities: [any] });
    for (const [n, value] of [0, "", false, null, []].entries()) {
      const handle = world.hub.entity(any, `${n}`);
      await handle.signal.put(value);
      await world.asked(
        () => handle.metadata(),
        (metadata) => metadata !== undefined && metadata.backlogQueueSize === 0,
      );
      assert.deepEqual(await handle.state(), value);
    }
  });

  story("a state is checked by its schema and brought up to date by its upcaster, from one deployment to the next", async (world) => {
    const before = entity("basket", { initial: () => ({ items: 0 }) }).operations({
      put: (state, n: number) => void state.set({ items: state.value.items + n }),
    });
    const after = entity("basket", {
      state: shape<{ items: { count: number } }>("items.count", (value) => typeof value.items?.count === "number"),
      initial: () => ({ items: { count: 0 } }),
      upcast: (stored) => {
        const { items } = stored as { items: number | { count: number } };
        return { items: typeof items === "number" ? { count: items } : items };
      },
    }).operations({
      put: (state, n: number) => void state.set({ items: { count: state.value.items.count + n } }),
      spoil: (state) => void state.set({ items: "spoilt" } as never),
    });
    const old = await world.work({ entities: [before] });
    await world.hub.entity(before, "a").signal.put(2);
    await world.asked(
      () => world.hub.entity(before, "a").state(),
      (state) => state?.items === 2,
    );
    await old.stop();
    await world.work({ entities: [after] });
    await world.hub.entity(after, "a").signal.put(3);
    await world.asked(
      () => world.hub.entity(after, "a").state(),
      (state) => state?.items.count === 5,
    );
    await world.hub.entity(after, "a").signal.spoil();
    await world.hub.entity(after, "a").signal.put(1);
    await world.asked(
      () => world.hub.entity(after, "a").state(),
      (state) => state?.items.count === 6,
    );
  });

  // ---- queries and cleaning

  story("entities are found by name, by the beginning of key and id, and by when they were written, page by page", async (world) => {
    const other = entity("lists", { initial: () => 0 }).operations({ set: (state, n: number) => void state.set(n) });
    await world.work({ entities: [list, other] });
    for (const key of ["a1", "a2", "b1"]) await world.hub.entity(list, key).signal.add(`in ${key}`);
    await world.hub.entity(other, "a1").signal.set(7);
    for (const key of ["a1", "a2", "b1"]) await holding(world, key, 1);
    await world.asked(
      () => world.hub.entity(other, "a1").state(),
      (state) => state === 7,
    );
    assert.deepEqual(await listed(world, {}), ["@list@a1", "@list@a2", "@list@b1", "@lists@a1"]);
    assert.deepEqual(await listed(world, { name: "List" }), ["@list@a1", "@list@a2", "@list@b1"]);
    assert.deepEqual(await listed(world, { entity: list, keyPrefix: "a" }), ["@list@a1", "@list@a2"]);
    assert.deepEqual(await listed(world, { idPrefix: "@lists@" }), ["@lists@a1"]);
    assert.deepEqual(await listed(world, { name: "none" }), []);
    const sizes: number[] = [];
    const cursors: string[] = [];
    for await (const { items, next } of world.hub.entities({ name: "list" }).pages({ size: 2 })) {
      sizes.push(items.length);
      if (next !== undefined) cursors.push(next);
    }
    assert.deepEqual(sizes, [2, 1]);
    for await (const { items } of world.hub.entities({ name: "list" }).pages({ size: 2, cursor: cursors[0]! }))
      assert.deepEqual(
        items.map(({ id }) => id),
        ["@list@b1"],
      );
    for await (const { key, state } of world.hub.entities({ entity: list })) assert.deepEqual(state, [`in ${key}`]);
    for await (const { state } of world.hub.entities({ entity: list, includeState: false })) assert.equal(state, undefined);

    const written = (await world.hub.entities({})).map(({ lastModifiedAt }) => lastModifiedAt.getTime());
    const last = Math.max(...written);
    // What the hub takes for the time may be a little behind.
    await world.asked(
      () => world.now(),
      (now) => now > last + 20,
      "passes",
    );
    await world.hub.entity(list, "b1").signal.add("again");
    await holding(world, "b1", 2);
    const { lastModifiedAt } = (await world.hub.entity(list, "b1").metadata())!;
    assert.ok(lastModifiedAt.getTime() > last);
    assert.deepEqual(await listed(world, { lastModifiedFrom: lastModifiedAt }), ["@list@b1"]);
    assert.deepEqual(await listed(world, { name: "list", lastModifiedTo: lastModifiedAt }), ["@list@a1", "@list@a2"]);
  });

  story("entities are no orchestrations: they are not listed with them", async (world) => {
    await world.work({ orchestrators: [notes], entities });
    await world.hub.entity(list, "a").signal.begin("one");
    await world.seen(world.hub.instance("one"), (status) => status.status === "COMPLETED");
    assert.deepEqual(
      (await world.hub.query()).map((status) => status.id),
      ["one"],
    );
  });

  story("E6 cleaning takes away what is empty, and nothing that has a state or something to do", async (world) => {
    const worker = await world.work({ entities });
    for (const key of ["empty", "later", "busy", "full"]) await world.hub.entity(list, key).signal.add("x");
    for (const key of ["empty", "later", "busy", "full"]) await holding(world, key, 1);
    for (const key of ["empty", "later", "busy"]) await world.hub.entity(list, key).delete();
    for (const key of ["empty", "later", "busy"])
      await world.asked(
        () => world.hub.entity(list, key).state(),
        (state) => state === undefined,
      );
    await world.hub.entity(list, "later").signal.add("y", { at: { milliseconds: 3 * world.unitMs } });
    await worker.stop();
    await world.hub.entity(list, "busy").signal.add("y");
    const cleaned = await world.hub.cleanEntityStorage();
    assert.deepEqual(cleaned, { emptyEntitiesRemoved: 1, orphanedLocksReleased: 0 });
    assert.equal(await world.hub.entity(list, "empty").metadata(), undefined);
    assert.deepEqual(await world.hub.cleanEntityStorage({ removeEmptyEntities: false }), {
      emptyEntitiesRemoved: 0,
      orphanedLocksReleased: 0,
    });
    await world.work({ entities });
    assert.deepEqual(await holding(world, "busy", 1), ["y"]);
    assert.deepEqual(await holding(world, "later", 1, "passes"), ["y"]);
    assert.deepEqual(await holding(world, "full", 1), ["x"]);
    await world.hub.entity(list, "empty").signal.add("again");
    assert.deepEqual(await holding(world, "empty", 1), ["again"]);
  });
};

/** The ids of those that are listed, in order. */
async function listed(world: World, query: Parameters<World["hub"]["entities"]>[0]): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of world.hub.entities(query)) ids.push(id);
  return ids.sort();
}
