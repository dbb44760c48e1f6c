// What a definition of an entity holds, what it refuses, and what becomes of a state between text and operations.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { PayloadError, ValidationError } from "../contract/errors.ts";
import type { EntityContext } from "./entity-context.ts";
import { entityTarget, findOperation, operationFunctions, operationTarget, signalTime } from "./entity-proxy.ts";
import { readEntityState, writeEntityState } from "./entity-state.ts";
import { entity } from "./entity.ts";
import { defaultConverter } from "./payload.ts";

/** As much of a context as the operations here need. */
const contextOf = (value: unknown): EntityContext =>
  ({ value, set: (next: unknown) => next, clear: () => "cleared" }) as unknown as EntityContext;

const counter = entity("Counter", { state: z.number(), initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  Add: (state) => state.value,
  round: { input: z.number(), output: z.string(), run: (state, digits) => state.value.toFixed(digits) },
});

class Base {
  notes: string[] = [];
  note(text: string): number {
    return this.notes.push(text);
  }
  shout(): string {
    return "base";
  }
  hidden(): string {
    return "base";
  }
}
// eslint-disable-next-line no-restricted-syntax -- users inherit: this is what becomes of it
class Account extends Base {
  balance = 0;
  #limit = 100;
  static open(): Account {
    return new Account();
  }
  deposit(amount: number, context?: EntityContext): string {
    this.balance += amount;
    return `${this.balance}/${this.#limit}/${context?.clear() as unknown as string}`;
  }
  override shout(): string {
    return `account ${super.shout()}`;
  }
  get overdrawn(): boolean {
    return this.balance < 0;
  }
  #secret(): void {}
  toJSON(): object {
    this.#secret();
    return { balance: this.balance, notes: this.notes };
  }
  constructor() {
    super();
    this.notes.push("opened");
  }
}

// An accessor hides the method that it overrides. TypeScript has no word for that.
Object.defineProperty(Account.prototype, "hidden", { get: () => () => "an accessor", configurable: true });

describe("a definition", () => {
  test("has its name in lower case, its operations as they are called, and delete", () => {
    assert.equal(counter.kind, "entity");
    assert.equal(counter.name, "counter");
    assert.deepEqual([...counter.operations.keys()], ["add", "Add", "round", "delete"]);
    assert.equal(counter.initial(), 0);
    assert.equal(counter.operations.get("add")!.run(contextOf(1), 2), 3);
    assert.equal(counter.operations.get("delete")!.run(contextOf(1), undefined), "cleared");
    const own = entity("own", { initial: () => 0 }).operations({ Delete: () => "kept" });
    assert.deepEqual([...own.operations.keys()], ["Delete"]);
  });

  test("finds an operation by its very name first, then without regard to case, and nothing that objects have of themselves", () => {
    assert.equal(findOperation(counter.operations, "Add")!.name, "Add");
    assert.equal(findOperation(counter.operations, "ADD")!.name, "add");
    assert.equal(findOperation(counter.operations, "DELETE")!.name, "delete");
    for (const none of ["constructor", "__proto__", "toString", ""]) assert.equal(findOperation(counter.operations, none), undefined);
  });

  test("of a class has the methods as operations, those of the classes it extends among them, and nothing else", () => {
    const account = entity("account", Account as new () => Account, { operations: { deposit: { input: z.number() } } });
    assert.deepEqual([...account.operations.keys()], ["deposit", "shout", "note", "delete"]);
    const state = account.initial() as Account;
    assert.equal(account.operations.get("deposit")!.run(contextOf(state), 5), "5/100/cleared");
    assert.equal(account.operations.get("shout")!.run(contextOf(state), undefined), "account base");
    assert.equal(state.balance, 5);
    assert.equal(account.class, Account);
    assert.ok(account.operations.get("deposit")!.input);
  });

  test("refuses what can never work, and says what to do", () => {
    const begin = (): object => ({});
    const define = (operations: object): unknown => entity("e", { initial: begin }).operations(operations as Record<string, never>);
    for (const word of ["signal", "id", "call", "then", "toJSON", "constructor"])
      assert.throws(() => define({ [word]: begin }), new RegExp(`cannot have an operation '${word}'.*Choose another name`));
    assert.throws(() => define(JSON.parse('{"__proto__": 1}') as object), /cannot have an operation '__proto__'/);
    assert.throws(() => define({ "": begin }), /must be a text that is not empty/);
    assert.throws(() => define({ add: 5 }), /'add' of the entity 'e' must be a function/);
    assert.throws(() => define({ add: { input: z.number() } }), /has no body/);
    assert.throws(() => define({ add: { inputs: z.number(), run: begin } }), /has no option 'inputs'/);
    assert.throws(() => define([begin]), /takes its operations as an object/);
    assert.throws(() => entity("a@b", { initial: begin }), /"@"/);
    assert.throws(() => entity("", { initial: begin }), /not empty/);
    assert.throws(() => entity("e", undefined as never), /has no beginning/);
    assert.throws(() => entity("e", { initial: begin, upcaster: begin } as never), /has no option 'upcaster'/);
    assert.throws(() => entity("e", { initial: begin, upcast: 1 as never }), /upcast of the entity 'e' must be a function/);
    class Then {
      then(): void {}
    }
    assert.throws(() => entity("e", Then as never), /cannot have an operation 'then'/);
  });
});

