// sqlite-store: a task hub in a file, through Node's own SQLite.
//
// Owns:    what of a record its row is known to hold, so that a turn writes only what it changed.
// Is told: the operations of a store.
// Tells:   groups of operations to the connection; claims, results and hints to the engine.
// Always:  I3 an operation resolves after its transaction is durable.
//          One file is held by one process; several stores of it share the connection, each of them an owner.

import { HubClosedError, InvalidArgumentError, InvalidStateError, StoreUnavailableError, UnsupportedError } from "../../contract/errors.ts";
import type { HistoryEvent } from "../../contract/events.ts";
import type { InstanceId } from "../../contract/ids.ts";
import type { StoredInstance } from "../../contract/instance.ts";
import { LATEST_INSTANT } from "../../contract/instant.ts";
import type { InstanceFilter, Page, PageRequest } from "../../contract/queries.ts";
import type { ActivityLease, Commit, CommitResult, Lease } from "../../engine/commit.ts";
import type { ChangeHint, ClaimRequest, Claims, FileUpkeep, FinishedPage, FinishedRequest, Store } from "../../engine/store.ts";
import { cursorOf, numberOfCursor, pageSize } from "../paging.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import type { Migration } from "../sql/schema.ts";
import { FIRST_TERMINAL, STATUSES } from "../sql/rows.ts";
import { decodeRow } from "../sql/history-row.ts";
import { KnownRows } from "../sql/known-rows.ts";
import { pushCommit } from "../sql/write-commit.ts";
import { updateByDecision } from "../sql/update-by-decision.ts";
import type { UpdateParts } from "../sql/update-by-decision.ts";
import { lastReading } from "../store-clock.ts";
import type { StoreClock } from "../store-clock.ts";
import { readClaims, readFinished, readFound, readOne, readOutstanding, readPage, readResult } from "./answers.ts";
import { backUpFile } from "./backup.ts";
import { createBeside } from "./beside.ts";
import type { BodyKind } from "./bodies.ts";
import type { ConnectionOptions } from "./connection.ts";
import { canonicalPath } from "./database-file.ts";
import { joinConnection } from "./shared-connection.ts";
import type { Asker, Hint, SharedConnection } from "./shared-connection.ts";
import {
  CLAIM,
  CLOCK,
  CLOSE,
  COMMIT,
  CUT_LOG,
  FINISHED,
  GIVE_BACK,
  HISTORY_NONE,
  HISTORY_PAGE,
  HISTORY_REPLACED,
  OPEN,
  OUTSTANDING,
  PAGE_OF_HISTORY,
  QUERY,
  READ,
  RELEASE,
  pushNames,
} from "./wire.ts";
import type { Wire } from "./wire.ts";

/** What an SQLite store is opened with. */
export interface SqliteStoreOptions {
  /** The database file. It is made when it does not exist; its folder is not. */
  readonly path: string;
  /** The task hub in the file: several can share one. */
  readonly hub?: string;
  /** Where the disk is waited for: in this thread (`"inline"`), on one of its own (`"thread"`), or wherever is better at the moment (`"auto"`, the default). */
  readonly body?: BodyKind;
  /** Reads beside the process that holds the file. */
  readonly readOnly?: boolean;
  /** Makes each commit take longer: a slow disk, for measurements. */
  readonly commitDelayMs?: number;
  /** How long the write-ahead log may grow before it is carried over, in pages of 4 KiB. */
  readonly walPages?: number;
  /** Tests only, and with body "inline" only: the clock, other migrations, a failing disk. With body "auto": to change hands after every group. */
  readonly testing?: {
    readonly restless?: true;
    readonly clock?: StoreClock;
    readonly migrations?: readonly Migration[];
    readonly beforeCommit?: NonNullable<ConnectionOptions["beforeCommit"]>;
  };
}

