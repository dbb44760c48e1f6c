// client: the caller's side of a task hub: starts, asks, lists.
//
// Owns:    what a start says: ids, version, tags, input.
// Is told: a Backend, never which; the clock and the source of ids.
// Tells:   the Backend, one operation for each method.
// Always:  L1 nothing is sent that cannot be stored: ids, names, tags and payloads are checked here first.
//          L2 a start that resolved is durable.

import type { PurgeResult, StartRequest } from "../contract/backend.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { checkInstanceId, checkName } from "../contract/ids.ts";
import { isTerminal, type InstanceStatus, type Tags, type TerminalStatus } from "../contract/instance.ts";
import { durationMs, type Duration } from "../contract/instant.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import type { InstanceFilter, PageRequest } from "../contract/queries.ts";
import { given } from "../contract/recorded-as.ts";
import { INSTANCE_STATUSES, refusesItself } from "../contract/reuse.ts";
import { checkOrchestratorName, type OrchestratorRef } from "../authoring/define.ts";
import { checkedTags } from "../authoring/tags.ts";
import { createEntityClient, type EntityClient } from "./entity-handle.ts";
import { pagedListingOf, type PagedListing } from "./listing.ts";
import { handleOf, type HandleWorld, type OrchestrationHandle, type PurgeOptions } from "./orchestration-handle.ts";
import { statusOf, type OrchestrationStatus, type PayloadShapes } from "./orchestration-status.ts";
import { checkedInstant, enter } from "./values.ts";

/** How an instance is started. */
export interface StartOptions {
  /** Its id, unique in the task hub; 32 hexadecimal digits are made up when absent. */
  readonly instanceId?: string;
  /** Its version: this one, else the definition's, else the hub's `defaultVersion`. `""` is none at all. */
  readonly version?: string;
  readonly tags?: Tags;
  /** Not before this. */
  readonly startAt?: Date;
  /**
   * The statuses of an instance under the same id that refuse the start; all of them by default. One that has any other status gives way: a
   * finished one is replaced with its history, one that runs is terminated first (its children go on). `[]` refuses nothing.
   */
  readonly dedupeStatuses?: readonly InstanceStatus[];
}

/** What is left to give after the orchestrator: its input where it has one, and options. */
export type StartArgs<I> = undefined extends I ? [input?: I, options?: StartOptions] : [input: I, options?: StartOptions];

/** Which instances are listed. All that is given must hold. */
export interface InstanceQuery {
  readonly name?: string;
  /** This status, or any of these. */
  readonly status?: InstanceStatus | readonly InstanceStatus[];
  readonly idPrefix?: string;
  /** Created at or after. */
  readonly createdFrom?: Date;
  /** Created before. */
  readonly createdTo?: Date;
  /** Completed at or after. */
  readonly completedFrom?: Date;
  /** Completed before. */
  readonly completedTo?: Date;
  /** Children of this instance. */
  readonly parentInstanceId?: string;
  /** Each of these tags with this value. */
  readonly tags?: Tags;
  /** Only those that have work to do that nobody can run; `false`: only the others. */
  readonly stalled?: boolean;
}

/** Which ids of finished instances are listed. All that is given must hold. */
export interface FinishedQuery {
  /** This status, or any of these; all that end an instance by default. */
  readonly status?: TerminalStatus | readonly TerminalStatus[];
  /** Completed at or after. */
  readonly completedFrom?: Date;
  /** Completed before. */
  readonly completedTo?: Date;
}

/** How many instances are purged, and for how long. */
export interface PurgeManyOptions extends PurgeOptions {
  /** After so long it stops; what is left is still there. */
  readonly timeout?: Duration;
}

