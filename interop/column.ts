// column: a pair of a client and a worker on a server, and all stories told with them.
//
// Owns:    which pairs there are; the stage that a story is given; what counts as told well.
// Is told: a peer that is installed.
// Tells:   an outcome for each story.
// Always:  K1 a column has a server, a client and a worker of its own, each a process, and ends all of them.
//          K2 a story that takes too long has failed, and the next one is told.
//          K3 on a server of theirs a story that failed is told again: theirs may hand work to a worker that has just gone, and never again.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEnvoy } from "./envoy.ts";
import type { Envoy, EnvoyCommand } from "./envoy.ts";
import type { Installed, Peer } from "./peer.ts";
import { ourEnvoy, ourPrefix } from "./peers/ostinato.ts";
import { ourServer, startServer } from "./server.ts";
import type { RunningServer } from "./server.ts";
import { crossingStories } from "./stories/crossing.ts";
import { entityCrossings, entityStories } from "./stories/entities.ts";
import { eventStories } from "./stories/events.ts";
import { failureStories } from "./stories/failures.ts";
import { listingStories } from "./stories/listing.ts";
import { orchestrationStories } from "./stories/orchestrations.ts";
import { scheduleStories } from "./stories/schedules.ts";
import { survivalStories } from "./stories/survival.ts";
import type { Needs, Stage, Story } from "./story.ts";

type Side = "ours" | "theirs";

/** A pair on a server. */
export interface Column {
  readonly key: string;
  readonly title: string;
  readonly server: Side;
  readonly client: Side;
  readonly worker: Side;
  /** A second worker is at work beside the first. */
  readonly other?: Side;
}

/** How a story went. */
export type Outcome =
  | { readonly state: "yes" }
  /** It does not hold, and nobody has explained it. */
  | { readonly state: "failed"; readonly why: string }
  /** It does not hold, as is known. */
  | { readonly state: "no"; readonly why: string }
  /** Somebody has no word for it, so it was not told. */
  | { readonly state: "lacks"; readonly why: string };

const all = [
  ...orchestrationStories,
  ...eventStories,
  ...failureStories,
  ...entityStories,
  ...scheduleStories,
  ...listingStories,
  ...survivalStories,
];
const crossings = [...crossingStories, ...entityCrossings];

/** The stories of a column, in the order of the page. */
export function storiesOf(column: Column): readonly Story[] {
  return column.other === undefined ? all : crossings;
}

/** The columns that there are, those on their server only where they have one. */
export const columns: readonly Column[] = [
  { key: "theirs", title: "their worker, their client, our server", server: "ours", client: "theirs", worker: "theirs" },
  { key: "their-worker", title: "their worker, our client, our server", server: "ours", client: "ours", worker: "theirs" },
  { key: "their-client", title: "our worker, their client, our server", server: "ours", client: "theirs", worker: "ours" },
  { key: "from-theirs", title: "theirs calls ours", server: "ours", client: "theirs", worker: "theirs", other: "ours" },
  { key: "from-ours", title: "ours calls theirs", server: "ours", client: "ours", worker: "ours", other: "theirs" },
  { key: "their-server", title: "our worker, our client, their server", server: "theirs", client: "ours", worker: "ours" },
  { key: "control", title: "all theirs", server: "theirs", client: "theirs", worker: "theirs" },
];

const PATIENCE_MS = 30_000;
/** What is known not to come is not waited for so long. */
const KNOWN_MS = 4_000;
const STORY_MS = 60_000;
/** The first and two more (K3): each stream that is gone takes one piece of work with it. */
const TELLINGS_ON_THEIRS = 3;

/** Tells all stories of a column. */
export async function tell(
  peer: Peer,
  installed: Installed,
  column: Column,
  options: { readonly only?: string | undefined; readonly say: (line: string) => void },
): Promise<Readonly<Record<string, Outcome>>> {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-interop-"));
  const cast = await raise(peer, installed, column, folder);
  const outcomes: Record<string, Outcome> = {};
  const play = async (story: Story): Promise<void> => {
    const begun = performance.now();
    const known = knownFor(peer, column, story.name);
    const once = (): Promise<Outcome> => outcomeOf(peer, column, story, known, cast.stageFor(known === undefined ? PATIENCE_MS : KNOWN_MS));
    let outcome = await once();
    let telling = 1;
    for (; outcome.state === "failed" && column.server === "theirs" && telling < TELLINGS_ON_THEIRS; telling += 1) {
      options.say(`    again  ${story.name}  ${outcome.why}`);
      outcome = await once();
    }
    outcomes[story.name] = outcome;
    const rest = outcome.state === "yes" ? `${((performance.now() - begun) / 1_000).toFixed(1)} s` : outcome.why;
    options.say(`    ${outcome.state.padEnd(6)} ${story.name}  ${rest}`);
  };
  try {
    const stories = storiesOf(column).filter(({ name }) => options.only === undefined || name.includes(options.only));
    const beside = stories.filter(({ alone }) => !alone);
    const lanes = Array.from({ length: peer.atOnce ?? 8 }, async () => {
      for (let story = beside.shift(); story !== undefined; story = beside.shift()) await play(story);
    });
    await Promise.all(lanes);
    for (const story of stories) if (story.alone) await play(story);
  } finally {
    if (Object.values(outcomes).some(({ state }) => state === "failed")) options.say(cast.said());
    await cast.leave();
    rmSync(folder, { recursive: true, force: true });
  }
  return Object.fromEntries(storiesOf(column).flatMap(({ name }) => (outcomes[name] === undefined ? [] : [[name, outcomes[name]]])));
}

