// kills: a process under load on a real file is killed with -9 at random moments, and another one goes on, again and again.
//
// Owns:    when a victim is killed: while it starts, opens, works, closes; and how often the file is looked at in between.
// Always:  the load and the moments come from the seed; how far a process got by then does not.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import { autopsy } from "./autopsy.ts";
import { StoodStill, within } from "./bounded.ts";
import { Desk } from "./desk.ts";
import { journalTo, readJournal } from "./journal.ts";
import type { Entry } from "../checker/journal.ts";
import { planFor } from "./shapes.ts";
import { untilRest } from "./rest.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";
import { verdictOn } from "./verdict.ts";
import { startVictim, VictimGone } from "./victim-process.ts";
import type { Victim } from "./victim-process.ts";
import { diedWhileCarryingOver } from "./wal.ts";

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Instances that are started in each round. */
  readonly startsPerRound?: number;
  /** The file is checked after every so many kills. */
  readonly checkEvery?: number;
  readonly tell?: (line: string) => void;
}

const STARTS_PER_ROUND = 10;
/** When so many instances have steps left, no more are started: lives are short, and would be spent on asking alone. */
const MOST_LEFT = 120;
const CHECK_EVERY = 25;
const READY_MS = 30_000;
const DYING_MS = 10_000;
const REST_MS = 120_000;
/** Of the lives that are killed while they work, so many make a backup. */
const BACKUPS = 0.3;
/** So long such a life has for it at most; half of it is mostly enough. */
const BACKUP_MS = 2_000;
/** About how long the opening of a file takes. */
const OPENING_MS = 40;
/** A log that is carried over every so many pages meets a kill often; a life in two has one. */
const SMALL_WAL_PAGES = 24;

/** Where a kill falls, as chance has it. */
type Moment = "early" | "opening" | "loading" | "working" | "closing";
const MOMENTS: readonly (readonly [Moment, number])[] = [
  ["early", 0.15],
  ["opening", 0.15],
  ["loading", 0.2],
  ["working", 0.3],
  ["closing", 0.2],
];

