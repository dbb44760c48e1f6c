// connection-thread: the connection in a thread of its own. All groups that wait go into one transaction.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
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

port.on("message", (first: ToThread) => {
  const groups: Wire[] = [];
  let closing = false;
  for (
    let message: ToThread | undefined = first;
    message !== undefined;
    message = (receiveMessageOnPort(port) as { message: ToThread } | undefined)?.message
  ) {
    if ("kind" in message) closing = true;
    else groups.push(unpack(message));
  }
  if (groups.length > 0 && connection !== undefined) tell(connection.execute(groups).map(pack));
  if (closing) {
    connection?.close();
    tell({ kind: "closed" });
    port.close();
  }
});
