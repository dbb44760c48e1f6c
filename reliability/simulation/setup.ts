// setup: a world as a value: what a seed draws, what a shrinker makes smaller, what the corpus keeps.
import { chanceOf, type Chance } from "./chance.ts";
import { deedOf, keyOf, listStepOf, type Deed } from "./lists.ts";
import { NEW_CODE, OLD_CODE, programOf, type Program, type Step } from "./programs.ts";

/** Kinds of faults; each is in force or not, by seed. */
export const FAULT_CLASSES = [
  /** A process loses all its memory at some moment, and one begins in its place later. */
  "crash",
  /** The same, just before or just after a write reaches the store. */
  "crash-at-write",
  /** A process stands still, often for longer than its lease, and then goes on. */
  "freeze",
  /** A process stops taking, finishes or gives back, and begins anew with the newest code. */
  "drain",
  /** Questions and answers take their time. */
  "delay",
  /** The store says that it cannot, and has not. */
  "refuse",
  /** The store has written, and the answer is lost. */
  "lose-answer",
  /** A commit reaches the store twice. */
  "double-commit",
  /** Hints are lost, come late, or twice. */
  "hints",
  /** Clocks of processes are off by up to an hour, go wrong by up to a tenth, and jump. */
  "clocks",
  /** The store's clock is set forwards and back. */
  "store-clock",
  /** Bodies take long. */
  "slow-bodies",
  /** Clients lose patience, and ask again with the same ids. */
  "impatience",
  /** Clients send a request twice. */
  "double-request",
] as const;

/** A kind of faults. */
export type FaultClass = (typeof FAULT_CLASSES)[number];

/** Kinds of faults of the wire, where there is one. */
export const WIRE_FAULT_CLASSES = [
  /** Every connection of a process is lost, in the middle of whatever is under way. */
  "connection-lost",
  /** A stream breaks after a few messages. */
  "stream-cut",
  /** A call never arrives. */
  "call-lost",
  /** The server has acted, and nobody hears of it. */
  "reply-lost",
  /** A call arrives twice. */
  "call-twice",
  /** A completion comes when its work may have been given to somebody else. */
  "completion-late",
  /** Calls and replies take their time. */
  "wire-delay",
  /** A stream that is open and says nothing: no work, no pings. */
  "silence",
  /** A process is gone, and its server does not hear of it for a while. */
  "half-open",
  /** Somebody answers work with tokens that are made up. */
  "forged-token",
  /** Somebody answers work with tokens that were good once. */
  "stale-token",
] as const;

/** A kind of faults of the wire. */
export type WireFaultClass = (typeof WIRE_FAULT_CLASSES)[number];
/** Any kind of faults. */
export type AnyFaultClass = FaultClass | WireFaultClass;

/** An instance that a client starts. */
export interface Planned {
  readonly id: string;
  readonly program: Program;
  readonly version: string;
  readonly startAt: number;
  /** The client starts it for so much later. */
  readonly later?: number;
  /** When its events are raised. */
  readonly events: readonly number[];
}

/** Something that befalls a process. */
export interface Blow {
  readonly kind: "crash" | "freeze" | "drain" | "jump";
  readonly at: number;
  readonly host: number;
  /** How long a process is away or stands still; by how much its clock jumps. */
  readonly ms: number;
}

/** Something that an operator asks for. */
export interface Order {
  readonly op: "suspend" | "resume" | "terminate" | "terminate-all" | "purge" | "again" | "restart" | "restart-as" | "get" | "clean";
  readonly at: number;
  readonly id: string;
}

/** A client that signals entities, one after the other. */
export interface Teller {
  readonly by: string;
  readonly signals: readonly {
    readonly at: number;
    readonly key: string;
    readonly deed: Deed;
    readonly to: string;
    readonly later?: number;
  }[];
}

/** A host. */
export interface HostPlan {
  readonly code: "old" | "new";
  readonly slots: number;
  readonly warmIdleMs: number;
  readonly warmBytes: number;
  readonly skewMs: number;
  readonly rate: number;
}

