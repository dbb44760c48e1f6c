// raise: an external event for an instance.
import { changing, nobodyRuns, refuseEnded } from "../change.ts";
import { dataOf, type DataOptions } from "../data.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

/** Raises the event; the instance takes it when it asks for it. */
export async function raise(session: Session, id: string, event: string, options: DataOptions): Promise<void> {
  const data = await dataOf(session, options);
  const instead = `hub.instance(${JSON.stringify(id)}).raiseEvent(${JSON.stringify(event)}, data)`;
  await changing(session, id, instead, refuseEnded("has ended, so nobody would receive the event"), async (hub, before) => {
    await hub.instance(id).raiseEvent(event, data.value);
    const isAwaited = before.awaitedEvents.some((name) => name.toLowerCase() === event.toLowerCase());
    if (session.json) return session.tell({ id, event, isAwaited });
    const when =
      before.status === "SUSPENDED"
        ? "it is suspended, and takes it when it is resumed"
        : isAwaited
          ? "it waits for it"
          : "it is kept until it asks for it";
    await session.say(`Raised ${quoted(event)} at ${quoted(id)}: ${when}.`);
    await nobodyRuns(session);
  });
}
