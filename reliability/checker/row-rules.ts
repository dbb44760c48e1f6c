// row-rules: what must be true between an instance, its inbox and its activities, whenever a commit is done.
//
// Owns:    A1 (nothing forgotten), A6, H2 and H9 of rows, H8 of activities, T2 (no timer lost), I1 and I4 of starts, S1 of children.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { Reading } from "./history-rules.ts";
import type { Dump, Standing } from "./stored.ts";
import type { Report } from "./violation.ts";

/** Reports what is wrong between an instance and what hangs on it. */
export function checkRows({ instance, messages, activities }: Standing, { asked }: Reading, report: Report): void {
  const { record } = instance;
  const ended = isEnd(record.status);
  for (const { taskId, executionId, generation } of activities) {
    if (ended) report("A6", record.id, `It is ${record.status}, and its activity ${taskId} can still be claimed.`);
    else if (executionId !== record.executionId || generation !== record.generation)
      report("H9", record.id, `The activity ${taskId} is of ${executionId}, and the instance goes on as ${record.executionId}.`);
    else if (asked.get(taskId)?.kind !== "activity") report("H8", record.id, `The activity ${taskId} is not in the history.`);
    else if (asked.get(taskId)?.answer !== undefined)
      report("H2", record.id, `The activity ${taskId} has its answer and can still be claimed.`);
  }
  if (ended) {
    for (const { id, execution, event } of messages)
      if (
        execution === record.executionId &&
        (event.kind === "TimerFired" || event.kind === "TaskCompleted" || event.kind === "TaskFailed")
      )
        report("H2", record.id, `It is ${record.status}, and ${event.kind} (${id}) is still to come.`);
    return;
  }
  const answers = new Set<string>();
  for (const { execution, event } of messages) if (execution === record.executionId) answers.add(answerOf(event));
  const claimable = new Set(activities.map((activity) => activity.taskId));
  for (const [id, { kind, answer, cancelled }] of asked) {
    if (answer !== undefined || cancelled) continue;
    if (kind === "activity" && !claimable.has(id) && !answers.has(`activity ${id}`))
      report("A1", record.id, `The activity ${id} has no answer, and nobody will run it.`);
    if (kind === "timer" && !answers.has(`timer ${id}`)) report("T2", record.id, `The timer ${id} has not fired, and never will.`);
  }
  if (record.historyLength > 0 || record.kind === "entity") return;
  const start = messages.find(({ event }) => event.kind === "ExecutionStarted" && event.executionId === record.executionId);
  if (start === undefined) report(record.generation === 1 ? "I1" : "C4", record.id, "It has not begun, and no start will begin it.");
}

/** S1: each child that a living execution has started is there, or its end is on its way. Told from a whole dump. */
export function checkChildren(
  dump: Dump,
  standings: readonly { readonly standing: Standing; readonly reading: Reading }[],
  mayBeGone: (id: string) => boolean,
  report: Report,
): void {
  const children = new Map<string, string[]>();
  for (const { record } of dump.instances) {
    const { parent } = record;
    if (parent === undefined) continue;
    const key = `${parent.instanceId} ${parent.executionId} ${parent.taskScheduledId}`;
    children.set(key, [...(children.get(key) ?? []), record.id]);
  }
  for (const { standing, reading } of standings) {
    const { record } = standing.instance;
    for (const [id, { kind, answer, event }] of reading.asked) {
      if (kind !== "child" || event.kind !== "SubOrchestrationInstanceCreated") continue;
      const found = children.get(`${record.id} ${record.executionId} ${id}`) ?? [];
      if (found.length > 1) report("S1", record.id, `The call ${id} has ${found.length} children: ${found.join(", ")}.`);
      if (answer !== undefined || isEnd(record.status) || found.length > 0 || mayBeGone(event.instanceId)) continue;
      const answered = standing.messages.some(
        (message) => message.execution === record.executionId && answerOf(message.event) === `child ${id}`,
      );
      const asked = dump.messages.some(
        ({ event: each }) =>
          each.kind === "ExecutionStarted" && each.parent?.executionId === record.executionId && each.parent.taskScheduledId === id,
      );
      if (!answered && !asked)
        report("S1", record.id, `The child ${event.instanceId} of the call ${id} is not there, and no answer is on its way.`);
    }
  }
}

/** R3 and C5: rows of nobody. */
export function checkOrphans(dump: Dump, report: Report): void {
  const numbers = new Set(dump.instances.map(({ record }) => record.number));
  for (const { number, id, event } of dump.messages)
    if (!numbers.has(number)) report("C5", undefined, `A message (${event.kind}) lies in the inbox of nobody.`, { number, id });
  for (const { number, taskId } of dump.activities)
    if (!numbers.has(number)) report("C5", undefined, "An activity belongs to nobody.", { number, taskId });
  const ids = new Set<string>();
  for (const { record } of dump.instances) {
    if (ids.has(record.id)) report("I2", record.id, "Two instances have this id.");
    ids.add(record.id);
  }
}

/** What a message answers. */
function answerOf(event: HistoryEvent): string {
  switch (event.kind) {
    case "TaskCompleted":
    case "TaskFailed":
      return `activity ${event.taskScheduledId}`;
    case "TimerFired":
      return `timer ${event.timerId}`;
    case "SubOrchestrationInstanceCompleted":
    case "SubOrchestrationInstanceFailed":
      return `child ${event.taskScheduledId}`;
    default:
      return "";
  }
}

/** Whether a status is one that an instance does not leave by itself. */
export function isEnd(status: string): boolean {
  return status === "COMPLETED" || status === "FAILED" || status === "TERMINATED";
}
