// purge: removes instances that have ended, with their histories.
import { isTerminal } from "ostinato/contract";
import type { Hub, InstanceQuery, InstanceStatus } from "ostinato";
import { refused } from "../change.ts";
import { reading, writing } from "../connect.ts";
import { EXIT, usageError } from "../exit-codes.ts";
import { statusOf } from "../look-up.ts";
import { plain } from "../print/escape.ts";
import { timeGiven } from "../print/times.ts";
import type { Session } from "../session.ts";
import { queryOf } from "./list.ts";
import type { FilterOptions } from "./list.ts";

export interface PurgeOptions extends FilterOptions {
  readonly olderThan?: string;
  readonly recursive?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

const ENDS: readonly InstanceStatus[] = ["COMPLETED", "FAILED", "TERMINATED"];

/** Purges the instances with these ids, or those of a filter. */
export async function purge(session: Session, ids: readonly string[], options: PurgeOptions): Promise<number> {
  const query = finishedOf(options, session.now);
  const isFiltered = Object.keys(query).some((field) => field !== "status") || options.status !== undefined;
  if (ids.length > 0 && isFiltered) throw usageError("Give ids or filters, not both.");
  if (ids.length === 0 && !isFiltered)
    throw usageError("Say which instances: by id, or by --older-than, --status and the other filters (ostinato purge --help).");
  const target = ids.length > 0 ? ids : query;
  const found = await reading(session, (hub) => (ids.length > 0 ? checkedCount(hub, ids) : countOf(hub, query)));
  if (options.dryRun === true) return tell(session, { wouldDelete: found }, `${counted(found)} would be purged.`);
  if (found === 0) return tell(session, { deletedCount: 0, isComplete: true }, "There is nothing to purge.");
  if (ids.length === 0 && options.yes !== true && !(await confirmed(session, found)))
    return tell(session, { deletedCount: 0, isComplete: false }, "Nothing was purged.", EXIT.no);
  const instead = "hub.purge(...)";
  const { deletedCount, isComplete } = await writing(session, instead, (hub) =>
    hub.purge(target, { recursive: options.recursive ?? false }),
  );
  return tell(session, { deletedCount, isComplete }, `Purged ${counted(deletedCount)}.`, isComplete ? EXIT.ok : EXIT.no);
}

async function tell(session: Session, value: object, line: string, exitCode: number = EXIT.ok): Promise<number> {
  await (session.json ? session.tell(value) : session.say(line));
  return exitCode;
}

function finishedOf({ olderThan, ...options }: PurgeOptions, now: number): InstanceQuery {
  const query = queryOf(options, now);
  for (const status of options.status ?? [])
    if (!ENDS.some((end) => end === status.toUpperCase()))
      throw usageError(
        `Only instances that have ended can be purged; --status may be ${ENDS.join(", ").toLowerCase()}, not '${plain(status)}'.`,
      );
  const status = query.status ?? ENDS;
  if (olderThan === undefined) return { ...query, status };
  const completedTo = timeGiven(olderThan, now);
  if (completedTo === undefined || options.completedBefore !== undefined)
    throw usageError(
      `--older-than takes how long ago they ended (30d, 12h) or a time, and no --completed-before beside it; got '${plain(olderThan)}'.`,
    );
  return { ...query, status, completedTo };
}

async function checkedCount(hub: Hub, ids: readonly string[]): Promise<number> {
  for (const id of ids) {
    const { status } = await statusOf(hub, id);
    if (!isTerminal(status))
      throw refused(`The instance '${plain(id)}' is ${status}; only those that have ended can be purged. Terminate it first.`);
  }
  return ids.length;
}

async function countOf(hub: Hub, query: InstanceQuery): Promise<number> {
  let count = 0;
  for await (const page of hub.query(query).pages({ size: 1_000 })) count += page.items.length;
  return count;
}

async function confirmed(session: Session, count: number): Promise<boolean> {
  if (session.io.ask === undefined || session.json)
    throw usageError(`This would purge ${counted(count)}. Say --yes to do it, where nobody can be asked.`);
  return /^y(es)?$/i.test((await session.io.ask(`Purge ${counted(count)}, with their histories? [y/N] `)).trim());
}

function counted(count: number): string {
  return count === 1 ? "1 instance" : `${count} instances`;
}