describe("the functions of an entity", () => {
  const asked: unknown[] = [];
  const ask = (operation: { readonly name: string }, input: unknown, options: unknown): string => {
    asked.push([operation.name, input, options]);
    return `asked ${operation.name}`;
  };

  test("of a definition are its own properties, and know the schemas", () => {
    const target = entityTarget(counter, "visits");
    assert.equal(target.id, "@counter@visits");
    const functions = operationFunctions<Record<string, (...args: unknown[]) => unknown>>(target, ask);
    assert.deepEqual(Object.keys(functions), ["add", "Add", "round", "delete"]);
    assert.equal(functions["add"]!(1, { at: "5m" }), "asked add");
    assert.deepEqual(asked.splice(0), [["add", 1, { at: "5m" }]]);
    assert.equal(operationTarget(target, "ROUND").input, counter.operations.get("round")!.input);
    assert.deepEqual(operationTarget(target, "unknown"), { name: "unknown" });
  });

  test("of a name are whatever is asked for, but what others look for on any object", async () => {
    const functions = operationFunctions<Record<string, (...args: unknown[]) => unknown>>(entityTarget("Python", "x"), ask, {
      id: "@python@x",
    });
    assert.equal(functions["any_word"]!(1), "asked any_word");
    assert.equal(functions["any_word"], functions["any_word"]);
    assert.equal(functions["id"], "@python@x");
    assert.equal(await Promise.resolve(functions), functions);
    assert.equal(JSON.stringify(functions), '{"id":"@python@x"}');
    assert.equal(functions["toString"]!(), "[object Object]");
    assert.equal(functions["hasOwnProperty"]!("any_word"), false);
    assert.deepEqual(asked.splice(0), [["any_word", 1, undefined]]);
  });

  test("a time is a moment or so long from now", () => {
    assert.equal(signalTime(undefined, 1_000, "it"), undefined);
    assert.equal(signalTime({ at: "5s" }, 1_000, "it"), 6_000);
    assert.equal(signalTime({ at: new Date(7) }, 1_000, "it"), 7);
    assert.throws(() => signalTime({ at: new Date(Number.NaN) }, 1_000, "it"), /time of it is no valid Date/);
    assert.throws(() => signalTime({ at: { days: 4_000_000 } }, 1_000, "it"), /after the year 9999/);
    assert.throws(() => signalTime({ on: 1 } as never, 1_000, "it"), /no option 'on'/);
  });
});

