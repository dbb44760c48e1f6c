// test-entity: an entity without an engine, for unit tests.
//
// Always:  TE1 operations run by the worker's own runner: schemas, rollback and state are the product's.

import { operationFunctions, type NamedOperations, type OperationInput } from "../authoring/entity-proxy.ts";
import type { Entity } from "../authoring/entity.ts";
import { readEntityState, writeEntityState } from "../authoring/entity-state.ts";
import { defaultConverter, type PayloadConverter } from "../authoring/payload.ts";
import { decodeWith, encodeWith } from "../authoring/schema.ts";
import { EntityOperationFailedError, InvalidArgumentError } from "../contract/errors.ts";
import { entityId, type EntityId } from "../contract/ids.ts";
import { given } from "../contract/recorded-as.ts";
import type { EntityAction, EntityOutcome } from "../contract/work-items.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createEntityRunner } from "../worker/run-entity.ts";

/** Where an entity under test begins. */
export interface TestEntityOptions<S> {
  /** `"test"` by default. */
  readonly key?: string;
  /** What is stored; nothing by default. */
  readonly state?: S;
  /** What time it is; 2025-01-01T00:00:00Z by default. */
  readonly now?: Date;
  readonly converter?: PayloadConverter;
}

/** A signal that an operation sent. */
export interface SentSignal {
  readonly entityId: EntityId;
  readonly operation: string;
  readonly input: unknown;
  readonly at?: Date;
}

/** An orchestration that an operation started. */
export interface StartedOrchestration {
  readonly name: string;
  readonly instanceId: string;
  readonly input: unknown;
  readonly startAt?: Date;
}

type CallOf<F> = F extends (...input: infer A) => infer R
  ? OperationInput<A> extends infer I extends readonly unknown[]
    ? (...input: I) => Promise<Awaited<R>>
    : never
  : never;

/**
 * An entity under test: each operation is a function that gives its result, or throws EntityOperationFailedError.
 *
 * @example
 * const visits = testEntity(counter, { state: 41 });
 * assert.equal(await visits.call.add(1), 42);
 * assert.equal(visits.state, 42);
 */
export interface TestEntity<Ops, S> {
  readonly id: EntityId;
  readonly call: { readonly [K in keyof Ops & string]: CallOf<Ops[K]> } & (Ops extends { readonly delete: unknown }
    ? unknown
    : { readonly delete: () => Promise<void> });
  /** What is stored now; `undefined`: nothing. */
  readonly state: S | undefined;
  /** What its operations have sent so far, in order. */
  readonly signals: readonly SentSignal[];
  /** What its operations have started so far, in order. */
  readonly started: readonly StartedOrchestration[];
}

const FIRST_DAY = Date.UTC(2025, 0, 1);
const PAYLOAD_BYTES = 4 * 1024 * 1024;

/**
 * Makes an entity to test, without engine and hub. Operations are done one after the other, as they are called.
 *
 * @example
 * const site = testEntity(directory, { key: "site" });
 * await site.call.visited("/home");
 * assert.deepEqual(site.signals, [{ entityId: "@counter@/home", operation: "add", input: 1 }]);
 */
export function testEntity<Ops = NamedOperations, S = unknown>(
  definition: Entity<Ops, S>,
  options: TestEntityOptions<S> = {},
): TestEntity<Ops, S> {
  const { key = "test", converter = defaultConverter } = options;
  const id = entityId(definition.name, key);
  const now = options.now?.getTime() ?? FIRST_DAY;
  const signals: SentSignal[] = [];
  const started: StartedOrchestration[] = [];
  let text = settled(writeEntityState(definition, converter, options.state, id));
  let tell: (outcome: EntityOutcome) => void = () => undefined;
  let last: Promise<unknown> = Promise.resolve();
  let calls = 0;
  const runner = createEntityRunner({
    find: () => definition,
    converter,
    payloadBytes: PAYLOAD_BYTES,
    clock: { now: () => now },
    random: seededRandom(1),
    log: silentLogger,
    tell: (outcome) => tell(outcome),
  });

  const send = (action: EntityAction): void => {
    // tidy: allow Date because it stands for a time that was given
    const at = action.scheduledAt === undefined ? undefined : new Date(action.scheduledAt);
    const input = decodeWith(converter, undefined, action.input);
    if (action.kind === "signalEntity") signals.push({ entityId: action.entityId, operation: action.operation, input, ...given({ at }) });
    else started.push({ name: action.name, instanceId: action.instanceId, input, ...given({ startAt: at }) });
  };
  const perform = async (operation: string, input: string | undefined): Promise<string | undefined> => {
    const requestId = `test:${++calls}`;
    const event = {
      kind: "EntityOperationCalled",
      eventId: -1,
      timestamp: now,
      entityId: id,
      requestId,
      operation,
      ...given({ input }),
    } as const;
    const outcome = await new Promise<EntityOutcome>((resolve) => {
      tell = resolve;
      runner.run({ kind: "entity", token: calls, entityId: id, operations: [event], ...given({ state: text }) });
    });
    if (outcome.kind !== "batch") throw new InvalidArgumentError(`The operation '${operation}' of ${id} could not be done.`);
    text = outcome.state;
    outcome.actions.forEach(send);
    const [result] = outcome.results;
    if (result?.kind === "failed") throw new EntityOperationFailedError({ entityId: id, operation, taskId: 0, failure: result.failure });
    return result?.result;
  };

  return {
    id,
    call: operationFunctions({ id, name: definition.name, operations: definition.operations }, (operation, value) => {
      const what = `operation '${operation.name}' of ${id}`;
      const input = encodeWith(converter, operation.input, value, `input of ${what}`);
      const done = last.then(() => perform(operation.name, input));
      last = done.catch(() => undefined);
      return done.then((result) => decodeWith(converter, operation.output, result, `result of ${what}`));
    }),
    get state() {
      return text === undefined ? undefined : (settled(readEntityState(definition, converter, text, id)) as S);
    },
    get signals() {
      return signals;
    },
    get started() {
      return started;
    },
  };
}

function settled<T>(value: T | Promise<T>): T {
  if (value instanceof Promise)
    throw new InvalidArgumentError("testEntity needs a state schema that answers at once; this one answers with a promise.");
  return value;
}
