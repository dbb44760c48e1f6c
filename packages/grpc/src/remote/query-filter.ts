// query-filter: a filter over instances that a server could not apply whole.
//
// Always:  QF1 it says what the query of any other task hub says: all parts hold, "from" is included and "to" is not.

import type { InstanceFilter, StoredInstance } from "ostinato/contract";

type Parts = { readonly [P in keyof InstanceFilter]-?: (wanted: NonNullable<InstanceFilter[P]>, instance: StoredInstance) => boolean };

const PARTS: Parts = {
  kind: (wanted, { record }) => record.kind === wanted,
  name: (wanted, { record }) => record.name === wanted,
  status: (wanted, { record }) => wanted.includes(record.status),
  idPrefix: (wanted, { record }) => record.id.startsWith(wanted),
  createdFrom: (wanted, { record }) => record.createdAt >= wanted,
  createdTo: (wanted, { record }) => record.createdAt < wanted,
  completedFrom: (wanted, { record }) => record.completedAt !== undefined && record.completedAt >= wanted,
  completedTo: (wanted, { record }) => record.completedAt !== undefined && record.completedAt < wanted,
  parent: (wanted, { record }) => record.parent?.instanceId === wanted,
  stalled: (wanted, { record }) => (record.stall !== undefined) === wanted,
  updatedFrom: (wanted, { record }) => record.updatedAt >= wanted,
  updatedTo: (wanted, { record }) => record.updatedAt < wanted,
  hasState: (wanted, { payloads }) => (payloads.state !== undefined) === wanted,
  locked: (wanted, { record }) => (record.lockedBy !== undefined) === wanted,
  tags: (wanted, { record }) => Object.entries(wanted).every(([name, value]) => record.tags?.[name] === value),
};

/** Whether an instance is one of those that are asked for. */
export function matches(filter: InstanceFilter, instance: StoredInstance): boolean {
  return (Object.keys(PARTS) as (keyof InstanceFilter)[]).every((part) => {
    const wanted = filter[part];
    return wanted === undefined || (PARTS[part] as (wanted: unknown, instance: StoredInstance) => boolean)(wanted, instance);
  });
}
