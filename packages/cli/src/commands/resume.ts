// resume: a suspended instance goes on.
import { changing, nobodyRuns, refuseEnded } from "../change.ts";
import { reading, writing } from "../connect.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import { entityGiven, foundEntity } from "./entity.ts";
import type { ReasonOptions } from "./suspend.ts";

/** Resumes the instance; of an entity: lets what was set aside be tried once more. */
export async function resume(session: Session, id: string, { reason }: ReasonOptions): Promise<void> {
  if (id.startsWith("@")) return resumeEntity(session, id);
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

async function resumeEntity(session: Session, id: string): Promise<void> {
  const { name, key } = entityGiven(id);
  const { stall } = await reading(session, (hub) => foundEntity(hub, id));
  const isChanged = stall !== undefined;
  if (isChanged) {
    const instead = `hub.entity(${JSON.stringify(name)}, ${JSON.stringify(key)}).resume()`;
    await writing(session, instead, (hub) => hub.entity(name, key).resume());
  }
  if (session.json) return session.tell({ id, isChanged });
  if (!isChanged) return session.say(`${quoted(id)} does not stall: nothing keeps its operations back.`);
  await session.say(`Resumed ${quoted(id)}.`);
  await session.note("No worker runs on this task hub at the moment: the entity goes on when one starts.");
}
