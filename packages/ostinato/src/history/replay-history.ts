// replay-history: one history, replayed with today's code, and what is to be said of it.
//
// Owns:    which events the program is given, how long it may take, and the comparison of its end with the recorded one.
// Is told: a document; a registry, and how programs are begun.
// Always:  R1 the program is chosen, begun and replayed by the worker's own ways; no activity is called, nothing is written, nothing is logged.
//          R2 an end that was not the program's doing (terminated, refused for its version) is not compared: the program is replayed up to it.
//          R3 a failure is compared by its type and message: stacks tell where code stands.

import type { OrchestratorDefinition } from "../authoring/define.ts";
import type { CompleteOrchestration } from "../contract/actions.ts";
import type { ExecutionCompleted, ExecutionStarted, HistoryEvent } from "../contract/events.ts";
import { type Failure, toFailure } from "../contract/failure.ts";
import type { Execution, ExecutionObserver, TurnResult } from "../executor/execution.ts";
import { type Clock, sleep } from "../platform/clock.ts";
import { beginProgram, type ProgramWorld } from "../worker/begin-program.ts";
import type { Registry } from "../worker/registry.ts";
import type { HistoryDocument, InstanceFacts } from "./document.ts";
import type { FailedReplay, OutcomeDifference, ReplayResult } from "./report.ts";

/** What replays work with. */
export interface ReplayWorld {
  readonly registry: Registry;
  readonly programs: ProgramWorld;
  readonly clock: Clock;
  /** How long one replay may take. */
  readonly timeoutMs: number;
  /** Who watches the replay of a history by this program. */
  readonly observe?: (instance: InstanceFacts, orchestrator: OrchestratorDefinition) => NonNullable<ExecutionObserver["askedVersion"]>;
}

/** The recorded end of a finished execution, with its number in the history. */
interface RecordedEnd {
  readonly event: ExecutionCompleted;
  readonly number: number;
}

/** What a program is given of its history, and the end that it has to come to. */
interface Plan {
  readonly past: readonly HistoryEvent[];
  readonly fresh: readonly HistoryEvent[];
  readonly end: RecordedEnd | undefined;
}

const NO_EVENTS: readonly HistoryEvent[] = [];
const TIMED_OUT: unique symbol = Symbol("timed out");

const timedOut = (): typeof TIMED_OUT => TIMED_OUT;

/** The most characters of a payload that a message shows. */
const SHOWN = 200;

/** Replays one history. Never rejects. */
export async function replayHistory(world: ReplayWorld, document: HistoryDocument): Promise<ReplayResult> {
  const { instance } = document;
  const failed = (reason: string): FailedReplay => ({ verdict: "failed-to-run", instance, reason });
  if (document.payloads === "omitted") {
    return failed(
      'It was exported without its payloads, and a program cannot be replayed without what it was given. Export it with them ({ payloads: "keep" }).',
    );
  }
  const choice = world.registry.orchestrator(instance.name, instance.version ?? "");
  if (choice.kind !== "found") return { verdict: "not-registered", instance, reason: choice.reason };
  const { orchestrator } = choice;
  const plan = planOf(document.events, orchestrator);
  let reached: CompleteOrchestration | undefined;
  const askedVersion = world.observe?.(instance, orchestrator);
  let result: TurnResult | typeof TIMED_OUT;
  try {
    const execution = beginProgram(world.programs, { instanceId: instance.id, executionId: instance.executionId }, orchestrator, {
      endedInReplay: (completion) => (reached = completion),
      ...(askedVersion === undefined ? {} : { askedVersion }),
    });
    result = await within(world, execution, plan);
  } catch (error) {
    return failed(`The replay broke off: ${toFailure(error).message}`);
  }
  if (result === TIMED_OUT) return failed(tooSlow(instance.name, world.timeoutMs));
  if (result.kind === "turn") {
    const last = result.actions.at(-1);
    if (last?.kind === "completeOrchestration") reached = last;
    const difference = plan.end && compareEnds(plan.end, reached);
    if (difference === undefined) return { verdict: "same", instance };
    const reason = `The orchestrator '${instance.name}' comes to another end than its history has: recorded is ${difference.recorded}, but now the program ${difference.now}.`;
    return { verdict: "different", instance, difference, reason };
  }
  const { stall, difference } = result;
  if (difference !== undefined)
    return { verdict: "different", instance, difference: { kind: "call", ...difference }, reason: stall.reason };
  // It was recorded that it waits for what is not durable, and it still does.
  if (plan.end?.event.failure?.errorType === "NonDurableWaitError") return { verdict: "same", instance };
  return failed(stall.reason);
}

