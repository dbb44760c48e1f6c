// What TypeScript infers of entities: everything here is checked by the compiler; at run time it only has to load.

/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unsafe-call -- most values stand here for their types alone, and some are called as they cannot be */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { type EntityContext } from "./entity-context.ts";
import type { EntityProxy, EntitySignals } from "./entity-proxy.ts";
import { orchestrator } from "./define.ts";
import { entity, type EntityDefinition, type EntityRef, type OperationsOf, type StateOf } from "./entity.ts";
import type { CriticalSection, LockTask, OrchestratorContext } from "./orchestrator-context.ts";
import type { Task } from "./task.ts";

type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <_T extends true>(): void => undefined;

declare const ctx: OrchestratorContext;
declare function startWorker(options: { entities: readonly EntityDefinition[] }): void;
declare function signals<Ops, S>(definition: EntityRef<Ops, S>): EntitySignals<Ops, Promise<void>>;

// ---- of functions

const Name = z.object({ first: z.string(), last: z.string().default("") });
const counter = entity("counter", { state: z.number(), initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  get: (state) => state.value,
  load: async (state, from?: string) => (await Promise.resolve(from)) ?? state.key,
  rename: { input: Name, run: (state, name) => `${name.last} ${state.value}` },
  round: { input: z.number(), output: z.string(), run: async (state, digits) => state.value.toFixed(digits) },
  since: { output: z.date(), run: (state) => new Date(state.value) },
});
is<Eq<StateOf<typeof counter>, number>>();
is<Eq<OperationsOf<typeof counter>["add"], (input: number) => number>>();
is<Eq<OperationsOf<typeof counter>["get"], () => number>>();
is<Eq<OperationsOf<typeof counter>["load"], (input?: string) => string>>();
is<Eq<OperationsOf<typeof counter>["rename"], (input: { first: string; last?: string | undefined }) => string>>();
is<Eq<OperationsOf<typeof counter>["round"], (input: number) => string>>();
is<Eq<OperationsOf<typeof counter>["since"], () => Date>>();

const basket = entity("basket", { initial: () => ({ lines: [] as string[], total: 0 }) }).operations({
  put: (state, line: string) => state.value.lines.push(line),
  reset: (state) => state.clear(),
});
is<Eq<StateOf<typeof basket>, { lines: string[]; total: number }>>();
const settings = entity("settings", { state: z.object({ size: z.number().default(1) }), initial: () => ({}) }).operations({
  size: (state) => state.value.size,
});
is<Eq<StateOf<typeof settings>, { size: number }>>();

const calls = () => {
  const visits = ctx.entity(counter, "visits");
  is<Eq<typeof visits.id, string>>();
  const added = visits.add(1);
  is<Eq<typeof added, Task<number>>>();
  const loaded = visits.load();
  is<Eq<typeof loaded, Task<string>>>();
  const deleted = visits.delete();
  is<Eq<typeof deleted, Task<void>>>();
  const named = visits.call<number, number>("add", 1);
  is<Eq<typeof named, Task<number>>>();
  const sent = visits.signal.add(1, { at: "5m" });
  is<Eq<typeof sent, void>>();
  visits.signal.get(undefined, { at: new Date(0) });
  visits.signal.load();
  visits.signal.delete();
  visits.rename({ first: "Ada" });
  // @ts-expect-error an input is missing
  visits.add();
  // @ts-expect-error of another type
  visits.add("1");
  // @ts-expect-error it has none
  visits.get(1);
  // @ts-expect-error no operation
  visits.subtract(1);
  // @ts-expect-error a call has no time
  visits.add(1, { at: "5m" });
  // @ts-expect-error no such option
  visits.signal.add(1, { after: "5m" });
  // @ts-expect-error awaiting a proxy by mistake gives nothing to go on with
  visits.then();
  const client = signals(counter).add(1);
  is<Eq<typeof client, Promise<void>>>();
};

// ---- by name

const named = () => {
  const visits = ctx.entity<{ add(n: number): number; both(a: number, b: number): number }>("counter", "visits");
  const added = visits.add(1);
  is<Eq<typeof added, Task<number>>>();
  visits.signal.add(1);
  // @ts-expect-error two inputs are more than the protocol has
  visits.both(1, 2);
  const any = ctx.entity("counter", "visits");
  is<Eq<typeof any.id, string>>();
  const got = any["add"]?.(1);
  is<Eq<typeof got, Task<unknown> | undefined>>();
};

// ---- of a class

