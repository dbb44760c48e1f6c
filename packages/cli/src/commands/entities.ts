// entities: the entities of a task hub.
import type { EntityMetadata, EntityQuery } from "ostinato";
import { reading } from "../connect.ts";
import { plain } from "../print/escape.ts";
import { entityShape } from "../print/shapes.ts";
import { tableLines } from "../print/table.ts";
import type { Column } from "../print/table.ts";
import { relative } from "../print/times.ts";
import type { Session } from "../session.ts";
import { limitOf } from "./list.ts";

export interface EntitiesOptions {
  readonly name?: string;
  readonly prefix?: string;
  readonly all?: boolean;
  readonly limit: string;
  readonly payloads?: boolean;
}

/** Prints entities in the order in which they came to be. */
export async function entities(session: Session, options: EntitiesOptions): Promise<void> {
  const limit = limitOf(options.limit);
  const query: EntityQuery = {
    includeTransient: options.all ?? false,
    includeState: session.json && options.payloads === true,
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.prefix === undefined ? {} : { [options.name === undefined ? "idPrefix" : "keyPrefix"]: options.prefix }),
  };
  await reading(session, async (hub) => {
    const rows: EntityMetadata[] = [];
    let more = false;
    for await (const entity of hub.entities(query)) {
      more = rows.length === limit;
      if (more) break;
      rows.push(entity);
      if (session.json) await session.tell(entityShape(entity, options.payloads ?? false));
    }
    if (!session.json) {
      if (rows.length === 0) await session.note("There are no such entities.");
      else await session.say(...tableLines(rows, columnsOf(session), { columns: session.io.columns, heading: session.paint.faint }));
    }
    if (more) await session.note(`There are more than ${limit}: say --limit 0 for all of them, or narrow the list.`);
  });
}

function columnsOf({ paint, now }: Session): readonly Column<EntityMetadata>[] {
  return [
    { heading: "ID", cell: (row) => plain(row.id) },
    { heading: "LAST MODIFIED", cell: (row) => relative(row.lastModifiedAt.getTime(), now) },
    { heading: "WAITING", cell: (row) => String(row.backlogQueueSize) },
    { heading: "LOCKED BY", cell: (row) => (row.lockedBy === undefined ? "" : plain(row.lockedBy)) },
    {
      heading: "NOTE",
      cell: (row) => (row.stall === undefined ? (row.hasState ? "" : "no state") : plain(row.stall.reason)),
      paint: (text, row) => (row.stall === undefined ? text : paint.bad(text)),
    },
  ];
}