/**
 * A task hub in an SQLite file. Nothing is touched before `open()`.
 *
 * @example
 * const store = openSqliteStore({ path: "orders.db" });
 * await store.open();
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const readOnly = options.readOnly ?? false;
  const kind: BodyKind = options.body ?? (options.testing === undefined && !readOnly ? "auto" : "inline");
  if (options.testing !== undefined && kind !== (options.testing.restless ? "auto" : "inline"))
    throw new InvalidArgumentError('The options for tests need body "inline": they cannot be sent to a thread.');
  const watchers = new Set<(hint: ChangeHint) => void>();
  const known = new KnownRows();
  const told = lastReading();
  const beside = createBeside();
  let connection: SharedConnection | undefined;
  let owner = 0;
  let hub = 0;
  /** Room went back since the log was cut. */
  let gaveBack = false;
  let unwatch = (): void => undefined;
  let opening: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  // ---------------------------------------------------------------------------------------------------- asking

  function ask(code: number, write: (to: Wire) => void, asker: Asker): void {
    if (connection === undefined)
      asker.onLost(new HubClosedError(closing === undefined ? "The store is not open yet: call open() first." : "The store is closed."));
    else if (readOnly && code < READ && code !== OPEN)
      asker.onLost(new UnsupportedError(`${options.path} was opened to read. Open it without { readOnly: true } to write.`));
    else connection.ask(code, owner, write, asker);
  }

  function asked<T>(code: number, write: (to: Wire) => void, read: (from: ColumnReader, at: number) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      ask(code, write, {
        onAnswer(_, from, at) {
          told.note(at);
          try {
            resolve(read(from, at));
          } catch (error) {
            reject(error instanceof Error ? error : new StoreUnavailableError(String(error)));
          }
        },
        onFailure: (message) => reject(new StoreUnavailableError(`${options.path}: ${message}`)),
        onLost: reject,
      });
    });
  }

  // ---------------------------------------------------------------------------------------------------- open and close

  async function open(): Promise<void> {
    if (closing !== undefined) throw new HubClosedError("The store is closed; open a new one.");
    const joined = await joinConnection(
      {
        path: canonicalPath(options.path),
        readOnly,
        walPages: options.walPages ?? 10_000,
        ...(options.commitDelayMs === undefined ? {} : { commitDelayMs: options.commitDelayMs }),
        ...options.testing,
      },
      kind,
    );
    connection = joined;
    try {
      await asked(
        OPEN,
        (to) => to.push(options.hub ?? "default"),
        (from) => {
          hub = from.number();
          owner = from.number();
        },
      );
    } catch (error) {
      connection = undefined;
      await joined.leave();
      throw error;
    }
    unwatch = joined.watch(tell);
  }

  async function close(): Promise<void> {
    await opening?.catch(() => undefined);
    await beside.close();
    const leaving = connection;
    if (leaving === undefined) return;
    if (!readOnly)
      await asked(
        CLOSE,
        () => undefined,
        () => undefined,
      ).catch(() => undefined);
    unwatch();
    connection = undefined;
    known.clear();
    await leaving.leave();
  }

  function tell(hint: Hint): void {
    const ended: InstanceId[] = [];
    for (let i = 0; i < hint.ended.length; i += 2) if (hint.ended[i] === hub) ended.push(hint.ended[i + 1] as string);
    if (!hint.ready && hint.dueAt === undefined && ended.length === 0) return;
    const told: ChangeHint = { ready: hint.ready, ended, ...(hint.dueAt === undefined ? {} : { dueAt: hint.dueAt }) };
    for (const watcher of watchers) watcher(told);
  }

  // ---------------------------------------------------------------------------------------------------- commits

  /** A commit on its way: one object, since there is one for every step of every instance. */
  class Sent implements Asker {
    readonly commit: Commit;
    readonly #resolve: (result: CommitResult, index: number) => void;
    readonly #reject: (error: Error) => void;
    readonly #index: number;

    constructor(commit: Commit, index: number, resolve: (result: CommitResult, index: number) => void, reject: (error: Error) => void) {
      this.commit = commit;
      this.#index = index;
      this.#resolve = resolve;
      this.#reject = reject;
    }

    onAnswer(code: number, from: ColumnReader, at: number): void {
      told.note(at);
      this.#settle(readResult(code, from, at, this.commit));
    }

    onFailure(message: string): void {
      this.#settle({ ok: false, why: "failed", failure: { errorType: "StoreUnavailableError", message: `${options.path}: ${message}` } });
    }

    onLost(error: Error): void {
      this.#reject(error);
    }

    #settle(result: CommitResult): void {
      const { record, number } = this.commit;
      if (record !== undefined && number !== 0) known.arrived(number);
      known.answered(this.commit, result);
      this.#resolve(result, this.#index);
    }
  }

  function send(
    commit: Commit,
    index: number,
    resolve: (result: CommitResult, index: number) => void,
    reject: (error: Error) => void,
    readTurn?: number,
  ): void {
    const { record, number } = commit;
    try {
      ask(COMMIT, (to) => pushCommit(commit, known.recordOf(number), to, readTurn), new Sent(commit, index, resolve, reject));
    } catch (error) {
      const { name, message } = error as Error;
      return resolve({ ok: false, why: "failed", failure: { errorType: name, message } }, index);
    }
    if (record !== undefined && number !== 0) known.sent(number);
  }

  function commitOne(commit: Commit, readTurn?: number): Promise<CommitResult> {
    return new Promise((resolve, reject) => send(commit, 0, resolve, reject, readTurn));
  }

  function commitAll(batch: readonly Commit[]): Promise<readonly CommitResult[]> {
    const [only] = batch;
    return new Promise((resolve, reject) => {
      if (only !== undefined && batch.length === 1) return send(only, 0, (result) => resolve([result]), reject);
      const results = new Array<CommitResult>(batch.length);
      let left = batch.length;
      if (left === 0) return resolve(results);
      const settle = (result: CommitResult, index: number): void => {
        results[index] = result;
        if (--left === 0) resolve(results);
      };
      batch.forEach((commit, index) => send(commit, index, settle, reject));
    });
  }

  const updating: UpdateParts = {
    read: (id) =>
      asked(
        READ,
        (to) => to.push(id),
        (from, at) => [readOne(from), at] as const,
      ),
    commit: commitOne,
    // Unknown where a test moves the clock.
    readingAtLeast: () => (options.testing?.clock === undefined ? told.atLeast() : undefined),
  };

  // ---------------------------------------------------------------------------------------------------- claims

  async function claim(want: ClaimRequest): Promise<Claims> {
    const claims = await asked(
      CLAIM,
      (to) => {
        to.push(want.instances);
        pushNames(to, want.orchestrators);
        to.push(want.entityCount);
        pushNames(to, want.entities);
        to.push(want.activityCount);
        pushNames(to, want.activities);
      },
      readClaims,
    );
    for (const one of claims.instances) known.learn(one.number, one.record);
    return claims;
  }

  async function release(leases: readonly (Lease | ActivityLease)[], afterMs: number): Promise<void> {
    if (leases.length === 0) return;
    for (const lease of leases) if (!("key" in lease)) known.forget(lease.number);
    await asked(
      RELEASE,
      (to) => {
        to.push(afterMs, leases.length);
        for (const lease of leases) {
          if ("key" in lease)
            to.push(1, lease.key.number, lease.key.generation, lease.key.taskId, lease.epoch, lease.undone === true ? 1 : 0);
          else to.push(0, lease.number, lease.epoch);
        }
      },
      () => undefined,
    );
  }

  // ---------------------------------------------------------------------------------------------------- reads

  async function* history(id: InstanceId, from = 0): AsyncGenerator<readonly HistoryEvent[]> {
    let page = { number: 0, generation: 0, more: true };
    let after = -1;
    while (page.more) {
      const { number, generation } = page;
      const next = await asked(
        PAGE_OF_HISTORY,
        (to) => to.push(id, number, generation, after, from),
        (reader) => readPage(reader, HISTORY_PAGE),
      );
      if (next.kind === HISTORY_NONE) return;
      if (next.kind === HISTORY_REPLACED)
        throw new InvalidStateError(`The history of instance ${id} was replaced while it was being read. Read it again.`);
      const events: HistoryEvent[] = [];
      for (const row of next.rows) {
        const decoded = decodeRow(id, row);
        for (let i = Math.max(0, from - row.first); i < decoded.length; i++) events.push(decoded[i] as HistoryEvent);
        after = row.turn;
      }
      if (events.length > 0) yield events;
      page = next;
    }
  }

  function read(id: InstanceId): Promise<StoredInstance | undefined> {
    return asked(READ, (to) => to.push(id), readOne);
  }

  async function query(filter: InstanceFilter, request: PageRequest): Promise<Page<StoredInstance>> {
    const size = pageSize(request);
    const items: StoredInstance[] = [];
    let after: number | undefined = numberOfCursor(request.cursor);
    while (after !== undefined && items.length <= size) {
      const from: number = after;
      const found = await asked(QUERY, (to) => to.push(from, size + 1 - items.length, JSON.stringify(filter)), readFound);
      items.push(...found.items);
      if (found.damaged.length > 0) for (const watcher of watchers) watcher({ ready: false, ended: [], damaged: found.damaged });
      after = found.until;
    }
    const last = items[size - 1];
    return items.length > size && last !== undefined ? { items: items.slice(0, size), next: cursorOf(last.record.number) } : { items };
  }

  function finished({ statuses, from = 0, to = LATEST_INSTANT, after, size }: FinishedRequest): Promise<FinishedPage> {
    const wanted = statuses?.map((one) => STATUSES.indexOf(one)) ?? [FIRST_TERMINAL, FIRST_TERMINAL + 1, FIRST_TERMINAL + 2];
    return asked(
      FINISHED,
      (wire) => {
        // The lower bound stands apart from the place to go on from, so that no plan of the statement begins before it.
        wire.push(Math.max(from, after?.completedAt ?? 0), after?.completedAt ?? -1, after?.id ?? "", to);
        wire.push(wanted[0] ?? -1, wanted[1] ?? -1, wanted[2] ?? -1, size);
      },
      readFinished,
    );
  }

  // ---------------------------------------------------------------------------------------------------- the file

  function openPath(): string {
    if (connection === undefined)
      throw new HubClosedError(closing === undefined ? "The store is not open yet: call open() first." : "The store is closed.");
    return canonicalPath(options.path);
  }

  const file: FileUpkeep = {
    backup: async (path, options) => backUpFile(beside, openPath(), path, options),
    checkIntegrity: async () => beside.run("check", { path: openPath() }),
    async giveBack() {
      const step = await asked(GIVE_BACK, () => undefined, readStep);
      gaveBack ||= step.bytes > 0;
      if (!step.more && gaveBack) {
        // What has gone leaves the file when the log is carried over.
        gaveBack = false;
        await asked(
          CUT_LOG,
          () => undefined,
          () => undefined,
        );
      }
      return step;
    },
  };

  return {
    claim,
    commit: commitAll,
    renew: () =>
      asked(
        CLOCK,
        () => undefined,
        (_, at) => ({ at, alive: true }),
      ),
    release,
    update: (id, decide, expects) => updateByDecision(updating, id, decide, expects),
    read,
    // They share one transaction.
    readAll: (ids) => Promise.all(ids.map(read)),
    history,
    query,
    finished,
    outstanding: (id) => asked(OUTSTANDING, (to) => to.push(id), readOutstanding),
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    open: () => (opening ??= open()),
    close: () => (closing ??= close()),
    sizes: async () => beside.run("sizes", { path: openPath(), hub: options.hub ?? "default" }),
    file,
  };
}

function readStep(from: ColumnReader): { readonly bytes: number; readonly more: boolean } {
  return { bytes: from.number(), more: from.number() === 1 };
}
