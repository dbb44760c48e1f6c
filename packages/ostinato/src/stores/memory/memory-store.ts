// memory-store: a task hub that lives as long as this object.
//
// Owns:    the shared state of a hub in memory, and the lines of its owners to it.
// Is told: commits, claims, decisions. Each operation is done in one go, so nothing of it is ever seen by halves.
// Tells:   claims, results, and hints of what changed.
// Always:  M1 no operation but a query looks at more instances than it is about.
//          M2 an instance stands among the ready ones exactly when nobody holds it and its inbox has something it may be given.
//          M3 a slot of an inbox is either in the heap of its lane or handed out under the current lease.

import type { HistoryEvent } from "../../contract/events.ts";
import type { InstanceId, InstanceNumber, MessageId } from "../../contract/ids.ts";
import { isTerminal } from "../../contract/instance.ts";
import type { InstancePayloads, InstanceRecord, StoredInstance, TerminalStatus } from "../../contract/instance.ts";
import { LATEST_INSTANT } from "../../contract/instant.ts";
import type { Instant } from "../../contract/instant.ts";
import { byDelivery } from "../../contract/messages.ts";
import { OUTSTANDING_ACTIVITIES } from "../../contract/outstanding.ts";
import type { Outstanding } from "../../contract/outstanding.ts";
import { given } from "../../contract/recorded-as.ts";
import type { InboxMessage, Message } from "../../contract/messages.ts";
import type { InstanceFilter, Page, PageRequest } from "../../contract/queries.ts";
import type {
  ActivityClaim,
  ActivityKey,
  ActivityLease,
  ActivityRow,
  Claim,
  Commit,
  CommitResult,
  Lease,
  PayloadChanges,
  Refusal,
} from "../../engine/commit.ts";
import type {
  ChangeHint,
  ClaimRequest,
  Claims,
  Decision,
  FinishedInstance,
  FinishedPage,
  FinishedRequest,
  Renewal,
  RoomLeft,
  Store,
  WantedNames,
} from "../../engine/store.ts";
import { roomLeft } from "../room-left.ts";
import { cursorOf, matches, numberOfCursor, pageSize } from "../paging.ts";
import { completionOrder } from "./completion-order.ts";
import type { CompletionOrder } from "./completion-order.ts";
import { risingClock } from "../store-clock.ts";
import type { StoreClock } from "../store-clock.ts";
import { DueHeap } from "../due-heap.ts";
import type { Due } from "../due-heap.ts";

/** The most messages of one instance that are handed out at once. */
const HAND_OUT_LIMIT = 1_000;
const HISTORY_PAGE = 1_000;

/** A task hub in memory, and the way to become one of its owners. */
export interface MemoryHub {
  /** A new owner's line to the hub. Its leases run out only once it has begun to renew them. */
  connect(owner?: string): Store;
  /** All that lies in the hub, for those who check it from outside: as it is whenever they look. */
  contents(): MemoryContents;
}

/** What lies in a hub: its instances, and what is kept beside them. */
export interface MemoryContents {
  readonly at: Instant;
  readonly instances: Iterable<MemoryInstance>;
  /** Places in queues and indexes: none are left when no instance is. */
  readonly places: Readonly<Record<"waiting" | "errands" | "held" | "families", number>>;
}

/** An instance with all that hangs on it. */
export interface MemoryInstance extends StoredInstance {
  readonly events: readonly HistoryEvent[];
  readonly inbox: ReadonlyMap<MessageId, { readonly message: InboxMessage }>;
  /** `owner` has claimed it; it is free from `dueAt` on. */
  readonly activities: ReadonlyMap<
    number,
    {
      readonly row: ActivityRow;
      readonly epoch: number;
      readonly delivery: number;
      readonly owner: object | undefined;
      readonly dueAt: Instant;
    }
  >;
}

/** A message in an inbox. Lanes: 0 always/engine, 1 always/program, 2 unless-held/engine, 3 unless-held/program. */
interface Slot extends Due {
  readonly message: InboxMessage;
  readonly lane: Lane;
}

type Lane = 0 | 1 | 2 | 3;
const LANES: readonly Lane[] = [0, 1, 2, 3];
const ENGINE_LANES: readonly Lane[] = [0, 2];

/** A place among what is ready: of an instance under a program's name (or the engine's, ""), or among what an owner holds. */
interface Waiting extends Due {
  readonly entry: Entry;
}

/** An instance with all that hangs on it. */
class Entry {
  record: InstanceRecord;
  payloads: InstancePayloads = {};
  events: HistoryEvent[] = [];
  readonly inbox = new Map<MessageId, Slot>();
  readonly lanes: [DueHeap<Slot> | undefined, DueHeap<Slot> | undefined, DueHeap<Slot> | undefined, DueHeap<Slot> | undefined];
  /** What the current lease was given and has not consumed. */
  handed: Set<Slot> | undefined = undefined;
  readonly activities = new Map<number, Errand>();
  owner: Owner | undefined = undefined;
  /** Where it waits when nobody holds it: for its program, and for the engine alone. */
  readonly forProgram: Waiting;
  forProgramName: string;
  readonly forEngine: Waiting;
  /** Where it waits at its owner, for what has not been handed out. */
  readonly atOwner: Waiting;

