// test: `npm test`, Node's own runner over every test of the repository.
//
//   npm test                                              all of them
//   npm test -- packages/ostinato/src/engine              those of a folder, a file or a pattern
//   npm test -- --test-name-pattern="timer" --watch       any option of `node --test`
//   THROUGH=grpc npm test                                 the contract of backends through the wire alone (part of all of them, too)
//   THROUGH=clock npm test                                the contract of backends on the machine's own time alone (part of all of them, too)
//
// A terminal sees every test; a log sees failures and the summary.
import { existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "./run-command.ts";

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
const { THROUGH: weather } = process.env;
if (weather !== undefined && through[weather] === undefined) {
  console.error(`THROUGH=${weather} is not known; there is ${Object.keys(through).join(", ")}.`);
  process.exit(2);
}

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
process.exitCode = await run(
  process.execPath,
  [
    "--test",
    ...reporting,
    "--test-timeout=240000",
    "--test-concurrency=2",
    ...options,
    ...(patterns.length > 0 ? patterns : weather === undefined ? everything : through[weather]!),
  ],
  { cwd: root },
);
