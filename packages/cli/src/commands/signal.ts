// signal: an operation for an entity.
import { writing } from "../connect.ts";
import { dataOf, type DataOptions } from "../data.ts";
import { usageError } from "../exit-codes.ts";
import { plain } from "../print/escape.ts";
import { timeGiven } from "../print/times.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";
import { entityGiven } from "./entity.ts";

export interface SignalOptions extends DataOptions {
  readonly at?: string;
}

/** Signals the operation: it is done when a worker that serves the entity runs. */
export async function signal(session: Session, id: string, operation: string, options: SignalOptions): Promise<void> {
  const { name, key } = entityGiven(id);
  const at = options.at === undefined ? undefined : timeGiven(options.at, session.now);
  if (options.at !== undefined && at === undefined)
    throw usageError(`--at takes a time (2026-11-22T17:28:09Z); got '${plain(options.at)}'.`);
  const { value } = await dataOf(session, options);
  const instead = `hub.entity(${JSON.stringify(name)}, ${JSON.stringify(key)}).signal[${JSON.stringify(operation)}](input)`;
  await writing(session, instead, async (hub) => {
    const ask = hub.entity(name, key).signal[operation];
    if (ask === undefined) throw usageError(`No entity can have an operation '${plain(operation)}'.`);
    await ask(value, at === undefined ? {} : { at });
    if (session.json) return session.tell({ id: `@${name}@${key}`, operation, ...(at === undefined ? {} : { at }) });
    await session.say(`Signalled ${quoted(operation)} to ${quoted(`@${name}@${key}`)}.`);
    await session.note("No worker runs on this task hub at the moment: the operation is done when one starts.");
  });
}
