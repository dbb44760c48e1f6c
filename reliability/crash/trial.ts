// trial: a hub under load on a file of its own, while something is done to its disk: what every trial of a fault has in common.
//
// Owns:    the load, the victim, and the three things that must hold whatever was done: it lived, it went on by itself, and nothing that was
//          confirmed is lost or done twice.
import { mkdtempSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import { autopsy } from "./autopsy.ts";
import { StoodStill, within } from "./bounded.ts";
import { Desk } from "./desk.ts";
import { journalTo, readJournal } from "./journal.ts";
import { untilRest } from "./rest.ts";
import { planFor } from "./shapes.ts";
import type { Tally } from "./tally.ts";
import { verdictOn } from "./verdict.ts";
import { startVictim, VictimGone, VictimRefused } from "./victim-process.ts";
import type { Victim } from "./victim-process.ts";
import type { VictimOptions } from "./victim.ts";

const READY_MS = 60_000;
const CLOSE_MS = 30_000;
const RECOVERY_MS = 90_000;
const ASK_AGAIN_MS = 100;

/** A trial under way. */
export interface Trial {
  readonly folder: string;
  readonly file: string;
  readonly desk: Desk;
  readonly victim: Victim;
  readonly violations: string[];
  readonly tally: Tally;
  /** Plans so many instances more. */
  load(instances: number): void;
  /** Starts a victim, and waits until it is ready. */
  begin(around?: readonly string[], options?: Partial<VictimOptions>): Promise<void>;
  /** Starts a victim that may be refused; tells what it was refused with. */
  tryToBegin(around?: readonly string[]): Promise<{ readonly code: string; readonly message: string } | undefined>;
  /** Kills the victim. */
  end(): Promise<void>;
  /** Asks for what is left, again and again for so long; shorter when nothing is. */
  askFor(ms: number): Promise<void>;
  /** Asks until all is done and has ended, by itself; then closes and reads the file. */
  finish(): Promise<void>;
}

/** How large the files of a database are, and what room is left beside them. */
function sizesOf(file: string): string {
  const sizes = ["", "-wal", "-shm"].map((end) => `hub.db${end} ${statSync(`${file}${end}`, { throwIfNoEntry: false })?.size ?? 0}`);
  const { bavail, bsize } = statfsSync(dirname(file));
  return `${sizes.join(", ")}, free ${bavail * bsize}`;
}

/** Runs a trial. What it finds wrong is told under its name. */
export async function trial(
  name: string,
  settings: { readonly seed: number; readonly tally: Tally; readonly file?: string },
  run: (trial: Trial) => Promise<void>,
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-disk-"));
  const file = settings.file ?? join(folder, "hub.db");
  const journal = join(folder, "journal.jsonl");
  const random = seededRandom(settings.seed);
  const desk = new Desk();
  const violations: string[] = [];
  let planned = 0;
  let victim: Victim | undefined;
  const cache = join(tmpdir(), "ostinato-crash-compile-cache");

  const living = (): Victim => {
    if (victim === undefined) throw new Error("No victim was started.");
    return victim;
  };
  const state = async (): Promise<string> => {
    await end();
    return `  ${sizesOf(file)}\n${autopsy(file)}\n  said:\n    ${victim?.said.slice(-8).join("\n    ") ?? ""}\n  asked: ${desk.pending.slice(0, 10).join(", ")}`;
  };
  const end = async (): Promise<void> => {
    if (victim === undefined) return;
    await victim.kill();
    journalTo(journal, victim.pid)({ kind: "died" });
  };
  const start = async (around: readonly string[] | undefined, options: Partial<VictimOptions>): Promise<void> => {
    await end();
    victim = startVictim({ file, journal, ...options }, around, { NODE_COMPILE_CACHE: cache });
    await within(READY_MS, "opening the file", victim.ready, state);
  };
  /** Asks for so long. What waits for an end is not waited for: on a disk that fails nothing may end. */
  const askFor = async (ms: number): Promise<void> => {
    for (const until = performance.now() + ms; ;) {
      desk.ask(living()).catch((error: unknown) => violations.push((error as Error).message));
      await Promise.race([sleep(ASK_AGAIN_MS), living().ended]);
      if (desk.gone || living().phase === "closed")
        throw new VictimGone(`The process has died: ${await living().ended}. ${living().said.slice(-3).join("; ")}`);
      if (desk.done || performance.now() >= until) return;
    }
  };

  const self: Trial = {
    folder,
    file,
    desk,
    get victim() {
      return living();
    },
    violations,
    tally: settings.tally,
    load(instances) {
      for (let i = 0; i < instances; i++) desk.plan(planFor(`${++planned}`, () => random.fraction()));
    },
    begin: (around, options = {}) => start(around, options),
    end,
    async tryToBegin(around) {
      try {
        await start(around, {});
        return undefined;
      } catch (error) {
        if (!(error instanceof VictimRefused)) throw error;
        await within(READY_MS, "the end of one that was refused", living().ended, state);
        return living().refusal;
      }
    },
    askFor,
    async finish() {
      for (let left = -1; !desk.done && desk.wrongs.length === 0;) {
        if (left === desk.left) throw new StoodStill(`It does not go on by itself: ${desk.left} have steps left.\n${await state()}`);
        left = desk.left;
        await askFor(RECOVERY_MS);
      }
      await untilRest(living(), desk.plans, state);
      await within(CLOSE_MS, "closing", living().stop(), state);
      violations.push(...verdictOn({ file, journal: readJournal(journal), atRest: desk.plans }));
    },
  };

  try {
    await run(self);
  } catch (error) {
    violations.push(error instanceof StoodStill || error instanceof VictimGone ? error.message : `${(error as Error).stack}`);
  } finally {
    await victim?.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  settings.tally.add("instances completed", violations.length + desk.wrongs.length === 0 ? desk.plans.length : 0);
  settings.tally.add("calls refused, and asked again", desk.counts.unavailable);
  return [...violations, ...desk.wrongs].map((wrong) => `${name}: ${wrong}`);
}
