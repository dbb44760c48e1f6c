// points: every scenario, with its process dying before and after each call that it makes to the store, and again in each call of the
// recovery; and with the disk failing at each COMMIT, while the process lives on. The store is the real one, on a file; what dies is the
// object that stands for the process, and with it all memory.
//
// Owns:    which points are tried: all of the first life, and of the second one all until its first write was answered; every COMMIT.
// Always:  a run whose story does not end right, whose file is damaged or not at rest, or whose bodies ran more often than deaths explain, is
//          a violation, told with the points that repeat it.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "ostinato";
import type { Entry } from "../checker/journal.ts";
import { autopsy } from "./autopsy.ts";
import { StoodStill, within } from "./bounded.ts";
import { beginRun } from "./mortal-hub.ts";
import type { CommitFault, FaultPoint, MortalRun } from "./mortal-hub.ts";
import type { CallName, CrashPoint } from "./mortal-store.ts";
import { entityScenarios } from "./entity-scenarios.ts";
import { scenarioNames, scenarios, scenariosTell } from "./scenarios.ts";
import type { Scenario, ScenarioName } from "./scenarios.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";
import { verdictOn } from "./verdict.ts";

export interface PointOptions {
  readonly scenarios?: readonly ScenarioName[];
  /** Whether the recovery is made to die as well. */
  readonly nested?: boolean;
  /** Those alone: processes that die, or a disk that fails. */
  readonly only?: "deaths" | "faults";
  readonly tell?: (line: string) => void;
}

const RUN_MS = 20_000;
/** A recovery that writes nothing is tried at so many of its calls. */
const LONGEST_RECOVERY = 12;
const SIDES = ["before", "after"] as const;
const FAULTS: readonly CommitFault[] = ["written, then EIO", "EIO", "FULL"];

/** What one run came to. */
interface Outcome {
  readonly calls: readonly CallName[];
  /** How many calls of the second life belong to its recovery. */
  readonly recovery: number;
  readonly commits: number;
  readonly lives: number;
  readonly bodiesAgain: number;
  readonly wrong: readonly string[];
}

/** Tries all points of the scenarios. */
export async function pointCampaign(options: PointOptions = {}): Promise<Report> {
  const { nested = true, only, tell = () => undefined } = options;
  const tally = new Tally();
  const violations: string[] = [];
  for (const name of options.scenarios ?? scenarioNames) {
    const before = tally.counts.get("runs") ?? 0;
    const tried = async (points: readonly CrashPoint[], fault?: FaultPoint): Promise<Outcome> => {
      const outcome = await runOnce(name, points, fault);
      tally.add("runs");
      tally.add("lives", outcome.lives);
      tally.add("activity bodies run again", outcome.bodiesAgain);
      for (const wrong of outcome.wrong) violations.push(`${name}, ${placesOf(points, fault)}: ${wrong}`);
      return outcome;
    };

    const undisturbed = await tried([]);
    if (only !== "faults") {
      for (let call = 1; call <= undisturbed.calls.length; call++) {
        tally.add(`crashes around: ${undisturbed.calls[call - 1]}`, SIDES.length);
        for (const side of SIDES) {
          const { recovery } = await tried([{ call, side }]);
          tally.add("crashes in the first life");
          const calls = !nested ? 0 : "slow" in scenarios[name] ? Math.min(recovery, 2) : recovery;
          for (const again of inTurn(calls)) {
            await tried([{ call, side }, again]);
            tally.add("crashes in a recovery");
          }
        }
      }
    }
    if (only !== "deaths") {
      for (let commit = 1; commit <= undisturbed.commits; commit++) {
        for (const fault of FAULTS) {
          await tried([], { commit, fault });
          tally.add(`COMMITs that came to: ${fault}`);
        }
      }
    }
    tally.add("scenarios");
    tell(`${name}: ${undisturbed.calls.length} calls, ${(tally.counts.get("runs") ?? 0) - before} runs, ${violations.length} violations`);
  }
  const required = [
    ...(only === "faults" ? [] : ["crashes in the first life"]),
    // Those of entities have no activities.
    ...(only === "faults" || (options.scenarios ?? scenarioNames).every((name) => name in entityScenarios)
      ? []
      : ["activity bodies run again"]),
    ...(only === "faults" || !nested ? [] : ["crashes in a recovery"]),
    ...(only === "deaths" ? [] : FAULTS.map((fault) => `COMMITs that came to: ${fault}`)),
  ];
  return { name: "points", seed: 1, counts: tally.counts, required, violations, skipped: [] };
}

