// notices: what a process tells the others after its commits.
//
// Owns:    the text of a notice, both ways; when one is sent.
// Is told: names that became ready, instances that ended, that there is room here.
// Always:  S5 a notice is a hint: one that is lost, cut or late delays, and breaks nothing (G6).
//          NO1 it is a statement of its own, never a part of a commit: whoever notifies holds a lock that all others wait for.
//          NO2 at once when the last one was long ago, else one for all that gathered; never two on their way.
//          NO3 never longer than PostgreSQL takes; what does not fit is told as "and more".

import { createHash } from "node:crypto";
import type { InstanceId } from "../../contract/ids.ts";
import { given } from "../../contract/recorded-as.ts";
import type { ClaimRequest, RoomLeft, WantedNames } from "../../engine/store.ts";
import type { Clock } from "../../platform/clock.ts";

/** What is to be told. */
export interface News {
  /** Names that something is ready under: "" what needs only the engine, `@name` an entity's, `#name` an activity's, `>owner` news for who holds it. */
  readonly ready?: Iterable<string>;
  readonly ended?: Iterable<InstanceId>;
}

/** What somebody else has told. */
export interface Notice {
  readonly ready: readonly string[];
  readonly ended: readonly InstanceId[];
  /** More ended than are listed. */
  readonly more: boolean;
  /** It has looked for instances, and found fewer than it has room for. */
  readonly room?: RoomLeft;
}

/** What the telling side is given. */
export interface NoticesOptions {
  readonly clock: Clock;
  readonly hub: number;
  /** Who this process is, now. */
  readonly owner: () => number;
  /** One statement of its own. */
  readonly send: (payload: string) => Promise<void>;
}

/** The telling side. */
export interface Notices {
  tell(news: News): void;
  /** What the last claim has left of the room here. It is told once, and again while others are at work. */
  room(left: RoomLeft | undefined): void;
  /** What somebody else told. */
  heard(notice: Notice): void;
  counters(): { readonly sent: number; readonly failed: number };
  /** Sends what has gathered, and nothing any more. */
  close(): Promise<void>;
}

/** PostgreSQL refuses 8,000 bytes and more. */
const MOST_BYTES = 7_900;
const MOST_ENDED = 200;
/** Names leave room for ids. */
const MOST_NAME_BYTES = 4_000;
const MOST_ROOM_BYTES = 2_000;
/** So long after one notice the next one gathers. */
const GATHER_MS = 20;
/** That there is room is told so often at most: whoever hears it lets go of what it holds. */
const ROOM_MS = 1_000;
/** In place of names that do not fit: whoever looks for any work looks. */
export const ANYTHING = "*";

/** The channel on which the processes of a schema hear each other. */
export function channelOf(schema: string): string {
  return `ostinato_${createHash("sha256").update(schema).digest("hex").slice(0, 24)}`;
}

/** Gathers what is to be told, and sends it. */
export function createNotices({ clock, hub, owner, send }: NoticesOptions): Notices {
  let ready = new Set<string>();
  let ended = new Set<InstanceId>();
  let more = false;
  /** What is left of the room here; whether it is to be told. */
  let left: RoomLeft | undefined;
  let tellsRoom = false;
  /** Somebody else was at work since room was told here: before that nobody has anything to let go. */
  let othersWork = true;
  let sentAt = Number.NEGATIVE_INFINITY;
  let roomAt = Number.NEGATIVE_INFINITY;
  /** A notice is on its way, or will be. */
  let coming: Promise<void> | undefined;
  let closed = false;
  let wakeUp = (): void => undefined;
  const count = { sent: 0, failed: 0 };

  const isEmpty = (): boolean => ready.size === 0 && ended.size === 0 && !more && !tellsRoom;

  const sendAll = async (): Promise<void> => {
    // What one operation tells in several words is one notice.
    await Promise.resolve();
    while (!isEmpty()) {
      const waitMs = sentAt + GATHER_MS - clock.monotonic();
      if (waitMs > 0 && !closed) {
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(waitMs, resolve);
          wakeUp = () => (timer.cancel(), resolve());
        });
      }
      const payload = writeNotice(hub, owner(), { ready, ended, more, ...(tellsRoom && left !== undefined ? { room: left } : {}) });
      ready = new Set();
      ended = new Set();
      more = false;
      tellsRoom = false;
      sentAt = clock.monotonic();
      try {
        await send(payload);
        count.sent++;
      } catch {
        count.failed++;
      }
    }
    // In the same moment in which nothing was left: what is told after it begins anew.
    coming = undefined;
  };

  const tellRoom = (): void => {
    if (closed || left === undefined || !othersWork || clock.monotonic() - roomAt < ROOM_MS) return;
    tellsRoom = true;
    othersWork = false;
    roomAt = clock.monotonic();
    coming ??= sendAll();
  };

  return {
    tell(news) {
      if (closed) return;
      for (const name of news.ready ?? []) ready.add(name);
      for (const id of news.ended ?? []) {
        if (ended.size < MOST_ENDED) ended.add(id);
        else more ||= !ended.has(id);
      }
      if (!isEmpty()) coming ??= sendAll();
    },
    room(now) {
      left = now;
      tellRoom();
    },
    heard({ ready: names, ended: ids, more: others }) {
      // That somebody has room is no work: two who are idle have nothing to tell each other.
      if (names.length === 0 && ids.length === 0 && !others) return;
      othersWork = true;
      tellRoom();
    },
    counters: () => ({ ...count }),
    async close() {
      closed = true;
      wakeUp();
      await coming;
    },
  };
}

