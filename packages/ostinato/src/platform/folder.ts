// folder: files of a folder, read and written whole.
//
// Always:  a file appears under its name when all of it is on the disk, and not before.

import { mkdir, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** The files of one folder. */
export interface Folder {
  /** The names of its files, in order; `undefined` when there is no such folder. */
  names(): Promise<readonly string[] | undefined>;
  read(name: string): Promise<Uint8Array>;
  /** Writes a file whole; the folder is made when it is not there. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/**
 * A folder by its path. Nothing is asked of the disk before it is used.
 *
 * @example
 * await folderAt("./histories").write("one.json", bytes);
 */
export function folderAt(path: string): Folder {
  return {
    async names() {
      try {
        const entries = await readdir(path, { withFileTypes: true });
        const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
        return names.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
      } catch (error) {
        if ((error as { code?: unknown }).code === "ENOENT") return undefined;
        throw error;
      }
    },
    read: (name) => readFile(join(path, name)),
    async write(name, bytes) {
      await mkdir(path, { recursive: true });
      const unfinished = join(path, `.${name}.unfinished`);
      try {
        const file = await open(unfinished, "w");
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(unfinished, join(path, name));
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    },
  };
}
