// validation: what enters is checked where it enters, and what the schema made of it is what is stored.

import assert from "node:assert/strict";
import { activity, externalEvent, orchestrator, type StandardSchemaV1 } from "../../index.ts";
import { historyOf, ofKind, refused, type Chapter } from "./world.ts";

/** A schema without a library: a number of items, which may come as text. It counts how often it is asked. */
function quantity(): StandardSchemaV1<{ readonly quantity: string | number }, { readonly quantity: number }> & { asked: number } {
  const schema = {
    asked: 0,
    "~standard": {
      version: 1 as const,
      vendor: "kit",
      validate(value: unknown) {
        schema.asked++;
        const number = Number((value as { quantity?: unknown } | undefined)?.quantity);
        if (Number.isInteger(number) && number > 0) return { value: { quantity: number } };
        return { issues: [{ message: "must be a whole number above 0", path: ["quantity"] }] };
      },
    },
  };
  return schema;
}

class Order {
  readonly product: string;
  readonly cost: number;
  constructor(product: string, cost: number) {
    this.product = product;
    this.cost = cost;
  }
  get needsApproval(): boolean {
    return this.cost >= 1_000;
  }
}

class Money {
  readonly #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  get cents(): number {
    return this.#cents;
  }
  toJSON(): { readonly cents: number } {
    return { cents: this.#cents };
  }
  static fromJSON(data: { readonly cents: number }): Money {
    return new Money(data.cents);
  }
}

