import assert from "node:assert/strict";
import { test } from "node:test";
import { handClock, rest } from "../../../test/hand-clock.ts";
import { seededRandom } from "../../platform/random.ts";
import { lookNowAndThen, startListener } from "./listener.ts";
import type { ListenerOptions } from "./listener.ts";
import type { OwnConnection } from "./own-connection.ts";

const CHANNEL = "ostinato_x";

/** A server that can be down, silent, or behind a pooler that takes what is listened to apart. */
function server(options: Partial<ListenerOptions> = {}) {
  const clock = handClock(0);
  const told: string[] = [];
  const statements: string[] = [];
  const at = (word: string): void => void told.push(`${clock.now()} ${word}`);
  const world = {
    clock,
    told,
    statements,
    isDown: false,
    isSilent: false,
    isPooler: false,
    cannotNotify: false,
    refusal: undefined as Error | undefined,
    connections: 0,
    opened: 0,
    notified: 0,
  };
  let lines: { readonly channels: Set<string>; readonly tell: (channel: string, payload: string) => void; readonly lose: () => void }[] =
    [];
  const connect = async (): Promise<OwnConnection> => {
    world.opened++;
    if (world.isDown) throw new Error("connect ECONNREFUSED");
    world.connections++;
    const channels = new Set<string>();
    let onNotice = (_channel: string, _payload: string): void => undefined;
    let onLost = (_error: Error): void => undefined;
    let isOpen = true;
    const end = (): void => {
      if (isOpen) world.connections--;
      isOpen = false;
      lines = lines.filter((each) => each !== line);
    };
    const line = {
      channels,
      tell: (channel: string, payload: string) => onNotice(channel, payload),
      lose: () => {
        end();
        onLost(new Error("gone"));
      },
    };
    lines.push(line);
    return {
      async query(text) {
        statements.push(text);
        if (world.refusal !== undefined) throw world.refusal;
        if (world.isSilent) return new Promise<never>(() => undefined);
        for (const [, channel] of text.matchAll(/listen "([^"]+)"/g)) channels.add(channel ?? "");
        return [];
      },
      onNotice: (run) => void (onNotice = run),
      onLost: (run) => void (onLost = run),
      close: end,
    };
  };
  const notify = async (channel: string, payload: string): Promise<void> => {
    world.notified++;
    if (world.isDown || world.cannotNotify) throw new Error("no connection");
    if (!world.isPooler && !world.isSilent) for (const line of lines) if (line.channels.has(channel)) line.tell(channel, payload);
  };
  const listener = startListener({
    clock,
    random: seededRandom(3),
    channel: CHANNEL,
    connect,
    notify,
    log: { info: () => at("log: hears"), warn: (message) => at(`log: ${message.includes("pooler") ? "pooler" : "lost"}`) },
    onNotice: (payload) => at(payload),
    onLook: (what) => at(`look: ${what}`),
    onUp: () => at("up"),
    onDown: () => at("down"),
    ...options,
  });
  return { world, clock, told, statements, listener, notify, loseAll: () => lines.slice().forEach((line) => line.lose()) };
}

const words = (told: readonly string[]): string[] => told.map((each) => each.replace(/^\d+ /, ""));

test("S5 a listener that is up has looked at everything before, hears every notice, and looks for nothing by itself", async () => {
  const { clock, told, listener, notify } = server();
  await rest();
  assert.deepEqual([words(told), listener.hears], [["look: all", "up"], true]);
  await notify(CHANNEL, "a");
  await notify("another channel", "b");
  await clock.advance(50_000);
  assert.deepEqual(words(told).slice(2), ["a"]);
  listener.close();
});

test("LI3 idle, the line is asked once a minute whether it is there, and not at all while notices come", async () => {
  const { clock, statements, listener, notify } = server();
  await clock.advance(605_000);
  assert.equal(statements.filter((each) => each === "select 1").length, 10);
  for (let at = 0; at < 60; at++) {
    await notify(CHANNEL, "x");
    await clock.advance(10_000);
  }
  assert.ok(statements.filter((each) => each === "select 1").length <= 11);
  listener.close();
});

test("G6 S5 a connection that is cut is made anew, with everything looked at, and meanwhile it looks by itself", async () => {
  const { world, clock, told, listener, loseAll } = server();
  await rest();
  told.length = 0;
  world.isDown = true;
  loseAll();
  await clock.advance(20_000);
  assert.equal(listener.hears, false);
  assert.deepEqual(
    words(told).filter((word) => !word.startsWith("look")),
    ["down", "log: lost"],
    "it is said once",
  );
  assert.ok(words(told).filter((word) => word === "look: work").length >= 5);
  world.isDown = false;
  told.length = 0;
  await clock.advance(2_000);
  assert.deepEqual(
    words(told).filter((word) => word !== "look: work"),
    ["look: all", "log: hears", "up"],
  );
  told.length = 0;
  await clock.advance(50_000);
  assert.deepEqual([told, world.connections], [[], 1]);
  listener.close();
  assert.equal(world.connections, 0);
});

