// schedule-state: a schedule, as it is known here and as it is stored.
//
// Owns:    the stored form. That of a schedule with an interval is the Python SDK's, which is .NET's: its clients read ours, and ours theirs.
// Always:  SS1 what a schedule has beyond theirs is a field more, written only where it says something; their readers pass it over.
//          SS2 a schedule by cron has no `ScheduleConfiguration`: workers of other SDKs, which would run it at wrong times, refuse its operations
//              for that, and their lists leave it out.
//          SS3 names are read in whatever way they are written: `NextRunAt`, `nextRunAt`, and `next_run_at` of earlier Python workers.

import { defaultConverter } from "../authoring/payload.ts";
import { InvalidArgumentError, PayloadError } from "../contract/errors.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import { instantOf, instantText, spanMs, spanText } from "./time-text.ts";

/** What becomes of a tick while the run of an earlier one goes on. */
export type OverlapPolicy = "allow" | "skip" | "bufferOne";
/** What becomes of ticks that were missed. */
export type CatchUpPolicy = "one" | "skip" | "all";

export const OVERLAP_POLICIES: readonly OverlapPolicy[] = ["allow", "skip", "bufferOne"];
export const CATCH_UP_POLICIES: readonly CatchUpPolicy[] = ["one", "skip", "all"];

/** When ticks come. */
export type Rhythm =
  | { readonly kind: "interval"; readonly everyMs: number }
  | { readonly kind: "cron"; readonly expression: string; readonly timeZone: string };

/** What a schedule is to do. */
export interface ScheduleConfiguration {
  readonly scheduleId: string;
  readonly orchestrationName: string;
  readonly rhythm: Rhythm;
  /** JSON. */
  readonly input?: string;
  /** The id of every run; without it each has its own. */
  readonly instanceId?: string;
  readonly startAt?: Instant;
  readonly endAt?: Instant;
  readonly startImmediatelyIfLate: boolean;
  readonly jitterMs: number;
  readonly overlap: OverlapPolicy;
  readonly catchUp: CatchUpPolicy;
  readonly catchUpWindowMs?: number;
}

/** A schedule, and where it is. */
export interface ScheduleState {
  readonly status: "Active" | "Paused";
  /** What a tick has to carry to be this schedule's; another one with each change, so that no tick of earlier times counts. */
  readonly token: string;
  /** The tick that was run last. */
  readonly lastRunAt?: Instant;
  /** When the next one is run. */
  readonly nextRunAt?: Instant;
  /** The next tick, where it is another time than the one when it is run: there is jitter. */
  readonly nextTickAt?: Instant;
  readonly createdAt?: Instant;
  readonly lastModifiedAt?: Instant;
  readonly configuration: ScheduleConfiguration;
  /** The tick whose run goes on, as far as is known. Only where runs must not overlap. */
  readonly runningTick?: Instant;
  /** The tick that waits for it. */
  readonly bufferedTick?: Instant;
  /** The tick whose run was asked after, since another tick came. */
  readonly askedAfterTick?: Instant;
}

/** The stored form: JSON. */
export type StoredSchedule = Readonly<Record<string, unknown>>;

const STATUSES = ["Uninitialized", "Active", "Paused"] as const;

/** The stored form of a schedule. */
export function storedSchedule(state: ScheduleState): StoredSchedule {
  const { configuration } = state;
  const cron = configuration.rhythm.kind === "cron";
  return {
    Status: STATUSES.indexOf(state.status),
    ExecutionToken: state.token,
    LastRunAt: textOrNull(state.lastRunAt),
    NextRunAt: textOrNull(state.nextRunAt),
    ScheduleCreatedAt: textOrNull(state.createdAt),
    ScheduleLastModifiedAt: textOrNull(state.lastModifiedAt),
    ScheduleConfiguration: cron ? null : storedConfiguration(configuration),
    ...given({
      CronSchedule: cron ? storedConfiguration(configuration) : undefined,
      NextTickAt: state.nextTickAt === state.nextRunAt ? undefined : textOf(state.nextTickAt),
      RunningTick: textOf(state.runningTick),
      BufferedTick: textOf(state.bufferedTick),
      AskedAfterTick: textOf(state.askedAfterTick),
    }),
  };
}

function storedConfiguration(configuration: ScheduleConfiguration): StoredSchedule {
  const { rhythm, overlap, catchUp, jitterMs, catchUpWindowMs } = configuration;
  return {
    ScheduleId: configuration.scheduleId,
    OrchestrationName: configuration.orchestrationName,
    ...(rhythm.kind === "interval"
      ? { Interval: spanText(rhythm.everyMs) }
      : { CronExpression: rhythm.expression, TimeZone: rhythm.timeZone }),
    OrchestrationInput: configuration.input ?? null,
    OrchestrationInstanceId: configuration.instanceId ?? null,
    StartAt: textOrNull(configuration.startAt),
    EndAt: textOrNull(configuration.endAt),
    StartImmediatelyIfLate: configuration.startImmediatelyIfLate,
    ...given({
      Jitter: jitterMs === 0 ? undefined : spanText(jitterMs),
      OverlapPolicy: overlap === "allow" ? undefined : overlap,
      CatchUpPolicy: catchUp === "one" ? undefined : catchUp,
      CatchUpWindow: catchUpWindowMs === undefined ? undefined : spanText(catchUpWindowMs),
    }),
  };
}

