// entity: something that has a state and does one thing at a time.
//
// Owns:    the definitions of entities, and what TypeScript infers of their operations and their state.
// Is told: a name; the state's schema and beginning; the operations, as functions of the state or as the methods of a class.
// Tells:   a definition, which a worker runs and everybody calls by.
// Always:  EN1 an operation has the state and at most one input: there is no more in the family's protocol.
//          EN2 names of entities and of operations are matched without regard to case; an operation called exactly so comes first.
//          EN3 a word that a caller could not ask for as an operation is refused here.

import { InvalidArgumentError } from "../contract/errors.ts";
import { checkName, entityId } from "../contract/ids.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { EntityContext } from "./entity-context.ts";
import { NO_OPERATIONS, type OperationInput } from "./entity-proxy.ts";
import type { InOf, OutOf, Schema } from "./schema.ts";

/** Carries types and is never there at run time. */
declare const types: unique symbol;

/** An operation with its body, as the worker sees it. */
export interface EntityOperation {
  readonly name: string;
  /** What enters: checked beside the body. */
  readonly input?: Schema;
  /** What leaves: checked before it is answered. */
  readonly output?: Schema;
  run(context: EntityContext, input: unknown): unknown;
}

/** A class that entities are instances of: it is made without arguments. */
export type EntityClass<T extends object = object> = new () => T;

/** An entity to call, signal or lock: what its definition tells of it. */
export interface EntityRef<Ops = unknown, S = unknown> {
  readonly kind: "entity";
  /** In lower case. */
  readonly name: string;
  readonly [types]?: { readonly operations: Ops; readonly state: S };
}

/** An entity with its operations, as the worker sees it. */
export interface EntityDefinition {
  readonly kind: "entity";
  /** In lower case. */
  readonly name: string;
  /** The state's; of a class: of its fields. */
  readonly state?: Schema;
  /** Whose instances are the state. */
  readonly class?: EntityClass;
  /** What the entity begins with. */
  initial(): unknown;
  /** Makes what an older program has stored into what this one reads. */
  readonly upcast?: (stored: unknown) => unknown;
  /** By their names as they were written; `delete` is always among them. */
  readonly operations: ReadonlyMap<string, EntityOperation>;
}

/** An entity: its operations `Ops`, by name, as their callers see them, and its state `S`. */
export interface Entity<Ops, S> extends EntityRef<Ops, S>, EntityDefinition {
  readonly kind: "entity";
  readonly name: string;
}

/**
 * The operations of an entity, as their callers see them.
 *
 * @example
 * type Operations = OperationsOf<typeof counter>; // { add: (input: number) => number; get: () => number }
 */
export type OperationsOf<E> = E extends { readonly [types]?: { readonly operations: infer Ops } } ? Ops : never;

/**
 * The state of an entity.
 *
 * @example
 * type State = StateOf<typeof counter>; // number
 */
export type StateOf<E> = E extends { readonly [types]?: { readonly state: infer S } } ? S : never;

// ---- what a specification says of types

/** How an entity of functions begins, and what its state is. */
export interface EntityOptions<S> {
  /** What the state is: checked when it is read and when it is written. It has to accept what it gives. */
  readonly state?: Schema;
  /** What the entity begins with: asked each time there is no state. */
  readonly initial: () => S;
  /** Makes what an older program has stored into what this one reads. It gets whatever was stored, each time; the schema checks what it gives. */
  readonly upcast?: (stored: unknown) => unknown;
}

/** What is said of an operation beside its body. */
export interface OperationSpec {
  readonly input?: Schema;
  readonly output?: Schema;
}

/** What may be said of an entity that is a class. */
export interface EntityClassOptions<T extends object> {
  /** What its fields are: checked when they are read and when they are written. It has to accept what it gives. */
  readonly state?: Schema;
  /** What the entity begins with, in place of `new Class()`. */
  readonly initial?: () => T;
  /** Makes the fields that an older program has stored into those that this one has. It gets whatever was stored, each time. */
  readonly upcast?: (stored: unknown) => unknown;
  /** Schemas of operations, by name. */
  readonly operations?: { readonly [K in MethodNames<T>]?: OperationSpec };
}

