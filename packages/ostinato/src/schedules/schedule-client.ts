// schedule-client: the caller's side of schedules.
//
// Owns:    how a schedule is asked for something: through an orchestrator, whose end tells what came of it.
// Is told: a task hub.
// Tells:   the schedule, as it has become; what was wrong, under the names of errors.
// Always:  CL1 what resolved has been done and is durable.
//          CL2 what the Python SDK's operations have words for is asked in its words, so that its workers can serve it, too.

import type { OrchestratorRef } from "../authoring/define.ts";
import { pagedListingOf, type PagedListing } from "../client/listing.ts";
import type { Client } from "../client/client.ts";
import type { OrchestrationHandle } from "../client/orchestration-handle.ts";
import {
  InvalidArgumentError,
  InvalidStateError,
  OrchestrationFailedError,
  ResultTimeoutError,
  ScheduleNotFoundError,
  UnsupportedError,
} from "../contract/errors.ts";
import type { Duration } from "../contract/instant.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import { descriptionOf, type ScheduleDescription, type ScheduleStatus } from "./schedule-description.ts";
import { schedule } from "./schedule-entity.ts";
import { executeScheduleOperation, scheduleEntityId } from "./schedule-operations.ts";
import { requestOf, type ScheduleChanges, type ScheduleOptions } from "./schedule-options.ts";
import { checkScheduleId, configurationFrom, saysMore } from "./schedule-requests.ts";
import { scheduleOf } from "./schedule-state.ts";

/** What of a task hub schedules need. */
export type ScheduleHub = Pick<Client, "start" | "instance" | "entity" | "entities">;

/** How schedules are asked. */
export interface ScheduleClientOptions {
  /** How long an answer is waited for; a minute by default. */
  readonly timeout?: Duration;
}

/** Which schedules are listed. All that is given must hold. */
export interface ScheduleQuery {
  readonly idPrefix?: string;
  readonly status?: ScheduleStatus;
  /** Created after this. */
  readonly createdFrom?: Date;
  /** Created before this. */
  readonly createdTo?: Date;
}

/**
 * One schedule. It need not exist.
 *
 * @example
 * const nightly = schedules(hub).get("nightly");
 * await nightly.pause();
 */
export interface ScheduleHandle<I = unknown, O = unknown> {
  readonly id: string;
  /**
   * What is known of it now; `undefined` when there is no such schedule.
   *
   * @example
   * const next = (await nightly.describe())?.nextRunAt;
   */
  describe(): Promise<ScheduleDescription | undefined>;
  /**
   * Changes it. What is not named stays as it is. A tick that is pending is run by what the schedule is then; other times (interval, cron, start,
   * end, jitter) replace it.
   *
   * @throws ScheduleNotFoundError; InvalidArgumentError for what no schedule can be.
   * @example
   * await nightly.update({ cron: "30 3 * * *", endAt: null });
   */
  update(changes: ScheduleChanges<I>): Promise<void>;
  /**
   * No tick is run until it is resumed; runs that are under way go on. Ticks of that time are not made up for.
   *
   * @throws ScheduleNotFoundError; InvalidStateError when it is paused already.
   * @example
   * await nightly.pause();
   */
  pause(): Promise<void>;
  /**
   * Goes on with the next tick from now.
   *
   * @throws ScheduleNotFoundError; InvalidStateError when it is not paused.
   * @example
   * await nightly.resume();
   */
  resume(): Promise<void>;
  /**
   * Takes it away, if it is there. Runs that are under way go on.
   *
   * @example
   * await nightly.delete();
   */
  delete(): Promise<void>;
  /**
   * Runs it once more, now, also while it is paused. The overlap policy does not count for this run, nor this run for it.
   *
   * @throws ScheduleNotFoundError.
   * @example
   * const run = await nightly.trigger();
   * console.log(await run.result());
   */
  trigger(): Promise<OrchestrationHandle<O>>;
}

/**
 * The schedules of a task hub.
 *
 * @example
 * const nightly = await schedules(hub).create("nightly", { orchestrator: report, cron: "0 3 * * *", timeZone: "Europe/Berlin" });
 * for await (const each of schedules(hub).list({ status: "Paused" })) console.log(each.id);
 */
export interface ScheduleClient {
  /**
   * Creates a schedule. When there is one with this id, it becomes what is asked for now: a program may create its schedules each time it starts.
   * A pending tick stays unless the times are others, and a paused one stays paused.
   *
   * @throws InvalidArgumentError for what no schedule can be; ValidationError for an input that the orchestrator's schema refuses;
   * UnsupportedError when the worker has no package for cron; ResultTimeoutError when no worker answers.
   * @example
   * await schedules(hub).create("hourly", { orchestrator: report, input: { region: "EU" }, interval: "1h", jitter: "5m" });
   */
  create<I, O>(
    id: string,
    options: ScheduleOptions<I, O> & { readonly orchestrator: OrchestratorRef<I, O> },
  ): Promise<ScheduleHandle<I, O>>;
  create(id: string, options: ScheduleOptions & { readonly orchestrator: string }): Promise<ScheduleHandle>;
  /**
   * The handle of a schedule. Asks nobody: the schedule need not exist.
   *
   * @example
   * await schedules(hub).get(report, "nightly").update({ input: { region: "US" } });
   */
  get(id: string): ScheduleHandle;
  get<I, O>(orchestrator: OrchestratorRef<I, O>, id: string): ScheduleHandle<I, O>;
  /**
   * Lists schedules in the order in which they came to be.
   *
   * @example
   * for await (const { id, nextRunAt } of schedules(hub).list({ idPrefix: "report-" })) console.log(id, nextRunAt);
   */
  list(query?: ScheduleQuery): PagedListing<ScheduleDescription>;
}

