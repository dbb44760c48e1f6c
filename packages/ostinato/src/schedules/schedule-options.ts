// schedule-options: what is said of a schedule in a program, and the request that it is.
//
// Owns:    the options of create and update, and their types.
// Always:  SC1 what cannot be stored is refused before anything is asked for. What only a worker can tell, an expression that cannot be read,
//              comes back from it.
//          SC2 an input is checked by the orchestrator's schema here, and sent as it was given: the worker checks it again when it starts the run.

import type { OrchestratorRef } from "../authoring/define.ts";
import { dismantle } from "../authoring/payload.ts";
import { shapeOf, validate, type Schema } from "../authoring/schema.ts";
import { checkedInstant } from "../client/values.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import { durationMs, type Duration } from "../contract/instant.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { ScheduleRequest } from "./schedule-requests.ts";
import { CATCH_UP_POLICIES, OVERLAP_POLICIES, type CatchUpPolicy, type OverlapPolicy } from "./schedule-state.ts";
import { instantText } from "./time-text.ts";

/** When runs come, and what is done about those that meet and those that were missed. */
export interface ScheduleRules {
  /** No tick before this; an interval counts from here. By default from the creation. */
  readonly startAt?: Date;
  /** Nothing is started after this: the schedule deletes itself. */
  readonly endAt?: Date;
  /** When `startAt` is past already, the first run is at once. */
  readonly startImmediatelyIfLate?: boolean;
  /** The one id of all runs: none is started while there is an instance that has it, whatever its status. By default each run has an id of its own. */
  readonly instanceId?: string;
  /** Each run begins up to so much later than its tick: how much follows from the schedule and the tick. */
  readonly jitter?: Duration;
  /**
   * What becomes of a tick while the run of an earlier one goes on. `"allow"`, which is the default and what other Durable Task SDKs do: both
   * run. `"skip"`: the tick is left out. `"bufferOne"`: it is run when the earlier one has ended, and further ticks meanwhile are left out.
   */
  readonly overlap?: OverlapPolicy;
  /**
   * What becomes of ticks that were missed since no worker was there. `"one"`, which is the default and what other Durable Task SDKs do: the
   * oldest is run. `"all"`: each of them is. `"skip"`: the newest is run if it is late by less than the window, a minute unless said.
   */
  readonly catchUp?: CatchUpPolicy;
  /** Ticks that are late by more than this are left out. */
  readonly catchUpWindow?: Duration;
}

/** An interval of a second or more, or a cron expression with the time zone in which it is meant. */
export type ScheduleRhythm =
  | { readonly interval: Duration; readonly cron?: never; readonly timeZone?: never }
  | {
      /** Five fields, six with seconds first, or a word like `"@daily"`. */
      readonly cron: string;
      /** As `"Europe/Berlin"`; UTC by default. */
      readonly timeZone?: string;
      readonly interval?: never;
    };

type InputOption<I> = undefined extends I ? { readonly input?: I } : { readonly input: I };

/**
 * What a schedule is made of.
 *
 * @example
 * const options: ScheduleOptions<{ region: string }> = {
 *   orchestrator: report,
 *   input: { region: "EU" },
 *   cron: "0 3 * * *",
 *   timeZone: "Europe/Berlin",
 *   overlap: "skip",
 * };
 */
export type ScheduleOptions<I = unknown, O = unknown> = ScheduleRules &
  ScheduleRhythm & {
    /** What each tick starts. */
    readonly orchestrator: OrchestratorRef<I, O> | string;
  } & InputOption<I>;

/** What of a schedule is to be another way. What is not named stays; `null` takes away. */
export interface ScheduleChanges<I = unknown> {
  readonly orchestrator?: OrchestratorRef<I> | string;
  readonly input?: I | null;
  readonly interval?: Duration;
  readonly cron?: string;
  readonly timeZone?: string;
  readonly startAt?: Date | null;
  readonly endAt?: Date | null;
  readonly startImmediatelyIfLate?: boolean;
  readonly instanceId?: string | null;
  readonly jitter?: Duration | null;
  readonly overlap?: OverlapPolicy;
  readonly catchUp?: CatchUpPolicy;
  readonly catchUpWindow?: Duration | null;
}

