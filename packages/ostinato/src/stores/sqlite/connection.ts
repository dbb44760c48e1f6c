// connection: the one connection to a file, and the only place where groups of operations are carried out.
//
// Owns:    transactions: one for all groups that wait, one for each operation when something unforeseen happened.
// Is told: groups of operations, as flat lists.
// Tells:   a reply to each group: reading, hints, and the answers in order.
// Always:  I3 nothing is answered before it is durable.
//          Of two connections of this process to one file only the one works that has what both need to know: leases, numbers, the reading.
//          S1 each commit whole or not at all; what fails alone is refused alone.
//          D3 after a failed COMMIT no success is answered from that handle: the file is opened anew, written through, and every lease is void.
//          D4 what cannot be written for want of room is refused, and tried again when it is asked again; reads go on.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { StoreUnavailableError } from "../../contract/errors.ts";
import { ColumnReader } from "../sql/read-rows.ts";
import type { Migration } from "../sql/schema.ts";
import { machineClock, risingClock } from "../store-clock.ts";
import type { StoreClock } from "../store-clock.ts";
import { applyCommit, RefusedLate } from "./apply-commit.ts";
import { applyClaim, applyRelease, giveBack } from "./claim.ts";
import { codeOf, lockFile, messageOf, openForReading, openForWriting, refused } from "./database-file.ts";
import type { FileLock } from "./database-file.ts";
import { FULL, inWords, leavesDoubt } from "./disk-faults.ts";
import { applyCutLog, applyGiveBack } from "./give-back.ts";
import { Leases } from "./leases.ts";
import { applyFinished, applyHistory, applyOutstanding, applyQuery, applyRead } from "./reading.ts";
import { Session } from "./session.ts";
import {
  CLAIM,
  CLOCK,
  CLOSE,
  COMMIT,
  CUT_LOG,
  DONE,
  FAILED,
  FINISHED,
  GIVE_BACK,
  OPEN,
  OUTSTANDING,
  PAGE_OF_HISTORY,
  QUERY,
  READ,
  RELEASE,
  writes,
} from "./wire.ts";
import type { Wire } from "./wire.ts";

/** How much one COMMIT counts in the average of them. */
const COMMIT_WEIGHT = 0.05;

/** How a connection is opened. Plain data but for the clock, so that it can be sent to a thread. */
export interface ConnectionOptions {
  readonly path: string;
  readonly readOnly: boolean;
  /** How many pages the write-ahead log may have before it is carried over. */
  readonly walPages: number;
  /** It stands by, until it takes over from the connection that holds the file. */
  readonly standby?: boolean;
  /** Makes each durable commit take this much longer: a slow disk, for measurements. */
  readonly commitDelayMs?: number;
  /** From which time for a COMMIT on the disk counts as slow: 2. */
  readonly slowCommitMs?: number;
  /** Changes hands after every group, where there are two of them. For tests. */
  readonly restless?: boolean;
  readonly clock?: StoreClock;
  readonly migrations?: readonly Migration[];
  /** Asked before each COMMIT; what it throws is what the COMMIT throws. For tests of a failing disk. */
  readonly beforeCommit?: (db: DatabaseSync) => void;
}

/** An open connection. */
export interface Connection {
  execute(groups: readonly Wire[]): Wire[];
  /** How long a COMMIT takes, on a moving average. */
  readonly commitMs: number;
  /** How long the last one took here; 0 when it was not made here. */
  readonly lastCommitMs: number;
  /** Gives up all it knows beside the file; `undefined` when it cannot now. */
  handOver(): Wire | undefined;
  /** Goes on with what the other connection of this process gave up. */
  takeOver(state: Wire): void;
  /** Carries over what it can of the log, beside a connection that goes on writing. */
  checkpoint(): void;
  close(): void;
}

/** A COMMIT that failed in a way that leaves open whether it happened. */
class InDoubt extends Error {}

