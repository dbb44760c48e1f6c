// damage: bits that have turned over at rest, in rows and in pages, and what a hub makes of a file that has them (D5).
//
// Always:  a damaged file is refused in words, or opened; then each instance ends right, or somebody is told what is the matter. No process
//          dies, nothing hangs, and an instance whose rows are whole is not touched by another's.
import { readFileSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { seededRandom } from "../../packages/ostinato/src/platform/random.ts";
import { within } from "./bounded.ts";
import type { Plan } from "./shapes.ts";
import type { Tally } from "./tally.ts";
import { trial } from "./trial.ts";
import type { Trial } from "./trial.ts";
import { VictimRefused } from "./victim-process.ts";

const ROW_TRIALS = 6;
const PAGE_TRIALS = 10;
const ANSWER_MS = 30_000;
/** So long the rest has to come to its end beside what is damaged. */
const PATIENCE_MS = 15_000;

/** Texts whose reader can tell that they are not as they were written. */
const READABLE = ["history", "messages"] as const;

/** How an instance came out. */
type Standing = "right" | "open" | "told" | "wrong";

/** A file with work half done: instances in every state, nobody at it. */
async function halfDone(it: Trial): Promise<void> {
  it.load(40);
  await it.begin();
  await it.askFor(0);
  await it.end();
}

/** One bit of one text of one row: only the instance that the row belongs to may suffer. */
export async function damagedRows({ seed, tally }: { readonly seed: number; readonly tally: Tally }): Promise<readonly string[]> {
  const wrong: string[] = [];
  const random = seededRandom(seed);
  for (let n = 1; n <= ROW_TRIALS; n++) {
    const found = await trial(`damaged rows (${n})`, { seed: seed + n, tally }, async (it) => {
      await halfDone(it);
      const damaged = flipInRows(it.file, READABLE[n % READABLE.length]!, () => random.fraction());
      if (damaged === undefined) return;
      tally.add("damaged rows: bits flipped");
      await it.begin();
      // What hangs on a damaged instance (its parent waits for it) suffers with it; ids of a family begin alike.
      const family = damaged.split("/")[0]!.split(":")[0]!;
      await examine(
        it,
        "damaged rows",
        (plan) => damaged === plan.id || plan.id.startsWith(family) || damaged.startsWith(plan.id) || !isPlanned(it, damaged),
      );
    });
    wrong.push(...found);
  }
  return wrong;
}

/** One bit of one page, wherever it falls. */
export async function damagedPages({ seed, tally }: { readonly seed: number; readonly tally: Tally }): Promise<readonly string[]> {
  const wrong: string[] = [];
  const random = seededRandom(seed + 1);
  for (let n = 1; n <= PAGE_TRIALS; n++) {
    let place = 0;
    const found = await trial(`damaged pages (${n})`, { seed: seed + n, tally }, async (it) => {
      await halfDone(it);
      carryOver(it.file);
      const bytes = readFileSync(it.file);
      place = Math.floor(random.fraction() * bytes.length);
      bytes[place] = bytes[place]! ^ (1 << Math.floor(random.fraction() * 8));
      writeFileSync(it.file, bytes);
      tally.add("damaged pages: bits flipped");
      const refusal = await it.tryToBegin();
      if (refusal === undefined) return void (await examine(it, "damaged pages", () => true));
      tally.add("damaged pages: refused to open");
      if (refusal.code !== "STORE_FORMAT" && refusal.code !== "STORE_UNAVAILABLE")
        it.violations.push(`D5 a damaged file is told at open as ${refusal.code}: ${refusal.message}`);
    });
    wrong.push(...found.map((each) => `${each} (byte ${place})`));
  }
  return wrong;
}

/** Children have ids of their own making: which plan they belong to is not told by theirs. */
function isPlanned(it: Trial, id: string): boolean {
  return it.desk.plans.some((plan) => id.startsWith(plan.id));
}

/** Writes the log into the database, so that a bit of the database is one that is read. */
function carryOver(file: string): void {
  const db = new DatabaseSync(file);
  db.exec("pragma wal_checkpoint(truncate)");
  db.close();
}

/** Flips a bit of a text of an instance that has not ended; tells which. */
function flipInRows(file: string, table: "history" | "messages", chance: () => number): string | undefined {
  const db = new DatabaseSync(file);
  try {
    const rows = db
      .prepare(
        `select i.number as number, i.id as id, t.body as body from ${table} t join instances i on i.number = t.number where i.status < 3`,
      )
      .all();
    const row = rows[Math.floor(chance() * rows.length)];
    if (row === undefined) return undefined;
    const text = row["body"] as string;
    const at = Math.floor(chance() * text.length);
    const turned = String.fromCharCode(text.charCodeAt(at) ^ (1 << Math.floor(chance() * 7)));
    db.prepare(`update ${table} set body = ? where number = ? and body = ?`).run(
      text.slice(0, at) + turned + text.slice(at + 1),
      row["number"] as number,
      text,
    );
    return row["id"] as string;
  } finally {
    db.close();
  }
}

/** Waits until every instance has come out, or has had time enough, and says what may not be. */
async function examine(it: Trial, name: string, maySuffer: (plan: Plan) => boolean): Promise<void> {
  const left = new Map(it.desk.plans.map((plan) => [plan.id, plan]));
  const asking = it.askFor(PATIENCE_MS).catch((error: unknown) => void it.violations.push(`D5 ${(error as Error).message}`));
  for (const until = performance.now() + PATIENCE_MS; left.size > 0 && performance.now() < until; await sleep(250)) {
    for (const plan of left.values()) {
      const standing = await within(ANSWER_MS, `looking at ${plan.id}`, standingOf(it, plan));
      if (standing === "open") continue;
      left.delete(plan.id);
      it.tally.add(`${name}: instances ${OUTCOMES[standing]}`);
      if (standing !== "right" && !maySuffer(plan)) it.violations.push(`D5 ${plan.id} is whole, and is ${OUTCOMES[standing]}`);
    }
  }
  await asking;
  for (const plan of left.values()) {
    // It waits: for something that is damaged, or for a store that says that it cannot read.
    if (maySuffer(plan) && it.victim.said.length > 0) it.tally.add(`${name}: instances that wait, with a reason in the log`);
    else if (maySuffer(plan)) it.tally.add(`${name}: instances that wait, and nobody was told`);
    else it.violations.push(`D5 ${plan.id} is whole, and has not ended`);
  }
  if (it.desk.wrongs.length > 0) {
    it.tally.add(`${name}: calls refused with a reason`, it.desk.wrongs.length);
    it.desk.wrongs.length = 0;
  }
}

const OUTCOMES: { readonly [K in Standing]: string } = {
  right: "that ended right",
  open: "that are open",
  told: "set aside, or refused, with a reason",
  wrong: "that ended otherwise, and nobody could tell",
};

async function standingOf(it: Trial, { id, expected }: Plan): Promise<Standing> {
  try {
    const found = await it.victim.ask("look", id);
    if (found === undefined) return expected === "gone" ? "right" : "open";
    if (found.stall !== undefined) return "told";
    if (found.status === "PENDING" || found.status === "RUNNING" || found.status === "SUSPENDED") return "open";
    if (expected === "gone") return "open";
    if (found.status === expected.status && isDeepStrictEqual(found.output, expected.output)) return "right";
    return found.status === "FAILED" ? "told" : "wrong";
  } catch (error) {
    if (error instanceof VictimRefused) return "told";
    throw error;
  }
}
