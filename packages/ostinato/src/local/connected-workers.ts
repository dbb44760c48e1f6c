// connected-workers: the workers of this process: who serves what, and who has room.
//
// Is told: which workers come and go. What is out with each is the worker's own to know (connected-worker).
// Always:  CW2 a worker that has stopped taking is chosen for nothing.
//          CW3 who names a thing comes before who takes any, who has not turned it down before who has; among equals, who has room. A worker
//             that takes any may not have it and fail it, so work waits for one that names it, even while another one has room.

import type { InstanceNumber } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { takes, type Served } from "../contract/served.ts";
import type { Room } from "../engine/action-appliers.ts";
import type { ActivityKey } from "../engine/commit.ts";
import type { ServedNames } from "../engine/waiting.ts";
import type { ClaimRequest, WantedNames } from "../engine/store.ts";
import { activityTurnedDown, type ConnectedWorker, type TurnedDown } from "./connected-worker.ts";

/** What is claimed at once where nobody takes anything: what needs only the engine. */
const ENGINE_TURNS = 100;

/** What there is room for right now. */
export interface Wanted extends ClaimRequest {
  /** Some names are left out, since those who take them have no room: when one has, there may be something for it. */
  readonly isPartial: boolean;
}

const ENGINE_ONLY: Wanted = {
  instances: ENGINE_TURNS,
  orchestrators: [],
  entityCount: 0,
  entities: [],
  activityCount: 0,
  activities: [],
  isPartial: false,
};

/** The workers that are connected to one backend. */
export class ConnectedWorkers {
  // A list and no set: it is walked several times at every turn, and has one worker as a rule.
  readonly #workers: ConnectedWorker[] = [];

  get size(): number {
    return this.#workers.length;
  }

  /** Some worker takes work. */
  get areTaking(): boolean {
    return this.#workers.some((worker) => worker.taking);
  }

  add(worker: ConnectedWorker): void {
    this.#workers.push(worker);
  }

  has(worker: ConnectedWorker): boolean {
    return this.#workers.includes(worker);
  }

  /** How many turns the workers here are meant to have at once. */
  get turnSlots(): number {
    return this.#workers.reduce((sum, { taking, interest }) => sum + (taking ? interest.maxConcurrentOrchestrations : 0), 0);
  }

  /** False when it had gone already. */
  delete(worker: ConnectedWorker): boolean {
    const place = this.#workers.indexOf(worker);
    if (place >= 0) this.#workers.splice(place, 1);
    return place >= 0;
  }

  [Symbol.iterator](): IterableIterator<ConnectedWorker> {
    return this.#workers.values();
  }

  /** Who is to run an instance. One that does not exist yet has no number. */
  forInstance({ name, version }: Pick<InstanceRecord, "name" | "version">, number?: InstanceNumber): ConnectedWorker | undefined {
    let best: ConnectedWorker | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (const worker of this.#workers) {
      if (!worker.taking || !worker.serves(name, version)) continue;
      const rank = rankOf(worker, worker.orchestrators, worker.turnRoom, number);
      if (rank === 0) return worker;
      if (rank >= bestRank) continue;
      best = worker;
      bestRank = rank;
    }
    return best;
  }

  /** Who is to run an activity. One that is not scheduled yet has no key. */
  forActivity(name: string, key?: ActivityKey): ConnectedWorker | undefined {
    let best: ConnectedWorker | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (const worker of this.#workers) {
      if (!worker.taking || (worker.activities !== "any" && !worker.activities.has(name))) continue;
      const known = key !== undefined && worker.turnedDown.size > 0 ? activityTurnedDown(key) : undefined;
      const rank = rankOf(worker, worker.activities, worker.activityRoom, known);
      if (rank === 0) return worker;
      if (rank >= bestRank) continue;
      best = worker;
      bestRank = rank;
    }
    return best;
  }

  /** Who is to do the operations of an entity, by the name of its record (`@name`). */
  forEntity(name: string, number: InstanceNumber): ConnectedWorker | undefined {
    let best: ConnectedWorker | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (const worker of this.#workers) {
      if (!worker.taking || !takes(worker.entities, name)) continue;
      const rank = rankOf(worker, worker.entities, worker.entityRoom, number);
      if (rank === 0) return worker;
      if (rank >= bestRank) continue;
      best = worker;
      bestRank = rank;
    }
    return best;
  }

  /** Some worker here takes the entity, by the name of its record. */
  servesEntity(name: string): boolean {
    return this.#workers.some(({ taking, entities }) => taking && takes(entities, name));
  }

