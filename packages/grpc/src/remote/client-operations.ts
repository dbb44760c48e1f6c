// client-operations: what a client may ask of a remote task hub.
//
// Owns:    which call each operation is, and which of them may be made again when an answer was lost.
// Is told: requests with ids of the caller's.
// Tells:   the server.
// Always:  RC1 to a server of ours every request carries its own id, so a repetition is the same request (I2). To another one only those are
//             repeated that change nothing the second time.
//          RC2 what a server of the family cannot say is made up for here, or refused by name; it is never left out in silence.

import { InstanceExistsError, InstanceNotFoundError, InvalidStateError } from "ostinato";
import {
  isTerminal,
  type ClientOperations,
  type InstanceFilter,
  type InstanceSnapshot,
  type Page,
  type PageRequest,
  type PurgeManyRequest,
  type PurgeResult,
  type RestartRequest,
  type StartRequest,
  type StoredInstance,
} from "ostinato/contract";
import { decodeGetReply } from "../codec/instances.ts";
import type { Peer } from "../codec/peer.ts";
import {
  decodeListIdsReply,
  decodePurgeReply,
  decodeQueryReply,
  encodeGet,
  encodeListIds,
  encodePurge,
  encodePurgeMany,
  encodeQuery,
  encodeRaiseEvent,
  encodeRestart,
  encodeResume,
  encodeRewind,
  encodeStart,
  encodeSuspend,
  encodeTerminate,
  notForFamily,
} from "../codec/requests.ts";
import { WireError } from "../transport/wire-error.ts";
import type { Link, LinkParts } from "./link.ts";
import { entityOperations } from "./entity-operations.ts";
import { foreignEvents } from "./foreign-turns.ts";
import { matches } from "./query-filter.ts";
import { historyChunks } from "./remote-history.ts";
import { waitFor } from "./waits.ts";

/** So many ids go with one call. */
const PURGE_BATCH = 500;

const toOurs = (peer: Peer): boolean => peer === "ours";

