// main: `npm run fuzz`.
//
//   npm run fuzz -- --messages 1000000 --seed 7        many messages against the service, in this process and in virtual time
//   npm run fuzz -- --seed 7 --only 123456             one message again, with those of its assault before it; prints it and its answer
//   npm run fuzz -- --sockets --messages 20000         fewer, as frames over real connections
//
// What is found is printed with its seed, its message and its bytes; the exit code is 1 then.
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ASSAULT, assault, newFuzzTally, type Finding, type FuzzTally } from "./assault.ts";
import { MOVES, type Shot } from "./attacker.ts";
import { METHODS } from "../../packages/grpc/src/codec/messages.ts";
import { MUTATION_NAMES } from "./mutate.ts";
import { assaultSockets } from "./sockets.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    messages: { type: "string" },
    from: { type: "string", default: "0" },
    only: { type: "string" },
    sockets: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);

/** From so many messages on everything must have happened. */
const ENOUGH = 50_000;
/** So much more may lie in the heap in the end than after the first assaults. */
const GROWTH_BYTES = 24 * 1_048_576;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

function shotText({ move, method, hub, caller, ours, damage, bytes }: Shot): string {
  const shown = Buffer.from(bytes.subarray(0, 200)).toString("hex");
  return (
    `${move}: ${method} to ${hub ?? "the usual hub"} by ${caller}${ours ? ", as one of ours" : ""}` +
    `${damage.length === 0 ? "" : `, damaged (${damage.join(", ")})`}; ${bytes.length} bytes: ${shown}${bytes.length > 200 ? "..." : ""}`
  );
}

function tell({ message, what, shot }: Finding): void {
  console.log(`\nmessage ${message}: ${what}`);
  if (shot !== undefined) console.log(`  ${shotText(shot)}`);
  console.log(`  again: npm run fuzz -- --seed ${seed} --only ${message}`);
}

function tellTally(tally: FuzzTally): void {
  const table = (title: string, rows: Iterable<readonly [string, number]>): void => {
    console.log(`\n${title}`);
    for (const [what, amount] of [...rows].sort(([a], [b]) => a.localeCompare(b))) console.log(`  ${String(amount).padStart(9)}  ${what}`);
  };
  table("moves", tally.moves);
  table("calls", tally.methods);
  table("damage", tally.damages);
  const byStatus = new Map<string, number>();
  for (const [what, amount] of tally.statuses) {
    const status = what.split(" ").at(-1)!;
    byStatus.set(status, (byStatus.get(status) ?? 0) + amount);
  }
  table("answers", byStatus);
  table("counted by the server", tally.counters);
  table("notes", tally.notes);
}

/** What should have happened in a run of this length, and has not. */
function missingIn(tally: FuzzTally): string[] {
  const answered = (method: string): boolean => tally.statuses.has(`${method} OK`) || tally.statuses.has(`${method} CANCELLED`);
  const never = [
    ...MOVES.filter((move) => !tally.moves.has(move)),
    ...MUTATION_NAMES.filter((name) => !tally.damages.has(name)),
    ...Object.keys(METHODS).filter((method) => !tally.methods.has(method)),
  ];
  const refusedAlways = Object.keys(METHODS).filter((method) => !/Entit/.test(method) && !answered(method));
  return [...never.map((what) => `'${what}' never happened`), ...refusedAlways.map((method) => `${method} was never answered well`)];
}

async function campaign(messages: number): Promise<boolean> {
  const tally = newFuzzTally();
  const findings: Finding[] = [];
  const began = Date.now();
  const first = Number(values.from);
  let base = Number.POSITIVE_INFINITY;
  let last = 0;
  for (let from = first; from < first + messages; from += ASSAULT) {
    for (const finding of await assault({ seed, from, messages: Math.min(ASSAULT, first + messages - from), tally })) {
      if (findings.some(({ sign }) => sign === finding.sign)) continue;
      findings.push(finding);
      tell(finding);
    }
    // The first assaults compile and fill caches of the platform.
    last = heapBytes();
    if (from >= first + 2 * ASSAULT) base = Math.min(base, last);
    const done = from + ASSAULT - first;
    if (done % (10 * ASSAULT) === 0)
      console.log(
        `${done} messages, ${findings.length} findings, heap ${(last / 1_048_576).toFixed(1)} MiB, ${((Date.now() - began) / 1_000).toFixed(0)} s`,
      );
  }
  const ms = Date.now() - began;
  tellTally(tally);
  console.log(
    `\n${messages} messages in ${(ms / 1_000).toFixed(1)} s; heap ${(base / 1_048_576).toFixed(1)} MiB at its least, ${(last / 1_048_576).toFixed(1)} in the end`,
  );
  const grown = last - base > GROWTH_BYTES;
  if (grown) console.log(`The heap has grown by ${((last - base) / 1_048_576).toFixed(1)} MiB.`);
  const missing = messages >= ENOUGH ? missingIn(tally) : [];
  if (missing.length > 0) console.log(`This run proves too little: ${missing.join("; ")}.`);
  if (findings.length === 0) console.log(`0 findings in ${messages} messages`);
  else {
    console.log(`\n${findings.length} findings:`);
    for (const { sign, message } of findings)
      console.log(`  ${String(tally.findings.get(sign) ?? 0).padStart(7)} times, first ${message}: ${sign}`);
  }
  return findings.length === 0 && !grown && missing.length === 0;
}

/** Runs the assault of a message up to it, and tells of that message. */
async function only(message: number): Promise<boolean> {
  const from = message - (message % ASSAULT);
  const findings = await assault({
    seed,
    from,
    messages: message - from + 1,
    tally: newFuzzTally(),
    watch: (number, shot) => number === message && console.log(`${message} sends ${shotText(shot)}`),
    answered: (number, status) => number === message && console.log(`${message} is answered ${status.slice(0, 1_000)}`),
  });
  for (const finding of findings) tell(finding);
  return findings.length === 0;
}

const done = values.sockets
  ? await assaultSockets({ seed, messages: Number(values.messages ?? 20_000), say: (line) => console.log(line) })
  : values.only !== undefined
    ? await only(Number(values.only))
    : await campaign(Number(values.messages ?? 100_000));
process.exitCode = done ? 0 : 1;