  constructor(record: InstanceRecord) {
    this.record = record;
    this.lanes = [undefined, undefined, undefined, undefined];
    this.forProgram = { dueAt: 0, tie: record.number, place: -1, entry: this };
    this.forProgramName = record.name;
    this.forEngine = { dueAt: 0, tie: record.number, place: -1, entry: this };
    this.atOwner = { dueAt: 0, tie: record.number, place: -1, entry: this };
  }
}

/** An activity row as it stands. */
interface Errand extends Due {
  readonly row: ActivityRow;
  epoch: number;
  delivery: number;
  owner: Owner | undefined;
}

interface Owner {
  readonly name: string;
  leaseUntil: Instant | undefined;
  readonly instances: Set<Entry>;
  readonly errands: Set<Errand>;
  readonly due: DueHeap<Waiting>;
}

interface Hub {
  readonly clock: StoreClock;
  readonly byNumber: Map<InstanceNumber, Entry>;
  readonly byId: Map<InstanceId, Entry>;
  readonly byParent: Map<InstanceId, Set<Entry>>;
  /** In order of creation; may still name what is gone. */
  numbers: InstanceNumber[];
  gone: number;
  readonly completions: CompletionOrder;
  readonly ready: Map<string, DueHeap<Waiting>>;
  readonly errands: Map<string, DueHeap<Errand>>;
  readonly owners: Set<Owner>;
  readonly watchers: Set<(hint: ChangeHint) => void>;
  hint: { ready: boolean; ended: InstanceId[]; dueAt: Instant | undefined } | undefined;
  nextNumber: number;
  nextSequence: number;
  nextErrand: number;
}

/**
 * Makes a task hub in memory.
 *
 * @example
 * const hub = createMemoryHub({ clock: machineClock() });
 * const store = hub.connect();
 */
export function createMemoryHub(options: { readonly clock: StoreClock }): MemoryHub {
  const hub: Hub = {
    clock: risingClock(options.clock),
    byNumber: new Map(),
    byId: new Map(),
    byParent: new Map(),
    numbers: [],
    gone: 0,
    completions: completionOrder(),
    ready: new Map(),
    errands: new Map(),
    owners: new Set(),
    watchers: new Set(),
    hint: undefined,
    nextNumber: 1,
    nextSequence: 1,
    nextErrand: 1,
  };
  return { connect: (name = "memory") => connect(hub, name), contents: () => contentsOf(hub) };
}

function contentsOf(hub: Hub): MemoryContents {
  return {
    at: hub.clock.now(),
    instances: hub.byNumber.values(),
    get places() {
      let waiting = 0;
      let errands = 0;
      let held = 0;
      for (const heap of hub.ready.values()) waiting += heap.size;
      for (const heap of hub.errands.values()) errands += heap.size;
      for (const owner of hub.owners) held += owner.instances.size + owner.errands.size + owner.due.size;
      return { waiting, errands, held, families: hub.byParent.size };
    },
  };
}

function connect(hub: Hub, name: string): Store {
  const me: Owner = { name, leaseUntil: undefined, instances: new Set(), errands: new Set(), due: new DueHeap() };
  const watching = new Set<(hint: ChangeHint) => void>();
  hub.owners.add(me);
  return {
    async claim(want) {
      const claims = claim(hub, me, want);
      if (hub.owners.size > 1 && me.leaseUntil !== Number.NEGATIVE_INFINITY) tellRoomLeft(hub, watching, roomLeft(want, claims));
      return claims;
    },
    async commit(batch) {
      const at = hub.clock.now();
      return batch.map((commit) => write(hub, me, commit, at));
    },
    renew: async (leaseMs) => renew(hub, me, leaseMs),
    release: async (leases, afterMs) => release(hub, me, leases, afterMs),
    update: async (id, decide) => decideNow(hub, me, id, decide),
    read: async (id) => stored(hub.byId.get(id)),
    readAll: async (ids) => ids.map((id) => stored(hub.byId.get(id))),
    history: (id, from = 0) => pagesOf(hub, id, from),
    query: async (filter, page) => query(hub, filter, page),
    finished: async (request) => finished(hub, request),
    outstanding: async (id) => outstanding(hub, id),
    watch(onChange) {
      hub.watchers.add(onChange);
      watching.add(onChange);
      return () => void (hub.watchers.delete(onChange), watching.delete(onChange));
    },
    open: async () => void hub.owners.add(me),
    async close() {
      for (const watcher of watching) hub.watchers.delete(watcher);
      giveBack(hub, me, hub.clock.now());
      hub.owners.delete(me);
    },
  };
}

