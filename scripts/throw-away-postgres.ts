// throw-away-postgres: a real PostgreSQL server for tests, made of the binaries of this machine, gone when they are done.
//
// Owns:    a cluster in a folder of its own, its server, and a guard that outlives us.
// Is told: where the binaries are (by the system, or OSTINATO_POSTGRES_BINARIES names their folder), settings, how it should die.
// Tells:   its URL, databases for stories, or why there is no server here.
// Always:  it listens on the loopback alone, on a port of its own. Nobody else's data is touched.
//          However we end, the server ends and the folder goes: the guard waits at the end of a pipe that closes with our process.
//          The server refuses to run as root, so there the cluster belongs to the user `postgres`, as packages of PostgreSQL make one.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { read } from "./run-command.ts";

/** How a server goes down: `fast` as an administrator asks it to, `immediate` as if the power went. */
export type ShutDown = "fast" | "immediate";

/** A server that was started here. */
export interface ThrowAwayPostgres {
  /** The database `postgres` of a superuser, without a password. */
  readonly url: string;
  readonly port: number;
  readonly dataFolder: string;
  /** Makes an empty database and gives its URL. */
  freshDatabase(options?: FreshDatabaseOptions): Promise<string>;
  /** Goes down and comes up again on the same port, `downMs` later. */
  restart(options?: { readonly mode?: ShutDown; readonly downMs?: number }): Promise<void>;
  /** Goes down and stays there until `start()`. */
  shutDown(mode?: ShutDown): Promise<void>;
  start(): Promise<void>;
  /**
   * Ends the connections of clients: `terminate` all of them, as an administrator does; `kill` one by SIGKILL, at which the server ends all
   * and recovers. Answers how many there were to end. `pids` chooses among them.
   */
  killBackends(options?: { readonly how?: "terminate" | "kill"; readonly pids?: readonly number[] }): Promise<number>;
  /** What the server logged since it was made. */
  log(): string;
  /** Ends it and deletes what it had. */
  stop(): Promise<void>;
}

