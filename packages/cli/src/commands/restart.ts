// restart: an instance once more from its beginning.
import type { DetailedStatus } from "ostinato";
import { changing, nobodyRuns, refused } from "../change.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

export interface RestartOptions {
  /** `true`: one is made up. */
  readonly newId?: true | string;
}

/** Restarts the instance, under its own id or another. */
export async function restart(session: Session, id: string, { newId }: RestartOptions): Promise<void> {
  const check = ({ status, completedAt }: DetailedStatus): void => {
    if (completedAt === undefined && newId === undefined)
      throw refused(
        `The instance '${plain(id)}' is ${status}: only one that has ended gives its id away. Terminate it first, or start another beside it with --new-id.`,
      );
  };
  await changing(session, id, `hub.instance(${JSON.stringify(id)}).restart()`, check, async (hub) => {
    const again = await hub.instance(id).restart(newId === undefined ? {} : { newInstanceId: newId });
    if (session.json) return session.tell({ id, newId: again.id });
    await session.say(again.id === id ? `Restarted ${quoted(id)}.` : `Started ${quoted(again.id)} from ${quoted(id)}.`);
    await nobodyRuns(session);
  });
}
