// storm: some processes, some thousand instances, and everything that can befall them, for some minutes; then rest; then the checker reads what is left.
//
// Owns:    the order of a storm; what is counted.
// Always:  ST1 every wait has an end. A hub that stands still is a violation, and is printed.
//          ST2 what happened is read from the database's own trail, and from what processes saw; nobody who was hit is asked what became of it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { watching } from "../checker/trail.ts";
import { StoodStill, within } from "../crash/bounded.ts";
import { Tally, type Report } from "../crash/tally.ts";
import { chanceOf } from "../simulation/chance.ts";
import { COUNTED_AS, KILLED_WHILE_STARTING, REFUSED_TO_ZOMBIES, storm as letItStorm, type Blow, type Often } from "./blows.ts";
import { openDesk, type Desk } from "./desk.ts";
import { journalTo, type Note } from "./journal.ts";
import { plant, type Planted } from "./planted.ts";
import { plansFor, type Plan } from "./programs.ts";
import { takeSeat, type Seat, type Seats } from "./seat.ts";
import { startServer, type Server } from "./server.ts";
import { stateOf, untilRest } from "./rest.ts";
import { readEvidence, verdictOn } from "./verdict.ts";
import { watchConnections } from "./connections.ts";

export interface StormOptions {
  readonly minutes: number;
  readonly kills: number;
  readonly instances: number;
  readonly processes: number;
  readonly seed: number;
  readonly without: ReadonlySet<Blow>;
  readonly leaseMs?: number;
  /** Blows that fall more or less often than usual. */
  readonly often?: Often;
  /** A bug that is to be found. */
  readonly planted?: Planted;
  readonly tell?: (line: string) => void;
}

const LEASE_MS = 3_000;
const READY_MS = 60_000;
const STOP_MS = 15_000;
const HOUR_MS = 3_600_000;
/** Everybody has come when the last part of the storm begins. */
const COMING = 0.92;
const TELL_MS = 15_000;

