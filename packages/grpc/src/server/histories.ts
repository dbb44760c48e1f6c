// histories: a history in chunks.
//
// Always:  HI1 no chunk has more than 256 KiB, but where one event has more.
//          HI2 a worker is sent the past that its item was sent with, whatever has been written since.

import type { EntityCaller, HistoryEvent } from "ostinato/contract";
import { writeReply } from "../codec/messages.ts";
import type { Peer } from "../codec/peer.ts";
import { decodeHistoryRequest, encodeHistoryChunk } from "../codec/requests.ts";
import type { StreamWriter } from "../transport/transport.ts";
import { WireError } from "../transport/wire-error.ts";
import { mayReadHistory } from "./access.ts";
import type { CallContext, StreamAnswer } from "./call-context.ts";

const CHUNK_BYTES = 262_144;
const CHUNK_EVENTS = 200;

/** The history of an instance, or the past of a turn that is out. */
export const streamInstanceHistory: StreamAnswer<"StreamInstanceHistory"> = async (request, context, writer) => {
  const { hub, caller, peer, call, world } = context;
  const { instanceId, executionId, forWorkItem } = decodeHistoryRequest(request);
  world.counts.add("historiesRead");
  if (forWorkItem) {
    const past = hub.out.turnOf(instanceId, executionId, caller.name)?.past;
    if (past === undefined) throw new WireError("NOT_FOUND", `No turn of the instance '${instanceId}' is out with this worker.`);
    return send(past, ownerOf(instanceId, executionId), peer, writer, call.signal);
  }
  if (!mayReadHistory(caller)) throw new WireError("PERMISSION_DENIED", "The token does not allow to read histories.");
  const owner = ownerOf(instanceId, await knownExecution(instanceId, executionId, context));
  for await (const page of hub.backend.history(instanceId)) {
    await send(page, owner, peer, writer, call.signal);
    if (call.signal.aborted) return;
  }
};

const ownerOf = (instanceId: string, executionId = ""): EntityCaller => ({ instanceId, executionId });

/** The execution whose history there is. @throws WireError NOT_FOUND where another one is asked for, or the instance is not there. */
async function knownExecution(instanceId: string, executionId: string | undefined, { hub }: CallContext): Promise<string> {
  const found = await hub.backend.get(instanceId);
  if (found === undefined) throw new WireError("NOT_FOUND", `There is no instance '${instanceId}'.`);
  if (executionId !== undefined && executionId !== "" && executionId !== found.record.executionId)
    throw new WireError("NOT_FOUND", `The instance '${instanceId}' is no longer in that execution; its history is that of another one.`);
  return found.record.executionId;
}

async function send(
  events: readonly HistoryEvent[],
  owner: EntityCaller,
  peer: Peer,
  writer: StreamWriter,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < events.length; at += CHUNK_EVENTS) {
    for (const bytes of chunksOf(events.slice(at, at + CHUNK_EVENTS), owner, peer)) {
      if (!writer.write(bytes)) await Promise.race([writer.drained(), aborted(signal)]);
      if (signal.aborted) return;
    }
  }
}

function chunksOf(events: readonly HistoryEvent[], owner: EntityCaller, peer: Peer): readonly Uint8Array[] {
  const bytes = writeReply("StreamInstanceHistory", encodeHistoryChunk(events, peer, owner));
  if (bytes.length <= CHUNK_BYTES || events.length === 1) return [bytes];
  const middle = Math.ceil(events.length / 2);
  return [...chunksOf(events.slice(0, middle), owner, peer), ...chunksOf(events.slice(middle), owner, peer)];
}

/** Resolves when nobody waits any more. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