// ------------------------------------------------------------------------------------------------------------ claims

function claim(hub: Hub, me: Owner, want: ClaimRequest): Claims {
  const at = hub.clock.now();
  expire(hub, at);
  // Whose leases have run out is given nothing until it knows.
  if (me.leaseUntil === Number.NEGATIVE_INFINITY) return { at, instances: [], activities: [] };
  const instances: Claim[] = [];
  let nextDueAt = Number.POSITIVE_INFINITY;

  const due: Entry[] = [];
  for (let waiting = me.due.first(); waiting !== undefined && waiting.dueAt <= at; waiting = me.due.first()) {
    me.due.remove(waiting);
    due.push(waiting.entry);
  }
  for (const entry of due) {
    const messages = handOut(entry, at);
    placeAtOwner(entry);
    instances.push(claimOf(entry, messages, true));
  }

  // What needs only the engine stands under "", whichever it is.
  if (want.instances > 0) {
    const heaps = heapsOf(hub.ready, want.orchestrators, isOrchestratorName, ENGINE);
    claimFree(hub, me, heaps, want.instances, at, instances);
    nextDueAt = Math.min(nextDueAt, dueAfter(heaps, at));
  }
  if (want.entityCount > 0) {
    const heaps = heapsOf(hub.ready, want.entities, isEntityName);
    claimFree(hub, me, heaps, want.entityCount, at, instances);
    nextDueAt = Math.min(nextDueAt, dueAfter(heaps, at));
  }

  const activities: ActivityClaim[] = [];
  if (want.activityCount > 0) {
    const heaps = heapsOf(hub.errands, want.activities, isAny);
    while (activities.length < want.activityCount) {
      const errand = earliest(heaps);
      if (errand === undefined || errand.dueAt > at) break;
      hub.errands.get(errand.row.name)?.remove(errand);
      errand.epoch++;
      errand.delivery++;
      errand.dueAt = at;
      errand.owner = me;
      me.errands.add(errand);
      activities.push({ row: errand.row, epoch: errand.epoch, delivery: errand.delivery, at });
    }
    nextDueAt = Math.min(nextDueAt, dueAfter(heaps, at));
  }
  nextDueAt = Math.min(nextDueAt, me.due.first()?.dueAt ?? Number.POSITIVE_INFINITY);
  return { at, instances, activities, ...(nextDueAt === Number.POSITIVE_INFINITY ? {} : { nextDueAt }) };
}

/** Leases what nobody holds and is due, the earliest first, as far as there is room. */
function claimFree(hub: Hub, me: Owner, heaps: readonly DueHeap<Waiting>[], room: number, at: Instant, claims: Claim[]): void {
  for (let left = room; left > 0; left--) {
    const waiting = earliest(heaps);
    if (waiting === undefined || waiting.dueAt > at) return;
    const { entry } = waiting;
    entry.record = { ...entry.record, epoch: entry.record.epoch + 1, attempts: entry.record.attempts + 1 };
    take(hub, me, entry);
    const messages = handOut(entry, at);
    placeAtOwner(entry);
    claims.push(claimOf(entry, messages, false));
  }
}

/** The places of those who are wanted (of any: those that are one), and of these others. */
function heapsOf<T extends Due>(
  heaps: ReadonlyMap<string, DueHeap<T>>,
  names: WantedNames,
  isOne: (name: string) => boolean,
  others: readonly string[] = NO_NAMES,
): DueHeap<T>[] {
  const wanted: DueHeap<T>[] = [];
  if ("anyBut" in names) {
    for (const [name, heap] of heaps)
      if (heap.size > 0 && (others.includes(name) || (isOne(name) && !names.anyBut.includes(name)))) wanted.push(heap);
    return wanted;
  }
  for (const list of [others, names]) {
    for (const name of list) {
      const heap = heaps.get(name);
      if (heap !== undefined && heap.size > 0) wanted.push(heap);
    }
  }
  return wanted;
}

const NO_NAMES: readonly string[] = [];
/** The place of what needs only the engine. */
const ENGINE: readonly string[] = [""];
const isEntityName = (name: string): boolean => name.startsWith("@");
const isOrchestratorName = (name: string): boolean => !isEntityName(name);
const isAny = (): boolean => true;

function earliest<T extends Due>(heaps: readonly DueHeap<T>[]): T | undefined {
  let best: T | undefined;
  for (const heap of heaps) {
    const first = heap.first();
    if (first !== undefined && (best === undefined || first.dueAt < best.dueAt)) best = first;
  }
  return best;
}

/** What is due already was left for want of room: whoever has room again asks again. */
function dueAfter<T extends Due>(heaps: readonly DueHeap<T>[], at: Instant): number {
  let next = Number.POSITIVE_INFINITY;
  for (const heap of heaps) {
    const first = heap.first();
    if (first !== undefined && first.dueAt > at && first.dueAt < next) next = first.dueAt;
  }
  return next;
}