/** Lets it storm, and says what became of everything. */
export async function stormCampaign(options: StormOptions): Promise<Report> {
  const { minutes, kills, instances, processes, seed, without, leaseMs = LEASE_MS, tell = () => undefined } = options;
  const ms = minutes * 60_000;
  const place = mkdtempSync(join(tmpdir(), "ostinato-kill-storm-"));
  const folder = join(place, "journals");
  mkdirSync(folder);
  const tally = new Tally();
  for (const blow of Object.keys(COUNTED_AS) as Blow[]) if (!without.has(blow)) tally.add(COUNTED_AS[blow], 0);
  if (!without.has("kills")) tally.add(KILLED_WHILE_STARTING, 0);
  const violations: string[] = [];
  const seats: Seat[] = [];
  const server = await startServer();
  const begun = performance.now();
  let desk: Desk | undefined;
  let plans: readonly Plan[] = [];
  try {
    const all = seatsOn(server, { folder, compileCache: join(place, "compile-cache"), leaseMs, seed }, violations);
    // The witness stands at the tables before anything is written.
    await server.ask(watching());
    if (options.planted !== undefined) await plant(server, options.planted);
    const client = await takeSeat("client", false, 0, all);
    seats.push(client);
    await within(READY_MS, "the client opens the hub", client.member.ready, () => client.said().join("\n"));
    const chance = chanceOf(seed, "storm");
    const workers: Seat[] = [];
    for (let n = 0; n < processes; n++) {
      const shiftMs = without.has("clocks") ? 0 : shiftOf(n);
      if (shiftMs !== 0) tally.add(COUNTED_AS.clocks);
      workers.push(await takeSeat(`w${n}`, true, shiftMs, all));
    }
    seats.push(...workers);
    await within(READY_MS, "the workers open the hub", Promise.all(workers.map(({ member }) => member.ready)), () =>
      workers.flatMap((each) => each.said()).join("\n"),
    );
    const connections = watchConnections(server, tally);

    // ---- the storm
    plans = plansFor(instances, chanceOf(seed, "plans"));
    desk = openDesk(() => seats.flatMap(({ member }) => (member.isReady && !member.isFrozen ? [member] : [])), chanceOf(seed, "desk"));
    const came: Promise<void>[] = [];
    const coming = come(plans, ms * COMING, desk, came);
    const telling = setInterval(() => tell(soFar(begun, tally, desk!, plans.length, server)), TELL_MS);
    await letItStorm({ seats: workers, server, chance, leaseMs, tally, often: options.often }, ms, kills, without);
    await coming;
    tally.add("seconds of storm", Math.round((performance.now() - begun) / 1_000));

    // ---- and rest
    const calm = performance.now();
    try {
      await untilRest(server, Promise.all(came), desk);
    } finally {
      clearInterval(telling);
      tally.add("ms from the last blow to rest", Math.round(performance.now() - calm));
      violations.push(...(await connections.stop()));
    }
    for (const seat of seats) {
      seat.leave();
      await within(READY_MS, `${seat.member.label} runs`, seat.member.ready);
    }
    await within(STOP_MS, "L8 the workers stop", Promise.all(workers.map(({ member }) => member.stop())), () => stateOf(server));
    const evidence = await readEvidence(server.url, folder);
    await within(READY_MS, "everything is purged", client.member.ask("purgeAll"), () => stateOf(server));
    await within(STOP_MS, "L8 the client stops", client.member.stop());
    violations.push(...(await verdictOn({ evidence, url: server.url, plans, tally })));
  } catch (error) {
    if (!(error instanceof StoodStill)) throw error;
    violations.push(`L3 ${error.message}`);
  } finally {
    desk?.close();
    for (const seat of seats) {
      seat.leave();
      if (seat.member.isFrozen) seat.member.thaw();
      await seat.member.kill();
      await seat.line.close();
    }
    violations.push(...wordsOfServer(server.log(), tally));
    await server.stop();
  }
  count(seats, desk, plans, tally, violations);
  tally.add("seconds in all", Math.round((performance.now() - begun) / 1_000));
  if (violations.length === 0) rmSync(place, { recursive: true, force: true });
  else tell(`kept: ${place}`);
  return {
    name: `kill storm (${minutes} min, ${instances} instances, ${processes} processes)`,
    seed,
    counts: tally.counts,
    required: requiredOf(options),
    violations,
    skipped: [],
  };
}

function seatsOn(server: Server, given: Pick<Seats, "folder" | "compileCache" | "leaseMs" | "seed">, violations: string[]): Seats {
  const notes = new Map<string, Note>();
  return {
    ...given,
    port: server.port,
    urlOn: (port) => server.urlOn(port),
    note(by) {
      let note = notes.get(by);
      if (note === undefined) notes.set(by, (note = journalTo(given.folder, by)));
      return note;
    },
    // The server was away while it opened the hub: that is what it says, and the next one tries.
    endedByItself: (label, how, said) => {
      if (how !== "exit code 3") violations.push(`R8 ${label} ended by itself (${how}): ${said.slice(-3).join(" | ")}`);
    },
  };
}

/** An hour ahead, right, an hour behind, and so on. */
const shiftOf = (n: number): number => ((n % 3) - 1) * -HOUR_MS;

/** Plans begin one after the other. */
async function come(plans: readonly Plan[], ms: number, desk: Desk, came: Promise<void>[]): Promise<void> {
  const begun = performance.now();
  for (const [n, plan] of plans.entries()) {
    const wait = begun + (n / plans.length) * ms - performance.now();
    if (wait > 1) await sleep(wait);
    came.push(desk.begin(plan));
  }
}

function soFar(begun: number, tally: Tally, desk: Desk, plans: number, _server: Server): string {
  const kills = tally.counts.get(COUNTED_AS.kills) ?? 0;
  const seconds = Math.round((performance.now() - begun) / 1_000);
  return `${seconds} s: ${kills} kills, ${desk.counts.steps} steps confirmed, ${desk.pending.size} of ${plans} plans with steps under way, ${desk.wrongs.length} wrong`;
}