async function outcomeOf(peer: Peer, column: Column, story: Story, known: string | undefined, stage: Stage): Promise<Outcome> {
  const missing = missingFor(peer, column, story.needs ?? {});
  if (missing !== undefined) return { state: "lacks", why: missing };
  try {
    await bounded(story.run(stage));
    return { state: "yes" };
  } catch (error) {
    if (known !== undefined) return { state: "no", why: known };
    return { state: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

/** Why a story is known not to hold. */
function knownFor({ differs }: Peer, column: Column, name: string): string | undefined {
  const whys = (["client", "worker", "server"] as const).map((side) => (column[side] === "theirs" ? differs?.[side]?.[name] : undefined));
  return whys.find((why) => why !== undefined);
}

function missingFor(peer: Peer, column: Column, needs: Needs): string | undefined {
  const { client, worker, server } = peer.lacks;
  const theirs: readonly (string | undefined)[] = [
    ...(column.client === "theirs" ? (needs.client ?? []).map((word) => client?.[word]) : []),
    ...(column.worker === "theirs" ? (needs.worker ?? []).map((word) => worker?.[word]) : []),
    ...(column.other === "theirs" ? (needs.other ?? []).map((word) => worker?.[word]) : []),
    ...(column.server === "theirs" ? (needs.server ?? []).map((word) => server?.[word]) : []),
  ];
  return theirs.find((why) => why !== undefined);
}

async function bounded(story: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not told to its end in ${STORY_MS / 1_000} s`)), STORY_MS);
  });
  story.catch(() => undefined);
  await Promise.race([story, late]).finally(() => clearTimeout(timer));
}

interface Cast {
  stageFor(patienceMs: number): Stage;
  leave(): Promise<void>;
  /** The last lines of all who are there. */
  said(): string;
}

/** Starts everybody whom a column needs. */
async function raise(peer: Peer, installed: Installed, column: Column, folder: string): Promise<Cast> {
  const server = await startServer((port) => (column.server === "ours" ? ourServer(port, folder) : installed.server!(port, folder)));
  const commandOf = (side: Side): EnvoyCommand =>
    side === "ours" ? ourEnvoy(`grpc://${server.address}`) : installed.envoy(server.address);
  const prefixOf = (side: Side): string => (side === "ours" ? ourPrefix : peer.prefix);
  const present = new Set<Envoy>();
  const engage = async (side: Side): Promise<Envoy> => {
    const envoy = await startEnvoy(commandOf(side));
    present.add(envoy);
    return envoy;
  };
  const working = async (side: Side): Promise<Envoy> => {
    const envoy = await engage(side);
    await envoy.startWorker({});
    return envoy;
  };
  const dismiss = async (envoy: Envoy): Promise<void> => {
    present.delete(envoy);
    await envoy.end();
  };
  const leave = async (): Promise<void> => {
    await Promise.all([...present].map(dismiss));
    await server.end();
  };

  const said = (): string => {
    const lines = [...present].map((envoy) => envoy.said()).concat(server.said());
    return lines.filter((each) => each !== "").join("\n");
  };

  try {
    const client = await engage(column.client);
    // The first call makes the connection; with many first calls at once some SDKs cancel a few.
    await client.get({ instanceId: "nobody" });
    let worker = await working(column.worker);
    if (column.other !== undefined) await working(column.other);
    const observer =
      column.server === "theirs" ? undefined : column.client === "ours" ? client : await engage("ours").catch(() => undefined);
    const run = Math.random().toString(36).slice(2, 7);
    let count = 0;
    const stageFor = (patienceMs: number): Stage => {
      count += 1;
      const mark = `${column.key}-${run}-${count}`;
      let ids = 0;
      return {
        client,
        observer,
        server: server satisfies RunningServer,
        patienceMs,
        on: (program) => `${prefixOf(column.worker)}.${program}`,
        across: (program) => `${prefixOf(column.other ?? column.worker)}.${program}`,
        another: () => engage(column.worker),
        async withoutWorker(story) {
          await dismiss(worker);
          try {
            await story();
          } finally {
            worker = await working(column.worker);
          }
        },
        id: (part) => (part === undefined ? `${mark}-${(ids += 1)}` : `${mark}-${part}`),
        file(name) {
          mkdirSync(join(folder, mark), { recursive: true });
          return join(folder, mark, name);
        },
      };
    };
    return { stageFor, leave, said };
  } catch (error) {
    const heard = said();
    await leave();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${heard}`.trim());
  }
}
