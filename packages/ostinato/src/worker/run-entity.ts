// run-entity: a batch of an entity's operations becomes an outcome, by way of the user's code.
//
// Owns:    the state while a batch runs; how inputs come in and how results go out; what an operation leaves that fails.
// Is told: work items, by the worker; definitions, by the registry.
// Tells:   exactly one outcome for each item.
// Always:  RE1 an operation is all or nothing: one that throws leaves the state, nested objects included, as it was before, and sends nothing (E3).
//          RE2 operations run one after the other, each when the one before has ended.
//          RE3 a worker that has to stop tells the operations that are done; the others are offered again.
//          RE4 a state that nobody has looked at is not written, and one of a primitive type costs no copy.
//          RE5 of a signal that fails nobody hears but the log.

import { findOperation } from "../authoring/entity-proxy.ts";
import { readEntityState, writeEntityState } from "../authoring/entity-state.ts";
import type { EntityDefinition, EntityOperation } from "../authoring/entity.ts";
import { refuseTooLarge } from "../authoring/payload-size.ts";
import { decodeWith, encodeWith, validate } from "../authoring/schema.ts";
import { isThenable } from "../authoring/thenable.ts";
import type { EntityOperationEvent } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import { partsOfEntityId } from "../contract/ids.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import type { EntityAction, EntityOperationResult, EntityOutcome, EntityWorkItem, WorkToken } from "../contract/work-items.ts";
import type { Clock } from "../platform/clock.ts";
import { RunningOperation, type FoundState, type OperationWorld } from "./entity-operation.ts";
import { failureOf } from "./failure-of.ts";

/** What entities need of the worker. */
export interface EntityWorld extends OperationWorld {
  /** By its name in lower case. */
  readonly find: (name: string) => EntityDefinition | undefined;
  readonly clock: Pick<Clock, "now">;
  /** Takes the outcome. */
  readonly tell: (outcome: EntityOutcome) => void;
  /** Runs a body in surroundings of somebody else's: a tracer's. */
  readonly within?: <T>(token: WorkToken, body: () => T) => T;
}

/** Runs entities. */
export interface EntityRunner {
  run(item: EntityWorkItem): void;
  /** Tells of every batch what is done of it; what still runs ends by itself, and counts no more. */
  abandonAll(): void;
  readonly running: number;
}

/** How long an entity that this worker does not have is left to others. */
const UNKNOWN_DELAY_MS = 1_000;

/** Makes a runner of entities. */
export function createEntityRunner(world: EntityWorld): EntityRunner {
  const running = new Set<BatchRun>();
  return {
    run(item) {
      const parts = partsOfEntityId(item.entityId);
      const definition = parts === undefined ? undefined : world.find(parts.name);
      if (parts === undefined || definition === undefined) {
        world.log.warn(`an entity was handed to a worker that does not have it`, { entityId: item.entityId });
        world.tell({ kind: "abandoned", token: item.token, delayMs: UNKNOWN_DELAY_MS, reason: `No entity '${item.entityId}' here.` });
        return;
      }
      const run = new BatchRun(world, definition, item, parts, (outcome) => {
        running.delete(run);
        world.tell(outcome);
      });
      running.add(run);
      void run.begin();
    },
    abandonAll() {
      for (const run of [...running]) run.abandon();
    },
    get running() {
      return running.size;
    },
  };
}

/** One batch of one entity. */
class BatchRun {
  readonly #world: EntityWorld;
  readonly #definition: EntityDefinition;
  readonly #item: EntityWorkItem;
  readonly #parts: { readonly name: string; readonly key: string };
  readonly #tell: (outcome: EntityOutcome) => void;
  readonly #results: EntityOperationResult[] = [];
  readonly #actions: EntityAction[] = [];
  readonly #state: BatchState;
  #told = false;

  constructor(
    world: EntityWorld,
    definition: EntityDefinition,
    item: EntityWorkItem,
    parts: { readonly name: string; readonly key: string },
    tell: (outcome: EntityOutcome) => void,
  ) {
    this.#world = world;
    this.#definition = definition;
    this.#item = item;
    this.#parts = parts;
    this.#tell = tell;
    this.#state = new BatchState(definition, world, item);
  }

