// worker-line: a worker's line to a remote task hub.
//
// Owns:    the line's life: work comes in, outcomes go out, programs are forgotten when the server has forgotten them.
// Is told: what the worker takes, and its outcomes; messages of the stream.
// Tells:   the worker its items and notices; the server the outcomes.
// Always:  WL1 a program that the worker keeps is known to the server of the stream that is open; with the stream's end it is forgotten.
//          WL2 an outcome is sent to whoever handed out the work, also when its stream has gone: the token says which work is meant.
//          WL3 after `stopTaking` nothing is handed to the worker any more; after `close` everything that was out is given back.
//          WL4 work that goes back to a server of the family goes after a pause that grows: not every server makes one.

import {
  entityRecordName,
  sleep,
  type Action,
  type ActivityOutcome,
  type ClockTimer,
  type EntityOutcome,
  type HistoryEvent,
  type OrchestrationOutcome,
  type OrchestrationWorkItem,
  type WorkerConnection,
  type WorkerInterest,
  type WorkItem,
} from "ostinato/contract";
import { requestWith, type ReplyOf } from "../codec/messages.ts";
import { LINE_METADATA, RETIRE_METADATA, type Peer } from "../codec/peer.ts";
import { decodeWorkItem, type ReceivedItem } from "../codec/work-items.ts";
import { withoutFacts } from "./foreign-calls.ts";
import { foreignTurn } from "./foreign-turns.ts";
import { incomingWork } from "./incoming-work.ts";
import type { Link, LinkParts, TryOptions } from "./link.ts";
import { historyChunks } from "./remote-history.ts";
import { createSettling } from "./settling.ts";
import { createWorkInHand, type EntityInHand, type InHand, type Origin, type TurnInHand } from "./work-in-hand.ts";

/** So long `connectWorker` waits for the first answer: a worker may be there before its server. */
const FIRST_TRY_MS = 5_000;
/** So long a server may take to see off a worker. */
const RETIRE_DEADLINE_MS = 2_000;
const FIRST_RETURN_MS = 1_000;
const LONGEST_RETURN_MS = 30_000;
const DRAINING = "The worker is being stopped.";

type Parts = Pick<LinkParts, "clock" | "random" | "log" | "counters">;

