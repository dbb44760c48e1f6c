// waits: for an instance to start or to end, however long that takes.
//
// Always:  WT1 a wait is made of calls with deadlines, one after the other: it outlives a server that is restarted, and a connection that is dead
//             without saying so.
//          WT2 it ends with the instance, with its signal, or with the hub; a server that is away only makes it longer.

import { jittered, sleep, type StoredInstance } from "ostinato/contract";
import { decodeGetReply } from "../codec/instances.ts";
import { encodeGet } from "../codec/requests.ts";
import { WireError } from "../transport/wire-error.ts";
import type { Link, LinkParts } from "./link.ts";

/** What is waited for, and its call. */
const GOALS = {
  start: { method: "WaitForInstanceStart", feature: "Waiting for an instance to start" },
  completion: { method: "WaitForInstanceCompletion", feature: "Waiting for an instance to end" },
} as const;

/** One call of a wait takes no longer; the next one follows at once. */
const SLICE_MS = 45_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/** What ends a slice without ending the wait: the slice is over, or nobody is there to answer. */
const GOES_ON: ReadonlySet<string> = new Set(["DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED", "ABORTED"]);

/**
 * Resolves when the instance has started, or has ended; `undefined` when it is unknown, is purged meanwhile, or the signal aborts.
 *
 * @throws HubClosedError when the line is closed; else what the server refuses it with.
 */
export async function waitFor(
  link: Link,
  { clock, random, log }: Pick<LinkParts, "clock" | "random" | "log">,
  goal: keyof typeof GOALS,
  instanceId: string,
  signal: AbortSignal | undefined,
): Promise<StoredInstance | undefined> {
  const { method, feature } = GOALS[goal];
  const request = encodeGet(instanceId, { payloads: true });
  const options = { timeoutMs: SLICE_MS, ...(signal === undefined ? {} : { signal }) };
  let failures = 0;
  for (;;) {
    if (signal?.aborted) return undefined;
    try {
      const peer = await link.peer();
      if (peer === "family") {
        // Others let those who wait for an unknown id, or for one that was purged meanwhile, wait to the end.
        const now = decodeGetReply(await link.unary("GetInstance", request, options), peer);
        if (now === undefined) return undefined;
      }
      return decodeGetReply(await link.unary(method, request, options), peer);
    } catch (error) {
      if (signal?.aborted && !link.closed.aborted) return undefined;
      if (!(error instanceof WireError) || !GOES_ON.has(error.status) || link.closed.aborted) throw link.errorOf(error, feature);
      if (error.status === "DEADLINE_EXCEEDED") {
        failures = 0;
        continue;
      }
      if (failures++ === 0)
        log.warn(`a wait for '${instanceId}' lost the server ${link.where}, and goes on: ${error.message}`, { instanceId });
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures, 10), LONGEST_PAUSE_MS);
    const ended = signal === undefined ? link.closed : AbortSignal.any([signal, link.closed]);
    await sleep(clock, jittered(random, pauseMs), { signal: ended }).catch(() => undefined);
  }
}
