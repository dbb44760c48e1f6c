// Generators: the same orchestrators without `async`. `yield*` is typed; plain `yield` is what code from other Durable Task SDKs has.
import { activity, openTaskHub, orchestrator } from "ostinato";
import type { Task } from "ostinato";

export const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);

// With yield* every result has its type.
export const typed = orchestrator("typed", function* (ctx, names: string[]) {
  const first = yield* ctx.callActivity(hello, names[0] ?? "nobody"); // string
  const others = yield* ctx.whenAll(names.slice(1).map((name) => ctx.callActivity(hello, name))); // string[]
  return [first, ...others];
});

// Code that was written for another Durable Task SDK in JavaScript runs as it is: the type of what a plain yield gives is the author's word.
export const brought = orchestrator("brought", function* (ctx, names: string[]): Generator<Task<unknown>, string[], string> {
  const greetings: string[] = [];
  for (const name of names) greetings.push(yield ctx.callActivity(hello, name));
  return greetings;
});

export const broughtAsync = orchestrator("broughtAsync", async function* (ctx, names: string[]): AsyncGenerator<unknown, string[], string> {
  const greetings: string[] = [];
  for (const name of names) greetings.push(yield ctx.callActivity(hello, name));
  return greetings;
});

// A generator that is called by another one: its effects are the caller's.
function* politely(greeting: Task<string>): Generator<Task<unknown>, string, unknown> {
  return `${yield* greeting} How do you do?`;
}
export const composed = orchestrator("composed", function* (ctx, names: string[]) {
  const greetings: string[] = [];
  for (const name of names) greetings.push(yield* politely(ctx.callActivity(hello, name)));
  return greetings;
});

export const all = [typed, brought, broughtAsync, composed];

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators: all, activities: [hello] });

  for (const orchestrator of all) {
    const instance = await hub.start(orchestrator, ["Tokyo", "Seattle", "London"]);
    console.log(orchestrator.name, await instance.result({ timeout: "30s" }));
  }

  await worker.stop();
  await hub.close();
}
