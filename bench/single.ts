// single: W2, W3, W4 and W6: one orchestration at a time, and starts without a worker. Each is warmed up by a smaller one of its kind: what is
// measured is a program that has run for a while, and not how its code is compiled.
import { chain, fanOut, one, withHub, type Figures, type Place } from "./place.ts";

/** W2: one orchestration, N activities in parallel; milliseconds. */
export async function fanOutOf(place: Place, width: number): Promise<Figures> {
  return withHub(place, async (hub) => {
    for (let i = 0; i < 5; i++) await (await hub.start(fanOut, 1_000)).result();
    const begun = performance.now();
    const done = await (await hub.start(fanOut, width)).result();
    if (done !== width) throw new Error(`the fan-out of ${width} gave ${done}`);
    return { [`${place.store}.fanout.n${width}`]: performance.now() - begun };
  });
}

/** W3: one orchestration, N activities one after another; microseconds a step. */
export async function longChain(place: Place, steps: number): Promise<Figures> {
  return withHub(place, async (hub) => {
    for (let i = 0; i < 5; i++) await (await hub.start(chain, 500)).result();
    const begun = performance.now();
    await (await hub.start(chain, steps)).result();
    return { [`${place.store}.longchain.n${steps}`]: ((performance.now() - begun) * 1_000) / steps };
  });
}

/** W4: start to result of one activity, one at a time; milliseconds. */
export async function latency(place: Place, times: number): Promise<Figures> {
  return withHub(place, async (hub) => {
    for (let i = 0; i < 500; i++) await (await hub.start(one)).result();
    const taken: number[] = [];
    for (let i = 0; i < times; i++) {
      const begun = performance.now();
      await (await hub.start(one)).result();
      taken.push(performance.now() - begun);
    }
    taken.sort((a, b) => a - b);
    return {
      [`${place.store}.latency.p50`]: taken[Math.floor(times * 0.5)]!,
      [`${place.store}.latency.p99`]: taken[Math.floor(times * 0.99)]!,
    };
  });
}

/** W6: durable starts per second, K at a time, no worker. */
export async function starts(place: Place, inFlight: number): Promise<Figures> {
  return withHub(
    place,
    async (hub) => {
      const run = async (seconds: number): Promise<number> => {
        let count = 0;
        const begun = performance.now();
        const until = begun + seconds * 1_000;
        await Promise.all(
          Array.from({ length: inFlight }, async () => {
            while (performance.now() < until) {
              await hub.start(one);
              count++;
            }
          }),
        );
        return count / ((performance.now() - begun) / 1_000);
      };
      await run(place.seconds / 4);
      return { [`${place.store}.starts.k${inFlight}`]: await run(place.seconds) };
    },
    { worker: false },
  );
}