/** Sent back to be asked again, ended by an administrator, or going down: by design, or a blow. */
const EXPECTED = /^(40001|57014|57P0[123]|08|25P02)/;

/** What the server has written that it should not have. Two who wait for each other are sent back by design, and should not be there (D6). */
function wordsOfServer(log: string, tally: Tally): string[] {
  const recovered = /database system was not properly shut down|all server processes terminated; reinitializing/g;
  tally.add("times the server recovered", [...log.matchAll(recovered)].length);
  const wrong = new Map<string, string>();
  for (const { 0: words, 1: state = "", index } of log.matchAll(/ (\w{5}) (?:ERROR|PANIC): .*/g))
    if (!EXPECTED.test(state)) wrong.set(words, log.slice(index, index + 3_000));
  return [...wrong.values()].map((words) => `D6 the server said${words}`);
}

/** Counters of the product that are told, and those that must be nothing. */
const TOLD = [
  "turnsCommitted",
  "turnsFenced",
  "completionsLate",
  "completionsUnknown",
  "leasesLost",
  "programsForgotten",
  "eventsDropped",
] as const;
const NEVER = [
  "invariantsBroken",
  "instancesUnreadable",
  "activitiesUnreadable",
  "rowsLeftOut",
  "instancesSetAside",
  "activitiesSetAside",
] as const;
const REFUSED = "commits that were refused by their fence";

function count(seats: readonly Seat[], desk: Desk | undefined, plans: readonly Plan[], tally: Tally, violations: string[]): void {
  const counted = seats.flatMap((seat) => seat.counted());
  const sum = (of: (each: (typeof counted)[number]) => number): number => counted.reduce((all, each) => all + of(each), 0);
  tally.add(
    "lives of processes",
    seats.reduce((lives, seat) => lives + seat.lives, 0),
  );
  tally.add("plans", plans.length);
  if (desk !== undefined) {
    tally.add("steps confirmed", desk.counts.steps);
    tally.add("steps unanswered, and asked again", desk.counts.unanswered);
    tally.add("steps refused while the server was away, and asked again", desk.counts.unavailable);
    tally.add("starts found accepted when asked again", desk.counts.doneBefore);
    violations.push(...desk.wrongs);
  }
  tally.add(
    "commits written",
    sum(({ answers }) => answers.written),
  );
  tally.add(
    REFUSED,
    sum(({ answers }) => answers.refused),
  );
  tally.add(
    "commits of which nobody knows",
    sum(({ answers }) => answers.unknown),
  );
  tally.add(
    "messages handed out after they had been consumed (refused)",
    sum(({ answers }) => answers.stale),
  );
  const twice = seats.flatMap((seat) => seat.said().filter((line) => line.includes("handed out twice")));
  violations.push(...twice.slice(0, 3).map((line) => `L1 ${line}`));
  // Whoever was refused has counted it, turn by turn and result by result.
  const owned = sum(({ counters }) => (counters["turnsFenced"] ?? 0) + (counters["completionsLate"] ?? 0));
  const refused = sum(({ answers }) => answers.refused);
  if (refused > owned) violations.push(`O2 ${refused} commits were refused, and ${owned} of them are counted.`);
  for (const name of TOLD)
    tally.add(
      name,
      sum(({ counters }) => counters[name] ?? 0),
    );
  for (const name of NEVER) {
    const times = sum(({ counters }) => counters[name] ?? 0);
    if (times > 0) violations.push(`R4 ${name}: ${times}.`);
  }
}

/** What a storm of some length must have met. */
function requiredOf({ minutes, without }: StormOptions): string[] {
  const kinds = (Object.keys(COUNTED_AS) as Blow[]).filter((blow) => !without.has(blow));
  if (minutes < 1) return without.has("kills") ? [] : [COUNTED_AS.kills];
  return [...kinds.map((blow) => COUNTED_AS[blow]), ...(without.has("freezes") ? [] : [REFUSED_TO_ZOMBIES]), "takeovers"];
}
