// headers: what travels beside messages, in the words of gRPC over HTTP/2.
//
// Owns:    the names of headers, how a status, a deadline and metadata are written in them, and what HTTP's own ways of failing mean.
// Always:  what came from outside becomes values, never code: an unknown status is UNKNOWN, a text that cannot be read stays as it came.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { Metadata } from "./transport.ts";
import { STATUS, WireError, type StatusName } from "./wire-error.ts";

/** The path under which every method lies. */
export const SERVICE_PATH = "/TaskHubSidecarService/";

const NAMES = Object.keys(STATUS) as StatusName[];
/** What is to be escaped in a text: what HTTP/2 does not take, and at the ends spaces, too. */
const ESCAPED = /^ +| +$|[^\x20-\x24\x26-\x7e]+/g;
/** Longer texts are cut: other implementations take 8 KiB of headers and no more. */
const LONGEST_TEXT = 4_000;
/** What is the transport's own and no metadata. */
const RESERVED = new Set(["content-type", "te", "content-length", "connection", "__proto__"]);

/** What came beside a call or an answer, without what is the transport's own. */
export function metadataOf(headers: IncomingHttpHeaders): Metadata {
  const metadata: Record<string, string> = {};
  for (const name in headers) {
    if (name.startsWith(":") || name.startsWith("grpc-") || RESERVED.has(name)) continue;
    const value = headers[name];
    if (value !== undefined) metadata[name] = typeof value === "string" ? value : value.join(", ");
  }
  return metadata;
}

/** The end of an answer. */
export function trailersOf(error: WireError | undefined): OutgoingHttpHeaders {
  if (error === undefined) return { "grpc-status": "0" };
  const trailers: OutgoingHttpHeaders = { ...error.metadata, "grpc-status": String(STATUS[error.status]) };
  if (error.message !== "") trailers["grpc-message"] = encodeText(error.message);
  return trailers;
}

/** The failure that the end of an answer tells of; `undefined` for a good one. */
export function endingOf(headers: IncomingHttpHeaders, metadata: Metadata): WireError | undefined {
  const said = headers["grpc-status"];
  const code = typeof said === "string" && /^\d+$/.test(said) ? Number(said) : -1;
  if (code === 0) return undefined;
  const text = headers["grpc-message"];
  return new WireError(NAMES[code] ?? "UNKNOWN", typeof text === "string" ? decodeText(text) : "", metadata);
}

/** What an answer means that is none of gRPC. */
export function failureOfHttp(method: string, status: number, contentType: string | undefined): WireError {
  const name: StatusName =
    status === 400
      ? "INTERNAL"
      : status === 401
        ? "UNAUTHENTICATED"
        : status === 403
          ? "PERMISSION_DENIED"
          : status === 404
            ? "UNIMPLEMENTED"
            : status === 429 || (status >= 502 && status <= 504)
              ? "UNAVAILABLE"
              : "UNKNOWN";
  const what = contentType === undefined ? "" : ` and content of type ${JSON.stringify(contentType)}`;
  return new WireError(name, `${method} was answered with HTTP status ${status}${what}, which is no gRPC; is it the right port?`);
}

/** What it means that the other side gave a stream up with a code of HTTP/2. */
export function failureOfReset(method: string, code: number): WireError {
  const status: StatusName = code === 7 ? "UNAVAILABLE" : code === 8 ? "CANCELLED" : code === 11 ? "RESOURCE_EXHAUSTED" : "INTERNAL";
  return new WireError(status, `${method} was given up by the other side (HTTP/2 code ${code})`);
}

/** Whether a content type is one of gRPC. */
export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:[+;]|$)/i.test(contentType);
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** How long a caller waits; `undefined` for ever. @throws WireError */
export function timeoutOf(text: string | string[] | undefined): number | undefined {
  if (text === undefined) return undefined;
  const parts = typeof text === "string" ? /^(\d{1,8})([HMSmun])$/.exec(text) : null;
  if (parts === null) throw new WireError("INVALID_ARGUMENT", "the header grpc-timeout is not of the form 8 digits and a unit");
  return Number(parts[1]) * UNIT_MS[parts[2]!]!;
}

/** A wait as a header says it; rounded up, so that the caller gives up first. */
export function encodeTimeout(ms: number): string {
  const whole = Math.max(Math.ceil(ms), 1);
  if (whole < 1e8) return `${whole}m`;
  const seconds = Math.ceil(whole / 1_000);
  return seconds < 1e8 ? `${seconds}S` : "99999999H";
}

/** A text as printable ASCII. */
function encodeText(text: string): string {
  const cut = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)} ...` : text;
  const encoded = cut.replace(ESCAPED, (part) =>
    [...Buffer.from(part, "utf8")].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
  return encoded.length <= LONGEST_TEXT + 4 ? encoded : `${encoded.slice(0, LONGEST_TEXT).replace(/%[0-9A-F]?$/, "")} ...`;
}

/** The text again. What was not written as it should be is read as far as it can be. */
function decodeText(text: string): string {
  if (!text.includes("%")) return text;
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (part) => Buffer.from(part.replaceAll("%", ""), "hex").toString("utf8"));
}
