// version-gates: where programs ask for their version, and whether anybody still needs the question.
//
// Owns:    the gates that replays of open instances met, and the answer that each open instance gets, whether or not it has come so far.
// Always:  G1 an answer is a matter of the instance's version alone, so it is known of those, too, that have not reached the gate yet.
//          G2 a gate is settled when every open instance of its program gets the same answer, and a new one as well.

import type { OrchestratorDefinition } from "../authoring/define.ts";
import { compareVersions } from "../contract/versions.ts";
import { given } from "../contract/recorded-as.ts";
import type { ExecutionObserver } from "../executor/execution.ts";
import type { InstanceFacts } from "./document.ts";

/** One `ctx.isVersionAtLeast(...)` of an orchestrator, with what the open instances are answered. */
export interface VersionGate {
  readonly orchestrator: string;
  /** The version of the definition, when it has one. */
  readonly definitionVersion?: string;
  /** The version that is asked about. */
  readonly gate: string;
  /** Where in the program it stands, when that is known. */
  readonly place?: string;
  /** How many open instances get which answer. */
  readonly openInstances: { readonly atLeast: number; readonly older: number };
  /** How many of them have asked so far. */
  readonly asked: number;
  /** What a new instance gets, started without a version of its own. */
  readonly newInstances: boolean;
  /** Everybody gets the same answer. Then one of the two branches can be deleted: the older one, when `newInstances` is true. */
  readonly settled: boolean;
}

/** How many open instances an orchestrator has of one version. */
export interface OpenVersion {
  readonly orchestrator: string;
  /** Absent for those without a version. */
  readonly version?: string;
  readonly openInstances: number;
}

/** Orchestrators that read `ctx.version` themselves: what they do with it, no gate can tell. */
export interface VersionReader {
  readonly orchestrator: string;
  readonly definitionVersion?: string;
  readonly place?: string;
}

/** What is found out about versions while instances are replayed. */
export interface VersionSurvey {
  /** Counts an open instance that this program serves, and watches its replay. */
  readonly observe: (instance: InstanceFacts, program: OrchestratorDefinition) => NonNullable<ExecutionObserver["askedVersion"]>;
  /** Counts an open instance that no program serves. */
  count(instance: InstanceFacts): void;
  gates(): readonly VersionGate[];
  versions(): readonly OpenVersion[];
  readers(): readonly VersionReader[];
}

interface ProgramSurvey {
  readonly versions: Map<string, number>;
  readonly gates: Map<string, { readonly place: string | undefined; asked: number }>;
  reader: { readonly place: string | undefined } | undefined;
}

/** Begins a survey. `defaultVersion` is what instances get that are started without a version. */
export function surveyVersions(defaultVersion: string | undefined): VersionSurvey {
  const programs = new Map<OrchestratorDefinition, ProgramSurvey>();
  const open = new Map<string, OpenVersion & { openInstances: number }>();

  const count = ({ name, version }: InstanceFacts): void => {
    const key = JSON.stringify([name, version ?? ""]);
    const entry = open.get(key);
    if (entry === undefined) open.set(key, { orchestrator: name, ...given({ version }), openInstances: 1 });
    else entry.openInstances += 1;
  };
  const surveyOf = (program: OrchestratorDefinition): ProgramSurvey => {
    let survey = programs.get(program);
    if (survey === undefined) programs.set(program, (survey = { versions: new Map(), gates: new Map(), reader: undefined }));
    return survey;
  };

  return {
    count,
    observe(instance, program) {
      count(instance);
      const survey = surveyOf(program);
      const version = instance.version ?? "";
      survey.versions.set(version, (survey.versions.get(version) ?? 0) + 1);
      const asked = new Set<string>();
      return (gate, place) => {
        if (gate === undefined) {
          survey.reader ??= { place };
          return;
        }
        if (asked.has(gate)) return;
        asked.add(gate);
        const met = survey.gates.get(gate);
        if (met === undefined) survey.gates.set(gate, { place, asked: 1 });
        else met.asked += 1;
      };
    },
    gates: () =>
      [...programs].flatMap(([program, { versions, gates }]) =>
        [...gates].map(([gate, { place, asked }]) => {
          const atLeast = [...versions].reduce((sum, [version, n]) => sum + (compareVersions(version, gate) >= 0 ? n : 0), 0);
          const older = [...versions.values()].reduce((sum, n) => sum + n, 0) - atLeast;
          const newInstances = compareVersions(program.version ?? defaultVersion ?? "", gate) >= 0;
          return {
            orchestrator: program.name,
            gate,
            openInstances: { atLeast, older },
            asked,
            newInstances,
            settled: newInstances ? older === 0 : atLeast === 0,
            ...given({ definitionVersion: program.version, place }),
          };
        }),
      ),
    versions: () => [...open.values()],
    readers: () =>
      [...programs].flatMap(([program, { reader }]) =>
        reader === undefined ? [] : [{ orchestrator: program.name, ...given({ definitionVersion: program.version, place: reader.place }) }],
      ),
  };
}
