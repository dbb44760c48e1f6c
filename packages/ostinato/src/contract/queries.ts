// queries: filters and pages.
//
// Always:  filters are AND-ed; paging by a cursor returns each stable matching row exactly once under concurrent writes (C9).

import type { InstanceId, InstanceKind } from "./ids.ts";
import type { Instant } from "./instant.ts";
import type { InstanceStatus, Tags } from "./instance.ts";

/** Which instances a query is about. All given parts must hold. */
export interface InstanceFilter {
  readonly kind?: InstanceKind;
  readonly name?: string;
  /** Any of these. */
  readonly status?: readonly InstanceStatus[];
  readonly idPrefix?: string;
  /** Created at or after. */
  readonly createdFrom?: Instant;
  /** Created before. */
  readonly createdTo?: Instant;
  /** Completed at or after. */
  readonly completedFrom?: Instant;
  /** Completed before. */
  readonly completedTo?: Instant;
  /** The direct children of this instance. */
  readonly parent?: InstanceId;
  /** Only those that have work to do and are not being run, with a reason (`record.stall`). */
  readonly stalled?: boolean;
  /** Every one of these tags with this value. */
  readonly tags?: Tags;
  /** Last written at or after. */
  readonly updatedFrom?: Instant;
  /** Last written before. */
  readonly updatedTo?: Instant;
  /** Only entities that have a state; `false`: only those that have none. */
  readonly hasState?: boolean;
  /** Only entities that somebody has to itself. */
  readonly locked?: boolean;
}

/** Which page of a query. */
export interface PageRequest {
  /** At most this many; 100 when absent, never more than 1,000. */
  readonly size?: number;
  /** What the page before gave as `next`. */
  readonly cursor?: string;
}

/** One page, in order of creation. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The cursor of the next page; absent on the last one. */
  readonly next?: string;
}
