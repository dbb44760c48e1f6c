// resume: a suspended instance goes on.
import { changing, nobodyRuns, refuseEnded } from "../change.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import type { ReasonOptions } from "./suspend.ts";

/** Resumes the instance. */
export async function resume(session: Session, id: string, { reason }: ReasonOptions): Promise<void> {
  const instead = `hub.instance(${JSON.stringify(id)}).resume()`;
  await changing(session, id, instead, refuseEnded("has ended and cannot be resumed"), async (hub, before) => {
    const isChanged = before.status === "SUSPENDED";
    await hub.instance(id).resume(reason);
    if (session.json) return session.tell({ id, status: (await hub.instance(id).status())?.status, isChanged });
    if (!isChanged) return session.say(`${quoted(id)} is not suspended: it is ${before.status}.`);
    await session.say(`Resumed ${quoted(id)}.`);
    await nobodyRuns(session);
  });
}
