import assert from "node:assert/strict";
import { test } from "node:test";
import { handClock, rest } from "../../../test/hand-clock.ts";
import type { ClaimRequest } from "../../engine/store.ts";
import { channelOf, createNotices, isWanted, readNotice, writeNotice } from "./notices.ts";

const OTHER = { hub: 1, owner: 99 };

/** The telling side, with a line that the story can hold or cut. */
function telling() {
  const clock = handClock(0);
  const world = {
    clock,
    sent: [] as { at: number; payload: string }[],
    onItsWay: 0,
    most: 0,
    held: undefined as Promise<void> | undefined,
    cut: false,
  };
  const notices = createNotices({
    clock,
    hub: 1,
    owner: () => 7,
    async send(payload) {
      world.sent.push({ at: clock.now(), payload });
      world.most = Math.max(world.most, ++world.onItsWay);
      await world.held;
      world.onItsWay--;
      if (world.cut) throw new Error("the connection was cut");
    },
  });
  return { world, notices, read: () => world.sent.map(({ at, payload }) => ({ at, ...readNotice(payload, OTHER) })) };
}

test("NO2 the first notice goes at once, what comes within 20 ms goes together, and what comes later at once again", async () => {
  const { notices, world, read } = telling();
  notices.tell({ ready: ["chain"], ended: ["a"] });
  await rest();
  for (let at = 1; at < 10; at++) notices.tell({ ready: ["chain", "#hello"], ended: [`b${at}`, "b1"] });
  await world.clock.advance(100);
  notices.tell({ ready: [""] });
  await rest();
  assert.deepEqual(read(), [
    { at: 0, ready: ["chain"], ended: ["a"], more: false },
    { at: 20, ready: ["chain", "#hello"], ended: Array.from({ length: 9 }, (_, at) => `b${at + 1}`), more: false },
    { at: 100, ready: [""], ended: [], more: false },
  ]);
});

test("NO2 a slow statement is waited for: never two on their way, and one for all that gathered", async () => {
  const { notices, world, read } = telling();
  let go = (): void => undefined;
  world.held = new Promise((resolve) => (go = resolve));
  for (let at = 0; at < 50; at++) {
    notices.tell({ ready: [`o${at}`] });
    await world.clock.advance(10);
  }
  go();
  await world.clock.advance(100);
  assert.deepEqual([world.most, read().length, read()[1]?.ready?.length], [1, 2, 49]);
});

test("S5 a notice that could not be sent is dropped and counted, and the next one goes", async () => {
  const { notices, world } = telling();
  world.cut = true;
  notices.tell({ ended: ["a"] });
  await world.clock.advance(100);
  world.cut = false;
  notices.tell({ ended: ["b"] });
  await world.clock.advance(100);
  assert.deepEqual(notices.counters(), { sent: 1, failed: 1 });
  assert.deepEqual(readNotice(world.sent[1]!.payload, OTHER)?.ended, ["b"]);
});

test("what gathers is sent when the store closes, and nothing after that; nothing to tell is not told", async () => {
  const { notices, world } = telling();
  notices.tell({});
  notices.tell({ ready: [], ended: [] });
  notices.room(undefined);
  await rest();
  assert.equal(world.sent.length, 0);
  notices.tell({ ended: ["a"] });
  notices.tell({ ended: ["b"] });
  await notices.close();
  notices.tell({ ended: ["c"] });
  await world.clock.advance(1_000);
  assert.deepEqual(
    world.sent.map(({ payload }) => readNotice(payload, OTHER)?.ended),
    [["a", "b"]],
  );
});

test("that there is room here is told once, and again while others are at work, once a second at most; two who are idle tell each other nothing", async () => {
  const { notices, world, read } = telling();
  const room = { instances: 3, orchestrators: ["chain"], entityCount: 1, entities: { anyBut: ["@full"] } };
  for (let at = 0; at < 25; at++) {
    notices.room(room);
    notices.heard({ ready: [], ended: [], more: false, room });
    await world.clock.advance(100);
  }
  assert.deepEqual(
    read().map(({ at, room: told }) => [at, told]),
    [[0, room]],
  );
  for (let at = 0; at < 25; at++) {
    notices.heard({ ready: [], ended: ["a"], more: false });
    await world.clock.advance(100);
  }
  assert.deepEqual(
    read().map(({ at }) => at),
    [0, 2_500, 3_500, 4_500],
  );
  notices.room(undefined);
  notices.heard({ ready: ["chain"], ended: [], more: false });
  await world.clock.advance(5_000);
  assert.equal(world.sent.length, 4, "there is none left");
});

