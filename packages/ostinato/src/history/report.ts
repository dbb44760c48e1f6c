// report: what came of replaying histories.
//
// Owns:    the verdicts, and their words.
// Always:  V1 each history has one verdict. "same" is said only of what was replayed to its end.
//          V2 what agreed is counted; what did not is kept with its reason, so a report stays small.

import { ReplayError } from "../contract/errors.ts";
import type { InstanceFacts } from "./document.ts";

/** What a replay said of one history. */
export type ReplayVerdict = ReplayResult["verdict"];

/** The program asks for something else than its history has, or ends when its history does not, or goes on where its history ends. */
export interface CallDifference {
  readonly kind: "call";
  /** The number of the recorded event, from 1; absent where the history ends. */
  readonly eventNumber?: number;
  /** What the history has there: "TaskScheduled 'charge' with id 2"; absent where it ends. */
  readonly recorded?: string;
  /** What the program does now: "asks for the activity 'ship' with id 2", "ends". */
  readonly now: string;
  /** Where in the program that is, when it is known. */
  readonly place?: string;
  /** The last call that agreed. */
  readonly lastAgreed?: string;
  readonly lastAgreedPlace?: string;
}

/** Every call agreed, but the instance would end otherwise: another status, another result, another error. */
export interface OutcomeDifference {
  readonly kind: "outcome";
  /** The number of the recorded end, from 1. */
  readonly eventNumber: number;
  /** The recorded end: `COMPLETED with 5`. */
  readonly recorded: string;
  /** The end now: `FAILED with TypeError: ...`, `does not end`. */
  readonly now: string;
}

/** How a program differs from its history. */
export type ReplayDifference = CallDifference | OutcomeDifference;

/** The program does what its history says: to the end of a finished instance, or as far as an open one has come. */
export interface SameReplay {
  readonly verdict: "same";
  readonly instance: InstanceFacts;
}

/** The program does something else. A live instance would stall there. */
export interface DifferentReplay {
  readonly verdict: "different";
  readonly instance: InstanceFacts;
  readonly difference: ReplayDifference;
  /** In one sentence. */
  readonly reason: string;
}

/** No orchestrator is there under its name, or none that fits its version. */
export interface NotRegisteredReplay {
  readonly verdict: "not-registered";
  readonly instance: InstanceFacts;
  readonly reason: string;
}

/** The program could not be replayed: it awaits what is not durable, takes too long, or the history came without its payloads. */
export interface FailedReplay {
  readonly verdict: "failed-to-run";
  readonly instance: InstanceFacts;
  readonly reason: string;
}

/** What a replay said of one history, and why. */
export type ReplayResult = SameReplay | DifferentReplay | NotRegisteredReplay | FailedReplay;

/**
 * What came of replaying many histories.
 *
 * @example
 * const report = await replay(readHistories("./histories"), { orchestrators: [purchaseOrder] });
 * console.log(String(report)); // "120 histories: 119 same, 1 different", and each difference
 * report.throwIfDifferent();
 */
export interface ReplayReport {
  /** Histories that were replayed. */
  readonly total: number;
  readonly counts: Readonly<Record<ReplayVerdict, number>>;
  readonly differences: readonly DifferentReplay[];
  readonly notRegistered: readonly NotRegisteredReplay[];
  readonly failedToRun: readonly FailedReplay[];
  /** Every verdict was "same". */
  readonly ok: boolean;
  /**
   * For a test: throws unless every verdict was "same".
   *
   * @throws ReplayError, which lists what differs.
   */
  throwIfDifferent(): void;
  /** The report in words. */
  toString(): string;
}

/** A report in the making. */
export interface ReportDraft {
  add(result: ReplayResult): void;
  done(): ReplayReport;
}

/** How many findings an error lists. */
const LISTED = 20;

/** Begins a report. */
export function beginReport(): ReportDraft {
  const counts: Record<ReplayVerdict, number> = { same: 0, different: 0, "not-registered": 0, "failed-to-run": 0 };
  const differences: DifferentReplay[] = [];
  const notRegistered: NotRegisteredReplay[] = [];
  const failedToRun: FailedReplay[] = [];
  return {
    add(result) {
      counts[result.verdict] += 1;
      if (result.verdict === "different") differences.push(result);
      else if (result.verdict === "not-registered") notRegistered.push(result);
      else if (result.verdict === "failed-to-run") failedToRun.push(result);
    },
    done() {
      const findings = [...differences, ...failedToRun, ...notRegistered];
      const total = findings.length + counts.same;
      const headline = `${total} ${total === 1 ? "history" : "histories"}: ${countsText(counts)}`;
      const text = (most: number): string =>
        [
          headline,
          ...findings.slice(0, most).map(findingText),
          ...(findings.length > most ? [`and ${findings.length - most} more`] : []),
        ].join("\n");
      return {
        total,
        counts,
        differences,
        notRegistered,
        failedToRun,
        ok: findings.length === 0,
        throwIfDifferent() {
          if (findings.length > 0) throw new ReplayError(`Not every history replays to the same. ${text(LISTED)}`);
        },
        toString: () => text(findings.length),
      };
    },
  };
}

function countsText(counts: Readonly<Record<ReplayVerdict, number>>): string {
  const said = (Object.keys(counts) as ReplayVerdict[]).filter((verdict) => verdict === "same" || counts[verdict] > 0);
  return said.map((verdict) => `${counts[verdict]} ${verdict}`).join(", ");
}

function findingText(result: Exclude<ReplayResult, SameReplay>): string {
  const { instance, verdict, reason } = result;
  const version = instance.version === undefined ? "" : ` ${instance.version}`;
  return `- ${verdict}: instance '${instance.id}' of '${instance.name}'${version} (${instance.status}). ${reason}`;
}