function claimOf(entry: Entry, messages: readonly InboxMessage[], held: boolean): Claim {
  const { record } = entry;
  return { number: record.number, id: record.id, epoch: record.epoch, attempts: record.attempts, record, messages, held };
}

// ------------------------------------------------------------------------------------------------------------ inboxes

function laneOf(message: Message): Lane {
  if (message.wakes === "always") return message.needs === "engine" ? 0 : 1;
  return message.needs === "engine" ? 2 : 3;
}

/** Somebody waits for an answer to the start of a next attempt, which lies here. */
function isStartWaiting(entry: Entry | undefined): boolean {
  if (entry === undefined) return false;
  for (const slot of entry.inbox.values()) if (slot.lane === 1) return true;
  return false;
}

function put(hub: Hub, entry: Entry, message: Message, at: Instant): void {
  if (entry.inbox.has(message.id)) return;
  const sequence = hub.nextSequence++;
  const { id, to, wakes, needs, event, execution, visibleAt } = message;
  const inboxed: InboxMessage = {
    id,
    to,
    ...(execution === undefined ? undefined : { execution }),
    wakes,
    needs,
    ...(visibleAt === undefined ? undefined : { visibleAt }),
    event,
    number: entry.record.number,
    sequence,
    arrivedAt: at,
  };
  const slot: Slot = { message: inboxed, lane: laneOf(message), dueAt: Math.max(visibleAt ?? at, at), tie: sequence, place: -1 };
  entry.inbox.set(id, slot);
  shelve(entry, slot);
}

function shelve(entry: Entry, slot: Slot): void {
  (entry.lanes[slot.lane] ??= new DueHeap()).push(slot);
}

function remove(entry: Entry, slot: Slot): void {
  entry.inbox.delete(slot.message.id);
  if (slot.place >= 0) entry.lanes[slot.lane]?.remove(slot);
  else entry.handed?.delete(slot);
}

/** The due messages that the current lease has not been given yet; now it has. When there are too many, those for the engine have precedence. */
function handOut(entry: Entry, at: Instant): readonly InboxMessage[] {
  const [forEngine, forProgram, forEngineUnheld, forProgramUnheld] = entry.lanes;
  const { held } = entry.record;
  const messages: InboxMessage[] = [];
  drain(entry, forEngine, held ? undefined : forEngineUnheld, at, messages);
  drain(entry, forProgram, held ? undefined : forProgramUnheld, at, messages);
  return messages.length > 1 ? messages.sort(byDelivery) : messages;
}

function drain(
  entry: Entry,
  one: DueHeap<Slot> | undefined,
  other: DueHeap<Slot> | undefined,
  at: Instant,
  messages: InboxMessage[],
): void {
  while (messages.length < HAND_OUT_LIMIT) {
    const slot = sooner(one?.first(), other?.first());
    if (slot === undefined || slot.dueAt > at) return;
    entry.lanes[slot.lane]?.remove(slot);
    (entry.handed ??= new Set()).add(slot);
    messages.push(slot.message);
  }
}

function sooner<T extends Due>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.dueAt < a.dueAt || (b.dueAt === a.dueAt && b.tie < a.tie) ? b : a;
}

/** When the first of these lanes has something for an instance. */
function dueIn(entry: Entry, lanes: readonly Lane[]): number {
  let due = Number.POSITIVE_INFINITY;
  for (const lane of lanes) {
    if (lane >= 2 && entry.record.held) continue;
    const first = entry.lanes[lane]?.first();
    if (first !== undefined && first.dueAt < due) due = first.dueAt;
  }
  return due;
}

// ------------------------------------------------------------------------------------------------------------ leases

function take(hub: Hub, me: Owner, entry: Entry): void {
  unready(hub, entry);
  entry.owner = me;
  me.instances.add(entry);
}

/** Ends a lease: what it was handed goes back to the inbox. */
function free(entry: Entry): void {
  const { owner } = entry;
  if (owner === undefined) return;
  if (entry.atOwner.place >= 0) owner.due.remove(entry.atOwner);
  owner.instances.delete(entry);
  entry.owner = undefined;
  takeBack(entry);
}

function takeBack(entry: Entry): void {
  if (entry.handed === undefined) return;
  for (const slot of entry.handed) shelve(entry, slot);
  entry.handed = undefined;
}

function unready(hub: Hub, entry: Entry): void {
  if (entry.forEngine.place >= 0) heapOf(hub.ready, "").remove(entry.forEngine);
  if (entry.forProgram.place >= 0) heapOf(hub.ready, entry.forProgramName).remove(entry.forProgram);
}

