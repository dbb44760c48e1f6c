// begin-program: an execution's program, made to run in this process: told apart from others' code, sharing one standstill with its neighbours.
//
// Always:  a worker and a replay of recorded histories begin their programs here, so that what a replay says is true of the worker.

import type { OrchestratorDefinition } from "../authoring/define.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import type { ExecutionId, InstanceId } from "../contract/ids.ts";
import { given } from "../contract/recorded-as.ts";
import type { Execution, ExecutionObserver, ExecutionOptions, TurnLimits } from "../executor/execution.ts";
import { createExecution } from "../executor/run-turn.ts";
import { programScope } from "../platform/program-scope.ts";
import type { Standstill } from "../platform/standstill.ts";

/** The limits of a turn where a hub says nothing else. */
export const DEFAULT_LIMITS: TurnLimits = { payloadBytes: 4 * 1024 * 1024, customStatusBytes: 16 * 1024, actionsPerTurn: 100_000 };

/** What programs are begun with. */
export interface ProgramWorld {
  readonly converter: PayloadConverter;
  readonly limits: TurnLimits;
  readonly standstill: Standstill;
  readonly log: ExecutionOptions["log"];
  /** Child starts that name no version get this one. */
  readonly defaultVersion?: string | undefined;
}

/** The program of an execution. */
export function beginProgram(
  world: ProgramWorld,
  of: { readonly instanceId: InstanceId; readonly executionId: ExecutionId },
  orchestrator: OrchestratorDefinition,
  observer?: ExecutionObserver,
): Execution {
  const { converter, limits, log, standstill, defaultVersion } = world;
  const enter = programScope({ reportUnhandled: (reason) => execution.reportUnhandled(reason) });
  const execution = createExecution({
    instanceId: of.instanceId,
    executionId: of.executionId,
    orchestrator,
    converter,
    limits,
    settle: standstill.settle,
    breathe: standstill.breathe,
    enter,
    log,
    ...given({ defaultVersion, observer }),
  });
  return execution;
}
