// load-module: a module of the user's, by the name of its file.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CommandError, EXIT } from "./exit-codes.ts";
import { plain } from "./print/escape.ts";

/** What the module exports. TypeScript is loaded as this Node loads it: with its types stripped. */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(EXIT.usage, "USAGE", `${plain(file)} cannot be loaded: ${why}`, { cause: error });
  }
}
