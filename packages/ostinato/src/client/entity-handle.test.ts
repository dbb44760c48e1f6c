import assert from "node:assert/strict";
import { test } from "node:test";
import { entity, orchestrator } from "ostinato";
import { createTestHub } from "ostinato/testing";
import * as z from "zod";

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
  get text(): string {
    return `${(this.cents / 100).toFixed(2)}`;
  }
}

class Account {
  cents = 0;
  deposit(money: Money): number {
    return (this.cents += money.cents);
  }
  get text(): string {
    return new Money(this.cents).text;
  }
}

const account = entity("Account", Account, { operations: { deposit: { input: Money } } });
const counter = entity("counter", { state: z.number().max(100), initial: () => 0 }).operations({
  add: { input: z.int(), run: (state, amount) => void state.set(state.value + amount) },
  reset: (state) => state.set(0),
});

test("signals are done in order, and the state is read as the definition says", async () => {
  await using hub = await createTestHub({ entities: [account] });
  const ada = hub.entity(account, "ada");
  await ada.signal.deposit(new Money(150));
  await ada.signal.deposit(new Money(50));
  await hub.clock.advance("1s");
  const state = await ada.state();
  assert.ok(state instanceof Account);
  assert.equal(state.text, "2.00");
  assert.deepEqual([ada.id, ada.name, ada.key], ["@account@ada", "account", "ada"]);
  const metadata = await ada.metadata();
  assert.deepEqual(
    [metadata?.id, metadata?.backlogQueueSize, metadata?.lockedBy, metadata?.hasState, metadata?.state?.text],
    ["@account@ada", 0, undefined, true, "2.00"],
  );
});

test("what the operation's schema refuses is not sent", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  await assert.rejects(hub.entity(counter, "a").signal.add(1.5), { code: "VALIDATION_FAILED" });
  await hub.clock.advance("1s");
  assert.equal(await hub.entity(counter, "a").metadata(), undefined);
});

test("E7 a signal for later is not done before, by a duration or by a time", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  const visits = hub.entity(counter, "a");
  await visits.signal.add(1, { at: "10m" });
  await visits.signal.add(10, { at: new Date(Date.UTC(2025, 0, 1, 0, 20)) });
  await hub.clock.advance("9m");
  assert.equal(await visits.state(), undefined);
  await hub.clock.advance("2m");
  assert.equal(await visits.state(), 1);
  await hub.clock.advance("10m");
  assert.equal(await visits.state(), 11);
});

test("a deleted entity does not exist for its readers, and is there again with the next operation", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  const visits = hub.entity(counter, "a");
  await visits.signal.add(5);
  await visits.delete();
  await hub.clock.advance("1s");
  assert.equal(await visits.state(), undefined);
  assert.deepEqual(await hub.entities({ entity: counter }), []);
  assert.equal((await hub.entities({ entity: counter, includeTransient: true })).length, 1);
  await visits.signal.add(1);
  await hub.clock.advance("1s");
  assert.equal(await visits.state(), 1);
});

test("entities are listed by definition, name, prefix and time, page by page", async () => {
  await using hub = await createTestHub({ entities: [counter, account] });
  for (const key of ["a1", "a2", "b1"]) await hub.entity(counter, key).signal.add(1);
  await hub.entity(account, "ada").signal.deposit(new Money(1));
  await hub.clock.advance("1h");
  const since = new Date(Date.UTC(2025, 0, 1, 0, 30));
  await hub.entity(counter, "b1").signal.add(1);
  await hub.clock.advance("1s");

  const keys = async (query: Parameters<typeof hub.entities>[0]): Promise<string[]> => (await hub.entities(query)).map(({ key }) => key);
  assert.deepEqual(await keys({}), ["a1", "a2", "b1", "ada"]);
  assert.deepEqual(await keys({ entity: counter, keyPrefix: "a" }), ["a1", "a2"]);
  assert.deepEqual(await keys({ name: "COUNTER", keyPrefix: "b" }), ["b1"]);
  assert.deepEqual(await keys({ idPrefix: "@acc" }), ["ada"]);
  assert.deepEqual(await keys({ lastModifiedFrom: since }), ["b1"]);
  assert.deepEqual(await keys({ lastModifiedTo: since }), ["a1", "a2", "ada"]);
  const [first] = await hub.entities({ entity: counter, includeState: false });
  assert.deepEqual([first?.hasState, first?.state], [true, undefined]);
  const pages: string[][] = [];
  for await (const page of hub.entities({ entity: counter }).pages({ size: 2 })) pages.push(page.items.map(({ key }) => key));
  assert.deepEqual(pages, [["a1", "a2"], ["b1"]]);
  assert.deepEqual(await keys({ idPrefix: "@Counter@a" }), ["a1", "a2"]);
  assert.throws(() => hub.entities({ keyPrefix: "a" }), { code: "INVALID_ARGUMENT" });
  assert.throws(() => hub.entities({ name: "counter", idPrefix: "@c" }), { code: "INVALID_ARGUMENT" });
});

