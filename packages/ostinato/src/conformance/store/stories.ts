// stories: the few commits that the chapters tell their stories with. No rule of the engine is here, only its kinds of values.

import assert from "node:assert/strict";
import type { HistoryEvent } from "../../contract/events.ts";
import type { InstanceRecord } from "../../contract/instance.ts";
import type { Instant } from "../../contract/instant.ts";
import type { InboxMessage, Message } from "../../contract/messages.ts";
import { EMPTY_COMMIT } from "../../engine/commit.ts";
import type { ActivityRow, Claim, Commit, CommitResult } from "../../engine/commit.ts";
import type { Claims, ClaimRequest, Store } from "../../engine/store.ts";

/** A time well away from the machine's. */
export const START: Instant = 1_700_000_000_000;

/** What a result is when it was done. */
export type Done = Extract<CommitResult, { readonly ok: true }>;

/** A record of an instance that nobody has run yet. */
export function recordOf(id: string, more: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    number: 0,
    id,
    kind: "orchestration",
    name: "chain",
    executionId: `${id}-1`,
    lineage: `${id}-1`,
    status: "PENDING",
    createdAt: START,
    updatedAt: START,
    epoch: 1,
    turn: 0,
    generation: 1,
    historyLength: 0,
    lastTurnAt: START,
    attempts: 0,
    held: false,
    dropped: 0,
    ...more,
  };
}

/** A message with an event of the simplest kind. */
export function messageTo(to: string, id: string, more: Partial<Message> = {}): Message {
  return {
    id,
    to,
    wakes: "unless-held",
    needs: "program",
    event: { kind: "EventRaised", eventId: -1, timestamp: START, name: id },
    ...more,
  };
}

/** An activity of an instance. */
export function activityOf(record: InstanceRecord, taskId: number, more: Partial<ActivityRow> = {}): ActivityRow {
  return {
    number: record.number,
    generation: record.generation,
    taskId,
    instanceId: record.id,
    executionId: record.executionId,
    name: "hello",
    attempt: 1,
    idempotencyKey: `${record.lineage}/${taskId}`,
    epoch: 1,
    claimed: false,
    ...more,
  };
}

/** A commit from the parts that matter. */
export function commitOf(parts: Partial<Commit>): Commit {
  return { ...EMPTY_COMMIT, ...parts };
}

/** A new instance with its start in its inbox. */
export function startOf(
  id: string,
  more: {
    readonly record?: Partial<InstanceRecord>;
    readonly message?: Partial<Message>;
    readonly keep?: boolean;
    readonly input?: string;
  } = {},
): Commit {
  const keep = more.keep ?? false;
  const record = recordOf(id, { attempts: keep ? 1 : 0, ...more.record });
  return commitOf({
    fences: [{ kind: "absent", id }],
    record,
    ...(more.input === undefined ? {} : { payloads: { input: more.input } }),
    messages: [
      messageTo(id, `start:${record.executionId}`, {
        wakes: "always",
        event: {
          kind: "ExecutionStarted",
          eventId: -1,
          timestamp: START,
          instanceId: id,
          executionId: record.executionId,
          name: record.name,
        },
        ...more.message,
      }),
    ],
    keep,
  });
}

/** The next turn of an instance: consumes messages, appends events, and what else is given. */
export function turnOf(
  record: InstanceRecord,
  messages: readonly Pick<InboxMessage, "id">[],
  more: Partial<Commit> & { readonly change?: Partial<InstanceRecord>; readonly events?: readonly HistoryEvent[] } = {},
): Commit {
  const { change, events = [started(record.turn + 1)], ...parts } = more;
  const mode = parts.history?.mode ?? "append";
  const next: InstanceRecord = {
    ...record,
    status: "RUNNING",
    turn: record.turn + 1,
    attempts: 0,
    historyLength: (mode === "append" ? record.historyLength : 0) + events.length,
    ...change,
  };
  return commitOf({
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    record: next,
    history: { mode, events },
    consumed: messages.map((message) => message.id),
    keep: true,
    ...parts,
  });
}

/** An event that says which turn it is of. */
export function started(turn: number): HistoryEvent {
  return { kind: "OrchestratorStarted", eventId: -1, timestamp: START + turn };
}

/** Commits one, which must be done. */
export async function done(store: Store, commit: Commit): Promise<Done> {
  const [result] = await store.commit([commit]);
  assert.ok(result?.ok, `The commit was refused: ${JSON.stringify(result)}.`);
  return result;
}

/** Commits one, which must be refused. */
export async function refused(store: Store, commit: Commit): Promise<Extract<CommitResult, { readonly ok: false }>["why"]> {
  const [result] = await store.commit([commit]);
  assert.ok(result !== undefined && !result.ok, "The commit was done, and should have been refused.");
  return result.why;
}

/** A claim of everything that the stories have. */
export async function claimAll(store: Store, want: Partial<ClaimRequest> = {}): Promise<Claims> {
  const wanted = { orchestrators: ["chain"], entityCount: 0, entities: [], activityCount: 100, activities: ["hello"] };
  return store.claim({ instances: 100, ...wanted, ...want });
}

/** Claims, and expects one instance. */
export async function claimOne(store: Store, want: Partial<ClaimRequest> = {}): Promise<Claim> {
  const { instances } = await claimAll(store, want);
  assert.equal(instances.length, 1);
  return instances[0] as Claim;
}

/** Starts an instance and claims it. */
export async function startAndClaim(store: Store, id: string, more: Parameters<typeof startOf>[1] = {}): Promise<Claim> {
  await done(store, startOf(id, more));
  return claimOne(store);
}

/** All events of an instance's history. */
export async function historyOf(store: Store, id: string, from?: number): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for await (const page of store.history(id, from)) events.push(...page);
  return events;
}

/** The ids of messages, in order. */
export function idsOf(messages: readonly { readonly id: string }[]): string[] {
  return messages.map((message) => message.id);
}

/** What must be there. */
export function some<T>(value: T | undefined): T {
  assert.ok(value !== undefined, "Something that should be there is missing.");
  return value;
}
