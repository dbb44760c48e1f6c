// body-rules: what the bodies of activities saw, beside what the histories say.
//
// Owns:    A1 (never zero), A2, A3, A4, A5, H8 of bodies.
import { mayHaveHappened, type BodySight, type Call, type Entry, type Seen, type Witness } from "./journal.ts";
import type { DumpedInstance } from "./stored.ts";
import type { Report } from "./violation.ts";

/** How often an activity may be tried, and after which delays: told by whoever wrote the program. */
export interface ActivityPolicy {
  readonly maxAttempts: number;
  readonly firstDelayMs?: number;
  readonly coefficient?: number;
}

interface Began {
  readonly entry: Seen & BodySight;
  readonly place: number;
  ended?: Seen & BodySight;
}

/** Everything that was done for one task of one execution. */
interface Task {
  readonly id: string;
  readonly began: Began[];
}

function executionOf(entry: BodySight): string {
  return entry.executionId ?? entry.key.slice(0, entry.key.lastIndexOf(":"));
}

function taskKey(instanceId: string, executionId: string, taskId: number): string {
  return JSON.stringify([instanceId, executionId, taskId]);
}

/** Reports what is wrong with what bodies saw. `histories`: the latest of every execution that was seen. */
export function checkBodies(
  journal: readonly Entry[],
  calls: readonly Call[],
  histories: readonly DumpedInstance[],
  policies: Readonly<Record<string, ActivityPolicy>>,
  report: Report,
): void {
  const tasks = new Map<string, Task>();
  const dead = new Map<Witness, number>();
  const leases = new Map<Witness, number>();
  const lapses = new Map<Witness, number>();
  /** When each delivery was first seen to be claimed. */
  const claims = new Map<string, number>();
  journal.forEach((entry, place) => {
    if (entry.kind === "died" || entry.kind === "gives-back") dead.set(entry.by, place);
    else if (entry.kind === "stands") {
      for (const { taskId, executionId, delivery } of entry.standing?.activities ?? []) {
        const key = `${taskKey(entry.id, executionId, taskId)} ${delivery}`;
        if (!claims.has(key)) claims.set(key, place);
      }
    } else if (entry.kind === "lease") {
      // Renewed too late: what it held until then was anybody's.
      if ((leases.get(entry.by) ?? Number.POSITIVE_INFINITY) <= entry.at) lapses.set(entry.by, place);
      leases.set(entry.by, entry.until);
    } else if (entry.kind === "body-ended") {
      const began = tasks.get(taskKey(entry.instanceId, executionOf(entry), entry.taskId))?.began;
      const mine = began?.findLast(
        (each) => each.entry.delivery === entry.delivery && each.entry.by === entry.by && each.ended === undefined,
      );
      if (mine !== undefined) mine.ended = entry;
    } else if (entry.kind === "body-began") {
      const key = taskKey(entry.instanceId, executionOf(entry), entry.taskId);
      let task = tasks.get(key);
      if (task === undefined) tasks.set(key, (task = { id: entry.instanceId, began: [] }));
      // A2: whoever runs it still, and has it still.
      for (const other of task.began) {
        const { by } = other.entry;
        const holds =
          !dead.has(by) &&
          (lapses.get(by) ?? -1) < (claims.get(`${key} ${other.entry.delivery}`) ?? other.place) &&
          (leases.get(by) ?? Number.POSITIVE_INFINITY) > entry.at;
        // One that was claimed before, and hears of it late, is a zombie: it is refused where it writes (A3).
        if (other.ended === undefined && holds && entry.delivery > other.entry.delivery)
          report("A2", task.id, `The activity ${entry.taskId} was begun by ${entry.by} while ${by} ran it.`, { delivery: entry.delivery });
        if (other.entry.delivery === entry.delivery && !rewound(calls, entry.instanceId))
          report("A5", task.id, `The delivery ${entry.delivery} of the activity ${entry.taskId} was begun twice: a claim was not counted.`);
      }
      task.began.push({ entry, place });
    }
  });
  if (tasks.size > 0) for (const instance of histories) checkResults(instance, tasks, report);
  checkAttempts(tasks, policies, report);
}

function rewound(calls: readonly Call[], instanceId: string): boolean {
  return calls.some((call) => call.op === "rewind" && call.instanceId === instanceId && mayHaveHappened(call));
}

/** A3, A4: what is written is what the last delivery returned, text for text. */
function checkResults({ record, history }: DumpedInstance, tasks: ReadonlyMap<string, Task>, report: Report): void {
  for (const event of history) {
    if (event.kind !== "TaskCompleted") continue;
    const task =
      tasks.get(taskKey(record.id, record.executionId, event.taskScheduledId)) ??
      tasks.get(taskKey(record.id, record.lineage, event.taskScheduledId));
    const what = `The activity ${event.taskScheduledId}`;
    if (task === undefined) {
      report("A1", record.id, `${what} has a result, and was never begun.`);
      continue;
    }
    const done = task.began.filter((each) => each.ended?.outcome === "completed");
    if (done.length === 0) report("A4", record.id, `${what} has a result, and no body has completed.`);
    if (done.length === 0 || done.some((each) => each.ended?.result === undefined && event.result !== undefined)) continue;
    const source = done.filter((each) => each.ended?.result === event.result);
    const last = Math.max(...task.began.map((each) => each.entry.delivery));
    if (source.length === 0) report("A4", record.id, `${what} has a result that no body has returned.`, { result: event.result });
    else if (!source.some((each) => each.entry.delivery === last))
      report("A3", record.id, `${what} has the result of delivery ${source[0]?.entry.delivery}, and delivery ${last} had been begun.`);
  }
}

/** A5: attempts of one call count up, no more of them than allowed, and not sooner. */
function checkAttempts(tasks: ReadonlyMap<string, Task>, policies: Readonly<Record<string, ActivityPolicy>>, report: Report): void {
  const byCall = new Map<string, Began[]>();
  for (const { began } of tasks.values())
    for (const each of began) {
      const key = JSON.stringify([each.entry.instanceId, each.entry.key]);
      byCall.set(key, [...(byCall.get(key) ?? []), each]);
    }
  for (const all of byCall.values()) {
    const first = all[0]!.entry;
    const attempts = new Set(all.map((each) => each.entry.attempt));
    const most = Math.max(...attempts);
    const policy = policies[first.name];
    if (policy !== undefined && most > policy.maxAttempts)
      report("A5", first.instanceId, `'${first.name}' was tried ${most} times; ${policy.maxAttempts} are allowed.`);
    for (let attempt = 2; attempt <= most; attempt++) {
      const own = all.filter((each) => each.entry.attempt === attempt);
      const before = all.filter((each) => each.entry.attempt === attempt - 1);
      if (own.length === 0 || before.length === 0) {
        report("A5", first.instanceId, `Attempt ${attempt} of '${first.name}' came without attempt ${attempt - 1}.`);
        continue;
      }
      const failedAt = before.filter((each) => each.ended?.outcome === "failed").map((each) => each.ended!.at);
      if (failedAt.length === 0 || policy?.firstDelayMs === undefined) continue;
      const delay = policy.firstDelayMs * (policy.coefficient ?? 1) ** (attempt - 2);
      const waited = Math.min(...own.map((each) => each.entry.at)) - Math.min(...failedAt);
      if (waited < delay)
        report(
          "A5",
          first.instanceId,
          `Attempt ${attempt} of '${first.name}' came ${waited} ms after the failure; ${delay} ms were to pass.`,
        );
    }
  }
}
