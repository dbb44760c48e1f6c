// drain: how a worker stops, in three stages.
//
// Always:  D1 nothing new is taken from the first moment on.
//          D2 what runs may finish within the grace; what has not is given back, for others to run again.
//          D3 it ends after the grace whatever user code does.

import { sleep, type Clock } from "../platform/clock.ts";

/** What is drained. */
export interface Drainable {
  stopTaking(): void;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
  /** Gives back all that runs. */
  abandon(): void;
  close(): Promise<void>;
}

/** Stops taking, lets finish, then abandons. */
export async function drain(worker: Drainable, graceMs: number, clock: Clock): Promise<void> {
  worker.stopTaking();
  if (graceMs > 0) {
    const enough = new AbortController();
    const patience = sleep(clock, graceMs, { signal: enough.signal }).catch(() => undefined);
    await Promise.race([worker.idle(), patience]);
    enough.abort();
  }
  worker.abandon();
  await worker.close();
}