describe("a state", () => {
  const id = "@e@1";
  const read = (kind: Parameters<typeof readEntityState>[0], text: string | undefined): unknown =>
    readEntityState(kind, defaultConverter, text, id);
  const write = (kind: Parameters<typeof writeEntityState>[0], value: unknown): string | undefined | Promise<string | undefined> =>
    writeEntityState(kind, defaultConverter, value, id);

  test("begins as the definition says, each time anew, and comes back as it was written, what is falsy too", () => {
    const list = entity("e", { initial: () => [] as unknown[] }).operations({});
    assert.notEqual(read(list, undefined), read(list, undefined));
    for (const value of [0, "", false, null, [], new Map([[1, new Date(0)]])])
      assert.deepEqual(read(list, write(list, value) as string), value);
    assert.equal(write(list, undefined), undefined);
  });

  test("is checked when it is read and when it is written; its message names the entity", async () => {
    assert.equal(read(counter, "5"), 5);
    assert.throws(
      () => read(counter, '"5"'),
      (error) => error instanceof ValidationError && error.message.includes("state of entity '@e@1'"),
    );
    assert.throws(() => write(counter, "5"), ValidationError);
    assert.throws(() => read(counter, "{"), PayloadError);
    const grown = entity("e", { state: z.object({ size: z.number().default(1) }), initial: () => ({}) }).operations({});
    assert.deepEqual([read(grown, undefined), read(grown, "{}")], [{ size: 1 }, { size: 1 }]);
    const slow = entity("e", { state: z.number().refine(async (n) => Promise.resolve(n < 9)), initial: () => 0 }).operations({});
    assert.deepEqual([await read(slow, "1"), await write(slow, 2)], [1, "2"]);
    await assert.rejects(async () => await read(slow, "9"), ValidationError);
  });

  test("that an older program has stored is brought up to date before it is checked", () => {
    const moved = entity("e", {
      state: z.object({ amount: z.number() }),
      initial: () => ({ amount: 0 }),
      upcast: (stored) => (typeof stored === "number" ? { amount: stored } : stored),
    }).operations({});
    assert.deepEqual(
      [read(moved, "7"), read(moved, '{"amount":8}'), read(moved, undefined)],
      [{ amount: 7 }, { amount: 8 }, { amount: 0 }],
    );
    assert.throws(() => read(moved, '"no"'), ValidationError);
  });

  test("of a class is an instance with what was stored, and what its constructor gives beside it", () => {
    class Purse {
      coins = 0;
      colour = "red";
      #lid = true;
      isOpen(): boolean {
        return this.#lid;
      }
    }
    const purse = entity("e", Purse);
    const made = read(purse, '{"coins":3,"__proto__":{"colour":"blue"}}') as Purse;
    assert.ok(made instanceof Purse);
    assert.deepEqual([made.coins, made.colour, made.isOpen(), Object.getPrototypeOf(made)], [3, "red", true, Purse.prototype]);
    assert.equal(write(purse, new Purse()), '{"coins":0,"colour":"red"}');
    assert.throws(() => write(purse, { coins: 1 }), ValidationError);
    assert.throws(() => read(purse, "5"), ValidationError);
    const checked = entity("e", Purse, {
      state: z.object({ coins: z.number().max(9), colour: z.string() }),
      upcast: (stored) => ({ colour: "old", ...(stored as object) }),
    });
    const old = read(checked, '{"coins":3}') as Purse;
    assert.deepEqual([old instanceof Purse, old.colour, old.isOpen()], [true, "old", true]);
    assert.throws(() => write(checked, Object.assign(new Purse(), { coins: 10 })), /coins/);
  });

  test("of a class with toJSON and fromJSON goes through them", () => {
    class Sum {
      #sum = 0;
      add(n: number): number {
        return (this.#sum += n);
      }
      toJSON(): object {
        return { sum: this.#sum };
      }
      static fromJSON({ sum }: { sum: number }): Sum {
        const made = new Sum();
        made.#sum = sum;
        return made;
      }
    }
    const sum = entity("e", Sum);
    const state = read(sum, undefined) as Sum;
    state.add(4);
    assert.equal(write(sum, state), '{"sum":4}');
    assert.equal((read(sum, '{"sum":4}') as Sum).add(1), 5);
    assert.deepEqual([...sum.operations.keys()], ["add", "delete"]);
  });

  test("may be described by a class in a table of functions", () => {
    class Point {
      x = 0;
    }
    const points = entity("e", { state: [Point], initial: () => [new Point()] }).operations({ count: (state) => state.value.length });
    assert.ok((read(points, '[{"x":1}]') as Point[])[0] instanceof Point);
    assert.equal(write(points, [new Point()]), '[{"x":0}]');
  });
});
