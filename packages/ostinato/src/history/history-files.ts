// history-files: exported histories in a folder.
//
// Always:  F1 a file is there whole or not at all.
//          F2 whoever reads meets each damaged file by its name; what is no history (by its ending) is left alone.

import { HistoryFormatError, InvalidArgumentError } from "../contract/errors.ts";
import { decompress } from "../platform/bytes.ts";
import { folderAt, type Folder } from "../platform/folder.ts";
import { damagedFile, type HistoryDocument, type HistoryFileFormat, readDocument } from "./document.ts";
import type { HistoryWriter } from "./export-histories.ts";

/** How histories are read back. */
export interface ReadOptions {
  /** Told of each file that cannot be read, which is then passed over. Without it the first one ends the reading with its error. */
  readonly onDamaged?: (error: HistoryFormatError) => void;
}

const ENDINGS: readonly { readonly ending: string; readonly format: HistoryFileFormat; readonly compressed: boolean }[] = [
  { ending: ".jsonl.gz", format: "jsonl", compressed: true },
  { ending: ".jsonl", format: "jsonl", compressed: false },
  { ending: ".json", format: "json", compressed: false },
];

/**
 * A folder as the place of an export. It is made when it is not there.
 *
 * @example
 * await hub.exportHistories(historyFiles("./histories"), { query: { completedFrom: new Date("2026-01-01") } });
 */
export function historyFiles(folder: string): HistoryWriter {
  const files = folderAt(folder);
  return { write: (name, bytes) => files.write(name, bytes) };
}

/**
 * Reads the histories of a folder back, one by one, in the order of their files' names.
 *
 * @throws HistoryFormatError, naming the file, for one that is damaged or of a newer format (unless `onDamaged` takes it);
 * InvalidArgumentError when there is no such folder.
 * @example
 * for await (const { instance, events } of readHistories("./histories")) console.log(instance.id, events.length);
 */
export async function* readHistories(folder: string, options: ReadOptions = {}): AsyncGenerator<HistoryDocument, void, undefined> {
  const files = folderAt(folder);
  const names = await files.names();
  if (names === undefined) throw new InvalidArgumentError(`There is no folder '${folder}' to read histories from.`);
  for (const name of names) {
    const kind = name.startsWith(".") ? undefined : ENDINGS.find(({ ending }) => name.endsWith(ending));
    if (kind === undefined) continue;
    let document: HistoryDocument;
    try {
      document = await readFileOf(files, name, kind, `${folder}/${name}`);
    } catch (error) {
      if (options.onDamaged === undefined || !(error instanceof HistoryFormatError)) throw error;
      options.onDamaged(error);
      continue;
    }
    yield document;
  }
}

async function readFileOf(files: Folder, name: string, kind: (typeof ENDINGS)[number], file: string): Promise<HistoryDocument> {
  const bytes = await files.read(name);
  let text: string;
  try {
    text = kind.compressed ? await decompress(bytes) : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw damagedFile(file, "it is damaged or torn", error);
  }
  return readDocument(text, kind.format, file);
}
