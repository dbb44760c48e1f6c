// export: histories of instances as files, for tests and for keeping.
import { historyFiles } from "ostinato/history";
import { reading } from "../connect.ts";
import { usageError } from "../exit-codes.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import { queryOf } from "./list.ts";
import type { FilterOptions } from "./list.ts";

export interface ExportOptions extends FilterOptions {
  readonly format: string;
  readonly omitPayloads?: boolean;
}

/** Writes one file for each instance into the folder. */
export async function exportTo(session: Session, folder: string, options: ExportOptions): Promise<void> {
  const { format } = options;
  if (format !== "json" && format !== "jsonl") throw usageError(`--format is json or jsonl; got '${plain(format)}'.`);
  const query = queryOf(options, session.now);
  const payloads = options.omitPayloads === true ? "omit" : "keep";
  const { exported } = await reading(session, (hub) => hub.exportHistories(historyFiles(folder), { query, format, payloads }));
  await (session.json
    ? session.tell({ folder, exported })
    : session.say(`Wrote ${exported} ${exported === 1 ? "history" : "histories"} to ${quoted(folder)}.`));
}
