// programs: what the processes of a storm run, and what is planned for them: the shapes of the crash campaigns, and programs over entities.
//
// Always:  what must come of a plan is computed here, and never asked of the product.
import { setTimeout as sleep } from "node:timers/promises";
import { activity, orchestrator, type EntityDefinition } from "ostinato";
import type { Expectation } from "../checker/rest-rules.ts";
import type { Taken } from "../checker/event-rules.ts";
import {
  activities as activitiesOfCrashes,
  orchestrators as shapesOfCrashes,
  planFor as shapeFor,
  witnessed,
  type Step as ShapeStep,
} from "../crash/shapes.ts";
import type { Chance } from "../simulation/chance.ts";
import { listEntriesOf, listsOf, listStepOf, playList, type ListStep } from "../simulation/lists.ts";

/** One thing that a client asks for. */
export type Step =
  | ShapeStep
  /** The text is made new whenever it is asked for again. `inMs`: not before so long from now. */
  | { readonly op: "signal"; readonly key: string; readonly inMs?: number }
  | { readonly op: "look" };

/** An instance that is to be, or a client's doings with entities. */
export interface Plan {
  readonly id: string;
  readonly shape: string;
  readonly steps: readonly Step[];
  /** What must come of it; `gone`: it was purged. Nothing where no instance is made. */
  readonly expected: Expectation | "gone" | undefined;
}

interface Listing {
  readonly steps: readonly ListStep[];
  readonly at: number;
  readonly log: readonly string[];
}

/** Plays instructions over entities: calls, signals, critical sections, some of them across a continue-as-new. */
const listing = orchestrator("listing", async (ctx, input: Listing): Promise<{ log: string[] }> => {
  const log = [...input.log];
  const { steps } = input;
  for (let at = input.at; at < steps.length; at++) {
    const step = steps[at]!;
    let isLast = false;
    const anew = (): void => {
      isLast = true;
      ctx.continueAsNew({ steps, at: at + 1, log: [...log, step.do] });
    };
    log.push(await playList(ctx, step, at, (n) => ctx.callActivity("square", n + 1), anew));
    if (isLast) break;
  }
  return { log };
});

/** Takes a while, and gives what no other delivery of it gives: so everybody can tell whose result was written. */
const stamp = activity("stamp", async (ctx, ms: number) =>
  witnessed(ctx, async () => {
    await sleep(ms);
    return `delivery ${ctx.delivery}`;
  }),
);

interface Stamping {
  readonly ms: readonly number[];
}
const stamping = orchestrator("stamping", async (ctx, { ms }: Stamping) => {
  const stamps = await ctx.whenAll(ms.map((each) => ctx.callActivity(stamp, each)));
  return stamps.length;
});

export const activities = [...activitiesOfCrashes, stamp];
export const orchestrators = [...shapesOfCrashes, listing, stamping];
/** Entities whose operations take a moment now and then, so that kills fall into them. */
export function entitiesOf(sleep: (ms: number) => Promise<void>, chance: Chance): readonly EntityDefinition[] {
  return listsOf(sleep, () => (chance.happens(0.1) ? chance.between(1, 20) : 0));
}

/** Entities come in groups of four: so many groups that somebody always finds what he needs unlocked. */
const INSTANCES_PER_GROUP = 40;
const LISTINGS = 0.16;
const SIGNALLERS = 0.04;
const STAMPINGS = 0.08;

/** What is planned for a storm: so many plans, as the seed has it. */
export function plansFor(count: number, chance: Chance): Plan[] {
  const groups = Math.max(1, Math.ceil((count * (LISTINGS + SIGNALLERS)) / INSTANCES_PER_GROUP));
  return Array.from({ length: count }, (_, n) => {
    const roll = chance.fraction();
    if (roll < LISTINGS) return listingFor(`listing-${n}`, chance.below(groups), chance);
    if (roll < LISTINGS + SIGNALLERS) return signallerFor(`signaller-${n}`, chance.below(groups), chance);
    if (roll < LISTINGS + SIGNALLERS + STAMPINGS) return stampingFor(`stamping-${n}`, chance);
    return crashShape(String(n), chance);
  });
}

