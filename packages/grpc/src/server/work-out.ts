// work-out: what is out with the workers of one task hub, by the token that each item was sent with.
//
// Owns:    completion tokens: which item each stands for, and what has become of it.
// Is told: what is sent, what is answered, which streams have gone.
// Always:  WO1 a token stands for one dispatch of one item on one stream of one hub, and is used once.
//          WO2 who sends no token is matched by the names of the item, and only where exactly one item of that caller can be meant.
//          WO3 an answer that was applied is remembered for a while: the same one again is no news, and does nothing.

import type { ActivityWorkItem, EntityWorkItem, HistoryEvent, OrchestrationWorkItem } from "ostinato/contract";
import type { OrchestratorResponse } from "../generated/task_hub_sidecar_pb.js";
import type { WorkStream } from "./work-stream.ts";
import { createLately } from "./lately.ts";

interface Sent {
  /** What the worker echoes. */
  readonly token: string;
  readonly stream: WorkStream;
}

/** A part of an answer. */
export interface AnswerPart {
  readonly response: OrchestratorResponse;
  readonly bytes: number;
}

/** A turn that is out with a worker. */
export interface TurnOut extends Sent {
  readonly kind: "orchestration";
  readonly item: OrchestrationWorkItem;
  /** The events before its new ones: as they were when it was sent. Absent where the worker has them. */
  readonly past: readonly HistoryEvent[] | undefined;
  /** The parts of an answer that has not come whole, by their numbers. */
  readonly chunks: Map<number, AnswerPart>;
}

/** An activity that is out with a worker. */
export interface ActivityOut extends Sent {
  readonly kind: "activity";
  readonly item: ActivityWorkItem;
}

/** A batch of an entity that is out with a worker. */
export interface EntityOut extends Sent {
  readonly kind: "entity";
  readonly item: EntityWorkItem;
}

/** Something that is out with a worker. */
export type ItemOut = TurnOut | ActivityOut | EntityOut;

/** The id of what an item is about. */
export function addressOf({ item }: ItemOut): string {
  return item.kind === "entity" ? item.entityId : item.instanceId;
}

/** What an answer says of the item it belongs to. */
export interface Echo<K extends ItemOut["kind"]> {
  readonly kind: K;
  /** Empty where the worker echoes none. */
  readonly token: string;
  /** Empty where the answer names none. */
  readonly instanceId: string;
  readonly taskId?: number;
  /** The caller's name. */
  readonly caller: string;
}

/** What an answer belongs to. */
export type Found<K extends ItemOut["kind"]> =
  | { readonly kind: "out"; readonly out: Extract<ItemOut, { kind: K }> }
  /** It was answered before; resolves when that answer is durable. */
  | { readonly kind: "answered"; readonly done: Promise<void> }
  | { readonly kind: "unknown" }
  /** The token stands for something else than the answer says. */
  | { readonly kind: "mismatch" };

/** Answered tokens. */
const REMEMBERED = 10_000;

/** What is out with the workers of one task hub. */
export class WorkOut {
  readonly #byToken = new Map<string, ItemOut>();
  readonly #byName = new Map<string, Set<ItemOut>>();
  readonly #answered = createLately<Promise<void>>(REMEMBERED);

  get size(): number {
    return this.#byToken.size;
  }

  /** What parts of answers take that wait for their last one. */
  get partBytes(): number {
    let bytes = 0;
    for (const out of this.#byToken.values()) if (out.kind === "orchestration") for (const part of out.chunks.values()) bytes += part.bytes;
    return bytes;
  }

  put(out: ItemOut): void {
    this.#byToken.set(out.token, out);
    const name = nameOf(out);
    const same = this.#byName.get(name);
    if (same === undefined) this.#byName.set(name, new Set([out]));
    else same.add(out);
  }

  find<K extends ItemOut["kind"]>(echo: Echo<K>): Found<K> {
    // A result of an entity names nothing but its token.
    if (echo.token === "") return echo.kind === "entity" ? { kind: "unknown" } : this.#findByName(echo);
    const out = this.#byToken.get(echo.token);
    if (out === undefined) {
      const done = this.#answered.get(echo.token);
      return done === undefined ? { kind: "unknown" } : { kind: "answered", done };
    }
    return isOf(echo.kind, out) && says(echo, out) ? { kind: "out", out } : { kind: "mismatch" };
  }

  #findByName<K extends ItemOut["kind"]>(echo: Echo<K>): Found<K> {
    const name = echo.kind === "orchestration" ? turnName(echo.instanceId) : activityName(echo.instanceId, echo.taskId ?? 0);
    const meant = [...(this.#byName.get(name) ?? [])].filter((out) => out.stream.caller === echo.caller);
    const [out] = meant;
    return meant.length === 1 && out !== undefined && isOf(echo.kind, out) ? { kind: "out", out } : { kind: "unknown" };
  }

  /** The turn of an instance whose past a worker asks for. */
  turnOf(instanceId: string, executionId: string | undefined, caller: string): TurnOut | undefined {
    const turns = [...(this.#byName.get(turnName(instanceId)) ?? [])].filter((out) => isOf("orchestration", out));
    return turns.findLast(
      ({ item, stream }) =>
        stream.caller === caller && (executionId === undefined || executionId === "" || item.executionId === executionId),
    );
  }

  /** The item is answered: its token is used up. `undefined` when it was before, or has been taken back. */
  take(out: ItemOut, done: () => Promise<void>): Promise<void> | undefined {
    if (!this.#remove(out)) return undefined;
    const doing = done();
    this.#answered.set(out.token, doing);
    doing.catch(() => undefined);
    return doing;
  }

  /** The stream has gone, and what is out on it with it. Its tokens are nobody's from now on. */
  drop(stream: WorkStream): void {
    for (const out of [...this.#byToken.values()]) if (out.stream === stream) this.#remove(out);
  }

  #remove(out: ItemOut): boolean {
    if (!this.#byToken.delete(out.token)) return false;
    const name = nameOf(out);
    const same = this.#byName.get(name);
    same?.delete(out);
    if (same?.size === 0) this.#byName.delete(name);
    return true;
  }
}

function isOf<K extends ItemOut["kind"]>(kind: K, out: ItemOut): out is Extract<ItemOut, { kind: K }> {
  return out.kind === kind;
}

/** An answer may leave names out; those it has must be the item's. */
function says({ instanceId, taskId = 0 }: Echo<ItemOut["kind"]>, out: ItemOut): boolean {
  if (instanceId !== "" && instanceId !== addressOf(out)) return false;
  return out.kind !== "activity" || taskId === 0 || taskId === out.item.taskId;
}

function nameOf(out: ItemOut): string {
  // No orchestration has the id of an entity.
  return out.kind === "activity" ? activityName(out.item.instanceId, out.item.taskId) : turnName(addressOf(out));
}

function turnName(instanceId: string): string {
  return instanceId;
}

// No id has a control character.
function activityName(instanceId: string, taskId: number): string {
  return `${instanceId}\n${taskId}`;
}
