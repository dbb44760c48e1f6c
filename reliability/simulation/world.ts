// world: one seed from its first moment to its last: unrest, then peace, then the questions of the checker.
//
// Owns:    the phases of a world; what counts as rest; what must come of every instance.
// Always:  W1 the same setup gives the same world, event for event: time, chance and order are its own.
//          W2 when the faults have stopped everything comes to its end within a bounded time (L3).
import { check, type Evidence } from "../checker/check.ts";
import { dumpOfMemory } from "../checker/from-memory.ts";
import type { Entry } from "../checker/journal.ts";
import type { Expectation } from "../checker/rest-rules.ts";
import type { Dump, DumpedInstance } from "../checker/stored.ts";
import type { Violation } from "../checker/violation.ts";
import type { InstanceRecord } from "../../packages/ostinato/src/contract/instance.ts";
import { createMemoryHub, type MemoryHub } from "../../packages/ostinato/src/stores/memory/memory-store.ts";
import { Agenda } from "./agenda.ts";
import { chanceOf } from "./chance.ts";
import { Clients, START } from "./clients.ts";
import { goalsOf } from "./goals.ts";
import { Host } from "./host.ts";
import { lists } from "./lists.ts";
import { predict, type Outside } from "./oracle.ts";
import { FIRST_RETRY_MS, type State } from "./programs.ts";
import type { AnyFaultClass, Setup } from "./setup.ts";
import { count, newTally, type Tally } from "./tally.ts";
import { intrude } from "./intruder.ts";
import { Wire } from "./wire.ts";
import { Witness } from "./witness.ts";

/** What became of a world. */
export interface Outcome {
  readonly setup: Setup;
  readonly violations: readonly Violation[];
  /** What the product itself found broken. */
  readonly broken: readonly string[];
  readonly tally: Tally;
  readonly journal: readonly Entry[];
  readonly dump: Dump;
  readonly steps: number;
}

/** So long it may take until everything has ended, when the faults have stopped. */
const PEACE_MS = 3_600_000;
const LOOK_MS = 5_000;

/** Runs a world. */
export async function simulate(setup: Setup): Promise<Outcome> {
  const realNow = performance.now.bind(performance);
  // The product yields to the loop of this process after some real time. Here no time passes but that of the agenda.
  performance.now = () => 0;
  try {
    return await run(setup);
  } finally {
    performance.now = realNow;
  }
}

