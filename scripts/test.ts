// test: `npm test`, Node's own runner over every test of the repository.
//
//   npm test                                              all of them
//   npm test -- packages/ostinato/src/engine              those of a folder, a file or a pattern
//   npm test -- --test-name-pattern="timer" --watch       any option of `node --test`
//   THROUGH=grpc npm test                                 the contract of backends through the wire alone (part of all of them, too)
//   THROUGH=clock npm test                                the contract of backends on the machine's own time alone (part of all of them, too)
//   STORE=postgres npm test                               what has a hub, on PostgreSQL: the kits whole, "memory:" and test hubs by on-postgres/preload.ts
//
// Where there is a PostgreSQL, one server is started for the run; OSTINATO_TEST_POSTGRES names another one.
// A terminal sees every test; a log sees failures and the summary.
import { existsSync, globSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { TEST_SERVER } from "./postgres-for-tests.ts";
import { run } from "./run-command.ts";
import { freshDatabaseOn, startPostgres, whyNoPostgres } from "./throw-away-postgres.ts";

const root = join(import.meta.dirname, "..");
const everything = [
  "packages/*/src/**/*.test.ts",
  "packages/*/test/**/*.test.ts",
  "examples/**/*.test.ts",
  "scripts/**/*.test.ts",
  "reliability/**/*.test.ts",
];

const through: Readonly<Record<string, readonly string[]>> = {
  grpc: ["packages/grpc/test/backend-*.test.ts"],
  clock: ["packages/ostinato/test/backend-real-time.test.ts"],
};
const { THROUGH: weather, STORE: store } = process.env;
if (weather !== undefined && through[weather] === undefined) {
  console.error(`THROUGH=${weather} is not known; there is ${Object.keys(through).join(", ")}.`);
  process.exit(2);
}
if (store !== undefined && store !== "postgres") {
  console.error(`STORE=${store} is not known; there is postgres.`);
  process.exit(2);
}

/** What has a hub that PostgreSQL can stand behind. What is about files, threads, values or the repository is the same in every weather. */
const withHubs = [
  "packages/ostinato/src/stores/postgres/*.test.ts",
  "packages/ostinato/src/{testing,client,history,schedules,telemetry}/*.test.ts",
  "packages/ostinato/src/local/several-processes.test.ts",
  "packages/ostinato/test/{backend-postgres,control-crashes,foreign-rewind,foreign-worker,golden-histories,retention,rewind.properties,telemetry}.test.ts",
  "packages/grpc/test/**/*.test.ts",
  "packages/cli/test/**/*.test.ts",
  "examples/**/*.test.ts",
  "reliability/checker/from-postgres.test.ts",
];

/** What takes real processes and real time on PostgreSQL: told by STORE=postgres alone, so that `npm test` stays below five minutes. */
const onPostgresAlone = [
  "packages/ostinato/src/stores/postgres/{agreement,claim-plan,in-touch,later-start,lost-answers,migrate,overtaken-answers,sizes}.test.ts",
  "packages/ostinato/src/hub/postgres-hub.test.ts",
  "packages/ostinato/test/{move,move-crashes}.test.ts",
  "packages/cli/test/{move,postgres}.test.ts",
  "reliability/kill-storm/*.test.ts",
  "scripts/{tcp-proxy,throw-away-postgres}.test.ts",
];

/** Servers that take over from one another, and restores: told by hand, `STORE=postgres npm test -- reliability/operations`. */
const byHand = ["reliability/operations/*.test.ts"];

const options: string[] = [];
const patterns: string[] = [];
for (const given of process.argv.slice(2)) {
  if (!given.startsWith("-") && existsSync(given)) {
    const path = relative(root, given).replaceAll("\\", "/");
    patterns.push(statSync(given).isDirectory() ? `${path}/**/*.test.ts` : path);
  } else if (!given.startsWith("-") && given.includes("*") && given.endsWith(".ts")) patterns.push(given);
  else options.push(given);
}

const reporter = process.stdout.isTTY ? "spec" : pathToFileURL(join(import.meta.dirname, "short-reporter.ts")).href;
const reporting = options.some((option) => option.startsWith("--test-reporter"))
  ? []
  : ["--test-reporter", reporter, "--test-reporter-destination", "stdout"];

// A server for the whole run. One whose process dies goes with it, so nothing is left behind however this one ends.
const server = process.env[TEST_SERVER] === undefined && whyNoPostgres() === undefined ? await startPostgres({ fsync: false }) : undefined;
const named = process.env[TEST_SERVER] ?? server?.url;
if (store !== undefined && named === undefined) {
  console.error(`There is no PostgreSQL to run the tests on: ${whyNoPostgres()}.`);
  process.exit(2);
}
const env: NodeJS.ProcessEnv = { ...process.env, ...(named === undefined ? {} : { [TEST_SERVER]: named }) };
if (store !== undefined && named !== undefined) {
  const preload = new URL("./on-postgres/preload.ts", import.meta.url).href;
  env["OSTINATO_TEST_DATABASE"] = await freshDatabaseOn(named, { language: "en-US" });
  env["NODE_OPTIONS"] = `${env["NODE_OPTIONS"] ?? ""} --import=${preload}`.trim();
}
/** What is told when no file is named. */
function wanted(): readonly string[] {
  if (weather !== undefined) return through[weather]!;
  return store !== undefined ? [...withHubs, ...onPostgresAlone] : withoutThose(everything, [...onPostgresAlone, ...byHand]);
}

process.exitCode = await run(
  process.execPath,
  [
    "--import",
    import.meta.resolve("./ends-with-its-tests.ts"),
    "--test",
    ...reporting,
    "--test-timeout=240000",
    "--test-concurrency=2",
    ...options,
    ...(patterns.length > 0 ? patterns : wanted()),
  ],
  { cwd: root, env },
);
await server?.stop();

/** The files of patterns but those of others. What is left out is said. */
function withoutThose(all: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Set(globSync(others, { cwd: root }));
  console.log(
    `${left.size} files of tests are told by STORE=postgres alone, reliability/operations by hand: ${[...left].map((path) => path.replace(/^.*[\\/]/, "")).join(", ")}`,
  );
  return globSync(all, { cwd: root, exclude: ["**/node_modules/**"] })
    .filter((path) => !left.has(path))
    .sort();
}
