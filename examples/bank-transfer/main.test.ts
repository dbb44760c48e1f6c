import assert from "node:assert/strict";
import { test } from "node:test";
import { orchestrator, type Hub } from "ostinato";
import { atEveryCrash, createTestHub } from "ostinato/testing";
import { Account, account, entities, orchestrators, transfer } from "./main.ts";

async function balances(hub: Hub): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for await (const { key, state, lockedBy } of hub.entities({ entity: account })) {
    all[key] = state?.balance ?? 0;
    assert.equal(lockedBy, undefined, `${key} is locked at the end`);
  }
  return all;
}

test("an account is an ordinary class", () => {
  const ada = new Account();
  ada.deposit(10);
  assert.throws(() => ada.withdraw(11), /insufficient funds/);
  assert.equal(ada.balance, 10);
});

test("a transfer that is refused changes nothing", async () => {
  await using hub = await createTestHub({ orchestrators, entities });
  await hub.entity(account, "ada").signal.deposit(10);
  const instance = await hub.start(transfer, { from: "ada", to: "ben", amount: 11 });
  assert.equal(await instance.result(), "refused");
  await hub.clock.advance("1s");
  assert.deepEqual(await balances(hub), { ada: 10 });
});

test("transfers in a circle do not wait for each other", async () => {
  await using hub = await createTestHub({ orchestrators, entities });
  const names = ["ada", "ben", "cleo"];
  for (const name of names) await hub.entity(account, name).signal.deposit(100);
  const circle = names.map((from, at) => hub.start(transfer, { from, to: names[(at + 1) % 3] ?? "", amount: 10 }));
  for (const instance of await Promise.all(circle)) assert.equal(await instance.result(), "done");
  await hub.clock.advance("1s");
  assert.deepEqual(await balances(hub), { ada: 100, ben: 100, cleo: 100 });
});

test("E4 the process may die before and after every commit: no money is lost, and no lock is left", async () => {
  const fund = orchestrator("fund", async (ctx, name: string) => await ctx.entity(account, name).deposit(100));
  await atEveryCrash({ orchestrators: [...orchestrators, fund], entities }, async (hub) => {
    await (await hub.start(fund, "ada", { instanceId: "fund" })).result();
    const there = await hub.start(transfer, { from: "ada", to: "ben", amount: 60 }, { instanceId: "there" });
    const back = await hub.start(transfer, { from: "ben", to: "ada", amount: 10 }, { instanceId: "back" });
    const answers = [await there.result(), await back.result()];
    await hub.clock.advance("1m");
    assert.deepEqual(await balances(hub), answers[1] === "done" ? { ada: 50, ben: 50 } : { ada: 40, ben: 60 });
  });
});