type OperationFunction<S> = (state: EntityContext<S>, input: never) => unknown;

interface SpecifiedOperation<S, In> {
  readonly input?: In & Schema;
  readonly output?: Schema;
  readonly run: (state: EntityContext<S>, input: OutOf<In>) => unknown;
}

/** `M` is inferred as the input schemas, so that the bodies beside them know what they get. */
type OperationForms<S, M> = { readonly [K in keyof M]: OperationFunction<S> | SpecifiedOperation<S, M[K]> };

type Specified<F, In, Out> = [In] extends [Schema] ? (input: InOf<In>) => ResultOf<F, Out> : PlainOperation<F, Out>;
type ResultOf<F, Out> = [Out] extends [Schema] ? OutOf<Out> : F extends (...args: never[]) => infer R ? Awaited<R> : never;

type PlainOperation<F, Out> = F extends (state: never, ...input: infer A) => unknown
  ? OperationInput<A> extends infer I extends readonly unknown[]
    ? [I] extends [never]
      ? never
      : (...input: I) => ResultOf<F, Out>
    : never
  : never;

type Field<D, Key extends string> = D extends { readonly [K in Key]: infer G } ? G : undefined;

/** A body whose output is not what its schema takes is no operation that anybody can call. */
type Fitting<F, Out, Made> = [Out] extends [Schema]
  ? F extends (...args: never[]) => infer R
    ? [Awaited<R>] extends [InOf<Out>]
      ? Made
      : never
    : never
  : Made;

type OperationOf<D> = D extends (...args: never[]) => unknown
  ? PlainOperation<D, undefined>
  : Fitting<Field<D, "run">, Field<D, "output">, Specified<Field<D, "run">, Field<D, "input">, Field<D, "output">>>;

/** The operations that a table of functions makes, as their callers see them. */
export type OperationsFrom<D> = { readonly [K in keyof D & string]: OperationOf<D[K]> };

/** The methods of a class that are operations. */
export type MethodNames<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => unknown ? Exclude<K, symbol | number | "toJSON"> : never;
}[keyof T] &
  string;

/** Why a method is no operation; `never` when it is one. */
type Mistake<T, K extends keyof T> = K extends "id" | "signal" | "call" | "then"
  ? `'${K & string}' is no name for an operation`
  : T[K] extends (...args: infer A) => unknown
    ? A extends readonly []
      ? never
      : A["length"] extends 0 | 1
        ? never
        : A["length"] extends 0 | 1 | 2
          ? EntityContext<T> extends NonNullable<Required<A>[1]>
            ? never
            : `'${K & string}' takes more than one input; give it one object, and let a second parameter be the EntityContext`
          : `'${K & string}' takes more than one input; give it one object`
    : never;

type MistakesOf<T> = { [K in MethodNames<T>]: Mistake<T, K> }[MethodNames<T>];
type WithoutMistakes<T> = [MistakesOf<T>] extends [never] ? unknown : MistakesOf<T>;

type MethodOperation<F, Spec> = F extends (...args: infer A) => infer R
  ? [Field<Spec, "input">] extends [Schema]
    ? (input: InOf<Field<Spec, "input">>) => ResultOf<F, Field<Spec, "output">>
    : A extends readonly []
      ? () => ResultOf<(...args: A) => R, Field<Spec, "output">>
      : (...input: OperationInput<FirstOf<A>>) => ResultOf<(...args: A) => R, Field<Spec, "output">>
  : never;

type FirstOf<A extends readonly unknown[]> = A extends readonly [infer I, ...unknown[]] ? [I] : A extends readonly [] ? [] : [input?: A[0]];

/** The operations that the methods of a class make, as their callers see them. */
export type OperationsOfClass<T, Specs = unknown> = {
  readonly [K in MethodNames<T>]: MethodOperation<T[K], K extends keyof Specs ? Specs[K] : undefined>;
};

