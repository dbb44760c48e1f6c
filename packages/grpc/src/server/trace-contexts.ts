// trace-contexts: what workers said last of the span of an execution, to be said to them again with its next turn.
//
// Always:  TC1 bounded, in number and in length: the one that was not heard of for longest goes first. A span that is forgotten is begun anew by
//             the worker.

import type { OrchestrationTraceContext } from "../generated/task_hub_sidecar_pb.js";
import { weightOf } from "./weight.ts";

/** An execution of an instance. */
export interface ExecutionName {
  readonly instanceId: string;
  readonly executionId: string;
}

/** The spans of executions. */
export interface TraceContexts {
  of(execution: ExecutionName): OrchestrationTraceContext | undefined;
  remember(execution: ExecutionName, context: OrchestrationTraceContext | undefined): void;
  forget(execution: ExecutionName): void;
}

const REMEMBERED = 10_000;
/** A span and its trace have some hundred bytes. */
const LONGEST_WEIGHT = 8_192;

/** Remembers the spans of executions. */
export function createTraceContexts(): TraceContexts {
  const contexts = new Map<string, OrchestrationTraceContext>();
  return {
    of: (execution) => contexts.get(keyOf(execution)),
    remember(execution, context) {
      if (context === undefined) return;
      const key = keyOf(execution);
      contexts.delete(key);
      if (weightOf(context) > LONGEST_WEIGHT) return;
      contexts.set(key, context);
      if (contexts.size <= REMEMBERED) return;
      const [oldest] = contexts.keys();
      contexts.delete(oldest!);
    },
    forget: (execution) => void contexts.delete(keyOf(execution)),
  };
}

// No id has a control character.
function keyOf({ instanceId, executionId }: ExecutionName): string {
  return `${instanceId}\n${executionId}`;
}
