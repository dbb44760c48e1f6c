// RW3 and RW5: whatever a program with entities and critical sections does, and wherever it fails, each rewind goes on by the same actions kept
// and replayed, and nothing that belongs into a section is called before the section is granted.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Action } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { orchestrator, type OrchestratorDefinition } from "../authoring/define.ts";
import type { OrchestratorContext } from "../authoring/orchestrator-context.ts";
import type { Task } from "../authoring/task.ts";
import { answered, completed, failed, granted, refused, rehearse, rewind, type Turned } from "./rehearsal.test.ts";

// ---- programs: lists of steps, each of which may fail the program

interface Call {
  readonly do: "activity" | "operation" | "signal";
  readonly key: string;
}
type Step =
  | Call
  | { readonly do: "together"; readonly calls: readonly Call[] }
  | { readonly do: "section"; readonly keys: readonly string[]; readonly calls: readonly Call[]; readonly isCaught: boolean }
  | { readonly do: "caught"; readonly call: Call };

const key = fc.constantFrom("a", "b");
const call: fc.Arbitrary<Call> = fc.record({ do: fc.constantFrom("activity" as const, "operation" as const, "signal" as const), key });
const step: fc.Arbitrary<Step> = fc.oneof(
  call,
  fc.record({ do: fc.constant("together" as const), calls: fc.array(call, { minLength: 1, maxLength: 3 }) }),
  fc.record({ do: fc.constant("caught" as const), call }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("section" as const),
      keys: fc.array(key, { minLength: 1, maxLength: 2 }),
      calls: fc.array(call, { minLength: 1, maxLength: 3 }),
      isCaught: fc.boolean(),
    }),
  },
);

/** Calls carry whether they were made in a section, so that who watches can tell. */
function make(ctx: OrchestratorContext, { do: what, key: name }: Call): Task<unknown> {
  const entity = ctx.entity("entity", name);
  if (what === "operation") return entity.call("operate", ctx.isInCriticalSection);
  if (what === "signal") ctx.entity("other", name).signal["note"]?.(1);
  return ctx.callActivity("activity", name);
}

async function run(ctx: OrchestratorContext, each: Step): Promise<void> {
  switch (each.do) {
    case "together":
      await ctx.whenAll(each.calls.map((one) => make(ctx, one)));
      return;
    case "caught":
      await make(ctx, each.call).then(undefined, () => undefined);
      return;
    case "section": {
      const section = ctx.lockEntities(
        each.keys.map((name) => ctx.entity("entity", name)),
        async () => {
          for (const one of each.calls) await make(ctx, each.keys.includes(one.key) ? one : { ...one, do: "activity" });
        },
      );
      if (each.isCaught) await section.then(undefined, () => ctx.callActivity("mend", 1));
      else await section;
      return;
    }
    default:
      await make(ctx, each);
  }
}

// ---- the world: what is open, and what is locked

class World {
  readonly #open = new Map<number, Action>();
  #section: { readonly id: string; locked: readonly string[]; isGranted: boolean } | undefined;
  sections = 0;

  note({ actions }: Turned): void {
    for (const action of actions) {
      if (action.kind === "scheduleTask" || action.kind === "callEntity" || action.kind === "lockEntities")
        this.#open.set(action.id, action);
      if (action.kind === "lockEntities") {
        this.#section = { id: action.criticalSectionId, locked: action.lockSet, isGranted: false };
        this.sections++;
      }
      if (action.kind === "unlockEntity" && action.criticalSectionId === this.#section?.id) this.#section = undefined;
      if (action.kind === "callEntity" && action.input === "true")
        assert.ok(
          this.#section?.isGranted === true && this.#section.locked.includes(action.entityId),
          `${action.entityId} is called outside of its section`,
        );
    }
  }

  /** Every end lets go of everything, and what was on its way to the execution reaches nobody. */
  end(): void {
    this.#open.clear();
    this.#section = undefined;
  }

  /** Something that was asked for is answered: picked by chance, and in three cases of ten as a failure. */
  answer(pick: number): HistoryEvent | undefined {
    const open = [...this.#open.values()];
    const action = open[pick % Math.max(1, open.length)];
    if (action === undefined) return undefined;
    this.#open.delete(action.id);
    const fails = pick % 10 < 3;
    if (action.kind === "callEntity") return fails ? refused(action, "no") : answered(action, pick);
    if (action.kind !== "lockEntities") return fails ? failed(action.id, "no") : completed(action.id, pick);
    if (this.#section?.id === action.criticalSectionId) this.#section.isGranted = true;
    return granted(action);
  }
}

test("RW3, RW5 a program that fails again and again goes on by the same actions, and in its sections", async () => {
  let rewinds = 0;
  let sections = 0;
  let completions = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 4 }),
      fc.array(fc.array(fc.nat(999), { minLength: 1, maxLength: 2 }), { minLength: 5, maxLength: 60 }),
      async (steps, picks) => {
        const program: OrchestratorDefinition = orchestrator("program", async (ctx) => {
          for (const each of steps) await run(ctx, each);
          return "done";
        });
        const world = new World();
        const story = rehearse(program);
        let stage: { turn(...events: readonly HistoryEvent[]): Promise<Turned> } = story;
        let result = await story.start();
        world.note(result);
        for (const several of picks) {
          if (result.ended) {
            const end = result.actions.at(-1);
            if (end?.kind !== "completeOrchestration" || end.status !== "FAILED") break;
            world.end();
            rewinds++;
            stage = rewind(program, story);
            result = await stage.turn();
            world.note(result);
            continue;
          }
          const events = several.flatMap((pick) => world.answer(pick) ?? []);
          assert.ok(events.length > 0, "it waits for something that will never come");
          result = await stage.turn(...events);
          world.note(result);
        }
        sections += world.sections;
        if (result.ended) completions++;
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(
    rewinds > 100 && sections > 200 && completions > 50,
    `too little happened: ${rewinds} rewinds, ${sections} sections, ${completions} ends`,
  );
});
