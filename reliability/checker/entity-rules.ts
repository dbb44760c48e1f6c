// entity-rules: entities and their locks, as everybody who was there saw them.
//
// Owns:    what of a journal is an operation on an entity, for the rules of entity-lists; E4 (no lock outlives its owner), E5 and E7 by the store,
//          E6 (nothing goes that somebody still needs), H2 and H8 of answers to calls and requests for locks.
// Is told: what operations mean, by whoever knows the entities: what each adds to its list.
// Always:  ER1 time is the place in the journal, and within one write the place in the history: nobody's clock is asked.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import { checkLists, type ListOperation } from "./entity-lists.ts";
import { mayHaveHappened, type Call, type Entry } from "./journal.ts";
import { isEnd } from "./row-rules.ts";
import type { Life } from "./sight-rules.ts";
import type { Dump, DumpedInstance, Standing } from "./stored.ts";
import type { Report } from "./violation.ts";

/** What an operation does, as whoever wrote the entity knows it. */
export interface Meaning {
  /** The text that it adds to the list of its entity. */
  readonly appends?: string;
  /** The text that it signals another list to add. An entity that is no list may do so as well. */
  readonly passes?: { readonly to: string; readonly appends: string };
  /** Whatever it does, it fails in the end. */
  readonly fails?: boolean;
}

/** Entities whose state is a list. */
export interface Lists {
  readonly isList: (entity: string) => boolean;
  readonly meaningOf: (operation: string, input: string | undefined) => Meaning;
  /** The list that a text of a state, or of an answer, stands for. Nothing: an empty one. */
  readonly listOf: (text: string | undefined) => readonly string[];
}

/** What the rules look at. */
export interface EntityWorld {
  readonly journal: readonly Entry[];
  readonly calls: readonly Call[];
  readonly lives: readonly Life[];
  readonly dump: Dump;
  readonly lists?: Lists;
  readonly atRest: boolean;
  /** Every state that was ever committed is in the journal. */
  readonly complete: boolean;
}

/** Reports what is wrong with entities. */
export function checkEntities(world: EntityWorld, report: Report): void {
  const { dump, lives, lists, atRest, complete } = world;
  if (atRest) for (const instance of dump.instances) checkUnlocked(instance, report);
  for (const life of lives) checkGoing(life, report);
  if (lists === undefined || !complete) return;
  const noting: Noting = { operations: new Map(), passes: new Map(), lists, report };
  noteOperations(world, noting);
  for (const life of lives) if (lists.isList(life.id)) checkLife(life, noting, report);
  const ends = new Map<string, readonly string[]>();
  for (const { record, payloads } of dump.instances) if (lists.isList(record.id)) ends.set(record.id, lists.listOf(payloads.state));
  checkLists({ operations: [...noting.operations.values(), ...passedOn(noting, ends)], lists: ends, atRest }, report);
}

// ---- locks, by the store

/** E4: when nothing is under way nobody has a lock, and nobody is owed one. */
function checkUnlocked({ record }: DumpedInstance, report: Report): void {
  if (record.lockedBy !== undefined)
    report("E4", record.id, `It is still locked by ${record.lockedBy.instanceId}.`, { section: record.lockedBy.criticalSectionId });
  if (isEnd(record.status) && record.sections !== undefined)
    report("E4", record.id, `It is ${record.status}, and has ${record.sections.length} critical sections.`);
}

/** E6: an entity that goes has nothing to do, no state and no lock. */
function checkGoing({ id, moments }: Life, report: Report): void {
  let before: Standing | undefined;
  for (const { standing } of moments) {
    if (standing === undefined && before?.instance.record.kind === "entity") {
      const { record, payloads } = before.instance;
      if (before.messages.length > 0) report("E6", id, `It was cleaned up with ${before.messages.length} messages to read.`);
      if (record.lockedBy !== undefined) report("E6", id, `It was cleaned up while ${record.lockedBy.instanceId} had locked it.`);
      if (payloads.state !== undefined) report("E6", id, "It was cleaned up and had a state.");
    }
    before = standing;
  }
}

