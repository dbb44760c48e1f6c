// intruder: somebody on the wire who answers work that is not theirs: with tokens made up, and with tokens that were good once.
//
// Owns:    when it tries, and with what; that it is refused.
// Always:  IN1 it says that the work has come to something that no program comes to: where it is believed, the checker sees it.
import { requestWith, writeRequest, type MethodName, type RequestFields } from "../../packages/grpc/src/codec/messages.ts";
import { inMemoryChannel } from "../../packages/grpc/src/transport/in-memory.ts";
import { WireError } from "../../packages/grpc/src/transport/wire-error.ts";
import { OrchestrationStatus } from "../../packages/grpc/src/generated/task_hub_sidecar_pb.js";
import type { Violation } from "../checker/violation.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { AnyFaultClass } from "./setup.ts";
import { count, type Tally } from "./tally.ts";
import type { Door, Wire } from "./wire.ts";
import type { SentToken } from "./tokens.ts";

/** What an intruder is given. */
export interface IntruderWorld {
  readonly agenda: Agenda;
  readonly chance: Chance;
  readonly wire: Wire;
  readonly tally: Tally;
  readonly has: (fault: AnyFaultClass) => boolean;
  readonly violations: Violation[];
  readonly ids: readonly string[];
}

const STOLEN = '"stolen"';
const REFUSALS: ReadonlySet<string> = new Set(["NOT_FOUND", "INVALID_ARGUMENT", "UNAVAILABLE"]);

/** Tries its luck until the faults stop. */
export function intrude(world: IntruderWorld): void {
  const { agenda, chance, wire, has } = world;
  const next = (): void => {
    agenda.at(agenda.now + chance.between(200, 6_000), () => {
      const forges = has("forged-token");
      const replays = has("stale-token");
      if (!forges && !replays) return;
      const door = wire.doors.length === 0 ? undefined : chance.pick(wire.doors);
      if (door !== undefined) attempt(world, door, forges && (!replays || chance.happens(0.5)));
      next();
    });
  };
  if (has("forged-token") || has("stale-token")) next();
}

function attempt(world: IntruderWorld, door: Door, isForged: boolean): void {
  const { chance, wire, tally, ids } = world;
  const { stale } = wire.tokens;
  if (isForged) {
    count(tally.faults, "forged-token");
    const token = Array.from({ length: 32 }, () => chance.below(16).toString(16)).join("");
    const kind = chance.pick(["turn", "activity", "batch"] as const);
    const instanceId = kind === "batch" ? "@list@a" : chance.pick(ids);
    return void answer(world, door, { token, kind, instanceId, taskId: chance.between(1, 4), server: "" }, true);
  }
  if (stale.length === 0) return;
  count(tally.faults, "stale-token");
  const sent = stale[stale.length - 1 - chance.below(Math.min(stale.length, 12))]!;
  // At the server that knew it, more often than not.
  const home = wire.doors.find(({ name }) => name === sent.server);
  const where = home !== undefined && chance.happens(0.7) ? home : door;
  void answer(world, where, sent, where.name !== sent.server || wire.tokens.isOrphaned(sent.token));
}

/** Answers an item that is not the intruder's. `never`: nothing but a refusal is right. */
async function answer({ violations, tally }: IntruderWorld, door: Door, item: SentToken, never: boolean): Promise<void> {
  const [method, message] = STOLEN_WORK[item.kind](item);
  try {
    await inMemoryChannel(door.served, { peer: "intruder" }).unary(method, message, { metadata: { "ostinato-protocol": "1" } });
    count(tally.goals, "a stale token was accepted, as an answer given before");
    if (never)
      violations.push({
        invariant: "L2",
        instanceId: item.instanceId,
        message: `A ${item.kind} was answered with a token that ${door.name} never gave.`,
      });
  } catch (error) {
    const status = error instanceof WireError ? error.status : String(error);
    if (REFUSALS.has(status)) count(tally.goals, "a token was refused");
    else
      violations.push({
        invariant: "L2",
        instanceId: item.instanceId,
        message: `A ${item.kind} with a bad token was answered with ${status}.`,
      });
  }
}

function bytesOf<M extends MethodName>(method: M, fields: RequestFields<M>): readonly [M, Uint8Array] {
  return [method, writeRequest(method, requestWith(method, fields))];
}

function completedTurn({ token, instanceId }: SentToken) {
  const completeOrchestration = { orchestrationStatus: OrchestrationStatus.COMPLETED, result: STOLEN };
  return bytesOf("CompleteOrchestratorTask", {
    instanceId,
    completionToken: token,
    actions: [{ id: 1_000, orchestratorActionType: { case: "completeOrchestration", value: completeOrchestration } }],
  });
}

const STOLEN_WORK = { turn: completedTurn, activity: completedActivity, batch: completedBatch } as const;

function completedBatch({ token }: SentToken) {
  const success = { case: "success", value: { result: STOLEN } } as const;
  return bytesOf("CompleteEntityTask", { completionToken: token, results: [{ resultType: success }], entityState: `[${STOLEN}]` });
}

function completedActivity({ token, instanceId, taskId }: SentToken) {
  return bytesOf("CompleteActivityTask", { instanceId, taskId, completionToken: token, result: STOLEN });
}
