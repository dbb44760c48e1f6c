// define: orchestrators, activities and events as values.
//
// Owns:    the definition values, and what TypeScript infers of them.
// Is told: a name; what enters and leaves, if the author says so; a body.
// Tells:   a definition, which a worker accepts, or a contract, which is good for calling and starting alone and can be imported anywhere.
// Always:  D1 a contract has another `kind` than a definition, so a worker that is given one does not compile.
//          D2 the type of an input is what the caller passes, the type of an output what the caller gets.
//          D3 a name, a policy or a time-out that can never work is refused here.

import { InvalidArgumentError } from "../contract/errors.ts";
import { checkName } from "../contract/ids.ts";
import { durationMs } from "../contract/instant.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import type { ActivityContext, NoErrors } from "./activity-context.ts";
import type { NoEvents, OrchestratorContext } from "./orchestrator-context.ts";
import { type CallTimeout, checkRetry, type RetryHandler, type RetryPolicy } from "./retry.ts";
import type { InOf, OutOf, Schema } from "./schema.ts";

// ---- references: enough to call by

/** Carries types and is never there at run time. */
declare const types: unique symbol;

/** An activity to call: a definition, or a contract whose body is elsewhere. */
export interface ActivityRef<I = unknown, O = unknown, E = NoErrors> {
  readonly kind: "activity" | "activity-contract";
  readonly name: string;
  readonly input?: Schema;
  readonly output?: Schema;
  readonly errors?: Readonly<Record<string, Schema>>;
  readonly retry?: RetryPolicy | RetryHandler;
  readonly timeout?: CallTimeout;
  readonly [types]?: { readonly input: I; readonly output: O; readonly errors: E };
}

/** An orchestrator to start or to call: a definition, or a contract whose body is elsewhere. */
export interface OrchestratorRef<I = unknown, O = unknown> {
  readonly kind: "orchestrator" | "orchestrator-contract";
  readonly name: string;
  readonly version?: string;
  readonly input?: Schema;
  readonly output?: Schema;
  readonly events?: Readonly<Record<string, Schema>>;
  readonly [types]?: { readonly input: I; readonly output: O };
}

/** An external event to raise and to wait for: `I` is what is raised, `O` what the wait gives (they differ when a schema transforms). */
export interface EventRef<I = unknown, O = I> {
  readonly kind: "event";
  readonly name: string;
  readonly schema?: Schema;
  readonly [types]?: { readonly raised: I; readonly received: O };
}

// ---- definitions: what a worker runs

/** An orchestrator with its body, as worker and executor see it. */
export interface OrchestratorDefinition {
  readonly kind: "orchestrator";
  readonly name: string;
  readonly version?: string;
  readonly input?: Schema;
  readonly output?: Schema;
  readonly events?: Readonly<Record<string, Schema>>;
  body(ctx: OrchestratorContext, input: unknown): unknown;
}

/** An activity with its body, as the worker sees it. */
export interface ActivityDefinition {
  readonly kind: "activity";
  readonly name: string;
  readonly input?: Schema;
  readonly output?: Schema;
  readonly errors?: Readonly<Record<string, Schema>>;
  readonly retry?: RetryPolicy | RetryHandler;
  readonly timeout?: CallTimeout;
  run(ctx: ActivityContext, input: unknown): unknown;
}

/** An orchestrator with its body: takes `I`, gives `O`. */
export interface Orchestrator<I, O> extends OrchestratorRef<I, O>, OrchestratorDefinition {
  readonly kind: "orchestrator";
}

/** An activity with its body: takes `I`, gives `O`, may fail with the declared errors `E`. */
export interface Activity<I, O, E = NoErrors> extends ActivityRef<I, O, E>, ActivityDefinition {
  readonly kind: "activity";
}

/** An orchestrator's contract: good for starting and calling it. A worker needs `contract.run(body)`. */
export interface OrchestratorContract<I, O, BodyInput, BodyOutput, Ev> extends OrchestratorRef<I, O> {
  readonly kind: "orchestrator-contract";
  /** The definition that runs this body. The contract itself stays as it is. */
  run(body: OrchestratorBody<BodyInput, BodyOutput, Ev>): Orchestrator<I, O>;
}

