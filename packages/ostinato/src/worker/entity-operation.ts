// entity-operation: one operation of an entity while it runs: the context that its body is given, and what it asked for.
//
// Owns:    what each word of EntityContext does.
// Is told: the state as it stands, the operation, the worker's world.
// Tells:   what the state is afterwards, and what is to be sent when the operation has succeeded.
// Always:  EP1 nothing goes out of here: what an operation asks for is a list, which is thrown away when it fails (E3).
//          EP2 what can never work is refused at the author's call.

import type { ProgramLogger } from "../authoring/activity-context.ts";
import type { OrchestratorRef } from "../authoring/define.ts";
import type { EntityContext, EntitySignaller, EntityStartOptions } from "../authoring/entity-context.ts";
import { entityTarget, operationFunctions, signalTime, type EntitySignals } from "../authoring/entity-proxy.ts";
import { refuseTooLarge } from "../authoring/payload-size.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import { encodeWith, type Schema } from "../authoring/schema.ts";
import { checkedTags } from "../authoring/tags.ts";
import { InvalidArgumentError, InvalidStateError } from "../contract/errors.ts";
import { checkInstanceId, checkName, type EntityId } from "../contract/ids.ts";
import { pointInTime, type Instant } from "../contract/instant.ts";
import { checkOptions, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { EntityAction } from "../contract/work-items.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { programLogger } from "./program-logger.ts";

/** What operations need of the worker. */
export interface OperationWorld {
  readonly converter: PayloadConverter;
  readonly payloadBytes: number;
  readonly random: Random;
  readonly log: Logger;
  /** What orchestrations get that are started without a version. */
  readonly defaultVersion?: string | undefined;
}

/** Which operation of which entity this is. */
export interface OperationFacts {
  readonly id: EntityId;
  readonly name: string;
  readonly key: string;
  readonly operation: string;
  /** The operation's time: not before that of a signal for later. */
  readonly at: Instant;
  readonly traceContext?: string;
}

/** The state that an operation finds. */
export interface FoundState {
  /** It has been stored. */
  readonly exists: boolean;
  /** The state, or what the entity begins with. Throws where the stored one cannot be read. */
  read(): unknown;
  /** What the entity begins with. */
  initial(): unknown;
}

const START: OptionNames<EntityStartOptions> = { instanceId: true, startAt: true, tags: true, version: true };

/** An operation that runs; also the context of its body. */
export class RunningOperation implements EntityContext {
  readonly #world: OperationWorld;
  readonly #facts: OperationFacts;
  readonly #found: FoundState;
  /** What it asked for, in order. */
  readonly actions: EntityAction[] = [];
  /** `untouched`: nobody has looked at the state. `read`: it may have been changed in place. `set`: it was given anew. `cleared`: there is none. */
  state: "untouched" | "read" | "set" | "cleared" = "untouched";
  #value: unknown;
  #over = false;

  constructor(world: OperationWorld, facts: OperationFacts, found: FoundState) {
    this.#world = world;
    this.#facts = facts;
    this.#found = found;
  }

  // ---- the state

  get value(): unknown {
    if (this.state === "cleared") return this.#found.initial();
    if (this.state === "untouched") {
      this.#value = this.#found.read();
      this.state = "read";
    }
    return this.#value;
  }

  set(next: unknown): unknown {
    this.#mayAsk("state.set()");
    if (next === undefined) throw new InvalidArgumentError("A state cannot be undefined; state.clear() takes it away.");
    this.#value = next;
    this.state = "set";
    return next;
  }

  clear(): void {
    this.#mayAsk("state.clear()");
    this.#value = undefined;
    this.state = "cleared";
  }

  get isNew(): boolean {
    if (this.state === "set") return false;
    return this.state === "cleared" || !this.#found.exists;
  }

  // ---- what is known

  get id(): string {
    return this.#facts.id;
  }

  get name(): string {
    return this.#facts.name;
  }

  get key(): string {
    return this.#facts.key;
  }

  get operation(): string {
    return this.#facts.operation;
  }

  get currentUtcDateTime(): Date {
    // tidy: allow Date because it stands for a time that was given
    return new Date(this.#facts.at);
  }

  get log(): ProgramLogger {
    return programLogger(this.#world.log, { entityId: this.id, operation: this.operation });
  }

  // ---- what may be asked for

  entity<Ops>(definition: unknown, key: string): EntitySignaller<Ops> {
    const target = entityTarget(definition, key);
    const signal = operationFunctions<EntitySignals<Ops, void>>(target, ({ name, input: schema }, value, options) => {
      const what = `signal '${name}' to ${target.id}`;
      this.#mayAsk(`the ${what}`);
      const input = this.#written(schema, value, `input of the ${what}`);
      const scheduledAt = signalTime(options, this.#facts.at, `the ${what}`);
      const { traceContext } = this.#facts;
      this.actions.push({ kind: "signalEntity", entityId: target.id, operation: name, ...given({ input, scheduledAt, traceContext }) });
    });
    return { id: target.id, signal };
  }

  startOrchestrator(orchestrator: OrchestratorRef | string, value?: unknown, options: EntityStartOptions = {}): string {
    const { name, version: own, input: schema } = targetOf(orchestrator);
    const what = `start of '${name}'`;
    this.#mayAsk(`the ${what}`);
    checkOptions(options, START, `the ${what}`);
    const { random, defaultVersion } = this.#world;
    const instanceId = options.instanceId ?? random.id();
    checkInstanceId(instanceId);
    const version = options.version ?? own ?? defaultVersion;
    const input = this.#written(schema, value, `input of the ${what}`);
    const { traceContext } = this.#facts;
    this.actions.push({
      kind: "startOrchestration",
      instanceId,
      executionId: random.id(),
      name,
      ...given({
        version: version === "" ? undefined : version,
        input,
        tags: checkedTags(options.tags),
        scheduledAt: options.startAt && pointInTime(options.startAt, this.#facts.at, `the ${what}`),
        traceContext,
      }),
    });
    return instanceId;
  }

  /** The body has ended: what it does from now on counts no more. */
  end(): void {
    this.#over = true;
  }

  #mayAsk(what: string): void {
    if (this.#over)
      throw new InvalidStateError(
        `The operation '${this.operation}' of ${this.id} has ended; ${what} came too late. Await what you start.`,
      );
  }

  #written(schema: Schema | undefined, value: unknown, what: string): string | undefined {
    const text = encodeWith(this.#world.converter, schema, value, what);
    refuseTooLarge(text, this.#world.payloadBytes, what);
    return text;
  }
}

function targetOf(orchestrator: unknown): { readonly name: string; readonly version?: string; readonly input?: Schema } {
  if (typeof orchestrator === "string") {
    checkName(orchestrator, "orchestrator name");
    return { name: orchestrator };
  }
  const { kind, name } = (orchestrator ?? {}) as { kind?: unknown; name?: unknown };
  if (kind === "orchestrator" || kind === "orchestrator-contract") return orchestrator as OrchestratorRef;
  throw new InvalidArgumentError(
    `The orchestrator to start must be given as its definition, its contract or its name${typeof name === "string" ? `; '${name}' is none` : ""}.`,
  );
}
