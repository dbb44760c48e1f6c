// calls-together: short calls to a server of ours, on one stream.
//
// Owns:    the stream, and which call an answer is for.
// Is told: calls; the stream's messages and end.
// Tells:   each caller its answer, or UNAVAILABLE when the stream ended before: the call may have been taken, or not, as with a lost reply.
// Always:  CT1 a call ends once: with its answer, its deadline, its signal, or the stream's end.
//          CT2 a stream without calls ends soon: it would hold the process, and the server's close.

import { createBundle } from "../codec/bundle.ts";
import { readAnswers, writeCalls, type CallOut } from "../codec/own-calls.ts";
import { watchCall } from "../transport/calling.ts";
import type { Timers } from "../transport/timers.ts";
import type { CallOptions, OpenStream, StreamListener } from "../transport/transport.ts";
import { WireError, type StatusName } from "../transport/wire-error.ts";

/** Short calls on one stream. */
export interface CallsTogether {
  /** @throws WireError */
  unary(method: string, message: Uint8Array, options: Pick<CallOptions, "signal" | "timeoutMs">): Promise<Uint8Array>;
  /** The stream has not ended. */
  readonly isOpen: boolean;
  /** The server has no such stream: it has taken none of the calls, and they have to go alone. */
  readonly isUnknown: boolean;
  /** The server ended it for what was sent on it, or for an accident: the same calls would end the next one, too. */
  readonly isBroken: boolean;
  /** Takes no more; ends the stream when the last answer is there. */
  leave(): void;
}

const IDLE_MS = 250;
/** Ends that say nothing of the calls: the connection was lost, this end has gone, or its token. */
const EVERYDAY: ReadonlySet<StatusName> = new Set(["UNAVAILABLE", "CANCELLED", "UNAUTHENTICATED"]);

interface Waiting {
  answer(message: Uint8Array): void;
  fail(error: WireError): void;
}

/** Opens the stream. */
export function callsTogether(open: (listener: StreamListener) => OpenStream, timers: Timers): CallsTogether {
  const waiting = new Map<number, Waiting>();
  let isOpen = true;
  let isUnknown = false;
  let isBroken = false;
  let isLeaving = false;
  let numbers = 0;

  const stream = open({
    message(bytes) {
      for (const answer of readAnswers(bytes)) {
        const call = waiting.get(answer.number);
        if (call === undefined) continue;
        if ("error" in answer) call.fail(answer.error);
        else call.answer(answer.message);
      }
    },
    ended(error) {
      isOpen = false;
      isUnknown = error?.status === "UNIMPLEMENTED";
      isBroken = error !== undefined && !EVERYDAY.has(error.status);
      // Whatever ended the stream is not what a call was answered, but for a caller who is not let in.
      const isRefused = error?.status === "UNAUTHENTICATED";
      const why = isRefused
        ? error
        : new WireError("UNAVAILABLE", `the stream of calls has ended: ${error?.message ?? "the server ended it"}`);
      for (const call of [...waiting.values()]) call.fail(why);
    },
  });
  const send = createBundle<CallOut & { readonly bytes: number }>((calls) => {
    if (isOpen) stream.send(writeCalls(calls));
  });
  const leave = (): void => {
    isLeaving = true;
    if (waiting.size === 0 && isOpen) stream.cancel();
  };
  /** Looks once in a while whether anything was asked since, instead of at every call. */
  const watchIdleness = (seen: number): void => {
    timers.setTimer(IDLE_MS, () => {
      if (!isOpen || isLeaving) return;
      if (waiting.size === 0 && numbers === seen) leave();
      else watchIdleness(numbers);
    });
  };
  watchIdleness(-1);
  const settled = (number: number): void => {
    waiting.delete(number);
    if (isLeaving) leave();
  };

  return {
    unary(method, message, options) {
      return new Promise((resolve, reject) => {
        if (options.signal?.aborted) return reject(new WireError("CANCELLED", `${method} was cancelled by its caller`));
        const number = (numbers = (numbers + 1) % 0x1_0000_0000);
        const watch = watchCall(method, options, timers, (error) => {
          settled(number);
          reject(error);
        });
        waiting.set(number, {
          answer(reply) {
            if (!watch.finish()) return;
            settled(number);
            resolve(reply);
          },
          fail(error) {
            if (!watch.finish()) return;
            settled(number);
            reject(error);
          },
        });
        send({ number, method, message, bytes: message.length });
      });
    },
    get isOpen() {
      return isOpen && !isLeaving;
    },
    get isUnknown() {
      return isUnknown;
    },
    get isBroken() {
      return isBroken;
    },
    leave,
  };
}