  async begin(): Promise<void> {
    const began = this.#item.at ?? this.#world.clock.now();
    for (const event of this.#item.operations) {
      const done = this.#perform(event, began);
      // Most operations are plain functions: they take no turn of the event loop.
      const { result, running, keep } = done instanceof Promise ? await done : done;
      if (this.#told) return;
      // In one step: whoever stops the worker finds the operation done with all that belongs to it, or not done (RE3).
      keep?.();
      if (keep !== undefined) this.#actions.push(...(running?.actions ?? []));
      this.#results.push(result);
      if (result.kind === "failed" && event.kind === "EntityOperationSignaled") this.#tellOfSignal(event, result.failure);
    }
    this.#close();
  }

  abandon(): void {
    if (this.#told) return;
    if (this.#results.length > 0) return this.#close();
    this.#told = true;
    this.#tell({ kind: "abandoned", token: this.#item.token, delayMs: 0, reason: "The worker is stopping." });
  }

  #close(): void {
    this.#told = true;
    this.#tell({
      kind: "batch",
      token: this.#item.token,
      results: this.#results,
      actions: this.#actions,
      ...given({ state: this.#state.text }),
    });
  }

  #perform(event: EntityOperationEvent, began: Instant): Performed | Promise<Performed> {
    const operation = findOperation(this.#definition.operations, event.operation);
    if (operation === undefined) return { result: { kind: "failed", failure: this.#noSuchOperation(event.operation) } };
    if (this.#state.isSimple && operation.input === undefined && operation.output === undefined)
      return this.#performNow(operation, event, began);
    return this.#performLater(operation, event, began);
  }

  /** Without a promise, as long as nothing gives one. */
  #performNow(operation: EntityOperation, event: EntityOperationEvent, began: Instant): Performed | Promise<Performed> {
    const running = this.#begin(operation, event, began, this.#state.found());
    try {
      const input = decodeWith(this.#world.converter, undefined, event.input, inputOf(event));
      const returned = this.#enter(operation, running, input);
      if (isThenable(returned)) return this.#finish(operation, event, running, returned);
      running.end();
      const result = this.#result(operation, returned);
      const kept = this.#state.keep(running);
      if (kept instanceof Promise)
        return kept.then(
          (keep) => succeeded(running, result, keep),
          (error: unknown) => this.#failed(running, error),
        );
      return succeeded(running, result, kept);
    } catch (error) {
      return this.#failed(running, error);
    }
  }

  async #performLater(operation: EntityOperation, event: EntityOperationEvent, began: Instant): Promise<Performed> {
    const running = this.#begin(operation, event, began, await this.#state.read());
    try {
      let input = decodeWith(this.#world.converter, operation.input, event.input, inputOf(event));
      if (operation.input !== undefined) input = await validate(operation.input, input, inputOf(event));
      return await this.#finish(operation, event, running, this.#enter(operation, running, input));
    } catch (error) {
      return this.#failed(running, error);
    }
  }

  async #finish(operation: EntityOperation, event: EntityOperationEvent, running: RunningOperation, returned: unknown): Promise<Performed> {
    try {
      const value = await returned;
      running.end();
      const accepted: unknown = await validate(operation.output, value, resultOf(event));
      const result = this.#result(operation, accepted);
      return succeeded(running, result, await this.#state.keep(running));
    } catch (error) {
      return this.#failed(running, error);
    }
  }

  #begin(operation: EntityOperation, event: EntityOperationEvent, began: Instant, found: FoundState): RunningOperation {
    const { entityId: id } = this.#item;
    const at = Math.max(began, event.scheduledAt ?? 0);
    return new RunningOperation(
      this.#world,
      { id, ...this.#parts, operation: event.operation, at, ...given({ traceContext: event.traceContext }) },
      found,
    );
  }

  #enter(operation: EntityOperation, running: RunningOperation, input: unknown): unknown {
    const { within } = this.#world;
    return within === undefined ? operation.run(running, input) : within(this.#item.token, () => operation.run(running, input));
  }

  #result(operation: EntityOperation, value: unknown): string | undefined {
    if (value === undefined) return undefined;
    const what = `result of operation '${operation.name}' of ${this.#item.entityId}`;
    const text = encodeWith(this.#world.converter, operation.output, value, what);
    refuseTooLarge(text, this.#world.payloadBytes, what);
    return text;
  }

  #failed(running: RunningOperation, error: unknown): Performed {
    running.end();
    this.#state.restore();
    return { result: { kind: "failed", failure: failureOf(error, `operation '${running.operation}'`) } };
  }

  #noSuchOperation(name: string): Failure {
    const known = [...this.#definition.operations.keys()].map((each) => `'${each}'`).join(", ");
    return {
      errorType: "EntityOperationNotFound",
      message: `The entity '${this.#definition.name}' has no operation '${name}'. It has ${known}.`,
      nonRetriable: true,
    };
  }

  #tellOfSignal({ operation }: EntityOperationEvent, failure: Failure): void {
    const { entityId } = this.#item;
    this.#world.log.error(`a signalled operation failed: ${failure.message}`, { entityId, operation, errorType: failure.errorType });
  }
}

/** What an operation came to, before it counts. `keep`: what makes the state that it left the state. */
interface Performed {
  readonly result: EntityOperationResult;
  readonly running?: RunningOperation;
  readonly keep?: () => void;
}

function succeeded(running: RunningOperation, result: string | undefined, keep: () => void): Performed {
  return { result: result === undefined ? { kind: "succeeded" } : { kind: "succeeded", result }, running, keep };
}

const KEEP_NOTHING = (): void => undefined;

/** The state of one entity during a batch: what the last operation that succeeded left. */
class BatchState {
  readonly #definition: EntityDefinition;
  readonly #world: EntityWorld;
  readonly #id: string;
  /** What is stored; absent: nothing. */
  text: string | undefined;
  /** What operations see: made of the text when it is needed. */
  #value: unknown;
  #isRead = false;
  #unreadable: Error | undefined;
  /** The text of what the entity begins with, where it has no state and that could be changed in place. */
  #initialText: string | undefined;

  constructor(definition: EntityDefinition, world: EntityWorld, { entityId, state }: EntityWorkItem) {
    this.#definition = definition;
    this.#world = world;
    this.#id = entityId;
    this.text = state;
  }

  /** It can be read without waiting for anybody's promise. */
  get isSimple(): boolean {
    return this.#isRead || this.#definition.state === undefined;
  }

  /** The state for the next operation. A schema may answer with a promise. */
  async read(): Promise<FoundState> {
    if (!this.#isRead) {
      try {
        this.#take(await readEntityState(this.#definition, this.#world.converter, this.text, this.#id));
        if (this.text === undefined && isObject(this.#value)) this.#initialText = await this.#write(this.#value);
      } catch (error) {
        this.#cannotRead(error);
      }
    }
    return this.found();
  }

  /** The state for the next operation, read when it asks. */
  found(): FoundState {
    return {
      exists: this.text !== undefined,
      read: () => {
        if (!this.#isRead) this.#readNow();
        if (this.#unreadable !== undefined) throw this.#unreadable;
        return this.#value;
      },
      initial: () => this.#definition.initial(),
    };
  }

  /** Checks what an operation left, and gives what makes it the state. */
  keep(running: RunningOperation): (() => void) | Promise<() => void> {
    if (running.state === "untouched") return KEEP_NOTHING;
    if (running.state === "cleared") {
      return () => {
        this.text = undefined;
        this.restore();
      };
    }
    const value: unknown = running.value;
    const isSet = running.state === "set";
    if (!isSet && !isObject(value)) return KEEP_NOTHING;
    const written = this.#write(value);
    return written instanceof Promise ? written.then((text) => this.#keeping(value, text, isSet)) : this.#keeping(value, written, isSet);
  }

  #keeping(value: unknown, text: string | undefined, isSet: boolean): () => void {
    refuseTooLarge(text, this.#world.payloadBytes, `state of entity '${this.#id}'`);
    // Looking at what the entity begins with makes no state of it.
    if (!isSet && this.text === undefined && text === this.#initialText) return KEEP_NOTHING;
    return () => {
      this.text = text;
      // An object is read anew by the next operation: as a schema made it, and out of the hands of whoever was given it before.
      if (isObject(value)) this.#isRead = false;
      else this.#take(value);
    };
  }

  /** Whatever an operation has done to the value: the next one gets it anew. */
  restore(): void {
    if (this.#isRead && this.#unreadable === undefined && !isObject(this.#value) && this.text !== undefined) return;
    this.#isRead = false;
    this.#unreadable = undefined;
    this.#value = undefined;
  }

  #readNow(): void {
    try {
      this.#take(readEntityState(this.#definition, this.#world.converter, this.text, this.#id));
      if (this.text === undefined && isObject(this.#value)) {
        const text = this.#write(this.#value);
        this.#initialText = text instanceof Promise ? undefined : text;
      }
    } catch (error) {
      this.#cannotRead(error);
    }
  }

  #write(value: unknown): string | undefined | Promise<string | undefined> {
    return writeEntityState(this.#definition, this.#world.converter, value, this.#id);
  }

  #take(value: unknown): void {
    this.#value = value;
    this.#isRead = true;
    this.#unreadable = undefined;
  }

  #cannotRead(error: unknown): void {
    this.#isRead = true;
    this.#unreadable = error instanceof Error ? error : new Error(`The state could not be read: ${failureOf(error, "reading it").message}`);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function inputOf({ entityId, operation }: EntityOperationEvent): string {
  return `input of operation '${operation}' of ${entityId}`;
}

function resultOf({ entityId, operation }: EntityOperationEvent): string {
  return `result of operation '${operation}' of ${entityId}`;
}
