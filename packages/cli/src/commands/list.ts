// list: the instances of a task hub.
import type { Hub, InstanceQuery, InstanceStatus, OrchestrationStatus } from "ostinato";
import { usageError } from "../exit-codes.ts";
import { reading } from "../connect.ts";
import { plain } from "../print/escape.ts";
import { paintStatus } from "../print/paint.ts";
import { instanceShape } from "../print/shapes.ts";
import { tableLines } from "../print/table.ts";
import type { Column } from "../print/table.ts";
import { absolute, lengthOf, relative, timeGiven } from "../print/times.ts";
import type { Session } from "../session.ts";
import { failureLine, programOf } from "../story/phrases.ts";

/** Which instances, as the command line says it. */
export interface FilterOptions {
  readonly status?: readonly string[];
  readonly name?: string;
  readonly prefix?: string;
  readonly tag?: readonly string[];
  readonly createdAfter?: string;
  readonly createdBefore?: string;
  readonly completedAfter?: string;
  readonly completedBefore?: string;
  readonly parent?: string;
  readonly stalled?: boolean;
}

export interface ListOptions extends FilterOptions {
  readonly limit: string;
  readonly newest?: boolean;
  readonly payloads?: boolean;
}

const STATUSES: readonly InstanceStatus[] = ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"];
/** Rows of a table are measured before the first of them is shown. */
const TABLE_ROWS = 1_000;

/** Prints instances in order of creation, or the newest of them first. */
export async function list(session: Session, options: ListOptions): Promise<void> {
  const query = queryOf(options, session.now);
  const limit = limitOf(options.limit);
  await reading(session, async (hub) => {
    if (options.newest === true) return show(session, await newestOf(hub, query, limit), options);
    const rows: OrchestrationStatus[] = [];
    let count = 0;
    let more = false;
    for await (const status of hub.query(query)) {
      if (count === limit) {
        more = true;
        break;
      }
      count++;
      if (session.json) await session.tell(instanceShape(status, options.payloads ?? false));
      else rows.push(status);
      if (rows.length === TABLE_ROWS) await showTable(session, rows.splice(0));
    }
    if (rows.length > 0 || (count === 0 && !session.json)) await showTable(session, rows);
    if (more)
      await session.note(`There are more than ${limit}: say --limit 0 for all of them, --newest for the last ones, or narrow the list.`);
  });
}

/** The last of them. A hub lists in order of creation, so all that fit the query are read; no more than these are kept. */
async function newestOf(hub: Hub, query: InstanceQuery, limit: number): Promise<readonly OrchestrationStatus[]> {
  let last: OrchestrationStatus[] = [];
  for await (const page of hub.query(query).pages({ size: 1_000 })) {
    last.push(...page.items);
    if (last.length > limit) last = last.slice(-limit);
  }
  return last.reverse();
}

async function show(session: Session, rows: readonly OrchestrationStatus[], options: ListOptions): Promise<void> {
  if (!session.json) return showTable(session, rows);
  for (const row of rows) await session.tell(instanceShape(row, options.payloads ?? false));
}

async function showTable(session: Session, rows: readonly OrchestrationStatus[]): Promise<void> {
  if (rows.length === 0) return session.note("There are no such instances.");
  await session.say(...tableLines(rows, columnsOf(session), { columns: session.io.columns, heading: session.paint.faint }));
}

function columnsOf({ paint, now }: Session): readonly Column<OrchestrationStatus>[] {
  return [
    { heading: "ID", cell: (row) => plain(row.id) },
    { heading: "ORCHESTRATOR", cell: (row) => programOf(row.name, row.version) },
    {
      heading: "STATUS",
      cell: (row) => (row.stall === undefined ? row.status : `${row.status} (stalled)`),
      paint: (text, row) => (row.stall === undefined ? paintStatus(paint, row.status, text) : paint.bad(text)),
    },
    { heading: "CREATED", cell: (row) => absolute(row.createdAt.getTime()) },
    { heading: "LAST UPDATE", cell: (row) => relative(row.lastUpdatedAt.getTime(), now) },
    { heading: "NOTE", cell: noteOf },
  ];
}

function noteOf(row: OrchestrationStatus): string {
  if (row.stall !== undefined) return `${plain(row.stall.kind)}: ${plain(row.stall.reason)}`;
  if (row.failure !== undefined) return failureLine(row.failure);
  if (row.completedAt !== undefined) return `took ${lengthOf(row.completedAt.getTime() - (row.startedAt ?? row.createdAt).getTime())}`;
  if (row.scheduledAt !== undefined && row.startedAt === undefined) return `starts at ${absolute(row.scheduledAt.getTime())}`;
  return "";
}

/** The query that options stand for. */
export function queryOf(options: FilterOptions, now: number): InstanceQuery {
  const { name, prefix, parent, status, tag, stalled } = options;
  const time = (option: string, text: string | undefined): Date | undefined => {
    if (text === undefined) return undefined;
    const date = timeGiven(text, now);
    if (date === undefined)
      throw usageError(
        `${option} takes a time (2026-11-22T17:28:09Z, 2026-11-22) or how long ago it was (90s, 15m, 2h, 7d); got '${plain(text)}'.`,
      );
    return date;
  };
  const fields: { [K in keyof InstanceQuery]: InstanceQuery[K] | undefined } = {
    name,
    idPrefix: prefix,
    parentInstanceId: parent,
    stalled,
    status: status === undefined ? undefined : status.map(statusGiven),
    tags: tag === undefined ? undefined : Object.fromEntries(tag.map(tagGiven)),
    createdFrom: time("--created-after", options.createdAfter),
    createdTo: time("--created-before", options.createdBefore),
    completedFrom: time("--completed-after", options.completedAfter),
    completedTo: time("--completed-before", options.completedBefore),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function statusGiven(text: string): InstanceStatus {
  const status = STATUSES.find((each) => each === text.toUpperCase());
  if (status === undefined) throw usageError(`There is no status '${plain(text)}'; there are ${STATUSES.join(", ")}.`);
  return status;
}

function tagGiven(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--tag takes name=value; got '${plain(text)}'.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** How many at most; 0 is all. */
export function limitOf(text: string): number {
  const limit = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(limit))
    throw usageError(`--limit takes a whole number, 0 for all; got '${plain(text)}'.`);
  return limit === 0 ? Number.POSITIVE_INFINITY : limit;
}