function crashShape(name: string, chance: Chance): Plan {
  const { id, shape, steps, expected } = shapeFor(name, () => chance.fraction());
  if (expected === "gone") return { id, shape, steps, expected };
  const { status, output } = expected;
  // Somebody looks at it between the steps: nobody may see it go back (I6).
  const looked = chance.happens(0.3) ? steps.flatMap((step): Step[] => [step, { op: "look" }]) : [...steps];
  if (chance.happens(0.2)) looked.push({ op: "ended" });
  return {
    id,
    shape,
    steps: looked,
    expected: { instanceId: id, status: [status], ...(output === undefined ? {} : { output }) },
  };
}

function stampingFor(id: string, chance: Chance): Plan {
  const ms = Array.from({ length: chance.between(1, 6) }, () =>
    chance.happens(0.3) ? chance.between(2_000, 6_000) : chance.between(50, 1_000),
  );
  return {
    id,
    shape: "stamping",
    steps: [{ op: "start", orchestrator: "stamping", input: { ms } satisfies Stamping }],
    expected: { instanceId: id, output: ms.length },
  };
}

function listingFor(id: string, group: number, chance: Chance): Plan {
  const steps = Array.from({ length: chance.between(1, 5) }, () => inGroup(listStep(chance), group));
  if (chance.happens(0.1)) steps.push({ do: "hold", keys: [`a${group}`, `c${group}`] });
  return {
    id,
    shape: "listing",
    steps: [{ op: "start", orchestrator: "listing", input: { steps, at: 0, log: [] } satisfies Listing }],
    expected: { instanceId: id, log: steps.map(listEntriesOf) },
  };
}

/** One that starts nothing else, and waits for no longer than a storm has time for. */
function listStep(chance: Chance): ListStep {
  for (;;) {
    const step = listStepOf(chance);
    if ("deed" in step && step.deed === "begin") continue;
    if (step.do === "lock-race") return { ...step, ms: Math.ceil(step.ms / 4) };
    if (step.do === "tell" && step.later !== undefined) return { ...step, later: Math.ceil(step.later / 10) };
    return step;
  }
}

function inGroup(step: ListStep, group: number): ListStep {
  const own = (key: string): string => `${key}${group}`;
  if ("keys" in step) return { ...step, keys: step.keys.map(own) };
  return { ...step, key: own(step.key), to: own(step.to) };
}

/** A client that signals entities, one signal after the other. */
function signallerFor(id: string, group: number, chance: Chance): Plan {
  const key = `${chance.pick(["a", "b", "c", "d"])}${group}`;
  const steps = Array.from({ length: chance.between(2, 6) }, (): Step => {
    return { op: "signal", key, ...(chance.happens(0.2) ? { inMs: chance.between(1, 2_000) } : {}) };
  });
  return { id, shape: "signaller", steps, expected: undefined };
}

/** How often activities may be tried. */
export const POLICIES = {
  square: { maxAttempts: 1 },
  stamp: { maxAttempts: 1 },
  busy: { maxAttempts: 5, firstDelayMs: 5, coefficient: 2 },
  broken: { maxAttempts: 1 },
} as const;

/** The events that programs say they have taken: those that collect them tell all they have. */
export const taken: Taken = {
  atStart: ({ record, payloads }) =>
    record.name !== "collecting" || payloads.input === undefined
      ? undefined
      : (JSON.parse(payloads.input) as { readonly seen: readonly number[] }).seen.map(String),
  inTheEnd({ record, payloads }) {
    if (record.name !== "collecting" || record.status !== "COMPLETED" || payloads.output === undefined) return undefined;
    return (JSON.parse(payloads.output) as readonly number[]).map(String);
  },
};
