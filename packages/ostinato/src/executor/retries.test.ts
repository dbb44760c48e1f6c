// Stories of calls that fail and are tried again: a retry is a timer and the same action with a new id.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { DeclaredError } from "../authoring/activity-context.ts";
import { activity, orchestrator } from "../authoring/define.ts";
import type { RetryContext, RetryHandler, RetryPolicy } from "../authoring/retry.ts";
import { toFailure } from "../contract/failure.ts";
import {
  asked,
  childCompleted,
  childFailed,
  completed,
  failed,
  failedWith,
  failureOf,
  fired,
  noon,
  outputOf,
  rehearse,
} from "./rehearsal.test.ts";

const flaky = activity("flaky", async (ctx, n: number) => n);
const calling = (retry: RetryPolicy | RetryHandler, timeout?: { total: "1m" }) =>
  orchestrator("calling", async (ctx) => await ctx.callActivity(flaky, 7, timeout === undefined ? { retry } : { retry, timeout }));

describe("a policy", () => {
  test("waits by a durable timer, longer each time, up to its longest; attempts and the first id go along (Y3)", async () => {
    const story = rehearse(calling({ maxNumberOfAttempts: 4, firstRetryInterval: "1s", backoffCoefficient: 3, maxRetryInterval: "5s" }));
    await story.start();
    assert.deepEqual((await story.turn(failed(1, "a"))).actions, [{ kind: "createTimer", id: 2, fireAt: noon + 1_000 + 1_000 }]);
    assert.deepEqual((await story.turn(fired(2))).actions, [
      { kind: "scheduleTask", id: 3, name: "flaky", input: "7", attempt: 2, firstId: 1 },
    ]);
    assert.deepEqual((await story.turn(failed(3, "b"))).actions, [{ kind: "createTimer", id: 4, fireAt: noon + 3_000 + 3_000 }]);
    await story.turn(fired(4));
    assert.deepEqual((await story.turn(failed(5, "c"))).actions, [{ kind: "createTimer", id: 6, fireAt: noon + 5_000 + 5_000 }]);
    assert.deepEqual((await story.turn(fired(6))).actions, [
      { kind: "scheduleTask", id: 7, name: "flaky", input: "7", attempt: 4, firstId: 1 },
    ]);
    const failure = failureOf(await story.turn(failed(7, "d")));
    assert.equal(failure.message, "The activity 'flaky' (task 7) failed after 4 attempts: d");
  });

  test("ends with the result of the attempt that succeeds", async () => {
    const story = rehearse(calling({ maxNumberOfAttempts: 2, firstRetryInterval: "1s" }));
    await story.start();
    await story.turn(failed(1, "a"));
    await story.turn(fired(2));
    assert.equal(outputOf(await story.turn(completed(3, "fine"))), "fine");
  });

  test("never retries what is marked non-retriable, nor what the predicate refuses or throws at (Y1, Y2)", async () => {
    let asks = 0;
    const refusing = calling({
      maxNumberOfAttempts: 5,
      firstRetryInterval: "1s",
      handleFailure: ({ errorType }) => (asks++, errorType === "Retry"),
    });
    const marked = rehearse(refusing);
    await marked.start();
    assert.match(failureOf(await marked.turn(failed(1, "x", { nonRetriable: true }))).message, /x$/);
    assert.equal(asks, 0);
    const refused = rehearse(refusing);
    await refused.start();
    assert.match(failureOf(await refused.turn(failed(1, "y"))).message, /y$/);
    const accepted = rehearse(refusing);
    await accepted.start();
    assert.deepEqual(asked(await accepted.turn(failed(1, "z", { errorType: "Retry" }))), ["createTimer 2"]);
    const throwing = rehearse(
      calling({
        maxNumberOfAttempts: 5,
        firstRetryInterval: "1s",
        handleFailure: () => {
          throw new Error("oops");
        },
      }),
    );
    await throwing.start();
    assert.match(failureOf(await throwing.turn(failed(1, "own"))).message, /own$/);
  });

  test("stops when its time is over, and when the next delay would go beyond it", async () => {
    const story = rehearse(calling({ maxNumberOfAttempts: 9, firstRetryInterval: "2s", backoffCoefficient: 2, retryTimeout: "5s" }));
    await story.start();
    assert.deepEqual(asked(await story.turn(failed(1, "a"))), ["createTimer 2"]); // 1 s gone, 2 s to wait
    story.now = noon + 3_000;
    await story.turn(fired(2));
    assert.match(failureOf(await story.turn(failed(3, "b"))).message, /after 2 attempts: b/); // 4 s gone, 4 s to wait
  });

  test("an asynchronous predicate may wait for promises that are there, and for nothing else", async () => {
    const patient = rehearse(
      calling({ maxNumberOfAttempts: 2, firstRetryInterval: "1s", handleFailure: async () => (await Promise.resolve(), true) }),
    );
    await patient.start();
    assert.deepEqual(asked(await patient.turn(failed(1, "a"))), ["createTimer 2"]);
    const stuck = rehearse(
      calling({ maxNumberOfAttempts: 2, firstRetryInterval: "1s", handleFailure: () => new Promise(() => undefined) }),
    );
    await stuck.start();
    assert.equal(failureOf(await stuck.turn(failed(1, "a"))).errorType, "NonDurableWaitError");
    const generator = rehearse(
      orchestrator("generator", function* (ctx) {
        return yield* ctx.callActivity(flaky, 1, { retry: async () => (await Promise.resolve(), true) });
      }),
    );
    await generator.start();
    assert.deepEqual(asked(await generator.turn(failed(1, "a"))), ["scheduleTask 2 flaky"]);
  });
});