/** E5, E7 and E1 between one moment of a list and the next. */
function checkLife({ id, moments }: Life, { operations, lists }: Noting, report: Report): void {
  const byText = new Map<string, ListOperation>();
  for (const operation of operations.values())
    if (operation.entity === id && operation.appends !== undefined) byText.set(operation.appends, operation);
  let before: DumpedInstance | undefined;
  let list: readonly string[] = [];
  for (const { standing, storeAt } of moments) {
    const now = standing?.instance;
    const was = list;
    list = lists.listOf(now?.payloads.state);
    if (now !== undefined && list !== was) {
      const changed = was.findIndex((text, at) => list[at] !== text);
      if (changed >= 0) report("E1", id, `'${was[changed]}' was in its list, and '${list[changed] ?? "nothing"}' is there now.`);
      const lock = before?.record.lockedBy;
      const isHeld = lock !== undefined && now.record.lockedBy?.criticalSectionId === lock.criticalSectionId;
      for (const text of list.slice(was.length)) {
        const operation = byText.get(text);
        if (operation?.notBefore !== undefined && operation.notBefore > storeAt)
          report("E7", id, `'${text}' was done ${operation.notBefore - storeAt} ms early by the store's clock.`);
        if (isHeld && operation !== undefined && operation.sender !== lock.executionId)
          report("E5", id, `'${text}' of ${operation.sender} was done while ${lock.instanceId} had it to itself.`);
      }
    }
    before = now;
  }
}

// ---- operations, out of histories and of what clients asked

type MutableOperation = { -readonly [K in keyof ListOperation]: ListOperation[K] };

/** What is found out on the way through a journal. */
interface Noting {
  readonly operations: Map<string, MutableOperation>;
  /** What operations signal to other lists, by their ids. */
  readonly passes: Map<string, NonNullable<Meaning["passes"]>>;
  readonly lists: Lists;
  readonly report: Report;
}

/** What an execution has asked for. */
interface Asker {
  readonly instanceId: string;
  readonly executionId: string;
  readonly lockSets: Map<string, readonly string[]>;
  /** Entities that it has to itself: of which section. */
  readonly held: Map<string, string>;
  readonly granted: Set<string>;
  readonly called: Map<string, MutableOperation | undefined>;
}

function noteOperations({ journal, calls, lives }: EntityWorld, noting: Noting): void {
  const signals = new Map(calls.filter(({ op }) => op === "signal").map((call) => [call.from, call]));
  const seen = new Map<number, { readonly executionId: string; readonly length: number }>();
  const askers = new Map<string, Asker>();
  let time = 0;
  /** The time of each place in the journal: that of its last event. */
  const times: number[] = [];
  journal.forEach((entry, place) => {
    time++;
    const signal = signals.get(place);
    if (signal !== undefined) noteSignal(signal, time, noting);
    if (entry.kind === "stands" && entry.standing?.instance.record.kind === "orchestration") {
      const { record, history } = entry.standing.instance;
      const known = seen.get(entry.number);
      const from = known?.executionId === record.executionId ? known.length : 0;
      seen.set(entry.number, { executionId: record.executionId, length: history.length });
      let asker = askers.get(record.executionId);
      if (asker === undefined) askers.set(record.executionId, (asker = newAsker(record)));
      for (let at = from; at < history.length; at++) noteEvent(history[at]!, asker, ++time, noting);
    }
    times[place] = time;
  });
  // A client knows that it was accepted when it has its answer; it may have asked more than once.
  for (const call of signals.values()) {
    const operation = noting.operations.get(requestOf(call));
    if (operation === undefined || call.outcome !== "ok") continue;
    if (operation.outcome === "info") operation.outcome = "ok";
    operation.sent = Math.min(operation.sent, times[call.to] ?? Number.POSITIVE_INFINITY);
  }
  noteUnseen(lives, times, noting);
}

