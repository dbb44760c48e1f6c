// move-task-hub: a task hub goes to another file or database, with everything that is in it.
//
// Owns:    which body reads and writes rows for which scheme.
// Always:  a body is imported when its scheme is used, and not before. No credentials are written down or shown.

import { InvalidArgumentError, UnsupportedError } from "../contract/errors.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import { systemClock } from "../platform/clock.ts";
import { systemRandom } from "../platform/random.ts";
import type { HubRows } from "../stores/move/hub-rows.ts";
import { markOfSource, moveHub, type MoveHubOptions, type MoveProgress } from "../stores/move/move-hub.ts";
import { undoMove, unfenceHub } from "../stores/move/undo-move.ts";
import { parseHubUrl } from "./hub-url.ts";

/**
 * How a task hub is moved.
 *
 * @example
 * const options: MoveOptions = { stopWorkers: true, onProgress: ({ step }) => console.log(step) };
 */
export interface MoveOptions {
  /** Other processes may have the hub open (PostgreSQL): it is closed for them, and their leases are waited for. */
  readonly stopWorkers?: boolean;
  /** Empties what stands in the way: half of a copy that is not gone on with, or the hub that was moved away from there once. */
  readonly restart?: boolean;
  /** Told after each page. */
  readonly onProgress?: (progress: MoveProgress) => void;
}

/**
 * What was moved.
 *
 * @example
 * const count = (moved: MovedTaskHub) => moved.tables?.["instances"]?.rows;
 */
export interface MovedTaskHub {
  /** The two hubs' URLs, without credentials. */
  readonly from: string;
  readonly to: string;
  /** False: it had been moved before, and nothing was left to do. */
  readonly moved: boolean;
  /** Rows and SHA-256 of each table, the same on both sides; absent when they had been compared before the move was cut off. */
  readonly tables?: Readonly<Record<string, { readonly rows: number; readonly checksum: string }>>;
}

const OPTIONS: OptionNames<MoveOptions> = { stopWorkers: true, restart: true, onProgress: true };

/**
 * Moves a task hub to another file or database: instances with their histories and payloads, entities with states and locks, timers, messages, activities.
 * What was under way goes on at the other side, under higher epochs. The hub must not be at work: a file that is held by another process is refused, and
 * so is a hub in PostgreSQL that other processes have open, unless `stopWorkers` says otherwise.
 *
 * The hub that is left is closed, before anything is copied, and says where it went; the other one is opened when all of it has been read back and compared.
 * A move that was cut off goes on when it is asked for again.
 *
 * @param from `"sqlite:app.db"` or `"postgres://..."`.
 * @param to where no hub is: a file, which is made; or a database, whose schema is made.
 * @throws InvalidStateError when there is nothing to move, or it cannot go there; FileLockedError; StoreUnavailableError.
 * @example
 * await moveTaskHub("sqlite:app.db", "postgres://db/app", { onProgress: ({ step, rows, ofRows }) => console.log(step, rows, ofRows) });
 */
export async function moveTaskHub(from: string, to: string, options: MoveOptions = {}): Promise<MovedTaskHub> {
  checkOptions(options, OPTIONS, "moveTaskHub");
  return withBoth(from, to, async (source, target) => {
    const { moved, tables } = await moveHub(source, target, worldFor(options));
    return { from: source.shown, to: target.shown, moved, ...given({ tables }) };
  });
}

/**
 * Takes a move back: what is at the other side goes, and the hub that was left is open again. Possible as long as nothing was done at the other side, which
 * is checked by reading it; afterwards the way back is another move.
 *
 * @param from the hub that was moved, or was being moved.
 * @param to where it went; `undefined` when that copy is lost for good. Then nothing is checked: see that nobody has it open, or there are two of it.
 * @throws InvalidStateError when something was done at the other side since, or there is nothing to undo.
 * @example
 * await undoMoveOfTaskHub("sqlite:app.db", "postgres://db/app");
 */
export async function undoMoveOfTaskHub(from: string, to: string | undefined, options: MoveOptions = {}): Promise<void> {
  checkOptions(options, OPTIONS, "undoMoveOfTaskHub");
  if (to !== undefined) return withBoth(from, to, (source, target) => undoMove(source, target, worldFor(options)));
  const source = await openRows(from, false);
  try {
    await unfenceHub(source);
  } finally {
    await source.close();
  }
}

function worldFor({ stopWorkers = false, restart = false, onProgress = () => undefined }: MoveOptions): MoveHubOptions {
  return {
    id: systemRandom.id(),
    on: new Date(systemClock.now()).toISOString(),
    stopWorkers,
    restart,
    onProgress,
    wait: (ms) => new Promise((resolve) => void systemClock.setTimer(ms, resolve, { hold: true })),
  };
}

async function withBoth<T>(from: string, to: string, use: (source: HubRows, target: HubRows) => Promise<T>): Promise<T> {
  refuseSameFile(from, to);
  const source = await openRows(from, false);
  try {
    await markOfSource(source); // before a target is made for it
    const target = await openRows(to, true);
    try {
      return await use(source, target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function refuseSameFile(from: string, to: string): void {
  const [a, b] = [parseHubUrl(from), parseHubUrl(to)];
  if (a.scheme === "sqlite" && b.scheme === "sqlite" && a.path === b.path)
    throw new InvalidArgumentError(`Both hubs are in one file, ${a.path}, which one of them would have to leave: move to another file.`);
}

async function openRows(url: string, create: boolean): Promise<HubRows> {
  const address = parseHubUrl(url);
  switch (address.scheme) {
    case "sqlite": {
      const { openFileHubRows } = await import("../stores/sqlite/file-hub-rows.ts");
      return openFileHubRows({ path: address.path, create, ...given({ hub: address.hub }) });
    }
    case "postgres": {
      const { connectionString, hub, schema } = address;
      if (connectionString === undefined)
        throw new InvalidArgumentError('A move has a connection of its own: write the whole address, "postgres://host/database".');
      const { openSchemaHubRows } = await import("../stores/postgres/schema-hub-rows.ts");
      return openSchemaHubRows({ connectionString, create, ...given({ hub, schema }) });
    }
    case "memory":
    case "remote":
      throw new UnsupportedError("Only a file (sqlite:app.db) or a database (postgres://host/database) can be moved from or to.");
  }
}
