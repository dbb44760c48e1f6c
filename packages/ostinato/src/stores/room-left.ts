// room-left: what a process asked for and was not given, so that others who have more than they can run let it go.

import type { ClaimRequest, Claims, RoomLeft, WantedNames } from "../engine/store.ts";

/** What room a claim has left; nothing when it came back full, or was for nothing but what needs only the engine. */
export function roomLeft(want: ClaimRequest, { instances: claimed }: Pick<Claims, "instances">): RoomLeft | undefined {
  let entities = 0;
  let free = 0;
  for (const { held, record } of claimed) {
    if (held) continue;
    if (record.kind === "entity") entities++;
    else free++;
  }
  const instances = namesSome(want.orchestrators) ? want.instances - free : 0;
  const entityCount = namesSome(want.entities) ? want.entityCount - entities : 0;
  if (instances <= 0 && entityCount <= 0) return undefined;
  return {
    instances: Math.max(instances, 0),
    orchestrators: want.orchestrators,
    entityCount: Math.max(entityCount, 0),
    entities: want.entities,
  };
}

function namesSome(names: WantedNames): boolean {
  return "anyBut" in names || names.length > 0;
}
