// programs: what the orchestrations of a simulation do, as short lists of instructions.
//
// Owns:    the instructions; how chance makes a program; the orchestrator that plays one, and the activities that it calls.
// Always:  everything a program does leaves an entry in its log, and what it took from events stands in `took`.
import { activity, NonRetriableError, orchestrator, TaskFailedError } from "ostinato";
import type { ActivityDefinition, OrchestratorContext, OrchestratorDefinition, Task } from "ostinato";
import type { Chance } from "./chance.ts";
import { isListStep, playList, type ListStep } from "./lists.ts";

/** One instruction. */
export type Step =
  | { readonly do: "call"; readonly n: number }
  | { readonly do: "fan"; readonly count: number; readonly by: "whenAll" | "promises" | "map" }
  | { readonly do: "timer"; readonly ms: number }
  | { readonly do: "wait"; readonly timeoutMs?: number }
  | { readonly do: "child"; readonly program: Program; readonly named: boolean; readonly attempts: number }
  | { readonly do: "flaky"; readonly fails: number; readonly most: 1 | 2 | 3 }
  | { readonly do: "fatal" }
  | { readonly do: "race"; readonly ms: number }
  | { readonly do: "timed"; readonly ms: number }
  | { readonly do: "status" }
  | { readonly do: "again" }
  | { readonly do: "gate" }
  | { readonly do: "send"; readonly to: string; readonly text: string }
  | { readonly do: "throw" }
  | ListStep;

export type Program = readonly Step[];

/** What an execution is begun with. */
export interface State {
  readonly program: Program;
  readonly at: number;
  readonly log: readonly string[];
  readonly took: readonly string[];
}

/** What a program that ends returns. */
export interface Result {
  readonly log: readonly string[];
  readonly took: readonly string[];
}

/** What activities return: the value, and who made it (so that the results of two deliveries differ). */
interface Made {
  readonly v: number;
  readonly by: string;
}

export const FIRST_RETRY_MS = 2_000;
export const NEW_CODE = "2.0";
export const OLD_CODE = "1.0";

/** What an activity makes of its input; the oracle knows it too. */
export const squared = (n: number): number => n * n + 1;

/** A program of chance. */
export function programOf(chance: Chance, depth: number, ids: readonly string[], label: string): Program {
  const steps: Step[] = [];
  for (let left = chance.between(1, depth === 0 ? 6 : 3); left > 0; left--) steps.push(stepOf(chance, depth, ids, `${label}.${left}`));
  if (chance.happens(0.07)) steps.push({ do: "throw" });
  return steps;
}

function stepOf(chance: Chance, depth: number, ids: readonly string[], label: string): Step {
  const roll = chance.below(100);
  if (roll < 16) return { do: "call", n: chance.below(50) };
  if (roll < 25) return { do: "fan", count: chance.between(1, 4), by: chance.pick(["whenAll", "promises", "map"] as const) };
  if (roll < 36) return { do: "timer", ms: chance.between(1, 40_000) };
  if (roll < 52) return chance.happens(0.5) ? { do: "wait" } : { do: "wait", timeoutMs: chance.between(1_000, 40_000) };
  if (roll < 63)
    return depth < 2
      ? { do: "child", program: programOf(chance, depth + 1, ids, label), named: chance.happens(0.6), attempts: chance.between(1, 2) }
      : { do: "call", n: 3 };
  if (roll < 70) return { do: "flaky", fails: chance.below(4), most: chance.pick([1, 2, 3] as const) };
  if (roll < 73) return { do: "fatal" };
  if (roll < 78) return { do: "race", ms: chance.between(1, 20_000) };
  if (roll < 82) return { do: "timed", ms: chance.between(1_000, 30_000) };
  if (roll < 86) return { do: "status" };
  if (roll < 94) return { do: "again" };
  if (roll < 97) return { do: "gate" };
  return { do: "send", to: chance.pick(ids), text: `sent by ${label}` };
}

/** The versions of the orchestrator: what hosts with old code have, and what those with new code have besides. */
export function orchestratorsOf(code: "old" | "new"): readonly OrchestratorDefinition[] {
  const old = orchestrator("flow", { version: OLD_CODE }, (ctx, state: State) => play(ctx, state, false));
  const fresh = orchestrator("flow", { version: NEW_CODE }, (ctx, state: State) => play(ctx, state, true));
  return code === "old" ? [old] : [old, fresh];
}

/** The activities, as one process runs them. `takes`: how long the next one takes by that process. */
export function activitiesOf(by: string, sleep: (ms: number) => Promise<void>, takes: () => number): readonly ActivityDefinition[] {
  const make = async (v: number, delivery: number): Promise<Made> => {
    const ms = takes();
    if (ms > 0) await sleep(ms);
    return { v, by: `${by}#${delivery}` };
  };
  const flaky = (most: 1 | 2 | 3): ActivityDefinition =>
    activity(
      `flaky${most}`,
      { retry: { maxNumberOfAttempts: most, firstRetryInterval: `${FIRST_RETRY_MS}ms`, backoffCoefficient: 2 } },
      async (ctx, fails: number): Promise<Made> => {
        const made = await make(ctx.attempt, ctx.delivery);
        if (ctx.attempt <= fails) throw new Error(`fails ${fails} times`);
        return made;
      },
    );
  return [
    activity("square", (ctx, n: number) => make(squared(n), ctx.delivery)),
    activity("fatal", { retry: { maxNumberOfAttempts: 3, firstRetryInterval: "1s" } }, async (ctx): Promise<Made> => {
      await make(0, ctx.delivery);
      throw new NonRetriableError("never");
    }),
    flaky(1),
    flaky(2),
    flaky(3),
  ];
}

