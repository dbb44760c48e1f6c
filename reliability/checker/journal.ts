// journal: what witnesses saw, in the order in which they saw it: clients, bodies of activities, processes, and whoever looks at the store.
//
// Owns:    the form of an entry, and how entries become calls.
// Always:  J1 an `invoke` without `ok` or `fail` is a call whose outcome nobody knows.
//          J2 the order of entries is the order of time. Journals of several processes are merged by their clocks, and then prove less.
import type { Standing } from "./stored.ts";

/** Who saw it: a process. */
export type Witness = string | number;

/** A body was entered, or left. */
export interface BodySight {
  readonly kind: "body-began" | "body-ended";
  readonly instanceId: string;
  /** The execution that called it; without it the line that its idempotency key counts from. */
  readonly executionId?: string;
  readonly taskId: number;
  readonly name: string;
  readonly attempt: number;
  readonly delivery: number;
  readonly key: string;
  readonly outcome?: "completed" | "failed" | "abandoned";
  /** The text of what it returned. */
  readonly result?: string;
}

/** When it was seen, by the witness's clock, and whose sight it is. */
export interface Seen {
  readonly at: number;
  readonly by: Witness;
}

/** What can be seen. */
export type Sight =
  | BodySight
  /** A client asked; was answered; was refused. `what` is a Request. */
  | { readonly kind: "invoke"; readonly call: string; readonly instanceId: string; readonly op: string; readonly what?: unknown }
  | { readonly kind: "ok"; readonly call: string; readonly value?: unknown }
  | { readonly kind: "fail"; readonly call: string; readonly code: string; readonly message: string }
  /** The process that says so has died. */
  | { readonly kind: "died" }
  /** Told to stop, and its patience is over: what it still runs is given back, whether it ends or not. */
  | { readonly kind: "gives-back" }
  /** What it holds is its own until then, and no longer; said when it is renewed. */
  | { readonly kind: "lease"; readonly until: number }
  /** How an instance stands in the store, at a reading of its clock; nothing when it is gone. */
  | { readonly kind: "stands"; readonly number: number; readonly id: string; readonly storeAt: number; readonly standing?: Standing }
  /** A commit was written under this epoch of the instance. */
  | { readonly kind: "committed"; readonly number: number; readonly epoch: number }
  /** A turn was run a second time, from the start of its history; what was different, if anything. */
  | { readonly kind: "replayed"; readonly instanceId: string; readonly difference?: string };

/** An entry of a journal. */
export type Entry = Seen & Sight;

/** What the checker reads of `what`. Fields that are not there prove nothing. */
export interface Request {
  /** start: the execution id that the client minted. */
  readonly token?: string;
  /** raise: the id of the message, and its payload; payloads that are unique tell more. */
  readonly messageId?: string;
  readonly event?: string;
  readonly input?: string;
  /** terminate, purge. */
  readonly recursive?: boolean;
  /** start: what stands under the id may be replaced. */
  readonly replaces?: boolean;
  /** signal: the id of the request, and what the entity is to do, not before when. */
  readonly requestId?: string;
  readonly operation?: string;
  readonly notBefore?: number;
}

/** A call from its invocation to its answer. */
export interface Call {
  readonly call: string;
  readonly by: Witness;
  readonly op: string;
  readonly instanceId: string;
  readonly request: Request;
  /** Places in the journal. An unknown outcome has no end. */
  readonly from: number;
  readonly to: number;
  readonly invokedAt: number;
  readonly outcome: "ok" | "fail" | "unknown";
  readonly value: unknown;
  readonly code: string;
}

/** The calls of a journal, in the order of their invocations. */
export function callsOf(journal: readonly Entry[]): Call[] {
  const calls = new Map<string, { -readonly [K in keyof Call]: Call[K] }>();
  journal.forEach((entry, place) => {
    if (entry.kind === "invoke") {
      const { call, by, op, instanceId } = entry;
      const request = typeof entry.what === "object" && entry.what !== null ? entry.what : {};
      const open = {
        from: place,
        to: Number.POSITIVE_INFINITY,
        invokedAt: entry.at,
        outcome: "unknown",
        value: undefined,
        code: "",
      } as const;
      calls.set(call, { call, by, op, instanceId, request, ...open });
    } else if (entry.kind === "ok" || entry.kind === "fail") {
      const call = calls.get(entry.call);
      if (call === undefined || call.outcome !== "unknown") return;
      call.to = place;
      call.outcome = entry.kind;
      if (entry.kind === "ok") call.value = entry.value;
      else call.code = entry.code;
    }
  });
  return [...calls.values()];
}

/** The refusals that say that nothing was done. Every other failure leaves it open. */
const REFUSALS: ReadonlySet<string> = new Set([
  "INSTANCE_EXISTS",
  "INSTANCE_NOT_FOUND",
  "INVALID_STATE",
  "INVALID_ARGUMENT",
  "VALIDATION_FAILED",
  "PAYLOAD_INVALID",
  "PAYLOAD_TOO_LARGE",
  "UNSUPPORTED",
]);

/** Whether a call may have had its effect. */
export function mayHaveHappened(call: Call): boolean {
  return call.outcome !== "fail" || !REFUSALS.has(call.code);
}