/** The caller's side of a task hub. */
export interface Client extends EntityClient {
  /**
   * Starts an instance. It is durable when this resolves; it runs when a worker serves its name.
   *
   * @throws ValidationError, PayloadError, InvalidArgumentError for what cannot be stored; InstanceExistsError when the id is taken by an
   * instance whose status refuses the start (see `dedupeStatuses`).
   * @example
   * const instance = await hub.start(purchaseOrder, new Order("laptop", 2000, 1), { instanceId: "po-17", tags: { team: "it" } });
   */
  start<I, O>(orchestrator: OrchestratorRef<I, O>, ...args: StartArgs<I>): Promise<OrchestrationHandle<O>>;
  start<I = unknown, O = unknown>(name: string, input?: I, options?: StartOptions): Promise<OrchestrationHandle<O>>;
  /**
   * The handle of an instance. Asks nobody: the instance need not exist.
   *
   * @example
   * const output = await hub.instance(purchaseOrder, "po-17").result();
   */
  instance(id: string): OrchestrationHandle;
  instance<I, O>(orchestrator: OrchestratorRef<I, O>, id: string): OrchestrationHandle<O>;
  /**
   * Lists instances in order of creation.
   *
   * @example
   * for await (const status of hub.query({ status: "FAILED" })) console.log(status.id, status.failure?.message);
   */
  query(query?: InstanceQuery): PagedListing<OrchestrationStatus>;
  /**
   * Removes finished instances with their histories: those of a query, or those of these ids. What has not ended is left alone. Ask again when
   * `isComplete` is false, or when the call was cut off.
   *
   * @example
   * const { deletedCount } = await hub.purge({ status: "COMPLETED", completedTo: new Date("2026-01-01") }, { recursive: true });
   * await hub.purge(["po-17", "po-18"]);
   */
  purge(target: InstanceQuery | readonly string[], options?: PurgeManyOptions): Promise<PurgeResult>;
  /**
   * The ids of finished instances, by the time of their completion, then by id.
   *
   * @example
   * for await (const id of hub.listInstanceIds({ status: "FAILED" })) await hub.instance(id).rewind("the bank is back");
   */
  listInstanceIds(query?: FinishedQuery): PagedListing<string>;
}

/** What a client works with. */
export interface ClientWorld extends HandleWorld {
  /** The version of instances that are started without one. */
  readonly defaultVersion?: string | undefined;
}

const START: OptionNames<StartOptions> = { instanceId: true, version: true, tags: true, startAt: true, dedupeStatuses: true };
const PURGE: OptionNames<PurgeManyOptions> = { recursive: true, timeout: true };
const FINISHED: OptionNames<FinishedQuery> = { status: true, completedFrom: true, completedTo: true };
const QUERY: OptionNames<InstanceQuery> = {
  name: true,
  status: true,
  idPrefix: true,
  createdFrom: true,
  createdTo: true,
  completedFrom: true,
  completedTo: true,
  parentInstanceId: true,
  tags: true,
  stalled: true,
};
const TERMINAL_STATUSES = INSTANCE_STATUSES.filter(isTerminal);

/** A client of a task hub. */
export function createClient(world: ClientWorld): Client {
  return {
    async start(
      target: OrchestratorRef<unknown, unknown> | string,
      input?: unknown,
      options: StartOptions = {},
    ): Promise<OrchestrationHandle<never>> {
      const request = await startRequest(world, target, input, options);
      await world.backend().start(request);
      return handleOf<never>(world, request.instanceId, typeof target === "string" ? {} : target);
    },
    instance(first: OrchestratorRef<unknown, unknown> | string, second?: string): OrchestrationHandle<never> {
      const id = typeof first === "string" ? first : (second ?? "");
      checkInstanceId(id);
      return handleOf<never>(world, id, typeof first === "string" ? {} : first);
    },
    query: (query = {}) => listInstances(world, filterOf(query)),
    async purge(target, options = {}) {
      checkOptions(options, PURGE, "hub.purge");
      if (target === undefined) throw new InvalidArgumentError("hub.purge needs to be told which: a query, or a list of ids.");
      const timeoutMs = options.timeout === undefined ? undefined : durationMs(options.timeout, "timeout");
      return world.backend().purgeMany({
        target: isIds(target) ? { ids: target } : { filter: filterOf(target) },
        recursive: options.recursive ?? false,
        ...given({ timeoutMs }),
      });
    },
    listInstanceIds: (query = {}) => listIds(world, query),
    ...createEntityClient(world),
  };
}

