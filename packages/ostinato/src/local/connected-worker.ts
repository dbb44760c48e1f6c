// connected-worker: one worker's line, as the backend keeps it: what it serves, what is out with it, what it has turned down.
//
// Always:  CW1 never more out than the worker asked for; what a commit is about to hand out counts already.

import type { WorkerInterest } from "../contract/backend.ts";
import type { InstanceNumber } from "../contract/ids.ts";
import { servedNames, takes, type Served } from "../contract/served.ts";
import { compareVersions } from "../contract/versions.ts";
import type { WorkItem } from "../contract/work-items.ts";
import type { ActivityKey } from "../engine/commit.ts";

/** What a worker is remembered to have turned down: an instance, or an activity by its key in words. */
export type TurnedDown = InstanceNumber | string;

/** So many are remembered; then the oldest is forgotten. */
const MOST_TURNED_DOWN = 10_000;

/** A worker that is connected to this backend. */
export class ConnectedWorker {
  /** The names it takes; "any": whatever there is. */
  readonly orchestrators: Served;
  readonly activities: Served;
  /** By the names of their records (`@name`). */
  readonly entities: Served;
  readonly interest: WorkerInterest;
  readonly deliver: (items: readonly WorkItem[]) => void;
  /** Cold turns that are out. Warm ones need no room: their programs are there already. */
  coldTurns = 0;
  activitiesOut = 0;
  /** Batches of entities that are out, or on their way. */
  batchesOut = 0;
  /** Claimed by commits that are on their way to the store. */
  reserved = 0;
  reservedTurns = 0;
  taking = true;
  /** What it was offered and gave back undone, and how often: it is offered to others first. */
  readonly turnedDown = new Map<TurnedDown, number>();

  constructor(interest: WorkerInterest, deliver: (items: readonly WorkItem[]) => void) {
    this.interest = interest;
    this.deliver = deliver;
    this.orchestrators = servedNames(interest.orchestrators);
    this.activities = servedNames(interest.activities);
    this.entities = servedNames(interest.entities === "any" ? "any" : interest.entities.map((name) => `@${name.toLowerCase()}`));
  }

  /** Whether it takes instances of this orchestrator and version. */
  serves(orchestrator: string, version: string | undefined): boolean {
    if (!takes(this.orchestrators, orchestrator)) return false;
    const versionsOf = this.interest.orchestratorVersions ?? {};
    // Every object has a `constructor`; an orchestrator may be called so.
    const versions = Object.hasOwn(versionsOf, orchestrator) ? versionsOf[orchestrator] : undefined;
    return versions === undefined || versions.some((each) => compareVersions(each, version ?? "") === 0);
  }

  /** How many more activities it can take. */
  get activityRoom(): number {
    return this.taking ? this.interest.maxConcurrentActivities - this.activitiesOut - this.reserved : 0;
  }

  /** How many more cold turns it can take. */
  get turnRoom(): number {
    return this.taking ? this.interest.maxConcurrentOrchestrations - this.coldTurns - this.reservedTurns : 0;
  }

  /** How many more batches of entities it can take. */
  get entityRoom(): number {
    return this.taking ? this.interest.maxConcurrentEntities - this.batchesOut : 0;
  }

  /** It gave this back undone: how often it has. */
  turnDown(what: TurnedDown): number {
    const times = (this.turnedDown.get(what) ?? 0) + 1;
    this.turnedDown.delete(what);
    this.turnedDown.set(what, times);
    const [oldest] = this.turnedDown.keys();
    if (oldest !== undefined && this.turnedDown.size > MOST_TURNED_DOWN) this.turnedDown.delete(oldest);
    return times;
  }
}

/** An activity, as what was turned down. */
export function activityTurnedDown({ number, generation, taskId }: ActivityKey): string {
  return `${number}:${generation}:${taskId}`;
}