  /** Some worker here takes the orchestrator, of whichever version. */
  serves(orchestrator: string): boolean {
    for (const { taking, orchestrators } of this.#workers)
      if (taking && (orchestrators === "any" || orchestrators.has(orchestrator))) return true;
    return false;
  }

  /** It has ended, or is done: what was remembered of who turned it down is forgotten. */
  forgetTurnedDown(what: InstanceNumber | ActivityKey): void {
    for (const { turnedDown } of this.#workers)
      if (turnedDown.size > 0) turnedDown.delete(typeof what === "number" ? what : activityTurnedDown(what));
  }

  /** All names that workers here have. */
  servedNames(): ServedNames {
    return {
      orchestrators: all(this.#workers.map((each) => each.orchestrators)),
      activities: all(this.#workers.map((each) => each.activities)),
      entities: all(this.#workers.map((each) => each.entities)),
    };
  }

  /** The names of entities that workers here have, as their authors write them. */
  entityNames(): Served {
    const { entities } = this.servedNames();
    return entities === "any" ? "any" : new Set([...entities].map((name) => name.slice(1)));
  }

  /** What a commit may hand at once to the worker that made its turn. */
  roomOf(worker: ConnectedWorker, failUnregistered: boolean): Room {
    const { activities, orchestrators, entities } = worker;
    const room: Room = {
      activities,
      activitySlots: Math.max(0, worker.activityRoom),
      orchestrators,
      orchestrationSlots: Math.max(0, worker.turnRoom),
      entities,
      failUnregistered,
    };
    if (this.#workers.length === 1 || (activities !== "any" && orchestrators !== "any")) return room;
    const others = this.#workers.filter((each) => each !== worker && each.taking);
    return {
      ...room,
      leftToOthers: {
        activities: activities === "any" ? named(others.map((each) => each.activities)) : NOBODY,
        orchestrators: orchestrators === "any" ? named(others.map((each) => each.orchestrators)) : NOBODY,
      },
    };
  }

  /** What there is room for right now. */
  want(): Wanted {
    const taking = this.#workers.filter((worker) => worker.taking);
    // What needs only the engine is taken even when no worker takes anything.
    if (taking.length === 0) return ENGINE_ONLY;
    const turns = wanted(taking.map((worker) => ({ names: worker.orchestrators, room: worker.turnRoom })));
    const batches = wanted(taking.map((worker) => ({ names: worker.entities, room: worker.entityRoom })));
    const errands = wanted(taking.map((worker) => ({ names: worker.activities, room: worker.activityRoom })));
    return {
      // What needs only the engine takes nobody's room: a terminate does not wait behind turns that hang (C4).
      ...(turns.room > 0 ? { instances: turns.room, orchestrators: turns.names } : { instances: ENGINE_TURNS, orchestrators: [] }),
      entityCount: batches.room,
      entities: batches.names,
      activityCount: errands.room,
      activities: errands.names,
      isPartial: turns.isPartial || batches.isPartial || errands.isPartial,
    };
  }
}

const NOBODY: ReadonlySet<string> = new Set();

/** Lower is better: turned down, then by name or not, then room. */
function rankOf({ turnedDown }: ConnectedWorker, names: Served, room: number, known: TurnedDown | undefined): number {
  const isTurnedDown = known !== undefined && turnedDown.size > 0 && turnedDown.has(known);
  return (isTurnedDown ? 4 : 0) + (names === "any" ? 2 : 0) + (room > 0 ? 0 : 1);
}

function named(served: readonly Served[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const each of served) if (each !== "any") for (const name of each) names.add(name);
  return names;
}

function all(served: readonly Served[]): Served {
  return served.includes("any") ? "any" : named(served);
}

/** The names that somebody has room for. Of any: but those that are somebody's who has none. */
function wanted(workers: readonly { readonly names: Served; readonly room: number }[]): {
  readonly room: number;
  readonly names: WantedNames;
  readonly isPartial: boolean;
} {
  const free = workers.filter(({ room }) => room > 0);
  const names = named(free.map((each) => each.names));
  const without = [...named(workers.map((each) => each.names))].filter((name) => !names.has(name));
  const hasAny = free.some((each) => each.names === "any");
  return {
    room: free.reduce((sum, each) => sum + each.room, 0),
    names: hasAny ? { anyBut: without } : [...names],
    isPartial: without.length > 0 || (!hasAny && workers.some((each) => each.names === "any")),
  };
}
