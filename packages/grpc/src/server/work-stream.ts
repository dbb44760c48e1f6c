// work-stream: one worker's stream of work items.
//
// Owns:    what is sent to it and when; the line to the backend that stands behind it; what its worker has in hand.
// Is told: items and notices, by the backend; outcomes, by the calls that answer them.
// Tells:   the worker its items, the backend their outcomes.
// Always:  WS1 to a worker that names a limit no more is out than that. What waits for room, or for a slow reader, is not even encoded.
//          WS2 when the stream has gone, what is out may still be answered for a while; then everything goes back, and later answers are refused.
//          WS3 a stream on which nothing was said for 30 seconds says that it is alive.
//          WS4 what the worker cannot take is not sent: a turn waits for an operator, an activity fails, a batch goes back, each with the reason.
//          WS5 a worker that reads nothing for two minutes while there is something to read is seen off: others may do its work.

import {
  asRewindRequest,
  type ActivityOutcome,
  type ActivityWorkItem,
  type CancelNotice,
  type ClockTimer,
  type EntityOutcome,
  type EntityWorkItem,
  type ForgetNotice,
  type OrchestrationOutcome,
  type OrchestrationWorkItem,
  type WorkerConnection,
  type WorkerInterest,
  type WorkItem,
} from "ostinato/contract";
import { writeReply, type ReplyOf } from "../codec/messages.ts";
import { encodeNotice, encodePing } from "../codec/work-items.ts";
import type { StreamWriter } from "../transport/transport.ts";
import type { Counts } from "./counts.ts";
import { activityMessage, entityMessage, tooLarge, turnMessage, type ItemReader } from "./item-messages.ts";
import type { KeptPasts, TurnPast } from "./kept-pasts.ts";
import type { ServedHub } from "./task-hubs.ts";
import { createSignsOfLife } from "./signs-of-life.ts";
import type { ActivityOut, EntityOut, TurnOut } from "./work-out.ts";

/** What a stream is made of. */
export interface WorkStreamParts extends ItemReader {
  readonly hub: ServedHub;
  /** The name of who opened it. */
  readonly caller: string;
  /** How a worker of ours calls it, to say that it wants nothing more. */
  readonly line?: string;
  readonly interest: WorkerInterest;
  /** The worker keeps its programs itself, and is told what it must forget. */
  readonly keepsPrograms: boolean;
  /** Of these activities the worker takes these versions alone (`""`: without one). */
  readonly activityVersions: ReadonlyMap<string, readonly string[]>;
  /** How long what is out may still be answered when the stream is ended. */
  readonly reconnectGraceMs: number;
  readonly pasts: KeptPasts;
  readonly writer: StreamWriter;
  readonly counts: Counts;
}

/** A stream of work items. */
export interface WorkStream {
  /** The name of who opened it. */
  readonly caller: string;
  readonly line: string | undefined;
  answerTurn(out: TurnOut, outcome: OrchestrationOutcome): Promise<void>;
  answerActivity(out: ActivityOut, outcome: ActivityOutcome): Promise<void>;
  answerEntity(out: EntityOut, outcome: EntityOutcome): Promise<void>;
  /** Sends nothing more, waits so long for what is out, and gives back the rest. Without a time it waits for as long as the stream is open. */
  retire(graceMs?: number): Promise<void>;
  /** Everything is back. */
  readonly retired: Promise<void>;
}

/** An activity of a version that the worker does not take is left to others for so long. */
const OTHERS_TURN_MS = 30_000;
/** As long as the family's workers take a silent server for alive. */
const UNREAD_MS = 120_000;
const NEVER_SENT = "The worker's stream ended before the work was sent to it.";

