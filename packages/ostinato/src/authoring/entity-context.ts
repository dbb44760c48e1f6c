// entity-context: what an operation of an entity may do.
//
// Owns:    the words of EntityContext. What each of them does is the worker's.
// Always:  EC1 an operation that throws leaves nothing of what it did by these words: neither its state nor its signals nor its starts (E3).

import type { Duration } from "../contract/instant.ts";
import type { Tags } from "../contract/instance.ts";
import type { ProgramLogger } from "./activity-context.ts";
import type { CallArguments, OrchestratorRef } from "./define.ts";
import type { EntitySignals, NamedOperations } from "./entity-proxy.ts";
import type { EntityRef } from "./entity.ts";

/** How an operation starts an orchestration. */
export interface EntityStartOptions {
  /** Its id; made up when absent. Nothing happens when there is an instance with this id already, whatever its status. */
  readonly instanceId?: string;
  /** Not before this. */
  readonly startAt?: Date | Duration;
  readonly tags?: Tags;
  /** By default its definition's, else the hub's default version. */
  readonly version?: string;
}

/**
 * Another entity, as an operation sees it: it can be signalled, and nothing else. `Ops` are its operations.
 *
 * @example
 * state.entity(account, "ada").signal.deposit(5);
 */
export interface EntitySignaller<Ops> {
  /** Its id: `@name@key`. */
  readonly id: string;
  /** Its operations, done some time after this one, if this one does not fail. */
  readonly signal: EntitySignals<Ops, void>;
}

/**
 * What an operation is given beside its input: the state, `S`, and what may be asked for.
 *
 * @example
 * const counter = entity("counter", { initial: () => 0 }).operations({
 *   add: (state, amount: number) => state.set(state.value + amount),
 *   reset: (state) => state.clear(),
 * });
 */
export interface EntityContext<S = unknown> {
  /** The state; what the entity begins with, while it has none. It may be changed in place: what it is after the operation is kept. */
  readonly value: S;
  /** Makes this the state, and gives it back. */
  set(next: S): S;
  /** Takes the state away: for its users the entity does not exist then, until an operation gives it a state again. */
  clear(): void;
  /** True when the entity has no state, and `value` is what it begins with. */
  readonly isNew: boolean;
  /** `@name@key`. */
  readonly id: string;
  /** The entity's name, in lower case. */
  readonly name: string;
  /** Which of its kind it is. */
  readonly key: string;
  /** The operation, as it was asked for. */
  readonly operation: string;
  /** The time: when the batch of this operation was handed out, by the clock of the task hub where it says so, else by the worker's. */
  readonly currentUtcDateTime: Date;
  /** Log lines that carry the entity and the operation. */
  readonly log: ProgramLogger;

  /**
   * Another entity, or this one, to signal. It is signalled when this operation has succeeded and was written down.
   *
   * @example
   * state.entity(account, "ada").signal.deposit(5);
   * state.entity<{ add(n: number): number }>("python_counter", "visits").signal.add(1, { at: "5m" });
   */
  entity<Ops, S2>(definition: EntityRef<Ops, S2>, key: string): EntitySignaller<Ops>;
  entity<Ops extends object = NamedOperations>(name: string, key: string): EntitySignaller<Ops>;

  /**
   * Starts an orchestration when this operation has succeeded and was written down, and gives its id. Nobody waits for it.
   *
   * @example
   * state.startOrchestrator(sendReminder, state.key, { startAt: "24h" });
   */
  startOrchestrator<I, O>(orchestrator: OrchestratorRef<I, O>, ...args: CallArguments<I, EntityStartOptions>): string;
  startOrchestrator<I = unknown>(name: string, ...args: CallArguments<I, EntityStartOptions>): string;
}
