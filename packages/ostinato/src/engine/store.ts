// store: the second seam. What the engine needs of a database, and nothing beside it.
//
// Owns:    the thirteen operations, and what a store of a file has besides. A Store object is one owner: one process's line to the shared state.
// Always:  S1 a commit is written whole or not at all, under its own fences, whatever its neighbours in the batch do.
//          S2 epochs only rise; an address's number is never used again.
//          S3 all instants are readings of the store's clock, which never goes back while the store is open.
//          S4 a claim costs the same beside 10^5 due messages of leased or held instances as beside none.
//          S5 notifications are hints: correctness never depends on them.

import type { HistoryEvent } from "../contract/events.ts";
import type { ExecutionId, InstanceId, InstanceNumber } from "../contract/ids.ts";
import type { StoredInstance, TerminalStatus } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { FileOperations, HubSizes } from "../contract/maintenance.ts";
import type { Outstanding } from "../contract/outstanding.ts";
import type { InstanceFilter, Page, PageRequest } from "../contract/queries.ts";
import type { ActivityClaim, ActivityLease, Claim, Commit, CommitResult, Lease, Refusal } from "./commit.ts";

/** Names that a process takes: these, or any but these. */
export type WantedNames = readonly string[] | { readonly anyBut: readonly string[] };

/** What a process has room for. */
export interface ClaimRequest {
  /** At most this many free instances, leased now; due messages of instances already held come besides. */
  readonly instances: number;
  /** The orchestrators it can run. Instances that need only the engine are claimed whatever their name. */
  readonly orchestrators: WantedNames;
  /** At most this many free entities, leased now. */
  readonly entityCount: number;
  /** The names of their records (`@name`). Of any: those that begin with `@`, which no orchestrator's does. */
  readonly entities: WantedNames;
  readonly activityCount: number;
  readonly activities: WantedNames;
}

/** What a claim hands out. Attempts are counted durably before it is answered. */
export interface Claims {
  readonly at: Instant;
  readonly instances: readonly Claim[];
  readonly activities: readonly ActivityClaim[];
  /** When something that this request would have taken becomes due, if anything will. Held instances' timers count. */
  readonly nextDueAt?: Instant;
  /** What would have been handed out, and cannot be read. */
  readonly damaged?: readonly DamagedClaim[];
}

/** Something that was claimed and cannot be read (D5). */
export interface DamagedClaim {
  readonly instanceId: InstanceId;
  /** In words: what cannot be read, and why. */
  readonly reason: string;
  /** What was claimed; absent where it was left as it is. */
  readonly lease?: Lease | ActivityLease;
}

/** What a process asked for and was not given, since nobody has it free. */
export type RoomLeft = Pick<ClaimRequest, "instances" | "orchestrators" | "entityCount" | "entities">;

/** A hint that looking is worth while. */
export interface ChangeHint {
  /** Something became ready to be claimed. */
  readonly ready: boolean;
  /** Instances that have ended or gone. */
  readonly ended: readonly InstanceId[];
  /** More have ended than are listed: whoever waits looks at all. */
  readonly endedMore?: true;
  /** Another process has looked for instances and found fewer than it has room for: who has more to run than slots lets them go. */
  readonly roomElsewhere?: RoomLeft;
  /** Something that was written becomes due then; whoever sleeps until later should look by then. */
  readonly dueAt?: Instant;
  /** What a query had to leave out since it cannot be read: whose it is and why, in words. */
  readonly damaged?: readonly string[];
}

/** What a renewal tells. */
export interface Renewal {
  readonly at: Instant;
  /** False when the owner's leases had already run out: everything it held may be somebody else's. */
  readonly alive: boolean;
  /** Somebody else's leases run out after so long: renewing again then takes over what it held. */
  readonly againInMs?: number;
}

