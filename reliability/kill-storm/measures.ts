// measures: how fast others take over, how late timers are, how soon everybody is back when the server was away.
//
// Always:  what is measured is read from journals, by the machine's true clock, and compared with a bound that is printed beside it.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dumpOfPostgres } from "../checker/from-postgres.ts";
import type { BodySight, Entry, Seen } from "../checker/journal.ts";
import { within } from "../crash/bounded.ts";
import { Tally, type Report } from "../crash/tally.ts";
import { chanceOf } from "../simulation/chance.ts";
import { MOST_CONNECTIONS } from "./connections.ts";
import { entryOf, journalTo } from "./journal.ts";
import type { Step } from "./programs.ts";
import { takeSeat, type Seat, type Seats } from "./seat.ts";
import { startServer, type Server } from "./server.ts";

export interface MeasureOptions {
  readonly seed: number;
  readonly leaseMs?: number;
  readonly tell?: (line: string) => void;
}

const LEASE_MS = 3_000;
const READY_MS = 60_000;
const GRACE_MS = 1_000;

/** A server, some seats, and a way to read what bodies saw. */
interface Place {
  readonly server: Server;
  readonly seats: readonly Seat[];
  readonly client: Seat;
  readonly tally: Tally;
  readonly violations: string[];
  readonly leaseMs: number;
  readonly tell: (line: string) => void;
  /** Bodies that have begun. */
  readonly began: () => (Seen & BodySight)[];
  readonly ask: (id: string, step: Step) => Promise<void>;
}

async function at(name: string, workers: number, options: MeasureOptions, measure: (place: Place) => Promise<void>): Promise<Report> {
  const { seed, leaseMs = LEASE_MS, tell = () => undefined } = options;
  const scratch = mkdtempSync(join(tmpdir(), "ostinato-measure-"));
  const folder = join(scratch, "journals");
  mkdirSync(folder);
  const tally = new Tally();
  const violations: string[] = [];
  const seats: Seat[] = [];
  const server = await startServer();
  try {
    const all: Seats = {
      port: server.port,
      urlOn: (port) => server.urlOn(port),
      folder,
      compileCache: join(scratch, "compile-cache"),
      leaseMs,
      seed,
      programs: "measures",
      note: (by) => journalTo(folder, by),
      endedByItself: (label, how, said) => violations.push(`${label} ended by itself (${how}): ${said.slice(-3).join(" | ")}`),
    };
    const client = await takeSeat("client", false, 0, all);
    seats.push(client);
    await within(READY_MS, "the client opens the hub", client.member.ready, () => client.said().join("\n"));
    const others = await Promise.all(Array.from({ length: workers }, (_, n) => takeSeat(`w${n}`, true, 0, all)));
    seats.push(...others);
    await within(READY_MS, "the workers open the hub", Promise.all(others.map(({ member }) => member.ready)));
    await measure({
      server,
      seats: others,
      client,
      tally,
      violations,
      leaseMs,
      tell,
      began: () => bodiesIn(folder),
      ask: (id, step) => within(READY_MS, `${step.op} of ${id}`, client.member.ask("step", id, step, 0)),
    });
  } finally {
    for (const seat of seats) {
      seat.leave();
      await seat.member.kill();
      await seat.line.close();
    }
    await server.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  return { name, seed, counts: tally.counts, required: [], violations, skipped: [] };
}

function bodiesIn(folder: string): (Seen & BodySight)[] {
  return readdirSync(folder).flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .flatMap((line): (Seen & BodySight)[] => {
        const entry: Entry | undefined = entryOf(line);
        return entry?.kind === "body-began" ? [entry] : [];
      }),
  );
}

const start = (orchestrator: string, input: unknown): Step => ({ op: "start", orchestrator, input });

async function until<T>(ms: number, what: string, look: () => T | undefined): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    if (performance.now() - begun > ms) throw new Error(`${what}: not in ${ms} ms.`);
    await sleep(10);
  }
}

// ---- takeover

const TAKEOVERS = 20;

