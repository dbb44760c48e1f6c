// critical-sections: entities that a program has to itself.
//
// Owns:    the one section that a program has or has asked for, and its rules.
// Is told: what the program asks for; that the section was granted; that the program was rewound.
// Tells:   actions: the request, and one release for each entity; the task of the request.
// Always:  CS1 a program has one section at a time, and none beside a request: else two programs could wait for each other.
//          CS2 in a section its entities are called, each by one call at a time, and others are signalled; while one is asked for none is called.
//          CS3 a request that nobody waits for any more is taken back, and whatever was granted by then is let go.
//          CS4 what a program leaves behind at its end is let go by the engine, whose record knows: nothing is asked for at the end.
//          CS5 an end has let go of everything, so a program that is rewound in a section waits for it anew before anything else moves.

import { CriticalSectionError, InvalidArgumentError } from "../contract/errors.ts";
import type { EntityLockGranted, HistoryEvent } from "../contract/events.ts";
import { type EntityId, isEntityId } from "../contract/ids.ts";
import type { CriticalSection } from "../authoring/orchestrator-context.ts";
import { runBody } from "./bodies.ts";
import { sectionId } from "./determinism.ts";
import { cancelTask, complete, DurableTask, fail, wait } from "./tasks.ts";
import type { Turn } from "./turn.ts";

/** A section of one program: asked for, granted, asked for once more after a rewind, over. */
export class Section implements CriticalSection {
  readonly #turn: Turn;
  readonly entityIds: readonly EntityId[];
  readonly task: DurableTask<CriticalSection>;
  id = "";
  /** The number of its request: another one after a rewind. */
  lastId = 0;
  state: "asked" | "granted" | "regaining" | "over" = "asked";
  /** The entities that it has called and not heard of yet. */
  readonly calling = new Set<EntityId>();

  constructor(turn: Turn, entityIds: readonly EntityId[]) {
    this.#turn = turn;
    this.entityIds = entityIds;
    this.task = new DurableTask<CriticalSection>(turn.ledger, () => this.#letGo("the taking back of a critical section"));
    this.#ask();
  }

  #ask(): void {
    const turn = this.#turn;
    const id = turn.takeId();
    this.lastId = id;
    this.id = sectionId(turn.historyId, id);
    turn.ask({ kind: "lockEntities", id, criticalSectionId: this.id, lockSet: this.entityIds });
  }

  /** All of its entities are locked. */
  granted(): void {
    const again = this.state === "regaining";
    this.state = "granted";
    if (again) this.#turn.rewinding?.goOn(this.#turn);
    else complete(this.task, this);
  }

  /** The program was rewound, so nothing of it is locked any more. Whether the program is in the section, and cannot go on without it. */
  askAgain(): boolean {
    if (this.state !== "asked") this.state = "regaining";
    this.#ask();
    return this.state === "regaining";
  }

  get isReleased(): boolean {
    return this.state === "over";
  }

  release(): void {
    this.#letGo("the release of a critical section");
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #letGo(what: string): boolean {
    const turn = this.#turn;
    // After the end there is nothing to ask for (CS4).
    if (this.state === "over" || turn.over || turn.closed || !turn.mayAsk(what)) return false;
    this.state = "over";
    if (turn.entities !== undefined) turn.entities.section = undefined;
    for (const entityId of this.entityIds) turn.ask({ kind: "unlockEntity", id: turn.takeId(), criticalSectionId: this.id, entityId });
    return true;
  }
}

/** The entities to lock, in the order in which everybody locks them, each once. */
export function lockSetOf(entities: unknown): readonly EntityId[] {
  if (!Array.isArray(entities)) throw new InvalidArgumentError("ctx.lockEntities takes a list of entities, as ctx.entity gives them.");
  const ids = new Set<EntityId>();
  for (const entity of entities as readonly unknown[]) {
    const id = typeof entity === "object" && entity !== null && "id" in entity ? entity.id : undefined;
    if (typeof id !== "string" || !isEntityId(id))
      throw new InvalidArgumentError(
        `ctx.lockEntities takes entities, as ctx.entity gives them; got one with the id ${JSON.stringify(id)}.`,
      );
    ids.add(id);
  }
  if (ids.size === 0) throw new CriticalSectionError("ctx.lockEntities was given no entities. A critical section has at least one.");
  return [...ids].sort(); // by UTF-16 units, as every SDK of the family does
}

/** Refuses a section beside another one. */
export function checkNoSection(section: Section | undefined, lockSet: readonly EntityId[]): void {
  if (section === undefined) return;
  const now = section.state === "asked" ? "has asked for a critical section of" : "is in a critical section of";
  throw new CriticalSectionError(
    `A critical section of ${list(lockSet)} was asked for while the orchestration ${now} ${list(section.entityIds)}. ` +
      "It has one at a time: lock all of them at once, or release (or cancel) the one first.",
  );
}

/** Refuses a call that the section does not allow. */
export function checkCall(section: Section | undefined, entityId: EntityId, operation: string): void {
  if (section === undefined) return;
  const call = `Operation '${operation}' of entity '${entityId}' was called`;
  if (section.state === "asked")
    throw new CriticalSectionError(
      `${call} while a critical section of ${list(section.entityIds)} is asked for. Await ctx.lockEntities first, or cancel it.`,
    );
  if (!section.entityIds.includes(entityId))
    throw new CriticalSectionError(
      `${call} in a critical section of ${list(section.entityIds)}, to which it does not belong. ` +
        "Lock it together with the others, call it before or after the section, or signal it.",
    );
  if (section.calling.has(entityId))
    throw new CriticalSectionError(
      `${call} while another call of it has not been answered. In a critical section an entity is called by one call at a time: await that one first.`,
    );
}

/** Refuses a signal that would not be done before the section is over. */
export function checkSignal(section: Section | undefined, entityId: EntityId, operation: string): void {
  if (section === undefined || section.state === "asked" || !section.entityIds.includes(entityId)) return;
  throw new CriticalSectionError(
    `Operation '${operation}' of entity '${entityId}' was signalled in a critical section that has it locked, where it would not be done. ` +
      "Call it, or signal it after the section.",
  );
}

function list(ids: readonly EntityId[]): string {
  const shown = ids.slice(0, 5).map((id) => `'${id}'`);
  return ids.length > shown.length ? `${shown.join(", ")} and ${ids.length - shown.length} more` : shown.join(", ");
}

/** Runs a body once the section is granted, and lets the section go when it ends, however it does. */
export function runInSection(turn: Turn, section: Section, body: () => unknown): DurableTask {
  const lock = section.task;
  const task = new DurableTask(turn.ledger, () => {
    cancelTask(lock);
    return lock.isCancelled;
  });
  // The request and what the body awaits are counted on their own, as with ctx.map.
  task.counts = false;
  const ended = (end: (task: DurableTask, value: unknown) => void) => (value: unknown) => {
    section.release();
    end(task, value);
  };
  const begin = {
    settled: () => {
      if (lock.isFailed) fail(task, lock.value);
      else runBody(turn, body, { returned: ended(complete), threw: ended(fail) });
    },
  };
  wait(lock, begin, true);
  return task;
}

/** Whether an event is the grant that a rewound program waits for. */
export function regains(section: Section | undefined, event: HistoryEvent): event is EntityLockGranted {
  return section?.state === "regaining" && event.kind === "EntityLockGranted" && event.criticalSectionId === section.id;
}