type Context = OrchestratorContext;
const square = (ctx: Context, n: number): Task<Made> => ctx.callActivity<number, Made>("square", n);

/** Plays a program from where its state says. */
async function play(ctx: Context, state: State, fresh: boolean): Promise<Result | undefined> {
  const log = [...state.log];
  const took = [...state.took];
  for (let at = state.at; at < state.program.length; at++) {
    const step = state.program[at]!;
    if (isListStep(step)) {
      let isOver = false;
      const anew = (): void => {
        isOver = true;
        ctx.continueAsNew({ program: state.program, at: at + 1, log: [...log, step.do], took } satisfies State);
      };
      log.push(await playList(ctx, step, at, (n) => square(ctx, n), anew));
      if (isOver) return undefined;
      continue;
    }
    switch (step.do) {
      case "call":
        log.push(`call:${(await square(ctx, step.n)).v}`);
        break;
      case "fan":
        log.push(`fan:${await fan(ctx, step.count, step.by)}`);
        break;
      case "timer": {
        const from = ctx.currentUtcDateTime.getTime();
        await ctx.createTimer({ milliseconds: step.ms });
        log.push(ctx.currentUtcDateTime.getTime() - from >= step.ms ? "timer" : "timer:early");
        break;
      }
      case "wait":
        log.push(await wait(ctx, step.timeoutMs, took));
        break;
      case "child":
        log.push(await child(ctx, step, `${ctx.instanceId}/${at}`));
        break;
      case "flaky":
        log.push(
          await outcome(
            ctx.callActivity<number, Made>(`flaky${step.most}`, step.fails, { retry: retry(step.most) }),
            (made) => `flaky:${made.v}`,
          ),
        );
        break;
      case "fatal":
        log.push(await outcome(ctx.callActivity<undefined, Made>("fatal", undefined, { retry: retry(3) }), () => "fatal:made"));
        break;
      case "race": {
        const got = await ctx.first({ call: square(ctx, at), timer: ctx.createTimer({ milliseconds: step.ms }) });
        log.push(`race:${got.key}`);
        break;
      }
      case "timed":
        log.push(await outcome(ctx.callActivity<number, Made>("square", at, { timeout: { total: `${step.ms}ms` } }), () => "timed:ok"));
        break;
      case "status":
        ctx.setCustomStatus({ at });
        log.push("status");
        break;
      case "again":
        log.push("again");
        ctx.continueAsNew({ program: state.program, at: at + 1, log, took } satisfies State);
        return undefined;
      case "gate":
        if (fresh) await square(ctx, at);
        log.push(ctx.isVersionAtLeast(NEW_CODE) === fresh ? (fresh ? "gate:new" : "gate:old") : "gate:wrong");
        break;
      case "send":
        ctx.sendEvent(step.to, "go", `${step.text} in ${ctx.executionId}`);
        log.push("send");
        break;
      case "throw":
        throw new Error(`thrown at ${at}`);
    }
  }
  return { log, took };
}

const retry = (most: number) => ({ maxNumberOfAttempts: most, firstRetryInterval: `${FIRST_RETRY_MS}ms`, backoffCoefficient: 2 }) as const;

async function fan(ctx: Context, count: number, by: "whenAll" | "promises" | "map"): Promise<number> {
  const numbers = Array.from({ length: count }, (_, i) => i);
  const made =
    by === "map"
      ? await ctx.map(numbers, (n) => square(ctx, n), { concurrency: 2 })
      : by === "whenAll"
        ? await ctx.whenAll(numbers.map((n) => square(ctx, n)))
        : await Promise.all(numbers.map((n) => square(ctx, n)));
  return made.reduce((sum, each) => sum + each.v, 0);
}

async function wait(ctx: Context, timeoutMs: number | undefined, took: string[]): Promise<string> {
  if (timeoutMs === undefined) {
    took.push(await ctx.waitForExternalEvent<string>("go"));
    return "wait:got";
  }
  const got = await ctx.first({ event: ctx.waitForExternalEvent<string>("GO"), timer: ctx.createTimer({ milliseconds: timeoutMs }) });
  if (got.key === "timer") return "wait:late";
  took.push(got.value);
  return "wait:got";
}

async function child(ctx: Context, step: Extract<Step, { do: "child" }>, id: string): Promise<string> {
  const state: State = { program: step.program, at: 0, log: [], took: [] };
  const options = {
    version: ctx.version,
    ...(step.named ? { instanceId: id } : {}),
    ...(step.attempts > 1 ? { retry: retry(step.attempts) } : {}),
  };
  return await outcome(ctx.callSubOrchestrator<State, Result>("flow", state, options), (result) => `child:${result.log.length}`);
}

/** What a call came to, as an entry of the log: failures of our own by their message, others by their type. */
async function outcome<T>(call: PromiseLike<T>, entry: (value: T) => string): Promise<string> {
  try {
    return entry(await call);
  } catch (error) {
    if (!(error instanceof TaskFailedError)) throw error;
    const { errorType, message } = error.failure;
    return `failed:${errorType === "Error" || errorType === "NonRetriableError" ? message : errorType}`;
  }
}
