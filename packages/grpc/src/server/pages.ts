// pages: as many rows as a caller asks for, from a backend that gives a thousand at once.
//
// Always:  PG1 a caller that means "all of it" gets what one message may well hold, and a cursor for the rest.

import type { Page, PageRequest } from "ostinato/contract";
import { weightOf } from "./weight.ts";

const MOST_AT_ONCE = 1_000;
const MOST_WITH_PAYLOADS = 50;
/** About 2 MiB on the wire: half of what clients take that say nothing else. */
const MOST_WEIGHT = 4 * 1_048_576;

/** Reads pages until there are as many rows as asked for, or as fit into a message. */
export async function pagesOf<T>(
  read: (page: PageRequest) => Promise<Page<T>>,
  { size: wanted = 100, cursor }: PageRequest,
  payloads: boolean,
): Promise<Page<T>> {
  const items: T[] = [];
  let step = payloads ? MOST_WITH_PAYLOADS : MOST_AT_ONCE;
  let weight = 0;
  let next = cursor;
  for (;;) {
    const page = await read({ size: Math.min(step, wanted - items.length), ...(next === undefined ? {} : { cursor: next }) });
    const added = weightOf(page.items);
    const isTooHeavy = weight + added > MOST_WEIGHT;
    if (isTooHeavy && items.length > 0) return withNext(items, next);
    if (isTooHeavy && page.items.length > 1) {
      step = Math.ceil(page.items.length / 4);
      continue;
    }
    items.push(...page.items);
    weight += added;
    next = page.next;
    if (next === undefined || items.length >= wanted) return withNext(items, next);
  }
}

function withNext<T>(items: readonly T[], next: string | undefined): Page<T> {
  return next === undefined ? { items } : { items, next };
}