test("LI2 while the server is away, tries become rarer and are spread by chance; it is found within two seconds of its return", async () => {
  const { world, clock, listener, loseAll } = server();
  await rest();
  world.isDown = true;
  loseAll();
  const { opened } = world;
  await clock.advance(60_000);
  const tries = world.opened - opened;
  assert.ok(tries >= 30 && tries <= 70, `${tries} tries in a minute`);
  listener.close();
  await clock.advance(60_000);
  assert.equal(world.opened - opened, tries, "closed is closed");
});

test("a line on which the server is silent is found out by asking, and given up", async () => {
  const { world, clock, told, listener } = server();
  await rest();
  world.isSilent = true;
  await clock.advance(66_000);
  assert.ok(words(told).includes("down"));
  world.isSilent = false;
  await clock.advance(10_000);
  assert.deepEqual([listener.hears, world.connections], [true, 1]);
  listener.close();
});

test("LI1 behind a pooler it says once that it looks now and then, and tries no more", async () => {
  const { world, clock, told, listener } = server();
  world.isPooler = true;
  await clock.advance(600_000);
  assert.deepEqual([words(told).filter((word) => word.startsWith("log")), listener.hears], [["log: pooler"], false]);
  assert.deepEqual([world.opened, world.connections], [2, 0]);
  const looks = told.filter((each) => each.includes("look: work")).map((each) => Number.parseInt(each, 10));
  const late = looks.filter((at) => at > 120_000);
  assert.ok(
    late.slice(1).every((at, i) => at - late[i]! >= 11_000),
    "idle it looks less than once in eleven seconds",
  );
  assert.ok(late.length >= 20);

  told.length = 0;
  listener.looked(true);
  await clock.advance(250);
  assert.deepEqual(words(told), ["look: work"], "where something was found, it looks soon again");
  listener.close();
});

test("LI1 a pooler that refuses to listen is believed at once", async () => {
  const { world, clock, told } = server();
  world.refusal = Object.assign(new Error("LISTEN is not supported"), { code: "0A000" });
  await clock.advance(60_000);
  assert.deepEqual([words(told).filter((word) => word.startsWith("log")), world.opened, world.connections], [["log: pooler"], 1, 0]);
});

test("LI1 that a notice to oneself could not be sent proves nothing: it is sent again", async () => {
  const { world, clock, told, listener } = server();
  world.cannotNotify = true;
  await clock.advance(30_000);
  assert.deepEqual([listener.hears, words(told).filter((word) => word.startsWith("log"))], [false, []]);
  world.cannotNotify = false;
  await clock.advance(2_000);
  assert.equal(listener.hears, true);
  listener.close();
});

test("LI1 a connection that is lost takes its proof with it: one notice to oneself is tried at a time", async () => {
  const { world, clock, listener, loseAll } = server();
  world.cannotNotify = true;
  for (let at = 0; at < 20; at++) {
    await clock.advance(3_000);
    loseAll();
  }
  await clock.advance(3_000);
  const before = world.notified;
  await clock.advance(60_000);
  assert.ok(world.notified - before <= 31, `${world.notified - before} tries in a minute`);
  listener.close();
});

test("a listener that is closed before it is connected lets go of what it gets", async () => {
  const { world, listener, clock, told } = server();
  listener.close();
  await clock.advance(60_000);
  assert.deepEqual([world.connections, words(told)], [0, []]);
});

test("whoever does not listen looks: soon at first and when something was found, rarely in the end", async () => {
  const clock = handClock(0);
  const looks: number[] = [];
  const listener = lookNowAndThen({ clock, random: seededRandom(1), onLook: () => void looks.push(clock.now()) });
  await clock.advance(300_000);
  assert.ok(looks[0]! <= 200 && looks.length < 35);
  const { length } = looks;
  listener.looked(true);
  await clock.advance(700);
  assert.ok(looks.length >= length + 2);
  await clock.advance(300_000);
  const late = looks.length;
  for (let at = 0; at < 30; at++) {
    listener.looked(false);
    await clock.advance(10_000);
  }
  assert.equal(looks.length, late, "where others look, it need not");
  listener.close();
  const end = looks.length;
  await clock.advance(60_000);
  assert.deepEqual([looks.length, listener.hears], [end, false]);
});
