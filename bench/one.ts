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
import { isPeer, peerFigures } from "./peers/peers.ts";
import { databaseOf, type Figures, type Place } from "./place.ts";
import { countedChains } from "./postgres-counts.ts";
import { postgresFloor } from "./postgres-floor.ts";
import { chainsOfProcesses, fanOutOfProcesses } from "./postgres-processes.ts";
import { withDatabase } from "./postgres-server.ts";
import { replay } from "./replay.ts";
import { fanOutOf, latency, longChain, starts } from "./single.ts";

const [store = "", workload = "", given] = process.argv.slice(2);
const seconds = Number(given);
const [kind = "", argument = ""] = workload.split(".");
const number = Number(argument.slice(1));

const WORKLOADS: Readonly<Record<string, (place: Place) => Promise<Figures>>> = {
  floor: async (place) => ({ [`floor.${store}.chain10.${argument}`]: await floor(place, false) }),
  keyed: async (place) => ({ [`floor.${store}.chain10.${argument}.keyed`]: await floor(place, true) }),
  chain10: (place) => chainsInFlight(place, number),
  slow_disk: chainsOnSlowDisk,
  soak: (place) => memoryGrowth(place, number / 60),
  fanout: (place) => fanOutOf(place, number),
  longchain: (place) => longChain(place, number),
  latency: (place) => latency(place, number),
  starts: (place) => starts(place, number),
  parked: (place) => parked(place, number),
  counted: (place) => countedChains(place, number),
  chain10_processes: (place) => chainsOfProcesses(place, number),
  fanout_processes: (place) => fanOutOfProcesses(place, number),
  signals: (place) => signals(place, number),
  calls: entityCalls,
  transfer: transfers,
  replay: (place) => replay(place, argument === "generator" ? "generator" : "async"),
  coldstart: coldStart,
};

async function floor(place: Place, keyed: boolean): Promise<number> {
  if (place.store !== "postgres") return sqliteFloor(place.folder, number, seconds, keyed);
  return postgresFloor(databaseOf(place), number, seconds, keyed);
}

async function figures(folder: string): Promise<Figures> {
  if (isPeer(store)) return withDatabase((database) => peerFigures(store, database, kind, number, seconds));
  const measure = WORKLOADS[kind];
  if (measure === undefined) throw new Error(`There is no workload '${workload}'.`);
  const place: Place = { store: store as Place["store"], folder, seconds };
  return store === "postgres" ? withDatabase((database) => measure({ ...place, database })) : measure(place);
}

const folder = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "ostinato-bench-"));
try {
  console.log(JSON.stringify(await figures(folder)));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