async function startRequest(
  world: ClientWorld,
  target: (OrchestratorRef<unknown, unknown> & PayloadShapes) | string,
  input: unknown,
  options: StartOptions,
): Promise<StartRequest> {
  checkTarget(target);
  checkOptions(options, START, "hub.start");
  const definition = typeof target === "string" ? undefined : target;
  const name = typeof target === "string" ? target : target.name;
  checkOrchestratorName(name);
  const instanceId = options.instanceId ?? world.random.id();
  checkInstanceId(instanceId);
  // An empty version is a way to say "none", also where the definition or the hub has one.
  const version = (options.version ?? definition?.version ?? world.defaultVersion) || undefined;
  if (version !== undefined) checkName(version, "version");
  const text = await enter(world, definition?.input, input, `input of orchestrator '${name}'`);
  return {
    instanceId,
    executionId: world.random.id(),
    name,
    ...given({
      version,
      input: text,
      tags: checkedTags(options.tags),
      startAt: options.startAt && checkedInstant(options.startAt, "startAt"),
      validated: definition?.input === undefined ? undefined : true,
      dedupeStatuses: options.dedupeStatuses && checkedDedupe(options.dedupeStatuses),
    }),
  };
}

/** A definition that a circle of imports has not made yet is `undefined`; an activity would wait for an orchestrator of its name for ever. */
function checkTarget(target: OrchestratorRef<unknown, unknown> | string): void {
  if (typeof target === "string") return;
  if (target?.kind === "orchestrator" || target?.kind === "orchestrator-contract") return;
  throw new InvalidArgumentError(
    `hub.start takes what orchestrator(name, ...) gives, or a name; got ${(target as { kind?: string } | undefined)?.kind ?? typeof target}.`,
  );
}

function isIds(target: InstanceQuery | readonly string[]): target is readonly string[] {
  return Array.isArray(target);
}

function listIds(world: ClientWorld, query: FinishedQuery): PagedListing<string> {
  checkOptions(query, FINISHED, "hub.listInstanceIds");
  const { status, completedFrom, completedTo } = query;
  const request = given({
    statuses: checkedStatuses(status, TERMINAL_STATUSES),
    completedFrom: completedFrom && checkedInstant(completedFrom, "completedFrom"),
    completedTo: completedTo && checkedInstant(completedTo, "completedTo"),
  });
  return pagedListingOf(async function* ({ size, cursor: first }: PageRequest = {}) {
    let cursor = first;
    do {
      const page = await world.backend().listIds(request, given({ size, cursor }));
      cursor = page.next;
      yield { items: page.items, next: cursor };
    } while (cursor !== undefined);
  });
}

function listInstances(world: ClientWorld, filter: InstanceFilter): PagedListing<OrchestrationStatus> {
  return pagedListingOf(async function* (request: PageRequest = {}) {
    let cursor = request.cursor;
    do {
      const page = await world.backend().query(filter, { ...given({ size: request.size, cursor }) });
      cursor = page.next;
      yield { items: page.items.map((stored) => statusOf(stored, world.converter, {})), next: cursor };
    } while (cursor !== undefined);
  });
}

/** A query as the backend understands it. */
export function filterOf(query: InstanceQuery): InstanceFilter {
  checkOptions(query, QUERY, "A query");
  return given({
    kind: "orchestration" as const,
    name: query.name,
    status: checkedStatuses(query.status, INSTANCE_STATUSES),
    idPrefix: query.idPrefix,
    createdFrom: query.createdFrom && checkedInstant(query.createdFrom, "createdFrom"),
    createdTo: query.createdTo && checkedInstant(query.createdTo, "createdTo"),
    completedFrom: query.completedFrom && checkedInstant(query.completedFrom, "completedFrom"),
    completedTo: query.completedTo && checkedInstant(query.completedTo, "completedTo"),
    parent: query.parentInstanceId,
    tags: query.tags,
    stalled: query.stalled,
  });
}

function checkedStatuses<S extends InstanceStatus>(given: S | readonly S[] | undefined, all: readonly S[]): readonly S[] | undefined {
  if (given === undefined) return undefined;
  const statuses = typeof given === "string" ? [given] : given;
  for (const status of statuses) checkWord(status, all, "status");
  return statuses;
}

function checkedDedupe(statuses: readonly InstanceStatus[]): readonly InstanceStatus[] {
  for (const status of statuses) {
    if (!INSTANCE_STATUSES.includes(status))
      throw new InvalidArgumentError(`dedupeStatuses has ${JSON.stringify(status)}; there are: ${INSTANCE_STATUSES.join(", ")}.`);
  }
  if (refusesItself(statuses)) {
    throw new InvalidArgumentError(
      "dedupeStatuses has TERMINATED, and not all of PENDING, RUNNING and SUSPENDED: an instance that runs would be terminated to be replaced, and then refuse it. Leave out TERMINATED, or name those as well.",
    );
  }
  return [...statuses];
}
