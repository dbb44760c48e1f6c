// backup: a copy of the task hub's file, of this moment, beside whoever works on it.
import { stat } from "node:fs/promises";
import { reading } from "../connect.ts";
import { bytesOf } from "../print/bytes.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

/** Writes the copy. */
export async function backup(session: Session, path: string): Promise<void> {
  await reading(session, (hub) => hub.backup(path));
  const { size } = await stat(path);
  await (session.json ? session.tell({ path, bytes: size }) : session.say(`Wrote ${quoted(path)}, ${bytesOf(size)}.`));
}
