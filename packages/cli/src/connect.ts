// connect: opens the task hub that a command is about.
//
// Owns:    what a person is told when it cannot be opened.
// Always:  a command that only looks opens the hub to read, beside whoever holds it. A command that writes looks first: it makes no file that is
//          not there, and takes nothing when the instance it is about does not exist.
import { FileLockedError, openTaskHub } from "ostinato";
import type { Hub, HubOptions } from "ostinato";
import { CommandError, EXIT, usageError } from "./exit-codes.ts";
import { loadModule } from "./load-module.ts";
import type { Session } from "./session.ts";

/** Uses the hub to look only. */
export async function reading<T>(session: Session, use: (hub: Hub) => Promise<T>): Promise<T> {
  return closing(await openTaskHub(urlOf(session), { ...(await optionsOf(session)), readOnly: true }), use);
}

/**
 * Uses the hub to write: this process holds it meanwhile.
 *
 * @param instead what a program that holds the file can do in its own code, for the message when it does.
 */
export async function writing<T>(session: Session, instead: string, use: (hub: Hub) => Promise<T>): Promise<T> {
  return closing(await take(session, instead), use);
}

async function closing<T>(hub: Hub, use: (hub: Hub) => Promise<T>): Promise<T> {
  try {
    return await use(hub);
  } finally {
    await hub.close();
  }
}

async function take(session: Session, instead: string): Promise<Hub> {
  const url = urlOf(session);
  // Opening to write would make a file that is not there: somebody mistyped its name.
  await (await openTaskHub(url, { readOnly: true })).close();
  try {
    return await openTaskHub(url, await optionsOf(session));
  } catch (error) {
    throw error instanceof FileLockedError ? lockedError(error, instead) : error;
  }
}

function lockedError(error: FileLockedError, instead: string): CommandError {
  const [first = "The file is held by another process", pid] = /^.* is held by (?:process (\d+)|another process)/.exec(error.message) ?? [];
  const who = pid === undefined ? "that process" : `process ${pid}`;
  return new CommandError(
    EXIT.unreachable,
    error.code,
    `${first}, and one process at a time can write to it. Either let that program do it (${instead}), or stop ${who} and run this command again. ` +
      "The commands that only look (list, show, history, explain, sizes) work beside it.",
    { cause: error },
  );
}

/** Without the codec of the programs, what is written would be nothing that they can read. */
export async function optionsOf({ hubOptions: file }: Session): Promise<HubOptions> {
  if (file === undefined) return {};
  const { hubOptions } = await loadModule(file);
  if (typeof hubOptions !== "object" || hubOptions === null)
    throw usageError(`${file} exports no hubOptions: export const hubOptions = { codec }, for example.`);
  return hubOptions;
}

/** The URL that the command is about. */
export function urlOf({ url }: Session): string {
  if (url === undefined)
    throw usageError(
      "There is no task hub: say which with --url sqlite:<file> or --url postgres://<host>/<database>, or set OSTINATO_URL.",
    );
  if (url.trim().toLowerCase().startsWith("memory:"))
    throw usageError("A task hub in memory lives and dies inside of its process: there is nothing that this command could open.");
  return url;
}