/** What the last turn of an execution asked for that then began anew stands in no history that anybody saw: in the inbox of the entity it lay. */
function noteUnseen(lives: readonly Life[], times: readonly number[], { operations, passes, lists }: Noting): void {
  const known = new Set([...passes.values()].map(({ to, appends }) => `${to} ${appends}`));
  for (const { entity, appends = "" } of operations.values()) known.add(`${entity} ${appends}`);
  for (const { id: entity, moments } of lives) {
    if (!lists.isList(entity)) continue;
    for (const { place, standing } of moments)
      for (const { event } of standing?.messages ?? []) {
        if (event.kind !== "EntityOperationSignaled" && event.kind !== "EntityOperationCalled") continue;
        const { appends, fails, passes: passed } = lists.meaningOf(event.operation, event.input);
        if (appends === undefined || operations.has(event.requestId) || known.has(`${entity} ${appends}`)) continue;
        known.add(`${entity} ${appends}`);
        if (passed !== undefined) {
          passes.set(event.requestId, passed);
          known.add(`${passed.to} ${passed.appends}`);
        }
        const time = times[place] ?? 0;
        operations.set(event.requestId, {
          id: event.requestId,
          entity,
          sender: event.kind === "EntityOperationCalled" ? (event.caller?.executionId ?? "") : `whoever asked for ${event.requestId}`,
          appends,
          ...(event.scheduledAt === undefined ? {} : { notBefore: event.scheduledAt }),
          outcome: fails === true ? "fail" : event.kind === "EntityOperationCalled" ? "info" : "ok",
          isSignal: true,
          from: time,
          to: Number.POSITIVE_INFINITY,
          asked: time,
          sent: Number.POSITIVE_INFINITY,
          times: 1,
        });
      }
  }
}

function newAsker({ id, executionId }: { readonly id: string; readonly executionId: string }): Asker {
  return { instanceId: id, executionId, lockSets: new Map(), held: new Map(), granted: new Set(), called: new Map() };
}

function requestOf(call: Call): string {
  return call.request.requestId ?? call.call;
}

/** The list that an operation changes in the end, and in whose order it stands there: what goes through an entity that is no list stands in nobody's. */
function targetOf(
  entity: string,
  meaning: Meaning,
  id: string,
  sender: string,
  lists: Lists,
): (Meaning & { readonly entity: string; readonly sender: string }) | undefined {
  if (lists.isList(entity)) return { ...meaning, entity, sender };
  if (meaning.passes === undefined) return undefined;
  const { to, appends } = meaning.passes;
  return { entity: to, appends, sender: `${sender} through ${entity} by ${id}` };
}

/** A signal that a client has asked for. */
function noteSignal(call: Call, time: number, { operations, passes, lists }: Noting): void {
  const { operation = "", input, notBefore } = call.request;
  const id = requestOf(call);
  const known = operations.get(id);
  const may = mayHaveHappened(call) ? 1 : 0;
  if (known !== undefined) return void (known.times += may);
  const target = targetOf(call.instanceId, lists.meaningOf(operation, input), id, String(call.by), lists);
  if (target === undefined) return;
  const { entity, sender, appends, fails, passes: passed } = target;
  if (passed !== undefined) passes.set(id, passed);
  operations.set(id, {
    id,
    entity,
    sender,
    ...(appends === undefined ? {} : { appends }),
    ...(notBefore === undefined ? {} : { notBefore }),
    outcome: fails === true ? "fail" : "info",
    isSignal: true,
    from: time,
    to: Number.POSITIVE_INFINITY,
    asked: time,
    sent: Number.POSITIVE_INFINITY,
    times: may,
  });
}