function textOf(instant: Instant | undefined): string | undefined {
  return instant === undefined ? undefined : instantText(instant);
}

function textOrNull(instant: Instant | undefined): string | null {
  return textOf(instant) ?? null;
}

/**
 * A schedule, from its stored form; `undefined` when there is none (nothing stored, or one that was never created).
 *
 * @throws InvalidArgumentError for what no schedule is stored as.
 */
export function scheduleOf(stored: unknown): ScheduleState | undefined {
  if (stored === undefined || stored === null) return undefined;
  const fields = fieldsOf(stored, "The state of a schedule");
  const status = statusOf(fields["status"]);
  const configuration = fields["cronschedule"] ?? fields["scheduleconfiguration"];
  if (status === "Uninitialized" || configuration === undefined) return undefined;
  const time = (name: string): Instant | undefined => optionalInstant(fields[name.toLowerCase()], name);
  const nextRunAt = time("NextRunAt");
  return {
    status,
    token: typeof fields["executiontoken"] === "string" ? fields["executiontoken"] : "",
    configuration: configurationOf(configuration),
    ...given({
      lastRunAt: time("LastRunAt"),
      nextRunAt,
      nextTickAt: time("NextTickAt") ?? nextRunAt,
      createdAt: time("ScheduleCreatedAt"),
      lastModifiedAt: time("ScheduleLastModifiedAt"),
      runningTick: time("RunningTick"),
      bufferedTick: time("BufferedTick"),
      askedAfterTick: time("AskedAfterTick"),
    }),
  };
}

function statusOf(status: unknown): (typeof STATUSES)[number] {
  if (typeof status === "number") return STATUSES[status] ?? "Uninitialized";
  const text = String(status).trim().toLowerCase();
  return STATUSES[/^\d+$/.test(text) ? Number(text) : STATUSES.findIndex((each) => each.toLowerCase() === text)] ?? "Uninitialized";
}

function configurationOf(stored: unknown): ScheduleConfiguration {
  const fields = fieldsOf(stored, "The configuration of a schedule");
  const { cronexpression, timezone, interval, intervalseconds, orchestrationinput, orchestrationinstanceid, overlappolicy, catchuppolicy } =
    fields;
  return {
    scheduleId: String(fields["scheduleid"]),
    orchestrationName: String(fields["orchestrationname"]),
    rhythm:
      typeof cronexpression === "string"
        ? { kind: "cron", expression: cronexpression, timeZone: typeof timezone === "string" ? timezone : "UTC" }
        : { kind: "interval", everyMs: typeof intervalseconds === "number" ? intervalseconds * 1_000 : spanMs(interval, "Interval") },
    startImmediatelyIfLate: fields["startimmediatelyiflate"] === true,
    jitterMs: fields["jitter"] === undefined ? 0 : spanMs(fields["jitter"], "Jitter"),
    overlap: OVERLAP_POLICIES.find((policy) => policy === overlappolicy) ?? "allow",
    catchUp: CATCH_UP_POLICIES.find((policy) => policy === catchuppolicy) ?? "one",
    ...given({
      // Earlier Python workers stored the value itself.
      input: typeof orchestrationinput === "string" ? orchestrationinput : textOfInput(orchestrationinput),
      instanceId: typeof orchestrationinstanceid === "string" && orchestrationinstanceid !== "" ? orchestrationinstanceid : undefined,
      startAt: optionalInstant(fields["startat"], "StartAt"),
      endAt: optionalInstant(fields["endat"], "EndAt"),
      catchUpWindowMs: fields["catchupwindow"] === undefined ? undefined : spanMs(fields["catchupwindow"], "CatchUpWindow"),
    }),
  };
}

function optionalInstant(text: unknown, what: string): Instant | undefined {
  return text === undefined || text === "" ? undefined : instantOf(text, what);
}

/** The text that an input is kept as: JSON, and what the language has beside it in the form that payloads have. */
export function textOfInput(value: unknown): string | undefined {
  return defaultConverter.encode(value, "input of a schedule");
}

/** The value that an input's text stands for. What is no JSON was a text from the beginning: .NET keeps those as they are. */
export function inputOf({ input }: ScheduleConfiguration): unknown {
  try {
    return defaultConverter.decode(input, "input of a schedule");
  } catch (error) {
    if (error instanceof PayloadError) return input;
    throw error;
  }
}

/** The fields of an object by their names in lower case and without `_`; those that are null are left out, as SDKs write null for what is not there. */
export function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidArgumentError(`${what} must be an object; got ${JSON.stringify(value)}.`);
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) if (field !== null) fields[name.replaceAll("_", "").toLowerCase()] = field;
  return fields;
}