/** Advances the program, for as long as it may take. */
async function within(world: ReplayWorld, execution: Execution, { past, fresh }: Plan): Promise<TurnResult | typeof TIMED_OUT> {
  const enough = new AbortController();
  const tooLong = sleep(world.clock, world.timeoutMs, { hold: true, signal: enough.signal }).then(timedOut, timedOut);
  const advanced = execution.advance(past, fresh);
  try {
    return await Promise.race([advanced, tooLong]);
  } finally {
    enough.abort();
    execution.close();
    advanced.catch(() => undefined); // closed in the middle, it has nothing more to say
  }
}

// ---- what is given

function planOf(events: readonly HistoryEvent[], orchestrator: OrchestratorDefinition): Plan {
  const last = events.at(-1);
  if (last?.kind !== "ExecutionCompleted") return { past: events, fresh: NO_EVENTS, end: undefined };
  const end: RecordedEnd = { event: last, number: events.length };
  if (!isOwnEnd(last)) {
    const turn = events.findLastIndex((event) => event.kind === "OrchestratorStarted");
    return { past: events.slice(0, Math.max(turn, 0)), fresh: NO_EVENTS, end: undefined };
  }
  // A replay validates nothing. An input that was refused is therefore given as news, which is how it was refused.
  if (wasRefused(events, last, orchestrator)) return { past: NO_EVENTS, fresh: events.slice(0, -1), end };
  return { past: events, fresh: NO_EVENTS, end };
}

/** The program came to this end itself: nobody terminated it, and no limit or version stood in its way. */
function isOwnEnd({ status, failure }: ExecutionCompleted): boolean {
  if (status === "TERMINATED") return false;
  const why = failure?.errorType;
  return why !== "VersionMismatch" && why !== "NotRegisteredError" && why !== "TurnLimitError";
}

function wasRefused(events: readonly HistoryEvent[], end: ExecutionCompleted, orchestrator: OrchestratorDefinition): boolean {
  if (orchestrator.input === undefined || end.failure?.errorType !== "ValidationError") return false;
  const start = events.find((event): event is ExecutionStarted => event.kind === "ExecutionStarted");
  return start?.validated !== true && events.every((event) => event.eventId < 0);
}

// ---- the ends

function compareEnds({ event, number }: RecordedEnd, reached: CompleteOrchestration | undefined): OutcomeDifference | undefined {
  if (reached !== undefined && sameEnd(event, reached)) return undefined;
  const recorded = endText(event.status, event.result, event.failure);
  return { kind: "outcome", eventNumber: number, recorded, now: reached === undefined ? "does not end" : `ends as ${nowText(reached)}` };
}

function sameEnd(recorded: ExecutionCompleted, reached: CompleteOrchestration): boolean {
  return (
    recorded.status === reached.status &&
    recorded.result === reached.result &&
    recorded.failure?.errorType === reached.failure?.errorType &&
    recorded.failure?.message === reached.failure?.message
  );
}

function nowText({ status, result, failure }: CompleteOrchestration): string {
  return status === "CONTINUED_AS_NEW" ? "a new execution (continueAsNew)" : endText(status, result, failure);
}

function endText(status: string, result: string | undefined, failure: Failure | undefined): string {
  if (failure !== undefined) return `${status} with ${failure.errorType}: ${shortened(failure.message)}`;
  return result === undefined ? `${status} without a result` : `${status} with ${shortened(result)}`;
}

function shortened(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${text.length} characters)`;
}

function tooSlow(name: string, timeoutMs: number): string {
  return `The orchestrator '${name}' had not come to a standstill after ${timeoutMs} ms. It waits for something that never comes, or its history is very long (then raise \`timeout\`).`;
}
