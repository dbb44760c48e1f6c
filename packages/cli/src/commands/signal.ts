// signal: an operation for an entity.
import { nobodyRuns } from "../change.ts";
import { writing } from "../connect.ts";
import { dataOf, type DataOptions } from "../data.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import { entityGiven } from "./entity.ts";

/** Signals the operation: it is done when a worker that serves the entity runs. */
export async function signal(session: Session, id: string, operation: string, options: DataOptions): Promise<void> {
  const { name, key } = entityGiven(id);
  const { value } = await dataOf(session, options);
  const instead = `hub.entity(${JSON.stringify(name)}, ${JSON.stringify(key)}).signal[${JSON.stringify(operation)}](input)`;
  await writing(session, instead, async (hub) => {
    const ask = hub.entity(name, key).signal[operation];
    if (ask === undefined) throw new TypeError(`No entity can have an operation ${quoted(operation)}.`);
    await ask(value);
    if (session.json) return session.tell({ id: `@${name}@${key}`, operation });
    await session.say(`Signalled ${quoted(operation)} to ${quoted(`@${name}@${key}`)}.`);
    await nobodyRuns(session);
  });
}
