// crash: campaigns that end processes, store calls and disks wherever they can end, and read what is left.
//
//   npm run crash                                            all of them, in moderate numbers
//   npm run crash -- kills --rounds 500 [--seed 42]          kill -9 at random moments, on a real file
//   npm run crash -- points [--scenario chain]               a crash before and after every call to the store, and in the recovery
//   npm run crash -- syscalls                                kill -9 at the n-th write or sync to the file
//   npm run crash -- disk                                    full, failing and damaged disks
import { parseArgs } from "node:util";
import { diskCampaign, faultNames } from "./disk.ts";
import { killCampaign } from "./kills.ts";
import { pointCampaign } from "./points.ts";
import { scenarioNames } from "./scenarios.ts";
import { syscallCampaign } from "./syscalls.ts";
import { isWell, written } from "./tally.ts";
import type { Report } from "./tally.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "500" }, seed: { type: "string" }, scenario: { type: "string" }, fault: { type: "string" }, only: { type: "string" } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const tell = (line: string): void => console.log(line);
const campaigns: Readonly<Record<string, () => Promise<Report>>> = {
  kills: () => killCampaign({ rounds: Number(values.rounds), seed, tell }),
  points: () => pointCampaign({ scenarios: scenarioNames.filter((name) => values.scenario === undefined || name === values.scenario), ...onlyOf(values.only), tell }),
  syscalls: () => syscallCampaign({ seed, tell }),
  disk: () => diskCampaign({ seed, faults: faultNames.filter((name) => values.fault === undefined || name === values.fault), tell }),
};

/** Of the points: processes that die (`deaths`), or a disk that fails (`faults`). */
function onlyOf(only: string | undefined): { only?: "deaths" | "faults" } {
  return only === "deaths" || only === "faults" ? { only } : {};
}

const chosen = positionals[0] === undefined ? Object.keys(campaigns) : [positionals[0]];
for (const name of chosen) {
  const campaign = campaigns[name];
  if (campaign === undefined) {
    console.error(`There is no campaign ${JSON.stringify(name)}; there are ${Object.keys(campaigns).join(", ")}.`);
    process.exitCode = 2;
    continue;
  }
  const begun = performance.now();
  const report = await campaign();
  console.log(`\n${written(report)}\n  ${((performance.now() - begun) / 1_000).toFixed(1)} s\n`);
  if (!isWell(report)) process.exitCode = 1;
}
