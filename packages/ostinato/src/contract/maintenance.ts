// maintenance: what can be asked of a task hub that is a file.
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

/** How large a task hub's file is, and what is in it. */
export interface HubSizes {
  /** The database file, without its log. */
  readonly fileBytes: number;
  /** The write-ahead log beside it. */
  readonly walBytes: number;
  /** Inside the file and empty: used again before the file grows. */
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
  /** About how large they are, going by the newest thousand. */
  readonly historyBytes: number;
  /** The ten instances of this hub with the longest histories. */
  readonly longestHistories: readonly { readonly instanceId: InstanceId; readonly events: number }[];
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
  sizes(): Promise<HubSizes>;
  checkIntegrity(): Promise<readonly IntegrityFinding[]>;
}