/** Puts an entry where it belongs: at its owner, or among the ready ones. */
function place(hub: Hub, entry: Entry, at: Instant): void {
  if (entry.owner !== undefined) {
    placeAtOwner(entry);
    if (entry.atOwner.place >= 0) tellDue(hub, entry.atOwner.dueAt, at);
    return;
  }
  unready(hub, entry);
  const { record } = entry;
  const terminal = isTerminal(record.status);
  const engineAt = dueIn(entry, terminal ? LANES : ENGINE_LANES);
  const programAt = terminal ? Number.POSITIVE_INFINITY : Math.max(dueIn(entry, LANES), record.notBefore ?? 0);
  if (engineAt !== Number.POSITIVE_INFINITY) {
    entry.forEngine.dueAt = engineAt;
    heapOf(hub.ready, "").push(entry.forEngine);
    tellDue(hub, engineAt, at);
  }
  if (programAt !== Number.POSITIVE_INFINITY) {
    entry.forProgram.dueAt = programAt;
    entry.forProgramName = record.name;
    heapOf(hub.ready, record.name).push(entry.forProgram);
    tellDue(hub, programAt, at);
  }
}

function placeAtOwner(entry: Entry): void {
  const { owner, atOwner } = entry;
  if (owner === undefined) return;
  const due = dueIn(entry, LANES);
  if (atOwner.place >= 0) {
    if (atOwner.dueAt === due) return;
    owner.due.remove(atOwner);
  }
  if (due === Number.POSITIVE_INFINITY) return;
  atOwner.dueAt = due;
  owner.due.push(atOwner);
}

function heapOf<T extends Due>(heaps: Map<string, DueHeap<T>>, name: string): DueHeap<T> {
  let heap = heaps.get(name);
  if (heap === undefined) heaps.set(name, (heap = new DueHeap()));
  return heap;
}

function offer(hub: Hub, errand: Errand, visibleAt: Instant, at: Instant): void {
  errand.owner = undefined;
  errand.dueAt = visibleAt;
  heapOf(hub.errands, errand.row.name).push(errand);
  tellDue(hub, visibleAt, at);
}

function renew(hub: Hub, me: Owner, leaseMs: number): Renewal {
  const at = hub.clock.now();
  expire(hub, at);
  const alive = me.leaseUntil !== Number.NEGATIVE_INFINITY;
  me.leaseUntil = at + leaseMs;
  return { at, alive };
}

function expire(hub: Hub, at: Instant): void {
  for (const owner of hub.owners) {
    if (owner.leaseUntil === undefined || owner.leaseUntil > at) continue;
    // One whose leases have run out and that does not know it may take something all the same: it does not keep it.
    if (owner.instances.size + owner.errands.size > 0) giveBack(hub, owner, at);
    owner.leaseUntil = Number.NEGATIVE_INFINITY;
  }
}

/** Everything an owner holds is anybody's. The epoch rises, so that it cannot go on with what it was handed. */
function giveBack(hub: Hub, owner: Owner, at: Instant): void {
  for (const entry of owner.instances) {
    entry.record = { ...entry.record, epoch: entry.record.epoch + 1 };
    free(entry);
    place(hub, entry, at);
  }
  for (const errand of owner.errands) offer(hub, errand, at, at);
  owner.errands.clear();
}

function release(hub: Hub, me: Owner, leases: readonly (Lease | ActivityLease)[], afterMs: number): void {
  const at = hub.clock.now();
  for (const lease of leases) {
    if ("key" in lease) {
      const errand = hub.byNumber.get(lease.key.number)?.activities.get(keyOf(lease.key));
      if (errand === undefined || errand.epoch !== lease.epoch || errand.owner !== me) continue;
      me.errands.delete(errand);
      if (lease.undone === true) errand.delivery--;
      offer(hub, errand, at + afterMs, at);
    } else {
      const entry = hub.byNumber.get(lease.number);
      if (entry === undefined || entry.record.epoch !== lease.epoch || entry.owner !== me) continue;
      if (afterMs > 0) entry.record = { ...entry.record, notBefore: Math.max(entry.record.notBefore ?? 0, at + afterMs) };
      free(entry);
      place(hub, entry, at);
    }
  }
}

// ------------------------------------------------------------------------------------------------------------ commits

function keyOf(key: ActivityKey): number {
  return key.generation * 0x1_0000_0000 + key.taskId;
}

function refusedBy(hub: Hub, commit: Commit, at: Instant): "fenced" | "exists" | undefined {
  for (const fence of commit.fences) {
    switch (fence.kind) {
      case "absent":
        if (hub.byId.has(fence.id)) return "exists";
        break;
      case "instance":
        if (hub.byNumber.get(fence.number)?.record.epoch !== fence.epoch) return "fenced";
        break;
      case "activity":
        if (hub.byNumber.get(fence.key.number)?.activities.get(keyOf(fence.key))?.epoch !== fence.epoch) return "fenced";
        break;
    }
  }
  if (commit.drop === "everything" && isStartWaiting(hub.byNumber.get(commit.number))) return "fenced";
  if (commit.drop === "if-idle" && (hub.byNumber.get(commit.number)?.inbox.size ?? 0) > 0) return "fenced";
  if (commit.consumed.length > 0) {
    const inbox = hub.byNumber.get(commit.number)?.inbox;
    for (const id of commit.consumed) {
      const slot = inbox?.get(id);
      if (slot === undefined || slot.dueAt > at) return "fenced";
    }
  }
  return undefined;
}

