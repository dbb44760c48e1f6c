// run-orchestration: an orchestration's work item becomes an outcome.
//
// Owns:    the choice between the kept program and a fresh one, and what is said when neither can go on.
// Is told: work items and forget notices, by the worker; programs, by the registry.
// Tells:   one Outcome for each item, whatever happens.
// Always:  O1 a kept program goes on only if it has seen exactly the events that the item says it has.
//          O2 of two turns of one instance at once (the first one's lease was lost), the first is never kept.
//          O3 a mistake of ours or of the program's never goes past here: the item is abandoned, with the reason.

import type { HistoryEvent } from "../contract/events.ts";
import { toFailure, type Failure } from "../contract/failure.ts";
import type { InstanceId } from "../contract/ids.ts";
import { given, type Writable } from "../contract/recorded-as.ts";
import type { VersionFailureStrategy } from "../contract/versions.ts";
import type { OrchestrationOutcome, OrchestrationWorkItem } from "../contract/work-items.ts";
import type { OrchestratorDefinition } from "../authoring/define.ts";
import type { Execution, TurnResult } from "../executor/execution.ts";
import type { Logger } from "../platform/logger.ts";
import type { OrchestratorChoice } from "./registry.ts";
import type { TurnCache } from "./turn-cache.ts";

/** What turns need of the worker. */
export interface TurnWorld {
  readonly choose: (name: string, version: string) => OrchestratorChoice;
  readonly versionFailure: VersionFailureStrategy;
  /** Makes the program of an execution. */
  readonly begin: (item: OrchestrationWorkItem, orchestrator: OrchestratorDefinition) => Execution;
  readonly cache: TurnCache;
  readonly breathe: () => Promise<void> | undefined;
  readonly log: Logger;
}

/** Runs turns. */
export interface TurnRunner {
  /** The item's outcome. Never rejects. */
  run(item: OrchestrationWorkItem): Promise<OrchestrationOutcome>;
  /** Forgets the instance's program, also when it is in a turn right now. */
  forget(instanceId: InstanceId): void;
  /** Turns running now. */
  readonly running: number;
}

interface RunningTurn {
  readonly instanceId: InstanceId;
  forgotten: boolean;
  /** Its place in the list of those that run. */
  seat: number;
}

/** Makes a runner of turns. */
export function createTurnRunner(world: TurnWorld): TurnRunner {
  const { cache } = world;
  const running: RunningTurn[] = [];

  const begin = (instanceId: InstanceId): RunningTurn => {
    const turn: RunningTurn = { instanceId, forgotten: false, seat: running.length };
    running.push(turn);
    return turn;
  };
  const end = (turn: RunningTurn): void => {
    const last = running.pop()!;
    if (last === turn) return;
    running[turn.seat] = last;
    last.seat = turn.seat;
  };
  const forgetRunning = (instanceId: InstanceId): void => {
    for (const turn of running) if (turn.instanceId === instanceId) turn.forgotten = true;
  };

  const run = async (item: OrchestrationWorkItem): Promise<OrchestrationOutcome> => {
    // Only a cold item can come while the instance is in a turn: its first one's lease was lost.
    if (!("kept" in item.past)) forgetRunning(item.instanceId);
    const turn = begin(item.instanceId);
    let execution: Execution | undefined;
    try {
      const breath = world.breathe();
      if (breath !== undefined) await breath;

      execution = cache.take(item.instanceId, item.executionId);
      if ("kept" in item.past) {
        if (execution?.historyLength !== item.past.kept) {
          execution?.close();
          cache.forget(item.instanceId);
          return { kind: "needs-history", token: item.token };
        }
        return conclude(item, turn, execution, await execution.advance([], item.newEvents));
      }
      execution?.close();
      execution = undefined;
      cache.forget(item.instanceId);
      const choice = world.choose(item.name, item.version ?? "");
      if (choice.kind !== "found") return turnDown(item, item.past.events, choice);
      execution = world.begin(item, choice.orchestrator);
      return conclude(item, turn, execution, await execution.advance(item.past.events, item.newEvents));
    } catch (error) {
      execution?.close();
      if (!turn.forgotten) cache.forget(item.instanceId);
      world.log.error(`a turn of '${item.name}' could not be run: ${toFailure(error).message}`, { instanceId: item.instanceId, error });
      return {
        kind: "abandoned",
        token: item.token,
        reason: `The turn could not be run: ${toFailure(error).message}`,
      };
    } finally {
      end(turn);
    }
  };

  /** What the item is answered with; the program is kept when it goes on and may. */
  const conclude = (item: OrchestrationWorkItem, turn: RunningTurn, execution: Execution, result: TurnResult): OrchestrationOutcome => {
    const { token } = item;
    if (result.kind === "stalled") {
      execution.close();
      if (!turn.forgotten) cache.forget(item.instanceId);
      return { kind: "stalled", token, stall: result.stall };
    }
    const outcome: Writable<Extract<OrchestrationOutcome, { kind: "turn" }>> = { kind: "turn", token, actions: result.actions };
    if (result.customStatus !== undefined) outcome.customStatus = result.customStatus;
    if (result.acceptedInput !== undefined) outcome.acceptedInput = result.acceptedInput;
    if (result.awaitedEvents !== undefined) outcome.awaitedEvents = result.awaitedEvents;
    if (result.ended || turn.forgotten) {
      execution.close();
      if (!turn.forgotten) cache.forget(item.instanceId);
      return outcome;
    }
    const keptBytes = cache.keep(item.instanceId, item.executionId, execution);
    if (keptBytes !== undefined) outcome.keptBytes = keptBytes;
    return outcome;
  };

  const turnDown = (
    item: OrchestrationWorkItem,
    past: readonly HistoryEvent[],
    choice: Exclude<OrchestratorChoice, { kind: "found" }>,
  ): OrchestrationOutcome => {
    const { token } = item;
    if (choice.kind === "version" && world.versionFailure === "fail") {
      return {
        kind: "turn",
        token,
        actions: [{ kind: "completeOrchestration", id: nextActionId(past), status: "FAILED", failure: versionFailure(choice.reason) }],
      };
    }
    return { kind: "abandoned", token, ...given({ reason: choice.reason }) };
  };

  return {
    run,
    forget(instanceId) {
      forgetRunning(instanceId);
      cache.forget(instanceId);
    },
    get running() {
      return running.length;
    },
  };
}

function versionFailure(message: string): Failure {
  return { errorType: "VersionMismatch", message, nonRetriable: true };
}

/** Ids of actions count up, and what happened to the instance has -1. */
function nextActionId(past: readonly HistoryEvent[]): number {
  return past.reduce((last, event) => Math.max(last, event.eventId), 0) + 1;
}
