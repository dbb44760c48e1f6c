// entity: signals to entities, calls of them, transfers between two of them under locks. Each is warmed up first.
import { entity, orchestrator, type Hub } from "ostinato";
import { withHub, type Figures, type Place } from "./place.ts";

const SENDERS = 200;
const CALLERS = 200;
const TRANSFERS = 64;
const ACCOUNTS = 50;
const ROUND_TRIPS = 10;

const counter = entity("counter", { initial: () => 0 }).operations({
  add: (state, n: number) => state.set(state.value + n),
});
class Account {
  balance = 1_000;
  deposit(amount: number): number {
    return (this.balance += amount);
  }
  withdraw(amount: number): number {
    if (amount > this.balance) throw new Error("insufficient funds");
    return (this.balance -= amount);
  }
}
const account = entity("account", Account);

const calls = orchestrator("calls", async (ctx, key: string) => {
  const to = ctx.entity(counter, key);
  let last = 0;
  for (let n = 0; n < ROUND_TRIPS; n++) last = await to.add(1);
  return last;
});
const transfer = orchestrator("transfer", async (ctx, { from, to, amount }: { from: string; to: string; amount: number }) => {
  const [source, target] = [ctx.entity(account, from), ctx.entity(account, to)];
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

/** What these figures begin with: those of the file have no store in their names. */
function nameOf({ store }: Place, what: string): string {
  return store === "sqlite" ? `entity.${what}` : `${store}.entity.${what}`;
}

/** Does something so many at a time until a moment; how often it was done. */
async function inFlight(width: number, until: number, once: (n: number) => Promise<void>): Promise<number> {
  let done = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (performance.now() < until) await once(done++);
    }),
  );
  return done;
}

/** How often a second, after half as long of warming up. `settled` waits until all of it has been done. */
async function rate(
  place: Place,
  width: number,
  once: (n: number) => Promise<void>,
  settled = async (): Promise<void> => {},
): Promise<number> {
  await inFlight(width, performance.now() + (place.seconds * 1_000) / 2, once);
  await settled();
  const begun = performance.now();
  const done = await inFlight(width, begun + place.seconds * 1_000, once);
  await settled();
  return (done * 1_000) / (performance.now() - begun);
}

async function withEntities<T>(place: Place, work: (hub: Hub) => Promise<T>): Promise<T> {
  return withHub(
    place,
    async (hub) => {
      const worker = await hub.startWorker({ orchestrators: [calls, transfer], entities: [counter, account] });
      try {
        return await work(hub);
      } finally {
        await worker.stop();
      }
    },
    { worker: false },
  );
}

/** Signals accepted and done, to so many entities; signals/s. */
export async function signals(place: Place, entities: number): Promise<Figures> {
  return withEntities(place, async (hub) => {
    const all = Array.from({ length: entities }, (_, n) => hub.entity(counter, `${n}`));
    let sent = 0;
    const settled = async (): Promise<void> => {
      // What was sent last to each is behind everything else that was sent to it.
      for (const each of all)
        while (((await each.metadata())?.backlogQueueSize ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    const value = await rate(place, SENDERS, (n) => (sent++, all[n % entities]!.signal.add(1)), settled);
    let done = 0;
    for (const each of all) done += (await each.state()) ?? 0;
    if (done !== sent) throw new Error(`${sent} signals were sent, and ${done} were done`);
    return { [nameOf(place, `signals.n${entities}`)]: value };
  });
}

/** Orchestrations of ten calls in sequence, each with an entity of its own; round trips/s. */
export async function entityCalls(place: Place): Promise<Figures> {
  return withEntities(place, async (hub) => {
    const value = await rate(place, CALLERS, async (n) => void (await (await hub.start(calls, `${n % CALLERS}`)).result()));
    return { [nameOf(place, "calls")]: value * ROUND_TRIPS };
  });
}

/** Transfers between two of fifty accounts, both locked; transfers/s. */
export async function transfers(place: Place): Promise<Figures> {
  return withEntities(place, async (hub) => {
    const value = await rate(place, TRANSFERS, async (n) => {
      const from = n % ACCOUNTS;
      const to = (from + 1 + ((n * 7) % (ACCOUNTS - 1))) % ACCOUNTS;
      await (await hub.start(transfer, { from: `${from}`, to: `${to}`, amount: 1 + (n % 100) })).result();
    });
    let sum = 0;
    for (let n = 0; n < ACCOUNTS; n++) sum += (await hub.entity(account, `${n}`).state())?.balance ?? 1_000;
    if (sum !== ACCOUNTS * 1_000) throw new Error(`the accounts have ${sum} together`);
    return { [nameOf(place, "transfer")]: value };
  });
}