/** Opens a stream: connects it with the backend. */
export async function openWorkStream(parts: WorkStreamParts): Promise<WorkStream> {
  const { hub, peer, interest, keepsPrograms, pasts, writer, counts } = parts;
  const { clock, random } = hub;

  const turns: OrchestrationWorkItem[] = [];
  const activities: ActivityWorkItem[] = [];
  const batches: EntityWorkItem[] = [];
  const notices: (ForgetNotice | CancelNotice)[] = [];
  const turnsOut = new Map<TurnOut, TurnPast | undefined>();
  const activitiesOut = new Map<ActivityWorkItem["token"], ActivityOut>();
  const batchesOut = new Set<EntityOut>();
  const isAllBack = (): boolean => turnsOut.size + activitiesOut.size + batchesOut.size === 0;
  /** Programs that the worker keeps need no room of their own. */
  const turnRoom = keepsPrograms ? Number.POSITIVE_INFINITY : interest.maxConcurrentOrchestrations;
  let connection: WorkerConnection | undefined;
  let isBlocked = false;
  let patience: ClockTimer | undefined;
  let isRetiring = false;

  // ---- sending
  const write = (message: ReplyOf<"GetWorkItems">): void => send(writeReply("GetWorkItems", message));
  const send = (bytes: Uint8Array): void => {
    signs.said();
    if (writer.write(bytes)) return;
    isBlocked = true;
    patience = clock.setTimer(UNREAD_MS, seeOff);
    const go = (): void => {
      patience?.cancel();
      isBlocked = false;
      pump();
    };
    // Whoever has gone reads nothing any more; its end is told by the call's signal.
    writer.drained().then(go, () => undefined);
  };
  const seeOff = (): void => {
    counts.add("streamsStuck");
    hub.log.warn("a worker has not read its stream for long, which is ended: its work goes to others", {
      hub: hub.name,
      caller: parts.caller,
    });
    void stream.retire(parts.reconnectGraceMs).catch(notTaken);
  };
  const signs = createSignsOfLife(clock, () => {
    if (isBlocked) return false;
    counts.add("pings");
    write(encodePing());
    return true;
  });
  const pump = (): void => {
    if (connection === undefined) return;
    while (!isBlocked) {
      const notice = notices.shift();
      if (notice !== undefined) sendNotice(notice);
      else if (isRetiring) return;
      else if (turns.length > 0 && turnsOut.size < turnRoom) sendTurn(turns.shift()!);
      else if (activities.length > 0 && activitiesOut.size < interest.maxConcurrentActivities) sendActivity(activities.shift()!);
      else if (batches.length > 0 && batchesOut.size < interest.maxConcurrentEntities) sendBatch(batches.shift()!);
      else return;
    }
  };

  const sendNotice = (notice: ForgetNotice | CancelNotice): void => {
    if (notice.kind === "forget") return write(encodeNotice(notice));
    const out = activitiesOut.get(notice.token);
    if (out !== undefined) write(encodeNotice(notice, out.token));
  };

  const sendTurn = (item: OrchestrationWorkItem): void => {
    const past = keepsPrograms ? undefined : pasts.take(item);
    const events = past?.events ?? ("events" in item.past ? item.past.events : undefined);
    if (events === undefined && !keepsPrograms) return backendTurn({ kind: "needs-history", token: item.token });
    const token = random.id();
    // The family's workers answer a rewind with a new history, and expect it told otherwise than ours do.
    const shown = peer === "family" && events !== undefined ? asRewindRequest({ ...item, past: { events } }) : item;
    const shownPast = "events" in shown.past ? shown.past.events : events;
    const bytes = turnMessage(shown, shownPast, token, parts, hub.traces);
    if (bytes.length > parts.itemBytes) {
      counts.add("itemsTooLarge");
      if (past !== undefined) pasts.forget(item.instanceId);
      return backendTurn({
        kind: "stalled",
        token: item.token,
        stall: { kind: "set-aside", reason: tooLarge("A turn", bytes.length, parts) },
      });
    }
    const out: TurnOut = { kind: "orchestration", token, item, past: shownPast, stream, chunks: new Map() };
    turnsOut.set(out, past);
    hub.out.put(out);
    counts.add("itemsSent");
    send(bytes);
  };
  const sendActivity = (item: ActivityWorkItem): void => {
    if (!takes(item)) return backendActivity({ kind: "abandoned", token: item.token, delayMs: OTHERS_TURN_MS, undone: true });
    const token = random.id();
    const bytes = activityMessage(item, token, parts);
    if (bytes.length > parts.itemBytes) {
      counts.add("itemsTooLarge");
      const failure = {
        errorType: "WorkItemTooLarge",
        message: tooLarge(`The activity '${item.name}'`, bytes.length, parts),
        nonRetriable: true,
      };
      return backendActivity({ kind: "failed", token: item.token, failure });
    }
    const out: ActivityOut = { kind: "activity", token, item, stream };
    activitiesOut.set(item.token, out);
    hub.out.put(out);
    counts.add("itemsSent");
    send(bytes);
  };
  const sendBatch = (item: EntityWorkItem): void => {
    const token = random.id();
    let bytes = entityMessage(item, token, parts);
    let sent = item;
    // Fewer operations at once may fit; a batch that is answered in part is offered again with the others.
    while (bytes.length > parts.itemBytes && sent.operations.length > 1) {
      sent = { ...sent, operations: sent.operations.slice(0, Math.ceil(sent.operations.length / 4)) };
      bytes = entityMessage(sent, token, parts);
    }
    if (bytes.length > parts.itemBytes) {
      counts.add("itemsTooLarge");
      const failure = {
        errorType: "WorkItemTooLarge",
        message: tooLarge(`The entity '${item.entityId}'`, bytes.length, parts),
        nonRetriable: true,
      };
      return backendBatch({ kind: "failed", token: item.token, failure });
    }
    const out: EntityOut = { kind: "entity", token, item: sent, stream };
    batchesOut.add(out);
    hub.out.put(out);
    counts.add("itemsSent");
    send(bytes);
  };
  // ---- outcomes that are the server's own: nobody waits for them
  const notTaken = (error: unknown): void => hub.log.error("the backend did not take an outcome", { error });
  const backendTurn = (outcome: OrchestrationOutcome): void => void line().completeOrchestration(outcome).catch(notTaken);
  const backendActivity = (outcome: ActivityOutcome): void => void line().completeActivity(outcome).catch(notTaken);
  const backendBatch = (outcome: EntityOutcome): void => void line().completeEntity(outcome).catch(notTaken);
  const line = (): WorkerConnection => {
    if (connection === undefined) throw new Error("A stream was used before it was connected.");
    return connection;
  };

  // ---- receiving
  const takes = ({ name, version = "" }: ActivityWorkItem): boolean => parts.activityVersions.get(name)?.includes(version) ?? true;
  const deliver = (items: readonly WorkItem[]): void => {
    for (const item of items) {
      switch (item.kind) {
        case "orchestration":
          turns.push(item);
          break;
        case "activity":
          activities.push(item);
          break;
        case "entity":
          batches.push(item);
          break;
        case "forget":
          if (keepsPrograms) notices.push(item);
          else pasts.forget(item.instanceId);
          break;
        case "cancel":
          if (peer === "ours") notices.push(item);
          break;
      }
    }
    if (isRetiring) giveBackUnsent();
    pump();
  };

  // ---- the end
  let finish!: () => void;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const retired = finished.then(async () => {
    signs.stop();
    // A stream that ends without a word looks like a broken connection to some workers.
    if (!signs.hasSaid) write(encodePing());
    patience?.cancel();
    hub.out.drop(stream);
    turnsOut.clear();
    activitiesOut.clear();
    batchesOut.clear();
    pasts.clear();
    await Promise.allSettled(committing);
    await connection?.close();
    hub.streams.delete(stream);
  });
  // Whoever retires it hears of an error; nobody has to.
  retired.catch(() => undefined);
  const answered = (): void => {
    if (isRetiring && isAllBack()) finish();
  };
  /** Outcomes on their way into the store. The line to the backend stays open for them. */
  const committing = new Set<Promise<void>>();
  const committed = async (commit: Promise<void>): Promise<void> => {
    committing.add(commit);
    try {
      await commit;
    } finally {
      committing.delete(commit);
      answered();
    }
  };
  /** What was never sent is given back at once: nobody can be working on it. */
  const giveBackUnsent = (): void => {
    if (connection === undefined) return;
    for (const { token } of turns.splice(0)) backendTurn({ kind: "abandoned", token, reason: NEVER_SENT });
    for (const { token } of activities.splice(0)) backendActivity({ kind: "abandoned", token, delayMs: 0, undone: true });
    for (const { token } of batches.splice(0)) backendBatch({ kind: "abandoned", token, delayMs: 0, reason: NEVER_SENT });
  };
  const retire = (graceMs?: number): Promise<void> => {
    isRetiring = true;
    connection?.stopTaking();
    giveBackUnsent();
    if (isAllBack() || (graceMs !== undefined && graceMs <= 0)) finish();
    else if (graceMs !== undefined) {
      const timer = clock.setTimer(graceMs, finish, { hold: true });
      void finished.then(() => timer.cancel());
    }
    return retired;
  };

  const stream: WorkStream = {
    caller: parts.caller,
    line: parts.line,
    async answerTurn(out, outcome) {
      const past = turnsOut.get(out);
      turnsOut.delete(out);
      pump();
      const keptBytes = past && pasts.advance(past, out.item.newEvents, outcome);
      const whole = keptBytes === undefined || outcome.kind !== "turn" ? outcome : { ...outcome, keptBytes };
      await committed(line().completeOrchestration(whole));
    },
    async answerActivity(out, outcome) {
      activitiesOut.delete(out.item.token);
      pump();
      await committed(line().completeActivity(outcome));
    },
    async answerEntity(out, outcome) {
      batchesOut.delete(out);
      pump();
      await committed(line().completeEntity(outcome));
    },
    retire,
    retired,
  };
  hub.streams.add(stream);
  try {
    connection = await hub.backend.connectWorker(interest, deliver);
  } catch (error) {
    finish();
    await retired;
    throw error;
  }
  counts.add("streamsOpened");
  // The server may have begun to close meanwhile.
  if (isRetiring) await connection.close();
  pump();
  return stream;
}
