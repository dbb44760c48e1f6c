// connection-thread: the connection in a thread of its own. All groups that wait go into one transaction.

import { MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { openConnection } from "./connection.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import type { FromThread, Order, ToThread } from "./line-to-thread.ts";
import { pack, unpack } from "./wire.ts";
import type { Wire } from "./wire.ts";

const port = parentPort;
if (port === null) throw new Error("This file is the body of a worker thread.");

/** Deno's port cannot be looked into: what is next comes as an event. */
const looks = port instanceof MessagePort;

const tell = (message: FromThread): void => port.postMessage(message);
let connection: Connection | undefined;
try {
  connection = openConnection(workerData as ConnectionOptions);
  tell({ kind: "ready" });
} catch (error) {
  const { name, message } = error as Error;
  tell({ kind: "refused", error: name, message });
}

/**
 * How long the thread looks for more before it sleeps. To be woken costs more than the write itself on many machines, and one instance at a
 * time sends its next group a moment after it has its answer. Bounded, and only after work: an idle thread sleeps.
 */
const LOOK_AGAIN_MS = 0.2;

function next(): ToThread | undefined {
  return looks ? (receiveMessageOnPort(port) as { message: ToThread } | undefined)?.message : undefined;
}

/** A message that is there, or comes in a moment. */
function soon(): ToThread | undefined {
  const until = performance.now() + LOOK_AGAIN_MS;
  do {
    const message = next();
    if (message !== undefined) return message;
  } while (performance.now() < until);
  return undefined;
}

/** Carries out what waits, the groups in one transaction, up to the first order. Tells whether it may look for more. */
function carryOut(first: ToThread): boolean {
  const groups: Wire[] = [];
  let columns = 0;
  let order: Order | undefined;
  for (let message: ToThread | undefined = first; message !== undefined && order === undefined; message = order ? undefined : next()) {
    if ("kind" in message) order = message;
    else {
      groups.push(unpack(message));
      columns += message.numbers.length;
    }
  }
  if (groups.length > 0 && connection !== undefined) {
    const parcels = connection.execute(groups).map(pack);
    tell({ kind: "replies", parcels, columns, commitMs: connection.commitMs });
  }
  return order === undefined || obey(order);
}

function obey(order: Order): boolean {
  switch (order.kind) {
    case "take-over":
      connection?.takeOver(unpack(order.state));
      return true;
    case "hand-over": {
      const state = connection?.handOver();
      tell(state === undefined ? { kind: "handed-over" } : { kind: "handed-over", state: pack(state) });
      return false;
    }
    case "checkpoint":
      connection?.checkpoint();
      tell({ kind: "checkpointed" });
      return false;
    case "close":
      // Whoever closes last carries the log over: better here than where the event loop would wait for it.
      if ((workerData as ConnectionOptions).standby === true) connection?.checkpoint();
      connection?.close();
      tell({ kind: "closed" });
      // Deno's threads have no such door: theirs are ended from the other side.
      (port as Partial<MessagePort> | null)?.close?.();
      return false;
  }
}

port.on("message", (first: ToThread) => {
  for (let message: ToThread | undefined = first; message !== undefined && carryOut(message); message = soon());
});