/** A process that holds work is killed; its body runs elsewhere within the lease and a second. */
export function takeoverMeasure(options: MeasureOptions): Promise<Report> {
  return at(`takeover after a kill (${TAKEOVERS} times)`, 3, options, async ({ seats, tally, violations, leaseMs, began, ask }) => {
    const chance = chanceOf(options.seed, "takeover");
    const took: number[] = [];
    for (let n = 0; n < TAKEOVERS; n++) {
      const id = `held-${n}`;
      await ask(id, start("lingering", 60_000));
      const first = await until(10_000, `${id} is begun`, () => began().find((each) => each.instanceId === id));
      // Leases are renewed all the time: a kill falls anywhere between two renewals.
      await sleep(chance.between(0, leaseMs));
      const seat = seats.find(({ member }) => member.label === first.by)!;
      const killedAt = Date.now();
      await seat.member.kill();
      const again = await until(leaseMs * 5, `${id} is taken over`, () =>
        began().find((each) => each.instanceId === id && each.by !== first.by),
      );
      took.push(again.at - killedAt);
      if (again.at - killedAt > leaseMs + GRACE_MS)
        violations.push(
          `L3 ${id} was taken over ${again.at - killedAt} ms after the kill; the lease is ${leaseMs} ms, and a second is allowed.`,
        );
      await ask(id, { op: "terminate" });
      await within(
        READY_MS,
        "the next one sits",
        until(READY_MS, "ready", () => (seat.member.isReady ? true : undefined)),
      );
    }
    spread(tally, "ms from the kill until the body runs elsewhere", took);
    tally.add("lease, ms", leaseMs);
  });
}

// ---- timers

const TIMERS = 400;
const LOAD_MS = 15_000;
const RATE_MS = 2_000;
const EVERY_MS = 50;
const MOST_ROUNDS = 20;
const MOST_LATE_MS = 250;
const TICKERS = 40;

/** Timers fire while the processes do half of what they can. */
export function timersMeasure(options: MeasureOptions): Promise<Report> {
  return at("lateness of timers at half load", 2, options, async ({ server, tally, violations, began, ask, tell }) => {
    const turnsPerSecond = async (): Promise<number> => {
      const turns = async (): Promise<number> =>
        (await server.ask<{ turns: number }>("select sum(turn)::bigint as turns from ostinato.instances"))[0]!.turns;
      const before = await turns();
      const since = performance.now();
      await sleep(RATE_MS);
      return ((await turns()) - before) / ((performance.now() - since) / 1_000);
    };
    const begin = (name: string, everyMs: number): Promise<unknown> =>
      Promise.all(Array.from({ length: TICKERS }, (_, n) => ask(`${name}-${n}`, start("ticking", everyMs))));

    // As much as they can: then so many that make a step now and then as come to half of it.
    await begin("full", 0);
    await sleep(RATE_MS);
    const full = await turnsPerSecond();
    await Promise.all(Array.from({ length: TICKERS }, (_, n) => ask(`full-${n}`, { op: "terminate" })));
    let half = 0;
    for (let round = 0; half < full / 2 && round < MOST_ROUNDS; round++) {
      await begin(`half-${round}`, EVERY_MS);
      half = await turnsPerSecond();
    }
    tell(`${Math.round(full)} turns a second at full load; ${Math.round(half)} are taken for half of it`);
    const chance = chanceOf(options.seed, "timers");
    const sleepers = Array.from({ length: TIMERS }, (_, n) => `sleeper-${n}`);
    await Promise.all(sleepers.map((id) => ask(id, start("sleeper", chance.between(3_000, LOAD_MS)))));
    await sleep(LOAD_MS / 2);
    const meanwhile = await turnsPerSecond();
    await sleep(LOAD_MS / 2 + 1_000);
    const woken = new Map(began().map((each) => [each.instanceId, each.at]));
    const dump = await dumpOfPostgres(server.url);
    const late: number[] = [];
    for (const { record, history } of dump.instances) {
      if (record.name !== "sleeper") continue;
      const fired = history.find((event) => event.kind === "TimerFired");
      const awake = woken.get(record.id);
      if (fired?.kind !== "TimerFired" || awake === undefined) violations.push(`T2 ${record.id}: its timer has not fired.`);
      else late.push(awake - fired.fireAt);
    }
    spread(tally, "ms from the time that a timer was set to until the next body runs", late);
    tally.add("turns a second at full load", Math.round(full));
    tally.add("turns a second while timers fired", Math.round(meanwhile));
    const most = Math.max(...late);
    if (most > MOST_LATE_MS) violations.push(`T2 a timer was ${most} ms late at half load; ${MOST_LATE_MS} ms are allowed.`);
  });
}

