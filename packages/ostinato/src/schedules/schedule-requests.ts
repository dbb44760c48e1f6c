// schedule-requests: what is asked of a schedule, as operations are given it.
//
// Owns:    what a configuration may be; what each form of a request says: the Python SDK's, .NET's, our own.
// Is told: the input of an operation, and for a change the configuration before it.
// Tells:   the configuration that is asked for, or what is wrong with it.
// Always:  SR1 the SDKs' own forms say nothing of what they do not know, and leave alone what they say nothing of.
//          SR2 in a change null is nothing said, as Python writes it; our own operation names what it takes away.

import { InvalidArgumentError } from "../contract/errors.ts";
import { checkInstanceId, checkName } from "../contract/ids.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import {
  CATCH_UP_POLICIES,
  fieldsOf,
  OVERLAP_POLICIES,
  textOfInput,
  type CatchUpPolicy,
  type OverlapPolicy,
  type Rhythm,
  type ScheduleConfiguration,
} from "./schedule-state.ts";
import { instantOf, spanMs } from "./time-text.ts";

/**
 * What our own client asks for: the Python SDK's form, and what schedules have beyond it. Fields of a change that are not there stay as they are.
 * With neither `cron_expression` nor anything after it, it is understood by workers of that SDK, too.
 */
export interface ScheduleRequest {
  readonly schedule_id?: string;
  readonly orchestration_name?: string;
  readonly interval_seconds?: number;
  readonly orchestration_input?: unknown;
  readonly orchestration_instance_id?: string;
  readonly start_at?: string;
  readonly end_at?: string;
  readonly start_immediately_if_late?: boolean;
  readonly cron_expression?: string;
  readonly time_zone?: string;
  readonly jitter_seconds?: number;
  readonly overlap_policy?: OverlapPolicy;
  readonly catch_up_policy?: CatchUpPolicy;
  readonly catch_up_window_seconds?: number;
  /** Of a change: what the schedule is to have no more. */
  readonly without?: readonly string[];
}

/** The longest id of a schedule: ids of runs are made of it, and have to be ids as well. */
export const MAX_SCHEDULE_ID_LENGTH = 200;
const LEAST_INTERVAL_MS = 1_000;

/**
 * @throws InvalidArgumentError for an id that no schedule can have.
 */
export function checkScheduleId(id: string): void {
  checkName(id, "schedule id");
  checkInstanceId(id); // ids of runs begin with it
  if (id.length > MAX_SCHEDULE_ID_LENGTH)
    throw new InvalidArgumentError(
      `The schedule id has ${id.length} characters; ${MAX_SCHEDULE_ID_LENGTH} are allowed, since the ids of its runs are made of it.`,
    );
}

/** The configuration that a creation asks for. */
export function configurationFrom(scheduleId: string, request: unknown): ScheduleConfiguration {
  checkScheduleId(scheduleId);
  const said = saidBy(request);
  if (said.scheduleId !== undefined && said.scheduleId !== scheduleId)
    throw new InvalidArgumentError(`The schedule '${scheduleId}' was asked to be '${said.scheduleId}'; an id cannot change.`);
  if (said.orchestrationName === undefined) throw new InvalidArgumentError(`The schedule '${scheduleId}' names no orchestrator to start.`);
  if (said.rhythm === undefined)
    throw new InvalidArgumentError(`The schedule '${scheduleId}' has neither an interval nor a cron expression.`);
  return checked({
    startImmediatelyIfLate: false,
    jitterMs: 0,
    overlap: "allow",
    catchUp: "one",
    ...said,
    scheduleId,
    orchestrationName: said.orchestrationName,
    rhythm: said.rhythm,
  });
}

/** The configuration after a change. */
export function changedConfiguration(before: ScheduleConfiguration, request: unknown): ScheduleConfiguration {
  const { scheduleId: _id, ...said } = saidBy(request);
  const zone = fieldsOf(request, "A change of a schedule")["timezone"];
  const rhythm = said.rhythm ?? (zone === undefined ? before.rhythm : inZone(before, zone));
  const after = { ...before, ...said, rhythm };
  for (const name of withoutOf(request)) delete (after as Record<string, unknown>)[name];
  return checked(after);
}

/** Whether a request says something that the SDKs' own operations have no word for. */
export function saysMore(request: ScheduleRequest): boolean {
  const { cron_expression, time_zone, jitter_seconds, overlap_policy, catch_up_policy, catch_up_window_seconds, without } = request;
  return [cron_expression, time_zone, jitter_seconds, overlap_policy, catch_up_policy, catch_up_window_seconds, without].some(
    (each) => each !== undefined,
  );
}

type Said = { -readonly [K in keyof ScheduleConfiguration]?: ScheduleConfiguration[K] };

