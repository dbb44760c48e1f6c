// renewer-thread: renews a process's leases on a thread that user code cannot hold up, over a connection of its own.

import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { systemClock } from "../../platform/clock.ts";
import { lineOf } from "../../platform/logger.ts";
import { mainLoopSigns } from "./main-loop-signs.ts";
import { openOwnConnection } from "./own-connection.ts";
import type { OwnConnection } from "./own-connection.ts";
import { startRenewalLoop } from "./renewal-loop.ts";
import { readRenewed } from "./renewer.ts";
import type { FromRenewer, RenewerThreadOptions, ToRenewer } from "./renewer.ts";

const port = parentPort;
if (port === null) throw new Error("This file is the body of a worker thread.");
const options = workerData as RenewerThreadOptions;
const signs = mainLoopSigns(options.signs);
const tell = (news: FromRenewer): void => port.postMessage(news);
/** An answer that comes later than this is none: there is time left to ask again. */
const answerMs = Math.max(1_000, Math.floor(options.leaseMs / 6));
let connection: Promise<OwnConnection> | undefined;

const loop = startRenewalLoop({
  clock: systemClock,
  owner: options.owner,
  leaseMs: options.leaseMs,
  maxBlockedMs: options.maxBlockedMs,
  turns: signs.turns,
  async renew(owner, leaseMs) {
    const current = (connection ??= open());
    try {
      return readRenewed((await (await current).query(options.statement, [owner, leaseMs, options.hub]))[0]);
    } catch (error) {
      // Whatever it was, the next try begins with another connection.
      letGo(current);
      throw error;
    }
  },
  tell(news) {
    if (news.kind === "blocked") sayThatItStandsStill(news.blockedMs);
    tell(news.kind === "blocked" ? { ...news, entered: signs.lastEntered() } : news);
  },
});

function open(): Promise<OwnConnection> {
  const opening = openOwnConnection(options.connectionString, options.label, answerMs);
  opening.then(
    (opened) => opened.onLost(() => letGo(opening)),
    () => undefined,
  );
  return opening;
}

function letGo(old: Promise<OwnConnection>): void {
  if (connection === old) connection = undefined;
  old.then(
    (opened) => opened.close(),
    () => undefined,
  );
}

/** The main loop, which has the log, does not turn: the line goes to standard error from here. */
function sayThatItStandsStill(blockedMs: number): void {
  const entered = signs.lastEntered();
  const message = `the main loop of this process has not turned for ${Math.round(blockedMs / 1_000)} s, so its leases are not renewed any longer: what it holds is given up`;
  try {
    writeSync(
      2,
      `${lineOf({ level: "error", message, fields: { pid: process.pid, ...(entered === "" ? {} : { lastHandedOut: entered }) } })}\n`,
    );
  } catch {
    // Standard error is closed.
  }
}

port.on("message", (order: ToRenewer) => {
  if (order.kind === "owner") return loop.setOwner(order.owner);
  loop.stop();
  if (connection !== undefined) letGo(connection);
  tell({ kind: "closed" });
  port.close();
});
