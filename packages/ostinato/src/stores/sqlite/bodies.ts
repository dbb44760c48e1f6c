// bodies: the ways to reach the connection: in this thread, or in one of its own. (Whichever is better at the moment: auto-body.)
//
// Owns:    when a group that has been gathered is sent.
// Is told: groups. Tells: replies, in the order of the groups.
// Always:  nobody waits for a timer. Inline, what was asked for in one turn of the event loop goes together. To the thread, groups are sent as
//          they are gathered, and the thread takes all that wait into one transaction: it never idles while there is work.

import { openConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { openLine } from "./line-to-thread.ts";
import type { Wire } from "./wire.ts";

/** Which body carries out groups. */
export type BodyKind = "auto" | "inline" | "thread";

/** What the connection answers to. */
export interface Body {
  /** Called when the first operation of a group is written: arranges for `flush`. */
  gather(flush: () => void): void;
  /** How many operations make a group worth sending before the turn of the event loop is over. */
  readonly enough: number;
  send(group: Wire): void;
  close(): Promise<void>;
}

/** Who is told of replies. */
export interface BodyListener {
  onReply(reply: Wire): void;
  /** The connection is gone, and with it the answers that are still out. */
  onLost(error: Error): void;
}

/** The connection in this thread: simple, and the fastest way to the disk, but the event loop waits with it. */
export async function openInline(options: ConnectionOptions, listener: BodyListener): Promise<Body> {
  const connection = openConnection(options);
  return {
    gather: (flush) => void setImmediate(flush),
    enough: Number.POSITIVE_INFINITY,
    send(group) {
      for (const reply of connection.execute([group])) listener.onReply(reply);
    },
    close: async () => connection.close(),
  };
}

/** The connection in a thread of its own: a slow disk does not hold the event loop. */
export async function openThread(options: ConnectionOptions, listener: BodyListener): Promise<Body> {
  const line = openLine(options, {
    onReply: (reply) => listener.onReply(reply),
    onTransaction: () => undefined,
    onNote: () => undefined,
    onLost: (error) => listener.onLost(error),
  });
  await line.opened;
  return {
    gather: (flush) => line.gather(flush),
    enough: 128,
    send: (group) => line.send(group),
    close: () => line.close(),
  };
}
