// Entities: small pieces of state that live under a key, and do one thing at a time. Signals, calls, a delayed signal, queries.
import { entity, openTaskHub, orchestrator } from "ostinato";
import * as z from "zod"; // any Standard Schema will do

/** How often each page was visited. */
export const counter = entity("counter", { state: z.number(), initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  get: (state) => state.value,
  reset: (state) => state.set(0),
});

/** The pages that were visited, in the order of their first visit. Entities may signal each other. */
export const directory = entity("directory", { state: z.array(z.string()), initial: () => [] }).operations({
  visited: (state, page: string) => {
    if (!state.value.includes(page)) state.value.push(page);
    state.entity(counter, page).signal.add(1);
  },
  list: (state) => state.value,
});

/** An orchestrator can wait for an answer. */
export const report = orchestrator("report", async (ctx) => {
  const pages = await ctx.entity(directory, "site").list();
  const visits = await ctx.whenAll(pages.map((page) => ctx.entity(counter, page).get()));
  return Object.fromEntries(pages.map((page, at) => [page, visits[at]]));
});

export const entities = [counter, directory];
export const orchestrators = [report];

if (import.meta.main) {
  const hub = await openTaskHub("memory:");
  const worker = await hub.startWorker({ orchestrators, entities });

  for (const page of ["/home", "/prices", "/home", "/home"]) await hub.entity(directory, "site").signal.visited(page);
  console.log(await (await hub.start(report)).result({ timeout: "30s" }));

  for await (const each of hub.entities({ entity: counter })) console.log(each.key, each.state);
  await worker.stop();
  await hub.close();
}
