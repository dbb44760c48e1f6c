// one: runs one workload in a process of its own and prints its figures as JSON: { name: value, ... }.
//
//   node --expose-gc bench/one.ts <store> <workload> <seconds>
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chainsInFlight, chainsOnSlowDisk, memoryGrowth } from "./chains.ts";
import { coldStart } from "./coldstart.ts";
import { entityCalls, signals, transfers } from "./entity.ts";
import { sqliteFloor } from "./floor.ts";
import { parked } from "./parked.ts";
import type { Figures, Place } from "./place.ts";
import { replay } from "./replay.ts";
import { fanOutOf, latency, longChain, starts } from "./single.ts";

const [store, workload = "", seconds] = process.argv.slice(2);
const folder = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "ostinato-bench-"));
const place: Place = { store: store as Place["store"], folder, seconds: Number(seconds) };
const [kind = "", argument = ""] = workload.split(".");
const number = Number(argument.slice(1));

const WORKLOADS: Readonly<Record<string, () => Promise<Figures>>> = {
  floor: async () => ({ [`floor.${store}.chain10.${argument}`]: await sqliteFloor(folder, number, place.seconds, false) }),
  keyed: async () => ({ [`floor.${store}.chain10.${argument}.keyed`]: await sqliteFloor(folder, number, place.seconds, true) }),
  chain10: () => chainsInFlight(place, number),
  slow_disk: () => chainsOnSlowDisk(place),
  soak: () => memoryGrowth(place, number / 60),
  fanout: () => fanOutOf(place, number),
  longchain: () => longChain(place, number),
  latency: () => latency(place, number),
  starts: () => starts(place, number),
  parked: () => parked(place, number),
  signals: () => signals(place, number),
  calls: () => entityCalls(place),
  transfer: () => transfers(place),
  replay: () => replay(place, argument === "generator" ? "generator" : "async"),
  coldstart: () => coldStart(place),
};

try {
  const measure = WORKLOADS[kind];
  if (measure === undefined) throw new Error(`There is no workload '${workload}'.`);
  console.log(JSON.stringify(await measure()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