/** Connects a worker. Resolves when the first try has come to something: it goes on trying for ever. */
export async function connectWorker(
  link: Link,
  parts: Parts,
  extra: TryOptions,
  interest: WorkerInterest,
  deliver: (items: readonly WorkItem[]) => void,
): Promise<WorkerConnection> {
  const { clock, random, log } = parts;
  const stopped = new AbortController();
  const settling = createSettling(link, parts, extra, stopped.signal);
  const name = random.id();
  const hand = createWorkInHand(
    {
      orchestrations: interest.maxConcurrentOrchestrations,
      activities: interest.maxConcurrentActivities,
      entities: interest.maxConcurrentEntities,
    },
    deliver,
  );
  const kept = new Map<string, string>();
  const returns = createReturns(parts);
  let peer: Peer = "family";
  let stream = 0;
  let isOpen = false;
  let tokens = 0;
  let isTaking = true;

  // ---- programs
  const forget = (instanceId: string, executionId: string): void => {
    kept.delete(instanceId);
    deliver([{ kind: "forget", instanceId, executionId }]);
  };
  /** The outcome as the server is to have it: of a program that it cannot know to be kept nothing is said. */
  const keeping = (work: TurnInHand, outcome: OrchestrationOutcome): OrchestrationOutcome => {
    const { instanceId, executionId } = work.item;
    if (outcome.kind !== "turn" || outcome.keptBytes === undefined) {
      kept.delete(instanceId);
      return outcome;
    }
    if (work.peer === "ours" && isOpen && work.stream === stream && isTaking) {
      kept.set(instanceId, executionId);
      return outcome;
    }
    forget(instanceId, executionId);
    const { keptBytes: _, ...rest } = outcome;
    return rest;
  };

  // ---- coming in
  const originOf = (wireToken: string): Origin => ({ wireToken, peer, stream });
  const offer = (work: InHand): void => {
    if (isTaking) hand.offer(work);
    else void settling.giveBack(work, DRAINING);
  };
  /** A server that knows no filters sends batches of entities that are not here. */
  const offerBatch = (work: EntityInHand): void => {
    const { entities } = interest;
    const name = entityRecordName(work.item.entityId).slice(1);
    if (entities === "any" || entities.includes(name)) offer(work);
    else void turnDown(work.wireToken, `a batch of the entity '${work.item.entityId}'`);
  };
  const takeTurn = (origin: Origin, decoded: OrchestrationWorkItem, parentExecutionId?: string): void => {
    const item = { ...decoded, token: ++tokens };
    if (origin.peer === "ours") return offer({ ...origin, item, lineage: item.executionId });
    const turn = foreignTurn(item, () => random.id(), parentExecutionId);
    if (turn.kind === "run") return offer({ ...origin, item: turn.item, lineage: turn.lineage });
    const action: Action = { kind: "rewindOrchestration", id: -1, newHistory: turn.newHistory };
    settling.rewound({ ...origin, item, lineage: "" }, action).catch((error: unknown) => {
      log.error(`the instance '${item.instanceId}' could not be rewound`, { instanceId: item.instanceId, error });
    });
  };
  const takeStreamed = async (origin: Origin, streamed: Extract<ReceivedItem, { kind: "streamed" }>): Promise<void> => {
    const { instanceId, executionId } = streamed;
    const bare: OrchestrationWorkItem = {
      kind: "orchestration",
      token: ++tokens,
      instanceId,
      executionId,
      name: "",
      past: { events: [] },
      newEvents: [],
    };
    const work: TurnInHand = { ...origin, item: bare, lineage: "" };
    try {
      const past: HistoryEvent[] = [];
      for await (const chunk of historyChunks(link, { instanceId, forWorkItem: true, ...(executionId === "" ? {} : { executionId }) }))
        for (const event of chunk) past.push(event);
      const item = streamed.complete(past);
      if (item !== undefined) return takeTurn(origin, item);
      await settling.giveBack(work, "The history has no start.");
    } catch (error) {
      log.warn(`the history of '${instanceId}' could not be read for its turn, which goes back: ${(error as Error).message}`, {
        instanceId,
        error,
      });
      await settling.giveBack(work, `Its history could not be read: ${(error as Error).message}`);
    }
  };
  const turnDown = async (wireToken: string, what: string): Promise<void> => {
    log.warn(`${link.where} sent ${what}, which no worker of ours takes; it goes back`);
    if (wireToken === "") return;
    const request = requestWith("AbandonTaskEntityWorkItem", { completionToken: wireToken });
    await link.unary("AbandonTaskEntityWorkItem", request, extra).catch(() => undefined);
  };
  /** True when it was a sign of life. */
  const received = (message: ReplyOf<"GetWorkItems">): boolean => {
    const item = decodeWorkItem(message, peer);
    switch (item.kind) {
      case "ping":
        return true;
      case "orchestration":
        takeTurn(originOf(item.token), item.item);
        break;
      case "streamed":
        void takeStreamed(originOf(item.token), item);
        break;
      case "activity": {
        const activity = peer === "ours" ? item.item : withoutFacts(item.item, clock.now());
        offer({ ...originOf(item.token), item: { ...activity, token: ++tokens } });
        break;
      }
      case "entity":
        offerBatch({ ...originOf(item.token), item: { ...item.item, token: ++tokens }, infos: item.infos });
        break;
      case "notice":
        if (item.notice.kind === "forget") forget(item.notice.instanceId, item.notice.executionId);
        else {
          const token = hand.tokenOf(String(item.notice.token));
          if (token !== undefined) deliver([{ ...item.notice, token }]);
        }
        break;
      case "foreign":
        void turnDown(item.token, item.what);
        break;
    }
    return false;
  };

  const named = { ...extra, metadata: { ...extra.metadata, [LINE_METADATA]: name } };
  const incoming = incomingWork(link, parts, interest, named, {
    opened(by) {
      peer = by;
      stream += 1;
      isOpen = true;
    },
    received,
    lost() {
      isOpen = false;
      for (const [instanceId, executionId] of [...kept]) forget(instanceId, executionId);
      // What has not begun is the next stream's.
      for (const work of hand.takeWaiting()) void settling.giveBack(work, DRAINING);
    },
  });

  // ---- going out
  const completeOrchestration = async (outcome: OrchestrationOutcome): Promise<void> => {
    const work = hand.takeTurn(outcome.token);
    if (work === undefined) return;
    const { instanceId, executionId } = work.item;
    const told = keeping(work, outcome);
    if (work.peer === "family" && (told.kind === "abandoned" || told.kind === "stalled")) {
      const reason = told.kind === "stalled" ? told.stall.reason : (told.reason ?? "it gave no reason");
      if (told.kind === "stalled") log.error(`a turn of '${work.item.name}' cannot go on, and is given back: ${reason}`, { instanceId });
      returns.later(instanceId, work, () => settling.turn(work, told));
      return;
    }
    returns.over(instanceId);
    let taken = false;
    try {
      taken = (await settling.turn(work, told)) === "taken";
    } finally {
      // The server may have another worker run it by now.
      if (!taken && told.kind === "turn" && told.keptBytes !== undefined) forget(instanceId, executionId);
    }
  };
  const completeActivity = async (outcome: ActivityOutcome): Promise<void> => {
    const work = hand.takeActivity(outcome.token);
    if (work !== undefined) await settling.activity(work, outcome);
  };
  const completeEntity = async (outcome: EntityOutcome): Promise<void> => {
    const work = hand.takeEntity(outcome.token);
    if (work === undefined) return;
    if (work.peer === "family" && outcome.kind !== "batch") {
      const reason = outcome.kind === "failed" ? outcome.failure.message : (outcome.reason ?? "it gave no reason");
      log.warn(`operations of '${work.item.entityId}' were not done, and are given back: ${reason}`, { instanceId: work.item.entityId });
      returns.later(work.item.entityId, work, () => settling.entity(work, outcome));
      return;
    }
    returns.over(work.item.entityId);
    await settling.entity(work, outcome);
  };
  /** One of ours is told, and the stream stays open: what is on its way goes back, and what is out is not taken for lost. Others see its end. */
  const retire = async (): Promise<void> => {
    incoming.last();
    if (!isOpen || peer !== "ours") return incoming.stop();
    const options = { metadata: { ...extra.metadata, [RETIRE_METADATA]: name }, timeoutMs: RETIRE_DEADLINE_MS };
    await link.unary("Hello", requestWith("Hello"), options).catch(() => incoming.stop());
  };
  let retired: Promise<void> | undefined;
  const stopTaking = (): void => {
    if (retired !== undefined) return;
    isTaking = false;
    for (const work of hand.takeWaiting()) void settling.giveBack(work, DRAINING);
    retired = retire();
  };
  const close = async (): Promise<void> => {
    stopTaking();
    await retired;
    await Promise.all([...returns.takeAll(), ...hand.takeAll()].map((work) => settling.giveBack(work, DRAINING, "begun")));
    // The server ends the stream when everything is back.
    const patience = new AbortController();
    await Promise.race([incoming.over, sleep(clock, RETIRE_DEADLINE_MS, { signal: patience.signal, hold: true }).catch(() => undefined)]);
    patience.abort();
    incoming.stop();
    stopped.abort();
  };

  let patience: ClockTimer | undefined;
  const over = new Promise<void>((resolve) => (patience = clock.setTimer(FIRST_TRY_MS, resolve, { hold: true })));
  await Promise.race([incoming.tried, over]);
  patience?.cancel();
  return { completeOrchestration, completeActivity, completeEntity, stopTaking, close };
}

/** Turns and batches that go back after a pause. */
interface Returns {
  later(instanceId: string, work: InHand, settle: () => Promise<unknown>): void;
  /** The instance has gone on. */
  over(instanceId: string): void;
  /** Those that have not gone yet. */
  takeAll(): readonly InHand[];
}

function createReturns({ clock }: Pick<Parts, "clock">): Returns {
  const times = new Map<string, number>();
  const waiting = new Map<InHand, ClockTimer>();
  return {
    later(instanceId, work, settle) {
      const before = times.get(instanceId) ?? 0;
      times.set(instanceId, before + 1);
      const pauseMs = Math.min(FIRST_RETURN_MS * 2 ** Math.min(before, 10), LONGEST_RETURN_MS);
      const goBack = (): void => {
        waiting.delete(work);
        void settle().catch(() => undefined);
      };
      waiting.set(work, clock.setTimer(pauseMs, goBack));
    },
    over: (instanceId) => void times.delete(instanceId),
    takeAll() {
      const all = [...waiting.keys()];
      for (const timer of waiting.values()) timer.cancel();
      waiting.clear();
      return all;
    },
  };
}