const CHANGES: OptionNames<ScheduleChanges> = {
  orchestrator: true,
  input: true,
  interval: true,
  cron: true,
  timeZone: true,
  startAt: true,
  endAt: true,
  startImmediatelyIfLate: true,
  instanceId: true,
  jitter: true,
  overlap: true,
  catchUp: true,
  catchUpWindow: true,
};

/** The request that options or changes are. `known` is the orchestrator whose input it is, where the changes name none. */
export async function requestOf(changes: ScheduleChanges, what: string, known?: OrchestratorRef): Promise<ScheduleRequest> {
  checkOptions(changes, CHANGES, what);
  const { orchestrator, interval, cron, timeZone, startAt, endAt, instanceId, jitter, overlap, catchUp, catchUpWindow } = changes;
  if (interval !== undefined && cron !== undefined)
    throw new InvalidArgumentError(`${what} has both an interval and a cron expression; leave one of them out.`);
  if (interval !== undefined && timeZone !== undefined)
    throw new InvalidArgumentError(`${what} has a time zone, which an interval does not need; leave it out.`);
  checkWord(overlap, OVERLAP_POLICIES, "overlap");
  checkWord(catchUp, CATCH_UP_POLICIES, "catchUp");
  const without = Object.entries({
    orchestration_input: changes.input,
    orchestration_instance_id: instanceId,
    start_at: startAt,
    end_at: endAt,
    catch_up_window_seconds: catchUpWindow,
  }).flatMap(([name, value]) => (value === null ? name : []));
  return given({
    orchestration_name: orchestrator === undefined ? undefined : nameOf(orchestrator, what),
    interval_seconds: interval === undefined ? undefined : durationMs(interval, "interval") / 1_000,
    orchestration_input: await inputFor(typeof orchestrator === "object" ? orchestrator : known, changes.input),
    orchestration_instance_id: instanceId ?? undefined,
    start_at: timeText(startAt, "startAt"),
    end_at: timeText(endAt, "endAt"),
    start_immediately_if_late: changes.startImmediatelyIfLate,
    cron_expression: cron,
    time_zone: timeZone,
    jitter_seconds: jitter === null ? 0 : jitter === undefined ? undefined : durationMs(jitter, "jitter") / 1_000,
    overlap_policy: overlap,
    catch_up_policy: catchUp,
    catch_up_window_seconds:
      catchUpWindow === null || catchUpWindow === undefined ? undefined : durationMs(catchUpWindow, "catchUpWindow") / 1_000,
    without: without.length === 0 ? undefined : without,
  });
}

function nameOf(orchestrator: OrchestratorRef | string, what: string): string {
  if (typeof orchestrator === "string") return orchestrator;
  const { kind, name } = (orchestrator ?? {}) as { kind?: unknown; name?: unknown };
  if ((kind === "orchestrator" || kind === "orchestrator-contract") && typeof name === "string") return name;
  throw new InvalidArgumentError(`The orchestrator of ${what} must be what orchestrator(name, ...) gives, or a name.`);
}

/** As an instance would be given it: checked, and without classes. */
async function inputFor(orchestrator: (OrchestratorRef & { readonly input?: Schema }) | undefined, input: unknown): Promise<unknown> {
  if (input === undefined || input === null) return undefined;
  const what = `input of orchestrator '${orchestrator?.name ?? "of a schedule"}'`;
  await validate(orchestrator?.input, input, what);
  return dismantle(input, shapeOf(orchestrator?.input), what);
}

function timeText(date: Date | null | undefined, what: string): string | undefined {
  return date === undefined || date === null ? undefined : instantText(checkedInstant(date, what));
}
