// own-connection: a connection that belongs to one loop of this process alone: the one that listens, the one that renews.
//
// Owns:    how such a connection is opened, and how it is let go of whatever state it is in.
// Always:  R2 it is one connection: whoever opens another one has let go of the one before.
//          It never keeps the process alive, and never waits for ever for a server that does not answer.

import { importPg } from "./database.ts";
import type { PgClient, PostgresPool, PostgresPoolClient, PostgresRow } from "./database.ts";

/** A connection of one's own. */
export interface OwnConnection {
  query(text: string, values?: unknown[]): Promise<readonly PostgresRow[]>;
  /** Told of every notice that arrives on it. */
  onNotice(run: (channel: string, payload: string) => void): void;
  /** Told once that it is gone. */
  onLost(run: (error: Error) => void): void;
  /** Lets go of it, at once. */
  close(): void;
}

const CONNECT_MS = 5_000;
const KEEP_ALIVE_MS = 10_000;
const GOODBYE_MS = 1_000;

/** What of `pg` is reached beyond its documented face: the socket, to let go of one that nobody answers on. */
interface WithSocket {
  readonly connection?: { readonly stream?: { destroy?(): void; unref?(): void } };
}

/** Opens a connection by a connection string. A statement without an answer after `queryMs` is an error. */
export async function openOwnConnection(connectionString: string, label: string, queryMs: number): Promise<OwnConnection> {
  const { Client } = await importPg();
  const client = new Client({
    connectionString,
    application_name: label.slice(0, 63),
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: queryMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  });
  // An error without a listener would end the process; one while connecting rejects `connect` as well.
  client.on("error", () => undefined);
  await client.connect();
  const { stream } = (client as WithSocket).connection ?? {};
  stream?.unref?.();
  return connectionOf(client, () => {
    // A server that does not answer does not say goodbye either.
    const timer = setTimeout(() => stream?.destroy?.(), GOODBYE_MS).unref();
    client.end().then(
      () => clearTimeout(timer),
      () => undefined,
    );
  });
}

/** Keeps a connection of somebody's pool. It goes back to nobody: what it listened to must not reach others. */
export async function keepPooledConnection(pool: PostgresPool): Promise<OwnConnection> {
  const client = await pool.connect();
  (client as WithSocket).connection?.stream?.unref?.();
  return connectionOf(client, () => client.release(true));
}

function connectionOf(connected: PgClient | PostgresPoolClient, letGo: () => void): OwnConnection {
  const client = connected as Pick<PostgresPoolClient, "on" | "query">;
  let closed = false;
  let lost: ((error: Error) => void) | undefined;
  let why: Error | undefined;
  const lose = (error: Error): void => {
    if (closed || why !== undefined) return;
    why = error;
    lost?.(error);
  };
  client.on("error", (error: Error) => lose(error));
  client.on("end", () => lose(new Error("The connection ended.")));
  return {
    query: async (text, values) => (await client.query(values === undefined ? { text } : { text, values })).rows,
    onNotice: (run) =>
      void client.on("notification", (notice) => {
        if (!closed) run(notice.channel, notice.payload ?? "");
      }),
    onLost(run) {
      lost = run;
      if (why !== undefined) run(why);
    },
    close() {
      if (closed) return;
      closed = true;
      letGo();
    },
  };
}