async function run(setup: Setup): Promise<Outcome> {
  const { seed, leaseMs } = setup;
  const agenda = new Agenda(START);
  const tally = newTally();
  const broken: string[] = [];
  const faults = new Set<AnyFaultClass>(setup.faults);
  let offset = 0;
  const hub = createMemoryHub({ clock: { now: () => Math.floor(agenda.now + offset) } });
  const witness = new Witness(hub);
  let unrest = true;
  const has = (fault: AnyFaultClass): boolean => unrest && faults.has(fault);
  const chanceFor = (purpose: string): ReturnType<typeof chanceOf> => chanceOf(seed, purpose);
  const wire = setup.wire === undefined ? undefined : new Wire({ agenda, witness, tally, has });
  const shared = {
    seed,
    agenda,
    hub,
    witness,
    tally,
    leaseMs,
    has,
    chanceFor,
    again: setup.again,
    broken: (message: string) => void broken.push(message),
    ...(wire === undefined || setup.wire === undefined ? {} : { wire, wireSetup: setup.wire }),
  };
  const inside = setup.hosts.map((plan, index) => new Host(shared, plan, index));
  const outside = (setup.wire?.outside ?? []).map((plan, index) => new Host(shared, plan, index, "outside"));
  const hosts = [...inside, ...outside];
  const asked = setup.wire?.clientsOutside === true ? outside : hosts;
  const clients = new Clients({ agenda, chance: chanceFor("clients"), witness, tally, hosts: asked, has });
  const intrusions: Violation[] = [];

  // ---- unrest
  for (const host of hosts) host.begin();
  let asking = setup.instances.length + setup.orders.length + setup.tellers.length;
  const done = (): void => void asking--;
  for (const planned of setup.instances) void clients.follow(planned).then(done);
  for (const order of setup.orders) void clients.obey(order, setup).then(done);
  for (const teller of setup.tellers) void clients.tell(teller).then(done);
  if (wire !== undefined) {
    const ids = setup.instances.map(({ id }) => id);
    intrude({ agenda, chance: chanceFor("intruder"), wire, tally, has, violations: intrusions, ids });
  }
  for (const { kind, at, host, ms } of setup.blows)
    agenda.at(START + at, () => {
      const struck = hosts[host % hosts.length]!;
      const clock = (): true => (struck.jump(ms), true);
      const drain = (): true => (void struck.drain(ms), true);
      const isDone = kind === "crash" ? struck.crash(ms) : kind === "freeze" ? struck.freeze(ms) : kind === "drain" ? drain() : clock();
      if (isDone) count(tally.faults, kind === "jump" ? "clocks" : kind);
    });
  if (faults.has("store-clock")) {
    const chance = chanceFor("store-clock");
    for (let left = chance.between(1, 4); left > 0; left--)
      agenda.at(START + chance.below(setup.unrestMs), () => {
        count(tally.faults, "store-clock");
        offset += chance.between(-20_000, 30_000);
      });
  }
  await agenda.runUntil(START + setup.unrestMs);

  // ---- peace: everybody lives, with the newest code; whatever waits for somebody is helped
  unrest = false;
  for (const host of hosts) {
    host.goOn();
    if (host.runsOldCode) {
      host.upgrade();
      host.end();
    }
    host.begin();
  }
  const until = agenda.now + PEACE_MS;
  let helped = 0;
  while (agenda.now < until && !agenda.isSpent) {
    await agenda.runUntil(agenda.now + LOOK_MS);
    if (asking === 0 && isOver(hub)) break;
    helped = help(hub, clients, helped);
  }
  await agenda.runUntil(agenda.now + leaseMs * 2 + 10_000);
  const dump = dumpOfMemory(hub);
  const journal = witness.journal.slice();

  // ---- the end: everything is purged, and nothing may be left
  const emptied = await purgeAll(hub, clients, agenda, leaseMs);
  for (const host of hosts) host.end();
  await agenda.runUntil(agenda.now + 1);

  const evidence: Evidence = {
    dump,
    journal,
    expectations: expectationsOf(setup, journal),
    policies: policiesOf(faults),
    taken: { atStart: tookBefore, inTheEnd: tookInTheEnd },
    lists,
    complete: true,
    atRest: true,
    ...(emptied === undefined ? {} : { emptied }),
  };
  const violations = [...check(evidence), ...intrusions];
  if (agenda.isSpent) violations.unshift({ invariant: "L3", message: "It goes round and round, and comes to no rest." });
  goalsOf(journal, tally);
  return { setup, violations, broken, tally, journal, dump, steps: agenda.steps };
}

const ENDED = new Set(["COMPLETED", "FAILED", "TERMINATED"]);

function isOver(hub: MemoryHub): boolean {
  for (const { record, inbox } of hub.contents().instances) if (!isAtItsEnd(record) || inbox.size > 0) return false;
  return true;
}

/** An entity is never over; it rests when nobody has it to himself. */
function isAtItsEnd({ kind, status, lockedBy }: InstanceRecord): boolean {
  return kind === "entity" ? lockedBy === undefined : ENDED.has(status);
}

/** Resumes what is suspended, and raises what is waited for. Returns how often it has raised. */
function help(hub: MemoryHub, clients: Clients, before: number): number {
  let helped = before;
  for (const { record, inbox } of hub.contents().instances) {
    if (ENDED.has(record.status)) continue;
    if (record.status === "SUSPENDED") void clients.resume("helper", record.id);
    else if (record.awaitedEvents !== undefined && inbox.size === 0) void clients.raise("helper", record.id, `help#${++helped}`);
  }
  return helped;
}

async function purgeAll(hub: MemoryHub, clients: Clients, agenda: Agenda, leaseMs: number): Promise<Dump | undefined> {
  for (let tries = 0; tries < 10; tries++) {
    const left = [...hub.contents().instances].map(({ record }) => record);
    if (left.some((record) => !isAtItsEnd(record))) return undefined;
    if (left.length === 0) break;
    for (const { id, kind } of left)
      if (kind === "entity") void clients.signal("cleaner", id, "delete", undefined);
      else void clients.purge("cleaner", id);
    await agenda.runUntil(agenda.now + 10_000);
    void clients.clean("cleaner");
    await agenda.runUntil(agenda.now + 10_000);
  }
  await agenda.runUntil(agenda.now + leaseMs * 2);
  return dumpOfMemory(hub);
}

