// replay: how fast a program is replayed over a long history that is read from the file.
import { setTimeout as sleep } from "node:timers/promises";
import type { Hub } from "ostinato";
import { longAsync, longGenerator, median, withHub, type Figures, type Place } from "./place.ts";

/** The history of each instance: three events a step. */
const EVENTS = 10_000;
const STEPS = Math.floor(EVENTS / 3);
const INSTANCES = 15;
/** So many are replayed before it counts. */
const WARM_UP = 6;

/** Cold replay of histories of 10,000 events: events per second, from the event that wakes the instance to its result. */
export async function replay(place: Place, form: "async" | "generator"): Promise<Figures> {
  const program = form === "async" ? longAsync : longGenerator;
  const ids = Array.from({ length: INSTANCES }, (_, i) => `replay-${i}`);
  await withHub(place, async (hub) => {
    for (const instanceId of ids) await hub.start(program, STEPS, { instanceId });
    for (const instanceId of ids) await untilItWaits(hub, instanceId);
  });
  const rates = await withHub(place, async (hub) => {
    const rates: number[] = [];
    for (const id of ids) {
      const events = await lengthOf(hub, id);
      const begun = performance.now();
      await hub.instance(id).raiseEvent("go", "now");
      await hub.instance(id).result();
      rates.push(events / ((performance.now() - begun) / 1_000));
    }
    return rates;
  });
  return { [`replay.${form}`]: median(rates.slice(WARM_UP)) };
}

async function untilItWaits(hub: Hub, id: string): Promise<void> {
  while (((await hub.instance(id).status())?.awaitedEvents.length ?? 0) === 0) await sleep(500);
}

async function lengthOf(hub: Hub, id: string): Promise<number> {
  let events = 0;
  for await (const _ of hub.instance(id).history()) events++;
  return events;
}
