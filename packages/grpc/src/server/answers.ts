// answers: what workers send back for the items they were handed.
//
// Owns:    to which item an answer belongs, and whether it is one.
// Tells:   the item's stream what became of it.
// Always:  AN1 an answer is applied once; the same one again is accepted and does nothing (PC 2.5).
//          AN2 an answer that names another instance than its token stands for, or asks for what its caller may not, is refused as a whole.
//          AN3 the parts of an answer are applied together, or not at all. What waits for its last part is bounded.

import {
  decodeActivityAbandon,
  decodeActivityOutcome,
  decodeOrchestrationAbandon,
  decodeTurnOutcome,
  joinChunks,
} from "../codec/outcomes.ts";
import { replyWith, writeRequest } from "../codec/messages.ts";
import { decodeEntityAbandon, decodeEntityOutcome } from "../codec/entity-batches.ts";
import type { OrchestrationOutcome } from "ostinato/contract";
import type { OrchestratorResponse } from "../generated/task_hub_sidecar_pb.js";
import { WireError } from "../transport/wire-error.ts";
import { refusedAction, refusedEntityAction } from "./access.ts";
import type { Answer, CallContext } from "./call-context.ts";
import type { ServedHub } from "./task-hubs.ts";
import { addressOf, type Echo, type ItemOut, type TurnOut } from "./work-out.ts";

const MOST_PARTS = 1_000;
const MOST_PART_BYTES = 256 * 1_048_576;

/** The outcome of a turn. */
export const completeOrchestratorTask: Answer<"CompleteOrchestratorTask"> = async (response, context) => {
  const { hub, peer, caller } = context;
  const { instanceId, completionToken: token } = response;
  const out = await outFor({ kind: "orchestration", token, instanceId, caller: caller.name }, context);
  const whole = out && wholeOf(out, response, hub);
  if (out === undefined || whole === undefined) return replyWith("CompleteOrchestratorTask");
  const outcome = decodeTurnOutcome(whole, peer, {
    token: out.item.token,
    instanceId: out.item.instanceId,
    newExecutionId: () => hub.random.id(),
    now: hub.clock.now(),
  });
  refuseForbidden(outcome, context, out);
  if (outcome.kind === "turn" && outcome.actions.at(-1)?.kind === "completeOrchestration") hub.traces.forget(out.item);
  else hub.traces.remember(out.item, whole.orchestrationTraceContext);
  await settle(out, context, "completions", () => out.stream.answerTurn(out, outcome));
  return replyWith("CompleteOrchestratorTask");
};

/** The outcome of an activity. */
export const completeActivityTask: Answer<"CompleteActivityTask"> = async (response, context) => {
  const { peer, caller } = context;
  const { instanceId, taskId, completionToken: token } = response;
  const out = await outFor({ kind: "activity", token, instanceId, taskId, caller: caller.name }, context);
  if (out === undefined) return replyWith("CompleteActivityTask");
  const outcome = decodeActivityOutcome(response, peer, out.item.token);
  await settle(out, context, "completions", () => out.stream.answerActivity(out, outcome));
  return replyWith("CompleteActivityTask");
};

/** The outcome of a batch of an entity. */
export const completeEntityTask: Answer<"CompleteEntityTask"> = async (message, context) => {
  const { hub, peer, caller } = context;
  const out = await outFor({ kind: "entity", token: message.completionToken, instanceId: "", caller: caller.name }, context);
  if (out === undefined) return replyWith("CompleteEntityTask");
  const outcome = decodeEntityOutcome(message, peer, {
    token: out.item.token,
    operations: out.item.operations.length,
    newInstanceId: () => hub.random.id(),
    newExecutionId: () => hub.random.id(),
  });
  refuseIf(outcome.kind === "batch" ? refusedEntityAction(caller, outcome.actions) : undefined, context, out);
  await settle(out, context, "completions", () => out.stream.answerEntity(out, outcome));
  return replyWith("CompleteEntityTask");
};

/** A batch that the worker does not do. */
export const abandonEntity: Answer<"AbandonTaskEntityWorkItem"> = async (request, context) => {
  const { hub, peer, caller } = context;
  const found = hub.out.find({ kind: "entity", token: request.completionToken, instanceId: "", caller: caller.name });
  if (found.kind === "out") {
    const { out } = found;
    const outcome = decodeEntityAbandon(request, peer, out.item.token);
    await settle(out, context, "abandons", () => out.stream.answerEntity(out, outcome));
  }
  return replyWith("AbandonTaskEntityWorkItem");
};

