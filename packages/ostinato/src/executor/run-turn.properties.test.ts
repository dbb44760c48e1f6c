// H6 and X2: whatever the program, whatever happens to it in whatever order, the same events in any split into advances, kept or replayed
// before each of them, give the same actions with the same ids; and a generator does as an async function does.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Action } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { orchestrator, type OrchestratorDefinition } from "../authoring/define.ts";
import type { CriticalSection, OrchestratorContext } from "../authoring/orchestrator-context.ts";
import type { Task } from "../authoring/task.ts";
import {
  answered,
  childCompleted,
  completed,
  failed,
  fired,
  granted,
  noon,
  raised,
  refused,
  rehearse,
  resumed,
  started,
  suspended,
} from "./rehearsal.test.ts";

// ---- programs

type TaskPlan =
  | { readonly make: "call" | "retried" | "tried" | "timer" | "child" }
  | { readonly make: "wait"; readonly name: string }
  | { readonly make: "all" | "any" | "first"; readonly of: readonly TaskPlan[] }
  | { readonly make: "map"; readonly count: number; readonly concurrency: number }
  | { readonly make: "operation" | "section"; readonly key: string }
  | { readonly make: "body"; readonly keys: readonly string[]; readonly fails: boolean };
type Step =
  | { readonly step: "await" | "begin"; readonly task: TaskPlan }
  | { readonly step: "await begun" | "cancel" | "status" | "send" | "guid" | "release" }
  | { readonly step: "signal"; readonly key: string }
  | { readonly step: "continue as new"; readonly carryEvents: boolean };

const { plan } = fc.letrec<{ plan: TaskPlan; leaf: TaskPlan }>((tie) => ({
  leaf: fc.oneof(
    fc.record({ make: fc.constantFrom("call" as const, "retried" as const, "tried" as const, "timer" as const, "child" as const) }),
    fc.record({ make: fc.constant("wait" as const), name: fc.constantFrom("a", "A", "b") }),
    fc.record({ make: fc.constantFrom("operation" as const, "section" as const), key: fc.constantFrom("a", "b") }),
    fc.record({
      make: fc.constant("body" as const),
      keys: fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }),
      fails: fc.boolean(),
    }),
  ),
  plan: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.record({
      make: fc.constantFrom("all" as const, "any" as const, "first" as const),
      of: fc.array(tie("plan"), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ make: fc.constant("map" as const), count: fc.nat(4), concurrency: fc.integer({ min: 1, max: 3 }) }),
  ),
}));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ step: fc.constantFrom("await" as const, "begin" as const), task: plan }) },
  {
    weight: 4,
    arbitrary: fc.record({
      step: fc.constantFrom("await begun" as const, "cancel" as const, "status" as const, "send" as const, "guid" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ step: fc.constant("release" as const) }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("signal" as const), key: fc.constantFrom("a", "b") }) },
  { weight: 1, arbitrary: fc.record({ step: fc.constant("continue as new" as const), carryEvents: fc.boolean() }) },
);

function make(ctx: OrchestratorContext, task: TaskPlan): Task<unknown> {
  switch (task.make) {
    case "call":
      return ctx.callActivity("call", 1);
    case "retried":
      return ctx.callActivity("retried", 1, { retry: { maxNumberOfAttempts: 2, firstRetryInterval: "1s" } });
    case "tried":
      return ctx.try("tried", 1, { retry: ({ lastAttemptNumber }) => lastAttemptNumber < 2 });
    case "child":
      return ctx.callSubOrchestrator("child", 1);
    case "timer":
      return ctx.createTimer("1h");
    case "wait":
      return ctx.waitForExternalEvent(task.name);
    case "all":
      return ctx.whenAll(task.of.map((each) => make(ctx, each)));
    case "any":
      return ctx.whenAny(task.of.map((each) => make(ctx, each)));
    case "first":
      return ctx.first(Object.fromEntries(task.of.map((each, i) => [`key${i}`, make(ctx, each)])));
    case "map":
      return ctx.map(Array.from({ length: task.count }), (_, i) => ctx.callActivity("item", i), { concurrency: task.concurrency });
    case "operation":
      return ctx.entity("entity", task.key).call("operate", 1);
    case "section":
      return ctx.lockEntities([ctx.entity("entity", task.key)]);
    case "body": {
      const entities = task.keys.map((key) => ctx.entity("entity", key));
      return ctx.lockEntities(entities, function* () {
        const first: unknown = yield entities[0]!.call("operate", task.keys.length);
        if (task.fails) throw new Error(`failed after ${brief(first)}`);
        return yield* entities.at(-1)!.call("operate", 2);
      });
    }
  }
}

