// verdict: what is wrong with a hub after a storm: the tables, the database's trail and the journals of all processes, read by the checker.
import { check } from "../checker/check.ts";
import { connectTo, dumpOfPostgres } from "../checker/from-postgres.ts";
import type { Entry } from "../checker/journal.ts";
import type { Dump } from "../checker/stored.ts";
import { trailOf, type TrailEntry } from "../checker/trail.ts";
import { violationText } from "../checker/violation.ts";
import type { Tally } from "../crash/tally.ts";
import { lists } from "../simulation/lists.ts";
import { allThatWasSeen } from "./journal.ts";
import { POLICIES, taken, type Plan } from "./programs.ts";

/** What is read before everything is purged. */
export interface StormEvidence {
  readonly dump: Dump;
  readonly journal: readonly Entry[];
}

/** Reads tables, trail and journals. */
export async function readEvidence(url: string, folder: string): Promise<StormEvidence> {
  const trail: TrailEntry[] = [];
  for await (const entry of trailOf(url)) trail.push(entry);
  return { dump: await dumpOfPostgres(url), journal: allThatWasSeen(folder, trail) };
}

/** What the checker says, and what it was told of. */
export async function verdictOn(of: {
  readonly evidence: StormEvidence;
  readonly url: string;
  readonly plans: readonly Plan[];
  readonly tally: Tally;
}): Promise<string[]> {
  const { evidence, url, plans, tally } = of;
  const { dump, journal } = evidence;
  const left = await dumpOfPostgres(url);
  // Entities are never over: those that have a state stay.
  const emptied = { ...left, instances: left.instances.filter(({ record }) => record.kind !== "entity") };
  const expectations = plans.flatMap(({ expected }) => (expected === undefined || expected === "gone" ? [] : [expected]));
  const found = check({ dump, journal, expectations, policies: POLICIES, taken, lists, complete: true, atRest: true, emptied });
  await countWhatWasSeen(evidence, url, tally);
  return [...found.map(violationText), ...strangersAndLosses(dump, plans)];
}

/** Who is there that nobody planned, and who is not there that was to be. */
function strangersAndLosses(dump: Dump, plans: readonly Plan[]): string[] {
  const wrong: string[] = [];
  const there = new Set<string>();
  const planned = new Map(plans.map(({ id, expected }) => [id, expected]));
  for (const { record } of dump.instances) {
    there.add(record.id);
    if (record.kind === "orchestration" && record.parent === undefined && !planned.has(record.id))
      wrong.push(`I1 ${record.id}: nobody started it`);
  }
  for (const [id, expected] of planned) {
    if (expected === "gone" && there.has(id)) wrong.push(`C5 ${id}: it was purged, and is there`);
    if (typeof expected === "object" && !there.has(id)) wrong.push(`I1 ${id}: it was started, and is not there`);
  }
  return wrong;
}

async function countWhatWasSeen({ dump, journal }: StormEvidence, url: string, tally: Tally): Promise<void> {
  const statuses = new Map<string, number>();
  for (const { record } of dump.instances) {
    const what = record.kind === "entity" ? "entities" : `instances ${record.status}`;
    statuses.set(what, (statuses.get(what) ?? 0) + 1);
  }
  for (const [what, count] of [...statuses].sort()) tally.add(what, count);
  const bodies = new Map<string, number>();
  let states = 0;
  let turns = 0;
  for (const entry of journal) {
    if (entry.kind === "stands") states++;
    else if (entry.kind === "committed") turns++;
    else if (entry.kind === "body-began") {
      const key = `${entry.key} ${entry.taskId} ${entry.attempt}`;
      bodies.set(key, (bodies.get(key) ?? 0) + 1);
    }
  }
  const began = [...bodies.values()].reduce((sum, times) => sum + times, 0);
  tally.add("states of instances that were written, and checked", states);
  tally.add("turns among them", turns);
  tally.add("bodies of activities begun", began);
  tally.add("bodies begun again", began - bodies.size);
  const { count, median, last } = await takeoversOf(url);
  tally.add("takeovers", count);
  tally.add("ms from the end of a lease to the end of its takeover, median", median);
  tally.add("ms from the end of a lease to the end of its takeover, longest", last);
}

/** Owners whose time was over, and how long it took until somebody had taken over all they held. */
async function takeoversOf(url: string): Promise<{ count: number; median: number; last: number }> {
  const client = await connectTo(url);
  try {
    const { rows } = await client.query<{ ms: number }>(
      `select us / 1000 - (image ->> 'alive_until')::bigint as ms from trail.rows
       where tab = 'owners' and op = 'delete' and us / 1000 > (image ->> 'alive_until')::bigint order by 1`,
    );
    const delays = rows.map(({ ms }) => ms);
    return { count: delays.length, median: delays[Math.floor(delays.length / 2)] ?? 0, last: delays.at(-1) ?? 0 };
  } finally {
    await client.end();
  }
}
