// connected-worker: one worker's line, as the backend keeps it: what it serves, and what is out with it.
//
// Always:  CW1 never more out than the worker asked for; what a commit is about to hand out counts already.

import type { WorkerInterest } from "../contract/backend.ts";
import { compareVersions } from "../contract/versions.ts";
import type { WorkItem } from "../contract/work-items.ts";
import type { Room } from "../engine/action-appliers.ts";

/** A worker that is connected to this backend. */
export class ConnectedWorker {
  readonly orchestrators: ReadonlySet<string>;
  readonly activities: ReadonlySet<string>;
  readonly interest: WorkerInterest;
  readonly deliver: (items: readonly WorkItem[]) => void;
  /** Cold turns that are out. Warm ones need no room: their programs are there already. */
  coldTurns = 0;
  activitiesOut = 0;
  /** Claimed by commits that are on their way to the store. */
  reserved = 0;
  reservedTurns = 0;
  taking = true;

  constructor(interest: WorkerInterest, deliver: (items: readonly WorkItem[]) => void) {
    this.interest = interest;
    this.deliver = deliver;
    this.orchestrators = new Set(interest.orchestrators);
    this.activities = new Set(interest.activities);
  }

  /** Whether it takes instances of this orchestrator and version. */
  serves(orchestrator: string, version: string | undefined): boolean {
    if (!this.orchestrators.has(orchestrator)) return false;
    const versions = this.interest.orchestratorVersions?.[orchestrator];
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

  /** What a commit may hand to this worker at once. */
  room(failUnregistered: boolean): Room {
    return {
      activities: this.activities,
      activitySlots: Math.max(0, this.activityRoom),
      orchestrators: this.orchestrators,
      orchestrationSlots: Math.max(0, this.turnRoom),
      failUnregistered,
    };
  }
}
