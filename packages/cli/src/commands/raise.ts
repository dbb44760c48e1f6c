// raise: an external event for an instance.
import { readFile } from "node:fs/promises";
import { CommandError, EXIT, usageError } from "../exit-codes.ts";
import { changing, nobodyRuns, refuseEnded } from "../change.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

export interface RaiseOptions {
  readonly data?: string;
  readonly dataFile?: string;
}

/** Raises the event; the instance takes it when it asks for it. */
export async function raise(session: Session, id: string, event: string, options: RaiseOptions): Promise<void> {
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

async function dataOf(session: Session, { data, dataFile }: RaiseOptions): Promise<{ readonly value: unknown }> {
  if (data !== undefined && dataFile !== undefined) throw usageError("Give --data or --data-file, not both.");
  if (dataFile !== undefined) return parsed(dataFile === "-" ? await session.io.input() : await textOf(dataFile), dataFile);
  return data === undefined ? { value: undefined } : parsed(data, "--data");
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new CommandError(EXIT.usage, "USAGE", `--data-file: ${plain((error as Error).message)}`, { cause: error });
  }
}

function parsed(text: string, where: string): { readonly value: unknown } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    throw usageError(
      `${plain(where)} is not JSON: ${plain((error as Error).message)}. A text is written with its quotation marks: --data '"yes"'.`,
    );
  }
}
