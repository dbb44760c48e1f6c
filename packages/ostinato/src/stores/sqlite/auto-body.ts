// auto-body: the connection in this thread while that is the shorter way, and in a thread of its own while it is not.
//
// Owns:    which of two connections to the file works: the one here, or the one of the thread.
// Is told: groups, how long COMMITs take, how much a transaction carries.
// Always:  one of the two works, and has what both need to know; the other stands by. It changes hands between two groups, when no answer is out.
//          A slow disk holds the event loop once. Then it is the thread that waits for it, longer each time it turns out to be slow again.
//
// The way to the thread and back costs more than a write to a fast disk, so one instance at a time is served twice as fast from here. Many
// at a time share the way, and the thread has a processor to itself.

import type { Body, BodyListener } from "./bodies.ts";
import { openConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { openLine } from "./line-to-thread.ts";
import type { LineToThread, Note, Replies } from "./line-to-thread.ts";
import { isShort, pack, unpack, writes } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** A group of so many columns (some 40 commits) holds the event loop for a millisecond or more: the thread carries it out. */
const MANY_COLUMNS = 2_500;
/** It comes back when transactions carry less than this on average. */
const FEW_COLUMNS = 1_200;
const COLUMNS_WEIGHT = 0.2;
/** COMMITs that take longer than this, on average, must not hold the event loop; when they take half of it they may. */
const SLOW_COMMIT_MS = 2;
/** A single one that takes so many times as long is one too many. */
const MUCH_SLOWER = 5;
/** How long the thread keeps it: after much work; after a slow disk, doubled each time it happens again within a minute. */
const BUSY_STAY_MS = 50;
const SLOW_STAY_MS = 1_000;
const LONGEST_STAY_MS = 60_000;

/** The connection, wherever it is better off. */
export async function openAuto(options: ConnectionOptions, listener: BodyListener): Promise<Body> {
  // The log is carried over by the thread, beside the writing here. What it leaves is little, and done here.
  const connection = openConnection({ ...options, walPages: 0 });
  const slowMs = options.slowCommitMs ?? SLOW_COMMIT_MS;
  let place: "here" | "there" | "coming back" = "here";
  let line: LineToThread | undefined = openLine({ ...options, standby: true }, { onReply, onTransaction, onNote, onLost });
  let isOpen = false;
  let lost: Error | undefined;
  const opening = line.opened.then(
    () => void (isOpen = true),
    () => void (line = undefined), // Without a thread it goes on here.
  );
  if (options.restless === true) await opening;
  /** Answers that are out. */
  let out = 0;
  /** What was asked for while it comes back. */
  let waiting: Wire[] = [];
  /** What a transaction of the thread carries, on average. */
  let columns = 0;
  let stayUntil = 0;
  let slowStayMs = SLOW_STAY_MS;
  let slowAt = Number.NEGATIVE_INFINITY;
  /** About how many frames the log has got since it was carried over last. */
  let frames = 0;
  let isBack = Promise.withResolvers<void>();

  function send(group: Wire): void {
    if (lost !== undefined) listener.onLost(lost);
    else if (place === "coming back") waiting.push(group);
    else if (place === "there" || (isTooMuch(group) && moveThere())) sendThere(group);
    else carryOutHere([group]);
  }

  function isTooMuch(group: Wire): boolean {
    return options.restless === true || group.length > MANY_COLUMNS || isSlow() || !isShort(group);
  }

  function isSlow(): boolean {
    return connection.commitMs > slowMs || connection.lastCommitMs > slowMs * MUCH_SLOWER;
  }

  function sendThere(group: Wire): void {
    out++;
    line?.send(group);
  }

  function carryOutHere(groups: readonly Wire[]): void {
    const replies = connection.execute(groups);
    for (const group of groups) if (writes(group)) frames += 4 + group.length / 32;
    if (frames > options.walPages) carryOverLog();
    for (const reply of replies) listener.onReply(reply);
  }

  function carryOverLog(): void {
    frames = 0;
    if (isOpen && line !== undefined) line.tell({ kind: "checkpoint" });
    else connection.checkpoint();
  }

  function moveThere(): boolean {
    if (!isOpen || line === undefined) return false;
    const now = performance.now();
    const wasSlow = isSlow();
    const state = connection.handOver();
    if (state === undefined) return false;
    line.tell({ kind: "take-over", state: pack(state) });
    place = "there";
    columns = MANY_COLUMNS;
    frames = 0;
    if (wasSlow) {
      slowStayMs = now - slowAt > LONGEST_STAY_MS + slowStayMs ? SLOW_STAY_MS : Math.min(slowStayMs * 2, LONGEST_STAY_MS);
      slowAt = now;
    }
    stayUntil = now + (wasSlow ? slowStayMs : BUSY_STAY_MS);
    return true;
  }

  function onReply(reply: Wire): void {
    out--;
    listener.onReply(reply);
  }

  function onTransaction({ columns: carried, commitMs }: Replies): void {
    columns += (carried - columns) * COLUMNS_WEIGHT;
    const mayStay = columns > FEW_COLUMNS || commitMs > slowMs / 2 || performance.now() < stayUntil;
    if (place !== "there" || out > 0 || (mayStay && options.restless !== true)) return;
    place = "coming back";
    isBack = Promise.withResolvers();
    line?.tell({ kind: "hand-over" });
  }

  function onNote(note: Note): void {
    if (note.kind === "checkpointed") {
      if (place === "here") connection.checkpoint();
      return;
    }
    const groups = waiting;
    waiting = [];
    if (note.state === undefined) {
      place = "there";
      stayUntil = performance.now() + SLOW_STAY_MS;
      for (const group of groups) sendThere(group);
    } else {
      connection.takeOver(unpack(note.state));
      place = "here";
      if (groups.length > 0) carryOutHere(groups);
    }
    isBack.resolve();
  }

  /** Where the connection worked there, what it knew has gone with the thread: nothing is answered until the file is opened anew. */
  function onLost(error: Error): void {
    line = undefined;
    isBack.resolve();
    if (place === "here") return;
    lost = error;
    waiting = [];
    listener.onLost(error);
  }

  return {
    gather(flush) {
      if (place === "here" || line === undefined) setImmediate(flush);
      else line.gather(flush);
    },
    get enough() {
      return place === "here" ? Number.POSITIVE_INFINITY : 128;
    },
    send,
    async close() {
      await opening;
      while (place === "coming back" && line !== undefined) await isBack.promise;
      await line?.close();
      connection.close();
    },
  };
}
