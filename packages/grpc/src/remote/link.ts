// link: a line to a server of the protocol: calls with who we are, and what we know of the other end.
//
// Owns:    the metadata of every call; what is known of the server, learnt from its answer to Hello; which calls are made again when an answer
//          is lost.
// Is told: messages, by client operations and by the worker's line.
// Tells:   replies, or what the error classes of `ostinato` have for a refusal.
// Always:  LK1 nothing of our own is sent before the server has said that it is one of ours. What it said is forgotten with the connection:
//              another server may stand at the address afterwards.
//          LK2 a call is made again only when its caller says that a repetition is harmless, and only when no answer came.
//          LK3 a token goes with a call, and nowhere else.

import { HubClosedError } from "ostinato";
import { jittered, sleep, type Clock, type Logger, type Random } from "ostinato/contract";
import { readReply, requestWith, writeRequest, type MethodName, type ReplyOf, type RequestOf } from "../codec/messages.ts";
import { LONGEST_CALL, OWN_CALLS } from "../codec/own-calls.ts";
import { peerOf, PROTOCOL_METADATA, type Peer } from "../codec/peer.ts";
import { fromWireError } from "../codec/status.ts";
import type { CallOptions, Channel, Metadata, OpenStream, StreamListener } from "../transport/transport.ts";
import { WireError } from "../transport/wire-error.ts";
import { callsTogether, type CallsTogether } from "./calls-together.ts";
import type { Counters } from "./counters.ts";
import { TokenUnavailable, type TokenSource } from "./credentials.ts";

/** What a line is made of. */
export interface LinkParts {
  /** How the server is called in errors and log lines: `host:port`. */
  readonly where: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
  /** What goes with every call: the task hub's name, who we are. */
  readonly metadata?: Metadata;
  readonly token?: TokenSource;
}

/** One try of a call. */
export interface TryOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Beside what goes with every call. */
  readonly metadata?: Metadata;
  /** It is short, and its metadata says nothing to the server: to one of ours it may go with others on one stream. */
  readonly together?: boolean;
}

/** How long-suffering a call is. */
export interface Persistence {
  /** What it is for, in words: `"Rewinding an instance"`. For errors. */
  readonly feature: string;
  /** Whether asking twice is as good as asking once. */
  readonly harmless: boolean | ((peer: Peer) => boolean);
}

/** What is asked of the server by a client. */
export interface Question<M extends MethodName> extends Persistence {
  readonly method: M;
  /** Made for each try: the server may be another one by then. */
  readonly request: (peer: Peer) => RequestOf<M>;
}

/** What came of asking, perhaps more than once. */
export interface Persisted<T> {
  readonly value: T;
  /** Who answered. */
  readonly peer: Peer;
  /** It was asked more than once: an earlier try may have been taken, with its reply lost. */
  readonly repeated: boolean;
}

/** What was answered. */
export interface Answer<M extends MethodName> extends Omit<Persisted<never>, "value"> {
  readonly reply: ReplyOf<M>;
}

/** A line to a server. */
export interface Link {
  readonly where: string;
  /** Who is at the other end. @throws WireError */
  peer(): Promise<Peer>;
  /** Asks who is there, whatever is known already. @throws WireError */
  hello(options: TryOptions): Promise<Peer>;
  /** One try. @throws WireError */
  unary<M extends MethodName>(method: M, request: RequestOf<M>, options?: TryOptions): Promise<ReplyOf<M>>;
  /** Opens a stream. What cannot be begun ends it. */
  stream<M extends MethodName>(method: M, request: RequestOf<M>, listener: MessageListener<M>, options?: TryOptions): Promise<OpenStream>;
  /** Tries, again where that is harmless, and says refusals as the error classes of `ostinato`. */
  persist<T>(how: Persistence, attempt: (peer: Peer) => Promise<T>): Promise<Persisted<T>>;
  /** The same for a single call. */
  ask<M extends MethodName>(question: Question<M>): Promise<Answer<M>>;
  /** What a failed call is called at the face. */
  errorOf(error: unknown, feature: string): Error;
  /** Forgets the connection. */
  reset(): void;
  /** Aborted when the line is closed. */
  readonly closed: AbortSignal;
  close(): Promise<void>;
}

/** Who hears a stream of messages. */
export interface MessageListener<M extends MethodName> extends Omit<StreamListener, "message"> {
  message(message: ReplyOf<M>): void;
  /** Bytes came that are no such message. */
  unreadable(error: WireError): void;
}

/** A question is asked again for so long: a server that is being restarted is back by then. */
const ASK_FOR_MS = 15_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const HELLO_DEADLINE_MS = 30_000;
/** What is answered at once, and in few words. */
const IS_SHORT: ReadonlySet<MethodName> = new Set([
  "StartInstance",
  "GetInstance",
  "RaiseEvent",
  "TerminateInstance",
  "SuspendInstance",
  "ResumeInstance",
  "RewindInstance",
  "RestartInstance",
  "SignalEntity",
  "GetEntity",
]);
/** Calls that could not go together go alone for so long: another server, or another call, may do better. */
const ALONE_MS = 60_000;

