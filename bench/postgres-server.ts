// postgres-server: the server that a run of the bench measures on, and a database of its own for each workload.
//
// Owns:    which server it is: BENCH_POSTGRES names one, else main.ts starts one from the binaries of this machine and sets the variable.
// Always:  P1 what is measured is the server as it comes: fsync and synchronous_commit on. One that is not is refused.
//          P2 a workload finds an empty database, and leaves none.
import { readFileSync, readdirSync } from "node:fs";
import pg from "pg";
import { startPostgres, whyNoPostgres } from "../scripts/throw-away-postgres.ts";

const VARIABLE = "BENCH_POSTGRES";
/** What a server for tests has smaller than one that was just installed. */
const AS_IT_COMES = { shared_buffers: "128MB", max_connections: 100, log_lock_waits: "off" };

/** A server that was started for a run. */
export interface BenchServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Makes sure of a server for this run. A string says why there is none. */
export async function serverForBench(): Promise<BenchServer | string> {
  const given = process.env[VARIABLE];
  if (given !== undefined) return { url: given, stop: async () => undefined };
  const why = whyNoPostgres();
  if (why !== undefined) return `${why}, and ${VARIABLE} names no server`;
  const server = await startPostgres({ settings: AS_IT_COMES });
  process.env[VARIABLE] = server.url;
  return { url: server.url, stop: () => server.stop() };
}

/** Does some work in an empty database of its own. */
export async function withDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = process.env[VARIABLE];
  if (server === undefined) throw new Error(`${VARIABLE} names no server.`);
  const name = `ostinato_bench_${process.pid}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  try {
    await refuseUnsafe(admin);
    await admin.query(`create database ${name}`);
    // Whoever comes next does not pay for what was written before.
    await admin.query("checkpoint");
    const url = new URL(server);
    url.pathname = `/${name}`;
    return await work(url.href);
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  }
}

async function refuseUnsafe(client: pg.Client): Promise<void> {
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"]) {
    const { rows } = await client.query<{ value: string }>("select current_setting($1) as value", [setting]);
    if (rows[0]?.value !== "on")
      throw new Error(`The server has ${setting} = ${rows[0]?.value ?? "?"}: what it says is written would not be safe.`);
  }
}

/** What a server has written, as far as its counters tell. */
export interface Written {
  /** Rows inserted, updated and deleted in this database. */
  readonly rows: number;
  /** Bytes of the log, of all databases. */
  readonly logBytes: number;
  /** Bytes of this database. */
  readonly bytes: number;
  /** Processor time of the server in microseconds; 0 where it cannot be seen. */
  readonly cpu: number;
}

/** Reads the counters. Those of rows are behind until the connections that wrote them have ended. */
export async function writtenTo(url: string): Promise<Written> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ rows: string; log: string; bytes: string; pid: number }>(
      `select (select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) from pg_stat_user_tables) as rows,
        pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as log, pg_database_size(current_database()) as bytes, pg_backend_pid() as pid`,
    );
    const { rows: count, log, bytes, pid } = rows[0]!;
    return { rows: Number(count), logBytes: Number(log), bytes: Number(bytes), cpu: processorTimeOf(pid) };
  } finally {
    await client.end();
  }
}

/** Processor time of the server that a backend belongs to, in microseconds: of its parent, of the parent's children that have ended and of those that live. */
function processorTimeOf(backend: number): number {
  try {
    const parent = statOf(backend).parent;
    const { own, ended } = statOf(parent);
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    const living = pids.map((pid) => statOrNothing(Number(pid))).filter((stat) => stat?.parent === parent);
    return living.reduce((sum, stat) => sum + (stat?.own ?? 0), own + ended);
  } catch {
    return 0; // another machine, or a system without /proc
  }
}

const MICROSECONDS_PER_TICK = 10_000;

function statOf(pid: number): { parent: number; own: number; ended: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ")
    .map(Number);
  const [, parent = 0] = fields;
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11);
  return { parent, own: (user + system) * MICROSECONDS_PER_TICK, ended: (endedUser + endedSystem) * MICROSECONDS_PER_TICK };
}

function statOrNothing(pid: number): ReturnType<typeof statOf> | undefined {
  try {
    return statOf(pid);
  } catch {
    return undefined; // it has ended meanwhile
  }
}
