// A critical section: two accounts are locked together, so that no transfer ever sees half of another one.
import { entity, openTaskHub, orchestrator } from "ostinato";

/** A class is an entity, too: its fields are the state, its methods the operations. It knows nothing of the engine. */
export class Account {
  balance = 0;

  deposit(amount: number): number {
    return (this.balance += amount);
  }

  withdraw(amount: number): number {
    // An operation that throws leaves the account as it was; whoever called it gets the error.
    if (amount > this.balance) throw new Error("insufficient funds");
    return (this.balance -= amount);
  }
}
export const account = entity("account", Account);

export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

/** The locks are taken in one order whatever the order here, so no two transfers wait for each other; every way out gives them back. */
export const transfer = orchestrator("transfer", async (ctx, { from, to, amount }: Transfer) => {
  const source = ctx.entity(account, from);
  const target = ctx.entity(account, to);
  return await ctx.lockEntities([source, target], async () => {
    try {
      await source.withdraw(amount);
    } catch {
      return "refused";
    }
    await target.deposit(amount);
    return "done";
  });
});

export const entities = [account];
export const orchestrators = [transfer];

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators, entities });

  for (const name of ["ada", "ben", "cleo"]) await hub.entity(account, name).signal.deposit(100);
  const asked: Transfer[] = [
    { from: "ada", to: "ben", amount: 30 },
    { from: "ben", to: "ada", amount: 10 },
    { from: "cleo", to: "ada", amount: 500 },
    { from: "ben", to: "cleo", amount: 20 },
  ];
  const instances = await Promise.all(asked.map((each) => hub.start(transfer, each)));
  const answers = await Promise.all(instances.map((instance) => instance.result({ timeout: "30s" })));
  answers.forEach((answer, at) => console.log(asked[at]?.from, "to", asked[at]?.to, asked[at]?.amount, answer));

  let sum = 0;
  for await (const { key, state } of hub.entities({ entity: account })) {
    console.log(key, state?.balance);
    sum += state?.balance ?? 0;
  }
  console.log("together", sum);
  await worker.stop();
  await hub.close();
}
