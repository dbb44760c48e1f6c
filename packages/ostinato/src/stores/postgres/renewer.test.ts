import assert from "node:assert/strict";
import { test } from "node:test";
import { handClock, rest } from "../../../test/hand-clock.ts";
import type { Renewed } from "./renewal-loop.ts";
import { readRenewed, startRenewer } from "./renewer.ts";
import type { FromRenewer, RenewerThreadOptions, ToRenewer } from "./renewer.ts";

const LEASE_MS = 30_000;
const renewedAt = (at: number, more: Partial<Renewed> = {}): Renewed => ({ at, alive: true, takenOver: 0, names: [], ...more });

/** A renewer whose thread says what the story says. */
function world(options: { readonly here?: boolean; readonly startFails?: boolean } = {}) {
  const clock = handClock(0);
  const log: string[] = [];
  const orders: ToRenewer[] = [];
  const taken: number[] = [];
  const told = {
    started: undefined as RenewerThreadOptions | undefined,
    say: (_news: FromRenewer): void => assert.fail("no thread was started"),
    end: (_why: string): void => assert.fail("no thread was started"),
    ended: 0,
    losses: 0,
    registering: undefined as Promise<void> | undefined,
    here: renewedAt(5) as Renewed | Error,
  };
  const renewer = startRenewer({
    ...(options.here === true
      ? { whyHere: "a pool was handed in" }
      : { thread: { connectionString: "postgres://x", label: "me", statement: "renew", hub: 1, maxBlockedMs: 60_000 } }),
    owner: 7,
    clock,
    log: { info: (line) => void log.push(`info: ${line}`), error: (line) => void log.push(`error: ${line}`) },
    async renewHere() {
      if (told.here instanceof Error) throw told.here;
      return told.here;
    },
    onRenewed: ({ takenOver }) => void taken.push(takenOver),
    async onLost() {
      told.losses++;
      await told.registering;
      renewer.replaceOwner(7 + told.losses);
    },
    startThread(started, onNews, onEnd) {
      if (options.startFails === true) throw new Error("no threads here");
      told.started = started;
      told.say = onNews;
      told.end = onEnd;
      return {
        post(order) {
          orders.push(order);
          if (order.kind === "close") onNews({ kind: "closed" });
        },
        end: () => void told.ended++,
      };
    },
  });
  const outcome = async (): Promise<string> => {
    let now = "waits";
    renewer.renew(LEASE_MS).then(
      ({ at, alive }) => (now = `${alive ? "good" : "lost"} at ${at}`),
      (error: Error) => (now = error.message),
    );
    await rest();
    return now;
  };
  const say = (owner: number, renewed: Renewed): void => told.say({ kind: "renewed", owner, renewed });
  /** The first renewal, as it should go. */
  const begin = async (): Promise<void> => {
    const first = renewer.renew(LEASE_MS);
    await rest();
    say(7, renewedAt(1_000));
    assert.equal((await first).alive, true);
  };
  return { clock, log, orders, taken, told, renewer, outcome, say, begin };
}

test("the first renewal starts the thread and waits for what it says; the others are answered at once, with the time that has passed", async () => {
  const { clock, told, renewer, outcome, say, taken, orders } = world();
  const first = renewer.renew(LEASE_MS);
  await rest();
  assert.deepEqual([told.started?.owner, told.started?.leaseMs, told.started?.hub], [7, LEASE_MS, 1]);
  say(7, renewedAt(1_000, { takenOver: 3 }));
  assert.deepEqual([await first, taken], [{ at: 1_000, alive: true }, [3]]);
  await clock.advance(10_000);
  assert.equal(await outcome(), "good at 11000");
  say(7, renewedAt(11_010));
  assert.equal(await outcome(), "good at 11010");
  await renewer.close();
  assert.deepEqual([orders, told.ended], [[{ kind: "close" }], 1]);
});

test("the main loop shows the thread that it turns, once a second", async () => {
  const { clock, told, renewer } = world();
  void renewer.renew(LEASE_MS);
  await clock.advance(10_500);
  assert.equal(new Int32Array(told.started!.signs)[0], 11);
  renewer.entered("order-17");
  assert.equal(Buffer.from(told.started!.signs, 8, 8).toString(), "order-17");
  await renewer.close();
  await clock.advance(10_000);
  assert.equal(new Int32Array(told.started!.signs)[0], 11);
});

