// syscalls: the process is killed at its n-th write or sync to the files of the database, for many n, and another one goes on.
//
// Always:  a kill at the n-th call is a kill before the kernel has seen it: what it was to write is not there, what came before is.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import { autopsy } from "./autopsy.ts";
import { StoodStill, within } from "./bounded.ts";
import { Desk } from "./desk.ts";
import { journalTo, readJournal } from "./journal.ts";
import { untilRest } from "./rest.ts";
import { planFor } from "./shapes.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";
import { traced, whyNoTracing } from "./tracing.ts";
import { trial } from "./trial.ts";
import { verdictOn } from "./verdict.ts";
import { startVictim, VictimGone } from "./victim-process.ts";
import type { Victim } from "./victim-process.ts";
import { diedWhileCarryingOver } from "./wal.ts";

export interface SyscallOptions {
  readonly seed: number;
  /** Each of the calls is the last one at the first, the second, ... so many places. */
  readonly places?: number;
  readonly tell?: (line: string) => void;
}

const PLACES = 24;
const CALLS = ["pwrite64", "fsync", "ftruncate"] as const;
/** Later places lie further apart: the first ones are the opening of the file. */
const placeOf = (n: number): number => Math.ceil(n + (n * n) / 6);
const LIFE_MS = 4_000;
const WAIT_MS = 60_000;
const SMALL_WAL_PAGES = 24;
const STARTS = 6;
const MOST_LEFT = 60;
const CHECK_EVERY = 10;

/** The calls by which a new file comes to be. */
const MAKING = ["pwrite64", "fsync", "ftruncate", "rename", "unlink"] as const;
/** More calls than it takes to make a file. */
const MOST_MAKING = 80;

/** Kills at each call by which a new file is made: afterwards there is one that is whole, or none, and a hub opens there. */
async function killsWhileMaking(seed: number, step: number, tally: Tally): Promise<string[]> {
  const wrong: string[] = [];
  for (const call of MAKING) {
    let died = true;
    for (let n = 1; died && n <= MOST_MAKING; n += step) {
      const found = await trial(
        `killed at the ${n}. ${call} while the file is made`,
        { seed: seed + n, tally: new Tally() },
        async (it) => {
          const files = ["", "-journal", "-wal", "-shm"].flatMap((end) => [`${it.file}${end}`, `${it.file}-new${end}`]);
          it.load(2);
          const around = traced({ calls: [call], what: "signal=SIGKILL", when: `${n}`, files, log: join(it.folder, "strace.log") });
          died = await it.begin(around).then(
            () => false,
            (error: unknown) => {
              if (error instanceof VictimGone) return true;
              throw error;
            },
          );
          if (!died) return;
          tally.add(`kills at ${call} while the file is made`);
          await it.begin();
          await it.finish();
        },
      );
      wrong.push(...found);
    }
  }
  return wrong;
}

/** Kills at system calls. */
export async function syscallCampaign({ seed, places = PLACES, tell = () => undefined }: SyscallOptions): Promise<Report> {
  const tally = new Tally();
  const violations: string[] = [];
  const name = "system calls";
  const why = whyNoTracing();
  if (why !== undefined) return { name, seed, counts: tally.counts, required: [], violations, skipped: [why] };

  const place = mkdtempSync(join(tmpdir(), "ostinato-syscalls-"));
  const file = join(place, "hub.db");
  const journal = join(place, "journal.jsonl");
  const random = seededRandom(seed);
  const desk = new Desk();
  const environment = { NODE_COMPILE_CACHE: join(place, "compile-cache") };
  let victim: Victim | undefined;
  let kills = 0;
  const state = async (): Promise<string> => {
    await victim?.kill();
    return autopsy(file);
  };
  const check = (atRest: boolean): void => {
    tally.add("checks of the file");
    violations.push(...verdictOn({ file, journal: readJournal(journal), ...(atRest ? { atRest: desk.plans } : {}) }));
  };

  try {
    violations.push(...(await killsWhileMaking(seed, places < PLACES ? 5 : 1, tally)));
    tell(`the file is made, and whoever makes it is killed: ${violations.length} violations`);
    for (let n = 1; n <= places; n++) {
      for (const call of CALLS) {
        for (let i = 0; i < STARTS && desk.left < MOST_LEFT; i++) desk.plan(planFor(`${n}-${call}-${i}`, () => random.fraction()));
        const around = traced({
          calls: [call],
          what: "signal=SIGKILL",
          when: `${placeOf(n)}`,
          files: ["", "-wal", "-shm"].map((end) => `${file}${end}`),
          log: join(place, "strace.log"),
        });
        victim = startVictim({ file, journal, walPages: SMALL_WAL_PAGES }, around, environment);
        const asked = desk.ask(victim).catch((error: unknown) => {
          if (!(error instanceof VictimGone)) throw error;
        });
        await within(WAIT_MS, `the ${placeOf(n)}. ${call}`, readyOrEnded(victim), state);
        const came = await endedOrLate(victim);
        const { phase } = victim;
        await victim.kill();
        await within(WAIT_MS, "the end of the questions", asked, state);
        journalTo(journal, victim.pid)({ kind: "died" });
        tally.add(came === "ended" ? `kills at ${call} while ${phase}` : `lives that had fewer calls of ${call}`);
        if (victim.refusal !== undefined) violations.push(`the file was refused: ${victim.refusal.message}`);
        if (diedWhileCarryingOver(file)) tally.add("kills during a checkpoint (among these)");
        if (++kills % CHECK_EVERY === 0) check(false);
        if (violations.length > 0) throw new StoodStill(`after the ${placeOf(n)}. ${call}`);
      }
      tell(`${kills} lives ended at a system call, ${desk.plans.length} instances asked for, ${violations.length} violations`);
    }
    victim = startVictim({ file, journal }, [], environment);
    await within(WAIT_MS, "the last opening", victim.ready, state);
    while (!desk.done && desk.wrongs.length === 0) await within(WAIT_MS, "the last steps", desk.ask(victim), state);
    await untilRest(victim, desk.plans, state);
    await within(WAIT_MS, "the last close", victim.stop(), state);
    check(true);
  } catch (error) {
    if (!(error instanceof StoodStill)) throw error;
    violations.push(error.message);
  } finally {
    await victim?.kill();
    rmSync(place, { recursive: true, force: true });
  }
  violations.push(...desk.wrongs);
  tally.add("instances asked for", desk.plans.length);
  tally.add("steps confirmed", desk.counts.steps);
  const met = [...tally.counts.keys()].filter((each) => each.startsWith("kills at"));
  const required = CALLS.map((call) => met.find((each) => each.includes(` ${call} `)) ?? `kills at ${call}`);
  required.push(...["pwrite64", "fsync", "rename"].map((call) => `kills at ${call} while the file is made`));
  return { name, seed, counts: tally.counts, required, violations, skipped: [] };
}

async function readyOrEnded(victim: Victim): Promise<void> {
  await Promise.race([victim.ended, victim.ready.catch(() => undefined)]);
}

/** Resolves when the victim has ended, or has lived for long: it does not make so many calls. */
async function endedOrLate(victim: Victim): Promise<"ended" | "late"> {
  const stop = new AbortController();
  const late = sleep(LIFE_MS, "late" as const, { signal: stop.signal });
  late.catch(() => undefined); // it is taken back when the victim has ended
  try {
    return await Promise.race([victim.ended.then(() => "ended" as const), late]);
  } finally {
    stop.abort();
  }
}
