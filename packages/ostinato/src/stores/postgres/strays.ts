// strays: what the database says that this process holds, and this process knows nothing of: the answer that told of it was lost on its way.
//
// Owns:    when the two are compared: soon after an answer was lost, and now and then.
// Is told: that an answer was lost.
// Tells:   what is to be given back, so that somebody runs it; that everybody shall look for what the lost answer may have announced.
// Always:  L3 what was claimed and not told is given back as soon as the database can be asked again; a comparison that fails is made again.
//          The list is read when no call of this owner is under way in the database, and compared when all that were have had their answers: what
//          is known by then and what is listed can differ by nothing but what was lost. Whatever has changed since has another epoch, and stays.

import type { Lease } from "../../engine/commit.ts";
import type { Clock, ClockTimer } from "../../platform/clock.ts";
import { withPooledConnection } from "./database.ts";
import type { PostgresPool, PostgresPoolClient } from "./database.ts";
import { inSchema } from "./functions.ts";
import type { ClaimedActivity } from "./held-activities.ts";

/** What the database says that an owner holds. */
export interface Listed {
  readonly instances: readonly Lease[];
  readonly activities: readonly ClaimedActivity[];
}

/** What the comparison is given. */
export interface StraysWorld {
  readonly clock: Clock;
  /** Lists what this owner holds; nothing when it is another one by now. */
  readonly list: () => Promise<Listed | undefined>;
  /** Resolves when the calls that are under way now have been answered, and what they told is known. */
  readonly answered: () => Promise<void>;
  readonly isKnown: { readonly instance: (lease: Lease) => boolean; readonly activity: (activity: ClaimedActivity) => boolean };
  readonly giveBack: (strays: Listed) => Promise<void>;
  /** Answers that were lost may have said what became ready, and who ended: everybody looks. */
  readonly lookAgain: () => void;
  readonly log: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void };
}

/** Compares. */
export interface Strays {
  /** An answer was lost. */
  suspect(): void;
  close(): void;
}

const SOON_MS = 100;
const LONGEST_RETRY_MS = 5_000;
const NOW_AND_THEN_MS = 600_000;

/** Compares from now on. */
export function lookForStrays(world: StraysWorld): Strays {
  const { clock, list, answered, isKnown, giveBack, lookAgain, log } = world;
  let timer: ClockTimer | undefined;
  let isComparing = false;
  let isSuspected = false;
  let isClosed = false;
  let failures = 0;

  const again = (ms: number): void => {
    timer?.cancel();
    if (!isClosed) timer = clock.setTimer(ms, () => void compare());
  };

  const compare = async (): Promise<void> => {
    if (isComparing) return;
    isComparing = true;
    const wasLost = isSuspected;
    isSuspected = false;
    try {
      const listed = await list();
      await answered();
      failures = 0;
      if (isClosed) return;
      if (wasLost) lookAgain();
      if (listed === undefined) return;
      const instances = listed.instances.filter((lease) => !isKnown.instance(lease));
      const activities = listed.activities.filter((activity) => !isKnown.activity(activity));
      if (instances.length + activities.length === 0) return;
      log.warn("answers of the database were lost: what they told of is given back", {
        instances: instances.length,
        activities: activities.length,
      });
      await giveBack({ instances, activities });
    } catch {
      // Asked again, until it can be.
      isSuspected ||= wasLost;
      failures++;
    } finally {
      isComparing = false;
      again(isSuspected || failures > 0 ? Math.min(SOON_MS * 2 ** failures, LONGEST_RETRY_MS) : NOW_AND_THEN_MS);
    }
  };

  again(NOW_AND_THEN_MS);
  return {
    suspect() {
      if (isSuspected) return;
      isSuspected = true;
      if (!isComparing) again(SOON_MS);
    },
    close() {
      isClosed = true;
      timer?.cancel();
    },
  };
}

/** So long the list waits for a call of its owner that does not end; others of its calls wait behind it. */
const PATIENCE = "2s";

/** What the database says that an owner holds, at a moment at which no call of this owner is under way. */
export function listOwned(pool: PostgresPool, schema: string, owner: number): Promise<Listed> {
  return withPooledConnection(
    () => pool.connect(),
    (client) => listOver(client, schema, owner),
  );
}

async function listOver(client: PostgresPoolClient, schema: string, owner: number): Promise<Listed> {
  const ask = async (text: string, ...values: unknown[]) => (await client.query({ text: inSchema(text, schema), values })).rows;
  await ask("begin");
  await ask(`set local lock_timeout = '${PATIENCE}'`);
  // Every call of an owner shares this lock until it is done; whoever has it alone sees all that they did.
  await ask("select pg_advisory_xact_lock({lock}, $1)", owner);
  const instances = await ask("select number, epoch from {schema}.instances where owner = $1", owner);
  const activities = await ask("select number, generation, task_id, epoch from {schema}.activities where owner = $1", owner);
  await ask("commit");
  return {
    instances: instances.map(({ number, epoch }) => ({ number: Number(number), epoch: Number(epoch) })),
    activities: activities.map(({ number, generation, task_id: task, epoch }) => ({
      key: { number: Number(number), generation: Number(generation), taskId: Number(task) },
      epoch: Number(epoch),
    })),
  };
}
