// Rewinds that a worker of another SDK answers with a new history (decision 10).

import assert from "node:assert/strict";
import type { Action } from "../src/contract/actions.ts";
import type { HistoryEvent } from "../src/contract/events.ts";
import type { OrchestrationWorkItem } from "../src/contract/work-items.ts";
import { BROKE, call, child, end, failed, type Foreign, news, past, story, timer, told, type World } from "./foreign-world.ts";

/** What the family's workers make of a rewind: what failed goes, with what asked for it, and so does the end. */
function rewritten(item: OrchestrationWorkItem, executionId: string): readonly HistoryEvent[] {
  const all = [...past(item), ...item.newEvents];
  const failedTasks = new Set(all.flatMap((event) => (event.kind === "TaskFailed" ? [event.taskScheduledId] : [])));
  return all.flatMap((event): HistoryEvent[] => {
    if (event.kind === "TaskFailed" || event.kind === "SubOrchestrationInstanceFailed" || event.kind === "ExecutionCompleted") return [];
    if (event.kind === "TaskScheduled" && failedTasks.has(event.eventId)) return [];
    return [event.kind === "ExecutionStarted" ? { ...event, executionId } : event];
  });
}
const rewind = (item: OrchestrationWorkItem, executionId: string): Action => ({
  kind: "rewindOrchestration",
  id: -1,
  newHistory: rewritten(item, executionId),
});

/** An instance of two activities, of which the second has failed. */
async function failedInstance(w: World, worker: Foreign): Promise<void> {
  await w.start("i");
  await worker.answer(await worker.turn(), [call(1)]);
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), [call(2)]);
  await worker.fail(await worker.activity(), BROKE);
  await worker.answer(await worker.turn(), [failed(3, BROKE)]);
  assert.equal((await w.stored("i"))?.record.status, "FAILED");
}

story("C6 a worker that rewrites histories is shown the whole of one with its end, and goes on under what it wrote", async (w) => {
  const worker = await w.worker();
  await failedInstance(w, worker);
  const before = await w.history("i");
  await w.backend.rewind({ instanceId: "i", reason: "try again", executionId: "minted-by-client" });
  await w.raise("i", "meanwhile");
  const item = await worker.turn();
  assert.deepEqual(past(item), before);
  assert.equal(before.at(-1)?.kind, "ExecutionCompleted");
  assert.deepEqual(news(item), ["OrchestratorStarted", "ExecutionRewound"]);
  assert.equal(item.newEvents[1]?.kind === "ExecutionRewound" && item.newEvents[1].reason, "try again");
  await worker.answer(item, [rewind(item, "minted-by-worker")]);

  const next = await worker.turn();
  assert.equal(next.executionId, "minted-by-worker");
  assert.deepEqual(news(next), ["OrchestratorStarted", "EventRaised"], "I5 what came meanwhile is there");
  assert.deepEqual(told(past(next)), ["TaskScheduled#1", "TaskCompleted#1"]);
  const { record, payloads } = (await w.stored("i"))!;
  assert.deepEqual(
    [record.status, record.executionId, record.generation, record.completedAt],
    ["RUNNING", "minted-by-worker", 3, undefined],
  );
  assert.equal(payloads.failure, undefined);
  await worker.answer(next, [call(2)]);
  const again = await worker.activity();
  assert.deepEqual([again.taskId, again.executionId, again.idempotencyKey], [2, "minted-by-worker", "x-i:0002"], "LI1 the key stays");
  await worker.complete(again);
  await worker.answer(await worker.turn(), [end(3)]);
  assert.equal((await w.stored("i"))?.record.status, "COMPLETED");
});

story("C6 it can be rewound a second time, and by an operator who suspends it in between", async (w) => {
  const worker = await w.worker();
  await failedInstance(w, worker);
  await w.backend.rewind({ instanceId: "i", executionId: "r1" });
  const first = await worker.turn();
  await worker.answer(first, [rewind(first, "e1")]);
  await worker.answer(await worker.turn(), [call(2)]);
  await worker.fail(await worker.activity(), BROKE);
  await worker.answer(await worker.turn(), [failed(3, BROKE)]);
  const before = await w.history("i");
  await worker.close();
  await w.backend.rewind({ instanceId: "i", executionId: "r2" });
  await w.backend.suspend("i");
  await w.backend.resume("i");
  const other = await w.worker();
  const second = await other.turn();
  assert.deepEqual(past(second), before);
  assert.deepEqual(news(second), ["OrchestratorStarted", "ExecutionRewound"]);
  await other.answer(second, [rewind(second, "e2")]);
  await other.answer(await other.turn(), [call(2)]);
  await other.complete(await other.activity());
  await other.answer(await other.turn(), [end(3)]);
  assert.deepEqual([(await w.stored("i"))?.record.status, (await w.stored("i"))?.record.executionId], ["COMPLETED", "e2"]);
});

