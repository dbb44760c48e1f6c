// sizes: how large a file is and what is in it, without reading what is large.

import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { InstanceStatus } from "../../contract/instance.ts";
import type { HubSizes } from "../../contract/maintenance.ts";
import { STATUSES } from "../sql/rows.ts";
import { INCREMENTAL } from "./copy-file.ts";
import { openForReading } from "./database-file.ts";

/** How many rows of history stand for all of them. */
const SAMPLE = 1_000;

/** The sizes of a file, and of one hub in it. */
export function sizesOf(path: string, hubName: string): HubSizes {
  const db = openForReading(path);
  try {
    db.exec("begin");
    const number = (text: string, ...values: (string | number)[]): number =>
      Number(Object.values(db.prepare(text).get(...values) ?? { none: 0 })[0] ?? 0);
    const pageBytes = number("pragma page_size");
    const hub = number("select hub from hubs where name = ?", hubName);
    const historyRows = number("select count(*) from history");
    const sampled = number(`select avg(length(body)) from (select body from history order by row desc limit ${SAMPLE})`);
    return {
      fileBytes: number("pragma page_count") * pageBytes,
      walBytes: statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      freeBytes: number("pragma freelist_count") * pageBytes,
      shrinks: number("pragma auto_vacuum") === INCREMENTAL,
      instances: byStatus(db, hub),
      entities: number("select count(*) from instances where hub = ? and kind = 1", hub),
      messages: number("select count(*) from messages"),
      activities: number("select count(*) from activities"),
      historyRows,
      historyBytes: Math.round(historyRows * sampled),
      longestHistories: db
        .prepare("select id, history_length from instances where hub = ? and history_length > 0 order by history_length desc limit 10")
        .all(hub)
        .map((row) => ({ instanceId: String(row["id"]), events: Number(row["history_length"]) })),
    };
  } finally {
    db.close();
  }
}

function byStatus(db: DatabaseSync, hub: number): Record<InstanceStatus, number> {
  const counts = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<InstanceStatus, number>;
  for (const row of db.prepare("select status, count(*) as count from instances where hub = ? and kind = 0 group by status").all(hub)) {
    const status = STATUSES[Number(row["status"])];
    if (status !== undefined) counts[status] = Number(row["count"]);
  }
  return counts;
}
