// crash: campaigns that end processes, calls to the store and disks wherever they can end, and read what is left.
//
//   npm run crash                                            all of them, in moderate numbers
//   npm run crash -- kills --rounds 500 [--seed 42]          kill -9 at random moments, on a real file
//   npm run crash -- points [--scenario chain]               a crash around every call to the store, and around every call of the recovery
//                    [--shallow] [--only deaths|faults]      not of the recovery; crashes alone, or failing COMMITs alone
//   npm run crash -- syscalls                                kill -9 at the n-th write or sync to the file
//   npm run crash -- disk [--fault "full tmpfs"]             full, failing, slow and damaged disks
//   npm run crash -- bank [--transfers 10000] [--accounts 50]   transfers under locks, the process killed at random: the sum never changes
//
// Exit code 1: something was violated, or a fault class met nothing. 2: it was not asked for properly.
import { parseArgs } from "node:util";
import { bankCampaign } from "./bank.ts";
import { diskCampaign, faultNames } from "./disk.ts";
import { killCampaign } from "./kills.ts";
import { pointCampaign } from "./points.ts";
import { scenarioNames } from "./scenarios.ts";
import { syscallCampaign } from "./syscalls.ts";
import { isWell, written } from "./tally.ts";
import type { Report } from "./tally.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    seed: { type: "string" },
    scenario: { type: "string" },
    fault: { type: "string" },
    only: { type: "string" },
    shallow: { type: "boolean" },
    transfers: { type: "string" },
    accounts: { type: "string" },
  },
});
/** When a campaign is asked for by its name, it is asked for in full. */
const inFull = positionals.length > 0;
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const rounds = Number(values.rounds ?? (inFull ? 500 : 200));
const transfers = Number(values.transfers ?? (inFull ? 10_000 : 2_000));
const accounts = Number(values.accounts ?? 50);
const tell = (line: string): void => console.log(line);

const campaigns: Readonly<Record<string, () => Promise<Report>>> = {
  kills: () => killCampaign({ rounds, seed, tell }),
  points: () =>
    pointCampaign({
      scenarios: named(scenarioNames, values.scenario),
      nested: values.shallow === undefined ? inFull : !values.shallow,
      ...(values.only === "deaths" || values.only === "faults" ? { only: values.only } : {}),
      tell,
    }),
  syscalls: () => syscallCampaign({ seed, ...(inFull ? {} : { places: 10 }), tell }),
  bank: () => bankCampaign({ transfers, accounts, seed, tell }),
  disk: () => diskCampaign({ seed, faults: named(faultNames, values.fault), tell }),
};

/** The one that was named, or all of them. */
function named<T extends string>(all: readonly T[], name: string | undefined): readonly T[] {
  const chosen = name === undefined ? all : all.filter((each) => each === name);
  if (chosen.length === 0) refuse(`There is no ${JSON.stringify(name)}; there are ${all.join(", ")}.`);
  return chosen;
}

function refuse(why: string): never {
  console.error(why);
  process.exit(2);
}

if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(rounds) || rounds < 1) refuse("--seed is a whole number, --rounds one from 1.");
if (!Number.isSafeInteger(transfers) || transfers < 1) refuse("--transfers is a whole number from 1.");
if (!Number.isSafeInteger(accounts) || accounts < 2) refuse("--accounts is a whole number from 2.");
let well = true;
for (const name of inFull ? positionals : Object.keys(campaigns)) {
  const campaign =
    campaigns[name] ?? refuse(`There is no campaign ${JSON.stringify(name)}; there are ${Object.keys(campaigns).join(", ")}.`);
  const begun = performance.now();
  const report = await campaign();
  well &&= isWell(report);
  console.log(`\n${written(report)}\n  ${((performance.now() - begun) / 1_000).toFixed(1)} s\n`);
}
console.log(well ? "No violation, and every fault was met." : "There were violations, or faults that were never met: see above.");
if (!well) process.exitCode = 1;
