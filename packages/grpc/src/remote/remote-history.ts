// remote-history: the events of an instance, as the server streams them.

import type { HistoryEvent } from "ostinato/contract";
import type { Peer } from "../codec/peer.ts";
import { decodeHistoryChunk, encodeHistoryRequest } from "../codec/requests.ts";
import type { WireError } from "../transport/wire-error.ts";
import type { Link } from "./link.ts";

/** Whose history. */
export interface HistoryQuestion {
  readonly instanceId: string;
  readonly executionId?: string;
  /** The past of a turn that is out with this worker, as it was when the turn was handed out. */
  readonly forWorkItem?: boolean;
}

/**
 * The history, in the chunks in which it comes.
 *
 * @throws WireError
 */
export async function* historyChunks(link: Link, question: HistoryQuestion): AsyncGenerator<readonly HistoryEvent[], void, undefined> {
  const peer: Peer = await link.peer();
  const { instanceId, executionId, forWorkItem } = question;
  const chunks: (readonly HistoryEvent[])[] = [];
  let over: { readonly error?: WireError } | undefined;
  let wake: () => void = () => undefined;
  const request = encodeHistoryRequest(instanceId, {
    ...(executionId === undefined ? {} : { executionId }),
    ...(forWorkItem === undefined ? {} : { forWorkItem }),
  });
  const stream = await link.stream("StreamInstanceHistory", request, {
    message(chunk) {
      chunks.push(decodeHistoryChunk(chunk, peer));
      wake();
    },
    unreadable(error) {
      over ??= { error };
      wake();
    },
    ended(error) {
      over ??= error === undefined ? {} : { error };
      wake();
    },
  });
  try {
    for (;;) {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk;
      if (over?.error !== undefined) throw over.error;
      if (over !== undefined) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    if (over === undefined) stream.cancel();
  }
}
