// bank-programs: accounts, transfers between two of them, and an audit that has all of them to itself.
import { entity, orchestrator } from "ostinato";

export const OPENING_BALANCE = 1_000;

export class Account {
  balance = OPENING_BALANCE;
  moves = 0;

  deposit(amount: number): number {
    this.moves++;
    return (this.balance += amount);
  }

  withdraw(amount: number): number {
    if (amount > this.balance) throw new RangeError("insufficient funds");
    this.moves++;
    return (this.balance -= amount);
  }

  read(): number {
    return this.balance;
  }
}
export const account = entity("account", Account);

/** A transfer that is asked for. */
export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

/** Money goes from one account to another; who sees one of them sees both. */
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

/** What all accounts have together, while nobody else moves anything. */
export const audit = orchestrator("audit", async (ctx, accounts: readonly string[]) => {
  const all = accounts.map((key) => ctx.entity(account, key));
  return await ctx.lockEntities(all, async () => {
    const balances = await ctx.whenAll(all.map((each) => each.read()));
    return balances.reduce((sum, balance) => sum + balance, 0);
  });
});

export const entities = [account];
export const orchestrators = [transfer, audit];

/** The keys of so many accounts. */
export function accountKeys(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `account ${n}`);
}

/** The n-th transfer of a seed: chance decides, and the same seed always decides the same. */
export function transferOf(seed: number, n: number, accounts: readonly string[]): Transfer {
  const draw = (place: number, below: number): number => {
    let mixed = Math.imul(seed ^ Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(place, 0x85ebca6b), 0x21f0aaad) >>> 0;
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97) >>> 0;
    return ((mixed ^ (mixed >>> 15)) >>> 0) % below;
  };
  const from = draw(1, accounts.length);
  const to = (from + 1 + draw(2, accounts.length - 1)) % accounts.length;
  return { from: accounts[from]!, to: accounts[to]!, amount: 1 + draw(3, OPENING_BALANCE) };
}
