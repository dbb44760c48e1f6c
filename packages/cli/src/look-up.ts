// look up: an instance by its id, or the end of the command.
import type { DetailedStatus, HistoryEvent, Hub } from "ostinato";
import { CommandError, EXIT } from "./exit-codes.ts";
import { plain } from "./print/escape.ts";

/** The instance's status. */
export async function statusOf(hub: Hub, id: string): Promise<DetailedStatus> {
  const status = await hub.instance(id).status();
  if (status === undefined) throw notFound(id);
  return status;
}

/** That there is no such instance. */
export function notFound(id: string): CommandError {
  return new CommandError(
    EXIT.notFound,
    "INSTANCE_NOT_FOUND",
    `There is no instance '${plain(id)}' in this task hub. It was never started here, or has been purged. \`ostinato list --prefix ${plain(id.slice(0, 4))}\` shows what is there.`,
  );
}

/** How often a history is read again when a new execution began meanwhile. */
const TRIES = 5;

/** The instance's history, whole. */
export async function historyOf(hub: Hub, id: string): Promise<readonly HistoryEvent[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await hub.instance(id).history();
    } catch (error) {
      // Continue-as-new put another history in its place while we were reading.
      if (tries === TRIES || (error as { code?: unknown }).code !== "INVALID_STATE") throw error;
    }
  }
}