/** What a step yields: tasks to await. What they give, or how they failed, goes into the output. */
function* walk(ctx: OrchestratorContext, steps: readonly Step[]): Generator<Task<unknown>, unknown, unknown> {
  const seen: unknown[] = [];
  const begun: Task<unknown>[] = [];
  const sections: CriticalSection[] = [];
  for (const each of steps) {
    try {
      switch (each.step) {
        case "await": {
          const result = yield make(ctx, each.task);
          if (isSection(result)) sections.push(result);
          seen.push(brief(result), ctx.isInCriticalSection);
          break;
        }
        case "begin":
          begun.push(make(ctx, each.task));
          break;
        case "await begun":
          seen.push(brief(yield ctx.whenAll(begun)));
          break;
        case "cancel":
          for (const task of begun) (task as { cancel?: () => void }).cancel?.();
          break;
        case "status":
          ctx.setCustomStatus(seen.length);
          break;
        case "send":
          ctx.sendEvent("other", "event", seen.length);
          break;
        case "release":
          for (const section of sections.splice(0)) section.release();
          break;
        case "signal":
          ctx.entity("entity", each.key).signal["note"]?.(seen.length, { at: "1h" });
          break;
        case "guid":
          seen.push(ctx.newGuid());
          break;
        case "continue as new":
          if (seen.length > 0) return ctx.continueAsNew(seen.length, { carryEvents: each.carryEvents });
          break;
      }
    } catch (error) {
      seen.push((error as Error).message);
    }
  }
  return seen;
}

function isSection(result: unknown): result is CriticalSection {
  return typeof result === "object" && result !== null && "isReleased" in result;
}

function brief(result: unknown): string {
  if (isSection(result)) return `a section of ${result.entityIds.join()}`;
  if (typeof result === "object" && result !== null && "isCompleted" in result) return "a task";
  if (Array.isArray(result)) return `[${result.map(brief).join()}]`;
  if (typeof result !== "object" || result === null) return `${String(result)}`;
  return `{${Object.entries(result)
    .map(([key, value]) => `${key}: ${key === "data" ? "..." : brief(value)}`)
    .join()}}`;
}

/** The same program in both forms. */
function programs(steps: readonly Step[]): readonly OrchestratorDefinition[] {
  return [
    orchestrator("program", function* (ctx) {
      return yield* walk(ctx, steps);
    }),
    orchestrator("program", async (ctx) => {
      const walker = walk(ctx, steps);
      let next = walker.next();
      while (next.done !== true) {
        let given: { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };
        try {
          // In an object, since a task that wins is handed over as itself and an async function would await it.
          given = await next.value.then((value) => ({ ok: true, value }) as const);
        } catch (error) {
          given = { ok: false, error };
        }
        next = given.ok ? walker.next(given.value) : walker.throw(given.error);
      }
      return next.value;
    }),
  ];
}

// ---- what happens to them

interface Happening {
  readonly what: "answer" | "raise" | "suspend" | "resume" | "noise";
  readonly pick: number;
}

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.oneof(
    { weight: 10, arbitrary: fc.constant("answer" as const) },
    { weight: 4, arbitrary: fc.constant("raise" as const) },
    { weight: 1, arbitrary: fc.constantFrom("suspend" as const, "resume" as const, "noise" as const) },
  ),
  pick: fc.nat(1_000),
});

/** The inbox of one run, event by event, chosen by what is open; and what the run asked for. */
async function live(definition: OrchestratorDefinition, happenings: readonly Happening[]) {
  const story = rehearse(definition);
  const inbox: HistoryEvent[] = [started(definition)];
  const open = new Map<number, Action>();
  const actions: Action[] = [];
  const note = (asked: readonly Action[]): void => {
    for (const action of asked) {
      actions.push(action);
      if (action.kind === "cancelTimer") open.delete(action.id);
      else if (action.kind !== "sendEvent" && action.kind !== "signalEntity" && action.kind !== "unlockEntity") open.set(action.id, action);
      kinds.set(action.kind, (kinds.get(action.kind) ?? 0) + 1);
    }
  };
  const turn = async (event: HistoryEvent): Promise<boolean> => {
    story.now = noon;
    const result = await story.turn(event);
    note(result.actions);
    return result.ended;
  };
  let ended = await turn(inbox[0]!);
  for (const { what, pick } of happenings) {
    if (ended) break;
    const event = eventFor(what, pick, [...open.values()]);
    if (event === undefined) continue;
    if (what === "answer" && "taskScheduledId" in event) open.delete(event.taskScheduledId);
    for (const action of open.values()) if (isAnswer(event, action)) open.delete(action.id);
    inbox.push(event);
    ended = await turn(event);
  }
  return { inbox, actions };
}