class Base {
  notes: string[] = [];
  note(text: string): number {
    return this.notes.push(text);
  }
}
// eslint-disable-next-line no-restricted-syntax -- users inherit: this is what becomes of it
class Account extends Base {
  balance = 0;
  #limit = 100;
  deposit(amount: number): number {
    return (this.balance += amount);
  }
  async withdraw(amount: number, context?: EntityContext<Account>): Promise<number> {
    if (amount > this.balance + this.#limit) throw new Error(`insufficient funds of ${context?.key}`);
    return await Promise.resolve((this.balance -= amount));
  }
  mail(_: undefined, context: EntityContext): void {
    context.startOrchestrator("mail", context.key);
  }
  get overdrawn(): boolean {
    return this.balance < 0;
  }
  private secret(): number {
    return this.#limit;
  }
}
const account = entity("account", Account);
is<Eq<StateOf<typeof account>, Account>>();
is<Eq<keyof OperationsOf<typeof account>, "deposit" | "withdraw" | "mail" | "note">>();
is<Eq<OperationsOf<typeof account>["deposit"], (input: number) => number>>();
is<Eq<OperationsOf<typeof account>["withdraw"], (input: number) => number>>();
const schemaAccount = entity("account", Account, {
  operations: { deposit: { input: z.string().transform(Number), output: z.number().transform(String) } },
});
is<Eq<OperationsOf<typeof schemaAccount>["deposit"], (input: string) => string>>();
is<Eq<OperationsOf<typeof schemaAccount>["note"], (input: string) => number>>();

const transfers = () => {
  const from = ctx.entity(account, "ada");
  const left = from.withdraw(5);
  is<Eq<typeof left, Task<number>>>();
  from.mail();
  from.note("x");
  // @ts-expect-error private
  from.secret();
  // @ts-expect-error an accessor
  from.overdrawn();
  // @ts-expect-error the context is not the caller's to give
  from.withdraw(5, undefined);
};

// ---- critical sections, and other entities

const sections = async () => {
  const [from, to] = [ctx.entity(account, "ada"), ctx.entity("other", "x")];
  const total = ctx.lockEntities([from, to], async () => {
    await from.withdraw(5);
    return from.deposit(1);
  });
  is<Eq<typeof total, Task<number>>>();
  const plain = ctx.lockEntities([from], () => "x");
  is<Eq<typeof plain, Task<string>>>();
  const generated = ctx.lockEntities([from], function* () {
    const left = yield* from.withdraw(1);
    is<Eq<typeof left, number>>();
    return `${left}`;
  });
  is<Eq<typeof generated, Task<string>>>();
  const lock = ctx.lockEntities([from, to]);
  is<Eq<typeof lock, LockTask>>();
  using section = await lock;
  is<Eq<typeof section, CriticalSection>>();
  const got = await ctx.first({ lock, late: ctx.createTimer("1h") });
  if (got.key === "lock") got.value.release();
  is<Eq<typeof ctx.isInCriticalSection, boolean>>();
  // @ts-expect-error ids are no entities
  ctx.lockEntities(["@account@ada"]);
  // @ts-expect-error a definition is no entity
  ctx.lockEntities([account]);
};

const inEntities = entity("sender", { initial: () => 0 }).operations({
  send: (state) => {
    const sent = state.entity(counter, "visits").signal.add(1, { at: "5m" });
    is<Eq<typeof sent, void>>();
    // @ts-expect-error entities signal each other, and wait for nothing
    state.entity(counter, "visits").add(1);
    // @ts-expect-error another type
    state.entity(counter, "visits").signal.add("1");
    return state.startOrchestrator(greet, "Ada", { startAt: "5m" });
  },
});
is<Eq<OperationsOf<typeof inEntities>["send"], () => string>>();
const greet = orchestrator("greet", async (_, name: string) => name);

class TwoInputs {
  move(from: string, to: string): string {
    return `${from}${to}`;
  }
}
class ThreeInputs {
  third(a: string, b: string, c: string): string {
    return a + b + c;
  }
}
class Taken {
  signal(): void {}
}

test("entities mean to TypeScript what they do at run time", () => {
  // @ts-expect-error more than one input
  assert.throws(() => entity("moves", ThreeInputs), /more than one input/);
  // @ts-expect-error a second parameter that is no context
  assert.doesNotThrow(() => entity("moves", TwoInputs), "what is a context cannot be seen at run time");
  // @ts-expect-error a word of the proxy
  assert.throws(() => entity("taken", Taken), /cannot have an operation 'signal'/);
  assert.throws(
    // @ts-expect-error a second input
    () => entity("sum", { initial: () => 0 }).operations({ sum: (state, a: number, b: number) => a + b }),
    /more than the state and one input/,
  );
  // @ts-expect-error the beginning is not what the schema takes
  assert.ok(entity("counter", { state: z.number(), initial: () => "0" }));
  // @ts-expect-error no beginning
  assert.throws(() => entity("counter", { state: z.number() }), /has no beginning/);
  // @ts-expect-error no operation of the class
  assert.throws(() => entity("account", Account, { operations: { depositt: { input: z.number() } } }), /has no operation 'depositt'/);
  assert.ok([calls, named, transfers, sections, inEntities, () => startWorker({ entities: [counter, basket, account] })].length);
});