function noteEvent(event: HistoryEvent, asker: Asker, time: number, { operations, passes, lists, report }: Noting): void {
  const { instanceId, executionId: sender } = asker;
  switch (event.kind) {
    case "EntityOperationSignaled":
    case "EntityOperationCalled": {
      const isSignal = event.kind === "EntityOperationSignaled";
      const target = targetOf(event.entityId, lists.meaningOf(event.operation, event.input), event.requestId, sender, lists);
      if (target === undefined) {
        if (!isSignal) asker.called.set(event.requestId, undefined);
        return;
      }
      const { appends, fails, passes: passed } = target;
      if (passed !== undefined) passes.set(event.requestId, passed);
      const section = asker.held.get(event.entityId);
      const { scheduledAt } = event;
      const operation: MutableOperation = {
        id: event.requestId,
        entity: target.entity,
        sender: target.sender,
        ...(appends === undefined ? {} : { appends }),
        ...(scheduledAt === undefined ? {} : { notBefore: scheduledAt }),
        ...(section === undefined ? {} : { section }),
        ...(isSignal ? { isSignal } : {}),
        // What has left with a commit is accepted. Who is told nothing knows nothing.
        outcome: isSignal ? (fails === true ? "fail" : "ok") : "info",
        from: time,
        to: Number.POSITIVE_INFINITY,
        asked: time,
        sent: time,
        times: 1,
      };
      if (operations.has(event.requestId)) report("H9", instanceId, "Two operations have one request id.", { request: event.requestId });
      operations.set(event.requestId, operation);
      if (!isSignal) asker.called.set(event.requestId, operation);
      return;
    }
    case "EntityOperationCompleted":
    case "EntityOperationFailed": {
      if (!asker.called.has(event.requestId))
        return report("H8", instanceId, `${event.kind} answers a call that was never made, or has its answer.`, {
          request: event.requestId,
        });
      const operation = asker.called.get(event.requestId);
      asker.called.delete(event.requestId);
      if (operation === undefined) return;
      operation.to = time;
      operation.outcome = event.kind === "EntityOperationFailed" ? "fail" : "ok";
      if (event.kind === "EntityOperationCompleted") operation.saw = lists.listOf(event.result);
      return;
    }
    case "EntityLockRequested":
      return void asker.lockSets.set(event.criticalSectionId, event.lockSet);
    case "EntityLockGranted": {
      const lockSet = asker.lockSets.get(event.criticalSectionId);
      if (lockSet === undefined || asker.granted.has(event.criticalSectionId))
        return report("H8", instanceId, "A lock was granted that nobody had asked for, or twice.", { section: event.criticalSectionId });
      asker.granted.add(event.criticalSectionId);
      for (const entity of lockSet) asker.held.set(entity, `${event.criticalSectionId} of ${sender}`);
      return;
    }
    case "EntityUnlockSent":
      if (asker.held.get(event.entityId) === `${event.criticalSectionId} of ${sender}`) asker.held.delete(event.entityId);
      return;
    default:
      return;
  }
}

/** What operations that were done have signalled to other lists: it is there as often as they are, and not at all where they failed. */
function passedOn({ operations, passes }: Noting, ends: ReadonlyMap<string, readonly string[]>): ListOperation[] {
  const passed: ListOperation[] = [];
  const placesOf = new Map([...ends].map(([entity, list]) => [entity, new Map(list.map((text, place) => [text, place]))]));
  for (const operation of operations.values()) {
    const to = passes.get(operation.id);
    if (to === undefined) continue;
    const place = operation.appends === undefined ? undefined : placesOf.get(operation.entity)?.get(operation.appends);
    passed.push({
      id: `${operation.id} passed on`,
      entity: to.to,
      sender: operation.entity,
      appends: to.appends,
      outcome: place !== undefined && operation.outcome !== "fail" ? "ok" : "fail",
      isSignal: true,
      from: operation.from,
      to: Number.POSITIVE_INFINITY,
      asked: place ?? 0,
      sent: place ?? 0,
      times: operation.times,
    });
  }
  return passed;
}