// ---- what is known of programs from outside

function stateOf(instance: DumpedInstance): State | undefined {
  const { input } = instance.payloads;
  return input === undefined ? undefined : (JSON.parse(input) as State);
}

function tookBefore(instance: DumpedInstance): readonly string[] | undefined {
  return stateOf(instance)?.took.map((text) => JSON.stringify(text));
}

function tookInTheEnd(instance: DumpedInstance): readonly string[] | undefined {
  const { output } = instance.payloads;
  if (instance.record.status !== "COMPLETED" || output === undefined) return tookBefore(instance);
  // What somebody else has answered in its place need not look like it.
  return (JSON.parse(output) as Partial<State>).took?.map((text) => JSON.stringify(text));
}

/** Delays between attempts are kept by what a process knows of the store's clock: where that is wrong or comes late they prove nothing. */
function policiesOf(faults: ReadonlySet<AnyFaultClass>): NonNullable<Evidence["policies"]> {
  const timed =
    faults.has("clocks") || faults.has("store-clock") || faults.has("delay") ? {} : { firstDelayMs: FIRST_RETRY_MS - 2, coefficient: 2 };
  return {
    flaky1: { maxAttempts: 1 },
    flaky2: { maxAttempts: 2, ...timed },
    flaky3: { maxAttempts: 3, ...timed },
    fatal: { maxAttempts: 1 },
    square: { maxAttempts: 1 },
  };
}

/** What must come of every instance that was ever started: by its token for those that clients started. */
function expectationsOf(setup: Setup, journal: readonly Entry[]): Expectation[] {
  const terminated = new Set<string>();
  const tokens = new Map<string, Set<string>>();
  const restarted = new Set<string>();
  const begun = new Map<string, DumpedInstance>();
  for (const entry of journal) {
    if (entry.kind === "invoke" && entry.op === "terminate") terminated.add(entry.instanceId);
    if (entry.kind === "invoke" && (entry.op === "start" || entry.op === "restart")) {
      const { token } = entry.what as { token: string };
      tokens.set(entry.instanceId, (tokens.get(entry.instanceId) ?? new Set()).add(token));
      if (entry.op === "restart") restarted.add(entry.instanceId);
    }
    if (entry.kind === "stands" && entry.standing !== undefined) {
      const { record } = entry.standing.instance;
      const known = `${record.id} ${record.number}`;
      if (!begun.has(known)) begun.set(known, entry.standing.instance);
    }
  }
  const root = (id: string): string => id.split("/")[0]!;
  const usedAgain = (id: string): boolean =>
    (tokens.get(root(id))?.size ?? 0) > 1 || [...restarted].some((each) => id === each || id.startsWith(`${each}/`));
  const parents = new Map<string, string>();
  for (const { record } of begun.values()) if (record.parent !== undefined) parents.set(record.id, record.parent.instanceId);
  const ended = (id: string): boolean => {
    for (let at: string | undefined = id; at !== undefined; at = parents.get(at)) if (terminated.has(at)) return true;
    return false;
  };
  const outside: Outside = { endedFromOutside: ended, mayBeTaken: usedAgain };
  return [...begun.values()].flatMap(({ record, payloads }): Expectation[] => {
    // One that came to be without an input was begun by nobody: that is for other rules.
    if (payloads.input === undefined || record.kind === "entity") return [];
    const { program } = JSON.parse(payloads.input) as State;
    const predicted = predict(program, record.id, record.version ?? "", outside);
    const mayEnd = ended(record.id) ? (["TERMINATED"] as const) : [];
    const which = { instanceId: record.id, token: record.executionId };
    return [
      predicted.kind === "ends"
        ? { ...which, status: ["COMPLETED", ...mayEnd], log: predicted.log }
        : { ...which, status: ["FAILED", ...mayEnd], failure: [predicted.message] },
    ];
  });
}
