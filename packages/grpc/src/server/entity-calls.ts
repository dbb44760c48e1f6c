// entity-calls: what clients ask of entities.
//
// Always:  EC1 a state goes to those who may read payloads, and to nobody else.

import {
  decodeCleanEntityStorage,
  decodeEntityQuery,
  decodeGetEntity,
  decodeSignalEntity,
  encodeCleanEntityStorageReply,
  encodeEntityQueryReply,
  encodeGetEntityReply,
} from "../codec/entity-requests.ts";
import { replyWith } from "../codec/messages.ts";
import { entityShownTo } from "./access.ts";
import type { Answer } from "./call-context.ts";
import { pagesOf } from "./pages.ts";
import { signalOnce } from "./told-once.ts";

/** A signal. It is accepted whether anybody serves the entity or not. */
export const signalEntity: Answer<"SignalEntity"> = async (message, { hub, peer }) => {
  await signalOnce(
    hub.backend,
    decodeSignalEntity(message, peer, () => hub.random.id()),
  );
  return replyWith("SignalEntity");
};

/** What is known of one entity. */
export const getEntity: Answer<"GetEntity"> = async (message, { hub, caller, peer }) => {
  const { entityId, includeState } = decodeGetEntity(message);
  const found = await hub.backend.getEntity(entityId, includeState);
  return encodeGetEntityReply(found && entityShownTo(caller, found), peer);
};

/** A page of entities. */
export const queryEntities: Answer<"QueryEntities"> = async (message, { hub, caller, peer }) => {
  const { filter, page } = decodeEntityQuery(message, peer);
  const found = await pagesOf((size) => hub.backend.queryEntities(filter, size), page, filter.includeState);
  return encodeEntityQueryReply({ ...found, items: found.items.map((each) => entityShownTo(caller, each)) }, peer);
};

/** Takes away what is not needed, all in one call. */
export const cleanEntityStorage: Answer<"CleanEntityStorage"> = async (message, { hub }) =>
  encodeCleanEntityStorageReply(await hub.backend.cleanEntityStorage(decodeCleanEntityStorage(message)));
