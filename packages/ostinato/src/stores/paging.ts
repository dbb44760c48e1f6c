// paging: how a query goes on from page to page.
//
// Always:  a cursor is the number of the last instance of its page; numbers rise in order of creation and are never used again,
//          so each stable matching instance is met exactly once (C9).

import { InvalidArgumentError } from "../contract/errors.ts";
import type { InstanceNumber } from "../contract/ids.ts";
import type { StoredInstance } from "../contract/instance.ts";
import type { InstanceFilter, PageRequest } from "../contract/queries.ts";

const DEFAULT_PAGE = 100;
const LARGEST_PAGE = 1_000;

/** How many instances a page may have. */
export function pageSize(page: PageRequest): number {
  return Math.max(1, Math.min(page.size ?? DEFAULT_PAGE, LARGEST_PAGE));
}

/** The cursor of the page that begins after this instance. */
export function cursorOf(last: InstanceNumber): string {
  return last.toString(36);
}

/**
 * The instance after which a page begins; 0 for the first one.
 *
 * @throws InvalidArgumentError for a text that is no cursor of ours.
 */
export function numberOfCursor(cursor: string | undefined): InstanceNumber {
  if (cursor === undefined) return 0;
  const number = /^[0-9a-z]{1,11}$/.test(cursor) ? Number.parseInt(cursor, 36) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw new InvalidArgumentError(`${JSON.stringify(cursor)} is no cursor: pass what the page before gave as "next".`);
  return number;
}

/** Whether an instance is one that a filter asks for. */
export function matches(filter: InstanceFilter, { record, payloads }: StoredInstance): boolean {
  const { kind, name, status, idPrefix, createdFrom, createdTo, completedFrom, completedTo, parent, stalled, tags } = filter;
  const { updatedFrom, updatedTo, hasState, locked } = filter;
  if (kind !== undefined && record.kind !== kind) return false;
  if (name !== undefined && record.name !== name) return false;
  if (status !== undefined && !status.includes(record.status)) return false;
  if (idPrefix !== undefined && !record.id.startsWith(idPrefix)) return false;
  if (createdFrom !== undefined && record.createdAt < createdFrom) return false;
  if (createdTo !== undefined && record.createdAt >= createdTo) return false;
  if (completedFrom !== undefined && !(record.completedAt !== undefined && record.completedAt >= completedFrom)) return false;
  if (completedTo !== undefined && !(record.completedAt !== undefined && record.completedAt < completedTo)) return false;
  if (parent !== undefined && record.parent?.instanceId !== parent) return false;
  if (stalled !== undefined && stalled !== (record.stall !== undefined)) return false;
  if (updatedFrom !== undefined && record.updatedAt < updatedFrom) return false;
  if (updatedTo !== undefined && record.updatedAt >= updatedTo) return false;
  if (hasState !== undefined && hasState !== (payloads.state !== undefined)) return false;
  if (locked !== undefined && locked !== (record.lockedBy !== undefined)) return false;
  if (tags !== undefined) for (const key in tags) if (record.tags?.[key] !== tags[key]) return false;
  return true;
}
