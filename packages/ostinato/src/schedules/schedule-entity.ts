// schedule-entity: a schedule as an entity: what it does when it is asked something, and when its time has come.
//
// Owns:    the operations of a schedule, under the names of the Python SDK, of .NET, and our own.
// Is told: requests, by clients; ticks, by itself; that a run has ended.
// Tells:   the orchestrations that are started, and the signal by which it wakes itself.
// Always:  SE1 one chain of ticks: a tick counts while its token is the schedule's, and whatever replaces what is armed gives it another one.
//          SE2 state, the runs of a tick and the signal for the next one are one commit: no tick is lost between them, and none is run twice.
//          SE3 which ticks there are follows from the configuration (TK1); a clock decides only which of them have come. What was run last is never
//              run again, whatever clocks say.
//          SE4 an operation that cannot be done changes nothing, and says why to whoever called. A tick that cannot be run is tried again.

import type { EntityContext } from "../authoring/entity-context.ts";
import { entity } from "../authoring/entity.ts";
import { InvalidArgumentError, InvalidStateError, ScheduleNotFoundError } from "../contract/errors.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import { cronRecurrence } from "./cron.ts";
import { dueTicks } from "./due-ticks.ts";
import { digitsOf } from "./mixed.ts";
import { changedConfiguration, configurationFrom } from "./schedule-requests.ts";
import { exclusiveRun, exclusiveRunId, exclusiveRunOf, runId, SCHEDULE, scheduleRun, type ScheduleSignals } from "./schedule-runs.ts";
import {
  fieldsOf,
  inputOf,
  scheduleOf,
  storedSchedule,
  type ScheduleConfiguration,
  type ScheduleState,
  type StoredSchedule,
} from "./schedule-state.ts";
import { intervalRecurrence, ticksOf, type Ticks } from "./ticks.ts";
import { instantOf } from "./time-text.ts";

type Context = EntityContext<StoredSchedule | undefined>;

// ---- what clients ask for

/** Creates a schedule, or makes another one of it. One that is the same already keeps its next tick; a paused one stays paused. */
async function create(context: Context, request: unknown): Promise<void> {
  const now = timeOf(context);
  const before = scheduleOf(context.value);
  const configuration = configurationFrom(context.key, request);
  const token = newToken(context, before, request);
  const ticks = await ticksFor(configuration, before?.createdAt ?? now);
  refuseEmpty(configuration, ticks);
  if (before === undefined) return arm(context, { status: "Active", token, createdAt: now, lastModifiedAt: now, configuration }, ticks);
  const same = sameJson(configuration, before.configuration);
  const after = { ...before, token, configuration, ...(same ? {} : { lastModifiedAt: now }) };
  rearm(context, after, ticks, sameTimes(configuration, before.configuration));
}

/** Changes a schedule. */
async function update(context: Context, request: unknown): Promise<void> {
  const before = known(context);
  const configuration = changedConfiguration(before.configuration, request);
  if (sameJson(configuration, before.configuration)) return;
  const ticks = await ticksFor(configuration, before.createdAt ?? timeOf(context));
  refuseEmpty(configuration, ticks);
  const after = { ...before, configuration, token: newToken(context, before, request), lastModifiedAt: timeOf(context) };
  rearm(context, after, ticks, sameTimes(configuration, before.configuration));
}

function pause(context: Context): void {
  const before = known(context);
  if (before.status === "Paused") throw new InvalidStateError(`The schedule '${context.key}' is paused already.`);
  save(context, { ...withoutNext(before), status: "Paused", token: newToken(context, before) });
}

async function resume(context: Context): Promise<void> {
  const before = known(context);
  if (before.status === "Active") throw new InvalidStateError(`The schedule '${context.key}' is not paused.`);
  const ticks = await ticksFor(before.configuration, before.createdAt ?? timeOf(context));
  arm(context, { ...withoutNext(before), status: "Active" }, ticks);
}

/** One run now, whatever the schedule does else, and whether or not it is paused. Gives the id of the run. */
function trigger(context: Context, request: unknown): string {
  const { configuration } = known(context);
  const own = operationId(request);
  if (own === undefined)
    throw new InvalidArgumentError(`A run of the schedule '${context.key}' needs an operation_id, of which its id is made.`);
  const id = `${configuration.scheduleId}-${own}`;
  context.startOrchestrator(configuration.orchestrationName, inputOf(configuration), { instanceId: id });
  return id;
}

