// tell-parent: how a child's end reaches its parent.
//
// Always:  S1 one message, which only the parent's execution that waits for the child receives; none where the call has had its answer.

import type { HistoryEvent } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import type { InstanceRecord, ParentLink, TerminalStatus } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";
import { given } from "../contract/recorded-as.ts";

/** In place of the call's number: it has had its answer. */
const ANSWERED = -1;

/** The link of a child that goes on although the end of it was told: it stays its parent's child, and nobody waits for it. */
export function answered(parent: ParentLink): ParentLink {
  return { ...parent, taskScheduledId: ANSWERED };
}

/** How a child's end reaches its parent: one message, which only the parent's execution that started it receives (S1). */
export function tellParent(
  record: InstanceRecord,
  status: TerminalStatus,
  end: { readonly output?: string; readonly failure?: Failure },
  at: Instant,
): readonly Message[] {
  const { parent } = record;
  if (parent === undefined || parent.taskScheduledId === ANSWERED) return [];
  const common = { eventId: -1, timestamp: at, taskScheduledId: parent.taskScheduledId };
  const event: HistoryEvent =
    status === "COMPLETED"
      ? { kind: "SubOrchestrationInstanceCompleted", ...common, ...given({ result: end.output }) }
      : { kind: "SubOrchestrationInstanceFailed", ...common, failure: end.failure ?? failureWithout(record, status, end.output) };
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

/** A child's end that tells no failure of its own: it was terminated, or its worker said no more than that it failed. */
function failureWithout({ name, id }: InstanceRecord, status: "FAILED" | "TERMINATED", output: string | undefined): Failure {
  const what = `The sub-orchestration '${name}' (${id})`;
  if (status === "FAILED") return { errorType: "OrchestrationFailed", message: `${what} failed; its worker did not say why.` };
  return { errorType: "OrchestrationTerminated", message: `${what} was terminated${output === undefined ? "" : ` with ${output}`}.` };
}
