// wire-tap: sees what passes on the honest one's wire: the tokens of the work that it was handed, and whether it has answered.
//
// Owns:    which of the honest one's items are out right now, as somebody would know who reads all of its traffic.
import { METHODS, readReply } from "../../packages/grpc/src/codec/messages.ts";
import { readCalls } from "../../packages/grpc/src/codec/own-calls.ts";
import type { Channel } from "../../packages/grpc/src/transport/transport.ts";
import { WorkItemSchema } from "../../packages/grpc/src/generated/task_hub_sidecar_pb.js";
import { read, type Field } from "./tree.ts";

/** A work item of somebody, as its message says it. */
export interface SeenItem {
  readonly kind: "turn" | "activity" | "batch";
  readonly token: string;
  readonly instanceId: string;
  readonly executionId: string;
  /** Of a batch: how many operations it has. */
  readonly taskId: number;
}

const decoder = new TextDecoder();

/** What a work item's message says; nothing for pings and notices. */
export function itemOf(bytes: Uint8Array): SeenItem | undefined {
  const { request, completionToken: token } = readReply("GetWorkItems", bytes);
  if (request.case === "orchestratorRequest") {
    const { instanceId, executionId } = request.value;
    return { kind: "turn", token, instanceId, executionId: executionId ?? "", taskId: 0 };
  }
  if (request.case === "entityRequestV2") {
    const { instanceId, operationRequests } = request.value;
    return { kind: "batch", token, instanceId, executionId: "", taskId: operationRequests.length };
  }
  if (request.case !== "activityRequest") return undefined;
  const { orchestrationInstance, taskId } = request.value;
  return {
    kind: "activity",
    token,
    instanceId: orchestrationInstance?.instanceId ?? "",
    executionId: orchestrationInstance?.executionId ?? "",
    taskId,
  };
}

/** The text of a field of the outermost level. */
export function textOf(fields: readonly Field[] | undefined, number: number): string {
  const content = fields?.find((each) => each.number === number)?.content;
  return content?.kind === "bytes" ? decoder.decode(content.bytes) : "";
}

/** What is known of the honest one's traffic. */
export class WireTap {
  /** Items that were handed out and not answered. */
  readonly live = new Map<string, SeenItem>();
  /** Tokens that were answered: worth nothing. */
  readonly spent: SeenItem[] = [];
  /** Requests that were made, by method: what well-made messages look like. */
  readonly requests: { readonly method: keyof typeof METHODS; readonly bytes: Uint8Array }[] = [];

  readonly #pause: () => Promise<void>;

  /** `pause`: how long the honest one thinks before it answers. Meanwhile what it was handed is worth stealing. */
  constructor(pause: () => Promise<void>) {
    this.#pause = pause;
  }

  /** The same channel, with somebody listening. */
  readonly tap = (channel: Channel): Channel => ({
    ...channel,
    unary: async (method, message, options) => {
      if (method.startsWith("Complete")) await this.#pause();
      this.#sent(method, message);
      return channel.unary(method, message, options);
    },
    stream: (method, message, listener, options) => {
      this.#sent(method, message);
      if (method !== "GetWorkItems") return channel.stream(method, message, listener, options);
      return channel.stream(
        method,
        message,
        {
          headers: (metadata) => listener.headers?.(metadata),
          message: (bytes) => {
            const item = itemOf(bytes);
            if (item !== undefined) this.live.set(item.token, item);
            listener.message(bytes);
          },
          ended: (error) => listener.ended(error),
        },
        options,
      );
    },
    duplex: (method, listener, options) => {
      const stream = channel.duplex(method, listener, options);
      // One message after the other: what is sent later waits for the thinking of what was sent before.
      let before = Promise.resolve();
      return {
        cancel: () => stream.cancel(),
        send: (bytes) => {
          const calls = readCalls(bytes);
          const thinks = calls.some((each) => each.method.startsWith("Complete"));
          const go = async (): Promise<void> => {
            if (thinks) await this.#pause();
            for (const each of calls) this.#sent(each.method, each.message);
            stream.send(bytes);
          };
          before = before.then(go);
        },
      };
    },
  });

  #sent(method: string, bytes: Uint8Array): void {
    if (!Object.hasOwn(METHODS, method)) return;
    const name = method as keyof typeof METHODS;
    if (this.requests.length < 400) this.requests.push({ method: name, bytes: bytes.slice() });
    if (!/^Complete|^Abandon/.test(method)) return;
    // The token has another number in each of these messages.
    const fields = read(bytes, METHODS[name].request);
    for (const { content } of fields ?? []) {
      if (content.kind !== "bytes") continue;
      const token = decoder.decode(content.bytes);
      const item = this.live.get(token);
      if (item === undefined) continue;
      this.live.delete(token);
      this.spent.push(item);
      if (this.spent.length > 100) this.spent.shift();
    }
  }
}

/** The schema of what a stream of work sends. */
export const WORK_ITEM = WorkItemSchema;
