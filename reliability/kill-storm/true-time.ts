// true-time: loaded before everything else in a process and in each of its threads: its clock is wrong by so much, and one name tells the truth.
//
// Always:  what is shifted is `Date` alone: timers and monotonic time are the machine's, as they are where somebody has set the wrong date.
import { threadId } from "node:worker_threads";

/** The variable of the environment that says by how many milliseconds the clock is wrong. */
export const SHIFT = "OSTINATO_STORM_CLOCK_SHIFT_MS";

const RealDate = Date;
const realNow = Date.now.bind(Date);
const KEPT = Symbol.for("ostinato.storm.true-time");
type Keeper = { [KEPT]?: () => number };

/** What time it is, whatever the process believes. */
export function trueTime(): number {
  return ((globalThis as Keeper)[KEPT] ?? realNow)();
}

const shift = Number(process.env[SHIFT] ?? 0);
if (shift !== 0 && (globalThis as Keeper)[KEPT] === undefined) {
  (globalThis as Keeper)[KEPT] = realNow;
  const now = (): number => realNow() + shift;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given: unknown[]) => (given.length === 0 ? new target(now()) : (Reflect.construct(target, given) as Date)),
    apply: () => new RealDate(now()).toString(),
    get: (target, name, receiver) => (name === "now" ? now : (Reflect.get(target, name, receiver) as unknown)),
  });
  if (Math.abs(Date.now() - realNow() - shift) > 1_000) throw new Error(`The clock of thread ${threadId} could not be shifted.`);
}
