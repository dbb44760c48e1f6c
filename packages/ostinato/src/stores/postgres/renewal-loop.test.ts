import assert from "node:assert/strict";
import { test } from "node:test";
import { handClock, rest } from "../../../test/hand-clock.ts";
import { mainLoopSigns } from "./main-loop-signs.ts";
import { startRenewalLoop } from "./renewal-loop.ts";
import type { Renewed } from "./renewal-loop.ts";

const LEASE_MS = 3_000;
const GOOD: Omit<Renewed, "at"> = { alive: true, takenOver: 0, names: [] };

/** A loop over a database that answers what the story says; the main loop turns while the story lets it. */
function renewing(...answers: (Partial<Renewed> | Error)[]) {
  const clock = handClock(0);
  const seen: string[] = [];
  const world = { turns: 0, turning: true };
  const turn = (): void => {
    if (world.turning) world.turns++;
    clock.setTimer(1_000, turn);
  };
  turn();
  const loop = startRenewalLoop({
    clock,
    owner: 7,
    leaseMs: LEASE_MS,
    maxBlockedMs: 60_000,
    turns: () => world.turns,
    async renew(owner) {
      seen.push(`${clock.now()} renew ${owner}`);
      const answer = answers.shift() ?? {};
      if (answer instanceof Error) throw answer;
      return { at: clock.now(), ...GOOD, ...answer };
    },
    tell(news) {
      if (news.kind === "renewed") seen.push(news.renewed.alive ? "good" : "gone");
      else if (news.kind === "failed") seen.push(`failed: ${news.message}`);
      else seen.push(`${clock.now()} ${news.kind}`);
    },
  });
  return { clock, seen, loop, world };
}

test("a lease is renewed at once, and whenever a third of it has passed; sooner after a failure; never after the end", async () => {
  const { clock, seen, loop } = renewing({}, new Error("no answer"));
  await clock.advance(2_000);
  assert.deepEqual(seen, ["0 renew 7", "good", "1000 renew 7", "failed: no answer", "1300 renew 7", "good"]);
  loop.stop();
  await clock.advance(60_000);
  assert.equal(seen.length, 6);
});

test("L2 an owner that is gone is asked for again until there is another one, which is renewed at once", async () => {
  const { clock, seen, loop } = renewing({ alive: false }, { alive: false });
  await clock.advance(400);
  assert.deepEqual(seen.splice(0), ["0 renew 7", "gone", "300 renew 7", "gone"]);
  loop.setOwner(8);
  await clock.advance(1_000);
  assert.deepEqual(seen, ["400 renew 8", "good", "1400 renew 8", "good"]);
  loop.stop();
});

test("an owner that is replaced while a renewal is on its way has one renewal at a time all the same", async () => {
  const { clock, seen, loop } = renewing();
  loop.setOwner(8);
  loop.setOwner(9);
  await clock.advance(900);
  seen.length = 0;
  await clock.advance(3_000);
  assert.deepEqual(
    seen.filter((each) => each.includes("renew")),
    ["1000 renew 9", "2000 renew 9", "3000 renew 9"],
  );
  loop.stop();
});

test("L3 when somebody else's lease ends sooner than a third of one's own, it is looked at just after that end", async () => {
  const { clock, seen, loop } = renewing({ nextExpiry: 2_500 }, { nextExpiry: 1_200 }, { nextExpiry: 900 });
  await clock.advance(2_000);
  assert.deepEqual(
    seen.filter((each) => each.includes("renew")),
    ["0 renew 7", "1000 renew 7", "1250 renew 7", "1300 renew 7"],
  );
  loop.stop();
});

test("G4 a main loop that stands still for longer than it may is told once, and its lease is no longer renewed until it turns again", async () => {
  const { clock, seen, loop, world } = renewing();
  await clock.advance(10_000);
  world.turning = false;
  seen.length = 0;
  await clock.advance(59_000);
  assert.ok(seen.length > 0 && !seen.some((each) => each.includes("blocked")), "not yet");
  await clock.advance(120_000);
  const at = seen.findIndex((each) => each.includes("blocked"));
  assert.ok(Number.parseInt(seen[at]!, 10) <= 10_000 + 60_000 + 10_000, seen[at]);
  assert.equal(seen.length, at + 1, "nothing is renewed, and nothing said again");
  world.turning = true;
  await clock.advance(2_000);
  assert.match(seen[at + 1]!, /turning/);
  assert.match(seen[at + 2]!, /renew 7/);
  loop.stop();
});

test("G4 a process that was frozen as a whole, and goes on, is not taken for one whose main loop stands still", async () => {
  const { clock, seen, loop, world } = renewing();
  await clock.advance(9_999);
  world.turning = false;
  await clock.advance(2);
  // An hour passes in which neither of the two does anything: timers come late, once.
  const { turns } = world;
  clock.jump(3_600_000);
  await clock.advance(1);
  world.turning = true;
  await clock.advance(10_000);
  assert.ok(world.turns > turns);
  assert.ok(!seen.some((each) => each.includes("blocked")), seen.join(", "));
  loop.stop();
});

test("what was handed out last is read on the other side, however long it is", async () => {
  const here = mainLoopSigns();
  const there = mainLoopSigns(here.memory);
  assert.deepEqual([there.turns(), there.lastEntered()], [0, ""]);
  here.turned();
  here.entered("order-17");
  assert.deepEqual([there.turns(), there.lastEntered()], [1, "order-17"]);
  here.entered("漢".repeat(256));
  assert.equal(there.lastEntered(), "漢".repeat(256));
  here.entered("😀".repeat(400));
  assert.equal(there.lastEntered(), "😀".repeat(200));
  await rest();
});
