// settling: an outcome of the worker's becomes an answer to the server.
//
// Owns:    which call an outcome is, to whom; what is said when the server can never take it as it is.
// Always:  SE1 what the server does not want is settled: the work is somebody else's by then.
//          SE2 an answer that is too large does not leave its work hanging: the activity fails, the turn is set aside, the batch goes back, each
//              with the reason.

import { PayloadTooLargeError } from "ostinato";
import type { Action, ActivityOutcome, EntityOutcome, OrchestrationOutcome } from "ostinato/contract";
import { encodeEntityAbandon, encodeEntityOutcome } from "../codec/entity-batches.ts";
import { writeRequest, type MethodName, type RequestOf } from "../codec/messages.ts";
import {
  encodeActivityAbandon,
  encodeActivityOutcome,
  encodeOrchestrationAbandon,
  encodeTurnOutcome,
  isAbandon,
} from "../codec/outcomes.ts";
import type { WireError } from "../transport/wire-error.ts";
import { withFacts } from "./foreign-calls.ts";
import { withReleases } from "./foreign-sections.ts";
import type { Link, LinkParts, TryOptions } from "./link.ts";
import { post, type Posted } from "./outcome-post.ts";
import { isEntity, isTurn, type ActivityInHand, type EntityInHand, type InHand, type TurnInHand } from "./work-in-hand.ts";

/** Whether the server has taken an outcome. */
export type Settled = "taken" | "not-taken";

/** Sends outcomes. */
export interface Settling {
  /** @throws PayloadTooLargeError, or the server's refusal; the turn is set aside then. */
  turn(work: TurnInHand, outcome: OrchestrationOutcome): Promise<Settled>;
  activity(work: ActivityInHand, outcome: ActivityOutcome): Promise<Settled>;
  entity(work: EntityInHand, outcome: EntityOutcome): Promise<Settled>;
  /** The instance goes on under another history. */
  rewound(work: TurnInHand, action: Extract<Action, { kind: "rewindOrchestration" }>): Promise<Settled>;
  /** Gives work back: one try, since a stream that has ended gives everything back. */
  giveBack(work: InHand, reason: string, begun?: "begun"): Promise<void>;
}

/** The largest message that servers of the family are known to take. */
const USUAL_LIMIT_BYTES = 3_900_000;
const GIVE_BACK_DEADLINE_MS = 2_000;

