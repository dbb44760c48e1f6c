// restore-task-hub: a backup becomes a task hub again.

import { InvalidArgumentError } from "../contract/errors.ts";
import { withoutPassword } from "../contract/without-password.ts";
import type { IntegrityFinding } from "../contract/maintenance.ts";
import { restoreFile } from "../stores/sqlite/backup.ts";
import { parseHubUrl } from "./hub-url.ts";

/**
 * Puts a backup where a task hub's URL leads, for `openTaskHub` to open. The backup stays as it is.
 *
 * The file is checked first. What is wrong with single instances is told, and does not stop it; a file that is damaged as a whole is refused.
 * Everything that was done after the backup was made is forgotten: activities that ran since then run again, under the same idempotency keys.
 *
 * @param backupPath what `hub.backup` has written (or a hub's file that no process holds).
 * @param url `"sqlite:orders.db"`; there must be no such file.
 * @returns what `checkIntegrity` finds in the backup: nothing, as a rule.
 * @throws InvalidStateError when the file is there; StoreFormatError when the backup is damaged, no task hub, or of a newer version;
 *   FileLockedError when another process holds the file.
 * @example
 * const findings = await restoreTaskHub("backups/orders-friday.db", "sqlite:orders.db");
 * const hub = await openTaskHub("sqlite:orders.db");
 */
export async function restoreTaskHub(backupPath: string, url: string): Promise<readonly IntegrityFinding[]> {
  const address = parseHubUrl(url);
  if (address.scheme !== "sqlite")
    throw new InvalidArgumentError(
      `A backup is restored to a file: write "sqlite:orders.db", not ${JSON.stringify(withoutPassword(url))}.`,
    );
  return restoreFile(backupPath, address.path);
}
