// Trees of calls that fail at random, rewound until they succeed: whatever their shape, each call succeeds once and the output is as if nothing
// had happened.

import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator, type OrchestratorContext, type Task } from "../src/index.ts";
import { assertSound } from "../src/conformance/backend/history-rules.ts";
import { createTestHub } from "../src/testing.ts";

/** A step of a program. `fails`: how often it fails before it succeeds. */
type Step =
  | { readonly kind: "call"; readonly name: string; readonly fails: number; readonly attempts: number }
  | { readonly kind: "caught"; readonly name: string; readonly otherwise: string }
  | { readonly kind: "timer" }
  | { readonly kind: "child"; readonly name: string; readonly steps: readonly Step[] }
  | { readonly kind: "all"; readonly steps: readonly Extract<Step, { kind: "call" | "child" | "timer" }>[] }
  /** Code beside code: the first that fails ends the program, whatever the others are at. */
  | { readonly kind: "branches"; readonly steps: readonly Extract<Step, { kind: "call" | "child" | "timer" | "caught" }>[] };

/** What a program of these steps gives. */
function outputOf(steps: readonly Step[]): unknown[] {
  return steps.map((step) => {
    if (step.kind === "child") return outputOf(step.steps);
    if (step.kind === "all" || step.kind === "branches") return outputOf(step.steps);
    if (step.kind === "timer") return null;
    return step.kind === "caught" ? step.otherwise : step.name;
  });
}

function stepsOf(chance: () => number, depth: number, mint: () => string): readonly Step[] {
  const less = (n: number): number => Math.floor(chance() * n);
  const single = (): Extract<Step, { kind: "call" | "child" | "timer" }> => {
    const kind = less(6);
    if (kind === 0) return { kind: "timer" };
    if (kind === 1 && depth > 0) return { kind: "child", name: mint(), steps: stepsOf(chance, depth - 1, mint) };
    return { kind: "call", name: mint(), fails: less(3) === 0 ? 1 + less(4) : 0, attempts: 1 + less(3) };
  };
  return Array.from({ length: 1 + less(4) }, (): Step => {
    const kind = less(6);
    const caught = (): Extract<Step, { kind: "caught" }> => ({ kind: "caught", name: mint(), otherwise: mint() });
    if (kind === 0) return { kind: "all", steps: Array.from({ length: 1 + less(4) }, single) };
    if (kind === 1) return { kind: "branches", steps: Array.from({ length: 1 + less(4) }, () => (less(3) === 0 ? caught() : single())) };
    return kind === 2 ? caught() : single();
  });
}

/** Small and the same everywhere (mulberry32). */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

async function trial(seed: number, cold: boolean): Promise<number> {
  const chance = chanceOf(seed);
  let names = 0;
  const steps = stepsOf(chance, 2, () => `n${++names}`);
  const failuresLeft = new Map<string, number>();
  const succeeded = new Map<string, number>();
  /** May have been under way when another branch ended the program: then they are called again. */
  const besideOthers = new Set<string>();
  const count = (of: readonly Step[], beside = false): void => {
    for (const step of of) {
      if (beside && step.kind === "call") besideOthers.add(step.name);
      if (beside && step.kind === "caught") besideOthers.add(step.otherwise);
      if (step.kind === "call") failuresLeft.set(step.name, step.fails);
      else if (step.kind === "caught") failuresLeft.set(step.name, Number.POSITIVE_INFINITY);
      else if (step.kind !== "timer") count(step.steps, beside || step.kind === "branches");
    }
  };
  count(steps);
  const work = activity("work", async (_ctx, name: string) => {
    const left = failuresLeft.get(name) ?? 0;
    if (left > 0) {
      failuresLeft.set(name, left - 1);
      throw new Error(`${name} fails`);
    }
    succeeded.set(name, (succeeded.get(name) ?? 0) + 1);
    return name;
  });
  const begin = (ctx: OrchestratorContext, step: Extract<Step, { kind: "call" | "child" | "timer" }>): Task<unknown> => {
    if (step.kind === "timer") return ctx.createTimer("1m");
    if (step.kind === "child") return ctx.callSubOrchestrator(program, step.steps, { instanceId: `${ctx.instanceId}/${step.name}` });
    return ctx.callActivity(work, step.name, { retry: { maxNumberOfAttempts: step.attempts, firstRetryInterval: "10s" } });
  };
  const program = orchestrator("program", async (ctx: OrchestratorContext, all: readonly Step[]): Promise<unknown[]> => {
    const results: unknown[] = [];
    const run = async (step: Extract<Step, { kind: "call" | "child" | "timer" | "caught" }>): Promise<unknown> => {
      if (step.kind !== "caught") return (await begin(ctx, step)) ?? null;
      const first = await ctx.callActivity(work, step.name).then(
        () => true,
        () => false,
      );
      return first ? step.name : await ctx.callActivity(work, step.otherwise);
    };
    for (const step of all) {
      if (step.kind === "all") results.push((await ctx.whenAll(step.steps.map((each) => begin(ctx, each)))).map((each) => each ?? null));
      else if (step.kind === "branches") results.push(await Promise.all(step.steps.map(run)));
      else results.push(await run(step));
    }
    return results;
  });
  const hub = await createTestHub({ orchestrators: [program], activities: [work], seed, ...(cold ? { warm: { bytes: 0 } } : {}) });
  const instance = await hub.start(program, steps, { instanceId: "top" });
  let rewinds = 0;
  for (;;) {
    const output = await instance.result().catch(() => undefined);
    if (output !== undefined) {
      assert.deepEqual(output, outputOf(steps));
      break;
    }
    assert.equal((await instance.status())?.status, "FAILED");
    assert.ok(++rewinds < 200, "it never ends well");
    if (chance() < 0.3) await hub.crash();
    await instance.rewind(`round ${rewinds}`);
  }
  assert.deepEqual(
    [...succeeded].filter(([name, times]) => times !== 1 && !besideOthers.has(name)),
    [],
    "C6 what succeeded ran once",
  );
  for await (const { id, status } of hub.query()) {
    assert.equal(status, "COMPLETED", id);
    const history = await hub.instance(id).history();
    assertSound(history);
    const inputs = new Map(history.flatMap((event) => (event.kind === "TaskScheduled" ? [[event.eventId, event.input] as const] : [])));
    const results = history.flatMap((event) => (event.kind === "TaskCompleted" ? [inputs.get(event.taskScheduledId)] : []));
    assert.equal(new Set(results).size, results.length, "C6 what is recorded as done is not asked for again");
  }
  assert.equal(hub.counters()["turnsStalled"], undefined);
  await hub.close();
  return rewinds;
}

test("C6 programs of any shape, rewound until they succeed, end as if nothing had failed, and nothing that succeeded ran twice", async () => {
  let rewinds = 0;
  for (let seed = 1; seed <= 60; seed++) {
    try {
      rewinds += await trial(seed, seed % 2 === 0);
    } catch (error) {
      throw new Error(`It fails with seed ${seed}.`, { cause: error });
    }
  }
  assert.ok(rewinds > 60, `only ${rewinds} rewinds`);
});