function write(hub: Hub, me: Owner, commit: Commit, at: Instant): CommitResult {
  const why = refusedBy(hub, commit, at);
  if (why !== undefined) return { ok: false, why };
  let entry = hub.byNumber.get(commit.number);
  const dropsAll = commit.drop === "everything" || commit.drop === "if-idle";
  if (entry !== undefined && commit.record !== undefined && commit.record.epoch < entry.record.epoch && !dropsAll) {
    const message = `The epoch of instance ${entry.record.id} would go back from ${entry.record.epoch} to ${commit.record.epoch}.`;
    return { ok: false, why: "failed", failure: { errorType: "AssertionError", message } };
  }

  let leases = commit.fences.length > 0 && commit.fences[0]?.kind !== "activity";
  if (entry !== undefined) {
    for (const id of commit.consumed) takeOut(entry, id);
    for (const id of commit.cancelled) takeOut(entry, id);
  }
  for (const key of commit.finished) finish(hub, key);
  if (entry !== undefined && commit.drop !== undefined) {
    if (commit.drop === "everything" || commit.drop === "if-idle") {
      dropAll(hub, entry);
      entry = undefined;
      leases = false;
    } else dropExecution(hub, entry, commit.drop.execution, commit.drop.generation);
  }
  if (commit.record !== undefined) {
    if (entry === undefined) {
      entry = create(hub, commit.record);
      leases = true;
    } else rewrite(hub, entry, commit.record);
  }
  if (entry !== undefined) {
    if (commit.payloads !== undefined) entry.payloads = changed(entry.payloads, commit.payloads);
    if (commit.history !== undefined) {
      if (commit.history.mode === "replace") entry.events = [...commit.history.events];
      else for (const event of commit.history.events) entry.events.push(event);
    }
  }
  for (const row of commit.activities) schedule(hub, me, entry, row, at);
  if (commit.aside !== undefined) putAside(hub, commit.aside);
  if (commit.offersAside === true && entry !== undefined)
    for (const errand of entry.activities.values()) if (isAside(errand)) offer(hub, errand, at, at);

  const touched = new Set<Entry>();
  const born: Entry[] = [];
  const undelivered: MessageId[] = [];
  for (const message of commit.messages) {
    let addressee = entry !== undefined && entry.record.id === message.to ? entry : hub.byId.get(message.to);
    if (addressee === undefined) {
      if (message.creates === undefined) {
        undelivered.push(message.id);
        continue;
      }
      addressee = create(hub, message.creates.record);
      addressee.payloads = message.creates.payloads;
      if (message.creates.claimed) {
        take(hub, me, addressee);
        born.push(addressee);
      }
    }
    put(hub, addressee, message, at);
    if (addressee !== entry) touched.add(addressee);
  }

  let arrived: readonly InboxMessage[] = [];
  if (entry !== undefined) {
    if (leases && commit.keep) {
      if (entry.owner !== me) {
        free(entry);
        take(hub, me, entry);
      }
      arrived = handOut(entry, at);
    } else if (leases) free(entry);
    place(hub, entry, at);
  }
  const claims = born.map((one) => claimOf(one, handOut(one, at), false));
  for (const one of touched) place(hub, one, at);
  return { ok: true, at, number: entry?.record.number ?? commit.number, arrived, undelivered, claims };
}

function create(hub: Hub, given: InstanceRecord): Entry {
  const number = hub.nextNumber++;
  const record: InstanceRecord = { ...given, number };
  const entry = new Entry(record);
  hub.byNumber.set(number, entry);
  hub.byId.set(record.id, entry);
  hub.numbers.push(number);
  if (record.parent !== undefined) {
    const siblings = hub.byParent.get(record.parent.instanceId);
    if (siblings === undefined) hub.byParent.set(record.parent.instanceId, new Set([entry]));
    else siblings.add(entry);
  }
  if (record.completedAt !== undefined) hub.completions.add({ completedAt: record.completedAt, id: record.id });
  if (isTerminal(record.status)) tellEnded(hub, record.id);
  return entry;
}

function rewrite(hub: Hub, entry: Entry, record: InstanceRecord): void {
  const before = entry.record;
  // A control operation took the lease's ground away: what was handed out under it will be handed out again.
  if (record.epoch !== before.epoch) takeBack(entry);
  entry.record = record.number === before.number ? record : { ...record, number: before.number };
  if (record.completedAt !== before.completedAt) {
    if (before.completedAt !== undefined) hub.completions.remove({ completedAt: before.completedAt, id: record.id });
    if (record.completedAt !== undefined) hub.completions.add({ completedAt: record.completedAt, id: record.id });
  }
  if (isTerminal(record.status) && (!isTerminal(before.status) || record.executionId !== before.executionId)) tellEnded(hub, record.id);
}