/** Options of a server. */
export interface ThrowAwayOptions {
  /** False where a suite asks only what is answered: then nothing waits for the disk, and a lost machine loses the data. Default true. */
  readonly fsync?: boolean;
  /** Settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** Options of a database. */
export interface FreshDatabaseOptions {
  /** Sorts texts as people do in this language, where the server can: what relies on the order of bytes shows. */
  readonly language?: string;
}

const PROGRAMS = ["initdb", "postgres", "pg_ctl"];
const NAMED_FOLDER = "OSTINATO_POSTGRES_BINARIES";

/** The folder of the binaries of a server that can be started here, undefined when there is none: `whyNoPostgres` says why. */
export function postgresBinaries(): string | undefined {
  const found = look();
  return "folder" in found ? found.folder : undefined;
}

/** Why no server can be started here, for the test that is skipped; undefined when one can. */
export function whyNoPostgres(): string | undefined {
  const found = look();
  return "why" in found ? found.why : undefined;
}

let looked: ReturnType<typeof lookAround> | undefined;
const look = (): ReturnType<typeof lookAround> => (looked ??= lookAround());

function lookAround(): { readonly folder: string; readonly owner: Owner | undefined } | { readonly why: string } {
  if (process.platform === "win32") return { why: "the throw-away PostgreSQL server is started with the means of POSIX systems" };
  const named = process.env[NAMED_FOLDER];
  const folders = named === undefined ? foldersOfSystem() : [named];
  const folder = folders.find((each) => PROGRAMS.every((program) => mayRun(join(each, program))));
  if (folder === undefined) {
    const where = folders.length === 0 ? "pg_config is not there, nor /usr/lib/postgresql" : `looked in ${folders.join(", ")}`;
    return { why: `no PostgreSQL server is installed here (${where}); ${NAMED_FOLDER} names the folder of initdb, postgres and pg_ctl` };
  }
  const owner = process.getuid?.() === 0 ? userPostgres() : undefined;
  if (process.getuid?.() === 0 && owner === undefined) {
    return { why: "PostgreSQL refuses to run as root, and this machine has no user postgres" };
  }
  return { folder, owner };
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

function userPostgres(): Owner | undefined {
  const [uid, gid] = [answerOf("id", "-u", "postgres"), answerOf("id", "-g", "postgres")];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function foldersOfSystem(): string[] {
  const debian = "/usr/lib/postgresql";
  let versions: string[] = [];
  try {
    versions = readdirSync(debian).filter((name) => /^\d+$/.test(name));
  } catch {
    // Not a Debian.
  }
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, "bin"));
  const told = answerOf("pg_config", "--bindir");
  return [...new Set([...(told === undefined ? [] : [told]), ...newestFirst])];
}

function answerOf(program: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const UNSAFE = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };
const USUAL = {
  max_connections: 200,
  shared_buffers: "64MB",
  log_min_duration_statement: -1,
  log_lock_waits: "on",
  deadlock_timeout: "1s",
};
const ATTEMPTS = 5;

/** Starts a server. Throws when `whyNoPostgres` has a reason. */
export async function startPostgres(options: ThrowAwayOptions = {}): Promise<ThrowAwayPostgres> {
  const found = look();
  if ("why" in found) throw new Error(`There is no PostgreSQL to test with: ${found.why}.`);
  const { folder: binaries, owner } = found;
  const folder = mkdtempSync(join(tmpdir(), "ostinato-pg-"));
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const dataFolder = join(folder, "data");
  const logFile = join(folder, "log");
  const ask = (program: string, ...args: string[]): Promise<string> =>
    read(join(binaries, program), args, { cwd: folder, timeoutMs: 120_000, ...(owner === undefined ? {} : { as: owner }) });
  const guard = beginGuard(owner, folder, binaries);
  const settings = { ...USUAL, ...(options.fsync === false ? UNSAFE : {}), ...options.settings };
  const start = (port: number): Promise<string> =>
    ask("pg_ctl", "start", "-w", "-t", "60", "-D", dataFolder, "-l", logFile, "-o", commandLine({ ...settings, ...placeOf(port, folder) }));
  const shutDown = (mode: ShutDown): Promise<string> => ask("pg_ctl", "stop", "-w", "-t", "60", "-D", dataFolder, "-m", mode);

  try {
    await ask("initdb", "-D", dataFolder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
    const port = await firstThatStarts(start);
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
    return {
      url,
      port,
      dataFolder,
      freshDatabase: (more) => freshDatabaseOn(url, more),
      async restart({ mode = "fast", downMs = 0 } = {}) {
        await shutDown(mode);
        await new Promise((resolve) => setTimeout(resolve, downMs));
        await start(port);
      },
      shutDown: async (mode = "fast") => void (await shutDown(mode)),
      start: async () => void (await start(port)),
      killBackends: ({ how = "terminate", pids } = {}) => killBackends(url, how, pids),
      log: () => readFileSync(logFile, "utf8"),
      stop: () => dismiss(guard),
    };
  } catch (error) {
    await dismiss(guard);
    throw error;
  }
}

/** Makes an empty database on a server, which may be somebody else's process's, and gives its URL. */
export async function freshDatabaseOn(server: string, { language }: FreshDatabaseOptions = {}): Promise<string> {
  const name = `ostinato_${randomUUID().replaceAll("-", "").slice(0, 12)}`;
  await asSuperuser(server, async (client) => {
    const { rows } = await client.query<{ version: number }>("select current_setting('server_version_num')::int as version");
    const speaks = language !== undefined && (rows[0]?.version ?? 0) >= 150_000;
    const order = speaks ? ` locale_provider icu icu_locale ${client.escapeLiteral(language)}` : "";
    await client.query(`create database ${name} template template0${order}`);
  });
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** Drops a database that `freshDatabaseOn` made, whoever is still connected. */
export async function dropDatabase(database: string): Promise<void> {
  const url = new URL(database);
  const name = url.pathname.slice(1);
  url.pathname = "/postgres";
  await asSuperuser(url.href, (client) => client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`));
}

async function killBackends(url: string, how: "terminate" | "kill", pids?: readonly number[]): Promise<number> {
  const others = "backend_type = 'client backend' and pid <> pg_backend_pid() and ($1::int[] is null or pid = any($1))";
  return asSuperuser(url, async (client) => {
    if (how === "terminate") {
      const { rows } = await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`, [pids ?? null]);
      return rows.length;
    }
    const { rows } = await client.query<{ pid: number }>(`select pid from pg_stat_activity where ${others} order by random()`, [
      pids ?? null,
    ]);
    // The server ends our connection with all others.
    client.on("error", () => undefined);
    if (rows[0] !== undefined) process.kill(rows[0].pid, "SIGKILL");
    return rows.length;
  });
}

async function asSuperuser<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A port that is free now may be taken when the server asks for it: then it is another's turn. */
async function firstThatStarts(start: (port: number) => Promise<string>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      await start(port);
      return port;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const placeOf = (port: number, folder: string): Record<string, string | number> => ({
  port,
  listen_addresses: "127.0.0.1",
  unix_socket_directories: folder,
});

/** Settings as pg_ctl hands them on, through a shell. */
function commandLine(settings: Readonly<Record<string, string | number>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c '${name}=${String(value).replaceAll("'", `'\\''`)}'`)
    .join(" ");
}

/**
 * Waits at the end of a pipe. When it closes, for whatever reason, the server ends and the folder goes. In a session of its own, so that a
 * Ctrl-C meant for us does not end it first.
 */
function beginGuard(owner: Owner | undefined, folder: string, binaries: string): ChildProcess {
  const watch = 'cat >/dev/null; "$1/pg_ctl" stop -w -t 60 -m immediate -D "$0/data" || sleep 1; rm -rf "$0/data"; rm -rf "$0"';
  const guard = spawn("sh", ["-c", watch, folder, binaries], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    ...(owner ?? {}),
  });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}

async function dismiss(guard: ChildProcess): Promise<void> {
  if (guard.exitCode !== null || guard.signalCode !== null) return;
  guard.ref();
  const over = once(guard, "exit");
  guard.stdin?.end();
  await over;
}
