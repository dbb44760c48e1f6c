// entity: one entity, with what waits for it and who has it to itself.
import type { EntityMetadata, Hub } from "ostinato";
import { partsOfEntityId } from "ostinato/contract";
import { reading } from "../connect.ts";
import { CommandError, EXIT, usageError } from "../exit-codes.ts";
import { jsonText, plain } from "../print/escape.ts";
import { entityShape } from "../print/shapes.ts";
import { both } from "../print/times.ts";
import type { Session } from "../session.ts";

export interface EntityOptions {
  readonly payloads?: boolean;
}

/** Prints one entity. */
export async function entity(session: Session, id: string, options: EntityOptions): Promise<void> {
  entityGiven(id);
  const found = await reading(session, (hub) => foundEntity(hub, id));
  if (session.json) await session.tell(entityShape(found, options.payloads ?? false));
  else await session.say(...linesOf(session, found, options.payloads ?? false));
}

/** What is known of an entity that is there. */
export async function foundEntity(hub: Hub, id: string): Promise<EntityMetadata> {
  const { name, key } = entityGiven(id);
  const found = await hub.entity(name, key).metadata();
  if (found !== undefined) return found;
  throw new CommandError(
    EXIT.notFound,
    "ENTITY_NOT_FOUND",
    `There is no entity '${plain(id)}' in this task hub. Nobody ever addressed it, or it was cleaned up. \`ostinato entities --name ${plain(name)}\` shows what is there.`,
  );
}

/** Name and key of an entity that the command line names. */
export function entityGiven(id: string): { readonly name: string; readonly key: string } {
  const parts = partsOfEntityId(id);
  if (parts === undefined) throw usageError(`An entity is written @name@key; got '${plain(id)}'.`);
  return parts;
}

function linesOf({ paint, now }: Session, found: EntityMetadata, payloads: boolean): string[] {
  const lines = [paint.strong(plain(found.id))];
  const field = (name: string, text: string | undefined): void => {
    if (text !== undefined) lines.push(`  ${paint.faint(name.padEnd(14))}${text}`);
  };
  field("last modified", both(found.lastModifiedAt.getTime(), now));
  field(
    "waiting",
    `${found.backlogQueueSize} ${found.backlogQueueSize === 1 ? "operation" : "operations"}${found.lockedBy === undefined ? "" : ", for the lock to end or behind it"}`,
  );
  field("locked by", found.lockedBy && plain(found.lockedBy));
  field(
    "stalls",
    found.stall && paint.bad(`${plain(found.stall.kind)}, since ${both(found.stall.since.getTime(), now)}: ${plain(found.stall.reason)}`),
  );
  field("", found.stall && `\`ostinato resume ${plain(found.id)}\` lets it be tried at once`);
  if (!found.hasState) field("state", "none");
  else field("state", payloads ? jsonText(entityShape(found, true)["state"]) : "yes (--payloads shows it)");
  return lines;
}
