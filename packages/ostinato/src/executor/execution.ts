// execution: what the worker sees of the executor.
//
// Owns:    the value that stands for one running program of one execution.
// Is told: everything it needs when it is made (ids, the program, how to come to a standstill); events by `advance`.
// Tells:   actions, or why the program cannot go on.
// Always:  X1 one event is delivered, the program comes to a standstill, the next event follows: the same path live and on replay.
//          X2 events delivered in one call or in many, kept or replayed from the start, give the same actions (H6).
//          X3 after `close` no task of the program is ever settled and no action comes out.

import type { Action, CompleteOrchestration } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { ExecutionId, InstanceId } from "../contract/ids.ts";
import type { Stall } from "../contract/instance.ts";
import type { OrchestratorDefinition } from "../authoring/define.ts";
import type { PayloadConverter } from "../authoring/payload.ts";
import type { ToldDifference } from "./determinism.ts";

/** Limits on what a turn may produce. */
export interface TurnLimits {
  /** Payload bytes (UTF-8) of one input, output or event; 4 MiB. */
  readonly payloadBytes: number;
  /** Bytes of a custom status; 16 KiB. */
  readonly customStatusBytes: number;
  /** Actions of one turn; 100,000 (R7). */
  readonly actionsPerTurn: number;
}

/** A log line of the program's replay-safe logger. */
export interface ProgramLogRecord {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly instanceId: InstanceId;
}

/** What an execution is made of. */
export interface ExecutionOptions {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly orchestrator: OrchestratorDefinition;
  /** Child starts that name no version get this one. */
  readonly defaultVersion?: string;
  readonly converter: PayloadConverter;
  readonly limits: TurnLimits;
  /** Resolves when every microtask has run (given by the worker, which shares one drain between many executions). */
  readonly settle: () => Promise<void>;
  /** Asked now and then between two events: a promise to wait for when the loop of the platform is due. */
  readonly breathe?: () => Promise<void> | undefined;
  /** Runs user code so that its unhandled rejections can be told from others'. */
  readonly enter: <T>(run: () => T) => T;
  readonly log: (record: ProgramLogRecord) => void;
  /** Who watches; nobody by default, which costs nothing. */
  readonly observer?: ExecutionObserver;
}

/** Watches a program while it is replayed, and changes nothing by it. */
export interface ExecutionObserver {
  /** The program asked for its version: whether it is at least `gate`, or (without one) what it is. `place` is where in the program, when it is known. */
  askedVersion?(gate: string | undefined, place: string | undefined): void;
  /** The program ended in its replay, as this says. */
  endedInReplay?(completion: CompleteOrchestration): void;
}

/** What came of advancing. */
export type TurnResult =
  | {
      readonly kind: "turn";
      readonly actions: readonly Action[];
      readonly customStatus?: string | null;
      readonly acceptedInput?: string;
      readonly awaitedEvents?: readonly string[];
      /** The program has completed, failed or continues as new: nothing more will come of it. */
      readonly ended: boolean;
    }
  | {
      readonly kind: "stalled";
      readonly stall: Pick<Stall, "kind" | "reason">;
      /** Of a replay that differs: the parts of the reason. */
      readonly difference?: ToldDifference;
    };

/** One running program. */
export interface Execution {
  /** Replays `past` (only on a fresh execution; empty otherwise), then delivers `newEvents`, and tells what the program asked for in them. */
  advance(past: readonly HistoryEvent[], newEvents: readonly HistoryEvent[]): Promise<TurnResult>;
  /** Events seen so far, plus the events that record its actions: the length of the history once the last turn is committed. */
  readonly historyLength: number;
  /** The bytes it counts for while kept: 4 KiB plus the payloads delivered so far. */
  readonly keptBytes: number;
  /** A rejection nobody handled that belongs to this program (the worker's listener found it). */
  reportUnhandled(reason: unknown): void;
  close(): void;
}
