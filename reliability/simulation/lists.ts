// lists: the entities of a simulation, and what programs do with them.
//
// Owns:    the entity whose state is the list of what was done to it, and the one that has none; the instructions that use them; what their
//          operations mean to the checker.
// Always:  every text that is added is added once: it is made of the execution, the step and the place in the step.
import { entity, EntityOperationFailedError } from "ostinato";
import type { EntityDefinition, OrchestratorContext, Task } from "ostinato";
import type { Lists } from "../checker/entity-rules.ts";
import type { Chance } from "./chance.ts";
import { NEW_CODE, type State } from "./programs.ts";

/** How an entity is told to do something: add a text; add one and fail; add one and signal another list; add one and start an orchestration. Or a
 *  pipe, which has no state and is cleaned up whenever it has nothing to do, is told to carry a text to a list. */
export type Deed = "append" | "fail" | "pass" | "begin" | "carry";

/** What programs do with entities. */
export type ListStep =
  | { readonly do: "tell"; readonly key: string; readonly deed: Deed; readonly to: string; readonly later?: number }
  | { readonly do: "ask"; readonly key: string; readonly deed: Exclude<Deed, "carry"> | "read"; readonly to: string }
  | {
      readonly do: "section";
      readonly keys: readonly string[];
      readonly within: "nothing" | "timer" | "activity" | "throws" | "fails";
      readonly by: "body" | "hand";
    }
  | { readonly do: "lock-race"; readonly keys: readonly string[]; readonly ms: number }
  /** A section that nobody leaves: the next execution, or the end of the program, is its end. */
  | { readonly do: "section-again"; readonly keys: readonly string[]; readonly by: "body" | "hand" }
  | { readonly do: "hold"; readonly keys: readonly string[] };

const KEYS = ["a", "b", "c", "d"] as const;
const LIST = "list";
const PIPE = "pipe";

/** The entity that does this. */
export function entityFor(deed: Deed | "read" | "delete", key: string): { readonly name: string; readonly id: string } {
  const name = deed === "carry" ? PIPE : LIST;
  return { name, id: `@${name}@${key}` };
}

/** What is passed to operations that do more than add a text. */
interface Told {
  readonly v: string;
  readonly to: string;
}

const passedOn = ({ v, to }: Told): string => `${v}>${to}`;

/** The entity, as every process runs it. `takes`: how long the next operation takes by that process. */
export function listsOf(sleep: (ms: number) => Promise<void>, takes: () => number): readonly EntityDefinition[] {
  const pause = async (): Promise<void> => {
    const ms = takes();
    if (ms > 0) await sleep(ms);
  };
  return [
    entity(LIST, { initial: (): string[] => [] }).operations({
      read: (state) => state.value,
      append: async (state, v: string) => {
        await pause();
        state.value.push(v);
        return state.value;
      },
      fail: (state, told: Told): string[] => {
        state.value.push(told.v);
        state.entity<{ append(v: string): void }>(LIST, told.to).signal.append(passedOn(told));
        throw new Error("as asked");
      },
      pass: (state, told: Told) => {
        state.value.push(told.v);
        state.entity<{ append(v: string): void }>(LIST, told.to).signal.append(passedOn(told));
        return state.value;
      },
      begin: (state, told: Told) => {
        state.value.push(told.v);
        const input: State = { program: [], at: 0, log: [], took: [] };
        state.startOrchestrator<State>("flow", input, { instanceId: `of-${told.to}`, version: NEW_CODE });
        return state.value;
      },
    }),
    entity(PIPE, { initial: () => 0 }).operations({
      carry: async (state, told: Told) => {
        await pause();
        state.entity<{ append(v: string): void }>(LIST, told.to).signal.append(passedOn(told));
      },
    }),
  ];
}

/** What an operation is given. */
export function inputOf(deed: Deed | "read", v: string, to: string): unknown {
  return deed === "read" ? undefined : deed === "append" ? v : ({ v, to } satisfies Told);
}

/** What the checker knows of lists. */
export const lists: Lists = {
  isList: (id) => id.startsWith(`@${LIST}@`),
  listOf: (text) => (text === undefined ? [] : (JSON.parse(text) as readonly string[])),
  meaningOf(operation, input) {
    if (operation === "read" || operation === "delete" || input === undefined) return {};
    const told = JSON.parse(input) as string | Told;
    if (typeof told === "string") return { appends: told };
    if (operation === "carry") return { passes: { to: `@${LIST}@${told.to}`, appends: passedOn(told) } };
    const passes = operation === "begin" ? {} : { passes: { to: `@${LIST}@${told.to}`, appends: passedOn(told) } };
    return { appends: told.v, ...passes, ...(operation === "fail" ? { fails: true } : {}) };
  },
};

// ---- chance

export function deedOf(chance: Chance): Deed {
  const roll = chance.below(11);
  return roll < 5 ? "append" : roll < 7 ? "pass" : roll < 8 ? "begin" : roll < 9 ? "fail" : "carry";
}

export function keyOf(chance: Chance): string {
  return chance.pick(KEYS);
}

/** One to three keys, in any order. */
function someKeys(chance: Chance): readonly string[] {
  return Array.from({ length: chance.between(1, 3) }, () => chance.pick(KEYS));
}