function changed(payloads: InstancePayloads, changes: PayloadChanges): InstancePayloads {
  const next: { -readonly [K in keyof InstancePayloads]: InstancePayloads[K] } = { ...payloads };
  if (changes.input === null) delete next.input;
  else if (changes.input !== undefined) next.input = changes.input;
  if (changes.output === null) delete next.output;
  else if (changes.output !== undefined) next.output = changes.output;
  if (changes.customStatus === null) delete next.customStatus;
  else if (changes.customStatus !== undefined) next.customStatus = changes.customStatus;
  if (changes.failure === null) delete next.failure;
  else if (changes.failure !== undefined) next.failure = changes.failure;
  if (changes.state === null) delete next.state;
  else if (changes.state !== undefined) next.state = changes.state;
  return next;
}

function takeOut(entry: Entry, id: MessageId): void {
  const slot = entry.inbox.get(id);
  if (slot !== undefined) remove(entry, slot);
}

function schedule(hub: Hub, me: Owner, entry: Entry | undefined, row: ActivityRow, at: Instant): void {
  const target = row.number === 0 ? entry : hub.byNumber.get(row.number);
  if (target === undefined) return;
  const own = row.number === target.record.number ? row : { ...row, number: target.record.number };
  finish(hub, own);
  const errand: Errand = { row: own, epoch: row.epoch, delivery: 0, owner: undefined, dueAt: at, tie: hub.nextErrand++, place: -1 };
  target.activities.set(keyOf(row), errand);
  if (row.claimed) {
    errand.delivery = 1;
    errand.owner = me;
    me.errands.add(errand);
  } else offer(hub, errand, at, at);
}

/** It stands in no heap, so nobody is handed it and nobody waits for its time. */
function putAside(hub: Hub, { key, delivery }: NonNullable<Commit["aside"]>): void {
  const errand = hub.byNumber.get(key.number)?.activities.get(keyOf(key));
  if (errand === undefined) return;
  errand.owner?.errands.delete(errand);
  if (errand.place >= 0) hub.errands.get(errand.row.name)?.remove(errand);
  errand.owner = undefined;
  errand.delivery = delivery;
  errand.dueAt = LATEST_INSTANT;
}

function isAside({ owner, dueAt, place }: Errand): boolean {
  return owner === undefined && place < 0 && dueAt === LATEST_INSTANT;
}

function finish(hub: Hub, key: ActivityKey): void {
  const activities = hub.byNumber.get(key.number)?.activities;
  const errand = activities?.get(keyOf(key));
  if (activities === undefined || errand === undefined) return;
  activities.delete(keyOf(key));
  errand.owner?.errands.delete(errand);
  if (errand.place >= 0) hub.errands.get(errand.row.name)?.remove(errand);
}

function dropExecution(hub: Hub, entry: Entry, execution: string, generation: number): void {
  for (const slot of entry.inbox.values()) if (slot.message.execution === execution) remove(entry, slot);
  for (const errand of entry.activities.values()) if (errand.row.generation === generation) finish(hub, errand.row);
}

function dropAll(hub: Hub, entry: Entry): void {
  const { record } = entry;
  for (const errand of entry.activities.values()) finish(hub, errand.row);
  entry.inbox.clear();
  free(entry);
  unready(hub, entry);
  hub.byNumber.delete(record.number);
  hub.byId.delete(record.id);
  if (record.completedAt !== undefined) hub.completions.remove({ completedAt: record.completedAt, id: record.id });
  if (record.parent !== undefined) {
    const siblings = hub.byParent.get(record.parent.instanceId);
    siblings?.delete(entry);
    if (siblings?.size === 0) hub.byParent.delete(record.parent.instanceId);
  }
  if (++hub.gone > 1_000 && hub.gone * 2 > hub.numbers.length) {
    hub.numbers = hub.numbers.filter((number) => hub.byNumber.has(number));
    hub.gone = 0;
  }
  tellEnded(hub, record.id);
}

function decideNow(hub: Hub, me: Owner, id: InstanceId, decide: Decision): CommitResult | Refusal {
  const at = hub.clock.now();
  for (;;) {
    const entry = hub.byId.get(id);
    const record = entry?.record;
    const decision = decide(stored(entry), at);
    if ("refused" in decision) return decision;
    // A decision that is not as pure as it should be may have let somebody else in: then it is asked again.
    if (hub.byId.get(id)?.record === record) return write(hub, me, decision, at);
  }
}

// ------------------------------------------------------------------------------------------------------------ reads

function stored(entry: Entry | undefined): StoredInstance | undefined {
  return entry === undefined ? undefined : { record: entry.record, payloads: entry.payloads };
}

async function* pagesOf(hub: Hub, id: InstanceId, from: number): AsyncGenerator<readonly HistoryEvent[]> {
  // A later `replace` puts another array in its place: this one stays as it was.
  const events = hub.byId.get(id)?.events ?? [];
  const end = events.length;
  for (let start = from; start < end; start += HISTORY_PAGE) yield events.slice(start, Math.min(start + HISTORY_PAGE, end));
}

