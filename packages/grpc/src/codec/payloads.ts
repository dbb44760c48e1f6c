// payloads: texts that nobody on the way reads.
//
// Always:  P1 a payload goes as it came. P2 from the family one that is present and empty is none: all its SDKs write and read it so.
//          P3 names and values (tags) are kept whatever they are called, `__proto__` too; an empty list of them is as none.

import type { Tags } from "ostinato/contract";
import type { TraceContext } from "../generated/task_hub_sidecar_pb.js";
import type { Peer } from "./peer.ts";

/** A payload as it came; `undefined` where there is none. */
export function decodePayload(text: string | undefined, peer: Peer): string | undefined {
  return text === "" && peer === "family" ? undefined : text;
}

/** Tags as fields of a message. */
export function encodeTags(tags: Tags | undefined): { [name: string]: string } {
  return tags === undefined ? {} : copyOf(tags);
}

/** The tags of a message; `undefined` for none. */
export function decodeTags(tags: { readonly [name: string]: string }): Tags | undefined {
  for (const _any in tags) return tags;
  return undefined;
}

/** A place in a trace, as a `traceparent` says it. */
export function encodeTrace(traceparent: string | undefined): TraceContext | undefined {
  if (traceparent === undefined) return undefined;
  const spanID = /^[0-9a-f]{2}-[0-9a-f]{32}-([0-9a-f]{16})-/.exec(traceparent)?.[1] ?? "";
  return { $typeName: "TraceContext", traceParent: traceparent, spanID };
}

/** The `traceparent` of a place in a trace; `undefined` for none. */
export function decodeTrace(trace: TraceContext | undefined, peer: Peer): string | undefined {
  return decodePayload(trace?.traceParent, peer);
}

/** A copy of names and values: spreading makes properties, and never calls a setter. */
function copyOf(tags: Tags): { [name: string]: string } {
  return { ...tags };
}
