// item-messages: a work item as the bytes that its worker gets.
//
// Owns:    whether the past comes along or is to be fetched; how long a message may be.
// Always:  IM1 only a worker that can fetch its past is told to; it is when the past is long, or does not fit.

import type { ActivityWorkItem, EntityWorkItem, HistoryEvent, OrchestrationWorkItem } from "ostinato/contract";
import { writeReply } from "../codec/messages.ts";
import type { Peer } from "../codec/peer.ts";
import { encodeEntityItem } from "../codec/entity-batches.ts";
import { encodeActivityItem, encodeOrchestrationItem, type WirePast } from "../codec/work-items.ts";
import type { TraceContexts } from "./trace-contexts.ts";
import { weightOf } from "./weight.ts";

/** Who reads the messages. */
export interface ItemReader {
  readonly peer: Peer;
  /** The worker can read a long past by a call of its own. */
  readonly streamsHistory: boolean;
  /** The longest message that the worker takes. */
  readonly itemBytes: number;
}

/** A past that weighs more (about 1 MiB on the wire) is read by a call of its own, where the worker can do that. */
const STREAMED_PAST_WEIGHT = 2 * 1_048_576;

/** A turn's message. Without events the worker has them. */
export function turnMessage(
  item: OrchestrationWorkItem,
  events: readonly HistoryEvent[] | undefined,
  token: string,
  { peer, streamsHistory, itemBytes }: ItemReader,
  traces: TraceContexts,
): Uint8Array {
  const write = (past: WirePast): Uint8Array =>
    writeReply("GetWorkItems", encodeOrchestrationItem(item, past, token, peer, traces.of(item)));
  if (events === undefined) return write(item.past);
  if (!streamsHistory) return write({ events });
  if (weightOf(events) > STREAMED_PAST_WEIGHT) return write("streamed");
  const inline = write({ events });
  return inline.length > itemBytes ? write("streamed") : inline;
}

/** An activity's message. */
export function activityMessage(item: ActivityWorkItem, token: string, { peer }: ItemReader): Uint8Array {
  return writeReply("GetWorkItems", encodeActivityItem(item, token, peer));
}

/** A batch's message. */
export function entityMessage(item: EntityWorkItem, token: string, { peer }: ItemReader): Uint8Array {
  return writeReply("GetWorkItems", encodeEntityItem(item, token, peer));
}

/** Why an item is not sent, and what helps. */
export function tooLarge(what: string, bytes: number, { itemBytes }: ItemReader): string {
  return (
    `${what} makes a message of ${bytes} bytes, and its worker is believed to take ${itemBytes}. ` +
    "If it takes more, raise itemBytes of the server; then suspend and resume the instance to try again."
  );
}