/** An entity whose state is known, and whose operations are still to come. */
export interface EntityBuilder<S> {
  /**
   * The entity with these operations: functions of the state and at most one input, or `{ input, output, run }` with schemas. They may be
   * async. `delete`, which clears the state, is there unless one of them is called so.
   *
   * @example
   * const counter = entity("counter", { initial: () => 0 }).operations({
   *   add: (state, amount: number) => state.set(state.value + amount),
   *   rename: { input: z.string(), run: (state, name) => state.log.info(name) },
   * });
   */
  operations<M, D extends Readonly<Record<string, unknown>>>(operations: D & OperationForms<S, M>): Entity<OperationsFrom<D>, S>;
}

// ---- entity

/**
 * Defines an entity: many of one kind, each known by a key, each with a state of its own that lasts, each doing one operation at a time in the
 * order in which they came. An operation that throws leaves the state as it was.
 *
 * Of functions: `entity(name, { state?, initial, upcast? }).operations({ ... })`. Of a class: its methods are the operations, its fields the
 * state; an operation takes one input at most, and a second parameter is the EntityContext. What a class keeps to itself it calls `#name`:
 * neither such methods nor accessors are operations.
 *
 * @example
 * const counter = entity("counter", { state: z.number(), initial: () => 0 }).operations({
 *   add: (state, amount: number) => state.set(state.value + amount),
 *   get: (state) => state.value,
 * });
 *
 * class Account {
 *   balance = 0;
 *   deposit(amount: number) { return (this.balance += amount); }
 * }
 * const account = entity("account", Account);
 */
export function entity<const Sch extends Schema>(
  name: string,
  options: EntityOptions<InOf<Sch>> & { readonly state: Sch },
): EntityBuilder<OutOf<Sch>>;
export function entity<S>(name: string, options: EntityOptions<S> & { readonly state?: never }): EntityBuilder<S>;
export function entity<T extends object, const O extends EntityClassOptions<T> = Record<never, never>>(
  name: string,
  type: EntityClass<T> & WithoutMistakes<T>,
  options?: O & EntityClassOptions<T>,
): Entity<OperationsOfClass<T, Field<O, "operations">>, T>;
export function entity(name: string, optionsOrClass: EntityOptions<unknown> | EntityClass, options?: EntityClassOptions<object>): unknown {
  entityId(name, "key"); // refuses a name that no entity can have
  const lowerName = name.toLowerCase();
  const what = `The entity '${name}'`;
  if (typeof optionsOrClass === "function") return entityOfClass(lowerName, what, optionsOrClass, options ?? {});
  checkOptions(optionsOrClass, ENTITY_OPTIONS, what);
  const { state, initial, upcast } = optionsOrClass ?? {};
  if (typeof initial !== "function")
    throw new InvalidArgumentError(`${what} has no beginning: write entity("${name}", { initial: () => ... }).operations({ ... }).`);
  checkUpcast(upcast, what);
  return Object.freeze({
    operations: (forms: Readonly<Record<string, unknown>>) => {
      checkTable(forms, what);
      const operations = operationMap(Object.keys(forms).map((each) => operationOf(each, forms[each], what)));
      return Object.freeze({ kind: "entity", name: lowerName, ...given({ state, upcast }), initial, operations });
    },
  });
}

const ENTITY_OPTIONS: OptionNames<EntityOptions<unknown>> = { state: true, initial: true, upcast: true };
const CLASS_OPTIONS: OptionNames<EntityClassOptions<object>> = { state: true, initial: true, upcast: true, operations: true };
const OPERATION: OptionNames<OperationSpec & { run: unknown }> = { input: true, output: true, run: true };
const OPERATION_OF_CLASS: OptionNames<OperationSpec> = { input: true, output: true };

function operationOf(name: string, form: unknown, what: string): EntityOperation {
  checkOperationName(name, what);
  const operation = `The operation '${name}' of ${what.replace("The", "the")}`;
  if (typeof form === "function") return Object.freeze({ name, run: checkRun(form, operation) });
  if (typeof form !== "object" || form === null)
    throw new InvalidArgumentError(`${operation} must be a function of the state and its input, or { input, output, run }.`);
  checkOptions(form, OPERATION, operation);
  const { input, output, run } = form as OperationSpec & { run: unknown };
  return Object.freeze({ name, ...given({ input, output }), run: checkRun(run, operation) });
}