story("C6 what was open when it failed is asked for again: activities, timers, children", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  const fireAt = w.clock.now() + 60_000;
  await worker.answer(await worker.turn(), [call(1), call(2, "slow"), timer(3, fireAt), child(4, "c")]);
  const running = worker.turns.pop()!;
  const [one, slow] = worker.activities.splice(0);
  await worker.answer(running, [call(1, "inTheChild")]);
  const childs = await worker.activity();
  await worker.fail(one!, BROKE);
  await worker.answer(await worker.turn(), [failed(5, BROKE)]);
  await worker.complete(slow!);
  await w.backend.rewind({ instanceId: "i", executionId: "r1" });
  const item = await worker.turn();
  await worker.answer(item, [rewind(item, "e1")]);
  const asked = worker.activities.splice(0);
  assert.deepEqual(
    asked.map(({ taskId, name }) => [taskId, name]),
    [[2, "slow"]],
    "its result was dropped with the execution that had failed",
  );
  await worker.answer(await worker.turn(), [call(1)]);
  // The child ran on; now its end is for the execution that goes on.
  await worker.complete(childs);
  await worker.answer(await worker.turn(), [end(2, '"child"')]);
  await worker.answer(await worker.turn(), []);
  await worker.complete(asked[0]!);
  await worker.answer(await worker.turn(), []);
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), []);
  await w.clock.advance(60_010);
  await worker.answer(await worker.turn(), [end(5)]);
  assert.deepEqual(told(await w.history("i")), [
    "TaskScheduled#2",
    "TimerCreated#3",
    "SubOrchestrationInstanceCreated#4",
    "TaskScheduled#1",
    "SubOrchestrationInstanceCompleted#4",
    "TaskCompleted#2",
    "TaskCompleted#1",
    "TimerFired#3",
  ]);
});

story("C6 a failed child is rewound with its parent, and a child that is gone is started again", async (w) => {
  const worker = await w.worker();
  await w.start("p");
  await worker.answer(await worker.turn(), [child(1, "c1"), child(2, "c2")]);
  for (const turn of worker.turns.splice(0)) await worker.answer(turn, turn.instanceId === "c1" ? [call(1)] : [failed(1, BROKE)]);
  await worker.fail(await worker.activity(), BROKE);
  for (let i = 0; i < 2; i++)
    for (const turn of worker.turns.splice(0)) await worker.answer(turn, turn.instanceId === "p" ? [] : [failed(2, BROKE)]);
  for (const turn of worker.turns.splice(0)) await worker.answer(turn, [failed(3, BROKE)]);
  if ((await w.stored("p"))?.record.status !== "FAILED") {
    await w.raise("p", "enough");
    await worker.answer(await worker.turn(), [failed(3, BROKE)]);
  }
  assert.equal((await w.stored("c1"))?.record.status, "FAILED");
  await w.backend.purge({ instanceId: "c2", recursive: false });
  await w.backend.rewind({ instanceId: "p", reason: "again", executionId: "r1" });
  const item = await worker.turn();
  await worker.answer(item, [rewind(item, "p2")]);
  const turns = new Map(worker.turns.splice(0).map((turn) => [turn.instanceId, turn]));
  assert.deepEqual([...turns.keys()].sort(), ["c1", "c2", "p"]);
  const [c1, c2, p] = [turns.get("c1")!, turns.get("c2")!, turns.get("p")!];
  assert.deepEqual(news(c1), ["OrchestratorStarted", "ExecutionRewound"]);
  assert.deepEqual(news(c2), ["OrchestratorStarted", "ExecutionStarted"]);
  const start = c2.newEvents[1];
  assert.deepEqual(start?.kind === "ExecutionStarted" && start.parent?.executionId, "p2");
  assert.deepEqual(news(p), ["OrchestratorStarted"]);
  await worker.answer(p, []);
  await worker.answer(c1, [rewind(c1, "c1-2")]);
  await worker.answer(c2, [end(1)]);
  await worker.answer(
    worker.turns.splice(
      worker.turns.findIndex(({ instanceId }) => instanceId === "p"),
      1,
    )[0]!,
    [],
  );
  const goesOn = await worker.turn();
  const began = past(goesOn)[1];
  assert.equal(began?.kind === "ExecutionStarted" && began.parent?.executionId, "p2", "its history says who waits for it now");
  await worker.answer(goesOn, [end(2)]);
  await worker.answer(await worker.turn(), [end(4)]);
  assert.deepEqual(
    told(await w.history("p"))
      .filter((each) => each.includes("Completed"))
      .sort(),
    ["SubOrchestrationInstanceCompleted#1", "SubOrchestrationInstanceCompleted#2"],
  );
});
