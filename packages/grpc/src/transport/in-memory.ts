// in-memory: both halves of a connection in one process, without a socket.
//
// Owns:    what a network may do to a call, on demand: lose it, delay it, repeat it, cut it, be slow.
// Is told: by `fault`, at each call, what is to happen to it; by its methods, what happens to all.
// Always:  X1 and X2 of transport.ts. Messages arrive in microtasks, in the order in which they were sent; time passes by the timers given.

import { failureOf, noSuchMethod, type Warn } from "./answering.ts";
import { obstacleTo, once, untransportable, watchCall } from "./calling.ts";
import { createMailbox } from "./mailbox.ts";
import { systemTimers, type Timers } from "./timers.ts";
import type { CallOptions, Channel, IncomingCall, Metadata, OpenStream, Reply, Served, StreamListener, StreamWriter } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** A call that is about to be made. */
export interface OutgoingCall {
  readonly kind: "unary" | "stream" | "duplex";
  readonly method: string;
  readonly metadata: Metadata;
  readonly message?: Uint8Array;
  /** The how manieth call of this channel it is, from 1. */
  readonly number: number;
}

/** What can happen to a call on its way. */
export type CallFault =
  /** It never arrives; the caller sees UNAVAILABLE. */
  | { readonly kind: "loseCall" }
  /** It is answered to its end; the caller sees UNAVAILABLE in place of the reply, or of a stream's end. */
  | { readonly kind: "loseReply" }
  /** It is answered, and the caller hears nothing: a connection that is dead without saying so. A deadline, a cancel or `reset` ends it. */
  | { readonly kind: "silence" }
  | { readonly kind: "delayCall"; readonly ms: number }
  /** The reply of a unary call comes later. */
  | { readonly kind: "delayReply"; readonly ms: number }
  /** A unary call arrives a second time, right behind the first; the caller hears the first answer. */
  | { readonly kind: "deliverTwice" }
  /** The connection breaks when so many messages have come back. */
  | { readonly kind: "cutAfter"; readonly messages: number };

/** How a channel in memory behaves. */
export interface InMemoryOptions {
  /** Decides what happens to a call. */
  readonly fault?: (call: OutgoingCall) => CallFault | undefined;
  /** By whose time deadlines and delays run: a `Clock` is one. */
  readonly timers?: Timers;
  /** Who the answering side sees. */
  readonly peer?: string;
  readonly certificateNames?: readonly string[];
  readonly warn?: Warn;
}

/** A channel in memory, and the network's side of it. */
export interface InMemoryChannel extends Channel {
  /** Breaks every stream that is open. */
  cutStreams(): void;
  /** Breaks every call, and refuses new ones until it is called with `false`. */
  setDown(down: boolean): void;
  /** The calling side stops reading its streams, until it is called with `false`: what is written to them piles up. */
  setSlow(slow: boolean): void;
}

/** So many messages may lie unread before a writer is told to wait. */
const UNREAD_MESSAGES = 16;
/** So many microtasks a refusal may take to come in place of headers. */
const HEADERS_AFTER = 16;

/** What the calls of a channel share with it. */
interface Network {
  readonly served: Served;
  readonly options: InMemoryOptions;
  readonly timers: Timers;
  readonly warn: Warn;
  readonly running: Set<Running>;
  slow: boolean;
}

interface Running {
  readonly streaming: boolean;
  /** Ends the call from outside. */
  end(error: WireError): void;
  /** The calling side reads again. */
  resume(): void;
}

/**
 * Joins a calling half to an answering half, in memory.
 *
 * @example
 * const channel = inMemoryChannel(served, { fault: (call) => (call.number === 3 ? { kind: "loseReply" } : undefined) });
 */
