// list-ids: the ids of finished instances, in the order in which they finished.
//
// Always:  LI1 by the time of completion, then by id: a cursor names a place in that order, so that what comes and goes elsewhere moves nothing.

import type { ListIdsRequest } from "../contract/backend.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import type { InstanceId } from "../contract/ids.ts";
import type { Page, PageRequest } from "../contract/queries.ts";
import { given } from "../contract/recorded-as.ts";
import type { FinishedRequest, Store } from "../engine/store.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1_000;

type Place = NonNullable<FinishedRequest["after"]>;

/** One page. */
export async function listIds(store: Store, request: ListIdsRequest, page: PageRequest): Promise<Page<InstanceId>> {
  const size = Math.max(1, Math.min(page.size ?? DEFAULT_PAGE, LARGEST_PAGE));
  const { instances } = await store.finished({
    // One more than the page has tells whether there is another one.
    size: size + 1,
    ...given({ statuses: request.statuses, from: request.completedFrom, to: request.completedTo, after: placeOf(page.cursor) }),
  });
  const shown = instances.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown.map(({ id }) => id),
    ...given({ next: instances.length > size && last !== undefined ? cursorOf(last) : undefined }),
  };
}

function cursorOf({ completedAt, id }: Place): string {
  return `${completedAt.toString(36)}.${id}`;
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const [, time = "", id = ""] = /^([0-9a-z]{1,11})\.(.+)$/su.exec(cursor) ?? [];
  if (id === "") throw new InvalidArgumentError(`${JSON.stringify(cursor)} is no cursor: pass what the page before gave as "next".`);
  return { completedAt: Number.parseInt(time, 36), id };
}
