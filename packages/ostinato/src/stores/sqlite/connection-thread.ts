// connection-thread: the connection in a thread of its own. All groups that wait go into one transaction.

import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import type { FromThread, ToThread } from "./bodies.ts";
import { openConnection } from "./connection.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { pack, unpack } from "./wire.ts";
import type { Wire } from "./wire.ts";

const port = parentPort;
if (port === null) throw new Error("This file is the body of a worker thread.");

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

/** A message that is there, or comes in a moment. */
function soon(): ToThread | undefined {
  const until = performance.now() + LOOK_AGAIN_MS;
  do {
    const received = receiveMessageOnPort(port as MessagePort) as { message: ToThread } | undefined;
    if (received !== undefined) return received.message;
  } while (performance.now() < until);
  return undefined;
}

/** Carries out what waits, in one transaction. Tells whether the connection goes on. */
function carryOut(first: ToThread): boolean {
  const groups: Wire[] = [];
  let closing = false;
  for (
    let message: ToThread | undefined = first;
    message !== undefined;
    message = (receiveMessageOnPort(port as MessagePort) as { message: ToThread } | undefined)?.message
  ) {
    if ("kind" in message) closing = true;
    else groups.push(unpack(message));
  }
  if (groups.length > 0 && connection !== undefined) tell(connection.execute(groups).map(pack));
  if (!closing) return true;
  connection?.close();
  tell({ kind: "closed" });
  port?.close();
  return false;
}

port.on("message", (first: ToThread) => {
  for (let message: ToThread | undefined = first; message !== undefined && carryOut(message); message = soon());
});
