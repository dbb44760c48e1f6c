// tell-parent: how a child's end reaches its parent.
//
// Always:  S1 one message, which only the parent's execution that waits for the child receives.

import type { HistoryEvent } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import type { InstanceRecord, TerminalStatus } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";
import { given } from "../contract/recorded-as.ts";

/** How a child's end reaches its parent: one message, which only the parent's execution that started it receives (S1). */
export function tellParent(
  record: InstanceRecord,
  status: TerminalStatus,
  end: { readonly output?: string; readonly failure?: Failure },
  at: Instant,
): readonly Message[] {
  const { parent } = record;
  if (parent === undefined) return [];
  const common = { eventId: -1, timestamp: at, taskScheduledId: parent.taskScheduledId };
  const event: HistoryEvent =
    status === "COMPLETED"
      ? { kind: "SubOrchestrationInstanceCompleted", ...common, ...given({ result: end.output }) }
      : { kind: "SubOrchestrationInstanceFailed", ...common, failure: end.failure ?? terminationFailure(record, end.output) };
  return [
    {
      id: `${record.executionId}:end`,
      to: parent.instanceId,
      execution: parent.executionId,
      wakes: "unless-held",
      needs: "program",
      event,
    },
  ];
}

function terminationFailure(record: InstanceRecord, output: string | undefined): Failure {
  return {
    errorType: "OrchestrationTerminated",
    message: `The sub-orchestration '${record.name}' (${record.id}) was terminated${output === undefined ? "" : ` with ${output}`}.`,
  };
}
