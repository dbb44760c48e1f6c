// ostinato/sqlite: the SQLite store, for those who put a backend together by hand.

export { openSqliteStore, type SqliteStoreOptions } from "./stores/sqlite/sqlite-store.ts";
