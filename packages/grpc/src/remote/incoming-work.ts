// incoming-work: a stream of work items that is opened again whenever it ends.
//
// Owns:    when it is opened, and when it is given up: Hello first, pauses by chance, the watch over its silence.
// Is told: what the worker takes.
// Tells:   items as they come; that a stream has gone; and people, once for each time that the server is lost.
// Always:  IN1 a server that is away is waited for, for ever: a worker may be there before its server.
//          IN2 pauses grow from 1 to 30 seconds, and are spread by chance over all of that; a stream that lived makes them short again.
//          IN3 after five failures in a row to reach anybody the connection itself is given up: it may be dead without saying so.
//          IN4 silence is a sign only from a server that is known to ping: one of ours, or one that has been heard to.

import { sleep, type WorkerInterest } from "ostinato/contract";
import type { ReplyOf } from "../codec/messages.ts";
import type { Peer } from "../codec/peer.ts";
import { encodeInterest } from "../codec/workers.ts";
import type { OpenStream } from "../transport/transport.ts";
import { WireError } from "../transport/wire-error.ts";
import type { Link, LinkParts, TryOptions } from "./link.ts";

/** Who takes the items. */
export interface IncomingListener {
  /** A stream is open. Items of one stream come after this, and none of the stream before it. */
  opened(peer: Peer): void;
  /** True when it was a sign of life and nothing else. */
  received(message: ReplyOf<"GetWorkItems">): boolean;
  /** The stream has gone: what the server knew of this worker has gone with it. */
  lost(): void;
}

/** A stream that is opened again and again. */
export interface IncomingWork {
  /** Resolves when the first try has come to something, good or bad. */
  readonly tried: Promise<void>;
  /** Ends it. */
  stop(): void;
  /** The stream that is open stays, and no other one follows it. */
  last(): void;
  /** Resolves when no stream is open, nor will be. */
  readonly over: Promise<void>;
}

const HELLO_DEADLINE_MS = 30_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const SILENCE_MS = 120_000;
/** A stream that was open for so long counts as one that lived, even if nothing came. */
const LIVED_MS = 10_000;
const FAILURES_BEFORE_RESET = 5;
/** Nobody could be reached. */
const UNREACHED: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);
/** The connection is of no use any more, whatever the address may be. */
const SPOILT: ReadonlySet<string> = new Set(["UNAUTHENTICATED", "CANCELLED", "ABORTED"]);

/** Keeps a stream of work items open. */
export function incomingWork(
  link: Link,
  parts: Pick<LinkParts, "clock" | "random" | "log" | "counters">,
  interest: WorkerInterest,
  options: TryOptions,
  listener: IncomingListener,
): IncomingWork {
  const { clock, random, log, counters } = parts;
  const stopping = new AbortController();
  const ended = AbortSignal.any([stopping.signal, link.closed]);
  let hasPinged = false;
  let isLast = false;
  const pausing = new AbortController();
  let told = () => undefined as void;
  const tried = new Promise<void>((resolve) => (told = resolve));

  /** One stream, from Hello to its end. Whether it lived; with the error that ended it. */
  const once = async (): Promise<{ readonly lived: boolean; readonly error?: unknown }> => {
    let peer: Peer;
    try {
      peer = await link.hello({ ...options, timeoutMs: HELLO_DEADLINE_MS, signal: ended });
    } catch (error) {
      return { lived: false, error };
    }
    // One of ours says that it is alive, from its first stream on: one that was silent from its beginning is dead, too.
    if (peer === "ours") hasPinged = true;
    const since = clock.monotonic();
    return new Promise((resolve) => {
      let stream: OpenStream | undefined;
      let isOpen = false;
      let isOver = false;
      let heard = false;
      let heardAt = clock.monotonic();
      const end = (error?: unknown): void => {
        if (isOver) return;
        isOver = true;
        watchdog.cancel();
        ended.removeEventListener("abort", stop);
        if (isOpen) listener.lost();
        resolve({ lived: heard || (isOpen && clock.monotonic() - since >= LIVED_MS), ...(error === undefined ? {} : { error }) });
      };
      const giveUp = (error?: unknown): void => {
        end(error);
        stream?.cancel();
      };
      const stop = (): void => giveUp();
      const open = (): void => {
        if (isOpen || isOver) return;
        isOpen = true;
        counters.add("workStreamsOpened");
        listener.opened(peer);
        told();
      };
      const watch = (): void => {
        const silentMs = clock.monotonic() - heardAt;
        if (!hasPinged || silentMs < SILENCE_MS) {
          watchdog = clock.setTimer(hasPinged ? SILENCE_MS - silentMs : SILENCE_MS, watch);
          return;
        }
        counters.add("workStreamsSilent");
        giveUp(new WireError("DEADLINE_EXCEEDED", `nothing was heard for ${SILENCE_MS / 1_000} s, where pings had come`));
      };
      let watchdog = clock.setTimer(SILENCE_MS, watch);
      ended.addEventListener("abort", stop, { once: true });
      link
        .stream(
          "GetWorkItems",
          encodeInterest(interest, peer),
          {
            headers: open,
            message(message) {
              if (isOver) return;
              open();
              heard = true;
              heardAt = clock.monotonic();
              if (listener.received(message)) hasPinged = true;
            },
            unreadable(error) {
              log.error(`a work item of ${link.where} cannot be read: ${error.message}`, { error });
            },
            ended: end,
          },
          { ...options, signal: ended },
        )
        .then(
          (opened) => {
            stream = opened;
            if (isOver) opened.cancel();
          },
          (error: unknown) => end(error),
        );
    });
  };

  const run = async (): Promise<void> => {
    let isAway = false;
    for (let tries = 0, unreached = 0; !ended.aborted && !isLast;) {
      const { lived, error } = await once();
      if (ended.aborted || isLast) break;
      if (lived) tries = unreached = 0;
      counters.add("workStreamsLost");
      const status = error instanceof WireError ? error.status : undefined;
      if (status !== undefined && UNREACHED.has(status)) unreached += 1;
      if (unreached >= FAILURES_BEFORE_RESET || (status !== undefined && SPOILT.has(status))) {
        counters.add("connectionsReset");
        unreached = 0;
        link.reset();
      }
      // An end that the server chose is everyday life (it is being replaced, say); the first one that is a failure is news.
      if (lived) isAway = false;
      if (error !== undefined && !isAway) {
        isAway = true;
        log.warn(`the worker gets no work from ${link.where} and goes on trying: ${describe(error)}`, { error });
      } else log.info(`the stream of work from ${link.where} ended and is opened again`, error === undefined ? {} : { error });
      told();
      const pauseMs = Math.ceil(random.fraction() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries, 10)));
      tries += 1;
      await sleep(clock, pauseMs, { signal: AbortSignal.any([ended, pausing.signal]) }).catch(() => undefined);
    }
    told();
  };

  return {
    tried,
    stop: () => stopping.abort(),
    last() {
      isLast = true;
      pausing.abort();
    },
    over: run(),
  };
}

function describe(error: unknown): string {
  if (error instanceof WireError) return `${error.message} (${error.status})`;
  return error instanceof Error ? error.message : String(error);
}
