// owner: this process among the owners of a hub, from its registration until it leaves.
//
// Owns:    the numbers of the hub and of the owner; its renewal; the calls made for it that have not been answered;
//          what the database has told of its clock.
// Is told: to register, to call, to renew, to leave.
// Tells:   what the functions answered; that another owner has succeeded it, and what it held is anybody's; what was taken over.
// Always:  L2 an owner that was taken over from is never used again: this process gets another one, and the call is made for that one.
//          L3 a call whose answer was lost is told of: what it has done is to be found out.
//          G3 the database's clock alone is read.

import { HubClosedError, StoreFormatError, StoreUnavailableError } from "../../contract/errors.ts";
import type { Instant } from "../../contract/instant.ts";
import type { Renewal } from "../../engine/store.ts";
import { systemClock } from "../../platform/clock.ts";
import { lastReading } from "../store-clock.ts";
import type { StoreClock } from "../store-clock.ts";
import { retried } from "./calls.ts";
import type { Calls } from "./calls.ts";
import { inSchema } from "./functions.ts";
import { readRenewed, startRenewer } from "./renewer.ts";
import type { Renewer, RenewerLog } from "./renewer.ts";

/** What an owner is given. */
export interface OwnerOptions {
  readonly calls: Calls;
  readonly schema: string;
  readonly hubName: string;
  /** Who this process is, for people. */
  readonly label: string;
  /** Tests only: time in place of the database's. */
  readonly clock: StoreClock | undefined;
  /** A thread has a connection of its own, by this string. */
  readonly connectionString: string | undefined;
  readonly renewal: "thread" | "main" | undefined;
  readonly maxBlockedMs: number | undefined;
  readonly log: RenewerLog;
  /** This process is another owner now, which holds nothing. */
  readonly onSucceeded: () => void;
  /** A renewal has taken over what others held: under these names something is ready. */
  readonly onTakenOver: (names: readonly string[]) => void;
  /** An answer was lost. */
  readonly onLostAnswer: () => void;
}

/** What every function answers that is called for an owner. `null`: it left it to another function. */
export type OwnerAnswer = { readonly gone?: true; readonly at: number } | null;

/** An owner of a hub, or somebody who only looks on. */
export interface Owner {
  /** The number of the hub. */
  readonly hub: number;
  /** Another one after a takeover; 0 for who only looks on. */
  readonly number: number;
  /** Registers, and is renewed from now on. */
  register(): Promise<void>;
  /** Finds the hub alone: who looks on is no owner. */
  lookOn(): Promise<void>;
  /** Calls a function for this owner; for its successor when it was gone. */
  call<Answer extends OwnerAnswer>(name: string, values: unknown[]): Promise<Answer>;
  /** When the calls that were made before now are answered. */
  answered(): Promise<void>;
  /** What a call has to say of the time: nothing, but in tests. */
  now(): Instant | null;
  /** What the database's clock showed, as somebody who asked was told. */
  note(at: Instant): void;
  /** The latest that was told. */
  readonly latest: Instant;
  /** What the database's clock shows at least. */
  readonly readingAtLeast: () => Instant;
  /** The same; unknown before anything was told. */
  toldAtLeast(): Instant | undefined;
  readonly renew: (forMs: number) => Promise<Renewal>;
  /** What was handed out last: if the main loop stands still, it is named. */
  readonly entered: (what: string) => void;
  /** It is renewed no longer, and nobody succeeds it. */
  retire(): Promise<void>;
  /** What it holds is anybody's at once, and not when the lease would have ended. */
  leave(): Promise<void>;
}

/** How long an owner lives that has not renewed yet. */
const FIRST_LEASE_MS = 60_000;
const MAX_BLOCKED_MS = 60_000;

