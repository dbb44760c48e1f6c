// shrink: from a world that breaks something to the smallest one that breaks the same.
//
// Always:  SH1 what is kept breaks one of the invariants that the first world broke, when it is run alone.
import type { Violation } from "../checker/violation.ts";
import type { Setup } from "./setup.ts";
import { simulate, type Outcome } from "./world.ts";

/** What of an outcome a shrinker keeps. */
function signs(outcome: Outcome): ReadonlySet<string> {
  return new Set([
    ...outcome.violations.map((violation: Violation) => violation.invariant as string),
    ...(outcome.broken.length > 0 ? ["broken"] : []),
  ]);
}

/** Makes the setup of an outcome smaller for as long as it can, in at most so many runs. */
export async function shrink(outcome: Outcome, budget = 150, run: (setup: Setup) => Promise<Outcome> = simulate): Promise<Outcome> {
  const wanted = signs(outcome);
  let best = outcome;
  let left = budget;
  for (let smaller = true; smaller && left > 0;) {
    smaller = false;
    for (const setup of candidates(best.setup)) {
      if (left-- <= 0) break;
      const tried = await run(setup);
      if (![...signs(tried)].some((sign) => wanted.has(sign))) continue;
      best = tried;
      smaller = true;
      break;
    }
  }
  return best;
}

/** Setups that are smaller, the smallest first. */
function* candidates(setup: Setup): Generator<Setup> {
  for (const half of halves(setup.instances)) yield { ...setup, instances: half };
  for (const half of halves(setup.orders)) yield { ...setup, orders: half };
  for (const half of halves(setup.tellers)) yield { ...setup, tellers: half };
  for (const [at, teller] of setup.tellers.entries())
    for (const signals of halves(teller.signals)) yield { ...setup, tellers: setup.tellers.with(at, { ...teller, signals }) };
  for (const half of halves(setup.blows)) yield { ...setup, blows: half };
  if (setup.hosts.length > 1) for (const half of halves(setup.hosts)) if (half.length > 0) yield { ...setup, hosts: half };
  if (setup.wire !== undefined) {
    const { wire, ...direct } = setup;
    yield direct;
    for (const half of halves(wire.outside)) if (half.length > 0) yield { ...setup, wire: { ...wire, outside: half } };
  }
  for (const fault of setup.faults) yield { ...setup, faults: setup.faults.filter((each) => each !== fault) };
  for (const [at, planned] of setup.instances.entries()) {
    for (const program of halves(planned.program)) {
      const instances = setup.instances.with(at, { ...planned, program });
      if (program.length > 0) yield { ...setup, instances };
    }
    for (const events of halves(planned.events)) yield { ...setup, instances: setup.instances.with(at, { ...planned, events }) };
  }
  if (setup.unrestMs > 10_000) yield { ...setup, unrestMs: Math.floor(setup.unrestMs / 2) };
  if (setup.again) yield { ...setup, again: false };
}

/** Either half of a list, then the list without each one of it. */
function* halves<T>(list: readonly T[]): Generator<readonly T[]> {
  if (list.length === 0) return;
  const middle = Math.floor(list.length / 2);
  if (list.length > 1) {
    yield list.slice(0, middle);
    yield list.slice(middle);
  }
  for (let at = 0; at < list.length; at++) yield list.toSpliced(at, 1);
}
