// clean-entities: takes away what entities leave behind.
import { writing } from "../connect.ts";
import type { Session } from "../session.ts";

/** Removes empty entities, and locks whose owners do not run any more. */
export async function cleanEntities(session: Session): Promise<void> {
  await writing(session, "hub.cleanEntityStorage()", async (hub) => {
    const { emptyEntitiesRemoved, orphanedLocksReleased } = await hub.cleanEntityStorage();
    if (session.json) return session.tell({ emptyEntitiesRemoved, orphanedLocksReleased });
    await session.say(`Removed ${emptyEntitiesRemoved} empty entities, released ${orphanedLocksReleased} orphaned locks.`);
  });
}
