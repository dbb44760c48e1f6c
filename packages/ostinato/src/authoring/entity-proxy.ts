// entity-proxy: one entity as an object with a function for each of its operations.
//
// Owns:    the types of these objects, and how they are made.
// Is told: a definition, or a name; a key; what a call and what a signal is to do.
// Always:  EP1 made of a definition it is an ordinary object that has the operations as its own. Of a name any word is an operation, but those
//              in NO_OPERATIONS and what every object has, so that awaiting it or writing it by mistake asks for nothing.

import { InvalidArgumentError } from "../contract/errors.ts";
import { entityId } from "../contract/ids.ts";
import { pointInTime, type Duration, type Instant } from "../contract/instant.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import type { EntityOperation } from "./entity.ts";
import type { Task } from "./task.ts";

/** When a signalled operation is done. */
export interface SignalOptions {
  /** Not before this: a time, or so long from now. */
  readonly at?: Date | Duration;
}

/** The operations of an entity of which nothing but its name is known. */
export type NamedOperations = Readonly<Record<string, (input?: unknown) => unknown>>;

/** What an operation is given beside the state: nothing or one value. More than one makes it no operation: it cannot be called. */
export type OperationInput<A extends readonly unknown[]> = A["length"] extends 0
  ? []
  : A["length"] extends 0 | 1
    ? undefined extends A[0]
      ? [input?: A[0]]
      : void extends A[0]
        ? [input?: A[0]]
        : [input: A[0]]
    : never;

/** What every entity has, unless it has an operation of this name itself. */
type WithDelete<Ops> = "delete" extends keyof Ops ? Ops : Ops & { readonly delete: () => void };

type CallOf<F> = F extends (...input: infer A) => infer R
  ? OperationInput<A> extends infer I extends readonly unknown[]
    ? [I] extends [never]
      ? never
      : (...input: I) => Task<Awaited<R>>
    : never
  : never;

type SignalArguments<I extends readonly unknown[]> = I extends readonly []
  ? [input?: undefined, options?: SignalOptions]
  : I extends readonly [unknown]
    ? [input: I[0], options?: SignalOptions]
    : [input?: I[0], options?: SignalOptions];

type SignalOf<F, Given> = F extends (...input: infer A) => unknown
  ? OperationInput<A> extends infer I extends readonly unknown[]
    ? [I] extends [never]
      ? never
      : (...args: SignalArguments<I>) => Given
    : never
  : never;

/**
 * The operations of an entity as signals: they are asked for, and nobody waits for their answer. `Given` is what asking gives: nothing in an
 * orchestrator, a promise at a client.
 *
 * @example
 * counter.signal.add(1);
 * counter.signal.add(1, { at: "5m" });
 * counter.signal.reset(undefined, { at: new Date(report.dueAt) });
 */
export type EntitySignals<Ops, Given = void> = {
  readonly [K in keyof WithDelete<Ops> & string]: SignalOf<WithDelete<Ops>[K], Given>;
};

/**
 * An entity, as an orchestrator sees it: each operation is a function that gives a task.
 *
 * @example
 * const from = ctx.entity(account, "ada");
 * const left = await from.withdraw(5);
 * from.signal.note("withdrawn");
 */
export type EntityProxy<Ops> = {
  readonly [K in keyof WithDelete<Ops> & string]: CallOf<WithDelete<Ops>[K]>;
} & {
  /** Its id: `@name@key`. */
  readonly id: string;
  /** Its operations, without waiting for them. */
  readonly signal: EntitySignals<Ops, void>;
  /** Calls an operation by its name, for what is known only when the program runs. */
  call<I = unknown, O = unknown>(operation: string, input?: I): Task<O>;
};

/** Words that are never operations: they are what a proxy has itself, or what others look for on any object. */
export const NO_OPERATIONS: ReadonlySet<string> = new Set(["id", "signal", "call", "then", "toJSON"]);

// ---- making them