/** Makes a line over a channel. */
export function createLink(channel: Channel, parts: LinkParts): Link {
  const { where, clock, random, counters } = parts;
  const closing = new AbortController();
  let known: Promise<Peer> | undefined;
  /** What `known` has come to. */
  let isOurs = false;
  /** Until then no call goes together with others. */
  let aloneUntil = Number.NEGATIVE_INFINITY;
  const forgetPeer = (): void => {
    known = undefined;
    isOurs = false;
  };

  const optionsOf = (token: string | undefined, { metadata, signal, timeoutMs }: TryOptions): CallOptions => ({
    metadata: {
      ...parts.metadata,
      ...metadata,
      ...PROTOCOL_METADATA,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    signal: signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const tokenNow = async (): Promise<string | undefined> => {
    try {
      return await parts.token?.current();
    } catch (error) {
      throw error instanceof TokenUnavailable ? new WireError("UNAUTHENTICATED", error.message) : error;
    }
  };
  /** Makes a call with the token that holds; once more when the server did not like it. */
  const withToken = async <T>(call: (token: string | undefined) => Promise<T>): Promise<T> => {
    const token = await tokenNow();
    try {
      return await call(token);
    } catch (error) {
      noted(error);
      if (token === undefined || !(error instanceof WireError) || error.status !== "UNAUTHENTICATED") throw error;
      parts.token?.refused(token);
      const fresh = await tokenNow();
      if (fresh === undefined || fresh === token) throw error;
      return call(fresh);
    }
  };
  const noted = (error: unknown): void => {
    if (error instanceof WireError && error.status === "UNAVAILABLE") forgetPeer();
  };

  const hello = (options: TryOptions): Promise<Peer> => {
    const asked = withToken(async (token) => {
      try {
        const reply = await channel.unary("Hello", writeRequest("Hello", requestWith("Hello")), optionsOf(token, options));
        return peerOf(reply.metadata);
      } catch (error) {
        if (error instanceof WireError && error.status === "UNIMPLEMENTED") return "family";
        throw error;
      }
    });
    known = asked;
    asked.then(
      (peer) => {
        if (known === asked) isOurs = peer === "ours";
      },
      () => {
        if (known === asked) forgetPeer();
      },
    );
    return asked;
  };
  const peer = (): Promise<Peer> => known ?? hello({ timeoutMs: HELLO_DEADLINE_MS });

  let shared: { readonly calls: CallsTogether; readonly token: string | undefined } | undefined;
  /** The stream for short calls: one for each token. */
  const together = (token: string | undefined): CallsTogether => {
    if (shared?.calls.isOpen !== true || shared.token !== token) {
      shared?.calls.leave();
      shared = { token, calls: callsTogether((listener) => channel.duplex(OWN_CALLS, listener, optionsOf(token, {})), clock) };
    }
    return shared.calls;
  };
  const unary = <M extends MethodName>(method: M, request: RequestOf<M>, options: TryOptions = {}): Promise<ReplyOf<M>> =>
    withToken(async (token) => {
      const out = writeRequest(method, request);
      if (options.together === true && isOurs && clock.monotonic() >= aloneUntil && out.length <= LONGEST_CALL) {
        const calls = together(token);
        try {
          return readReply(method, await calls.unary(method, out, options));
        } catch (error) {
          if (calls.isUnknown || calls.isBroken) aloneUntil = clock.monotonic() + ALONE_MS;
          // What was sent was not taken; of anything else nobody knows.
          if (!calls.isUnknown) throw error;
        }
      }
      const { message } = await channel.unary(method, out, optionsOf(token, options));
      return readReply(method, message);
    });

  const errorOf = (error: unknown, feature: string): Error => {
    if (closing.signal.aborted) return new HubClosedError("The task hub was closed while this was asked.");
    return fromWireError(error, `${feature} on ${where}`);
  };

  const persist = async <T>({ feature, harmless }: Persistence, attempt: (peer: Peer) => Promise<T>): Promise<Persisted<T>> => {
    const since = clock.monotonic();
    let repeated = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      let asked: Peer | undefined;
      try {
        asked = await peer();
        return { value: await attempt(asked), peer: asked, repeated };
      } catch (error) {
        // Before anybody answered to Hello nothing was asked.
        const isHarmless = asked === undefined || (typeof harmless === "function" ? harmless(asked) : harmless);
        const over = clock.monotonic() - since + pauseMs > ASK_FOR_MS;
        if (!isLost(error) || !isHarmless || over || closing.signal.aborted) throw errorOf(error, feature);
        repeated ||= asked !== undefined;
      }
      counters.add("callsRepeated");
      // Somebody waits for the answer: their process does not end in between.
      await sleep(clock, jittered(random, pauseMs), { signal: closing.signal, hold: true }).catch((error: unknown) => {
        throw errorOf(error, feature);
      });
    }
  };

  return {
    where,
    peer,
    hello,
    unary,
    async stream(method, request, listener, options = {}) {
      const token = await tokenNow();
      return channel.stream(
        method,
        writeRequest(method, request),
        {
          headers: (metadata) => listener.headers?.(metadata),
          message(bytes) {
            let message: ReplyOf<typeof method>;
            try {
              message = readReply(method, bytes);
            } catch (error) {
              if (!(error instanceof WireError)) throw error;
              listener.unreadable(error);
              return;
            }
            listener.message(message);
          },
          ended(error) {
            noted(error);
            if (error?.status === "UNAUTHENTICATED" && token !== undefined) parts.token?.refused(token);
            listener.ended(error);
          },
        },
        optionsOf(token, options),
      );
    },
    persist,
    async ask({ method, request, feature, harmless }) {
      const {
        value,
        peer: asked,
        repeated,
      } = await persist({ feature, harmless }, (to) => unary(method, request(to), { together: IS_SHORT.has(method) }));
      return { reply: value, peer: asked, repeated };
    },
    errorOf,
    reset() {
      forgetPeer();
      channel.reset();
    },
    closed: closing.signal,
    async close() {
      closing.abort(new HubClosedError("The task hub was closed while this was asked."));
      await channel.close();
    },
  };
}

/** Nobody answered: the call may have been taken, or not. */
export function isLost(error: unknown): error is WireError {
  return error instanceof WireError && error.status === "UNAVAILABLE";
}