/** Kills so many processes, and says what became of everything. */
export async function killCampaign(options: KillOptions): Promise<Report> {
  const { rounds, seed, startsPerRound = STARTS_PER_ROUND, checkEvery = CHECK_EVERY, tell = () => undefined } = options;
  const place = mkdtempSync(join(tmpdir(), "ostinato-kills-"));
  const file = join(place, "hub.db");
  const journal = join(place, "journal.jsonl");
  const random = seededRandom(seed);
  const chance = (): number => random.fraction();
  const tally = new Tally();
  for (const name of ["kills in all", ...REQUIRED]) tally.add(name, 0);
  const desk = new Desk();
  const violations: string[] = [];
  let startMs = 600;
  let victim: Victim | undefined;

  const state = async (): Promise<string> => {
    await victim?.kill();
    return `${autopsy(file)}\n  said: ${victim?.said.slice(-8).join("\n    ") ?? ""}\n  asked: ${desk.pending.slice(0, 10).join(", ")}`;
  };
  const look = (atRest: boolean): void => {
    tally.add(atRest ? "checks of the file at rest" : "checks of the file between kills");
    violations.push(...verdictOn({ file, journal: readJournal(journal), ...(atRest ? { atRest: desk.plans } : {}) }));
  };

  try {
    for (let round = 1; round <= rounds && violations.length === 0; round++) {
      for (let i = 0; i < startsPerRound && desk.left < MOST_LEFT; i++) desk.plan(planFor(`${round}-${i}`, chance));
      const walPages = chance() < 0.5 ? { walPages: SMALL_WAL_PAGES } : {};
      const moment = chosen(chance());
      const share = chance();
      const begun = performance.now();
      victim = startVictim({ file, journal, ...walPages }, [], { NODE_COMPILE_CACHE: join(place, "compile-cache") });
      const life = desk.ask(victim).catch((error: unknown) => {
        if (!(error instanceof VictimGone)) violations.push(error instanceof Error ? error.message : String(error));
      });
      const backup = moment === "working" && chance() < BACKUPS ? backUp(victim, join(place, `backup-${round}.db`)) : undefined;
      if (moment === "early") await sleep(share * startMs * 1.2);
      else if (moment === "opening") {
        await within(READY_MS, `round ${round}: starting`, victim.opening, state);
        await sleep(share * OPENING_MS);
      } else {
        await within(READY_MS, `round ${round}: opening the file`, victim.ready, state);
        startMs = performance.now() - begun;
        if (backup !== undefined) await Promise.race([backup, sleep(share * BACKUP_MS)]);
        else await sleep(share * (moment === "loading" ? 25 : 220));
        if (moment === "closing") {
          victim.ask("stop").catch(() => undefined);
          await within(DYING_MS, `round ${round}: beginning to close`, victim.closing, state);
          await sleep(chance() * 40);
        }
      }
      const phase = victim.phase;
      const alive = await Promise.race([victim.ended.then(() => false), Promise.resolve(true)]);
      if (!alive && phase !== "closed")
        violations.push(`round ${round}: the victim ended before it was killed: ${await victim.ended}, ${JSON.stringify(victim.refusal)}`);
      await within(DYING_MS, `round ${round}: dying`, victim.kill());
      await within(DYING_MS, `round ${round}: the end of the questions`, life);
      journalTo(journal, victim.pid)({ kind: "died" });
      if (backup !== undefined) {
        const made = await within(DYING_MS, `round ${round}: a backup`, backup);
        tally.add(made === undefined ? "backups cut off by a kill" : "backups made under load, and read");
        // D8: a moment of the hub, sound as such. What the journal saw later is not in it.
        if (made !== undefined)
          violations.push(...verdictOn({ file: made, journal: [] }).map((wrong) => `D8 backup of round ${round}: ${wrong}`));
        if (made !== undefined) rmSync(made, { force: true });
      }
      tally.add(phase === "ready" ? `kills while ${moment === "loading" ? "starts came in" : "working"}` : KILLED_WHILE[phase]);
      if (diedWhileCarryingOver(file)) tally.add("kills during a checkpoint (among these)");
      tally.add("kills in all");
      countRefusals(victim, tally);
      for (const said of victim.said) if (!isExpected(said)) violations.push(`round ${round}: the victim said: ${said}`);
      if (round % checkEvery === 0) {
        look(false);
        tell(
          `${round} kills, ${desk.plans.length} instances asked for, ${desk.pending.length} with steps left, ${violations.length} violations`,
        );
      }
    }

    // The last one is left alone until everything has ended.
    if (violations.length === 0) {
      victim = startVictim({ file, journal });
      await within(READY_MS, "the last opening", victim.ready, state);
      const begun = performance.now();
      while (!desk.done && desk.wrongs.length === 0) await within(REST_MS, "the last steps", desk.ask(victim), state);
      await untilRest(victim, desk.plans, state);
      tally.add("ms from the last opening to rest", Math.round(performance.now() - begun));
      countRefusals(victim, tally);
      await within(DYING_MS, "the last close", victim.stop(), state);
      look(true);
    }
  } catch (error) {
    if (!(error instanceof StoodStill)) throw error;
    violations.push(error.message);
  } finally {
    await victim?.kill();
  }

  violations.push(...desk.wrongs);
  const seen = readJournal(journal);
  tally.add("instances asked for", desk.plans.length);
  tally.add("steps confirmed", desk.counts.steps);
  tally.add("steps unanswered and asked again", desk.counts.unanswered);
  tally.add("starts found accepted after a kill", desk.counts.doneBefore);
  countBodies(seen, tally);
  tally.add("bytes of the file", statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  if (violations.length === 0) rmSync(place, { recursive: true, force: true });
  else tell(`kept: ${place}`);
  const required = rounds < 100 ? ["kills in all"] : REQUIRED;
  return { name: `kills (${rounds} rounds)`, seed, counts: tally.counts, required, violations, skipped: [] };
}

/** What a campaign of some length must have met. */
const REQUIRED: readonly string[] = [
  "kills while starting",
  "kills while opening",
  "kills while starts came in",
  "kills while working",
  "kills while closing",
  "kills during a checkpoint (among these)",
  "backups made under load, and read",
  "starts found accepted after a kill",
  "activity bodies run again",
];

const KILLED_WHILE: Readonly<Record<Exclude<Victim["phase"], "ready">, string>> = {
  starting: "kills while starting",
  opening: "kills while opening",
  closing: "kills while closing",
  closed: "kills after closing",
};
const COUNTERS: readonly string[] = [
  "turnsFenced",
  "completionsLate",
  "completionsUnknown",
  "messagesUndelivered",
  "eventsDropped",
  "invariantsBroken",
];

function chosen(share: number): Moment {
  let sum = 0;
  for (const [moment, weight] of MOMENTS) {
    sum += weight;
    if (share < sum) return moment;
  }
  return "working";
}

/** Log lines that a kill explains. A warning or error that nothing explains is a finding. */
function isExpected(said: string): boolean {
  return said.includes("broken for good");
}

/** Makes a backup when the victim is ready. Tells where it is, or nothing when it did not come to be. */
async function backUp(victim: Victim, path: string): Promise<string | undefined> {
  try {
    await victim.ready;
    await victim.ask("backup", path);
    return path;
  } catch (error) {
    if (error instanceof VictimGone) return undefined;
    throw error;
  }
}

/** What the hub of a life refused or dropped, as it was last heard to say. */
function countRefusals(victim: Victim, tally: Tally): void {
  for (const name of COUNTERS) tally.add(name, victim.counters[name] ?? 0);
}

/** How often bodies ran, by the witnesses. */
function countBodies(seen: readonly Entry[], tally: Tally): void {
  const runs = new Map<string, number>();
  for (const line of seen) {
    if (line.kind !== "body-began") continue;
    const key = `${line.key} ${line.taskId} ${line.attempt}`;
    runs.set(key, (runs.get(key) ?? 0) + 1);
  }
  let all = 0;
  let again = 0;
  for (const times of runs.values()) {
    all += times;
    again += times - 1;
  }
  tally.add("activity bodies run", all);
  tally.add("activity bodies run again", again);
}