test("NO3 200 ids at most are told, less where they are long, and that there were more; names that do not fit are told as any", async () => {
  const { notices, world } = telling();
  notices.tell({ ended: Array.from({ length: 201 }, (_, at) => `i${at}`) });
  await world.clock.advance(100);
  const first = readNotice(world.sent[0]!.payload, OTHER);
  assert.deepEqual([first?.ended.length, first?.more], [200, true]);

  // The longest ids there can be, of characters that take the most room.
  const long = Array.from({ length: 200 }, (_, at) => String(at) + '"'.repeat(100) + "漢".repeat(150));
  const names = Array.from({ length: 60 }, (_, at) => `#${at}${"😀".repeat(120)}`);
  for (const ready of [[], names.slice(0, 3), names]) {
    const room = { instances: 9, orchestrators: ready, entityCount: 9, entities: [] };
    const payload = writeNotice(2 ** 31 - 1, Number.MAX_SAFE_INTEGER, { ready, ended: long, more: false, room });
    assert.ok(Buffer.byteLength(payload) < 8_000, `${Buffer.byteLength(payload)} bytes`);
    const notice = readNotice(payload, { hub: 2 ** 31 - 1, owner: 1 });
    assert.ok(notice !== undefined && notice.more && notice.ended.length > 0);
    assert.deepEqual(notice.room, ready.length === 60 ? undefined : room, "room for more names than fit is not told");
    assert.deepEqual(notice.ready, ready.length === 60 ? ["*"] : ready);
    assert.deepEqual(notice.ended, long.slice(0, notice.ended.length));
  }
});

test("a notice of one's own, of another hub, and what is none says nothing; what a later version adds is left out", () => {
  const me = { hub: 1, owner: 7 };
  for (const text of ["", "x", "null", "3", "[]", '{"h":2,"o":8}', '{"h":1,"o":7,"r":["a"]}', '{"o":8}'])
    assert.equal(readNotice(text, me), undefined, text);
  assert.deepEqual(readNotice('{"h":1,"o":8,"r":["a",3],"e":"x","m":1,"z":{"new":true}}', me), {
    ready: ["a"],
    ended: [],
    more: false,
  });
  for (const room of ["true", "[]", '["x",[],1,[]]']) assert.equal(readNotice(`{"h":1,"o":8,"w":${room}}`, me)?.room, undefined);
});

test("what became ready wakes those who take it, and nobody else", () => {
  const want: ClaimRequest = {
    instances: 1,
    orchestrators: ["chain", "#odd"],
    entityCount: 1,
    entities: { anyBut: ["@full"] },
    activityCount: 1,
    activities: ["hello"],
  };
  const none = { ...want, instances: 0, entityCount: 0, activityCount: 0 };
  for (const name of ["chain", "", "#odd", "@counter", "#hello", ">7", "*"]) assert.ok(isWanted(["other", name], want, 7), name);
  for (const name of ["other", "hello", "#other", "@full", ">8", "#chain"]) assert.ok(!isWanted([name], want, 7), name);
  assert.ok(isWanted(["other"], undefined, 7));
  assert.ok(!isWanted([], undefined, 7));
  assert.ok(!isWanted(["chain", "", "@counter", "#hello"], none, 7));
  assert.ok(isWanted([">7"], none, 7));
});

test("the channel of a schema is an identifier whatever the schema is called", () => {
  for (const schema of ["ostinato", "x".repeat(63), 'a"b; drop']) assert.match(channelOf(schema), /^ostinato_[0-9a-f]{24}$/);
  assert.notEqual(channelOf("a"), channelOf("b"));
});