function eventFor(what: Happening["what"], pick: number, open: readonly Action[]): HistoryEvent | undefined {
  switch (what) {
    case "raise":
      return raised(pick % 3 === 0 ? "b" : "a", pick);
    case "suspend":
      return suspended;
    case "resume":
      return resumed;
    case "noise":
      return completed(pick, "noise");
    case "answer": {
      const action = open[pick % Math.max(1, open.length)];
      if (action === undefined) return undefined;
      if (action.kind === "createTimer") return fired(action.id);
      if (action.kind === "callEntity") return pick % 3 === 0 ? refused(action, `refusal ${pick}`) : answered(action, pick);
      if (action.kind === "lockEntities") return granted(action);
      if (action.kind === "createSubOrchestration") return childCompleted(action.id, pick);
      return pick % 3 === 0 ? failed(action.id, `failure ${pick}`) : completed(action.id, pick);
    }
  }
}

function isAnswer(event: HistoryEvent, action: Action): boolean {
  if ("requestId" in event && action.kind === "callEntity") return event.requestId === action.requestId;
  return event.kind === "EntityLockGranted" && action.kind === "lockEntities" && event.criticalSectionId === action.criticalSectionId;
}

/** How often each kind of action was asked for. */
const kinds = new Map<Action["kind"], number>();

/** The same inbox in other portions. */
async function inPortions(definition: OrchestratorDefinition, inbox: readonly HistoryEvent[], cuts: readonly number[]): Promise<Action[]> {
  const story = rehearse(definition);
  const actions: Action[] = [];
  let begin = 0;
  for (const cut of [...cuts, inbox.length]) {
    const portion = inbox.slice(begin, Math.max(begin, cut));
    if (portion.length === 0) continue;
    begin += portion.length;
    story.now = noon;
    const result = await story.turn(...portion);
    actions.push(...result.actions);
    if (result.ended) break;
  }
  return actions;
}

/** A timer that was made and cancelled leaves two actions or, within one turn, none: the same in the end (U3). */
function inTheEnd(actions: readonly Action[]): unknown {
  const cancelled = new Set(actions.flatMap((action) => (action.kind === "cancelTimer" ? [action.id] : [])));
  const timers = new Set(actions.flatMap((action) => (action.kind === "createTimer" ? [action.id] : [])));
  return JSON.parse(
    JSON.stringify(
      // What came after the end in one portion was never delivered in the other.
      actions
        .filter(({ kind, id }) => kind !== "cancelTimer" && !(kind === "createTimer" && cancelled.has(id) && timers.has(id)))
        .map((action) =>
          action.kind === "completeOrchestration" ? { ...action, carriedEvents: undefined, droppedEvents: undefined } : action,
        ),
      (key, value: unknown) => (key === "stack" ? undefined : value),
    ),
  );
}

test("any split of the same events, kept or replayed, in either form, gives the same actions (H6)", async () => {
  let ends = 0;
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.array(happening, { maxLength: 25 }),
      fc.array(fc.nat(25), { maxLength: 6 }),
      async (steps, happenings, cuts) => {
        const [generator, asynchronous] = programs(steps) as [OrchestratorDefinition, OrchestratorDefinition];
        const { inbox, actions } = await live(generator, happenings);
        const expected = inTheEnd(actions);
        asked += actions.length;
        if (actions.at(-1)?.kind === "completeOrchestration") ends++;
        cuts.sort((a, b) => a - b);
        for (const definition of [generator, asynchronous]) {
          assert.deepEqual(inTheEnd(await inPortions(definition, inbox, cuts)), expected);
          assert.deepEqual(inTheEnd(await inPortions(definition, inbox, [])), expected);
        }
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(ends > 50 && asked > 500, `too few programs got anywhere: ${ends} ends, ${asked} actions`);
  const {
    callEntity = 0,
    lockEntities = 0,
    unlockEntity = 0,
    signalEntity = 0,
  }: { readonly [K in Action["kind"]]?: number } = Object.fromEntries(kinds);
  assert.ok(
    Math.min(callEntity, lockEntities, unlockEntity, signalEntity) > 20,
    `too little to do with entities: ${JSON.stringify([...kinds])}`,
  );
});
