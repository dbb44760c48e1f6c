// pings: whether the other side is still there.

import type { Http2Session } from "node:http2";
import type { Timers } from "./timers.ts";

/** Sends a ping; `silent` is called when it is not answered in time. Returns what stops the waiting. */
export function pingOnce(session: Http2Session, timeoutMs: number, timers: Timers, silent: () => void): () => void {
  if (session.destroyed || session.connecting) return () => undefined;
  const timer = timers.setTimer(timeoutMs, silent);
  try {
    session.ping(() => timer.cancel());
  } catch {
    // The session closed just now; it tells so itself.
    timer.cancel();
  }
  return () => timer.cancel();
}
