// open-channel: calls over the network.
//
// Owns:    which connection a call goes by, and that there is one.
// Is told: an address; calls.
// Always:  a connection is made with the first call and, after a loss, with the next. Nothing is repeated here: whether a call may be made
//          twice is known to who makes it. Calls that wait long keep nobody else waiting: when a server takes no more of them on one
//          connection, there is another.

import { obstacleTo, once } from "./calling.ts";
import type { MessageLimit } from "./frames.ts";
import { CALLS_UNTIL_TOLD, openLink, type ChannelTls, type Link, type LinkRules } from "./link.ts";
import type { Hearer, OutgoingStream } from "./outgoing-stream.ts";
import { systemTimers, type Timers } from "./timers.ts";
import type { CallOptions, Channel, OpenStream, StreamListener } from "./transport.ts";
import { WireError } from "./wire-error.ts";

export type { ChannelTls } from "./link.ts";

/** How a channel is opened. */
export interface ChannelOptions {
  /** With it the connection is encrypted and the server's certificate checked; `{}` for the usual authorities. */
  readonly tls?: ChannelTls;
  /** The longest message that is taken; 16 MiB. */
  readonly maxMessageBytes?: number;
  /** A ping is sent after so long without a word from the server, while a call is under way; 20 s. */
  readonly pingIntervalMs?: number;
  /** A connection whose ping is not answered for so long is dead; 10 s. */
  readonly pingTimeoutMs?: number;
  /** A connection that is not there after so long fails; 10 s. */
  readonly connectTimeoutMs?: number;
  /** By whose time deadlines and pings run: a `Clock` is one. */
  readonly timers?: Timers;
}

/** Connections of one channel to servers that take few calls on each; beyond them calls wait for one another. */
const MAX_LINKS = 32;

/**
 * A channel to `host:port` (`[::1]:4001` for IPv6).
 *
 * @example
 * const channel = openChannel("localhost:4001");
 * const { message } = await channel.unary("Hello", new Uint8Array(), { timeoutMs: 5_000 });
 */
export function openChannel(address: string, options: ChannelOptions = {}): Channel {
  const rules: LinkRules = {
    ...placeOf(address),
    tls: options.tls,
    limit: { bytes: options.maxMessageBytes ?? 16 << 20, option: "the channel" } satisfies MessageLimit,
    pings: { intervalMs: options.pingIntervalMs ?? 20_000 },
    room: { calls: CALLS_UNTIL_TOLD },
    pingTimeoutMs: options.pingTimeoutMs ?? 10_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    timers: options.timers ?? systemTimers,
  };
  let links: Link[] = [];
  let closed = false;

  const chooseLink = (): Link => {
    for (const link of links) if (link.usable && link.hasRoom) return link;
    const usable = links.filter((link) => link.usable);
    if (usable.length >= MAX_LINKS) return usable.reduce((least, link) => (link.calls < least.calls ? link : least));
    const link = openLink(rules, () => {
      links = links.filter((other) => other !== link);
    });
    links.push(link);
    return link;
  };
  /** Makes the call, or tells the hearer why it cannot be made. */
  const call = (method: string, message: Uint8Array | undefined, given: CallOptions, hearer: Hearer): OutgoingStream | undefined => {
    const obstacle = obstacleTo(method, given, closed);
    if (obstacle === undefined) {
      try {
        return chooseLink().call(method, message, given, hearer);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        queueMicrotask(() => hearer.ended(new WireError("UNAVAILABLE", `${method}: ${reason}`), {}));
        return undefined;
      }
    }
    queueMicrotask(() => hearer.ended(obstacle, {}));
    return undefined;
  };
  const listenTo = (method: string, listener: StreamListener, cancel: () => void): Hearer => {
    const heard = once(method, listener, cancel);
    return { headers: (metadata) => heard.headers(metadata), message: (next) => heard.message(next), ended: (error) => heard.ended(error) };
  };
  const open = (method: string, message: Uint8Array | undefined, listener: StreamListener, given: CallOptions): OpenStream => {
    const stream = call(
      method,
      message,
      given,
      listenTo(method, listener, () => stream?.cancel()),
    );
    return {
      cancel: () => stream?.cancel(),
      send(next) {
        if (message !== undefined) throw new WireError("INTERNAL", `${method} was opened by stream(), which sends one message`);
        stream?.send(next);
      },
    };
  };
  const endAll = (error: WireError): void => {
    const ending = links;
    links = [];
    for (const link of ending) link.end(error);
  };

  return {
    unary(method, message, given = {}) {
      return new Promise((resolve, reject) => {
        let reply: Uint8Array | undefined;
        let many = false;
        call(method, message, given, {
          headers: () => undefined,
          message(next) {
            many ||= reply !== undefined;
            reply = next;
          },
          ended(error, metadata) {
            if (error !== undefined) reject(error);
            else if (reply === undefined || many)
              reject(new WireError("INTERNAL", `${method} has one answer, and ${many ? "several" : "none"} came`));
            else resolve({ message: reply, metadata });
          },
        });
      });
    },
    stream: (method, message, listener, given = {}) => open(method, message, listener, given),
    duplex: (method, listener, given = {}) => open(method, undefined, listener, given),
    reset() {
      endAll(new WireError("UNAVAILABLE", "the connection was reset by its owner"));
    },
    close() {
      closed = true;
      endAll(new WireError("CANCELLED", "the channel was closed"));
      return Promise.resolve();
    },
  };
}

function placeOf(address: string): { host: string; port: number } {
  const parts = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:[\]/]+)):(\d{1,5})$/.exec(address);
  const port = Number(parts?.[3]);
  if (parts === null || port < 1 || port > 65_535) {
    throw new WireError("INVALID_ARGUMENT", `"${address}" is no address: write host:port, as in "localhost:4001" or "[::1]:4001"`);
  }
  return { host: parts[1] ?? parts[2]!, port };
}