/** An activity's contract: good for calling it. A worker needs `contract.run(body)`. */
export interface ActivityContract<I, O, E extends object, BodyInput, BodyOutput> extends ActivityRef<I, O, E> {
  readonly kind: "activity-contract";
  /** The definition that runs this body. The contract itself stays as it is. */
  run(body: (ctx: ActivityContext<E>, input: BodyInput) => Promise<BodyOutput> | BodyOutput): Activity<I, O, E>;
}

/**
 * The body of an orchestrator: an `async` function, a plain function, a `function*` (with `yield*`, which is typed, or plain `yield`), or an
 * `async function*`.
 */
export type OrchestratorBody<I, O, Ev = NoEvents> = (ctx: OrchestratorContext<Ev>, input: I) => BodyResult<O>;

/** What a body gives that ends with `O`. */
export type BodyResult<O> =
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what a plain `yield` gives is untyped by the language: only `any` lets `const a: string = yield task` compile
  Generator<unknown, O, any> | AsyncGenerator<unknown, O, any> | PromiseLike<O> | O;

// ---- what a specification says of types

/** What a definition may say about an activity beside its name. */
export interface ActivitySpec {
  /** What enters: checked beside the activity's body. */
  readonly input?: Schema;
  /** What leaves: checked before it is recorded. */
  readonly output?: Schema;
  /** Errors that callers can tell apart by `ctx.try`: tag and data. */
  readonly errors?: Readonly<Record<string, Schema>>;
  /** For calls that say nothing else. */
  readonly retry?: RetryPolicy | RetryHandler;
  /** For calls that say nothing else. */
  readonly timeout?: CallTimeout;
}

/** What a definition may say about an orchestrator beside its name. */
export interface OrchestratorSpec {
  /** Several versions of one name may be registered in one worker. */
  readonly version?: string;
  /** What enters: checked where it is started. */
  readonly input?: Schema;
  /** What leaves: checked before the completion. */
  readonly output?: Schema;
  /** The external events it waits for, by name. */
  readonly events?: Readonly<Record<string, Schema>>;
}

type Given<S, Key extends string> = S extends { readonly [K in Key]: infer G } ? G : undefined;
type CallerInputOf<S> = Given<S, "input"> extends infer G ? (G extends undefined ? void : InOf<G>) : never;
type BodyInputOf<S> = Given<S, "input"> extends infer G ? (G extends undefined ? void : OutOf<G>) : never;
type CallerOutputOf<S> = Given<S, "output"> extends infer G ? (G extends undefined ? void : OutOf<G>) : never;
type BodyOutputOf<S> = Given<S, "output"> extends infer G ? (G extends undefined ? void : InOf<G>) : never;
type ErrorsOf<S> = Given<S, "errors"> extends infer G ? (G extends undefined ? NoErrors : { [K in keyof G]: OutOf<G[K]> }) : never;
type EventsOf<S> = Given<S, "events"> extends infer G ? (G extends undefined ? NoEvents : G) : never;

/**
 * What a definition or contract takes.
 *
 * @example
 * type Order = InputOf<typeof purchaseOrder>;
 */
export type InputOf<D> = D extends { readonly [types]?: { readonly input: infer I } } ? I : never;

/**
 * What a definition or contract gives.
 *
 * @example
 * type Receipt = OutputOf<typeof purchaseOrder>;
 */
export type OutputOf<D> = D extends { readonly [types]?: { readonly output: infer O } } ? O : never;

/** Input and options of a call: the input may be left out when it may be `undefined`. */
export type CallArguments<I, Options> = undefined extends I ? [input?: I, options?: Options] : [input: I, options?: Options];

// ---- activity

/**
 * Defines an activity: a step that does something in the world, at least once.
 *
 * With a body it is a definition, which a worker runs. Without one it is a contract, good for calling; `contract.run(body)` makes the
 * definition.
 *
 * @example
 * const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
 * const ship = activity("ship", { input: Order, retry: { maxNumberOfAttempts: 5, firstRetryInterval: "1s" } }, async (ctx, order) => {
 *   await carrier.ship(order);
 * });
 * const quote = activity("quote", { input: z.object({ sku: z.string() }), output: z.object({ price: z.number() }) }); // a contract
 */