/** The SDKs' own operations know nothing of cron: what they would write is no longer what was asked for. */
function refuseCron(context: Context): void {
  const rhythm = scheduleOf(context.value)?.configuration.rhythm;
  if (rhythm?.kind !== "cron") return;
  throw new InvalidStateError(
    `The schedule '${context.key}' is one by cron (${rhythm.expression}, ${rhythm.timeZone}), which '${context.operation}' of the Durable Task SDKs does not know. Change it by ostinato/schedules, or delete it first.`,
  );
}

// ---- its own time

/** Its time has come, or somebody has armed it without saying for when. */
async function run(context: Context, token: unknown): Promise<void> {
  try {
    const before = scheduleOf(context.value);
    if (before === undefined) return context.clear();
    if (before.token === token && before.status === "Active") await runDue(context, before);
  } catch (error) {
    // A signal that fails is gone, and the chain with it. What was started already is started once, by its id.
    context.log.error(`the schedule '${context.key}' could not run; it is tried again in a minute: ${(error as Error).message}`);
    context.entity<ScheduleSignals>(SCHEDULE, context.key).signal.run_schedule(String(token), { at: "1m" });
  }
}

async function runDue(context: Context, before: ScheduleState): Promise<void> {
  const { configuration } = before;
  const now = timeOf(context);
  if (configuration.endAt !== undefined && now > configuration.endAt) return end(context, before);
  const ticks = await ticksFor(configuration, before.createdAt ?? now);
  const due = before.nextTickAt;
  if (due === undefined || before.nextRunAt === undefined || before.nextRunAt > now) return arm(context, before, ticks, due);
  const { runs, next } = dueTicks(ticks, configuration, due, now);
  const after = runs.reduce((state, tick) => runTick(context, state, tick), withoutNext(before));
  arm(context, after, ticks, next ?? "none");
}

/** The run of a tick, or what becomes of the tick instead. */
function runTick(context: Context, state: ScheduleState, tick: Instant): ScheduleState {
  const { configuration, runningTick } = state;
  if (configuration.overlap === "allow") {
    context.startOrchestrator(configuration.orchestrationName, inputOf(configuration), { instanceId: runId(configuration, tick) });
    return { ...state, lastRunAt: latestOf(state, tick) };
  }
  if (runningTick === undefined) return startExclusively(context, state, tick);
  if (state.askedAfterTick !== runningTick)
    context.entity(scheduleRun, context.key).signal.ask_after(exclusiveRunOf(configuration, runningTick).tick);
  return {
    ...state,
    askedAfterTick: runningTick,
    ...(configuration.overlap === "bufferOne" ? { bufferedTick: state.bufferedTick ?? tick } : {}),
  };
}

function startExclusively(context: Context, state: ScheduleState, tick: Instant): ScheduleState {
  const { configuration } = state;
  context.startOrchestrator(exclusiveRun.name, exclusiveRunOf(configuration, tick), { instanceId: exclusiveRunId(configuration, tick) });
  const { bufferedTick: _buffered, askedAfterTick: _asked, ...rest } = state;
  return { ...rest, runningTick: tick, lastRunAt: latestOf(state, tick) };
}

/** A run has ended: what waited for it begins, unless the schedule was paused meanwhile. */
function completed(context: Context, tick: unknown): void {
  const before = scheduleOf(context.value);
  if (before?.runningTick === undefined || before.runningTick !== instantOf(tick, "the tick")) return;
  const { runningTick: _running, askedAfterTick: _asked, bufferedTick, ...rest } = before;
  save(context, bufferedTick === undefined || before.status === "Paused" ? rest : startExclusively(context, rest, bufferedTick));
}

function end(context: Context, state: ScheduleState): void {
  context.log.info(`the schedule '${context.key}' has come to its end`);
  save(context, withoutNext(state));
  context.entity(SCHEDULE, context.key).signal["delete"]?.();
}

// ---- arming

/** After a change: the next tick stays what it was, or is looked for anew. */
function rearm(context: Context, state: ScheduleState, ticks: Ticks, keepNext: boolean): void {
  if (state.status === "Paused") return save(context, withoutNext(state));
  arm(context, state, ticks, keepNext ? state.nextTickAt : undefined);
}

