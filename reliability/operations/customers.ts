// customers: a load that an operator's measures are taken under: orders that are placed and paid, whatever happens to the server.
//
// Owns:    which orders were acknowledged, and what must become of each.
// Tells:   what the checker expects.
import {
  activity,
  externalEvent,
  InstanceExistsError,
  InstanceNotFoundError,
  openTaskHub,
  orchestrator,
  StoreUnavailableError,
  type Hub,
  type Worker,
} from "ostinato";
import type { Expectation } from "../checker/rest-rules.ts";

const reserve = activity("reserve", async (_, order: number) => `reserved ${order}`);
const ship = activity("ship", async (_, parcel: number) => parcel);
const payment = externalEvent<string>("payment");
const orders = orchestrator("order", async (ctx, order: number) => {
  const reserved = await ctx.callActivity(reserve, order);
  const paid = await ctx.waitForExternalEvent(payment);
  await ctx.createTimer({ milliseconds: 20 });
  const parcels = await ctx.whenAll([0, 1, 2].map((parcel) => ctx.callActivity(ship, parcel)));
  return `${reserved}, paid by ${paid}, ${parcels.length} parcels`;
});

/** The id of an order's instance. */
export const idOf = (order: number): string => `order-${order}`;

/** What an order must come to. */
export function expected(order: number): Expectation {
  return { instanceId: idOf(order), output: `reserved ${order}, paid by card ${order}, 3 parcels` };
}

/** A process that works on the hub. */
export interface Works {
  readonly hub: Hub;
  /** What it has logged, warnings and errors. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** Whoever ends what a story began, when it fails in the middle. */
export interface Story {
  after(end: () => Promise<void>): void;
}

/** Opens a hub and works on it. */
export async function work(url: string, story: Story): Promise<Works> {
  const log: string[] = [];
  const hub = await openTaskHub(url, { log: { level: "warn", sink: ({ message }) => void log.push(message) } });
  const worker: Worker = await hub.startWorker({ orchestrators: [orders], activities: [reserve, ship] });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await worker.stop({ graceMs: 1_000 }).catch(() => undefined);
    await hub.close();
  };
  const works = { hub, log, close: () => (closing ??= close()) };
  story.after(works.close);
  return works;
}

/** Customers who place orders. */
export interface Customers {
  /** Orders that were placed and paid, both acknowledged. */
  acknowledged(): readonly number[];
  /** Waits for so many acknowledged ones. */
  reach(count: number): Promise<void>;
  /** No more orders; what is being asked is asked to its end. */
  leave(): Promise<void>;
}

/** So many customers order one thing after the other, beginning with an order's number. Whoever is told that the store is not there asks again. */
export function customersOf(hub: Hub, { count = 8, from = 0 } = {}): Customers {
  const done: number[] = [];
  let next = from;
  let open = true;
  let told = (): void => undefined;
  const customer = async (): Promise<void> => {
    while (open) {
      const order = next++;
      if (!(await place(hub, order, () => open || done.length === 0))) return;
      done.push(order);
      told();
    }
  };
  const all = Promise.all(Array.from({ length: count }, customer));
  return {
    acknowledged: () => [...done],
    async reach(wanted) {
      while (done.length < wanted) await Promise.race([new Promise<void>((resolve) => (told = resolve)), all]);
    },
    async leave() {
      open = false;
      await all;
    },
  };
}

/** Places an order and pays it. Asked again, it is the same order. False when it was given up. */
export async function place(hub: Hub, order: number, goOn: () => boolean = () => true): Promise<boolean> {
  for (;;) {
    try {
      await hub.start(orders, order, { instanceId: idOf(order) }).catch(unlessThere);
      await hub.instance(idOf(order)).raiseEvent(payment, `card ${order}`);
      return true;
    } catch (error) {
      // The server is not there; or it is another one, which has not heard of the start.
      if (!(error instanceof StoreUnavailableError || error instanceof InstanceNotFoundError)) throw error;
      if (!goOn()) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function unlessThere(error: unknown): void {
  if (!(error instanceof InstanceExistsError)) throw error;
}

/** Waits until these have ended. */
export async function ended(hub: Hub, which: readonly number[]): Promise<void> {
  await Promise.all(which.map((order) => hub.instance(idOf(order)).result({ timeout: "60s" })));
}