export function activity<O, I = void>(name: string, run: (ctx: ActivityContext, input: I) => Promise<O> | O): Activity<I, O>;
export function activity<const S extends ActivitySpec & { readonly input: Schema; readonly output: Schema }>(
  name: string,
  spec: S,
  run: (ctx: ActivityContext<ErrorsOf<S>>, input: OutOf<S["input"]>) => Promise<InOf<S["output"]>> | InOf<S["output"]>,
): Activity<InOf<S["input"]>, OutOf<S["output"]>, ErrorsOf<S>>;
export function activity<const S extends ActivitySpec & { readonly input: Schema; readonly output?: never }, O>(
  name: string,
  spec: S,
  run: (ctx: ActivityContext<ErrorsOf<S>>, input: OutOf<S["input"]>) => Promise<O> | O,
): Activity<InOf<S["input"]>, O, ErrorsOf<S>>;
export function activity<const S extends ActivitySpec & { readonly input?: never; readonly output: Schema }, I = void>(
  name: string,
  spec: S,
  run: (ctx: ActivityContext<ErrorsOf<S>>, input: I) => Promise<InOf<S["output"]>> | InOf<S["output"]>,
): Activity<I, OutOf<S["output"]>, ErrorsOf<S>>;
export function activity<const S extends ActivitySpec & { readonly input?: never; readonly output?: never }, O, I = void>(
  name: string,
  spec: S,
  run: (ctx: ActivityContext<ErrorsOf<S>>, input: I) => Promise<O> | O,
): Activity<I, O, ErrorsOf<S>>;
export function activity<const S extends ActivitySpec>(
  name: string,
  spec: S,
): ActivityContract<CallerInputOf<S>, CallerOutputOf<S>, ErrorsOf<S>, BodyInputOf<S>, BodyOutputOf<S>>;
export function activity(name: string, specOrRun: ActivitySpec | ActivityDefinition["run"], run?: ActivityDefinition["run"]): unknown {
  checkName(name, "activity name");
  const { input, output, errors, retry, timeout } = specOf<ActivitySpec>(specOrRun, ACTIVITY_SPEC, "activity", name);
  if (retry !== undefined) checkRetry(retry);
  checkOptions(timeout, CALL_TIMEOUT, `The timeout of activity '${name}'`);
  if (timeout?.attempt !== undefined) durationMs(timeout.attempt, "timeout.attempt");
  if (timeout?.total !== undefined) durationMs(timeout.total, "timeout.total");
  const facts = defined({ name, input, output, errors, retry, timeout });
  const define = (body: ActivityDefinition["run"]): unknown => {
    const definition = Object.freeze({ kind: "activity", ...facts, run: checkBody(body, "activity", name) });
    if (!names.has(body)) names.set(body, name);
    return definition;
  };
  const body = typeof specOrRun === "function" ? specOrRun : run;
  return body === undefined ? Object.freeze({ kind: "activity-contract", ...facts, run: define }) : define(body);
}

// ---- orchestrator

/**
 * Defines an orchestrator: the program that decides what happens next, and survives everything.
 *
 * With a body it is a definition, which a worker runs. Without one it is a contract, good for starting and calling; `contract.run(body)`
 * makes the definition. The body has to be deterministic: time, chance and the world come in through `ctx` and through activities.
 *
 * @example
 * const greet = orchestrator("greet", async (ctx, name: string) => await ctx.callActivity(hello, name));
 * const buy = orchestrator("buy", { input: Order }, async (ctx, order) => {
 *   const approval = await ctx.waitForExternalEvent(approved);
 *   return approval.by;
 * });
 * const refund = orchestrator("refund", { version: "1.0.0", input: z.object({ id: z.string() }), output: z.boolean() }); // a contract
 */