/** Which finished instances are listed, in order of completion, then of their ids. */
export interface FinishedRequest {
  /** Any of these; all of them when absent. */
  readonly statuses?: readonly TerminalStatus[];
  /** Completed at or after. */
  readonly from?: Instant;
  /** Completed before. */
  readonly to?: Instant;
  /** Only those behind this one. */
  readonly after?: { readonly completedAt: Instant; readonly id: InstanceId };
  readonly size: number;
}

/** What a list of finished instances has of each: nothing that is large. */
export interface FinishedInstance {
  readonly number: InstanceNumber;
  readonly id: InstanceId;
  readonly name: string;
  readonly status: TerminalStatus;
  readonly epoch: number;
  readonly completedAt: Instant;
  readonly parent?: { readonly instanceId: InstanceId; readonly executionId: ExecutionId };
}

/** A page of finished instances; there may be more when it has as many as were asked for. */
export interface FinishedPage {
  readonly at: Instant;
  readonly instances: readonly FinishedInstance[];
}

/** What a store in a file can do besides. */
export interface FileUpkeep extends FileOperations {
  /** One bounded step of giving room back to the disk: how many bytes it gave, and whether another step would give more. */
  giveBack(): Promise<{ readonly bytes: number; readonly more: boolean }>;
}

/** A pure decision over what is there now. It may be asked again when somebody else was faster. */
export type Decision = (current: StoredInstance | undefined, at: Instant) => Commit | Refusal;

/** Seam 2. */
export interface Store {
  claim(want: ClaimRequest): Promise<Claims>;
  /** One transaction; each commit whole or not at all, each under its own fences; results in the same order. */
  commit(batch: readonly Commit[]): Promise<readonly CommitResult[]>;
  /** Keeps this owner alive. A store with one owner by construction answers from its clock. */
  renew(leaseMs: number): Promise<Renewal>;
  /** Gives leases back; instances and activities are not claimed again for their program before `afterMs` have passed. Stale leases are ignored. */
  release(leases: readonly (Lease | ActivityLease)[], afterMs: number): Promise<void>;
  /** Reads, decides, writes what was decided fenced by what was read; decides again when somebody was faster. Grouped like commits.
   *  `expects: "absent"` (a start): the store may save the reading, decide for an id that is free, and leave it to the fence to tell.
   */
  update(id: InstanceId, decide: Decision, expects?: "absent"): Promise<CommitResult | Refusal>;
  read(id: InstanceId): Promise<StoredInstance | undefined>;
  /** Many at once, in the order asked for. What has not ended may come without its payloads: whoever waits for an end asks often. */
  readAll(ids: readonly InstanceId[]): Promise<readonly (StoredInstance | undefined)[]>;
  /** Pages of the history of the current execution, from event number `from` (0) on. */
  history(id: InstanceId, from?: number): AsyncIterable<readonly HistoryEvent[]>;
  query(filter: InstanceFilter, page: PageRequest): Promise<Page<StoredInstance>>;
  /** What stands in an instance's name beside its history, which no record says: for people who ask why it waits. */
  outstanding(id: InstanceId): Promise<Outstanding | undefined>;
  /** Finished instances in order of completion, which no filter of a query gives. Costs what the page has. */
  finished(request: FinishedRequest): Promise<FinishedPage>;
  /** Calls back when something may have become ready or has ended. Returns how to stop it. */
  watch(onChange: (hint: ChangeHint) => void): () => void;
  open(): Promise<void>;
  close(): Promise<void>;
  /** Others write besides this process, and their hints may be lost: whoever waits looks now and then. */
  readonly shared?: true;
  /** User code of this instance begins to run: where a store watches over the process, it can say who held it up. */
  entered?(id: InstanceId): void;
  /** How large it is: for stores that outlive a process. Reads no payloads, and a bounded number of rows where there may be millions. */
  readonly sizes?: () => Promise<HubSizes>;
  /** Where the store is a file. */
  readonly file?: FileUpkeep;
}
