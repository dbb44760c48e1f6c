// entity-list: the entity that most stories of entities are told with, and how they wait for what it holds.

import { entity, orchestrator, type StandardSchemaV1 } from "../../index.ts";
import type { World } from "./world.ts";

export interface ListOperations {
  add(text: string): string[];
}
/** Keeps what it is told, in the order in which it is told. */
export const list = entity("list", { initial: (): string[] => [] }).operations({
  add: (state, text: string) => {
    state.value.push(text);
    return state.value;
  },
  get: (state) => state.value,
  fail: (state, text: string) => {
    state.value.push(text);
    state.entity<ListOperations>("list", "elsewhere").signal.add(text);
    state.startOrchestrator(notes, text, { instanceId: `started for ${text}` });
    throw new TypeError(`no ${text}`);
  },
  pass: (state, { to, text }: { to: string; text: string }) => {
    state.value.push(text);
    state.entity<ListOperations>("list", to).signal.add(`${text} from ${state.key}`);
  },
  begin: (state, id: string) => state.startOrchestrator(notes, state.key, { instanceId: id }),
  forget: (state) => state.clear(),
  isNew: (state) => state.isNew,
});
export const notes = orchestrator("notes", async (_ctx, text: string) => `noted ${text}`);
export const entities = [list];

/** What a list holds, once it holds so much. */
export function holding(world: World, key: string, length: number, time: "stands" | "passes" = "stands"): Promise<string[]> {
  return world.asked(
    async () => (await world.hub.entity(list, key).state()) ?? [],
    (state) => state.length >= length,
    time,
  );
}

/** A schema of numbers. */
export function numeric(): StandardSchemaV1<number, number> {
  return shape("a number", (value) => typeof value === "number");
}

/** A schema of whatever passes a test. */
export function shape<T>(what: string, fits: (value: T) => boolean): StandardSchemaV1<T, T> {
  return {
    "~standard": {
      version: 1,
      vendor: "the conformance kit",
      validate: (value) => (fits(value as T) ? { value: value as T } : { issues: [{ message: `this is not ${what}` }] }),
    },
  };
}