/** The client's half of a remote backend. */
export function clientOperations(link: Link, parts: Pick<LinkParts, "clock" | "random" | "log">): ClientOperations {
  const { clock } = parts;

  const get = async (id: string): Promise<{ readonly found: InstanceSnapshot | undefined; readonly peer: Peer }> => {
    const { reply, peer } = await link.ask({
      method: "GetInstance",
      feature: "Looking at an instance",
      request: () => encodeGet(id, { payloads: true }),
      harmless: true,
    });
    return { found: decodeGetReply(reply, peer), peer };
  };

  const start = async (request: StartRequest): Promise<void> => {
    // Where ended instances may be replaced, a server that does not know our request by its id would replace what it has just started.
    const harmless = (peer: Peer): boolean => peer === "ours" || request.dedupeStatuses === undefined;
    let asked = 0;
    try {
      await link.ask({
        method: "StartInstance",
        feature: "Starting an instance",
        request(peer) {
          asked += 1;
          return encodeStart(request, peer, clock.now());
        },
        harmless,
      });
    } catch (error) {
      // The answer to an earlier try may have been lost on the way.
      if (!(error instanceof InstanceExistsError) || asked < 2) throw error;
      const { found, peer } = await get(request.instanceId);
      if (peer === "ours" || found === undefined || !isStartedBy(found, request)) throw error;
    }
  };

  /** An instance once more under an id of the caller's: the family's restart makes up one of its own, so it is a start of the same. */
  const startAgain = async (request: RestartRequest, newInstanceId: string): Promise<void> => {
    const { found } = await get(request.instanceId);
    if (found === undefined) throw notFound(request.instanceId);
    const { name, version, tags } = found.record;
    const { input } = found.payloads;
    await start({
      instanceId: newInstanceId,
      executionId: request.executionId,
      name,
      ...(version === undefined ? {} : { version }),
      ...(input === undefined ? {} : { input }),
      ...(tags === undefined ? {} : { tags }),
    });
  };

  const peerFor = async (feature: string): Promise<Peer> =>
    (await link.persist({ feature, harmless: true }, (peer) => Promise.resolve(peer))).peer;

  /** Servers of the family take what is for nobody, or for an instance that has ended, and say nothing: whoever asked is told here. */
  const refuseFor = async (feature: string, id: string, refusesEnded: boolean): Promise<void> => {
    if ((await peerFor(feature)) === "ours") return;
    const { found } = await get(id);
    if (found === undefined) throw notFound(id);
    const { status } = found.record;
    if (refusesEnded && isTerminal(status))
      throw new InvalidStateError(`The instance '${id}' is ${status} and cannot be suspended or resumed.`);
  };

  const query = async (filter: InstanceFilter, request: PageRequest): Promise<Page<StoredInstance>> => {
    let { cursor } = request;
    for (;;) {
      const page: PageRequest = { ...request, ...(cursor === undefined ? {} : { cursor }) };
      const { reply, peer } = await link.ask({
        method: "QueryInstances",
        feature: "Querying instances",
        request: (to) => encodeQuery(filter, page, { payloads: true }, to),
        harmless: true,
      });
      const answer = decodeQueryReply(reply, peer);
      if (peer === "ours") return answer;
      const items = answer.items.filter((each) => matches(filter, each));
      // Some say that a list is over by "0", or by the same place once more.
      const next = answer.next === "0" || answer.next === cursor ? undefined : answer.next;
      if (next === undefined) return { items };
      if (items.length > 0) return { items, next };
      cursor = next;
    }
  };

  const endOf = ({ timeoutMs }: { readonly timeoutMs?: number | undefined }): number =>
    timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + timeoutMs;

  /** Removes what a query finds, where the server's own filter cannot say which. */
  const purgeFound = async ({ recursive, timeoutMs }: PurgeManyRequest, filter: InstanceFilter): Promise<PurgeResult> => {
    const endsAt = endOf({ timeoutMs });
    let deletedCount = 0;
    let cursor: string | undefined;
    do {
      if (clock.monotonic() >= endsAt) return { deletedCount, isComplete: false };
      const page = await query(filter, { size: PURGE_BATCH, ...(cursor === undefined ? {} : { cursor }) });
      const ids = page.items.filter(({ record }) => isTerminal(record.status)).map(({ record }) => record.id);
      if (ids.length > 0) deletedCount += (await purgeBatch({ target: { ids }, recursive })).deletedCount;
      cursor = page.next;
    } while (cursor !== undefined);
    return { deletedCount, isComplete: true };
  };

  const purgeBatch = async (request: PurgeManyRequest): Promise<PurgeResult> => {
    const { reply } = await link.ask({
      method: "PurgeInstances",
      feature: "Purging instances by a filter or a list",
      request: (peer) => encodePurgeMany(request, peer),
      harmless: true,
    });
    return decodePurgeReply(reply);
  };

  return {
    start,
    get: async (id) => (await get(id)).found,
    waitForStart: (id, signal) => waitFor(link, parts, "start", id, signal),
    waitForCompletion: (id, signal) => waitFor(link, parts, "completion", id, signal),

    async raiseEvent(request) {
      await refuseFor("Raising an event", request.instanceId, false);
      await link.ask({
        method: "RaiseEvent",
        feature: "Raising an event",
        request: (peer) => encodeRaiseEvent(request, peer),
        harmless: toOurs,
      });
    },

    async terminate(request) {
      await refuseFor("Terminating an instance", request.instanceId, false);
      await link.ask({
        method: "TerminateInstance",
        feature: "Terminating an instance",
        request: (peer) => encodeTerminate(request, peer),
        harmless: true,
      });
    },

    async suspend(id, reason) {
      await refuseFor("Suspending an instance", id, true);
      await link.ask({
        method: "SuspendInstance",
        feature: "Suspending an instance",
        request: () => encodeSuspend(id, reason),
        harmless: true,
      });
    },

    async resume(id, reason) {
      await refuseFor("Resuming an instance", id, true);
      await link.ask({
        method: "ResumeInstance",
        feature: "Resuming an instance",
        request: () => encodeResume(id, reason),
        harmless: true,
      });
    },

    async restart(request) {
      const feature = "Restarting an instance";
      if (request.newInstanceId !== undefined && (await peerFor(feature)) === "family") return startAgain(request, request.newInstanceId);
      await link.ask({ method: "RestartInstance", feature, request: (peer) => encodeRestart(request, peer), harmless: toOurs });
    },

    async rewind(request) {
      await link.ask({
        method: "RewindInstance",
        feature: "Rewinding an instance",
        request: (peer) => encodeRewind(request, peer),
        harmless: toOurs,
      });
    },

    async purge(request) {
      const feature = "Purging an instance";
      if ((await peerFor(feature)) === "family") {
        // Others answer one that runs with a count of 0, as one that is not there.
        const { found } = await get(request.instanceId);
        if (found === undefined) return 0;
        if (!isTerminal(found.record.status))
          throw new InvalidStateError(
            `The instance '${request.instanceId}' is ${found.record.status}; only one that has ended can be purged. Terminate it first.`,
          );
      }
      const { reply } = await link.ask({
        method: "PurgeInstances",
        feature,
        request: (peer) => encodePurge(request, peer),
        harmless: true,
      });
      return decodePurgeReply(reply).deletedCount;
    },

    async purgeMany(request) {
      if ((await peerFor("Purging instances")) === "ours") return purgeBatch(request);
      const { target } = request;
      if ("filter" in target)
        return notForFamily(target.filter, "purge").length === 0 ? purgeBatch(request) : purgeFound(request, target.filter);
      const endsAt = endOf(request);
      let deletedCount = 0;
      for (let at = 0; at < target.ids.length; at += PURGE_BATCH) {
        if (clock.monotonic() >= endsAt) return { deletedCount, isComplete: false };
        const ids = target.ids.slice(at, at + PURGE_BATCH);
        deletedCount += (await purgeBatch({ ...request, target: { ids } })).deletedCount;
      }
      return { deletedCount, isComplete: true };
    },

    async listIds(request, page) {
      const { reply } = await link.ask({
        method: "ListInstanceIds",
        feature: "Listing the ids of finished instances",
        request: (peer) => encodeListIds(request, page, peer),
        harmless: true,
      });
      return decodeListIdsReply(reply);
    },

    query,
    ...entityOperations(link, parts),

    async *history(id) {
      try {
        const peer = await peerFor("Reading a history");
        for await (const chunk of historyChunks(link, { instanceId: id })) yield peer === "ours" ? chunk : foreignEvents(chunk);
      } catch (error) {
        if (error instanceof WireError && error.status === "NOT_FOUND") return;
        throw link.errorOf(error, "Reading a history");
      }
    },
  };
}

/** Whether an instance of a server that kept nothing of our request may be what it started: the id is the same, so are name and input. */
function isStartedBy({ record, payloads }: StoredInstance, request: StartRequest): boolean {
  if (record.executionId !== "") return record.executionId === request.executionId;
  return record.name === request.name && (payloads.input ?? "") === (request.input ?? "");
}

function notFound(id: string): InstanceNotFoundError {
  return new InstanceNotFoundError(`There is no instance '${id}' in this task hub. It was never started here, or has been purged.`);
}