/** What of a world is behind the wire. The hosts of such a world are servers. */
export interface WireSetup {
  /** Processes that reach the engine through a server alone, with their workers and clients. */
  readonly outside: readonly HostPlan[];
  /** Servers have no workers of their own. */
  readonly bareServers: boolean;
  /** Clients ask those outside alone. */
  readonly clientsOutside: boolean;
  /** So long a server keeps the work of a worker whose stream has gone. */
  readonly graceMs: number;
}

/** A world. */
export interface Setup {
  readonly seed: number;
  readonly faults: readonly AnyFaultClass[];
  readonly wire?: WireSetup;
  readonly hosts: readonly HostPlan[];
  readonly instances: readonly Planned[];
  readonly blows: readonly Blow[];
  readonly orders: readonly Order[];
  readonly tellers: readonly Teller[];
  readonly leaseMs: number;
  /** How long faults last. */
  readonly unrestMs: number;
  /** Every turn is run again from the start. */
  readonly again: boolean;
}

/** How a world is drawn. */
export interface DrawOptions {
  /** `"grpc"`: every world has a wire; without it one of many has. */
  readonly through?: "grpc";
  /** `false`: no world has entities; without it more than half of them have. */
  readonly entities?: false;
}

/** The world of a seed. */
export function setupOf(seed: number, options: DrawOptions = {}): Setup {
  const direct = directSetupOf(seed);
  const entities = chanceOf(seed, "entities");
  const setup = options.entities !== false && entities.happens(0.6) ? withEntities(direct, entities) : direct;
  // Streams of their own: what a seed means without a wire stays what it was.
  const hasWire = options.through === "grpc" || chanceOf(seed, "beyond").happens(0.06);
  return hasWire ? throughWire(setup, chanceOf(seed, "wire")) : setup;
}

function throughWire(setup: Setup, chance: Chance): Setup {
  const faults = [...setup.faults, ...WIRE_FAULT_CLASSES.filter(() => chance.happens(0.55))];
  const outside = Array.from({ length: chance.between(1, 3) }, () => hostOf(chance, setup.faults));
  const wire: WireSetup = {
    outside,
    bareServers: chance.happens(0.7),
    clientsOutside: chance.happens(0.7),
    graceMs: chance.pick([0, 1_000, 10_000]),
  };
  const blows = [...setup.blows, ...blowsOf(chance, setup.faults, setup.hosts.length + outside.length, setup.unrestMs)];
  return { ...setup, faults, wire, blows: blows.sort((a, b) => a.at - b.at) };
}

function withEntities(setup: Setup, chance: Chance): Setup {
  const instances = setup.instances.map((planned) => ({ ...planned, program: strewn(chance, planned.program, true) }));
  const tellers = Array.from({ length: chance.below(4) }, (_, n) => tellerOf(chance, `s${n}`, setup.unrestMs));
  const cleanings = Array.from({ length: chance.below(8) }, (): Order => ({ op: "clean", at: chance.below(setup.unrestMs), id: "@" }));
  return { ...setup, instances, tellers, orders: [...setup.orders, ...cleanings].sort((a, b) => a.at - b.at) };
}

/** A program, and those of its children, with instructions about entities strewn in. */
function strewn(chance: Chance, program: Program, isTop: boolean): Program {
  const steps: Step[] = program.map((step) => (step.do === "child" ? { ...step, program: strewn(chance, step.program, false) } : step));
  for (let left = chance.between(0, isTop ? 5 : 2); left > 0; left--) {
    const last = steps.at(-1)?.do === "throw" ? steps.length - 1 : steps.length;
    steps.splice(chance.between(0, last), 0, listStepOf(chance));
  }
  if (chance.happens(0.12))
    steps.splice(steps.at(-1)?.do === "throw" ? -1 : steps.length, 0, { do: "hold", keys: [keyOf(chance), keyOf(chance)] });
  return steps;
}

function tellerOf(chance: Chance, by: string, unrestMs: number): Teller {
  const signals = Array.from({ length: chance.between(1, 8) }, () => ({
    at: chance.below(unrestMs),
    key: keyOf(chance),
    deed: deedOf(chance),
    to: keyOf(chance),
    ...(chance.happens(0.2) ? { later: chance.between(1, 30_000) } : {}),
  }));
  return { by, signals: signals.sort((a, b) => a.at - b.at) };
}

