// foreign-sections: what an orchestration of ours has locked on another server is let go when it ends.
//
// Always:  FS1 whatever ends an execution (completed, failed, terminated, continued as new), each entity that it was granted and has not let go
//             is let go in the same answer (E4). Our own engine does so itself; of others it is left to the worker.
//          FS2 such releases have numbers that no program reaches: they are none of its requests.

import type { Action, HistoryEvent, OrchestrationWorkItem } from "ostinato/contract";

const FIRST_ID = 1_500_000_000;

/** A turn's actions, with the releases that its end asks for. */
export function withReleases(
  actions: readonly Action[],
  { past, newEvents }: Pick<OrchestrationWorkItem, "past" | "newEvents">,
): readonly Action[] {
  const end = actions.findIndex(({ kind }) => kind === "completeOrchestration");
  if (end < 0) return actions;
  const held = heldAfter([...("events" in past ? past.events : []), ...newEvents], actions);
  if (held.length === 0) return actions;
  const releases = held.map(({ sectionId: criticalSectionId, entityId }, at): Action => ({
    kind: "unlockEntity",
    id: FIRST_ID + at,
    criticalSectionId,
    entityId,
  }));
  return [...actions.slice(0, end), ...releases, ...actions.slice(end)];
}

/** What was granted and is not let go. */
function heldAfter(
  events: readonly HistoryEvent[],
  actions: readonly Action[],
): readonly { readonly sectionId: string; readonly entityId: string }[] {
  const asked = new Map<string, readonly string[]>();
  const held = new Map<string, Set<string>>();
  for (const event of events) {
    if (event.kind === "EntityLockRequested") asked.set(event.criticalSectionId, event.lockSet);
    if (event.kind === "EntityLockGranted") held.set(event.criticalSectionId, new Set(asked.get(event.criticalSectionId)));
    if (event.kind === "EntityUnlockSent") held.get(event.criticalSectionId)?.delete(event.entityId);
  }
  for (const action of actions) if (action.kind === "unlockEntity") held.get(action.criticalSectionId)?.delete(action.entityId);
  return [...held].flatMap(([sectionId, entities]) => [...entities].map((entityId) => ({ sectionId, entityId })));
}
