// one: runs one workload in a process of its own and prints its figures as JSON: { name: value, ... }.
//
//   node bench/one.ts <store> <workload> <seconds>
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteFloor } from "./floor.ts";
import { chainsInFlight, fanOutOf, latency, longChain, starts, type Place } from "./workloads.ts";

const [store, workload, seconds] = process.argv.slice(2);
const folder = mkdtempSync(join(process.env["BENCH_DIR"] ?? tmpdir(), "ostinato-bench-"));
const place: Place = { store: store as Place["store"], folder, seconds: Number(seconds) };

async function measure(): Promise<Record<string, number>> {
  const [kind = "", argument = ""] = (workload ?? "").split(".");
  const number = Number(argument.slice(1));
  switch (kind) {
    case "floor":
      return { [`floor.${store}.chain10.${argument}`]: await sqliteFloor(folder, number, place.seconds, false) };
    case "keyed":
      return { [`floor.${store}.chain10.${argument}.keyed`]: await sqliteFloor(folder, number, place.seconds, true) };
    case "chain10": {
      const { stepsPerSecond, loopDelayP99, loopDelayMax } = await chainsInFlight(place, number);
      const rate = { [`${store}.chain10.${argument}`]: stepsPerSecond };
      return number === 200 ? { ...rate, [`${store}.loop_delay.p99`]: loopDelayP99, [`${store}.loop_delay.max`]: loopDelayMax } : rate;
    }
    case "fanout":
      return { [`${store}.fanout.${argument}`]: await fanOutOf(place, number) };
    case "longchain":
      return { [`${store}.longchain.${argument}`]: await longChain(place, number) };
    case "latency": {
      const { p50, p99 } = await latency(place, 500);
      return { [`${store}.latency.p50`]: p50, [`${store}.latency.p99`]: p99 };
    }
    case "starts":
      return { [`${store}.starts.${argument}`]: await starts(place, number) };
    default:
      throw new Error(`There is no workload '${workload}'.`);
  }
}

try {
  console.log(JSON.stringify(await measure()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