/** A turn that the worker does not run. It is offered again, to another worker where there is one. */
export const abandonOrchestration: Answer<"AbandonTaskOrchestratorWorkItem"> = async (request, context) => {
  const { hub, peer, caller } = context;
  const found = hub.out.find({ kind: "orchestration", token: request.completionToken, instanceId: "", caller: caller.name });
  if (found.kind === "out") {
    const { out } = found;
    const outcome = decodeOrchestrationAbandon(request, peer, out.item.token);
    await settle(out, context, "abandons", () => out.stream.answerTurn(out, outcome));
  }
  return replyWith("AbandonTaskOrchestratorWorkItem");
};

/** An activity that the worker does not run. */
export const abandonActivity: Answer<"AbandonTaskActivityWorkItem"> = async (request, context) => {
  const { hub, peer, caller } = context;
  const found = hub.out.find({ kind: "activity", token: request.completionToken, instanceId: "", caller: caller.name });
  if (found.kind === "out") {
    const { out } = found;
    const outcome = decodeActivityAbandon(request, peer, out.item.token);
    await settle(out, context, "abandons", () => out.stream.answerActivity(out, outcome));
  }
  return replyWith("AbandonTaskActivityWorkItem");
};

/** The item that is answered; `undefined` when it was answered before. */
async function outFor<K extends ItemOut["kind"]>(
  echo: Echo<K>,
  { hub, world, call }: CallContext,
): Promise<Extract<ItemOut, { kind: K }> | undefined> {
  const found = hub.out.find(echo);
  switch (found.kind) {
    case "out":
      return found.out;
    case "answered":
      world.counts.add("completionsDuplicate");
      await found.done;
      return undefined;
    case "mismatch":
      world.counts.add("completionsRefused");
      hub.log.warn("an answer was refused: it names another item than its token stands for", { hub: hub.name, peer: call.peer });
      throw new WireError("INVALID_ARGUMENT", "The answer's completion token stands for another work item than the one it names.");
    case "unknown":
      world.counts.add("completionsUnknown");
      throw new WireError(
        "NOT_FOUND",
        "No such work item is out: its token is not known here, or the item was given to another worker since. The answer was not used.",
      );
  }
}

function refuseForbidden(outcome: OrchestrationOutcome, context: CallContext, out: TurnOut): void {
  refuseIf(outcome.kind === "turn" ? refusedAction(context.caller, outcome.actions) : undefined, context, out);
}

function refuseIf(refused: string | undefined, { hub, caller, call, world }: CallContext, out: ItemOut): void {
  if (refused === undefined) return;
  world.counts.add("completionsRefused");
  hub.log.warn("an answer was refused: its worker may not ask for this", {
    hub: hub.name,
    peer: call.peer,
    caller: caller.name,
    instanceId: addressOf(out),
    action: refused,
  });
  throw new WireError("PERMISSION_DENIED", `The token does not allow work to ask for '${refused}'.`);
}

/** Applies the answer to the item, unless the same one has come in the meantime by another call. */
async function settle(
  out: ItemOut,
  { hub, world, caller }: CallContext,
  count: "completions" | "abandons",
  apply: () => Promise<void>,
): Promise<void> {
  const done = hub.out.take(out, apply);
  if (done !== undefined) {
    world.counts.add(count);
    return done;
  }
  const found = hub.out.find({ kind: out.kind, token: out.token, instanceId: addressOf(out), caller: caller.name });
  world.counts.add("completionsDuplicate");
  if (found.kind === "answered") await found.done;
}

/** The answer, when all of its parts are there (PC 3.4). */
function wholeOf(out: TurnOut, response: OrchestratorResponse, hub: ServedHub): OrchestratorResponse | undefined {
  const { chunks } = out;
  if (!response.isPartial && chunks.size === 0) return response;
  const bytes = writeRequest("CompleteOrchestratorTask", response).length;
  chunks.set(response.chunkIndex ?? chunks.size, { response, bytes });
  if (chunks.size > MOST_PARTS || hub.out.partBytes > MOST_PART_BYTES) {
    chunks.clear();
    throw new WireError(
      "RESOURCE_EXHAUSTED",
      `An answer may have ${MOST_PARTS} parts, and all that wait for their last part ${MOST_PART_BYTES} bytes. This one was not used.`,
    );
  }
  if (response.isPartial) return undefined;
  const parts = [...chunks].sort(([a], [b]) => a - b);
  if (parts.some(([number], place) => number !== place))
    throw new WireError("INVALID_ARGUMENT", "The answer's last part came, and one before it is missing. Send all of them again.");
  chunks.clear();
  return joinChunks(parts.map(([, part]) => part.response));
}
