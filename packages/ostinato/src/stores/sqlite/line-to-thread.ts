// line-to-thread: the caller's end of the connection's thread.
//
// Owns:    the thread's life: started, ready, ended; and that the process stays for as long as an answer is out, and no longer.
// Is told: groups, and what else the thread shall do. Tells: replies in the order of the groups, the thread's notes, its end.

import { Worker } from "node:worker_threads";
import { FileLockedError, InvalidArgumentError, StoreFormatError, StoreUnavailableError } from "../../contract/errors.ts";
import type { ConnectionOptions } from "./connection.ts";
import { pack, unpack } from "./wire.ts";
import type { Parcel, Wire } from "./wire.ts";

/** What one transaction of the thread answers. */
export interface Replies {
  readonly kind: "replies";
  readonly parcels: readonly Parcel[];
  /** How many columns the groups of this transaction had together. */
  readonly columns: number;
  /** How long a COMMIT takes there, on a moving average. */
  readonly commitMs: number;
}

/** What the thread says beside replies. */
export type Note =
  /** What the connection knew beside the file is here again; without a state it could not be given up. */
  { readonly kind: "handed-over"; readonly state?: Parcel } | { readonly kind: "checkpointed" };

/** What crosses to the main thread. */
export type FromThread =
  | Replies
  | Note
  | { readonly kind: "ready" }
  | { readonly kind: "closed" }
  | { readonly kind: "refused"; readonly error: string; readonly message: string };

/** What the thread is told beside groups. */
export type Order =
  | { readonly kind: "take-over"; readonly state: Parcel }
  | { readonly kind: "hand-over" }
  | { readonly kind: "checkpoint" }
  | { readonly kind: "close" };

/** What crosses to the connection's thread: groups as parcels, and orders. They are carried out in the order in which they come. */
export type ToThread = Parcel | Order;

/** Who is told what the thread says. */
export interface LineListener {
  onReply(reply: Wire): void;
  /** All replies of a transaction have been told. */
  onTransaction(transaction: Replies): void;
  onNote(note: Note): void;
  /** The thread is gone, and with it the answers that are still out. */
  onLost(error: Error): void;
}

/** A line to a thread. */
export interface LineToThread {
  /** Resolves when its connection is open; rejects with the reason for which it is not. */
  readonly opened: Promise<void>;
  send(group: Wire): void;
  /** Arranges for `flush`: at once when the thread has nothing to do, else when this turn of the event loop is over. A post costs as much as many operations. */
  gather(flush: () => void): void;
  tell(order: Exclude<Order, { kind: "close" }>): void;
  close(): Promise<void>;
}

const REFUSALS: Readonly<Record<string, new (message: string) => Error>> = { FileLockedError, InvalidArgumentError, StoreFormatError };

/** Starts the connection's thread. */
export function openLine(options: ConnectionOptions, listener: LineListener): LineToThread {
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
  /** Answers that somebody waits for. */
  let out = 0;
  let closed: (() => void) | undefined;
  let lost: Error | undefined;
  const opened = Promise.withResolvers<void>();
  const answered = (count: number): void => {
    out -= count;
    if (out === 0) worker.unref();
  };
  /** One reply in each turn of the event loop: what those who asked do next can be much, and must not come all at once. */
  const transactions: Replies[] = [];
  let told = 0;
  const tellNext = (): void => {
    const transaction = transactions[0];
    const parcel = transaction?.parcels[told++];
    if (transaction === undefined || parcel === undefined) return;
    const isLast = told === transaction.parcels.length;
    if (isLast) {
      transactions.shift();
      told = 0;
    }
    if (transactions.length > 0) setImmediate(tellNext);
    answered(1);
    listener.onReply(unpack(parcel));
    if (isLast) listener.onTransaction(transaction);
  };
  worker.on("message", (message: FromThread) => {
    switch (message.kind) {
      case "replies":
        transactions.push(message);
        if (transactions.length === 1) tellNext();
        return;
      case "handed-over":
        answered(1);
        return listener.onNote(message);
      case "checkpointed":
        return listener.onNote(message);
      case "ready":
        return opened.resolve();
      case "closed":
        // A thread ends by itself when its port is closed, but not everywhere: Deno's has to be ended.
        void worker.terminate();
        return closed?.();
      case "refused":
        return opened.reject(new (REFUSALS[message.error] ?? StoreUnavailableError)(message.message));
    }
  });
  const onEnd = (why: string, cause?: unknown): void => {
    if (closed !== undefined) return closed();
    lost = new StoreUnavailableError(`The thread of the SQLite connection has ended: ${why}. Close the hub and open it again.`, { cause });
    opened.reject(lost);
    transactions.length = 0;
    listener.onLost(lost);
  };
  worker.on("error", (error) => onEnd(error instanceof Error ? error.message : String(error), error));
  worker.on("exit", (code) => onEnd(`exit code ${code}`));
  const isOpen = opened.promise.catch(async (error: unknown) => {
    closed = () => undefined;
    await worker.terminate();
    throw error;
  });
  isOpen.then(
    () => {
      if (out === 0 && closed === undefined) worker.unref();
    },
    () => undefined,
  );

  function post(message: ToThread, answers: number): void {
    if (out === 0 && answers > 0) worker.ref();
    out += answers;
    if ("kind" in message) worker.postMessage(message);
    else worker.postMessage(message, [message.numbers.buffer]);
  }

  return {
    opened: isOpen,
    send(group) {
      if (lost !== undefined) listener.onLost(lost);
      else post(pack(group), 1);
    },
    gather(flush) {
      if (out > 0) setImmediate(flush);
      else queueMicrotask(() => process.nextTick(flush));
    },
    tell(order) {
      if (lost === undefined) post(order, order.kind === "hand-over" ? 1 : 0);
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
