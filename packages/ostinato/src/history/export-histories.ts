// export-histories: histories out of a task hub, one file for each instance.
//
// Owns:    what the files are called, and how far an export has come.
// Is told: where to read, and a writer.
// Always:  E1 the name depends on the instance and on when it last changed: exporting again writes the same file, and a later life of the same
//             id another one.
//          E2 one history is held at a time.
//          E3 a page counts when all of its files are written; from its cursor an export goes on.

import type { InstanceQuery } from "../client/client.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import { compress, sha256 } from "../platform/bytes.ts";
import { type HistoryDocument, type HistoryFileFormat, type InstanceFacts, withoutPayloads, writeDocument } from "./document.ts";
import { historyPages, type HistoryWorld } from "./hub-histories.ts";

/**
 * Takes the files of an export: a folder (`historyFiles`), or a place of your own. A name that comes again replaces what was there.
 *
 * @example
 * const writer: HistoryWriter = { write: (name, bytes) => bucket.put(`histories/${name}`, bytes) };
 */
export interface HistoryWriter {
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** What is exported, and how. */
export interface ExportOptions {
  /** Which instances; finished ones, unless its `status` says otherwise. */
  readonly query?: InstanceQuery;
  /** `"jsonl"` (the default): compressed, a line for each event. `"json"`: for people to read. */
  readonly format?: HistoryFileFormat;
  /** `"omit"` leaves inputs, outputs and event data out. What is written so can be read, and not replayed. Failures stay as they are. */
  readonly payloads?: "keep" | "omit";
  /** Where an export that was broken off goes on: `cursor` of its last progress. */
  readonly cursor?: string;
  /** Instances of a page; 100 by default, at most 1,000. */
  readonly pageSize?: number;
  /** Called after each page. */
  readonly onProgress?: (progress: ExportProgress) => void;
  /** Breaks the export off. What was written stays. */
  readonly signal?: AbortSignal;
}

/** How far an export has come. */
export interface ExportProgress {
  /** Files written by this call so far. */
  readonly exported: number;
  /** Where an export goes on that is broken off from here; absent when there is no more. */
  readonly cursor?: string;
}

const EXPORT: OptionNames<ExportOptions> = {
  query: true,
  format: true,
  payloads: true,
  cursor: true,
  pageSize: true,
  onProgress: true,
  signal: true,
};

/** Writes the histories that a query finds. */
export async function exportHistories(
  world: HistoryWorld,
  writer: HistoryWriter,
  options: ExportOptions = {},
): Promise<{ readonly exported: number }> {
  const { query = {}, format = "jsonl", payloads = "keep", signal, onProgress } = options;
  checkOptions(options, EXPORT, "hub.exportHistories");
  checkWord(format, ["json", "jsonl"], "The format of an export");
  checkWord(payloads, ["keep", "omit"], "payloads");
  let exported = 0;
  for await (const page of historyPages(world, query, given({ size: options.pageSize, cursor: options.cursor }))) {
    for await (const document of page.histories) {
      signal?.throwIfAborted();
      await writer.write(fileNameOf(document.instance, format), await bytesOf(document, format, payloads));
      exported += 1;
    }
    onProgress?.({ exported, ...given({ cursor: page.next }) });
    signal?.throwIfAborted();
  }
  return { exported };
}

/** The name of an instance's file: safe for every id and every file system. */
function fileNameOf(instance: InstanceFacts, format: HistoryFileFormat): string {
  // tidy: allow Date because it stands for a time that is recorded
  const changedAt = new Date(instance.completedAt ?? instance.updatedAt).toISOString();
  return `${sha256(`${changedAt}|${instance.id}`)}.${format === "json" ? "json" : "jsonl.gz"}`;
}

async function bytesOf(document: HistoryDocument, format: HistoryFileFormat, payloads: "keep" | "omit"): Promise<Uint8Array> {
  const text = writeDocument(payloads === "omit" ? withoutPayloads(document) : document, format);
  return format === "json" ? new TextEncoder().encode(text) : await compress(text);
}
