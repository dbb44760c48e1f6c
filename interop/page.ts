// page: what has run, kept for each peer, and the page that shows it.
//
// Always:  G1 a peer's results are those of its last real run, with its date; a run that skips a peer leaves them as they are.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { columns, storiesOf } from "./column.ts";
import type { Column, Outcome } from "./column.ts";
import { home } from "./peer.ts";
import type { Peer } from "./peer.ts";

/** What is kept of a peer's last run. */
export interface Kept {
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  /** By column, then by story. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, Outcome>>>>;
}

const folder = join(home, "results");

function pathOf(key: string): string {
  return join(folder, `${key}.json`);
}

/** The last real run of a peer. */
export function keptOf(key: string): Kept | undefined {
  return existsSync(pathOf(key)) ? (JSON.parse(readFileSync(pathOf(key), "utf8")) as Kept) : undefined;
}

/** Keeps a run; columns that were not told stay as they were. */
export function keep(key: string, kept: Kept): void {
  const before = keptOf(key)?.outcomes ?? {};
  const outcomes = Object.fromEntries(
    columns.flatMap((column) => {
      const told = kept.outcomes[column.key] ?? before[column.key];
      return told === undefined ? [] : [[column.key, told]];
    }),
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(pathOf(key), `${JSON.stringify({ ...kept, outcomes }, null, 2)}\n`);
}

/** Writes docs/interop.md. */
export function writePage(peers: readonly Peer[]): void {
  const lines = [
    "# Other SDKs",
    "",
    "<!-- Written by `npm run interop`. -->",
    "",
    "Our server, our worker and our client are tried against software that others wrote: SDKs of the Durable Task family, as they are published.",
    "Each row is a story that is told once, in `interop/stories`, and runs with every pair of a client, a worker and a server.",
    "",
    "- *yes*: it ran and held.",
    "- *no*: it ran and did not hold; the note says why.",
    "- *–*: somebody has no word for it, so it was not run; the note says who.",
    "",
    "The columns with *their server* try our worker and our client on the server of the other side, where it has one; *all theirs* shows what holds",
    "there without us.",
    "",
    "```sh",
    "npm run interop                      # every peer whose toolchain is here",
    "npm run interop -- python java       # some of them",
    "```",
    "",
    ...peers.flatMap((peer) => sectionOf(peer, keptOf(peer.key))),
  ];
  writeFileSync(join(home, "..", "docs", "interop.md"), `${lines.join("\n").trimEnd()}\n`);
}

function sectionOf(peer: Peer, kept: Kept | undefined): string[] {
  if (kept === undefined) return [`## ${peer.title}`, "", "Never run.", ""];
  const notes: string[] = [];
  const tables = [
    tableOf(
      kept,
      columns.filter(({ other }) => other === undefined),
      notes,
    ),
    tableOf(
      kept,
      columns.filter(({ other }) => other !== undefined),
      notes,
    ),
  ];
  const versions = Object.entries(kept.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `## ${peer.title}`,
    "",
    `Last run on ${kept.date} with ${versions.join(", ")}.`,
    "",
    ...tables.flat(),
    ...notes.map((note, i) => `${i + 1}. ${note}`),
    ...(notes.length > 0 ? [""] : []),
  ];
}

function tableOf(kept: Kept, of: readonly Column[], notes: string[]): string[] {
  const told = of.filter(({ key }) => kept.outcomes[key] !== undefined);
  if (told.length === 0) return [];
  const rows = storiesOf(told[0]!).map(
    ({ name }) => `| ${name} | ${told.map(({ key }) => cellOf(kept.outcomes[key]?.[name], notes)).join(" | ")} |`,
  );
  return [`| | ${told.map(({ title }) => title).join(" | ")} |`, `|---|${told.map(() => "---|").join("")}`, ...rows, ""];
}

function cellOf(outcome: Outcome | undefined, notes: string[]): string {
  if (outcome === undefined) return "not run";
  if (outcome.state === "yes") return "yes";
  const why = outcome.state === "failed" ? `not explained: ${outcome.why.split("\n")[0]!}` : outcome.why;
  if (!notes.includes(why)) notes.push(why);
  return `${outcome.state === "lacks" ? "–" : "no"} (${notes.indexOf(why) + 1})`;
}
