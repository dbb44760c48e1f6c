// maintenance: what can be asked of a task hub beside its instances: how large it is; of one that is a file, a copy and a check.
//
// Owns:    the shapes of a backup's progress, of sizes and of findings.

import type { InstanceId } from "./ids.ts";
import type { InstanceStatus } from "./instance.ts";

/** How far a backup is. */
export interface BackupProgress {
  readonly totalBytes: number;
  readonly remainingBytes: number;
}

/** How a backup is made. */
export interface BackupOptions {
  /** Told after each step. */
  readonly onProgress?: (progress: BackupProgress) => void;
}

/** A table of a database server, with its indexes. */
export interface TableSizes {
  readonly name: string;
  /** The table with what is stored out of line. */
  readonly bytes: number;
  readonly indexBytes: number;
  /** By the server's own statistics. */
  readonly rows: number;
  /** Rows that were changed or removed, and whose room vacuum has not given back for new ones. */
  readonly deadRows: number;
}

/** What of `HubSizes` may be an estimate. */
export type EstimatedSize = "instances" | "entities" | "messages" | "activities" | "historyRows" | "longestHistories";

/** How large a task hub is, and what is in it. */
export interface HubSizes {
  /** The database file, without its log; or all tables and indexes of the schema. */
  readonly fileBytes: number;
  /** The write-ahead log beside it; 0 where it is a database server's. */
  readonly walBytes: number;
  /** Inside the file and empty: used again before the file grows. 0 where a server does not tell: `tables` has the dead rows. */
  readonly freeBytes: number;
  /** Whether free room goes back to the disk in steps. Files of earlier versions keep it until they are restored from a backup. */
  readonly shrinks: boolean;
  /** Orchestrations of this hub, by status. */
  readonly instances: Readonly<Record<InstanceStatus, number>>;
  /** Entities of this hub, those without a state among them. */
  readonly entities: number;
  /** Messages that wait in inboxes, timers among them. Of all hubs in the file, like what follows. */
  readonly messages: number;
  /** Activities that are scheduled or run. */
  readonly activities: number;
  /** Turns in histories. */
  readonly historyRows: number;
  /** About how large they are: going by the newest thousand, or as they lie on the disk. */
  readonly historyBytes: number;
  /** The ten instances of this hub with the longest histories. */
  readonly longestHistories: readonly { readonly instanceId: InstanceId; readonly events: number }[];
  /** Where the hub is in a database server: its tables, and those of the other hubs in the schema. */
  readonly tables?: readonly TableSizes[];
  /** What was estimated, since counting would have read too much. Of a file nothing is. */
  readonly estimated?: readonly EstimatedSize[];
}

/** Something that is wrong with a task hub's file. */
export interface IntegrityFinding {
  /** `file`: the database itself is damaged. `row`: something in it cannot be read. `reference`: rows that do not agree with one another. */
  readonly kind: "file" | "row" | "reference";
  /** What is wrong, where, and what to do. */
  readonly message: string;
  /** Whose it is, where that can be said. */
  readonly instanceId?: InstanceId;
}

/** What can be asked of a task hub that is a file. */
export interface FileOperations {
  backup(path: string, options?: BackupOptions): Promise<void>;
  checkIntegrity(): Promise<readonly IntegrityFinding[]>;
}
