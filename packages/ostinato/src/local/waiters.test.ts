import assert from "node:assert/strict";
import { test } from "node:test";
import { finished, pending, running, stored } from "../../test/engine-story.ts";
import type { StoredInstance } from "../contract/instance.ts";
import { Waiters } from "./waiters.ts";

/** A store in which there is one instance, which a story changes; reading it can be held. */
function reading(first: StoredInstance | undefined | Error) {
  const told = { stored: first, reads: 0, held: undefined as Promise<void> | undefined };
  const waiters = new Waiters(async () => {
    told.reads++;
    // What is there is looked at when it is asked, and told when the story lets it be.
    const { stored: there } = told;
    await told.held;
    if (there instanceof Error) throw there;
    return there;
  });
  return { told, waiters };
}

async function rest(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** What a wait has come to: `"waits"` while it has not. */
async function outcome(wait: Promise<StoredInstance | undefined>): Promise<string | undefined> {
  let now: string | undefined = "waits";
  void wait.then((answer) => (now = answer?.record.status));
  await rest();
  return now;
}

test("what has been reached already is told at once, and leaves nothing behind", async () => {
  const { waiters } = reading(stored(finished("FAILED")));
  assert.equal((await waiters.wait("i", "completion", false))?.record.status, "FAILED");
  assert.equal((await waiters.wait("i", "start", false))?.record.status, "FAILED", "what has ended has also begun");
  assert.equal(waiters.has("i"), false);
  assert.equal(await reading(undefined).waiters.wait("nobody", "start", false), undefined);
});

test("a wait for the start is over with any status but PENDING, one for the end with an end alone", async () => {
  const { waiters } = reading(stored(pending()));
  const [start, completion] = [waiters.wait("i", "start", false), waiters.wait("i", "completion", false)];
  await rest();
  waiters.committed(stored(running()));
  assert.deepEqual([await outcome(start), await outcome(completion)], ["RUNNING", "waits"]);
  waiters.committed(stored(finished("COMPLETED")));
  assert.equal(await outcome(completion), "COMPLETED");
  assert.equal(waiters.has("i"), false);
});

test("W1 an end that is committed while the store is still being asked is not missed", async () => {
  const { told, waiters } = reading(stored(running()));
  let go = (): void => undefined;
  told.held = new Promise((resolve) => (go = resolve));
  const wait = waiters.wait("i", "completion", false);
  waiters.committed(stored(finished("COMPLETED")));
  go();
  assert.equal(await outcome(wait), "COMPLETED");
});

test("what this process is known to run is not asked for", async () => {
  const { told, waiters } = reading(stored(running()));
  const wait = waiters.wait("i", "completion", true);
  await rest();
  assert.equal(told.reads, 0);
  waiters.committed(stored(finished("TERMINATED")));
  assert.equal(await outcome(wait), "TERMINATED");
});

test("L6 a hint leads to a look, for those alone who are waited for; it need not be right", async () => {
  const { told, waiters } = reading(stored(running()));
  const wait = waiters.wait("i", "completion", true);
  waiters.hinted(["others", "i"]);
  assert.deepEqual([await outcome(wait), told.reads], ["waits", 1]);
  told.stored = stored(finished("COMPLETED"));
  waiters.hinted(["i"]);
  assert.equal(await outcome(wait), "COMPLETED");
});

test("C5 whoever waits for what goes away is told that it is not there", async () => {
  const { told, waiters } = reading(stored(running()));
  const [one, two] = [waiters.wait("i", "completion", false), waiters.wait("i", "completion", true)];
  await rest();
  told.stored = undefined;
  waiters.hinted(["i"]);
  assert.deepEqual([await outcome(one), await outcome(two)], [undefined, undefined]);
});

test("a look that fails changes nothing: the next hint looks again", async () => {
  const { told, waiters } = reading(stored(running()));
  const wait = waiters.wait("i", "completion", true);
  told.stored = new Error("I/O error");
  waiters.hinted(["i"]);
  assert.equal(await outcome(wait), "waits");
  told.stored = stored(finished("COMPLETED"));
  waiters.hinted(["i"]);
  assert.equal(await outcome(wait), "COMPLETED");
});

test("a wait whose first look fails is told so, and leaves nothing behind", async () => {
  const { waiters } = reading(new Error("I/O error"));
  await assert.rejects(waiters.wait("i", "completion", false), /I\/O error/);
  assert.equal(waiters.has("i"), false);
});

test("W2 a wait that aborts, before or while it waits, leaves nothing behind and disturbs no other", async () => {
  const { told, waiters } = reading(stored(running()));
  const abort = new AbortController();
  const [aborted, other] = [waiters.wait("i", "completion", false, abort.signal), waiters.wait("i", "completion", false)];
  await rest();
  abort.abort();
  assert.deepEqual([await outcome(aborted), await outcome(other)], [undefined, "waits"]);
  const reads = told.reads;
  assert.equal(await waiters.wait("j", "completion", false, abort.signal), undefined);
  assert.deepEqual([told.reads, waiters.has("j")], [reads, false]);
  waiters.gone();
  assert.equal(await outcome(other), undefined);
  assert.equal(waiters.has("i"), false);
});
