// tokens: the completion tokens that passed on the wire, and what they are worth now.
//
// Owns:    which token is stale: its server handed its work out again under another one, or it was answered, or its server has gone.
// Always:  TO1 a token that is called stale here is nobody's to use: whatever is answered with it must change nothing.
import { readReply } from "../../packages/grpc/src/codec/messages.ts";

/** A token that was sent once. */
export interface SentToken {
  readonly token: string;
  readonly kind: "turn" | "activity" | "batch";
  readonly instanceId: string;
  readonly taskId: number;
  /** The life of the server that sent it. */
  readonly server: string;
}

const decoder = new TextDecoder("latin1");

/** The tokens of a world. */
export class Tokens {
  /** By server and what they stand for: the newest. */
  readonly #live = new Map<string, SentToken>();
  readonly #byToken = new Map<string, SentToken>();
  /** No longer of any worth, the newest last. */
  readonly stale: SentToken[] = [];
  /** Of these the server has gone that knew them. */
  readonly #orphaned = new Set<string>();

  /** A work item leaves a server. */
  sent(bytes: Uint8Array, server: string): void {
    const { request, completionToken: token } = readReply("GetWorkItems", bytes);
    const common = { token, server };
    if (request.case === "orchestratorRequest") this.#note({ ...common, kind: "turn", instanceId: request.value.instanceId, taskId: 0 });
    if (request.case === "entityRequestV2") this.#note({ ...common, kind: "batch", instanceId: request.value.instanceId, taskId: 0 });
    if (request.case !== "activityRequest") return;
    const { orchestrationInstance, taskId } = request.value;
    this.#note({ ...common, kind: "activity", instanceId: orchestrationInstance?.instanceId ?? "", taskId });
  }

  #note(sent: SentToken): void {
    // Of one server: what another one sends later it may have claimed before, and have had to wait with.
    const key = JSON.stringify([sent.server, sent.kind, sent.instanceId, sent.taskId]);
    const before = this.#live.get(key);
    if (before !== undefined) this.#isStale(before);
    this.#live.set(key, sent);
    this.#byToken.set(sent.token, sent);
  }

  /** A call was answered well: a token in it has been used. */
  answered(method: string, message: Uint8Array): void {
    if (!method.startsWith("Complete")) return;
    // Tokens of ours are 32 digits; nothing else in these messages is looked for.
    for (const token of decoder.decode(message).match(/[0-9a-f]{32}/g) ?? []) {
      const sent = this.#byToken.get(token);
      if (sent !== undefined) this.#isStale(sent);
    }
  }

  /** A server has gone, and with it all that it knew. */
  lost(server: string): void {
    for (const sent of this.#byToken.values())
      if (sent.server === server) {
        this.#orphaned.add(sent.token);
        this.#isStale(sent);
      }
  }

  /** The server that knew it has gone: no other one may take it for anything. */
  isOrphaned(token: string): boolean {
    return this.#orphaned.has(token);
  }

  #isStale(sent: SentToken): void {
    if (this.stale.includes(sent)) return;
    this.stale.push(sent);
    if (this.stale.length > 60) this.stale.shift();
  }
}