function directSetupOf(seed: number): Setup {
  const chance = chanceOf(seed, "setup");
  const faults = FAULT_CLASSES.filter(() => chance.happens(0.55));
  const unrestMs = chance.between(30_000, 180_000);
  const ids = Array.from({ length: chance.between(1, 6) }, (_, i) => `i${i}`);
  const hosts = Array.from({ length: chance.between(1, 5) }, () => hostOf(chance, faults));
  const instances = ids.map((id) => plannedOf(chance, id, ids, unrestMs));
  return {
    seed,
    faults,
    hosts,
    instances,
    blows: blowsOf(chanceOf(seed, "blows"), faults, hosts.length, unrestMs),
    orders: ordersOf(chanceOf(seed, "orders"), instances, unrestMs),
    tellers: [],
    leaseMs: chance.pick([3_000, 10_000, 20_000]),
    unrestMs,
    again: chance.happens(0.2),
  };
}

function hostOf(chance: Chance, faults: readonly AnyFaultClass[]): HostPlan {
  const wrong = faults.includes("clocks");
  return {
    code: chance.happens(0.3) ? "old" : "new",
    slots: chance.pick([1, 2, 100]),
    warmIdleMs: chance.pick([100, 10_000]),
    warmBytes: chance.pick([0, 8_192, 1_000_000]),
    skewMs: wrong ? chance.between(-3_600_000, 3_600_000) : 0,
    rate: wrong ? 1 + (chance.fraction() - 0.5) / 5 : 1,
  };
}

function plannedOf(chance: Chance, id: string, ids: readonly string[], unrestMs: number): Planned {
  const program = programOf(chance, 0, ids, id);
  const startAt = chance.below(Math.floor(unrestMs * 0.6));
  const waits = program.filter((step) => step.do === "wait").length;
  return {
    id,
    program,
    version: chance.happens(0.5) ? NEW_CODE : OLD_CODE,
    startAt,
    ...(chance.happens(0.15) ? { later: chance.between(1, 30_000) } : {}),
    events: Array.from({ length: waits + (chance.happens(0.3) ? 2 : 0) }, () => startAt + chance.below(60_000)).sort((a, b) => a - b),
  };
}

function blowsOf(chance: Chance, faults: readonly AnyFaultClass[], hosts: number, unrestMs: number): Blow[] {
  const blows: Blow[] = [];
  const add = (kind: Blow["kind"], most: number, ms: () => number): void => {
    for (let left = chance.between(1, most); left > 0; left--)
      blows.push({ kind, at: chance.below(unrestMs), host: chance.below(hosts), ms: ms() });
  };
  if (faults.includes("crash")) add("crash", 8, () => chance.between(0, 15_000));
  if (faults.includes("freeze")) add("freeze", 8, () => chance.between(100, 60_000));
  if (faults.includes("drain")) add("drain", 3, () => chance.pick([0, 500, 10_000]));
  if (faults.includes("clocks")) add("jump", 4, () => chance.between(-3_600_000, 3_600_000));
  return blows.sort((a, b) => a.at - b.at);
}

function ordersOf(chance: Chance, instances: readonly Planned[], unrestMs: number): Order[] {
  const orders: Order[] = [];
  const targets = instances.flatMap(({ id, program }) => [
    id,
    ...program.flatMap((step, at) => (step.do === "child" && step.named ? [`${id}/${at}`] : [])),
  ]);
  for (let left = chance.below(14); left > 0; left--) {
    const op = chance.pick([
      "suspend",
      "suspend",
      "resume",
      "terminate",
      "terminate-all",
      "purge",
      "again",
      "restart",
      "restart-as",
      "get",
      "get",
      "get",
    ] as const);
    orders.push({ op, at: chance.below(unrestMs), id: op === "again" ? chance.pick(instances).id : chance.pick(targets) });
  }
  return orders.sort((a, b) => a.at - b.at);
}
