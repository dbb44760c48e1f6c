// data: what a command sends along: JSON on the command line, from a file, or from standard input.
import { readFile } from "node:fs/promises";
import { CommandError, EXIT, usageError } from "./exit-codes.ts";
import { plain } from "./print/escape.ts";
import type { Session } from "./session.ts";

/** Where the data is. */
export interface DataOptions {
  readonly data?: string;
  readonly dataFile?: string;
}

/** The data; `undefined` when there is none. */
export async function dataOf(session: Session, { data, dataFile }: DataOptions): Promise<{ readonly value: unknown }> {
  if (data !== undefined && dataFile !== undefined) throw usageError("Give --data or --data-file, not both.");
  if (dataFile !== undefined) return parsed(dataFile === "-" ? await session.io.input() : await textOf(dataFile), dataFile);
  return data === undefined ? { value: undefined } : parsed(data, "--data");
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new CommandError(EXIT.usage, "USAGE", `--data-file: ${plain((error as Error).message)}`, { cause: error });
  }
}

function parsed(text: string, where: string): { readonly value: unknown } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    throw usageError(
      `${plain(where)} is not JSON: ${plain((error as Error).message)}. A text is written with its quotation marks: --data '"yes"'.`,
    );
  }
}
