// calls: what a program asked for, with what became of it.
//
// Is told: the history of one execution.
// Always:  pure. Attempts are told from their traces: a history says that a call failed, that a timer was set then, and that the same call was
//          made again when it fired; a program that does so by hand looks the same, and is the same to a reader.
import type { Failure, HistoryEvent } from "ostinato";

/** A call of an activity, a child or an entity, a lock that is asked for, or a timer. */
export interface Call {
  readonly kind: "activity" | "child" | "entity" | "lock" | "timer";
  readonly id: number;
  /** An activity's, orchestrator's or operation's name; empty for a lock and a timer. */
  readonly name: string;
  /** The entities that are called or locked. */
  readonly entities?: readonly string[];
  /** What the answer of an entity, or of a lock, carries: it names no number. */
  readonly requestId?: string;
  /** The child's instance. */
  readonly instanceId?: string;
  /** When a timer is due. */
  readonly fireAt?: number;
  readonly askedAt: number;
  readonly askedInTurn: number;
  /** From 1; a timer has none. */
  readonly attempt: number;
  /** The id of the first attempt. */
  readonly firstId: number;
  /** A timer that was set in the turn in which this call failed. */
  readonly after?: Call;
  end?: {
    readonly how: "completed" | "failed" | "fired" | "cancelled" | "granted";
    readonly at: number;
    readonly turn: number;
    readonly failure?: Failure;
  };
}

/** The calls of a history by their ids, in the order in which they were asked for. */
export function callsOf(history: readonly HistoryEvent[]): ReadonlyMap<number, Call> {
  const calls = new Map<number, Call>();
  const signatures = new Map<number, string>();
  /** What answers carry, and the call that it names. */
  const requests = new Map<string, number>();
  let turn = 0;
  /** Calls that failed in this turn and those whose timer fired in it: each may be tried again now. */
  let triable: Call[] = [];
  /** Failures of this turn to which no timer belongs yet. */
  let untimed: Call[] = [];

  const end = (id: number, how: NonNullable<Call["end"]>["how"], at: number, failure?: Failure): Call | undefined => {
    const call = calls.get(id);
    if (call !== undefined) call.end = { how, at, turn, ...(failure === undefined ? {} : { failure }) };
    return call;
  };
  const failed = (id: number, at: number, failure: Failure): void => {
    const call = end(id, "failed", at, failure);
    if (call === undefined) return;
    triable.push(call);
    untimed.push(call);
  };
  const ask = (call: Omit<Call, "attempt" | "firstId" | "askedInTurn">, signature: string): void => {
    const before = triable.find((each) => signatures.get(each.id) === signature);
    if (before !== undefined) triable = triable.filter((each) => each !== before);
    signatures.set(call.id, signature);
    calls.set(call.id, { ...call, askedInTurn: turn, attempt: (before?.attempt ?? 0) + 1, firstId: before?.firstId ?? call.id });
  };

  for (const event of history) {
    const { eventId: id, timestamp: at } = event;
    switch (event.kind) {
      case "OrchestratorStarted":
        turn++;
        triable = [];
        untimed = [];
        break;
      case "TaskScheduled":
        ask({ kind: "activity", id, name: event.name, askedAt: at }, JSON.stringify([event.name, event.version, event.input]));
        break;
      case "SubOrchestrationInstanceCreated":
        ask(
          { kind: "child", id, name: event.name, instanceId: event.instanceId, askedAt: at },
          JSON.stringify([event.name, event.instanceId]),
        );
        break;
      case "EntityOperationCalled":
        requests.set(event.requestId, id);
        ask(
          { kind: "entity", id, name: event.operation, entities: [event.entityId], requestId: event.requestId, askedAt: at },
          JSON.stringify([event.entityId, event.operation, event.input]),
        );
        break;
      case "EntityLockRequested":
        requests.set(event.criticalSectionId, id);
        ask(
          { kind: "lock", id, name: "", entities: event.lockSet, requestId: event.criticalSectionId, askedAt: at },
          JSON.stringify(event.lockSet),
        );
        break;
      case "EntityOperationCompleted":
        end(requests.get(event.requestId) ?? -1, "completed", at);
        break;
      case "EntityOperationFailed":
        failed(requests.get(event.requestId) ?? -1, at, event.failure);
        break;
      case "EntityLockGranted":
        // One that was taken back may be granted all the same: nobody waits for it.
        if (calls.get(requests.get(event.criticalSectionId) ?? -1)?.end === undefined)
          end(requests.get(event.criticalSectionId) ?? -1, "granted", at);
        break;
      case "EntityUnlockSent": {
        // A lock that is let go before it was granted is taken back.
        const lock = requests.get(event.criticalSectionId);
        if (lock !== undefined && calls.get(lock)?.end === undefined) end(lock, "cancelled", at);
        break;
      }
      case "TimerCreated": {
        const after = untimed.shift();
        const call: Call = { kind: "timer", id, name: "", fireAt: event.fireAt, askedAt: at, askedInTurn: turn, attempt: 0, firstId: id };
        calls.set(id, after === undefined ? call : { ...call, after });
        break;
      }
      case "TimerFired": {
        const timer = end(event.timerId, "fired", at);
        if (timer?.after !== undefined) triable.push(timer.after);
        break;
      }
      case "TimerCancelled":
        end(event.timerId, "cancelled", at);
        break;
      case "TaskCompleted":
      case "SubOrchestrationInstanceCompleted":
        end(event.taskScheduledId, "completed", at);
        break;
      case "TaskFailed":
      case "SubOrchestrationInstanceFailed":
        failed(event.taskScheduledId, at, event.failure);
        break;
      case "ExecutionRewound":
        // What failed, and what was open then, is asked for again by the turn that goes on.
        for (const call of calls.values()) {
          if (call.end === undefined) end(call.id, "cancelled", at);
          if (call.end?.how === "failed" || (call.end?.how === "cancelled" && call.end.turn === turn)) triable.push(call);
        }
        break;
      case "ExecutionStarted":
      case "ExecutionCompleted":
      case "ExecutionSuspended":
      case "ExecutionResumed":
      case "ExecutionTerminated":
      case "EventSent":
      case "EventRaised":
      case "EntityOperationSignaled":
        break;
    }
  }
  return calls;
}

/** What is still open, in the order in which it was asked for. */
export function openCalls(history: readonly HistoryEvent[]): readonly Call[] {
  return [...callsOf(history).values()].filter((call) => call.end === undefined);
}
