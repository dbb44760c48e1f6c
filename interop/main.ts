// interop: our server, worker and client, tried against software that nobody here wrote.
//
//   npm run interop                                    every peer whose toolchain is here
//   npm run interop -- javascript python               some of them
//   npm run interop -- python --column control         one pair of them
//   npm run interop -- go --story "suspend"            stories whose name has this in it; writes nothing
//
// What is needed is installed below node_modules, in versions that peers.json pins. docs/interop.md shows what came of it.
// Exit code 1: a story did not hold, and nothing explains it. 2: it was not asked for properly.
import { parseArgs } from "node:util";
import { columns, tell } from "./column.ts";
import type { Outcome } from "./column.ts";
import { keep, writePage } from "./page.ts";
import { Unavailable } from "./peer.ts";
import type { Installed, Peer } from "./peer.ts";
import { go } from "./peers/go.ts";
import { java } from "./peers/java.ts";
import { javascript } from "./peers/javascript.ts";
import { ourVersion } from "./peers/ostinato.ts";
import { python } from "./peers/python.ts";

const peers: readonly Peer[] = [javascript, python, go, java];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { column: { type: "string" }, story: { type: "string" } },
});
const say = (line: string): void => console.log(line);
const shortKeys: Readonly<Record<string, string>> = { js: "javascript", py: "python" };
const asked = positionals.map((name) => shortKeys[name] ?? name);
const unknown = asked.filter((name) => !peers.some(({ key }) => key === name));
if (unknown.length > 0 || (values.column !== undefined && !columns.some(({ key }) => key === values.column))) {
  console.error(
    `There are the peers ${peers.map(({ key }) => key).join(", ")} and the columns ${columns.map(({ key }) => key).join(", ")}.`,
  );
  process.exit(2);
}

const tally = { yes: 0, failed: 0, no: 0, lacks: 0 };
const queue = peers.filter(({ key }) => asked.length === 0 || asked.includes(key));
// Most of the time everybody waits for a timer, so two peers share the machine.
await Promise.all(
  [1, 2].map(async () => {
    for (let peer = queue.shift(); peer !== undefined; peer = queue.shift()) await meet(peer);
  }),
);

async function meet(peer: Peer): Promise<void> {
  const installed = await installedOrSkipped(peer);
  if (installed === undefined) return;
  const outcomes: Record<string, Readonly<Record<string, Outcome>>> = {};
  for (const column of columns) {
    if (values.column !== undefined && values.column !== column.key) continue;
    if (column.server === "theirs" && installed.server === undefined) continue;
    const begun = performance.now();
    const lines = [`\n  ${peer.title}: ${column.title}`];
    const told = await tell(peer, installed, column, { only: values.story, say: (line) => lines.push(line) }).catch((error: unknown) => {
      lines.push(`    failed to begin: ${error instanceof Error ? error.message : String(error)}`);
      tally.failed += 1;
      return {};
    });
    outcomes[column.key] = told;
    for (const { state } of Object.values<Outcome>(told)) tally[state] += 1;
    say(`${lines.join("\n")}\n    ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
  }
  if (values.story === undefined) {
    const date = new Date().toISOString().slice(0, 10);
    keep(peer.key, { date, versions: { ostinato: ourVersion(), ...installed.versions }, outcomes });
  }
}
if (values.story === undefined) writePage(peers);
say(`\n${tally.yes} stories held, ${tally.no} did not as is known, ${tally.lacks} cannot be told, ${tally.failed} failed.`);
if (tally.failed > 0) process.exitCode = 1;

async function installedOrSkipped(peer: Peer): Promise<Installed | undefined> {
  try {
    const installed = await peer.install();
    say(
      `\n── ${peer.title}\n  ${Object.entries(installed.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", ")}`,
    );
    return installed;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    say(`\n── ${peer.title}\n  skipped: ${error.message}`);
    return undefined;
  }
}
