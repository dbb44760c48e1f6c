// postgres-store: a task hub in a PostgreSQL database, which any number of processes share.
//
// Owns:    the way to the database, and its owner; what this process knows of the instances it holds.
// Is told: the operations of a store.
// Tells:   groups of commits to the database; claims, results and hints to the engine; what is new to the other processes.
// Always:  I3 an operation resolves after its transaction is durable.
//          G3 the database's clock alone is read; G2 the epochs in the rows alone say who may write.
//          An owner that was succeeded takes everything along that this process held.

import { hostname } from "node:os";
import { HubClosedError, StoreUnavailableError } from "../../contract/errors.ts";
import type { InstanceId, InstanceNumber } from "../../contract/ids.ts";
import { isTerminal } from "../../contract/instance.ts";
import type { StoredInstance } from "../../contract/instance.ts";
import type { InboxMessage } from "../../contract/messages.ts";
import type { InstanceFilter, Page, PageRequest } from "../../contract/queries.ts";
import type { HubSizes } from "../../contract/maintenance.ts";
import { given } from "../../contract/recorded-as.ts";
import type { ActivityLease, Claim, Commit, CommitResult, Lease } from "../../engine/commit.ts";
import type { ChangeHint, ClaimRequest, Claims, DamagedClaim, Store, WantedNames } from "../../engine/store.ts";
import { onlyReading } from "../only-reading.ts";
import { cursorOf, numberOfCursor, pageSize } from "../paging.ts";
import { roomLeft } from "../room-left.ts";
import { systemClock } from "../../platform/clock.ts";
import { silentLogger } from "../../platform/logger.ts";
import { systemRandom } from "../../platform/random.ts";
import { KnownRows } from "../sql/known-rows.ts";
import { updateByDecision } from "../sql/update-by-decision.ts";
import type { UpdateParts } from "../sql/update-by-decision.ts";
import { risingClock } from "../store-clock.ts";
import type { StoreClock } from "../store-clock.ts";
import { withPartsOfUrl } from "./address.ts";
import { readActivities, readClaimRows, readInbox, readStoredRow } from "./answers.ts";
import type { ClaimAnswer, CommitAnswer, GroupAnswer, ReadClaim, ReleaseAnswer, Row, StepAnswer } from "./answers.ts";
import { createCalls } from "./calls.ts";
import { arrayOf, Columns } from "./columns.ts";
import { CommitLine } from "./commit-line.ts";
import type { Sending, Settled } from "./commit-line.ts";
import { isRefusedStep, openDatabase } from "./database.ts";
import type { Database, PostgresPool } from "./database.ts";
import type { Beside, CommitGroup } from "./gather-commits.ts";
import { HeldActivities } from "./held-activities.ts";
import { HeldLeases } from "./held-leases.ts";
import { lookNowAndThen, startListener } from "./listener.ts";
import type { Listener } from "./listener.ts";
import { prepareSchema } from "./migrate.ts";
import { checkHubName, checkSchemaName, DEFAULT_HUB, DEFAULT_SCHEMA } from "./names.ts";
import { ANYTHING, channelOf, createNotices, isWanted, readNotice } from "./notices.ts";
import type { Notices } from "./notices.ts";
import { keepPooledConnection, openOwnConnection } from "./own-connection.ts";
import { createOwner } from "./owner.ts";
import { checkPlace, withConnection } from "./place.ts";
import { ReadLine } from "./read-line.ts";
import { ReleaseLine } from "./release-line.ts";
import { askForPage, readFinished, readHistory, readOutstanding } from "./reading.ts";
import { sizesOf } from "./sizes.ts";
import { listOwned, lookForStrays } from "./strays.ts";
import type { Strays } from "./strays.ts";

