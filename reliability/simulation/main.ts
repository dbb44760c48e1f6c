// main: `npm run simulate`.
//
//   npm run simulate -- --seeds 1000 [--from 1]   many worlds: what was done to them, what they went through, what broke
//   npm run simulate -- --seed 42 [--about i0]    one world, with its trace
//   npm run simulate -- --planted [name]          bugs that are planted on purpose, and after how many seeds each is found
//   npm run simulate -- --corpus                  the seeds that have found what is mended
//   npm run simulate -- --through grpc            every world has processes that reach the store through a server alone
//
// `--until-found` ends at the first violation and tells it as JSON (what --planted asks of a copy of the tree).
import { parseArgs } from "node:util";
import { violationText } from "../checker/violation.ts";
import { corpusDraws, type Draw } from "./corpus.ts";
import { findPlanted } from "./planted.ts";
import { FAULT_CLASSES, setupOf, WIRE_FAULT_CLASSES, type DrawOptions } from "./setup.ts";
import { shrink } from "./shrink.ts";
import { addTally, GOALS, newTally, WIRE_GOALS, type Tally } from "./tally.ts";
import { setupText, traceOf } from "./trace.ts";
import { simulate, type Outcome } from "./world.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    about: { type: "string" },
    planted: { type: "boolean", default: false },
    corpus: { type: "boolean", default: false },
    "until-found": { type: "boolean", default: false },
    shrink: { type: "boolean", default: true },
    through: { type: "string" },
  },
  allowNegative: true,
});

/** So many worlds show whether every fault and every goal occurs. */
const ENOUGH_SEEDS = 200;

if (values.through !== undefined && values.through !== "grpc") throw new Error("--through has one value: grpc");
const draw: DrawOptions = values.through === undefined ? {} : { through: "grpc" };
const again = values.through === undefined ? "" : ` --through ${values.through}`;

const isBroken = ({ violations, broken }: Outcome): boolean => violations.length + broken.length > 0;

function* range(from: number, count: number): Generator<Draw> {
  for (let seed = from; seed < from + count; seed++) yield { seed, options: draw };
}

async function one(seed: number): Promise<boolean> {
  const outcome = await simulate(setupOf(seed, draw));
  for (const line of traceOf(outcome, values.about)) console.log(line);
  console.log(setupText(outcome.setup));
  tell(outcome);
  return !isBroken(outcome);
}

function tell({ violations, broken, setup }: Outcome): void {
  if (violations.length + broken.length === 0) return console.log(`seed ${setup.seed}: nothing is broken`);
  for (const violation of violations.slice(0, 20)) console.log(`  ${violationText(violation)}`);
  for (const message of new Set(broken)) console.log(`  found by the product itself: ${message}`);
}

async function many(draws: Iterable<Draw>): Promise<boolean> {
  const total = newTally();
  const began = Date.now();
  let count = 0;
  let steps = 0;
  const failed: Outcome[] = [];
  for (const { seed, options } of draws) {
    const outcome = await simulate(setupOf(seed, options));
    count++;
    steps += outcome.steps;
    addTally(total, outcome.tally);
    if (isBroken(outcome)) {
      failed.push(outcome);
      console.log(
        `seed ${seed} breaks ${[...new Set(outcome.violations.map((violation) => violation.invariant))].join(", ") || "a rule of the engine"}`,
      );
    }
    if (count % 500 === 0) console.log(`${count} seeds, ${failed.length} of them broke something`);
  }
  const ms = Date.now() - began;
  console.log(
    `\n${count} seeds in ${(ms / 1_000).toFixed(1)} s (${(ms / count).toFixed(1)} ms and ${Math.round(steps / count)} steps each)`,
  );
  const missing = tellTally(total, count);
  for (const outcome of failed.slice(0, 5)) {
    console.log("");
    const smallest = values.shrink ? await shrink(outcome) : outcome;
    console.log(setupText(smallest.setup));
    tell(smallest);
    console.log(`  again: npm run simulate -- --seed ${outcome.setup.seed}${again}`);
  }
  if (failed.length > 0)
    console.log(`\n${failed.length} of ${count} seeds broke something: ${failed.map((outcome) => outcome.setup.seed).join(", ")}`);
  else console.log(`\n0 violations in ${count} seeds`);
  if (missing.length > 0) console.log(`This run proves too little: ${missing.join("; ")}.`);
  return failed.length === 0 && missing.length === 0;
}

/** Prints what was done and gone through; gives what should have been and was not. */
function tellTally(total: Tally, count: number): string[] {
  const table = (title: string, rows: readonly (readonly [string, number])[]): void => {
    console.log(`\n${title}`);
    for (const [what, amount] of rows) console.log(`  ${String(amount).padStart(9)}  ${what}`);
  };
  const classes = [...FAULT_CLASSES, ...(values.through === undefined ? [] : WIRE_FAULT_CLASSES)];
  const faults = classes.map((fault) => [fault, total.faults.get(fault) ?? 0] as const);
  const goals = [...GOALS, ...(values.through === undefined ? [] : WIRE_GOALS)].map((goal) => [goal, total.goals.get(goal) ?? 0] as const);
  const sum = faults.reduce((all, [, amount]) => all + amount, 0);
  table(`faults (${Math.round(sum / count)} in each world)`, faults);
  table("gone through", goals);
  table("counted by the product", [...total.counters].sort());
  table("calls", [...total.calls].sort());
  const answered = [...total.calls].filter(([call]) => !call.endsWith(" unknown")).reduce((all, [, amount]) => all + amount, 0);
  const asked = [...total.calls].reduce((all, [, amount]) => all + amount, 0);
  if (count < ENOUGH_SEEDS) return [];
  return [
    ...[...faults, ...goals].filter(([, amount]) => amount === 0).map(([what]) => `'${what}' never happened`),
    ...(answered * 2 < asked ? ["less than half of the calls were answered"] : []),
  ];
}

/** For a planted bug: the first seed that finds it. */
async function untilFound(from: number, count: number): Promise<boolean> {
  for (const { seed, options } of range(from, count)) {
    const { violations } = await simulate(setupOf(seed, options));
    if (violations.length === 0) continue;
    const invariants = [...new Set(violations.map((violation) => violation.invariant))];
    console.log(JSON.stringify({ seed, seeds: seed - from + 1, invariants, first: violationText(violations[0]!) }));
    return true;
  }
  console.log(JSON.stringify({ seeds: count, invariants: [] }));
  return false;
}

const from = Number(values.from);
const done = values.planted
  ? findPlanted(positionals[0])
  : values["until-found"]
    ? await untilFound(from, Number(values.seeds ?? 200))
    : values.seed !== undefined
      ? await one(Number(values.seed))
      : await many(values.corpus ? corpusDraws(draw.through) : range(from, Number(values.seeds ?? 200)));
process.exitCode = done ? 0 : 1;
