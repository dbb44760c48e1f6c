// ostinato/postgres: task hubs in a PostgreSQL database, as it takes an administrator: migrations, and what a runtime role may do; and the
// store, for those who put a backend together by hand.

export {
  migratePostgres,
  postgresFormat,
  postgresGrants,
  type MigratePostgresOptions,
  type PostgresFormat,
  type PostgresMigrated,
} from "./stores/postgres/migrate.ts";
export { moveTaskHub, undoMoveOfTaskHub, type MovedTaskHub, type MoveOptions } from "./hub/move-task-hub.ts";
export type { MoveProgress, MoveStep } from "./stores/move/move-hub.ts";
export type { PostgresPlace } from "./stores/postgres/place.ts";
export type { PostgresPool, PostgresPoolClient, PostgresQuery, PostgresRow } from "./stores/postgres/database.ts";
export { openPostgresStore, type PostgresStoreOptions } from "./stores/postgres/postgres-store.ts";