test("a first renewal that fails is thrown; so is every one for as long as the last thing told is a failure, or nothing is told for a whole lease", async () => {
  const { clock, told, outcome, say } = world();
  const first = outcome();
  await rest();
  told.say({ kind: "failed", owner: 7, message: "refused" });
  await rest();
  await first;
  assert.match(await outcome(), /refused/);
  say(7, renewedAt(1_000));
  assert.equal(await outcome(), "good at 1000");
  told.say({ kind: "failed", owner: 7, message: "cut" });
  assert.match(await outcome(), /cut/);
  assert.match(await outcome(), /cut/);
  say(7, renewedAt(2_000));
  await clock.advance(LEASE_MS + 1);
  assert.match(await outcome(), /not been renewed for 30001 ms/);
});

test("LS1 a loss is told once, however late the engine asks, and the successor is renewed for; what is said of the one before counts no more", async () => {
  const { told, outcome, say, orders, begin } = world();
  await begin();
  say(7, renewedAt(2_000, { alive: false }));
  await rest();
  assert.deepEqual([told.losses, orders], [1, [{ kind: "owner", owner: 8 }]]);
  say(7, renewedAt(2_100, { alive: false }));
  say(8, renewedAt(2_200));
  told.say({ kind: "failed", owner: 7, message: "late" });
  await rest();
  assert.equal(told.losses, 1);
  assert.deepEqual([await outcome(), await outcome()], ["lost at 2200", "good at 2200"]);
});

test("L2 while the successor is being registered nothing good is told; where that fails, it is tried again with the next word of the thread", async () => {
  const { told, renewer, outcome, say, begin } = world();
  await begin();
  let registered = (): void => undefined;
  told.registering = new Promise((resolve) => (registered = resolve));
  say(7, renewedAt(1_500, { alive: false }));
  const asked = renewer.renew(LEASE_MS);
  await rest();
  registered();
  assert.equal((await asked).alive, false);

  told.registering = Promise.reject(new Error("the server is away"));
  told.registering.catch(() => undefined);
  say(8, renewedAt(2_000, { alive: false }));
  await rest();
  assert.match(await outcome(), /away/);
  told.registering = undefined;
  say(8, renewedAt(3_000, { alive: false }));
  await rest();
  say(10, renewedAt(3_010));
  assert.deepEqual([await outcome(), await outcome()], ["lost at 3010", "good at 3010"]);
});

test("a commit that finds its owner gone replaces it: the engine is told with the next renewal", async () => {
  const { outcome, say, renewer, orders, begin } = world();
  await begin();
  renewer.replaceOwner(12);
  say(12, renewedAt(1_500));
  assert.deepEqual([await outcome(), await outcome(), orders], ["lost at 1500", "good at 1500", [{ kind: "owner", owner: 12 }]]);
});

test("without a thread the engine's loop renews, the log says why, and the next look at others' leases is told", async () => {
  const { log, told, renewer, outcome, taken } = world({ here: true });
  told.here = renewedAt(5, { takenOver: 2, nextExpiry: 1_005 });
  assert.deepEqual(await renewer.renew(LEASE_MS), { at: 5, alive: true, againInMs: 1_050 });
  assert.deepEqual([log, taken], [["info: the leases of this process are renewed on its main loop: a pool was handed in"], [2]]);
  told.here = renewedAt(9, { alive: false });
  assert.deepEqual([await outcome(), told.losses], ["lost at 9", 1]);
  told.here = new Error("no answer");
  assert.equal(await outcome(), "no answer");
  assert.equal(log.length, 1);
  await renewer.close();
});

test("a thread that cannot be started, or ends, is stood in for by the engine's loop, and the log says so once", async () => {
  const cannot = world({ startFails: true });
  assert.equal(await cannot.outcome(), "good at 5");
  assert.match(cannot.log.join("\n"), /^error: the thread .* \(no threads here\)/);

  const ends = world();
  await ends.begin();
  ends.told.end("out of memory");
  ends.told.end("exit code 1");
  assert.deepEqual([await ends.outcome(), ends.log.length], ["good at 5", 1]);
  await ends.renewer.close();
});

test("a thread that does not say goodbye is ended", async () => {
  const { clock, told, renewer, begin } = world();
  await begin();
  told.say = () => undefined;
  const closing = renewer.close();
  await clock.advance(1_000);
  await closing;
  assert.equal(told.ended, 1);
});

test("a row of the database is read whatever its numbers are written as", () => {
  assert.deepEqual(readRenewed({ at: "1700000000000", alive: true, taken_over: 3, names: ["chain", ""], next_expiry: "1700000009000" }), {
    at: 1_700_000_000_000,
    alive: true,
    takenOver: 3,
    names: ["chain", ""],
    nextExpiry: 1_700_000_009_000,
  });
  assert.deepEqual(readRenewed({ at: 5, alive: null, taken_over: null, names: null, next_expiry: null }), {
    at: 5,
    alive: false,
    takenOver: 0,
    names: [],
  });
});
