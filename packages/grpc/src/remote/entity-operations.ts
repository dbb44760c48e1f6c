// entity-operations: what a client may ask of the entities of a remote task hub.
//
// Always:  RE1 a signal is sent again only to a server that knows it by its id: another one would do it twice (RC1 of client-operations.ts).
//          RE2 a server of the family may leave entities in its answers that were not asked for, or clean a part at a time: here it is as asked.

import { given } from "ostinato/contract";
import type { ClientOperations, EntityFilter, EntitySnapshot } from "ostinato/contract";
import {
  decodeCleanEntityStorageReply,
  decodeEntityQueryReply,
  decodeGetEntityReply,
  encodeCleanEntityStorage,
  encodeEntityQuery,
  encodeGetEntity,
  encodeSignalEntity,
} from "../codec/entity-requests.ts";
import type { Link, LinkParts } from "./link.ts";

type EntityOperations = Pick<ClientOperations, "signalEntity" | "getEntity" | "queryEntities" | "cleanEntityStorage">;

/** A server of the family that never comes to an end is left alone. */
const MOST_CLEANINGS = 10_000;

/** The part of a client's half of a remote backend that is about entities. */
export function entityOperations(link: Link, { clock }: Pick<LinkParts, "clock">): EntityOperations {
  return {
    async signalEntity(request) {
      await link.ask({
        method: "SignalEntity",
        feature: "Signalling an entity",
        request: () => encodeSignalEntity(request, clock.now()),
        harmless: (peer) => peer === "ours",
      });
    },

    async getEntity(id, includeState) {
      const { reply, peer } = await link.ask({
        method: "GetEntity",
        feature: "Looking at an entity",
        request: () => encodeGetEntity(id, includeState),
        harmless: true,
      });
      return decodeGetEntityReply(reply, peer, includeState);
    },

    async queryEntities(filter, page) {
      let { cursor } = page;
      for (;;) {
        const { reply, peer } = await link.ask({
          method: "QueryEntities",
          feature: "Querying entities",
          request: () => encodeEntityQuery(filter, { ...page, ...given({ cursor }) }),
          harmless: true,
        });
        const answer = decodeEntityQueryReply(reply, peer, filter.includeState);
        if (peer === "ours") return answer;
        const items = answer.items.filter((each) => matches(filter, each));
        // Some say that a list is over by the same place once more.
        const next = answer.next === cursor ? undefined : answer.next;
        if (next === undefined || items.length > 0) return { items, ...given({ next }) };
        cursor = next;
      }
    },

    async cleanEntityStorage(request) {
      let emptyEntitiesRemoved = 0;
      let orphanedLocksReleased = 0;
      let token: string | undefined;
      for (let calls = 0; calls < MOST_CLEANINGS; calls++) {
        const { reply } = await link.ask({
          method: "CleanEntityStorage",
          feature: "Cleaning up entities",
          request: () => encodeCleanEntityStorage(request, token),
          harmless: true,
        });
        const { next, ...cleaned } = decodeCleanEntityStorageReply(reply);
        emptyEntitiesRemoved += cleaned.emptyEntitiesRemoved;
        orphanedLocksReleased += cleaned.orphanedLocksReleased;
        if (next === undefined || next === token) break;
        token = next;
      }
      return { emptyEntitiesRemoved, orphanedLocksReleased };
    },
  };
}

/** Whether an entity is one of those that are asked for. */
function matches(
  { idPrefix = "", lastModifiedFrom, lastModifiedTo, includeState, includeTransient }: EntityFilter,
  entity: EntitySnapshot,
): boolean {
  if (!entity.entityId.startsWith(idPrefix)) return false;
  if (lastModifiedFrom !== undefined && entity.lastModifiedAt < lastModifiedFrom) return false;
  if (lastModifiedTo !== undefined && entity.lastModifiedAt >= lastModifiedTo) return false;
  return includeTransient || !includeState || entity.hasState;
}