// ---- recovery

const PROCESSES = 8;
const RESTARTS = 3;
const BACK_MS = 5_000;
const CALM_MS = 3_000;

/** The server is restarted at once; all processes work again within five seconds, and ask for no more connections than are theirs. */
export function recoveryMeasure(options: MeasureOptions): Promise<Report> {
  const name = `recovery from ${RESTARTS} restarts of the server, ${PROCESSES} processes`;
  return at(name, PROCESSES, options, async ({ server, seats, client, tally, violations, began, ask, tell }) => {
    await Promise.all(Array.from({ length: PROCESSES * 4 }, (_, n) => ask(`tick-${n}`, start("ticking", 100))));
    await sleep(CALM_MS);
    const back: number[] = [];
    const asked: number[] = [];
    let most = 0;
    const everyone = [...seats, client];
    for (let n = 0; n < RESTARTS; n++) {
      const attempts = everyone.reduce((sum, { line }) => sum + line.accepted(), 0);
      await server.restart();
      const wellAt = Date.now();
      let isOver = false;
      const watching = (async () => {
        for (; !isOver; await sleep(50)) {
          const [row] = await server.ask<{ count: number }>(
            "select count(*) as count from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name ~ ' ?w[0-9]+[.]'",
          );
          most = Math.max(most, row?.count ?? 0);
        }
      })();
      // A step of any process is a step of all: who has work is chance. Everybody is asked to start something, and everything must go on.
      const ids = seats.map((_, seat) => `after-${n}-${seat}`);
      const done = seats.map(async ({ member }, seat) => {
        await member.ask("step", ids[seat]!, start("lingering", 0), 0);
        await member.ask("step", ids[seat]!, { op: "ended" }, 0);
        back.push(Date.now() - wellAt);
      });
      await within(READY_MS, "everybody is back", Promise.all(done));
      const stepping = until(READY_MS, "the work goes on", () => {
        const going = new Set(
          began().flatMap((each) => (each.at > wellAt && each.instanceId.startsWith("tick-") ? [each.instanceId] : [])),
        );
        return going.size === PROCESSES * 4 ? true : undefined;
      });
      await within(READY_MS, "all of the work goes on", stepping);
      tally.add("ms from the restart until all instances went on, longest", 0);
      const all = Date.now() - wellAt;
      tally.counts.set(
        "ms from the restart until all instances went on, longest",
        Math.max(all, tally.counts.get("ms from the restart until all instances went on, longest") ?? 0),
      );
      if (all > BACK_MS) violations.push(`L3 it took ${all} ms after a restart until all went on; ${BACK_MS} ms are allowed.`);
      await sleep(CALM_MS);
      isOver = true;
      await watching;
      asked.push(everyone.reduce((sum, { line }) => sum + line.accepted(), 0) - attempts);
      tell(`restart ${n + 1}: all went on after ${all} ms`);
    }
    spread(tally, "ms from the restart until a process has started something, and seen it end", back);
    const slow = Math.max(...back);
    if (slow > BACK_MS) violations.push(`L3 a process was back ${slow} ms after a restart; ${BACK_MS} ms are allowed.`);
    tally.add("connections of all workers at once, at most", most);
    if (most > PROCESSES * MOST_CONNECTIONS) violations.push(`R2 ${most} connections at once; ${PROCESSES * MOST_CONNECTIONS} are theirs.`);
    tally.add("attempts to connect during one restart, at most", Math.max(...asked));
  });
}

function spread(tally: Tally, what: string, values: readonly number[]): void {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  tally.add(`${what}: how many`, sorted.length);
  tally.add(`${what}: median`, at(0.5));
  tally.add(`${what}: p99`, at(0.99));
  tally.add(`${what}: longest`, at(1));
}
