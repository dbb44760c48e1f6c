// clusters: what an operator makes of a PostgreSQL server with its own programs: dumps, base backups, standbys, a server at an earlier moment.
//
// Owns:    the commands. They are those of docs/operations.md.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, appendFileSync, chownSync, constants, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import pg from "pg";
import { read } from "../../scripts/run-command.ts";
import { postgresBinaries, startPostgres, type ThrowAwayPostgres } from "../../scripts/throw-away-postgres.ts";

const TIMEOUT_MS = 60_000;

function binary(name: string): string {
  const folder = postgresBinaries();
  if (folder === undefined) throw new Error("There are no binaries of PostgreSQL.");
  return join(folder, name);
}

/** Whoever owns a server's data may run its programs. */
function ownerOf({ dataFolder }: ThrowAwayPostgres): {
  readonly cwd: string;
  readonly as: { uid: number; gid: number };
  readonly timeoutMs: number;
} {
  const { uid, gid } = statSync(dirname(dataFolder));
  return { cwd: "/", as: { uid, gid }, timeoutMs: TIMEOUT_MS };
}

/** Asks a server once. */
export async function ask(url: string, sql: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

/** Asks until the answer, an expression or a query in brackets, is yes. */
export async function until(url: string, sql: string, ...values: unknown[]): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const [row] = await ask(url, `select (${sql}) as yes`, ...values);
    if (row?.["yes"] === true) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`It never came true: ${sql}`);
}

/** Where a server puts its log, beside its data. */
export const archiveOf = ({ dataFolder }: ThrowAwayPostgres): string => join(dirname(dataFolder), "archive");

/** The settings of a server that archives its log. */
export const ARCHIVES = { archive_mode: "on", archive_command: "mkdir -p ../archive && test ! -f ../archive/%f && cp %p ../archive/%f" };

/** `pg_dump` of the schema, into a file. */
export async function dumpSchema(url: string, file: string): Promise<void> {
  await read(binary("pg_dump"), ["--format=custom", "--schema=ostinato", `--file=${file}`, url], {
    cwd: dirname(file),
    timeoutMs: TIMEOUT_MS,
  });
}

/** `pg_restore` of that file. */
export async function restoreSchema(file: string, url: string): Promise<void> {
  await read(binary("pg_restore"), ["--no-owner", "--exit-on-error", `--dbname=${url}`, file], {
    cwd: dirname(file),
    timeoutMs: TIMEOUT_MS,
  });
}

/** A server, down, whose data is a base backup of another one. */
export async function baseBackup(of: string, ...options: readonly string[]): Promise<ThrowAwayPostgres> {
  const server = await startPostgres();
  await server.shutDown("immediate");
  rmSync(server.dataFolder, { recursive: true });
  const args = [`--pgdata=${server.dataFolder}`, `--dbname=${of}`, "--wal-method=stream", "--checkpoint=fast", ...options];
  await read(binary("pg_basebackup"), args, ownerOf(server));
  // What the other one was told by ALTER SYSTEM is its own affair.
  configure(server, { archive_mode: "off" });
  return server;
}

/** Adds settings to a server that is down. */
function configure({ dataFolder }: ThrowAwayPostgres, settings: Readonly<Record<string, string>>): void {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  appendFileSync(join(dataFolder, "postgresql.auto.conf"), lines.join(""));
}

/** Starts a base backup at a moment in the log of the server that it is of. */
export async function recoverTo(server: ThrowAwayPostgres, archive: string, moment: Readonly<Record<string, string>>): Promise<void> {
  configure(server, { restore_command: `cp ${archive}/%f %p`, recovery_target_action: "promote", ...moment });
  writeFileSync(join(server.dataFolder, "recovery.signal"), "");
  await server.start();
  await until(server.url, "not pg_is_in_recovery()");
}

/** A server that follows another one. */
export async function standbyOf(primary: string): Promise<ThrowAwayPostgres> {
  const standby = await baseBackup(primary, "--write-recovery-conf");
  await standby.start();
  return standby;
}

/** The standby takes over. */
export async function promote(standby: ThrowAwayPostgres): Promise<void> {
  await read(binary("pg_ctl"), ["promote", "-w", "-D", standby.dataFolder], ownerOf(standby));
}

/** Where PgBouncer is, or why it is not tried. */
export function bouncer(): { readonly program: string } | { readonly why: string } {
  const named = process.env["OSTINATO_PGBOUNCER"];
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  for (const program of named === undefined ? folders.map((folder) => join(folder, "pgbouncer")) : [named]) {
    try {
      accessSync(program, constants.X_OK);
      return { program };
    } catch {
      // Not there.
    }
  }
  return { why: "PgBouncer is not installed here; OSTINATO_PGBOUNCER names its program" };
}

/** PgBouncer in transaction mode before a server, with few connections to it. */
export async function bounce(
  program: string,
  server: ThrowAwayPostgres,
  port: number,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const { as } = ownerOf(server);
  const folder = mkdtempSync(join(tmpdir(), "ostinato-pool-"));
  const file = join(folder, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `* = host=127.0.0.1 port=${server.port} user=postgres`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    "default_pool_size = 3",
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  for (const path of [folder, file]) chownSync(path, as.uid, as.gid);
  const child = spawn(program, [file], { ...as, stdio: "ignore" });
  const gone = once(child, "exit");
  const url = new URL(server.url);
  url.port = String(port);
  for (let tries = 0; ; tries++) {
    try {
      await ask(url.href, "select 1");
      break;
    } catch (error) {
      if (tries === 100 || child.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    url: url.href,
    async stop() {
      child.kill("SIGTERM");
      await gone;
      rmSync(folder, { recursive: true });
    },
  };
}