export const validation: Chapter = (story) => {
  story("an input that its schema refuses is an error for the caller, names the path, and nothing is started", async (world) => {
    const order = orchestrator("order", { input: quantity() }, async (_ctx, input) => input.quantity);
    const error = await refused(world.hub.start(order, { quantity: "none" }, { instanceId: "never" }), "VALIDATION_FAILED");
    assert.match(error.message, /quantity: must be a whole number above 0/);
    assert.equal(await world.hub.instance("never").status(), undefined);
  });

  story("what the schema made of an input is what is stored, and nothing is validated on replay", async (world) => {
    const schema = quantity();
    const nothing = activity("nothing", async () => undefined);
    const order = orchestrator("order", { input: schema }, async (ctx, input) => {
      await ctx.callActivity(nothing);
      await ctx.callActivity(nothing);
      return input.quantity;
    });
    await world.work({ orchestrators: [order], activities: [nothing], warm: { bytes: 0 } });
    const instance = await world.hub.start(order, { quantity: "12" });
    assert.equal(await world.output(instance), 12);
    assert.equal(schema.asked, 1);
    assert.deepEqual((await instance.status())?.input, { quantity: 12 });
    assert.equal(ofKind(await historyOf(instance), "ExecutionStarted")[0]?.input, '{"quantity":12}');
  });

  story("a start that comes by name is validated by the worker, once, and the accepted value is recorded", async (world) => {
    const schema = quantity();
    const nothing = activity("nothing", async () => undefined);
    const order = orchestrator("order", { input: schema }, async (ctx, input) => {
      await ctx.callActivity(nothing);
      return input;
    });
    await world.work({ orchestrators: [order], activities: [nothing], warm: { bytes: 0 } });
    const instance = await world.hub.start("order", { quantity: "12" });
    assert.deepEqual(await world.output(instance), { quantity: 12 });
    assert.equal(schema.asked, 1);
    assert.deepEqual((await instance.status())?.input, { quantity: 12 });
    assert.equal(ofKind(await historyOf(instance), "ExecutionStarted")[0]?.input, '{"quantity":12}');
  });

  story("C7 a restart gives the accepted value again, unasked; so it does when the instance had been rewound", async (world) => {
    const schema = quantity();
    const state = { broken: true };
    const order = orchestrator("order", { input: schema }, async (_ctx, input) => {
      if (state.broken) throw new Error("broken");
      return input.quantity;
    });
    await world.work({ orchestrators: [order], warm: { bytes: 0 } });
    const instance = await world.hub.start(order, { quantity: "12" });
    await world.failure(instance);
    await instance.rewind();
    await world.failure(instance);
    assert.equal(schema.asked, 1);
    state.broken = false;
    await instance.restart();
    assert.equal(await world.output(instance), 12);
    assert.equal(schema.asked, 1);
  });

  story("a start by name that the worker refuses is a failed instance, and its program never runs", async (world) => {
    let ran = false;
    const order = orchestrator("order", { input: quantity() }, async () => {
      ran = true;
    });
    await world.work({ orchestrators: [order] });
    const { failure } = await world.failure(await world.hub.start("order", { quantity: -1 }));
    assert.equal(failure?.errorType, "ValidationError");
    assert.match(failure.message, /quantity: must be a whole number above 0/);
    assert.equal(failure.nonRetriable, true);
    assert.equal(ran, false);
  });

  story("a schema that answers later is waited for, in the client and in the worker", async (world) => {
    const inner = quantity();
    const later: StandardSchemaV1<{ readonly quantity: string | number }, { readonly quantity: number }> = {
      "~standard": { version: 1, vendor: "kit", validate: async (value) => inner["~standard"].validate(value) },
    };
    const order = orchestrator("order", { input: later }, async (_ctx, input) => input.quantity);
    await world.work({ orchestrators: [order] });
    assert.equal(await world.output(await world.hub.start(order, { quantity: "3" })), 3);
    assert.equal(await world.output(await world.hub.start("order", { quantity: "4" })), 4);
    await refused(world.hub.start(order, { quantity: 0 }), "VALIDATION_FAILED");
    assert.equal((await world.failure(await world.hub.start("order", { quantity: 0 }))).failure?.errorType, "ValidationError");
  });

  story("an output that its schema refuses fails the instance", async (world) => {
    const order = orchestrator("order", { output: quantity() }, async (ctx) => ({ quantity: ctx.instanceId === "good" ? "5" : "many" }));
    await world.work({ orchestrators: [order] });
    assert.deepEqual(await world.output(await world.hub.start(order, undefined, { instanceId: "good" })), { quantity: 5 });
    const { failure } = await world.failure(await world.hub.start(order, undefined, { instanceId: "bad" }));
    assert.equal(failure?.errorType, "ValidationError");
    assert.match(failure.message, /quantity/);
  });

  story("input and output of an activity are checked beside its body; a refusal is a failure that is never retried", async (world) => {
    const tries = { input: 0, output: 0 };
    const retry = { maxNumberOfAttempts: 5, firstRetryInterval: { milliseconds: world.unitMs } } as const;
    const takes = activity("takes", { input: quantity(), retry }, async (_ctx, input) => {
      tries.input++;
      return input.quantity;
    });
    const gives = activity("gives", { output: quantity(), retry }, async (_ctx, many: boolean) => {
      tries.output++;
      return { quantity: many ? "many" : "6" };
    });
    const calls = orchestrator("calls", async (ctx) => {
      const taken = await ctx.callActivity(takes, { quantity: "2" });
      const given = await ctx.callActivity(gives, false);
      const refusals: string[] = [];
      for (const call of [() => ctx.callActivity(takes, { quantity: "x" }), () => ctx.callActivity(gives, true)]) {
        try {
          await call();
        } catch (error) {
          refusals.push(((error as Error).cause as Error).name);
        }
      }
      return { taken, given, refusals };
    });
    await world.work({ orchestrators: [calls], activities: [takes, gives] });
    assert.deepEqual(await world.output(await world.hub.start(calls)), {
      taken: 2,
      given: { quantity: 6 },
      refusals: ["ValidationError", "ValidationError"],
    });
    assert.deepEqual(tries, { input: 1, output: 2 });
  });

  story("the data of an event is checked where it is raised; what its schema made of it is what arrives", async (world) => {
    const ordered = externalEvent("ordered", quantity());
    const waits = orchestrator("waits", async (ctx) => (await ctx.waitForExternalEvent(ordered)).quantity);
    await world.work({ orchestrators: [waits] });
    const instance = await world.hub.start(waits);
    const error = await refused(instance.raiseEvent(ordered, { quantity: "x" }), "VALIDATION_FAILED");
    assert.match(error.message, /ordered/);
    await instance.raiseEvent(ordered, { quantity: "9" });
    assert.equal(await world.output(instance), 9);
  });

  story("events that an orchestrator declares have the class or schema that it names", async (world) => {
    const shop = orchestrator("shop", { events: { ordered: Order, counted: quantity() } }, async (ctx) => {
      const order = await ctx.waitForExternalEvent("ordered");
      const { quantity: count } = await ctx.waitForExternalEvent("counted");
      return order.needsApproval ? count : 0;
    });
    await world.work({ orchestrators: [shop] });
    const instance = await world.hub.start(shop);
    await instance.raiseEvent(externalEvent("ordered", Order), new Order("laptop", 2_000));
    await instance.raiseEvent(externalEvent("counted", quantity()), { quantity: "3" });
    assert.equal(await world.output(instance), 3);
  });

  story("business objects keep their class where a definition names it: inputs, outputs, lists, events", async (world) => {
    const received = externalEvent("received", Order);
    const dearest = activity("dearest", { input: [Order], output: Order }, async (_ctx, orders) => {
      assert.ok(orders.every((order) => order instanceof Order));
      return orders.reduce((a, b) => (a.cost >= b.cost ? a : b));
    });
    const total = activity("total", { input: Money, output: Money }, async (_ctx, money) => new Money(money.cents * 2));
    const shop = orchestrator("shop", { input: Order, output: Order }, async (ctx, order) => {
      const later = await ctx.waitForExternalEvent(received);
      const money = await ctx.callActivity(total, new Money(later.cost));
      const best = await ctx.callActivity(dearest, [order, later, new Order("doubled", money.cents)]);
      assert.ok(best instanceof Order);
      return order.needsApproval ? order : best;
    });
    await world.work({ orchestrators: [shop], activities: [dearest, total], warm: { bytes: 0 } });
    const instance = await world.hub.start(shop, new Order("laptop", 999));
    await instance.raiseEvent(received, new Order("desk", 800));
    const best = await world.output(instance);
    assert.ok(best instanceof Order);
    assert.deepEqual({ ...best }, { product: "doubled", cost: 1_600 });
    assert.ok(best.needsApproval);
    assert.ok((await instance.status())?.input instanceof Order);
  });

  story("an instance of a class that no definition names is refused at the call, with its path and the remedy", async (world) => {
    const echo = orchestrator("echo", async (_ctx, value: unknown) => value);
    const error = await refused(world.hub.start(echo, { list: [new Order("desk", 1)] }, { instanceId: "never" }), "PAYLOAD_INVALID");
    assert.match(error.message, /list/);
    assert.match(error.message, /Order/);
    assert.equal(await world.hub.instance("never").status(), undefined);
    const gives = activity("gives", async () => ({ at: new Order("desk", 1) }));
    const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(gives));
    const passes = orchestrator("passes", async (ctx) => await ctx.callActivity<unknown>("gives", { deep: [() => 1] }));
    await world.work({ orchestrators: [calls, passes], activities: [gives] });
    assert.equal((await world.failure(await world.hub.start(calls))).failure?.inner?.errorType, "PayloadError");
    const { failure } = await world.failure(await world.hub.start(passes));
    assert.equal(failure?.errorType, "PayloadError");
    assert.match(failure.message, /deep/);
  });
};
