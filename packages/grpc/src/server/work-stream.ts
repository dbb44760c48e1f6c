// work-stream: one worker's stream of work items.
//
// Owns:    what is sent to it and when; the line to the backend that stands behind it; what its worker has in hand.
// Is told: items and notices, by the backend; outcomes, by the calls that answer them.
// Tells:   the worker its items, the backend their outcomes.
// Always:  WS1 to a worker that names a limit no more is out than that. What waits for room, or for a slow reader, is not even encoded.
//          WS2 when the stream has gone, what is out may still be answered for a while; then everything goes back, and later answers are refused.
//          WS3 a stream on which nothing was said for 30 seconds says that it is alive.
//          WS4 what the worker cannot take is not sent: a turn waits for an operator, an activity fails, each with the reason.

import type {
  ActivityOutcome,
  ActivityWorkItem,
  CancelNotice,
  ForgetNotice,
  HistoryEvent,
  OrchestrationOutcome,
  OrchestrationWorkItem,
  WorkerConnection,
  WorkerInterest,
  WorkItem,
} from "ostinato/contract";
import { writeReply, type ReplyOf } from "../codec/messages.ts";
import type { Peer } from "../codec/peer.ts";
import { encodeActivityItem, encodeNotice, encodeOrchestrationItem, encodePing } from "../codec/work-items.ts";
import type { StreamWriter } from "../transport/transport.ts";
import type { Counts } from "./counts.ts";
import type { KeptPasts, TurnPast } from "./kept-pasts.ts";
import type { ServedHub } from "./task-hubs.ts";
import { weightOf } from "./weight.ts";
import type { ActivityOut, TurnOut } from "./work-out.ts";

/** What a stream is made of. */
export interface WorkStreamParts {
  readonly hub: ServedHub;
  /** The name of who opened it. */
  readonly caller: string;
  /** How a worker of ours calls it, to say that it wants nothing more. */
  readonly line?: string;
  readonly peer: Peer;
  readonly interest: WorkerInterest;
  /** The worker keeps its programs itself, and is told what it must forget. */
  readonly keepsPrograms: boolean;
  /** The worker can read a long past by a call of its own. */
  readonly streamsHistory: boolean;
  /** Of these activities the worker takes these versions alone (`""`: without one). */
  readonly activityVersions: ReadonlyMap<string, readonly string[]>;
  /** The longest message that the worker takes. */
  readonly itemBytes: number;
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
  /** Sends nothing more, waits so long for what is out, and gives back the rest. Without a time it waits for as long as the stream is open. */
  retire(graceMs?: number): Promise<void>;
  /** Everything is back. */
  readonly retired: Promise<void>;
}

const PING_MS = 30_000;
/** A past that weighs more (about 1 MiB on the wire) is read by a call of its own, where the worker can do that. */
const STREAMED_PAST_WEIGHT = 2 * 1_048_576;
/** An activity of a version that the worker does not take is left to others for so long. */
const OTHERS_TURN_MS = 30_000;
const NEVER_SENT = "The worker's stream ended before the turn was sent to it.";