export function inMemoryChannel(served: Served, options: InMemoryOptions = {}): InMemoryChannel {
  const { timers = systemTimers, warn = () => undefined } = options;
  const network: Network = { served, options, timers, warn, running: new Set(), slow: false };
  let calls = 0;
  let closed = false;
  let down = false;

  const endThose = (which: (running: Running) => boolean, error: WireError): void => {
    for (const each of [...network.running]) if (which(each)) each.end(error);
  };
  const unavailable = (reason: string): WireError => new WireError("UNAVAILABLE", reason);
  /** What stops a call before it begins, or what happens to it on its way. */
  const setOut = (kind: OutgoingCall["kind"], method: string, message: Uint8Array | undefined, given: CallOptions) => {
    calls += 1;
    const obstacle = obstacleTo(method, given, closed) ?? (down ? unavailable(`${method}: no connection`) : undefined);
    if (obstacle !== undefined) return { obstacle };
    const call: OutgoingCall = {
      kind,
      method,
      metadata: { ...given.metadata },
      number: calls,
      ...(message === undefined ? {} : { message }),
    };
    return { fault: options.fault?.(call) };
  };
  const open = (method: string, message: Uint8Array | undefined, listener: StreamListener, given: CallOptions): OpenStream => {
    const { obstacle, fault } = setOut(message === undefined ? "duplex" : "stream", method, message, given);
    if (obstacle === undefined) return openStream(network, method, message, listener, given, fault);
    queueMicrotask(() => listener.ended(obstacle));
    return { cancel: () => undefined, send: () => undefined };
  };

  return {
    unary(method, message, given = {}) {
      const { obstacle, fault } = setOut("unary", method, message, given);
      return obstacle === undefined ? callOnce(network, method, message, given, fault) : Promise.reject(obstacle);
    },
    stream: (method, message, listener, given = {}) => open(method, message, listener, given),
    duplex: (method, listener, given = {}) => open(method, undefined, listener, given),
    reset() {
      endThose(() => true, unavailable("the connection was reset by its owner"));
    },
    close() {
      closed = true;
      endThose(() => true, new WireError("CANCELLED", "the channel was closed"));
      return Promise.resolve();
    },
    cutStreams() {
      endThose((each) => each.streaming, unavailable("the connection was lost"));
    },
    setDown(next) {
      down = next;
      if (down) endThose(() => true, unavailable("the connection was lost"));
    },
    setSlow(next) {
      network.slow = next;
      if (!next) for (const each of [...network.running]) each.resume();
    },
  };
}

/** The call as the answering side sees it. */
function arrivalOf(network: Network, method: string, given: CallOptions, signal: AbortSignal): IncomingCall {
  const { peer = "in memory", certificateNames } = network.options;
  return {
    method,
    metadata: { ...given.metadata },
    peer,
    ...(certificateNames === undefined ? {} : { certificateNames }),
    signal,
    hasDeadline: given.timeoutMs !== undefined,
  };
}

function checkKind(network: Network, method: string, kind: OutgoingCall["kind"]): void {
  const actual = network.served.kindOf(method);
  if (actual === undefined) throw noSuchMethod(method);
  if (actual !== kind) throw new WireError("INTERNAL", `${method} is a ${actual} call and was made as a ${kind} call`);
}

/** Lets a call arrive, or not, or later. */
function send(network: Network, fault: CallFault | undefined, deliver: () => void, lose: () => void): void {
  if (fault?.kind === "loseCall") queueMicrotask(lose);
  else if (fault?.kind === "delayCall") network.timers.setTimer(fault.ms, deliver);
  else queueMicrotask(deliver);
}

function callOnce(network: Network, method: string, message: Uint8Array, given: CallOptions, fault: CallFault | undefined): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const gone = new AbortController();
    const fail = (error: WireError): void => {
      network.running.delete(self);
      gone.abort(error);
      reject(error);
    };
    const watch = watchCall(method, given, network.timers, fail);
    const end = (error: WireError): void => {
      if (watch.finish()) fail(error);
    };
    const self: Running = { streaming: false, end, resume: () => undefined };
    network.running.add(self);
    const lose = (): void => end(new WireError("UNAVAILABLE", `${method}: the connection was lost`));
    const settle = (tell: () => void): void => {
      if (fault?.kind === "silence") return;
      if (fault?.kind === "loseReply") return lose();
      const arrive = (): void => {
        if (!watch.finish()) return;
        network.running.delete(self);
        tell();
      };
      if (fault?.kind === "delayReply") network.timers.setTimer(fault.ms, arrive);
      else queueMicrotask(arrive);
    };
    const answer = async (answered: (tell: () => void) => void): Promise<void> => {
      try {
        checkKind(network, method, "unary");
        const reply = await network.served.unary(arrivalOf(network, method, given, gone.signal), message);
        const bad = untransportable(reply.metadata);
        if (bad !== undefined) throw new Error(bad);
        answered(() => resolve(reply));
      } catch (error) {
        if (watch.over) return;
        const failure = failureOf(method, error, network.warn);
        answered(() => reject(failure));
      }
    };
    const deliver = (): void => {
      if (watch.over) return;
      void answer(settle);
      if (fault?.kind === "deliverTwice") void answer(() => undefined);
    };
    send(network, fault, deliver, lose);
  });
}