/** An owner that is not registered yet. */
export function createOwner(options: OwnerOptions): Owner {
  const { calls, schema, hubName, label, clock, connectionString, log, onSucceeded, onTakenOver, onLostAnswer } = options;
  const told = lastReading();
  /** Calls that have not been answered. */
  const underWay = new Set<Promise<unknown>>();
  let hub = 0;
  let owner = 0;
  let leaseMs = FIRST_LEASE_MS;
  let renewer: Renewer | undefined;
  let succeeding: Promise<void> | undefined;
  let isRetired = false;

  function now(): Instant | null {
    return clock?.now() ?? null;
  }

  // ---------------------------------------------------------------------------------------------------- becoming one

  async function register(): Promise<void> {
    const [row] = await calls.rows("select * from {schema}.register_1($1, $2, $3, $4)", [hubName, now(), leaseMs, label]);
    const { o_at: at, o_hub: found, o_owner: mine, o_closed: closed } = row ?? {};
    if (typeof closed === "string") throw new StoreUnavailableError(closed);
    hub = Number(found);
    owner = Number(mine);
    told.note(Number(at));
  }

  /** Somebody has taken over from this owner: everything it held is anybody's, and this process begins anew as another one. */
  function succeed(): Promise<void> {
    succeeding ??= register()
      .then(() => {
        onSucceeded();
        renewer?.replaceOwner(owner);
      })
      .finally(() => (succeeding = undefined));
    return succeeding;
  }

  async function lookOn(): Promise<void> {
    const rows = await calls.rows(
      "select h.hub, h.name, {schema}.now_1() as at from {schema}.hubs h order by h.name = $1 desc, h.name limit 20",
      [hubName],
    );
    const [first] = rows;
    if (first?.["name"] !== hubName) {
      const others = rows.map(({ name }) => JSON.stringify(name)).join(", ");
      throw new StoreFormatError(
        `There is no task hub ${JSON.stringify(hubName)} in the schema ${JSON.stringify(schema)}${others === "" ? "" : `; there are ${others}`}. Say which with ?hub=name, or open it without { readOnly: true }, which makes it.`,
      );
    }
    hub = Number(first["hub"]);
    told.note(Number(first["at"]));
  }

  // ---------------------------------------------------------------------------------------------------- calling

  async function call<Answer extends OwnerAnswer>(name: string, values: unknown[]): Promise<Answer> {
    const calling = callForOwner<Answer>(name, values);
    underWay.add(calling);
    try {
      return await calling;
    } catch (error) {
      if (error instanceof StoreUnavailableError) onLostAnswer();
      throw error;
    } finally {
      underWay.delete(calling);
    }
  }

  async function callForOwner<Answer extends OwnerAnswer>(name: string, values: unknown[]): Promise<Answer> {
    for (;;) {
      const asking = owner;
      const [row] = await retried(() => calls.prepared(name, [asking, hub, now(), ...values]));
      const answer = row?.["r"] as Answer;
      if (answer === null) return answer;
      if (answer.gone !== true) {
        told.note(answer.at);
        return answer;
      }
      // Whoever leaves is gone by its own will: a claim that comes late must not make it somebody who holds something again.
      if (isRetired) throw new HubClosedError("The store is closed.");
      if (owner === asking) await succeed();
    }
  }

  // ---------------------------------------------------------------------------------------------------- staying one

  function keepRenewed(): Renewer {
    const onThread = connectionString !== undefined && clock === undefined && options.renewal !== "main";
    const statement = inSchema("select * from {schema}.renew_1($1, $2, null, $3)", schema);
    return startRenewer({
      owner,
      clock: systemClock,
      log,
      ...(onThread
        ? {
            thread: {
              connectionString,
              label: `ostinato leases ${label}`,
              statement,
              hub,
              maxBlockedMs: options.maxBlockedMs ?? MAX_BLOCKED_MS,
            },
          }
        : { whyHere: connectionString === undefined ? "a thread cannot use the pool that was handed in" : undefined }),
      renewHere: async (asking, forMs) =>
        readRenewed((await calls.rows("select * from {schema}.renew_1($1, $2, $3, $4)", [asking, forMs, now(), hub]))[0]),
      onRenewed({ takenOver, names }) {
        if (takenOver > 0) onTakenOver(names);
      },
      onLost: succeed,
    });
  }

  async function renew(forMs: number): Promise<Renewal> {
    if (renewer === undefined) throw new HubClosedError("The store is not open.");
    leaseMs = forMs;
    const renewal = await renewer.renew(forMs);
    told.note(renewal.at);
    return { ...renewal, at: told.latest };
  }

  return {
    get hub() {
      return hub;
    },
    get number() {
      return owner;
    },
    async register() {
      await register();
      renewer = keepRenewed();
    },
    lookOn,
    call,
    answered: async () => void (await Promise.allSettled(underWay)),
    now,
    note: (at) => told.note(at),
    get latest() {
      return told.latest;
    },
    readingAtLeast: () => clock?.now() ?? told.atLeast() ?? 0,
    toldAtLeast: () => told.atLeast(),
    renew,
    entered: (what) => renewer?.entered(what),
    async retire() {
      isRetired = true;
      await renewer?.close();
    },
    leave: async () => void (await calls.rows("select * from {schema}.leave_1($1, $2, $3)", [owner, hub, now()]).catch(() => undefined)),
  };
}