/** Opens a file and takes it, or opens it to read. */
export function openConnection(options: ConnectionOptions): Connection {
  const { path, readOnly } = options;
  let clock = options.clock === undefined ? machineClock() : risingClock(options.clock);
  const standby = options.standby ?? false;
  const lock: FileLock | undefined = readOnly || standby ? undefined : lockFile(path);
  const leases = new Leases();
  const queries = new Map<string, StatementSync>();
  let session: Session | undefined;
  /** Since the last reply: everything may be ready, so everybody has to look. */
  let reopened = false;
  let commitMs = 0;
  let lastCommitMs = 0;

  function connect(): Session {
    const db = readOnly ? openForReading(path, options.migrations) : openForWriting(path, options.migrations);
    // By frames of the log and not by the file's size, which stays when the log begins anew. It runs behind a COMMIT, so between two groups.
    if (!readOnly) db.exec(`pragma wal_autocheckpoint = ${options.walPages}`);
    return new Session(db, leases);
  }

  try {
    session = connect();
    if (!readOnly && !standby) recover(session, clock.now());
  } catch (error) {
    session?.db.close();
    lock?.release();
    throw refused(path, error);
  }

  /** The session, opened anew if it was lost. Whatever was held before is void, since nobody knows what had become of it. */
  function working(): Session {
    if (session !== undefined) return session;
    const opened = connect();
    try {
      const checkpoint = opened.db.prepare("pragma wal_checkpoint(truncate)").get();
      if (checkpoint?.["busy"] !== 0) throw new Error("The write-ahead log cannot be carried over.");
      opened.start(clock.now());
      opened.sql.begin.run();
      for (const lease of leases.all()) {
        opened.sql.raiseEpoch.run(lease.number);
        opened.sql.dropReady.run(lease.number); // the COMMIT that is in doubt may have given it back already
        opened.free(lease);
      }
      opened.sql.releaseActivities.run(opened.at);
      // What the COMMIT that is in doubt has made, leased or brought to somebody, no lease knows of.
      for (const [number] of opened.sql.stranded.all() as unknown as [number][]) opened.placeReady(number, true);
      opened.sql.commit.run();
      leases.settle();
    } catch (error) {
      leases.rollBack();
      opened.db.close();
      throw error;
    }
    session = opened;
    reopened = true;
    return opened;
  }

  function abandon(): void {
    leases.rollBack();
    queries.clear();
    try {
      session?.db.close();
    } catch {
      // It is given up as it is; the file is opened anew before anything else is answered.
    }
    session = undefined;
  }

  function begin(at: Session): void {
    at.sql.begin.run();
  }

  function commit(at: Session): void {
    const begun = performance.now();
    try {
      options.beforeCommit?.(at.db);
      at.sql.commit.run();
    } catch (error) {
      if (codeOf(error) === FULL) throw error;
      throw new InDoubt(messageOf(error), { cause: error });
    }
    at.leases.settle();
    if (options.commitDelayMs !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, options.commitDelayMs);
    lastCommitMs = performance.now() - begun;
    commitMs += (lastCommitMs - commitMs) * COMMIT_WEIGHT;
  }

  function rollBack(at: Session): void {
    at.rollBack();
    if (!at.db.isTransaction) return;
    try {
      at.sql.rollback.run();
    } catch (error) {
      throw new InDoubt(messageOf(error), { cause: error });
    }
  }

  function apply(at: Session, code: number, owner: number, from: ColumnReader, careful: boolean, reply: Wire): void {
    switch (code) {
      case COMMIT:
        return applyCommit(at, leases.ownerOf(owner), from, careful, reply);
      case CLAIM:
        return applyClaim(at, leases.ownerOf(owner), from, reply);
      case RELEASE:
        return applyRelease(at, leases.ownerOf(owner), from, reply);
      case READ:
        return applyRead(at, leases.ownerOf(owner).hub, from, reply);
      case PAGE_OF_HISTORY:
        return applyHistory(at, leases.ownerOf(owner).hub, from, reply);
      case QUERY:
        return applyQuery(at, leases.ownerOf(owner).hub, from, queries, reply);
      case FINISHED:
        return applyFinished(at, leases.ownerOf(owner).hub, from, reply);
      case GIVE_BACK:
        return applyGiveBack(at.db, reply);
      case CUT_LOG:
        return readOnly ? void reply.push(DONE) : applyCutLog(at.db, reply);
      case OUTSTANDING:
        return applyOutstanding(at, leases.ownerOf(owner).hub, from, reply);
      case OPEN: {
        const joined = leases.join(hubOf(at, from.text(), readOnly));
        return void reply.push(DONE, joined.hub, joined.owner);
      }
      case CLOSE:
        giveBack(at, owner);
        leases.leave(owner);
        return void reply.push(DONE);
      case CLOCK:
        return void reply.push(DONE);
      default:
        throw new Error(`Operation ${code} is unknown.`);
    }
  }

  /** All groups in one transaction. */
  function together(at: Session, groups: readonly Wire[], reading: number, careful: boolean): Wire[] {
    at.start(reading);
    const writing = !readOnly && groups.some(writes);
    if (writing) begin(at);
    const replies = groups.map((group) => {
      const reply: Wire = [];
      const from = new ColumnReader(group);
      while (from.position < group.length) {
        const start = from.position;
        const code = from.number();
        const length = from.number();
        apply(at, code, from.number(), from, careful, reply);
        from.position = start + length;
      }
      return reply;
    });
    if (writing) commit(at);
    return replies;
  }

  /** Each operation in a transaction of its own: the one that fails alone is refused alone. */
  function alone(groups: readonly Wire[], reading: number): Wire[] {
    const telling = { ready: false, dueAt: Number.POSITIVE_INFINITY, ended: [] as Wire };
    const replies = groups.map((group) => {
      const replyToAll: Wire = [];
      for (let start = 0; start < group.length; start += group[start + 1] as number) {
        const reply: Wire = [];
        try {
          const at = working();
          at.start(reading);
          const from = new ColumnReader(group, start + 3);
          const writing = (group[start] as number) < READ && !readOnly;
          if (writing) begin(at);
          apply(at, group[start] as number, group[start + 2] as number, from, true, reply);
          if (writing) commit(at);
          telling.ready ||= at.telling.ready;
          telling.dueAt = Math.min(telling.dueAt, at.telling.dueAt);
          telling.ended.push(...at.telling.ended);
        } catch (error) {
          giveUp(error);
          reply.length = 0;
          reply.push(FAILED, inWords(error instanceof InDoubt ? error.cause : error));
        }
        for (const value of reply) replyToAll.push(value);
      }
      return replyToAll;
    });
    if (session !== undefined) session.telling = telling;
    return replies;
  }

  /** After an error: back to before the transaction, or, when that cannot be said of the file, to a new session. */
  function giveUp(error: unknown): void {
    if (session === undefined) return;
    if (error instanceof InDoubt || leavesDoubt(error)) return abandon();
    try {
      rollBack(session);
    } catch {
      abandon();
    }
  }

  function execute(groups: readonly Wire[]): Wire[] {
    const reading = clock.now();
    let replies: Wire[];
    try {
      replies = attempt(groups, reading);
    } catch {
      replies = alone(groups, reading);
    }
    const telling = session?.telling;
    const ready = telling?.ready === true || reopened;
    reopened = false;
    const head: Wire = [reading, ready ? 1 : 0, telling === undefined || telling.dueAt === Number.POSITIVE_INFINITY ? null : telling.dueAt];
    const ended = telling?.ended ?? [];
    // Hints are for everybody: they stand in the first reply alone.
    return replies.map((reply, index) => (index === 0 ? [...head, ended.length, ...ended, ...reply] : [reading, 0, null, 0, ...reply]));
  }

  function attempt(groups: readonly Wire[], reading: number): Wire[] {
    try {
      return together(working(), groups, reading, false);
    } catch (error) {
      giveUp(error);
      if (!(error instanceof RefusedLate)) throw error;
    }
    try {
      return together(working(), groups, reading, true);
    } catch (error) {
      giveUp(error);
      throw error;
    }
  }

  function handOver(): Wire | undefined {
    if (session === undefined) return undefined;
    const state: Wire = [clock.now(), commitMs];
    session.handOver(state);
    return state;
  }

  function takeOver(state: Wire): void {
    const from = new ColumnReader(state);
    clock = machineClock(from.number());
    commitMs = from.number();
    lastCommitMs = 0;
    session ??= connect();
    session.takeOver(from);
  }

  function checkpoint(): void {
    try {
      session?.db.exec("pragma wal_checkpoint(passive)");
    } catch {
      // It frees room and nothing else; the next one tries again.
    }
  }

  function close(): void {
    session?.db.close();
    session = undefined;
    lock?.release();
  }

  return {
    execute,
    get commitMs() {
      return commitMs;
    },
    get lastCommitMs() {
      return lastCommitMs;
    },
    handOver,
    takeOver,
    checkpoint,
    close,
  };
}

/** Leases of earlier processes are void: what they held is ready again. Attempts stay counted. */
function recover(session: Session, reading: number): void {
  session.start(reading);
  session.sql.begin.run();
  session.sql.releaseActivities.run(reading);
  for (const [number] of session.sql.stranded.all() as unknown as [number][]) session.placeReady(number, true);
  session.sql.commit.run();
}

/** The number of a hub; one that is new is made. One that is closed is opened by nobody. */
function hubOf(session: Session, name: string, readOnly: boolean): number {
  const found = session.sql.hubOfName.get(name) as unknown as [number, string | null] | undefined;
  if (found !== undefined && found[1] !== null) throw new StoreUnavailableError(found[1]);
  if (found !== undefined) return found[0];
  return readOnly ? 0 : (session.sql.insertHub.get(name) as unknown as [number])[0];
}