/** The text of a notice: what fits of it. */
export function writeNotice(
  hub: number,
  owner: number,
  news: { readonly ready: Iterable<string>; readonly ended: Iterable<InstanceId>; readonly more: boolean; readonly room?: RoomLeft },
): string {
  let bytes = 60;
  const fits = (text: string, most: number): boolean => {
    const size = Buffer.byteLength(JSON.stringify(text)) + 1;
    if (bytes + size > most) return false;
    bytes += size;
    return true;
  };
  const names = [...news.ready];
  const r = names.every((name) => fits(name, MOST_NAME_BYTES)) ? names : [ANYTHING];
  const w = news.room === undefined ? undefined : written(news.room);
  const tellsRoom = w !== undefined && fits(JSON.stringify(w), bytes + MOST_ROOM_BYTES);
  const e: InstanceId[] = [];
  let { more } = news;
  for (const id of news.ended) {
    if (fits(id, MOST_BYTES)) e.push(id);
    else more = true;
  }
  return JSON.stringify({
    h: hub,
    o: owner,
    ...(r.length > 0 ? { r } : {}),
    ...(e.length > 0 ? { e } : {}),
    ...(more ? { m: true } : {}),
    ...(tellsRoom ? { w } : {}),
  });
}

type WrittenNames = readonly string[] | { readonly not: readonly string[] };
type WrittenRoom = readonly [instances: number, orchestrators: WrittenNames, entityCount: number, entities: WrittenNames];

function written({ instances, orchestrators, entityCount, entities }: RoomLeft): WrittenRoom {
  const names = (some: WantedNames): WrittenNames => ("anyBut" in some ? { not: some.anyBut } : some);
  return [instances, names(orchestrators), entityCount, names(entities)];
}

function roomOf(value: unknown): RoomLeft | undefined {
  if (!Array.isArray(value)) return undefined;
  const [instances, orchestrators, entityCount, entities] = value as readonly unknown[];
  if (typeof instances !== "number" || typeof entityCount !== "number") return undefined;
  return { instances, orchestrators: namesOf(orchestrators), entityCount, entities: namesOf(entities) };
}

function namesOf(value: unknown): WantedNames {
  const not: unknown = typeof value === "object" && value !== null && "not" in value ? value.not : undefined;
  return not === undefined ? textsOf(value) : { anyBut: textsOf(not) };
}

/** What a text says to a process; `undefined` when it is for another hub, its own, or none of ours. What a later version says besides is left out. */
export function readNotice(payload: string, me: { readonly hub: number; readonly owner: number }): Notice | undefined {
  let said: { readonly [field: string]: unknown };
  try {
    const read: unknown = JSON.parse(payload);
    if (typeof read !== "object" || read === null) return undefined;
    said = read as typeof said;
  } catch {
    return undefined;
  }
  if (said["h"] !== me.hub || said["o"] === me.owner) return undefined;
  return { ready: textsOf(said["r"]), ended: textsOf(said["e"]), more: said["m"] === true, ...given({ room: roomOf(said["w"]) }) };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/**
 * Whether something that became ready is for a process that asked for this last; without a request, anything is.
 *
 * Names are any text: a name that looks like a sign is taken for both, which costs a look at most.
 */
export function isWanted(ready: readonly string[], want: ClaimRequest | undefined, owner: number): boolean {
  if (ready.length === 0) return false;
  if (want === undefined) return true;
  return ready.some((name) => {
    if (name === ANYTHING || name === `>${owner}`) return true;
    if (want.instances > 0 && (name === "" || has(want.orchestrators, name))) return true;
    if (want.entityCount > 0 && name.startsWith("@") && has(want.entities, name)) return true;
    return want.activityCount > 0 && name.startsWith("#") && has(want.activities, name.slice(1));
  });
}

function has(names: WantedNames, name: string): boolean {
  if ("anyBut" in names) return !names.anyBut.includes(name);
  return names.includes(name);
}
