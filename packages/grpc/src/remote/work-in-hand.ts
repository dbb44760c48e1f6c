// work-in-hand: the work items that a worker has been sent and has not answered.
//
// Owns:    the worker's own tokens: what each stands for, on which stream it came, and how the server calls it. Some servers give no token, or the
//          same one twice; ours are always different.
// Always:  WH1 an item is answered once: whoever takes it takes it out.
//          WH2 of a server of the family no more is with the worker than it asked for, whatever the server believes; the others wait here.

import type { ActivityWorkItem, EntityWorkItem, OrchestrationWorkItem, WorkItem, WorkToken } from "ostinato/contract";
import type { OperationInfos } from "../codec/entity-batches.ts";
import type { Peer } from "../codec/peer.ts";

/** Where an item came from. */
export interface Origin {
  /** What the server called it; echoed. */
  readonly wireToken: string;
  readonly peer: Peer;
  /** The how manieth stream brought it. */
  readonly stream: number;
}

/** A turn in hand. */
export interface TurnInHand extends Origin {
  readonly item: OrchestrationWorkItem;
  /** What idempotency keys count from, on servers that do not say. */
  readonly lineage: string;
}

/** An activity in hand. */
export interface ActivityInHand extends Origin {
  readonly item: ActivityWorkItem;
}

/** A batch of an entity in hand. */
export interface EntityInHand extends Origin {
  readonly item: EntityWorkItem;
  /** What the server wants to hear with each result. */
  readonly infos: OperationInfos;
}

export type InHand = TurnInHand | ActivityInHand | EntityInHand;

/** What is in hand. */
export interface WorkInHand {
  /** Hands an item to the worker, now or when there is room. */
  offer(work: InHand): void;
  takeTurn(token: WorkToken): TurnInHand | undefined;
  takeActivity(token: WorkToken): ActivityInHand | undefined;
  takeEntity(token: WorkToken): EntityInHand | undefined;
  /** The worker's token of what the server calls so. */
  tokenOf(wireToken: string): WorkToken | undefined;
  /** What the worker has not seen yet, taken out. */
  takeWaiting(): readonly InHand[];
  /** Everything, taken out. */
  takeAll(): readonly InHand[];
}

interface Room {
  running: number;
  readonly most: number;
  readonly waiting: InHand[];
}

/** Nothing in hand. */
export function createWorkInHand(
  most: { readonly orchestrations: number; readonly activities: number; readonly entities: number },
  deliver: (items: readonly WorkItem[]) => void,
): WorkInHand {
  const out = new Map<WorkToken, InHand>();
  const byWireToken = new Map<string, WorkToken>();
  const rooms: Readonly<Record<InHand["item"]["kind"], Room>> = {
    orchestration: { running: 0, most: most.orchestrations, waiting: [] },
    activity: { running: 0, most: most.activities, waiting: [] },
    entity: { running: 0, most: most.entities, waiting: [] },
  };

  const hand = (work: InHand, room: Room): void => {
    room.running += 1;
    out.set(work.item.token, work);
    if (work.wireToken !== "") byWireToken.set(work.wireToken, work.item.token);
    deliver([work.item]);
  };
  const remove = (token: WorkToken): InHand | undefined => {
    const work = out.get(token);
    if (work === undefined) return undefined;
    out.delete(token);
    if (byWireToken.get(work.wireToken) === token) byWireToken.delete(work.wireToken);
    const room = rooms[work.item.kind];
    room.running -= 1;
    const next = room.running < room.most ? room.waiting.shift() : undefined;
    if (next !== undefined) hand(next, room);
    return work;
  };
  const takeWaiting = (): readonly InHand[] => Object.values(rooms).flatMap(({ waiting }) => waiting.splice(0));

  return {
    offer(work) {
      const room = rooms[work.item.kind];
      // Ours counts by itself, and a turn of a kept program needs no room.
      if (work.peer === "family" && room.running >= room.most) room.waiting.push(work);
      else hand(work, room);
    },
    takeTurn(token) {
      const work = remove(token);
      return work !== undefined && isTurn(work) ? work : undefined;
    },
    takeActivity(token) {
      const work = remove(token);
      return work !== undefined && isActivity(work) ? work : undefined;
    },
    takeEntity(token) {
      const work = remove(token);
      return work !== undefined && isEntity(work) ? work : undefined;
    },
    tokenOf: (wireToken) => byWireToken.get(wireToken),
    takeWaiting,
    takeAll() {
      const waiting = takeWaiting();
      const handed = [...out.values()];
      for (const { item } of handed) remove(item.token);
      return [...waiting, ...handed];
    },
  };
}

export function isTurn(work: InHand): work is TurnInHand {
  return work.item.kind === "orchestration";
}

export function isActivity(work: InHand): work is ActivityInHand {
  return work.item.kind === "activity";
}

export function isEntity(work: InHand): work is EntityInHand {
  return work.item.kind === "entity";
}
