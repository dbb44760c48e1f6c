// verdict: whether an answer is one that a server may give to something that nobody should have sent.
//
// Always:  VE1 a refusal has a status that fits, and a text that says nothing of our files; an answer is a message that can be read.
//          VE2 who is not let in is answered nothing.
import { METHODS, readReply } from "../../packages/grpc/src/codec/messages.ts";
import type { Reply } from "../../packages/grpc/src/transport/transport.ts";
import { WireError, type StatusName } from "../../packages/grpc/src/transport/wire-error.ts";
import type { Shot } from "./attacker.ts";

/** What came of a message. */
export type Result = { readonly kind: "reply"; readonly reply: Reply } | { readonly kind: "error"; readonly error: unknown };

/** Statuses that say that the server has no idea. */
const NEVER: ReadonlySet<StatusName> = new Set(["OK", "UNKNOWN", "INTERNAL", "DATA_LOSS"]);
export const OURS = /\n\s+at |node:internal|file:\/\/|\.[cm]?[jt]s:\d+|node_modules|\/(?:home|root|usr|work|tmp)\//;
/** What somebody may ask who may look and nothing else. */
const TO_LOOK: ReadonlySet<string> = new Set([
  "Hello",
  "GetInstance",
  "WaitForInstanceStart",
  "WaitForInstanceCompletion",
  "QueryInstances",
  "ListInstanceIds",
  "GetEntity",
  "QueryEntities",
]);

/** What is wrong with an answer; nothing when it is in order. `isLive`: the honest one's token that was used is worth something. */
export function verdictOf(shot: Shot, result: Result, isLive: boolean): string | undefined {
  return result.kind === "reply" ? replyVerdict(shot, result.reply, isLive) : errorVerdict(result.error);
}

function replyVerdict(shot: Shot, { message, metadata }: Reply, isLive: boolean): string | undefined {
  if (shot.demand === "refused") return `'${shot.move}' was accepted`;
  if (shot.demand === "refused while live" && isLive) return `'${shot.move}' was accepted, and the token is not the attacker's`;
  if (shot.caller === "stranger" || shot.caller === "nobody") return "a caller without a valid token was answered";
  if (shot.caller === "viewer" && !TO_LOOK.has(shot.method)) return `a caller who may only look was answered by ${shot.method}`;
  if (shot.hub !== undefined && shot.hub !== "shared" && shot.hub !== "wild") return `a task hub '${shot.hub}' answered`;
  if (!Object.hasOwn(METHODS, shot.method)) return "a call that there is none of was answered";
  if (!isPrintable(metadata)) return "the answer's metadata cannot travel";
  try {
    readReply(shot.method as keyof typeof METHODS, message);
  } catch (error) {
    return `the answer cannot be read: ${String(error)}`;
  }
  return undefined;
}

/** What is wrong with a refusal. */
export function errorVerdict(error: unknown): string | undefined {
  if (!(error instanceof WireError))
    return `something was thrown that is no status: ${error instanceof Error ? error.stack : String(error)}`;
  if (NEVER.has(error.status)) return `the status is ${error.status}: ${error.message.slice(0, 300)}`;
  if (OURS.test(error.message)) return `the text of the refusal tells of our files: ${error.message.slice(0, 300)}`;
  if (!isPrintable(error.metadata)) return "the metadata of the refusal cannot travel";
  return undefined;
}

function isPrintable(metadata: Readonly<Record<string, string>>): boolean {
  return Object.entries(metadata).every(([name, value]) => /^[0-9a-z_.-]+$/.test(name) && /^[\x20-\x7e]{0,1024}$/.test(value));
}

/** What objects, lists and functions have by birth. */
const BORN = [Object.prototype, Array.prototype, Function.prototype, Map.prototype, Promise.prototype].map(
  (prototype) => [prototype, Reflect.ownKeys(prototype).length] as const,
);

/** Whether somebody has given all objects something that they should not have. */
export function isPolluted(): boolean {
  return BORN.some(([prototype, count]) => Reflect.ownKeys(prototype).length !== count);
}
