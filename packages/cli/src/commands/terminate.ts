// terminate: ends an instance, whatever its code is doing.
import type { DetailedStatus, Hub } from "ostinato";
import { usageError } from "../exit-codes.ts";
import { changing, refused } from "../change.ts";
import { plain } from "../print/escape.ts";
import type { Session } from "../session.ts";
import { quoted } from "../story/phrases.ts";

export interface TerminateOptions {
  readonly recursive?: boolean;
  readonly output?: string;
}

/** How long the end is waited for. It needs no worker; and what was asked for is durable, whoever does it. */
const PATIENCE = "10s";

/** Terminates the instance, and with --recursive its children. */
export async function terminate(session: Session, id: string, options: TerminateOptions): Promise<void> {
  const recursive = options.recursive ?? false;
  const output = options.output === undefined ? {} : { output: parsed(options.output) };
  const instead = `hub.instance(${JSON.stringify(id)}).terminate()`;
  const check = ({ status, completedAt }: DetailedStatus): void => {
    if (completedAt !== undefined && !recursive) throw refused(`The instance '${plain(id)}' has ended already: it is ${status}.`);
  };
  await changing(session, id, instead, check, async (hub) => {
    await hub.instance(id).terminate({ recursive, ...output });
    const open = await stillOpen(hub, id, recursive);
    if (session.json)
      return session.tell({ id, status: (await hub.instance(id).status())?.status, isRecursive: recursive, stillOpen: open });
    await session.say(
      open.length === 0
        ? `Terminated ${quoted(id)}${recursive ? " and its children" : ""}.`
        : `Asked ${quoted(id)} to end; still open after ${PATIENCE}: ${open.map(quoted).join(", ")}. They end when the task hub is opened next.`,
    );
  });
}

/** Waits until the instance and, if asked for, its children have ended; the ids of those that have not. */
async function stillOpen(hub: Hub, id: string, recursive: boolean): Promise<string[]> {
  const open: string[] = [];
  if (!(await ended(hub, id))) return [id];
  if (!recursive) return open;
  for await (const child of hub.query({ parentInstanceId: id })) open.push(...(await stillOpen(hub, child.id, true)));
  return open;
}

async function ended(hub: Hub, id: string): Promise<boolean> {
  try {
    await hub.instance(id).result({ timeout: PATIENCE });
    return true;
  } catch (error) {
    // How it ended is no error here.
    const { code } = error as { readonly code?: unknown };
    if (code === "RESULT_TIMEOUT") return false;
    if (
      code === "ORCHESTRATION_TERMINATED" ||
      code === "ORCHESTRATION_FAILED" ||
      code === "INSTANCE_NOT_FOUND" ||
      code === "PAYLOAD_INVALID"
    )
      return true;
    throw error;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw usageError(`--output is not JSON: ${plain((error as Error).message)}.`);
  }
}