describe("a handler", () => {
  test("is told of each failure and answers with yes, no or a delay", async () => {
    const told: unknown[] = [];
    const answers = [true, 250, "3s", 0, { minutes: 1 }, undefined] as const;
    const handler = ({ lastAttemptNumber, lastFailure, totalRetryTimeMs }: RetryContext) => {
      told.push([lastAttemptNumber, lastFailure.message, totalRetryTimeMs]);
      return answers[lastAttemptNumber - 1];
    };
    const story = rehearse(calling(handler));
    await story.start();
    assert.deepEqual(asked(await story.turn(failed(1, "a"))), ["scheduleTask 2 flaky"]);
    assert.deepEqual((await story.turn(failed(2, "b"))).actions, [{ kind: "createTimer", id: 3, fireAt: noon + 2_000 + 250 }]);
    await story.turn(fired(3));
    assert.deepEqual((await story.turn(failed(4, "c"))).actions, [{ kind: "createTimer", id: 5, fireAt: noon + 4_000 + 3_000 }]);
    await story.turn(fired(5));
    assert.deepEqual(asked(await story.turn(failed(6, "d"))), ["scheduleTask 7 flaky"]);
    assert.deepEqual((await story.turn(failed(7, "e"))).actions, [{ kind: "createTimer", id: 8, fireAt: noon + 7_000 + 60_000 }]);
    await story.turn(fired(8));
    told.length = 0;
    assert.match(failureOf(await story.turn(failed(9, "f"))).message, /after 6 attempts: f/);
    assert.deepEqual(told[0], [6, "f", 9_000]);
  });

  test("that throws, or is asked about a validation, does not retry", async () => {
    const story = rehearse(
      calling(() => {
        throw new Error("oops");
      }),
    );
    await story.start();
    assert.match(failureOf(await story.turn(failed(1, "own"))).message, /own$/);
    const valid = rehearse(calling(() => true));
    await valid.start();
    assert.match(failureOf(await valid.turn(failed(1, "bad", { errorType: "ValidationError", nonRetriable: true }))).message, /bad$/);
  });
});

test("the total time-out goes along with every attempt, and no retry goes beyond it (Y4)", async () => {
  const story = rehearse(calling({ maxNumberOfAttempts: 9, firstRetryInterval: "30s" }, { total: "1m" }));
  const expiresAt = noon + 60_000;
  assert.deepEqual((await story.start()).actions, [
    { kind: "scheduleTask", id: 1, name: "flaky", input: "7", attempt: 1, firstId: 1, expiresAt },
  ]);
  await story.turn(failed(1, "a"));
  story.now = noon + 31_000;
  assert.deepEqual((await story.turn(fired(2))).actions, [
    { kind: "scheduleTask", id: 3, name: "flaky", input: "7", attempt: 2, firstId: 1, expiresAt },
  ]);
  assert.match(failureOf(await story.turn(failed(3, "b"))).message, /b$/);
});

test("a child that is tried again keeps its instance id and gets a new execution", async () => {
  const story = rehearse(
    orchestrator(
      "parent",
      async (ctx) => await ctx.callSubOrchestrator("child", 1, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: "1s" } }),
    ),
  );
  const first = (await story.start()).actions[0];
  await story.turn(childFailed(1, new Error("x")));
  const second = (await story.turn(fired(2))).actions[0];
  assert.ok(first?.kind === "createSubOrchestration" && second?.kind === "createSubOrchestration");
  assert.equal(first.instanceId, "execution:0001");
  assert.equal(second.instanceId, first.instanceId);
  assert.notEqual(second.executionId, first.executionId);
  assert.equal(outputOf(await story.turn(childCompleted(3, "done"))), "done");
});

describe("ctx.try", () => {
  const reserve = activity("reserve", { errors: { OutOfStock: z.object({ left: z.number() }) } }, async (ctx, n: number) => n);
  const trying = orchestrator("trying", async (ctx) => {
    const got = await ctx.try(reserve, 3, { retry: { maxNumberOfAttempts: 2, firstRetryInterval: "1s" } });
    if (got.ok) return got.value;
    if (got.error.tag === "OutOfStock") return `only ${got.error.data.left}`;
    return `${got.error.data.errorType}: ${got.error.message}`;
  });

  test("gives results, declared errors by their tag, and all others as failed, after the retries", async () => {
    const fine = rehearse(trying);
    await fine.start();
    assert.equal(outputOf(await fine.turn(completed(1, 5))), 5);
    const declared = rehearse(trying);
    await declared.start();
    await declared.turn(failed(1, "first"));
    await declared.turn(fired(2));
    assert.equal(outputOf(await declared.turn(failedWith(3, toFailure(new DeclaredError("OutOfStock", '{"left":1}'))))), "only 1");
    const other = rehearse(trying);
    await other.start();
    assert.equal(outputOf(await other.turn(failed(1, "boom", { errorType: "RangeError", nonRetriable: true }))), "RangeError: boom");
  });
});
