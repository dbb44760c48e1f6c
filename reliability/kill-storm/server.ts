// server: the PostgreSQL server of a storm: thrown away afterwards, ended and restarted meanwhile, asked by the driver on a line of its own.
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { startPostgres } from "../../scripts/throw-away-postgres.ts";
import { migratePostgres } from "../../packages/ostinato/src/stores/postgres/migrate.ts";
import { connectTo } from "../checker/from-postgres.ts";

export interface Server {
  readonly port: number;
  /** Its address for the driver. */
  readonly url: string;
  /** Its address through another port of this machine. */
  urlOn(port: number): string;
  /** Asks for rows; while the server does not answer, again. */
  ask<R extends object>(sql: string, ...values: readonly unknown[]): Promise<R[]>;
  /** Ends the backend of a process, politely. Whose it was; nothing when there is none. */
  endBackend(): Promise<string | undefined>;
  /** Kills the backend of a process: the server takes all others down and recovers. */
  killBackend(): Promise<boolean>;
  /** At once, without a checkpoint: the server recovers when it starts. */
  restart(): Promise<void>;
  /** Resolves when it takes questions again. */
  untilWell(): Promise<void>;
  /** What it has written about itself. */
  log(): string;
  stop(): Promise<void>;
}

/** When a server does not come back in so long, it never will. */
const BACK_MS = 60_000;
/** Backends of processes of a storm: their applications are named after seats. */
const OF_SEATS = "backend_type = 'client backend' and application_name ~ '(^| )[a-z]+[0-9]*[.][0-9]+$'";

/** Starts a server with the tables of a task hub. */
export async function startServer(): Promise<Server> {
  const running = await startPostgres({ settings: { max_connections: 300, deadlock_timeout: "500ms", log_line_prefix: "%m [%p] %e " } });
  const url = await running.freshDatabase();
  await migratePostgres({ connectionString: url });
  let admin: Client | undefined;
  const drop = (): void => {
    admin?.end().catch(() => undefined);
    admin = undefined;
  };
  const ask = async <R extends object>(sql: string, ...values: readonly unknown[]): Promise<R[]> => {
    for (const begun = performance.now(); ;) {
      try {
        admin ??= await connectTo(url);
        return (await admin.query<R>(sql, [...values])).rows;
      } catch (error) {
        drop();
        // A statement that is wrong does not get better.
        const { code = "" } = error as { code?: string };
        if (/^(42|22|23)/.test(code) || performance.now() - begun > BACK_MS) throw error;
        await sleep(20);
      }
    }
  };
  const untilWell = async (): Promise<void> => void (await ask("select 1"));
  return {
    port: running.port,
    url,
    urlOn(port) {
      const other = new URL(url);
      other.hostname = "127.0.0.1";
      other.port = String(port);
      return other.href;
    },
    ask,
    async endBackend() {
      const [row] = await ask<{ name: string }>(
        `select application_name as name, pg_terminate_backend(pid) from pg_stat_activity where ${OF_SEATS} order by random() limit 1`,
      );
      return row?.name;
    },
    async killBackend() {
      // One that works, where there is one.
      const [row] = await ask<{ pid: number }>(
        `select pid from pg_stat_activity where ${OF_SEATS} order by state = 'active' desc, random() limit 1`,
      );
      if (row === undefined) return false;
      process.kill(row.pid, "SIGKILL");
      drop();
      await sleep(50);
      await untilWell();
      return true;
    },
    async restart() {
      drop();
      await running.restart({ mode: "immediate" });
      await untilWell();
    },
    untilWell,
    log: () => running.log(),
    async stop() {
      drop();
      await running.stop();
    },
  };
}