/** Sends outcomes over a line, until `stopped`. */
export function createSettling(
  link: Link,
  parts: Pick<LinkParts, "clock" | "random" | "log" | "counters">,
  extra: TryOptions,
  stopped: AbortSignal,
): Settling {
  const { clock, log, counters } = parts;
  let saysNothing = false;

  const send = <M extends MethodName>(method: M, request: RequestOf<M>): Promise<Posted> =>
    post(link, parts, (options) => link.unary(method, request, { ...extra, ...options, together: true }), stopped);

  const settled = (work: InHand, posted: Exclude<Posted, { kind: "refused" }>): Settled => {
    if (posted.kind === "unwanted") {
      counters.add("outcomesUnwanted");
      log.info(`${nameOf(work)} is somebody else's by now: ${posted.error.message}`, { instanceId: idOf(work) });
    }
    return posted.kind === "taken" ? "taken" : "not-taken";
  };

  const abandonTurn = async (work: TurnInHand, outcome: OrchestrationOutcome): Promise<Settled> => {
    const posted = await send("AbandonTaskOrchestratorWorkItem", encodeOrchestrationAbandon(outcome, work.wireToken, work.peer));
    return posted.kind === "refused" ? unabandoned(posted.error) : settled(work, posted);
  };
  /** Some servers have no call for it: they see for themselves when a worker does not answer. */
  const unabandoned = (error: WireError): Settled => {
    if (!saysNothing) log.warn(`${link.where} does not take work back (${error.message}): what is not done waits until it sees for itself`);
    saysNothing = true;
    return "not-taken";
  };

  const sendTurn = async (
    work: TurnInHand,
    outcome: Exclude<OrchestrationOutcome, { kind: "abandoned" }>,
  ): Promise<Posted & { readonly bytes: number }> => {
    const { item, wireToken, peer, lineage } = work;
    const told =
      outcome.kind === "turn" && peer === "family"
        ? { ...outcome, actions: withFacts(withReleases(outcome.actions, item), lineage) }
        : outcome;
    const response = encodeTurnOutcome(told, { instanceId: item.instanceId, executionId: item.executionId, token: wireToken }, peer);
    const posted = await send("CompleteOrchestratorTask", response);
    return { ...posted, bytes: posted.kind === "refused" ? writeRequest("CompleteOrchestratorTask", response).length : 0 };
  };
  const answerTurn = async (work: TurnInHand, outcome: Exclude<OrchestrationOutcome, { kind: "abandoned" }>): Promise<Settled> => {
    const posted = await sendTurn(work, outcome);
    if (posted.kind !== "refused") return settled(work, posted);
    const error = refusal(`The outcome of ${nameOf(work)}`, posted.error, posted.bytes, link.where);
    const stall = { kind: "stalled", token: outcome.token, stall: { kind: "set-aside", reason: error.message } } as const;
    if (work.peer === "ours") await sendTurn(work, stall);
    else await abandonTurn(work, stall);
    throw error;
  };

  return {
    turn(work, outcome) {
      if (outcome.kind === "abandoned" || isAbandon(outcome, work.peer)) return abandonTurn(work, outcome);
      return answerTurn(work, outcome);
    },
    rewound: (work, action) => answerTurn(work, { kind: "turn", token: work.item.token, actions: [action] }),
    async activity(work, outcome) {
      const { item, wireToken, peer } = work;
      if (outcome.kind === "abandoned") {
        const posted = await send("AbandonTaskActivityWorkItem", encodeActivityAbandon(outcome, wireToken, peer));
        return posted.kind === "refused" ? unabandoned(posted.error) : settled(work, posted);
      }
      const answered = { instanceId: item.instanceId, taskId: item.taskId, token: wireToken };
      const response = encodeActivityOutcome(outcome, answered, peer);
      const posted = await send("CompleteActivityTask", response);
      if (posted.kind !== "refused") return settled(work, posted);
      const bytes = writeRequest("CompleteActivityTask", response).length;
      const error = refusal(`The outcome of ${nameOf(work)}`, posted.error, bytes, link.where);
      log.error(error.message, { instanceId: item.instanceId, error });
      const failed: ActivityOutcome = {
        kind: "failed",
        token: outcome.token,
        failure: { errorType: error.name, message: error.message, nonRetriable: true },
      };
      const again = await send("CompleteActivityTask", encodeActivityOutcome(failed, answered, peer));
      if (again.kind === "refused") throw error;
      return settled(work, again);
    },
    async entity(work, outcome) {
      const { wireToken, infos, peer } = work;
      const answered = { token: wireToken, infos, now: clock.now() };
      if (outcome.kind === "abandoned") {
        const posted = await send("AbandonTaskEntityWorkItem", encodeEntityAbandon(outcome, wireToken, peer));
        return posted.kind === "refused" ? unabandoned(posted.error) : settled(work, posted);
      }
      const message = encodeEntityOutcome(outcome, answered, peer);
      const posted = await send("CompleteEntityTask", message);
      if (posted.kind !== "refused") return settled(work, posted);
      const bytes = writeRequest("CompleteEntityTask", message).length;
      const error = refusal(`The outcome of ${nameOf(work)}`, posted.error, bytes, link.where);
      log.error(error.message, { instanceId: work.item.entityId, error });
      const failed: EntityOutcome = { kind: "failed", token: outcome.token, failure: { errorType: error.name, message: error.message } };
      const again = await send("CompleteEntityTask", encodeEntityOutcome(failed, answered, peer));
      if (again.kind === "refused") throw error;
      return settled(work, again);
    },
    async giveBack(work, reason, begun) {
      const { item, wireToken, peer } = work;
      counters.add("itemsTurnedDown");
      const options = { ...extra, timeoutMs: GIVE_BACK_DEADLINE_MS };
      try {
        if (isTurn(work)) {
          const request = encodeOrchestrationAbandon({ kind: "abandoned", token: item.token, reason }, wireToken, peer);
          await link.unary("AbandonTaskOrchestratorWorkItem", request, options);
        } else if (isEntity(work)) {
          const request = encodeEntityAbandon({ kind: "abandoned", token: item.token, delayMs: 0, reason }, wireToken, peer);
          await link.unary("AbandonTaskEntityWorkItem", request, options);
        } else {
          // What nobody has begun is no sign of a crash, and does not count as a delivery.
          const outcome: ActivityOutcome = { kind: "abandoned", token: item.token, delayMs: 0, undone: begun === undefined };
          const request = encodeActivityAbandon(outcome, wireToken, peer);
          await link.unary("AbandonTaskActivityWorkItem", request, options);
        }
      } catch (error) {
        log.info(`${nameOf(work)} could not be given back: ${String((error as Error).message)}`, { instanceId: idOf(work) });
      }
    },
  };
}

function nameOf({ item }: InHand): string {
  if (item.kind === "entity") return `a batch of the entity '${item.entityId}'`;
  return item.kind === "orchestration" ? `a turn of '${item.name}'` : `the activity '${item.name}'`;
}

function idOf({ item }: InHand): string {
  return item.kind === "entity" ? item.entityId : item.instanceId;
}

/** Why an outcome can never be taken, in words. */
function refusal(what: string, error: WireError, bytes: number, where: string): Error {
  if (error.status === "RESOURCE_EXHAUSTED" || bytes > USUAL_LIMIT_BYTES)
    return new PayloadTooLargeError(
      `${what} makes a message of ${bytes} bytes, which the task hub at ${where} does not take (${error.message}). ` +
        "Store large values elsewhere and pass references, do less in one turn, or raise the server's limit.",
      { cause: error },
    );
  return new Error(`${what} was refused by the task hub at ${where}: ${error.message} (${error.status}).`, { cause: error });
}