test("what is asked for as an entity and is none lists nothing: it is refused", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  assert.throws(() => hub.entities({ entity: "counter" as never }), /is given as name/);
  assert.throws(() => hub.entities({ entity: orchestrator("o", async () => 1) as never }), /is no entity/);
  for (const none of [null, {}, entity("counter", { initial: () => 0 })])
    assert.throws(() => hub.entities({ entity: none as never }), { code: "INVALID_ARGUMENT" });
});

test("a state that cannot be read throws where it is read, and spoils no list", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  await hub.entity(counter, "a").signal.add(50);
  await hub.clock.advance("1s");
  const strict = entity("counter", { state: z.number().max(10), initial: () => 0 }).operations({});
  await assert.rejects(hub.entity(strict, "a").state(), { code: "VALIDATION_FAILED" });
  const [listed] = await hub.entities({ entity: strict });
  assert.equal(listed?.key, "a");
  assert.throws(() => listed?.state, { code: "VALIDATION_FAILED" });
});

test("by its name an entity of another program is reached, with operations as the caller declares them", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  const visits = hub.entity<{ add(amount: number): void }, number>("Counter", "a");
  await visits.signal.add(3);
  await hub.clock.advance("1s");
  assert.equal(await visits.state(), 3);
});

test("what was set aside or is no entity is refused in words", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  assert.throws(() => hub.entity(counter, ""), { code: "INVALID_ARGUMENT" });
  assert.throws(() => hub.entity("a@b", "k"), /"@"/);
  assert.throws(() => hub.entity(orchestrator("o", async () => 1) as never, "k"), /is no entity/);
  assert.throws(() => hub.instance("@counter@a"), /kept for entities/);
  await assert.rejects(hub.start("@counter"), { code: "INVALID_ARGUMENT" });
});

test("what is left behind is cleaned up, and nothing else (E6)", async () => {
  await using hub = await createTestHub({ entities: [counter] });
  await hub.entity(counter, "gone").delete();
  await hub.entity(counter, "kept").signal.add(1);
  await hub.entity(counter, "later").signal.add(1, { at: "1h" });
  await hub.clock.advance("1s");
  assert.deepEqual(await hub.cleanEntityStorage(), { emptyEntitiesRemoved: 1, orphanedLocksReleased: 0 });
  assert.equal(await hub.entity(counter, "gone").metadata(), undefined);
  await hub.clock.advance("2h");
  assert.equal(await hub.entity(counter, "later").state(), 1);
});

test("types flow from the definition", () => {
  const check = async (hub: Awaited<ReturnType<typeof createTestHub>>): Promise<void> => {
    // @ts-expect-error the input is a number
    await hub.entity(counter, "a").signal.add("x");
    // @ts-expect-error there is no such operation
    "fly" satisfies keyof ReturnType<typeof hub.entity<{ add(n: number): void }>>["signal"];
    // @ts-expect-error an input is missing
    await hub.entity(account, "a").signal.deposit();
    const state: number | undefined = await hub.entity(counter, "a").state();
    for await (const { state: each } of hub.entities({ entity: account })) each?.text satisfies string | undefined;
    void state;
  };
  assert.equal(typeof check, "function");
});