export function orchestrator<O, I = void>(name: string, body: OrchestratorBody<I, O>): Orchestrator<I, O>;
export function orchestrator<const S extends OrchestratorSpec & { readonly input: Schema; readonly output: Schema }>(
  name: string,
  spec: S,
  body: OrchestratorBody<OutOf<S["input"]>, InOf<S["output"]>, EventsOf<S>>,
): Orchestrator<InOf<S["input"]>, OutOf<S["output"]>>;
export function orchestrator<const S extends OrchestratorSpec & { readonly input: Schema; readonly output?: never }, O>(
  name: string,
  spec: S,
  body: OrchestratorBody<OutOf<S["input"]>, O, EventsOf<S>>,
): Orchestrator<InOf<S["input"]>, O>;
export function orchestrator<const S extends OrchestratorSpec & { readonly input?: never; readonly output: Schema }, I = void>(
  name: string,
  spec: S,
  body: OrchestratorBody<I, InOf<S["output"]>, EventsOf<S>>,
): Orchestrator<I, OutOf<S["output"]>>;
export function orchestrator<const S extends OrchestratorSpec & { readonly input?: never; readonly output?: never }, O, I = void>(
  name: string,
  spec: S,
  body: OrchestratorBody<I, O, EventsOf<S>>,
): Orchestrator<I, O>;
export function orchestrator<const S extends OrchestratorSpec>(
  name: string,
  spec: S,
): OrchestratorContract<CallerInputOf<S>, CallerOutputOf<S>, BodyInputOf<S>, BodyOutputOf<S>, EventsOf<S>>;
export function orchestrator(
  name: string,
  specOrBody: OrchestratorSpec | OrchestratorDefinition["body"],
  body?: OrchestratorDefinition["body"],
): unknown {
  checkOrchestratorName(name);
  const { version, input, output, events } = specOf<OrchestratorSpec>(specOrBody, ORCHESTRATOR_SPEC, "orchestrator", name);
  for (const event of Object.keys(events ?? {})) checkName(event, "event name");
  const facts = defined({ name, version, input, output, events });
  const define = (given: OrchestratorDefinition["body"]): unknown => {
    const definition = Object.freeze({ kind: "orchestrator", ...facts, body: checkBody(given, "orchestrator", name) });
    if (!names.has(given)) names.set(given, name);
    return definition;
  };
  const given = typeof specOrBody === "function" ? specOrBody : body;
  return given === undefined ? Object.freeze({ kind: "orchestrator-contract", ...facts, run: define }) : define(given);
}

/**
 * Refuses a name that no orchestrator may have.
 *
 * @throws InvalidArgumentError when it cannot be stored or printed, or starts with `@` (those are entities).
 */
export function checkOrchestratorName(name: string): void {
  checkName(name, "orchestrator name");
  if (name.startsWith("@"))
    throw new InvalidArgumentError(
      `The orchestrator name ${JSON.stringify(name)} starts with "@", which is kept for entities; choose another name.`,
    );
}

// ---- event

/**
 * Names an external event and its data. With a schema the data is checked where it is raised, and a class is rebuilt where it is received.
 *
 * @example
 * const approved = externalEvent<{ by: string }>("approved");
 * const priced = externalEvent("priced", z.object({ price: z.number() }));
 */
export function externalEvent<T = void>(name: string): EventRef<T>;
export function externalEvent<const S extends Schema>(name: string, schema: S): EventRef<InOf<S>, OutOf<S>>;
export function externalEvent(name: string, schema?: Schema): EventRef {
  checkName(name, "event name");
  return Object.freeze({ kind: "event", ...defined({ name, schema }) }) as EventRef;
}

// ---- functions as references

/** The names of the definitions that functions are bodies of, so that a call may name the function itself. */
const names = new WeakMap<object, string>();

/**
 * The name under which a body was defined; else the function's own name.
 *
 * @throws InvalidArgumentError when it has neither.
 */
export function nameOfFunction(body: { readonly name: string }, what: string): string {
  const name = names.get(body) ?? body.name;
  if (name === "") throw new InvalidArgumentError(`The ${what} was given as a function without a name; pass its definition or its name.`);
  return name;
}

const ACTIVITY_SPEC: OptionNames<ActivitySpec> = { input: true, output: true, errors: true, retry: true, timeout: true };
const ORCHESTRATOR_SPEC: OptionNames<OrchestratorSpec> = { version: true, input: true, output: true, events: true };
const CALL_TIMEOUT: OptionNames<CallTimeout> = { attempt: true, total: true };

/** What is said beside the name and the body. The compiler does not see a misspelt word in it, since its type follows what is given. */
function specOf<S extends object>(specOrBody: S | ((...args: never[]) => unknown), names: OptionNames<S>, what: string, name: string): S {
  if (typeof specOrBody === "function") return {} as S;
  if (specOrBody === undefined)
    throw new InvalidArgumentError(
      `The ${what} '${name}' has no body: write ${what}("${name}", async (ctx, input) => ...), or {} for a contract.`,
    );
  checkOptions(specOrBody, names, `The ${what} '${name}'`);
  return specOrBody;
}

function checkBody<T>(body: T, what: string, name: string): T {
  if (typeof body !== "function") throw new InvalidArgumentError(`The body of ${what} '${name}' must be a function.`);
  return body;
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