function query(hub: Hub, filter: InstanceFilter, request: PageRequest): Page<StoredInstance> {
  const after = numberOfCursor(request.cursor);
  const size = pageSize(request);
  const items: StoredInstance[] = [];
  for (const number of numbersAfter(hub, filter, after)) {
    const entry = hub.byNumber.get(number);
    if (entry === undefined || !matches(filter, entry)) continue;
    const last = items.at(-1);
    if (items.length === size && last !== undefined) return { items, next: cursorOf(last.record.number) };
    items.push({ record: entry.record, payloads: entry.payloads });
  }
  return { items };
}

function finished(hub: Hub, request: FinishedRequest): FinishedPage {
  const instances: FinishedInstance[] = [];
  const start = request.after ?? { completedAt: request.from ?? 0, id: "" };
  for (const place of hub.completions.after(start)) {
    if (instances.length >= request.size || (request.to !== undefined && place.completedAt >= request.to)) break;
    const record = hub.byId.get(place.id)?.record;
    if (record === undefined || !isTerminal(record.status) || place.completedAt < (request.from ?? 0)) continue;
    if (request.statuses?.includes(record.status) === false) continue;
    instances.push(finishedOf(record, record.status, place.completedAt));
  }
  return { at: hub.clock.now(), instances };
}

function outstanding(hub: Hub, id: InstanceId): Outstanding | undefined {
  const entry = hub.byId.get(id);
  if (entry === undefined) return undefined;
  const at = hub.clock.now();
  const dueTimes = [...entry.inbox.values()].map((slot) => slot.dueAt);
  const due = dueTimes.filter((dueAt) => dueAt <= at);
  const errands = [...entry.activities.values()].sort((a, b) => keyOf(a.row) - keyOf(b.row));
  return {
    at,
    activities: errands.slice(0, OUTSTANDING_ACTIVITIES).map((errand) => ({
      taskId: errand.row.taskId,
      name: errand.row.name,
      attempt: errand.row.attempt,
      deliveries: errand.delivery,
      isOut: errand.owner !== undefined,
      since: errand.dueAt,
      ...given({ expiresAt: errand.row.expiresAt }),
    })),
    activityCount: errands.length,
    dueMessages: due.length,
    laterMessages: dueTimes.length - due.length,
    isClaimed: entry.owner !== undefined,
    ...(due.length === 0 ? {} : { oldestDueAt: Math.min(...due) }),
  };
}

function finishedOf(record: InstanceRecord, status: TerminalStatus, completedAt: Instant): FinishedInstance {
  const { number, id, name, epoch, parent } = record;
  const link = parent === undefined ? {} : { parent: { instanceId: parent.instanceId, executionId: parent.executionId } };
  return { number, id, name, status, epoch, completedAt, ...link };
}

function* numbersAfter(hub: Hub, filter: InstanceFilter, after: InstanceNumber): Generator<InstanceNumber> {
  if (filter.parent !== undefined) {
    const children = [...(hub.byParent.get(filter.parent) ?? [])].map((entry) => entry.record.number);
    yield* children.filter((number) => number > after).sort((a, b) => a - b);
    return;
  }
  let low = 0;
  let high = hub.numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((hub.numbers[middle] as number) <= after) low = middle + 1;
    else high = middle;
  }
  for (; low < hub.numbers.length; low++) yield hub.numbers[low] as number;
}

// ------------------------------------------------------------------------------------------------------------ hints

function hintOf(hub: Hub): NonNullable<Hub["hint"]> {
  if (hub.hint === undefined) {
    hub.hint = { ready: false, ended: [], dueAt: undefined };
    queueMicrotask(() => {
      const { ready = false, ended = [], dueAt } = hub.hint ?? {};
      hub.hint = undefined;
      for (const watcher of hub.watchers) watcher({ ready, ended, ...(dueAt === undefined ? {} : { dueAt }) });
    });
  }
  return hub.hint;
}

/** Tells all others what this owner has room for. */
function tellRoomLeft(hub: Hub, own: ReadonlySet<unknown>, roomElsewhere: RoomLeft | undefined): void {
  if (roomElsewhere === undefined) return;
  queueMicrotask(() => {
    for (const watcher of hub.watchers) if (!own.has(watcher)) watcher({ ready: false, ended: [], roomElsewhere });
  });
}

function tellEnded(hub: Hub, id: InstanceId): void {
  if (hub.watchers.size > 0) hintOf(hub).ended.push(id);
}

function tellDue(hub: Hub, dueAt: Instant, at: Instant): void {
  if (hub.watchers.size === 0) return;
  const hint = hintOf(hub);
  if (dueAt <= at) hint.ready = true;
  else if (hint.dueAt === undefined || dueAt < hint.dueAt) hint.dueAt = dueAt;
}