const nameOf = (life: number): string => `life ${life}`;

function placesOf(points: readonly CrashPoint[], fault: FaultPoint | undefined): string {
  if (fault !== undefined) return `COMMIT ${fault.commit} came to ${fault.fault}`;
  return points.length === 0 ? "undisturbed" : points.map(({ call, side }) => `${side} call ${call}`).join(", then ");
}

function* inTurn(calls: number): Generator<CrashPoint> {
  for (let call = 1; call <= calls; call++) for (const side of SIDES) yield { call, side };
}

async function runOnce(name: ScenarioName, points: readonly CrashPoint[], fault: FaultPoint | undefined): Promise<Outcome> {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "ostinato-points-"));
  const journal: Entry[] = [];
  const said: string[] = [];
  const wrong: string[] = [];
  let run: MortalRun | undefined;
  try {
    const scenario: Scenario = scenarios[name];
    const onDeath = (life: number): void => void journal.push({ kind: "died", at: 0, by: nameOf(life) });
    run = await beginRun(folder, { points, fault, worker: scenario.options, retention: scenario.retention, log: logTo(said), onDeath });
    const { hub, lives } = run;
    scenariosTell((sight) => void journal.push({ at: hub.clock.date.getTime(), by: nameOf(lives.length), ...sight }));
    const state = (): string =>
      `${autopsy(join(folder, `life-${lives.length}`, "hub.db"))}\n  calls of the last life: ${lives.at(-1)?.calls.join(" ") ?? ""}`;
    try {
      await within(RUN_MS, "the story", scenario.tell(hub), state);
      await within(RUN_MS, "coming to rest", hub.clock.advance("1m"), state);
    } catch (error) {
      wrong.push(`${error instanceof Error ? error.message : String(error)}\n${error instanceof StoodStill ? "" : state()}`);
    }
    const file = await within(RUN_MS, "closing", run.end(), state);
    wrong.push(
      ...verdictOn({
        file,
        journal,
        at: hub.clock.date.getTime(),
        ...(wrong.length === 0 ? { atRest: "whatever stands there" as const } : {}),
      }),
    );
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error));
  } finally {
    scenariosTell(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
  const lives = run?.lives ?? [];
  const { again, tooOften } = bodiesIn(journal, lives.length + (fault === undefined ? 0 : 1));
  wrong.push(...tooOften);
  if (fault === undefined) wrong.push(...said.map((each) => `it said: ${each}`));
  const second = lives[1];
  return {
    calls: lives[0]?.calls ?? [],
    recovery: second === undefined ? 0 : Math.min(second.firstWrite ?? second.calls.length, LONGEST_RECOVERY),
    commits: run?.commits ?? 0,
    lives: lives.length,
    bodiesAgain: again,
    wrong,
  };
}

/** Each life may run a body once for each attempt, and once more where nobody could tell what had become of a COMMIT. */
function bodiesIn(journal: readonly Entry[], mostRuns: number): { readonly again: number; readonly tooOften: readonly string[] } {
  const runs = new Map<string, number>();
  for (const line of journal) {
    if (line.kind !== "body-began") continue;
    const key = `${line.instanceId} ${line.key} ${line.taskId} ${line.attempt}`;
    runs.set(key, (runs.get(key) ?? 0) + 1);
  }
  let again = 0;
  const tooOften: string[] = [];
  for (const [key, times] of runs) {
    again += times - 1;
    if (times > mostRuns) tooOften.push(`A2 the body of ${key} ran ${times} times, and ${mostRuns} can be explained`);
  }
  return { again, tooOften };
}

function logTo(said: string[]): Logger {
  const say = (message: string, fields?: unknown): void => void said.push(`${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: () => undefined, info: () => undefined, warn: () => undefined, error: say };
}