/** What a PostgreSQL store is opened with. */
export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/database?hub=orders`; this or a pool. */
  readonly connectionString?: string;
  /** A pool of your own, of the package `pg`. It is never ended here. */
  readonly pool?: PostgresPool;
  /** The task hub in the database: several can share one. */
  readonly hub?: string;
  /** The schema that the tables are in; `ostinato` by default. */
  readonly schema?: string;
  /** Pooled connections of this process at most; 4 by default. One to listen and one to renew leases come besides. */
  readonly connections?: number;
  /** Who this process is, for people who look at the owners; host name and process number by default. */
  readonly label?: string;
  /** Reads only: takes no work, writes nothing. */
  readonly readOnly?: boolean;
  /** Where leases are renewed: on a thread with a connection of its own (the default where there is a connection string), or in the main loop. */
  readonly renewal?: "thread" | "main";
  /** When the main loop has stood still for so long, the thread stops renewing, and others take over; 60 s by default. */
  readonly maxBlockedMs?: number;
  /** Hears of work by LISTEN (the default), or looks for it now and then. */
  readonly listen?: boolean;
  /** Where lines for people go. */
  readonly log?: PostgresLog;
  /** Tests only: time in place of the database's. */
  readonly testing?: { readonly clock?: StoreClock };
}

/** Where lines for people go. */
export interface PostgresLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const LISTEN_ANSWER_MS = 5_000;

/**
 * A task hub in PostgreSQL. Nothing is connected before `open()`.
 *
 * @example
 * const store = openPostgresStore({ connectionString: "postgres://localhost/orders" });
 * await store.open();
 */
export function openPostgresStore(options: PostgresStoreOptions): Store {
  const { schema = DEFAULT_SCHEMA, hub: hubName = DEFAULT_HUB, connectionString, pool, log = silentLogger } = withPartsOfUrl(options);
  checkPlace({ connectionString, pool });
  checkSchemaName(schema);
  checkHubName(hubName);
  const label = options.label ?? `${hostname()}:${process.pid}`;
  const readOnly = options.readOnly ?? false;
  const clock = options.testing?.clock && risingClock(options.testing.clock);
  const watchers = new Set<(hint: ChangeHint) => void>();
  const known = new KnownRows();
  const leases = new HeldLeases();
  const errands = new HeldActivities();
  let database: Database | undefined;
  let listener: Listener | undefined;
  let notices: Notices | undefined;
  let strays: Strays | undefined;
  /** What was asked for last, so that notices of other work wake nobody. */
  let wish: ClaimRequest | undefined;
  let opening: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  /** When a group of commits set out, among the answers. */
  const sentAt = new WeakMap<CommitGroup, number>();

  const calls = createCalls(schema, opened);
  const owner = createOwner({
    calls,
    schema,
    hubName,
    label,
    clock,
    connectionString,
    renewal: options.renewal,
    maxBlockedMs: options.maxBlockedMs,
    log,
    onSucceeded() {
      leases.clear();
      errands.clear();
      known.clear();
    },
    onTakenOver(names) {
      notices?.tell({ ready: names });
      tell({ ready: true, ended: [] });
    },
    onLostAnswer: () => strays?.suspect(),
  });

  function opened(): Database {
    if (database === undefined)
      throw new HubClosedError(closing === undefined ? "The store is not open yet: call open() first." : "The store is closed.");
    return database;
  }

  // ---------------------------------------------------------------------------------------------------- hearing of others

  function listenerOf(): Listener {
    const looks = {
      clock: systemClock,
      random: systemRandom,
      onLook: (what: "all" | "work") => tell({ ready: true, ended: [], ...(what === "all" ? { endedMore: true as const } : {}) }),
    };
    if (options.listen === false) return lookNowAndThen(looks);
    return startListener({
      ...looks,
      channel: channelOf(schema),
      connect: () =>
        connectionString === undefined
          ? keepPooledConnection(pool!)
          : openOwnConnection(connectionString, `ostinato listens ${label}`, LISTEN_ANSWER_MS),
      notify: async (channel, payload) => void (await calls.rows("select pg_notify($1, $2)", [channel, payload])),
      log,
      onNotice(payload) {
        const notice = readNotice(payload, { hub: owner.hub, owner: owner.number });
        if (notice === undefined) return;
        notices?.heard(notice);
        const ready = isWanted(notice.ready, wish, owner.number);
        if (!ready && notice.ended.length === 0 && !notice.more && notice.room === undefined) return;
        const hint = { ready, ended: notice.ended };
        tell(notice.more ? { ...hint, endedMore: true } : hint);
        if (notice.room !== undefined) tell({ ready: false, ended: [], roomElsewhere: notice.room });
      },
    });
  }

  function straysOf(): Strays {
    return lookForStrays({
      clock: systemClock,
      log,
      list: async () => {
        const asking = owner.number;
        const before = errands.all;
        const listed = await listOwned(opened().pool, schema, asking);
        if (owner.number !== asking) return undefined;
        errands.keepOnly(listed.activities, before);
        return listed;
      },
      async answered() {
        await owner.answered();
        await new Promise<void>((resolve) => systemClock.setTimer(1, resolve));
      },
      isKnown: { instance: ({ number, epoch }) => leases.of(number)?.epoch === epoch, activity: (activity) => errands.has(activity) },
      giveBack: ({ instances, activities }) => release([...instances, ...activities.map((each) => ({ ...each, undone: true }))], 0),
      lookAgain() {
        notices?.tell({ ready: [ANYTHING] });
        tell({ ready: true, ended: [], endedMore: true });
      },
    });
  }

  // ---------------------------------------------------------------------------------------------------- open and close

  async function open(): Promise<void> {
    if (closing !== undefined) throw new HubClosedError("The store is closed; open a new one.");
    await withConnection({ connectionString, pool }, (connection) =>
      prepareSchema(connection, schema, { place: { connectionString, pool }, readOnly }),
    );
    database = await openDatabase({ connectionString, pool, connections: options.connections ?? 4, label: `ostinato ${label}` });
    try {
      await (readOnly ? owner.lookOn() : owner.register());
    } catch (error) {
      await database.close();
      database = undefined;
      throw error;
    }
    if (!readOnly) strays = straysOf();
    if (clock !== undefined) return;
    notices = createNotices({
      clock: systemClock,
      hub: owner.hub,
      owner: () => owner.number,
      send: async (payload) => void (await calls.rows("select pg_notify($1, $2)", [channelOf(schema), payload])),
    });
    listener = listenerOf();
  }

  async function close(): Promise<void> {
    await opening?.catch(() => undefined);
    if (database === undefined) return;
    listener?.close();
    strays?.close();
    await line.settled();
    await owner.retire();
    await notices?.close();
    if (!readOnly) await owner.leave();
    const leaving = database;
    database = undefined;
    leases.clear();
    known.clear();
    await leaving.close();
  }

  function tell(hint: ChangeHint): void {
    for (const watcher of watchers) watcher(hint);
  }

  // ---------------------------------------------------------------------------------------------------- commits

  const line = new CommitLine({
    beside,
    sent: ({ commit: { record, number } }) => {
      if (record !== undefined && number !== 0) known.sent(number);
    },
    write: async (group) => {
      sentAt.set(group, leases.mark());
      return (await writeSteps(group)) ?? owner.call<CommitAnswer>("commit_1", group.values());
    },
    heard: (answer) => {
      const names = [...(answer.ready ?? []), ...(answer.news ?? []).map((other) => `>${other}`)];
      notices?.tell({ ready: names, ended: answer.ended ?? [] });
      const ready = isWanted(names, wish, owner.number);
      if (ready || answer.next !== null || answer.ended !== null)
        tell({ ready, ended: answer.ended ?? [], ...given({ dueAt: answer.next ?? undefined }) });
    },
    isUnknown: (error) => error instanceof StoreUnavailableError || error instanceof HubClosedError,
  });

  /** By the shorter call. Nothing: the group is not for it, or one of its commits was refused, and nothing is written. */
  async function writeSteps(group: CommitGroup): Promise<CommitAnswer | undefined> {
    const values = group.steps();
    if (values === undefined) return undefined;
    try {
      const answer = await owner.call<StepAnswer | null>("step_1", values);
      return answer === null ? undefined : group.stepsAnswered(answer);
    } catch (error) {
      if (isRefusedStep(error)) return undefined;
      throw error;
    }
  }

  function beside({ commit, readTurn }: Sending): Beside {
    const lease = commit.keep && commit.number !== 0 ? leases.of(commit.number) : undefined;
    if (lease === undefined) return { known: known.recordOf(commit.number), readTurn, handedOut: undefined };
    const sequences: number[] = [];
    if (lease.handed.size > 0) {
      const gone = new Set([...commit.consumed, ...commit.cancelled]);
      for (const [id, sequence] of lease.handed) if (!gone.has(id)) sequences.push(sequence);
    }
    return { known: known.recordOf(commit.number), readTurn, handedOut: { sequences, look: lease.dueAt <= owner.readingAtLeast() } };
  }

  function commitOne(commit: Commit, readTurn?: number): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      line.send({
        commit,
        readTurn,
        settle: (settled) => resolve(resultOf(commit, settled)),
        lose(error) {
          if (commit.record !== undefined && commit.number !== 0) known.arrived(commit.number);
          known.forget(commit.number);
          reject(error);
        },
      });
    });
  }

  function resultOf(commit: Commit, settled: Settled): CommitResult {
    const { record, number } = commit;
    if (record !== undefined && number !== 0 && settled.kind !== "unsent") known.arrived(number);
    const result = readSettled(commit, settled);
    known.answered(commit, result);
    if (result.ok) hint(commit, result);
    return result;
  }

  function readSettled(commit: Commit, settled: Settled): CommitResult {
    if (settled.kind === "failed" || settled.kind === "unsent") return { ok: false, why: "failed", failure: settled.failure };
    if (settled.kind !== "written") return { ok: false, why: settled.kind };
    const { answer, place, group } = settled;
    const own = group.ownPlaces.get(place);
    const number = own === undefined ? commit.number : (answer.whole.made?.[own - 1] ?? 0);
    const askedAt = sentAt.get(group) ?? 0;
    const arrived = standing(commit, number, answer, askedAt);
    const undelivered = answer.undeliveredOf(place);
    const leased = group.leasedPlaces.get(place);
    const claims = leased === undefined ? [] : bornOf(leased, answer, askedAt);
    return { ok: true, at: answer.whole.at, number, arrived, undelivered, claims };
  }

  /** What became of the lease, and what it was handed. */
  function standing(commit: Commit, number: number, answer: GroupAnswer, askedAt: number): readonly InboxMessage[] {
    const { record, keep, fences, drop } = commit;
    const dropsAll = drop === "everything" || drop === "if-idle";
    noteErrands(commit, number);
    if (dropsAll) leases.end(commit.number);
    const first = fences[0];
    if (first === undefined || first.kind === "activity" || number === 0 || (dropsAll && record === undefined)) return [];
    const epoch = record?.epoch ?? (first.kind === "instance" ? first.epoch : 0);
    let lease = leases.of(number);
    // An answer that was long on its way: the instance was given back and claimed again since.
    if (lease !== undefined && lease.epoch > epoch) return [];
    if (!keep) {
      leases.end(number);
      return [];
    }
    if (lease === undefined) lease = leases.grant(number, epoch);
    lease.epoch = epoch;
    leases.gone(lease, commit.consumed);
    leases.gone(lease, commit.cancelled);
    const row = answer.arrivedOf(number);
    if (row === undefined) return [];
    leases.setDue(lease, row[1] ?? Number.POSITIVE_INFINITY, askedAt);
    return leases.handOut(lease, readInbox(row[2], number, record?.id ?? "").messages);
  }

  /** Activities that were born claimed, and those that are done, put aside or dropped. */
  function noteErrands({ activities, finished, aside, drop, number: before }: Commit, number: InstanceNumber): void {
    for (const key of finished) errands.remove(key);
    if (aside !== undefined) errands.remove(aside.key);
    if (typeof drop === "object") errands.removeAll(before, drop.generation);
    else if (drop !== undefined) errands.removeAll(before);
    for (const row of activities) if (row.claimed) errands.add({ ...row, number: row.number === 0 ? number : row.number }, row.epoch);
  }

  /** Two commits of a group may have asked for the same child: one of them has made it. */
  function bornOf(places: readonly number[], { whole, bornOf: claimOf }: GroupAnswer, askedAt: number): readonly Claim[] {
    return places.flatMap((place) => {
      const claim = claimOf(whole.made?.[place - 1] ?? 0);
      // An answer that was long on its way: it was taken away and claimed again since.
      return claim === undefined || (leases.of(claim.number)?.epoch ?? 0) > claim.epoch ? [] : [begin(claim, askedAt)];
    });
  }

  /** A claim whose lease is new. What was heard of it before this answer came is looked for again. */
  function begin({ nextAt, ...claim }: ReadClaim, askedAt: number): Claim {
    const lease = leases.grant(claim.number, claim.epoch);
    leases.setDue(lease, nextAt ?? Number.POSITIVE_INFINITY, askedAt);
    return { ...claim, messages: leases.handOut(lease, claim.messages), held: false };
  }

  /** What the watchers of this process are told of a commit, beside what the database said of its group. */
  function hint({ record, activities, keep }: Commit, { at, number, claims }: Extract<CommitResult, { ok: true }>): void {
    const names = activities.flatMap(({ claimed, name }) => (claimed ? [] : [`#${name}`]));
    const isForUs = isWanted(names, wish, owner.number);
    const ended = record !== undefined && isTerminal(record.status) ? [record.id] : [];
    let dueAt = keep ? leases.dueAt(number) : Number.POSITIVE_INFINITY;
    for (const child of claims) dueAt = Math.min(dueAt, leases.dueAt(child.number));
    const isDue = dueAt !== Number.POSITIVE_INFINITY;
    if (names.length > 0 || ended.length > 0) notices?.tell({ ready: names, ended });
    if (isForUs || isDue) tell({ ready: isForUs || (isDue && dueAt <= at), ended: [], ...(isDue && dueAt > at ? { dueAt } : {}) });
    // Whoever sent the commit tells those who wait, and has the output at hand: a hint in the same breath would make them read it.
    if (ended.length > 0) setImmediate(() => tell({ ready: false, ended }));
  }

  const updating: UpdateParts = {
    read: async (id) => [await reads.read(id), owner.readingAtLeast()],
    commit: commitOne,
    readingAtLeast: () => owner.toldAtLeast() && owner.readingAtLeast(),
  };

  // ---------------------------------------------------------------------------------------------------- claims

  async function claim(want: ClaimRequest): Promise<Claims> {
    const claimEnds = leases.claimBegins();
    if (line.isIdle) leases.nothingIsEarly();
    try {
      return await claimNow(want);
    } catch (error) {
      // It may have taken news along.
      leases.lookAgainAtAll();
      throw error;
    } finally {
      claimEnds();
    }
  }

  async function claimNow(want: ClaimRequest): Promise<Claims> {
    wish = want;
    const askedAt = leases.mark();
    const due = leases
      .dueBy(owner.readingAtLeast())
      .map((lease) => ({ lease, number: lease.number, epoch: lease.epoch, handed: lease.handed }));
    const handed = new Columns(2);
    for (const { number, handed: messages } of due) for (const sequence of messages.values()) handed.push(number, sequence);
    const answer = await owner.call<ClaimAnswer>("claim_1", [
      due.length === 0 ? null : arrayOf(due.map(({ number }) => number)),
      ...handed.arrays(),
      want.instances,
      ...wanted(want.orchestrators),
      want.entityCount,
      ...wanted(want.entities),
      want.activityCount,
      ...wanted(want.activities),
    ]);
    const damaged: DamagedClaim[] = [];
    const instances: Claim[] = [];
    const looked = new Set(due.map(({ number }) => number));
    for (const claim of readClaimRows(answer.held, damaged)) {
      const news = continued(claim, looked.has(claim.number), askedAt);
      if (news !== undefined) instances.push(news);
    }
    const ours = new Set((answer.held?.[0] ?? []).map(([number]) => Number(number)));
    // What somebody else has taken is not looked for again; a commit of this process that takes it back says so.
    for (const { lease, number, epoch } of due)
      if (!ours.has(number) && leases.of(number) === lease && lease.epoch === epoch && lease.heardAt <= askedAt) leases.end(number);
    for (const claim of readClaimRows(answer.free, damaged)) {
      instances.push(begin(claim, askedAt));
      known.learn(claim.number, claim.record);
    }
    const activities = readActivities(answer.activities, answer.at, damaged);
    for (const { row, epoch } of activities) errands.add(row, epoch);
    listener?.looked(instances.length + activities.length > 0);
    notices?.room(roomLeft(want, { instances }));
    const next = Math.min(answer.next ?? Number.POSITIVE_INFINITY, leases.nextDueAt());
    return {
      at: owner.latest,
      instances,
      activities,
      ...given({ nextDueAt: next === Number.POSITIVE_INFINITY ? undefined : next, damaged: damaged.length === 0 ? undefined : damaged }),
    };
  }

  /** New messages of an instance that was held already; nothing when it is not held any longer, or there is nothing new. */
  function continued({ nextAt, ...claim }: ReadClaim, lookedAtAll: boolean, askedAt: number): Claim | undefined {
    const lease = leases.of(claim.number);
    if (lease === undefined) {
      leases.heardEarly(claim.number);
      return undefined;
    }
    if (lease.epoch !== claim.epoch) {
      leases.lookAgain(lease);
      return undefined;
    }
    const next = nextAt ?? Number.POSITIVE_INFINITY;
    leases.setDue(lease, lookedAtAll ? next : Math.min(lease.dueAt, next), askedAt);
    const messages = leases.handOut(lease, claim.messages);
    return messages.length === 0 && claim.damage === undefined ? undefined : { ...claim, messages, held: true };
  }

  const releases = new ReleaseLine(giveBack);

  async function release(back: readonly (Lease | ActivityLease)[], afterMs: number): Promise<void> {
    if (back.length > 0) await releases.release(back, Math.round(afterMs));
  }

  async function giveBack(back: readonly (Lease | ActivityLease)[], afterMs: number): Promise<void> {
    const instances = new Columns(2);
    const activities = new Columns(5);
    for (const lease of back) {
      if ("key" in lease) {
        const { number, generation, taskId } = lease.key;
        errands.remove(lease.key);
        activities.push(number, generation, taskId, lease.epoch, lease.undone === true ? 1 : 0);
      } else {
        known.forget(lease.number);
        if (leases.of(lease.number)?.epoch === lease.epoch) leases.end(lease.number);
        instances.push(lease.number, lease.epoch);
      }
    }
    const answer = await owner.call<ReleaseAnswer>("release_1", [afterMs, ...instances.arrays(), ...activities.arrays()]);
    const names = [...(answer.ready ?? []), ...(answer.activities ?? []).map((name) => `#${name}`)];
    const ready = isWanted(afterMs <= 0 ? names : (answer.ready ?? []), wish, owner.number);
    notices?.tell({ ready: names });
    if (ready || answer.next !== null) tell({ ready, ended: [], ...given({ dueAt: answer.next ?? undefined }) });
  }

  // ---------------------------------------------------------------------------------------------------- reads

  const reads = new ReadLine(readAll);

  async function readAll(ids: readonly InstanceId[]): Promise<readonly (StoredInstance | undefined)[]> {
    const [row] = await calls.prepared("read_1", [owner.hub, owner.now(), arrayOf(ids)]);
    const answer = row?.["r"] as { readonly at: number; readonly rows: readonly (Row | null)[] | null };
    owner.note(answer.at);
    return (answer.rows ?? []).map((one) => (one === null ? undefined : readStoredRow(one)));
  }

  async function query(filter: InstanceFilter, request: PageRequest): Promise<Page<StoredInstance>> {
    const size = pageSize(request);
    const rows = await askForPage(calls.ask, owner.hub, filter, numberOfCursor(request.cursor), size + 1);
    const items: StoredInstance[] = [];
    const damaged: string[] = [];
    for (const row of rows.slice(0, size)) {
      try {
        items.push(readStoredRow(row));
      } catch (error) {
        damaged.push((error as Error).message);
      }
    }
    if (damaged.length > 0) tell({ ready: false, ended: [], damaged });
    const last = rows[size - 1];
    return rows.length > size && last !== undefined ? { items, next: cursorOf(Number(last[0])) } : { items };
  }

  async function sizes(): Promise<HubSizes> {
    return withConnection({ pool: opened().pool, connectionString }, (connection) => sizesOf(connection, schema, owner.hub));
  }

  const store: Store = {
    claim,
    commit: (batch) => Promise.all(batch.map((commit) => commitOne(commit))),
    renew: owner.renew,
    release,
    update: (id, decide, expects) => updateByDecision(updating, id, decide, expects),
    read: (id) => reads.read(id),
    readAll,
    history: (id, from) => readHistory(calls.ask, owner.hub, id, from),
    query,
    finished: (request) => readFinished(calls.ask, owner.hub, request, owner.now()),
    outstanding: (id) => readOutstanding(calls.ask, owner.hub, id, owner.now()),
    watch(onChange) {
      watchers.add(onChange);
      return () => void watchers.delete(onChange);
    },
    sizes,
    open: () => (opening ??= open()),
    close: () => (closing ??= close()),
    shared: true,
    entered: owner.entered,
  };
  return readOnly ? onlyReading(store, `The task hub ${JSON.stringify(hubName)} of PostgreSQL`) : store;
}

function wanted(names: WantedNames): [names: string, any: boolean] {
  return "anyBut" in names ? [arrayOf(names.anyBut), true] : [arrayOf(names), false];
}
