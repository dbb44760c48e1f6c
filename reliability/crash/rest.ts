// rest: waits until everything that was planned has ended, and what hangs on it as well, as long as something happens.
import { setTimeout as sleep } from "node:timers/promises";
import { StoodStill, within } from "./bounded.ts";
import type { Plan } from "./shapes.ts";
import type { Victim } from "./victim-process.ts";

/** When nothing has ended for so long, it stands still. */
const STILL_MS = 45_000;
const LOOK_MS = 50;

/** Waits until every plan has ended, and nothing is left to do; StoodStill, with the state, when nothing happens any more. */
export async function untilRest(victim: Victim, plans: readonly Plan[], state: () => Promise<string>): Promise<void> {
  await untilEnded(victim, plans, state);
  // Who ends a tree is told of the end of its root; those below it hear of theirs after that.
  let least = Number.POSITIVE_INFINITY;
  for (let since = performance.now(); ; await sleep(LOOK_MS)) {
    const left = await within(STILL_MS, "asking what is left", victim.ask("left"), state);
    if (left === 0) return;
    if (left < least) since = performance.now();
    least = Math.min(least, left);
    if (performance.now() - since > STILL_MS) throw new StoodStill(`${left} things are left to do, and nothing happens.\n${await state()}`);
  }
}

async function untilEnded(victim: Victim, plans: readonly Plan[], state: () => Promise<string>): Promise<void> {
  const left = new Set(plans.filter((plan) => plan.expected !== "gone").map((plan) => plan.id));
  const stop = new AbortController();
  const all = Promise.all(
    [...left].map(async (id) => {
      await victim.ask("step", id, { op: "ended" });
      left.delete(id);
    }),
  );
  all.catch(() => undefined); // told below
  try {
    for (let before = -1; before !== left.size;) {
      before = left.size;
      if (await Promise.race([all.then(() => true), sleep(STILL_MS, false, { signal: stop.signal })])) return;
    }
  } finally {
    stop.abort();
  }
  throw new StoodStill(`${left.size} have not ended, and nothing happens: ${[...left].slice(0, 10).join(", ")}\n${await state()}`);
}