/** An instruction of chance. */
export function listStepOf(chance: Chance): ListStep {
  const roll = chance.below(100);
  const key = keyOf(chance);
  const to = chance.pick(KEYS);
  if (roll < 20) return { do: "tell", key, deed: deedOf(chance), to, ...(chance.happens(0.2) ? { later: chance.between(1, 30_000) } : {}) };
  if (roll < 42) {
    const deed = deedOf(chance);
    return { do: "ask", key, deed: deed === "carry" || chance.happens(0.3) ? "read" : deed, to };
  }
  const keys = someKeys(chance);
  const by = chance.pick(["body", "hand"] as const);
  if (roll < 82)
    return { do: "section", keys, within: chance.pick(["nothing", "nothing", "timer", "activity", "throws", "fails"] as const), by };
  if (roll < 92) return { do: "lock-race", keys, ms: chance.between(1, 10_000) };
  return { do: "section-again", keys, by };
}

// ---- playing

type Context = OrchestratorContext;
interface Operations {
  append(v: string): string[];
  read(): string[];
  fail(told: Told): string[];
}
const at = (ctx: Context, key: string) => ctx.entity<Operations>(LIST, key);

/** Plays an instruction; tells what it came to. `anew` begins the next execution. */
export async function playList(
  ctx: Context,
  step: ListStep,
  place: number,
  activity: (n: number) => Task<unknown>,
  anew: () => void,
): Promise<string> {
  const v = `${ctx.executionId}.${place}`;
  switch (step.do) {
    case "tell": {
      const options = step.later === undefined ? undefined : { at: { milliseconds: step.later } };
      const { signal } = ctx.entity(entityFor(step.deed, step.key).name, step.key);
      signal[step.deed]?.(inputOf(step.deed, v, step.to), options);
      return "tell";
    }
    case "ask": {
      const input = inputOf(step.deed, v, step.to);
      try {
        const seen = await ctx.entity(LIST, step.key).call<unknown, string[]>(step.deed, input);
        return step.deed === "read" || seen.at(-1) === v ? "ask:own" : "ask:foreign";
      } catch (error) {
        if (!(error instanceof EntityOperationFailedError)) throw error;
        return `ask:${error.failure.message}`;
      }
    }
    case "section":
      return await playSection(ctx, step, v, activity, place);
    case "lock-race": {
      const keys = step.keys.map((key) => at(ctx, key));
      const got = await ctx.first({ lock: ctx.lockEntities(keys), timer: ctx.createTimer({ milliseconds: step.ms }) });
      if (got.key === "timer") return "lock:late";
      await addAll(ctx, step.keys, v);
      got.value.release();
      return "lock:got";
    }
    case "section-again":
      if (step.by === "body")
        await ctx.lockEntities(
          step.keys.map((key) => at(ctx, key)),
          async () => {
            await addAll(ctx, step.keys, v);
            anew();
          },
        );
      else {
        await ctx.lockEntities(step.keys.map((key) => at(ctx, key)));
        await addAll(ctx, step.keys, v);
        anew();
      }
      return "section-again";
    case "hold":
      await ctx.lockEntities(step.keys.map((key) => at(ctx, key)));
      await addAll(ctx, step.keys, v);
      return "hold";
  }
}

async function addAll(ctx: Context, keys: readonly string[], v: string): Promise<void> {
  await ctx.whenAll([...new Set(keys)].map((key) => at(ctx, key).append(v)));
}

/** Reads all, adds to all, reads all again: whoever is alone sees its own alone. */
async function playSection(
  ctx: Context,
  { keys, within, by }: Extract<ListStep, { do: "section" }>,
  v: string,
  activity: (n: number) => Task<unknown>,
  place: number,
): Promise<string> {
  const all = [...new Set(keys)];
  const inside = async (): Promise<string> => {
    const before = await ctx.whenAll(all.map((key) => at(ctx, key).read()));
    if (within === "timer") await ctx.createTimer({ milliseconds: 500 });
    if (within === "activity") await activity(place);
    const added = await ctx.whenAll(all.map((key) => at(ctx, key).append(v)));
    const after = await ctx.whenAll(all.map((key) => at(ctx, key).read()));
    if (within === "throws") throw new Error("inside");
    if (within === "fails") await at(ctx, all[0]!).fail({ v: `${v}!`, to: all[0]! });
    const isAlone = all.every((_, n) => added[n]?.length === before[n]!.length + 1 && after[n]?.length === added[n].length);
    return isAlone ? "section:alone" : "section:torn";
  };
  try {
    const locked = keys.map((key) => at(ctx, key));
    if (by === "body") return await ctx.lockEntities(locked, inside);
    using _section = await ctx.lockEntities(locked);
    return await inside();
  } catch (error) {
    if (error instanceof EntityOperationFailedError) return `section:${error.failure.message}`;
    if (!(error instanceof Error) || error.message !== "inside") throw error;
    return "section:threw";
  }
}

/** What an instruction may come to. */
export function listEntriesOf(step: ListStep): readonly string[] {
  switch (step.do) {
    case "tell":
    case "hold":
    case "section-again":
      return [step.do];
    case "ask":
      return [step.deed === "fail" ? "ask:as asked" : "ask:own"];
    case "section":
      return [step.within === "throws" ? "section:threw" : step.within === "fails" ? "section:as asked" : "section:alone"];
    case "lock-race":
      return ["lock:got", "lock:late"];
  }
}

/** Whether an instruction is one of these. */
export function isListStep(step: { readonly do: string }): step is ListStep {
  return ["tell", "ask", "section", "lock-race", "section-again", "hold"].includes(step.do);
}
