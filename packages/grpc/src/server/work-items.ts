// work-items: the call by which a worker takes work.
//
// Owns:    what is known of the worker from its request, and the end of its stream.
// Always:  WI1 the call ends when the caller has gone, or well when the server closes; either way its stream looks after what is out.

import { LINE_METADATA } from "../codec/peer.ts";
import { decodeInterest } from "../codec/workers.ts";
import type { RequestOf } from "../codec/messages.ts";
import type { Metadata } from "../transport/transport.ts";
import { WireError } from "../transport/wire-error.ts";
import { aborted } from "./histories.ts";
import type { CallContext, StreamAnswer } from "./call-context.ts";
import { createKeptPasts } from "./kept-pasts.ts";
import { openWorkStream } from "./work-stream.ts";

/** What a worker is handed at once that names no limit. */
const MOST_AT_ONCE = 1_000;
/** How long the past of an idle instance is kept for a worker that keeps nothing itself. */
const IDLE_MS = 60_000;
/** The capability of a worker of ours that keeps its programs: the number in the protocol's enumeration. */
const KEEPS_PROGRAMS = 1500;
/** What one of ours takes at once. */
const OUR_MESSAGE_BYTES = 16 * 1_048_576;

/** Hands out work until the worker, or the server, has had enough. */
export const getWorkItems: StreamAnswer<"GetWorkItems"> = async (request, context, writer) => {
  const { hub, caller, peer, call, world } = context;
  const { interest, streamsHistory, activityVersions } = decodeInterest(request, peer, { maxConcurrent: MOST_AT_ONCE });
  const keepsPrograms = peer === "ours" && request.capabilities.some((each) => Number(each) === KEEPS_PROGRAMS);
  const stream = await openWorkStream({
    hub,
    caller: caller.name,
    ...lineOf(call.metadata),
    peer,
    interest: keepsPrograms ? interest : { ...interest, warmBytes: world.pasts.bytes, warmIdleMs: IDLE_MS },
    keepsPrograms,
    streamsHistory,
    activityVersions: new Map(Object.entries(activityVersions ?? {})),
    itemBytes: itemBytesOf(call.metadata, context),
    reconnectGraceMs: world.reconnectGraceMs,
    pasts: createKeptPasts(world.pasts),
    writer,
    counts: world.counts,
  });
  hub.log.debug("a worker is connected", { hub: hub.name, peer: call.peer, ...facts(request) });
  await Promise.race([aborted(call.signal), stream.retired]);
  if (!call.signal.aborted) return;
  void stream.retire(world.reconnectGraceMs).catch((error: unknown) => hub.log.error("a stream's work could not be given back", { error }));
  throw new WireError("CANCELLED", "The worker has gone.");
};

/** Node's client of gRPC takes messages of any length as the family's SDK opens it; the others take 4 MiB unless told otherwise. */
function itemBytesOf(metadata: Metadata, { peer, world }: CallContext): number {
  if (peer === "ours") return Math.max(OUR_MESSAGE_BYTES, world.itemBytes);
  return (metadata["user-agent"] ?? "").includes("grpc-node") ? Number.POSITIVE_INFINITY : world.itemBytes;
}

/** Worker lines of ours have a name, so that a worker can say that it wants nothing more and still hear what was on its way. */
function lineOf(metadata: Metadata): { readonly line?: string } {
  const line = metadata[LINE_METADATA];
  return line === undefined ? {} : { line };
}

function facts({ workItemFilters, capabilities }: RequestOf<"GetWorkItems">): Readonly<Record<string, unknown>> {
  return { isFiltered: workItemFilters !== undefined, capabilities: capabilities.map(Number) };
}
