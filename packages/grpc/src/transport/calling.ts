// calling: what every call has in common on the side that makes it, whatever carries it.
//
// Owns:    deadlines, signals, and that a call ends once.
// Is told: how its carrier lets go of it.
// Always:  X1 whoever waits for a call hears of its end exactly once, and of nothing afterwards.

import type { Timers } from "./timers.ts";
import type { CallOptions, Metadata, StreamListener } from "./transport.ts";
import { WireError } from "./wire-error.ts";

/** A call under way, to the carrier. */
export interface CallWatch {
  /** Whether the call has ended. */
  readonly over: boolean;
  /** The call ends: `true` for whoever ends it, `false` when it had ended before. */
  finish(): boolean;
}

/** Watches the caller's deadline and signal. `give up` is called at most once, after the call has been marked as over. */
export function watchCall(method: string, options: CallOptions, timers: Timers, giveUp: (error: WireError) => void): CallWatch {
  const { signal, timeoutMs } = options;
  let over = false;
  const finish = (): boolean => {
    if (over) return false;
    over = true;
    timer?.cancel();
    signal?.removeEventListener("abort", aborted);
    return true;
  };
  const aborted = (): void => {
    if (finish()) giveUp(new WireError("CANCELLED", `${method} was cancelled by its caller`));
  };
  const timer =
    timeoutMs === undefined
      ? undefined
      : timers.setTimer(timeoutMs, () => {
          if (finish()) giveUp(new WireError("DEADLINE_EXCEEDED", `${method} had no answer after ${timeoutMs} ms`));
        });
  signal?.addEventListener("abort", aborted, { once: true });
  return {
    get over() {
      return over;
    },
    finish,
  };
}

/**
 * A listener that keeps X1, whoever calls it how often. A listener that throws has its stream ended: `broken` lets go of it.
 */
export function once(method: string, listener: StreamListener, broken: () => void): Required<StreamListener> & { readonly over: boolean } {
  let over = false;
  let begun = false;
  const guarded = (tell: () => void): void => {
    try {
      tell();
    } catch (error) {
      over = true;
      broken();
      listener.ended(new WireError("INTERNAL", `who hears ${method} threw: ${error instanceof Error ? error.message : String(error)}`));
    }
  };
  return {
    get over() {
      return over;
    },
    headers(metadata) {
      if (over || begun) return;
      begun = true;
      guarded(() => listener.headers?.(metadata));
    },
    message(message) {
      if (over) return;
      begun = true;
      guarded(() => listener.message(message));
    },
    ended(error) {
      if (over) return;
      over = true;
      listener.ended(error);
    },
  };
}

/** Why a call cannot even begin. */
export function obstacleTo(method: string, given: CallOptions, channelClosed: boolean): WireError | undefined {
  if (channelClosed) return new WireError("CANCELLED", `${method} was called on a channel that has been closed`);
  if (given.signal?.aborted) return new WireError("CANCELLED", `${method} was cancelled by its caller`);
  const bad = untransportable(given.metadata ?? {});
  return bad === undefined ? undefined : new WireError("INVALID_ARGUMENT", `${method}: ${bad}`);
}

/** What can travel as a name and as a value. HTTP/2 takes no spaces at the ends of a value. */
const NAME = /^[0-9a-z_.-]+$/;
const VALUE = /^(?! )[\x20-\x7e]*(?<! )$/;
/** Names that mean something to HTTP, which would refuse the call for them, or read it otherwise. */
const NAMES_OF_HTTP: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Nobody takes more than 64 KiB of headers on HTTP/2, and who sends them loses the connection. */
const MOST_CHARACTERS = 32_768;

/** Says what of some metadata cannot travel; `undefined` when all of it can. */
export function untransportable(metadata: Metadata): string | undefined {
  let characters = 0;
  for (const [name, value] of Object.entries(metadata)) {
    characters += name.length + value.length;
    if (characters > MOST_CHARACTERS) return `metadata cannot have more than ${MOST_CHARACTERS} characters in all`;
    if (!NAME.test(name) || name.startsWith("grpc-") || NAMES_OF_HTTP.has(name))
      return `metadata cannot have the name ${JSON.stringify(name)}`;
    if (!VALUE.test(value)) return `the value of metadata "${name}" has a space at an end, or characters other than printable ASCII`;
  }
  return undefined;
}
