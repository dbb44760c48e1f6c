// check-instances: what a deployment would do to the instances that are open now.
//
// Is told: a task hub (it may be opened to read only, beside the process that runs it), and tomorrow's orchestrators.
// Tells:   which instances would stall, and where; which would find no program; which questions about versions nobody needs any more.
// Always:  C1 nothing is claimed, run or written.

import type { InstanceQuery } from "../client/client.ts";
import { InvalidArgumentError } from "../contract/errors.ts";
import type { InstanceStatus } from "../contract/instance.ts";
import { OPEN, type HistorySource } from "./hub-histories.ts";
import { replayAll, type ReplayOptions, type ReplayPrograms, replayWorld } from "./replay.ts";
import type { ReplayReport } from "./report.ts";
import { type OpenVersion, surveyVersions, type VersionGate, type VersionReader } from "./version-gates.ts";

/** Tomorrow's code, as workers would be given it. */
export interface CheckPrograms extends ReplayPrograms {
  /** The version of instances that will be started without one: the hub's `defaultVersion` unless given. */
  readonly defaultVersion?: string;
}

/** How instances are checked. */
export interface CheckOptions extends ReplayOptions {
  /** Which of the open instances: all, unless this says less. */
  readonly query?: Omit<InstanceQuery, "completedFrom" | "completedTo">;
}

/** What came of checking open instances. */
export interface CheckReport extends ReplayReport {
  /** Every question `ctx.isVersionAtLeast(...)` that a replay met. */
  readonly gates: readonly VersionGate[];
  /** The gates that every open instance passes, and every new one: the branch for older versions can be deleted. */
  readonly unneededGates: readonly VersionGate[];
  /** Orchestrators that read `ctx.version` itself. Look at these before an older branch goes. */
  readonly versionReaders: readonly VersionReader[];
  /** How many open instances there are of each version. */
  readonly openVersions: readonly OpenVersion[];
}

/**
 * Replays every open instance of a task hub with these orchestrators, reading only. Run it before a deployment.
 *
 * @throws InvalidArgumentError for options that can never work; what reading the hub throws.
 * @example
 * const hub = await openTaskHub("sqlite:orders.db", { readOnly: true }); // the process that runs it goes on
 * const report = await checkInstances(hub, { orchestrators: [purchaseOrder] });
 * console.log(String(report));
 * if (!report.ok) process.exitCode = 1;
 */
export async function checkInstances(hub: HistorySource, programs: CheckPrograms, options: CheckOptions = {}): Promise<CheckReport> {
  const { query = {} } = options;
  const histories = hub.histories({ ...query, status: openOf(query.status) });
  const survey = surveyVersions(programs.defaultVersion ?? histories.rules.defaultVersion);
  const world = {
    ...replayWorld(programs, histories.rules, options),
    observe: survey.observe,
  };
  const report = await replayAll(histories, world, {
    ...options,
    onResult: (result) => {
      if (result.verdict === "not-registered") survey.count(result.instance);
      options.onResult?.(result);
    },
  });
  const gates = survey.gates();
  const unneededGates = gates.filter((gate) => gate.settled && gate.newInstances);
  return {
    ...report,
    gates,
    unneededGates,
    versionReaders: survey.readers(),
    openVersions: survey.versions(),
    toString: () => [report.toString(), ...unneededGates.map(gateText)].join("\n"),
  };
}

/** The statuses that are asked for, which have to be open ones. */
function openOf(asked: InstanceStatus | readonly InstanceStatus[] | undefined): readonly InstanceStatus[] {
  if (asked === undefined) return OPEN;
  const wanted: readonly InstanceStatus[] = typeof asked === "string" ? [asked] : asked;
  if (wanted.length > 0 && wanted.every((status) => OPEN.includes(status))) return wanted;
  throw new InvalidArgumentError(
    `checkInstances looks at open instances: query.status may be ${OPEN.join(", ")}; got ${wanted.join(", ") || "none"}. For finished ones use replay(hub.histories(...)).`,
  );
}

function gateText({ orchestrator, definitionVersion, gate, place, openInstances }: VersionGate): string {
  const which = definitionVersion === undefined ? "" : ` (version ${definitionVersion})`;
  const where = place === undefined ? "" : ` at ${place}`;
  return (
    `- no longer needed: isVersionAtLeast("${gate}") of '${orchestrator}'${which}${where}. ` +
    `All ${openInstances.atLeast} open instances are of this version or a newer one, and so is a new one. The branch for older versions can be deleted.`
  );
}