const OPTIONS: OptionNames<ScheduleClientOptions> = { timeout: true };
const QUERY: OptionNames<ScheduleQuery> = { idPrefix: true, status: true, createdFrom: true, createdTo: true };
const STATUSES: readonly ScheduleStatus[] = ["Active", "Paused"];

/**
 * The schedules of a task hub. A worker has to serve them: `hub.startWorker(withSchedules({ ... }))`.
 *
 * @example
 * const nightly = await schedules(hub).create("nightly", { orchestrator: report, cron: "0 3 * * *", timeZone: "Europe/Berlin" });
 */
export function schedules(hub: ScheduleHub, options: ScheduleClientOptions = {}): ScheduleClient {
  checkOptions(options, OPTIONS, "schedules");
  const { timeout = "1m" } = options;
  const ask = (id: string, operation: string, input?: unknown): Promise<unknown> => askSchedule(hub, timeout, id, operation, input);
  return {
    async create(id: string, given: ScheduleOptions): Promise<ScheduleHandle<never, never>> {
      checkScheduleId(id);
      const request = { ...(await requestOf(given, `schedule '${id}'`)), schedule_id: id };
      configurationFrom(id, request); // refuses here what a worker would refuse
      await ask(id, saysMore(request) ? "put_schedule" : "create_schedule", request);
      return handleOf(hub, ask, id, typeof given.orchestrator === "string" ? undefined : given.orchestrator);
    },
    get(first: OrchestratorRef<unknown, unknown> | string, second?: string): ScheduleHandle<never, never> {
      const id = typeof first === "string" ? first : (second ?? "");
      checkScheduleId(id);
      return handleOf(hub, ask, id, typeof first === "string" ? undefined : first);
    },
    list: (query = {}) => listSchedules(hub, query),
  };
}

type Ask = (id: string, operation: string, input?: unknown) => Promise<unknown>;

function handleOf(hub: ScheduleHub, ask: Ask, id: string, orchestrator: OrchestratorRef | undefined): ScheduleHandle<never, never> {
  const stateNow = async (): Promise<ReturnType<typeof scheduleOf>> => scheduleOf(await hub.entity(schedule, id).state());
  return Object.freeze({
    id,
    async describe() {
      const state = await stateNow();
      return state === undefined ? undefined : descriptionOf(state);
    },
    async update(changes: ScheduleChanges) {
      const request = await requestOf(changes, `update of schedule '${id}'`, orchestrator);
      // A schedule by cron is changed by our own operation alone.
      const rhythm = (await stateNow())?.configuration.rhythm;
      await ask(id, saysMore(request) || rhythm?.kind === "cron" ? "change_schedule" : "update_schedule", request);
    },
    pause: async () => void (await ask(id, "pause_schedule")),
    resume: async () => void (await ask(id, "resume_schedule")),
    delete: async () => void (await ask(id, "delete")),
    async trigger() {
      const run = String(await ask(id, "trigger_schedule", {}));
      return (orchestrator === undefined ? hub.instance(run) : hub.instance(orchestrator, run)) as OrchestrationHandle<never>;
    },
  });
}

async function askSchedule(hub: ScheduleHub, timeout: Duration, id: string, operation: string, input: unknown): Promise<unknown> {
  const instance = await hub.start(executeScheduleOperation, {
    entity_id: scheduleEntityId(id),
    operation_name: operation,
    ...(input === undefined ? {} : { input }),
  });
  try {
    return await instance.result({ timeout });
  } catch (error) {
    if (error instanceof OrchestrationFailedError) throw refusalOf(error);
    if (error instanceof ResultTimeoutError)
      throw new ResultTimeoutError(
        `Nobody has answered '${operation}' of the schedule '${id}' (instance '${instance.id}'). It is done when a worker comes that serves schedules: startWorker(withSchedules({ ... })).`,
        { cause: error },
      );
    throw error;
  }
}

const REFUSALS: Readonly<Record<string, new (message: string, options?: ErrorOptions) => Error>> = {
  InvalidArgumentError,
  InvalidStateError,
  ScheduleNotFoundError,
  UnsupportedError,
};

/** What the operation threw, as itself: the innermost of the failures that has a name of ours. */
function refusalOf(error: OrchestrationFailedError): Error {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const Refusal = Object.hasOwn(REFUSALS, cause.name) ? REFUSALS[cause.name] : undefined;
    if (Refusal !== undefined) return new Refusal(cause.message, { cause: error });
  }
  return error;
}

function listSchedules(hub: ScheduleHub, query: ScheduleQuery): PagedListing<ScheduleDescription> {
  checkOptions(query, QUERY, "A query of schedules");
  checkWord(query.status, STATUSES, "status");
  const { idPrefix: keyPrefix, status, createdFrom, createdTo } = query;
  return pagedListingOf(async function* (request) {
    for await (const page of hub.entities(given({ entity: schedule, keyPrefix })).pages(request)) {
      const items = page.items.flatMap(({ state }) => {
        const known = scheduleOf(state);
        return known === undefined ? [] : descriptionOf(known);
      });
      const wanted = items.filter(
        (each) =>
          (status === undefined || each.status === status) &&
          (createdFrom === undefined || (each.createdAt !== undefined && each.createdAt > createdFrom)) &&
          (createdTo === undefined || (each.createdAt !== undefined && each.createdAt < createdTo)),
      );
      yield { items: wanted, next: page.next };
    }
  });
}
