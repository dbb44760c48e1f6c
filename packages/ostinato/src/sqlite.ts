// ostinato/sqlite: files. Backups become hubs again; and the SQLite store, for those who put a backend together by hand.

export { holderOfTaskHub } from "./hub/holder-of-task-hub.ts";
export { restoreTaskHub } from "./hub/restore-task-hub.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./stores/sqlite/sqlite-store.ts";
export type { IntegrityFinding } from "./contract/maintenance.ts";
