import assert from "node:assert/strict";
import { test } from "node:test";
import { finished, pending, running, stored } from "../../test/engine-story.ts";
import { handClock } from "../../test/hand-clock.ts";
import { StoreFormatError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import type { StoredInstance } from "../contract/instance.ts";
import { seededRandom } from "../platform/random.ts";
import { Waiters } from "./waiters.ts";

/** A store in which there is one instance, which a story changes; reading it can be held. */
function reading(first: StoredInstance | undefined | Error) {
  const told = { stored: first, reads: 0, held: undefined as Promise<void> | undefined };
  const read = async (): Promise<StoredInstance | undefined> => {
    told.reads++;
    // What is there is looked at when it is asked, and told when the story lets it be.
    const { stored: there } = told;
    await told.held;
    if (there instanceof Error) throw there;
    return there;
  };
  const waiters = new Waiters({
    read,
    readAll: async (ids) => {
      const one = await read();
      return ids.map(() => one);
    },
  });
  return { told, waiters };
}

/** A store that others write to: its instances run until the story ends them. Who reads them is written down, with the time. */
function shared() {
  const clock = handClock(0);
  const ended = new Set<InstanceId>();
  const looks: { readonly at: number; readonly ids: readonly InstanceId[] }[] = [];
  const world = { clock, ended, looks, damaged: undefined as InstanceId | undefined, readMs: 0, reads: 0 };
  const there = (id: InstanceId): StoredInstance => stored({ ...(ended.has(id) ? finished("COMPLETED") : running()), id });
  const read = (id: InstanceId): StoredInstance => {
    if (id === world.damaged) throw new StoreFormatError("cannot be read");
    return { ...there(id), payloads: { input: `"${id}"` } };
  };
  const waiters = new Waiters({
    async read(id) {
      world.reads++;
      return read(id);
    },
    async readAll(ids) {
      looks.push({ at: clock.now(), ids });
      const found = ids.map((id) => (ended.has(id) || id === world.damaged ? read(id) : there(id)));
      if (world.readMs > 0) await new Promise<void>((resolve) => void clock.setTimer(world.readMs, resolve));
      return found;
    },
    net: { clock, random: seededRandom(1) },
  });
  return { ...world, world, waiters };
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

test("W3 hints of one moment lead to one look, at those alone who are waited for; one that comes meanwhile to one more", async () => {
  const { waiters, looks, ended } = shared();
  const waits = ["a", "b", "c"].map((id) => waiters.wait(id, "completion", true));
  waiters.hinted(["a", "x"]);
  waiters.hinted(["b", "a"]);
  ended.add("a").add("b");
  assert.deepEqual(await Promise.all(waits.slice(0, 2).map(outcome)), ["COMPLETED", "COMPLETED"]);
  assert.deepEqual(
    looks.map((look) => look.ids),
    [["a", "b"]],
  );
  ended.add("c");
  waiters.hinted();
  assert.equal(await outcome(waits[2]!), "COMPLETED");
  assert.deepEqual(looks.at(-1)?.ids, ["c"]);
});

test("W3 an end while a look is under way, which had not seen it, is not missed", async () => {
  const { waiters, world, clock, ended, looks } = shared();
  world.readMs = 10;
  const wait = waiters.wait("a", "completion", true);
  waiters.hinted(["a"]);
  await rest();
  ended.add("a");
  waiters.hinted(["a"]);
  await clock.advance(20);
  assert.deepEqual([await outcome(wait), looks.length], ["COMPLETED", 2]);
});

test("whoever waits for the start of what goes on is told its payloads too", async () => {
  const { waiters, world } = shared();
  const wait = waiters.wait("a", "start", true);
  waiters.hinted(["a"]);
  await rest();
  assert.deepEqual((await wait)?.payloads, { input: '"a"' });
  assert.equal(world.reads, 1);
});

test("D5 one that cannot be read keeps nobody else waiting", async () => {
  const { waiters, world, ended } = shared();
  const waits = ["a", "b"].map((id) => waiters.wait(id, "completion", true));
  world.damaged = "a";
  ended.add("b");
  waiters.hinted();
  assert.deepEqual(await Promise.all(waits.map(outcome)), ["waits", "COMPLETED"]);
  waiters.gone();
});

test("L6 W4 where every hint is lost, the net finds what has ended: soon at first, every five seconds in the end, and never while nobody waits", async () => {
  const { waiters, clock, looks, ended } = shared();
  await clock.advance(60_000);
  assert.equal(looks.length, 0);
  const wait = waiters.wait("a", "completion", true);
  await clock.advance(100);
  assert.equal(looks.length, 1);
  await clock.advance(60_000);
  const late = looks.filter((look) => look.at > 80_000);
  const gaps = late.slice(1).map((look, at) => look.at - late[at]!.at);
  assert.ok(gaps.length > 0 && gaps.every((gap) => gap >= 2_500 && gap <= 5_000), `every five seconds at most: ${gaps.join(", ")}`);
  ended.add("a");
  await clock.advance(5_000);
  assert.equal(await outcome(wait), "COMPLETED");
  const { length } = looks;
  await clock.advance(60_000);
  assert.equal(looks.length, length);
});

test("W4 a hint for those who wait, and somebody new who waits, have the net cast soon again", async () => {
  const { waiters, clock, looks } = shared();
  const waits = [waiters.wait("a", "completion", true)];
  const castsWithin = async (ms: number): Promise<number> => {
    const { length } = looks;
    await clock.advance(ms);
    return looks.length - length;
  };
  await clock.advance(60_000);
  waiters.hinted(["somebody else"]);
  assert.ok((await castsWithin(2_400)) <= 1);
  waiters.hinted(["a"]);
  assert.equal(await castsWithin(0), 1, "the look of the hint itself");
  assert.ok((await castsWithin(700)) >= 2);
  await clock.advance(60_000);
  waits.push(waiters.wait("b", "completion", true));
  assert.ok((await castsWithin(700)) >= 2);
  waiters.gone();
  assert.deepEqual(await Promise.all(waits.map(outcome)), [undefined, undefined]);
});

test("W4 where the net has caught something it is cast soon again: there may be more", async () => {
  const { waiters, clock, looks, ended } = shared();
  const waits = ["a", "b"].map((id) => waiters.wait(id, "completion", true));
  await clock.advance(60_000);
  ended.add("a");
  await clock.advance(5_000);
  const caught = looks.find((look) => look.at > 60_000)?.at ?? 0;
  const next = looks.find((look) => look.at > caught)?.at ?? 0;
  assert.ok(next - caught <= 100, `${next - caught} ms later`);
  ended.add("b");
  await clock.advance(5_000);
  assert.deepEqual(await Promise.all(waits.map(outcome)), ["COMPLETED", "COMPLETED"]);
});

test("W3 W4 ten thousand who wait are looked at in bounded steps, and the net rests four times as long as it takes to cast", async () => {
  const { waiters, world, clock, looks, ended } = shared();
  const ids = Array.from({ length: 10_000 }, (_, at) => `i${at}`);
  const waits = ids.map((id) => waiters.wait(id, "completion", true));
  world.readMs = 100;
  await clock.advance(60_000);
  assert.ok(
    looks.every((look) => look.ids.length <= 500),
    "no step is larger",
  );
  const cast = 20 * world.readMs;
  assert.ok(looks.length <= (60_000 / (cast * 5) + 1) * 20, `${looks.length} looks in a minute`);
  for (const id of ids) ended.add(id);
  await clock.advance(20_000);
  const all = await Promise.all(waits);
  assert.ok(all.every((each) => each?.record.status === "COMPLETED"));
});
