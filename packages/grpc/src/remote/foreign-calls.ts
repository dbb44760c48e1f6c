// foreign-calls: what our activities need to know of their call, where a server has no place for it.
//
// Owns:    the reserved tags in which it travels: with the action to the server, and from the server with the activity.
// Always:  FC1 reserved tags are seen by servers alone: no program, no activity and no comparison of a replay meets them.
//          FC2 a server that drops tags leaves an activity with attempt 1, a key of its execution (where that is named; else of its instance)
//              and its task, and without a time-out. Nobody but the worker ends a call that takes too long on such servers, so one that no
//              worker has taken is not ended at all.

import { given } from "ostinato/contract";
import type { Action, ActivityWorkItem, HistoryEvent, Instant, ScheduleTask, Tags } from "ostinato/contract";

const KEY = "ostinato.key";
const ATTEMPT = "ostinato.attempt";
const TIMEOUT = "ostinato.timeout-ms";
const EXPIRES = "ostinato.expires-at";
const LINEAGE = "ostinato.lineage";
const RESERVED: ReadonlySet<string> = new Set([KEY, ATTEMPT, TIMEOUT, EXPIRES, LINEAGE]);

/** A turn's actions as a server of the family is told them: facts in tags, and nothing that it does not know. */
export function withFacts(actions: readonly Action[], lineage: string): readonly Action[] {
  const told: Action[] = [];
  for (const action of actions) {
    // A timer that is taken back is forgotten there without a word, and fires for nobody.
    if (action.kind === "cancelTimer") continue;
    told.push(action.kind === "scheduleTask" ? { ...action, tags: { ...action.tags, ...factsOf(action, lineage) } } : action);
  }
  return told;
}

function factsOf({ attempt, firstId, attemptTimeoutMs, expiresAt }: ScheduleTask, lineage: string): Tags {
  const tags: Record<string, string> = { [KEY]: keyOf(lineage, firstId) };
  if (attempt !== 1) tags[ATTEMPT] = String(attempt);
  if (attemptTimeoutMs !== undefined) tags[TIMEOUT] = String(attemptTimeoutMs);
  if (expiresAt !== undefined) tags[EXPIRES] = String(expiresAt);
  return tags;
}

function keyOf(lineage: string, taskId: number): string {
  return `${lineage}:${taskId.toString(16).padStart(4, "0")}`;
}

/** Which call a scheduled task is an attempt of; `undefined` where the server has kept no tags. */
export function callOf(event: Extract<HistoryEvent, { kind: "TaskScheduled" }>): string | undefined {
  return event.tags?.[KEY];
}

/** An activity as its body is to see it: the facts out of the tags, and in their places. */
export function withoutFacts(item: ActivityWorkItem, now: Instant): ActivityWorkItem {
  const { tags: all, timeoutMs: _, ...rest } = item;
  const facts = all ?? {};
  const attemptMs = numberOf(facts[TIMEOUT]);
  const expiresAt = numberOf(facts[EXPIRES]);
  const leftMs = expiresAt === undefined ? undefined : Math.max(1, expiresAt - now);
  const executionId = item.executionId === "" ? item.instanceId : item.executionId;
  return {
    ...rest,
    executionId,
    attempt: numberOf(facts[ATTEMPT]) ?? 1,
    idempotencyKey: facts[KEY] ?? keyOf(executionId, item.taskId),
    ...given({
      tags: unreserved(all),
      timeoutMs: attemptMs === undefined || leftMs === undefined ? (attemptMs ?? leftMs) : Math.min(attemptMs, leftMs),
    }),
  };
}

/** Tags without the reserved ones; `undefined` when none are left. */
export function unreserved(tags: Tags | undefined): Tags | undefined {
  const own = Object.entries(tags ?? {}).filter(([name]) => !RESERVED.has(name));
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

/** The tags of an execution that goes on after a rewind: which one it goes on from. Another execution that inherits them is not meant. */
export function lineageTags(tags: Tags | undefined, executionId: string, lineage: string): Tags {
  return { ...tags, [LINEAGE]: `${executionId}=${lineage}` };
}

/** The execution that this one goes on from: itself, unless it was rewound. */
export function lineageOf(tags: Tags | undefined, executionId: string): string {
  const told = tags?.[LINEAGE];
  return told?.startsWith(`${executionId}=`) === true ? told.slice(executionId.length + 1) : executionId;
}

function numberOf(text: string | undefined): number | undefined {
  const number = text === undefined ? Number.NaN : Number(text);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