/** One entity: which it is, and what is known of its operations (nothing when it was named). */
export interface EntityTarget {
  readonly id: string;
  readonly name: string;
  readonly operations: ReadonlyMap<string, EntityOperation> | undefined;
}

/** An operation to be asked for. */
export type OperationTarget = Pick<EntityOperation, "name" | "input" | "output">;

/** What asking for an operation does. */
export type Ask = (operation: OperationTarget, input: unknown, options?: SignalOptions) => unknown;

/**
 * Which entity is meant.
 *
 * @throws InvalidArgumentError for what is no entity's definition, and for a name or a key that no entity can have.
 * @example entityTarget(counter, "visits").id === "@counter@visits"
 */
export function entityTarget(definition: unknown, key: string): EntityTarget {
  if (typeof definition === "string") return { id: entityId(definition, key), name: definition.toLowerCase(), operations: undefined };
  if (typeof definition === "object" && definition !== null && "kind" in definition && "name" in definition) {
    const { kind, name, operations } = definition as { kind: unknown; name: unknown; operations?: unknown };
    if (kind === "entity" && typeof name === "string" && operations instanceof Map)
      return { id: entityId(name, key), name, operations: operations as ReadonlyMap<string, EntityOperation> };
    throw new InvalidArgumentError(`'${String(name)}' is no entity; its kind is ${JSON.stringify(kind)}.`);
  }
  throw new InvalidArgumentError(
    "The entity must be given as its definition, entity(name, ...).operations({ ... }) or entity(name, Class), or by its name.",
  );
}

/** An operation by its name, as callers who know the name alone ask for it: with its schemas, when there is a definition that has it. */
export function operationTarget(target: EntityTarget, name: string): OperationTarget {
  return (target.operations === undefined ? undefined : findOperation(target.operations, name)) ?? { name };
}

/** The operation that is meant by a name: the one that is called so, else the first that is, without regard to case. */
export function findOperation(operations: ReadonlyMap<string, EntityOperation>, name: string): EntityOperation | undefined {
  const exact = operations.get(name);
  if (exact !== undefined) return exact;
  const key = name.toLowerCase();
  for (const operation of operations.values()) if (operation.name.toLowerCase() === key) return operation;
  return undefined;
}

/** An object with a function for each operation: what such a function does is `ask`'s. */
export function operationFunctions<F extends object>(target: EntityTarget, ask: Ask, also: Readonly<Record<string, unknown>> = {}): F {
  if (target.operations === undefined) return anyOperation(ask, also) as F;
  const made: Record<string, unknown> = Object.defineProperties({}, Object.getOwnPropertyDescriptors(also));
  for (const operation of target.operations.values())
    made[operation.name] = (input?: unknown, options?: SignalOptions) => ask(operation, input, options);
  return Object.freeze(made) as F;
}

/** Every word is an operation. */
function anyOperation(ask: Ask, also: Readonly<Record<string, unknown>>): object {
  const made = new Map<string, unknown>();
  return new Proxy(Object.freeze(Object.defineProperties({}, Object.getOwnPropertyDescriptors(also))), {
    get(own, word) {
      // What every object has (toString, valueOf) is looked for whenever one is put into a text.
      if (Reflect.has(own, word)) return Reflect.get(own, word) as unknown;
      if (typeof word !== "string" || word === "" || NO_OPERATIONS.has(word)) return undefined;
      let operation = made.get(word);
      if (operation === undefined) {
        operation = (input?: unknown, options?: SignalOptions) => ask({ name: word }, input, options);
        made.set(word, operation);
      }
      return operation;
    },
  });
}

const SIGNAL: OptionNames<SignalOptions> = { at: true };

/**
 * The time before which a signal is not done; `undefined` for at once.
 *
 * @throws InvalidArgumentError for a time that is none, and for an option that there is none of.
 */
export function signalTime(options: SignalOptions | undefined, now: Instant, what: string): Instant | undefined {
  checkOptions(options, SIGNAL, what);
  const at = options?.at;
  if (at === undefined) return undefined;
  return pointInTime(at, now, what);
}
