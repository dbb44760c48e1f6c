// gather-commits: commits as the arguments of one call.
//
// Owns:    which commits may stand in one group; the columns in which each of their parts is written.
// Always:  pure. Commits whose order matters to each other never stand in one group; what is refused stands in none.
//          W2 a record that differs from the known one in hot and turning columns alone is written as those.

import type { InstanceRecord } from "../../contract/instance.ts";
import type { Message } from "../../contract/messages.ts";
import type { ActivityKey, Commit } from "../../engine/commit.ts";
import { encodeEvents, EVENT_FORMAT } from "../sql/history-codec.ts";
import {
  FIRST_TERMINAL,
  pushActivity,
  pushCold,
  pushFixed,
  pushHot,
  pushMessage,
  pushTurning,
  RECORD_COLUMNS,
  slotsOf,
  stillEquals,
} from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";
import { SOON_MS } from "./functions.ts";
import type { CommitAnswer, HandedOutRow, StepAnswer } from "./answers.ts";
import { arrayOf, Columns } from "./columns.ts";

/** What an instance that stays held has been handed out and has not consumed, and whether something else is due. */
export interface HandedOut {
  readonly sequences: readonly number[];
  readonly look: boolean;
}

/** What is known beside a commit. */
export interface Beside {
  /** The record that the row is known to hold at the fenced epoch. */
  readonly known: InstanceRecord | undefined;
  /** The turn of the record on which the commit was decided, when somebody else may have committed one since. */
  readonly readTurn: number | undefined;
  readonly handedOut: HandedOut | undefined;
}

const OWN = 0;
const MADE = 1;
const LEASED = 2;
/** Commits that are written by one call. */
export class CommitGroup {
  readonly commits: Commit[] = [];
  /** The place of the instance that a commit makes as its own, by the commit's place. */
  readonly ownPlaces = new Map<number, number>();
  /** The places of the instances that a commit makes and leases, by the commit's place. */
  readonly leasedPlaces = new Map<number, number[]>();
  readonly #fences = new Columns(4);
  readonly #absent = new Columns(2);
  readonly #activities = new Columns(7);
  readonly #offered = new Columns(2);
  readonly #consumed = new Columns(3);
  readonly #cancelled = new Columns(3);
  readonly #executions = new Columns(4);
  readonly #gone = new Columns(3);
  readonly #turned = new Columns(13);
  readonly #leases = new Columns(3);
  readonly #records: object[] = [];
  readonly #made = new Columns(3);
  readonly #new: MadeRow[] = [];
  /** What is ready of new instances that are not kept: place, name, since when if not at once. */
  readonly #ready = new Columns(3);
  readonly #payloads = new Columns(4);
  readonly #history = new Columns(8);
  readonly #scheduled = new Columns(16);
  readonly #messages = new Columns(8);
  readonly #handed = new Columns(2);
  readonly #look: number[] = [];
  // What the commits of a group must not have in common.
  readonly #numbers = new Set<number>();
  readonly #ids = new Set<string>();
  readonly #madeIds = new Set<string>();
  readonly #mailIds = new Set<string>();
  readonly #keys = new Set<string>();
  readonly #activityNumbers = new Set<number>();
  readonly #endedNumbers = new Set<number>();
  #drops = false;
  #mail = false;

