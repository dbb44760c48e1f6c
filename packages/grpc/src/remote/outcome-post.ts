// outcome-post: an outcome on its way to the server.
//
// Owns:    how often it is sent, and what the server's answer means.
// Always:  OP1 it is sent until the server has taken it, or says that the work is not this worker's any more; an answer that is lost is no answer.
//          OP2 sending it twice is sending it once: a server knows a token that it has seen.

import { jittered, sleep } from "ostinato/contract";
import { STATUS, WireError, type StatusName } from "../transport/wire-error.ts";
import type { Link, LinkParts } from "./link.ts";

/** What became of an outcome. */
export type Posted =
  | { readonly kind: "taken" }
  /** The work is somebody else's by now, or nobody's. */
  | { readonly kind: "unwanted"; readonly error: WireError }
  /** It will never be taken as it is. */
  | { readonly kind: "refused"; readonly error: WireError }
  /** The line was closed before there was an answer. */
  | { readonly kind: "given-up" };

type Meaning = "again" | "unwanted" | "refused";

/** What a refusal means. */
const MEANING: { readonly [S in StatusName]: Meaning } = {
  OK: "refused",
  UNAVAILABLE: "again",
  DEADLINE_EXCEEDED: "again",
  // Of ours, or of something in between: the connection was given up.
  CANCELLED: "again",
  ABORTED: "again",
  // A token is fetched again meanwhile.
  UNAUTHENTICATED: "again",
  NOT_FOUND: "unwanted",
  FAILED_PRECONDITION: "unwanted",
  ALREADY_EXISTS: "unwanted",
  OUT_OF_RANGE: "unwanted",
  PERMISSION_DENIED: "refused",
  INVALID_ARGUMENT: "refused",
  RESOURCE_EXHAUSTED: "refused",
  UNIMPLEMENTED: "refused",
  DATA_LOSS: "refused",
  // Servers that have no better word say this of work that they do not know, and of an accident: tried a few times.
  UNKNOWN: "unwanted",
  INTERNAL: "unwanted",
};
const VAGUE: ReadonlySet<StatusName> = new Set(["UNKNOWN", "INTERNAL"]);
const VAGUE_TRIES = 3;

const DEADLINE_MS = 30_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 15_000;

/** Sends an outcome until it is settled. Never rejects for what the server says. */
export async function post(
  link: Link,
  { clock, random, log, counters }: Pick<LinkParts, "clock" | "random" | "log" | "counters">,
  send: (options: { readonly timeoutMs: number; readonly signal: AbortSignal }) => Promise<unknown>,
  signal: AbortSignal,
): Promise<Posted> {
  for (let tries = 1; ; tries++) {
    try {
      await send({ timeoutMs: DEADLINE_MS, signal });
      return { kind: "taken" };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (signal.aborted || link.closed.aborted) return { kind: "given-up" };
      const meaning = MEANING[error.status];
      const isVague = VAGUE.has(error.status) && tries < VAGUE_TRIES;
      if (meaning !== "again" && !isVague) return { kind: meaning, error };
      if (tries === 1)
        log.info(`an outcome was not answered by ${link.where} and is sent again: ${error.message}`, { status: STATUS[error.status] });
    }
    counters.add("outcomesRepeated");
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10), LONGEST_PAUSE_MS);
    const stopped = AbortSignal.any([signal, link.closed]);
    try {
      await sleep(clock, jittered(random, pauseMs), { signal: stopped });
    } catch {
      return { kind: "given-up" };
    }
  }
}
