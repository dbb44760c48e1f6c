// retention: how long finished instances stay.
//
// Owns:    how a policy is written, its default, and what it says of one instance.
// Always:  R1 time counts from completion. R2 0 keeps for ever. R3 the nearest word wins: an orchestrator's before the hub's.

import { InvalidArgumentError } from "./errors.ts";
import type { TerminalStatus } from "./instance.ts";
import { durationMs, type Duration } from "./instant.ts";

/** How long a finished instance stays, by how it ended. What is left out is as the level above says; `0` keeps for ever. */
export interface RetentionByOutcome {
  readonly completed?: Duration | 0;
  readonly failed?: Duration | 0;
  readonly terminated?: Duration | 0;
}

/**
 * How long finished instances stay, counted from their completion.
 *
 * @example
 * const retention: Retention = { completed: "7d", failed: "90d", orchestrators: { audit: 0, ping: "1h" } };
 */
export type Retention =
  | Duration
  | 0
  | (RetentionByOutcome & {
      /** For single orchestrators, by name. */
      readonly orchestrators?: Readonly<Record<string, Duration | 0 | RetentionByOutcome>>;
    });

/** Milliseconds after completion, by outcome; 0: for ever. */
type Periods = Readonly<Record<TerminalStatus, number>>;

/** A retention as it is asked for. */
export interface RetentionPolicy {
  readonly hub: Periods;
  readonly orchestrators: ReadonlyMap<string, Periods>;
}

const DAY_MS = 86_400_000;
const THIRTY_DAYS: Periods = { COMPLETED: 30 * DAY_MS, FAILED: 30 * DAY_MS, TERMINATED: 30 * DAY_MS };
const OUTCOMES = { completed: "COMPLETED", failed: "FAILED", terminated: "TERMINATED" } as const;

/**
 * Reads a retention; 30 days for everything when there is none.
 *
 * @throws InvalidArgumentError for what is no duration, and for a word it does not know.
 * @example
 * retentionPolicy("7d").hub.FAILED === 604_800_000
 */
export function retentionPolicy(retention: Retention | undefined): RetentionPolicy {
  if (retention === undefined) return { hub: THIRTY_DAYS, orchestrators: new Map() };
  if (retention === 0 || typeof retention !== "object" || isParts(retention))
    return { hub: periods(retention, THIRTY_DAYS, "retention"), orchestrators: new Map() };
  const { orchestrators = {}, ...outcomes } = retention as Exclude<Retention, Duration | 0>;
  const hub = periods(outcomes, THIRTY_DAYS, "retention");
  const single = Object.entries(orchestrators).map(
    ([name, given]) => [name, periods(given, hub, `retention.orchestrators.${name}`)] as const,
  );
  return { hub, orchestrators: new Map(single) };
}

/** How long an instance stays after its completion; 0: for ever. */
export function retentionMs(policy: RetentionPolicy, name: string, status: TerminalStatus): number {
  return (policy.orchestrators.get(name) ?? policy.hub)[status];
}

/** The different times a policy knows, shortest first. */
export function retentionPeriods(policy: RetentionPolicy): readonly number[] {
  const all = new Set([policy.hub, ...policy.orchestrators.values()].flatMap((each) => Object.values(each)));
  all.delete(0);
  return [...all].sort((a, b) => a - b);
}

/** `{ days: 3 }` is a duration, `{ failed: "3d" }` says something of outcomes. */
function isParts(retention: object): boolean {
  return Object.keys(retention).some((key) => /^(days|hours|minutes|seconds|milliseconds)$/.test(key));
}

function periods(given: Duration | 0 | RetentionByOutcome, otherwise: Periods, where: string): Periods {
  if (given === 0 || typeof given !== "object" || isParts(given)) {
    const ms = periodMs(given as Duration | 0, where);
    return { COMPLETED: ms, FAILED: ms, TERMINATED: ms };
  }
  const found: Record<TerminalStatus, number> = { ...otherwise };
  for (const [outcome, duration] of Object.entries(given)) {
    const status = OUTCOMES[outcome as keyof typeof OUTCOMES] as TerminalStatus | undefined;
    if (status === undefined)
      throw new InvalidArgumentError(`${where} has no part '${outcome}'; it has ${Object.keys(OUTCOMES).join(", ")} (and orchestrators).`);
    if (duration !== undefined) found[status] = periodMs(duration as Duration | 0, `${where}.${outcome}`);
  }
  return found;
}

function periodMs(given: Duration | 0, where: string): number {
  if (given === 0) return 0;
  const ms = durationMs(given, where);
  if (ms === 0) throw new InvalidArgumentError(`${where} is no time at all. Write 0 to keep for ever, or a time like "30d".`);
  return ms;
}
