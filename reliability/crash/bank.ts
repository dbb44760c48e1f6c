// bank: transfers between accounts, under random kill -9 of the process that makes them. The sum of all accounts never changes, and no lock is left.
//
// Owns:    when the teller is killed; what must be true of the bank.
// Always:  the transfers come from the seed; how far a process got before it died does not.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import { check } from "../checker/check.ts";
import { dumpOfFile } from "../checker/from-sqlite.ts";
import { violationText } from "../checker/violation.ts";
import { OPENING_BALANCE } from "./bank-programs.ts";
import type { BankResult, TellerNotice, TellerOptions } from "./bank-teller.ts";
import { StoodStill, within } from "./bounded.ts";
import { Tally } from "./tally.ts";
import type { Report } from "./tally.ts";

export interface BankOptions {
  readonly transfers: number;
  readonly accounts: number;
  readonly seed: number;
  /** After so many kills the teller is left alone. */
  readonly mostKills?: number;
  readonly tell?: (line: string) => void;
}

const IN_FLIGHT = 64;
const READY_MS = 30_000;
/** A life in which nothing ends for so long has come to a standstill. */
const STANDSTILL_MS = 60_000;
const SHORTEST_LIFE_MS = 30;
const LONGEST_LIFE_MS = 1_500;
const MOST_KILLS = 400;
const AUDITS = "audits in the middle of everything";

/** One life of the teller, as its parent sees it. */
interface Life {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  result: BankResult | undefined;
  heardAt: number;
  counters: Readonly<Record<string, number>>;
}

/** Makes so many transfers in a process that is killed again and again, and says what became of the money. */
export async function bankCampaign({
  transfers,
  accounts,
  seed,
  mostKills = MOST_KILLS,
  tell = () => undefined,
}: BankOptions): Promise<Report> {
  const place = mkdtempSync(join(tmpdir(), "ostinato-bank-"));
  const file = join(place, "bank.db");
  const random = seededRandom(seed);
  const tally = new Tally();
  for (const name of ["kills", "transfers done", "transfers refused (insufficient funds)", AUDITS]) tally.add(name, 0);
  const outputs = new Map<number, string>();
  const violations: string[] = [];
  const total = accounts * OPENING_BALANCE;
  const begun = performance.now();
  let kills = 0;
  let from = 0;
  let last: BankResult | undefined;
  let alive: ChildProcess | undefined;

  const live = (audit: string): Life => {
    const options: TellerOptions = { file, seed, accounts, transfers, from, audit, inFlight: IN_FLIGHT };
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "bank-teller.ts"), JSON.stringify(options)],
      {
        stdio: ["ignore", "ignore", "inherit", "ipc"],
        env: { ...process.env, NODE_COMPILE_CACHE: join(place, "compile-cache") },
      },
    );
    alive = child;
    const ready = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const life: Life = { child, ready: ready.promise, ended: ended.promise, result: undefined, heardAt: performance.now(), counters: {} };
    child.on("exit", () => {
      ready.resolve();
      ended.resolve();
    });
    child.on("message", (notice: TellerNotice) => {
      if (notice.kind === "counters") return void (life.counters = notice.counters);
      life.heardAt = performance.now();
      if (notice.kind === "ready") ready.resolve();
      else if (notice.kind === "wrong") violations.push(`the teller said: ${notice.message}`);
      else if (notice.kind === "finished") life.result = notice.result;
      else if (notice.kind === "audited") {
        tally.add(AUDITS);
        if (notice.sum !== total) violations.push(`E1 an audit found ${notice.sum} where ${total} are.`);
      } else {
        const known = outputs.get(notice.transfer);
        if (known !== undefined && known !== notice.output)
          violations.push(`I6 the transfer ${notice.transfer} was ${known}, and is ${notice.output}.`);
        outputs.set(notice.transfer, notice.output);
        while (outputs.has(from)) from++;
      }
    });
    return life;
  };

  try {
    while (last === undefined && violations.length === 0) {
      // The audit that was cut off goes on, and is waited for by whoever comes next.
      const life = live(`audit-${tally.counts.get(AUDITS) ?? 0}`);
      await within(READY_MS, "the teller begins", life.ready);
      const isLast = kills >= mostKills;
      const span = SHORTEST_LIFE_MS + random.fraction() * (LONGEST_LIFE_MS - SHORTEST_LIFE_MS);
      const kill = isLast ? undefined : setTimeout(() => life.child.kill("SIGKILL"), span);
      while (life.child.exitCode === null && life.child.signalCode === null) {
        await Promise.race([life.ended, sleep(1_000)]);
        if (performance.now() - life.heardAt > STANDSTILL_MS)
          throw new StoodStill(`Nothing ended in ${STANDSTILL_MS} ms; ${from} transfers have.`);
        if (violations.length > 0) life.child.kill("SIGKILL");
      }
      clearTimeout(kill);
      for (const name of COUNTERS) tally.add(name, life.counters[name] ?? 0);
      last = life.result;
      if (last === undefined && violations.length === 0 && life.child.signalCode !== "SIGKILL")
        violations.push(`The teller ended by itself, with ${life.child.exitCode ?? life.child.signalCode}.`);
      if (last === undefined) kills++;
      if (kills > 0 && kills % 25 === 0) tell(`${kills} kills, ${outputs.size} transfers have ended`);
    }
  } catch (error) {
    if (!(error instanceof StoodStill)) throw error;
    violations.push(error.message);
  } finally {
    alive?.kill("SIGKILL");
  }

  const done = [...outputs.values()].filter((output) => output === "done").length;
  tally.add("kills", kills);
  tally.add("transfers done", done);
  tally.add("transfers refused (insufficient funds)", outputs.size - done);
  tally.add("seconds", Math.round((performance.now() - begun) / 1_000));
  if (last !== undefined) {
    violations.push(...wrongWith(last, { total, done, ended: outputs.size, transfers }));
    violations.push(...check({ dump: dumpOfFile(file), atRest: true }).map(violationText));
  }
  if (violations.length === 0) rmSync(place, { recursive: true, force: true });
  else tell(`kept: ${place}`);
  const required = ["transfers done", ...(transfers < 1_000 ? [] : ["kills", "transfers refused (insufficient funds)", AUDITS])];
  return { name: `bank (${transfers} transfers, ${accounts} accounts)`, seed, counts: tally.counts, required, violations, skipped: [] };
}

const COUNTERS = ["turnsFenced", "locksGranted", "locksReleased", "entityOperationsDone", "entityOperationsFailed"] as const;

/** What must be true when all has ended. */
function wrongWith(
  { sum, moves, locked, waiting, orphans }: BankResult,
  { total, done, ended, transfers }: { readonly total: number; readonly done: number; readonly ended: number; readonly transfers: number },
): string[] {
  return [
    ...(sum === total ? [] : [`E1 all accounts have ${sum} together, and had ${total}.`]),
    ...(moves === 2 * done ? [] : [`E2 ${done} transfers are two moves each, and there were ${moves}.`]),
    ...(ended === transfers ? [] : [`L3 ${ended} of ${transfers} transfers have ended.`]),
    ...locked.map((each) => `E4 ${each} is still locked.`),
    ...(orphans === 0 ? [] : [`E4 ${orphans} locks had no owner.`]),
    ...(waiting === 0 ? [] : [`L3 ${waiting} operations wait.`]),
  ];
}
