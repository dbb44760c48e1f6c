// filters: which instances a query or a purge is about, as the protocol writes it.
//
// Owns:    the parts of a filter that the protocol has; page tokens.
// Always:  L1 between ours a filter comes out as it went in. L2 a part that the family cannot be told is named, never left out in silence.
//          L3 a token that a server gives begins with a letter: to some clients "0" is the end.

import { InvalidArgumentError } from "ostinato";
import { INSTANCE_STATUSES, type InstanceFilter, type InstanceStatus, type Page } from "ostinato/contract";

import { OrchestrationStatus } from "../generated/task_hub_sidecar_pb.js";
import { byName, fields, flag, listOf, text, whole, word, type Shape } from "./own-json.ts";
import { encodeStatus } from "./statuses.ts";

const PARTS: { readonly [P in keyof InstanceFilter]-?: Shape } = {
  kind: word(["orchestration", "entity"]),
  name: text,
  status: listOf(word(INSTANCE_STATUSES)),
  idPrefix: text,
  createdFrom: whole,
  createdTo: whole,
  completedFrom: whole,
  completedTo: whole,
  parent: text,
  stalled: flag,
  tags: byName(text),
  updatedFrom: whole,
  updatedTo: whole,
  hasState: flag,
  locked: flag,
};

/** Whether a value is a filter. */
export const isFilter: Shape = fields({}, PARTS);

/** What the protocol has of a filter: for queries and, a little less, for purges. */
const SAID: { readonly [C in "query" | "purge"]: readonly (keyof InstanceFilter)[] } = {
  query: ["status", "idPrefix", "createdFrom", "createdTo"],
  purge: ["status", "createdFrom", "createdTo"],
};

/**
 * The parts of a filter that cannot be said to a server of the family.
 *
 * @example notForFamily({ name: "greet", status: ["FAILED"] }) // ["name"]
 */
export function notForFamily(filter: InstanceFilter, call: keyof typeof SAID = "query"): readonly (keyof InstanceFilter)[] {
  return (Object.keys(PARTS) as (keyof InstanceFilter)[]).filter(
    (part) => filter[part] !== undefined && !SAID[call].includes(part) && !(part === "kind" && filter.kind === "orchestration"),
  );
}

/** The statuses of a filter. A list without any, which nothing matches, is said by a status that nothing has: an empty one would be no filter. */
export function encodeStatuses(statuses: readonly InstanceStatus[] | undefined): OrchestrationStatus[] {
  if (statuses === undefined) return [];
  return statuses.length === 0 ? [OrchestrationStatus.CONTINUED_AS_NEW] : statuses.map(encodeStatus);
}

const TOKEN_MARK = "p";

/** The token that a server gives for the next page. */
export function tokenOf(next: string | undefined): string | undefined {
  return next === undefined ? undefined : `${TOKEN_MARK}${next}`;
}

/** @throws InvalidArgumentError for a text that is no token of ours. */
export function cursorOf(token: string | undefined): string | undefined {
  if (isNoToken(token)) return undefined;
  if (!token.startsWith(TOKEN_MARK))
    throw new InvalidArgumentError(`${JSON.stringify(token)} is no page token of this server: pass what the page before gave.`);
  return token.slice(TOKEN_MARK.length);
}

/** The cursor by which a client asks for the next page: the server's token, as it is. */
export function nextOf(token: string | undefined): Pick<Page<never>, "next"> {
  return isNoToken(token) ? {} : { next: token };
}

function isNoToken(token: string | undefined): token is undefined | "" | "0" {
  return token === undefined || token === "" || token === "0";
}