/** Keeps the schedule, and has it woken for the next tick; without one it comes to its end. */
function arm(
  context: Context,
  state: ScheduleState,
  ticks: Ticks,
  next: Instant | "none" = nextTick(context, state, ticks) ?? "none",
): void {
  const { token, configuration } = state;
  const { signal } = context.entity<ScheduleSignals>(SCHEDULE, context.key);
  if (next !== "none") {
    const nextRunAt = ticks.runAt(next);
    save(context, { ...state, nextTickAt: next, nextRunAt });
    return signal.run_schedule(token, { at: new Date(nextRunAt) });
  }
  save(context, withoutNext(state));
  // The family's schedules are there until they end, also when no tick is left.
  if (configuration.endAt === undefined) return signal.delete();
  signal.run_schedule(token, { at: new Date(configuration.endAt + 1) });
}

/** The first tick from now on: one that has not been run, and at once where the beginning was missed and that is wanted. */
function nextTick(context: Context, { configuration, createdAt, lastRunAt }: ScheduleState, ticks: Ticks): Instant | undefined {
  const now = timeOf(context);
  const start = configuration.startAt ?? createdAt ?? now;
  if (configuration.startImmediatelyIfLate && lastRunAt === undefined && start <= now) return now;
  return ticks.after(Math.max(now, lastRunAt ?? 0));
}

async function ticksFor(configuration: ScheduleConfiguration, createdAt: Instant): Promise<Ticks> {
  const { rhythm, startAt } = configuration;
  const recurrence =
    rhythm.kind === "interval"
      ? intervalRecurrence(startAt ?? createdAt, rhythm.everyMs)
      : await cronRecurrence(rhythm.expression, rhythm.timeZone);
  return ticksOf(configuration, recurrence);
}

function refuseEmpty({ scheduleId, rhythm, startImmediatelyIfLate }: ScheduleConfiguration, ticks: Ticks): void {
  if (rhythm.kind === "cron" && !startImmediatelyIfLate && ticks.after(0) === undefined)
    throw new InvalidArgumentError(
      `The schedule '${scheduleId}' would never run: '${rhythm.expression}' has no time between its start and its end.`,
    );
}

// ---- small parts

function timeOf(context: Context): Instant {
  return context.currentUtcDateTime.getTime();
}

function known(context: Context): ScheduleState {
  const state = scheduleOf(context.value);
  if (state === undefined) throw new ScheduleNotFoundError(`There is no schedule '${context.key}'. Create it first.`);
  return state;
}

function save(context: Context, state: ScheduleState): void {
  context.set(storedSchedule(state));
}

function withoutNext({ nextRunAt: _run, nextTickAt: _tick, ...rest }: ScheduleState): ScheduleState {
  return rest;
}

/** A tick that had to wait may be older than one that has not. */
function latestOf({ lastRunAt }: ScheduleState, tick: Instant): Instant {
  return Math.max(lastRunAt ?? tick, tick);
}

/** One that no tick under way has. */
function newToken(context: Context, before: ScheduleState | undefined, request?: unknown): string {
  return digitsOf([context.key, timeOf(context), before?.token, operationId(request)].join("/"));
}

function operationId(request: unknown): string | undefined {
  if (typeof request !== "object" || request === null) return undefined;
  const id = fieldsOf(request, "The input of a schedule's operation")["operationid"];
  return typeof id === "string" ? id : undefined;
}

function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => [name, sorted(each)]);
}

/** Whether the ticks of two configurations are the same ones. */
function sameTimes(one: ScheduleConfiguration, other: ScheduleConfiguration): boolean {
  const times = ({ rhythm, startAt, endAt, jitterMs, startImmediatelyIfLate }: ScheduleConfiguration): unknown =>
    given({ rhythm, startAt, endAt, jitterMs, startImmediatelyIfLate });
  return sameJson(times(one), times(other));
}

// ---- the entity

async function createAsOthers(context: Context, request: unknown): Promise<void> {
  refuseCron(context);
  await create(context, request);
}

async function updateAsOthers(context: Context, request: unknown): Promise<void> {
  known(context);
  refuseCron(context);
  await update(context, request);
}

/** A schedule, as workers serve it. Its clients are `schedules(hub)` here, and those of the Durable Task SDKs. */
export const schedule = entity("schedule", { initial: (): StoredSchedule | undefined => undefined }).operations({
  create_schedule: createAsOthers,
  update_schedule: updateAsOthers,
  pause_schedule: pause,
  resume_schedule: resume,
  run_schedule: run,
  CreateSchedule: createAsOthers,
  UpdateSchedule: updateAsOthers,
  PauseSchedule: pause,
  ResumeSchedule: resume,
  RunSchedule: run,
  put_schedule: create,
  change_schedule: update,
  trigger_schedule: trigger,
  run_completed: completed,
});