function saidBy(request: unknown): Said {
  const fields = fieldsOf(request, "The input of a schedule's operation");
  const text = (name: string): string | undefined => {
    const value = fields[name];
    if (value === undefined || value === "") return undefined;
    if (typeof value !== "string") throw new InvalidArgumentError(`${name} must be a text; got ${JSON.stringify(value)}.`);
    return value;
  };
  const time = (name: string): Instant | undefined => {
    const value = text(name);
    return value === undefined ? undefined : instantOf(value, name);
  };
  const seconds = (name: string): number | undefined => {
    const value = fields[name];
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= 0))
      throw new InvalidArgumentError(`${name} must be seconds; got ${JSON.stringify(value)}.`);
    return Math.round(value * 1_000 * 10_000) / 10_000;
  };
  const late = fields["startimmediatelyiflate"];
  return given({
    scheduleId: text("scheduleid"),
    orchestrationName: text("orchestrationname"),
    rhythm: rhythmOf(fields, seconds("intervalseconds")),
    input: inputText(request as Readonly<Record<string, unknown>>),
    instanceId: text("orchestrationinstanceid"),
    startAt: time("startat"),
    endAt: time("endat"),
    startImmediatelyIfLate: typeof late === "boolean" ? late : undefined,
    jitterMs: seconds("jitterseconds"),
    overlap: wordOf(fields["overlappolicy"], OVERLAP_POLICIES, "overlap"),
    catchUp: wordOf(fields["catchuppolicy"], CATCH_UP_POLICIES, "catchUp"),
    catchUpWindowMs: seconds("catchupwindowseconds"),
  });
}

function rhythmOf(fields: Readonly<Record<string, unknown>>, everyMs: number | undefined): Rhythm | undefined {
  const { cronexpression, interval, timezone } = fields;
  if (typeof cronexpression === "string" && cronexpression !== "") {
    if (everyMs !== undefined || interval !== undefined)
      throw new InvalidArgumentError("A schedule has an interval or a cron expression, not both.");
    return { kind: "cron", expression: cronexpression, timeZone: typeof timezone === "string" ? timezone : "UTC" };
  }
  if (everyMs !== undefined) return { kind: "interval", everyMs };
  return interval === undefined ? undefined : { kind: "interval", everyMs: spanMs(interval, "Interval") };
}

function inZone({ scheduleId, rhythm }: ScheduleConfiguration, zone: unknown): Rhythm {
  if (rhythm.kind === "cron" && typeof zone === "string") return { ...rhythm, timeZone: zone };
  throw new InvalidArgumentError(`The schedule '${scheduleId}' has an interval, for which there is no time zone.`);
}

/** Python gives the value of the input, .NET its text. */
function inputText(request: Readonly<Record<string, unknown>>): string | undefined {
  const value = request["orchestration_input"];
  if (value !== undefined && value !== null) return textOfInput(value);
  const text = request["OrchestrationInput"] ?? request["orchestrationInput"] ?? undefined;
  return typeof text === "string" ? text : textOfInput(text);
}

function wordOf<W extends string>(value: unknown, words: readonly W[], what: string): W | undefined {
  if (value === undefined) return undefined;
  const word = words.find((each) => each === value);
  if (word === undefined) throw new InvalidArgumentError(`${what} must be one of ${words.join(", ")}; got ${JSON.stringify(value)}.`);
  return word;
}

/** What may be taken away, and what it is called in a configuration. */
const TAKEN_AWAY: Readonly<Record<string, keyof ScheduleConfiguration>> = {
  orchestration_input: "input",
  orchestration_instance_id: "instanceId",
  start_at: "startAt",
  end_at: "endAt",
  catch_up_window_seconds: "catchUpWindowMs",
};

function withoutOf(request: unknown): readonly (keyof ScheduleConfiguration)[] {
  const { without = [] } = request as ScheduleRequest;
  return without.flatMap((name) => (Object.hasOwn(TAKEN_AWAY, name) ? TAKEN_AWAY[name]! : []));
}

function checked(configuration: ScheduleConfiguration): ScheduleConfiguration {
  const { scheduleId, orchestrationName, rhythm, instanceId, startAt, endAt, overlap } = configuration;
  const what = `The schedule '${scheduleId}'`;
  checkName(orchestrationName, "orchestrator name");
  if (orchestrationName.startsWith("@"))
    throw new InvalidArgumentError(`${what} names an entity, '${orchestrationName}', as its orchestrator.`);
  if (instanceId !== undefined) checkInstanceId(instanceId);
  if (rhythm.kind === "interval" && !(rhythm.everyMs >= LEAST_INTERVAL_MS))
    throw new InvalidArgumentError(`${what} has an interval of ${rhythm.everyMs} ms; it must be at least 1 second.`);
  if (startAt !== undefined && endAt !== undefined && startAt > endAt)
    throw new InvalidArgumentError(`${what} ends before it starts: startAt must not be later than endAt.`);
  if (instanceId !== undefined && overlap !== "allow")
    throw new InvalidArgumentError(
      `${what} has one id for all of its runs, '${instanceId}', so that none begins while it is taken; overlap '${overlap}' needs runs of their own. Leave one of them out.`,
    );
  return configuration;
}
