// change: how commands change one instance: look, refuse what cannot be, take the hub, act.
import type { DetailedStatus, Hub } from "ostinato";
import { reading, writing } from "./connect.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { statusOf } from "./look-up.ts";
import { plain } from "./print/escape.ts";
import type { Session } from "./session.ts";

/** Throws when the instance's status does not allow the change. */
export type Check = (status: DetailedStatus) => void;

/** Changes the instance, when it exists and `check` has nothing against it. Both are asked before the hub is taken, and again then. */
export async function changing<T>(
  session: Session,
  id: string,
  instead: string,
  check: Check,
  act: (hub: Hub, before: DetailedStatus) => Promise<T>,
): Promise<T> {
  const look = async (hub: Hub): Promise<DetailedStatus> => {
    const status = await statusOf(hub, id);
    check(status);
    return status;
  };
  await reading(session, look);
  return writing(session, instead, async (hub) => act(hub, await look(hub)));
}

/** Refuses instances that have ended. */
export function refuseEnded(why: string): Check {
  return ({ id, status, completedAt }) => {
    if (completedAt !== undefined) throw refused(`The instance '${plain(id)}' is ${status}: it ${why}.`);
  };
}

/** That the instance's state does not allow it. */
export function refused(message: string): CommandError {
  return new CommandError(EXIT.refused, "INVALID_STATE", message);
}

/** This command held the file, so no worker did: what was changed goes on when one starts. */
export async function nobodyRuns(session: Session): Promise<void> {
  await session.note("No worker runs on this task hub at the moment: the instance goes on when one starts.");
}
