// kill-storm: one task hub in PostgreSQL, many processes, and everything that can befall them; then the independent checker reads what is left.
//
//   npm run kill-storm                                           five minutes: 4 processes, 5,000 instances, 500 kills; then what is measured
//   npm run kill-storm -- --minutes 1 --kills 100 --instances 1000 --processes 4 --seed 42
//   npm run kill-storm -- --without restarts,clocks              kinds of blows that are left out
//   npm run kill-storm -- --planted [--bug timers-are-early]     bugs put into the database on purpose: each must be found
//   npm run kill-storm -- --only takeover                        storm, takeover, timers or recovery alone
//
// Exit code 1: something was violated, or a kind of blow met nothing. 2: it was not asked for properly, or there is no server to be had.
import { parseArgs } from "node:util";
import { whyNoPostgres } from "../../scripts/throw-away-postgres.ts";
import { isWell, written, type Report } from "../crash/tally.ts";
import { COUNTED_AS, type Blow } from "./blows.ts";
import { recoveryMeasure, takeoverMeasure, timersMeasure } from "./measures.ts";
import { PLANTED } from "./planted.ts";
import { stormCampaign } from "./storm.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    kills: { type: "string" },
    instances: { type: "string" },
    processes: { type: "string", default: "4" },
    lease: { type: "string", default: "3000" },
    seed: { type: "string" },
    without: { type: "string", default: "" },
    only: { type: "string" },
    planted: { type: "boolean", default: false },
    bug: { type: "string" },
  },
});

function refuse(why: string): never {
  console.error(why);
  process.exit(2);
}

const minutes = Number(values.minutes);
const number = (name: string, text: string | undefined, otherwise: number): number => {
  const read = Number(text ?? otherwise);
  return Number.isSafeInteger(read) && read >= 0 ? read : refuse(`--${name} is a whole number; got ${String(text)}.`);
};
if (!(minutes > 0)) refuse(`--minutes is a number above 0; got ${values.minutes}.`);
const without = new Set(values.without.split(",").filter((name) => name !== "")) as Set<Blow>;
for (const name of without)
  if (!(name in COUNTED_AS)) refuse(`There is no blow ${JSON.stringify(name)}; there are ${Object.keys(COUNTED_AS).join(", ")}.`);

const seed = number("seed", values.seed, Math.floor(Math.random() * 1e9));
const leaseMs = number("lease", values.lease, 3_000);
const tell = (line: string): void => console.log(line);
const parts: Readonly<Record<string, () => Promise<Report>>> = {
  storm: () =>
    stormCampaign({
      minutes,
      kills: number("kills", values.kills, Math.round(100 * minutes)),
      instances: number("instances", values.instances, Math.round(1_000 * minutes)),
      processes: number("processes", values.processes, 4),
      seed,
      without,
      leaseMs,
      tell,
    }),
  takeover: () => takeoverMeasure({ seed, leaseMs, tell }),
  timers: () => timersMeasure({ seed, leaseMs, tell }),
  recovery: () => recoveryMeasure({ seed, leaseMs, tell }),
};
/** Short storms, each with a bug: a fitting invariant must be broken. */
async function findPlanted(): Promise<boolean> {
  let isFound = true;
  for (const planted of PLANTED.filter(({ name }) => (values.bug ?? name) === name)) {
    const options = {
      minutes: 0.4,
      kills: 12,
      instances: 300,
      processes: 3,
      without: new Set<Blow>(["restarts", "backends-killed"]),
      leaseMs: 1_500,
    };
    const { violations } = await stormCampaign({ ...options, often: { freezes: 50 }, seed, planted });
    const names = new Set(violations.map((violation) => violation.split(" ", 1)[0]!));
    const fits = planted.finds.some((name) => names.has(name));
    isFound &&= fits;
    console.log(
      `${planted.name}: ${fits ? "found" : "NOT FOUND"} (${[...names].join(", ") || "nothing broken"}) ${violations[0]?.slice(0, 200) ?? ""}`,
    );
  }
  return isFound;
}

const chosen = values.only === undefined ? Object.keys(parts) : values.only.split(",");
for (const name of chosen)
  if (!(name in parts)) refuse(`There is no part ${JSON.stringify(name)}; there are ${Object.keys(parts).join(", ")}.`);
const why = whyNoPostgres();
if (why !== undefined) refuse(`The storm needs a PostgreSQL server, and there is none to be started here: ${why}.`);

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
if (values.planted) process.exit((await findPlanted()) ? 0 : 1);
let well = true;
for (const name of chosen) {
  const begun = performance.now();
  const report = await parts[name]!();
  well &&= isWell(report);
  console.log(`\n${written(report)}\n  ${((performance.now() - begun) / 1_000).toFixed(1)} s\n`);
}
console.log(well ? "No violation, and every blow was met." : "There were violations, or blows that were never met: see above.");
if (!well) process.exitCode = 1;