function checkRun(run: unknown, operation: string): EntityOperation["run"] {
  if (typeof run !== "function") throw new InvalidArgumentError(`${operation} has no body: give it a function as run.`);
  if (run.length > 2)
    throw new InvalidArgumentError(`${operation} takes more than the state and one input; what is to go along belongs into one object.`);
  return run as EntityOperation["run"];
}

function entityOfClass(name: string, what: string, type: EntityClass, options: EntityClassOptions<object>): EntityDefinition {
  checkOptions(options, CLASS_OPTIONS, what);
  const { state, initial = () => new type(), upcast } = options;
  checkUpcast(upcast, what);
  const specs: Readonly<Record<string, unknown>> = options.operations ?? {};
  checkTable(specs, what);
  const methods = methodsOf(type);
  for (const each of Object.keys(specs)) {
    if (!methods.has(each)) throw new InvalidArgumentError(`${what} has no operation '${each}'; it has ${[...methods.keys()].join(", ")}.`);
    checkOptions(specs[each] as OperationSpec, OPERATION_OF_CLASS, `The operation '${each}' of ${what.replace("The", "the")}`);
  }
  const operations = operationMap(
    [...methods].map(([each, method]): EntityOperation => {
      checkOperationName(each, what);
      if (method.length > 2)
        throw new InvalidArgumentError(
          `The operation '${each}' of ${what.replace("The", "the")} takes more than one input and the EntityContext; what is to go along belongs into one object.`,
        );
      const { input, output } = (Object.hasOwn(specs, each) ? specs[each] : {}) as OperationSpec;
      return Object.freeze({
        name: each,
        ...given({ input, output }),
        // By its name: whoever replaces a method of an instance, as tests do, is heard.
        run: (context: EntityContext, value: unknown) =>
          Reflect.apply((context.value as Record<string, (...args: unknown[]) => unknown>)[each] ?? method, context.value, [
            value,
            context,
          ]),
      });
    }),
  );
  return Object.freeze({ kind: "entity", name, class: type, ...given({ state, upcast }), initial, operations });
}

type Method = (...args: unknown[]) => unknown;

/** The methods of a class and of those it extends, the nearest first. */
function methodsOf(type: EntityClass): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>();
  const taken = new Set<string>(["constructor", "toJSON"]);
  let prototype: unknown = type.prototype;
  while (typeof prototype === "object" && prototype !== null && prototype !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value === "function" && !taken.has(name)) methods.set(name, value as Method);
      taken.add(name); // an accessor hides the method that it overrides
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  return methods;
}

const DELETE: EntityOperation = Object.freeze({ name: "delete", run: (context: EntityContext) => context.clear() });

function operationMap(operations: readonly EntityOperation[]): ReadonlyMap<string, EntityOperation> {
  const map = new Map(operations.map((operation) => [operation.name, operation]));
  if (!operations.some(({ name }) => name.toLowerCase() === "delete")) map.set("delete", DELETE);
  return map;
}

function checkOperationName(name: string, what: string): void {
  checkName(name, `name of an operation of ${what.replace("The", "the")}`);
  if (NO_OPERATIONS.has(name) || name === "constructor" || name === "__proto__")
    throw new InvalidArgumentError(
      `${what} cannot have an operation '${name}': every object has that word for something else. Choose another name.`,
    );
}

function checkTable(table: unknown, what: string): void {
  if (typeof table !== "object" || table === null || Array.isArray(table))
    throw new InvalidArgumentError(`${what} takes its operations as an object, { name: (state, input) => ... }.`);
}

function checkUpcast(upcast: unknown, what: string): void {
  if (upcast !== undefined && typeof upcast !== "function")
    throw new InvalidArgumentError(`The upcast of ${what.replace("The", "the")} must be a function.`);
}