function openStream(
  network: Network,
  method: string,
  message: Uint8Array | undefined,
  given: StreamListener,
  callOptions: CallOptions,
  fault: CallFault | undefined,
): OpenStream {
  const gone = new AbortController();
  const incoming = createMailbox<Uint8Array>();
  const way = wayBack(network, fault?.kind === "silence");
  const listener = once(method, given, () => cancel());

  const letGo = (reason: WireError): void => {
    network.running.delete(self);
    gone.abort(reason);
    incoming.drop();
    way.close();
  };
  const giveUp = (error: WireError): void => {
    letGo(error);
    // Its caller may be in the middle of something: it hears of the end right behind.
    queueMicrotask(() => listener.ended(error));
  };
  const watch = watchCall(method, callOptions, network.timers, giveUp);
  const end = (error: WireError): void => {
    if (watch.finish()) giveUp(error);
  };
  const cancel = (): void => end(new WireError("CANCELLED", `${method} was cancelled by its caller`));
  const lose = (): void => end(new WireError("UNAVAILABLE", `${method}: the connection was lost`));
  const self: Running = { streaming: true, end, resume: () => way.move() };
  network.running.add(self);

  let begun = false;
  let arrived = 0;
  const begin = (): void => {
    if (begun) return;
    begun = true;
    way.send(() => listener.headers({}));
  };
  const writer: StreamWriter = {
    write(bytes) {
      begin();
      return way.send(() => {
        listener.message(bytes);
        arrived += 1;
        if (fault?.kind === "cutAfter" && arrived >= fault.messages) lose();
      });
    },
    drained: () => way.drained(),
  };
  const finish = (error?: WireError): void => {
    way.send(() => {
      if (fault?.kind === "loseReply") return lose();
      if (!watch.finish()) return;
      network.running.delete(self);
      incoming.drop();
      way.close();
      listener.ended(error);
    });
  };
  const answer = async (): Promise<void> => {
    let settled = false;
    try {
      checkKind(network, method, message === undefined ? "duplex" : "stream");
      const call = arrivalOf(network, method, callOptions, gone.signal);
      const { served } = network;
      const answering = message === undefined ? served.duplex(call, incoming, writer) : served.stream(call, message, writer);
      soon(() => {
        if (!settled) begin();
      });
      await answering;
      settled = true;
      finish();
    } catch (error) {
      settled = true;
      if (!watch.over) finish(failureOf(method, error, network.warn));
    }
  };
  send(network, fault, () => (watch.over ? undefined : void answer()), lose);

  return {
    cancel,
    send(bytes) {
      if (message !== undefined) throw new WireError("INTERNAL", `${method} was opened by stream(), which sends one message`);
      if (!watch.over) queueMicrotask(() => incoming.push(bytes));
    },
  };
}

/** A refusal that comes at once comes in place of headers; who says nothing for so long has taken the call. */
function soon(run: () => void, hops = HEADERS_AFTER): void {
  queueMicrotask(() => (hops === 0 ? run() : soon(run, hops - 1)));
}

/** What is on its way back to the caller, in order. */
interface WayBack {
  /** False when much lies there unread. */
  send(arrive: () => void): boolean;
  drained(): Promise<void>;
  /** Lets arrive what lies there. */
  move(): void;
  /** Nothing arrives any more, and nobody waits. */
  close(): void;
}

function wayBack(network: Network, silent: boolean): WayBack {
  let waiting: (() => void)[] = [];
  let lying: (() => void)[] = [];
  let moving = false;
  let closed = false;
  const wake = (): void => {
    const all = waiting;
    waiting = [];
    for (const each of all) each();
  };
  const move = (): void => {
    if (moving) return;
    moving = true;
    queueMicrotask(() => {
      moving = false;
      while (lying.length > 0 && !network.slow) lying.shift()!();
      if (lying.length < UNREAD_MESSAGES) wake();
    });
  };
  return {
    send(arrive) {
      if (closed || silent) return true;
      lying.push(arrive);
      move();
      return lying.length < UNREAD_MESSAGES;
    },
    drained() {
      if (closed || lying.length < UNREAD_MESSAGES) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
    move,
    close() {
      closed = true;
      lying = [];
      wake();
    },
  };
}
