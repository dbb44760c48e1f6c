// restore: a backup becomes a task hub's file.
import { restoreTaskHub } from "ostinato/sqlite";
import { urlOf } from "../connect.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import { tellFindings } from "./integrity.ts";

/** Puts the backup where the URL leads; there must be nothing. */
export async function restore(session: Session, path: string): Promise<number> {
  const url = urlOf(session);
  const findings = await restoreTaskHub(path, url);
  if (!session.json) await session.say(`Restored ${quoted(path)} to ${quoted(url)}.`);
  return tellFindings(session, findings);
}