/** Opens a stream: connects it with the backend. */
export async function openWorkStream(parts: WorkStreamParts): Promise<WorkStream> {
  const { hub, peer, interest, keepsPrograms, pasts, writer, counts } = parts;
  const { clock, random } = hub;

  const turns: OrchestrationWorkItem[] = [];
  const activities: ActivityWorkItem[] = [];
  const notices: (ForgetNotice | CancelNotice)[] = [];
  const turnsOut = new Map<TurnOut, TurnPast | undefined>();
  const activitiesOut = new Map<ActivityWorkItem["token"], ActivityOut>();
  /** Programs that the worker keeps need no room of their own. */
  const turnRoom = keepsPrograms ? Number.POSITIVE_INFINITY : interest.maxConcurrentOrchestrations;
  let connection: WorkerConnection | undefined;
  let isBlocked = false;
  let isRetiring = false;
  let lastSentAt = clock.monotonic();
  let hasSent = false;

  // ---- sending
  const write = (message: ReplyOf<"GetWorkItems">): void => send(writeReply("GetWorkItems", message));
  const send = (bytes: Uint8Array): void => {
    lastSentAt = clock.monotonic();
    hasSent = true;
    if (writer.write(bytes)) return;
    isBlocked = true;
    const go = (): void => {
      isBlocked = false;
      pump();
    };
    // Whoever has gone reads nothing any more; its end is told by the call's signal.
    writer.drained().then(go, () => undefined);
  };
  const pump = (): void => {
    if (connection === undefined) return;
    while (!isBlocked) {
      const notice = notices.shift();
      if (notice !== undefined) sendNotice(notice);
      else if (isRetiring) return;
      else if (turns.length > 0 && turnsOut.size < turnRoom) sendTurn(turns.shift()!);
      else if (activities.length > 0 && activitiesOut.size < interest.maxConcurrentActivities) sendActivity(activities.shift()!);
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
    const bytes = turnMessage(item, events, token);
    if (bytes.length > parts.itemBytes) {
      counts.add("itemsTooLarge");
      if (past !== undefined) pasts.forget(item.instanceId);
      return backendTurn({ kind: "stalled", token: item.token, stall: { kind: "set-aside", reason: tooLarge("A turn", bytes.length) } });
    }
    const out: TurnOut = { kind: "orchestration", token, item, past: events, stream, chunks: new Map() };
    turnsOut.set(out, past);
    hub.out.put(out);
    counts.add("itemsSent");
    send(bytes);
  };
  const turnMessage = (item: OrchestrationWorkItem, events: readonly HistoryEvent[] | undefined, token: string): Uint8Array => {
    const write = (past: Parameters<typeof encodeOrchestrationItem>[1]): Uint8Array =>
      writeReply("GetWorkItems", encodeOrchestrationItem(item, past, token, peer, hub.traces.of(item)));
    if (events === undefined) return write(item.past);
    if (!parts.streamsHistory) return write({ events });
    if (weightOf(events) > STREAMED_PAST_WEIGHT) return write("streamed");
    const inline = write({ events });
    return inline.length > parts.itemBytes ? write("streamed") : inline;
  };
  const sendActivity = (item: ActivityWorkItem): void => {
    if (!takes(item)) return backendActivity({ kind: "abandoned", token: item.token, delayMs: OTHERS_TURN_MS });
    const token = random.id();
    const bytes = writeReply("GetWorkItems", encodeActivityItem(item, token, peer));
    if (bytes.length > parts.itemBytes) {
      counts.add("itemsTooLarge");
      const failure = { errorType: "WorkItemTooLarge", message: tooLarge(`The activity '${item.name}'`, bytes.length), nonRetriable: true };
      return backendActivity({ kind: "failed", token: item.token, failure });
    }
    const out: ActivityOut = { kind: "activity", token, item, stream };
    activitiesOut.set(item.token, out);
    hub.out.put(out);
    counts.add("itemsSent");
    send(bytes);
  };
  const tooLarge = (what: string, bytes: number): string =>
    `${what} makes a message of ${bytes} bytes, and its worker is believed to take ${parts.itemBytes}. ` +
    "If it takes more, raise itemBytes of the server; then suspend and resume the instance to try again.";

  // ---- outcomes that are the server's own: nobody waits for them
  const notTaken = (error: unknown): void => hub.log.error("the backend did not take an outcome", { error });
  const backendTurn = (outcome: OrchestrationOutcome): void => void line().completeOrchestration(outcome).catch(notTaken);
  const backendActivity = (outcome: ActivityOutcome): void => void line().completeActivity(outcome).catch(notTaken);
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
    ping.cancel();
    // A stream that ends without a word looks like a broken connection to some workers.
    if (!hasSent) write(encodePing());
    hub.out.drop(stream);
    turnsOut.clear();
    activitiesOut.clear();
    pasts.clear();
    await connection?.close();
    hub.streams.delete(stream);
  });
  // Whoever retires it hears of an error; nobody has to.
  retired.catch(() => undefined);
  const answered = (): void => {
    if (isRetiring && turnsOut.size + activitiesOut.size === 0) finish();
  };
  /** What was never sent is given back at once: nobody can be working on it. */
  const giveBackUnsent = (): void => {
    if (connection === undefined) return;
    for (const { token } of turns.splice(0)) backendTurn({ kind: "abandoned", token, reason: NEVER_SENT });
    for (const { token } of activities.splice(0)) backendActivity({ kind: "abandoned", token, delayMs: 0 });
  };
  const retire = (graceMs?: number): Promise<void> => {
    isRetiring = true;
    connection?.stopTaking();
    giveBackUnsent();
    if (turnsOut.size + activitiesOut.size === 0 || (graceMs !== undefined && graceMs <= 0)) finish();
    else if (graceMs !== undefined) {
      const timer = clock.setTimer(graceMs, finish, { hold: true });
      void finished.then(() => timer.cancel());
    }
    return retired;
  };

  // ---- signs of life
  const look = (): void => {
    const silentMs = clock.monotonic() - lastSentAt;
    if (silentMs < PING_MS || isBlocked) ping = clock.setTimer(Math.max(1_000, PING_MS - silentMs), look);
    else {
      counts.add("pings");
      write(encodePing());
      ping = clock.setTimer(PING_MS, look);
    }
  };
  let ping = clock.setTimer(PING_MS, look);

  const stream: WorkStream = {
    caller: parts.caller,
    line: parts.line,
    async answerTurn(out, outcome) {
      const past = turnsOut.get(out);
      turnsOut.delete(out);
      pump();
      const keptBytes = past && pasts.advance(past, out.item.newEvents, outcome);
      const whole = keptBytes === undefined || outcome.kind !== "turn" ? outcome : { ...outcome, keptBytes };
      try {
        await line().completeOrchestration(whole);
      } finally {
        answered();
      }
    },
    async answerActivity(out, outcome) {
      activitiesOut.delete(out.item.token);
      pump();
      try {
        await line().completeActivity(outcome);
      } finally {
        answered();
      }
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
