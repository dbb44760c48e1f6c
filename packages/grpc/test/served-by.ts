// served-by: an answering half made of a few functions.

import type { IncomingCall, Reply, Served, StreamWriter } from "../src/transport/transport.ts";

type Unary = (call: IncomingCall, message: Uint8Array) => Promise<Reply> | Reply;
type Stream = (call: IncomingCall, message: Uint8Array, writer: StreamWriter) => Promise<void>;
type Duplex = (call: IncomingCall, incoming: AsyncIterable<Uint8Array>, writer: StreamWriter) => Promise<void>;

export interface Methods {
  readonly unary?: Readonly<Record<string, Unary>>;
  readonly stream?: Readonly<Record<string, Stream>>;
  readonly duplex?: Readonly<Record<string, Duplex>>;
}

export function servedBy(methods: Methods): Served {
  const has = (kind: keyof Methods, method: string): boolean => Object.hasOwn(methods[kind] ?? {}, method);
  return {
    kindOf: (method) => (["unary", "stream", "duplex"] as const).find((kind) => has(kind, method)),
    unary: async (call, message) => methods.unary![call.method]!(call, message),
    stream: (call, message, writer) => methods.stream![call.method]!(call, message, writer),
    duplex: (call, incoming, writer) => methods.duplex![call.method]!(call, incoming, writer),
  };
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (message: Uint8Array): string => new TextDecoder().decode(message);

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
