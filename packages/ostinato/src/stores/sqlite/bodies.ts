// bodies: the two ways to reach the connection: in this thread, or in one of its own.
//
// Owns:    when a group that has been gathered is sent.
// Is told: groups. Tells: replies, in the order of the groups.
// Always:  nobody waits for a timer. Inline, what was asked for in one turn of the event loop goes together. To the thread, groups are sent as
//          they are gathered, and the thread takes all that wait into one transaction: it never idles while there is work.

import { Worker } from "node:worker_threads";
import { FileLockedError, InvalidArgumentError, StoreFormatError, StoreUnavailableError } from "../../contract/errors.ts";
import { openConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { pack, unpack } from "./wire.ts";
import type { Parcel, Wire } from "./wire.ts";

/** Which body carries out groups. */
export type BodyKind = "inline" | "thread";

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

/** What crosses to the main thread. */
export type FromThread =
  | { readonly kind: "ready" }
  | { readonly kind: "closed" }
  | { readonly kind: "refused"; readonly error: string; readonly message: string }
  | readonly Parcel[];
/** What crosses to the connection's thread. */
export type ToThread = { readonly kind: "close" } | Parcel;

const REFUSALS: Readonly<Record<string, new (message: string) => Error>> = { FileLockedError, InvalidArgumentError, StoreFormatError };

/** The connection in a thread of its own: a slow disk does not hold the event loop. */
export async function openThread(options: ConnectionOptions, listener: BodyListener): Promise<Body> {
  const source = import.meta.url.endsWith(".ts");
  const worker = new Worker(
    source ? new URL("./connection-thread.ts", import.meta.url) : new URL("./connection-thread.js", import.meta.url),
    {
      workerData: options,
      // Flags that say how the user's own program is to be read (--input-type, ...) are not meant for this file.
      execArgv: [],
      name: "ostinato-sqlite",
    },
  );
  let out = 0;
  let closed: (() => void) | undefined;
  let lost: Error | undefined;
  const opened = Promise.withResolvers<void>();
  worker.on("message", (message: FromThread) => {
    if ("kind" in message) {
      if (message.kind === "ready") opened.resolve();
      else if (message.kind === "closed") closed?.();
      else opened.reject(new (REFUSALS[message.error] ?? StoreUnavailableError)(message.message));
      return;
    }
    out -= message.length;
    if (out === 0) worker.unref();
    for (const reply of message) listener.onReply(unpack(reply));
  });
  const onEnd = (why: string, cause?: unknown): void => {
    if (closed !== undefined) return closed();
    lost = new StoreUnavailableError(`The thread of the SQLite connection has ended: ${why}. Close the hub and open it again.`, { cause });
    opened.reject(lost);
    listener.onLost(lost);
  };
  worker.on("error", (error) => onEnd(error instanceof Error ? error.message : String(error), error));
  worker.on("exit", (code) => onEnd(`exit code ${code}`));
  try {
    await opened.promise;
  } catch (error) {
    closed = () => undefined;
    await worker.terminate();
    throw error;
  }
  worker.unref();
  return {
    gather: (flush) => queueMicrotask(() => process.nextTick(flush)),
    enough: 128,
    send(group) {
      if (lost !== undefined) return listener.onLost(lost);
      if (out++ === 0) worker.ref();
      const parcel = pack(group);
      worker.postMessage(parcel satisfies ToThread, [parcel.numbers.buffer]);
    },
    close: () =>
      new Promise<void>((resolve) => {
        if (lost !== undefined) return resolve();
        closed = resolve;
        worker.ref();
        worker.postMessage({ kind: "close" } satisfies ToThread);
      }),
  };
}