  /** Takes a commit in; false: it has to wait for the next group. */
  add(commit: Commit, beside: Beside): boolean {
    if (!this.#fits(commit)) return false;
    this.commits.push(commit);
    this.#note(commit);
    this.#write(commit, this.commits.length, beside);
    return true;
  }

  /** The arguments of the call, behind owner, hub and clock. */
  values(): unknown[] {
    const json = (rows: readonly object[]): string | null => (rows.length === 0 ? null : JSON.stringify(rows));
    return [
      ...[
        this.#fences,
        this.#absent,
        this.#activities,
        this.#offered,
        this.#consumed,
        this.#cancelled,
        this.#executions,
        this.#gone,
        this.#turned,
        this.#leases,
      ].flatMap((rows) => rows.arrays()),
      json(this.#records),
      ...this.#made.arrays(),
      json(this.#new),
      ...this.#payloads.arrays(),
      ...this.#history.arrays(),
      ...this.#scheduled.arrays(),
      ...this.#messages.arrays(),
      EVENT_FORMAT,
      this.#look.length === 0 ? null : arrayOf(this.#look),
      ...this.#handed.arrays(),
    ];
  }

  /**
   * The arguments of the shorter call, when all commits are starts, or turns of instances that this process holds, and tell nobody anything.
   * Behind owner, hub and clock.
   */
  steps(): unknown[] | undefined {
    if (!this.#areSteps()) return undefined;
    // Rows are locked in the order in which they stand here, and made in the order of their ids.
    const numbers = this.#fences.list(1) as readonly number[];
    const order = numbers.map((_, i) => i).sort((a, b) => (numbers[a] ?? 0) - (numbers[b] ?? 0));
    const [first = null, count = null, , body = null] = this.#history.arrays(3, order);
    const made = this.#new.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const places = this.#messages.list(1).map((number) => -Number(number));
    return [
      ...this.#fences.arrays(1, order),
      ...this.#turned.arrays(2, order),
      ...[first, count, body, EVENT_FORMAT],
      ...this.#activities.arrays(1).slice(0, 4),
      ...this.#scheduled.arrays(1),
      ...this.#consumed.arrays(1),
      ...this.#executions.arrays(1),
      made.length === 0 ? null : JSON.stringify(made),
      ...this.#ready.arrays(),
      places.length === 0 ? null : arrayOf(places),
      ...this.#messages.arrays(3),
      ...this.#payloads.arrays(1),
      this.#look.length === 0 ? null : arrayOf(this.#look),
      ...this.#handed.arrays(),
    ];
  }

  /** What the shorter call answered, as the longer one would have. */
  stepsAnswered({ made = null, sequences, arrived = null, ...rest }: StepAnswer): CommitAnswer {
    const handedOut = arrived === null ? [] : [...arrived];
    for (let place = 1; place <= this.#new.length; place++)
      if (this.#new[place - 1]?.keep === 1) handedOut.push(this.#beginning(place, Number(made?.[place - 1]), sequences ?? [], rest.at));
    const [names, times] = [this.#ready.list(1), this.#ready.list(2) as readonly number[]];
    const ready = names.filter((_, i) => Number(times[i]) <= rest.at + SOON_MS) as string[];
    const later = times.filter((time) => time > rest.at);
    return {
      ...NOTHING_ELSE,
      ...rest,
      ready: ready.length === 0 ? rest.ready : [...new Set([...ready, ...(rest.ready ?? [])])],
      next: later.length === 0 ? rest.next : Math.min(...later, rest.next ?? Number.POSITIVE_INFINITY),
      made,
      arrived: handedOut.length === 0 ? null : handedOut,
    };
  }

  /** What the inbox of an instance has that was made and kept just now: nobody else can have sent it anything. */
  #beginning(place: number, number: number, sequences: readonly number[], at: number): HandedOutRow {
    const [to, lanes, ids, executions, visible, bodies] = [1, 3, 4, 5, 6, 7].map((column) => this.#messages.list(column));
    const rows: Column[][] = [];
    let next = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#messages.size; i++) {
      if (to?.[i] !== -place) continue;
      const visibleAt = visible?.[i] ?? null;
      if (visibleAt !== null && Number(visibleAt) > at) next = Math.min(next, Number(visibleAt));
      else
        rows.push([
          lanes?.[i] ?? 0,
          sequences[i] ?? 0,
          ids?.[i] ?? "",
          executions?.[i] ?? null,
          visibleAt,
          at,
          EVENT_FORMAT,
          bodies?.[i] ?? "",
        ]);
    }
    return [number, next === Number.POSITIVE_INFINITY ? null : next, rows];
  }

  #areSteps(): boolean {
    const turns = this.#turned.size;
    const starts = this.#new.length;
    if (turns + starts !== this.commits.length || this.#fences.size !== turns || this.#history.size !== turns) return false;
    if (this.#absent.size !== starts || this.ownPlaces.size !== starts) return false;
    if (this.#records.length > 0 || [this.#cancelled, this.#gone, this.#leases, this.#offered].some((rows) => rows.size > 0)) return false;
    if (this.#history.list(1).some((number) => Number(number) < 0) || this.#history.list(7).some((replace) => replace !== 0)) return false;
    if (this.#messages.list(1).some((number) => number === null || Number(number) > 0)) return false;
    if (this.#payloads.list(3).some((value) => value === null)) return false;
    // What is ready of an instance that is held back, or has ended, is told by place_1.
    if (this.#ready.size > 0 && this.#new.some(({ held, status }) => held !== 0 || status >= FIRST_TERMINAL)) return false;
    if (this.#activities.list(5).some((finish) => finish !== 1) || this.#activities.list(4).some((epoch) => Number(epoch) < 0))
      return false;
    // An activity under a key that is there takes its place: in the longer call.
    const done = new Set<string>();
    for (let i = 0; i < this.#activities.size; i++) done.add(keyAt(this.#activities, i));
    for (let i = 0; i < this.#scheduled.size; i++)
      if (Number(this.#scheduled.list(1)[i]) < 0 || done.has(keyAt(this.#scheduled, i))) return false;
    return true;
  }

  /** Whether a commit may be written before, after or together with this group: nobody could tell. */
  allowsBeside(commit: Commit): boolean {
    return this.#fits(commit) && !commit.messages.some(({ to }) => this.#mailIds.has(to));
  }

  #fits(commit: Commit): boolean {
    const drops = commit.drop === "everything" || commit.drop === "if-idle";
    const mail = commit.messages.some(({ to }) => to !== commit.record?.id);
    if ((drops && this.#mail) || (mail && this.#drops)) return false;
    if (typeof commit.drop === "object" && this.#activityNumbers.has(commit.number)) return false;
    for (const fence of commit.fences) {
      if (fence.kind === "instance" && this.#numbers.has(fence.number)) return false;
      if (fence.kind === "absent" && (this.#ids.has(fence.id) || this.#madeIds.has(fence.id))) return false;
      if (fence.kind === "activity" && (this.#keys.has(keyText(fence.key)) || this.#endedNumbers.has(fence.key.number))) return false;
    }
    for (const key of commit.finished) if (this.#keys.has(keyText(key))) return false;
    for (const { creates, to } of commit.messages) if (creates !== undefined && this.#ids.has(to)) return false;
    return true;
  }

  #note(commit: Commit): void {
    if (commit.drop === "everything" || commit.drop === "if-idle") this.#drops = true;
    else if (commit.drop !== undefined) this.#endedNumbers.add(commit.number);
    for (const fence of commit.fences) {
      if (fence.kind === "instance") this.#numbers.add(fence.number);
      else if (fence.kind === "absent") this.#ids.add(fence.id);
      else this.#noteActivity(fence.key);
    }
    for (const key of commit.finished) this.#noteActivity(key);
    for (const { creates, to } of commit.messages) {
      if (to !== commit.record?.id) this.#mail = true;
      this.#mailIds.add(to);
      if (creates !== undefined) this.#madeIds.add(to);
    }
  }

  #noteActivity(key: ActivityKey): void {
    this.#keys.add(keyText(key));
    this.#activityNumbers.add(key.number);
  }

  #write(commit: Commit, c: number, { known, readTurn, handedOut }: Beside): void {
    const { record, drop, fences, payloads, history, number } = commit;
    const dropsAll = drop === "everything" || drop === "if-idle";
    const isNew = record !== undefined && (number === 0 || dropsAll);
    const keep = commit.keep ? 1 : 0;
    // A turn follows the one before it: whatever else went wrong, no history gets a gap.
    this.#writeFences(commit, c, readTurn ?? (history !== undefined && record !== undefined && !isNew ? record.turn - 1 : undefined));
    for (const id of commit.consumed) this.#consumed.push(c, number, id);
    for (const id of commit.cancelled) this.#cancelled.push(c, number, id);
    if (typeof drop === "object") this.#executions.push(c, number, drop.execution, drop.generation);
    else if (dropsAll) this.#gone.push(c, number, drop === "if-idle" ? 1 : 0);

    let own = number;
    const first = fences[0];
    if (record !== undefined) {
      if (isNew) {
        own = -this.#pushNew(c, OWN, keep, record);
        this.ownPlaces.set(c, -own);
        if (keep === 0) this.#pushReady(-own, record, commit.messages);
      } else if (known !== undefined && first?.kind === "instance" && known.epoch === first.epoch && stillEquals(known, record)) {
        const row: Column[] = [c, number, keep];
        pushHot(record, row);
        pushTurning(record, row);
        this.#turned.push(...row);
      } else this.#records.push({ c, keep, ...rowOf(record, number) });
    } else if (first?.kind === "instance" && !dropsAll) this.#leases.push(c, first.number, keep);

    if (payloads !== undefined)
      for (const [slot, value] of slotsOf(payloads).entries()) if (value !== undefined) this.#payloads.push(c, own, slot, value);
    if (history !== undefined && record !== undefined) {
      const { events, mode } = history;
      const replace = mode === "replace" && !isNew ? 1 : 0;
      this.#history.push(
        c,
        own,
        record.turn,
        record.historyLength - events.length,
        events.length,
        EVENT_FORMAT,
        encodeEvents(events),
        replace,
      );
    }
    for (const activity of commit.activities) {
      const row: Column[] = [c];
      pushActivity(activity, row);
      if (row[1] === 0) row[1] = own;
      this.#scheduled.push(...row);
    }
    for (const message of commit.messages) {
      const toItself = record !== undefined && record.id === message.to;
      const row: Column[] = [c, toItself ? own : null, toItself ? null : message.to];
      pushMessage(message, row);
      this.#messages.push(...row);
      const { creates } = message;
      if (creates === undefined || toItself) continue;
      const place = this.#pushNew(c, creates.claimed ? LEASED : MADE, 0, creates.record);
      for (const [slot, value] of slotsOf(creates.payloads).entries()) if (value !== undefined) this.#payloads.push(c, -place, slot, value);
    }
    if (keep === 1 && number !== 0 && handedOut !== undefined) {
      // An instance that is not held back any longer may have had something waiting all the time.
      if (handedOut.look || (record !== undefined && known?.held !== record.held)) this.#look.push(number);
      for (const sequence of handedOut.sequences) this.#handed.push(number, sequence);
    }
  }

  #writeFences({ fences, finished, aside, offersAside, number }: Commit, c: number, readTurn: number | undefined): void {
    const done = new Set(finished.map(keyText));
    const fenced = new Set<string>();
    for (const fence of fences) {
      if (fence.kind === "absent") this.#absent.push(c, fence.id);
      else if (fence.kind === "instance") this.#fences.push(c, fence.number, fence.epoch, readTurn ?? null);
      else {
        const { number, generation, taskId } = fence.key;
        const text = keyText(fence.key);
        fenced.add(text);
        const isAside = aside !== undefined && text === keyText(aside.key);
        this.#activities.push(c, number, generation, taskId, fence.epoch, done.has(text) ? 1 : 0, isAside ? aside.delivery : null);
      }
    }
    for (const key of finished) if (!fenced.has(keyText(key))) this.#activities.push(c, key.number, key.generation, key.taskId, -1, 1);
    if (offersAside === true) this.#offered.push(c, number);
  }

  /** As place_1 has it: under its name, and for the engine of anybody where that can go on with it. */
  #pushReady(place: number, { name, notBefore }: InstanceRecord, messages: readonly Message[]): void {
    const program = earliest(messages);
    const engine = earliest(messages.filter(({ needs }) => needs === "engine"));
    if (program !== undefined) this.#ready.push(place, name, Math.max(program, notBefore ?? AT_ONCE));
    if (engine !== undefined) this.#ready.push(place, "", engine);
  }

  #pushNew(c: number, how: number, keep: number, record: InstanceRecord): number {
    const place = this.#new.length + 1;
    if (how === LEASED) this.leasedPlaces.set(c, [...(this.leasedPlaces.get(c) ?? []), place]);
    this.#made.push(c, how, keep);
    this.#new.push({ c, place, how, keep, ...(rowOf(record, 0) as unknown as Pick<MadeRow, "id" | "held" | "status">) });
    return place;
  }
}

/** Why a commit contradicts itself, if it does: it is not written, whatever the database holds. */
export function contradiction({ record, fences, history, number, drop }: Commit): string | undefined {
  const [first] = fences;
  if (history !== undefined && record === undefined) return "A commit writes history without the record that counts it.";
  if (record !== undefined && first?.kind === "instance" && number !== 0 && typeof drop !== "string" && record.epoch < first.epoch)
    return `The epoch of instance ${record.id} would go back from ${first.epoch} to ${record.epoch}.`;
  return undefined;
}

/** The key of an activity in the columns 1 to 3. */
function keyAt(rows: Columns, row: number): string {
  return `${rows.list(1)[row]}/${rows.list(2)[row]}/${rows.list(3)[row]}`;
}

const AT_ONCE = 0;

/** When the first of them can be seen. */
function earliest(messages: readonly Message[]): number | undefined {
  if (messages.length === 0) return undefined;
  return messages.reduce((first, { visibleAt }) => Math.min(first, visibleAt ?? AT_ONCE), Number.POSITIVE_INFINITY);
}

/** A new instance: which commit makes it, as the how-manieth of its group. */
interface MadeRow {
  readonly c: number;
  readonly place: number;
  readonly how: number;
  readonly keep: number;
  readonly id: string;
  readonly held: number;
  readonly status: number;
}

/** What a group of steps has nothing of. */
const NOTHING_ELSE = {
  fenced: null,
  exists: null,
  undelivered: null,
  born: null,
  news: null,
  ended: null,
} as const;

/** A record's columns by name; those that have nothing are left out. */
function rowOf(record: InstanceRecord, number: number): Record<string, Column> {
  const columns: Column[] = [number];
  pushFixed(record, columns);
  pushHot(record, columns);
  pushCold(record, columns);
  const row: Record<string, Column> = {};
  for (const [i, name] of RECORD_COLUMNS.entries()) if (columns[i] !== null) row[name] = columns[i] ?? null;
  return row;
}

function keyText({ number, generation, taskId }: ActivityKey): string {
  return `${number}/${generation}/${taskId}`;
}
